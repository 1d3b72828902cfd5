"""Figures of reports: pure functions from tables to Matplotlib figures.

Tables are those of samples: ``site``, ``year``, ``lat``, ``lon``, ``observed`` and ``predicted``
(t ha-1 dry matter), perhaps ``part`` (of a training run) and ``area``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Literal

import numpy as np
import pandas as pd

from neuralcrop.evaluation.metrics import correlation, rmse, site_anomalies

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from neuralcrop.evaluation.learnt import Dependence

UNITS = "t ha⁻¹ dry matter"

INK, GREY = "#2b3036", "#9aa1a8"
OBSERVED, PREDICTED = "#2b3036", "#0072b2"

PALETTE = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#7f7f7f")
"""Colours that colour-blind people can tell apart (Okabe and Ito 2008)."""

_WIDTH = 7.2
"""Width of a figure, inches."""


def scatter(table: pd.DataFrame) -> Figure:
    """Predicted against observed yields, a panel for each part, with the line of equality.

    Parameters
    ----------
    table : pandas.DataFrame
        ``observed``, ``predicted`` and, if there are parts, ``part``.
    """
    good = _finite(table)
    parts = {str(p): own for p, own in good.groupby("part", sort=False)} if (
        "part" in good) else {"": good}
    columns = min(len(parts), 3)
    rows = -(-len(parts) // columns)
    side = _WIDTH / 3.0 if len(parts) > 1 else 4.0
    figure = _figure(side * columns, (side + 0.25) * rows)
    axes = figure.subplots(rows, columns, squeeze=False).ravel()
    both = good[["observed", "predicted"]].to_numpy(float)
    low, high = min(float(both.min()), 0.0), float(both.max())
    room = 0.04 * max(high - low, 1e-6)
    limits = (low - room, high + room)
    for axis, (part, own) in zip(axes, parts.items(), strict=False):
        o, s = own["observed"], own["predicted"]
        axis.plot(limits, limits, color=GREY, linewidth=1, zorder=0)
        axis.scatter(o, s, s=_size(len(own)), color=PREDICTED, alpha=0.5, linewidths=0)
        head = f"{part.replace('_', ' ')}\n" if part else ""
        axis.set_title(f"{head}r {correlation(o, s):.2f}, RMSE {rmse(o, s):.2f}, n {len(own)}",
                       fontsize=8, loc="left")
        axis.set(xlim=limits, ylim=limits, aspect="equal")
        _style(axis, "observed", "predicted")
    for axis in axes[len(parts):]:
        axis.set_axis_off()
    return figure


def skill_maps(sites: pd.DataFrame) -> dict[str, Figure]:
    """Maps of the skill of each site: RMSE, and r over years where it can be had.

    Parameters
    ----------
    sites : pandas.DataFrame
        From `neuralcrop.evaluation.metrics.site_scores`.
    """
    from neuralcrop.output.maps import points_figure

    lat, lon = sites["lat"].to_numpy(float), sites["lon"].to_numpy(float)
    out = {}
    for name, title, units in (("rmse", "RMSE", UNITS), ("r", "r over years", "")):
        values = sites[name].to_numpy(float)
        if np.isfinite(values).any():
            out[name] = points_figure(values, lat, lon, title, units, name == "r", width=5.0)
    return out


def time_series(
    table: pd.DataFrame, members: np.ndarray | None = None,
    others: Mapping[str, np.ndarray] | None = None,
    quantiles: tuple[float, float] = (0.1, 0.9),
    spans: Mapping[str, tuple[int, int]] | None = None,
) -> Figure:
    """Means over sites of each year, observed and predicted, weighted by area where there is one.

    Parameters
    ----------
    table : pandas.DataFrame
        ``year``, ``observed``, ``predicted``, perhaps ``area``.
    members : numpy.ndarray, optional
        ``[member, row]`` predictions of an ensemble; the band is of the quantiles of their means.
    others : mapping of str to numpy.ndarray, optional
        ``[row]`` predictions of other variants, thin lines.
    quantiles : tuple of float
        Of the band.
    spans : mapping of str to tuple of int, optional
        First and last year of the parts, marked below.
    """
    known = np.isfinite(table["observed"]) & np.isfinite(table["predicted"])
    good = table[known]
    figure = _figure(_WIDTH, 3.2)
    axis = figure.subplots()
    if members is not None:
        means = np.stack([yearly_means(good, m[known.to_numpy()]) for m in members])
        low, high = np.quantile(means, quantiles, axis=0)
        years = np.unique(good["year"])
        axis.fill_between(years, low, high, color=PREDICTED, alpha=0.2, linewidth=0,
                          label=f"{quantiles[0]:.0%} to {quantiles[1]:.0%} of members")
    for k, (name, values) in enumerate((others or {}).items()):
        means_of = yearly_means(good, np.asarray(values, float)[known.to_numpy()])
        axis.plot(means_of.index, means_of, color=PALETTE[1 + k % 6], linewidth=0.8, label=name)
    for name, colour in (("predicted", PREDICTED), ("observed", OBSERVED)):
        means_of = yearly_means(good, good[name].to_numpy(float))
        axis.plot(means_of.index, means_of, color=colour, linewidth=1.6, marker="o",
                  markersize=3, label=name)
    _year_axis(axis, good["year"])
    _mark_spans(axis, spans or {})
    _style(axis, "", UNITS)
    _legend(axis)
    return figure


def yearly_means(table: pd.DataFrame, values: np.ndarray) -> pd.Series:
    """Mean of each year over sites, weighted by ``area`` where the table has one."""
    year = table["year"].to_numpy()
    area = table["area"].to_numpy(float) if "area" in table else np.ones(len(table))
    sums = pd.DataFrame({"product": area * values, "area": area}).groupby(year).sum()
    plain = pd.Series(values).groupby(year).mean()
    # a year without area counts its sites alike
    return (sums["product"] / sums["area"].where(sums["area"] > 0.0)).fillna(plain)


def reliability(achieved: Mapping[str, Mapping[float, float]]) -> Figure:
    """Share of observations inside central intervals against the probability of these.

    Parameters
    ----------
    achieved : mapping of str to mapping of float to float
        By label, from `neuralcrop.evaluation.ensembles.reliability`.
    """
    figure = _figure(4.4, 4.2)
    axis = figure.subplots()
    axis.plot((0, 1), (0, 1), color=GREY, linewidth=1, zorder=0)
    for k, (label, found) in enumerate(achieved.items()):
        axis.plot(list(found), list(found.values()), marker="o", markersize=4,
                  color=PALETTE[k % len(PALETTE)], linewidth=1.2, label=label.replace("_", " "))
    axis.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    _style(axis, "probability of the interval", "share of observations inside")
    _legend(axis)
    return figure


def anomalies(table: pd.DataFrame, worst: Sequence[int] = ()) -> Figure:
    """Mean anomaly of each year, observed and predicted; the worst years are shaded.

    Parameters
    ----------
    table : pandas.DataFrame
        ``site``, ``year``, ``observed``, ``predicted``, perhaps ``area``.
    worst : sequence of int
        Years to mark.
    """
    good = _finite(table)
    figure = _figure(_WIDTH, 2.8)
    axis = figure.subplots()
    for year in worst:
        axis.axvspan(year - 0.5, year + 0.5, color="#f3dcd3", linewidth=0, zorder=0)
    departures = {c: site_anomalies(good, c) for c in ("observed", "predicted")}
    known = departures["observed"].notna().to_numpy()
    means = {c: yearly_means(good[known], v.to_numpy(float)[known])
             for c, v in departures.items()}
    axis.bar(means["observed"].index, means["observed"], width=0.7, color="#b9bfc5",
             label="observed")
    axis.plot(means["predicted"].index, means["predicted"], color=PREDICTED, marker="o",
              markersize=3.5, linewidth=1.2, label="predicted")
    axis.axhline(0.0, color=INK, linewidth=0.6)
    _year_axis(axis, good["year"])
    _style(axis, "", f"anomaly, {UNITS}")
    _legend(axis)
    return figure


def parameter_map(sites: pd.DataFrame, name: str, units: str) -> Figure:
    """Map of the values that a parameter has at sites.

    Parameters
    ----------
    sites : pandas.DataFrame
        ``lat``, ``lon`` and a column of the parameter.
    name, units : str
        Of the parameter.
    """
    from neuralcrop.output.maps import points_figure

    values, lat, lon = (sites[c].to_numpy(float) for c in (name, "lat", "lon"))
    return points_figure(values, lat, lon, name.replace("_", " "), units, from_zero=False,
                         width=5.0)


def dependence(name: str, units: str, curves: Sequence[Dependence], constant: float) -> Figure:
    """A parameter along covariates: mean and spread over sites, a panel for each covariate.

    Parameters
    ----------
    name, units : str
        Of the parameter.
    curves : sequence of Dependence
        One or more, from `neuralcrop.evaluation.learnt.partial_dependence`.
    constant : float
        Its value without the network, a grey line.
    """
    columns = min(len(curves), 2)
    rows = -(-len(curves) // columns)
    width, height = 2.5 * columns, 1.9 * rows
    # a fixed layout takes half the time of one that is solved for, and these are many
    figure = _figure(width, height, None)
    figure.subplots_adjust(0.72 / width, 0.45 / height, 1.0 - 0.12 / width, 1.0 - 0.1 / height,
                           wspace=0.12, hspace=0.45)
    axes = figure.subplots(rows, columns, squeeze=False, sharey=True).ravel()
    for axis, curve in zip(axes, curves, strict=False):
        axis.axhline(constant, color=GREY, linewidth=0.8)
        axis.fill_between(curve.at, curve.low, curve.high, color=PREDICTED, alpha=0.2, linewidth=0)
        axis.plot(curve.at, curve.mean, color=PREDICTED, linewidth=1.6)
        _style(axis, f"{curve.covariate.replace('_', ' ')}, {curve.units}", "")
    for axis in axes[len(curves):]:
        axis.set_axis_off()
    figure.supylabel(f"{name.replace('_', ' ')}, {units}", fontsize=8, color=INK)
    return figure


def progress(metrics: pd.DataFrame) -> Figure:
    """Loss and RMSE of the validation years by epoch, a colour for each stage.

    Parameters
    ----------
    metrics : pandas.DataFrame
        Of ``metrics.csv``: ``stage``, ``epoch``, ``train_loss``, ``validate_rmse``.
    """
    shown = [(c, text) for c, text in (
        ("train_loss", "training loss"), ("validate_rmse", f"validation RMSE, {UNITS}"))
        if c in metrics and metrics[c].notna().any()]
    figure = _figure(_WIDTH, 2.8)
    axes = figure.subplots(1, len(shown), squeeze=False)[0]
    for axis, (column, text) in zip(axes, shown, strict=True):
        for k, (stage, rows) in enumerate(metrics.groupby("stage", sort=False)):
            colour = PALETTE[k % len(PALETTE)]
            axis.plot(rows["epoch"], rows[column], color=colour, linewidth=1.4, marker=".",
                      markersize=4, label=str(stage))
            if column == "validate_rmse" and rows[column].notna().any():
                best = rows.sort_values(column, kind="stable").iloc[0]
                axis.plot([best["epoch"]], [best[column]], marker="o", markersize=7,
                          markerfacecolor="none", color=colour)
        axis.set_xlim(-0.5, float(metrics["epoch"].max()) + 0.5)
        axis.locator_params(axis="x", integer=True)
        _style(axis, "epoch", text)
    _legend(axes[0])
    return figure


def _figure(
    width: float, height: float, layout: Literal["constrained"] | None = "constrained"
) -> Figure:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout=layout)
    FigureCanvasAgg(figure)
    return figure


def _finite(table: pd.DataFrame) -> pd.DataFrame:
    return table[np.isfinite(table["observed"]) & np.isfinite(table["predicted"])]


def _size(count: int) -> float:
    """Area of a point among so many."""
    return float(np.clip(4000.0 / max(count, 1), 2.0, 16.0))


def _style(axis: Axes, x: str, y: str) -> None:
    axis.set_xlabel(x, fontsize=8, color=INK)
    axis.set_ylabel(y, fontsize=8, color=INK)
    axis.tick_params(labelsize=7.5, length=2, color=GREY, labelcolor=INK)
    for side, spine in axis.spines.items():
        spine.set(color=GREY, linewidth=0.6, visible=side in ("left", "bottom"))


def _legend(axis: Axes) -> None:
    if axis.get_legend_handles_labels()[1]:
        axis.legend(fontsize=7.5, frameon=False, labelcolor=INK)


def _year_axis(axis: Axes, years: pd.Series) -> None:
    axis.set_xlim(int(years.min()) - 0.6, int(years.max()) + 0.6)
    axis.locator_params(axis="x", integer=True)


def _mark_spans(axis: Axes, spans: Mapping[str, tuple[int, int]]) -> None:
    """Shade every second span and name all of them at the top."""
    low, high = axis.get_xlim()
    for k, (name, (first, last)) in enumerate(spans.items()):
        start, end = max(first - 0.5, low), min(last + 0.5, high)
        if start >= end:
            continue
        if k % 2:
            axis.axvspan(start, end, color="#eef1f4", linewidth=0, zorder=0)
        axis.text((start + end) / 2.0, 1.0, name, transform=axis.get_xaxis_transform(),
                  ha="center", va="bottom", fontsize=7.5, color=INK)
