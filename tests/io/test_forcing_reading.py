"""Names, units, calendars, coordinates and shapes of weather that can be read."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from io_weather import grid, weather, with_values

from neuralcrop.core.variables import FORCING_NAMES, REGISTRY
from neuralcrop.data.forcing import PREPARED, open_forcing, prepare_forcing
from neuralcrop.data.tensors import cell_index, iter_forcing, to_forcing
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import radiation


def converted(name: str, units: str, factor: float, offset: float = 0.0) -> xr.Dataset:
    dataset = weather(60)
    out = with_values(dataset, name, dataset[name].values.astype(float) * factor + offset)
    out[name].attrs["units"] = units
    return out


@pytest.mark.parametrize(("name", "units", "factor", "offset"), [
    ("tasmin", "K", 1, 273.15), ("tasmin", "Kelvin", 1, 273.15), ("tasmin", "Celsius", 1, 0),
    ("tasmin", "degrees_Celsius", 1, 0), ("tasmin", "degF", 1.8, 32.0),
    ("pr", "kg m-2 s-1", 1 / 86400, 0), ("pr", "mm day-1", 1, 0), ("pr", "mm/day", 1, 0),
    ("pr", "mm", 1, 0), ("pr", "kg m-2 d-1", 1, 0), ("pr", "cm/day", 0.1, 0),
    ("pr", "m s-1", 1 / 86400e3, 0),
    ("rsds", "MJ m-2 d-1", 0.0864, 0), ("rsds", "MJ/m^2/day", 0.0864, 0),
    ("rsds", "J m-2 d-1", 86400, 0), ("rsds", "J m-2", 86400, 0), ("rsds", "W m**-2", 1, 0),
    ("hurs", "1", 0.01, 0), ("hurs", "percent", 1, 0), ("hurs", "", 0.01, 0),
    ("sfcwind", "km d-1", 86.4, 0), ("sfcwind", "km/h", 3.6, 0),
])
def test_units(name: str, units: str, factor: float, offset: float) -> None:
    out = prepare_forcing(converted(name, units, factor, offset))
    expected = prepare_forcing(weather(60))
    ours = "vap" if name == "hurs" else name
    np.testing.assert_allclose(out[ours], expected[ours], rtol=2e-5, atol=2e-4)
    assert out[ours].attrs["units"] == REGISTRY[ours].units


@pytest.mark.parametrize(("units", "factor"), [("Pa", 1000), ("hPa", 10), ("kPa", 1)])
def test_pressure_units(units: str, factor: float) -> None:
    dataset = weather(20).drop_vars("hurs")
    dataset["vap"] = dataset.tasmin * 0 + 1.2 * factor
    dataset["vap"].attrs["units"] = units
    dataset["ps"] = ((), 98.0 * factor, {"units": units})
    out = prepare_forcing(dataset)
    np.testing.assert_allclose(out.vap, 1.2, rtol=1e-6)
    np.testing.assert_allclose(out.ps, 98.0, rtol=1e-6)
    assert out.ps.dims == ("time", "site")


def test_aliases_and_case() -> None:
    dataset = weather(20).rename(
        tasmin="TMIN", tasmax="Tx", rsds="srad", pr="Rainfall", hurs="RH2M", sfcwind="WS10M",
        lat="Latitude", lon="LONGITUDE")
    xr.testing.assert_allclose(prepare_forcing(dataset).drop_vars("time"),
                               prepare_forcing(weather(20)).drop_vars("time"))


def test_standard_names() -> None:
    dataset = weather(20)
    names = {"tasmin": "air_temperature", "tasmax": "air_temperature", "pr": "precipitation_flux",
             "rsds": "surface_downwelling_shortwave_flux_in_air"}
    for k, (name, standard) in enumerate(names.items()):
        dataset[name].attrs["standard_name"] = standard
        dataset = dataset.rename({name: f"v{k}"})
    dataset["v0"].attrs["cell_methods"] = "time: minimum"
    dataset["v1"].attrs["cell_methods"] = "time: maximum within days"
    np.testing.assert_allclose(prepare_forcing(dataset).tasmax, weather(20).tasmax)


def test_canonical_form() -> None:
    out = prepare_forcing(weather(40).transpose("site", "time"))
    assert tuple(out.data_vars) == FORCING_NAMES
    assert out.tasmin.dims == ("time", "site")
    for name in FORCING_NAMES:
        assert out[name].attrs["units"] == REGISTRY[name].units
        assert float(out[name].min()) >= REGISTRY[name].lower
    assert PREPARED in out.attrs
    assert {"lat", "lon", "elevation"} <= set(out.coords)


def test_idempotent() -> None:
    once = prepare_forcing(weather(40))
    xr.testing.assert_identical(prepare_forcing(once), once)
    changed = prepare_forcing(once, co2=500.0)
    assert float(changed.co2[0]) == 500.0
    xr.testing.assert_identical(changed.drop_vars("co2"), once.drop_vars("co2"))
    assert prepare_forcing(once, time=slice("2001-01-05", "2001-01-09")).sizes["time"] == 5


def test_single_field() -> None:
    dataset = weather(30).isel(site=0, drop=False)
    out = prepare_forcing(dataset)
    assert out.tasmin.dims == ("time",)
    forcing, cells = to_forcing(out)
    assert forcing.values.shape == (30, 10, 1)
    back = cells.unstack(forcing.values[:, 0], ("time",))
    assert back.dims == ("time",)
    np.testing.assert_allclose(back, out.tasmin)


def test_idle_dimensions_are_dropped() -> None:
    out = prepare_forcing(weather(30).expand_dims(member=[1]))
    assert out.tasmin.dims == ("time", "site")


@pytest.mark.parametrize("flip", [False, True])
@pytest.mark.parametrize("convention", ["180", "360"])
def test_grid_orientation(flip: bool, convention: str) -> None:
    dataset = grid().assign_coords(lon=[-4.0, -2.0, 0.0, 2.0])
    if convention == "360":
        dataset = dataset.assign_coords(lon=dataset.lon % 360)
    if flip:
        dataset = dataset.isel(lat=slice(None, None, -1))
    out = prepare_forcing(dataset)
    np.testing.assert_array_equal(out.lat, dataset.lat)  # the user's own coordinates
    np.testing.assert_array_equal(out.lon, dataset.lon)
    forcing, cells = to_forcing(out)
    assert cells.n_cells == 11
    assert cells.lon.min() == -4.0
    back = cells.unstack(forcing.values[:, 1], ("time",))
    np.testing.assert_array_equal(back, out.tasmax)
    assert int(back.isel(time=0).isnull().sum()) == 1


@pytest.mark.parametrize(("calendar", "n_days", "last"), [
    ("standard", 366, 366), ("noleap", 365, 365), ("360_day", 360, 360)])
def test_calendars(calendar: str, n_days: int, last: int) -> None:
    dataset = weather(n_days, start="2004-01-01", calendar=calendar)
    forcing, _ = to_forcing(prepare_forcing(dataset))
    assert forcing.day_of_year[-1] == last
    assert set(forcing.year.tolist()) == {2004}
    expected = last * 365 / 360 if calendar == "360_day" else last
    assert forcing.solar_day[-1] == pytest.approx(expected)


@pytest.mark.parametrize("shift", [np.timedelta64(12, "h"), np.timedelta64(23, "h"),
                                   np.timedelta64(-7, "us"), np.timedelta64(50, "ms")])
def test_time_of_day(shift: np.timedelta64) -> None:
    dataset = weather(20)
    out = prepare_forcing(dataset.assign_coords(time=dataset.time + shift))
    np.testing.assert_array_equal(out.time, dataset.time)


def test_other_name_of_time() -> None:
    dataset = weather(20).rename(time="day_of_record")
    assert prepare_forcing(dataset).sizes["time"] == 20


def test_wind_at_two_metres() -> None:
    dataset = weather(20)
    plain = prepare_forcing(dataset).sfcwind
    dataset["sfcwind"].attrs["long_name"] = "wind speed at 2 m"
    ratio = prepare_forcing(dataset).sfcwind / plain
    np.testing.assert_allclose(ratio, 1 / 0.747951, rtol=1e-5)
    np.testing.assert_allclose(prepare_forcing(dataset, wind_height=10.0).sfcwind, plain)
    del dataset["sfcwind"].attrs["long_name"]
    np.testing.assert_allclose(
        prepare_forcing(dataset, wind_height=2.0).sfcwind / plain, 1 / 0.747951, rtol=1e-5)


def test_derived_longwave_gives_fao_net_longwave() -> None:
    out = prepare_forcing(weather(60)).isel(site=0)
    t = {n: torch.from_numpy(out[n].values.astype(float)) for n in FORCING_NAMES}
    phi = torch.tensor(np.deg2rad(45.0))
    day = torch.arange(1.0, 61.0, dtype=torch.float64)
    top = radiation.solar_geometry(torch.sin(phi), torch.cos(phi), day).extraterrestrial
    clear = radiation.clear_sky_radiation(top, 100.0)
    fao = radiation.net_longwave_fao56(t["tasmin"], t["tasmax"], t["vap"], t["rsds"] * 0.0864,
                                       clear)
    ours = radiation.net_longwave(t["tas"], t["rlds"] * 0.0864)
    torch.testing.assert_close(ours, fao, rtol=1e-4, atol=1e-3)


def test_derivations_and_their_notes(caplog: pytest.LogCaptureFixture) -> None:
    bare = weather(40).drop_vars(["hurs", "sfcwind", "elevation"])
    with caplog.at_level("INFO", logger="neuralcrop.data"):
        out = prepare_forcing(bare)
    warned = [r.message for r in caplog.records if r.levelname == "WARNING"]
    assert any("tasmin taken as the dew point" in w for w in warned)
    assert any("2 m s-1 at 2 m" in w for w in warned)
    assert "no elevation" in out.attrs["neuralcrop_notes"]
    saturation = et.saturation_vapour_pressure(torch.from_numpy(bare.tasmin.values)).numpy()
    np.testing.assert_allclose(out.vap, saturation, rtol=1e-5)
    np.testing.assert_allclose(out.ps, 101.3, rtol=1e-6)
    np.testing.assert_allclose(out.tas, (bare.tasmin + bare.tasmax) / 2, rtol=1e-5, atol=1e-5)


def test_specific_humidity() -> None:
    dataset = weather(20).drop_vars("hurs")
    dataset["huss"] = dataset.tasmin * 0 + 0.008
    dataset["huss"].attrs["units"] = "kg kg-1"
    dataset["ps"] = ((), 100.0, {"units": "kPa"})
    np.testing.assert_allclose(prepare_forcing(dataset).vap, 1.279951, rtol=1e-5)


def test_dew_point() -> None:
    dataset = weather(20).drop_vars("hurs")
    dataset["dewpoint"] = dataset.tasmin * 0 + 273.15 + 10.0
    dataset["dewpoint"].attrs["units"] = "K"
    np.testing.assert_allclose(prepare_forcing(dataset).vap, 1.22796, rtol=1e-3)


def test_noise_below_zero_is_removed() -> None:
    dataset = weather(40)
    values = dataset.pr.values.copy()
    values[0] = -1e-6
    assert float(prepare_forcing(with_values(dataset, "pr", values)).pr.min()) == 0.0


def test_co2(tmp_path) -> None:
    dataset = weather(731, start="2000-01-01")
    built_in = prepare_forcing(dataset).co2
    assert float(built_in[0]) == pytest.approx(368.96)
    assert float(built_in[-1]) == pytest.approx(370.57)
    assert float(prepare_forcing(dataset, co2=412).co2[5]) == 412.0
    series = xr.DataArray([400.0, 402.0], dims="year", coords={"year": [2000, 2001]})
    assert float(prepare_forcing(dataset, co2=series).co2[-1]) == 402.0
    assert float(prepare_forcing(dataset, co2=series.to_series()).co2[0]) == 400.0
    path = tmp_path / "co2.csv"
    path.write_text("# ppm\nyear,low,high\n2000,390,500\n2001,391,501\n")
    assert float(prepare_forcing(dataset, co2=f"{path}:high").co2[-1]) == 501.0
    with pytest.raises(ValueError, match="several columns: low, high"):
        prepare_forcing(dataset, co2=path)
    dataset["co2"] = ("time", np.full(731, 4.2e-4), {"units": "mol mol-1"})
    assert float(prepare_forcing(dataset).co2[3]) == pytest.approx(420.0)


def test_files(tmp_path) -> None:
    dataset = weather(730)
    expected = prepare_forcing(dataset)
    first, second = dataset.sel(time="2001"), dataset.sel(time="2002")
    second.to_netcdf(tmp_path / "b_2001.nc")
    first.to_netcdf(tmp_path / "c_2002.nc")
    xr.testing.assert_allclose(open_forcing(tmp_path / "*.nc"), expected)  # any order of names
    dataset[["tasmin", "tasmax"]].to_netcdf(tmp_path / "temperature.nc")
    dataset.drop_vars(["tasmin", "tasmax"]).to_netcdf(tmp_path / "other.nc")
    xr.testing.assert_allclose(
        open_forcing([tmp_path / "temperature.nc", tmp_path / "other.nc"]), expected)
    dataset.to_zarr(tmp_path / "store.zarr")
    xr.testing.assert_allclose(open_forcing(tmp_path / "store.zarr"), expected)
    with pytest.raises(ValueError, match="do not fit together"):
        open_forcing([tmp_path / "temperature.nc", tmp_path / "c_2002.nc"])


def test_lazy_equals_eager(tmp_path) -> None:
    dataset = grid(200)
    values = dataset.tasmin.values.copy()
    values[98:101, 0, 0] = np.nan
    rain = dataset.pr.values.copy()
    rain[50:52, 2, 2] = np.nan
    dataset = with_values(with_values(dataset, "tasmin", values), "pr", rain)
    dataset.to_netcdf(tmp_path / "grid.nc")
    eager = open_forcing(tmp_path / "grid.nc")
    lazy = open_forcing(tmp_path / "grid.nc", chunks={"time": 50})
    assert lazy.tasmin.chunks is not None
    cells = cell_index(lazy)
    whole, _ = to_forcing(eager)
    start = 0
    for part in iter_forcing(lazy, cells, 33):
        assert part.first_day == start
        expected = whole.days(start, start + part.n_days)
        torch.testing.assert_close(part.values, expected.values, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(part.day_of_year, expected.day_of_year)
        start += part.n_days
    assert start == 200


def test_lazy_data_are_checked_as_they_are_read() -> None:
    dataset = grid(100)
    values = dataset.tasmin.values.copy()
    values[60:90, 0, 1] = np.nan
    values[70, 0, 0] = 300.0
    dataset = with_values(dataset, "tasmin", values).chunk(time=25)
    out = prepare_forcing(dataset, lazy=True)
    parts = iter_forcing(out, cell_index(out), 25)
    next(parts)
    next(parts)
    with pytest.raises(ValueError, match=r"tasmin, cell lat 50 lon [02], 2001-03-") as error:
        next(parts)
    assert "out of range" in str(error.value)
    assert "missing" in str(error.value)


def test_unstack_checks_shape() -> None:
    _, cells = to_forcing(prepare_forcing(weather(20)))
    with pytest.raises(ValueError, match="cannot be unstacked"):
        cells.unstack(np.zeros((3, 5)), ("time",))
    out = cells.unstack(np.arange(2), name="x", attrs={"units": "1"})
    assert out.dtype.kind == "i"
    assert out.attrs["units"] == "1"
