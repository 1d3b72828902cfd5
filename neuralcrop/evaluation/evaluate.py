"""``neuralcrop evaluate``: score a training run on any file of the yields schema."""

from __future__ import annotations

import copy
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
import xarray as xr

from neuralcrop.config import EvaluateConfig
from neuralcrop.config.management import ManagementConfig
from neuralcrop.data.errors import InputError, Problem
from neuralcrop.data.files import open_files
from neuralcrop.data.names import find_time
from neuralcrop.data.observations import Reading
from neuralcrop.data.seasons import Seasons, load_seasons
from neuralcrop.data.series import season_series
from neuralcrop.data.yields import YieldsData, open_yields
from neuralcrop.evaluation import field_experiments
from neuralcrop.evaluation.extremes import extreme_scores
from neuralcrop.evaluation.html_report import write_evaluation_page
from neuralcrop.evaluation.html_sections import Shown
from neuralcrop.evaluation.metrics import scores, scores_by_year
from neuralcrop.evaluation.report import to_json
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import DESCRIPTION, ModelError, load_model
from neuralcrop.models.saved import read_description
from neuralcrop.output.write import write_dataset
from neuralcrop.simulation.integrate import Solver
from neuralcrop.simulation.prepare import Compute
from neuralcrop.simulation.restart import write_text
from neuralcrop.training.context import SeasonContext
from neuralcrop.training.ensemble import HIGH, LOW, summary
from neuralcrop.training.relative import RelativeResponse
from neuralcrop.training.rollout import Rollout, simulate
from neuralcrop.training.setup import compute_of, orders_of
from neuralcrop.training.technology import Technology, brief
from neuralcrop.training.trend_samples import with_trend

log = logging.getLogger("neuralcrop.evaluation")

FEW_YEARS = 10
"""Training years that the dataset's weather must share for its normals to be of those years."""


def run(config: EvaluateConfig) -> dict[str, Any]:
    """Score a run on a dataset and write the scores; returns them. Or run field experiments.

    Raises
    ------
    ModelError
        If the run has no model, or one of another version.
    InputError
        With every problem of the dataset.
    """
    if config.field_experiments is not None:
        return field_experiments.run(config)
    # the schema sees to it
    assert config.run is not None
    assert config.dataset is not None
    record = describe_run(config.run)
    opened = Samples.of(config.run, config.dataset, config.weather, config.years,
                        compute_of(config), record)
    found = opened.simulate()
    table = opened.with_predictions(found)
    result: dict[str, Any] = {
        **scores(table), "by_year": scores_by_year(table), "units": "t ha-1 dry matter",
        "crop": record["crop"], "variant": record.get("variant"), "run": str(config.run),
        "dataset": str(config.dataset), "sites": int(table["site"].nunique()),
        "years": [int(table["year"].min()), int(table["year"].max())],
        "technology": brief(record["technology"]),
        "extremes": extreme_scores(table, {"model": table["predicted"]})}
    if config.ablate:
        result["ablations"] = ablations(opened, config.ablate)
    write_text(Path(config.output), to_json(result))
    page = write_evaluation_page(
        Path(config.output), opened.shown(table, found), result, {
            "neuralcrop of the run": record.get("neuralcrop", ""),
            "trend, % a year": opened.members[0][1].summary()})
    if config.predictions is not None:
        write_dataset(predictions_dataset(table, record), config.predictions)
    log.info("%s on %s: RMSE %.3f t/ha, bias %+.3f, r %.3f, n %d; wrote %s and %s",
             config.run, config.dataset, result["rmse"], result["bias"], result["r"], result["n"],
             config.output, page.name)
    return result


def describe_run(run: str | Path) -> dict[str, Any]:
    """What a run says of its model: crop, technology trend, data.

    Raises
    ------
    ModelError
        If it is not the directory of a finished training run.
    """
    path = Path(run) / DESCRIPTION
    load_model(run)  # says what is wrong with the directory
    record = read_description(Path(run))
    missing = [key for key in ("crop", "technology", "data") if key not in record]
    if missing:
        raise ModelError(f"{path} lacks {', '.join(missing)}: not written by neuralcrop train")
    return record


def predict_dataset(
    run: str | Path, dataset: str | Path | xr.Dataset, *,
    weather: str | Sequence[str] | None = None, years: tuple[int, int] | None = None,
    compute: Compute | None = None, record: Mapping[str, Any] | None = None,
) -> pd.DataFrame:
    """Observed and predicted yields of every site-year of a dataset.

    Parameters
    ----------
    run : path
        Directory of a training run.
    dataset : path or Dataset
        Of the yields schema.
    weather : path(s), optional
        Its weather; by default in the dataset, or else that of the run.
    years : tuple of int, optional
        First and last year; all by default.
    compute : Compute, optional
        Where and how to calculate.
    record : mapping, optional
        From `describe_run`.

    Returns
    -------
    pandas.DataFrame
        ``site``, ``label``, ``year``, ``lat``, ``lon``, ``observed``, ``predicted``; of an
        ensemble the mean of its members, with their quantiles ``predicted_low`` and
        ``predicted_high``.
    """
    return Samples.of(run, dataset, weather, years, compute, record).predict()


