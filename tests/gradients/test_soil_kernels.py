"""Gradients of every public function of soil heat, carbon and nitrogen, as in test_kernels."""

import importlib

import pytest
import torch

from neuralcrop.physics import soil_carbon, soil_heat, soil_nitrogen
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

MODULES = ("soil_carbon", "soil_heat", "soil_nitrogen")

THREE = (0.2, 0.3, 10.0)
HEAT = (rows(3.0, -1.0, 8.0), v(21.0), rows(0.5, 0.7, 25.0))
LINKS = (v(1.1), rows(0.4, 0.06))
LATENT = rows(20.0, 30.0, 900.0)
YEARLY = tuple(v(rate) for rate in (0.97, 0.3, 0.04, 0.001, 0.7))
RATES = soil_carbon.DecayRates(
    v(0.3), v(0.2), v(0.1), rows(0.1, 0.02), rows(0.2, 3e-4), rows(0.05, 0.3))
POOLS = soil_carbon.OrganicMatter(v(90.0), v(40.0), v(60.0), rows(800.0, 300.0), rows(3e3, 1e3))
INPUTS = soil_carbon.OrganicMatter(v(0.6), v(0.1), v(0.5), rows(0.1, 0.0), rows(0.02, 0.0))
SHARES = soil_carbon.LitterShares(v(0.5), v(0.49), v(0.01))
NOTHING = soil_carbon.OrganicMatter(v(0.0), v(0.0), v(0.0), rows(0.0, 0.0), rows(0.0, 0.0))
AT_REST = soil_carbon.DecayRates(
    v(0.0), v(0.0), v(0.0), rows(0.0, 0.0), rows(0.0, 0.0), rows(0.0, 0.0))

# fmt: off
KERNELS = [
    (soil_heat.thermal_conductivity, v(0.1, 0.7), v(0.46, 0.4), v(0.2, 0.6)),
    (soil_heat.heat_capacity, v(0.1, 0.3), v(0.46, 0.4)),
    (soil_heat.damping_depth, v(0.04)),
    (soil_heat.litter_cover, v(50.0, 300.0)),
    (soil_heat.surface_conductance, v(1.2), 0.2, v(5.0), v(90.0), v(0.1), v(25.0)),
    (soil_heat.layer_conductances, rows(1.2, 1.0, 0.9), rows(2.0, 2.2, 2.4), THREE),
    (soil_heat.solve_tridiagonal, rows(-0.4, -0.2), rows(2.0, 1.5, 1.1), rows(-0.3, -0.1),
     rows(1.0, 2.0, -1.0)),
    (soil_heat.temperature_rate, *HEAT, *LINKS, 1.0),
    (soil_heat.temperature_rate, *HEAT, *LINKS, 0.0),
    (soil_heat.liquid_share, v(-4.0, -1.0, 2.0), v(0.5)),
    (soil_heat.freezing_rate, *HEAT, LATENT, *LINKS, 1.0),
    (soil_heat.freezing_rate, *HEAT, LATENT, *LINKS, 0.0),

    (soil_carbon.moisture_response, v(0.1, 0.5, 0.9)),
    (soil_carbon.decay_rates, rows(1.2, 0.4), rows(0.7, 0.3), *YEARLY),
    (soil_carbon.litter_shares, v(0.5), v(0.98)),
    (soil_carbon.decay, POOLS, RATES, 1.0),
    (soil_carbon.decay, POOLS, RATES, 0.0),
    (soil_carbon.effective_rates, RATES, 2.0),
    (soil_carbon.steady_state, INPUTS, RATES, SHARES, 1.0),
    (soil_carbon.to_first_layer, v(2.0), rows(1.0, 0.5)),

    (soil_nitrogen.immobilisation_demand, v(10.0, 5.0), v(0.2, 1.0), v(15.0)),
    (soil_nitrogen.immobilisation_limit, v(0.01, 4.0), v(0.2), v(0.005)),
    (soil_nitrogen.ammonium_share, v(3.0, 0.1), v(1.0, 2.0)),
    (soil_nitrogen.nitrification_temperature, v(5.0, 30.0), v(18.79), v(8.26)),
    (soil_nitrogen.nitrification_moisture, v(0.1, 0.5, 0.9), v(0.3, 0.69, 0.9)),
    (soil_nitrogen.nitrification_ph, v(4.0, 8.0)),
    (soil_nitrogen.denitrification_temperature, v(5.0, 30.0, 44.0)),
    (soil_nitrogen.denitrification_moisture, v(0.6, 0.95)),
    (soil_nitrogen.denitrification_rate, v(0.3), v(0.5), v(2.0), v(1.2)),
    (soil_nitrogen.ammonia_fraction, v(5.0, 30.0), v(6.0, 9.0)),
    (soil_nitrogen.ammonia_henry, v(5.0, 30.0)),
    (soil_nitrogen.ammonia_transfer, v(0.5, 6.0), v(5.0, 30.0), v(100.0)),
    (soil_nitrogen.volatilisation_rate, v(2.0), v(20.0), v(7.5), v(100.0)),
    (soil_nitrogen.leaching_rate, v(30.0), v(92.0), v(0.4)),
]

