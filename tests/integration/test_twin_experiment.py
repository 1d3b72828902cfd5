"""The twin experiment itself: a known parameter is found again where the information says so."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neuralcrop.config import TwinConfig, compose
from neuralcrop.data.demo import suitable_cells, write_demo, write_demo_soil
from neuralcrop.data.files import write_atomically
from neuralcrop.identifiability import twin
from tests.training_runs import QUICK

CELLS, YEARS = 40, range(2000, 2004)

OVERRIDES = [
    *(o for o in QUICK if not o.startswith(("closure", "loss", "data.", "trainer", "parameters"))),
    "data.n_days=75", "data.lead_days=5", "data.train_years=[2001,2002]",
    "data.validate_years=[2003,2003]", "data.test_years=null", "logger.tensorboard=false",
    "parameters.learn=[vcmax25]", "parameters.network.names=[vcmax25]",
    "parameters.network.covariates=[tas_season,pr_season,rsds_season,clay]",
    "parameters.network.hidden=[16]", "trainer.batch_cells=96", "trainer.tuned_epochs=3",
    "trainer.max_epochs=18", "trainer.learning_rate=0.03", "trainer.constants_learning_rate=0.15",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Directory with weather, and a yields file whose yields say nothing."""
    directory = tmp_path_factory.mktemp("twin")
    cells = suitable_cells(CELLS)
    write_demo(directory / "weather.nc", YEARS, cells)
    soil = xr.load_dataset(write_demo_soil(directory / "soil.nc", cells))
    soil["maize_yield"] = (("cell", "year"), np.ones((CELLS, 3)), {"units": "t ha-1"})
    write_atomically(soil.assign_coords(year=np.array(YEARS)[1:]), directory / "yields.nc")
    return directory


@pytest.mark.slow
def test_a_hidden_parameter_is_found_at_sites_kept_apart(world: Path, tmp_path: Path) -> None:
    config = compose("twin", [
        *OVERRIDES, f"data.path={world / 'yields.nc'}", f"data.weather={world / 'weather.nc'}",
    ], tmp_path)
    assert isinstance(config, TwinConfig)
    assert config.twin.signal_to_noise == 10.0
    twin.run(config)
    record = json.loads((tmp_path / "twin.json").read_text())
    assert record["sites"] == {"train": 30, "held_out": 10}
    assert record["verdict"]["held"] == ["vcmax25"]
    scores = {v: found["parameters"]["held_out"]["vcmax25"]["r2"]
              for v, found in record["variants"].items()}
    assert scores["hybrid"] >= 0.8
    assert max(scores["physics"], scores["tuned"]) < 0.2  # constants have no pattern
    assert record["verdict"]["passed"]
    outcomes = {v: found["outcomes"]["held_out"] for v, found in record["variants"].items()}
    for kind in ("yield", "transp", "lai_max", "biom"):  # the last three were not observed
        assert outcomes["hybrid"][kind]["rmse"] < 0.7 * outcomes["tuned"][kind]["rmse"]
