"""The door for users of PCSE: what passes, what is refused and how, where a table ends."""

from __future__ import annotations

import copy
import datetime as dt
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from neuralcrop.compat.pcse import daily_table, simulate
from neuralcrop.compat.pcse_agromanagement import parse_agromanagement
from neuralcrop.compat.pcse_inputs import Calendar, Crop, parse_parameters
from neuralcrop.core.parameters import ParameterError
from neuralcrop.crops.wofost72 import definitions, load_variety
from neuralcrop.data.errors import InputError

SOIL = {"SMW": 0.1, "SMFCF": 0.3, "SM0": 0.45, "CRAIRC": 0.06, "RDMSOL": 120}
WATER = {"SOPE": 10.0, "KSUB": 10, "WAV": 12.5}
START = dt.date(2001, 4, 1)


def crop_set() -> dict[str, Any]:
    """A crop of the catalogue as PCSE has it."""
    values = load_variety("wheat")
    flat: dict[str, Any] = {}
    for name, definition in definitions().items():
        y = values[name].value
        flat[name] = y[0] if definition.x_units is None else [
            v for node in zip(values[f"{name}_x"].value, y, strict=True) for v in node]
    return flat


def parameters(**changes: Any) -> dict[str, Any]:
    full = crop_set() | SOIL | WATER | changes
    return {name: v for name, v in full.items() if not (isinstance(v, str) and v == "absent")}


def agro(events: Any = None, states: Any = None, **changes: Any) -> list[dict[Any, Any]]:
    calendar = {
        "crop_name": "wheat", "variety_name": "any", "crop_start_date": START,
        "crop_start_type": "sowing", "crop_end_date": dt.date(2001, 8, 15),
        "crop_end_type": "harvest", "max_duration": 200,
    } | changes
    calendar = {k: v for k, v in calendar.items() if not (isinstance(v, str) and v == "absent")}
    return [{START: {"CropCalendar": calendar, "TimedEvents": events, "StateEvents": states}}]


def irrigate(*gifts: tuple[Any, Any, Any], **changes: Any) -> list[dict[str, Any]]:
    table = [{day: {"amount": amount, "efficiency": share}} for day, amount, share in gifts]
    return [{"event_signal": "irrigate", "name": "irrigation", "comment": "in cm",
             "events_table": table} | changes]


def refused_agro(given: Any, production: str = "water_limited") -> str:
    with pytest.raises(InputError) as error:
        parse_agromanagement(given, production)
    return str(error.value)


def refused_parameters(production: str = "water_limited", **changes: Any) -> list[str]:
    with pytest.raises(ParameterError) as error:
        parse_parameters(parameters(**changes), production)
    return str(error.value).split("\n  ")[1:]


# parameters ---------------------------------------------------------------------------------------

def test_defaults_of_the_site() -> None:
    crop = parse_parameters(parameters(), "water_limited")
    assert isinstance(crop, Crop)
    assert crop.site == SOIL | WATER | {
        "SSI": 0.0, "SSMAX": 0.0, "SMLIM": 0.4, "NOTINF": 0.0, "IFUNRN": 0.0}
    assert all(isinstance(value, float) for value in crop.site.values())
    assert crop.co2 == 360.0
    assert {k: v.value for k, v in crop.parameters.items()} == {
        k: v.value for k, v in load_variety("wheat").items()}


def test_given_values_are_taken() -> None:
    given = {"SSI": 1, "SSMAX": 2.0, "SMLIM": 0.2, "NOTINF": 0.1, "IFUNRN": 1, "CO2": 420,
             "K0": 10.0, "CRPNAM": "wheat", "SMTAB": [0.0, 0.4]}
    crop = parse_parameters(parameters(**given), "water_limited")
    assert crop.site["IFUNRN"] == 1.0
    assert crop.site["SMLIM"] == 0.2
    assert crop.co2 == 420.0
    assert "K0" not in crop.site


