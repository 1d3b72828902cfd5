"""Processes after LPJmL that can take the place of those of the `global` set.

Constants belong to a version of LPJmL (`neuralcrop.physics.lpjml_versions`).
"""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core import constants as const
from neuralcrop.core.numerics import safe_div, smooth_min
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics import allocation, canopy, harvest_index
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import haxeltine_prentice as hp
from neuralcrop.physics import lpjml_transpiration as surface
from neuralcrop.physics.lpjml_versions import version_of
from neuralcrop.processes.base import Parameters, Process, through
from neuralcrop.processes.energy_water import (
    PRIESTLEY_TAYLOR,
    SUPPLY_CURVATURE,
    Evaporative,
    Transpired,
)
from neuralcrop.processes.growth import Growth, available_carbon, build
from neuralcrop.processes.photosynthesis import Light, choose_pathway

SHORTEST_DAY = 60.0
"""Least daylight by which a conductance is divided, s."""


class DailyLeaves(NamedTuple):
    """Canopy of a day, ``[cell]``: what conductance and assimilation follow from.

    Capacity in g m-2 d-1 of carbon, kinetic constants in umol mol-1, absorbed light in J m-2 d-1,
    day length in h, conductances for water vapour in mol m-2 s-1.
    """

    capacity: Tensor
    stress: Tensor
    constants: hp.Kinetics
    apar: Tensor
    day_length: Tensor
    conductance: Tensor
    cuticular: Tensor


