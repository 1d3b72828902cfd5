"""Jumps between days: harvest, sowing, irrigation. Mass-conserving, per cell, by masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.state import Layout
from neuralcrop.core.variables import HARVEST_REASONS
from neuralcrop.models.crop_model import CropModel

SHORTEST_SEASON = 30.0
"""No crop is harvested sooner after sowing, d; so a month holds at most one harvest a cell."""

LONG_FALLOW = 2000.0
"""Precipitation on fallow after which its water balance starts anew at New Year, mm."""

RECORD = (
    "yield", "biom", "plantday", "plantyear", "anthday", "matyday", "harvday", "harvyear",
    "harvest_reason", "gpp", "transp", "evap", "pr_season", "pirnreq", "runoff", "drainage",
    "lai_max", "water_residual", "carbon_residual",
)
"""Outputs of a season, written at harvest."""

SEASON = Layout(dict.fromkeys((
    "active", "plant_day", "plant_day_of_year", "plant_year", "harvests", "start_water",
    *(f"last_{name}" for name in RECORD),
), 1))
"""Bookkeeping of seasons, changed by jumps only: the running season and the last one's record."""


class Today(NamedTuple):
    """Calendar of a day: index since the epoch, day of year, year; scalar tensors."""

    day: Tensor
    day_of_year: Tensor
    year: Tensor


class Orders(NamedTuple):
    """What management asks for on a day, ``[cell]``.

    Day of year of sowing and of fixed harvest (0 for none), irrigation trigger and target
    (relative water), dated irrigation (mm).
    """

    sowing_day: Tensor
    harvest_day: Tensor
    irrigation_threshold: Tensor
    irrigation_target: Tensor
    irrigation: Tensor


def start_season(n_cells: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Bookkeeping with no crop and no record, ``[season row, cell]``."""
    return torch.zeros(SEASON.n_rows, n_cells, dtype=dtype, device=device)


def jump(
    model: CropModel, x: Tensor, season: Tensor, p: Tensor, place: Any, today: Today,
    orders: Orders,
) -> tuple[Tensor, Tensor]:
    """Events at the start of a day.

    Order: harvest (mature, latest date, fixed date, or to make room for the next sowing), sowing,
    irrigation. Every transfer leaves one row and enters another of the same element.

    Parameters
    ----------
    model : CropModel
        Says what harvest, sowing and irrigation do to its state.
    x, season : Tensor
        State ``[state row, cell]`` and bookkeeping ``[season row, cell]``.
    p : Tensor
        Parameters, ``[parameter row, cell]``.
    place : NamedTuple
        From `CropModel.place`.
    today : Today
        Calendar.
    orders : Orders
        Management.

    Returns
    -------
    tuple of Tensor
        New state and bookkeeping.
    """
    named = model.table.layout.view(p)
    s, b = model.state.view(x), SEASON.view(season)
    wetness = model.diagnostics(x, p, place)["root_zone_wetness"]
    sow = (orders.sowing_day == today.day_of_year) & (orders.sowing_day > 0)
    harvest = _harvest(model, s, b, x, p, today, orders, sow)
    model.harvest(s, harvest)
    _sow(model, s, b, named, today, sow)
    model.irrigate(
        s, named, place, b["active"] > 0.5, wetness, orders.irrigation_threshold,
        orders.irrigation_target, orders.irrigation)
    return model.state.stack(s), SEASON.stack(b)


def _harvest(
    model: CropModel, s: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, p: Tensor,
    today: Today, orders: Orders, sow: Tensor,
) -> Tensor:
    """Book the harvests of the day; which cells."""
    named = model.table.layout.view(p)
    age = today.day - b["plant_day"]
    standing = (b["active"] > 0.5) & (age >= SHORTEST_SEASON)
    mature = model.ripe(x, p)
    fixed = (orders.harvest_day == today.day_of_year) & (orders.harvest_day > 0)
    by_maturity = mature & (orders.harvest_day == 0)
    latest = (age >= named["maximum_season"]) | sow
    harvest = standing & (by_maturity | fixed | latest)
    reason = torch.where(
        fixed, float(HARVEST_REASONS.index("fixed_date")),
        torch.where(mature, float(HARVEST_REASONS.index("mature")),
                    float(HARVEST_REASONS.index("latest_date")))).to(x.dtype)
    record = _record(model, s, b, x, p, today, age, mature) | {"harvest_reason": reason}
    for name in RECORD:
        b[f"last_{name}"] = torch.where(harvest, record[name], b[f"last_{name}"])
    b["harvests"] = b["harvests"] + harvest.to(x.dtype)
    b["active"] = torch.where(harvest, 0.0, b["active"])
    return harvest


def _record(
    model: CropModel, s: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, p: Tensor,
    today: Today, age: Tensor, mature: Tensor,
) -> dict[str, Tensor]:
    stage, days = s["development_stage"], s["vegetative_days"]
    never = torch.full_like(stage, float("nan"))
    supplied = b["start_water"] - s["precipitated_water"] - s["irrigated_water"]
    return {
        "plantday": b["plant_day_of_year"],
        "plantyear": b["plant_year"],
        "anthday": torch.where(stage >= 1.0, days, never),
        "matyday": torch.where(mature, days + s["reproductive_days"], never),
        "harvday": age,
        "harvyear": today.year.to(x.dtype).expand_as(stage),
        "transp": s["transpired_water"],
        "pr_season": -s["precipitated_water"],
        "pirnreq": -s["irrigated_water"],
        "runoff": s["runoff_water"],
        "drainage": s["drained_water"],
        "lai_max": s["peak_leaf_area"],
        "water_residual": (model.ledger.total(x, "water") - b["start_water"]) / supplied,
    } | model.record(s, x, p)


def _sow(
    model: CropModel, s: dict[str, Tensor], b: dict[str, Tensor], p: Mapping[str, Tensor],
    today: Today, sow: Tensor,
) -> None:
    sow = sow & (b["active"] < 0.5)
    # a new balance begins; long fallow would outgrow exact sums
    fresh = sow | ((today.day_of_year == 1) & (b["active"] < 0.5)
                   & (s["precipitated_water"] < -LONG_FALLOW))
    for name in model.reservoirs:
        s[name] = torch.where(fresh, 0.0, s[name])
    b["start_water"] = torch.where(fresh, model.stored_water(s), b["start_water"])
    model.sow(s, p, sow)
    b["active"] = torch.where(sow, 1.0, b["active"])
    b["plant_day"] = torch.where(sow, today.day, b["plant_day"])
    b["plant_day_of_year"] = torch.where(sow, today.day_of_year, b["plant_day_of_year"])
    b["plant_year"] = torch.where(sow, today.year, b["plant_year"])
