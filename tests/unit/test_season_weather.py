"""Weather of seasons: months that runs cover, spans, and the vapour pressure deficit."""

from __future__ import annotations

import numpy as np
import pytest

from neuralcrop.data.season_weather import VARIABLES, SeasonWeather


def weather(first: tuple[int, ...], n_days: int = 150) -> SeasonWeather:
    """Runs that begin on some days of the year; every variable is the month."""
    day = (np.array(first)[:, None] - 1 + np.arange(n_days)) % 365 + 1.0
    out = SeasonWeather(np.zeros((*day.shape, len(VARIABLES))), day)
    return SeasonWeather(np.repeat(out.months()[..., None], len(VARIABLES), axis=2).astype(float),
                         day)


def test_months_that_all_runs_cover() -> None:
    # from 21 March and 30 April to 17 August and 26 September
    values, months = weather((80, 120)).monthly()
    assert months == (5, 6, 7)
    np.testing.assert_allclose(values[:, :, 0], [[5.0, 6.0, 7.0]] * 2)


def test_a_season_over_the_end_of_the_year() -> None:
    values, months = weather((300,), 160).monthly()
    assert months == (11, 12, 1, 2, 3)
    np.testing.assert_allclose(values[0, :, 2], months)


def test_few_months_in_common_are_spans_of_the_run() -> None:
    w = weather((10, 200), 60)
    values, months = w.monthly()
    assert months == ()
    np.testing.assert_array_equal(values, w.spans(30))


def test_means_and_spans() -> None:
    w = weather((121,), 62)  # May and June, one day of July
    np.testing.assert_allclose(w.mean((5, 6)), [[(31 * 5 + 30 * 6) / 61] * len(VARIABLES)])
    assert np.isnan(w.mean((1,))).all()
    assert w.spans(5).shape == (1, 12, len(VARIABLES))
    np.testing.assert_allclose(w.spans(31)[0, :, 0], [5.0, (30 * 6 + 7) / 31])
    np.testing.assert_allclose(w.warmth((7,)), [7.0])
    np.testing.assert_allclose(w.warmth((1,)), w.daily[:, :, 0].mean())
    with pytest.raises(ValueError, match="no span of 100"):
        w.spans(100)
