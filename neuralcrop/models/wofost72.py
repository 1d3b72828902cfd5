"""The `wofost72` set: WOFOST 7.2, potential and water-limited, on the common machinery.

Exact to the published model: the same daily Euler step, the same order of operations. Dry matter
in kg ha-1; water in mm, which the kernels read in cm.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features, scale_features
from neuralcrop.closures.parameter_network import ParameterNetwork
from neuralcrop.core.forcing import SOIL_LAYER_THICKNESS, DailyForcing, Site
from neuralcrop.core.parameters import ParameterSpec, ParameterTable, ParameterValue
from neuralcrop.models.crop_model import CropModel, Processes
from neuralcrop.models.wofost72_state import (
    CROP_STOCKS,
    FALLOW,
    FLUXES,
    HISTORY,
    RESERVOIRS,
    SOWN,
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

Production = Literal["potential", "water_limited"]

CM, MM = 0.1, 10.0
"""mm to cm, and cm to mm."""

JOULES = 86400.0
"""W m-2 over a day to J m-2 d-1."""

TONNES = 1e-3
"""kg ha-1 to t ha-1."""

CARBON = 0.04
"""kg ha-1 of CH2O to g m-2 of carbon."""

FORCING = ("tasmin", "tasmax", "tas", "rsds", "pr", "vap", "e0", "es0", "et0", "co2")

SITE_SPECS = (
    ParameterSpec("SMW", "1", "soil moisture at wilting point, by volume"),
    ParameterSpec("SMFCF", "1", "soil moisture at field capacity, by volume"),
    ParameterSpec("SM0", "1", "soil moisture at saturation, by volume"),
    ParameterSpec("CRAIRC", "1", "air content of the soil that roots need, by volume"),
    ParameterSpec("RDMSOL", "cm", "depth to which roots can grow in the soil"),
    ParameterSpec("SOPE", "cm d-1", "maximum percolation out of the root zone"),
    ParameterSpec("KSUB", "cm d-1", "maximum percolation into the subsoil"),
    ParameterSpec("SMLIM", "1", "largest initial moisture of the root zone, by volume"),
    ParameterSpec("WAV", "cm", "initial water above wilting point"),
    ParameterSpec("SSI", "cm", "initial surface storage"),
    ParameterSpec("SSMAX", "cm", "largest surface storage"),
    ParameterSpec("NOTINF", "1", "share of rain that does not infiltrate"),
    ParameterSpec("IFUNRN", "1", "1 where that share depends on the rain of the day"),
    ParameterSpec("starts_emerged", "1", "1 where the crop starts with its emergence"),
    ParameterSpec("restarts_water", "1", "1 where soil water is set to its start at sowing"),
    ParameterSpec("maximum_season", "d", "latest harvest after sowing"),
)
"""Parameters of soil, site and calendar; part of the table so that they have gradients."""

_LOAM = "medium soil EC3 of the European Soil Database; Supit et al. (1994)"
_WORLD = "neuralcrop"

SITE_VALUES = {
    name: ParameterValue((value,), (lower,), (upper,), units, source)
    for name, value, lower, upper, units, source in (
        ("SMW", 0.104, 0.01, 0.4, "1", _LOAM), ("SMFCF", 0.3, 0.05, 0.6, "1", _LOAM),
        ("SM0", 0.41, 0.2, 0.9, "1", _LOAM), ("CRAIRC", 0.06, 0.0, 0.2, "1", _LOAM),
        ("RDMSOL", 120.0, 10.0, 300.0, "cm", _LOAM), ("SOPE", 10.0, 0.1, 100.0, "cm d-1", _LOAM),
        ("KSUB", 10.0, 0.1, 100.0, "cm d-1", _LOAM), ("SMLIM", 0.3, 0.0, 1.0, "1", _LOAM),
        ("WAV", 10.0, 0.0, 100.0, "cm", _WORLD), ("SSI", 0.0, 0.0, 10.0, "cm", _WORLD),
        ("SSMAX", 0.0, 0.0, 20.0, "cm", _WORLD), ("NOTINF", 0.0, 0.0, 1.0, "1", _WORLD),
        ("IFUNRN", 0.0, 0.0, 1.0, "1", _WORLD), ("starts_emerged", 0.0, 0.0, 1.0, "1", _WORLD),
        ("restarts_water", 0.0, 0.0, 1.0, "1", _WORLD),
        ("maximum_season", 365.0, 30.0, 400.0, "d", _WORLD),
    )
}
"""Values where nothing else is given."""


class Place(NamedTuple):
    """What stays the same over a run, ``[cell]``."""

    latitude: Tensor


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


class Wofost72(CropModel):
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

    set_name = "wofost72"
    state = STATE
    reservoirs = RESERVOIRS
    fluxes = FLUXES
    stoichiometry = STOICHIOMETRY
    forcing_names = FORCING
    history_rows = ("leaf_grown_weight", *HISTORY)
    daily_euler = True
    n_wanted = 4
    parts: WofostProcesses

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

    @property
    def limited(self) -> bool:
        """Whether water limits production."""
        return self.production == "water_limited"

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

    def settle(self, p: Tensor, site: Site) -> Tensor:
        """Parameters with the soil of a site in place of the table's."""
        start = self.table.layout.start
        depth = torch.tensor(SOIL_LAYER_THICKNESS, dtype=p.dtype, device=p.device)
        share = (depth / depth.sum()).unsqueeze(-1)
        drains = (site.saturated_conductivity * 2.4).clamp(0.1, 100.0)
        soil = {
            "SMW": (share * site.wilting_point).sum(0),
            "SMFCF": (share * site.field_capacity).sum(0),
            "SM0": (share * site.saturation).sum(0), "RDMSOL": 100.0 * site.soil_depth,
            "SOPE": drains[0], "KSUB": drains[-1],
            "SMLIM": (share * site.field_capacity).sum(0),
        }
        p = p.clone()
        for name, value in soil.items():
            p[start[name]] = value.to(p.dtype)
        return p

    def place(self, p: Mapping[str, Tensor], site: Site) -> Place:
        """Precompute what a run needs of a site, once."""
        return Place(site.latitude)

    # --- events

    def start(
        self, forcing: DailyForcing, site: Site, p: Tensor, wetness: float = 0.7
    ) -> dict[str, Tensor]:
        """Cells without a crop and with the initial water of the parameters; see `CropModel`."""
        n, dtype, device = forcing.n_cells, p.dtype, p.device
        zero = torch.zeros(n, dtype=dtype, device=device)
        s = {name: zero if size == 1 else zero.expand(size, n)
             for name, size in STATE.sizes.items()}
        s["development_stage"] = zero + FALLOW
        s |= self._soil_at_start(self.table.layout.view(p))
        return s

    def _soil_at_start(self, p: Mapping[str, Tensor]) -> dict[str, Tensor]:
        zone = torch.full_like(p["SMW"], water.BARE_DEPTH)
        stores = water.initial_water(_soil(p), p["WAV"], p["SMLIM"], p["SSI"], zone)
        return {
            "root_zone_water": MM * stores.w, "lower_zone_water": MM * stores.wlow,
            "ponded_water": MM * stores.ss, "dry_days": stores.dslr,
            "former_infiltration": MM * stores.rin, "root_zone_depth": 0.01 * zone,
            "root_depth": 0.01 * zone, "waterlogged_days": torch.zeros_like(zone),
        }

    def ripe(self, x: Tensor, p: Tensor) -> Tensor:
        """Whether the crop of a cell is ripe, ``[cell]``."""
        return STATE.get(x, "development_stage") >= self.table.layout.get(p, "DVSEND")

    def standing_yield(self, x: Tensor, p: Tensor) -> Tensor:
        """Yield that stands in the field, t ha-1 dry matter, ``[cell]``."""
        return TONNES * STATE.get(x, "storage_weight")

    def diagnostics(self, x: Tensor, p: Tensor, place: Place) -> dict[str, Tensor]:
        """Leaf area index of this morning and relative root-zone water."""
        s, named = STATE.view(x), self.table.layout.view(p)
        moisture = self._moisture(s, named)
        wetness = (moisture - named["SMW"]) / (named["SMFCF"] - named["SMW"])
        return {"lai": s["green_leaf_area"], "root_zone_wetness": wetness.clamp(0.0, 1.0)}

    def record(self, s: dict[str, Tensor], x: Tensor, p: Tensor) -> dict[str, Tensor]:
        """Entries of the record of a season; see `CropModel.record`."""
        shoot = (s["leaf_grown_weight"] + s["stem_weight"] + s["dead_stem_weight"]
                 + s["storage_weight"])
        fixed = -(s["seed_weight"] + s["assimilated_weight"])
        return {
            "yield": TONNES * s["storage_weight"],
            "biom": TONNES * shoot,
            "gpp": -CARBON * s["assimilated_weight"],
            "evap": s["evaporated_water"],
            "carbon_residual": self.ledger.total(x, "weight") / fixed.clamp_min(1e-6),
        }

    def harvest(self, s: dict[str, Tensor], harvest: Tensor) -> None:
        """Storage organs leave the field; the root zone shrinks to that of bare soil."""
        gone = harvest.to(s["stem_weight"].dtype)
        left = sum((s[name] for name in CROP_STOCKS), torch.zeros_like(gone)) - s["storage_weight"]
        s["harvested_weight"] = s["harvested_weight"] + gone * s["storage_weight"]
        s["litter_weight"] = s["litter_weight"] + gone * left
        for name in CROP_STOCKS:
            s[name] = s[name] * (1.0 - gone)
        s["development_stage"] = torch.where(harvest, FALLOW, s["development_stage"])
        bare = 0.01 * water.BARE_DEPTH
        deeper = s["root_zone_water"] * (1.0 - bare / s["root_zone_depth"].clamp(min=bare))
        moved = gone * deeper
        s["root_zone_water"] = s["root_zone_water"] - moved
        s["lower_zone_water"] = s["lower_zone_water"] + moved
        s["root_zone_depth"] = torch.where(harvest, bare, s["root_zone_depth"])

    def sow(self, s: dict[str, Tensor], p: Mapping[str, Tensor], sow: Tensor) -> None:
        """Seed or plants; soil water starts anew where the parameters say so."""
        stage = torch.where(p["starts_emerged"] > 0.5, p["DVSI"], SOWN)
        organs = self.parts.allocation.seedling(p, stage)
        area = organs.leaves * table(p, "SLATB", stage)
        before = self.stored_water(s)
        anew = sow & (p["restarts_water"] > 0.5)
        for name, value in self._soil_at_start(p).items():
            s[name] = torch.where(anew, value, s[name])
        # cells without sowing must not be touched, by rounding neither
        s["initial_water"] = s["initial_water"] + torch.where(
            anew, before - self.stored_water(s), 0.0)
        new = {
            "leaf_grown_weight": organs.leaves, "stem_weight": organs.stems,
            "root_weight": organs.roots, "storage_weight": organs.storage,
            "seed_weight": -sum(organs[1:], organs[0]), "leaf_area_grown": area,
            "exponential_leaf_area": area, "development_stage": stage,
            "root_depth": 0.01 * p["RDI"],
        }
        new |= {name: torch.zeros_like(stage) for name in (
            "leaf_shed_weight", "dead_leaf_weight", "dead_stem_weight", "dead_root_weight",
            "leaf_age", "vernalisation_days", "vegetative_days", "reproductive_days",
            "emerged_days", "crop_days", "peak_leaf_area")}
        for name, value in new.items():
            s[name] = torch.where(sow, value, s[name])

    def stored_water(self, s: Mapping[str, Tensor]) -> Tensor:
        """Water of both zones and the surface, mm, ``[cell]``."""
        return (s["root_zone_water"] + s["lower_zone_water"] + s["ponded_water"]
                + s["applied_water"])

    def irrigate(
        self, s: dict[str, Tensor], p: Mapping[str, Tensor], place: Place, active: Tensor,
        wetness: Tensor, threshold: Tensor, target: Tensor, amount: Tensor,
    ) -> None:
        """Fill the root zone to the target; amounts enter with the rain of the day.

        Where water does not limit, nothing is asked for.
        """
        if not self.limited:
            return
        moisture = p["SMW"] + target * (p["SMFCF"] - p["SMW"])
        wanted = 1000.0 * moisture * s["root_zone_depth"] - s["root_zone_water"]
        asked = active & (threshold > 0.0) & (wetness < threshold) & (
            s["development_stage"] < p["DVSEND"])
        refill = torch.where(asked, wanted.clamp(min=0.0), 0.0)
        s["root_zone_water"] = s["root_zone_water"] + refill
        s["applied_water"] = s["applied_water"] + amount
        s["irrigated_water"] = s["irrigated_water"] - refill - amount

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
        fluxes, clocks = self._day(
            STATE.view(x), self._weather(weather), solar_day, self.table.layout.view(p), place,
            *past)
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

    def _moisture(self, s: Mapping[str, Tensor], p: Mapping[str, Tensor]) -> Tensor:
        if not self.limited:
            return p["SMFCF"]
        return CM * s["root_zone_water"] / (100.0 * s["root_zone_depth"])

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
        soil = _soil(p)
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


def _soil(p: Mapping[str, Tensor]) -> water.Soil:
    return water.Soil(
        p["SMW"], p["SMFCF"], p["SM0"], water.soil_depth(p["RDMSOL"]), p["SOPE"], p["KSUB"],
        p["SSMAX"])
