"""From simulations to observations by the command line, and ensembles of seeds."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
from safetensors.torch import load_file

import neuralcrop as nc
from neuralcrop import cli
from neuralcrop.config import EvaluateConfig, compose
from neuralcrop.evaluation import evaluate
from neuralcrop.training import train
from tests.page_parsing import Page
from tests.training_runs import QUICK, MakeConfig

pytestmark = pytest.mark.slow

SHORT = [*QUICK, "compare=[hybrid]", "loss.technology=none", "callbacks.keep=last"]


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


def test_pretraining_on_simulations_then_learning_from_observations(
    small_world: Path, tmp_path: Path
) -> None:
    yields, weather = small_world / "yields.nc", small_world / "weather.nc"
    simulated, first, second = (tmp_path / n for n in ("simulated.nc", "first", "second"))
    assert cli.main(["data", "simulated", str(yields), "--crop", "maize", "--weather",
                     str(weather), "--years", "2001", "2003", "--output", str(simulated)]) == 0
    assert float(xr.load_dataset(simulated)["maize_yield"].sel(year=2001).mean()) > 0.5
    common = [f"data.weather={weather}", *SHORT]
    assert cli.main(["train", f"data.path={simulated}", f"hydra.run.dir={first}", *common,
                     "data.test_years=null"]) == 0
    assert cli.main(["train", f"data.path={yields}", f"hydra.run.dir={second}", *common,
                     f"trainer.init_from={first}", "trainer.train=parameters",
                     "trainer.profiler=simple"]) == 0
    before, after = weights(first), weights(second)
    for name, value in before.items():
        moved = not torch.equal(after[name], value)
        # the last layer of an untrained network is zero, and then no gradient reaches the others
        if name.startswith("network."):
            assert moved or "network.0" in name, name
        elif name not in ("table.values", "table.lower", "table.upper"):
            assert not moved, name
    assert "covariate_mean" in before
    assert (second / "fit-profile-hybrid.txt").stat().st_size > 0
    # what came over predicts as the first run itself
    out = tmp_path / "metrics.json"
    config = compose("evaluate", [f"run={first}", f"dataset={yields}", f"weather={weather}",
                                  f"output={out}", "compute.compile=false", "compute.threads=1"])
    assert isinstance(config, EvaluateConfig)
    known = pd.read_csv(second / "predictions.csv")
    found = evaluate.run(config)
    assert found["n"] == len(known)
    assert found["rmse"] == pytest.approx(
        np.sqrt(np.mean((known["transferred"] - known["observed"]) ** 2)), rel=1e-4)
    assert not np.allclose(known["transferred"], known["hybrid"], rtol=1e-6)


def test_output_of_another_model_becomes_a_yields_file(
    small_world: Path, tmp_path: Path
) -> None:
    sites = xr.load_dataset(small_world / "yields.nc")
    lat, lon = np.arange(-89.0, 90.0, 2.0), np.arange(-179.0, 180.0, 2.0)
    grid = xr.Dataset(
        {"crop_yield": (("time", "lat", "lon"), 1000.0 * (3.0 + 0.01 * lat[None, :, None]
                        + 0.001 * lon[None, None, :] + np.arange(2)[:, None, None]),
                        {"units": "kg ha-1"})},
        {"time": pd.to_datetime(["2001-01-01", "2002-01-01"]), "lat": lat, "lon": lon})
    grid.to_netcdf(tmp_path / "other.nc")
    command = ["data", "simulated", str(small_world / "yields.nc"), "--crop", "maize", "--weather",
               str(small_world / "weather.nc"), "--values", str(tmp_path / "other.nc"),
               "--output", str(tmp_path / "out.nc")]
    assert cli.main(command) == 1
    assert cli.main([*command, "--variable", "crop_yield"]) == 0
    out = xr.load_dataset(tmp_path / "out.nc")["maize_yield"]
    near = [lat[np.abs(lat - v).argmin()] for v in sites["lat"].values]
    east = [lon[np.abs(lon - v).argmin()] for v in sites["lon"].values]
    np.testing.assert_allclose(
        out.sel(year=2002), 4.0 + 0.01 * np.array(near) + 0.001 * np.array(east), rtol=1e-5)


@pytest.fixture(scope="module")
def ensemble(make_config: MakeConfig, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("ensemble")
    return train.run(make_config(
        directory, "compare=[hybrid]", "ensemble.seeds=[0,3]", "trainer.ema=0.5",
        "debug=fast"))


def test_an_ensemble_says_its_mean_and_its_spread(ensemble: Path) -> None:
    known = pd.read_csv(ensemble / "predictions.csv")
    members = known[["hybrid_seed0", "hybrid_seed3"]].to_numpy()
    assert (members[:, 0] != members[:, 1]).any()
    np.testing.assert_allclose(known["hybrid"], members.mean(axis=1), rtol=1e-4)
    low, high = np.quantile(members, (0.1, 0.9), axis=1)
    np.testing.assert_allclose(known["hybrid_q10"], low, rtol=1e-4)
    np.testing.assert_allclose(known["hybrid_q90"], high, rtol=1e-4)
    report = json.loads((ensemble / "report.json").read_text())
    assert set(report["parts"]["test"]) == {"hybrid_seed0", "hybrid_seed3", "hybrid"}
    assert any("ensemble of seeds" in note for note in report["notes"])
    page = Page((ensemble / "report.html").read_text(encoding="utf-8"))
    page.check_self_contained()
    assert "Reliability" in page.headings
    stages = pd.read_csv(ensemble / "metrics.csv").set_index("stage")
    assert list(stages.index) == ["tuned", "hybrid_seed0", "hybrid_seed3"]
    assert (stages[["ledger_water", "ledger_carbon"]] < 1e-5).all().all()
    assert (stages.loc["hybrid_seed0":, "gradient_network"] > 0.0).all()


def test_members_load_and_the_run_predicts_their_mean(
    ensemble: Path, small_world: Path, tmp_path: Path
) -> None:
    models = [nc.load_model(ensemble / "variants" / f"hybrid_seed{k}") for k in (0, 3)]
    pairs = zip(models[0].parameters(), models[1].parameters(), strict=True)
    assert any(not torch.equal(a, b) for a, b in pairs)
    table = evaluate.predict_dataset(
        ensemble, small_world / "yields.nc", weather=str(small_world / "weather.nc"))
    known = pd.read_csv(ensemble / "predictions.csv").merge(table, on=["label", "year"])
    assert len(known) == len(table)
    np.testing.assert_allclose(known["predicted"], known["hybrid"], rtol=1e-4)
    assert (table["predicted_low"] <= table["predicted_high"]).all()


def test_seeds_by_multirun(small_world: Path, tmp_path: Path) -> None:
    status = cli.main([
        "train", "--multirun", "seed=0,1", "debug=fast", *SHORT,
        f"data.path={small_world / 'yields.nc'}", f"data.weather={small_world / 'weather.nc'}",
        f"hydra.sweep.dir={tmp_path}"])
    assert status == 0
    first, second = (weights(tmp_path / str(k)) for k in range(2))
    name = "network.network.0.weight"
    assert not torch.equal(first[name], second[name])
