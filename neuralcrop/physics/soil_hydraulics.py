"""Hydraulic properties of soils from their texture: Saxton & Rawls (2006)."""

import math
from typing import Literal, NamedTuple

import torch
from torch import Tensor

_PARTICLE_DENSITY = 2.65

Pedotransfer = Literal["published", "lpjml"]
"""Variants of the functions."""


class SoilHydraulics(NamedTuple):
    """Hydraulic properties of a soil.

    Attributes
    ----------
    wilting_point, field_capacity, saturation
        Water content at 1500 kPa, 33 kPa and saturation (m3 m-3).
    ksat
        Saturated conductivity (mm h-1).
    pore_index
        Slope lambda of the logarithmic tension-moisture curve (-).
    density
        Bulk density (g cm-3).
    """

    wilting_point: Tensor
    field_capacity: Tensor
    saturation: Tensor
    ksat: Tensor
    pore_index: Tensor
    density: Tensor


def _field_capacity(sand: Tensor, clay: Tensor, organic: Tensor | float, variant: str) -> Tensor:
    """Water content at 33 kPa (m3 m-3), eq. 2."""
    first = (
        -0.251 * sand
        + 0.195 * clay
        + 0.011 * organic
        + 0.006 * sand * organic
        - 0.027 * clay * organic
        + 0.452 * sand * clay
        + 0.299
    )
    # LPJmL squares the coefficient together with the moisture.
    quadratic = 1.283 if variant == "published" else 1.283 * 1.283
    return first + quadratic * first * first - 0.374 * first - 0.015


def saxton_rawls(
    sand: Tensor,
    clay: Tensor,
    organic_matter_percent: Tensor | float,
    variant: Pedotransfer = "published",
) -> SoilHydraulics:
    """Pedotransfer functions of Saxton & Rawls (2006), doi:10.2136/sssaj2005.0117.

    Parameters
    ----------
    sand, clay
        Mass fractions of the mineral soil (0-1).
    organic_matter_percent
        Organic matter (weight percent).
    variant
        ``"lpjml"`` reproduces the squared coefficient of LPJmL, for parity only.

    Returns
    -------
    SoilHydraulics
        Guarded outside the domain of the functions (clay above 60 %, peat): wilting point at
        least 0.005, field capacity at least 0.01 above it, saturation at least 0.05 above
        field capacity and at most 0.95.
    """
    organic = organic_matter_percent
    first = (
        -0.024 * sand
        + 0.487 * clay
        + 0.006 * organic
        + 0.005 * sand * organic
        - 0.013 * clay * organic
        + 0.068 * sand * clay
        + 0.031
    )
    wilting = (1.14 * first - 0.02).clamp(0.005, 0.84)
    capacity = _field_capacity(sand, clay, organic, variant)
    capacity = torch.maximum(capacity, wilting + 0.01).clamp(max=0.9)
    gravity = (
        0.278 * sand
        + 0.034 * clay
        + 0.022 * organic
        - 0.018 * sand * organic
        - 0.027 * clay * organic
        - 0.584 * sand * clay
        + 0.078
    )
    saturation = capacity + 1.636 * gravity - 0.107 - 0.097 * sand + 0.043
    saturation = torch.maximum(saturation, capacity + 0.05).clamp(max=0.95)
    return _with_flow(wilting, capacity, saturation)


def organic_matter_percent(
    carbon: Tensor, saturation: Tensor | float, thickness: Tensor | float
) -> Tensor:
    """Organic matter of a layer from its carbon, as in LPJmL (weight percent, at most 8).

    Twice the carbon over the mass of the mineral soil, (1 - saturation) 2700 kg m-3.

    Parameters
    ----------
    carbon
        g C m-2 of the layer.
    saturation
        Pore space (m3 m-3).
    thickness
        Of the layer (mm).
    """
    mass = (1.0 - saturation) * 2700.0 * thickness
    return (200.0 * carbon / mass).clamp(max=8.0)


def loosened(hydraulics: SoilHydraulics, factor: Tensor | float) -> SoilHydraulics:
    """Hydraulic properties after tillage, as in LPJmL.

    Saturation becomes 1 - (1 - SAT) f, field capacity rises by 0.2 of the gain; Lutz et al. (2019)
    doi:10.5194/gmd-12-2419-2019.

    Parameters
    ----------
    hydraulics
        Of the settled soil.
    factor
        Factor f on the bulk density (-); 1 leaves it as it is.
    """
    saturation = 1.0 - (1.0 - hydraulics.saturation) * factor
    capacity = hydraulics.field_capacity - 0.2 * (hydraulics.saturation - saturation)
    return _with_flow(hydraulics.wilting_point, capacity, saturation)


def _with_flow(wilting: Tensor, capacity: Tensor, saturation: Tensor) -> SoilHydraulics:
    """Complete water contents with pore index, conductivity and density."""
    pore_index = (torch.log(capacity) - torch.log(wilting)) / math.log(1500.0 / 33.0)
    ksat = 1930.0 * torch.exp((3.0 - pore_index) * torch.log(saturation - capacity))
    density = (1.0 - saturation) * _PARTICLE_DENSITY
    return SoilHydraulics(wilting, capacity, saturation, ksat, pore_index, density)


def unsaturated_conductivity(theta: Tensor, hydraulics: SoilHydraulics) -> Tensor:
    """Hydraulic conductivity Ks (theta / SAT)^(3 + 2 / lambda) (mm h-1).

    Parameters
    ----------
    theta
        Water content (m3 m-3); limited to (0, saturation].
    hydraulics
        Properties of the soil.
    """
    relative = (theta / hydraulics.saturation).clamp(1e-3, 1.0)
    exponent = 3.0 + 2.0 / hydraulics.pore_index
    return hydraulics.ksat * torch.exp(exponent * torch.log(relative))
