"""Irrigation: rules, systems, limits and dated amounts, from what a user writes to rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from neuralcrop.core.forcing import IRRIGATION_ROWS
from neuralcrop.data.align import to_cells
from neuralcrop.data.errors import Problems, nearest
from neuralcrop.data.management_dates import dated_amounts
from neuralcrop.data.tensors import CellIndex
from neuralcrop.data.timeaxis import Days

FULL_IRRIGATION = (0.9, 1.0)
"""Threshold and target of relative root-zone water of ``irrigation="full"``."""

CONVEYANCE = {"pipe": 0.95, "canal_sand": 0.7, "canal_loam": 0.75, "canal_clay": 0.8}
"""Share of the water that reaches the field (Jaegermeyr et al. 2015,
doi:10.5194/hess-19-3073-2015)."""

SYSTEMS = {"surface": "canal_loam", "sprinkler": "pipe", "drip": "pipe", "flooded": "canal_loam"}
"""Irrigation systems and the conveyance that goes with them."""

DRIP_EVAPORATION = 0.4
"""Factor of drip irrigation on soil evaporation (Jaegermeyr et al. 2015)."""

PONDING = (50.0, 100.0)
"""Marks between which paddy fields are kept, mm."""

DRAINED = 1.7
"""Development stage at which paddies are drained: about 10 days of a ripening of 30 to maturity."""

FREEBOARD = 20.0
"""Height of a bund above the upper mark, mm."""

NO_LIMIT = 1e6
"""mm; stands for no limit."""

_KEYS = ("threshold", "target", "dates", "amounts", "system", "conveyance", "surplus",
         "daily_limit", "seasonal_limit", "low", "high", "until", "bund")
_RULE = ("threshold", "target")
_SYSTEM_KEYS = _KEYS[4:]


@dataclass
class Water:
    """Irrigation of the cells, ``[cell]``; the system has the rows of `IRRIGATION_ROWS`."""

    threshold: np.ndarray
    target: np.ndarray
    dates: dict[int, np.ndarray] = field(default_factory=dict)
    system: np.ndarray | None = None
    bund: np.ndarray | None = None
    evaporation_factor: np.ndarray | None = None


def irrigation(value: Any, cells: CellIndex, days: Days, problems: Problems) -> Water:
    """Irrigation from what a user writes; see `prepare_management`."""
    where = "management['irrigation']"
    n = cells.n_cells
    off = Water(np.zeros(n), np.full(n, FULL_IRRIGATION[1]))
    if isinstance(value, xr.DataArray) and value.ndim == 0:
        value = value.item()
    if value is None or value is False or (isinstance(value, str) and value == "none"):
        return off
    if value is True or (isinstance(value, str) and value == "full"):
        return Water(np.full(n, FULL_IRRIGATION[0]), off.target)
    if isinstance(value, str) and value in SYSTEMS:
        value = {"system": value}
    if isinstance(value, Mapping):
        return _of_mapping(value, cells, days, problems, off)
    if isinstance(value, (xr.DataArray, np.ndarray, list, tuple)):
        array = to_cells(value, cells, where, problems)
        if array is not None:
            text = [str(v).lower() for v in array]
            wrong = sorted({t for t in text if t not in ("none", "full", "true", "false")})
            if wrong:
                problems.add(where, f"'{wrong[0]}'", "'none' or 'full' for each cell", "")
            full = np.array([t in ("full", "true") for t in text])
            return Water(np.where(full, FULL_IRRIGATION[0], 0.0), off.target)
        return off
    problems.add(where, f"{value!r}", "'none', 'full', a system, {'threshold', 'target'} or "
                 "{'dates', 'amounts'}", nearest(str(value), ("none", "full", *SYSTEMS)))
    return off


def _of_mapping(
    value: Mapping[str, Any], cells: CellIndex, days: Days, problems: Problems, off: Water
) -> Water:
    where = "management['irrigation']"
    value = {key: given for key, given in value.items() if given is not None}
    unknown = [key for key in value if key not in _KEYS]
    for key in unknown:
        problems.add(f"{where}['{key}']", "unknown key", "", nearest(str(key), _KEYS))
    if unknown:
        return off
    dated = "dates" in value or "amounts" in value
    flooded = value.get("system") == "flooded"
    if dated or flooded:
        out = Water(off.threshold, off.target)
        if any(key in value for key in _RULE):
            problems.add(where, "a threshold beside " + (
                "dated amounts" if dated else "flooding"), "one of them", "")
    else:
        out = _thresholds(value, cells, problems)
    if dated:
        out.dates = dated_amounts(
            value.get("dates"), value.get("amounts"), cells, days, where, problems)
    if any(key in value for key in _SYSTEM_KEYS):
        _system(value, cells, problems, out)
    return out


def _thresholds(value: Mapping[str, Any], cells: CellIndex, problems: Problems) -> Water:
    """A rule: irrigate below the threshold, up to the target."""
    expected = "relative root-zone water from 0 to 1"
    out = [_number(value, key, default, cells, problems, 1.0, expected)
           for key, default in zip(_RULE, FULL_IRRIGATION, strict=True)]
    if (out[1] < out[0]).any():
        problems.add("management['irrigation']", "target below threshold",
                     "target at or above threshold", "")
    return Water(out[0], out[1])


def _number(
    value: Mapping[str, Any], key: str, default: float, cells: CellIndex, problems: Problems,
    most: float = NO_LIMIT, expected: str = "mm, at least 0",
) -> np.ndarray:
    """A number of the mapping by cell, within 0 and ``most``."""
    where = f"management['irrigation']['{key}']"
    array = to_cells(value.get(key, default), cells, where, problems)
    if array is None:
        return np.full(cells.n_cells, default)
    try:
        array = np.array(array, dtype=float)
    except (TypeError, ValueError):
        problems.add(where, f"{value[key]!r} is not a number", expected, "")
        return np.full(cells.n_cells, default)
    if not ((array >= 0.0) & (array <= most)).all():
        problems.add(where, f"values from {array.min():g} to {array.max():g}", expected, "")
    return array


def _system(
    value: Mapping[str, Any], cells: CellIndex, problems: Problems, out: Water
) -> None:
    """System, losses and limits."""
    where = "management['irrigation']"
    n, name = cells.n_cells, value.get("system")
    if name is not None and name not in SYSTEMS:
        problems.add(f"{where}['system']", f"{name!r}", "", nearest(str(name), SYSTEMS))
        return
    conveyance = value.get("conveyance", SYSTEMS.get(str(name)))
    if isinstance(conveyance, str):
        if conveyance not in CONVEYANCE:
            problems.add(f"{where}['conveyance']", f"'{conveyance}'", "a share from 0 to 1",
                         nearest(conveyance, CONVEYANCE))
        efficiency = np.full(n, CONVEYANCE.get(conveyance, 1.0))
    else:
        efficiency = _number(value, "conveyance", 1.0, cells, problems, 1.0,
                             "share of the water that reaches the field, 0.05 to 1")
        if (efficiency < 0.05).any():
            problems.add(f"{where}['conveyance']", f"{efficiency.min():g}",
                         "share of the water that reaches the field, 0.05 to 1", "")
    rows = {row: np.zeros(n) for row in IRRIGATION_ROWS} | {
        "efficiency": efficiency, "canopy": np.full(n, float(name == "sprinkler")),
        "surplus": _number(value, "surplus", 0.0, cells, problems, 1.0,
                           "share of the range from field capacity to saturation, 0 to 1"),
        "until": _number(value, "until", DRAINED, cells, problems, 2.0,
                         "a development stage from 0 to 2"),
        **{key: _number(value, key, NO_LIMIT, cells, problems)
           for key in ("daily_limit", "seasonal_limit")}}
    if name == "flooded":
        for key, mark in zip(("low", "high"), PONDING, strict=True):
            rows[key] = _number(value, key, mark, cells, problems, 500.0, "mm from 0 to 500")
        if (rows["low"] > rows["high"]).any():
            problems.add(where, "'low' above 'high'", "low at most high", "")
    elif {"low", "high", "until"} & set(value):
        problems.add(where, "marks of ponding without system 'flooded'", "",
                     "add 'system': 'flooded', or leave them out")
    if name == "flooded" or "bund" in value:
        out.bund = np.zeros(n) if "bund" not in value else _number(
            value, "bund", 0.0, cells, problems, 1000.0, "mm from 0 to 1000")
        if "bund" not in value:
            out.bund = rows["high"] + FREEBOARD
        elif (out.bund < rows["high"]).any():
            problems.add(f"{where}['bund']", "below the upper mark", "at least 'high'", "")
    if name == "drip":
        out.evaporation_factor = np.full(n, DRIP_EVAPORATION)
    out.system = np.stack([rows[row] for row in IRRIGATION_ROWS])
