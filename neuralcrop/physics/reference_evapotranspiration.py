"""Evaporation of open water, wet bare soil and short grass on a day of weather.

Water and soil follow Penman as WOFOST applies him; the grass is that of FAO-56.

Penman (1948), doi:10.1098/rspa.1948.0037, and (1956), doi:10.1029/TR037i001p00043; Frère & Popov
(1979), FAO Plant Production and Protection Paper 17; Supit, Hooijer & van Diepen (1994), System
description of the WOFOST 6.0 crop simulation model, EUR 15956 (chapter on evapotranspiration);
van Kraalingen & Stol (1997), Evapotranspiration modules for crop growth simulation, Quantitative
Approaches in Systems Analysis 11; Allen et al. (1998), FAO Irrigation and Drainage Paper 56.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.constants import DEGREE, REFERENCE_ALBEDO, SECONDS_PER_DAY
from neuralcrop.core.numerics import clip01, safe_div, safe_sqrt
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import radiation
from neuralcrop.physics.wofost72.astro import astronomy

_MJ_PER_WATT = SECONDS_PER_DAY * 1e-6

LATENT_HEAT = 2.45
"""Latent heat of vaporisation (MJ kg-1; Supit et al. 1994)."""

STEFAN_BOLTZMANN = 4.9e-9
"""Stefan-Boltzmann constant with the digits of WOFOST (MJ m-2 d-1 K-4; Supit et al. 1994)."""

WIND_COEFFICIENT = 0.54
"""Coefficient of the wind at 2 m in the wind function (s m-1; Frère & Popov 1979)."""

DALTON = 2.6
"""Evaporation per saturation deficit (mm d-1 kPa-1; Penman 1948: 0.26 for hPa)."""

ANGSTROM_TEMPERATE = (0.18, 0.55)
"""Angstrom coefficients of cold and temperate climates (-; Frère & Popov 1979).

The same source has (0.25, 0.45) for the dry and (0.29, 0.42) for the humid tropics.
"""


class Surface(NamedTuple):
    """What evaporates.

    Attributes
    ----------
    albedo
        Share of short-wave radiation reflected (-).
    wind_constant
        Wind function without wind (-).
    """

    albedo: float
    wind_constant: float


OPEN_WATER = Surface(0.05, 0.5)
"""E0 of WOFOST (Penman 1948, 1956; Supit et al. 1994)."""

BARE_SOIL = Surface(0.15, 0.5)
"""ES0 of WOFOST: wet bare soil (Supit et al. 1994)."""

CROP = Surface(0.20, 1.0)
"""Closed crop, the Penman variant of ET0 that FAO-56 has replaced (Supit et al. 1994)."""


class PenmanForm(NamedTuple):
    """Choices in which users of the equation differ.

    Attributes
    ----------
    vapour
        Coefficient of the root of the vapour pressure in Brunt's equation (hPa-0.5).
    wind_rise
        Rise of the wind coefficient with the daily range of temperature, 12 to 16 K (s m-1).
    bounded
        Whether relative sunshine is limited to [0, 1].
    """

    vapour: float
    wind_rise: float
    bounded: bool


WOFOST = PenmanForm(vapour=0.079, wind_rise=0.35, bounded=True)
"""As published (Frère & Popov 1979; Supit et al. 1994)."""

STATIONS = PenmanForm(vapour=0.080, wind_rise=0.0, bounded=False)
"""The form behind reference values of E0 and ES0 at two European stations, found by regression.

