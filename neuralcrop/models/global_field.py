"""The `global` set: what a field holds, and what sowing, irrigation and harvest do to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neuralcrop.core.forcing import (
    SOIL_LAYER_BOTTOM,
    SOIL_LAYER_THICKNESS,
    DailyForcing,
    Site,
)
from neuralcrop.core.numerics import whole
from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.global_ import (
    CROP_STOCKS,
    INITIAL_ROOT_DEPTH,
    MATURE,
    RIPE,
    SOWN,
    TONNES_PER_GRAM,
    TRIGGER_WIDTH,
)


class GlobalField(CropModel):
    """State of a field between days; its day is `GlobalModel`'s."""

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
            name: zero if size == 1 else zero.expand(size, n)
            for name, size in self.state.sizes.items()
        }
        return values | {
            "soil_water": whole(water), "development_stage": zero + MATURE,
            "growth_temperature": mean_first_month(forcing)}

    def ripe(self, x: Tensor, p: Tensor) -> Tensor:
        """Whether the crop of a cell is ripe, ``[cell]``."""
        return self.state.get(x, "development_stage") >= RIPE

    def standing_yield(self, x: Tensor, p: Tensor) -> Tensor:
        """Yield that stands in the field, t ha-1 dry matter, ``[cell]``."""
        fraction = self.table.layout.get(p, "carbon_fraction")
        return self.state.get(x, "storage_carbon") * TONNES_PER_GRAM / fraction

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
        to_root = whole(p["root_share"][0].clamp(0.0, 1.0) * seed)
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
        """Water of soil, snow and surface, mm, ``[cell]``."""
        return s["soil_water"].sum(dim=0) + s["snow_water"] + s["ponded_water"]

    def irrigate(
        self, s: dict[str, Tensor], p: Mapping[str, Tensor], place: Any, active: Tensor,
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


def _grain(s: Mapping[str, Tensor]) -> Tensor:
    """Carbon of the harvest: storage organs of a crop that has flowered; g m-2, ``[cell]``."""
    return torch.where(s["development_stage"] >= 1.0, s["storage_carbon"], 0.0)


def mean_first_month(forcing: DailyForcing) -> Tensor:
    """Mean temperature of the first 30 days: the growth temperature at the start, ``[cell]``."""
    return forcing.values[:30, FORCING_NAMES.index("tas")].mean(dim=0)
