"""Logs of the terms of the loss: gradient norms, and errors of observations besides yields."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from neuralcrop.data.seasons import Block
from neuralcrop.training.terms import Terms

if TYPE_CHECKING:
    from neuralcrop.training.module import YieldModule


def gradient_norms(module: YieldModule, block: Block) -> dict[str, Tensor]:
    """Norm of the gradient of every weighted term and of the penalty, by what learns.

    Each takes a run of its own: the graph of one need not be kept for the others. The random
    numbers of training stay as they are, and so do its results.

    Returns
    -------
    dict of str to Tensor
        ``gradient_<term>_constants`` and, where networks learn, ``gradient_<term>_networks``.
    """
    groups = {"constants": [p for p in module.constants() if p.requires_grad]}
    if module.learning.networks_rate > 0.0:
        groups["networks"] = [p for p in module.networks() if p.requires_grad]
    wanted = [p for group in groups.values() for p in group]
    out: dict[str, Tensor] = {}
    devices = [block.row.device] if block.row.is_cuda else []
    for name in (*module.terms.weights, "departure"):
        with torch.random.fork_rng(devices), torch.enable_grad():
            season = module.rollout(block)
            if name == "departure":
                term = module.learning.penalty * module.departure(season, block)
            else:
                each = module.terms.each(season.yields, season.others, block, module.technology)
                if name not in each:
                    continue
                term = module.terms.total({name: each[name]})
        if not term.requires_grad:
            continue
        slopes = iter(torch.autograd.grad(term, wanted, allow_unused=True))
        for group, members in groups.items():
            own = [next(slopes) for _ in members]
            squares = [s.square().sum() for s in own if s is not None]
            out[f"gradient_{name}_{group}"] = (
                torch.stack(squares).sum().sqrt() if squares else term.new_zeros(()).detach())
    return out


class KindErrors:
    """Root mean square errors of other observations, collected over blocks.

    Parameters
    ----------
    terms : Terms
        Knows what was observed.
    """

    def __init__(self, terms: Terms) -> None:
        self.terms = terms
        self._sums: dict[str, list[float]] = {}

    def update(self, others: Tensor, block: Block) -> None:
        """Add a block."""
        for k, name in enumerate(self.terms.kinds):
            observed = self.terms.values[k][block.row].to(others.dtype)
            counts = (block.weight > 0.0) & ~torch.isnan(observed)
            square = (others[k] - observed)[counts].double().square().sum()
            held = self._sums.setdefault(name, [0.0, 0.0])
            held[0] += float(square)
            held[1] += float(counts.sum())

    def compute(self) -> dict[str, Tensor]:
        """Errors so far, and start anew."""
        out = {name: torch.tensor((s / n) ** 0.5 if n else float("nan"))
               for name, (s, n) in self._sums.items()}
        self._sums = {}
        return out
