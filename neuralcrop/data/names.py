"""Names: which variable and coordinate of a user's dataset is which of ours."""

from __future__ import annotations

import re
from collections.abc import Mapping

import xarray as xr

from neuralcrop.data.errors import Problems

ALIASES: dict[str, tuple[str, ...]] = {
    "tasmin": ("tmin", "tmn", "tn", "mn2t", "mn2t24", "t2m_min", "t2mmin", "temp_min", "mintemp",
               "t_min", "temperature_2m_min", "tempmin", "min_temp", "tmin_c"),
    "tasmax": ("tmax", "tmx", "tx", "mx2t", "mx2t24", "t2m_max", "t2mmax", "temp_max", "maxtemp",
               "t_max", "temperature_2m_max", "tempmax", "max_temp", "tmax_c"),
    "tas": ("tmean", "tavg", "tg", "t2m", "temp", "tair", "temperature", "t_mean", "tmp",
            "air_temperature", "temperature_2m"),
    "rsds": ("srad", "ssrd", "swdown", "rg", "radiation", "solar_radiation", "sw_in", "swin",
             "allsky_sfc_sw_dwn", "irrad", "rad", "qq", "solar", "globrad"),
    "rlds": ("strd", "lwdown", "lw_in", "lwin", "allsky_sfc_lw_dwn"),
    "pr": ("prec", "precip", "precipitation", "rain", "rainfall", "tp", "ppt", "prectotcorr",
           "prectot", "rr", "prcp"),
    "hurs": ("rh", "rhum", "relative_humidity", "hur", "rh2m", "rhmean"),
    "huss": ("qair", "shum", "specific_humidity", "qv2m", "sph", "q2m"),
    "vap": ("vp", "ea", "vapour_pressure", "vapor_pressure", "vapr"),
    "tdew": ("tdps", "dewpoint", "d2m", "dew_point", "dew_point_temperature", "t2mdew", "tdmean",
             "dewp"),
    "sfcwind": ("wind", "ws", "ws10m", "ws2m", "wind_speed", "windspeed", "u2", "u10", "wnd",
                "si10", "sfc_wind"),
    "ps": ("sp", "surface_pressure", "pressure", "psfc", "pres"),
    "co2": ("co2_ppm", "co2mmr", "xco2", "atmospheric_co2"),
}
"""Other names under which each variable is accepted (lower case)."""

_STANDARD_NAMES: dict[str, tuple[str, ...]] = {
    "rsds": ("surface_downwelling_shortwave_flux_in_air", "surface_downwelling_shortwave_flux"),
    "rlds": ("surface_downwelling_longwave_flux_in_air", "surface_downwelling_longwave_flux"),
    "pr": ("precipitation_flux", "lwe_precipitation_rate", "precipitation_amount",
           "lwe_thickness_of_precipitation_amount"),
    "hurs": ("relative_humidity",),
    "huss": ("specific_humidity",),
    "vap": ("water_vapor_partial_pressure_in_air",),
    "tdew": ("dew_point_temperature",),
    "sfcwind": ("wind_speed",),
    "ps": ("surface_air_pressure",),
    "co2": ("mole_fraction_of_carbon_dioxide_in_air",),
}

_COORDINATES: dict[str, tuple[str, ...]] = {
    "lat": ("lat", "latitude", "nav_lat", "xlat"),
    "lon": ("lon", "longitude", "long", "nav_lon", "xlong"),
    "elevation": ("elevation", "elev", "alt", "altitude", "orog", "orography", "height_asl",
                  "topo", "dem"),
}

_COORDINATE_STANDARD_NAMES = {
    "lat": ("latitude",),
    "lon": ("longitude",),
    "elevation": ("surface_altitude", "altitude", "height_above_mean_sea_level"),
}


