"""Development after anthesis: what goes on of the day length response, and another base."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.processes.phenology import ThermalTimePhenology


def soybean(**changes: float) -> dict[str, Tensor]:
    """Parameters of one cell."""
    model = build_model(ModelSpec(crops=("soybean",)))
    p = model.cell_parameters(torch.zeros(1, dtype=torch.long), torch.float64).detach()
    return dict(model.table.layout.view(p)) | {
        k: torch.tensor([v], dtype=torch.float64) for k, v in changes.items()}


def rate(p: dict[str, Tensor], stage: float, tas: float, photoperiod: float) -> float:
    """Development of a day."""
    one = torch.ones(1, dtype=torch.float64)
    day = ThermalTimePhenology()(
        p, stage * one, 0.0 * one, tas * one, photoperiod * one, None, 1.0)
    return float(day.development_stage)


def test_the_catalogue_responds_neither_to_day_length_nor_to_another_base() -> None:
    p = soybean()
    assert float(p["photoperiod_after_anthesis"]) == 0.0
    assert float(p["reproductive_base_shift"]) == 0.0
    assert rate(p, 1.5, 20.0, 16.0) == pytest.approx((20.0 - 7.0) / 1100.0)


@pytest.mark.parametrize("share", [0.0, 0.7, 1.0])
def test_a_share_of_the_day_length_response_goes_on(share: float) -> None:
    # a short-day crop at 16 h: (16 - 18) / (14 - 18) = 0.5
    p = soybean(photoperiod_optimal=14.0, photoperiod_critical=18.0,
                photoperiod_after_anthesis=share)
    assert rate(p, 0.5, 20.0, 16.0) == pytest.approx(0.5 * 13.0 / 620.0)
    assert rate(p, 1.5, 20.0, 16.0) == pytest.approx((1.0 - 0.5 * share) * 13.0 / 1100.0)
    assert rate(p, 1.5, 20.0, 13.0) == pytest.approx(13.0 / 1100.0)


def test_a_lower_base_ripens_in_the_cool_and_not_faster_in_the_optimum() -> None:
    p = soybean(reproductive_base_shift=-12.0)
    assert rate(p, 0.5, 6.0, 12.0) == 0.0  # before anthesis the base stays at 7 degC
    # 23 degC d at the optimum of 30; from a base of -5 a day of 6 degC is 11 / 35 of it
    assert rate(p, 1.5, 6.0, 12.0) == pytest.approx(23.0 * 11.0 / 35.0 / 1100.0)
    assert rate(p, 1.5, 30.0, 12.0) == pytest.approx(rate(soybean(), 1.5, 30.0, 12.0))


def test_both_have_gradients() -> None:
    p = soybean(photoperiod_optimal=14.0, photoperiod_critical=18.0,
                photoperiod_after_anthesis=0.6, reproductive_base_shift=-5.0)
    names = ("photoperiod_after_anthesis", "reproductive_base_shift")
    one = torch.ones(1, dtype=torch.float64)

    def development(share: Tensor, shift: Tensor) -> Tensor:
        day = ThermalTimePhenology()(
            p | dict(zip(names, (share, shift), strict=True)), 1.5 * one, 0.0 * one, 18.0 * one,
            15.0 * one, None, 1.0)
        return day.development_stage

    assert torch.autograd.gradcheck(
        development, tuple(p[n].clone().requires_grad_() for n in names))
