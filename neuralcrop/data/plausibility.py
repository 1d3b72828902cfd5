"""Checks of forcing values in memory: ranges, mislabelled units, order of temperatures."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from neuralcrop.core.variables import REGISTRY
from neuralcrop.data.errors import Problems
from neuralcrop.data.places import Places
from neuralcrop.data.timeaxis import date_text

_EXTRA_RANGE = {"hurs": (0.0, 115.0), "huss": (0.0, 0.08), "tdew": (-100.0, 45.0)}

_SLACK = {"pr": 0.05, "rsds": 2.0, "hurs": 0.5, "huss": 1e-5, "vap": 0.0}
"""Values this far below zero are packing noise and are set to zero."""

TEMPERATURE_TOLERANCE = 0.01
"""K by which tasmin may exceed tasmax (rounding)."""


def limits(name: str) -> tuple[float, float]:
    """Plausible range of a forcing variable in canonical units."""
    return _EXTRA_RANGE.get(name) or (REGISTRY[name].lower, REGISTRY[name].upper)


def remove_noise(name: str, variable: xr.DataArray) -> xr.DataArray:
    """Clip packing noise just below zero, and humidity just above saturation."""
    if name == "hurs":
        variable = variable.where(~((variable > 100.0) & (variable <= 115.0)), 100.0)
    slack = _SLACK.get(name)
    if slack is None:
        return variable
    return variable.where(~((variable < 0.0) & (variable >= -slack)), 0.0)


def check_range(name: str, variable: xr.DataArray, label: str, places: Places,
                problems: Problems) -> None:
    """Refuse values outside the plausible range, and guess at the mislabelled units.

    Parameters
    ----------
    name : str
        Forcing variable, held in canonical units.
    variable : xarray.DataArray
        Values in memory with the attributes ``units`` and ``original_units``.
    label : str
        The user's name of the variable.
    places : Places
        Names of the cells.
    problems : Problems
        Receives the finding.
    """
    values = np.asarray(variable.values)
    if values.size == 0 or np.isnan(values).all():
        return
    lower, upper = limits(name)
    low, high = float(np.nanmin(values)), float(np.nanmax(values))
    given = variable.attrs.get("original_units", variable.attrs["units"])
    if low >= lower and high <= upper:
        hint = _suspicion(name, values, high, given)
        if hint:
            problems.add(f"variable {label}", *hint)
        return
    bad = np.flatnonzero((values < lower) | (values > upper))
    index = np.unravel_index(int(bad[0]), values.shape)
    place = int(np.ravel_multi_index(index[1:], values.shape[1:])) if len(index) > 1 else 0
    where = (f"variable {label}, {places.name(place)}, "
             f"{date_text(variable['time'].values[index[0]])}")
    problems.add(
        where,
        f"{values[index]:.4g} {variable.attrs['units']} (read as {given}) and {bad.size - 1} more "
        "values out of range, check units?",
        f"{lower:g} to {upper:g} {variable.attrs['units']}",
        _unit_remedy(name, label, low, high, given),
    )


def _unit_remedy(name: str, label: str, low: float, high: float, given: str) -> str:
    """What the numbers look like."""
    fix = f"dataset['{label}'].attrs['units'] = "
    if name in ("tasmin", "tasmax", "tas", "tdew"):
        if high < -100.0 and given in ("K", "kelvin", "Kelvin"):
            return f"the values look like degC labelled K: {fix}'degC'"
        if low > 150.0:
            return f"the values look like K labelled {given}: {fix}'K'"
    if name == "rsds" and high > 500.0:
        return "a 24 h mean cannot exceed 500 W m-2: daylight mean, or J labelled W?"
    if low < 0.0 and name in ("pr", "rsds", "vap", "hurs", "sfcwind"):
        return "negative values: a fill value (-99, -999) that is not declared as missing?"
    return "correct the units attribute or mask the values"


def _suspicion(name: str, values: np.ndarray, high: float, given: str) -> tuple[str, ...] | None:
    """Finding for values within range that are far too small for their label."""
    if name == "pr" and 0.0 < high < 2e-3 and values.shape[0] >= 30:
        return (f"largest value {high:.2g} mm d-1 in {values.shape[0]} days", "precipitation",
                f"looks like kg m-2 s-1 labelled {given}: correct the units attribute")
    if name == "rsds" and high < 46.0 and values.shape[0] >= 300:
        return (f"largest value {high:.3g} W m-2 in {values.shape[0]} days", "radiation",
                f"looks like MJ m-2 d-1 labelled {given}: correct the units attribute")
    if name == "hurs" and high <= 1.05 and given in ("%", "percent"):
        return (f"largest value {high:.3g} %", "relative humidity in %",
                "looks like a fraction labelled %: set the units attribute to '1'")
    if name == "vap" and high < 0.01 and values.shape[0] >= 30:
        return (f"largest value {high:.2g} kPa", "vapour pressure",
                f"looks like kPa labelled {given}: correct the units attribute")
    return None


def clean(daily: xr.Dataset) -> xr.Dataset:
    """All variables without packing noise (see `remove_noise`)."""
    return daily.assign({
        name: remove_noise(str(name), variable).assign_attrs(variable.attrs)
        for name, variable in daily.data_vars.items() if name != "co2"
    })


def check_weather(
    daily: xr.Dataset, labels: Mapping[str, str], places: Places, problems: Problems
) -> None:
    """Check the range of every variable and the order of temperatures.

    Parameters
    ----------
    daily : xarray.Dataset
        Canonical names and units, in memory.
    labels : mapping of str to str
        The user's name of each variable.
    places : Places
        Names of the cells.
    problems : Problems
        Receives the findings.
    """
    for name in (str(n) for n in daily.data_vars if n != "co2"):
        check_range(name, daily[name], labels.get(name, name), places, problems)
    check_temperature_order(daily, places, problems)


def check_temperature_order(dataset: xr.Dataset, places: Places, problems: Problems) -> None:
    """Refuse days whose minimum temperature is above the maximum."""
    if "tasmin" not in dataset or "tasmax" not in dataset:
        return
    low, high = dataset["tasmin"], dataset["tasmax"]
    if low.dims != high.dims or low.shape != high.shape:
        return
    excess = low.values - high.values
    bad = np.flatnonzero(excess > TEMPERATURE_TOLERANCE)
    if not bad.size:
        return
    index = np.unravel_index(int(bad[0]), excess.shape)
    place = int(np.ravel_multi_index(index[1:], excess.shape[1:])) if len(index) > 1 else 0
    problems.add(
        f"tasmin and tasmax, {places.name(place)}, {date_text(low['time'].values[index[0]])}",
        f"tasmin {low.values[index]:.2f} above tasmax {high.values[index]:.2f} degC, on "
        f"{bad.size} days of {excess.size}",
        f"tasmin <= tasmax (tolerance {TEMPERATURE_TOLERANCE} K)",
        "are the two names swapped? Otherwise mask or correct these days",
    )
