"""Scores of extremes and ensembles against hand-made and analytic values."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

from neuralcrop.evaluation import ensembles, extremes, intervals, metrics


def years_table() -> pd.DataFrame:
    """Twenty years of two sites on a line of 3, with losses of 1 in 2003 and 0.5 in 2007."""
    year = np.repeat(np.arange(2001, 2021), 2)
    observed = 3.0 - 1.0 * (year == 2003) - 0.5 * (year == 2007)
    return pd.DataFrame({"site": np.tile([0, 1], 20), "year": year, "observed": observed,
                         "predicted": 3.0 - 0.6 * (year == 2003), "line": 3.0})


def test_worst_years_and_share_of_the_loss() -> None:
    table = years_table()
    assert extremes.worst_years(table) == [2003, 2007]
    assert extremes.worst_years(table, 0.01) == [2003]
    assert extremes.loss_share(table, [2003]) == pytest.approx(0.6)
    assert extremes.loss_share(table, [2003, 2007]) == pytest.approx(0.6 / 1.5)
    assert math.isnan(extremes.loss_share(table, [2001]))


def test_hits_of_losses() -> None:
    observed = [-3.0, -3.0, 1.0, 1.0, 1.0, 1.0, 1.0, 1.0]  # standard deviation 1.73
    predicted = [-2.0, -1.0, -2.0, 0.0, 0.0, 0.0, 0.0, 0.0]
    found = extremes.loss_hits(observed, predicted)
    assert found == pytest.approx({"hit_rate": 0.5, "false_alarm_ratio": 0.5, "csi": 1.0 / 3.0})
    assert math.isnan(extremes.loss_hits([np.nan], [1.0])["csi"])


def test_crps_of_one_member_is_the_absolute_error() -> None:
    o, x = np.array([1.0, 2.0, 4.0]), np.array([[1.5, 2.0, 3.0]])
    assert ensembles.crps(o, x) == pytest.approx(0.5)
    assert math.isnan(ensembles.crps(o, x, fair=True))


def test_crps_against_its_integral() -> None:
    members, observed = np.array([0.3, -1.2, 0.9, 2.0, 0.4]), 0.7

    def squared(t: float) -> float:
        return float((np.mean(members <= t) - (observed <= t)) ** 2)

    points = sorted([*members, observed])
    expected = integrate.quad(squared, -3.0, 3.0, points=points, limit=200)[0]
    assert ensembles.crps([observed], members[:, None]) == pytest.approx(expected, abs=1e-9)


def test_fair_crps_does_not_depend_on_the_number_of_members() -> None:
    random = np.random.default_rng(0)
    o = random.standard_normal(20000)
    few, many = random.standard_normal((3, 20000)), random.standard_normal((40, 20000))
    analytic = 1.0 / math.sqrt(math.pi)  # of a normal forecast that is right
    assert ensembles.crps(o, few, fair=True) == pytest.approx(analytic, abs=0.01)
    assert ensembles.crps(o, many, fair=True) == pytest.approx(analytic, abs=0.01)
    assert ensembles.crps(o, few) > ensembles.crps(o, few, fair=True) + 0.05


def test_coverage() -> None:
    random = np.random.default_rng(1)
    o, x = random.standard_normal(4000), random.standard_normal((200, 4000))
    assert ensembles.coverage(o, x, 0.8) == pytest.approx(0.8, abs=0.03)
    assert ensembles.coverage(o, 0.3 * x, 0.8) < 0.4
    with_noise = ensembles.coverage(o, 0.3 * x, 0.8, noise=math.sqrt(1.0 - 0.3**2))
    assert with_noise == pytest.approx(0.8, abs=0.03)
    found = ensembles.reliability(o, x)
    assert list(found) == [0.2, 0.4, 0.5, 0.6, 0.8, 0.9]
    assert all(abs(share - level) < 0.03 for level, share in found.items())
    low, high = ensembles.central_interval(np.zeros((1, 2)), 0.8, noise=1.0)
    np.testing.assert_allclose(high, stats.norm.ppf(0.9))
    np.testing.assert_allclose(low, -high)
    with pytest.raises(ValueError, match=r"expected \[member, 4000\]"):
        ensembles.coverage(o, x.T)
    with pytest.raises(ValueError, match="between 0 and 1"):
        ensembles.central_interval(x, 1.5)


def test_samples_that_are_not_finite_are_left_out() -> None:
    x = np.array([[1.0, np.nan, 2.0], [1.0, 3.0, 4.0]])
    assert ensembles.crps([1.0, 3.0, np.nan], x) == 0.0
    assert ensembles.coverage([1.0, 3.0, np.nan], x) == 1.0


def test_intervals_resample_whole_years() -> None:
    draws = intervals.year_draws(7, 50)
    assert (draws.sum(axis=1) == 7).all()
    random = np.random.default_rng(2)
    year = np.repeat(np.arange(30), 50)
    shift = random.standard_normal(30)[year]
    table = pd.DataFrame({"year": year, "observed": 0.0, "predicted": shift,
                          "other": shift + 0.01})
    low, high = intervals.rmse_interval(table, 0.9)
    assert low < metrics.rmse(table["observed"], table["predicted"]) < high
    # as wide as thirty numbers allow, not fifteen hundred
    expected = 2 * 1.645 * np.std(shift**2) / (2 * np.sqrt(np.mean(shift**2)) * np.sqrt(30))
    assert high - low == pytest.approx(expected, rel=0.25)
    paired = intervals.rmse_difference_interval(table, "other", "predicted")
    assert paired[1] - paired[0] < 0.05 * (high - low)
    assert intervals.rmse_interval(table, 0.9) == (low, high)
    assert math.isnan(intervals.rmse_interval(table[table["year"] == 3])[0])
    assert math.isnan(intervals.rmse_difference_interval(
        table[table["year"] == 3], "other", "predicted")[0])


def test_centred_scores() -> None:
    table = pd.DataFrame({"site": [0, 0, 1, 1], "year": [1, 2, 1, 2],
                          "observed": [1.0, 2.0, 3.0, 4.0], "predicted": [6.0, 0.0, 8.0, 3.0]})
    # year 1: both rise by 2; year 2: 2 against 3
    assert metrics.year_centred_rmse(table) == pytest.approx(np.sqrt(2 * 0.5**2 / 4))
    # within sites both go the other way
    assert metrics.site_centred_r(table) < -0.9
    shifted = table.assign(predicted=table["observed"] + 5.0 * table["year"])
    assert metrics.year_centred_rmse(shifted) == pytest.approx(0.0, abs=1e-12)
    constant = table.assign(predicted=table["site"] * 0.1)
    assert math.isnan(metrics.site_centred_r(constant))


def test_extremes_of_variants() -> None:
    table = years_table()
    exact = table["observed"].to_numpy()
    found = extremes.extreme_scores(
        table, {"line": np.full(40, 3.0), "exact": exact, "some": table["predicted"]}, "line")
    assert found is not None
    assert (found["line"], found["worst_years"]) == ("line", [2003, 2007])
    assert found["variants"]["exact"] == pytest.approx({
        "rmse": 0.0, "loss_share": 1.0, "hit_rate": 1.0, "false_alarm_ratio": 0.0, "csi": 1.0})
    assert found["variants"]["line"]["loss_share"] == 0.0
    assert found["variants"]["line"]["hit_rate"] == 0.0
    assert found["variants"]["some"]["loss_share"] == pytest.approx(0.6 / 1.5)
    assert found["variants"]["some"]["rmse"] == pytest.approx(math.sqrt((0.4**2 + 0.5**2) / 2))


def test_extremes_from_the_trend_of_each_site() -> None:
    table = years_table()
    table["observed"] += 0.1 * (table["year"] - 2001) * (table["site"] + 1)
    found = extremes.extreme_scores(table, {"own": table["observed"]})
    assert found is not None
    assert (found["line"], found["worst_years"]) == ("trend of each site", [2003, 2007])
    assert found["variants"]["own"]["loss_share"] == pytest.approx(1.0)
    assert extremes.extreme_scores(
        table[table["year"] < 2003], {"own": table["observed"][:4]}) is None
