"""Jumps between days: harvest, sowing, fertiliser, irrigation. Exact transfers, by masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.forcing import GIFT_ROWS, N_GIFTS, PLAN_ROWS, RESIDUE_ROWS
from neuralcrop.core.state import Layout
from neuralcrop.core.variables import HARVEST_REASONS
from neuralcrop.models.crop_model import NUTRIENT_RECORD, WATER_CARBON_RECORD, CropModel
from neuralcrop.models.orders import Irrigation, Residues

SHORTEST_SEASON = 30.0
"""No crop is harvested sooner after sowing, d; so a month holds at most one harvest a cell."""

LONG_FALLOW = 2000.0
"""Precipitation on fallow after which its water balance starts anew at New Year, mm."""

BARE_DAYS = 20.0
"""Days without leaves after which a crop is given up, d."""

LOOK_DAYS = 5
"""Days between looks for crops without leaves, d."""

RECORD = (*WATER_CARBON_RECORD, *NUTRIENT_RECORD)
"""Outputs of a season, written at harvest; a model gives those of its `record_names`."""

SEASON = Layout({
    **dict.fromkeys((
        "active", "plant_day", "plant_day_of_year", "plant_year", "harvests", "start_water",
        "start_carbon", "start_nitrogen", "bare_since", "slot"), 1),
    "given": N_GIFTS, **{f"last_{name}": 1 for name in RECORD}})
"""Bookkeeping of seasons, changed by jumps only: the running season and the last one's record.

``bare_since`` is the day since which a crop has had no leaves plus 1, 0 for none; ``slot`` the
place of the crop in its sequence; ``given`` which gifts of the fertiliser plan are spread.
"""


class Today(NamedTuple):
    """Calendar of a day: index since the epoch, day of year, year; scalar tensors."""

    day: Tensor
    day_of_year: Tensor
    year: Tensor


class Orders(NamedTuple):
    """What management asks for on a day, ``[cell]``.

    Day of year of sowing and of fixed harvest (0 for none), irrigation trigger and target
    (relative water), dated irrigation (mm). What follows may be None: the slot that is sown today,
    crops, and the tensors of `neuralcrop.core.forcing.Management`. In a sequence all but the days
    of sowing, their slot, dated irrigation and dated gifts lead with a dimension of slots.
    """

    sowing_day: Tensor
    harvest_day: Tensor
    irrigation_threshold: Tensor
    irrigation_target: Tensor
    irrigation: Tensor
    sown_slot: Tensor | None = None
    crop: Tensor | None = None
    irrigation_system: Tensor | None = None
    fertiliser_plan: Tensor | None = None
    gifts: Tensor | None = None
    residues: Tensor | None = None
    tillage: Tensor | None = None

    def of(self, slot: Tensor) -> Orders:
        """Orders of the crop in a slot."""
        fixed = ("sowing_day", "irrigation", "sown_slot", "gifts")
        return self._replace(**{
            name: chosen(value, slot) for name, value in self._asdict().items()
            if value is not None and name not in fixed})


def chosen(values: Tensor, slot: Tensor) -> Tensor:
    """Entries of a slot: ``[..., cell]`` of ``[slot, ..., cell]`` by ``[cell]``."""
    index = slot.long().expand(1, *values.shape[1:])
    return values.gather(0, index)[0]


def start_season(n_cells: int, dtype: torch.dtype, device: torch.device) -> Tensor:
    """Bookkeeping with no crop and no record, ``[season row, cell]``."""
    return torch.zeros(SEASON.n_rows, n_cells, dtype=dtype, device=device)


def jump(
    model: CropModel, x: Tensor, season: Tensor, p: Tensor, place: Any, today: Today,
    orders: Orders,
) -> tuple[Tensor, Tensor]:
    """Events at the start of a day.

    Order: harvest (mature, latest date, fixed date, failed, or to make room for the next sowing)
    with residues and tillage, sowing with tillage, fertiliser, irrigation. Every transfer leaves
    one row and enters another of the same element.

    Parameters
    ----------
    model : CropModel
        Says what harvest, sowing, fertiliser and irrigation do to its state.
    x, season : Tensor
        State ``[state row, cell]`` and bookkeeping ``[season row, cell]``.
    p : Tensor
        Parameters, ``[parameter row, cell]``; of sequences ``[slot, parameter row, cell]``.
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
    s, b = model.state.view(x), SEASON.view(season)
    sequence = p.dim() == 3
    p_now, now = (chosen(p, b["slot"]), orders.of(b["slot"])) if sequence else (p, orders)
    wetness = model.diagnostics(x, p_now, place)["root_zone_wetness"]
    sow = (orders.sowing_day == today.day_of_year) & (orders.sowing_day > 0)
    harvest, failed = _harvest(model, s, b, x, p_now, today, now, sow)
    model.harvest(s, harvest, _residues(now, failed), now.tillage)
    if sequence and orders.sown_slot is not None:
        b["slot"] = torch.where(
            sow & (b["active"] < 0.5), orders.sown_slot.to(x.dtype), b["slot"])
        p_now, now = chosen(p, b["slot"]), orders.of(b["slot"])
    named = model.table.layout.view(p_now)
    _sow(model, s, b, named, today, sow, now.tillage)
    _fertilise(model, s, b, today, now)
    model.irrigate(
        s, named, place, b["active"] > 0.5, wetness, Irrigation(
            now.irrigation_threshold, now.irrigation_target, now.irrigation,
            now.irrigation_system))
    return model.state.stack(s), SEASON.stack(b)


def _residues(orders: Orders, failed: Tensor | None) -> Residues:
    """Shares of the harvest; all of a failed crop stays on the field."""
    if orders.residues is None:
        return Residues()
    shares = dict(zip(RESIDUE_ROWS, orders.residues.unbind(0), strict=True))
    if failed is not None:
        shares = {name: torch.where(failed, 0.0, share) for name, share in shares.items()}
    return Residues(**shares)


