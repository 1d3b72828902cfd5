"""The inputs of every reference run of PCSE pass its door, and its table ends on their last day."""

import datetime as dt

import numpy as np
import pandas as pd
import pytest
import yaml
from wofost_reference import _arrays, _index, names

from neuralcrop.compat.pcse import daily_table
from neuralcrop.compat.pcse_agromanagement import parse_agromanagement
from neuralcrop.compat.pcse_inputs import SITE, parse_parameters
from neuralcrop.compat.pcse_weather import COLUMNS, parse_weather

pytestmark = pytest.mark.golden

PRODUCTIONS = {"potential": "potentialproduction", "water_limited": "waterlimitedproduction"}


def frame(entry: dict) -> pd.DataFrame:
    """Weather of a run as PCSE exports it."""
    arrays = _arrays()
    index = pd.DatetimeIndex(arrays[f"wd_{entry['weather']}"], name="DAY")
    return pd.DataFrame(arrays[f"w_{entry['weather']}"], index, entry["weather_cols"])


@pytest.mark.parametrize("production", PRODUCTIONS)
def test_parameters_of_the_reference(production):
    runs = names(f"{PRODUCTIONS[production]}_wofost72")
    assert len(runs) == 30
    for name in runs:
        given = _index()[name]["params"]
        crop = parse_parameters(given, production)
        assert crop.site == {key: given[key] for key in SITE}, name
        assert crop.co2 == given.get("CO2", 360.0)
        assert crop.parameters["TSUM1"].value == (given["TSUM1"],)


@pytest.mark.parametrize("production", PRODUCTIONS)
def test_calendars_and_weather_of_the_reference(production):
    for name in names(f"{PRODUCTIONS[production]}_wofost72"):
        entry = _index()[name]
        calendar = parse_agromanagement(entry["agro"], production)
        text = yaml.safe_dump({"Version": 1.0, "AgroManagement": entry["agro"]})
        assert parse_agromanagement(text, production) == calendar, name
        agro = next(iter(entry["agro"][0].values()))["CropCalendar"]
        assert calendar.crop_start == dt.date.fromisoformat(agro["crop_start_date"])
        assert calendar.max_duration == agro["max_duration"]
        assert str(calendar.end_date) == str(agro["crop_end_date"])

        weather = frame(entry)
        record = parse_weather(weather, calendar)
        assert record.dates == [day.date() for day in weather.index], name
        for key in (*COLUMNS, "TEMP"):
            np.testing.assert_array_equal(record.columns[key], weather[key].to_numpy())
        assert record.latitude == weather["LAT"].iloc[0]
        assert record.elevation == weather["ELEV"].iloc[0]
        exported = weather.reset_index().assign(DAY=[day.date() for day in weather.index])
        assert parse_weather(exported, calendar).dates == record.dates


@pytest.mark.parametrize("production", PRODUCTIONS)
def test_tables_end_on_the_day_of_the_reference(production):
    for name in names(f"{PRODUCTIONS[production]}_wofost72"):
        entry, arrays = _index()[name], _arrays()
        calendar = parse_agromanagement(entry["agro"], production)
        results = np.concatenate([arrays[f"r_{name}"], np.repeat(arrays[f"r_{name}"][-1:], 9, 0)])
        days = [calendar.campaign_start + dt.timedelta(days=i) for i in range(len(results))]
        columns = dict(zip(entry["result_cols"], results.T, strict=True))
        table = daily_table(days, columns, calendar.crop_start, calendar.end_type,
                            calendar.end_date, calendar.max_duration, entry["params"]["DVSEND"])
        expected = pd.DataFrame(arrays[f"r_{name}"], columns=entry["result_cols"])
        assert list(table.index) == list(pd.DatetimeIndex(arrays[f"rd_{name}"])), name
        assert set(table.columns) == set(expected.columns)
        for key in expected:
            np.testing.assert_array_equal(table[key].to_numpy(), expected[key].to_numpy())
        assert table.attrs["crop_end_reason"] == calendar.end_type
