"""Put scalars, arrays and DataArrays onto the cells of a run, by coordinates if there are any."""

from __future__ import annotations

import numpy as np
import xarray as xr
from numpy.typing import ArrayLike

from neuralcrop.data.errors import Problems
from neuralcrop.data.names import find_coordinate
from neuralcrop.data.tensors import CellIndex

_TOLERANCE = 1e-3
"""Degrees by which coordinates may differ and still be the same."""


def to_cells(
    value: ArrayLike | xr.DataArray, cells: CellIndex, name: str, problems: Problems,
    extra: tuple[str, ...] = (),
) -> np.ndarray | None:
    """Values for each cell.

    A DataArray is matched by its coordinates: same labels in any order, either longitude
    convention, either latitude order; a lat-lon map given for sites is read at the nearest grid
    point. Without coordinates the order must be that of the forcing.

    Parameters
    ----------
    value : scalar, array or DataArray
        One value, one per place of the forcing (or per cell), or a DataArray.
    cells : CellIndex
        Cells of the run.
    name : str
        Name for messages.
    problems : Problems
        Receives mismatches.
    extra : tuple of str
        Dimensions that are kept in front.

    Returns
    -------
    numpy.ndarray or None
        ``[*extra, cell]``, or None after a problem.
    """
    if isinstance(value, xr.DataArray):
        return _from_dataarray(value, cells, name, problems, extra)
    array = np.asarray(value)
    if array.ndim == 0:
        return np.broadcast_to(array, (cells.n_cells,))
    n_places = int(np.prod(cells.places.shape, dtype=int))
    flat = array.reshape(-1) if array.shape == cells.places.shape else array
    if flat.shape == (n_places,):
        return flat[cells.position]
    if flat.shape == (cells.n_cells,):
        return flat
    problems.add(name, f"array of shape {array.shape}",
                 f"one value, or {cells.places.shape or 1} as the forcing",
                 "give a DataArray with the coordinates of the forcing")
    return None


def _from_dataarray(
    value: xr.DataArray, cells: CellIndex, name: str, problems: Problems, extra: tuple[str, ...]
) -> np.ndarray | None:
    value = value.rename({
        theirs: ours for ours in ("lat", "lon")
        if (theirs := find_coordinate(value.to_dataset(name="_v"), ours)) and theirs != ours
    })
    extra = tuple(d for d in extra if d in value.dims)
    space = [str(d) for d in value.dims if d not in extra]
    lead = [value.sizes[d] for d in extra]
    if not space:
        values = value.transpose(*extra).values
        return np.broadcast_to(values[..., None], (*lead, cells.n_cells))
    if set(space) == {"lat", "lon"}:
        return _from_grid(value.transpose(*extra, "lat", "lon"), cells, name, problems)
    if tuple(sorted(space)) != tuple(sorted(cells.dims)):
        problems.add(name, f"dimensions {tuple(space)}",
                     f"{cells.dims or 'no dimension'} as the forcing, or lat and lon",
                     "rename the dimension or give one value")
        return None
    for dim in space:
        ordered = _reorder(value, dim, cells, name, problems)
        if ordered is None:
            return None
        value = ordered
    values = value.transpose(*extra, *cells.dims).values.reshape(*lead, -1)
    return np.asarray(values[..., cells.position])


def _reorder(
    value: xr.DataArray, dim: str, cells: CellIndex, name: str, problems: Problems
) -> xr.DataArray | None:
    """One dimension in the order of the forcing."""
    size = cells.places.shape[cells.dims.index(dim)]
    if dim in value.coords and dim in cells.coords:
        wanted, given = cells.coords[dim].values, value[dim].values
        if np.array_equal(wanted, given):
            return value
        index = {v: i for i, v in enumerate(given.tolist())}
        missing = [v for v in wanted.tolist() if v not in index]
        if missing:
            problems.add(name, f"{dim} {missing[0]} and {len(missing) - 1} more are not in it",
                         f"every {dim} of the forcing", f"give values for all {dim}s")
            return None
        return value.isel({dim: [index[v] for v in wanted.tolist()]})
    if value.sizes[dim] != size:
        problems.add(name, f"{value.sizes[dim]} entries along {dim}", f"{size} as the forcing", "")
        return None
    return value


def _from_grid(
    value: xr.DataArray, cells: CellIndex, name: str, problems: Problems
) -> np.ndarray | None:
    """Values of the grid points nearest to the cells, at most half a grid step away."""
    if "lat" not in value.coords or "lon" not in value.coords:
        if value.shape[-2:] == cells.places.shape:
            return np.asarray(value.values.reshape(*value.shape[:-2], -1)[..., cells.position])
        problems.add(name, "lat-lon map without coordinates", "coordinates lat and lon", "")
        return None
    lat, lon = value["lat"].values.astype(float), value["lon"].values.astype(float)
    row = np.abs(cells.lat[:, None] - lat[None, :]).argmin(axis=1)
    turn = np.abs((cells.lon[:, None] - lon[None, :] + 180.0) % 360.0 - 180.0)
    column = turn.argmin(axis=1)
    reach = [0.5 * float(np.median(np.abs(np.diff(x)))) if x.size > 1 else 0.5 for x in (lat, lon)]
    far = (np.abs(cells.lat - lat[row]) > reach[0] + _TOLERANCE) | (
        turn[np.arange(len(column)), column] > reach[1] + _TOLERANCE)
    if far.any():
        cell = int(np.flatnonzero(far)[0])
        problems.add(name, f"does not reach {int(far.sum())} cells, first {cells.name(cell)}",
                     "a map that covers every cell", "give a larger map or fewer cells")
        return None
    return np.asarray(value.values[..., row, column])
