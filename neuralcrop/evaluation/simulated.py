"""Yields of simulations as a yields file, to pretrain on: of the physics, a run, another model."""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from neuralcrop.config import TrainConfig, compose
from neuralcrop.data import units
from neuralcrop.data.errors import InputError, Problem
from neuralcrop.data.files import open_files
from neuralcrop.data.names import find_coordinate
from neuralcrop.data.yields import YieldsData, open_yields
from neuralcrop.evaluation.evaluate import describe_run, predict_dataset, weather_years
from neuralcrop.models.registry import ModelSpec, build_model, save_model
from neuralcrop.output.write import write_dataset
from neuralcrop.simulation.prepare import Compute
from neuralcrop.training import records
from neuralcrop.training.technology import Technology

log = logging.getLogger("neuralcrop.evaluation")


def write_simulated(
    dataset: str | Path, crop: str, output: str | Path, *, run: str | Path | None = None,
    values: str | None = None, variable: str | None = None,
    weather: str | Sequence[str] | None = None, years: tuple[int, int] | None = None,
    compute: Compute | None = None,
) -> Path:
    """Write a yields file whose yields are simulated; all else is that of another yields file.

    Parameters
    ----------
    dataset : path
        Yields file whose sites, soil, sowing days and weather are taken.
    crop : str
        Crop.
    output : path
        File to write.
    run : path, optional
        Directory of a training run that simulates; the physics by default.
    values : path, optional
        Output of another model to take instead: yields over ``year`` (or ``time``) and the same
        sites, or a grid read at the nearest point.
    variable : str, optional
        Its variable; default ``<crop>_yield`` or ``yield``.
    weather : path(s), optional
        Weather of the dataset, where it is in another file.
    years : tuple of int, optional
        First and last year; by default all with weather, or all of ``values``.
    compute : Compute, optional
        Where and how to calculate.

    Raises
    ------
    InputError
        With every problem of the files.
    ModelError
        If ``run`` is no finished run.
    """
    data = open_yields(str(dataset), crop, weather)
    if values is None:
        yields = _simulated(data, crop, run, weather, years, compute)
    else:
        yields = _read(data, crop, values, variable, years)
    out = data.soil.drop_vars(_names(data.soil, crop), errors="ignore")
    out = xr.merge([out, yields.rename(f"{crop.split(':')[0]}_yield")], join="outer",
                   compat="override", combine_attrs="override")
    path = Path(output)
    write_dataset(out, str(path))
    log.info("wrote %d simulated yields of %d sites to %s", int(yields.notnull().sum()),
             yields.sizes["site"], path)
    return path


def _simulated(
    data: YieldsData, crop: str, run: str | Path | None, weather: str | Sequence[str] | None,
    years: tuple[int, int] | None, compute: Compute | None,
) -> xr.DataArray:
    """Yields of all years with weather, ``[site, year]``."""
    known = weather_years(data)
    if years is not None:
        known = known[(known >= years[0]) & (known <= years[1])]
    blank = data.soil.drop_vars(_names(data.soil, crop), errors="ignore")
    wanted = xr.DataArray(
        np.zeros((data.n_sites, len(known))), dims=("site", "year"), coords={"year": known},
        name="yield", attrs={"units": "t ha-1"})
    blank = xr.merge([blank, wanted], join="outer", compat="override")
    with tempfile.TemporaryDirectory() as directory:
        source = Path(run) if run is not None else _physics(Path(directory), crop)
        record = describe_run(source)
        table = predict_dataset(source, blank, weather=weather, compute=compute, record=record)
    found = xr.full_like(wanted, np.nan)
    column = np.searchsorted(known, table["year"])
    found.values[table["site"].to_numpy(), column] = table["predicted"]
    return found.assign_attrs(
        units="t ha-1", long_name=f"simulated yield, dry matter ({run or 'physics'})")


def _physics(directory: Path, crop: str) -> Path:
    """The catalogue's model in the form of a run of the usual length and management."""
    config: Any = compose("train", [
        "data.path=none", "data.train_years=[1,1]", "data.validate_years=[2,2]",
        f"crop.name='{crop}'"])
    assert isinstance(config, TrainConfig)
    data = {**records.data_record(config, config.trainer.batch_cells),
            "train_years": [0, 0]}  # normals of the covariates, of which physics has none
    save_model(build_model(ModelSpec(crops=(crop,))), directory, crop=crop, data=data,
               technology=Technology().describe())
    return directory


def _read(
    data: YieldsData, crop: str, path: str, variable: str | None, years: tuple[int, int] | None
) -> xr.DataArray:
    """Yields of another model at the sites, ``[site, year]``."""
    other = open_files(path)
    names = [variable] if variable else [f"{crop.split(':')[0]}_yield", "yield"]
    name = next((n for n in names if n in other.data_vars), None)
    if name is None:
        raise InputError([Problem("yields", f"no variable {' or '.join(names)}",
                                  "one of " + ", ".join(map(str, other.data_vars)),
                                  "give its name with --variable")], path)
    yields = other[name]
    if "time" in yields.dims:
        yields = yields.assign_coords(time=yields["time"].dt.year).rename(time="year")
    try:
        factor, _ = units.scale(str(yields.attrs.get("units")), "t ha-1")
    except ValueError:
        raise InputError([Problem(f"variable {name}", f"units {yields.attrs.get('units')}",
                                  "t ha-1 or kg ha-1 of dry matter", "")], path) from None
    yields = _at_sites(yields.astype(float) * factor, data, path)
    if years is not None:
        yields = yields.sel(year=slice(*years))
    return yields.assign_attrs(units="t ha-1", long_name=f"yield of {Path(path).name}, dry matter")


def _at_sites(yields: xr.DataArray, data: YieldsData, path: str) -> xr.DataArray:
    """Yields at the nearest points of a grid, or of the same sites."""
    where = {n: find_coordinate(yields.to_dataset(name="y"), n) for n in ("lat", "lon")}
    lat, lon = where["lat"], where["lon"]
    if lat in yields.dims and lon in yields.dims:
        row = np.abs(data.cells.lat[:, None] - yields[lat].values[None, :]).argmin(axis=1)
        turn = np.abs((data.cells.lon[:, None] - yields[lon].values[None, :] + 180.0) % 360.0
                      - 180.0)
        yields = yields.isel({lat: xr.DataArray(row, dims="site"),
                              lon: xr.DataArray(turn.argmin(axis=1), dims="site")})
    else:
        space = [str(d) for d in yields.dims if d != "year"]
        if len(space) != 1 or yields.sizes[space[0]] != data.n_sites or "year" not in yields.dims:
            raise InputError([Problem("yields", f"dimensions {dict(yields.sizes)}",
                                      f"year (or time) with {data.n_sites} sites or a grid",
                                      "")], path)
        yields = yields.rename({space[0]: "site"}) if space[0] != "site" else yields
    return yields.reset_coords(drop=True).transpose("site", "year").sortby("year")


def _names(dataset: xr.Dataset, crop: str) -> list[str]:
    """Variables that are read as yields of the crop."""
    base = crop.split(":")[0]
    return [n for n in (f"{base}_yield", f"{base.split('_', 1)[-1]}_yield", "yield")
            if n in dataset]
