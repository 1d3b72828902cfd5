"""Snow and the water of five soil layers."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core.forcing import SOIL_LAYER_BOTTOM, SOIL_LAYER_THICKNESS, Site
from neuralcrop.core.numerics import donor_limit, limit_demand, safe_div
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics import snow, soil_water
from neuralcrop.processes.base import Parameters, Process

EVAPORATION_SHARES: tuple[float, ...] = (0.75, 0.25)
"""Shares of the first two layers in soil evaporation from the upper 0.3 m."""

SNOW_WIDTH = 0.5
"""Width of the passage from snow to rain, K."""

INFILTRATION_EXPONENT = 2.0
"""Exponent of the infiltration share for a soil without litter (Schaphoff et al. 2018)."""

PUDDLED_PERCOLATION, FREE_PERCOLATION = 4.0, 1e6
"""Most percolation of a puddled soil (Bouman et al. 2001) and of others, mm d-1."""

OVERFLOW_RATE = 2.0
"""Share of the water above a bund that leaves, d-1."""

AIR_DRY = 0.5
"""Soil evaporation can dry the soil to this share of the wilting point (Allen et al. 1998)."""


class SnowFluxes(NamedTuple):
    """Rain, snowfall, melt, sublimation, mm d-1, ``[cell]``."""

    rain: Tensor
    snowfall: Tensor
    melt: Tensor
    sublimation: Tensor


class SoilFluxes(NamedTuple):
    """Vertical fluxes by layer, mm d-1, ``[layer, cell]``; infiltration is a share, ``[cell]``."""

    infiltration_share: Tensor
    percolation: Tensor
    saturation_excess: Tensor
    evaporation: Tensor
    transpiration: Tensor


class SoilColumn(NamedTuple):
    """Soil of a run.

    Water at the three points (mm) and conductivity (mm h-1), ``[layer, cell]``; depth to which
    roots can grow (m), ``[cell]``.
    """

    wilting: Tensor
    capacity: Tensor
    saturation: Tensor
    conductivity: Tensor
    depth: Tensor


class Snow(Process):
    """Snow by a logistic rain share around 0.5 degC and degree-day melt."""

    specs = (
        ParameterSpec("melt_rate", "mm K-1 d-1", "snow melt per degree above 0 degC"),
        ParameterSpec("snow_temperature", "degC", "temperature at which half of rain is snow"),
    )

    def forward(
        self, p: Parameters, pr: Tensor, tas: Tensor, snow_water: Tensor, potential: Tensor,
        h: float,
    ) -> SnowFluxes:
        """Snow fluxes of the day; ``potential`` is the potential evaporation, mm d-1."""
        frozen = snow.snow_fraction(tas, p["snow_temperature"], SNOW_WIDTH)
        melt, sublimation = snow.snow_losses(
            snow_water, snow.melt_demand(tas, p["melt_rate"]),
            potential.clamp_max(snow.SUBLIMATION_RATE), h)
        return SnowFluxes(pr * (1.0 - frozen), pr * frozen, melt, sublimation)


class PondFluxes(NamedTuple):
    """Water on the surface, mm d-1, ``[cell]``.

    Offered to the soil, flowing over the bund, evaporating; room for rain (mm) and the most that a
    layer below a bund lets through.
    """

    offered: Tensor
    overflow: Tensor
    evaporation: Tensor
    room: Tensor
    seepage: Tensor


class Pond(Process):
    """Water that a bund keeps on the field, above a puddled soil that lets little through.

    Bouman et al. (2001) ORYZA2000: percolation of puddled rice soils of 1 to 5 mm d-1 in clay.
    """

    specs = ()

    def forward(self, ponded: Tensor, bund: Tensor, potential: Tensor, h: float) -> PondFluxes:
        """Fluxes of the day.

        Parameters
        ----------
        ponded, bund : Tensor
            Water on the surface and the most that stays there, mm, ``[cell]``; 0 without bund.
        potential : Tensor
            Potential evaporation of the surface, mm d-1, ``[cell]``.
        h : float
            Step of the limiters, d.
        """
        evaporation = limit_demand(ponded, potential.clamp_min(0.0), h)
        left = ponded - evaporation * h
        overflow = donor_limit((left - bund).clamp_min(0.0), OVERFLOW_RATE, h)
        left = left - overflow * h
        seepage = torch.where(bund > 0.0, PUDDLED_PERCOLATION, FREE_PERCOLATION)
        offered = limit_demand(left, torch.minimum(left, seepage), h)
        return PondFluxes(offered, overflow, evaporation, (bund - left).clamp_min(0.0), seepage)


class SoilWater(Process):
    """Five-layer bucket soil: infiltration, percolation, uptake, evaporation, drainage.

    Withdrawals from a layer are taken in order (excess, percolation, transpiration, evaporation),
    each from what the earlier ones leave, so no layer can fall below zero.

    Schaphoff et al. (2018) doi:10.5194/gmd-11-1343-2018, section 2.6.
    """

    specs = (
        ParameterSpec("root_distribution", "1", "decline of roots with depth, per cm"),
        ParameterSpec("conductivity_scale", "1", "factor on the soil's saturated conductivity"),
        ParameterSpec("storage_scale", "1", "factor on the soil's plant-available water"),
    )
    slots = ("percolation",)
    percolation: Closure

    def column(self, p: Parameters, site: Site) -> SoilColumn:
        """Capacities of the soil with the parameters' factors on it; once a run."""
        thickness = site.wilting_point.new_tensor(SOIL_LAYER_THICKNESS).unsqueeze(-1) * 1000.0
        wilting = site.wilting_point * thickness
        saturation = site.saturation * thickness
        capacity = wilting + (site.field_capacity * thickness - wilting) * p["storage_scale"]
        capacity = torch.minimum(capacity, 0.98 * saturation)
        return SoilColumn(
            wilting, capacity, saturation,
            site.saturated_conductivity * p["conductivity_scale"], site.soil_depth,
        )

    def wetness(
        self, p: Parameters, column: SoilColumn, water: Tensor, root_depth: Tensor
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Plant-available share by layer, root shares by layer, root-zone wetness.

        Shapes ``[layer, cell]``, ``[layer, cell]``, ``[cell]``; all within 0 to 1.
        """
        available = ((water - column.wilting) / (column.capacity - column.wilting)).clamp(0.0, 1.0)
        roots = soil_water.root_profile(p["root_distribution"], SOIL_LAYER_BOTTOM, root_depth)
        return available, roots, (roots * available).sum(dim=0)

    def forward(
        self, column: SoilColumn, water: Tensor, water_input: Tensor,
        transpiration: Tensor, roots: Tensor, available: Tensor, evaporation: Tensor,
        seepage: Tensor, features: Features | None, h: float,
    ) -> SoilFluxes:
        """Fluxes of the soil column.

        Parameters
        ----------
        column : SoilColumn
            From `column`.
        water : Tensor
            mm, ``[layer, cell]``.
        water_input : Tensor
            Rain, melt and ponded water reaching the soil, mm d-1, ``[cell]``.
        transpiration : Tensor
            Demand of the roots, mm d-1, ``[cell]``.
        roots, available : Tensor
            From `wetness`.
        evaporation : Tensor
            Demand of the soil surface, mm d-1, ``[cell]``.
        seepage : Tensor
            Most percolation, mm d-1, ``[cell]``.
        features : Features or None
            For a neural closure.
        h : float
            Step of the limiters, d.
        """
        wilting, capacity, saturation = column.wilting, column.capacity, column.saturation
        top = saturation[0] - wilting[0]
        share = soil_water.infiltration_share(
            water_input, water[0] - wilting[0], top, INFILTRATION_EXPONENT)
        flooded = (water - saturation).clamp_min(0.0)
        excess = limit_demand(flooded, 4.0 * flooded, h)
        left = water - excess * h
        fill = ((left - wilting) / (saturation - wilting)).clamp(0.0, 1.0)
        below = torch.cat((1.0 - fill[1:], torch.ones_like(fill[:1])))
        over = (left - capacity).clamp_min(0.0)
        percolation = soil_water.percolation(
            over, column.conductivity,
            left / saturation, capacity / saturation, below, h)
        percolation = torch.minimum(self.percolation(percolation, features), over / h)
        percolation = torch.minimum(percolation, seepage)
        left = left - percolation * h
        pull = roots * available
        demand = transpiration * safe_div(pull, pull.sum(dim=0))
        uptake = limit_demand((left - wilting).clamp_min(0.0), demand, h)
        left = left - uptake * h
        reachable = (left[:2] - AIR_DRY * wilting[:2]).clamp_min(0.0)
        shared = torch.stack([share_of * evaporation for share_of in EVAPORATION_SHARES])
        evaporated = limit_demand(reachable, shared, h)
        none = torch.zeros_like(left[2:])
        return SoilFluxes(share, percolation, excess, torch.cat((evaporated, none)), uptake)

