"""Integration of the state over days by torchdiffeq, with jumps between them."""

from __future__ import annotations

import math
import threading
import types
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torch._functorch.config as functorch_config
import torchdiffeq
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.events import (
    SEASON,
    SHORTEST_SEASON,
    Orders,
    Today,
    jump,
    start_season,
)
from neuralcrop.simulation.history import History, look_up

RECOMPUTE = {
    "aggressive_recomputation": True, "ban_recompute_used_far_apart": False,
    "ban_recompute_long_fusible_chains": False, "ban_recompute_materialized_backward": False,
}
"""The backward day calculates what it needs of the forward day again from its inputs: less to
store and to load, two thirds of the time (docs/benchmarks.md)."""

FIXED_METHODS = ("euler", "midpoint", "rk4")
ADAPTIVE_METHODS = ("dopri5",)


@dataclass(frozen=True)
class Solver:
    """How a day is integrated.

    Attributes
    ----------
    method : str
        torchdiffeq method. Forcing is held over the day and every day is its own call, so no
        method sees tomorrow's weather and adaptive steps never cross midnight.
    step_size : float
        Step of fixed methods, d.
    rtol, atol : float
        Tolerances of adaptive methods.
    adjoint : bool
        Use the continuous adjoint (`torchdiffeq.odeint_adjoint`) instead of backpropagation
        through the solver. Less exact; see the solver page of the documentation.
    """

    method: Literal["euler", "midpoint", "rk4", "dopri5"] = "euler"
    step_size: float = 1.0
    rtol: float = 1e-6
    atol: float = 1e-8
    adjoint: bool = False

    def __post_init__(self) -> None:
        if self.method not in FIXED_METHODS + ADAPTIVE_METHODS:
            raise ValueError(
                f"unknown solver method {self.method!r}; expected one of "
                f"{', '.join(FIXED_METHODS + ADAPTIVE_METHODS)}")
        if not 0.0 < self.step_size <= 1.0 or abs(1.0 / self.step_size % 1.0) > 1e-9:
            raise ValueError(
                f"solver step_size is {self.step_size}, expected 1/n of a day, n = 1, 2, ...")

    @property
    def limiter_step(self) -> float:
        """Step for the donor limiters: the solver's own, an hour for adaptive methods."""
        return self.step_size if self.method in FIXED_METHODS else 1.0 / 24.0

    @property
    def daily_sum(self) -> bool:
        """Whether a day is one Euler step, differentiated as it is."""
        return self.method == "euler" and self.step_size == 1.0 and not self.adjoint


@dataclass(frozen=True)
class RunState:
    """Everything that carries over from day to day: a restart needs nothing else.

    Attributes
    ----------
    x : Tensor
        ``[state row, cell]``.
    season : Tensor
        ``[season row, cell]``.
    day : int
        Index of the next day to run.
    history : History or None
        Former days, for models that look back.
    """

    x: Tensor
    season: Tensor
    day: int = 0
    history: History | None = None

    def cells(self, index: slice | Tensor) -> RunState:
        """State of some cells."""
        former = None if self.history is None else self.history.cells(index)
        return RunState(self.x[:, index], self.season[:, index], self.day, former)

    def to(self, device: torch.device, dtype: torch.dtype) -> RunState:
        """State on another device or in another precision."""
        former = None if self.history is None else self.history.to(device, dtype)
        return RunState(self.x.to(device, dtype), self.season.to(device, dtype), self.day, former)


def joined(parts: list[RunState]) -> RunState:
    """State of all cells from those of parts of them; their history has no gradient."""
    former = [part.history.values for part in parts if part.history is not None]
    return RunState(
        torch.cat([part.x for part in parts], dim=1),
        torch.cat([part.season for part in parts], dim=1),
        parts[0].day if parts else 0,
        History(torch.cat(former, dim=2)) if former else None)


