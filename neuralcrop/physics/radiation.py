"""Sun and radiation: geometry of the day, clear sky, long-wave balance, diffuse light."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.constants import (
    DEGREE,
    SOLAR_CONSTANT,
    STANDARD_PRESSURE,
    STEFAN_BOLTZMANN,
    SURFACE_EMISSIVITY,
    ZERO_CELSIUS,
)
from neuralcrop.core.numerics import safe_div, safe_sqrt

_ACOS_LIMIT = 1.0 - 1e-6
_COS_FLOOR = 1e-9
_SIN_FLOOR = math.sin(DEGREE)

_GAUSS = {
    3: ((0.1127017, 0.5, 0.8872983), (0.2777778, 0.4444444, 0.2777778)),
    5: (
        (0.0469101, 0.2307534, 0.5, 0.7692465, 0.9530899),
        (0.1184635, 0.2393144, 0.2844444, 0.2393144, 0.1184635),
    ),
}


class SolarGeometry(NamedTuple):
    """The sun of one day at one place.

    Attributes
    ----------
    sin_product
        sin(latitude) sin(declination) (-).
    cos_product
        cos(latitude) cos(declination) (-).
    day_length
        Time with the sun above the horizon (h).
    sine_integral
        Integral of sinB (1 + 0.4 sinB) over daylight, B the elevation of the sun (s). At least
        60, so that radiation can be divided by it in polar night.
    extraterrestrial
        Radiation on a horizontal surface outside the atmosphere (MJ m-2 d-1).
    """

    sin_product: Tensor
    cos_product: Tensor
    day_length: Tensor
    sine_integral: Tensor
    extraterrestrial: Tensor


def declination_fao(day_of_year: Tensor) -> Tensor:
    """Solar declination (rad), 0.409 sin(2 pi J / 365 - 1.39); Allen et al. (1998), eq. 24."""
    return 0.409 * torch.sin(2.0 * math.pi / 365.0 * day_of_year - 1.39)


def declination_lpjml(day_of_year: Tensor) -> Tensor:
    """Solar declination (rad) of LPJmL: -23.4 deg cos(2 pi (J + 10) / 365)."""
    return -23.4 * DEGREE * torch.cos(2.0 * math.pi / 365.0 * (day_of_year + 10.0))


def sine_declination_wofost(day_of_year: Tensor) -> Tensor:
    """Sine of the declination in WOFOST: -sin(23.45 deg) cos(2 pi (J + 10) / 365)."""
    return -math.sin(23.45 * DEGREE) * torch.cos(2.0 * math.pi / 365.0 * (day_of_year + 10.0))


def inverse_distance(day_of_year: Tensor) -> Tensor:
    """Relative inverse square of the earth-sun distance (-); Allen et al. (1998), eq. 23."""
    return 1.0 + 0.033 * torch.cos(2.0 * math.pi / 365.0 * day_of_year)


def sunset_hour_angle(sin_product: Tensor, cos_product: Tensor, angle_deg: float = 0.0) -> Tensor:
    """Hour angle at which the sun passes an elevation.

    Parameters
    ----------
    sin_product, cos_product
        sin(latitude) sin(declination) and cos(latitude) cos(declination) (-).
    angle_deg
        Elevation (deg); -4 for the photoperiod of WOFOST.

    Returns
    -------
    Tensor
        Angle in [0, pi] (rad): 0 in polar night, pi in polar day.
    """
    cosine = (math.sin(angle_deg * DEGREE) - sin_product) / cos_product.clamp(min=_COS_FLOOR)
    # acos has infinite slope at +-1, so it only ever sees the open interval.
    angle = torch.acos(cosine.clamp(-_ACOS_LIMIT, _ACOS_LIMIT))
    angle = torch.where(cosine >= 1.0, 0.0, angle)
    return torch.where(cosine <= -1.0, math.pi, angle)


def daily_sine_integral(sin_product: Tensor, cos_product: Tensor) -> Tensor:
    """Integral of sinB over daylight (s)."""
    angle = sunset_hour_angle(sin_product, cos_product)
    integral = sin_product * angle + cos_product * torch.sin(angle)
    return (24.0 * 3600.0 / math.pi) * integral.clamp(min=0.0)


def effective_sine_integral(sin_product: Tensor, cos_product: Tensor) -> Tensor:
    r"""Integral over daylight of sinB (1 + 0.4 sinB), the daily course of radiation.

    Parameters
    ----------
    sin_product, cos_product
        sin(latitude) sin(declination) and cos(latitude) cos(declination) (-).

    Returns
    -------
    Tensor
        Integral (s), 0 in polar night; DSINBE of WOFOST (Spitters et al. 1986,
        doi:10.1016/0168-1923(86)90060-2).
    """
    angle = sunset_hour_angle(sin_product, cos_product)
    square = sin_product * sin_product + 0.5 * cos_product * cos_product
    integral = 2.0 * angle * (sin_product + 0.4 * square) + cos_product * torch.sin(angle) * (
        2.0 + 1.2 * sin_product
    )
    return (12.0 * 3600.0 / math.pi) * integral.clamp(min=0.0)


def solar_geometry(sin_lat: Tensor, cos_lat: Tensor, day_of_year: Tensor) -> SolarGeometry:
    r"""Geometry of the sun with the declination and distance of FAO-56.

    :math:`R_a = (1440 / \pi) G_{sc} d_r (\omega_s \sin\phi \sin\delta + \cos\phi \cos\delta
    \sin\omega_s)`, Allen et al. (1998), eqs. 21-25.

    Parameters
    ----------
    sin_lat, cos_lat
        Sine and cosine of the latitude (-).
    day_of_year
        Day of the year, 1 to 366 (d).
    """
    declination = declination_fao(day_of_year)
    sin_product = sin_lat * torch.sin(declination)
    cos_product = cos_lat * torch.cos(declination)
    angle = sunset_hour_angle(sin_product, cos_product)
    integral = (angle * sin_product + cos_product * torch.sin(angle)).clamp(min=0.0)
    extraterrestrial = 1440.0 / math.pi * SOLAR_CONSTANT * inverse_distance(day_of_year) * integral
    return SolarGeometry(
        sin_product,
        cos_product,
        24.0 / math.pi * angle,
        effective_sine_integral(sin_product, cos_product).clamp(min=60.0),
        extraterrestrial,
    )


def photoperiod(
    sin_lat: Tensor, cos_lat: Tensor, day_of_year: Tensor, angle_deg: float = -4.0
) -> Tensor:
    """Photoperiodic day length (h) with the declination of WOFOST (Supit et al. 1994).

    Parameters
    ----------
    sin_lat, cos_lat
        Sine and cosine of the latitude (-).
    day_of_year
        Day of the year (d).
    angle_deg
        Elevation of the sun at which the day begins and ends (deg).
    """
    sin_declination = sine_declination_wofost(day_of_year)
    cos_declination = torch.sqrt(1.0 - sin_declination * sin_declination)
    angle = sunset_hour_angle(sin_lat * sin_declination, cos_lat * cos_declination, angle_deg)
    return 24.0 / math.pi * angle


def sin_elevation(geometry: SolarGeometry, hour: Tensor) -> Tensor:
    """Sine of the elevation of the sun at a solar hour (0-24); negative below the horizon."""
    angle = 2.0 * math.pi / 24.0 * (hour - 12.0)
    return geometry.sin_product + geometry.cos_product * torch.cos(angle)


def gauss_hours(day_length: Tensor, n: int = 3) -> tuple[Tensor, Tensor]:
    """Gaussian quadrature over the daylight hours.

    Parameters
    ----------
    day_length
        Day length (h), ``[...]``.
    n
        Number of points, 3 or 5.

    Returns
    -------
    tuple of Tensor
        Solar hours ``[n, ...]`` and weights ``[n, ...]`` that sum to one over the points.
    """
    nodes, weights = _GAUSS[n]
    hours = torch.stack([12.0 + (node - 0.5) * day_length for node in nodes])
    return hours, torch.stack([torch.full_like(day_length, weight) for weight in weights])


def instantaneous_radiation(daily: Tensor, sin_elevation: Tensor, sine_integral: Tensor) -> Tensor:
    """Rate at a moment of the day: daily total x sinB (1 + 0.4 sinB) / its daily integral.

    Parameters
    ----------
    daily
        Daily total (any unit per day).
    sin_elevation
        Sine of the elevation of the sun (-).
    sine_integral
        `SolarGeometry.sine_integral` (s).

    Returns
    -------
    Tensor
        The unit of ``daily`` per second; 0 at night (Spitters et al. 1986).
    """
    sine = sin_elevation.clamp(min=0.0)
    return daily * sine * (1.0 + 0.4 * sine) / sine_integral


def net_shortwave(rsds: Tensor, albedo: Tensor | float) -> Tensor:
    """Absorbed short-wave radiation, (1 - albedo) Rs (MJ m-2 d-1)."""
    return (1.0 - albedo) * rsds


def clear_sky_radiation(extraterrestrial: Tensor, elevation: Tensor | float) -> Tensor:
    """Clear-sky short-wave radiation (0.75 + 2e-5 z) Ra (MJ m-2 d-1); FAO-56, eq. 37.

    Parameters
    ----------
    extraterrestrial
        Ra (MJ m-2 d-1).
    elevation
        Height above the sea z (m).
    """
    return (0.75 + 2e-5 * elevation) * extraterrestrial


def net_longwave_fao56(
    tasmin: Tensor, tasmax: Tensor, vap: Tensor, rsds: Tensor, clear_sky: Tensor
) -> Tensor:
    r"""Net outgoing long-wave radiation from temperature, humidity and cloudiness.

    :math:`R_{nl} = \sigma \frac{T_x^4 + T_n^4}{2} (0.34 - 0.14 \sqrt{e_a})
    (1.35 R_s / R_{so} - 0.35)` with the ratio limited to [0.3, 1]; Allen et al. (1998), eq. 39.

    Parameters
    ----------
    tasmin, tasmax
        Daily extremes of air temperature (degC).
    vap
        Vapour pressure (kPa).
    rsds, clear_sky
        Actual and clear-sky short-wave radiation (MJ m-2 d-1).
    """
    # A night without sun says nothing about clouds: a middling sky is assumed.
    relative = safe_div(rsds, clear_sky, fill=0.7, eps=1e-3).clamp(0.3, 1.0)
    warmest = (tasmax + 273.16) * (tasmax + 273.16)
    coldest = (tasmin + 273.16) * (tasmin + 273.16)
    emission = 0.5 * STEFAN_BOLTZMANN * (warmest * warmest + coldest * coldest)
    return emission * (0.34 - 0.14 * safe_sqrt(vap)) * (1.35 * relative - 0.35)


def surface_emission(tas: Tensor) -> Tensor:
    """Long-wave radiation emitted by the surface at air temperature (MJ m-2 d-1)."""
    square = (tas + ZERO_CELSIUS) * (tas + ZERO_CELSIUS)
    return SURFACE_EMISSIVITY * STEFAN_BOLTZMANN * square * square


def downwelling_longwave(tas: Tensor, net_longwave: Tensor) -> Tensor:
    """Long-wave radiation from the sky, eps sigma T^4 - Rnl (MJ m-2 d-1).

    Parameters
    ----------
    tas
        Mean air temperature (degC).
    net_longwave
        Net outgoing long-wave radiation (MJ m-2 d-1).
    """
    return surface_emission(tas) - net_longwave


def net_longwave(tas: Tensor, rlds: Tensor) -> Tensor:
    """Net outgoing long-wave radiation, eps sigma T^4 - rlds (MJ m-2 d-1).

    Parameters
    ----------
    tas
        Mean air temperature (degC).
    rlds
        Downwelling long-wave radiation (MJ m-2 d-1).
    """
    return surface_emission(tas) - rlds


def diffuse_fraction(transmissivity: Tensor) -> Tensor:
    """Diffuse share of daily radiation from the transmissivity of the atmosphere.

    Parameters
    ----------
    transmissivity
        Daily radiation over extraterrestrial radiation (-).

    Returns
    -------
    Tensor
        Share in [0.23, 1] (-); Spitters et al. (1986), doi:10.1016/0168-1923(86)90060-2, as in
        WOFOST (Supit et al. 1994). The steps at the joints are those of the source.
    """
    offset = transmissivity - 0.07
    fraction = torch.where(transmissivity > 0.07, 1.0 - 2.3 * offset * offset, 1.0)
    fraction = torch.where(transmissivity > 0.35, 1.33 - 1.46 * transmissivity, fraction)
    return torch.where(transmissivity > 0.75, 0.23, fraction)


def diffuse_fraction_clear(sin_elevation: Tensor, pressure: Tensor | float) -> Tensor:
    r"""Diffuse share of PAR under a clear sky.

    :math:`f_d = (1 - a^m) / (1 + a^m (1 / f_a - 1))` with the optical air mass
    :math:`m = (P / P_0) / \sin B`, a = 0.72, f_a = 0.426; de Pury & Farquhar (1997),
    doi:10.1111/j.1365-3040.1997.00094.x.

    Parameters
    ----------
    sin_elevation
        Sine of the elevation of the sun (-); floored at one degree.
    pressure
        Air pressure (kPa).
    """
    air_mass = (pressure / STANDARD_PRESSURE) / sin_elevation.clamp(min=_SIN_FLOOR)
    transmitted = torch.exp(math.log(0.72) * air_mass)
    return (1.0 - transmitted) / (1.0 + transmitted * (1.0 / 0.426 - 1.0))


_PEAK_LAG = 1.86
_NIGHT_DECAY = 2.20
_MINIMUM_LAG = -0.17


def subdaily_temperature(
    hour: Tensor, tasmin: Tensor, tasmax: Tensor, day_length: Tensor
) -> Tensor:
    """Air temperature in daylight: Tn + (Tx - Tn) sin(pi m / (Y + 2a)).

    m is the time since the minimum, a = 1.86 h, which falls 0.17 h before sunrise; Parton &
    Logan (1981), doi:10.1016/0002-1571(81)90105-9.

    Parameters
    ----------
    hour
        Solar hour within daylight (h).
    tasmin, tasmax
        Daily extremes (degC).
    day_length
        Day length Y (h).
    """
    since_minimum = hour - (12.0 - 0.5 * day_length + _MINIMUM_LAG)
    phase = math.pi * since_minimum / (day_length + 2.0 * _PEAK_LAG)
    return tasmin + (tasmax - tasmin) * torch.sin(phase)


def subdaily_temperature_full(
    hour: Tensor, tasmin: Tensor, tasmax: Tensor, tasmin_next: Tensor, day_length: Tensor
) -> Tensor:
    """Air temperature at any hour; by night an exponential decay from the sunset value.

    The hours before sunrise decay towards today's minimum from today's sunset value, as if
    yesterday had been like today; Parton & Logan (1981), doi:10.1016/0002-1571(81)90105-9.

    Parameters
    ----------
    hour
        Solar hour, 0 to 24 (h).
    tasmin, tasmax
        Extremes of the day (degC).
    tasmin_next
        Minimum of the next day (degC).
    day_length
        Day length Y (h).
    """
    sunset = 12.0 + 0.5 * day_length
    minimum_hour = 12.0 - 0.5 * day_length + _MINIMUM_LAG
    at_sunset = subdaily_temperature(sunset, tasmin, tasmax, day_length)
    morning = hour < minimum_hour
    since_sunset = torch.where(morning, hour + 24.0, hour) - sunset
    target = torch.where(morning, tasmin, tasmin_next)
    night_length = (24.0 - day_length).clamp(min=0.1)
    # The decay is only used by night; clamped so that it cannot overflow by day.
    decay = torch.exp(-_NIGHT_DECAY * since_sunset.clamp(min=0.0) / night_length)
    night = target + (at_sunset - target) * decay
    day = subdaily_temperature(hour, tasmin, tasmax, day_length)
    return torch.where(morning | (hour > sunset), night, day)
