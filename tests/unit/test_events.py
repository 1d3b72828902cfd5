"""Sowing, harvest and irrigation: reasons, records, and exact balances across every jump."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch
from torch import Tensor

from neuralcrop.core.ledger import Ledger
from neuralcrop.core.numerics import whole
from neuralcrop.core.variables import HARVEST_REASONS
from neuralcrop.models.global_ import layouts
from neuralcrop.simulation.bench import bench_place, bench_weather
from neuralcrop.simulation.events import SEASON, Orders, Today, jump
from neuralcrop.simulation.integrate import Stepper
from tests.model_runs import SmallRun

ROWS = layouts()
RESERVOIRS, STATE, STOCKS = ROWS.reservoirs, ROWS.state, ROWS.stocks

N = 3
LEDGER = Ledger(STATE)
TODAY = 200


@cache
def small_run(crop: str, dtype: torch.dtype) -> SmallRun:
    return SmallRun(crop, n_cells=N, n_days=31, dtype=dtype)


class Field:
    """A standing crop on one morning, with stocks and reservoirs in whole quanta."""

    def __init__(self, dtype: torch.dtype = torch.float64, stage: float = 1.5, age: float = 90.0,
                 active: bool = True, crop: str = "maize") -> None:
        run = small_run(crop, dtype)
        self.dtype, self.run = dtype, run
        self.p = run.model.table.layout.view(run.p)
        self.column = run.model.parts.soil.column(self.p, run.site)
        start = run.stepper.start(run.forcing, run.site, run.p)
        self.x, self.season = start.x.clone(), start.season.clone()
        g = torch.Generator().manual_seed(4)
        grown = [n for n in STOCKS if n.endswith("carbon")] if active else []
        for name in (*grown, *(n for n in RESERVOIRS if n.endswith("water"))):
            self.set(name, whole(100.0 * torch.rand(
                STATE.get(self.x, name).shape, dtype=dtype, generator=g)))
        for name in ("precipitated_water", "irrigated_water"):
            self.set(name, -STATE.get(self.x, name))
        if active:
            self.set("assimilated_carbon", -self.stocks("carbon"))
        self.set("development_stage", stage if active else 2.0)
        self.set("root_depth", 0.6)
        SEASON.get(self.season, "active")[:] = float(active)
        SEASON.get(self.season, "plant_day")[:] = TODAY - age

    def set(self, name: str, value: Tensor | float) -> None:
        STATE.get(self.x, name)[...] = value

    def stocks(self, element: str) -> Tensor:
        names = [n for n in STOCKS if n.endswith(element)]
        return torch.cat([STATE.get(self.x, n).reshape(-1, N) for n in names]).sum(dim=0)

    def orders(self, sow: int = 0, harvest: int = 0, threshold: float = 0.0,
               target: float = 1.0, amount: float = 0.0) -> Orders:
        flat = torch.zeros(N, dtype=self.dtype)
        day = torch.zeros(N, dtype=torch.int64)
        return Orders(day + sow, day + harvest, flat + threshold, flat + target, flat + amount)

    def jump(self, orders: Orders) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        today = Today(*(torch.tensor(v, dtype=self.dtype) for v in (TODAY, 200.0, 2001.0)))
        place = self.run.model.place(self.p, self.run.site)
        self.x_after, season = jump(
            self.run.model, self.x, self.season, self.run.p, place, today, orders)
        return STATE.view(self.x_after), SEASON.view(season)


def reason(season: dict[str, Tensor]) -> set[str]:
    return {HARVEST_REASONS[int(k)] for k in season["last_harvest_reason"].tolist()}


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_harvest_conserves_carbon_exactly(dtype: torch.dtype) -> None:
    field = Field(dtype, stage=2.0)
    x, season = field.jump(field.orders())
    assert (season["harvests"] == 1.0).all()
    assert torch.equal(LEDGER.total(field.x_after, "carbon"), LEDGER.total(field.x, "carbon"))
    assert torch.equal(
        x["harvested_carbon"],
        STATE.get(field.x, "harvested_carbon") + STATE.get(field.x, "storage_carbon"))
    left = torch.cat([x[n].reshape(-1, N) for n in STOCKS if n.endswith("carbon")])
    assert (left == 0.0).all()
    assert torch.equal(LEDGER.total(field.x_after, "water"), LEDGER.total(field.x, "water"))


def test_the_record_is_what_stood_in_the_field() -> None:
    field = Field(stage=2.0)
    _, season = field.jump(field.orders())
    storage = STATE.get(field.x, "storage_carbon")
    torch.testing.assert_close(season["last_yield"], 0.01 * storage / field.p["carbon_fraction"])
    assert (season["last_biom"] > season["last_yield"]).all()
    assert season["last_harvday"].tolist() == [90.0] * N
    assert season["last_harvyear"].tolist() == [2001.0] * N
    assert (season["last_carbon_residual"] == 0.0).all()


@pytest.mark.parametrize(
    ("stage", "age", "harvest_day", "expected"),
    [(2.0, 90.0, 0, "mature"), (1.5, 400.0, 0, "latest_date"), (1.5, 90.0, 200, "fixed_date"),
     (2.0, 90.0, 200, "fixed_date"), (2.0, 400.0, 250, "mature")])
def test_why_a_season_ends(stage: float, age: float, harvest_day: int, expected: str) -> None:
    field = Field(stage=stage, age=age)
    _, season = field.jump(field.orders(harvest=harvest_day))
    assert reason(season) == {expected}
    assert (season["active"] == 0.0).all()


@pytest.mark.parametrize(
    ("stage", "age", "harvest_day"),
    [(1.5, 90.0, 0), (2.0, 10.0, 0), (1.5, 10.0, 200), (2.0, 90.0, 250), (1.5, 90.0, 250)])
def test_why_a_crop_stays(stage: float, age: float, harvest_day: int) -> None:
    field = Field(stage=stage, age=age)
    _, season = field.jump(field.orders(harvest=harvest_day))
    assert (season["harvests"] == 0.0).all()
    assert (season["active"] == 1.0).all()


def test_unripe_seasons_have_no_dates_of_stages() -> None:
    early, late = Field(stage=0.5, age=400.0), Field(stage=1.5, age=400.0)
    _, season = early.jump(early.orders())
    assert season["last_anthday"].isnan().all()
    assert season["last_matyday"].isnan().all()
    _, season = late.jump(late.orders())
    assert not season["last_anthday"].isnan().any()
    assert season["last_matyday"].isnan().all()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_sowing_conserves_carbon_and_begins_a_balance(dtype: torch.dtype) -> None:
    field = Field(dtype, active=False)
    x, season = field.jump(field.orders(sow=200))
    assert (LEDGER.total(field.x_after, "carbon") == 0.0).all()
    assert torch.equal(x["leaf_carbon"].sum(dim=0) + x["root_carbon"], -x["seed_carbon"])
    assert torch.equal(x["seed_carbon"], -whole(field.p["seed_carbon"]))
    assert all((x[n] == 0.0).all() for n in RESERVOIRS if n.endswith("water"))
    assert torch.equal(LEDGER.total(field.x_after, "water"), season["start_water"])
    assert torch.equal(x["soil_water"], STATE.get(field.x, "soil_water"))
    assert (x["development_stage"] == torch.tensor(-0.1, dtype=dtype)).all()
    assert season["plant_day"].tolist() == [TODAY] * N
    assert season["plant_year"].tolist() == [2001.0] * N


def test_sowing_again_harvests_what_stands() -> None:
    field = Field(stage=1.2, age=90.0)
    x, season = field.jump(field.orders(sow=200))
    assert reason(season) == {"latest_date"}
    assert (season["active"] == 1.0).all()
    assert (season["plant_day"] == TODAY).all()
    assert (season["last_carbon_residual"] == 0.0).all()
    assert (LEDGER.total(field.x_after, "carbon") == 0.0).all()
    assert (x["storage_carbon"] == 0.0).all()


def test_sowing_a_young_crop_again_does_nothing() -> None:
    field = Field(stage=0.2, age=10.0)
    field.jump(field.orders(sow=200))
    assert torch.equal(field.x_after, field.x)


def test_cells_without_orders_are_left_alone() -> None:
    field = Field(stage=1.5)
    sowing = torch.tensor([200, 0, 100])
    x, season = field.jump(field.orders()._replace(sowing_day=sowing))
    assert season["harvests"].tolist() == [1.0, 0.0, 0.0]
    assert torch.equal(field.x_after[:, 1:], field.x[:, 1:])
    assert x["seed_carbon"][0] < 0.0


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("amount", [30.0, 2000.0])
def test_dated_irrigation_conserves_water_exactly(dtype: torch.dtype, amount: float) -> None:
    field = Field(dtype)
    x, _ = field.jump(field.orders(amount=amount))
    assert torch.equal(LEDGER.total(field.x_after, "water"), LEDGER.total(field.x, "water"))
    given = STATE.get(field.x, "irrigated_water") - x["irrigated_water"]
    assert (given == amount).all()
    assert (x["soil_water"] <= field.column.saturation).all()
    overflow = x["runoff_water"] - STATE.get(field.x, "runoff_water")
    assert (overflow > 0.0).all() == (amount > 1000.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_irrigation_to_a_target_fills_the_root_zone(dtype: torch.dtype) -> None:
    field = Field(dtype, stage=1.0)
    wilting, capacity = field.column.wilting, field.column.capacity
    field.set("soil_water", whole(wilting + 0.2 * (capacity - wilting)))
    x, _ = field.jump(field.orders(threshold=0.6, target=0.8))
    assert torch.equal(LEDGER.total(field.x_after, "water"), LEDGER.total(field.x, "water"))
    relative = (x["soil_water"] - wilting) / (capacity - wilting)
    assert torch.allclose(relative[:2], torch.full_like(relative[:2], 0.8), atol=1e-3)
    assert torch.equal(relative[3:], (
        (STATE.get(field.x, "soil_water") - wilting) / (capacity - wilting))[3:])


def test_irrigation_waits_for_dryness_and_for_a_growing_crop() -> None:
    wet = Field(stage=1.0)
    wet.set("soil_water", whole(wet.column.capacity))
    x, _ = wet.jump(wet.orders(threshold=0.6))
    assert (x["irrigated_water"] - STATE.get(wet.x, "irrigated_water")).abs().max() < 1e-6
    for idle in (Field(active=False), Field(stage=2.0, age=10.0)):
        idle.set("soil_water", whole(idle.column.wilting))
        x, _ = idle.jump(idle.orders(threshold=0.6))
        assert torch.equal(x["irrigated_water"], STATE.get(idle.x, "irrigated_water"))


def test_amounts_on_dates_reach_the_season() -> None:
    run = SmallRun(n_cells=2, n_days=70)
    amount = torch.tensor([0.0, 25.0], dtype=torch.float64)
    # sown on day 120 of the run; the second amount is due on its day 150
    management = replace(run.management, harvest_day=torch.full((2,), 165),
                         irrigation_dates={140: amount, 150: amount})
    season = SEASON.view(run(management=management).season)
    assert season["last_pirnreq"].tolist() == [0.0, 50.0]
    assert (season["last_water_residual"] == 0.0).all()
    assert reason(season) == {"fixed_date"}


def test_a_season_across_new_year_is_one_season() -> None:
    run = SmallRun("winter_wheat", n_cells=2, n_days=31)
    weather = bench_weather(2, 2 * 365, torch.float64).days(275, 2 * 365)
    site, management, p = bench_place(run.model, "winter_wheat", 2, torch.float64)
    management = replace(management, sowing_day=torch.full((1, 2), 280),
                         harvest_day=torch.full((2,), 45))
    stepper = Stepper(run.model)
    weather = weather.days(0, 140)
    end = stepper.run(stepper.start(weather, site, p), weather, site, management, p)
    season = SEASON.view(end.season)
    assert (season["harvests"] == 1.0).all()
    assert (season["last_plantyear"] == 2000.0).all()
    assert (season["last_harvyear"] == 2001.0).all()
    assert (season["last_plantday"] == 280.0).all()
    assert (season["last_harvday"] == 365.0 - 280.0 + 45.0).all()
