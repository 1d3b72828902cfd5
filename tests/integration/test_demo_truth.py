"""Yields of the demonstration, made by the hidden truth."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import xarray as xr

from neuralcrop.training.demo import make_demo_yields


def test_the_hidden_truth_makes_yields(small_world: Path, tmp_path: Path) -> None:
    for name in ("weather.nc", "soil.nc"):
        shutil.copy(small_world / name, tmp_path / name)
    path = make_demo_yields(tmp_path)
    with xr.open_dataset(path) as file:
        values = file["maize_yield"].values
    known = values[np.isfinite(values)]
    assert len(known) >= 10
    assert (known >= 0.0).all()
    assert known.std() > 0.1  # places and years differ
    before = path.read_bytes()
    assert make_demo_yields(tmp_path).read_bytes() == before  # a file that is there is kept
