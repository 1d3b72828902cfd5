"""Cultivars that fit a climate: thermal requirements for a season of a given length."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.global_ import SOWN
from neuralcrop.physics import radiation

ADAPTED = ("thermal_time_vegetative", "thermal_time_reproductive")
"""Parameters that are scaled."""

FACTORS = (0.3, 3.0)
"""Smallest and largest factor."""

TYPICAL_SEASON = 0.75
"""Days from sowing to maturity over the longest season of a crop, where no length is given."""

BISECTIONS = 14
"""Halvings of the range of the factor: to within 0.2 per mil."""

TWILIGHT = -4.0
"""Elevation of the sun that ends the photoperiod, degrees."""


def days_to_maturity(
    model: CropModel, p: Mapping[str, Tensor], tas: Tensor, photoperiod: Tensor, sowing: Tensor
) -> Tensor:
    """Days from sowing to maturity in a mean year, ``[cell]``; the longest season if none.

    Runs the phenology of the model, day by day, through the year after sowing.

    Parameters
    ----------
    model : CropModel
        Of the `global` set.
    p : mapping of str to Tensor
        Parameters, ``[cell]``.
    tas, photoperiod : Tensor
        ``[365, cell]`` mean temperature (degC) and day length (h).
    sowing : Tensor
        ``[cell]`` day of year.
    """
    stage = torch.full_like(tas[0], SOWN)
    cold, length = torch.zeros_like(stage), torch.zeros_like(stage)
    for k in range(int(p["maximum_season"].max())):
        index = ((sowing - 1 + k) % 365).unsqueeze(0)
        step = model.parts.phenology(
            p, stage, cold, tas.gather(0, index)[0], photoperiod.gather(0, index)[0], None, 1.0)
        length = length + step.vegetative_days + step.reproductive_days
        stage, cold = stage + step.development_stage, cold + step.vernalisation_days
    return length


def adapted(
    model: CropModel, p: Tensor, tas: Tensor, latitude: Tensor, sowing: Tensor, target: Tensor
) -> Tensor:
    """Parameters with the thermal requirements of a cultivar that ripens after ``target`` days.

    One factor on the requirements from emergence to anthesis and from there to maturity, between
    `FACTORS`, by bisection: the length of the season rises with it.

    Parameters
    ----------
    model : CropModel
        Of the `global` set.
    p : Tensor
        ``[parameter row, cell]``.
    tas : Tensor
        ``[365, cell]`` mean temperature of every day of the year, degC.
    latitude, sowing, target : Tensor
        ``[cell]`` degrees, day of year, days from sowing to maturity; 0 keeps the cultivar, below
        0 is `TYPICAL_SEASON` of the longest season.

    Returns
    -------
    Tensor
        ``[parameter row, cell]``.
    """
    layout = model.table.layout
    rows = layout.rows(ADAPTED)
    angle = torch.deg2rad(latitude.to(tas.dtype))
    day = torch.arange(1, 366, dtype=tas.dtype).unsqueeze(-1)
    photoperiod = radiation.photoperiod(torch.sin(angle), torch.cos(angle), day, TWILIGHT)
    known = p.detach().to(tas.dtype)
    target = torch.where(
        target < 0, TYPICAL_SEASON * layout.get(known, "maximum_season"), target.to(tas.dtype))
    least, most = (torch.full_like(tas[0], factor) for factor in FACTORS)
    for _ in range(BISECTIONS):
        middle = 0.5 * (least + most)
        tried = known.clone()
        tried[rows] = middle * known[rows]
        short = days_to_maturity(
            model, layout.view(tried), tas, photoperiod, sowing) < target
        least, most = torch.where(short, middle, least), torch.where(short, most, middle)
    factor = torch.where(target > 0, 0.5 * (least + most), 1.0).to(p.dtype)
    out = p.clone()
    out[rows] = factor * p[rows]
    return out
