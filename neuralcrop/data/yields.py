"""The yields dataset: observed yields of sites and years with their weather, soil and sowing."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import xarray as xr

from neuralcrop.data import gaps, plausibility, timeaxis, units
from neuralcrop.data.co2 import CO2Input
from neuralcrop.data.derive import Notes
from neuralcrop.data.disaggregate import Frequency
from neuralcrop.data.errors import Problems
from neuralcrop.data.files import describe, open_files
from neuralcrop.data.forcing import complete
from neuralcrop.data.names import find_coordinate, find_time, some_names
from neuralcrop.data.observations import Observations, Reading, dry_share, read_observations
from neuralcrop.data.periods import PeriodLayout, from_periods, period_layout
from neuralcrop.data.places import Places
from neuralcrop.data.standardise import REQUIRED, standardise
from neuralcrop.data.tensors import CellIndex

log = logging.getLogger("neuralcrop.data")

MAX_YIELD = 60.0
"""t ha-1; larger values are refused."""

_SOWING = ("{crop}_sowing_doy50", "{crop}_sowing_day", "sowing_doy50", "sowing_day", "sowing_doy",
           "plantday")


@dataclass
class YieldsData:
    """Observed yields and what is needed to simulate them.

    Attributes
    ----------
    crop : str
        Crop of the yields.
    yields : xarray.DataArray
        ``[site, year]`` t ha-1 dry matter, NaN where not observed.
    weather : xarray.Dataset
        Weather in canonical names and units at its own resolution, dimension ``site``.
    frequency : str
        Resolution of the weather.
    layout : PeriodLayout or None
        Periods of weekly or monthly weather.
    soil : xarray.Dataset
        The file (soil variables are found in it by name), dimension ``site``.
    sowing : xarray.DataArray or None
        ``[site, year]`` or ``[site]`` day of year.
    cells : CellIndex
        The sites.
    source : str
        Where the data came from.
    others : Observations
        Observations of other kinds, errors, areas, regions.
    """

    crop: str
    yields: xr.DataArray
    weather: xr.Dataset
    frequency: Frequency
    layout: PeriodLayout | None
    soil: xr.Dataset
    sowing: xr.DataArray | None
    cells: CellIndex
    source: str
    co2: CO2Input = None
    notes: Notes = field(default_factory=Notes)
    others: Observations = field(default_factory=Observations)

    @property
    def n_sites(self) -> int:
        """Number of sites."""
        return int(self.yields.sizes["site"])

    @property
    def years(self) -> np.ndarray:
        """Harvest years of the yields."""
        return np.asarray(self.yields["year"].values, dtype=int)

    def daily(self, sites: Sequence[int] | np.ndarray | slice) -> xr.Dataset:
        """Canonical daily weather of some sites, ``[time, site]``; NaN where there is none.

        Raises
        ------
        InputError
            If values are out of range.
        """
        weather = self.weather.isel(site=sites)
        if self.layout is not None:
            daily = from_periods(weather, self.layout)
        else:
            daily = weather.transpose("time", ...).load()
        daily = plausibility.clean(daily)
        problems = Problems(self.source)
        plausibility.check_weather(daily, {}, Places.of(daily, ("site",)), problems)
        for name in [n for n in daily.data_vars if n != "co2"]:
            daily[name] = gaps.fill(str(name), daily[name])
        problems.raise_if_any()
        return complete(daily, self.notes, self.co2)

    def check(self) -> None:
        """Check yields, sowing days and the weather of all sites.

        Raises
        ------
        InputError
            With every problem found.
        """
        for start in range(0, self.n_sites, 64):
            self.daily(slice(start, start + 64))


def open_yields(
    path: str | Path | xr.Dataset, crop: str, weather: str | Path | Sequence[str | Path]
    | xr.Dataset | None = None, *, names: Mapping[str, str] | None = None, co2: CO2Input = None,
    reading: Reading | None = None,
) -> YieldsData:
    """Open a file of the yields schema (docs/data.md).

    Parameters
    ----------
    path : str, Path or Dataset
        Yields, soil, sowing and, unless it is elsewhere, weather.
    crop : str
        Crop, e.g. ``soybean``; the variable is ``soybean_yield`` or ``yield``.
    weather : path(s) or Dataset, optional
        Weather in another file: the same sites, or a lat-lon grid read at the nearest point.
    names : mapping of str to str, optional
        Our weather name to the file's.
    co2 : optional
        See `co2_for_years`.
    reading : Reading, optional
        Moisture of the yields and name of the regions.

    Raises
    ------
    InputError
        With every problem found.
    """
    reading = reading or Reading()
    if isinstance(path, xr.Dataset):
        dataset, source = path, "yields dataset"
    else:
        dataset, source = open_files(path), describe(path)
    problems = Problems(source)
    base = crop.split(":")[0]
    observed = _yields(dataset, base, reading, problems)
    problems.raise_if_any()
    assert observed is not None
    dataset, observed = _one_site_dim(dataset, observed)
    others = read_observations(
        dataset, base, observed, reading, problems, yield_name=observed.attrs["variable"],
        dry=observed.attrs["dry_share"])
    weather_set = dataset if weather is None else _other_weather(weather, dataset, problems)
    problems.raise_if_any()
    notes = Notes()
    weather_set, layout, frequency = _time_layout(weather_set, problems)
    standard = standardise(weather_set, problems, notes, names=names,
                           period_days=layout.days if layout is not None else 1.0).dataset
    time_dim = "period" if layout is not None else "time"
    for name in REQUIRED:
        if name in standard and "site" not in standard[name].dims:
            problems.add(f"variable {name}", f"dimensions {standard[name].dims}",
                         f"the sites and {time_dim}", "")
    sowing = _sowing(dataset, base, problems)
    problems.raise_if_any()
    places = Places.of(standard, ("site",))
    cells = CellIndex(places, np.arange(observed.sizes["site"]), {
        str(k): c for k, c in standard.coords.items() if set(c.dims) <= {"site"}})
    keep = [n for n in standard.data_vars if time_dim in standard[n].dims]
    return YieldsData(crop, observed, standard[keep], frequency, layout, dataset, sowing, cells,
                      source, co2, notes, others)


def _time_layout(
    weather: xr.Dataset, problems: Problems
) -> tuple[xr.Dataset, PeriodLayout | None, Frequency]:
    """Weather on one checked time dimension: ``period`` with its layout, or ``time``."""
    for frequency in ("week", "month"):
        if {"year", frequency} <= set(weather.dims):
            known = weather["year"].values.astype(int)
            weather = weather.reindex(year=np.arange(known.min(), known.max() + 1))
            layout = period_layout(weather, frequency, problems)
            return (weather if layout is None else layout.dataset), layout, frequency
    return _daily_axis(weather, problems), None, "day"


def _yields(
    dataset: xr.Dataset, crop: str, reading: Reading, problems: Problems
) -> xr.DataArray | None:
    """Observed yields in t ha-1 dry matter."""
    candidates = [f"{crop}_yield", "yield"]
    if crop.startswith(("winter_", "spring_")):
        candidates.insert(1, f"{crop.split('_', 1)[1]}_yield")
    name = next((c for c in candidates if c in dataset.data_vars), None)
    if name is None:
        problems.add("yields", f"no variable {' or '.join(candidates)}",
                     "yields in t ha-1 dry matter", "rename the variable; the file has "
                     + some_names(dataset))
        return None
    variable = dataset[name]
    if "year" not in variable.dims or "year" not in dataset.coords:
        problems.add(f"variable {name}", f"dimensions {variable.dims}",
                     "one of sites and 'year', with the coordinate year", "")
        return None
    given = variable.attrs.get("units")
    if given is None:
        problems.add(f"variable {name}", "no units attribute", "t ha-1 or kg ha-1",
                     f"dataset['{name}'].attrs['units'] = 't ha-1'")
        return None
    try:
        factor, _ = units.scale(str(given), "t ha-1")
    except ValueError:
        problems.add(f"variable {name}", f"units '{given}'", "t ha-1 or kg ha-1 of dry matter",
                     "convert it first: bushels and market moisture depend on the crop")
        return None
    dry = dry_share(variable, name, reading, problems)
    observed = (variable.astype("float64") * factor * dry).assign_attrs(
        units="t ha-1", long_name=f"{crop} yield, dry matter", variable=name, dry_share=dry)
    low, high = float(observed.min()), float(observed.max())
    if not (low >= 0.0 and high <= MAX_YIELD):
        problems.add(f"variable {name}", f"values from {low:g} to {high:g} t ha-1",
                     f"0 to {MAX_YIELD:g}", "check units")
    moisture = str(variable.attrs.get("long_name", "")) + str(variable.attrs.get("comment", ""))
    if dry == 1.0 and ("fresh" in moisture or "market moisture" in moisture):
        log.warning("%s looks like fresh matter; the model's yields are dry matter", name)
    return observed


def _one_site_dim(
    dataset: xr.Dataset, observed: xr.DataArray
) -> tuple[xr.Dataset, xr.DataArray]:
    """The spatial dimensions renamed or stacked to ``site``."""
    space = [str(d) for d in observed.dims if d != "year"]
    dataset = dataset.assign({"_observed": observed})
    if not space:
        dataset = dataset.expand_dims("site")
    elif len(space) == 1:
        if space[0] != "site":
            dataset = dataset.rename({space[0]: "site"})
    else:
        dataset = dataset.stack(site=space, create_index=False)
        keep = dataset["_observed"].notnull().any("year")
        dataset = dataset.isel(site=np.flatnonzero(keep.values))
    observed = dataset["_observed"].transpose("site", "year")
    return dataset.drop_vars("_observed"), observed.sortby("year")


def _other_weather(
    weather: str | Path | Sequence[str | Path] | xr.Dataset, sites: xr.Dataset, problems: Problems
) -> xr.Dataset:
    """Weather of another dataset at the sites."""
    other = weather if isinstance(weather, xr.Dataset) else open_files(weather)
    where = {n: find_coordinate(other, n) for n in ("lat", "lon")}
    own = {n: find_coordinate(sites, n) for n in ("lat", "lon")}
    if where["lat"] in other.dims and where["lon"] in other.dims and None not in own.values():
        lat = sites[own["lat"]].values.astype(float)
        lon = sites[own["lon"]].values.astype(float)
        grid_lat = other[where["lat"]].values.astype(float)
        grid_lon = other[where["lon"]].values.astype(float)
        row = np.abs(lat[:, None] - grid_lat[None, :]).argmin(axis=1)
        turn = np.abs((lon[:, None] - grid_lon[None, :] + 180.0) % 360.0 - 180.0)
        picked = other.isel({where["lat"]: xr.DataArray(row, dims="site"),
                             where["lon"]: xr.DataArray(turn.argmin(axis=1), dims="site")})
        log.info("weather read at the grid points nearest to the sites")
        picked = picked.drop_vars([where["lat"], where["lon"]], errors="ignore")
        return picked.assign_coords(lat=("site", lat), lon=("site", lon))
    space = [str(d) for d in other.dims if d not in ("time", "year", "week", "month")]
    space = [d for d in space if any(d in other[v].dims and other[v].ndim > 1 for v in other)]
    if len(space) != 1:
        problems.add("weather", f"dimensions {dict(other.sizes)}",
                     f"the {sites.sizes['site']} sites of the yields, or a lat-lon grid", "")
        return other
    other = other.rename({space[0]: "site"}) if space[0] != "site" else other
    if "site" in other.coords and "site" in sites.coords:
        missing = sorted(set(sites["site"].values.tolist()) - set(other["site"].values.tolist()))
        if missing:
            problems.add("weather", f"no site {missing[0]} and {len(missing) - 1} more",
                         "every site of the yields", "")
            return other
        other = other.sel(site=sites["site"])
    elif other.sizes["site"] != sites.sizes["site"]:
        problems.add("weather", f"{other.sizes['site']} sites", f"{sites.sizes['site']} as the "
                     "yields", f"give both the coordinate of the dimension {space[0]}")
    for name in ("lat", "lon"):
        if where[name] is None and own[name] is not None:
            other = other.assign_coords({name: ("site", sites[own[name]].values)})
    return other


def _daily_axis(weather: xr.Dataset, problems: Problems) -> xr.Dataset:
    """Weather on a checked daily time axis."""
    axis = find_time(weather)
    if axis is None:
        problems.add("weather", f"no weather in the file (dimensions {dict(weather.sizes)})",
                     "variables over (site, year, week), (site, year, month) or (site, time)",
                     "add it or give it as weather=")
        return weather
    weather = weather.rename({axis: "time"}) if axis != "time" else weather
    if timeaxis.check_type(weather["time"], problems):
        weather, _ = timeaxis.whole_days(weather)
        timeaxis.check_daily(weather["time"], problems)
    return weather


def _sowing(dataset: xr.Dataset, crop: str, problems: Problems) -> xr.DataArray | None:
    """Day of year of sowing, where the file has it."""
    for pattern in _SOWING:
        name = pattern.format(crop=crop)
        if name in dataset.data_vars:
            sowing = dataset[name].transpose("site", ..., missing_dims="ignore")
            low, high = float(sowing.min()), float(sowing.max())
            if low < 1 or high > 366:
                problems.add(f"variable {name}", f"values from {low:g} to {high:g}",
                             "day of year, 1 to 366", "")
            return sowing
    return None
