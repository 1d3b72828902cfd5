"""Daily photosynthesis of a canopy after Haxeltine & Prentice (1996), as in LPJmL.

Carbon is in g C m-2 d-1 and absorbed light in J m-2 d-1 throughout. Pressures of CO2 and the
kinetic constants need only share their unit.

Haxeltine & Prentice (1996) doi:10.1029/96GB02344; Sitch et al. (2003)
doi:10.1046/j.1365-2486.2003.00569.x; Schaphoff et al. (2018) doi:10.5194/gmd-11-1343-2018.
"""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.constants import GAS_CONSTANT, ZERO_CELSIUS
from neuralcrop.core.numerics import safe_div, safe_sqrt, smooth_min
from neuralcrop.physics.respiration import q10

CARBON_MASS = 12.0
"""Molar mass of carbon with the digits of LPJmL (g mol-1)."""

PHOTONS_PER_JOULE = 4.6e-6
"""Photons per energy of photosynthetically active light at 550 nm (mol J-1)."""

OXYGEN_PRESSURE = 20.9e3
"""Partial pressure of oxygen (Pa)."""

OPTIMAL_RATIO_C3, OPTIMAL_RATIO_C4 = 0.8, 0.4
"""Intercellular over ambient CO2 of unstressed leaves (-)."""

LOWEST_RATIO, HIGHEST_RATIO = 0.02, 0.85
"""Range of the ratio of intercellular to ambient CO2 (-)."""

STRESS_THRESHOLD = 0.01
"""Temperature stress below which nothing is assimilated (-)."""

CEILING_C3, CEILING_C4 = 45.0, 55.0
"""Temperature above which nothing is assimilated (degC)."""

ITERATIONS = 8
"""Newton steps for the ratio of intercellular to ambient CO2."""

_AIR_PRESSURE = 1e5
_SHORTEST_DAY = 0.1


class Kinetics(NamedTuple):
    """CO2 compensation point and effective Michaelis constant, in one unit of pressure."""

    gamma_star: Tensor
    km: Tensor


class Efficiencies(NamedTuple):
    """Assimilation per absorbed photon (c1) and per Rubisco capacity (c2) (-)."""

    light: Tensor
    rubisco: Tensor


class DailyAssimilation(NamedTuple):
    """Gross assimilation, leaf respiration of 24 h, net assimilation in daylight."""

    gross: Tensor
    respiration: Tensor
    net: Tensor


def temperature_stress(
    t: Tensor, lowest: Tensor, optimum_low: Tensor, optimum_high: Tensor, highest: Tensor,
    ceiling: Tensor | float = CEILING_C4,
) -> Tensor:
    r"""Reduction of photosynthesis by temperature (-).

    :math:`\frac{1}{1 + e^{k_1 (k_2 - T)}} (1 - 0.01 e^{k_3 (T - T_{opt,high})})`, 0.99 at the ends
    of the optimum and 0.01 at the limits; 0 from the upper limit on.

    Parameters
    ----------
    t
        Temperature (degC).
    lowest, highest
        Limits of CO2 uptake (degC).
    optimum_low, optimum_high
        Ends of the optimum (degC).
    ceiling
        Temperature above which it is 0 whatever the limits (degC): `CEILING_C3`, `CEILING_C4`.
    """
    steepness = 2.0 * math.log(1.0 / 0.99 - 1.0) / (lowest - optimum_low)
    rise = torch.sigmoid(steepness * (t - 0.5 * (lowest + optimum_low)))
    possible = (t < highest) & (t <= ceiling)
    fall = math.log(99.0) / (highest - optimum_high)
    # the exponential overflows far above the limit, where it is not used
    warmth = torch.where(possible, t, optimum_high) - optimum_high
    return torch.where(possible, rise * (1.0 - 0.01 * torch.exp(fall * warmth)), 0.0)


def kinetics(t: Tensor) -> Kinetics:
    """Rubisco kinetics of C3 leaves (Pa): po2 / (2 tau) and kc (1 + po2 / ko).

    Parameters
    ----------
    t
        Temperature (degC). Factors per 10 K: ko 1.2, kc 2.1, tau 0.57; Haxeltine & Prentice
        (1996).
    """
    ko = 3e4 * q10(t, 1.2)
    kc = 30.0 * q10(t, 2.1)
    tau = 2600.0 * q10(t, 0.57)
    return Kinetics(OXYGEN_PRESSURE / (2.0 * tau), kc * (1.0 + OXYGEN_PRESSURE / ko))


