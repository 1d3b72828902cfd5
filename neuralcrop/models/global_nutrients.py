"""The `global` set: nitrogen and soil organic matter of a day."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Features
from neuralcrop.core.forcing import SOIL_LAYER_BOTTOM, DailyForcing, Site
from neuralcrop.core.numerics import floor_to, quantum_of
from neuralcrop.models.crop_model import Processes
from neuralcrop.physics.soil_carbon import OrganicMatter
from neuralcrop.physics.soil_water import root_profile
from neuralcrop.processes.growth import Growth
from neuralcrop.processes.nitrogen import CropNitrogen, Needs, NitrogenStress, Stress
from neuralcrop.processes.soil_biogeochemistry import Decomposition
from neuralcrop.processes.soil_heat import SoilHeat
from neuralcrop.processes.soil_nitrogen import MineralNitrogen

FALLOW_NUTRIENTS = ("heat_flow", "decomposition", "mineral_nitrogen")
"""Those that go on where no crop stands."""

ROUNDED_OUT = 8
"""No stock loses more fluxes than this; so many quanta are kept back from what may leave it."""

DEFAULT_DEPOSITION = (0.0013, 0.0014)
"""Nitrate and ammonium, g m-2 d-1. Chosen: 1 g m-2 yr-1 in all, of the order of what falls on
cropland (Vishwakarma et al. 2023, doi:10.1038/s41597-023-02385-8)."""


BULK_DENSITY = 1.4e6
"""g m-3."""

DEPTH_SHARES = (1.0, 0.74, 0.70, 0.80, 0.56)
"""Organic carbon of the layers over that of the first (see `start_soil`)."""

FAST_SHARE = 0.3
"""Fast over all organic matter of cultivated soil; in balance with inputs it is about a half."""

LITTER_CN = 50.0
"""Carbon to nitrogen of old litter."""

INITIAL_MINERAL = (1.0, 1.0, 0.5, 0.3, 0.1)
"""Nitrate at the start, g m-2 by layer; half as much ammonium."""

HEAT_DEPTHS = (0.1, 0.35, 0.75, 1.5, 2.5, 8.0)
"""Middles of the layers with heat, m; the annual wave falls to 1/e in 2 m."""


class Ground(NamedTuple):
    """Soil of a run as the nutrients need it, ``[cell]`` or ``[layer, cell]``."""

    sand: Tensor
    ph: Tensor
    litter_profile: Tensor
    deposition: Tensor


def ground(p: Mapping[str, Tensor], site: Site) -> Ground:
    """Soil of a run; without measurements a loam of neutral pH, and the mean deposition."""
    flat = torch.zeros_like(site.latitude)
    texture = site.texture
    sand = flat + 0.4 if texture is None else texture[0]
    ph = flat + 6.5 if texture is None else texture[3]
    deposition = site.deposition
    if deposition is None:
        deposition = torch.stack([flat + amount for amount in DEFAULT_DEPOSITION])
    profile = root_profile(
        p["root_distribution"] + flat, SOIL_LAYER_BOTTOM, flat + SOIL_LAYER_BOTTOM[-1])
    return Ground(sand, ph, profile, deposition)


def start_soil(
    p: Mapping[str, Tensor], site: Site, forcing: DailyForcing
) -> dict[str, Tensor]:
    """Stocks of a soil before any spin-up, from its organic carbon, and its temperature.

    Organic carbon falls with depth after Jobbagy and Jackson (2000),
    doi:10.1890/1051-0761(2000)010[0423:TVDOSO]2.0.CO;2: 33 and 23 % of the first metre in the
    second and third, and within it 41, 30 and 29 %, chosen near the 42 % that its upper 0.2 m have
    under grass. The bulk density is that of Saxton and Rawls (2006) for a loam.
    """
    flat = torch.zeros_like(site.latitude)
    percent = flat + 1.45 if site.texture is None else site.texture[2]
    top = 0.01 * percent * BULK_DENSITY * SOIL_LAYER_BOTTOM[0]
    carbon = torch.stack([share * top for share in DEPTH_SHARES])
    fast = whole_stock(FAST_SHARE * carbon, "carbon")
    slow = whole_stock(carbon - fast, "carbon")
    litter = {
        f"{name}_litter_carbon": flat + amount for name, amount in (
            ("surface", 60.0), ("incorporated", 30.0), ("root", 60.0))}
    year = min(365, forcing.n_days)
    air = forcing.values[:year, forcing.names.index("tas")]
    surface, mean = air[:30].mean(dim=0), air.mean(dim=0)
    damping = torch.exp(-torch.tensor(HEAT_DEPTHS, dtype=air.dtype, device=air.device) / 2.0)
    mineral = flat.new_tensor(INITIAL_MINERAL).unsqueeze(-1) + flat
    return {
        "fast_carbon": fast, "slow_carbon": slow, **litter,
        "fast_nitrogen": whole_stock(fast / p["soil_cn"], "nitrogen"),
        "slow_nitrogen": whole_stock(slow / p["soil_cn"], "nitrogen"),
        **{name.replace("carbon", "nitrogen"): whole_stock(value / LITTER_CN, "nitrogen")
           for name, value in litter.items()},
        "nitrate": whole_stock(mineral, "nitrogen"),
        "ammonium": whole_stock(0.5 * mineral, "nitrogen"),
        "soil_temperature": mean + (surface - mean) * damping.unsqueeze(-1),
    }


def whole_stock(x: Tensor, element: str) -> Tensor:
    """Stock in whole quanta, `numerics.SOIL_QUANTA`."""
    return floor_to(x, quantum_of(element, x.dtype))


class CropDay(NamedTuple):
    """What the nutrients need to know of the crop's day."""

    growing: Tensor
    growth: Growth
    lost: Tensor
    """Carbon of leaves, stems and roots that died, g m-2 d-1, ``[3, cell]``."""
    roots: Tensor
    available: Tensor
    wetness: Tensor


    @property
    def spent(self) -> Tensor:
        """Carbon that has left the reserve, g m-2 d-1, ``[cell]``."""
        g = self.growth
        return (g.maintenance_respiration + g.growth_respiration + g.leaf + g.stem + g.root
                + g.storage)


