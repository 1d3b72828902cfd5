"""Report of the field experiments: pairs as CSV, scatter plots, a page in Markdown and HTML."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from neuralcrop.data.field_tables import records
from neuralcrop.evaluation.field_runs import UNITS

TARGETS = {"anthesis": 6.0, "maturity": 9.0}
"""RMSE that calibrated stages should stay below on the scored half, d."""

YIELD_TARGET = 25.0
"""RMSE over the mean that yield should stay below, %."""

PLOTTED = ("anthesis", "maturity", "lai_max", "biomass", "yield")

HEADINGS = {"crop": "crop", "variable": "variable", "part": "treatments", "variant": "parameters",
            "rmse": "RMSE", "bias": "bias", "r": "r", "nrmse": "RMSE / mean, %",
            "rmse_trials": "RMSE of trials", "n": "n", "trials": "trials", "missed": "not reached"}


def write_report(
    directory: Path, pairs: pd.DataFrame, scores: pd.DataFrame, notes: Mapping[str, Sequence[str]],
) -> list[Path]:
    """Write pairs, plots and pages; returns the files.

    Parameters
    ----------
    directory : Path
        Where to.
    pairs : pandas.DataFrame
        From `field_runs.pairs`, of all crops and variants.
    scores : pandas.DataFrame
        From `field_runs.score_table`.
    notes : mapping of str to sequence of str
        Paragraphs below the table, by heading.
    """
    directory.mkdir(parents=True, exist_ok=True)
    paths = [directory / "pairs.csv"]
    pairs.to_csv(paths[0], index=False, float_format="%.5g")
    plots = [draw(str(crop), rows, directory / f"{crop}.png")
             for crop, rows in pairs.groupby("crop")]
    page = markdown(scores, notes)
    figures = "\n\n".join(f"![{p.stem}]({p.name})" for p in plots)
    (directory / "report.md").write_text(f"{page}\n## Plots\n\n{figures}\n", encoding="utf-8")
    (directory / "report.html").write_text(as_html(scores, notes, plots), encoding="utf-8")
    return [*paths, *plots, directory / "report.md", directory / "report.html"]


def rows_of(scores: pd.DataFrame) -> list[tuple[bool | None, list[str]]]:
    """Lines of the table: whether a target is met (None: there is none), and the cells."""
    order = {v: k for k, v in enumerate(UNITS)}
    table = scores[scores["part"].isin(["all", "scored"])]
    table = table[(table["part"] == "scored") | (table["variant"] == "catalogue")]
    table = table.assign(_order=table["variable"].map(order)).sort_values(
        ["crop", "_order", "part", "variant"], ascending=[True, True, True, False])
    out = []
    for row in records(table):
        met = target_met(row)
        cells = [str(row["crop"]).replace("_", " "),
                 f"{str(row['variable']).replace('_', ' ')}, {UNITS[row['variable']]}",
                 row["part"], row["variant"],
                 _number(row["rmse"]), _number(row["bias"], sign=True), _number(row["r"]),
                 _number(row["nrmse"], 0), _number(row["rmse_trials"]), str(row["n"]),
                 str(row["trials"]), str(row["missed"])]
        out.append((met, [str(c) for c in cells]))
    return out


def target_met(row: Mapping[str, Any]) -> bool | None:
    """Whether a line of the scores meets its target; None where there is none."""
    if row["part"] != "scored" or row["variant"] != "calibrated":
        return None
    if row["variable"] in TARGETS:
        return bool(row["rmse"] <= TARGETS[row["variable"]] and not row["missed"])
    if row["variable"] == "yield":
        return bool(row["nrmse"] <= YIELD_TARGET)
    return None


def _number(value: float, digits: int = 2, sign: bool = False) -> str:
    if not math.isfinite(value):
        return "-"
    return f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"


def markdown(scores: pd.DataFrame, notes: Mapping[str, Sequence[str]]) -> str:
    """The report as a page of Markdown, without plots."""
    lines = ["# Field experiments", "", _INTRODUCTION, "",
             "| " + " | ".join(HEADINGS.values()) + " | target |",
             "|" + "---|" * 4 + "---:|" * 8 + "---|"]
    for met, cells in rows_of(scores):
        verdict = {None: "", True: "met", False: "missed"}[met]
        lines.append("| " + " | ".join([*cells, verdict]) + " |")
    for heading, texts in notes.items():
        if texts:
            lines += ["", f"## {heading}", "", *(f"- {t}" for t in texts)]
    return "\n".join([*lines, ""])


_INTRODUCTION = (
    "Every treatment with its own weather, soil, sowing, irrigation and nitrogen. *all*: all "
    "treatments with the parameters of the catalogue. *scored*: the half of the trials that "
    "calibration did not see, with the catalogue's parameters and with calibrated stages and "
    "growth. Yield and biomass are dry matter; *RMSE of trials* compares the means of trials, so "
    "that trials of many treatments do not outweigh others; sampled: at the dates of samplings. "
    f"Targets hold for the scored half: anthesis {TARGETS['anthesis']:g} d, maturity "
    f"{TARGETS['maturity']:g} d, yield {YIELD_TARGET:g} % of the mean.")


def as_html(
    scores: pd.DataFrame, notes: Mapping[str, Sequence[str]], plots: Sequence[Path]
) -> str:
    """The report as a page of HTML with the plots."""
    colour = {None: "", True: ' class="met"', False: ' class="missed"'}
    head = "".join(f"<th>{html.escape(h)}</th>" for h in HEADINGS.values())
    body = "\n".join(
        f"<tr{colour[met]}>" + "".join(f"<td>{html.escape(c)}</td>" for c in cells) + "</tr>"
        for met, cells in rows_of(scores))
    parts = "\n".join(
        f"<h2>{html.escape(h)}</h2><ul>" + "".join(f"<li>{html.escape(t)}</li>" for t in texts)
        + "</ul>" for h, texts in notes.items() if texts)
    images = "\n".join(f'<img src="{p.name}" alt="{p.stem}">' for p in plots)
    return f"""<!doctype html>