def _harvest(
    model: CropModel, s: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, p: Tensor,
    today: Today, orders: Orders, sow: Tensor,
) -> tuple[Tensor, Tensor | None]:
    """Book the harvests of the day; which cells, and which of them failed."""
    named = model.table.layout.view(p)
    age = today.day - b["plant_day"]
    standing = (b["active"] > 0.5) & (age >= SHORTEST_SEASON)
    mature = model.ripe(x, p)
    fixed = (orders.harvest_day == today.day_of_year) & (orders.harvest_day > 0)
    by_maturity = mature & (orders.harvest_day == 0)
    failed = _failed(model, s, b, x, p, today, age) if model.can_fail else None
    latest = (age >= named["maximum_season"]) | sow
    harvest = standing & (by_maturity | fixed | latest)
    reason = torch.where(
        fixed, float(HARVEST_REASONS.index("fixed_date")),
        torch.where(mature, float(HARVEST_REASONS.index("mature")),
                    float(HARVEST_REASONS.index("latest_date")))).to(x.dtype)
    if failed is not None:
        harvest = harvest | (standing & failed)
        reason = torch.where(failed, float(HARVEST_REASONS.index("failed")), reason)
        b["bare_since"] = torch.where(harvest, 0.0, b["bare_since"])
    record = _record(
        model, s, b, x, p, today, age, mature, orders, _residues(orders, failed)
    ) | {"harvest_reason": reason}
    for name in model.record_names:
        b[f"last_{name}"] = torch.where(harvest, record[name], b[f"last_{name}"])
    b["harvests"] = b["harvests"] + harvest.to(x.dtype)
    b["active"] = torch.where(harvest, 0.0, b["active"])
    return harvest, failed


def _failed(
    model: CropModel, s: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, p: Tensor,
    today: Today, age: Tensor,
) -> Tensor:
    """Crops that stayed without leaves, or in the ground, for too long."""
    look = today.day % LOOK_DAYS == 0
    active = b["active"] > 0.5
    bare = active & model.bare(x, p)
    marked = torch.where(b["bare_since"] > 0.0, b["bare_since"], today.day + 1.0)
    b["bare_since"] = torch.where(
        look, torch.where(bare, marked, 0.0), b["bare_since"])
    without_leaves = look & (b["bare_since"] > 0.0) & (
        today.day + 1.0 - b["bare_since"] >= BARE_DAYS)
    in_the_ground = (s["development_stage"] < 0.0) & (age >= model.emergence_limit(p))
    return active & (without_leaves | in_the_ground)


def _record(
    model: CropModel, s: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, p: Tensor,
    today: Today, age: Tensor, mature: Tensor, orders: Orders, residues: Residues,
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
        "crop": torch.zeros_like(stage) if orders.crop is None else orders.crop.to(x.dtype),
    } | model.record(s, x, p, b, residues)


def _sow(
    model: CropModel, s: dict[str, Tensor], b: dict[str, Tensor], p: Mapping[str, Tensor],
    today: Today, sow: Tensor, tillage: Tensor | None,
) -> None:
    sow = sow & (b["active"] < 0.5)
    # a new balance begins; long fallow would outgrow exact sums
    fresh = sow | ((today.day_of_year == 1) & (b["active"] < 0.5)
                   & (s["precipitated_water"] < -LONG_FALLOW))
    for name in model.reservoirs:
        s[name] = torch.where(fresh, 0.0, s[name])
    b["start_water"] = torch.where(fresh, model.stored_water(s), b["start_water"])
    for element in ("carbon", "nitrogen"):
        held = model.stored(s, element)
        if held is not None:
            b[f"start_{element}"] = torch.where(fresh, held, b[f"start_{element}"])
    model.sow(s, p, sow, tillage)
    b["active"] = torch.where(sow, 1.0, b["active"])
    b["plant_day"] = torch.where(sow, today.day, b["plant_day"])
    b["plant_day_of_year"] = torch.where(sow, today.day_of_year, b["plant_day_of_year"])
    b["plant_year"] = torch.where(sow, today.year, b["plant_year"])
    b["given"] = torch.where(sow, 0.0, b["given"])


def _fertilise(
    model: CropModel, s: dict[str, Tensor], b: dict[str, Tensor], today: Today, orders: Orders
) -> None:
    """Gifts of the plan that are due, and those of the date."""
    amounts = None if orders.gifts is None else dict(
        zip(GIFT_ROWS, orders.gifts.unbind(0), strict=True))
    if orders.fertiliser_plan is not None:
        plan = dict(zip(PLAN_ROWS, orders.fertiliser_plan.unbind(0), strict=True))
        due = due_gifts(plan, b, today.day, s["development_stage"])
        b["given"] = torch.where(due, 1.0, b["given"])
        planned = {name: torch.where(due, plan[name], 0.0).sum(dim=0) for name in GIFT_ROWS}
        amounts = planned if amounts is None else {
            name: amounts[name] + planned[name] for name in GIFT_ROWS}
    if amounts is not None:
        model.fertilise(s, **amounts)


def due_gifts(
    plan: Mapping[str, Tensor], book: Mapping[str, Tensor], day: Tensor | float, stage: Tensor
) -> Tensor:
    """Which gifts of the plan are due, ``[gift, cell]``."""
    wanted = plan["nitrate"] + plan["ammonium"] + plan["manure"] > 0.0
    return (wanted & (book["active"] > 0.5) & (book["given"] < 0.5)
            & (day - book["plant_day"] >= plan["day"]) & (stage >= plan["stage"]))
