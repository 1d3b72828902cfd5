"""Demonstration yields: where they would be observed, and their file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr

from neuralcrop.data.demo import SEED, TRAINING_YEARS
from neuralcrop.data.files import write_atomically
from neuralcrop.data.randomness import normal, place_key, uniform

CROP = "maize"
"""Crop of the demonstration yields."""

NOISE = 0.08
"""Standard deviation of the logarithm of the observation noise."""

MISSING = 0.1
"""Share of site-years without an observation."""


def blank_yields(soil: str | Path) -> xr.Dataset:
    """Yields dataset of the demonstration's cells with zero for every yield.

    Parameters
    ----------
    soil : path
        File of `write_demo_soil`; its soil is part of the dataset.
    """
    dataset = xr.load_dataset(soil)
    years = np.array(TRAINING_YEARS)[1:]
    values = np.zeros((dataset.sizes["cell"], len(years)), dtype=np.float32)
    dataset[f"{CROP}_yield"] = (("cell", "year"), values, {
        "units": "t ha-1", "long_name": f"{CROP} yield, dry matter (synthetic)"})
    return dataset.assign_coords(year=("year", years, {"long_name": "year of harvest"}))


def write_demo_yields(
    blank: xr.Dataset, table: pd.DataFrame, simulated: np.ndarray, path: str | Path, *,
    seed: int = SEED,
) -> Path:
    """Add observation noise and gaps to simulated yields and write them, completely or not at all.

    Parameters
    ----------
    blank : xarray.Dataset
        From `blank_yields`.
    table : pandas.DataFrame
        Samples with ``site`` and ``year``.
    simulated : numpy.ndarray
        ``[sample]`` t ha-1.
    path : path
        File to write.
    seed : int
        Of noise and gaps.
    """
    name = f"{CROP}_yield"
    values = np.full(blank[name].shape, np.nan, dtype=np.float32)
    column = table["year"].to_numpy() - int(blank["year"].values[0])
    values[table["site"].to_numpy(), column] = simulated
    place = place_key(blank["lat"].values, blank["lon"].values)[:, None]
    year = blank["year"].values[None, :]
    noise = np.exp(NOISE * normal(seed, 401, place, year) - 0.5 * NOISE**2)
    seen = uniform(seed, 402, place, year) >= MISSING
    out = blank.copy()
    out[name] = blank[name].copy(data=np.where(seen, values * noise, np.nan).astype(np.float32))
    return write_atomically(out.assign_attrs(
        title="Synthetic yields of a demonstration world",
        source="synthetic: neuralcrop.training.demo, simulated with hidden parameter maps",
        comment="Invented numbers for demonstration and tests. Not observations.",
        processing=f"seed {seed}, noise {NOISE:.0%}, {MISSING:.0%} missing"), path)


def unexplained(dataset: xr.Dataset, streams: int, *, seed: int = SEED) -> np.ndarray:
    """Standard normal effects of cells that no covariate explains, ``[stream, cell]``."""
    place = place_key(dataset["lat"].values, dataset["lon"].values)
    return np.asarray(normal(seed, 403, np.arange(streams)[:, None], place[None, :]))
