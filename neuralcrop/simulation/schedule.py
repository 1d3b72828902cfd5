"""Days to run: what stays the same over them, and on which of them events can happen."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.forcing import IRRIGATION_ROWS, PLAN_ROWS, DailyForcing, Management, Site
from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.events import (
    LOOK_DAYS,
    SEASON,
    SHORTEST_SEASON,
    Orders,
    Today,
    chosen,
    due_gifts,
)
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
        self.management = management
        self.slots = management.n_slots
        self.years = forcing.year.tolist()
        self.day_of_year = forcing.day_of_year
        self.year = forcing.year.to(values.dtype)
        self.day = torch.arange(
            forcing.first_day, forcing.first_day + forcing.n_days, dtype=values.dtype,
            device=values.device)
        self.none = torch.zeros_like(values[0, 0])
        self.dates = management.irrigation_dates or {}
        self.gift_dates = management.fertiliser_dates or {}
        self.no_gift = None if not self.gift_dates else self.none.expand(3, -1)
        self.on_cpu = values.device.type == "cpu"
        self.always = not self.on_cpu or _waters(management)
        self.fixed_days = {int(d) for d in management.harvest_day.unique().tolist() if d > 0}
        self.sowing_days = [
            {int(d) for d in management.sowing_day[..., row, :].unique().tolist() if d > 0}
            for row in range(management.sowing_day.shape[-2])]
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
        self._book = known
        active, planted = known["active"] > 0.5, known["plant_day"]
        never = torch.full_like(planted, math.inf)
        management, slot = self.management, known["slot"]
        self._p = chosen(self.p, slot) if self.slots else self.p
        harvest_day = management.harvest_day
        if self.slots:
            harvest_day = chosen(harvest_day, slot)
        self._ripens = active & (harvest_day == 0)
        longest = self.model.table.layout.get(self._p, "maximum_season")
        soonest = torch.where(self._ripens, planted + SHORTEST_SEASON, never)
        latest = torch.where(active, planted + longest, never)
        self._none_active = not bool(active.any())
        self._soonest, self._latest = float(soonest.min()), float(latest.min())
        self._active = active
        self._waiting: set[int] = set()
        if self.model.can_fail and not self._none_active:
            limit = planted + self.model.emergence_limit(self._p)
            self._waiting = {int(day) for day in limit[active].unique().tolist()}
        self._plan: dict[str, Tensor] | None = None
        if management.fertiliser_plan is not None:
            plan = management.fertiliser_plan
            plan = chosen(plan, slot) if self.slots else plan
            named = dict(zip(PLAN_ROWS, plan.unbind(0), strict=True))
            stages = torch.full_like(named["stage"], math.inf)
            if bool(due_gifts(named, known, math.inf, stages).any()):
                self._plan = named
        self._seen = season

    def due(self, k: int, x: Tensor, season: Tensor, planned: bool = False) -> bool:
        """Whether any cell may have an event on day ``k``; with ``planned``, by date alone."""
        day = self.first_day + k
        if self.always or day in self.dates or day in self.gift_dates:
            return True
        doy = self.calendar_days[k]
        row = self.management.sowing_row(self.years[k])
        if doy in self.sowing_days[row] or doy in self.fixed_days or doy == 1:
            return True
        if self.management.fertiliser_plan is not None:
            self._look(season)
            if self._plan is not None and bool(due_gifts(
                    self._plan, self._book, float(day),
                    self.model.state.get(x, "development_stage")).any()):
                return True
        if planned:
            return False
        self._look(season)
        if day >= self._latest or day in self._waiting:
            return True
        if self.model.can_fail and day % LOOK_DAYS == 0 and not self._none_active:
            bare = self._active & self.model.bare(x, self._p)
            if bool((bare | (self._book["bare_since"] > 0.0)).any()):
                return True
        if day < self._soonest:
            return False
        return bool((self.model.ripe(x, self._p) & self._ripens).any())

    def at(self, k: int) -> tuple[Today, Orders]:
        """Calendar and orders of day ``k``."""
        m, day = self.management, self.first_day + k
        sowing, slot = m.sowing_day[..., m.sowing_row(self.years[k]), :], None
        if self.slots:
            today = sowing == self.day_of_year[k]
            slot = today.to(torch.int64).argmax(dim=0)
            sowing = torch.where(today.any(dim=0), self.day_of_year[k].to(sowing.dtype), 0)
        return (
            Today(self.day[k], self.day_of_year[k], self.year[k]),
            Orders(
                sowing, m.harvest_day, m.irrigation_threshold, m.irrigation_target,
                self.dates.get(day, self.none), slot, m.crop, m.irrigation_system,
                m.fertiliser_plan, self.gift_dates.get(day, self.no_gift), m.residues, m.tillage),
        )


def _waters(management: Management) -> bool:
    """Whether irrigation may be asked for on any day."""
    system = management.irrigation_system
    flooded = system is not None and bool(
        (system[..., IRRIGATION_ROWS.index("high"), :] > 0.0).any())
    return flooded or bool((management.irrigation_threshold > 0.0).any())


class Ground(NamedTuple):
    """Crops that hold until the next sowing: their parameters, the place, parameters of fallow."""

    p: Tensor
    place: Any
    few: Tensor


Observer = Callable[[int, Tensor, Tensor, Tensor, Ground], None]
"""Takes the day index, the state at the start and at the end of the day, its fluxes, and the
parameters and place of that day."""


@dataclass(frozen=True)
class Span:
    """Days to run and what stays the same over them.

    Attributes
    ----------
    model, forcing, p, site
        Model, weather, parameters and site of the cells; of sequences the parameters of all slots.
    schedule, events
        When jumps are due, and the jumps.
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

    model: CropModel
    forcing: DailyForcing
    p: Tensor
    site: Site
    schedule: Schedule
    events: Callable[..., tuple[Tensor, Tensor]]
    rows: list[int]
    standing: bool
    former: History | None
    observe: Observer | None
    learns: bool = False

    @cached_property
    def _ground(self) -> Ground:
        return self._of(self.p)

    def _of(self, p: Tensor) -> Ground:
        layout = self.model.table.layout
        return Ground(p, self.model.place(layout.view(p), self.site),
                      p[layout.rows(self.model.fallow_parameters.names)])

    def ground(self, season: Tensor) -> Ground:
        """Parameters and place of the crops that hold now."""
        if self.p.dim() == 2:
            return self._ground
        return self._of(chosen(self.p, SEASON.get(season, "slot")))

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
