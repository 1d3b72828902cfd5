"""Development: responses to temperature, cold and day length, and the stages of a day."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.numerics import clip, clip01, log, safe_pow

EMERGENCE_SPAN = 0.1
"""Development from sowing (-0.1) to emergence (0)."""


class StageStep(NamedTuple):
    """Development over one day.

    Attributes
    ----------
    change
        Change of the development stage (-).
    emergence_fraction, vegetative_fraction, reproductive_fraction
        Share of the day spent in each stage (-); the rest of the day is after maturity.
    """

    change: Tensor
    emergence_fraction: Tensor
    vegetative_fraction: Tensor
    reproductive_fraction: Tensor


def degree_days(t: Tensor, base: Tensor | float, ceiling: Tensor | float) -> Tensor:
    """Temperature above a base, limited at a ceiling temperature (degC d d-1).

    Parameters
    ----------
    t, base, ceiling
        Mean, base and ceiling temperature (degC); an infinite ceiling is that of LPJmL.
    """
    return clip(t, base, ceiling) - base


def yin_beta(
    t: Tensor,
    base: Tensor | float,
    optimum: Tensor | float,
    maximum: Tensor | float,
    shape: Tensor | float = 1.0,
) -> Tensor:
    r"""Beta response to temperature.

    :math:`f = \left[\frac{T - T_b}{T_o - T_b} \left(\frac{T_m - T}{T_m - T_o}\right)^
    {(T_m - T_o) / (T_o - T_b)}\right]^c`, 0 outside (Tb, Tm); Yin et al. (1995),
    doi:10.1016/0168-1923(95)02236-Q.

    Parameters
    ----------
    t, base, optimum, maximum
        Temperature and its cardinal points (degC).
    shape
        Exponent c (-).
    """
    rise = safe_pow((t - base) / (optimum - base), shape, eps=1e-6)
    ratio = (maximum - optimum) / (optimum - base)
    fall = safe_pow((maximum - t) / (maximum - optimum), shape * ratio, eps=1e-6)
    return rise * fall


def wang_engel(
    t: Tensor, minimum: Tensor | float, optimum: Tensor | float, maximum: Tensor | float
) -> Tensor:
    r"""Response to temperature of Wang & Engel (1998), doi:10.1016/S0308-521X(98)00028-6.

    :math:`f = y (2 - y)` with :math:`y = ((T - T_n) / (T_o - T_n))^a` and
    :math:`a = \ln 2 / \ln((T_m - T_n) / (T_o - T_n))`; 0 outside (Tn, Tm).

    Parameters
    ----------
    t, minimum, optimum, maximum
        Temperature and its cardinal points (degC).
    """
    exponent = math.log(2.0) / log((maximum - minimum) / (optimum - minimum))
    y = safe_pow((t - minimum) / (optimum - minimum), exponent, eps=1e-6)
    return (y * (2.0 - y)).clamp(min=0.0)


def trapezoid(
    t: Tensor,
    base: Tensor | float,
    optimum_low: Tensor | float,
    optimum_high: Tensor | float,
    maximum: Tensor | float,
) -> Tensor:
    """Trapezoidal response to temperature, 0 outside (base, maximum) and 1 on the plateau (-).

    Parameters
    ----------
    t, base, optimum_low, optimum_high, maximum
        Temperature and its cardinal points (degC).
    """
    rise = clip01((t - base) / (optimum_low - base))
    return rise * clip01((maximum - t) / (maximum - optimum_high))


def linear_response(
    t: Tensor,
    base: Tensor | float,
    optimum: Tensor | float,
    maximum: Tensor | float,
    optimum_high: Tensor | float | None = None,
) -> Tensor:
    """Effective temperature: rises from the base, falls to the maximum (degC d d-1).

    (To - Tb) times a triangle or a trapezoid, so that it is T - Tb up to the optimum.

    Parameters
    ----------
    t, base, optimum, maximum
        Temperature and its cardinal points (degC).
    optimum_high
        Upper end of the plateau (degC); a triangle when None.
    """
    top = optimum if optimum_high is None else optimum_high
    return (optimum - base) * trapezoid(t, base, optimum, top, maximum)


def vernalisation_trapezoid(
    t: Tensor,
    low: Tensor | float = -4.0,
    optimum_low: Tensor | float = 3.0,
    optimum_high: Tensor | float = 10.0,
    high: Tensor | float = 17.0,
) -> Tensor:
    """Effectiveness of a day for vernalisation (d d-1), as in WOFOST and LPJmL.

    Parameters
    ----------
    t
        Mean temperature (degC).
    low, optimum_low, optimum_high, high
        Corners of the trapezoid (degC).
    """
    return trapezoid(t, low, optimum_low, optimum_high, high)


def vernalisation_factor(days: Tensor, base: Tensor | float, saturation: Tensor | float) -> Tensor:
    """Reduction of development by lack of cold, clip((V - Vb) / (Vs - Vb), 0, 1) (-).

    Parameters
    ----------
    days
        Vernalising days so far (d).
    base, saturation
        Days at which the factor leaves 0 and reaches 1 (d).
    """
    return clip01((days - base) / (saturation - base))


def photoperiod_linear(
    day_length: Tensor, critical: Tensor | float, optimal: Tensor | float
) -> Tensor:
    """Response to day length, clip((D - Dc) / (Do - Dc), 0, 1) (-).

    Parameters
    ----------
    day_length
        Photoperiod (h).
    critical, optimal
        Day length at which development stops and at which it is fastest (h). ``optimal <
        critical`` describes a short-day plant.
    """
    return clip01((day_length - critical) / (optimal - critical))


def photoperiod_wang_engel(
    day_length: Tensor, critical: Tensor | float, optimal: Tensor | float
) -> Tensor:
    """Response to day length, 1 - exp(-4 (P - Pc) / (Po - Pc)), at least 0 (-).

    Parameters
    ----------
    day_length
        Photoperiod (h).
    critical, optimal
        Critical and optimal photoperiod (h); ``optimal < critical`` for short-day plants.
        Wang & Engel (1998), doi:10.1016/S0308-521X(98)00028-6.
    """
    relative = (day_length - critical) / (optimal - critical)
    return -torch.expm1(-4.0 * relative.clamp(min=0.0))


def _stage(gap: Tensor, rate: Tensor, left: Tensor) -> tuple[Tensor, Tensor]:
    """Advance towards the end of a stage in the time left: (development, time used)."""
    crosses = rate * left >= gap
    # A finished stage (gap 0) may have rate 0: the quotient must still be defined.
    time = gap / torch.where(crosses & (rate > 0.0), rate, 1.0)
    return torch.where(crosses, gap, rate * left), torch.where(crosses, time, left)


def stage_step(
    dvs: Tensor, rate_emergence: Tensor, rate_vegetative: Tensor, rate_reproductive: Tensor
) -> StageStep:
    """Develop for one day, passing through stages at the exact fraction of the day.

    Parameters
    ----------
    dvs
        Development stage (-): -0.1 sown, 0 emerged, 1 flowering, 2 mature.
    rate_emergence, rate_vegetative, rate_reproductive
        Rates of development in the three stages (d-1, >= 0); the first covers the 0.1 from
        sowing to emergence.

    Returns
    -------
    StageStep
        ``dvs + change`` never exceeds 2; every member is differentiable in the rates.
    """
    gap_emergence = (-dvs).clamp(min=0.0)
    gap_vegetative = (1.0 - dvs).clamp(0.0, 1.0)
    gap_reproductive = (2.0 - dvs).clamp(0.0, 1.0)
    day = torch.ones_like(dvs)
    emerged, time_emergence = _stage(gap_emergence, rate_emergence, day)
    left = day - time_emergence
    grown, time_vegetative = _stage(gap_vegetative, rate_vegetative, left)
    left = (left - time_vegetative).clamp(min=0.0)
    filled, time_reproductive = _stage(gap_reproductive, rate_reproductive, left)
    return StageStep(emerged + grown + filled, time_emergence, time_vegetative, time_reproductive)
