"""Sensitivities against backpropagation, and both commands from configuration to report."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from neuralcrop.config import IdentifyConfig, TwinConfig, compose
from neuralcrop.data.seasons import Seasons
from neuralcrop.identifiability import identify, twin
from neuralcrop.identifiability.jacobian import (
    Scale,
    by_differences,
    by_gradient,
    disagreement,
)
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.training.rollout import Rollout
from neuralcrop.training.setup import load_samples, specification
from tests.training_runs import QUICK

NAMES = ["vcmax25", "thermal_time_vegetative", "storage_scale", "stem_share"]
OPTIONS = [o for o in QUICK if not o.startswith(("closure", "loss"))]

Options = Callable[..., list[str]]


@pytest.fixture(scope="module")
def options(small_world: Path) -> Options:
    """Overrides of a run in the small world."""
    data = [f"data.path={small_world / 'yields.nc'}", f"data.weather={small_world / 'weather.nc'}"]
    return lambda *more: [*data, *OPTIONS, *more]


@pytest.fixture(scope="module")
def samples(options: Options) -> tuple[Rollout, Seasons, np.ndarray]:
    """Rollout in double precision, samples, and the rows of a few."""
    config = compose("identify", options())
    assert isinstance(config, IdentifyConfig)
    seasons, parts = load_samples(config)
    model = build_model(specification(config, "physics", ())).eval()
    model.choose_pathways(torch.zeros(1, dtype=torch.long))
    return Rollout(model, kinds=("anthday", "lai_max")), seasons, parts["train"][:4]


@pytest.mark.slow
def test_sensitivities_agree_with_backpropagation_of_every_season(
    samples: tuple[Rollout, Seasons, np.ndarray],
) -> None:
    rollout, seasons, rows = samples
    scale = Scale.of(rollout.model.table, NAMES, 0.25)
    assert scale.names[:3] == tuple(NAMES[:3])
    exact = by_gradient(rollout, seasons, rows, scale)
    assert exact.jacobian.shape == (3, 4, len(scale.names))
    # one season after the other, through the model's own parameters
    for k, row in enumerate(rows[:2]):
        block = seasons.block(np.array([row]), 1)
        p = rollout.model.table(block.management.crop, torch.float64).requires_grad_()
        yields = rollout(block, p).yields
        (g,) = torch.autograd.grad(yields.sum(), p)
        expected = (g[scale.rows, 0] * scale.unit).numpy()
        assert exact.jacobian[0, k] == pytest.approx(expected, rel=1e-9, abs=1e-12)
        assert exact.values[0, k] == pytest.approx(float(yields.detach()), rel=1e-12)
    assert np.abs(exact.jacobian[0]).max() > 0.05
    found = by_differences(rollout, seasons, rows, scale, step=1e-3)
    apart = disagreement(found, exact)[:, : len(NAMES) - 1]
    assert apart[np.isfinite(apart)].max() < 0.02
    assert found.values == pytest.approx(exact.values)


@pytest.mark.slow
def test_the_order_of_parameters_moves_columns(
    samples: tuple[Rollout, Seasons, np.ndarray],
) -> None:
    rollout, seasons, rows = samples
    table = rollout.model.table
    one = by_differences(rollout, seasons, rows[:2], Scale.of(table, NAMES[:3], 0.25), step=0.1)
    other = by_differences(
        rollout, seasons, rows[:2], Scale.of(table, NAMES[2::-1], 0.25), step=0.1, cells=8)
    assert other.jacobian == pytest.approx(one.jacobian[:, :, ::-1], rel=1e-6, abs=1e-9)


def test_parameters_without_room_are_refused() -> None:
    table = build_model(ModelSpec(crops=("maize",))).table
    table.upper[table.rows(["g1"])] = table.lower[table.rows(["g1"])]
    with pytest.raises(ValueError, match="nothing to learn of g1:"):
        Scale.of(table, ["vcmax25", "g1"], 0.25)
    with pytest.raises(ValueError, match="no parameters"):
        Scale.of(table, [], 0.25)


@pytest.mark.slow
def test_identify_reports_every_set_of_observations(options: Options, tmp_path: Path) -> None:
    config = compose("identify", options(
        "identify.parameters=[vcmax25,storage_scale,maximum_root_depth]", "identify.sites=3",
        "identify.observations=[anthday,matyday,lai_max]", "identify.check_seasons=2"), tmp_path)
    assert isinstance(config, IdentifyConfig)
    assert identify.run(config) == tmp_path
    record = json.loads((tmp_path / "identify.json").read_text())
    assert list(record["observations"]) == ["yield", "with dates", "with lai_max", "with all"]
    assert (record["sites"], record["seasons"]) == (3, 6)
    few, more = (record["observations"][k] for k in ("yield", "with all"))
    for scope in ("common", "site"):
        assert few[scope]["eigenvalues"] == sorted(few[scope]["eigenvalues"], reverse=True)
        for name, sd in few[scope]["posterior_sd"].items():
            assert more[scope]["posterior_sd"][name] <= sd + 1e-9
    # shallow crops of two months never reach down there
    assert "maximum_root_depth" in few["common"]["not_held"]
    assert few["common"]["posterior_sd"]["vcmax25"] < 0.9
    assert record["checks"]["gradient"]["yield"]["vcmax25"] < 0.02
    kept = np.load(tmp_path / "sensitivities.npz")
    assert kept["jacobian"].shape == (4, 6, 3)
    page = (tmp_path / "identify.md").read_text()
    assert "## One value for a single site" in page
    assert "| vcmax25 |" in page
    assert (tmp_path / "figure.svg").read_text().count("<svg") == 1


@pytest.mark.slow
def test_twin_knows_what_it_hides(options: Options, tmp_path: Path) -> None:
    config = compose("twin", options(
        "parameters.learn=[vcmax25]", "parameters.network.names=[vcmax25]",
        "loss.weights={yield: 1.0, anthday: 0.1}"), tmp_path)
    assert isinstance(config, TwinConfig)
    made = twin.Twin(config)
    assert set(made.errors) == {"yield", "anthday"}
    seen, rows = made.observed.table, np.concatenate(list(made.parts.values()))
    noise = seen["observed"].to_numpy()[rows] - made.truth["yield"][rows]
    assert 0.4 < noise.std() / made.errors["yield"] < 1.6
    assert not np.array_equal(seen["observed"][rows], made.seasons.table["observed"][rows])
    # outcomes of the hidden values are the truth, those of others are not
    again = made.outcomes(made.theta)
    assert np.array_equal(again["yield"][rows], made.truth["yield"][rows])
    perfect = twin.parameter_scores(made.scale, made.theta, made.theta)
    assert perfect["vcmax25"]["r2"] == 1.0
    mean = made.theta.mean(dim=1, keepdim=True).expand_as(made.theta)
    assert twin.parameter_scores(made.scale, made.theta, mean)["vcmax25"]["r2"] == pytest.approx(0)
    assert np.abs(made.outcomes(mean)["yield"][rows] - made.truth["yield"][rows]).max() > 0.05


def test_twin_needs_something_to_hide_and_sites_apart(options: Options, tmp_path: Path) -> None:
    for changes, message in (
        (("trainer.devices=2",), "one process"),
        (("parameters.learn=[]",), "parameters.learn is empty"),
        (("data.holdout_cells=0.0",), "needs samples of new_sites"),
        (("twin.covariates=[tas_season,rain]",), "twin.covariates has rain; there are tas_annual"),
    ):
        config = compose("twin", options(*changes), tmp_path)
        assert isinstance(config, TwinConfig)
        with pytest.raises(ValueError, match=message):
            twin.Twin(config)


@pytest.mark.slow
def test_the_commands_run(options: Options, tmp_path: Path, repository: Path) -> None:
    few = ["parameters.learn=[storage_scale]", "parameters.network.names=[storage_scale]"]
    for task, more, files in (
        ("twin", few, {"twin.json", "twin.md", "maps.csv", "report.json", "model.safetensors"}),
        ("identify", [*few, "identify.parameters=[]", "identify.observations=[]",
                      "identify.check_seasons=0", "identify.sites=2", "identify.figure=false"],
         {"identify.json", "identify.md", "sensitivities.npz"}),
    ):
        directory = tmp_path / task
        subprocess.run(
            [sys.executable, "-m", "neuralcrop", task, *options(*more),
             f"hydra.run.dir={directory}"],
            check=True, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(repository)})
        assert files <= {path.name for path in directory.iterdir()}
    record = json.loads((tmp_path / "twin" / "twin.json").read_text())
    assert list(record["variants"]) == ["physics", "tuned", "hybrid"]
    assert record["sites"] == {"train": 4, "held_out": 2}
    with (tmp_path / "twin" / "maps.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 6
    assert len({row["hybrid"] for row in rows}) > 1
    assert len({row["tuned"] for row in rows}) == 1