class HaxeltinePrenticePhotosynthesis(Process):
    """Daily photosynthesis of the canopy with the Rubisco capacity that pays best.

    One evaluation a day: light of the day, its mean daylight temperature, and a capacity that
    follows light and temperature. `potential` gives the conductance of unstressed leaves (ci/ca
    0.8 for C3, 0.4 for C4) and what leaks through the cuticle; `assimilate` finds the ci/ca at
    which diffusion through the conductance that water allows carries the assimilation.

    LPJmL takes the mean temperature of 24 h; here it is that of daylight.

    Sources: Haxeltine and Prentice (1996) doi:10.1029/96GB02344; Schaphoff et al. (2018)
    doi:10.5194/gmd-11-1343-2018.

    Parameters
    ----------
    version : str
        Of LPJmL, whose constants to take.
    pathways : tuple of str
        Photosynthetic pathways to evaluate.
    """

    specs = (
        ParameterSpec("c4", "1", "1 for the C4 pathway, 0 for C3"),
        ParameterSpec("assimilation_lowest", "degC", "no CO2 uptake below"),
        ParameterSpec("assimilation_optimum_low", "degC", "best temperature of assimilation from"),
        ParameterSpec("assimilation_optimum_high", "degC", "best temperature of assimilation to"),
        ParameterSpec("assimilation_highest", "degC", "no CO2 uptake above"),
        ParameterSpec("minimum_conductance", "mm s-1", "canopy conductance not through stomata"),
        # read by the respiration of leaves
        ParameterSpec("nitrogen_extinction", "1", "decline of capacity down the canopy"),
    )
    slots = ("vcmax",)
    vcmax: Closure

    def __init__(
        self, version: str = "lpjml6", pathways: tuple[str, ...] = ("c3", "c4")
    ) -> None:
        super().__init__()
        self.constants = version_of(version)
        self.pathways = pathways

    def potential(
        self, p: Parameters, light: Light, lai: Tensor, growth_temperature: Tensor,
        development_stage: Tensor, ps: Tensor, co2: Tensor, features: Features | None,
        nitrogen: Tensor | float = 1.0,
    ) -> DailyLeaves:
        """Capacity of the canopy and its conductance with enough water.

        Parameters
        ----------
        p : mapping
            Parameters, ``[cell]``.
        light : Light
            Of the day.
        lai, growth_temperature, development_stage, ps, co2 : Tensor
            ``[cell]``; pressure in kPa, CO2 in umol mol-1. Growth temperature and stage have no
            effect here.
        features : Features or None
            For a neural closure.
        nitrogen : Tensor or float
            Share of the best capacity that leaf nitrogen leaves, ``[cell]``.
        """
        v = self.constants
        seconds = light.seconds.sum(dim=0)
        t = (light.temperature * light.seconds).sum(dim=0) / seconds.clamp_min(1.0)
        photons = (light.absorbed.sum(dim=-2) * light.seconds).sum(dim=0)
        apar, hours = photons / const.PAR_PER_JOULE, seconds / 3600.0
        pascal = hp.kinetics(t)
        constants = hp.Kinetics(pascal.gamma_star * 1e3 / ps, pascal.km * 1e3 / ps)
        ceiling = _by_pathway(p, hp.CEILING_C3, hp.CEILING_C4)
        stress = hp.temperature_stress(
            t, p["assimilation_lowest"], p["assimilation_optimum_low"],
            p["assimilation_optimum_high"], p["assimilation_highest"], ceiling)
        optimal = _by_pathway(p, hp.OPTIMAL_RATIO_C3, hp.OPTIMAL_RATIO_C4)
        leaves = DailyLeaves(apar, stress, constants, apar, hours, apar, apar)
        best = self._efficiencies(p, leaves, optimal, co2)
        b = _by_pathway(p, v.leaf_respiration_c3, v.leaf_respiration_c4)
        capacity = self.vcmax(
            hp.optimum_capacity(best, apar, hours, b, v.curvature), features) * nitrogen
        net = self._assimilation(p, leaves._replace(capacity=capacity), best).net.clamp_min(0.0)
        carried = 1e-6 * co2 * (1.0 - optimal) * hp.CARBON_MASS * seconds.clamp_min(SHORTEST_DAY)
        resistance = 1e3 / p["minimum_conductance"]
        cuticular = (canopy.fraction_absorbed(lai, p["extinction"])
                     * et.resistance_to_molar_conductance(resistance, t, ps))
        stomatal = const.WATER_TO_CO2_DIFFUSIVITY * net / carried
        return leaves._replace(
            capacity=capacity, conductance=stomatal + cuticular, cuticular=cuticular)

    def assimilate(
        self, p: Parameters, leaves: DailyLeaves, light: Light, opening: Tensor, co2: Tensor
    ) -> Tensor:
        """Gross primary production, g m-2 d-1 of carbon, ``[cell]``.

        Parameters
        ----------
        p, leaves, light
            As given to and by `potential`.
        opening : Tensor
            Actual over potential conductance, 0 to 1, ``[cell]``.
        co2 : Tensor
            umol mol-1, ``[cell]``.
        """
        v = self.constants
        stomatal = (opening * leaves.conductance - leaves.cuticular).clamp_min(0.0)
        exchange = (stomatal / const.WATER_TO_CO2_DIFFUSIVITY * 1e-6 * co2
                    * hp.CARBON_MASS * 3600.0 * leaves.day_length)
        held = (exchange, leaves.capacity, leaves.apar, leaves.day_length, leaves.stress)
        ratio = choose_pathway(
            self.pathways, p["c4"],
            lambda: hp.ratio_at_exchange_c3(
                *held, co2, leaves.constants, v.quantum_c3, v.leaf_respiration_c3, v.curvature),
            lambda: hp.ratio_at_exchange_c4(
                *held, v.quantum_c4, v.leaf_respiration_c4, v.curvature))
        now = self._efficiencies(p, leaves, ratio, co2)
        return self._assimilation(p, leaves, now).gross.clamp_min(0.0)

    def canopy_conductance(self, leaves: DailyLeaves, light: Light) -> Tensor:
        """Daylight mean conductance of the canopy for water vapour, mol m-2 s-1, ``[cell]``."""
        return leaves.conductance

    def _efficiencies(
        self, p: Parameters, leaves: DailyLeaves, ratio: Tensor, co2: Tensor
    ) -> hp.Efficiencies:
        v = self.constants
        c3 = hp.efficiencies_c3(leaves.stress, ratio * co2, leaves.constants, v.quantum_c3)
        c4 = hp.efficiencies_c4(leaves.stress, ratio, v.quantum_c4)
        return hp.Efficiencies(
            choose_pathway(self.pathways, p["c4"], lambda: c3.light, lambda: c4.light),
            choose_pathway(self.pathways, p["c4"], lambda: c3.rubisco, lambda: c4.rubisco))

    def _assimilation(
        self, p: Parameters, leaves: DailyLeaves, efficiencies: hp.Efficiencies
    ) -> hp.DailyAssimilation:
        v = self.constants
        b = _by_pathway(p, v.leaf_respiration_c3, v.leaf_respiration_c4)
        return hp.assimilation(
            efficiencies, leaves.capacity, leaves.apar, leaves.day_length, b, v.curvature)


