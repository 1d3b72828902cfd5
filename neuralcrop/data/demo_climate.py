"""The climate of the demonstration world: real coasts, invented weather.

Smooth functions of latitude, season and distance from the sea give every land cell of a two degree
grid a mean temperature, rainfall and sky for every day of the year. They resemble the earth's
belts (rain belt that follows the sun, summer monsoons, dry subtropics, winter rain on western
subtropical coasts, continental extremes), but nothing here is an observation.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np

from neuralcrop.data.randomness import uniform

MASK_FILE = Path(__file__).with_name("land_mask_2deg.txt")
"""Packaged land mask; see scripts/make_land_mask.py."""

STEP = 2.0
"""Grid step, degrees."""

_EARTH_KM = 6371.0
_PEAK_DAY = 205.0
_LAPSE = 6.0e-3


@dataclass(frozen=True)
class DemoGrid:
    """Land cells of the demonstration world.

    Attributes
    ----------
    row, column : numpy.ndarray
        ``[cell]`` index in the 90 x 180 grid, north to south, west to east.
    lat, lon : numpy.ndarray
        ``[cell]`` degrees.
    sea_distance : numpy.ndarray
        ``[cell]`` km to the nearest sea.
    west_fetch, east_fetch : numpy.ndarray
        ``[cell]`` km of land up to the next sea to the west and east.
    elevation : numpy.ndarray
        ``[cell]`` m, invented.
    """

    row: np.ndarray
    column: np.ndarray
    lat: np.ndarray
    lon: np.ndarray
    sea_distance: np.ndarray
    west_fetch: np.ndarray
    east_fetch: np.ndarray
    elevation: np.ndarray

    @property
    def n_cells(self) -> int:
        """Number of land cells."""
        return len(self.lat)

    def take(self, cells: np.ndarray) -> DemoGrid:
        """Some of the cells."""
        return DemoGrid(*(getattr(self, f)[cells] for f in self.__dataclass_fields__))


def grid_axes() -> tuple[np.ndarray, np.ndarray]:
    """Latitudes, north first, and longitudes of the grid."""
    return np.arange(89.0, -90.0, -STEP), np.arange(-179.0, 180.0, STEP)


def land_mask() -> np.ndarray:
    """``[lat, lon]`` True on land."""
    lines = [x for x in MASK_FILE.read_text().splitlines() if not x.startswith("#")]
    return np.array([[c == "1" for c in line] for line in lines])


@lru_cache(maxsize=1)
def demo_grid() -> DemoGrid:
    """All land cells, row by row from the north."""
    mask = land_mask()
    lats, lons = grid_axes()
    row, column = np.nonzero(mask)
    lat, lon = lats[row], lons[column]
    distance = _sea_distance(mask, lats, lons)[row, column]
    width = STEP * np.pi / 180.0 * _EARTH_KM * np.cos(np.deg2rad(lats))[:, None]
    west = (_run(mask) * width)[row, column]
    east = (_run(mask[:, ::-1])[:, ::-1] * width)[row, column]
    hills = 0.5 + 0.5 * noise_map(lat, lon, stream=11, waves=10, scale=9.0)
    elevation = np.clip(60.0 + 0.45 * distance * hills + 500.0 * (hills - 0.6), 5.0, 1800.0)
    return DemoGrid(row, column, lat, lon, distance, west, east, elevation)


def _run(mask: np.ndarray) -> np.ndarray:
    """Number of land cells from the last sea to the west up to each cell, around the globe."""
    twice = np.concatenate([mask, mask], axis=1)
    count = np.zeros(twice.shape)
    for k in range(1, twice.shape[1]):
        count[:, k] = np.where(twice[:, k], np.minimum(count[:, k - 1] + 1.0, 90.0), 0.0)
    return count[:, mask.shape[1]:]


def _sea_distance(mask: np.ndarray, lats: np.ndarray, lons: np.ndarray) -> np.ndarray:
    """Distance of land cells to the nearest sea cell, km."""
    phi, lam = np.deg2rad(lats)[:, None], np.deg2rad(lons)[None, :]
    points = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam),
                       np.sin(phi) + 0.0 * lam], axis=-1)
    beside = np.zeros_like(mask)
    for axis, step in ((0, 1), (0, -1), (1, 1), (1, -1)):
        beside |= np.roll(mask, step, axis=axis)
    coast = points[~mask & beside]
    out = np.zeros(mask.shape)
    cosine = points[mask] @ coast.T
    out[mask] = _EARTH_KM * np.arccos(np.clip(cosine.max(axis=1), -1.0, 1.0))
    return out


def noise_map(
    lat: np.ndarray, lon: np.ndarray, stream: int, waves: int = 8, scale: float = 6.0, seed: int = 0
) -> np.ndarray:
    """Smooth map with values about -1 to 1: a sum of waves on the sphere in random directions.

    Parameters
    ----------
    lat, lon : numpy.ndarray
        ``[cell]`` degrees.
    stream, seed : int
        Keys of the directions and phases.
    waves : int
        Number of waves.
    scale : float
        Wave number: larger is finer.
    """
    phi, lam = np.deg2rad(lat), np.deg2rad(lon)
    point = np.stack([np.cos(phi) * np.cos(lam), np.cos(phi) * np.sin(lam), np.sin(phi)])
    k = np.arange(waves)
    z = 2.0 * uniform(seed, stream, 1, k) - 1.0
    turn = 2.0 * np.pi * uniform(seed, stream, 2, k)
    flat = np.sqrt(1.0 - z * z)
    direction = np.stack([flat * np.cos(turn), flat * np.sin(turn), z])
    phase = 2.0 * np.pi * uniform(seed, stream, 3, k)
    size = scale * (0.6 + 0.8 * uniform(seed, stream, 4, k))
    waves_at = np.cos(size[:, None] * (direction.T @ point) + phase[:, None])
    return np.asarray(waves_at.sum(axis=0) * np.sqrt(2.0 / waves) / 1.6)


@dataclass(frozen=True)
class DailyNormals:
    """Mean weather of one day of the year, each ``[cell]``.

    Attributes
    ----------
    temperature : numpy.ndarray
        degC, mean of the day.
    rain : numpy.ndarray
        mm d-1.
    spread : numpy.ndarray
        K, standard deviation of the daily temperature anomalies.
    range : numpy.ndarray
        K, diurnal range of a dry day.
    wind : numpy.ndarray
        m s-1 at 10 m.
    """

    temperature: np.ndarray
    rain: np.ndarray
    spread: np.ndarray
    range: np.ndarray
    wind: np.ndarray


@dataclass(frozen=True)
class Climate:
    """What does not change with the day: parts of the normals of some cells."""

    grid: DemoGrid

    @cached_property
    def texture(self) -> np.ndarray:
        """``[cell]`` local factor on rainfall."""
        waves = noise_map(self.grid.lat, self.grid.lon, stream=12, waves=12, scale=14.0)
        return np.clip(1.0 + 0.3 * waves, 0.3, 1.8)

    @cached_property
    def continentality(self) -> np.ndarray:
        """``[cell]`` 0 at windward coasts to 1 in the heart of continents."""
        g = self.grid
        polar = np.clip((np.abs(g.lat) - 20.0) / 20.0, 0.0, 1.0)
        fetch = polar * np.minimum(g.west_fetch / 6000.0, 1.0)
        return np.clip(0.55 * np.minimum(g.sea_distance / 1300.0, 1.0) + 0.55 * fetch, 0.0, 1.0)

    def normals(self, day: float) -> DailyNormals:
        """Mean weather of a day of the year (1 to 365.25)."""
        temperature = self._temperature(day)
        rain = self._rain(day)
        c, lat = self.continentality, np.abs(self.grid.lat)
        winter = 0.5 * (1.0 - self._summer(day))
        spread = 1.0 + 0.045 * lat * (0.6 + 0.6 * c) * (0.7 + 0.5 * winter)
        dryness = np.exp(-rain / 1.5)
        width = 6.5 + 4.0 * c + 4.5 * dryness - 2.0 * winter * (lat > 40.0)
        wind = 2.6 + 1.8 * np.exp(-self.grid.sea_distance / 300.0) + 0.5 * winter
        return DailyNormals(temperature, rain, spread, np.maximum(width, 4.0), wind)

    def _summer(self, day: float, lag: np.ndarray | float = 0.0) -> np.ndarray:
        """1 in the middle of the local summer, -1 in the middle of winter."""
        wave = np.cos(2.0 * np.pi * (day - _PEAK_DAY - lag) / 365.25)
        return np.where(self.grid.lat >= 0.0, wave, -wave)

    def _temperature(self, day: float) -> np.ndarray:
        g, c = self.grid, self.continentality
        sine = np.abs(np.sin(np.deg2rad(g.lat)))
        mean = 27.5 - 40.0 * sine**2.4 + 3.5 * (1.0 - c) * np.clip(sine - 0.5, 0.0, 0.4) / 0.2
        swing = sine**1.15 * (6.5 + 20.5 * c)
        return mean + swing * self._summer(day, 18.0 * (1.0 - c)) - _LAPSE * g.elevation

    def _rain(self, day: float) -> np.ndarray:
        g, c = self.grid, self.continentality
        lat, summer = g.lat, self._summer(day)
        belt = 10.0 * np.cos(2.0 * np.pi * (day - 215.0) / 365.25)
        tropical = 7.5 * np.exp(-(((lat - belt) / 8.0) ** 2)) * (1.0 - 0.35 * c)
        tropical = tropical + 2.5 * np.exp(-((lat / 9.0) ** 2))
        westerly = 2.7 * np.exp(-(((np.abs(lat) - 50.0) / 13.0) ** 2))
        westerly = westerly * (1.0 - 0.4 * c) * (1.0 + (1.1 * c - 0.3) * summer)
        asia = np.exp(-(((lat - 21.0) / 9.0) ** 2) - (((g.lon - 98.0) / 26.0) ** 2))
        monsoon = 10.0 * asia * np.clip(summer, 0.0, 1.0)
        humid_east = np.exp(-(((np.abs(lat) - 29.0) / 9.0) ** 2)) * np.exp(-g.east_fetch / 1300.0)
        eastern = 3.2 * humid_east * (0.75 + 0.35 * summer)
        dry_west = np.exp(-(((np.abs(lat) - 36.0) / 5.0) ** 2)) * np.exp(-g.west_fetch / 1500.0)
        mediterranean = 1.9 * dry_west * np.clip(0.45 - 0.75 * summer, 0.0, 1.5)
        total = 0.12 + tropical + westerly * (1.0 - 0.7 * dry_west) + monsoon + eastern
        return np.maximum((total + mediterranean) * self.texture, 0.05)
