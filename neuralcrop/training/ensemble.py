"""Several hybrids of different seeds, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import NormalDist

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


def summary(
    members: Sequence[np.ndarray], spreads: Sequence[np.ndarray | None] = ()
) -> dict[str, np.ndarray]:
    """Mean and quantiles over members, ``[row]``.

    Parameters
    ----------
    members : sequence of numpy.ndarray
        Predictions.
    spreads : sequence of numpy.ndarray or None
        Standard deviation of an observation about each; if all are known, the quantiles are those
        of a normal distribution with the variance of members and observations, and ``spread`` is
        its standard deviation.
    """
    stacked = np.stack(members)
    mean = stacked.mean(axis=0)
    known = [s for s in spreads if s is not None]
    if not known or len(known) < len(members):
        low, high = np.quantile(stacked, (LOW, HIGH), axis=0)
        return {"mean": mean, "low": low, "high": high}
    variance = stacked.var(axis=0, ddof=1) if len(stacked) > 1 else 0.0
    spread = np.sqrt(variance + np.mean(np.square(known), axis=0))
    low, high = (mean + NormalDist().inv_cdf(share) * spread for share in (LOW, HIGH))
    return {"mean": mean, "low": low, "high": high, "spread": spread}
