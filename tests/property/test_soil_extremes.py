"""Soil carbon, nitrogen and heat under any weather: no stock overdrawn, all slopes finite."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralcrop.processes.soil_biogeochemistry import Decomposition
from neuralcrop.processes.soil_heat import SoilHeat
from neuralcrop.processes.soil_nitrogen import MineralNitrogen
from tests.soil_cells import (
    advance,
    flat,
    layered,
    like,
    losses,
    parameters,
    soil_fluxes,
    soil_state,
    soil_weather,
)

H = st.sampled_from([0.25, 1.0, 2.0])
AMOUNT = st.sampled_from([0.0, 1e-12, 1e-3, 1.0, 300.0])
# Faster than any soil, so that the limiters of decay are at work too.
RATES = st.sampled_from([{}, {
    "litter_decay_rate": 3e3, "fast_decay_rate": 2e3, "root_litter_decay_rate": 2e3,
    "litter_mixing_rate": 1e3, "nitrification_rate": 30.0,
    "immobilisation_half_saturation": 1e-3}])

weather = st.fixed_dictionaries({
    "t": st.floats(-40.0, 45.0), "filled": st.sampled_from([0.0, 0.3, 0.9, 1.0, 1.1]),
    "percolation": st.sampled_from([0.0, 5.0, 400.0, 1e5]),
    "runoff": st.sampled_from([0.0, 50.0, 1e4]), "uptake": st.sampled_from([0.0, 0.1, 1e3]),
})  # fmt: skip


def forall(*strategies):
    return lambda test: settings(max_examples=60, deadline=None)(given(*strategies)(test))


def surroundings(conditions, extra, dtype):
    around = soil_weather(dtype=dtype, **conditions)
    around["ph"], around["wind"] = flat(extra[0], dtype=dtype), flat(extra[1], dtype=dtype)
    around["sand"] = flat(extra[2], dtype=dtype)
    return around


EXTRA = st.tuples(st.sampled_from([3.5, 7.0, 10.5]), st.sampled_from([0.0, 4.0, 30.0]),
                  st.sampled_from([0.0, 0.7, 1.0]))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@forall(AMOUNT, AMOUNT, st.sampled_from([0.0, 0.003, 0.3]), weather, EXTRA, RATES, H)
def test_no_stock_is_overdrawn(dtype, carbon, mineral, nitrogen, conditions, extra, rates, h):
    state = soil_state(dtype=dtype, carbon=carbon, nitrogen=nitrogen, mineral=mineral)
    fluxes = soil_fluxes(Decomposition(), MineralNitrogen(), parameters(dtype=dtype, **rates),
                         state, surroundings(conditions, extra, dtype), h)
    for flux in fluxes.values():
        assert flux.dtype == dtype
        assert (flux >= 0.0).all()
        assert torch.isfinite(flux).all()
    for name, lost in losses(state, fluxes).items():
        stock = state[name]
        if name in ("ammonium", "nitrate"):
            assert ((h * lost < stock) | (stock == 0.0) & (lost == 0.0)).all()
        else:
            # litter and humus decay at rates far below one a day; at 8 they come to the last bits
            bits = 4.0 * torch.finfo(dtype).eps
            assert (h * lost <= stock * (1.0 + bits)).all()


@forall(AMOUNT, AMOUNT, st.sampled_from([0.003, 0.3]), weather, EXTRA, RATES, H)
def test_balance_closes(carbon, mineral, nitrogen, conditions, extra, rates, h):
    state = soil_state(carbon=carbon, nitrogen=nitrogen, mineral=mineral)
    fluxes = soil_fluxes(Decomposition(), MineralNitrogen(), parameters(**rates), state,
                         surroundings(conditions, extra, torch.float64), h)
    after, out = advance(state, fluxes, h)
    before = sum(stock.sum() for stock in state.values())
    now = sum(stock.sum() for stock in after.values()) + sum(x.sum() for x in out.values())
    torch.testing.assert_close(now, before, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@forall(AMOUNT, AMOUNT, st.sampled_from([0.0, 0.003, 0.3]), weather, EXTRA, RATES, H)
def test_slopes_are_finite(dtype, carbon, mineral, nitrogen, conditions, extra, rates, h):
    state = soil_state(dtype=dtype, carbon=carbon, nitrogen=nitrogen, mineral=mineral)
    p = parameters(dtype=dtype, **rates)
    around = surroundings(conditions, extra, dtype)
    inputs = [tensor.requires_grad_() for part in (state, p, around) for tensor in part.values()]
    fluxes = soil_fluxes(Decomposition(), MineralNitrogen(), p, state, around, h)
    amount = sum(flux.sum() for flux in fluxes.values())
    for slope in torch.autograd.grad(amount, inputs, allow_unused=True):
        assert slope is None or torch.isfinite(slope).all()


@pytest.mark.parametrize("freezing", [False, True])
@forall(st.lists(st.floats(-40.0, 45.0), min_size=6, max_size=6), st.floats(-60.0, 55.0),
        st.sampled_from([0.0, 0.4, 1.0]), st.sampled_from([0.0, 20.0, 3e3]),
        st.sampled_from([0.0, 200.0, 5e3]), H)
def test_soil_temperature_stays_between_the_extremes(freezing, layers, tas, filled, snow, litter,
                                                     h):
    temperature = layered(*layers)
    saturation = 460.0 * layered(0.2, 0.3, 0.5, 1.0, 1.0)
    inputs = [x.requires_grad_() for x in (
        temperature, flat(tas), filled * saturation, saturation, flat(0.4), flat(snow),
        flat(litter))]
    rate = SoilHeat(freezing)(parameters(), *inputs, None, h)
    after = temperature + h * rate
    low, high = min(tas, *layers), max(tas, *layers)
    assert (after >= low - 1e-9).all()
    assert (after <= high + 1e-9).all()
    for slope in torch.autograd.grad(rate.sum(), inputs, allow_unused=True):
        assert slope is None or torch.isfinite(slope).all()


def test_like_puts_a_flux_of_the_surface_into_the_first_layer():
    """The bookkeeping of these tests."""
    stock = layered(1.0, 2.0, 3.0, 4.0, 5.0)
    assert like(stock, flat(7.0)).tolist() == [[7.0], [0.0], [0.0], [0.0], [0.0]]
    assert like(flat(1.0), stock).tolist() == [15.0]
