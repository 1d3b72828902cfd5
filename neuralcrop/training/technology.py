r"""The trend of yields that weather, soil and CO2 do not explain: breeding and management."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor, nn

from neuralcrop.training.trend_basis import basis, clustered

if TYPE_CHECKING:
    import pandas as pd

    from neuralcrop.training.context import SeasonContext

Kind = Literal["none", "linear"]

SMALLEST = 0.05
"""Lowest factor, for years far before the reference."""


def brief(description: Mapping[str, Any]) -> dict[str, Any]:
    """What a report says of a trend: its description without the data that it rests on."""
    return {k: v for k, v in description.items()
            if k not in ("normals", "remainder", "covariates")}


class Technology(nn.Module):
    r"""Factor on simulated yields.

    .. math:: Y_{obs} = Y_{model}\,(1 + a\,(t - t_0))

    with one slope a for all sites, learnt with the model; :math:`t_0`, the middle of the training
    years, is where the model itself stands. No year enters the model in any other way.
    `neuralcrop.training.trend.Trend` has slopes of regions, smooth trends and levels of sites.

    Parameters
    ----------
    kind : {"none", "linear"}
        Whether there is a trend.
    reference_year : float
        :math:`t_0`.
    """

    percent: Tensor
    detrends = False
    """Whether the model learns yields without the trend, which was fitted before."""
    has_level = False
    """Whether sites have a level of their own."""

    def __init__(self, kind: Kind = "none", reference_year: float = 2000.0) -> None:
        super().__init__()
        if kind not in ("none", "linear"):
            raise ValueError(f"technology is {kind!r}, expected none or linear")
        self.kind: str = kind
        self.reference_year = float(reference_year)
        self.standard_error = float("nan")
        start = torch.zeros(())
        if kind == "linear":
            self.percent = nn.Parameter(start)
        else:
            self.register_buffer("percent", start)

    def attach(self, table: pd.DataFrame, context: SeasonContext | None = None) -> None:
        """Know the samples whose rows later calls name; one trend for all needs nothing of them."""

    def see(self, yields: Tensor, year: Tensor) -> None:
        """Know the simulated yields of all attached samples, ``[row]``, NaN where not run."""

    def spread(self, year: Tensor, row: Tensor) -> Tensor | None:
        """Standard deviation of an observed yield about its prediction, t ha-1, if it is known."""
        return None

    def forward(self, yields: Tensor, year: Tensor, row: Tensor | None = None) -> Tensor:
        """Yields with the trend.

        Parameters
        ----------
        yields : Tensor
            ``[cell]`` of the model, t ha-1.
        year : Tensor
            ``[cell]`` calendar year of the harvest.
        row : Tensor, optional
            ``[cell]`` row of the table of samples (`attach`).
        """
        if self.kind == "none":
            return yields
        since = (year - self.reference_year).to(yields.dtype)
        return yields * (1.0 + 0.01 * self.percent * since).clamp_min(SMALLEST)

    def fit(
        self, yields: Tensor, year: Tensor, observed: Tensor, row: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> None:
        """Set the slope by least squares, for a model that is not itself trained."""
        if self.kind == "none":
            return
        y, o = yields.double(), observed.double()
        w = torch.ones_like(y) if weight is None else weight.double()
        x = 0.01 * y * (year.double() - self.reference_year)
        slope = ((o - y) * x * w).sum() / (x * x * w).sum().clamp_min(1e-12)
        with torch.no_grad():
            self.percent.copy_(slope)

    def assess(
        self, yields: Tensor, year: Tensor, observed: Tensor, row: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> None:
        """Standard error of the slope as it is, from the errors of the training samples.

        Errors of a year go together (`trend_basis.clustered`).
        """
        if self.kind == "none":
            return
        y, o, t = yields.double(), observed.double(), year.double()
        w = torch.ones_like(y) if weight is None else weight.double()
        x = y.unsqueeze(1) * basis(t, self.reference_year)
        error = o - y - x[:, 0] * self.percent.item()
        self.standard_error = float(clustered(x, error, w, t)[0, 0].clamp_min(0.0).sqrt())

    def penalty(self, dtype: torch.dtype) -> Tensor | None:
        """What shrinkage adds to the mean loss of yields; nothing for one slope."""
        return None

    def summary(self) -> str:
        """The trend in words."""
        return f"{self.percent.item():+.2f} ± {self.standard_error:.2f}"

    def describe(self) -> dict[str, Any]:
        """What `from_description` needs, for JSON."""
        return {"kind": self.kind, "percent_per_year": self.percent.item(),
                "standard_error": None if self.standard_error != self.standard_error
                else self.standard_error, "reference_year": self.reference_year}

    @classmethod
    def from_description(cls, record: dict[str, Any]) -> Technology:
        """Inverse of `describe`, of any kind of trend."""
        if "relative" in record:
            from neuralcrop.training.relative import RelativeResponse

            return RelativeResponse.from_description(record)
        if "by" in record:
            from neuralcrop.training.trend import Trend

            return Trend.from_description(record)
        out = Technology(record["kind"], record["reference_year"])
        known = record.get("standard_error")
        out.standard_error = float("nan") if known is None else known
        with torch.no_grad():
            out.percent.fill_(record["percent_per_year"])
        return out
