"""Weather and soil of field experiments, brought to the model's variables, days and layers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import torch
import xarray as xr

from neuralcrop.core.forcing import SOIL_LAYER_BOTTOM, Site
from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.data import gaps, plausibility, soil
from neuralcrop.data.derive import Notes, wind_factor
from neuralcrop.data.errors import Problems
from neuralcrop.data.field_tables import WEATHER
from neuralcrop.data.forcing import complete
from neuralcrop.data.places import Places
from neuralcrop.data.tensors import CellIndex
from neuralcrop.data.timeaxis import Days
from neuralcrop.physics import evapotranspiration as et

WIND_HEIGHT = 2.0
"""Height of agrometeorological wind measurements without another statement, m, that of FAO-56."""

REPEATED_DAYS = 15
"""Days at either end of a record that are repeated where a run goes beyond it."""

PARTICLE_DENSITY = 2.65
"""g cm-3 of mineral soil, for porosity from bulk density."""

_ALWAYS = ("tasmin", "tasmax", "pr", "rsds")


def prepare_series(
    frame: pd.DataFrame, lat: float, lon: float, elevation: float, where: str,
    problems: Problems, notes: Notes, wind_height: float = WIND_HEIGHT,
) -> tuple[pd.DatetimeIndex, np.ndarray, np.ndarray] | None:
    """Daily weather of one place as the model's variables, gaps filled by the usual rules.

    Gaps up to `gaps.MAX_GAP` days are filled; longer ones of humidity by tasmin as the dew point,
    of wind by the mean of the days that have it.

    Parameters
    ----------
    frame : pandas.DataFrame
        Variables in registry units, indexed by date.
    lat, lon, elevation : float
        Of the place; an unknown elevation is sea level.
    where : str
        Name of the series in messages.
    problems, notes
        Receive what is wrong and what was derived.
    wind_height : float
        Of the measurement, m.

    Returns
    -------
    tuple or None
        Dates, ``[day, variable]`` in the order of `FORCING_NAMES`, days of the solar year.
    """
    complete_days = frame[list(_ALWAYS)].notna().all(axis=1)
    if not complete_days.any():
        problems.add(f"{where}, variables {', '.join(_ALWAYS)}", "no day has all of them",
                     "daily values", "")
        return None
    first, last = complete_days[complete_days].index[[0, -1]]
    daily = frame.reindex(pd.date_range(first, last, freq="D"))
    daily.index.name = "time"
    for name in _ALWAYS:
        fill = gaps.fill_rain if name == "pr" else gaps.interpolate
        daily[name] = fill(daily[[name]].to_numpy(copy=True))[:, 0]
        if daily[name].isna().any():
            day = daily.index[daily[name].isna()][0]
            problems.add(f"{where}, variable {name}", f"missing from {day:%Y-%m-%d}, "
                         f"{int(daily[name].isna().sum())} days",
                         f"gaps of at most {gaps.MAX_GAP} days", "fill it")
    if daily[list(_ALWAYS)].isna().any().any():
        return None
    _fill_optional(daily, where, notes)
    variables = [str(n) for n in daily if not daily[n].isna().any()]
    data = xr.Dataset(
        {n: ("time", daily[n].to_numpy("float32"), {"units": WEATHER[n]}) for n in variables},
        coords={"time": daily.index, "lat": float(lat), "lon": float(lon),
                "elevation": float(np.nan_to_num(elevation))})
    if "sfcwind" in data:
        data["sfcwind"] = (data["sfcwind"] * np.float32(wind_factor(wind_height))).assign_attrs(
            units=WEATHER["sfcwind"])
    own = Problems(where)
    data = plausibility.clean(data)
    plausibility.check_weather(data, {}, Places.of(data, ()), own)
    for item in own.items:
        problems.add(f"{where}, {item.where}", item.what, item.expected, item.remedy)
    if own:
        return None
    done = complete(data, notes)
    values = np.stack([done[n].values.astype("float32") for n in FORCING_NAMES], axis=1)
    return pd.DatetimeIndex(daily.index), values, Days.of(done["time"]).solar_day


def _fill_optional(daily: pd.DataFrame, where: str, notes: Notes) -> None:
    """Humidity and wind: short gaps by lines, long ones by rule."""
    for name in ("vap", "tdew", "hurs", "sfcwind"):
        if name not in daily or daily[name].isna().all():
            continue
        daily[name] = gaps.interpolate(daily[[name]].to_numpy(copy=True))[:, 0]
        missing = daily[name].isna()
        if not missing.any():
            continue
        if name == "vap":
            low = torch.from_numpy(daily["tasmin"].to_numpy(float, copy=True))
            daily[name] = daily[name].fillna(pd.Series(
                et.saturation_vapour_pressure(low).numpy(), index=daily.index))
            notes.say(f"{where}: no humidity on {int(missing.sum())} of {len(daily)} days, tasmin "
                      "taken as the dew point on those")
        elif name == "sfcwind":
            daily[name] = daily[name].fillna(daily[name].mean())
            notes.say(f"{where}: no wind on {int(missing.sum())} of {len(daily)} days, mean of the "
                      "others taken")


def cut(
    dates: pd.DatetimeIndex, values: np.ndarray, solar: np.ndarray, first: pd.Timestamp,
    n_days: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Days of a run from a record; beyond its ends the nearest `REPEATED_DAYS` days again.

    Parameters
    ----------
    dates, values, solar
        From `prepare_series`.
    first : pandas.Timestamp
        First day of the run.
    n_days : int
        Its length.

    Returns
    -------
    tuple of numpy.ndarray
        ``[day, variable]``, and ``[day]`` the true days of the solar year.
    """
    n = len(dates)
    span = min(REPEATED_DAYS, n)
    day = np.arange(n_days) + (first - dates[0]).days
    index = np.where(day < 0, day % span, day)
    index = np.where(day >= n, n - span + (day - n) % span, index)
    at = pd.date_range(first, periods=n_days, freq="D")
    true = xr.DataArray(at, dims="time", coords={"time": at})
    return values[index], Days.of(true).solar_day


