"""Lightning module: from blocks of samples to gradients of parameters and networks."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import lightning.pytorch as pl
import torch
from lightning.pytorch.utilities.types import OptimizerLRSchedulerConfig
from torch import Tensor, nn
from torchmetrics import MeanAbsoluteError, MeanSquaredError, MetricCollection, PearsonCorrCoef

from neuralcrop.data.seasons import Block, Seasons
from neuralcrop.training import losses
from neuralcrop.training.guard import check_gradients, check_loss
from neuralcrop.training.rollout import Rollout, Season
from neuralcrop.training.technology import Technology
from neuralcrop.training.term_logs import KindErrors, gradient_norms
from neuralcrop.training.terms import Terms

WARM_UP = 5
"""Steps over which the learning rate rises."""

FINAL_RATE = 0.02
"""Share of the learning rate that the cosine ends with."""


@dataclass(frozen=True)
class Learning:
    """How a stage learns.

    Attributes
    ----------
    constants_rate, networks_rate : float
        Learning rates of tuned constants (with the technology trend) and of networks; networks
        stay as they are at rate 0.
    weight_decay : float
        Of the networks.
    penalty : float
        Weight of the departure from the physics.
    seed : int
        Of dropout.
    technology_rate : float or None
        Learning rate of the technology trend and of learned weights; None for that of constants.
    gradient_norms : bool
        Whether the gradient norm of every term is logged, from the first block of each epoch.
    """

    constants_rate: float
    networks_rate: float = 0.0
    weight_decay: float = 0.0
    penalty: float = 0.0
    seed: int = 0
    technology_rate: float | None = None
    gradient_norms: bool = False


class YieldModule(pl.LightningModule):
    """One stage of training.

    Parameters
    ----------
    rollout : Rollout
        Runs the seasons of a model.
    technology : Technology
        Trend of yields.
    learning : Learning
        How.
    terms : Terms
        Loss of yields and other observations.
    seasons : Seasons, optional
        Samples, to name one in an error.

    Attributes
    ----------
    schedule : str
        ``cosine`` or ``constant``.
    """

    schedule = "cosine"

    def __init__(
        self, rollout: Rollout, technology: Technology, learning: Learning, terms: Terms,
        seasons: Seasons | None = None,
    ) -> None:
        super().__init__()
        self.rollout, self.learning, self.seasons = rollout, learning, seasons
        self.model, self.technology, self.terms = rollout.model, technology, terms
        self.points = losses.feature_points()
        self.scores = MetricCollection({
            "rmse": MeanSquaredError(squared=False), "mae": MeanAbsoluteError(),
            "r": PearsonCorrCoef()})
        self.errors = KindErrors(terms)
        self._block: Block | None = None
        self._season: Season | None = None

    def constants(self) -> list[nn.Parameter]:
        """Tuned constants, the trend and learned weights of the loss."""
        return [*self.model.table.parameters(), *self.observation_side()]

    def observation_side(self) -> list[nn.Parameter]:
        """What is learned of the observations: the trend, and weights of the loss."""
        return [p for p in (*self.technology.parameters(), *self.terms.learned) if p.requires_grad]

    def networks(self) -> list[nn.Parameter]:
        """Weights of the parameter network and the closures."""
        return [p for n, p in self.model.named_parameters() if not n.startswith("table.")]

    def configure_optimizers(self) -> OptimizerLRSchedulerConfig:
        """AdamW with a rate for constants and one for networks; both fall by a cosine."""
        how = self.learning
        apart = [] if how.technology_rate is None else self.observation_side()
        constants = list(self.model.table.parameters()) if apart else self.constants()
        groups: list[dict[str, Any]] = [
            {"params": apart, "lr": how.technology_rate, "weight_decay": 0.0},
            {"params": constants, "lr": how.constants_rate, "weight_decay": 0.0}]
        if how.networks_rate > 0.0:
            groups.append({"params": self.networks(), "lr": how.networks_rate,
                           "weight_decay": how.weight_decay})
        optimizer = torch.optim.AdamW([g for g in groups if g["params"]])
        total = max(int(self.trainer.estimated_stepping_batches), 1)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda k: rate_share(k, total, self.schedule))
        return {"optimizer": optimizer,
                "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def log(self, *args: Any, **kwargs: Any) -> None:
        """Log a mean over the epoch and, of several processes, over all of them."""
        super().log(*args, **{"sync_dist": self.trainer.world_size > 1, **kwargs})

    def on_train_epoch_start(self) -> None:
        """Seed dropout by the epoch, so that a resumed run goes on as if never interrupted."""
        torch.manual_seed(self.learning.seed * 1_000_003 + self.current_epoch)

    def training_step(self, block: Block, index: int) -> Tensor:
        """Loss of a block."""
        season = self.rollout(block)
        how = self.learning
        each = self.terms.each(season.yields, season.others, block, self.technology)
        error = self.terms.total(each) if each else 0.0 * season.yields.sum()
        departure = self.departure(season, block)
        loss = error + how.penalty * departure
        with torch.no_grad():
            predicted = self.technology(season.yields, block.year, block.row)
        check_loss(loss, predicted, season, block, self.model.table, self.seasons)
        season.parameters.retain_grad()
        self._block, self._season = block, season
        n = block.n_samples
        self.log("train_loss", error.detach(), on_epoch=True, on_step=False, batch_size=n)
        self.log("departure", departure.detach(), on_epoch=True, on_step=False, batch_size=n)
        if len(self.terms.weights) > 1 or self.terms.learned:
            self.log_dict({f"train_{k}": v.detach() for k, v in each.items()}, on_epoch=True,
                          on_step=False, batch_size=n)
            self.log_dict({f"weight_{k}": v for k, v in self.terms.effective().items()},
                          on_epoch=True, on_step=False, batch_size=n)
        if how.gradient_norms and index == 0:
            self.log_dict(gradient_norms(self, block), on_epoch=True, on_step=False, batch_size=n)
        return loss

    def departure(self, season: Season, block: Block) -> Tensor:
        """Departure of parameters and closures from the physics."""
        of_parameters = losses.parameter_departure(
            self.model, season.parameters, block.management.crop, block.weight)
        return of_parameters + losses.closure_departure(self.model, self.points)

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        """Stop at the first gradient that is not a number."""
        assert self._block is not None
        assert self._season is not None
        check_gradients(self, self._season, self._block, self.model.table, self.seasons)
        self._block = self._season = None

    def validation_step(self, block: Block, index: int) -> None:
        """Collect predictions of a block."""
        season = self.rollout.predict(block)
        predicted = self.technology(season.yields, block.year, block.row).detach()
        counts = block.weight > 0.0
        if season.others is not None:
            self.errors.update(season.others, block)
        self.scores.update(predicted[counts], block.observed[counts])

    def on_validation_epoch_end(self) -> None:
        """Log the scores of the epoch."""
        values = {f"validate_{name}": v for name, v in self.scores.compute().items()}
        values |= {f"validate_{name}_rmse": v for name, v in self.errors.compute().items()}
        self.log_dict(values, prog_bar=True)
        self.scores.reset()


def rate_share(step: int, total: int, schedule: str = "cosine") -> float:
    """Share of the learning rate: a short rise, then a cosine or no change."""
    if step < WARM_UP:
        return (step + 1) / WARM_UP
    if schedule == "constant":
        return 1.0
    done = min(step / total, 1.0)
    return FINAL_RATE + (1.0 - FINAL_RATE) * 0.5 * (1.0 + math.cos(math.pi * done))
