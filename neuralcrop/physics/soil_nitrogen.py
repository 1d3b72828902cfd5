"""Mineral nitrogen of soil layers: immobilisation, nitrification, gas losses and leaching."""

import math

import torch
from torch import Tensor

from neuralcrop.core.constants import SECONDS_PER_DAY, ZERO_CELSIUS
from neuralcrop.core.numerics import clip01, safe_div, safe_pow, soft_step

TOP_LAYER = 0.2
"""Thickness of the layer that loses ammonia (m)."""

_COARSE_SAND = 0.7
_COARSE_WIDTH = 0.03


def immobilisation_demand(
    humified_carbon: Tensor, humified_nitrogen: Tensor, soil_cn: Tensor | float
) -> Tensor:
    r"""Nitrogen that microbes need to turn litter into soil organic matter (g m-2 d-1).

    :math:`\max(0, C_h / r - N_h)`; von Bloh et al. (2018), doi:10.5194/gmd-11-2789-2018.

    Parameters
    ----------
    humified_carbon, humified_nitrogen
        Decayed litter that is not respired or mineralised (g m-2 d-1).
    soil_cn
        Carbon to nitrogen of soil organic matter r (g g-1), above 0.
    """
    return (humified_carbon / soil_cn - humified_nitrogen).clamp(min=0.0)


def immobilisation_limit(
    mineral: Tensor, thickness: Tensor | float, half_saturation: Tensor | float
) -> Tensor:
    """Share of the immobilisation demand that mineral nitrogen allows, N / (N + k) (-).

    Parameters
    ----------
    mineral
        Ammonium and nitrate of the layer (g m-2).
    thickness
        Of the layer (m).
    half_saturation
        k (g m-3), above 0; 0.005 in LPJmL (von Bloh et al. 2018).
    """
    held = mineral.clamp(min=0.0)
    return held / (held + half_saturation * thickness)


def ammonium_share(ammonium: Tensor, nitrate: Tensor) -> Tensor:
    """Share of ammonium in mineral nitrogen, 0 where there is none (-)."""
    return safe_div(ammonium, ammonium + nitrate, eps=1e-9)


def nitrification_temperature(
    t: Tensor, optimum: Tensor | float = 18.79, width: Tensor | float = 8.26
) -> Tensor:
    """Factor of temperature on nitrification, a Gaussian (-).

    Parameters
    ----------
    t
        Soil temperature (degC).
    optimum, width
        Peak and standard deviation (degC, K): 18.79 and 5.26 in LPJmL 5 after Parton et al.
        (2001), doi:10.1029/2001JD900101; width 8.26 in LPJmL 6.
    """
    z = (t - optimum) / width
    return torch.exp(-0.5 * z * z)


def nitrification_moisture(wfps: Tensor, sand: Tensor) -> Tensor:
    r"""Factor of moisture on nitrification (-).

    :math:`((x - b) / (a - b))^{d (b - a) / (a - c)} ((x - c) / (a - c))^d` with a, b, c, d of 0.45,
    1.27, 0.0012, 2.84 in medium and 0.55, 1.7, -0.007, 3.22 in coarse soils, joined around 70 %
    sand; Parton et al. (1996), doi:10.1029/96GB01455, as in LPJmL.

    Parameters
    ----------
    wfps
        Water-filled pore space x (-); limited to 0..1.
    sand
        Mass fraction of sand (-).
    """
    x = clip01(wfps)
    coarse = soft_step(sand - _COARSE_SAND, _COARSE_WIDTH)
    medium = _hump(x, 0.45, 1.27, 0.0012, 2.84)
    return medium + coarse * (_hump(x, 0.55, 1.7, -0.007, 3.22) - medium)


def _hump(x: Tensor, a: float, b: float, c: float, d: float) -> Tensor:
    """Response that is 0 at c and b, and 1 at a (-)."""
    falling = safe_pow((b - x) / (b - a), d * (b - a) / (a - c))
    return falling * safe_pow(((x - c) / (a - c)).clamp(min=0.0), d)


def nitrification_ph(ph: Tensor) -> Tensor:
    r"""Factor of acidity on nitrification, :math:`0.56 + \arctan(0.45 \pi (pH - 5)) / \pi` (-).

    Parton et al. (1996), doi:10.1029/96GB01455.
    """
    return (0.56 + torch.atan(0.45 * math.pi * (ph - 5.0)) / math.pi).clamp(min=0.0)


