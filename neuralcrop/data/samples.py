"""Site-years as cells: every observed yield becomes one cell of a run of one season."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
import xarray as xr
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Site
from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.data import calendars, soil
from neuralcrop.data.climate import (
    CLIMATE_VARIABLES,
    MONTH_START,
    MonthlyClimate,
    month_means,
    monthly_pet,
)
from neuralcrop.data.covariates import (
    Covariates,
    climate_covariates,
    soil_covariates,
    stack_covariates,
)
from neuralcrop.data.errors import InputError, Problem
from neuralcrop.data.timeaxis import Days
from neuralcrop.data.yields import YieldsData

log = logging.getLogger("neuralcrop.data")

_SITES_PER_BLOCK = 128
LATE_SOWING = 213
"""Day of year (1 August) from which a sowing belongs to the next year's harvest."""


@dataclass(frozen=True)
class TrainingTensors:
    """Site-years as the cells of one run.

    Attributes
    ----------
    forcing : DailyForcing
        ``[day, variable, cell]``; calendar tensors are shared, ``year`` is 1 in the harvest year
        and 0 in the year before.
    site : Site
        Of each cell.
    sowing : Tensor
        ``[cell]`` day of year.
    observed : Tensor
        ``[cell]`` t ha-1 dry matter.
    site_index : Tensor
        ``[cell]`` index of the site.
    table : pandas.DataFrame
        One row a cell: ``site`` (index), ``label``, ``year`` (harvest), ``lat``, ``lon``.
    covariates : Covariates
        Per *site*; ``covariates.take(site_index)`` for cells.
    harvest_year_start : int
        Day index of 1 January of the harvest year.
    """

    forcing: DailyForcing
    site: Site
    sowing: Tensor
    observed: Tensor
    site_index: Tensor
    table: pd.DataFrame
    covariates: Covariates
    harvest_year_start: int

    def cells(self, index: Tensor) -> TrainingTensors:
        """Some of the samples."""
        index = torch.as_tensor(index)
        return TrainingTensors(
            self.forcing.cells(index), self.site.cells(index), self.sowing[index],
            self.observed[index], self.site_index[index],
            self.table.iloc[index.cpu().numpy()].reset_index(drop=True), self.covariates,
            self.harvest_year_start,
        )


def training_tensors(
    data: YieldsData, start_doy: int = 1, n_days: int | None = None, *,
    start_month_offset: int | None = None, normal_years: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32, device: torch.device | str | None = None,
) -> TrainingTensors:
    """Every observed (site, year) as one cell of a run.

    Parameters
    ----------
    data : YieldsData
        From `open_yields`.
    start_doy : int
        First day of the run, counted within the month given by the offset (1: its first day).
    n_days : int, optional
        Length of the run, d; default 365, or 549 where sowings before and after 1 August mix.
    start_month_offset : int, optional
        Months by which the run begins before (negative) 1 January of the harvest year; by default
        0, or the month before sowing where crops are sown after 1 August of the year before.
    normal_years : sequence of int, optional
        Years of the climate normals of the covariates; give the training years. Default all.
    dtype, device
        Of the tensors.

    Raises
    ------
    InputError
        If no site-year has weather, or values are out of range.
    """
    climate, blocks = read_blocks(data)
    sowing = sowing_table(data, climate)
    offset, length = _span(sowing, data, start_month_offset, n_days)
    year_shift, day = _calendar(start_doy, offset, length)
    site_index, year_index, values = _sample_values(data, blocks, year_shift, day)
    forcing = DailyForcing(
        torch.from_numpy(values).to(dtype=dtype, device=device or "cpu"),
        torch.as_tensor(day, device=device),
        torch.as_tensor(day, dtype=dtype, device=device),
        torch.as_tensor(year_shift + 1, device=device),
    )
    per_site, site_covariates = site_records(data, climate, sowing, normal_years, dtype)
    table = pd.DataFrame({
        "site": site_index, "label": [data.cells.places.name(s) for s in site_index],
        "year": data.years[year_index], "lat": data.cells.lat[site_index],
        "lon": data.cells.lon[site_index]})
    return TrainingTensors(
        forcing, per_site.cells(torch.as_tensor(site_index)).to(device or "cpu"),
        torch.as_tensor(sowing[site_index, year_index], device=device),
        torch.as_tensor(data.yields.values[site_index, year_index], dtype=dtype, device=device),
        torch.as_tensor(site_index, device=device), table, site_covariates,
        int(np.argmax(year_shift == 0)),
    )


