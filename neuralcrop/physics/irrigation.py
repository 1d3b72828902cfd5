"""Irrigation demand."""

from torch import Tensor

from neuralcrop.core.numerics import soft_step, softplus


def irrigation_amount(
    water: Tensor,
    target: Tensor,
    wetness: Tensor,
    threshold: Tensor | float,
    width: float = 0.02,
    smoothing: float = 1.0,
) -> Tensor:
    """Net irrigation to refill the root zone once it is too dry (mm).

    softplus(W_target - W) sigmoid((threshold - w) / width): a smooth trigger, so that the
    amount has a gradient in the threshold.

    Parameters
    ----------
    water, target
        Water in the root zone and its target (mm).
    wetness
        Relative soil water w that triggers (0-1).
    threshold
        Trigger (-): 0.7 (C4) to 1.0 (rice) in LPJmL; Jaegermeyr et al. (2015),
        doi:10.5194/hess-19-3073-2015.
    width
        Width of the trigger (-).
    smoothing
        Width of the softplus (mm).
    """
    return softplus(target - water, smoothing) * soft_step(threshold - wetness, width)


def gross_irrigation(net: Tensor, efficiency: Tensor | float) -> Tensor:
    """Water to withdraw so that ``net`` reaches the field (mm).

    Parameters
    ----------
    net
        Water that reaches the field (mm).
    efficiency
        Conveyance efficiency (0-1): 0.7 to 0.8 for open canals, 0.95 for pipes;
        Jaegermeyr et al. (2015), doi:10.5194/hess-19-3073-2015.
    """
    return net / efficiency
