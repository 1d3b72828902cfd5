"""Every order moves matter without making or losing any: exact in single precision."""

from __future__ import annotations

from functools import cache

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from neuralcrop.core.forcing import IRRIGATION_ROWS, N_GIFTS
from neuralcrop.core.ledger import Ledger
from neuralcrop.core.numerics import NITROGEN_QUANTUM, whole
from neuralcrop.core.variables import HARVEST_REASONS, REGISTRY
from neuralcrop.models.global_ import layouts
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.bench import bench_place, bench_weather
from neuralcrop.simulation.events import SEASON, Orders, Today, jump
from neuralcrop.simulation.integrate import Stepper

N = 5
TODAY = 200
NO_LIMIT = 1e6


class Bench:
    """A model with nutrients, its place and a stocked state."""

    def __init__(self, dtype: torch.dtype) -> None:
        self.model = build_model(ModelSpec(nutrients=True))
        self.site, _, self.p = bench_place(self.model, "maize", N, dtype)
        self.named = self.model.table.layout.view(self.p)
        self.place = self.model.place(self.named, self.site)._replace(
            bund=torch.full((N,), 120.0, dtype=dtype))
        start = Stepper(self.model).start(bench_weather(N, 31, dtype), self.site, self.p)
        self.x, self.season = start.x, start.season


@cache
def bench(dtype: torch.dtype) -> Bench:
    return Bench(dtype)


STATE = layouts(True).state
LEDGER = Ledger(STATE)


def field(
    dtype: torch.dtype, stage: float, age: float, active: bool, seed: int
) -> tuple[Tensor, Tensor]:
    """A random state in whole quanta and its bookkeeping."""
    made = bench(dtype)
    g = torch.Generator().manual_seed(seed)
    x, season = made.x.clone(), made.season.clone()
    for name, size in STATE.sizes.items():
        element = REGISTRY[name].element
        if element is None or name == "soil_water":
            continue
        crop = name.split("_")[0] in ("leaf", "stem", "root", "storage", "reserve")
        if crop and "litter" not in name and not active:
            continue
        top = 8.0 if element == "nitrogen" else 80.0
        value = top * torch.rand(size, N, dtype=dtype, generator=g)
        value = whole(value, NITROGEN_QUANTUM) if element == "nitrogen" else whole(value)
        STATE.get(x, name)[...] = value if size > 1 else value[0]
    water = STATE.get(x, "soil_water")
    water *= 0.3 + torch.rand(5, N, dtype=dtype, generator=g)
    water[...] = whole(water)
    STATE.get(x, "development_stage")[:] = stage if active else 2.0
    STATE.get(x, "root_depth")[:] = 0.6
    SEASON.get(season, "active")[:] = float(active)
    SEASON.get(season, "plant_day")[:] = TODAY - age
    return x, season


def totals(x: Tensor) -> dict[str, Tensor]:
    return {e: LEDGER.total(x.double(), e) for e in ("water", "carbon", "nitrogen")}


def run(x: Tensor, season: Tensor, orders: Orders) -> tuple[dict[str, Tensor], dict[str, Tensor],
                                                           Tensor]:
    made = bench(x.dtype)
    today = Today(*(torch.tensor(v, dtype=x.dtype) for v in (TODAY, 200.0, 2001.0)))
    after, book = jump(made.model, x, season, made.p, made.place, today, orders)
    return STATE.view(after), SEASON.view(book), after


def orders(dtype: torch.dtype, **given: object) -> Orders:
    flat = torch.zeros(N, dtype=dtype)
    day = torch.zeros(N, dtype=torch.int64)
    return Orders(day, day, flat, flat + 1.0, flat)._replace(**given)


def rows(dtype: torch.dtype, *values: float) -> Tensor:
    return torch.tensor(values, dtype=dtype).unsqueeze(-1).expand(-1, N)


def system(dtype: torch.dtype, **given: float) -> Tensor:
    usual = {"efficiency": 1.0, "daily_limit": NO_LIMIT, "seasonal_limit": NO_LIMIT, "until": 1.7}
    return rows(dtype, *(given.get(n, usual.get(n, 0.0)) for n in IRRIGATION_ROWS))


def plan(dtype: torch.dtype, *gifts: tuple[float, ...]) -> Tensor:
    none = (0.0, -9.0, 0.0, 0.0, 0.0)
    full = [*gifts, *[none] * (N_GIFTS - len(gifts))]
    return torch.tensor(full, dtype=dtype).T.unsqueeze(-1).expand(-1, -1, N)


