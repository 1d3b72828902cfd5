"""The crop catalogue: complete, sourced, inside its bounds, in a sensible order."""

from __future__ import annotations

import pytest
import yaml

from neuralcrop.core.parameters import ParameterError, ParameterTable
from neuralcrop.crops import (
    UnknownCropError,
    _value,
    crop_names,
    list_crops,
    load_catalogue,
    load_crop,
    wofost72,
)
from neuralcrop.models.global_day import GlobalModel

CROPS = crop_names()


def test_the_catalogue_has_the_stated_crops() -> None:
    assert set(CROPS) >= {"maize", "soybean", "rice", "winter_wheat", "spring_wheat"}
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
    assert p["storage_share"].value[-1] == 1.0


@pytest.mark.parametrize("crop", CROPS)
def test_temperatures_and_thermal_times_are_in_order(crop: str) -> None:
    p = {name: v.value[0] for name, v in load_catalogue((crop,))[crop].items()}
    assert (p["base_temperature"] < p["optimum_temperature"] <= p["ceiling_temperature"]
            < p["maximum_temperature"])
    assert p["emergence_base_temperature"] < p["optimum_temperature"]
    assert p["frost_temperature"] < p["base_temperature"] + 1e-9
    assert p["sterility_temperature"] > p["optimum_temperature"]
    assert p["thermal_time_emergence"] < p["thermal_time_vegetative"]
    assert p["vernalisation_base"] < p["vernalisation_saturation"]


def test_wheat_alone_needs_cold() -> None:
    saturation = {c: load_catalogue((c,))[c]["vernalisation_saturation"].value[0] for c in CROPS}
    assert saturation["winter_wheat"] > 10.0
    assert saturation["maize"] <= 0.0


def test_list_crops_has_a_row_for_each() -> None:
    table = list_crops()
    assert list(table.index) == sorted({*CROPS, *wofost72.crop_names()})
    assert list(table.index[table["models"].str.contains("global")]) == list(CROPS)
    assert table.loc["maize", "models"] == "global, wofost72"
    assert "Grain_maize_201" in table.loc["maize", "varieties"]
    assert table.loc["cassava", "models"] == "wofost72"
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
