"""Where a number that is none comes from: the sample runs once more, uncompiled, day by day."""

from __future__ import annotations

import datetime
from typing import Any

import torch
from torch import Tensor

from neuralcrop.core.state import Layout
from neuralcrop.data.samples import LATE_SOWING
from neuralcrop.data.seasons import Block
from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.integrate import Stepper
from neuralcrop.training.calls import Call, finite, first_bad, first_bad_backwards, watched
from neuralcrop.training.rollout import Rollout

SHOWN = 6
"""Most rows that a message names."""


class _Found(Exception):
    """Ends a run at the day that was looked for."""


class _Day:
    """A day of a run: state of the morning and evening, fluxes, parameters and place."""

    def __init__(
        self, day: int, morning: Tensor, evening: Tensor, fluxes: Tensor, ground: Any
    ) -> None:
        self.day, self.morning, self.evening = day, morning, evening
        self.fluxes, self.p, self.place = fluxes, ground.p, ground.place


def trace_values(rollout: Rollout, block: Block, cell: int | None) -> str | None:
    """First state or flux of a sample that is not finite, in words; None if all are.

    Parameters
    ----------
    rollout : Rollout
        What ran.
    block : Block
        Its samples.
    cell : int or None
        The one to look at; None for all.
    """
    model, found = rollout.model, []

    def look(day: int, morning: Tensor, x: Tensor, fluxes: Tensor, ground: Any) -> None:
        if not (finite(x) and finite(fluxes)):
            found.append(_Day(day, morning, x, fluxes, ground))
            raise _Found

    with torch.no_grad():
        few, p, stepper = _again(rollout, block, cell)
        state = stepper.start(few.forcing, few.site, p)
        if not finite(state.x):
            return ("The state before the first day is not finite: "
                    f"{_some(model.state, state.x, 'state')}{_parameters(model, p[:, :1])}")
        try:
            stepper.run(state, few.forcing, few.site, few.management, p, look, standing=True)
        except _Found:
            day = found[0]
            weather, sun = few.forcing.values[day.day], few.forcing.solar_day[day.day]
            with watched(model) as calls:
                model.rates(day.morning, weather, sun, day.p, day.place,
                            stepper.solver.limiter_step)
        else:
            return None
    bad = torch.nonzero(~torch.isfinite(torch.cat((day.morning, day.fluxes, day.evening))))
    at = int(bad[0, 1])
    one = slice(at, at + 1)
    if not finite(day.morning[:, one]):
        what = f"events of the morning: {_some(model.state, day.morning[:, one], 'state')}"
        call = None
    else:
        call = first_bad(calls)
        rows = _some(model.fluxes, day.fluxes[:, one], "flux") or _some(
            model.state, day.evening[:, one], "state")
        what = f"{'the order of the day' if call is None else call.where}: {rows}"
    return (f"First on {_when(few, at, day.day)} in {what}{_weather(model, weather[:, one])}"
            f"{_parameters(model, day.p[:, one], call)}")


def trace_gradient(rollout: Rollout, block: Block, cell: int | None) -> str | None:
    """Last day of a sample whose gradient is not finite though that of later days is, in words.

    Parameters as for `trace_values`; None if no day is at fault.
    """
    model, days = rollout.model, []
    with torch.enable_grad():
        few, p, stepper = _again(rollout, block, cell)
        p = p.detach().requires_grad_()

        def keep(day: int, morning: Tensor, x: Tensor, fluxes: Tensor, ground: Any) -> None:
            if x.requires_grad:
                x.retain_grad()
            days.append(_Day(day, morning.detach(), x, fluxes.detach(), ground))

        state = stepper.start(few.forcing, few.site, p)
        end = stepper.run(state, few.forcing, few.site, few.management, p, keep, standing=True)
        model.standing_yield(end.x, p).sum().backward()
        h = stepper.solver.limiter_step
        for day in reversed(days):
            slope = day.evening.grad
            if slope is None:
                continue
            if not finite(slope):
                return (f"Gradients are not finite from the evening of "
                        f"{_when(few, 0, day.day)} on, after the last process: in the events of "
                        "the next morning or the yield")
            x, q = day.morning.clone().requires_grad_(), p.detach().clone().requires_grad_()
            weather, sun = few.forcing.values[day.day], few.forcing.solar_day[day.day]
            with watched(model, gradients=True) as calls:
                place = model.place(model.table.layout.view(q), few.site)
                after = x + model.rates(x, weather, sun, q, place, h)[0]
                after.backward(slope)
            if finite(x.grad) and finite(q.grad):
                continue
            call = first_bad_backwards(calls)
            at = int(torch.nonzero(~torch.isfinite(_joined(x.grad, q.grad)))[0, 1])
            one = slice(at, at + 1)
            rows = [r for r in (
                _some(model.state, None if x.grad is None else x.grad[:, one], "state"),
                _some(model.table.layout, None if q.grad is None else q.grad[:, one],
                      "parameter")) if r]
            where = "the order of the day" if call is None else call.where
            return (f"First, backwards, on {_when(few, at, day.day)} in {where}: gradient of "
                    f"{', '.join(rows)}{_weather(model, weather[:, one])}"
                    f"{_parameters(model, q.detach()[:, one], call)}")
    return None


