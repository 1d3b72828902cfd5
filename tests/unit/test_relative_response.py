"""Relative departures of simulated yields about the trend of observed ones."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch

from neuralcrop.config import ConfigError, compose
from neuralcrop.training.context import SeasonContext
from neuralcrop.training.relative import RelativeResponse
from neuralcrop.training.remainder import Priors
from neuralcrop.training.technology import Technology

YEARS = np.arange(1981, 2011)
SITES = 6


@pytest.fixture
def table() -> pd.DataFrame:
    site, year = np.repeat(np.arange(SITES), len(YEARS)), np.tile(YEARS, SITES)
    return pd.DataFrame({
        "site": site, "year": year, "lat": 40.0 + 0.5 * site, "lon": -90.0 + 0.3 * site})


def world(table: pd.DataFrame, response: float = 0.4) -> tuple[torch.Tensor, torch.Tensor]:
    """Simulated yields, and observed ones with lines of their own and a weaker response."""
    generator = torch.Generator().manual_seed(0)
    site = torch.tensor(table["site"].to_numpy())
    year = torch.tensor(table["year"].to_numpy(float))
    weather = 0.3 * torch.randn(len(table), generator=generator, dtype=torch.float64)
    level = 4.0 + site.double()
    simulated = level * (1.0 + weather)
    mean = torch.stack([simulated[site == k].mean() for k in range(SITES)])[site]
    line = (2.0 + 0.1 * site) * (1.0 + 0.01 * (year - 1995.5))
    return simulated, line * (1.0 + response * (simulated / mean - 1.0))


def fitted(table: pd.DataFrame, simulated: torch.Tensor, observed: torch.Tensor
           ) -> RelativeResponse:
    out = RelativeResponse("linear", (1981, 2010), table)
    out.attach(table)
    row, year = torch.arange(len(table)), torch.tensor(table["year"].to_numpy(float))
    out.fit_before(year, observed, row)
    out.fit(simulated, year, observed, row)
    return out


def test_the_response_and_the_lines_are_found(table: pd.DataFrame) -> None:
    simulated, observed = world(table)
    out = fitted(table, simulated, observed)
    year, row = torch.tensor(table["year"].to_numpy(float)), torch.arange(len(table))
    assert out.response.item() == pytest.approx(0.4, abs=0.03)
    predicted = out(simulated, year, row)
    assert float((predicted - observed).abs().mean()) < 0.05
    # levels of the model play no part
    out.fit(3.0 * simulated, year, observed, row)
    torch.testing.assert_close(out(3.0 * simulated, year, row), predicted, rtol=1e-5, atol=1e-5)


def test_a_response_that_saturates_is_found(table: pd.DataFrame) -> None:
    simulated, _ = world(table)
    year, row = torch.tensor(table["year"].to_numpy(float)), torch.arange(len(table))
    site = torch.tensor(table["site"].to_numpy())
    mean = torch.stack([simulated[site == k].mean() for k in range(SITES)])[site]
    y = simulated / mean
    f = 5.0 * (y - 1.0) / (1.0 + 4.0 * y)
    f = f - torch.stack([f[site == k].mean() for k in range(SITES)])[site]
    observed = (2.0 + 0.1 * site) * (1.0 + 0.2 * f)
    out = fitted(table, simulated, observed)
    assert 1.5 < out.saturation.item() < 9.0
    error = (out(simulated, year, row) - observed).square().mean()
    with torch.no_grad():
        out.raw_saturation.fill_(-10.0)  # in proportion
        out.assess(simulated, year, observed, row)
        out.raw.fill_(_best(out, simulated, year, observed, row))
    assert error < 0.5 * (out(simulated, year, row) - observed).square().mean()


def _best(out: RelativeResponse, simulated: torch.Tensor, year: torch.Tensor,
          observed: torch.Tensor, row: torch.Tensor) -> float:
    """Raw response in proportion that fits best, by trying."""
    def error(raw: float) -> float:
        out.raw.data.fill_(raw)
        return float((out(simulated, year, row) - observed).square().mean())

    return min(np.linspace(-4.0, 2.0, 61), key=error)


def test_few_ordinary_years_leave_the_response_to_the_physics(table: pd.DataFrame) -> None:
    few = table[table["year"] < 1985].reset_index(drop=True)
    simulated, observed = world(few, response=0.0)
    flat = 1.0 + 0.05 * (simulated / simulated.mean() - 1.0)
    out = RelativeResponse("linear", (1981, 1984), few)
    out.attach(few)
    row, year = torch.arange(len(few)), torch.tensor(few["year"].to_numpy(float))
    out.fit_before(year, observed, row)
    out.fit(flat, year, observed, row)
    assert 0.8 < out.response.item() <= 1.0
    assert out.percent.item() == 0.0  # nor do they tell a trend
    assert out.saturation.item() == pytest.approx(0.05, rel=0.05)


def test_means_of_a_block_have_their_part_in_the_gradient(table: pd.DataFrame) -> None:
    simulated, observed = world(table)
    out = fitted(table, simulated, observed)
    # one site, filled up by a sample that does not count
    row = torch.cat((torch.arange(len(YEARS)), torch.zeros(2, dtype=torch.long)))
    weight = torch.cat((torch.ones(len(YEARS)), torch.zeros(2))).double()
    year = torch.tensor(table["year"].to_numpy(float))[row]
    y = simulated[row].clone().requires_grad_()
    predicted = out(y, year, row, weight)
    torch.testing.assert_close(
        predicted.detach(), out(simulated[row], year, row), rtol=1e-5, atol=1e-5)
    # a model that yields more everywhere predicts the same
    (slope,) = torch.autograd.grad((predicted * weight).square().sum(), y)
    assert float((slope * y).sum().abs()) < 1e-6
    assert float(slope.abs().max()) > 1e-3

    def loss(v: torch.Tensor) -> torch.Tensor:
        return out(v, year, row, weight).square().sum()

    assert torch.autograd.gradcheck(loss, (y,))


def test_unseen_sites_take_the_nearest_and_files_keep_all(table: pd.DataFrame) -> None:
    simulated, observed = world(table)
    out = fitted(table, simulated, observed)
    again = Technology.from_description(json.loads(json.dumps(out.describe())))
    assert isinstance(again, RelativeResponse)
    other = table[table["site"] == 2].assign(lat=41.2, lon=-89.2)
    year, row = torch.tensor(other["year"].to_numpy(float)), torch.arange(len(other))
    results = []
    for one in (out, again):
        one.attach(other)
        results.append(one(simulated[: len(other)], year, row))
    torch.testing.assert_close(*results)
    low, high = float(observed.min()), float(observed.max())
    assert low < float(results[0].mean()) < high


def context_of(table: pd.DataFrame) -> SeasonContext:
    random = np.random.default_rng(3)
    n, site = len(table), table["site"].to_numpy()
    return SeasonContext(
        random.normal(size=(n, 6)), (6, 7, 8), np.stack([1.0 * site, 0.5 * site], axis=1),
        ("clay", "sand"), table["lat"].to_numpy(), table["lon"].to_numpy(),
        table["year"].to_numpy())


def test_the_remainder_explains_what_is_left_and_says_how_sure(table: pd.DataFrame) -> None:
    simulated, observed = world(table)
    context = context_of(table)
    observed = observed * (1.0 + 0.05 * torch.from_numpy(context.weather[:, 0]))
    train = np.flatnonzero((table["year"] < 2005) & (table["site"] != 3))
    score = np.setdiff1d(np.arange(len(table)), train)
    year = torch.tensor(table["year"].to_numpy(float))
    out = RelativeResponse("linear", (1981, 2004), table.iloc[train])
    out.attach(table, context)
    t, row = torch.from_numpy(train), torch.arange(len(table))
    out.fit_before(year[t], observed[t], t)
    out.fit(simulated[t], year[t], observed[t], t)
    out.see(simulated, year)
    assert out.spread(year, row) is None
    with pytest.raises(ValueError, match="needs the context"):
        fitted(table, simulated, observed).fit_remainder(simulated, year, observed, row)
    bare = out(simulated, year, row)
    out.fit_remainder(simulated[t], year[t], observed[t], t, Priors(weather=0.02))
    out.expect_remainder(score)
    better = out(simulated, year, row)

    def error(predicted: torch.Tensor) -> float:
        return float((predicted - observed)[score].square().mean().sqrt())

    assert error(better) < 0.7 * error(bare)
    spread = out.spread(year, row)
    assert spread is not None
    assert (spread[score] > 0.0).all()
    out.without_remainder()
    torch.testing.assert_close(out(simulated, year, row), bare)
    # a file, and the same samples anew
    again = Technology.from_description(json.loads(json.dumps(out.describe())))
    assert isinstance(again, RelativeResponse)
    again.attach(table, context)
    again.see(simulated, year)
    torch.testing.assert_close(
        again(simulated, year, row)[score], better[score], rtol=1e-4, atol=1e-4)
    # in training it takes no part
    weight = torch.ones(len(table), dtype=torch.float64)
    plain = again(simulated, year, row, weight)
    again.without_remainder()
    torch.testing.assert_close(plain, again(simulated, year, row, weight))


def test_unseen_sites_lie_between_their_neighbours_and_have_means_of_their_own(
    table: pd.DataFrame,
) -> None:
    simulated, observed = world(table)
    train = np.flatnonzero(table["site"] != 2)
    year, row = torch.tensor(table["year"].to_numpy(float)), torch.arange(len(table))
    out = RelativeResponse("linear", (1981, 2010), table.iloc[train])
    out.attach(table, context_of(table))
    t = torch.from_numpy(train)
    out.fit_before(year[t], observed[t], t)
    out.fit(simulated[t], year[t], observed[t], t)
    new = torch.from_numpy(np.flatnonzero(table["site"] == 2))
    line = out.expected(year, row, torch.float64)
    assert line[new].mean() == pytest.approx(2.2, abs=0.05)  # sites differ by 0.1
    far = out(simulated, year, row)[new]
    out.see(simulated, year)
    near = out(simulated, year, row)[new]
    truth = observed[new]
    assert (near - truth).square().mean() < 0.2 * (far - truth).square().mean()


def test_it_needs_a_trend() -> None:
    needed = ["data.path=a.nc", "data.train_years=[1,2]", "data.validate_years=[3,4]"]
    with pytest.raises(ConfigError, match="relative needs technology"):
        compose("train", [*needed, "loss.yields=relative"])
    known = compose("train", [*needed, "loss.yields=relative", "loss.technology=linear"])
    assert known.loss.whole_sites
    with pytest.raises(ConfigError, match="needs all years of a site"):
        compose("train", [*needed, "loss.yields=relative", "loss.technology=linear",
                          "trainer.devices=2"])
