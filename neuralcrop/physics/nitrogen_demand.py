"""Nitrogen of crop organs: concentrations, demand, status, and what the status limits.

Concentrations are nitrogen per carbon of an organ (-); divide a concentration in dry matter by
the carbon in dry matter. Organs are a leading dimension, in the order leaf, stem, root, storage.
"""

import torch
from torch import Tensor

from neuralcrop.core.numerics import (
    clip01,
    donor_limit,
    interp_uniform,
    safe_div,
    smooth_min,
)

NITROGEN_PER_CAPACITY = 25e-3 / (86400.0 * 12e-6)
"""Leaf nitrogen per carboxylation capacity at 25 degC, g N (g C d-1)-1 (LPJmL)."""

LEAST = 0.02
"""Smallest capacity and leaf growth of a crop without nitrogen; keeps slopes alive."""

UNFED = 0.1
"""Growth of storage organs without nitrogen in hand: only organs that grow can demand any."""

THETA = 0.98
"""Curvature of the minimum of supply and demand."""


def maximum_concentration(
    dvs: Tensor, leaf_nodes: Tensor, stem_ratio: Tensor, root_ratio: Tensor, storage: Tensor,
    x0: float = 0.0, dx: float = 0.2,
) -> Tensor:
    """Highest concentration of leaves, stems, roots and storage organs, ``[4, ...]``.

    Parameters
    ----------
    dvs
        Development stage (-).
    leaf_nodes
        Highest leaf concentration at the stages ``x0 + i dx``, ``[n, ...]``.
    stem_ratio, root_ratio
        Highest concentration of stems and roots over that of leaves (-).
    storage
        Highest concentration of storage organs, at all stages.
    x0, dx
        First node and spacing of the table (-). WOFOST 8.1 as in PCSE 6.
    """
    leaf = interp_uniform(dvs, leaf_nodes, x0, dx)
    return torch.stack((leaf, leaf * stem_ratio, leaf * root_ratio, storage.expand_as(leaf)))


def organ_demand(
    growth: Tensor, carbon: Tensor, nitrogen: Tensor, concentration: Tensor,
    refill_time: Tensor | float,
) -> Tensor:
    r"""Demand for nitrogen, :math:`c_{max} G + \max(0, c_{max} C - N) / \tau` (g m-2 d-1).

    Parameters
    ----------
    growth
        Growth of carbon G (g m-2 d-1).
    carbon, nitrogen
        Stocks C and N of the organ (g m-2).
    concentration
        Highest concentration (-).
    refill_time
        Time in which a deficit is refilled (d). WOFOST 8.1 refills it within a day.
    """
    deficit = (concentration * carbon - nitrogen).clamp(min=0.0)
    return concentration * growth + deficit / refill_time


def nutrition_index(
    carbon: Tensor, nitrogen: Tensor, critical: Tensor, residual: Tensor
) -> Tensor:
    """Nitrogen status, (c - c_res) / (c_crit - c_res) clipped to 0-1 (-).

    Parameters
    ----------
    carbon, nitrogen
        Stocks of the leaves (g m-2); the status is 1 where there are none.
    critical, residual
        Concentration below which growth suffers, and that of dead tissue (-). Shibu et al. (2010),
        LINTUL3, doi:10.1016/j.eja.2010.01.003.
    """
    present = carbon > 1e-9
    actual = torch.where(present, nitrogen / torch.where(present, carbon, 1.0), critical)
    return clip01((actual - residual) / (critical - residual).clamp(min=1e-6))


def capacity_factor(
    carbon: Tensor, nitrogen: Tensor, critical: Tensor, half: Tensor | float
) -> Tensor:
    """Photosynthetic capacity relative to full nitrogen, r (1 + a) / (r + a) above a floor (-).

    Parameters
    ----------
    carbon, nitrogen
        Stocks of the leaves (g m-2), of relative concentration r = N / (C c_crit), clipped to 0-1;
        1 where there are no leaves.
    critical
        Concentration of full capacity (-).
    half
        Relative concentration at which capacity is half of its limit a (-). A large value gives
        capacity in proportion to leaf nitrogen as in WOFOST 8.1 (AMAX_LNB = 0); a smaller one
        lets canopies keep the nitrogen of lit leaves.
    """
    present = carbon > 1e-9
    content = torch.where(present, carbon, 1.0) * critical.clamp(min=1e-6)
    relative = clip01(torch.where(present, nitrogen / content, 1.0))
    return LEAST + (1.0 - LEAST) * relative * (1.0 + half) / (relative + half)


def leaf_growth_factor(index: Tensor, sensitivity: Tensor | float) -> Tensor:
    """Leaf growth relative to full nitrogen, exp(-s (1 - n)) (-).

    Parameters
    ----------
    index
        Nitrogen status of leaves n (0-1).
    sensitivity
        Sensitivity s (-); NLAI = 1 in LINTUL3, Shibu et al. (2010).
    """
    return torch.exp(-sensitivity * (1.0 - index))


def leaf_death_rate(index: Tensor, rate: Tensor | float) -> Tensor:
    """Relative death of leaves for want of nitrogen, r (1 - n) (d-1).

    Parameters
    ----------
    index
        Nitrogen status of leaves n (0-1).
    rate
        Death without any nitrogen r (d-1). Shibu et al. (2010), LINTUL3.
    """
    return rate * (1.0 - index)


