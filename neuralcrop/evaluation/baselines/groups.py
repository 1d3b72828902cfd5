"""Settings of baselines chosen once for several folds, out of sight of all their scored yields."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import numpy as np

from neuralcrop.data.folds import Fold
from neuralcrop.evaluation.baselines.samples import Baseline, Samples

GROUPS = 6
"""Groups that the folds of a test are dealt into; a test of no more folds has one for each."""

SMALLEST_SHARE = 0.5
"""Share of its training rows below which a fold chooses for itself: settings for less data would
be others."""


def choice_rows(
    samples: Samples, folds: Sequence[Fold], groups: int = GROUPS
) -> dict[str, np.ndarray]:
    """Rows that the settings of each fold are chosen in: those that its whole group learns from.

    No scored row of a group is learnt from by all of it, so that none takes part in the choice.
    Folds are dealt out in the order of the warmth of their scored rows, one to each group in turn:
    what a group leaves over is as warm, and as different, as what each of its folds learns from.

    Parameters
    ----------
    samples : Samples
        All of them; yields are not looked at.
    folds : sequence of Fold
        Those of one test.
    groups : int
        Number of groups.

    Returns
    -------
    dict of str to numpy.ndarray
        Rows by the name of the fold; its training rows where it is alone.
    """
    out = {fold.name: fold.train for fold in folds}
    if len(folds) <= groups:
        return out
    order = np.argsort([samples.warmth[fold.score].mean() for fold in folds], kind="stable")
    for k in range(groups):
        group = [folds[i] for i in order[k::groups]]
        shared = reduce(np.intersect1d, [fold.train for fold in group])
        out |= {fold.name: shared for fold in group
                if len(shared) >= SMALLEST_SHARE * len(fold.train)}
    return out


@dataclass(frozen=True)
class GroupedBaseline:
    """A baseline as a function from a fold to predictions; settings are kept for all who share.

    Parameters
    ----------
    baseline : Baseline
        What learns.
    samples : Samples
        All of them; yields are handed over only of the rows to choose in or to learn from.
    seed : int
        Of all chance.
    rows : mapping of (str, str) to numpy.ndarray, optional
        By test and name of the fold, the rows to choose settings in: see `choice_rows`. Other
        folds choose in their training rows.
    """

    baseline: Baseline
    samples: Samples
    seed: int = 0
    rows: Mapping[tuple[str, str], np.ndarray] = field(default_factory=dict)
    chosen: dict[bytes, Any] = field(default_factory=dict, init=False, repr=False)

    def __call__(self, fold: Fold) -> np.ndarray:
        """Predictions of the scored rows, t ha-1."""
        return self.baseline.fit_predict(self.samples.knowing(fold.train), fold.train, fold.score,
                                         self.seed, self.settings(fold))

    def settings(self, fold: Fold) -> Any:
        """Settings of a fold, chosen when first asked for.

        Raises
        ------
        ValueError
            If rows to choose in are scored by the fold.
        """
        rows = self._rows(fold)
        if np.isin(fold.score, rows).any():
            raise ValueError(f"{fold.test} {fold.name}: scored rows among those to choose in")
        key = rows.tobytes()
        if key not in self.chosen:
            self.chosen[key] = self.baseline.choose(self.samples.knowing(rows), rows, self.seed)
        return self.chosen[key]

    def depends(self, fold: Fold) -> str:
        """What predictions of a fold depend on beyond samples and fold, as one line."""
        return f"{self.baseline!r} {hashlib.sha256(self._rows(fold).tobytes()).hexdigest()}"

    def _rows(self, fold: Fold) -> np.ndarray:
        return self.rows.get((fold.test, fold.name), fold.train)
