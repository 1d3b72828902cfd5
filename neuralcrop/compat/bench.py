"""``neuralcrop bench``: the suite asked for; WOFOST 7.2 beside its other implementations."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import torch
from torch import Tensor

from neuralcrop.compat import bench_others as others
from neuralcrop.compat.bench_season import CROP, SEASON_DAYS, SOWING, World, make_world
from neuralcrop.compat.bench_table import table, write_section
from neuralcrop.models.wofost72_field import Production
from neuralcrop.models.wofost72_state import STATE
from neuralcrop.simulation import bench
from neuralcrop.simulation.integrate import Stepper
from neuralcrop.simulation.parallel import each

if TYPE_CHECKING:
    from neuralcrop.config import BenchConfig

FIELDS, GRADIENT_FIELDS, REPEATS = 10_000, 1_000, 5
"""Fields of the batch and of the gradient, and timed repeats, where the configuration has none."""

BLOCK, GRADIENT_BLOCK = 2_560, 512
"""Fields calculated at a time."""

LANES = 16
"""Blocks are a multiple of the numbers that a processor calculates at a time."""

MEMORY_MB = 1_000
TARGETS = {"one_field": 60.0, "fields": 0.05, "gradient": 0.3}
"""ms: a season of one field, and a season of each field of a batch."""

PRODUCTIONS: tuple[Production, ...] = get_args(Production)


@dataclass(frozen=True)
class Plan:
    """What to measure.

    Attributes
    ----------
    fields, gradient_fields : int
        Fields of the batch, and of the batch with gradients.
    repeats : int
        Timed repeats; the median counts.
    days : int
        Days from sowing.
    compiled : bool
        Compile the day.
    others : bool
        Measure PCSE and diffWOFOST, too.
    productions : tuple of str
        Which.
    """

    fields: int = FIELDS
    gradient_fields: int = GRADIENT_FIELDS
    repeats: int = REPEATS
    days: int = SEASON_DAYS
    compiled: bool = True
    others: bool = True
    productions: tuple[Production, ...] = PRODUCTIONS


def run(config: BenchConfig) -> dict[str, Any]:
    """Measure the suite of the configuration, print and write the JSON; returns its content."""
    if config.suite == "global":
        return bench.run(config)
    from neuralcrop.simulation.restart import write_text

    if config.compute.threads:
        torch.set_num_threads(config.compute.threads)
    result = measure(Plan(
        config.cells or FIELDS, config.gradient_cells, config.repeats or REPEATS,
        compiled=config.compute.compile is not False, others=config.others))
    write_text(Path(config.output), json.dumps(result, indent=1))
    text = table(result)
    if config.page is not None:
        write_section(Path(config.page), text)
    print(json.dumps(result, indent=1))
    print(text)
    return result


def measure(plan: Plan) -> dict[str, Any]:
    """All figures of the suite."""
    result: dict[str, Any] = {
        "suite": "wofost", "machine": bench.machine(), "crop": CROP, "sowing": str(SOWING),
        "days": plan.days, "fields": plan.fields, "gradient_fields": plan.gradient_fields,
        "repeats": plan.repeats, "compiled": plan.compiled,
        "targets_ms": TARGETS | {"memory_mb": MEMORY_MB}, "neuralcrop": {}}
    for production in plan.productions:
        result["neuralcrop"][production] = _own(plan, production)
    for other in others.OTHERS:
        result[other.name] = _other(plan, other, result) if plan.others else {
            "skipped": "not asked for"}
    return result


def _own(plan: Plan, production: Production) -> dict[str, Any]:
    return {
        "one_field": one_field(plan, production),
        "fields": forward_in_subprocess(plan, production),
        "gradient": gradient(plan, production),
        "storage_weight": eager_season(plan, production),
    }


def one_field(plan: Plan, production: Production) -> dict[str, Any]:
    """A season of one field, warm, double precision."""
    world = make_world(production, 1, torch.float64, plan.days)
    stepper = Stepper(world.model, compiled=plan.compiled)
    found = {}

    def work() -> None:
        found["weight"] = season(stepper, world)

    first, seconds = bench.timed(work, plan.repeats)
    return {"dtype": "float64", "milliseconds": round(1e3 * seconds, 2),
            "compile_seconds": round(first - seconds, 1),
            "storage_weight": float(found["weight"][0])}


def forward(plan: Plan, production: Production) -> dict[str, Any]:
    """A season of many fields, without gradients, single precision."""
    world = make_world(production, plan.fields, torch.float32, plan.days)
    stepper = Stepper(world.model, compiled=plan.compiled)
    threads = torch.get_num_threads()
    parts = blocks(plan.fields, BLOCK, threads)
    weight = torch.empty(plan.fields)

    def one(part: tuple[int, int]) -> None:
        found = season(stepper, world.cells(*part))
        weight[part[0]:part[1]] = found[:plan.fields - part[0]]

    def work() -> None:
        each(one, parts, threads)

    first, seconds = bench.timed(work, plan.repeats)
    return _per_field(plan.fields, seconds) | {
        "block": parts[0][1] - parts[0][0], "compile_seconds": round(first - seconds, 1),
        "peak_memory_mb": bench.peak_memory(), "storage_weight": float(weight[0])}


def forward_in_subprocess(plan: Plan, production: Production) -> dict[str, Any]:
    """`forward` in a process of its own, for its peak memory."""
    code = (f"import torch; torch.set_num_threads({torch.get_num_threads()}); "
            f"import json; from neuralcrop.compat.bench import Plan, forward; "
            f"print(json.dumps(forward({plan!r}, {production!r})))")
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def gradient(plan: Plan, production: Production) -> dict[str, Any]:
    """Gradient of the summed storage weight in all parameters of all fields, single precision."""
    world = make_world(production, plan.gradient_fields, torch.float32, plan.days)
    stepper = Stepper(world.model, compiled=plan.compiled)
    threads = torch.get_num_threads()
    parts = blocks(plan.gradient_fields, GRADIENT_BLOCK, threads)

    def one(part: tuple[int, int]) -> Tensor:
        return season_gradient(stepper, world.cells(*part))

    started = time.perf_counter()
    one(parts[0])  # compiles
    alone = time.perf_counter() - started

    def work() -> None:
        each(one, parts, threads)

    _, seconds = bench.timed(work, plan.repeats)
    return _per_field(plan.gradient_fields, seconds) | {
        "block": parts[0][1] - parts[0][0], "parameters": world.p.shape[0],
        "compile_seconds": round(alone - seconds / len(parts), 1)}


def eager_season(plan: Plan, production: Production) -> float:
    """Storage weight of the first field in double precision, not compiled, kg ha-1."""
    world = make_world(production, 1, torch.float64, plan.days)
    return float(season(Stepper(world.model), world)[0])


@torch.no_grad()
def season(stepper: Stepper, world: World) -> Tensor:
    """Storage weight of every field at the end, kg ha-1, without gradients."""
    return _weight(stepper, world, world.p)


def season_gradient(stepper: Stepper, world: World) -> Tensor:
    """Gradient of the summed storage weight in all parameters of all fields."""
    leaf = world.p.detach().clone().requires_grad_()
    _weight(stepper, world, leaf).sum().backward()
    assert leaf.grad is not None
    return leaf.grad


def _weight(stepper: Stepper, world: World, p: Tensor) -> Tensor:
    state = stepper.start(world.forcing, world.site, p)
    end = stepper.run(
        state, world.forcing, world.site, world.management, p, standing=True)
    return STATE.get(end.x, "storage_weight")


def blocks(n_fields: int, largest: int, threads: int) -> list[tuple[int, int]]:
    """First and last (exclusive) field of equal blocks, as many as keep all threads busy."""
    rounds = math.ceil(n_fields / (largest * threads))
    size = math.ceil(n_fields / (rounds * threads))
    if size > LANES:
        size = math.ceil(size / LANES) * LANES
    return [(start, start + size) for start in range(0, n_fields, size)]


def _other(plan: Plan, other: others.Other, result: dict[str, Any]) -> dict[str, Any]:
    if not other.installed():
        return {"skipped": "not installed", "remedy": "pip install 'neuralcrop[bench]'"}
    found: dict[str, Any] = {"version": other.version()}
    for production in plan.productions:
        figures = other.measure(plan, production)
        own = result["neuralcrop"][production]["storage_weight"]
        for entry in figures.values():
            if "storage_weight" in entry:
                entry["relative_difference"] = abs(entry["storage_weight"] / own - 1.0)
        found[production] = figures
    return found


def _per_field(n_fields: int, seconds: float) -> dict[str, Any]:
    return {"dtype": "float32", "fields": n_fields, "seconds": round(seconds, 3),
            "milliseconds_per_field": round(1e3 * seconds / n_fields, 4)}
