"""Damage by frost and by heat at flowering, as smooth fractions."""

from torch import Tensor

from neuralcrop.core.numerics import soft_step


def frost_damage_rate(
    tasmin: Tensor,
    threshold: Tensor | float,
    width: Tensor | float = 1.0,
    maximum: Tensor | float = 1.0,
) -> Tensor:
    """Relative loss of leaves to frost, maximum x sigmoid((Tc - Tmin) / width) (d-1).

    Parameters
    ----------
    tasmin
        Daily minimum temperature (degC).
    threshold
        Temperature Tc of half the maximum loss (degC), about -17 for wheat in Porter & Gawith
        (1999), doi:10.1016/S1161-0301(98)00047-1, and -2 for maize in Sanchez et al. (2014),
        doi:10.1111/gcb.12389.
    width
        Width of the transition (K).
    maximum
        Loss in hard frost (d-1).
    """
    return maximum * soft_step(threshold - tasmin, width)


def heat_sterility(
    tasmax: Tensor, threshold: Tensor | float, width: Tensor | float = 1.0
) -> Tensor:
    """Share of grains lost to a day's heat around flowering, sigmoid((Tmax - Tc) / width) (-).

    Parameters
    ----------
    tasmax
        Daily maximum temperature (degC).
    threshold
        Temperature Tc of half loss (degC), between the critical and limit temperatures of
        Teixeira et al. (2013), doi:10.1016/j.agrformet.2011.09.002: wheat 27/40, maize 35/45,
        rice 35/45, soybean 35/40.
    width
        Width of the transition (K).
    """
    return soft_step(tasmax - threshold, width)
