"""Real files beside the repository, as they are. Skipped where there are none.

Each has a twin on generated data in the other files of this folder.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from neuralcrop.core.variables import REGISTRY
from neuralcrop.data.check import check_file
from neuralcrop.data.co2 import co2_for_years
from neuralcrop.data.forcing import open_forcing
from neuralcrop.data.samples import training_tensors
from neuralcrop.data.tensors import to_forcing
from neuralcrop.data.yields import open_yields

pytestmark = pytest.mark.golden


def test_nasa_power_points(shared: Path) -> None:
    prepared = open_forcing(shared / "data/nasa_power_points.nc")
    forcing, cells = to_forcing(prepared)
    assert forcing.values.shape == (14610, 10, 28)
    assert not torch.isnan(forcing.values).any()
    notes = prepared.attrs["neuralcrop_notes"]
    assert "wind at 2 m (sfcwind) converted to 10 m" in notes
    assert "76 missing values filled" in notes
    assert cells.elevation.max() > 1000.0
    for row, name in enumerate(prepared.data_vars):
        assert forcing.values[:, row].min() >= REGISTRY[name].lower
        assert forcing.values[:, row].max() <= REGISTRY[name].upper


def test_era5_cities(shared: Path) -> None:
    path = shared / "data/era5_5cities_1990_1993.nc"
    prepared = open_forcing(path)
    raw = xr.open_dataset(path)
    np.testing.assert_allclose(prepared.tas.transpose("location", "time"), raw.tas - 273.15,
                               atol=1e-4)
    rain = np.maximum(raw.pr * 86400.0, 0.0)
    np.testing.assert_allclose(prepared.pr.transpose("location", "time"), rain, atol=1e-4)
    # the fraction with empty units agrees with the specific humidity of the same file
    by_hurs = open_forcing(raw.drop_vars(["huss", "tdps"]))
    np.testing.assert_allclose(by_hurs.vap.mean(), prepared.vap.mean(), rtol=0.02)
    assert float(prepared.rlds.min()) > 100.0


def test_france_grid(shared: Path) -> None:
    path = shared / "data/grids/france_west_1deg_daily.nc"
    with pytest.raises(ValueError, match=r"variable pr, cell lat 43.5 lon -0.5: no values for"):
        open_forcing(path)
    prepared = open_forcing(path, time=slice("1997", "2008"))
    forcing, cells = to_forcing(prepared)
    assert cells.n_cells == 19
    assert not torch.isnan(forcing.values).any()


def test_europe_grid_has_no_rain(shared: Path) -> None:
    (problem,) = check_file(shared / "data/grids/europe_1deg_daily.nc")
    assert "variable pr: missing" in str(problem)


def test_south_asia_grid(shared: Path) -> None:
    prepared = open_forcing(shared / "data/grids/south_asia_1deg_daily.nc",
                            names={"rsds": "rsds_estimated"})
    assert to_forcing(prepared)[1].n_cells == 136


def test_us_soybean(shared: Path) -> None:
    data = open_yields(shared / "data/us_soybean_counties.nc", "soybean")
    tensors = training_tensors(data)
    assert tensors.forcing.values.shape == (365, 10, 3293)
    assert not torch.isnan(tensors.forcing.values).any()
    assert float(tensors.observed.mean()) == pytest.approx(2.403, abs=0.01)
    assert 120 < int(tensors.sowing.min()) < int(tensors.sowing.max()) < 175
    assert not torch.isnan(tensors.covariates.values).any()
    raw = xr.open_dataset(shared / "data/us_soybean_counties.nc")
    sample = tensors.table.iloc[1000]
    week = raw.pr.isel(county=int(sample.site)).sel(year=int(sample.year))
    days = tensors.forcing.values[:357, 5, 1000].reshape(51, 7).mean(dim=1)
    np.testing.assert_allclose(days, week[:51], rtol=1e-4, atol=1e-4)
    assert check_file(shared / "data/us_soybean_counties.nc") == []


def test_us_maize(shared: Path) -> None:
    tensors = training_tensors(open_yields(shared / "data/us_maize_counties.nc", "maize"))
    assert tensors.observed.shape == (407,)
    assert 80 < int(tensors.sowing.min()) < int(tensors.sowing.max()) < 160  # by rule


def test_built_in_co2_against_the_reference_series(shared: Path) -> None:
    years = np.arange(1850, 2015)
    ours = co2_for_years(years)
    theirs = co2_for_years(years, f"{shared / 'data/co2_annual.csv'}:ssp245")
    assert np.abs(ours - theirs).max() < 1.5
    assert co2_for_years(np.array([2100]), f"{shared / 'data/co2_annual.csv'}:ssp585")[0] > 1000.0
