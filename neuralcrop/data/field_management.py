"""Sowing, irrigation, flooding and fertiliser of field experiments as orders of a run."""

from __future__ import annotations

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neuralcrop.core.forcing import IRRIGATION_ROWS, Management
from neuralcrop.data.derive import Notes
from neuralcrop.data.management_water import (
    DRAINED,
    FREEBOARD,
    FULL_IRRIGATION,
    NO_LIMIT,
    PONDING,
)

FLOOD_IRRIGATION = "IR003"
"""Code of dated water that floods the field."""


def field_management(
    crop: str, table: pd.DataFrame, irrigation: pd.DataFrame,
    gifts: dict[int, Tensor], lead: int, n_days: int, dtype: torch.dtype, notes: Notes,
) -> Management:
    """Orders of a batch: all sown on the same day of the run.

    Irrigation is by date or, where amounts are unknown, to demand. Paddies are kept flooded between
    marks; dated floods of rice stay on the field behind a bund.

    Parameters
    ----------
    crop : str
        Crop of the catalogue.
    table : pandas.DataFrame
        Of the batch; receives ``flooded`` and ``irrigation`` (mm).
    irrigation : pandas.DataFrame
        ``cell``, ``day``, ``amount`` (mm), ``code``, ``is_water``.
    gifts : dict of int to Tensor
        From `field_nitrogen.fertiliser_dates`.
    lead, n_days : int
        Days of the run before sowing, and of the run.
    dtype : torch.dtype
        Of the tensors.
    notes : Notes
        Receives what was assumed.
    """
    n = len(table)
    flooded = set(irrigation.loc[irrigation["is_water"] == 0, "cell"].astype(int))
    table["flooded"] = table.index.isin(list(flooded))
    full = (table["irrigation_mode"] == "A").to_numpy(bool)
    if full.any():
        notes.say("automatic irrigation of unknown amounts: to demand")
    water = irrigation[(irrigation["is_water"] != 0) & irrigation["amount"].gt(0.0)]
    dates: dict[int, Tensor] = {}
    for day, rows in water[water["day"].between(0, n_days - 1)].groupby("day"):
        amount = torch.zeros(n, dtype=dtype)
        for cell, mm in rows.groupby("cell")["amount"].sum().items():
            amount[int(str(cell))] = float(mm)
        dates[int(str(day))] = amount
    given = water.groupby("cell")["amount"].sum()
    table["irrigation"] = given.reindex(table.index).fillna(0.0)
    system = bund = None
    basins = set(water.loc[water["code"] == FLOOD_IRRIGATION, "cell"].astype(int))
    if crop == "rice" and (flooded or basins):
        wet = table["flooded"].to_numpy(bool)
        full = full & ~wet
        system = _paddies(wet, dtype)
        held = wet | table.index.isin(list(basins))
        bund = torch.from_numpy(np.where(held, PONDING[1] + FREEBOARD, 0.0)).to(dtype)
        notes.say(f"flooded rice: {PONDING[0]:g} to {PONDING[1]:g} mm of water from emergence to "
                  f"development stage {DRAINED:g}; dated floods stay behind a bund of "
                  f"{PONDING[1] + FREEBOARD:g} mm")
    flat = torch.zeros(n, dtype=dtype)
    asked = torch.tensor(full.tolist())
    return Management(
        crop=torch.zeros(n, dtype=torch.long), sowing_day=torch.full((1, n), lead + 1),
        harvest_day=torch.zeros(n, dtype=torch.long),
        irrigation_threshold=torch.where(asked, flat + FULL_IRRIGATION[0], flat),
        irrigation_target=flat + FULL_IRRIGATION[1], first_year=1, irrigation_dates=dates,
        irrigation_system=system, bund=bund, fertiliser_dates=gifts or None)


def _paddies(wet: np.ndarray, dtype: torch.dtype) -> Tensor:
    """Rows of the irrigation system, without losses, flooded where ``wet``."""
    rows = dict.fromkeys(IRRIGATION_ROWS, np.zeros(len(wet))) | {
        "efficiency": np.ones(len(wet)), "daily_limit": np.full(len(wet), NO_LIMIT),
        "seasonal_limit": np.full(len(wet), NO_LIMIT), "low": PONDING[0] * wet,
        "high": PONDING[1] * wet, "until": np.full(len(wet), DRAINED)}
    return torch.from_numpy(np.stack([rows[r] for r in IRRIGATION_ROWS])).to(dtype)
