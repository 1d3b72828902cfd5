"""Series of leaf area and the like, at a fixed step, with gaps: one for each place."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import torch
import xarray as xr

from neuralcrop.closures.series_encoder import SERIES_VARIABLES, series_names
from neuralcrop.data.climate import _nanmean
from neuralcrop.data.covariates import Covariates
from neuralcrop.data.errors import InputError, Problem, Problems
from neuralcrop.data.yields import YieldsData

log = logging.getLogger("neuralcrop.data")


MAX_GAP = 3
"""Longest gap of a series that is filled, steps."""


def season_series(
    data: YieldsData, variables: Sequence[str], steps: int, years: Sequence[int],
    required: bool = True,
) -> Covariates:
    """Series of the sites as rows of covariates; NaN where nothing was observed.

    Parameters
    ----------
    data : YieldsData
        Its file holds each variable over ``(site, year, step)``, of which ``years`` are averaged,
        or over ``(site, step)``. Gaps of up to `MAX_GAP` steps are filled.
    variables : sequence of str
        Names in `SERIES_VARIABLES`.
    steps : int
        Steps of a series.
    years : sequence of int
        Years to average; give the training years, so that no series knows the year that is
        predicted.
    required : bool
        Whether the file must have the variables; without, they count as not observed.

    Raises
    ------
    InputError
        With all that is wrong with the variables.
    """
    problems = Problems(data.source)
    found = [_one(data, name, steps, years, required, problems) for name in variables]
    problems.raise_if_any()
    rows = np.stack(found, axis=1).reshape(steps * len(found), -1)
    none = int(np.isnan(rows).all(axis=0).sum())
    if none:
        log.warning("%s: %d of %d sites have no %s of these years; the network sees no series "
                    "there", data.source, none, rows.shape[1], " or ".join(variables))
    return Covariates(
        torch.from_numpy(rows).float(), series_names(tuple(variables), steps))


def _one(
    data: YieldsData, name: str, steps: int, years: Sequence[int], required: bool,
    problems: Problems,
) -> np.ndarray:
    """Series of a variable, ``[step, site]``; what is wrong goes to ``problems``."""
    known, nothing = SERIES_VARIABLES[name], np.full((steps, data.n_sites), np.nan)
    if name not in data.soil.data_vars:
        if required:
            problems.add(f"variable {name}", "not in the file",
                         f"{known.long_name} over (site, year, step) or (site, step)",
                         "add it, or leave it out of parameters.encoder.variables")
        return nothing
    variable = data.soil[name]
    step = [str(d) for d in variable.dims if d not in ("site", "year")]
    if len(step) != 1 or "site" not in variable.dims or variable.sizes[step[0]] != steps:
        problems.add(f"variable {name}", f"dimensions {dict(variable.sizes)}",
                     f"the sites, {steps} steps, and perhaps year", "set parameters.encoder.steps")
        return nothing
    values = _values(variable, step[0], years)
    outside = (values < known.lower) | (values > known.upper)
    if outside.any():
        problems.add(f"variable {name}", f"values from {np.nanmin(values):g} to "
                     f"{np.nanmax(values):g}", f"{known.lower:g} to {known.upper:g} "
                     f"{known.units}", "check units, and mask values that are flags")
    for own in values.T:
        fill_gaps(own, MAX_GAP)
    return values


def _values(variable: xr.DataArray, step: str, years: Sequence[int]) -> np.ndarray:
    """``[step, site]``, the mean of the years where there are some."""
    if "year" in variable.dims:
        chosen = np.isin(variable["year"].values.astype(int), list(years))
        variable = variable.isel(year=np.flatnonzero(chosen))
        return _nanmean(variable.transpose("year", step, "site").values.astype(float))
    return variable.transpose(step, "site").values.astype(float)


def binned(
    day: np.ndarray, value: np.ndarray, cell: np.ndarray, n_cells: int, steps: int,
    cadence: float = 10.0, max_gap: int = 0,
) -> np.ndarray:
    """Irregular observations at a fixed step, ``[step, cell]``, NaN where there are none.

    Parameters
    ----------
    day : numpy.ndarray
        Days from the start of the series; those outside it are left out.
    value, cell : numpy.ndarray
        Observations and their cells.
    n_cells, steps : int
        Shape of the result.
    cadence : float
        Length of a step, d; the observations of a step are averaged.
    max_gap : int
        Longest gap between observed steps that is filled by linear interpolation, steps.

    Raises
    ------
    InputError
        If the arrays differ in length.
    """
    if not len(day) == len(value) == len(cell):
        raise InputError([Problem("series", f"{len(day)} days, {len(value)} values and "
                                  f"{len(cell)} cells", "as many of each")], "series")
    step = np.floor(np.asarray(day, dtype=float) / cadence)
    use = np.isfinite(value) & (step >= 0) & (step < steps)
    where = (step[use].astype(int), np.asarray(cell)[use].astype(int))
    total, count = np.zeros((steps, n_cells)), np.zeros((steps, n_cells))
    np.add.at(total, where, np.asarray(value, dtype=float)[use])
    np.add.at(count, where, 1.0)
    out = np.where(count > 0.0, total / np.maximum(count, 1.0), np.nan)
    for own in out.T if max_gap > 0 else ():
        fill_gaps(own, max_gap)
    return out


def fill_gaps(series: np.ndarray, max_gap: int) -> None:
    """Interpolate short gaps between observations of a series ``[step]``, in place."""
    seen = np.flatnonzero(np.isfinite(series))
    for a, b in pairwise(seen.tolist()):
        if 1 < b - a <= max_gap + 1:
            series[a : b + 1] = np.linspace(series[a], series[b], b - a + 1)
