"""Gradients of every public function of physics.wofost72, as in test_kernels."""

import importlib
import pkgutil

import pytest
import torch

import neuralcrop.physics.wofost72 as package
from neuralcrop.physics.wofost72 import (
    assimilation,
    astro,
    evapotranspiration,
    growth,
    phenology,
    roots,
    tables,
    water,
)
from neuralcrop.physics.wofost72 import leaves as leaf
from tests.kernel_checks import (
    check_edge,
    check_one_graph,
    check_single,
    check_slopes,
    label,
    name,
    public_functions,
    rows,
    v,
)

# Lists to nodes, and yes or no.
WITHOUT_GRADIENT = {
    "leaves.count_rows", "tables.pad", "phenology.is_emerging", "phenology.is_vegetative"}


def n(*values):
    """Flags and counts, which have no gradient."""
    return torch.tensor(values, dtype=torch.float64)


def sky():
    return astro.Astronomy(
        v(15.0, 9.0), v(16.0, 10.0), v(0.25, -0.2), v(0.6, 0.55), v(190.0, 90.0), v(0.5, 0.2),
        v(4e4, 1.3e4), v(4e7, 1.4e7),
    )  # fmt: skip


def soil(ssmax=0.0):
    return water.Soil(v(0.1), v(0.3), v(0.4), v(100.0), v(5.0), v(2.0), v(ssmax))


def store(ss=0.0):
    return water.Water(v(7.0, 4.0), v(24.0, 22.0), v(ss), v(3.0), v(0.2))


def fluxes():
    return water.WaterFluxes(*(v(x) for x in (0.3, 0.1, 0.0, 0.8, 0.2, 0.1, 0.0, 0.0, 4.0)))


SHARES = growth.Partitioning(v(0.3, 0.0), v(0.6, 0.1), v(0.3, 0.2), v(0.1, 0.7))
ORGANS = growth.Organs(v(300.0), v(900.0), v(2000.0), v(500.0))
NODES = (torch.tensor([[0.0], [1.0], [2.0], [2.0]], dtype=torch.float64), rows(1.0, 3.0, 2.0, 2.0))
GROWN, AREA = rows(10.0, 25.0, 45.0, 60.0), rows(0.02, 0.05, 0.08, 0.1)
BORN, AGES = rows(0.0, 0.6, 1.1, 1.7), n(3.0, 2.4, 1.9, 1.3).unsqueeze(-1)
FOUR = torch.tensor(4)

