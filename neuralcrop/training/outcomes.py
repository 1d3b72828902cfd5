r"""What a run says of a season besides its yield, with gradients: dates, leaf area, water, mass."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.global_ import MATURE, SOWN
from neuralcrop.models.orders import Residues
from neuralcrop.simulation.events import SEASON

LEAST_PROGRESS = 0.02
"""Development, from sowing on, that an extrapolated date is based on at least."""


def needs_harvest(kinds: Sequence[str]) -> bool:
    """Whether crops have to be harvested when they are ripe, for evaporation to end with them."""
    return "aet" in kinds


def outcomes(model: CropModel, x: Tensor, season: Tensor, p: Tensor, kinds: Sequence[str]
             ) -> list[Tensor]:
    """Simulated counterparts of observations at the end of a run, ``[cell]`` of each kind.

    Parameters
    ----------
    model : CropModel
        The model.
    x, season, p : Tensor
        State, bookkeeping and parameters.
    kinds : sequence of str
        Of `neuralcrop.data.observations.KINDS`.
    """
    if not kinds:
        return []
    s = model.state.view(x)
    harvested = SEASON.get(season, "harvests") > 0.5
    book = SEASON.view(season)
    standing = model.record(s, x, p, book, Residues()) | {
        "lai_max": s["peak_leaf_area"], "transp": s["transpired_water"]}

    def final(name: str) -> Tensor:
        return torch.where(harvested, book[f"last_{name}"], standing[name])

    out = []
    for kind in kinds:
        if kind == "anthday":
            value = _anthesis(s)
        elif kind == "matyday":
            value = _maturity(s)
        elif kind == "aet":
            value = final("transp") + final("evap")
        else:
            value = final(kind)
        if kind in ("anthday", "matyday"):
            # the stage of a crop that was taken unripe is lost: it stood for so long at least
            cut = harvested & torch.isnan(book[f"last_{kind}"])
            value = torch.where(cut, s["vegetative_days"] + s["reproductive_days"], value)
        out.append(value)
    return out


def _anthesis(s: dict[str, Tensor]) -> Tensor:
    r"""Days from sowing to anthesis.

    A stage ends on the fraction of the day on which development reaches it, so the clock of days
    spent before anthesis is itself a smooth function of parameters, with
    :math:`\partial t / \partial\theta` that of the implicit function :math:`D(t, \theta) = 1`: no
    surrogate is needed. Where the run ends before anthesis, its date is extrapolated at the mean
    rate so far,

    .. math:: t = t_{end}\,\frac{1 - D_0}{D(t_{end}) - D_0}, \qquad D_0 = -0.1,

    which joins the other without a step and keeps a gradient that brings the date into the run.
    """
    stage = s["development_stage"]
    return torch.where(stage >= 1.0, s["vegetative_days"], _extrapolated(
        s["vegetative_days"], stage, 1.0))


def _maturity(s: dict[str, Tensor]) -> Tensor:
    """Days from sowing to maturity; as `_anthesis`, with the mean rate since sowing."""
    stage, days = s["development_stage"], s["vegetative_days"] + s["reproductive_days"]
    return torch.where(stage >= MATURE, days, _extrapolated(days, stage, MATURE))


def _extrapolated(days: Tensor, stage: Tensor, end: float) -> Tensor:
    return days * (end - SOWN) / (stage - SOWN).clamp_min(LEAST_PROGRESS)
