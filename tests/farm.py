"""A field for every way of farming, all in one batch, with nitrogen and soil organic matter."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from neuralcrop.core.forcing import (
    GIFT_ROWS,
    IRRIGATION_ROWS,
    N_GIFTS,
    PLAN_ROWS,
    RESIDUE_ROWS,
    DailyForcing,
    Management,
)
from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.bench import bench_place, bench_weather
from neuralcrop.simulation.integrate import RunState, Stepper

MODES: dict[str, tuple[str, int]] = {
    "rainfed": ("maize", 121), "surface": ("maize", 121), "sprinkler": ("spring_wheat", 100),
    "drip": ("soybean", 130), "flooded": ("rice", 130), "fertilised": ("maize", 121),
    "manured": ("potato", 110), "tilled": ("winter_wheat", 280),
    "residues removed": ("spring_wheat", 95), "residues burnt": ("barley", 90),
    "double-cropped": ("winter_wheat", 280), "failed": ("maize", 20), "fallow": ("maize", 0),
    "permafrost": ("barley", 160), "desert": ("millet", 121), "monsoon": ("groundnut", 150),
    "dated gifts": ("sorghum", 121), "silage": ("maize", 121),
}
"""Crop and day of sowing by what is special about the cell."""

N = len(MODES)
AT = {name: k for k, name in enumerate(MODES)}
SECOND = ("soybean", 190)
"""What is sown after the wheat of the cell with two crops a year."""


def farm_weather(n_days: int, dtype: torch.dtype) -> DailyForcing:
    """Temperate weather, but for the cells of other climates."""
    forcing = bench_weather(N, n_days, dtype)
    values = forcing.values.clone()
    row = {name: k for k, name in enumerate(FORCING_NAMES)}
    day = forcing.day_of_year

    def warmer(name: str, by: float) -> None:
        for t in ("tasmin", "tas", "tasmax"):
            values[:, row[t], AT[name]] += by

    warmer("permafrost", -18.0)
    warmer("desert", 12.0)
    warmer("monsoon", 9.0)
    warmer("flooded", 6.0)
    values[:, row["pr"], AT["desert"]] *= 0.05
    summer = (day > 160) & (day < 270)
    rain = torch.where(summer, 8.0 * values[:, row["pr"], AT["monsoon"]], 0.0)
    values[:, row["pr"], AT["monsoon"]] = rain.clamp_max(200.0)
    # enough for summer crops elsewhere
    values[:, row["pr"], AT["fertilised"]] *= 2.0
    return replace(forcing, values=values)


class Farm:
    """The model with nutrients and a field of every mode, uncompiled."""

    def __init__(self, n_days: int, dtype: torch.dtype = torch.float64) -> None:
        crops = tuple(sorted({crop for crop, _ in MODES.values()} | {SECOND[0]}))
        self.model = build_model(ModelSpec(crops=crops, nutrients=True)).to(dtype)
        self.stepper = Stepper(self.model)
        self.forcing = farm_weather(n_days, dtype)
        index = self.model.table.crop_index
        site, _, _ = bench_place(self.model, "maize", N, dtype)
        crop = torch.tensor([index[c] for c, _ in MODES.values()])
        crop = torch.stack((crop, crop))
        crop[1, AT["double-cropped"]] = index[SECOND[0]]
        sowing = torch.zeros(2, 1, N, dtype=torch.int64)
        sowing[0, 0] = torch.tensor([day for _, day in MODES.values()])
        sowing[1, 0, AT["double-cropped"]] = SECOND[1]
        harvest = torch.zeros(2, N, dtype=torch.int64)
        harvest[0, AT["double-cropped"]], harvest[1, AT["double-cropped"]] = 185, 275
        harvest[0, AT["silage"]] = 235
        self.management = Management(
            crop, sowing, harvest, *self._irrigation(dtype),
            fertiliser_plan=self._plan(dtype), residues=self._residues(dtype),
            tillage=self._tillage(dtype),
            fertiliser_dates={
                day: self._gift(dtype) for day in range(130, n_days, 365)})
        bund = torch.zeros(N, dtype=dtype)
        bund[AT["flooded"]] = 120.0
        factor = torch.ones(N, dtype=dtype)
        factor[AT["drip"]] = 0.4
        self.site = replace(site, bund=bund, evaporation_factor=factor)
        self.model.choose_pathways(crop.flatten())
        self.p = torch.stack([self.model.table(c, dtype).detach() for c in crop])

    @staticmethod
    def _irrigation(dtype: torch.dtype) -> tuple[Tensor, ...]:
        threshold = torch.zeros(2, N, dtype=dtype)
        threshold[:, [AT[k] for k in ("surface", "sprinkler", "drip", "silage")]] = 0.9
        row = {name: k for k, name in enumerate(IRRIGATION_ROWS)}
        system = torch.zeros(2, len(IRRIGATION_ROWS), N, dtype=dtype)
        for name, value in (("efficiency", 1.0), ("daily_limit", 1e6), ("seasonal_limit", 1e6),
                            ("until", 1.7)):
            system[:, row[name]] = value
        for name, share, surplus in (("surface", 0.75, 1.0), ("sprinkler", 0.95, 0.55),
                                     ("drip", 0.95, 0.05), ("flooded", 0.75, 0.0)):
            system[:, row["efficiency"], AT[name]] = share
            system[:, row["surplus"], AT[name]] = surplus
        system[:, row["canopy"], AT["sprinkler"]] = 1.0
        system[:, row["daily_limit"], AT["drip"]] = 6.0
        system[:, row["low"], AT["flooded"]], system[:, row["high"], AT["flooded"]] = 50.0, 100.0
        return threshold, torch.ones_like(threshold), 0, {}, system  # type: ignore[return-value]

    @staticmethod
    def _plan(dtype: torch.dtype) -> Tensor:
        """Half at sowing, half at stage 0.4, in g m-2."""
        row = {name: k for k, name in enumerate(PLAN_ROWS)}
        plan = torch.zeros(2, len(PLAN_ROWS), N_GIFTS, N, dtype=dtype)
        plan[:, row["stage"], 0], plan[:, row["stage"], 1] = -1.0, 0.4
        for name, given in (("surface", 6.0), ("sprinkler", 6.0), ("flooded", 5.0),
                            ("fertilised", 18.0), ("tilled", 10.0), ("residues removed", 4.0),
                            ("double-cropped", 8.0), ("failed", 8.0), ("monsoon", 3.0),
                            ("silage", 12.0)):
            for kind in ("nitrate", "ammonium"):
                plan[:, row[kind], :2, AT[name]] = 0.25 * given
        plan[:, row["manure"], 0, AT["manured"]] = 20.0
        return plan

    @staticmethod
    def _gift(dtype: torch.dtype) -> Tensor:
        gift = torch.zeros(len(GIFT_ROWS), N, dtype=dtype)
        gift[:, AT["dated gifts"]] = torch.tensor([2.0, 3.0, 1.0], dtype=dtype)
        gift[1, AT["fallow"]] = 1.5
        return gift

    @staticmethod
    def _residues(dtype: torch.dtype) -> Tensor:
        row = {name: k for k, name in enumerate(RESIDUE_ROWS)}
        shares = torch.zeros(2, len(RESIDUE_ROWS), N, dtype=dtype)
        shares[:, row["grain"]] = 1.0
        shares[:, row["removed"], AT["residues removed"]] = 0.8
        shares[:, row["burnt"], AT["residues burnt"]] = 0.7
        shares[:, row["removed"], AT["silage"]] = 1.0
        return shares

    @staticmethod
    def _tillage(dtype: torch.dtype) -> Tensor:
        shares = torch.zeros(2, 2, N, dtype=dtype)
        shares[:, 0] = 0.95
        shares[:, 1, AT["tilled"]] = 0.95
        shares[:, 0, AT["residues removed"]] = 0.0
        return shares

    def start(self) -> RunState:
        """Fallow cells on the first day; the permafrost is frozen by its weather."""
        return self.stepper.start(self.forcing, self.site, self.p)