def efficiencies_c3(
    stress: Tensor, intercellular: Tensor, constants: Kinetics, quantum: Tensor | float
) -> Efficiencies:
    """c1 = s a (ci - G) / (ci + 2 G) and c2 = (ci - G) / (ci + K) of C3 leaves (-).

    Parameters
    ----------
    stress
        `temperature_stress` (-).
    intercellular
        CO2 in the leaf, in the unit of the constants.
    constants
        `kinetics`.
    quantum
        CO2 fixed per absorbed photon (mol mol-1).
    """
    above = intercellular - constants.gamma_star
    light = above / (intercellular + 2.0 * constants.gamma_star)
    return Efficiencies(_active(stress) * quantum * light, above / (intercellular + constants.km))


def efficiencies_c4(stress: Tensor, ratio: Tensor, quantum: Tensor | float) -> Efficiencies:
    """c1 = s a min(1, lambda / 0.4) and c2 = 1 of C4 leaves (-).

    Parameters
    ----------
    stress, quantum
        As in `efficiencies_c3`.
    ratio
        Intercellular over ambient CO2, lambda (-).
    """
    light = _active(stress) * quantum * (ratio / OPTIMAL_RATIO_C4).clamp(max=1.0)
    return Efficiencies(light, torch.ones_like(light))


def optimum_capacity(
    efficiencies: Efficiencies, apar: Tensor, day_length: Tensor, leaf_respiration: Tensor | float,
    curvature: float,
) -> Tensor:
    r"""Rubisco capacity at which net assimilation of the day is largest (g C m-2 d-1).

    :math:`V_m = \frac{1}{b} \frac{c_1}{c_2} [(2\theta - 1) s - (2\theta s - c_2) \sigma] APAR`,
    :math:`\sigma = \sqrt{1 - (c_2 - s) / (c_2 - \theta s)}`, s = 24 b / day length; 0 where the
    day is so short that leaf respiration exceeds what Rubisco can fix (s above c2).

    Parameters
    ----------
    efficiencies
        At the optimal ratio of intercellular to ambient CO2.
    apar
        Absorbed light (J m-2 d-1).
    day_length
        h.
    leaf_respiration
        Daily leaf respiration over capacity, b (-).
    curvature
        Of the co-limitation, theta (-, below 1).
    """
    c2 = efficiencies.rubisco.clamp(min=1e-6)
    c1 = efficiencies.light.clamp(min=0.0)
    s = torch.minimum(24.0 * leaf_respiration / day_length.clamp(min=_SHORTEST_DAY), c2)
    # 1 - (c2 - s) / (c2 - theta s) without its cancellation
    sigma = safe_sqrt((1.0 - curvature) * s / (c2 - curvature * s))
    bracket = (2.0 * curvature - 1.0) * s - (2.0 * curvature * s - c2) * sigma
    # at s = c2 the bracket is zero but for rounding
    return c1 / c2 * bracket.clamp(min=0.0) / leaf_respiration * _photon_carbon(apar)


def assimilation(
    efficiencies: Efficiencies, capacity: Tensor, apar: Tensor, day_length: Tensor,
    leaf_respiration: Tensor | float, curvature: float,
) -> DailyAssimilation:
    """Assimilation of a day, co-limited by light c1 APAR and by Rubisco c2 Vm.

    Parameters
    ----------
    efficiencies
        At the ratio of intercellular to ambient CO2 of the day.
    capacity
        `optimum_capacity` (g C m-2 d-1).
    apar, day_length, leaf_respiration, curvature
        As in `optimum_capacity`.
    """
    light, rubisco = _limits(efficiencies, capacity, apar, day_length)
    gross = smooth_min(light, rubisco, curvature)
    respiration = leaf_respiration * capacity
    return DailyAssimilation(gross, respiration, gross - day_length / 24.0 * respiration)


def carbon_to_volume(carbon: Tensor, t: Tensor) -> Tensor:
    """Volume of CO2 (mm d-1) of an assimilation (g C m-2 d-1), A / 12 R T / 1e5 Pa."""
    return carbon / CARBON_MASS * GAS_CONSTANT * (t + ZERO_CELSIUS) / _AIR_PRESSURE * 1000.0


