"""Values and partial dependence of learnt parameters, against the model itself."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose

from neuralcrop.data.covariates import Covariates
from neuralcrop.evaluation import learnt
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model

NAMES = ("tas_annual", "clay", "pr_annual", "dtr_annual")


def model_of(seed: int) -> CropModel:
    """A model whose network is not at its start."""
    torch.manual_seed(seed)
    model = build_model(ModelSpec(
        crops=("maize",), learn=("vcmax25",), network=("vcmax25", "storage_scale"),
        network_hidden=(4,), covariates=NAMES))
    assert model.network is not None
    for weight in model.network.parameters():
        weight.data.normal_(0.0, 0.5)
    model.covariate_mean.copy_(torch.tensor([15.0, 0.2, 2.0, 10.0]))
    model.covariate_scale.copy_(torch.tensor([5.0, 0.1, 1.0, 2.0]))
    return model.eval()


@pytest.fixture(scope="module")
def covariates() -> Covariates:
    """Thirty places; the third does not know its rain, and all have one diurnal range."""
    random = torch.Generator().manual_seed(0)
    values = torch.randn(4, 30, generator=random) * torch.tensor([[5.0], [0.1], [1.0], [0.0]])
    values += torch.tensor([[15.0], [0.2], [2.0], [10.0]])
    values[2, 3] = torch.nan
    return Covariates(values, NAMES)


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    """Samples of ten of the places, two years each."""
    site = np.repeat([7, 3, 20, 21, 22, 23, 24, 25, 26, 29], 2)
    return pd.DataFrame({"site": site, "label": [f"site {k}" for k in site],
                         "lat": site * 1.0, "lon": -site * 2.0})


def test_values_of_sites_are_those_of_the_model(covariates: Covariates, table: pd.DataFrame
                                                ) -> None:
    models = [model_of(1), model_of(2)]
    found = learnt.site_values(models, covariates, table)
    assert list(found.columns) == ["site", "label", "lat", "lon", "vcmax25", "storage_scale"]
    assert found["site"].tolist()[:3] == [7, 3, 20]
    for name in ("vcmax25", "storage_scale"):
        row = models[0].table.layout.start[name]
        own = [float(np.mean([m.cell_parameters(
            torch.zeros(1, dtype=torch.long), torch.float64,
            covariates.values[:, s:s + 1])[row].item() for m in models])) for s in found["site"]]
        assert_allclose(found[name], own, rtol=1e-6)
    assert found["vcmax25"].std() > 0.1


def test_dependence_moves_one_covariate(covariates: Covariates) -> None:
    model, sites = model_of(1), np.array([3, 7, 7, 20, 29])
    found = learnt.partial_dependence([model], covariates, sites)
    assert set(found) == {"vcmax25", "storage_scale"}
    curves = {c.covariate: c for c in found["vcmax25"]}
    # soil is no climate, and what does not vary has no effect
    assert set(curves) == {"tas_annual", "pr_annual"}
    assert [c.effect for c in found["vcmax25"]] == sorted(
        (c.effect for c in curves.values()), reverse=True)
    curve = curves["tas_annual"]
    assert curve.units == "degC"
    own = covariates.values[0, [3, 7, 20, 29]].numpy()
    assert_allclose(curve.at[[0, -1]], np.quantile(own, learnt.RANGE), rtol=1e-6)
    row = model.table.layout.start["vcmax25"]
    for k in (0, 6, 14):
        moved = covariates.values[:, [3, 7, 20, 29]].clone()
        moved[0] = float(curve.at[k])
        values = model.cell_parameters(
            torch.zeros(4, dtype=torch.long), torch.float64, moved)[row].detach().numpy()
        assert curve.mean[k] == pytest.approx(values.mean(), rel=1e-6)
        assert_allclose((curve.low[k], curve.high[k]), np.quantile(values, learnt.SPREAD),
                        rtol=1e-6)


def test_many_sites_are_thinned(covariates: Covariates, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(learnt, "MOST_SITES", 3)
    few = learnt.partial_dependence([model_of(1)], covariates, np.arange(30))
    same = learnt.partial_dependence([model_of(1)], covariates, np.array([0, 14, 29]))
    assert_allclose(few["vcmax25"][0].mean, same["vcmax25"][0].mean)


def test_bounds_and_constants_of_the_parameters() -> None:
    model = model_of(1)
    known = {p.name: p for p in learnt.network_parameters(model)}
    own = known["vcmax25"]
    assert own.lower < own.constant < own.upper
    assert own.units == "umol m-2 s-1"
    assert own.row == model.table.layout.start["vcmax25"]


def test_a_model_without_a_network_has_no_maps(covariates: Covariates, table: pd.DataFrame
                                               ) -> None:
    model = build_model(ModelSpec(crops=("maize",)))
    assert learnt.network_parameters(model) == []
    assert list(learnt.site_values([model], covariates, table)) == ["site", "label", "lat", "lon"]
    assert learnt.partial_dependence([model], covariates, np.arange(3)) == {}
