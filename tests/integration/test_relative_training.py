"""Yields relative to their site, from training to evaluation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr

from neuralcrop.data.files import write_atomically
from neuralcrop.evaluation.evaluate import predict_dataset
from neuralcrop.training import train
from tests.training_runs import MakeConfig

RELATIVE = ["loss.yields=relative", "loss.remainder=weather"]


@pytest.fixture(scope="module")
def run_dir(tmp_path_factory: pytest.TempPathFactory, make_config: MakeConfig) -> Path:
    directory = tmp_path_factory.mktemp("relative")
    return train.run(make_config(directory, *RELATIVE))


def test_the_report_has_the_hybrid_with_and_without_its_remainder(run_dir: Path) -> None:
    report = json.loads((run_dir / "report.json").read_text())
    validate = report["parts"]["validate"]
    assert {"physics", "tuned", "hybrid", "hybrid_without_remainder"} <= set(validate)
    assert not {"physics_without_remainder", "tuned_without_remainder"} & set(validate)
    assert validate["hybrid"]["rmse"] != validate["hybrid_without_remainder"]["rmse"]
    trend = report["variants"]["hybrid"]["technology"]
    assert "remainder" not in trend  # the data it rests on are in model.json
    assert 0.0 < trend["response"] < 1.5
    assert any("predicted quantiles" in note for note in report["notes"])
    assert "hybrid_without_remainder" in (run_dir / "report.html").read_text()
    known = pd.read_csv(run_dir / "predictions.csv")
    assert (known["hybrid_q10"] < known["hybrid"]).all()
    assert (known["hybrid"] < known["hybrid_q90"]).all()


def test_evaluation_gives_the_same_predictions(run_dir: Path, small_world: Path) -> None:
    table = predict_dataset(
        run_dir, small_world / "yields.nc", weather=str(small_world / "weather.nc"))
    known = pd.read_csv(run_dir / "predictions.csv")
    both = known.merge(table, on=["label", "year"], suffixes=("", "_again"))
    assert len(both) == len(known)
    # values of the remainder are kept with six digits
    for one, other in (("hybrid", "predicted"), ("hybrid_q10", "predicted_low"),
                       ("hybrid_q90", "predicted_high")):
        np.testing.assert_allclose(both[one], both[other], rtol=2e-3, atol=2e-3, err_msg=one)


def test_its_own_yield_does_not_change_a_prediction(
    run_dir: Path, small_world: Path, tmp_path: Path
) -> None:
    data = xr.load_dataset(small_world / "yields.nc")
    data["maize_yield"] = data["maize_yield"] * 2.0
    write_atomically(data, tmp_path / "other.nc")
    weather = str(small_world / "weather.nc")
    one = predict_dataset(run_dir, small_world / "yields.nc", weather=weather)
    other = predict_dataset(run_dir, tmp_path / "other.nc", weather=weather)
    assert not np.allclose(one["observed"], other["observed"])
    np.testing.assert_array_equal(one["predicted"], other["predicted"])