# fmt: off
KERNELS = [
    (tables.interpolate, *NODES, v(-0.5, 0.3, 1.7, 2.5)),
    (tables.slopes, rows(0.0, 1.0, 2.5), rows(1.0, 3.0, 2.0)),
    (tables.interpolate, rows(0.0, 1.0, 2.5), rows(1.0, 3.0, 2.0), v(0.3, 1.7)),

    (astro.astronomy, n(10.0, 170.0, 300.0), v(52.0, 10.0, -30.0), v(3e6, 1e7, 2.5e7)),

    (phenology.vernalisation_rate, v(0.7), n(0.1), n(20.0), n(50.0), n(0.3), n(2.0)),
    (phenology.vernalisation_factor, n(0.1), v(20.0), v(10.0), v(50.0), n(0.3), n(2.0)),
    (phenology.photoperiod_reduction, v(12.0), v(8.0), v(16.0), n(1.0)),
    (phenology.development_rate, n(-0.05, 0.5, 1.5), v(12.0), v(11.0), v(0.6), v(100.0), v(800.0),
     v(900.0), v(2.0), v(30.0), n(2.0)),
    (phenology.next_stage, v(-0.05, 0.5, 1.5), v(0.02), v(2.0)),

    (assimilation.canopy_assimilation, v(40.0, 1.5), v(0.45), v(0.6), v(3.0), v(0.6, 0.1),
     v(200.0, 5.0), v(80.0, 20.0)),
    (assimilation.gross_assimilation, sky(), v(2e7, 3e6), v(3.0, 0.4), v(40.0), v(0.45), v(0.6),
     v(0.9), v(1.2), v(1.05)),
    (assimilation.recent_minimum, torch.rand(7, 2, dtype=torch.float64).requires_grad_(),
     n(3.0, 90.0)),

    (evapotranspiration.crop_demand, v(0.4), v(1.1)),
    (evapotranspiration.potential_rates, v(0.4), v(0.3), v(0.5), v(0.6), v(3.0), v(0.9)),
    (evapotranspiration.easily_available_fraction, v(0.4), v(4.5, 2.0)),
    (evapotranspiration.critical_soil_moisture, v(0.6), v(0.1), v(0.3)),
    (evapotranspiration.drought_factor, v(0.14), v(0.2), v(0.1)),
    (evapotranspiration.oxygen_factor, v(0.38), v(0.4), v(0.05), v(2.0), n(1.0), n(0.0)),
    (evapotranspiration.oxygen_stress_days, v(2.0, 2.0), n(0.38, 0.2), n(0.4), n(0.05)),
    (evapotranspiration.transpiration, v(0.4), v(0.8), v(0.9)),

    (growth.initial_weights, v(60.0), SHARES),
    (growth.maintenance, ORGANS, v(18.0), v(0.9), v(0.015), v(0.03), v(0.015), v(0.01), v(2.0)),
    (growth.conversion, SHARES, v(0.69), v(0.68), v(0.66), v(0.71)),
    (growth.dry_matter_growth, v(300.0, 40.0), v(0.8), v(90.0), v(0.7)),
    (growth.organ_growth, v(100.0), SHARES),
    (growth.death, v(900.0), v(0.02)),

    (roots.maximum_depth, v(10.0), v(120.0), v(100.0)),
    (roots.depth_growth, v(50.0, 99.5), v(100.0), v(1.2), n(0.3)),

    (leaf.shoot_area, v(900.0), v(1e-3), v(300.0), v(1e-4)),
    (leaf.shading_death, v(900.0), v(7.0), v(0.6)),
    (leaf.drought_death, v(900.0), v(0.7), v(0.03)),
    (leaf.ageing, v(20.0), v(5.0)),
    (leaf.exponential_increase, v(0.5), v(18.0), v(0.01), v(5.0)),
    (leaf.area_growth, v(90.0, 9.0), v(0.002), n(0.5), v(0.06)),
    (leaf.living_area, GROWN, AREA, v(17.0), FOUR),
    (leaf.living_area, GROWN, AREA, v(3.0), torch.tensor(3)),
    (leaf.aged_weight, GROWN, BORN, v(2.0), v(1.2), FOUR, True),
    (leaf.aged_weight, GROWN, BORN.detach(), n(2.0), n(1.2), FOUR),
    (leaf.aged_weight_by_age, GROWN, AGES, n(2.1), FOUR),
    (leaf.area_above, v(17.0), v(0.08), v(14.0), v(22.0), v(0.03), v(0.05)),
    (leaf.last_birth, v(2.0), v(1.2)),
    (leaf.weight_between, v(1.1), v(0.8), v(1.5), v(14.0), v(22.0)),
    (leaf.next_removed, v(17.0, 17.0), v(3.0), v(10.0, 25.0)),

    (water.soil_depth, v(120.0)),
    (water.initial_water, soil(), v(1.5, 25.0), v(0.35), v(0.0), v(10.0)),
    (water.soil_evaporation, store(), v(0.4), v(0.5)),
    (water.soil_evaporation, store(1.5), v(0.4), v(0.5)),
    (water.not_infiltrating, v(0.8), v(0.6), n(0.0, 1.0)),
    (water.water_fluxes, soil(), store(), v(20.0), v(0.9), v(0.3), v(0.1), v(0.3), v(0.3), v(0.4)),
    (water.water_fluxes, soil(2.0), store(1.5), v(20.0), v(1.9), v(0.0), v(0.1), v(0.3), v(0.3),
     v(0.4)),
    (water.root_zone_transfer, soil(), store(), fluxes(), v(20.0), v(21.2)),
    (water.next_water, store(), fluxes(), v(0.3)),
]

