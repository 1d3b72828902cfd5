"""Management: what a user writes of sowing, harvest, water, nitrogen, residues, to tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import xarray as xr

from neuralcrop.core.forcing import Management
from neuralcrop.data import calendars
from neuralcrop.data.align import to_cells
from neuralcrop.data.errors import Problems, nearest
from neuralcrop.data.management_dates import (
    harvest_days,
    rule_sowing,
    season_lengths,
    sowing_days,
)
from neuralcrop.data.management_nutrients import fertiliser, no_gift, residues, tillage
from neuralcrop.data.management_water import NO_LIMIT, Water, irrigation
from neuralcrop.data.management_windows import window_sowing
from neuralcrop.data.tensors import CellIndex
from neuralcrop.data.timeaxis import Days

FIELD_KEYS = ("sowing", "harvest", "irrigation", "nitrogen", "manure", "residues", "tillage", "use",
              "cultivar")
"""What can be managed, of a field or of a crop of a sequence."""

KEYS = (*FIELD_KEYS, "sequence", "rotation_start")
"""What can be managed."""

CROP_KEYS = ("crop", "year", *FIELD_KEYS)
"""Keys of a crop of a sequence."""

_ALIASES = {"sowing_day": "sowing", "sowing_date": "sowing", "planting": "sowing",
            "plantday": "sowing", "planting_day": "sowing", "harvest_day": "harvest",
            "fertiliser": "nitrogen", "fertilizer": "nitrogen", "residue": "residues"}

NUTRIENT_KEYS = ("nitrogen", "manure", "tillage")
"""Settings that only a model with nutrients can honour."""

CropInput = str | Sequence[str] | np.ndarray | xr.DataArray


@dataclass
class _Field:
    """Orders of one crop, ``[cell]`` at the end."""

    names: list[str]
    sowing: np.ndarray
    first_year: int
    harvest: np.ndarray
    water: Water
    plan: np.ndarray | None
    gift_dates: dict[int, np.ndarray]
    residues: np.ndarray | None
    tillage: np.ndarray | None
    season_days: np.ndarray | None


def asks_for_nutrients(management: Mapping[str, Any] | xr.Dataset | None) -> bool:
    """Whether management has what only a model with nitrogen and soil organic matter can honour."""
    if management is None:
        return False
    keys = management.data_vars if isinstance(management, xr.Dataset) else management
    named = {_ALIASES.get(str(k).lower(), str(k).lower()) for k in keys}
    own = any(key in named and keys[_given_name(keys, key)] is not None for key in NUTRIENT_KEYS)
    sequence = management.get("sequence") if isinstance(management, Mapping) else None
    return own or any(asks_for_nutrients(entry) for entry in sequence or ()
                      if isinstance(entry, Mapping))


def _given_name(keys: Any, name: str) -> Any:
    """What a user called a setting."""
    return next(k for k in keys if _ALIASES.get(str(k).lower(), str(k).lower()) == name)


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
        list of dates of several years, or a DataArray over cells and/or ``year`` (NaN: rule),
        or ``{"window": [first, last]}``.
        ``harvest``: ``"maturity"`` (default), or a day of year or date.
        ``irrigation``: ``"none"`` (default), ``"full"``, ``{"threshold": .., "target": ..}``, or
        ``{"dates": [..], "amounts": [..]}`` in mm; a DataArray of ``"none"``/``"full"`` by cell;
        with ``system``, ``conveyance``, ``daily_limit``, ``seasonal_limit`` and others.
        ``nitrogen``, ``manure``: kg ha-1 of nitrogen in a season, ``{"total": .., "splits": ..}``
        or ``{"dates": [..], "amounts": [..]}``. ``residues``: share left, or ``{"left": ..,
        "removed": .., "burnt": ..}``. ``tillage``: ``"sowing"``, ``"harvest"``, ``"none"`` or
        shares. ``use``: ``"grain"``, ``"silage"``, ``"cover"``. ``cultivar``:
        ``"fixed"``, ``"adapted"``, or the length of its season. ``sequence``: a list of crops,
        each with ``crop``, ``year`` and these keys. The page on management has all of it.
    prepared : xarray.Dataset
        From `prepare_forcing`; its climate serves the sowing rule.
    cells : CellIndex
        Cells of the run.
    crop : str, sequence or DataArray
        Crop of every cell, or by cell; a sequence has its own.
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
    given = _keys(management, KEYS, "management", problems)
    entries = _entries(given, crop, problems)
    days = Days.of(prepared["time"])
    fields = []
    for k, entry in enumerate(entries):
        if k:
            entry = _without_shared_dates(entry, given)
        names = crop_names(entry.get("crop", "maize"), cells, crop_index, problems)
        fields.append(None if names is None or problems else _field(
            entry, names, prepared, cells, days, rules, problems))
    problems.raise_if_any()
    known = [field for field in fields if field is not None]
    if "sequence" in given:
        _rotate(known, entries, given.get("rotation_start"), days, problems)
        problems.raise_if_any()
    return _record(known, "sequence" in given, cells, crop_index, dtype, device)


def _keys(
    management: Mapping[str, Any] | xr.Dataset | None, known: Sequence[str], where: str,
    problems: Problems,
) -> dict[str, Any]:
    """Settings under our keys; unknown ones are problems that name the nearest right one."""
    if management is None:
        return {}
    items = management.data_vars.items() if isinstance(management, xr.Dataset) else (
        management.items())
    out = {}
    for key, value in items:
        name = _ALIASES.get(str(key).lower(), str(key).lower())
        if name in known:
            out[name] = value
        else:
            problems.add(f"{where}['{key}']", "unknown key", "", nearest(name, known))
    return out


def _entries(
    given: Mapping[str, Any], crop: CropInput, problems: Problems
) -> list[dict[str, Any]]:
    """Orders of every crop of the sequence, or of the one crop."""
    shared = {key: given[key] for key in FIELD_KEYS if key in given}
    if "sequence" not in given:
        if "rotation_start" in given:
            problems.add("management['rotation_start']", "without a sequence", "", "leave it out")
        return [{"crop": crop} | shared]
    sequence, where = given["sequence"], "management['sequence']"
    if not isinstance(sequence, (list, tuple)) or not sequence:
        problems.add(where, f"{sequence!r}", "a list of crops",
                     "[{'crop': 'winter_wheat', 'sowing': '10-01'}, ...]")
        return []
    out = []
    for k, entry in enumerate(sequence):
        if isinstance(entry, str):
            entry = {"crop": entry}
        if not isinstance(entry, Mapping) or "crop" not in entry:
            problems.add(f"{where}[{k}]", f"{entry!r}", "a mapping with 'crop'", "")
            continue
        own = _keys(entry, CROP_KEYS, f"{where}[{k}]", problems)
        year = own.get("year", 1)
        if isinstance(year, bool) or not isinstance(year, int) or not 1 <= year <= 20:
            problems.add(f"{where}[{k}]['year']", f"{year!r}", "year of the rotation, 1 to 20", "")
        out.append(shared | own)
    return out


def _without_shared_dates(
    entry: Mapping[str, Any], given: Mapping[str, Any]
) -> dict[str, Any]:
    """Orders of a later crop of a sequence: dates that all crops share count once."""
    out = dict(entry)
    for key in ("irrigation", "nitrogen", "manure"):
        value = out.get(key)
        if value is not None and value is given.get(key) and isinstance(value, Mapping) and (
                "dates" in value):
            out[key] = None if key != "irrigation" else dict(value, dates=[], amounts=[])
    return out


def _field(
    given: Mapping[str, Any], names: list[str], prepared: xr.Dataset, cells: CellIndex,
    days: Days, rules: dict[str, calendars.CropRule] | None, problems: Problems,
) -> _Field:
    """Orders of one crop."""
    when = given.get("sowing", "rule")
    if isinstance(when, Mapping):
        sowing, first_year = window_sowing(when, prepared, cells, names, days, rules, problems)
    else:
        sowing, first_year = sowing_days(
            when, cells, days, lambda: rule_sowing(prepared, cells, names, rules, problems),
            problems)
    harvest = harvest_days(given.get("harvest", "maturity"), cells, days.calendar, problems)
    plan, gift_dates = fertiliser(given, cells, days, problems)
    return _Field(
        names, sowing, first_year, harvest,
        irrigation(given.get("irrigation", "none"), cells, days, problems), plan, gift_dates,
        residues(given, cells, problems), tillage(given.get("tillage"), cells, problems),
        season_lengths(given.get("cultivar"), sowing, cells, days.calendar, problems))


def _rotate(
    fields: Sequence[_Field], entries: Sequence[Mapping[str, Any]], start: Any, days: Days,
    problems: Problems,
) -> None:
    """Sowing days of the years of the run, in which a crop of the rotation has its turn."""
    years = np.arange(int(days.year.min()), int(days.year.max()) + 1)
    if start is not None and (isinstance(start, bool) or not isinstance(start, int)):
        problems.add("management['rotation_start']", f"{start!r}", "a calendar year", "")
        return
    origin = int(years[0]) if start is None else start
    length = max(int(entry.get("year", 1)) for entry in entries)
    for field, entry in zip(fields, entries, strict=True):
        row = np.clip(years - field.first_year, 0, len(field.sowing) - 1)
        turn = (years - origin) % length == int(entry.get("year", 1)) - 1
        field.sowing = np.where(turn[:, None], field.sowing[row], 0)
        field.first_year = int(years[0])
    sown = np.stack([field.sowing for field in fields])
    for k in range(len(fields)):
        same = (sown[k] > 0) & (sown[k] == sown[:k]).any(axis=0) if k else np.zeros(1, bool)
        if same.any():
            problems.add(f"management['sequence'][{k}]", "two crops are sown on the same day", "",
                         "give the crops sowing days or years of their own")


def _record(
    fields: Sequence[_Field], sequence: bool, cells: CellIndex, crop_index: Mapping[str, int],
    dtype: torch.dtype, device: torch.device | str | None,
) -> Management:
    """Tensors of the orders; with a leading dimension of slots for a sequence."""
    def real(array: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.array(array, dtype=float), dtype=dtype, device=device)

    def stacked(arrays: Sequence[np.ndarray]) -> np.ndarray:
        return np.stack(arrays) if sequence else arrays[0]

    def optional(
        arrays: Sequence[np.ndarray | None], default: np.ndarray
    ) -> torch.Tensor | None:
        if all(array is None for array in arrays):
            return None
        return real(stacked([
            np.broadcast_to(default[..., None], (*default.shape, cells.n_cells))
            if array is None else array for array in arrays]))

    def dated(parts: Sequence[Mapping[int, np.ndarray]]) -> dict[int, torch.Tensor] | None:
        out: dict[int, np.ndarray] = {}
        for part in parts:
            for day, amount in part.items():
                out[day] = out.get(day, 0.0) + amount
        return {day: real(amount) for day, amount in out.items()} if out else None

    waters = [field.water for field in fields]
    bunds = [water.bund for water in waters if water.bund is not None]
    pipes = [np.ones(cells.n_cells) if w.evaporation_factor is None else w.evaporation_factor
             for w in waters]
    wet = any(w.evaporation_factor is not None for w in waters)
    return Management(
        crop=torch.as_tensor(stacked([
            np.array([crop_index[name] for name in field.names]) for field in fields]),
            device=device),
        sowing_day=torch.as_tensor(
            stacked([field.sowing for field in fields]), device=device),
        harvest_day=torch.as_tensor(
            stacked([field.harvest for field in fields]), device=device),
        irrigation_threshold=real(stacked([water.threshold for water in waters])),
        irrigation_target=real(stacked([water.target for water in waters])),
        first_year=fields[0].first_year,
        irrigation_dates=dated([water.dates for water in waters]),
        irrigation_system=optional(
            [water.system for water in waters],
            np.array([1.0, 0.0, 0.0, NO_LIMIT, NO_LIMIT, 0.0, 0.0, 0.0])),
        fertiliser_plan=optional(
            [field.plan for field in fields], no_gift(1)[..., 0]),
        fertiliser_dates=dated([field.gift_dates for field in fields]),
        residues=optional([field.residues for field in fields], np.array([1.0, 0.0, 0.0])),
        tillage=optional([field.tillage for field in fields], np.array([0.95, 0.0])),
        bund=real(np.max(bunds, axis=0)) if bunds else None,
        season_days=optional([field.season_days for field in fields], np.array(0.0)),
        # one field has one kind of soil surface: drip in any crop's season stays in place
        evaporation_factor=real(np.min(pipes, axis=0)) if wet else None,
    )


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