class Found(NamedTuple):
    """Predictions of the members of a run, t ha-1.

    Attributes
    ----------
    yields : numpy.ndarray
        ``[member, row]``.
    spreads : list of numpy.ndarray or None
        By member, standard deviation of an observed yield about its prediction.
    """

    yields: np.ndarray
    spreads: list[np.ndarray | None]


@dataclass
class Samples:
    """Samples of a dataset, ready for the model of a run.

    Attributes
    ----------
    members : list of (CropModel, Technology)
        Of the run: of an ensemble all, or the only one.
    seasons : Seasons
        Site-years with observed yields.
    record : mapping
        From `describe_run`.
    compute : Compute
        Where and how to calculate.
    context : SeasonContext or None
        Weather and place of the samples, for yields relative to their site.
    """

    members: list[tuple[CropModel, Technology]]
    seasons: Seasons
    record: Mapping[str, Any]
    compute: Compute
    context: SeasonContext | None = None

    @property
    def model(self) -> CropModel:
        """The model, or the first member."""
        return self.members[0][0]

    @classmethod
    def of(
        cls, run: str | Path, dataset: str | Path | xr.Dataset,
        weather: str | Sequence[str] | None = None, years: tuple[int, int] | None = None,
        compute: Compute | None = None, record: Mapping[str, Any] | None = None,
    ) -> Samples:
        """Open a dataset for the model of a run; arguments of `predict_dataset`."""
        record, compute = record or describe_run(run), compute or Compute()
        members = [
            (load_model(member),
             Technology.from_description(read_description(member)["technology"]))
            for member in members_of(run, record)]
        model = members[0][0]
        if compute.threads:
            torch.set_num_threads(compute.threads)
        compute = replace(compute, block_cells=record["data"]["block_cells"])
        yields = _open(dataset, weather, record)
        if years is not None:
            yields = _some_years(yields, years)
        seasons = _seasons(yields, record, compute.torch_dtype())
        context = None
        normals = [t.normals for _, t in members if isinstance(t, RelativeResponse)]
        if normals and normals[0] is not None:
            context = SeasonContext.of(seasons, normals[0].months)
        if model.network is not None and model.network.encoder is not None:
            first, last = record["data"]["train_years"]
            encoder = model.network.encoder
            seasons.add_covariates(season_series(
                yields, encoder.variables, encoder.steps, range(first, last + 1), required=False))
        if model.covariate_names:
            seasons.choose_covariates(model.covariate_names)
        for one, _ in members:
            one.choose_pathways(torch.zeros(1, dtype=torch.long))
        return cls(members, seasons, record, compute, context)

    def predict(self, without: str | None = None) -> pd.DataFrame:
        """Observed and predicted yields, without some neural parts (see `ablations`)."""
        return self.with_predictions(self.simulate(without))

    def simulate(self, without: str | None = None) -> Found:
        """Yields of every member, without some neural parts."""
        kept, seasons, device = self.record["data"], self.seasons, self.compute.torch_device()
        models = [without_parts(one, without) if without else one for one, _ in self.members]
        rollout = Rollout(copy.deepcopy(models[0]).to(device), Solver(**kept["solver"]),
                          self.compute.compiles(len(seasons), seasons.n_days))
        found, spreads, unripe = [], [], 0
        for model, (_, technology) in zip(models, self.members, strict=True):
            technology.attach(seasons.table, self.context)
            rollout.model.load_state_dict(model.state_dict())  # one compiled day for all
            predicted, late = simulate(
                rollout, seasons, np.arange(len(seasons)), min(kept["block_cells"], len(seasons)),
                device)
            both = with_trend(technology.cpu(), predicted, seasons)
            found.append(both.yields)
            spreads.append(both.spread)
            unripe = max(unripe, late)
        if unripe:
            log.warning("%d of %d crops were not ripe at the end of the run; what stood in the "
                        "field counts", unripe, len(seasons))
        return Found(np.stack(found), spreads)

    def with_predictions(self, found: Found) -> pd.DataFrame:
        """Observed yields beside those of `simulate`, columns of `predict_dataset`."""
        columns = ["site", "label", "year", "lat", "lon", "observed"]
        together = summary(list(found.yields), found.spreads)
        table = self.seasons.table[columns].assign(predicted=together["mean"])
        if len(found.yields) > 1 or "spread" in together:
            table = table.assign(predicted_low=together["low"], predicted_high=together["high"])
        return table

    def shown(self, table: pd.DataFrame, found: Found) -> Shown:
        """What a page shows of `with_predictions`."""
        own = [c for c in ("area", "region") if c in self.seasons.table]
        n = len(found.yields)
        name = self.record.get("variant") if n == 1 else f"mean of {n} members"
        return Shown(
            table.join(self.seasons.table[own]), str(name),
            members=found.yields if n > 1 else None, quantiles=(LOW, HIGH),
            models=[model for model, _ in self.members], covariates=self.seasons.covariates)