def match_variables(
    dataset: xr.Dataset, names: Mapping[str, str] | None, problems: Problems
) -> dict[str, str]:
    """Find the dataset's variable for each forcing variable it holds.

    The user's ``names`` win, then our own name in any case, then aliases, then CF standard names
    (for temperatures with the cell method).

    Parameters
    ----------
    dataset : xarray.Dataset
        What the user gave.
    names : mapping of str to str or None
        Our name to the dataset's name.
    problems : Problems
        Receives unknown or ambiguous names.

    Returns
    -------
    dict of str to str
        Our name to the dataset's name.
    """
    found: dict[str, str] = {}
    for ours, theirs in (names or {}).items():
        if ours not in ALIASES:
            problems.add(f"names['{ours}']", "not a forcing variable", f"one of {list(ALIASES)}")
        elif theirs not in dataset.variables:
            problems.add(f"names['{ours}']", f"'{theirs}' is not in the dataset",
                         f"one of {sorted(map(str, dataset.data_vars))}")
        else:
            found[ours] = theirs
    lower: dict[str, list[str]] = {}
    for name in map(str, dataset.variables):
        lower.setdefault(name.lower(), []).append(name)
    for ours, aliases in ALIASES.items():
        if ours in found:
            continue
        candidates = lower.get(ours) or [v for a in aliases for v in lower.get(a, [])]
        candidates = candidates or _by_standard_name(dataset, ours)
        if len(candidates) > 1:
            problems.add(f"variable {ours}", f"several candidates: {', '.join(candidates)}",
                         "one", f"say which with names={{'{ours}': '{candidates[0]}'}}")
        elif candidates:
            found[ours] = candidates[0]
    return found


def _by_standard_name(dataset: xr.Dataset, ours: str) -> list[str]:
    """Variables whose CF standard name, and cell method for temperatures, fit."""
    method = {"tasmin": r"time:\s*min", "tasmax": r"time:\s*max", "tas": r"time:\s*mean"}.get(ours)
    out = []
    for name in map(str, dataset.data_vars):
        attrs = dataset[name].attrs
        standard = attrs.get("standard_name", "")
        if standard in _STANDARD_NAMES.get(ours, ()) or (
            method and standard == "air_temperature"
            and re.match(method, str(attrs.get("cell_methods", "")))
        ):
            out.append(name)
    return out


def some_names(dataset: xr.Dataset, most: int = 12) -> str:
    """The variables of a dataset for a message, the first few of many."""
    names = sorted(map(str, dataset.data_vars))
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "no variables"


def find_coordinate(dataset: xr.Dataset, name: str) -> str | None:
    """The dataset's name of ``lat``, ``lon`` or ``elevation``, or None."""
    variables = [str(v) for v in dataset.variables]
    for accepted in _COORDINATES[name]:
        for variable in variables:
            if variable.lower() == accepted:
                return variable
    axis_units = {"lat": "degrees_north", "lon": "degrees_east"}.get(name)
    for variable in variables:
        attrs = dataset[variable].attrs
        if attrs.get("standard_name") in _COORDINATE_STANDARD_NAMES[name]:
            return variable
        if axis_units and str(attrs.get("units", "")).replace("degree_", "degrees_") == axis_units:
            return variable
    return None


def find_time(dataset: xr.Dataset) -> str | None:
    """Name of the time dimension, or None."""
    for name in map(str, dataset.dims):
        if name.lower() in ("time", "date", "valid_time"):
            return name
        if name in dataset.coords:
            coordinate = dataset[name]
            if coordinate.dtype.kind == "M" or coordinate.attrs.get("standard_name") == "time":
                return name
    return None


def wind_height(name: str, variable: xr.DataArray) -> float | None:
    """Height of a wind measurement in m as its name, attributes or coordinates tell, or None."""
    if name.lower() in ("ws2m", "u2"):
        return 2.0
    for text in (variable.attrs.get("height"), variable.coords.get("height")):
        if text is not None:
            number = re.search(r"\d+(\.\d+)?", str(getattr(text, "values", text)))
            if number:
                return float(number.group())
    for key in ("long_name", "description", "comment"):
        number = re.search(r"(\d+(?:\.\d+)?)[\s-]*(?:m|metres?|meters?)\b(?!\s*s)",
                           str(variable.attrs.get(key, "")))
        if number:
            return float(number.group(1))
    return None
