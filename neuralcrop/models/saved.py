"""Files of a saved model: a description in JSON and weights in safetensors; neither is code."""

from __future__ import annotations

import json
import os
import pickle
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

FORMAT = 2
"""Version of the files of a saved model, ``format_version`` of the description."""

DESCRIPTION, WEIGHTS = "model.json", "model.safetensors"

FIRST_WEIGHTS = "model.pt"
"""Weights of format 1: tensors by `torch.save`, read with ``weights_only=True``."""


class ModelError(ValueError):
    """A saved model is missing, broken or of another version."""


def _from_first(description: dict[str, Any]) -> dict[str, Any]:
    """Format 1 called its version ``format`` and had its weights in ``model.pt``."""
    kept = {k: v for k, v in description.items() if k != "format"}
    return {"format_version": 2, "weights": FIRST_WEIGHTS, **kept}


MIGRATIONS: dict[int, Callable[[dict[str, Any]], dict[str, Any]]] = {1: _from_first}
"""From the description of a version to that of the next one."""


def write_model(
    directory: Path, description: Mapping[str, Any], weights: Mapping[str, Tensor]
) -> None:
    """Write weights and description, each whole or not at all; the description comes last."""
    directory.mkdir(parents=True, exist_ok=True)
    part = directory / (WEIGHTS + ".part")
    save_file({k: v.detach().cpu().contiguous().clone() for k, v in weights.items()}, part)
    os.replace(part, directory / WEIGHTS)
    text = json.dumps({"format_version": FORMAT, "weights": WEIGHTS, **description}, indent=1)
    part = directory / (DESCRIPTION + ".part")
    part.write_text(text, encoding="utf-8")
    os.replace(part, directory / DESCRIPTION)


def read_description(directory: Path) -> dict[str, Any]:
    """Description of a saved model, brought to the present format.

    Raises
    ------
    ModelError
        If there is none, it is broken, or a newer version wrote it.
    """
    path = directory / DESCRIPTION
    if not path.is_file():
        raise ModelError(
            f"no model {str(directory)!r}: expected 'physics', 'wofost72' or a run directory with "
            f"{DESCRIPTION} (a finished run of neuralcrop train has one)")
    try:
        description = json.loads(path.read_text(encoding="utf-8"))
        found = description.get("format_version", description.get("format"))
        if not isinstance(found, int):
            raise TypeError("no format_version")
    except (json.JSONDecodeError, AttributeError, TypeError) as error:
        raise ModelError(f"{path} is not a description of a model: {error}") from error
    if found > FORMAT:
        raise ModelError(
            f"{path} has format {found}, this version of neuralcrop reads formats up to {FORMAT}; "
            f"use the version that wrote it ({description.get('neuralcrop', 'unknown')}) or a "
            "newer one, or train again")
    for version in range(found, FORMAT):
        if version not in MIGRATIONS:
            raise ModelError(f"{path} has format {found}, which no version of neuralcrop wrote")
        description = MIGRATIONS[version](description)
    return dict(description)


def read_weights(directory: Path, description: Mapping[str, Any]) -> dict[str, Tensor]:
    """Weights that a description names; nothing in the file is run.

    Raises
    ------
    ModelError
        If they are missing or broken.
    """
    name = str(description.get("weights", WEIGHTS))
    path = directory / name
    try:
        if Path(name).name != name:
            raise ValueError("weights lie beside their description")
        if path.suffix == ".pt":
            loaded: dict[str, Tensor] = torch.load(path, map_location="cpu", weights_only=True)
            return loaded
        return load_file(path)
    except (OSError, RuntimeError, EOFError, ValueError, pickle.UnpicklingError,
            SafetensorError) as error:
        raise ModelError(f"{path} does not hold the weights that {directory / DESCRIPTION} "
                         f"describes: {error}") from error
