"""Management: sowing, harvest and irrigation from what a user writes to tensors."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
import xarray as xr

from neuralcrop.core.calendar import CalendarName
from neuralcrop.core.forcing import Management
from neuralcrop.data import calendars
from neuralcrop.data.align import to_cells
from neuralcrop.data.climate import monthly_climate, monthly_pet
from neuralcrop.data.disaggregate import period_lengths
from neuralcrop.data.errors import Problems, nearest
from neuralcrop.data.tensors import CellIndex
from neuralcrop.data.timeaxis import Days

FULL_IRRIGATION = (0.9, 1.0)
"""Threshold and target of relative root-zone water of ``irrigation="full"``."""

CLIMATE_YEARS = 10
"""The sowing rule looks at the climate of at most the first so many years of the forcing."""

KEYS = ("sowing", "harvest", "irrigation")
"""What can be managed."""

_ALIASES = {"sowing_day": "sowing", "sowing_date": "sowing", "planting": "sowing",
            "plantday": "sowing", "planting_day": "sowing", "harvest_day": "harvest"}
_LATER = ("nitrogen", "residues", "fertiliser", "fertilizer", "manure", "tillage")

CropInput = str | Sequence[str] | np.ndarray | xr.DataArray


def prepare_management(
    management: Mapping[str, Any] | xr.Dataset | None, prepared: xr.Dataset, cells: CellIndex,
    crop: CropInput, crop_index: Mapping[str, int], *,
    rules: dict[str, calendars.CropRule] | None = None, dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> Management:
    """The management record of a run.

    Parameters
    ----------
    management : mapping, Dataset or None
        ``sowing``: ``"rule"`` (default), a day of year, a date (``"04-25"``, ``"2001-04-25"``), a
        list of dates of several years, or a DataArray over cells and/or ``year`` (NaN: rule).
        ``harvest``: ``"maturity"`` (default), or a day of year or date.
        ``irrigation``: ``"none"`` (default), ``"full"``, ``{"threshold": .., "target": ..}``, or
        ``{"dates": [..], "amounts": [..]}`` in mm; a DataArray of ``"none"``/``"full"`` by cell.
    prepared : xarray.Dataset
        From `prepare_forcing`; its climate serves the sowing rule.
    cells : CellIndex
        Cells of the run.
    crop : str, sequence or DataArray
        Crop of every cell, or by cell.
    crop_index : mapping of str to int
        The catalogue's crops.
    rules : dict of str to CropRule, optional
        Sowing rules that replace the built-in ones.
    dtype, device
        Of the tensors.

    Raises
    ------
    InputError
        With every problem found.
    """
    problems = Problems("management")
    given = _keys(management, problems)
    names = crop_names(crop, cells, crop_index, problems)
    problems.raise_if_any()
    assert names is not None
    days = Days.of(prepared["time"])
    sowing, first_year = _sowing(
        given.get("sowing", "rule"), cells, days,
        lambda: rule_sowing(prepared, cells, names, rules, problems), problems)
    harvest = _harvest(given.get("harvest", "maturity"), cells, days.calendar, problems)
    threshold, target, dates = _irrigation(given.get("irrigation", "none"), cells, days, problems)
    problems.raise_if_any()

    def real(array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.array(array, dtype=float), dtype=dtype, device=device)

    return Management(
        crop=torch.tensor([crop_index[n] for n in names], device=device),
        sowing_day=torch.as_tensor(sowing, device=device),
        harvest_day=torch.as_tensor(harvest, device=device),
        irrigation_threshold=real(threshold), irrigation_target=real(target),
        first_year=first_year,
        irrigation_dates={d: real(a) for d, a in dates.items()} if dates else None,
    )


def _keys(management: Mapping[str, Any] | xr.Dataset | None, problems: Problems) -> dict[str, Any]:
    """Settings under our keys; unknown ones are problems that name the nearest right one."""
    if management is None:
        return {}
    items = management.data_vars.items() if isinstance(management, xr.Dataset) else (
        management.items())
    out = {}
    for key, value in items:
        name = _ALIASES.get(str(key).lower(), str(key).lower())
        if name in KEYS:
            out[name] = value
        elif name in _LATER:
            problems.add(f"management['{key}']", "not simulated yet: nitrogen, residues and "
                         "tillage have no effect", "", "leave it out")
        else:
            problems.add(f"management['{key}']", "unknown key", "", nearest(name, KEYS))
    return out


def crop_names(
    crop: CropInput, cells: CellIndex, crop_index: Mapping[str, int], problems: Problems
) -> list[str] | None:
    """Crop of each cell, checked against the catalogue."""
    if isinstance(crop, str):
        names = [crop] * cells.n_cells
    else:
        value = crop if isinstance(crop, xr.DataArray) else np.asarray(crop, dtype=object)
        array = to_cells(value, cells, "crop", problems)
        if array is None:
            return None
        names = [str(n) for n in array]
    for name in dict.fromkeys(names):
        if name not in crop_index:
            problems.add(f"crop '{name}'", "not in the catalogue", "",
                         nearest(name, list(crop_index)))
    return names


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


def _day_of_year(value: Any, calendar: CalendarName, where: str, problems: Problems) -> int:
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


def _sowing(
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
        day = _day_of_year(value, days.calendar, "management['sowing']", problems)
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


def _harvest(
    value: Any, cells: CellIndex, calendar: CalendarName, problems: Problems
) -> np.ndarray:
    """``[cell]`` day of a fixed harvest, 0 for maturity."""
    where = "management['harvest']"
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
    return np.full(cells.n_cells, _day_of_year(value, calendar, where, problems))


Irrigation = tuple[np.ndarray, np.ndarray, dict[int, np.ndarray]]


def _irrigation(value: Any, cells: CellIndex, days: Days, problems: Problems) -> Irrigation:
    """Threshold and target by cell, and amounts by day of the run."""
    where = "management['irrigation']"
    n = cells.n_cells
    off: Irrigation = (np.zeros(n), np.full(n, FULL_IRRIGATION[1]), {})
    if isinstance(value, xr.DataArray) and value.ndim == 0:
        value = value.item()
    if value is None or value is False or (isinstance(value, str) and value == "none"):
        return off
    if value is True or (isinstance(value, str) and value == "full"):
        return np.full(n, FULL_IRRIGATION[0]), off[1], {}
    if isinstance(value, Mapping):
        unknown = set(value) - {"threshold", "target", "dates", "amounts"}
        for key in unknown:
            problems.add(f"{where}['{key}']", "unknown key", "",
                         nearest(str(key), ("threshold", "target", "dates", "amounts")))
        if "dates" in value or "amounts" in value:
            dated = _dated(value.get("dates"), value.get("amounts"), cells, days, problems)
            return off[0], off[1], dated
        if not unknown:
            return _thresholds(value, cells, problems)
        return off
    if isinstance(value, (xr.DataArray, np.ndarray, list, tuple)):
        array = to_cells(value, cells, where, problems)
        if array is not None:
            text = [str(v).lower() for v in array]
            wrong = sorted({t for t in text if t not in ("none", "full", "true", "false")})
            if wrong:
                problems.add(where, f"'{wrong[0]}'", "'none' or 'full' for each cell", "")
            full = np.array([t in ("full", "true") for t in text])
            return np.where(full, FULL_IRRIGATION[0], 0.0), off[1], {}
        return off
    problems.add(where, f"{value!r}", "'none', 'full', {'threshold', 'target'} or "
                 "{'dates', 'amounts'}", nearest(str(value), ("none", "full")))
    return off


def _thresholds(value: Mapping[str, Any], cells: CellIndex, problems: Problems) -> Irrigation:
    """A rule: irrigate below the threshold, up to the target."""
    out = []
    for key, default in zip(("threshold", "target"), FULL_IRRIGATION, strict=True):
        where = f"management['irrigation']['{key}']"
        array = to_cells(value.get(key, default), cells, where, problems)
        array = np.full(cells.n_cells, default) if array is None else np.asarray(array, float)
        if not ((array >= 0.0) & (array <= 1.0)).all():
            problems.add(where, f"values from {array.min():g} to {array.max():g}",
                         "relative root-zone water from 0 to 1", "")
        out.append(array)
    if (out[1] < out[0]).any():
        problems.add("management['irrigation']", "target below threshold",
                     "target at or above threshold", "")
    return out[0], out[1], {}


def _day_indices(text: str, year: int | None, days: Days) -> np.ndarray:
    """Days of the run that a date names; one without a year names a day in each."""
    at = np.zeros(len(days.year), dtype=bool)
    for y in np.unique(days.year) if year is None else [year]:
        parsed = parse_date(text if year is not None else f"{y:04d}-{text}", days.calendar)
        if parsed is not None:
            at |= (days.year == y) & (days.day_of_year == parsed[1])
    return np.flatnonzero(at)


def _dated(
    dates: Any, amounts: Any, cells: CellIndex, days: Days, problems: Problems
) -> dict[int, np.ndarray]:
    """Amounts by day of the run; a date without a year holds in every year."""
    where = "management['irrigation']"
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
        water = to_cells(amount, cells, f"{where}['amounts']", problems)
        if water is None:
            continue
        if (np.asarray(water, dtype=float) < 0).any():
            problems.add(where, f"negative amount on {text}", "mm, at least 0", "")
        index = _day_indices(str(text), parsed[0], days)
        if not index.size:
            problems.add(where, f"{text} is not a day of the forcing", "days within it", "")
        for day in index:
            out[int(day)] = out.get(int(day), 0.0) + np.asarray(water, dtype=float)
    return out
