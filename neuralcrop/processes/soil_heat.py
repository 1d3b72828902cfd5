"""Soil temperature."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core.forcing import SOIL_LAYER_THICKNESS
from neuralcrop.core.numerics import clip01
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics import soil_heat
from neuralcrop.processes.base import Parameters, Process

DEEP_LAYER = 10.0
"""Thickness of the layer below the soil, which keeps the annual wave from its closed end, m."""

HEAT_LAYER_THICKNESS: tuple[float, ...] = (*SOIL_LAYER_THICKNESS, DEEP_LAYER)
"""Layers of soil temperature, m."""


class SoilHeat(Process):
    """Conduction of heat through six layers under snow and litter.

    Implicit in time; conductivity and heat capacity follow moisture and texture; the layer below
    the soil is as moist as the last one.

    Sources: Johansen (1975) and Lu et al. (2007) doi:10.2136/sssaj2006.0041 for conductivity, de
    Vries (1963) for heat capacity, Hansson et al. (2004) doi:10.2136/vzj2004.0693 for freezing.

    Parameters
    ----------
    freezing : bool
        Add the latent heat of soil water.
    """

    specs = (
        ParameterSpec("litter_conductivity", "W m-1 K-1", "thermal conductivity of plant litter"),
        ParameterSpec("snow_extinction", "mm", "snow water that damps surface temperature to 1/e"),
    )
    slots = ("insulation",)
    insulation: Closure

    def __init__(self, freezing: bool = False) -> None:
        super().__init__()
        self.freezing = freezing

    def forward(
        self, p: Parameters, soil_temperature: Tensor, tas: Tensor, soil_water: Tensor,
        saturation: Tensor, sand: Tensor, snow_water: Tensor, litter_carbon: Tensor,
        features: Features | None, h: float,
    ) -> Tensor:
        """Rate of soil temperature, K d-1, ``[6, cell]``.

        Parameters
        ----------
        p : mapping
            Parameters.
        soil_temperature : Tensor
            degC, ``[6, cell]``.
        tas : Tensor
            Air temperature of the day, degC, ``[cell]``.
        soil_water, saturation : Tensor
            Water and pore volume, mm, ``[layer, cell]``.
        sand : Tensor
            Mass fraction, ``[cell]``.
        snow_water, litter_carbon : Tensor
            Snow (mm) and surface litter (g m-2), ``[cell]``.
        features : Features or None
            For a neural closure.
        h : float
            Step, d; 0 for the rate of the differential equation.
        """
        depth = soil_temperature.new_tensor(HEAT_LAYER_THICKNESS).unsqueeze(-1)
        porosity = saturation / (1000.0 * depth[:-1])
        filled = clip01(soil_water / saturation)
        porosity = torch.cat((porosity, porosity[-1:]))
        filled = torch.cat((filled, filled[-1:]))
        conductivity = soil_heat.thermal_conductivity(filled, porosity, sand)
        capacity = soil_heat.heat_capacity(filled * porosity, porosity)
        between = soil_heat.layer_conductances(conductivity, capacity, HEAT_LAYER_THICKNESS)
        surface = soil_heat.surface_conductance(
            conductivity[0], HEAT_LAYER_THICKNESS[0], snow_water, litter_carbon,
            p["litter_conductivity"], p["snow_extinction"])
        surface = self.insulation(surface, features)
        store = capacity * depth
        if not self.freezing:
            return soil_heat.temperature_rate(soil_temperature, tas, store, surface, between, h)
        latent = soil_heat.LATENT_HEAT_OF_FUSION * filled * porosity * depth
        return soil_heat.freezing_rate(soil_temperature, tas, store, latent, surface, between, h)
