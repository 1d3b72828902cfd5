"""`simulate` from the API and the command line, on a small made-up world."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import neuralcrop as nc
from neuralcrop.cli import main
from neuralcrop.crops import UnknownCropError
from neuralcrop.data.demo import make_demo_forcing, make_demo_soil, suitable_cells

CELLS = suitable_cells(3, min_lat=35.0)


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    return make_demo_forcing([2001, 2002], CELLS)


def test_seasons_of_two_years(weather: xr.Dataset) -> None:
    seasons = nc.simulate(weather, crop="maize", soil=make_demo_soil(CELLS))
    assert seasons.sizes["season"] >= 1
    assert float(seasons["yield"].min()) >= 0.0
    assert float(seasons["yield"].max()) < 20.0
    assert seasons["yield"].attrs["units"] == "t ha-1"
    assert float(abs(seasons["water_residual"]).max()) < 1e-6
    ripe = seasons["harvest_reason"] == 1
    assert bool((seasons["anthday"] < seasons["matyday"]).where(ripe, True).all())
    assert "neuralcrop" in str(seasons.attrs).lower()


@pytest.mark.slow
def test_one_field_irrigated_and_daily(weather: xr.Dataset) -> None:
    dim = next(d for d in weather["tasmax"].dims if d != "time")
    field = weather.isel({dim: 0}, drop=False)
    names = ["soil_water", "lai", "transpiration", "development_stage"]
    daily = nc.simulate(field, crop="soybean", frequency="daily", variables=names)
    assert daily["lai"].dims == ("time",)
    assert daily["soil_water"].sizes["time"] == field.sizes["time"]
    monthly = nc.simulate(field, crop="soybean", frequency="monthly", variables=["lai"])
    assert float(monthly["lai"].max()) <= float(daily["lai"].max())
    dry = nc.simulate(field, crop="soybean")
    wet = nc.simulate(field, crop="soybean", management={"irrigation": "full"})
    assert bool((wet["yield"] >= dry["yield"] - 1e-3).all())
    assert float(wet["pirnreq"].max()) > 0.0


@pytest.mark.slow
def test_double_precision_agrees(weather: xr.Dataset) -> None:
    single = nc.simulate(weather, crop="maize", dtype="float32")["yield"]
    double = nc.simulate(weather, crop="maize", dtype="float64")["yield"]
    np.testing.assert_allclose(single, double, rtol=5e-3, atol=5e-3)


@pytest.mark.slow
def test_crop_by_cell(weather: xr.Dataset) -> None:
    mixed = nc.simulate(weather, crop=["maize", "soybean", "maize"])
    maize = nc.simulate(weather, crop="maize")
    np.testing.assert_allclose(mixed["yield"][:, 0], maize["yield"][: mixed.sizes["season"], 0],
                               rtol=1e-4)


@pytest.mark.slow
def test_restart_files_join_years(weather: xr.Dataset, tmp_path: Path) -> None:
    orders = {"sowing": 120}
    whole = nc.simulate(weather, crop="maize", management=orders)
    nc.simulate(weather.sel(time="2001"), crop="maize", management=orders,
                restart_to=tmp_path / "a.pt")
    second = nc.simulate(weather.sel(time="2002"), crop="maize", management=orders,
                         restart_from=tmp_path / "a.pt")
    np.testing.assert_array_equal(second["yield"][-1], whole["yield"][-1])


def test_command_line_writes_a_file(weather: xr.Dataset, tmp_path: Path) -> None:
    path = tmp_path / "weather.nc"
    weather.to_netcdf(path)
    for frequency in ("season", "daily"):
        out = tmp_path / f"{frequency}.nc"
        assert main(["simulate", f"forcing.path={path}", "forcing=file", "crop=maize",
                     f"output.path={out}", f"output.frequency={frequency}",
                     f"hydra.run.dir={tmp_path / 'run'}"]) == 0
        with xr.open_dataset(out, decode_timedelta=False) as found:
            assert found.sizes[frequency.replace("daily", "time")] > 0


def test_errors_are_clear(weather: xr.Dataset, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(UnknownCropError, match="did you mean 'maize'"):
        nc.simulate(weather, crop="maiz")
    with pytest.raises(ValueError, match="frequency is 'yearly'"):
        nc.simulate(weather, crop="maize", frequency="yearly")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="no seasonal variables gdp"):
        nc.simulate(weather, crop="maize", variables=["gdp"])
    with pytest.raises(ValueError, match="no model"):
        nc.simulate(weather, model="nowhere/at/all")
    assert main(["simulate", "forcing.path=/no/such/file.nc", "forcing=file"]) == 1
    assert "/no/such/file.nc" in capsys.readouterr().err
