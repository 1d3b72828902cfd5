"""Training on observations of several kinds that the model itself made, and on trends."""

from __future__ import annotations

import json
import math
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from neuralcrop.config import EvaluateConfig, compose
from neuralcrop.data.observations import KINDS
from neuralcrop.data.seasons import Block, Seasons, load_seasons
from neuralcrop.data.yields import open_yields
from neuralcrop.evaluation import evaluate
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.training import train
from neuralcrop.training.rollout import Rollout

pytestmark = pytest.mark.slow

GUESS = {"thermal_time_vegetative": 400.0, "thermal_time_reproductive": 520.0}
TRUTH = {"thermal_time_vegetative": 345.0, "thermal_time_reproductive": 450.0}

DAYS, LEAD = 82, 5
"""Length of a run, in which some crops do not get ripe."""

PHYSICS = ["closure=none", "parameters.network.names=[]",
           "compare=[climatology_trend,physics,tuned]", "callbacks.keep=last",
           "callbacks.patience=null", "data.holdout_cells=0", f"data.n_days={DAYS}",
           *(f"crop.parameters.{name}={value}" for name, value in GUESS.items())]


def model_of(values: dict[str, float]) -> CropModel:
    model = build_model(ModelSpec(crops=("maize",), values=values))
    model.choose_pathways(torch.zeros(1, dtype=torch.long))
    return model.eval()


@pytest.fixture(scope="module")
def seasons(small_world: Path) -> Seasons:
    data = open_yields(small_world / "yields.nc", "maize", small_world / "weather.nc")
    return load_seasons(data, DAYS, LEAD)


def whole(seasons: Seasons) -> Block:
    return seasons.block(np.arange(len(seasons)), len(seasons))


