"""Every fault of a weather file is one clear message, and all faults are reported at once."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from io_weather import grid, weather, with_values

from neuralcrop.data.errors import InputError
from neuralcrop.data.forcing import open_forcing, prepare_forcing


def message(dataset: xr.Dataset, **options: object) -> str:
    with pytest.raises(InputError) as error:
        prepare_forcing(dataset, **options)
    return str(error.value)


def test_missing_variable() -> None:
    text = message(weather().drop_vars(["pr", "rsds"]))
    assert "variable pr: missing" in text
    assert "variable rsds: missing" in text
    assert "kg m-2 s-1 or mm d-1" in text
    assert "tasmax" in text  # what the dataset has


def test_missing_units() -> None:
    dataset = weather()
    del dataset["tasmin"].attrs["units"]
    del dataset["pr"].attrs["units"]
    text = message(dataset)
    assert "variable tasmin: no units attribute; expected K or degC" in text
    assert "variable pr: no units attribute; expected kg m-2 s-1 or mm d-1" in text
    assert text.startswith("forcing: 2 problems")


def test_celsius_labelled_kelvin() -> None:
    dataset = weather()
    dataset["tasmin"].attrs["units"] = "K"
    text = message(dataset)
    assert "variable tasmin, site 0 (lat 45 lon 5), 2001-01-01" in text
    assert "degC labelled K" in text
    assert "attrs['units'] = 'degC'" in text


def test_kelvin_labelled_celsius() -> None:
    dataset = weather()
    dataset = with_values(dataset, "tasmax", dataset.tasmax.values + 273.15)
    assert "look like K labelled degC" in message(dataset)


def test_precipitation_in_metres() -> None:
    dataset = weather()
    dataset["pr"].attrs["units"] = "m"
    text = message(dataset)
    assert "precipitation in 'm'" in text
    assert "m d-1" in text
    dataset = with_values(dataset, "pr", dataset.pr.values / 1000.0)
    dataset["pr"].attrs["units"] = "m d-1"
    np.testing.assert_allclose(prepare_forcing(dataset).pr, weather().pr, atol=1e-5)


@pytest.mark.parametrize(("name", "factor", "words"), [
    ("pr", 1 / 86400.0, "looks like kg m-2 s-1 labelled mm d-1"),
    ("rsds", 0.0864, "looks like MJ m-2 d-1 labelled W m-2"),
    ("hurs", 0.01, "looks like a fraction labelled %"),
    ("rsds", 5.0, "24 h mean cannot exceed 500"),
])
def test_mislabelled_units(name: str, factor: float, words: str) -> None:
    dataset = weather()
    assert words in message(with_values(dataset, name, dataset[name].values * factor))


def test_undeclared_fill_value() -> None:
    dataset = weather()
    values = dataset.pr.values.copy()
    values[3, 1] = -99.0
    text = message(with_values(dataset, "pr", values))
    assert "site 1 (lat 10 lon 6), 2001-01-04" in text
    assert "fill value" in text


def test_nan_gap_of_3_days_is_filled() -> None:
    dataset = weather()
    values = dataset.tasmin.values.copy()
    values[10:13, 0] = np.nan
    out = prepare_forcing(with_values(dataset, "tasmin", values))
    expected = np.interp(np.arange(9, 14), [9, 13], values[[9, 13], 0])
    np.testing.assert_allclose(out.tasmin.values[9:14, 0], expected, rtol=1e-5)
    assert "tasmin: 3 missing values filled" in out.attrs["neuralcrop_notes"]


def test_nan_gap_of_rain_takes_the_mean_around() -> None:
    dataset = weather()
    values = dataset.pr.values.copy()
    values[100:103, 0] = np.nan
    out = prepare_forcing(with_values(dataset, "pr", values))
    around = np.nanmean(values[85:118, 0])
    np.testing.assert_allclose(out.pr.values[100:103, 0], around, rtol=1e-5)


def test_nan_gap_of_30_days() -> None:
    dataset = weather()
    values = dataset.pr.values.copy()
    values[40:70, 1] = np.nan
    text = message(with_values(dataset, "pr", values))
    assert "variable pr, site 1 (lat 10 lon 6): no values for 30 days from 2001-02-10" in text
    assert "at most 5 days" in text
    prepare_forcing(with_values(dataset, "pr", values), max_gap=30)


def test_a_site_without_a_variable_is_an_error_not_ocean() -> None:
    dataset = weather()
    values = dataset.pr.values.copy()
    values[:, 1] = np.nan
    assert "variable pr, site 1" in message(with_values(dataset, "pr", values))


def test_duplicated_days() -> None:
    dataset = weather(60)
    text = message(xr.concat([dataset, dataset.isel(time=[59])], "time"))
    assert "1 repeated days, first 2001-03-01" in text
    assert "drop_duplicates" in text


def test_unsorted_days() -> None:
    text = message(weather(60).isel(time=[*range(30), *range(31, 60), 30]))
    assert "not in order" in text
    assert "sortby('time')" in text


def test_missing_days() -> None:
    text = message(weather(60).isel(time=[*range(20), *range(25, 60)]))
    assert "5 days missing in 1 places, first after 2001-01-20" in text


def test_missing_29_february_names_the_calendar() -> None:
    dataset = weather(366, start="2004-01-01")
    keep = ~((dataset.time.dt.month == 2) & (dataset.time.dt.day == 29))
    assert "noleap" in message(dataset.isel(time=keep.values))


def test_subdaily_data() -> None:
    dataset = weather(8)
    stamps = np.datetime64("2001-01-01", "ns") + np.arange(8) * np.timedelta64(6, "h")
    assert "sub-daily" in message(dataset.assign_coords(time=stamps))


def test_tasmin_above_tasmax() -> None:
    dataset = weather()
    values = dataset.tasmin.values.copy()
    values[5, 1] = dataset.tasmax.values[5, 1] + 1.0
    text = message(with_values(dataset, "tasmin", values))
    assert "tasmin and tasmax, site 1 (lat 10 lon 6), 2001-01-06" in text
    assert "on 1 days of 1460" in text
    values[5, 1] = dataset.tasmax.values[5, 1] + 0.005
    prepare_forcing(with_values(dataset, "tasmin", values))


def test_no_lat() -> None:
    text = message(weather().drop_vars("lat"))
    assert "coordinate lat: missing" in text
    assert "assign_coords(lat=" in text


def test_swapped_lat_and_lon() -> None:
    dataset = weather().assign_coords(lat=("site", [120.0, 130.0]))
    assert "are lat and lon swapped?" in message(dataset)


@pytest.mark.parametrize(("rule", "word"), [("MS", "month"), ("7D", "week")])
def test_monthly_and_weekly_data_without_being_told(rule: str, word: str) -> None:
    coarse = weather().resample(time=rule).mean(keep_attrs=True)
    assert f"say so with frequency='{word}'" in message(coarse)


def test_year_week_data_without_being_told() -> None:
    dataset = weather(364).coarsen(time=7).mean().rename(time="week").drop_vars("week")
    dataset = dataset.expand_dims(year=[2001])
    assert "frequency='week'" in message(dataset)


def test_unknown_frequency_and_names() -> None:
    assert "frequency: 'monthly'" in message(weather(), frequency="monthly")
    text = message(weather(), names={"tasmin": "tn2", "rain": "pr"})
    assert "'tn2' is not in the dataset" in text
    assert "names['rain']" in text


def test_ambiguous_names() -> None:
    dataset = weather().rename(pr="precip")
    dataset["rain"] = dataset["precip"]
    assert "several candidates: precip, rain" in message(dataset)
    prepare_forcing(dataset, names={"pr": "rain"})


def test_all_problems_at_once() -> None:
    dataset = weather(60).drop_vars(["lat", "rsds"])
    del dataset["pr"].attrs["units"]
    dataset["tasmin"].attrs["units"] = "K"
    dataset = dataset.isel(time=[0, 1, 2, 2, 3])
    with pytest.raises(InputError) as error:
        prepare_forcing(dataset, source="my file")
    text = str(error.value)
    for part in ("my file: ", "coordinate lat", "variable rsds: missing", "variable pr: no units",
                 "1 repeated days"):
        assert part in text
    assert len(error.value.problems) >= 4


def test_partly_masked_grid() -> None:
    dataset = grid()
    values = dataset.pr.values.copy()
    values[:, 0, 0] = np.nan
    out = prepare_forcing(with_values(dataset, "pr", values))
    assert int(out.tasmin.isel(time=0).isnull().sum()) == 2
    assert "pr has no values in 1 land cells" in out.attrs["neuralcrop_notes"]


def test_all_missing() -> None:
    dataset = weather(30)
    empty = dataset.where(dataset.tasmin > 1e9)
    for name, v in dataset.data_vars.items():
        empty[name].attrs = v.attrs
    assert "no values at all" in message(empty)


def test_missing_file() -> None:
    with pytest.raises(InputError, match="not found"):
        open_forcing("nowhere/*.nc")


def test_file_that_is_no_netcdf(tmp_path) -> None:
    path = tmp_path / "text.nc"
    path.write_text("hello")
    with pytest.raises(InputError, match="cannot be opened"):
        open_forcing(path)


def test_wrong_type() -> None:
    with pytest.raises(TypeError, match=r"xarray\.Dataset"):
        prepare_forcing(np.zeros(3))


def test_julian_calendar() -> None:
    dataset = weather(30)
    dataset = dataset.assign_coords(
        time=xr.date_range("2001-01-01", periods=30, calendar="julian", use_cftime=True))
    assert "calendar 'julian'" in message(dataset)


def test_co2_beyond_the_record() -> None:
    with pytest.raises(InputError, match="pass co2="):
        prepare_forcing(weather(30, start="2071-01-01"))
