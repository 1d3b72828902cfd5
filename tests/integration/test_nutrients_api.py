"""Nutrients through `neuralcrop.simulate`: when they are on, what comes out, spin-up."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

import neuralcrop as nc
from neuralcrop.data.demo import make_demo_forcing, suitable_cells
from neuralcrop.models.registry import ModelSpec
from neuralcrop.simulation.prepare import prepare_run

LAYERS = ("nitrate_uptake", "ammonium_uptake", "transpiration")


@pytest.fixture(scope="module")
def weather() -> xr.Dataset:
    return make_demo_forcing([2001, 2002], suitable_cells(2, min_lat=35.0))


@pytest.fixture(scope="module")
def fertilised(weather: xr.Dataset) -> xr.Dataset:
    return nc.simulate(
        weather, crop="maize", management={"nitrogen": 120.0, "sowing": 120},
        variables=["yield", "nuptake", "nfix", "transp", "nitrogen_residual", "nfert", "matyday",
                   "nitrogen_use_efficiency", "water_productivity", "slow_carbon", *LAYERS])


def test_management_of_nitrogen_switches_nutrients_on(fertilised: xr.Dataset) -> None:
    assert (fertilised["nfert"] == 120.0).all()
    assert abs(fertilised["nitrogen_residual"]).max() < 2e-6
    assert (fertilised["nuptake"] > 10.0).all()


def test_without_it_nitrogen_never_limits(weather: xr.Dataset) -> None:
    plain = nc.simulate(weather, crop="maize", management={"sowing": 120})
    assert "nuptake" not in plain
    with pytest.raises(ValueError, match="nutrients"):
        nc.simulate(weather, crop="maize", variables=["nuptake"])


def test_a_model_without_nutrients_refuses_fertiliser(weather: xr.Dataset) -> None:
    with pytest.raises(ValueError, match="nitrogen"):
        nc.simulate(weather, crop="maize", model=ModelSpec(), management={"nitrogen": 100.0})


def test_fluxes_are_summed_over_the_season(fertilised: xr.Dataset) -> None:
    assert fertilised["nitrate_uptake"].dims[:2] == ("season", "layer")
    assert fertilised["nitrate_uptake"].attrs["units"] == "g m-2"
    taken = (fertilised["nitrate_uptake"] + fertilised["ammonium_uptake"]).sum("layer")
    np.testing.assert_allclose(
        10.0 * taken + fertilised["nfix"], fertilised["nuptake"], rtol=1e-4)
    np.testing.assert_allclose(
        fertilised["transpiration"].sum("layer"), fertilised["transp"], rtol=1e-5)
    assert (fertilised["slow_carbon"].isel(layer=0) > 100.0).all()


def test_efficiencies(fertilised: xr.Dataset) -> None:
    assert ((fertilised["nitrogen_use_efficiency"] > 0.05)
            & (fertilised["nitrogen_use_efficiency"] < 3.0)).all()
    assert ((fertilised["water_productivity"] > 0.1)
            & (fertilised["water_productivity"] < 5.0)).all()


def test_soil_temperature_by_day(weather: xr.Dataset) -> None:
    daily = nc.simulate(
        weather.isel(time=slice(0, 200)), crop="maize", frequency="daily",
        management={"nitrogen": 50.0, "sowing": 120}, variables=["soil_temperature"])
    spread = daily["soil_temperature"].std("time")
    assert (spread.diff("heat_layer") < 0.0).all()  # the wave is damped on its way down


@pytest.mark.slow
def test_spin_up_settles_and_is_where_the_run_begins(weather: xr.Dataset) -> None:
    given = {"crop": "maize", "management": {"nitrogen": 80.0, "sowing": 120},
             "variables": ["yield", "fast_carbon", "slow_carbon"]}
    spun = nc.simulate(weather, spin_up=2, **given)
    plain = nc.simulate(weather, **given)
    found, given_soil = (run["fast_carbon"].isel(season=0) for run in (spun, plain))
    assert np.isfinite(found).all()
    assert not np.allclose(found, given_soil, rtol=0.02)
    with pytest.raises(ValueError, match="spin-up over 3 years"):
        nc.simulate(weather, spin_up=3, **given)


def test_pedotransfer_functions_can_be_chosen(weather: xr.Dataset) -> None:
    soil = {"sand": 0.3, "clay": 0.4, "organic_carbon": 1.5, "soil_depth": 1.5, "ph": 6.5}
    held = [prepare_run(weather, crop="maize", management={"sowing": 120},
                        soil=soil | {"pedotransfer": name}).site.field_capacity[0, 0]
            for name in ("published", "lpjml")]
    assert held[1] > held[0] + 0.02  # the squared coefficient holds more
    with pytest.raises(ValueError, match="published or lpjml"):
        prepare_run(weather, crop="maize", soil=soil | {"pedotransfer": "rawls"})