def storage_growth_factor(
    carbon: Tensor, nitrogen: Tensor, mobile: Tensor, lowest: Tensor, daily: float = 10.0
) -> Tensor:
    r"""Growth of storage organs that nitrogen allows, :math:`1 - 0.9 e^{-S / (c_{min} G)}` (-).

    The spare nitrogen is :math:`S = N + M - c_{min} C`: what organs hold above their lowest
    concentration, and what can still move there. Storage organs are diluted as far as the lowest
    concentration, and then grow about as fast as nitrogen comes.

    Parameters
    ----------
    carbon, nitrogen
        Stocks C and N of the storage organs (g m-2).
    mobile
        Nitrogen of the other organs and the reserve that can move M (g m-2).
    lowest
        Lowest concentration of storage organs (-).
    daily
        Growth on a good day G (g m-2 d-1).
    """
    spare = (nitrogen + mobile - lowest * carbon).clamp(min=0.0)
    return 1.0 - (1.0 - UNFED) * torch.exp(-spare / (lowest * daily))


def leaf_nitrogen_from_capacity(
    capacity: Tensor, temperature: Tensor, carbon: Tensor, lowest: Tensor, k: float = 0.0693
) -> Tensor:
    r"""Leaf nitrogen for a capacity, :math:`25\,V / (86400 \cdot 0.012) e^{-k(T-25)} + c C`.

    Parameters
    ----------
    capacity
        Carboxylation capacity V of the canopy (g C m-2 d-1).
    temperature
        Air temperature (degC).
    carbon
        Leaf carbon C (g m-2).
    lowest
        Lowest concentration of leaves c, of their structure (-).
    k
        Decline of nitrogen for a capacity with temperature (K-1): 0.0693 in version 6 and 0.02
        in version 5 of LPJmL.

    Returns
    -------
    Tensor
        g m-2; Haxeltine and Prentice (1996), von Bloh et al. (2018), doi:10.5194/gmd-11-2789-2018.
    """
    warmth = torch.exp(-k * (temperature - 25.0))
    return NITROGEN_PER_CAPACITY * capacity * warmth + lowest * carbon


def capacity_from_leaf_nitrogen(
    nitrogen: Tensor, temperature: Tensor, carbon: Tensor, lowest: Tensor, k: float = 0.0693
) -> Tensor:
    """Capacity that leaf nitrogen allows (g C m-2 d-1), inverse of `leaf_nitrogen_from_capacity`.

    Parameters
    ----------
    nitrogen
        Leaf nitrogen (g m-2); the capacity is zero without any above the lowest concentration.
    temperature, carbon, lowest, k
        See there.
    """
    warmth = torch.exp(k * (temperature - 25.0))
    return (nitrogen - lowest * carbon).clamp(min=0.0) * warmth / NITROGEN_PER_CAPACITY


def allocate_by_ratio(nitrogen: Tensor, carbon: Tensor, ratio: Tensor) -> Tensor:
    """Share nitrogen over organs in proportion to C_o / r_o, ``[organ, ...]`` (g m-2).

    Parameters
    ----------
    nitrogen
        Nitrogen to share (g m-2).
    carbon
        Carbon of the organs, ``[organ, ...]`` (g m-2).
    ratio
        C:N ratio of the organs over that of leaves, ``[organ, ...]`` (-). LPJmL, von Bloh et al.
        (2018), doi:10.5194/gmd-11-2789-2018. Where there is no carbon, nothing is given.
    """
    weight = carbon / ratio
    return nitrogen * safe_div(weight, weight.sum(dim=0))


def translocation(
    mobile: Tensor, demand: Tensor, time: Tensor | float, gate: Tensor, h: float
) -> Tensor:
    """Nitrogen that leaves the vegetative organs for the storage, ``[organ, ...]`` (g m-2 d-1).

    The smooth minimum of what the storage demands and what can move with the time constant.

    Parameters
    ----------
    mobile
        Nitrogen above the residual concentration, ``[organ, ...]`` (g m-2).
    demand
        Demand of the storage organs (g m-2 d-1).
    time
        Time constant (d); TCNT = 10 in WOFOST 8.1.
    gate
        Share of the day in which translocation goes on (0-1).
    h
        Step (d); 0 for instantaneous fluxes.
    """
    rate = gate / time
    offered = donor_limit(mobile, rate, h)
    total = offered.sum(dim=0)
    return offered * safe_div(smooth_min(total, demand, THETA), total)


def share_supply(supply: Tensor, storage: Tensor, vegetative: Tensor) -> Tensor:
    """Share the nitrogen of the reserve, the storage first, ``[leaf, stem, root, storage, ...]``.

    Vegetative organs share the rest in proportion to their demands, so that all of them fall
    behind alike; none gets more than it demands, and all get exactly nothing of nothing.

    Parameters
    ----------
    supply
        Nitrogen that the reserve offers (g m-2 d-1).
    storage
        Demand of the storage organs (g m-2 d-1).
    vegetative
        Demands of leaves, stems and roots, ``[3, ...]`` (g m-2 d-1).
    """
    to_storage = smooth_min(supply, storage, THETA)
    demand = vegetative.sum(dim=0)
    rest = smooth_min((supply - to_storage).clamp(min=0.0), demand, THETA)
    return torch.cat((vegetative * safe_div(rest, demand), to_storage.unsqueeze(0)))
