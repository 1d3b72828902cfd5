"""Integration of the state over days by torchdiffeq, with jumps between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import torch
import torchdiffeq
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.compiling import compile_function
from neuralcrop.simulation.events import SEASON, Orders, Today, jump, start_season
from neuralcrop.simulation.history import History, look_up
from neuralcrop.simulation.schedule import Ground, Observer, Schedule, Span
from neuralcrop.simulation.stretch import Morning, StretchDays

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

        def wanted(x: Tensor, p: Tensor, history: Tensor, row: Tensor) -> Tensor:
            return model.wanted_days(x, p, history, row)

        def events(
            x: Tensor, season: Tensor, p: Tensor, place: Any, today: Today, orders: Orders
        ) -> tuple[Tensor, Tensor]:
            return jump(model, x, season, p, place, today, orders)

        def ready(function: Callable[..., Any]) -> Callable[..., Any]:
            return compile_function(function, model.table.values.device) if compiled else function

        self._rates, self._fallow = ready(rates), ready(fallow)
        self._tomorrow, self._fallow_tomorrow = ready(tomorrow), ready(fallow_tomorrow)
        self._tomorrow_fluxes, self._remembered = ready(tomorrow_fluxes), ready(remembered)
        self._events, self._wanted, self._eager_events = ready(events), ready(wanted), events
        self._stretches = StretchDays(model, h, ready)

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
        p = p[0] if p.dim() == 3 else p
        x = self.model.state.stack(self.model.start(forcing, site, p, wetness))
        season = start_season(forcing.n_cells, x.dtype, x.device)
        stored = self.model.stored_water(self.model.state.view(x))
        season[SEASON.start["start_water"]] = stored.detach()
        for element in ("carbon", "nitrogen"):
            held = self.model.stored(self.model.state.view(x), element)
            if held is not None:
                season[SEASON.start[f"start_{element}"]] = held.detach()
        former = None
        if self.model.history_rows:
            length = history_length or self.model.history_length(p)
            former = History.empty(length, len(self.model.history_rows), forcing.n_cells, x)
        return RunState(x, season, forcing.first_day, former)

    def run(
        self, state: RunState, forcing: DailyForcing, site: Site, management: Management,
        p: Tensor, observe: Observer | None = None,
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
            Parameters, ``[parameter row, cell]``; of sequences ``[slot, parameter row, cell]``.
        observe : callable, optional
            Called after every day; see `Observer`.
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
            If state and forcing do not join, the forcing has other variables than the model
            needs, or the model has no use for some of the management.
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
        refused = self.model.refusals(management)
        if refused:
            raise ValueError(
                f"this model of the {self.model.set_name} set has no use for "
                f"{' and '.join(refused)}; leave it out of the management, or take a model that has"
                " (nitrogen and tillage: the global set with nutrients)")
        model, schedule = self.model, Schedule(self.model, forcing, management, p)
        former = state.history if in_place or state.history is None else state.history.copy()
        if former is not None:
            segment = 0  # recomputed days would find the history of later ones
        span = Span(
            model, forcing, p, site, schedule,
            self._eager_events if standing and not schedule.always else self._events,
            model.state.rows(model.fallow_state.names), standing, former, observe,
            any(q.requires_grad for q in model.parameters()))
        x, season, n = state.x, state.season, forcing.n_days
        span.ground(season)  # once, outside of segments that are recomputed
        if segment and torch.is_grad_enabled():
            for start in range(0, n, segment):
                x, season = checkpoint(
                    self._days, span, x, season, start, min(start + segment, n),
                    use_reentrant=False)
        else:
            x, season = self._days(span, x, season, 0, n)
        return RunState(x, season, forcing.first_day + n, former)

    def _days(
        self, span: Span, x: Tensor, season: Tensor, start: int, stop: int
    ) -> tuple[Tensor, Tensor]:
        """Days ``start`` to ``stop`` (exclusive) of a span: jumps in the morning, then the day."""
        bare: Tensor | None = None  # the rows that change while no cell has a crop
        ground = span.ground(season)
        k = start
        while k < stop:
            fallow = span.rests and span.schedule.fallow(season)
            if span.schedule.due(k, x, season, fallow or span.standing):
                x, bare = span.wake(x, bare), None
                x, season = span.events(x, season, span.p, ground.place, *span.schedule.at(k))
                ground = span.ground(season)
                fallow = span.rests and span.schedule.fallow(season)
            today, after = (span.weather[k], span.sun[k]), k + 1
            if fallow:
                bare = x[span.rows] if bare is None else bare
                bare = self._day(True, bare, *today, ground.few, ground.place)
            elif span.former is not None and span.stretches:
                after = span.quiet_until(k, stop, x, season)
                x = self._stretches.run(
                    x, ground.p, ground.place, span.former, [
                        Morning(span.weather[d], span.sun[d], span.ring[d])
                        for d in range(k, after)])
            else:
                x = self._crop_day(span, ground, k, x, today)
            k = after
        return span.wake(x, bare), season

    def _crop_day(
        self, span: Span, ground: Ground, k: int, x: Tensor, today: tuple[Tensor, Tensor]
    ) -> Tensor:
        """State at the end of day ``k``, with what it looks back to and who observes it."""
        former, p, place = span.former, ground.p, ground.place
        if former is not None and span.ring and not torch.is_grad_enabled():
            return self._remembered(x, *today, p, place, former.values, span.ring[k])
        day = span.forcing.first_day + k
        morning, past = x, self._past(former, day, x, p)
        if span.observe is None:
            x = self._day(False, x, *today, p, place, *past)
        else:
            x, fluxes = self._observed(x, *today, p, place, *past)
            span.observe(day, morning, x, fluxes, ground)
        if former is not None:
            self.model.age(former.values, morning.detach(), today[0], p.detach())
        return x

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


def _tensors(place: Any) -> list[Tensor]:
    """Tensors of a place that may carry a gradient."""
    flat = [t for part in place for t in (part if isinstance(part, tuple) else (part,))]
    return [t for t in flat if isinstance(t, Tensor) and t.is_floating_point()]


def default_segment(n_days: int) -> int:
    """Days between checkpoints that balance memory and recomputation: about sqrt(days)."""
    return max(1, math.isqrt(n_days))
