"""`neuralcrop project` from files to files, on a few cells of the demonstration world."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import cast

import numpy as np
import pytest
import torch
import xarray as xr

import neuralcrop as nc
from neuralcrop.config import ProjectConfig, compose
from neuralcrop.data.demo import make_demo_forcing
from neuralcrop.data.demo_climate import demo_grid
from neuralcrop.data.errors import InputError
from neuralcrop.data.files import write_atomically
from neuralcrop.models.registry import ModelSpec, build_model, save_model
from neuralcrop.projection import project
from neuralcrop.projection.project import Projection
from neuralcrop.projection.scenarios import changed_forcing
from neuralcrop.simulation.prepare import PreparedRun

pytestmark = pytest.mark.slow

YEARS = [2014, 2015]


@pytest.fixture(scope="module")
def weather(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six cells of the North American corn belt and their gaps, as a grid."""
    land = demo_grid()
    box = (np.abs(land.lat - 41.0) < 3.0) & (np.abs(land.lon + 93.0) < 3.0)
    part = make_demo_forcing(YEARS, np.flatnonzero(box)[:8])
    grid = part.drop_vars("cell").set_index(cell=["lat", "lon"])
    height = grid["elevation"].reset_coords(drop=True).unstack("cell")
    grid = grid.drop_vars("elevation").unstack("cell").assign_coords(elevation=height)
    grid["lat"].attrs, grid["lon"].attrs = part["lat"].attrs, part["lon"].attrs
    return write_atomically(grid, tmp_path_factory.mktemp("weather") / "weather.nc")


def configured(weather: Path, directory: Path, *overrides: str) -> ProjectConfig:
    return cast(ProjectConfig, compose("project", [
        f"forcing.path={weather}", "compute.compile=false", "compute.threads=1", *overrides,
    ], directory))


MEMBERS = ("scenario.members=[{name: now}, {name: rich, co2: 700}, "
           "{name: hot, tas: 3.0, pr: 0.8}]")


