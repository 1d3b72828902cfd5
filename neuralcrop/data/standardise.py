"""From a user's dataset to our names, units and coordinates, whatever its time resolution."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import xarray as xr

from neuralcrop.core.variables import REGISTRY
from neuralcrop.data import names as naming
from neuralcrop.data.derive import Notes, wind_factor
from neuralcrop.data.errors import Problems
from neuralcrop.data.units import ACCEPTED, convert

REQUIRED = ("tasmin", "tasmax", "rsds", "pr")
"""Variables that cannot be derived."""

PERIOD_DIMS = {"week": "week", "month": "month"}
"""Second time dimension of data given by (year, week) or (year, month)."""


@dataclass
class Standard:
    """Forcing variables under our names in canonical units.

    Attributes
    ----------
    dataset : xarray.Dataset
        Variables and the coordinates lat, lon, elevation.
    labels : dict of str to str
        The user's name of each variable.
    """

    dataset: xr.Dataset
    labels: dict[str, str]


def standardise(
    dataset: xr.Dataset, problems: Problems, notes: Notes, *,
    names: Mapping[str, str] | None = None, wind_height: float | None = None,
    period_days: xr.DataArray | float = 1.0, optional: bool = False,
) -> Standard:
    """Pick the forcing variables and coordinates, rename and convert them.

    Parameters
    ----------
    dataset : xarray.Dataset
        What the user gave.
    problems : Problems
        Receives missing names, missing or wrong units and missing coordinates.
    notes : Notes
        Receives conversions worth telling.
    names : mapping of str to str, optional
        Our name to the dataset's name, where they are not recognised.
    wind_height : float, optional
        Height of the wind measurement, m; else read from attributes, else 10.
    period_days : DataArray or float
        Length of the periods of the data, d, for sums.
    optional : bool
        Do not insist on the required variables.
    """
    found = naming.match_variables(dataset, names, problems)
    for name in REQUIRED:
        if name not in found and not optional:
            problems.add(
                f"variable {name}", "missing",
                f"{REGISTRY[name].long_name} in {ACCEPTED[name]}",
                f"add it, or say which variable it is: names={{'{name}': ...}}; the dataset has "
                + naming.some_names(dataset),
            )
    out: dict[str, xr.DataArray] = {}
    for name, label in found.items():
        variable = dataset[label]
        if name == "co2" and "units" not in variable.attrs:
            variable = variable.assign_attrs(units="ppm")
        variable = _empty_humidity_units(name, label, variable, problems)
        converted = convert(name, variable, problems, label=label, days=period_days)
        if converted is None:
            continue
        if name == "sfcwind":
            converted = _wind_at_10m(converted, label, wind_height, notes)
        out[name] = converted.drop_vars([c for c in converted.coords if c not in dataset.dims])
    result = xr.Dataset(out, attrs=dataset.attrs)
    return Standard(_with_coordinates(dataset, result, problems, notes), found)


def _empty_humidity_units(
    name: str, label: str, variable: xr.DataArray, problems: Problems
) -> xr.DataArray:
    """An empty units text on relative humidity is a fraction when the values say so."""
    if name != "hurs" or "units" not in variable.attrs or str(variable.attrs["units"]).strip():
        return variable
    sample = variable.isel({d: slice(0, 1000) for d in variable.dims})
    if float(sample.max()) <= 1.05:
        return variable.assign_attrs(units="1")
    problems.add(f"variable {label}", "empty units attribute and values above 1",
                 ACCEPTED["hurs"], f"dataset['{label}'].attrs['units'] = '%'")
    return variable.assign_attrs(units="%")


def _wind_at_10m(
    wind: xr.DataArray, label: str, height: float | None, notes: Notes
) -> xr.DataArray:
    """Wind at 10 m from the height the user or the attributes give."""
    height = height if height is not None else naming.wind_height(label, wind)
    if height is None or height == 10.0:
        return wind
    notes.say(f"wind at {height:g} m ({label}) converted to 10 m (FAO-56, eq. 47)")
    return (wind * wind.dtype.type(wind_factor(height))).assign_attrs(wind.attrs)


def _with_coordinates(
    dataset: xr.Dataset, result: xr.Dataset, problems: Problems, notes: Notes
) -> xr.Dataset:
    """Add lat, lon and elevation under our names."""
    for name in ("lat", "lon", "elevation"):
        theirs = naming.find_coordinate(dataset, name)
        if theirs is None:
            if name == "lat":
                problems.add(
                    "coordinate lat", "missing", "latitude in degrees_north",
                    "dataset = dataset.assign_coords(lat=...), a number or one per cell")
            elif name == "lon":
                notes.say("no lon coordinate: positions are reported by latitude only")
            else:
                notes.say("no elevation: sea level assumed for air pressure and clear sky")
                result = result.assign_coords(elevation=np.float32(0.0))
            continue
        coordinate = dataset[theirs]
        if theirs != name and theirs in dataset.dims:
            result = result.rename({theirs: name}) if theirs in result.dims else result
            coordinate = coordinate.rename({theirs: name})
        spare = [d for d in coordinate.dims if d not in result.dims]
        variable = coordinate.variable.isel(dict.fromkeys(spare, 0))
        if name == "elevation" and variable.dtype.kind == "f" and bool(variable.isnull().any()):
            notes.say("missing elevations: sea level")
            variable = variable.fillna(0.0)
        result = result.assign_coords({name: variable})
        _check_coordinate(name, result[name], problems)
    return result


def _check_coordinate(name: str, coordinate: xr.DataArray, problems: Problems) -> None:
    """Refuse positions that cannot be."""
    if coordinate.dtype.kind not in "iuf":
        problems.add(f"coordinate {name}", f"type {coordinate.dtype}", "numbers", "")
        return
    low, high = float(coordinate.min()), float(coordinate.max())
    lower, upper = REGISTRY[name].lower, REGISTRY[name].upper
    if low < lower or high > upper:
        problems.add(f"coordinate {name}", f"values from {low:g} to {high:g}",
                     f"{lower:g} to {upper:g} {REGISTRY[name].units}",
                     "are lat and lon swapped?" if name != "elevation" else "give it in m")
    if name == "lat" and bool(coordinate.isnull().any()):
        problems.add("coordinate lat", f"{int(coordinate.isnull().sum())} missing values",
                     "a latitude for every cell", "drop these cells")


def spatial_dims(dataset: xr.Dataset, time_dims: tuple[str, ...]) -> tuple[xr.Dataset,
                                                                         tuple[str, ...]]:
    """Drop idle dimensions of size one and name the spatial ones.

    Returns
    -------
    dataset : xarray.Dataset
        Without idle dimensions.
    dims : tuple of str
        Spatial dimensions in the order of the first variable.
    """
    dims = [str(d) for v in dataset.data_vars.values() for d in v.dims if d not in time_dims]
    dims = list(dict.fromkeys(dims))
    located = {str(d) for c in ("lat", "lon") if c in dataset.coords for d in dataset[c].dims}
    idle = [d for d in dims if dataset.sizes[d] == 1 and d not in located]
    if located or len(dims) > len(idle) or len(idle) > 1:
        keep = [d for d in dims if d not in idle]
        if not keep and len(idle) > 1 and not located:
            keep, idle = idle[:1], idle[1:]
        dataset = dataset.squeeze(idle, drop=True)
        dims = keep
    if set(dims) == {"lat", "lon"}:
        dims = ["lat", "lon"]
    return dataset, tuple(dims)