class Stepper:
    """Advances cells by days.

    Parameters
    ----------
    model : CropModel
        The model. Closures and photosynthetic pathways are taken as they are now.
    solver : Solver
        How a day is integrated.
    compiled : bool
        Compile the day with `torch.compile`; results agree with eager to float tolerance.
    """

    def __init__(
        self, model: CropModel, solver: Solver | None = None, compiled: bool = False
    ) -> None:
        self.model = model
        self.solver = solver or Solver()
        self.compiled = compiled
        h = self.solver.limiter_step

        if model.daily_euler and not self.solver.daily_sum:
            raise ValueError(
                f"the {model.set_name} set is defined by one Euler step a day, but the solver is "
                f"{self.solver.method} with step {self.solver.step_size}; use the default solver")

        def rates(
            x: Tensor, weather: Tensor, sun: Tensor, p: Tensor, place: Any, *past: Tensor
        ) -> Tensor:
            return model.rates(x, weather, sun, p, place, h, *past)[0]

        def fallow(x: Tensor, weather: Tensor, sun: Tensor, p: Tensor, place: Any) -> Tensor:
            return model.fallow_rates(x, weather, sun, p, place, h)[0]

        def tomorrow(
            x: Tensor, weather: Tensor, sun: Tensor, p: Tensor, place: Any, *past: Tensor
        ) -> Tensor:
            return x + rates(x, weather, sun, p, place, *past)

        def tomorrow_fluxes(
            x: Tensor, weather: Tensor, sun: Tensor, p: Tensor, place: Any, *past: Tensor
        ) -> tuple[Tensor, Tensor]:
            slopes, fluxes = model.rates(x, weather, sun, p, place, h, *past)
            return x + slopes, fluxes

        def fallow_tomorrow(
            x: Tensor, weather: Tensor, sun: Tensor, p: Tensor, place: Any
        ) -> Tensor:
            return x + fallow(x, weather, sun, p, place)

        kept = model.state.rows(model.history_rows)

        def remembered(
            x: Tensor, weather: Tensor, sun: Tensor, p: Tensor, place: Any, history: Tensor,
            row: Tensor,
        ) -> Tensor:
            x_kept = torch.stack([x[k] for k in kept] + [torch.zeros_like(x[0])])
            history.index_copy_(0, row.reshape(1), x_kept.unsqueeze(0))
            wanted = model.wanted_days(x, p, history, row)
            former = look_up(history, wanted[:model.n_wanted])
            after = tomorrow(x, weather, sun, p, place, former, wanted)
            model.age(history, x, weather, p)
            return after

        self._rates, self._fallow = rates, fallow
        self._tomorrow, self._fallow_tomorrow = tomorrow, fallow_tomorrow
        self._tomorrow_fluxes, self._remembered = tomorrow_fluxes, remembered
        self._events, self._wanted = self._jump, model.wanted_days
        if compiled:
            device = model.table.values.device
            self._rates = compile_function(rates, device)
            self._fallow = compile_function(fallow, device)
            self._tomorrow_fluxes = compile_function(tomorrow_fluxes, device)
            self._tomorrow = compile_function(tomorrow, device)
            self._remembered = compile_function(remembered, device)
            self._fallow_tomorrow = compile_function(fallow_tomorrow, device)
            self._events = compile_function(_bind_jump(model), device)
            self._wanted = compile_function(_bind_wanted(model), device)

    def start(
        self, forcing: DailyForcing, site: Site, p: Tensor, wetness: float = 0.7,
        history_length: int | None = None,
    ) -> RunState:
        """Fallow cells with soil water at ``wetness`` of the plant-available range.

        Parameters
        ----------
        forcing : DailyForcing
            Its first month sets the growth temperature.
        site : Site
            Soil.
        p : Tensor
            Parameters, ``[parameter row, cell]``.
        wetness : float
            0 at wilting point, 1 at field capacity.
        history_length : int, optional
            Days to look back, where other cells need more than these.
        """
        x = self.model.state.stack(self.model.start(forcing, site, p, wetness))
        season = start_season(forcing.n_cells, x.dtype, x.device)
        stored = self.model.stored_water(self.model.state.view(x))
        season[SEASON.start["start_water"]] = stored.detach()
        former = None
        if self.model.history_rows:
            length = history_length or self.model.history_length(p)
            former = History.empty(length, len(self.model.history_rows), forcing.n_cells, x)
        return RunState(x, season, forcing.first_day, former)

    def run(
        self, state: RunState, forcing: DailyForcing, site: Site, management: Management,
        p: Tensor, observe: Callable[[int, Tensor, Tensor, Tensor], None] | None = None,
        segment: int = 0, standing: bool = False, in_place: bool = False,
    ) -> RunState:
        """Run all days of ``forcing``.

        Parameters
        ----------
        state : RunState
            Where to start; its day must be the first of ``forcing``.
        forcing, site, management
            Inputs of the same cells.
        p : Tensor
            Parameters, ``[parameter row, cell]``.
        observe : callable, optional
            Called with the day index, the state at the start and at the end of the day, and the
            day's fluxes.
        segment : int
            With gradients: recompute segments of this many days in the backward pass instead of
            keeping their activations; 0 keeps all, as do models with a history.
        standing : bool
            Leave ripe crops in the field, where they no longer change: for a single season, with
            jumps on few days and one kind of day to compile.
        in_place : bool
            Write on in the history of ``state``, which is spent then, and not in a copy of it.

        Raises
        ------
        ValueError
            If state and forcing do not join, or the forcing has other variables than the model
            needs.
        """
        if forcing.names != self.model.forcing_names:
            raise ValueError(
                f"the rows of the forcing are {', '.join(forcing.names)}, but the "
                f"{self.model.set_name} set needs {', '.join(self.model.forcing_names)}; build the "
                "forcing with names=model.forcing_names")
        if state.day != forcing.first_day:
            raise ValueError(
                f"the state is at day {state.day} but the forcing starts at day "
                f"{forcing.first_day}; give the forcing that follows the restart")
        place = self.model.place(self.model.table.layout.view(p), site)
        schedule = Schedule(self.model, forcing, management, p)
        weather, sun = forcing.values.unbind(0), forcing.solar_day.unbind(0)
        events = self._jump if standing and not schedule.always else self._events

        few = p[self.model.table.layout.rows(self.model.fallow_parameters.names)]
        rows = self.model.state.rows(self.model.fallow_state.names)
        rests = bool(rows) and not standing and observe is None

        former = state.history if in_place or state.history is None else state.history.copy()
        if former is not None:
            segment = 0  # recomputed days would find the history of later ones
        # without gradients a day and its look back are one call
        whole = former is not None and observe is None and not torch.is_grad_enabled()
        ring = _ring(former, forcing) if whole else ()

        def days(x: Tensor, season: Tensor, start: int, stop: int) -> tuple[Tensor, Tensor]:
            bare: Tensor | None = None  # the rows that change while no cell has a crop
            for k in range(start, stop):
                fallow = rests and schedule.fallow(season)
                if schedule.due(k, x, season, fallow or standing):
                    x, bare = _wake(x, bare, rows), None
                    x, season = events(x, season, p, place, *schedule.at(k))
                    fallow = rests and schedule.fallow(season)
                today = (weather[k], sun[k])
                if fallow:
                    bare = x[rows] if bare is None else bare
                    bare = self._day(True, bare, *today, few, place)
                    continue
                if former is not None and whole:
                    x = self._remembered(x, *today, p, place, former.values, ring[k])
                    continue
                morning, past = x, self._past(former, forcing.first_day + k, x, p)
                if observe is None:
                    x = self._day(False, x, *today, p, place, *past)
                else:
                    x, fluxes = self._observed(x, *today, p, place, *past)
                    observe(forcing.first_day + k, morning, x, fluxes)
                if former is not None:
                    self.model.age(former.values, morning.detach(), weather[k], p.detach())
            return _wake(x, bare, rows), season

        x, season, n = state.x, state.season, forcing.n_days
        if segment and torch.is_grad_enabled():
            for start in range(0, n, segment):
                x, season = checkpoint(
                    days, x, season, start, min(start + segment, n), use_reentrant=False)
        else:
            x, season = days(x, season, 0, n)
        return RunState(x, season, forcing.first_day + n, former)

    def _past(
        self, former: History | None, day: int, x: Tensor, p: Tensor
    ) -> tuple[Tensor, ...]:
        """What the model reads of former days, and where it was found."""
        if former is None:
            return ()
        model = self.model
        former.write(day, x[model.state.rows(model.history_rows)])
        with torch.no_grad():
            row = torch.tensor(day % former.values.shape[0], device=x.device)
            wanted = self._wanted(x.detach(), p.detach(), former.values, row)
        return former.read(wanted[:model.n_wanted]), wanted

    def _observed(
        self, x: Tensor, weather: Tensor, sun: Tensor, p: Tensor, place: Any, *past: Tensor
    ) -> tuple[Tensor, Tensor]:
        """State at the end of a day and the fluxes from the state at its start."""
        if self.solver.daily_sum:
            return self._tomorrow_fluxes(x, weather, sun, p, place, *past)
        after = self._day(False, x, weather, sun, p, place, *past)
        return after, self._tomorrow_fluxes(x, weather, sun, p, place, *past)[1]

    def _day(
        self, fallow: bool, x: Tensor, weather: Tensor, sun: Tensor, p: Tensor, place: Any,
        *past: Tensor,
    ) -> Tensor:
        """State at the end of a day.

        One Euler step a day is a sum, done inside the compiled day; it gives the bits of
        torchdiffeq, which integrates everything else.
        """
        solver = self.solver
        if solver.daily_sum:
            tomorrow = self._fallow_tomorrow if fallow else self._tomorrow
            return tomorrow(x, weather, sun, p, place, *past)
        rates_of = self._fallow if fallow else self._rates

        def rates(t: Tensor, y: Tensor) -> Tensor:
            return rates_of(y, weather, sun, p, place)

        span = torch.tensor([0.0, 1.0], dtype=x.dtype, device=x.device)
        options: dict[str, Any] = {}
        if solver.method in FIXED_METHODS and solver.step_size < 1.0:
            options["step_size"] = solver.step_size
        if solver.adjoint:
            learned = tuple(q for q in self.model.parameters() if q.requires_grad)
            out = torchdiffeq.odeint_adjoint(
                rates, x, span, rtol=solver.rtol, atol=solver.atol, method=solver.method,
                options=options, adjoint_params=(p, *_tensors(place), *learned))
        else:
            out = torchdiffeq.odeint(
                rates, x, span, rtol=solver.rtol, atol=solver.atol, method=solver.method,
                options=options)
        return out[-1]

    def _jump(
        self, x: Tensor, season: Tensor, p: Tensor, place: Any, today: Today, orders: Orders
    ) -> tuple[Tensor, Tensor]:
        return _bind_jump(self.model)(x, season, p, place, today, orders)


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