share = st.floats(0.0, 1.0, width=32)
amounts = st.floats(0.0, 40.0, width=32)


@settings(max_examples=40, deadline=None)
@given(
    dtype=st.sampled_from([torch.float32, torch.float64]), stage=st.floats(-0.1, 2.0),
    age=st.integers(0, 400), active=st.booleans(), seed=st.integers(0, 10**6),
    sow=st.booleans(), fixed=st.booleans(), shares=st.tuples(share, share, share),
    tilled=st.tuples(share, share), gift=st.tuples(amounts, amounts, amounts),
    water=st.tuples(share, share, st.floats(0.0, 80.0, width=32)),
    efficiency=st.floats(0.5, 1.0, width=32), canopy=share, surplus=share,
    daily=st.floats(0.0, 200.0, width=32), seasonal=st.floats(0.0, 300.0, width=32),
    high=st.sampled_from([0.0, 60.0, 100.0]))
def test_random_orders_keep_every_balance(
    dtype: torch.dtype, stage: float, age: int, active: bool, seed: int, sow: bool, fixed: bool,
    shares: tuple[float, ...], tilled: tuple[float, ...], gift: tuple[float, ...],
    water: tuple[float, ...], efficiency: float, canopy: float, surplus: float, daily: float,
    seasonal: float, high: float,
) -> None:
    x, season = field(dtype, stage, age, active, seed)
    grain, removed, burnt = shares
    burnt = min(burnt, 1.0 - removed)
    asked = orders(
        dtype, sowing_day=torch.full((N,), 200 if sow else 0),
        harvest_day=torch.full((N,), 200 if fixed else 0),
        irrigation_threshold=rows(dtype, water[0])[0], irrigation_target=rows(dtype, water[1])[0],
        irrigation=rows(dtype, water[2])[0],
        irrigation_system=system(
            dtype, efficiency=efficiency, canopy=canopy, surplus=surplus, daily_limit=daily,
            seasonal_limit=seasonal, low=0.5 * high, high=high),
        fertiliser_plan=plan(dtype, (0.0, -9.0, *gift), (40.0, 0.5, *gift)),
        gifts=rows(dtype, *gift), residues=rows(dtype, grain, removed, burnt),
        tillage=rows(dtype, *tilled))
    before = totals(x)
    state, book, after = run(x, season, asked)
    began = sow and (not active or bool((book["harvests"] > 0.0).all()))
    for element, total in totals(after).items():
        expected = before[element]
        if began:  # reservoirs start anew: what stood in the field is what began
            expected = {"water": book["start_water"], "carbon": book["start_carbon"],
                        "nitrogen": book["start_nitrogen"]}[element].double()
            held = bench(dtype).model.stored(STATE.view(x.double()), element)
            assert held is not None
            assert (expected <= held + 1e-3).all()
        if dtype == torch.float32:
            assert torch.equal(total, expected), element
        else:
            torch.testing.assert_close(total, expected, rtol=1e-13, atol=1e-10)
    for name in layouts(True).stocks:
        assert (state[name] >= 0.0).all(), name


def test_residues_go_where_the_shares_say() -> None:
    dtype = torch.float32
    x, season = field(dtype, 2.0, 90, True, 3)
    was = STATE.view(x)
    state, book, _ = run(x, season, orders(dtype, residues=rows(dtype, 1.0, 0.5, 0.25)))
    gained = {n: state[n] - was[n] for n in STATE.names}
    shoot = was["leaf_carbon"].sum(0) + was["stem_carbon"] + was["reserve_carbon"]
    torch.testing.assert_close(gained["removed_carbon"], 0.5 * shoot, atol=1e-3, rtol=0.0)
    torch.testing.assert_close(gained["burnt_carbon"], 0.25 * shoot, atol=1e-3, rtol=0.0)
    torch.testing.assert_close(gained["surface_litter_carbon"], 0.25 * shoot, atol=1e-3, rtol=0.0)
    assert torch.equal(gained["root_litter_carbon"], was["root_carbon"])
    assert torch.equal(gained["harvested_carbon"], was["storage_carbon"])
    nitrogen = was["leaf_nitrogen"] + was["stem_nitrogen"] + was["reserve_nitrogen"]
    torch.testing.assert_close(
        gained["burnt_nitrogen"], 0.98 * 0.25 * nitrogen, atol=1e-4, rtol=0.0)
    assert torch.equal(gained["root_litter_nitrogen"], was["root_nitrogen"])
    assert torch.equal(gained["harvested_nitrogen"], was["storage_nitrogen"])
    torch.testing.assert_close(book["last_yield_nitrogen"], 10.0 * was["storage_nitrogen"])
    assert {n for n in STATE.names if (state[n] != was[n]).any()} >= {"leaf_carbon"}


