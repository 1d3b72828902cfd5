"""One season of winter wheat with made-up weather, for every implementation of WOFOST 7.2."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from neuralcrop.compat.pcse_engine import Field, build, orders_of, parameters_of, site_of
from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.crops import wofost72 as catalogue
from neuralcrop.models.wofost72 import FORCING, Wofost72
from neuralcrop.models.wofost72_field import Production
from neuralcrop.models.wofost72_site import SITE_VALUES
from neuralcrop.physics.reference_evapotranspiration import reference_evapotranspiration
from neuralcrop.physics.wofost72.astro import astronomy

CROP = "wheat:Winter_wheat_103"
SOWING = dt.date(2000, 10, 28)
SEASON_DAYS = 279
"""Days from sowing to maturity of the first field."""

LATITUDE, LONGITUDE, ELEVATION = 51.97, 5.66, 9.0
"""Wageningen, degrees north and east, m."""

CO2 = 360.0
"""ppm."""

SEED = 7200
"""Of the weather."""

DRAWN_DAYS = 400
"""Days of weather drawn, of which the first are taken: more days are the same days and others."""

_SITE = ("SMW", "SMFCF", "SM0", "CRAIRC", "RDMSOL", "SOPE", "KSUB", "SMLIM", "WAV", "SSI",
         "SSMAX", "NOTINF", "IFUNRN")


@dataclass(frozen=True)
class Days:
    """Daily weather of one place in the units of the registry, float64 ``[day]``."""

    dates: list[dt.date]
    tasmin: np.ndarray
    tasmax: np.ndarray
    rsds: np.ndarray
    pr: np.ndarray
    vap: np.ndarray
    wind: np.ndarray
    e0: np.ndarray
    es0: np.ndarray
    et0: np.ndarray


@cache
def weather(n_days: int) -> Days:
    """Weather like that of Wageningen: seasons, spells of some days, rain on two days in five.

    Made in place of data so that the benchmark runs anywhere; the same for every run.
    """
    random, n = np.random.default_rng(SEED), DRAWN_DAYS
    if n_days > n:
        raise ValueError(f"the weather of the benchmark has {n} days, not {n_days}")
    dates = [SOWING + dt.timedelta(days=k) for k in range(n)]
    day = np.array([d.timetuple().tm_yday for d in dates], dtype=np.float64)
    spell = np.zeros(n)
    for k, jump in enumerate(random.normal(0.0, 1.6, n)):
        spell[k] = 0.75 * spell[k - 1] + jump if k else jump
    wet = random.random(n) < 0.4
    rain = np.where(wet, random.exponential(3.0, n), 0.0)
    clear = np.clip(
        random.normal(0.47, 0.1, n) - np.where(wet, 0.12, 0.0), 0.12, 0.72)
    mean = 10.0 - 7.6 * np.cos(2.0 * np.pi * (day - 20.0) / 365.0) + spell
    half = 2.0 + 6.0 * clear + 0.3 * np.abs(random.normal(0.0, 1.0, n))
    low, high = mean - half, mean + half
    at = torch.tensor(LATITUDE, dtype=torch.float64)
    angot = astronomy(torch.from_numpy(day), at, torch.ones(n, dtype=torch.float64)).angot
    rsds = clear * angot.numpy() / 86400.0
    vap = 0.95 * 0.6108 * np.exp(17.27 * low / (low + 237.3))
    wind = np.clip(random.normal(3.0, 1.0, n), 0.5, None)
    tensors = [torch.from_numpy(v) for v in (low, high, vap, wind, rsds)]
    rates = reference_evapotranspiration(
        tensors[0], tensors[1], tensors[2], tensors[3], tensors[4], at,
        torch.tensor(ELEVATION, dtype=torch.float64), torch.from_numpy(day))
    rows = (low, high, rsds, rain, vap, wind, *(r.numpy() for r in rates))
    return Days(dates[:n_days], *(row[:n_days] for row in rows))


def thermal_factor(n_fields: int) -> np.ndarray:
    """Factor on TSUM1 of each field, 0.98 to 1, so that no two are alike; the first has 1."""
    return 1.0 - 0.02 * (np.arange(n_fields) * ((5.0**0.5 - 1.0) / 2.0) % 1.0)


def crop_parameters() -> dict[str, float | list[float]]:
    """The crop under PCSE's names, tables as x1, y1, x2, y2, ..."""
    values, found = catalogue.load_variety(CROP), {}
    for name, definition in catalogue.definitions().items():
        y = values[name].value
        found[name] = y[0] if definition.x_units is None else [
            number for node in zip(values[f"{name}_x"].value, y, strict=True) for number in node]
    return found


def site_parameters() -> dict[str, float]:
    """Soil and site under PCSE's names."""
    return {name: SITE_VALUES[name].value[0] for name in _SITE}


@dataclass(frozen=True)
class World:
    """Fields of the season on the engine."""

    model: Wofost72
    forcing: DailyForcing
    site: Site
    management: Management
    p: Tensor

    @property
    def n_fields(self) -> int:
        """Number of fields."""
        return self.p.shape[1]

    def cells(self, start: int, stop: int) -> World:
        """Some fields; beyond the last one, that one again."""
        index = torch.arange(start, stop).clamp_max(self.n_fields - 1)
        inside = slice(start, stop) if stop <= self.n_fields else index
        values = self.forcing.values[:, :, inside].contiguous()
        f = self.forcing
        return World(
            self.model,
            DailyForcing(values, f.day_of_year, f.solar_day, f.year, f.first_day, f.names),
            self.site.cells(index), self.management.cells(index), self.p[:, index].contiguous())


def make_world(
    production: Production, n_fields: int, dtype: torch.dtype, n_days: int = SEASON_DAYS
) -> World:
    """Fields of the season under one weather; the first has the crop of the catalogue."""
    field = Field(catalogue.load_variety(CROP), site_parameters(), SOWING)
    model = build([field], production)
    days = weather(n_days)
    rows = dict(zip(FORCING, (
        days.tasmin, days.tasmax, 0.5 * (days.tasmin + days.tasmax), days.rsds, days.pr, days.vap,
        days.e0, days.es0, days.et0, np.full(n_days, CO2)), strict=True))
    values = torch.empty(n_days, len(FORCING), n_fields, dtype=dtype)
    for k, row in enumerate(rows.values()):
        values[:, k] = torch.from_numpy(row).unsqueeze(-1)
    day = torch.tensor([d.timetuple().tm_yday for d in days.dates], dtype=dtype)
    year = torch.tensor([d.year for d in days.dates])
    cells = torch.zeros(n_fields, dtype=torch.int64)
    p = parameters_of(model, [field], dtype)[:, cells].contiguous()
    p[model.table.layout.start["TSUM1"]] *= torch.from_numpy(thermal_factor(n_fields)).to(dtype)
    return World(
        model, DailyForcing(values, day, day, year, 0, FORCING),
        site_of(torch.full((n_fields,), LATITUDE, dtype=dtype)),
        orders_of([field], dtype=dtype).cells(cells), p)
