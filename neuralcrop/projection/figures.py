"""Maps of a projection: the baseline's yields, and the change in each other climate."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from neuralcrop.output.maps import draw_map

log = logging.getLogger("neuralcrop.projection")

_UNITS = "t ha⁻¹ dry matter"


def draw_maps(members: Mapping[str, xr.Dataset], directory: Path) -> list[Path]:
    """Draw one map a climate, changes on one scale so that they compare.

    Parameters
    ----------
    members : mapping of str to xarray.Dataset
        Means from `years.add_changes`, by name of the climate.
    directory : Path
        Where to.

    Returns
    -------
    list of Path
        The files; none where places have no longitude or there was no harvest.
    """
    changes = {name: d["yield_change_mean"] for name, d in members.items() if not _is_baseline(d)}
    known = [c.values[np.isfinite(c.values)] for c in changes.values()]
    largest = max((float(np.percentile(np.abs(c), 98.0)) for c in known if c.size), default=1.0)
    paths = []
    for name, dataset in members.items():
        path, change = directory / f"{name}.png", changes.get(name)
        try:
            if change is None:
                draw_map(dataset["yield_mean"], path, _title("Mean yield", dataset), _UNITS)
            else:
                draw_map(change, path, _title("Change of mean yield", dataset), _UNITS,
                         diverging=True, limits=(-largest, largest))
        except ValueError as error:
            log.warning("no map of %s: %s", name, error)
            continue
        paths.append(path)
    return paths


def _is_baseline(dataset: xr.Dataset) -> bool:
    return bool(dataset.attrs["scenario"] == dataset.attrs["scenario_baseline"])


def _title(what: str, dataset: xr.Dataset) -> str:
    attrs = dataset.attrs
    head = f"{what}: {attrs['crop'].replace('_', ' ')}, {attrs['scenario']}"
    below = [] if attrs["scenario_change"] == "no change" else [attrs["scenario_change"]]
    if "synthetic" in attrs.get("forcing_source", ""):
        below.append("synthetic weather")
    return "\n".join([head, "; ".join(below)] if below else [head])
