"""A crop in a pot of soil nitrogen: prescribed weather, simple carbon, the nitrogen processes."""

import torch
from torch import Tensor

from neuralcrop.core.numerics import donor_limit, limit_demand
from neuralcrop.physics import allocation
from neuralcrop.processes.nitrogen import CropNitrogen, NitrogenStress

F64 = torch.float64
THICKNESS = torch.tensor([200.0, 300.0, 500.0, 1000.0, 1000.0], dtype=F64).unsqueeze(-1)
ROOT_SHARE = torch.tensor([0.55, 0.3, 0.15, 0.0, 0.0], dtype=F64).unsqueeze(-1)

WHEAT = {
    "carbon_fraction": 0.45,
    "leaf_nitrogen_maximum":
        [0.06, 0.05, 0.04, 0.0333, 0.0267, 0.02, 0.0188, 0.0176, 0.0164, 0.0152, 0.014],
    "leaf_nitrogen_residual": 0.004, "stem_nitrogen_ratio": 0.5, "root_nitrogen_ratio": 0.5,
    "storage_nitrogen_maximum": 0.0176, "storage_nitrogen_minimum": 0.5, "seed_nitrogen": 0.045,
    "nitrogen_critical": 0.9, "nitrogen_capacity_half": 2.0, "nitrogen_leaf_sensitivity": 1.0,
    "nitrogen_leaf_loss": 0.03, "nitrogen_refill_time": 2.0, "nitrogen_buffer": 2.0,
    "translocation_time": 10.0, "translocation_stage": 0.8, "nitrogen_resorption": 0.8,
    "nitrogen_uptake_stage": 1.3, "largest_nitrogen_uptake": 0.72,
    "nitrate_uptake_rate": 11.0, "ammonium_uptake_rate": 11.0, "nitrate_half_saturation": 0.7,
    "ammonium_half_saturation": 0.45, "uptake_floor": 0.05, "uptake_moisture_half": 0.1,
    "fixation_share": 0.0, "fixation_cost": 6.0, "fixation_cold": 5.0, "fixation_warm": 20.0,
}
"""Winter wheat (WOFOST 8.1; LPJmL kinetics), as a catalogue would give it."""

SOYBEAN = WHEAT | {
    "leaf_nitrogen_maximum":
        [0.06, 0.05, 0.04, 0.0367, 0.0333, 0.03, 0.0299, 0.0297, 0.0296, 0.0294, 0.0293],
    "leaf_nitrogen_residual": 0.00933, "storage_nitrogen_maximum": 0.056,
    "storage_nitrogen_minimum": 0.75, "nitrogen_uptake_stage": 1.7, "fixation_share": 0.8,
}

SHARES = tuple(torch.tensor(nodes, dtype=F64).unsqueeze(-1) for nodes in (
    (0.5, 0.34, 0.2, 0.13, 0.07, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.65, 0.68, 0.54, 0.35, 0.15, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.35, 0.32, 0.46, 0.65, 0.85, 1.0, 0.0, 0.0, 0.0, 0.0, 0.0),
    (0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 1.0, 1.0, 1.0, 1.0),
))
"""Roots, leaves, stems and storage over development stage."""


def parameters(values: dict, cells: int) -> dict[str, Tensor]:
    """Per-cell parameters."""
    tensors = {name: torch.tensor(value, dtype=F64) for name, value in values.items()}
    return {name: v.unsqueeze(-1).expand(*v.shape, cells) for name, v in tensors.items()}


