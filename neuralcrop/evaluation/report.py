"""The closing report of a training run: scores of each variant on each part of the samples."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from neuralcrop.evaluation.metrics import scores, scores_by

COLUMNS = {"rmse": "RMSE", "mae": "MAE", "bias": "bias", "r": "r", "r_anomaly": "r anomaly",
           "n": "n"}
"""Scores of the report and their headings; errors in t ha-1 dry matter."""

Scores = dict[str, dict[str, dict[str, float | int]]]

Grouped = dict[str, dict[str, dict[str, dict[str, float | int]]]]


def score_parts(
    table: pd.DataFrame, parts: Mapping[str, np.ndarray], predictions: Mapping[str, np.ndarray]
) -> Scores:
    """Scores by part and variant.

    Parameters
    ----------
    table : pandas.DataFrame
        Samples with ``site``, ``year``, ``observed``.
    parts : mapping of str to numpy.ndarray
        Rows of each part.
    predictions : mapping of str to numpy.ndarray
        ``[row]`` by variant, t ha-1.
    """
    return {
        part: {name: scores(table.assign(predicted=values).iloc[rows])
               for name, values in predictions.items()}
        for part, rows in parts.items()
    }


def score_groups(
    table: pd.DataFrame, parts: Mapping[str, np.ndarray], predictions: Mapping[str, np.ndarray]
) -> dict[str, Grouped]:
    """Scores by part, variant and year as ``by_year``, and as ``by_region`` where there are any.

    Arguments are those of `score_parts`.
    """
    columns = [c for c in ("year", "region") if c in table]
    return {f"by_{column}": {
        part: {name: scores_by(table.assign(predicted=values).iloc[rows], column)
               for name, values in predictions.items()}
        for part, rows in parts.items()} for column in columns}


def to_json(record: Any) -> str:
    """Record as JSON; what is not finite becomes null."""
    return json.dumps(_plain(record), indent=1)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(v) for v in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return int(value) if isinstance(value, np.integer) else value


def cells(record: Mapping[str, float | int]) -> list[str]:
    """Scores as text, in the order of `COLUMNS`."""
    out = []
    for key in COLUMNS:
        value = record[key]
        if key == "n":
            out.append(str(value))
        elif not math.isfinite(value):
            out.append("-")
        else:
            out.append(f"{value:+.3f}" if key == "bias" else f"{value:.3f}")
    return out


def markdown(title: str, result: Scores, meaning: Mapping[str, str], notes: Sequence[str]) -> str:
    """The report as a page."""
    lines = [f"# {title}", "", "RMSE, MAE and bias in t/ha dry matter; r anomaly after each "
             "site's linear trend was taken from observed and predicted yields.", ""]
    for part, by_variant in result.items():
        lines += [f"## {part}: {meaning.get(part, '')}", "",
                  "| variant | " + " | ".join(COLUMNS.values()) + " |",
                  "|---|" + "---:|" * len(COLUMNS)]
        lines += [f"| {name} | " + " | ".join(cells(record)) + " |"
                  for name, record in by_variant.items()]
        lines.append("")
    return "\n".join([*lines, *(f"- {note}" for note in notes), ""])


def show(result: Scores, meaning: Mapping[str, str]) -> None:
    """Print a table for each part; the best RMSE of each is bold."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    console = Console()
    width = max((len(name) for by_variant in result.values() for name in by_variant), default=0)
    for part, by_variant in result.items():
        table = Table(title=f"{part}: {meaning.get(part, '')}", title_justify="left",
                      box=box.SIMPLE_HEAD)
        table.add_column("variant", min_width=width)
        for heading in COLUMNS.values():
            table.add_column(heading, justify="right", min_width=6)
        best = min(by_variant, key=lambda name: _rank(by_variant[name]["rmse"]))
        for name, record in by_variant.items():
            table.add_row(name, *cells(record), style="bold" if name == best else None)
        console.print(table)


def _rank(value: float) -> float:
    return value if math.isfinite(value) else math.inf
