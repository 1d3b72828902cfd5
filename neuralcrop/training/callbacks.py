"""Around the epochs: progress, records, checkpoints."""

from __future__ import annotations

import csv
import io
import logging
import os
import time
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback
from lightning.pytorch.plugins.io import TorchCheckpointIO
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from neuralcrop.data.seasons import Block
from neuralcrop.simulation.restart import write_text

log = logging.getLogger("neuralcrop.training")

LAST = "last.ckpt"

REPORTS = 10
"""Lines that a stage writes where no one watches a progress bar."""


class WholeCheckpoints(TorchCheckpointIO):
    """Checkpoint files that are there whole or not at all."""

    def save_checkpoint(
        self, checkpoint: dict[str, Any], path: Any, storage_options: Any = None
    ) -> None:
        """Write under another name, then rename."""
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        part = target.with_name(target.name + ".part")
        torch.save(checkpoint, part)
        os.replace(part, target)


class FirstCheckpoint(Callback):
    """A checkpoint before the first step, so that an early Ctrl-C leaves one, too."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / LAST

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Save, unless a run goes on."""
        if trainer.global_step == 0 and trainer.current_epoch == 0:
            trainer.save_checkpoint(self.path)


class MetricsFile(Callback):
    """One row an epoch in a CSV file that is always whole.

    Parameters
    ----------
    path : Path
        File.
    stage : str
        Name of the stage, first column.
    earlier : list of dict
        Rows of earlier stages.
    """

    def __init__(self, path: Path, stage: str, earlier: list[dict[str, Any]]) -> None:
        self.path, self.stage, self.earlier = path, stage, earlier
        self.rows: list[dict[str, Any]] = []
        self._began = 0.0

    def state_dict(self) -> dict[str, Any]:
        """Rows so far, for the checkpoint."""
        return {"rows": self.rows}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Rows of a run that goes on."""
        self.rows = list(state_dict["rows"])

    def on_train_epoch_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Note the time."""
        self._began = time.perf_counter()

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Add a row."""
        values = {k: float(v) for k, v in trainer.callback_metrics.items()}
        rate = trainer.optimizers[0].param_groups[-1]["lr"]
        self.rows.append({
            "stage": self.stage, "epoch": trainer.current_epoch, **values, "learning_rate": rate,
            "seconds": round(time.perf_counter() - self._began, 3)})
        write_csv(self.path, self.earlier + self.rows)


class SeasonProgress(Callback):
    """Progress in seasons of cells a second; lines in the log where no one watches.

    Parameters
    ----------
    stage : str
        Name of the stage.
    shown : bool
        Whether to draw a bar on a terminal.
    """

    def __init__(self, stage: str, shown: bool = True) -> None:
        self.stage = stage
        self.console = Console(stderr=True)
        self.drawn = shown and self.console.is_terminal
        self._bar: Progress | None = None
        self._task: TaskID | None = None
        self._done, self._began = 0, 0.0

    def on_train_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Begin."""
        self._done, self._began = 0, time.perf_counter()
        if self.drawn:
            self._bar = Progress(
                TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"),
                TimeRemainingColumn(), console=self.console)
            self._task = self._bar.add_task(
                self.stage, total=trainer.max_epochs, completed=trainer.current_epoch, state="")
            self._bar.start()

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, outputs: Any, batch: Block,
        batch_idx: int,
    ) -> None:
        """Count the seasons of a block."""
        self._done += batch.n_samples
        if self._bar is not None and self._task is not None:
            share = (batch_idx + 1) / max(int(trainer.num_training_batches), 1)
            self._bar.update(self._task, completed=trainer.current_epoch + share,
                             state=self._state(trainer))

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Report now and then."""
        epoch, last = trainer.current_epoch + 1, int(trainer.max_epochs or 1)
        if not self.drawn and (epoch % max(last // REPORTS, 1) == 0 or epoch in (1, last)):
            log.info("%s: epoch %d of %d, %s", self.stage, epoch, last, self._state(trainer))

    def on_train_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """End."""
        self._stop()

    def on_exception(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, exception: BaseException
    ) -> None:
        """Leave the terminal in order."""
        self._stop()

    def _state(self, trainer: pl.Trainer) -> str:
        speed = self._done / max(time.perf_counter() - self._began, 1e-9)
        score = trainer.callback_metrics.get("validate_rmse")
        text = f"{speed:,.0f} cell seasons/s"
        return text if score is None else f"{text}, validation RMSE {float(score):.3f} t/ha"

    def _stop(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    """Rows as CSV, with all columns that any of them has; whole or not at all."""
    columns = list(dict.fromkeys(key for row in rows for key in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    write_text(path, text.getvalue())
