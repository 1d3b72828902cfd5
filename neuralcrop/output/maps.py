"""Maps as PNG: of grids and of points, without map data from elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import xarray as xr

from neuralcrop.output.write import atomic_path

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.colors import BoundaryNorm, Colormap
    from matplotlib.figure import Figure

SEQUENTIAL, DIVERGING = "YlGnBu", "BrBG"
"""Colour maps that colour-blind people can read; nothing is pale, loss is brown."""

_SEA, _NO_DATA, _COAST = "#eef1f4", "#d9d9d6", "#5b6168"
_N_COLOURS = 10
_WIDTH = 8.0
"""Width of a figure, inches."""


def draw_map(
    values: xr.DataArray, path: str | Path, title: str, units: str, diverging: bool = False,
    limits: tuple[float, float] | None = None, land: xr.DataArray | None = None,
) -> Path:
    """Draw one map, complete or not at all.

    Parameters
    ----------
    values : xarray.DataArray
        Over ``lat`` and ``lon`` in any order and either longitude convention, or over points with
        these coordinates.
    path : str or Path
        PNG file.
    title, units : str
        Texts of the figure; the title may have several lines.
    diverging : bool
        Colours that part at zero, for changes.
    limits : tuple of float, optional
        Ends of the colour scale; by default those of the values, less two percent.
    land : xarray.DataArray, optional
        Where there is land, of the same shape; by default where there are values. Land without
        values is grey.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If positions are missing or there is no value.
    OSError
        If it cannot be written.
    """
    if not np.isfinite(values.values).any():
        raise ValueError(f"{title}: no value to draw")
    for name in ("lat", "lon"):
        if name not in values.coords or not np.isfinite(values[name].values).all():
            raise ValueError(f"{title}: a map needs the coordinate {name}")
    style = {"norm": _norm(values.values, diverging, limits),
             "cmap": DIVERGING if diverging else SEQUENTIAL}
    if {"lat", "lon"} == set(values.dims):
        figure = _grid_map(values, values.notnull() if land is None else land, style, units)
    else:
        figure = _point_map(values, style, units)
    figure.axes[0].set_title(title, loc="left", fontsize=10, linespacing=1.4)
    with atomic_path(path) as part:
        figure.savefig(part, format="png", dpi=150)
    return Path(path)


def _grid_map(
    values: xr.DataArray, land: xr.DataArray, style: dict[str, Any], units: str
) -> Figure:
    values, land = _in_order(values), _in_order(land.astype(bool))
    rows, columns = _covered(land.values, 0), _covered(land.values, 1)
    values, land = values[rows, columns], land[rows, columns]
    x, y = _edges(values["lon"].values), np.clip(_edges(values["lat"].values), -90.0, 90.0)
    figure, axes = _figure((x[0], x[-1]), (y[0], y[-1]))
    grey = np.where(land.values, 1.0, np.nan)
    axes.pcolormesh(x, y, grey, cmap=_single(_NO_DATA), rasterized=True)
    colours = axes.pcolormesh(x, y, values.values, rasterized=True, **style)
    _outline(axes, x, y, land.values)
    _colour_bar(figure, axes, colours, units)
    return figure


def _point_map(values: xr.DataArray, style: dict[str, Any], units: str) -> Figure:
    flat, lat, lon = (np.atleast_1d(v).ravel()
                      for v in (values.values, values["lat"].values, values["lon"].values))
    lon = _westward(lon)
    figure, axes = _figure(_around(lon, 180.0), _around(lat, 90.0))
    _add_points(figure, axes, flat, lat, lon, style, units)
    return figure


def points_figure(
    values: np.ndarray, lat: np.ndarray, lon: np.ndarray, title: str, units: str,
    diverging: bool = False, from_zero: bool = True, width: float = _WIDTH,
) -> Figure:
    """Map of values at points; those that are not finite are grey.

    Parameters
    ----------
    values, lat, lon : numpy.ndarray
        ``[point]``; some value is finite.
    title, units : str
        Texts of the figure.
    diverging : bool
        Colours that part at zero.
    from_zero : bool
        Whether the colours of positive values begin at zero.
    width : float
        Inches.
    """
    flat, lon = np.asarray(values, dtype=float), _westward(np.asarray(lon, dtype=float))
    lat = np.asarray(lat, dtype=float)
    figure, axes = _figure(_around(lon, 180.0), _around(lat, 90.0), width)
    style = {"norm": _norm(flat, diverging, None, from_zero),
             "cmap": DIVERGING if diverging else SEQUENTIAL}
    _add_points(figure, axes, flat, lat, lon, style, units)
    axes.set_title(title, loc="left", fontsize=10)
    return figure


def _add_points(
    figure: Figure, axes: Axes, flat: np.ndarray, lat: np.ndarray, lon: np.ndarray,
    style: dict[str, Any], units: str,
) -> None:
    known = np.isfinite(flat)
    share = (figure.get_figwidth() / _WIDTH) ** 2
    size = share * float(np.clip(4000.0 / max(known.sum(), 1), 6.0, 90.0))
    axes.scatter(lon[~known], lat[~known], s=size / 2, c=_NO_DATA)
    colours = axes.scatter(
        lon[known], lat[known], c=flat[known], s=size, edgecolors=_COAST, linewidths=0.3, **style)
    _colour_bar(figure, axes, colours, units)


def _westward(lon: np.ndarray) -> np.ndarray:
    """Longitudes from -180 to 180 degrees east."""
    return np.asarray((lon + 180.0) % 360.0 - 180.0)


def _in_order(values: xr.DataArray) -> xr.DataArray:
    """From south to north and from -180 to 180 degrees east."""
    lon = (values["lon"] + 180.0) % 360.0 - 180.0
    return values.assign_coords(lon=lon).sortby(["lat", "lon"]).transpose("lat", "lon")


def _covered(land: np.ndarray, axis: int) -> slice:
    """Span of rows or columns with land, one more on either side."""
    at = np.flatnonzero(land.any(axis=1 - axis))
    return slice(max(at[0] - 1, 0), at[-1] + 2)


def _edges(centres: np.ndarray) -> np.ndarray:
    """Edges of cells between their centres."""
    if centres.size == 1:
        return np.array([centres[0] - 0.25, centres[0] + 0.25])
    half = np.diff(centres) / 2.0
    # a gap in the coordinates must not stretch its neighbours at the rim
    first, last = centres[0] - half[0], centres[-1] + half[-1]
    return np.concatenate(([first], centres[:-1] + half, [last]))


def _around(positions: np.ndarray, limit: float) -> tuple[float, float]:
    low, high = float(positions.min()), float(positions.max())
    margin = max(0.06 * (high - low), 2.0)
    return max(low - margin, -limit), min(high + margin, limit)


def _figure(
    x: tuple[float, float], y: tuple[float, float], width: float = _WIDTH
) -> tuple[Figure, Axes]:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shape = float(np.clip((y[1] - y[0]) / (x[1] - x[0]), 0.3, 1.1))
    figure = Figure(figsize=(width, 0.88 * width * shape + 0.7), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot(facecolor=_SEA, aspect="equal", xlim=x, ylim=y)
    axes.tick_params(labelsize=8, length=2, color=_COAST, labelcolor=_COAST)
    axes.xaxis.set_major_formatter(lambda v, _: _degrees(v, "W", "E"))
    axes.yaxis.set_major_formatter(lambda v, _: _degrees(v, "S", "N"))
    axes.locator_params(nbins=8, steps=[1, 1.5, 3, 6, 10])
    for spine in axes.spines.values():
        spine.set(color=_COAST, linewidth=0.5)
    return figure, axes


def _degrees(value: float, negative: str, positive: str) -> str:
    side = positive if value > 0 else negative if value < 0 else ""
    return f"{abs(value):g}°{side}"


def _norm(
    values: np.ndarray, diverging: bool, limits: tuple[float, float] | None,
    from_zero: bool = True,
) -> BoundaryNorm:
    """Steps of round numbers; what lies beyond has the last colours."""
    from matplotlib.colors import BoundaryNorm
    from matplotlib.ticker import MaxNLocator

    known = values[np.isfinite(values)]
    low, high = limits or np.percentile(known, [2.0, 98.0])
    if diverging:
        high = max(abs(low), abs(high), 1e-6)
        low = -high
    elif low >= 0.0 and from_zero:
        low = 0.0
    high = high if high > low else low + 1.0
    steps = MaxNLocator(_N_COLOURS, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    below, above = bool(known.min() < steps[0]), bool(known.max() > steps[-1])
    extend: Literal["neither", "min", "max", "both"] = "neither"
    if below or above:
        extend = "both" if below and above else "min" if below else "max"
    return BoundaryNorm(steps, 256, extend=extend)


def _colour_bar(figure: Figure, axes: Axes, colours: object, units: str) -> None:
    bar = figure.colorbar(colours, ax=axes, shrink=0.8, pad=0.015, aspect=24)  # type: ignore[arg-type]
    bar.set_label(units, fontsize=9)
    bar.ax.minorticks_off()
    bar.ax.tick_params(labelsize=8, length=0)
    bar.outline.set_linewidth(0.4)  # type: ignore[operator]


def _single(colour: str) -> Colormap:
    from matplotlib.colors import ListedColormap

    return ListedColormap([colour])


def _outline(axes: Axes, x: np.ndarray, y: np.ndarray, land: np.ndarray) -> None:
    """Lines along the sides of cells where land and sea meet."""
    from matplotlib.collections import LineCollection

    sea = np.zeros((land.shape[0], 1), dtype=bool)
    upright = np.argwhere(np.diff(np.hstack([sea, land, sea]).astype(np.int8), axis=1))
    sea = np.zeros((1, land.shape[1]), dtype=bool)
    level = np.argwhere(np.diff(np.vstack([sea, land, sea]).astype(np.int8), axis=0))
    lines = [[(x[j], y[i]), (x[j], y[i + 1])] for i, j in upright]
    lines += [[(x[j], y[i]), (x[j + 1], y[i])] for i, j in level]
    axes.add_collection(LineCollection(lines, colors=_COAST, linewidths=0.35))
