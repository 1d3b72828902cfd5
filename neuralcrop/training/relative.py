r"""Yields relative to their own mean, about the trend that each site has in its observed yields."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from neuralcrop.training.technology import SMALLEST, Technology
from neuralcrop.training.trend import Trend
from neuralcrop.training.trend_basis import TINY

if TYPE_CHECKING:
    import pandas as pd

LARGEST_RESPONSE = 1.5
"""Largest response; 1 is that of the simulated yields."""

LEAST_MEAN = 0.05
"""Lowest mean of simulated yields that others are divided by, t ha-1."""


class RelativeResponse(Technology):
    r"""Trend of observed yields, and about it the relative departures of simulated ones.

    .. math:: Y_{obs}(s, t) = L_s(t) \left(1 + b \left(
       \frac{Y_{model}(s, t)}{\overline{Y}_{model}(s)} - 1\right)\right)

    :math:`L_s` is the line (or spline) through the observed yields of the training years of a
    site, with its slope shrunk towards the common one (`Trend`, fitted before); the mean is that of
    the simulated yields of the same years. So weather acts through the model alone, and level and
    technology through the line alone: what a field yields more than the next for other reasons is
    not asked of the model's parameters. The response b, 0 to 1.5, is one number that is learnt: a
    county's yield varies less than that of a field, whose weather it has.

    Sites that training has not seen have the mean of lines and means of the nearest five.

    Parameters
    ----------
    kind : {"linear", "smooth"}
        Form of the line in time.
    years : tuple of int
        First and last training year.
    places : DataFrame or mapping
        Training places: ``lat``, ``lon``.
    slope_sd : float
        Prior standard deviation of the departure of slopes from the common one, % a year.
    """

    levels: Tensor
    means: Tensor

    def __init__(
        self, kind: str = "linear", years: tuple[int, int] = (1990, 2010),
        places: pd.DataFrame | Mapping[str, Sequence[Any]] | None = None, slope_sd: float = 0.5,
    ) -> None:
        nn.Module.__init__(self)
        self.line = Trend(kind, "site", "before", years, places, slope_sd=slope_sd)
        self.kind, self.reference_year = kind, self.line.reference_year
        n = len(self.line.places)
        self.register_buffer("levels", torch.zeros(n))
        self.register_buffer("means", torch.ones(n))
        self.raw = nn.Parameter(torch.tensor(_unbounded(1.0)))

    @property
    def response(self) -> Tensor:
        """The response b."""
        return LARGEST_RESPONSE * torch.sigmoid(self.raw)

    @property
    def percent(self) -> Tensor:  # type: ignore[override]
        """Common slope of the lines, % a year."""
        return self.line.percent

    @property
    def standard_error(self) -> float:  # type: ignore[override]
        """Of the common slope in the last training year."""
        return self.line.standard_error

    def attach(self, table: pd.DataFrame) -> None:
        """Know the samples whose rows later calls name."""
        self.line.attach(table)

    def expected(self, year: Tensor, row: Tensor, dtype: torch.dtype) -> Tensor:
        """Line of the site, t ha-1, ``[cell]``."""
        level = self.levels[self.line.near[row]].mean(dim=-1)
        return level.to(dtype) * self.line.trend(year, row, dtype)

    def forward(
        self, yields: Tensor, year: Tensor, row: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> Tensor:
        """Yields about the line.

        Parameters
        ----------
        yields, year, row
            As for `Technology.forward`.
        weight : Tensor, optional
            ``[cell]``; while training, above 0 for cells that count: the block then holds all
            training years of its sites, whose means are taken, and kept for other calls.
        """
        if row is None:
            raise ValueError("yields relative to those of a site need the rows of the samples")
        near = self.line.near[row]
        mean = self.means[near].mean(dim=-1).to(yields.dtype)
        if weight is not None:
            mean = self._means_of(yields, weight, near[:, 0])[near[:, 0]]
        departure = yields / mean.clamp_min(LEAST_MEAN) - 1.0
        factor = 1.0 + self.response.to(yields.dtype) * departure
        return self.expected(year, row, yields.dtype) * factor.clamp_min(SMALLEST)

    def _means_of(self, yields: Tensor, weight: Tensor, place: Tensor) -> Tensor:
        """Means of places, those of the block anew and kept."""
        old = self.means.to(yields.dtype)
        total = torch.zeros_like(old).index_add(0, place, weight.to(old.dtype))
        kept = torch.where(weight > 0.0, yields * weight, 0.0)
        found = torch.zeros_like(old).index_add(0, place, kept) / total.clamp_min(TINY)
        now = torch.where(total > 0.0, found, old)
        with torch.no_grad():
            self.means.copy_(now)
        return now

    @torch.no_grad()
    def fit_before(
        self, year: Tensor, observed: Tensor, row: Tensor, weight: Tensor | None = None
    ) -> None:
        """Lines of observed yields, t ha-1, ``[cell]``."""
        self.line.fit_before(year, observed, row, weight)
        self.cpu()
        factor = self.line.trend(year, row, torch.float64)
        w = torch.ones_like(factor) if weight is None else weight.double()
        place = self.line.near[row, 0]
        up = torch.zeros(len(self.levels), dtype=torch.float64)
        down = up.clone().index_add_(0, place, w * factor * factor)
        up.index_add_(0, place, w * factor * observed.double())
        self.levels.copy_(up / down.clamp_min(TINY))

    @torch.no_grad()
    def fit(
        self, yields: Tensor, year: Tensor, observed: Tensor, row: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> None:
        """Means of simulated yields, and the response by least squares."""
        assert row is not None
        self.assess(yields, year, observed, row, weight)
        w = torch.ones_like(yields) if weight is None else weight.to(yields.dtype)
        mean = self.means[self.line.near[row]].mean(dim=-1).to(yields.dtype)
        expected = self.expected(year, row, yields.dtype)
        x = expected * (yields / mean.clamp_min(LEAST_MEAN) - 1.0)
        best = float((w * x * (observed - expected)).sum() / (w * x * x).sum().clamp_min(TINY))
        self.raw.fill_(_unbounded(best))

    @torch.no_grad()
    def assess(
        self, yields: Tensor, year: Tensor, observed: Tensor, row: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> None:
        """Means of the simulated yields of a model as it is now."""
        assert row is not None
        self.cpu()
        w = torch.ones_like(yields) if weight is None else weight.to(yields.dtype)
        self._means_of(yields, w, self.line.near[row, 0])

    def summary(self) -> str:
        """The trend in words."""
        return f"{self.line.summary()}, response {self.response.item():.2f}"

    def describe(self) -> dict[str, Any]:
        """What `from_description` needs, for JSON."""
        return {"relative": self.line.describe(), "levels": self.levels.tolist(),
                "means": self.means.tolist(), "raw": self.raw.item(), "kind": self.kind,
                "response": self.response.item(), "reference_year": self.reference_year,
                "percent_per_year": self.percent.item()}

    @classmethod
    def from_description(cls, record: dict[str, Any]) -> RelativeResponse:
        """Inverse of `describe`."""
        line = record["relative"]
        out = cls(line["kind"], tuple(line["years"]), line["places"], line["slope_sd"])
        out.line = Trend.from_description(line)
        with torch.no_grad():
            for name in ("levels", "means"):
                getattr(out, name).copy_(torch.tensor(record[name]))
            out.raw.fill_(record["raw"])
        return out


def _unbounded(response: float) -> float:
    share = min(max(response / LARGEST_RESPONSE, 0.02), 0.98)
    return math.log(share / (1.0 - share))
