"""Restart files: the whole state of a run and what it belongs to."""

from __future__ import annotations

import os
from pathlib import Path

import torch

from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.events import SEASON
from neuralcrop.simulation.history import History
from neuralcrop.simulation.integrate import RunState

FORMAT = 1
"""Version of restart files."""


class RestartError(ValueError):
    """A restart file is broken or belongs to another run."""


def write_text(path: Path, text: str) -> None:
    """Write a text file, whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, path)


def save_restart(
    path: str | Path, state: RunState, fingerprint: str, model: CropModel
) -> None:
    """Write a restart file, whole or not at all.

    Parameters
    ----------
    path : path
        File.
    state : RunState
        State after the last day.
    fingerprint : str
        Identifies model, parameters and cells.
    model : CropModel
        Whose state it is.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    torch.save({
        "format": FORMAT, "fingerprint": fingerprint, "day": state.day, "x": state.x,
        "season": state.season, "state_rows": model.state.row_names,
        "season_rows": SEASON.row_names,
        "history": None if state.history is None else state.history.values,
    }, part)
    os.replace(part, path)


def load_restart(path: str | Path, fingerprint: str, model: CropModel) -> RunState:
    """Read a restart file.

    Raises
    ------
    RestartError
        If the file is of another version, or of other cells, parameters or model.
    """
    try:
        saved = torch.load(path, map_location="cpu", weights_only=True)
        found, rows = saved["format"], (saved["state_rows"], saved["season_rows"])
    except (OSError, RuntimeError, KeyError, TypeError) as error:
        raise RestartError(f"{path} is not a restart file: {error}") from error
    if found != FORMAT or rows != (model.state.row_names, SEASON.row_names):
        raise RestartError(
            f"{path} was written by another version of neuralcrop; run again from the start")
    if saved["fingerprint"] != fingerprint:
        raise RestartError(
            f"{path} belongs to another run (other model, parameters, cells or crop); "
            "restart with the same settings")
    former = saved.get("history")
    return RunState(
        saved["x"], saved["season"], int(saved["day"]),
        None if former is None else History(former))
