"""``neuralcrop twin``: known parameters, the yields they make, and what training learns of them."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from neuralcrop.config import TwinConfig
from neuralcrop.data.seasons import Seasons
from neuralcrop.evaluation.metrics import correlation, rmse
from neuralcrop.evaluation.report import to_json
from neuralcrop.identifiability.fisher import HELD, analyse, fisher_matrix
from neuralcrop.identifiability.identify import chosen_rows
from neuralcrop.identifiability.jacobian import YIELD, Scale, by_differences
from neuralcrop.identifiability.truth import hidden_parameters, observed_with_noise, standardised
from neuralcrop.identifiability.twin_report import page, show
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import build_model
from neuralcrop.simulation.restart import write_text
from neuralcrop.training import records
from neuralcrop.training.callbacks import write_csv
from neuralcrop.training.rollout import Rollout
from neuralcrop.training.setup import crop_of, load_samples, part_of, solver_of, specification
from neuralcrop.training.train import Session, Variant, report

log = logging.getLogger("neuralcrop.training")

SCORED = ("aet", "transp", "lai_max", "biom", "anthday", "matyday")
"""Outcomes that are scored beside yields."""

PRIOR_SD = 0.25
"""Prior standard deviation of the Fisher information, as a share of the width of the bounds."""

FISHER_SITES = 24
"""Sites that it is averaged over."""

ENOUGH = 0.8
"""R2 over sites kept apart from which a parameter counts as found."""

PLAIN_CELLS = 2048
"""Samples of a block without gradients."""


def run(config: TwinConfig) -> Path:
    """Make the twin, train on it and score what was learnt; returns the run directory.

    Raises
    ------
    InputError, ValueError
        If configuration or data are wrong; nothing is trained.
    TrainingError
        If a number is not finite.
    """
    began = time.perf_counter()
    directory = Path(config.run_dir)
    resume = records.run_of(config.trainer.resume)
    twin = Twin(config)
    records.write_start(config, directory)
    session = Session(config, directory, resume, (twin.observed, twin.parts))
    variants = session.variants()
    session.save(variants)
    wanted = {str(name) for name in config.compare}
    chosen = {name: v for name, v in variants.items() if name in wanted}
    report(session, chosen, time.perf_counter() - began)
    record = twin.record(chosen)
    if {"tuned", "hybrid"} <= record["variants"].keys():
        record["verdict"] = verdict(record)
    record["seconds"] = round(time.perf_counter() - began, 1)
    write_text(directory / "twin.json", to_json(record))
    write_text(directory / "twin.md", page(record))
    twin.write_maps(chosen, directory / "maps.csv")
    show(record)
    log.info("twin.md, twin.json and maps.csv are in %s", directory)
    return directory


class Twin:
    """Samples whose observations a model with known parameters has made.

    Attributes
    ----------
    names : tuple of str
        Hidden parameters.
    theta : Tensor
        ``[element, site]`` their values.
    truth : dict of str to numpy.ndarray
        ``[sample]`` outcomes without noise, NaN for samples of no part.
    errors : dict of str to float
        Standard deviation of the noise of each kind that is observed.
    observed : Seasons
        The samples, with noise.
    parts : dict of str to numpy.ndarray
        Their rows.
    """

    def __init__(self, config: TwinConfig) -> None:
        how, self.config = config.twin, config
        self.names = tuple(config.parameters.learn)
        if config.trainer.devices > 1:
            raise ValueError("a twin experiment learns in one process; take trainer.devices=1")
        if not self.names:
            raise ValueError("parameters.learn is empty: a twin hides those parameters")
        self.model = build_model(specification(config, "physics", ())).eval()
        self.model.choose_pathways(torch.zeros(1, dtype=torch.long))
        self.scale = Scale.of(self.model.table, self.names, PRIOR_SD)
        seasons, parts = load_samples(config)
        self.parts = self._taken(seasons, parts)
        self.theta = hidden_parameters(
            self.model.table, self.names, standardised(seasons, how.covariates), how.amplitude)
        self.seasons = seasons
        self.truth = self.outcomes(self.theta)
        kinds = [str(k) for k, w in config.loss.weights.items() if w > 0.0]
        unseen = [k for k in kinds if k not in self.truth]
        assert not unseen, unseen
        seen, self.errors = observed_with_noise(
            {k: self.truth[k] for k in kinds}, self.parts["train"], how.signal_to_noise, how.seed)
        self.observed = self._observed(seen)

    def _taken(
        self, seasons: Seasons, parts: Mapping[str, np.ndarray]
    ) -> dict[str, np.ndarray]:
        """Parts of the samples with as many sites and training years as asked for."""
        how, year = self.config.twin, seasons.table["year"].to_numpy()
        every = np.sort(np.concatenate(list(parts.values())))
        keep = np.isin(np.arange(len(year)), chosen_rows(seasons, every, how.sites, how.seed))
        out = {name: rows[keep[rows]] for name, rows in parts.items()}
        if how.years is not None:
            first = int(year[parts["train"]].max()) - how.years + 1
            out |= {name: out[name][year[out[name]] >= first]
                    for name in ("train", "new_sites") if name in out}
        short = [name for name in ("train", "validate", "new_sites") if not len(out.get(name, ()))]
        if short:
            raise ValueError(f"a twin experiment needs samples of {', '.join(short)}; check "
                             "data.train_years, data.validate_years, data.holdout_cells")
        return {name: rows for name, rows in out.items() if len(rows)}

    def _observed(self, seen: Mapping[str, np.ndarray]) -> Seasons:
        """The samples with these observations and no others."""
        own = self.seasons
        known = ["site", "label", "year", "lat", "lon", "observed", "area", "region"]
        columns = {("observed" if k == YIELD else k): v for k, v in seen.items()}
        table = own.table[[c for c in known if c in own.table]].assign(**columns)
        return Seasons(table, own.forcing, own.site, own.management, own.covariates)

    @property
    def sites(self) -> dict[str, np.ndarray]:
        """Numbers of the sites that learn and of those that do not."""
        site = self.seasons.table["site"].to_numpy()
        apart = np.concatenate([r for n, r in self.parts.items() if n.startswith("new_sites")])
        return {"train": np.unique(site[self.parts["train"]]), "held_out": np.unique(site[apart])}

    @property
    def rows(self) -> dict[str, np.ndarray]:
        """Samples of all years of those sites."""
        site = self.seasons.table["site"].to_numpy()
        every = np.sort(np.concatenate(list(self.parts.values())))
        return {name: every[np.isin(site[every], sites)] for name, sites in self.sites.items()}

    def outcomes(self, theta: Tensor) -> dict[str, np.ndarray]:
        """Yields and other outcomes, ``[sample]``, of parameters of sites.

        Parameters
        ----------
        theta : Tensor
            ``[element, site]``.
        """
        seasons = self.seasons
        rollout = Rollout(self.model, solver_of(self.config), kinds=SCORED)
        out = np.full((1 + len(SCORED), len(seasons)), np.nan)
        site = torch.tensor(seasons.table["site"].to_numpy())
        rows = np.sort(np.concatenate(list(self.parts.values())))
        with torch.no_grad():
            for block in seasons.blocks(rows, min(PLAIN_CELLS, len(rows))):
                crop, dtype = block.management.crop, block.forcing.values.dtype
                p = self.model.table(crop, dtype).clone()
                p[self.scale.rows] = theta[:, site[block.row]].to(dtype)
                season = rollout(block, p)
                assert season.others is not None
                found = torch.cat((season.yields[None], season.others))[:, : block.n_samples]
                out[:, block.row[: block.n_samples].numpy()] = found.double().numpy()
        return dict(zip((YIELD, *SCORED), out, strict=True))

    def learnt(self, variant: Variant) -> Tensor:
        """Values of the hidden parameters that a variant has learnt, ``[element, site]``."""
        assert variant.spec is not None
        assert variant.state is not None
        model: CropModel = part_of(variant.spec, variant.state)
        covariates = self.seasons.covariates.values
        crop = torch.zeros(covariates.shape[1], dtype=torch.long)
        with torch.no_grad():
            p = model.cell_parameters(crop, torch.float64, covariates)
        return p[model.table.rows(self.names)]

    def information(self) -> dict[str, float]:
        """Posterior over prior standard deviation of each parameter at one site, by Fisher."""
        kinds = [k for k in self.errors if k != YIELD]
        rows = chosen_rows(self.seasons, self.parts["train"], FISHER_SITES, self.config.seed)
        rollout = Rollout(self.model, solver_of(self.config), kinds=kinds)
        found = by_differences(rollout, self.seasons, rows, self.scale, step=0.1)
        scaled = np.concatenate([
            found.jacobian[k] / self.errors[kind] for k, kind in enumerate(found.kinds)
            if kind in self.errors])
        sites = len(np.unique(self.seasons.table["site"].to_numpy()[rows]))
        known = analyse(fisher_matrix(scaled, 1.0) / sites, self.scale.names)
        return dict(zip(known.names, known.posterior_sd.tolist(), strict=True))

    def record(self, variants: Mapping[str, Variant]) -> dict[str, Any]:
        """Scores of all variants that have parameters."""
        how, width = self.config.twin, (self.scale.upper - self.scale.lower).numpy()
        out: dict[str, Any] = {
            "crop": crop_of(self.config), "covariates": how.covariates,
            "amplitude": how.amplitude, "signal_to_noise": how.signal_to_noise,
            "noise": self.errors, "yields": self.config.loss.yields,
            "sites": {k: len(v) for k, v in self.sites.items()},
            "samples": {k: len(v) for k, v in self.parts.items()},
            "fisher_posterior_sd": self.information(),
            "truth_sd": dict(zip(self.scale.names,
                                 (self.theta.std(dim=1).numpy() / width).tolist(), strict=True)),
            "variants": {}}
        for name, variant in variants.items():
            if variant.spec is None or variant.state is None:
                continue
            theta = self.learnt(variant)
            out["variants"][name] = {
                "parameters": {
                    part: parameter_scores(self.scale, self.theta[:, sites], theta[:, sites])
                    for part, sites in self.sites.items()},
                "outcomes": self._outcome_scores(self.outcomes(theta))}
        return out

    def _outcome_scores(self, found: Mapping[str, np.ndarray]) -> dict[str, Any]:
        return {part: {k: {"rmse": rmse(v[rows], found[k][rows]),
                           "r": correlation(v[rows], found[k][rows]),
                           "sd": float(np.std(v[rows]))}
                       for k, v in self.truth.items()}
                for part, rows in self.rows.items()}

    def write_maps(self, variants: Mapping[str, Variant], path: Path) -> None:
        """True and learnt parameters of every site, as CSV."""
        learnt = {name: self.learnt(v).numpy() for name, v in variants.items() if v.spec}
        first = self.seasons.table.drop_duplicates("site").set_index("site")
        write_csv(path, [
            {"site": int(s), "part": part, "lat": float(first["lat"][s]),
             "lon": float(first["lon"][s]), "parameter": parameter,
             "true": float(self.theta[k, s]), **{n: float(v[k, s]) for n, v in learnt.items()}}
            for part, sites in self.sites.items() for s in sites
            for k, parameter in enumerate(self.scale.names)])


def parameter_scores(scale: Scale, true: Tensor, found: Tensor) -> dict[str, dict[str, float]]:
    r"""How well values of sites were found, by parameter.

    :math:`R^2 = 1 - \sum(\hat\theta - \theta)^2 / \sum(\theta - \bar\theta)^2` over the sites, the
    root mean square error over the width of the bounds, and the correlation.

    Parameters
    ----------
    scale : Scale
        Parameters.
    true, found : Tensor
        ``[element, site]``.
    """
    left = (found - true).square().mean(dim=1)
    spread = true.var(dim=1, correction=0)
    width = scale.upper - scale.lower
    return {name: {"r2": 1.0 - float(left[k] / spread[k]),
                   "rmse": float(left[k].sqrt() / width[k]),
                   "r": correlation(true[k].numpy(), found[k].numpy())}
            for k, name in enumerate(scale.names)}


def verdict(record: Mapping[str, Any]) -> dict[str, Any]:
    """Whether the hybrid found what Fisher information says can be found, at sites kept apart.

    Parameters
    ----------
    record : mapping
        Of a twin experiment with the variants ``tuned`` and ``hybrid``.

    Returns
    -------
    dict
        Parameters that are ``held``, the ``least_r2`` of these, the ``rmse`` of yields of both
        variants, and ``passed``: R2 of at least `ENOUGH` and smaller errors than constants have.
    """
    variants = record["variants"]
    found = variants["hybrid"]["parameters"]["held_out"]
    held = [n for n, sd in record["fisher_posterior_sd"].items() if sd < HELD]
    least = min((found[n]["r2"] for n in held), default=float("nan"))
    rmses = {v: variants[v]["outcomes"]["held_out"][YIELD]["rmse"] for v in ("tuned", "hybrid")}
    return {"held": held, "least_r2": least, "rmse": rmses,
            "passed": bool(least >= ENOUGH and rmses["hybrid"] < rmses["tuned"])}
