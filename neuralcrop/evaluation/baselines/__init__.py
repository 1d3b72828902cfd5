"""Predictions without a crop model, which any model has to beat."""

from __future__ import annotations

from neuralcrop.evaluation.baselines.climatology import (
    ClimatologyTrend,
    MeanOfAll,
    climatology_trend,
)
from neuralcrop.evaluation.baselines.groups import GroupedBaseline, choice_rows
from neuralcrop.evaluation.baselines.lstm import Lstm
from neuralcrop.evaluation.baselines.ridge import Ridge
from neuralcrop.evaluation.baselines.samples import Baseline, Samples
from neuralcrop.evaluation.baselines.trees import Trees

BASELINES: dict[str, Baseline] = {
    "mean_of_all": MeanOfAll(), "climatology_trend": ClimatologyTrend(), "ridge": Ridge(),
    "trees": Trees(), "lstm": Lstm(),
}
"""All baselines with their own settings."""

__all__ = ["BASELINES", "Baseline", "ClimatologyTrend", "GroupedBaseline", "Lstm", "MeanOfAll",
           "Ridge", "Samples", "Trees", "choice_rows", "climatology_trend"]
