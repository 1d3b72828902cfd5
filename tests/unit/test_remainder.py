"""The remainder of yields: a Gaussian process over weather, place and year."""

from __future__ import annotations

import json

import numpy as np
import pytest

from neuralcrop.training.context import Normals, SeasonContext, kilometres
from neuralcrop.training.kriging import kriging_weights
from neuralcrop.training.remainder import LARGEST, Priors, Remainder, covariance, points_of

YEARS = np.arange(1990, 2010)
PLACES = 7


@pytest.fixture
def context() -> SeasonContext:
    random = np.random.default_rng(0)
    place, year = np.repeat(np.arange(PLACES), len(YEARS)), np.tile(YEARS, PLACES)
    weather = 20.0 + place[:, None] + random.normal(size=(len(year), 6))
    covariates = np.stack([place * 1.0, np.full(len(year), 3.0)], axis=1)
    return SeasonContext(weather, (6, 7, 8), covariates, ("clay", "ph"), 40.0 + 0.2 * place,
                         -90.0 + 0.1 * place, year)


def world(context: SeasonContext, effect: float = 0.0) -> np.ndarray:
    """A response to the second variable, and an effect of the year 1999."""
    z = Normals.of(context, np.arange(len(context))).anomalies(context)
    return 0.05 * z[:, 1] + effect * (context.year == 1999)


