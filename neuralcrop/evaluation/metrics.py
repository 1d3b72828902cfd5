r"""Measures of agreement between observed (o) and simulated (s) values.

Pairs in which either is not finite are left out. What cannot be calculated (too few pairs, no
variance) is NaN.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

SMALLEST_TREND = 3
"""Years of a site from which a linear trend leaves an anomaly."""

WINDOW = 5
"""Years of the centred running mean."""


def pairs(observed: ArrayLike, simulated: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Both as flat float arrays, without the pairs that are not finite.

    Raises
    ------
    ValueError
        If their shapes differ.
    """
    o, s = np.asarray(observed, dtype=float), np.asarray(simulated, dtype=float)
    if o.shape != s.shape:
        raise ValueError(f"observed has shape {o.shape}, simulated {s.shape}; expected the same")
    good = np.isfinite(o) & np.isfinite(s)
    return o[good], s[good]


def rmse(observed: ArrayLike, simulated: ArrayLike) -> float:
    r"""Root mean square error, :math:`\sqrt{\overline{(s - o)^2}}`."""
    o, s = pairs(observed, simulated)
    return float(np.sqrt(np.mean((s - o) ** 2))) if o.size else np.nan


def mae(observed: ArrayLike, simulated: ArrayLike) -> float:
    r"""Mean absolute error, :math:`\overline{|s - o|}`."""
    o, s = pairs(observed, simulated)
    return float(np.mean(np.abs(s - o))) if o.size else np.nan


def bias(observed: ArrayLike, simulated: ArrayLike) -> float:
    r"""Mean error, :math:`\overline{s - o}`; positive where the simulation is too high."""
    o, s = pairs(observed, simulated)
    return float(np.mean(s - o)) if o.size else np.nan


def correlation(observed: ArrayLike, simulated: ArrayLike) -> float:
    """Pearson's r."""
    o, s = pairs(observed, simulated)
    if o.size < 2:
        return np.nan
    do, ds = o - o.mean(), s - s.mean()
    # what rounding leaves of a constant is no variance
    constant = any(np.abs(d).max() <= 1e-12 * np.abs(v).max() for d, v in ((do, o), (ds, s)))
    if constant:
        return np.nan
    return float(np.sum(do * ds) / (np.sqrt(np.sum(do**2)) * np.sqrt(np.sum(ds**2))))


def nash_sutcliffe(observed: ArrayLike, simulated: ArrayLike) -> float:
    r"""Nash and Sutcliffe (1970), :math:`1 - \sum (s-o)^2 / \sum (o-\bar o)^2`."""
    o, s = pairs(observed, simulated)
    spread = np.sum((o - o.mean()) ** 2) if o.size else 0.0
    return float(1.0 - np.sum((s - o) ** 2) / spread) if spread > 0.0 else np.nan


def kling_gupta(observed: ArrayLike, simulated: ArrayLike, version: int = 2009) -> float:
    r"""Kling-Gupta efficiency.

    .. math:: 1 - \sqrt{(r-1)^2 + (\alpha-1)^2 + (\beta-1)^2}, \qquad \beta = \bar s / \bar o

    with :math:`\alpha = \sigma_s/\sigma_o` (Gupta et al. 2009, doi:10.1016/j.jhydrol.2009.08.003)
    or the ratio of the coefficients of variation (Kling et al. 2012,
    doi:10.1016/j.jhydrol.2012.01.011).

    Parameters
    ----------
    observed, simulated : array_like
        Values.
    version : {2009, 2012}
        Which.
    """
    if version not in (2009, 2012):
        raise ValueError(f"version is {version}, expected 2009 or 2012")
    o, s = pairs(observed, simulated)
    if o.size < 2 or o.std() == 0.0 or o.mean() == 0.0 or s.mean() == 0.0:
        return np.nan
    beta = s.mean() / o.mean()
    alpha = s.std() / o.std() / (beta if version == 2012 else 1.0)
    r = correlation(o, s)
    return float(1.0 - np.sqrt((r - 1.0) ** 2 + (alpha - 1.0) ** 2 + (beta - 1.0) ** 2))


