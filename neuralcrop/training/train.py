"""``neuralcrop train``: variants in turn, their report, and a run directory that says it all."""

from __future__ import annotations

import copy
import logging
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

import neuralcrop
from neuralcrop.config import TrainConfig
from neuralcrop.data.datamodule import YieldsDataModule
from neuralcrop.data.seasons import Seasons
from neuralcrop.data.splits import PARTS
from neuralcrop.evaluation.baselines import climatology_trend
from neuralcrop.evaluation.report import markdown, score_parts, show, to_json
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model, save_model
from neuralcrop.simulation.restart import write_text
from neuralcrop.training import distributed, records
from neuralcrop.training.context import SeasonContext
from neuralcrop.training.ensemble import HIGH, LOW, first_weights, member_name, summary
from neuralcrop.training.finetune import FROZEN, check_choice, source_of, transfer
from neuralcrop.training.module import Learning, YieldModule
from neuralcrop.training.page import more_scores, write_page
from neuralcrop.training.relative import RelativeResponse
from neuralcrop.training.remainder import Remainder
from neuralcrop.training.rollout import Rollout, simulate
from neuralcrop.training.setup import (
    compute_of,
    crop_of,
    load_samples,
    part_of,
    solver_of,
    specification,
    terms_of,
)
from neuralcrop.training.stages import StageRunner
from neuralcrop.training.technology import Technology, brief
from neuralcrop.training.trend import build_technology
from neuralcrop.training.trend_samples import fit_before, training_samples, with_trend

log = logging.getLogger("neuralcrop.training")

HYBRID_CONSTANTS = 0.2
"""Share of the constants' learning rate with which the hybrid goes on from the tuned ones."""

GRADIENT_COST = 4
"""Times that a step with gradients takes of one without."""


@dataclass
class Variant:
    """What a variant learnt and predicts.

    Attributes
    ----------
    predictions : numpy.ndarray
        ``[row]`` t ha-1, NaN where not asked for.
    spec : ModelSpec or None
        Its model; None for one without.
    state : dict or None
        Weights of the whole model at its end.
    technology : Technology or None
        Its trend.
    unripe : int
        Samples whose crop was not ripe at the end of the run.
    low, high : numpy.ndarray or None
        Quantiles of the members of an ensemble, as `predictions`.
    without : dict of str to numpy.ndarray
        The predictions without the levels of sites or the remainder, where the trend has them.
    spread : numpy.ndarray or None
        Standard deviation of an observed yield about its prediction.
    """

    predictions: np.ndarray
    spec: ModelSpec | None = None
    state: dict[str, Tensor] | None = None
    technology: Technology | None = None
    unripe: int = 0
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    without: dict[str, np.ndarray] = field(default_factory=dict)
    spread: np.ndarray | None = None


def run(config: TrainConfig) -> Path:
    """Train and compare the variants of ``config.compare``; returns the run directory.

    Raises
    ------
    InputError, ValueError
        If configuration or data are wrong; nothing is trained.
    TrainingError
        If a number is not finite; names sample and parameter.
    KeyboardInterrupt
        On Ctrl-C; the last checkpoint of each stage is there, for ``trainer.resume``.
    """
    if config.trainer.devices > 1:
        return distributed.launch(config, _run)
    return _run(config)


def _run(config: TrainConfig) -> Path:
    """Run in this process; only the first of several writes."""
    directory, first = Path(config.run_dir), distributed.rank() == 0
    resume = records.run_of(config.trainer.resume)
    if first:
        records.write_start(config, directory)
    began = time.perf_counter()
    session = Session(config, directory, resume)
    variants = session.variants()
    wanted = {"transferred", *config.compare, *map(member_name, config.ensemble.seeds)}
    chosen = {name: variants[name] for name in variants if name in wanted}
    if not first:
        return directory
    session.save(variants)
    report(session, chosen, time.perf_counter() - began)
    return directory