def test_a_cover_crop_gives_no_yield_and_stays_on_the_field() -> None:
    dtype = torch.float64
    x, season = field(dtype, 1.5, 90, True, 5)
    was = STATE.view(x)
    day = torch.full((N,), 200)
    state, book, _ = run(x, season, orders(
        dtype, harvest_day=day, residues=rows(dtype, 0.0, 0.0, 0.0)))
    assert (book["last_yield"] == 0.0).all()
    assert (book["last_yield_nitrogen"] == 0.0).all()
    assert torch.equal(state["harvested_carbon"], was["harvested_carbon"])
    shoot = (was["leaf_carbon"].sum(0) + was["stem_carbon"] + was["reserve_carbon"]
             + was["storage_carbon"])
    torch.testing.assert_close(
        state["surface_litter_carbon"] - was["surface_litter_carbon"], shoot)


def test_tillage_works_litter_into_the_soil_after_harvest_and_at_sowing() -> None:
    dtype = torch.float32
    x, season = field(dtype, 2.0, 90, False, 7)
    was = STATE.view(x)
    day = torch.full((N,), 200)
    for tillage, expected in ((None, 0.95), (rows(dtype, 0.4, 0.0), 0.4)):
        state, _, _ = run(x, season, orders(dtype, sowing_day=day, tillage=tillage))
        for element in ("carbon", "nitrogen"):
            surface = f"surface_litter_{element}"
            torch.testing.assert_close(
                state[surface], (1.0 - expected) * was[surface], atol=1e-3, rtol=0.0)
            total = was[surface] + was[f"incorporated_litter_{element}"]
            assert torch.equal(state[surface] + state[f"incorporated_litter_{element}"], total)


@pytest.mark.parametrize(("age", "stage", "given"), [
    (0, -0.1, 2.0), (39, 0.3, 2.0), (40, 0.3, 5.0), (40, 0.6, 9.0)])
def test_gifts_wait_for_their_day_and_stage_and_come_once(
    age: int, stage: float, given: float
) -> None:
    dtype = torch.float64
    x, season = field(dtype, stage, age, True, 11)
    asked = orders(dtype, fertiliser_plan=plan(
        dtype, (0.0, -9.0, 1.0, 1.0, 0.0), (40.0, -9.0, 3.0, 0.0, 0.0),
        (0.0, 0.5, 0.0, 4.0, 0.0)))
    state, _, after = run(x, season, asked)
    put = STATE.get(x, "fertilised_nitrogen") - state["fertilised_nitrogen"]
    torch.testing.assert_close(put, torch.full((N,), given, dtype=dtype))
    book = jump(
        bench(dtype).model, x, season, bench(dtype).p, bench(dtype).place,
        Today(*(torch.tensor(v, dtype=dtype) for v in (TODAY, 200.0, 2001.0))), asked)[1]
    again, _, _ = run(after, book, asked)
    assert torch.equal(again["fertilised_nitrogen"], state["fertilised_nitrogen"])


def test_manure_brings_carbon_and_both_kinds_of_nitrogen() -> None:
    dtype = torch.float64
    x, season = field(dtype, 1.0, 50, False, 12)
    was = STATE.view(x)
    state, _, _ = run(x, season, orders(dtype, gifts=rows(dtype, 0.0, 0.0, 6.0)))
    near = {"atol": 1e-9, "rtol": 0.0}
    flat = torch.ones(N, dtype=dtype)
    torch.testing.assert_close(state["ammonium"][0] - was["ammonium"][0], 4.0 * flat, **near)
    torch.testing.assert_close(
        state["incorporated_litter_carbon"] - was["incorporated_litter_carbon"], 87.0 * flat,
        **near)
    torch.testing.assert_close(
        state["incorporated_litter_nitrogen"] - was["incorporated_litter_nitrogen"], 2.0 * flat,
        **near)
    torch.testing.assert_close(state["manured_carbon"] - was["manured_carbon"], -87.0 * flat,
                               **near)


