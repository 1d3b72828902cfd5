"""Every non-smooth or singular operator of the model, in a form that is safe to differentiate.

All functions are pure, broadcast over arbitrary shapes, keep the dtype and device of their
inputs, and trace under ``torch.compile(fullgraph=True)``: there is no Python branch on tensor
values. Branches on shapes, types and Python scalars are resolved while tracing.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

EPSILON = 1e-12
"""Floor under square roots and denominators; far below any value of the model's units."""


def log(x: Tensor | float) -> Tensor | float:
    """Natural logarithm of a tensor or of a Python number."""
    return torch.log(x) if isinstance(x, Tensor) else math.log(x)


def row_sum(x: Tensor) -> Tensor:
    """Sum over the first dimension, row by row: its bits do not depend on the number of cells."""
    first, *others = x.unbind(0)
    for row in others:
        first = first + row
    return first


def clip01(x: Tensor) -> Tensor:
    """Clip to [0, 1]."""
    return x.clamp(0.0, 1.0)


def clip(x: Tensor, low: Tensor | float, high: Tensor | float) -> Tensor:
    """Clip to [low, high], where each bound is a number or a tensor."""
    x = torch.maximum(x, low) if isinstance(low, Tensor) else x.clamp(min=low)
    return torch.minimum(x, high) if isinstance(high, Tensor) else x.clamp(max=high)


def safe_sqrt(x: Tensor, eps: float = EPSILON) -> Tensor:
    """Square root of ``max(x, eps)``: its slope is zero, not infinite or NaN, below ``eps``."""
    return torch.sqrt(x.clamp(min=eps))


def safe_div(
    numerator: Tensor, denominator: Tensor, fill: float = 0.0, eps: float = EPSILON
) -> Tensor:
    """Quotient, or ``fill`` where ``abs(denominator) <= eps``; gradients stay finite."""
    valid = denominator.abs() > eps
    # Double where: the division itself must never see the small denominator.
    return torch.where(valid, numerator / torch.where(valid, denominator, 1.0), fill)


def safe_pow(base: Tensor, exponent: Tensor | float, eps: float = EPSILON) -> Tensor:
    """Power ``base ** exponent`` for a base >= 0, exactly 0 where ``base <= eps``.

    Written as ``exp(exponent log base)``, which vectorises where a tensor exponent would not.
    """
    valid = base > eps
    power = torch.exp(exponent * torch.log(torch.where(valid, base, 1.0)))
    return torch.where(valid, power, 0.0)


def smooth_min(a: Tensor, b: Tensor, theta: Tensor | float, eps: float = EPSILON) -> Tensor:
    r"""Quadratic co-limitation of two rates, a smooth minimum.

    The smaller root of :math:`\theta x^2 - (a + b) x + a b = 0`.

    Parameters
    ----------
    a, b
        Rates in the same unit.
    theta
        Curvature in (0, 1]; 1 is the exact minimum.
    eps
        Added under the square root so that the slope is finite at ``a = b`` when theta is 1.

    Returns
    -------
    Tensor
        Between 0 and ``min(a, b)`` for non-negative rates, and exactly 0 when one of them is 0.
    """
    total = a + b
    product = a * b
    difference = a - b
    # (a + b)^2 - 4 theta a b without its cancellation in single precision.
    root = torch.sqrt(difference * difference + 4.0 * (1.0 - theta) * product + eps)
    positive = total >= 0.0
    numerator = torch.where(positive, 2.0 * product, total - root)
    denominator = torch.where(positive, total + root, 2.0 * theta)
    return numerator / denominator


def smooth_max0(x: Tensor, width: float) -> Tensor:
    r"""Smooth ``max(0, x)``: :math:`(x + \sqrt{x^2 + w^2}) / 2`.

    Never below ``max(0, x)``; the excess is ``width / 2`` at 0 and about ``width**2 / (4 |x|)``
    far from it. Cheaper than softplus, with a heavier tail.
    """
    return 0.5 * (x + torch.sqrt(x * x + width * width))


def softplus(x: Tensor, width: float) -> Tensor:
    """``width * log(1 + exp(x / width))``: a smooth ``max(0, x)`` with an exponential tail."""
    return width * torch.nn.functional.softplus(x / width)


def soft_step(x: Tensor, width: Tensor | float) -> Tensor:
    """Logistic step from 0 to 1 around ``x = 0`` with the given width (units of x)."""
    return torch.sigmoid(x / width)


