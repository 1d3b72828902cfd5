r"""Growth of field experiments, calibrated on the half of the trials that calibrates their stages.

A few parameters a crop, the same for all its cells, within the catalogue's bounds: photosynthetic
capacity, leaf area, life of leaves, and what of the storage organs is no grain. Gauss-Newton steps
on the yields, biomass and leaf areas of the calibrating cells,

.. math:: \Delta z = -(J^T W J + I / \sigma^2)^{-1} (J^T W r + z / \sigma^2)

with derivatives of whole seasons from small changes, all parameters in one run: every parameter
has its own copy of the cells. The priors keep each value near the catalogue where the yields say
little.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neuralcrop.core.parameters import bounded
from neuralcrop.data.field_experiments import FieldBatch
from neuralcrop.evaluation.field_runs import simulate_batch, with_values
from neuralcrop.models.crop_model import CropModel

GROWTH = ("vcmax25", "specific_leaf_area", "leaf_life_span")
"""Parameters that are calibrated, as they are."""

HUSKS = (0.15, 0.0, 0.4)
"""Start and bounds of the share of the storage organs that is no grain (cobs, chaff, pod walls):
0.15 to 0.2 of ears of maize, 0.2 to 0.3 of pods of soybean. The catalogue's shares have none."""

NAMES = (*GROWTH, "husks")
"""All that is calibrated."""

SPREAD = 1.0
"""Standard deviation of the prior, in the unconstrained space of `bounded`."""

ERRORS = {"yield": 0.20, "biomass": 0.25, "lai_max": 0.35}
"""Errors that count as one, relative to the mean of the calibrating observations."""

CHANGE = 0.15
"""Change of a parameter for its derivative, in the unconstrained space."""

STEPS = 4
LARGEST_STEP = 0.8
OUTLIER = 2.0
"""Errors above which residuals count linearly."""

ENOUGH_TRIALS = 2
"""Trials with yields from which growth is calibrated."""


@dataclass
class GrowthCalibration:
    """Outcome of `calibrate_growth`.

    Attributes
    ----------
    values : dict of str to float
        By parameter.
    loss : list of float
        Of every run.
    """

    values: dict[str, float]
    loss: list[float]


def taken(batch: FieldBatch, index: np.ndarray) -> FieldBatch:
    """Some cells of a batch, each as often as it is named; without its tables of events."""
    rows = torch.from_numpy(index)
    start = batch.soil_start
    return replace(
        batch, table=batch.table.iloc[index].reset_index(drop=True),
        forcing=batch.forcing.cells(rows), site=batch.site.cells(rows),
        management=batch.management.cells(rows),
        initial_water=batch.initial_water[:, rows],
        soil_start=None if start is None else start.cells(rows))


