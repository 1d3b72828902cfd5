"""Fisher information: known linear cases, and invariances that have to hold."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralcrop.identifiability.fisher import (
    analyse,
    fisher_matrix,
    learnable,
    relative_sensitivities,
)
from neuralcrop.identifiability.truth import hidden_parameters, observed_with_noise, patterns
from neuralcrop.models.registry import ModelSpec, build_model

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def jacobian() -> np.ndarray:
    """Of 30 observations; each direction is seen a third as well as the one before."""
    draw = np.random.default_rng(0)
    left = np.linalg.qr(draw.standard_normal((30, 4)))[0]
    right = np.linalg.qr(draw.standard_normal((4, 4)))[0]
    return np.asarray(left @ np.diag([9.0, 3.0, 1.0, 1.0 / 3.0]) @ right.T)


def test_spectrum_of_a_known_case(jacobian: np.ndarray) -> None:
    found = analyse(fisher_matrix(jacobian, 0.5), NAMES)
    assert found.eigenvalues == pytest.approx(np.array([324.0, 36.0, 4.0, 4.0 / 9.0]))
    assert found.n_seen == 3
    residual = found.matrix @ found.vectors - found.vectors * found.eigenvalues
    assert np.abs(residual).max() < 1e-9


def test_standard_deviations_of_independent_parameters() -> None:
    # sensitivities s with error 1: alone 1/s, with the prior 1/sqrt(s^2 + 1)
    s = np.array([3.0, 1.0, 0.5, 0.1])
    found = analyse(np.diag(s**2), NAMES)
    assert found.alone_sd == pytest.approx(1.0 / s)
    assert found.profile_sd == pytest.approx(1.0 / s)
    assert found.posterior_sd == pytest.approx(1.0 / np.sqrt(s**2 + 1.0))
    assert (found.held, found.not_held) == (["a"], ["b", "c", "d"])
    assert found.alike() == []


def test_errors_of_estimates_are_those_foretold(jacobian: np.ndarray) -> None:
    # the mean of the posterior of a linear model, over parameters and noise that are drawn
    draw, error = np.random.default_rng(1), 0.7
    found = analyse(fisher_matrix(jacobian, error), NAMES)
    true = draw.standard_normal((4, 20000))
    seen = jacobian @ true + error * draw.standard_normal((30, 20000))
    gain = np.linalg.solve(found.matrix + np.eye(4), jacobian.T / error**2)
    missed = gain @ seen - true
    assert missed.std(axis=1) == pytest.approx(found.posterior_sd, rel=0.02)
    assert np.corrcoef(missed) == pytest.approx(found.correlation, abs=0.03)


def test_parameters_that_do_the_same_are_found() -> None:
    draw = np.random.default_rng(2)
    one, other = draw.standard_normal((2, 40))
    j = np.column_stack((one, -2.0 * one, other, 1e-3 * draw.standard_normal(40)))
    matrix = fisher_matrix(j, 0.1)
    found = analyse(matrix, NAMES)
    assert [(a, b) for a, b, _ in found.alike()] == [("b", "a")]
    assert found.alike()[0][2] > 0.99  # one up, the other up: nothing changes
    assert np.isinf(found.profile_sd[[0, 1, 3]]).all()
    assert found.profile_sd[2] < 0.05
    assert learnable(matrix, NAMES) == ["b", "c"]  # of the two the one that is seen better


def test_directions_far_below_the_largest_count_as_unseen() -> None:
    found = analyse(np.diag([1e6, 200.0, 50.0, 2.0]), NAMES)
    assert found.posterior_sd[1] < 0.1
    assert found.posterior_sd[2:] == pytest.approx(np.ones(2))  # below 1e-4 of 1e6
    assert found.n_seen == 2
    assert analyse(np.diag([1e6, 200.0, 50.0, 2.0]), NAMES, largest=1e4).n_seen == 4


def test_more_observations_never_see_less(jacobian: np.ndarray) -> None:
    few, more = fisher_matrix(jacobian[:12], 0.1), fisher_matrix(jacobian, 0.1)
    largest = float(np.linalg.eigvalsh(few)[-1])
    before, after = analyse(few, NAMES, largest), analyse(more, NAMES, largest)
    assert (after.posterior_sd <= before.posterior_sd + 1e-12).all()
    assert (after.posterior_sd < 0.99 * before.posterior_sd).any()


def test_the_order_of_parameters_does_not_matter(jacobian: np.ndarray) -> None:
    order = [2, 0, 3, 1]
    plain = analyse(fisher_matrix(jacobian, 1.0), NAMES)
    moved = analyse(fisher_matrix(jacobian[:, order], 1.0), [NAMES[k] for k in order])
    assert moved.eigenvalues == pytest.approx(plain.eigenvalues)
    for name in ("alone_sd", "profile_sd", "posterior_sd"):
        assert getattr(moved, name) == pytest.approx(getattr(plain, name)[order])
    assert sorted(moved.held) == sorted(plain.held)
    assert set(learnable(moved.matrix, moved.names)) == set(learnable(plain.matrix, NAMES))


@pytest.mark.parametrize("slope", [False, True])
def test_relative_yields_answer_as_differences_say(slope: bool) -> None:
    draw = np.random.default_rng(3)
    site, year = np.repeat([4, 9], 8), np.tile(np.arange(8), 2)
    values, jacobian = draw.uniform(2.0, 8.0, 16), draw.standard_normal((16, 3))

    def departures(y: np.ndarray) -> np.ndarray:
        out = np.empty(16)
        for s in (4, 9):
            own = site == s
            r = y[own] / y[own].mean()
            out[own] = r - np.polyval(np.polyfit(year[own], r, int(slope)), year[own])
        return out

    _, found = relative_sensitivities(values, jacobian, site, year, slope)
    for k in range(3):
        h = 1e-5 * jacobian[:, k]
        expected = (departures(values + h) - departures(values - h)) / 2e-5
        assert found[:, k] == pytest.approx(expected, abs=1e-8)


def test_a_factor_on_yields_is_unseen_in_relative_ones() -> None:
    draw = np.random.default_rng(4)
    values = draw.uniform(2.0, 8.0, 10)
    relative, found = relative_sensitivities(
        values, np.column_stack((values, values**2)), np.repeat([0, 1], 5), np.tile(range(5), 2))
    assert np.abs(found[:, 0]).max() < 1e-12
    assert np.abs(found[:, 1]).max() > 0.1
    assert [relative[:5].mean(), relative[5:].mean()] == pytest.approx([1.0, 1.0])


def test_hidden_parameters_are_smooth_bounded_and_their_own() -> None:
    table = build_model(ModelSpec(crops=("maize",))).table
    names = ("vcmax25", "storage_scale", "drought_leaf_loss")
    z = torch.randn(2, 500, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    theta = hidden_parameters(table, names, z, 0.45)
    rows = table.rows(names)
    assert (theta > table.lower[rows]).all()
    assert (theta < table.upper[rows]).all()
    width = (table.upper - table.lower)[rows][:, 0]
    assert ((theta.std(dim=1) / width) > 0.15).all()
    assert torch.corrcoef(theta).triu(1).abs().max() < 0.95
    near = hidden_parameters(table, names, z + 1e-4, 0.45)
    assert ((near - theta).abs() < 2e-4 * width[:, None]).all()
    assert (patterns(10.0 * z, 5).abs() <= 1.0).all()


def test_noise_is_as_large_as_asked() -> None:
    truth = np.random.default_rng(5).normal(5.0, 2.0, 40000)
    seen, errors = observed_with_noise({"yield": truth}, np.arange(20000), 10.0, seed=1)
    assert errors["yield"] == pytest.approx(0.2, rel=0.03)
    assert np.std(seen["yield"] - truth) == pytest.approx(errors["yield"], rel=0.02)
    again, _ = observed_with_noise({"yield": truth}, np.arange(20000), 10.0, seed=1)
    assert np.array_equal(seen["yield"], again["yield"])
