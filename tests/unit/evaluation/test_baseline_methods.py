"""Every baseline finds what is there to be found, sees training yields only, and repeats itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from neuralcrop.evaluation import metrics
from neuralcrop.evaluation.baselines import (
    Baseline,
    ClimatologyTrend,
    Lstm,
    MeanOfAll,
    Ridge,
    Samples,
    Trees,
)
from neuralcrop.evaluation.baselines.ridge import design, solve
from neuralcrop.evaluation.baselines.samples import inner_folds, site_anomalies, standardised
from tests.evidence_samples import RAIN, samples

SMALL: dict[str, Baseline] = {
    "mean_of_all": MeanOfAll(), "climatology_trend": ClimatologyTrend(), "ridge": Ridge(),
    "trees": Trees(choices=((6, 10),), rounds=60, rate=0.1, members=2),
    "lstm": Lstm(hidden=8, join=2, epochs=20, batch=64, rate=0.02, members=2)}


def rows(years: range) -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from and rows of some years."""
    year = samples().table["year"].to_numpy()
    return np.flatnonzero(~np.isin(year, years)), np.flatnonzero(np.isin(year, years))


@pytest.mark.parametrize("name", ["ridge", "trees", "lstm"])
def test_weather_is_learnt(name: str) -> None:
    s, (train, later) = samples(), rows(range(1990, 1996))
    observed = s.table["observed"].to_numpy()[later]
    line = ClimatologyTrend().fit_predict(s, train, later)
    error = metrics.rmse(observed, SMALL[name].fit_predict(s.knowing(train), train, later))
    share = {"ridge": 0.3, "trees": 0.7, "lstm": 0.7}[name]
    assert error < share * metrics.rmse(observed, line)


@pytest.mark.parametrize("name", SMALL)
def test_only_training_yields_count(name: str) -> None:
    s, (train, later) = samples(), rows(range(1990, 1996))
    other = s.table["observed"].to_numpy().copy()
    other[later] = 99.0
    first = SMALL[name].fit_predict(s.knowing(train), train, later, seed=1)
    second = SMALL[name].fit_predict(
        replace(s, table=s.table.assign(observed=other)), train, later, seed=1)
    np.testing.assert_array_equal(first, second)
    assert first.shape == later.shape
    assert np.isfinite(first).all()
    assert (first >= 0.0).all()


@pytest.mark.parametrize("name", ["trees", "lstm"])
def test_the_seed_matters(name: str) -> None:
    s, (train, later) = samples(), rows(range(2006, 2011))
    one, other = (SMALL[name].fit_predict(s, train, later, seed) for seed in (0, 1))
    assert not np.array_equal(one, other)


@pytest.mark.parametrize("name", SMALL)
def test_unseen_sites_get_predictions(name: str) -> None:
    s = samples()
    apart = s.table["site"].to_numpy() == 5
    train, later = np.flatnonzero(~apart), np.flatnonzero(apart)
    predicted = SMALL[name].fit_predict(s.knowing(train), train, later)
    assert metrics.rmse(s.table["observed"].to_numpy()[later], predicted) < 0.6


@pytest.mark.parametrize("name", SMALL)
def test_a_single_training_year_is_enough_to_run(name: str) -> None:
    s = samples(years=range(2000, 2002))
    train = np.flatnonzero(s.table["year"] == 2000)
    later = np.flatnonzero(s.table["year"] == 2001)
    assert np.isfinite(SMALL[name].fit_predict(s.knowing(train), train, later)).all()


def test_chance_outside_is_not_touched() -> None:
    import torch

    s, (train, later) = samples(), rows(range(2006, 2011))
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    SMALL["lstm"].fit_predict(s, train, later)
    assert torch.equal(torch.rand(1), expected)


@pytest.mark.parametrize("name", SMALL)
def test_settings_chosen_in_training_rows_are_those_of_none(name: str) -> None:
    s, (train, later) = samples(), rows(range(2006, 2011))
    settings = SMALL[name].choose(s.knowing(train), train, 1)
    assert (settings is None) == (name in ("mean_of_all", "climatology_trend"))
    np.testing.assert_array_equal(
        SMALL[name].fit_predict(s.knowing(train), train, later, 1, settings),
        SMALL[name].fit_predict(s.knowing(train), train, later, 1))


