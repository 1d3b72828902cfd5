"""Scores of ensembles: how sharp they are, and whether their spread can be trusted."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike


def crps(observed: ArrayLike, members: ArrayLike, fair: bool = False) -> float:
    r"""Mean continuous ranked probability score of an ensemble, in the unit of the values.

    .. math:: \overline{\frac{1}{m}\sum_i |x_i - o| - \frac{1}{2 m^2} \sum_{i,j} |x_i - x_j|}

    Gneiting and Raftery (2007), doi:10.1198/016214506000001437. The fair score, with m(m - 1) in
    the second term, does not depend on the number of members (Ferro 2014, doi:10.1002/qj.2270).

    Parameters
    ----------
    observed : array_like
        ``[sample]``.
    members : array_like
        ``[member, sample]``.
    fair : bool
        Which of the two.

    Returns
    -------
    float
        NaN without samples; samples that are not finite are left out.
    """
    o, x = _finite(observed, members)
    m = len(x)
    if not o.size or (fair and m < 2):
        return np.nan
    near = np.abs(x - o).mean(axis=0)
    # sum over pairs of sorted members, without a matrix of pairs
    order = 2.0 * np.arange(1, m + 1) - m - 1.0
    pairs = (order[:, None] * np.sort(x, axis=0)).sum(axis=0)
    return float(np.mean(near - pairs / (m * (m - 1) if fair else m * m)))


def coverage(
    observed: ArrayLike, members: ArrayLike, level: float = 0.8, noise: float = 0.0
) -> float:
    """Share of observations inside the central interval of the ensemble.

    Parameters
    ----------
    observed : array_like
        ``[sample]``.
    members : array_like
        ``[member, sample]``.
    level : float
        Probability of the interval, which is the share to hope for.
    noise : float
        Standard deviation that members do not have and observations do; the interval is then that
        of a normal distribution with the variance of both. 0: quantiles of the members.

    Returns
    -------
    float
        NaN without samples.
    """
    o, x = _finite(observed, members)
    if not o.size:
        return np.nan
    low, high = central_interval(x, level, noise)
    return share_inside(o, low, high)


def share_inside(observed: np.ndarray, low: np.ndarray, high: np.ndarray) -> float:
    """Share of observations between two bounds, all ``[sample]``."""
    return float(np.mean((observed >= low) & (observed <= high)))


def central_interval(
    members: ArrayLike, level: float = 0.8, noise: float = 0.0
) -> tuple[np.ndarray, np.ndarray]:
    """Lower and upper bound ``[sample]`` of the central interval; see `coverage`."""
    from statistics import NormalDist

    if not 0.0 < level < 1.0:
        raise ValueError(f"level is {level}, expected between 0 and 1")
    x = np.asarray(members, dtype=float)
    if noise == 0.0:
        low, high = np.quantile(x, [0.5 - 0.5 * level, 0.5 + 0.5 * level], axis=0)
        return low, high
    spread = x.var(axis=0, ddof=1) if len(x) > 1 else 0.0
    half = NormalDist().inv_cdf(0.5 + 0.5 * level) * np.sqrt(spread + noise**2)
    return x.mean(axis=0) - half, x.mean(axis=0) + half


def reliability(
    observed: ArrayLike, members: ArrayLike, levels: ArrayLike = (0.2, 0.4, 0.5, 0.6, 0.8, 0.9),
    noise: float = 0.0,
) -> dict[float, float]:
    """`coverage` of several central intervals, by their probability."""
    return {float(level): coverage(observed, members, float(level), noise)
            for level in np.asarray(levels, dtype=float)}


def _finite(observed: ArrayLike, members: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    o, x = np.asarray(observed, dtype=float), np.asarray(members, dtype=float)
    if x.ndim != 2 or x.shape[1:] != o.shape:
        raise ValueError(f"members have shape {x.shape}, expected [member, {o.size}]")
    good = np.isfinite(o) & np.isfinite(x).all(axis=0)
    return o[good], x[:, good]