def donor_limit(stock: Tensor, rate: Tensor | float, h: float) -> Tensor:
    r"""Mean flux out of a stock that decays at a first-order rate over a step.

    :math:`X (1 - e^{-k h}) / h`, exact for linear decay and never more than ``stock / h``.

    Parameters
    ----------
    stock
        Donor pool X (>= 0).
    rate
        First-order loss rate k (d-1, >= 0).
    h
        Step (d); 0 gives the instantaneous flux ``rate * stock``.
    """
    if h == 0.0:
        return rate * stock
    if isinstance(rate, Tensor):
        return stock * (-torch.expm1(-rate * h)) / h
    return stock * (-math.expm1(-rate * h) / h)


def limit_demand(stock: Tensor, demand: Tensor, h: float) -> Tensor:
    r"""Demand on a stock, limited to :math:`X (1 - e^{-D h / X}) / h` so that it cannot empty it.

    Parameters
    ----------
    stock
        Donor pool X (>= 0).
    demand
        Demand flux D (d-1, >= 0).
    h
        Step (d); 0 gives the demand itself.
    """
    if h == 0.0:
        return demand
    held = stock.clamp(min=0.0)
    return held * (-torch.expm1(-h * safe_div(demand, held))) / h


SINGLE_QUANTUM = 2.0**-12
"""Quantum of water and carbon in single precision, mm or g m-2."""

NITROGEN_QUANTUM = 2.0**-15
"""Quantum of nitrogen in single precision, g m-2."""

_DOUBLE_QUANTUM = 2.0**-40


def whole(x: Tensor, quantum: float = SINGLE_QUANTUM) -> Tensor:
    """Floor amounts to whole quanta, so that balances are exact sums; the slope is taken as 1.

    A quantum is 2^-12 (0.24 mg or g m-2, 0.24 um of water) in single and 2^-40 in double
    precision. Stocks and fluxes in whole quanta add and subtract without rounding below 4096 and
    8192 kg or g m-2: water and carbon close to the last bit, and rounding overdraws no stock.
    Nitrogen, of which there is less, takes `NITROGEN_QUANTUM` in single precision: exact below
    512 g m-2.
    """
    if x.dtype == torch.float64:
        return floor_to(x, _DOUBLE_QUANTUM)
    return floor_to(x, quantum) if x.dtype == torch.float32 else x


def whole_amount(x: Tensor) -> Tensor:
    """Whole quanta of what is not negative but for rounding: `whole`, and never below zero.

    The slope is taken as 1: a mask of the clamped entries would be stored byte by byte.
    """
    return x + (whole(x.detach().clamp_min(0.0)) - x.detach())


SOIL_QUANTA: dict[str, float] = {"carbon": 2.0**-10, "nitrogen": NITROGEN_QUANTUM}
"""Quanta of soil stocks in single precision, g m-2: 16 and 0.5 kg m-2 a stock add up exactly."""


def quantum_of(element: str, dtype: torch.dtype) -> float:
    """Quantum of the soil stocks of an element, g m-2; see `spread_amount`."""
    return _DOUBLE_QUANTUM if dtype == torch.float64 else SOIL_QUANTA[element]


def spread_amount(x: Tensor, quantum: Tensor | float, phase: Tensor) -> Tensor:
    r"""Whole quanta of slow fluxes, none of which is lost in the mean over days.

    Slow pools lose less than a quantum a day. With a ``phase`` from 0 to 1 that visits all values
    evenly over the days, :math:`\lfloor x / q + \phi \rfloor q` has the mean of ``x``; with the
    phase 0 it is never above ``x``. The slope is taken as 1.
    """
    held = x.detach().clamp_min(0.0)
    return x + (torch.floor(held / quantum + phase) * quantum - x.detach())


def floor_to(x: Tensor, quantum: float) -> Tensor:
    """Largest multiple of ``quantum`` (a power of two) not above ``x``; its slope is taken as 1.

    Sums and differences of such multiples are exact in floating point as long as they stay below
    ``2**24`` quanta in single precision.
    """
    floored = torch.floor(x * (1.0 / quantum)) * quantum
    return x + (floored - x).detach()