def test_potential_production_needs_no_water() -> None:
    dry = dict.fromkeys(WATER, "absent")
    assert not set(WATER) & set(parse_parameters(parameters(**dry), "potential").site)
    assert [line.split()[0] for line in refused_parameters(**dry)] == ["KSUB", "SOPE", "WAV"]


def test_all_problems_of_crop_and_soil_in_one_list() -> None:
    lines = refused_parameters(
        TSUM1="absent", SMFCF="absent", AMAXTB=[0.0, 30.0, 1.0], WAV="much", SMOFC=0.3, TSUMM2=5)
    assert [line.split()[0] for line in lines] == [
        "AMAXTB", "SMFCF", "SMOFC", "TSUM1", "TSUMM2", "WAV"]
    text = "\n".join(lines)
    assert "AMAXTB is [0.0, 30.0, 1.0], expected a list x1, y1, x2, y2" in text
    assert "SMFCF is missing, expected a number (cm3 cm-3): moisture at field capacity" in text
    assert "SMOFC is unknown, expected perhaps SMFCF" in text
    assert "TSUMM2 is unknown, expected perhaps TSUM2" in text
    assert "WAV is 'much', expected a number from 0 to 100 (cm): initial available water" in text


@pytest.mark.parametrize(("changes", "expected"), [
    ({"SMW": 0.0}, "SMW is 0, expected more"),
    ({"SMFCF": 0.05}, "SMFCF is 0.05, expected more than SMW (0.1)"),
    ({"SM0": 0.3}, "SM0 is 0.3, expected more than SMFCF (0.3)"),
    ({"SM0": 1.5}, "SM0 is 1.5, expected a number from 0 to 1 (cm3 cm-3)"),
    ({"CRAIRC": 0.5}, "CRAIRC is 0.5, expected less than SM0 (0.45)"),
    ({"RDMSOL": 1.2}, "RDMSOL is 1.2, expected a number from 10 to 1000 (cm)"),
    ({"SOPE": -1.0}, "SOPE is -1.0, expected a number from 0 to 1000 (cm d-1)"),
    ({"IFUNRN": 2}, "IFUNRN is 2, expected 0 or 1"),
    ({"NOTINF": float("nan")}, "NOTINF is nan, expected a number from 0 to 1"),
    ({"SSI": True}, "SSI is True, expected a number"),
    ({"CO2": 0.036}, "CO2 is 0.036, expected a number from 100 to 2000 (ppm)"),
    ({"RDMSOL": 12, "RDI": 20.0}, "RDI is 20, expected at most RDMSOL (12 cm)"),
    ({"smw": 0.1}, "smw is unknown, expected perhaps SMW"),
    ({"sitedata": {"WAV": 1.0}}, "sitedata is a mapping, expected its parameters; join"),
])
def test_a_parameter_is_refused(changes: dict[str, Any], expected: str) -> None:
    lines = refused_parameters(**changes)
    assert len(lines) == 1
    assert expected in lines[0]


def test_parameters_are_a_mapping() -> None:
    with pytest.raises(ParameterError, match="list, expected one flat mapping"):
        parse_parameters([1.0], "potential")  # type: ignore[arg-type]


# agromanagement -----------------------------------------------------------------------------------

def test_the_forms_of_an_agromanagement() -> None:
    expected = Calendar(START, START, "sowing", dt.date(2001, 8, 15), "harvest", 200)
    given = agro()
    assert parse_agromanagement(given, "potential") == expected
    assert parse_agromanagement({"AgroManagement": given}, "potential") == expected
    assert parse_agromanagement(yaml.safe_dump(given), "potential") == expected
    assert parse_agromanagement(
        yaml.safe_dump({"Version": 1.0, "AgroManagement": given}), "potential") == expected
    inner = copy.deepcopy(next(iter(given[0].values())))
    inner["CropCalendar"]["crop_start_date"] = dt.datetime(2001, 4, 1, 12)
    inner["CropCalendar"]["crop_end_date"] = "2001-08-15"
    assert parse_agromanagement([{"2001-04-01": inner}], "potential") == expected


