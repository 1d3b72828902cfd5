"""Bounds, monotonicity and balances of the functions after LPJmL over random inputs."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralcrop.physics import allocation, harvest_index
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import haxeltine_prentice as hp
from neuralcrop.physics import lpjml_transpiration as surface
from neuralcrop.physics.lpjml_versions import LPJML5, LPJML6

TINY = 1e-9


def forall(*strategies):
    return lambda test: settings(max_examples=60, deadline=None)(given(*strategies)(test))


def number(low, high):
    values = st.floats(low, high, allow_subnormal=False)
    return values.map(lambda x: torch.tensor([x], dtype=torch.float64))


share = number(0.0, 1.0)
carbon = number(0.0, 500.0)
temperature = number(-10.0, 45.0)
hours = number(0.0, 24.0)
light = number(0.0, 1.2e7)


def canopy(t, co2, apar, day, version, ratio=None, c4=False):
    """Optimal capacity and the assimilation of a day at a ratio."""
    stress, constants = torch.full_like(t, 0.9), hp.kinetics(t)

    def at(r):
        if c4:
            return hp.efficiencies_c4(stress, r, version.quantum_c4)
        return hp.efficiencies_c3(stress, r * co2, constants, version.quantum_c3)

    b = version.leaf_respiration_c4 if c4 else version.leaf_respiration_c3
    optimal = torch.full_like(t, hp.OPTIMAL_RATIO_C4 if c4 else hp.OPTIMAL_RATIO_C3)
    capacity = hp.optimum_capacity(at(optimal), apar, day, b, version.curvature)
    return capacity, hp.assimilation(
        at(optimal if ratio is None else ratio), capacity, apar, day, b, version.curvature)


@pytest.mark.parametrize("version", [LPJML5, LPJML6])
@forall(temperature, number(25.0, 100.0), light, hours)
def test_the_capacity_is_the_best_for_the_day(version, t, co2, apar, day):
    """No other capacity gives more net assimilation over 24 h."""
    capacity, result = canopy(t, co2, apar, day, version)
    assert (capacity >= 0.0).all()
    assert (result.gross >= -TINY).all()
    best = hp.efficiencies_c3(
        torch.full_like(t, 0.9), hp.OPTIMAL_RATIO_C3 * co2, hp.kinetics(t), version.quantum_c3)
    b, theta = version.leaf_respiration_c3, version.curvature
    for factor in (0.5, 0.98, 1.02, 2.0):
        other = hp.assimilation(best, factor * capacity, apar, day, b, theta)
        gain = (other.gross - other.respiration) - (result.gross - result.respiration)
        assert (gain <= 1e-6 * (1.0 + result.gross)).all()


@pytest.mark.parametrize("c4", [False, True])
@pytest.mark.parametrize("version", [LPJML5, LPJML6])
@forall(number(0.0, 60.0), temperature, number(25.0, 100.0), light, number(4.0, 24.0))
def test_the_ratio_balances_diffusion_and_assimilation(
    version, c4, exchange, t, co2, apar, day
):
    stress = torch.full_like(t, 0.9)
    capacity, _ = canopy(t, co2, apar, day, version, c4=c4)
    if c4:
        ratio = hp.ratio_at_exchange_c4(
            exchange, capacity, apar, day, stress, version.quantum_c4,
            version.leaf_respiration_c4, version.curvature)
    else:
        ratio = hp.ratio_at_exchange_c3(
            exchange, capacity, apar, day, stress, co2, hp.kinetics(t), version.quantum_c3,
            version.leaf_respiration_c3, version.curvature)
    assert ((ratio >= hp.LOWEST_RATIO) & (ratio <= hp.HIGHEST_RATIO)).all()
    _, result = canopy(t, co2, apar, day, version, ratio, c4)
    residual = exchange * (1.0 - ratio) - result.net
    inside = (ratio > hp.LOWEST_RATIO) & (ratio < hp.HIGHEST_RATIO)
    assert (residual[inside].abs() <= 1e-6 * (1.0 + exchange[inside])).all()
    assert (residual[ratio <= hp.LOWEST_RATIO] <= 1e-6).all()
    assert (residual[ratio >= hp.HIGHEST_RATIO] >= -1e-6).all()


@forall(number(-40.0, 60.0))
def test_temperature_stress_is_a_share(t):
    for limits in ((0, 12, 17, 40), (8, 21, 26, 42), (6, 20, 45, 55)):
        stress = hp.temperature_stress(t, *(torch.full_like(t, x) for x in limits))
        assert ((stress >= 0.0) & (stress <= 1.0)).all()
        assert (stress[t >= limits[3]] == 0.0).all()


@forall(number(0.1, 8.0), number(0.1, 30.0), share, number(0.0, 0.9))
def test_the_opening_gives_the_supplied_water(equilibrium, conductance, part, wet):
    maximum = (1.0 - wet) * equilibrium * 1.485
    demand = et.lpjml_demand(equilibrium, conductance, wet)
    supplied = part * demand
    opened = surface.opening(demand, supplied, maximum)
    assert ((opened >= 0.0) & (opened <= 1.0)).all()
    again = et.lpjml_demand(equilibrium, opened * conductance, wet)
    torch.testing.assert_close(again, supplied, rtol=1e-9, atol=1e-12)


@forall(number(0.0, 80.0), number(0.0, 9.0), number(0.0, 8.0), share, number(0.0, 1.5))
def test_surface_losses_stay_below_the_potential(rain, lai, equilibrium, cover, wetness):
    for version in (LPJML5, LPJML6):
        caught = surface.interception(rain, lai, equilibrium, version.interception)
        potential = version.priestley_taylor * equilibrium
        assert ((caught.wet >= 0.0) & (caught.wet < 1.0)).all()
        assert (caught.amount <= potential + TINY).all()
        bare = surface.soil_evaporation(equilibrium, cover, wetness, 0.3)
        assert ((bare >= 0.0) & (bare <= potential + TINY)).all()


@forall(number(-0.1, 2.0), carbon, number(0.0, 7.0), number(1.0, 120.0), number(0.1, 3.5))
def test_organs_sum_to_the_total(stage, total, lai, water, optimal):
    fphu = harvest_index.heat_unit_fraction(stage, 0.45)
    weight = allocation.water_deficit_weight(water)
    index = allocation.harvest_index(fphu, optimal, torch.full_like(optimal, 0.1), weight)
    roots = allocation.root_fraction_lpjml(fphu, weight)
    organs = harvest_index.organs_of(total, lai, 0.04, roots, index)
    assert all((organ >= -TINY).all() for organ in organs)
    torch.testing.assert_close(sum(organs), total, rtol=1e-12, atol=1e-9)


@forall(carbon, carbon, carbon, carbon, carbon, number(0.0, 2.0), number(0.0, 7.0))
def test_new_carbon_never_overshoots(leaf, stem, root, storage, reserve, stage, lai):
    present = harvest_index.Organs(leaf, stem, root, storage)
    fphu = harvest_index.heat_unit_fraction(stage, 0.45)
    full = torch.full_like(leaf, 1.0)
    index = allocation.harvest_index(fphu, 0.5, 0.2, full)
    wanted = harvest_index.organs_of(
        sum(present) + reserve, lai, 0.04, allocation.root_fraction_lpjml(fphu, full), index)
    shares = harvest_index.shares_towards(present, wanted)
    assert all(((s >= 0.0) & (s <= 1.0)).all() for s in shares)
    torch.testing.assert_close(sum(shares), full, rtol=1e-12, atol=1e-12)
    for part, now, then in zip(shares, present, wanted, strict=True):
        grown = now + part * reserve
        assert (grown <= torch.maximum(now, then) + 1e-6).all()
