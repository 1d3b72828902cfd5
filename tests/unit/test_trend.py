"""Technology trends of groups, smooth trends, levels of sites, and their uncertainty."""

from __future__ import annotations

import json
import math

import numpy as np
import pandas as pd
import pytest
import torch

from neuralcrop.training.technology import SMALLEST, Technology
from neuralcrop.training.trend import LEVEL_BOUND, Trend
from neuralcrop.training.trend_basis import basis, clustered, knots_of, ridge

YEARS = (1981, 2010)


def world(sites: int = 12) -> pd.DataFrame:
    """Sites along a line in two regions, all years."""
    year = np.arange(YEARS[0], YEARS[1] + 1)
    site = np.repeat(np.arange(sites), len(year))
    return pd.DataFrame({
        "site": site, "year": np.tile(year, sites), "lat": 40.0 + 0.3 * site,
        "lon": -90.0 + 0.0 * site, "region": np.where(site < sites // 2, "south", "north")})


def tensors(table: pd.DataFrame, *columns: str) -> list[torch.Tensor]:
    return [torch.tensor(table[c].to_numpy(float)) for c in columns]


def fitted(table: pd.DataFrame, simulated: torch.Tensor, observed: torch.Tensor, **how) -> Trend:
    trend = Trend(years=YEARS, places=table, **how)
    trend.attach(table)
    (year,) = tensors(table, "year")
    row = torch.arange(len(table))
    trend.fit(simulated, year, observed, row)
    trend.assess(simulated, year, observed, row)
    return trend


def test_the_basis_is_a_line_or_a_spline_with_straight_ends() -> None:
    year = torch.linspace(1970.0, 2040.0, 701, dtype=torch.float64)
    line = basis(year, 1995.5)
    torch.testing.assert_close(line[:, 0], 0.01 * (year - 1995.5))
    knots = knots_of(*YEARS)
    assert knots[0] == 1981.0
    assert knots[-1] == 2010.0
    spline = basis(year, 1995.5, knots)
    assert spline.shape == (701, 3)
    middle = basis(torch.tensor([1995.5], dtype=torch.float64), 1995.5, knots)
    torch.testing.assert_close(middle, torch.zeros_like(middle))
    slope = 100.0 * (spline[1:] - spline[:-1]) / 0.1
    before, after = year[1:] < knots[0], year[:-1] > knots[-1]
    torch.testing.assert_close(slope[before][:, 1:], torch.zeros_like(slope[before][:, 1:]),
                               atol=1e-9, rtol=0)
    torch.testing.assert_close(slope[after], torch.ones_like(slope[after]), atol=1e-6, rtol=0)
    curve = (slope[1:] - slope[:-1])[:, 1:]
    assert curve.abs().max() < 0.03  # no kinks
    assert (curve > -1e-9).all()


def test_ridge_between_one_slope_and_slopes_of_their_own() -> None:
    torch.manual_seed(0)
    group = torch.arange(4).repeat_interleave(20)
    x = torch.randn(80, 1, dtype=torch.float64)
    truth = torch.tensor([1.0, 2.0, 3.0, 6.0], dtype=torch.float64)
    y = x[:, 0] * truth[group] + 0.1 * torch.randn(80, dtype=torch.float64)
    w, none = torch.ones(80, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)
    stiff = ridge(x, y, w, group, 4, none + 1e12, none)
    pooled = (x[:, 0] * y).sum() / (x * x).sum()
    assert stiff.common[0].item() == pytest.approx(pooled.item(), rel=1e-9)
    assert stiff.own.abs().max() < 1e-6
    free = ridge(x, y, w, group, 4, none + 1e-9, none)
    own = torch.stack([(x[group == g, 0] * y[group == g]).sum() / x[group == g].square().sum()
                       for g in range(4)])
    torch.testing.assert_close(free.common + free.own[:, 0], own, rtol=1e-6, atol=1e-6)
    some = ridge(x, y, w, group, 4, none + 20.0, none)
    between = (some.common + some.own[:, 0]).sort().values
    assert own.min() < between.min() < between.max() < own.max()
    # the same as of the whole system at once
    design = torch.zeros(80, 5, dtype=torch.float64)
    design[:, 0] = x[:, 0]
    design[torch.arange(80), 1 + group] = x[:, 0]
    penalty = torch.diag(torch.tensor([0.0, 20.0, 20.0, 20.0, 20.0], dtype=torch.float64))
    whole = torch.linalg.solve(design.T @ design + penalty, design.T @ y)
    torch.testing.assert_close(torch.cat((some.common, some.own[:, 0])), whole)


def test_errors_that_sites_share_widen_the_standard_error() -> None:
    torch.manual_seed(1)
    years, sites = 30, 50
    year = torch.arange(float(years), dtype=torch.float64).repeat(sites)
    x = 0.01 * (year - 14.5).unsqueeze(1)
    w = torch.ones_like(year)
    apart = torch.randn(years * sites, dtype=torch.float64)
    together = torch.randn(years, dtype=torch.float64).repeat(sites)
    plain = 1.0 / x.square().sum()
    of_apart = clustered(x, apart, w, year)[0, 0] / plain
    of_together = clustered(x, together, w, year)[0, 0] / plain
    assert 0.4 < of_apart < 2.0
    assert 0.4 * sites < of_together < 2.0 * sites
    assert torch.isnan(clustered(x, apart, w, torch.zeros_like(year))).all()


def test_the_standard_error_covers_the_truth() -> None:
    table, inside = world(), 0
    simulated = torch.full((len(table),), 3.0, dtype=torch.float64)
    (year,) = tensors(table, "year")
    for seed in range(40):
        torch.manual_seed(seed)
        shock = 0.3 * torch.randn(30, dtype=torch.float64).repeat(12)
        observed = simulated * (1.0 + 0.012 * (year - 1995.5)) + shock
        trend = fitted(table, simulated, observed, kind="linear")
        inside += abs(trend.percent.item() - 1.2) < 2.0 * trend.standard_error
    assert 34 <= inside <= 40


def test_a_line_equals_the_plain_trend() -> None:
    table = world()
    (year,) = tensors(table, "year")
    simulated = 3.0 + torch.sin(year)
    observed = simulated * (1.0 + 0.013 * (year - 1995.5)) + 0.1 * torch.cos(3.0 * year)
    plain = Technology("linear", 1995.5)
    plain.fit(simulated, year, observed)
    plain.assess(simulated, year, observed)
    trend = fitted(table, simulated, observed, kind="linear")
    assert trend.percent.item() == pytest.approx(plain.percent.item(), rel=1e-5)
    assert trend.standard_error == pytest.approx(plain.standard_error, rel=1e-3)
    again = Technology.from_description(json.loads(json.dumps(plain.describe())))
    assert again.standard_error == plain.standard_error


def test_regions_are_told_apart_and_shrunk() -> None:
    table = world()
    (year,) = tensors(table, "year")
    torch.manual_seed(0)
    simulated = 2.5 + torch.rand(len(table), dtype=torch.float64)
    slope = torch.tensor(np.where(table["region"] == "north", 2.0, 1.0))
    noise = 0.05 * torch.randn(len(table), dtype=torch.float64)
    observed = simulated * (1.0 + 0.01 * slope * (year - 1995.5)) + noise
    for by, groups in (("region", 2), ("site", 12)):
        trend = fitted(table, simulated, observed, kind="linear", by=by)
        assert len(trend.groups) == groups
        found = trend.trend(year + 0.0, torch.arange(len(table)), torch.float64)
        torch.testing.assert_close(found, 1.0 + 0.01 * slope * (year - 1995.5), atol=0.03, rtol=0)
    tight = fitted(table, simulated, observed, kind="linear", by="region", slope_sd=1e-4)
    assert tight.own.abs().max() < 1e-3
    assert 1.3 < tight.percent.item() < 1.7
    # a region without a name in the training data has the common trend
    new = table.iloc[:30].assign(region="west", lat=10.0)
    common = fitted(table, simulated, observed, kind="linear", by="region")
    common.attach(new)
    rise = common.trend(torch.tensor([2005.5], dtype=torch.float64), torch.tensor([0]),
                        torch.float64)
    assert rise.item() == pytest.approx(1.0 + 0.1 * common.percent.item(), rel=1e-6)


def test_regions_without_names_are_blocks() -> None:
    table = world().drop(columns="region")
    trend = Trend("linear", "region", years=YEARS, places=table)
    assert trend.groups == ["20 -45", "21 -45"]


def test_a_smooth_trend_follows_a_bend_and_goes_on_as_a_line() -> None:
    table = world()
    (year,) = tensors(table, "year")
    simulated = torch.full((len(table),), 3.0, dtype=torch.float64)
    rise = 0.02 * (year - 1995.5).clamp_min(0.0)  # a bend in the middle
    torch.manual_seed(0)
    shock = 0.02 * torch.randn(30, dtype=torch.float64).repeat(12)
    observed = simulated * (1.0 + rise) + shock
    smooth = fitted(table, simulated, observed, kind="smooth", slope_sd=2.0)
    line = fitted(table, simulated, observed, kind="linear")
    rows = torch.arange(len(table))

    def error(trend: Trend) -> float:
        predicted = simulated * trend.trend(year, rows, torch.float64)
        return (predicted - observed).std().item()

    assert error(smooth) < 0.5 * error(line)
    first, last = smooth.slope(1981)[0], smooth.slope(2010)[0]
    assert first < 0.5
    assert last > 1.5
    beyond = torch.tensor([2010.0, 2020.0, 2030.0], dtype=torch.float64)
    f = smooth.trend(beyond, rows[:3], torch.float64)
    assert (f[2] - f[1]).item() == pytest.approx((f[1] - f[0]).item(), rel=1e-4)
    assert "from 2010 on" in smooth.summary()
    straight = fitted(table, simulated, observed, kind="smooth", slope_sd=1e-5)
    assert straight.slope(1981)[0] == pytest.approx(straight.slope(2010)[0], abs=1e-3)
    assert straight.slope(2010)[0] == pytest.approx(line.slope(2010)[0], abs=1e-2)
    # farther from the years that are known, less is known
    sd = smooth.factor_sd(torch.tensor([1995.5, 2010.0, 2030.0], dtype=torch.float64))
    assert sd[0] == 0.0
    assert sd[1] < sd[2]


def test_levels_are_bounded_and_shrunk_and_pass_to_neighbours() -> None:
    table = world()
    simulated = torch.full((len(table),), 3.0, dtype=torch.float64)
    site = torch.tensor(table["site"].to_numpy())
    log_level = torch.tensor([0.1, -0.1, 0.05, 0.9, -0.9, *[0.0] * 7], dtype=torch.float64)
    torch.manual_seed(0)
    observed = simulated * torch.exp(log_level[site]) + 0.1 * torch.randn(
        len(table), dtype=torch.float64)
    trend = fitted(table, simulated, observed, kind="none", level=True, level_sd=0.2)
    r = trend.log_levels().detach()
    torch.testing.assert_close(r[:3].double(), log_level[:3], atol=0.02, rtol=0)
    assert (r.abs() <= LEVEL_BOUND).all()
    assert r[3] > 0.25
    assert r[4] < -0.25
    assert fitted(table, simulated, observed, kind="none", level=True,
                  level_sd=1e-4).log_levels().abs().max() < 1e-3
    known = trend.level(torch.tensor([0]), torch.float64).item()
    assert known == pytest.approx(math.exp(float(r[0])))
    trend.attach(pd.DataFrame({"lat": [40.4], "lon": [-90.0], "region": ["south"]}))
    near = trend.level(torch.tensor([0]), torch.float64).item()
    assert near == pytest.approx(math.exp(float(r[:5].mean())), rel=1e-5)


def test_a_trend_fitted_before_is_that_of_the_observations() -> None:
    table = world()
    (year,) = tensors(table, "year")
    site = torch.tensor(table["site"].to_numpy())
    torch.manual_seed(0)
    level = 2.0 + 2.0 * torch.rand(12, dtype=torch.float64)[site]
    observed = level * (1.0 + 0.011 * (year - 1995.5))
    seen = torch.rand(len(table)) > 0.3
    trend = Trend("linear", when="before", years=YEARS, places=table)
    trend.attach(table)
    rows = torch.arange(len(table))
    trend.fit_before(year[seen], observed[seen], rows[seen])
    assert trend.detrends
    assert trend.percent.item() == pytest.approx(1.1, rel=1e-4)
    assert not [p for p in trend.parameters() if p.requires_grad]
    assert trend.penalty(torch.float64) is None
    before = trend.percent.item()
    trend.fit(torch.ones_like(observed), year, observed, rows)  # that of a model: nothing to fit
    assert trend.percent.item() == before
    torch.testing.assert_close(observed / trend.trend(year, rows, torch.float64), level,
                               rtol=1e-4, atol=0)


@pytest.mark.parametrize(("kind", "by", "level"), [
    ("linear", "site", True), ("smooth", "region", False), ("smooth", "all", True),
    ("none", "all", True)])
def test_descriptions_give_the_same_trend_elsewhere(kind: str, by: str, level: bool) -> None:
    table = world()
    (year,) = tensors(table, "year")
    torch.manual_seed(3)
    simulated = 2.0 + torch.rand(len(table), dtype=torch.float64)
    observed = simulated * (1.0 + 0.01 * (year - 1990.0)) + 0.2 * torch.randn(len(table))
    trend = fitted(table, simulated, observed, kind=kind, by=by, level=level)
    again = Technology.from_description(json.loads(json.dumps(trend.describe())))
    # other rows, places in another order, one unknown
    other = pd.concat([table.iloc[::-7], table.iloc[:1].assign(lat=44.9, region="east")],
                      ignore_index=True)
    new = torch.tensor(other["year"].to_numpy(float))
    rows = torch.arange(len(other))
    trend.attach(other)
    again.attach(other)
    torch.testing.assert_close(again(torch.ones_like(new), new, rows),
                               trend(torch.ones_like(new), new, rows))
    assert again.summary() == trend.summary()


def test_gradients_and_penalty() -> None:
    table = world()
    trend = Trend("smooth", "region", years=YEARS, places=table, level=True).double()
    trend.attach(table)
    rows = torch.arange(0, len(table), 17)
    year = torch.tensor(table["year"].to_numpy(float))[rows]
    with torch.no_grad():
        for p in trend.parameters():
            p.normal_(generator=torch.Generator().manual_seed(0)).mul_(0.3)
    held = (trend.common, trend.own, trend.levels)
    yields = torch.full((len(rows),), 3.0, dtype=torch.float64, requires_grad=True)

    def result(y: torch.Tensor, *values: torch.Tensor) -> torch.Tensor:
        return torch.func.functional_call(
            trend, dict(zip(("common", "own", "levels"), values, strict=True)), (y, year, rows))

    assert torch.autograd.gradcheck(result, (yields, *held))
    trend.noise.copy_(torch.tensor([0.2, 0.1, 300.0]))
    penalty = trend.penalty(torch.float64)
    assert penalty is not None
    own = trend.own.square().sum() + trend.common[1:].square().sum()
    expected = 0.5 / 300.0 * (0.2 * own / 0.25 + 0.1 * trend.log_levels().square().sum() / 0.01)
    assert penalty.item() == pytest.approx(expected.item(), rel=1e-6)
    penalty.backward()
    assert trend.common.grad is not None
    assert trend.common.grad[0] == 0.0
    assert (trend.levels.grad != 0.0).all()


def test_wrong_kinds_and_floors() -> None:
    with pytest.raises(ValueError, match="none, linear or smooth"):
        Trend("quadratic", years=YEARS)
    trend = Trend("linear", "region", years=YEARS, places=world())
    with pytest.raises(ValueError, match="rows of the samples"):
        trend(torch.ones(1), torch.tensor([2000.0]))
    with torch.no_grad():
        trend.common.fill_(5.0)
    trend.attach(world())
    low = trend(torch.ones(1), torch.tensor([1900.0]), torch.tensor([0]))
    assert low.item() == pytest.approx(SMALLEST)
