"""Eyes on training: gradient norms and their anomalies, and the ledger of a validation block."""

from __future__ import annotations

import logging
import statistics
from collections.abc import Mapping
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import nn

from neuralcrop.data.seasons import Block
from neuralcrop.training.rollout import Rollout

log = logging.getLogger("neuralcrop.training")

SPIKE = 100.0
"""Times the running median from which a gradient norm is an anomaly."""

REMEMBERED, NEEDED = 101, 10
"""Steps of the running median, and those that it needs to judge."""

GROUPS = {"network": "model.network.", "constants": "model.table.", "closures": "model."}
"""Groups of weights by how their names begin; the first that fits. All others: ``trend``."""


def group_of(name: str) -> str:
    """Group of a weight of the training module."""
    return next((group for group, start in GROUPS.items() if name.startswith(start)), "trend")


class Freeze(Callback):
    """Lets only some groups of weights learn; the others get no gradient and no decay.

    Parameters
    ----------
    frozen : sequence of str
        Names of `GROUPS`.
    """

    def __init__(self, frozen: tuple[str, ...]) -> None:
        self.frozen = frozen

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Drop the gradients of what does not learn."""
        for name, weight in pl_module.named_parameters():
            if group_of(name) in self.frozen:
                weight.grad = None


class GradientWatch(Callback):
    """Logs the gradient norm of each group of weights, and says which steps are out of line.

    A step whose norm is more than `SPIKE` times the running median is reported with its block.

    Parameters
    ----------
    skip : bool
        Whether to leave such steps out.
    seasons : object, optional
        Samples, to name those of the block.
    """

    def __init__(self, skip: bool = False, seasons: Any = None) -> None:
        self.skip, self.seasons = skip, seasons
        self.norms: list[float] = []
        self.spikes = 0
        self._block: Block | None = None

    def state_dict(self) -> dict[str, Any]:
        """Norms so far: a resumed run skips the same steps."""
        return {"norms": list(self.norms), "spikes": self.spikes}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Norms of a run that goes on."""
        self.norms, self.spikes = list(state_dict["norms"]), int(state_dict["spikes"])

    def on_train_batch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, batch: Block, batch_idx: int
    ) -> None:
        """Remember the block."""
        self._block = batch

    def on_before_optimizer_step(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, optimizer: torch.optim.Optimizer
    ) -> None:
        """Norms before clipping."""
        block = self._block
        assert block is not None
        norms = gradient_norms(optimizer, pl_module)
        total = sum(n * n for n in norms.values()) ** 0.5
        if not total < float("inf"):
            return  # the module stops and says why
        pl_module.log_dict({f"gradient_{k}": v for k, v in norms.items()}, on_epoch=True,
                           on_step=False, batch_size=block.n_samples)
        if len(self.norms) >= NEEDED and total > SPIKE * statistics.median(self.norms):
            self.spikes += 1
            log.warning(
                "epoch %d, step %d: gradient norm %.3g is %.0f times the running median (%s); "
                "block of %d samples: %s", trainer.current_epoch, trainer.global_step, total,
                total / max(statistics.median(self.norms), 1e-30),
                "step left out" if self.skip else "trainer.skip_gradient_spikes leaves such out",
                block.n_samples, self._named(block))
            if self.skip:
                for weight in pl_module.parameters():
                    weight.grad = None
                return  # one that was left out is no measure of others
        self.norms = [*self.norms, total][-REMEMBERED:]

    def _named(self, block: Block, shown: int = 3) -> str:
        rows = block.row[block.weight > 0.0].tolist()
        if self.seasons is None:
            names = [str(row) for row in rows[:shown]]
        else:
            table = self.seasons.table.iloc[rows[:shown]]
            names = [f"{label} {year}" for label, year in
                     zip(table["label"], table["year"], strict=True)]
        more = len(rows) - len(names)
        return ", ".join(names) + (f" and {more} more" if more > 0 else "")


def gradient_norms(optimizer: torch.optim.Optimizer, module: nn.Module) -> dict[str, float]:
    """Norm of the gradient of each group that the optimizer moves."""
    moved = {id(p) for group in optimizer.param_groups for p in group["params"]}
    squares: dict[str, float] = {}
    for name, weight in module.named_parameters():
        if id(weight) in moved and weight.grad is not None:
            own = float(weight.grad.detach().double().square().sum())
            squares[group_of(name)] = squares.get(group_of(name), 0.0) + own
    return {group: square ** 0.5 for group, square in squares.items()}


class LedgerWatch(Callback):
    """Logs what is missing in the balances of water and carbon of the first validation block."""

    def on_validation_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Block,
        batch_idx: int, dataloader_idx: int = 0,
    ) -> None:
        """Run it to the end of its states."""
        if batch_idx == 0:
            rollout: Rollout = pl_module.rollout  # type: ignore[assignment]
            pl_module.log_dict(ledger_metrics(rollout.residuals(batch)), on_epoch=True,
                               on_step=False, batch_size=1)


def ledger_metrics(residuals: Mapping[str, torch.Tensor]) -> dict[str, float]:
    """Largest relative residual over cells, by ``ledger_ELEMENT``."""
    return {f"ledger_{k}": float(v.abs().max()) for k, v in residuals.items()}
