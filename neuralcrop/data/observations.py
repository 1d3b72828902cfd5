"""What a yields file holds besides yields: moisture, errors, areas, regions, other observations."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import xarray as xr

from neuralcrop.data import units
from neuralcrop.data.errors import Problems
from neuralcrop.data.names import some_names

log = logging.getLogger("neuralcrop.data")

MIDDAY = 0.5
"""Of the day on which an event was seen, when it is a day of the year."""


@dataclass(frozen=True)
class Kind:
    """A kind of observation of a season.

    Attributes
    ----------
    units : str
        Of the observation and of the model.
    aliases : tuple of str
        Other names of its variable.
    highest : float
        Larger values are refused.
    error : float
        Usual standard deviation, where neither file nor configuration gives one.
    """

    units: str
    aliases: tuple[str, ...]
    highest: float
    error: float


KINDS: dict[str, Kind] = {
    "anthday": Kind("d", ("anthesis_day", "flowering_day"), 400.0, 5.0),
    "matyday": Kind("d", ("maturity_day",), 500.0, 7.0),
    "lai_max": Kind("1", ("laimax",), 20.0, 0.7),
    "aet": Kind("kg m-2", ("et", "evapotranspiration"), 3000.0, 50.0),
    "biom": Kind("t ha-1", ("biomass",), 150.0, 2.0),
}
"""Kinds besides yields, by the name of the season's output (`core.variables`); ``aet`` is the sum
of ``transp`` and ``evap``, the name of GGCMI."""

DATES = ("anthday", "matyday")
"""Kinds in days from sowing."""

DAY_OF_YEAR = re.compile(r"^(1|doy|day[ _]of[ _](the[ _])?year)$", re.IGNORECASE)
DRY = re.compile(r"dry[ _-]?(matter|weight|mass)", re.IGNORECASE)
AREAS = ("{crop}_harvested_area", "harvested_area", "area_harvested")


@dataclass(frozen=True)
class Reading:
    """How a yields file is read.

    Attributes
    ----------
    moisture : float or None
        Water in the yields as they are reported, share of fresh mass; None for dry matter, or for
        what the attribute ``moisture`` of the variable says.
    region : str or None
        Variable over the sites that names their region.
    strict : bool
        Whether ``moisture`` for yields that the file calls dry matter is an error, and not just
        without effect; likewise a region that the file does not have.
    """

    moisture: float | None = None
    region: str | None = None
    strict: bool = True


@dataclass(frozen=True)
class Observations:
    """Other observations of the sites and years of yields.

    Attributes
    ----------
    values, errors : dict of str to xarray.DataArray
        ``[site, year]`` by kind in its own units, NaN where there is none; standard deviations,
        also of ``yield``.
    counted : tuple of str
        Dates that are days of the year, and not days from sowing.
    area : xarray.DataArray or None
        ``[site, year]`` harvested area.
    region : numpy.ndarray or None
        ``[site]`` names.
    """

    values: dict[str, xr.DataArray] = field(default_factory=dict)
    errors: dict[str, xr.DataArray] = field(default_factory=dict)
    counted: tuple[str, ...] = ()
    area: xr.DataArray | None = None
    region: np.ndarray | None = None

    def columns(self, site: np.ndarray, column: np.ndarray, sowing: np.ndarray) -> pd.DataFrame:
        """Columns of the table of samples: kinds, ``<kind>_error``, ``area``, ``region``.

        Parameters
        ----------
        site, column : numpy.ndarray
            ``[sample]`` site and index of the year.
        sowing : numpy.ndarray
            ``[sample]`` day of year of sowing.
        """
        out: dict[str, np.ndarray] = {}
        for name, values in self.values.items():
            picked = values.values[site, column]
            if name in self.counted:
                picked = (picked - sowing) % 365.0 + MIDDAY
            out[name] = picked
        for name, values in self.errors.items():
            out[f"{name}_error"] = values.values[site, column]
        if self.area is not None:
            out["area"] = self.area.values[site, column]
        if self.region is not None:
            out["region"] = self.region[site]
        return pd.DataFrame(out, index=np.arange(len(site)))

    def unused(self, observed: xr.DataArray) -> int:
        """Site-years with other observations but no yield, of which no samples are made."""
        seen = np.zeros(observed.shape, dtype=bool)
        for values in self.values.values():
            seen |= np.isfinite(values.values)
        return int((seen & ~np.isfinite(observed.values)).sum())


def dry_share(
    variable: xr.DataArray, name: str, reading: Reading, problems: Problems
) -> float:
    """Share of dry matter in yields as they are reported."""
    words = " ".join(str(variable.attrs.get(k, "")) for k in ("long_name", "comment", "units"))
    says = _moisture(variable, name, problems)
    if DRY.search(words):
        if reading.moisture and reading.strict:
            problems.add("data.moisture", f"{reading.moisture:g}, but {name} is dry matter "
                         f"('{variable.attrs.get('long_name', '')}')", "null",
                         "leave data.moisture out, or correct the file's attributes")
        return 1.0
    if says is not None and reading.moisture is not None and abs(says - reading.moisture) > 1e-6:
        problems.add("data.moisture", f"{reading.moisture:g}, but {name} has the attribute "
                     f"moisture {says:g}", "one of them", "")
    moisture = reading.moisture if says is None else says
    if moisture:
        log.info("%s: %.1f %% moisture taken off", name, 100.0 * moisture)
    return 1.0 - (moisture or 0.0)


def _moisture(variable: xr.DataArray, name: str, problems: Problems) -> float | None:
    given = variable.attrs.get("moisture")
    if given is None:
        return None
    text = str(given).strip()
    try:
        value = float(text.rstrip("% ")) * (0.01 if text.endswith("%") else 1.0)
    except ValueError:
        value = float("nan")
    if not 0.0 <= value < 1.0:
        problems.add(f"variable {name}", f"attribute moisture '{given}'",
                     "a share of the fresh mass, as 0.13 or '13 %'", "")
        return None
    return value


def read_observations(
    dataset: xr.Dataset, crop: str, observed: xr.DataArray, reading: Reading, problems: Problems,
    *, yield_name: str = "yield", dry: float = 1.0,
) -> Observations:
    """Everything that a file holds besides yields.

    Parameters
    ----------
    dataset : Dataset
        With the dimension ``site``.
    crop : str
        Base name of the crop.
    observed : DataArray
        ``[site, year]`` yields.
    reading : Reading
        What to look for.
    problems : Problems
        Takes what is wrong.
    yield_name : str
        Variable of the yields; its errors are ``<name>_error``.
    dry : float
        Share of dry matter in yields and their errors as reported.
    """
    values, errors, counted = {}, {}, []
    for kind, about in KINDS.items():
        names = [f"{crop}_{n}" for n in (kind, *about.aliases)] + [kind, *about.aliases]
        name = next((n for n in names if n in dataset.data_vars and _yearly(dataset[n])), None)
        if name is None:
            continue
        array, day_of_year = _converted(dataset, name, kind, about, problems)
        if array is None:
            continue
        values[kind] = _aligned(array, observed, name, problems)
        counted += [kind] if day_of_year else []
        if f"{name}_error" in dataset.data_vars:
            error = dataset[f"{name}_error"].astype("float64")
            if kind not in DATES:
                error = error * _factor(f"{name}_error", error, about.units, problems)
            errors[kind] = _positive(error, observed, f"{name}_error", problems)
    for name in (f"{yield_name}_error", f"{crop}_yield_error", "yield_error"):
        if name in dataset.data_vars:
            error = dataset[name].astype("float64")
            error = error * _factor(name, error, "t ha-1", problems) * dry
            errors["yield"] = _positive(error, observed, name, problems)
            break
    area = _area(dataset, crop, observed, problems)
    region = _region(dataset, reading, problems)
    return Observations(values, errors, tuple(counted), area, region)


def _yearly(variable: xr.DataArray) -> bool:
    """Whether a variable is one of sites and years, not weather of the same name."""
    return set(variable.dims) <= {"site", "year"} and "year" in variable.dims


def _converted(
    dataset: xr.Dataset, name: str, kind: str, about: Kind, problems: Problems
) -> tuple[xr.DataArray | None, bool]:
    """A variable in our units, and whether it is a day of the year."""
    variable = dataset[name].astype("float64")
    given = str(variable.attrs.get("units", ""))
    day_of_year = kind in DATES and bool(DAY_OF_YEAR.match(given.strip()))
    if kind in DATES and given.strip().lower().startswith("days since"):
        problems.add(f"variable {name}", f"units '{given}'",
                     "'d' for days from sowing, or 'day of year'", "")
        return None, False
    if not day_of_year:
        variable = variable * _factor(name, variable, about.units, problems)
    low, high = float(variable.min()), float(variable.max())
    lowest, highest = (1.0, 366.0) if day_of_year else (0.0, about.highest)
    if variable.notnull().any() and not (low >= lowest and high <= highest):
        problems.add(f"variable {name}", f"values from {low:g} to {high:g} "
                     f"{'(day of year)' if day_of_year else about.units}",
                     f"{lowest:g} to {highest:g}", "check units")
    return variable, day_of_year


def _factor(name: str, variable: xr.DataArray, wanted: str, problems: Problems) -> float:
    given = variable.attrs.get("units")
    accepted = "mm or kg m-2" if wanted == "kg m-2" else (
        "d (days from sowing) or day of year" if wanted == "d" else wanted)
    if given is None:
        problems.add(f"variable {name}", "no units attribute", accepted,
                     f"dataset['{name}'].attrs['units'] = '{wanted}'")
        return 1.0
    for target in ("mm", wanted) if wanted == "kg m-2" else (wanted,):
        try:
            return units.scale(str(given), target)[0]
        except ValueError:
            continue
    problems.add(f"variable {name}", f"units '{given}'", accepted, "convert it first")
    return 1.0


def _aligned(
    array: xr.DataArray, observed: xr.DataArray, name: str, problems: Problems
) -> xr.DataArray:
    """Over the sites and years of the yields."""
    extra = [str(d) for d in array.dims if d not in ("site", "year")]
    if extra:
        problems.add(f"variable {name}", f"dimensions {array.dims}", "the sites and 'year'", "")
        return xr.full_like(observed, np.nan)
    if "site" not in array.dims:
        array = array.expand_dims(site=observed.sizes["site"])
    if "year" in array.dims:
        return array.reindex(year=observed["year"]).transpose("site", "year")
    return array.expand_dims(year=observed["year"]).transpose("site", "year")


def _positive(
    array: xr.DataArray, observed: xr.DataArray, name: str, problems: Problems
) -> xr.DataArray:
    if bool((array <= 0.0).any()):
        problems.add(f"variable {name}", f"values down to {float(array.min()):g}",
                     "standard deviations above 0", "NaN where they are not known")
    return _aligned(array, observed, name, problems)


def _area(
    dataset: xr.Dataset, crop: str, observed: xr.DataArray, problems: Problems
) -> xr.DataArray | None:
    """Harvested area; gaps have the mean of the site, or else of all."""
    name = next((n for n in (a.format(crop=crop) for a in AREAS) if n in dataset.data_vars), None)
    if name is None:
        return None
    array = dataset[name].astype("float64")
    if bool((array < 0.0).any()):
        problems.add(f"variable {name}", f"values down to {float(array.min()):g}",
                     "areas of at least 0", "")
    area = _aligned(array, observed, name, problems)
    return area.fillna(area.mean("year")).fillna(area.mean())


def _region(dataset: xr.Dataset, reading: Reading, problems: Problems) -> np.ndarray | None:
    if reading.region is None:
        return None
    if reading.region not in dataset or dataset[reading.region].dims != ("site",):
        if reading.strict:
            problems.add("data.region", f"no variable '{reading.region}' over the sites",
                         "one that names the region of each site",
                         f"the file has {some_names(dataset)}")
        return None
    return np.asarray(dataset[reading.region].values).astype(str)
