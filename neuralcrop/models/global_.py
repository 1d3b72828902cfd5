"""The `global` model set: stocks, fluxes and where each flux goes."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

from neuralcrop.core.numerics import SOIL_QUANTA
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.core.state import Layout, Stoichiometry, Transfer, cascade, drain, fill, move
from neuralcrop.core.variables import N_SOIL_LAYERS, REGISTRY

CROP_STOCKS = (
    "leaf_carbon", "stem_carbon", "root_carbon", "storage_carbon", "reserve_carbon",
)

CROP_NITROGEN = (
    "leaf_nitrogen", "stem_nitrogen", "root_nitrogen", "storage_nitrogen", "reserve_nitrogen",
)

WATER_STOCKS = ("snow_water", "ponded_water", "soil_water")

LITTERS = ("surface", "incorporated", "root")

SOIL_STOCKS = (
    *(f"{litter}_litter_{element}" for element in ("carbon", "nitrogen") for litter in LITTERS),
    *(f"{pool}_{element}" for element in ("carbon", "nitrogen") for pool in ("fast", "slow")),
    "nitrate", "ammonium",
)
"""Organic matter and mineral nitrogen of the soil."""

WATER_RESERVOIRS = (
    "precipitated_water", "irrigated_water", "conveyance_water", "transpired_water",
    "evaporated_water", "intercepted_water", "sublimated_water", "runoff_water", "drained_water",
)

CARBON_RESERVOIRS = (
    "assimilated_carbon", "respired_carbon", "harvested_carbon", "removed_carbon", "burnt_carbon",
    "seed_carbon",
)

NUTRIENT_RESERVOIRS = (
    "soil_respired_carbon", "manured_carbon",
    "deposited_nitrogen", "fertilised_nitrogen", "manured_nitrogen", "fixed_nitrogen",
    "seed_nitrogen", "volatilised_nitrogen", "nitrous_oxide_nitrogen", "dinitrogen_nitrogen",
    "leached_nitrogen", "harvested_nitrogen", "removed_nitrogen", "burnt_nitrogen",
)

CLOCKS = (
    "development_stage", "vernalisation_days", "vegetative_days", "reproductive_days",
    "grain_set", "root_depth", "peak_leaf_area", "growth_temperature",
)
"""Rows that hold no matter."""

NUTRIENT_CLOCKS = ("nitrogen_taken_up", "soil_temperature")

WATER_FLUXES = (
    "rain_infiltration", "rain_runoff", "interception", "snowfall",
    "melt_infiltration", "melt_runoff", "sublimation",
    "ponding", "ponded_infiltration", "ponded_overflow", "ponded_evaporation",
    "percolation", "saturation_excess", "soil_evaporation", "transpiration",
)
"""Fluxes that go on where no crop stands."""

CROP_FLUXES = (
    "gross_primary_production", "maintenance_respiration", "growth_respiration",
    "leaf_growth", "stem_growth", "root_growth", "storage_growth",
    "leaf_ageing", "leaf_loss", "stem_loss", "stem_remobilisation", "root_loss",
)

CROP_NITROGEN_FLUXES = (
    "fixation_respiration", "nitrogen_fixation", "nitrate_uptake", "ammonium_uptake",
    *(f"{organ}_nitrogen_{verb}" for organ in ("leaf", "stem", "root")
      for verb in ("growth", "translocation", "loss")),
    "storage_nitrogen_growth",
)

WATER_TRANSFERS = (
    *move("rain_infiltration", "precipitated_water", "soil_water"),
    *move("rain_runoff", "precipitated_water", "runoff_water"),
    *move("interception", "precipitated_water", "intercepted_water"),
    *move("snowfall", "precipitated_water", "snow_water"),
    *move("melt_infiltration", "snow_water", "soil_water"),
    *move("melt_runoff", "snow_water", "runoff_water"),
    *move("sublimation", "snow_water", "sublimated_water"),
    *move("ponding", "precipitated_water", "ponded_water"),
    *move("ponded_infiltration", "ponded_water", "soil_water"),
    *move("ponded_overflow", "ponded_water", "runoff_water"),
    *move("ponded_evaporation", "ponded_water", "evaporated_water"),
    *cascade("percolation", "soil_water", "drained_water"),
    *drain("saturation_excess", "soil_water", "runoff_water"),
    *drain("soil_evaporation", "soil_water", "evaporated_water"),
    *drain("transpiration", "soil_water", "transpired_water"),
)


def _crop_transfers(shoot: str, root: str) -> tuple[Transfer, ...]:
    """Carbon of the crop; what dies passes to these rows."""
    return (
        *move("gross_primary_production", "assimilated_carbon", "reserve_carbon"),
        *move("maintenance_respiration", "reserve_carbon", "respired_carbon"),
        *move("growth_respiration", "reserve_carbon", "respired_carbon"),
        *move("leaf_growth", "reserve_carbon", "leaf_carbon"),
        *move("stem_growth", "reserve_carbon", "stem_carbon"),
        *move("root_growth", "reserve_carbon", "root_carbon"),
        *move("storage_growth", "reserve_carbon", "storage_carbon"),
        *cascade("leaf_ageing", "leaf_carbon", shoot),
        *drain("leaf_loss", "leaf_carbon", shoot),
        *move("stem_loss", "stem_carbon", shoot),
        *move("stem_remobilisation", "stem_carbon", "reserve_carbon"),
        *move("root_loss", "root_carbon", root),
    )


def _crop_nitrogen_transfers() -> tuple[Transfer, ...]:
    litters = {"leaf": "surface", "stem": "surface", "root": "root"}
    return (
        *move("fixation_respiration", "reserve_carbon", "respired_carbon"),
        *move("nitrogen_fixation", "fixed_nitrogen", "reserve_nitrogen"),
        *drain("nitrate_uptake", "nitrate", "reserve_nitrogen"),
        *drain("ammonium_uptake", "ammonium", "reserve_nitrogen"),
        *move("storage_nitrogen_growth", "reserve_nitrogen", "storage_nitrogen"),
        *(t for organ, litter in litters.items() for t in (
            *move(f"{organ}_nitrogen_growth", "reserve_nitrogen", f"{organ}_nitrogen"),
            *move(f"{organ}_nitrogen_translocation", f"{organ}_nitrogen", "reserve_nitrogen"),
            *move(f"{organ}_nitrogen_loss", f"{organ}_nitrogen",
                  f"{litter}_litter_nitrogen"))),
    )


def _pairwise(flux: str, source: str, target: str) -> list[Transfer]:
    """Element i leaves ``source[i]`` and enters ``target[i]``."""
    return [Transfer(flux, k, source, k, target, k) for k in range(N_SOIL_LAYERS)]


def _soil_transfers() -> tuple[Transfer, ...]:
    """Organic matter and mineral nitrogen."""
    out: list[Transfer] = []
    for litter in LITTERS:
        spread = fill if litter == "root" else move  # roots die in all layers
        name = f"{litter}_litter"
        out += move(f"{name}_respiration", f"{name}_carbon", "soil_respired_carbon")
        out += spread(f"{name}_mineralisation", f"{name}_nitrogen", "ammonium")
        for prefix, element in (("", "carbon"), ("nitrogen_", "nitrogen")):
            for verb, pool in (("humification", "fast"), ("stabilisation", "slow")):
                out += spread(f"{name}_{prefix}{verb}", f"{name}_{element}", f"{pool}_{element}")
    for prefix, element in (("", "carbon"), ("nitrogen_", "nitrogen")):
        out += move(f"surface_litter_{prefix}incorporation", f"surface_litter_{element}",
                    f"incorporated_litter_{element}")
    for pool in ("fast", "slow"):
        out += drain(f"{pool}_respiration", f"{pool}_carbon", "soil_respired_carbon")
        out += _pairwise(f"{pool}_mineralisation", f"{pool}_nitrogen", "ammonium")
    for mineral in ("ammonium", "nitrate"):
        out += _pairwise(f"{mineral}_immobilisation", mineral, "fast_nitrogen")
        out += _pairwise(f"{mineral}_stabilisation", mineral, "slow_nitrogen")
        out += move(f"{mineral}_deposition", "deposited_nitrogen", mineral)
    out += _pairwise("nitrification", "ammonium", "nitrate")
    out += drain("nitrification_nitrous_oxide", "ammonium", "nitrous_oxide_nitrogen")
    out += drain("denitrification", "nitrate", "dinitrogen_nitrogen")
    out += drain("denitrification_nitrous_oxide", "nitrate", "nitrous_oxide_nitrogen")
    out += move("volatilisation", "ammonium", "volatilised_nitrogen")
    out += move("nitrate_runoff", "nitrate", "leached_nitrogen")
    out += cascade("nitrate_leaching", "nitrate", "leached_nitrogen")
    return tuple(out)


class Layouts(NamedTuple):
    """What a cell holds and what flows, with and without crops.

    Attributes
    ----------
    state, fluxes, stoichiometry
        Of every day; ``reservoirs`` are what has crossed the boundary since the last sowing.
    stocks : tuple of str
        What the cell holds.
    fallow_state, fallow_fluxes, fallow_stoichiometry
        Rows that change, or are read, where no crop stands.
    """

    state: Layout
    fluxes: Layout
    stoichiometry: Stoichiometry
    stocks: tuple[str, ...]
    reservoirs: tuple[str, ...]
    fallow_state: Layout
    fallow_fluxes: Layout
    fallow_stoichiometry: Stoichiometry


@cache
def layouts(nutrients: bool = False) -> Layouts:
    """Rows of the set, with or without nitrogen and the organic matter of the soil."""
    stocks: tuple[str, ...]
    reservoirs: tuple[str, ...]
    clocks: tuple[str, ...]
    nutrient_fluxes: tuple[str, ...]
    soil: tuple[Transfer, ...]
    if nutrients:
        stocks = (*CROP_STOCKS, *CROP_NITROGEN, *WATER_STOCKS, *SOIL_STOCKS)
        reservoirs = (*CARBON_RESERVOIRS, *NUTRIENT_RESERVOIRS, *WATER_RESERVOIRS)
        clocks = (*CLOCKS, *NUTRIENT_CLOCKS)
        soil = _soil_transfers()
        crop = (*_crop_transfers("surface_litter_carbon", "root_litter_carbon"),
                *_crop_nitrogen_transfers())
        nutrient_fluxes = CROP_NITROGEN_FLUXES
    else:
        stocks = (*CROP_STOCKS, *WATER_STOCKS)
        reservoirs = (*CARBON_RESERVOIRS, "litter_carbon", *WATER_RESERVOIRS)
        clocks, soil = CLOCKS, ()
        crop, nutrient_fluxes = _crop_transfers("litter_carbon", "litter_carbon"), ()
    soil_fluxes = tuple(dict.fromkeys(t.flux for t in soil))
    fallow_fluxes = Layout.of((*WATER_FLUXES, *soil_fluxes))
    state = Layout.of((*stocks, *reservoirs, *clocks))
    fluxes = Layout.of((*CROP_FLUXES, *WATER_FLUXES, *nutrient_fluxes, *soil_fluxes))
    bare = (*WATER_TRANSFERS, *soil)
    touched = {t.source for t in bare} | {t.target for t in bare}
    fallow = Layout.of((
        *(name for name in state.names
          if name in touched or REGISTRY[name].element == "water"),
        "growth_temperature", "development_stage", "root_depth",
        *(("soil_temperature",) if nutrients else ())))
    return Layouts(
        state, fluxes, Stoichiometry(state, fluxes, (*crop, *bare)), stocks, reservoirs,
        fallow, fallow_fluxes, Stoichiometry(fallow, fallow_fluxes, bare))


def rounding(nutrients: bool) -> tuple[list[float], list[float]]:
    """Quantum of every row of the nutrient fluxes, g m-2, and whether its rounding is spread.

    Fluxes of the soil are slow and spread over days, see `numerics.spread_amount`; those of the
    crop are floored, as it keeps nothing back.
    """
    rows = layouts(nutrients)
    source = {t.flux: REGISTRY[t.source].element for t in rows.stoichiometry.transfers}
    quanta: list[float] = []
    phases: list[float] = []
    for name, size in rows.fluxes.sizes.items():
        if name in CROP_FLUXES or name in WATER_FLUXES:
            continue
        element = source[name]
        of_crop = name in CROP_NITROGEN_FLUXES
        carbon = FINE if of_crop else SOIL_QUANTA["carbon"]
        quanta += [carbon if element == "carbon" else SOIL_QUANTA["nitrogen"]] * size
        phases += [0.0 if of_crop else 1.0] * size
    return quanta, phases


FINE = 2.0**-12
"""Quantum of the carbon of crops, g m-2."""

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
