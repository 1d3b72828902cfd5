"""The space of a dataset: no dimension, one, or two, flattened to cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr


@dataclass(frozen=True)
class Places:
    """Positions of the flattened spatial dimensions.

    Attributes
    ----------
    dims : tuple of str
        Spatial dimensions, in order; empty for a single field.
    shape : tuple of int
        Their sizes.
    lat, lon : numpy.ndarray
        ``[place]`` degrees; longitude within -180..180, NaN where unknown.
    elevation : numpy.ndarray
        ``[place]`` m.
    labels : numpy.ndarray or None
        ``[place]`` names along a single dimension.
    """

    dims: tuple[str, ...]
    shape: tuple[int, ...]
    lat: np.ndarray
    lon: np.ndarray
    elevation: np.ndarray
    labels: np.ndarray | None = None

    @classmethod
    def of(cls, dataset: xr.Dataset, dims: tuple[str, ...]) -> Places:
        """Places of a dataset with coordinates ``lat``, ``lon`` and ``elevation``."""
        sizes = {d: dataset.sizes[d] for d in dims}

        def flat(name: str, default: float) -> np.ndarray:
            if name not in dataset.coords:
                return np.full(int(np.prod(list(sizes.values()))), default)
            coordinate = dataset[name].astype(float).reset_coords(drop=True)
            return coordinate.broadcast_like(
                xr.DataArray(np.zeros(tuple(sizes.values())), dims=dims)
            ).transpose(*dims).values.reshape(-1)

        lon = flat("lon", np.nan)
        labels = None
        if len(dims) == 1 and dims[0] in dataset.coords:
            labels = dataset[dims[0]].values
        return cls(dims, tuple(sizes.values()), flat("lat", np.nan),
                   (lon + 180.0) % 360.0 - 180.0, flat("elevation", 0.0), labels)

    def name(self, index: int) -> str:
        """Name of one place for a message."""
        position = f"lat {self.lat[index]:g}"
        if np.isfinite(self.lon[index]):
            position += f" lon {self.lon[index]:g}"
        if len(self.dims) == 1:
            label = self.labels[index] if self.labels is not None else index
            return f"{self.dims[0]} {label} ({position})"
        return f"cell {position}" if self.dims else f"the field ({position})"
