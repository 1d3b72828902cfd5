"""Processes after LPJmL: unstressed and stressed days, shares of organs, closure slots."""

from __future__ import annotations

from itertools import pairwise

import pytest
import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core import constants as const
from neuralcrop.crops import load_catalogue
from neuralcrop.physics import allocation, harvest_index, radiation
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import haxeltine_prentice as hp
from neuralcrop.processes.energy_water import Evaporative
from neuralcrop.processes.lpjml import (
    DailyLeaves,
    DemandSupplyTranspiration,
    HarvestIndexAllocation,
    HaxeltinePrenticePhotosynthesis,
)
from neuralcrop.processes.photosynthesis import Light, TwoLeafLight

CROPS = ("winter_wheat", "maize")


def f64(*values: float) -> Tensor:
    return torch.tensor(values, dtype=torch.float64)


def parameters(*crops: str) -> dict[str, Tensor]:
    """Scalars ``[cell]`` and tables ``[size, cell]`` of crops side by side."""
    catalogue = load_catalogue(crops, ("parameters", "lpjml"))
    named = {}
    for name in catalogue[crops[0]]:
        table = torch.tensor(
            [catalogue[crop][name].value for crop in crops], dtype=torch.float64).T
        named[name] = table[0] if table.shape[0] == 1 else table
    return named


def summer_light(n: int, rsds: float = 20.0, day: float = 180.0) -> Light:
    latitude = torch.deg2rad(f64(*[50.0] * n))
    geometry = radiation.solar_geometry(torch.sin(latitude), torch.cos(latitude), f64(day))
    cells = torch.ones(n, dtype=torch.float64)
    return TwoLeafLight()(
        geometry, rsds * cells, 14.0 * cells, 26.0 * cells, 1.4 * cells, 3.0 * cells)


def leaves_of(
    process: HaxeltinePrenticePhotosynthesis, p: dict[str, Tensor], light: Light,
    co2: float = 400.0,
) -> tuple[DailyLeaves, Tensor]:
    cells = torch.ones_like(p["c4"])
    leaves = process.potential(
        p, light, 3.0 * cells, 18.0 * cells, 0.6 * cells, 100.0 * cells, co2 * cells, None)
    return leaves, co2 * cells


@pytest.mark.parametrize("version", ["lpjml5", "lpjml6"])
def test_open_stomata_give_the_optimum(version: str) -> None:
    """At the potential conductance ci/ca is 0.8 (C3) and 0.4 (C4) again."""
    p, light = parameters(*CROPS), summer_light(2)
    process = HaxeltinePrenticePhotosynthesis(version)
    leaves, co2 = leaves_of(process, p, light)
    optimal = f64(hp.OPTIMAL_RATIO_C3, hp.OPTIMAL_RATIO_C4)
    best = process._assimilation(p, leaves, process._efficiencies(p, leaves, optimal, co2))
    gpp = process.assimilate(p, leaves, light, torch.ones_like(co2), co2)
    # C4 is indifferent above 0.4, where it is not co-limited
    torch.testing.assert_close(gpp, best.gross, rtol=1e-9, atol=0.0)
    carried = ((process.canopy_conductance(leaves, light) - leaves.cuticular)
               / const.WATER_TO_CO2_DIFFUSIVITY * 1e-6 * co2 * (1.0 - optimal)
               * hp.CARBON_MASS * 3600.0 * leaves.day_length)
    torch.testing.assert_close(carried, best.net, rtol=1e-12, atol=0.0)
    assert ((gpp > 5.0) & (gpp < 35.0)).all()


def test_shut_stomata_only_turn_over_what_leaves_respire() -> None:
    p, light = parameters(*CROPS), summer_light(2)
    process = HaxeltinePrenticePhotosynthesis()
    leaves, co2 = leaves_of(process, p, light)
    gpp = [process.assimilate(p, leaves, light, f64(share, share), co2)
           for share in (1.0, 0.6, 0.3, 0.0)]
    assert all((more > less).all() for more, less in pairwise(gpp))
    respired = leaves.day_length / 24.0 * process.constants.leaf_respiration_c3 * leaves.capacity
    assert gpp[-1][0].item() == pytest.approx(respired[0].item(), rel=1e-6)


