"""What training minimises: the misfit of yields and the departure from the physics."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from neuralcrop.closures.base import FEATURE_NAMES, Features
from neuralcrop.models.crop_model import CropModel

Kind = Literal["huber", "mse", "anomaly"]

FEATURE_POINTS = 256
"""Points of the closures' input space at which their departure is measured."""


def misfit(
    predicted: Tensor, observed: Tensor, weight: Tensor, kind: Kind = "huber", delta: float = 1.0
) -> Tensor:
    r"""Weighted mean of the loss of each cell; cells of weight 0 have no gradient.

    Parameters
    ----------
    predicted, observed, weight : Tensor
        ``[cell]``; t ha-1.
    kind : {"huber", "mse"}
        :math:`e^2/2`, which for ``huber`` goes on as :math:`\delta(|e| - \delta/2)` beyond delta.
    delta : float
        t ha-1.
    """
    # where, not a product: 0 times NaN would be NaN
    error = torch.where(weight > 0.0, predicted - observed, 0.0)
    zero = torch.zeros_like(error)
    if kind == "mse":
        loss = 0.5 * error * error
    elif kind == "huber":
        loss = functional.huber_loss(error, zero, reduction="none", delta=delta)
    else:
        raise ValueError(f"loss is {kind!r}, expected huber or mse")
    return (loss * weight).sum() / weight.sum().clamp_min(1e-12)


def parameter_departure(model: CropModel, parameters: Tensor, crop: Tensor, weight: Tensor
                        ) -> Tensor:
    """Mean square departure of learned parameters, as a share of the width of their bounds.

    That of the learned constants from the catalogue, plus that of the cells from the constants.

    Parameters
    ----------
    model : CropModel
        The model.
    parameters : Tensor
        ``[parameter row, cell]``, from `CropModel.cell_parameters`.
    crop, weight : Tensor
        ``[cell]``.
    """
    table = model.table
    total = parameters.new_zeros(())
    everywhere = torch.unique(crop)
    width = (table.upper - table.lower).to(parameters.dtype)
    constants = table(everywhere, parameters.dtype)
    if table.learned:
        rows = table.rows(table.learned)
        shift = constants[rows] - table.values.to(parameters.dtype)[rows][:, everywhere]
        total = total + (shift / width[rows][:, everywhere].clamp_min(1e-12)).square().mean()
    if model.network is not None:
        rows = table.rows(model.network.sizes)
        base = table(crop, parameters.dtype)[rows]
        shift = (parameters[rows] - base) / width[rows][:, crop].clamp_min(1e-12)
        total = total + (shift.square() * weight).sum() / (weight.sum() * len(rows))
    return total


def feature_points(n: int = FEATURE_POINTS, seed: int = 0) -> Features:
    """Points spread over the closures' input space, the same every time."""
    generator = torch.Generator().manual_seed(seed)
    values = 3.0 * torch.rand(len(FEATURE_NAMES), n, generator=generator) - 1.5
    return Features(*values)


def closure_departure(model: CropModel, points: Features) -> Tensor:
    """Mean square logarithm of the factors of the neural closures; 0 is the equations."""
    found = [c.departure(points) for c in model.closures().values() if c.neural]
    return torch.stack(found).mean() if found else points.temperature.new_zeros(())