With Angstrom coefficients fitted to each station it is within 0.013 mm of them on every day; 0.080
is the 0.092 for mmHg of Penman (1956). Without bounds the long-wave loss turns into a gain under
dark skies, so that `WOFOST` is the better choice elsewhere.
"""


class ReferenceEvaporation(NamedTuple):
    """Reference rates of a day (mm d-1), each of the common shape of the weather.

    Attributes
    ----------
    e0
        Evaporation of open water, Penman.
    es0
        Evaporation of wet bare soil, Penman.
    et0
        Evapotranspiration of short grass, FAO-56 Penman-Monteith.
    """

    e0: Tensor
    es0: Tensor
    et0: Tensor


def saturation_vapour_pressure(t: Tensor) -> Tensor:
    """Saturation vapour pressure over water (kPa), 0.610588 exp(17.32491 T / (T + 238.102)).

    Parameters
    ----------
    t
        Temperature (degC). Goudriaan (1977), Crop micrometeorology, Pudoc, Wageningen.
    """
    return 0.610588 * torch.exp(17.32491 * t / (t + 238.102))


def vapour_pressure_slope(t: Tensor) -> Tensor:
    """Slope of `saturation_vapour_pressure` (kPa K-1), 238.102 x 17.32491 e / (T + 238.102)^2.

    Parameters
    ----------
    t
        Temperature (degC).
    """
    shifted = t + 238.102
    return 238.102 * 17.32491 * saturation_vapour_pressure(t) / (shifted * shifted)


def psychrometric_constant(t: Tensor, elevation: Tensor) -> Tensor:
    """Psychrometric constant (kPa K-1), 0.067 exp(-0.034 z / (T + 273)): barometric pressure.

    Parameters
    ----------
    t
        Temperature (degC).
    elevation
        Height above the sea z (m). Supit et al. (1994).
    """
    return 0.067 * torch.exp(-0.034 * elevation / (t + 273.0))


def relative_sunshine(
    transmission: Tensor, a: Tensor | float, b: Tensor | float, bounded: bool = True
) -> Tensor:
    r"""Sunshine over day length from the transmission of the atmosphere, Angstrom inverted.

    :math:`n / N = (R_s / R_a - A) / B`.

    Parameters
    ----------
    transmission
        Radiation at the ground over that above the atmosphere (-).
    a, b
        Angstrom coefficients (-).
    bounded
        Limit the result to [0, 1].
    """
    sunshine = (transmission - a) / b
    return clip01(sunshine) if bounded else sunshine


def net_longwave_brunt(
    t: Tensor, vap: Tensor, sunshine: Tensor, coefficient: Tensor | float = WOFOST.vapour
) -> Tensor:
    r"""Net outgoing long-wave radiation.

    :math:`R_{nl} = \sigma (T + 273)^4 (0.56 - c \sqrt{e_a}) (0.1 + 0.9\,n/N)`; Brunt (1932),
    doi:10.1002/qj.49705824704, with the coefficients of Penman (1956).

    Parameters
    ----------
    t
        Mean temperature (degC).
    vap
        Vapour pressure (kPa); the equation has it in hPa.
    sunshine
        Relative sunshine n / N (-).
    coefficient
        c (hPa-0.5).

    Returns
    -------
    Tensor
        MJ m-2 d-1.
    """
    square = (t + 273.0) * (t + 273.0)
    clear = 0.56 - coefficient * safe_sqrt(10.0 * vap)
    return STEFAN_BOLTZMANN * square * square * clear * (0.1 + 0.9 * sunshine)


def wind_coefficient(
    tasmin: Tensor, tasmax: Tensor, rise: Tensor | float = WOFOST.wind_rise
) -> Tensor:
    """Coefficient of the wind (s m-1), 0.54 + 0.35 clip((Tmax - Tmin - 12) / 4, 0, 1).

    Parameters
    ----------
    tasmin, tasmax
        Daily extremes of temperature (degC).
    rise
        The 0.35; 0 makes the coefficient constant. Frère & Popov (1979).
    """
    return WIND_COEFFICIENT + rise * clip01((tasmax - tasmin - 12.0) / 4.0)


def penman_evaporation(
    surface: Surface,
    tasmin: Tensor,
    tasmax: Tensor,
    vap: Tensor,
    wind: Tensor,
    rsds: Tensor,
    longwave: Tensor,
    elevation: Tensor,
    wind_rise: float = WOFOST.wind_rise,
) -> Tensor:
    r"""Evaporation of a wet surface.

    :math:`E = \frac{\Delta R_n / \lambda + \gamma E_a}{\Delta + \gamma}` with
    :math:`R_n = (1 - \alpha) R_s - R_{nl}` and :math:`E_a = 0.26 (e_s - e_a) (f + B u_2)`,
    pressures in hPa; Penman (1948), Supit et al. (1994).

    Parameters
    ----------
    surface
        `OPEN_WATER`, `BARE_SOIL` or `CROP`.
    tasmin, tasmax
        Daily extremes of temperature (degC); saturation is that at their mean.
    vap
        Vapour pressure (kPa), at most that of saturation.
    wind
        Wind at 2 m (m s-1).
    rsds, longwave
        Short-wave radiation and net outgoing long-wave radiation (MJ m-2 d-1).
    elevation
        Height above the sea (m).
    wind_rise
        See `wind_coefficient`.

    Returns
    -------
    Tensor
        mm d-1, at least 0; the shape to which the inputs broadcast.
    """
    t = 0.5 * (tasmin + tasmax)
    slope = vapour_pressure_slope(t)
    gamma = psychrometric_constant(t, elevation)
    net = radiation.net_shortwave(rsds, surface.albedo) - longwave
    deficit = (saturation_vapour_pressure(t) - vap).clamp(min=0.0)
    function = surface.wind_constant + wind_coefficient(tasmin, tasmax, wind_rise) * wind
    drying = DALTON * deficit * function
    return ((slope * net / LATENT_HEAT + gamma * drying) / (slope + gamma)).clamp(min=0.0)


def penman_longwave(
    tasmin: Tensor,
    tasmax: Tensor,
    vap: Tensor,
    rsds: Tensor,
    latitude: Tensor,
    day: Tensor,
    a: Tensor | float = ANGSTROM_TEMPERATE[0],
    b: Tensor | float = ANGSTROM_TEMPERATE[1],
    form: PenmanForm = WOFOST,
) -> Tensor:
    """`net_longwave_brunt` with the sunshine that the radiation of the day implies (MJ m-2 d-1).

    Parameters
    ----------
    tasmin, tasmax
        Daily extremes of temperature (degC).
    vap
        Vapour pressure (kPa), at most that of saturation.
    rsds
        Short-wave radiation (MJ m-2 d-1).
    latitude
        Degrees north.
    day
        Day of the year (1-366).
    a, b
        Angstrom coefficients (-).
    form
        `WOFOST` or `STATIONS`.
    """
    t = 0.5 * (tasmin + tasmax)
    top = 1e-6 * astronomy(day, latitude, 1e6 * rsds).angot
    # A day without sun says nothing about clouds: with the fill of 0 the sky is covered.
    transmission = clip01(safe_div(rsds, top, eps=1e-3))
    sunshine = relative_sunshine(transmission, a, b, form.bounded)
    moist = torch.minimum(vap, saturation_vapour_pressure(t))
    return net_longwave_brunt(t, moist, sunshine, form.vapour)


def grass_evapotranspiration(
    tasmin: Tensor,
    tasmax: Tensor,
    vap: Tensor,
    wind: Tensor,
    rsds: Tensor,
    latitude: Tensor,
    elevation: Tensor,
    day: Tensor,
) -> Tensor:
    """Evapotranspiration of short grass from daily weather, without soil heat (mm d-1).

    `evapotranspiration.reference_evapotranspiration_fao56` with the net radiation and the air
    pressure that Allen et al. (1998) recommend where only these are measured: eqs. 7, 12, 37-40.

    Parameters
    ----------
    tasmin, tasmax, vap, wind, latitude, elevation, day
        As in `reference_evapotranspiration`.
    rsds
        Short-wave radiation (MJ m-2 d-1).
    """
    angle = latitude * DEGREE
    sun = radiation.solar_geometry(torch.sin(angle), torch.cos(angle), day)
    clear = radiation.clear_sky_radiation(sun.extraterrestrial, elevation)
    longwave = radiation.net_longwave_fao56(tasmin, tasmax, vap, rsds, clear)
    net = radiation.net_shortwave(rsds, REFERENCE_ALBEDO) - longwave
    low, high = et.saturation_vapour_pressure(tasmin), et.saturation_vapour_pressure(tasmax)
    deficit = (0.5 * (low + high) - vap).clamp(min=0.0)
    t, pressure = 0.5 * (tasmin + tasmax), et.air_pressure(elevation)
    rate = et.reference_evapotranspiration_fao56(net, 0.0, t, wind, deficit, pressure)
    return rate.clamp(min=0.0)


def reference_evapotranspiration(
    tasmin: Tensor,
    tasmax: Tensor,
    vap: Tensor,
    wind: Tensor,
    rsds: Tensor,
    latitude: Tensor,
    elevation: Tensor,
    day: Tensor,
    a: Tensor | float = ANGSTROM_TEMPERATE[0],
    b: Tensor | float = ANGSTROM_TEMPERATE[1],
    form: PenmanForm = WOFOST,
) -> ReferenceEvaporation:
    """E0, ES0 and ET0 of a day, from weather in the units of the registry.

    Shapes broadcast: ``[time, cell]`` for weather with ``[cell]`` for places and ``[time, 1]``
    for days, say.

    Parameters
    ----------
    tasmin, tasmax
        Daily extremes of temperature (degC).
    vap
        Vapour pressure (kPa).
    wind
        Wind at 2 m (m s-1).
    rsds
        Short-wave radiation, mean of 24 h (W m-2).
    latitude
        Degrees north.
    elevation
        Height above the sea (m).
    day
        Day of the year (1-366), as floating point.
    a, b
        Angstrom coefficients (-) of the cloudiness in E0 and ES0.
    form
        `WOFOST` or `STATIONS`.

    Returns
    -------
    ReferenceEvaporation
        mm d-1, each at least 0.
    """
    energy = _MJ_PER_WATT * rsds
    longwave = penman_longwave(tasmin, tasmax, vap, energy, latitude, day, a, b, form)
    weather = (tasmin, tasmax, vap, wind, energy, longwave, elevation)
    return ReferenceEvaporation(
        penman_evaporation(OPEN_WATER, *weather, form.wind_rise),
        penman_evaporation(BARE_SOIL, *weather, form.wind_rise),
        grass_evapotranspiration(tasmin, tasmax, vap, wind, energy, latitude, elevation, day),
    )