def _again(rollout: Rollout, block: Block, cell: int | None) -> tuple[Block, Tensor, Stepper]:
    """The sample as a block of its own, its parameters, and an uncompiled stepper."""
    cells = torch.arange(len(block.year)) if cell is None else torch.tensor([cell])
    cells = cells.to(block.year.device)
    few = Block(
        block.forcing.cells(cells), block.site.cells(cells), block.management.cells(cells),
        block.covariates[:, cells], block.observed[cells], block.year[cells],
        block.weight[cells], block.row[cells])
    p = rollout.model.cell_parameters(
        few.management.crop, few.forcing.values.dtype, few.covariates)
    return few, p, Stepper(rollout.model, rollout.stepper.solver)


def _joined(*parts: Tensor | None) -> Tensor:
    return torch.cat([part for part in parts if part is not None])


def _when(block: Block, cell: int, day: int) -> str:
    """Date of a day of the run, and its number."""
    sown = int(block.management.sowing_day[0, cell]) - 1
    of_year = round(float(block.forcing.solar_day[sown, cell]))
    year = int(block.year[cell]) - (of_year >= LATE_SOWING)
    date = datetime.date(year, 1, 1) + datetime.timedelta(of_year - 1 + day - sown)
    place = f"lat {float(block.site.latitude[cell]):g}"
    return f"{date.isoformat()} (day {day + 1} of the run, {place})"


def _some(layout: Layout, values: Tensor | None, kind: str) -> str:
    """Rows that are not finite in any cell, with their first value that is not."""
    if values is None:
        return ""
    bad = ~torch.isfinite(values)
    rows = torch.nonzero(bad.any(dim=1))[:, 0].tolist()
    texts = [f"{layout.row_names[r]} is {float(values[r][bad[r]][0]):g}" for r in rows[:SHOWN]]
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"{kind} {', '.join(texts)}{more}" if texts else ""


def _weather(model: CropModel, weather: Tensor) -> str:
    """Weather of the day: what is not finite, or else all of it."""
    values = dict(zip(model.forcing_names, weather[:, 0].tolist(), strict=True))
    bad = [n for n, v in values.items() if not abs(v) < float("inf")]
    shown = ", ".join(f"{n} {values[n]:.4g}" for n in (bad or values))
    return f"; weather {shown}"


def _parameters(model: CropModel, p: Tensor, call: Call | None = None) -> str:
    """Values of what is not finite, of what is learnt, and of what the process reads."""
    layout = model.table.layout
    network = model.network.sizes if model.network is not None else {}
    names = [n for n in layout.names if not finite(layout.get(p, n))]
    names += [*model.table.learned, *network]
    if call is not None:
        names += [s.name for s in model.parts.processes()[call.process].specs]
    texts = []
    for name in dict.fromkeys(names):
        values = layout.get(p, name).reshape(-1).tolist()
        texts.append(f"{name} {', '.join(f'{v:.4g}' for v in values)}")
    return f"; parameters there: {'; '.join(texts)}" if texts else ""
