"""The `wofost72` set: stocks, fluxes and where each flux goes.

Dry matter and assimilates are one account, "weight": growth turns kg of CH2O into fewer kg of dry
matter, the difference is respired. Leaves are two running sums, of what grew and of what died.
"""

from __future__ import annotations

from neuralcrop.core.state import Layout, Stoichiometry, move

CROP_STOCKS = (
    "leaf_grown_weight", "leaf_shed_weight", "stem_weight", "root_weight", "storage_weight",
    "dead_leaf_weight", "dead_stem_weight", "dead_root_weight",
)

STOCKS = (
    *CROP_STOCKS, "root_zone_water", "lower_zone_water", "ponded_water", "applied_water",
)
"""What the cell holds."""

RESERVOIRS = (
    "assimilated_weight", "respired_weight", "seed_weight", "harvested_weight", "litter_weight",
    "precipitated_water", "irrigated_water", "initial_water", "transpired_water",
    "evaporated_water", "runoff_water", "drained_water",
)
"""What has crossed the boundary since the last sowing."""

HISTORY = ("leaf_area_grown", "leaf_age")
"""Rows that leaves need of former days, beside the weight grown."""

WATER_CLOCKS = ("dry_days", "former_infiltration", "root_zone_depth", "waterlogged_days")

CLOCKS = (
    *HISTORY, "exponential_leaf_area", "development_stage", "vernalisation_days",
    "vegetative_days", "reproductive_days", "emerged_days", "crop_days",
    "recent_minimum_temperature", "root_depth", *WATER_CLOCKS, "green_leaf_area",
    "peak_leaf_area",
)
"""Rows that hold no matter."""

STATE = Layout.of((*STOCKS, *RESERVOIRS, *CLOCKS))

WATER_FLUXES = (
    "surface_rain", "surface_irrigation", "infiltration", "surface_runoff",
    "ponded_evaporation", "bare_soil_evaporation", "root_zone_transpiration",
    "root_zone_percolation", "subsoil_drainage", "root_zone_extension", "unlimited_supply",
)

FLUXES = Layout.of((
    "leaf_weight_growth", "stem_weight_growth", "root_weight_growth", "storage_weight_growth",
    "maintenance_weight_loss", "conversion_weight_loss",
    "leaf_weight_loss", "stem_weight_loss", "root_weight_loss",
    *WATER_FLUXES,
))

STOICHIOMETRY = Stoichiometry(STATE, FLUXES, (
    *move("leaf_weight_growth", "assimilated_weight", "leaf_grown_weight"),
    *move("stem_weight_growth", "assimilated_weight", "stem_weight"),
    *move("root_weight_growth", "assimilated_weight", "root_weight"),
    *move("storage_weight_growth", "assimilated_weight", "storage_weight"),
    *move("maintenance_weight_loss", "assimilated_weight", "respired_weight"),
    *move("conversion_weight_loss", "assimilated_weight", "respired_weight"),
    *move("leaf_weight_loss", "leaf_shed_weight", "dead_leaf_weight"),
    *move("stem_weight_loss", "stem_weight", "dead_stem_weight"),
    *move("root_weight_loss", "root_weight", "dead_root_weight"),
    *move("surface_rain", "precipitated_water", "ponded_water"),
    *move("surface_irrigation", "applied_water", "ponded_water"),
    *move("infiltration", "ponded_water", "root_zone_water"),
    *move("surface_runoff", "ponded_water", "runoff_water"),
    *move("ponded_evaporation", "ponded_water", "evaporated_water"),
    *move("bare_soil_evaporation", "root_zone_water", "evaporated_water"),
    *move("root_zone_transpiration", "root_zone_water", "transpired_water"),
    *move("root_zone_percolation", "root_zone_water", "lower_zone_water"),
    *move("subsoil_drainage", "lower_zone_water", "drained_water"),
    *move("root_zone_extension", "lower_zone_water", "root_zone_water"),
    *move("unlimited_supply", "irrigated_water", "root_zone_water"),
))

FALLOW, SOWN = -1.0, -0.1
"""Development stage of cells without a crop, and at sowing."""
