"""Field experiments from the command line: report, pairs and plots."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from neuralcrop.cli import main
from neuralcrop.evaluation.field_report import target_met
from tests.field_files import write


def test_the_command_writes_its_report(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    root = write(tmp_path / "files")
    monkeypatch.chdir(tmp_path)
    status = main(["evaluate", "experiment=field_experiments", f"field_experiments.root={root}",
                   "field_experiments.iterations=2", "hydra.run.dir=out"])
    assert status == 0
    out = tmp_path / "out"
    report = json.loads((out / "report.json").read_text())
    pairs = pd.read_csv(out / "pairs.csv")
    assert set(pairs["variant"]) == {"catalogue", "calibrated"}
    yields = pairs[(pairs["variable"] == "yield") & (pairs["variant"] == "catalogue")]
    assert yields["observed"].tolist() == [5.0, 7.0, 9.0]
    # 55 mm of irrigation and more: the wet treatment cannot do worse than the dry one
    assert yields["simulated"].iloc[1] >= yields["simulated"].iloc[0] > 0.5
    error = (yields["simulated"] - yields["observed"]).pow(2).mean() ** 0.5
    scored = next(s for s in report["scores"] if (s["variable"], s["variant"], s["part"]) == (
        "yield", "catalogue", "all"))
    assert scored["rmse"] == pytest.approx(error, rel=1e-3)
    assert scored["n"] == 3
    assert (out / "maize.png").stat().st_size > 1000
    page = (out / "report.md").read_text()
    assert "maize: 3 treatments of 2 trials" in page
    assert "| maize | yield, t ha-1 | scored | calibrated |" in page
    assert "report.json" not in page
    assert "<table>" in (out / "report.html").read_text()


def test_missing_files_are_an_error_with_a_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    status = main(["evaluate", "experiment=field_experiments", "field_experiments.root=nowhere",
                   "hydra.run.dir=out"])
    assert status == 1
    assert "no NetCDF files in nowhere" in capsys.readouterr().err


@pytest.mark.parametrize(("variable", "rmse", "nrmse", "met"), [
    ("anthesis", 5.9, 9.0, True), ("anthesis", 6.1, 9.0, False), ("maturity", 8.9, 9.0, True),
    ("yield", 2.0, 24.0, True), ("yield", 2.0, 26.0, False), ("biomass", 1.0, 5.0, None)])
def test_targets(variable: str, rmse: float, nrmse: float, met: bool | None) -> None:
    row = {"part": "scored", "variant": "calibrated", "variable": variable, "rmse": rmse,
           "nrmse": nrmse, "missed": 0}
    assert target_met(row) is met
    assert target_met({**row, "variant": "catalogue"}) is None
