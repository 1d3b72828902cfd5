"""Bounded multiplicative correction of an equation by a small network."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor, nn

from neuralcrop.closures.base import FEATURE_NAMES, Features, NetworkClosure


def zero_last(network: nn.Sequential) -> nn.Sequential:
    """Set the last layer to zero, so that the network starts at exactly zero."""
    last = network[-1]
    assert isinstance(last, nn.Linear)
    nn.init.zeros_(last.weight)
    nn.init.zeros_(last.bias)
    return network


def multilayer(n_in: int, hidden: Sequence[int], n_out: int) -> nn.Sequential:
    """Linear layers with tanh between them; the last layer is zero."""
    sizes = [n_in, *hidden]
    layers: list[nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [nn.Linear(a, b), nn.Tanh()]
    layers.append(nn.Linear(sizes[-1], n_out))
    return zero_last(nn.Sequential(*layers))


def logarithm_of(bound: float) -> float:
    """Logarithm of the largest factor.

    Raises
    ------
    ValueError
        If the factor is not above 1.
    """
    if bound <= 1.0:
        raise ValueError(f"closure bound is {bound}, expected a factor above 1")
    return math.log(bound)


class ScaleClosure(NetworkClosure):
    r"""Equation times a bounded factor of a network.

    .. math:: y = y_0 \exp(s \tanh f(\mathrm{features})), \qquad s = \ln(\mathrm{bound})

    The network's last layer starts at zero, so :math:`y = y_0` exactly at the start, and
    :math:`y_0/\mathrm{bound} \le y \le y_0\,\mathrm{bound}` always.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    bound : float
        Largest factor, above 1; science keeps it at or below 2.
    features : sequence of str
        What the network sees.
    """

    def __init__(
        self, hidden: Sequence[int], bound: float = 2.0, features: Sequence[str] = FEATURE_NAMES,
    ) -> None:
        limit = logarithm_of(bound)
        super().__init__(multilayer(len(features), hidden, 1), limit, features)

    def forward(self, value: Tensor, features: Features | None) -> Tensor:
        """Return the bounded correction of ``value`` (any shape ending in cells)."""
        return value * torch.exp(self.logarithms(features)[0])
