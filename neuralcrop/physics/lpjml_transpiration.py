"""Water balance of the surface as in LPJmL: energy of a day, interception, soil evaporation.

Demand and supply of transpiration are in :mod:`neuralcrop.physics.evapotranspiration`
(``lpjml_demand``, ``lpjml_supply``, ``lpjml_supply_limited_conductance``).

Schaphoff et al. (2018) doi:10.5194/gmd-11-1343-2018.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.constants import DEGREE, PAR_FRACTION, SECONDS_PER_DAY
from neuralcrop.core.numerics import safe_div
from neuralcrop.physics.evapotranspiration import (
    interception_wet_fraction,
    lpjml_equilibrium_evapotranspiration,
    soil_evaporation_factor,
)
from neuralcrop.physics.radiation import declination_lpjml, sunset_hour_angle

LEAST_BARE = 0.1
"""Share of the soil that evaporates under a closed canopy or litter (-)."""


class DailyEnergy(NamedTuple):
    """Day length (h), photosynthetically active radiation (J m-2 d-1), equilibrium (mm d-1)."""

    day_length: Tensor
    par: Tensor
    equilibrium: Tensor


class Intercepted(NamedTuple):
    """Evaporation from wet leaves (mm d-1) and the wet share of the day (-)."""

    amount: Tensor
    wet: Tensor


def daily_energy(
    latitude: Tensor, day_of_year: Tensor, t: Tensor, longwave: Tensor, shortwave: Tensor,
    albedo: Tensor | float,
) -> DailyEnergy:
    """Day length, light and equilibrium evapotranspiration of a day.

    Parameters
    ----------
    latitude
        Degrees.
    day_of_year
        Day, 1 to 365.
    t
        Temperature (degC).
    longwave, shortwave
        Net longwave (negative is a loss, counted in daylight alone) and downwelling shortwave
        (W m-2).
    albedo
        Of the surface (-).
    """
    declination = declination_lpjml(day_of_year)
    angle = sunset_hour_angle(
        torch.sin(latitude * DEGREE) * torch.sin(declination),
        torch.cos(latitude * DEGREE) * torch.cos(declination))
    hours = 24.0 / math.pi * angle
    net = (1.0 - albedo) * shortwave + longwave * hours / 24.0
    return DailyEnergy(
        hours, PAR_FRACTION * SECONDS_PER_DAY * shortwave,
        lpjml_equilibrium_evapotranspiration(1e-6 * SECONDS_PER_DAY * net, t))


def interception(
    rain: Tensor, lai: Tensor, equilibrium: Tensor, coefficient: Tensor | float,
    priestley_taylor: float = 1.32,
) -> Intercepted:
    """Interception, PET times the wet share min(0.9999, c LAI P / PET).

    Parameters
    ----------
    rain
        mm d-1.
    lai
        Leaf area index (-).
    equilibrium
        Equilibrium evapotranspiration (mm d-1).
    coefficient
        c (-): 0.02 in LPJmL 6, 0.01 in LPJmL 5.
    priestley_taylor
        Potential over equilibrium evapotranspiration (-).
    """
    potential = priestley_taylor * equilibrium
    wet = interception_wet_fraction(rain, lai, potential, coefficient)
    return Intercepted(potential * wet, wet)


def soil_evaporation(
    equilibrium: Tensor, cover: Tensor, wetness: Tensor, litter: Tensor | float = 0.0,
    priestley_taylor: float = 1.32,
) -> Tensor:
    """Demand on bare soil, PET max(0.1, 1 - cover) max(0.1, 1 - litter) / (1 + exp(5 - 10 w)).

    Parameters
    ----------
    equilibrium
        Equilibrium evapotranspiration (mm d-1).
    cover, litter
        Share of the ground under leaves and under litter (-).
    wetness
        Water over water-holding capacity of the evaporating soil (-): the upper 300 mm in
        LPJmL 5, 500 mm in LPJmL 6.
    priestley_taylor
        Potential over equilibrium evapotranspiration (-).

    Returns
    -------
    Tensor
        mm d-1, before the limit by the water that the soil holds.
    """
    bare = (1.0 - cover).clamp(min=LEAST_BARE)
    if isinstance(litter, Tensor):
        bare = bare * (1.0 - litter).clamp(min=LEAST_BARE)
    else:
        bare = bare * max(LEAST_BARE, 1.0 - litter)
    return priestley_taylor * equilibrium * bare * soil_evaporation_factor(wetness)


def opening(demand: Tensor, supplied: Tensor, maximum: Tensor) -> Tensor:
    """Supply-limited over potential conductance (-).

    The conductance at which ``lpjml_demand`` gives an amount E is GM a E / (Dmax - E), so two of
    them are in the ratio E (Dmax - D) / (D (Dmax - E)).

    Parameters
    ----------
    demand
        Demand D at the potential conductance (mm d-1).
    supplied
        Transpiration E, at most D (mm d-1).
    maximum
        Demand of open stomata, Dmax = (1 - wet) Eq a (mm d-1).
    """
    share = safe_div(supplied, demand, fill=1.0)
    return (share * safe_div(maximum - demand, maximum - supplied, fill=1.0)).clamp(0.0, 1.0)
