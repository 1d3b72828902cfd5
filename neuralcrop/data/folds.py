"""Named tests of yields models: which samples to learn from and which to score, fold by fold."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

TESTS = {
    "last_years": "later years than any of training",
    "leave_one_year_out": "every year in turn, from all others",
    "spatial_blocks": "blocks of sites in turn, from the sites of all other blocks",
    "drought": "listed drought years, from all others",
    "warm_tail": "the hottest years, from the cooler ones",
}
"""Tests and what each scores."""


@dataclass(frozen=True)
class Fold:
    """One training and what it is scored on.

    Attributes
    ----------
    test, name : str
        Test it belongs to, and its own name in there.
    train, score : numpy.ndarray
        Rows of the table of samples, rising, none in both.
    """

    test: str
    name: str
    train: np.ndarray
    score: np.ndarray


@dataclass(frozen=True)
class Plan:
    """What the tests are made of; the defaults are those for counties of the US Midwest.

    Attributes
    ----------
    train_years, score_years : tuple of int
        First and last year of learning and of scoring of ``last_years``.
    blocks : int
        Number of ``spatial_blocks``.
    drought_years : tuple of int
        Scored years of ``drought``.
    cool_share, hot_share : float
        Shares of the years, ordered by their warmth, that ``warm_tail`` learns from and scores.
    season_months : tuple of int
        Months of the mean vapour pressure deficit that is the warmth of a year.
    """

    train_years: tuple[int, int] = (1980, 2010)
    score_years: tuple[int, int] = (2011, 2015)
    blocks: int = 5
    drought_years: tuple[int, ...] = (1983, 1988, 1991, 2002, 2003, 2011, 2012)
    cool_share: float = 0.5
    hot_share: float = 0.25
    season_months: tuple[int, ...] = (6, 7, 8)


def make_tests(
    table: pd.DataFrame, warmth: np.ndarray, plan: Plan | None = None,
    names: Sequence[str] = tuple(TESTS),
) -> dict[str, list[Fold]]:
    """Folds of the named tests; tests and folds that nothing can be learnt for are left out.

    Parameters
    ----------
    table : pandas.DataFrame
        Samples with ``site``, ``year``, ``lat``, ``lon``.
    warmth : numpy.ndarray
        ``[sample]`` mean vapour pressure deficit of `Plan.season_months`.
    plan : Plan, optional
        Years and shares.
    names : sequence of str
        Which tests.

    Raises
    ------
    ValueError
        If a name is unknown or warmth has another length.
    """
    plan = plan or Plan()
    unknown = sorted(set(names) - set(TESTS))
    if unknown:
        raise ValueError(f"no test {', '.join(unknown)}; there are {', '.join(TESTS)}")
    year = table["year"].to_numpy()
    makers = {
        "last_years": lambda: _last_years(year, plan.train_years, plan.score_years),
        "leave_one_year_out": lambda: {str(y): _apart(year == y) for y in np.unique(year)},
        "spatial_blocks": lambda: _spatial(table, plan.blocks),
        "drought": lambda: {"all": _apart(np.isin(year, plan.drought_years))},
        "warm_tail": lambda: _warm_tail(year, warmth, plan.cool_share, plan.hot_share),
    }
    out = {}
    for name in names:
        folds = [Fold(name, key, train, score) for key, (train, score) in makers[name]().items()
                 if len(train) and len(score)]
        if folds:
            out[name] = folds
    return out


Rows = tuple[np.ndarray, np.ndarray]


def _apart(scored: np.ndarray) -> Rows:
    return np.flatnonzero(~scored), np.flatnonzero(scored)


def _last_years(
    year: np.ndarray, train: tuple[int, int], score: tuple[int, int]
) -> dict[str, Rows]:
    if train[1] >= score[0]:
        raise ValueError(f"last_years: training ends in {train[1]}, scoring begins in {score[0]}")
    return {"all": (np.flatnonzero((year >= train[0]) & (year <= train[1])),
                    np.flatnonzero((year >= score[0]) & (year <= score[1])))}


def _spatial(table: pd.DataFrame, n_blocks: int) -> dict[str, Rows]:
    sites = table.drop_duplicates("site").sort_values("site")
    block = blocks_of_places(sites["lat"].to_numpy(float), sites["lon"].to_numpy(float), n_blocks)
    of_sample = table["site"].map(dict(zip(sites["site"], block, strict=True))).to_numpy()
    return {str(b): _apart(of_sample == b) for b in np.unique(block)}


def _warm_tail(
    year: np.ndarray, warmth: np.ndarray, cool: float, hot: float
) -> dict[str, Rows]:
    if np.shape(warmth) != year.shape:
        raise ValueError(f"warmth has shape {np.shape(warmth)}, expected {year.shape}")
    if not (cool > 0.0 and hot > 0.0 and cool + hot <= 1.0):
        raise ValueError(f"warm_tail: shares {cool} and {hot} of the years; expected positive "
                         "ones that sum to one at most")
    order = years_by_warmth(year, warmth)
    n_cool, n_hot = round(cool * len(order)), round(hot * len(order))
    return {"all": (np.flatnonzero(np.isin(year, order[:n_cool])),
                    np.flatnonzero(np.isin(year, order[len(order) - n_hot:])))}


def years_by_warmth(year: np.ndarray, warmth: np.ndarray) -> np.ndarray:
    """Years in the order of the mean warmth of their samples, coolest first."""
    means = pd.Series(np.asarray(warmth, dtype=float)).groupby(np.asarray(year)).mean()
    return np.asarray(means.sort_values(kind="stable").index)


def blocks_of_places(lat: np.ndarray, lon: np.ndarray, n_blocks: int) -> np.ndarray:
    """Block of each place by k-means on positions, without chance.

    The first centres are the means of equal shares of the places along their longest axis, so that
    an outlier begins no block of its own; then Lloyd's iterations to rest. Blocks are numbered
    from north to south by their centres.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        ``[place]`` degrees.
    n_blocks : int
        Number of blocks; at most that of distinct places.

    Raises
    ------
    ValueError
        If there are fewer distinct places than blocks.
    """
    east = (lon - lon[0] + 180.0) % 360.0 - 180.0
    at = np.stack([lat, east * np.cos(np.deg2rad(lat.mean()))], axis=1)
    if not np.isfinite(at).all() or len(np.unique(at, axis=0)) < n_blocks:
        raise ValueError(f"{n_blocks} spatial blocks need at least as many places with positions")

    along = (at - at.mean(axis=0)) @ np.linalg.svd(at - at.mean(axis=0), full_matrices=False)[2][0]
    shares = np.array_split(np.argsort(along, kind="stable"), n_blocks)
    centres = np.stack([at[share].mean(axis=0) for share in shares])
    block = np.full(len(at), -1)
    while True:
        nearest = ((at[:, None] - centres[None]) ** 2).sum(axis=-1).argmin(axis=1)
        if (nearest == block).all():
            break
        block = nearest
        centres = np.stack([at[block == b].mean(axis=0) if (block == b).any() else centres[b]
                            for b in range(n_blocks)])
    rank = np.argsort(np.argsort(-centres[:, 0], kind="stable"), kind="stable")
    return np.asarray(rank[block])


def fold_years(table: pd.DataFrame, fold: Fold) -> Mapping[str, list[int]]:
    """Years of both sides of a fold, for reports."""
    year = table["year"].to_numpy()
    return {"train": np.unique(year[fold.train]).tolist(),
            "score": np.unique(year[fold.score]).tolist()}