def dry(dtype: torch.dtype, stage: float = 1.0) -> tuple[Tensor, Tensor]:
    x, season = field(dtype, stage, 60, True, 13)
    column = bench(dtype).place.column
    STATE.get(x, "soil_water")[...] = whole(
        column.wilting + 0.2 * (column.capacity - column.wilting))
    STATE.get(x, "ponded_water")[:] = 0.0
    STATE.get(x, "irrigated_water")[:] = 0.0
    return x, season


def test_what_is_lost_on_the_way_is_taken_from_the_source_too() -> None:
    dtype = torch.float64
    x, season = dry(dtype)
    asked = orders(dtype, irrigation_threshold=rows(dtype, 0.8)[0])
    alone = run(x, season, asked)[0]
    state = run(x, season, asked._replace(
        irrigation_system=system(dtype, efficiency=0.75)))[0]
    net = -alone["irrigated_water"]
    assert (net > 20.0).all()
    assert torch.equal(state["soil_water"], alone["soil_water"])
    torch.testing.assert_close(-state["irrigated_water"], net / 0.75)
    lost = state["conveyance_water"] - STATE.get(x, "conveyance_water")
    torch.testing.assert_close(lost, net / 0.75 - net)


def test_limits_of_the_day_and_the_season() -> None:
    dtype = torch.float64
    x, season = dry(dtype)
    asked = orders(dtype, irrigation_threshold=rows(dtype, 0.8)[0])
    state = run(x, season, asked._replace(irrigation_system=system(
        dtype, efficiency=0.8, daily_limit=12.0)))[0]
    torch.testing.assert_close(-state["irrigated_water"], rows(dtype, 12.0)[0])
    STATE.get(x, "irrigated_water")[:] = -95.0
    state = run(x, season, asked._replace(irrigation_system=system(
        dtype, seasonal_limit=100.0)))[0]
    torch.testing.assert_close(-state["irrigated_water"], rows(dtype, 100.0)[0])


def test_sprinklers_wet_the_canopy() -> None:
    dtype = torch.float64
    x, season = dry(dtype)
    lai = bench(dtype).model.diagnostics(x, bench(dtype).p, bench(dtype).place)["lai"]
    asked = orders(dtype, irrigation=rows(dtype, 30.0)[0])
    state = run(x, season, asked._replace(irrigation_system=system(dtype, canopy=1.0)))[0]
    film = state["intercepted_water"] - STATE.get(x, "intercepted_water")
    torch.testing.assert_close(film, (0.2 * lai).clamp_max(30.0), atol=1e-9, rtol=0.0)
    into_soil = (state["soil_water"] - STATE.get(x, "soil_water")).sum(dim=0)
    torch.testing.assert_close(into_soil, 30.0 - film)


def test_paddies_are_saturated_and_flooded_to_the_mark_until_they_are_drained() -> None:
    dtype = torch.float64
    flood = orders(dtype, irrigation_system=system(dtype, low=50.0, high=100.0, until=1.7))
    x, season = dry(dtype)
    state = run(x, season, flood)[0]
    saturation = bench(dtype).place.column.saturation
    torch.testing.assert_close(state["soil_water"][:2], saturation[:2], atol=1e-9, rtol=1e-9)
    torch.testing.assert_close(state["ponded_water"], rows(dtype, 100.0)[0])
    STATE.get(x, "ponded_water")[:] = 60.0  # above the lower mark
    assert torch.equal(run(x, season, flood)[0]["ponded_water"], STATE.get(x, "ponded_water"))
    for stage in (-0.05, 1.8):
        x, season = dry(dtype, stage)
        assert (run(x, season, flood)[0]["irrigated_water"] == 0.0).all()


@pytest.mark.parametrize(("since", "leaves", "stage", "age", "fails"), [
    (TODAY - 20, 0.0, 0.3, 50, True), (TODAY - 15, 0.0, 0.3, 50, False),
    (TODAY - 20, 5.0, 0.3, 50, False), (TODAY - 20, 0.0, 1.3, 50, False),
    (None, 0.0, -0.05, 60, True), (None, 0.0, -0.05, 59, False)])
