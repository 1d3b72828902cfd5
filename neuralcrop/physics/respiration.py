"""Maintenance and growth respiration."""

import math

import torch
from torch import Tensor

from neuralcrop.core.numerics import log, smooth_min


def q10(t: Tensor, q10: Tensor | float = 2.0, t_ref: Tensor | float = 25.0) -> Tensor:
    """Exponential temperature factor q10 ** ((T - T_ref) / 10), 1 at the reference (degC)."""
    return torch.exp(log(q10) * (t - t_ref) / 10.0)


def lpjml_temperature_response(
    t: Tensor, reference: float = 46.02, minimum: float = -15.0
) -> Tensor:
    """Temperature factor of respiration, exp(308.56 (1 / (Tr + 10) - 1 / (T + Tr))) (-).

    Parameters
    ----------
    t
        Temperature (degC); limited to 40.
    reference
        Tr (K): 46.02 in LPJmL 6 and Lloyd & Taylor (1994), doi:10.2307/2389824; 56.02 in
        LPJmL 5.
    minimum
        Temperature below which the factor is 0 (degC): -15 in LPJmL 6, -40 in LPJmL 5.
    """
    shifted = t.clamp(minimum, 40.0) + reference
    factor = math.exp(308.56 / (reference + 10.0)) * torch.exp(-308.56 / shifted)
    return torch.where(t >= minimum, factor, 0.0)


def maintenance(stocks: Tensor, rates: Tensor, factor: Tensor) -> Tensor:
    """Maintenance respiration of all organs (g C m-2 d-1).

    Parameters
    ----------
    stocks
        Organ pools ``[organ, ...]`` (g C m-2).
    rates
        Specific rates at the reference temperature ``[organ, ...]`` (d-1).
    factor
        Temperature (and ageing) factor (-).
    """
    return (stocks * rates).sum(dim=0) * factor


def lpjml_maintenance(
    carbon: Tensor,
    cn_ratio: Tensor | float,
    factor: Tensor,
    coefficient: Tensor | float = 0.8,
    k: float = 0.0548,
) -> Tensor:
    """Maintenance respiration of LPJmL, r k C / (C:N) g(T) (g C m-2 d-1).

    Parameters
    ----------
    carbon
        Pool (g C m-2).
    cn_ratio
        Carbon to nitrogen (g g-1).
    factor
        `lpjml_temperature_response` (-).
    coefficient
        r (-): 0.8 in LPJmL 6, 1.0 to 1.2 in LPJmL 5.
    k
        Rate at 10 degC (g C g N-1 d-1); Schaphoff et al. (2018),
        doi:10.5194/gmd-11-1343-2018.
    """
    return coefficient * k * carbon / cn_ratio * factor


def limited_maintenance(demand: Tensor, supply: Tensor, theta: float = 0.99) -> Tensor:
    """Maintenance that the supply of assimilates can pay, a smooth minimum of both.

    Parameters
    ----------
    demand, supply
        Demand for maintenance, and assimilation plus released reserves (g C m-2 d-1).
    theta
        Curvature of the minimum (-).
    """
    return smooth_min(demand, supply, theta)


def lpjml_growth_respiration(
    assimilation: Tensor, maintenance: Tensor, coefficient: Tensor | float = 0.25
) -> Tensor:
    """Growth respiration of LPJmL, 0.25 max(0, A - Rm) (g C m-2 d-1)."""
    return coefficient * (assimilation - maintenance).clamp(min=0.0)


def growth_efficiency(fractions: Tensor, efficiencies: Tensor) -> Tensor:
    """Growth per assimilate when organs of different cost grow together, 1 / sum(f / e) (-).

    Parameters
    ----------
    fractions
        Share of growth that goes to each organ ``[organ, ...]``; they sum to one.
    efficiencies
        Growth per assimilate of each organ ``[organ, ...]`` (g g-1): CVL, CVS, CVR, CVO of
        WOFOST (dry matter per CH2O), or the same in carbon.
    """
    return 1.0 / (fractions / efficiencies).sum(dim=0)


def carbon_growth_efficiency(
    conversion: Tensor | float, carbon_fraction: Tensor | float
) -> Tensor | float:
    """Growth efficiency in carbon, CV f_C / 0.4 (g C g C-1).

    Parameters
    ----------
    conversion
        Dry matter per CH2O, as in WOFOST (g g-1).
    carbon_fraction
        Carbon in the dry matter of the organ (g g-1); CH2O holds 0.4.
    """
    return conversion * carbon_fraction / 0.4
