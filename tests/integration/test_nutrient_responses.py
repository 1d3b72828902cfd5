"""Yields answer to nitrogen, CO2, warmth and water as fields do, on made-up weather."""

from __future__ import annotations

from types import ModuleType

import numpy as np
import pytest

import neuralcrop as nc
from neuralcrop.crops import crop_names
from neuralcrop.data.demo import make_demo_forcing, suitable_cells
from neuralcrop.data.forcing import prepare_forcing
from neuralcrop.simulation.simulate import Compute, prepare_run
from tests.script_modules import load_script

pytestmark = pytest.mark.slow

EAGER = Compute(compile=False)
TROPICAL = {"cassava", "sugarcane", "rice", "millet", "groundnut", "cotton", "sorghum"}


@pytest.fixture(scope="module")
def script(repository) -> ModuleType:
    return load_script(repository, "responses")


def test_responses_have_the_signs_and_sizes_of_experiments(script: ModuleType) -> None:
    weather = prepare_forcing(make_demo_forcing(
        range(2001, 2003), suitable_cells(2, min_lat=40.0, max_lat=50.0)).rename(cell="point"))
    at = tuple((float(weather["lat"][k]), float(weather["lon"][k])) for k in range(2))
    places = {"maize": at, "spring_wheat": at, "soybean": at}
    seasons = script.responses(weather, places)
    assert script.checked(seasons) == []
    mean = script.means(seasons)
    assert script.table([["a"], ["b"]]) == "| a |\n|---|\n| b |"
    for crop, low, high in (("maize", -1.0, 5.0), ("spring_wheat", 5.0, 25.0),
                            ("soybean", 5.0, 25.0)):
        y = mean["yield"].sel(crop=crop)
        gain = script.percent(y.sel(case="ample"), y.sel(case="ample C550"))
        assert low <= gain <= high, f"{crop}: {gain:+.1f} % with CO2"
        assert float(y.sel(case="W-50")) < float(y.sel(case="N200")), crop
    fed = mean["yield"].sel(case="wet") / mean["yield"].sel(case="wet N10")
    assert float(fed.sel(crop="soybean")) < 1.15
    assert float(fed.sel(crop="maize")) > 1.3
    assert float(fed.sel(crop="spring_wheat")) > 1.3
    # what is not taken up is lost or stays: more fertiliser, more of each
    for name in ("nuptake", "nleach", "ngas"):
        wheat = mean[name].sel(crop="spring_wheat")
        assert float(wheat.sel(case="wet")) > float(wheat.sel(case="wet N10")), name


def test_every_crop_takes_up_what_it_yields() -> None:
    crops = list(crop_names())
    cells = [suitable_cells(1, min_lat=45.0, max_lat=55.0)[0],
             suitable_cells(1, min_lat=-15.0, max_lat=15.0)[0]]
    weather = make_demo_forcing([2001, 2002], np.array(sorted(cells)))
    index = [sorted(cells).index(cells[crop in TROPICAL]) for crop in crops]
    weather = weather.isel(cell=index).assign_coords(cell=np.arange(len(crops)))
    fed = nc.simulate(weather, crop=crops, compute=EAGER,
                      management={"irrigation": "full", "nitrogen": 150.0})
    free = nc.simulate(weather, crop=crops, management={"irrigation": "full"}, compute=EAGER)
    for k, crop in enumerate(crops):
        one = fed.isel(cell=k)
        best, most = float(one["yield"].max()), float(free["yield"].isel(cell=k).max())
        assert 0.3 * most < best <= 1.02 * most, f"{crop}: {best:.2f} of {most:.2f} t ha-1"
        taken = float(one["nuptake"].max())
        assert 30.0 < taken < 450.0, f"{crop}: {taken:.0f} kg ha-1"
        assert float(one["yield_nitrogen"].max()) < taken, crop
        assert float(abs(one["nitrogen_residual"]).max()) < 2e-6, crop


def test_spin_up_settles_and_stays() -> None:
    weather = make_demo_forcing(
        [2001, 2002], suitable_cells(2, min_lat=40.0, max_lat=50.0))
    run = prepare_run(weather, crop="maize", management={"nitrogen": 100.0}, compute=EAGER)
    spun = run.spin_up(2, cycles=8)
    assert spun.converged
    assert len(spun.cycles) <= 8
    assert spun.cycles[-1]["change"] <= 0.01 < spun.cycles[0]["change"]
    state = run.model.state

    def pool(name: str, x) -> np.ndarray:
        return state.get(x, name).double().sum(dim=0).numpy() if state.sizes[name] > 1 else (
            state.get(x, name).double().numpy())

    start = spun.state.x
    for name in ("fast", "slow"):
        ratio = pool(f"{name}_carbon", start) / pool(f"{name}_nitrogen", start)
        assert ((ratio > 9.0) & (ratio < 20.0)).all(), f"{name}: {ratio}"
    for name in ("surface_litter", "root_litter", "fast", "slow"):
        assert (pool(f"{name}_carbon", start) > 0.0).all(), name

    held: list[np.ndarray] = []

    class Last:
        names: tuple[str, ...] = ()

        def open(self, *_) -> None: ...

        def put(self, k, cells, morning, x, fluxes, diagnostics) -> None:
            self.x = x

        def close(self, first_day: int) -> None:
            held.append(pool("fast_carbon", self.x) + pool("slow_carbon", self.x))

    run.execute(Last())
    before = pool("fast_carbon", start) + pool("slow_carbon", start)
    assert np.abs(held[-1] / before - 1.0).max() < 0.02  # in two years
