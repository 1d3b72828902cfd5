"""Light and capacity of a canopy of sunlit and shaded leaves: de Pury & Farquhar (1997)."""

import math
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.constants import DEGREE

_SIN_FLOOR = math.sin(DEGREE)
_SCATTERING = 0.15
_DIFFUSE_REFLECTANCE = 0.036
_DIFFUSE_EXTINCTION = 0.719
_SCATTERED_TO_BLACK = 0.46 / 0.5
_ROOT = math.sqrt(1.0 - _SCATTERING)
_HORIZONTAL_REFLECTANCE = (1.0 - _ROOT) / (1.0 + _ROOT)


class TwoLeaf(NamedTuple):
    """PAR absorbed per ground area and the sunlit leaf area.

    Attributes
    ----------
    sunlit, shaded
        Absorbed by the two leaf classes (unit of the incident light).
    sunlit_lai
        Sunlit leaf area (m2 m-2).
    total
        Absorbed by the canopy, the sum of both classes.
    """

    sunlit: Tensor
    shaded: Tensor
    sunlit_lai: Tensor
    total: Tensor


def fraction_absorbed(lai: Tensor, k: Tensor | float) -> Tensor:
    """Share of light absorbed by a canopy, 1 - exp(-k L) (-).

    Parameters
    ----------
    lai
        Leaf area index L (m2 m-2).
    k
        Extinction coefficient (-); 0.5 in LPJmL. Exact at small L.
    """
    return -torch.expm1(-k * lai)


def fraction_absorbed_lpjml_maize(lai: Tensor) -> Tensor:
    """Share of light absorbed by maize in LPJmL, 0.2558 L - 0.0024 within [0, 1] (-)."""
    return (0.2558 * lai - 0.0024).clamp(0.0, 1.0)


def beam_extinction(sin_elevation: Tensor) -> Tensor:
    """Extinction of beam light by black leaves of random angle, 0.5 / sinB (-).

    Parameters
    ----------
    sin_elevation
        Sine of the elevation of the sun (-); floored at one degree.
    """
    return 0.5 / sin_elevation.clamp(min=_SIN_FLOOR)


def scattered_beam_extinction(kb: Tensor) -> Tensor:
    """Extinction of beam and scattered beam light, 0.46 / sinB = 0.92 kb (-)."""
    return _SCATTERED_TO_BLACK * kb


def canopy_beam_reflectance(kb: Tensor) -> Tensor:
    """Reflectance of the canopy for beam light, 1 - exp(-2 rho_h kb / (1 + kb)) (-).

    Parameters
    ----------
    kb
        `beam_extinction` (-); rho_h is the reflectance of horizontal leaves that scatter 15 %.
    """
    return -torch.expm1(-2.0 * _HORIZONTAL_REFLECTANCE * kb / (1.0 + kb))


def sunlit_area(lai: Tensor, kb: Tensor) -> Tensor:
    """Sunlit leaf area (1 - exp(-kb L)) / kb (m2 m-2)."""
    return -torch.expm1(-kb * lai) / kb


def two_leaf_irradiance(
    par_beam: Tensor, par_diffuse: Tensor, lai: Tensor, sin_elevation: Tensor
) -> TwoLeaf:
    """PAR absorbed by sunlit and shaded leaves.

    Parameters
    ----------
    par_beam, par_diffuse
        Beam and diffuse PAR on a horizontal surface (any unit, e.g. umol m-2 s-1).
    lai
        Leaf area index (m2 m-2).
    sin_elevation
        Sine of the elevation of the sun (-); floored at one degree.

    Returns
    -------
    TwoLeaf
        Eqs. 13 and 20 of de Pury & Farquhar (1997), doi:10.1111/j.1365-3040.1997.00094.x.
    """
    kb = beam_extinction(sin_elevation)
    scattered = scattered_beam_extinction(kb)
    intercepted_black = -torch.expm1(-kb * lai)
    intercepted_beam = -torch.expm1(-scattered * lai)
    intercepted_diffuse = -torch.expm1(-_DIFFUSE_EXTINCTION * lai)
    beam = (1.0 - canopy_beam_reflectance(kb)) * par_beam
    diffuse = (1.0 - _DIFFUSE_REFLECTANCE) * par_diffuse
    total = beam * intercepted_beam + diffuse * intercepted_diffuse

    # 1 - e^-(x+y) = p + q - pq with p = 1 - e^-x, q = 1 - e^-y: no further exponentials.
    sunlit_beam = intercepted_beam + intercepted_black - intercepted_beam * intercepted_black
    sunlit_diffuse = (
        intercepted_diffuse + intercepted_black - intercepted_diffuse * intercepted_black
    )
    direct = (1.0 - _SCATTERING) * intercepted_black
    # The same leaves are lit by beam scattered on others: all beam less its first hit.
    scattered_share = _SCATTERED_TO_BLACK / (1.0 + _SCATTERED_TO_BLACK)
    rescattered = beam * scattered_share * sunlit_beam - par_beam * 0.5 * direct * (
        2.0 - intercepted_black
    )
    sunlit = (
        par_beam * direct
        + diffuse * sunlit_diffuse * _DIFFUSE_EXTINCTION / (_DIFFUSE_EXTINCTION + kb)
        + rescattered
    )
    # Rounding at tiny leaf area must not make the shaded share negative.
    sunlit = torch.minimum(sunlit, total)
    return TwoLeaf(sunlit, total - sunlit, intercepted_black / kb, total)


def canopy_capacity(
    top: Tensor, lai: Tensor, kn: Tensor | float, kb: Tensor
) -> tuple[Tensor, Tensor]:
    """Photosynthetic capacity of the sunlit and shaded leaves of a canopy.

    The capacity of a leaf falls as exp(-kn L) with the leaf area L above it.

    Parameters
    ----------
    top
        Capacity of the top leaf (umol m-2 leaf s-1).
    lai
        Leaf area index (m2 m-2).
    kn
        Extinction of capacity (nitrogen) (-, > 0), 0.3 to 0.5.
    kb
        `beam_extinction` (-).

    Returns
    -------
    tuple of Tensor
        Sunlit and shaded capacity (umol m-2 ground s-1); eqs. 7 and 10 of de Pury & Farquhar.
    """
    total = top * (-torch.expm1(-kn * lai)) / kn
    both = kn + kb
    sunlit = torch.minimum(top * (-torch.expm1(-both * lai)) / both, total)
    return sunlit, total - sunlit
