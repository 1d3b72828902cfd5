r"""Ridge regression of yield anomalies on monthly weather anomalies.

.. math:: y = a_s + b_s t + \sum_k w_k x_k, \qquad
   w = \arg\min \sum (y - a_s - b_s t - x \cdot w)^2 + \lambda |w|^2

with the line of each site s from its training years. The features x are weather anomalies of
months, and in the curved design their squares and the products of rain with temperature and with
vapour pressure deficit, too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from neuralcrop.data.season_weather import VARIABLES
from neuralcrop.evaluation.baselines.climatology import county_line
from neuralcrop.evaluation.baselines.samples import (
    Samples,
    inner_folds,
    site_anomalies,
    standardised,
)

PENALTIES = tuple(float(v) for v in 10.0 ** np.arange(0.0, 5.1, 0.5))
"""Values of the penalty to choose from."""

DESIGNS = ("linear", "curved")
"""Features to choose from, the simplest first."""

RANGE = (0.01, 0.99)
"""Quantiles of training anomalies beyond which squares and products stay what they are there:
curves explode where no year was."""


@dataclass(frozen=True)
class Ridge:
    """Ridge regression; penalty and features are chosen within the training rows.

    Parameters
    ----------
    penalties : sequence of float
        Choices of the penalty.
    designs : sequence of str
        Choices of the features, of `DESIGNS`.
    blocks : int
        Blocks of years of the inner cross-validation.
    """

    penalties: Sequence[float] = PENALTIES
    designs: Sequence[str] = DESIGNS
    blocks: int = 3

    def fit_predict(
        self, samples: Samples, train: np.ndarray, predict: np.ndarray, seed: int = 0,
        settings: tuple[str, float] | None = None,
    ) -> np.ndarray:
        """See `Baseline`; the seed has no effect."""
        name, penalty = settings or self.choose(samples, train, seed)
        features = design(samples, train, name)
        line = county_line(samples, train)
        anomaly = samples.table["observed"].to_numpy(float)[train] - line[train]
        weights = solve(features[train], anomaly - anomaly.mean(), [penalty])[0]
        predicted = line[predict] + anomaly.mean() + features[predict] @ weights
        return np.asarray(np.maximum(predicted, 0.0))

    def choose(self, samples: Samples, rows: np.ndarray, seed: int = 0) -> tuple[str, float]:
        """Design and penalty by the inner folds of some rows; the seed has no effect.

        Each design takes the penalty with the lowest error; the simplest design stays unless the
        next is better by more than one standard error of their difference over the years.
        """
        features = {name: design(samples, rows, name) for name in self.designs}
        observed = samples.table["observed"].to_numpy(float)
        shape = (len(self.designs), len(self.penalties), len(samples))
        square = np.full(shape, np.nan)
        for learn, judge in inner_folds(samples, rows, self.blocks):
            line = county_line(samples, learn)
            anomaly = observed[learn] - line[learn]
            rest = observed[judge] - line[judge] - anomaly.mean()
            for k, name in enumerate(self.designs):
                found = np.stack(solve(features[name][learn], anomaly - anomaly.mean(),
                                       self.penalties))
                square[k][:, judge] = (rest - found @ features[name][judge].T) ** 2
        if np.isnan(square[..., rows]).any():  # a single year: nothing to choose by
            return self.designs[0], self.penalties[-1]
        judged = pd.DataFrame(square[..., rows].reshape(-1, len(rows)).T)
        means = judged.groupby(samples.table["year"].to_numpy()[rows]).mean().to_numpy()
        by_year = means.T.reshape(*shape[:2], -1)
        best = by_year.mean(axis=-1).argmin(axis=1)
        chosen = 0
        for k in range(1, len(self.designs)):
            gain = by_year[chosen, best[chosen]] - by_year[k, best[k]]
            if gain.mean() > gain.std() / np.sqrt(gain.size):
                chosen = k
        return self.designs[chosen], self.penalties[int(best[chosen])]


def design(samples: Samples, train: np.ndarray, name: str) -> np.ndarray:
    """Features, about zero in the mean, ``[sample, feature]`` of a design.

    Raises
    ------
    ValueError
        If its name is not one of `DESIGNS`.
    """
    if name not in DESIGNS:
        raise ValueError(f"no design '{name}'; there are {', '.join(DESIGNS)}")
    z = site_anomalies(samples, samples.monthly, train)
    columns = z.reshape(len(z), -1)
    columns = columns - columns[train].mean(axis=0)
    if name == "linear":
        return columns
    low, high = np.quantile(z[train], RANGE, axis=0)
    at = [list(VARIABLES).index(v) for v in ("tasmax", "pr", "vpd")]
    hot, rain, dry = np.clip(z, low, high)[:, :, at].transpose(2, 0, 1)
    curves = np.concatenate([hot**2, rain**2, dry**2, hot * rain, dry * rain], axis=1)
    return np.concatenate([columns, standardised(curves, train)], axis=1)


def solve(x: np.ndarray, y: np.ndarray, penalties: Sequence[float]) -> list[np.ndarray]:
    r"""Weights :math:`(x^T x + \lambda)^{-1} x^T y` for each penalty, from one decomposition."""
    u, size, v = np.linalg.svd(x, full_matrices=False)
    along = u.T @ y
    return [v.T @ (size / (size**2 + penalty) * along) for penalty in penalties]
