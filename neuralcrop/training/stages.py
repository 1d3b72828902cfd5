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
from lightning.pytorch.profilers import AdvancedProfiler, Profiler, SimpleProfiler

from neuralcrop.config.learning import CallbacksConfig, LoggerConfig, TrainerConfig
from neuralcrop.data.datamodule import YieldsDataModule
from neuralcrop.training.callbacks import (
    LAST,
    FirstCheckpoint,
    MetricsFile,
    SeasonProgress,
    WholeCheckpoints,
)
from neuralcrop.training.distributed import CellShares, Shares, rank
from neuralcrop.training.ema import Averaged
from neuralcrop.training.guard import TrainingError
from neuralcrop.training.module import YieldModule
from neuralcrop.training.watch import Freeze, GradientWatch, LedgerWatch

log = logging.getLogger("neuralcrop.training")

MONITOR = "validate_rmse"
BEST = "best.ckpt"


class Keeper(ModelCheckpoint):
    """Best and last checkpoint; a run may go on in another directory."""

    def on_train_epoch_end(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """The last checkpoint after every epoch, and not only where the best one changes."""
        super().on_train_epoch_end(trainer, pl_module)
        if self._last_global_step_saved != trainer.global_step:
            self._save_last_checkpoint(trainer, self._monitor_candidates(trainer))

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
    how : TrainerConfig
        Configuration of the optimisation.
    device : torch.device
        Where to calculate.
    resume : Path or None
        Run directory to go on from.
    """

    run_dir: Path
    data: YieldsDataModule
    callbacks: CallbacksConfig
    logger: LoggerConfig
    how: TrainerConfig
    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    resume: Path | None = None
    history: list[dict[str, Any]] = field(default_factory=list)

    def fit(
        self, name: str, module: YieldModule, epochs: int, frozen: tuple[str, ...] = ()
    ) -> None:
        """Train a stage and leave the module with the weights that are kept.

        A stage that a resumed run had finished only loads them.

        Parameters
        ----------
        name : str
            Of the stage.
        module : YieldModule
            What learns.
        epochs : int
            Most passes over the training data.
        frozen : tuple of str
            Groups of weights (`neuralcrop.training.watch.GROUPS`) that stay as they are.

        Raises
        ------
        KeyboardInterrupt
            On Ctrl-C; the last checkpoint is there and valid.
        TrainingError
            If a number is not finite.
        """
        directory = self.run_dir / "checkpoints" / name
        module.schedule = self.how.schedule
        metrics = MetricsFile(self.run_dir / "metrics.csv", name, self.history)
        keeper = Keeper(
            directory, filename="best", monitor=MONITOR, mode="min", save_last=True,
            enable_version_counter=False, save_on_train_epoch_end=True)
        before = self._resumed(name)
        if before is not None:
            log.info("%s goes on from %s", name, before)
            epochs = self._epochs(before, epochs)
        trainer = self._trainer(name, epochs, metrics, keeper, directory, frozen)
        try:
            _fit(trainer, module, self._shared_data(), before)
        except TrainingError as error:
            raise error.traced(module.rollout) from error
        trainer.strategy.barrier()  # one process writes
        self.history = self.history + metrics.rows
        kept = directory / (BEST if self.callbacks.keep == "best" else LAST)
        state = torch.load(kept, map_location=self.device, weights_only=True)["state_dict"]
        module.load_state_dict(state)

    def _epochs(self, checkpoint: Path, epochs: int) -> int:
        """Epochs of a stage that goes on: no more where it had stopped early."""
        saved = torch.load(checkpoint, map_location="cpu", weights_only=True)
        waited = [state["wait_count"] for name, state in saved["callbacks"].items()
                  if name.startswith("EarlyStopping")]
        patience = self.callbacks.patience
        if patience is not None and waited and waited[0] >= patience:
            return min(epochs, int(saved["epoch"]) + 1)
        return epochs

    def _shared_data(self) -> pl.LightningDataModule:
        """Samples of this process."""
        return Shares(self.data) if self.how.devices > 1 else self.data

    def _resumed(self, name: str) -> Path | None:
        """Checkpoint of the stage to go on from, copied to this run."""
        if self.resume is None:
            return None
        path = self.resume / "checkpoints" / name / LAST
        if not path.is_file():
            return None
        own = self.run_dir / "checkpoints" / name
        if rank() != 0:
            return path
        for file in ([] if own == path.parent else path.parent.glob("*.ckpt")):
            own.mkdir(parents=True, exist_ok=True)
            (own / file.name).write_bytes(file.read_bytes())
        return own / LAST

    def _trainer(
        self, name: str, epochs: int, metrics: MetricsFile, keeper: ModelCheckpoint,
        directory: Path, frozen: tuple[str, ...],
    ) -> pl.Trainer:
        extra: list[Callback] = [LedgerWatch()]
        if self.how.ema is not None:
            extra.append(Averaged(self.how.ema))
        if frozen:
            extra.append(Freeze(frozen))
        extra.append(GradientWatch(self.how.skip_gradient_spikes, self.data.seasons))
        first = rank() == 0
        if first:
            extra.append(SeasonProgress(name, self.callbacks.progress))
        if first and self.logger.csv:
            extra.append(metrics)
        if self.callbacks.patience is not None:
            extra.append(EarlyStopping(
                MONITOR, min_delta=self.callbacks.min_delta, patience=self.callbacks.patience,
                check_on_train_epoch_end=True))
        tensorboard = TensorBoardLogger(self.run_dir, name="tensorboard", version=name)
        several = self.how.devices > 1
        cuda = self.device.type == "cuda"
        with quiet():
            return pl.Trainer(
                accelerator="gpu" if cuda else self.device.type,
                devices=self.how.devices if several else [self.device.index or 0] if cuda else 1,
                strategy=CellShares(cuda) if several else "auto", use_distributed_sampler=False,
                max_epochs=epochs, logger=tensorboard if self.logger.tensorboard else False,
                callbacks=[FirstCheckpoint(directory), *extra, keeper],
                plugins=[WholeCheckpoints()], gradient_clip_val=self.how.gradient_clip_val,
                profiler=self._profiler(name) if first else None,
                enable_progress_bar=False, enable_model_summary=False, num_sanity_val_steps=0,
                inference_mode=False, reload_dataloaders_every_n_epochs=1, log_every_n_steps=1,
                default_root_dir=self.run_dir)


    def _profiler(self, stage: str) -> Profiler | None:
        """The profiler that was asked for."""
        if self.how.profiler is None:
            return None
        kind = SimpleProfiler if self.how.profiler == "simple" else AdvancedProfiler
        return kind(dirpath=self.run_dir, filename=f"profile-{stage}")


def _fit(
    trainer: pl.Trainer, module: YieldModule, data: pl.LightningDataModule, checkpoint: Path | None
) -> None:
    """Fit; Ctrl-C stays a KeyboardInterrupt."""
    handler = signal.getsignal(signal.SIGINT)
    try:
        with quiet():
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


class quiet(warnings.catch_warnings):
    """Without Lightning's hints about loaders and loggers that are as they should be."""

    def __enter__(self) -> Any:
        out = super().__enter__()
        warnings.filterwarnings("ignore", module="lightning.*")
        logging.getLogger("lightning.pytorch").setLevel(logging.WARNING)
        return out
