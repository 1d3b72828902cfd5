"""Baselines on real county yields and on the demonstration's."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from neuralcrop.data.folds import Plan, make_tests
from neuralcrop.data.seasons import load_seasons
from neuralcrop.data.yields import open_yields
from neuralcrop.evaluation import comparison
from neuralcrop.evaluation.baselines import ClimatologyTrend, Ridge, Samples


@pytest.mark.slow
def test_counties(shared: Path, tmp_path: Path) -> None:
    seasons = load_seasons(open_yields(
        shared / "data" / "us_soybean_counties.nc", "soybean", None), 215, 45)
    samples = Samples.of(seasons)
    tests = make_tests(samples.table, samples.warmth)
    assert {name: sum(len(f.score) for f in folds) for name, folds in tests.items()} == {
        "last_years": 416, "leave_one_year_out": 3293, "spatial_blocks": 3293, "drought": 634,
        "warm_tail": 826}
    assert min(len(f.score) for f in tests["spatial_blocks"]) > 500
    methods = comparison.baseline_methods(
        samples, baselines={"climatology_trend": ClimatologyTrend(), "ridge": Ridge()})
    result = comparison.score_tests(
        comparison.run_tests(samples.table, tests, methods, tmp_path), draws=100)
    # a separate study of the same file found these, to the last digit
    line = {"leave_one_year_out": 0.314, "drought": 0.501, "warm_tail": 0.440}
    for name, expected in line.items():
        assert round(result[name]["climatology_trend"]["rmse"], 3) == expected
    # and for ridge 0.241, 0.335, 0.296
    for name, most in {"leave_one_year_out": 0.25, "drought": 0.335, "warm_tail": 0.296}.items():
        assert result[name]["ridge"]["rmse"] <= most


def test_a_small_world(small_world: Path, tmp_path: Path) -> None:
    data = open_yields(small_world / "yields.nc", "maize", str(small_world / "weather.nc"))
    samples = Samples.of(load_seasons(data, 190, 10))
    assert len(samples) == len(samples.monthly) == len(samples.spans) == len(samples.static)
    assert np.isfinite(samples.monthly).all()
    assert np.isfinite(samples.static).all()
    plan = Plan(train_years=(2001, 2003), score_years=(2004, 2004), season_months=(6, 7, 8))
    tests = make_tests(samples.table, samples.warmth, plan, ["last_years", "leave_one_year_out"])
    chosen = {"climatology_trend": ClimatologyTrend(), "ridge": Ridge()}
    out = comparison.run_tests(
        samples.table, tests, comparison.baseline_methods(samples, baselines=chosen), tmp_path)
    assert np.isfinite(out["predicted"]).all()
    assert set(out["year"]) == {2001, 2002, 2003, 2004}
