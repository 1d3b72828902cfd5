"""Humidity of the air, evaporation and transpiration."""

import math

import torch
from torch import Tensor

from neuralcrop.core.constants import (
    DRY_AIR_GAS_CONSTANT,
    GAS_CONSTANT,
    SPECIFIC_HEAT_AIR,
    VON_KARMAN,
    WATER_VAPOUR_RATIO,
    ZERO_CELSIUS,
)

_CONDUCTANCE_FLOOR = 1e-9
_WIND_FLOOR = 0.5
WIND_10M_TO_2M = 4.87 / math.log(67.8 * 10.0 - 5.42)
"""Wind at 2 m over wind at 10 m (-; Allen et al. 1998, FAO-56, eq. 47)."""


def saturation_vapour_pressure(t: Tensor) -> Tensor:
    """Saturation vapour pressure over water (kPa), 0.6108 exp(17.27 T / (T + 237.3)).

    Parameters
    ----------
    t
        Temperature (degC). Tetens (1930) as in Allen et al. (1998), FAO-56, eq. 11.
    """
    return 0.6108 * torch.exp(17.27 * t / (t + 237.3))


def vapour_pressure_slope(t: Tensor) -> Tensor:
    """Slope of the saturation vapour pressure (kPa K-1), 4098 e0(T) / (T + 237.3)^2.

    Parameters
    ----------
    t
        Temperature (degC). Allen et al. (1998), FAO-56, eq. 13.
    """
    return 4098.0 * saturation_vapour_pressure(t) / ((t + 237.3) * (t + 237.3))


def psychrometric_constant(pressure: Tensor) -> Tensor:
    """Psychrometric constant 0.665e-3 P (kPa K-1); Allen et al. (1998), FAO-56, eq. 8."""
    return 0.665e-3 * pressure


def air_pressure(elevation: Tensor) -> Tensor:
    """Air pressure (kPa) at a height above the sea (m); Allen et al. (1998), FAO-56, eq. 7."""
    return 101.3 * torch.exp(5.26 * torch.log((293.0 - 0.0065 * elevation) / 293.0))


def vapour_pressure_from_specific_humidity(q: Tensor, p: Tensor | float) -> Tensor:
    """Vapour pressure q P / (0.622 + 0.378 q) (kPa).

    Parameters
    ----------
    q
        Specific humidity (kg kg-1).
    p
        Air pressure (kPa).
    """
    return q * p / (WATER_VAPOUR_RATIO + (1.0 - WATER_VAPOUR_RATIO) * q)


def wind_2m_from_10m(wind: Tensor) -> Tensor:
    """Wind at 2 m from wind at 10 m over grass (m s-1); Allen et al. (1998), FAO-56, eq. 47."""
    return WIND_10M_TO_2M * wind


def latent_heat(t: Tensor) -> Tensor:
    """Latent heat of vaporisation 2.501 - 0.002361 T (MJ kg-1); FAO-56, annex 3, eq. 3.1."""
    return 2.501 - 0.002361 * t


def air_density(t: Tensor, pressure: Tensor | float) -> Tensor:
    """Density of the air (kg m-3) with the virtual temperature 1.01 (T + 273).

    Parameters
    ----------
    t
        Temperature (degC).
    pressure
        Air pressure (kPa). Allen et al. (1998), FAO-56, annex 3, eqs. 3.5 and 3.7.
    """
    return pressure / (DRY_AIR_GAS_CONSTANT * 1.01 * (t + 273.0))


def reference_evapotranspiration_fao56(
    net_radiation: Tensor,
    soil_heat: Tensor | float,
    t: Tensor,
    wind: Tensor,
    vpd: Tensor,
    pressure: Tensor,
) -> Tensor:
    r"""Evapotranspiration of the short-grass reference crop.

    :math:`ET_0 = \frac{0.408 \Delta (R_n - G) + \gamma \frac{900}{T + 273} u_2 D}
    {\Delta + \gamma (1 + 0.34 u_2)}`, Allen et al. (1998), FAO-56, eq. 6.

    Parameters
    ----------
    net_radiation, soil_heat
        Net radiation and soil heat flux (MJ m-2 d-1).
    t
        Mean of the daily extremes of temperature (degC).
    wind
        Wind at 2 m (m s-1).
    vpd
        Saturation deficit es - ea (kPa).
    pressure
        Air pressure (kPa).

    Returns
    -------
    Tensor
        ET0 (mm d-1).
    """
    slope = vapour_pressure_slope(t)
    gamma = psychrometric_constant(pressure)
    radiative = 0.408 * slope * (net_radiation - soil_heat)
    aerodynamic = gamma * 900.0 / (t + 273.0) * wind * vpd
    return (radiative + aerodynamic) / (slope + gamma * (1.0 + 0.34 * wind))


