"""``neuralcrop evaluate experiment=field_experiments``: real field experiments, crop by crop."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pandas as pd
import torch

from neuralcrop.config import EvaluateConfig
from neuralcrop.crops import crop_names, load_catalogue
from neuralcrop.data.errors import InputError, Problem
from neuralcrop.data.field_experiments import (
    LEAD,
    FieldBatch,
    FieldExperiments,
    read_field_experiments,
)
from neuralcrop.data.field_nitrogen import LOW_NITROGEN, UNRECORDED
from neuralcrop.data.field_tables import records
from neuralcrop.evaluation.field_calibration import Calibration, calibrate, split_trials
from neuralcrop.evaluation.field_growth import calibrate_growth, with_growth
from neuralcrop.evaluation.field_report import target_met, write_report
from neuralcrop.evaluation.field_runs import (
    pairs,
    parameters,
    score_table,
    simulate_batch,
    with_values,
)
from neuralcrop.evaluation.report import to_json
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.restart import write_text

log = logging.getLogger("neuralcrop.evaluation")

NITROGEN_RECORDS = {
    "recorded": "with their own fertiliser and mineral nitrogen",
    "legume": "of a legume without any, on the soil and on fixation",
    "assumed": f"without any record, given {UNRECORDED:g} kg ha-1"}
"""What the report says of the records of nitrogen."""

LONGER = 30
"""Days of a run beyond the catalogue's longest season, for crops that are late."""


def run(config: EvaluateConfig) -> dict[str, Any]:
    """Run all field experiments, calibrate on half of the trials, write the report; returns it.

    Raises
    ------
    InputError
        If there are no files, or with every problem of them.
    """
    wanted = config.field_experiments
    assert wanted is not None
    if config.compute.threads:
        torch.set_num_threads(config.compute.threads)
    catalogue = load_catalogue()
    data = read_field_experiments(
        wanted.root, crop_names(), crops=tuple(wanted.crops), wind_height=wanted.wind_height,
        season_days=lambda crop: int(catalogue[crop]["maximum_season"].value[0]) + LONGER)
    if not data.batches:
        raise InputError([Problem(
            "field experiments", f"no treatments of {', '.join(wanted.crops) or 'any crop'}",
            "crops of the catalogue", "; ".join(data.left_out))], str(data.root))
    tables, calibrated = [], {}
    for crop, batch in data.batches.items():
        table, record = evaluate_crop(
            batch, seed=wanted.seed, iterations=wanted.iterations,
            learning_rate=wanted.learning_rate)
        tables.append(table)
        calibrated[crop] = record
    both = pd.concat(tables, ignore_index=True)
    scores = score_table(both)
    directory = Path(config.run_dir)
    written = write_report(directory, both, scores, _notes(data, calibrated, both))
    result: dict[str, Any] = {
        "scores": scores.to_dict("records"), "targets": _targets(scores), "crops": calibrated,
        "left_out": data.left_out, "notes": data.notes, "seed": wanted.seed,
        "files": [p.name for p in data.files], "units": "d; t ha-1 dry matter"}
    write_text(directory / "report.json", to_json(result))
    _tell(scores)
    log.info("wrote %s and report.json to %s", ", ".join(p.name for p in written), directory)
    return result


def evaluate_crop(
    batch: FieldBatch, *, seed: int = 0, iterations: int = 80, learning_rate: float = 0.1,
) -> tuple[pd.DataFrame, dict[str, Any]]:
    """Pairs of a crop with catalogue and calibrated parameters, and what was calibrated.

    Parameters
    ----------
    batch : FieldBatch
        Treatments.
    seed, iterations, learning_rate
        See `field_calibration.calibrate`.
    """
    model = build_model(ModelSpec(crops=(batch.crop,), nutrients=True)).eval()
    p = parameters(model, batch)
    log.info("%s: %d treatments of %d trials", batch.crop, len(batch.table),
             batch.table["trial"].nunique())
    seen, how = split_trials(batch.table, seed)
    parts = [pairs(batch, simulate_batch(model, batch, p), "catalogue", seen)]
    fitted = calibrate(model, batch, p, lead=LEAD, seed=seed, iterations=iterations,
                       learning_rate=learning_rate)
    record: dict[str, Any] = {
        "treatments": len(batch.table), "trials": int(batch.table["trial"].nunique()),
        "split": how, "calibrated": None, "growth": None,
        "nitrogen": batch.table["nitrogen_record"].value_counts().to_dict(),
        "low_nitrogen": int(batch.table["low_nitrogen"].sum()),
        "calibration_trials": sorted(set(batch.table.loc[seen, "trial"])),
        "scored_trials": sorted(set(batch.table.loc[~seen, "trial"]))}
    if fitted is not None:
        p = with_values(model, p, fitted.values)
        record |= {"calibrated": _cultivars(batch, fitted), "loss": fitted.loss}
    grown = calibrate_growth(model, batch, p, seen)
    if grown is not None:
        p = with_growth(model, p, grown.values)
        record |= {"growth": grown.values, "growth_loss": grown.loss}
    if fitted is not None or grown is not None:
        parts.append(pairs(batch, simulate_batch(model, batch, p), "calibrated", seen))
    return pd.concat(parts, ignore_index=True), record