def denitrification_temperature(t: Tensor) -> Tensor:
    r"""Factor of temperature on denitrification (-).

    :math:`0.0326 + 0.00351 T^{1.652} - (T / 41.748)^{7.19}`, 0.0326 in frozen soil and 0 above
    45.9 degC; von Bloh et al. (2018), doi:10.5194/gmd-11-2789-2018.

    Parameters
    ----------
    t
        Soil temperature (degC).
    """
    warm = t.clamp(0.0, 50.0)
    curve = 0.0326 + 0.00351 * safe_pow(warm, 1.652) - safe_pow(warm / 41.748, 7.19)
    return curve.clamp(min=0.0)


def denitrification_moisture(wfps: Tensor) -> Tensor:
    """Factor of moisture on denitrification, min(1, 6.664e-10 exp(20.929 x)) (-).

    Parameters
    ----------
    wfps
        Water-filled pore space x (-); limited to 0..1. The exponent is that of LPJmL 6;
        21.129 in von Bloh et al. (2018).
    """
    return (6.664096e-10 * torch.exp(20.92912 * clip01(wfps))).clamp(max=1.0)


def denitrification_rate(
    moisture: Tensor, temperature: Tensor, carbon: Tensor, coefficient: Tensor | float = 1.2
) -> Tensor:
    r"""Rate of denitrification, :math:`f_W (1 - e^{-c f_T C})` (d-1).

    Parameters
    ----------
    moisture, temperature
        Factors, of `denitrification_moisture` and `denitrification_temperature` (-).
    carbon
        Soil organic carbon of the layer C (g m-2).
    coefficient
        c (m2 g-1); von Bloh et al. (2018).
    """
    return moisture * -torch.expm1(-coefficient * temperature * carbon)


def ammonia_fraction(t: Tensor, ph: Tensor) -> Tensor:
    r"""Ammonia in dissolved ammonium and ammonia, :math:`1 / (1 + 10^{-pH} / K_a)` (-).

    Parameters
    ----------
    t
        Temperature (degC); :math:`K_a = 10^{0.05 - 2788 / T}`.
    ph
        Acidity; Montes et al. (2009), doi:10.13031/2013.29133.
    """
    pka = 2788.0 / (t + ZERO_CELSIUS) - 0.05
    return torch.sigmoid(math.log(10.0) * (ph - pka))


def ammonia_henry(t: Tensor) -> Tensor:
    r"""Ammonia in air over that in water, :math:`0.2138 / T \, 10^{6.123 - 1825 / T}` (-).

    Parameters
    ----------
    t
        Temperature (degC); Montes et al. (2009), doi:10.13031/2013.29133.
    """
    kelvin = t + ZERO_CELSIUS
    return 0.2138 / kelvin * torch.exp(math.log(10.0) * (6.123 - 1825.0 / kelvin))


def ammonia_transfer(wind: Tensor, t: Tensor, length: Tensor | float) -> Tensor:
    r"""Mass transfer of ammonia, :math:`0.000612 u^{0.8} T^{0.382} L^{-0.2}` (m s-1).

    Parameters
    ----------
    wind
        Wind speed u (m s-1).
    t
        Temperature (degC).
    length
        Length of the emitting surface L (m); Montes et al. (2009), doi:10.13031/2013.29133.
    """
    warmth = torch.exp(0.382 * torch.log(t + ZERO_CELSIUS))
    return 0.000612 * safe_pow(wind.clamp(min=0.0), 0.8, 1e-3) * warmth * length**-0.2


def volatilisation_rate(
    wind: Tensor, t: Tensor, ph: Tensor, length: Tensor | float = 100.0, depth: float = TOP_LAYER
) -> Tensor:
    """Rate at which ammonium of the top layer leaves as ammonia (d-1).

    Parameters
    ----------
    wind, t, ph, length
        As in `ammonia_transfer` and `ammonia_fraction`.
    depth
        Thickness of the layer (m).
    """
    exchange = ammonia_transfer(wind, t, length) * ammonia_henry(t)
    return SECONDS_PER_DAY / depth * exchange * ammonia_fraction(t, ph)


def leaching_rate(water: Tensor, saturation: Tensor, exclusion: Tensor | float) -> Tensor:
    r"""Rate at which water through a layer carries its nitrate away (d-1).

    :math:`w / ((1 - \theta_e) W_s)`: over a day the mobile share is
    :math:`1 - e^{-w / ((1 - \theta_e) W_s)}`, as in SWAT (Neitsch et al. 2002) and von Bloh et al.
    (2018), doi:10.5194/gmd-11-2789-2018.

    Parameters
    ----------
    water
        Water that leaves the layer w (mm d-1).
    saturation
        Water that it can hold, above 0 (mm).
    exclusion
        Share of pores from which anions are excluded, below 1 (-).
    """
    return water / ((1.0 - exclusion) * saturation)
