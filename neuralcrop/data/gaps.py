"""Missing values: short gaps are filled by a stated rule, long ones are errors."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neuralcrop.data.errors import Problems
from neuralcrop.data.timeaxis import date_text

MAX_GAP = 5
"""Longest gap that is filled, d."""

RAIN_WINDOW = 15
"""A gap in precipitation takes the mean of the valid days this many days either side."""


def longest_gap(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Length and start of the longest run of NaN along the first axis.

    Parameters
    ----------
    values : numpy.ndarray
        ``[time, ...]``.

    Returns
    -------
    length, start : numpy.ndarray
        ``[...]`` days and index of the first day; 0 where there is none.
    """
    missing = np.isnan(values)
    run = np.zeros(values.shape[1:], dtype=np.int64)
    length = np.zeros_like(run)
    start = np.zeros_like(run)
    for t in np.flatnonzero(missing.reshape(missing.shape[0], -1).any(axis=1)):
        row = missing[t]
        before = missing[t - 1] if t else np.zeros_like(row)
        run = np.where(row, np.where(before, run, 0) + 1, 0)
        longer = run > length
        length = np.where(longer, run, length)
        start = np.where(longer, t - run + 1, start)
    return length, start


def interpolate(values: np.ndarray, max_gap: int = MAX_GAP) -> np.ndarray:
    """Fill gaps of at most ``max_gap`` days linearly along the first axis.

    Gaps at either end take the nearest value. Longer gaps stay NaN.
    """
    return _fill(values, max_gap, _linear)


def fill_rain(values: np.ndarray, max_gap: int = MAX_GAP, window: int = RAIN_WINDOW) -> np.ndarray:
    """Fill gaps of at most ``max_gap`` days with the mean of the days around.

    The mean keeps the expected total; zeros would dry the soil and interpolation between two wet
    days would flood it.
    """
    def around(column: np.ndarray, start: int, stop: int) -> np.ndarray:
        near = column[max(start - window, 0) : stop + window]
        return np.full(stop - start, np.nanmean(near) if not np.isnan(near).all() else np.nan)

    return _fill(values, max_gap, around)


def _linear(column: np.ndarray, start: int, stop: int) -> np.ndarray:
    """Straight line across one gap."""
    left = column[start - 1] if start else column[stop]
    right = column[stop] if stop < len(column) else left
    weight = np.arange(1, stop - start + 1) / (stop - start + 1)
    return left + (right - left) * weight


def _fill(values: np.ndarray, max_gap: int, rule) -> np.ndarray:  # type: ignore[no-untyped-def]
    """Apply a rule to every short gap of every column that has one."""
    missing = np.isnan(values)
    some = missing.any(axis=0) & ~missing.all(axis=0)
    if not some.any() or max_gap < 1:
        return values
    out = values.copy()
    for index in zip(*np.nonzero(some), strict=True):
        column, gap = values[(slice(None), *index)], missing[(slice(None), *index)]
        edges = np.flatnonzero(np.diff(np.concatenate([[False], gap, [False]]).astype(np.int8)))
        for start, stop in zip(edges[::2], edges[1::2], strict=True):
            if stop - start <= max_gap:
                out[(slice(start, stop), *index)] = rule(column, start, stop)
    return out


def fill(name: str, variable: xr.DataArray, max_gap: int = MAX_GAP) -> xr.DataArray:
    """Fill short gaps of one variable; lazy when the variable is lazy.

    Parameters
    ----------
    name : str
        Forcing variable; precipitation has its own rule.
    variable : xarray.DataArray
        Values with ``time`` first.
    max_gap : int
        Longest gap that is filled, d.
    """
    rule = fill_rain if name == "pr" else interpolate
    if variable.chunks is None:
        return variable.copy(data=rule(variable.values, max_gap))
    import dask.array as da

    depth = max_gap + (RAIN_WINDOW if name == "pr" else 1)
    data = variable.data
    shortest = min(data.chunks[0])
    if shortest < depth:
        data = data.rechunk({0: max(depth, max(data.chunks[0]))})
    if min(data.chunks[0]) < depth:
        data = data.rechunk({0: -1})
    filled = da.map_overlap(rule, data, depth={0: depth}, boundary="none", max_gap=max_gap,
                            dtype=data.dtype, meta=np.empty((0,) * data.ndim, data.dtype))
    return variable.copy(data=filled)


@dataclass(frozen=True)
class LongGap:
    """The longest gap of a variable: flat index of the cell, days, first day, cells affected."""

    place: int
    days: int
    start: int
    cells: int


def find_gaps(values: np.ndarray, land: np.ndarray, max_gap: int) -> tuple[int, LongGap | None]:
    """Missing values of the cells that count, and the longest gap if it is too long.

    Parameters
    ----------
    values : numpy.ndarray
        ``[time, ...]``.
    land : numpy.ndarray
        ``[...]`` cells that count.
    max_gap : int
        Longest gap that is filled, d.
    """
    inside = np.flatnonzero(land.reshape(-1))
    columns = values.reshape(len(values), -1)[:, inside]
    missing = int(np.isnan(columns).sum())
    if not missing:
        return 0, None
    length, start = longest_gap(columns)
    long = np.flatnonzero(length > max_gap)
    if not long.size:
        return missing, None
    worst = long[np.argmax(length[long])]
    return missing, LongGap(int(inside[worst]), int(length[worst]), int(start[worst]), long.size)


def report_gaps(
    found: Mapping[str, LongGap], time: xr.DataArray, place_name: Callable[[int], str],
    max_gap: int, problems: Problems,
) -> None:
    """Report gaps that are too long, variables with the same gap together."""
    groups: dict[LongGap, list[str]] = {}
    for name, gap in found.items():
        groups.setdefault(gap, []).append(name)
    for gap, names in groups.items():
        others = f" ({gap.cells} cells have such gaps)" if gap.cells > 1 else ""
        problems.add(
            f"variable{'s' if len(names) > 1 else ''} {', '.join(names)}, "
            f"{place_name(gap.place)}",
            f"no values for {gap.days} days from {date_text(time.values[gap.start])}{others}",
            f"at most {max_gap} days in a row",
            "fill it, choose years or cells without it (time=slice(...)), or raise max_gap",
        )
