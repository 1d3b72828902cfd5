"""Water in a layered soil: infiltration, percolation, evaporation and root uptake."""

import math
from collections.abc import Sequence
from itertools import pairwise

import torch
from torch import Tensor

from neuralcrop.core.numerics import clip01, donor_limit, safe_div, share_limit

_SATURATION_WIDTH = 1e-4
_EXCESS_FLOOR = 1e-9


def infiltration_share(
    water_input: Tensor,
    stored: Tensor,
    capacity: Tensor,
    exponent: Tensor | float = 2.0,
) -> Tensor:
    r"""Share of the water at the surface that enters the soil; the rest runs off.

    A share :math:`u^{1/p}` of each drop enters a top layer of relative dryness u = 1 - s
    (LPJmL), and wets it, :math:`du/dP = -u^{1/p} / C`. Over the day this integrates to
    :math:`u_0^{1/p} m (1 - (1 - x)^{1/m}) / x` with m = 1 - 1/p and
    :math:`x = m P / (C u_0^m)`.

    Parameters
    ----------
    water_input
        Rain, melt and irrigation P (mm d-1).
    stored
        Water in the top layer above wilting point (mm).
    capacity
        Water in it between wilting point and saturation C (mm).
    exponent
        p (-, above 1): 2 (1 + litter effect) in LPJmL; Schaphoff et al. (2018),
        doi:10.5194/gmd-11-1343-2018.

    Returns
    -------
    Tensor
        Between 0 and 1; never more than the layer can hold.
    """
    log_dry = _log_dryness(stored / capacity)
    m = 1.0 - 1.0 / exponent
    x = (m * water_input / (capacity * torch.exp(m * log_dry))).clamp(min=1e-6)
    remaining = torch.exp(torch.log((1.0 - x).clamp(min=1e-6)) / m)
    # For small x the difference from 1 is taken before it is lost to rounding.
    filled = torch.where(x < 0.5, -torch.expm1(torch.log1p(-x.clamp(max=0.5)) / m), 1.0 - remaining)
    return (torch.exp(log_dry / exponent) * m * filled / x).clamp(0.0, 1.0)


def infiltration(
    water_input: Tensor,
    saturation_of_top: Tensor,
    exponent: Tensor | float,
    capacity: Tensor | None = None,
) -> Tensor:
    """Water that enters the soil, P (1 - s)^(1 / p) (mm d-1).

    Parameters
    ----------
    water_input
        Rain, melt and irrigation P (mm d-1).
    saturation_of_top
        Relative saturation s of the top layer between wilting point and saturation (0-1).
    exponent
        p (-), as in `infiltration_share`.
    capacity
        Water between wilting point and saturation of the top layer (mm), to let s rise with the
        water that enters as in `infiltration_share`; s is constant over the day when None.
    """
    if capacity is None:
        return water_input * torch.exp(_log_dryness(saturation_of_top) / exponent).clamp(max=1.0)
    stored = saturation_of_top * capacity
    return water_input * infiltration_share(water_input, stored, capacity, exponent)


def _log_dryness(saturation: Tensor) -> Tensor:
    """Logarithm of 1 - s, rounded at saturation where its powers have infinite slope."""
    dry = 1.0 - clip01(saturation)
    return 0.5 * torch.log(dry * dry + _SATURATION_WIDTH * _SATURATION_WIDTH)


def percolation(
    excess: Tensor,
    ksat: Tensor,
    theta_ratio: Tensor,
    capacity_ratio: Tensor,
    room_below: Tensor | float,
    h: float,
) -> Tensor:
    r"""Water that a layer loses downwards.

    :math:`E (1 - e^{-24 h K / E}) / h \sqrt{1 - s_{below}}` with
    :math:`K = K_s (\theta / SAT)^\beta` and :math:`\beta = -2.655 / \log_{10}(FC / SAT)`; LPJmL,
    Schaphoff et al. (2018), doi:10.5194/gmd-11-1343-2018.

    Parameters
    ----------
    excess
        Water above field capacity E (mm).
    ksat
        Saturated conductivity (mm h-1).
    theta_ratio
        Water content over saturation (0-1).
    capacity_ratio
        Field capacity over saturation (0-1).
    room_below
        1 - s, with s the relative saturation of the layer below (0-1); 1 for free drainage.
    h
        Step (d).

    Returns
    -------
    Tensor
        mm d-1; 0 into a saturated layer.
    """
    beta = -2.655 * math.log(10.0) / torch.log(capacity_ratio.clamp(0.01, 0.99))
    conductivity = ksat * torch.exp(beta * torch.log(theta_ratio.clamp(1e-6, 1.0)))
    flux = donor_limit(excess, 24.0 * conductivity / excess.clamp(min=_EXCESS_FLOOR), h)
    return flux * saturation_brake(room_below)