# --- soil -----------------------------------------------------------------------------------------


def layer_means(bottom: np.ndarray, values: np.ndarray) -> np.ndarray:
    """Means over the model's layers, weighted by depth; the lowest known value reaches down.

    Parameters
    ----------
    bottom : numpy.ndarray
        ``[layer]`` lower bounds of the given layers, cm, from the surface down.
    values : numpy.ndarray
        ``[layer]``, NaN where unknown.

    Returns
    -------
    numpy.ndarray
        One value for each of the model's layers, NaN where nothing is known.
    """
    known = np.isfinite(values)
    if not known.any():
        return np.full(len(SOIL_LAYER_BOTTOM), np.nan)
    low = np.asarray(bottom, dtype=float)[known] / 100.0
    top = np.concatenate([[0.0], low[:-1]])  # an unknown layer takes the value of the next below
    low = low.copy()
    low[-1] = max(low[-1], SOIL_LAYER_BOTTOM[-1])
    ours = np.concatenate([[0.0], SOIL_LAYER_BOTTOM])
    weight = np.minimum(low[None, :], ours[1:, None]) - np.maximum(top[None, :], ours[:-1, None])
    weight = np.maximum(weight, 0.0)
    return np.asarray(weight @ values[known] / weight.sum(axis=1))


def prepare_profiles(
    profiles: Sequence[Mapping[str, np.ndarray] | None], lat: np.ndarray, lon: np.ndarray,
    elevation: np.ndarray, where: list[str], problems: Problems, notes: Notes,
) -> Site:
    """Soil profiles on the model's layers, one a cell.

    Water limits are those of the profile; what it lacks follows from texture and organic matter by
    Saxton and Rawls (2006), doi:10.2136/sssaj2005.0117, saturation from bulk density where known.
    Roots reach the deepest layer in which the profile lets them grow.

    Parameters
    ----------
    profiles : sequence of mapping or None
        Variables ``[layer]``: depths in cm, water contents, ksat in cm h-1, texture and organic
        carbon in %. None for the default loam.
    lat, lon, elevation : numpy.ndarray
        ``[cell]``.
    where : list of str
        Name of each cell in messages.
    problems, notes
        Receive what is wrong and what was assumed.
    """
    names = ("sand", "clay", "organic_carbon", "ph", "theta_wp", "theta_fc", "theta_sat", "ksat")
    layers = {n: np.full((len(SOIL_LAYER_BOTTOM), len(profiles)), np.nan) for n in names}
    depth = np.full(len(profiles), soil.DEFAULT_SOIL["soil_depth"])
    for k, profile in enumerate(profiles):
        if profile is None:
            notes.say(f"{where[k]}: no soil profile, the default loam")
            continue
        bottom = profile["layer_bottom"]
        if not len(bottom) or (np.diff(bottom) <= 0).any() or bottom[0] <= 0:
            problems.add(f"{where[k]}, variable soil_layer_bottom", f"{bottom.tolist()} cm",
                         "depths that increase", "")
            continue
        depth[k] = _rooting_depth(profile)
        for name, values in _soil_values(profile).items():
            layers[name][:, k] = layer_means(bottom, values)
        wp, fc = layers["theta_wp"][:, k], layers["theta_fc"][:, k]
        if (wp >= fc).any():
            problems.add(f"{where[k]}, variables soil_theta_wp and soil_theta_fc",
                         "wilting point not below field capacity", "theta_wp < theta_fc",
                         "swapped?")
    for name in ("sand", "clay", "organic_carbon", "ph"):
        layers[name] = np.where(np.isnan(layers[name]), soil.DEFAULT_SOIL[name], layers[name])
    n = len(profiles)
    places = Places(("treatment",), (n,), lat, lon, elevation, np.array(where))
    cells = CellIndex(places, np.arange(n), {})
    return soil.site_record({**layers, "soil_depth": depth}, cells)


