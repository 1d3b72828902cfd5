"""C3 photosynthesis of a leaf: Farquhar, von Caemmerer & Berry (1980)."""

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.constants import (
    GAS_CONSTANT,
    GAS_CONSTANT_PYREALM,
    OXYGEN,
    STANDARD_PRESSURE,
    ZERO_CELSIUS,
)
from neuralcrop.core.numerics import quadratic_small_root, smooth_min

_T25 = 25.0 + ZERO_CELSIUS
CONDUCTANCE_FLOOR = 1e-6
"""Smallest conductance to CO2 that enters a quotient (mol m-2 s-1)."""


class Assimilation(NamedTuple):
    """Rates of a leaf (umol m-2 s-1).

    Attributes
    ----------
    net
        Assimilation less day respiration.
    gross
        Co-limited assimilation.
    rubisco, electron
        The gross rates limited by Rubisco and by electron transport.
    """

    net: Tensor
    gross: Tensor
    rubisco: Tensor
    electron: Tensor


def arrhenius(t: Tensor, activation: Tensor | float, gas_constant: float = GAS_CONSTANT) -> Tensor:
    """Arrhenius factor exp(Ha (T - T25) / (R T T25)), 1 at 25 degC.

    Parameters
    ----------
    t
        Leaf temperature (degC).
    activation
        Activation energy Ha (J mol-1).
    gas_constant
        J mol-1 K-1.
    """
    return torch.exp(activation * (t - 25.0) / (gas_constant * _T25 * (t + ZERO_CELSIUS)))


def peaked_arrhenius(
    t: Tensor,
    activation: Tensor | float,
    entropy: Tensor | float,
    deactivation: float = 200e3,
    gas_constant: float = GAS_CONSTANT,
    reference: float = _T25,
) -> Tensor:
    r"""Arrhenius factor with thermal deactivation, 1 at the reference temperature.

    :math:`f = e^{H_a (T - T_0) / (R T T_0)} \frac{1 + e^{(\Delta S T_0 - H_d) / (R T_0)}}
    {1 + e^{(\Delta S T - H_d) / (R T)}}`, Medlyn et al. (2002),
    doi:10.1046/j.1365-3040.2002.00891.x.

    Parameters
    ----------
    t
        Leaf temperature (degC).
    activation, deactivation
        Ha and Hd (J mol-1).
    entropy
        Entropy term dS (J mol-1 K-1).
    gas_constant
        R (J mol-1 K-1).
    reference
        T0 (K).
    """
    kelvin = t + ZERO_CELSIUS
    rise = torch.exp(activation * (kelvin - reference) / (gas_constant * reference * kelvin))
    at_t = torch.exp((entropy * kelvin - deactivation) / (gas_constant * kelvin))
    # Adding a zero tensor keeps the entropy free to be a number or a tensor.
    at_reference = torch.exp(
        (entropy * reference - deactivation) / (gas_constant * reference) + 0.0 * kelvin
    )
    return rise * (1.0 + at_reference) / (1.0 + at_t)


def kattge_knorr_factors(
    t_growth: Tensor,
    t_leaf: Tensor,
    gas_constant: float = GAS_CONSTANT,
    growth_range: tuple[float, float] = (11.0, 35.0),
) -> tuple[Tensor, Tensor]:
    """Temperature factors of Vcmax and Jmax acclimated to the growth temperature.

    Parameters
    ----------
    t_growth
        Mean air temperature of about the last 30 days (degC).
    t_leaf
        Leaf temperature (degC).
    gas_constant
        J mol-1 K-1.
    growth_range
        Limits of ``t_growth`` (degC), by default the range of the data.

    Returns
    -------
    tuple of Tensor
        Factors of Vcmax and Jmax, 1 at 25 degC; Kattge & Knorr (2007),
        doi:10.1111/j.1365-3040.2007.01690.x.
    """
    growth = t_growth.clamp(*growth_range)
    vcmax = peaked_arrhenius(t_leaf, 71513.0, 668.39 - 1.07 * growth, 200e3, gas_constant)
    jmax = peaked_arrhenius(t_leaf, 49884.0, 659.70 - 0.75 * growth, 200e3, gas_constant)
    return vcmax, jmax


