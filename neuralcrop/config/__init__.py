"""Configuration of the tasks: Hydra composes ``conf/``, these schemas check what comes of it."""

from neuralcrop.config.tasks import (
    SCHEMAS,
    BenchConfig,
    EvaluateConfig,
    IdentifyConfig,
    ProjectConfig,
    SimulateConfig,
    Task,
    TrainConfig,
    TwinConfig,
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
    "IdentifyConfig",
    "ProjectConfig",
    "SimulateConfig",
    "Task",
    "TrainConfig",
    "TwinConfig",
    "admit_free_keys",
    "compose",
    "conf_dir",
    "suggest",
    "validate",
]
