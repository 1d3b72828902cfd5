"""Made-up seasons of WOFOST 7.2 that several tests share."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neuralcrop.compat.pcse_engine import (
    Field,
    build,
    forcing_of,
    orders_of,
    parameters_of,
    site_of,
)
from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.crops.wofost72 import load_variety
from neuralcrop.models.wofost72 import Wofost72
from neuralcrop.models.wofost72_field import Production
from neuralcrop.simulation.integrate import RunState, Stepper

SOWING = dt.date(2001, 3, 20)
LATITUDE = 45.0

LOAM = {"SMW": 0.12, "SMFCF": 0.30, "SM0": 0.42, "SMLIM": 0.28, "RDMSOL": 83.0, "WAV": 8.0}

DRY = LOAM | {"SOPE": 3.0, "KSUB": 2.0, "NOTINF": 0.1}
"""Little rain: drought from heading on."""

WET = LOAM | {"RDMSOL": 60.0, "WAV": 10.0, "SOPE": 0.9, "KSUB": 0.5, "SSMAX": 1.5, "SSI": 0.3,
              "NOTINF": 0.2}
"""Storms on a shallow, slow soil, for crops that need air: ponding, runoff, wet roots."""


def weather(n_days: int, storms: bool) -> dict[str, np.ndarray]:
    """Daily weather in PCSE units from the day before sowing, with neither data nor luck."""
    k = np.arange(n_days)
    summer = np.sin(2.0 * np.pi * (k + 80 - 110) / 365.0)
    wave = np.sin(2.0 * np.pi * k / 11.3) + 0.5 * np.sin(2.0 * np.pi * k / 4.7 + 1.0)
    mean = 10.5 + 9.5 * summer + 2.5 * wave
    lowest, highest = mean - 5.0 + 0.6 * wave, mean + 6.0 + 0.8 * wave
    irradiation = 1e6 * (16.0 + 8.0 * summer) * (0.82 + 0.18 * wave / 1.5)
    demand = np.maximum(0.04, 0.018 * irradiation / 1e6 + 0.004 * (mean - 10.0))
    rain = np.where(k % 9 == 4, 0.9, 0.0) * (k < 60)
    if storms:
        rain = np.where(k % 6 == 1, 1.2, 0.0) + np.where(k % 19 == 12, 6.0, 0.0)
    vapour = 0.7 * 6.11 * np.exp(17.4 * lowest / (lowest + 239.0))
    return {
        "TMIN": lowest, "TMAX": highest, "TEMP": 0.5 * (lowest + highest), "IRRAD": irradiation,
        "RAIN": rain, "VAP": vapour, "E0": 1.15 * demand, "ES0": 1.02 * demand, "ET0": demand}


@dataclass
class Season:
    """Fields side by side, uncompiled, in double precision: dry and wet by turns.

    Attributes
    ----------
    model, forcing, site, orders, p
        What a run needs.
    """

    model: Wofost72
    forcing: DailyForcing
    site: Site
    orders: Management
    p: Tensor

    @classmethod
    def of(
        cls, variety: str, production: Production, smooth: bool, n_days: int,
        soils: Sequence[dict[str, float]] = (DRY, WET), emerged: bool = False,
    ) -> Season:
        """One field for each soil, sown on `SOWING`."""
        crop = load_variety(variety)
        fields = [Field(crop, soil, SOWING, emerged, restarts=soil is WET) for soil in soils]
        model = build(fields, production, smooth=smooth)
        days = [weather(n_days, storms=soil is WET) for soil in soils]
        columns = {name: np.stack([d[name] for d in days], axis=1) for name in days[0]}
        dates = [SOWING + dt.timedelta(days=k - 1) for k in range(n_days)]
        p = parameters_of(model, fields)
        wet = torch.tensor([soil is WET for soil in soils])
        row = model.table.layout.start["IOX"]
        p[row] = torch.where(wet, 1.0, p[row])
        return cls(
            model, forcing_of(dates, columns, 400.0),
            site_of(torch.full((len(soils),), LATITUDE, dtype=torch.float64)),
            orders_of(fields), p)

    def copies(self, index: Tensor) -> Season:
        """The same fields again, by number."""
        return replace(
            self, forcing=self.forcing.cells(index), site=self.site.cells(index),
            orders=self.orders.cells(index), p=self.p[:, index].clone())

    def __call__(self, p: Tensor | None = None) -> RunState:
        """State after the last day."""
        p = self.p if p is None else p
        stepper = Stepper(self.model)
        state = stepper.start(self.forcing, self.site, p)
        return stepper.run(
            state, self.forcing, self.site, self.orders, p, standing=True)