@pytest.fixture(scope="module")
def twin(small_world: Path, seasons: Seasons, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Yields file with every kind of observation, made by the model with `TRUTH`."""
    season = Rollout(model_of(TRUTH), kinds=tuple(KINDS)).predict(whole(seasons))
    assert season.others is not None
    file = xr.load_dataset(small_world / "yields.nc")
    years = file["year"].values
    place = seasons.table["site"].to_numpy(), np.searchsorted(years, seasons.table["year"])
    for name, values in zip(("maize_yield", *KINDS), (season.yields, *season.others), strict=True):
        array = np.full((file.sizes["cell"], len(years)), np.nan)
        array[place] = values.double().numpy()
        units = "t ha-1" if name == "maize_yield" else KINDS[name].units
        file[name] = (("cell", "year"), array, {"units": units})
    # a trend on the yields, and areas
    file["maize_yield"] = file["maize_yield"] * (1.0 + 0.02 * (file["year"] - 2001.5))
    file["maize_yield"].attrs["units"] = "t ha-1"
    file["harvested_area"] = ("cell", np.linspace(1.0, 3.0, file.sizes["cell"]), {"units": "ha"})
    path = tmp_path_factory.mktemp("twin") / "twin.nc"
    file.to_netcdf(path)
    return path


def learned(run: Path) -> dict[str, float]:
    table = pd.read_csv(run / "parameters.csv").set_index("parameter")
    return {name: float(table.loc[name, "constant"]) for name in TRUTH}


def test_counterparts_are_those_of_the_season(seasons: Seasons) -> None:
    block, model = whole(seasons), model_of(TRUTH)
    standing = Rollout(model, kinds=("anthday", "matyday", "lai_max", "biom")).predict(block)
    taken = Rollout(model, kinds=tuple(KINDS)).predict(block)
    assert standing.others is not None
    assert taken.others is not None
    ripe = standing.ripe
    assert 3 <= int(ripe.sum()) < len(ripe)
    got = dict(zip(KINDS, taken.others, strict=True))
    # harvest changes nothing but the end of evaporation
    for name, values in zip(("anthday", "matyday", "lai_max", "biom"), standing.others,
                            strict=True):
        torch.testing.assert_close(got[name][ripe], values[ripe])
    torch.testing.assert_close(taken.yields[ripe], standing.yields[ripe])
    assert (got["anthday"] < got["matyday"]).all()
    # crops that are not ripe at the end of the run ripen after it
    assert (got["matyday"][ripe] <= DAYS - LEAD).all()
    assert (got["matyday"][~ripe] > DAYS - LEAD - 1e-3).all()
    assert ((got["aet"] > 20.0) & (got["aet"] < 700.0)).all()
    assert (taken.yields <= got["biom"] + 1e-6).all()
    assert (got["lai_max"] > 0.0).all()


def test_dates_have_gradients_on_both_sides_of_the_end_of_a_run(seasons: Seasons) -> None:
    block = whole(seasons)
    block = Block(block.forcing.to(dtype=torch.float64), block.site.to(dtype=torch.float64),
                  block.management.to(dtype=torch.float64), block.covariates, block.observed,
                  block.year, block.weight, block.row)
    spec = ModelSpec(crops=("maize",), values=TRUTH, learn=tuple(TRUTH))
    model = build_model(spec)
    model.choose_pathways(torch.zeros(1, dtype=torch.long))
    rollout = Rollout(model, kinds=("anthday", "matyday"))
    season = rollout(block)
    assert season.others is not None
    rows = [model.table.layout.start[name] for name in TRUTH]
    p = season.parameters
    for k, row in ((0, rows[0]), (1, rows[0]), (1, rows[1])):
        slope = torch.autograd.grad(season.others[k].sum(), p, retain_graph=True)[0][row]
        assert (slope > 0.0).all()  # a longer phase ends later
    # against differences, of ripe and unripe crops alike
    slope = torch.autograd.grad(season.others[1].sum(), p)[0][rows[1]]
    h = 0.01
    ends = []
    for sign in (-1.0, 1.0):
        other = model_of(TRUTH | {"thermal_time_reproductive":
                                  TRUTH["thermal_time_reproductive"] + sign * h})
        found = Rollout(other, kinds=("anthday", "matyday")).predict(block)
        assert found.others is not None
        ends.append(found.others[1])
    torch.testing.assert_close(slope, (ends[1] - ends[0]) / (2.0 * h), rtol=1e-3, atol=1e-6)


def test_dates_alone_recover_thermal_times(make_config, twin: Path, tmp_path: Path) -> None:
    config = make_config(
        tmp_path, *PHYSICS, f"data.path={twin}", f"parameters.learn=[{','.join(TRUTH)}]",
        "loss.weights.yield=0", "loss.weights.anthday=1", "loss.weights.matyday=1",
        "loss.penalty=0", "loss.technology=none", "trainer.tuned_epochs=24",
        "trainer.constants_learning_rate=0.1", "trainer.batch_cells=8")
    train.run(config)
    for name, value in learned(tmp_path).items():
        assert value == pytest.approx(TRUTH[name], rel=0.03)
        assert abs(GUESS[name] - TRUTH[name]) > 0.1 * TRUTH[name]
    metrics = pd.read_csv(tmp_path / "metrics.csv")
    assert metrics["train_matyday"].iloc[-1] < 0.1 * metrics["train_matyday"].iloc[0]
    assert metrics["validate_anthday_rmse"].iloc[-1] < 1.0 < metrics[
        "validate_anthday_rmse"].iloc[0]


def test_all_kinds_with_learned_weights_trend_and_levels(
    make_config, twin: Path, tmp_path: Path
) -> None:
    wanted = [f"loss.weights.{kind}=1" for kind in KINDS]
    config = make_config(
        tmp_path / "run", *PHYSICS, f"data.path={twin}", "parameters.learn=[vcmax25]", *wanted,
        "loss.weighting=learned", "loss.technology=smooth", "loss.technology_by=region",
        "loss.technology_learning_rate=0.02", "loss.site_level=bounded",
        "loss.log_gradient_norms=true", "data.holdout_cells=0.3", "trainer.tuned_epochs=2")
    train.run(config)
    metrics = pd.read_csv(tmp_path / "run" / "metrics.csv")
    for kind in ("yield", *KINDS):
        assert (metrics[f"train_{kind}"] >= 0.0).all()
        assert (metrics[f"weight_{kind}"] > 0.0).all()
        assert metrics[f"weight_{kind}"].iloc[-1] != 1.0  # a first step has the first weights
        norm = metrics[f"gradient_{kind}_constants"]
        assert ((norm > 0.0) & np.isfinite(norm)).all()
    assert {"gradient_departure_constants"} <= set(metrics)
    report = json.loads((tmp_path / "run" / "report.json").read_text())
    by_variant = report["parts"]["test"]
    assert {"tuned", "tuned_without_levels"} <= set(by_variant)
    assert by_variant["tuned"]["rmse"] != by_variant["tuned_without_levels"]["rmse"]
    assert "smooth technology trend" in " ".join(report["notes"])
    trend = report["variants"]["tuned"]["technology"]
    assert trend["standard_error"] > 0.0
    # evaluation has the same trend and levels, also at sites that training has not seen
    known = pd.read_csv(tmp_path / "run" / "predictions.csv")
    asked = compose("evaluate", [
        f"run={tmp_path / 'run'}", f"dataset={twin}", f"output={tmp_path / 'metrics.json'}",
        f"predictions={tmp_path / 'predictions.nc'}", "compute.compile=false",
        "compute.threads=1"])
    assert isinstance(asked, EvaluateConfig)
    evaluate.run(asked)
    out = json.loads((tmp_path / "metrics.json").read_text())
    assert out["rmse"] == pytest.approx(
        math.sqrt(((known["tuned"] - known["observed"]) ** 2).mean()), rel=1e-4)
    assert "new_sites" in set(known["part"])


def test_a_trend_that_is_taken_off_before(make_config, twin: Path, tmp_path: Path) -> None:
    config = make_config(
        tmp_path, *PHYSICS, f"data.path={twin}", "parameters.learn=[vcmax25]", "loss.kind=anomaly",
        "loss.technology_when=before", "data.train_years=[2001,2003]",
        "data.validate_years=[2004,2004]", "data.test_years=null")
    train.run(config)
    report = json.loads((tmp_path / "report.json").read_text())
    trends = [report["variants"][name]["technology"] for name in ("physics", "tuned")]
    assert trends[0]["common"] == trends[1]["common"] != [0.0]
    assert trends[0]["when"] == "before"
    assert "about a level of each site" in " ".join(report["notes"])


@pytest.mark.parametrize(("override", "message"), [
    ("loss.weights.lai_max=1", "has lai_max, which the data do not hold"),
    ("loss.weights.yield=0", "nothing to learn from|chooses the weights"),
    ("data.region=state", "no variable 'state' over the sites"),
])
def test_wrong_configurations(make_config, tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        train.run(make_config(tmp_path / "run", override))
    assert not (tmp_path / "run" / "checkpoints").exists()
