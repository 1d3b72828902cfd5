"""Models by name: the same numbers come back, and what cannot be read says why."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file

import neuralcrop as nc
from neuralcrop.core.parameters import ParameterError
from neuralcrop.crops import UnknownCropError, crop_names
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import (
    DESCRIPTION,
    FORMAT,
    WEIGHTS,
    ModelError,
    ModelSpec,
    build_model,
    describe,
    load_model,
    save_model,
)
from neuralcrop.models.saved import FIRST_WEIGHTS, MIGRATIONS
from tests.model_runs import SmallRun

HYBRID = ModelSpec(
    crops=("maize", "soybean"), learn=("vcmax25", "root_share"),
    closures=("photosynthesis.vcmax", "soil.percolation"), closure_hidden=(4,),
    network=("g1", "thermal_time_vegetative"), network_hidden=(8,),
    covariates=("tas_annual", "clay"), values={"interception": 0.03})


def trained() -> CropModel:
    """A hybrid whose every weight has moved."""
    with torch.random.fork_rng(devices=[]), torch.no_grad():
        torch.manual_seed(8)
        model = build_model(HYBRID)
        for weight in model.parameters():
            weight += 0.1 * torch.randn(weight.shape)
        model.covariate_mean.fill_(5.0)
        model.covariate_scale.fill_(2.0)
    return model.eval()


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    save_model(trained(), tmp_path, neuralcrop="9.9.9")
    return tmp_path


def edit(directory: Path, **changes: Any) -> None:
    path = directory / DESCRIPTION
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def run_of(model: CropModel) -> torch.Tensor:
    model = model.double()
    run = SmallRun("maize", n_cells=2, n_days=60, model=model)
    covariates = torch.tensor([[4.0, 9.0], [3.0, 6.0]], dtype=torch.float64)
    run.p = model.cell_parameters(run.management.crop, torch.float64, covariates).detach()
    return run().x


def test_a_saved_model_gives_the_same_numbers(saved: Path) -> None:
    back, model = load_model(saved), trained()
    assert back.spec == model.spec
    assert not back.training
    for name, tensor in model.state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name
    moved = run_of(model)
    assert torch.equal(run_of(back), moved)
    assert not torch.equal(moved, run_of(build_model(HYBRID)))


def test_saving_leaves_two_files_and_what_was_added(saved: Path) -> None:
    assert sorted(p.name for p in saved.iterdir()) == sorted([DESCRIPTION, WEIGHTS])
    description = json.loads((saved / DESCRIPTION).read_text())
    assert description["format_version"] == FORMAT
    assert description["neuralcrop"] == "9.9.9"
    assert description["table"] == trained().table.fingerprint()


def test_a_model_saved_before_closures_had_kinds_is_read(saved: Path) -> None:
    spec = json.loads((saved / DESCRIPTION).read_text())["spec"]
    for name in ("closure_features", "closure_options", "encoder"):
        del spec[name]
    edit(saved, spec=spec)
    assert load_model(saved).spec == HYBRID


def test_given_values_replace_the_catalogue() -> None:
    table = build_model(HYBRID).table
    assert (table.values[table.layout.start["interception"]] == 0.03).all()
    with pytest.raises(ParameterError, match="lies outside"):
        build_model(ModelSpec(values={"interception": 3.0}))


def test_physics_is_the_default() -> None:
    model = nc.load_model()
    assert model.spec == ModelSpec()
    assert model.table.crops == crop_names()
    assert not model.neural
    assert not list(model.parameters())


def test_describe_lists_every_parameter_and_slot() -> None:
    records = describe()
    names = [p["name"] for r in records for p in r["parameters"]]
    assert len(names) == len(set(names))
    assert {s for r in records for s in r["slots"]} == set(
        build_model(ModelSpec(nutrients=True)).closures())
    assert all(r["summary"] for r in records)


def test_another_format_names_the_version_that_wrote_it(saved: Path) -> None:
    edit(saved, format_version=FORMAT + 1)
    with pytest.raises(ModelError) as caught:
        load_model(saved)
    text = str(caught.value)
    for part in (f"has format {FORMAT + 1}", f"reads formats up to {FORMAT}", "9.9.9",
                 "train again"):
        assert part in text


def first_format(directory: Path, weights: object) -> None:
    """What version 0.1 wrote: ``model.pt`` and a description with ``format``."""
    path = directory / DESCRIPTION
    old = {k: v for k, v in json.loads(path.read_text()).items()
           if k not in ("format_version", "weights")}
    path.write_text(json.dumps({"format": 1, **old}))
    (directory / WEIGHTS).unlink()
    torch.save(weights, directory / FIRST_WEIGHTS)


def test_the_first_format_is_still_read(saved: Path) -> None:
    first_format(saved, trained().state_dict())
    back = load_model(saved)
    for name, tensor in trained().state_dict().items():
        assert torch.equal(back.state_dict()[name], tensor), name


class _Code:
    """What a pickle may run when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.path,)


