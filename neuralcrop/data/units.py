"""Units: read from attributes, converted once at the door."""

from __future__ import annotations

import logging
import re
from functools import lru_cache

import numpy as np
import pint
import xarray as xr

from neuralcrop.core.variables import REFERENCE_NAMES, REGISTRY
from neuralcrop.data.errors import Problems


def _udunits() -> pint.UnitRegistry:
    """Pint's registry with UDUNITS spellings, loaded without its notes on redefinitions."""
    chatty = logging.getLogger("pint.util")
    level = chatty.level
    chatty.setLevel(logging.ERROR)
    import cf_xarray.units

    chatty.setLevel(level)
    registry: pint.UnitRegistry = cf_xarray.units.units
    return registry


_REGISTRY = _udunits()

EXTRA_UNITS = {"hurs": "%", "huss": "kg kg-1", "tdew": "degC"}
"""Units in which variables outside the registry are held after conversion."""

ACCEPTED = {
    "tasmin": "K or degC", "tasmax": "K or degC", "tas": "K or degC", "tdew": "K or degC",
    "rsds": "W m-2, MJ m-2 d-1 or J m-2 d-1", "rlds": "W m-2, MJ m-2 d-1 or J m-2 d-1",
    "pr": "kg m-2 s-1 or mm d-1", "hurs": "% or 1", "huss": "kg kg-1, g kg-1 or 1",
    "vap": "Pa, hPa or kPa", "ps": "Pa, hPa or kPa", "sfcwind": "m s-1, km h-1 or km d-1",
    "co2": "ppm, 1e-6 or mol mol-1", **dict.fromkeys(REFERENCE_NAMES, "mm d-1 or kg m-2 s-1"),
}
"""Units named in error messages; anything pint converts to them is taken."""

_SPELLING = {
    "kelvin": "K", "deg_c": "degC", "deg c": "degC", "degrees c": "degC", "degree c": "degC",
    "degrees celsius": "degC", "degree celsius": "degC", "deg. c": "degC", "°c": "degC",
    "c": "degC", "celsius": "degC", "degrees_celsius": "degC", "deg k": "K", "degrees k": "K",
    "1e-6": "ppm", "1e-06": "ppm", "ppmv": "ppm", "fraction": "1", "-": "1", "none": "1",
    "percentage": "%", "kg m-2 day-1": "kg m-2 d-1", "millibar": "mbar", "millibars": "mbar",
}


def canonical_units(name: str) -> str:
    """Units in which a forcing variable is held."""
    return EXTRA_UNITS.get(name) or REGISTRY[name].units


@lru_cache(maxsize=512)
def parse(text: str) -> pint.Unit:
    """Unit of a UDUNITS-like string.

    Raises
    ------
    ValueError
        If the text is not a unit.
    """
    spelled = _SPELLING.get(text.strip().lower(), text.strip())
    spelled = re.sub(r"\bday(s?)\b", "d", spelled)
    try:
        return _REGISTRY.parse_units(spelled)
    except Exception as error:
        raise ValueError(f"'{text}' is not a unit") from error


@lru_cache(maxsize=512)
def scale(found: str, wanted: str) -> tuple[float, float]:
    """Factor and offset that turn values in ``found`` into values in ``wanted``.

    Raises
    ------
    ValueError
        If either text is not a unit or their dimensions differ.
    """
    try:
        a, b = parse(found), parse(wanted)
        zero = _REGISTRY.Quantity(0.0, a).to(b).magnitude
        # a wide base keeps offset units exact: (T + 273.15) - 273.15
        factor = (_REGISTRY.Quantity(1e4, a).to(b).magnitude - zero) / 1e4
    except pint.DimensionalityError as error:
        raise ValueError(f"'{found}' cannot be converted to '{wanted}'") from error
    return round(float(factor), 15) if abs(factor) > 1e-3 else float(factor), float(zero)


def forcing_scale(name: str, found: str, days: float = 1.0) -> tuple[float, float]:
    """Factor and offset from a user's units to ours, with the additions of weather data.

    Precipitation and evaporation may be a mass flux or a depth per period (water at 1000 kg m-3);
    radiation may be an energy per period.

    Parameters
    ----------
    name : str
        Forcing variable.
    found : str
        Units attribute.
    days : float
        Length of one period of the data, d; sums are divided by it.

    Raises
    ------
    ValueError
        If the units cannot be what the variable is measured in.
    """
    wanted = canonical_units(name)
    if name == "pr" or name in REFERENCE_NAMES:
        return _water_scale(found, days, "precipitation" if name == "pr" else name), 0.0
    if name in ("rsds", "rlds") and _same(found, "J m-2"):
        return scale(found, "J m-2")[0] / 86400.0 / days, 0.0
    if name == "co2":
        return scale(found, "ppm")
    if name == "huss":
        return scale(found, "1")
    return scale(found, wanted)


def _same(found: str, like: str) -> bool:
    """Whether two units have the same dimensions."""
    return bool(parse(found).dimensionality == parse(like).dimensionality)


def _water_scale(found: str, days: float, what: str) -> float:
    if _same(found, "m s-1"):
        return scale(found, "mm d-1")[0]
    if _same(found, "kg m-2 s-1"):
        return scale(found, "kg m-2 d-1")[0]
    if _same(found, "kg m-2"):
        return scale(found, "kg m-2")[0] / days
    if _same(found, "m"):
        factor = scale(found, "mm")[0]
        if factor >= 1000.0:
            raise ValueError(
                f"{what} in '{found}', a depth without a time: write 'm d-1' if each "
                "value is metres of water per day"
            )
        return factor / days
    raise ValueError(f"'{found}' cannot be converted to 'mm d-1'")


def _packed(variable: xr.DataArray) -> bool:
    """Whether values were stored as integers, whose decoding to double precision is idle."""
    stored = variable.encoding.get("dtype")
    return stored is not None and np.dtype(stored).kind in "iu"


def convert(
    name: str, variable: xr.DataArray, problems: Problems, *, label: str | None = None,
    days: xr.DataArray | float = 1.0,
) -> xr.DataArray | None:
    """One forcing variable in canonical units.

    Parameters
    ----------
    name : str
        Forcing variable.
    variable : xarray.DataArray
        Values with a ``units`` attribute.
    problems : Problems
        Receives missing or wrong units.
    label : str, optional
        How the user calls the variable.
    days : DataArray or float
        Length of the periods of the data, d.

    Returns
    -------
    xarray.DataArray or None
        Converted values with the ``units`` attribute set, or None after a problem.
    """
    where = f"variable {label or name}"
    units = variable.attrs.get("units")
    if units is None or (not str(units).strip() and name not in ("hurs", "huss")):
        problems.add(where, "no units attribute", ACCEPTED[name],
                     f"dataset['{label or name}'].attrs['units'] = "
                     f"'{ACCEPTED[name].split(' or ')[0].split(',')[0]}'")
        return None
    units = str(units).strip() or "1"
    try:
        factor, offset = forcing_scale(name, units)
        total = forcing_scale(name, units, 2.0)[0] != factor
    except ValueError as error:
        problems.add(where, str(error), ACCEPTED[name], "correct the units attribute")
        return None
    out = variable
    if variable.dtype.kind != "f":
        out = out.astype("float32")
    if factor != 1.0:
        out = out * out.dtype.type(factor)
    if offset != 0.0:
        out = out + out.dtype.type(offset)
    if total:
        out = out / days
    if _packed(variable):
        out = out.astype("float32")
    out.attrs = {**variable.attrs, "units": canonical_units(name), "original_units": units}
    return out
