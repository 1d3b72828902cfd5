"""Weekly and monthly weather to daily weather, keeping the mean or total of every period."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Literal

import numpy as np

from neuralcrop.core.calendar import CalendarName, days_in_year
from neuralcrop.data.randomness import place_key, uniform

Frequency = Literal["day", "week", "month"]

CONTEXT = 3
"""Periods of the neighbouring years that steer the interpolation at the ends of a year."""

WET_DAY_SCALE = 2.1
"""mm d-1; share of wet days p / (p + 2.1) in a period of mean precipitation p.

Fitted here to the weekly totals of 28 NASA POWER points, 1984-2023 (days of 1 mm or more; within
0.03 of the observed share from 0.5 to 20 mm d-1).
"""

WET_DAY_RADIATION = 0.68
"""Radiation of a wet day over that of a dry day of the same week (same data, median)."""

_AMOUNT_EXPONENT = 0.65
"""Weibull amounts with a coefficient of variation of about 0.65 (same data)."""

_FLOOR = 0.2
"""Days of a positive variable stay above this share of the mean of their period."""

_POSITIVE = ("rsds", "rlds", "vap", "huss", "hurs", "sfcwind", "ps")

_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def period_lengths(kind: Frequency, year: int, calendar: CalendarName) -> tuple[int, ...]:
    """Days of each period of a year.

    Week w covers days 7(w-1)+1 to 7w; week 52 runs to the end of the year.
    """
    n = days_in_year(year, calendar)
    if kind == "week":
        return (7,) * 51 + (n - 357,)
    if calendar == "360_day":
        return (30,) * 12
    return tuple(m + (1 if i == 1 and n == 366 else 0) for i, m in enumerate(_MONTHS))


@lru_cache(maxsize=128)
def smoothing_operator(lengths: tuple[int, ...]) -> np.ndarray:
    """Matrix ``[day, period]`` from period means to the smoothest days with these means.

    Minimises the sum of squared second differences of the days subject to the period means, a
    linear problem solved once per layout. Rows sum to one.
    """
    n, p = sum(lengths), len(lengths)
    second = np.diff(np.eye(n), n=2, axis=0) if n > 2 else np.zeros((0, n))
    first = np.diff(np.eye(n), axis=0)
    roughness = second.T @ second + 1e-6 * (first.T @ first)
    average = np.zeros((p, n))
    stop = np.cumsum(lengths)
    for k, length in enumerate(lengths):
        average[k, stop[k] - length : stop[k]] = 1.0 / length
    system = np.block([[roughness, average.T], [average, np.zeros((p, p))]])
    right = np.concatenate([np.zeros((n, p)), np.eye(p)])
    return np.asarray(np.linalg.solve(system, right)[:n])


def smooth_days(
    values: np.ndarray, lengths: Sequence[int], floor: float | None = None,
    upper: float | None = None,
) -> np.ndarray:
    """Smooth daily values with given period means.

    Where the smooth curve leaves the bounds within a period, its swing about the period's mean is
    reduced just enough, so the mean is kept exactly.

    Parameters
    ----------
    values : numpy.ndarray
        ``[period, cell]``; a missing period gives missing days and does not touch its neighbours.
    lengths : sequence of int
        Days of each period.
    floor : float, optional
        Lower bound of the days as a share of the mean of their period (which is not negative).
    upper : float, optional
        Upper bound of the days.

    Returns
    -------
    numpy.ndarray
        ``[day, cell]``.
    """
    lengths = tuple(int(n) for n in lengths)
    filled = _nearest_valid(np.asarray(values, dtype=float))
    days = smoothing_operator(lengths) @ filled
    start = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    mean_days = np.repeat(filled, lengths, axis=0)
    # rounding of the solve is taken out so that the means hold to the last digits
    error = np.add.reduceat(days, start, axis=0) / np.array(lengths)[:, None] - filled
    days = days - np.repeat(error, lengths, axis=0)
    shrink = np.ones_like(filled)
    if floor is not None:
        reach = filled - np.minimum.reduceat(days, start, axis=0)
        shrink = _less_swing(shrink, reach, (1.0 - floor) * np.maximum(filled, 0.0))
    if upper is not None:
        reach = np.maximum.reduceat(days, start, axis=0) - filled
        shrink = _less_swing(shrink, reach, np.maximum(upper - filled, 0.0))
    days = mean_days + np.repeat(shrink, lengths, axis=0) * (days - mean_days)
    return np.where(np.repeat(np.isnan(values), lengths, axis=0), np.nan, days)


def _less_swing(shrink: np.ndarray, reach: np.ndarray, room: np.ndarray) -> np.ndarray:
    """Factor on the swing of each period such that its reach stays within the room."""
    over = reach > room
    return np.where(over, np.minimum(shrink, room / np.where(over, reach, 1.0)), shrink)


def _nearest_valid(values: np.ndarray) -> np.ndarray:
    """Missing periods replaced by the last valid one, or the next at the beginning."""
    if not np.isnan(values).any():
        return values
    index = np.arange(len(values))[:, None]
    last = np.maximum.accumulate(np.where(np.isnan(values), -1, index), axis=0)
    following = np.where(np.isnan(values), len(values), index)[::-1]
    following = np.minimum.accumulate(following, axis=0)[::-1]
    pick = np.where(last >= 0, last, np.minimum(following, len(values) - 1))
    return np.nan_to_num(np.take_along_axis(values, pick, axis=0))


def wet_days(
    mean: np.ndarray, lengths: Sequence[int], year: int, first_period: int, lat: np.ndarray,
    lon: np.ndarray,
) -> tuple[np.ndarray, np.ndarray]:
    """Daily precipitation of a year from period means.

    The number of wet days follows `WET_DAY_SCALE`; which days and how much is drawn by numbers
    that depend on the place, the year, the period and the day only. Totals are kept exactly.

    Parameters
    ----------
    mean : numpy.ndarray
        ``[period, cell]`` mm d-1.
    lengths : sequence of int
        Days of each period.
    year : int
        Calendar year, a key of the draw.
    first_period : int
        Number of the first period in the year.
    lat, lon : numpy.ndarray
        ``[cell]`` position, a key of the draw.

    Returns
    -------
    precipitation, wet : numpy.ndarray
        ``[day, cell]`` mm d-1 and whether the day is wet.
    """
    place = place_key(lat, lon)
    rain, is_wet = [], []
    for k, length in enumerate(lengths):
        p = np.nan_to_num(np.maximum(mean[k], 0.0))
        keys = (place, year, first_period + k)
        share = p / (p + WET_DAY_SCALE)
        count = np.floor(share * length + uniform(*keys, 0))
        count = np.clip(count, p > 0.0, length)
        day = np.arange(length)[:, None]
        order = uniform(*keys, 1, day).argsort(axis=0).argsort(axis=0)
        wet = order < count
        weight = np.where(wet, (-np.log(uniform(*keys, 2, day))) ** _AMOUNT_EXPONENT, 0.0)
        total = weight.sum(axis=0)
        days = weight * (p * length / np.where(total > 0.0, total, 1.0))
        rain.append(np.where(np.isnan(mean[k]), np.nan, days))
        is_wet.append(wet)
    return np.concatenate(rain), np.concatenate(is_wet)


def dim_wet_days(radiation: np.ndarray, wet: np.ndarray, lengths: Sequence[int]) -> np.ndarray:
    """Radiation lower on wet days and higher on dry ones, with the mean of every period kept."""
    start = np.concatenate([[0], np.cumsum(lengths)[:-1]])
    dimmed = radiation * np.where(wet, WET_DAY_RADIATION, 1.0)
    before = np.add.reduceat(radiation, start, axis=0)
    after = np.add.reduceat(dimmed, start, axis=0)
    factor = before / np.where(after > 0.0, after, 1.0)
    return dimmed * np.repeat(factor, lengths, axis=0)


def daily_block(
    means: Mapping[str, np.ndarray], lengths: Sequence[int], year: int, first_period: int,
    lat: np.ndarray, lon: np.ndarray, before: int = 0, after: int = 0,
) -> dict[str, np.ndarray]:
    """Daily weather of one year from period means.

    Parameters
    ----------
    means : mapping of str to numpy.ndarray
        ``[period, cell]`` in canonical units, the first ``before`` and last ``after`` periods
        being context from the neighbouring years.
    lengths : sequence of int
        Days of every period, context included.
    year, first_period : int
        Year, and number in the year of the first period after the context.
    lat, lon : numpy.ndarray
        ``[cell]`` position.
    before, after : int
        Number of context periods.

    Returns
    -------
    dict of str to numpy.ndarray
        ``[day, cell]`` without the context.
    """
    core = slice(before, len(lengths) - after)
    first = sum(lengths[:before])
    days = slice(first, first + sum(lengths[core]))
    out: dict[str, np.ndarray] = {}
    for name, values in means.items():
        if name in ("pr", "tasmax"):
            continue
        floor = _FLOOR if name in _POSITIVE else None
        upper = 100.0 if name == "hurs" else None
        out[name] = smooth_days(values, lengths, floor, upper)[days]
    if "tasmax" in means and "tasmin" in means:
        spread = smooth_days(means["tasmax"] - means["tasmin"], lengths, _FLOOR)[days]
        out["tasmax"] = out["tasmin"] + spread
    elif "tasmax" in means:
        out["tasmax"] = smooth_days(means["tasmax"], lengths)[days]
    if "pr" in means:
        inner = tuple(lengths[core])
        out["pr"], wet = wet_days(means["pr"][core], inner, year, first_period, lat, lon)
        if "rsds" in out:
            out["rsds"] = dim_wet_days(out["rsds"], wet, inner)
    return out
