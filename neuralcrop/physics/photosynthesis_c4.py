"""C4 photosynthesis of a leaf: Collatz et al. (1992), and von Caemmerer (2000) to verify it."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.numerics import quadratic_small_root, smooth_min
from neuralcrop.physics.photosynthesis_c3 import CONDUCTANCE_FLOOR, peaked_arrhenius

_AT_25 = 1.0 / ((1.0 + math.exp(0.3 * (13.0 - 25.0))) * (1.0 + math.exp(0.3 * (25.0 - 36.0))))


class AssimilationC4(NamedTuple):
    """Rates of a C4 leaf (umol m-2 s-1).

    Attributes
    ----------
    net
        Assimilation less day respiration.
    gross
        Co-limited assimilation.
    capacity
        Gross rate limited by Rubisco and light together.
    carboxylation
        Gross rate limited by CO2 (PEP carboxylase).
    """

    net: Tensor
    gross: Tensor
    capacity: Tensor
    carboxylation: Tensor


def temperature_factor(t: Tensor) -> Tensor:
    """Temperature factor of C4 capacity, 1 at 25 degC.

    2^((T - 25) / 10) / ((1 + exp(0.3 (13 - T))) (1 + exp(0.3 (T - 36)))), normalised;
    Collatz et al. (1992), doi:10.1071/PP9920519.

    Parameters
    ----------
    t
        Leaf temperature (degC).
    """
    growth = torch.exp(0.1 * math.log(2.0) * (t - 25.0))
    return growth * torch.sigmoid(0.3 * (t - 13.0)) * torch.sigmoid(0.3 * (36.0 - t)) / _AT_25


def respiration_factor(t: Tensor) -> Tensor:
    """Temperature factor of C4 leaf respiration, 2^((T - 25) / 10) / (1 + exp(1.3 (T - 55))).

    Parameters
    ----------
    t
        Leaf temperature (degC). Collatz et al. (1992), doi:10.1071/PP9920519; 1 at 25 degC to
        1e-17.
    """
    return torch.exp(0.1 * math.log(2.0) * (t - 25.0)) * torch.sigmoid(1.3 * (55.0 - t))


def assimilation_at_ci(
    vcmax: Tensor,
    light: Tensor,
    ci: Tensor,
    k: Tensor,
    rd: Tensor,
    theta: Tensor | float = 0.83,
    beta: Tensor | float = 0.93,
) -> AssimilationC4:
    """C4 assimilation at a known intercellular CO2; Collatz et al. (1992).

    Parameters
    ----------
    vcmax
        Rubisco capacity at leaf temperature (umol m-2 s-1).
    light
        Light-limited rate, quantum yield x absorbed photons (umol m-2 s-1).
    ci
        Intercellular CO2 (umol mol-1).
    k
        Initial slope of the CO2 response (mol m-2 s-1), about 0.7.
    rd
        Day respiration (umol m-2 s-1).
    theta, beta
        Curvatures of the two co-limitations (-).
    """
    capacity = smooth_min(vcmax, light, theta)
    carboxylation = k * ci
    gross = smooth_min(capacity, carboxylation, beta)
    return AssimilationC4(gross - rd, gross, capacity, carboxylation)


def assimilation_at_conductance(
    vcmax: Tensor,
    light: Tensor,
    ca: Tensor,
    gc: Tensor,
    k: Tensor,
    rd: Tensor,
    theta: Tensor | float = 0.83,
    beta: Tensor | float = 0.93,
) -> AssimilationC4:
    """C4 assimilation at a known conductance: the CO2-limited net rate is linear in CO2.

    A_k = gc (k Ca - Rd) / (gc + k), the point where k C - Rd meets gc (Ca - C).

    Parameters
    ----------
    vcmax, light, k, rd, theta, beta
        As in `assimilation_at_ci`.
    ca
        CO2 of the air (umol mol-1).
    gc
        Conductance to CO2 (mol m-2 s-1); floored at 1e-6.
    """
    gc = gc.clamp(min=CONDUCTANCE_FLOOR)
    capacity = smooth_min(vcmax, light, theta)
    carboxylation = gc * (k * ca - rd) / (gc + k) + rd
    gross = smooth_min(capacity, carboxylation, beta)
    return AssimilationC4(gross - rd, gross, capacity, carboxylation)


class VonCaemmererC4(NamedTuple):
    """Parameters of the C4 model of von Caemmerer (2000), defaults of plantecophys 1.4-6.

    Attributes
    ----------
    vpmax, jmax, vcmax
        Capacities at 25 degC of PEP carboxylase, electron transport, Rubisco (umol m-2 s-1).
    vpr
        Regeneration of PEP (umol m-2 s-1).
    gbs
        Bundle-sheath conductance (mol m-2 s-1).
    oxygen
        Oxygen (mmol mol-1).
    partition
        Share of electron transport that drives PEP regeneration (-).
    theta
        Curvature of electron transport (-).
    kc, kp, ko
        Michaelis constants at 25 degC (umol mol-1, umol mol-1, mmol mol-1).
    q10
        Their temperature coefficient, and that of respiration (-).
    low_gamma_star
        Half the reciprocal of Rubisco specificity (-).
    rd
        Day respiration at 25 degC (umol m-2 s-1).
    mesophyll_share
        Share of day respiration in the mesophyll (-).
    absorptance
        Leaf absorptance (-).
    theta_smooth
        Curvature of the co-limitation (-).
    """

    vpmax: float = 120.0
    jmax: float = 400.0
    vcmax: float = 60.0
    vpr: float = 80.0
    gbs: float = 3e-3
    oxygen: float = 210.0
    partition: float = 0.4
    theta: float = 0.7
    kc: float = 650.0
    kp: float = 80.0
    ko: float = 450.0
    q10: float = 2.3
    low_gamma_star: float = 1.93e-4
    rd: float = 1.0
    mesophyll_share: float = 0.5
    absorptance: float = 0.85
    theta_smooth: float = 0.999


def von_caemmerer_assimilation(
    ci: Tensor, par: Tensor, t: Tensor, parameters: VonCaemmererC4 | None = None
) -> AssimilationC4:
    """C4 assimilation with a bundle sheath, exactly as plantecophys 1.4-6 computes it.

    Only meant to verify against that package: it subtracts ``rd`` from rates that are already
    net of it, and the term in ``rd`` of the light-limited rate has the opposite sign of
    von Caemmerer (2000), eq. 4.44. Temperature responses of Massad et al. (2007),
    doi:10.1111/j.1365-3040.2007.01691.x.

    Parameters
    ----------
    ci
        Intercellular CO2 (umol mol-1).
    par
        Incident photons (umol m-2 s-1).
    t
        Leaf temperature (degC).
    parameters
        The defaults of plantecophys when None.

    Returns
    -------
    AssimilationC4
        ``capacity`` is the light-limited and ``carboxylation`` the enzyme-limited rate.
    """
    p = VonCaemmererC4() if parameters is None else parameters
    factor = torch.exp(math.log(p.q10) / 10.0 * (t - 25.0))
    kc, kp, ko = p.kc * factor, p.kp * factor, p.ko * factor
    vcmax = p.vcmax * peaked_arrhenius(t, 67294.0, 472.0, 144568.0, reference=298.0)
    vpmax = p.vpmax * peaked_arrhenius(t, 70373.0, 376.0, 117910.0, reference=298.0)
    jmax = p.jmax * peaked_arrhenius(t, 77900.0, 627.0, 191929.0, reference=298.0)
    rd = p.rd * factor
    vp = (ci * vpmax / (ci + kp)).clamp(max=p.vpr)
    j = smooth_min(0.5 * p.absorptance * par, jmax, p.theta)
    # What reaches the bundle sheath besides PEP carboxylation: leakage less mesophyll respiration.
    inward = p.gbs * ci - p.mesophyll_share * rd
    photorespired = p.low_gamma_star * p.oxygen
    enzyme = _bundle_sheath_rate(
        vp + inward, vcmax, kc * (1.0 + p.oxygen / ko), photorespired, rd, p.gbs
    )
    light = _bundle_sheath_rate(
        0.5 * p.partition * j + inward,
        (1.0 - p.partition) / 3.0 * j,
        7.0 / 3.0 * photorespired,
        photorespired,
        rd,
        p.gbs,
        rd_sign=-1.0,
    )
    gross = smooth_min(enzyme, light, p.theta_smooth)
    return AssimilationC4(gross - rd, gross, light, enzyme)


def _bundle_sheath_rate(
    supply: Tensor,
    capacity: Tensor,
    half_saturation: Tensor | float,
    photorespired: float,
    rd: Tensor,
    gbs: float,
    rd_sign: float = 1.0,
) -> Tensor:
    """Rate of Rubisco in a bundle sheath without oxygen evolution.

    The smaller root of A^2 - (S + V - Rd + gbs K) A + S (V - Rd) - gbs (V g* O + Rd K) = 0.
    """
    b = -(supply + capacity - rd + gbs * half_saturation)
    leak = gbs * (capacity * photorespired + rd_sign * rd * half_saturation)
    return quadratic_small_root(1.0, b, supply * (capacity - rd) - leak)
