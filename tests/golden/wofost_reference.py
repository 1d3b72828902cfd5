"""Reference runs of WOFOST 7.2, and cohorts of leaves built of the kernels alone.

The runs (PCSE test data) are kept beside the repository.
"""

import functools
import json
from typing import NamedTuple

import numpy as np
import torch
from shared import shared_file

from neuralcrop.physics.wofost72 import (
    growth,
    leaves,
)
from neuralcrop.physics.wofost72.tables import interpolate, pad

FOLDER = ("data", "pcse_reference")
ONE, ZERO = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)


class Run(NamedTuple):
    """One reference run; columns are ``[day]`` in float64, ``weather["DATE"]`` Python dates."""

    params: dict
    agro: dict
    weather: dict
    result: dict
    external: dict


def _table(names, values):
    return {name: torch.tensor(values[:, i]) for i, name in enumerate(names or ())}


@functools.cache
def _index():
    entries = json.loads(shared_file(*FOLDER, "index.json").read_text())
    return {entry["name"]: entry for entry in entries}


@functools.cache
def _arrays():
    with np.load(shared_file(*FOLDER, "runs.npz"), allow_pickle=False) as arrays:
        return dict(arrays)


def names(family):
    """Runs of a family (skips where there are no reference data)."""
    return [name for name in _index() if name.startswith(f"test_{family}_")]


def run(name):
    """A run; results, weather and external states of the same days."""
    entry, arrays = _index()[name], _arrays()
    weather = _table(entry["weather_cols"], arrays[f"w_{entry['weather']}"])
    dates = arrays[f"wd_{entry['weather']}"]
    result = _table(entry["result_cols"], arrays[f"r_{name}"])
    external = {}
    if entry.get("external_cols"):
        external = _table(entry["external_cols"], arrays[f"x_{name}"])
        assert (arrays[f"xd_{name}"] == arrays[f"rd_{name}"]).all()
    shown = arrays[f"rd_{name}"]
    if not np.isnat(shown).any():
        keep = np.isin(dates, shown)
        weather = {key: value[torch.tensor(keep)] for key, value in weather.items()}
        dates = dates[keep]
        assert (dates == shown).all()
    agro = next(iter(entry["agro"][0].values()))["CropCalendar"] if entry["agro"] else {}
    weather["DATE"] = dates.tolist()
    return Run(parameters(entry["params"]), agro, weather, result, external)


def parameters(params):
    """Numbers as ``[1]`` and tables as nodes ``[n, 1]``, in float64; empty tables are left out."""
    built = {}
    for key, value in (params or {}).items():
        if isinstance(value, list) and value:
            built[key] = tuple(nodes.unsqueeze(-1) for nodes in pad(value))
        elif isinstance(value, int | float):
            built[key] = torch.tensor([value], dtype=torch.float64)
    return built


def day_of_year(dates):
    return torch.tensor([date.timetuple().tm_yday for date in dates], dtype=torch.float64)


def partitioning(p, dvs):
    return growth.Partitioning(
        *(interpolate(*p[f"{key}TB"], dvs) for key in ("FR", "FL", "FS", "FO"))
    )


class Cohorts:
    """Leaves of one cell as cumulative rows, one a day."""

    def __init__(self, days, weight, area):
        self.grown = torch.zeros(days + 2, 1, dtype=torch.float64)
        self.area, self.born, self.ages = (self.grown.clone() for _ in range(3))
        self.grown[0], self.area[0] = weight, area
        self.removed, self.age = ZERO, ZERO
        self.rows = torch.tensor(1)

    def weight(self):
        return self.grown[self.rows - 1] - self.removed

    def living_area(self):
        return leaves.living_area(self.grown, self.area, self.removed, self.rows)

    def death(self, stress, span):
        """Cumulative weight removed after the day, and the death rate."""
        aged = leaves.aged_weight(self.grown, self.born, self.age, span, self.rows)
        exact = leaves.aged_weight_by_age(self.grown, self.ages, span, self.rows)
        after = leaves.next_removed(self.removed, stress, exact)
        # Rounding may part the two forms where an age meets the span; in these runs it does not.
        assert after == leaves.next_removed(self.removed, stress, aged)
        return after, after - self.removed

    def advance(self, removed, ageing, weight, area):
        """Deaths, then ageing, then the cohort of the day."""
        row = self.rows
        self.removed = removed
        self.age = self.age + ageing
        self.ages[:row] += ageing
        self.born[row] = self.age
        self.grown[row] = self.grown[row - 1] + weight
        self.area[row] = self.area[row - 1] + area
        self.rows = row + 1
