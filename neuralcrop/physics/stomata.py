"""Stomatal conductance and its coupling to C3 photosynthesis, in closed form."""

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.constants import WATER_TO_CO2_DIFFUSIVITY
from neuralcrop.core.numerics import quadratic_large_root, smooth_min
from neuralcrop.physics.photosynthesis_c3 import electron_rate, rubisco_rate

_VPD_FLOOR = 0.05


class CoupledLeaf(NamedTuple):
    """A leaf in balance with its stomata.

    Attributes
    ----------
    net
        Net assimilation (umol m-2 s-1).
    conductance
        Stomatal conductance to water vapour (mol m-2 s-1).
    ci
        Intercellular CO2 (umol mol-1).
    """

    net: Tensor
    conductance: Tensor
    ci: Tensor


def medlyn_ci_ratio(g1: Tensor | float, vpd: Tensor) -> Tensor:
    """Ratio of intercellular to ambient CO2 without a residual conductance, g1 / (g1 + sqrt D).

    Parameters
    ----------
    g1
        Slope (kPa^0.5).
    vpd
        Saturation deficit D (kPa); floored at 0.05. Medlyn et al. (2011),
        doi:10.1111/j.1365-2486.2010.02375.x.
    """
    return g1 / (g1 + torch.sqrt(vpd.clamp(min=_VPD_FLOOR)))


def medlyn_slope(g1: Tensor | float, vpd: Tensor, ca: Tensor | float) -> Tensor:
    """Conductance to CO2 per assimilation, X = (1 + g1 / sqrt D) / Ca (mol umol-1)."""
    return (1.0 + g1 / torch.sqrt(vpd.clamp(min=_VPD_FLOOR))) / ca


def ball_berry_slope(
    g1: Tensor | float,
    relative_humidity: Tensor,
    ca: Tensor | float,
    ratio: float = WATER_TO_CO2_DIFFUSIVITY,
) -> Tensor:
    """Conductance to CO2 per assimilation, X = g1 hs / Ca / ratio; Ball et al. (1987).

    Parameters
    ----------
    g1
        Slope for water vapour (-).
    relative_humidity
        Relative humidity at the leaf (0-1).
    ca
        CO2 of the air (umol mol-1).
    ratio
        Conductance to water vapour over that to CO2 (-).
    """
    return g1 * relative_humidity / ca / ratio


def leuning_slope(
    g1: Tensor | float,
    vpd: Tensor,
    d0: Tensor | float,
    ca: Tensor | float,
    gamma_star: Tensor | float,
    ratio: float = WATER_TO_CO2_DIFFUSIVITY,
) -> Tensor:
    """Conductance to CO2 per assimilation, X = g1 / ((Ca - G*) (1 + D / D0)) / ratio.

    Parameters
    ----------
    g1
        Slope for water vapour (-).
    vpd, d0
        Saturation deficit and its scale (kPa).
    ca, gamma_star
        CO2 of the air and compensation point (umol mol-1).
    ratio
        Conductance to water vapour over that to CO2 (-). Leuning (1995),
        doi:10.1111/j.1365-3040.1995.tb00370.x.
    """
    return g1 / ((ca - gamma_star) * (1.0 + vpd / d0)) / ratio


def medlyn_conductance(
    a: Tensor,
    ca: Tensor | float,
    g1: Tensor | float,
    vpd: Tensor,
    g0: Tensor | float = 0.0,
    ratio: float = WATER_TO_CO2_DIFFUSIVITY,
) -> Tensor:
    """Stomatal conductance to water vapour, g0 + ratio (1 + g1 / sqrt D) A / Ca (mol m-2 s-1).

    Parameters
    ----------
    a
        Net assimilation (umol m-2 s-1); negative rates leave g0.
    ca
        CO2 of the air (umol mol-1).
    g1
        Slope (kPa^0.5).
    vpd
        Saturation deficit (kPa); floored at 0.05.
    g0
        Residual conductance (mol m-2 s-1).
    ratio
        Conductance to water vapour over that to CO2 (-). Medlyn et al. (2011),
        doi:10.1111/j.1365-2486.2010.02375.x.
    """
    return g0 + ratio * medlyn_slope(g1, vpd, ca) * a.clamp(min=0.0)


