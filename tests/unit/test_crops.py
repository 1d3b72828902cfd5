"""The crop catalogue: complete, sourced, inside its bounds, in a sensible order."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
import yaml

from neuralcrop.core.parameters import ParameterError, ParameterTable
from neuralcrop.crops import (
    ALIASES,
    UnknownCropError,
    _value,
    crop_names,
    full_name,
    full_names,
    list_crops,
    load_catalogue,
    load_crop,
    wofost72,
)
from neuralcrop.data.calendars import CROP_RULES, crop_rule
from neuralcrop.models.global_day import GlobalModel

CROPS = crop_names()


def test_the_catalogue_has_the_stated_crops() -> None:
    assert set(CROPS) == {
        "maize", "winter_wheat", "spring_wheat", "rice", "soybean", "sorghum", "millet", "barley",
        "rye", "rapeseed", "sunflower", "cassava", "potato", "sugar_beet", "sugarcane",
        "groundnut", "cotton", "dry_bean", "pea"}
    assert list(CROPS) == sorted(CROPS)


@pytest.mark.parametrize("crop", CROPS)
def test_every_value_has_unit_bounds_and_source(crop: str) -> None:
    for name, record in load_crop(crop)["parameters"].items():
        assert {"value", "units", "bounds", "source"} <= record.keys(), name
        assert isinstance(record["units"], str), name
        assert record["units"], name
        assert len(str(record["source"]).strip()) > 3, name
        lower, upper = record["bounds"]
        assert lower < upper, name
        values = record["value"] if isinstance(record["value"], list) else [record["value"]]
        assert all(lower <= v <= upper for v in values), name


@pytest.mark.parametrize("crop", CROPS)
def test_no_placeholder_is_left(crop: str) -> None:
    for name, record in load_crop(crop)["parameters"].items():
        assert "overridden" not in record["source"], f"{name} keeps the value meant to be replaced"


@pytest.mark.parametrize("crop", CROPS)
def test_the_file_fits_the_model(crop: str) -> None:
    table = ParameterTable(GlobalModel.specs(), load_catalogue((crop,)))
    assert table.crops == (crop,)


@pytest.mark.parametrize("crop", CROPS)
def test_shoot_shares_sum_to_one(crop: str) -> None:
    p = load_catalogue((crop,))[crop]
    shoot = zip(*(p[f"{organ}_share"].value for organ in ("leaf", "stem", "storage")), strict=True)
    for node, shares in enumerate(shoot):
        assert sum(shares) == pytest.approx(1.0, abs=2e-3), f"node {node}"
    assert p["storage_share"].value[0] == 0.0
    assert p["storage_share"].value[-1] >= 0.5


@pytest.mark.parametrize("crop", CROPS)
def test_temperatures_and_thermal_times_are_in_order(crop: str) -> None:
    p = {name: v.value[0] for name, v in load_catalogue((crop,))[crop].items()}
    assert (p["base_temperature"] < p["optimum_temperature"] <= p["ceiling_temperature"]
            < p["maximum_temperature"])
    assert p["emergence_base_temperature"] < p["optimum_temperature"]
    assert p["frost_temperature"] < p["base_temperature"] + 1e-9
    assert p["sterility_temperature"] > p["optimum_temperature"]
    season = p["thermal_time_vegetative"] + p["thermal_time_reproductive"]
    assert p["thermal_time_emergence"] < 0.3 * season
    assert p["vernalisation_base"] < p["vernalisation_saturation"]


def test_winter_crops_alone_need_cold() -> None:
    for crop in CROPS:
        p = {name: v.value[0] for name, v in load_catalogue((crop,))[crop].items()}
        winter = load_crop(crop)["calendar"]["winter"]
        assert (p["vernalisation_saturation"] > 10.0) == winter, crop
        assert (p["photoperiod_critical"] > 0.0) == winter, crop
        assert (p["frost_temperature"] < -10.0) == winter, crop


@pytest.mark.parametrize("crop", CROPS)
def test_sowing_rule_pathway_and_season(crop: str) -> None:
    record, p = load_crop(crop), load_catalogue((crop,))[crop]
    assert crop_rule(crop) == CROP_RULES[crop]
    assert crop_rule(crop).winter == record["calendar"]["winter"]
    c4 = crop in {"maize", "sorghum", "millet", "sugarcane"}
    assert p["c4"].value == (float(c4),)
    assert 90.0 <= p["maximum_season"].value[0] <= 366.0
    # no grain, no loss of grain
    vegetative = crop in {"cassava", "potato", "sugar_beet", "sugarcane"}
    assert (p["sterility_rate"].value[0] == 0.0) == vegetative
    assert record["scientific_name"].split()[0].istitle()


def test_other_names_of_crops() -> None:
    for other, name in ALIASES.items():
        assert name in CROPS
        assert other not in CROPS
        assert load_crop(other) == load_crop(name)
    assert set(crop_names()) == {full_name(c) for c in CROPS}
    assert full_name("wheat", ("wheat",)) == "wheat"
    assert full_names(["peanut", "maize"]).tolist() == ["groundnut", "maize"]
    grid = xr.DataArray(np.array([["canola"], ["pea"]], dtype=object), dims=("lat", "lon"))
    assert full_names(grid).values.tolist() == [["rapeseed"], ["pea"]]
    assert full_names("oats") == "oats"


def test_list_crops_has_a_row_for_each() -> None:
    table = list_crops()
    assert list(table.index) == sorted({*CROPS, *wofost72.crop_names()})
    assert list(table.index[table["models"].str.contains("global")]) == list(CROPS)
    assert table.loc["maize", "models"] == "global, wofost72"
    assert "Grain_maize_201" in table.loc["maize", "varieties"]
    assert table.loc["chickpea", "models"] == "wofost72"
    assert table.loc["rye", "models"] == "global"
    assert table.loc["cassava", "models"] == "global, wofost72"
    assert table.loc["cassava", "reference"] == "https://edepot.wur.nl/218353"
    assert table.loc["maize", "pathway"] == "C4"
    assert table.loc["soybean", "pathway"] == "C3"
    assert bool(table.loc["winter_wheat", "winter"])
    assert table["moisture"].dropna().between(0.0, 0.9).all()
    assert table.loc[list(CROPS), "moisture"].notna().all()


def test_unknown_crops_name_the_nearest_and_the_catalogue() -> None:
    with pytest.raises(UnknownCropError, match="did you mean 'soybean'") as caught:
        load_crop("soybeans")
    assert all(crop in str(caught.value) for crop in CROPS)


def test_an_incomplete_value_names_what_it_lacks() -> None:
    record = yaml.safe_load("{value: 1.0, units: m}")
    with pytest.raises(ParameterError, match=r"oats\.yaml: height lacks bounds, source"):
        _value("oats", "height", record)
