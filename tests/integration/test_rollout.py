"""A batch in parts side by side learns what it learns in one piece."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from neuralcrop.training import rollout as rollouts
from neuralcrop.training.train import Session
from tests.training_runs import MakeConfig


@pytest.mark.slow
def test_parts_give_the_yields_and_gradients_of_the_whole(
    make_config: MakeConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:
    session = Session(make_config(tmp_path), tmp_path)
    rollout, model = session.rollout, session.rollout.model.eval()
    block = next(iter(session.seasons.blocks(session.parts["train"], 8)))
    torch.manual_seed(0)
    with torch.no_grad():  # networks away from zero, where all of their weights count
        for weight in model.parameters():
            weight.add_(0.1 * torch.randn_like(weight))

    def learn() -> tuple[torch.Tensor, list[torch.Tensor | None]]:
        model.zero_grad()
        season = rollout(block)
        (season.yields * torch.linspace(0.5, 1.5, 8)).sum().backward()
        return season.yields.detach(), [q.grad for q in model.parameters()]

    whole, expected = learn()
    outside = torch.get_num_threads()
    monkeypatch.setattr(rollouts, "SMALLEST_PART", 1)
    monkeypatch.setattr(rollout.stepper, "compiled", True)  # chooses parts; the days stay as built
    torch.set_num_threads(2)
    try:
        parts, got = learn()
    finally:
        torch.set_num_threads(outside)
    assert rollout._compiled == {(4, 4)}
    assert float(whole.max()) > 0.0
    torch.testing.assert_close(parts, whole, rtol=1e-5, atol=1e-6)
    assert sum(g is not None and bool((g != 0).any()) for g in expected) > 4
    for a, b in zip(got, expected, strict=True):
        if b is None:
            assert a is None or not a.any()
        else:
            torch.testing.assert_close(a, b, rtol=1e-3, atol=1e-5)