class SoilDay(NamedTuple):
    """What the nutrients need to know of the soil's day."""

    soil_water: Tensor
    saturation: Tensor
    percolation: Tensor
    runoff: Tensor
    snow_water: Tensor


class NutrientProcesses(Processes):
    """Processes of nitrogen and soil organic matter."""

    heat_flow: SoilHeat
    decomposition: Decomposition
    mineral_nitrogen: MineralNitrogen
    nitrogen_stress: NitrogenStress
    nitrogen: CropNitrogen

    def add_nutrients(self, version: str = "lpjml6", freezing: bool = False) -> None:
        """Take the processes in: decay as in a version of LPJmL, soil water that may freeze."""
        self.heat_flow = SoilHeat(freezing)
        self.decomposition = Decomposition(version)
        self.mineral_nitrogen = MineralNitrogen()
        self.nitrogen_stress = NitrogenStress()
        self.nitrogen = CropNitrogen()


def nutrient_parameters() -> frozenset[str]:
    """Parameters that only models with nutrients read."""
    parts = NutrientProcesses()
    parts.add_nutrients()
    return frozenset(s.name for part in parts.processes().values() for s in part.specs)


def organs(x: Mapping[str, Tensor]) -> tuple[Tensor, Tensor]:
    """Carbon and nitrogen of leaves, stems, roots and storage, g m-2, ``[4, cell]``."""
    carbon = torch.stack((
        x["leaf_carbon"].sum(dim=0), x["stem_carbon"], x["root_carbon"], x["storage_carbon"]))
    nitrogen = torch.stack([
        x[f"{organ}_nitrogen"] for organ in ("leaf", "stem", "root", "storage")])
    return carbon, nitrogen


def stress(
    parts: NutrientProcesses, p: Mapping[str, Tensor], x: Mapping[str, Tensor],
    features: Features | None,
) -> Stress:
    """What the nitrogen of the morning does to the crop."""
    carbon, nitrogen = organs(x)
    return parts.nitrogen_stress(
        p, x["development_stage"], carbon, nitrogen, x["reserve_nitrogen"], features)


