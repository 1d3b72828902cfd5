"""Daily weather of the demonstration world: what happens on top of its climate."""

from __future__ import annotations

import numpy as np
import torch

from neuralcrop.core.calendar import days_in_year
from neuralcrop.data.demo_climate import Climate, DemoGrid, noise_map
from neuralcrop.data.randomness import normal, place_key, uniform
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics.radiation import solar_geometry

RUN_IN = 30
"""Days before 1 January on which the chains of a year start, so that they have forgotten."""

PERSISTENCE = 0.72
"""Correlation of temperature anomalies of one day and the next."""

WET_PERSISTENCE = 0.3
"""How much likelier rain is after a wet day than after a dry one."""

WARMING = 0.02
"""K a year, from 2000."""

_MODES = 7
_TEMPERATURE_MODE, _RAIN_MODE = 1.3, 0.38
_STREAM = {"temperature": 1, "wet": 2, "amount": 3, "kind": 4, "sky": 5, "wind": 6, "mode": 7,
           "range": 8, "humidity": 9}


def one_year(grid: DemoGrid, year: int, seed: int) -> dict[str, np.ndarray]:
    """``[day, cell]`` float32 of one year in ISIMIP units."""
    climate = Climate(grid)
    n_days = days_in_year(year)
    first = _day_number(year)
    day = np.arange(-RUN_IN, n_days)
    absolute = (first + day)[:, None]
    place = place_key(grid.lat, grid.lon)[None, :]
    seasonal = _seasonal_normals(climate, day)
    warm_mode, rain_mode = _modes(grid, absolute[:, 0], seed)

    def unit(name: str) -> np.ndarray:
        return uniform(seed, _STREAM[name], place, absolute)

    def gauss(name: str) -> np.ndarray:
        return normal(seed, _STREAM[name], place, absolute)

    rain_mean = seasonal["rain"] * np.exp(_RAIN_MODE * rain_mode)
    wet, amount = _rain(rain_mean, unit("wet"), unit("kind"), unit("amount"))
    anomaly = _persistent(gauss("temperature")) * seasonal["spread"]
    mean = (seasonal["temperature"] + anomaly + _TEMPERATURE_MODE * warm_mode
            + WARMING * (year - 2000) - np.where(wet, 0.8, -0.3))
    spread = seasonal["range"] * np.where(wet, 0.68, 1.0) * np.exp(0.15 * gauss("range"))
    body = slice(RUN_IN, None)
    mean, spread, wet, amount = mean[body], spread[body], wet[body], amount[body]
    rainy = amount > 0.0
    rsds = _radiation(grid, day[body] + 1, wet, amount, gauss("sky")[body])
    dryness = 6.0 * np.exp(-rain_mean[body] / 1.2) + np.where(wet, 0.2, 1.6)
    tasmin, tasmax = mean - 0.5 * spread, mean + 0.5 * spread
    dew = tasmin - np.maximum(dryness + 0.8 * gauss("humidity")[body], 0.0)
    hurs = 100.0 * _saturation(dew) / _saturation(mean)
    wind = seasonal["wind"][body] * (-np.log(unit("wind")[body]) / 0.9) ** 0.45
    out = {
        "tasmin": tasmin + 273.15, "tasmax": tasmax + 273.15,
        "pr": np.where(rainy, amount, 0.0) / 86400.0, "rsds": rsds,
        "hurs": np.clip(hurs, 3.0, 100.0), "sfcwind": np.clip(wind, 0.3, 25.0),
    }
    return {n: v.astype(np.float32) for n, v in out.items()}


