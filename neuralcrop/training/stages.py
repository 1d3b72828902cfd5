"""One stage of training: a Lightning trainer around the module, its checkpoints, going on."""

from __future__ import annotations

import contextlib
import logging
import signal
import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.callbacks import Callback, EarlyStopping, ModelCheckpoint
from lightning.pytorch.loggers import TensorBoardLogger

from neuralcrop.config.sections import CallbacksConfig, LoggerConfig
from neuralcrop.data.datamodule import YieldsDataModule
from neuralcrop.training.callbacks import (
    LAST,
    FirstCheckpoint,
    MetricsFile,
    SeasonProgress,
    WholeCheckpoints,
)
from neuralcrop.training.module import YieldModule

log = logging.getLogger("neuralcrop.training")

MONITOR = "validate_rmse"
BEST = "best.ckpt"


class Keeper(ModelCheckpoint):
    """Best and last checkpoint; a run may go on in another directory."""

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Scores so far, with the files where they are now."""
        best = str(Path(str(self.dirpath)) / BEST)
        score = state_dict["best_model_score"]
        here: dict[str, Any] = {"dirpath": self.dirpath, "last_model_path": ""}
        if score is not None:
            here |= {"best_model_path": best, "kth_best_model_path": best,
                     "best_k_models": {best: score}}
        super().load_state_dict({**state_dict, **here})


@dataclass
class StageRunner:
    """Runs stages in a run directory.

    Attributes
    ----------
    run_dir : Path
        Checkpoints, logs and metrics go there.
    data : YieldsDataModule
        Samples.
    callbacks, logger
        Configuration.
    gradient_clip : float or None
        Largest norm of the gradient.
    device : torch.device
        Where to calculate.
    resume : Path or None
        Run directory to go on from.
    """

    run_dir: Path
    data: YieldsDataModule
    callbacks: CallbacksConfig
    logger: LoggerConfig
    gradient_clip: float | None = None
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    resume: Path | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def fit(self, name: str, module: YieldModule, epochs: int) -> None:
        """Train a stage and leave the module with the weights that are kept.

        A stage that a resumed run had finished only loads them.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C; the last checkpoint is there and valid.
        TrainingError
            If a number is not finite.
        """
        directory = self.run_dir / "checkpoints" / name
        metrics = MetricsFile(self.run_dir / "metrics.csv", name, self.history)
        keeper = Keeper(
            directory, filename="best", monitor=MONITOR, mode="min", save_last=True,
            enable_version_counter=False, save_on_train_epoch_end=True)
        before = self._resumed(name)
        trainer = self._trainer(name, epochs, metrics, keeper, directory)
        if before is not None:
            log.info("%s goes on from %s", name, before)
        _fit(trainer, module, self.data, before)
        self.history = self.history + metrics.rows
        if self.callbacks.keep == "best":
            best = torch.load(directory / BEST, map_location=self.device,
                              weights_only=True)
            module.load_state_dict(best["state_dict"])

    def _resumed(self, name: str) -> Path | None:
        """Checkpoint of the stage to go on from, copied to this run."""
        if self.resume is None:
            return None
        path = self.resume / "checkpoints" / name / LAST
        if not path.is_file():
            return None
        own = self.run_dir / "checkpoints" / name
        for file in ([] if own == path.parent else path.parent.glob("*.ckpt")):
            own.mkdir(parents=True, exist_ok=True)
            (own / file.name).write_bytes(file.read_bytes())
        return own / LAST

    def _trainer(
        self, name: str, epochs: int, metrics: MetricsFile, keeper: ModelCheckpoint,
        directory: Path,
    ) -> pl.Trainer:
        extra: list[Callback] = [SeasonProgress(name, self.callbacks.progress)]
        if self.logger.csv:
            extra.append(metrics)
        if self.callbacks.patience is not None:
            extra.append(EarlyStopping(
                MONITOR, min_delta=self.callbacks.min_delta, patience=self.callbacks.patience,
                check_on_train_epoch_end=True))
        tensorboard = TensorBoardLogger(self.run_dir, name="tensorboard", version=name)
        with _Quiet():
            return pl.Trainer(
                accelerator="gpu" if self.device.type == "cuda" else self.device.type,
                devices=[self.device.index or 0] if self.device.type == "cuda" else 1,
                max_epochs=epochs, logger=tensorboard if self.logger.tensorboard else False,
                callbacks=[FirstCheckpoint(directory), *extra, keeper],
                plugins=[WholeCheckpoints()], gradient_clip_val=self.gradient_clip,
                enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
                inference_mode=False, reload_dataloaders_every_n_epochs=1, log_every_n_steps=1,
                default_root_dir=self.run_dir)


def _fit(
    trainer: pl.Trainer, module: YieldModule, data: YieldsDataModule, checkpoint: Path | None
) -> None:
    """Fit; Ctrl-C stays a KeyboardInterrupt."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        with _Quiet():
            trainer.fit(module, datamodule=data, ckpt_path=checkpoint, weights_only=True)
    except SystemExit as stop:
        # Lightning turns the one into the other, and no longer listens
        if isinstance(stop.__context__, KeyboardInterrupt):
            raise KeyboardInterrupt from stop
        raise
    finally:
        _restore(handler)


def _restore(handler: Callable[..., Any] | int | None) -> None:
    with contextlib.suppress(ValueError):  # only the main thread has handlers
        signal.signal(signal.SIGINT, handler)


class _Quiet(warnings.catch_warnings):
    """Without Lightning's hints about loaders and loggers that are as they should be."""

    def __enter__(self) -> Any:
        out = super().__enter__()
        warnings.filterwarnings("ignore", module="lightning.*")
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
        return out
