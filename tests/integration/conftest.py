"""Fixtures of training runs."""

from tests.training_runs import make_config, small_world

__all__ = ["make_config", "small_world"]
