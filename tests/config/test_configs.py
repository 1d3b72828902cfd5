"""Every configuration composes and validates; wrong ones say what is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import BaseModel

from neuralcrop.config import (
    SCHEMAS,
    BenchConfig,
    ConfigError,
    EvaluateConfig,
    ProjectConfig,
    SimulateConfig,
    TrainConfig,
    compose,
    conf_dir,
    suggest,
    validate,
)

NEEDED = {
    "evaluate": ["run=runs/a", "dataset=yields.nc"],
    "train": ["data.path=yields.nc", "data.train_years=[2001,2010]",
              "data.validate_years=[2011,2012]"],
}
"""What a task cannot run without."""

NEEDED_BY_OPTION = {
    "forcing=file": ["forcing.path=weather.nc"],
    "soil=file": ["soil.path=soil.nc"],
    "domain=bbox": ["domain.lat=[-10,10]", "domain.lon=[0,20]"],
}
"""What a choice cannot run without."""


def groups_of(task: str) -> list[str]:
    """Groups that a task composes."""
    defaults = yaml.safe_load((conf_dir() / f"{task}.yaml").read_text())["defaults"]
    keys = [key for entry in defaults if isinstance(entry, dict) for key in entry]
    return [key for key in keys if not key.startswith("override ")]


EXPERIMENTS = {"field_experiments": "evaluate"}
"""Tasks of experiments that are not for training."""

CHOICES = {
    f"{group}={option.stem}": EXPERIMENTS.get(option.stem, "train") if group == "experiment" else (
        task)  # any one task that has the group: the schema is the same
    for task in SCHEMAS
    for group in groups_of(task)
    for option in sorted((conf_dir() / group).glob("*.yaml"))
} | {
    "model=wofost72": "simulate",  # training and its benchmark take the global set
}


def test_every_group_is_used_by_some_task() -> None:
    groups = {path.name for path in conf_dir().iterdir() if path.is_dir()} - {"hydra"}
    assert groups == {group for task in SCHEMAS for group in groups_of(task)}


@pytest.mark.parametrize("task", SCHEMAS)
def test_defaults_validate(task: str) -> None:
    assert isinstance(compose(task, NEEDED.get(task, [])), SCHEMAS[task])


@pytest.mark.parametrize(("choice", "task"), CHOICES.items())
def test_every_option_validates(choice: str, task: str) -> None:
    needed = [] if choice.startswith("experiment=") else NEEDED.get(task, [])
    compose(task, [choice, *needed, *NEEDED_BY_OPTION.get(choice, [])])


@pytest.mark.parametrize("task", NEEDED)
def test_what_a_task_needs_is_asked_for(task: str) -> None:
    with pytest.raises(ConfigError) as caught:
        compose(task)
    keys = [item.partition("=")[0] for item in NEEDED[task]]
    assert [f"{key}: needed; give {key}=VALUE" for key in keys] == [
        line.strip() for line in str(caught.value).splitlines()[1:]]


@pytest.mark.parametrize("choice", NEEDED_BY_OPTION)
def test_what_an_option_needs_is_asked_for(choice: str) -> None:
    keys = [item.partition("=")[0] for item in NEEDED_BY_OPTION[choice]]
    with pytest.raises(ConfigError) as caught:
        compose("simulate", [choice])
    assert [f"{key}: needed; give {key}=VALUE" for key in keys] == [
        line.strip() for line in str(caught.value).splitlines()[1:]]


def test_all_problems_are_reported_at_once_with_the_nearest_key() -> None:
    wrong = [
        "+trainer.max_epoch=3", "+sead=1", "seed=-1", "data.train_years=[2010,2001]",
        "management.sowing=monday", "data.weather={a: 1}", "+solver.rtoll=1",
    ]
    with pytest.raises(ConfigError) as caught:
        compose("train", ["experiment=demo", *wrong])
    head, *lines = str(caught.value).splitlines()
    assert head == "the configuration of 'train' has 7 problems:"
    problems = dict(line.strip().split(": ", 1) for line in lines)
    assert problems["trainer.max_epoch"] == "unknown key; did you mean 'trainer.max_epochs'?"
    assert problems["sead"] == "unknown key; did you mean 'seed'?"
    assert problems["solver.rtoll"] == "unknown key; did you mean 'solver.rtol'?"
    assert "greater than or equal to 0, got -1" in problems["seed"]
    assert "2010, comes after the last, 2001" in problems["data.train_years"]
    assert "'rule'" in problems["management.sowing"]
    assert "a valid integer" in problems["management.sowing"]
    assert "a valid string" in problems["data.weather"]


@pytest.mark.parametrize(("key", "meant"), [
    ("trainer.learning_rat", "trainer.learning_rate"),
    ("trainer.seed", "seed"),
    ("max_epochs", "trainer.max_epochs"),
    ("data.holdout_cell", "data.holdout_cells"),
    ("hydra.run.dri", "hydra.run.dir"),
    ("nothing_like_it_at_all", None),
])
def test_suggestions(key: str, meant: str | None) -> None:
    assert suggest("train", key) == meant


def test_texture_sums_to_one_at_most() -> None:
    with pytest.raises(ConfigError, match=r"soil: sand \+ clay is 1\.2, expected at most 1"):
        compose("simulate", ["soil.sand=0.7", "soil.clay=0.5"])


@pytest.mark.parametrize(("override", "value"), [
    ("sowing=120", 120), ("sowing='04-25'", "04-25"), ("harvest=2001-09-30", "2001-09-30"),
    ("irrigation=full", "full"),
    ("irrigation={threshold: 0.4, target: 0.8}", {"threshold": 0.4, "target": 0.8}),
    ("irrigation={system: drip, daily_limit: 6}", {"system": "drip", "daily_limit": 6.0}),
    ("nitrogen=120", 120.0),
    ("nitrogen={total: 90, splits: [[0, 0.5], [30, 0.5]]}",
     {"total": 90.0, "splits": [(0.0, 0.5), (30.0, 0.5)]}),
    ("residues={burnt: 0.5}", {"burnt": 0.5}), ("tillage=none", "none"),
    ("sequence=[{crop: maize, sowing: 120, use: cover}]",
     [{"crop": "maize", "sowing": 120, "use": "cover"}]),
])
def test_management(override: str, value: object) -> None:
    config = compose("simulate", [f"management.{override}"])
    assert isinstance(config, SimulateConfig)
    assert config.management.model_dump(exclude_none=True)[override.partition("=")[0]] == value


def test_free_keys_are_free() -> None:
    config = compose("simulate", [
        "forcing.names={tasmin: t2m_min}", "crop.parameters.vcmax25=80",
        "crop.name='wheat:Winter_wheat_103'"])
    assert isinstance(config, SimulateConfig)
    assert config.forcing.names == {"tasmin": "t2m_min"}
    assert config.crop.parameters == {"vcmax25": 80.0}
    assert config.crop.name == "wheat:Winter_wheat_103"


def test_evaluate_takes_plain_names() -> None:
    config = compose("evaluate", ["run=runs/a", "dataset=b.nc", "output=metrics.json"])
    assert isinstance(config, EvaluateConfig)
    assert (config.run, config.dataset, config.output) == ("runs/a", "b.nc", "metrics.json")


def test_us_soybean(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NEURALCROP_SHARED", "elsewhere")
    config = compose("train", ["experiment=us_soybean"])
    assert isinstance(config, TrainConfig)
    assert config.data.path == "elsewhere/data/us_soybean_counties.nc"
    assert config.crop.name == "soybean"
    assert config.data.weather is None
    assert config.data.validate_years == (2011, 2015)
    monkeypatch.delenv("NEURALCROP_SHARED")
    again = compose("train", ["experiment=us_soybean"])
    assert isinstance(again, TrainConfig)
    assert again.data.path == "../shared/data/us_soybean_counties.nc"


def test_an_override_wins_over_the_experiment() -> None:
    config = compose("train", ["experiment=us_soybean", "crop=maize", "trainer.max_epochs=1"])
    assert isinstance(config, TrainConfig)
    assert (config.crop.name, config.trainer.max_epochs) == ("maize", 1)


@pytest.mark.parametrize(("override", "problem"), [
    ("scenario.baseline=nowhere", "baseline 'nowhere' is not one of present, warm, hot_dry"),
    ("scenario.members=[{name: present}, {name: present}]", "two members have the same name"),
    ("scenario.members=[{name: present, tass: 2}]", "scenario.members.0.tass: unknown key"),
    ("scenario.members=[{name: present, pr: -1}]", "scenario.members.0.pr: "),
])
def test_wrong_scenarios(override: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem.replace(".", r"\.")):
        compose("project", [override])


def test_suites_of_the_benchmark() -> None:
    config = compose("bench", ["suite=wofost", "cells=10", "page=docs/benchmarks.md"])
    assert isinstance(config, BenchConfig)
    assert (config.suite, config.cells, config.repeats) == ("wofost", 10, None)
    default = compose("bench")
    assert isinstance(default, BenchConfig)
    assert default.suite == "global"
    with pytest.raises(ConfigError, match="page is written by suite=wofost only"):
        compose("bench", ["page=a.md"])
    with pytest.raises(ConfigError, match=r"suite: .*'global' or 'wofost'"):
        compose("bench", ["suite=pcse"])


def test_a_configuration_survives_json() -> None:
    config = compose("project", ["scenario=ctwn"], run_dir=Path("runs/a"))
    assert isinstance(config, ProjectConfig)
    values = config.model_dump(mode="json")
    assert validate("project", values, values.pop("run_dir")) == config


def test_every_key_is_documented() -> None:
    undocumented = []

    def walk(section: type[BaseModel]) -> None:
        for name, field in section.model_fields.items():
            kind = field.annotation
            if isinstance(kind, type) and issubclass(kind, BaseModel):
                assert kind.__doc__
                walk(kind)
            elif not field.description:
                undocumented.append(f"{section.__name__}.{name}")

    for schema in SCHEMAS.values():
        walk(schema)
    assert undocumented == []


def test_closures_by_slot() -> None:
    config = compose("train", [*NEEDED["train"], "closure=all",
                               "closure.without=[leaves.senescence]",
                               "closure.options={photosynthesis.vcmax: {bound: 1.5}}"])
    assert isinstance(config, TrainConfig)
    known = config.closure.specification()
    assert len(known["closures"]) == 5
    assert "leaves.senescence" not in known["closures"]
    assert known["closure_options"]["photosynthesis.vcmax"] == {"bound": 1.5}
    assert known["closure_options"]["transpiration.water_supply"] == {"kind": "monotone"}
    with pytest.raises(ConfigError, match=r"without names soil\.percolation, not among slots"):
        compose("train", [*NEEDED["train"], "closure.without=[soil.percolation]"])


def test_an_encoder_needs_a_network() -> None:
    config = compose("train", [*NEEDED["train"], "parameters=encoder"])
    assert isinstance(config, TrainConfig)
    assert config.parameters.encoder is not None
    with pytest.raises(ConfigError, match=r"network.names is empty"):
        compose("train", [*NEEDED["train"], "parameters=encoder", "parameters.network.names=[]"])
