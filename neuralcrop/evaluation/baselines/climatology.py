"""Level and trend of each site, and the mean of all: predictions that see no weather."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuralcrop.evaluation.baselines.samples import Samples

SMALLEST_TREND = 8
"""Training years of a site from which it gets a trend of its own, and of all for any trend."""

NEIGHBOURS = 5
"""Sites whose mean stands in for one that training has not seen."""


def climatology_trend(train: pd.DataFrame, target: pd.DataFrame) -> np.ndarray:
    r"""Mean and linear trend over years of each site, from the training years.

    A site with too few training years takes the trend within all sites; an unseen one the mean of
    its nearest `NEIGHBOURS` sites (of all, where positions are unknown) and that trend. Too few
    training years in all give no trend: it would be the weather of the first and the last.

    Parameters
    ----------
    train : pandas.DataFrame
        Samples with ``site``, ``year``, ``lat``, ``lon``, ``observed``.
    target : pandas.DataFrame
        Samples with the same columns but ``observed``.

    Returns
    -------
    numpy.ndarray
        Predictions for the target, t ha-1, never negative.
    """
    middle = train["year"].mean()
    years = train.groupby("site")["year"].agg(["mean", "nunique"])
    rise, spread = _trend(train)
    enough = train["year"].nunique() >= SMALLEST_TREND
    overall = float(rise.sum() / spread.sum()) if enough else 0.0
    slope = (rise / spread).where(years["nunique"] >= SMALLEST_TREND, overall)
    # level of each site in the middle of the training years
    level = train.groupby("site")["observed"].mean() + slope * (middle - years["mean"])
    where = train.groupby("site")[["lat", "lon"]].first()
    known = target["site"].isin(level.index).to_numpy()
    levels = np.where(known, target["site"].map(level), np.nan).astype(float)
    slopes = np.where(known, target["site"].map(slope), overall).astype(float)
    unseen = target.loc[~known].drop_duplicates("site")
    near = {site: _nearby(lat, lon, where, level) for site, lat, lon in zip(
        unseen["site"], unseen["lat"], unseen["lon"], strict=True)}
    levels[~known] = target.loc[~known, "site"].map(near).astype(float)
    return np.maximum(levels + slopes * (target["year"].to_numpy() - middle), 0.0)


def _trend(train: pd.DataFrame) -> tuple[pd.Series, pd.Series]:
    """Numerator and denominator of the least-squares slope over years of each site."""
    years = train["year"] - train.groupby("site")["year"].transform("mean")
    by_site = train["site"]
    return (years * train["observed"]).groupby(by_site).sum(), (years**2).groupby(by_site).sum()


def _nearby(lat: float, lon: float, where: pd.DataFrame, level: pd.Series) -> float:
    """Mean level of the nearest sites."""
    east = (where["lon"] - lon + 180.0) % 360.0 - 180.0
    distance = (where["lat"] - lat) ** 2 + (east * np.cos(np.deg2rad(lat))) ** 2
    if distance.isna().any():
        return float(level.mean())
    return float(level[distance.nsmallest(NEIGHBOURS).index].mean())


def county_line(samples: Samples, train: np.ndarray) -> np.ndarray:
    """`climatology_trend` of all samples from some rows."""
    return climatology_trend(samples.table.iloc[train], samples.table)


@dataclass(frozen=True)
class ClimatologyTrend:
    """Mean and linear trend of each site: see `climatology_trend`."""

    def choose(self, samples: Samples, rows: np.ndarray, seed: int = 0) -> None:
        """Nothing."""

    def fit_predict(
        self, samples: Samples, train: np.ndarray, predict: np.ndarray, seed: int = 0,
        settings: None = None,
    ) -> np.ndarray:
        """See `Baseline`; the seed has no effect."""
        return climatology_trend(samples.table.iloc[train], samples.table.iloc[predict])


@dataclass(frozen=True)
class MeanOfAll:
    """One number everywhere: the mean of the training rows."""

    def choose(self, samples: Samples, rows: np.ndarray, seed: int = 0) -> None:
        """Nothing."""

    def fit_predict(
        self, samples: Samples, train: np.ndarray, predict: np.ndarray, seed: int = 0,
        settings: None = None,
    ) -> np.ndarray:
        """See `Baseline`; the seed has no effect."""
        return np.full(len(predict), samples.table["observed"].to_numpy(float)[train].mean())