def jmax_to_vcmax_ratio(t_growth: Tensor) -> Tensor:
    """Jmax25 / Vcmax25 = 2.59 - 0.035 Tg (-); Kattge & Knorr (2007)."""
    return 2.59 - 0.035 * t_growth.clamp(11.0, 35.0)


def kinetics(t: Tensor, pressure: Tensor | float) -> tuple[Tensor, Tensor]:
    """Compensation point and effective Michaelis constant of Rubisco as mole fractions.

    Parameters
    ----------
    t
        Leaf temperature (degC).
    pressure
        Air pressure (kPa). Oxygen and the compensation point scale with it, Kc and Ko do not.

    Returns
    -------
    tuple of Tensor
        Gamma* and Km = Kc (1 + O / Ko) (umol mol-1); Bernacchi et al. (2001),
        doi:10.1111/j.1365-3040.2001.00668.x, as in plantecophys (Duursma 2015,
        doi:10.1371/journal.pone.0143346).
    """
    relative = pressure / 100.0
    gamma_star = 42.75 * relative * arrhenius(t, 37830.0)
    kc = 404.9 * arrhenius(t, 79430.0)
    ko = 278.4 * arrhenius(t, 36380.0)
    return gamma_star, kc * (1.0 + OXYGEN * relative / ko)


def kinetics_pressure(t: Tensor, pressure: Tensor | float) -> tuple[Tensor, Tensor]:
    """Compensation point and effective Michaelis constant as partial pressures (Pa).

    Parameters
    ----------
    t
        Leaf temperature (degC).
    pressure
        Air pressure (kPa).

    Returns
    -------
    tuple of Tensor
        Gamma* and Km (Pa) in the convention of pyrealm: Bernacchi et al. (2001) at the pressure
        of the measurements, oxygen 209476 umol mol-1.
    """
    gamma_star = 4.332 * (pressure / STANDARD_PRESSURE)
    kc = 39.97 * arrhenius(t, 79430.0, GAS_CONSTANT_PYREALM)
    ko = 27480.0 * arrhenius(t, 36380.0, GAS_CONSTANT_PYREALM)
    oxygen = 0.209476 * 1000.0 * pressure
    return gamma_star * arrhenius(t, 37830.0, GAS_CONSTANT_PYREALM), kc * (1.0 + oxygen / ko)


def electron_transport(
    par: Tensor, jmax: Tensor, alpha: Tensor | float = 0.24, theta: Tensor | float = 0.85
) -> Tensor:
    r"""Electron transport limited by light and capacity.

    The smaller root of :math:`\theta J^2 - (\alpha Q + J_m) J + \alpha Q J_m = 0`.

    Parameters
    ----------
    par
        Photon flux Q, incident or absorbed as ``alpha`` is meant (umol m-2 s-1).
    jmax
        Capacity (umol m-2 s-1).
    alpha
        Electrons per photon (-); 0.24 for incident light.
    theta
        Curvature (-).

    Returns
    -------
    Tensor
        J (umol m-2 s-1).
    """
    return smooth_min(alpha * par, jmax, theta)


def rubisco_rate(vcmax: Tensor, ci: Tensor, gamma_star: Tensor, km: Tensor) -> Tensor:
    """Rubisco-limited gross rate Vc (C - G*) / (C + Km) (umol m-2 s-1)."""
    return vcmax * (ci - gamma_star) / (ci + km)


def electron_rate(j: Tensor, ci: Tensor, gamma_star: Tensor) -> Tensor:
    """Electron-limited gross rate (J / 4) (C - G*) / (C + 2 G*) (umol m-2 s-1)."""
    return 0.25 * j * (ci - gamma_star) / (ci + 2.0 * gamma_star)


def tpu_rate(
    tpu: Tensor, ci: Tensor, gamma_star: Tensor, glycolate: Tensor | float = 0.0
) -> Tensor:
    """Gross rate limited by triose-phosphate use, 3 T (C - G*) / (C - (1 + 3 a) G*).

    Parameters
    ----------
    tpu
        Rate of triose-phosphate use T (umol m-2 s-1).
    ci, gamma_star
        CO2 and compensation point (umol mol-1). Near and below the pole of the equation, where
        the other rates limit, the value at 1.1 + 3 a times the compensation point is kept.
    glycolate
        Share a of glycolate carbon not returned (-).
    """
    pole = (1.0 + 3.0 * glycolate) * gamma_star
    c = torch.maximum(ci, pole + 0.1 * gamma_star)
    return 3.0 * tpu * (c - gamma_star) / (c - pole)