def normalised_rmse(observed: ArrayLike, simulated: ArrayLike) -> float:
    """RMSE over the observed mean, %."""
    o, s = pairs(observed, simulated)
    return 100.0 * rmse(o, s) / float(o.mean()) if o.size and o.mean() != 0.0 else np.nan


def willmott(observed: ArrayLike, simulated: ArrayLike) -> float:
    r"""Index of agreement, :math:`1 - \sum (s-o)^2 / \sum (|s-\bar o| + |o-\bar o|)^2`.

    Willmott (1981), doi:10.1080/02723646.1981.10642213.
    """
    o, s = pairs(observed, simulated)
    if not o.size:
        return np.nan
    potential = np.sum((np.abs(s - o.mean()) + np.abs(o - o.mean())) ** 2)
    return float(1.0 - np.sum((s - o) ** 2) / potential) if potential > 0.0 else np.nan


def sd_ratio(observed: ArrayLike, simulated: ArrayLike) -> float:
    r""":math:`\sigma_s / \sigma_o`."""
    o, s = pairs(observed, simulated)
    return float(s.std() / o.std()) if o.size and o.std() > 0.0 else np.nan


def detrend(values: ArrayLike) -> np.ndarray:
    """Series without its linear trend over equal steps."""
    v = np.asarray(values, dtype=float)
    t = np.arange(v.size, dtype=float)
    return np.asarray(v - np.polyval(np.polyfit(t, v, 1), t))


def running_anomaly(values: ArrayLike, window: int = WINDOW) -> np.ndarray:
    """Series without its centred running mean; the window is cut at the edges."""
    v = np.asarray(values, dtype=float)
    half = window // 2
    mean = [v[max(k - half, 0): k + half + 1].mean() for k in range(v.size)]
    return np.asarray(v - np.array(mean))


ALL: dict[str, Callable[[ArrayLike, ArrayLike], float]] = {
    "r": correlation, "rmse": rmse, "mae": mae, "bias": bias, "nse": nash_sutcliffe,
    "kge": kling_gupta, "kge_2012": lambda o, s: kling_gupta(o, s, 2012),
    "nrmse": normalised_rmse, "willmott_d": willmott, "sd_ratio": sd_ratio,
    "detrended_r": lambda o, s: correlation(detrend(o), detrend(s)),
    "detrended_nse": lambda o, s: nash_sutcliffe(detrend(o), detrend(s)),
    "detrended_sd_ratio": lambda o, s: sd_ratio(detrend(o), detrend(s)),
    "running_r": lambda o, s: correlation(running_anomaly(o), running_anomaly(s)),
}
"""All measures; the last four are for one series in the order of its years."""


def site_anomalies(table: pd.DataFrame, column: str) -> pd.Series:
    """Values less the linear trend over years of their own site.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``site``, ``year`` and the column.
    column : str
        Which values.

    Returns
    -------
    pandas.Series
        NaN at sites with fewer than `SMALLEST_TREND` years.
    """
    site = table["site"]
    values = table[column] - table.groupby(site)[column].transform("mean")
    years = table["year"] - table.groupby(site)["year"].transform("mean")
    spread = (years**2).groupby(site).transform("sum")
    slope = (years * values).groupby(site).transform("sum") / spread.where(spread > 0.0)
    enough = table.groupby(site)["year"].transform("nunique") >= SMALLEST_TREND
    anomaly = values - slope * years
    # what rounding leaves of an exact line is no anomaly
    anomaly = anomaly.where(anomaly.abs() > 1e-9 * table[column].abs().max(), 0.0)
    return anomaly.where(enough)


def year_centred_rmse(table: pd.DataFrame) -> float:
    """RMSE after the mean of each year was taken from both: the pattern in space, not the years.

    Parameters
    ----------
    table : pandas.DataFrame
        With ``year``, ``observed``, ``predicted``.
    """
    return rmse(*_centred(table, "year"))


