"""Places of samples: the region they lie in, and the places that are nearest to them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

NEIGHBOURS = 5
"""Places whose mean stands in for one that is not known."""

BLOCK_DEGREES = 2.0
"""Size of the regions where the data name none, degrees."""

SAME_PLACE = 1e-3
"""Places within so many degrees are the same."""

Table = pd.DataFrame | Mapping[str, Sequence[Any]] | None


def region_names(table: pd.DataFrame) -> pd.Series:
    """Region of samples: as given, or the block of `BLOCK_DEGREES` in which they lie."""
    if "region" in table:
        return table["region"].astype(str)
    block = np.floor(table[["lat", "lon"]].fillna(0.0) / BLOCK_DEGREES).astype(int)
    return block["lat"].astype(str) + " " + block["lon"].astype(str)


def distinct(table: Table) -> pd.DataFrame:
    """Distinct places of samples: ``lat``, ``lon``, ``region``.

    Parameters
    ----------
    table : DataFrame, mapping or None
        ``lat``, ``lon`` and, if it is known, ``region``; None for no places.
    """
    if table is None:
        return pd.DataFrame(columns=["lat", "lon", "region"])
    return _keys(pd.DataFrame(table)).drop_duplicates(ignore_index=True)


def rows_of(table: pd.DataFrame, where: pd.DataFrame) -> np.ndarray:
    """Row of `distinct` places in which each sample is."""
    index = where.reset_index().set_index(["lat", "lon", "region"])["index"]
    return np.asarray(index.loc[pd.MultiIndex.from_frame(_keys(table))].to_numpy())


def nearest(where: pd.DataFrame, places: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Known places nearest to others, ``[place, NEIGHBOURS]``, and which of these are known.

    The nearest come first; the last repeats where there are few. A known place has itself alone.
    """
    n = min(NEIGHBOURS, len(places))
    out = np.zeros((len(where), NEIGHBOURS), dtype=np.int64)
    known = np.zeros(len(where), dtype=bool)
    lat, lon = (places[c].to_numpy(float) for c in ("lat", "lon"))
    for k, (here, there) in enumerate(zip(where["lat"], where["lon"], strict=True)):
        if not n:
            break
        east = ((lon - there + 180.0) % 360.0 - 180.0) * np.cos(np.deg2rad(here))
        distance = np.hypot(lat - here, east)
        order = np.argsort(distance, kind="stable")[:n]
        known[k] = distance[order[0]] < SAME_PLACE
        out[k] = order[0] if known[k] else np.pad(order, (0, NEIGHBOURS - n), mode="edge")
    return out, known


def _keys(table: pd.DataFrame) -> pd.DataFrame:
    where = table[["lat", "lon"]].astype(float).fillna(0.0).round(4)
    return where.assign(region=region_names(table)).reset_index(drop=True)
