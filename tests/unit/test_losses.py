"""Losses, penalties, technology trend, learning rate."""

from __future__ import annotations

import math

import pytest
import torch

from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.training import losses
from neuralcrop.training.module import FINAL_RATE, rate_share
from neuralcrop.training.technology import SMALLEST, Technology


def test_huber_and_square() -> None:
    predicted, observed = torch.tensor([1.0, 5.0]), torch.tensor([1.5, 2.0])
    weight = torch.ones(2)
    assert losses.misfit(predicted, observed, weight, "mse").item() == pytest.approx(
        0.5 * (0.25 + 9.0) / 2)
    assert losses.misfit(predicted, observed, weight, "huber", 1.0).item() == pytest.approx(
        (0.5 * 0.25 + 2.5) / 2)
    with pytest.raises(ValueError, match="huber or mse"):
        losses.misfit(predicted, observed, weight, "l1")  # type: ignore[arg-type]


def test_masked_cells_do_not_count_even_if_they_are_no_number() -> None:
    predicted = torch.tensor([1.0, float("nan")], requires_grad=True)
    loss = losses.misfit(predicted, torch.tensor([2.0, 2.0]), torch.tensor([1.0, 0.0]))
    loss.backward()
    assert loss.item() == pytest.approx(0.5)
    assert predicted.grad is not None
    assert predicted.grad.tolist() == [-1.0, 0.0]


def test_departure_is_zero_at_the_physics() -> None:
    model = build_model(ModelSpec(
        crops=("maize",), learn=("vcmax25",), network=("vcmax25", "storage_scale"),
        covariates=("a", "b"), closures=("photosynthesis.vcmax",)))
    crop, covariates = torch.zeros(3, dtype=torch.long), torch.randn(2, 3)
    points = losses.feature_points()

    def departures() -> tuple[torch.Tensor, torch.Tensor]:
        p = model.cell_parameters(crop, torch.float64, covariates)
        return (losses.parameter_departure(model, p, crop, torch.ones(3)),
                losses.closure_departure(model, points))

    assert [d.item() for d in departures()] == [0.0, 0.0]
    with torch.no_grad():
        for p in model.parameters():
            p.add_(0.1)
    away = departures()
    assert all(d.item() > 0.0 for d in away)
    sum(away).backward()
    assert all(p.grad is not None for p in model.parameters())


def test_technology_is_a_line_through_the_reference_year() -> None:
    trend = Technology("linear", 2000.0)
    with torch.no_grad():
        trend.percent.fill_(2.0)
    year = torch.tensor([1990.0, 2000.0, 2010.0, 1900.0])
    factors = trend(torch.ones(4), year).tolist()
    assert factors == pytest.approx([0.8, 1.0, 1.2, SMALLEST])
    again = Technology.from_description(trend.describe())
    assert again(torch.ones(4), year).tolist() == factors
    assert list(Technology("none").parameters()) == []
    assert Technology("none")(torch.ones(1), year[:1]).item() == 1.0
    with pytest.raises(ValueError, match="none or linear"):
        Technology("quadratic")  # type: ignore[arg-type]


def test_technology_is_fitted_by_least_squares() -> None:
    trend = Technology("linear", 2000.0)
    year = torch.arange(1990.0, 2011.0)
    simulated = 3.0 + torch.sin(year)
    trend.fit(simulated, year, simulated * (1.0 + 0.013 * (year - 2000.0)))
    assert trend.percent.item() == pytest.approx(1.3, rel=1e-5)


def test_learning_rate() -> None:
    shares = [rate_share(k, 100) for k in range(101)]
    assert shares[0] == pytest.approx(0.2)
    assert max(shares) <= 1.0
    assert shares[-1] == pytest.approx(FINAL_RATE)
    assert all(math.isfinite(s) and s > 0.0 for s in shares)