def compile_function(
    function: Callable[..., Any], device: torch.device | None = None
) -> Callable[..., Any]:
    """Compile with fixed shapes, checking only tensors on each call.

    Everything else that the function closes over must stay as it is. The function gets a code
    object of its own because compiled code is found by code object: without it, two models would
    share one. On a CPU, calls release the interpreter lock, so that blocks run side by side; the
    first call of every kind waits for others, so that each is compiled once.
    """
    own = types.FunctionType(
        function.__code__.replace(), function.__globals__, function.__name__,
        function.__defaults__, function.__closure__)
    on_cpu = device is None or device.type == "cpu"
    run = torch.compile(own, fullgraph=True, dynamic=False, options={
        "guard_filter_fn": torch.compiler.keep_tensor_guards_unsafe,
        "assert_indirect_indexing": False,  # rows of former days are inside by construction
        "cpp_wrapper": on_cpu})
    known: set[tuple[Any, ...]] = set()
    lock = threading.Lock()

    def call(x: Tensor, *args: Any) -> Any:
        kind = (x.shape, x.dtype, torch.is_grad_enabled(), x.requires_grad, *(
            a.requires_grad for a in args if isinstance(a, Tensor)))
        if kind in known:
            return run(x, *args)
        with lock, functorch_config.patch(RECOMPUTE):
            result = run(x, *args)
            known.add(kind)
        return result

    return call


