"""Gradient-boosted regression trees on the anomalies of yields from the line of each site.

Histogram gradient boosting of scikit-learn (after LightGBM: Ke et al. 2017, Advances in Neural
Information Processing Systems 30).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralcrop.evaluation.baselines.climatology import county_line
from neuralcrop.evaluation.baselines.samples import Samples, inner_folds, site_anomalies

CHOICES = ((6, 40),)
"""Leaves of a tree and samples of the smallest leaf to choose from; more cost time and gained
nothing on county yields."""


@dataclass(frozen=True)
class Trees:
    """Boosted trees; their size and number are chosen within the training rows.

    Parameters
    ----------
    choices : sequence of tuple of int
        Leaves of a tree and samples of the smallest leaf.
    rounds : int
        Largest number of trees.
    rate : float
        Learning rate.
    members : int
        Seeds whose mean is the prediction, in choosing, too: the best number of trees of one seed
        is a matter of chance.
    blocks : int
        Blocks of years of the inner cross-validation.
    """

    choices: Sequence[tuple[int, int]] = CHOICES
    rounds: int = 120
    rate: float = 0.08
    members: int = 5
    blocks: int = 3

    def fit_predict(
        self, samples: Samples, train: np.ndarray, predict: np.ndarray, seed: int = 0,
        settings: tuple[tuple[int, int], int] | None = None,
    ) -> np.ndarray:
        """See `Baseline`."""
        (leaves, smallest), rounds = settings or self.choose(samples, train, seed)
        x = features(samples, train)
        line = county_line(samples, train)
        anomaly = samples.table["observed"].to_numpy(float)[train] - line[train]
        models = self._fitted(leaves, smallest, rounds, seed, x[train], anomaly)
        mean = np.mean([m.predict(x[predict]) for m in models], axis=0)
        return np.asarray(np.maximum(line[predict] + mean, 0.0))

    def choose(
        self, samples: Samples, rows: np.ndarray, seed: int = 0
    ) -> tuple[tuple[int, int], int]:
        """Size and number of trees with the lowest error in the inner folds of some rows."""
        x = features(samples, rows)
        observed = samples.table["observed"].to_numpy(float)
        error = np.zeros((len(self.choices), self.rounds))
        for learn, judge in inner_folds(samples, rows, self.blocks):
            line = county_line(samples, learn)
            rest = observed[judge] - line[judge]
            for k, (leaves, smallest) in enumerate(self.choices):
                models = self._fitted(leaves, smallest, self.rounds, seed, x[learn],
                                      observed[learn] - line[learn])
                mean = np.mean([list(m.staged_predict(x[judge])) for m in models], axis=0)
                error[k] += ((rest - mean) ** 2).sum(axis=1)
        best, rounds = np.unravel_index(int(error.argmin()), error.shape)
        return self.choices[int(best)], int(rounds) + 1

    def _fitted(
        self, leaves: int, smallest: int, rounds: int, seed: int, x: np.ndarray, y: np.ndarray
    ) -> list[Any]:
        """All members, learnt from the same rows."""
        # not needed by who only wants another baseline, and slow to import
        from sklearn.ensemble import HistGradientBoostingRegressor

        # half of the features a split: trees that differ, as in a forest
        return [HistGradientBoostingRegressor(
            learning_rate=self.rate, max_iter=rounds, max_leaf_nodes=leaves,
            min_samples_leaf=smallest, l2_regularization=1.0, max_features=0.5,
            early_stopping=False, random_state=seed * 1000 + k).fit(x, y)
            for k in range(self.members)]


def features(samples: Samples, train: np.ndarray) -> np.ndarray:
    """Monthly weather anomalies, monthly weather as it is, and the site's covariates."""
    n = len(samples)
    return np.concatenate([
        site_anomalies(samples, samples.monthly, train).reshape(n, -1),
        samples.monthly.reshape(n, -1), samples.static], axis=1)