def coupled_ci(
    capacity: Tensor,
    half_saturation: Tensor,
    ca: Tensor,
    slope: Tensor,
    g0c: Tensor | float,
    gamma_star: Tensor,
    rd: Tensor,
) -> Tensor:
    r"""Intercellular CO2 where demand, diffusion and stomata agree.

    Solves :math:`A = V (C - G^*) / (C + K) - R_d`, :math:`A = g_c (C_a - C)` and
    :math:`g_c = g_{0c} + X A`, a quadratic in C.

    Parameters
    ----------
    capacity, half_saturation
        V and K: (Vcmax, Km) or (J / 4, 2 G*) (umol m-2 s-1, umol mol-1).
    ca
        CO2 of the air (umol mol-1).
    slope
        X, conductance to CO2 per assimilation (mol umol-1).
    g0c
        Residual conductance to CO2 (mol m-2 s-1).
    gamma_star
        Compensation point (umol mol-1).
    rd
        Day respiration (umol m-2 s-1).

    Returns
    -------
    Tensor
        Larger root (umol mol-1); the CO2 of the air where no net assimilation is possible.
    """
    surplus = capacity - rd
    loss = capacity * gamma_star + rd * half_saturation
    closed = 1.0 - ca * slope
    # Stomata open only if the leaf would gain carbon at ambient CO2, hence V > Rd and a > 0.
    gains = surplus * ca > loss
    a = torch.where(gains, g0c + slope * surplus, 1.0)
    b = closed * surplus + g0c * (half_saturation - ca) - slope * loss
    c = -closed * loss - g0c * half_saturation * ca
    # Elsewhere the trivial quadratic C - Ca keeps the root and its gradient finite.
    b = torch.where(gains, b, -ca)
    c = torch.where(gains, c, 0.0)
    return quadratic_large_root(a, b, c)


def coupled_assimilation(
    vcmax: Tensor,
    j: Tensor,
    ca: Tensor,
    slope: Tensor,
    g0: Tensor | float,
    gamma_star: Tensor,
    km: Tensor,
    rd: Tensor,
    theta_smooth: Tensor | float,
    ratio: float = WATER_TO_CO2_DIFFUSIVITY,
) -> CoupledLeaf:
    """Assimilation and conductance of a C3 leaf, solved for each limiting rate.

    Parameters
    ----------
    vcmax, j
        Rubisco capacity and electron transport (umol m-2 s-1).
    ca
        CO2 of the air (umol mol-1).
    slope
        X of `medlyn_slope`, `ball_berry_slope` or `leuning_slope` (mol umol-1).
    g0
        Residual conductance to water vapour (mol m-2 s-1).
    gamma_star, km
        Compensation point, Michaelis constant (umol mol-1).
    rd
        Day respiration (umol m-2 s-1).
    theta_smooth
        Curvature of the co-limitation (-).
    ratio
        Conductance to water vapour over that to CO2 (-).
    """
    g0c = g0 / ratio
    ci_rubisco = coupled_ci(vcmax, km, ca, slope, g0c, gamma_star, rd)
    ci_electron = coupled_ci(0.25 * j, 2.0 * gamma_star, ca, slope, g0c, gamma_star, rd)
    rubisco = rubisco_rate(vcmax, ci_rubisco, gamma_star, km)
    electron = electron_rate(j, ci_electron, gamma_star)
    net = smooth_min(rubisco, electron, theta_smooth) - rd
    ci = torch.where(rubisco < electron, ci_rubisco, ci_electron)
    return CoupledLeaf(net, g0 + ratio * slope * net.clamp(min=0.0), ci)
