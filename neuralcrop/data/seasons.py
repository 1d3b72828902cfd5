"""Seasons of site-years in fixed-size blocks, each group of them with its own calendar."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields, replace

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.data.covariates import Covariates
from neuralcrop.data.errors import InputError, Problem, nearest
from neuralcrop.data.management import FULL_IRRIGATION
from neuralcrop.data.samples import (
    LATE_SOWING,
    TrainingTensors,
    assemble,
    read_blocks,
    site_records,
    sowing_table,
    window_days,
)
from neuralcrop.data.yields import YieldsData

log = logging.getLogger("neuralcrop.data")

LEAD = 30
"""Days of fallow before the earliest sowing of a group."""

SPAN = 60
"""Days over which the sowings of a group may spread."""


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
    """All samples of a dataset, in groups that share a calendar.

    Parameters
    ----------
    groups : sequence of TrainingTensors
        Samples whose runs begin on the same day.
    crop : int
        Index of the crop.
    orders : Orders
        Management.
    """

    def __init__(
        self, groups: Sequence[TrainingTensors], crop: int = 0, orders: Orders | None = None
    ) -> None:
        orders = orders or Orders()
        self.groups = [_contiguous(g) for g in groups]
        self.managements = [_management(g, crop, orders) for g in self.groups]
        self.covariates: Covariates = self.groups[0].covariates
        self.table = pd.concat([
            g.table.assign(group=k, position=np.arange(len(g.table)), observed=g.observed.numpy())
            for k, g in enumerate(self.groups)], ignore_index=True)

    def __len__(self) -> int:
        return len(self.table)

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

    @property
    def cell_days(self) -> int:
        """Cell-days of one run of all samples."""
        return sum(g.forcing.n_days * g.forcing.n_cells for g in self.groups)

    def block(self, rows: np.ndarray, size: int) -> Block:
        """Samples of one group as a block of fixed size, filled up with the first.

        Parameters
        ----------
        rows : numpy.ndarray
            Rows of the table, of one group.
        size : int
            Cells of the block.
        """
        part = self.table.iloc[rows]
        k = int(part["group"].iloc[0])
        group = self.groups[k]
        filled = np.concatenate([np.arange(len(rows)), np.zeros(size - len(rows), dtype=int)])
        index = torch.from_numpy(part["position"].to_numpy()[filled])
        return Block(
            replace(group.forcing, values=group.forcing.values[:, :, index].contiguous()),
            group.site.cells(index), self.managements[k].cells(index),
            self.covariates.values[:, group.site_index[index]], group.observed[index],
            torch.from_numpy(part["year"].to_numpy(np.float32)[filled]),
            (torch.arange(size) < len(rows)).to(group.observed.dtype),
            torch.from_numpy(np.asarray(rows)[filled]))

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
            Shuffles samples within groups, and the blocks.
        """
        for part in self.cuts(rows, size, generator):
            yield self.block(part, size)

    def cuts(
        self, rows: np.ndarray, size: int, generator: torch.Generator | None = None
    ) -> list[np.ndarray]:
        """Rows of each block; see `blocks`."""
        rows = np.asarray(rows)
        group = self.table["group"].to_numpy()[rows]
        parts: list[np.ndarray] = []
        for k in range(len(self.groups)):
            own = rows[group == k]
            if generator is not None:
                own = own[torch.randperm(len(own), generator=generator).numpy()]
            n = -(-len(own) // size)
            # equal parts, so that no block is nearly empty
            parts += [p for p in np.array_split(own, n) if len(p)] if n else []
        if generator is not None:
            parts = [parts[k] for k in torch.randperm(len(parts), generator=generator).tolist()]
        return parts


def load_seasons(
    data: YieldsData, season_days: int, start_doy: int | None = None, n_days: int | None = None,
    *, crop: int = 0, orders: Orders | None = None,
    normal_years: Sequence[int] | None = None, dtype: torch.dtype = torch.float32,
) -> Seasons:
    """Every observed site-year as a cell of a run that begins shortly before sowing.

    Parameters
    ----------
    data : YieldsData
        From `open_yields`.
    season_days : int
        Longest season of the crop from sowing to harvest, d.
    start_doy : int, optional
        Day of the harvest year on which all runs begin. By default samples are grouped by sowing
        day, and the runs of a group begin `LEAD` days before the first of them.
    n_days : int, optional
        Length of the runs, d; by default to the latest harvest, within the harvest year.
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
        If the weather covers no site-year, or a crop would be sown outside the run.
    """
    climate, blocks = read_blocks(data)
    orders = orders or Orders()
    sowing = sowing_table(data, climate)
    if orders.sowing is not None:
        sowing = np.full_like(sowing, orders.sowing)
    records = site_records(data, climate, sowing, normal_years, dtype)
    observed = np.isfinite(data.yields.values)
    # days since 1 January of the harvest year
    day = np.where(sowing >= LATE_SOWING, sowing - 365, sowing)
    if start_doy is not None:
        windows = [(observed, start_doy)]
    else:
        windows = [(observed & (day >= a) & (day <= b), a - LEAD if a <= 0 else max(a - LEAD, 1))
                   for a, b in sowing_groups(day[observed])]
    groups, refused = [], []
    for chosen, first in windows:
        length = _length(day[chosen], first, season_days, n_days, data)
        begin = (first, 0) if first > 0 else (first + 365, -12)
        try:
            groups.append(assemble(data, blocks, sowing, chosen, window_days(*begin, length),
                                   records, dtype))
        except InputError as error:
            refused.append(error)
    if not groups:
        raise refused[0]
    for problem in refused:
        log.warning("left out: %s", problem)
    return Seasons(groups, crop, orders)


def sowing_groups(day: np.ndarray) -> list[tuple[int, int]]:
    """First and last sowing day of groups that spread over at most `SPAN` days.

    Sowings of the year before the harvest (days up to 0) and of its own are kept apart.
    """
    groups = []
    for part in (day[day <= 0], day[day > 0]):
        left = np.unique(part)
        while left.size:
            own = left[left <= left[0] + SPAN]
            groups.append((int(own[0]), int(own[-1])))
            left = left[len(own):]
    return groups


def _length(
    day: np.ndarray, first: int, season_days: int, n_days: int | None, data: YieldsData
) -> int:
    """Days of the runs of a group, to 31 December of the harvest year at most."""
    last = min(int(day.max()) + season_days, 365)
    length = n_days if n_days is not None else last - first + 1
    outside = (day < first) | (day >= first + length)
    if outside.any():
        problem = Problem(
            f"sowing of {int(outside.sum())} site-years", f"from day {day.min()} to {day.max()} of "
            "the harvest year", f"within the run, day {first} to {first + length - 1}",
            "leave out data.start_doy and data.n_days, or change them")
        raise InputError([problem], data.source)
    return length


def _management(group: TrainingTensors, crop: int, orders: Orders) -> Management:
    n = len(group.observed)
    years = set(group.forcing.year.tolist())
    late = (group.sowing >= LATE_SOWING) & (0 in years)
    flat = torch.zeros(n, dtype=group.observed.dtype)
    return Management(
        crop=torch.full((n,), crop),
        # first row: the year before the harvest
        sowing_day=torch.stack((torch.where(late, group.sowing, 0),
                                torch.where(late, 0, group.sowing))),
        harvest_day=torch.full((n,), orders.harvest),
        irrigation_threshold=flat + orders.irrigation[0],
        irrigation_target=flat + orders.irrigation[1], first_year=0)


def _contiguous(group: TrainingTensors) -> TrainingTensors:
    values = group.forcing.values.contiguous()
    return replace(group, forcing=replace(group.forcing, values=values))
