"""From the configuration of a training run to its samples and models."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuralcrop.config import TrainConfig
from neuralcrop.config.management import IrrigationConfig, ManagementConfig, WindowConfig
from neuralcrop.crops import load_catalogue
from neuralcrop.data.files import expand
from neuralcrop.data.management_dates import parse_date
from neuralcrop.data.management_water import FULL_IRRIGATION
from neuralcrop.data.observations import Reading
from neuralcrop.data.seasons import Orders, Seasons, load_seasons
from neuralcrop.data.series import season_series
from neuralcrop.data.splits import split
from neuralcrop.data.yields import open_yields
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.integrate import Solver
from neuralcrop.simulation.prepare import Compute
from neuralcrop.training.terms import Terms


def crop_of(config: TrainConfig) -> str:
    """Crop of the run."""
    return config.crop.name or "maize"


def run_days(config: TrainConfig) -> int:
    """Length of a run: as given, or to the crop's latest harvest."""
    if config.data.n_days is not None:
        return config.data.n_days
    crop = crop_of(config)
    given = config.crop.parameters.get("maximum_season")
    longest = given or load_catalogue((crop,))[crop]["maximum_season"].value[0]
    return config.data.lead_days + int(longest) + 1  # type: ignore[arg-type]


def load_samples(config: TrainConfig) -> tuple[Seasons, dict[str, np.ndarray]]:
    """All samples of the run, and the rows of each part.

    Raises
    ------
    InputError
        With every problem of the data.
    """
    data, crop = config.data, crop_of(config)
    yields = open_yields(data.path, crop, data.weather, names=data.names, co2=data.co2,
                         reading=Reading(data.moisture, data.region))
    first, last = data.train_years
    seasons = load_seasons(
        yields, run_days(config), data.lead_days, orders=orders_of(config.management),
        normal_years=range(first, last + 1), dtype=compute_of(config).torch_dtype())
    parts = split(seasons.table, data.train_years, data.validate_years, data.test_years,
                  data.holdout_cells, config.seed)
    if config.parameters.network.covariates:
        seasons.choose_covariates(config.parameters.network.covariates)
    encoder = config.parameters.encoder
    if encoder is not None:
        seasons.add_covariates(
            season_series(yields, encoder.variables, encoder.steps, range(first, last + 1)))
    return seasons, parts


def terms_of(config: TrainConfig, seasons: Seasons, parts: Mapping[str, np.ndarray]) -> Terms:
    """The loss of a run.

    Raises
    ------
    ValueError
        If the data do not hold what it asks for, or yields choose the weights but do not count.
    """
    loss, keep = config.loss, config.callbacks
    if not loss.weights.get("yield") and (keep.keep == "best" or keep.patience is not None):
        raise ValueError("loss.weights.yield is 0, but the RMSE of yields chooses the weights that "
                         "are kept; give callbacks.keep=last callbacks.patience=null")
    return Terms(
        seasons.table, parts["train"], {str(k): w for k, w in loss.weights.items()},
        {str(k): e for k, e in loss.errors.items()}, loss.kind, loss.delta, loss.weighting,
        config.data.weigh_by)


def orders_of(management: ManagementConfig) -> Orders:
    """Management of all samples.

    Raises
    ------
    ValueError
        If it asks for what a yields file cannot have.
    """
    if management.path is not None:
        raise ValueError("management.path has no effect on training: the yields file holds the "
                         "sowing days; leave it out")
    others = {"nitrogen", "manure", "residues", "tillage", "use", "cultivar",
              "sequence", "rotation_start"}
    asked = sorted(others & set(management.model_dump(exclude_none=True)))
    given = management.irrigation
    if isinstance(given, IrrigationConfig):
        low, high = given.threshold, given.target
        irrigation = (FULL_IRRIGATION[0] if low is None else low,
                      FULL_IRRIGATION[1] if high is None else high)
        asked += [f"irrigation.{key}" for key in given.model_dump(exclude_none=True)
                  if key not in ("threshold", "target")]
    else:
        irrigation = FULL_IRRIGATION if given == "full" else (0.0, FULL_IRRIGATION[1])
        asked += [f"irrigation={given}"] if given not in ("none", "full") else []
    if isinstance(management.sowing, WindowConfig):
        asked += ["sowing.window"]
    if asked:
        raise ValueError(f"training takes no management.{', management.'.join(asked)}; leave out")
    when = management.sowing
    sowing = None if when == "rule" or isinstance(when, WindowConfig) else _day("sowing", when)
    harvest = 0 if management.harvest == "maturity" else _day("harvest", management.harvest)
    return Orders(sowing, harvest, irrigation)


def _day(key: str, value: int | str) -> int:
    if isinstance(value, int):
        return value
    parsed = parse_date(value, "noleap")
    if parsed is None:
        raise ValueError(f"management.{key} is {value!r}, expected a date MM-DD")
    return parsed[1]


def compute_of(config: Any) -> Compute:
    """Where and how a run calculates."""
    c = config.compute
    return Compute(c.device, c.dtype, c.compile, c.block_cells, c.threads)


def solver_of(config: TrainConfig) -> Solver:
    """Integration of a day."""
    s = config.solver
    return Solver(s.method, s.step_size, s.rtol, s.atol)


def specification(config: TrainConfig, variant: str, covariates: Sequence[str]) -> ModelSpec:
    """What the model of a variant is made of."""
    network, encoder = config.parameters.network, config.parameters.encoder
    spec = ModelSpec(crops=(crop_of(config),), values=dict(config.crop.parameters),
                     nutrients=config.model.nutrients is True, **config.model.components)
    if variant == "physics":
        return spec
    hybrid = variant == "transferred" or variant.startswith("hybrid")
    return replace(
        spec, learn=tuple(config.parameters.learn),
        **(config.closure.specification() if hybrid else {}),
        encoder=None if encoder is None or not hybrid else encoder.model_dump(),
        network=tuple(network.names) if hybrid else (), network_hidden=tuple(network.hidden),
        network_limit=network.limit, network_dropout=network.dropout,
        covariates=tuple(covariates) if hybrid and network.names else ())


def part_of(spec: ModelSpec, state: Mapping[str, torch.Tensor]) -> CropModel:
    """Model of a variant with its share of the weights of the whole."""
    model = build_model(spec)
    own = model.state_dict()
    # without a network there are no covariates
    shared = {k: v.cpu() for k, v in state.items() if k in own and v.shape == own[k].shape}
    model.load_state_dict({**own, **shared})
    return model.eval()


def fingerprint(paths: str | Sequence[str]) -> list[dict[str, Any]]:
    """Name, size and SHA-256 of every file of an input."""
    records = []
    for path in expand(paths):
        files = [Path(path)] if Path(path).is_file() else sorted(
            f for f in Path(path).rglob("*") if f.is_file())
        digest = hashlib.sha256()
        for file in files:
            with file.open("rb") as handle:
                while part := handle.read(1 << 20):
                    digest.update(part)
        records.append({"path": str(path), "name": Path(path).name, "sha256": digest.hexdigest(),
                        "bytes": sum(f.stat().st_size for f in files)})
    return records
