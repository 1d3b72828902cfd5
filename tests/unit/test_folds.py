"""Folds of every test: nothing is in both sides, and both are what was asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from neuralcrop.data.folds import (
    TESTS,
    Plan,
    blocks_of_places,
    fold_years,
    make_tests,
    years_by_warmth,
)

PLAN = Plan(train_years=(2001, 2006), score_years=(2008, 2010), blocks=4,
            drought_years=(2003, 2007))


def table() -> pd.DataFrame:
    """Twenty sites on a grid, ten years, some of them missing."""
    site, year = (a.ravel() for a in np.meshgrid(np.arange(20), np.arange(2001, 2011),
                                                 indexing="ij"))
    out = pd.DataFrame({"site": site, "year": year, "lat": 38.0 + site // 5,
                        "lon": -92.0 + site % 5})
    return out.drop(index=[3, 77, 150]).reset_index(drop=True)


def warmth() -> np.ndarray:
    """Even years are warmer, later ones too."""
    year = table()["year"].to_numpy()
    return (year - 2000.0) * 0.1 + (year % 2 == 0) * 5.0


def test_no_row_is_in_both_sides() -> None:
    tests = make_tests(table(), warmth(), PLAN)
    assert list(tests) == list(TESTS)
    for name, folds in tests.items():
        assert len({f.name for f in folds}) == len(folds)
        for fold in folds:
            assert fold.test == name
            assert not set(fold.train) & set(fold.score)
            assert (np.diff(fold.train) > 0).all()
            assert (np.diff(fold.score) > 0).all()


def test_years_of_the_tests() -> None:
    samples, tests = table(), make_tests(table(), warmth(), PLAN)

    def years(test: str, k: int = 0) -> dict[str, list[int]]:
        return dict(fold_years(samples, tests[test][k]))

    assert years("last_years") == {"train": [*range(2001, 2007)], "score": [2008, 2009, 2010]}
    assert years("drought")["score"] == [2003, 2007]
    assert len(years("drought")["train"]) == 8
    # cooler half: the odd years; hottest quarter of ten: two, rounded to even
    assert years("warm_tail") == {"train": [2001, 2003, 2005, 2007, 2009], "score": [2008, 2010]}
    assert [f.name for f in tests["leave_one_year_out"]] == [str(y) for y in range(2001, 2011)]
    assert years("leave_one_year_out", 4)["score"] == [2005]


@pytest.mark.parametrize("test", ["leave_one_year_out", "spatial_blocks"])
def test_every_row_is_scored_once(test: str) -> None:
    folds = make_tests(table(), warmth(), PLAN, [test])[test]
    rows = np.sort(np.concatenate([f.score for f in folds]))
    np.testing.assert_array_equal(rows, np.arange(len(table())))
    for fold in folds:
        assert len(fold.train) + len(fold.score) == len(table())


def test_blocks_are_of_neighbours_and_do_not_depend_on_order() -> None:
    samples = table().drop_duplicates("site")
    lat, lon = samples["lat"].to_numpy(), samples["lon"].to_numpy()
    block = blocks_of_places(lat, lon, 4)
    assert sorted(np.unique(block)) == [0, 1, 2, 3]
    assert np.bincount(block).min() >= 3
    middle = np.array([[lat[block == b].mean(), lon[block == b].mean()] for b in range(4)])
    assert (np.diff(middle[:, 0]) <= 0.0).all()  # from north to south
    nearest = ((np.stack([lat, lon], 1)[:, None] - middle) ** 2
               * [1.0, np.cos(np.deg2rad(39.5)) ** 2]).sum(-1).argmin(1)
    assert (nearest == block).mean() > 0.9
    reverse = blocks_of_places(lat[::-1], lon[::-1], 4)[::-1]
    pairs = {(int(a), int(b)) for a, b in zip(block, reverse, strict=True)}
    assert len(pairs) <= 6  # ties on a grid apart, the same blocks


def test_an_outlier_is_no_block() -> None:
    random = np.random.default_rng(0)
    lat, lon = 40.0 + random.random(60), -90.0 + random.random(60)
    lon[0] += 1.0
    assert np.bincount(blocks_of_places(lat, lon, 5)).min() > 3


def test_blocks_across_the_date_line() -> None:
    lat = np.zeros(4)
    block = blocks_of_places(lat, np.array([179.0, -179.0, 150.0, 151.0]), 2)
    assert block[0] == block[1] != block[2] == block[3]


def test_what_cannot_be_made_is_left_out_or_refused() -> None:
    samples = table()
    late = Plan(train_years=(1980, 1990), score_years=(2001, 2002), drought_years=(1988,), blocks=3)
    assert set(make_tests(samples, warmth(), late)) == {
        "leave_one_year_out", "spatial_blocks", "warm_tail"}
    with pytest.raises(ValueError, match="no test last_year"):
        make_tests(samples, warmth(), PLAN, ["last_year"])
    with pytest.raises(ValueError, match="training ends in 2008"):
        make_tests(samples, warmth(), Plan((2001, 2008), (2008, 2010)), ["last_years"])
    with pytest.raises(ValueError, match="sum to one"):
        make_tests(samples, warmth(), Plan(cool_share=0.9), ["warm_tail"])
    with pytest.raises(ValueError, match="warmth has shape"):
        make_tests(samples, warmth()[:5], PLAN, ["warm_tail"])
    with pytest.raises(ValueError, match="30 spatial blocks"):
        make_tests(samples, warmth(), Plan(blocks=30), ["spatial_blocks"])


def test_years_are_ordered_by_the_mean_of_their_samples() -> None:
    year = np.array([2001, 2001, 2002, 2003])
    assert years_by_warmth(year, np.array([0.0, 4.0, 1.0, 3.0])).tolist() == [2002, 2001, 2003]
