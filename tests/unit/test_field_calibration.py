"""Calibration of thermal requirements: halves, recovery of a truth, and what it must not see."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch

from neuralcrop.data.field_experiments import LEAD, FieldBatch, read_field_experiments
from neuralcrop.evaluation.field_calibration import (
    Phenology,
    calibrate,
    covariate,
    soybean_requirements,
    split_trials,
)
from neuralcrop.evaluation.field_runs import parameters, simulate_batch, with_values
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model
from tests.field_files import write


def made(directory: Path) -> tuple[CropModel, FieldBatch, torch.Tensor]:
    """Model, the made-up treatments and their catalogue parameters."""
    batch = read_field_experiments(
        write(directory), ("maize",), season_days=lambda crop: 150).batches["maize"]
    model = build_model(ModelSpec(crops=("maize",), nutrients=True)).eval()
    return model, batch, parameters(model, batch)


def trials(names: list[str], cultivars: list[str] | None = None) -> pd.DataFrame:
    n = len(names)
    return pd.DataFrame({
        "trial": names, "cultivar": cultivars or ["A"] * n, "experiment": names,
        "treatment": range(n), "anthesis": 60.0, "maturity": 100.0, "yield": 5.0})


def test_halves_are_whole_trials() -> None:
    table = trials([f"t{k // 3}" for k in range(24)])
    seen, how = split_trials(table, seed=0)
    assert how == "whole trials"
    assert pd.Series(seen).groupby(table["trial"]).nunique().eq(1).all()
    assert seen.sum() == 12
    again, _ = split_trials(table.sample(frac=1.0, random_state=1), seed=0)
    assert set(table["trial"][seen]) == set(table.sample(frac=1.0, random_state=1)["trial"][again])
    other, _ = split_trials(table, seed=1)
    assert (other != seen).any()


def test_trials_without_stages_stay_whole() -> None:
    table = trials([f"t{k // 2}" for k in range(12)]).assign(anthesis=np.nan, maturity=np.nan)
    seen, how = split_trials(table, seed=0)
    assert how == "whole trials"
    assert pd.Series(seen).groupby(table["trial"]).nunique().eq(1).all()
    assert seen.sum() == 6


@pytest.mark.parametrize(("cultivars", "how"), [
    (["A", "B", "C", "D"], "cultivars of one trial"), (["A"] * 4, "treatments of one trial")])
def test_one_trial_is_split_further(cultivars: list[str], how: str) -> None:
    seen, found = split_trials(trials(["t"] * 4, cultivars), seed=0)
    assert found == how
    assert seen.sum() == 2


def test_development_alone_is_that_of_the_model(tmp_path: Path) -> None:
    model, batch, p = made(tmp_path)
    whole = simulate_batch(model, batch, p).seasons
    with torch.no_grad():
        alone = Phenology(model, batch, LEAD)(dict(model.table.layout.view(p)))
    np.testing.assert_allclose(alone.anthesis, whole["anthesis"], atol=1e-4)
    np.testing.assert_allclose(alone.maturity, whole["maturity"], atol=1e-4)


def test_a_truth_is_found_again_on_the_other_half(tmp_path: Path) -> None:
    model, batch, p = made(tmp_path)
    truth = {"thermal_time_vegetative": torch.full((3,), 800.0),
             "thermal_time_reproductive": torch.full((3,), 650.0)}
    with torch.no_grad():
        view = dict(model.table.layout.view(with_values(model, p, truth)))
        stages = Phenology(model, batch, LEAD)(view)
    table = batch.table.assign(
        anthesis=stages.anthesis.numpy(), maturity=stages.maturity.numpy(), emergence=np.nan)
    found = calibrate(model, replace(batch, table=table), p, lead=LEAD, iterations=40,
                      learning_rate=0.2)
    assert found is not None
    assert found.loss[-1] < 0.1 * found.loss[0]  # what is left are the priors
    with torch.no_grad():
        again = Phenology(model, batch, LEAD)(
            {**dict(model.table.layout.view(p)), **found.values})
    seen, scored = found.calibrated, ~found.calibrated
    assert scored.any()
    np.testing.assert_allclose(again.anthesis[seen], stages.anthesis[seen], atol=0.5)
    np.testing.assert_allclose(again.maturity[seen], stages.maturity[seen], atol=0.5)
    np.testing.assert_allclose(again.anthesis[scored], stages.anthesis[scored], atol=3.0)
    np.testing.assert_allclose(again.maturity[scored], stages.maturity[scored], atol=4.0)


def test_scored_observations_are_never_read(tmp_path: Path) -> None:
    model, batch, p = made(tmp_path)
    seen, _ = split_trials(batch.table, 0)
    spoilt = batch.table.copy()
    spoilt.loc[~seen, ["anthesis", "maturity"]] += 40.0
    runs = [calibrate(model, replace(batch, table=t), p, lead=LEAD, iterations=2)
            for t in (batch.table, spoilt)]
    first, second = (r.values["thermal_time_vegetative"] for r in runs if r is not None)
    torch.testing.assert_close(first, second, rtol=0.0, atol=0.0)


def test_maturity_groups_are_known_by_name() -> None:
    table = pd.DataFrame({"cultivar": ["WILLIAMS-82", "Bragg", "MAJ. 000", "unheard of"],
                          "lat": 40.0})
    batch = FieldBatch("soybean", table, *[None] * 8)  # type: ignore[arg-type]
    np.testing.assert_allclose(covariate(batch), [0.0, 4.0 / 3.0, -5.0 / 3.0, 0.0])
    start = soybean_requirements(batch)["photoperiod_optimal"][0]
    # 13.4 h in group III and 1 h of twilight; later groups respond to shorter days
    np.testing.assert_allclose(start, [14.4, 13.32, 15.75, 14.4])
