"""Climates of a scenario: change factors on prepared weather.

A warming is added to all temperatures. What depends on temperature goes with it: the vapour
pressure keeps the relative humidity, ``e (T + dT) = e(T) es(T + dT) / es(T)`` with es at the daily
mean temperature, and the long-wave radiation from the sky rises as much as the surface emits more,
so that net long-wave radiation is that of the baseline. Precipitation is multiplied on every day,
so that the number of wet days stays. CO2 acts on plants alone. Sunshine, wind and pressure stay.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr
from torch import Tensor

from neuralcrop.config.sections import ScenarioMember
from neuralcrop.core.constants import SECONDS_PER_DAY
from neuralcrop.data.co2 import co2_for_years
from neuralcrop.data.derive import physics
from neuralcrop.physics.evapotranspiration import saturation_vapour_pressure
from neuralcrop.physics.radiation import surface_emission

_DAYS = 31
"""Days in which changed weather is calculated at a time, when it is read."""

_MJ_PER_WATT = SECONDS_PER_DAY * 1e-6


def changed_forcing(prepared: xr.Dataset, member: ScenarioMember) -> xr.Dataset:
    """Weather of a member of a scenario; what changes is calculated when it is read.

    Parameters
    ----------
    prepared : xarray.Dataset
        Canonical weather (`neuralcrop.data.forcing.prepare_forcing`).
    member : ScenarioMember
        Its changes: ``tas`` K, ``pr`` factor, ``co2`` ppm.

    Returns
    -------
    xarray.Dataset
        Canonical weather; variables without a change are those of ``prepared``.

    Raises
    ------
    InputError
        If the CO2 is out of range.
    """
    changed: dict[str, xr.DataArray] = {}
    if member.tas:
        changed |= _warmed(prepared, member.tas)
    if member.pr != 1.0:
        changed["pr"] = _lazy(prepared["pr"]) * np.float32(member.pr)
    if member.co2 is not None:
        years = prepared["time"].dt.year.values
        values = co2_for_years(years, member.co2).astype(prepared["co2"].dtype)
        changed["co2"] = prepared["co2"].copy(data=np.broadcast_to(
            values.reshape(-1, *[1] * (prepared["co2"].ndim - 1)), prepared["co2"].shape))
    # kept in order: a dataset's variables are the rows of the weather tensor
    return prepared.assign({
        name: changed[str(name)].transpose(*v.dims).assign_attrs(v.attrs)
        for name, v in prepared.data_vars.items() if name in changed})


def describe_change(member: ScenarioMember) -> str:
    """The changes in words, for titles and attributes."""
    parts = []
    if member.path is not None:
        parts.append("other forcing")
    if member.tas:
        parts.append(f"{member.tas:+g} K")
    if member.pr != 1.0:
        parts.append(f"{100.0 * (member.pr - 1.0):+g} % precipitation")
    if member.co2 is not None:
        ppm = f"{member.co2:g} ppm" if isinstance(member.co2, float) else f"as in {member.co2}"
        parts.append(f"CO2 {ppm}")
    return ", ".join(parts) or "no change"


def _warmed(prepared: xr.Dataset, warming: float) -> dict[str, xr.DataArray]:
    low, high, mean, vap, rlds = (
        _lazy(prepared[n]) for n in ("tasmin", "tasmax", "tas", "vap", "rlds"))
    step = np.float32(warming)

    def moister(t: Tensor, e: Tensor) -> Tensor:
        return e * saturation_vapour_pressure(t + warming) / saturation_vapour_pressure(t)

    def brighter(t: Tensor, sky: Tensor) -> Tensor:
        return sky + (surface_emission(t + warming) - surface_emission(t)) / _MJ_PER_WATT

    return {"tasmin": low + step, "tasmax": high + step, "tas": mean + step,
            "vap": _apply(moister, mean, vap), "rlds": _apply(brighter, mean, rlds)}


def _apply(
    function: Callable[[Tensor, Tensor], Tensor], first: xr.DataArray, second: xr.DataArray
) -> xr.DataArray:
    return physics(function, first, second).assign_coords(second.coords)


def _lazy(variable: xr.DataArray) -> xr.DataArray:
    return variable if variable.chunks is not None else variable.chunk({"time": _DAYS})
