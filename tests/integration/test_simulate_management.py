"""Management from what a user writes to the records of seasons."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import neuralcrop as nc
from neuralcrop.data.errors import InputError
from neuralcrop.models.registry import ModelSpec
from neuralcrop.simulation.bench import bench_weather
from neuralcrop.simulation.prepare import Compute

SOIL = {"sand": 0.4, "clay": 0.2, "organic_carbon": 1.0}
EAGER = Compute(compile=False)


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    days = bench_weather(2, 3 * 365)
    units = {"tasmin": "degC", "tasmax": "degC", "tas": "degC", "rsds": "W m-2", "rlds": "W m-2",
             "pr": "mm d-1", "vap": "kPa", "sfcwind": "m s-1", "ps": "kPa", "co2": "1e-6"}
    values = days.values.numpy()
    time = xr.date_range("2001-01-01", periods=days.n_days, calendar="noleap", use_cftime=True)
    return xr.Dataset(
        {name: (("time", "site"), values[:, k], {"units": units[name]})
         for k, name in enumerate(days.names)},
        coords={"time": time, "lat": ("site", [30.0, 40.0]), "lon": ("site", [0.0, 5.0])})


def run(weather: xr.Dataset, management: dict[str, object], crop: str | None = "maize",
        **options: object) -> xr.Dataset:
    return nc.simulate(weather, crop=crop, soil=SOIL, compute=EAGER,
                       management=management, **options)


def test_irrigation_systems_and_residues(weather: xr.Dataset) -> None:
    year = weather.isel(time=slice(0, 365))
    full = run(year, {"sowing": 121, "irrigation": "full"})
    lossy = run(year, {"sowing": 121, "residues": {"burnt": 0.5}, "irrigation": {
        "conveyance": 0.5, "threshold": 0.9, "target": 1.0}})
    drip = run(year, {"sowing": 121, "irrigation": {"system": "drip", "seasonal_limit": 50}})
    np.testing.assert_allclose(full["pirnreq"], full["initr"])
    np.testing.assert_allclose(lossy["yield"], full["yield"], rtol=1e-4)
    np.testing.assert_allclose(lossy["initr"], 0.5 * lossy["pirnreq"], rtol=1e-3)
    assert float(drip["pirnreq"].max()) <= 50.01
    for out in (full, lossy, drip):
        assert float(np.abs(out["water_residual"]).max()) < 1e-6
        assert "crop" not in out
        assert "nuptake" not in out


def test_two_crops_a_year(weather: xr.Dataset) -> None:
    out = run(weather, {"sequence": [
        {"crop": "winter_wheat", "sowing": "10-15", "harvest": "06-25"},
        {"crop": "soybean", "sowing": "07-01", "harvest": "10-10"}]}, crop=None)
    names = out["crop"].attrs["flag_meanings"].split()
    first = [names[int(k)] for k in out["crop"][:, 0]]
    assert first == ["soybean", "winter_wheat", "soybean", "winter_wheat", "soybean"]
    assert out["plantyear"][:, 0].values.tolist() == [2001, 2001, 2002, 2002, 2003]


def test_an_adapted_cultivar_ripens_when_asked(weather: xr.Dataset) -> None:
    fixed = run(weather, {"sowing": 121})
    out = run(weather, {"sowing": 121, "cultivar": {"season_days": 120}})
    assert abs(float(out["matyday"][0, 0]) - 120.0) < 8.0
    assert float(out["matyday"][0, 0]) != float(fixed["matyday"][0, 0])


@pytest.mark.parametrize(("model", "management"), [
    (ModelSpec(), {"nitrogen": 100}), (ModelSpec(), {"manure": 10}),
    (ModelSpec(), {"tillage": "none"}),
    ("wofost72", {"nitrogen": 100}), ("wofost72", {"residues": 0.5}),
    ("wofost72", {"irrigation": "drip"}), ("wofost72", {"cultivar": "adapted"}),
    ("wofost72", {"sequence": ["maize:Grain_maize_201"]})])
def test_what_a_model_has_no_use_for_is_refused(
    weather: xr.Dataset, model: str | ModelSpec, management: dict[str, object]
) -> None:
    with pytest.raises(InputError, match="has no use for"):
        run(weather, {"sowing": 121} | management, model=model)


def test_columns_of_nitrogen_need_nitrogen(weather: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="need a model with nutrients"):
        run(weather, {"sowing": 121}, variables=["yield", "nuptake"])
