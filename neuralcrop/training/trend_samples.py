"""Trends and the samples of a run: what is fitted on, and predictions with the trend."""

from __future__ import annotations

import copy
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neuralcrop.data.seasons import Seasons
from neuralcrop.training.relative import RelativeResponse
from neuralcrop.training.technology import Technology
from neuralcrop.training.terms import YIELD, Terms
from neuralcrop.training.trend import Trend


def training_samples(
    simulated: np.ndarray, seasons: Seasons, train: np.ndarray, terms: Terms
) -> tuple[Tensor, Tensor, Tensor, Tensor, Tensor | None]:
    """Simulated yields, years, observed yields, rows and weights (None: all 1) to fit a trend on.

    Parameters
    ----------
    simulated : numpy.ndarray
        ``[row]`` t ha-1 without a trend.
    seasons : Seasons
        All samples.
    train : numpy.ndarray
        Rows of the training samples.
    terms : Terms
        Knows their weights.
    """
    table = seasons.table.iloc[train]
    weight = None
    if YIELD in terms.weighted:
        weight = terms.shares[list(terms.weights).index(YIELD)].cpu()[torch.from_numpy(train)]
    return (torch.from_numpy(simulated[train]), torch.tensor(table["year"].to_numpy(float)),
            torch.tensor(table["observed"].to_numpy(float)), torch.from_numpy(train), weight)


def fit_before(
    technology: Technology, seasons: Seasons, train: np.ndarray, terms: Terms
) -> None:
    """Fit a trend that is taken off before the model learns, to the training samples."""
    if isinstance(technology, RelativeResponse) or (
            isinstance(technology, Trend) and technology.detrends):
        blank = np.ones(len(seasons))
        _, year, observed, row, weight = training_samples(blank, seasons, train, terms)
        technology.fit_before(year, observed, row, weight)


class Prediction(NamedTuple):
    """Predictions of samples, ``[row]`` t ha-1.

    Attributes
    ----------
    yields : numpy.ndarray
        With all that the trend has.
    without : dict of str to numpy.ndarray
        Without ``levels`` of sites or the ``remainder``, where it has them.
    spread : numpy.ndarray or None
        Standard deviation of an observed yield about its prediction, where it is known.
    """

    yields: np.ndarray
    without: dict[str, np.ndarray]
    spread: np.ndarray | None


@torch.no_grad()
def with_trend(technology: Technology, simulated: np.ndarray, seasons: Seasons) -> Prediction:
    """Predictions with the trend.

    Parameters
    ----------
    technology : Technology
        On the CPU, attached to the samples.
    simulated : numpy.ndarray
        ``[row]`` t ha-1; NaN where not simulated.
    seasons : Seasons
        All samples.
    """
    dtype = seasons.forcing.values.dtype
    yields = torch.from_numpy(simulated).to(dtype)
    year = torch.tensor(seasons.table["year"].to_numpy(), dtype=torch.float32)
    row = torch.arange(len(seasons))
    technology.see(yields, year)
    predictions = technology(yields, year, row)
    spread = technology.spread(year, row)
    without = {}
    if isinstance(technology, Trend) and technology.has_level:
        without["levels"] = predictions / technology.level(row, dtype)
    if isinstance(technology, RelativeResponse) and technology.expects_remainder:
        bare = copy.copy(technology)
        bare.without_remainder()
        without["remainder"] = bare(yields, year, row)
    return Prediction(
        predictions.double().numpy(), {k: v.double().numpy() for k, v in without.items()},
        None if spread is None else spread.numpy())
