"""What a run directory says of itself."""

from __future__ import annotations

import os
import platform
from collections.abc import Mapping
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import yaml

import neuralcrop
from neuralcrop.config import TrainConfig
from neuralcrop.config.learning import LossConfig
from neuralcrop.data.seasons import Seasons
from neuralcrop.evaluation.ensembles import share_inside
from neuralcrop.evaluation.report import to_json
from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.restart import write_text
from neuralcrop.training.callbacks import write_csv
from neuralcrop.training.ensemble import HIGH, LOW
from neuralcrop.training.setup import fingerprint, run_days

if TYPE_CHECKING:
    from neuralcrop.training.train import Variant

PACKAGES = ("torch", "torchdiffeq", "lightning", "torchmetrics", "safetensors", "numpy",
            "pandas", "xarray", "netCDF4", "pydantic", "hydra-core")


AT_BOUND = 0.01
"""Share of its range from a bound within which a parameter counts as at it."""


def run_of(path: str | None) -> Path | None:
    """Run directory of a path that names it, or a checkpoint in it.

    Raises
    ------
    ValueError
        If there is nothing to go on from.
    """
    if path is None:
        return None
    found = Path(path)
    for directory in (found, *found.parents):
        if (directory / "checkpoints").is_dir():
            return directory
    raise ValueError(f"trainer.resume={path}: no checkpoints there; expected the directory of an "
                     "earlier training run, or a checkpoint in it")


def write_start(config: TrainConfig, directory: Path) -> None:
    """Resolved configuration, data fingerprint and versions, before anything is trained."""
    directory.mkdir(parents=True, exist_ok=True)
    values = config.model_dump(mode="json")
    write_text(directory / "config.yaml", yaml.safe_dump(values, sort_keys=False))
    files = {"yields": fingerprint(config.data.path)}
    if config.data.weather is not None:
        files["weather"] = fingerprint(config.data.weather)
    write_text(directory / "data.json", to_json(files))
    write_text(directory / "versions.json", to_json(versions()))


def versions() -> dict[str, str]:
    """Versions of everything that results depend on."""
    out = {"neuralcrop": neuralcrop.__version__, "python": platform.python_version(),
           "platform": platform.platform()}
    for package in PACKAGES:
        try:
            out[package] = version(package)
        except PackageNotFoundError:
            out[package] = "not installed"
    return out


def data_record(config: TrainConfig, block_cells: int) -> dict[str, Any]:
    """What evaluation on other data needs to know of the run's."""
    data, solver = config.data, config.solver
    return {
        "path": os.path.abspath(data.path), "weather": data.weather, "names": data.names,
        "co2": data.co2, "moisture": data.moisture, "region": data.region,
        "lead_days": data.lead_days, "n_days": run_days(config),
        "train_years": list(data.train_years), "block_cells": block_cells,
        "management": config.management.model_dump(mode="json"),
        "solver": solver.model_dump(mode="json"), "dtype": config.compute.dtype}


def write_parameters(
    model: CropModel, variants: Mapping[str, Variant], seasons: Seasons, rows: np.ndarray,
    path: Path,
) -> list[str]:
    """Catalogue, tuned and local values of every parameter with their bounds, as CSV.

    Returns
    -------
    list of str
        Notes on learnt parameters that came to their bounds.
    """
    table = model.table
    site = torch.tensor(seasons.table.iloc[rows]["site"].unique())
    crop = torch.zeros(len(site), dtype=torch.long)
    with torch.no_grad():
        local = model.cell_parameters(
            crop, torch.float64, seasons.covariates.values[:, site])
    network = model.network.sizes if model.network is not None else {}
    out, stuck = [], []
    for record in table.describe():
        name = str(record["parameter"])
        start = table.layout.start[name]
        for k, value in enumerate(record["value"]):  # type: ignore[arg-type, var-annotated]
            own = local[start + k]
            row = {"crop": record["crop"], "parameter": name, "element": k,
                   "units": record["units"]}
            row |= {key: record[key][k] for key in ("catalogue", "lower", "upper")}  # type: ignore[index]
            row |= {"learned": name in table.learned, "network": name in network,
                    "constant": value, "sites_mean": float(own.mean()),
                    "sites_min": float(own.min()), "sites_max": float(own.max())}
            if row["learned"] or row["network"]:
                low, high = bound_shares(own, record["lower"][k], record["upper"][k])  # type: ignore[index]
                row |= {"at_lower": low, "at_upper": high}
                stuck += [f"{name} {share:.0%} {side}" for share, side in
                          ((low, "lower"), (high, "upper")) if share > 0.0]
            out.append(row)
    write_csv(path, out)
    if not stuck:
        return []
    return [f"Parameters within {AT_BOUND:.0%} of a bound, share of sites: {', '.join(stuck)}."]


