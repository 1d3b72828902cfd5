"""Harvests of cells onto calendar years, and changes against a baseline."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

SMALL_YIELD = 0.05
"""Yields of the baseline below this, t ha-1, have no relative change."""


def harvest_lag(records: Mapping[str, np.ndarray]) -> np.ndarray:
    """Calendar years from sowing to harvest, as is usual in each cell.

    Parameters
    ----------
    records : mapping of str to numpy.ndarray
        ``[season, cell]``, with plantyear and harvyear.

    Returns
    -------
    numpy.ndarray
        ``[cell]`` the smaller median, 0 where there was no harvest.
    """
    lag = records["harvyear"] - records["plantyear"]
    if not len(lag):
        return np.zeros(lag.shape[1])
    middle = np.maximum(np.isfinite(lag).sum(axis=0) - 1, 0) // 2
    ordered = np.sort(lag, axis=0)  # NaN last
    return np.nan_to_num(np.take_along_axis(ordered, middle[None], axis=0)[0])


def by_year(
    records: Mapping[str, np.ndarray], lag: np.ndarray, span: tuple[int, int]
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Records of harvests by the year of harvest.

    The year is that of sowing plus the usual lag of the cell, so that a cell that is harvested
    around New Year has one harvest in every year, and a season keeps its year in all climates.

    Parameters
    ----------
    records : mapping of str to numpy.ndarray
        ``[season, cell]``, with plantyear.
    lag : numpy.ndarray
        ``[cell]`` from `harvest_lag`.
    span : tuple of int
        First and last year of the weather; years with a harvest beyond are added.

    Returns
    -------
    years : numpy.ndarray
        ``[year]`` consecutive calendar years.
    by_year : dict of str to numpy.ndarray
        ``[year, cell]``, NaN where nothing was harvested.
    """
    year = records["plantyear"] + lag
    season, cell = np.nonzero(np.isfinite(year))
    at = year[season, cell].astype(int)
    years = np.arange(min(span[0], at.min(initial=span[0])),
                      max(span[1], at.max(initial=span[1])) + 1, dtype=np.int32)
    out = {}
    for name, values in records.items():
        out[name] = np.full((len(years), year.shape[1]), np.nan, dtype=values.dtype)
        out[name][at - years[0], cell] = values[season, cell]
    return years, out


def add_changes(member: xr.Dataset, baseline: xr.Dataset) -> xr.Dataset:
    """Yield changes of every year and means over the years.

    Means compare the years in which both climates have a harvest; climates of other years are
    compared by the means over their own years.

    Parameters
    ----------
    member, baseline : xarray.Dataset
        Over ``year``, with yield.

    Returns
    -------
    xarray.Dataset
        ``member`` with yield_change, yield_change_relative, yield_mean, yield_baseline_mean,
        yield_change_mean and yield_change_relative_mean.
    """
    value = member["yield"]
    reference = baseline["yield"].reindex(year=member["year"])
    change = value - reference
    if reference.notnull().any():
        both = change.notnull()
        mean, usual = value.where(both).mean("year"), reference.where(both).mean("year")
    else:
        mean, usual = value.mean("year"), baseline["yield"].mean("year")
    out = member.assign({
        "yield_change": change, "yield_change_relative": _percent(change, reference),
        "yield_mean": mean, "yield_baseline_mean": usual, "yield_change_mean": mean - usual,
        "yield_change_relative_mean": _percent(mean - usual, usual),
    })
    for name, (units, text) in _DESCRIPTIONS.items():
        out[name].attrs = {"units": units, "long_name": text}
        if name.endswith("_mean"):
            out[name].attrs["cell_methods"] = "year: mean"
    return out


_DESCRIPTIONS = {
    "yield_change": ("t ha-1", "yield minus that of the baseline in the same year, dry matter"),
    "yield_change_relative": ("%", "yield change over the baseline's yield in the same year"),
    "yield_mean": ("t ha-1", "mean yield, dry matter"),
    "yield_baseline_mean": ("t ha-1", "mean yield of the baseline, dry matter"),
    "yield_change_mean": ("t ha-1", "mean yield minus that of the baseline, dry matter"),
    "yield_change_relative_mean": ("%", "mean yield change over the baseline's mean yield"),
}


def _percent(change: xr.DataArray, reference: xr.DataArray) -> xr.DataArray:
    return 100.0 * change / reference.where(reference >= SMALL_YIELD)
