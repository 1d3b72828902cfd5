"""Partitioning of growth between organs, harvest index, and roots over depth."""

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.numerics import interp_uniform, log, safe_div, safe_pow


class Partition(NamedTuple):
    """Shares of total growth (-); they sum to one."""

    root: Tensor
    leaf: Tensor
    stem: Tensor
    storage: Tensor


def partition(
    dvs: Tensor,
    root_nodes: Tensor,
    leaf_nodes: Tensor,
    stem_nodes: Tensor,
    storage_nodes: Tensor,
    x0: float = 0.0,
    dx: float = 0.1,
) -> Partition:
    """Shares of growth from tables over development, roots first as in WOFOST.

    Parameters
    ----------
    dvs
        Development stage (-).
    root_nodes
        Share of the roots in all growth at ``x0 + i dx``, ``[n, ...]`` (0-1).
    leaf_nodes, stem_nodes, storage_nodes
        Shares of the organs in shoot growth, ``[n, ...]``; normalised here.
    x0, dx
        First node and spacing of the tables (-).

    Returns
    -------
    Partition
        Supit et al. (1994). Storage takes all of the shoot where the three shares are zero.
    """
    root = interp_uniform(dvs, root_nodes, x0, dx)
    leaf = interp_uniform(dvs, leaf_nodes, x0, dx)
    stem = interp_uniform(dvs, stem_nodes, x0, dx)
    storage = interp_uniform(dvs, storage_nodes, x0, dx)
    scale = safe_div(1.0 - root, leaf + stem + storage)
    leaf = leaf * scale
    stem = stem * scale
    return Partition(root, leaf, stem, 1.0 - root - leaf - stem)


def water_deficit_weight(sufficiency: Tensor) -> Tensor:
    """Weight of a season's supply over demand, w / (w + exp(6.13 - 0.0883 w)) (-).

    Parameters
    ----------
    sufficiency
        Supply over demand of water or nitrogen, in percent. LPJmL, Schaphoff et al. (2018),
        doi:10.5194/gmd-11-1343-2018.
    """
    return sufficiency / (sufficiency + torch.exp(6.13 - 0.0883 * sufficiency))


def root_fraction_lpjml(fphu: Tensor, weight: Tensor | float) -> Tensor:
    """Share of carbon in roots, 0.4 - 0.3 f sw (-).

    Parameters
    ----------
    fphu
        Fraction of the heat units of the season (-).
    weight
        `water_deficit_weight` (-).
    """
    return 0.4 - 0.3 * fphu * weight


def _grown_index(progress: Tensor, final: Tensor | float) -> Tensor:
    """Harvest index at a progress of 0 to 1; an index above 1 counts from 1 upwards."""
    if isinstance(final, Tensor):
        offset = torch.where(final > 1.0, 1.0, 0.0)
        return progress * (final - offset) + offset
    offset_number = 1.0 if final > 1.0 else 0.0
    return progress * (final - offset_number) + offset_number


def harvest_index(
    fphu: Tensor,
    optimal: Tensor | float,
    minimal: Tensor | float,
    weight: Tensor | float,
) -> Tensor:
    """Harvest index of LPJmL from development and stress (-).

    (HI_opt - HI_min) fhi sw + HI_min fhi with fhi = 100 f / (100 f + exp(11.1 - 10 f)).

    Parameters
    ----------
    fphu
        Fraction of the heat units of the season (-).
    optimal, minimal
        Harvest index without and with severe stress (-). Above 1, for tubers, it is the ratio
        of storage to other shoot plus 1, and grows from 1 instead of 0.
    weight
        `water_deficit_weight` (-). Schaphoff et al. (2018), doi:10.5194/gmd-11-1343-2018.
    """
    progress = 100.0 * fphu / (100.0 * fphu + torch.exp(11.1 - 10.0 * fphu))
    low = _grown_index(progress, minimal)
    return (_grown_index(progress, optimal) - low) * weight + low


def storage_share_lpjml(index: Tensor) -> Tensor:
    """Share of shoot carbon in storage organs: HI up to 1, 1 - 1 / HI above (-)."""
    return torch.where(index > 1.0, 1.0 - 1.0 / index.clamp(min=1.0), index)


def phenological_lai_lpjml(
    fphu: Tensor,
    early: tuple[Tensor | float, Tensor | float],
    late: tuple[Tensor | float, Tensor | float],
    senescence: Tensor | float,
    shape: Tensor | float,
    harvest: Tensor | float = 0.0,
) -> Tensor:
    """Relative leaf area over development in LPJmL (-).

    f / (f + c (c / k)^((pc - f) / (pk - pc))) up to senescence, then
    ((1 - f) / (1 - fsen))^shape (1 - lh) + lh; Schaphoff et al. (2018).

    Parameters
    ----------
    fphu
        Fraction of the heat units of the season f (-).
    early, late
        Points (pc, lc) and (pk, lk) on the rising curve (-).
    senescence
        Onset of senescence fsen (-).
    shape
        Exponent of the decline (-).
    harvest
        Relative leaf area at harvest lh (-).
    """
    (pc, lc), (pk, lk) = early, late
    c = pc / lc - pc
    k = pk / lk - pk
    steepness = log(c / k) / (pk - pc)
    rising = fphu / (fphu + c * torch.exp(steepness * (pc - fphu)))
    decline = safe_pow((1.0 - fphu) / (1.0 - senescence), shape, eps=1e-6)
    return torch.where(fphu < senescence, rising, decline * (1.0 - harvest) + harvest)


def root_distribution(
    beta: Tensor, z_top: Tensor | float, z_bottom: Tensor | float, depth: float = 300.0
) -> Tensor:
    """Share of roots between two depths, (b^z1 - b^z2) / (1 - b^depth) (-).

    Parameters
    ----------
    beta
        Decline of roots per cm of depth (-, below 1).
    z_top, z_bottom
        Depths (cm).
    depth
        Depth of the soil (cm). Jackson et al. (1996), doi:10.1007/BF00333714.
    """
    rate = torch.log(beta)
    numerator = torch.exp(rate * z_top) - torch.exp(rate * z_bottom)
    return numerator / (-torch.expm1(rate * depth))