def _ring(former: History | None, forcing: DailyForcing) -> tuple[Tensor, ...]:
    """Row of the history for every day, scalar tensors."""
    n = 1 if former is None else former.values.shape[0]
    day = torch.arange(
        forcing.first_day, forcing.first_day + forcing.n_days, device=forcing.values.device)
    return (day % n).unbind(0)


def _wake(x: Tensor, bare: Tensor | None, rows: list[int]) -> Tensor:
    """State with the rows that fallow has changed."""
    if bare is None:
        return x
    return x.index_copy(0, torch.tensor(rows, device=x.device), bare)


def _tensors(place: Any) -> list[Tensor]:
    """Tensors of a place that may carry a gradient."""
    flat = [t for part in place for t in (part if isinstance(part, tuple) else (part,))]
    return [t for t in flat if isinstance(t, Tensor) and t.is_floating_point()]


def default_segment(n_days: int) -> int:
    """Days between checkpoints that balance memory and recomputation: about sqrt(days)."""
    return max(1, math.isqrt(n_days))


def _bind_jump(model: CropModel) -> Callable[..., tuple[Tensor, Tensor]]:
    def events(
        x: Tensor, season: Tensor, p: Tensor, place: Any, today: Today, orders: Orders
    ) -> tuple[Tensor, Tensor]:
        return jump(model, x, season, p, place, today, orders)

    return events


def _bind_wanted(model: CropModel) -> Callable[..., Tensor]:
    def wanted(x: Tensor, p: Tensor, history: Tensor, row: Tensor) -> Tensor:
        return model.wanted_days(x, p, history, row)

    return wanted