EDGES = [
    ("dry and saturated", soil_heat.thermal_conductivity, v(0.0, 1.0, 1.2), v(0.46), v(0.0)),
    ("bare", soil_heat.surface_conductance, v(1.2), 0.2, v(0.0), v(0.0)),
    ("deep snow", soil_heat.surface_conductance, v(1.2), 0.2, v(5e3), v(1e5)),
    ("at rest", soil_heat.freezing_rate, rows(0.0, 0.0, 0.0), v(0.0), HEAT[2], LATENT, *LINKS, 1.0),
    ("heat wave", soil_heat.freezing_rate, rows(-40.0, 0.0, 45.0), v(60.0), HEAT[2], LATENT, *LINKS,
     1.0),

    ("ends", soil_carbon.moisture_response, v(0.0, 1.0, -1.0, 2.0)),
    ("empty", soil_carbon.decay, NOTHING, RATES, 1.0),
    ("frozen", soil_carbon.decay, POOLS, AT_REST, 1.0),
    ("frozen", soil_carbon.steady_state, INPUTS, AT_REST, SHARES, 1.0),
    ("no litter", soil_nitrogen.immobilisation_demand, v(0.0), v(0.0), v(15.0)),
    ("no nitrogen", soil_nitrogen.immobilisation_limit, v(0.0), v(0.2), v(0.005)),
    ("no nitrogen", soil_nitrogen.ammonium_share, v(0.0, 1e-30), v(0.0, 0.0)),
    ("ends", soil_nitrogen.nitrification_moisture, v(0.0, 0.0012, 1.0, 2.0), v(0.0, 0.7, 1.0, 0.2)),
    ("deep cold and heat", soil_nitrogen.nitrification_temperature, v(-45.0, 60.0)),
    ("deep cold and heat", soil_nitrogen.denitrification_temperature, v(-45.0, 0.0, 45.9, 60.0)),
    ("no carbon", soil_nitrogen.denitrification_rate, v(0.5, 0.0), v(0.5, 0.0), v(0.0)),
    ("calm", soil_nitrogen.volatilisation_rate, v(0.0), v(-45.0, 45.0), v(3.0, 10.0)),
    ("no water", soil_nitrogen.leaching_rate, v(0.0), v(92.0), v(0.4)),
]
# fmt: on


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
    modules = [importlib.import_module(f"neuralcrop.physics.{label}") for label in MODULES]
    public = public_functions(modules)
    assert public == {name(case[0]) for case in KERNELS}


@pytest.mark.slow
def test_every_kernel_traces_into_one_graph():
    check_one_graph(KERNELS)
