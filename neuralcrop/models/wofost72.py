"""The `wofost72` set: WOFOST 7.2, potential and water-limited, on the common machinery.

Exact to the published model: the same daily Euler step, the same order of operations. Dry matter
in kg ha-1; water in mm, which the kernels read in cm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features, scale_features
from neuralcrop.closures.parameter_network import ParameterNetwork
from neuralcrop.core.forcing import Site
from neuralcrop.core.parameters import ParameterSpec, ParameterTable
from neuralcrop.core.state import Layout
from neuralcrop.models.crop_model import Processes
from neuralcrop.models.wofost72_field import CM, MM, Production, WofostField, soil_of
from neuralcrop.models.wofost72_state import (
    FALLOW,
    FLUXES,
    HISTORY,
    STATE,
    STOICHIOMETRY,
    WATER_CLOCKS,
    WATER_FLUXES,
)
from neuralcrop.physics.evapotranspiration import saturation_vapour_pressure
from neuralcrop.physics.wofost72 import (
    assimilation,
    evapotranspiration,
    leaves,
    water,
)
from neuralcrop.physics.wofost72.astro import astronomy
from neuralcrop.physics.wofost72.growth import Organs
from neuralcrop.physics.wofost72.tables import slopes
from neuralcrop.processes.wofost72 import (
    Allocation,
    Assimilation,
    Evapotranspiration,
    FreeDrainage,
    LeafGrowth,
    Leaves,
    OrganDeath,
    Phenology,
    RootDepth,
    WaterDemand,
    table,
)

JOULES = 86400.0
"""W m-2 over a day to J m-2 d-1."""

FORCING = ("tasmin", "tasmax", "tas", "rsds", "pr", "vap", "e0", "es0", "et0", "co2")

class Place(NamedTuple):
    """What stays the same over a run.

    Attributes
    ----------
    latitude : Tensor
        Degrees north, ``[cell]``.
    slopes : Tensor
        Slopes of all tables, ``[segment, cell]``.
    """

    latitude: Tensor
    slopes: Tensor


class WofostProcesses(Processes):
    """Processes of WOFOST 7.2 with their closure slots."""

    def __init__(self, specs: Sequence[ParameterSpec], smooth: bool = False) -> None:
        super().__init__()
        known = {s.name: s for s in specs}
        self.phenology = Phenology(known, smooth)
        self.assimilation = Assimilation(known)
        self.evapotranspiration = Evapotranspiration(known)
        self.allocation = Allocation(known)
        self.leaves = Leaves(known)
        self.organs = OrganDeath(known)
        self.roots = RootDepth(known)
        self.water = FreeDrainage(known)


class _Water(NamedTuple):
    """Balance of a day: fluxes (mm d-1) and rates of its clocks."""

    fluxes: dict[str, Tensor]
    clocks: dict[str, Tensor]


class Wofost72(WofostField):
    """WOFOST 7.2.

    Parameters
    ----------
    table : ParameterTable
        Crops by WOFOST's parameter names, with `SITE_SPECS`.
    production : {"potential", "water_limited"}
        Whether water limits; without, soil moisture stays at field capacity.
    smooth : bool
        Fractions of days at stages and of leaf cohorts at their span, so that TSUM1, TSUM2 and
        SPAN have full gradients. Off, the published model: whole days, whole cohorts.
    summed_ages : bool
        Sum the age of every cohort by itself, as the reference implementation does: where an age
        meets the span exactly, rounding decides the day of death as it does there. Takes a pass
        over all cohorts a day.
    network, covariates
        See `CropModel`.
    """

    fluxes = FLUXES
    stoichiometry = STOICHIOMETRY
    forcing_names = FORCING
    history_rows = ("leaf_grown_weight", *HISTORY)
    place_gradient = "slopes"
    daily_euler = True
    n_wanted = 4

    def __init__(
        self, table: ParameterTable, production: Production = "water_limited",
        smooth: bool = False, summed_ages: bool = False,
        network: ParameterNetwork | None = None, covariates: Sequence[str] = (),
    ) -> None:
        parts = WofostProcesses(list(table.specs.values()), smooth)
        super().__init__(table, parts, network, covariates)
        if production not in ("potential", "water_limited"):
            raise ValueError(
                f"production is {production!r}, expected potential or water_limited")
        self.production, self.smooth, self.summed_ages = production, smooth, summed_ages
        sizes = self.table.layout.sizes
        self._tables = Layout({  # segments; a table of one node has none
            n: sizes[n] - 1 for n in sizes if sizes.get(f"{n}_x", 1) > 1})

    @property
    def variant(self) -> str:
        """Switches that change results, for restart files."""
        return f"{self.production} smooth={self.smooth} summed_ages={self.summed_ages}"

    def place_closure(self, slot: str, occupant: Closure) -> None:
        """Put ``occupant`` into a slot; see `CropModel.place_closure`.

        Raises
        ------
        ValueError
            If leaves age by a closure and their ages are summed by the equation.
        """
        if self.summed_ages and slot == "leaves.senescence":
            raise ValueError(
                "leaves.senescence takes no closure with summed_ages=True, which sums the ageing "
                "of the equation; use summed_ages=False")
        super().place_closure(slot, occupant)

    def place(self, p: Mapping[str, Tensor], site: Site) -> Place:
        """Precompute what a run needs of a site, once."""
        return Place(
            site.latitude, torch.cat([slopes(p[f"{n}_x"], p[n]) for n in self._tables.names]))

    # --- leaves of former days

    def history_length(self, p: Tensor) -> int:
        """Days of which leaves may be alive."""
        return int(self.table.layout.get(p, "maximum_season").max()) + 2

    def wanted_days(self, x: Tensor, p: Tensor, history: Tensor, row: Tensor) -> Tensor:
        """Rows around the weight that died and around the oldest leaves within their span.

        Parameters
        ----------
        x, p : Tensor
            State and parameters.
        history : Tensor
            ``[day, row, cell]``: `history_rows` of former mornings, and the summed ages.
        row : Tensor
            Row of this morning, scalar integer.

        Returns
        -------
        Tensor
            ``[6, cell]`` integers: rows before and at the aged leaves, rows before and at the
            removed weight (these as 4 rows of the history), and the numbers of aged and of
            removed cohorts since sowing.
        """
        s, named = STATE.view(x), self.table.layout.view(p)
        n_days = history.shape[0]
        bits = n_days.bit_length()
        rows = s["crop_days"].to(torch.int32).clamp(0, n_days - 1) + 1
        first = row.to(torch.int32) - (rows - 1) + n_days  # of this crop; the history is a ring

        def place(index: Tensor) -> Tensor:
            k = first + torch.minimum(index, rows - 1).clamp(min=0)
            k = torch.where(k < n_days, k, k - n_days)  # a remainder would divide integers
            return k.to(torch.int64)

        def fetch(column: int) -> Callable[[Tensor], Tensor]:
            return lambda index: history[:, column].gather(
                0, place(index).unsqueeze(0)).squeeze(0)

        if self.summed_ages:
            span = named["SPAN"]
            aged = leaves.count_rows(fetch(3), rows, bits, lambda age: age > span)
        else:
            limit = leaves.last_birth(s["leaf_age"], named["SPAN"])
            aged = leaves.count_rows(fetch(2), rows, bits, lambda born: born < limit)
        removed = -s["leaf_shed_weight"]
        shed = leaves.count_rows(fetch(0), rows, bits, lambda grown: grown <= removed)
        shed = torch.minimum(shed, rows - 1)
        days = [place(k) for k in (aged - 1, aged, shed - 1, shed)]
        more = torch.where(aged < rows, aged, -aged)
        return torch.stack((*days, more.to(torch.int64), shed.to(torch.int64)))

    def age(self, history: Tensor, x: Tensor, weather: Tensor, p: Tensor) -> None:
        """Add the ageing of a day to the summed age of every cohort, in place."""
        if self.summed_ages:
            w = self._weather(weather)
            ageing = self.parts.leaves.ageing(self.table.layout.view(p), w["tas"])
            history[:, 3] += torch.where(STATE.get(x, "development_stage") >= 0.0, ageing, 0.0)

    # --- the day

    def rates(
        self, x: Tensor, weather: Tensor, solar_day: Tensor, p: Tensor, place: Place, h: float,
        *past: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Rates and fluxes of a day; see `CropModel.rates`.

        ``past`` are the rows of the history that `wanted_days` names, ``[4, row, cell]``, and
        what it returned.
        """
        named = self.table.layout.view(p)
        for name, start in self._tables.start.items():
            named[f"{name}_slopes"] = place.slopes[start:start + self._tables.sizes[name]]
        fluxes, clocks = self._day(
            STATE.view(x), self._weather(weather), solar_day, named, place, *past)
        v = FLUXES.stack(fluxes)
        return STOICHIOMETRY.rates(v, clocks), v

    def _day(
        self, s: dict[str, Tensor], w: dict[str, Tensor], solar_day: Tensor,
        p: dict[str, Tensor], place: Place, former: Tensor, wanted: Tensor,
    ) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
        """The day, in order."""
        parts, stage = self.parts, s["development_stage"]
        stands, emerged = stage > 0.5 * FALLOW, stage >= 0.0
        here, up = stands.to(stage.dtype), emerged.to(stage.dtype)
        mean = w["tas"]
        irradiation = JOULES * w["rsds"]
        sky = astronomy(solar_day, place.latitude, irradiation)
        moisture = self._moisture(s, p)

        removed = -s["leaf_shed_weight"]
        leaf = s["leaf_grown_weight"] - removed
        lai = self._leaf_area(s, removed, former, wanted) + parts.leaves.other_area(
            p, stage, s["stem_weight"], s["storage_weight"])
        features = self._features(w, moisture, p, stage, lai)

        develop = parts.phenology(
            p, stage, s["vernalisation_days"], mean, sky.daylp, features)
        recent = torch.cat((w["tasmin"].unsqueeze(0), s["recent_minimum_temperature"]))
        minimum = assimilation.recent_minimum(recent, s["emerged_days"] + 1.0)
        extinction = table(p, "KDIFTB", stage)
        demand = parts.evapotranspiration(
            p, moisture, lai, extinction, CM * w["et0"], CM * w["es0"], CM * w["e0"],
            s["waterlogged_days"], w["co2"], features)
        assimilated = parts.assimilation(
            p, stage, lai, sky, irradiation, 0.5 * (w["tasmax"] + w["tas"]), minimum, w["co2"],
            extinction, features)
        weights = Organs(s["root_weight"], leaf, s["stem_weight"], s["storage_weight"])
        grow = parts.allocation(p, weights, stage, mean, assimilated, demand.stress, features)
        leafy = parts.leaves(
            p, stage, leaf, lai, s["exponential_leaf_area"], removed,
            self._aged(s, p, former, wanted), grow.organs.leaves, mean, demand.stress,
            extinction, features)
        root_death, stem_death = parts.organs(p, stage, s["root_weight"], s["stem_weight"])
        depth = 100.0 * s["root_depth"]
        deeper = torch.where(emerged, parts.roots(p, depth, grow.root_share), 0.0)

        bare = WaterDemand(
            torch.zeros_like(stage), demand.stress, CM * w["es0"], CM * w["e0"])
        demand = WaterDemand(*(torch.where(emerged, a, b)
                               for a, b in zip(demand, bare, strict=True)))
        soil = self._soil_water(s, w, p, demand, torch.where(stands, depth + deeper, 0.0))
        fluxes = {
            "leaf_weight_growth": up * grow.organs.leaves,
            "stem_weight_growth": up * grow.organs.stems,
            "root_weight_growth": up * grow.organs.roots,
            "storage_weight_growth": up * grow.organs.storage,
            "maintenance_weight_loss": up * grow.maintenance,
            "conversion_weight_loss": up * grow.conversion,
            "leaf_weight_loss": up * (leafy.removed - removed),
            "stem_weight_loss": up * stem_death,
            "root_weight_loss": up * root_death,
            **soil.fluxes,
        }
        clocks = {
            **self._leaf_clocks(leafy, up),
            "development_stage": here * (develop.stage - stage),
            "vernalisation_days": here * develop.vernalisation,
            "vegetative_days": here * (stage < 1.0),
            "reproductive_days": here * ((stage >= 1.0) & (stage < p["DVSEND"])),
            "emerged_days": up, "crop_days": here,
            "recent_minimum_temperature": recent[:-1] - s["recent_minimum_temperature"],
            "root_depth": 0.01 * deeper,
            "green_leaf_area": here * lai - s["green_leaf_area"],
            "peak_leaf_area": up * (lai - s["peak_leaf_area"]).clamp(min=0.0),
            **soil.clocks,
        }
        return fluxes, clocks

    def _leaf_clocks(self, leafy: LeafGrowth, up: Tensor) -> dict[str, Tensor]:
        return {
            "leaf_area_grown": up * leafy.area, "leaf_age": up * leafy.ageing,
            "exponential_leaf_area": up * leafy.exponential,
        }

    def _leaf_area(
        self, s: dict[str, Tensor], removed: Tensor, former: Tensor, wanted: Tensor
    ) -> Tensor:
        earlier = (wanted[5] > 0).to(removed.dtype)
        return leaves.area_above(
            removed, s["leaf_area_grown"], earlier * former[2, 0], former[3, 0],
            earlier * former[2, 1], former[3, 1])

    def _aged(
        self, s: dict[str, Tensor], p: dict[str, Tensor], former: Tensor, wanted: Tensor
    ) -> Tensor:
        """Cumulative weight of the leaves older than their span."""
        level = torch.where(wanted[4] != 0, former[0, 0], 0.0)
        if not self.smooth:
            return level
        limit = leaves.last_birth(s["leaf_age"], p["SPAN"])
        partial = leaves.weight_between(
            limit, former[0, 2], former[1, 2], level, former[1, 0])
        return torch.where(wanted[4] > 0, partial, level)

    def _soil_water(
        self, s: dict[str, Tensor], w: dict[str, Tensor], p: dict[str, Tensor],
        demand: WaterDemand, reached: Tensor,
    ) -> _Water:
        """Balance of the day; ``reached`` is the rooting depth of tomorrow, cm, 0 without crop."""
        zone = 100.0 * s["root_zone_depth"]
        zero = torch.zeros_like(zone)
        if not self.limited:
            used = MM * demand.transpiration
            return _Water(
                dict.fromkeys(WATER_FLUXES, zero)
                | {"root_zone_transpiration": used, "unlimited_supply": used},
                dict.fromkeys(WATER_CLOCKS, zero))
        soil = soil_of(p)
        state = water.Water(
            CM * s["root_zone_water"], CM * s["lower_zone_water"], CM * s["ponded_water"],
            s["dry_days"], CM * s["former_infiltration"])
        rain, applied = CM * w["pr"], CM * s["applied_water"]
        lost = water.not_infiltrating(rain, p["NOTINF"], p["IFUNRN"])
        flow = water.water_fluxes(
            soil, state, zone, rain, applied, lost, demand.transpiration, demand.soil,
            demand.surface)
        tomorrow = torch.where(reached > 0.0, reached, zone)
        gained = water.root_zone_transfer(soil, state, flow, zone, tomorrow)
        after = water.next_water(state, flow, gained)
        stuffy = evapotranspiration.oxygen_stress_days(
            s["waterlogged_days"], after.w / tomorrow, p["SM0"], p["CRAIRC"])
        fluxes = {
            "surface_rain": rain, "surface_irrigation": applied, "infiltration": flow.rin,
            "surface_runoff": flow.runoff, "ponded_evaporation": flow.evw,
            "bare_soil_evaporation": flow.evs, "root_zone_transpiration": flow.tra,
            "root_zone_percolation": flow.perc, "subsoil_drainage": flow.loss,
            "root_zone_extension": gained,
        }
        return _Water({name: MM * value for name, value in fluxes.items()} | {
            "unlimited_supply": zero}, {
            "dry_days": flow.dslr - s["dry_days"],
            "former_infiltration": MM * flow.rin - s["former_infiltration"],
            "root_zone_depth": 0.01 * (tomorrow - zone),
            "waterlogged_days": stuffy - s["waterlogged_days"],
        })

    def _weather(self, values: Tensor) -> dict[str, Tensor]:
        return dict(zip(FORCING, values.unbind(0), strict=True))

    def _features(
        self, w: dict[str, Tensor], moisture: Tensor, p: dict[str, Tensor], stage: Tensor,
        lai: Tensor,
    ) -> Features | None:
        if not self.neural:
            return None
        vpd = (saturation_vapour_pressure(w["tas"]) - w["vap"]).clamp(min=0.0)
        wetness = (moisture - p["SMW"]) / (p["SMFCF"] - p["SMW"])
        return scale_features(w["tas"], w["rsds"], vpd, wetness, stage, lai, w["co2"])