class Runner(Protocol):
    """Trains a stage."""

    def fit(
        self, name: str, module: YieldModule, epochs: int, frozen: tuple[str, ...] = ()
    ) -> None:
        """Train the module and leave it with the weights that are kept."""
        ...


class Session:
    """Samples, the whole model, and the stages that train it.

    All variants are states of one model, the hybrid: with its networks at zero it is the tuned
    physics, to the last bit. So one compiled day serves them all.

    Parameters
    ----------
    config : TrainConfig
        The configuration.
    directory : Path
        Run directory.
    resume : Path, optional
        Run directory to go on from.
    samples : tuple, optional
        Samples and rows of each part, in place of those of the configuration.
    """

    def __init__(
        self, config: TrainConfig, directory: Path, resume: Path | None = None,
        samples: tuple[Seasons, dict[str, np.ndarray]] | None = None,
    ) -> None:
        self.config, self.directory = config, directory
        self.compute = compute_of(config)
        if self.compute.threads:
            torch.set_num_threads(self.compute.threads)
        specification(config, "hybrid", ())  # wrong names are found before the data are read
        check_choice(config)
        self.seasons, self.parts = samples or load_samples(config)
        for name, rows in self.parts.items():
            log.info("%s: %d site-years (%s)", name, len(rows), PARTS[name])
        self.context = (
            SeasonContext.of(self.seasons) if config.loss.yields == "relative" else None)
        self.device = distributed.own_device(
            self.compute.torch_device(), config.trainer.devices)
        self.begin(self.parts)
        self.rollout = self._rollout()
        self.at_bounds: list[str] = []
        self.left_out = True
        self._remainder: Remainder | None = None
        self._catalogue: tuple[np.ndarray, int] | None = None
        self.runner: Runner = StageRunner(
            directory, self.data, config.callbacks, config.logger,
            config.trainer, self.device, resume)

    def begin(self, parts: dict[str, np.ndarray]) -> None:
        """Samples in blocks, terms of the loss and the trend, for these parts of the samples."""
        config = self.config
        self.parts = parts
        self.data = YieldsDataModule(
            self.seasons, parts, config.trainer.batch_cells, config.seed,
            config.trainer.limit_batches, config.loss.whole_sites)
        self.terms = terms_of(config, self.seasons, parts)
        self.technology = build_technology(
            config.loss, config.data.train_years, self.seasons.table, parts["train"],
            self.context)
        fit_before(self.technology, self.seasons, parts["train"], self.terms)

    def scale_covariates(self, model: CropModel) -> None:
        """Standardise covariates as the training sites ask for."""
        if model.network is not None:
            known = self.data.standardiser()
            model.covariate_mean.copy_(known.mean)
            model.covariate_scale.copy_(known.scale)

    def _rollout(self) -> Rollout:
        config = self.config
        torch.manual_seed(config.seed)
        model = build_model(specification(config, "hybrid", self.seasons.covariates.names))
        self.scale_covariates(model)
        model.choose_pathways(torch.zeros(1, dtype=torch.long))
        epochs = config.trainer.max_epochs + config.trainer.tuned_epochs
        work = GRADIENT_COST * epochs * len(self.data.train_rows)
        size = self.data.batch_cells
        compiled = replace(self.compute, block_cells=size).compiles(
            work, self.seasons.n_days)
        return Rollout(model.to(self.device), solver_of(config), compiled, one_graph=True,
                       kinds=self.terms.kinds)

    def variants(self) -> dict[str, Variant]:
        """Train what needs training, each from the one before."""
        wanted = set(self.config.compare)
        out: dict[str, Variant] = {}
        if "climatology_trend" in wanted:
            out["climatology_trend"] = self._climatology()
        if wanted - {"climatology_trend"}:
            out["physics"] = self.physics()
        if wanted & {"tuned", "hybrid"}:
            out["tuned"] = self.tuned()
        if "hybrid" in wanted:
            out |= self._hybrids()
        return out

    def _hybrids(self) -> dict[str, Variant]:
        """One hybrid, or an ensemble of them with its mean as ``hybrid``."""
        init, seeds = self.config.trainer.init_from, self.config.ensemble.seeds
        model, seed = self.rollout.model, self.config.seed
        before = {k: v.detach().clone() for k, v in model.state_dict().items()}
        trend = copy.deepcopy(self.technology.state_dict())
        out: dict[str, Variant] = {}
        for k in seeds or [seed]:
            model.load_state_dict({**before, **(first_weights(model, k) if seeds else {})})
            self.technology.load_state_dict(trend)
            if init is not None:
                transfer(model, source_of(init, k))
                out.setdefault("transferred", self._finished("transferred"))
            self.data.seed = k
            out[member_name(k) if seeds else "hybrid"] = self.hybrid(
                member_name(k) if seeds else "hybrid", k)
        if seeds:
            members = [out[member_name(k)] for k in seeds]
            found = summary([m.predictions for m in members], [m.spread for m in members])
            out["hybrid"] = Variant(
                found["mean"], unripe=max(m.unripe for m in members), low=found["low"],
                high=found["high"], spread=found.get("spread"))
        return out

    def _climatology(self) -> Variant:
        table = self.seasons.table
        train = table.iloc[self.parts["train"]]
        predictions = np.full(len(table), np.nan)
        rows = np.concatenate(list(self.parts.values()))
        predictions[rows] = climatology_trend(train, table.iloc[rows])
        return Variant(predictions)

    def physics(self) -> Variant:
        """The catalogue's parameters; only the technology trend is fitted, as for the others."""
        found = self._simulate() if self._catalogue is None else self._catalogue
        self.technology.fit(*training_samples(
            found[0], self.seasons, self.parts["train"], self.terms))
        return self._finished("physics", found)

    def keep_catalogue(self) -> None:
        """Simulate all samples with the untrained model, once for all parts that follow."""
        if self._catalogue is None:
            self._catalogue = self._simulate(np.arange(len(self.seasons)))

    def tuned(self) -> Variant:
        """Constants tuned everywhere alike, from the physics on."""
        how = self.config.trainer
        module = self._module(Learning(how.constants_learning_rate))
        if module.constants():
            self.runner.fit("tuned", module, how.tuned_epochs)
        return self._finished("tuned")

    def hybrid(self, name: str, seed: int) -> Variant:
        """Networks and closures, from the tuned constants on."""
        how = self.config.trainer
        module = self._module(Learning(
            HYBRID_CONSTANTS * how.constants_learning_rate, how.learning_rate, how.weight_decay))
        module.learning = replace(module.learning, seed=seed)
        if module.networks():
            self.runner.fit(name, module, how.max_epochs, FROZEN[how.train])
        else:
            log.warning("the hybrid has no network: parameters.network.names and closure.slots are "
                        "empty, so it is the tuned physics")
        return self._finished(name)

    def _module(self, learning: Learning) -> YieldModule:
        loss = self.config.loss
        rate = loss.technology_learning_rate
        if rate is not None and learning.networks_rate > 0.0:
            rate *= HYBRID_CONSTANTS
        learning = replace(
            learning, penalty=loss.penalty, seed=self.config.seed, technology_rate=rate,
            gradient_norms=loss.log_gradient_norms)
        return YieldModule(self.rollout, self.technology, learning, self.terms, self.seasons)

    def _finished(self, name: str, found: tuple[np.ndarray, int] | None = None) -> Variant:
        """Predictions and weights of the whole model as it is now; it may be simulated already."""
        model = self.rollout.model.to(self.device)
        simulated, unripe = self._simulate() if found is None else found
        samples = training_samples(simulated, self.seasons, self.parts["train"], self.terms)
        self.technology.assess(*samples)
        technology = copy.deepcopy(self.technology.cpu())
        if isinstance(technology, RelativeResponse) and self._takes_remainder(name):
            technology.fit_remainder(*samples[:4], like=self._remainder)
            self._remainder = technology.remainder
            technology.expect_remainder(np.concatenate([
                rows for part, rows in self.parts.items() if part != "train" or self.left_out]))
        predicted = with_trend(technology, simulated, self.seasons)
        self.technology.to(self.device)
        if unripe:
            log.warning("%s: %d of %d crops were not ripe at the end of the run; what stood in the "
                        "field counts", name, unripe, len(self.seasons))
        spec = specification(self.config, name, self.seasons.covariates.names)
        state = {k: v.detach().cpu().clone() for k, v in model.state_dict().items()}
        variant = Variant(predicted.yields, spec, state, technology, unripe,
                          without=predicted.without, spread=predicted.spread)
        if predicted.spread is not None:
            both = summary([predicted.yields], [predicted.spread])
            variant.low, variant.high = both["low"], both["high"]
        return variant

    def _takes_remainder(self, name: str) -> bool:
        """Whether a variant has the remainder: a neural one, if the configuration has it."""
        return self.config.loss.remainder != "none" and name not in ("physics", "tuned")

    def _simulate(self, rows: np.ndarray | None = None) -> tuple[np.ndarray, int]:
        """Simulated yields of all samples of all parts, and how many crops were not harvested."""
        self.rollout.model.eval()
        rows = np.concatenate(list(self.parts.values())) if rows is None else rows
        found = simulate(self.rollout, self.seasons, rows, self.data.batch_cells, self.device)
        self.rollout.model.train()
        return found

    def save(self, variants: dict[str, Variant]) -> None:
        """Models of all variants; the last of them is that of the run."""
        last = None
        for name, variant in variants.items():
            if variant.spec is None or variant.state is None or variant.technology is None:
                continue
            last = name
            model = part_of(variant.spec, variant.state)
            extra: dict[str, Any] = {
                "neuralcrop": neuralcrop.__version__, "variant": name,
                "crop": crop_of(self.config), "technology": variant.technology.describe(),
                "data": records.data_record(self.config, self.data.batch_cells)}
            save_model(model, self.directory / "variants" / name, **extra)
        if last is None:
            return
        spec, state = variants[last].spec, variants[last].state
        assert spec is not None
        assert state is not None
        model = part_of(spec, state)
        members = [member_name(k) for k in self.config.ensemble.seeds]
        if members and members[-1] == last:
            extra["ensemble"] = members
        save_model(model, self.directory, **{**extra, "variant": last})
        self.at_bounds = records.write_parameters(
            model, variants, self.seasons, self.parts["train"], self.directory / "parameters.csv")


