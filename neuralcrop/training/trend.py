r"""Technology trends of regions or sites, smooth in time, and levels of sites."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import torch
from torch import Tensor, nn

from neuralcrop.data import neighbours
from neuralcrop.data.neighbours import NEIGHBOURS
from neuralcrop.training.technology import SMALLEST, Technology
from neuralcrop.training.trend_basis import (
    TINY,
    basis,
    centred,
    clustered,
    knots_of,
    ridge,
    year_effect,
)

if TYPE_CHECKING:
    import pandas as pd

    from neuralcrop.training.context import SeasonContext

By = Literal["all", "region", "site"]
When = Literal["joint", "before"]

LEVEL_BOUND = 0.3
"""Largest logarithm of the level of a site."""

ROUNDS = 30
"""Alternations of a fit between trend, level and noise."""


class Trend(Technology):
    r"""Factor on simulated yields with slopes of groups and levels of places.

    .. math:: Y_{obs} = Y_{model}\,e^{r_s}\,\big(1 + b(t)^T (a + d_g)\big), \qquad |r_s| \le 0.3

    b is the basis of `trend_basis.basis`: a line, or a natural cubic spline with four knots that
    goes on as a line after the last training year. The departures :math:`d_g` of regions or sites
    have a normal prior with the standard deviation ``slope_sd`` about zero, and so have the changes
    of slope of the spline; the levels ``level_sd``. The noise that the priors are weighed against
    is the mean square error of the first fit, times the effect of errors that the sites of a year
    share.

    Groups and places that training has not seen get the common trend and the mean logarithm of the
    levels of the nearest five places.

    Parameters
    ----------
    kind : {"none", "linear", "smooth"}
        Form in time.
    by : {"all", "region", "site"}
        What has a slope of its own.
    when : {"joint", "before"}
        Learnt with the model; or fitted to observed yields first, so that the model learns yields
        at the technology of the reference year.
    years : tuple of int
        First and last training year; the middle is the reference.
    places : DataFrame or mapping
        Training places: ``lat``, ``lon`` and, if regions have names, ``region``.
    level : bool
        Whether places have a level.
    slope_sd : float
        % a year.
    level_sd : float
        Of the logarithm.
    """

    common: Tensor
    own: Tensor
    levels: Tensor
    group: Tensor
    near: Tensor
    noise: Tensor
    covariance: Tensor

    def __init__(
        self, kind: str, by: By = "all", when: When = "joint",
        years: tuple[int, int] = (1990, 2010),
        places: pd.DataFrame | Mapping[str, Sequence[Any]] | None = None,
        level: bool = False, slope_sd: float = 0.5, level_sd: float = 0.1,
    ) -> None:
        nn.Module.__init__(self)
        if kind not in ("none", "linear", "smooth"):
            raise ValueError(f"technology is {kind!r}, expected none, linear or smooth")
        self.kind, self.by, self.when = kind, by, when
        self.years, self.reference_year = years, 0.5 * (years[0] + years[1])
        self.has_level = level
        self.slope_sd, self.level_sd = slope_sd, level_sd
        self.knots = knots_of(*years) if kind == "smooth" else ()
        self.places = neighbours.distinct(places)
        if by == "region":
            self.groups = sorted(set(self.places["region"]))
        else:
            self.groups = list(map(str, self.places.index)) if by == "site" else []
        k = 0 if kind == "none" else 1 + max(len(self.knots) - 2, 0)
        learnt = when == "joint"
        self.common = nn.Parameter(torch.zeros(k), requires_grad=learnt and k > 0)
        self.own = nn.Parameter(torch.zeros(len(self.groups), k),
                                requires_grad=learnt and k * len(self.groups) > 0)
        # in standard deviations, so that one learning rate suits slopes and levels
        self.levels = nn.Parameter(torch.zeros(len(self.places) if level else 0),
                                   requires_grad=level)
        self.register_buffer("noise", torch.zeros(3))
        self.covariance = torch.full((k, k), torch.nan, dtype=torch.float64)
        self.register_buffer("group", torch.zeros(0, dtype=torch.long), persistent=False)
        self.register_buffer("near", torch.zeros(0, NEIGHBOURS, dtype=torch.long), persistent=False)

    @property
    def percent(self) -> Tensor:  # type: ignore[override]
        """Common slope in the first training year, % a year."""
        return self.common[0] if len(self.common) else self.common.new_zeros(())

    @property
    def standard_error(self) -> float:  # type: ignore[override]
        """Standard error of the common slope in the last training year, % a year."""
        return self.slope(self.years[1])[1]

    @property
    def detrends(self) -> bool:  # type: ignore[override]
        """Whether the model learns yields without the trend, which was fitted before."""
        return self.when == "before" and len(self.common) > 0

    def attach(self, table: pd.DataFrame, context: SeasonContext | None = None) -> None:
        """Know the samples whose rows later calls name.

        Parameters
        ----------
        table : DataFrame
            ``lat``, ``lon`` and, if the training samples had it, ``region``.
        """
        where = neighbours.distinct(table)
        nearest, known = neighbours.nearest(where, self.places)
        if self.by == "region":
            number = {name: k for k, name in enumerate(self.groups)}
            group = np.array([number.get(r, len(number)) for r in where["region"]])
        elif self.by == "site":
            group = np.where(known, nearest[:, 0], len(self.groups))
        else:
            group = np.zeros(len(where), dtype=int)
        row = neighbours.rows_of(table, where)
        device = self.common.device
        self.group = torch.from_numpy(group[row].astype(np.int64)).to(device)
        self.near = torch.from_numpy(nearest[row].astype(np.int64)).to(device)

    # --- factors

    def trend(self, year: Tensor, row: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Factor of the trend, ``[cell]``."""
        if not len(self.common):
            return torch.ones_like(year, dtype=dtype)
        b = self._basis(year, dtype)
        slopes = self.common.to(dtype)
        if self.groups:
            zero = self.own.new_zeros(1, len(self.common))
            slopes = slopes + torch.cat((self.own, zero))[self.group[_given(row)]].to(dtype)
        return (1.0 + (b * slopes).sum(dim=-1)).clamp_min(SMALLEST)

    def trend_of(self, year: Tensor, place: Tensor, dtype: torch.dtype) -> Tensor:
        """Factors of the trends of training places, ``[cell, place]``, where sites have their own.

        Parameters
        ----------
        year : Tensor
            ``[cell]``.
        place : Tensor
            ``[cell, place]`` numbers of places.
        """
        slopes = (self.common + self.own[place]).to(dtype)
        b = self._basis(year, dtype).unsqueeze(1)
        return (1.0 + (b * slopes).sum(dim=-1)).clamp_min(SMALLEST)

    def log_levels(self) -> Tensor:
        """Logarithm of the level of every training place."""
        return LEVEL_BOUND * torch.tanh(self.level_sd / LEVEL_BOUND * self.levels)

    def level(self, row: Tensor | None, dtype: torch.dtype) -> Tensor:
        """Factor of the place, ``[cell]``."""
        return torch.exp(self.log_levels()[self.near[_given(row)]].mean(dim=-1).to(dtype))

    def forward(self, yields: Tensor, year: Tensor, row: Tensor | None = None) -> Tensor:
        """Yields with trend and level; see `Technology.forward`."""
        out = yields * self.trend(year, row, yields.dtype)
        return out * self.level(row, yields.dtype) if self.has_level else out

    def _basis(self, year: Tensor, dtype: torch.dtype) -> Tensor:
        return basis(year.to(dtype), self.reference_year, self.knots)

    # --- closed forms

    def fit(
        self, yields: Tensor, year: Tensor, observed: Tensor, row: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> None:
        """Trend (unless it was fitted before) and levels by penalised least squares."""
        self._solve(yields, year, observed, _given(row), weight, own_base=False)

    def fit_before(
        self, year: Tensor, observed: Tensor, row: Tensor, weight: Tensor | None = None
    ) -> None:
        """The trend of observed yields about a level of each place, t ha-1, by least squares."""
        self._solve(torch.ones_like(observed), year, observed, row, weight, own_base=True)

    @torch.no_grad()
    def _solve(
        self, yields: Tensor, year: Tensor, observed: Tensor, row: Tensor, weight: Tensor | None,
        own_base: bool,
    ) -> None:
        y, o, t = (v.detach().double().cpu() for v in (yields, observed, year))
        w = torch.ones_like(o) if weight is None else weight.double().cpu()
        self.cpu()
        place, group = self.near[row, 0], self.group[row]
        with_trend = len(self.common) > 0 and (own_base or not self.detrends)
        b = self._basis(t, torch.float64) if len(self.common) else t.new_zeros(len(t), 0)
        base, error = y, o - y
        for _ in range(ROUNDS):
            if own_base:
                base = _scaled(y, o, self.trend(t, row, torch.float64), w, place)
            elif self.has_level:
                base = y * self.level(row, torch.float64)
            self._note(base.unsqueeze(1) * b, error, w, t)
            if with_trend:
                self._fit_slopes(base, b, o, w, group)
            factor = self.trend(t, row, torch.float64)
            if self.has_level and not own_base:
                self._fit_levels(y * factor, o, w, place)
                base = y * self.level(row, torch.float64)
            error = o - base * factor
        self._note(base.unsqueeze(1) * b, error, w, t)
        if own_base:
            self._assess(base, b, error, w, t, place)

    def _note(self, x: Tensor, error: Tensor, w: Tensor, year: Tensor) -> None:
        """Noise of slopes and of levels, (t/ha)2, and the number of samples."""
        plain = float((w * error * error).sum() / w.sum().clamp_min(TINY))
        shared = year_effect(x[:, 0], error, w, year) if x.shape[1] else 1.0
        self.noise.copy_(torch.tensor([plain * shared, plain, float(len(error))]))

    def _stiffness(self) -> tuple[Tensor, Tensor]:
        """Diagonals of the shrinkage of groups and of changes of slope."""
        full = (self.noise[0].double() / self.slope_sd**2).expand(len(self.common)).clone()
        damp = full.clone()
        damp[:1] = 0.0
        return full, damp

    def _fit_slopes(
        self, base: Tensor, b: Tensor, o: Tensor, w: Tensor, group: Tensor
    ) -> None:
        shrink, damp = self._stiffness()
        none = torch.full_like(group, len(self.groups))
        found = ridge(base.unsqueeze(1) * b, o - base, w, group if self.groups else none,
                      len(self.groups), shrink, damp)
        self.common.copy_(found.common)
        self.own.copy_(found.own)

    def _fit_levels(self, q: Tensor, o: Tensor, w: Tensor, place: Tensor) -> None:
        """One Gauss-Newton step of every level."""
        r = self.log_levels().double()
        now = q * torch.exp(r)[place]
        stiff = self.noise[1].double() / self.level_sd**2
        up = torch.zeros_like(r).index_add_(0, place, w * now * (o - now)) - stiff * r
        down = torch.zeros_like(r).index_add_(0, place, w * now * now) + stiff
        r = (r + up / down.clamp_min(TINY)).clamp(-0.999 * LEVEL_BOUND, 0.999 * LEVEL_BOUND)
        self.levels.copy_(torch.atanh(r / LEVEL_BOUND) * LEVEL_BOUND / self.level_sd)

    @torch.no_grad()
    def assess(
        self, yields: Tensor, year: Tensor, observed: Tensor, row: Tensor | None = None,
        weight: Tensor | None = None,
    ) -> None:
        """Covariance of the common trend of a trained model; one fitted before keeps its own."""
        if self.detrends or not len(self.common):
            return
        y, o, t = (v.detach().double().cpu() for v in (yields, observed, year))
        w = torch.ones_like(o) if weight is None else weight.double().cpu()
        self.cpu()
        base = y * self.level(_given(row), torch.float64) if self.has_level else y
        error = o - base * self.trend(t, row, torch.float64)
        place = self.near[_given(row), 0] if self.has_level else None
        self._assess(base, self._basis(t, torch.float64), error, w, t, place)

    def _assess(
        self, base: Tensor, b: Tensor, error: Tensor, w: Tensor, year: Tensor, place: Tensor | None
    ) -> None:
        x = base.unsqueeze(1) * b
        if x.shape[1]:
            x = x if place is None else centred(x, base, w, place)
            self.covariance = clustered(x, error, w, year, self._stiffness()[1])

    def penalty(self, dtype: torch.dtype) -> Tensor | None:
        """Half the squares of departures over their variances, by sample, (t/ha)2."""
        noise = self.noise.to(dtype)
        terms = []
        if self.when == "joint" and len(self.common):
            squares = self.own.square().sum() + self.common[1:].square().sum()
            terms.append(noise[0] * squares.to(dtype) / self.slope_sd**2)
        if self.has_level:
            terms.append(noise[1] * self.log_levels().square().sum().to(dtype) / self.level_sd**2)
        if not terms:
            return None
        return 0.5 * torch.stack(terms).sum() / noise[2].clamp_min(1.0)

    # --- words and files

    def slope(self, year: float) -> tuple[float, float]:
        """Common slope in a year and its standard error, % of the reference yield a year."""
        if not len(self.common):
            return 0.0, float("nan")
        t = torch.tensor([year - 0.5, year + 0.5], dtype=torch.float64)
        b = self._basis(t, torch.float64)
        c = (b[1] - b[0]) * 100.0
        common, v = self.common.detach().double().cpu(), self.covariance
        return float(c @ common), float((c @ v @ c).clamp_min(0.0).sqrt())

    def factor_sd(self, year: Tensor) -> Tensor:
        """Standard error of the factor of the common trend, ``[cell]``."""
        b = self._basis(year.cpu(), torch.float64)
        return ((b @ self.covariance) * b).sum(dim=-1).clamp_min(0.0).sqrt()

    def summary(self) -> str:
        """The trend in words."""
        text = ""
        if len(self.common):
            first, last = (f"{v:+.2f} ± {e:.2f}" for v, e in map(self.slope, self.years))
            text = last if self.kind == "linear" else (
                f"{first} in {self.years[0]}, {last} from {self.years[1]} on")
            if self.groups and len(self.own):
                spread = self.own.detach().sum(dim=1)
                text += (f" (departures of {len(self.groups)} {self.by}s "
                         f"{float(spread.min()):+.2f} to {float(spread.max()):+.2f})")
        if self.has_level:
            r = self.log_levels().detach()
            text += (", " if text else "") + (
                f"levels of sites {float(torch.exp(r.min())):.2f} to "
                f"{float(torch.exp(r.max())):.2f}")
        return text

    def describe(self) -> dict[str, Any]:
        """What `from_description` needs, for JSON."""
        first, last = self.slope(self.years[0]), self.slope(self.years[1])
        return {
            "kind": self.kind, "by": self.by, "when": self.when, "years": list(self.years),
            "reference_year": self.reference_year, "percent_per_year": last[0],
            "standard_error": _known(last[1]), "percent_per_year_at_first": first[0],
            "slope_sd": self.slope_sd, "level_sd": self.level_sd, "level": self.has_level,
            "common": self.common.tolist(), "own": self.own.tolist(), "groups": self.groups,
            "levels": self.levels.tolist(), "noise": self.noise.tolist(),
            "covariance": [[_known(v) for v in line] for line in self.covariance.tolist()],
            "places": self.places.to_dict("list")}

    @classmethod
    def from_description(cls, record: dict[str, Any]) -> Trend:
        """Inverse of `describe`."""
        out = cls(record["kind"], record["by"], record["when"], tuple(record["years"]),
                  record["places"], record["level"], record["slope_sd"],
                  record["level_sd"])
        with torch.no_grad():
            for name in ("common", "own", "levels", "noise"):
                held = getattr(out, name)
                held.copy_(torch.tensor(record[name], dtype=held.dtype).reshape(held.shape))
            cov = [[float("nan") if v is None else v for v in line]
                   for line in record["covariance"]]
            out.covariance = torch.tensor(cov, dtype=torch.float64).reshape(out.covariance.shape)
        return out


def _scaled(y: Tensor, o: Tensor, factor: Tensor, w: Tensor, place: Tensor) -> Tensor:
    """``y`` times the level of each place that fits best, t ha-1."""
    n = int(place.max()) + 1
    q = y * factor
    up = q.new_zeros(n).index_add_(0, place, w * q * o)
    down = q.new_zeros(n).index_add_(0, place, w * q * q)
    return y * (up / down.clamp_min(TINY))[place]


def _given(row: Tensor | None) -> Tensor:
    if row is None:
        raise ValueError("a trend with groups or levels needs the rows of the samples")
    return row


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None


def build_technology(
    loss: Any, years: Sequence[int], table: pd.DataFrame, train: np.ndarray,
    context: SeasonContext | None = None,
) -> Technology:
    """The trend that a configuration asks for, knowing the training samples.

    Parameters
    ----------
    loss : LossConfig
        Of the run.
    years : sequence of int
        First and last training year.
    table : DataFrame
        All samples.
    train : numpy.ndarray
        Rows of the training samples.
    context : SeasonContext, optional
        Of all samples, for yields relative to their site.
    """
    first, last = years
    if loss.yields == "relative":
        from neuralcrop.training.relative import RelativeResponse

        response = RelativeResponse(
            loss.technology, (first, last), table.iloc[train], loss.technology_sd)
        response.attach(table, context)
        return response
    level = loss.site_level == "bounded"
    simple = loss.technology_by == "all" and loss.technology_when == "joint" and not level
    if simple and loss.technology in ("none", "linear"):
        return Technology(loss.technology, 0.5 * (first + last))
    trend = Trend(
        loss.technology, loss.technology_by, loss.technology_when, (first, last),
        table.iloc[train], level, loss.technology_sd, loss.site_level_sd)
    trend.attach(table)
    return trend
