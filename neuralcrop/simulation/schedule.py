"""Days to run: what stays the same over them, and on which of them events can happen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Management
from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.events import SEASON, SHORTEST_SEASON, Orders, Today
from neuralcrop.simulation.history import History


class Schedule:
    """Calendar and orders of the days of a span, and whether anything can happen on a day.

    On a CPU a day without sowing, harvest or irrigation in any cell skips the jump, and a day
    without a crop in any cell the processes of crops; its result would be the same. On other
    devices the check would wait for the device, so all of it runs.
    """

    def __init__(
        self, model: CropModel, forcing: DailyForcing, management: Management, p: Tensor
    ) -> None:
        values = forcing.values
        self.model, self.p = model, p.detach()
        self.first_day = forcing.first_day
        self.maximum_season = model.table.layout.get(self.p, "maximum_season")
        self.management = management
        self.years = forcing.year.tolist()
        self.day_of_year = forcing.day_of_year
        self.year = forcing.year.to(values.dtype)
        self.day = torch.arange(
            forcing.first_day, forcing.first_day + forcing.n_days, dtype=values.dtype,
            device=values.device)
        self.none = torch.zeros_like(values[0, 0])
        self.dates = management.irrigation_dates or {}
        self.on_cpu = values.device.type == "cpu"
        self.always = not self.on_cpu or bool((management.irrigation_threshold > 0).any())
        self.fixed_days = {int(d) for d in management.harvest_day.unique().tolist() if d > 0}
        self.sowing_days = [
            {int(d) for d in row.unique().tolist() if d > 0} for row in management.sowing_day]
        self.calendar_days = [int(d) for d in forcing.day_of_year.tolist()]
        self._seen: Tensor | None = None
        self._none_active = False
        self._soonest = self._latest = math.inf

    def fallow(self, season: Tensor) -> bool:
        """Whether no cell has a crop, so far as can be known without waiting."""
        if not self.on_cpu:
            return False
        self._look(season)
        return self._none_active

    def _look(self, season: Tensor) -> None:
        """What only jumps change, once for every new bookkeeping: dates of the crops that stand."""
        if season is self._seen:
            return
        known = SEASON.view(season.detach())
        active, planted = known["active"] > 0.5, known["plant_day"]
        never = torch.full_like(planted, math.inf)
        self._ripens = active & (self.management.harvest_day == 0)
        soonest = torch.where(self._ripens, planted + SHORTEST_SEASON, never)
        latest = torch.where(active, planted + self.maximum_season, never)
        self._none_active = not bool(active.any())
        self._soonest, self._latest = float(soonest.min()), float(latest.min())
        self._seen = season

    def due(self, k: int, x: Tensor, season: Tensor, planned: bool = False) -> bool:
        """Whether any cell may have an event on day ``k``; with ``planned``, by date alone."""
        if self.always or self.first_day + k in self.dates:
            return True
        doy = self.calendar_days[k]
        row = self.management.sowing_row(self.years[k])
        if doy in self.sowing_days[row] or doy in self.fixed_days or doy == 1:
            return True
        if planned:
            return False
        self._look(season)
        day = self.first_day + k
        if day >= self._latest:
            return True
        if day < self._soonest:
            return False
        return bool((self.model.ripe(x, self.p) & self._ripens).any())

    def at(self, k: int) -> tuple[Today, Orders]:
        """Calendar and orders of day ``k``."""
        m = self.management
        return (
            Today(self.day[k], self.day_of_year[k], self.year[k]),
            Orders(
                m.sowing_day[m.sowing_row(self.years[k])], m.harvest_day, m.irrigation_threshold,
                m.irrigation_target, self.dates.get(self.first_day + k, self.none)),
        )


Observer = Callable[[int, Tensor, Tensor, Tensor], None]
"""Takes the day index, the state at the start and at the end of the day, and its fluxes."""


@dataclass(frozen=True)
class Span:
    """Days to run and what stays the same over them.

    Attributes
    ----------
    forcing, p, place
        Weather, parameters and place of the cells.
    schedule, events
        When jumps are due, and the jumps.
    few : Tensor
        Parameters that fallow reads.
    rows : list of int
        Rows of the state that fallow changes.
    standing : bool
        Whether ripe crops stay in the field.
    former : History or None
        Former days, for models that look back.
    observe : Observer or None
        Called after every day.
    learns : bool
        Whether the model itself has something to learn.
    """

    forcing: DailyForcing
    p: Tensor
    place: Any
    schedule: Schedule
    events: Callable[..., tuple[Tensor, Tensor]]
    few: Tensor
    rows: list[int]
    standing: bool
    former: History | None
    observe: Observer | None
    learns: bool = False

    @cached_property
    def weather(self) -> tuple[Tensor, ...]:
        """``[forcing row, cell]`` of every day."""
        return self.forcing.values.unbind(0)

    @cached_property
    def sun(self) -> tuple[Tensor, ...]:
        """Day of the solar year of every day, scalars."""
        return self.forcing.solar_day.unbind(0)

    @cached_property
    def rests(self) -> bool:
        """Whether days without any crop leave out its processes."""
        return bool(self.rows) and not self.standing and self.observe is None

    @cached_property
    def ring(self) -> tuple[Tensor, ...]:
        """Row of the history of every day, where a day and its look back are one call."""
        if self.former is None or self.observe is not None:
            return ()
        first, n = self.forcing.first_day, self.forcing.n_days
        day = torch.arange(first, first + n, device=self.forcing.values.device)
        return (day % self.former.values.shape[0]).unbind(0)

    @cached_property
    def stretches(self) -> bool:
        """Whether days are differentiated by themselves, not by autograd."""
        return bool(self.ring) and torch.is_grad_enabled() and not self.learns

    def quiet_until(self, k: int, stop: int, x: Tensor, season: Tensor) -> int:
        """First day after ``k`` on which something may happen, or ``stop``."""
        after = k + 1
        while self.standing and after < stop and not self.schedule.due(after, x, season, True):
            after += 1
        return after

    def wake(self, x: Tensor, bare: Tensor | None) -> Tensor:
        """State with the rows that fallow has changed."""
        if bare is None:
            return x
        return x.index_copy(0, torch.tensor(self.rows, device=x.device), bare)
