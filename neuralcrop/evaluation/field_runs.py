"""Runs of field experiments and their scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neuralcrop.core.forcing import SOIL_LAYER_THICKNESS
from neuralcrop.data.field_experiments import FieldBatch
from neuralcrop.evaluation import metrics
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.global_nutrients import whole_stock
from neuralcrop.models.orders import Residues
from neuralcrop.simulation.events import SEASON
from neuralcrop.simulation.integrate import RunState, Solver, Stepper
from neuralcrop.simulation.schedule import Ground

UNITS = {"emergence": "d", "anthesis": "d", "maturity": "d", "lai_max": "m2 m-2",
         "biomass": "t ha-1", "yield": "t ha-1", "lai_sampled": "m2 m-2",
         "biomass_sampled": "t ha-1"}
"""What is compared, and in which unit; the last two at the dates of samplings."""

MM_PER_METRE = 1000.0


@dataclass
class Run:
    """Outcome of a run.

    Attributes
    ----------
    seasons : pandas.DataFrame
        One row a cell: ``emergence``, ``anthesis``, ``maturity`` (days after sowing, NaN where not
        reached), ``lai_max``, ``biomass``, ``yield`` (t ha-1 dry matter).
    daily : dict of str to numpy.ndarray
        ``[day, cell]`` of ``lai`` and ``biomass`` at the end of each day of the run.
    """

    seasons: pd.DataFrame
    daily: dict[str, np.ndarray]


def parameters(model: CropModel, batch: FieldBatch) -> Tensor:
    """Catalogue parameters of all cells, ``[parameter row, cell]``.

    The season lasts as long as the run: an experiment is not harvested at the catalogue's latest
    date.
    """
    crop = torch.full_like(batch.management.crop, model.table.crop_index[batch.crop])
    p = model.cell_parameters(crop, batch.forcing.values.dtype).detach().clone()
    p[model.table.layout.start["maximum_season"]] = float(batch.forcing.n_days)
    return p


def with_values(model: CropModel, p: Tensor, values: Mapping[str, Tensor]) -> Tensor:
    """Parameters with some of them replaced, ``[cell]`` by name."""
    out = p.clone()
    for name, value in values.items():
        out[model.table.layout.start[name]] = value.to(p.dtype)
    return out


@torch.no_grad()
def simulate_batch(model: CropModel, batch: FieldBatch, p: Tensor) -> Run:
    """Run all treatments of a crop.

    Parameters
    ----------
    model : CropModel
        The model.
    batch : FieldBatch
        Treatments.
    p : Tensor
        ``[parameter row, cell]``.
    """
    crop = torch.full_like(batch.management.crop, model.table.crop_index[batch.crop])
    model.choose_pathways(crop)
    stepper = Stepper(model, Solver())
    state = stepper.start(batch.forcing, batch.site, p)
    state = _prepared(model, state, batch)
    place = model.place(model.table.layout.view(p), batch.site)
    lai, shoot, stage = [], [], []
    book = SEASON.view(state.season)

    def observe(
        day: int, before: Tensor, after: Tensor, fluxes: Tensor, ground: Ground
    ) -> None:
        named = model.state.view(after)
        lai.append(model.diagnostics(after, p, place)["lai"].numpy())
        shoot.append(model.record(named, after, p, book, Residues())["biom"].numpy())
        stage.append(named["development_stage"].numpy().copy())

    end = stepper.run(
        state, batch.forcing, batch.site, batch.management, p, observe=observe, standing=True)
    return Run(_seasons(model, end, p, np.stack(stage), batch),
               {"lai": np.stack(lai), "biomass": np.stack(shoot)})


def _prepared(
    model: CropModel, state: RunState, batch: FieldBatch
) -> RunState:
    """Start with what is known of the soil: its water, organic matter and mineral nitrogen."""
    s = dict(model.state.view(state.x))
    thickness = MM_PER_METRE * batch.site.wilting_point.new_tensor(SOIL_LAYER_THICKNESS)[:, None]
    low, high = 0.5 * batch.site.wilting_point, 0.98 * batch.site.saturation
    given = batch.initial_water
    within = torch.minimum(torch.maximum(torch.nan_to_num(given), low), high)
    s["soil_water"] = torch.where(torch.isfinite(given), within * thickness, s["soil_water"])
    start = batch.soil_start
    if start is not None and "slow_carbon" in s:
        given = start.organic_carbon / (s["fast_carbon"] + s["slow_carbon"])
        factor = torch.nan_to_num(given, nan=1.0)
        for element, added in (
                ("carbon", start.litter_carbon), ("nitrogen", start.litter_nitrogen)):
            for pool in ("fast", "slow"):
                name = f"{pool}_{element}"
                s[name] = whole_stock(s[name] * factor, element)
            name = f"incorporated_litter_{element}"
            s[name] = s[name] + whole_stock(added, element)
        for name, known in (("nitrate", start.nitrate), ("ammonium", start.ammonium)):
            s[name] = torch.where(
                torch.isfinite(known), whole_stock(torch.nan_to_num(known), "nitrogen"), s[name])
    season = state.season.clone()
    season[SEASON.start["start_water"]] = model.stored_water(s)
    for element in ("carbon", "nitrogen"):
        held = model.stored(s, element)
        if held is not None:
            season[SEASON.start[f"start_{element}"]] = held
    return RunState(model.state.stack(s), season, state.day, state.history)


def _seasons(
    model: CropModel, end: RunState, p: Tensor, stage: np.ndarray, batch: FieldBatch
) -> pd.DataFrame:
    """The record of harvested crops; of others what stands in the field."""
    harvested = SEASON.get(end.season, "harvests") > 0.5
    s = model.state.view(end.x)
    standing = model.record(s, end.x, p, SEASON.view(end.season), Residues())
    never = torch.full_like(s["vegetative_days"], float("nan"))
    flowered = torch.where(s["development_stage"] >= 1.0, s["vegetative_days"], never)
    ripe = torch.where(model.ripe(end.x, p), s["vegetative_days"] + s["reproductive_days"], never)
    now = {"anthesis": flowered, "maturity": ripe, "lai_max": s["peak_leaf_area"],
           "biomass": standing["biom"], "yield": standing["yield"]}
    record = {"anthesis": "anthday", "maturity": "matyday", "lai_max": "lai_max",
              "biomass": "biom", "yield": "yield"}
    out = pd.DataFrame({
        name: torch.where(harvested, SEASON.get(end.season, f"last_{row}"), now[name]).numpy()
        for name, row in record.items()})
    sown = int(batch.management.sowing_day[0, 0]) - 1
    emerged = stage[sown:] >= 0.0
    out.insert(0, "emergence", np.where(emerged.any(axis=0), emerged.argmax(axis=0) + 1.0, np.nan))
    return out


def pairs(batch: FieldBatch, run: Run, variant: str, calibrated: np.ndarray) -> pd.DataFrame:
    """Observed beside simulated, one row a value.

    Parameters
    ----------
    batch : FieldBatch
        What was observed.
    run : Run
        What was simulated.
    variant : str
        Name of the parameters.
    calibrated : numpy.ndarray
        ``[cell]`` which calibrate.
    """
    table, parts = batch.table, []
    columns = ["source", "experiment", "treatment", "name", "cultivar", "trial", "lat", "sowing",
               "nitrogen", "low_nitrogen", "weather_days"]
    origin = table[columns].assign(
        crop=batch.crop, variant=variant, part=np.where(calibrated, "calibration", "scored"))
    for name in ("emergence", "anthesis", "maturity", "lai_max", "biomass", "yield"):
        parts.append(origin.assign(
            variable=name, day=np.nan, observed=table[name], simulated=run.seasons[name]))
    samples = batch.observations
    samples = samples[samples["day"].between(0, len(run.daily["lai"]) - 1)]
    for name, daily in run.daily.items():
        known = samples[samples[name].notna()]
        cell, day = known["cell"].to_numpy(int), known["day"].to_numpy(int)
        parts.append(origin.iloc[cell].reset_index(drop=True).assign(
            variable=f"{name}_sampled", day=day, observed=known[name].to_numpy(float),
            simulated=daily[day, cell]))
    out = pd.concat(parts, ignore_index=True)
    return out[np.isfinite(out["observed"])].reset_index(drop=True)


def scores(table: pd.DataFrame) -> dict[str, float | int]:
    """RMSE, bias, r, relative RMSE, and RMSE of the means of trials.

    Treatments that never got there are counted apart.
    """
    o, s = table["observed"].to_numpy(float), table["simulated"].to_numpy(float)
    means = table.groupby("trial")[["observed", "simulated"]].mean()
    return {
        "n": int(np.isfinite(s).sum()), "missed": int((~np.isfinite(s)).sum()),
        "rmse": metrics.rmse(o, s), "bias": metrics.bias(o, s), "r": metrics.correlation(o, s),
        "nrmse": metrics.normalised_rmse(o, s), "observed_mean": float(np.mean(o)),
        "trials": int(table["trial"].nunique()),
        "rmse_trials": metrics.rmse(means["observed"], means["simulated"]),
    }


def score_table(table: pd.DataFrame) -> pd.DataFrame:
    """`scores` by crop, variable, variant and part, all treatments of a crop in part ``all``."""
    records = []
    for part, some in (("all", table), *((p, table[table["part"] == p]) for p in
                                         ("calibration", "scored"))):
        keys = ["crop", "variable", "variant"]
        for (crop, variable, variant), rows in some.groupby(keys, sort=False):
            records.append({"crop": crop, "variable": variable, "variant": variant, "part": part,
                            **scores(rows)})
    return pd.DataFrame(records)
