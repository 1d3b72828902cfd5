"""Intervals of scores by resampling years: years, not sites, are the sample size.

The yields of one year share its weather, so the years are drawn with replacement and all samples of
a year come with it (block bootstrap; Efron and Tibshirani 1993, doi:10.1201/9780429246593).
"""

from __future__ import annotations

import numpy as np
import pandas as pd

DRAWS = 2000
"""Resamplings."""

FEWEST_YEARS = 5
"""Years below which resampling says nothing."""


def year_draws(n_years: int, draws: int = DRAWS, seed: int = 0) -> np.ndarray:
    """How often each year is drawn, ``[draw, year]``; every row sums to the number of years."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(n_years, np.full(n_years, 1.0 / n_years), size=draws)


def rmse_interval(
    table: pd.DataFrame, level: float = 0.9, draws: int = DRAWS, seed: int = 0
) -> tuple[float, float]:
    """Central interval of the RMSE.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``year``, ``observed``, ``predicted``.
    level : float
        Probability of the interval.
    draws, seed : int
        Resamplings and their seed.

    Returns
    -------
    tuple of float
        NaN with fewer than `FEWEST_YEARS`.
    """
    square, count = _by_year(table, ["predicted"])
    if len(count) < FEWEST_YEARS:
        return np.nan, np.nan
    return _central(_rmse_of(square, count, draws, seed)[0], level)


def rmse_difference_interval(
    table: pd.DataFrame, one: str, other: str, level: float = 0.9, draws: int = DRAWS,
    seed: int = 0,
) -> tuple[float, float]:
    """Central interval of the RMSE of one method less that of another, on the same draws.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``year``, ``observed`` and the columns of both predictions.
    one, other : str
        Columns.
    level, draws, seed
        See `rmse_interval`.
    """
    square, count = _by_year(table, [one, other])
    if len(count) < FEWEST_YEARS:
        return np.nan, np.nan
    first, second = _rmse_of(square, count, draws, seed)
    return _central(first - second, level)


def _by_year(table: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sums of square errors ``[column, year]`` and counts of rows in which all are finite."""
    errors = table[columns].to_numpy(float).T - table["observed"].to_numpy(float)
    good = np.isfinite(errors).all(axis=0)
    years, at = np.unique(table["year"].to_numpy()[good], return_inverse=True)
    square = np.stack([np.bincount(at, e[good] ** 2, len(years)) for e in errors])
    return square, np.bincount(at, minlength=len(years))


def _rmse_of(square: np.ndarray, count: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """``[column, draw]``."""
    times = year_draws(len(count), draws, seed)
    return np.asarray(np.sqrt(square @ times.T / (times @ count)))


def _central(values: np.ndarray, level: float) -> tuple[float, float]:
    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}, expected between 0 and 1")
    low, high = np.quantile(values, [0.5 - 0.5 * level, 0.5 + 0.5 * level])
    return float(low), float(high)