def test_loading_runs_no_code(saved: Path, tmp_path: Path) -> None:
    first_format(saved, {"weights": _Code(tmp_path / "ran")})
    with pytest.raises(ModelError, match=r"model\.pt does not hold the weights"):
        load_model(saved)
    assert not (tmp_path / "ran").exists()


def test_weights_lie_beside_their_description(saved: Path) -> None:
    edit(saved, weights="../elsewhere.safetensors")
    with pytest.raises(ModelError, match="beside their description"):
        load_model(saved)


def test_every_format_has_a_way_to_the_present_one() -> None:
    assert sorted(MIGRATIONS) == list(range(1, FORMAT))


def test_nothing_is_unpickled_in_the_package(repository: Path) -> None:
    for path in sorted((repository / "neuralcrop").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute)):
                continue
            home = ast.unparse(call.func)
            assert home not in ("pickle.load", "pickle.loads", "joblib.load"), path
            if home == "torch.load":
                given = {k.arg: ast.unparse(k.value) for k in call.keywords}
                assert given.get("weights_only") == "True", path


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", "{}", '"model"', "null"])
def test_a_broken_description_is_named(saved: Path, text: str) -> None:
    (saved / DESCRIPTION).write_text(text)
    with pytest.raises(ModelError, match=r"model\.json is not a description of a model"):
        load_model(saved)


def test_nothing_there_says_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"expected 'physics', 'wofost72' or a run directory with"):
        load_model(tmp_path / "nowhere")
    with pytest.raises(ModelError, match="no model 'fysics'"):
        load_model("fysics")


def test_missing_weights_are_named(saved: Path) -> None:
    (saved / WEIGHTS).unlink()
    with pytest.raises(ModelError, match=r"model\.safetensors does not hold the weights"):
        load_model(saved)


def test_weights_of_another_model_are_refused(saved: Path) -> None:
    save_file(build_model().state_dict(), saved / WEIGHTS)
    with pytest.raises(ModelError, match=r"model\.safetensors does not hold the weights"):
        load_model(saved)


@pytest.mark.parametrize("content", [b"", b"not weights at all"])
def test_broken_weights_are_named(saved: Path, content: bytes) -> None:
    (saved / WEIGHTS).write_bytes(content)
    with pytest.raises(ModelError, match=r"model\.safetensors does not hold the weights"):
        load_model(saved)


@pytest.mark.parametrize("change", [{"spec": None}, {"spec": {"colour": "red"}}])
def test_a_description_without_its_spec_is_refused(saved: Path, change: dict[str, Any]) -> None:
    edit(saved, **change)
    with pytest.raises(ModelError):
        load_model(saved)


def test_an_unknown_slot_lists_the_slots() -> None:
    with pytest.raises(ValueError, match=r"no closure slot 'leaves\.colour'") as caught:
        build_model(ModelSpec(closures=("leaves.colour",)))
    assert all(slot in str(caught.value) for slot in build_model().closures())


def test_unknown_parameters_are_all_named() -> None:
    with pytest.raises(ParameterError, match=r"unknown parameters vcmax, jmax; known: .*vcmax25"):
        build_model(ModelSpec(network=("vcmax", "g1", "jmax"), covariates=("clay",)))
    with pytest.raises(ParameterError) as caught:
        build_model(ModelSpec(learn=("vcmax", "g1", "jmax")))
    assert "cannot learn unknown parameter vcmax" in str(caught.value)
    assert "cannot learn unknown parameter jmax" in str(caught.value)
    with pytest.raises(ParameterError, match="has no parameters vcmax, jmax"):
        build_model(ModelSpec(values={"vcmax": 1.0, "jmax": 2.0}))


def test_unknown_crops_name_the_nearest() -> None:
    with pytest.raises(UnknownCropError, match="did you mean 'maize'"):
        build_model(ModelSpec(crops=("soybean", "maise")))


def test_a_network_without_covariates_says_which() -> None:
    with pytest.raises(ValueError, match="covariates tas_annual, clay of every cell"):
        trained().cell_parameters(torch.tensor([0]), torch.float64)
