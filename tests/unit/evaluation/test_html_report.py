"""Pages of training runs and evaluations: whole, self-contained, escaped, complete."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from neuralcrop.evaluation import html_page, html_report, html_sections
from neuralcrop.evaluation.extremes import extreme_scores
from neuralcrop.evaluation.html_sections import Shown
from neuralcrop.evaluation.metrics import scores, scores_by_year
from neuralcrop.evaluation.report import cells, score_groups, score_parts
from tests.page_parsing import Page

NASTY = "<script>alert('x')</script> & \"co\""
VARIANTS = ["climatology_trend", "tuned", "hybrid_seed0", "hybrid_seed1", "hybrid"]


def samples() -> tuple[pd.DataFrame, dict[str, np.ndarray], dict[str, np.ndarray]]:
    """Table, parts and predictions: three sites, twelve years, the last four a test."""
    random = np.random.default_rng(3)
    year, site = np.tile(np.arange(2001, 2013), 3), np.repeat([0, 1, 2], 12)
    observed = 3.0 + site + 0.3 * random.normal(size=36)
    table = pd.DataFrame({
        "site": site, "label": np.array([NASTY, "b", "c"])[site], "year": year,
        "lat": 40.0 + site, "lon": -90.0 - site, "observed": observed,
        "region": np.array(["west <1>", "east", "east"])[site]})
    # members share most of their error
    shared = 0.4 * random.normal(size=36)
    predictions = {name: observed + (0.1 * random.normal(size=36) + shared if "seed" in name
                                     else 0.5 * random.normal(size=36))
                   for name in VARIANTS[:-1]}
    predictions["hybrid"] = 0.5 * (predictions["hybrid_seed0"] + predictions["hybrid_seed1"])
    rows = {"train": np.flatnonzero(year < 2009), "test": np.flatnonzero(year >= 2009)}
    return table, rows, predictions


@pytest.fixture
def run(tmp_path: Path) -> tuple[Path, Shown, dict[str, Any]]:
    """A run directory, what is shown, and the record of its report."""
    table, rows, predictions = samples()
    config = {
        "seed": 7, "model": {"set": "global"}, "closure": {"slots": ["photosynthesis.vcmax"]},
        "parameters": {"learn": ["vcmax25"], "network": {"names": ["vcmax25"]}},
        "data": {"path": NASTY, "train_years": [2001, 2008], "validate_years": [2009, 2012],
                 "test_years": None},
        "loss": {"technology": "linear", "yields": "absolute"}}
    (tmp_path / "config.yaml").write_text(yaml.safe_dump(config))
    (tmp_path / "data.json").write_text(json.dumps({"yields": [
        {"path": f"/data/{NASTY}.nc", "name": "a", "sha256": "0" * 64, "bytes": 12345}]}))
    (tmp_path / "versions.json").write_text(json.dumps({"neuralcrop": "9.8.7", "torch": "2.x"}))
    pd.DataFrame({
        "stage": ["tuned", "tuned", "hybrid"], "epoch": [0, 1, 0], "train_loss": [2.0, 1.0, 0.5],
        "validate_rmse": [0.9, 0.7, 0.6], "seconds": [1.0, 2.0, 3.0],
        "ledger_water": [1e-7, -3e-6, 2e-7], "ledger_carbon": [np.nan, np.nan, 4e-8],
    }).to_csv(tmp_path / "metrics.csv", index=False)
    pd.DataFrame({
        "crop": "maize", "parameter": ["vcmax25", "share", "share"], "element": [0, 0, 1],
        "units": ["umol m-2 s-1", "1", "1"], "catalogue": [55.0, 0.1, 0.2],
        "lower": [30.0, 0.0, 0.0], "upper": [75.0, 1.0, 1.0], "learned": [True, True, False],
        "network": [True, False, False], "constant": [60.0, 0.15, 0.2],
        "sites_mean": [61.0, 0.15, 0.2], "sites_min": [55.0, 0.15, 0.2],
        "sites_max": [74.9, 0.15, 0.2], "at_lower": [0.0, 0.0, np.nan],
        "at_upper": [0.25, 0.0, np.nan]}).to_csv(tmp_path / "parameters.csv", index=False)
    record = {
        "crop": f"maize {NASTY}", "parts": score_parts(table, rows, predictions),
        "meaning": {"train": "training years and sites"}, "seconds": 12.0,
        "variants": dict.fromkeys(VARIANTS), "notes": ["A <b>note</b>.", "Another."],
        **score_groups(table, rows, predictions),
        "extremes": extreme_scores(table, predictions, "climatology_trend")}
    part = np.where(table["year"] < 2009, "train", "test")
    members = np.stack([predictions["hybrid_seed0"], predictions["hybrid_seed1"]])
    shown = Shown(table.assign(part=part, predicted=predictions["hybrid"]), "hybrid", predictions,
                  members)
    return tmp_path, shown, record


def test_the_page_is_whole_and_needs_nothing(run: tuple[Path, Shown, dict[str, Any]]) -> None:
    path = html_report.write_training_page(*run)
    assert path.name == "report.html"
    assert [p.name for p in path.parent.iterdir() if p.suffix == ".part"] == []
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    page.check_self_contained()
    assert "@import" not in text
    assert "url(" not in text
    assert 'name="viewport"' in text
    # scatter, years, two maps, reliability, anomalies, progress
    assert len(page.images) == 7


def test_names_are_escaped(run: tuple[Path, Shown, dict[str, Any]]) -> None:
    text = html_report.training_page(*run)
    page = Page(text)
    assert "script" not in page.tags
    assert "b" not in page.tags
    assert "<script" not in text
    assert page.headings[0] == f"Training report: maize {NASTY}"
    assert "A <b>note</b>." in page.text
    labels = [row[0] for table in page.tables for row in table]
    assert NASTY in labels  # a site
    assert "west <1>" in labels  # a region
    assert [f"/data/{NASTY}.nc"] == [row[1] for t in page.tables for row in t if row[0] == "yields"]


def test_all_variants_are_there_with_their_scores(run: tuple[Path, Shown, dict[str, Any]]
                                                  ) -> None:
    _, _, record = run
    page = Page(html_report.training_page(*run))
    pooled = [t for t in page.tables if t[0][:2] == ["variant", "RMSE"]]
    assert [[row[0] for row in t[1:]] for t in pooled] == [VARIANTS, VARIANTS]
    for part, table in zip(("train", "test"), pooled, strict=True):
        for row in table[1:]:
            assert row[1:] == cells(record["parts"][part][row[0]])
    by_year = [t for t in page.tables if t[0][:2] == ["year", "variant"]]
    assert [len(t) - 1 for t in by_year] == [8 * 5, 4 * 5]
    assert by_year[1][1] == ["2009", VARIANTS[0], *cells(
        record["by_year"]["test"][VARIANTS[0]]["2009"])]
    by_region = [t for t in page.tables if t[0][:2] == ["region", "variant"]]
    assert [len(t) - 1 for t in by_region] == [10, 10]
    (extremes,) = (t for t in page.tables if "hit rate" in t[0])
    assert [row[0] for row in extremes[1:]] == VARIANTS


def test_what_was_run(run: tuple[Path, Shown, dict[str, Any]]) -> None:
    page = Page(html_report.training_page(*run))
    facts = {row[0]: row[1] for table in page.tables for row in table if len(row) == 2}
    assert facts["seed"] == "7"
    assert facts["years"] == "train 2001-2008; validate 2009-2012"
    assert facts["samples"] == "36 of 3 sites: train 24, test 12"
    assert facts["neuralcrop"] == "9.8.7"
    assert "neuralcrop 9.8.7, seed 7, 12 s." in page.text
    assert "photosynthesis.vcmax" in facts["closures"]


def test_parameters_at_a_bound_are_marked(run: tuple[Path, Shown, dict[str, Any]]) -> None:
    text = html_report.training_page(*run)
    (learnt,) = (t for t in Page(text).tables if t[0][-1] == "at a bound")
    assert [row[0] for row in learnt[1:]] == ["vcmax25", "share[0]"]
    assert [row[-1] for row in learnt[1:]] == ["25% upper", ""]
    (fixed,) = (t for t in Page(text).tables if t[0] == [
        "parameter", "units", "value", "lower bound", "upper bound"])
    assert [row[0] for row in fixed[1:]] == ["share[1]"]
    assert '<tr class="marked"><td>vcmax25</td>' in text
    assert '<tr class="marked"><td>share' not in text


def test_progress_and_balances(run: tuple[Path, Shown, dict[str, Any]]) -> None:
    page = Page(html_report.training_page(*run))
    (stages,) = (t for t in page.tables if t[0][:2] == ["stage", "epochs"])
    assert stages[1] == ["tuned", "2", "2.0000", "1.0000", "0.700", "1", "3"]
    (ledger,) = (t for t in page.tables if t[0][:2] == ["stage", "element"])
    assert ledger[1:] == [["tuned", "water", "3.0e-06", "1"], ["hybrid", "water", "2.0e-07", "0"],
                          ["hybrid", "carbon", "4.0e-08", "0"]]


def test_a_run_without_log_or_ensemble(run: tuple[Path, Shown, dict[str, Any]]) -> None:
    directory, shown, record = run
    (directory / "metrics.csv").unlink()
    (directory / "parameters.csv").unlink()
    single = Shown(shown.table, "hybrid", shown.predictions)
    page = Page(html_report.training_page(directory, single, {**record, "extremes": None}))
    page.check_self_contained()
    assert len(page.images) == 4
    assert not {"Progress", "Balances", "Parameters", "Reliability"} & set(page.headings)


def test_nothing_to_compare_is_a_page_without_figures(run: tuple[Path, Shown, dict[str, Any]]
                                                      ) -> None:
    directory, shown, record = run
    none = Shown(shown.table.assign(predicted=np.nan), "hybrid", members=shown.members * np.nan)
    page = Page(html_report.training_page(directory, none, record))
    assert len(page.images) == 1  # progress


def test_coverage_with_and_without_noise(run: tuple[Path, Shown, dict[str, Any]]) -> None:
    _, shown, _ = run
    found = html_sections.coverages(shown)
    assert list(found) == [f"{part} samples, {kind}" for part in ("training", "other")
                           for kind in ("members", "members and noise")]
    low, high = np.quantile(shown.members[:, ~shown.unseen], [0.1, 0.9], axis=0)
    observed = shown.table["observed"][~shown.unseen]
    assert found["training samples, members"][0.8] == pytest.approx(
        np.mean((observed >= low) & (observed <= high)))
    # noise is what the training samples need
    assert abs(found["training samples, members and noise"][0.8] - 0.8) < 0.15
    assert found["other samples, members and noise"][0.8] > found["other samples, members"][0.8]
    alone = Shown(shown.table.drop(columns="part"), "hybrid", members=shown.members)
    assert list(html_sections.coverages(alone)) == ["members"]
    assert html_sections.coverages(Shown(shown.table, "hybrid")) == {}


@pytest.mark.parametrize(("output", "name"), [
    ("metrics.json", "metrics.html"), ("metrics", "metrics.html"), ("a.html", "a.html.html")])
def test_the_page_of_an_evaluation(tmp_path: Path, output: str, name: str) -> None:
    table, _, predictions = samples()
    table = table.assign(predicted=predictions["hybrid"])
    result = {
        **scores(table), "by_year": scores_by_year(table), "crop": "maize", "run": "runs/1",
        "dataset": NASTY, "sites": 3, "years": [2001, 2012],
        "extremes": extreme_scores(table, {"hybrid": table["predicted"]}),
        "ablations": {"network": {**scores(table), "by_year": scores_by_year(table)}}}
    path = html_report.write_evaluation_page(
        tmp_path / output, Shown(table, "hybrid"), result, {"trend, % a year": "+1 ± 2"})
    assert path == tmp_path / name
    page = Page(path.read_text(encoding="utf-8"))
    page.check_self_contained()
    assert len(page.images) == 5
    (pooled,) = (t for t in page.tables if t[0][:2] == ["variant", "RMSE"])
    assert [row[0] for row in pooled[1:]] == ["hybrid", "without network"]
    assert pooled[1][1:] == cells(scores(table))
    facts = {row[0]: row[1] for t in page.tables for row in t if len(row) == 2}
    assert facts["dataset"] == NASTY
    assert facts["trend, % a year"] == "+1 ± 2"


def test_numbers() -> None:
    assert html_page.number(1.23456) == "1.235"
    assert html_page.number(1.0, 2, sign=True) == "+1.00"
    assert {html_page.number(v) for v in (None, float("nan"), float("inf"), "x")} == {"-"}
