"""The crop files are those that the script makes from WOFOST 7.2 and its choices."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import yaml

from neuralcrop.crops import load_crop
from neuralcrop.crops.wofost72 import load_variety
from tests.script_modules import load_script


@pytest.fixture(scope="module")
def maker(repository: Path) -> ModuleType:
    return load_script(repository, "make_crop_catalogue")


def test_files_are_up_to_date(maker: ModuleType) -> None:
    for name, text in maker.pages().items():
        made = (maker.TARGET / f"{name}.yaml").read_text(encoding="utf-8")
        assert made == text, f"run python scripts/make_crop_catalogue.py and commit {name}.yaml"


def test_the_rule_gives_what_the_files_by_hand_have(maker: ModuleType) -> None:
    made = dict(maker.derived("maize", "WOFOST 7.2", 0.471, 1.0))
    by_hand = load_crop("maize")["parameters"]
    for name in (
        "thermal_time_emergence", "thermal_time_vegetative", "thermal_time_reproductive",
        "efficiency_leaf", "efficiency_stem", "efficiency_root", "efficiency_storage",
        "leaf_life_span", "leaf_base_temperature", "emergence_base_temperature",
        "juvenile_growth_rate", "seed_carbon", "extinction", "root_growth_rate",
        "maintenance_leaf", "maintenance_stem", "maintenance_root", "maintenance_storage",
    ):
        assert made[name]["value"] == pytest.approx(by_hand[name]["value"], abs=6e-4), name
    for name in ("root_share", "leaf_share", "stem_share", "storage_share"):
        # node 1 is read a little later
        np.testing.assert_allclose(made[name]["value"], by_hand[name]["value"], atol=0.06)


def test_what_is_not_harvested_counts_as_stem(maker: ModuleType) -> None:
    whole = dict(maker.derived("cotton", "w", 0.5, 1.0))
    part = dict(maker.derived("cotton", "w", 0.5, 0.75))
    shares = np.array([[found[f"{organ}_share"]["value"] for organ in ("stem", "storage")]
                       for found in (whole, part)])
    np.testing.assert_allclose(shares.sum(axis=1)[0], shares.sum(axis=1)[1], atol=2e-4)
    np.testing.assert_allclose(shares[1, 1], 0.75 * shares[0, 1], atol=1e-4)


def test_decline_of_capacity_has_the_mean_of_the_table(maker: ModuleType) -> None:
    p = load_variety("sugarbeet")
    stages = np.linspace(1.0, 2.0, 1001)
    mean = np.interp(stages, p["AMAXTB_x"].value, p["AMAXTB"].value).mean() / 45.0
    decline = dict(maker.derived("sugarbeet", "w", 0.43, 1.0))["capacity_decline"]["value"]
    assert 1.0 - 0.5 * decline == pytest.approx(mean, abs=0.01)


def test_every_choice_is_inside_its_bounds_and_has_a_source(maker: ModuleType) -> None:
    choices = yaml.safe_load(maker.CHOICES.read_text(encoding="utf-8"))
    for crop, record in choices["crops"].items():
        for name, choice in record["parameters"].items():
            if name in ("storage_carbon", "harvested"):
                continue
            value, (lower, upper), source = choice
            assert lower < upper, f"{crop}: {name}"
            assert np.all((np.asarray(value) >= lower) & (np.asarray(value) <= upper)), crop
            assert "{" not in source.format(**choices["sources"])
