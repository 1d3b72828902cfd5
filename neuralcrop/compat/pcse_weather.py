"""Daily weather in the units of PCSE, checked for the period of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neuralcrop.compat.pcse_inputs import Calendar, Weather
from neuralcrop.data.errors import Problems, nearest


class _Column(NamedTuple):
    units: str
    lower: float
    upper: float
    remedy: str


COLUMNS = {
    "IRRAD": _Column("J m-2 d-1", 0, 5e7, "from MJ m-2 d-1 multiply by 1e6, from W m-2 by 86400"),
    "TMIN": _Column("degC", -60, 60, "from K subtract 273.15"),
    "TMAX": _Column("degC", -60, 60, "from K subtract 273.15"),
    "VAP": _Column("hPa", 0, 199.3, "from kPa multiply by 10, from Pa by 0.01"),
    "WIND": _Column("m s-1", 0, 100, "from km d-1 divide by 86.4"),
    "RAIN": _Column("cm d-1", 0, 25, "from mm d-1 divide by 10"),
    "E0": _Column("cm d-1", 0, 2.5, "from mm d-1 divide by 10"),
    "ES0": _Column("cm d-1", 0, 2.5, "from mm d-1 divide by 10"),
    "ET0": _Column("cm d-1", 0, 2.5, "from mm d-1 divide by 10"),
}
"""Columns that must be there: units, what is possible, and what to do with other units."""

PLACE = {"LAT": _Column("degrees north", -90, 90, ""), "ELEV": _Column("m", -500, 6000, "")}
NEEDED = (*COLUMNS, *PLACE)

# Signs of other units where every single value is possible; means need a month to mean something.
MONTH = 30
WEAKEST_MAXIMUM = 1e5  # J m-2 d-1; no month has so little light where a crop grows
DRIEST_MEDIAN = 0.125  # VAP over its saturation at TMIN; kPa in place of hPa give about 0.06 to 0.1
GREATEST_MEAN = {"E0": 1.3, "ES0": 1.3, "ET0": 1.3}  # cm d-1
WETTEST_MEAN, WETTEST_RATIO = 1.2, 8.0  # RAIN (cm d-1), and over E0
DTEMP_TOLERANCE = 0.1  # degC
ORDER_TOLERANCE = 0.01  # degC, rounding


def parse_weather(weather: pd.DataFrame, calendar: Calendar) -> Weather:
    """Weather of the days of a run.

    Days before and after those of the run are not looked at. TEMP is the mean of TMIN and TMAX
    where it is not given. DTEMP must be the mean of TMAX and TEMP, which the model takes. Other
    columns, such as TMINRA, LON and SNOWDEPTH, are not used.

    Parameters
    ----------
    weather : pandas.DataFrame
        See `neuralcrop.compat.pcse.simulate`.
    calendar : Calendar
        Tells the days.

    Raises
    ------
    InputError
        Listing everything that is wrong.
    """
    problems = Problems("weather")
    if not isinstance(weather, pd.DataFrame):
        problems.add("weather", f"is a {type(weather).__name__}", "a pandas.DataFrame",
                     "of a weather data provider, give pandas.DataFrame(provider.export())")
        problems.raise_if_any()
    for name in NEEDED:
        if name not in weather.columns and (name in COLUMNS or name not in weather.attrs):
            others = [str(c) for c in weather.columns if c not in COLUMNS]
            hint = [c for c in others if c.upper().strip() == name]
            where = f"column {name}" if name in COLUMNS else f"{name}, column or attrs"
            problems.add(
                where, "is missing", (COLUMNS | PLACE)[name].units,
                f"did you mean {hint[0]!r}?" if hint else _near(name, others))
    frame = _daily(weather, calendar, problems)
    place = {name: _one(name, frame, weather.attrs, problems) for name in PLACE}
    columns: dict[str, np.ndarray] = {}
    for name in (*COLUMNS, "TEMP", "DTEMP"):
        if name in frame.columns:
            values = _numbers(name, frame, problems)
            if values is not None:
                columns[name] = values
    _ranges(frame.index, columns, problems)
    _together(frame.index, columns, problems)
    problems.raise_if_any()
    columns.setdefault("TEMP", 0.5 * (columns["TMIN"] + columns["TMAX"]))
    columns.pop("DTEMP", None)
    return Weather([day.date() for day in frame.index], columns, place["LAT"], place["ELEV"])


def _near(name: str, others: list[str]) -> str:
    hint = nearest(name, others)
    return hint if hint.startswith("did you") else ""


def _daily(weather: pd.DataFrame, calendar: Calendar, problems: Problems) -> pd.DataFrame:
    """Days of the run as DatetimeIndex; empty where they cannot be told."""
    if "DAY" in weather.columns:
        where, given = "column DAY", pd.Index(weather["DAY"])
    elif isinstance(weather.index, pd.DatetimeIndex):
        where, given = "index", weather.index
    else:
        problems.add("index", f"is a {type(weather.index).__name__}",
                     "a DatetimeIndex or a column DAY", "weather.index = pandas.to_datetime(...)")
        return weather.iloc[:0]
    try:
        days = pd.DatetimeIndex(pd.to_datetime(given)).tz_localize(None).normalize()
    except (ValueError, TypeError) as error:
        problems.add(where, f"has what is no date ({error})", "one date a row")
        return weather.iloc[:0]
    if days.hasnans:
        problems.add(where, f"has {np.count_nonzero(days.isna())} rows without a date",
                     "one date a row")
        return weather.iloc[:0]
    doubled = days[days.duplicated()]
    if len(doubled):
        problems.add(where, f"has days more than once: {_days(doubled)}", "one row a day",
                     "take the doubled rows out, or make days of the hours")
    elif not days.is_monotonic_increasing:
        back = days[1:][np.diff(days.to_numpy()) < np.timedelta64(0)]
        problems.add(where, f"goes back in time at {_days(back)}", "rising days",
                     "weather.sort_index()")
    first, last = pd.Timestamp(calendar.campaign_start), pd.Timestamp(calendar.last_day)
    frame = weather.set_axis(days)
    frame = frame[(days >= first) & (days <= last)]
    needed = last
    if calendar.end_type != "harvest":  # the crop may be ripe before the weather ends
        needed = min(last, max([pd.Timestamp(calendar.crop_start), *frame.index]))
    absent = pd.date_range(first, needed).difference(pd.DatetimeIndex(frame.index))
    if len(absent):
        problems.add(where, f"{len(absent)} days of the crop's period are missing: {_days(absent)}",
                     f"every day from {first.date()} to {needed.date()}")
    return frame


def _one(
    name: str, frame: pd.DataFrame, attrs: Mapping[Any, Any], problems: Problems
) -> float:
    """Latitude or elevation, from a column or from ``attrs``."""
    expected = f"one number from {PLACE[name].lower:g} to {PLACE[name].upper:g} {PLACE[name].units}"
    given = frame[name].to_numpy() if name in frame.columns else attrs.get(name)
    if given is None or not np.size(given):
        return np.nan  # told elsewhere
    try:
        values = np.unique(np.asarray(given, dtype=np.float64))
    except (ValueError, TypeError):
        problems.add(name, "is no number", expected)
        return np.nan
    inside = (values >= PLACE[name].lower) & (values <= PLACE[name].upper)
    if len(values) > 1 or not inside.all():
        problems.add(name, f"is {', '.join(f'{v:g}' for v in values[:3])}", expected)
    return float(values[0])


def _numbers(name: str, frame: pd.DataFrame, problems: Problems) -> np.ndarray | None:
    """Values of a column in float64, or None where they are unusable."""
    given = frame[name]
    if isinstance(given, pd.DataFrame):
        problems.add(f"column {name}", f"is there {given.shape[1]} times", "one column")
        return None
    numbers = pd.to_numeric(given, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    bad = ~np.isfinite(numbers)
    if bad.any():
        problems.add(
            f"column {name}", f"has no value on {_days(frame.index[bad])}",
            "a number for every day", "fill the gaps first" if name in COLUMNS
            else f"fill the gaps, or leave {name} out: it is derived")
        return None
    return numbers


def _ranges(days: Any, columns: dict[str, np.ndarray], problems: Problems) -> None:
    """Refuse values that are impossible, and columns that look as if in other units."""
    for name, values in columns.items():
        c = COLUMNS.get(name, COLUMNS["TMIN"])
        bad = (values < c.lower) | (values > c.upper)
        expected = f"{c.lower:g} to {c.upper:g} {c.units}"
        if bad.any():
            problems.add(f"column {name}",
                         f"{values[bad][0]:g} is implausible, on {_days(days[bad])}",
                         expected, f"check the units: {c.remedy}")
            continue
        look = _looks(name, values, columns)
        if look:
            problems.add(f"column {name}", f"{look}; units implausible",
                         f"{c.units}", f"check the units: {c.remedy}")


def _looks(name: str, values: np.ndarray, columns: dict[str, np.ndarray]) -> str:
    """What about possible values speaks for other units."""
    if len(values) == 0:
        return ""
    mean, month = float(values.mean()), len(values) >= MONTH
    if name == "IRRAD" and values.max() < WEAKEST_MAXIMUM:
        return f"the greatest value is {values.max():g}"
    if name == "VAP" and "TMIN" in columns:
        t = np.clip(columns["TMIN"], -60.0, 60.0)
        share = float(np.median(values / (6.108 * np.exp(17.27 * t / (t + 237.3)))))
        if share < DRIEST_MEDIAN:
            return f"half of the days have less than {share:.2g} of the saturation at TMIN"
    if month and mean > GREATEST_MEAN.get(name, np.inf):
        return f"the mean is {mean:.3g}"
    if name == "RAIN" and month and mean > WETTEST_MEAN and "E0" in columns:
        demand = float(columns["E0"].mean())
        demand = 0.1 * demand if demand > GREATEST_MEAN["E0"] else demand  # told as mm itself
        if mean > WETTEST_RATIO * demand:
            return f"the mean is {mean:.3g}, more than {WETTEST_RATIO:g} times E0"
    return ""


def _together(days: Any, columns: dict[str, np.ndarray], problems: Problems) -> None:
    """Refuse columns that contradict each other."""
    if not {"TMIN", "TMAX"} <= columns.keys():
        return
    low, high = columns["TMIN"], columns["TMAX"]
    bad = low > high + ORDER_TOLERANCE
    if bad.any():
        problems.add("columns TMIN, TMAX", f"TMIN is above TMAX on {_days(days[bad])}",
                     "TMIN <= TMAX")
    if "DTEMP" in columns:
        daytime = 0.5 * (high + columns.get("TEMP", 0.5 * (low + high)))
        bad = np.abs(columns["DTEMP"] - daytime) > DTEMP_TOLERANCE
        if bad.any():
            problems.add("column DTEMP", f"is not the mean of TMAX and TEMP on {_days(days[bad])}",
                         "(TMAX + TEMP) / 2", "leave DTEMP out: it is derived")


def _days(days: Any) -> str:
    """A few days in words."""
    shown = [str(pd.Timestamp(day).date()) for day in days[:3]]
    more = len(days) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
