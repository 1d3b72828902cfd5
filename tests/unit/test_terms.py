"""Loss of several kinds of observation: weights, scales, anomalies, learned weights."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pytest
import torch

from neuralcrop.data.seasons import site_cuts
from neuralcrop.training import losses
from neuralcrop.training.technology import Technology
from neuralcrop.training.terms import LEVEL_SHARE, Terms, site_means
from neuralcrop.training.trend import Trend

NONE = Technology("none")


@dataclass
class Cells:
    """The part of a block that the loss reads."""

    observed: torch.Tensor
    year: torch.Tensor
    weight: torch.Tensor
    row: torch.Tensor


def table(**columns: list[float]) -> pd.DataFrame:
    return pd.DataFrame({
        "site": [0, 0, 1, 1], "year": [2001, 2002, 2001, 2002], "lat": [1.0, 1.0, 2.0, 2.0],
        "lon": 0.0, "observed": [1.0, 2.0, 3.0, 4.0], **columns})


def cells(t: pd.DataFrame, **changes: torch.Tensor) -> Cells:
    n = len(t)
    return Cells(**{
        "observed": torch.tensor(t["observed"].to_numpy()),
        "year": torch.tensor(t["year"].to_numpy(float)), "weight": torch.ones(n).double(),
        "row": torch.arange(n), **changes})


def every(t: pd.DataFrame) -> np.ndarray:
    return np.arange(len(t))


def test_yields_alone_are_the_plain_misfit_to_the_last_bit() -> None:
    t = table()
    torch.manual_seed(0)
    predicted = torch.rand(4) * 5.0
    block = cells(t, weight=torch.tensor([1.0, 1.0, 0.0, 1.0]),
                  observed=torch.tensor(t["observed"].to_numpy(), dtype=torch.float32))
    terms = Terms(t, every(t))
    assert list(terms.parameters()) == []
    each = terms.each(predicted, None, block, NONE)  # type: ignore[arg-type]
    plain = losses.misfit(predicted, block.observed, block.weight)
    assert terms.total(each).item() == plain.item()
    assert list(terms.state_dict()) == []


def test_terms_are_scaled_weighted_and_masked() -> None:
    t = table(matyday=[100.0, float("nan"), 120.0, 130.0], biom=[float("nan")] * 4)
    terms = Terms(t, every(t), {"yield": 1.0, "matyday": 0.3, "biom": 1.0, "aet": 0.0},
                  {"yield": 2.0, "matyday": 10.0}, kind="mse")
    assert terms.kinds == ("matyday", "biom")
    days = torch.tensor([110.0, 0.0, 120.0, 125.0], dtype=torch.float64, requires_grad=True)
    others = torch.stack((days, torch.zeros(4, dtype=torch.float64)))
    yields = torch.tensor([2.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    each = terms.each(yields, others, cells(t), NONE)  # type: ignore[arg-type]
    assert list(each) == ["yield", "matyday"]  # no biomass was observed
    assert each["yield"].item() == pytest.approx(0.5 * 0.25 / 4)
    assert each["matyday"].item() == pytest.approx(0.5 * (1.0 + 0.25) / 3)
    total = terms.total(each)
    assert total.item() == pytest.approx(each["yield"].item() + 0.3 * each["matyday"].item())
    total.backward()
    assert days.grad is not None
    assert days.grad[1] == 0.0
    assert days.grad[0].item() == pytest.approx(0.3 * 1.0 / 10.0 / 3)


def test_weights_by_area_and_error() -> None:
    t = table(area=[1.0, 3.0, 2.0, 2.0], yield_error=[0.1, 0.1, 0.2, float("nan")],
              lai_max=[1.0] * 4, lai_max_error=[1.0, 2.0, 1.0, 1.0])
    only = np.array([0, 1, 2])
    area = Terms(t, only, by=("area",))
    assert area.shares[0].tolist() == [0.5, 1.5, 1.0, 1.0]
    both = Terms(t, only, {"yield": 1.0, "lai_max": 1.0})
    raw = np.array([1.0, 3.0, 0.5, 2.0])  # the usual error is 0.1
    np.testing.assert_allclose(both.shares[0], raw / raw[:3].mean(), rtol=1e-6)
    raw = np.array([1.0, 0.25, 1.0, 1.0])
    np.testing.assert_allclose(both.shares[1], raw / raw[:3].mean(), rtol=1e-6)
    assert Terms(t, only, by=()).weighted == []
    predicted = torch.tensor([2.0, 2.0, 3.0, 4.0], dtype=torch.float64)
    each = area.each(predicted, None, cells(t), NONE)  # type: ignore[arg-type]
    assert each["yield"].item() == pytest.approx(0.5 * 0.5 / 4.0)
    with pytest.raises(ValueError, match="weights of yield are all 0"):
        Terms(t.assign(area=0.0), only)


def test_learned_weights_find_the_size_of_the_errors() -> None:
    torch.manual_seed(0)
    n = 400
    t = pd.DataFrame({"site": 0, "year": 2000, "observed": np.zeros(n), "anthday": np.zeros(n)})
    terms = Terms(t, every(t), {"yield": 1.0, "anthday": 1.0}, {"anthday": 1.0}, kind="mse",
                  weighting="learned")
    yields, days = 0.3 * torch.randn(n).double(), 6.0 * torch.randn(1, n).double()
    optimiser = torch.optim.Adam(terms.learned, lr=0.1)
    for _ in range(600):
        optimiser.zero_grad()
        terms.total(terms.each(yields, days, cells(t), NONE)).backward()  # type: ignore[arg-type]
        optimiser.step()
    sd = torch.exp(0.5 * terms.log_variance).tolist()  # type: ignore[operator]
    assert sd == pytest.approx([yields.square().mean().sqrt().item(),
                                days.square().mean().sqrt().item()], rel=0.01)
    weights = terms.effective()
    assert weights["yield"] == pytest.approx(1.0 / sd[0] ** 2)
    # at the minimum every term counts the same
    each = terms.each(yields, days, cells(t), NONE)  # type: ignore[arg-type]
    for name, term in each.items():
        assert weights[name] * term.item() == pytest.approx(0.5, rel=0.02)


def test_gradients_of_all_terms() -> None:
    t = table(anthday=[60.0, 70.0, float("nan"), 65.0])
    for kind in ("huber", "mse", "anomaly"):
        terms = Terms(t, every(t), {"yield": 1.0, "anthday": 0.5}, kind=kind,  # type: ignore[arg-type]
                      weighting="learned").double()

        def loss(yields: torch.Tensor, days: torch.Tensor, s: torch.Tensor,
                 terms: Terms = terms) -> torch.Tensor:
            each = terms.each(yields, days, cells(t), NONE)  # type: ignore[arg-type]
            terms.log_variance.data = s.detach()  # type: ignore[union-attr]
            return terms.total(each)

        torch.manual_seed(1)
        yields = (3.0 * torch.rand(4).double()).requires_grad_()
        days = (65.0 + torch.randn(1, 4).double()).requires_grad_()
        s = torch.tensor([0.3, -0.2], dtype=torch.float64)
        assert torch.autograd.gradcheck(lambda a, b, s=s: loss(a, b, s), (yields, days))


def test_anomalies_and_levels_count_apart() -> None:
    t = table()
    terms = Terms(t, every(t), kind="anomaly")
    observed = torch.tensor(t["observed"].to_numpy())

    def of(predicted: torch.Tensor) -> float:
        return terms.each(predicted, None, cells(t), NONE)["yield"].item()  # type: ignore[arg-type]

    assert of(observed) == 0.0
    # a level that is wrong by 0.4 at one of two sites
    assert of(observed + torch.tensor([0.4, 0.4, 0.0, 0.0])) == pytest.approx(
        LEVEL_SHARE * 0.5 * 0.16 / 2)
    # no years: anomalies of half a tonne are missed at both sites
    flat = torch.tensor([1.5, 1.5, 3.5, 3.5], dtype=torch.float64)
    assert of(flat) == pytest.approx(0.5 * 0.25)


def test_means_of_sites_leave_out_what_does_not_count() -> None:
    values = torch.tensor([[1.0, 3.0, float("nan"), 7.0]])
    means, total = site_means(values, torch.tensor([1.0, 3.0, 0.0, 1.0]),
                              torch.tensor([0, 0, 1, 2]))
    assert means.tolist() == [[2.5, 0.0, 7.0]]
    assert total.tolist() == [4.0, 0.0, 1.0]


def test_blocks_of_whole_sites() -> None:
    site = np.repeat(np.arange(7), [3, 2, 5, 1, 4, 12, 3])
    rows = 100 + np.arange(len(site))
    for generator in (None, torch.Generator().manual_seed(3)):
        parts = site_cuts(rows, site, 6, generator)
        assert max(map(len, parts)) <= 6
        assert sorted(np.concatenate(parts)) == rows.tolist()
        for name in range(7):
            where = [k for k, part in enumerate(parts) if (site[part - 100] == name).any()]
            assert len(where) == (2 if name == 5 else 1)
    again = site_cuts(rows, site, 6, torch.Generator().manual_seed(3))
    assert all((a == b).all() for a, b in zip(parts, again, strict=True))


def test_a_trend_fitted_before_is_taken_off_the_observations() -> None:
    t = table()
    trend = Trend("linear", when="before", years=(2001, 2002), places=t)
    trend.attach(t)
    with torch.no_grad():
        trend.common.fill_(10.0)  # % a year: 0.95 and 1.05
    terms = Terms(t, every(t), kind="mse")
    factor = torch.tensor([0.95, 1.05, 0.95, 1.05], dtype=torch.float64)
    block = cells(t)
    detrended = block.observed / factor
    each = terms.each(detrended, None, block, trend)  # type: ignore[arg-type]
    assert each["yield"].item() == pytest.approx(0.0, abs=1e-12)
    each = terms.each(detrended + 1.0, None, block, trend)  # type: ignore[arg-type]
    assert each["yield"].item() == pytest.approx(0.5)
    torch.testing.assert_close(trend(detrended, block.year, block.row), block.observed)


def test_shrinkage_of_the_trend_is_part_of_the_yield_term() -> None:
    t = table()
    trend = Trend("linear", "site", years=(2001, 2002), places=t)
    trend.attach(t)
    trend.noise.copy_(torch.tensor([0.5, 0.5, 4.0]))
    with torch.no_grad():
        trend.own.fill_(1.0)
    block = cells(t)
    predicted = block.observed / trend(torch.ones(4).double(), block.year, block.row).detach()
    terms = Terms(t, every(t), errors={"yield": 2.0}, kind="mse")
    each = terms.each(predicted, None, block, trend)  # type: ignore[arg-type]
    assert each["yield"].item() == pytest.approx(0.5 * 0.5 * 2.0 / 0.25 / 4.0 / 4.0)


def test_what_cannot_be_learned_from() -> None:
    t = table()
    with pytest.raises(ValueError, match="nothing to learn from"):
        Terms(t, every(t), {"yield": 0.0})
    with pytest.raises(ValueError, match=r"has lai_max, aet, which the data do not hold; .*=0"):
        Terms(t, every(t), {"lai_max": 1.0, "aet": 1.0})
    assert math.isfinite(sum(Terms(t, every(t)).errors.values()))
