"""A season of crop nitrogen: response to soil nitrogen, balance, fixation, learning."""

from __future__ import annotations

import pytest
import torch

from neuralcrop.closures.base import EquationClosure
from neuralcrop.processes.nitrogen import CropNitrogen, NitrogenStress
from tests.crop_nitrogen_season import F64, SOYBEAN, WHEAT, parameters, season

LEVELS = torch.tensor([0.0, 1.0, 6.0, 20.0, 60.0], dtype=F64)
"""No nitrogen, 10, 60, 200 and 600 kg ha-1."""


@pytest.fixture(scope="module")
def wheat() -> dict:
    return season(parameters(WHEAT, 5), LEVELS)


@pytest.fixture(scope="module")
def soybean() -> dict:
    return season(parameters(SOYBEAN, 5), LEVELS)


@pytest.mark.parametrize("crop", ["wheat", "soybean"])
def test_nitrogen_is_conserved_and_no_pool_is_negative(crop, request) -> None:
    result = request.getfixturevalue(crop)
    assert result["residual"].abs().max() < 1e-12
    assert (result["lowest"] >= -1e-15).all()


def test_yield_and_uptake_rise_and_saturate(wheat) -> None:
    grain, uptake = wheat["carbon"][3], wheat["uptake"]
    assert (grain.diff() > 0.0).all()
    assert (uptake.diff() > 0.0).all()
    assert uptake[0] == 0.0
    per_nitrogen = grain.diff() / LEVELS.diff()
    assert (per_nitrogen[1:].diff() < 0.0).all()
    assert per_nitrogen[-1] < 0.2 * per_nitrogen[1]
    assert grain[2] < 0.5 * grain[3]
    # nearly all of a small dose is found in the crop, not all of a large one
    assert uptake[2] > 0.95 * LEVELS[2]
    assert uptake[4] < 0.7 * LEVELS[4]


def test_plenty_means_no_stress_before_the_grain_fills(wheat) -> None:
    status = wheat["status"]
    assert (status[:60, 4] > 0.98).all()
    assert status[:60, 1].min() < 0.6


def test_concentrations_stay_between_residual_and_highest(wheat) -> None:
    p = parameters(WHEAT, 5)
    grain = wheat["nitrogen"][3] / wheat["carbon"][3] * p["carbon_fraction"]
    assert (grain <= 0.0176 * (1.0 + 1e-9)).all()
    assert (grain >= 0.45 * 0.0176).all()
    assert grain[4] > grain[2]
    leaf = wheat["nitrogen"][0] / wheat["carbon"][0] * p["carbon_fraction"]
    assert (leaf >= 0.004 * (1.0 - 1e-9)).all()


def test_most_nitrogen_ends_in_the_grain(wheat) -> None:
    share = wheat["nitrogen"][3] / (wheat["nitrogen"].sum(dim=0) + wheat["litter"])
    assert (share[2:] > 0.5).all()
    assert (share[2:] < 0.9).all()


def test_legumes_need_no_soil_nitrogen_but_pay_for_it(soybean, wheat) -> None:
    assert soybean["carbon"][3, 0] > 0.5 * soybean["carbon"][3, 4]
    assert wheat["carbon"][3, 0] < 0.05 * wheat["carbon"][3, 4]
    assert (soybean["fixed"].diff()[1:] < 0.0).all()
    torch.testing.assert_close(soybean["spent"], 6.0 * soybean["fixed"])
    assert (wheat["fixed"] == 0.0).all()


@pytest.mark.parametrize(
    "name", ["nitrate_uptake_rate", "leaf_nitrogen_maximum", "nitrogen_capacity_half",
             "translocation_time", "storage_nitrogen_maximum", "nitrogen_leaf_loss"])
def test_slopes_of_a_season_match_differences(name: str) -> None:
    def grain(factor: torch.Tensor) -> torch.Tensor:
        p = parameters(WHEAT, 1)
        p[name] = p[name] * factor
        return season(p, LEVELS[2:3], days=100)["carbon"][3].sum()

    factor = torch.ones((), dtype=F64, requires_grad=True)
    (slope,) = torch.autograd.grad(grain(factor), factor)
    with torch.no_grad():
        step = torch.tensor(1e-6, dtype=F64)
        difference = (grain(1.0 + step) - grain(1.0 - step)) / (2.0 * step)
    assert difference.abs() > 1e-4
    torch.testing.assert_close(slope, difference, rtol=1e-3, atol=1e-6)


def test_slots_hold_equations_and_take_networks(wheat) -> None:
    stress, crop = NitrogenStress(), CropNitrogen()
    assert set(stress.closures()) == {"nitrogen_stress"}
    assert set(crop.closures()) == {"uptake"}
    assert all(isinstance(c, EquationClosure)
               for c in (*stress.closures().values(), *crop.closures().values()))

    class Half(EquationClosure):
        def forward(self, value, features):
            return 0.5 * value

    stress.nitrogen_stress = Half()
    slow = season(parameters(WHEAT, 5), LEVELS, parts=(stress, crop))
    assert (slow["carbon"][3, 2:] < wheat["carbon"][3, 2:]).all()
    assert slow["residual"].abs().max() < 1e-12


def test_seed_gives_leaves_more_than_roots() -> None:
    p = parameters(WHEAT, 2)
    leaf, root = torch.tensor([3.0, 3.0], dtype=F64), torch.tensor([2.0, 0.0], dtype=F64)
    seed = CropNitrogen().seed(p, leaf, root)
    torch.testing.assert_close(seed.sum(dim=0), 0.045 / 0.45 * (leaf + root))
    torch.testing.assert_close(seed[0, 0] / leaf[0], 2.0 * seed[1, 0] / root[0])
    assert seed[1, 1] == 0.0


def test_grain_of_wheat_falls_in_line_with_wofost() -> None:
    """Grain concentration for uptakes of 64, 106, 148 and 204 kg ha-1.

    WOFOST 8.1 (PCSE, Winter_wheat_103): 0.0083, 0.0128, 0.0156 and 0.0175, with another carbon.
    """
    uptake = torch.tensor([6.42, 10.62, 14.82, 20.42], dtype=F64)
    result = season(parameters(WHEAT, 4), uptake)
    concentration = 0.45 * result["nitrogen"][3] / result["carbon"][3]
    expected = torch.tensor([0.00827, 0.01282, 0.01561, 0.01751], dtype=F64)
    torch.testing.assert_close(concentration, expected, rtol=0.25, atol=0.0)


def test_beet_with_much_residual_nitrogen_still_fills_storage() -> None:
    """Nothing can be drawn from leaves at their residual concentration: uptake has to do it."""
    beet = WHEAT | {"leaf_nitrogen_residual": 0.024, "storage_nitrogen_maximum": 0.0096}
    storage = season(parameters(beet, 5), LEVELS)["carbon"][3]
    assert (storage.diff() > 0.0).all()
    assert storage[2] > 0.1 * storage[4]