def priestley_taylor(
    net_radiation: Tensor,
    t: Tensor,
    pressure: Tensor,
    alpha: Tensor | float = 1.26,
    latent: Tensor | float | None = None,
) -> Tensor:
    r"""Evapotranspiration of a wide wet surface, :math:`\alpha \Delta R_n / (\Delta + \gamma)`.

    Parameters
    ----------
    net_radiation
        Net radiation (MJ m-2 d-1).
    t
        Temperature (degC).
    pressure
        Air pressure (kPa).
    alpha
        Priestley-Taylor coefficient (-); Priestley & Taylor (1972).
    latent
        Latent heat (MJ kg-1); `latent_heat` of ``t`` when None.

    Returns
    -------
    Tensor
        mm d-1.
    """
    slope = vapour_pressure_slope(t)
    if latent is None:
        latent = latent_heat(t)
    return alpha * slope / (slope + psychrometric_constant(pressure)) * net_radiation / latent


def aerodynamic_resistance(wind: Tensor, z: Tensor | float, height: Tensor) -> Tensor:
    r"""Aerodynamic resistance of a crop.

    :math:`r_a = \ln((z-d)/z_{0m}) \ln((z-d)/z_{0h}) / (k^2 u)` with d = 0.667 h,
    z0m = 0.123 h, z0h = 0.0123 h; Allen et al. (1998), FAO-56, eq. 4.

    Parameters
    ----------
    wind
        Wind at height z (m s-1); floored at 0.5.
    z
        Height of the measurement (m), best at least 2 m above the crop.
    height
        Crop height h (m); floored at 0.01.

    Returns
    -------
    Tensor
        s m-1.
    """
    height = height.clamp(min=0.01)
    # Above a tall crop the log profile needs z - d well above z0m.
    relative = ((z - 0.667 * height) / (0.123 * height)).clamp(min=2.0)
    momentum = torch.log(relative)
    heat = momentum + math.log(10.0)
    return momentum * heat / (VON_KARMAN * VON_KARMAN * wind.clamp(min=_WIND_FLOOR))


def penman_monteith(
    net_radiation: Tensor,
    vpd: Tensor,
    t: Tensor,
    pressure: Tensor,
    ra: Tensor,
    rs: Tensor,
    seconds: Tensor | float,
    density: Tensor | None = None,
) -> Tensor:
    r"""Evaporation of a canopy over a period.

    :math:`\lambda E = \frac{\Delta R_n + \rho c_p D t / r_a}{\Delta + \gamma (1 + r_s / r_a)}`,
    Monteith (1965).

    Parameters
    ----------
    net_radiation
        Available energy over the period (MJ m-2).
    vpd
        Saturation deficit (kPa).
    t
        Air temperature (degC).
    pressure
        Air pressure (kPa).
    ra, rs
        Aerodynamic and surface resistance (s m-1).
    seconds
        Length of the period (s).
    density
        Density of the air (kg m-3); `air_density` when None.

    Returns
    -------
    Tensor
        Evaporation over the period (mm).
    """
    slope = vapour_pressure_slope(t)
    gamma = psychrometric_constant(pressure)
    supply = _energy_supply(slope, net_radiation, vpd, t, pressure, ra, seconds, density)
    return supply / (latent_heat(t) * (slope + gamma * (1.0 + rs / ra)))


def surface_resistance(
    evaporation: Tensor,
    net_radiation: Tensor,
    vpd: Tensor,
    t: Tensor,
    pressure: Tensor,
    ra: Tensor,
    seconds: Tensor | float,
    density: Tensor | None = None,
) -> Tensor:
    """Surface resistance (s m-1) at which `penman_monteith` gives an evaporation.

    Parameters
    ----------
    evaporation
        Evaporation over the period (mm); floored at 1e-9.
    net_radiation, vpd, t, pressure, ra, seconds, density
        As in `penman_monteith`.
    """
    slope = vapour_pressure_slope(t)
    gamma = psychrometric_constant(pressure)
    supply = _energy_supply(slope, net_radiation, vpd, t, pressure, ra, seconds, density)
    energy = latent_heat(t) * evaporation.clamp(min=1e-9)
    return ra * (supply / (gamma * energy) - slope / gamma - 1.0)


def _energy_supply(
    slope: Tensor,
    net_radiation: Tensor,
    vpd: Tensor,
    t: Tensor,
    pressure: Tensor,
    ra: Tensor,
    seconds: Tensor | float,
    density: Tensor | None,
) -> Tensor:
    """Numerator of the Penman-Monteith equation over a period (kPa K-1 MJ m-2)."""
    if density is None:
        density = air_density(t, pressure)
    return slope * net_radiation + density * SPECIFIC_HEAT_AIR * vpd * seconds / ra


