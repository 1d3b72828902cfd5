"""Nitrogen of the crop: its status, demand, uptake, fixation, distribution and losses."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core.numerics import clip01, donor_limit, row_sum, safe_div
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics import nitrogen_demand as demand
from neuralcrop.physics import nitrogen_uptake as uptake
from neuralcrop.processes.base import Parameters, Process
from neuralcrop.processes.growth import STAGE_NODES, STAGE_SPACING, STAGE_WIDTH

RESERVE_TURNOVER = 3.0
"""Rate at which organs may draw on the nitrogen reserve, d-1: nearly all of it within a day."""

UPTAKE_END_WIDTH = 0.05
"""Width over development stage of the end of uptake."""

MILLIMETRE = 1e-3
"""Metres."""


class Stress(NamedTuple):
    """What nitrogen status does to the crop of a day, ``[cell]``; 1 (or 0 d-1) without stress."""

    status: Tensor | float
    vcmax_factor: Tensor | float
    leaf_sink_factor: Tensor | float
    leaf_death_rate: Tensor | float
    storage_sink_factor: Tensor | float


NO_STRESS = Stress(1.0, 1.0, 1.0, 0.0, 1.0)
"""Enough nitrogen at all times."""


class Needs(NamedTuple):
    """Demands and inner movements of nitrogen, g m-2 d-1.

    ``organs`` is ``[leaf, stem, root, storage; cell]``, ``lost``, ``resorbed`` and
    ``translocated`` ``[leaf, stem, root; cell]``; ``wanted`` is what the crop would take in and
    ``uptake`` the part it asks the soil for, ``[cell]``.
    """

    organs: Tensor
    lost: Tensor
    resorbed: Tensor
    translocated: Tensor
    wanted: Tensor
    uptake: Tensor


class CropNitrogenFluxes(NamedTuple):
    """Fluxes by their names, g m-2 d-1; uptake ``[layer, cell]``, the others ``[cell]``.

    All are nitrogen but the last, the carbon spent on fixation.
    """

    nitrate_uptake: Tensor
    ammonium_uptake: Tensor
    nitrogen_fixation: Tensor
    leaf_nitrogen_growth: Tensor
    stem_nitrogen_growth: Tensor
    root_nitrogen_growth: Tensor
    storage_nitrogen_growth: Tensor
    leaf_nitrogen_translocation: Tensor
    stem_nitrogen_translocation: Tensor
    root_nitrogen_translocation: Tensor
    leaf_nitrogen_loss: Tensor
    stem_nitrogen_loss: Tensor
    root_nitrogen_loss: Tensor
    fixation_respiration: Tensor


def highest(p: Parameters, development_stage: Tensor) -> Tensor:
    """Highest nitrogen per carbon of leaves, stems, roots and storage, ``[4, cell]``."""
    return demand.maximum_concentration(
        development_stage, p["leaf_nitrogen_maximum"], p["stem_nitrogen_ratio"],
        p["root_nitrogen_ratio"], p["storage_nitrogen_maximum"], 0.0, STAGE_SPACING,
    ) / p["carbon_fraction"]


def residual(p: Parameters) -> Tensor:
    """Nitrogen per carbon that dead leaves, stems and roots keep, ``[3, cell]``."""
    leaf = p["leaf_nitrogen_residual"] / p["carbon_fraction"]
    return torch.stack((leaf, leaf * p["stem_nitrogen_ratio"], leaf * p["root_nitrogen_ratio"]))


class NitrogenStress(Process):
    """Effect of the morning's nitrogen on capacity, leaf growth, leaf death and storage growth.

    Capacity follows leaf nitrogen relative to the critical concentration, as in WOFOST 8.1. Growth
    and death of leaves follow the status of LINTUL3, the concentration between the residual and
    the critical one. Storage organs are diluted down to a lowest concentration and then wait.

    Sources: Shibu et al. (2010) doi:10.1016/j.eja.2010.01.003; WOFOST 8.1 as in PCSE 6; Kattge et
    al. (2009) doi:10.1111/j.1365-2486.2008.01744.x.
    """

    specs = (
        ParameterSpec("nitrogen_critical", "1", "critical over highest leaf nitrogen"),
        ParameterSpec("nitrogen_capacity_half", "1", "relative leaf nitrogen of half the limit"),
        ParameterSpec("nitrogen_leaf_sensitivity", "1", "response of leaf growth to the status"),
        ParameterSpec("nitrogen_leaf_loss", "d-1", "loss of leaves without nitrogen"),
        ParameterSpec("storage_nitrogen_minimum", "1", "lowest over highest nitrogen of storage"),
    )
    slots = ("nitrogen_stress",)
    nitrogen_stress: Closure

    def forward(
        self, p: Parameters, development_stage: Tensor, carbon: Tensor, nitrogen: Tensor,
        reserve: Tensor, features: Features | None,
    ) -> Stress:
        """Factors of the day from the stocks of the morning.

        Parameters
        ----------
        p : mapping
            Parameters.
        development_stage : Tensor
            ``[cell]``.
        carbon, nitrogen : Tensor
            Leaves, stems, roots and storage organs, g m-2, ``[4, cell]``.
        reserve : Tensor
            Nitrogen of the reserve, g m-2, ``[cell]``.
        features : Features or None
            For a neural closure.
        """
        most, least = highest(p, development_stage), residual(p)
        critical = p["nitrogen_critical"] * most[0]
        status = demand.nutrition_index(carbon[0], nitrogen[0], critical, least[0])
        capacity = demand.capacity_factor(
            carbon[0], nitrogen[0], critical, p["nitrogen_capacity_half"])
        mobile = reserve + (nitrogen[:3] - least * carbon[:3]).clamp_min(0.0).sum(dim=0)
        return Stress(
            status,
            self.nitrogen_stress(capacity, features).clamp(demand.LEAST, 1.0),
            demand.leaf_growth_factor(status, p["nitrogen_leaf_sensitivity"]),
            demand.leaf_death_rate(status, p["nitrogen_leaf_loss"]),
            demand.storage_growth_factor(
                carbon[3], nitrogen[3], mobile, p["storage_nitrogen_minimum"] * most[3]),
        )


class CropNitrogen(Process):
    """Demand by organ, uptake by layer, fixation, distribution, translocation and losses.

    All nitrogen passes through a reserve: uptake and fixation enter it, organs draw on it (storage
    first, then leaves, stems and roots in proportion to their demands, so that the pattern of the
    highest concentrations is kept), and what leaves them alive returns to it. Storage organs are
    filled from vegetative organs above their residual concentration. Dead tissue keeps the
    residual concentration and the share that is not resorbed.

    Sources: WOFOST 8.1 as in PCSE 6 for demand and translocation; von Bloh et al. (2018)
    doi:10.5194/gmd-11-2789-2018 for the kinetics of uptake, Wirth et al. (2024)
    doi:10.5194/gmd-17-7889-2024 for the cost of fixation. Uptake never exceeds the demand.
    """

    specs = (
        ParameterSpec("leaf_nitrogen_maximum", "1", "highest leaf nitrogen in dry matter",
                      STAGE_NODES),
        ParameterSpec("stem_nitrogen_ratio", "1", "concentration of stems over that of leaves"),
        ParameterSpec("root_nitrogen_ratio", "1", "concentration of roots over that of leaves"),
        ParameterSpec("storage_nitrogen_maximum", "1", "highest storage nitrogen in dry matter"),
        ParameterSpec("leaf_nitrogen_residual", "1", "nitrogen of dead leaves in dry matter"),
        ParameterSpec("seed_nitrogen", "1", "nitrogen of the first organs in dry matter"),
        ParameterSpec("nitrogen_refill_time", "d", "time to refill a deficit of an organ"),
        ParameterSpec("nitrogen_buffer", "d", "demand that the reserve holds"),
        ParameterSpec("translocation_time", "d", "time constant of translocation to storage"),
        ParameterSpec("translocation_stage", "1", "development stage of first translocation"),
        ParameterSpec("nitrogen_resorption", "1", "nitrogen above residual saved as organs die"),
        ParameterSpec("nitrogen_uptake_stage", "1", "development stage at which uptake ends"),
        ParameterSpec("largest_nitrogen_uptake", "g m-2 d-1", "largest uptake of a crop"),
        ParameterSpec("nitrate_uptake_rate", "g kg-1 d-1", "highest uptake per root carbon"),
        ParameterSpec("ammonium_uptake_rate", "g kg-1 d-1", "highest uptake per root carbon"),
        ParameterSpec("nitrate_half_saturation", "g m-3", "nitrate of half the uptake"),
        ParameterSpec("ammonium_half_saturation", "g m-3", "ammonium of half the uptake"),
        ParameterSpec("uptake_floor", "1", "uptake that does not saturate"),
        ParameterSpec("uptake_moisture_half", "1", "relative available water of half the uptake"),
        ParameterSpec("fixation_share", "1", "share of unmet demand that fixation covers"),
        ParameterSpec("fixation_cost", "1", "carbon respired per nitrogen fixed"),
        ParameterSpec("fixation_cold", "degC", "temperature below which nodules rest"),
        ParameterSpec("fixation_warm", "degC", "temperature from which nodules work fully"),
    )
    slots = ("uptake",)
    uptake: Closure

    def needs(
        self, p: Parameters, development_stage: Tensor, growing: Tensor, carbon: Tensor,
        nitrogen: Tensor, reserve: Tensor, growth: Tensor, loss: Tensor, h: float,
    ) -> Needs:
        """What organs demand, lose and pass on, and what the crop wants to take in.

        Parameters
        ----------
        p : mapping
            Parameters.
        development_stage, growing : Tensor
            Stage and the share of the day with growth, ``[cell]``.
        carbon, nitrogen : Tensor
            Leaves, stems, roots and storage organs, g m-2, ``[4, cell]``.
        reserve : Tensor
            Nitrogen of the reserve, g m-2, ``[cell]``.
        growth : Tensor
            Growth of the organs, g m-2 d-1 of carbon, ``[4, cell]``.
        loss : Tensor
            Leaves, stems and roots that die, g m-2 d-1 of carbon, ``[3, cell]``.
        h : float
            Step of the limiter, d; 0 for its continuous limit.
        """
        most, least = highest(p, development_stage), residual(p)
        organs = growing * demand.organ_demand(
            growth.clamp_min(0.0), carbon, nitrogen, most, p["nitrogen_refill_time"])
        dying = safe_div(loss, carbon[:3])
        if h > 0.0:
            dying = dying.clamp_max(1.0 / h)
        mobile = (nitrogen[:3] - least * carbon[:3]).clamp_min(0.0)
        resorbed = dying * p["nitrogen_resorption"] * mobile
        lost = (dying * nitrogen[:3] - resorbed).clamp_min(0.0)
        gate = growing * torch.sigmoid(
            (development_stage - p["translocation_stage"]) / STAGE_WIDTH)
        # What dies today is no longer there to be translocated.
        left = mobile * (1.0 - h * dying).clamp_min(0.0)
        moved = demand.translocation(left, organs[3], p["translocation_time"], gate, h)
        inner = reserve + moved.sum(dim=0) + resorbed.sum(dim=0)
        wanted = (row_sum(organs) * (1.0 + p["nitrogen_buffer"]) - inner).clamp_min(0.0)
        wanted = growing * wanted
        open_ = torch.sigmoid((p["nitrogen_uptake_stage"] - development_stage) / UPTAKE_END_WIDTH)
        return Needs(organs, lost, resorbed, moved, wanted, open_ * wanted)

    def demand_by_layer(
        self, p: Parameters, asked: Tensor, root: Tensor, root_share: Tensor, nitrate: Tensor,
        ammonium: Tensor, saturation: Tensor, soil_temperature: Tensor, moisture: Tensor,
        features: Features | None,
    ) -> tuple[Tensor, Tensor]:
        """Nitrate and ammonium asked of each layer, g m-2 d-1, ``[layer, cell]``.

        The kinetics do not know how much a layer can give in a step: the soil limits them.

        Parameters
        ----------
        p : mapping
            Parameters.
        asked : Tensor
            `Needs.uptake`, g m-2 d-1, ``[cell]``.
        root : Tensor
            Root carbon, g m-2, ``[cell]``.
        root_share : Tensor
            Share of roots in each layer, ``[layer, cell]``.
        nitrate, ammonium : Tensor
            Mineral nitrogen, g m-2, ``[layer, cell]``.
        saturation : Tensor
            Water of the saturated layers, mm, ``[layer, cell]``.
        soil_temperature, moisture : Tensor
            Temperature (degC, ``[cell]`` or ``[layer, cell]``) and relative plant-available
            water, ``[layer, cell]``.
        features : Features or None
            For a neural closure.
        """
        response = (uptake.temperature_response(soil_temperature)
                    * uptake.moisture_response(moisture, p["uptake_moisture_half"]))
        roots, water = root * root_share, MILLIMETRE * saturation
        capacity = torch.stack((
            uptake.uptake_capacity(
                nitrate, roots, water, p["nitrate_uptake_rate"], p["nitrate_half_saturation"],
                p["uptake_floor"], response),
            uptake.uptake_capacity(
                ammonium, roots, water, p["ammonium_uptake_rate"], p["ammonium_half_saturation"],
                p["uptake_floor"], response),
        ))
        taken = uptake.limited_uptake(
            self.uptake(capacity, features), asked, p["largest_nitrogen_uptake"])
        return taken[0], taken[1]

    def distribute(
        self, p: Parameters, needs: Needs, growing: Tensor, reserve: Tensor,
        nitrate_uptake: Tensor, ammonium_uptake: Tensor, soil_temperature: Tensor,
        wetness: Tensor, spare_carbon: Tensor, h: float,
    ) -> CropNitrogenFluxes:
        """Fixation, and the shares of the organs, once the soil has answered.

        Parameters
        ----------
        p : mapping
            Parameters.
        needs : Needs
            From `needs`.
        growing, reserve : Tensor
            Share of the day with growth; nitrogen of the reserve, g m-2, ``[cell]``.
        nitrate_uptake, ammonium_uptake : Tensor
            What the soil gives, g m-2 d-1, ``[layer, cell]``.
        soil_temperature, wetness : Tensor
            Temperature (degC) and relative plant-available water where nodules are, ``[cell]``.
        spare_carbon : Tensor
            Reserve carbon that the fluxes of the day leave, g m-2, ``[cell]``.
        h : float
            Step of the limiter, d.
        """
        taken = row_sum(nitrate_uptake + ammonium_uptake)
        missing = torch.minimum(needs.wanted, p["largest_nitrogen_uptake"]) - taken
        fixed, spent = uptake.fixation(
            missing, clip01(p["fixation_share"]),
            growing * uptake.fixation_activity(
                soil_temperature, wetness, p["fixation_cold"], p["fixation_warm"]),
            spare_carbon.clamp_min(0.0), p["fixation_cost"], h)
        supply = donor_limit(reserve.clamp_min(0.0), RESERVE_TURNOVER, h)
        organs = demand.share_supply(supply, needs.organs[3], needs.organs[:3])
        back, lost = needs.translocated + needs.resorbed, needs.lost
        return CropNitrogenFluxes(
            nitrate_uptake, ammonium_uptake, fixed, organs[0], organs[1], organs[2], organs[3],
            back[0], back[1], back[2], lost[0], lost[1], lost[2], spent)

    def seed(self, p: Parameters, leaf: Tensor, root: Tensor) -> Tensor:
        """Nitrogen of the leaves and roots of a sown crop, g m-2, ``[2, cell]``.

        Parameters
        ----------
        p : mapping
            Parameters.
        leaf, root : Tensor
            Carbon they start with, g m-2, ``[cell]``.
        """
        total = p["seed_nitrogen"] / p["carbon_fraction"] * (leaf + root)
        ratio = torch.stack((torch.ones_like(leaf), 1.0 / p["root_nitrogen_ratio"] + 0.0 * leaf))
        return demand.allocate_by_ratio(total, torch.stack((leaf, root)), ratio)
