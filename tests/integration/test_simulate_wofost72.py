"""WOFOST 7.2 by the doors of every other model: datasets, names, restarts, command line."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import neuralcrop as nc
from neuralcrop.cli import main
from neuralcrop.crops import UnknownCropError
from neuralcrop.data.demo import make_demo_forcing, suitable_cells

pytestmark = pytest.mark.slow  # uncompiled days of WOFOST take 20 ms


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    return make_demo_forcing([2001], suitable_cells(2, min_lat=35.0))


def test_varieties_by_cell_and_their_balances(weather: xr.Dataset) -> None:
    crop = xr.DataArray(["maize", "barley:Spring_barley_301"], dims="cell")
    season = nc.simulate(weather, crop=crop, model="wofost72", management={"sowing": 110},
                         dtype="float64")
    assert season["yield"].sizes["cell"] == 2
    assert float(season["yield"].isel(season=0).min()) > 0.5
    for name in ("water_residual", "carbon_residual"):
        assert float(abs(season[name]).max()) < 1e-12
    one = nc.simulate(weather.isel(cell=[1]), crop="barley:Spring_barley_301", model="wofost72",
                      management={"sowing": 110}, dtype="float64")
    np.testing.assert_allclose(one["yield"].isel(cell=0), season["yield"].isel(cell=1), rtol=1e-12)


def test_irrigation_serves_the_crop(weather: xr.Dataset) -> None:
    dry, wet = (nc.simulate(
        weather.isel(cell=[0]), crop="maize", model="wofost72",
        management={"sowing": 110, "irrigation": water}, dtype="float64")
        for water in ("none", "full"))
    assert float(wet["pirnreq"].isel(season=0).squeeze()) > 0.0
    assert float(dry["pirnreq"].max()) == 0.0
    assert bool((wet["yield"] >= dry["yield"] - 1e-9).all())
    assert float(abs(wet["water_residual"]).max()) < 1e-12


def test_restarts_join(weather: xr.Dataset, tmp_path: Path) -> None:
    given = {"crop": "maize", "model": "wofost72", "management": {"sowing": 110},
             "dtype": "float64"}
    field = weather.isel(cell=[0])
    whole = nc.simulate(field, **given)
    half = 170  # a crop stands
    nc.simulate(field.isel(time=slice(0, half)), restart_to=tmp_path / "half.pt", **given)
    after = nc.simulate(
        field.isel(time=slice(half, None)), restart_from=tmp_path / "half.pt", **given)
    np.testing.assert_array_equal(after["yield"], whole["yield"])


def test_command_line(weather: xr.Dataset, tmp_path: Path) -> None:
    path, out = tmp_path / "weather.nc", tmp_path / "out.nc"
    weather.isel(cell=[0]).to_netcdf(path)
    assert main(["simulate", f"forcing.path={path}", "forcing=file", "model=wofost72",
                 "crop.name=potato", "model.production=potential", f"output.path={out}",
                 "output.frequency=daily", f"hydra.run.dir={tmp_path / 'run'}"]) == 0
    with xr.open_dataset(out) as found:
        assert float(found["storage_weight"].max()) > 1000.0
        assert float(found["lai"].max()) > 1.0


def test_errors_name_the_nearest(weather: xr.Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownCropError, match="Winter_wheat_103"):
        nc.simulate(weather, crop="wheat:Winter_wheat_1033", model="wofost72")
    with pytest.raises(UnknownCropError, match="potato"):
        nc.simulate(weather, crop="potatoe", model="wofost72")
    assert main(["train", "experiment=demo", "model=wofost72"]) != 0
    assert "model.set" in capsys.readouterr().err
