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


def weather(wet: float = 1.0) -> pd.DataFrame:
    columns = {k: v[:, 0] for k, v in made_up_weather(DAYS, wet=wet).items()}
    table = pd.DataFrame(columns, index=pd.date_range(str(FIRST), periods=DAYS))
    return table.assign(WIND=2.0, LAT=52.0, ELEV=10.0)


def calendar(events: Any = None) -> list[dict[str, Any]]:
    return [{str(FIRST): {
        "CropCalendar": {
            "crop_name": "barley", "variety_name": "any", "crop_start_date": str(FIRST),
            "crop_start_type": "emergence", "crop_end_date": None, "crop_end_type": "maturity",
            "max_duration": 140},
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