EDGES = [
    ("padding", tables.interpolate, rows(0.0, 2.0, 2.0), rows(1.0, 3.0, 3.0),
     v(-1.0, 0.0, 2.0, 9.0)),
    ("poles", astro.astronomy, v(172.0, 355.0), v(90.0, -90.0), v(1e7)),
    ("polar night", astro.astronomy, v(355.0), v(70.0, 80.0, 66.5), v(0.0, 1e6, 10.0)),
    ("no need", phenology.vernalisation_factor, v(0.1), v(0.0), v(0.0), v(0.0), v(0.3), n(2.0)),
    ("no photoperiod", phenology.photoperiod_reduction, v(12.0), v(0.0), v(0.0), n(0.0, 1.0)),
    ("crossings", phenology.next_stage, v(-0.01, 0.0, 0.99, 1.99, 2.0), v(0.01), v(2.0)),
    ("night", assimilation.canopy_assimilation, v(40.0), v(0.45), v(0.6), v(3.0), v(0.0), v(0.0),
     v(0.0)),
    ("no direct light", assimilation.canopy_assimilation, v(40.0), v(0.45), v(0.6), v(3.0),
     v(0.0, 1e-4, 0.5), v(0.0), v(0.0, 1e-3, 50.0)),
    ("no leaf", assimilation.canopy_assimilation, v(40.0), v(0.45), v(0.6), v(0.0), v(0.5),
     v(100.0), v(50.0)),
    ("no capacity", assimilation.canopy_assimilation, v(0.0, 40.0), v(0.45, 0.0), v(0.6), v(3.0),
     v(0.5), v(100.0), v(50.0)),
    ("no day", assimilation.gross_assimilation,
     astro.Astronomy(v(0.0), v(0.0), v(-0.4), v(0.2), v(0.0), v(0.0), v(0.0), v(0.0)), v(0.0),
     v(0.0, 3.0), v(0.0, 40.0), v(0.45), v(0.6), v(1.0)),
    ("dry", evapotranspiration.drought_factor, v(0.0, 0.1), v(0.1), v(0.1)),
    ("no air", evapotranspiration.oxygen_factor, v(0.4), v(0.4), v(0.0), v(9.0), n(1.0), n(0.0)),
    ("no shares", growth.conversion, growth.Partitioning(v(0.0), v(0.0), v(0.0), v(0.0)), v(0.7),
     v(0.7), v(0.7), v(0.7)),
    ("no light extinction", leaf.shading_death, v(900.0), v(7.0), v(0.0)),
    ("base of 35 degC", leaf.ageing, v(20.0), v(35.0)),
    ("all dead", leaf.living_area, GROWN, AREA, v(60.0), FOUR),
    ("nothing grown", leaf.living_area, rows(0.0, 0.0), rows(0.0, 0.0), v(0.0), torch.tensor(2)),
    ("none old", leaf.aged_weight, GROWN, BORN, v(1.2), v(1.2), FOUR, True),
    ("all old", leaf.aged_weight, GROWN, BORN, v(9.0), v(1.2), FOUR, True),
    ("grown in a day", leaf.aged_weight, GROWN, rows(0.0, 0.0, 0.0, 0.0), v(1.2), v(1.2), FOUR,
     True),
    ("rain of today", water.soil_evaporation,
     water.Water(v(3.0), v(20.0), v(0.0), v(0.0, 1.0), v(0.0, 1.0)), v(0.0), v(0.0)),
    ("no lower zone", water.root_zone_transfer, soil(), store(), fluxes(), v(100.0), v(100.0)),
    ("no lower zone", water.water_fluxes, soil(),
     water.Water(v(9.0), v(0.0), v(0.0), v(1.0), v(0.0)), v(100.0), v(0.0), v(0.0), v(0.0),
     v(0.0), v(0.0), v(0.0)),
]
# fmt: on

# What is 0, and not merely finite, without light, leaves or capacity.
NOTHING = {"night", "no leaf", "no day", "nothing grown", "all dead"}


@pytest.mark.parametrize("case", KERNELS, ids=label)
def test_gradcheck(case):
    check_slopes(case)


@pytest.mark.parametrize("case", EDGES, ids=label)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_values_and_slopes_are_finite_at_the_edges(case, dtype):
    results = check_edge(case, dtype)
    if case[0] in NOTHING:
        assert all((result == 0.0).all() for result in results)


@pytest.mark.parametrize("case", KERNELS, ids=label)
def test_single_precision_agrees(case):
    check_single(case)


def test_ages_have_a_gradient_only_when_smooth():
    span = v(1.2)
    assert not leaf.aged_weight(GROWN.detach(), BORN, v(2.0), span, FOUR).requires_grad
    smooth = leaf.aged_weight(GROWN.detach(), BORN.detach(), v(2.0), span, FOUR, smooth=True)
    (slope,) = torch.autograd.grad(smooth.sum(), span)
    # 20 kg ha-1 were grown in the 0.5 d of age around the span
    torch.testing.assert_close(slope, torch.full_like(slope, -40.0))


def test_every_public_function_is_checked():
    modules = [
        importlib.import_module(f"{package.__name__}.{module.name}")
        for module in pkgutil.iter_modules(package.__path__)
    ]
    public = public_functions(modules)
    assert public - {name(case[0]) for case in KERNELS} == WITHOUT_GRADIENT


@pytest.mark.slow
def test_every_kernel_traces_into_one_graph():
    check_one_graph(KERNELS)