def rows_of(context: SeasonContext, scored: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.flatnonzero(~scored), np.flatnonzero(scored)


def test_a_response_to_weather_is_found_in_years_not_seen(context: SeasonContext) -> None:
    values = world(context)
    train, score = rows_of(context, context.year >= 2005)
    priors = Priors(weather=0.03, year=0.01, noise=0.02)
    mean, sd = Remainder.of(context, train, values[train], priors).predict(context, score)
    assert np.corrcoef(mean, values[score])[0, 1] > 0.98
    assert np.all(sd > priors.noise)
    assert np.sqrt(np.mean((mean - values[score]) ** 2)) < 0.02


def test_an_effect_of_a_year_reaches_unseen_places_and_no_other_year(
    context: SeasonContext,
) -> None:
    values = world(context, -0.2)
    unseen = (context.lat > 40.55) & (context.lat < 40.65)
    train, score = rows_of(context, unseen)
    process = Remainder.of(context, train, values[train], Priors(weather=1e-4))
    mean, sd = process.predict(context, score)
    bad = context.year[score] == 1999
    assert mean[bad] == pytest.approx(-0.2, abs=0.05)
    assert np.abs(mean[~bad]).max() < 0.06
    # a year that nobody has seen is less certain
    train, score = rows_of(context, context.year == 1999)
    _, alone = Remainder.of(context, train, values[train], Priors(weather=1e-4)).predict(
        context, score)
    assert alone.min() > sd.max()


def test_left_out_years_are_those_of_a_process_without_them(context: SeasonContext) -> None:
    values = world(context, 0.1) + np.random.default_rng(1).normal(0.0, 0.05, len(context))
    every = np.arange(len(context))
    whole = Remainder.of(context, every, values)
    mean, sd = whole.left_out()
    at = context.year == 1999
    normals = whole.normals  # weather of the year is known
    points = points_of(normals, context)
    others = np.flatnonzero(~at)
    part = Remainder(normals, points.rows(others), values[others])
    expected, spread = part.predict(context, np.flatnonzero(at))
    np.testing.assert_allclose(mean[at], expected, rtol=1e-8, atol=1e-10)
    np.testing.assert_allclose(sd[at], spread, rtol=1e-8)


def test_its_own_yield_does_not_change_a_prediction(context: SeasonContext) -> None:
    values = world(context)
    train, score = rows_of(context, context.year == 2003)
    changed = values.copy()
    changed[score] += 5.0
    results = [Remainder.of(context, train, v[train]).predict(context, score)[0]
               for v in (values, changed)]
    np.testing.assert_array_equal(*results)


def test_it_is_bounded_and_comes_back_from_a_file(context: SeasonContext) -> None:
    values = 3.0 * world(context)
    values += np.where(context.year == 1995, 1.0, 0.0)
    train, score = rows_of(context, context.lat > 41.1)
    one = Remainder.of(context, train, values[train], Priors(weather=0.5, year=0.5))
    other = Remainder.from_description(json.loads(json.dumps(one.describe())))
    first, second = one.predict(context, score), other.predict(context, score)
    np.testing.assert_allclose(first, second, atol=2e-5)
    assert np.abs(first[0]).max() == LARGEST
    assert (one.find(context)[train] == np.arange(len(train))).all()
    assert (one.find(context)[score] == -1).all()


def test_the_solution_of_the_same_samples_is_taken_over(context: SeasonContext) -> None:
    values = world(context)
    train, score = rows_of(context, context.year == 2003)
    first = Remainder.of(context, train, values[train])
    first.predict(context, score)
    normals, points = first.normals, first.points
    again = Remainder(normals, points, 2.0 * values[train], like=first)
    fresh = Remainder(normals, points, 2.0 * values[train])
    assert again._solved is not None
    assert again._solved[0] is first._solution[0]
    np.testing.assert_array_equal(again.predict(context, score), fresh.predict(context, score))
    other = Remainder(normals, points, values[train], Priors(noise=0.2), like=first)
    assert other._solved is None


def test_covariance_is_one(context: SeasonContext) -> None:
    points = points_of(Normals.of(context, np.arange(len(context))), context)
    k = covariance(points, points, Priors())
    np.testing.assert_allclose(k, k.T)
    assert np.linalg.eigvalsh(k).min() > -1e-10


def test_normals_refuse_other_months_and_missing_covariates(context: SeasonContext) -> None:
    normals = Normals.of(context, np.arange(len(context)))
    kept = context.__dict__
    with pytest.raises(ValueError, match="weather of the months"):
        normals.anomalies(SeasonContext(**{**kept, "months": (5, 6, 7)}))
    with pytest.raises(ValueError, match="covariates clay are missing"):
        normals.standard_covariates(SeasonContext(**{**kept, "names": ("sand", "ph")}))
    # what is the same everywhere tells nothing
    assert (normals.standard_covariates(context)[:, 1] == 0.0).all()


def test_weather_that_is_not_known_counts_as_usual(context: SeasonContext) -> None:
    normals = Normals.of(context, np.arange(len(context)))
    weather = context.weather.copy()
    weather[3, 2] = np.nan
    z = normals.anomalies(SeasonContext(**{**context.__dict__, "weather": weather}))
    assert z[3, 2] == 0.0
    np.testing.assert_array_equal(np.delete(z, 3, 0), np.delete(normals.anomalies(context), 3, 0))


def test_new_places_have_normals_of_their_own(context: SeasonContext) -> None:
    train = np.flatnonzero(context.lat < 41.1)
    z = Normals.of(context, train).anomalies(context)
    new = context.lat > 41.1
    assert np.abs(z[new].mean(axis=0)).max() < 1e-9
    # with few years of weather they are those of the places around
    few = np.flatnonzero(new)[:3]
    part = SeasonContext(*(v[few] if isinstance(v, np.ndarray) else v
                           for v in context.__dict__.values()))
    assert np.abs(Normals.of(context, train).anomalies(part).mean(axis=0)).min() > 0.5


def test_kriging_is_exact_on_a_plane_and_at_home() -> None:
    random = np.random.default_rng(2)
    lat, lon = 40.0 + random.random(40), -90.0 + random.random(40)
    level = 2.0 + 0.8 * (lat - 40.5) - 0.5 * (lon + 89.5)
    there = kilometres(lat, lon, lat, lon)
    one = np.ones_like(there)
    new = kilometres(np.array([40.5]), np.array([-89.5]), lat, lon)
    index, weights = kriging_weights(new, there, np.ones_like(new), one)
    assert weights.sum() == pytest.approx(1.0)
    assert float((weights * level[index]).sum()) == pytest.approx(2.0, abs=0.1)
    # a place like one of them, and unlike the others, leans on it
    place = int(index[0, 10])
    like = np.zeros_like(new)
    like[0, place] = 1.0
    again, leaning = kriging_weights(new, there, like, np.eye(40))
    np.testing.assert_array_equal(again, index)
    assert leaning.argmax() == 10


def test_distances() -> None:
    d = kilometres(np.array([0.0, 60.0]), np.array([179.5, 10.0]), np.array([0.0, 60.0]),
                   np.array([-179.5, 11.0]))
    assert d[0, 0] == pytest.approx(111.2)
    assert d[1, 1] == pytest.approx(55.6, rel=1e-3)
