"""The command line: help, errors in one message, exit statuses, where a run goes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

import neuralcrop
from neuralcrop import cli
from neuralcrop.config import Task, TrainConfig

Result = subprocess.CompletedProcess[str]


@pytest.fixture
def neuralcrop_in(tmp_path: Path, repository: Path) -> Callable[..., Result]:
    """Run the command as a user does, in an empty directory."""
    def run(*arguments: str, **environment: str) -> Result:
        return subprocess.run(
            [sys.executable, "-m", "neuralcrop", *arguments], cwd=tmp_path, text=True,
            capture_output=True, check=False,
            env={**os.environ, "PYTHONPATH": str(repository), **environment})
    return run


@pytest.fixture
def tasks_record(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[Task]:
    """Put a recorder in place of the functions that tasks call."""
    seen: list[Task] = []
    monkeypatch.setattr(cli, "_function", lambda home: seen.append)
    monkeypatch.setattr(sys, "argv", ["neuralcrop"])
    monkeypatch.setenv("HYDRA_FULL_ERROR", "1")
    monkeypatch.chdir(tmp_path)
    return seen


def raising(error: BaseException) -> Callable[[str], Callable[[Task], None]]:
    def run(config: Task) -> None:
        raise error
    return lambda home: run


def test_help_is_quick_and_lists_the_commands(neuralcrop_in: Callable[..., Result]) -> None:
    times = []
    for _ in range(3):
        start = time.perf_counter()
        result = neuralcrop_in("--help")
        times.append(time.perf_counter() - start)
    assert result.returncode == 0
    for command in (*cli.TASKS, "data", "info"):
        assert f"\n    {command} " in result.stdout
    assert min(times) < 1.0


def test_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == neuralcrop.__version__


def test_no_command_shows_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main([]) == 0
    assert "usage: neuralcrop" in capsys.readouterr().out


@pytest.mark.parametrize(("arguments", "message"), [
    (["trian"], "unknown command 'trian'; did you mean 'train'? (neuralcrop --help)"),
    (["info", "crop"], "unknown command 'crop'; did you mean 'crops'? (neuralcrop info --help)"),
    (["data", "check"], "the following arguments are required: FILE"),
    (["train", "crp=maize"], "unknown key 'crp'; did you mean 'crop'?"),
    (["train", "trainer.max_epoch=1"], "did you mean 'trainer.max_epochs'?"),
    (["train", "crop=maiz"], "did you mean 'maize'?"),
    (["simulate", "forcing=my/weather.nc"], "forcing.path=my/weather.nc"),
    (["train", "seed=-1"], "seed: should be greater than or equal to 0, got -1"),
    (["train", "seed"], "Error parsing override 'seed'"),
    (["evaluate"], "run: needed; give run=VALUE"),
])
def test_user_errors_are_one_message(
    arguments: list[str], message: str, tasks_record: list[Task],
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert cli.main(arguments) == 1
    error = capsys.readouterr().err
    assert error.startswith("neuralcrop: error: ")
    assert error.count("error:") == 1
    assert message in error
    assert "Traceback" not in error
    assert tasks_record == []


def test_a_wrong_option_of_hydra(
    tasks_record: list[Task], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(["train", "seed=1", "--cfg", "jobs"]) == 1
    assert "invalid choice: 'jobs'" in capsys.readouterr().err


def test_a_wrong_key_leaves_nothing_behind(tasks_record: list[Task], tmp_path: Path) -> None:
    assert cli.main(["train", "trainer.max_epoch=1"]) == 1
    assert cli.main(["evaluate", "run=a"]) == 1
    assert list(tmp_path.iterdir()) == []


def test_the_run_directory(tasks_record: list[Task], tmp_path: Path) -> None:
    assert cli.main(
        ["train", "experiment=demo", "hydra.run.dir=runs/a", "seed=3", "crop=rice"]) == 0
    (config,) = tasks_record
    assert isinstance(config, TrainConfig)
    assert config.run_dir == tmp_path / "runs/a"
    assert config.run_dir.is_dir()
    assert (config.seed, config.crop.name) == (3, "rice")


def test_tasks_that_write_one_file_make_no_directory(
    tasks_record: list[Task], tmp_path: Path
) -> None:
    assert cli.main(["evaluate", "run=a", "dataset=b.nc", "output=m.json"]) == 0
    assert cli.main(["bench", "cells=10"]) == 0
    assert len(tasks_record) == 2
    assert list(tmp_path.iterdir()) == []


def test_multirun(tasks_record: list[Task], tmp_path: Path) -> None:
    assert cli.main([
        "train", "experiment=demo", "--multirun", "seed=1,2", "hydra.sweep.dir=sweep"]) == 0
    assert [(c.run_dir.name, getattr(c, "seed", None)) for c in tasks_record] == [
        ("0", 1), ("1", 2)]


@pytest.mark.parametrize("task", cli.TASKS)
def test_task_help_and_configuration(
    task: str, tasks_record: list[Task], capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main([task, "-h"]) == 0
    shown = capsys.readouterr().out
    assert f"usage: neuralcrop {task}" in shown
    assert "solver: dopri5, euler, midpoint, rk4" in shown
    assert cli.main([task, "--cfg", "job"]) == 0
    assert "block_cells:" in capsys.readouterr().out
    assert tasks_record == []


@pytest.mark.parametrize(("error", "status", "message", "traceback"), [
    (ValueError("no yield in file"), 1, "error: no yield in file", False),
    (OSError(28, "No space left on device", "a.nc"), 1, "a.nc: the disk is full", False),
    (PermissionError(13, "Permission denied", "a.nc"), 1, "choose another place", False),
    (FileNotFoundError(2, "No such file or directory", "a.nc"), 1, "a.nc: No such file", False),
    (RuntimeError("NetCDF: HDF error"), 1, "the output cannot be written", False),
    (RuntimeError("shapes differ"), 1, "RuntimeError", True),
    (KeyError("yield"), 1, "KeyError('yield')", True),
    (KeyboardInterrupt(), 130, "neuralcrop: interrupted", False),
])
def test_exit_statuses(
    error: BaseException, status: int, message: str, traceback: bool, tasks_record: list[Task],
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(cli, "_function", raising(error))
    assert cli.main(["bench"]) == status
    shown = capsys.readouterr().err
    assert message in shown
    assert ("Traceback" in shown) == traceback


def test_the_traceback_can_be_asked_for(
    tasks_record: list[Task], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_function", raising(ValueError("no yield in file")))
    monkeypatch.setenv("NEURALCROP_TRACEBACK", "1")
    assert cli.main(["bench"]) == 1
    assert "Traceback" in capsys.readouterr().err


def test_interrupts_that_lightning_turns_into_an_exit(
    tasks_record: list[Task], monkeypatch: pytest.MonkeyPatch
) -> None:
    end = SystemExit(1)
    end.__context__ = KeyboardInterrupt()
    monkeypatch.setattr(cli, "_function", raising(end))
    assert cli.main(["bench"]) == 130


def test_a_run_directory_that_cannot_be_made(
    tasks_record: list[Task], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").touch()
    assert cli.main(["train", "hydra.run.dir=file/run"]) == 1
    error = capsys.readouterr().err
    assert "file/run: Not a directory; choose another place" in error


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs Linux's /dev/full")
def test_a_full_disk(neuralcrop_in: Callable[..., Result], repository: Path) -> None:
    with open("/dev/full", "w") as full:
        run = subprocess.run(
            [sys.executable, "-m", "neuralcrop", "info", "variables"], cwd=repository, stdout=full,
            stderr=subprocess.PIPE, text=True, check=False)
    assert run.returncode == 1
    assert "the disk is full" in run.stderr
    assert "Traceback" not in run.stderr


def test_data_fetch_passes_on_what_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[tuple[object, ...]] = []
    monkeypatch.setattr(cli, "_function", lambda home: lambda *a, **k: asked.append((home, *a, k)))
    assert cli.main([
        "data", "fetch", "nasa_power", "--point", "-12.5", "30", "--point", "52", "-5.7",
        "--start", "2010-01-01", "--end", "2010-12-31", "--output", "w.nc"]) == 0
    assert asked == [("neuralcrop.data.sources:fetch", "nasa_power", "w.nc", {
        "points": [(-12.5, 30.0), (52.0, -5.7)], "start": "2010-01-01", "end": "2010-12-31",
        "cache": None})]


def test_data_check_lists_problems_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cli, "_function", lambda home: {"a.nc": [], "b.nc": ["no lat"]}.get)
    assert cli.main(["data", "check", "a.nc"]) == 0
    assert cli.main(["data", "check", "a.nc", "b.nc"]) == 1
    shown = capsys.readouterr()
    assert shown.out.splitlines() == ["a.nc: ok", "a.nc: ok", "b.nc:", "  - no lat"]
    assert "1 of 2 files" in shown.err


def test_info_variables(neuralcrop_in: Callable[..., Result]) -> None:
    from neuralcrop.core.variables import REGISTRY

    result = neuralcrop_in("info", "variables")
    assert result.returncode == 0
    names = {line.split()[0] for line in result.stdout.splitlines() if line.strip()}
    assert set(REGISTRY) <= names


def test_info_crops_and_their_varieties(neuralcrop_in: Callable[..., Result]) -> None:
    crops = neuralcrop_in("info", "crops").stdout
    assert all(crop in crops for crop in ("winter_wheat", "cassava", "edepot.wur.nl"))
    assert "wheat:Winter_wheat_103" in neuralcrop_in("info", "crops", "wheat").stdout
    unknown = neuralcrop_in("info", "crops", "weat")
    assert unknown.returncode == 1
    assert "did you mean 'wheat'" in unknown.stderr
    assert "unexpected 'wheat'" in neuralcrop_in("info", "model", "wheat").stderr


def test_info_names_versions(neuralcrop_in: Callable[..., Result]) -> None:
    result = neuralcrop_in("info")
    assert result.returncode == 0
    assert neuralcrop.__version__ in result.stdout
    assert "torchdiffeq" in result.stdout


def test_python_m_is_the_command(neuralcrop_in: Callable[..., Result]) -> None:
    assert neuralcrop_in("--version").stdout.strip() == neuralcrop.__version__
    failed = neuralcrop_in("train", "sed=1")
    assert failed.returncode == 1
    assert failed.stderr.strip() == "neuralcrop: error: unknown key 'sed'; did you mean 'seed'?"
