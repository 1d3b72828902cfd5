"""Null covariates lose what they should lose and keep what they should keep."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from neuralcrop.data.covariates import Covariates
from neuralcrop.evaluation.nulls import NULLS, derangement, null_covariates

LAT, LON = np.linspace(30.0, 45.0, 20), np.linspace(-100.0, -80.0, 20)


def covariates(n: int = 20) -> Covariates:
    values = torch.randn(3, n, generator=torch.Generator().manual_seed(7))
    return Covariates(values, ("tas", "pr", "clay"))


def test_shuffled_moves_whole_sites() -> None:
    given = covariates()
    out = null_covariates("shuffled", given, 1)
    assert out.names == given.names
    where = [int((given.values == out.values[:, [k]]).all(dim=0).nonzero()) for k in range(20)]
    assert sorted(where) == list(range(20))
    assert all(k != at for k, at in enumerate(where))


@pytest.mark.parametrize("n", [2, 3, 17])
def test_no_site_keeps_its_place(n: int) -> None:
    for seed in range(20):
        order = derangement(n, torch.Generator().manual_seed(seed))
        assert sorted(order.tolist()) == list(range(n))
        assert not (order == torch.arange(n)).any()


def test_random_is_standard_normal_and_of_the_seed() -> None:
    given = Covariates(torch.zeros(4, 5000, dtype=torch.float64), ("a", "b", "c", "d"))
    out = null_covariates("random", given, 2).values
    assert out.dtype == torch.float64
    assert out.mean().abs() < 0.02
    assert abs(float(out.std()) - 1.0) < 0.02


@pytest.mark.parametrize("kind", ["shuffled", "random"])
def test_seeds(kind: str) -> None:
    one, same, other = (null_covariates(kind, covariates(), s).values for s in (3, 3, 4))
    assert torch.equal(one, same)
    assert not torch.equal(one, other)


def test_places_only() -> None:
    out = null_covariates("lat_lon", covariates(), lat=LAT, lon=LON)
    assert out.names == ("sin_lat", "sin_lon", "cos_lon")
    np.testing.assert_allclose(out.values[0], np.sin(np.deg2rad(LAT)), rtol=1e-6)
    # no seam at the date line
    around = null_covariates("lat_lon", covariates(2), lat=np.zeros(2), lon=np.array([-180, 180.0]))
    np.testing.assert_allclose(around.values[:, 0], around.values[:, 1], atol=1e-6)
    with pytest.raises(ValueError, match="needs latitude and longitude of 20 sites"):
        null_covariates("lat_lon", covariates())


def test_constant() -> None:
    given = covariates()
    out = null_covariates("constant", given).values
    torch.testing.assert_close(out, given.values.mean(dim=1, keepdim=True).expand(3, 20))
    before = given.values.clone()
    out += 1.0
    assert torch.equal(given.values, before)


def test_unknown() -> None:
    with pytest.raises(ValueError, match=", ".join(NULLS)):
        null_covariates("none", covariates())
