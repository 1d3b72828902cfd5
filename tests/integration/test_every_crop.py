"""Every crop of the catalogue through a season, on made-up and on real weather."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import neuralcrop as nc
from neuralcrop.crops import crop_names, load_catalogue
from neuralcrop.data.demo import make_demo_forcing, suitable_cells
from neuralcrop.simulation.prepare import Compute, prepare_run
from tests.script_modules import load_script

EAGER = Compute(compile=False)

TROPICAL = {"cassava", "sugarcane", "rice", "millet", "groundnut", "cotton", "sorghum"}


@pytest.mark.slow
def test_a_season_on_made_up_weather() -> None:
    crops = list(crop_names())
    cool = suitable_cells(1, min_lat=45.0, max_lat=55.0)[0]
    warm = suitable_cells(1, min_lat=-15.0, max_lat=15.0)[0]
    weather = make_demo_forcing([2001, 2002], np.array(sorted({cool, warm})))
    dim = next(d for d in weather["tasmax"].dims if d != "time")
    at = {c: k for k, c in enumerate(sorted({cool, warm}))}
    index = [at[warm if crop in TROPICAL else cool] for crop in crops]
    cells = weather.isel({dim: index}).assign_coords({dim: np.arange(len(crops))})
    seasons = nc.simulate(cells, crop=crops, management={"irrigation": "full"}, compute=EAGER)
    longest = {c: p["maximum_season"].value[0] for c, p in load_catalogue().items()}
    for k, crop in enumerate(crops):
        one = seasons.isel({dim: k})
        done = one["harvyear"].notnull()
        assert bool(done.any()), f"{crop}: no harvest in two years"
        assert bool(np.isfinite(one["yield"].where(done, drop=True)).all()), crop
        assert 0.2 < float(one["yield"].max()) < 60.0, crop
        assert float(one["biom"].max()) > float(one["yield"].max()), crop
        assert 50.0 < float(one["harvday"].max()) <= longest[crop] + 1.0, crop
        assert float(abs(one["water_residual"]).max()) <= 1e-6, crop
        assert float(abs(one["carbon_residual"]).max()) <= 1e-6, crop


def test_crops_may_go_by_other_names() -> None:
    weather = make_demo_forcing([2001], suitable_cells(2, min_lat=35.0))
    run = prepare_run(weather, crop=["wheat", "peanut"], compute=EAGER)
    crops = [run.model.table.crops[k] for k in run.management.crop.tolist()]
    assert crops == ["winter_wheat", "groundnut"]
    one = prepare_run(weather, crop="canola", compute=EAGER)
    assert [one.model.table.crops[k] for k in one.management.crop.unique()] == ["rapeseed"]


@pytest.mark.slow
def test_seasons_and_yields_are_plausible_on_real_weather(
    repository: Path, shared: Path
) -> None:
    check = load_script(repository, "crop_check")
    assert set(check.CROPS) == set(crop_names())
    weather, cells = check.weather_of(shared / "data/nasa_power_points.nc", (2011, 2016))
    dry, wet = (
        nc.simulate(weather, crop=[crop for crop, _ in cells],
                    management={"irrigation": irrigation}, compute=EAGER)
        for irrigation in ("none", "full"))
    rows, wrong = check.rows_of(cells, dry, wet)
    assert len(rows) == len(cells)
    assert wrong == []
    # where both ripen, water does no harm
    ripe = (dry["harvest_reason"] == 1) & (wet["harvest_reason"] == 1)
    assert isinstance(ripe, xr.DataArray)
    assert float((dry["yield"] - wet["yield"]).where(ripe).max()) < 0.15