<html lang="en"><meta charset="utf-8"><title>Field experiments</title>
<style>body{{font-family:sans-serif;max-width:75em;margin:2em auto;padding:0 1em}}
table{{border-collapse:collapse}}td,th{{padding:.2em .6em;border-bottom:1px solid #ddd}}
td:nth-child(n+5){{text-align:right}}.met{{background:#e7f5e7}}.missed{{background:#fbe9e7}}
img{{max-width:100%}}</style>
<h1>Field experiments</h1><p>{html.escape(_INTRODUCTION.replace("*", ""))}
Green lines meet their target, red ones miss it.</p>
<table><tr>{head}</tr>
{body}</table>
{parts}
<h2>Plots</h2>
{images}
</html>
"""


def draw(crop: str, pairs: pd.DataFrame, path: Path) -> Path:
    """Scatter plots of a crop: a row for each kind of parameters, a column for each variable.

    Parameters
    ----------
    crop : str
        Its name.
    pairs : pandas.DataFrame
        From `field_runs.pairs`.
    path : Path
        PNG file.
    """
    from matplotlib.figure import Figure

    variants = list(dict.fromkeys(pairs["variant"]))
    shown = [v for v in PLOTTED if (pairs["variable"] == v).any()]
    figure = Figure(figsize=(3.1 * len(shown), 3.1 * len(variants)), layout="constrained")
    axes = figure.subplots(len(variants), len(shown), squeeze=False)
    for variant, line in zip(variants, axes, strict=True):
        for variable, axis in zip(shown, line, strict=True):
            some = pairs[(pairs["variant"] == variant) & (pairs["variable"] == variable)]
            both = some[["observed", "simulated"]].to_numpy(float)
            top = float(np.nanmax(both)) if len(both) else 1.0
            low = float(np.nanmin(both)) if len(both) else 0.0
            room = 0.05 * (top - low) or 1.0
            limits = (low - room, top + room)
            axis.plot(limits, limits, color="0.7", linewidth=1, zorder=0)
            for part, colour in (("calibration", "tab:blue"), ("scored", "tab:orange")):
                own = some[some["part"] == part]
                axis.scatter(own["observed"], own["simulated"], s=14, color=colour, label=part,
                             alpha=0.7, linewidths=0)
            axis.set(xlim=limits, ylim=limits, aspect="equal", xlabel="observed",
                     ylabel="simulated",
                     title=f"{variable.replace('_', ' ')}, {UNITS[variable]}\n{variant}")
            axis.title.set_fontsize(9)
    axes[0][0].legend(fontsize=8, frameon=False)
    figure.suptitle(crop.replace("_", " ").capitalize())
    figure.savefig(path, dpi=110)
    return path
