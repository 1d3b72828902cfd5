"""Another sharing of the same total by a small network."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neuralcrop.closures.base import FEATURE_NAMES, Features, NetworkClosure
from neuralcrop.closures.mlp import logarithm_of, multilayer
from neuralcrop.core.numerics import row_sum, safe_div


class RepartitionClosure(NetworkClosure):
    r"""Shares of an equation, shared anew by bounded logits of a network.

    .. math::

        y_i = \frac{s_i\,e^{l_i}}{\sum_j s_j\,e^{l_j}} \sum_j s_j, \qquad
        l_i = \tfrac12 \ln(\mathrm{bound})\,\tanh f_i(\mathrm{features})

    which is the softmax of :math:`\ln s_i + l_i` without the logarithm of a share that is zero:
    zero stays zero. Shares stay non-negative and keep their sum, each lies between 1/bound and
    bound times that of the equation, and with the last layer at zero they are those of the
    equation to the last bit.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    bound : float
        Largest factor on a share, above 1.
    features : sequence of str
        What the network sees.
    n_shares : int
        Number of shares.
    """

    keeps_sum = True

    def __init__(
        self, hidden: Sequence[int], bound: float = 2.0, features: Sequence[str] = FEATURE_NAMES,
        n_shares: int = 4,
    ) -> None:
        limit = 0.5 * logarithm_of(bound)
        super().__init__(multilayer(len(features), hidden, n_shares), limit, features)

    def forward(self, value: Tensor, features: Features | None) -> Tensor:
        """Shares ``[share, cell]`` in place of ``value``."""
        weight = torch.exp(self.logarithms(features))
        # one factor for all: exactly 1 where the weights are
        scale = safe_div(row_sum(value), row_sum(value * weight), 1.0)
        return value * (weight * scale)
