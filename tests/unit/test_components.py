"""Components by name: choices, catalogue, saving, configuration."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import neuralcrop as nc
from neuralcrop.cli import main
from neuralcrop.config import ConfigError, SimulateConfig, TrainConfig, compose
from neuralcrop.core.forcing import PLAN_ROWS
from neuralcrop.core.parameters import ParameterError, ParameterTable
from neuralcrop.crops import crop_names, load_catalogue, load_crop
from neuralcrop.models.global_components import (
    ALTERNATIVES,
    USUAL,
    alternative_parameters,
    component,
)
from neuralcrop.models.global_day import GlobalModel
from neuralcrop.models.global_processes import GlobalCropProcesses
from neuralcrop.models.registry import ModelSpec, build_model, load_model, save_model
from neuralcrop.processes.lpjml import (
    DemandSupplyTranspiration,
    HarvestIndexAllocation,
    HaxeltinePrenticePhotosynthesis,
)
from neuralcrop.simulation.events import SEASON
from neuralcrop.training.setup import specification
from tests.model_runs import SmallRun

LPJML = {"photosynthesis": "hp96", "transpiration": "lpjml", "allocation": "harvest_index"}
CHOICES = [(kind, name) for kind, names in ALTERNATIVES.items() for name in names]


def test_the_usual_components_are_the_default() -> None:
    assert ModelSpec().components == USUAL
    assert build_model().variant == ""
    assert not {"assimilation_lowest", "harvest_index_optimal"} & set(build_model().table.specs)


def test_chosen_components_are_built() -> None:
    model = build_model(ModelSpec(crops=("maize",), version="lpjml5", **LPJML))
    assert isinstance(model.parts.photosynthesis, HaxeltinePrenticePhotosynthesis)
    assert isinstance(model.parts.transpiration, DemandSupplyTranspiration)
    assert isinstance(model.parts.allocation, HarvestIndexAllocation)
    assert model.parts.photosynthesis.constants.quantum_c3 == 0.08
    assert model.variant == "hp96 lpjml harvest_index lpjml5"
    assert "vcmax25" not in model.table.specs
    assert "root_share" not in model.table.specs


@pytest.mark.parametrize("kind", ALTERNATIVES)
def test_unknown_names_list_the_choices(kind: str) -> None:
    choices = " or ".join(ALTERNATIVES[kind])
    for make in (lambda: ModelSpec(**{kind: "ball_berry"}),  # type: ignore[arg-type]
                 lambda: component(kind, "ball_berry", "lpjml6"),
                 lambda: GlobalCropProcesses(**{kind: "ball_berry"})):
        with pytest.raises(ValueError, match=f"unknown {kind} 'ball_berry', expected {choices}"):
            make()
    with pytest.raises(ValueError, match="'lpjml4', expected lpjml5 or lpjml6"):
        ModelSpec(version="lpjml4")


def test_wofost_has_no_such_choice() -> None:
    with pytest.raises(ValueError, match="belong to global"):
        ModelSpec(set="wofost72", photosynthesis="hp96")


@pytest.mark.parametrize("crop", crop_names())
@pytest.mark.parametrize(("kind", "name"), CHOICES)
def test_every_crop_has_what_a_choice_reads(crop: str, kind: str, name: str) -> None:
    parts = GlobalCropProcesses(**{kind: name})
    specs = GlobalModel.specs(parts)
    unread = alternative_parameters() - {s.name for s in specs}
    values = load_catalogue((crop,), ("parameters", "lpjml"))[crop]
    table = ParameterTable(
        specs, {crop: {k: v for k, v in values.items() if k not in unread}})
    assert table.crops == (crop,)
    assert len({s.name for s in specs}) == len(specs)


@pytest.mark.parametrize("crop", crop_names())
def test_values_after_lpjml_are_sourced_and_ordered(crop: str) -> None:
    block = load_crop(crop)["lpjml"]
    assert not set(block) & set(load_crop(crop)["parameters"])
    assert set(block) <= alternative_parameters()
    for name, record in block.items():
        assert len(record["source"]) > 10, name
    p = {name: v.value for name, v in load_catalogue((crop,), ("lpjml",))[crop].items()}
    limits = [p[f"assimilation_{n}"][0]
              for n in ("lowest", "optimum_low", "optimum_high", "highest")]
    assert limits == sorted(limits)
    assert p["leaf_curve_early"][0] < p["leaf_curve_late"][0] < p["leaf_curve_senescence"][0] < 1.0
    assert p["harvest_index_minimal"] <= p["harvest_index_optimal"]


@pytest.mark.parametrize("choice", [{}, {"photosynthesis": "hp96"},
                                    {"allocation": "harvest_index"}, LPJML])
def test_lack_of_nitrogen_lowers_capacity_whatever_the_components(choice: dict[str, str]) -> None:
    model = build_model(ModelSpec(crops=("maize",), nutrients=True, **choice)).double()
    run = SmallRun("maize", n_cells=2, n_days=160, model=model, dry=2.0)
    feed = run.management.fertiliser_plan.clone()
    gifts = feed[PLAN_ROWS.index("nitrate")]
    gifts[:, 0] = 0.0
    feed[PLAN_ROWS.index("ammonium")][:, 0] = 0.0
    assert float(gifts[:, 1].sum()) > 1.0
    same = torch.zeros(2, dtype=torch.int64)  # the same place twice
    run.forcing, run.site, run.p = run.forcing.cells(same), run.site.cells(same), run.p[:, same]
    state = run(management=replace(run.management.cells(same), fertiliser_plan=feed))
    poor, rich = SEASON.get(state.season, "last_yield").tolist()
    assert 0.0 < poor < 0.85 * rich


def test_parameters_of_other_components_are_refused() -> None:
    with pytest.raises(ParameterError, match="vcmax25"):
        build_model(ModelSpec(crops=("maize",), values={"vcmax25": 50.0}, **LPJML))
    with pytest.raises(ParameterError, match="minimum_conductance"):
        build_model(ModelSpec(crops=("maize",), values={"minimum_conductance": 1.0}))


def test_a_saved_model_keeps_its_components(tmp_path: Path) -> None:
    spec = ModelSpec(crops=("maize",), version="lpjml5", learn=("harvest_index_optimal",), **LPJML)
    model = build_model(spec)
    save_model(model, tmp_path)
    back = load_model(tmp_path)
    assert back.spec == spec
    assert back.variant == model.variant
    assert back.table.fingerprint() == model.table.fingerprint()


def test_overrides_reach_the_models() -> None:
    overrides = [f"model.{k}={v}" for k, v in LPJML.items()]
    config = compose("simulate", [*overrides, "model.version=lpjml5"])
    assert isinstance(config, SimulateConfig)
    assert config.model.components == {
        **LPJML, "version": "lpjml5", "freezing": False}
    training = compose("train", ["experiment=demo", "model.photosynthesis=hp96"])
    assert isinstance(training, TrainConfig)
    for variant in ("physics", "tuned"):
        assert specification(training, variant, ()).photosynthesis == "hp96"


def test_a_wrong_override_lists_the_choices() -> None:
    with pytest.raises(ConfigError, match="'farquhar' or 'hp96'"):
        compose("simulate", ["model.photosynthesis=ball_berry"])


@pytest.mark.slow
def test_command_line(tmp_path: Path) -> None:
    import xarray as xr

    from neuralcrop.data.demo import make_demo_forcing, suitable_cells

    weather = make_demo_forcing([2001], suitable_cells(1, min_lat=35.0))
    path = tmp_path / "weather.nc"
    weather.to_netcdf(path)
    found = {}
    for name in ("farquhar", "hp96"):
        out = tmp_path / f"{name}.nc"
        assert main([
            "simulate", "forcing=file", f"forcing.path={path}", "crop.name=maize",
            f"model.photosynthesis={name}", "management.sowing=110", "compute.dtype=float64",
            f"output.path={out}", f"hydra.run.dir={tmp_path / name}"]) == 0
        with xr.open_dataset(out) as result:
            found[name] = float(result["yield"].isel(season=0).squeeze())
            assert float(abs(result["water_residual"]).max()) < 1e-12
    spec = ModelSpec(photosynthesis="hp96")
    same = nc.simulate(weather, crop="maize", model=spec, management={"sowing": 110},
                       dtype="float64")
    assert float(same["yield"].isel(season=0).squeeze()) == pytest.approx(found["hp96"], rel=1e-6)
    assert found["hp96"] > 0.5
    assert abs(found["hp96"] - found["farquhar"]) > 1e-3