def assimilation_at_ci(
    vcmax: Tensor,
    j: Tensor,
    ci: Tensor,
    gamma_star: Tensor,
    km: Tensor,
    rd: Tensor,
    theta_smooth: Tensor | float,
    tpu: Tensor | None = None,
) -> Assimilation:
    """Assimilation at a known intercellular CO2.

    Parameters
    ----------
    vcmax, j
        Rubisco capacity and electron transport (umol m-2 s-1).
    ci, gamma_star, km
        CO2, compensation point, Michaelis constant (umol mol-1).
    rd
        Day respiration (umol m-2 s-1).
    theta_smooth
        Curvature of the co-limitation (-); 0.9999 in plantecophys.
    tpu
        Rate of triose-phosphate use (umol m-2 s-1); not limiting when None.
    """
    rubisco = rubisco_rate(vcmax, ci, gamma_star, km)
    electron = electron_rate(j, ci, gamma_star)
    gross = smooth_min(rubisco, electron, theta_smooth)
    if tpu is not None:
        gross = smooth_min(gross, tpu_rate(tpu, ci, gamma_star), theta_smooth)
    return Assimilation(gross - rd, gross, rubisco, electron)


def diffusion_limited_net(
    capacity: Tensor,
    half_saturation: Tensor,
    ca: Tensor,
    gc: Tensor,
    gamma_star: Tensor,
    rd: Tensor,
) -> Tensor:
    r"""Net rate where :math:`V (C - G^*) / (C + K) - R_d` meets :math:`g_c (C_a - C)`.

    The smaller root of :math:`A^2 + (R_d - V - g_c (C_a + K)) A + g_c (V (C_a - G^*) -
    R_d (C_a + K)) = 0`.

    Parameters
    ----------
    capacity, half_saturation
        V and K: (Vcmax, Km) or (J / 4, 2 G*) (umol m-2 s-1, umol mol-1).
    ca
        CO2 of the air (umol mol-1).
    gc
        Conductance to CO2 (mol m-2 s-1).
    gamma_star
        Compensation point (umol mol-1).
    rd
        Day respiration (umol m-2 s-1).
    """
    reach = ca + half_saturation
    b = rd - capacity - gc * reach
    c = gc * (capacity * (ca - gamma_star) - rd * reach)
    return quadratic_small_root(1.0, b, c)


def assimilation_at_conductance(
    vcmax: Tensor,
    j: Tensor,
    ca: Tensor,
    gc: Tensor,
    gamma_star: Tensor,
    km: Tensor,
    rd: Tensor,
    theta_smooth: Tensor | float,
) -> Assimilation:
    """Assimilation at a known conductance, in closed form for each limiting rate.

    Parameters
    ----------
    vcmax, j
        Rubisco capacity and electron transport (umol m-2 s-1).
    ca
        CO2 of the air (umol mol-1).
    gc
        Conductance to CO2 (mol m-2 s-1); floored at 1e-6.
    gamma_star, km
        Compensation point, Michaelis constant (umol mol-1).
    rd
        Day respiration (umol m-2 s-1).
    theta_smooth
        Curvature of the co-limitation (-).
    """
    gc = gc.clamp(min=CONDUCTANCE_FLOOR)
    rubisco = diffusion_limited_net(vcmax, km, ca, gc, gamma_star, rd) + rd
    electron = diffusion_limited_net(0.25 * j, 2.0 * gamma_star, ca, gc, gamma_star, rd) + rd
    gross = smooth_min(rubisco, electron, theta_smooth)
    return Assimilation(gross - rd, gross, rubisco, electron)


def intercellular_co2(ca: Tensor, net: Tensor, gc: Tensor) -> Tensor:
    """CO2 behind a conductance, Ca - A / gc (umol mol-1); gc is floored at 1e-6."""
    return ca - net / gc.clamp(min=CONDUCTANCE_FLOOR)
