"""From a canonical dataset to tensors of land cells, and from cells back to the user's space."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
import xarray as xr
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing
from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.data import plausibility
from neuralcrop.data.errors import Problems
from neuralcrop.data.places import Places
from neuralcrop.data.standardise import REQUIRED
from neuralcrop.data.timeaxis import Days, date_text

Dataset = xr.Dataset
"""What users give and get; simulation names the type without importing the library."""

_MASK_DAYS = 31
"""Days read to find the land of a dataset that is too large to read at once."""


@dataclass(frozen=True)
class CellIndex:
    """Which cell of a run is which place of the user's dataset.

    Attributes
    ----------
    places : Places
        All places of the dataset, masked ones included.
    position : numpy.ndarray
        ``[cell]`` index of each cell in the flattened space.
    coords : mapping of str to xarray.DataArray
        The user's spatial coordinates.
    """

    places: Places
    position: np.ndarray
    coords: Mapping[str, xr.DataArray]

    @property
    def n_cells(self) -> int:
        """Number of cells with data."""
        return len(self.position)

    @property
    def dims(self) -> tuple[str, ...]:
        """Spatial dimensions of the user."""
        return self.places.dims

    @property
    def lat(self) -> np.ndarray:
        """``[cell]`` latitude, degrees north."""
        return self.places.lat[self.position]

    @property
    def lon(self) -> np.ndarray:
        """``[cell]`` longitude within -180..180, NaN where unknown."""
        return self.places.lon[self.position]

    @property
    def elevation(self) -> np.ndarray:
        """``[cell]`` m."""
        return self.places.elevation[self.position]

    def name(self, cell: int) -> str:
        """Name of one cell for a message."""
        return self.places.name(int(self.position[cell]))

    def unstack(
        self, values: np.ndarray | Tensor, dims: Sequence[str] = (), *,
        coords: Mapping[str, object] | None = None, name: str | None = None,
        attrs: Mapping[str, object] | None = None,
    ) -> xr.DataArray:
        """Put ``[..., cell]`` values back into the user's space; masked cells are NaN.

        Parameters
        ----------
        values : array or Tensor
            Cells last.
        dims : sequence of str
            Names of the leading dimensions.
        coords : mapping, optional
            Coordinates of the leading dimensions.
        name, attrs : optional
            Name and attributes of the result.
        """
        array = values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)
        if array.shape[-1] != self.n_cells or array.ndim != len(dims) + 1:
            raise ValueError(f"values of shape {array.shape} cannot be unstacked to "
                             f"({', '.join([*dims, 'cell'])}) with {self.n_cells} cells")
        n = int(np.prod(self.places.shape, dtype=int))
        if self.n_cells < n:
            if array.dtype.kind not in "fMm":
                array = array.astype("float32" if array.dtype.itemsize < 4 else "float64")
            fill = np.full((*array.shape[:-1], n), np.nan, dtype=array.dtype)
            fill[..., self.position] = array
            array = fill
        array = array.reshape(*array.shape[:-1], *self.places.shape)
        return xr.DataArray(array, dims=(*dims, *self.dims), name=name, attrs=dict(attrs or {}),
                            coords={**self.coords, **(coords or {})})


def cell_index(prepared: xr.Dataset) -> CellIndex:
    """Land cells of a canonical dataset: those with values of every required variable."""
    dims = tuple(str(d) for d in prepared["tasmin"].dims if d != "time")
    places = Places.of(prepared, dims)
    in_memory = prepared["tasmin"].chunks is None
    days = slice(None) if in_memory else slice(0, _MASK_DAYS)
    land = np.ones(places.shape, dtype=bool)
    for name in REQUIRED:
        sample = prepared[name].isel(time=days)
        land &= sample.notnull().any("time").transpose(*dims).values
    coords = {str(k): c for k, c in prepared.coords.items() if set(c.dims) <= set(dims)}
    return CellIndex(places, np.flatnonzero(land.reshape(-1)), coords)


def iter_forcing(
    prepared: xr.Dataset, cells: CellIndex, days_per_chunk: int = 366, *,
    dtype: torch.dtype = torch.float32, device: torch.device | str | None = None,
    names: Sequence[str] = FORCING_NAMES,
) -> Iterator[DailyForcing]:
    """Daily weather of the land cells, a chunk of days at a time.

    Only one chunk is in memory when the dataset is lazy. Datasets that were not checked as a whole
    are checked here, chunk by chunk.

    Parameters
    ----------
    prepared : xarray.Dataset
        From `prepare_forcing`.
    cells : CellIndex
        From `cell_index`.
    days_per_chunk : int
        Days a chunk.
    dtype, device
        Of the tensors.
    names : sequence of str
        Variables of the rows, as the model needs them.

    Yields
    ------
    DailyForcing
        With ``first_day`` running on; day 0 is the first day of ``prepared``.

    Raises
    ------
    InputError
        If a chunk holds values out of range or gaps.
    """
    days = Days.of(prepared["time"])
    n_days = prepared.sizes["time"]
    check = prepared.attrs.get("neuralcrop_checked") != "all"
    for start in range(0, n_days, days_per_chunk):
        span = slice(start, min(start + days_per_chunk, n_days))
        chunk = prepared.isel(time=span).load()
        if check:
            _check_chunk(chunk, cells)
        yield DailyForcing(
            _stack(chunk, cells, dtype, names).to(device or "cpu"),
            torch.as_tensor(days.day_of_year[span], device=device),
            torch.as_tensor(days.solar_day[span], dtype=dtype, device=device),
            torch.as_tensor(days.year[span], device=device), start, tuple(names),
        )


def to_forcing(
    prepared: xr.Dataset, *, dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None,
) -> tuple[DailyForcing, CellIndex]:
    """The whole dataset as one `DailyForcing`, and its cells.

    Parameters
    ----------
    prepared : xarray.Dataset
        From `prepare_forcing`.
    dtype, device
        Of the tensors.
    """
    cells = cell_index(prepared)
    forcing = next(iter_forcing(prepared, cells, prepared.sizes["time"], dtype=dtype,
                                device=device))
    return forcing, cells


def _stack(
    chunk: xr.Dataset, cells: CellIndex, dtype: torch.dtype, names: Sequence[str]
) -> Tensor:
    """``[time, variable, cell]`` tensor of a chunk in memory."""
    n_days = chunk.sizes["time"]
    out = torch.empty(n_days, len(names), cells.n_cells, dtype=dtype)
    for row, name in enumerate(names):
        variable = chunk[name]
        if name == "co2" and variable.dims == ("time",):
            out[:, row] = torch.from_numpy(variable.values.astype("float64")).to(dtype)[:, None]
            continue
        values = variable.transpose("time", *cells.dims).values.reshape(n_days, -1)
        out[:, row] = torch.from_numpy(np.ascontiguousarray(values[:, cells.position])).to(dtype)
    return out


def _check_chunk(chunk: xr.Dataset, cells: CellIndex) -> None:
    """Ranges, order of temperatures and gaps of a chunk of a dataset not checked as a whole."""
    first, last = (date_text(chunk["time"].values[k]) for k in (0, -1))
    problems = Problems(f"forcing {first} to {last}")
    plausibility.check_weather(chunk, {}, cells.places, problems)
    for name in FORCING_NAMES:
        if name == "co2":
            continue
        values = chunk[name].transpose("time", *cells.dims).values.reshape(len(chunk["time"]), -1)
        gaps = np.argwhere(np.isnan(values[:, cells.position]))
        if len(gaps):
            day, cell = gaps[0]
            problems.add(
                f"variable {name}, {cells.name(cell)}, "
                f"{date_text(chunk['time'].values[day])}",
                f"missing, and {len(gaps) - 1} more values", "values on every day",
                "fill the data, or choose years without gaps (time=slice(...))",
            )
    problems.raise_if_any()
