"""When to sow and harvest: dates of the user, of each year and cell, or the rule."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from neuralcrop.core.calendar import CalendarName
from neuralcrop.data import calendars
from neuralcrop.data.align import to_cells
from neuralcrop.data.climate import monthly_climate, monthly_pet
from neuralcrop.data.disaggregate import period_lengths
from neuralcrop.data.errors import Problems, nearest
from neuralcrop.data.tensors import CellIndex
from neuralcrop.data.timeaxis import Days

CLIMATE_YEARS = 10
"""The sowing rule looks at the climate of at most the first so many years of the forcing."""


def rule_sowing(
    prepared: xr.Dataset, cells: CellIndex, names: Sequence[str],
    rules: dict[str, calendars.CropRule] | None = None, problems: Problems | None = None,
) -> np.ndarray:
    """``[cell]`` day of year of sowing by the rule, from the climate of the forcing itself.

    Parameters
    ----------
    prepared : xarray.Dataset
        From `prepare_forcing`; at most the first `CLIMATE_YEARS` years are used.
    cells : CellIndex
        Cells of the run.
    names : sequence of str
        Crop of each cell.
    rules : dict of str to CropRule, optional
        Rules that replace the built-in ones.
    problems : Problems, optional
        Receives the problem of a forcing shorter than a year; by default it is raised.
    """
    own = problems if problems is not None else Problems("sowing rule")
    normal = monthly_climate(prepared, cells, max_years=CLIMATE_YEARS).climatology()
    if np.isnan(normal["tas"]).any():
        own.add("sowing", f"the rule needs every month of the year; the forcing has "
                f"{prepared.sizes['time']} days", "at least one full year",
                "give the sowing day: management={'sowing': 120} or {'sowing': '04-30'}")
        if problems is None:
            own.raise_if_any()
        return np.ones(cells.n_cells, dtype=np.int64)
    pet = monthly_pet(normal)
    out = np.zeros(cells.n_cells, dtype=np.int64)
    crops = np.asarray(names, dtype=object)
    for name in dict.fromkeys(names):
        at = np.flatnonzero(crops == name)
        out[at] = calendars.sowing_days(normal["tas"][:, at], normal["pr"][:, at], pet[:, at],
                                        calendars.crop_rule(name, rules))
    return out


def parse_date(text: str, calendar: CalendarName) -> tuple[int | None, int] | None:
    """Year (None when absent) and day of year of ``YYYY-MM-DD`` or ``MM-DD``; None if neither."""
    match = re.fullmatch(r"(?:(\d{4})-)?(\d{1,2})-(\d{1,2})", text.strip()[:10])
    if not match:
        return None
    year = int(match[1]) if match[1] else None
    month, day = int(match[2]), int(match[3])
    lengths = period_lengths("month", year if year is not None else 2001, calendar)
    if not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        return None
    return year, sum(lengths[: month - 1]) + day


def day_of_year(value: Any, calendar: CalendarName, where: str, problems: Problems) -> int:
    """Day of year of a number or date."""
    if isinstance(value, str):
        parsed = parse_date(value, calendar)
        if parsed is None:
            problems.add(where, f"'{value}' is not a date", "'MM-DD', 'YYYY-MM-DD' or a day of "
                         "year", "")
            return 1
        return parsed[1]
    day = float(value)
    if not (1 <= day <= 366 and day == int(day)):
        problems.add(where, f"{value}", "a day of year from 1 to 366", "")
        return 1
    return int(day)


def _day_indices(text: str, year: int | None, days: Days) -> np.ndarray:
    """Days of the run that a date names; one without a year names a day in each."""
    at = np.zeros(len(days.year), dtype=bool)
    for y in np.unique(days.year) if year is None else [year]:
        parsed = parse_date(text if year is not None else f"{y:04d}-{text}", days.calendar)
        if parsed is not None:
            at |= (days.year == y) & (days.day_of_year == parsed[1])
    return np.flatnonzero(at)


def dated_amounts(
    dates: Any, amounts: Any, cells: CellIndex, days: Days, where: str, problems: Problems,
    most: float = np.inf, units: str = "mm",
) -> dict[int, np.ndarray]:
    """Amounts by day of the run, ``[cell]``; a date without a year holds in every year."""
    if dates is None or amounts is None:
        problems.add(where, "dates and amounts must come together", "both", "")
        return {}
    dates = [dates] if isinstance(dates, str) else list(dates)
    many = isinstance(amounts, (list, tuple, np.ndarray))
    amounts = list(amounts) if many else [amounts] * len(dates)
    if len(amounts) != len(dates):
        problems.add(where, f"{len(dates)} dates and {len(amounts)} amounts", "as many", "")
        return {}
    out: dict[int, np.ndarray] = {}
    for text, amount in zip(dates, amounts, strict=True):
        parsed = parse_date(str(text), days.calendar)
        if parsed is None:
            problems.add(where, f"'{text}' is not a date", "'MM-DD' or 'YYYY-MM-DD'", "")
            continue
        given = to_cells(amount, cells, f"{where}['amounts']", problems)
        if given is None:
            continue
        given = np.asarray(given, dtype=float)
        if not (given >= 0.0).all():
            problems.add(where, f"negative amount on {text}", f"{units}, at least 0", "")
        elif (given > most).any():
            problems.add(where, f"{given.max():g} on {text}", f"{units}, at most {most:g}",
                         "check units?")
        index = _day_indices(str(text), parsed[0], days)
        if not index.size:
            problems.add(where, f"{text} is not a day of the forcing", "days within it", "")
        for day in index:
            out[int(day)] = out.get(int(day), 0.0) + given
    return out


def sowing_days(
    value: Any, cells: CellIndex, days: Days, rule: Callable[[], np.ndarray], problems: Problems
) -> tuple[np.ndarray, int]:
    """``[year, cell]`` days of sowing and the calendar year of the first row."""
    first = int(days.year[0])
    if value is None or (isinstance(value, str) and value == "rule"):
        return rule()[None], first
    if isinstance(value, str) and not re.match(r"\d", value):
        problems.add("management['sowing']", f"'{value}'",
                     "'rule', a day of year, a date, or a DataArray", nearest(value, ["rule"]))
    elif isinstance(value, (str, int, float, np.integer, np.floating)):
        day = day_of_year(value, days.calendar, "management['sowing']", problems)
        return np.full((1, cells.n_cells), day), first
    elif isinstance(value, (list, tuple)) and value and all(isinstance(v, str) for v in value):
        return _sowing_dates(value, cells, days, problems)
    else:
        return _sowing_array(value, cells, days, rule, problems)
    return np.ones((1, cells.n_cells), dtype=np.int64), first


def _sowing_dates(
    dates: Sequence[str], cells: CellIndex, days: Days, problems: Problems
) -> tuple[np.ndarray, int]:
    """Dates of several years; a year without one keeps that of the year before."""
    by_year: dict[int, int] = {}
    for text in dates:
        parsed = parse_date(text, days.calendar)
        if parsed is None or parsed[0] is None:
            problems.add("management['sowing']", f"'{text}' in a list of dates", "'YYYY-MM-DD'", "")
        else:
            by_year[parsed[0]] = parsed[1]
    if not by_year:
        return np.ones((1, cells.n_cells), dtype=np.int64), int(days.year[0])
    first, last = min(by_year), max(by_year)
    rows, current = [], by_year[first]
    for year in range(first, last + 1):
        current = by_year.get(year, current)
        rows.append(np.full(cells.n_cells, current))
    return np.stack(rows), first


def _sowing_array(
    value: Any, cells: CellIndex, days: Days, rule: Callable[[], np.ndarray], problems: Problems
) -> tuple[np.ndarray, int]:
    """A DataArray or array over cells and/or year; missing entries follow the rule."""
    first = int(days.year[0])
    if isinstance(value, xr.DataArray) and value.dtype.kind == "M":
        value = value.dt.dayofyear.where(value.notnull())
    if isinstance(value, xr.DataArray) and "year" in value.dims:
        if "year" in value.coords:
            years = value["year"].values.astype(int)
            first = int(years.min())
            value = value.sortby("year").reindex(
                year=np.arange(first, years.max() + 1), method="ffill")
        elif value.sizes["year"] != len(np.unique(days.year)):
            problems.add("management['sowing']", "dimension year without a coordinate",
                         "calendar years", "sowing.assign_coords(year=...)")
    array = to_cells(value, cells, "management['sowing']", problems, ("year",))
    if array is None:
        return np.ones((1, cells.n_cells), dtype=np.int64), first
    array = np.array(array, dtype=float).reshape(-1, cells.n_cells)
    wrong = (array < 0) | (array > 366)
    if wrong.any():
        problems.add("management['sowing']", f"{array[wrong][0]:g}",
                     "days of year from 1 to 366 (0: not sown)", "")
        return np.ones((1, cells.n_cells), dtype=np.int64), first
    if np.isnan(array).any():
        array = np.where(np.isnan(array), rule()[None], array)
    return np.round(array).astype(np.int64), first


def harvest_days(
    value: Any, cells: CellIndex, calendar: CalendarName, problems: Problems,
    where: str = "management['harvest']",
) -> np.ndarray:
    """``[cell]`` day of a fixed harvest, 0 for maturity."""
    if value is None or (isinstance(value, str) and value == "maturity"):
        return np.zeros(cells.n_cells, dtype=np.int64)
    if isinstance(value, str) and not re.match(r"\d", value):
        problems.add(where, f"'{value}'", "'maturity', a day of year or a date",
                     nearest(value, ["maturity"]))
        return np.zeros(cells.n_cells, dtype=np.int64)
    if isinstance(value, (xr.DataArray, np.ndarray, list, tuple)) and np.ndim(value):
        array = to_cells(value, cells, where, problems)
        array = np.zeros(cells.n_cells) if array is None else np.nan_to_num(
            np.asarray(array, dtype=float))
        if ((array < 0) | (array > 366)).any():
            problems.add(where, f"values from {array.min():g} to {array.max():g}",
                         "days of year from 1 to 366 (0: at maturity)", "")
        return array.astype(np.int64)
    return np.full(cells.n_cells, day_of_year(value, calendar, where, problems))


def season_lengths(
    value: Any, sowing: np.ndarray, cells: CellIndex, calendar: CalendarName, problems: Problems
) -> np.ndarray | None:
    """``[cell]`` days from sowing to maturity of adapted cultivars; None for the catalogue's.

    Parameters
    ----------
    value : str or mapping
        ``"fixed"``, ``"adapted"`` (-1: the typical season of the crop), ``{"season_days": ..}`` or
        ``{"maturity": ..}``: a day of year or date.
    sowing : numpy.ndarray
        ``[year, cell]`` days of sowing.
    cells, calendar, problems
        Of the run.
    """
    where = "management['cultivar']"
    if value is None or (isinstance(value, str) and value == "fixed"):
        return None
    if isinstance(value, str) and value == "adapted":
        return np.full(cells.n_cells, -1.0)
    if not isinstance(value, Mapping) or len(value) != 1 or not set(value) <= {
            "season_days", "maturity"}:
        problems.add(where, f"{value!r}", "'fixed', 'adapted', {'season_days': ..} or "
                     "{'maturity': ..}", nearest(str(value), ("fixed", "adapted")))
        return None
    if "maturity" in value:
        day = harvest_days(value["maturity"], cells, calendar, problems, f"{where}['maturity']")
        first = np.max(sowing, axis=0)
        return np.where(day > 0, (day - first - 1.0) % 365.0 + 1.0, 0.0)
    array = to_cells(value["season_days"], cells, f"{where}['season_days']", problems)
    days = np.zeros(cells.n_cells) if array is None else np.nan_to_num(np.array(array, float))
    if ((days < 0.0) | (days > 700.0)).any() or ((days > 0.0) & (days < 30.0)).any():
        problems.add(f"{where}['season_days']", f"values from {days.min():g} to {days.max():g}",
                     "days from 30 to 700 (0: cultivar of the catalogue)", "")
    return days
