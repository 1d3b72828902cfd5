"""The door for weather: any daily, weekly or monthly dataset to one canonical daily dataset."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neuralcrop.core.variables import FORCING_NAMES, REGISTRY
from neuralcrop.data import gaps, plausibility, timeaxis
from neuralcrop.data.co2 import CO2Input, co2_for_years
from neuralcrop.data.derive import Notes, derive_missing
from neuralcrop.data.disaggregate import Frequency
from neuralcrop.data.errors import Problems, nearest
from neuralcrop.data.files import describe, open_files
from neuralcrop.data.names import find_time
from neuralcrop.data.periods import from_periods, period_layout
from neuralcrop.data.places import Places
from neuralcrop.data.standardise import REQUIRED, spatial_dims, standardise

PREPARED = "neuralcrop_prepared"
"""Attribute that marks a canonical dataset."""

MAX_VALUES_IN_MEMORY = 200_000_000
"""Larger datasets stay lazy: they are checked chunk by chunk as the run reads them."""

COAST_SHARE = 0.1
"""Share of a grid's land cells that may lack a variable entirely and be masked."""


def open_forcing(
    paths: str | Path | Sequence[str | Path] | xr.Dataset, *,
    names: Mapping[str, str] | None = None, co2: CO2Input = None, frequency: Frequency = "day",
    max_gap: int = gaps.MAX_GAP, chunks: Mapping[str, int] | str | None = None,
    time: slice | None = None, wind_height: float | None = None,
) -> xr.Dataset:
    """Open weather files and bring them to canonical names, units and calendar.

    Parameters
    ----------
    paths : str, Path, sequence of these, or xarray.Dataset
        NetCDF files or zarr stores; globs are expanded. Files may split time or variables.
    names : mapping of str to str, optional
        Our name to the file's name, e.g. ``{"tasmin": "Tn_2m"}``, where it is not recognised.
    co2 : number, DataArray, Series, mapping or path, optional
        Atmospheric CO2 (see `co2_for_years`); default the built-in historical record.
    frequency : {"day", "week", "month"}
        Resolution of the data; weeks and months are disaggregated to days.
    max_gap : int
        Longest gap filled, d (temperature, radiation, humidity, wind by straight lines,
        precipitation by the mean of the 15 days either side); a longer one is an error.
    chunks : mapping or "auto", optional
        Open lazily with these chunks; by default anything that fits is read into memory.
    time : slice, optional
        Dates to use, e.g. ``slice("1990", "1999")``.
    wind_height : float, optional
        Height of the wind measurement, m.

    Returns
    -------
    xarray.Dataset
        The ten variables of `FORCING_NAMES` in registry units; see `prepare_forcing`.

    Raises
    ------
    InputError
        With every problem found.
    """
    if isinstance(paths, xr.Dataset):
        dataset, source = paths, "forcing dataset"
    else:
        dataset, source = open_files(paths, chunks), describe(paths)
        if chunks is None and _size(dataset) > MAX_VALUES_IN_MEMORY:
            dataset = open_files(paths, _time_chunks(dataset))
    return prepare_forcing(
        dataset, names=names, co2=co2, frequency=frequency, max_gap=max_gap, time=time,
        wind_height=wind_height, lazy=chunks is not None, source=source,
    )


def prepare_forcing(
    dataset: xr.Dataset, *, names: Mapping[str, str] | None = None, co2: CO2Input = None,
    frequency: Frequency = "day", max_gap: int = gaps.MAX_GAP, time: slice | None = None,
    wind_height: float | None = None, lazy: bool = False, source: str = "forcing",
) -> xr.Dataset:
    """Bring a dataset to canonical form; a dataset already in it comes back as it is.

    Parameters
    ----------
    dataset : xarray.Dataset
        Dimension ``time`` (or ``year`` and ``week``/``month``) and no, one, or two others.
    names, co2, frequency, max_gap, time, wind_height
        See `open_forcing`.
    lazy : bool
        Keep the data lazy whatever their size.
    source : str
        Name of the input for messages.

    Returns
    -------
    xarray.Dataset
        Variables `FORCING_NAMES` with dimensions ``time`` and the user's spatial dimensions
        (``co2``: ``time``), coordinates lat, lon, elevation. Cells without any data are NaN. The
        attribute ``neuralcrop_notes`` lists what was derived.

    Raises
    ------
    InputError
        With every problem found.
    """
    if not isinstance(dataset, xr.Dataset):
        raise TypeError(f"forcing must be an xarray.Dataset or paths, not {type(dataset).__name__}")
    if PREPARED in dataset.attrs:
        return _again(dataset, co2, time)
    problems, notes = Problems(source), Notes()
    if frequency not in ("day", "week", "month"):
        problems.add("frequency", f"'{frequency}'", "day, week or month",
                     nearest(str(frequency), ("day", "week", "month")))
        problems.raise_if_any()
    if frequency == "day":
        daily, labels = _read_days(dataset, problems, notes, names, wind_height, time)
    else:
        daily, labels = _read_periods(dataset, frequency, problems, notes, names, wind_height, time)
    if daily is None:
        problems.raise_if_any()
        raise AssertionError("a dataset without days must have a problem")
    daily, dims = spatial_dims(daily, ("time",))
    _check_dims(dims, problems)
    daily = daily.transpose("time", ...)
    in_memory = not lazy and _size(daily) <= MAX_VALUES_IN_MEMORY
    if in_memory:
        daily = daily.load()
    daily = _check_values(daily, dims, labels, max_gap, in_memory, problems, notes)
    problems.raise_if_any()
    return complete(daily, notes, co2, checked=in_memory, max_gap=max_gap)