def test_settings_are_used() -> None:
    s, (train, later) = samples(), rows(range(2006, 2011))
    for name, (one, other) in {"ridge": (("linear", 1.0), ("linear", 1e5)),
                               "trees": (((6, 10), 5), ((6, 10), 50)), "lstm": (1, 15)}.items():
        first, second = (SMALL[name].fit_predict(s, train, later, 0, v) for v in (one, other))
        assert np.abs(first - second).max() > 1e-3


def test_mean_of_all() -> None:
    s = samples()
    out = MeanOfAll().fit_predict(s, np.arange(10), np.arange(10, 14))
    np.testing.assert_allclose(out, s.table["observed"].to_numpy()[:10].mean())


def test_inner_folds_are_blocks_of_years_by_warmth() -> None:
    s, (train, _) = samples(), rows(range(1981, 1984))
    year = s.table["year"].to_numpy()
    folds = inner_folds(s, train, 3)
    judged = [set(year[judge]) for _, judge in folds]
    assert [len(years) for years in judged] == [9, 9, 9]
    means = [s.warmth[judge].mean() for _, judge in folds]
    assert means == sorted(means)
    for learn, judge in folds:
        assert not set(year[learn]) & set(year[judge])
        assert sorted([*learn, *judge]) == train.tolist()
    assert not set(year[train]) & {1981, 1982, 1983}
    one = np.flatnonzero(year == 1990)
    assert inner_folds(s, one, 3) == []


def test_ridge_takes_the_linear_design_where_the_truth_is_linear() -> None:
    s, (train, _) = samples(), rows(range(1990, 1996))
    assert Ridge().choose(s, train)[0] == "linear"
    with pytest.raises(ValueError, match="no design 'cubic'"):
        design(s, train, "cubic")


def test_ridge_takes_curves_where_the_truth_is_curved() -> None:
    s, (train, _) = samples(), rows(range(1990, 1996))
    rain = s.monthly[:, 1, RAIN] - s.monthly[:, 1, RAIN].mean()
    curved = replace(s, table=s.table.assign(observed=4.0 - 0.3 * np.clip(rain, -2.0, 2.0) ** 2))
    assert Ridge().choose(curved, train)[0] == "curved"


def test_ridge_weights_against_the_normal_equations() -> None:
    random = np.random.default_rng(0)
    x, y = random.standard_normal((40, 5)), random.standard_normal(40)
    for penalty, found in zip((0.5, 20.0), solve(x, y, (0.5, 20.0)), strict=True):
        expected = np.linalg.solve(x.T @ x + penalty * np.eye(5), x.T @ y)
        np.testing.assert_allclose(found, expected, rtol=1e-10)


def test_anomalies_are_those_of_the_site_and_of_training() -> None:
    s, (train, later) = samples(), rows(range(1990, 1996))
    z = site_anomalies(s, s.monthly, train)
    of_site = s.table["site"].to_numpy()[train]
    for site in range(3):
        np.testing.assert_allclose(z[train][of_site == site].mean(axis=0), 0.0, atol=1e-9)
    changed = s.monthly.copy()
    changed[later] += 7.0
    np.testing.assert_array_equal(site_anomalies(s, changed, train)[train], z[train])
    flat = np.zeros_like(s.monthly)
    np.testing.assert_array_equal(site_anomalies(s, flat, train), 0.0)
    np.testing.assert_array_equal(standardised(np.ones((len(s), 2)), train), 0.0)


def test_a_site_without_weather_of_training_years_has_its_own_normals() -> None:
    s = samples()
    keep = np.flatnonzero((s.table["year"] >= 2000) | (s.table["site"] > 0))
    some = Samples(s.table.iloc[keep].reset_index(drop=True), s.monthly[keep], s.spans[keep],
                   s.static[keep], s.warmth[keep])
    train = np.flatnonzero((some.table["year"] < 2000).to_numpy())
    late = np.flatnonzero((some.table["site"] == 0).to_numpy())
    z = site_anomalies(some, some.monthly, train)
    np.testing.assert_allclose(z[late].mean(axis=0), 0.0, atol=1e-9)
    assert np.isfinite(Ridge().fit_predict(some, train, late)).all()


def test_a_rare_heat_is_not_blown_up() -> None:
    s, (train, later) = samples(), rows(range(1990, 1996))
    heat = np.zeros_like(s.monthly)
    heat[:, 1] = s.monthly[:, 1]  # hot in the second month
    heat[train[0], 2] = 0.01  # and once, hardly, in the third
    heat[later, 2] = 0.1
    assert np.abs(site_anomalies(s, heat, train)[later, 2]).max() < 2.0
