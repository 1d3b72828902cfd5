"""Speed and memory of the model on this machine, as one JSON file."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from neuralcrop.core.forcing import N_GIFTS, PLAN_ROWS, DailyForcing, Management, Site
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.bench_shares import process_shares
from neuralcrop.simulation.blocks import BlockRun
from neuralcrop.simulation.events import SEASON
from neuralcrop.simulation.integrate import Solver, Stepper
from neuralcrop.simulation.parallel import each

if TYPE_CHECKING:
    from neuralcrop.config import BenchConfig

SEASON_DAYS = 153
"""One season of one cell: 1 May to 30 September."""

CELLS, REPEATS = 16384, 3
"""Where the configuration has none."""

GLOBE_CELLS = 67420
"""Land cells of the ISIMIP half-degree grid."""


def bench_weather(n_cells: int, n_days: int, dtype: torch.dtype = torch.float32) -> DailyForcing:
    """Smooth seasonal weather with noise for ``n_cells`` places between 35 and 50 degrees north.

    Made in place of data so that the benchmark runs anywhere; the same for every run.
    """
    generator = torch.Generator().manual_seed(0)

    def noise() -> Tensor:
        return torch.rand(n_days, n_cells, generator=generator)

    day = torch.arange(n_days, dtype=torch.float32) % 365 + 1
    summer = torch.sin(2 * torch.pi * (day - 110) / 365).unsqueeze(-1)
    latitude = _latitudes(n_cells)
    tas = 11 + 12 * summer - 0.6 * (latitude - 42) + 6 * (noise() - 0.5)
    saturation = 0.6108 * torch.exp(17.27 * tas / (tas + 237.3))
    rows = (
        tas - 5, tas + 6, tas, (190 + 110 * summer) * (0.6 + 0.5 * noise()),
        0.98 * 5.67e-8 * (tas + 273.15) ** 4 - 60, (noise() < 0.3) * 14 * noise(),
        0.65 * saturation, torch.full_like(tas, 3.0), torch.full_like(tas, 100.0),
        torch.full_like(tas, 400.0))
    values = torch.empty(n_days, len(rows), n_cells, dtype=dtype)
    for k, row in enumerate(rows):
        values[:, k] = row
    year = 2000 + torch.arange(n_days) // 365
    return DailyForcing(values, day.to(dtype), day.to(dtype), year)


def bench_place(model: CropModel, crop: str, n_cells: int, dtype: torch.dtype = torch.float32
                ) -> tuple[Site, Management, Tensor]:
    """Loam, sowing on 1 May, rainfed, with nutrients 120 kg ha-1 of nitrogen; the parameters."""
    def layers(value: float) -> Tensor:
        return torch.full((5, n_cells), value, dtype=dtype)

    flat = torch.zeros(n_cells, dtype=dtype)
    site = Site(
        _latitudes(n_cells).to(dtype), flat, flat, layers(0.137), layers(0.280), layers(0.459),
        layers(15.5), flat + 1.5)
    index = torch.full((n_cells,), model.table.crop_index[crop])
    plan = None
    if "nitrate" in model.state.sizes:
        plan = torch.zeros(len(PLAN_ROWS), N_GIFTS, n_cells, dtype=dtype)
        for gift, day in enumerate((0.0, 40.0)):
            for row, value in (("day", day), ("nitrate", 3.0), ("ammonium", 3.0)):
                plan[PLAN_ROWS.index(row), gift] = value
    management = Management(
        index, torch.full((1, n_cells), 121), torch.zeros(n_cells, dtype=torch.int64), flat,
        flat + 1.0, fertiliser_plan=plan)
    model.choose_pathways(index)
    return site, management, model.table(index, dtype).detach()


def run(config: BenchConfig) -> dict[str, Any]:
    """Suite ``global``: measure, print and write the JSON; returns its content."""
    from neuralcrop.simulation.restart import write_text

    cells, repeats = config.cells or CELLS, config.repeats or REPEATS
    if config.compute.threads:
        torch.set_num_threads(config.compute.threads)
    crop = config.crop.name or "maize"
    nutrients = config.model.with_nutrients(None)
    model = build_model(ModelSpec(
        **config.closure.specification(),
        nutrients=nutrients, **config.model.components))
    solver = Solver(config.solver.method, config.solver.step_size, config.solver.rtol,
                    config.solver.atol)
    result: dict[str, Any] = {"machine": machine(), "crop": crop, "solver": config.solver.method,
                              "cells": cells, "days": config.days, "nutrients": nutrients}
    measure = Measurement(model, crop, solver, config.compute.block_cells, repeats)
    result["one_cell_season"] = measure.one_cell()
    result["forward"] = measure.forward(cells, config.days)
    if config.gradient:
        result["forward_backward"] = measure.gradient(cells, config.days)
        result["forward_backward"]["times_forward"] = round(
            result["forward_backward"]["seconds"] / result["forward"]["seconds"], 2)
    result["eager_against_compiled"] = measure.agreement()
    result["process_shares"] = measure.shares()
    if config.globe:
        result["globe_year"] = globe_in_subprocess(
            crop, config.compute.block_cells, nutrients)
    write_text(Path(config.output), json.dumps(result, indent=1))
    print(json.dumps(result, indent=1))
    return result


class Measurement:
    """Timings of one model.

    Parameters
    ----------
    model : CropModel
        Model.
    crop : str
        Crop of all cells.
    solver : Solver
        Integration.
    block_cells : int
        Cells calculated at a time.
    repeats : int
        Timed repeats, of which the median counts.
    """

    def __init__(self, model: CropModel, crop: str, solver: Solver, block_cells: int,
                 repeats: int) -> None:
        self.model, self.crop, self.solver = model, crop, solver
        self.block_cells, self.repeats = block_cells, repeats
        bench_place(model, crop, 1)
        self.stepper = Stepper(model, solver, compiled=True)

    def one_cell(self) -> dict[str, Any]:
        """One cell, one season, warm."""
        weather = bench_weather(1, 365).days(120, 120 + SEASON_DAYS)
        site, management, p = bench_place(self.model, self.crop, 1)

        def work() -> None:
            BlockRun(self.stepper, site, management, p, self.block_cells).run([weather])

        first, seconds = timed(work, max(self.repeats, 5))
        return {"days": SEASON_DAYS, "milliseconds": round(1e3 * seconds, 1),
                "first_seconds": round(first, 1)}

    def forward(self, n_cells: int, n_days: int) -> dict[str, Any]:
        """All cells, no gradient."""
        weather = bench_weather(n_cells, n_days)
        site, management, p = bench_place(self.model, self.crop, n_cells)

        def work() -> None:
            BlockRun(self.stepper, site, management, p, self.block_cells).run([weather])

        first, seconds = timed(work, self.repeats)
        return _rate(n_cells * n_days, seconds) | {"compile_seconds": round(first - seconds, 1)}

    def gradient(self, n_cells: int, n_days: int) -> dict[str, Any]:
        """All cells, gradient of the summed yield with respect to every parameter."""
        weather = bench_weather(n_cells, n_days)
        site, management, p = bench_place(self.model, self.crop, n_cells)
        size = min(self.block_cells, n_cells)
        blocks = torch.arange(n_cells).split(size)

        def one(cells: Tensor) -> None:
            season_gradient(self.stepper, weather.cells(cells), site.cells(cells),
                            management.cells(cells), p[:, cells])

        def work() -> None:
            each(one, blocks, torch.get_num_threads())

        started = time.perf_counter()
        one(blocks[0])  # compiles
        alone = time.perf_counter() - started
        _, seconds = timed(work, self.repeats)
        return _rate(n_cells * n_days, seconds) | {
            "compile_seconds": round(alone - seconds / len(blocks), 1),
            "peak_memory_mb": peak_memory()}

    def agreement(self, n_cells: int = 64) -> dict[str, float]:
        """Largest relative difference of yields between eager and compiled days."""
        weather = bench_weather(n_cells, 365)
        site, management, p = bench_place(self.model, self.crop, n_cells)
        eager = Stepper(self.model, self.solver)
        yields = []
        for stepper in (eager, self.stepper):
            blocks = BlockRun(stepper, site, management, p, self.block_cells)
            blocks.run([weather])
            yields.append(blocks.seasons.arrays()["yield"][0])
        difference = (yields[0] - yields[1]).abs() / yields[0].abs().clamp_min(0.1)
        return {"largest_relative_difference": float(difference.max())}


    @torch.no_grad()
    def shares(self, n_cells: int = 2048, n_days: int = 60) -> dict[str, float]:
        """Share of every process in the days after sowing, uncompiled and with one thread."""
        weather = replace(bench_weather(n_cells, 181).days(121 - 1, 121 - 1 + n_days), first_day=0)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return process_shares(
                self.model, weather, *bench_place(self.model, self.crop, n_cells))
        finally:
            torch.set_num_threads(threads)


def season_gradient(
    stepper: Stepper, weather: DailyForcing, site: Site, management: Management, p: Tensor
) -> Tensor:
    """Gradient of the summed yield of one run with respect to all parameters of all cells."""
    leaf = p.detach().clone().requires_grad_()
    state = stepper.run(
        stepper.start(weather, site, leaf), weather, site, management, leaf)
    total = SEASON.get(state.season, "last_yield") + stepper.model.standing_yield(state.x, leaf)
    total.sum().backward()
    assert leaf.grad is not None
    return leaf.grad


def globe_in_subprocess(crop: str, block_cells: int, nutrients: bool = False) -> dict[str, Any]:
    """A year of the half-degree globe in a process of its own, for its peak memory."""
    code = (f"from neuralcrop.simulation import bench; "
            f"bench.globe_year({crop!r}, {block_cells}, {nutrients})")
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True)
    answer: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return answer


def globe_year(crop: str, block_cells: int, nutrients: bool = False) -> None:
    """Run a year of `GLOBE_CELLS` in chunks of 73 days; print seconds and peak memory as JSON."""
    model = build_model(ModelSpec(nutrients=nutrients))
    site, management, p = bench_place(model, crop, GLOBE_CELLS)
    stepper = Stepper(model, compiled=True)
    year = bench_weather(64, 365)
    index = torch.arange(GLOBE_CELLS) % 64

    def chunks() -> Iterator[DailyForcing]:
        for start in range(0, 365, 73):
            days = year.days(start, start + 73)
            yield DailyForcing(days.values[:, :, index], days.day_of_year, days.solar_day,
                               days.year, days.first_day)

    started = time.perf_counter()
    BlockRun(stepper, site, management, p, block_cells).run(chunks())
    seconds = time.perf_counter() - started
    print(json.dumps({"cells": GLOBE_CELLS, "seconds": round(seconds, 1),
                      "peak_memory_mb": peak_memory()}))


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    name = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.is_file():
        names = [line.split(":", 1)[1].strip() for line in cpuinfo.read_text().splitlines()
                 if line.startswith("model name")]
        name = names[0] if names else name
    return {
        "cpu": name, "cores": os.cpu_count(), "threads": torch.get_num_threads(),
        "torch": torch.__version__, "python": platform.python_version(),
        "device": torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu",
    }


def timed(work: Callable[[], None], repeats: int) -> tuple[float, float]:
    """Seconds of the first call and the median of the repeats after it."""
    seconds = []
    for _ in range(repeats + 1):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
    return seconds[0], statistics.median(seconds[1:])


def _rate(cell_days: int, seconds: float) -> dict[str, Any]:
    return {"seconds": round(seconds, 3),
            "million_cell_days_per_second": round(cell_days / seconds / 1e6, 3)}


def peak_memory() -> int:
    """Largest memory of this process so far, MB."""
    status = Path("/proc/self/status")
    if status.is_file():  # ru_maxrss of a child starts at that of its parent
        line = next(k for k in status.read_text().splitlines() if k.startswith("VmHWM"))
        return int(line.split()[1]) // 1024
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak // (2**20 if sys.platform == "darwin" else 1024)


def _latitudes(n_cells: int) -> Tensor:
    return torch.linspace(35.0, 50.0, n_cells)
