"""Compare the solvers of a day on one season and write the tables of docs/solver.md.

    python scripts/solver_convergence.py

The season is harvested on a fixed day, so that all solvers end on the same day. Takes a few
minutes, most of them for the adaptive solver.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from neuralcrop.core.state import Layout
from neuralcrop.models.global_ import layouts
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.bench import bench_place, bench_weather
from neuralcrop.simulation.events import SEASON
from neuralcrop.simulation.integrate import Solver, Stepper

ROWS = layouts()
FALLOW_STATE, STATE, STOCKS = ROWS.fallow_state, ROWS.state, ROWS.stocks

PAGE = Path(__file__).parent.parent / "docs" / "solver.md"
BEGIN, END = "<!-- begin: scripts/solver_convergence.py -->", "<!-- end -->"

SOWING, HARVEST = 121, 200
"""Days of year."""

REFERENCE_LIMITER = 1.0 / 24.0
"""Step of the donor limiters in the reference, d: demands on a stock fade in its last hour."""

TOLERANCE = (1e-6, 1e-8)

FIXED = (
    Solver("euler", 1.0), Solver("euler", 0.5), Solver("euler", 0.25), Solver("euler", 0.125),
    Solver("midpoint"), Solver("rk4"),
)

PARAMETERS = ("vcmax25", "g1", "specific_leaf_area", "thermal_time_vegetative", "storage_scale")


@dataclass
class Outcome:
    """A season with one solver."""

    yield_: Tensor
    transpiration: Tensor
    lowest: float
    seconds: float


class Season:
    """Maize at one place, uncompiled, double precision."""

    def __init__(self) -> None:
        self.model = build_model(ModelSpec(crops=("maize",)))
        weather = bench_weather(1, 365, torch.float64)
        self.forcing = weather.days(SOWING - 2, HARVEST + 1)
        self.site, management, self.p = bench_place(self.model, "maize", 1, torch.float64)
        self.management = replace(management, harvest_day=torch.full((1,), HARVEST))

    def run(self, solver: Solver, p: Tensor | None = None, limiter: float | None = None) -> Outcome:
        """One season.

        With ``limiter`` the donor limiters get a step of their own, and trial steps of the solver
        that overdraw a stock see it empty.
        """
        p = self.p if p is None else p
        stepper, model = Stepper(self.model, solver), self.model
        if limiter is not None:
            stepper._rates = _limited(model.rates, STATE, limiter)
            stepper._fallow = _limited(model.fallow_rates, FALLOW_STATE, limiter)
        start = time.perf_counter()
        state = stepper.start(self.forcing, self.site, p)
        lowest = 0.0
        for k in range(0, self.forcing.n_days, 5):
            days = self.forcing.days(k, min(k + 5, self.forcing.n_days))
            state = stepper.run(state, days, self.site, self.management, p)
            stocks = torch.cat([STATE.get(state.x, n).reshape(-1) for n in STOCKS])
            lowest = min(lowest, float(stocks.detach().min()))
        record = SEASON.view(state.season)
        return Outcome(
            record["last_yield"].sum(), record["last_transp"].sum(), lowest,
            time.perf_counter() - start)

    def gradient(self, solver: Solver) -> Tensor:
        """Gradient of yield with respect to `PARAMETERS`."""
        p = self.p.clone().requires_grad_()
        self.run(solver, p).yield_.backward()
        assert p.grad is not None
        start = self.model.table.layout.start
        return torch.stack([p.grad[start[name], 0] for name in PARAMETERS])


def _limited(
    rates: Callable[..., tuple[Tensor, Tensor]], layout: Layout, limiter: float
) -> Callable[..., Tensor]:
    stock = torch.tensor(
        [name.rstrip("_0123456789") in STOCKS for name in layout.row_names]).unsqueeze(-1)

    def limited(x: Tensor, *today: Any) -> Tensor:
        return rates(torch.where(stock, x.clamp_min(0.0), x), *today, limiter)[0]

    return limited


def label(solver: Solver) -> str:
    if solver.method == "dopri5":
        return f"dopri5, rtol {solver.rtol:g}"
    step = "1" if solver.step_size == 1.0 else f"1/{round(1 / solver.step_size)}"
    return f"{solver.method}, step {step} d"


def convergence(season: Season) -> list[str]:
    with torch.no_grad():
        adaptive = Solver("dopri5", rtol=TOLERANCE[0], atol=TOLERANCE[1])
        truth = season.run(adaptive, limiter=REFERENCE_LIMITER)
        print("reference", float(truth.yield_), truth.seconds, flush=True)
        lines = [
            f"Reference: {label(adaptive)}, limiters of 1/24 d: yield "
            f"{float(truth.yield_):.3f} t ha-1, transpiration {float(truth.transpiration):.1f} mm, "
            f"{truth.seconds:.0f} s.", "",
            "| solver | yield, difference % | transpiration, difference % "
            "| error of the step before over this one (yield, transpiration) | lowest stock | s |",
            "|---|---|---|---|---|---|"]
        before: tuple[float, float] | None = None
        hourly = [(s, REFERENCE_LIMITER) for s in FIXED if s.method != "euler"]
        for solver, limiter in [*((s, None) for s in FIXED), *hourly]:
            found = season.run(solver, limiter=limiter)
            name = label(solver) + (", limiters of 1/24 d" if limiter else "")
            print(name, float(found.yield_), found.lowest, found.seconds, flush=True)
            errors = (float(found.yield_ / truth.yield_ - 1.0),
                      float(found.transpiration / truth.transpiration - 1.0))
            ratio = ""
            if solver.method == "euler":
                if before is not None:
                    ratio = ", ".join(f"{a / b:.2f}" for a, b in zip(before, errors, strict=True))
                before = errors
            lowest = "0" if found.lowest > -1e-6 else f"**{found.lowest:.2g}**"
            lines.append(
                f"| {name} | {100 * errors[0]:+.2f} | {100 * errors[1]:+.2f} | {ratio} "
                f"| {lowest} | {found.seconds:.1f} |")
    return lines


def adjoint(season: Season) -> list[str]:
    start = season.model.table.layout.start
    scales = season.p[[start[name] for name in PARAMETERS], 0]
    lines = ["| solver | " + " | ".join(f"`{n}`" for n in PARAMETERS) + " |",
             "|---|" + "---|" * len(PARAMETERS)]
    for method in ("euler", "midpoint", "rk4"):
        exact = season.gradient(Solver(method))  # type: ignore[arg-type]
        other = season.gradient(Solver(method, adjoint=True))  # type: ignore[arg-type]
        print(method, exact.tolist(), other.tolist(), flush=True)
        lines.append(f"| {method}, step 1 d | " + " | ".join(
            difference(a, b, scale) for a, b, scale in zip(exact, other, scales, strict=True))
            + " |")
    return lines


def difference(exact: Tensor, other: Tensor, scale: Tensor) -> str:
    """Relative difference in %; a dot where yield does not depend on the parameter."""
    if abs(float(exact * scale)) < 1e-2:
        return "."
    return f"{100 * float(other / exact - 1.0):+.1f}"


def main() -> None:
    torch.set_num_threads(1)
    season = Season()
    made = [BEGIN, "", *convergence(season), "",
            "Difference of the gradient of yield by the continuous adjoint from that of "
            "backpropagation through the same solver, %:", "", *adjoint(season), "", END]
    text = PAGE.read_text(encoding="utf-8")
    head, rest = text.split(BEGIN)
    PAGE.write_text(head + "\n".join(made) + rest.split(END)[1], encoding="utf-8")
    print(PAGE)


if __name__ == "__main__":
    main()
