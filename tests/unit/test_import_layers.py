"""The import rules of the layers, read from the source of every file."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import neuralcrop

PACKAGE = Path(neuralcrop.__file__).parent

TENSORS = {"torch"}
XARRAY = {"xarray", "netCDF4", "cftime", "zarr", "dask"}

# top-level packages, beyond the standard library, that only these layers may import
ONLY_IN = {
    "hydra": {"cli", "config"},
    "omegaconf": {"cli", "config"},
    "lightning": {"training", "data/datamodule"},
    "pytorch_lightning": set(),
    "safetensors": {"models/saved"},
    "sklearn": {"evaluation"},
    "pandas": {"crops/__init__", "data", "output", "evaluation", "compat"},
    **{name: {"data", "output", "evaluation", "projection"} for name in XARRAY},
}

# layers that nothing else in the package may build on
OUTERMOST = {"compat"}

# everything that a layer may import beyond the standard library
ONLY = {
    "core": TENSORS,
    "physics": TENSORS,
    "processes": TENSORS | {"torchdiffeq"},
    "closures": TENSORS | {"torchdiffeq"},
    "models": TENSORS | {"torchdiffeq", "safetensors"},
    "simulation": TENSORS | {"torchdiffeq"},
}

# layers of the model that a layer may build on
BUILDS_ON = {
    "core": {"core"},
    "physics": {"core", "physics"},
    "closures": {"core", "physics", "closures"},
    "processes": {"core", "physics", "closures", "processes"},
}

FILES = sorted(PACKAGE.rglob("*.py"))


def layer(path: Path) -> str:
    return path.relative_to(PACKAGE).with_suffix("").parts[0]


def belongs(path: Path, places: set[str]) -> bool:
    name = path.relative_to(PACKAGE).with_suffix("").as_posix()
    return any(name == place or name.startswith(place + "/") for place in places)


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imports(node: ast.AST) -> Iterator[str]:
    """Dotted names of all modules imported, in functions, too; not those only for type checkers."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "relative imports hide the layer"
            module = child.module or ""
            yield from (f"{module}.{a.name}" for a in child.names) if module == "neuralcrop" else [
                module]
        elif is_type_checking(child):
            for other in child.orelse:
                yield from imports(other)
        else:
            yield from imports(child)


def violations(path: Path) -> list[str]:
    found = []
    place = layer(path)
    for name in imports(ast.parse(path.read_text(encoding="utf-8"))):
        top = name.partition(".")[0]
        if top == "neuralcrop":
            inner = name.partition(".")[2].partition(".")[0]
            if place in BUILDS_ON and inner and inner not in BUILDS_ON[place]:
                found.append(f"{place} must not build on {name}")
            if inner in OUTERMOST and place not in {inner, "cli"}:
                found.append(f"{place} must not build on {name}")
        elif top in ONLY_IN and not belongs(path, ONLY_IN[top]):
            found.append(f"{name} belongs in {', '.join(sorted(ONLY_IN[top])) or 'no layer'}")
        elif place in ONLY and top not in sys.stdlib_module_names and top not in ONLY[place]:
            found.append(f"{place} must not import {name}")
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.relative_to(PACKAGE).as_posix())
def test_imports_keep_to_the_layers(path: Path) -> None:
    assert violations(path) == []


@pytest.mark.parametrize(("place", "line"), [
    ("core/a.py", "import numpy"),
    ("core/a.py", "from neuralcrop.physics import canopy"),
    ("physics/a.py", "def f():\n    import xarray"),
    ("simulation/a.py", "from dask import array"),
    ("data/a.py", "import lightning.pytorch"),
    ("training/a.py", "from omegaconf import DictConfig"),
    ("training/a.py", "import pandas"),
    ("data/a.py", "from neuralcrop.compat.pcse import simulate"),
])
def test_a_breach_is_seen(
    place: str, line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / place
    path.parent.mkdir()
    path.write_text(line)
    monkeypatch.setattr(sys.modules[__name__], "PACKAGE", tmp_path)
    assert len(violations(path)) == 1


@pytest.mark.parametrize("module", ["neuralcrop", "neuralcrop.cli", "neuralcrop.core.variables"])
def test_importing_is_light(module: str) -> None:
    heavy = ["torch", "xarray", "numpy", "pandas", "hydra", "lightning", "pydantic", "matplotlib"]
    code = f"import sys, {module}; print([m for m in {heavy} if m in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"


def test_public_names_are_listed_without_importing_them() -> None:
    assert set(neuralcrop.__all__) <= set(dir(neuralcrop))
    with pytest.raises(AttributeError, match="no attribute 'simulat'"):
        neuralcrop.simulat  # noqa: B018
