"""Crops in sequence: one crop is itself, soil lives on, and a restart changes nothing."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import pytest
import torch

from neuralcrop.core.forcing import DailyForcing, Management
from neuralcrop.models.registry import build_model
from neuralcrop.simulation.bench import bench_place, bench_weather
from neuralcrop.simulation.blocks import BlockRun, DailySink
from neuralcrop.simulation.events import SEASON
from neuralcrop.simulation.integrate import RunState, Stepper

N = 3
DAYS = 2 * 365
CROPS = ("winter_wheat", "soybean")


class World:
    """Two years of winter wheat from October to July and soybean after it."""

    def __init__(self, dtype: torch.dtype = torch.float32) -> None:
        self.model = build_model()
        self.stepper = Stepper(self.model)
        self.forcing = bench_weather(N, DAYS, dtype)
        self.site, single, _ = bench_place(self.model, "maize", N, dtype)
        self.model.choose_pathways(torch.tensor([self.model.table.crop_index[c] for c in CROPS]))
        self.single = single
        flat = torch.zeros(2, N, dtype=dtype)
        self.orders = Management(
            self.crops(*CROPS),
            torch.tensor([280, 190]).reshape(2, 1, 1).expand(2, 1, N),
            torch.tensor([185, 275]).unsqueeze(-1).expand(2, N), flat, flat + 1.0)
        self.p = torch.stack([self.model.table(c, dtype).detach() for c in self.orders.crop])

    def crops(self, *names: str) -> torch.Tensor:
        index = torch.tensor([self.model.table.crop_index[name] for name in names])
        return index.unsqueeze(-1).expand(-1, N)

    def run(
        self, orders: Management, p: torch.Tensor, forcing: DailyForcing | None = None,
        state: RunState | None = None,
    ) -> RunState:
        forcing = self.forcing if forcing is None else forcing
        state = self.stepper.start(forcing, self.site, p) if state is None else state
        with torch.no_grad():
            return self.stepper.run(state, forcing, self.site, orders, p)


@cache
def world() -> World:
    return World()


def same(a: RunState, b: RunState) -> None:
    assert torch.equal(a.x, b.x)
    assert torch.equal(a.season.nan_to_num(-9.0), b.season.nan_to_num(-9.0))


def test_a_sequence_of_one_crop_is_that_crop() -> None:
    w = world()
    orders = replace(
        w.orders, crop=w.orders.crop[0], sowing_day=w.orders.sowing_day[0],
        harvest_day=w.orders.harvest_day[0], irrigation_threshold=w.single.irrigation_threshold,
        irrigation_target=w.single.irrigation_target)
    first = replace(
        w.orders, crop=w.crops("winter_wheat", "winter_wheat"),
        sowing_day=torch.stack([w.orders.sowing_day[0], torch.zeros_like(w.orders.sowing_day[0])]))
    alone = w.run(orders, w.p[0])
    assert (SEASON.get(alone.season, "harvests") == 1.0).all()
    same(w.run(first, w.p[[0, 0]]), alone)


def test_crops_take_turns_and_the_record_says_which() -> None:
    w = world()
    blocks = BlockRun(w.stepper, w.site, w.orders, w.p, 2)
    blocks.run([w.forcing.days(0, 400), w.forcing.days(400, DAYS)])
    seasons = blocks.seasons.arrays()
    index = w.model.table.crop_index
    assert seasons["crop"][:, 0].tolist() == [index["soybean"], index["winter_wheat"],
                                              index["soybean"]]
    assert seasons["plantday"][:, 1].tolist() == [190.0, 280.0, 190.0]
    assert (seasons["yield"] > 0.0).all()
    assert (seasons["water_residual"].abs() < 1e-6).all()
    assert (seasons["carbon_residual"].abs() < 1e-6).all()


def test_each_crop_has_its_own_parameters_while_it_stands() -> None:
    w = world()
    late = torch.where(torch.arange(2)[:, None, None] == 1, w.orders.sowing_day, 0)
    both = w.run(replace(w.orders, sowing_day=late), w.p)
    one = replace(
        w.orders, crop=w.orders.crop[1], sowing_day=w.orders.sowing_day[1],
        harvest_day=w.orders.harvest_day[1], irrigation_threshold=w.single.irrigation_threshold,
        irrigation_target=w.single.irrigation_target)
    alone = w.run(one, w.p[1])
    for name in ("last_yield", "last_transp", "last_lai_max", "last_anthday"):
        torch.testing.assert_close(
            SEASON.get(both.season, name), SEASON.get(alone.season, name), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("day", [100, 230, 300, 500, 640])
def test_a_restart_in_the_middle_of_a_sequence_is_bit_for_bit(day: int) -> None:
    w = world()
    whole = w.run(w.orders, w.p)
    half = w.run(w.orders, w.p, w.forcing.days(0, day))
    same(w.run(w.orders, w.p, w.forcing.days(day, DAYS), half), whole)


def test_daily_values_are_those_of_the_crop_that_stands() -> None:
    w = world()
    lai: list[torch.Tensor] = []
    sink = DailySink(w.model, ("lai",), lambda _, values: lai.append(values["lai"].clone()))
    blocks = BlockRun(w.stepper, w.site, w.orders, w.p, 2)
    blocks.run([w.forcing], sink=sink)
    seasons = blocks.seasons.arrays()
    torch.testing.assert_close(
        lai[0][190:280].max(dim=0).values.double(), seasons["lai_max"][0], rtol=0.02, atol=0.0)


def test_gradients_flow_through_a_sequence() -> None:
    w = world()
    p = w.p.clone().requires_grad_()
    start = w.stepper.start(w.forcing, w.site, p.detach())
    end = w.stepper.run(start, w.forcing.days(0, 280), w.site, w.orders, p, segment=20)
    SEASON.get(end.season, "last_yield").sum().backward()
    assert p.grad is not None
    assert bool(p.grad.isfinite().all())
    assert bool((p.grad[1] != 0.0).any())
    # soil parameters of the first slot act before the sowing of the second
    names = w.model.table.layout
    assert bool((names.get(p.grad[0], "specific_leaf_area") == 0.0).all())
