"""From ``conf/`` to a validated configuration, with errors that name the right key."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_origin

from pydantic import BaseModel, ValidationError

from neuralcrop.config.tasks import SCHEMAS, Task


class ConfigError(ValueError):
    """A configuration that cannot be run; the message lists every problem."""


def conf_dir() -> Path:
    """Directory of the Hydra configuration: inside an installed package, else the checkout's."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "conf"
    return packaged if packaged.is_dir() else package.parent / "conf"


def compose(task: str, overrides: Sequence[str] = (), run_dir: str | Path = ".") -> Task:
    """Compose and validate the configuration of a task, as the command line does.

    Parameters
    ----------
    task : str
        "simulate", "train", "evaluate", "project", "identify", "twin" or "bench".
    overrides : sequence of str
        Hydra overrides.
    run_dir : path
        Directory of the run.

    Raises
    ------
    ConfigError
        If a key is unknown or missing, or a value is out of its range.
    """
    import hydra
    from omegaconf import OmegaConf

    with hydra.initialize_config_dir(config_dir=str(conf_dir()), version_base="1.3"):
        composed = hydra.compose(config_name=task, overrides=admit_free_keys(task, overrides))
        values = OmegaConf.to_container(composed, resolve=True)
    assert isinstance(values, dict)
    return validate(task, values, run_dir)


def validate(task: str, values: Mapping[Any, Any], run_dir: str | Path) -> Task:
    """Turn composed values into the schema of a task.

    Raises
    ------
    ConfigError
        With every problem, one a line.
    """
    given = {**_without_missing(values), "run_dir": run_dir}
    try:
        return SCHEMAS[task].model_validate(given)
    except ValidationError as error:
        problems: dict[str, str] = {}
        for e in error.errors():
            path = _path(e["loc"], given, keep_last=e["type"] == "missing")
            text = _problem(task, path, e["type"], e["msg"], e["input"])
            # each branch of a union reports on its own
            problems[path] = f"{problems[path]}; or: {text}" if path in problems else text
        lines = [f"{path}: {text}" if path else text for path, text in problems.items()]
        plural = "" if len(lines) == 1 else "s"
        header = f"the configuration of {task!r} has {len(lines)} problem{plural}:"
        raise ConfigError("\n  ".join([header, *lines])) from None


def suggest(task: str, key: str, groups: Iterable[str] = ()) -> str | None:
    """Key of a task's configuration that a wrong one most likely means."""
    own = [k for k, _ in _fields(SCHEMAS[task]) if k != "run_dir"]
    keys = list(dict.fromkeys([*own, *groups, "hydra.run.dir", "hydra.sweep.dir"]))
    parent, _, leaf = key.rpartition(".")
    siblings = {k.rpartition(".")[2]: k for k in keys if k.rpartition(".")[0] == parent}
    elsewhere = {k.rpartition(".")[2]: k for k in reversed(keys)}
    for known, wanted in ((siblings, leaf), (elsewhere, leaf), ({k: k for k in keys}, key)):
        if near := get_close_matches(wanted, known, n=1, cutoff=0.6):
            return known[near[0]]
    return None


def admit_free_keys(task: str, overrides: Iterable[str]) -> list[str]:
    """Admit the keys of free mappings, such as ``crop.parameters.NAME``, among overrides.

    Hydra takes only keys that ``conf/`` has, unless they are marked with ``++``.
    """
    free = [re.escape(key) for key, kind in _fields(SCHEMAS[task]) if get_origin(kind) is dict]
    return [f"++{o}" if re.match(f"({'|'.join(free)})[.=]", o) else o for o in overrides]


def _problem(task: str, path: str, kind: str, message: str, value: object) -> str:
    if kind == "extra_forbidden":
        near = suggest(task, path)
        return "unknown key" + (f"; did you mean {near!r}?" if near else "")
    if kind == "missing":
        return f"needed; give {path}=VALUE"
    message = message.removeprefix("Value error, ").removeprefix("Input ")
    return message if isinstance(value, (dict, BaseModel)) else f"{message}, got {value!r}"


def _path(location: Sequence[str | int], values: Any, keep_last: bool) -> str:
    """Dotted key of an error, without the labels that pydantic adds for branches of unions."""
    parts: list[str] = []
    for depth, part in enumerate(location):
        try:
            values = values[part]
        except (KeyError, IndexError, TypeError):
            if not (keep_last and depth == len(location) - 1):
                continue
        parts.append(str(part))
    return ".".join(parts)


def _fields(section: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted keys of a schema and their types."""
    for name, field in section.model_fields.items():
        kind = field.annotation
        yield prefix + name, kind
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield from _fields(kind, f"{prefix}{name}.")


def _without_missing(values: Mapping[Any, Any]) -> dict[Any, Any]:
    """Values without those still to be given (``???``)."""
    return {
        key: _without_missing(value) if isinstance(value, Mapping) else value
        for key, value in values.items()
        if value != "???"
    }
