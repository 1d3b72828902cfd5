"""The time axis: whole days in order, in the calendar of the data."""

from __future__ import annotations

from dataclasses import dataclass

import cftime
import numpy as np
import xarray as xr

from neuralcrop.core.calendar import CalendarName, solar_day
from neuralcrop.data.errors import Problems

_CALENDARS: dict[str, CalendarName] = {
    "standard": "standard", "gregorian": "standard", "proleptic_gregorian": "standard",
    "noleap": "noleap", "365_day": "noleap", "360_day": "360_day",
}

_TOLERANCE_S = 30.0
"""A stamp this close before midnight counts as the next day (times stored as floating point)."""


@dataclass(frozen=True)
class Days:
    """Consecutive days of a time coordinate.

    Attributes
    ----------
    calendar : CalendarName
        Calendar as the core knows it.
    year, day_of_year, month : numpy.ndarray
        ``[time]`` integers.
    """

    calendar: CalendarName
    year: np.ndarray
    day_of_year: np.ndarray
    month: np.ndarray

    @classmethod
    def of(cls, time: xr.DataArray) -> Days:
        """Days of a decoded time coordinate."""
        return cls(
            calendar_of(time), time.dt.year.values.astype(np.int64),
            time.dt.dayofyear.values.astype(np.int64), time.dt.month.values.astype(np.int64),
        )

    @property
    def solar_day(self) -> np.ndarray:
        """``[time]`` day of the solar year (see `core.calendar.solar_day`)."""
        return np.array([solar_day(float(d), int(y), self.calendar)
                         for d, y in zip(self.day_of_year, self.year, strict=True)])


def calendar_of(time: xr.DataArray) -> CalendarName:
    """Calendar of a decoded time coordinate as the core knows it."""
    return _CALENDARS[str(time.dt.calendar)]


def day_numbers(time: xr.DataArray) -> np.ndarray:
    """``[time]`` days since a fixed date of the calendar, with the time of day as a fraction."""
    values = time.values
    if values.dtype.kind == "M":
        return values.astype("datetime64[us]").astype(np.int64) / 86400e6
    numbers = cftime.date2num(values, "seconds since 0001-01-01", calendar=values[0].calendar)
    return np.asarray(numbers, dtype=float) / 86400.0


def date_text(value: object) -> str:
    """``YYYY-MM-DD`` of a time stamp of either kind."""
    return str(value)[:10] if not isinstance(value, cftime.datetime) else value.strftime("%Y-%m-%d")


def whole_days(dataset: xr.Dataset) -> tuple[xr.Dataset, bool]:
    """The dataset with every time stamp at the start of its day, and whether any moved."""
    time = dataset["time"]
    numbers = day_numbers(time)
    days = np.floor(numbers + _TOLERANCE_S / 86400.0)
    if np.array_equal(days, numbers):
        return dataset, False
    if time.dtype.kind == "M":
        stamps = days.astype("timedelta64[D]").astype("timedelta64[ns]") + np.datetime64(0, "ns")
    else:
        stamps = cftime.num2date(days, "days since 0001-01-01", calendar=time.values[0].calendar)
    return dataset.assign_coords(time=("time", np.asarray(stamps), time.attrs)), True


def is_sorted(time: xr.DataArray) -> bool:
    """Whether days rise without repetition."""
    return bool(np.all(np.diff(day_numbers(time)) > 0))


def check_type(time: xr.DataArray, problems: Problems) -> bool:
    """Whether the coordinate holds dates of a calendar that is handled."""
    if time.size == 0:
        problems.add("time", "no days", "at least one day")
        return False
    is_date = time.dtype.kind == "M" or isinstance(time.values.flat[0], cftime.datetime)
    if not is_date:
        problems.add(
            "time", f"values of type {time.dtype}, not dates", "dates",
            "give time the attribute units = 'days since YYYY-MM-DD' and open it with xarray",
        )
        return False
    if str(time.dt.calendar) not in _CALENDARS:
        problems.add("time", f"calendar '{time.dt.calendar}'", f"one of {', '.join(_CALENDARS)}",
                     "convert it with xarray's convert_calendar")
        return False
    return True


def check_daily(time: xr.DataArray, problems: Problems) -> bool:
    """Check that days follow each other; every kind of fault is reported with its first date.

    Parameters
    ----------
    time : xarray.DataArray
        Time coordinate in whole days.
    problems : Problems
        Receives the faults.

    Returns
    -------
    bool
        True when the axis is daily and complete.
    """
    step = np.diff(day_numbers(time))
    if step.size == 0 or np.all(step == 1):
        return True
    stamps = time.values
    median = float(np.median(step))
    for word, low, high in (("month", 27.5, 31.5), ("week", 6.5, 7.5)):
        if low <= median <= high:
            problems.add(
                "time", f"{word}ly data ({median:g} days between stamps)", "daily data",
                f"say so with frequency='{word}'",
            )
            return False
    repeated = np.flatnonzero(step == 0)
    if repeated.size:
        many = int(np.bincount(np.cumsum(step != 0)).max()) + 1
        what = (f"{repeated.size} repeated days, first {date_text(stamps[repeated[0]])}"
                + (f" ({many} stamps on one day: sub-daily data?)" if many > 2 else ""))
        problems.add("time", what, "each day once",
                     "dataset.drop_duplicates('time'), or aggregate to days")
    backward = np.flatnonzero(step < 0)
    if backward.size:
        problems.add("time", f"not in order, first step back after "
                     f"{date_text(stamps[backward[0]])}", "rising dates", "dataset.sortby('time')")
    elif np.any(step > 1):
        _report_missing_days(time, step, problems)
    return False


def _report_missing_days(time: xr.DataArray, step: np.ndarray, problems: Problems) -> None:
    """Report jumps of a sorted time axis; a missing 29 February has its own remedy."""
    gaps = np.flatnonzero(step > 1)
    stamps = time.values
    first = gaps[0]
    leap = all(
        step[g] == 2 and date_text(stamps[g])[5:] == "02-28" for g in gaps
    ) and calendar_of(time) == "standard"
    remedy = ("the data have no 29 February: give time the attribute calendar = 'noleap'" if leap
              else "dataset.resample(time='1D').asfreq(), then short gaps are filled")
    problems.add(
        "time", f"{int((step[gaps] - 1).sum())} days missing in {gaps.size} places, first after "
        f"{date_text(stamps[first])}", "every day", remedy,
    )
