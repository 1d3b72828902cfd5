"""Monthly climate of cells: means by year and month, climatology, potential evapotranspiration."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr

from neuralcrop.core.constants import REFERENCE_ALBEDO, SECONDS_PER_DAY
from neuralcrop.data.tensors import CellIndex
from neuralcrop.data.timeaxis import Days
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import radiation

MONTH_START = np.array([1, 32, 60, 91, 121, 152, 182, 213, 244, 274, 305, 335])
"""First day of each month of a 365-day year."""

MONTH_DAYS = np.array([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31])
"""Days of each month of a 365-day year."""

MID_MONTH = MONTH_START - 1 + MONTH_DAYS / 2.0 + 0.5
"""Day of year in the middle of each month."""

_COMPLETE = 25
"""Days a month must have to count."""

CLIMATE_VARIABLES = ("tasmin", "tasmax", "tas", "rsds", "rlds", "pr", "vap", "sfcwind", "ps")
"""Variables of the monthly climate, in canonical units."""


@dataclass(frozen=True)
class MonthlyClimate:
    """Monthly means.

    Attributes
    ----------
    years : numpy.ndarray
        ``[year]`` calendar years.
    values : mapping of str to numpy.ndarray
        ``[year, month, cell]`` in canonical units; NaN where a month is not complete.
    """

    years: np.ndarray
    values: Mapping[str, np.ndarray]

    def climatology(self, years: Sequence[int] | None = None) -> dict[str, np.ndarray]:
        """``[month, cell]`` means over some or all years."""
        rows = slice(None) if years is None else np.isin(self.years, np.asarray(years))
        with np.errstate(invalid="ignore"):
            return {n: _nanmean(v[rows]) for n, v in self.values.items()}

    def select(self, cells: np.ndarray) -> MonthlyClimate:
        """The same months for some cells."""
        return MonthlyClimate(self.years, {n: v[..., cells] for n, v in self.values.items()})


def _nanmean(values: np.ndarray) -> np.ndarray:
    """Mean over the first axis of what is not NaN; NaN where nothing is."""
    valid = ~np.isnan(values)
    count = valid.sum(axis=0)
    total = np.where(valid, values, 0.0).sum(axis=0)
    return np.asarray(np.where(count > 0, total / np.maximum(count, 1), np.nan))


def month_means(
    arrays: Mapping[str, np.ndarray], year: np.ndarray, month: np.ndarray
) -> MonthlyClimate:
    """Monthly means of daily arrays.

    Parameters
    ----------
    arrays : mapping of str to numpy.ndarray
        ``[time, cell]``.
    year, month : numpy.ndarray
        ``[time]``, rising.
    """
    code = year * 12 + month - 1
    start = np.flatnonzero(np.concatenate([[True], np.diff(code) != 0]))
    length = np.diff(np.concatenate([start, [len(code)]]))
    years = np.unique(year)
    row, column = year[start] - years[0], month[start] - 1
    values = {}
    for name, array in arrays.items():
        mean = np.add.reduceat(array, start, axis=0, dtype=np.float64) / length[:, None]
        mean[length < _COMPLETE] = np.nan
        out = np.full((int(years[-1] - years[0]) + 1, 12, array.shape[1]), np.nan)
        out[row, column] = mean
        values[name] = out[years - years[0]]
    return MonthlyClimate(years, values)


def monthly_climate(
    prepared: xr.Dataset, cells: CellIndex, years: Sequence[int] | None = None,
    max_years: int | None = None,
) -> MonthlyClimate:
    """Monthly climate of the land cells of a canonical dataset, read a year at a time.

    Parameters
    ----------
    prepared : xarray.Dataset
        From `prepare_forcing`.
    cells : CellIndex
        From `cell_index`.
    years : sequence of int, optional
        Calendar years to use; default all.
    max_years : int, optional
        Use at most the first so many of them.
    """
    days = Days.of(prepared["time"])
    wanted = np.unique(days.year) if years is None else np.intersect1d(days.year, years)
    wanted = wanted[:max_years]
    parts = []
    for year in wanted:
        inside = np.flatnonzero(days.year == year)
        chunk = prepared[list(CLIMATE_VARIABLES)].isel(time=slice(inside[0], inside[-1] + 1)).load()
        arrays = {
            n: chunk[n].transpose("time", *cells.dims).values.reshape(len(inside), -1)[
                :, cells.position] for n in CLIMATE_VARIABLES
        }
        parts.append(month_means(arrays, days.year[inside], days.month[inside]))
    return MonthlyClimate(wanted, {
        n: np.concatenate([p.values[n] for p in parts]) for n in CLIMATE_VARIABLES})


def monthly_pet(climatology: Mapping[str, np.ndarray]) -> np.ndarray:
    """FAO-56 reference evapotranspiration of each month from mean weather, mm d-1.

    Parameters
    ----------
    climatology : mapping of str to numpy.ndarray
        ``[month, cell]`` of `CLIMATE_VARIABLES`.

    Returns
    -------
    numpy.ndarray
        ``[month, cell]``, at least zero.
    """
    t = {n: torch.from_numpy(np.asarray(climatology[n], dtype=float)) for n in CLIMATE_VARIABLES}
    to_energy = SECONDS_PER_DAY * 1e-6
    net = radiation.net_shortwave(t["rsds"] * to_energy, REFERENCE_ALBEDO) - (
        radiation.net_longwave(t["tas"], t["rlds"] * to_energy))
    saturation = 0.5 * (et.saturation_vapour_pressure(t["tasmin"])
                        + et.saturation_vapour_pressure(t["tasmax"]))
    deficit = (saturation - t["vap"]).clamp(min=0.0)
    wind = et.wind_2m_from_10m(t["sfcwind"])
    pet = et.reference_evapotranspiration_fao56(net, 0.0, t["tas"], wind, deficit, t["ps"])
    return np.asarray(pet.clamp(min=0.0).numpy())


def daily_from_monthly(monthly: np.ndarray) -> np.ndarray:
    """Straight lines between the middles of the months, around the year.

    Parameters
    ----------
    monthly : numpy.ndarray
        ``[month, cell]``.

    Returns
    -------
    numpy.ndarray
        ``[365, cell]``.
    """
    day = np.arange(1, 366)
    middle = np.concatenate([[MID_MONTH[-1] - 365.0], MID_MONTH, [MID_MONTH[0] + 365.0]])
    right = np.searchsorted(middle, day, side="right")
    weight = ((day - middle[right - 1]) / (middle[right] - middle[right - 1]))[:, None]
    around = np.concatenate([monthly[-1:], monthly, monthly[:1]])
    return np.asarray(around[right - 1] * (1.0 - weight) + around[right] * weight)
