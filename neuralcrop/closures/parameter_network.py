"""Network from static covariates to bounded crop parameters, in place of a lookup table."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from neuralcrop.closures.mlp import multilayer


class ParameterNetwork(nn.Module):
    r"""Covariates of a place -> offsets of crop parameters in unconstrained space.

    The offset enters `ParameterTable`, which keeps the parameter inside its bounds. The last layer
    starts at zero: before training every cell has the catalogue's value to the last bit.

    Parameters
    ----------
    n_covariates : int
        Number of standardised covariates.
    parameters : mapping of str to int
        Parameter names and their sizes.
    hidden : list of int
        Widths of the hidden layers.
    limit : float
        Offsets are ``limit * tanh(.)``; 3 reaches from 5 % to 95 % of the range around its middle.
    dropout : float
        Share of covariates dropped in training.
    """

    def __init__(
        self, n_covariates: int, parameters: Mapping[str, int], hidden: list[int],
        limit: float = 3.0, dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.sizes = dict(parameters)
        self.limit = limit
        self.dropout = nn.Dropout(dropout)
        self.network = multilayer(n_covariates, hidden, sum(self.sizes.values()))

    def forward(self, covariates: Tensor) -> dict[str, Tensor]:
        """Offsets by parameter.

        Parameters
        ----------
        covariates : Tensor
            ``[covariate, cell]``, standardised.

        Returns
        -------
        dict of str to Tensor
            ``[size, cell]`` by parameter name.
        """
        raw = self.limit * torch.tanh(self.network(self.dropout(covariates.T))).T
        parts = torch.split(raw, list(self.sizes.values()))
        return dict(zip(self.sizes, parts, strict=True))
