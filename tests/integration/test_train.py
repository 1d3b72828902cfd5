"""Training from start to end in a small world, and what it leaves behind."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr
import yaml

import neuralcrop as nc
from neuralcrop.config import EvaluateConfig, compose
from neuralcrop.data.errors import InputError
from neuralcrop.data.seasons import load_seasons
from neuralcrop.data.yields import open_yields
from neuralcrop.evaluation import evaluate
from neuralcrop.models.registry import ModelError
from neuralcrop.training import train
from neuralcrop.training.guard import TrainingError
from neuralcrop.training.rollout import Rollout, simulate
from tests.page_parsing import Page

pytestmark = pytest.mark.slow

VARIANTS = ["climatology_trend", "physics", "tuned", "hybrid"]


@pytest.fixture(scope="module")
def run_dir(make_config, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run."""
    directory = tmp_path_factory.mktemp("run")
    assert train.run(make_config(directory)) == directory
    return directory


def score(run: Path, dataset: Path, out: Path, *more: str) -> dict:
    """Run ``neuralcrop evaluate`` and read what it wrote."""
    config = compose("evaluate", [f"run={run}", f"dataset={dataset}", f"output={out}",
                                  "compute.compile=false", "compute.threads=1", *more])
    assert isinstance(config, EvaluateConfig)
    evaluate.run(config)
    return json.loads(out.read_text())


def test_the_run_directory_describes_itself(run_dir: Path, small_world: Path) -> None:
    names = {str(p.relative_to(run_dir)) for p in run_dir.rglob("*") if p.is_file()}
    assert {
        "config.yaml", "data.json", "versions.json", "metrics.csv", "parameters.csv",
        "predictions.csv", "report.json", "report.md", "report.html", "model.json",
        "model.safetensors",
        "checkpoints/tuned/last.ckpt", "checkpoints/tuned/best.ckpt",
        "checkpoints/hybrid/last.ckpt", "checkpoints/hybrid/best.ckpt",
        *(f"variants/{v}/model.json" for v in VARIANTS[1:]),
    } <= names
    assert not [n for n in names if n.endswith(".part")]
    assert any("tfevents" in n for n in names)
    config = yaml.safe_load((run_dir / "config.yaml").read_text())
    assert config["trainer"]["batch_cells"] == 8
    data = json.loads((run_dir / "data.json").read_text())
    assert data["yields"][0]["name"] == "yields.nc"
    assert len(data["yields"][0]["sha256"]) == 64
    assert data["weather"][0]["bytes"] == (small_world / "weather.nc").stat().st_size
    assert json.loads((run_dir / "versions.json").read_text())["torch"] == torch.__version__
    metrics = pd.read_csv(run_dir / "metrics.csv")
    assert metrics["stage"].tolist() == ["tuned", "hybrid"]
    assert metrics[["train_loss", "validate_rmse"]].notna().all().all()


def test_parameters_stay_within_bounds(run_dir: Path) -> None:
    table = pd.read_csv(run_dir / "parameters.csv").set_index(["parameter", "element"])
    assert table.loc[("vcmax25", 0), "learned"]
    assert table.loc[("vcmax25", 0), "constant"] != table.loc[("vcmax25", 0), "catalogue"]
    for column in ("catalogue", "constant", "sites_min", "sites_max"):
        assert (table[column] >= table["lower"] - 1e-9).all()
        assert (table[column] <= table["upper"] + 1e-9).all()
    fixed = table[~table["learned"] & ~table["network"]]
    np.testing.assert_array_equal(fixed["constant"], fixed["catalogue"])
    np.testing.assert_array_equal(fixed["sites_max"], fixed["catalogue"])


