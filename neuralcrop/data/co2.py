"""Atmospheric CO2 by calendar year."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Union

import numpy as np
import pandas as pd
import xarray as xr

from neuralcrop.data.errors import InputError, Problem
from neuralcrop.data.units import forcing_scale

log = logging.getLogger("neuralcrop.data")

CO2Input = Union[float, int, str, Path, "xr.DataArray", "pd.Series", "dict[int, float]", None]

_BEFORE_NOAA = {
    1850: 284.7, 1860: 286.2, 1870: 287.5, 1880: 290.7, 1890: 294.2, 1900: 295.8, 1910: 299.7,
    1920: 303.0, 1930: 307.2, 1940: 310.4, 1950: 310.8, 1955: 313.0, 1960: 316.3, 1965: 319.6,
    1970: 325.0, 1975: 330.6,
}

_NOAA_FROM_1979 = (
    336.85, 338.91, 340.11, 340.86, 342.53, 344.07, 345.54, 346.97, 348.68, 351.16, 352.78,
    354.05, 355.39, 356.09, 356.83, 358.33, 360.17, 361.93, 363.05, 365.70, 367.80, 368.96,
    370.57, 372.59, 375.15, 376.95, 378.98, 381.15, 382.90, 385.02, 386.50, 388.76, 390.63,
    392.65, 395.40, 397.34, 399.65, 403.06, 405.22, 407.61, 410.07, 412.44, 414.70, 417.07,
    419.31, 422.8,
)

HISTORICAL: dict[int, float] = {
    **_BEFORE_NOAA, **{1979 + k: v for k, v in enumerate(_NOAA_FROM_1979)}
}
"""Global annual mean CO2, ppm, 1850-2024.

To 1975 at intervals, the historical record of Meinshausen et al. (2011,
doi:10.1007/s10584-011-0156-z); from 1979 the marine surface annual means of the NOAA Global
Monitoring Laboratory (gml.noaa.gov/ccgg/trends/gl_data.html). Years between are interpolated.
"""


EXTRAPOLATED = 6
"""Years after the record for which its trend is carried on; later years need ``co2``."""


def co2_for_years(years: np.ndarray, co2: CO2Input = None) -> np.ndarray:
    """CO2 of calendar years.

    Parameters
    ----------
    years : numpy.ndarray
        Calendar years.
    co2 : number, DataArray, Series, mapping, path or None
        One value for all years (ppm); values by ``year``; a CSV file with the column ``year`` and
        one column of ppm, or ``"file.csv:column"`` for one of several; None for the built-in
        historical record (`HISTORICAL`).

    Returns
    -------
    numpy.ndarray
        ppm for each entry of ``years``.

    Raises
    ------
    InputError
        If a year is not covered.
    """
    years = np.asarray(years, dtype=np.int64)
    if isinstance(co2, (int, float, np.integer, np.floating)) and not isinstance(co2, bool):
        if not 100.0 <= float(co2) <= 3000.0:
            _refuse("co2", f"{co2} ppm", "a value between 100 and 3000 ppm", "give it in ppm")
        return np.full(years.shape, float(co2))
    if co2 is None:
        table, label = _built_in(int(years.max(initial=0))), "built-in CO2 record"
    elif isinstance(co2, (str, Path)):
        table, label = _read_csv(str(co2)), f"CO2 file {co2}"
    else:
        table, label = _as_series(co2), "co2"
    missing = sorted(set(years.tolist()) - set(table.index.tolist()))
    if missing:
        _refuse(label, f"no value for {_span(missing)}",
                f"every year of the weather ({_span(sorted(set(years.tolist())))})",
                "pass co2= a number in ppm, a series by year, or a CSV file of a scenario")
    return table.reindex(years).to_numpy(dtype=float)


def _refuse(where: str, what: str, expected: str, remedy: str) -> None:
    raise InputError([Problem(where, what, expected, remedy)], "CO2")


def _span(years: list[int]) -> str:
    return str(years[0]) if len(years) == 1 else f"{years[0]}-{years[-1]}"


def _built_in(last_year: int) -> pd.Series:
    """The record by year, carried on at its last trend for a few years with a warning."""
    end = max(HISTORICAL)
    table = dict(HISTORICAL)
    if end < last_year <= end + EXTRAPOLATED:
        trend = (table[end] - table[end - 10]) / 10.0
        log.warning("CO2 after %d: the trend of the last ten years (%.1f ppm a year) goes on; "
                    "pass co2= for a scenario", end, trend)
        table |= {y: table[end] + trend * (y - end) for y in range(end + 1, last_year + 1)}
    years = np.arange(min(table), max(table) + 1)
    return pd.Series(np.interp(years, list(table), list(table.values())), index=years)


def _as_series(co2: object) -> pd.Series:
    """Series by integer year from the accepted in-memory forms."""
    if isinstance(co2, xr.DataArray):
        if co2.ndim == 0:
            return _as_series({y: float(co2) for y in range(1, 3000)})
        if co2.ndim == 1 and (co2.dims[0] == "year" or "year" in co2.coords):
            factor, _ = forcing_scale("co2", str(co2.attrs.get("units", "ppm")))
            return pd.Series(co2.values * factor, index=co2["year"].values.astype(int))
        if co2.ndim == 1 and co2.dims[0] == "time":
            factor, _ = forcing_scale("co2", str(co2.attrs.get("units", "ppm")))
            series = pd.Series(co2.values * factor, index=co2["time"].dt.year.values)
            return series.groupby(level=0).mean()
        _refuse("co2", f"DataArray with dims {co2.dims}", "one dimension, year or time", "")
    if isinstance(co2, dict):
        co2 = pd.Series(co2)
    if not isinstance(co2, pd.Series):
        _refuse("co2", f"a {type(co2).__name__}",
                "a number, a DataArray or Series by year, a CSV path, or None", "")
    assert isinstance(co2, pd.Series)
    index = co2.index.year if isinstance(co2.index, pd.DatetimeIndex) else co2.index.astype(int)
    return pd.Series(co2.to_numpy(dtype=float), index=index).groupby(level=0).mean()


def _read_csv(path: str) -> pd.Series:
    """Column of a CSV file by year; ``path:column`` picks one of several."""
    column = None
    if not Path(path).exists() and ":" in path:
        path, column = path.rsplit(":", 1)
    if not Path(path).exists():
        _refuse(f"co2 file {path}", "not found", "a CSV file with the columns year and ppm",
                "check the path")
    table = pd.read_csv(path, comment="#")
    if "year" not in table:
        _refuse(f"co2 file {path}", f"columns {list(table.columns)}", "a column 'year'", "")
    numeric = [str(c) for c in table.select_dtypes("number").columns if c != "year"]
    if column is None and len(numeric) > 1:
        _refuse(f"co2 file {path}", f"several columns: {', '.join(numeric)}", "one",
                f"say which: co2='{path}:{numeric[0]}'")
    if column is not None and column not in numeric:
        _refuse(f"co2 file {path}", f"no column '{column}'", f"one of {', '.join(numeric)}", "")
    return pd.Series(table[column or numeric[0]].to_numpy(float), index=table["year"].astype(int))
