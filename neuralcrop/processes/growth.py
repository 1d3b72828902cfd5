"""Respiration, allocation, leaf dynamics, root depth and damage by frost and heat."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core.numerics import clip01, donor_limit, limit_demand, safe_div, smooth_min
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics import allocation, damage, leaf_area, respiration
from neuralcrop.physics.harvest_index import Organs
from neuralcrop.processes.base import Parameters, Process, through

STAGE_NODES = 11
"""Nodes of the partitioning tables over development stage 0 to 2."""

STAGE_SPACING = 0.2
"""Distance of the nodes."""

SNOW_SHELTER = 25.0
"""Snow that keeps a share 1/e of the frost from plants, mm: 0.1 m of 250 kg m-3."""

STAGE_WIDTH = 0.02
"""Width of passages at a development stage."""

DYING_STAGE = 1.5
"""Development stage after which stems and roots die (Supit et al. 1994)."""


class Growth(NamedTuple):
    """Carbon leaving the reserve, g m-2 d-1, ``[cell]``."""

    leaf: Tensor
    stem: Tensor
    root: Tensor
    storage: Tensor
    growth_respiration: Tensor
    maintenance_respiration: Tensor
    deficit: Tensor


class Respiration(Process):
    """Maintenance respiration per organ with a Q10 response.

    Respiration follows nitrogen: leaves down the canopy hold less by the profile of their
    capacity, and the concentration of all vegetative organs falls as the crop develops.

    Sources: Supit et al. (1994); Penning de Vries et al. (1989); De Pury and Farquhar (1997)
    doi:10.1111/j.1365-3040.1997.00094.x for the profile; WOFOST 8.1 maximum leaf nitrogen (0.03,
    0.02 and 0.014 at stages 0.7, 1 and 2) for the dilution.
    """

    specs = (
        ParameterSpec("maintenance_leaf", "d-1", "leaf maintenance at 25 degC, carbon per carbon"),
        ParameterSpec("maintenance_stem", "d-1", "stem maintenance at 25 degC, carbon per carbon"),
        ParameterSpec("maintenance_root", "d-1", "root maintenance at 25 degC, carbon per carbon"),
        ParameterSpec("maintenance_storage", "d-1",
                      "storage organ maintenance at 25 degC, carbon per carbon"),
        ParameterSpec("respiration_q10", "1", "increase of maintenance per 10 K"),
    )

    def forward(
        self, p: Parameters, leaf: Tensor, stem: Tensor, root: Tensor, storage: Tensor,
        lai: Tensor, development_stage: Tensor, tas: Tensor,
    ) -> Tensor:
        """Demand of maintenance, g m-2 d-1, for organ carbon in g m-2, ``[cell]``."""
        dilution = (1.0 - clip01((development_stage - 0.7) / 0.3) / 3.0
                    - 0.2 * clip01(development_stage - 1.0))
        depth = p["nitrogen_extinction"] * lai + 1e-3
        profile = -torch.expm1(-depth) / depth
        vegetative = (p["maintenance_leaf"] * profile * leaf + p["maintenance_stem"] * stem
                      + p["maintenance_root"] * root)
        at_25 = dilution * vegetative + p["maintenance_storage"] * storage
        return at_25 * respiration.q10(tas, p["respiration_q10"], 25.0)


def available_carbon(
    p: Parameters, growing: Tensor, reserve: Tensor, maintenance: Tensor, h: float
) -> tuple[Tensor, Tensor, Tensor]:
    """Maintenance paid (g m-2 d-1), the reserve left (g m-2), and what growth may take a day."""
    paid = limit_demand(reserve, growing * maintenance, h)
    left = (reserve - paid * h).clamp_min(0.0)
    return paid, left, donor_limit(left, growing * p["reserve_turnover"], h)


def build(p: Parameters, used: Organs, paid: Tensor, deficit: Tensor) -> Growth:
    """Organs built from the carbon used for each, and the respiration of it, g m-2 d-1."""
    built = Organs(*(u * p[f"efficiency_{organ}"]
                     for organ, u in zip(Organs._fields, used, strict=True)))
    spent = used.leaf + used.stem + used.root + used.storage
    return Growth(*built, spent - (built.leaf + built.stem + built.root + built.storage), paid,
                  deficit)


class Allocation(Process):
    """Reserve carbon to maintenance first, then to organs by development stage.

    Shares are tables over development stage (Supit et al. 1994), renormalised to one. Juvenile
    leaves are limited by their sink (exponential growth), storage organs by grain set; what a sink
    does not take stays in the reserve.
    """

    specs = (
        ParameterSpec("root_share", "1", "share of new carbon to roots", STAGE_NODES),
        ParameterSpec("leaf_share", "1", "share of shoot carbon to leaves", STAGE_NODES),
        ParameterSpec("stem_share", "1", "share of shoot carbon to stems", STAGE_NODES),
        ParameterSpec("storage_share", "1", "share of shoot carbon to storage organs", STAGE_NODES),
        ParameterSpec("efficiency_leaf", "1", "carbon built into leaves per carbon used"),
        ParameterSpec("efficiency_stem", "1", "carbon built into stems per carbon used"),
        ParameterSpec("efficiency_root", "1", "carbon built into roots per carbon used"),
        ParameterSpec("efficiency_storage", "1", "carbon built into storage per carbon used"),
        ParameterSpec("reserve_turnover", "d-1", "share of the reserve used for growth"),
    )
    slots = ("shares", "storage_demand")
    share_slots = MappingProxyType({"shares": len(allocation.Partition._fields)})
    drivers = MappingProxyType({"storage_demand": "value"})
    shares: Closure
    storage_demand: Closure

    def forward(
        self, p: Parameters, development_stage: Tensor, growing: Tensor, reserve: Tensor,
        maintenance: Tensor, leaf_sink: Tensor, grain_set: Tensor, features: Features | None,
        h: float, organs: Organs, leaf_growth: Tensor | float = 1.0,
    ) -> Growth:
        """Fluxes out of the reserve.

        Parameters
        ----------
        p : mapping
            Parameters.
        development_stage, growing : Tensor
            Stage and the share of the day with growth, ``[cell]``.
        reserve, maintenance, leaf_sink : Tensor
            Reserve (g m-2), maintenance demand and the leaf sink (g m-2 d-1), ``[cell]``.
        grain_set : Tensor
            Share of the storage sink left, ``[cell]``.
        features : Features or None
            For a neural closure.
        h : float
            Step of the limiter, d; 0 for its continuous limit.
        organs : Organs
            Carbon of the organs, which the tables do not look at.
        leaf_growth : Tensor or float
            Share of leaf growth that nitrogen leaves; the others take the rest, ``[cell]``.
        """
        paid, _, available = available_carbon(p, growing, reserve, maintenance, h)
        shares = allocation.partition(
            development_stage, p["root_share"], p["leaf_share"] * leaf_growth, p["stem_share"],
            p["storage_share"], 0.0, STAGE_SPACING)
        shares = allocation.Partition(*through(self.shares, shares, features))
        sink = self.storage_demand(grain_set, features).clamp_max(1.0)
        storage = available * shares.storage * sink
        leaf_used = smooth_min(available * shares.leaf, leaf_sink / p["efficiency_leaf"], 0.95)
        used = Organs(leaf_used, available * shares.stem, available * shares.root, storage)
        return build(p, used, paid, growing * maintenance - paid)

    def seed_root_share(self, p: Parameters) -> Tensor:
        """Share of the seed that becomes roots, ``[cell]``."""
        return p["root_share"][0].clamp(0.0, 1.0)


class LeafDynamics(Process):
    """Ageing chain of leaf carbon and its early losses.

    Eight age classes pass on at a rate set by temperature (mean life span as given, coefficient of
    variation 1/sqrt(8)); shade, drought, frost and starvation take from all classes.

    Sources: Supit et al. (1994) for the life span and shade; the linear chain for the ages.
    """

    specs = (
        ParameterSpec("specific_leaf_area", "m2 g-1", "leaf area per leaf carbon"),
        ParameterSpec("leaf_life_span", "d", "life span of leaves at 35 degC"),
        ParameterSpec("leaf_base_temperature", "degC", "no leaf ageing or juvenile growth below"),
        ParameterSpec("juvenile_growth_rate", "degC-1 d-1", "relative growth of juvenile leaves"),
        ParameterSpec("juvenile_area", "1", "leaf area index at which leaves leave the sink limit"),
        ParameterSpec("maximum_leaf_area", "1", "leaf area index at which leaves stop growing"),
        ParameterSpec("drought_leaf_loss", "d-1", "largest loss of leaves to drought"),
        ParameterSpec("frost_temperature", "degC", "daily minimum that kills half of the leaves"),
        ParameterSpec("frost_leaf_loss", "d-1", "largest loss of leaves to frost"),
    )
    slots = ("senescence", "drought_loss")
    drivers = MappingProxyType({"drought_loss": "value"})
    senescence: Closure
    drought_loss: Closure

    def sink(self, p: Parameters, leaf: Tensor, lai: Tensor, tas: Tensor) -> Tensor:
        """Carbon that leaves can take up, g m-2 d-1, ``[cell]``.

        Exponential while the canopy is open, then free up to the largest leaf area.
        """
        warmth = (tas - p["leaf_base_temperature"]).clamp_min(0.0)
        grown = lai / p["juvenile_area"]
        release = 1.0 + grown * grown * grown * grown
        room = (1.0 - lai / p["maximum_leaf_area"]).clamp_min(0.0)
        return leaf * p["juvenile_growth_rate"] * warmth * release * room

    def losses(
        self, p: Parameters, boxes: Tensor, lai: Tensor, tas: Tensor, tasmin: Tensor,
        snow_water: Tensor, opening: Tensor, growing: Tensor, deficit: Tensor,
        starving: Tensor | float, features: Features | None, h: float,
    ) -> tuple[Tensor, Tensor]:
        """Flux to the next age class and early loss, each ``[class, cell]``, g m-2 d-1.

        Parameters
        ----------
        p : mapping
            Parameters.
        boxes : Tensor
            Leaf carbon by age, ``[class, cell]``.
        lai, tas, tasmin, snow_water, opening, growing, deficit : Tensor
            Leaf area index, temperatures, snow (mm), relative conductance, share of the day with
            growth, unpaid maintenance (g m-2 d-1), ``[cell]``.
        starving : Tensor or float
            Relative loss to lack of nitrogen, d-1, ``[cell]``.
        features : Features or None
            For a neural closure.
        h : float
            Step of the limiter, d.
        """
        age = leaf_area.ageing_rate(tas, p["leaf_base_temperature"], p["leaf_life_span"])
        age = growing * self.senescence(age, features) * boxes.shape[0]
        leaf = boxes.sum(dim=0)
        sheltered = tasmin * torch.exp(-snow_water / SNOW_SHELTER)
        frost = damage.frost_damage_rate(sheltered, p["frost_temperature"], 0.5)
        early = growing * (
            leaf_area.self_shading_loss(lai, p["extinction"])
            + p["drought_leaf_loss"] * self.drought_loss(1.0 - opening, features)
            + p["frost_leaf_loss"] * frost
            + safe_div(deficit, leaf + 1e-3) + starving
        )
        total = limit_demand(boxes, boxes * (age + early), h)
        ageing = total * safe_div(age, age + early)
        return ageing, total - ageing


class OrganLoss(NamedTuple):
    """Carbon leaving stems and roots, g m-2 d-1, ``[cell]``."""

    stem_loss: Tensor
    stem_remobilisation: Tensor
    root_loss: Tensor


class StemsAndRoots(Process):
    """Death of stems and roots late in the season, and stem reserves that fill the grain.

    Sources: Supit et al. (1994) for the death after stage 1.5; Bouman et al. (2001) ORYZA2000 and
    Schnyder (1993) doi:10.1111/j.1469-8137.1993.tb03731.x for the remobilisation after anthesis.
    """

    specs = (
        ParameterSpec("stem_loss_rate", "d-1", "relative death of stems late in the season"),
        ParameterSpec("stem_remobilisation", "d-1", "share of stems remobilised after anthesis"),
        ParameterSpec("root_loss_rate", "d-1", "relative death of roots late in the season"),
    )

    def forward(
        self, p: Parameters, development_stage: Tensor, growing: Tensor, stem: Tensor, root: Tensor,
        h: float,
    ) -> OrganLoss:
        """Losses of the day."""
        late = growing * torch.sigmoid((development_stage - DYING_STAGE) / STAGE_WIDTH)
        filling = growing * torch.sigmoid((development_stage - 1.0) / STAGE_WIDTH)
        dying, moving = late * p["stem_loss_rate"], filling * p["stem_remobilisation"]
        gone = donor_limit(stem, dying + moving, h)
        moved = gone * safe_div(moving, dying + moving)
        return OrganLoss(gone - moved, moved, donor_limit(root, late * p["root_loss_rate"], h))


class RootGrowth(Process):
    """Rooting depth grows at a constant rate until anthesis or the deepest depth."""

    specs = (
        ParameterSpec("root_growth_rate", "m d-1", "deepening of roots"),
        ParameterSpec("maximum_root_depth", "m", "deepest roots"),
    )

    def forward(
        self, p: Parameters, depth: Tensor, soil_depth: Tensor, vegetative: Tensor,
        opening: Tensor, h: float,
    ) -> Tensor:
        """Deepening, m d-1, ``[cell]``."""
        room = (torch.minimum(p["maximum_root_depth"], soil_depth) - depth).clamp_min(0.0)
        return limit_demand(room, p["root_growth_rate"] * vegetative * (0.3 + 0.7 * opening), h)


class HeatDamage(Process):
    """Loss of grain set by heat around anthesis.

    Thresholds after Porter and Gawith (1999) doi:10.1016/S1161-0301(98)00047-1 and Teixeira et al.
    (2013) doi:10.1016/j.agrformet.2011.09.002.
    """

    specs = (
        ParameterSpec("sterility_temperature", "degC", "daily maximum with half of the loss"),
        ParameterSpec("sterility_rate", "d-1", "largest loss of grain set"),
    )

    def forward(
        self, p: Parameters, development_stage: Tensor, grain_set: Tensor, tasmax: Tensor,
        growing: Tensor, h: float,
    ) -> Tensor:
        """Loss of grain set, d-1, ``[cell]``."""
        distance = (development_stage - 1.05) / 0.12
        window = torch.exp(-distance * distance)
        heat = damage.heat_sterility(tasmax, p["sterility_temperature"], 1.5)
        return limit_demand(grain_set, grain_set * growing * window * heat * p["sterility_rate"], h)

