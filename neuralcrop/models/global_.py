"""The `global` model set: stocks, fluxes and where each flux goes."""

from __future__ import annotations

from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.core.state import Layout, Stoichiometry, cascade, drain, move
from neuralcrop.core.variables import REGISTRY

CROP_STOCKS = (
    "leaf_carbon", "stem_carbon", "root_carbon", "storage_carbon", "reserve_carbon",
)

STOCKS = (*CROP_STOCKS, "snow_water", "soil_water")
"""What the cell holds. The nitrogen stocks of the registry join here with their processes."""

RESERVOIRS = (
    "assimilated_carbon", "respired_carbon", "harvested_carbon", "litter_carbon", "seed_carbon",
    "precipitated_water", "irrigated_water", "transpired_water", "evaporated_water",
    "intercepted_water", "sublimated_water", "runoff_water", "drained_water",
)
"""What has crossed the boundary since the last sowing."""

CLOCKS = (
    "development_stage", "vernalisation_days", "vegetative_days", "reproductive_days",
    "grain_set", "root_depth", "peak_leaf_area", "growth_temperature",
)
"""Rows that hold no matter."""

STATE = Layout.of((*STOCKS, *RESERVOIRS, *CLOCKS))

WATER_FLUXES = (
    "rain_infiltration", "rain_runoff", "interception", "snowfall",
    "melt_infiltration", "melt_runoff", "sublimation",
    "percolation", "saturation_excess", "soil_evaporation", "transpiration",
)
"""Fluxes that go on where no crop stands."""

FLUXES = Layout.of((
    "gross_primary_production", "maintenance_respiration", "growth_respiration",
    "leaf_growth", "stem_growth", "root_growth", "storage_growth",
    "leaf_ageing", "leaf_loss", "stem_loss", "stem_remobilisation", "root_loss",
    *WATER_FLUXES,
))

TRANSFERS = (
    *move("gross_primary_production", "assimilated_carbon", "reserve_carbon"),
    *move("maintenance_respiration", "reserve_carbon", "respired_carbon"),
    *move("growth_respiration", "reserve_carbon", "respired_carbon"),
    *move("leaf_growth", "reserve_carbon", "leaf_carbon"),
    *move("stem_growth", "reserve_carbon", "stem_carbon"),
    *move("root_growth", "reserve_carbon", "root_carbon"),
    *move("storage_growth", "reserve_carbon", "storage_carbon"),
    *cascade("leaf_ageing", "leaf_carbon", "litter_carbon"),
    *drain("leaf_loss", "leaf_carbon", "litter_carbon"),
    *move("stem_loss", "stem_carbon", "litter_carbon"),
    *move("stem_remobilisation", "stem_carbon", "reserve_carbon"),
    *move("root_loss", "root_carbon", "litter_carbon"),
    *move("rain_infiltration", "precipitated_water", "soil_water"),
    *move("rain_runoff", "precipitated_water", "runoff_water"),
    *move("interception", "precipitated_water", "intercepted_water"),
    *move("snowfall", "precipitated_water", "snow_water"),
    *move("melt_infiltration", "snow_water", "soil_water"),
    *move("melt_runoff", "snow_water", "runoff_water"),
    *move("sublimation", "snow_water", "sublimated_water"),
    *cascade("percolation", "soil_water", "drained_water"),
    *drain("saturation_excess", "soil_water", "runoff_water"),
    *drain("soil_evaporation", "soil_water", "evaporated_water"),
    *drain("transpiration", "soil_water", "transpired_water"),
)

STOICHIOMETRY = Stoichiometry(STATE, FLUXES, TRANSFERS)

FALLOW_STATE = Layout.of((
    *(name for name in STATE.names if REGISTRY[name].element == "water"),
    "growth_temperature", "development_stage", "root_depth",
))
"""Rows that change, or are read, where no crop stands."""

FALLOW_FLUXES = Layout.of(WATER_FLUXES)

FALLOW_STOICHIOMETRY = Stoichiometry(
    FALLOW_STATE, FALLOW_FLUXES, [t for t in TRANSFERS if t.flux in WATER_FLUXES])

EVENT_SPECS = (
    ParameterSpec("seed_carbon", "g m-2", "carbon sown"),
    ParameterSpec("carbon_fraction", "1", "carbon in the dry matter of the crop"),
    ParameterSpec("maximum_season", "d", "latest harvest after sowing"),
)
"""Parameters that events read."""

SOWN, MATURE = -0.1, 2.0
"""Development stage at sowing and at maturity; fallow cells keep the stage of maturity."""

RIPE = MATURE - 1e-6
"""Development stage from which a crop counts as ripe, rounding allowed for."""

INITIAL_ROOT_DEPTH = 0.1
"""Rooting depth at sowing, m (Supit et al. 1994)."""

TRIGGER_WIDTH = 0.02
"""Softness of the irrigation trigger, in relative root-zone water."""

TONNES_PER_GRAM = 0.01
"""g m-2 to t ha-1."""
