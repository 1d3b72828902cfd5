"""Decay, its balance, and steady states in closed form."""

import math

import pytest
import torch

from neuralcrop.physics import soil_carbon
from neuralcrop.physics.soil_carbon import OrganicMatter
from tests.soil_cells import flat, layered, organic, profile


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def rates(response=(1.3, 1.1, 0.9, 0.7, 0.6), yearly=(0.97, 0.3, 0.04, 0.001, 0.693)):
    return soil_carbon.decay_rates(
        layered(*response), profile(), *(flat(rate) for rate in yearly))


SHARES = soil_carbon.litter_shares(f64(0.5), f64(0.98))


def inputs(surface=0.6, incorporated=0.2, root=0.5):
    nothing = torch.zeros(5, 1, dtype=torch.float64)
    return OrganicMatter(flat(surface), flat(incorporated), flat(root), nothing, nothing)


def step(pools, given, rate, h):
    """Pools a step later, written out flux by flux."""
    lost = soil_carbon.decay(pools, rate, h)
    top = (lost.surface + lost.incorporated).unsqueeze(0)
    decayed = soil_carbon.to_first_layer(top[0], lost.root)
    change = OrganicMatter(
        given.surface - lost.surface - lost.mixing,
        given.incorporated + lost.mixing - lost.incorporated,
        given.root - lost.root.sum(0),
        given.fast + SHARES.fast * decayed - lost.fast,
        given.slow + SHARES.slow * decayed - lost.slow,
    )
    return OrganicMatter(*(x + h * dx for x, dx in zip(pools, change, strict=True))), lost


def test_moisture_response():
    m = soil_carbon.moisture_response(f64(0.0, 0.2, 0.4, 0.6, 0.7, 0.8, 1.0, -0.3, 1.5))
    expected = f64(0.040216, 0.314731, 0.690554, 0.927442, 0.918709, 0.785152, 0.023442,
                   0.040216, 0.023442)
    torch.testing.assert_close(m, expected, rtol=0.0, atol=6e-7)


def test_shares_sum_to_one():
    torch.testing.assert_close(sum(SHARES), f64(1.0), rtol=1e-15, atol=0.0)
    torch.testing.assert_close(SHARES.fast, f64(0.49), rtol=1e-12, atol=0.0)


@pytest.mark.parametrize("h", [0.25, 1.0, 10.0])
def test_decay_of_a_pool_is_exponential(h):
    pools, rate = organic(), rates(yearly=(90.0, 70.0, 50.0, 2.0, 60.0))
    lost = soil_carbon.decay(pools, rate, h)
    left = pools.surface - h * (lost.surface + lost.mixing)
    total = (rate.surface + rate.mixing).item()
    torch.testing.assert_close(left, pools.surface * math.exp(-h * total), rtol=1e-12, atol=1e-12)
    left = pools.root - h * lost.root.sum(0)
    total = rate.root.sum().item()
    torch.testing.assert_close(left, pools.root * math.exp(-h * total), rtol=1e-12, atol=1e-12)
    left = pools.fast - h * lost.fast
    torch.testing.assert_close(
        left, pools.fast * torch.exp(-h * rate.fast), rtol=1e-12, atol=1e-12)


def test_one_year_at_the_reference_takes_the_rate():
    """At 10 degC and full moisture response, 1 - exp(-k) of a pool is gone after a year."""
    pools, rate = organic(), rates(response=(1.0,) * 5, yearly=(0.97, 0.3, 0.04, 0.001, 0.0))
    start = pools
    for _ in range(365):
        pools, _ = step(pools, inputs(0.0, 0.0, 0.0), rate, 1.0)
    expected = start.surface * math.exp(-0.97)
    torch.testing.assert_close(pools.surface, expected, rtol=1e-10, atol=0.0)
    expected = start.root * math.exp(-0.3)
    torch.testing.assert_close(pools.root, expected, rtol=1e-10, atol=0.0)


def test_limit_of_the_step():
    rate = rates()
    for exact, tiny in zip(soil_carbon.effective_rates(rate, 0.0),
                           soil_carbon.effective_rates(rate, 1e-6), strict=True):
        torch.testing.assert_close(exact, tiny, rtol=1e-7, atol=0.0)


@pytest.mark.parametrize("h", [0.0, 1.0])
def test_steady_state_stands_still(h):
    given, rate = inputs(), rates()
    given = given._replace(fast=layered(0.1, 0.0, 0.0, 0.02, 0.0))
    state = soil_carbon.steady_state(given, rate, SHARES, h)
    lost = soil_carbon.decay(state, rate, h)
    decayed = soil_carbon.to_first_layer(lost.surface + lost.incorporated, lost.root)
    balances = (
        (given.surface, lost.surface + lost.mixing),
        (given.incorporated + lost.mixing, lost.incorporated),
        (given.root, lost.root.sum(0)),
        (given.fast + SHARES.fast * decayed, lost.fast),
        (SHARES.slow * decayed, lost.slow),
    )
    for gained, gone in balances:
        torch.testing.assert_close(gained, gone, rtol=1e-12, atol=1e-15)


def test_steady_state_of_one_chain_is_input_over_rate():
    """Root litter alone, in one layer: I / k, 0.98 0.5 I / k_f and 0.02 0.5 I / k_s."""
    one = f64(1.0).unsqueeze(-1)
    rate = soil_carbon.decay_rates(one, one, *(flat(k) for k in (0.97, 0.3, 0.04, 0.001, 0.693)))
    given = OrganicMatter(flat(0.0), flat(0.0), flat(0.8), 0.0 * one, 0.0 * one)
    state = soil_carbon.steady_state(given, rate, SHARES, 0.0)
    year = 365.0 * 0.8
    torch.testing.assert_close(state.root, f64(year / 0.3), rtol=1e-12, atol=0.0)
    torch.testing.assert_close(state.fast, 0.49 * year / 0.04 * one, rtol=1e-12, atol=0.0)
    torch.testing.assert_close(state.slow, 0.01 * year / 0.001 * one, rtol=1e-12, atol=0.0)


def test_steady_state_is_where_integration_ends():
    rate = rates(yearly=(40.0, 20.0, 12.0, 6.0, 30.0))
    given = inputs()
    state = organic()
    for _ in range(4000):
        state, _ = step(state, given, rate, 1.0)
    expected = soil_carbon.steady_state(given, rate, SHARES, 1.0)
    for end, closed in zip(state, expected, strict=True):
        torch.testing.assert_close(end, closed, rtol=1e-9, atol=1e-9)


def test_soil_that_never_thaws_has_a_finite_steady_state():
    state = soil_carbon.steady_state(inputs(), rates(response=(0.0,) * 5), SHARES, 1.0)
    assert all(torch.isfinite(pool).all() for pool in state)