def members_of(run: str | Path, record: Mapping[str, Any]) -> list[Path]:
    """Directories of the models of a run: those of an ensemble, or its only one."""
    names = record.get("ensemble") or []
    return [Path(run) / "variants" / str(name) for name in names] or [Path(run)]


def ablations(samples: Samples, ablate: Sequence[str]) -> dict[str, Any]:
    """Scores with neural parts replaced by the physics, by what is replaced.

    Parameters
    ----------
    samples : Samples
        Samples and the whole model.
    ablate : sequence of str
        Each a closure slot, ``closures`` (all of them), ``network`` or ``encoder``, or several
        joined by ``+``; ``each`` stands for every part by itself.

    Raises
    ------
    ValueError
        If the model has no such part.
    """
    known = samples.model.neural_parts()
    asked = [one for name in ablate for one in (known if name == "each" else (name,))]
    for name in dict.fromkeys(asked):
        without_parts(samples.model, name)  # wrong names are found before any run
    out = {}
    for name in dict.fromkeys(asked):
        table = samples.predict(name)
        out[name] = {**scores(table), "by_year": scores_by_year(table)}
        log.info("without %s: RMSE %.3f t/ha, r %.3f", name, out[name]["rmse"], out[name]["r"])
    return out


def without_parts(model: CropModel, names: str) -> CropModel:
    """A copy of a model without the parts that ``names`` joins by ``+``."""
    slots = [slot for slot, closure in model.closures().items() if closure.neural]
    parts = [p for name in names.split("+") for p in (slots if name == "closures" else (name,))]
    others = {"network", "encoder"}
    return model.without([p for p in dict.fromkeys(parts) if p not in others],
                         network="network" in parts, encoder="encoder" in parts)


def predictions_dataset(table: pd.DataFrame, record: Mapping[str, Any]) -> xr.Dataset:
    """Observed and predicted yields over site and year."""
    names = {"observed": "observed yield, dry matter", "predicted": "predicted yield, dry matter"}
    names |= {k: f"{share:.0%} quantile of the members of an ensemble, dry matter" for k, share in
              (("predicted_low", LOW), ("predicted_high", HIGH)) if k in table}
    wide = table.set_index(["site", "year"])[list(names)].to_xarray()
    places = table.drop_duplicates("site").set_index("site").sort_index()
    out = wide.assign_coords({n: ("site", places[n].to_numpy()) for n in ("lat", "lon", "label")})
    for name, text in names.items():
        out[name].attrs = {"units": "t ha-1", "long_name": text}
    out["lat"].attrs = {"units": "degrees_north", "standard_name": "latitude"}
    out["lon"].attrs = {"units": "degrees_east", "standard_name": "longitude"}
    return out.assign_attrs(
        title=f"Predicted yields of {record['crop']}", Conventions="CF-1.11",
        source=f"neuralcrop {record.get('neuralcrop', '')}, {record.get('variant', '')}")


def _open(
    dataset: str | Path | xr.Dataset, weather: str | Sequence[str] | None,
    record: Mapping[str, Any],
) -> YieldsData:
    kept = record["data"]
    opened = dataset if isinstance(dataset, xr.Dataset) else open_files(dataset)
    if weather is None and not has_weather(opened):
        weather = kept["weather"]
        log.info("weather of the run: %s", weather)
    path = dataset if isinstance(dataset, xr.Dataset) else str(dataset)
    return open_yields(path, record["crop"], weather, names=kept["names"], co2=kept["co2"],
                       reading=Reading(kept.get("moisture"), kept.get("region"), strict=False))


def has_weather(dataset: xr.Dataset) -> bool:
    """Whether a dataset has a time axis for weather."""
    periods = any({"year", step} <= set(dataset.dims) for step in ("week", "month"))
    return periods or find_time(dataset) is not None


def _some_years(yields: YieldsData, years: tuple[int, int]) -> YieldsData:
    known = yields.years
    inside = (known >= years[0]) & (known <= years[1])
    if not inside.any():
        raise InputError([Problem("years", f"no yields in {years[0]}-{years[1]}",
                                  f"some of {known.min()}-{known.max()}", "")], yields.source)
    return replace(yields, yields=yields.yields.where(inside[None, :]))


def _seasons(yields: YieldsData, record: Mapping[str, Any], dtype: torch.dtype) -> Seasons:
    """Samples as in the run."""
    kept = record["data"]
    orders = orders_of(ManagementConfig(**kept["management"]))
    first, last = kept["train_years"]
    wanted = range(first, last + 1)
    shared = np.isin(weather_years(yields), list(wanted)).sum()
    normal = wanted if shared >= min(FEW_YEARS, len(wanted)) else None
    return load_seasons(yields, kept["n_days"], kept["lead_days"], orders=orders,
                        normal_years=normal, dtype=dtype)


def weather_years(yields: YieldsData) -> np.ndarray:
    """Calendar years of the weather of a yields dataset."""
    if yields.layout is not None:
        return np.unique(yields.layout.year)
    return np.unique(yields.weather["time"].dt.year.values)
