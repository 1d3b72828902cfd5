"""Scores of years that matter: the worst ones, and how much of a loss is foreseen.

Losses are measured from a line of each site, its climatology and trend, that knows no weather.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from neuralcrop.evaluation.metrics import rmse, site_anomalies

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


def extreme_scores(
    table: pd.DataFrame, predictions: Mapping[str, ArrayLike], line: str | None = None
) -> dict[str, Any] | None:
    """Scores of the worst years and of single losses.

    Parameters
    ----------
    table : pandas.DataFrame
        ``site``, ``year``, ``observed``.
    predictions : mapping of str to array_like
        ``[row]`` by variant, t ha-1.
    line : str, optional
        Variant that losses are measured from; by default the trend of each site's observed yields.

    Returns
    -------
    dict or None
        ``line``, ``worst_years``, and of each of the ``variants`` ``rmse`` and ``loss_share`` of
        these years, and `loss_hits` of the anomalies from the trend of each site. None where no
        site has years enough for a trend.
    """
    departures = site_anomalies(table, "observed")
    own = table["observed"] - departures if line is None else np.asarray(predictions[line], float)
    table = table.assign(line=own, departure=departures)
    known = (np.isfinite(table["line"]) & np.isfinite(departures)).to_numpy()
    if not known.any():
        return None
    worst = worst_years(table[known])
    out: dict[str, Any] = {"line": line or "trend of each site", "worst_years": worst,
                           "variants": {}}
    for name, values in predictions.items():
        own_table = table.assign(predicted=np.asarray(values, float))[known]
        at = own_table[own_table["year"].isin(worst)]
        out["variants"][name] = {
            "rmse": rmse(at["observed"], at["predicted"]),
            "loss_share": loss_share(own_table, worst),
            **loss_hits(own_table["departure"], site_anomalies(own_table, "predicted"))}
    return out
