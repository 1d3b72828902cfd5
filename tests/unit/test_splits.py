"""Parts of the samples do not overlap and are what was asked for."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch

from neuralcrop.data.errors import InputError
from neuralcrop.data.seasons import cuts
from neuralcrop.data.splits import held_out, split


def table() -> pd.DataFrame:
    """Ten sites, ten years."""
    site, year = np.meshgrid(np.arange(10), np.arange(2001, 2011), indexing="ij")
    return pd.DataFrame({"site": site.ravel(), "year": year.ravel(),
                         "label": [f"county C{s} (lat 40 lon {s})" for s in site.ravel()]})


def test_parts() -> None:
    samples = table()
    parts = split(samples, (2001, 2005), (2006, 2008), (2009, 2010), 0.2, seed=3)
    assert {k: len(v) for k, v in parts.items()} == {
        "train": 40, "validate": 24, "test": 16, "new_sites": 10, "new_sites_new_years": 10}
    rows = np.concatenate(list(parts.values()))
    assert len(np.unique(rows)) == len(rows)
    apart = set(samples["site"].iloc[parts["new_sites"]])
    assert not apart & set(samples["site"].iloc[parts["train"]])
    again = split(samples, (2001, 2005), (2006, 2008), (2009, 2010), 0.2, seed=3)
    other = split(samples, (2001, 2005), (2006, 2008), (2009, 2010), 0.2, seed=4)
    np.testing.assert_array_equal(parts["train"], again["train"])
    assert not np.array_equal(parts["new_sites"], other["new_sites"])


def test_without_test_years_new_sites_are_seen_in_validation_years() -> None:
    parts = split(table(), (2001, 2005), (2006, 2008), None, [0])
    assert set(table()["year"].iloc[parts["new_sites_new_years"]]) == {2006, 2007, 2008}
    assert "test" not in parts


def test_sites_by_number_and_name() -> None:
    assert held_out(table(), [3, "county C7", "county C1 (lat 40 lon 1)"], 0).tolist() == [1, 3, 7]
    with pytest.raises(InputError, match="did you mean 'county C7'"):
        held_out(table(), ["county C77"], 0)


@pytest.mark.parametrize(("years", "message"), [
    (((2001, 2005), (2005, 2008), None), "overlaps with train_years"),
    (((2001, 2005), (2006, 2008), (2008, 2009)), "test_years: 2008-2009 overlaps"),
    (((1901, 1905), (2006, 2008), None), "train_years: no yields in 1901-1905"),
    (((2001, 2005), (2016, 2018), None), "validate_years: no yields in 2016-2018"),
])
def test_wrong_years(years: tuple, message: str) -> None:
    with pytest.raises(InputError, match=message):
        split(table(), *years)


def test_cuts_hold_every_row_once() -> None:
    rows = np.arange(5, 30)
    parts = cuts(rows, 8)
    assert [len(p) for p in parts] == [7, 6, 6, 6]
    np.testing.assert_array_equal(np.concatenate(parts), rows)
    shuffled = cuts(rows, 8, torch.Generator().manual_seed(0))
    assert sorted(np.concatenate(shuffled)) == sorted(rows)
    assert not np.array_equal(np.concatenate(shuffled), rows)
    assert cuts(rows[:0], 8) == []