def nutrient_day(
    parts: NutrientProcesses, p: Mapping[str, Tensor], x: Mapping[str, Tensor], place: Ground,
    soil: SoilDay, crop: CropDay | None, tas: Tensor, wind: Tensor, features: Features | None,
    h: float,
) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Fluxes of nitrogen and soil organic matter, and rates of their clocks.

    Parameters
    ----------
    parts : NutrientProcesses
        Processes.
    p, x : mapping of str to Tensor
        Parameters and state by name.
    place : Ground
        From `ground`.
    soil : SoilDay
        Water of the day.
    crop : CropDay or None
        None where no crop stands.
    tas, wind : Tensor
        Air temperature (degC) and wind (m s-1), ``[cell]``.
    features : Features or None
        For neural closures.
    h : float
        Step of the limiters, d.
    """
    spare = ROUNDED_OUT * quantum_of("nitrogen", tas.dtype) if h else 0.0
    nitrate = (x["nitrate"] - spare).clamp_min(0.0)
    ammonium = (x["ammonium"] - spare).clamp_min(0.0)
    carbon_pools, nitrogen_pools = _pools(x, "carbon", h), _pools(x, "nitrogen", h)
    temperature = x["soil_temperature"]
    warmed = parts.heat_flow(
        p, temperature, tas, soil.soil_water, soil.saturation, place.sand, soil.snow_water,
        x["surface_litter_carbon"], features, h)
    response = parts.decomposition.response(
        temperature, soil.soil_water, soil.saturation, features)
    decomposed = parts.decomposition(
        p, carbon_pools, nitrogen_pools, response, place.litter_profile, h)
    needs: Needs | None = None
    wanted = (torch.zeros_like(nitrate), torch.zeros_like(ammonium))
    if crop is not None:
        needs, wanted = _wanted(parts, p, x, soil, crop, nitrate, ammonium, features, h)
    mineral = parts.mineral_nitrogen(
        p, ammonium, nitrate, decomposed, x["fast_carbon"] + x["slow_carbon"], temperature,
        soil.soil_water, soil.saturation, soil.percolation, soil.runoff, place.sand, place.ph,
        wind, wanted[1], wanted[0], features, h)
    fluxes = {
        **decomposed, **mineral,
        "nitrate_deposition": place.deposition[0], "ammonium_deposition": place.deposition[1]}
    clocks = {"soil_temperature": warmed}
    if crop is None or needs is None:
        for name in ("nitrate_uptake", "ammonium_uptake"):
            del fluxes[name]
        return fluxes, clocks
    inner = parts.nitrogen.distribute(
        p, needs, crop.growing, x["reserve_nitrogen"], mineral["nitrate_uptake"],
        mineral["ammonium_uptake"], temperature[0], crop.wetness,
        x["reserve_carbon"] - h * crop.spent, h)
    fluxes.update(inner._asdict())
    return fluxes, clocks


def _wanted(
    parts: NutrientProcesses, p: Mapping[str, Tensor], x: Mapping[str, Tensor], soil: SoilDay,
    crop: CropDay, nitrate: Tensor, ammonium: Tensor, features: Features | None, h: float,
) -> tuple[Needs, tuple[Tensor, Tensor]]:
    """Needs of the crop, and nitrate and ammonium that it asks of the soil."""
    carbon, nitrogen = organs(x)
    grown = torch.stack((
        crop.growth.leaf, crop.growth.stem, crop.growth.root, crop.growth.storage))
    needs = parts.nitrogen.needs(
        p, x["development_stage"], crop.growing, carbon, nitrogen, x["reserve_nitrogen"], grown,
        crop.lost, h)
    return needs, parts.nitrogen.demand_by_layer(
        p, needs.uptake, x["root_carbon"], crop.roots, nitrate, ammonium, soil.saturation,
        x["soil_temperature"][: nitrate.shape[0]], crop.available, features)


def _pools(x: Mapping[str, Tensor], element: str, h: float) -> OrganicMatter:
    """Organic matter that may leave its pools."""
    spare = ROUNDED_OUT * quantum_of(element, x["fast_carbon"].dtype) if h else 0.0
    names = ("surface_litter", "incorporated_litter", "root_litter", "fast", "slow")
    return OrganicMatter(*((x[f"{name}_{element}"] - spare).clamp_min(0.0) for name in names))
