"""Day length, sun height integrals and sky radiation as in WOFOST."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.numerics import safe_div

_DEGREE = math.pi / 180.0
_OBLIQUITY = math.sin(23.45 * _DEGREE)
SOLAR_CONSTANT = 1370.0
"""Radiation above the atmosphere at the mean distance of the sun (W m-2)."""
PHOTOPERIOD_ANGLE = -4.0
"""Height of the sun at which plants sense the day to begin (degrees)."""


class Astronomy(NamedTuple):
    """Sun and sky of a day, each ``[cell]``.

    Attributes
    ----------
    dayl, daylp
        Astronomical and photoperiodic day length (h).
    sinld, cosld
        Offset and amplitude of the sine of the height of the sun (-).
    difpp
        Diffuse radiation perpendicular to the sun (W m-2, photosynthetically active).
    atmtr
        Transmission of the atmosphere (-).
    dsinbe
        Daily integral of the sine of solar height, weighted with transmission (s).
    angot
        Radiation above the atmosphere (J m-2 d-1).
    """

    dayl: Tensor
    daylp: Tensor
    sinld: Tensor
    cosld: Tensor
    difpp: Tensor
    atmtr: Tensor
    dsinbe: Tensor
    angot: Tensor


def _day_length(ratio: Tensor, inside: Tensor) -> Tensor:
    """Hours with the sun above a height, 12 (1 + 2 asin(ratio) / pi); 24 or 0 outside [-1, 1]."""
    hours = 12.0 * (1.0 + 2.0 * torch.asin(torch.where(inside, ratio, 0.0)) / math.pi)
    return torch.where(inside, hours, torch.where(ratio > 0.0, 24.0, 0.0))


def _diffuse_fraction(atmtr: Tensor) -> Tensor:
    """Share of diffuse radiation in the daily total by transmission (-)."""
    cloudy = 1.0 - 2.3 * (atmtr - 0.07) * (atmtr - 0.07)
    fraction = torch.where(atmtr > 0.07, cloudy, 1.0)
    fraction = torch.where(atmtr > 0.35, 1.33 - 1.46 * atmtr, fraction)
    return torch.where(atmtr > 0.75, 0.23, fraction)


def astronomy(day: Tensor, latitude: Tensor, irradiation: Tensor) -> Astronomy:
    r"""Sun and sky of a day.

    With :math:`\sin\delta = -\sin 23.45° \cos(2\pi (J + 10) / 365)` the sine of the height of the
    sun is SINLD + COSLD cos(2 pi (h + 12) / 24), and
    :math:`DSINB = 3600 (D\,SINLD + 24/\pi\, COSLD \sqrt{1 - r^2})`, r = SINLD / COSLD.

    Parameters
    ----------
    day
        Day of the year (1-366).
    latitude
        Latitude (degrees north).
    irradiation
        Global radiation (J m-2 d-1).

    Returns
    -------
    Astronomy
        Supit et al. (1994), chapter 5; Goudriaan & van Laar (1994). In polar night all
        integrals, the transmission and the diffuse radiation are 0.
    """
    sin_declination = -_OBLIQUITY * torch.cos(2.0 * math.pi * (day + 10.0) / 365.0)
    cos_declination = torch.sqrt(1.0 - sin_declination * sin_declination)
    sinld = torch.sin(latitude * _DEGREE) * sin_declination
    cosld = torch.cos(latitude * _DEGREE) * cos_declination
    ratio = safe_div(sinld, cosld)
    inside = ratio.abs() < 1.0
    chord = torch.sqrt(1.0 - torch.where(inside, ratio * ratio, 0.0))
    chord = torch.where(inside, chord, 0.0)
    dayl = _day_length(ratio, inside)

    dsinb = 3600.0 * (dayl * sinld + 24.0 * cosld * chord / math.pi)
    dsinbe = 3600.0 * (
        dayl * (sinld + 0.4 * (sinld * sinld + 0.5 * cosld * cosld))
        + 12.0 * cosld * (2.0 + 1.2 * sinld) * chord / math.pi
    )
    solar = SOLAR_CONSTANT * (1.0 + 0.033 * torch.cos(2.0 * math.pi * day / 365.0))
    angot = solar * dsinb
    # A floor of 1 J m-2: days whose only sun is rounding have no transmission.
    atmtr = safe_div(irradiation, angot, eps=1.0)
    difpp = _diffuse_fraction(atmtr) * atmtr * 0.5 * solar

    sensed = safe_div(sinld - math.sin(PHOTOPERIOD_ANGLE * _DEGREE), cosld)
    daylp = _day_length(sensed, sensed.abs() < 1.0)
    return Astronomy(dayl, daylp, sinld, cosld, difpp, atmtr, dsinbe, angot)