def report(session: Session, variants: dict[str, Variant], seconds: float) -> None:
    """Write and print the closing report."""
    predictions = {name: v.predictions for name, v in variants.items()}
    predictions |= {f"{name}_without_{part}": values for name, v in variants.items()
                    for part, values in v.without.items()}
    result = score_parts(session.seasons.table, session.parts, predictions)
    config = session.config
    notes = records.notes(config, variants, seconds)
    notes += records.ensemble_notes(session.seasons, session.parts, variants)
    notes += session.at_bounds
    record = {
        "crop": crop_of(config), "parts": result, "meaning": PARTS, "units": "t ha-1 dry matter",
        "variants": {name: {
            "technology": None if v.technology is None else brief(v.technology.describe()),
            "unripe": v.unripe} for name, v in variants.items()},
        "notes": notes, "seconds": round(seconds, 1), **more_scores(session, predictions)}
    quantiles = {f"{name}_q{share:02.0%}".rstrip("%"): values for name, v in variants.items()
                 for share, values in ((LOW, v.low), (HIGH, v.high)) if values is not None}
    records.write_predictions(session.seasons, session.parts, {**predictions, **quantiles},
                              session.directory / "predictions.csv")
    write_text(session.directory / "report.json", to_json(record))
    title = f"Training report: {crop_of(config)}"
    write_text(session.directory / "report.md", markdown(title, result, PARTS, notes))
    write_page(session, variants, predictions, record)
    show(result, PARTS)
    log.info("report, model and predictions are in %s (%.0f s)", session.directory, seconds)
