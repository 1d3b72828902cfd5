"""Organs of a crop as functions of its total carbon, as in LPJmL, and fluxes towards them.

LPJmL shares the whole carbon of a crop anew every day. The shares themselves (root fraction,
harvest index, relative leaf area) are in :mod:`neuralcrop.physics.allocation`; here they become
amounts, and a flux form that never takes carbon out of an organ.

Schaphoff et al. (2018) doi:10.5194/gmd-11-1343-2018.
"""

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.numerics import safe_div
from neuralcrop.physics.allocation import storage_share_lpjml


class Organs(NamedTuple):
    """Carbon of the organs (g C m-2); the stem is LPJmL's pool of mobile reserves."""

    leaf: Tensor
    stem: Tensor
    root: Tensor
    storage: Tensor


def heat_unit_fraction(development_stage: Tensor, anthesis: Tensor | float) -> Tensor:
    """Fraction of the heat units of a season from a development stage of 0 to 2 (-).

    Parameters
    ----------
    development_stage
        0 at emergence, 1 at anthesis, 2 at maturity (-).
    anthesis
        Fraction of the heat units at anthesis (-); Minoli et al. (2019)
        doi:10.1016/j.gloplacha.2018.12.013.
    """
    before = development_stage.clamp(0.0, 1.0)
    after = (development_stage - 1.0).clamp(0.0, 1.0)
    return before * anthesis + after * (1.0 - anthesis)


def organs_of(
    total: Tensor, lai: Tensor, specific_leaf_area: Tensor | float, root_share: Tensor,
    index: Tensor,
) -> Organs:
    """Carbon of the organs of a crop: roots first, leaves, storage, and the rest to the pool.

    Parameters
    ----------
    total
        Carbon of the crop (g C m-2).
    lai
        Leaf area index that the phenology prescribes (-); leaves get less where the crop holds
        less.
    specific_leaf_area
        m2 g C-1.
    root_share
        `allocation.root_fraction_lpjml` (-).
    index
        `allocation.harvest_index` (-); above 1 for tubers.

    Returns
    -------
    Organs
        They sum to the total.
    """
    root = root_share * total
    shoot = total - root
    leaf = torch.minimum(lai / specific_leaf_area, shoot)
    remainder = shoot - leaf
    storage = torch.minimum(remainder, storage_share_lpjml(index) * shoot)
    return Organs(leaf, remainder - storage, root, storage)


def shares_towards(present: Organs, wanted: Organs) -> Organs:
    """Shares of new carbon that move organs towards wanted amounts, none beyond them (-).

    New carbon goes to each organ in proportion to what it lacks. The lacks sum to at least the
    carbon that is not yet in organs if the wanted amounts sum to the total, so no organ gets more
    than it lacks.

    Parameters
    ----------
    present, wanted
        Carbon of the organs (g C m-2).

    Returns
    -------
    Organs
        Shares of 0 to 1 that sum to 1; all to the stem where nothing lacks.
    """
    lacks = [(w - p).clamp(min=0.0) for p, w in zip(present, wanted, strict=True)]
    total = lacks[0] + lacks[1] + lacks[2] + lacks[3]
    leaf, root, storage = (safe_div(lacks[k], total) for k in (0, 2, 3))
    return Organs(leaf, safe_div(lacks[1], total, fill=1.0), root, storage)
