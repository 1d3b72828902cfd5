"""Small runs of the model that several tests share."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import build_model
from neuralcrop.simulation.bench import bench_place, bench_weather
from neuralcrop.simulation.integrate import RunState, Solver, Stepper


class SmallRun:
    """A few cells of a crop from 11 April on, uncompiled."""

    def __init__(
        self, crop: str = "maize", n_cells: int = 4, n_days: int = 180,
        dtype: torch.dtype = torch.float64, model: CropModel | None = None,
        solver: Solver | None = None, dry: float = 1.0,
    ) -> None:
        self.model = model or build_model()
        year = bench_weather(n_cells, 365, dtype)
        values = year.values.clone()
        values[:, 5] *= dry
        self.forcing = DailyForcing(
            values, year.day_of_year, year.solar_day, year.year).days(100, 100 + n_days)
        self.site, self.management, self.p = bench_place(self.model, crop, n_cells, dtype)
        self.stepper = Stepper(self.model, solver)

    def __call__(
        self, p: Tensor | None = None, site: Site | None = None,
        management: Management | None = None, segment: int = 0,
    ) -> RunState:
        """Run all days from fallow."""
        p = self.p if p is None else p
        site = site or self.site
        start = self.stepper.start(self.forcing, site, p)
        return self.stepper.run(
            start, self.forcing, site, management or self.management, p, segment=segment)
