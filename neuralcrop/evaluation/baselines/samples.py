"""What every baseline is given: the same samples, weather and soil as the physics."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np
import pandas as pd

from neuralcrop.data.folds import years_by_warmth
from neuralcrop.data.season_weather import SeasonWeather
from neuralcrop.data.seasons import Seasons

SPAN = 5
"""Days of the shortest spans of weather, d."""

SMALLEST_SPREAD = 0.25
"""Spread of a variable in one span, as a share of the largest over the season, that scales it."""


@dataclass(frozen=True)
class Samples:
    """Samples as arrays.

    Attributes
    ----------
    table : pandas.DataFrame
        ``site``, ``year``, ``lat``, ``lon``, ``observed`` (t ha-1); index 0, 1, 2, ...
    monthly : numpy.ndarray
        ``[sample, month, variable]`` means of months, see `SeasonWeather.monthly`.
    spans : numpy.ndarray
        ``[sample, span, variable]`` means of successive spans of the run, aligned at sowing.
    static : numpy.ndarray
        ``[sample, covariate]`` climate normals and soil of the site, without gaps.
    warmth : numpy.ndarray
        ``[sample]`` kPa, mean vapour pressure deficit of the growing season.
    """

    table: pd.DataFrame
    monthly: np.ndarray
    spans: np.ndarray
    static: np.ndarray
    warmth: np.ndarray

    @classmethod
    def of(cls, seasons: Seasons, season_months: Sequence[int] = (6, 7, 8)) -> Samples:
        """Samples of runs; the seasons' own covariates are used."""
        weather = SeasonWeather.of(seasons)
        sites = seasons.covariates.values.double().numpy().T
        middle = np.nanmean(sites, axis=0)
        static = np.where(np.isnan(sites), middle, sites)[seasons.table["site"].to_numpy()]
        return cls(seasons.table.reset_index(drop=True), weather.monthly()[0],
                   weather.spans(SPAN), static, weather.warmth(season_months))

    def __len__(self) -> int:
        return len(self.table)

    def knowing(self, rows: np.ndarray) -> Samples:
        """The same, but yields of all other rows are NaN: nothing can be learnt from them."""
        observed = np.full(len(self), np.nan)
        observed[rows] = self.table["observed"].to_numpy(float)[rows]
        return replace(self, table=self.table.assign(observed=observed))


class Baseline(Protocol):
    """A way to predict yields without a crop model."""

    def choose(self, samples: Samples, rows: np.ndarray, seed: int = 0) -> Any:
        """Settings that do best within some rows.

        Parameters
        ----------
        samples : Samples
            All of them; yields outside ``rows`` must not be used, and may be NaN.
        rows : numpy.ndarray
            Rows to learn from and to judge by.
        seed : int
            Of all chance.

        Returns
        -------
        Any
            For `fit_predict`; None where there is nothing to choose.
        """
        ...

    def fit_predict(
        self, samples: Samples, train: np.ndarray, predict: np.ndarray, seed: int = 0,
        settings: Any = None,
    ) -> np.ndarray:
        """Learn from some rows, predict others.

        Parameters
        ----------
        samples : Samples
            All of them; yields outside ``train`` must not be used, and may be NaN.
        train, predict : numpy.ndarray
            Rows.
        seed : int
            Of all chance.
        settings : Any
            Those of `choose`; None: chosen within ``train``.

        Returns
        -------
        numpy.ndarray
            Yields of ``predict``, t ha-1, never negative.
        """
        ...


def inner_folds(
    samples: Samples, train: np.ndarray, n: int = 3
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Training rows cut by whole years, to choose settings: rows to learn from, rows to judge by.

    Years are ordered by warmth and cut into n blocks, each of which is judged by the others: of
    three, the middle one asks for interpolation, the coolest and the hottest for extrapolation.
    With fewer years than blocks each year is a block; with a single year there is none.
    """
    year = samples.table["year"].to_numpy()[train]
    order = years_by_warmth(year, samples.warmth[train])
    blocks = np.array_split(order, min(n, len(order)))
    out = [(train[~np.isin(year, block)], train[np.isin(year, block)]) for block in blocks]
    return [(learn, judge) for learn, judge in out if len(learn)]


def site_anomalies(samples: Samples, values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """Weather less the site's mean over the training years, over the spread of training rows.

    Weather is known of sites and years whose yields are not: an unseen site has normals, too.

    Parameters
    ----------
    samples : Samples
        All of them.
    values : numpy.ndarray
        ``[sample, time, variable]``.
    train : numpy.ndarray
        Rows to learn from.
    """
    site, year = samples.table["site"].to_numpy(), samples.table["year"].to_numpy()
    flat = values.reshape(len(values), -1)
    known = np.isin(year, np.unique(year[train]))
    frame = pd.DataFrame(flat)
    normal = frame[known].groupby(site[known]).mean().reindex(site).to_numpy()
    # a site whose weather is known of other years only
    own = frame.groupby(site).mean().reindex(site).to_numpy()
    normal = np.where(np.isnan(normal), own, normal)
    anomaly = (flat - normal).reshape(values.shape)
    scale = anomaly[train].std(axis=0)
    # a month that is hardly ever hot: one hot day would be worth dozens of its spreads
    scale = np.maximum(scale, SMALLEST_SPREAD * scale.max(axis=0, keepdims=True))
    # what never varies carries nothing
    level = np.abs(values[train].mean(axis=0))
    return np.asarray(anomaly / np.where(scale > 1e-6 * (1.0 + level), scale, np.inf))


def standardised(values: np.ndarray, train: np.ndarray) -> np.ndarray:
    """``[sample, feature]`` with zero mean and unit variance over the training rows."""
    mean, scale = values[train].mean(axis=0), values[train].std(axis=0)
    scale = np.where(scale > 1e-6 * (1.0 + np.abs(mean)), scale, np.inf)
    return np.asarray((values - mean) / scale)
