"""The `global` set: its processes."""

from __future__ import annotations

from neuralcrop.models.global_components import USUAL, component
from neuralcrop.models.global_nutrients import NutrientProcesses
from neuralcrop.processes.energy_water import EnergyBalance, Interception, SoilEvaporation
from neuralcrop.processes.growth import (
    HeatDamage,
    LeafDynamics,
    Respiration,
    RootGrowth,
    StemsAndRoots,
)
from neuralcrop.processes.phenology import ThermalTimePhenology
from neuralcrop.processes.photosynthesis import TwoLeafLight
from neuralcrop.processes.water import Pond, Snow, SoilWater

FALLOW_PROCESSES = ("energy", "snow", "pond", "soil_evaporation", "soil")
"""Processes that go on where no crop stands."""


class GlobalCropProcesses(NutrientProcesses):
    """Processes of the `global` set with their closure slots.

    Parameters
    ----------
    photosynthesis, transpiration, allocation : str
        Names of components (`neuralcrop.models.global_components.ALTERNATIVES`).
    version : str
        Of LPJmL, whose constants the components after it take.
    nutrients : bool
        With the processes of nitrogen and soil organic matter.
    freezing : bool
        Soil water takes up and gives off latent heat as it freezes and thaws.
    """

    def __init__(
        self, photosynthesis: str = USUAL["photosynthesis"],
        transpiration: str = USUAL["transpiration"], allocation: str = USUAL["allocation"],
        version: str = "lpjml6", nutrients: bool = False, freezing: bool = False,
    ) -> None:
        super().__init__()
        chosen = {"photosynthesis": photosynthesis, "transpiration": transpiration,
                  "allocation": allocation}
        words = () if chosen == USUAL else (*chosen.values(), version)
        if nutrients:
            words = (*words, "nutrients", version, *(("freezing",) if freezing else ()))
        self.variant = " ".join(words)
        self.phenology = ThermalTimePhenology()
        self.light = TwoLeafLight()
        self.photosynthesis = component("photosynthesis", photosynthesis, version)
        self.energy = EnergyBalance()
        self.interception = Interception()
        self.transpiration = component("transpiration", transpiration, version)
        self.soil_evaporation = SoilEvaporation()
        self.respiration = Respiration()
        self.allocation = component("allocation", allocation, version)
        self.leaves = LeafDynamics()
        self.organs = StemsAndRoots()
        self.roots = RootGrowth()
        self.heat = HeatDamage()
        self.snow = Snow()
        self.pond = Pond()
        self.soil = SoilWater()
        if nutrients:
            self.add_nutrients(version, freezing)
