"""What a run needs, taken from the inputs of PCSE; and the parameters of crop, soil and site."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from neuralcrop.core.parameters import ParameterError, ParameterValue
from neuralcrop.crops.wofost72.given import take_apart

PRODUCTIONS = ("potential", "water_limited")


@dataclass(frozen=True)
class Crop:
    """Parameters of a run.

    Attributes
    ----------
    parameters : dict of str to ParameterValue
        Crop, like those of ``neuralcrop.crops.wofost72.load_variety``.
    site : dict of str to float
        Soil and site under PCSE's names and in its units; all of `SITE` in water-limited
        production, in potential production those that are given or have a default.
    co2 : float
        CO2 of the air (ppm).
    """

    parameters: dict[str, ParameterValue]
    site: dict[str, float]
    co2: float


@dataclass(frozen=True)
class Calendar:
    """When the soil and the crop start, how the crop ends, and what is irrigated.

    Attributes
    ----------
    campaign_start : date
        First day of the run; until the crop starts, the soil is bare.
    crop_start : date
        Day of sowing or emergence.
    start_type : str
        "sowing" or "emergence".
    end_date : date or None
        Day of harvest; None where only maturity counts.
    end_type : str
        "maturity", "harvest" or "earliest" of both.
    max_duration : int
        Days after `crop_start` at which the crop ends at the latest (d).
    irrigation : dict of date to float
        Effective irrigation, amount times efficiency (cm).
    next_campaign : date or None
        Day on which a campaign without a crop follows; the crop must have ended by then.
    """

    campaign_start: dt.date
    crop_start: dt.date
    start_type: str
    end_date: dt.date | None
    end_type: str
    max_duration: int
    irrigation: dict[dt.date, float] = field(default_factory=dict)
    next_campaign: dt.date | None = None

    @property
    def last_day(self) -> dt.date:
        """Latest day that the crop may have."""
        latest = self.crop_start + dt.timedelta(days=self.max_duration)
        return min(day for day in (latest, self.end_date, self.next_campaign) if day is not None)


@dataclass(frozen=True)
class Weather:
    """Days without gaps from the start of the campaign on.

    Attributes
    ----------
    dates : list of date
        The first is ``Calendar.campaign_start``, the last ``Calendar.last_day`` or, where the crop
        may be ripe before, the last day of the weather.
    columns : dict of str to numpy.ndarray
        IRRAD, TMIN, TMAX, TEMP, VAP, WIND, RAIN, E0, ES0, ET0 in PCSE's units, float64 ``[day]``.
    latitude : float
        Degrees north.
    elevation : float
        Height above the sea (m).
    """

    dates: list[dt.date]
    columns: dict[str, np.ndarray]
    latitude: float
    elevation: float


class _Site(NamedTuple):
    long_name: str
    units: str
    lower: float
    upper: float
    default: float | None
    water: bool


SITE = {
    "SMW": _Site("moisture at wilting point", "cm3 cm-3", 0, 1, None, False),
    "SMFCF": _Site("moisture at field capacity", "cm3 cm-3", 0, 1, None, False),
    "SM0": _Site("moisture at saturation", "cm3 cm-3", 0, 1, None, False),
    "CRAIRC": _Site("critical air content of the soil", "cm3 cm-3", 0, 1, None, False),
    "RDMSOL": _Site("maximum rooting depth of the soil", "cm", 10, 1000, None, False),
    "SOPE": _Site("maximum percolation from the root zone", "cm d-1", 0, 1000, None, True),
    "KSUB": _Site("maximum percolation to the subsoil", "cm d-1", 0, 1000, None, True),
    "WAV": _Site("initial available water", "cm", 0, 100, None, True),
    "SSI": _Site("initial surface storage", "cm", 0, 100, 0.0, True),
    "SSMAX": _Site("maximum surface storage", "cm", 0, 100, 0.0, True),
    "SMLIM": _Site("maximum initial moisture of the root zone", "cm3 cm-3", 0, 1, 0.4, True),
    "NOTINF": _Site("greatest share of rain that does not infiltrate", "1", 0, 1, 0.0, True),
    "IFUNRN": _Site("whether that share grows with the rain of a day", "0 or 1", 0, 1, 0.0, True),
}
"""Soil and site: meaning, units, limits, default, and whether only the water balance needs it."""

CO2 = _Site("CO2 of the air", "ppm", 100, 2000, 360.0, False)


def parse_parameters(parameters: Mapping[str, Any], production: str) -> Crop:
    """Crop, soil and site from one flat mapping with PCSE's names.

    Defaults: SSI 0, SSMAX 0, SMLIM 0.4 (cut to SMW and SM0 by the model), NOTINF 0, IFUNRN 0,
    CO2 360 ppm. K0 and parameters that WOFOST 7.2 does not read are accepted and not used.

    Parameters
    ----------
    parameters : mapping
        Crop, soil and site together.
    production : str
        "potential" or "water_limited".

    Raises
    ------
    ParameterError
        Listing all that is missing, unknown or malformed, sorted by name.
    """
    if not isinstance(parameters, Mapping):
        raise ParameterError(
            f"parameters are a {type(parameters).__name__}, expected one flat mapping of PCSE's "
            "names to numbers and tables, with crop, soil and site together")
    parts = [f"{name} is a mapping, expected its parameters; join crop, soil and site in one flat "
             "mapping" for name, value in parameters.items() if isinstance(value, Mapping)]
    flat = {str(name): v for name, v in parameters.items() if not isinstance(v, Mapping)}
    given, problems = take_apart(flat)
    problems += parts
    site: dict[str, float] = {}
    for name, definition in SITE.items():
        needed = production == "water_limited" or not definition.water
        value = _number(name, definition, given.other.get(name), needed, problems)
        if value is not None:
            site[name] = value
    co2 = _number("CO2", CO2, given.other.get("CO2"), True, problems)
    problems += _order(site)
    if production == "water_limited" and "RDI" in given.crop and "RDMSOL" in site:
        rdi = given.crop["RDI"].value[0]
        if rdi > site["RDMSOL"]:
            problems.append(f"RDI is {rdi:g}, expected at most RDMSOL ({site['RDMSOL']:g} cm)")
    if problems or co2 is None:
        raise ParameterError(
            f"parameters for {production} production of WOFOST 7.2, {len(problems)} to mend:\n  "
            + "\n  ".join(sorted(problems)))
    return Crop(given.crop, site, co2)


def _number(
    name: str, definition: _Site, given: Any, needed: bool, problems: list[str]
) -> float | None:
    """Value of soil or site, its default, or None; what is wrong with it goes to the problems."""
    d = definition
    if given is None:
        if needed and d.default is None:
            problems.append(f"{name} is missing, expected a number ({d.units}): {d.long_name}")
        return d.default
    number = isinstance(given, Real) and not isinstance(given, bool) and math.isfinite(given)
    if d.units == "0 or 1":
        if not number or given not in (0, 1):
            problems.append(f"{name} is {given!r}, expected 0 or 1: {d.long_name}")
            return None
    elif not number or not d.lower <= given <= d.upper:
        problems.append(f"{name} is {given!r}, expected a number from {d.lower:g} to {d.upper:g} "
                        f"({d.units}): {d.long_name}")
        return None
    return float(given)


def _order(site: Mapping[str, float]) -> list[str]:
    """Problems of moistures that are each possible, but not together."""
    found = []
    if site.get("SMW") == 0.0:
        found.append("SMW is 0, expected more (cm3 cm-3)")
    for less, more in (("SMW", "SMFCF"), ("SMFCF", "SM0")):
        if less in site and more in site and not site[less] < site[more]:
            found.append(f"{more} is {site[more]:g}, expected more than {less} ({site[less]:g})")
    if "CRAIRC" in site and "SM0" in site and not site["CRAIRC"] < site["SM0"]:
        found.append(f"CRAIRC is {site['CRAIRC']:g}, expected less than SM0 ({site['SM0']:g})")
    return found
