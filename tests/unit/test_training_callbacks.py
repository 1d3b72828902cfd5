"""Moving averages, frozen groups, gradient norms and spikes, shares of batches, ensembles."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.training import ensemble
from neuralcrop.training.ema import CURRENT, Averaged
from neuralcrop.training.module import FINAL_RATE, rate_share
from neuralcrop.training.records import bound_shares
from neuralcrop.training.watch import NEEDED, SPIKE, Freeze, GradientWatch, group_of


class Module(nn.Module):
    """Weights with the names of the training module, and a log."""

    def __init__(self) -> None:
        super().__init__()
        self.model = build_model(ModelSpec(
            crops=("maize",), learn=("vcmax25",), network=("vcmax25",), network_hidden=(2,),
            covariates=("clay",), closures=("photosynthesis.vcmax",)))
        self.technology = nn.Linear(1, 1)
        self.logged: dict[str, float] = {}

    def log_dict(self, values: dict[str, float], **kwargs: Any) -> None:
        self.logged |= values


BLOCK: Any = SimpleNamespace(n_samples=3, row=torch.tensor([4, 9, 2, 4]),
                             weight=torch.tensor([1.0, 1.0, 1.0, 0.0]))
TRAINER: Any = SimpleNamespace(current_epoch=0, global_step=0)


def step(watch: GradientWatch, module: Any, size: float) -> None:
    optimizer = torch.optim.SGD(module.parameters(), lr=0.1)
    for weight in module.parameters():
        weight.grad = torch.full_like(weight, size)
    watch.on_train_batch_start(TRAINER, module, BLOCK, 0)
    watch.on_before_optimizer_step(TRAINER, module, optimizer)


def test_weights_belong_to_groups() -> None:
    groups = {group_of(name) for name, _ in Module().named_parameters()}
    assert groups == {"network", "constants", "closures", "trend"}


def test_norms_by_group() -> None:
    watch, module = GradientWatch(), Module()
    step(watch, module, 2.0)
    n = sum(p.numel() for p in module.model.network.parameters())  # type: ignore[union-attr]
    assert module.logged["gradient_network"] == pytest.approx(2.0 * n ** 0.5)
    assert module.logged["gradient_constants"] == pytest.approx(2.0)
    whole = sum(p.numel() for p in module.parameters())
    assert watch.norms == [pytest.approx(2.0 * whole ** 0.5)]


@pytest.mark.parametrize("skip", [False, True])
def test_spikes_are_reported_and_left_out(skip: bool, caplog: pytest.LogCaptureFixture) -> None:
    watch, module = GradientWatch(skip), Module()
    for _ in range(NEEDED):
        step(watch, module, 1.0)
    with caplog.at_level(logging.WARNING):
        step(watch, module, 0.99 * SPIKE)
        assert not caplog.records
        step(watch, module, 1.01 * SPIKE)
    assert watch.spikes == 1
    assert "block of 3 samples: 4, 9, 2" in caplog.text
    assert all((p.grad is None) == skip for p in module.parameters())
    again = GradientWatch(skip)
    again.load_state_dict(watch.state_dict())
    assert again.norms == watch.norms
    assert len(watch.norms) == NEEDED + 2 - skip


def test_numbers_that_are_none_are_left_to_the_guard() -> None:
    watch, module = GradientWatch(True), Module()
    step(watch, module, float("nan"))
    assert watch.norms == []
    assert all(p.grad is not None for p in module.parameters())


def test_frozen_groups_do_not_move() -> None:
    module: Any = Module()
    before = {n: p.detach().clone() for n, p in module.named_parameters()}
    optimizer = torch.optim.AdamW(module.parameters(), lr=0.1, weight_decay=0.1)
    for weight in module.parameters():
        weight.grad = torch.ones_like(weight)
    Freeze(("constants", "closures")).on_before_optimizer_step(TRAINER, module, optimizer)
    optimizer.step()
    moved = {group_of(n) for n, p in module.named_parameters() if not torch.equal(p, before[n])}
    assert moved == {"network", "trend"}


def test_the_average_validates_and_training_goes_on() -> None:
    module: Any = nn.Linear(1, 1, bias=False)
    nn.init.constant_(module.weight, 0.0)
    average = Averaged(0.75)
    average.on_fit_start(TRAINER, module)
    expected = 0.0
    for k in range(1, 4):
        nn.init.constant_(module.weight, float(k))
        average.on_train_batch_end(TRAINER, module, None, None, 0)
        expected = 0.75 * expected + 0.25 * k
    average.on_validation_epoch_start(TRAINER, module)
    assert module.weight.item() == pytest.approx(expected)
    average.on_validation_epoch_end(TRAINER, module)
    assert module.weight.item() == 3.0
    checkpoint: dict[str, Any] = {"state_dict": dict(module.state_dict())}
    average.on_save_checkpoint(TRAINER, module, checkpoint)
    assert checkpoint["state_dict"]["weight"].item() == pytest.approx(expected)
    assert checkpoint[CURRENT]["weight"].item() == 3.0
    other: Any = nn.Linear(1, 1, bias=False)
    again = Averaged(0.75)
    again.on_load_checkpoint(TRAINER, other, checkpoint)
    again.on_fit_start(TRAINER, other)
    assert other.weight.item() == 3.0
    again.on_validation_epoch_start(TRAINER, other)
    assert other.weight.item() == pytest.approx(expected)


def test_constant_rate() -> None:
    assert rate_share(0, 100, "constant") < 1.0
    assert rate_share(99, 100, "constant") == 1.0
    assert rate_share(100, 100) == pytest.approx(FINAL_RATE)


def test_what_an_ensemble_says() -> None:
    members = [np.array([1.0, np.nan]), np.array([2.0, np.nan]), np.array([6.0, np.nan])]
    found = ensemble.summary(members)
    assert found["mean"][0] == pytest.approx(3.0)
    assert found["low"][0] == pytest.approx(1.2)
    assert found["high"][0] == pytest.approx(5.2)
    assert np.isnan(found["mean"][1])
    # with the spread of observations about each member
    wide = ensemble.summary(members, [np.array([2.0, 1.0])] * 3)
    assert wide["spread"][0] == pytest.approx(np.sqrt(7.0 + 4.0))
    assert wide["high"][0] - wide["mean"][0] == pytest.approx(1.2816 * wide["spread"][0], rel=1e-3)
    one = ensemble.summary(members[:1], [np.array([0.5, 1.0])])
    assert one["low"][0] == pytest.approx(1.0 - 1.2816 * 0.5, rel=1e-3)
    assert "spread" not in ensemble.summary(members, [np.array([2.0, 1.0]), None, None])


def test_seeds_give_first_weights() -> None:
    model = Module().model
    weights = [ensemble.first_weights(model, k) for k in (0, 0, 1)]
    name = "network.network.0.weight"
    assert torch.equal(weights[0][name], weights[1][name])
    assert not torch.equal(weights[0][name], weights[2][name])
    assert not any(n.startswith("table.") for n in weights[0])


def test_values_at_their_bounds() -> None:
    values = torch.tensor([0.0, 0.009, 0.011, 0.5, 0.995])
    assert bound_shares(values, 0.0, 1.0) == (pytest.approx(0.4), pytest.approx(0.2))
