"""Arrays of cells to CF datasets in the user's space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any

import numpy as np
import xarray as xr

from neuralcrop.core.forcing import SOIL_LAYER_BOTTOM, SOIL_LAYER_THICKNESS
from neuralcrop.core.variables import (
    HARVEST_REASONS,
    N_HEAT_LAYERS,
    N_LEAF_CLASSES,
    N_SOIL_LAYERS,
    REGISTRY,
)
from neuralcrop.data.tensors import CellIndex

_VECTOR_DIMS = {
    N_SOIL_LAYERS: "layer", N_LEAF_CLASSES: "leaf_class", N_HEAT_LAYERS: "heat_layer"}

_PLACE_ATTRIBUTES = {
    name: REGISTRY[name].attributes() for name in ("lat", "lon", "elevation")
}
_AXES = {"lat": "Y", "lon": "X"}


def season_dataset(
    records: Mapping[str, np.ndarray], cells: CellIndex, attrs: Mapping[str, str] | None = None,
    crops: Sequence[str] = (),
) -> xr.Dataset:
    """Records of harvests as a dataset.

    Parameters
    ----------
    records : mapping of str to numpy.ndarray
        ``[season, cell]`` by registry name, in registry units; season k is the k-th harvest of a
        cell, NaN where a cell had fewer.
    cells : CellIndex
        Cells of the run.
    attrs : mapping of str to str, optional
        Global attributes (`provenance`).
    crops : sequence of str
        Names of the catalogue's crops, for the flags of ``crop``.

    Returns
    -------
    xarray.Dataset
        Dimensions ``season`` and the user's; ``harvest_reason`` is an integer flag, 0 where there
        was no harvest, and ``crop`` another, -1 where there was none.

    Raises
    ------
    KeyError
        If a name is not in the registry.
    """
    n_seasons = max((a.shape[0] for a in records.values()), default=0)
    season = xr.DataArray(
        np.arange(1, n_seasons + 1, dtype=np.int32), dims="season",
        attrs={"long_name": "number of the harvest of a cell", "units": "1"})
    return record_dataset(records, season, cells, attrs, crops)


def record_dataset(
    records: Mapping[str, np.ndarray], index: xr.DataArray, cells: CellIndex,
    attrs: Mapping[str, str] | None = None, crops: Sequence[str] = (),
) -> xr.Dataset:
    """Records of harvests along any index, such as the season or the year.

    Parameters
    ----------
    records : mapping of str to numpy.ndarray
        ``[index, cell]`` by registry name, NaN for none.
    index : xarray.DataArray
        Coordinate of one dimension, which gives the dimension its name.
    cells, attrs, crops
        See `season_dataset`.
    """
    dim = str(index.dims[0])
    out = _empty(cells, attrs).assign_coords({dim: index})
    for name, values in records.items():
        variable = cells.unstack(values, (dim,), name=name)
        if name == "harvest_reason":
            out[name] = as_flags(variable)
        elif name == "crop":
            out[name] = as_flags(variable, name, tuple(crops), -1)
        else:
            out[name] = variable.assign_attrs(REGISTRY[name].attributes())
    return describe_places(out)


def with_totals(
    dataset: xr.Dataset, totals: Mapping[str, np.ndarray], cells: CellIndex
) -> xr.Dataset:
    """Add sums of fluxes over seasons, and stocks at harvest, to records of seasons.

    Parameters
    ----------
    dataset : xarray.Dataset
        From `season_dataset`.
    totals : mapping of str to numpy.ndarray
        ``[season, cell]``, or ``[season, element, cell]``, by registry name.
    cells : CellIndex
        Cells of the run.
    """
    out = dataset
    for name, array in totals.items():
        registered = REGISTRY[name]
        dims: tuple[str, ...] = ("season",)
        if array.ndim == 3:
            dims += (_VECTOR_DIMS[registered.size],)
            out = out.assign_coords(_vector_coords(dims[1]))
        attrs: dict[str, Any] = dict(registered.attributes())
        if registered.kind == "flux":
            attrs["units"] = registered.units.removesuffix(" d-1")
            attrs["long_name"] += ", from sowing to harvest"
            attrs.pop("standard_name", None)
        out[name] = cells.unstack(array, dims, name=name, attrs=attrs)
    return out


def daily_dataset(
    values: Mapping[str, np.ndarray], time: xr.DataArray, cells: CellIndex,
    attrs: Mapping[str, str] | None = None,
) -> xr.Dataset:
    """States and fluxes of days as a dataset.

    States are those at the end of the day, fluxes the means of the day.

    Parameters
    ----------
    values : mapping of str to numpy.ndarray
        ``[time, cell]``, or ``[time, element, cell]`` for variables of soil layers and leaf
        classes, by registry name.
    time : xarray.DataArray
        Days, in the calendar of the forcing.
    cells : CellIndex
        Cells of the run.
    attrs : mapping of str to str, optional
        Global attributes (`provenance`).

    Returns
    -------
    xarray.Dataset
        Dimensions ``time``, ``layer`` or ``leaf_class`` where a variable has them, and the user's.

    Raises
    ------
    KeyError
        If a name is not in the registry.
    """
    out = _empty(cells, attrs).assign_coords(time=time.reset_coords(drop=True))
    out["time"].attrs = {**time.attrs, "standard_name": "time", "axis": "T"}
    for name, array in values.items():
        registered = REGISTRY[name]
        dims: tuple[str, ...] = ("time",)
        if array.ndim == 3:
            dims += (_VECTOR_DIMS[registered.size],)
            out = out.assign_coords(_vector_coords(dims[1]))
        method = "time: mean" if registered.kind == "flux" else "time: point"
        out[name] = cells.unstack(
            array, dims, name=name,
            attrs={**registered.attributes(), "cell_methods": method})
    return describe_places(out)


def monthly_mean(daily: xr.Dataset) -> xr.Dataset:
    """Means of calendar months, of states and fluxes alike.

    Fluxes stay rates per day: their monthly total is the mean times the days of the month. A month
    that the data cover in part is the mean of those days; ``time_bounds`` says which.

    Parameters
    ----------
    daily : xarray.Dataset
        From `daily_dataset`.

    Returns
    -------
    xarray.Dataset
        ``time`` is the first day of each month that is covered.
    """
    time = daily["time"]
    month = time.dt.year.values.astype(int) * 12 + time.dt.month.values.astype(int)
    starts = np.flatnonzero(np.diff(month, prepend=month[0] - 1))
    counts = np.diff(np.append(starts, month.size))
    out = daily.drop_vars([str(v) for v in daily.data_vars]).isel(time=starts)
    for name, variable in daily.data_vars.items():
        axis = variable.get_axis_num("time")
        shape = [-1 if d == "time" else 1 for d in variable.dims]
        mean = np.add.reduceat(variable.values, starts, axis=axis) / counts.reshape(shape)
        out[name] = (variable.dims, mean.astype(variable.dtype),
                     {**variable.attrs, "cell_methods": "time: mean"})
    day = np.timedelta64(1, "D") if time.dtype.kind == "M" else timedelta(days=1)
    ends = time.values[starts + counts - 1] + day
    out = out.assign_coords(
        time_bounds=(("time", "bounds"), np.stack([time.values[starts], ends], axis=-1)))
    out["time"].attrs = {**time.attrs, "bounds": "time_bounds"}
    return out


def as_flags(
    values: xr.DataArray, name: str = "harvest_reason",
    meanings: Sequence[str] = HARVEST_REASONS, missing: int = 0,
) -> xr.DataArray:
    """A variable as CF flags: small integers, ``missing`` where there is none."""
    kind = np.int8 if len(meanings) < 128 else np.int16
    out = values.fillna(missing).round().astype(kind)
    return out.assign_attrs(
        **REGISTRY[name].attributes(), flag_values=np.arange(len(meanings), dtype=kind),
        flag_meanings=" ".join(meaning.replace(" ", "_") for meaning in meanings))


def describe_places(dataset: xr.Dataset) -> xr.Dataset:
    """Add CF attributes to coordinates of places that lack them."""
    for name, attributes in _PLACE_ATTRIBUTES.items():
        if name in dataset.coords:
            axis = {"axis": _AXES[name]} if name in _AXES and name in dataset.dims else {}
            dataset[name].attrs = {**attributes, **axis, **dataset[name].attrs}
    return dataset


def _empty(cells: CellIndex, attrs: Mapping[str, str] | None) -> xr.Dataset:
    # coordinates are copied: attributes that are added must not reach the user's own
    coords = {name: c.copy() for name, c in cells.coords.items()}
    return xr.Dataset(coords=coords, attrs=dict(attrs or {}))


def _vector_coords(dim: str) -> dict[str, Any]:
    """Coordinates of soil layers or leaf age classes."""
    if dim == "leaf_class":
        return {dim: (dim, np.arange(1, N_LEAF_CLASSES + 1, dtype=np.int32),
                      {"long_name": "leaf age class, youngest first", "units": "1"})}
    if dim == "heat_layer":
        return {dim: (dim, np.arange(1, N_HEAT_LAYERS + 1, dtype=np.int32), {
            "long_name": "layer with heat: those of the soil and one of 10 m below",
            "units": "1"})}
    bottom = np.array(SOIL_LAYER_BOTTOM)
    bounds = np.round(np.stack([bottom - SOIL_LAYER_THICKNESS, bottom], axis=-1), 9)
    return {
        dim: (dim, np.arange(1, N_SOIL_LAYERS + 1, dtype=np.int32),
              {"long_name": "soil layer, from the surface", "units": "1"}),
        "depth": (dim, bounds.mean(axis=1), {
            "units": "m", "standard_name": "depth", "long_name": "depth of the middle of the layer",
            "positive": "down", "axis": "Z", "bounds": "depth_bounds"}),
        "depth_bounds": ((dim, "bounds"), bounds),
    }


def concat_time(parts: Sequence[xr.Dataset]) -> xr.Dataset:
    """Chunks of days, in order, as one dataset."""
    return xr.concat(parts, "time", data_vars="minimal", coords="minimal", compat="override",
                     join="override", combine_attrs="override")