def test_ends_of_a_crop() -> None:
    ripe = parse_agromanagement(
        agro(crop_end_type="maturity", crop_end_date=None, max_duration=150), "potential")
    assert (ripe.end_date, ripe.last_day) == (None, START + dt.timedelta(days=150))
    early = parse_agromanagement(agro(crop_end_type="earliest"), "potential")
    assert early.last_day == dt.date(2001, 8, 15)
    short = parse_agromanagement(agro(max_duration=100), "potential")
    assert short.last_day == START + dt.timedelta(days=100)


def test_campaigns_without_a_crop_around_it() -> None:
    bare = {dt.date(2001, 1, 1): {"CropCalendar": None, "TimedEvents": None, "StateEvents": None}}
    calendar = parse_agromanagement(
        [bare, *agro(crop_end_type="maturity", crop_end_date=None), {"2001-09-01": None}],
        "water_limited")
    assert calendar.campaign_start == dt.date(2001, 1, 1)
    assert calendar.next_campaign == calendar.last_day == dt.date(2001, 9, 1)


def test_irrigation_is_amount_times_efficiency() -> None:
    gifts = irrigate((dt.date(2001, 6, 1), 5.0, 0.7), ("2001-05-01", 2, 1))
    found = parse_agromanagement(agro(gifts), "water_limited").irrigation
    assert found == {dt.date(2001, 5, 1): 2.0, dt.date(2001, 6, 1): 3.5}
    assert list(found) == sorted(found)
    assert parse_agromanagement(agro(irrigate()), "potential").irrigation == {}


@pytest.mark.parametrize(("given", "parts"), [
    (3, ["is 3", "a list of campaigns", "yaml.safe_load"]),
    ("a: [", ["YAML text", "a list of campaigns"]),
    ([], ["none has a CropCalendar"]),
    ([{"2001-04-01": None}], ["none has a CropCalendar"]),
    (["x"], ["campaign 1", "is 'x'", "one date and its parts"]),
    ([{"soon": None}], ["campaign 1", "starts on 'soon'", "2000-12-31"]),
    ([{"2001-04-01": 5}], ["campaign 2001-04-01", "is 5", "CropCalendar"]),
    ([*agro(), {"2001-01-01": None}], ["campaign 2001-01-01", "after that of 2001-04-01"]),
    ([*agro(), {"2002-04-01": agro()[0][START]}],
     ["2 have a crop", "2001-04-01, 2002-04-01", "call simulate once for each"]),
    ([{START: {"CropCalender": None} | agro()[0][START]}], ["'CropCalender'", "'CropCalendar'"]),
    ([{START: {"CropCalendar": 7}}], ["CropCalendar of campaign 2001-04-01", "is 7"]),
    ([*agro(), {"2001-08-01": None}], ["crop_end_date is 2001-08-15", "2001-08-01"]),
    ([*agro(), {"2001-03-31": None}], ["campaign 2001-03-31"]),
])
def test_campaigns_are_refused(given: Any, parts: list[str]) -> None:
    text = refused_agro(given)
    assert [part for part in parts if part not in text] == []


@pytest.mark.parametrize(("changes", "parts"), [
    ({"crop_start_type": "planting"}, ["crop_start_type is 'planting'", "sowing or emergence"]),
    ({"crop_end_type": "absent"}, ["crop_end_type is None", "maturity or harvest or earliest"]),
    ({"max_duration": 0}, ["max_duration is 0", "whole number"]),
    ({"max_duration": 10.5}, ["max_duration is 10.5"]),
    ({"max_duration": "absent"}, ["max_duration is None"]),
    ({"crop_end_date": None}, ["crop_end_date is None", "a date"]),
    ({"crop_end_date": "2001-13-01"}, ["crop_end_date is '2001-13-01'"]),
    ({"crop_end_date": START}, ["crop_end_date is 2001-04-01", "a day after 2001-04-01"]),
    ({"crop_start_date": "2001-03-01"},
     ["crop_start_date is 2001-03-01", "start of the campaign, 2001-04-01"]),
    ({"crop_start": 1}, ["unknown key 'crop_start'", "did you mean 'crop_start_"]),
])
def test_calendars_are_refused(changes: dict[str, Any], parts: list[str]) -> None:
    text = refused_agro(agro(**changes))
    assert "1 problem\n" in text
    assert [part for part in ["CropCalendar of campaign 2001-04-01", *parts]
            if part not in text] == []


