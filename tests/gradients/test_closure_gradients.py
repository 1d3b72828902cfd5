"""Gradients of every kind of closure and of the encoder against finite differences."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn

from neuralcrop.closures.base import FEATURE_NAMES, Closure, Features
from neuralcrop.closures.mlp import ScaleClosure
from neuralcrop.closures.monotone import MonotoneClosure
from neuralcrop.closures.parameter_network import ParameterNetwork
from neuralcrop.closures.repartition import RepartitionClosure
from neuralcrop.closures.series_encoder import SeriesEncoder

N = 3

MAKERS: dict[str, Callable[[], Closure]] = {
    "scale": lambda: ScaleClosure([3]),
    "scale of two features": lambda: ScaleClosure([3], 1.3, ("co2", "temperature")),
    "monotone in the value": lambda: MonotoneClosure([3]),
    "monotone in wetness": lambda: MonotoneClosure([3], driver="root_zone_wetness"),
    "repartition": lambda: RepartitionClosure([3]),
}


def moved(module: nn.Module) -> nn.Module:
    """In double precision, with weights away from the start."""
    g = torch.Generator().manual_seed(4)
    module = module.double()
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(0.7 * torch.randn(weight.shape, generator=g, dtype=torch.float64))
    return module


@pytest.mark.parametrize("start", [False, True], ids=["trained", "untrained"])
@pytest.mark.parametrize("kind", MAKERS)
def test_closures(kind: str, start: bool) -> None:
    closure = MAKERS[kind]().double() if start else moved(MAKERS[kind]())
    g = torch.Generator().manual_seed(1)
    # between the knots of the responses
    days = 1.8 * torch.rand(len(FEATURE_NAMES), N, generator=g, dtype=torch.float64) - 0.9
    value = torch.tensor([0.07, 0.55, 0.93], dtype=torch.float64)
    if kind == "repartition":
        value = torch.stack((value, 1.0 - value, 0.0 * value, 0.3 * value))
    names = [name for name, _ in closure.named_parameters()]
    weights = [w.detach().clone().requires_grad_() for w in closure.parameters()]

    def call(value: Tensor, days: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(names, weights, strict=True))
        return torch.func.functional_call(closure, given, (value, Features(*days)))  # type: ignore[no-any-return]

    inputs = (value.requires_grad_(), days.requires_grad_(), *weights)
    assert torch.autograd.gradcheck(call, inputs)


def test_gradients_stay_finite_at_the_edges() -> None:
    for closure in (moved(make()) for make in MAKERS.values()):
        for level in (0.0, 1.0, 1e-12, 7.0):
            value = torch.full((4, N) if isinstance(closure, RepartitionClosure) else (N,), level,
                               dtype=torch.float64, requires_grad=True)
            days = torch.full((len(FEATURE_NAMES), N), -1.0, dtype=torch.float64,
                              requires_grad=True)
            closure(value, Features(*days)).sum().backward()
            for x in (value, days, *closure.parameters()):
                assert x.grad is not None
                assert torch.isfinite(x.grad).all()


def test_the_encoder_and_its_network() -> None:
    encoder = SeriesEncoder(("lai", "ndvi"), steps=6, size=2, hidden=3)
    network = moved(ParameterNetwork(2, {"g1": 1}, [3], encoder=encoder))
    g = torch.Generator().manual_seed(2)
    series = torch.rand(network.n_series, N, generator=g, dtype=torch.float64)
    series[::5] = float("nan")
    series[:, 0] = float("nan")
    covariates = torch.randn(2, N, generator=g, dtype=torch.float64)
    names = [name for name, _ in network.named_parameters()]
    weights = [w.detach().clone().requires_grad_() for w in network.parameters()]

    def call(covariates: Tensor, *weights: Tensor) -> Tensor:
        given = dict(zip(names, weights, strict=True))
        out = torch.func.functional_call(network, given, (covariates, series))
        return out["g1"]  # type: ignore[no-any-return]

    assert torch.autograd.gradcheck(call, (covariates.requires_grad_(), *weights))
