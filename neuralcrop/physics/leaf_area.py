"""Leaf area: growth while young, ageing as a chain of boxes, and shading."""

import math

import torch
from torch import Tensor

from neuralcrop.core.numerics import clip01, donor_limit


def ageing_rate(t: Tensor, t_base: Tensor | float, span: Tensor | float) -> Tensor:
    """Speed of leaf ageing, max(0, T - Tb) / (35 - Tb) / span (d-1).

    Parameters
    ----------
    t, t_base
        Mean temperature and base of ageing (degC).
    span
        Life span at 35 degC (d); Supit et al. (1994).
    """
    return (t - t_base).clamp(min=0.0) / ((35.0 - t_base) * span)


def ageing_chain(boxes: Tensor, rate: Tensor, h: float) -> Tensor:
    """Flux out of every box of an ageing chain, into the next one or, from the last, death.

    Each of the n boxes empties at ``n rate``, so that leaves live ``1 / rate`` on average with
    a coefficient of variation of ``1 / sqrt(n)``.

    Parameters
    ----------
    boxes
        Content from the youngest to the oldest ``[n, ...]`` (any unit).
    rate
        Inverse of the mean life span (d-1), as from `ageing_rate`.
    h
        Step (d); 0 for instantaneous fluxes.

    Returns
    -------
    Tensor
        Fluxes ``[n, ...]`` (unit d-1), at most the content over the step. The linear chain
        trick, MacDonald (1978).
    """
    return donor_limit(boxes, boxes.shape[0] * rate, h)


def self_shading_loss(lai: Tensor, k: Tensor | float) -> Tensor:
    """Relative death of leaves by shading, 0.03 clip((L - Lc) / Lc, 0, 1), Lc = 3.2 / k (d-1).

    Parameters
    ----------
    lai
        Leaf area index L (m2 m-2).
    k
        Extinction of diffuse light (-); Supit et al. (1994).
    """
    return 0.03 * clip01(lai * k / 3.2 - 1.0)


def drought_loss(water_factor: Tensor, rate: Tensor | float = 0.03) -> Tensor:
    """Relative death of leaves by drought, rate (1 - f) (d-1).

    Parameters
    ----------
    water_factor
        Actual over potential transpiration f (0-1).
    rate
        Maximum rate, PERDL of WOFOST (d-1).
    """
    return rate * (1.0 - water_factor)


def specific_leaf_area_lpjml(longevity: Tensor) -> Tensor:
    """Specific leaf area from leaf longevity, 2e-4 10^(2.25 - 0.4 log10(12 L)) / 0.4763.

    Parameters
    ----------
    longevity
        Leaf longevity L (yr).

    Returns
    -------
    Tensor
        m2 g C-1; Schaphoff et al. (2018), doi:10.5194/gmd-11-1343-2018.
    """
    exponent = 2.25 - 0.4 / math.log(10.0) * torch.log(12.0 * longevity)
    return 2e-4 / 0.4763 * torch.exp(math.log(10.0) * exponent)


def juvenile_growth(
    lai: Tensor, relative_rate: Tensor | float, t: Tensor, t_base: Tensor | float
) -> Tensor:
    """Sink-limited exponential growth of leaf area, L r max(0, T - Tb) (m2 m-2 d-1).

    Parameters
    ----------
    lai
        Leaf area index L (m2 m-2).
    relative_rate
        Relative growth rate, RGRLAI of WOFOST (degC-1 d-1).
    t, t_base
        Mean and base temperature (degC); Supit et al. (1994).
    """
    return lai * relative_rate * (t - t_base).clamp(min=0.0)
