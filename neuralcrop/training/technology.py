r"""The trend of yields that weather, soil and CO2 do not explain: breeding and management."""

from __future__ import annotations

from typing import Any, Literal

import torch
from torch import Tensor, nn

Kind = Literal["none", "linear"]

SMALLEST = 0.05
"""Lowest factor, for years far before the reference."""


class Technology(nn.Module):
    r"""Factor on simulated yields.

    .. math:: Y_{obs} = Y_{model}\,(1 + a\,(t - t_0))

    with one slope a for all sites, learnt with the model; :math:`t_0`, the middle of the training
    years, is where the model itself stands. No year enters the model in any other way.

    Parameters
    ----------
    kind : {"none", "linear"}
        Whether there is a trend.
    reference_year : float
        :math:`t_0`.
    """

    percent: Tensor

    def __init__(self, kind: Kind = "none", reference_year: float = 2000.0) -> None:
        super().__init__()
        if kind not in ("none", "linear"):
            raise ValueError(f"technology is {kind!r}, expected none or linear")
        self.kind = kind
        self.reference_year = float(reference_year)
        start = torch.zeros(())
        if kind == "linear":
            self.percent = nn.Parameter(start)
        else:
            self.register_buffer("percent", start)

    def forward(self, yields: Tensor, year: Tensor) -> Tensor:
        """Yields with the trend.

        Parameters
        ----------
        yields : Tensor
            ``[cell]`` of the model, t ha-1.
        year : Tensor
            ``[cell]`` calendar year of the harvest.
        """
        if self.kind == "none":
            return yields
        since = (year - self.reference_year).to(yields.dtype)
        return yields * (1.0 + 0.01 * self.percent * since).clamp_min(SMALLEST)

    def fit(self, yields: Tensor, year: Tensor, observed: Tensor) -> None:
        """Set the slope by least squares, for a model that is not itself trained."""
        if self.kind == "none":
            return
        y, o = yields.double(), observed.double()
        x = 0.01 * y * (year.double() - self.reference_year)
        slope = ((o - y) * x).sum() / (x * x).sum().clamp_min(1e-12)
        with torch.no_grad():
            self.percent.copy_(slope)

    def describe(self) -> dict[str, Any]:
        """What `from_description` needs, for JSON."""
        return {"kind": self.kind, "percent_per_year": self.percent.item(),
                "reference_year": self.reference_year}

    @classmethod
    def from_description(cls, record: dict[str, Any]) -> Technology:
        """Inverse of `describe`."""
        out = cls(record["kind"], record["reference_year"])
        with torch.no_grad():
            out.percent.fill_(record["percent_per_year"])
        return out
