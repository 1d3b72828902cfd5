"""Seasons of site-years, aligned at sowing, in blocks of a fixed size."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.data.covariates import Covariates
from neuralcrop.data.errors import InputError, Problem, nearest
from neuralcrop.data.management_water import FULL_IRRIGATION
from neuralcrop.data.samples import LATE_SOWING, read_blocks, site_records, sowing_table
from neuralcrop.data.timeaxis import Days
from neuralcrop.data.yields import YieldsData

log = logging.getLogger("neuralcrop.data")


@dataclass(frozen=True)
class AlignedForcing(DailyForcing):
    """Weather of runs that begin on days of their own: ``solar_day`` is ``[time, cell]``.

    ``day_of_year`` counts the days of the run from 1, ``year`` is 1 throughout.
    """

    def __post_init__(self) -> None:
        n, _, n_cells = self.values.shape
        if self.solar_day.shape != (n, n_cells):
            raise ValueError(f"solar_day has shape {tuple(self.solar_day.shape)}, expected one "
                             f"entry for each of {n} days and {n_cells} cells")

    def days(self, start: int, stop: int) -> AlignedForcing:
        """Days ``start`` to ``stop`` (exclusive, counted within this span)."""
        return AlignedForcing(
            self.values[start:stop], self.day_of_year[start:stop], self.solar_day[start:stop],
            self.year[start:stop], self.first_day + start)

    def cells(self, index: slice | Tensor) -> AlignedForcing:
        """The same days of the run for some cells."""
        return replace(self, values=self.values[:, :, index].contiguous(),
                       solar_day=self.solar_day[:, index].contiguous())

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> AlignedForcing:
        """Move everything to a device and the floating-point tensors to a precision."""
        return replace(
            self, values=self.values.to(device=device, dtype=dtype),
            solar_day=self.solar_day.to(device=device, dtype=dtype),
            day_of_year=self.day_of_year.to(device=device), year=self.year.to(device=device))


@dataclass(frozen=True)
class Orders:
    """How the crops of all samples are managed.

    Attributes
    ----------
    sowing : int or None
        Day of year of sowing of all samples; None for what the data say.
    harvest : int
        Day of year of harvest; 0 for maturity.
    irrigation : tuple of float
        Relative root-zone water at which and to which fields are irrigated; 0 for rainfed.
    """

    sowing: int | None = None
    harvest: int = 0
    irrigation: tuple[float, float] = (0.0, FULL_IRRIGATION[1])


@dataclass(frozen=True)
class Block:
    """Cells that run together; those with weight 0 only fill it up.

    Attributes
    ----------
    forcing, site, management
        Of the cells.
    covariates : Tensor
        ``[covariate, cell]``.
    observed : Tensor
        ``[cell]`` t ha-1 dry matter.
    year : Tensor
        ``[cell]`` calendar year of the harvest.
    weight : Tensor
        ``[cell]`` 1 or 0.
    row : Tensor
        ``[cell]`` row of the table of all samples.
    """

    forcing: DailyForcing
    site: Site
    management: Management
    covariates: Tensor
    observed: Tensor
    year: Tensor
    weight: Tensor
    row: Tensor

    @property
    def n_samples(self) -> int:
        """Number of cells that count."""
        return int(self.weight.sum())

    def to(self, device: torch.device | str, **kwargs: object) -> Block:
        """The same on another device."""
        return Block(*(getattr(self, f.name).to(device) for f in fields(self)))


class Seasons:
    """All samples of a dataset, as the cells of one run each, aligned at sowing.

    Attributes
    ----------
    table : pandas.DataFrame
        One row a sample: ``site`` (number), ``label``, ``year`` (of harvest), ``lat``, ``lon``,
        ``observed`` (t ha-1 dry matter), and what else the data hold (`Observations.columns`).
    covariates : Covariates
        Of each site.

    Parameters
    ----------
    table : pandas.DataFrame
        See above.
    forcing : AlignedForcing
        Of all samples.
    site : Site
        Of all samples.
    management : Management
        Of all samples.
    covariates : Covariates
        Of each site.
    """

    def __init__(
        self, table: pd.DataFrame, forcing: AlignedForcing, site: Site, management: Management,
        covariates: Covariates,
    ) -> None:
        self.table, self.covariates = table, covariates
        self.forcing, self.site, self.management = forcing, site, management
        dtype = forcing.values.dtype
        self._site_index = torch.tensor(table["site"].to_numpy())
        self._observed = torch.tensor(table["observed"].to_numpy(float), dtype=dtype)
        self._year = torch.tensor(table["year"].to_numpy(), dtype=torch.float32)

    def __len__(self) -> int:
        return len(self.table)

    @property
    def n_days(self) -> int:
        """Days of a run."""
        return self.forcing.n_days

    def choose_covariates(self, names: Sequence[str]) -> None:
        """Keep some covariates, in this order.

        Raises
        ------
        InputError
            If one is unknown.
        """
        known = self.covariates.names
        unknown = [n for n in names if n not in known]
        if unknown:
            raise InputError([Problem("covariates", f"no '{n}'", "", nearest(n, known))
                              for n in unknown], "covariates")
        rows = [known.index(n) for n in names]
        self.covariates = Covariates(self.covariates.values[rows], tuple(names))

    def add_covariates(self, more: Covariates) -> None:
        """Add covariates of the sites behind those that there are."""
        own = self.covariates
        self.covariates = Covariates(
            torch.cat((own.values, more.values.to(own.values.dtype))), (*own.names, *more.names))

    def block(self, rows: np.ndarray, size: int) -> Block:
        """Samples as a block of fixed size, filled up with the first of them.

        Parameters
        ----------
        rows : numpy.ndarray
            Rows of the table.
        size : int
            Cells of the block.
        """
        index = torch.full((size,), int(rows[0]))
        index[: len(rows)] = torch.from_numpy(np.asarray(rows, dtype=np.int64))
        return Block(
            self.forcing.cells(index), self.site.cells(index), self.management.cells(index),
            self.covariates.values[:, self._site_index[index]], self._observed[index],
            self._year[index], (torch.arange(size) < len(rows)).to(self._observed.dtype), index)

    def blocks(
        self, rows: np.ndarray, size: int, generator: torch.Generator | None = None
    ) -> Iterator[Block]:
        """Blocks of some samples, in order, or in random order with a generator.

        Parameters
        ----------
        rows : numpy.ndarray
            Rows of the table.
        size : int
            Cells of a block.
        generator : torch.Generator, optional
            Shuffles the samples.
        """
        for part in cuts(rows, size, generator):
            yield self.block(part, size)


def cuts(
    rows: np.ndarray, size: int, generator: torch.Generator | None = None
) -> list[np.ndarray]:
    """Rows of each block; blocks are about equally full, so that none is nearly empty.

    Parameters
    ----------
    rows : numpy.ndarray
        Rows of a table.
    size : int
        Largest number in a block.
    generator : torch.Generator, optional
        Shuffles the rows.
    """
    rows = np.asarray(rows)
    if generator is not None:
        rows = rows[torch.randperm(len(rows), generator=generator).numpy()]
    return np.array_split(rows, -(-len(rows) // size)) if len(rows) else []


def site_cuts(
    rows: np.ndarray, site: np.ndarray, size: int, generator: torch.Generator | None = None
) -> list[np.ndarray]:
    """Rows of each block, with all rows of a site in one; sites too large for a block are cut.

    Parameters
    ----------
    rows, site : numpy.ndarray
        Rows of a table and their sites.
    size : int
        Largest number in a block.
    generator : torch.Generator, optional
        Shuffles the sites.
    """
    names = np.unique(site)
    if generator is not None:
        names = names[torch.randperm(len(names), generator=generator).numpy()]
    blocks: list[list[np.ndarray]] = []
    left = 0
    for name in names:
        own = np.asarray(rows)[site == name]
        for part in np.array_split(own, -(-len(own) // size)):
            if len(part) > left:
                blocks.append([])
                left = size
            blocks[-1].append(part)
            left -= len(part)
    return [np.concatenate(block) for block in blocks]


def load_seasons(
    data: YieldsData, n_days: int, lead: int = 30, *, crop: int = 0,
    orders: Orders | None = None, normal_years: Sequence[int] | None = None,
    dtype: torch.dtype = torch.float32,
) -> Seasons:
    """Every observed site-year as a cell of a run that begins shortly before its sowing.

    Runs of all samples have the same length, so that different calendars share a block and no
    fallow is simulated that does not matter.

    Parameters
    ----------
    data : YieldsData
        From `open_yields`.
    n_days : int
        Length of the runs, d.
    lead : int
        Days of a run before sowing.
    crop : int
        Index of the crop.
    orders : Orders, optional
        Management.
    normal_years : sequence of int, optional
        Years of the climate normals of the covariates; all by default.
    dtype : torch.dtype
        Of the tensors.

    Raises
    ------
    InputError
        If the weather covers no site-year.
    """
    orders = orders or Orders()
    climate, blocks = read_blocks(data)
    sowing = sowing_table(data, climate)
    if orders.sowing is not None:
        sowing = np.full_like(sowing, orders.sowing)
    per_site, covariates = site_records(data, climate, sowing, normal_years, dtype)
    site, column = np.nonzero(np.isfinite(data.yields.values))
    year, day = data.years[column], sowing[site, column]
    values = np.full((n_days, len(FORCING_NAMES), len(site)), np.nan, dtype=np.float32)
    solar = np.full((n_days, len(site)), np.nan)
    for sites, days, block in blocks:
        own = np.flatnonzero(np.isin(site, sites))
        first = first_days(days, year[own] - (day[own] >= LATE_SOWING), day[own] - lead)
        _cut(values, solar, own, first, days, block[:, :, site[own] - sites[0]])
    good = np.isfinite(solar[0]) & ~np.isnan(values).any(axis=(0, 1))
    _check_cover(good, data, n_days, lead)
    site, column, year = site[good], column[good], year[good]
    table = pd.DataFrame({
        "site": site, "label": [data.cells.places.name(s) for s in site], "year": year,
        "lat": data.cells.lat[site], "lon": data.cells.lon[site],
        "observed": data.yields.values[site, column]})
    others = data.others.columns(site, column, day[good])
    table = table.join(others) if len(others.columns) else table
    if lost := data.others.unused(data.yields):
        log.warning("%s: %d site-years with other observations but no yield are left out",
                    data.source, lost)
    count = torch.arange(1, n_days + 1)
    forcing = AlignedForcing(
        torch.from_numpy(values[:, :, good]).to(dtype), count,
        torch.from_numpy(solar[:, good]).to(dtype), torch.ones_like(count))
    management = _management(day[good], lead, crop, orders, dtype)
    return Seasons(table, forcing, per_site.cells(torch.from_numpy(site)), management, covariates)


def first_days(days: Days, year: np.ndarray, day_of_year: np.ndarray) -> np.ndarray:
    """Index in ``days`` of a day of each year (below 1: of the year before), -1 where outside."""
    start = {int(y): int(np.argmax(days.year == y)) for y in np.unique(days.year)}
    offset = {y: k - int(days.day_of_year[k]) for y, k in start.items()}
    known = np.isin(year, list(start))
    first = np.array([offset.get(int(y), 0) for y in year], dtype=int) + day_of_year
    return np.where(known & (first >= 0), first, -1)


def _cut(
    values: np.ndarray, solar: np.ndarray, samples: np.ndarray, first: np.ndarray, days: Days,
    weather: np.ndarray,
) -> None:
    """Copy the runs of samples that lie within the days of the weather, ``[time, row, sample]``."""
    n_days = len(values)
    solar_day = days.solar_day
    for k, (sample, start) in enumerate(zip(samples, first, strict=True)):
        if 0 <= start <= len(solar_day) - n_days:
            values[:, :, sample] = weather[start : start + n_days, :, k]
            solar[:, sample] = solar_day[start : start + n_days]


def _check_cover(good: np.ndarray, data: YieldsData, n_days: int, lead: int) -> None:
    if not good.any():
        raise InputError([Problem(
            "weather", f"covers none of {len(good)} site-years",
            f"{n_days} days from {lead} days before sowing",
            "check the years of yields and weather")], data.source)
    if not good.all():
        log.warning("%s: %d of %d site-years lack weather and are left out", data.source,
                    int((~good).sum()), len(good))


def _management(
    sowing: np.ndarray, lead: int, crop: int, orders: Orders, dtype: torch.dtype
) -> Management:
    """Orders in days of the run: all samples are sown on the same one."""
    n = len(sowing)
    flat = torch.zeros(n, dtype=dtype)
    harvest = np.zeros(n, dtype=np.int64)
    if orders.harvest:
        harvest = (orders.harvest - sowing) % 365 + lead + 1
    return Management(
        crop=torch.full((n,), crop), sowing_day=torch.full((1, n), lead + 1),
        harvest_day=torch.from_numpy(harvest), irrigation_threshold=flat + orders.irrigation[0],
        irrigation_target=flat + orders.irrigation[1], first_year=1)
