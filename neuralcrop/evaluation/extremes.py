"""Scores of years that matter: the worst ones, and how much of a loss is foreseen.

Losses are measured from a line of each site, its climatology and trend, that knows no weather.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

WORST = 0.1
"""Share of the years that are the worst."""


def worst_years(table: pd.DataFrame, share: float = WORST) -> list[int]:
    """Years with the largest mean loss against the line, worst first; at least one.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``year``, ``observed``, ``line``.
    share : float
        Of the years.
    """
    loss = (table["line"] - table["observed"]).groupby(table["year"]).mean()
    count = max(1, round(share * len(loss)))
    return [int(y) for y in loss.sort_values(ascending=False, kind="stable").index[:count]]


def loss_share(table: pd.DataFrame, years: Sequence[int]) -> float:
    r"""Predicted over observed mean loss of some years, :math:`\overline{l-s}/\overline{l-o}`.

    1 is a loss foreseen in full, 0 one not seen at all; NaN where nothing was lost.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``year``, ``observed``, ``predicted``, ``line``.
    years : sequence of int
        Which.
    """
    at = table[table["year"].isin(list(years))]
    lost = float((at["line"] - at["observed"]).mean())
    return float((at["line"] - at["predicted"]).mean()) / lost if lost > 0.0 else np.nan


def loss_hits(
    observed: ArrayLike, predicted: ArrayLike, threshold: float = -1.0
) -> dict[str, float]:
    """Hit rate, false-alarm ratio and critical success index of losses.

    A loss is an anomaly below so many standard deviations of the observed ones; the predicted ones
    are judged by the same yield, not by their own, smaller, spread.

    Parameters
    ----------
    observed, predicted : array_like
        Anomalies, t ha-1.
    threshold : float
        Standard deviations.

    Returns
    -------
    dict
        ``hit_rate``, ``false_alarm_ratio``, ``csi``; NaN where nothing is to count.
    """
    o, s = np.asarray(observed, dtype=float), np.asarray(predicted, dtype=float)
    good = np.isfinite(o) & np.isfinite(s)
    limit = threshold * o[good].std() if good.any() else np.nan
    lost, foreseen = o[good] < limit, s[good] < limit
    hits, misses, false = ((lost & foreseen).sum(), (lost & ~foreseen).sum(),
                           (~lost & foreseen).sum())

    def share(part: int, whole: int) -> float:
        return float(part / whole) if whole else np.nan

    return {"hit_rate": share(hits, hits + misses), "false_alarm_ratio": share(false, hits + false),
            "csi": share(hits, hits + misses + false)}