def ratio_at_exchange_c3(
    exchange: Tensor, capacity: Tensor, apar: Tensor, day_length: Tensor, stress: Tensor,
    ambient: Tensor, constants: Kinetics, quantum: float, leaf_respiration: float,
    curvature: float,
) -> Tensor:
    """Intercellular over ambient CO2 at which diffusion carries the net assimilation, C3 (-).

    The root of E (1 - lambda) - A(lambda) = 0, within `LOWEST_RATIO` and `HIGHEST_RATIO`. A is
    concave and increases, so Newton's method from the lower end approaches the root from one
    side; the last step carries the gradient of the implicit function.

    Parameters
    ----------
    exchange
        Carbon that diffusion would carry into leaves without CO2, E (g C m-2 d-1): conductance
        times ambient CO2 times daylight.
    capacity, apar, day_length, leaf_respiration, curvature
        As in `assimilation`.
    stress, constants, quantum
        As in `efficiencies_c3`.
    ambient
        CO2 of the air, in the unit of the constants.
    """
    gamma_star, km = constants

    def at(ratio: Tensor) -> tuple[Efficiencies, Efficiencies]:
        ci = ratio * ambient
        slope = Efficiencies(
            _active(stress) * quantum * 3.0 * gamma_star * ambient
            / ((ci + 2.0 * gamma_star) * (ci + 2.0 * gamma_star)),
            (km + gamma_star) * ambient / ((ci + km) * (ci + km)))
        return efficiencies_c3(stress, ci, constants, quantum), slope

    state = _Canopy(exchange, capacity, apar, day_length, leaf_respiration, curvature)
    ratio = torch.full_like(capacity * exchange, LOWEST_RATIO).detach()
    for _ in range(ITERATIONS):
        ratio = _newton_step(ratio, *at(ratio), state).detach()
    return _newton_step(ratio, *at(ratio), state)


def ratio_at_exchange_c4(
    exchange: Tensor, capacity: Tensor, apar: Tensor, day_length: Tensor, stress: Tensor,
    quantum: float, leaf_respiration: float, curvature: float,
) -> Tensor:
    """Intercellular over ambient CO2 at which diffusion carries the net assimilation, C4 (-).

    Parameters
    ----------
    exchange, capacity, apar, day_length, stress, quantum, leaf_respiration, curvature
        As in `ratio_at_exchange_c3`.
    """
    def at(ratio: Tensor) -> tuple[Efficiencies, Efficiencies]:
        rising = _active(stress) * quantum / OPTIMAL_RATIO_C4
        slope = torch.where(ratio < OPTIMAL_RATIO_C4, rising, 0.0)
        return efficiencies_c4(stress, ratio, quantum), Efficiencies(slope, 0.0 * slope)

    state = _Canopy(exchange, capacity, apar, day_length, leaf_respiration, curvature)
    ratio = torch.full_like(capacity * exchange, LOWEST_RATIO).detach()
    for _ in range(ITERATIONS):
        ratio = _newton_step(ratio, *at(ratio), state).detach()
    return _newton_step(ratio, *at(ratio), state)


class _Canopy(NamedTuple):
    """What stays the same while the ratio is sought."""

    exchange: Tensor
    capacity: Tensor
    apar: Tensor
    day_length: Tensor
    leaf_respiration: float
    curvature: float


def _newton_step(
    ratio: Tensor, efficiencies: Efficiencies, slopes: Efficiencies, canopy: _Canopy
) -> Tensor:
    """Next ratio; its gradient is that of the root where ``ratio`` is the detached root."""
    net = assimilation(efficiencies, *canopy[1:]).net
    light, rubisco = _limits(efficiencies, canopy.capacity, canopy.apar, canopy.day_length)
    d_light, d_rubisco = _limits(slopes, canopy.capacity, canopy.apar, canopy.day_length)
    gross = smooth_min(light, rubisco, canopy.curvature)
    difference = light - rubisco
    root = safe_sqrt(
        difference * difference + 4.0 * (1.0 - canopy.curvature) * light * rubisco)
    rise = (d_light * (rubisco - gross) + d_rubisco * (light - gross)) / root
    steepness = (canopy.exchange + rise).detach()
    step = safe_div(canopy.exchange * (1.0 - ratio) - net, steepness)
    return (ratio + step).clamp(LOWEST_RATIO, HIGHEST_RATIO)


def _limits(
    efficiencies: Efficiencies, capacity: Tensor, apar: Tensor, day_length: Tensor
) -> tuple[Tensor, Tensor]:
    """Light and Rubisco limit of the day (g C m-2 d-1)."""
    return (efficiencies.light * _photon_carbon(apar),
            efficiencies.rubisco * capacity * (day_length / 24.0))


def _active(stress: Tensor) -> Tensor:
    return torch.where(stress < STRESS_THRESHOLD, 0.0, stress)


def _photon_carbon(apar: Tensor) -> Tensor:
    """Carbon fixed if each absorbed photon fixed a molecule (g C m-2 d-1)."""
    return apar * (CARBON_MASS * PHOTONS_PER_JOULE)
