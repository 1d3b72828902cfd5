"""Figures of reports: what their axes hold."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from numpy.testing import assert_allclose

from neuralcrop.evaluation import figures
from neuralcrop.evaluation.ensembles import reliability
from neuralcrop.evaluation.learnt import Dependence
from neuralcrop.evaluation.metrics import site_scores


@pytest.fixture
def samples() -> pd.DataFrame:
    """Two sites of five years, the second twice as large, with a trend; the last two are a test."""
    year = np.tile(np.arange(2001, 2006), 2)
    site = np.repeat([0, 1], 5)
    observed = np.array([2.0, 3.0, 1.0, 3.0, 2.0, 4.0, 4.5, 5.0, 5.5, 6.0])
    return pd.DataFrame({
        "site": site, "label": np.where(site == 0, "north", "south"), "year": year,
        "lat": np.where(site == 0, 50.0, -30.0), "lon": np.where(site == 0, 10.0, 350.0),
        "observed": observed, "predicted": observed + np.where(site == 0, 0.5, -1.0),
        "part": np.where(year > 2003, "test", "train"),
        "area": np.where(site == 0, 1.0, 3.0)})


def lines(figure: Figure, axis: int = 0) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """Data of the labelled lines of axes."""
    return {str(line.get_label()): (np.asarray(line.get_xdata()), np.asarray(line.get_ydata()))
            for line in figure.axes[axis].get_lines()}


def shaded(figure: Figure) -> list[tuple[float, float]]:
    """Left and right ends of the spans behind the first axes."""
    return [(float(p.get_x()), float(p.get_x() + p.get_width()))
            for p in figure.axes[0].patches if p.get_zorder() == 0]


def test_scatter_has_a_panel_for_each_part(samples: pd.DataFrame) -> None:
    samples.loc[9, "predicted"] = np.nan
    figure = figures.scatter(samples)
    for axis, part, count in zip(figure.axes, ("train", "test"), (6, 3), strict=True):
        own = samples[(samples["part"] == part) & samples["predicted"].notna()]
        assert_allclose(axis.collections[0].get_offsets(), own[["observed", "predicted"]])
        r = np.corrcoef(own["observed"], own["predicted"])[0, 1]
        rmse = np.sqrt(np.mean((own["predicted"] - own["observed"]) ** 2))
        assert axis.get_title("left") == f"{part}\nr {r:.2f}, RMSE {rmse:.2f}, n {count}"
        x, y = axis.get_lines()[0].get_data()
        assert_allclose(x, y)  # equality
        assert axis.get_xlim() == axis.get_ylim()


def test_scatter_without_parts_is_one_panel(samples: pd.DataFrame) -> None:
    (axis,) = figures.scatter(samples.drop(columns="part")).axes
    assert len(axis.collections[0].get_offsets()) == 10


def test_maps_hold_the_skill_of_each_site(samples: pd.DataFrame) -> None:
    sites = site_scores(samples)
    maps = figures.skill_maps(sites)
    assert list(maps) == ["rmse", "r"]
    grey, points = maps["rmse"].axes[0].collections
    assert len(grey.get_offsets()) == 0
    # longitudes from -180 to 180
    assert_allclose(points.get_offsets(), [[10.0, 50.0], [-10.0, -30.0]])
    assert_allclose(points.get_array(), [0.5, 1.0])
    assert_allclose(maps["r"].axes[0].collections[1].get_array(), [1.0, 1.0])


def test_a_site_without_r_is_grey_and_no_r_is_no_map(samples: pd.DataFrame) -> None:
    few = samples[(samples["site"] == 0) | (samples["year"] < 2003)]
    grey, points = figures.skill_maps(site_scores(few))["r"].axes[0].collections
    assert_allclose(grey.get_offsets(), [[-10.0, -30.0]])
    assert_allclose(points.get_offsets(), [[10.0, 50.0]])
    assert list(figures.skill_maps(site_scores(samples[samples["year"] < 2003]))) == ["rmse"]


def test_maps_of_many_cells() -> None:
    lat, lon = (a.ravel() for a in np.meshgrid(np.arange(-40, 60, 1.0), np.arange(-60, 60, 1.0)))
    values = np.linspace(10.0, 11.0, lat.size)
    figure = figures.parameter_map(pd.DataFrame({"lat": lat, "lon": lon, "g1": values}), "g1", "u")
    points = figure.axes[0].collections[1]
    assert len(points.get_offsets()) == 12000
    assert_allclose(points.get_array(), values)
    assert points.get_sizes()[0] < 6.0
    # colours are those of the range, not from zero on
    assert points.norm.vmin == pytest.approx(10.0)
    assert figure.axes[0].get_title("left") == "g1"


def test_a_map_of_a_constant() -> None:
    table = pd.DataFrame({"lat": [1.0], "lon": [2.0], "p": [3.0]})
    figure = figures.parameter_map(table, "p", "1")
    assert_allclose(figure.axes[0].collections[1].get_array(), [3.0])


def test_time_series_weighs_with_the_area(samples: pd.DataFrame) -> None:
    found = lines(figures.time_series(samples))
    years, observed = found["observed"]
    assert_allclose(years, np.arange(2001, 2006))
    assert_allclose(observed, 0.25 * samples["observed"][:5].to_numpy()
                    + 0.75 * samples["observed"][5:].to_numpy())
    assert_allclose(found["predicted"][1] - observed, 0.25 * 0.5 - 0.75)
    alike = lines(figures.time_series(samples.drop(columns="area")))
    assert_allclose(alike["observed"][1], samples.groupby("year")["observed"].mean())


def test_time_series_with_other_variants_and_parts(samples: pd.DataFrame) -> None:
    samples.loc[0, "observed"] = np.nan
    figure = figures.time_series(
        samples, others={"physics": samples["predicted"].to_numpy() + 1.0},
        spans={"train": (2001, 2003), "test": (2004, 2005), "none": (1990, 1991)})
    found = lines(figure)
    assert_allclose(found["physics"][1] - found["predicted"][1], 1.0)
    assert found["observed"][1][0] == pytest.approx(4.0)  # what is there of the first year
    names = [t.get_text() for t in figure.axes[0].texts]
    assert names == ["train", "test"]
    assert shaded(figure) == [(2003.5, 2005.5)]


def test_the_band_is_of_the_means_of_members(samples: pd.DataFrame) -> None:
    # members that err in opposite ways at the two sites, with means that agree
    swing = np.where(samples["site"] == 0, 3.0, -1.0)
    predicted = samples["predicted"].to_numpy()
    members = np.stack([predicted + swing, predicted - swing, predicted + 1.0, predicted - 1.0])
    figure = figures.time_series(samples, members, quantiles=(0.0, 1.0))
    band = figure.axes[0].collections[0].get_paths()[0].vertices
    mean = lines(figure)["predicted"][1]
    for k, year in enumerate(range(2001, 2006)):
        own = band[np.isclose(band[:, 0], year), 1]
        assert own.max() == pytest.approx(mean[k] + 1.0)
        assert own.min() == pytest.approx(mean[k] - 1.0)


def test_a_year_without_area_counts_its_sites_alike(samples: pd.DataFrame) -> None:
    samples.loc[samples["year"] == 2002, "area"] = 0.0
    means = figures.yearly_means(samples, samples["observed"].to_numpy())
    assert means[2002] == pytest.approx((3.0 + 4.5) / 2)
    assert means[2001] == pytest.approx((2.0 + 3 * 4.0) / 4)


def test_reliability_draws_achieved_against_nominal() -> None:
    random = np.random.default_rng(0)
    found = reliability(random.normal(size=500), random.normal(size=(40, 500)))
    figure = figures.reliability({"other_samples": found, "one interval": {0.8: 0.5}})
    drawn = lines(figure)
    assert_allclose(drawn["other samples"][0], list(found))
    assert_allclose(drawn["other samples"][1], list(found.values()))
    assert_allclose(drawn["one interval"], [[0.8], [0.5]])
    assert_allclose(figure.axes[0].get_lines()[0].get_data(), [[0, 1], [0, 1]])


def test_anomalies_are_without_trends_and_worst_years_are_marked(samples: pd.DataFrame) -> None:
    figure = figures.anomalies(samples.drop(columns="area"), [2003])
    axis = figure.axes[0]
    bars = [p for p in axis.patches if p.get_zorder() != 0]
    first = samples["observed"][:5].to_numpy()
    expected = 0.5 * (first - np.polyval(np.polyfit(range(5), first, 1), range(5)))
    assert_allclose([b.get_height() for b in bars], expected, atol=1e-12)
    assert_allclose(lines(figure)["predicted"][1], expected, atol=1e-12)
    assert shaded(figure) == [(2002.5, 2003.5)]


def test_dependence_has_mean_spread_and_constant() -> None:
    at = np.linspace(10.0, 20.0, 5)
    curves = [Dependence(name, "K", at, at * k, at * k - 1.0, at * k + 2.0)
              for k, name in enumerate(("tas_annual", "tas_season", "pr_annual"), 1)]
    figure = figures.dependence("vcmax25", "umol", curves, 42.0)
    assert len(figure.axes) == 4
    for k, axis in enumerate(figure.axes[:3], 1):
        constant, mean = axis.get_lines()
        assert set(constant.get_ydata()) == {42.0}
        assert_allclose(mean.get_data(), [at, at * k])
        band = axis.collections[0].get_paths()[0].vertices
        assert band[np.isclose(band[:, 0], 10.0), 1].max() == pytest.approx(10.0 * k + 2.0)
    assert figure.axes[0].get_xlabel() == "tas annual, K"
    assert not figure.axes[3].axison


def test_progress_has_a_line_for_each_stage_and_marks_the_best() -> None:
    metrics = pd.DataFrame({
        "stage": ["tuned", "tuned", "hybrid", "hybrid", "hybrid"], "epoch": [0, 1, 0, 1, 2],
        "train_loss": [3.0, 2.0, 1.5, 1.0, 0.5], "validate_rmse": [1.0, 0.9, 0.8, 0.6, 0.7]})
    figure = figures.progress(metrics)
    loss, score = figure.axes
    drawn = {line.get_label(): line.get_data() for line in loss.get_lines()}
    assert_allclose(drawn["hybrid"], [[0, 1, 2], [1.5, 1.0, 0.5]])
    rings = [line for line in score.get_lines() if line.get_markerfacecolor() == "none"]
    assert [(float(r.get_xdata()[0]), float(r.get_ydata()[0])) for r in rings] == [
        (1.0, 0.9), (1.0, 0.6)]
    assert to_hex(rings[1].get_color()) == figures.PALETTE[1]
    assert len(figures.progress(metrics.drop(columns="validate_rmse")).axes) == 1
