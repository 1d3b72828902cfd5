"""Sections of a page that training runs and evaluations share: scores, figures, extremes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from neuralcrop.data.covariates import Covariates
from neuralcrop.evaluation import ensembles, figures, learnt
from neuralcrop.evaluation import html_page as html
from neuralcrop.evaluation.metrics import rmse, site_anomalies, site_scores
from neuralcrop.evaluation.report import COLUMNS, cells
from neuralcrop.models.crop_model import CropModel

TRAIN = "train"
"""Part of the samples that training sees."""

WORST_SITES = 10
"""Sites that are listed."""

MOST_PARAMETERS = 6
"""Learnt parameters that are drawn."""

MOST_COVARIATES = 4
"""Covariates that are drawn for each."""


@dataclass(frozen=True)
class Shown:
    """What a page is about.

    Attributes
    ----------
    table : pandas.DataFrame
        Samples: ``site``, ``label``, ``year``, ``lat``, ``lon``, ``observed``, ``predicted`` (of
        `variant`), and where there are any ``part``, ``area``, ``region``.
    variant : str
        Which predictions the figures show.
    predictions : mapping of str to numpy.ndarray
        ``[row]`` by variant.
    members : numpy.ndarray or None
        ``[member, row]`` where `variant` is an ensemble.
    quantiles : tuple of float
        Of members, drawn as a band.
    models : sequence of CropModel
        Of the members, or the one; none without a model.
    covariates : Covariates or None
        Of all sites, as the models want them.
    """

    table: pd.DataFrame
    variant: str
    predictions: Mapping[str, np.ndarray] = field(default_factory=dict)
    members: np.ndarray | None = None
    quantiles: tuple[float, float] = (0.1, 0.9)
    models: Sequence[CropModel] = ()
    covariates: Covariates | None = None

    @property
    def unseen(self) -> np.ndarray:
        """Rows that training has not seen, as far as the table says."""
        if "part" not in self.table:
            return np.ones(len(self.table), bool)
        return (self.table["part"] != TRAIN).to_numpy()

    @property
    def comparable(self) -> bool:
        """Whether any sample has both yields."""
        both = self.table[["observed", "predicted"]].to_numpy(float)
        return bool(np.isfinite(both).all(axis=1).any())


def score_table(records: Mapping[str, Mapping[str, float | int]], first: str) -> str:
    """Scores, a row each; the lowest RMSE is marked."""
    known = {k: r["rmse"] for k, r in records.items() if np.isfinite(r["rmse"])}
    best = min(known, key=lambda k: known[k]) if len(known) > 1 else None
    return html.table([first, *COLUMNS.values()],
                      [[name, *cells(record)] for name, record in records.items()],
                      marked=[k for k, name in enumerate(records) if name == best])


def grouped_table(
    by_variant: Mapping[str, Mapping[str, Mapping[str, float | int]]], first: str
) -> str:
    """Scores of groups (years, regions), the variants of each below one another."""
    groups = list(dict.fromkeys(g for by_group in by_variant.values() for g in by_group))
    rows = [[group, name, *cells(by_group[group])] for group in groups
            for name, by_group in by_variant.items() if group in by_group]
    return html.table([first, "variant", *COLUMNS.values()], rows, texts=(1,))


def agreement(shown: Shown, spans: Mapping[str, tuple[int, int]] | None = None) -> str:
    """Scatter, years, maps of skill and the sites with the largest errors."""
    if not shown.comparable:
        return ""
    name, table = shown.variant, shown.table
    others = {k: v for k, v in shown.predictions.items() if k != name and "seed" not in k}
    band = "" if shown.members is None else (
        " Band: quantiles of the members' means, which have no observation error.")
    return html.section(
        f"Observed and predicted: {name}",
        html.image(figures.scatter(table), f"Predicted against observed yields, {name}",
                   f"Yields of all samples, {figures.UNITS}; grey: equal."),
        html.image(figures.time_series(table, shown.members, others, shown.quantiles, spans),
                   f"Mean yield of each year, observed and {name}",
                   "Means over the sites of each year" + (
                       ", weighted by harvested area" if "area" in table else "")
                   + f"; predicted: {name}.{band}"),
        _skill(shown))


def _skill(shown: Shown) -> str:
    """Maps of skill and the worst sites, of unseen samples where these have years enough."""
    table, words = shown.table, "all samples"
    unseen = table[shown.unseen]
    if len(unseen) < len(table):
        found = site_scores(unseen)
        if np.isfinite(found["r"]).any():
            table, words = unseen, "samples that training has not seen"
    sites = site_scores(table)
    maps = [html.image(figure, f"Map of {key} of each site",
                       f"{'RMSE' if key == 'rmse' else 'r'} of each site, {words}."
                       + (" Grey: fewer than three years, or no variance." if key == "r" else ""))
            for key, figure in figures.skill_maps(sites).items()]
    worst = sites.sort_values("rmse", ascending=False, kind="stable").head(WORST_SITES)
    rows = [[row["label"], html.number(row["lat"], 2), html.number(row["lon"], 2),
             html.number(row["rmse"]), html.number(row["r"], 2), int(row["n"])]
            for row in worst.to_dict("records")]
    return html.subsection("Skill of each site", html.gallery(maps), html.details(
        f"Sites with the largest errors ({words})",
        html.table(["site", "lat", "lon", "RMSE", "r", "n"], rows)))


def spread(shown: Shown) -> str:
    """Whether the spread of an ensemble can be trusted; nothing without one."""
    found = coverages(shown)
    if not found:
        return ""
    noise = any("noise" in label for label in found)
    words = "Members alone have no observation error, so that they cover less than they should" + (
        "; noise is what the training samples leave unexplained." if noise else ".")
    levels = list(next(iter(found.values())))
    rows = [[label, *(html.number(by[level], 2) for level in levels)]
            for label, by in found.items()]
    return html.section(
        "Reliability",
        html.image(figures.reliability(found), "Coverage of central intervals",
                   f"Share of observations inside the central intervals. {words}"),
        html.details("Numbers", html.table(
            ["interval", *(f"{level:.0%}" for level in levels)], rows)))


def coverages(shown: Shown) -> dict[str, dict[float, float]]:
    """Coverage of central intervals, of samples that training saw and others; {} for no ensemble.

    With training samples also of intervals with a noise whose variance is what is left of their
    mean square error beside the variance of members.
    """
    if shown.members is None or len(shown.members) < 2 or not shown.comparable:
        return {}
    observed, unseen = shown.table["observed"].to_numpy(float), shown.unseen
    groups = {"training samples": ~unseen, "other samples": unseen} if (~unseen).any() else {
        "": unseen}
    noise = 0.0
    if (~unseen).any():
        members = shown.members[:, ~unseen]
        left = rmse(observed[~unseen], members.mean(axis=0)) ** 2 - np.nanmean(
            members.var(axis=0, ddof=1))
        noise = float(np.sqrt(max(left, 0.0)))
    out = {}
    for name, rows in groups.items():
        if not rows.any():
            continue
        head = f"{name}, " if name else ""
        own = shown.members[:, rows]
        out[f"{head}members"] = ensembles.reliability(observed[rows], own)
        if noise > 0.0:
            out[f"{head}members and noise"] = ensembles.reliability(
                observed[rows], own, noise=noise)
    return out


def extremes(shown: Shown, record: Mapping[str, Any] | None) -> str:
    """Anomalies by year and scores of the worst years, from `extremes.extreme_scores`."""
    good = shown.table[np.isfinite(shown.table["observed"])
                       & np.isfinite(shown.table["predicted"])]
    if record is None or not site_anomalies(good, "observed").notna().any():
        return ""
    worst = ", ".join(map(str, record["worst_years"]))
    rows = [[name, html.number(own["rmse"]), *(html.number(own[key], 2) for key in (
        "loss_share", "hit_rate", "false_alarm_ratio", "csi"))]
        for name, own in record["variants"].items()]
    return html.section(
        "Anomalies and extremes",
        html.image(figures.anomalies(good, record["worst_years"]),
                   f"Mean anomaly of each year, observed and {shown.variant}",
                   "Mean departure from the trend of each site; shaded: the worst tenth of years. "
                   f"Predicted: {shown.variant}."),
        html.table(["variant", "RMSE of the worst years", "share of the loss", "hit rate",
                    "false alarms", "critical success"], rows),
        html.paragraph(
            f"Worst years: {worst}, by mean loss from {record['line'].replace('_', ' ')}. Share of "
            "the loss: predicted over observed mean loss of these years. Hits and false alarms: "
            "anomalies of single site-years below minus one standard deviation of the observed "
            "ones, all samples."))


def learnt_parameters(shown: Shown) -> str:
    """Maps of the parameters that networks give, and their partial dependence on climate."""
    known = learnt.network_parameters(shown.models[0]) if shown.models else []
    if not known or shown.covariates is None:
        return ""
    sites = learnt.site_values(shown.models, shown.covariates, shown.table)
    curves = learnt.partial_dependence(
        shown.models, shown.covariates, shown.table["site"].to_numpy())
    ranges = {p.name: float(np.ptp(sites[p.name])) / max(p.upper - p.lower, 1e-30) for p in known}
    drawn = sorted(known, key=lambda p: -ranges[p.name])[:MOST_PARAMETERS]
    left = len(known) - len(drawn)
    mean = " Mean of the members." if len(shown.models) > 1 else ""
    more = f" {left} that vary less are not drawn." if left else ""
    maps = [html.image(figures.parameter_map(sites, p.name, p.units), f"Map of {p.name}")
            for p in drawn]
    lines = [html.image(
        figures.dependence(p.name, p.units, curves[p.name][:MOST_COVARIATES], p.constant),
        f"{p.name} along climate covariates") for p in drawn if curves[p.name]]
    return html.section(
        "Learnt parameters", html.paragraph(
            "Values that the network gives to each site, those that use most of their range "
            f"first.{mean}{more}"),
        html.gallery(maps),
        html.subsection(
            "Dependence on climate", *([html.paragraph(
                "Each covariate runs through the range of the sites, the others stay as they are. "
                "Line: mean over sites; band: 10 % to 90 % of sites; grey: the value without the "
                f"network. Up to {MOST_COVARIATES} covariates with the largest effect."),
                html.gallery(lines)] if lines else [])))