def _by_pathway(p: Parameters, c3: float, c4: float) -> Tensor:
    """Constant of each cell's pathway, in the precision of the run, ``[cell]``."""
    kind = p["c4"]
    return torch.where(kind > 0.5, torch.full_like(kind, c4), torch.full_like(kind, c3))


class DemandSupplyTranspiration(Process):
    r"""Transpiration as the demand of the boundary layer against root-zone supply.

    Demand is :math:`(1 - wet) E_q \alpha_m / (1 + g_m \alpha_m / g_c)` with the equilibrium
    evapotranspiration of the whole ground, supply is :math:`E_{max} w_r (1 - e^{-0.04 C_{root}})`;
    the passage between them is smooth.

    Equilibrium is that of the day's energy balance (FAO-56), not LPJmL's own formula.

    Source: Schaphoff et al. (2018) doi:10.5194/gmd-11-1343-2018.

    Parameters
    ----------
    version : str
        Of LPJmL, whose constants to take.
    """

    specs = (
        ParameterSpec("maximum_transpiration", "mm d-1", "largest supply of the root zone"),
    )
    slots = ("demand", "water_supply")
    drivers = MappingProxyType({"water_supply": "root_zone_wetness"})
    demand: Closure
    water_supply: Closure

    def __init__(self, version: str = "lpjml6") -> None:
        super().__init__()
        self.constants = version_of(version)

    def forward(
        self, p: Parameters, conductance: Tensor, energy: Evaporative, vpd: Tensor, tas: Tensor,
        ps: Tensor, sfcwind: Tensor, day_length: Tensor, wet: Tensor, lai: Tensor,
        root_carbon: Tensor, root_zone_wetness: Tensor, features: Features | None,
    ) -> Transpired:
        """Transpiration of the day.

        Parameters
        ----------
        p : mapping
            Parameters.
        conductance : Tensor
            Potential canopy conductance for water, mol m-2 s-1, ``[cell]``.
        energy : Evaporative
            Of the day.
        vpd, tas, ps, sfcwind, day_length, wet, lai, root_carbon, root_zone_wetness, features
            As for `PenmanMonteithTranspiration`; vapour pressure deficit, wind and day length
            have no effect here.
        """
        v = self.constants
        equilibrium = (energy.canopy_potential + energy.soil_potential) / PRIESTLEY_TAYLOR
        speed = 1e3 / et.molar_conductance_to_resistance(conductance, tas, ps)
        demand = et.lpjml_demand(
            equilibrium, speed, wet, v.maximum_demand, v.demand_conductance)
        equation, demand = demand, self.demand(demand, features)
        supply = et.lpjml_supply(p["maximum_transpiration"], root_zone_wetness, root_carbon)
        supply = self.water_supply(supply, features)
        amount = smooth_min(demand, supply, SUPPLY_CURVATURE)
        maximum = (1.0 - wet) * equilibrium * v.maximum_demand
        paid = amount
        if self.demand.neural:  # water per conductance is no longer the equation's
            paid = amount * safe_div(equation, demand, 1.0)
        return Transpired(amount, surface.opening(equation, paid, maximum))


