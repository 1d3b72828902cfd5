"""Daily E0, ES0 and ET0 of forcing datasets of any shape."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr
from io_weather import grid, weather

from neuralcrop.core.variables import FORCING_NAMES, REFERENCE_NAMES, REGISTRY
from neuralcrop.data.errors import InputError
from neuralcrop.data.forcing import open_forcing, prepare_forcing
from neuralcrop.data.reference_evapotranspiration import reference_evapotranspiration
from neuralcrop.physics import reference_evapotranspiration as ref
from neuralcrop.physics.evapotranspiration import WIND_10M_TO_2M

DAY = np.timedelta64(24, "h")


def test_points_are_those_of_the_kernel() -> None:
    forcing = prepare_forcing(weather(400))
    out = reference_evapotranspiration(forcing)
    assert tuple(out.data_vars) == REFERENCE_NAMES
    day = torch.tensor(forcing.time.dt.dayofyear.values, dtype=torch.float32)[:, None]
    named = {n: torch.from_numpy(forcing[n].values.copy()) for n in FORCING_NAMES if n != "co2"}
    expected = ref.reference_evapotranspiration(
        named["tasmin"], named["tasmax"], named["vap"], WIND_10M_TO_2M * named["sfcwind"],
        named["rsds"], torch.tensor([45.0, 10.0]), torch.tensor([100.0, 100.0]), day)
    for name in REFERENCE_NAMES:
        assert out[name].dims == forcing.tasmin.dims
        assert out[name].dtype == forcing.tasmin.dtype
        assert out[name].attrs["units"] == REGISTRY[name].units == "mm d-1"
        np.testing.assert_allclose(out[name], getattr(expected, name), rtol=1e-5)
        assert float(out[name].max()) < REGISTRY[name].upper
    assert bool((out.e0 >= out.es0).all())
    xr.testing.assert_equal(out.e0.lat, forcing.tasmin.lat)


def test_a_field() -> None:
    points = weather(30)
    one = prepare_forcing(points.isel(site=0))
    out = reference_evapotranspiration(one)
    assert out.e0.dims == ("time",)
    expected = reference_evapotranspiration(prepare_forcing(points)).isel(site=0)
    for name in REFERENCE_NAMES:
        np.testing.assert_allclose(out[name], expected[name], rtol=1e-6)


def test_a_grid_keeps_its_sea() -> None:
    forcing = prepare_forcing(grid())
    out = reference_evapotranspiration(forcing)
    for name in REFERENCE_NAMES:
        assert out[name].dims == ("time", "lat", "lon")
        np.testing.assert_array_equal(out[name].isnull(), forcing.tasmin.isnull())
    by_place = reference_evapotranspiration(
        forcing, angstrom=(xr.DataArray([0.18, 0.25, 0.29], coords={"lat": forcing.lat}), 0.5))
    assert not np.allclose(by_place.e0.isel(lat=1), out.e0.isel(lat=1), equal_nan=True)


def test_lazy_input_stays_lazy() -> None:
    forcing = prepare_forcing(grid())
    lazy = reference_evapotranspiration(forcing.chunk(time=7))
    eager = reference_evapotranspiration(forcing)
    for name in REFERENCE_NAMES:
        assert lazy[name].chunks is not None
        assert eager[name].chunks is None
        np.testing.assert_allclose(lazy[name], eager[name], rtol=1e-6)


def test_other_calendars() -> None:
    out = reference_evapotranspiration(prepare_forcing(weather(720, calendar="360_day")))
    assert out.sizes["time"] == 720
    assert bool(out.et0.notnull().all())


@pytest.mark.parametrize(("label", "units", "factor"), [
    ("et0", "mm d-1", 1.0), ("ET0", "cm d-1", 0.1), ("et0", "kg m-2 s-1", 1 / 86400)])
def test_own_rates_are_kept(label: str, units: str, factor: float) -> None:
    dataset = weather(40)
    values = np.full((40, 2), 2.5 * factor)
    values[3, 1] = np.nan
    dataset[label] = (("time", "site"), values, {"units": units})
    forcing = prepare_forcing(weather(40))
    # days in the middle of the day, and in another order of dimensions
    noon = dataset.time + DAY / 2
    own = dataset.transpose("site", "time").assign_coords(time=noon)
    out = reference_evapotranspiration(forcing, own)
    computed = reference_evapotranspiration(forcing)
    assert out.et0.attrs["source"] == "given"
    assert out.et0.dims == ("time", "site")
    assert float(out.et0[3, 1]) == float(computed.et0[3, 1])
    np.testing.assert_allclose(out.et0[4:], 2.5, rtol=1e-6)
    xr.testing.assert_identical(out.e0, computed.e0)
    assert "et0: the dataset's own" in out.attrs["neuralcrop_notes"]
    with_own = forcing.assign(et0=out.et0)
    xr.testing.assert_equal(reference_evapotranspiration(with_own).et0, out.et0)


def test_own_rates_of_some_days() -> None:
    forcing = prepare_forcing(weather(40))
    own = (weather(40)[["pr"]].rename(pr="e0") * 0 + 1.0).isel(time=slice(10, 20))
    own.e0.attrs["units"] = "mm d-1"
    out = reference_evapotranspiration(forcing, own)
    covered = np.isin(np.arange(40), range(10, 20))
    np.testing.assert_array_equal((out.e0 == 1.0).all("site"), covered)


def test_own_rates_that_cannot_be_used() -> None:
    forcing = prepare_forcing(weather(40))
    own = weather(40)[["pr"]].rename(pr="et0")
    with pytest.raises(InputError, match="variable et0: no units attribute"):
        reference_evapotranspiration(forcing, own.drop_attrs())
    with pytest.raises(InputError, match="cannot be converted"):
        reference_evapotranspiration(forcing, own.assign(et0=own.et0.assign_attrs(units="K")))
    with pytest.raises(InputError, match="dimensions"):
        reference_evapotranspiration(forcing, own.isel(site=0))
    longer = weather(40, lat=(45.0, 10.0, 5.0))[["pr"]].rename(pr="et0")
    with pytest.raises(InputError, match="sizes"):
        reference_evapotranspiration(forcing, longer)
    with pytest.raises(InputError, match="time: nothing in common"):
        reference_evapotranspiration(forcing, own.assign_coords(time=own.time + 50 * DAY))
    with pytest.raises(InputError, match="without dates"):
        reference_evapotranspiration(forcing, own.drop_vars("time").rename(time="day"))


@pytest.mark.golden
def test_nasa_power_points(shared: Path) -> None:
    """The et0 in the file is by Penman-Monteith, assumptions unknown: 98.8 % within 0.2 mm."""
    raw = xr.open_dataset(shared / "data/nasa_power_points.nc").isel(time=slice(0, 3653))
    forcing = open_forcing(raw)
    out = reference_evapotranspiration(forcing).load()
    theirs = raw.et0.transpose("time", "point").values
    error = out.et0.values - theirs
    assert abs(np.nanmean(error)) < 0.03
    within = np.abs(error[~np.isnan(error)]) <= 0.2
    assert within.mean() > 0.98
    assert np.corrcoef(out.et0.values[~np.isnan(error)], theirs[~np.isnan(error)])[0, 1] > 0.98
    assert 0.8 < float(out.es0.mean() / out.et0.mean()) < 1.3
    kept = reference_evapotranspiration(forcing, raw)
    np.testing.assert_allclose(kept.et0.values, np.where(np.isnan(theirs), out.et0.values, theirs))
    assert not bool(kept.et0.isnull().any())
