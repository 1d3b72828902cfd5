"""Jumps between days: harvest, sowing, irrigation. Mass-conserving, per cell, by masks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.forcing import SOIL_LAYER_BOTTOM, SOIL_LAYER_THICKNESS
from neuralcrop.core.ledger import Ledger
from neuralcrop.core.numerics import whole
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.core.state import Layout
from neuralcrop.core.variables import HARVEST_REASONS
from neuralcrop.models.global_ import RESERVOIRS, STATE
from neuralcrop.processes.water import SoilColumn

EVENT_SPECS = (
    ParameterSpec("seed_carbon", "g m-2", "carbon sown"),
    ParameterSpec("carbon_fraction", "1", "carbon in the dry matter of the crop"),
    ParameterSpec("maximum_season", "d", "latest harvest after sowing"),
)
"""Parameters that events read."""

SHORTEST_SEASON = 30.0
"""No crop is harvested sooner after sowing, d; so a month holds at most one harvest a cell."""

SOWN, MATURE = -0.1, 2.0
"""Development stage at sowing and at maturity; fallow cells keep the stage of maturity."""

INITIAL_ROOT_DEPTH = 0.1
"""Rooting depth at sowing, m (Supit et al. 1994)."""

TRIGGER_WIDTH = 0.02
"""Softness of the irrigation trigger, in relative root-zone water."""

LONG_FALLOW = 2000.0
"""Precipitation on fallow after which its water balance starts anew at New Year, mm."""

TONNES_PER_GRAM = 0.01
"""g m-2 to t ha-1."""

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

_LEDGER = Ledger(STATE)


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
    x: Tensor, season: Tensor, wetness: Tensor, p: Mapping[str, Tensor], column: SoilColumn,
    today: Today, orders: Orders,
) -> tuple[Tensor, Tensor]:
    """Events at the start of a day.

    Order: harvest (mature, latest date, fixed date, or to make room for the next sowing), sowing,
    irrigation. Every transfer leaves one row and enters another of the same element.

    Parameters
    ----------
    x, season : Tensor
        State ``[state row, cell]`` and bookkeeping ``[season row, cell]``.
    wetness : Tensor
        Relative root-zone water this morning, ``[cell]``.
    p : mapping
        Parameters by name.
    column : SoilColumn
        The soil.
    today : Today
        Calendar.
    orders : Orders
        Management.

    Returns
    -------
    tuple of Tensor
        New state and bookkeeping.
    """
    s, b = STATE.view(x), SEASON.view(season)
    sow = (orders.sowing_day == today.day_of_year) & (orders.sowing_day > 0)
    _harvest(s, b, x, p, today, orders, sow)
    _sow(s, b, p, today, sow)
    _irrigate(s, b, p, column, wetness, orders)
    return STATE.stack(s), SEASON.stack(b)


def _harvest(
    s: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, p: Mapping[str, Tensor], today: Today,
    orders: Orders, sow: Tensor,
) -> None:
    age = today.day - b["plant_day"]
    standing = (b["active"] > 0.5) & (age >= SHORTEST_SEASON)
    mature = s["development_stage"] >= MATURE - 1e-6
    fixed = (orders.harvest_day == today.day_of_year) & (orders.harvest_day > 0)
    by_maturity = mature & (orders.harvest_day == 0)
    latest = (age >= p["maximum_season"]) | sow
    harvest = standing & (by_maturity | fixed | latest)
    reason = torch.where(
        fixed, float(HARVEST_REASONS.index("fixed_date")),
        torch.where(mature, float(HARVEST_REASONS.index("mature")),
                    float(HARVEST_REASONS.index("latest_date")))).to(x.dtype)
    record = _record(s, b, x, p, today, age, reason)
    for name in RECORD:
        b[f"last_{name}"] = torch.where(harvest, record[name], b[f"last_{name}"])
    b["harvests"] = b["harvests"] + harvest.to(x.dtype)
    b["active"] = torch.where(harvest, 0.0, b["active"])

    gone = harvest.to(x.dtype)
    grain = _grain(s)
    s["harvested_carbon"] = s["harvested_carbon"] + gone * grain
    residue = (s["leaf_carbon"].sum(dim=0) + s["stem_carbon"] + s["root_carbon"]
               + s["reserve_carbon"] + (s["storage_carbon"] - grain))
    s["litter_carbon"] = s["litter_carbon"] + gone * residue
    for name in ("leaf_carbon", "stem_carbon", "root_carbon", "storage_carbon", "reserve_carbon"):
        s[name] = s[name] * (1.0 - gone)
    s["development_stage"] = torch.where(harvest, MATURE, s["development_stage"])


def _record(
    s: dict[str, Tensor], b: dict[str, Tensor], x: Tensor, p: Mapping[str, Tensor], today: Today,
    age: Tensor, reason: Tensor,
) -> dict[str, Tensor]:
    leaf = s["leaf_carbon"].sum(dim=0)
    shoot = leaf + s["stem_carbon"] + s["storage_carbon"] + s["reserve_carbon"]
    to_yield = TONNES_PER_GRAM / p["carbon_fraction"]
    stage = s["development_stage"]
    never = torch.full_like(stage, float("nan"))
    days = s["vegetative_days"]
    supplied = b["start_water"] - s["precipitated_water"] - s["irrigated_water"]
    fixed = -(s["seed_carbon"] + s["assimilated_carbon"])
    return {
        "yield": _grain(s) * to_yield,
        "biom": shoot * to_yield,
        "plantday": b["plant_day_of_year"],
        "plantyear": b["plant_year"],
        "anthday": torch.where(stage >= 1.0, days, never),
        "matyday": torch.where(stage >= MATURE - 1e-6, days + s["reproductive_days"], never),
        "harvday": age,
        "harvyear": today.year.to(x.dtype).expand_as(stage),
        "harvest_reason": reason,
        "gpp": -s["assimilated_carbon"],
        "transp": s["transpired_water"],
        "evap": s["evaporated_water"] + s["intercepted_water"] + s["sublimated_water"],
        "pr_season": -s["precipitated_water"],
        "pirnreq": -s["irrigated_water"],
        "runoff": s["runoff_water"],
        "drainage": s["drained_water"],
        "lai_max": s["peak_leaf_area"],
        "water_residual": (_LEDGER.total(x, "water") - b["start_water"]) / supplied,
        "carbon_residual": _LEDGER.total(x, "carbon") / fixed.clamp_min(1e-6),
    }


def _grain(s: dict[str, Tensor]) -> Tensor:
    """Carbon of the harvest: storage organs of a crop that has flowered; g m-2, ``[cell]``."""
    return torch.where(s["development_stage"] >= 1.0, s["storage_carbon"], 0.0)


def _sow(
    s: dict[str, Tensor], b: dict[str, Tensor], p: Mapping[str, Tensor], today: Today, sow: Tensor,
) -> None:
    sow = sow & (b["active"] < 0.5)
    # a new balance begins; long fallow would outgrow exact sums
    fresh = sow | ((today.day_of_year == 1) & (b["active"] < 0.5)
                   & (s["precipitated_water"] < -LONG_FALLOW))
    for name in RESERVOIRS:
        s[name] = torch.where(fresh, 0.0, s[name])
    stored = s["soil_water"].sum(dim=0) + s["snow_water"]
    b["start_water"] = torch.where(fresh, stored, b["start_water"])
    seed = torch.where(sow, whole(p["seed_carbon"]), 0.0)
    to_root = whole(p["root_share"][0].clamp(0.0, 1.0) * seed)
    s["seed_carbon"] = s["seed_carbon"] - seed
    s["root_carbon"] = s["root_carbon"] + to_root
    leaf = s["leaf_carbon"]
    s["leaf_carbon"] = torch.cat(((leaf[0] + (seed - to_root)).unsqueeze(0), leaf[1:]))
    for name, value in (
        ("development_stage", SOWN), ("vernalisation_days", 0.0), ("vegetative_days", 0.0),
        ("reproductive_days", 0.0), ("grain_set", 1.0), ("root_depth", INITIAL_ROOT_DEPTH),
        ("peak_leaf_area", 0.0),
    ):
        s[name] = torch.where(sow, value, s[name])
    b["active"] = torch.where(sow, 1.0, b["active"])
    b["plant_day"] = torch.where(sow, today.day, b["plant_day"])
    b["plant_day_of_year"] = torch.where(sow, today.day_of_year, b["plant_day_of_year"])
    b["plant_year"] = torch.where(sow, today.year, b["plant_year"])


def _irrigate(
    s: dict[str, Tensor], b: dict[str, Tensor], p: Mapping[str, Tensor], column: SoilColumn,
    wetness: Tensor, orders: Orders,
) -> None:
    water = s["soil_water"]
    wanted = column.wilting + orders.irrigation_target * (column.capacity - column.wilting)
    dry = torch.sigmoid((orders.irrigation_threshold - wetness) / TRIGGER_WIDTH)
    growing = (s["development_stage"] < MATURE - 1e-6) & (b["active"] > 0.5)
    asked = dry * (orders.irrigation_threshold > 0.0) * growing
    layers = []
    left = whole(orders.irrigation)
    for k, (bottom, thickness) in enumerate(
            zip(SOIL_LAYER_BOTTOM, SOIL_LAYER_THICKNESS, strict=True)):
        reached = ((s["root_depth"] - (bottom - thickness)) / thickness).clamp(0.0, 1.0)
        refill = whole(asked * reached * (wanted[k] - water[k]).clamp_min(0.0))
        room = whole((column.saturation[k] - water[k] - refill).clamp_min(0.0))
        taken = torch.minimum(left, room)
        left = left - taken
        layers.append(refill + taken)
    added = torch.stack(layers)
    s["soil_water"] = water + added
    s["runoff_water"] = s["runoff_water"] + left
    s["irrigated_water"] = s["irrigated_water"] - added.sum(dim=0) - left

