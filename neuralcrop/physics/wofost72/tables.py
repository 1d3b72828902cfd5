"""Tables of WOFOST (AFGEN): piecewise linear between nodes, constant beyond them."""

from collections.abc import Sequence

import torch
from torch import Tensor


def slopes(x_nodes: Tensor, y_nodes: Tensor) -> Tensor:
    """Slopes between the nodes of a table, ``[n - 1, cell]``; 0 in padding, which has no width."""
    width = x_nodes[1:] - x_nodes[:-1]
    wide = width > 0.0
    # The division must not see the width of padding, in the gradient either.
    return torch.where(wide, (y_nodes[1:] - y_nodes[:-1]) / torch.where(wide, width, 1.0), 0.0)


def interpolate(
    x_nodes: Tensor, y_nodes: Tensor, x: Tensor, known_slopes: Tensor | None = None
) -> Tensor:
    r"""Value of a table, :math:`y_k + (x - x_k) (y_{k+1} - y_k) / (x_{k+1} - x_k)`.

    Exact at the nodes, where the slope is that of the segment to the right, and constant outside.
    A select per node and no gather: it compiles into the loop of its neighbours.

    Parameters
    ----------
    x_nodes
        Nondecreasing abscissae, ``[n, cell]`` (or ``[n, 1]``); repeat the last to pad.
    y_nodes
        Values at the nodes, ``[n, cell]``, padded alike.
    x
        Abscissa, ``[cell]`` or ``[..., cell]``.
    known_slopes
        `slopes` of the table, where they are at hand: no division is left.

    Returns
    -------
    Tensor
        Values with the shape of ``x``, in the unit of ``y_nodes``.
    """
    steps = slopes(x_nodes, y_nodes) if known_slopes is None else known_slopes
    value = y_nodes[0] + torch.zeros_like(x)
    last = x_nodes.shape[0] - 1
    for k in range(last):
        line = y_nodes[k] + (x - x_nodes[k]) * steps[k]
        value = torch.where(x >= x_nodes[k], line, value)
    return torch.where(x >= x_nodes[last], y_nodes[last], value)


def pad(
    pairs: Sequence[float], n: int | None = None, dtype: torch.dtype = torch.float64
) -> tuple[Tensor, Tensor]:
    """Nodes of a table given as the flat list x1, y1, x2, y2, ... of WOFOST.

    Parameters
    ----------
    pairs
        The list; the table ends where x stops increasing (unused pairs are 0, 0).
    n
        Number of nodes; the last is repeated to fill it up. Without it, the nodes in use.
    dtype
        Type of the nodes.

    Returns
    -------
    tuple of Tensor
        Abscissae and values, ``[n]`` each.
    """
    if not pairs or len(pairs) % 2:
        raise ValueError(f"a table needs pairs of x and y, but has {len(pairs)} numbers")
    xs, ys = list(pairs[:1]), list(pairs[1:2])
    for x, y in zip(pairs[2::2], pairs[3::2], strict=True):
        if x <= xs[-1]:
            break
        xs.append(x)
        ys.append(y)
    if n is not None:
        if len(xs) > n:
            raise ValueError(f"a table of {len(xs)} nodes does not fit into {n}")
        xs += xs[-1:] * (n - len(xs))
        ys += ys[-1:] * (n - len(ys))
    return torch.tensor(xs, dtype=dtype), torch.tensor(ys, dtype=dtype)
