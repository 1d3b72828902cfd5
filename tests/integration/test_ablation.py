"""Training with closures of every kind and an encoder, and the scores without each part."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

import neuralcrop as nc
from neuralcrop.config import EvaluateConfig, compose
from neuralcrop.data.errors import InputError
from neuralcrop.evaluation import evaluate
from neuralcrop.training import train

pytestmark = pytest.mark.slow

SLOTS = "[photosynthesis.vcmax,transpiration.water_supply,allocation.shares,leaves.senescence]"
OPTIONS = ("{transpiration.water_supply: {kind: monotone, hidden: [3]}, "
           "allocation.shares: {bound: 1.5, features: [temperature, development_stage]}}")
STEPS = 6
ENCODER = f"{{variables: [lai], steps: {STEPS}, size: 2, hidden: 4}}"


def with_series(world: Path, out: Path) -> Path:
    """Yields of the small world with leaf area; one site has none of the training years."""
    data = xr.load_dataset(world / "yields.nc")
    site = next(str(d) for d in data["maize_yield"].dims if d != "year")
    shape = (data.sizes[site], data.sizes["year"], STEPS)
    lai = np.random.default_rng(1).uniform(0.0, 4.0, shape)
    lai[:, :, 2] = np.nan
    lai[0, :2] = np.nan  # 2001 and 2002
    data["lai"] = ((site, "year", "step"), lai, {"units": "1"})
    data.to_netcdf(out)
    return out


@pytest.fixture(scope="module")
def trained(make_config, small_world: Path, tmp_path_factory: pytest.TempPathFactory
            ) -> tuple[Path, Path]:
    """A run, and its yields."""
    directory = tmp_path_factory.mktemp("run")
    yields = with_series(small_world, tmp_path_factory.mktemp("data") / "yields.nc")
    config = make_config(
        directory, f"data.path={yields}", f"closure.slots={SLOTS}",
        f"closure.options={OPTIONS}",
        "closure.without=[leaves.senescence]", f"parameters.encoder={ENCODER}",
        "trainer.learning_rate=0.05", "compare=[physics,hybrid]")
    train.run(config)
    return directory, yields


def test_every_part_learns(trained: tuple[Path, Path]) -> None:
    model = nc.load_model(trained[0])
    assert set(model.neural_parts()) == {
        "photosynthesis.vcmax", "transpiration.water_supply", "allocation.shares", "network",
        "encoder"}
    for slot, closure in model.closures().items():
        if closure.neural:
            last = closure.network[-1]  # type: ignore[index, union-attr]
            assert (last.weight != 0.0).any(), slot
    assert model.network is not None
    crop = torch.zeros(1, dtype=torch.long)
    some = torch.zeros(len(model.covariate_names), 1)
    without = some.clone()
    without[-STEPS:] = float("nan")
    p, q = (model.cell_parameters(crop, torch.float32, c) for c in (some, without))
    assert not torch.equal(p, q)


def test_evaluation_without_parts(trained: tuple[Path, Path], tmp_path: Path) -> None:
    run, yields = trained
    config = compose("evaluate", [
        f"run={run}", f"dataset={yields}", f"output={tmp_path / 'metrics.json'}",
        "compute.compile=false", "compute.threads=1",
        "ablate=[each,closures+network]"])
    assert isinstance(config, EvaluateConfig)
    result = evaluate.run(config)
    found = json.loads((tmp_path / "metrics.json").read_text())["ablations"]
    assert set(found) == {
        "photosynthesis.vcmax", "transpiration.water_supply", "allocation.shares", "network",
        "encoder", "closures+network"}
    assert all(record["n"] == result["n"] for record in found.values())
    differ = {name for name, record in found.items() if record["rmse"] != result["rmse"]}
    assert {"photosynthesis.vcmax", "network", "encoder", "closures+network"} <= differ
    # without all parts it is the model of the tuned constants
    samples = evaluate.Samples.of(run, yields)
    table = samples.model.table
    bare = evaluate.without_parts(samples.model, "closures+network")
    assert not bare.neural
    crop = torch.zeros(1, dtype=torch.long)
    assert torch.equal(bare.cell_parameters(crop, torch.float32), table(crop, torch.float32))
    with pytest.raises(ValueError, match=r"no neural leaves\.senescence"):
        evaluate.ablations(samples, ["leaves.senescence"])


def test_a_dataset_without_series_is_a_place_without_observations(
    trained: tuple[Path, Path], small_world: Path
) -> None:
    samples = evaluate.Samples.of(trained[0], small_world / "yields.nc")
    a, b = samples.predict()["predicted"], samples.predict("encoder")["predicted"]
    np.testing.assert_array_equal(a, b)


def test_a_model_with_an_encoder_simulates_without_series(
    trained: tuple[Path, Path], small_world: Path
) -> None:
    weather = xr.open_dataset(small_world / "weather.nc").isel(cell=[0], time=slice(0, 731))
    seasons = nc.simulate(weather, model=str(trained[0]))
    assert np.isfinite(seasons["yield"].values).any()


def test_the_series_must_be_in_the_file(make_config, small_world: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="variable lai: not in the file"):
        train.run(make_config(tmp_path, f"parameters.encoder={ENCODER}"))
