"""The configuration of each task of the command line."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import NonNegativeInt, PositiveInt

from neuralcrop.config.sections import (
    CallbacksConfig,
    ClosureConfig,
    ComputeConfig,
    CropConfig,
    DataConfig,
    DomainConfig,
    ForcingConfig,
    GlobalModelConfig,
    LoggerConfig,
    LossConfig,
    ManagementConfig,
    ModelConfig,
    OutputConfig,
    ParametersConfig,
    ProjectOutputConfig,
    ScenarioConfig,
    Section,
    SoilConfig,
    SolverConfig,
    TrainerConfig,
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
    callbacks: CallbacksConfig
    logger: LoggerConfig
    compare: list[Literal["climatology_trend", "physics", "tuned", "hybrid"]]
    """What the closing report compares."""


class EvaluateConfig(Task):
    """``neuralcrop evaluate``."""

    run: str
    """Directory of the training run."""
    dataset: str
    """File of the yields schema."""
    weather: str | list[str] | None
    """Weather of the dataset's places; null: in the dataset, or else that of the run."""
    years: Years | None
    """Years to score; null for all."""
    output: str
    """JSON file to write."""
    predictions: str | None
    """NetCDF file of observed and predicted yields to write; null for none."""


class BenchConfig(Task):
    """``neuralcrop bench``."""

    model: GlobalModelConfig
    closure: ClosureConfig
    crop: CropConfig
    solver: SolverConfig
    cells: PositiveInt
    """Cells."""
    days: PositiveInt
    """Days."""
    repeats: PositiveInt
    """Timed repeats; the median counts."""
    gradient: bool
    """Whether to time the backward pass, too."""
    globe: bool
    """Whether to run a year of the half-degree globe for its time and memory."""
    output: str
    """JSON file to write."""


SCHEMAS: dict[str, type[Task]] = {
    "simulate": SimulateConfig,
    "train": TrainConfig,
    "evaluate": EvaluateConfig,
    "project": ProjectConfig,
    "bench": BenchConfig,
}
"""Schema of each task."""