def test_the_report_compares_all_variants(run_dir: Path) -> None:
    report = json.loads((run_dir / "report.json").read_text())
    assert list(report["parts"]) == ["train", "validate", "test", "new_sites",
                                     "new_sites_new_years"]
    predictions = pd.read_csv(run_dir / "predictions.csv")
    for part, by_variant in report["parts"].items():
        assert list(by_variant) == VARIANTS
        own = predictions[predictions["part"] == part]
        for name, record in by_variant.items():
            assert set(record) == {"rmse", "mae", "bias", "r", "r_anomaly", "n"}
            rmse = np.sqrt(np.mean((own[name] - own["observed"]) ** 2))
            assert record["rmse"] == pytest.approx(rmse, rel=1e-4)
            assert record["n"] == len(own)
    text = (run_dir / "report.md").read_text()
    assert all(f"| {name} |" in text for name in VARIANTS)


def test_the_page_of_a_run(run_dir: Path) -> None:
    page = Page((run_dir / "report.html").read_text(encoding="utf-8"))
    page.check_self_contained()
    report = json.loads((run_dir / "report.json").read_text())
    pooled = [t for t in page.tables if t[0][:2] == ["variant", "RMSE"]]
    assert len(pooled) == len(report["parts"])
    for table, by_variant in zip(pooled, report["parts"].values(), strict=True):
        assert [row[0] for row in table[1:]] == VARIANTS
        assert [row[1] for row in table[1:]] == [f"{r['rmse']:.3f}" for r in by_variant.values()]
    assert set(report["by_year"]["train"]["hybrid"]) == {"2001", "2002"}
    assert report["extremes"]["line"] == "climatology_trend"
    assert list(report["extremes"]["variants"]) == VARIANTS
    assert {"Progress", "Balances", "Learnt parameters", "Anomalies and extremes"} <= set(
        page.headings)
    (ledger,) = (t for t in page.tables if t[0][:2] == ["stage", "element"])
    assert {(row[0], row[1]) for row in ledger[1:]} == {
        (s, e) for s in ("tuned", "hybrid") for e in ("water", "carbon")}
    assert all(float(row[2]) < 1e-5 for row in ledger[1:])
    learnt = pd.read_csv(run_dir / "parameters.csv").query("network")["parameter"]
    drawn = {image["alt"] for image in page.images}
    assert {f"Map of {name}" for name in learnt} <= drawn
    assert {f"{name} along climate covariates" for name in learnt} <= drawn


def test_physics_is_the_catalogue_and_its_trend(run_dir: Path, small_world: Path) -> None:
    physics = nc.load_model(run_dir / "variants" / "physics")
    assert physics.table.learned == ()
    assert physics.network is None
    data = open_yields(small_world / "yields.nc", "maize", small_world / "weather.nc")
    seasons = load_seasons(data, 75, 5)
    physics.choose_pathways(torch.zeros(1, dtype=torch.long))
    predicted, _ = simulate(
        Rollout(physics), seasons, np.arange(len(seasons)), len(seasons))
    trend = json.loads((run_dir / "report.json").read_text())["variants"]["physics"]["technology"]
    factor = 1.0 + 0.01 * trend["percent_per_year"] * (
        seasons.table["year"] - trend["reference_year"])
    known = pd.read_csv(run_dir / "predictions.csv")
    order = seasons.table.assign(own=predicted * factor).merge(known, on=["label", "year"])
    np.testing.assert_allclose(order["own"], order["physics"], rtol=2e-5)


def test_evaluation_gives_the_same_numbers(run_dir: Path, small_world: Path, tmp_path: Path
                                           ) -> None:
    out = score(run_dir, small_world / "yields.nc", tmp_path / "metrics.json",
                f"predictions={tmp_path / 'predictions.nc'}")
    known = pd.read_csv(run_dir / "predictions.csv")
    assert out["n"] == len(known)
    assert out["rmse"] == pytest.approx(
        np.sqrt(np.mean((known["hybrid"] - known["observed"]) ** 2)), rel=1e-4)
    assert {"rmse", "mae", "bias", "r", "r_anomaly", "n"} <= set(out)
    assert set(out["by_year"]) == {"2001", "2002", "2003", "2004"}
    for record in out["by_year"].values():
        assert set(record) == {"rmse", "mae", "bias", "r", "r_anomaly", "n"}
    own = known[known["year"] == 2003]
    assert out["by_year"]["2003"]["n"] == len(own)
    assert out["by_year"]["2003"]["bias"] == pytest.approx(
        np.mean(own["hybrid"] - own["observed"]), rel=1e-3)
    assert out["units"] == "t ha-1 dry matter"
    page = Page((tmp_path / "metrics.html").read_text(encoding="utf-8"))
    page.check_self_contained()
    (pooled,) = (t for t in page.tables if t[0][:2] == ["variant", "RMSE"])
    assert pooled[1][:2] == ["hybrid", f"{out['rmse']:.3f}"]
    assert "Learnt parameters" in page.headings
    saved = xr.load_dataset(tmp_path / "predictions.nc")
    assert saved["predicted"].attrs["units"] == "t ha-1"
    assert float(saved["predicted"].notnull().sum()) == len(known)


