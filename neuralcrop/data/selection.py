"""Inputs as a configuration names them: weather of a domain, soil, management."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from neuralcrop.data.errors import InputError, Problem
from neuralcrop.data.files import open_files
from neuralcrop.data.forcing import open_forcing
from neuralcrop.data.tensors import cell_index

if TYPE_CHECKING:
    from neuralcrop.config.management import ManagementConfig
    from neuralcrop.config.sections import DomainConfig, ForcingConfig, SoilConfig

_SOIL_KEYS = ("sand", "clay", "organic_carbon", "ph", "soil_depth", "nitrogen_deposition")


def forcing_of(config: ForcingConfig, domain: DomainConfig) -> xr.Dataset:
    """Canonical weather of the years and the domain asked for.

    Raises
    ------
    InputError
        If no path is given, or the domain holds no cell.
    """
    if config.path is None:
        raise InputError([Problem(
            "forcing.path", "not given", "a file of daily weather",
            "forcing.path=FILE.nc (or forcing=demo after neuralcrop data demo)")])
    time = None
    if config.years is not None:
        time = slice(str(config.years[0]), str(config.years[1]))
    prepared = open_forcing(
        config.path, names=config.names or None, co2=config.co2, frequency=config.frequency,
        max_gap=config.max_gap, time=time, wind_height=config.wind_height)
    return select_domain(prepared, domain)


def select_domain(prepared: xr.Dataset, domain: DomainConfig) -> xr.Dataset:
    """Cells of a canonical dataset within bounds, or at given positions among the land cells.

    Raises
    ------
    InputError
        If nothing is left.
    """
    if domain.lat is None and domain.lon is None and domain.cells is None:
        return prepared
    cells = cell_index(prepared)
    keep = np.ones(cells.n_cells, dtype=bool)
    if domain.lat is not None:
        keep &= (cells.lat >= domain.lat[0]) & (cells.lat <= domain.lat[1])
    if domain.lon is not None:
        west, east = ((x + 180.0) % 360.0 - 180.0 for x in domain.lon)
        inside = (cells.lon >= west) & (cells.lon <= east)
        keep &= inside if west <= east else (cells.lon >= west) | (cells.lon <= east)
    if domain.cells is not None:
        chosen = np.zeros(cells.n_cells, dtype=bool)
        wrong = [c for c in domain.cells if not 0 <= c < cells.n_cells]
        if wrong:
            raise InputError([Problem(
                "domain.cells", f"no cells {wrong}", f"positions 0 to {cells.n_cells - 1}", "")])
        chosen[domain.cells] = True
        keep &= chosen
    if not keep.any():
        raise InputError([Problem(
            "domain", "no land cell of the forcing lies in it",
            f"latitudes {cells.lat.min():g} to {cells.lat.max():g}, longitudes "
            f"{cells.lon.min():g} to {cells.lon.max():g}", "widen domain.lat and domain.lon")])
    mask = cells.unstack(keep.astype(float)) > 0.5
    if len(cells.dims) == 1:
        return prepared.isel({cells.dims[0]: np.flatnonzero(mask.values)})
    attrs = prepared.attrs
    rows = {d: np.flatnonzero(mask.any([o for o in cells.dims if o != d]).values)
            for d in cells.dims}
    part, mask = prepared.isel(rows), mask.isel(rows)
    gridded = [v for v in part.data_vars if set(cells.dims) <= set(part[v].dims)]
    return part.assign({v: part[v].where(mask) for v in gridded}).assign_attrs(attrs)


def soil_of(config: SoilConfig) -> xr.Dataset | dict[str, Any] | None:
    """Soil file, or one value for all cells, or None for the default."""
    if config.path is not None:
        return open_files(config.path).assign_attrs(pedotransfer=config.pedotransfer)
    given = {k: getattr(config, k) for k in _SOIL_KEYS if getattr(config, k) is not None}
    if config.pedotransfer != "published":
        given["pedotransfer"] = config.pedotransfer
    return given or None


def management_of(config: ManagementConfig) -> xr.Dataset | dict[str, Any]:
    """Management file, or the keys of the configuration."""
    if config.path is not None:
        return open_files(config.path)
    given = config.model_dump(exclude_none=True)
    given.pop("path", None)
    return given
