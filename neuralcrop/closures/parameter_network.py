"""Network from static covariates to bounded crop parameters, in place of a lookup table."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from neuralcrop.closures.mlp import multilayer
from neuralcrop.closures.series_encoder import SeriesEncoder


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
    encoder : SeriesEncoder, optional
        Gives more inputs from a series of observations of the place.

    Attributes
    ----------
    blind : bool
        The encoder's inputs are those of a place without observations.
    """

    def __init__(
        self, n_covariates: int, parameters: Mapping[str, int], hidden: list[int],
        limit: float = 3.0, dropout: float = 0.0, encoder: SeriesEncoder | None = None,
    ) -> None:
        super().__init__()
        self.sizes = dict(parameters)
        self.limit = limit
        self.dropout = nn.Dropout(dropout)
        self.encoder, self.blind = encoder, False
        n_inputs = n_covariates + (0 if encoder is None else encoder.size)
        self.network = multilayer(n_inputs, hidden, sum(self.sizes.values()))

    @property
    def n_series(self) -> int:
        """Rows of the encoder's series; 0 without one."""
        return 0 if self.encoder is None else len(self.encoder.names)

    def forward(self, covariates: Tensor, series: Tensor | None = None) -> dict[str, Tensor]:
        """Offsets by parameter.

        Parameters
        ----------
        covariates : Tensor
            ``[covariate, cell]``, standardised.
        series : Tensor, optional
            ``[n_series, cell]`` in their own units, rows as `SeriesEncoder.names`; NaN where not
            observed. Without an encoder it is not looked at.

        Returns
        -------
        dict of str to Tensor
            ``[size, cell]`` by parameter name.
        """
        inputs = self.dropout(covariates.T)
        if self.encoder is not None:
            inputs = torch.cat((inputs, self._embedding(series, covariates).T), dim=1)
        raw = self.limit * torch.tanh(self.network(inputs)).T
        parts = torch.split(raw, list(self.sizes.values()))
        return dict(zip(self.sizes, parts, strict=True))

    def _embedding(self, series: Tensor | None, like: Tensor) -> Tensor:
        assert self.encoder is not None
        if series is None or self.blind:
            return like.new_zeros(self.encoder.size, like.shape[1])
        embedding: Tensor = self.encoder(self.encoder.shaped(series))
        return embedding