def _rooting_depth(profile: Mapping[str, np.ndarray]) -> float:
    """Depth that roots can reach, m."""
    bottom, factor = profile["layer_bottom"], profile.get("root_growth_factor")
    if factor is not None and (factor > 0.0).any():
        bottom = bottom[: int(np.flatnonzero(factor > 0.0)[-1]) + 1]
    return float(np.clip(bottom[-1] / 100.0, 0.05, SOIL_LAYER_BOTTOM[-1]))


def _soil_values(profile: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Variables of a profile in the units of the site record."""
    bottom = profile["layer_bottom"]
    nothing = np.full(len(bottom), np.nan)
    get = {n: profile.get(n, nothing) for n in (
        "clay", "silt", "sand", "organic_carbon", "theta_wp", "theta_fc", "theta_sat", "ksat",
        "bulk_density", "available_water", "ph")}
    clay = get["clay"] / 100.0
    sand = np.where(np.isnan(get["sand"]), 100.0 - get["clay"] - get["silt"], get["sand"]) / 100.0
    thickness = np.diff(np.concatenate([[0.0], bottom])) * 10.0
    capacity = np.where(np.isnan(get["available_water"]), get["theta_fc"],
                        get["theta_wp"] + get["available_water"] / thickness)
    porosity = 1.0 - get["bulk_density"] / PARTICLE_DENSITY
    saturation = np.where(np.isnan(get["theta_sat"]), porosity, get["theta_sat"])
    return {
        "sand": np.clip(sand, 0.0, 1.0), "clay": np.clip(clay, 0.0, 1.0),
        "organic_carbon": get["organic_carbon"], "ph": get["ph"], "theta_wp": get["theta_wp"],
        "theta_fc": capacity, "theta_sat": np.minimum(saturation, 0.95),
        "ksat": get["ksat"] * 10.0,
    }
