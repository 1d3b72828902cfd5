"""Occupants of closure slots: exactly the equation at the start, bounded whatever they learn."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralcrop.closures.base import FEATURE_NAMES, EquationClosure, Features, scale_features
from neuralcrop.closures.mlp import ScaleClosure
from neuralcrop.closures.parameter_network import ParameterNetwork

N = 4


def features(scale: float = 1.0, seed: int = 0) -> Features:
    values = torch.randn(len(FEATURE_NAMES), N, generator=torch.Generator().manual_seed(seed))
    return Features(*(scale * values).unbind(0))


def wild(module: torch.nn.Module, scale: float, seed: int) -> None:
    """Weights as no training should leave them."""
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(scale * torch.randn(weight.shape, generator=g))


def test_the_equation_is_untouched() -> None:
    closure, value = EquationClosure(), torch.randn(N)
    assert not closure.neural
    assert closure(value, None) is value


def test_features_are_of_order_one() -> None:
    day = scale_features(*(torch.tensor([v]) for v in (20.0, 220.0, 1.5, 0.6, 1.0, 3.0, 420.0)))
    assert day.stacked().shape == (len(FEATURE_NAMES), 1)
    assert day.stacked().abs().max() <= 1.0


@pytest.mark.parametrize("shape", [(N,), (5, N), (3, 2, N)])
def test_a_new_closure_is_exactly_the_equation(shape: tuple[int, ...]) -> None:
    value = torch.randn(shape, generator=torch.Generator().manual_seed(3)).exp()
    assert torch.equal(ScaleClosure([8])(value, features()), value)


@given(
    bound=st.floats(1.01, 3.0), weights=st.floats(0.0, 1e4), scale=st.floats(0.0, 1e6),
    value=st.floats(0.0, 1e6), seed=st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_the_factor_is_bounded_by_construction(
    bound: float, weights: float, scale: float, value: float, seed: int
) -> None:
    closure = ScaleClosure([4], bound=bound)
    wild(closure, weights, seed)
    equation = torch.full((N,), value)
    result = closure(equation, features(scale, seed))
    assert (result >= equation / bound * (1.0 - 1e-5)).all()
    assert (result <= equation * bound * (1.0 + 1e-5)).all()


def test_nothing_stays_nothing() -> None:
    closure = ScaleClosure([4])
    wild(closure, 10.0, 1)
    assert torch.equal(closure(torch.zeros(N), features()), torch.zeros(N))


def test_a_bound_of_one_is_refused() -> None:
    with pytest.raises(ValueError, match=r"bound is 1\.0, expected a factor above 1"):
        ScaleClosure([4], bound=1.0)


def test_the_closure_learns() -> None:
    closure = ScaleClosure([4])
    closure(torch.ones(N), features()).sum().backward()
    gradient = closure.network[-1].weight.grad
    assert gradient is not None
    assert (gradient != 0.0).any()


def test_a_new_parameter_network_gives_zero() -> None:
    network = ParameterNetwork(3, {"g1": 1, "root_share": 11}, [8])
    offsets = network(torch.randn(3, N))
    assert {k: v.shape for k, v in offsets.items()} == {"g1": (1, N), "root_share": (11, N)}
    assert all(torch.equal(v, torch.zeros_like(v)) for v in offsets.values())


@given(weights=st.floats(0.0, 1e4), limit=st.floats(0.1, 5.0), seed=st.integers(0, 99))
@settings(max_examples=50, deadline=None)
def test_offsets_keep_to_their_limit(weights: float, limit: float, seed: int) -> None:
    network = ParameterNetwork(3, {"g1": 1}, [4], limit=limit)
    wild(network, weights, seed)
    offsets = network(1e3 * torch.randn(3, N, generator=torch.Generator().manual_seed(seed)))
    assert offsets["g1"].abs().max() <= limit * (1.0 + 1e-6)


def test_dropout_acts_in_training_only() -> None:
    network = ParameterNetwork(6, {"g1": 1}, [8], dropout=0.5)
    wild(network, 1.0, 2)
    covariates = torch.randn(6, N)
    network.eval()
    assert torch.equal(network(covariates)["g1"], network(covariates)["g1"])
    network.train()
    torch.manual_seed(0)
    assert not torch.equal(network(covariates)["g1"], network(covariates)["g1"])
