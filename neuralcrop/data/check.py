"""Everything wrong with input files, at once: what ``neuralcrop data check`` prints."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Literal

import numpy as np
import xarray as xr

from neuralcrop.data.errors import InputError, Problem
from neuralcrop.data.files import open_one
from neuralcrop.data.forcing import prepare_forcing
from neuralcrop.data.names import find_coordinate, find_time
from neuralcrop.data.places import Places
from neuralcrop.data.soil import soil_layers, soil_variables
from neuralcrop.data.tensors import CellIndex
from neuralcrop.data.yields import open_yields

Kind = Literal["forcing", "yields", "soil"]

_ANY_CO2 = 400.0
"""ppm; CO2 is not part of a weather file's check."""


def check_files(paths: Sequence[str | Path], kind: Kind | None = None) -> list[Problem]:
    """Problems of several files; see `check_file`."""
    return [problem for path in paths for problem in check_file(path, kind)]


def check_file(path: str | Path, kind: Kind | None = None) -> list[Problem]:
    """All problems of one file.

    Parameters
    ----------
    path : str or Path
        NetCDF file or zarr store.
    kind : {"forcing", "yields", "soil"}, optional
        What it is; by default told by its content (`kind_of`).

    Returns
    -------
    list of Problem
        Empty when the file can be used as it is.
    """
    try:
        dataset = open_one(str(path))
    except InputError as error:
        return list(error.problems)
    with dataset:
        kind = kind or kind_of(dataset)
        if kind == "yields":
            return _yields_problems(dataset)
        if kind == "soil":
            return _problems(lambda: _check_soil(dataset))
        return _problems(lambda: prepare_forcing(
            dataset, frequency=_period(dataset), co2=_ANY_CO2, source=str(path)))


def kind_of(dataset: xr.Dataset) -> Kind:
    """Yields when a variable is called so, soil when there is texture and no time, else forcing."""
    if yield_crops(dataset):
        return "yields"
    if soil_variables(dataset) and find_time(dataset) is None and "year" not in dataset.dims:
        return "soil"
    return "forcing"


def yield_crops(dataset: xr.Dataset) -> list[str]:
    """Crops whose yields a dataset holds; ``crop`` for a variable called ``yield`` alone."""
    names = [str(v) for v in dataset.data_vars]
    crops = [n.removesuffix("_yield") for n in names if n.endswith("_yield")]
    return crops + (["crop"] if "yield" in names else [])


def _period(dataset: xr.Dataset) -> Literal["day", "week", "month"]:
    """Resolution of data given by (year, week) or (year, month)."""
    if "year" in dataset.dims and "week" in dataset.dims:
        return "week"
    return "month" if "year" in dataset.dims and "month" in dataset.dims else "day"


def _problems(action: Callable[[], object]) -> list[Problem]:
    try:
        action()
    except InputError as error:
        return list(error.problems)
    return []


def _yields_problems(dataset: xr.Dataset) -> list[Problem]:
    """Problems of yields, sowing, soil and, where the file has it, weather."""
    found: list[Problem] = []
    for crop in yield_crops(dataset):
        try:
            data = open_yields(dataset, crop, co2=_ANY_CO2)
        except InputError as error:
            found += [p for p in error.problems if p not in found]
            continue
        found += [p for p in _problems(data.check) if p not in found]
        if soil_variables(data.soil):
            check = partial(soil_layers, data.soil, data.cells)
            found += [p for p in _problems(check) if p not in found]
    return found


def _check_soil(dataset: xr.Dataset) -> None:
    """Check a soil file on its own places."""
    layers = ("layer", "soil_layer", "depth")
    dims = tuple(str(d) for d in dict.fromkeys(
        d for v in dataset.data_vars.values() for d in v.dims) if d not in layers)
    renamed = dataset.rename({
        theirs: ours for ours in ("lat", "lon")
        if (theirs := find_coordinate(dataset, ours)) and theirs != ours})
    dims = tuple({find_coordinate(dataset, c): c for c in ("lat", "lon")}.get(d, d) for d in dims)
    located = [c for c in ("lat", "lon") if c in renamed]
    renamed = renamed.set_coords(located)
    if set(dims) == {"lat", "lon"}:
        dims = ("lat", "lon")
    places = Places.of(renamed, dims)
    coords = {str(k): c for k, c in renamed.coords.items() if set(c.dims) <= set(dims)}
    given = [renamed[v] for v in soil_variables(renamed).values() if set(dims) <= set(
        renamed[v].dims)]
    land = np.ones(places.shape, dtype=bool)
    if given:
        land = np.logical_or.reduce([
            v.notnull().any([d for d in v.dims if d not in dims]).transpose(*dims).values
            for v in given])
    soil_layers(renamed, CellIndex(places, np.flatnonzero(land.reshape(-1)), coords))
