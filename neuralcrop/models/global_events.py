"""The `global` set: what harvest, tillage, fertiliser and irrigation move, as exact transfers.

``s`` is the state by name and is changed in place. Every amount is whole quanta, leaves one row and
enters another of the same element, so that no jump changes a balance.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from neuralcrop.core.forcing import IRRIGATION_ROWS, SOIL_LAYER_BOTTOM, SOIL_LAYER_THICKNESS
from neuralcrop.core.numerics import NITROGEN_QUANTUM, safe_div, whole
from neuralcrop.models.global_ import CROP_NITROGEN, CROP_STOCKS, MATURE, RIPE, TRIGGER_WIDTH
from neuralcrop.models.orders import Irrigation, Residues
from neuralcrop.processes.water import SoilColumn

ASH_NITROGEN = 0.02
"""Nitrogen of burnt residues that stays with the ash; 98 to 100 % of that of straw is lost (Heard,
Cavers and Adrian 2006, Better Crops 90(3), 10-11)."""

MANURE_CARBON = 14.5
"""Carbon per nitrogen of manure (LPJmL; Herzfeld et al. 2021, doi:10.5194/esd-12-1037-2021)."""

MANURE_AMMONIUM = 2.0 / 3.0
"""Share of manure nitrogen that is ammonium (LPJmL; Herzfeld et al. 2021)."""

CANOPY_STORAGE = 0.2
"""Water that a unit of leaf area keeps, mm (Dickinson 1984; as in LPJmL)."""

SURPLUS_LAYERS = 2
"""Upper layers that a surplus over field capacity wets: 0.5 m (Jaegermeyr et al. 2015,
doi:10.5194/hess-19-3073-2015)."""


def grain(s: Mapping[str, Tensor], element: str = "carbon") -> Tensor:
    """Storage organs of a crop that has flowered, g m-2, ``[cell]``."""
    return torch.where(s["development_stage"] >= 1.0, s[f"storage_{element}"], 0.0)


def harvest(s: dict[str, Tensor], cells: Tensor, shares: Residues) -> None:
    """Take the crop off the cells: grain leaves, residues stay, leave or burn.

    Roots go to the root litter where the state has litter stocks; else all that stays is
    ``litter_carbon``.

    Parameters
    ----------
    s : dict of str to Tensor
        State by name.
    cells : Tensor
        Which cells, ``[cell]``.
    shares : Residues
        Of grain and residues.
    """
    gone = cells.to(s["stem_carbon"].dtype)
    nutrients = "surface_litter_carbon" in s
    taken = gone * _part(grain(s), shares.grain)
    s["harvested_carbon"] = s["harvested_carbon"] + taken
    shoot = gone * (s["leaf_carbon"].sum(dim=0) + s["stem_carbon"] + s["reserve_carbon"]
                    + s["storage_carbon"]) - taken
    roots = gone * s["root_carbon"]
    left = _leave(s, "carbon", shoot, shares)
    if not nutrients:
        s["litter_carbon"] = s["litter_carbon"] + (left + roots)
    else:
        s["surface_litter_carbon"] = s["surface_litter_carbon"] + left
        s["root_litter_carbon"] = s["root_litter_carbon"] + roots
        _harvest_nitrogen(s, gone, shares)
    for name in (*CROP_STOCKS, *(CROP_NITROGEN if nutrients else ())):
        s[name] = s[name] * (1.0 - gone)
    s["development_stage"] = torch.where(cells, MATURE, s["development_stage"])


def _harvest_nitrogen(s: dict[str, Tensor], gone: Tensor, shares: Residues) -> None:
    taken = gone * _part(grain(s, "nitrogen"), shares.grain, NITROGEN_QUANTUM)
    s["harvested_nitrogen"] = s["harvested_nitrogen"] + taken
    shoot = gone * (s["leaf_nitrogen"] + s["stem_nitrogen"] + s["reserve_nitrogen"]
                    + s["storage_nitrogen"]) - taken
    left = _leave(s, "nitrogen", shoot, shares, NITROGEN_QUANTUM)
    s["surface_litter_nitrogen"] = s["surface_litter_nitrogen"] + left
    s["root_litter_nitrogen"] = s["root_litter_nitrogen"] + gone * s["root_nitrogen"]


def _part(amount: Tensor, share: Tensor | None, quantum: float | None = None) -> Tensor:
    """Share of an amount, in whole quanta; all of it where there is no share."""
    if share is None:
        return amount
    part = whole(share * amount) if quantum is None else whole(share * amount, quantum)
    return torch.minimum(part, amount)


def _leave(
    s: dict[str, Tensor], element: str, shoot: Tensor, shares: Residues,
    quantum: float | None = None,
) -> Tensor:
    """Take off and burn residues of one element; what stays on the field."""
    left = shoot
    if shares.removed is not None:
        removed = _part(shoot, shares.removed, quantum)
        name = f"removed_{element}"
        s[name], left = s[name] + removed, left - removed
    if shares.burnt is not None:
        lost = shares.burnt * (1.0 - ASH_NITROGEN) if element == "nitrogen" else shares.burnt
        burnt = torch.minimum(_part(shoot, lost, quantum), left)
        name = f"burnt_{element}"
        s[name], left = s[name] + burnt, left - burnt
    return left


def till(s: dict[str, Tensor], cells: Tensor, share: Tensor) -> None:
    """Work a share of the surface litter into the soil; hydraulics stay as they are."""
    for element, quantum in (("carbon", None), ("nitrogen", NITROGEN_QUANTUM)):
        surface, soil = f"surface_litter_{element}", f"incorporated_litter_{element}"
        moved = torch.where(cells, _part(s[surface], share, quantum), 0.0)
        s[surface], s[soil] = s[surface] - moved, s[soil] + moved


def fertilise(s: dict[str, Tensor], nitrate: Tensor, ammonium: Tensor, manure: Tensor) -> None:
    """Spread nitrogen, g m-2, ``[cell]``: mineral on the top layer, the organic part in the soil.

    Manure brings `MANURE_CARBON` of carbon; `MANURE_AMMONIUM` of its nitrogen is ammonium, the
    rest goes with the carbon to the incorporated litter. Urea counts as ammonium.
    """
    nitrate, ammonium, manure = (
        whole(amount, NITROGEN_QUANTUM) for amount in (nitrate, ammonium, manure))
    mineral = whole(MANURE_AMMONIUM * manure, NITROGEN_QUANTUM)
    carbon = whole(MANURE_CARBON * manure)
    s["nitrate"] = _on_top(s["nitrate"], nitrate)
    s["ammonium"] = _on_top(s["ammonium"], ammonium + mineral)
    s["fertilised_nitrogen"] = s["fertilised_nitrogen"] - (nitrate + ammonium)
    s["manured_nitrogen"] = s["manured_nitrogen"] - manure
    s["incorporated_litter_nitrogen"] = s["incorporated_litter_nitrogen"] + (manure - mineral)
    s["manured_carbon"] = s["manured_carbon"] - carbon
    s["incorporated_litter_carbon"] = s["incorporated_litter_carbon"] + carbon


def _on_top(layers: Tensor, amount: Tensor) -> Tensor:
    return torch.cat(((layers[0] + amount).unsqueeze(0), layers[1:]))


def irrigate(
    s: dict[str, Tensor], column: SoilColumn, bund: Tensor, lai: Tensor, active: Tensor,
    wetness: Tensor, water: Irrigation,
) -> None:
    """Fill the root zone to the target, the field to its mark, and the soil by amounts.

    Parameters
    ----------
    s : dict of str to Tensor
        State by name.
    column : SoilColumn
        Capacities.
    bund, lai : Tensor
        Height of the bund, mm; leaf area index.
    active : Tensor
        Whether a cell has a crop.
    wetness : Tensor
        Relative root-zone water this morning.
    water : Irrigation
        What is asked for.
    """
    stage, soil = s["development_stage"], s["soil_water"]
    system = None if water.system is None else dict(
        zip(IRRIGATION_ROWS, water.system.unbind(0), strict=True))
    wanted = column.wilting + water.target * (column.capacity - column.wilting)
    dry = torch.sigmoid((water.threshold - wetness) / TRIGGER_WIDTH)
    asked = dry * (water.threshold > 0.0) * ((stage < RIPE) & active)
    reached = torch.stack([
        ((s["root_depth"] - (bottom - thickness)) / thickness).clamp(0.0, 1.0)
        for bottom, thickness in zip(SOIL_LAYER_BOTTOM, SOIL_LAYER_THICKNESS, strict=True)])
    if system is None:
        refill = whole(asked * reached * (wanted - soil).clamp_min(0.0))
        added, left = _pour(soil, refill, whole(water.amount), column.saturation)
        s["soil_water"] = soil + added
        s["runoff_water"] = s["runoff_water"] + left
        s["irrigated_water"] = s["irrigated_water"] - added.sum(dim=0) - left
        return
    flooded = (system["high"] > 0.0) & active & (stage >= 0.0) & (stage < system["until"])
    refill = asked * torch.where(flooded, 0.0, reached * (
        _with_surplus(wanted, system["surplus"], column) - soil).clamp_min(0.0))
    low = flooded & (s["ponded_water"] < system["low"])
    refill = torch.where(low, (reached > 0.0) * (column.saturation - soil).clamp_min(0.0), refill)
    pond = torch.where(low, system["high"] - s["ponded_water"], 0.0)
    film = system["canopy"] * CANOPY_STORAGE * lai
    spray = torch.where(flooded, 0.0, asked * film)
    # limits hold for water that is asked for, not for amounts on dates
    efficiency = system["efficiency"]
    gross = (refill.sum(dim=0) + pond + spray) / efficiency
    most = torch.minimum(
        system["daily_limit"], (system["seasonal_limit"] + s["irrigated_water"]).clamp_min(0.0))
    share = safe_div(most, gross, 1.0).clamp(0.0, 1.0)
    refill, pond, spray = whole(share * refill), whole(share * pond), whole(share * spray)
    net = refill.sum(dim=0) + pond + spray
    asked_gross = torch.maximum(whole(net / efficiency), net)
    # dated amounts are what is taken from the source
    amount = whole(water.amount)
    dated = torch.minimum(whole(amount * efficiency), amount)
    on_leaves = torch.minimum(whole(film), dated)
    added, left = _pour(soil, refill, dated - on_leaves, column.saturation)
    held = torch.minimum(left, whole((bund - s["ponded_water"] - pond).clamp_min(0.0)))
    s["soil_water"] = soil + added
    s["ponded_water"] = s["ponded_water"] + pond + held
    s["intercepted_water"] = s["intercepted_water"] + spray + on_leaves
    s["runoff_water"] = s["runoff_water"] + (left - held)
    s["conveyance_water"] = s["conveyance_water"] + (asked_gross - net) + (amount - dated)
    s["irrigated_water"] = s["irrigated_water"] - asked_gross - amount


def _with_surplus(wanted: Tensor, surplus: Tensor, column: SoilColumn) -> Tensor:
    """Targets of the layers, with a share of the range above capacity in the upper ones."""
    upper = surplus * (column.saturation - column.capacity)[:SURPLUS_LAYERS]
    return torch.cat((wanted[:SURPLUS_LAYERS] + upper, wanted[SURPLUS_LAYERS:]))


def _pour(
    soil: Tensor, refill: Tensor, amount: Tensor, saturation: Tensor
) -> tuple[Tensor, Tensor]:
    """Fill layers from the top by an amount, after their refill: what enters, and what is left."""
    layers, left = [], amount
    for k in range(soil.shape[0]):
        room = whole((saturation[k] - soil[k] - refill[k]).clamp_min(0.0))
        taken = torch.minimum(left, room)
        left = left - taken
        layers.append(refill[k] + taken)
    return torch.stack(layers), left
