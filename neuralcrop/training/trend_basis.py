r"""Closed forms of technology trends: their basis in time, fits with shrinkage, standard errors."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

PERCENT = 0.01
"""Coefficients are in percent a year."""

TINY = 1e-12


def knots_of(first: int, last: int, n: int = 4) -> tuple[float, ...]:
    """Knots of a smooth trend, evenly from the first to the last training year."""
    return tuple(first + (last - first) * k / (n - 1) for k in range(n))


def basis(year: Tensor, reference: float, knots: tuple[float, ...] = ()) -> Tensor:
    r"""Columns of a trend, ``[..., column]``, zero in the reference year.

    The first is :math:`0.01\,(t - t_0)`. With K knots there are K - 2 more, those of the natural
    cubic spline (Hastie, Tibshirani and Friedman 2009, The Elements of Statistical Learning,
    eq. 5.4-5.5), each scaled to

    .. math:: N_k = \frac{d_k - d_{K-1}}{3\,(\xi_{K-1} - \xi_k)}, \qquad
       d_k = \frac{(t - \xi_k)_+^3 - (t - \xi_K)_+^3}{\xi_K - \xi_k},

    whose slope is 0 before :math:`\xi_k` and 1 after :math:`\xi_K`: a coefficient is the change of
    the slope that it brings, in percent a year. Beyond the last knot a trend is a straight line.

    Parameters
    ----------
    year : Tensor
        Calendar year.
    reference : float
        :math:`t_0`.
    knots : tuple of float
        :math:`\xi`, rising; none for a straight line.
    """
    columns = [year - reference]
    if knots:
        zero = torch.as_tensor(reference, dtype=year.dtype, device=year.device)
        columns += [_ramp(year, knots, k) - _ramp(zero, knots, k) for k in range(len(knots) - 2)]
    return PERCENT * torch.stack(torch.broadcast_tensors(*columns), dim=-1)


def _ramp(year: Tensor, knots: tuple[float, ...], k: int) -> Tensor:
    last, before = knots[-1], knots[-2]

    def d(knot: float) -> Tensor:
        cube = (year - knot).clamp_min(0.0) ** 3 - (year - last).clamp_min(0.0) ** 3
        return cube / (last - knot)

    return (d(knots[k]) - d(before)) / (3.0 * (before - knots[k]))


class RidgeFit(NamedTuple):
    """Least squares with shrinkage.

    Attributes
    ----------
    common : Tensor
        ``[column]``.
    own : Tensor
        ``[group, column]`` departures of the groups from it.
    """

    common: Tensor
    own: Tensor


def ridge(
    x: Tensor, target: Tensor, weight: Tensor, group: Tensor, n_groups: int, shrink: Tensor,
    damp: Tensor,
) -> RidgeFit:
    r"""Coefficients of all, and of groups shrunk towards them, in closed form.

    Minimises :math:`\sum_i w_i (y_i - x_i (a + d_{g(i)}))^2 + \sum_g d_g^T S d_g + a^T D a` with
    diagonal S and D: with S the noise variance over that of the groups this is the posterior mean
    of normal departures. For S to infinity all groups are alike; for S to 0 each is on its own.

    Parameters
    ----------
    x : Tensor
        ``[sample, column]``.
    target, weight : Tensor
        ``[sample]``.
    group : Tensor
        ``[sample]`` integers; ``n_groups`` belongs to none.
    n_groups : int
        Groups; 0 for no departures.
    shrink, damp : Tensor
        ``[column]`` diagonals S and D.
    """
    k = x.shape[1]
    wx = weight.unsqueeze(1) * x
    square = x.new_zeros(n_groups + 1, k, k).index_add_(
        0, group, wx.unsqueeze(2) * x.unsqueeze(1))
    cross = x.new_zeros(n_groups + 1, k).index_add_(0, group, wx * target.unsqueeze(1))
    # departures leave the common coefficients what they cannot explain themselves
    held = torch.linalg.solve(
        square[:n_groups] + torch.diag(shrink) + TINY * torch.eye(k, dtype=x.dtype),
        torch.cat((square[:n_groups], cross[:n_groups].unsqueeze(2)), dim=2))
    left = square.sum(dim=0) - (square[:n_groups] @ held[:, :, :k]).sum(dim=0)
    right = cross.sum(dim=0) - (square[:n_groups] @ held[:, :, k:]).sum(dim=(0, 2))
    common = torch.linalg.lstsq(left + torch.diag(damp), right.unsqueeze(1)).solution[:, 0]
    return RidgeFit(common, held[:, :, k] - held[:, :, :k] @ common)


def clustered(
    x: Tensor, error: Tensor, weight: Tensor, cluster: Tensor, damp: Tensor | None = None
) -> Tensor:
    r"""Covariance of least-squares coefficients whose errors go together within clusters.

    .. math:: V = A^{-1} \Big(\frac{C}{C - 1} \sum_c s_c s_c^T\Big) A^{-1}, \qquad
       s_c = \sum_{i \in c} w_i x_i e_i, \quad A = \sum_i w_i x_i x_i^T + D

    (Liang and Zeger 1986, doi:10.1093/biomet/73.1.13). Sites of a year share its weather and what
    a model gets wrong of it: with years as clusters, years count and not sites.

    Parameters
    ----------
    x : Tensor
        ``[sample, column]``.
    error, weight : Tensor
        ``[sample]``.
    cluster : Tensor
        ``[sample]``.
    damp : Tensor, optional
        ``[column]`` diagonal D.
    """
    k = x.shape[1]
    names, index = torch.unique(cluster, return_inverse=True)
    c = len(names)
    if c < 2:
        return torch.full((k, k), torch.nan, dtype=x.dtype)
    wx = weight.unsqueeze(1) * x
    inner = wx.T @ x + (torch.zeros(k, k, dtype=x.dtype) if damp is None else torch.diag(damp))
    sums = x.new_zeros(c, k).index_add_(0, index, wx * error.unsqueeze(1))
    inverse = torch.linalg.pinv(inner)
    return inverse @ (c / (c - 1) * sums.T @ sums) @ inverse


def year_effect(x: Tensor, error: Tensor, weight: Tensor, year: Tensor) -> float:
    """How many times the variance of the trend is that of independent errors, at least 1."""
    wxe = weight * x * error
    names, index = torch.unique(year, return_inverse=True)
    sums = x.new_zeros(len(names)).index_add_(0, index, wxe)
    return max(float((sums * sums).sum() / (wxe * wxe).sum().clamp_min(TINY)), 1.0)


def centred(x: Tensor, base: Tensor, weight: Tensor, place: Tensor) -> Tensor:
    """Columns less the part that a level of each place explains, where yields are ``base``."""
    n = int(place.max()) + 1 if len(place) else 0
    wb = weight * base
    total = x.new_zeros(n).index_add_(0, place, wb * base).clamp_min(TINY)
    part = x.new_zeros(n, x.shape[1]).index_add_(0, place, wb.unsqueeze(1) * x)
    return x - base.unsqueeze(1) * (part / total.unsqueeze(1))[place]
