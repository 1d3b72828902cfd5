"""Whole seasons of the engine against the reference runs, all fields of a family in one batch."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from shared import shared_file
from wofost_reference import FOLDER, _arrays, _index, names

from neuralcrop.compat.pcse_engine import (
    DailyTable,
    Field,
    build,
    forcing_of,
    orders_of,
    parameters_of,
    site_of,
)
from neuralcrop.crops.wofost72 import from_parameters
from neuralcrop.simulation.integrate import Stepper

PRODUCTION = {"potentialproduction": "potential", "waterlimitedproduction": "water_limited"}

WEATHER = ("TMIN", "TMAX", "TEMP", "IRRAD", "RAIN", "VAP", "E0", "ES0", "ET0", "LAT")


@dataclass
class Batch:
    """Fields of a family on one calendar, and what the model makes of them."""

    names: list[str]
    start: list[int]
    columns: dict[str, np.ndarray]

    def of(self, name: str, n_days: int) -> dict[str, np.ndarray]:
        k = self.names.index(name)
        days = slice(self.start[k], self.start[k] + n_days)
        return {key: value[days, k] for key, value in self.columns.items()}


def days_of(key: str) -> np.ndarray:
    return _arrays()[key].astype("datetime64[D]")


def run(family: str, dtype: torch.dtype, summed_ages: bool = True) -> Batch:
    runs = names(family)
    fields, weather, first, last = [], [], [], []
    for name in runs:
        entry = _index()[name]
        given = from_parameters(entry["params"])
        shown = days_of(f"rd_{name}")
        start: dt.date = shown[0].item()
        calendar = next(iter(entry["agro"][0].values()))["CropCalendar"]
        fields.append(Field(
            given.crop, given.other, start, calendar["crop_start_type"] == "emergence",
            restarts=True))
        weather.append((days_of(f"wd_{entry['weather']}"), entry))
        first.append(shown[0])
        last.append(shown[-1])
    dates = np.arange(min(first), max(last) + 1)
    columns = {name: np.empty((len(dates), len(runs))) for name in WEATHER}
    for k, (known, entry) in enumerate(weather):
        at = np.clip(np.searchsorted(known, dates), 0, len(known) - 1)
        values = _arrays()[f"w_{entry['weather']}"][at]
        for name in WEATHER:
            columns[name][:, k] = values[:, entry["weather_cols"].index(name)]
    model = build(fields, PRODUCTION[family], summed_ages=summed_ages)
    forcing = forcing_of(dates.tolist(), columns, 360.0, dtype)
    site, orders = site_of(torch.tensor(columns["LAT"][0], dtype=dtype)), orders_of(
        fields, dtype=dtype)
    stepper, p = Stepper(model), parameters_of(model, fields, dtype)
    table = DailyTable(model)
    with torch.no_grad():
        stepper.run(stepper.start(forcing, site, p), forcing, site, orders, p, observe=table,
                    standing=True)
    starts = [int((day - dates[0]).astype(int)) for day in first]
    return Batch(runs, starts, table.columns(p))


@pytest.fixture(scope="module")
def batches() -> dict[tuple[str, torch.dtype], Batch]:
    shared_file(*FOLDER, "runs.npz")
    return {}


def batch_of(batches: dict, family: str, dtype: torch.dtype) -> Batch:
    if (family, dtype) not in batches:
        batches[family, dtype] = run(family, dtype)
    return batches[family, dtype]


def compare(batch: Batch, name: str, allowed: dict[str, float] | None = None) -> None:
    entry, reference = _index()[name], _arrays()[f"r_{name}"]
    got = batch.of(name, len(reference))
    for k, variable in enumerate(entry["result_cols"]):
        expected, found = reference[:, k], got[variable]
        known = ~np.isnan(expected)
        if allowed is None:
            np.testing.assert_allclose(
                found[known], expected[known], rtol=1e-8, atol=1e-10, err_msg=variable)
        else:
            np.testing.assert_allclose(
                found[known], expected[known], rtol=0.0, atol=allowed[variable],
                err_msg=variable)


CASES = [f"{k:02d}" for k in range(1, 45)]
"""Numbers of the reference; its shared part has 30 of the 44, the others are kept for checks."""


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("family", PRODUCTION)
def test_every_season_is_that_of_the_reference(batches: dict, family: str, case: str) -> None:
    name = f"test_{family}_wofost72_{case}"
    if name not in _index():
        # a third of the runs is kept apart for independent checks
        pytest.skip(f"the shared reference data do not hold {name}")
    compare(batch_of(batches, family, torch.float64), name)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("family", PRODUCTION)
def test_single_precision_keeps_the_stated_precision(
    batches: dict, family: str, case: str
) -> None:
    name = f"test_{family}_wofost72_{case}"
    if name not in _index():
        # a third of the runs is kept apart for independent checks
        pytest.skip(f"the shared reference data do not hold {name}")
    compare(batch_of(batches, family, torch.float32), name, _index()[name]["precision"])