def season(p: dict[str, Tensor], mineral: Tensor, days: int = 150, parts=None) -> dict:
    """Grow a crop on ``mineral`` nitrogen (g m-2, ``[cell]``) and return what it holds.

    Carbon is a light-use model: 16 g m-2 d-1 at full light and nitrogen, less by respiration.
    """
    stress, crop = parts or (NitrogenStress(), CropNitrogen())
    zero = torch.zeros_like(mineral)
    carbon = torch.stack((zero + 3.0, zero, zero + 3.0, zero))
    seed = crop.seed(p, carbon[0], carbon[2])
    nitrogen = torch.stack((seed[0], zero, seed[1], zero))
    reserve, reserve_carbon = zero, zero
    nitrate, ammonium = 0.7 * mineral * ROOT_SHARE, 0.3 * mineral * ROOT_SHARE
    start = nitrogen.sum(dim=0) + mineral
    total = dict.fromkeys(("litter", "fixed", "uptake", "spent"), zero)
    lowest, statuses = zero, []
    stage = zero
    for _ in range(days):
        growing = (stage < 2.0).to(F64)
        state = stress(p, stage, carbon, nitrogen, reserve, None)
        lai = 0.0471 * carbon[0]
        gpp = growing * 16.0 * state.vcmax_factor * -torch.expm1(-0.5 * lai)
        reserve_carbon = reserve_carbon + gpp
        available = donor_limit(reserve_carbon, 1.0, 1.0) * growing
        share = allocation.partition(stage, *SHARES, 0.0, 0.2)
        growth = 0.7 * available * torch.stack((
            share.leaf * state.leaf_sink_factor, share.stem, share.root,
            share.storage * state.storage_sink_factor)).clamp_min(0.0)
        late = growing * (stage > 1.2).to(F64)
        loss = torch.stack((
            donor_limit(carbon[0], growing * state.leaf_death_rate + 0.04 * late, 1.0),
            donor_limit(carbon[1], 0.002 * late, 1.0), donor_limit(carbon[2], 0.02 * late, 1.0)))
        spare = (reserve_carbon - growth.sum(dim=0) / 0.7).clamp_min(0.0)
        needs = crop.needs(p, stage, growing, carbon, nitrogen, reserve, growth, loss, 1.0)
        asked = crop.demand_by_layer(
            p, needs.uptake, carbon[2], ROOT_SHARE, nitrate, ammonium, 0.46 * THICKNESS,
            zero + 15.0, 0.8 + zero.expand(5, -1), None)
        given = [limit_demand(pool, wish, 1.0)
                 for pool, wish in zip((nitrate, ammonium), asked, strict=True)]
        v = crop.distribute(
            p, needs, growing, reserve, *given, zero + 20.0, zero + 0.8, spare, 1.0)
        nitrate, ammonium = nitrate - v.nitrate_uptake, ammonium - v.ammonium_uptake
        uptake = (v.nitrate_uptake + v.ammonium_uptake).sum(dim=0)
        filled = torch.stack((v.leaf_nitrogen_growth, v.stem_nitrogen_growth,
                              v.root_nitrogen_growth, v.storage_nitrogen_growth))
        back = torch.stack((v.leaf_nitrogen_translocation, v.stem_nitrogen_translocation,
                            v.root_nitrogen_translocation, zero))
        lost = torch.stack((v.leaf_nitrogen_loss, v.stem_nitrogen_loss, v.root_nitrogen_loss,
                            zero))
        nitrogen = nitrogen + filled - back - lost
        reserve = (reserve + uptake + v.nitrogen_fixation + back.sum(dim=0)
                   - filled.sum(dim=0))
        carbon = carbon + growth - torch.cat((loss, zero.unsqueeze(0)))
        reserve_carbon = spare - v.fixation_respiration
        total["litter"] = total["litter"] + lost.sum(dim=0)
        total["fixed"] = total["fixed"] + v.nitrogen_fixation
        total["uptake"] = total["uptake"] + uptake
        total["spent"] = total["spent"] + v.fixation_respiration
        lowest = torch.minimum(lowest, torch.cat((
            nitrogen, carbon, nitrate, ammonium, torch.stack((reserve, reserve_carbon)))).amin(0))
        statuses.append(state.status)
        stage = (stage + growing * 2.0 / days).clamp_max(2.0)
    end = (nitrogen.sum(dim=0) + reserve + nitrate.sum(dim=0) + ammonium.sum(dim=0)
           + total["litter"] - total["fixed"])
    return total | {
        "carbon": carbon, "nitrogen": nitrogen, "reserve": reserve, "residual": end - start,
        "lowest": lowest, "status": torch.stack(statuses)}
