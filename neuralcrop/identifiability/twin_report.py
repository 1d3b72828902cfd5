"""What a twin experiment found, as a page and tables."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from neuralcrop.core.variables import REGISTRY
from neuralcrop.identifiability.report import markdown_table, number, print_table

PARTS = {"train": "training sites", "held_out": "held-out sites"}
"""Parts of the sites."""

Tables = list[tuple[str, list[str], list[list[str]]]]


def page(record: Mapping[str, Any]) -> str:
    """The experiment as Markdown."""
    noise = ", ".join(f"{k} {v:.3g}" for k, v in record["noise"].items())
    lines = [
        f"# Twin experiment: {record['crop']}", "",
        f"Hidden parameters depend on {' and '.join(record['covariates'])} and reach "
        f"{record['amplitude']:.0%} of the width of their bounds to either side. Signal to noise "
        f"{record['signal_to_noise']:g} (ratio of standard deviations over the training samples); "
        f"noise: {noise}. {record['sites']['train']} training and {record['sites']['held_out']} "
        f"held-out sites, {record['samples']['train']} training samples.", "",
        "R2 and RMSE of parameters are over sites, RMSE in shares of the width of the bounds. "
        "Fisher: posterior over prior standard deviation (0.25 of the width) of a site that learns "
        "for itself. Outcomes are compared with the truth without noise, all years.", ""]
    for title, columns, rows in _tables(record):
        lines += [f"## {title}", "", *markdown_table(columns, rows), ""]
    return "\n".join([*lines, _verdict(record), ""])


def show(record: Mapping[str, Any]) -> None:
    """Print the same tables."""
    for title, columns, rows in _tables(record):
        print_table(title, columns, rows)
    print(_verdict(record))


def _verdict(record: Mapping[str, Any]) -> str:
    """In a sentence."""
    found = record.get("verdict")
    if found is None:
        return "No verdict: it compares the variants tuned and hybrid."
    what = ", ".join(found["held"]) or "no parameter"
    return (f"Observations of {' and '.join(record['noise'])} hold {what} at a site, by Fisher "
            "information. At held-out sites the hybrid "
            f"finds them with an R2 of at least {number(found['least_r2'])}; RMSE of yields "
            f"{number(found['rmse']['hybrid'])}, of tuned constants "
            f"{number(found['rmse']['tuned'])} t ha-1: "
            + ("passed." if found["passed"] else "not passed."))


def _tables(record: Mapping[str, Any]) -> Tables:
    return [_parameters(record), *(_outcomes(record, part) for part in PARTS)]


def _parameters(record: Mapping[str, Any]) -> tuple[str, list[str], list[list[str]]]:
    variants = [v for v in record["variants"] if v != "physics"]
    columns = ["parameter", "spread", "Fisher", *(
        f"{v} R2 {part}" for part in PARTS.values() for v in variants), *(
        f"{v} RMSE held-out" for v in variants)]
    rows = []
    for name, spread in record["truth_sd"].items():
        scores = {v: record["variants"][v]["parameters"] for v in variants}
        rows.append([
            name, number(spread), number(record["fisher_posterior_sd"][name]),
            *(number(scores[v][part][name]["r2"]) for part in PARTS for v in variants),
            *(number(scores[v]["held_out"][name]["rmse"], ".3f") for v in variants)])
    return "Parameters", columns, rows


def _outcomes(record: Mapping[str, Any], part: str) -> tuple[str, list[str], list[list[str]]]:
    variants = list(record["variants"])
    first = record["variants"][variants[0]]["outcomes"][part]
    columns = ["outcome", "units", "sd", *(f"{v} {s}" for v in variants for s in ("RMSE", "r"))]
    rows = []
    for kind in first:
        found = [record["variants"][v]["outcomes"][part][kind] for v in variants]
        mark = " (observed)" if kind in record["noise"] else ""
        rows.append([
            kind + mark, _units(kind), number(first[kind]["sd"]),
            *(text for f in found for text in (number(f["rmse"]), number(f["r"])))])
    return f"Outcomes, {PARTS[part]}", columns, rows


def _units(kind: str) -> str:
    known = {"aet": "mm", "yield": "t ha-1"}
    return known.get(kind) or REGISTRY[kind].units
