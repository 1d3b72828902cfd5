"""A small world to train in: fixtures that several directories of tests share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neuralcrop.config import TrainConfig, compose
from neuralcrop.data.demo import suitable_cells, write_demo, write_demo_soil
from neuralcrop.data.files import write_atomically

CELLS, YEARS = 6, range(2000, 2005)

QUICK = [
    # a crop of two months, uncompiled
    "crop.parameters.thermal_time_vegetative=300", "crop.parameters.thermal_time_reproductive=400",
    "data.n_days=75", "data.lead_days=5", "compute.compile=false", "compute.threads=1",
    "callbacks.progress=false", "data.train_years=[2001,2002]", "data.validate_years=[2003,2003]",
    "data.test_years=[2004,2004]", "data.holdout_cells=0.3", "loss.technology=linear",
    "trainer.batch_cells=8", "trainer.tuned_epochs=1", "trainer.max_epochs=1",
    "closure.slots=[photosynthesis.vcmax]", "parameters.network.hidden=[4]",
]
"""Overrides of a training run of seconds."""

MakeConfig = Callable[..., TrainConfig]


@pytest.fixture(scope="session")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with synthetic weather, and yields with soil."""
    directory = tmp_path_factory.mktemp("world")
    cells = suitable_cells(CELLS)
    write_demo(directory / "weather.nc", YEARS, cells)
    soil = xr.load_dataset(write_demo_soil(directory / "soil.nc", cells))
    years = np.array(YEARS)[1:]
    level = np.random.default_rng(0).uniform(0.5, 3.0, (CELLS, len(years)))
    soil["maize_yield"] = (("cell", "year"), level, {"units": "t ha-1"})
    write_atomically(soil.assign_coords(year=years), directory / "yields.nc")
    return directory


@pytest.fixture(scope="session")
def make_config(small_world: Path) -> MakeConfig:
    """Configuration of a quick training run in the small world."""
    def make(run_dir: Path, *overrides: str) -> TrainConfig:
        data = [f"data.path={small_world / 'yields.nc'}",
                f"data.weather={small_world / 'weather.nc'}"]
        config = compose("train", [*data, *QUICK, *overrides], run_dir)
        assert isinstance(config, TrainConfig)
        return config

    return make
