r"""Exponential moving average of weights, which validation and the finished model take.

.. math:: \bar w \leftarrow \beta\,\bar w + (1 - \beta)\,w

after every step (`torch.optim.swa_utils.get_ema_multi_avg_fn`). Lightning's `WeightAveraging`
copies the whole module for it, samples included; this keeps the weights alone.
"""

from __future__ import annotations

from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn

CURRENT = "current_state_dict"
"""Key of a checkpoint with the weights that steps go on from; ``state_dict`` has the average."""


class Averaged(Callback):
    """Averages the weights of a module and validates with the average.

    Checkpoints hold the average as their weights, and those that training goes on from beside
    them, so that a resumed run ends with the same bits.

    Parameters
    ----------
    decay : float
        Share of the former average that a step keeps.
    """

    def __init__(self, decay: float) -> None:
        self.decay = decay
        self._update = get_ema_multi_avg_fn(decay)
        self._average: dict[str, Tensor] = {}

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Start from the weights of the module, unless a checkpoint has brought an average."""
        self._average = {n: self._average.get(n, p.detach().clone()).to(p.device)
                         for n, p in pl_module.named_parameters()}

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Any,
        batch_idx: int,
    ) -> None:
        """Bring the average up to the step."""
        now = {n: p.detach() for n, p in pl_module.named_parameters()}
        with torch.no_grad():
            self._update([self._average[n] for n in now], list(now.values()), None)

    def on_validation_epoch_start(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule
    ) -> None:
        """Put the average in."""
        self.swap(pl_module)

    def on_validation_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Put the weights of training back."""
        self.swap(pl_module)

    def on_save_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """The average as the weights, and the others apart."""
        checkpoint[CURRENT] = checkpoint["state_dict"]
        checkpoint["state_dict"] = {**checkpoint["state_dict"], **{
            n: p.clone() for n, p in self._average.items()}}

    def on_load_checkpoint(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, checkpoint: dict[str, Any]
    ) -> None:
        """Inverse of `on_save_checkpoint`; of a run without average, it starts from there."""
        known = dict(pl_module.named_parameters())
        self._average = {n: v.to(known[n].device, copy=True)
                         for n, v in checkpoint["state_dict"].items() if n in known}
        checkpoint["state_dict"] = checkpoint.get(CURRENT, checkpoint["state_dict"])
        # the strategy may have loaded the average before
        pl_module.load_state_dict(checkpoint["state_dict"])

    def swap(self, module: pl.LightningModule) -> None:
        """Exchange average and weights of training."""
        for name, weight in module.named_parameters():
            other = self._average[name].clone()
            self._average[name].copy_(weight.detach())
            weight.data.copy_(other)
