"""Demonstration data: synthetic weather and soil on a two degree grid of the world's land.

Every number depends on its seed, cell and day only, so any choice of cells and years gives the
same weather. The files use ISIMIP names and units and go through `open_forcing` like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
import xarray as xr

from neuralcrop.core.calendar import days_in_year
from neuralcrop.data.demo_climate import STEP, Climate, DemoGrid, demo_grid, grid_axes, noise_map
from neuralcrop.data.files import write_atomically
from neuralcrop.data.randomness import normal, place_key, uniform
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics.radiation import solar_geometry

SEED = 2024
"""Seed of the demonstration world."""

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
_VARIABLES = {
    "tasmin": ("K", "air_temperature", "daily minimum near-surface air temperature"),
    "tasmax": ("K", "air_temperature", "daily maximum near-surface air temperature"),
    "pr": ("kg m-2 s-1", "precipitation_flux", "precipitation"),
    "rsds": ("W m-2", "surface_downwelling_shortwave_flux_in_air",
             "surface downwelling shortwave radiation"),
    "hurs": ("%", "relative_humidity", "near-surface relative humidity"),
    "sfcwind": ("m s-1", "wind_speed", "near-surface wind speed at 10 m"),
}
_PACKING = {
    "tasmin": (0.01, 273.15), "tasmax": (0.01, 273.15), "pr": (0.01 / 86400.0, 0.0),
    "rsds": (0.02, 0.0), "hurs": (0.01, 0.0), "sfcwind": (0.001, 0.0),
}
"""Step and offset of the 16-bit integers in which weather is written."""

_STREAM = {"temperature": 1, "wet": 2, "amount": 3, "kind": 4, "sky": 5, "wind": 6, "mode": 7,
           "range": 8, "humidity": 9}


def make_demo_forcing(
    years: Sequence[int], cells: np.ndarray | None = None, *, seed: int = SEED
) -> xr.Dataset:
    """Synthetic daily weather in ISIMIP names and units.

    Temperature is a seasonal mean with persistent anomalies, rain a two-state Markov chain with
    mixed exponential amounts; radiation, diurnal range and humidity follow wet and dry days. Slow
    modes that span thousands of kilometres make hot, cold, wet and dry seasons.

    Parameters
    ----------
    years : sequence of int
        Consecutive calendar years.
    cells : numpy.ndarray, optional
        Indices of land cells of `demo_grid`: a dataset over ``cell``. Default all land, as a
        ``lat``, ``lon`` grid with missing values at sea.
    seed : int
        Another seed is another world with the same climate.

    Returns
    -------
    xarray.Dataset
        tasmin, tasmax (K), pr (kg m-2 s-1), rsds (W m-2), hurs (%), sfcwind (m s-1), with the
        coordinate elevation (m).
    """
    years = [int(y) for y in years]
    if years != list(range(years[0], years[0] + len(years))):
        raise ValueError(f"years must be consecutive, got {years}")
    everywhere = demo_grid()
    index = np.arange(everywhere.n_cells) if cells is None else np.asarray(cells, dtype=int)
    grid = everywhere.take(index)
    parts = [_one_year(grid, year, seed) for year in years]
    time = xr.date_range(f"{years[0]}-01-01", f"{years[-1]}-12-31", freq="D", use_cftime=False)
    arrays = {n: np.concatenate([p[n] for p in parts]) for n in _VARIABLES}
    dataset = _on_grid(arrays, grid) if cells is None else _on_cells(arrays, grid, index)
    dataset = dataset.assign_coords(time=time)
    dataset["time"].attrs = {"standard_name": "time", "axis": "T"}
    return dataset.assign_attrs(_attributes(
        "Synthetic daily weather of a demonstration world",
        f"years {years[0]}-{years[-1]}, seed {seed}"))


def _one_year(grid: DemoGrid, year: int, seed: int) -> dict[str, np.ndarray]:
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


def _coordinate(kind: str) -> dict[str, str]:
    return {"lat": {"units": "degrees_north", "standard_name": "latitude"},
            "lon": {"units": "degrees_east", "standard_name": "longitude"},
            "elevation": {"units": "m", "standard_name": "surface_altitude"}}[kind]


def _attributes(title: str, processing: str) -> dict[str, str]:
    return {
        "Conventions": "CF-1.8", "title": title,
        "source": "synthetic: neuralcrop.data.demo; coasts from GLOBE (NOAA, public domain)",
        "comment": "Invented numbers for demonstration and tests. Not observations, not a "
                   "climate model.",
        "processing": processing,
    }


def _on_cells(arrays: dict[str, np.ndarray], grid: DemoGrid, index: np.ndarray) -> xr.Dataset:
    """Variables over (time, cell) or (cell)."""
    out = xr.Dataset(coords={"cell": ("cell", index)})
    for name in ("lat", "lon", "elevation"):
        out = out.assign_coords({name: ("cell", getattr(grid, name), _coordinate(name))})
    for name, values in arrays.items():
        dims = ("time", "cell") if values.ndim == 2 else ("cell",)
        out[name] = (dims, values, _variable_attributes(name))
    return out


def _on_grid(arrays: dict[str, np.ndarray], grid: DemoGrid) -> xr.Dataset:
    """Variables over (time, lat, lon) or (lat, lon), missing at sea."""
    lats, lons = grid_axes()
    top, bottom = int(grid.row.min()), int(grid.row.max()) + 1
    out = xr.Dataset(coords={"lat": ("lat", lats[top:bottom], _coordinate("lat")),
                             "lon": ("lon", lons, _coordinate("lon"))})
    shape = (bottom - top, len(lons))
    for name, values in {**arrays, "elevation": grid.elevation.astype(np.float32)}.items():
        full = np.full((*values.shape[:-1], *shape), np.nan, dtype=np.float32)
        full[..., grid.row - top, grid.column] = values
        dims = ("time", "lat", "lon") if values.ndim == 2 else ("lat", "lon")
        out[name] = (dims, full, _variable_attributes(name))
    return out.set_coords("elevation")


def _variable_attributes(name: str) -> dict[str, str]:
    if name == "elevation":
        return _coordinate(name)
    units, standard_name, long_name = {**_VARIABLES, **_SOIL}[name]
    attrs = {"units": units, "long_name": f"{long_name} (synthetic)"}
    return {**attrs, "standard_name": standard_name} if standard_name else attrs


_SOIL = {
    "sand": ("%", "", "sand content"), "clay": ("%", "", "clay content"),
    "organic_carbon": ("%", "", "soil organic carbon"),
    "ph": ("1", "", "soil pH in water"), "soil_depth": ("m", "", "rootable depth"),
}


def make_demo_soil(cells: np.ndarray | None = None, *, seed: int = SEED) -> xr.Dataset:
    """Synthetic soil of the demonstration world: smooth regional maps with local differences.

    Parameters
    ----------
    cells : numpy.ndarray, optional
        Indices of land cells (``cell``); default all land (``lat``, ``lon``).
    seed : int
        As for `make_demo_forcing`.
    """
    everywhere = demo_grid()
    index = np.arange(everywhere.n_cells) if cells is None else np.asarray(cells, dtype=int)
    grid = everywhere.take(index)
    place = place_key(grid.lat, grid.lon)

    def varied(stream: int) -> np.ndarray:
        region = noise_map(grid.lat, grid.lon, stream, waves=14, scale=12.0, seed=seed)
        return region + 0.35 * normal(seed, stream, place)

    coarse, fine = np.exp(1.1 * varied(201)), 0.55 * np.exp(0.9 * varied(202))
    total = coarse + fine + 1.0
    annual = [Climate(grid).normals(d) for d in (15.0, 105.0, 196.0, 288.0)]
    warmth = np.mean([n.temperature for n in annual], axis=0)
    moisture = np.mean([n.rain for n in annual], axis=0)
    carbon = np.exp(0.35 + 0.35 * np.minimum(moisture, 4.0) - 0.045 * warmth + 0.35 * varied(203))
    arrays = {
        "sand": 100.0 * coarse / total, "clay": 100.0 * fine / total,
        "organic_carbon": np.clip(carbon, 0.2, 8.0),
        "ph": np.clip(7.6 - 0.35 * moisture + 0.5 * varied(204), 4.2, 8.6),
        "soil_depth": np.clip(1.3 + 0.4 * varied(205), 0.4, 2.5),
    }
    arrays = {n: v.astype(np.float32) for n, v in arrays.items()}
    dataset = _on_grid(arrays, grid) if cells is None else _on_cells(arrays, grid, index)
    return dataset.assign_attrs(_attributes("Synthetic soil of a demonstration world",
                                            f"seed {seed}"))


def suitable_cells(n: int | None = None, *, min_lat: float = -90.0, max_lat: float = 90.0
                   ) -> np.ndarray:
    """Land cells where a summer crop can grow, spread over the world.

    Three warm (14 degC) months in a row with 1 to 9 mm d-1 of rain. The first ``n`` of a fixed
    random order are taken, so that a smaller choice is part of a larger one.

    Parameters
    ----------
    n : int, optional
        Number of cells; default all.
    min_lat, max_lat : float
        Limits of latitude.
    """
    grid = demo_grid()
    climate = Climate(grid)
    months = [climate.normals(15.0 + 30.4 * k) for k in range(12)]
    warm = np.stack([m.temperature for m in months]) > 14.0
    rain = np.stack([m.rain for m in months])
    good = warm & (rain > 1.0) & (rain < 9.0)
    season = sum(np.roll(good, -k, axis=0) for k in range(3)) == 3
    fits = season.any(axis=0) & (grid.lat >= min_lat) & (grid.lat <= max_lat)
    order = uniform(SEED, 300, place_key(grid.lat, grid.lon))
    chosen = np.flatnonzero(fits)[np.argsort(order[fits])]
    return np.sort(chosen[:n])


def write_demo(
    path: str | Path, years: Sequence[int], cells: np.ndarray | None = None, *, seed: int = SEED
) -> Path:
    """Write demonstration weather to a NetCDF file, complete or not at all.

    Parameters
    ----------
    path : str or Path
        Target.
    years : sequence of int
        Consecutive calendar years.
    cells : numpy.ndarray, optional
        As for `make_demo_forcing`.
    seed : int
        As for `make_demo_forcing`.
    """
    return write_atomically(make_demo_forcing(years, cells, seed=seed), path, packing=_PACKING)


def write_demo_soil(
    path: str | Path, cells: np.ndarray | None = None, *, seed: int = SEED
) -> Path:
    """Write demonstration soil to a NetCDF file, complete or not at all."""
    return write_atomically(make_demo_soil(cells, seed=seed), path)


__all__ = ["SEED", "STEP", "demo_grid", "make_demo_forcing", "make_demo_soil", "suitable_cells",
           "write_demo", "write_demo_soil"]
