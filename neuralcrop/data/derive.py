"""What the weather does not say, derived by stated rules, each announced once."""

from __future__ import annotations

import logging
from collections.abc import Callable

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from neuralcrop.core.constants import SECONDS_PER_DAY
from neuralcrop.core.variables import FORCING_NAMES, REGISTRY
from neuralcrop.data.timeaxis import Days
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import radiation

log = logging.getLogger("neuralcrop.data")

_MJ_PER_WATT = SECONDS_PER_DAY * 1e-6

DEFAULT_WIND = 2.0
"""m s-1 at 2 m, the global mean that FAO-56 (Allen et al. 1998, p. 63) takes without data."""


def physics(function: Callable[..., Tensor], *arguments: xr.DataArray) -> xr.DataArray:
    """Apply a function of tensors to DataArrays, lazily where they are lazy."""
    def with_arrays(*arrays: np.ndarray) -> np.ndarray:
        return function(*[torch.from_numpy(np.array(a, order="C")) for a in arrays]).numpy()

    dtype = np.result_type(*[a.dtype for a in arguments])
    return xr.apply_ufunc(with_arrays, *arguments, dask="parallelized", output_dtypes=[dtype],
                          keep_attrs=False)


def wind_factor(height: float) -> float:
    """Wind at 10 m over wind at a height above grass; FAO-56, eq. 47, both ways."""
    to_two_metres = 1.0 if height == 2.0 else 4.87 / np.log(67.8 * height - 5.42)
    return float(to_two_metres / et.WIND_10M_TO_2M)


class Notes:
    """Derivations made, logged as they happen and kept for the dataset's attributes."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def say(self, text: str, warn: bool = False) -> None:
        """Announce one derivation, once."""
        if text not in self.texts:
            self.texts.append(text)
            log.log(logging.WARNING if warn else logging.INFO, text)


def derive_missing(dataset: xr.Dataset, notes: Notes) -> xr.Dataset:
    """Add tas, ps, vap, sfcwind and rlds where the data lack them.

    Parameters
    ----------
    dataset : xarray.Dataset
        Canonical units, dimension ``time`` first, coordinates ``lat`` and ``elevation``.
    notes : Notes
        Receives what was done.
    """
    out = dataset.copy()
    if "tas" not in out:
        notes.say("tas missing: mean of tasmin and tasmax")
        mean = (out["tasmin"] + out["tasmax"]) * out["tasmin"].dtype.type(0.5)
        out["tas"] = mean.drop_attrs()
    like = out["tasmin"]
    if "ps" not in out:
        notes.say("ps missing: standard pressure at the elevation (FAO-56, eq. 7)")
        elevation = out["elevation"].astype(like.dtype).reset_coords(drop=True)
        out["ps"] = physics(et.air_pressure, elevation).broadcast_like(like)
    out["vap"] = _humidity(out, notes)
    if "sfcwind" not in out:
        notes.say(f"sfcwind missing: {DEFAULT_WIND:g} m s-1 at 2 m everywhere (FAO-56)", warn=True)
        constant = xr.DataArray(like.dtype.type(DEFAULT_WIND * wind_factor(2.0)))
        out["sfcwind"] = constant.broadcast_like(like)
    if "rlds" not in out:
        notes.say("rlds missing: from FAO-56 net long-wave radiation (eq. 39)")
        out["rlds"] = _longwave(out)
    for name in FORCING_NAMES:
        if name in out:
            if name != "co2":
                out[name] = out[name].transpose(*like.dims)
            out[name].attrs = {**_kept(out[name]), **REGISTRY[name].attributes()}
    return out


def _kept(variable: xr.DataArray) -> dict[str, str]:
    """Attributes of the source that still hold."""
    return {k: v for k, v in variable.attrs.items() if k in ("source", "original_units")}


def _humidity(out: xr.Dataset, notes: Notes) -> xr.DataArray:
    """Vapour pressure from the most direct measure there is."""
    saturation = et.saturation_vapour_pressure
    if "vap" in out:
        return out["vap"]
    if "huss" in out:
        notes.say("vap from specific humidity and pressure")
        return physics(et.vapour_pressure_from_specific_humidity, out["huss"], out["ps"])
    if "tdew" in out:
        notes.say("vap from the dew point")
        return physics(saturation, out["tdew"])
    if "hurs" in out:
        notes.say("vap from relative humidity and the saturation pressure at tas")
        return physics(lambda h, t: h * 0.01 * saturation(t), out["hurs"], out["tas"])
    notes.say("no humidity (hurs, huss, vap, tdew): tasmin taken as the dew point (FAO-56, eq. 48);"
              " too moist in dry climates", warn=True)
    return physics(saturation, out["tasmin"])


def _longwave(out: xr.Dataset) -> xr.DataArray:
    """Downwelling long-wave radiation that gives the model the net radiation of FAO-56."""
    dtype = out["tasmin"].dtype
    day = xr.DataArray(Days.of(out["time"]).solar_day.astype(dtype), dims="time")
    latitude = out["lat"].reset_coords(drop=True)
    elevation = out["elevation"].astype(dtype).reset_coords(drop=True)

    def downwelling(low: Tensor, high: Tensor, mean: Tensor, vap: Tensor, rsds: Tensor,
                    sin_lat: Tensor, cos_lat: Tensor, day: Tensor, z: Tensor) -> Tensor:
        top = radiation.solar_geometry(sin_lat, cos_lat, day).extraterrestrial
        clear = radiation.clear_sky_radiation(top, z)
        net = radiation.net_longwave_fao56(low, high, vap, rsds * _MJ_PER_WATT, clear)
        return radiation.downwelling_longwave(mean, net) / _MJ_PER_WATT

    angle = np.deg2rad(latitude.astype(float))
    weather = [out[n].reset_coords(drop=True) for n in ("tasmin", "tasmax", "tas", "vap", "rsds")]
    sine, cosine = (xr.apply_ufunc(f, angle).astype(dtype) for f in (np.sin, np.cos))
    position = [sine, cosine, day, elevation]
    return physics(downwelling, *weather, *position).assign_coords(out["tasmin"].coords)
