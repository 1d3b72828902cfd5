"""Gradients of every public function of soil heat, carbon and nitrogen, as in test_kernels."""

import importlib
import inspect

import pytest
import torch
from test_kernels import fresh, leaves, name, outputs, rows, v

from neuralcrop.physics import soil_heat

MODULES = ("soil_heat",)

THREE = (0.2, 0.3, 10.0)
HEAT = (rows(3.0, -1.0, 8.0), v(21.0), rows(0.5, 0.7, 25.0))
LINKS = (v(1.1), rows(0.4, 0.06))
LATENT = rows(20.0, 30.0, 900.0)

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
]

EDGES = [
    ("dry and saturated", soil_heat.thermal_conductivity, v(0.0, 1.0, 1.2), v(0.46), v(0.0)),
    ("bare", soil_heat.surface_conductance, v(1.2), 0.2, v(0.0), v(0.0)),
    ("deep snow", soil_heat.surface_conductance, v(1.2), 0.2, v(5e3), v(1e5)),
    ("at rest", soil_heat.freezing_rate, rows(0.0, 0.0, 0.0), v(0.0), HEAT[2], LATENT, *LINKS, 1.0),
    ("heat wave", soil_heat.freezing_rate, rows(-40.0, 0.0, 45.0), v(60.0), HEAT[2], LATENT, *LINKS,
     1.0),
]
# fmt: on


@pytest.mark.parametrize("case", KERNELS, ids=lambda case: name(case[0]))
def test_gradcheck(case):
    function, *arguments = case
    inputs = fresh(leaves(arguments))
    assert torch.autograd.gradcheck(
        lambda *tensors: outputs(function, arguments, tensors), inputs, eps=1e-6, rtol=1e-4
    )


@pytest.mark.parametrize("case", EDGES, ids=lambda case: f"{name(case[1])}: {case[0]}")
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_values_and_slopes_are_finite_at_the_edges(case, dtype):
    _, function, *arguments = case
    inputs = [tensor.to(dtype).detach().requires_grad_() for tensor in leaves(arguments)]
    results = outputs(function, arguments, inputs)
    assert all(torch.isfinite(result).all() for result in results)
    assert all(result.dtype == dtype for result in results)
    total = sum(result.sum() for result in results if result.requires_grad)
    for gradient in torch.autograd.grad(total, inputs, allow_unused=True):
        assert gradient is None or torch.isfinite(gradient).all()


@pytest.mark.parametrize("case", KERNELS, ids=lambda case: name(case[0]))
def test_single_precision_agrees(case):
    function, *arguments = case
    doubles = [tensor.detach() for tensor in leaves(arguments)]
    expected = outputs(function, arguments, fresh(doubles))
    singles = [tensor.float().requires_grad_() for tensor in doubles]
    for actual, wanted in zip(outputs(function, arguments, singles), expected, strict=True):
        assert actual.dtype == torch.float32
        torch.testing.assert_close(actual.double(), wanted, rtol=5e-5, atol=5e-6)


def test_every_public_function_is_checked():
    modules = [importlib.import_module(f"neuralcrop.physics.{label}") for label in MODULES]
    public = {
        name(function)
        for module in modules
        for label, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not label.startswith("_")
    }
    assert public == {name(case[0]) for case in KERNELS}


@pytest.mark.slow
def test_every_kernel_traces_into_one_graph():
    inputs = [tensor.detach() for tensor in leaves([case[1:] for case in KERNELS])]

    def everything(*tensors):
        supply = iter(tensors)
        results = []
        for function, *args in KERNELS:
            count = sum(1 for _ in leaves(args))
            results += outputs(function, args, [next(supply) for _ in range(count)])
        return torch.stack([result.sum() for result in results])

    torch._dynamo.reset()
    compiled = torch.compile(everything, fullgraph=True, dynamic=False, backend="eager")
    torch.testing.assert_close(compiled(*inputs), everything(*inputs), rtol=1e-12, atol=1e-12)
