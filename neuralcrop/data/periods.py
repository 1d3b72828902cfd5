"""Weekly and monthly datasets laid out by (period, space), and their way to days."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import xarray as xr

from neuralcrop.core.calendar import CalendarName, days_in_year
from neuralcrop.data import timeaxis
from neuralcrop.data.disaggregate import CONTEXT, Frequency, daily_block, period_lengths
from neuralcrop.data.errors import Problems
from neuralcrop.data.names import find_time
from neuralcrop.data.places import Places
from neuralcrop.data.standardise import spatial_dims


@dataclass
class PeriodLayout:
    """Periods in order.

    Attributes
    ----------
    dataset : xarray.Dataset
        The data with the dimension ``period`` in place of (year, week) or time.
    lengths : numpy.ndarray
        ``[period]`` days.
    year, number : numpy.ndarray
        ``[period]`` calendar year and number within the year (from 1).
    start : object
        First day, a time stamp of the calendar.
    calendar : CalendarName
        Calendar as the core knows it.
    """

    dataset: xr.Dataset
    lengths: np.ndarray
    year: np.ndarray
    number: np.ndarray
    start: object
    calendar: CalendarName

    @property
    def days(self) -> xr.DataArray:
        """Length of each period, d."""
        return xr.DataArray(self.lengths.astype("float32"), dims="period")


def period_layout(
    dataset: xr.Dataset, frequency: Frequency, problems: Problems
) -> PeriodLayout | None:
    """Bring (year, week), (year, month) or a weekly or monthly time axis to one ``period`` axis.

    Week w covers days 7(w-1)+1 to 7w of its year and week 52 runs to the end of the year; on a
    time axis a stamp is the first day of a week, or any day of a month.
    """
    if "year" in dataset.dims and frequency in dataset.dims:
        return _from_two_dims(dataset, frequency, problems)
    axis = find_time(dataset)
    if axis is None:
        problems.add("dimensions", f"{dict(dataset.sizes)}",
                     f"time, or year and {frequency}, for frequency='{frequency}'",
                     "rename the dimensions")
        return None
    dataset = dataset.rename({axis: "time"}) if axis != "time" else dataset
    if not timeaxis.check_type(dataset["time"], problems):
        return None
    dataset, _ = timeaxis.whole_days(dataset)
    return _from_time(dataset, frequency, problems)


def _from_two_dims(
    dataset: xr.Dataset, frequency: Frequency, problems: Problems
) -> PeriodLayout | None:
    expected = 52 if frequency == "week" else 12
    n = dataset.sizes[frequency]
    if n not in (expected, 53 if frequency == "week" else 12):
        problems.add(f"dimension {frequency}", f"{n} entries", f"{expected} a year", "")
        return None
    if "year" not in dataset.coords:
        problems.add("coordinate year", "missing", "calendar years",
                     "dataset.assign_coords(year=...)")
        return None
    years = dataset["year"].values.astype(int)
    if np.any(np.diff(years) != 1):
        problems.add("coordinate year", f"not consecutive: {years.tolist()}", "consecutive years",
                     "dataset.reindex(year=range(first, last + 1))")
        return None
    dataset = dataset.isel({frequency: slice(0, expected)})
    keep = [v for v in dataset.data_vars
            if {"year", frequency} <= set(dataset[v].dims) or not
            ({"year", frequency} & set(dataset[v].dims))]
    flat = dataset[keep].drop_vars(["year", frequency], errors="ignore")
    flat = flat.stack(period=["year", frequency], create_index=False)
    lengths = np.concatenate([period_lengths(frequency, int(y), "standard") for y in years])
    return PeriodLayout(
        flat, lengths, np.repeat(years, expected), np.tile(np.arange(1, expected + 1), len(years)),
        pd.Timestamp(year=int(years[0]), month=1, day=1), "standard",
    )


def _from_time(
    dataset: xr.Dataset, frequency: Frequency, problems: Problems
) -> PeriodLayout | None:
    time = dataset["time"]
    calendar = timeaxis.calendar_of(time)
    year, month = time.dt.year.values, time.dt.month.values
    step = np.diff(timeaxis.day_numbers(time))
    if frequency == "month":
        steady = bool(np.all(np.diff(year * 12 + month) == 1))
        lengths = np.array([period_lengths("month", int(y), calendar)[m - 1]
                            for y, m in zip(year, month, strict=True)])
        first, number = _month_start(time.values[0]), month
    else:
        steady = bool(np.all((step >= 7) & (step <= 9)))
        lengths = np.append(step, 7).astype(int)
        first = time.values[0]
        number = (time.dt.dayofyear.values - 1) // 7 + 1
    if not steady:
        bad = int(np.flatnonzero(np.diff(year * 12 + month) != 1 if frequency == "month"
                                 else (step < 7) | (step > 9))[0])
        problems.add("time", f"{step[bad]:g} days after {timeaxis.date_text(time.values[bad])}",
                     f"one stamp a {frequency}, every {frequency}", "check frequency=")
        return None
    flat = dataset.rename({"time": "period"}).drop_vars("period")
    return PeriodLayout(flat, lengths, year, np.asarray(number), first, calendar)


def _month_start(stamp: object) -> object:
    """First day of the month of a time stamp."""
    if isinstance(stamp, np.datetime64):
        return pd.Timestamp(stamp).replace(day=1)
    return stamp.replace(day=1)  # type: ignore[attr-defined]


def from_periods(standard: xr.Dataset, layout: PeriodLayout) -> xr.Dataset:
    """Daily dataset with the mean or total of every period kept exactly.

    Parameters
    ----------
    standard : xarray.Dataset
        Canonical names and units on the dimension ``period``.
    layout : PeriodLayout
        The periods.
    """
    standard, dims = spatial_dims(standard, ("period",))
    places = Places.of(standard, dims)
    timed = [str(n) for n in standard.data_vars if "period" in standard[n].dims and n != "co2"]
    means = {n: standard[n].transpose("period", *dims).values.reshape(len(layout.lengths), -1)
             for n in timed}
    pieces: dict[str, list[np.ndarray]] = {n: [] for n in timed}
    for year in np.unique(layout.year):
        inside = np.flatnonzero(layout.year == year)
        before = min(CONTEXT, int(inside[0]))
        after = min(CONTEXT, len(layout.lengths) - 1 - int(inside[-1]))
        span = slice(int(inside[0]) - before, int(inside[-1]) + 1 + after)
        block = daily_block(
            {n: v[span] for n, v in means.items()}, layout.lengths[span].tolist(), int(year),
            int(layout.number[inside[0]]), places.lat, np.nan_to_num(places.lon), before, after,
        )
        for name, values in block.items():
            pieces[name].append(values.astype("float32"))
    n_days = int(layout.lengths.sum())
    time = xr.date_range(layout.start, periods=n_days, freq="D",  # type: ignore[arg-type]
                         calendar=_xarray_calendar(layout.calendar), use_cftime=None)
    out = standard.drop_vars([*timed, "co2"], errors="ignore")
    for name in timed:
        values = np.concatenate(pieces[name]).reshape(n_days, *places.shape)
        out[name] = (("time", *dims), values, standard[name].attrs)
    if "co2" in standard and "period" in standard["co2"].dims:
        flat = standard["co2"].isel({d: 0 for d in standard["co2"].dims if d != "period"})
        out["co2"] = ("time", np.repeat(flat.values, layout.lengths), standard["co2"].attrs)
    return out.assign_coords(time=time)


def _xarray_calendar(calendar: CalendarName) -> str:
    return {"standard": "standard", "noleap": "noleap", "360_day": "360_day"}[calendar]


def year_length(year: int) -> int:
    """Days of a year of the standard calendar."""
    return days_in_year(year)
