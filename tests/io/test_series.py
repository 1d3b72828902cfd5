"""Series in yields files, and observations at irregular dates brought to a fixed step."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralcrop.data.errors import InputError
from neuralcrop.data.series import binned, season_series

STEPS, SITES = 5, 3


def yields(**variables: Any) -> Any:
    """What is read of a yields file."""
    data = xr.Dataset(variables, coords={"year": [2001, 2002, 2003]})
    return SimpleNamespace(soil=data, n_sites=SITES, source="yields.nc")


def by_year() -> np.ndarray:
    values = np.arange(3.0)[None, :, None] + np.zeros((SITES, 3, STEPS))
    values[1, 0] = np.nan
    values[2] = np.nan
    return values


def test_series_are_means_of_the_training_years() -> None:
    data = yields(lai=(("site", "year", "step"), by_year()))
    rows = season_series(data, ["lai"], STEPS, range(2001, 2003))
    assert rows.names == tuple(f"lai_{k:02d}" for k in range(STEPS))
    np.testing.assert_array_equal(rows.values[:, 0], 0.5)
    np.testing.assert_array_equal(rows.values[:, 1], 1.0)  # 2002 alone
    assert rows.values[:, 2].isnan().all()
    none = season_series(data, ["lai"], STEPS, [1990])
    assert none.values.isnan().all()


def test_several_variables_and_short_gaps() -> None:
    lai = np.tile([0.0, np.nan, 2.0, 3.0, np.nan], (SITES, 1))
    ndvi = np.full((STEPS, SITES), 0.4)
    data = yields(lai=(("site", "step"), lai), ndvi=(("step", "site"), ndvi))
    rows = season_series(data, ["ndvi", "lai"], STEPS, [2001])
    assert rows.names[:4] == ("ndvi_00", "lai_00", "ndvi_01", "lai_01")
    np.testing.assert_array_equal(rows.values[1::2, 0], [0.0, 1.0, 2.0, 3.0, np.nan])
    np.testing.assert_allclose(rows.values[::2], 0.4, rtol=1e-6)


def test_what_is_wrong_is_said_at_once() -> None:
    data = yields(lai=(("site", "dekad"), np.full((SITES, 4), 1.0)),
                  ndvi=(("site", "step"), np.full((SITES, STEPS), 7000.0)))
    with pytest.raises(InputError) as caught:
        season_series(data, ["lai", "ndvi", "sif"], STEPS, [2001])
    text = str(caught.value)
    for part in ("variable lai: dimensions {'site': 3, 'dekad': 4}", "the sites, 5 steps",
                 "variable ndvi: values from 7000 to 7000", "variable sif: not in the file"):
        assert part in text
    missing = season_series(yields(), ["sif"], STEPS, [2001], required=False)
    assert missing.values.isnan().all()


def test_irregular_observations_on_a_fixed_step() -> None:
    day, cell = np.array([-1, 0, 9, 25, 49, 50, 12]), np.array([0, 0, 0, 0, 0, 0, 1])
    value = np.array([9.0, 1.0, 3.0, 4.0, 6.0, 9.0, np.nan])
    out = binned(day, value, cell, 2, STEPS)
    np.testing.assert_array_equal(out[:, 0], [2.0, np.nan, 4.0, np.nan, 6.0])
    assert np.isnan(out[:, 1]).all()
    filled = binned(day, value, cell, 2, STEPS, max_gap=1)
    np.testing.assert_array_equal(filled[:, 0], [2.0, 3.0, 4.0, 5.0, 6.0])
    with pytest.raises(InputError, match="7 days, 7 values and 2 cells"):
        binned(day, value, cell[:2], 2, STEPS)


@given(st.lists(st.tuples(st.integers(0, 79), st.floats(0.0, 8.0), st.integers(0, 1)), max_size=30),
       st.integers(0, 8))
@settings(max_examples=50, deadline=None)
def test_steps_stay_within_what_was_observed(
    samples: list[tuple[int, float, int]], max_gap: int
) -> None:
    day, value, cell = (np.array(x) for x in (zip(*samples, strict=True) if samples
                                              else ([], [], [])))
    out = binned(day, value, cell, 2, 8, max_gap=max_gap)
    for k in range(2):
        own = value[cell == k] if samples else np.array([])
        seen = out[np.isfinite(out[:, k]), k]
        assert (len(seen) > 0) == (len(own) > 0)
        if len(own):
            assert own.min() - 1e-9 <= seen.min()
            assert seen.max() <= own.max() + 1e-9
