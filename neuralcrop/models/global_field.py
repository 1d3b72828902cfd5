"""The `global` set: what a field holds, and what sowing, irrigation and harvest do to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from neuralcrop.core.forcing import TILLAGE_ROWS, DailyForcing, Management, Site
from neuralcrop.core.numerics import NITROGEN_QUANTUM, whole
from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.models import global_events
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.global_ import (
    CROP_STOCKS,
    INITIAL_ROOT_DEPTH,
    MATURE,
    RIPE,
    SOWN,
    TONNES_PER_GRAM,
)
from neuralcrop.models.orders import Irrigation, Residues

KILOGRAMS_PER_GRAM = 10.0
"""g m-2 to kg ha-1."""

BARE = 1e-3
"""Leaf area index below which a crop has no leaves."""

EMERGENCE_DAYS, WINTER_EMERGENCE_DAYS = 60.0, 240.0
"""Days after sowing at which a crop that has not emerged has failed; the longer one for crops that
need vernalisation, whose seed may wait for spring under snow."""

TILLED = 0.95
"""Share of the surface litter that tillage works into the soil (LPJmL; Lutz et al. 2019,
doi:10.5194/gmd-12-2419-2019)."""


class GlobalField(CropModel):
    """State of a field between days; its day is `GlobalModel`'s."""

    can_fail = True
    crop_stocks = CROP_STOCKS
    nutrients: bool

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

    def refusals(self, management: Management) -> list[str]:
        """What of the management the model has no use for; see `CropModel.refusals`."""
        if self.nutrients:
            return []
        named = {"nitrogen or manure": (management.fertiliser_plan, management.fertiliser_dates),
                 "tillage": (management.tillage,)}
        return [name for name, given in named.items() if any(g is not None for g in given)]

    def record(
        self, s: dict[str, Tensor], x: Tensor, p: Tensor, book: Mapping[str, Tensor],
        residues: Residues,
    ) -> dict[str, Tensor]:
        """Entries of the record of a season; see `CropModel.record`."""
        to_yield = TONNES_PER_GRAM / self.table.layout.get(p, "carbon_fraction")
        leaf = s["leaf_carbon"].sum(dim=0)
        shoot = leaf + s["stem_carbon"] + s["storage_carbon"] + s["reserve_carbon"]
        took_part = -(s["seed_carbon"] + s["assimilated_carbon"])
        total = self.ledger.total(x, "carbon")
        if self.nutrients:
            took_part = took_part + book["start_carbon"] - s["manured_carbon"]
            total = total - book["start_carbon"]
        grain = global_events.grain(s)
        taken = grain if residues.grain is None else residues.grain * grain
        record = {
            "yield": taken * to_yield,
            "biom": shoot * to_yield,
            "gpp": -s["assimilated_carbon"],
            "evap": s["evaporated_water"] + s["intercepted_water"] + s["sublimated_water"],
            "initr": -s["irrigated_water"] - s["conveyance_water"],
            "carbon_residual": total / took_part.clamp_min(1e-6),
        }
        return record | self._nitrogen_record(s, x, book, residues) if self.nutrients else record

    def _nitrogen_record(
        self, s: Mapping[str, Tensor], x: Tensor, book: Mapping[str, Tensor], residues: Residues
    ) -> dict[str, Tensor]:
        """Nitrogen of the season, kg ha-1."""
        grain = global_events.grain(s, "nitrogen")
        shoot = (s["leaf_nitrogen"] + s["stem_nitrogen"] + s["storage_nitrogen"]
                 + s["reserve_nitrogen"])
        given = -(s["fertilised_nitrogen"] + s["manured_nitrogen"])
        came_in = given - s["deposited_nitrogen"] - s["fixed_nitrogen"] - s["seed_nitrogen"]
        amounts = {
            "nuptake": s["nitrogen_taken_up"], "nfert": given, "nfix": -s["fixed_nitrogen"],
            "ndep": -s["deposited_nitrogen"], "nleach": s["leached_nitrogen"],
            "ngas": (s["volatilised_nitrogen"] + s["nitrous_oxide_nitrogen"]
                     + s["dinitrogen_nitrogen"]),
            "n2o": s["nitrous_oxide_nitrogen"],
            "yield_nitrogen": grain if residues.grain is None else residues.grain * grain,
            "biom_nitrogen": shoot,
        }
        change = self.ledger.total(x, "nitrogen") - book["start_nitrogen"]
        return {
            name: KILOGRAMS_PER_GRAM * amount for name, amount in amounts.items()
        } | {"nitrogen_residual": change / (book["start_nitrogen"] + came_in).clamp_min(1e-6)}

    def bare(self, x: Tensor, p: Tensor) -> Tensor:
        """Whether an emerged crop before anthesis has no leaves, ``[cell]``."""
        stage = self.state.get(x, "development_stage")
        area = self.state.get(x, "leaf_carbon").sum(dim=0) * self.table.layout.get(
            p, "specific_leaf_area")
        return (stage >= 0.0) & (stage < 1.0) & (area < BARE)

    def emergence_limit(self, p: Tensor) -> Tensor:
        """Days after sowing by which a crop has emerged or failed, ``[cell]``."""
        winter = self.table.layout.get(p, "vernalisation_saturation") > 0.0
        return torch.where(winter, WINTER_EMERGENCE_DAYS, EMERGENCE_DAYS).to(p.dtype)

    def harvest(
        self, s: dict[str, Tensor], harvest: Tensor, residues: Residues, tillage: Tensor | None
    ) -> None:
        """Grain leaves the field, of everything else what is not taken off or burnt stays."""
        global_events.harvest(s, harvest, residues)
        if self.nutrients and tillage is not None:
            global_events.till(s, harvest, tillage[TILLAGE_ROWS.index("harvest")])

    def fertilise(
        self, s: dict[str, Tensor], nitrate: Tensor, ammonium: Tensor, manure: Tensor
    ) -> None:
        """Spread nitrogen, g m-2; see `CropModel.fertilise`."""
        global_events.fertilise(s, nitrate, ammonium, manure)

    def sow(
        self, s: dict[str, Tensor], p: Mapping[str, Tensor], sow: Tensor, tillage: Tensor | None
    ) -> None:
        """Tillage, then seed that becomes the first roots and the youngest leaves."""
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
        if self.nutrients:
            share = (torch.full_like(seed, TILLED) if tillage is None
                     else tillage[TILLAGE_ROWS.index("sowing")])
            global_events.till(s, sow, share)
            held = whole(self.parts.nitrogen.seed(p, seed - to_root, to_root), NITROGEN_QUANTUM)
            for organ, amount in zip(("leaf", "root"), held.unbind(0), strict=True):
                s[f"{organ}_nitrogen"] = s[f"{organ}_nitrogen"] + amount
                s["seed_nitrogen"] = s["seed_nitrogen"] - amount
            s["nitrogen_taken_up"] = torch.where(sow, 0.0, s["nitrogen_taken_up"])

    def stored_water(self, s: Mapping[str, Tensor]) -> Tensor:
        """Water of soil, snow and surface, mm, ``[cell]``."""
        return s["soil_water"].sum(dim=0) + s["snow_water"] + s["ponded_water"]

    def irrigate(
        self, s: dict[str, Tensor], p: Mapping[str, Tensor], place: Any, active: Tensor,
        wetness: Tensor, water: Irrigation,
    ) -> None:
        """Fill the root zone to the target, and the soil from the top by amounts."""
        global_events.irrigate(
            s, place.column, place.bund, self.leaf_area_index(s, p), active, wetness, water)


def mean_first_month(forcing: DailyForcing) -> Tensor:
    """Mean temperature of the first 30 days: the growth temperature at the start, ``[cell]``."""
    return forcing.values[:30, FORCING_NAMES.index("tas")].mean(dim=0)
