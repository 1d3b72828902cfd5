r"""What physics and trend leave of observed yields: a Gaussian process over weather and place.

The relative remainder :math:`r = Y_{obs}/L - 1 - b f` of a training sample at place s in year t is
taken as

.. math:: r = z(s,t)^T \beta_s + u_t(s) + \epsilon, \qquad
          \mathrm{cov}(\beta_s, \beta_{s'}) = \sigma_w^2 \left(1 + e^{-d/\ell_w}
          + e^{-|c - c'|^2 / 1.8 k}\right) I

with z the standardised monthly weather anomalies, :math:`\beta_s` a response to them that changes
with distance d and with the k covariates c of places, :math:`u_t` an effect of the year that
places share the more the nearer they are, and noise. Only u knows the year, and of a year that
training has not seen it is zero: there it is the uncertainty of a year. Of a seen year it says
what the neighbours' yields say (kriging). All variances are priors; the solution is exact
(Rasmussen and Williams 2006, chapter 2, ISBN 026218253X).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve

from neuralcrop.training.context import Normals, SeasonContext, kilometres

LARGEST = 0.3
"""Bound of the remainder, relative to the trend."""

MOST_SAMPLES = 6000
"""Training samples that are kept; of more, every so-and-so-many-th."""


@dataclass(frozen=True)
class Priors:
    """Standard deviations relative to the trend, and lengths: chosen on soybean of Illinois.

    Attributes
    ----------
    weather : float
        Response to one standard deviation of one variable in one month.
    weather_length : float
        Distance over which this response changes, km.
    year, year_length : float
        Effect of a year; the distance over which its local part changes, km.
    year_local : float
        Share of the variance of that effect that is local.
    noise : float
        Of one observed yield.
    """

    weather: float = 0.004
    weather_length: float = 100.0
    year: float = 0.065
    year_length: float = 300.0
    year_local: float = 0.6
    noise: float = 0.07


@dataclass(frozen=True)
class Points:
    """Samples as the covariance sees them: anomalies, covariates, position, year."""

    weather: np.ndarray
    covariates: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    year: np.ndarray

    def rows(self, index: np.ndarray) -> Points:
        """Some of them."""
        return Points(self.weather[index], self.covariates[index], self.lat[index],
                      self.lon[index], self.year[index])


class Remainder:
    """The process, given the remainders of training samples.

    Parameters
    ----------
    normals : Normals
        Of the training samples.
    points : Points
        Training samples.
    values : numpy.ndarray
        ``[sample]`` their remainders, relative to the trend.
    priors : Priors
        Variances.
    like : Remainder, optional
        Of the same samples and priors, whose solution is taken over.
    """

    def __init__(
        self, normals: Normals, points: Points, values: np.ndarray, priors: Priors | None = None,
        like: Remainder | None = None,
    ) -> None:
        every = -(-len(values) // MOST_SAMPLES)
        kept = np.arange(0, len(values), every)
        self.normals, self.points, self.values = normals, points.rows(kept), values[kept]
        self.priors = priors or Priors()
        self._solved: tuple[Any, np.ndarray] | None = None
        if like is not None and like._solved is not None and self._same(like):
            factor = like._solved[0]
            self._solved = factor, cho_solve(factor, self.values)

    def _same(self, other: Remainder) -> bool:
        """Whether another has the same covariance."""
        return self.priors == other.priors and all(
            np.array_equal(getattr(self.points, name), getattr(other.points, name))
            for name in ("weather", "covariates", "lat", "lon", "year"))

    @property
    def _solution(self) -> tuple[Any, np.ndarray]:
        """Cholesky factor of the covariance of the training samples, and their weights."""
        if self._solved is None:
            k = covariance(self.points, self.points, self.priors)
            k[np.diag_indices(len(k))] += self.priors.noise**2
            factor = cho_factor(k, lower=True, overwrite_a=True)
            self._solved = factor, cho_solve(factor, self.values)
        return self._solved

    @classmethod
    def of(
        cls, context: SeasonContext, train: np.ndarray, values: np.ndarray,
        priors: Priors | None = None,
    ) -> Remainder:
        """From the remainders of training rows, ``[row]`` in their order."""
        normals = Normals.of(context, train)
        return cls(normals, points_of(normals, context).rows(train), np.asarray(values), priors)

    def predict(self, context: SeasonContext, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Expected remainder of some samples, and the standard deviation of an observation."""
        points = points_of(self.normals, context).rows(rows)
        factor, weights = self._solution
        mean, sd = np.empty(len(rows)), np.empty(len(rows))
        for part in np.array_split(np.arange(len(rows)), max(1, len(rows) // 2000)):
            some = points.rows(part)
            cross = covariance(some, self.points, self.priors)
            mean[part] = cross @ weights
            known = (cross * cho_solve(factor, cross.T).T).sum(axis=1)
            sd[part] = np.sqrt(np.maximum(variance(some, self.priors) - known, 0.0)
                               + self.priors.noise**2)
        return np.clip(mean, -LARGEST, LARGEST), sd

    def left_out(self) -> tuple[np.ndarray, np.ndarray]:
        """The same of every training sample, its whole year left out."""
        factor, weights = self._solution
        inverse = cho_solve(factor, np.eye(len(self.values)))
        mean, sd = np.empty(len(self.values)), np.empty(len(self.values))
        for year in np.unique(self.points.year):
            at = np.flatnonzero(self.points.year == year)
            block = np.linalg.inv(inverse[np.ix_(at, at)])
            mean[at] = self.values[at] - block @ weights[at]
            sd[at] = np.sqrt(np.diag(block))
        return np.clip(mean, -LARGEST, LARGEST), sd

    def find(self, context: SeasonContext) -> np.ndarray:
        """Training sample that each of some samples is, -1 for none."""
        p = self.points
        known = {key: k for k, key in enumerate(_keys(p.lat, p.lon, p.year))}
        return np.array([known.get(key, -1)
                         for key in _keys(context.lat, context.lon, context.year)])

    def describe(self) -> dict[str, Any]:
        """For JSON; inverse: `from_description`."""
        p = self.points
        return {"normals": self.normals.describe(), "priors": asdict(self.priors),
                "weather": np.round(p.weather, 4).tolist(),
                "covariates": np.round(p.covariates, 4).tolist(), "lat": p.lat.tolist(),
                "lon": p.lon.tolist(), "year": p.year.tolist(),
                "values": np.round(self.values, 6).tolist()}

    @classmethod
    def from_description(cls, record: Mapping[str, Any]) -> Remainder:
        """The process as described."""
        points = Points(*(np.array(record[k], dtype=float)
                          for k in ("weather", "covariates", "lat", "lon", "year")))
        return cls(Normals.from_description(record["normals"]), points,
                   np.array(record["values"], dtype=float), Priors(**record["priors"]))


def _keys(lat: np.ndarray, lon: np.ndarray, year: np.ndarray) -> list[tuple[float, float, int]]:
    return [(round(float(a), 4), round(float(o), 4), int(y))
            for a, o, y in zip(lat, lon, year, strict=True)]


def points_of(normals: Normals, context: SeasonContext) -> Points:
    """Samples on the scales of training."""
    return Points(np.round(normals.anomalies(context), 4),
                  np.round(normals.standard_covariates(context), 4), context.lat, context.lon,
                  context.year.astype(float))


def likeness(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared-exponential likeness of covariates ``[here, there]``, 1 for the same."""
    square = (a * a).sum(axis=1)[:, None] + (b * b).sum(axis=1)[None, :] - 2.0 * a @ b.T
    return np.asarray(np.exp(-np.maximum(square, 0.0) / (1.8 * max(a.shape[1], 1))))


def covariance(a: Points, b: Points, priors: Priors) -> np.ndarray:
    """Covariance of the remainders of samples without noise, ``[a, b]``."""
    distance = kilometres(a.lat, a.lon, b.lat, b.lon)
    places = 1.0 + np.exp(-distance / priors.weather_length) + likeness(a.covariates, b.covariates)
    out = priors.weather**2 * (a.weather @ b.weather.T) * places
    shared = (1.0 - priors.year_local) + priors.year_local * np.exp(-distance / priors.year_length)
    return np.asarray(out + priors.year**2 * (a.year[:, None] == b.year[None, :]) * shared)


def variance(a: Points, priors: Priors) -> np.ndarray:
    """Diagonal of `covariance` of samples with themselves."""
    return np.asarray(3.0 * priors.weather**2 * (a.weather**2).sum(axis=1) + priors.year**2)
