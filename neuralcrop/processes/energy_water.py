"""Energy and evaporation: net radiation, interception, transpiration, soil evaporation."""

from __future__ import annotations

from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core.numerics import safe_div, smooth_min
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics import canopy, radiation
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.processes.base import Parameters, Process

ALBEDO = 0.23
"""Shortwave albedo of a crop (Allen et al. 1998)."""

PRIESTLEY_TAYLOR = 1.26
"""Potential over equilibrium evaporation (Priestley and Taylor 1972)."""

ROOT_CARBON_SCALE = 0.04
"""m2 g-1; share of the soil that roots of a carbon mass reach (Schaphoff et al. 2018)."""

MEASUREMENT_HEIGHT = 10.0
"""Height of the wind, m."""

MINIMUM_WIND = 0.5
"""Lowest wind of the aerodynamic resistance, m s-1 (Allen et al. 1998)."""

SUPPLY_CURVATURE = 0.98
"""Curvature of the passage from demand to supply."""

class Evaporative(NamedTuple):
    """Available energy of the day, ``[cell]``, as water (mm d-1) and radiation (MJ m-2 d-1)."""

    canopy_radiation: Tensor
    canopy_potential: Tensor
    soil_potential: Tensor

class Transpired(NamedTuple):
    """Transpiration (mm d-1) and actual over potential conductance, ``[cell]``."""

    amount: Tensor
    opening: Tensor

class EnergyBalance(Process):
    """Net radiation shared between canopy and soil by Beer's law.

    Longwave is net of the given downwelling flux; where a file has none, the reader derives it so
    that the net flux is that of FAO-56 (Allen et al. 1998).
    """

    specs = (ParameterSpec("extinction", "1", "extinction of radiation in the canopy"),)

    def forward(
        self, p: Parameters, rsds: Tensor, rlds: Tensor, tas: Tensor, ps: Tensor,
        day_length: Tensor, lai: Tensor,
    ) -> Evaporative:
        """Energy for evaporation.

        Parameters
        ----------
        p : mapping
            Parameters.
        rsds, rlds : Tensor
            MJ m-2 d-1, ``[cell]``.
        tas, ps, day_length, lai : Tensor
            degC, kPa, h, leaf area index, ``[cell]``.
        """
        longwave = radiation.net_longwave(tas, rlds) * (day_length / 24.0)
        net = (radiation.net_shortwave(rsds, ALBEDO) - longwave).clamp_min(0.0)
        covered = canopy.fraction_absorbed(lai, p["extinction"])
        potential = et.priestley_taylor(net, tas, ps, PRIESTLEY_TAYLOR)
        return Evaporative(net * covered, potential * covered, potential * (1.0 - covered))

class PenmanMonteithTranspiration(Process):
    r"""Transpiration as demand against root-zone supply.

    Demand is Penman-Monteith with the canopy conductance that photosynthesis asks for; supply is
    :math:`E_{max} w_r (1 - e^{-0.04 C_{root}})`. Where supply limits, the equation is inverted for
    the conductance that remains; a closure of the demand changes the water that a conductance
    costs, not the conductance.

    Sources: Monteith (1965); Allen et al. (1998) FAO-56; Schaphoff et al. (2018)
    doi:10.5194/gmd-11-1343-2018 for the supply.
    """

    specs = (
        ParameterSpec("maximum_transpiration", "mm d-1", "largest supply of the root zone"),
        ParameterSpec("canopy_height", "m", "height of the closed canopy"),
    )
    slots = ("demand", "water_supply")
    drivers = MappingProxyType({"water_supply": "root_zone_wetness"})
    demand: Closure
    water_supply: Closure

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
        vpd, tas, ps, sfcwind, day_length : Tensor
            Daytime deficit (kPa), daytime temperature (degC), pressure (kPa), wind at 10 m
            (m s-1), day length (h), ``[cell]``.
        wet, lai, root_carbon, root_zone_wetness : Tensor
            Share of the day with a wet canopy, leaf area index, g m-2, 0 to 1, ``[cell]``.
        features : Features or None
            For a neural closure.
        """
        height = 0.05 + p["canopy_height"] * -torch.expm1(-lai)
        ra = et.aerodynamic_resistance(sfcwind.clamp_min(MINIMUM_WIND), MEASUREMENT_HEIGHT, height)
        seconds = (3600.0 * day_length).clamp_min(60.0)
        rs = et.molar_conductance_to_resistance(conductance.clamp_min(1e-5), tas, ps)
        demand = et.penman_monteith(energy.canopy_radiation, vpd, tas, ps, ra, rs, seconds)
        demand = demand * (1.0 - wet)
        equation, demand = demand, self.demand(demand, features)
        supply = (p["maximum_transpiration"] * root_zone_wetness
                  * -torch.expm1(-ROOT_CARBON_SCALE * root_carbon))
        supply = self.water_supply(supply, features)
        amount = smooth_min(demand, supply, SUPPLY_CURVATURE)
        dry_rate = amount / (1.0 - wet)
        if self.demand.neural:  # water per conductance is no longer the equation's
            dry_rate = dry_rate * safe_div(equation, demand, 1.0)
        rs_actual = et.surface_resistance(
            dry_rate.clamp_min(1e-4), energy.canopy_radiation, vpd, tas, ps, ra, seconds)
        return Transpired(amount, (rs / torch.maximum(rs_actual, rs)))

class Interception(Process):
    """Rain that evaporates from the canopy, limited by energy (Schaphoff et al. 2018)."""

    specs = (ParameterSpec("interception", "1", "rain held per unit of leaf area and rain"),)

    def forward(
        self, p: Parameters, rain: Tensor, lai: Tensor, potential: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Interception (mm d-1) and the share of the day with a wet canopy, ``[cell]``."""
        held = torch.minimum(p["interception"] * lai, torch.full_like(lai, 0.5)) * rain
        amount = smooth_min(held, potential, 0.95)
        return amount, safe_div(amount, potential).clamp(0.0, 0.95)

class SoilEvaporation(Process):
    r"""Evaporation of the upper 0.3 m, falling with dryness.

    .. math:: E_s = E_{pot} / (1 + e^{5 - 10 w_e})

    Schaphoff et al. (2018) doi:10.5194/gmd-11-1343-2018.
    """

    slots = ("dryness",)
    drivers = MappingProxyType({"dryness": "value"})
    dryness: Closure

    def forward(self, potential: Tensor, wetness: Tensor, features: Features | None) -> Tensor:
        """Demand on the soil, mm d-1, ``[cell]``."""
        share: Tensor = self.dryness(et.soil_evaporation_factor(wetness), features)
        return potential * share
