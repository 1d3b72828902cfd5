"""Physics, tuned physics and hybrids learnt anew for every fold of a test, by one compiled day."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import lightning.pytorch as pl
import numpy as np
import torch
from torch import Tensor

from neuralcrop.config import TrainConfig
from neuralcrop.config.learning import TrainerConfig
from neuralcrop.data.covariates import Covariates
from neuralcrop.data.datamodule import YieldsDataModule
from neuralcrop.data.folds import Fold
from neuralcrop.evaluation.comparison import Scored
from neuralcrop.evaluation.nulls import null_covariates
from neuralcrop.training.ema import Averaged
from neuralcrop.training.ensemble import first_weights
from neuralcrop.training.module import YieldModule
from neuralcrop.training.stages import quiet
from neuralcrop.training.train import Session, Variant
from neuralcrop.training.watch import Freeze

log = logging.getLogger("neuralcrop.training")


@dataclass
class FoldRunner:
    """Stages of a fold: all epochs, nothing validated, nothing written.

    Attributes
    ----------
    data : YieldsDataModule
        Samples of the fold.
    how : TrainerConfig
        Configuration of the optimisation.
    device : torch.device
        Where to calculate.
    """

    data: YieldsDataModule
    how: TrainerConfig
    device: torch.device

    def fit(
        self, name: str, module: YieldModule, epochs: int, frozen: tuple[str, ...] = ()
    ) -> None:
        """Train a stage and leave the module with its last weights, or their average."""
        averaged = None if self.how.ema is None else Averaged(self.how.ema)
        module.schedule = self.how.schedule
        callbacks = [*([averaged] if averaged else []), *([Freeze(frozen)] if frozen else [])]
        with quiet():
            trainer = pl.Trainer(
                accelerator="gpu" if self.device.type == "cuda" else self.device.type, devices=1,
                max_epochs=epochs, logger=False, enable_checkpointing=False, callbacks=callbacks,
                gradient_clip_val=self.how.gradient_clip_val, enable_progress_bar=False,
                enable_model_summary=False, num_sanity_val_steps=0, limit_val_batches=0,
                reload_dataloaders_every_n_epochs=1, log_every_n_steps=1)
            trainer.fit(module, datamodule=self.data)
        if averaged is not None:
            averaged.swap(module)


class FoldLearner:
    """Learns the variants of a configuration on folds.

    Years and sites of the configuration choose nothing here: a fold says what is learnt from, and
    no scored yield is seen. Climate normals of the covariates are those of the configured training
    years.

    Parameters
    ----------
    config : TrainConfig
        Of a run.
    directory : Path
        For what a run would write; nothing is.
    """

    def __init__(self, config: TrainConfig, directory: Path) -> None:
        self.session = Session(config, directory)
        self.start = self._state()
        self.covariates = self.session.seasons.covariates
        self.session.left_out = False
        self._tuned: dict[tuple[str, str], tuple[dict[str, Tensor], dict[str, Tensor]]] = {}

    def methods(self, seed: int = 0, nulls: Mapping[str, str] | None = None
                ) -> dict[str, Callable[[Fold], Scored]]:
        """``physics``, ``tuned`` and ``hybrid``, and hybrids with covariates that carry nothing.

        Parameters
        ----------
        seed : int
            Of first weights and batches of the hybrids.
        nulls : mapping of str to str, optional
            Kinds of `neuralcrop.evaluation.nulls.NULLS` by name of the method.
        """
        out: dict[str, Callable[[Fold], Scored]] = {
            "physics": self.physics, "tuned": self.tuned,
            "hybrid": lambda fold: self.hybrid(fold, seed)}
        for name, kind in (nulls or {}).items():
            out[name] = lambda fold, kind=kind: self.hybrid(  # type: ignore[misc]
                fold, seed, kind)
        return out

    def physics(self, fold: Fold) -> Scored:
        """The catalogue's parameters; the trend (and response) alone is fitted."""
        self._begin(fold)
        return self._scored(fold, self.session.physics())

    def tuned(self, fold: Fold) -> Scored:
        """Constants tuned everywhere alike."""
        return self._scored(fold, self._tune(fold))

    def hybrid(self, fold: Fold, seed: int, null: str | None = None) -> Scored:
        """Networks and closures, from the tuned constants on."""
        if (fold.test, fold.name) not in self._tuned:
            self._tune(fold)
        state, trend = self._tuned[fold.test, fold.name]
        session = self.session
        self._see(null, seed)
        try:
            self._begin(fold)
            model = session.rollout.model
            # covariates as they are scaled now
            kept = {k: v for k, v in state.items() if not k.startswith("covariate_")}
            model.load_state_dict(
                {**self._state(), **kept, **first_weights(model, seed)})
            session.technology.load_state_dict(trend)
            session.data.seed = seed
            return self._scored(fold, session.hybrid("hybrid", seed))
        finally:
            self._see(None, seed)

    def _tune(self, fold: Fold) -> Variant:
        self._begin(fold)
        self.session.physics()
        found = self.session.tuned()
        technology = self.session.technology.state_dict()
        self._tuned[fold.test, fold.name] = (
            self._state(), {k: v.detach().clone() for k, v in technology.items()})
        return found

    def _begin(self, fold: Fold) -> None:
        """The untrained model, and a data module and trend of the fold."""
        session = self.session
        model = session.rollout.model
        model.load_state_dict(self.start)
        session.begin({"train": fold.train, "test": fold.score})
        session.scale_covariates(model)
        session.keep_catalogue()
        session.runner = FoldRunner(session.data, session.config.trainer, session.device)

    def _see(self, null: str | None, seed: int) -> None:
        """Covariates as they are, or those of a null."""
        seasons = self.session.seasons
        if null is None:
            seasons.covariates = self.covariates
            return
        sites = seasons.table.drop_duplicates("site").set_index("site").reindex(
            range(self.covariates.values.shape[1]))
        found = null_covariates(
            null, self.covariates, seed, lat=sites["lat"].fillna(0.0).to_numpy(),
            lon=sites["lon"].fillna(0.0).to_numpy())
        # the network keeps its inputs: those that are missing are all alike
        values = torch.zeros_like(self.covariates.values)
        values[: len(found.values)] = found.values
        seasons.covariates = Covariates(values, self.covariates.names)

    def _state(self) -> dict[str, Tensor]:
        return {k: v.detach().clone() for k, v in self.session.rollout.model.state_dict().items()}

    @staticmethod
    def _scored(fold: Fold, variant: Variant) -> Scored:
        rows, spread = fold.score, variant.spread
        bare = variant.without.get("remainder")
        return Scored(
            np.maximum(variant.predictions[rows], 0.0), None if spread is None else spread[rows],
            None if bare is None else np.maximum(bare[rows], 0.0))
