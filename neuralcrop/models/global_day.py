"""The `global` set: the order of a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Features, scale_features
from neuralcrop.closures.parameter_network import ParameterNetwork
from neuralcrop.core.forcing import (
    SOIL_LAYER_BOTTOM,
    SOIL_LAYER_THICKNESS,
    DailyForcing,
    Site,
)
from neuralcrop.core.numerics import whole, whole_amount
from neuralcrop.core.parameters import ParameterSpec, ParameterTable
from neuralcrop.core.state import Layout
from neuralcrop.core.variables import FORCING_NAMES, REGISTRY
from neuralcrop.models.crop_model import CropModel, Processes
from neuralcrop.models.global_ import (
    CROP_STOCKS,
    EVENT_SPECS,
    FALLOW_FLUXES,
    FALLOW_STATE,
    FALLOW_STOICHIOMETRY,
    FLUXES,
    INITIAL_ROOT_DEPTH,
    MATURE,
    RESERVOIRS,
    RIPE,
    SOWN,
    STATE,
    STOICHIOMETRY,
    TONNES_PER_GRAM,
    TRIGGER_WIDTH,
)
from neuralcrop.models.global_components import USUAL, component
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import radiation
from neuralcrop.physics.harvest_index import Organs
from neuralcrop.processes.energy_water import (
    EnergyBalance,
    Evaporative,
    Interception,
    SoilEvaporation,
)
from neuralcrop.processes.growth import (
    HeatDamage,
    LeafDynamics,
    Respiration,
    RootGrowth,
    StemsAndRoots,
)
from neuralcrop.processes.phenology import ThermalTimePhenology
from neuralcrop.processes.photosynthesis import TwoLeafLight
from neuralcrop.processes.water import Snow, SnowFluxes, SoilColumn, SoilWater

MJ_PER_WATT_DAY = 0.0864
"""W m-2 over a day to MJ m-2 d-1."""

TWILIGHT = -4.0
"""Elevation of the sun that ends the photoperiod, degrees (Supit et al. 1994)."""

GROWTH_TEMPERATURE_DAYS = 30.0
"""Memory of the growth temperature, d (Kattge and Knorr 2007)."""


FALLOW_PROCESSES = ("energy", "snow", "soil_evaporation", "soil")
"""Processes that go on where no crop stands."""


class Place(NamedTuple):
    """What stays the same over a run, ready for the day, ``[cell]`` or ``[layer, cell]``."""

    sin_latitude: Tensor
    cos_latitude: Tensor
    column: SoilColumn


class _Air(NamedTuple):
    """What the day offers: sun, air, plant-available water, energy, features of closures."""

    rsds: Tensor
    sun: radiation.SolarGeometry
    day_temperature: Tensor
    vpd: Tensor
    available: Tensor
    roots: Tensor
    wetness: Tensor
    energy: Evaporative
    features: Features | None


class GlobalCropProcesses(Processes):
    """Processes of the `global` set with their closure slots.

    Parameters
    ----------
    photosynthesis, transpiration, allocation : str
        Names of components (`neuralcrop.models.global_components.ALTERNATIVES`).
    version : str
        Of LPJmL, whose constants the components after it take.
    """

    def __init__(
        self, photosynthesis: str = USUAL["photosynthesis"],
        transpiration: str = USUAL["transpiration"], allocation: str = USUAL["allocation"],
        version: str = "lpjml6",
    ) -> None:
        super().__init__()
        chosen = {"photosynthesis": photosynthesis, "transpiration": transpiration,
                  "allocation": allocation}
        self.variant = "" if chosen == USUAL else " ".join((*chosen.values(), version))
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
        self.soil = SoilWater()


class GlobalModel(CropModel):
    """Farquhar photosynthesis, Penman-Monteith transpiration, five soil layers, thermal time.

    Parameters
    ----------
    table : ParameterTable
        Parameters of the crops, with the specs of `specs`.
    parts : GlobalCropProcesses, optional
        Processes; the published equations by default.
    network, covariates
        See `CropModel`.
    """

    set_name = "global"
    state = STATE
    reservoirs = RESERVOIRS
    fluxes = FLUXES
    stoichiometry = STOICHIOMETRY
    fallow_state = FALLOW_STATE
    parts: GlobalCropProcesses

    def __init__(
        self, table: ParameterTable, parts: GlobalCropProcesses | None = None,
        network: ParameterNetwork | None = None, covariates: Sequence[str] = (),
    ) -> None:
        super().__init__(table, parts or GlobalCropProcesses(), network, covariates)
        known = self.table.layout.sizes
        self.fallow_parameters = Layout({
            s.name: known[s.name] for process in FALLOW_PROCESSES
            for s in getattr(self.parts, process).specs})

    @staticmethod
    def specs(parts: GlobalCropProcesses | None = None) -> tuple[ParameterSpec, ...]:
        """Parameters that the model reads: those of its processes and of its events."""
        parts = parts or GlobalCropProcesses()
        specs = [s for part in parts.processes().values() for s in part.specs]
        return (*specs, *EVENT_SPECS)

    @property
    def variant(self) -> str:
        """Components other than the usual ones, for restart files."""
        return self.parts.variant

    def choose_pathways(self, crop: Tensor) -> None:
        """Evaluate only the photosynthetic pathways that the cells' crops have."""
        row = self.table.layout.start["c4"]
        kinds = {bool(v > 0.5) for v in self.table.values[row, crop.unique()].tolist()}
        self.parts.photosynthesis.pathways = tuple(
            name for name, c4 in (("c3", False), ("c4", True)) if c4 in kinds)

    def place(self, p: Mapping[str, Tensor], site: Site) -> Place:
        """Precompute what a run needs of a site, once."""
        latitude = torch.deg2rad(site.latitude)
        return Place(torch.sin(latitude), torch.cos(latitude), self.parts.soil.column(p, site))

    def leaf_area_index(self, x: Mapping[str, Tensor], p: Mapping[str, Tensor]) -> Tensor:
        """Leaf area index of emerged crops, ``[cell]``."""
        emerged = (x["development_stage"] >= 0.0).to(x["stem_carbon"].dtype)
        return emerged * x["leaf_carbon"].sum(dim=0) * p["specific_leaf_area"]

    def start(
        self, forcing: DailyForcing, site: Site, p: Tensor, wetness: float = 0.7
    ) -> dict[str, Tensor]:
        """Fallow cells; see `CropModel.start`. The first month sets the growth temperature."""
        n, device, dtype = forcing.n_cells, forcing.values.device, forcing.values.dtype
        column = self.parts.soil.column(self.table.layout.view(p), site)
        water = column.wilting + wetness * (column.capacity - column.wilting)
        zero = torch.zeros(n, dtype=dtype, device=device)
        values = {
            name: zero if size == 1 else zero.expand(size, n) for name, size in STATE.sizes.items()
        }
        return values | {
            "soil_water": whole(water), "development_stage": zero + MATURE,
            "growth_temperature": mean_first_month(forcing)}

    def ripe(self, x: Tensor, p: Tensor) -> Tensor:
        """Whether the crop of a cell is ripe, ``[cell]``."""
        return STATE.get(x, "development_stage") >= RIPE

    def standing_yield(self, x: Tensor, p: Tensor) -> Tensor:
        """Yield that stands in the field, t ha-1 dry matter, ``[cell]``."""
        fraction = self.table.layout.get(p, "carbon_fraction")
        return STATE.get(x, "storage_carbon") * TONNES_PER_GRAM / fraction

    def diagnostics(self, x: Tensor, p: Tensor, place: Place) -> dict[str, Tensor]:
        """Leaf area index and relative root-zone water."""
        s, named = STATE.view(x), self.table.layout.view(p)
        _, _, wetness = self.parts.soil.wetness(
            named, place.column, s["soil_water"], s["root_depth"])
        return {"lai": self.leaf_area_index(s, named), "root_zone_wetness": wetness}

    def record(self, s: dict[str, Tensor], x: Tensor, p: Tensor) -> dict[str, Tensor]:
        """Entries of the record of a season; see `CropModel.record`."""
        to_yield = TONNES_PER_GRAM / self.table.layout.get(p, "carbon_fraction")
        leaf = s["leaf_carbon"].sum(dim=0)
        shoot = leaf + s["stem_carbon"] + s["storage_carbon"] + s["reserve_carbon"]
        fixed = -(s["seed_carbon"] + s["assimilated_carbon"])
        return {
            "yield": _grain(s) * to_yield,
            "biom": shoot * to_yield,
            "gpp": -s["assimilated_carbon"],
            "evap": s["evaporated_water"] + s["intercepted_water"] + s["sublimated_water"],
            "carbon_residual": self.ledger.total(x, "carbon") / fixed.clamp_min(1e-6),
        }

    def harvest(self, s: dict[str, Tensor], harvest: Tensor) -> None:
        """Grain leaves the field, everything else becomes litter."""
        gone = harvest.to(s["stem_carbon"].dtype)
        grain = _grain(s)
        s["harvested_carbon"] = s["harvested_carbon"] + gone * grain
        residue = (s["leaf_carbon"].sum(dim=0) + s["stem_carbon"] + s["root_carbon"]
                   + s["reserve_carbon"] + (s["storage_carbon"] - grain))
        s["litter_carbon"] = s["litter_carbon"] + gone * residue
        for name in CROP_STOCKS:
            s[name] = s[name] * (1.0 - gone)
        s["development_stage"] = torch.where(harvest, MATURE, s["development_stage"])

    def sow(self, s: dict[str, Tensor], p: Mapping[str, Tensor], sow: Tensor) -> None:
        """Seed becomes the first roots and the youngest leaves."""
        seed = torch.where(sow, whole(p["seed_carbon"]), 0.0)
        to_root = whole(self.parts.allocation.seed_root_share(p) * seed)
        s["seed_carbon"] = s["seed_carbon"] - seed
        s["root_carbon"] = s["root_carbon"] + to_root
        leaf = s["leaf_carbon"]
        s["leaf_carbon"] = torch.cat(((leaf[0] + (seed - to_root)).unsqueeze(0), leaf[1:]))
        for name, value in (
            ("development_stage", SOWN), ("vernalisation_days", 0.0), ("vegetative_days", 0.0),
            ("reproductive_days", 0.0), ("grain_set", 1.0), ("root_depth", INITIAL_ROOT_DEPTH),
            ("peak_leaf_area", 0.0),
        ):
            s[name] = torch.where(sow, value, s[name])

    def stored_water(self, s: Mapping[str, Tensor]) -> Tensor:
        """Water of soil and snow, mm, ``[cell]``."""
        return s["soil_water"].sum(dim=0) + s["snow_water"]

    def irrigate(
        self, s: dict[str, Tensor], p: Mapping[str, Tensor], place: Place, active: Tensor,
        wetness: Tensor, threshold: Tensor, target: Tensor, amount: Tensor,
    ) -> None:
        """Fill the root zone to the target, and the soil from the top by amounts."""
        column, water = place.column, s["soil_water"]
        wanted = column.wilting + target * (column.capacity - column.wilting)
        dry = torch.sigmoid((threshold - wetness) / TRIGGER_WIDTH)
        growing = (s["development_stage"] < RIPE) & active
        asked = dry * (threshold > 0.0) * growing
        layers = []
        left = whole(amount)
        for k, (bottom, thickness) in enumerate(
                zip(SOIL_LAYER_BOTTOM, SOIL_LAYER_THICKNESS, strict=True)):
            reached = ((s["root_depth"] - (bottom - thickness)) / thickness).clamp(0.0, 1.0)
            refill = whole(asked * reached * (wanted[k] - water[k]).clamp_min(0.0))
            room = whole((column.saturation[k] - water[k] - refill).clamp_min(0.0))
            taken = torch.minimum(left, room)
            left = left - taken
            layers.append(refill + taken)
        added = torch.stack(layers)
        s["soil_water"] = water + added
        s["runoff_water"] = s["runoff_water"] + left
        s["irrigated_water"] = s["irrigated_water"] - added.sum(dim=0) - left

    def rates(
        self, x: Tensor, weather: Tensor, solar_day: Tensor, p: Tensor, place: Place, h: float,
        *past: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Rates and fluxes of a day; see `CropModel.rates`."""
        fluxes, clocks = self._day(
            STATE.view(x), _weather(weather), solar_day, self.table.layout.view(p), place, h)
        v = whole_amount(FLUXES.stack(fluxes))
        return STOICHIOMETRY.rates(v, clocks), v

    def fallow_rates(
        self, x: Tensor, weather: Tensor, solar_day: Tensor, p: Tensor, place: Place, h: float
    ) -> tuple[Tensor, Tensor]:
        """`rates` where no cell has a crop: of `FALLOW_STATE` alone, all others are zero.

        Parameters
        ----------
        x : Tensor
            Rows ``FALLOW_STATE`` of the state.
        weather, solar_day, place, h
            As for `rates`.
        p : Tensor
            Rows of the parameters of `FALLOW_PROCESSES`.
        """
        fluxes, clocks = self._fallow_day(
            FALLOW_STATE.view(x), _weather(weather), solar_day,
            self.fallow_parameters.view(p), place, h)
        v = whole_amount(FALLOW_FLUXES.stack(fluxes))
        return FALLOW_STOICHIOMETRY.rates(v, clocks), v

    def _day(
        self, x: dict[str, Tensor], w: dict[str, Tensor], solar_day: Tensor,
        p: dict[str, Tensor], place: Place, h: float,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The day, in order."""
        parts = self.parts
        stage = x["development_stage"]
        leaf = x["leaf_carbon"].sum(dim=0)
        lai = self.leaf_area_index(x, p)
        air = self._air(x, w, solar_day, p, place, lai)
        sun, features = air.sun, air.features
        photoperiod = radiation.photoperiod(
            place.sin_latitude, place.cos_latitude, solar_day, TWILIGHT)

        grow = parts.phenology(
            p, stage, x["vernalisation_days"], w["tas"], photoperiod, features, h)
        light = parts.light(sun, air.rsds, w["tasmin"], w["tasmax"], w["vap"], lai)
        leaves = parts.photosynthesis.potential(
            p, light, lai, x["growth_temperature"], stage, w["ps"], w["co2"], features)

        snow = parts.snow(p, w["pr"], w["tas"], x["snow_water"], air.energy.soil_potential, h)
        intercepted, wet = parts.interception(p, snow.rain, lai, air.energy.canopy_potential)
        demand = parts.transpiration(
            p, parts.photosynthesis.canopy_conductance(leaves, light), air.energy, air.vpd,
            air.day_temperature, w["ps"], w["sfcwind"], sun.day_length, wet, lai,
            x["root_carbon"], air.wetness, features)
        water = self._water(
            x, place, air, snow, intercepted, grow.growing * demand.amount, h)

        gpp = grow.growing * parts.photosynthesis.assimilate(
            p, leaves, light, demand.opening, w["co2"])
        maintenance = parts.respiration(
            p, leaf, x["stem_carbon"], x["root_carbon"], x["storage_carbon"], lai, stage,
            w["tas"])
        growth = parts.allocation(
            p, stage, grow.growing, x["reserve_carbon"], maintenance,
            parts.leaves.sink(p, leaf, lai, w["tas"]), x["grain_set"], features, h,
            Organs(leaf, x["stem_carbon"], x["root_carbon"], x["storage_carbon"]))
        ageing, lost = parts.leaves.losses(
            p, x["leaf_carbon"], lai, w["tas"], w["tasmin"], x["snow_water"], demand.opening,
            grow.growing, growth.deficit, features, h)
        organs = parts.organs(
            p, stage, grow.growing, x["stem_carbon"], x["root_carbon"], h)

        fluxes = {
            "gross_primary_production": gpp,
            "maintenance_respiration": growth.maintenance_respiration,
            "growth_respiration": growth.growth_respiration,
            "leaf_growth": growth.leaf, "stem_growth": growth.stem, "root_growth": growth.root,
            "storage_growth": growth.storage,
            "leaf_ageing": ageing, "leaf_loss": lost, **organs._asdict(), **water,
        }
        clocks = {
            "development_stage": grow.development_stage,
            "vernalisation_days": grow.vernalisation_days,
            "vegetative_days": grow.vegetative_days,
            "reproductive_days": grow.reproductive_days,
            "grain_set": -parts.heat(p, stage, x["grain_set"], w["tasmax"], grow.growing, h),
            "root_depth": parts.roots(
                p, x["root_depth"], place.column.depth, grow.vegetative, demand.opening, h),
            "peak_leaf_area": (lai - x["peak_leaf_area"]).clamp_min(0.0) / h,
            "growth_temperature": _growth_temperature(x, w),
        }
        return fluxes, clocks

    def _fallow_day(
        self, x: dict[str, Tensor], w: dict[str, Tensor], solar_day: Tensor,
        p: dict[str, Tensor], place: Place, h: float,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The day without any crop: water and the memory of temperature."""
        bare = torch.zeros_like(w["tas"])
        air = self._air(x, w, solar_day, p, place, bare)
        snow = self.parts.snow(
            p, w["pr"], w["tas"], x["snow_water"], air.energy.soil_potential, h)
        water = self._water(x, place, air, snow, bare, bare, h)
        clocks = {name: bare for name in FALLOW_STATE.names if REGISTRY[name].element is None}
        return water, clocks | {"growth_temperature": _growth_temperature(x, w)}

    def _air(
        self, x: dict[str, Tensor], w: dict[str, Tensor], solar_day: Tensor,
        p: dict[str, Tensor], place: Place, lai: Tensor,
    ) -> _Air:
        """What the day offers, before any flux."""
        rsds, rlds = MJ_PER_WATT_DAY * w["rsds"], MJ_PER_WATT_DAY * w["rlds"]
        sun = radiation.solar_geometry(place.sin_latitude, place.cos_latitude, solar_day)
        available, roots, wetness = self.parts.soil.wetness(
            p, place.column, x["soil_water"], x["root_depth"])
        day_temperature = w["tas"] + (w["tasmax"] - w["tasmin"]) / (3.0 * torch.pi)
        vpd = (et.saturation_vapour_pressure(day_temperature) - w["vap"]).clamp_min(0.0)
        return _Air(
            rsds, sun, day_temperature, vpd, available, roots, wetness,
            self.parts.energy(p, rsds, rlds, w["tas"], w["ps"], sun.day_length, lai),
            self._features(w, vpd, wetness, x["development_stage"], lai))

    def _water(
        self, x: dict[str, Tensor], place: Place, air: _Air, snow: SnowFluxes,
        intercepted: Tensor, transpiration: Tensor, h: float,
    ) -> dict[str, Tensor]:
        """Fluxes of water, given the demand of the roots."""
        evaporation = self.parts.soil_evaporation(
            air.energy.soil_potential - snow.sublimation, air.available[0], air.features)
        through = snow.rain - intercepted
        soil = self.parts.soil(
            place.column, x["soil_water"], through + snow.melt, transpiration,
            air.roots, air.available, evaporation, air.features, h)
        return {
            "rain_infiltration": through * soil.infiltration_share,
            "rain_runoff": through * (1.0 - soil.infiltration_share),
            "interception": intercepted, "snowfall": snow.snowfall,
            "melt_infiltration": snow.melt * soil.infiltration_share,
            "melt_runoff": snow.melt * (1.0 - soil.infiltration_share),
            "sublimation": snow.sublimation,
            "percolation": soil.percolation, "saturation_excess": soil.saturation_excess,
            "soil_evaporation": soil.evaporation, "transpiration": soil.transpiration,
        }

    def _features(
        self, w: dict[str, Tensor], vpd: Tensor, wetness: Tensor, stage: Tensor, lai: Tensor,
    ) -> Features | None:
        if not self.neural:
            return None
        return scale_features(w["tas"], w["rsds"], vpd, wetness, stage, lai, w["co2"])


def _grain(s: Mapping[str, Tensor]) -> Tensor:
    """Carbon of the harvest: storage organs of a crop that has flowered; g m-2, ``[cell]``."""
    return torch.where(s["development_stage"] >= 1.0, s["storage_carbon"], 0.0)


def _weather(values: Tensor) -> dict[str, Tensor]:
    return dict(zip(FORCING_NAMES, values.unbind(0), strict=True))


def _growth_temperature(x: dict[str, Tensor], w: dict[str, Tensor]) -> Tensor:
    """Rate of the running mean of temperature, K d-1."""
    return (w["tas"] - x["growth_temperature"]) / GROWTH_TEMPERATURE_DAYS


def mean_first_month(forcing: DailyForcing) -> Tensor:
    """Mean temperature of the first 30 days: the growth temperature at the start, ``[cell]``."""
    return forcing.values[:30, FORCING_NAMES.index("tas")].mean(dim=0)
