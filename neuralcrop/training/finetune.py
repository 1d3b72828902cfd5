"""Going on from the weights of a finished run: to another crop, region or file."""

from __future__ import annotations

import logging
from pathlib import Path

import torch
from torch import Tensor

from neuralcrop.config import TrainConfig
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import load_model

log = logging.getLogger("neuralcrop.training")

OWN = ("table.values", "table.lower", "table.upper")
"""What stays that of the new crop: the catalogue."""

FROZEN = {"all": (), "parameters": ("constants", "closures"), "closures": ("constants", "network")}
"""Groups of weights that stay as they are, by ``trainer.train``."""


def source_of(init_from: str, seed: int) -> Path:
    """Directory of the model to start from; of an ensemble, the member of the same seed."""
    member = Path(init_from) / "variants" / f"hybrid_seed{seed}"
    return member if (member / "model.json").is_file() else Path(init_from)


def check_choice(config: TrainConfig) -> None:
    """Check that what shall learn is there.

    Raises
    ------
    ValueError
        If it is not.
    """
    train = config.trainer.train
    if train == "parameters" and not config.parameters.network.names:
        raise ValueError("trainer.train=parameters, but there is no parameter network: "
                         "parameters.network.names is empty")
    if train == "closures" and not config.closure.slots:
        raise ValueError("trainer.train=closures, but closure.slots is empty")


def transfer(model: CropModel, source: Path) -> None:
    """Give a model the weights of another one, by name, with its standardisation of covariates.

    The catalogue stays the model's own. What it learns beyond the other one, such as closures of
    more slots, starts at the physics.

    Parameters
    ----------
    model : CropModel
        Is changed.
    source : Path
        Directory of a finished run or a variant.

    Raises
    ------
    ModelError
        If there is no model.
    ValueError
        Listing everything in which the two do not fit.
    """
    other = load_model(source)
    problems = _mismatches(model, other)
    own, given = model.state_dict(), other.state_dict()
    moved: dict[str, Tensor] = {}
    for name, value in given.items():
        if name in OWN:
            continue
        if name not in own:
            problems.append(f"{name} {tuple(value.shape)} has no place in this model")
        elif own[name].shape != value.shape:
            problems.append(f"{name} has shape {tuple(value.shape)} there and "
                            f"{tuple(own[name].shape)} here")
        else:
            moved[name] = value
    # covariates of a model without network have no standardisation
    if problems:
        raise ValueError(
            f"the weights of {source} do not fit this run (trainer.init_from):\n  "
            + "\n  ".join(problems)
            + "\nset parameters and closure as in the config.yaml of that run")
    fresh = [n for n in own if n not in given and n not in OWN]
    if fresh:
        log.info("%s knows nothing of %s: they start at the physics", source, ", ".join(fresh))
    with torch.no_grad():
        for name, value in moved.items():
            own[name].copy_(value)


def _mismatches(model: CropModel, other: CropModel) -> list[str]:
    """Choices that the weights belong to and that shapes do not tell."""
    keys = {"set": "model.set"}
    if other.network is not None:
        keys |= {"network": "parameters.network.names", "covariates":
                 "parameters.network.covariates", "network_limit": "parameters.network.limit"}
    if other.spec.closures:
        keys |= {"closure_bound": "closure.bound"}
    out = []
    for name, key in keys.items():
        here, there = getattr(model.spec, name), getattr(other.spec, name)
        if here != there:
            out.append(f"{key} is {_text(there)} there and {_text(here)} here")
    return out


def _text(value: object) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, tuple) else str(value)
