"""Read the files of crops, and put their parameters in terms of the core."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from importlib import resources
from typing import Any, NamedTuple

import numpy as np
import yaml

from neuralcrop.core.parameters import ParameterError, ParameterSpec, ParameterValue
from neuralcrop.crops import UnknownCropError

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # ten times as fast, where it is built

WIDENING = 0.2
"""Bounds reach beyond the spread of the values by this share of their mean."""


NOT_GIVEN = "not given; default without effect"


class Definition(NamedTuple):
    """What every crop shares of one parameter.

    Attributes
    ----------
    name, units, long_name : str
        Name as in WOFOST, units of the value, meaning.
    x_units : str or None
        Units of the nodes; None for a single value.
    limits : tuple of float
        What is physically possible.
    default : float, list or None
        Where nothing is given; None if it must be.
    from_idsl : int
        Has an effect only where IDSL is at least this.
    switch : bool
        Chooses an equation.
    """

    name: str
    units: str
    x_units: str | None
    long_name: str
    limits: tuple[float, float]
    default: float | list[list[float]] | None
    from_idsl: int
    switch: bool


@cache
def _read(name: str) -> dict[str, Any]:
    text = resources.files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    record: dict[str, Any] = yaml.load(text, Loader=_LOADER)
    return record


@cache
def definitions() -> dict[str, Definition]:
    """Every parameter of the model set, in the order of ``_common.yaml``."""
    found = {}
    for name, record in _read("_common")["parameters"].items():
        units = record["units"]
        x_units, y_units = units if isinstance(units, list) else (None, units)
        lower, upper = record["limits"]
        found[name] = Definition(
            name, y_units, x_units, record["long_name"], (float(lower), float(upper)),
            record.get("default"), record.get("from_idsl", 0), record.get("switch", False))
    return found


@cache
def crop_names() -> tuple[str, ...]:
    """Crops of the catalogue, sorted."""
    files = (f.name for f in resources.files(__package__).iterdir())
    return tuple(sorted(f[:-5] for f in files if f.endswith(".yaml") and not f.startswith("_")))


def load_crop(crop: str) -> dict[str, Any]:
    """Record of a crop as in its file.

    Raises
    ------
    UnknownCropError
        If the catalogue has no such crop.
    """
    _known(crop, crop_names(), "WOFOST 7.2 crop")
    return _read(crop)


def variety_names(crop: str) -> tuple[str, ...]:
    """Varieties of a crop, in the order of its file."""
    return tuple(load_crop(crop)["varieties"])


def split_name(name: str) -> tuple[str, str]:
    """Crop and variety of ``"crop"`` or ``"crop:variety"``.

    Raises
    ------
    UnknownCropError
        If there is no such crop or variety; names the nearest.
    """
    crop, _, variety = name.partition(":")
    record = load_crop(crop)
    if not variety:
        return crop, record["default"]
    _known(variety, variety_names(crop), f"variety of {crop}")
    return crop, variety


def full_names(crop: Any) -> tuple[Any, tuple[str, ...]]:
    """Crops by their full names, ``crop:variety``, and which there are.

    Parameters
    ----------
    crop : str, sequence, array or DataArray of str
        Crops (their default variety) and varieties.

    Raises
    ------
    UnknownCropError
        If the catalogue has no such crop or variety; names the nearest.
    """
    if isinstance(crop, str):
        name = ":".join(split_name(crop))
        return name, (name,)
    if hasattr(crop, "dims"):
        values, names = full_names(crop.values)
        return crop.copy(data=values), names
    array = np.asarray(crop, dtype=object)
    found = [":".join(split_name(str(name))) for name in array.ravel()]
    full = np.array(found, dtype=object).reshape(array.shape)
    return full, tuple(dict.fromkeys(found))


def load_variety(name: str) -> dict[str, ParameterValue]:
    """Parameters of a variety; tables as nodes ``NAME_x`` and values ``NAME``.

    Raises
    ------
    UnknownCropError
        If there is no such crop or variety.
    ParameterError
        If an entry of the file is incomplete.
    """
    return dict(_variety(*split_name(name)))


def table_widths(
    crops: Iterable[str | Mapping[str, ParameterValue]] | None = None,
) -> dict[str, int]:
    """Number of nodes that each table needs to hold all these crops.

    Parameters
    ----------
    crops : iterable, optional
        Names, or parameters as of :func:`load_variety`; all varieties by default.
    """
    if crops is None:
        crops = [f"{crop}:{variety}" for crop in crop_names() for variety in variety_names(crop)]
    records = [load_variety(c) if isinstance(c, str) else c for c in crops]
    return {name: max((len(r[name].value) for r in records), default=1)
            for name, d in definitions().items() if d.x_units is not None}


def specs(widths: Mapping[str, int] | None = None) -> tuple[ParameterSpec, ...]:
    """What the processes of WOFOST 7.2 need, with tables of these widths (by default, of all)."""
    widths = table_widths() if widths is None else widths
    found = []
    for name, d in definitions().items():
        if d.x_units is not None:
            found.append(ParameterSpec(
                f"{name}_x", d.x_units, f"nodes of {name}", widths[name]))
        found.append(ParameterSpec(name, d.units, d.long_name, widths.get(name, 1)))
    return tuple(found)


def load_catalogue(
    names: Iterable[str] | None = None, widths: Mapping[str, int] | None = None
) -> dict[str, dict[str, ParameterValue]]:
    """Parameter values by crop, with tables of equal width.

    Parameters
    ----------
    names : iterable of str, optional
        Crops (``"wheat"``) or varieties (``"wheat:Winter_wheat_103"``), which become the keys; by
        default every crop with its default variety.
    widths : mapping of str to int, optional
        Nodes of each table; what these crops need by default.
    """
    names = crop_names() if names is None else tuple(names)
    widths = table_widths(names) if widths is None else widths
    return {name: padded(load_variety(name), widths) for name in names}


def padded(
    values: Mapping[str, ParameterValue], widths: Mapping[str, int]
) -> dict[str, ParameterValue]:
    """Tables stretched to these widths by repeating their last node.

    Raises
    ------
    ParameterError
        Naming the tables that have more nodes.
    """
    wide = [f"{name} has {len(values[name].value)} nodes, expected at most {width}"
            for name, width in widths.items() if len(values[name].value) > width]
    if wide:
        raise ParameterError("tables do not fit the model:\n  " + "\n  ".join(wide))
    return {key: _stretched(v, widths.get(key.removesuffix("_x"), 1)) for key, v in values.items()}


def entries(
    definition: Definition, value: Any, bounds: tuple[float, float] | None, source: str
) -> dict[str, ParameterValue]:
    """One parameter, or the two of a table, in terms of the core.

    Parameters
    ----------
    definition : Definition
        Which parameter.
    value : float or list of [x, y]
        Its value.
    bounds : tuple of float, optional
        Of the value, for all nodes alike; None holds it fixed.
    source : str
        Where it comes from.
    """
    d = definition
    found: dict[str, ParameterValue] = {}
    if d.x_units is None:
        y: tuple[float, ...] = (float(value),)
    else:
        x = tuple(float(node[0]) for node in value)
        y = tuple(float(node[1]) for node in value)
        found[f"{d.name}_x"] = ParameterValue(x, x, x, d.x_units, source)
    lower = y if bounds is None else (bounds[0],) * len(y)
    upper = y if bounds is None else (bounds[1],) * len(y)
    found[d.name] = ParameterValue(y, lower, upper, d.units, source)
    return found


def pairs(flat: Sequence[float]) -> list[list[float]]:
    """Nodes of a flat table, without the zeros that only fill it up."""
    nodes = [[float(x), float(y)] for x, y in zip(flat[::2], flat[1::2], strict=True)]
    while len(nodes) > 1 and nodes[-1] == [0.0, 0.0] and nodes[-2][0] >= 0.0:
        nodes.pop()
    return nodes


def widened(
    spread: tuple[float, float], mean: float, limits: tuple[float, float]
) -> tuple[float, float] | None:
    """Bounds around a spread of values, inside physical limits; None if that leaves no room."""
    margin = WIDENING * abs(mean)
    lower = min(max(spread[0] - margin, limits[0]), spread[0])
    upper = max(min(spread[1] + margin, limits[1]), spread[1])
    return (lower, upper) if lower < upper else None


def _known(name: str, names: tuple[str, ...], what: str) -> None:
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.4)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise UnknownCropError(f"unknown {what} {name!r}{hint} There are {', '.join(names)} "
                               "(neuralcrop info crops)")


@cache
def _variety(crop: str, variety: str) -> dict[str, ParameterValue]:
    record = _read(crop)
    own = record["varieties"][variety]
    found: dict[str, ParameterValue] = {}
    for name, definition in definitions().items():
        entry = record["parameters"].get(name)
        if entry is None and definition.default is not None:
            found |= entries(definition, definition.default, None, NOT_GIVEN)
            continue
        _check(crop, definition, entry or {})
        if name in own["parameters"]:
            entry = entry | {"value": own["parameters"][name], "source": own["source"]}
        bounds = None
        if entry["bounds"] != "fixed":
            lower, upper = entry["bounds"]
            bounds = (float(lower), float(upper))
        found |= entries(definition, entry["value"], bounds, entry["source"])
    return found


def _check(crop: str, definition: Definition, entry: dict[str, Any]) -> None:
    name, units = definition.name, definition.units
    if absent := {"value", "units", "bounds", "source"} - entry.keys():
        raise ParameterError(f"{crop}.yaml: {name} lacks {', '.join(sorted(absent))}")
    expected = units if definition.x_units is None else [definition.x_units, units]
    if entry["units"] != expected:
        raise ParameterError(
            f"{crop}.yaml: {name} has units {entry['units']!r}, expected {expected!r}")


def _stretched(value: ParameterValue, width: int) -> ParameterValue:
    more = width - len(value.value)
    if more == 0:
        return value

    def stretched(numbers: tuple[float, ...]) -> tuple[float, ...]:
        return numbers + numbers[-1:] * more

    return replace(value, value=stretched(value.value), lower=stretched(value.lower),
                   upper=stretched(value.upper))
