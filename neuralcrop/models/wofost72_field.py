"""Fields of the `wofost72` set: how they start, and what sowing, harvest and irrigation do."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor

from neuralcrop.core.forcing import SOIL_LAYER_THICKNESS, DailyForcing, Site
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.orders import Irrigation, Residues
from neuralcrop.models.wofost72_state import (
    CROP_STOCKS,
    FALLOW,
    RESERVOIRS,
    SOWN,
    STATE,
)
from neuralcrop.physics.wofost72 import water
from neuralcrop.processes.wofost72 import table

Production = Literal["potential", "water_limited"]

CM, MM = 0.1, 10.0
"""mm to cm, and cm to mm."""

TONNES = 1e-3
"""kg ha-1 to t ha-1."""

CARBON = 0.04
"""kg ha-1 of CH2O to g m-2 of carbon."""


class WofostField(CropModel):
    """What events do to the state of WOFOST 7.2; its day is in `Wofost72`."""

    set_name = "wofost72"
    crop_stocks = CROP_STOCKS
    state = STATE
    reservoirs = RESERVOIRS
    production: Production

    @property
    def limited(self) -> bool:
        """Whether water limits production."""
        return self.production == "water_limited"

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
        stores = water.initial_water(soil_of(p), p["WAV"], p["SMLIM"], p["SSI"], zone)
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

    def diagnostics(self, x: Tensor, p: Tensor, place: Any) -> dict[str, Tensor]:
        """Leaf area index of this morning and relative root-zone water."""
        s, named = STATE.view(x), self.table.layout.view(p)
        moisture = self._moisture(s, named)
        wetness = (moisture - named["SMW"]) / (named["SMFCF"] - named["SMW"])
        return {"lai": s["green_leaf_area"], "root_zone_wetness": wetness.clamp(0.0, 1.0)}

    def record(
        self, s: dict[str, Tensor], x: Tensor, p: Tensor, book: Mapping[str, Tensor],
        residues: Residues,
    ) -> dict[str, Tensor]:
        """Entries of the record of a season; see `CropModel.record`."""
        shoot = (s["leaf_grown_weight"] + s["stem_weight"] + s["dead_stem_weight"]
                 + s["storage_weight"])
        fixed = -(s["seed_weight"] + s["assimilated_weight"])
        return {
            "yield": TONNES * s["storage_weight"],
            "biom": TONNES * shoot,
            "gpp": -CARBON * s["assimilated_weight"],
            "evap": s["evaporated_water"],
            "initr": -s["irrigated_water"],
            "carbon_residual": self.ledger.total(x, "weight") / fixed.clamp_min(1e-6),
        }

    def harvest(
        self, s: dict[str, Tensor], harvest: Tensor, residues: Residues, tillage: Tensor | None
    ) -> None:
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

    def sow(
        self, s: dict[str, Tensor], p: Mapping[str, Tensor], sow: Tensor, tillage: Tensor | None
    ) -> None:
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
        self, s: dict[str, Tensor], p: Mapping[str, Tensor], place: Any, active: Tensor,
        wetness: Tensor, water: Irrigation,
    ) -> None:
        """Fill the root zone to the target; amounts enter with the rain of the day.

        Where water does not limit, nothing is asked for.
        """
        if not self.limited:
            return
        moisture = p["SMW"] + water.target * (p["SMFCF"] - p["SMW"])
        wanted = 1000.0 * moisture * s["root_zone_depth"] - s["root_zone_water"]
        asked = active & (water.threshold > 0.0) & (wetness < water.threshold) & (
            s["development_stage"] < p["DVSEND"])
        refill = torch.where(asked, wanted.clamp(min=0.0), 0.0)
        s["root_zone_water"] = s["root_zone_water"] + refill
        s["applied_water"] = s["applied_water"] + water.amount
        s["irrigated_water"] = s["irrigated_water"] - refill - water.amount

    def _moisture(self, s: Mapping[str, Tensor], p: Mapping[str, Tensor]) -> Tensor:
        if not self.limited:
            return p["SMFCF"]
        return CM * s["root_zone_water"] / (100.0 * s["root_zone_depth"])


def soil_of(p: Mapping[str, Tensor]) -> water.Soil:
    """Soil of the kernels from parameters by name."""
    return water.Soil(
        p["SMW"], p["SMFCF"], p["SM0"], water.soil_depth(p["RDMSOL"]), p["SOPE"], p["KSUB"],
        p["SSMAX"])
