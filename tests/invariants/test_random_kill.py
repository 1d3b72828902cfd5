"""Training that is killed again and again ends with the weights of training that is not."""

from __future__ import annotations

import math
import multiprocessing
import random
import time
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from neuralcrop.config import TrainConfig
from neuralcrop.training import train
from tests.training_runs import MakeConfig

KILLS = 10

OPTIONS = ["trainer.tuned_epochs=2", "trainer.max_epochs=4", "data.n_days=50",
           "trainer.ema=0.8", "callbacks.patience=2", "compare=[hybrid]",
           "logger.tensorboard=false"]


def _train(config: TrainConfig) -> None:
    torch.set_num_threads(1)
    train.run(config)


def attempt(config: TrainConfig, seconds: float | None) -> bool:
    """Run in a process of its own, killed after some time; whether it was."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["neuralcrop.training.train"])
    process = context.Process(target=_train, args=(config,))
    process.start()
    process.join(seconds)
    killed = process.is_alive()
    process.kill()  # SIGKILL
    process.join()
    assert killed or process.exitcode == 0
    return killed


@pytest.mark.slow
def test_killed_at_random_times(make_config: MakeConfig, tmp_path: Path) -> None:
    def config(directory: Path) -> TrainConfig:
        more = [f"trainer.resume={directory}"] if (directory / "checkpoints").is_dir() else []
        return make_config(directory, *OPTIONS, *more)

    whole = tmp_path / "whole"
    length = math.inf
    assert not attempt(config(whole), None)
    draw, kills, runs = random.Random(0), 0, [tmp_path / "killed_0"]
    while kills < KILLS:
        # the first is timed: the one before it started the server of processes, too
        share, began = draw.uniform(0.1, 0.8), time.monotonic()
        if attempt(config(runs[-1]), None if length == math.inf else share * length):
            kills += 1
        else:
            # other work on the machine makes this change
            length = min(length, time.monotonic() - began)
            runs.append(tmp_path / f"killed_{len(runs)}")
    attempt(config(runs[-1]), None)
    expected = load_file(whole / "model.safetensors")
    scores = pd.read_csv(whole / "metrics.csv").drop(columns="seconds")
    for run in runs:
        found = load_file(run / "model.safetensors")
        assert found.keys() == expected.keys()
        for name, value in expected.items():
            assert torch.equal(found[name], value), (run.name, name)
        own = pd.read_csv(run / "metrics.csv").drop(columns="seconds")
        pd.testing.assert_frame_equal(own, scores, check_exact=True)
        assert (run / "predictions.csv").read_text() == (whole / "predictions.csv").read_text()