def _cultivars(batch: FieldBatch, fitted: Calibration) -> list[dict[str, Any]]:
    """Calibrated values by cultivar, with the number of its treatments in either half."""
    values = pd.DataFrame({n: v.numpy() for n, v in fitted.values.items()})
    values["cultivar"] = batch.table["cultivar"].to_numpy()
    values["calibrating"], values["scored"] = fitted.calibrated, ~fitted.calibrated
    grouped = values.groupby("cultivar")
    table = grouped.mean().round(4)
    for count in ("calibrating", "scored"):
        table[count] = grouped[count].sum().astype(int)
    return records(table.reset_index())


def _targets(scores: pd.DataFrame) -> list[dict[str, Any]]:
    return [
        {"crop": row["crop"], "variable": row["variable"], "met": met}
        for row in records(scores) if (met := target_met(row)) is not None]


def _notes(
    data: FieldExperiments, calibrated: dict[str, Any], table: pd.DataFrame
) -> dict[str, list[str]]:
    """What the report says below its table."""
    split = [
        f"{crop.replace('_', ' ')}: {r['treatments']} treatments of {r['trials']} trials, halves "
        f"by {r['split']}"
        + ("" if r["calibrated"] else "; too few observed stages to calibrate them")
        + ("" if r["growth"] else "; yields of too few trials to calibrate growth")
        for crop, r in calibrated.items()]
    first = table[table["variant"] == "catalogue"].drop_duplicates(
        ["source", "experiment", "treatment"])
    late = first[first["weather_days"] < 0]
    nitrogen = [
        f"{crop.replace('_', ' ')}: " + ", ".join(
            f"{n} treatments {NITROGEN_RECORDS[str(k)]}" for k, n in r["nitrogen"].items())
        for crop, r in calibrated.items()]
    growth = [
        f"{crop.replace('_', ' ')}: " + ", ".join(
            f"{k.replace('_', ' ')} {v:.3g}" for k, v in r["growth"].items())
        for crop, r in calibrated.items() if r["growth"]]
    flags = [
        f"{crop.replace('_', ' ')}: {r['low_nitrogen']} treatments with less than "
        f"{LOW_NITROGEN:g} kg ha-1 of fertiliser and initial mineral nitrogen"
        for crop, r in calibrated.items() if r["low_nitrogen"]]
    short = _beyond_weather(table)
    before = [f"{e}: weather ends before sowing" for e in late["experiment"]]
    return {"Halves": split, "Nitrogen": nitrogen, "Calibrated growth": growth,
            "Flags": [*flags, *short, *before], "Assumptions": data.notes,
            "Left out": data.left_out}


def _beyond_weather(table: pd.DataFrame) -> list[str]:
    """Treatments whose crop ripens after the record of the weather, by crop."""
    ripe = table[(table["variable"] == "maturity") & (table["simulated"] > table["weather_days"])]
    return [
        f"{str(crop).replace('_', ' ')}, {variant}: {len(rows)} treatments ripen after their "
        "weather ends; its last days were repeated"
        for (crop, variant), rows in ripe.groupby(["crop", "variant"])]


def _tell(scores: pd.DataFrame) -> None:
    """Log the scored half."""
    for row in records(scores[scores["part"] == "scored"]):
        if row["variable"] in ("anthesis", "maturity", "yield"):
            log.info("%s, %s, %s: RMSE %.2f, bias %+.2f, n %d, %.0f %% of the mean", row["crop"],
                     row["variable"], row["variant"], row["rmse"], row["bias"], row["n"],
                     row["nrmse"])
