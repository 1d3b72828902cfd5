r"""Yields relative to their own mean, about the trend that each site has in its observed yields."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor, nn

from neuralcrop.data import neighbours
from neuralcrop.training.context import FEW_YEARS, Normals, SeasonContext, kilometres
from neuralcrop.training.kriging import kriging_weights
from neuralcrop.training.remainder import Priors, Remainder, likeness, points_of
from neuralcrop.training.technology import SMALLEST, Technology
from neuralcrop.training.trend import Trend
from neuralcrop.training.trend_basis import TINY

if TYPE_CHECKING:
    import pandas as pd

LARGEST_RESPONSE = 1.5
"""Largest response; 1 is that of the simulated yields."""

LARGEST_SATURATION = 20.0
"""Largest saturation; 0 is a response in proportion."""

SATURATIONS = (0.05, 0.2, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0)
"""Where a fit looks for the saturation."""

PRIOR_YEARS, PRIOR_DEPARTURE = 4.0, 0.2
"""The prior of a response of 1 counts as so many years with simulated departures of that size."""

LEAST_MEAN = 0.05
"""Lowest mean of simulated yields that others are divided by, t ha-1."""


class RelativeResponse(Technology):
    r"""Trend of observed yields, and about it the relative departures of simulated ones.

    .. math:: Y_{obs}(s, t) = L_s(t) \left(1 + b\,\big(f(y) - \overline{f}_s\big) + r(s, t)\right),
       \qquad f(y) = (1 + c) \frac{y - 1}{1 + c\,y}, \qquad
       y = \frac{Y_{model}(s, t)}{\overline{Y}_{model}(s)}

    :math:`L_s` is the line (or spline) through the observed yields of the training years of a
    site, with its slope shrunk towards the common one (`Trend`, fitted before); means are those of
    the simulated yields of the same years. So weather acts through the model alone, and level and
    technology through the line alone: what a field yields more than the next for other reasons is
    not asked of the model's parameters. The response b, 0 to 1.5, and its saturation c, 0 to 20,
    are two numbers that are learnt: a county's yield varies less than that of a field, whose
    weather it has, and gains less from a good season than it loses in a bad one, as something else
    comes to limit it (the law of diminishing returns; c = 0 is proportional, large c a hyperbola).

    The remainder r, if asked for, is fitted last to what the model leaves (`Remainder`); it is
    bounded, and `without_remainder` leaves it out.

    Sites that training has not seen have the mean of lines and means of the nearest five; where
    the context of samples is known, levels by kriging and the means of their own simulated yields.

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
        # of simulated yields, and of what the response makes of them
        self.register_buffer("means", torch.stack((torch.ones(n), torch.zeros(n))))
        self.raw = nn.Parameter(torch.tensor(_unbounded(1.0, LARGEST_RESPONSE)))
        self.raw_saturation = nn.Parameter(torch.tensor(
            _unbounded(SATURATIONS[0], LARGEST_SATURATION)))
        self.normals: Normals | None = None
        self.covariates = np.zeros((n, 0))
        self.remainder: Remainder | None = None
        self.context: SeasonContext | None = None
        self._forget()

    def _forget(self) -> None:
        """What is known of the rows of a table."""
        self._place = np.zeros(0, dtype=np.int64)
        self._seen = np.zeros(0, dtype=bool)
        self._kriged: tuple[Tensor, Tensor] | None = None
        self._own_means: Tensor | None = None
        self._extra: tuple[Tensor, Tensor] | None = None

    @property
    def response(self) -> Tensor:
        """The response b."""
        return LARGEST_RESPONSE * torch.sigmoid(self.raw)

    @property
    def saturation(self) -> Tensor:
        """The saturation c."""
        return LARGEST_SATURATION * torch.sigmoid(self.raw_saturation)

    @property
    def percent(self) -> Tensor:  # type: ignore[override]
        """Common slope of the lines, % a year."""
        return self.line.percent

    @property
    def standard_error(self) -> float:  # type: ignore[override]
        """Of the common slope in the last training year."""
        return self.line.standard_error

    def attach(self, table: pd.DataFrame, context: SeasonContext | None = None) -> None:
        """Know the samples whose rows later calls name, and what surrounds them."""
        self._forget()
        self.line.attach(table)
        self.context = context
        where = neighbours.distinct(table)
        self._place = np.array(neighbours.rows_of(table, where))
        self._seen = neighbours.nearest(where, self.line.places)[1][self._place]
        self._krige()
        if context is not None and self.remainder is not None:
            self.expect_remainder(np.arange(len(table)))

    def _krige(self) -> None:
        """Training places and weights that the level of each sample is taken from."""
        if self.context is None or self.normals is None or self._seen.all():
            return
        places, context = self.line.places, self.context
        first = np.unique(self._place, return_index=True)[1]
        covariates = self.normals.standard_covariates(context)[first]
        there = [places[c].to_numpy(float) for c in ("lat", "lon")]
        index, weights = kriging_weights(
            kilometres(context.lat[first], context.lon[first], *there), kilometres(*there, *there),
            likeness(covariates, self.covariates), likeness(self.covariates, self.covariates))
        # a known place is itself alone
        known, own = self._seen[first], self.line.near[:, 0].cpu().numpy()[first]
        index[known], weights[known] = own[known, None], 0.0
        weights[known, 0] = 1.0
        row = self._place
        self._kriged = torch.from_numpy(index[row]), torch.from_numpy(weights[row])

    def expected(self, year: Tensor, row: Tensor, dtype: torch.dtype) -> Tensor:
        """Line of the site, t ha-1, ``[cell]``."""
        if self._kriged is None:
            level = self.levels[self.line.near[row]].mean(dim=-1)
            return level.to(dtype) * self.line.trend(year, row, dtype)
        index, weights = (v.to(row.device)[row] for v in self._kriged)
        lines = self.levels[index].to(dtype) * self.line.trend_of(year, index, dtype)
        return (lines * weights.to(dtype)).sum(dim=-1)

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
            training years of its sites, whose means are taken, and kept for other calls. The
            remainder is left out.
        """
        if row is None:
            raise ValueError("yields relative to those of a site need the rows of the samples")
        line = self.expected(year, row, yields.dtype)
        factor = 1.0 + self.departure(yields, row, weight)
        if weight is None and self._extra is not None:
            factor = factor + self._extra[0].to(yields)[row]
        return line * factor.clamp_min(SMALLEST)

    def departure(self, yields: Tensor, row: Tensor, weight: Tensor | None = None) -> Tensor:
        """What the response makes of the departure of simulated yields, relative to the line."""
        near = self.line.near[row]
        if weight is None:
            means = self.means[:, near].mean(dim=-1).to(yields.dtype)
            if self._own_means is not None:
                own = self._own_means.to(yields)[:, row]
                means = torch.where(torch.isnan(own), means, own)
        else:
            means = self._means_of(yields, weight, near[:, 0])[:, near[:, 0]]
        f = self._saturated(yields / means[0].clamp_min(LEAST_MEAN))
        return self.response.to(yields.dtype) * (f - means[1])

    def _saturated(self, y: Tensor, saturation: Tensor | float | None = None) -> Tensor:
        """The function f of relative yields."""
        c = self.saturation if saturation is None else saturation
        return (1.0 + c) * (y - 1.0) / (1.0 + c * y)

    def _means_of(self, yields: Tensor, weight: Tensor, place: Tensor) -> Tensor:
        """Means of places, ``[2, place]``, those of the block anew and kept."""
        old = self.means.to(yields.dtype)
        total = torch.zeros_like(old[0]).index_add(0, place, weight.to(old.dtype))

        def mean(values: Tensor, before: Tensor) -> Tensor:
            kept = torch.where(weight > 0.0, values * weight, 0.0)
            found = torch.zeros_like(before).index_add(0, place, kept) / total.clamp_min(TINY)
            return torch.where(total > 0.0, found, before)

        level = mean(yields, old[0])
        f = self._saturated(yields / level[place].clamp_min(LEAST_MEAN))
        now = torch.stack((level, mean(f, old[1])))
        with torch.no_grad():
            self.means.copy_(now)
        return now

    @torch.no_grad()
    def see(self, yields: Tensor, year: Tensor) -> None:
        """Means of the simulated yields of places that training has not seen.

        Parameters
        ----------
        yields, year : Tensor
            ``[row]`` of all attached samples; yields that are not simulated are NaN.
        """
        self._own_means = None
        if self._seen.all():
            return
        first, last = self.line.years
        counts = torch.isfinite(yields) & (year >= first) & (year <= last)
        counts &= ~torch.from_numpy(self._seen).to(yields.device)
        place = torch.from_numpy(self._place).to(yields.device)
        n = torch.zeros(int(place.max()) + 1, dtype=yields.dtype, device=yields.device)

        def mean(values: Tensor) -> Tensor:
            kept = torch.where(counts, values, 0.0)
            return (torch.zeros_like(n).index_add(0, place, kept) / total)[place]

        total = n.index_add(0, place, counts.to(n.dtype))
        total = torch.where(total >= FEW_YEARS, total, torch.nan)
        level = mean(yields)
        self._own_means = torch.stack(
            (level, mean(self._saturated(yields / level.clamp_min(LEAST_MEAN)))))

    # --- fits

    @torch.no_grad()
    def fit_before(
        self, year: Tensor, observed: Tensor, row: Tensor, weight: Tensor | None = None
    ) -> None:
        """Lines of observed yields, t ha-1, ``[cell]``; level ones with fewer than `FEW_YEARS`."""
        self.line.fit_before(year, observed, row, weight)
        self.cpu()
        if len(torch.unique(year)) < FEW_YEARS:
            self.line.common.zero_()
            self.line.own.zero_()
        factor = self.line.trend(year, row, torch.float64)
        w = torch.ones_like(factor) if weight is None else weight.double()
        place = self.line.near[row, 0]
        up = torch.zeros(len(self.levels), dtype=torch.float64)
        down = up.clone().index_add_(0, place, w * factor * factor)
        up.index_add_(0, place, w * factor * observed.double())
        self.levels.copy_(up / down.clamp_min(TINY))
        if self.context is not None:
            self.normals = Normals.of(self.context, row.numpy())
            standard = self.normals.standard_covariates(self.context)
            self.covariates = np.zeros((len(self.levels), standard.shape[1]))
            self.covariates[place.numpy()] = standard[row.numpy()]
            self._krige()

    @torch.no_grad()
    def fit(
        self, yields: Tensor, year: Tensor, observed: Tensor, row: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> None:
        """Means of simulated yields; response and saturation by least squares.

        A few ordinary years hardly tell the response: it is then near that of the simulated yields,
        and with fewer than `FEW_YEARS` proportional to them.
        """
        assert row is not None
        w = torch.ones_like(yields) if weight is None else weight.to(yields.dtype)
        line = self.expected(year, row, yields.dtype)
        best: tuple[float, float, float] | None = None
        n_years = len(torch.unique(year))
        prior = PRIOR_YEARS / n_years * PRIOR_DEPARTURE**2 * float((w * line * line).sum())
        for c in SATURATIONS if n_years >= FEW_YEARS else SATURATIONS[:1]:
            self.raw_saturation.fill_(_unbounded(c, LARGEST_SATURATION))
            self.assess(yields, year, observed, row, weight)
            x = line * self.departure(yields, row) / self.response.to(yields.dtype)
            along = float((w * x * (observed - line)).sum()) + prior
            b = along / max(float((w * x * x).sum()) + prior, TINY)
            b = min(max(b, 0.02 * LARGEST_RESPONSE), 0.98 * LARGEST_RESPONSE)
            error = float((w * (observed - line - b * x).square()).sum()) + prior * (b - 1.0) ** 2
            if best is None or error < best[0]:
                best = (error, b, c)
        assert best is not None
        self.raw.fill_(_unbounded(best[1], LARGEST_RESPONSE))
        self.raw_saturation.fill_(_unbounded(best[2], LARGEST_SATURATION))
        self.assess(yields, year, observed, row, weight)

    @torch.no_grad()
    def assess(
        self, yields: Tensor, year: Tensor, observed: Tensor, row: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> None:
        """Means of the simulated yields of a model as it is now; a remainder is forgotten."""
        assert row is not None
        self.cpu()
        self.remainder = self._extra = None
        w = torch.ones_like(yields) if weight is None else weight.to(yields.dtype)
        self._means_of(yields, w, self.line.near[row, 0])

    # --- the remainder

    @torch.no_grad()
    def fit_remainder(
        self, yields: Tensor, year: Tensor, observed: Tensor, row: Tensor,
        priors: Priors | None = None, like: Remainder | None = None,
    ) -> None:
        """Fit what the model, as it was assessed, leaves of the training samples.

        Another one of the same samples, ``like``, saves the solution of their covariance.
        """
        if self.context is None or self.normals is None:
            raise ValueError("a remainder needs the context of the samples")
        line = self.expected(year, row, torch.float64)
        left = observed.double() / line - 1.0 - self.departure(yields, row).double()
        points = points_of(self.normals, self.context).rows(row.numpy())
        self.remainder = Remainder(self.normals, points, left.numpy(), priors, like)

    def expect_remainder(self, rows: np.ndarray) -> None:
        """Expect the remainder of some attached samples; that of others stays zero.

        Training samples are expected from all other years: what is said of a yield does not rest on
        it.
        """
        assert self.context is not None
        assert self.remainder is not None
        mean, sd = np.zeros(len(self.context)), np.full(len(self.context), np.nan)
        learnt = self.remainder.find(self.context)
        seen = rows[learnt[rows] >= 0]
        new = rows[learnt[rows] < 0]
        if len(seen):
            m, s = self.remainder.left_out()
            mean[seen], sd[seen] = m[learnt[seen]], s[learnt[seen]]
        if len(new):
            mean[new], sd[new] = self.remainder.predict(self.context, new)
        self._extra = (torch.from_numpy(mean), torch.from_numpy(sd))

    def without_remainder(self) -> None:
        """Leave the remainder out of predictions from here on."""
        self._extra = None

    @property
    def expects_remainder(self) -> bool:
        """Whether predictions have the remainder in them."""
        return self._extra is not None

    def spread(self, year: Tensor, row: Tensor) -> Tensor | None:
        """Standard deviation of an observed yield about its prediction, t ha-1, ``[cell]``.

        That of the remainder with the noise, and of the line of the year; None without a remainder.
        """
        if self._extra is None:
            return None
        line = self.expected(year, row, torch.float64)
        slope = self.line.factor_sd(year.double()).to(line) / self.line.trend(
            year, row, torch.float64)
        return line * torch.sqrt(self._extra[1][row].square() + torch.nan_to_num(slope).square())

    # --- words and files

    def summary(self) -> str:
        """The trend in words."""
        return (f"{self.line.summary()}, response {self.response.item():.2f}, saturation "
                f"{self.saturation.item():.1f}")

    def describe(self) -> dict[str, Any]:
        """What `from_description` needs, for JSON."""
        normals, remainder = self.normals, self.remainder
        return {"relative": self.line.describe(), "levels": self.levels.tolist(),
                "means": self.means.tolist(), "raw": self.raw.item(),
                "raw_saturation": self.raw_saturation.item(), "kind": self.kind,
                "response": self.response.item(), "saturation": self.saturation.item(),
                "reference_year": self.reference_year, "percent_per_year": self.percent.item(),
                "covariates": np.round(self.covariates, 5).tolist(),
                "normals": None if normals is None else normals.describe(),
                "remainder": None if remainder is None else remainder.describe()}

    @classmethod
    def from_description(cls, record: dict[str, Any]) -> RelativeResponse:
        """Inverse of `describe`."""
        if "raw_saturation" not in record:
            raise ValueError("the trend of this run is of an earlier version, without saturation; "
                             "train it again")
        line = record["relative"]
        out = cls(line["kind"], tuple(line["years"]), line["places"], line["slope_sd"])
        out.line = Trend.from_description(line)
        with torch.no_grad():
            for name in ("levels", "means"):
                getattr(out, name).copy_(torch.tensor(record[name]))
            out.raw.fill_(record["raw"])
            out.raw_saturation.fill_(record["raw_saturation"])
        out.covariates = np.array(record["covariates"], dtype=float)
        if record["normals"] is not None:
            out.normals = Normals.from_description(record["normals"])
        if record["remainder"] is not None:
            out.remainder = Remainder.from_description(record["remainder"])
        return out


def _unbounded(value: float, largest: float) -> float:
    share = min(max(value / largest, 0.002), 0.98)
    return math.log(share / (1.0 - share))