def test_all_problems_of_a_calendar_at_once() -> None:
    text = refused_agro(agro(crop_start_type="x", crop_end_type="y", max_duration=-1,
                             crop_start_date=None, events=irrigate((START, 99, 0.5))))
    assert "5 problems" in text


@pytest.mark.parametrize(("events", "production", "parts"), [
    (irrigate((START, 3, 0.7)), "potential",
     ["no effect in potential production", "production='water_limited'"]),
    (irrigate((START, 3, 0.7), event_signal="apply_n"), "water_limited",
     ["'apply_n' cannot be honoured", "'irrigate'"]),
    (irrigate((START, 3, 0.7), event_signal="mowing"), "potential", ["'mowing'"]),
    (irrigate((START, 40, 0.7)), "water_limited", ["amount is 40", "0 to 30 cm", "in mm"]),
    (irrigate((START, 4, 70)), "water_limited", ["efficiency is 70", "0 to 1"]),
    (irrigate((START, None, 1)), "water_limited", ["amount is None"]),
    (irrigate(("2001-03-20", 4, 1)), "water_limited",
     ["2001-03-20", "outside of the crop's period", "2001-04-01 to 2001-08-15"]),
    (irrigate(("2001-08-16", 4, 1)), "water_limited", ["2001-08-16", "outside"]),
    (irrigate((START, 1, 1), ("2001-04-01", 2, 1)), "water_limited",
     ["irrigated twice", "add up the amounts"]),
    (irrigate(("soon", 1, 1)), "water_limited", ["an event is {'soon'"]),
    (irrigate(events_table=["x"]), "water_limited", ["an event is 'x'"]),
    (irrigate(events_table="x"), "water_limited", ["events_table is 'x'"]),
    (irrigate(zero_condition=1), "water_limited", ["unknown key 'zero_condition'"]),
    ("x", "water_limited", ["is 'x'", "a mapping of event_signal"]),
])
def test_events_are_refused(events: Any, production: str, parts: list[str]) -> None:
    text = refused_agro(agro(events), production)
    assert "1 problem\n" in text
    assert [p for p in ["TimedEvents of campaign 2001-04-01", *parts] if p not in text] == []


@pytest.mark.parametrize("production", ["potential", "water_limited"])
def test_state_events_are_refused(production: str) -> None:
    state = [{"event_signal": "irrigate", "event_state": "SM", "zero_condition": "falling"}]
    text = refused_agro(agro(states=state), production)
    assert "StateEvents of campaign 2001-04-01: cannot be honoured" in text
    assert parse_agromanagement(agro(states=[]), production).irrigation == {}


def test_events_of_other_campaigns_are_refused() -> None:
    bare = {"2001-03-01": {"CropCalendar": None, "StateEvents": [{"event_signal": "irrigate"}],
                           "TimedEvents": irrigate(("2001-03-05", 4, 1))}}
    text = refused_agro([bare, *agro()])
    assert "StateEvents of campaign 2001-03-01" in text
    assert "2001-03-05: is outside of the crop's period" in text


# tables -------------------------------------------------------------------------------------------

DAYS = [START + dt.timedelta(days=i - 5) for i in range(40)]
COLUMNS_OF_A_RUN = {
    "WLOW": np.full(40, 20.0), "SM": np.full(40, 0.3), "LAI": np.linspace(0.0, 4.0, 40),
    "NEW": np.ones(40), "DVS": np.clip(np.arange(-5, 35) * 0.1, -0.1, 2.0),
}