def saturation_brake(room: Tensor | float) -> Tensor | float:
    """Square root of the room below, with a finite slope at 0, where it is exactly 0 (-)."""
    if not isinstance(room, Tensor):
        return math.sqrt(room)
    room = clip01(room)
    return room * math.sqrt(1.0 + _SATURATION_WIDTH) * torch.rsqrt(room + _SATURATION_WIDTH)


def layer_overlap(layer_bottoms: Sequence[float], depth: Tensor) -> Tensor:
    """Share of every layer that lies above a depth (0-1).

    Parameters
    ----------
    layer_bottoms
        Depths of the bottoms of the layers (m), increasing; the first layer begins at 0.
    depth
        Depth (m), ``[...]``.

    Returns
    -------
    Tensor
        ``[n, ...]``.
    """
    layers = pairwise((0.0, *layer_bottoms))
    return torch.stack([clip01((depth - top) / (low - top)) for top, low in layers])


def evaporation_shares(available: Tensor, overlap: Tensor) -> Tensor:
    """Share of soil evaporation taken from every layer, by the water within reach (-).

    Parameters
    ----------
    available
        Water that can evaporate ``[n, ...]`` (mm).
    overlap
        Share of every layer within the evaporating depth ``[n, ...]``, from `layer_overlap`.

    Returns
    -------
    Tensor
        ``[n, ...]``; they sum to one, or are all 0 in dry soil.
    """
    reach = available.clamp(min=0.0) * overlap
    return safe_div(reach, reach.sum(dim=0, keepdim=True))


def root_profile(beta: Tensor, layer_bottoms: Sequence[float], root_depth: Tensor) -> Tensor:
    """Share of roots in every layer, of a profile cut at the current root depth.

    (b^z1 - b^z2) / (1 - b^zr) with z in cm and no layer deeper than zr; Jackson et al. (1996),
    doi:10.1007/BF00333714.

    Parameters
    ----------
    beta
        Decline of roots per cm of depth (-, below 1).
    layer_bottoms
        Depths of the bottoms of the layers (m), increasing; the first layer begins at 0.
    root_depth
        Depth of the roots zr (m); floored at 0.01 and limited to the last bottom.

    Returns
    -------
    Tensor
        ``[n, ...]``; they sum to one, and move continuously as the roots grow.
    """
    rate = 100.0 * torch.log(beta)
    depth = root_depth.clamp(0.01, layer_bottoms[-1])
    above = [-torch.expm1(rate * depth.clamp(max=bottom)) for bottom in layer_bottoms]
    shares = [above[0], *(low - top for top, low in pairwise(above))]
    return torch.stack(shares) / above[-1]


def root_water_uptake(demand: Tensor, available: Tensor, weights: Tensor, h: float) -> Tensor:
    """Share a transpiration demand over the layers, each limited by its water.

    Parameters
    ----------
    demand
        Transpiration demand (mm d-1).
    available
        Water above wilting point ``[n, ...]`` (mm).
    weights
        Weight of every layer ``[n, ...]``, such as root share x relative water content;
        normalised here.
    h
        Step (d).

    Returns
    -------
    Tensor
        Uptake ``[n, ...]`` (mm d-1); its sum is at most the demand.
    """
    wanted = demand * safe_div(weights, weights.sum(dim=0, keepdim=True))
    return wanted * share_limit(available, [wanted], h)
