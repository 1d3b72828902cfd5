"""Calibration of growth: shares of organs, and a truth found from the calibrating half alone."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from neuralcrop.data.field_experiments import FieldBatch, read_field_experiments
from neuralcrop.evaluation import field_growth
from neuralcrop.evaluation.field_growth import calibrate_growth, taken, with_growth
from neuralcrop.evaluation.field_runs import parameters, simulate_batch
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model
from tests.field_files import write

TRUTH = {"vcmax25": 45.0, "specific_leaf_area": 0.05, "leaf_life_span": 33.0, "husks": 0.3}


def made(directory: Path) -> tuple[CropModel, FieldBatch, torch.Tensor]:
    """Model, the made-up treatments and their catalogue parameters."""
    batch = read_field_experiments(
        write(directory), ("maize",), season_days=lambda crop: 100).batches["maize"]
    model = build_model(ModelSpec(crops=("maize",), nutrients=True)).eval()
    return model, batch, parameters(model, batch)


def test_what_is_no_grain_goes_to_the_stems(tmp_path: Path) -> None:
    model, _, p = made(tmp_path)
    layout = model.table.layout
    before, after = layout.view(p), layout.view(with_growth(model, p, TRUTH))
    torch.testing.assert_close(after["storage_share"], 0.7 * before["storage_share"])
    for name in ("storage_share", "stem_share"):
        assert float(after[name].min()) >= 0.0
    torch.testing.assert_close(
        after["storage_share"] + after["stem_share"],
        before["storage_share"] + before["stem_share"])
    torch.testing.assert_close(after["leaf_share"], before["leaf_share"])
    torch.testing.assert_close(after["vcmax25"], torch.full((3,), 45.0))


def test_cells_are_taken_with_all_they_have(tmp_path: Path) -> None:
    _, batch, _ = made(tmp_path)
    own = taken(batch, np.array([2, 0, 2]))
    assert own.table["experiment"].tolist() == ["BBBB0301", "AAAA0101", "BBBB0301"]
    torch.testing.assert_close(own.forcing.values[:, :, 1], batch.forcing.values[:, :, 0])
    assert own.soil_start is not None
    assert batch.soil_start is not None
    torch.testing.assert_close(own.soil_start.nitrate[:, 1], batch.soil_start.nitrate[:, 0])
    dates, given = own.management.fertiliser_dates, batch.management.fertiliser_dates
    assert dates is not None
    assert given is not None
    for day, amount in dates.items():
        torch.testing.assert_close(amount[:, 0], given[day][:, 2])


def test_a_truth_is_approached_without_the_scored_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(field_growth, "STEPS", 2)
    model, batch, p = made(tmp_path)
    found = simulate_batch(model, batch, with_growth(model, p, TRUTH)).seasons
    seen = np.array([True, False, True])
    table = batch.table.assign(**{n: found[n] for n in ("yield", "biomass", "lai_max")})
    table.loc[~seen, ["yield", "biomass", "lai_max"]] = 30.0  # must not be read
    fitted = calibrate_growth(model, replace(batch, table=table), p, seen)
    assert fitted is not None
    assert fitted.loss[-1] < 0.5 * fitted.loss[0]
    assert fitted.values["husks"] > 0.2
    assert fitted.values["vcmax25"] < 55.0
    again = simulate_batch(model, batch, with_growth(model, p, fitted.values)).seasons
    error = (again["yield"][1] - found["yield"][1]) / found["yield"][1]
    assert abs(error) < 0.1  # the scored treatment


def test_one_trial_with_yields_is_too_few(tmp_path: Path) -> None:
    model, batch, p = made(tmp_path)
    assert calibrate_growth(model, batch, p, np.array([True, True, False])) is None
