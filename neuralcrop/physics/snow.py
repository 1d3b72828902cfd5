"""Snow: its share in precipitation, melt and sublimation."""

from torch import Tensor

from neuralcrop.core.numerics import share_limit, soft_step, softplus

SUBLIMATION_RATE = 0.1
"""Sublimation of a snow pack (mm d-1; Gerten et al. 2004, doi:10.1016/j.jhydrol.2003.09.029)."""


def snow_fraction(
    t: Tensor, threshold: Tensor | float = 0.5, width: Tensor | float = 1.0
) -> Tensor:
    """Share of precipitation that falls as snow, a logistic in temperature (-).

    Parameters
    ----------
    t
        Mean air temperature (degC).
    threshold, width
        Temperature of equal shares and width of the transition (degC, K); cf. Jennings et al.
        (2018), doi:10.1038/s41467-018-03629-7.
    """
    return soft_step(threshold - t, width)


def melt_demand(t: Tensor, factor: Tensor | float = 3.0, width: float = 0.5) -> Tensor:
    """Degree-day melt, factor x softplus(T) (mm d-1).

    Parameters
    ----------
    t
        Mean air temperature (degC).
    factor
        Degree-day factor, 2 to 6 (mm K-1 d-1); Hock (2003),
        doi:10.1016/S0022-1694(03)00257-9.
    width
        Width of the transition at 0 degC (K).
    """
    return factor * softplus(t, width)


def snow_losses(pack: Tensor, melt: Tensor, sublimation: Tensor, h: float) -> tuple[Tensor, Tensor]:
    """Melt and sublimation that the snow pack can supply together.

    Parameters
    ----------
    pack
        Snow water equivalent (mm).
    melt, sublimation
        Potential rates (mm d-1), of `melt_demand` and up to `SUBLIMATION_RATE`.
    h
        Step (d).

    Returns
    -------
    tuple of Tensor
        Melt and sublimation (mm d-1).
    """
    scale = share_limit(pack, [melt, sublimation], h)
    return melt * scale, sublimation * scale
