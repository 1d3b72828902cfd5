"""With nutrients, too, results do not depend on how the work is cut."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neuralcrop.closures.mlp import ScaleClosure
from neuralcrop.core.forcing import Management
from neuralcrop.models.global_ import layouts
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.bench import bench_weather
from neuralcrop.simulation.blocks import BlockRun
from neuralcrop.simulation.integrate import RunState
from neuralcrop.simulation.restart import load_restart, save_restart
from neuralcrop.simulation.schedule import Schedule
from tests.farm import AT, Farm, N
from tests.model_runs import SmallRun

DAYS = 320
ROWS = layouts(True)
STATE = ROWS.state


@pytest.fixture(scope="module")
def farm() -> Farm:
    return Farm(DAYS, torch.float32)


def blocks_of(farm: Farm, size: int = N, cells: torch.Tensor | None = None) -> BlockRun:
    cells = torch.arange(N) if cells is None else cells
    return BlockRun(farm.stepper, farm.site.cells(cells), farm.management.cells(cells),
                    farm.p[..., cells], size)


@pytest.fixture(scope="module")
def whole(farm: Farm) -> tuple[RunState, dict[str, torch.Tensor]]:
    run = blocks_of(farm)
    end = run.run([farm.forcing], farm.start())
    return end, run.seasons.arrays()


def same(a: RunState, b: RunState, cells: torch.Tensor | None = None) -> None:
    cells = torch.arange(N) if cells is None else cells
    assert torch.equal(a.x, b.x[:, cells])
    assert torch.equal(a.season.nan_to_num(-9.0), b.season[:, cells].nan_to_num(-9.0))


@pytest.mark.parametrize("day", [170])
def test_restart_in_mid_season_changes_no_bit(
    farm: Farm, whole: tuple, tmp_path: Path, day: int
) -> None:
    first, second = blocks_of(farm), blocks_of(farm)
    half = first.run(
        [farm.forcing.days(0, day)], farm.start())  # the first year's warmth sets that of the soil
    # crops stand, have taken nitrogen and wait for their second gift, in a sequence
    assert float(STATE.get(half.x, "leaf_nitrogen")[AT["fertilised"]]) > 0.1
    save_restart(tmp_path / "restart.pt", half, "here", farm.model)
    end = second.run(
        [farm.forcing.days(day, DAYS)], load_restart(tmp_path / "restart.pt", "here", farm.model))
    same(end, whole[0])


def test_blocks_and_order_of_cells_change_no_bit(farm: Farm, whole: tuple) -> None:
    order = torch.randperm(N, generator=torch.Generator().manual_seed(2))
    run = blocks_of(farm, 7, order)  # the last block is padded
    start = farm.start().cells(order)
    same(run.run([farm.forcing.cells(order)], start), whole[0], order)
    for name, values in run.seasons.arrays().items():
        assert torch.equal(values.nan_to_num(-9.0), whole[1][name][:, order].nan_to_num(-9.0)), name


def small(crop: str, n_days: int, model: object = None, cells: int = 3) -> SmallRun:
    model = model or build_model(ModelSpec(crops=(crop,), nutrients=True)).double()
    run = SmallRun(crop, n_cells=cells, n_days=n_days, model=model)  # type: ignore[arg-type]
    return run


NEW_SLOTS = sorted(set(build_model(ModelSpec(crops=("maize",), nutrients=True)).closures())
                   - set(build_model(ModelSpec(crops=("maize",))).closures()))


def test_untrained_closures_in_the_new_slots_change_no_bit() -> None:
    assert len(NEW_SLOTS) >= 6
    plain = small("maize", 80)().x
    hybrid = build_model(ModelSpec(
        crops=("maize",), closures=tuple(NEW_SLOTS), nutrients=True)).double()
    assert torch.equal(small("maize", 80, hybrid)().x, plain)


def test_every_new_slot_takes_a_closure_that_acts() -> None:
    plain = small("maize", 60, cells=1)().x
    for slot in NEW_SLOTS:
        model = build_model(ModelSpec(crops=("maize",), nutrients=True)).double()
        closure = ScaleClosure([4], bound=1.5).double()
        torch.nn.init.constant_(closure.network[-1].bias, -1.0)
        model.place_closure(slot, closure)
        assert not torch.equal(small("maize", 60, model, 1)().x, plain), f"{slot} has no effect"


def bare_field(dtype: torch.dtype) -> tuple[SmallRun, Management]:
    """Fields with manure and snow, on which nothing is sown."""
    model = build_model(ModelSpec(crops=("winter_wheat",), nutrients=True)).to(dtype)
    run = SmallRun("winter_wheat", n_cells=4, n_days=31, model=model, dtype=dtype)
    run.forcing = replace(bench_weather(4, 365, dtype), first_day=0)
    gift = torch.full((3, 4), 4.0, dtype=dtype)
    return run, replace(
        run.management, sowing_day=torch.zeros(1, 4, dtype=torch.int64),
        fertiliser_dates={30: gift, 200: gift})


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_fallow_day_is_the_full_day_without_crops(dtype: torch.dtype) -> None:
    run, management = bare_field(dtype)
    model, layout = run.model, run.model.table.layout
    place = model.place(layout.view(run.p), run.site)
    few = run.p[layout.rows(model.fallow_parameters.names)]
    rows = STATE.rows(ROWS.fallow_state.names)
    state = run.stepper.start(run.forcing, run.site, run.p)
    x = state.x
    STATE.get(x, "snow_water")[:2] = 30.0
    assert Schedule(model, run.forcing, management, run.p).fallow(state.season)
    for k in range(0, 365, 3):
        today = (run.forcing.values[k], run.forcing.solar_day[k])
        full, fluxes = model.rates(x, *today, run.p, place, 1.0)
        bare, few_fluxes = model.fallow_rates(x[rows], *today, few, place, 1.0)
        expected = torch.zeros_like(full)
        expected[rows] = bare
        assert torch.equal(full, expected), f"day {k}"
        for name in ROWS.fluxes.names:
            there = ROWS.fallow_fluxes.get(few_fluxes, name) if (
                name in ROWS.fallow_fluxes.sizes) else 0.0
            assert bool((ROWS.fluxes.get(fluxes, name) == there).all()), f"day {k}, {name}"
        x = x + full


def test_a_run_over_fallow_is_that_of_the_full_days() -> None:
    run, management = bare_field(torch.float64)
    start = run.stepper.start(run.forcing, run.site, run.p)
    inputs = (start, run.forcing, run.site, management, run.p)
    with torch.no_grad():
        skipped = run.stepper.run(*inputs)
        full = run.stepper.run(*inputs, lambda *_: None)  # who observes gets full days
    assert torch.equal(skipped.x, full.x)
    assert float(STATE.get(skipped.x, "manured_nitrogen").max()) == -8.0
