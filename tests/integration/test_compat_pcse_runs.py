"""PCSE's inputs in, PCSE's daily table out; made-up weather, catalogue crops."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from neuralcrop.compat import pcse
from neuralcrop.crops.wofost72 import definitions, load_variety
from tests.wofost_fields import FIRST, made_up_weather

pytestmark = pytest.mark.slow  # an uncompiled season takes some seconds

SOIL = {"SMW": 0.104, "SMFCF": 0.3, "SM0": 0.41, "CRAIRC": 0.06, "RDMSOL": 120.0, "K0": 10.0,
        "SOPE": 10.0, "KSUB": 10.0, "WAV": 8.0, "SSI": 0.0, "SSMAX": 0.0, "SMLIM": 0.3,
        "NOTINF": 0.0, "IFUNRN": 0}

DAYS = 150


def parameters(crop: str, **more: Any) -> dict[str, Any]:
    """Flat mapping as PCSE has it, from the catalogue."""
    values = load_variety(crop)
    flat: dict[str, Any] = {}
    for name, definition in definitions().items():
        y = values[name].value
        if definition.x_units is None:
            flat[name] = y[0]
        else:
            flat[name] = [v for pair in zip(values[f"{name}_x"].value, y, strict=True)
                          for v in pair]
    return flat | SOIL | more


def weather(wet: float = 1.0, before: int = 0, years: int = 1) -> pd.DataFrame:
    """A season from `FIRST` on, ``years`` times; ``before`` days of its first day lead to it."""
    columns = {k: v[:, 0] for k, v in made_up_weather(DAYS, wet=wet).items()}
    season = pd.DataFrame(columns)
    table = pd.concat([season.iloc[[0] * before], *[season] * years])
    table.index = pd.date_range(
        pd.Timestamp(str(FIRST)) - pd.Timedelta(days=before), periods=len(table))
    return table.assign(WIND=2.0, LAT=52.0, ELEV=10.0)


def calendar(
    events: Any = None, campaign: str = str(FIRST), longest: int = 140
) -> list[dict[str, Any]]:
    return [{campaign: {
        "CropCalendar": {
            "crop_name": "barley", "variety_name": "any", "crop_start_date": str(FIRST),
            "crop_start_type": "emergence", "crop_end_date": None, "crop_end_type": "maturity",
            "max_duration": longest},
        "TimedEvents": events, "StateEvents": None}}]


def irrigate(day: str, amount: float, efficiency: float) -> list[dict[str, Any]]:
    return [{"event_signal": "irrigate", "name": "by hand", "comment": None, "events_table": [
        {pd.Timestamp(day).date(): {"amount": amount, "efficiency": efficiency}}]}]


def test_a_season_has_the_names_and_units_of_pcse() -> None:
    table = pcse.simulate(parameters("barley"), weather(), calendar())
    assert table.index.name == "day"
    assert list(table.columns[:11]) == [
        "DVS", "LAI", "TAGP", "TWSO", "TWLV", "TWST", "TWRT", "TRA", "RD", "SM", "WWLOW"]
    assert table.attrs["crop_end_reason"] == "maturity"
    assert table["DVS"].iloc[-1] == 2.0
    assert table["DVS"].is_monotonic_increasing
    assert 2000.0 < table["TWSO"].iloc[-1] < 12000.0
    assert table["LAI"].max() > 1.5


def test_water_limits_and_irrigation_helps() -> None:
    dry = weather(wet=0.2)
    potential = pcse.simulate(parameters("barley"), dry, calendar())
    limited = pcse.simulate(
        parameters("barley"), dry, calendar(), production="water_limited")
    day = str(pd.Timestamp(str(FIRST)) + pd.Timedelta(days=45))[:10]
    watered = pcse.simulate(
        parameters("barley"), dry, calendar(irrigate(day, 5.0, 0.8)), production="water_limited")
    final = [t["TWSO"].iloc[-1] for t in (limited, watered, potential)]
    assert final[0] < final[1] < final[2]
    after = pd.Timestamp(day) + pd.Timedelta(days=1)
    assert limited.loc[:day].equals(watered.loc[:day])
    gained = watered.loc[after, "WWLOW"] - limited.loc[after, "WWLOW"]
    # less what wetter soil evaporates and the crop transpires that day, and drainage
    assert 3.0 < gained <= 4.0 + 1e-9


def test_carbon_dioxide_raises_growth_and_saves_water() -> None:
    runs = [pcse.simulate(parameters("barley", CO2=co2), weather(), calendar())
            for co2 in (360.0, 720.0)]
    without = parameters("barley")
    for name in ("CO2AMAXTB", "CO2EFFTB", "CO2TRATB"):
        without.pop(name)
    plain = pcse.simulate(without, weather(), calendar())
    np.testing.assert_allclose(runs[0]["TAGP"], plain["TAGP"], rtol=1e-12)
    ratio = runs[1]["TAGP"].iloc[-1] / runs[0]["TAGP"].iloc[-1]
    assert 1.1 < ratio < 1.6
    early = runs[0].index[10]  # before leaf areas part
    assert runs[1].loc[early, "TRA"] < runs[0].loc[early, "TRA"]


def test_a_campaign_of_the_year_before_only_prepares_the_soil() -> None:
    early = pd.Timestamp(str(FIRST)) - pd.Timedelta(days=375)  # past the crop's day of that year
    table = pcse.simulate(
        parameters("barley"), weather(before=375), calendar(campaign=str(early)[:10]),
        production="water_limited")
    alone = pcse.simulate(
        parameters("barley"), weather(), calendar(), production="water_limited")
    crop = table.loc[str(FIRST):]
    assert table.index[0] == early
    assert table.loc[:str(FIRST), "TAGP"].iloc[:-1].isna().all()
    assert len(crop) == len(alone)
    np.testing.assert_allclose(crop["DVS"], alone["DVS"], rtol=1e-12)
    assert table["WWLOW"].iloc[0] != crop["WWLOW"].iloc[0]


def test_a_crop_may_stand_for_more_than_a_year() -> None:
    slow = parameters("barley", TSUM1=4500.0, TSUM2=4500.0)
    table = pcse.simulate(slow, weather(years=3), calendar(longest=430))
    assert len(table) == 431
    assert table.attrs["crop_end_reason"] == "max_duration"
    assert table["DVS"].is_monotonic_increasing
    assert table["DVS"].iloc[-1] > table["DVS"].iloc[370]


def test_a_given_mean_temperature_drives_development() -> None:
    warm = weather()
    warm["TEMP"] += 2.0
    ripe = [pcse.simulate(parameters("barley"), w, calendar()).index[-1]
            for w in (weather(), warm)]
    assert ripe[1] < ripe[0]


def test_the_compiled_day_gives_the_same_table() -> None:
    plain, compiled = (pcse.simulate(
        parameters("barley"), weather(), calendar(), production="water_limited", compile=compile)
        for compile in (False, True))
    pd.testing.assert_frame_equal(plain, compiled, rtol=1e-9, atol=1e-9)
