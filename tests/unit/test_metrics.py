"""Metrics against the check numbers of the science notes, and their edges."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from neuralcrop.evaluation import metrics

OBSERVED = [5.1, 5.4, 4.2, 5.9, 6.0, 3.8, 5.5, 6.1, 6.4, 5.2]
SIMULATED = [5.0, 5.2, 4.6, 5.5, 5.9, 4.5, 5.6, 5.8, 6.0, 5.6]

# computed by an independent script with numpy and scipy
CHECK = {
    "r": 0.9423619617, "rmse": 0.3591656997, "mae": 0.31, "bias": -0.01 + 0.02,
    "nse": 0.7927377892, "kge": 0.6293877463, "kge_2012": 0.6282216286, "nrmse": 6.7008526105,
    "willmott_d": 0.9210584290, "detrended_r": 0.9738048283, "detrended_nse": 0.7729934550,
    "detrended_sd_ratio": 0.5551135475, "running_r": 0.9768635320,
}


@pytest.mark.parametrize(("name", "value"), CHECK.items())
def test_check_numbers(name: str, value: float) -> None:
    assert metrics.ALL[name](OBSERVED, SIMULATED) == pytest.approx(value, abs=1e-9)


@pytest.mark.parametrize("name", metrics.ALL)
def test_a_perfect_simulation(name: str) -> None:
    best = 0.0 if name in ("rmse", "mae", "bias", "nrmse") else 1.0
    assert metrics.ALL[name](OBSERVED, OBSERVED) == pytest.approx(best, abs=1e-12)


def test_pairs_that_are_not_finite_are_left_out() -> None:
    o, s = [*OBSERVED, np.nan, 3.0], [*SIMULATED, 4.0, np.inf]
    assert metrics.rmse(o, s) == metrics.rmse(OBSERVED, SIMULATED)
    with pytest.raises(ValueError, match="expected the same"):
        metrics.rmse([1.0], [1.0, 2.0])


@pytest.mark.parametrize("name", ["r", "rmse", "mae", "bias", "nse", "kge", "willmott_d"])
def test_nothing_to_compare_is_not_a_number(name: str) -> None:
    assert math.isnan(metrics.ALL[name]([np.nan], [1.0]))


def test_no_correlation_with_a_constant() -> None:
    assert math.isnan(metrics.correlation(OBSERVED, [0.1 + 0.2] * 10))
    with pytest.raises(ValueError, match="2009 or 2012"):
        metrics.kling_gupta(OBSERVED, SIMULATED, 2010)


def samples() -> pd.DataFrame:
    """Two sites, ten years, the second with another level and trend."""
    year = np.tile(np.arange(2001, 2011), 2)
    site = np.repeat([0, 1], 10)
    shift = np.where(site == 1, 3.0 - 0.2 * (year - 2001), 0.0)
    return pd.DataFrame({
        "site": site, "year": year, "observed": np.tile(OBSERVED, 2) + shift,
        "predicted": np.tile(SIMULATED, 2) - 2.0 * shift})


def test_anomalies_are_free_of_each_sites_level_and_trend() -> None:
    table = samples()
    anomaly = metrics.site_anomalies(table, "observed").to_numpy()
    np.testing.assert_allclose(anomaly[:10], metrics.detrend(OBSERVED), atol=1e-12)
    np.testing.assert_allclose(anomaly[10:], anomaly[:10], atol=1e-12)
    assert metrics.scores(table)["r_anomaly"] == pytest.approx(CHECK["detrended_r"], abs=1e-9)
    assert metrics.scores(table)["n"] == 20


def test_a_straight_line_has_no_anomalies() -> None:
    table = samples()
    table["predicted"] = 0.3 * table["year"] + table["site"]
    assert math.isnan(metrics.scores(table)["r_anomaly"])
    short = samples().query("year < 2003")
    assert math.isnan(metrics.scores(short)["r_anomaly"])


def test_scores_by_year_use_the_anomalies_of_all_years() -> None:
    by_year = metrics.scores_by_year(samples())
    assert list(by_year) == [str(y) for y in range(2001, 2011)]
    assert by_year["2004"]["n"] == 2
    own = samples().query("year == 2004")
    assert by_year["2004"]["rmse"] == pytest.approx(
        metrics.rmse(own["observed"], own["predicted"]))
    many = pd.concat([samples().assign(site=lambda t, k=k: t["site"] + 2 * k,
                                       observed=lambda t, k=k: t["observed"] * (1 + 0.2 * k),
                                       predicted=lambda t, k=k: t["predicted"] * (1 + 0.1 * k))
                      for k in range(3)])
    assert np.isfinite(metrics.scores_by_year(many)["2004"]["r_anomaly"])


def test_scores_of_each_site() -> None:
    table = samples().assign(label="a", lat=1.0, lon=2.0)
    table.loc[table["site"] == 1, "observed"] = 4.0  # no variance
    table.loc[3, "predicted"] = np.nan
    found = metrics.site_scores(table).set_index("site")
    own = table[table["site"] == 0]
    assert found.loc[0, "n"] == 9
    assert found.loc[0, "rmse"] == pytest.approx(metrics.rmse(own["observed"], own["predicted"]))
    assert found.loc[0, "r"] == pytest.approx(
        metrics.correlation(own["observed"], own["predicted"]))
    assert math.isnan(found.loc[1, "r"])
    few = metrics.site_scores(table[table["year"] < 2003])
    assert few["r"].isna().all()
    assert few["rmse"].notna().all()


def test_scores_of_groups_know_the_trends_of_all_years() -> None:
    table = samples().assign(region=np.tile(["b", "a"], 10))
    found = metrics.scores_by(table, "region")
    assert list(found) == ["a", "b"]
    own = table[table["region"] == "a"]
    assert found["a"]["rmse"] == pytest.approx(metrics.rmse(own["observed"], own["predicted"]))
    anomalies = [metrics.site_anomalies(table, c)[own.index] for c in ("observed", "predicted")]
    assert found["a"]["r_anomaly"] == pytest.approx(metrics.correlation(*anomalies))
