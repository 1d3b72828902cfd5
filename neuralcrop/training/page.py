"""The page of a training run, from what the session holds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from neuralcrop.evaluation.extremes import extreme_scores
from neuralcrop.evaluation.html_report import write_training_page
from neuralcrop.evaluation.html_sections import Shown
from neuralcrop.evaluation.report import score_groups
from neuralcrop.training.ensemble import HIGH, LOW, member_name
from neuralcrop.training.setup import part_of

if TYPE_CHECKING:
    from neuralcrop.training.train import Session, Variant


def scored_rows(session: Session) -> tuple[np.ndarray, np.ndarray]:
    """Rows of all parts in the order of the table, and the part of each."""
    part = np.full(len(session.seasons), "", dtype=object)
    for name, rows in session.parts.items():
        part[rows] = name
    return np.flatnonzero(part != ""), part[part != ""]


def more_scores(session: Session, predictions: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Scores by year and region, and `extreme_scores` of all samples.

    Losses are measured from the climatology where it is compared.
    """
    rows, _ = scored_rows(session)
    table = session.seasons.table
    line = "climatology_trend" if "climatology_trend" in predictions else None
    own = {name: values[rows] for name, values in predictions.items()}
    return {**score_groups(table, session.parts, predictions),
            "extremes": extreme_scores(table.iloc[rows], own, line)}


def write_page(
    session: Session, variants: Mapping[str, Variant], predictions: Mapping[str, np.ndarray],
    record: Mapping[str, Any],
) -> Path:
    """Write ``report.html``; its figures are of the last variant.

    Parameters
    ----------
    session : Session
        Of the run.
    variants : mapping of str to Variant
        Those that are reported, the best last.
    predictions : mapping of str to numpy.ndarray
        ``[row]`` of all variants.
    record : mapping
        Of ``report.json``.
    """
    rows, part = scored_rows(session)
    name = list(variants)[-1]
    names = [member_name(k) for k in session.config.ensemble.seeds]
    members = [variants[n] for n in names if n in variants] if name == "hybrid" else []
    models = [part_of(v.spec, v.state) for v in members or [variants[name]]
              if v.spec is not None and v.state is not None]
    shown = Shown(
        session.seasons.table.iloc[rows].assign(part=part, predicted=predictions[name][rows]),
        name, {n: values[rows] for n, values in predictions.items()},
        np.stack([v.predictions[rows] for v in members]) if members else None, (LOW, HIGH),
        models, session.seasons.covariates)
    return write_training_page(session.directory, shown, record)
