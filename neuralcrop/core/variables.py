"""The registry of every variable the model reads, carries or writes.

One place holds names, canonical units, bounds and the CF and ISIMIP names. Names follow ISIMIP and
CF where a term exists; units appear here and nowhere else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["forcing", "state", "flux", "output", "soil", "site"]


@dataclass(frozen=True)
class Variable:
    """One variable.

    Attributes
    ----------
    name : str
        Key used everywhere in the package.
    kind : {"forcing", "state", "flux", "output", "soil", "site"}
        What the variable is to the model.
    units : str
        Canonical units, in UDUNITS spelling.
    long_name : str
        Description for people and for the ``long_name`` attribute.
    lower, upper : float
        Plausible range; a value outside it is refused at the door ("check units?").
    standard_name : str or None
        CF standard name.
    isimip_name : str or None
        ISIMIP/GGCMI output name where it differs from ``name``.
    size : int
        Number of elements (soil layers, leaf age classes); 1 for a scalar variable.
    """

    name: str
    kind: Kind
    units: str
    long_name: str
    lower: float = float("-inf")
    upper: float = float("inf")
    standard_name: str | None = None
    isimip_name: str | None = None
    size: int = 1

    @property
    def element(self) -> str | None:
        """What a stock or reservoir holds: "carbon", "water", "nitrogen", "weight", or None."""
        if self.kind != "state":
            return None
        if self.name in ("nitrate", "ammonium"):
            return "nitrogen"
        suffix = self.name.rsplit("_", 1)[-1]
        return suffix if suffix in ("carbon", "water", "nitrogen", "weight") else None

    def attributes(self) -> dict[str, str]:
        """CF attributes for an xarray variable."""
        attrs = {"units": self.units, "long_name": self.long_name}
        if self.standard_name:
            attrs["standard_name"] = self.standard_name
        return attrs


N_SOIL_LAYERS = 5
"""Soil layers with water (lower bounds 0.2, 0.5, 1, 2, 3 m)."""

N_HEAT_LAYERS = 6
"""Soil layers with heat: those with water and one of 10 m below."""

N_LEAF_CLASSES = 8
"""Leaf age classes of the ageing chain; coefficient of variation of life span 1/sqrt(8)."""

_V = Variable
_INF = float("inf")

_FORCING = [
    _V("tasmin", "forcing", "degC", "daily minimum near-surface air temperature", -90, 60,
       "air_temperature"),
    _V("tasmax", "forcing", "degC", "daily maximum near-surface air temperature", -90, 65,
       "air_temperature"),
    _V("tas", "forcing", "degC", "daily mean near-surface air temperature", -90, 60,
       "air_temperature"),
    _V("rsds", "forcing", "W m-2", "surface downwelling shortwave radiation, 24 h mean", 0, 500,
       "surface_downwelling_shortwave_flux_in_air"),
    _V("rlds", "forcing", "W m-2", "surface downwelling longwave radiation, 24 h mean", 30, 600,
       "surface_downwelling_longwave_flux_in_air"),
    _V("pr", "forcing", "mm d-1", "precipitation", 0, 2000, "lwe_precipitation_rate"),
    _V("vap", "forcing", "kPa", "near-surface water vapour pressure", 0, 8,
       "water_vapor_partial_pressure_in_air"),
    _V("sfcwind", "forcing", "m s-1", "wind speed at 10 m", 0, 80, "wind_speed"),
    _V("ps", "forcing", "kPa", "surface air pressure", 40, 110, "surface_air_pressure"),
    _V("co2", "forcing", "1e-6", "atmospheric CO2 mole fraction", 100, 3000,
       "mole_fraction_of_carbon_dioxide_in_air"),
]

_REFERENCE = [
    _V("e0", "forcing", "mm d-1", "potential evaporation of open water (Penman)", 0, 50),
    _V("es0", "forcing", "mm d-1", "potential evaporation of wet bare soil (Penman)", 0, 50),
    _V("et0", "forcing", "mm d-1",
       "reference evapotranspiration of short grass (FAO-56 Penman-Monteith)", 0, 50),
]

_STATE = [
    _V("leaf_carbon", "state", "g m-2", "leaf carbon by age class", 0, size=N_LEAF_CLASSES),
    _V("stem_carbon", "state", "g m-2", "stem carbon", 0),
    _V("root_carbon", "state", "g m-2", "root carbon", 0),
    _V("storage_carbon", "state", "g m-2", "storage organ carbon", 0),
    _V("reserve_carbon", "state", "g m-2", "mobile carbohydrate reserve", 0),
    _V("snow_water", "state", "kg m-2", "snow water equivalent", 0,
       standard_name="surface_snow_amount"),
    _V("soil_water", "state", "kg m-2", "soil water by layer", 0, size=N_SOIL_LAYERS,
       standard_name="mass_content_of_water_in_soil_layer"),
    _V("ponded_water", "state", "kg m-2", "water on the surface", 0),
    _V("leaf_nitrogen", "state", "g m-2", "leaf nitrogen", 0),
    _V("stem_nitrogen", "state", "g m-2", "stem nitrogen", 0),
    _V("root_nitrogen", "state", "g m-2", "root nitrogen", 0),
    _V("storage_nitrogen", "state", "g m-2", "storage organ nitrogen", 0),
    _V("reserve_nitrogen", "state", "g m-2", "mobile nitrogen of the plant", 0),
    _V("nitrate", "state", "g m-2", "soil nitrate nitrogen by layer", 0, size=N_SOIL_LAYERS),
    _V("ammonium", "state", "g m-2", "soil ammonium nitrogen by layer", 0, size=N_SOIL_LAYERS),
    *(_V(f"{litter}_litter_{element}", "state", "g m-2", f"{text} litter {element}", 0)
      for element in ("carbon", "nitrogen")
      for litter, text in (("surface", "surface"), ("incorporated", "incorporated"),
                           ("root", "root"))),
    *(_V(f"{pool}_{element}", "state", "g m-2", f"{pool} soil organic {element} by layer", 0,
         size=N_SOIL_LAYERS)
      for element in ("carbon", "nitrogen") for pool in ("fast", "slow")),
    # boundary reservoirs: what has left (positive) or entered (negative) since the last sowing
    _V("assimilated_carbon", "state", "g m-2", "reservoir: carbon taken from the air (negative)"),
    _V("respired_carbon", "state", "g m-2", "reservoir: carbon respired"),
    _V("harvested_carbon", "state", "g m-2", "reservoir: carbon harvested"),
    _V("litter_carbon", "state", "g m-2", "reservoir: carbon passed to litter"),
    _V("seed_carbon", "state", "g m-2", "reservoir: carbon sown (negative)"),
    _V("precipitated_water", "state", "kg m-2", "reservoir: precipitation (negative)"),
    _V("irrigated_water", "state", "kg m-2", "reservoir: irrigation (negative)"),
    _V("transpired_water", "state", "kg m-2", "reservoir: transpiration"),
    _V("evaporated_water", "state", "kg m-2", "reservoir: soil evaporation"),
    _V("intercepted_water", "state", "kg m-2", "reservoir: evaporated interception"),
    _V("sublimated_water", "state", "kg m-2", "reservoir: snow sublimation"),
    _V("runoff_water", "state", "kg m-2", "reservoir: runoff"),
    _V("drained_water", "state", "kg m-2", "reservoir: drainage below the soil column"),
    _V("conveyance_water", "state", "kg m-2", "reservoir: irrigation lost on its way"),
    _V("soil_respired_carbon", "state", "g m-2", "reservoir: carbon respired by the soil"),
    _V("manured_carbon", "state", "g m-2", "reservoir: carbon of manure (negative)"),
    _V("removed_carbon", "state", "g m-2", "reservoir: carbon of residues taken off the field"),
    _V("burnt_carbon", "state", "g m-2", "reservoir: carbon of residues burnt"),
    _V("deposited_nitrogen", "state", "g m-2", "reservoir: nitrogen deposited (negative)"),
    _V("fertilised_nitrogen", "state", "g m-2",
       "reservoir: mineral nitrogen applied (negative)"),
    _V("manured_nitrogen", "state", "g m-2", "reservoir: nitrogen of manure (negative)"),
    _V("fixed_nitrogen", "state", "g m-2", "reservoir: nitrogen fixed (negative)"),
    _V("seed_nitrogen", "state", "g m-2", "reservoir: nitrogen sown (negative)"),
    _V("volatilised_nitrogen", "state", "g m-2", "reservoir: nitrogen lost as ammonia"),
    _V("nitrous_oxide_nitrogen", "state", "g m-2", "reservoir: nitrogen lost as nitrous oxide"),
    _V("dinitrogen_nitrogen", "state", "g m-2", "reservoir: nitrogen lost as dinitrogen"),
    _V("leached_nitrogen", "state", "g m-2", "reservoir: nitrogen leached or run off"),
    _V("harvested_nitrogen", "state", "g m-2", "reservoir: nitrogen harvested"),
    _V("removed_nitrogen", "state", "g m-2",
       "reservoir: nitrogen of residues taken off the field"),
    _V("burnt_nitrogen", "state", "g m-2", "reservoir: nitrogen of residues burnt"),
    # clocks
    _V("development_stage", "state", "1",
       "development stage: -0.1 sown, 0 emerged, 1 anthesis, 2 mature", -0.1, 2),
    _V("vernalisation_days", "state", "d", "effective vernalisation days", 0),
    _V("vegetative_days", "state", "d", "days from sowing to anthesis spent so far", 0),
    _V("reproductive_days", "state", "d", "days from anthesis to maturity spent so far", 0),
    _V("grain_set", "state", "1", "fraction of grain set left by heat at anthesis", 0, 1),
    _V("root_depth", "state", "m", "rooting depth", 0, 5),
    _V("peak_leaf_area", "state", "1", "largest leaf area index since sowing", 0, 20),
    _V("nitrogen_taken_up", "state", "g m-2", "nitrogen taken up and fixed since sowing", 0),
    _V("growth_temperature", "state", "degC", "running mean air temperature, 30 d", -90, 60),
    _V("soil_temperature", "state", "degC", "soil temperature by layer", -90, 70,
       "soil_temperature", size=N_HEAT_LAYERS),
]

_WOFOST_STATE = [
    _V("leaf_grown_weight", "state", "kg ha-1", "dry matter of all leaves grown", 0),
    _V("leaf_shed_weight", "state", "kg ha-1", "dry matter of all leaves that died (negative)"),
    _V("stem_weight", "state", "kg ha-1", "dry matter of living stems", 0),
    _V("root_weight", "state", "kg ha-1", "dry matter of living roots", 0),
    _V("storage_weight", "state", "kg ha-1", "dry matter of storage organs", 0),
    _V("dead_leaf_weight", "state", "kg ha-1", "dry matter of dead leaves", 0),
    _V("dead_stem_weight", "state", "kg ha-1", "dry matter of dead stems", 0),
    _V("dead_root_weight", "state", "kg ha-1", "dry matter of dead roots", 0),
    _V("assimilated_weight", "state", "kg ha-1", "reservoir: assimilates, CH2O (negative)"),
    _V("respired_weight", "state", "kg ha-1", "reservoir: maintenance and conversion, CH2O"),
    _V("seed_weight", "state", "kg ha-1", "reservoir: dry matter sown (negative)"),
    _V("harvested_weight", "state", "kg ha-1", "reservoir: dry matter harvested"),
    _V("litter_weight", "state", "kg ha-1", "reservoir: dry matter left on the field"),
    _V("root_zone_water", "state", "kg m-2", "water in the root zone", 0),
    _V("lower_zone_water", "state", "kg m-2", "water between root zone and rootable depth", 0),
    _V("applied_water", "state", "kg m-2", "irrigation that enters with the rain of the day", 0),
    _V("initial_water", "state", "kg m-2", "reservoir: soil water set at sowing (negative)"),
    _V("leaf_area_grown", "state", "1", "leaf area index of all leaves grown", 0),
    _V("leaf_age", "state", "d", "physiological age of the oldest leaves", 0),
    _V("exponential_leaf_area", "state", "1", "leaf area index of growth without limits", 0),
    _V("root_zone_depth", "state", "m", "depth of the zone whose water roots reach", 0, 5),
    _V("dry_days", "state", "d", "days since the soil was wetted", 0),
    _V("former_infiltration", "state", "kg m-2 d-1", "infiltration of the day before", 0),
    _V("waterlogged_days", "state", "d", "days without air in the root zone", 0),
    _V("recent_minimum_temperature", "state", "degC",
       "daily minimum air temperature of the last days, yesterday first", size=6),
    _V("green_leaf_area", "state", "1",
       "leaf area index in the morning, with stems and storage organs", 0, 20),
    _V("emerged_days", "state", "d", "days since emergence", 0),
    _V("crop_days", "state", "d", "days since sowing", 0),
]

_WOFOST_FLUX = [
    _V("leaf_weight_growth", "flux", "kg ha-1 d-1", "growth of leaves, dry matter", 0),
    _V("stem_weight_growth", "flux", "kg ha-1 d-1", "growth of stems, dry matter", 0),
    _V("root_weight_growth", "flux", "kg ha-1 d-1", "growth of roots, dry matter", 0),
    _V("storage_weight_growth", "flux", "kg ha-1 d-1", "growth of storage organs, dry matter", 0),
    _V("maintenance_weight_loss", "flux", "kg ha-1 d-1", "maintenance respiration, CH2O", 0),
    _V("conversion_weight_loss", "flux", "kg ha-1 d-1",
       "assimilates less the dry matter grown of them", 0),
    _V("leaf_weight_loss", "flux", "kg ha-1 d-1", "death of leaves, dry matter", 0),
    _V("stem_weight_loss", "flux", "kg ha-1 d-1", "death of stems, dry matter", 0),
    _V("root_weight_loss", "flux", "kg ha-1 d-1", "death of roots, dry matter", 0),
    _V("surface_rain", "flux", "kg m-2 d-1", "rain reaching the surface", 0),
    _V("surface_irrigation", "flux", "kg m-2 d-1", "irrigation reaching the surface", 0),
    _V("infiltration", "flux", "kg m-2 d-1", "water entering the root zone from the surface"),
    _V("surface_runoff", "flux", "kg m-2 d-1", "surface runoff"),
    _V("ponded_evaporation", "flux", "kg m-2 d-1", "evaporation of surface water", 0),
    _V("bare_soil_evaporation", "flux", "kg m-2 d-1", "evaporation of the soil"),
    _V("root_zone_transpiration", "flux", "kg m-2 d-1", "transpiration of the crop", 0),
    _V("root_zone_percolation", "flux", "kg m-2 d-1", "water passing to the lower zone"),
    _V("subsoil_drainage", "flux", "kg m-2 d-1", "water leaving the lower zone", 0),
    _V("root_zone_extension", "flux", "kg m-2 d-1",
       "water that growing roots reach, or that a shallower root zone leaves (negative)"),
    _V("unlimited_supply", "flux", "kg m-2 d-1", "water supplied where it does not limit", 0),
]

_FLUX = [
    _V("gross_primary_production", "flux", "g m-2 d-1", "gross primary production of carbon", 0,
       standard_name=
       "gross_primary_productivity_of_biomass_expressed_as_carbon", isimip_name="gpp"),
    _V("maintenance_respiration", "flux", "g m-2 d-1", "maintenance respiration of carbon", 0),
    _V("growth_respiration", "flux", "g m-2 d-1", "growth respiration of carbon", 0),
    _V("leaf_growth", "flux", "g m-2 d-1", "carbon to new leaves", 0),
    _V("stem_growth", "flux", "g m-2 d-1", "carbon to stems", 0),
    _V("root_growth", "flux", "g m-2 d-1", "carbon to roots", 0),
    _V("storage_growth", "flux", "g m-2 d-1", "carbon to storage organs", 0),
    _V("leaf_ageing", "flux", "g m-2 d-1", "leaf carbon passing to the next age class", 0,
       size=N_LEAF_CLASSES),
    _V("leaf_loss", "flux", "g m-2 d-1", "leaf carbon lost to shade, drought, frost, starvation",
       0, size=N_LEAF_CLASSES),
    _V("stem_loss", "flux", "g m-2 d-1", "stem carbon lost", 0),
    _V("stem_remobilisation", "flux", "g m-2 d-1", "stem carbon passed back to the reserve", 0),
    _V("root_loss", "flux", "g m-2 d-1", "root carbon lost", 0),
    _V("rain_infiltration", "flux", "kg m-2 d-1", "rain entering the soil", 0),
    _V("rain_runoff", "flux", "kg m-2 d-1", "rain running off the surface", 0),
    _V("interception", "flux", "kg m-2 d-1", "rain evaporated from the canopy", 0),
    _V("snowfall", "flux", "kg m-2 d-1", "snowfall", 0, standard_name="snowfall_flux"),
    _V("melt_infiltration", "flux", "kg m-2 d-1", "snow melt entering the soil", 0),
    _V("melt_runoff", "flux", "kg m-2 d-1", "snow melt running off the surface", 0),
    _V("sublimation", "flux", "kg m-2 d-1", "snow sublimation", 0),
    _V("percolation", "flux", "kg m-2 d-1", "water passing to the layer below", 0,
       size=N_SOIL_LAYERS),
    _V("saturation_excess", "flux", "kg m-2 d-1", "water above saturation running off", 0,
       size=N_SOIL_LAYERS),
    _V("soil_evaporation", "flux", "kg m-2 d-1", "evaporation from soil layers", 0,
       size=N_SOIL_LAYERS),
    _V("transpiration", "flux", "kg m-2 d-1", "transpiration by layer of uptake", 0,
       standard_name="transpiration_flux", size=N_SOIL_LAYERS),
]

_G = "g m-2 d-1"
_LITTER = ("surface", "incorporated", "root")


def _litter_flux(litter: str, verb: str, long_name: str, *, layered: bool) -> Variable:
    return _V(f"{litter}_litter_{verb}", "flux", _G, f"{long_name} of {litter} litter", 0,
              size=N_SOIL_LAYERS if layered else 1)


_NUTRIENT_FLUX = [
    _V("fixation_respiration", "flux", _G, "carbon respired for the fixation of nitrogen", 0),
    *(_litter_flux(k, "respiration", "respired carbon", layered=False) for k in _LITTER),
    *(_litter_flux(k, f"{n}{verb}", f"{element} passing to {pool} organic matter",
                   layered=k == "root")
      for n, element in (("", "carbon"), ("nitrogen_", "nitrogen"))
      for verb, pool in (("humification", "fast"), ("stabilisation", "slow"))
      for k in _LITTER),
    *(_litter_flux(k, "mineralisation", "ammonium", layered=k == "root") for k in _LITTER),
    _V("surface_litter_incorporation", "flux", _G, "surface litter carbon worked into the soil", 0),
    _V("surface_litter_nitrogen_incorporation", "flux", _G,
       "surface litter nitrogen worked into the soil", 0),
    *(_V(f"{pool}_{verb}", "flux", _G, f"{text} of {pool} organic matter by layer", 0,
         size=N_SOIL_LAYERS)
      for verb, text in (("respiration", "respired carbon"), ("mineralisation", "ammonium"))
      for pool in ("fast", "slow")),
    *(_V(name, "flux", _G, text, 0, size=N_SOIL_LAYERS) for name, text in (
        ("ammonium_immobilisation", "ammonium bound in fast organic matter"),
        ("nitrate_immobilisation", "nitrate bound in fast organic matter"),
        ("ammonium_stabilisation", "ammonium bound in slow organic matter"),
        ("nitrate_stabilisation", "nitrate bound in slow organic matter"),
        ("nitrification", "ammonium turned into nitrate"),
        ("nitrification_nitrous_oxide", "nitrous oxide of nitrification"),
        ("denitrification", "nitrate turned into dinitrogen"),
        ("denitrification_nitrous_oxide", "nitrous oxide of denitrification"),
        ("nitrate_leaching", "nitrate passing to the layer below"),
        ("nitrate_uptake", "nitrate taken up by roots"),
        ("ammonium_uptake", "ammonium taken up by roots"))),
    *(_V(name, "flux", _G, text, 0) for name, text in (
        ("volatilisation", "ammonia lost to the air"),
        ("nitrate_runoff", "nitrate lost with surface runoff"),
        ("nitrate_deposition", "deposition of nitrate nitrogen"),
        ("ammonium_deposition", "deposition of ammonium nitrogen"),
        ("nitrogen_fixation", "nitrogen fixed from the air"))),
    *(_V(f"{organ}_nitrogen_{verb}", "flux", _G, f"nitrogen {text} {organs}", 0)
      for verb, text in (("growth", "built into"), ("translocation", "moved out of"),
                         ("loss", "lost with"))
      for organ, organs in (("leaf", "leaves"), ("stem", "stems"), ("root", "roots"))),
    _V("storage_nitrogen_growth", "flux", _G, "nitrogen built into storage organs", 0),
]

_SURFACE_FLUX = [
    _V("ponding", "flux", "kg m-2 d-1", "rain kept on the surface", 0),
    _V("ponded_infiltration", "flux", "kg m-2 d-1", "ponded water entering the soil", 0),
    _V("ponded_overflow", "flux", "kg m-2 d-1", "ponded water running off", 0),
]

_OUTPUT = [
    _V("yield", "output", "t ha-1", "yield, dry matter", 0, 60),
    _V("biom", "output", "t ha-1", "above-ground biomass at harvest, dry matter", 0, 150),
    _V("plantday", "output", "1", "day of year of sowing", 1, 366),
    _V("plantyear", "output", "1", "calendar year of sowing"),
    _V("anthday", "output", "d", "days from sowing to anthesis", 0),
    _V("matyday", "output", "d", "days from sowing to maturity", 0),
    _V("harvday", "output", "d", "days from sowing to harvest", 0),
    _V("harvyear", "output", "1", "calendar year of harvest"),
    _V("harvest_reason", "output", "1", "why the season ended"),
    _V("gpp", "output", "g m-2", "gross primary production of the season, carbon", 0),
    _V("transp", "output", "kg m-2", "transpiration, sowing to harvest", 0),
    _V("evap", "output", "kg m-2",
       "evaporation from soil, canopy and snow, sowing to harvest", 0),
    _V("pr_season", "output", "kg m-2", "precipitation, sowing to harvest", 0),
    _V("pirnreq", "output", "kg m-2", "irrigation water applied in the season", 0),
    _V("initr", "output", "kg m-2", "irrigation water that reached the field in the season", 0),
    _V("runoff", "output", "kg m-2", "runoff, sowing to harvest", 0),
    _V("drainage", "output", "kg m-2", "drainage, sowing to harvest", 0),
    _V("lai_max", "output", "1", "largest leaf area index of the season", 0, 20),
    _V("water_residual", "output", "1",
       "water balance residual of the season over the water that took part"),
    _V("carbon_residual", "output", "1",
       "carbon balance residual of the season over the carbon that took part"),
    _V("nitrogen_residual", "output", "1",
       "nitrogen balance residual of the season over the nitrogen that took part"),
    _V("crop", "output", "1", "crop of the season"),
    *(_V(name, "output", "kg ha-1", text, 0) for name, text in (
        ("nuptake", "nitrogen taken up and fixed, sowing to harvest"),
        ("nfert", "nitrogen of fertiliser and manure, sowing to harvest"),
        ("nfix", "nitrogen fixed from the air, sowing to harvest"),
        ("ndep", "nitrogen deposited, sowing to harvest"),
        ("nleach", "nitrogen leached or run off, sowing to harvest"),
        ("ngas", "nitrogen lost as ammonia, nitrous oxide and dinitrogen, sowing to harvest"),
        ("n2o", "nitrogen lost as nitrous oxide, sowing to harvest"),
        ("yield_nitrogen", "nitrogen harvested"),
        ("biom_nitrogen", "nitrogen of the above-ground biomass at harvest"))),
    _V("water_productivity", "output", "kg m-3",
       "yield over the water evaporated and transpired, sowing to harvest", 0),
    _V("nitrogen_use_efficiency", "output", "1",
       "nitrogen harvested over nitrogen applied, deposited and fixed, sowing to harvest", 0),
    _V("lai", "output", "1", "leaf area index", 0, 20, "leaf_area_index"),
    _V("root_zone_wetness", "output", "1",
       "relative plant-available water in the root zone", 0, 1),
]

_SOIL = [
    _V("sand", "soil", "1", "mass fraction of sand", 0, 1),
    _V("clay", "soil", "1", "mass fraction of clay", 0, 1),
    _V("organic_carbon", "soil", "%", "soil organic carbon by mass", 0, 60),
    _V("ph", "soil", "1", "soil pH in water", 2, 11),
    _V("soil_depth", "soil", "m", "depth to which roots can grow", 0.05, 10),
]

_SITE = [
    _V("lat", "site", "degrees_north", "latitude", -90, 90, "latitude"),
    _V("lon", "site", "degrees_east", "longitude", -180, 360, "longitude"),
    _V("elevation", "site", "m", "height above sea level", -500, 9000, "surface_altitude"),
]

REGISTRY: dict[str, Variable] = {
    v.name: v for v in [
        *_FORCING, *_REFERENCE, *_STATE, *_FLUX, *_NUTRIENT_FLUX,
        *_SURFACE_FLUX, *_WOFOST_STATE, *_WOFOST_FLUX, *_OUTPUT, *_SOIL,
        *_SITE]
}
"""Every variable by name."""

FORCING_NAMES: tuple[str, ...] = tuple(v.name for v in _FORCING)
"""Order of the rows of a daily forcing tensor."""

REFERENCE_NAMES: tuple[str, ...] = tuple(v.name for v in _REFERENCE)
"""Rates that follow from the weather of a day and that some crop models take as weather."""

HARVEST_REASONS: tuple[str, ...] = (
    "none", "mature", "latest_date", "fixed_date", "failed")
"""Meaning of the integer codes of ``harvest_reason``."""


def variables(kind: Kind | None = None) -> list[Variable]:
    """All variables, or those of one kind, in registry order."""
    return [v for v in REGISTRY.values() if kind is None or v.kind == kind]
