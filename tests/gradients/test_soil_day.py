"""Gradients of the soil processes as wholes, and that a day of them is one graph."""

import pytest
import torch

from neuralcrop.processes.soil_biogeochemistry import Decomposition
from neuralcrop.processes.soil_heat import SoilHeat
from neuralcrop.processes.soil_nitrogen import MineralNitrogen
from tests.soil_cells import flat, parameters, soil_fluxes, soil_state, soil_weather


def day(h, p, state, weather):
    """Fluxes of soil carbon and nitrogen, and the rate of temperature."""
    fluxes = soil_fluxes(Decomposition(), MineralNitrogen(), p, state, weather, h)
    rate = SoilHeat()(p, weather["soil_temperature"], flat(21.0), weather["soil_water"],
                      weather["saturation"], weather["sand"], flat(4.0),
                      state["surface_litter_carbon"], None, h)
    return (*fluxes.values(), rate)


def arguments():
    """Litter poor in nitrogen, so that immobilisation has a slope, and rates that matter."""
    return (parameters(litter_decay_rate=20.0, fast_decay_rate=5.0),
            soil_state(carbon=0.1, nitrogen=0.02), soil_weather(filled=0.85))


def flattened(parts):
    return [tensor for part in parts for tensor in part.values()]


def rebuilt(parts, tensors):
    supply = iter(tensors)
    return [dict.fromkeys(part) | {name: next(supply) for name in part} for part in parts]


@pytest.mark.parametrize("h", [0.0, 1.0])
def test_gradcheck(h):
    parts = arguments()
    inputs = [tensor.clone().requires_grad_() for tensor in flattened(parts)]
    assert torch.autograd.gradcheck(
        lambda *tensors: day(h, *rebuilt(parts, tensors)), inputs, eps=1e-6, atol=1e-6, rtol=1e-4)


def test_each_flux_answers_to_its_parameter():
    """Signs of the slopes."""
    parts = arguments()
    p = {name: value.clone().requires_grad_() for name, value in parts[0].items()}
    fluxes = soil_fluxes(Decomposition(), MineralNitrogen(), p, *parts[1:], 1.0)
    expected = (
        ("surface_litter_respiration", "litter_decay_rate", 1.0),
        ("surface_litter_respiration", "litter_mixing_rate", -1.0),
        ("surface_litter_humification", "litter_released_share", -1.0),
        ("fast_mineralisation", "fast_decay_rate", 1.0),
        ("nitrate_immobilisation", "soil_cn", -1.0),
        ("nitrification", "nitrification_rate", 1.0),
        ("volatilisation", "nitrification_rate", -1.0),
        ("denitrification_nitrous_oxide", "denitrification_n2o_share", 1.0),
        ("nitrate_leaching", "anion_exclusion", 1.0),
        ("nitrate_uptake", "anion_exclusion", -1.0),
    )
    for flux, name, sign in expected:
        slope, = torch.autograd.grad(fluxes[flux].sum(), p[name], retain_graph=True)
        assert slope.item() * sign > 0.0, (flux, name)


@pytest.mark.slow
def test_a_day_traces_into_one_graph():
    parts = arguments()
    torch._dynamo.reset()
    compiled = torch.compile(day, fullgraph=True, dynamic=False, backend="eager")
    for actual, expected in zip(compiled(1.0, *parts), day(1.0, *parts), strict=True):
        torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-15)