def calibrate_growth(
    model: CropModel, batch: FieldBatch, p: Tensor, seen: np.ndarray
) -> GrowthCalibration | None:
    """Fit `NAMES` to the yields, biomass and leaf areas of the calibrating cells.

    Parameters
    ----------
    model : CropModel
        The model.
    batch : FieldBatch
        All treatments; the observations of those that are scored are never read.
    p : Tensor
        ``[parameter row, cell]``, with calibrated stages.
    seen : numpy.ndarray
        ``[cell]`` which cells calibrate.

    Returns
    -------
    GrowthCalibration or None
        None where fewer than `ENOUGH_TRIALS` calibrating trials have yields.
    """
    cells = np.flatnonzero(seen & batch.table[list(ERRORS)].notna().any(axis=1).to_numpy(bool))
    known = batch.table.iloc[cells]
    if known.loc[known["yield"].notna(), "trial"].nunique() < ENOUGH_TRIALS:
        return None
    n, copies = len(cells), len(NAMES) + 1
    own = taken(batch, np.tile(cells, copies))
    p_own = p[:, torch.from_numpy(np.tile(cells, copies))]
    observed, scale, weight = _targets(own, n)
    z = np.zeros(len(NAMES))
    best, losses = (np.inf, z), []
    for _ in range(STEPS + 1):
        trial = z + CHANGE * np.vstack([np.zeros(len(NAMES)), np.eye(len(NAMES))])
        values = {name: torch.from_numpy(np.repeat(column, n)) for name, column in
                  _values(model, batch.crop, trial).items()}
        found = simulate_batch(model, own, with_growth(model, p_own, values)).seasons
        simulated = found[list(ERRORS)].to_numpy(float).reshape(copies, n, len(ERRORS))
        r = np.where(np.isnan(observed), 0.0, (simulated - observed) / scale)
        robust = weight * np.minimum(1.0, OUTLIER / np.maximum(np.abs(r[0]), 1e-9))
        size = np.abs(r[0])
        cost = np.where(size < OUTLIER, 0.5 * size**2, OUTLIER * (size - 0.5 * OUTLIER))
        losses.append(float((weight * cost).sum() + 0.5 * (z**2).sum() / SPREAD**2))
        if losses[-1] >= best[0]:
            z = 0.5 * (z + best[1])  # too far
            continue
        best = (losses[-1], z)
        slope = ((r[1:] - r[0]) / CHANGE).reshape(len(NAMES), -1)
        w = robust.reshape(-1)
        normal = (slope * w) @ slope.T + np.eye(len(NAMES)) / SPREAD**2
        change = -np.linalg.solve(normal, (slope * w) @ r[0].reshape(-1) + z / SPREAD**2)
        z = z + np.clip(change, -LARGEST_STEP, LARGEST_STEP)
    values_found = _values(model, batch.crop, best[1][None])
    return GrowthCalibration({k: float(v[0]) for k, v in values_found.items()}, losses)


def _targets(batch: FieldBatch, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Observations of the first ``n`` cells, ``[cell, variable]``, their errors and weights."""
    observed = batch.table[list(ERRORS)].iloc[:n]
    mean = observed.mean()
    scale = np.array([ERRORS[name] * mean[name] for name in ERRORS])
    scale = np.where(np.isfinite(scale) & (scale > 0.0), scale, 1.0)
    trial = batch.table["trial"].iloc[:n]
    count = observed.groupby(trial).transform("count").to_numpy(float)
    weight = np.where(observed.notna(), 1.0 / np.maximum(count, 1.0), 0.0)
    return observed.to_numpy(float), scale, weight


def with_growth(model: CropModel, p: Tensor, values: Mapping[str, Tensor | float]) -> Tensor:
    """Parameters with calibrated growth; what is no grain goes to the stems.

    Parameters
    ----------
    model : CropModel
        The model.
    p : Tensor
        ``[parameter row, cell]``.
    values : mapping of str to Tensor or float
        By name of `NAMES`.
    """
    given = {k: torch.as_tensor(v, dtype=p.dtype) + 0.0 * p[0] for k, v in values.items()}
    husks = given.pop("husks")
    view = model.table.layout.view(p)
    storage, stem = view["storage_share"], view["stem_share"]
    out = with_values(model, p, given)
    for name, share in (("storage_share", storage * (1.0 - husks)),
                        ("stem_share", stem + storage * husks)):
        start = model.table.layout.start[name]
        out[start : start + len(share)] = share
    return out


def _values(model: CropModel, crop: str, z: np.ndarray) -> Mapping[str, np.ndarray]:
    """Parameters from unconstrained offsets ``[..., parameter]``."""
    table, column = model.table, model.table.crop_index[crop]
    out = {}
    for k, name in enumerate(NAMES):
        limits = HUSKS
        if name in GROWTH:
            row = table.layout.start[name]
            limits = (float(table.values[row, column]), float(table.lower[row, column]),
                      float(table.upper[row, column]))
        offset = torch.from_numpy(z[..., k]).float()
        start, lower, upper = (torch.full_like(offset, v) for v in limits)
        out[name] = bounded(start, lower, upper, offset).numpy()
    return out