def _sample_values(
    data: YieldsData, blocks: list[tuple[np.ndarray, Days, np.ndarray]], year_shift: np.ndarray,
    day: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Site and year index of every observed yield with weather, and ``[day, variable, sample]``."""
    site_index, year_index = np.nonzero(np.isfinite(data.yields.values))
    years = data.years[year_index]
    values = np.full((len(day), len(FORCING_NAMES), len(site_index)), np.nan, dtype=np.float32)
    for sites, days, block in blocks:
        inside = np.flatnonzero(np.isin(site_index, sites))
        part = np.full((*values.shape[:2], len(inside)), np.nan, dtype=np.float32)
        _cut(part, block, site_index[inside] - sites[0], years[inside], year_shift, day, days)
        values[:, :, inside] = part
    complete = np.asarray(~np.isnan(values).any(axis=(0, 1)))
    if not complete.any():
        problem = Problem("weather", f"covers none of {len(years)} site-years",
                          f"{len(day)} days from day {day[0]} of the "
                          f"{'harvest year' if year_shift[0] == 0 else 'year before harvest'}",
                          "check the years of yields and weather")
        raise InputError([problem], data.source)
    if complete.all():
        return site_index, year_index, values
    log.warning("%s: %d of %d site-years lack weather and are left out", data.source,
                int((~complete).sum()), len(complete))
    return site_index[complete], year_index[complete], values[:, :, complete]


def site_records(
    data: YieldsData, climate: MonthlyClimate, sowing: np.ndarray,
    normal_years: Sequence[int] | None, dtype: torch.dtype,
) -> tuple[Site, Covariates]:
    """Soil and covariates of every site."""
    layers = soil.soil_layers(_soil_of(data), data.cells)
    site = soil.site_record(layers, data.cells, dtype=dtype)
    season = np.round(np.nanmedian(sowing, axis=1)).astype(int)
    climate_part = climate_covariates(climate, season, normal_years)
    return site, stack_covariates(climate_part, soil_covariates(layers, site), dtype)


def covariates(
    data: YieldsData, normal_years: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Covariates:
    """Static covariates of the sites: climate normals of stated years, and soil.

    Parameters
    ----------
    data : YieldsData
        From `open_yields`.
    normal_years : sequence of int, optional
        Years of the normals; default all years with weather.
    dtype : torch.dtype
        Of the values.
    """
    climate, _ = read_blocks(data, keep=False)
    return site_records(data, climate, sowing_table(data, climate), normal_years, dtype)[1]


def sowing_table(data: YieldsData, climate: MonthlyClimate) -> np.ndarray:
    """``[site, year]`` day of year of sowing: observed, else the site's median, else the rule."""
    shape = (data.n_sites, len(data.years))
    observed = np.full(shape, np.nan)
    if data.sowing is not None:
        given = data.sowing
        if "year" in given.dims:
            given = given.reindex(year=data.years)
            observed = given.transpose("site", "year").values.astype(float)
        else:
            observed = np.broadcast_to(given.values.astype(float)[:, None], shape).copy()
    if np.isnan(observed).any():
        normal = climate.climatology()
        rule = calendars.sowing_days(normal["tas"], normal["pr"], monthly_pet(normal),
                                     calendars.crop_rule(data.crop))
        count = (~np.isnan(observed)).sum(axis=1)
        median = np.array([np.nanmedian(row) if n else np.nan
                           for row, n in zip(observed, count, strict=True)])
        if (count == 0).any():
            log.info("%d sites without sowing dates: rule from their climate",
                     int((count == 0).sum()))
        fallback = np.where(np.isnan(median), rule, median)
        observed = np.where(np.isnan(observed), fallback[:, None], observed)
    return np.asarray(np.round(observed).astype(np.int64))


def _soil_of(data: YieldsData) -> xr.Dataset | None:
    """The file's soil, or None when it has none."""
    return data.soil if soil.soil_variables(data.soil) else None


def read_blocks(
    data: YieldsData, keep: bool = True
) -> tuple[MonthlyClimate, list[tuple[np.ndarray, Days, np.ndarray]]]:
    """Monthly climate of all sites, and the daily values ``[time, variable, site]`` by block."""
    parts, blocks = [], []
    for start in range(0, data.n_sites, _SITES_PER_BLOCK):
        sites = np.arange(start, min(start + _SITES_PER_BLOCK, data.n_sites))
        daily = data.daily(sites)
        days = Days.of(daily["time"])
        arrays = {n: daily[n].transpose("time", "site").values for n in CLIMATE_VARIABLES}
        parts.append(month_means(arrays, days.year, days.month))
        if keep:
            co2 = np.broadcast_to(daily["co2"].values[:, None], arrays["tas"].shape)
            stacked = np.stack([co2 if n == "co2" else arrays[n] for n in FORCING_NAMES], axis=1)
            blocks.append((sites, days, stacked.astype(np.float32)))
    climate = MonthlyClimate(parts[0].years, {
        n: np.concatenate([p.values[n] for p in parts], axis=2) for n in CLIMATE_VARIABLES})
    return climate, blocks


def _span(
    sowing: np.ndarray, data: YieldsData, offset: int | None, n_days: int | None
) -> tuple[int, int]:
    """Start of the run in months from the harvest year, and its length."""
    used = sowing[np.isfinite(data.yields.values)]
    late = float(np.mean(used >= LATE_SOWING)) if used.size else 0.0
    mixed = 0.02 < late < 0.98
    if offset is None:
        offset = 0
        if late > 0.02:
            earliest = int(used[used >= LATE_SOWING].min())
            month = int(np.searchsorted(MONTH_START, earliest, side="right")) - 1
            offset = month - 1 - 12
            log.info("sowing after 1 August: the run begins %d months before the harvest year",
                     -offset)
    if n_days is None:
        n_days = 365 if not (mixed and offset) else 365 + int(366 - MONTH_START[offset % 12])
    return offset, n_days


def _calendar(start_doy: int, offset: int, n_days: int) -> tuple[np.ndarray, np.ndarray]:
    """Year relative to the harvest year and day of a 365-day year of every day of the run."""
    shift, month = divmod(offset, 12)
    first = shift * 365 + int(MONTH_START[month]) - 1 + start_doy - 1
    count = first + np.arange(n_days)
    return count // 365, count % 365 + 1


def _cut(
    values: np.ndarray, block: np.ndarray, site: np.ndarray, year: np.ndarray,
    year_shift: np.ndarray, day: np.ndarray, days: Days,
) -> None:
    """Copy the days of each sample of a block; day 366 is never used."""
    first_of_year = {int(y): int(np.argmax(days.year == y)) for y in np.unique(days.year)}
    first_day = {y: int(days.day_of_year[i]) for y, i in first_of_year.items()}
    for y in np.unique(year):
        rows = np.full(len(day), -1)
        for shift in np.unique(year_shift):
            start = first_of_year.get(int(y + shift))
            if start is None:
                continue
            at = year_shift == shift
            index = start + day[at] - first_day[int(y + shift)]
            valid = (index >= start) & (index < len(days.year))
            valid &= days.year[np.clip(index, 0, len(days.year) - 1)] == y + shift
            rows[at] = np.where(valid, index, -1)
        if (rows < 0).any():
            continue
        pick = np.flatnonzero(year == y)
        values[:, :, pick] = block[rows][:, :, site[pick]]
