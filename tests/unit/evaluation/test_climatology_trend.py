"""Climatology with trend on made-up sites."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuralcrop.evaluation.baselines import climatology_trend


def sites(years: range) -> pd.DataFrame:
    """Six sites along a line whose levels and trends differ."""
    site, year = np.meshgrid(np.arange(6), np.array(years), indexing="ij")
    table = pd.DataFrame({"site": site.ravel(), "year": year.ravel()})
    table["lat"], table["lon"] = 40.0, table["site"] * 1.0
    table["observed"] = 3.0 + table["site"] + 0.01 * table["site"] * (table["year"] - 2000)
    return table


def test_lines_are_continued() -> None:
    train, later = sites(range(1990, 2006)), sites(range(2006, 2011))
    np.testing.assert_allclose(climatology_trend(train, later), later["observed"], atol=1e-9)


def test_an_unseen_site_is_like_its_neighbours() -> None:
    train, target = sites(range(1990, 2006)), sites(range(1990, 2006)).query("site == 5")
    train = train.query("site < 5")
    predicted = climatology_trend(train, target)
    assert abs(predicted.mean() - (3.0 + 2.0)) < 0.1  # the mean of all five
    assert np.all(np.diff(predicted) > 0.0)


def test_few_years_take_the_trend_of_all() -> None:
    train = sites(range(1990, 2006)).query("site > 0 or year > 2002")
    later = sites(range(2006, 2008)).query("site == 0")
    slope = np.diff(climatology_trend(train, later))[0]
    assert 0.0 < slope < 0.06


def test_too_few_years_in_all_give_no_trend() -> None:
    train, later = sites(range(2000, 2005)), sites(range(2005, 2008))
    predicted = climatology_trend(train, later)
    for site in range(6):
        mean = train.query("site == @site")["observed"].mean()
        np.testing.assert_allclose(predicted[later["site"] == site], mean)


def test_never_negative() -> None:
    train = sites(range(1990, 2006))
    train["observed"] = 5.0 - 0.3 * (train["year"] - 1990)
    assert climatology_trend(train, sites(range(2030, 2032))).min() == 0.0
