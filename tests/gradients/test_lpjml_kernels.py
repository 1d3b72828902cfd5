"""Gradients of the functions after LPJmL, and their values where naive formulas fail."""

import pytest
import torch

from neuralcrop.physics import harvest_index, lpjml_versions
from neuralcrop.physics import haxeltine_prentice as hp
from neuralcrop.physics import lpjml_transpiration as surface
from neuralcrop.physics.lpjml_versions import LPJML6 as V6
from tests.kernel_checks import (
    check_edge,
    check_single,
    check_slopes,
    label,
    name,
    public_functions,
    v,
)

WHEAT = (v(0.0), v(12.0), v(17.0), v(40.0))
SUN = (v(5e6, 2e6), v(14.0, 9.0))
LEAVES = (0.031, 0.99)
VM = v(50.0, 20.0)
ORGANS = harvest_index.Organs(v(40.0, 5.0), v(30.0, 2.0), v(20.0, 9.0), v(60.0, 0.0))
WANTED = harvest_index.Organs(v(30.0, 9.0), v(40.0, 2.5), v(25.0, 9.5), v(90.0, 0.5))

KERNELS = [
    (hp.temperature_stress, v(-5.0, 14.0, 35.0), *WHEAT),
    (hp.kinetics, v(5.0, 35.0)),
    (hp.efficiencies_c3, v(0.8), v(30.0), hp.Kinetics(v(4.0), v(50.0)), v(0.058)),
    (hp.efficiencies_c4, v(0.8), v(0.3, 0.5), v(0.052)),
    (hp.optimum_capacity, hp.Efficiencies(v(0.04), v(0.3)), *SUN, v(0.031), 0.99),
    (hp.assimilation, hp.Efficiencies(v(0.04), v(0.3)), VM, *SUN, v(0.031), 0.99),
    (hp.carbon_to_volume, v(8.0), v(20.0)),
    (hp.ratio_at_exchange_c3, v(3.0, 9.0), VM, *SUN, v(0.8), v(40.0),
     hp.Kinetics(v(4.0), v(50.0)), v(0.058), *LEAVES),
    (hp.ratio_at_exchange_c4, v(2.0, 9.0), v(20.0, 12.0), *SUN, v(0.8), v(0.052), *LEAVES),
    (surface.daily_energy, v(40.0, -60.0), v(100.0, 200.0), v(15.0), v(-50.0), v(200.0), v(0.2)),
    (surface.interception, v(8.0), v(3.0), v(4.0), v(0.02)),
    (surface.soil_evaporation, v(4.0), v(0.5), v(0.3), v(0.4)),
    (surface.opening, v(4.0), v(3.0), v(6.0)),
    (harvest_index.heat_unit_fraction, v(0.3, 1.4), v(0.45)),
    (harvest_index.organs_of, v(200.0, 10.0), v(4.0, 3.0), v(0.04), v(0.3), v(0.4, 1.5)),
    (harvest_index.shares_towards, ORGANS, WANTED),
]

ZERO, ONE = v(0.0), v(1.0)
NO_ORGANS = harvest_index.Organs(ZERO, ZERO, ZERO, ZERO)
EDGES = [
    ("far outside the limits", hp.temperature_stress, v(-90.0, 40.0, 90.0, 300.0), *WHEAT),
    ("extreme cold and heat", hp.kinetics, v(-60.0, 60.0)),
    ("polar night", hp.optimum_capacity, hp.Efficiencies(v(0.04), v(0.3)), ZERO, ZERO, 0.031, 0.99),
    ("below compensation", hp.optimum_capacity, hp.Efficiencies(v(-0.02), v(-0.1)), *SUN, 0.031,
     0.99),
    ("night", hp.assimilation, hp.Efficiencies(v(0.04), v(0.3)), ZERO, ZERO, ZERO, 0.031, 0.99),
    ("closed stomata", hp.ratio_at_exchange_c3, ZERO, VM, *SUN, v(0.8), v(40.0),
     hp.Kinetics(v(4.0), v(50.0)), 0.058, *LEAVES),
    ("closed stomata at night", hp.ratio_at_exchange_c3, ZERO, ZERO, ZERO, ZERO, v(0.8), v(40.0),
     hp.Kinetics(v(4.0), v(50.0)), 0.058, *LEAVES),
    ("too cold", hp.ratio_at_exchange_c3, v(2.0), ZERO, *SUN, ZERO, v(40.0),
     hp.Kinetics(v(1.0), v(5.0)), 0.058, *LEAVES),
    ("closed stomata", hp.ratio_at_exchange_c4, ZERO, VM, *SUN, v(0.8), 0.052, *LEAVES),
    ("closed stomata at night", hp.ratio_at_exchange_c4, ZERO, ZERO, ZERO, ZERO, v(0.8), 0.052,
     *LEAVES),
    ("pole", surface.daily_energy, v(90.0, -90.0), v(172.0), v(-40.0), v(-30.0), ZERO, 0.2),
    ("no energy", surface.interception, v(8.0), v(3.0), ZERO, 0.02),
    ("no demand", surface.opening, ZERO, ZERO, ZERO),
    ("no supply", surface.opening, v(3.0), ZERO, v(4.0)),
    ("before and after the season", harvest_index.heat_unit_fraction, v(-0.1, 0.0, 1.0, 2.0), 0.45),
    ("no crop", harvest_index.organs_of, ZERO, v(2.0), v(0.04), v(0.4), v(0.5)),
    ("nothing lacks", harvest_index.shares_towards, NO_ORGANS, NO_ORGANS),
]


@pytest.mark.parametrize("case", KERNELS, ids=label)
def test_gradcheck(case):
    check_slopes(case)


@pytest.mark.parametrize("case", EDGES, ids=label)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_values_and_slopes_are_finite_at_the_edges(case, dtype):
    assert all(result.dtype == dtype for result in check_edge(case, dtype))


@pytest.mark.parametrize("case", KERNELS, ids=label)
def test_single_precision_agrees(case):
    check_single(case)


def test_every_public_function_is_checked():
    public = public_functions((hp, surface, harvest_index))
    assert public == {name(case[0]) for case in KERNELS}


def test_unknown_versions_are_refused():
    assert lpjml_versions.version_of("lpjml6") is V6
    with pytest.raises(ValueError, match=r"lpjml4.*expected lpjml5 or lpjml6"):
        lpjml_versions.version_of("lpjml4")
