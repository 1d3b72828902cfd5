"""Reports as one file of HTML: of a training run, and of an evaluation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import yaml

from neuralcrop.evaluation import figures, html_sections
from neuralcrop.evaluation import html_page as html
from neuralcrop.evaluation.html_sections import Shown
from neuralcrop.simulation.restart import write_text

NAME = "report.html"
"""File in the run directory."""

_SCORES = ("RMSE, MAE and bias in t/ha dry matter; r anomaly after each site's linear trend was "
           "taken from observed and predicted yields. Coloured: lowest RMSE.")


def write_training_page(directory: Path, shown: Shown, record: Mapping[str, Any]) -> Path:
    """Write the report of a training run into its directory; returns the file.

    Parameters
    ----------
    directory : Path
        With ``config.yaml``, ``data.json``, ``versions.json``, ``parameters.csv`` and, where they
        were logged, ``metrics.csv``.
    shown : Shown
        Samples and predictions.
    record : mapping
        Of ``report.json``.
    """
    path = directory / NAME
    write_text(path, training_page(directory, shown, record))
    return path


def training_page(directory: Path, shown: Shown, record: Mapping[str, Any]) -> str:
    """The page of `write_training_page`."""
    settings = (directory / "config.yaml").read_text(encoding="utf-8")
    config = yaml.safe_load(settings)
    versions = _json(directory / "versions.json")
    metrics, parameters = (_csv(directory / n) for n in ("metrics.csv", "parameters.csv"))
    spans = {k.removesuffix("_years"): tuple(v) for k, v in config["data"].items()
             if k.endswith("_years") and v}
    return html.page(
        f"Training report: {record['crop']}",
        f"neuralcrop {versions.get('neuralcrop', '')}, seed {config['seed']}, "
        f"{record['seconds']:.0f} s.",
        html.section(
            "What was run", html.facts(_run_facts(config, shown, record)),
            _data_files(_json(directory / "data.json")),
            html.details("Configuration", html.preformatted(settings)),
            html.details("Versions", html.facts(list(versions.items())))),
        html.section("Notes", html.listing(record["notes"])),
        _scores(record),
        html_sections.agreement(shown, spans),
        html_sections.spread(shown),
        html_sections.extremes(shown, record.get("extremes")),
        _progress(metrics),
        _parameter_tables(parameters),
        html_sections.learnt_parameters(shown),
        _ledger(metrics))


def write_evaluation_page(
    path: Path, shown: Shown, result: Mapping[str, Any], described: Mapping[str, Any],
) -> Path:
    """Write the report of an evaluation beside its JSON file; returns the file.

    Parameters
    ----------
    path : Path
        The JSON file; the page has its name with the suffix ``.html``.
    shown : Shown
        Samples and predictions.
    result : mapping
        What the JSON file holds.
    described : mapping
        More facts, by name.
    """
    path = path.with_suffix(".html") if path.suffix != ".html" else path.with_name(
        f"{path.name}.html")
    write_text(path, evaluation_page(shown, result, described))
    return path


def evaluation_page(
    shown: Shown, result: Mapping[str, Any], described: Mapping[str, Any]
) -> str:
    """The page of `write_evaluation_page`."""
    variants = {shown.variant: result}
    variants |= {f"without {k}": v for k, v in result.get("ablations", {}).items()}
    first, last = result["years"]
    return html.page(
        f"Evaluation: {result['crop']}", f"{result['run']} on {result['dataset']}.",
        html.section("What was run", html.facts([
            ("crop", result["crop"]), ("run", result["run"]), ("variant", shown.variant),
            ("dataset", result["dataset"]),
            ("samples", f"{len(shown.table)} of {result['sites']} sites, {first}-{last}"),
            *described.items()])),
        html.section(
            "Scores", html.paragraph(_SCORES), html_sections.score_table(variants, "variant"),
            html.details("By year", html_sections.grouped_table(
                {name: own["by_year"] for name, own in variants.items()}, "year"))),
        html_sections.agreement(shown),
        html_sections.spread(shown),
        html_sections.extremes(shown, result.get("extremes")),
        html_sections.learnt_parameters(shown))


def _run_facts(
    config: Mapping[str, Any], shown: Shown, record: Mapping[str, Any]
) -> list[tuple[str, object]]:
    data, learn = config["data"], config["parameters"]
    years = [f"{k.removesuffix('_years')} {v[0]}-{v[1]}" for k, v in data.items()
             if k.endswith("_years") and v]
    count = shown.table.groupby("part", sort=False).size()
    network = learn["network"]["names"]
    return [
        ("crop", record["crop"]), ("variants", ", ".join(record["variants"])),
        ("processes", ", ".join(f"{k} {v}" for k, v in config["model"].items())),
        ("years", "; ".join(years)),
        ("samples", f"{len(shown.table)} of {shown.table['site'].nunique()} sites: "
         + ", ".join(f"{part} {n}" for part, n in count.items())),
        ("parameters learnt", ", ".join(learn["learn"]) or "none"),
        ("parameters from the network", ", ".join(network) or "none"),
        ("closures", ", ".join(config["closure"]["slots"]) or "none"),
        ("trend", f"{config['loss']['technology']}, yields {config['loss']['yields']}"),
        ("seed", config["seed"])]


def _data_files(record: Mapping[str, Any]) -> str:
    rows = [[kind, file["path"], f"{file['bytes']:,}", file["sha256"]]
            for kind, files in record.items() for file in files]
    return html.subsection("Data", html.table(
        ["kind", "file", "bytes", "SHA-256"], rows, texts=(1, 3)))


def _scores(record: Mapping[str, Any]) -> str:
    """Scores of all variants on all parts."""
    blocks = [html.paragraph(_SCORES)]
    for part, by_variant in record["parts"].items():
        groups = [html.details(f"By {kind}", html_sections.grouped_table(
            record[f"by_{kind}"][part], kind)) for kind in ("region", "year")
            if f"by_{kind}" in record]
        blocks.append(html.subsection(
            f"{part}: {record['meaning'].get(part, '')}",
            html_sections.score_table(by_variant, "variant"), *groups))
    return html.section("Scores", *blocks)


def _progress(metrics: pd.DataFrame | None) -> str:
    """Curves of the stages, and where each was best."""
    if metrics is None:
        return ""
    rows = []
    for stage, own in metrics.groupby("stage", sort=False):
        at = own.sort_values("validate_rmse", kind="stable").iloc[0]
        rows.append([
            stage, len(own), html.number(own["train_loss"].iloc[0], 4),
            html.number(own["train_loss"].iloc[-1], 4),
            html.number(at["validate_rmse"]), int(at["epoch"]),
            html.number(own["seconds"].sum(), 0)])
    return html.section(
        "Progress",
        html.image(figures.progress(metrics), "Training loss and validation RMSE by epoch",
                   "By epoch of each stage; rings: lowest RMSE of the validation years."),
        html.table(["stage", "epochs", "first loss", "last loss", "lowest validation RMSE",
                    "in epoch", "seconds"], rows))


def _parameter_tables(parameters: pd.DataFrame | None) -> str:
    """Learnt parameters with their bounds; the others fold."""
    if parameters is None:
        return ""
    moved = (parameters["learned"] | parameters["network"]).to_numpy(bool)
    several = parameters.groupby("parameter")["element"].transform("max") > 0
    named = parameters.assign(name=[
        f"{row['parameter']}[{row['element']}]" if many else row["parameter"]
        for row, many in zip(parameters.to_dict("records"), several, strict=True)])
    values = ["catalogue", "constant", "sites_mean", "sites_min", "sites_max", "lower", "upper"]
    rows, marked = [], []
    for k, row in enumerate(named[moved].to_dict("records")):
        stuck = [f"{row[key]:.0%} {side}" for key, side in
                 (("at_lower", "lower"), ("at_upper", "upper")) if row.get(key, 0.0) > 0.0]
        rows.append([row["name"], row["units"], *(f"{row[c]:.4g}" for c in values),
                     ", ".join(stuck)])
        marked += [k] if stuck else []
    bounds = ("catalogue", "lower", "upper")
    fixed = [[row["name"], row["units"], *(f"{row[c]:.4g}" for c in bounds)]
             for row in named[~moved].to_dict("records")]
    return html.section(
        "Parameters",
        html.paragraph("Of the last variant. Constant: the value learnt everywhere; the sites' are "
                       "those of training. Coloured: within 1 % of a bound, with the share of "
                       "sites."),
        html.table(["parameter", "units", "catalogue", "constant", "sites, mean", "lowest",
                    "highest", "lower bound", "upper bound", "at a bound"], rows, texts=(1, 9),
                   marked=marked),
        html.details(f"{len(fixed)} parameters of the catalogue, not learnt", html.table(
            ["parameter", "units", "value", "lower bound", "upper bound"], fixed, texts=(1,))))


def _ledger(metrics: pd.DataFrame | None) -> str:
    """The largest residuals of the balances."""
    rows = worst_residuals(metrics) if metrics is not None else []
    return html.section("Balances", *([html.table(
        ["stage", "element", "largest relative residual", "in epoch"],
        [[stage, element, f"{value:.1e}", epoch] for stage, element, value, epoch in rows],
        texts=(1,)), html.paragraph(
            "What is missing in the balance since sowing, relative to what took part: the largest "
            "of all cells of the first validation block.")] if rows else []))


def worst_residuals(metrics: pd.DataFrame) -> list[tuple[str, str, float, int]]:
    """Stage, element, largest residual and its epoch, of the ``ledger_*`` columns."""
    out = []
    for stage, own in metrics.groupby("stage", sort=False):
        for column in (c for c in own.columns if c.startswith("ledger_")):
            values = own[column].abs().to_numpy(float)
            if np.isfinite(values).any():
                at = int(np.nanargmax(values))
                out.append((str(stage), column.removeprefix("ledger_"), float(values[at]),
                            int(own["epoch"].iloc[at])))
    return out


def _json(path: Path) -> dict[str, Any]:
    return dict(json.loads(path.read_text(encoding="utf-8"))) if path.is_file() else {}


def _csv(path: Path) -> pd.DataFrame | None:
    """A table, or None where there is none."""
    return pd.read_csv(path) if path.is_file() else None