def test_evaluation_of_other_sites_and_years(run_dir: Path, small_world: Path, tmp_path: Path
                                             ) -> None:
    dataset = xr.load_dataset(small_world / "yields.nc").isel(cell=[4, 1], year=[3, 1])
    dataset.to_netcdf(tmp_path / "other.nc")
    out = score(run_dir, tmp_path / "other.nc", tmp_path / "metrics.json")
    known = pd.read_csv(run_dir / "predictions.csv")
    own = known[known["year"].isin([2002, 2004]) & known["lat"].isin(dataset["lat"].values)
                & known["lon"].isin(dataset["lon"].values)]
    assert (out["sites"], out["n"]) == (2, 4)
    assert out["rmse"] == pytest.approx(
        np.sqrt(np.mean((own["hybrid"] - own["observed"]) ** 2)), rel=1e-4)
    one = score(run_dir, tmp_path / "other.nc", tmp_path / "one.json", "years=[2004,2004]")
    assert one["years"] == [2004, 2004]
    assert one["r_anomaly"] is None


def test_a_run_that_is_none(tmp_path: Path, small_world: Path) -> None:
    with pytest.raises(ModelError, match="no model"):
        score(tmp_path, small_world / "yields.nc", tmp_path / "metrics.json")
    assert not (tmp_path / "metrics.json").exists()


def test_the_loaded_model_simulates(run_dir: Path, small_world: Path) -> None:
    model = nc.load_model(run_dir)
    assert model.network is not None
    assert model.neural
    weather = xr.open_dataset(small_world / "weather.nc").isel(cell=[0], time=slice(0, 731))
    seasons = nc.simulate(weather, model=str(run_dir))
    assert np.isfinite(seasons["yield"].values).any()


@pytest.mark.parametrize(("override", "message"), [
    ("parameters.network.covariates=[tas_anual]", "did you mean 'tas_annual'"),
    ("parameters.learn=[vcmax]", "vcmax"),
    ("closure.slots=[photosynthesis.vmax]", "no closure slot"),
    ("data.train_years=[1901,1902]", "no yields in 1901-1902"),
    ("data.holdout_cells=[nowhere]", "no site 'nowhere'"),
    ("trainer.resume=nothing", "no checkpoints there"),
    ("management.path=fields.nc", "no effect on training"),
])
def test_wrong_configurations(make_config, tmp_path: Path, override: str, message: str) -> None:
    with pytest.raises((InputError, ValueError), match=message):
        train.run(make_config(tmp_path / "run", override))
    assert not (tmp_path / "run" / "checkpoints").exists()


def test_a_number_that_is_none_is_traced_to_sample_and_parameter(
    make_config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Rollout.__call__

    def broken(self: Rollout, block):  # type: ignore[no-untyped-def]
        season = original(self, block)
        if not torch.is_grad_enabled():
            return season
        row = self.model.table.layout.start["vcmax25"]
        # a gradient that is no number where the value is one
        nan = torch.where(torch.arange(len(season.yields)) == 1, float("nan"), 1.0)
        season.parameters.register_hook(lambda g: torch.cat(
            (g[:row], (g[row] * nan).unsqueeze(0), g[row + 1:])))
        return season

    monkeypatch.setattr(Rollout, "__call__", broken)
    with pytest.raises(TrainingError, match=r"vcmax25 of site \d+ \(lat .*year 200[12]"):
        train.run(make_config(tmp_path))
