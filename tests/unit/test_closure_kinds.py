"""Kinds of closures: bounds, sums and directions that hold whatever was learnt."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import TypeVar

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralcrop.closures.base import FEATURE_NAMES, Closure, Features
from neuralcrop.closures.kinds import kinds_of, make_closure
from neuralcrop.closures.monotone import SEGMENTS, MonotoneClosure
from neuralcrop.closures.repartition import RepartitionClosure
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model

AnyClosure = TypeVar("AnyClosure", bound=Closure)

N = 5


def features(seed: int = 0, scale: float = 1.0) -> Features:
    values = torch.randn(len(FEATURE_NAMES), N, generator=torch.Generator().manual_seed(seed))
    return Features(*(scale * values).unbind(0))


def wild(closure: AnyClosure, scale: float, seed: int) -> AnyClosure:
    g = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in closure.parameters():
            weight.copy_(scale * torch.randn(weight.shape, generator=g))
    return closure


def shares(seed: int) -> torch.Tensor:
    """Four shares of one, some of them zero."""
    g = torch.Generator().manual_seed(seed)
    raw = torch.rand(4, N, generator=g) * (torch.rand(4, N, generator=g) > 0.3)
    raw[0] += 1e-3
    return raw / raw.sum(dim=0)


@given(weights=st.floats(0.0, 1e3), seed=st.integers(0, 99), bound=st.floats(1.05, 3.0))
@settings(max_examples=60, deadline=None)
def test_a_repartition_keeps_sum_sign_and_bounds(weights: float, seed: int, bound: float) -> None:
    closure = wild(RepartitionClosure([4], bound), weights, seed)
    before = shares(seed)
    after = closure(before, features(seed))
    torch.testing.assert_close(after.sum(dim=0), before.sum(dim=0), rtol=3e-7, atol=0.0)
    assert (after >= 0.0).all()
    assert torch.equal(after == 0.0, before == 0.0)
    assert (after <= before * bound * (1.0 + 1e-5)).all()
    assert (after >= before / bound * (1.0 - 1e-5)).all()


def test_a_repartition_moves_growth_and_is_the_softmax_of_logits() -> None:
    closure = wild(RepartitionClosure([4]), 1.0, 3)
    before = shares(1).clamp_min(0.01)
    before = before / before.sum(dim=0)
    after = closure(before, features())
    assert not torch.allclose(after, before, atol=1e-3)
    softmax = torch.softmax(before.log() + closure.logarithms(features()), dim=0)
    torch.testing.assert_close(after, softmax)


def test_nothing_to_share_stays_nothing() -> None:
    closure = wild(RepartitionClosure([4]), 1.0, 3)
    none = torch.zeros(4, N, requires_grad=True)
    out = closure(none, features())
    out.sum().backward()
    assert torch.equal(out, torch.zeros(4, N))
    assert none.grad is not None
    assert torch.isfinite(none.grad).all()


@pytest.mark.parametrize("make", [
    lambda: MonotoneClosure([4], driver="root_zone_wetness"), lambda: MonotoneClosure([4]),
    lambda: RepartitionClosure([4]), lambda: make_closure("a.b", "scale", [4])])
def test_every_kind_starts_at_the_equation_and_learns(make: Callable[[], Closure]) -> None:
    closure = make()
    value = shares(5) if isinstance(closure, RepartitionClosure) else torch.rand(N)
    result = closure(value, features())
    assert torch.equal(result, value)
    assert float(closure.departure(features())) == 0.0
    (result * torch.arange(1.0, 1.0 + len(result)).reshape(-1, *(1,) * (result.dim() - 1))
     ).sum().backward()
    last = closure.network[-1]  # type: ignore[index, union-attr]
    assert (last.weight.grad != 0.0).any()


def response(closure: MonotoneClosure, x: torch.Tensor, seed: int) -> torch.Tensor:
    """What a drought response of 3 mm d-1 at most becomes, for drivers ``[point]``."""
    if closure.driver == "value":
        return torch.stack([closure(torch.full((N,), float(v)), features(seed)) for v in x])
    return torch.stack([closure(
        torch.full((N,), 3.0 * float(v)),
        features(seed)._replace(root_zone_wetness=torch.full((N,), 2.0 * float(v) - 1.0)))
        for v in x])


@pytest.mark.parametrize("driver", ["value", "root_zone_wetness"])
@given(weights=st.floats(0.0, 1e3), seed=st.integers(0, 99), bound=st.floats(1.05, 3.0))
@settings(max_examples=30, deadline=None)
def test_a_response_stays_monotone_and_within_its_bounds(
    driver: str, weights: float, seed: int, bound: float
) -> None:
    closure = wild(MonotoneClosure([4], bound, driver=driver), weights, seed)
    x = torch.linspace(0.0, 1.2, 49)
    y = response(closure, x, seed)
    whole = x.unsqueeze(-1) * (1.0 if driver == "value" else 3.0)
    assert (y >= whole / bound * (1.0 - 1e-5)).all()
    assert (y <= whole * bound * (1.0 + 1e-5)).all()
    slope = y.diff(dim=0) / whole.diff(dim=0)
    assert (slope >= 0.999 / bound).all()
    assert (slope <= 1.001 * bound).all()
    assert torch.equal(y[0], torch.zeros(N))


def test_a_response_can_become_flatter_and_steeper() -> None:
    closure = MonotoneClosure([], driver="root_zone_wetness")
    with torch.no_grad():  # steep while dry, flat while wet
        closure.network[-1].bias.copy_(torch.linspace(3.0, -3.0, SEGMENTS))  # type: ignore[index]
    y = response(closure, torch.linspace(0.0, 1.0, 9), 0)[:, 0]
    assert y[2] > 1.5 * 3.0 * 0.25
    assert (y.diff()[:-1] > y.diff()[1:]).all()


def test_the_network_does_not_see_its_driver() -> None:
    closure = MonotoneClosure([4], driver="root_zone_wetness")
    assert "root_zone_wetness" not in closure.features
    assert set(closure.features) == set(FEATURE_NAMES) - {"root_zone_wetness"}
    with pytest.raises(ValueError, match="no response is driven by 'co2'"):
        MonotoneClosure([4], driver="co2")


def test_closures_see_the_chosen_features_only() -> None:
    closure = wild(make_closure("a.b", features=("co2", "temperature")), 1.0, 0)
    one, day = torch.ones(N), features()
    before = closure(one, day)
    assert torch.equal(closure(one, day._replace(radiation=day.radiation + 1.0)), before)
    assert not torch.equal(closure(one, day._replace(co2=day.co2 + 1.0)), before)


def test_kinds_fit_slots() -> None:
    assert kinds_of() == ("scale",)
    assert kinds_of(driver="value") == ("scale", "monotone")
    assert kinds_of(n_shares=4) == ("repartition",)
    with pytest.raises(ValueError, match=r"a\.b takes no 'monotone' closure, only scale"):
        make_closure("a.b", "monotone")
    with pytest.raises(ValueError, match="closures see no latitude"):
        make_closure("a.b", features=("latitude",))


ROLES = ("photosynthesis.vcmax", "transpiration.water_supply", "leaves.senescence",
         "allocation.shares", "phenology.development_rate", "transpiration.demand")


@pytest.mark.parametrize(("transpiration", "allocation"), list(itertools.product(
    ("penman_monteith", "lpjml"), ("partition_table", "harvest_index"))))
def test_every_role_has_a_slot(transpiration: str, allocation: str) -> None:
    model = build_model(ModelSpec(
        crops=("maize",), transpiration=transpiration, allocation=allocation, closures=ROLES,
        closure_hidden=(3,), closure_options={"transpiration.water_supply": {"kind": "monotone"}}))
    assert set(model.neural_parts()) == set(ROLES)
    found = model.closures()
    assert isinstance(found["allocation.shares"], RepartitionClosure)
    assert isinstance(found["transpiration.water_supply"], MonotoneClosure)


def hybrid() -> CropModel:
    return build_model(ModelSpec(
        crops=("maize",), closures=ROLES[:2], closure_hidden=(3,), network=("g1",),
        covariates=("clay",)))


def test_parts_can_be_taken_away() -> None:
    model = hybrid()
    assert model.neural_parts() == (*sorted(ROLES[:2]), "network")
    less = model.without(["photosynthesis.vcmax"], network=True)
    assert less.neural_parts() == ("transpiration.water_supply",)
    assert model.neural_parts() == (*sorted(ROLES[:2]), "network")  # as it was
    with pytest.raises(ValueError, match=r"no neural leaves\.senescence, encoder; it has"):
        model.without(["leaves.senescence"], encoder=True)


def test_shares_take_only_what_keeps_their_sum() -> None:
    model = hybrid()
    with pytest.raises(ValueError, match="takes only closures that keep their sum"):
        model.place_closure("allocation.shares", make_closure("a.b"))
    with pytest.raises(ValueError, match="'scale' closure, only repartition"):
        model.add_closure("allocation.shares", kind="scale")


def test_options_are_for_slots_that_there_are() -> None:
    quiet = build_model(ModelSpec(
        crops=("maize",), closure_options={"photosynthesis.vcmax": {"bound": 1.5}}))
    assert not quiet.neural
    with pytest.raises(ValueError, match=r"no closure slot 'photosynthesis\.vmax'"):
        build_model(ModelSpec(closure_options={"photosynthesis.vmax": {"bound": 1.5}}))
