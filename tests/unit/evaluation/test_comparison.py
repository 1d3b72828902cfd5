"""Methods over folds: kept, resumed, scored."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from neuralcrop.data.folds import Fold, Plan, make_tests
from neuralcrop.evaluation import comparison, metrics
from neuralcrop.evaluation.baselines import ClimatologyTrend, MeanOfAll, Ridge
from tests.evidence_samples import samples

PLAN = Plan(train_years=(1981, 2005), score_years=(2006, 2010), blocks=3,
            drought_years=(1988, 1991))
FEW = {"mean_of_all": MeanOfAll(), "climatology_trend": ClimatologyTrend(), "ridge": Ridge()}


def setting() -> tuple[pd.DataFrame, dict[str, list[Fold]], dict[str, comparison.Method]]:
    s = samples()
    tests = make_tests(s.table, s.warmth, PLAN, ["last_years", "spatial_blocks", "drought"])
    return s.table, tests, comparison.baseline_methods(s, baselines=FEW)


def test_every_scored_row_has_one_prediction_of_each_method(tmp_path: Path) -> None:
    table, tests, methods = setting()
    out = comparison.run_tests(table, tests, methods, tmp_path)
    assert list(out.columns) == list(comparison.COLUMNS)
    assert len(out) == 3 * sum(len(f.score) for folds in tests.values() for f in folds)
    part = out[(out["test"] == "drought") & (out["method"] == "ridge")]
    merged = part.merge(table, on=["site", "year"], suffixes=("", "_true"))
    np.testing.assert_allclose(merged["observed"], merged["observed_true"], rtol=1e-5)
    assert set(part["year"]) == {1988, 1991}


def test_finished_folds_are_not_run_again(tmp_path: Path) -> None:
    table, tests, methods = setting()
    first = comparison.run_tests(table, tests, methods, tmp_path)

    def never(fold: Fold) -> np.ndarray:
        raise AssertionError(f"{fold.name} was run again")

    again = comparison.run_tests(table, tests, dict.fromkeys(methods, never), tmp_path)
    pd.testing.assert_frame_equal(first, again)
    # other yields, other settings: nothing of the old is taken
    for changed, settings in ((table.assign(observed=table["observed"] + 1.0), None),
                              (table, {"ridge": "another penalty"})):
        with pytest.raises(AssertionError, match="run again"):
            comparison.run_tests(changed, tests, {"ridge": never}, tmp_path, settings=settings)


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    table, tests, methods = setting()
    done: list[str] = []

    def breaks(fold: Fold) -> np.ndarray:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(fold.name)
        return methods["ridge"](fold)

    spatial = {"spatial_blocks": tests["spatial_blocks"]}
    with pytest.raises(KeyboardInterrupt):
        comparison.run_tests(table, spatial, {"ridge": breaks}, tmp_path)
    done.append("third")

    def counts(fold: Fold) -> np.ndarray:
        done.append(fold.name)
        return methods["ridge"](fold)

    resumed = comparison.run_tests(table, spatial, {"ridge": counts}, tmp_path)
    assert len(done) == 4  # two before, a mark, and only the third fold after
    whole = comparison.run_tests(table, spatial, {"ridge": methods["ridge"]}, tmp_path / "other")
    pd.testing.assert_frame_equal(resumed, whole)


def test_wrong_predictions_are_refused(tmp_path: Path) -> None:
    table, tests, _ = setting()
    for wrong in (lambda f: np.zeros(3), lambda f: np.full(len(f.score), np.nan)):
        with pytest.raises(ValueError, match="finite predictions"):
            comparison.run_tests(table, tests, {"wrong": wrong}, tmp_path)


def test_scores(tmp_path: Path) -> None:
    table, tests, methods = setting()
    out = comparison.run_tests(table, tests, methods, tmp_path)
    result = comparison.score_tests(out, years={"1988": [1988], "2030": [2030]}, draws=200)
    drought = result["drought"]
    part = out[(out["test"] == "drought") & (out["method"] == "ridge")]
    ridge = drought["ridge"]
    assert ridge["rmse"] == pytest.approx(metrics.rmse(part["observed"], part["predicted"]))
    assert drought["climatology_trend"]["rmse_less_reference"] == 0.0
    assert np.isnan(drought["climatology_trend"]["rmse_less_reference_interval"]).all()  # two years
    later = result["last_years"]
    assert later["climatology_trend"]["rmse_less_reference_interval"] == (0.0, 0.0)
    assert later["ridge"]["rmse_less_reference_interval"][1] < 0.0
    assert ridge["rmse_less_reference"] < 0.0
    assert ridge["r_line"] > 0.9
    assert list(ridge["extremes"]) == ["1988"]
    line = out[(out["test"] == "drought") & (out["method"] == "climatology_trend")]
    at = part["year"].to_numpy() == 1988
    lost = (line["predicted"].to_numpy() - part["observed"].to_numpy())[at].mean()
    seen = (line["predicted"].to_numpy() - part["predicted"].to_numpy())[at].mean()
    expected = seen / lost if lost > 0 else np.nan
    assert ridge["extremes"]["1988"]["loss_share"] == pytest.approx(expected, nan_ok=True)
    comparison.write_comparison(out, result, tmp_path, table, tests)
    record = json.loads((tmp_path / "scores.json").read_text())
    assert record["tests"]["drought"]["ridge"]["n"] == len(part)
    assert record["folds"]["drought"]["all"]["score"] == [1988, 1991]
    assert len(pd.read_csv(tmp_path / "predictions.csv")) == len(out)
    text = comparison.comparison_table(result)
    assert f"{ridge['rmse']:.3f} ({ridge['r_line']:.2f})" in text
    low, high = later["ridge"]["rmse_interval"]
    assert f"{later['ridge']['rmse']:.3f} [{low:.2f}, {high:.2f}]" in text
    assert text.count("\n") == 1 + len(methods)
    extremes = comparison.extremes_table(result)
    assert extremes.count("\n") == 1 + 3 * len(methods)
    assert f"1988: {ridge['extremes']['1988']['rmse']:.3f}" in extremes


def test_the_mean_of_methods(tmp_path: Path) -> None:
    table, tests, methods = setting()
    out = comparison.run_tests(table, tests, methods, tmp_path)
    more = comparison.with_mean(out, ["ridge", "mean_of_all"], "both")
    pd.testing.assert_frame_equal(more.iloc[: len(out)], out)
    wide = more.pivot(index=["test", "fold", "site", "year"], columns="method", values="predicted")
    assert wide.notna().all().all()
    np.testing.assert_allclose(wide["both"], 0.5 * (wide["ridge"] + wide["mean_of_all"]))
    lacking = out[(out["method"] != "ridge") | (out["test"] != "drought")]
    assert "drought" not in set(comparison.with_mean(lacking, ["ridge", "mean_of_all"], "both")
                                .query("method == 'both'")["test"])


def test_seeds_are_averaged(tmp_path: Path) -> None:
    table, tests, _ = setting()
    parts = [comparison.run_tests(
        table, {"drought": tests["drought"]},
        {"shifted": lambda f, k=k: table["observed"].to_numpy()[f.score] + k}, tmp_path, seed=s)
        for s, k in ((0, 1.0), (1, -1.0))]
    scored = comparison.score_tests(pd.concat(parts), draws=50)["drought"]["shifted"]
    assert scored["rmse"] == pytest.approx(0.0, abs=1e-5)
    assert scored["n"] == len(tests["drought"][0].score)


def spread_of(table: pd.DataFrame, sd: float) -> comparison.Method:
    """Predictions without error on average, that tell how far off they are."""
    noise = np.random.default_rng(0).normal(0.0, 0.3, len(table))

    def method(fold: Fold) -> comparison.Scored:
        truth = table["observed"].to_numpy()[fold.score]
        return comparison.Scored(
            truth + noise[fold.score], np.full(len(truth), sd), truth + 0.5)

    return method


def test_spread_and_remainder_are_scored(tmp_path: Path) -> None:
    table, tests, methods = setting()
    tests = {"drought": tests["drought"]}
    parts = [comparison.run_tests(table, tests, methods, tmp_path),
             comparison.run_tests(table, tests, {"right": spread_of(table, 0.3),
                                                 "bold": spread_of(table, 0.1)}, tmp_path)]
    predictions = comparison.without_remainder(pd.concat(parts, ignore_index=True))
    scored = comparison.score_tests(predictions, draws=50)["drought"]
    assert scored["right, no remainder"]["rmse"] == pytest.approx(0.5, abs=1e-4)
    assert scored["right"]["coverage_80"] == pytest.approx(0.8, abs=0.12)
    assert scored["bold"]["coverage_80"] < 0.5
    assert scored["right"]["crps"] < scored["bold"]["crps"]
    # of a normal distribution about the truth: sd / sqrt(pi)
    assert scored["right"]["crps"] == pytest.approx(0.3 / np.sqrt(np.pi), rel=0.2)
    assert "crps" not in scored["ridge"]
    text = comparison.reliability_table({"drought": scored})
    assert "| drought | right |" in text
    assert "ridge" not in text
    assert not comparison.reliability_table({"drought": {"ridge": scored["ridge"]}})


def test_the_spread_of_several_seeds_has_their_variance(tmp_path: Path) -> None:
    table, tests, _ = setting()
    tests = {"drought": tests["drought"]}
    rows = tests["drought"][0].score
    parts = [comparison.run_tests(table, tests, {"one": lambda f, k=k: comparison.Scored(
        np.full(len(f.score), 2.0 + k), np.full(len(f.score), 0.4))}, tmp_path, seed=k)
        for k in (0, 1)]
    keys = ["test", "fold", "method", "site", "year", "observed"]
    found = comparison.together(pd.concat(parts, ignore_index=True), keys)
    assert len(found) == len(rows)
    assert found["predicted"].to_numpy() == pytest.approx(2.5)
    assert found["spread"].to_numpy() == pytest.approx(np.sqrt(0.16 + 0.5))


def test_only_finished_folds(tmp_path: Path) -> None:
    table, tests, methods = setting()
    part = {"spatial_blocks": tests["spatial_blocks"][:2]}
    comparison.run_tests(table, part, {"ridge": methods["ridge"]}, tmp_path)
    comparison.run_tests(table, {"drought": tests["drought"]}, methods, tmp_path)
    found = comparison.run_tests(table, tests, methods, tmp_path, finished=True)
    assert set(found["test"]) == {"spatial_blocks", "drought"}
    kept = comparison.whole(found, tests)
    assert set(kept["test"]) == {"drought"}
    assert set(kept["method"]) == set(methods)