class HarvestIndexAllocation(Process):
    """Reserve carbon to maintenance first, then to the organs that lack it.

    What each organ should hold follows from the total carbon: roots a share that falls over the
    season, leaves what the phenology's leaf area needs, storage organs the harvest index, stems
    the rest. New carbon goes where carbon lacks, in proportion, so organs move towards these
    amounts without carbon ever leaving one (LPJmL shares everything anew each day). The leaf sink
    has no effect; leaves stop growing at the onset of senescence.

    The state does not hold the season's sufficiency of water and nitrogen, from which LPJmL takes
    its stress: the share of grain set stands for it, and also limits what storage organs take.

    Source: Schaphoff et al. (2018) doi:10.5194/gmd-11-1343-2018.

    Parameters
    ----------
    version : str
        Of LPJmL; the versions do not differ here.
    """

    specs = (
        ParameterSpec("anthesis_fraction", "1", "fraction of the heat units at anthesis"),
        ParameterSpec("leaf_curve_early", "1", "heat units and leaf area early in the season", 2),
        ParameterSpec("leaf_curve_late", "1", "heat units and leaf area of the full canopy", 2),
        ParameterSpec("leaf_curve_senescence", "1", "fraction of the heat units at senescence"),
        ParameterSpec("harvest_index_optimal", "1", "harvest index without stress"),
        ParameterSpec("harvest_index_minimal", "1", "harvest index under severe stress"),
        ParameterSpec("efficiency_leaf", "1", "carbon built into leaves per carbon used"),
        ParameterSpec("efficiency_stem", "1", "carbon built into stems per carbon used"),
        ParameterSpec("efficiency_root", "1", "carbon built into roots per carbon used"),
        ParameterSpec("efficiency_storage", "1", "carbon built into storage per carbon used"),
        ParameterSpec("reserve_turnover", "d-1", "share of the reserve used for growth"),
    )
    slots = ("shares", "storage_demand")
    share_slots = MappingProxyType({"shares": len(harvest_index.Organs._fields)})
    drivers = MappingProxyType({"storage_demand": "value"})
    shares: Closure
    storage_demand: Closure

    def __init__(self, version: str = "lpjml6") -> None:
        super().__init__()
        self.constants = version_of(version)

    def forward(
        self, p: Parameters, development_stage: Tensor, growing: Tensor, reserve: Tensor,
        maintenance: Tensor, leaf_sink: Tensor, grain_set: Tensor, features: Features | None,
        h: float, organs: harvest_index.Organs, leaf_growth: Tensor | float = 1.0,
    ) -> Growth:
        """Fluxes out of the reserve.

        Parameters
        ----------
        p, development_stage, growing, reserve, maintenance, leaf_sink, grain_set, features, h
            As for `Allocation`.
        organs : Organs
            Carbon of the organs, g m-2, ``[cell]``.
        leaf_growth : Tensor or float
            Share of leaf growth that nitrogen leaves, ``[cell]``.
        """
        paid, left, available = available_carbon(p, growing, reserve, maintenance, h)
        wanted = self.wanted(p, development_stage, organs, left, grain_set, features)
        shares = harvest_index.shares_towards(organs, wanted)
        shares = harvest_index.Organs(*through(self.shares, shares, features))
        used = harvest_index.Organs(*(available * share for share in shares))
        return build(p, used._replace(leaf=used.leaf * leaf_growth), paid,
                     growing * maintenance - paid)

    def wanted(
        self, p: Parameters, development_stage: Tensor, organs: harvest_index.Organs,
        reserve: Tensor, grain_set: Tensor, features: Features | None,
    ) -> harvest_index.Organs:
        """What the organs should hold, g m-2, ``[cell]``; arguments as for the call."""
        fphu = harvest_index.heat_unit_fraction(development_stage, p["anthesis_fraction"])
        early, late = p["leaf_curve_early"], p["leaf_curve_late"]
        senescence = p["leaf_curve_senescence"]
        curve = allocation.phenological_lai_lpjml(
            torch.minimum(fphu, senescence - 1e-6), (early[0], early[1]), (late[0], late[1]),
            senescence, 1.0)
        leaf = torch.where(
            fphu < senescence, p["maximum_leaf_area"] * curve / p["specific_leaf_area"],
            organs.leaf)
        enough = self.storage_demand(grain_set, features).clamp(0.0, 1.0)
        weight = allocation.water_deficit_weight(100.0 * enough)
        index = allocation.harvest_index(
            fphu, p["harvest_index_optimal"], p["harvest_index_minimal"], weight)
        total = organs.leaf + organs.stem + organs.root + organs.storage + reserve
        wanted = harvest_index.organs_of(
            total, leaf, 1.0, allocation.root_fraction_lpjml(fphu, weight), index)
        filled = enough * wanted.storage  # grains that were not set take no carbon
        return wanted._replace(storage=filled, stem=wanted.stem + (wanted.storage - filled))

    def seed_root_share(self, p: Parameters) -> Tensor:
        """Share of the seed that becomes roots: that of no heat units, ``[cell]``."""
        return allocation.root_fraction_lpjml(torch.zeros_like(p["anthesis_fraction"]), 1.0)
