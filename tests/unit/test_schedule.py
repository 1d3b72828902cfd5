"""A day may be skipped only where its jump would change nothing."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from neuralcrop.core.forcing import DailyForcing, Management
from neuralcrop.models.global_ import layouts
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.bench import bench_weather
from neuralcrop.simulation.events import SEASON
from neuralcrop.simulation.schedule import Schedule
from tests.model_runs import SmallRun

ROWS = layouts()
STATE, FLUXES = ROWS.state, ROWS.fluxes
FALLOW_STATE, FALLOW_FLUXES = ROWS.fallow_state, ROWS.fallow_fluxes

N = 4
FIRST = 400


@pytest.fixture(scope="module")
def run() -> SmallRun:
    return SmallRun("maize", n_cells=N, n_days=31)


def year() -> DailyForcing:
    return replace(bench_weather(N, 365, torch.float64), first_day=FIRST)


def schedule(run: SmallRun, management: Management) -> Schedule:
    return Schedule(run.model, year(), management, run.p)


def state(
    run: SmallRun, stage: list[float], active: list[float], rain: float = 300.0
) -> tuple[torch.Tensor, torch.Tensor]:
    start = run.stepper.start(run.forcing, run.site, run.p)
    x, season = start.x.clone(), start.season.clone()
    STATE.get(x, "development_stage")[:] = torch.tensor(stage, dtype=x.dtype)
    STATE.get(x, "storage_carbon")[:] = 100.0
    STATE.get(x, "leaf_carbon")[:] = 5.0
    STATE.get(x, "root_depth")[:] = 0.5
    STATE.get(x, "precipitated_water")[:] = -rain
    SEASON.get(season, "active")[:] = torch.tensor(active, dtype=x.dtype)
    return x, season


def changes(
    run: SmallRun, plan: Schedule, k: int, x: torch.Tensor, season: torch.Tensor
) -> bool:
    named = run.model.table.layout.view(run.p)
    after, record = run.stepper._events(
        x, season, run.p, run.model.place(named, run.site), *plan.at(k))
    return not (torch.equal(after, x)
                and torch.equal(record.nan_to_num(-9.0), season.nan_to_num(-9.0)))


ORDERS = {
    "rainfed": {},
    "several sowing days": {"sowing_day": torch.tensor([[100, 121, 0, 300]])},
    "fixed harvest": {"harvest_day": torch.tensor([250, 0, 260, 0])},
    "dated irrigation": {"irrigation_dates": {
        FIRST + 150: torch.tensor([0.0, 20.0, 0.0, 0.0], dtype=torch.float64)}},
    "irrigated": {"irrigation_threshold": torch.full((N,), 0.8, dtype=torch.float64)},
}

STAGES = {
    "fallow": ([2.0] * N, [0.0] * N),
    "growing": ([0.3, 0.9, 1.4, 1.99], [1.0] * N),
    "ripe": ([2.0, 1.5, 2.0, 0.5], [1.0, 1.0, 1.0, 0.0]),
}


@pytest.mark.parametrize("stages", STAGES)
@pytest.mark.parametrize("orders", ORDERS)
def test_no_day_that_changes_anything_is_skipped(
    run: SmallRun, orders: str, stages: str
) -> None:
    plan = schedule(run, replace(run.management, **ORDERS[orders]))  # type: ignore[arg-type]
    x, season = state(run, *STAGES[stages])
    skipped = 0
    for k in (*range(0, 365, 23), 99, 120, 150, 249, 259, 299):
        for age in (10.0, 29.0, 30.0, 179.0, 180.0):
            season = season.clone()  # the plan looks at new bookkeeping only
            SEASON.get(season, "plant_day")[:] = FIRST + k - age
            if not plan.due(k, x, season):
                skipped += 1
                assert not changes(run, plan, k, x, season), f"day {k}, age {age}"
    assert (skipped == 0) == (orders == "irrigated")


@pytest.mark.parametrize(("orders", "days"), [
    ("several sowing days", (99, 120, 299)), ("fixed harvest", (249, 259)),
    ("dated irrigation", (150,))])
def test_ordered_days_are_due(run: SmallRun, orders: str, days: tuple[int, ...]) -> None:
    plan = schedule(run, replace(run.management, **ORDERS[orders]))  # type: ignore[arg-type]
    x, season = state(run, *STAGES["fallow"])
    assert all(plan.due(k, x, season) for k in days)
    if orders == "several sowing days":
        assert all(changes(run, plan, k, x, season) for k in days)


def test_harvests_are_due_on_their_day(run: SmallRun) -> None:
    plan = schedule(run, run.management)
    x, season = state(run, *STAGES["growing"])
    SEASON.get(season, "plant_day")[:] = FIRST + 20 - 179.0
    assert not plan.due(20, x, season)
    assert plan.due(21, x, season)  # the latest date
    season = season.clone()
    SEASON.get(season, "plant_day")[:] = FIRST + 20 - 30.0
    STATE.get(x, "development_stage")[2] = 2.0
    assert plan.due(20, x, season)


def test_long_fallow_is_closed_at_the_turn_of_the_year_at_the_latest(run: SmallRun) -> None:
    # its balance starts anew on the next day with any event: no record depends on the day
    plan = schedule(run, run.management)
    x, season = state(run, *STAGES["fallow"], rain=2500.0)
    assert plan.due(0, x, season)
    assert changes(run, plan, 0, x, season)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_fallow_day_is_the_full_day_without_crops(dtype: torch.dtype) -> None:
    run = SmallRun("winter_wheat", n_cells=N, n_days=31)
    forcing = replace(bench_weather(N, 365), first_day=0)
    forcing, site, p = forcing.to(dtype=dtype), run.site.to(dtype=dtype), run.p.to(dtype)
    layout = run.model.table.layout
    place, few = run.model.place(layout.view(p), site), p[
        layout.rows(run.model.fallow_parameters.names)]
    rows = STATE.rows(FALLOW_STATE.names)
    state = run.stepper.start(forcing, site, p)
    x = state.x
    STATE.get(x, "snow_water")[:2] = 30.0
    assert Schedule(run.model, forcing, run.management, p).fallow(state.season)
    for k in range(0, 365, 3):
        today = (forcing.values[k], forcing.solar_day[k])
        full, fluxes = run.model.rates(x, *today, p, place, 1.0)
        fallow, water = run.model.fallow_rates(x[rows], *today, few, place, 1.0)
        whole = torch.zeros_like(full)
        whole[rows] = fallow
        assert torch.equal(full, whole), f"day {k}"
        for name in FLUXES.names:
            expected = FALLOW_FLUXES.get(water, name) if name in FALLOW_FLUXES.sizes else 0.0
            assert bool((FLUXES.get(fluxes, name) == expected).all()), f"day {k}, {name}"
        x = x + full


def test_one_crop_in_one_cell_ends_the_fallow(run: SmallRun) -> None:
    plan = schedule(run, run.management)
    assert plan.fallow(state(run, [2.0] * N, [0.0] * N)[1])
    assert not plan.fallow(state(run, [2.0] * N, [0.0, 0.0, 1.0, 0.0])[1])


# --- gifts, failed crops, sequences --------------------------------------------------------------


@pytest.fixture(scope="module")
def fed() -> SmallRun:
    return SmallRun("maize", n_cells=N, n_days=31, model=build_model(
        ModelSpec(nutrients=True)))


def fed_state(
    run: SmallRun, stage: float, age: float, active: float = 1.0
) -> tuple[torch.Tensor, torch.Tensor]:
    rows = layouts(True).state
    start = run.stepper.start(run.forcing, run.site, run.p)
    x, season = start.x.clone(), start.season.clone()
    rows.get(x, "development_stage")[:] = stage
    rows.get(x, "leaf_carbon")[:] = 5.0
    rows.get(x, "root_depth")[:] = 0.5
    SEASON.get(season, "active")[:] = active
    SEASON.get(season, "plant_day")[:] = FIRST + 50 - age
    return x, season


def plan_of(*gifts: tuple[float, ...]) -> torch.Tensor:
    none = (0.0, -9.0, 0.0, 0.0, 0.0)
    rows = torch.tensor([*gifts, *[none] * (6 - len(gifts))], dtype=torch.float64)
    return rows.T.unsqueeze(-1).expand(-1, -1, N)


@pytest.mark.parametrize(("age", "stage", "active", "due"), [
    (39.0, 0.2, 1.0, False), (40.0, 0.2, 1.0, True), (39.0, 0.6, 1.0, True),
    (40.0, 0.6, 0.0, False)])
@pytest.mark.parametrize("planned", [False, True])
def test_gifts_are_due_on_their_day_or_stage(
    fed: SmallRun, age: float, stage: float, active: float, due: bool, planned: bool
) -> None:
    plan = schedule(fed, replace(fed.management, fertiliser_plan=plan_of(
        (40.0, -9.0, 3.0, 0.0, 0.0), (0.0, 0.5, 0.0, 2.0, 0.0))))
    x, season = fed_state(fed, stage, age, active)
    assert plan.due(49 + 1, x, season, planned) == due
    assert changes(fed, plan, 50, x, season) == due
    if due:
        _, season = fed.stepper._events(
            x, season, fed.p, fed.model.place(fed.model.table.layout.view(fed.p), fed.site),
            *plan.at(50))
        if stage > 0.5 and age >= 40.0:
            assert not plan.due(51, x, season, planned)


def test_dated_gifts_are_due_without_a_crop(fed: SmallRun) -> None:
    gift = torch.full((3, N), 2.0, dtype=torch.float64)
    plan = schedule(fed, replace(fed.management, fertiliser_dates={FIRST + 50: gift}))
    x, season = fed_state(fed, 2.0, 0.0, active=0.0)
    assert plan.due(50, x, season)
    assert changes(fed, plan, 50, x, season)
    assert not plan.due(51, x, season)


def test_crops_without_leaves_are_looked_at_every_fifth_day(run: SmallRun) -> None:
    plan = schedule(run, run.management)
    x, season = state(run, [0.3] * N, [1.0] * N)
    STATE.get(x, "leaf_carbon")[:, 1] = 0.0
    SEASON.get(season, "plant_day")[:] = FIRST + 20.0
    assert not any(plan.due(k, x, season) for k in (31, 32, 33, 34))
    assert plan.due(35, x, season)
    assert changes(run, plan, 35, x, season)
    for k in (31, 34, 36):
        assert not changes(run, plan, k, x, season)


def test_seed_that_stays_in_the_ground_is_due_once(run: SmallRun) -> None:
    plan = schedule(run, run.management)
    x, season = state(run, [-0.05] * N, [1.0] * N)
    SEASON.get(season, "plant_day")[:] = FIRST + 10.0
    assert [k for k in range(41, 80) if plan.due(k, x, season)] == [70]
    assert changes(run, plan, 70, x, season)


def test_every_slot_of_a_sequence_is_due(run: SmallRun) -> None:
    def twice(x: torch.Tensor) -> torch.Tensor:
        return torch.stack([x, x])

    m = run.management
    days = torch.tensor([120, 250]).reshape(2, 1, 1).expand(2, 1, N)
    orders = Management(
        twice(m.crop), days, twice(m.harvest_day), twice(m.irrigation_threshold),
        twice(m.irrigation_target))
    plan = Schedule(run.model, year(), orders, twice(run.p))
    x, season = state(run, *STAGES["fallow"])
    due = [k for k in range(1, 365) if plan.due(k, x, season)]
    assert due == [119, 249]
    slots = [plan.at(k)[1] for k in due]
    assert [int(o.sown_slot[0]) for o in slots if o.sown_slot is not None] == [0, 1]
    assert [int(o.sowing_day[0]) for o in slots] == [120, 250]
    assert int(plan.at(60)[1].sowing_day[0]) == 0
