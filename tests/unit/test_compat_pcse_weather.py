"""The weather that users of PCSE give: what passes, and what is refused and how."""

from __future__ import annotations

import datetime as dt
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neuralcrop.compat.pcse_inputs import Calendar
from neuralcrop.compat.pcse_weather import COLUMNS, parse_weather
from neuralcrop.data.errors import InputError

START = dt.date(2001, 4, 1)
CALENDAR = Calendar(START, START, "sowing", dt.date(2001, 8, 15), "harvest", 200)
RIPE = replace(CALENDAR, end_type="maturity", end_date=None)


def weather(first: str = "2001-03-01", last: str = "2001-10-31", **changes: Any) -> pd.DataFrame:
    index = pd.date_range(first, last, name="day")
    wave = np.sin(np.arange(len(index)))
    columns = {
        "IRRAD": 1.5e7 + 5e6 * wave, "TMIN": 8.0 + 3.0 * wave, "TMAX": 18.0 + 4.0 * wave,
        "VAP": 9.0 + wave, "WIND": 2.5 + wave, "RAIN": np.clip(wave, 0.0, None),
        "E0": 0.4 + 0.1 * wave, "ES0": 0.35 + 0.1 * wave, "ET0": 0.3 + 0.1 * wave,
        "LAT": 52.0, "ELEV": 7.0, "SNOWDEPTH": np.nan,
    } | changes
    return pd.DataFrame(columns, index=index)


def refused(given: pd.DataFrame) -> str:
    with pytest.raises(InputError) as error:
        parse_weather(given, CALENDAR)
    return str(error.value)


def test_weather_is_cut_to_the_run() -> None:
    given = weather()
    record = parse_weather(given, replace(CALENDAR, campaign_start=dt.date(2001, 3, 15)))
    assert record.dates[0] == dt.date(2001, 3, 15)
    assert record.dates[-1] == dt.date(2001, 8, 15)
    own = given.loc["2001-03-15":"2001-08-15"]  # type: ignore[misc]
    assert set(record.columns) == {*COLUMNS, "TEMP"}
    for name in COLUMNS:
        np.testing.assert_array_equal(record.columns[name], own[name].to_numpy())
        assert record.columns[name].dtype == np.float64
    np.testing.assert_array_equal(record.columns["TEMP"], 0.5 * (own["TMIN"] + own["TMAX"]))
    assert (record.latitude, record.elevation) == (52.0, 7.0)


def test_other_forms_of_the_weather() -> None:
    given = weather(TEMP=14.0, LON=5.0, TMINRA=1.0).drop(columns=["LAT", "ELEV"])
    given["DTEMP"] = 0.5 * (given["TMAX"] + 14.0)
    given.attrs |= {"LAT": -30, "ELEV": 100}
    expected = parse_weather(given, CALENDAR)
    assert (expected.latitude, expected.elevation) == (-30.0, 100.0)
    assert set(expected.columns["TEMP"]) == {14.0}
    for days in (given.index, [d.date() for d in given.index], given.index.strftime("%Y-%m-%d")):
        assert parse_weather(given.reset_index(drop=True).assign(DAY=days), CALENDAR).dates == (
            expected.dates)
    noon = given.set_axis(given.index.tz_localize("Asia/Tokyo") + pd.Timedelta(hours=12))
    assert parse_weather(noon, CALENDAR).dates == expected.dates


def test_weather_may_end_before_a_crop_must() -> None:
    record = parse_weather(weather(last="2001-07-31"), RIPE)
    assert record.dates[-1] == dt.date(2001, 7, 31)
    text = refused(weather(last="2001-07-31"))
    assert "index: 15 days of the crop's period are missing: 2001-08-01, 2001-08-02" in text
    assert "expected every day from 2001-04-01 to 2001-08-15" in text


def test_what_lies_outside_of_the_run_does_not_matter() -> None:
    given = weather()
    given.loc["2001-09-01":, "RAIN"] = np.nan  # type: ignore[misc]
    given = given.drop(index=pd.Timestamp("2001-03-10"))
    parse_weather(given, CALENDAR)