def site_centred_r(table: pd.DataFrame) -> float:
    """Pearson's r after the mean of each site was taken from both: within sites, over years."""
    return correlation(*_centred(table, "site"))


def _centred(table: pd.DataFrame, by: str) -> tuple[pd.Series, pd.Series]:
    good = table[np.isfinite(table["observed"]) & np.isfinite(table["predicted"])]
    o, s = (good[c] - good.groupby(by)[c].transform("mean") for c in ("observed", "predicted"))
    # what rounding leaves of sites that never change is no variance
    o = o.where(o.abs() > 1e-12 * good["observed"].abs().max(), 0.0)
    return o, s.where(s.abs() > 1e-12 * good["predicted"].abs().max(), 0.0)


def scores(table: pd.DataFrame) -> dict[str, float | int]:
    """RMSE, MAE, bias, r, r of anomalies, and the number of pairs.

    Parameters
    ----------
    table : pandas.DataFrame
        Columns ``site``, ``year``, ``observed``, ``predicted``; rows without a prediction are left
        out. ``r_anomaly`` is the correlation of both after each site's linear trend over these
        years was taken from them; columns ``observed_anomaly`` and ``predicted_anomaly`` are used
        where the table has them.
    """
    good = table[np.isfinite(table["observed"]) & np.isfinite(table["predicted"])]
    anomalies = {}
    for name in ("observed", "predicted"):
        known = f"{name}_anomaly"
        anomalies[name] = good[known] if known in good else site_anomalies(good, name)
    o, s = good["observed"], good["predicted"]
    return {
        "rmse": rmse(o, s), "mae": mae(o, s), "bias": bias(o, s), "r": correlation(o, s),
        "r_anomaly": correlation(anomalies["observed"], anomalies["predicted"]), "n": len(good),
    }


def scores_by_year(table: pd.DataFrame) -> dict[str, dict[str, float | int]]:
    """`scores` of each year; anomalies are from the trends over all years of the table."""
    return scores_by(table, "year")


def scores_by(table: pd.DataFrame, column: str) -> dict[str, dict[str, float | int]]:
    """`scores` of the samples that share a value of a column; anomalies as in `scores_by_year`."""
    good = table[np.isfinite(table["observed"]) & np.isfinite(table["predicted"])].copy()
    for name in ("observed", "predicted"):
        good[f"{name}_anomaly"] = site_anomalies(good, name)
    return {str(value): scores(part) for value, part in good.groupby(column)}


def site_scores(table: pd.DataFrame) -> pd.DataFrame:
    """RMSE, and r over years, of each site.

    Parameters
    ----------
    table : pandas.DataFrame
        ``site``, ``label``, ``lat``, ``lon``, ``observed``, ``predicted``.

    Returns
    -------
    pandas.DataFrame
        ``site``, ``label``, ``lat``, ``lon``, ``n``, ``rmse``, ``r``; r is NaN at sites with fewer
        than `SMALLEST_TREND` years, or without variance.
    """
    good = table[np.isfinite(table["observed"]) & np.isfinite(table["predicted"])]
    site = good["site"]
    o, s = _centred(good, "site")
    sums = pd.DataFrame({
        "n": 1, "square": (good["predicted"] - good["observed"]) ** 2,
        "oo": o**2, "ss": s**2, "os": o * s}).groupby(site).sum()
    spread = (sums["oo"] * sums["ss"]) ** 0.5
    known = (spread > 0.0) & (sums["n"] >= SMALLEST_TREND)
    found = pd.DataFrame({
        "n": sums["n"], "rmse": (sums["square"] / sums["n"]) ** 0.5,
        "r": (sums["os"] / spread.where(spread > 0.0)).where(known)})
    places = good.drop_duplicates("site").set_index("site")[["label", "lat", "lon"]]
    return places.join(found).reset_index()
