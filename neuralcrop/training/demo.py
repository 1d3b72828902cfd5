r"""The hidden truth of the demonstration: parameter maps that climate and soil explain in part.

Yields are those of the physics with these maps, with observation noise and gaps
(`neuralcrop.data.demo_yields`). In the unconstrained space of `ParameterTable` the offset of each
parameter is

.. math:: \delta = a + b_T \tanh T + b_P \tanh P + b_C \tanh C + b_{TP} \tanh T \tanh P + 0.2 e

with T, P and C the season's temperature and rain and the soil's clay, scaled by fixed numbers, and
e an effect of the cell that nothing explains. A model sees neither the form nor the numbers.
"""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from neuralcrop.data.covariates import Covariates
from neuralcrop.data.demo_yields import CROP, blank_yields, unexplained, write_demo_yields
from neuralcrop.data.seasons import load_seasons
from neuralcrop.data.yields import open_yields
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.training.rollout import Rollout, simulate

log = logging.getLogger("neuralcrop.training")

SCALES = {"tas_season": (22.0, 5.0), "pr_season": (4.0, 2.0), "clay": (0.25, 0.10)}
"""Centre and width of the covariates that the truth depends on."""

TRUTH = {
    #                            a     T     P     C    TP
    "vcmax25": (0.4, 0.9, 0.0, -0.5, 0.0),
    "thermal_time_vegetative": (0.0, 0.9, 0.3, 0.0, 0.0),
    "thermal_time_reproductive": (0.2, 0.9, -0.5, 0.0, 0.4),
    "storage_scale": (-0.3, 0.0, 0.9, 0.7, -0.5),
    "maximum_transpiration": (0.0, -0.4, -0.9, 0.7, 0.0),
}
"""Coefficients of the hidden parameter maps."""

CELL_EFFECT = 0.2
"""Size of what nothing explains."""

LEAD, N_DAYS = 30, 190
"""Days before sowing, and of a run."""


class HiddenTruth(nn.Module):
    """Stands where a parameter network would, with the true maps.

    Sees the scaled covariates of `SCALES`, then one unexplained effect for each parameter.
    """

    n_series = 0

    def __init__(self) -> None:
        super().__init__()
        self.sizes = dict.fromkeys(TRUTH, 1)

    def forward(self, covariates: Tensor, series: Tensor | None = None) -> dict[str, Tensor]:
        """Offsets by parameter, ``[1, cell]``; there are no series."""
        t, p, c = torch.tanh(covariates[: len(SCALES)])
        effects = covariates[len(SCALES):]
        return {
            name: (a + bt * t + bp * p + bc * c + btp * t * p + CELL_EFFECT * e).unsqueeze(0)
            for (name, (a, bt, bp, bc, btp)), e in zip(TRUTH.items(), effects, strict=True)
        }


def make_demo_yields(directory: str | Path = "data/demo") -> Path:
    """Write ``yields.nc`` beside the demonstration's weather and soil; a file there is kept.

    Parameters
    ----------
    directory : path
        Directory of `neuralcrop.data.demo.make`.
    """
    directory = Path(directory)
    path = directory / "yields.nc"
    if path.exists():
        return path
    blank = blank_yields(directory / "soil.nc")
    seasons = load_seasons(
        open_yields(blank, CROP, directory / "weather.nc"), N_DAYS, LEAD)
    seasons.choose_covariates(tuple(SCALES))
    effects = torch.tensor(unexplained(blank, len(TRUTH)), dtype=torch.float32)
    seasons.covariates = Covariates(
        torch.cat((seasons.covariates.values, effects)),
        (*SCALES, *(f"effect_{name}" for name in TRUTH)))
    model = build_model(ModelSpec(crops=(CROP,)))
    model.network = HiddenTruth()  # type: ignore[assignment]
    scales = torch.tensor([*SCALES.values(), *[(0.0, 1.0)] * len(TRUTH)])
    model.covariate_mean, model.covariate_scale = scales.T
    model.choose_pathways(torch.zeros(1, dtype=torch.long))
    simulated, late = simulate(
        Rollout(model.eval()), seasons, np.arange(len(seasons)), len(seasons))
    if late:
        log.info("%d of %d seasons of the hidden truth end unripe", late, len(seasons))
    return write_demo_yields(blank, seasons.table, simulated, path)