def test_co2_feeds_c3_and_spares_water_of_c4() -> None:
    p, light = parameters(*CROPS), summer_light(2)
    process = HaxeltinePrenticePhotosynthesis()
    open_ = torch.ones_like(p["c4"])
    gpp, conductance = [], []
    for ppm in (400.0, 600.0):
        leaves, co2 = leaves_of(process, p, light, ppm)
        gpp.append(process.assimilate(p, leaves, light, open_, co2))
        conductance.append(process.canopy_conductance(leaves, light))
    gain = gpp[1] / gpp[0] - 1.0
    assert 0.05 < gain[0].item() < 0.35
    assert abs(gain[1].item()) < 1e-9
    assert (conductance[1] < conductance[0]).all()


def test_single_pathways_agree_with_both() -> None:
    for name, crop in (("c3", CROPS[0]), ("c4", CROPS[1])):
        p, light = parameters(crop), summer_light(1)
        results = []
        for pathways in (("c3", "c4"), (name,)):
            process = HaxeltinePrenticePhotosynthesis(pathways=pathways)
            leaves, co2 = leaves_of(process, p, light)
            results.append(process.assimilate(p, leaves, light, f64(0.5), co2))
        assert torch.equal(*results)


def test_polar_night_assimilates_nothing() -> None:
    p = parameters(*CROPS)
    latitude = torch.deg2rad(f64(80.0, 80.0))
    geometry = radiation.solar_geometry(torch.sin(latitude), torch.cos(latitude), f64(355.0))
    cold = f64(-20.0, -20.0)
    light = TwoLeafLight()(geometry, f64(0.0, 0.0), cold, cold + 5.0, f64(0.1, 0.1), f64(2.0, 2.0))
    process = HaxeltinePrenticePhotosynthesis()
    leaves, co2 = leaves_of(process, p, light)
    assert (process.assimilate(p, leaves, light, f64(1.0, 1.0), co2) == 0.0).all()
    assert torch.equal(process.canopy_conductance(leaves, light), leaves.cuticular)


def transpire(
    process: DemandSupplyTranspiration, wetness: float, conductance: float = 0.4,
) -> tuple[Tensor, Tensor]:
    p = parameters("maize")
    one = f64(1.0)
    energy = Evaporative(8.0 * one, 2.52 * one, 1.26 * one)
    amount, opened = process(
        p, conductance * one, energy, one, 22.0 * one, 100.0 * one, 2.0 * one, 14.0 * one,
        0.1 * one, 3.0 * one, 80.0 * one, wetness * one, None)
    return amount, opened


@pytest.mark.parametrize("version", ["lpjml5", "lpjml6"])
def test_demand_with_enough_water(version: str) -> None:
    process = DemandSupplyTranspiration(version)
    amount, opened = transpire(process, 1.0)
    volume = const.GAS_CONSTANT * (22.0 + const.ZERO_CELSIUS) / 1e5
    speed = f64(0.4 * volume * 1e3)
    gm = {"lpjml5": 2.41, "lpjml6": 2.2}[version]
    demand = et.lpjml_demand(f64(3.0), speed, 0.1, gm=gm)
    assert amount.item() == pytest.approx(demand.item(), rel=0.02)
    assert amount < demand
    assert 0.9 < opened.item() < 1.0


def test_supply_in_dry_soil() -> None:
    process = DemandSupplyTranspiration()
    amount, opened = transpire(process, 0.05)
    supply = et.lpjml_supply(parameters("maize")["maximum_transpiration"], f64(0.05), f64(80.0))
    assert amount.item() == pytest.approx(supply.item(), rel=0.02)
    assert 0.0 < opened.item() < 0.2
    amount, opened = transpire(process, 0.0)
    assert amount.item() == pytest.approx(0.0, abs=1e-5)
    assert opened.item() == pytest.approx(0.0, abs=1e-5)


def test_every_slot_is_used() -> None:
    class Half(Closure):
        def forward(self, value: Tensor, features: Features | None) -> Tensor:
            return 0.5 * value

    process = HaxeltinePrenticePhotosynthesis()
    p, light = parameters(*CROPS), summer_light(2)
    whole, _ = leaves_of(process, p, light)
    process.vcmax = Half()
    torch.testing.assert_close(leaves_of(process, p, light)[0].capacity, 0.5 * whole.capacity)
    supply = DemandSupplyTranspiration()
    before, _ = transpire(supply, 0.05)
    supply.water_supply = Half()
    assert transpire(supply, 0.05)[0].item() == pytest.approx(0.5 * before.item(), rel=0.05)
    shares = HarvestIndexAllocation()
    filling = harvest_index.Organs(f64(20.0, 20.0), f64(0.0, 0.0), f64(5.0, 5.0), f64(10.0, 10.0))
    grown = grow(shares, 1.8, filling).storage
    shares.storage_demand = Half()
    assert (grow(shares, 1.8, filling).storage < grown).all()