def _time_chunks(dataset: xr.Dataset) -> Mapping[str, int] | str:
    """Chunks of at least a month with about 30 million values a variable."""
    axis = find_time(dataset)
    if axis is None:
        return "auto"
    largest = max((v.size for v in dataset.data_vars.values() if axis in v.dims), default=0)
    return {axis: max(31, int(30e6 * dataset.sizes[axis] / max(largest, 1)))}


def _size(dataset: xr.Dataset) -> int:
    """Number of values of all variables."""
    return sum(v.size for v in dataset.data_vars.values())


def _again(dataset: xr.Dataset, co2: CO2Input, time: slice | None) -> xr.Dataset:
    """A prepared dataset, with other CO2 or fewer days when asked."""
    problems = Problems("prepared forcing")
    for name in FORCING_NAMES:
        if name not in dataset:
            problems.add(f"variable {name}", "missing from a dataset marked as prepared",
                         "all canonical variables",
                         f"remove the attribute '{PREPARED}' to have it prepared again")
    problems.raise_if_any()
    if time is not None:
        dataset = dataset.sel(time=time)
    if co2 is not None:
        dataset = dataset.assign(co2=_co2_series(dataset, co2))
    return dataset


def _read_days(
    dataset: xr.Dataset, problems: Problems, notes: Notes, names: Mapping[str, str] | None,
    wind_height: float | None, time: slice | None,
) -> tuple[xr.Dataset | None, dict[str, str]]:
    """Standard names and units on a checked daily time axis; None where that failed."""
    axis = find_time(dataset)
    if axis is None:
        hint = next((f for f in ("week", "month") if f in dataset.dims and "year" in dataset.dims),
                    None)
        problems.add("dimension time", f"missing; the dataset has {dict(dataset.sizes)}",
                     "a dimension 'time' of days",
                     f"for (year, {hint}) data say frequency='{hint}'" if hint else
                     "rename the time dimension to 'time'")
    elif axis != "time":
        dataset = dataset.rename({axis: "time"})
    usable = axis is not None
    if usable and "time" not in dataset.coords:
        problems.add("time", "dimension without dates", "a coordinate of dates",
                     "dataset.assign_coords(time=...)")
        usable = False
    if usable and timeaxis.check_type(dataset["time"], problems):
        dataset, moved = timeaxis.whole_days(dataset)
        if moved:
            notes.say("time stamps rounded to the start of their day")
        if time is not None and timeaxis.is_sorted(dataset["time"]):
            dataset = dataset.sel(time=time)
            usable = timeaxis.check_type(dataset["time"], problems)
        if usable:
            timeaxis.check_daily(dataset["time"], problems)
    else:
        usable = False
    standard = standardise(dataset, problems, notes, names=names, wind_height=wind_height)
    return (standard.dataset if usable else None), standard.labels


def _read_periods(
    dataset: xr.Dataset, frequency: Frequency, problems: Problems, notes: Notes,
    names: Mapping[str, str] | None, wind_height: float | None, time: slice | None,
) -> tuple[xr.Dataset, dict[str, str]]:
    """Standard names and units, disaggregated from weeks or months to days."""
    layout = period_layout(dataset, frequency, problems)
    problems.raise_if_any()
    assert layout is not None
    standard = standardise(layout.dataset, problems, notes, names=names, wind_height=wind_height,
                           period_days=layout.days)
    problems.raise_if_any()
    daily = from_periods(standard.dataset, layout)
    notes.say(f"{frequency}ly data disaggregated to days, means and totals kept")
    return (daily.sel(time=time) if time is not None else daily), standard.labels


def _check_dims(dims: tuple[str, ...], problems: Problems) -> None:
    if len(dims) > 2:
        problems.add("dimensions", f"time and {', '.join(dims)}",
                     "time and nothing, one dimension, or lat and lon",
                     "select one entry of the others, or stack them")


