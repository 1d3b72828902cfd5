"""``neuralcrop identify``: which parameters the observations of seasons can hold."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from neuralcrop.config import IdentifyConfig
from neuralcrop.data.observations import DATES
from neuralcrop.data.seasons import Seasons
from neuralcrop.evaluation.report import to_json
from neuralcrop.identifiability.fisher import (
    FLOOR,
    HELD,
    Information,
    analyse,
    fisher_matrix,
    learnable,
    relative_sensitivities,
)
from neuralcrop.identifiability.jacobian import (
    YIELD,
    Scale,
    Sensitivities,
    by_differences,
    by_gradient,
    disagreement,
)
from neuralcrop.identifiability.report import figure, page, show
from neuralcrop.models.registry import build_model
from neuralcrop.simulation.restart import write_text
from neuralcrop.training import records
from neuralcrop.training.rollout import Rollout
from neuralcrop.training.setup import crop_of, load_samples, solver_of, specification

log = logging.getLogger("neuralcrop.training")

SMALL_STEP = 0.02
"""Share of the step at which differences are compared with the gradient."""

SITE_STREAM = 7919
"""Added to the seed: these sites have nothing to do with those that are held out."""


@dataclass(frozen=True)
class Findings:
    """What one set of observations tells.

    Attributes
    ----------
    label : str
        In words.
    kinds : tuple of str
        The observations.
    common : Information
        Parameters that are the same everywhere.
    site : Information
        Parameters of a single site, from the mean information of a site.
    site_sd : numpy.ndarray
        ``[site, parameter]`` posterior standard deviation at each site.
    together : tuple of list of str
        Parameters that can be learnt at once, of all sites and of one.
    """

    label: str
    kinds: tuple[str, ...]
    common: Information
    site: Information
    site_sd: np.ndarray
    together: tuple[list[str], list[str]]


def run(config: IdentifyConfig) -> Path:
    """Measure sensitivities and report what they say; returns the run directory.

    Raises
    ------
    InputError, ValueError
        If configuration or data are wrong.
    """
    began = time.perf_counter()
    directory, how = Path(config.run_dir), config.identify
    names = how.parameters or config.parameters.learn
    model = build_model(specification(config, "physics", ())).eval()
    model.choose_pathways(torch.zeros(1, dtype=torch.long))
    scale = Scale.of(model.table, names, how.prior_sd)
    records.write_start(config, directory)
    seasons, parts = load_samples(config)
    rows = chosen_rows(seasons, parts["train"], how.sites, config.seed)
    rollout = Rollout(model, solver_of(config), kinds=[
        k for k in dict.fromkeys(how.observations) if k != YIELD])
    log.info("%d seasons of %d sites, %d parameters", len(rows), _count(seasons, rows),
             len(scale.names))
    if how.method == "differences":
        found = by_differences(rollout, seasons, rows, scale, how.step)
    else:
        found = by_gradient(rollout, seasons, rows, scale)
    checks = _checks(config, rollout, seasons, rows, scale)
    errors = errors_of(found, how.signal_to_noise,
                       {str(k): v for k, v in how.errors.items()})
    table = seasons.table.iloc[rows]
    findings = [
        finding(found, label, kinds, errors, table["site"].to_numpy(), table["year"].to_numpy(),
                config.loss.yields == "relative", config.loss.technology != "none")
        for label, kinds in sets_of(rollout.kinds).items()]
    record = _record(config, scale, findings, errors, checks) | {
        "seasons": len(rows), "sites": _count(seasons, rows),
        "seconds": round(time.perf_counter() - began, 1)}
    write_text(directory / "identify.json", to_json(record))
    write_text(directory / "identify.md", page(record))
    np.savez_compressed(
        directory / "sensitivities.npz", values=found.values, jacobian=found.jacobian,
        kinds=np.array(found.kinds), names=np.array(found.names),
        site=table["site"].to_numpy(), year=table["year"].to_numpy())
    if how.figure:
        figure(record, directory / "figure.svg")
    show(record)
    log.info("identify.md, identify.json and sensitivities.npz are in %s", directory)
    return directory


def chosen_rows(
    seasons: Seasons, rows: np.ndarray, sites: int | None, seed: int
) -> np.ndarray:
    """Those of some rows that are of so many sites, drawn by the seed."""
    site = seasons.table["site"].to_numpy()[rows]
    known = np.unique(site)
    if sites is None or sites >= len(known):
        return rows
    draw = torch.Generator().manual_seed(SITE_STREAM + seed)
    order = torch.randperm(len(known), generator=draw).numpy()
    return np.asarray(rows[np.isin(site, known[order[:sites]])])


def sets_of(kinds: tuple[str, ...]) -> dict[str, tuple[str, ...]]:
    """Sets of observations to compare: yields, with each other kind, with all; dates as one."""
    dates = tuple(k for k in kinds if k in DATES)
    groups: dict[str, tuple[str, ...]] = {"dates": dates} if dates else {}
    groups |= {k: (k,) for k in kinds if k not in DATES}
    if len(groups) > 1:
        groups["all"] = kinds
    return {YIELD: (YIELD,)} | {f"with {name}": (YIELD, *g) for name, g in groups.items()}


def errors_of(
    found: Sensitivities, signal_to_noise: float, given: Mapping[str, float]
) -> dict[str, float]:
    """Standard deviation of the error of each kind, in its units."""
    return {k: float(given.get(k, found.values[i].std() / signal_to_noise))
            for i, k in enumerate(found.kinds)}


def finding(
    found: Sensitivities, label: str, kinds: tuple[str, ...], errors: Mapping[str, float],
    site: np.ndarray, year: np.ndarray, relative: bool = False, trend: bool = False,
) -> Findings:
    """What some kinds of observation tell of common parameters and of those of a site.

    Parameters
    ----------
    found : Sensitivities
        Of all seasons.
    label, kinds : str, tuple of str
        Which, and what they are called.
    errors : mapping of str to float
        Of each kind.
    site, year : numpy.ndarray
        ``[season]``.
    relative : bool
        Yields are relative to the mean of their site; their error likewise.
    trend : bool
        With relative yields, the trend of each site is fitted as well.
    """
    everything, numbers = [], np.unique(site)
    assert kinds[0] == YIELD
    for kind in kinds:
        k = found.kinds.index(kind)
        jacobian, error = found.jacobian[k], np.full(len(site), errors[kind])
        if relative and kind == YIELD:
            mean = {s: max(float(found.values[k][site == s].mean()), 1e-6) for s in numbers}
            error = error / np.array([mean[s] for s in site])
            _, jacobian = relative_sensitivities(found.values[k], jacobian, site, year, trend)
        everything.append(jacobian / error[:, None])
    scaled = np.stack(everything)
    names, own = found.names, [site == s for s in numbers]

    def of_sites(kinds: slice) -> np.ndarray:
        return np.stack([fisher_matrix(np.concatenate(list(scaled[kinds][:, k])), 1.0)
                         for k in own])

    everywhere, by_yields = of_sites(slice(None)), of_sites(slice(1))
    # yields say what is small: more observations shall not see less
    largest = [float(np.linalg.eigvalsh(f)[-1]) for f in by_yields]
    posterior = np.stack([analyse(f, names, most).posterior_sd
                          for f, most in zip(everywhere, largest, strict=True)])
    matrices = [(everywhere.sum(axis=0), by_yields.sum(axis=0)),
                (everywhere.mean(axis=0), by_yields.mean(axis=0))]
    most = [float(np.linalg.eigvalsh(f)[-1]) for _, f in matrices]
    (common, one), together = (
        [analyse(f, names, m) for (f, _), m in zip(matrices, most, strict=True)],
        [learnable(f, names, m) for (f, _), m in zip(matrices, most, strict=True)])
    return Findings(label, kinds, common, one, posterior, (together[0], together[1]))


def _count(seasons: Seasons, rows: np.ndarray) -> int:
    return len(np.unique(seasons.table["site"].to_numpy()[rows]))


def _checks(
    config: IdentifyConfig, rollout: Rollout, seasons: Seasons, rows: np.ndarray, scale: Scale
) -> dict[str, Any]:
    """Differences against those of half the step, and of a small step against the gradient."""
    how = config.identify
    if not how.check_seasons:
        return {}
    few = rows[:: max(1, len(rows) // how.check_seasons)][: how.check_seasons]
    steps = [by_differences(rollout, seasons, few, scale, how.step * share)
             for share in (1.0, 0.5, SMALL_STEP)]
    exact = by_gradient(rollout, seasons, few, scale)
    pairs = {"half_step": disagreement(steps[1], steps[0]),
             "gradient": disagreement(steps[2], exact)}
    return {"seasons": len(few)} | {
        name: {kind: dict(zip(scale.names, row.tolist(), strict=True))
               for kind, row in zip(exact.kinds, apart, strict=True)}
        for name, apart in pairs.items()}


def _record(
    config: IdentifyConfig, scale: Scale, findings: list[Findings], errors: Mapping[str, float],
    checks: Mapping[str, Any],
) -> dict[str, Any]:
    how = config.identify
    return {
        "crop": crop_of(config), "yields": config.loss.yields,
        "signal_to_noise": how.signal_to_noise, "errors": dict(errors),
        "prior_sd": how.prior_sd, "method": how.method, "step": how.step,
        "parameters": {
            name: {"catalogue": float(scale.centre[k]), "lower": float(scale.lower[k]),
                   "upper": float(scale.upper[k]), "prior_sd": float(scale.unit[k])}
            for k, name in enumerate(scale.names)},
        "observations": {f.label: {
            "kinds": list(f.kinds),
            "common": _information(f.common, f.together[0]),
            "site": _information(f.site, f.together[1]) | {
                "median_posterior_sd": dict(zip(
                    scale.names, np.median(f.site_sd, axis=0).tolist(), strict=True)),
                "share_of_sites_held": dict(zip(
                    scale.names, (f.site_sd < HELD).mean(axis=0).tolist(), strict=True))},
        } for f in findings},
        "checks": dict(checks)}


def _information(found: Information, together: list[str]) -> dict[str, Any]:
    def named(values: np.ndarray) -> dict[str, float]:
        return dict(zip(found.names, values.tolist(), strict=True))

    return {
        "eigenvalues": found.eigenvalues.tolist(),
        "relative_eigenvalues": (
            found.eigenvalues * FLOOR / max(found.floor, 1e-300)).tolist(),
        "directions_seen": found.n_seen,
        "loadings": [dict(found.loadings(k)) for k in range(len(found.names))],
        "vectors": found.vectors.T.tolist(),
        "alone_sd": named(found.alone_sd), "profile_sd": named(found.profile_sd),
        "posterior_sd": named(found.posterior_sd),
        "alike": [list(pair) for pair in found.alike()],
        "held": found.held, "not_held": found.not_held, "learnable_together": together}
