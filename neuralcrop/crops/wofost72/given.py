"""Crops from a user's own set of parameters: one flat mapping, as PCSE uses it."""

from __future__ import annotations

import difflib
import math
from collections.abc import Mapping
from itertools import pairwise
from numbers import Real
from typing import Any, NamedTuple

from neuralcrop.core.parameters import ParameterError, ParameterValue
from neuralcrop.crops.wofost72.catalogue import (
    NOT_GIVEN,
    Definition,
    definitions,
    entries,
    pairs,
    widened,
)

SOIL_AND_SITE = frozenset([
    "SMW", "SMFCF", "SM0", "CRAIRC", "RDMSOL", "K0", "SOPE", "KSUB", "SMLIM", "IFUNRN",
    "NOTINF", "SSI", "SSMAX", "WAV", "CO2", "SOLNAM", "SMTAB", "CONTAB", "SPADS", "SPODS",
    "SPASS", "SPOSS", "DEFLIM",
])
"""Names of soil and site, which belong to the same mapping."""

NOT_USED = frozenset([
    "CRPNAM", "REFCO2L", "NMAXLV_TB", "NMAXRT_FR", "NMAXST_FR", "NMAXSO", "NCRIT_FR",
    "NRESIDLV", "NRESIDST", "NRESIDRT", "TCNT", "NFIX_FR", "NMINSO", "NMINVE", "NMAXVE",
    "PMINSO", "PMINVE", "PMAXSO", "PMAXVE", "KMINSO", "KMINVE", "KMAXSO", "KMAXVE", "YZERO",
    "NFIX",
])
"""Names that crop files have, but WOFOST 7.2 without nutrients does not read."""


class GivenSet(NamedTuple):
    """A user's set, taken apart.

    Attributes
    ----------
    crop : dict of str to ParameterValue
        Parameters of the crop, like those of :func:`load_variety`.
    other : dict
        Soil, site and unused entries as they were given.
    """

    crop: dict[str, ParameterValue]
    other: dict[str, Any]


class _Malformed(ValueError):
    """What was expected of a value."""


def from_parameters(
    parameters: Mapping[str, Any], source: str = "given by the user"
) -> GivenSet:
    """Crop from a flat mapping of WOFOST names to numbers and tables ``[x1, y1, x2, y2, ...]``.

    Nodes (0, 0) that fill up the end of a table are dropped. Tables of CO2 that are not given have
    no effect, nor has what IDSL switches off. Bounds are the values, widened by a fifth of their
    mean, inside physical limits.

    Parameters
    ----------
    parameters : mapping
        Crop, and perhaps soil and site.
    source : str
        Where the values come from.

    Raises
    ------
    ParameterError
        Listing everything that is missing, unknown or malformed, and what was expected.
    """
    found, problems = take_apart(parameters, source)
    if problems:
        raise ParameterError("these are no WOFOST 7.2 parameters:\n  " + "\n  ".join(problems))
    return found


def take_apart(
    parameters: Mapping[str, Any], source: str = "given by the user"
) -> tuple[GivenSet, list[str]]:
    """Crop as of :func:`from_parameters`, and its problems for one list with those of the soil."""
    problems = [_unknown(name) for name in parameters
                if name not in definitions().keys() | SOIL_AND_SITE | NOT_USED]
    idsl = _idsl(parameters)
    crop: dict[str, ParameterValue] = {}
    for name, definition in definitions().items():
        effective = idsl >= definition.from_idsl
        given = parameters.get(name)
        if given is None or (not effective and _empty(given)):
            if definition.default is None or (effective and definition.from_idsl):
                problems.append(_missing(definition))
            else:
                crop |= entries(definition, definition.default, None, NOT_GIVEN)
            continue
        try:
            crop |= _read(definition, given, effective, source)
        except _Malformed as expected:
            problems.append(f"{name} is {_short(given)}, expected {expected}")
    other = {name: v for name, v in parameters.items() if name not in definitions()}
    return GivenSet(crop, other), problems


def _idsl(parameters: Mapping[str, Any]) -> int:
    """IDSL, or 0 where it is no number, which is reported with the other problems."""
    idsl = parameters.get("IDSL")
    return int(float(idsl)) if isinstance(idsl, Real) and idsl in (0, 1, 2) else 0


def _read(
    definition: Definition, given: Any, effective: bool, source: str
) -> dict[str, ParameterValue]:
    value = _number(given) if definition.x_units is None else _table(given)
    numbers = [y for _, y in value] if isinstance(value, list) else [value]
    if not effective:  # may be a mark such as -99
        return entries(definition, value, None, source)
    lower, upper = definition.limits
    if not all(lower <= y <= upper for y in numbers):
        raise _Malformed(f"values from {lower:g} to {upper:g} ({definition.units})")
    if definition.switch:
        if not numbers[0].is_integer():
            raise _Malformed(f"a whole number from {lower:g} to {upper:g}")
        return entries(definition, value, None, source)
    bounds = widened(
        (min(numbers), max(numbers)), sum(numbers) / len(numbers), definition.limits)
    return entries(definition, value, bounds, source)


def _number(given: Any) -> float:
    if not isinstance(given, Real) or isinstance(given, bool) or not math.isfinite(given):
        raise _Malformed("a number")
    return float(given)


def _table(given: Any) -> list[list[float]]:
    expected = "a list x1, y1, x2, y2, ... with rising x"
    given = given.tolist() if hasattr(given, "tolist") else given
    if not isinstance(given, list | tuple) or not given or len(given) % 2:
        raise _Malformed(expected)
    try:
        flat = [_number(v) for v in given]
    except _Malformed:
        raise _Malformed(expected) from None
    nodes = pairs(flat)
    if any(b[0] <= a[0] for a, b in pairwise(nodes)):
        raise _Malformed(expected)
    return nodes


def _empty(given: Any) -> bool:
    return isinstance(given, list | tuple) and not given


def _missing(definition: Definition) -> str:
    kind = "a number" if definition.x_units is None else "a table"
    what = kind if definition.units == "1" else f"{kind} ({definition.units})"
    text = f"{definition.name} is missing, expected {what}: {definition.long_name}"
    least = definition.from_idsl
    return f"{text}; needed where IDSL is {least} or more" if least else text


def _unknown(name: str) -> str:
    known = [*definitions(), *sorted(SOIL_AND_SITE)]
    near = difflib.get_close_matches(str(name).upper(), known, n=1)
    return f"{name} is unknown" + (f", expected perhaps {near[0]}" if near else "")


def _short(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