def _check_values(
    daily: xr.Dataset, dims: tuple[str, ...], labels: Mapping[str, str], max_gap: int,
    in_memory: bool, problems: Problems, notes: Notes,
) -> xr.Dataset:
    """Ranges, order of temperatures and gaps; clean noise, fill short gaps, mask empty cells."""
    out = plausibility.clean(_same_dims(daily))
    if in_memory and "lat" in out.coords and len(dims) <= 2:
        places = Places.of(out, dims)
        plausibility.check_weather(out, labels, places, problems)
        out = _check_gaps(out, places, max_gap, problems, notes)
    for name in list(out.data_vars):
        if name != "co2":
            out[name] = gaps.fill(str(name), out[name], max_gap)
    return out


def _same_dims(daily: xr.Dataset) -> xr.Dataset:
    """Variables without time or space (a constant pressure, say) spread over both."""
    if "tasmin" not in daily:
        return daily
    like = daily["tasmin"]
    return daily.assign({
        name: v.broadcast_like(like).transpose(*like.dims).assign_attrs(v.attrs)
        for name, v in daily.data_vars.items() if name != "co2" and v.dims != like.dims})


def _check_gaps(
    out: xr.Dataset, places: Places, max_gap: int, problems: Problems, notes: Notes
) -> xr.Dataset:
    """Tell ocean from gaps, mask the ocean, report long gaps and count what will be filled."""
    timed = [str(n) for n in out.data_vars if n != "co2"]
    empty = {n: out[n].isnull().all("time").broadcast_like(out[timed[0]].isel(time=0, drop=True))
             .transpose(*places.dims).values for n in timed}
    ocean = np.logical_and.reduce([empty[n] for n in timed if n in REQUIRED] or [
        np.zeros(places.shape, dtype=bool)])
    land = ~np.asarray(ocean)
    if not land.any():
        problems.add("all variables", "no values at all", "at least one cell with data", "")
    for name in timed:
        lacking = empty[name] & land
        share = lacking.sum() / max(land.sum(), 1)
        if lacking.any() and len(places.dims) == 2 and share <= COAST_SHARE:
            first = places.name(int(np.flatnonzero(lacking)[0]))
            notes.say(f"{name} has no values in {int(lacking.sum())} land cells, first {first}: "
                      "masked", warn=True)
            land &= ~lacking
    if not land.all():
        keep = xr.DataArray(land, dims=places.dims)
        out = out.assign({n: out[n].where(keep).assign_attrs(out[n].attrs) for n in timed})
    found = {}
    for name in timed:
        count, gap = gaps.find_gaps(out[name].values, land, max_gap)
        if gap is not None:
            found[name] = gap
        elif count:
            notes.say(f"{name}: {count} missing values filled "
                      f"({'mean of the days around' if name == 'pr' else 'straight line'})")
    gaps.report_gaps(found, out["time"], places.name, max_gap, problems)
    return out


def _co2_series(daily: xr.Dataset, co2: CO2Input) -> xr.DataArray:
    """CO2 by day."""
    years = daily["time"].dt.year.values
    values = co2_for_years(years, co2).astype("float32")
    return xr.DataArray(values, dims="time", coords={"time": daily["time"]},
                        attrs=REGISTRY["co2"].attributes())


def complete(
    daily: xr.Dataset, notes: Notes, co2: CO2Input = None, *, checked: bool = True,
    max_gap: int = gaps.MAX_GAP,
) -> xr.Dataset:
    """Derive what is missing and put the variables into canonical order.

    Parameters
    ----------
    daily : xarray.Dataset
        Daily variables in canonical names and units.
    notes : Notes
        Receives what is derived.
    co2 : number, DataArray, Series, mapping or path, optional
        See `co2_for_years`; default the dataset's own CO2, else the built-in record.
    checked : bool
        Whether the values have been checked in full.
    max_gap : int
        Recorded in the attributes.
    """
    if co2 is None and "co2" in daily:
        own = daily["co2"]
        co2 = own.isel({d: 0 for d in own.dims if d != "time"}, drop=True)
    if co2 is None:
        notes.say("co2: built-in historical record")
    out = derive_missing(daily.drop_vars("co2", errors="ignore"), notes)
    out["co2"] = _co2_series(out, co2)
    out = out[list(FORCING_NAMES)]
    attrs = {k: v for k, v in daily.attrs.items() if isinstance(v, str)}
    return out.assign_attrs({
        **attrs, PREPARED: "1", "neuralcrop_checked": "all" if checked else "on reading",
        "neuralcrop_max_gap": max_gap, "neuralcrop_notes": "; ".join(notes.texts),
    })