@pytest.mark.parametrize(("given", "parts"), [
    (weather().drop(columns=["IRRAD", "ET0", "LAT"]),
     ["3 problems", "column IRRAD: is missing; expected J m-2 d-1", "column ET0: is missing",
      "LAT, column or attrs: is missing"]),
    (weather().rename(columns={"TMIN": "tmin"}), ["column TMIN", "did you mean 'tmin'?"]),
    (weather().reset_index(drop=True), ["a DatetimeIndex or a column DAY", "to_datetime"]),
    (weather().assign(DAY="x"), ["column DAY", "no date"]),
    (weather().assign(DAY=pd.NaT), ["column DAY", "245 rows without a date"]),
    (weather().drop(index=pd.to_datetime(["2001-05-05", "2001-06-06"])),
     ["2 days of the crop's period are missing: 2001-05-05, 2001-06-06"]),
    (weather(first="2001-04-03"), ["2 days", "2001-04-01, 2001-04-02"]),
    (weather(first="2005-01-01", last="2005-12-31"), ["137 days", "and 134 more"]),
    (pd.concat([weather(), weather().iloc[40:41]]), ["more than once: 2001-04-10"]),
    (weather().iloc[::-1], ["goes back in time", "weather.sort_index()"]),
    (weather(LAT=np.linspace(50, 51, 245)), ["LAT: is 50.", "one number from -90 to 90"]),
    (weather(LAT=95.0), ["LAT: is 95"]),
    (weather(ELEV="high"), ["ELEV: is no number", "-500 to 6000 m"]),
    (weather(WIND="calm"), ["column WIND: has no value on 2001-04-01", "a number for every day"]),
    (weather(TMIN=[30.0 if i == 45 else 8.0 for i in range(245)]),
     ["TMIN is above TMAX on 2001-04-15", "TMIN <= TMAX"]),
    (weather(DTEMP=20.0), ["column DTEMP", "(TMAX + TEMP) / 2", "leave DTEMP out"]),
    (weather(TEMP=np.nan), ["column TEMP", "leave TEMP out"]),
])
def test_weather_is_refused(given: pd.DataFrame, parts: list[str]) -> None:
    text = refused(given)
    assert [part for part in parts if part not in text] == []


def test_missing_values_are_named_by_column_and_date() -> None:
    given = weather()
    given.loc["2001-05-01":"2001-05-05", "VAP"] = np.nan  # type: ignore[misc]
    given.loc["2001-06-01", "RAIN"] = np.inf
    text = refused(given)
    assert "2 problems" in text
    assert "column VAP: has no value on 2001-05-01, 2001-05-02, 2001-05-03 and 2 more" in text
    assert "column RAIN: has no value on 2001-06-01" in text


@pytest.mark.parametrize(("name", "factor", "shift", "remedy"), [
    ("IRRAD", 1e-6, 0.0, "from MJ m-2 d-1 multiply by 1e6"),
    ("IRRAD", 1e-3, 0.0, "expected J m-2 d-1"),
    ("IRRAD", 1 / 86400, 0.0, "from W m-2 by 86400"),
    ("TMAX", 1.0, 273.15, "from K subtract 273.15"),
    ("VAP", 0.1, 0.0, "from kPa multiply by 10"),
    ("VAP", 100.0, 0.0, "from Pa by 0.01"),
    ("RAIN", 10.0, 0.0, "from mm d-1 divide by 10"),
    ("E0", 10.0, 0.0, "from mm d-1 divide by 10"),
    ("ES0", 10.0, 0.0, "from mm d-1 divide by 10"),
    ("ET0", 5.0, 0.0, "from mm d-1 divide by 10"),
    ("ET0", -1.0, 0.0, "expected 0 to 2.5 cm d-1"),
])
def test_other_units_are_seen(name: str, factor: float, shift: float, remedy: str) -> None:
    given = weather()
    given[name] = given[name] * factor + shift
    text = refused(given)
    assert f"column {name}" in text
    assert "implausible" in text
    assert remedy in text


def test_all_millimetres_are_seen_at_once() -> None:
    given = weather()
    given[["RAIN", "E0", "ES0", "ET0"]] *= 10.0
    text = refused(given)
    assert [name for name in ("RAIN", "E0", "ES0", "ET0") if f"column {name}:" not in text] == []


@pytest.mark.parametrize("changes", [
    {"RAIN": 2.0, "E0": 0.35},  # monsoon
    {"IRRAD": 3e5, "TMIN": -25.0, "TMAX": -15.0, "VAP": 0.6, "E0": 0.0, "ES0": 0.0},  # polar night
    {"TMIN": 24.0, "TMAX": 44.0, "VAP": 6.0, "E0": 1.2, "RAIN": 0.0},  # desert
])
def test_extremes_are_possible(changes: dict[str, float]) -> None:
    parse_weather(weather(**changes), CALENDAR)


def test_weather_is_a_table() -> None:
    text = refused([1.0])  # type: ignore[arg-type]
    assert "is a list; expected a pandas.DataFrame. Remedy" in text
    assert "provider.export()" in text
