"""Gross assimilation of the canopy by Gauss integration over depth and day."""

import math

import torch
from torch import Tensor

from neuralcrop.core.numerics import safe_div
from neuralcrop.physics.wofost72.astro import Astronomy

GAUSS_X = (0.1127017, 0.5, 0.8872983)
"""Abscissae of the Gauss integration with the digits of the reference (-)."""
GAUSS_W = (0.2777778, 0.4444444, 0.2777778)
"""Its weights (-)."""
SCATTERING = 0.2
"""Share of photosynthetically active radiation that leaves scatter (-)."""
_ROOT = math.sqrt(1.0 - SCATTERING)
_REFLECTION = (1.0 - _ROOT) / (1.0 + _ROOT)


def canopy_assimilation(
    amax: Tensor,
    eff: Tensor,
    kdif: Tensor,
    lai: Tensor,
    sinb: Tensor,
    direct: Tensor,
    diffuse: Tensor,
) -> Tensor:
    r"""Gross assimilation of a canopy at a moment (kg CO2 ha-1 h-1).

    Three depths; leaves follow :math:`A_m (1 - e^{-\epsilon I / A_m})`, the sunlit ones averaged
    over a spherical distribution of angles.

    Parameters
    ----------
    amax
        Maximum assimilation of a leaf (kg CO2 ha-1 h-1).
    eff
        Initial light use efficiency (kg CO2 ha-1 h-1 (J m-2 s-1)-1).
    kdif
        Extinction coefficient of diffuse light (-).
    lai
        Leaf area index (-).
    sinb
        Sine of the height of the sun (-).
    direct, diffuse
        Photosynthetically active radiation (W m-2).

    Returns
    -------
    Tensor
        Shape of ``sinb``, 0 without sun or leaves. Supit et al. (1994), chapter 5.
    """
    lit = sinb > 0.0
    sinb = torch.where(lit, sinb, 1.0)
    reflection = 2.0 * _REFLECTION / (1.0 + 1.6 * sinb)
    black = 0.5 * kdif / (0.8 * _ROOT * sinb)
    total = black * _ROOT
    scale = eff / amax.clamp(min=2.0)
    # Without direct light the mean over leaf angles is 0/0; the leaves are then all alike.
    perpendicular = (1.0 - SCATTERING) * direct / sinb
    sunny = perpendicular > 0.0
    intensity = torch.where(sunny, perpendicular, 1.0)
    mean = safe_div(-torch.expm1(-intensity * scale), eff * intensity, eps=0.0)

    canopy = torch.zeros_like(sinb)
    for x, weight in zip(GAUSS_X, GAUSS_W, strict=True):
        depth = x * lai
        sunlit = torch.exp(-black * depth)
        absorbed = (1.0 - reflection) * (
            diffuse * kdif * torch.exp(-kdif * depth) + direct * total * torch.exp(-total * depth)
        ) - (1.0 - SCATTERING) * direct * black * sunlit
        shade = amax * (-torch.expm1(-absorbed * scale))
        sun = torch.where(sunny, amax * (1.0 - (amax - shade) * mean), shade)
        canopy = canopy + weight * (sunlit * sun + (1.0 - sunlit) * shade)
    return torch.where(lit, canopy * lai, 0.0)


def gross_assimilation(
    sky: Astronomy,
    irradiation: Tensor,
    lai: Tensor,
    amax: Tensor,
    eff: Tensor,
    kdif: Tensor,
    tmnf: Tensor,
    co2_amax: Tensor | float = 1.0,
    co2_eff: Tensor | float = 1.0,
) -> Tensor:
    """Gross assimilation of a day PGASS (kg CH2O ha-1 d-1), 30/44 f(TMIN) of that in CO2.

    Parameters
    ----------
    sky
        `astro.astronomy` of the day.
    irradiation
        Global radiation (J m-2 d-1).
    lai
        Leaf area index (-).
    amax
        AMAXTB at the development stage times TMPFTB at the daytime temperature
        (TMAX + mean temperature) / 2 (kg CO2 ha-1 h-1).
    eff
        EFFTB at the daytime temperature (kg CO2 ha-1 h-1 (J m-2 s-1)-1).
    kdif
        KDIFTB at the development stage (-).
    tmnf
        TMNFTB at the mean TMIN of at most the last seven days since emergence (0-1).
    co2_amax, co2_eff
        CO2AMAXTB and CO2EFFTB at the concentration of CO2; factors on ``amax`` and ``eff`` (-).

    Returns
    -------
    Tensor
        ``[cell]``; 0 without light, leaves or capacity. Supit et al. (1994), chapter 5;
        de Wit et al. (2019).
    """
    amax, eff = amax * co2_amax, eff * co2_eff
    total = torch.zeros_like(lai)
    # Unrolled, the nine points become one kernel; as dimensions they took thrice the time.
    for x, weight in zip(GAUSS_X, GAUSS_W, strict=True):
        hour = 12.0 + 0.5 * sky.dayl * x
        sinb = sky.sinld + sky.cosld * torch.cos(2.0 * math.pi * (hour + 12.0) / 24.0)
        sinb = sinb.clamp(min=0.0)
        par = safe_div(0.5 * irradiation * sinb * (1.0 + 0.4 * sinb), sky.dsinbe)
        diffuse = torch.minimum(par, sinb * sky.difpp)
        moment = canopy_assimilation(amax, eff, kdif, lai, sinb, par - diffuse, diffuse)
        total = total + weight * moment
    return total * sky.dayl * tmnf * (30.0 / 44.0)


def recent_minimum(recent: Tensor, days: Tensor) -> Tensor:
    """Mean of the minimum temperatures since emergence, of seven days at most (degC).

    Parameters
    ----------
    recent
        Minimum temperatures of the last seven days, today first, ``[7, cell]`` (degC).
    days
        Days since emergence, today included; 1 on the day of emergence.
    """
    rank = torch.arange(recent.shape[0], dtype=recent.dtype, device=recent.device)
    counted = rank.reshape(-1, *([1] * days.dim())) < days
    number = days.clamp(min=1, max=recent.shape[0])
    return torch.where(counted, recent, 0.0).sum(dim=0) / number
