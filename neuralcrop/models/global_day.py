"""The `global` set: the order of a day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Features, scale_features
from neuralcrop.closures.parameter_network import ParameterNetwork
from neuralcrop.core.forcing import DailyForcing, Site
from neuralcrop.core.numerics import quantum_of, row_sum, spread_amount, whole_amount
from neuralcrop.core.parameters import ParameterSpec, ParameterTable
from neuralcrop.core.state import Layout
from neuralcrop.core.variables import FORCING_NAMES, REGISTRY
from neuralcrop.models.crop_model import NUTRIENT_RECORD, WATER_CARBON_RECORD
from neuralcrop.models.global_ import EVENT_SPECS, layouts, rounding
from neuralcrop.models.global_field import GlobalField
from neuralcrop.models.global_nutrients import (
    FALLOW_NUTRIENTS,
    CropDay,
    Ground,
    SoilDay,
    ground,
    nutrient_day,
    start_soil,
    stress,
)
from neuralcrop.models.global_processes import FALLOW_PROCESSES, GlobalCropProcesses
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import radiation
from neuralcrop.physics.harvest_index import Organs
from neuralcrop.processes.energy_water import Evaporative
from neuralcrop.processes.nitrogen import NO_STRESS
from neuralcrop.processes.phenology import Development
from neuralcrop.processes.water import SnowFluxes, SoilColumn

MJ_PER_WATT_DAY = 0.0864
"""W m-2 over a day to MJ m-2 d-1."""

TWILIGHT = -4.0
"""Elevation of the sun that ends the photoperiod, degrees (Supit et al. 1994)."""

GROWTH_TEMPERATURE_DAYS = 30.0
"""Memory of the growth temperature, d (Kattge and Knorr 2007)."""


TAKEN_UP = ("nitrate_uptake", "ammonium_uptake", "nitrogen_fixation")
"""Fluxes of nitrogen into the crop."""

GOLDEN = 0.6180339887498949
"""Its multiples fill the unit interval most evenly."""


class Place(NamedTuple):
    """What stays the same over a run, ready for the day, ``[cell]`` or ``[layer, cell]``."""

    sin_latitude: Tensor
    cos_latitude: Tensor
    column: SoilColumn
    bund: Tensor
    evaporation_factor: Tensor
    ground: Ground | None


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


class GlobalModel(GlobalField):
    """Farquhar photosynthesis, Penman-Monteith transpiration, five soil layers, thermal time.

    Parameters
    ----------
    table : ParameterTable
        Parameters of the crops, with the specs of `specs`.
    parts : GlobalCropProcesses, optional
        Processes; the published equations by default.
    network, covariates
        See `CropModel`.
    nutrients : bool
        Nitrogen of crop and soil and the soil's organic matter; without, nitrogen never limits.
    """

    set_name = "global"
    parts: GlobalCropProcesses
    quanta: Tensor
    phases: Tensor

    def __init__(
        self, table: ParameterTable, parts: GlobalCropProcesses | None = None,
        network: ParameterNetwork | None = None, covariates: Sequence[str] = (),
        nutrients: bool = False,
    ) -> None:
        rows = layouts(nutrients)
        self.nutrients = nutrients
        if nutrients:
            self.record_names = (*WATER_CARBON_RECORD, *NUTRIENT_RECORD)
        self.state, self.reservoirs = rows.state, rows.reservoirs
        self.fluxes, self.stoichiometry = rows.fluxes, rows.stoichiometry
        self.fallow_state, self.fallow_fluxes = rows.fallow_state, rows.fallow_fluxes
        self.fallow_stoichiometry = rows.fallow_stoichiometry
        parts = parts or GlobalCropProcesses(nutrients=nutrients)
        super().__init__(table, parts, network, covariates)
        known = self.table.layout.sizes
        self.fallow_parameters = Layout({
            s.name: known[s.name]
            for process in (*FALLOW_PROCESSES, *(FALLOW_NUTRIENTS if nutrients else ()))
            for s in getattr(self.parts, process).specs})
        quanta, phases = rounding(nutrients)
        self.soil_rows = int(sum(phases))
        self.register_buffer("quanta", torch.tensor(quanta).unsqueeze(-1), persistent=False)
        self.register_buffer("phases", torch.tensor(phases).unsqueeze(-1), persistent=False)

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
        flat = torch.zeros_like(latitude)
        return Place(
            torch.sin(latitude), torch.cos(latitude), self.parts.soil.column(p, site),
            flat if site.bund is None else site.bund,
            flat + 1.0 if site.evaporation_factor is None else site.evaporation_factor,
            ground(p, site) if self.nutrients else None)

    def start(
        self, forcing: DailyForcing, site: Site, p: Tensor, wetness: float = 0.7
    ) -> dict[str, Tensor]:
        """Fallow cells with the organic matter of their soil; see `CropModel.start`."""
        bare = super().start(forcing, site, p, wetness)
        if not self.nutrients:
            return bare
        return bare | start_soil(self.table.layout.view(p), site, forcing)

    def diagnostics(self, x: Tensor, p: Tensor, place: Place) -> dict[str, Tensor]:
        """Leaf area index and relative root-zone water."""
        s, named = self.state.view(x), self.table.layout.view(p)
        _, _, wetness = self.parts.soil.wetness(
            named, place.column, s["soil_water"], s["root_depth"])
        return {"lai": self.leaf_area_index(s, named), "root_zone_wetness": wetness}

    def rates(
        self, x: Tensor, weather: Tensor, solar_day: Tensor, p: Tensor, place: Place, h: float,
        *past: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Rates and fluxes of a day; see `CropModel.rates`."""
        fluxes, clocks = self._day(
            self.state.view(x), _weather(weather), solar_day, self.table.layout.view(p), place, h)
        v = self._rounded(self.fluxes.stack(fluxes), solar_day)
        if self.nutrients:
            clocks["nitrogen_taken_up"] = row_sum(torch.cat([
                self.fluxes.get(v, name).reshape(-1, v.shape[1]) for name in TAKEN_UP]))
        return self.stoichiometry.rates(v, clocks), v

    def fallow_rates(
        self, x: Tensor, weather: Tensor, solar_day: Tensor, p: Tensor, place: Place, h: float
    ) -> tuple[Tensor, Tensor]:
        """`rates` where no cell has a crop: of `fallow_state` alone, all others are zero.

        Parameters
        ----------
        x : Tensor
            Rows `fallow_state` of the state.
        weather, solar_day, place, h
            As for `rates`.
        p : Tensor
            Rows of the parameters of `FALLOW_PROCESSES`.
        """
        fluxes, clocks = self._fallow_day(
            self.fallow_state.view(x), _weather(weather), solar_day,
            self.fallow_parameters.view(p), place, h)
        v = self._rounded(self.fallow_fluxes.stack(fluxes), solar_day)
        return self.fallow_stoichiometry.rates(v, clocks), v

    def _rounded(self, v: Tensor, solar_day: Tensor) -> Tensor:
        """Fluxes in whole quanta, so that every balance is an exact sum."""
        n = self.quanta.shape[0] if v.shape[0] == self.fluxes.n_rows else self.soil_rows
        if n == 0:
            return whole_amount(v)
        quantum = self.quanta[-n:].to(v.dtype) if v.dtype == torch.float32 else quantum_of(
            "nitrogen", v.dtype)
        phase = self.phases[-n:].to(v.dtype) * torch.frac(solar_day.to(v.dtype) * GOLDEN)
        return torch.cat((whole_amount(v[:-n]), spread_amount(v[-n:], quantum, phase)))

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
        held = stress(parts, p, x, features) if self.nutrients else NO_STRESS
        light = parts.light(sun, air.rsds, w["tasmin"], w["tasmax"], w["vap"], lai)
        leaves = parts.photosynthesis.potential(
            p, light, lai, x["growth_temperature"], stage, w["ps"], w["co2"], features,
            held.vcmax_factor)

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
            parts.leaves.sink(p, leaf, lai, w["tas"]) * held.leaf_sink_factor,
            x["grain_set"] * held.storage_sink_factor, features, h,
            Organs(leaf, x["stem_carbon"], x["root_carbon"], x["storage_carbon"]),
            held.leaf_sink_factor)
        ageing, lost = parts.leaves.losses(
            p, x["leaf_carbon"], lai, w["tas"], w["tasmin"], x["snow_water"], demand.opening,
            grow.growing, growth.deficit, held.leaf_death_rate, features, h)
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
        clocks = self._clocks(x, w, p, place, grow, demand.opening, lai, h)
        crop = CropDay(
            grow.growing, growth,
            torch.stack((ageing[-1] + lost.sum(dim=0), organs.stem_loss, organs.root_loss)),
            air.roots, air.available, air.wetness)
        return self._with_nutrients(fluxes, clocks, x, w, p, place, air, crop, h)

    def _clocks(
        self, x: dict[str, Tensor], w: dict[str, Tensor], p: dict[str, Tensor], place: Place,
        grow: Development, opening: Tensor, lai: Tensor, h: float,
    ) -> dict[str, Tensor]:
        """Rates of what is no stock, under a crop."""
        parts, stage = self.parts, x["development_stage"]
        return {
            "development_stage": grow.development_stage,
            "vernalisation_days": grow.vernalisation_days,
            "vegetative_days": grow.vegetative_days,
            "reproductive_days": grow.reproductive_days,
            "grain_set": -parts.heat(p, stage, x["grain_set"], w["tasmax"], grow.growing, h),
            "root_depth": parts.roots(
                p, x["root_depth"], place.column.depth, grow.vegetative, opening, h),
            "peak_leaf_area": (lai - x["peak_leaf_area"]).clamp_min(0.0) / h,
            "growth_temperature": _growth_temperature(x, w),
        }

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
        clocks = {name: bare for name in self.fallow_state.names if REGISTRY[name].element is None}
        clocks["growth_temperature"] = _growth_temperature(x, w)
        return self._with_nutrients(water, clocks, x, w, p, place, air, None, h)

    def _with_nutrients(
        self, fluxes: dict[str, Tensor], clocks: dict[str, Tensor], x: dict[str, Tensor],
        w: dict[str, Tensor], p: dict[str, Tensor], place: Place, air: _Air,
        crop: CropDay | None, h: float,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """Fluxes and clocks with those of nitrogen and soil, where they are simulated."""
        if place.ground is None:
            return fluxes, clocks
        soil = SoilDay(
            x["soil_water"], place.column.saturation, fluxes["percolation"],
            fluxes["rain_runoff"] + fluxes["melt_runoff"] + fluxes["ponded_overflow"],
            x["snow_water"])
        more, pace = nutrient_day(
            self.parts, p, x, place.ground, soil, crop, w["tas"], w["sfcwind"], air.features, h)
        return fluxes | more, clocks | pace

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
        pond = self.parts.pond(
            x["ponded_water"], place.bund, air.energy.soil_potential - snow.sublimation, h)
        evaporation = place.evaporation_factor * self.parts.soil_evaporation(
            air.energy.soil_potential - snow.sublimation - pond.evaporation, air.available[0],
            air.features)
        through = snow.rain - intercepted
        soil = self.parts.soil(
            place.column, x["soil_water"], through + snow.melt + pond.offered, transpiration,
            air.roots, air.available, evaporation, pond.seepage, air.features, h)
        excess = through * (1.0 - soil.infiltration_share)
        kept = torch.minimum(excess, pond.room)
        return {
            "rain_infiltration": through * soil.infiltration_share,
            "rain_runoff": excess - kept,
            "interception": intercepted, "snowfall": snow.snowfall,
            "melt_infiltration": snow.melt * soil.infiltration_share,
            "melt_runoff": snow.melt * (1.0 - soil.infiltration_share),
            "sublimation": snow.sublimation,
            "ponding": kept, "ponded_infiltration": pond.offered * soil.infiltration_share,
            "ponded_overflow": pond.overflow, "ponded_evaporation": pond.evaporation,
            "percolation": soil.percolation, "saturation_excess": soil.saturation_excess,
            "soil_evaporation": soil.evaporation, "transpiration": soil.transpiration,
        }

    def _features(
        self, w: dict[str, Tensor], vpd: Tensor, wetness: Tensor, stage: Tensor, lai: Tensor,
    ) -> Features | None:
        if not self.neural:
            return None
        return scale_features(w["tas"], w["rsds"], vpd, wetness, stage, lai, w["co2"])


def _weather(values: Tensor) -> dict[str, Tensor]:
    return dict(zip(FORCING_NAMES, values.unbind(0), strict=True))


def _growth_temperature(x: dict[str, Tensor], w: dict[str, Tensor]) -> Tensor:
    """Rate of the running mean of temperature, K d-1."""
    return (w["tas"] - x["growth_temperature"]) / GROWTH_TEMPERATURE_DAYS