def bound_shares(values: torch.Tensor, lower: float, upper: float) -> tuple[float, float]:
    """Shares of values that lie within `AT_BOUND` of the range of each bound."""
    near = AT_BOUND * (upper - lower)
    return (float((values <= lower + near).double().mean()),
            float((values >= upper - near).double().mean()))


def ensemble_notes(
    seasons: Seasons, parts: Mapping[str, np.ndarray], variants: Mapping[str, Variant]
) -> list[str]:
    """How often quantiles of variants have the observed yield between them."""
    lines = []
    observed = seasons.table["observed"].to_numpy(float)
    for name, v in variants.items():
        if v.low is not None and v.high is not None:
            shares = {part: share_inside(observed[rows], v.low[rows], v.high[rows])
                      for part, rows in parts.items()}
            what = "the predicted quantiles of observations" if v.spread is not None else (
                "the members of its ensemble of seeds, which have no observation error")
            lines.append(
                f"{name}: observed yields between {LOW:.0%} and {HIGH:.0%} of {what}: "
                + ", ".join(f"{part} {share:.0%}" for part, share in shares.items()) + ".")
    return lines


def write_predictions(
    seasons: Seasons, parts: Mapping[str, np.ndarray], predictions: Mapping[str, np.ndarray],
    path: Path,
) -> None:
    """Observed yields and the predictions of every variant, one row a sample, as CSV."""
    table = seasons.table
    part = np.full(len(table), "", dtype=object)
    for name, rows in parts.items():
        part[rows] = name
    columns = ["label", "year", "lat", "lon", "observed"]
    out = table[columns].assign(part=part, **predictions)[part != ""]
    write_text(path, out.to_csv(index=False, float_format="%.6g"))


def trend_notes(loss: LossConfig, variants: Mapping[str, Variant]) -> list[str]:
    """How the trend was found, and what it is."""
    lines = []
    trends = "; ".join(f"{name} {v.technology.summary()}" for name, v in variants.items()
                       if v.technology is not None)
    if loss.yields == "relative":
        lines.append(
            f"Yields are those of a {loss.technology} trend of each site, fitted to the observed "
            "yields of its training years (its slope shrunk, prior standard deviation "
            f"{loss.technology_sd:g}), times the response to the relative departure of simulated "
            f"yields from their mean. % a year ± standard error, and response: {trends}.")
    elif loss.technology != "none":
        before = loss.technology_when == "before"
        by = "" if loss.technology_by == "all" else (
            f", with departures of each {loss.technology_by} (prior standard deviation "
            f"{loss.technology_sd:g})")
        how = ("fitted to the observed yields of the training years about a level of each site; "
               "models learnt yields at the technology of the middle year" if before else
               "fitted on the training years with each model")
        lines.append(f"All models have a {loss.technology} technology trend{by}, {how}. % a year "
                     f"± standard error, errors of a year taken as one: {trends}.")
    elif loss.site_level != "none":
        lines.append(f"No technology trend: {trends}.")
    if loss.site_level == "bounded":
        lines.append("Sites have levels (prior standard deviation of the logarithm "
                     f"{loss.site_level_sd:g}, bound 0.3); others that of the nearest five. Rows "
                     "*_without_levels leave them out.")
    return lines


def notes(config: TrainConfig, variants: Mapping[str, Variant], seconds: float) -> list[str]:
    """What a reader of the scores has to know."""
    lines = []
    data, keep = config.data, config.callbacks.keep
    if keep == "best":
        lines.append(f"The years {data.validate_years[0]}-{data.validate_years[1]} chose the "
                     "weights (lowest RMSE), so their scores are optimistic.")
    else:
        lines.append("The weights are those of the last epoch: the validation years chose nothing.")
    lines += trend_notes(config.loss, variants)
    late = {name: v.unripe for name, v in variants.items() if v.unripe}
    if late:
        text = ", ".join(f"{name} {n}" for name, n in late.items())
        lines.append("Crops not ripe at the end of the run, whose standing yield counts: "
                     f"{text}.")
    lines.append("r anomaly is '-' where a prediction is a straight line over years.")
    lines.append(f"Seed {config.seed}, {seconds:.0f} s.")
    return lines
