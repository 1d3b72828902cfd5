"""The demonstration world: reproducible, plausible, and read like any other data."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from neuralcrop.data import files
from neuralcrop.data.demo import (
    make_demo_forcing,
    make_demo_soil,
    suitable_cells,
    write_demo,
    write_demo_soil,
)
from neuralcrop.data.demo_climate import Climate, demo_grid, land_mask
from neuralcrop.data.forcing import open_forcing
from neuralcrop.data.randomness import normal, uniform
from neuralcrop.data.soil import prepare_soil
from neuralcrop.data.tensors import cell_index


@pytest.fixture(scope="module")
def cells() -> np.ndarray:
    return suitable_cells(40)


@pytest.fixture(scope="module")
def sample(cells) -> xr.Dataset:
    return make_demo_forcing(range(2000, 2012), cells)


def test_random_numbers_are_uniform_normal_and_keyed() -> None:
    u = uniform(1, 2, np.arange(40000))
    assert u.min() > 0.0
    assert u.max() < 1.0
    assert u.mean() == pytest.approx(0.5, abs=0.01)
    assert abs(np.corrcoef(u[1:], u[:-1])[0, 1]) < 0.02
    z = normal(1, 2, np.arange(40000))
    assert z.mean() == pytest.approx(0.0, abs=0.02)
    assert z.std() == pytest.approx(1.0, abs=0.02)
    assert uniform(1, 2, 5) == u[5]
    assert uniform(2, 1, 5) != u[5]


def test_land_mask() -> None:
    mask = land_mask()
    assert mask.shape == (90, 180)
    assert 3500 < mask.sum() < 3800
    grid = demo_grid()

    def is_land(lat: float, lon: float) -> bool:
        return bool(np.any((np.abs(grid.lat - lat) <= 1) & (np.abs(grid.lon - lon) <= 1)))

    for lat, lon in ((41, -93), (49, 3), (-15, -55), (29, 77), (-25, 135), (9, 9)):
        assert is_land(lat, lon)
    for lat, lon in ((0, -30), (30, -150), (75, -40), (-80, 20), (40, 5)):
        assert not is_land(lat, lon)


def test_climate_resembles_the_earth() -> None:
    grid = demo_grid()
    climate = Climate(grid)
    january, july = climate.normals(15.0), climate.normals(196.0)

    def at(lat: float, lon: float) -> int:
        return int(np.argmin((grid.lat - lat) ** 2 + (grid.lon - lon) ** 2))

    siberia, congo, sahara, bengal = at(63, 129), at(-1, 23), at(23, 13), at(23, 89)
    assert january.temperature[siberia] < -20.0 < 8.0 < july.temperature[siberia]
    assert abs(january.temperature[congo] - july.temperature[congo]) < 4.0
    assert max(january.rain[sahara], july.rain[sahara]) < 1.0
    assert july.rain[bengal] > 5.0 * january.rain[bengal]
    pampas = at(-35, -61)
    assert january.temperature[pampas] > july.temperature[pampas] + 8.0


def test_any_choice_of_cells_and_years_gives_the_same_weather(cells, sample) -> None:
    part = make_demo_forcing([2005, 2006], cells[7:12])
    xr.testing.assert_identical(
        part.drop_attrs(), sample.sel(time=slice("2005", "2006")).isel(
            cell=slice(7, 12)).drop_attrs())
    other = make_demo_forcing([2005], cells[7:12], seed=1)
    assert not np.array_equal(other.tasmin, part.tasmin.sel(time="2005"))
    soil = make_demo_soil(cells)
    xr.testing.assert_identical(make_demo_soil(cells[3:5]).drop_attrs(),
                                soil.isel(cell=slice(3, 5)).drop_attrs())


def test_weather_is_plausible(sample) -> None:
    mean = (sample.tasmin + sample.tasmax) / 2 - 273.15
    wet = sample.pr > 0.0
    assert 0.1 < float(wet.mean()) < 0.6
    assert float(sample.rsds.where(wet).mean()) < 0.85 * float(sample.rsds.where(~wet).mean())
    after_wet = float(wet.isel(time=slice(1, None)).where(
        wet.isel(time=slice(0, -1)).values).mean())
    assert after_wet > float(wet.mean()) + 0.1
    by_day = mean.isel(cell=0).groupby("time.dayofyear")
    flat = (by_day - by_day.mean()).values
    assert 0.45 < np.corrcoef(flat[1:], flat[:-1])[0, 1] < 0.9
    summers = mean.sel(time=mean.time.dt.month.isin([6, 7, 8])).groupby("time.year").mean()
    assert 0.5 < float(summers.std("year").mean()) < 2.5
    rain = sample.pr.groupby("time.year").mean()
    assert 0.12 < float((rain.std("year") / rain.mean("year")).mean()) < 0.6
    assert float((sample.tasmax - sample.tasmin).min()) > 0.5


def test_years_are_correlated_in_space(sample) -> None:
    summers = sample.tasmax.groupby("time.year").mean().values
    lat, lon = sample.lat.values, sample.lon.values
    distance = np.hypot(lat[:, None] - lat, (lon[:, None] - lon) * np.cos(np.deg2rad(lat)))
    correlation = np.corrcoef(summers.T)
    near = (distance > 0) & (distance < 8)
    assert correlation[near].mean() > 0.35
    assert abs(correlation[distance > 60].mean()) < 0.3


def test_read_through_the_door(tmp_path, cells) -> None:
    path = write_demo(tmp_path / "new" / "weather.nc", [2001, 2002], cells)
    assert not list(path.parent.glob("*.part"))
    prepared = open_forcing(path)
    assert prepared.sizes == {"time": 730, "cell": 40}
    soil = xr.open_dataset(write_demo_soil(tmp_path / "soil.nc", cells))
    site = prepare_soil(soil, cell_index(prepared))
    assert float(site.soil_depth.min()) >= 0.4
    stored = make_demo_forcing([2001, 2002], cells)
    np.testing.assert_allclose(prepared.tasmin, stored.tasmin - 273.15, atol=0.006)
    for name in ("title", "source", "comment"):
        assert "ynthetic" in prepared.attrs[name] or name == "comment"


def test_all_land_as_a_grid() -> None:
    year = make_demo_forcing([2003])
    assert year.tasmin.dims == ("time", "lat", "lon")
    cells = cell_index(open_forcing(year))
    assert cells.n_cells == demo_grid().n_cells
    some = suitable_cells(25)
    few = make_demo_forcing([2003], some)
    grid = demo_grid()
    row = xr.DataArray(grid.row[some] - grid.row.min(), dims="cell")
    column = xr.DataArray(grid.column[some], dims="cell")
    np.testing.assert_array_equal(year.tasmin.isel(lat=row, lon=column), few.tasmin)


def test_smaller_choices_of_cells_are_part_of_larger_ones() -> None:
    assert set(suitable_cells(20)) < set(suitable_cells(50)) < set(suitable_cells())
    north = suitable_cells(min_lat=20.0)
    assert demo_grid().lat[north].min() > 20.0


def test_years_must_follow_each_other() -> None:
    with pytest.raises(ValueError, match="consecutive"):
        make_demo_forcing([2001, 2003], suitable_cells(2))


def test_an_interrupted_write_leaves_nothing(tmp_path, monkeypatch) -> None:
    def fail(*args: object, **options: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises(OSError, match="disk full"):
        write_demo_soil(tmp_path / "soil.nc", suitable_cells(2))
    assert list(tmp_path.iterdir()) == []
