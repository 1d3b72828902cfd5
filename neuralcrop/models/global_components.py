"""Components of the `global` set that have alternatives, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from neuralcrop.physics.lpjml_versions import VERSIONS
from neuralcrop.processes.base import Process
from neuralcrop.processes.energy_water import PenmanMonteithTranspiration
from neuralcrop.processes.growth import Allocation
from neuralcrop.processes.lpjml import (
    DemandSupplyTranspiration,
    HarvestIndexAllocation,
    HaxeltinePrenticePhotosynthesis,
)
from neuralcrop.processes.photosynthesis import Photosynthesis

ALTERNATIVES: dict[str, dict[str, Callable[[str], Process]]] = {
    "photosynthesis": {
        "farquhar": lambda version: Photosynthesis(),
        "hp96": HaxeltinePrenticePhotosynthesis,
    },
    "transpiration": {
        "penman_monteith": lambda version: PenmanMonteithTranspiration(),
        "lpjml": DemandSupplyTranspiration,
    },
    "allocation": {
        "partition_table": lambda version: Allocation(),
        "harvest_index": HarvestIndexAllocation,
    },
}
"""Constructors by component and name, the usual one first; each takes a version of LPJmL."""

USUAL = {component: next(iter(names)) for component, names in ALTERNATIVES.items()}
"""The usual choice of each component."""


def check_choices(version: str, **chosen: str) -> None:
    """Refuse unknown names.

    Raises
    ------
    ValueError
        Names the component and lists its choices.
    """
    for component, name in chosen.items():
        if name not in ALTERNATIVES[component]:
            raise ValueError(
                f"unknown {component} {name!r}, expected {' or '.join(ALTERNATIVES[component])}")
    if version not in VERSIONS:
        raise ValueError(f"unknown version of LPJmL {version!r}, expected {' or '.join(VERSIONS)}")


def component(kind: str, name: str, version: str) -> Any:
    """A component by name, with the constants of a version of LPJmL where it has any."""
    check_choices(version, **{kind: name})
    return ALTERNATIVES[kind][name](version)


def alternative_parameters() -> frozenset[str]:
    """Parameters that some choice of components reads and another does not."""
    return frozenset(
        spec.name for names in ALTERNATIVES.values() for make in names.values()
        for spec in make("lpjml6").specs)
