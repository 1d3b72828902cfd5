"""Two processes that share each batch learn what one learns."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from neuralcrop.training import train
from tests.training_runs import QUICK, MakeConfig

pytestmark = pytest.mark.slow

SAME = ["compare=[hybrid]", "callbacks.keep=last", "trainer.batch_cells=3", "data.n_days=50",
        "parameters.network.dropout=0.0", "callbacks.patience=null"]
"""Blocks of 3, 3 and 2 samples: two processes have unequal shares of them."""


def test_two_processes_are_as_one(
    make_config: MakeConfig, small_world: Path, tmp_path: Path
) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    command = [
        sys.executable, "-m", "neuralcrop", "train", *QUICK, *SAME, "trainer.devices=2",
        "trainer.strategy=ddp", "compute.device=cpu", f"data.path={small_world / 'yields.nc'}",
        f"data.weather={small_world / 'weather.nc'}", f"hydra.run.dir={two}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=900,
                          env={**os.environ, "OMP_NUM_THREADS": "1"}, check=False)
    assert done.returncode == 0, done.stderr
    train.run(make_config(one, *SAME))
    a, b = (load_file(d / "model.safetensors") for d in (one, two))
    assert a.keys() == b.keys()
    for name, value in a.items():
        torch.testing.assert_close(b[name], value, rtol=1e-3, atol=1e-4, msg=name)
    left, right = (pd.read_csv(d / "predictions.csv") for d in (one, two))
    pd.testing.assert_frame_equal(left, right, rtol=1e-4)
    scores = [pd.read_csv(d / "metrics.csv")["validate_rmse"] for d in (one, two)]
    pd.testing.assert_series_equal(*scores, rtol=1e-4)
    assert not list(two.rglob("*.part"))
    reports = done.stdout.count("held-out sites, training years")
    assert reports == 1  # only the first process says anything


def test_an_error_in_the_data_is_said_once(small_world: Path, tmp_path: Path) -> None:
    command = [
        sys.executable, "-m", "neuralcrop", "train", *QUICK, *SAME, "trainer.devices=2",
        f"data.path={small_world / 'yields.nc'}", f"data.weather={small_world / 'weather.nc'}",
        "data.train_years=[1901,1902]", f"hydra.run.dir={tmp_path / 'run'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 1
    assert done.stderr.count("neuralcrop: error") == 1
    assert "no yields in 1901-1902" in done.stderr
    assert "Traceback" not in done.stderr
