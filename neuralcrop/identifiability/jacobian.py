r"""Sensitivities of what is observed of seasons to parameters, each in units of its prior.

Cells know nothing of each other: an outcome of a cell depends on the parameters of that cell alone.
So the gradient of the sum of an outcome over cells with respect to ``[parameter row, cell]`` holds
the sensitivities of all cells to all parameters, and one backward pass gives the whole Jacobian.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from neuralcrop.core.parameters import ParameterTable
from neuralcrop.data.seasons import Block, Seasons
from neuralcrop.training.rollout import Rollout

YIELD = "yield"

GRADIENT_CELLS = 256
"""Cells of a block with gradients, whose activations are all kept."""

PLAIN_CELLS = 4096
"""Cells of a block without."""

USUAL = 0.9
"""Share of the seasons that two ways to find sensitivities are compared by."""


@dataclass(frozen=True)
class Scale:
    """Parameters, and the unit in which they are measured.

    Attributes
    ----------
    names : tuple of str
        With the element in brackets where a parameter has several.
    rows : list of int
        Of the parameter table.
    centre, unit, lower, upper : Tensor
        ``[parameter]`` catalogue value, prior standard deviation and bounds, float64.
    """

    names: tuple[str, ...]
    rows: list[int]
    centre: Tensor
    unit: Tensor
    lower: Tensor
    upper: Tensor

    @classmethod
    def of(cls, table: ParameterTable, names: Sequence[str], prior_sd: float) -> Scale:
        """Scale of some parameters of a table of one crop.

        Parameters
        ----------
        table : ParameterTable
            With bounds.
        names : sequence of str
            Which; every element of each.
        prior_sd : float
            Standard deviation of the prior, as a share of the width of the bounds.

        Raises
        ------
        ValueError
            If there are none, or one cannot move.
        """
        rows = table.rows(names)
        lower, upper = table.lower[rows, 0], table.upper[rows, 0]
        fixed = [n for n, low, up in zip(labels(table, names), lower, upper, strict=True)
                 if not low < up]
        if fixed or not rows:
            raise ValueError(f"nothing to learn of {', '.join(fixed) or 'no parameters'}: "
                             "the bounds leave no room")
        return cls(labels(table, names), rows, table.values[rows, 0].clone(),
                   prior_sd * (upper - lower), lower.clone(), upper.clone())


def labels(table: ParameterTable, names: Sequence[str]) -> tuple[str, ...]:
    """Name of every element of some parameters."""
    return tuple(name if table.specs[name].size == 1 else f"{name}[{k}]"
                 for name in names for k in range(table.specs[name].size))


@dataclass(frozen=True)
class Sensitivities:
    """Outcomes of seasons and how they answer to parameters.

    Attributes
    ----------
    kinds : tuple of str
        ``yield`` and other kinds of observation.
    names : tuple of str
        Parameters.
    values : numpy.ndarray
        ``[kind, season]`` in the units of the kind.
    jacobian : numpy.ndarray
        ``[kind, season, parameter]``, units of the kind for a prior standard deviation.
    """

    kinds: tuple[str, ...]
    names: tuple[str, ...]
    values: np.ndarray
    jacobian: np.ndarray


def outcomes_of(rollout: Rollout, block: Block, p: Tensor) -> Tensor:
    """Yield and the kinds of the rollout, ``[kind, cell]``."""
    season = rollout(block, p)
    if season.others is None:
        return season.yields.unsqueeze(0)
    return torch.cat((season.yields.unsqueeze(0), season.others))


def by_gradient(
    rollout: Rollout, seasons: Seasons, rows: np.ndarray, scale: Scale,
    cells: int = GRADIENT_CELLS,
) -> Sensitivities:
    """Sensitivities at the catalogue's values by backpropagation through the seasons.

    Parameters
    ----------
    rollout : Rollout
        In the precision of the samples; with the kinds that are wanted besides yields.
    seasons : Seasons
        Samples.
    rows : numpy.ndarray
        Which.
    scale : Scale
        Parameters.
    cells : int
        Of a block.
    """
    values, jacobians = [], []
    for block in seasons.blocks(rows, min(cells, len(rows))):
        n = block.n_samples
        p = _catalogue(rollout, block).requires_grad_()
        found = outcomes_of(rollout, block, p)
        unit = scale.unit.to(p)
        each = []
        for k, outcome in enumerate(found):
            (g,) = torch.autograd.grad(
                outcome.sum(), p, retain_graph=k + 1 < len(found), allow_unused=True,
                materialize_grads=True)
            each.append((g[scale.rows] * unit[:, None]).T[:n])
        values.append(found.detach()[:, :n])
        jacobians.append(torch.stack(each))
    return Sensitivities(
        (YIELD, *rollout.kinds), scale.names, torch.cat(values, 1).double().numpy(),
        torch.cat(jacobians, 1).double().numpy())


def by_differences(
    rollout: Rollout, seasons: Seasons, rows: np.ndarray, scale: Scale, step: float = 0.01,
    cells: int = PLAIN_CELLS,
) -> Sensitivities:
    """The same by central differences; all parameters of many samples run side by side.

    Parameters
    ----------
    rollout, seasons, rows, scale
        As for `by_gradient`.
    step : float
        In prior standard deviations. Where it would leave the bounds, the middle moves inwards.
    cells : int
        Of a block.
    """
    n_moves = 2 * len(scale.rows) + 1
    size = max(1, cells // n_moves)
    values, jacobians = [], []
    with torch.no_grad():
        for block in seasons.blocks(rows, min(size, len(rows))):
            n = block.n_samples
            base = _catalogue(rollout, block)
            p, width = _moved(base, scale, step)
            wide = _tiled(block, n_moves)
            found = outcomes_of(rollout, wide, p).unflatten(1, (n_moves, -1))[:, :, :n]
            values.append(found[:, 0])
            slopes = (found[:, 1::2] - found[:, 2::2]) / width[:, None].to(found)
            jacobians.append(slopes.transpose(1, 2))
    return Sensitivities(
        (YIELD, *rollout.kinds), scale.names, torch.cat(values, 1).double().numpy(),
        torch.cat(jacobians, 1).double().numpy())


def _catalogue(rollout: Rollout, block: Block) -> Tensor:
    crop = block.management.crop
    with torch.no_grad():
        return rollout.model.table(crop, block.forcing.values.dtype).clone()


def _moved(base: Tensor, scale: Scale, step: float) -> tuple[Tensor, Tensor]:
    """Parameters ``[row, move x cell]``, as they are and up and down each; widths of the moves."""
    h = torch.minimum(step * scale.unit, 0.5 * (scale.upper - scale.lower))
    middle = torch.maximum(torch.minimum(scale.centre, scale.upper - h), scale.lower + h)
    moves = [base]
    for k, row in enumerate(scale.rows):
        for sign in (1.0, -1.0):
            moved = base.clone()
            moved[row] = middle[k] + sign * h[k]
            moves.append(moved)
    return torch.cat(moves, dim=1), 2.0 * h / scale.unit


def _tiled(block: Block, times: int) -> Block:
    """The block so many times, side by side."""
    index = torch.arange(len(block.row)).repeat(times)
    return replace(
        block, forcing=block.forcing.cells(index), site=block.site.cells(index),
        management=block.management.cells(index), covariates=block.covariates[:, index],
        observed=block.observed[index], year=block.year[index], weight=block.weight[index],
        row=block.row[index])


def disagreement(a: Sensitivities, b: Sensitivities) -> np.ndarray:
    """Difference that nine seasons of ten keep below, over the root mean square of ``b``.

    ``[kind, parameter]``; 0 where both are 0. The tenth may have a step between the two points: a
    day on which a crop freezes, say.
    """
    size = np.sqrt(np.mean(b.jacobian**2, axis=1))
    apart = np.quantile(np.abs(a.jacobian - b.jacobian), USUAL, axis=1)
    return np.asarray(np.divide(apart, size, out=np.where(apart > 0.0, np.inf, 0.0),
                                where=size > 0.0))
