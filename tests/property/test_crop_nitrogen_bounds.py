"""No stock of nitrogen can be overdrawn within a step, whatever the inputs."""

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralcrop.core.numerics import limit_demand
from neuralcrop.processes.nitrogen import CropNitrogen, NitrogenStress
from tests.crop_nitrogen_season import ROOT_SHARE, SOYBEAN, THICKNESS, WHEAT, parameters

F64 = torch.float64


def forall(*strategies):
    return lambda test: settings(max_examples=150, deadline=None)(given(*strategies)(test))


def column(low, high, size):
    """A leading dimension of independent values, zero among them."""
    values = st.one_of(st.just(low), st.floats(low, high, allow_subnormal=False))
    return st.lists(values, min_size=size, max_size=size).map(
        lambda items: torch.tensor(items, dtype=F64).unsqueeze(-1))


def number(low, high):
    return column(low, high, 1).map(lambda x: x[0])


crop = st.sampled_from([WHEAT, SOYBEAN])
stage = number(-0.1, 2.0)
share = number(0.0, 1.0)
step = st.sampled_from([1.0, 0.25])
temperature = number(-45.0, 55.0)


@forall(crop, stage, share, column(0.0, 800.0, 4), column(0.0, 60.0, 4), number(0.0, 20.0),
        column(0.0, 60.0, 4), column(0.0, 1.0, 3), step, column(0.0, 50.0, 5),
        column(0.0, 50.0, 5), temperature, column(0.0, 1.2, 5), number(0.0, 50.0))
def test_a_day_overdraws_no_stock(
    values, stage, growing, carbon, nitrogen, reserve, growth, dying, h, nitrate, ammonium,
    temperature, moisture, spare,
):
    p = parameters(values, 1)
    process = CropNitrogen()
    loss = dying * carbon[:3] / h
    needs = process.needs(
        p, stage, growing, carbon, nitrogen, reserve, growth, loss, h)
    asked = process.demand_by_layer(
        p, needs.uptake, carbon[2], ROOT_SHARE, nitrate, ammonium, 0.46 * THICKNESS, temperature,
        moisture, None)
    assert sum(a.sum() for a in asked) <= needs.uptake.sum() * (1.0 + 1e-9)
    assert sum(a.sum() for a in asked) <= p["largest_nitrogen_uptake"].sum() * (1.0 + 1e-9)
    given_by_soil = [limit_demand(pool, wish, h)
                     for pool, wish in zip((nitrate, ammonium), asked, strict=True)]
    v = process.distribute(
        p, needs, growing, reserve, *given_by_soil, temperature, moisture[0], spare, h)
    for name, flux in v._asdict().items():
        assert torch.isfinite(flux).all(), name
        assert (flux >= 0.0).all(), name
    room = 1e-12
    for k, organ in enumerate(("leaf", "stem", "root")):
        out = (getattr(v, f"{organ}_nitrogen_loss")
               + getattr(v, f"{organ}_nitrogen_translocation"))
        assert (h * out <= nitrogen[k] * (1.0 + room)).all(), organ
    drawn = (v.leaf_nitrogen_growth + v.stem_nitrogen_growth + v.root_nitrogen_growth
             + v.storage_nitrogen_growth)
    assert (h * drawn <= reserve * (1.0 + room)).all()
    assert (h * v.fixation_respiration <= spare * (1.0 + room)).all()
    taken = (v.nitrate_uptake + v.ammonium_uptake).sum(dim=0)
    assert (taken + v.nitrogen_fixation
            <= torch.maximum(needs.wanted, taken) * (1.0 + 1e-9)).all()


@forall(crop, stage, column(0.0, 800.0, 4), column(0.0, 60.0, 4), number(0.0, 20.0))
def test_factors_are_between_zero_and_one(values, stage, carbon, nitrogen, reserve):
    s = NitrogenStress()(parameters(values, 1), stage, carbon, nitrogen, reserve, None)
    for factor in (s.status, s.vcmax_factor, s.leaf_sink_factor, s.storage_sink_factor):
        assert (factor >= 0.0).all()
        assert (factor <= 1.0).all()
    assert (s.vcmax_factor > 0.0).all()
    assert (s.leaf_sink_factor > 0.0).all()
    assert (s.leaf_death_rate >= 0.0).all()


@forall(crop, stage, column(0.0, 800.0, 4), number(0.0, 20.0), st.floats(0.0, 20.0),
        st.floats(0.0, 20.0))
def test_more_leaf_nitrogen_never_harms(values, stage, carbon, reserve, a, b):
    low, high = sorted((a, b))
    p, process = parameters(values, 1), NitrogenStress()
    less, more = (
        process(p, stage, carbon, torch.tensor([[n], [0.0], [0.0], [0.0]], dtype=F64), reserve,
                None) for n in (low, high))
    assert (less.vcmax_factor <= more.vcmax_factor).all()
    assert (less.leaf_death_rate >= more.leaf_death_rate).all()
    assert (less.storage_sink_factor <= more.storage_sink_factor).all()


@forall(crop, stage, column(0.0, 800.0, 4), column(0.0, 60.0, 4), number(0.0, 20.0),
        column(0.0, 60.0, 4), column(0.0, 1.0, 3))
def test_slopes_are_finite(values, stage, carbon, nitrogen, reserve, growth, dying):
    p, process = parameters(values, 1), CropNitrogen()
    inputs = [t.clone().requires_grad_() for t in (carbon, nitrogen, reserve, growth)]
    carbon, nitrogen, reserve, growth = inputs
    ones = torch.ones(1, dtype=F64)
    s = NitrogenStress()(p, stage, carbon, nitrogen, reserve, None)
    needs = process.needs(
        p, stage, ones, carbon, nitrogen, reserve, growth, dying * carbon.detach()[:3], 1.0)
    v = process.distribute(
        p, needs, ones, reserve, *(torch.zeros(5, 1, dtype=F64),) * 2, 20.0 * ones, ones,
        reserve, 1.0)
    total = sum(x.sum() for x in (*s, *needs, *v))
    for gradient in torch.autograd.grad(total, inputs):
        assert torch.isfinite(gradient).all()