def table(**changes: Any) -> pd.DataFrame:
    rules = {"start": START, "end_type": "earliest", "end_date": START + dt.timedelta(days=30),
             "max_duration": 33, "dvsend": 2.0} | changes
    return daily_table(DAYS, COLUMNS_OF_A_RUN, **rules)


@pytest.mark.parametrize(("changes", "days", "reason"), [
    ({}, 20, "maturity"),
    ({"end_type": "maturity", "end_date": None}, 20, "maturity"),
    ({"end_type": "maturity", "end_date": START + dt.timedelta(days=3)}, 20, "maturity"),
    ({"end_type": "harvest"}, 30, "harvest"),
    ({"end_date": START + dt.timedelta(days=12)}, 12, "harvest"),
    ({"max_duration": 7}, 7, "max_duration"),
    ({"end_type": "harvest", "max_duration": 29}, 29, "max_duration"),
    ({"dvsend": 1.5}, 15, "maturity"),
    ({"end_type": "maturity", "end_date": None, "dvsend": 2.5}, 33, "max_duration"),
])
def test_the_last_day(changes: dict[str, Any], days: int, reason: str) -> None:
    found = table(**changes)
    last = START + dt.timedelta(days=days)
    assert found.index[-1] == pd.Timestamp(last)
    assert len(found) == 5 + days + 1
    assert found.attrs["crop_end_reason"] == reason
    assert found.attrs["crop_end_date"] == last.isoformat()
    assert found.attrs["crop_start_date"] == "2001-04-01"


def test_the_form_of_a_table() -> None:
    found = table()
    assert found.index.name == "day"
    assert isinstance(found.index, pd.DatetimeIndex)
    assert list(found.columns) == ["DVS", "LAI", "SM", "WLOW", "NEW"]
    assert found.attrs["units"] == {"DVS": "1", "LAI": "m2 m-2", "SM": "cm3 cm-3", "WLOW": "cm"}
    bare, crop = found.iloc[:5], found.iloc[5:]
    assert bare[["DVS", "LAI", "NEW"]].isna().all(axis=None)
    assert bare[["SM", "WLOW"]].notna().all(axis=None)
    assert crop.notna().all(axis=None)
    np.testing.assert_array_equal(crop["LAI"], COLUMNS_OF_A_RUN["LAI"][5:26])
    assert np.isfinite(COLUMNS_OF_A_RUN["LAI"]).all()  # what was given stays


def test_a_crop_that_does_not_end() -> None:
    with pytest.raises(InputError) as error:
        table(end_type="maturity", end_date=None, dvsend=2.5, max_duration=90)
    assert "end of the crop: DVS is 2 on 2001-05-05, the last day" in str(error.value)
    assert "expected DVS 2.5, or days up to 2001-06-30" in str(error.value)
    assert "weather of more days" in str(error.value)
    with pytest.raises(InputError, match="days end before the crop starts on 2002-01-01"):
        table(start=dt.date(2002, 1, 1))
    with pytest.raises(ValueError, match="columns DVS have not one value for each of the 40 days"):
        daily_table(DAYS, {"DVS": np.ones(3)}, START, "harvest", DAYS[-1], 50, 2.0)


# the whole ----------------------------------------------------------------------------------------

def test_the_door_checks_before_it_runs() -> None:
    dry = pd.DataFrame({"RAIN": 0.0}, index=pd.DatetimeIndex(DAYS))
    with pytest.raises(ValueError, match="did you mean 'water_limited'"):
        simulate(parameters(), dry, agro(), production="waterlimited")
    with pytest.raises(ParameterError, match="TSUM1 is missing"):
        simulate(parameters(TSUM1="absent"), dry, agro())
    with pytest.raises(InputError, match="no effect in potential production"):
        simulate(parameters(), dry, agro(irrigate((START, 3, 0.7))))
    with pytest.raises(InputError, match="column VAP: is missing"):
        simulate(parameters(), dry, agro(), production="water_limited")
