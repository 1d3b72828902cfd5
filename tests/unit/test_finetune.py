"""Weights by name from another model, or a list of everything that does not fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelError, ModelSpec, build_model, save_model
from neuralcrop.training.finetune import source_of, transfer

SPEC = ModelSpec(
    crops=("soybean",), learn=("vcmax25",), network=("g1",), network_hidden=(4,),
    covariates=("tas_annual", "clay"), closures=("photosynthesis.vcmax",), closure_hidden=(3,))


@pytest.fixture
def source(tmp_path: Path) -> Path:
    model = moved(SPEC)
    model.covariate_mean.fill_(7.0)
    save_model(model, tmp_path)
    return tmp_path


def moved(spec: ModelSpec) -> CropModel:
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(3)
        model = build_model(spec)
        for weight in model.parameters():
            weight += torch.randn(weight.shape)
    return model


def test_weights_and_standardisation_come_the_catalogue_stays(source: Path) -> None:
    maize, before = build_model(replace(SPEC, crops=("maize",))), build_model(
        replace(SPEC, crops=("maize",)))
    transfer(maize, source)
    for name, weight in moved(SPEC).named_parameters():
        assert torch.equal(dict(maize.named_parameters())[name], weight), name
    assert (maize.covariate_mean == 7.0).all()
    for name in ("values", "lower", "upper"):
        assert torch.equal(getattr(maize.table, name), getattr(before.table, name))


def test_what_is_new_starts_at_the_physics(source: Path) -> None:
    model = build_model(replace(
        SPEC, learn=("vcmax25", "g1"), closures=("photosynthesis.vcmax", "soil.percolation")))
    transfer(model, source)
    assert not model.table.offset["g1"].any()
    assert model.table.offset["vcmax25"].all()
    last = [p for n, p in model.named_parameters() if "percolation" in n][-2:]
    assert not any(p.any() for p in last)


def test_every_mismatch_is_listed(source: Path) -> None:
    model = build_model(replace(
        SPEC, learn=(), network=("storage_scale",), network_hidden=(5,), closure_bound=1.5,
        covariates=("clay", "tas_annual")))
    with pytest.raises(ValueError, match="do not fit this run") as caught:
        transfer(model, source)
    text = str(caught.value)
    for part in (
        "parameters.network.names is [g1] there and [storage_scale] here",
        "parameters.network.covariates is [tas_annual, clay] there and [clay, tas_annual] here",
        "closure.bound is 2.0 there and 1.5 here",
        "table.offset.vcmax25 (1, 1) has no place in this model",
        "network.network.0.weight has shape (4, 2) there and (5, 2) here",
    ):
        assert part in text


def test_nothing_moves_where_something_does_not_fit(source: Path) -> None:
    model = build_model(replace(SPEC, closure_hidden=(7,)))
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    with pytest.raises(ValueError, match="do not fit"):
        transfer(model, source)
    assert all(torch.equal(p, before[n]) for n, p in model.named_parameters())


def test_a_source_that_is_none(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no model"):
        transfer(build_model(SPEC), tmp_path)


def test_members_start_from_the_member_of_their_seed(tmp_path: Path) -> None:
    save_model(build_model(SPEC), tmp_path / "variants" / "hybrid_seed2")
    assert source_of(str(tmp_path), 2) == tmp_path / "variants" / "hybrid_seed2"
    assert source_of(str(tmp_path), 1) == tmp_path