def test_crops_that_are_given_up(
    since: int | None, leaves: float, stage: float, age: int, fails: bool
) -> None:
    dtype = torch.float32
    x, season = field(dtype, stage, age, True, 17)
    STATE.get(x, "leaf_carbon")[...] = leaves
    SEASON.get(season, "bare_since")[:] = 0.0 if since is None else since + 1.0
    before = totals(x)
    state, book, after = run(x, season, orders(dtype, residues=rows(dtype, 1.0, 1.0, 0.0)))
    assert bool((book["harvests"] == float(fails)).all())
    if not fails:
        return
    assert {HARVEST_REASONS[int(k)] for k in book["last_harvest_reason"].tolist()} == {"failed"}
    assert (book["last_yield"] == 0.0).all()
    assert torch.equal(state["removed_carbon"], STATE.get(x, "removed_carbon"))
    assert torch.equal(state["harvested_carbon"], STATE.get(x, "harvested_carbon"))
    assert (book["bare_since"] == 0.0).all()
    assert all(torch.equal(v, before[e]) for e, v in totals(after).items())


def test_leaves_that_come_back_end_the_count() -> None:
    dtype = torch.float64
    x, season = field(dtype, 0.3, 50, True, 19)
    STATE.get(x, "leaf_carbon")[...] = 0.0
    _, book, _ = run(x, season, orders(dtype))
    assert (book["bare_since"] == TODAY + 1.0).all()
    SEASON.get(season, "bare_since")[:] = TODAY - 9.0
    STATE.get(x, "leaf_carbon")[...] = 5.0
    assert (run(x, season, orders(dtype))[1]["bare_since"] == 0.0).all()


def test_the_record_closes_with_the_soil() -> None:
    dtype = torch.float64
    x, season = field(dtype, 2.0, 90, False, 23)
    day = torch.full((N,), 200)
    _, book, sown = run(x, season, orders(
        dtype, sowing_day=day, gifts=rows(dtype, 3.0, 3.0, 2.0)))
    held = LEDGER.total(sown, "nitrogen")
    torch.testing.assert_close(book["start_nitrogen"], held)
    STATE.get(sown, "development_stage")[:] = 2.0
    season = SEASON.stack(book | {"plant_day": book["plant_day"] - 100.0})
    _, book, _ = run(sown, season, orders(dtype))
    assert (book["last_nitrogen_residual"].abs() < 1e-12).all()
    assert (book["last_carbon_residual"].abs() < 1e-12).all()
    torch.testing.assert_close(book["last_nfert"], rows(dtype, 80.0)[0], atol=1e-6, rtol=0.0)


@pytest.mark.parametrize("slots", [0, 2])
def test_the_jump_with_all_orders_is_one_graph(slots: int) -> None:
    dtype = torch.float32
    x, season = field(dtype, 1.9, 90, True, 29)
    asked = orders(
        dtype, sowing_day=torch.full((N,), 200), crop=torch.zeros(N, dtype=torch.int64),
        irrigation_threshold=rows(dtype, 0.8)[0], irrigation=rows(dtype, 5.0)[0],
        irrigation_system=system(dtype, efficiency=0.7, canopy=1.0),
        fertiliser_plan=plan(dtype, (0.0, -9.0, 2.0, 1.0, 1.0)), gifts=rows(dtype, 1.0, 1.0, 1.0),
        residues=rows(dtype, 1.0, 0.3, 0.3), tillage=rows(dtype, 0.5, 0.5))
    p = bench(dtype).p
    if slots:
        once = ("sowing_day", "irrigation", "gifts")
        asked = asked._replace(sown_slot=torch.ones(N, dtype=torch.int64), **{
            name: torch.stack([value, value]) for name, value in asked._asdict().items()
            if value is not None and name not in once})
        p = torch.stack([p, p])
    today = Today(*(torch.tensor(v, dtype=dtype) for v in (TODAY, 200.0, 2001.0)))

    model, place = bench(dtype).model, bench(dtype).place

    def events(x: Tensor, season: Tensor) -> tuple[Tensor, Tensor]:
        return jump(model, x, season, p, place, today, asked)

    traced = torch.compile(events, fullgraph=True, backend="eager")(x, season)
    for one, other in zip(traced, events(x, season), strict=True):
        assert torch.equal(one.nan_to_num(-9.0), other.nan_to_num(-9.0))
    assert (SEASON.get(traced[1], "slot") == float(slots > 0)).all()
    held = SEASON.view(traced[1].double())
    assert torch.equal(totals(traced[0])["nitrogen"], held["start_nitrogen"])
