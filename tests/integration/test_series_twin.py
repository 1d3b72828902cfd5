"""The encoder of series: parameters recovered from leaf area that the model itself made."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from torch import Tensor

from neuralcrop.closures.series_encoder import series_names
from neuralcrop.data.field_experiments import LEAD, SUBDIRECTORY, read_field_experiments
from neuralcrop.data.series import binned, fill_gaps
from neuralcrop.evaluation.field_growth import taken
from neuralcrop.evaluation.field_runs import parameters, simulate_batch
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.training.series_twin import fit_to_parameters, made_series
from tests.model_runs import SmallRun

CELLS, TRAINING, STEPS = 800, 640, 15
NAMES = ("specific_leaf_area", "thermal_time_vegetative")


def hybrid(crop: str, names: tuple[str, ...], static: tuple[str, ...], steps: int) -> CropModel:
    """With an encoder if there are steps."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return build_model(ModelSpec(
            crops=(crop,), network=names, network_hidden=(16,),
            covariates=static + (series_names(("lai",), steps) if steps else ()),
            encoder={"variables": ["lai"], "steps": steps, "size": 6, "hidden": 12}
            if steps else None))


def recovered(found: Tensor, truth: Tensor) -> Tensor:
    """R2 of each parameter, ``[row]``."""
    left = (found - truth).square().sum(dim=1)
    return 1.0 - left / (truth - truth.mean(dim=1, keepdim=True)).square().sum(dim=1)


@pytest.mark.slow
def test_series_tell_what_covariates_do_not() -> None:
    g = torch.Generator().manual_seed(3)
    known, hidden = torch.randn(2, CELLS, generator=g), torch.randn(2, CELLS, generator=g)
    physics = build_model(ModelSpec(crops=("maize",)))
    run = SmallRun("maize", CELLS, STEPS * 10, torch.float32, physics)
    offsets = 0.5 * known + 0.8 * hidden  # a part that covariates explain, and one they do not
    truth = physics.table(run.management.crop, torch.float32, {
        name: offsets[k : k + 1] for k, name in enumerate(NAMES)})
    lai = made_series(physics, truth, run.forcing, run.site, run.management, STEPS)
    assert float(lai[-1].max()) > 1.0
    lai = (lai * (1.0 + 0.1 * torch.randn(lai.shape, generator=g))).clamp_min(0.0)
    lai = torch.where(torch.rand(lai.shape, generator=g) < 0.4, float("nan"), lai)  # clouds
    gaps = lai.numpy()
    for series in gaps.T:
        fill_gaps(series, 3)
    assert np.isnan(gaps).any()
    climate = run.forcing.values[:, [2, 5]].mean(dim=0)
    climate = (climate - climate.mean(dim=1, keepdim=True)) / climate.std(dim=1, keepdim=True)
    static = torch.cat((known, climate))
    rows = physics.table.rows(NAMES)
    train, new = slice(0, TRAINING), slice(TRAINING, CELLS)
    crop, score = run.management.crop, {}
    for name, steps in (("covariates", 0), ("series", STEPS)):
        model = hybrid("maize", NAMES, ("a", "b", "tas", "pr"), steps)
        given = torch.cat((static, lai)) if steps else static
        start = model.cell_parameters(crop, torch.float32, given)
        assert torch.equal(start, physics.table(crop, torch.float32))
        losses = fit_to_parameters(model, crop[train], given[:, train], truth[:, train], epochs=100)
        assert losses[-1] < 0.8 * losses[0]
        with torch.no_grad():
            found = model.eval().cell_parameters(crop[new], torch.float32, given[:, new])
        score[name] = recovered(found[rows], truth[rows][:, new])
    # the covariates cannot explain more than 0.25 / (0.25 + 0.64)
    assert (score["covariates"] < 0.45).all(), score
    assert (score["series"] > score["covariates"] + 0.15).all(), score
    assert (score["series"] > 0.5).all(), score


FIELD_NAMES = ("specific_leaf_area", "leaf_life_span", "juvenile_growth_rate", "vcmax25",
               "thermal_time_vegetative", "thermal_time_reproductive")
COPIES, FIELD_STEPS = 16, 18


@pytest.mark.slow
def test_leaf_area_of_field_experiments(shared: Path) -> None:
    """Learnt on series of the model alone, then shown those of fields: their leaf area fits better.
    """
    root = shared / SUBDIRECTORY
    batch = read_field_experiments(
        root, ("soybean",), crops=("soybean",), season_days=lambda crop: 10 * FIELD_STEPS,
    ).batches["soybean"]
    batch.management = replace(  # the model has no nitrogen
        batch.management, fertiliser_dates=None, fertiliser_plan=None)
    samples = batch.observations[batch.observations["lai"].notna()]
    cells = np.sort(samples["cell"].unique())
    own, n = taken(batch, cells), len(cells)
    day = samples["day"].to_numpy(int) - LEAD
    cell = np.searchsorted(cells, samples["cell"].to_numpy(int))
    observed = torch.from_numpy(binned(
        day, samples["lai"].to_numpy(float), cell, n, FIELD_STEPS, max_gap=3)).float()

    physics = build_model(ModelSpec(crops=("soybean",)))
    many = taken(batch, np.tile(cells, COPIES))
    g = torch.Generator().manual_seed(5)
    crop = torch.zeros(n * COPIES, dtype=torch.long)
    truth = physics.table(crop, torch.float32, {
        name: 1.0 * torch.randn(1, n * COPIES, generator=g) for name in FIELD_NAMES})
    physics.choose_pathways(crop)
    made = made_series(physics, truth, many.forcing, many.site, many.management, FIELD_STEPS,
                       first_day=LEAD)
    seen = torch.isfinite(observed).repeat(1, COPIES)
    noisy = made * (1.0 + 0.15 * torch.randn(made.shape, generator=g))
    climate = own.forcing.values[:, [2, 5]].mean(dim=0)
    climate = (climate - climate.mean(dim=1, keepdim=True)) / climate.std(dim=1, keepdim=True)
    model = hybrid("soybean", FIELD_NAMES, ("tas", "pr"), FIELD_STEPS)
    fit_to_parameters(model, crop, torch.cat((
        climate.repeat(1, COPIES), torch.where(seen, noisy, float("nan")))), truth, epochs=100)
    with torch.no_grad():
        values = model.eval().cell_parameters(
            crop[:n], torch.float32, torch.cat((climate, observed)))

    def error(p: Tensor) -> tuple[float, float]:
        found = simulate_batch(physics, own, p)
        lai = found.daily["lai"][samples["day"].to_numpy(int), cell]
        table = pd.DataFrame({"o": own.table["yield"], "s": found.seasons["yield"]}).dropna()
        return (float(np.sqrt(np.mean((lai - samples["lai"].to_numpy(float)) ** 2))),
                float(np.sqrt(np.mean((table["s"] - table["o"]) ** 2))))

    catalogue = parameters(physics, own)
    inferred = catalogue.clone()
    rows = physics.table.rows(FIELD_NAMES)
    inferred[rows] = values[rows]
    before, after = error(catalogue), error(inferred)
    print("RMSE of leaf area and yield: catalogue", before, "with series", after)
    assert after[0] < 0.95 * before[0]
