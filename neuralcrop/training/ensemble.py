"""Several hybrids of different seeds, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import build_model

LOW, HIGH = 0.1, 0.9
"""Quantiles of members that are reported."""


def member_name(seed: int) -> str:
    """Variant of a member."""
    return f"hybrid_seed{seed}"


def first_weights(model: CropModel, seed: int) -> dict[str, Tensor]:
    """Weights of the networks of a model as a run with this seed begins with."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        fresh = build_model(model.spec)
    return {n: p.detach() for n, p in fresh.named_parameters() if not n.startswith("table.")}


def summary(members: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Mean and quantiles over members, ``[row]``."""
    stacked = np.stack(members)
    low, high = np.quantile(stacked, (LOW, HIGH), axis=0)
    return {"mean": stacked.mean(axis=0), "low": low, "high": high}
