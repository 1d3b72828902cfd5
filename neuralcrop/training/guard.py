"""Training stops at the first number that is none, and says where it came from."""

from __future__ import annotations

import logging

import torch
from torch import Tensor, nn

from neuralcrop.core.parameters import ParameterTable
from neuralcrop.data.seasons import Block, Seasons
from neuralcrop.training.rollout import Rollout, Season
from neuralcrop.training.trace import trace_gradient, trace_values

log = logging.getLogger("neuralcrop.training")

REMEDY = ("lower trainer.learning_rate and trainer.constants_learning_rate, or look at the weather "
          "and soil of this sample (neuralcrop data check)")


class TrainingError(RuntimeError):
    """Training cannot go on; names sample and parameter.

    Attributes
    ----------
    block : Block or None
        Where it happened.
    cell : int or None
        Cell of the block.
    backwards : bool
        Whether a gradient is at fault, and not a value.
    """

    def __init__(
        self, message: str, block: Block | None = None, cell: int | None = None,
        backwards: bool = False,
    ) -> None:
        super().__init__(message)
        self.block, self.cell, self.backwards = block, cell, backwards

    def traced(self, rollout: Rollout) -> TrainingError:
        """The same with day, process and values, found by running the sample once more."""
        if self.block is None:
            return self
        trace = trace_gradient if self.backwards else trace_values
        try:
            found = trace(rollout, self.block, self.cell)
        except (RuntimeError, ValueError) as error:
            # what is known already must not be lost
            log.warning("the sample could not be run again: %s", error)
            return self
        return self if found is None else TrainingError(f"{self}. {found}")


def check_loss(
    loss: Tensor, predicted: Tensor, season: Season, block: Block, table: ParameterTable,
    seasons: Seasons | None = None,
) -> None:
    """Check that loss, predictions and parameters are finite.

    Raises
    ------
    TrainingError
        Naming the first sample that is not, and its parameters that are not.
    """
    if bool(torch.isfinite(loss)):
        return
    bad = ~torch.isfinite(predicted) | ~torch.isfinite(season.parameters).all(dim=0)
    if not bool(bad.any()):
        raise TrainingError("the penalty is not finite: a network's weights have diverged; "
                            f"{REMEDY}")
    cell = int(torch.nonzero(bad)[0])
    names = _rows(~torch.isfinite(season.parameters[:, cell]), table)
    cause = f"parameters {', '.join(names)} are not finite" if names else (
        "all its parameters are finite")
    raise TrainingError(
        f"the yield of {_sample(block, cell, seasons)} is {predicted[cell]:g}: {cause}; {REMEDY}",
        block, cell)


def check_gradients(
    module: nn.Module, season: Season, block: Block, table: ParameterTable,
    seasons: Seasons | None = None,
) -> None:
    """Check that all gradients are finite.

    Raises
    ------
    TrainingError
        Naming what has another gradient and, where it can be told, the sample and crop parameter
        that it came from.
    """
    bad = [name for name, p in module.named_parameters()
           if p.grad is not None and not bool(torch.isfinite(p.grad).all())]
    if not bad:
        return
    where, cell = "", None
    grad = season.parameters.grad
    if grad is not None and not bool(torch.isfinite(grad).all()):
        cell = int(torch.nonzero(~torch.isfinite(grad).all(dim=0))[0])
        names = _rows(~torch.isfinite(grad[:, cell]), table)
        where = f" through {', '.join(names)} of {_sample(block, cell, seasons)}"
    raise TrainingError(f"the gradient of {', '.join(bad)} is not finite{where}; {REMEDY}",
                        block, cell, backwards=True)


def _rows(flags: Tensor, table: ParameterTable) -> list[str]:
    """Names of the parameters whose rows are flagged."""
    names = [n for n, size in table.layout.sizes.items() for _ in range(size)]
    return list(dict.fromkeys(names[k] for k in torch.nonzero(flags)[:, 0].tolist()))


def _sample(block: Block, cell: int, seasons: Seasons | None) -> str:
    year = int(block.year[cell])
    if seasons is None:
        return f"sample {int(block.row[cell])}, year {year}"
    return f"{seasons.table['label'].iloc[int(block.row[cell])]}, year {year}"
