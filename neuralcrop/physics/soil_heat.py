"""Heat in a layered soil: thermal properties, insulation of the surface, implicit conduction."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from neuralcrop.core.constants import SECONDS_PER_DAY
from neuralcrop.core.numerics import safe_div, soft_step

WATER_HEAT_CAPACITY = 4.18
"""Volumetric heat capacity of water (MJ m-3 K-1; de Vries 1963)."""

MINERAL_HEAT_CAPACITY = 1.92
"""Volumetric heat capacity of soil minerals (MJ m-3 K-1; de Vries 1963)."""

LATENT_HEAT_OF_FUSION = 333.5
"""Latent heat of fusion of a volume of water (MJ m-3, 0.3335 MJ kg-1; de Vries 1963)."""

LITTER_DENSITY = 71.1
"""Bulk density of plant litter (kg m-3; Enriquez et al. 1999, as in Lutz et al. 2019)."""

SNOW_EXTINCTION = 25.0
"""Snow that damps surface temperature to 1/e (mm water): 0.1 m of 250 kg m-3."""

_ANNUAL_FREQUENCY = 2.0 * math.pi / 365.0
_MEGAJOULE_PER_DAY = SECONDS_PER_DAY * 1e-6
_WATER_CONDUCTIVITY = 0.594
_QUARTZ_CONDUCTIVITY = 7.7
_OTHER_CONDUCTIVITY = 2.0
_COARSE_SAND = 0.4
_COARSE_WIDTH = 0.05
_SMALLEST_SATURATION = 1e-3
_FREEZING_PASSES = 4


def thermal_conductivity(saturation: Tensor, porosity: Tensor, sand: Tensor) -> Tensor:
    r"""Thermal conductivity of soil between dry and saturated (W m-1 K-1).

    :math:`K = K_e (K_{sat} - K_{dry}) + K_{dry}` (Johansen 1975) with
    :math:`K_{sat} = (7.7^q 2^{1-q})^{1-\phi} 0.594^\phi`, and by Lu et al. (2007),
    doi:10.2136/sssaj2006.0041, :math:`K_{dry} = 0.51 - 0.56 \phi` and
    :math:`K_e = e^{\alpha (1 - S^{\alpha - 1.33})}` with :math:`\alpha` 0.96 where sand is above
    40 % and 0.27 below, here joined over 5 %. The share of quartz q is that of sand.

    Parameters
    ----------
    saturation
        Water over pore volume S (-); limited to 0.001..1.
    porosity
        Pore volume :math:`\phi` (m3 m-3).
    sand
        Mass fraction of sand (-).
    """
    log_wet = torch.log(saturation.clamp(_SMALLEST_SATURATION, 1.0))
    coarse = soft_step(sand - _COARSE_SAND, _COARSE_WIDTH)
    kersten = coarse * _kersten(log_wet, 0.96) + (1.0 - coarse) * _kersten(log_wet, 0.27)
    log_solid = sand * math.log(_QUARTZ_CONDUCTIVITY) + (1.0 - sand) * math.log(_OTHER_CONDUCTIVITY)
    saturated = torch.exp((1.0 - porosity) * log_solid + porosity * math.log(_WATER_CONDUCTIVITY))
    dry = (0.51 - 0.56 * porosity).clamp(min=0.02)
    return dry + kersten * (saturated - dry)


def _kersten(log_saturation: Tensor, alpha: float) -> Tensor:
    """Normalised conductivity of Lu et al. (2007), 0 dry and 1 saturated (-)."""
    return torch.exp(alpha * (1.0 - torch.exp((alpha - 1.33) * log_saturation)))


def heat_capacity(water: Tensor, porosity: Tensor) -> Tensor:
    """Volumetric heat capacity of moist soil, 1.92 (1 - porosity) + 4.18 water (MJ m-3 K-1).

    Parameters
    ----------
    water, porosity
        Volumetric water content and pore volume (m3 m-3); de Vries (1963), Thermal properties
        of soils.
    """
    return MINERAL_HEAT_CAPACITY * (1.0 - porosity) + WATER_HEAT_CAPACITY * water


def damping_depth(diffusivity: Tensor, frequency: float = _ANNUAL_FREQUENCY) -> Tensor:
    r"""Depth at which a temperature wave falls to 1/e, :math:`\sqrt{2 \kappa / \omega}` (m).

    Parameters
    ----------
    diffusivity
        Thermal diffusivity (m2 d-1), above 0.
    frequency
        Angular frequency (d-1); that of the year by default.
    """
    return torch.sqrt(2.0 * diffusivity / frequency)


def litter_cover(carbon: Tensor) -> Tensor:
    r"""Share of the ground under litter, :math:`1 - e^{-0.006 M}` (-).

    Parameters
    ----------
    carbon
        Surface litter (g C m-2); its dry matter M is C / 0.42. Gregory (1982), as in Lutz et al.
        (2019), doi:10.5194/gmd-12-2419-2019.
    """
    return -torch.expm1(-6e-3 * carbon / 0.42)


def surface_conductance(
    conductivity: Tensor,
    thickness: float,
    snow: Tensor,
    litter_carbon: Tensor,
    litter_conductivity: Tensor | float = 0.1,
    snow_extinction: Tensor | float = SNOW_EXTINCTION,
) -> Tensor:
    r"""Conductance from the air to the middle of the first layer (MJ m-2 d-1 K-1).

    Under snow the surface has the temperature :math:`T_1 + (T_{air} - T_1) e^{-W / W_0}`, which
    scales the conductance by the exponential. Litter adds a resistance where it covers the soil.

    Parameters
    ----------
    conductivity
        Thermal conductivity of the first layer (W m-1 K-1).
    thickness
        Of the first layer (m).
    snow
        Snow water equivalent W (mm).
    litter_carbon
        Surface litter (g C m-2).
    litter_conductivity
        Thermal conductivity of litter (W m-1 K-1), above 0; for mulches see Bussiere and
        Cellier (1994), Agricultural and Forest Meteorology 68, 1-28.
    snow_extinction
        W0 (mm), above 0.
    """
    resistance = 0.5 * thickness / conductivity
    depth = 1e-3 * litter_carbon / (0.42 * LITTER_DENSITY)
    cover = litter_cover(litter_carbon)
    covered = cover / (resistance + depth / litter_conductivity)
    open_ground = (1.0 - cover) / resistance
    return _MEGAJOULE_PER_DAY * torch.exp(-snow / snow_extinction) * (covered + open_ground)


def layer_conductances(
    conductivity: Tensor, capacity: Tensor, thickness: Sequence[float]
) -> Tensor:
    r"""Conductances between the middles of neighbouring layers (MJ m-2 d-1 K-1), ``[n - 1, ...]``.

    Resistances in series. The last layer is far thicker than the annual wave is deep: it takes up
    heat over no more than :math:`D / \sqrt 2`, the distance at which a half-space under that wave
    conducts as much as it takes up (Carslaw & Jaeger 1959, section 2.6).

    Parameters
    ----------
    conductivity, capacity
        Of the layers, ``[n, ...]`` (W m-1 K-1, MJ m-3 K-1), above 0.
    thickness
        Of the layers (m).
    """
    flow = _MEGAJOULE_PER_DAY * conductivity
    half = flow.new_tensor([0.5 * d for d in thickness])
    half = half.reshape(-1, *([1] * (flow.dim() - 1)))
    deep = damping_depth(flow[-1:] / capacity[-1:]) * math.sqrt(0.5)
    last = torch.minimum(deep, half[-1:])
    resistance = torch.cat((half[:-1] / flow[:-1], last / flow[-1:]))
    return 1.0 / (resistance[:-1] + resistance[1:])


def solve_tridiagonal(lower: Tensor, diagonal: Tensor, upper: Tensor, right: Tensor) -> Tensor:
    """Solution of a tridiagonal system by elimination (Thomas), unrolled over its n rows.

    Parameters
    ----------
    lower, upper
        Entries left and right of the diagonal, ``[n - 1, ...]``.
    diagonal, right
        Diagonal and right-hand side, ``[n, ...]``; the diagonal must dominate.

    Returns
    -------
    Tensor
        ``[n, ...]``.
    """
    n = right.shape[0]
    pivots, values = [diagonal[0]], [right[0]]
    for i in range(1, n):
        factor = lower[i - 1] / pivots[-1]
        pivots.append(diagonal[i] - factor * upper[i - 1])
        values.append(right[i] - factor * values[-1])
    solution = [values[-1] / pivots[-1]]
    for i in range(n - 2, -1, -1):
        solution.append((values[i] - upper[i] * solution[-1]) / pivots[i])
    return torch.stack(solution[::-1])


def temperature_rate(
    temperature: Tensor,
    air: Tensor,
    store: Tensor,
    surface: Tensor,
    between: Tensor,
    h: float,
) -> Tensor:
    r"""Rate of soil temperature by conduction, implicit in time (K d-1).

    Backward Euler in the form :math:`(C - h L) r = L T + g_0 T_{air}`: the step T + h r is that of
    the implicit scheme, which keeps between the largest and smallest temperature for any h, and
    h = 0 gives the rate of the differential equation.

    Parameters
    ----------
    temperature
        ``[n, ...]`` (degC).
    air
        Temperature above snow and litter (degC).
    store
        Heat capacity of the layers, capacity x thickness ``[n, ...]`` (MJ m-2 K-1), above 0.
    surface
        Conductance from the air to the first layer (MJ m-2 d-1 K-1).
    between
        Conductances between layers ``[n - 1, ...]`` (MJ m-2 d-1 K-1); none leaves the last layer.
    h
        Step (d).
    """
    down = between * (temperature[:-1] - temperature[1:])
    gained = (surface * (air - temperature[0])).unsqueeze(0)
    nothing = torch.zeros_like(gained)
    heating = torch.cat((gained, down)) - torch.cat((down, nothing))
    links = torch.cat(((surface + nothing[0]).unsqueeze(0), between + nothing))
    links = links + torch.cat((between + nothing, nothing))
    return solve_tridiagonal(-h * between, store + h * links, -h * between, heating)


def liquid_share(temperature: Tensor, width: Tensor | float = 0.5) -> Tensor:
    """Share of soil water that is liquid, a logistic in temperature (-).

    Parameters
    ----------
    temperature
        Of the soil (degC); half of the water is ice at ``-2 width``.
    width
        Width of the passage (K), above 0; smooth freezing curves are compared in Kurylyk &
        Watanabe (2013), doi:10.1016/j.advwatres.2013.07.016.
    """
    return soft_step(temperature + 2.0 * width, width)


def freezing_rate(
    temperature: Tensor,
    air: Tensor,
    store: Tensor,
    latent: Tensor,
    surface: Tensor,
    between: Tensor,
    h: float,
    width: float = 0.5,
) -> Tensor:
    """Rate of soil temperature with water that freezes, by apparent heat capacity (K d-1).

    Latent heat is added to the heat capacity as the mean slope of `liquid_share` over the step,
    found in four passes; Hansson et al. (2004), doi:10.2136/vzj2004.0693.

    Parameters
    ----------
    temperature, air, store, surface, between, h
        As in `temperature_rate`.
    latent
        Heat to melt all water of a layer, 333.5 x water x thickness ``[n, ...]`` (MJ m-2).
    width
        As in `liquid_share` (K).
    """
    before = liquid_share(temperature, width)
    slope = before * (1.0 - before) / width
    mean = slope
    rate = temperature_rate(temperature, air, store + latent * mean, surface, between, h)
    if h == 0.0:
        return rate
    for _ in range(_FREEZING_PASSES):
        change = h * rate
        melted = liquid_share(temperature + change, width) - before
        # The secant of a small change is rounding error; there the tangent is as good.
        small = change.abs() < 1e-3 * width
        secant = torch.where(small, slope, safe_div(melted, torch.where(small, 1.0, change)))
        # Half a step: full ones swing around the answer where freezing begins within the day.
        mean = 0.5 * (mean + secant)
        rate = temperature_rate(temperature, air, store + latent * mean, surface, between, h)
    return rate
