"""Sowing within a window of days: every year on the first day that is warm and wet enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neuralcrop.data.calendars import CropRule, crop_rule
from neuralcrop.data.errors import Problems, nearest
from neuralcrop.data.management_dates import day_of_year
from neuralcrop.data.tensors import CellIndex
from neuralcrop.data.timeaxis import Days

MEAN_DAYS = 10
"""Days over which temperature is averaged and rain is summed."""

RAIN = 5.0
"""Rain of `MEAN_DAYS` days that makes the soil moist enough, mm."""

_KEYS = ("window", "rain")


def window_sowing(
    value: Mapping[str, Any], prepared: xr.Dataset, cells: CellIndex, names: Sequence[str],
    days: Days, rules: dict[str, CropRule] | None, problems: Problems,
) -> tuple[np.ndarray, int]:
    """``[year, cell]`` days of sowing and the calendar year of the first row.

    A crop is sown on the first day of the window on which the mean temperature of the `MEAN_DAYS`
    days up to it has reached the crop's threshold of the sowing rule (spring crops: at least;
    winter crops: at most) and their rain a given sum; where there is no such day, on the last of
    the window. It is a decision on weather that is known: it has no gradient. A window across New
    Year belongs to the year in which it opens; one that the forcing covers in part counts with
    what it covers.

    Parameters
    ----------
    value : mapping
        ``window``: first and last day (days of year or dates); ``rain``: mm, `RAIN` by default.
    prepared : xarray.Dataset
        From `prepare_forcing`.
    cells, names, days, rules, problems
        Cells, the crop of each, calendar, own rules, collector of problems.
    """
    where, first_year = "management['sowing']", int(days.year[0])
    years = np.arange(first_year, int(days.year[-1]) + 1)
    out = np.zeros((len(years), cells.n_cells), dtype=np.int64)
    for key in value:
        if key not in _KEYS:
            problems.add(f"{where}['{key}']", "unknown key", "", nearest(str(key), _KEYS))
    given, rain = value.get("window"), value.get("rain", RAIN)
    if not isinstance(given, (list, tuple)) or len(given) != 2:
        problems.add(f"{where}['window']", f"{given!r}", "its first and last day", "")
        return out, first_year
    if isinstance(rain, bool) or not isinstance(rain, (int, float)) or not 0.0 <= rain <= 500.0:
        problems.add(f"{where}['rain']", f"{rain!r}", "mm from 0 to 500", "")
        return out, first_year
    start, stop = (day_of_year(day, days.calendar, f"{where}['window']", problems)
                   for day in given)
    good = _good_days(prepared, cells, [crop_rule(name, rules) for name in names], float(rain))
    for year in years:
        opened = (days.year == year) & (days.day_of_year >= start)
        closed = (days.year == year + 1) & (days.day_of_year <= stop)
        inside = opened | closed if start > stop else opened & (days.day_of_year <= stop)
        index = np.flatnonzero(inside)
        if not len(index):
            continue
        found = good[index]
        chosen = index[np.where(found.any(axis=0), found.argmax(axis=0), len(index) - 1)]
        row = days.year[chosen] - first_year
        out[row, np.arange(cells.n_cells)] = days.day_of_year[chosen]
    return out, first_year


def _good_days(
    prepared: xr.Dataset, cells: CellIndex, rules: Sequence[CropRule], rain: float
) -> np.ndarray:
    """Whether a day is warm (or cool) and wet enough, ``[time, cell]``."""
    arrays = [
        prepared[name].transpose("time", *cells.dims).values.reshape(
            prepared.sizes["time"], -1)[:, cells.position].astype(float)
        for name in ("tas", "pr")]
    tas, pr = (_running(array) for array in arrays)
    winter = np.array([rule.winter and rule.temp_fall is not None for rule in rules])
    spring = np.array([rule.temp_spring for rule in rules])
    fall = np.array([rule.temp_spring if rule.temp_fall is None else rule.temp_fall
                     for rule in rules])
    return np.asarray(np.where(winter, tas <= fall, tas >= spring) & (pr * MEAN_DAYS >= rain))


def _running(values: np.ndarray) -> np.ndarray:
    """Mean of the `MEAN_DAYS` days up to each day, of fewer at the start."""
    total = np.cumsum(np.concatenate([np.zeros_like(values[:1]), values]), axis=0)
    n = np.arange(1, len(values) + 1)
    before = np.maximum(n - MEAN_DAYS, 0)
    return np.asarray((total[n] - total[before]) / (n - before)[:, None])
