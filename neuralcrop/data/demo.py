"""Demonstration data: synthetic weather and soil on a two degree grid of the world's land.

Every number depends on its seed, cell and day only, so any choice of cells and years gives the
same weather. The files use ISIMIP names and units and go through `open_forcing` like any other.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neuralcrop.data.demo_climate import Climate, DemoGrid, demo_grid, grid_axes, noise_map
from neuralcrop.data.demo_weather import one_year
from neuralcrop.data.files import write_atomically
from neuralcrop.data.randomness import normal, place_key, uniform

SEED = 2024
"""Seed of the demonstration world."""

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
    parts = [one_year(grid, year, seed) for year in years]
    time = xr.date_range(f"{years[0]}-01-01", f"{years[-1]}-12-31", freq="D", use_cftime=False)
    arrays = {n: np.concatenate([p[n] for p in parts]) for n in _VARIABLES}
    dataset = _on_grid(arrays, grid) if cells is None else _on_cells(arrays, grid, index)
    dataset = dataset.assign_coords(time=time)
    dataset["time"].attrs = {"standard_name": "time", "axis": "T"}
    return dataset.assign_attrs(_attributes(
        "Synthetic daily weather of a demonstration world",
        f"years {years[0]}-{years[-1]}, seed {seed}"))


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
    season = good & np.roll(good, -1, axis=0) & np.roll(good, -2, axis=0)
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


TRAINING_CELLS = 300
"""Cells of the demonstration's weather for training."""

TRAINING_YEARS = range(2000, 2017)
"""Years of the weather for training; the first is the run-in of crops sown before New Year."""

PROJECTION_YEARS = range(2015, 2017)
"""Years of the weather for maps."""


def make(directory: str | Path = "data/demo") -> dict[str, Path]:
    """Write the demonstration data: weather and soil of training cells and of all land.

    Files that are there already are kept.

    Parameters
    ----------
    directory : str or Path
        Where to.

    Returns
    -------
    dict of str to Path
        ``weather``, ``soil`` (`TRAINING_CELLS` cells, `TRAINING_YEARS`), ``globe_weather``,
        ``globe_soil`` (all land, `PROJECTION_YEARS`).
    """
    directory = Path(directory)
    cells = suitable_cells(TRAINING_CELLS)
    paths = {name: directory / f"{name}.nc"
             for name in ("weather", "soil", "globe_weather", "globe_soil")}
    if not paths["weather"].exists():
        write_demo(paths["weather"], TRAINING_YEARS, cells)
    if not paths["soil"].exists():
        write_demo_soil(paths["soil"], cells)
    if not paths["globe_weather"].exists():
        write_demo(paths["globe_weather"], PROJECTION_YEARS)
    if not paths["globe_soil"].exists():
        write_demo_soil(paths["globe_soil"])
    return paths
