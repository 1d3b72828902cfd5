"""Weeks and months to days: means and totals are kept exactly, days are plausible."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from io_weather import weather

from neuralcrop.data.disaggregate import (
    WET_DAY_SCALE,
    dim_wet_days,
    period_lengths,
    smooth_days,
    smoothing_operator,
    wet_days,
)
from neuralcrop.data.forcing import prepare_forcing


def weekly(years: tuple[int, ...] = (2003, 2004, 2005)) -> xr.Dataset:
    """Weather of two sites by (year, week)."""
    n_days = sum(366 if y == 2004 else 365 for y in years)
    daily = weather(n_days, start=f"{years[0]}-01-01")
    day = daily.time.dt.dayofyear.values
    week = np.minimum((day - 1) // 7, 51)
    out = xr.Dataset(coords={"year": list(years), "week": np.arange(1, 53), "lat": daily.lat,
                             "lon": daily.lon, "elevation": daily.elevation})
    for name, v in daily.data_vars.items():
        values = np.stack([
            [v.values[(daily.time.dt.year.values == y) & (week == w)].mean(axis=0)
             for w in range(52)] for y in years])
        out[name] = (("site", "year", "week"), np.moveaxis(values, 2, 0).astype("float32"),
                     v.attrs)
    return out


def test_period_lengths() -> None:
    assert period_lengths("week", 2003, "standard") == (7,) * 51 + (8,)
    assert period_lengths("week", 2004, "standard")[-1] == 9
    assert sum(period_lengths("month", 2004, "standard")) == 366
    assert sum(period_lengths("month", 2004, "noleap")) == 365
    assert period_lengths("month", 2004, "360_day") == (30,) * 12


def test_operator_keeps_a_constant() -> None:
    rows = smoothing_operator((7, 7, 8, 30)).sum(axis=1)
    np.testing.assert_allclose(rows, 1.0, atol=1e-9)


def test_operator_keeps_a_straight_line() -> None:
    lengths = (7,) * 8
    line = np.arange(56.0)
    means = line.reshape(8, 7).mean(axis=1, keepdims=True)
    np.testing.assert_allclose(smooth_days(means, lengths)[:, 0], line, atol=1e-4)


@given(st.lists(st.floats(0, 300), min_size=2, max_size=20), st.integers(3, 31))
@settings(max_examples=60, deadline=None)
def test_means_and_bounds_hold(means: list[float], length: int) -> None:
    values = np.array(means)[:, None]
    days = smooth_days(values, (length,) * len(means), floor=0.2, upper=300.0)
    kept = days.reshape(len(means), length).mean(axis=1)
    np.testing.assert_allclose(kept, means, rtol=1e-9, atol=1e-9)
    assert days.min() >= 0.2 * min(means) - 1e-9
    assert days.max() <= 300.0 + 1e-9


def test_missing_period_stays_local() -> None:
    values = np.array([[1.0], [np.nan], [3.0], [4.0]])
    days = smooth_days(values, (7,) * 4)
    assert np.isnan(days[7:14]).all()
    assert not np.isnan(days[[*range(7), *range(14, 28)]]).any()
    np.testing.assert_allclose(days[14:21].mean(), 3.0)


@given(st.lists(st.floats(0, 60), min_size=1, max_size=6), st.integers(1950, 2100))
@settings(max_examples=40, deadline=None)
def test_rain_totals_hold(means: list[float], year: int) -> None:
    mean = np.array(means)[:, None]
    lengths = (7,) * len(means)
    rain, wet = wet_days(mean, lengths, year, 1, np.array([40.0]), np.array([-90.0]))
    assert rain.min() >= 0.0
    np.testing.assert_allclose(rain.reshape(-1, 7).mean(axis=1), means, rtol=1e-12, atol=1e-12)
    assert ((rain > 0) <= wet).all()
    assert (wet.reshape(-1, 7).any(axis=1) == (np.array(means) > 0)).all()


def test_number_of_wet_days() -> None:
    mean = np.full((500, 1), 3.0)
    _, wet = wet_days(mean, (7,) * 500, 2000, 1, np.array([40.0]), np.array([-90.0]))
    assert wet.mean() == pytest.approx(3.0 / (3.0 + WET_DAY_SCALE), abs=0.02)


def test_rain_does_not_depend_on_the_other_cells() -> None:
    mean = np.array([[3.0, 1.0, 0.2]])
    lat, lon = np.array([40.0, 41.0, -20.0]), np.array([-90.0, 90.0, 10.0])
    all_cells, _ = wet_days(mean, (30,), 2000, 5, lat, lon)
    turned, _ = wet_days(mean[:, ::-1], (30,), 2000, 5, lat[::-1], lon[::-1])
    np.testing.assert_allclose(all_cells, turned[:, ::-1], rtol=1e-12)
    one, _ = wet_days(mean[:, 1:2], (30,), 2000, 5, lat[1:2], lon[1:2] - 360.0)
    np.testing.assert_allclose(all_cells[:, 1:2], one, rtol=1e-12)
    other, _ = wet_days(mean, (30,), 2001, 5, lat, lon)
    assert not np.array_equal(other, all_cells)


def test_wet_days_are_dimmer_and_the_mean_holds() -> None:
    wet = np.array([[True], [False], [True], [False], [False], [False], [True]])
    out = dim_wet_days(np.full((7, 1), 200.0), wet, (7,))
    assert out.mean() == pytest.approx(200.0)
    assert out[0, 0] < out[1, 0]


def test_weekly_dataset_keeps_every_week() -> None:
    coarse = weekly()
    out = prepare_forcing(coarse, frequency="week")
    assert out.sizes["time"] == 1096
    day = out.time.dt.dayofyear.values
    week = np.minimum((day - 1) // 7, 51)
    for name in ("tasmin", "tasmax", "rsds", "pr", "sfcwind"):
        for k, year in enumerate(coarse.year.values):
            for w in (0, 25, 51):
                at = (out.time.dt.year.values == year) & (week == w)
                np.testing.assert_allclose(
                    out[name].values[at].mean(axis=0), coarse[name].values[:, k, w], rtol=2e-5,
                    atol=2e-5)
    assert float((out.tasmax - out.tasmin).min()) > 0.0


def test_prepared_weeks_do_not_depend_on_order_or_choice_of_sites() -> None:
    coarse = weekly()
    both = prepare_forcing(coarse, frequency="week")
    one = prepare_forcing(coarse.isel(site=[1]), frequency="week")
    xr.testing.assert_allclose(both.isel(site=[1]), one)


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_monthly_time_axis(calendar: str) -> None:
    n_days = {"standard": 730, "noleap": 730, "360_day": 720}[calendar]
    daily = weather(n_days, calendar=calendar)
    coarse = daily.resample(time="MS").mean(keep_attrs=True)
    out = prepare_forcing(coarse, frequency="month")
    assert out.sizes["time"] == n_days
    for name in ("tasmin", "tasmax", "pr", "rsds"):
        again = out[name].resample(time="MS").mean()
        np.testing.assert_allclose(again, coarse[name], rtol=2e-5, atol=2e-5)
    assert 0.1 < float((out.pr > 0).mean()) < 0.9


def test_monthly_totals_in_mm() -> None:
    daily = weather(365)
    coarse = daily.resample(time="MS").mean(keep_attrs=True)
    total = daily[["pr"]].resample(time="MS").sum(keep_attrs=True)
    coarse["pr"] = total.pr
    coarse["pr"].attrs["units"] = "mm"
    out = prepare_forcing(coarse, frequency="month")
    np.testing.assert_allclose(out.pr.resample(time="MS").sum(), total.pr, rtol=1e-4)


def test_weekly_time_axis() -> None:
    coarse = weather(364).resample(time="7D").mean(keep_attrs=True)
    out = prepare_forcing(coarse, frequency="week")
    assert out.sizes["time"] == 364
    np.testing.assert_allclose(out.tasmin.values.reshape(52, 7, 2).mean(axis=1), coarse.tasmin,
                               rtol=1e-4, atol=1e-5)


def test_years_with_a_hole_are_refused() -> None:
    with pytest.raises(ValueError, match="not consecutive"):
        prepare_forcing(weekly().isel(year=[0, 2]), frequency="week")