def _day_number(year: int) -> int:
    """Days from 1 January 1600 to 1 January of a year."""
    y = year - 1
    return 365 * (year - 1600) + (y // 4 - y // 100 + y // 400) - (1599 // 4 - 1599 // 100
                                                                  + 1599 // 400)


def _saturation(t: np.ndarray) -> np.ndarray:
    return np.asarray(et.saturation_vapour_pressure(torch.from_numpy(t)).numpy())


def _seasonal_normals(climate: Climate, day: np.ndarray) -> dict[str, np.ndarray]:
    """Normals of each day, from every tenth day of the year by straight lines."""
    knots = np.arange(-40.0, 380.0, 10.0)
    at = [climate.normals(float(k)) for k in knots]
    left = np.searchsorted(knots, day, side="right") - 1
    weight = ((day - knots[left]) / 10.0)[:, None]
    out = {}
    for name in ("temperature", "rain", "spread", "range", "wind"):
        values = np.stack([getattr(n, name) for n in at])
        out[name] = values[left] * (1.0 - weight) + values[left + 1] * weight
    return out


def _modes(grid: DemoGrid, absolute: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Slow anomalies of temperature and rain, about standard normal, ``[day, cell]``.

    Patterns of continental size whose amplitudes are drawn for every 91 days and change linearly
    between; rain shares half of its variance with cool temperatures.
    """
    season = absolute / 91.0
    left = np.floor(season).astype(int)
    weight = season - left
    first = int(left.min())
    k = np.arange(int(left.max()) - first + 2)
    fields = []
    for which in (0, 1):
        total = np.zeros((len(absolute), grid.n_cells))
        for mode in range(_MODES):
            stream = 100 + 10 * mode + which
            pattern = noise_map(grid.lat, grid.lon, stream, waves=4, scale=5.0, seed=seed)
            size = normal(seed, _STREAM["mode"], stream, first + k)
            course = (size[left - first] * (1.0 - weight) + size[left - first + 1] * weight)
            total += course[:, None] * pattern
        fields.append(total * (1.6 / np.sqrt(_MODES)) * 1.2)
    return fields[0], 0.75 * fields[1] - 0.5 * fields[0]


def _persistent(noise: np.ndarray) -> np.ndarray:
    """First-order autoregressive series of unit variance."""
    out = np.empty_like(noise)
    out[0] = noise[0]
    fresh = np.sqrt(1.0 - PERSISTENCE**2)
    for t in range(1, len(noise)):
        out[t] = PERSISTENCE * out[t - 1] + fresh * noise[t]
    return out


def _rain(
    mean: np.ndarray, u_wet: np.ndarray, u_kind: np.ndarray, u_amount: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Wet days by a Markov chain and amounts by mixed exponentials (Wilks 1999).

    The share of wet days is P / (P + 4.5 mm); a third of the wet days is showery with small, the
    rest with large amounts, such that the mean is P.
    """
    share = mean / (mean + 4.5)
    after_dry = share * (1.0 - WET_PERSISTENCE)
    after_wet = after_dry + WET_PERSISTENCE
    wet = np.empty(mean.shape, dtype=bool)
    wet[0] = u_wet[0] < share[0]
    for t in range(1, len(mean)):
        wet[t] = u_wet[t] < np.where(wet[t - 1], after_wet[t], after_dry[t])
    small = u_kind < 1.0 / 3.0
    scale = (mean + 4.5) * np.where(small, 0.25, 1.375)
    return wet, np.where(wet, np.minimum(-np.log(u_amount) * scale, 250.0), 0.0)


def _radiation(
    grid: DemoGrid, day: np.ndarray, wet: np.ndarray, amount: np.ndarray, noise: np.ndarray
) -> np.ndarray:
    """W m-2: extraterrestrial radiation times a transmissivity that is lower on wet days."""
    phi = torch.from_numpy(np.deg2rad(grid.lat))
    top = solar_geometry(torch.sin(phi), torch.cos(phi),
                         torch.from_numpy(day.astype(float))[:, None]).extraterrestrial
    cloud = np.where(wet, 0.41 - 0.004 * np.minimum(amount, 40.0), 0.63)
    through = np.clip(cloud + 0.07 * noise, 0.12, 0.76) + 2e-5 * grid.elevation
    return np.asarray(top.numpy() * through / 0.0864)