ORGANS = harvest_index.Organs(f64(90.0, 90.0), f64(60.0, 60.0), f64(50.0, 50.0), f64(40.0, 40.0))


def grow(
    process: HarvestIndexAllocation, stage: float, organs: harvest_index.Organs, h: float = 1.0
):  # type: ignore[no-untyped-def]
    p = parameters(*CROPS)
    one = torch.ones_like(p["c4"])
    return process(
        p, stage * one, one, 12.0 * one, 2.0 * one, 1e9 * one, one, None, h, organs)


@pytest.mark.parametrize("stage", [0.0, 0.1, 0.6, 1.0, 1.3, 1.7, 2.0])
def test_allocation_spends_what_it_takes(stage: float) -> None:
    process = HarvestIndexAllocation()
    growth = grow(process, stage, ORGANS)
    assert all((flux >= 0.0).all() for flux in growth)
    spent = (growth.leaf + growth.stem + growth.root + growth.storage
             + growth.growth_respiration + growth.maintenance_respiration)
    assert (spent <= 12.0).all()
    left = 12.0 - growth.maintenance_respiration
    p = parameters(*CROPS)
    expected = growth.maintenance_respiration - left * torch.expm1(-p["reserve_turnover"])
    torch.testing.assert_close(spent, expected, rtol=1e-12, atol=0.0)
    torch.testing.assert_close(
        growth.maintenance_respiration + growth.deficit, f64(2.0, 2.0), rtol=1e-12, atol=0.0)


def test_leaves_stop_and_grain_starts() -> None:
    process = HarvestIndexAllocation()
    young = harvest_index.Organs(f64(3.0, 3.0), f64(0.5, 0.5), f64(2.0, 2.0), f64(0.0, 0.0))
    early = grow(process, 0.4, young)
    assert (early.leaf > early.storage).all()
    late = grow(process, 1.7, ORGANS)
    assert (late.leaf == 0.0).all()
    assert (late.storage > 0.5 * (late.stem + late.root + late.storage)).all()


def test_sterile_grain_takes_no_carbon() -> None:
    process, p = HarvestIndexAllocation(), parameters(*CROPS)
    one = torch.ones_like(p["c4"])
    full = process.wanted(p, 1.7 * one, ORGANS, one, one, None)
    half = process.wanted(p, 1.7 * one, ORGANS, one, 0.5 * one, None)
    none = process.wanted(p, 1.7 * one, ORGANS, one, 0.0 * one, None)
    assert (half.storage < 0.5 * full.storage).all()
    assert (none.storage == 0.0).all()
    for wanted in (full, half, none):
        torch.testing.assert_close(sum(wanted), sum(ORGANS) + one, rtol=1e-12, atol=0.0)


def test_daily_growth_approaches_the_diagnosed_shares() -> None:
    """Many days at one stage: organs end where LPJmL would put them at once."""
    process, p = HarvestIndexAllocation(), parameters(*CROPS)
    organs = harvest_index.Organs(*(torch.zeros_like(p["c4"]) for _ in range(4)))
    one = torch.ones_like(p["c4"])
    for _ in range(400):
        growth = grow(process, 0.9, organs)
        organs = harvest_index.Organs(*(a + b for a, b in zip(organs, growth[:4], strict=True)))
    reserve = 0.0 * one
    wanted = process.wanted(p, 0.9 * one, organs, reserve, one, None)
    for got, aim in zip(organs, wanted, strict=True):
        torch.testing.assert_close(got, aim, rtol=0.12, atol=0.5)
    fphu = harvest_index.heat_unit_fraction(0.9 * one, p["anthesis_fraction"])
    weight = allocation.water_deficit_weight(100.0 * one)
    torch.testing.assert_close(
        wanted.root / sum(wanted), allocation.root_fraction_lpjml(fphu, weight))
