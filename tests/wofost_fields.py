"""Small made-up fields for tests of the `wofost72` set."""

from __future__ import annotations

import datetime as dt

import numpy as np
import torch

from neuralcrop.compat.pcse_engine import (
    Field,
    build,
    forcing_of,
    orders_of,
    parameters_of,
    site_of,
)
from neuralcrop.crops.wofost72 import load_variety
from neuralcrop.models.wofost72_field import Production
from neuralcrop.simulation.integrate import RunState, Stepper

FIRST = dt.date(2001, 4, 1)


def made_up_weather(
    n_days: int, n_cells: int = 1, wet: float = 1.0, seed: int = 0
) -> dict[str, np.ndarray]:
    """A spring and summer of temperate weather in PCSE's units, ``[day, cell]``."""
    rng = np.random.default_rng(seed)
    noise = lambda: rng.random((n_days, n_cells))  # noqa: E731 - three uses below
    season = np.sin(np.pi * (np.arange(n_days) + 20.0) / 200.0)[:, None]
    tmin = 2.0 + 9.0 * season + 4.0 * noise()
    tmax = tmin + 6.0 + 6.0 * noise()
    light = (8e6 + 14e6 * season) * (0.6 + 0.5 * noise())
    et0 = 0.05 + 0.4 * season * light / 2.4e7
    rain = np.where(noise() < 0.35, 1.1 * noise(), 0.0) * wet
    return {
        "TMIN": tmin, "TMAX": tmax, "TEMP": 0.5 * (tmin + tmax), "IRRAD": light, "RAIN": rain,
        "VAP": 0.8 * 6.1 * np.exp(17.27 * tmin / (tmin + 237.3)), "ET0": et0, "ES0": 0.95 * et0,
        "E0": 1.1 * et0,
    }


class FieldRun:
    """Fields of catalogue crops on one calendar, uncompiled, in double precision."""

    def __init__(
        self, crops: list[str], production: Production = "water_limited", n_days: int = 150,
        emerged: bool = True, wet: float = 1.0, smooth: bool = False,
        sowing: list[int] | None = None, dtype: torch.dtype = torch.float64,
    ) -> None:
        offsets = sowing or [0] * len(crops)
        known = {name: load_variety(name) for name in crops}
        self.fields = [
            Field(known[name], {"WAV": 8.0}, FIRST + dt.timedelta(days=k), emerged, True)
            for name, k in zip(crops, offsets, strict=True)]
        self.model = build(self.fields, production, smooth=smooth)
        dates = [FIRST + dt.timedelta(days=k) for k in range(n_days)]
        self.forcing = forcing_of(
            dates, made_up_weather(n_days, len(crops), wet), 400.0, dtype)
        self.site = site_of(torch.linspace(48.0, 54.0, len(crops), dtype=dtype))
        self.orders = orders_of(self.fields, dtype=dtype)
        self.p = parameters_of(self.model, self.fields, dtype)

    def __call__(self, p: torch.Tensor | None = None) -> RunState:
        """Run all days; ripe crops stay in the field."""
        p = self.p if p is None else p
        stepper = Stepper(self.model)
        return stepper.run(
            stepper.start(self.forcing, self.site, p), self.forcing, self.site, self.orders, p,
            standing=True)
