"""Configuration of the tasks: Hydra composes ``conf/``, these schemas check what comes of it."""

from neuralcrop.config.tasks import (
    SCHEMAS,
    BenchConfig,
    EvaluateConfig,
    ProjectConfig,
    SimulateConfig,
    Task,
    TrainConfig,
)
from neuralcrop.config.validation import (
    ConfigError,
    admit_free_keys,
    compose,
    conf_dir,
    suggest,
    validate,
)

__all__ = [
    "SCHEMAS",
    "BenchConfig",
    "ConfigError",
    "EvaluateConfig",
    "ProjectConfig",
    "SimulateConfig",
    "Task",
    "TrainConfig",
    "admit_free_keys",
    "compose",
    "conf_dir",
    "suggest",
    "validate",
]