def share_limit(stock: Tensor, demands: Tensor | Sequence[Tensor], h: float) -> Tensor:
    r"""Factor by which a set of demands on one donor is scaled so that they cannot overdraw it.

    With the total demand D the loss becomes :math:`X (1 - e^{-D h / X}) / h`, hence the factor
    :math:`X (1 - e^{-D h / X}) / (D h)`.

    Parameters
    ----------
    stock
        Donor pool X (>= 0).
    demands
        The demand fluxes (d-1, >= 0): a sequence of tensors, or one tensor whose leading
        dimension runs over the demands.
    h
        Step (d); 0 gives a factor of 1.

    Returns
    -------
    Tensor
        Factor in [0, 1], the same for every demand.
    """
    if isinstance(demands, Tensor):
        total = demands.sum(dim=0)
    else:
        total = demands[0]
        for demand in demands[1:]:
            total = total + demand
    if h == 0.0:
        return torch.ones_like(total * stock)
    wanted = total * h
    available = stock.clamp(min=0.0)
    ratio = wanted / available.clamp(min=EPSILON)
    # The closed form is 0/0 at zero demand; its series is exact to 1e-13 below the switch. An
    # empty stock keeps to the closed form, which gives it exactly nothing to lose.
    small = (ratio < 1e-4) & (available >= EPSILON)
    divisor = torch.where(small, 1.0, wanted.clamp(min=EPSILON * EPSILON))
    limited = available * (-torch.expm1(-ratio)) / divisor
    ratio = torch.where(small, ratio, 0.0)
    return torch.where(small, 1.0 - ratio * (0.5 - ratio / 6.0), limited)


def quadratic_small_root(a: Tensor | float, b: Tensor, c: Tensor) -> Tensor:
    r"""Root :math:`(-b - \sqrt{b^2 - 4ac}) / 2a` of :math:`a x^2 + b x + c`.

    For ``a >= 0`` this is the smaller root. Without cancellation for ``b <= 0``, where it also
    tolerates ``a -> 0`` (the limit is ``-c / b``).
    """
    root = safe_sqrt(b * b - 4.0 * a * c)
    stable = b <= 0.0
    numerator = torch.where(stable, 2.0 * c, -b - root)
    denominator = torch.where(stable, root - b, 2.0 * a)
    return numerator / denominator


def quadratic_large_root(a: Tensor | float, b: Tensor, c: Tensor) -> Tensor:
    r"""Root :math:`(-b + \sqrt{b^2 - 4ac}) / 2a` of :math:`a x^2 + b x + c`.

    For ``a >= 0`` this is the larger root. Without cancellation for ``b >= 0``, where it also
    tolerates ``a -> 0`` (the limit is ``-c / b``).
    """
    return -quadratic_small_root(a, -b, c)


def uniform_weights(x: Tensor, n: int, x0: float, dx: float) -> Tensor:
    """Hat-function weights of ``n`` nodes ``x0 + i dx`` at ``x``; they sum to one.

    Parameters
    ----------
    x
        Abscissa, any shape; outside the nodes the nearest end has weight 1.
    n
        Number of nodes.
    x0, dx
        First node and spacing.

    Returns
    -------
    Tensor
        Weights ``[n, *x.shape]``. Their slope is 0 exactly at a node.
    """
    position = ((x - x0) / dx).clamp(0.0, n - 1.0)
    index = torch.arange(n, dtype=x.dtype, device=x.device).reshape(n, *([1] * x.dim()))
    return torch.relu(1.0 - (position - index).abs())


def interp_uniform(x: Tensor, nodes: Tensor, x0: float, dx: float) -> Tensor:
    """Piecewise-linear interpolation on a uniform grid, constant beyond its ends.

    Parameters
    ----------
    x
        Abscissa, ``[...]``.
    nodes
        Values at ``x0 + i dx``, ``[n, ...]``; trailing dimensions broadcast against ``x``.
    x0, dx
        First node and spacing.
    """
    n = nodes.shape[0]
    missing = max(0, x.dim() - (nodes.dim() - 1))
    nodes = nodes.reshape(n, *([1] * missing), *nodes.shape[1:])
    x = x.reshape(*([1] * max(0, nodes.dim() - 1 - x.dim())), *x.shape)
    return (uniform_weights(x, n, x0, dx) * nodes).sum(dim=0)


def interp_table(x: Tensor, xs: Sequence[float] | Tensor, ys: Sequence[float] | Tensor) -> Tensor:
    """Piecewise-linear interpolation in a table with increasing abscissae, constant beyond it.

    Parameters
    ----------
    x
        Abscissa, ``[...]``.
    xs, ys
        The table: numbers, or tensors ``[n, ...]`` whose trailing dimensions broadcast
        against ``x``. Equal neighbours in ``xs`` make a step.
    """
    value = torch.zeros_like(x) + ys[0]
    for i in range(len(xs) - 1):
        width = xs[i + 1] - xs[i]
        width = width.clamp(min=EPSILON) if isinstance(width, Tensor) else max(width, EPSILON)
        position = (x - xs[i]) / width
        # Equal to clip01, but with the left slope (not twice the slope) exactly at a node.
        ramp = torch.relu(position) - torch.relu(position - 1.0)
        value = value + (ys[i + 1] - ys[i]) * ramp
    return value
