r"""What is missing in the balances of a season.

The residual of an element is the change of all stocks and boundary reservoirs since sowing, over
what took part: for water what was stored and supplied, for carbon what was assimilated.
"""

from __future__ import annotations

import torch
from torch import Tensor

from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.orders import Residues
from neuralcrop.simulation.events import SEASON

ELEMENTS = ("water", "carbon")


def ledger_residuals(model: CropModel, x: Tensor, season: Tensor, p: Tensor) -> dict[str, Tensor]:
    """Relative residuals of standing crops, and those of the record of harvested ones.

    Parameters
    ----------
    model : CropModel
        Whose state it is.
    x, season : Tensor
        ``[state row, cell]`` and ``[season row, cell]`` at the end of a run.
    p : Tensor
        ``[parameter row, cell]``.

    Returns
    -------
    dict of str to Tensor
        ``[cell]`` by element.
    """
    x, season, p = x.detach(), season.detach(), p.detach()
    s, book = model.state.view(x), SEASON.view(season)
    start = book["start_water"]
    supplied = start - s["precipitated_water"] - s["irrigated_water"]
    standing = {
        "water": (model.ledger.total(x, "water") - start) / supplied.clamp_min(1e-6),
        "carbon": model.record(s, x, p, book, Residues())["carbon_residual"]}
    harvested = book["harvests"] > 0.5
    return {element: torch.where(harvested, book[f"last_{element}_residual"], value)
            for element, value in standing.items()}
