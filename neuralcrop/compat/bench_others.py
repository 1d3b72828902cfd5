"""PCSE and diffWOFOST on the season of the benchmark, through their public interfaces."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from importlib.metadata import version
from importlib.util import find_spec
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from neuralcrop.compat.bench_season import (
    CO2,
    ELEVATION,
    LATITUDE,
    LONGITUDE,
    SOWING,
    crop_parameters,
    site_parameters,
    thermal_factor,
    weather,
)

if TYPE_CHECKING:
    from neuralcrop.compat.bench import Plan

LONGEST = 60.0
"""What takes longer the first time is not repeated, s."""

SPARE_DAYS = 20
"""Days of weather after the season, as these run until maturity by themselves."""

_SWITCHES = ("IDSL", "IAIRDU", "IOX")


@dataclass(frozen=True)
class Other:
    """Another implementation.

    Attributes
    ----------
    name : str
        Of the package.
    measure : callable
        Figures of a production, by what was measured.
    """

    name: str
    measure: Callable[[Plan, str], dict[str, Any]]

    def installed(self) -> bool:
        """Whether it can be imported."""
        return find_spec(self.name) is not None

    def version(self) -> str:
        """Version of the package."""
        return version(self.name)


def pcse(plan: Plan, production: str) -> dict[str, Any]:
    """One field of Wofost72_PP or Wofost72_WLP_FD."""
    from pcse.base import ParameterProvider
    from pcse.models import Wofost72_PP, Wofost72_WLP_FD

    days, calendar = _provider(plan.days), _calendar(plan.days)
    model = Wofost72_PP if production == "potential" else Wofost72_WLP_FD
    found = {}

    def work() -> None:
        given = ParameterProvider(
            cropdata=crop_parameters(), soildata=site_parameters(), sitedata={"CO2": CO2})
        engine = model(given, days, calendar)
        engine.run_till_terminate()
        found["weight"] = engine.get_summary_output()[0]["TWSO"]

    return {"one_field": _one_field(work, plan.repeats) | {"storage_weight": found["weight"]}}


def diffwofost(plan: Plan, production: str) -> dict[str, Any]:
    """One field, many, and the gradient; its whole crop and soil water, double and single."""
    found: dict[str, Any] = {}

    def work(n_fields: int, dtype: torch.dtype, grad: bool) -> Callable[[], None]:
        days = _provider(plan.days)

        def once() -> None:
            leaves = _diffwofost_parameters(n_fields, dtype, grad)
            with nullcontext() if grad else torch.no_grad():
                weight = _diffwofost_weight(leaves, days, plan.days, production, dtype)
            found["weight"] = float(weight.reshape(-1)[0])
            if grad:
                weight.sum().backward()

        return once

    figures = {"one_field": _one_field(work(1, torch.float64, False), plan.repeats)
               | {"dtype": "float64", "storage_weight": found["weight"]}}
    for kind, n_fields in (("fields", plan.fields), ("gradient", plan.gradient_fields)):
        try:
            figures[kind] = _many(
                work(n_fields, torch.float32, kind == "gradient"), n_fields, plan.repeats)
        except (RuntimeError, ValueError, MemoryError) as error:
            figures[kind] = {"failed": str(error).splitlines()[0]}
        else:
            figures[kind] |= {"dtype": "float32", "storage_weight": found["weight"]}
    return figures


OTHERS = (Other("pcse", pcse), Other("diffwofost", diffwofost))


def _diffwofost_parameters(
    n_fields: int, dtype: torch.dtype, grad: bool
) -> dict[str, float | Tensor]:
    """Every number and table of the crop, one for each field; switches stay numbers."""
    given: dict[str, float | Tensor] = {}
    for name, value in crop_parameters().items():
        if name in _SWITCHES:
            given[name] = float(np.asarray(value))
            continue
        tensor = torch.tensor(value, dtype=dtype)
        if n_fields > 1:
            tensor = tensor.expand(n_fields, *tensor.shape).clone()
        if name == "TSUM1":
            tensor = tensor * torch.from_numpy(thermal_factor(n_fields)).to(dtype).reshape(
                tensor.shape)
        given[name] = tensor.requires_grad_(grad)
    return given


def _diffwofost_weight(
    crop: dict[str, float | Tensor], days: Any, n_days: int, production: str, dtype: torch.dtype
) -> Tensor:
    from diffwofost.physical_models.config import ComputeConfig, Configuration
    from diffwofost.physical_models.crop.wofost72 import Wofost72
    from diffwofost.physical_models.engine import Engine
    from diffwofost.physical_models.soil import classic_waterbalance as soil
    from pcse.base import ParameterProvider

    ComputeConfig.set_dtype(dtype)
    water = soil.WaterbalancePP if production == "potential" else soil.WaterbalanceFD
    engine = Engine(Configuration(CROP=Wofost72, SOIL=water, OUTPUT_VARS=["DVS", "TWSO"]))
    given = ParameterProvider(
        cropdata=crop, soildata=site_parameters(), sitedata={"CO2": CO2})
    engine.setup(given, days, _calendar(n_days))
    engine.run_till_terminate()
    weight: Tensor = engine.get_output()[-1]["TWSO"]
    return weight


def _provider(n_days: int) -> Any:
    """Weather as PCSE reads it."""
    from pcse.base import WeatherDataContainer, WeatherDataProvider

    provider, days = WeatherDataProvider(), weather(n_days + SPARE_DAYS)
    for k, day in enumerate(days.dates):
        low, high = days.tasmin[k], days.tasmax[k]
        container = WeatherDataContainer(
            LAT=LATITUDE, LON=LONGITUDE, ELEV=ELEVATION, DAY=day,
            IRRAD=86400.0 * days.rsds[k], TMIN=low, TMAX=high, TEMP=0.5 * (low + high),
            VAP=10.0 * days.vap[k], WIND=days.wind[k], RAIN=0.1 * days.pr[k],
            E0=0.1 * days.e0[k], ES0=0.1 * days.es0[k], ET0=0.1 * days.et0[k])
        provider._store_WeatherDataContainer(container, day)
    return provider


def _calendar(n_days: int) -> list[dict[dt.date, Any]]:
    return [{SOWING: {
        "CropCalendar": {
            "crop_name": "wheat", "variety_name": "Winter_wheat_103", "crop_start_date": SOWING,
            "crop_start_type": "sowing", "crop_end_date": None, "crop_end_type": "maturity",
            "max_duration": n_days + SPARE_DAYS - 1},
        "TimedEvents": None, "StateEvents": None}}]


def _one_field(work: Callable[[], None], repeats: int) -> dict[str, Any]:
    return {"milliseconds": round(1e3 * _median(work, repeats)[0], 1)}


def _many(work: Callable[[], None], n_fields: int, repeats: int) -> dict[str, Any]:
    seconds, done = _median(work, repeats)
    return {"fields": n_fields, "seconds": round(seconds, 3), "repeats": done,
            "milliseconds_per_field": round(1e3 * seconds / n_fields, 4)}


def _median(work: Callable[[], None], repeats: int) -> tuple[float, int]:
    """Median seconds, and of how many runs; the first warms up, unless it is long."""
    seconds = []
    for k in range(repeats + 1):
        started = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - started)
        if k == 0 and seconds[0] > LONGEST:
            return seconds[0], 1
    return median(seconds[1:]), repeats