def molar_conductance_to_resistance(g: Tensor, t: Tensor, pressure: Tensor | float) -> Tensor:
    """Resistance (s m-1) of a molar conductance, P / (g R T).

    Parameters
    ----------
    g
        Conductance (mol m-2 s-1); floored at 1e-9.
    t
        Temperature (degC).
    pressure
        Air pressure (kPa).
    """
    volume = GAS_CONSTANT * (t + ZERO_CELSIUS) / (1000.0 * pressure)
    return 1.0 / (g.clamp(min=_CONDUCTANCE_FLOOR) * volume)


def resistance_to_molar_conductance(r: Tensor, t: Tensor, pressure: Tensor | float) -> Tensor:
    """Molar conductance (mol m-2 s-1) of a resistance (s m-1), P / (r R T).

    Parameters
    ----------
    r
        Resistance (s m-1); floored at 1e-9.
    t
        Temperature (degC).
    pressure
        Air pressure (kPa).
    """
    return molar_conductance_to_resistance(r, t, pressure)


def soil_evaporation_factor(w: Tensor) -> Tensor:
    """Reduction of soil evaporation, 1 / (1 + exp(5 - 10 w)) (-), as in LPJmL.

    Parameters
    ----------
    w
        Water over water-holding capacity of the evaporating layer (-).
    """
    return torch.sigmoid(10.0 * w - 5.0)


def interception_wet_fraction(
    precipitation: Tensor, lai: Tensor, potential: Tensor, coefficient: Tensor | float = 0.02
) -> Tensor:
    """Share of the day the canopy is wet, min(0.9999, c LAI P / PET) (-), as in LPJmL.

    Parameters
    ----------
    precipitation
        Rain (mm d-1).
    lai
        Leaf area index (m2 m-2).
    potential
        Potential evapotranspiration (mm d-1); floored at 1e-3.
    coefficient
        Interception coefficient (-): 0.02 in LPJmL 6, 0.01 in LPJmL 5.
    """
    wet = coefficient * lai * precipitation / potential.clamp(min=1e-3)
    return wet.clamp(0.0, 0.9999)


def lpjml_equilibrium_evapotranspiration(net_radiation: Tensor, t: Tensor) -> Tensor:
    """Equilibrium evapotranspiration s / (s + gamma) Rn / lambda (mm d-1), at least 0.

    Parameters
    ----------
    net_radiation
        (1 - albedo) short-wave plus net long-wave over daylight (MJ m-2 d-1).
    t
        Temperature (degC). Schaphoff et al. (2018), doi:10.5194/gmd-11-1343-2018.
    """
    shifted = 237.3 + t
    slope = 2.503e6 * torch.exp(17.269 * t / shifted) / (shifted * shifted)
    gamma = 65.05 + 0.064 * t
    latent = 2.495 - 2380e-6 * t
    return (slope / (slope + gamma) * net_radiation / latent).clamp(min=0.0)


def lpjml_demand(
    equilibrium: Tensor,
    conductance: Tensor,
    wet: Tensor | float,
    alpha: float = 1.485,
    gm: float = 2.2,
) -> Tensor:
    """Atmospheric demand for transpiration (1 - wet) Eq a / (1 + GM a / gc) (mm d-1).

    Parameters
    ----------
    equilibrium
        Equilibrium evapotranspiration (mm d-1).
    conductance
        Canopy conductance gc (mm s-1).
    wet
        Wet share of the day (-).
    alpha
        Maximum Priestley-Taylor coefficient (-): 1.485 in LPJmL 6, 1.391 in LPJmL 4.
    gm
        Scaling conductance (mm s-1): 2.2 in LPJmL 6, 2.41 in LPJmL 5.
    """
    return (1.0 - wet) * equilibrium * alpha * conductance / (conductance + gm * alpha)


def lpjml_supply(emax: Tensor | float, wetness: Tensor, root_carbon: Tensor) -> Tensor:
    """Supply of water by the soil, Emax wr (1 - exp(-0.04 C_root)) (mm d-1).

    Parameters
    ----------
    emax
        Maximum transpiration (mm d-1).
    wetness
        Root-weighted relative soil water (-).
    root_carbon
        Carbon of the roots (g C m-2).
    """
    return emax * wetness * -torch.expm1(-0.04 * root_carbon)


def lpjml_supply_limited_conductance(
    supply: Tensor,
    equilibrium: Tensor,
    wet: Tensor | float,
    alpha: float = 1.485,
    gm: float = 2.2,
) -> Tensor:
    """Conductance (mm s-1) at which `lpjml_demand` equals a supply, GM a S / (D_max - S).

    Parameters
    ----------
    supply
        Supply S (mm d-1), below the unstressed demand D_max = (1 - wet) Eq a.
    equilibrium, wet, alpha, gm
        As in `lpjml_demand`.
    """
    headroom = ((1.0 - wet) * equilibrium * alpha - supply).clamp(min=1e-6)
    return gm * alpha * supply / headroom
