"""The configuration of each task of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt, model_validator

from neuralcrop.config.learning import (
    CallbacksConfig,
    ClosureConfig,
    DataConfig,
    EnsembleConfig,
    IdentifySection,
    LoggerConfig,
    LossConfig,
    ParametersConfig,
    TrainerConfig,
    TwinSection,
)
from neuralcrop.config.management import ManagementConfig
from neuralcrop.config.sections import (
    ComputeConfig,
    CropConfig,
    DomainConfig,
    FieldExperimentsConfig,
    ForcingConfig,
    GlobalModelConfig,
    ModelConfig,
    OutputConfig,
    ProjectOutputConfig,
    ScenarioConfig,
    Section,
    SoilConfig,
    SolverConfig,
    Years,
)


class Task(Section):
    """What every task knows."""

    run_dir: Path
    """Directory of this run (``hydra.run.dir=DIR``)."""
    compute: ComputeConfig


class _Simulation(Task):
    run: str | None
    """Directory of a training run whose model to use; null for the physics alone."""
    model: ModelConfig
    crop: CropConfig
    forcing: ForcingConfig
    soil: SoilConfig
    management: ManagementConfig
    domain: DomainConfig
    solver: SolverConfig
    spin_up: NonNegativeInt
    """First years of the forcing that bring the soil's organic matter into balance; 0: none."""


class SimulateConfig(_Simulation):
    """``neuralcrop simulate``."""

    output: OutputConfig


class ProjectConfig(_Simulation):
    """``neuralcrop project``."""

    scenario: ScenarioConfig
    output: ProjectOutputConfig


class TrainConfig(Task):
    """``neuralcrop train``."""

    seed: NonNegativeInt
    """Seed of everything random."""
    model: GlobalModelConfig
    closure: ClosureConfig
    parameters: ParametersConfig
    crop: CropConfig
    data: DataConfig
    management: ManagementConfig
    solver: SolverConfig
    loss: LossConfig
    trainer: TrainerConfig
    ensemble: EnsembleConfig
    callbacks: CallbacksConfig
    logger: LoggerConfig
    compare: list[Literal["climatology_trend", "physics", "tuned", "hybrid"]]
    """What the closing report compares."""

    @model_validator(mode="after")
    def _sites_stay_whole(self) -> TrainConfig:
        if self.trainer.devices > 1 and self.loss.whole_sites:
            raise ValueError(
                f"trainer.devices={self.trainer.devices} shares the cells of a batch between "
                f"processes, but loss.kind={self.loss.kind} with loss.yields={self.loss.yields} "
                "needs all years of a site in one; take trainer.devices=1")
        return self


class TwinConfig(TrainConfig):
    """``neuralcrop twin``: training on yields of known parameters."""

    twin: TwinSection


class IdentifyConfig(TrainConfig):
    """``neuralcrop identify``: what observations tell of parameters."""

    identify: IdentifySection


class EvaluateConfig(Task):
    """``neuralcrop evaluate``."""

    run: str | None
    """Directory of the training run; null where field experiments are run."""
    dataset: str | None
    """File of the yields schema; null where field experiments are run."""
    weather: str | list[str] | None
    """Weather of the dataset's places; null: in the dataset, or else that of the run."""
    years: Years | None
    """Years to score; null for all."""
    output: str
    """JSON file to write."""
    predictions: str | None
    """NetCDF file of observed and predicted yields to write; null for none."""
    ablate: list[str]
    """Neural parts to score the model without: closure slots, ``closures``, ``network``,
    ``encoder``, several joined by ``+``, or ``each``."""
    field_experiments: FieldExperimentsConfig | None = None
    """Field experiments to run instead of scoring a training run on a dataset."""

    @model_validator(mode="after")
    def _something_to_score(self) -> EvaluateConfig:
        if self.field_experiments is None and None in (self.run, self.dataset):
            raise ValueError("give run=DIR and dataset=FILE, or experiment=field_experiments")
        return self


class BenchConfig(Task):
    """``neuralcrop bench``."""

    suite: Literal["global", "wofost"]
    """The global model as it is configured, or WOFOST 7.2 beside its other implementations."""
    model: GlobalModelConfig
    closure: ClosureConfig
    crop: CropConfig
    solver: SolverConfig
    cells: PositiveInt | None
    """Cells; null for 16384, or 10000 in the suite ``wofost``."""
    days: PositiveInt
    """Days of the suite ``global``."""
    repeats: PositiveInt | None
    """Timed repeats; the median counts. Null for 3, or 5 in the suite ``wofost``."""
    gradient: bool
    """Whether the suite ``global`` times the backward pass, too."""
    globe: bool
    """Whether the suite ``global`` runs a year of the half-degree globe for time and memory."""
    gradient_cells: PositiveInt
    """Cells of the backward pass in the suite ``wofost``."""
    others: bool
    """Whether the suite ``wofost`` measures PCSE and diffWOFOST, where they are installed."""
    page: str | None
    """Markdown page in which the suite ``wofost`` renews its table; null for none."""
    output: str
    """JSON file to write."""

    @model_validator(mode="after")
    def _page_belongs_to_wofost(self) -> BenchConfig:
        if self.page is not None and self.suite != "wofost":
            raise ValueError("page is written by suite=wofost only")
        return self


SCHEMAS: dict[str, type[Task]] = {
    "simulate": SimulateConfig,
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "twin": TwinConfig,
    "identify": IdentifyConfig,
    "project": ProjectConfig,
    "bench": BenchConfig,
}
"""Schema of each task."""