@pytest.fixture(scope="module")
def projected(weather: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("run")
    return project.run(configured(weather, directory, MEMBERS, "scenario.baseline=now"))


def read(directory: Path, name: str) -> xr.Dataset:
    with xr.open_dataset(directory / f"{name}.nc") as dataset:
        return dataset.load()


def test_writes_a_file_and_a_map_for_each_climate(projected: Path) -> None:
    assert sorted(p.name for p in projected.iterdir()) == [
        "hot.nc", "hot.png", "now.nc", "now.png", "rich.nc", "rich.png", "summary.csv"]


def test_file_holds_yields_and_their_change(projected: Path) -> None:
    now, hot = read(projected, "now"), read(projected, "hot")
    assert now["yield"].dims == ("year", "lat", "lon")
    assert now["year"].values.tolist() == YEARS
    for dataset in (now, hot):
        for name in ("biom", "plantday", "anthday", "matyday", "transp", "evap", "pirnreq",
                     "lai_max", "harvest_reason", "water_residual", "carbon_residual"):
            assert dataset[name].dims == now["yield"].dims
        assert all("units" in v.attrs and "long_name" in v.attrs
                   for v in dataset.data_vars.values())
    assert (now["yield"] > 1.0).any()
    np.testing.assert_allclose(hot["yield_change"], hot["yield"] - now["yield"], atol=1e-5)
    np.testing.assert_allclose(
        hot["yield_change_relative"], 100.0 * hot["yield_change"] / now["yield"], rtol=1e-3)
    np.testing.assert_allclose(
        hot["yield_change_mean"], hot["yield_change"].mean("year"), atol=1e-5)
    assert (now["yield_change"].fillna(0.0) == 0.0).all()


def test_file_says_where_it_comes_from(projected: Path) -> None:
    attrs = read(projected, "hot").attrs
    assert attrs["scenario_change"] == "+3 K, -20 % precipitation"
    assert attrs["scenario_baseline"] == "now"
    assert "synthetic" in attrs["forcing_source"]
    assert attrs["parameter_table"]
    assert attrs["configuration"]


def test_sowing_stays_and_warmth_hastens(projected: Path) -> None:
    now, hot = read(projected, "now"), read(projected, "hot")
    xr.testing.assert_equal(now["plantday"], hot["plantday"])
    assert (hot["anthday"] < now["anthday"]).where(now["anthday"].notnull(), True).all()


def test_co2_acts_through_co2_alone(projected: Path, weather: Path) -> None:
    """The member equals a simulation of the same weather with that CO2."""
    direct = nc.simulate(nc.open_forcing(weather), co2=700.0, crop="maize")
    rich, now = read(projected, "rich"), read(projected, "now")
    np.testing.assert_allclose(rich["yield"], direct["yield"].values[:len(YEARS)], rtol=1e-6)
    xr.testing.assert_equal(rich["anthday"], now["anthday"])
    assert (rich["yield_change"].fillna(0.0) >= -1e-3).all()


def test_summary(projected: Path) -> None:
    rows = list(csv.DictReader((projected / "summary.csv").open()))
    assert [r["scenario"] for r in rows if r["region"] == "all"] == ["now", "rich", "hot"]
    hot = read(projected, "hot")
    weight = np.cos(np.deg2rad(hot["lat"]))
    mean = hot["yield_mean"].weighted(weight).mean().item()
    assert float(rows[-1]["yield_t_ha"]) == pytest.approx(mean, rel=1e-3)


def test_other_forcing_files(weather: Path, tmp_path: Path) -> None:
    """A member of other files, here the same weather, equals its change factors alone."""
    members = ("scenario.members=[{name: present}, {name: rich, co2: 500.0}, "
               f"{{name: files, path: '{weather}', years: [2015, 2015], co2: 500.0}}]")
    project.run(configured(
        weather, tmp_path, members, "forcing.years=[2015,2015]", "domain.cells=[0,1]",
        "output.format=zarr", "output.maps=false"))
    found, expected = (xr.open_dataset(tmp_path / f"{name}.zarr", engine="zarr")
                       for name in ("files", "rich"))
    assert not list(tmp_path.glob("*.png"))
    xr.testing.assert_allclose(found.load(), expected.load(), rtol=1e-5)


def test_forcing_of_other_places_is_refused(weather: Path, tmp_path: Path) -> None:
    with xr.open_dataset(weather) as dataset:
        moved = dataset.load().assign_coords(lat=dataset["lat"] + 2.0)
    other = write_atomically(moved, tmp_path / "other.nc")
    config = configured(weather, tmp_path / "run", "forcing.years=[2015,2015]",
                        f"scenario.members=[{{name: present}}, {{name: a, path: '{other}'}}]")
    projection = Projection(config)
    with pytest.raises(InputError, match="its forcing has other places"):
        projection.simulate(config.scenario.members[1])


def test_wrong_climates_are_found_before_the_first_runs(weather: Path, tmp_path: Path) -> None:
    config = configured(
        weather, tmp_path, "scenario.members=[{name: present}, {name: a, path: nowhere.nc}]")
    with pytest.raises(InputError, match=r"nowhere\.nc"):
        Projection(config)
    config = configured(weather, tmp_path, "scenario.members=[{name: present}, {name: a, co2: 9}]")
    with pytest.raises(InputError, match="ppm"):
        Projection(config)


def test_interrupt_leaves_whole_files_only(
    weather: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ctrl-C while the second climate is written."""
    written = []
    original = xr.Dataset.to_netcdf

    def interrupted(self: xr.Dataset, path: Path, **options: object) -> None:
        original(self, path, **options)  # type: ignore[call-overload]
        written.append(path)
        if len(written) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(xr.Dataset, "to_netcdf", interrupted)
    config = configured(weather, tmp_path, MEMBERS, "scenario.baseline=now",
                        "domain.cells=[0]", "forcing.years=[2015,2015]")
    with pytest.raises(KeyboardInterrupt):
        project.run(config)
    assert [p.name for p in tmp_path.iterdir()] == ["now.nc"]
    assert read(tmp_path, "now")["yield"].notnull().any()


def test_unwritable_place_is_found_first(
    weather: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(project, "Projection", None)  # nothing may run
    with pytest.raises(OSError, match="cannot be written"):
        project.run(configured(weather, tmp_path / "file" / "run"))


@pytest.fixture
def hybrid(tmp_path: Path) -> Path:
    """A model whose parameters depend on the climate."""
    torch.manual_seed(1)
    model = build_model(ModelSpec(
        crops=("maize",), network=("thermal_time_vegetative",),
        covariates=("tas_annual", "pr_annual"), network_hidden=(4,)))
    with torch.no_grad():
        for parameter in model.network.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    save_model(model, tmp_path / "model")
    return tmp_path / "model"


def test_a_trained_crop_stays_the_same_crop(hybrid: Path, weather: Path, tmp_path: Path) -> None:
    config = configured(weather, tmp_path, MEMBERS, "scenario.baseline=now", f"run={hybrid}",
                        "scenario.sowing=own")
    projection = Projection(config)
    base, hot = (projection._run_of(m) for m in config.scenario.members[::2])
    assert isinstance(hot, PreparedRun)
    assert hot.parameters is base.parameters
    assert (hot.management.sowing_day != base.management.sowing_day).any()
    # by itself the network would give other plants in the hot climate
    alone = projection._prepare(changed_forcing(base.forcing, config.scenario.members[2]))
    assert not torch.allclose(alone.parameters, base.parameters)
