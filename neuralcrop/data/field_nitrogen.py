"""Nitrogen of field experiments: fertiliser, organic amendments, and what the soil holds before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neuralcrop.core.forcing import GIFT_ROWS, SOIL_LAYER_BOTTOM, SOIL_LAYER_THICKNESS
from neuralcrop.data.derive import Notes
from neuralcrop.data.field_tables import NITROGEN_FORMS, records
from neuralcrop.data.field_weather import layer_means

LEGUMES = ("soybean", "groundnut", "dry_bean", "chickpea", "pea", "fababean", "cowpea")

LOW_NITROGEN = 100.0
"""kg ha-1 of fertiliser and initial mineral nitrogen below which a treatment is flagged as short of
nitrogen; a cereal of 5 t ha-1 takes up about as much."""

UNRECORDED = 200.0
"""kg ha-1 given to crops other than legumes in experiments that say nothing of nitrogen: a dose
that does not limit."""

UNRECORDED_DAYS = (0, 40)
"""Days after sowing of the two halves of it, ammonium nitrate."""

MANURE_NITROGEN = 2.0
"""Nitrogen of organic material (%) from which it is manure; poorer material is plant residues."""

CARBON_OF_RESIDUES = 0.45
"""Carbon in dry matter of plants."""

BULK_DENSITY = 1.35
"""g cm-3 of profiles without one."""

GRAMS = 0.1
"""kg ha-1 to g m-2."""


@dataclass(frozen=True)
class SoilStart:
    """What the soil holds at the start, g m-2; NaN where it is not known.

    Attributes
    ----------
    organic_carbon : Tensor
        ``[layer, cell]``.
    nitrate, ammonium : Tensor
        ``[layer, cell]`` of nitrogen.
    litter_carbon, litter_nitrogen : Tensor
        ``[cell]`` residues worked in for the experiment, 0 without.
    """

    organic_carbon: Tensor
    nitrate: Tensor
    ammonium: Tensor
    litter_carbon: Tensor
    litter_nitrogen: Tensor

    def cells(self, index: Tensor) -> SoilStart:
        """The same for some cells."""
        return SoilStart(*(getattr(self, f.name)[..., index] for f in fields(self)))


def by_form(events: pd.DataFrame, notes: Notes) -> pd.DataFrame:
    """Fertiliser by form of nitrogen, kg ha-1.

    Parameters
    ----------
    events : pandas.DataFrame
        ``cell``, ``day``, ``n`` (kg ha-1), ``depth``, ``code``.
    notes : Notes
        Receives unknown codes.
    """
    unknown = sorted({str(c) for c in events["code"]} - set(NITROGEN_FORMS))
    if unknown:
        notes.say(f"fertiliser codes {', '.join(unknown)}: taken as half nitrate, half ammonium")
    forms = np.array([NITROGEN_FORMS.get(str(c), (0.5, 0.5, 0.0)) for c in events["code"]])
    amount = events["n"].fillna(0.0).to_numpy(float)[:, None] * forms.reshape(-1, 3)
    return events[["cell", "day", "depth", "code"]].assign(
        nitrate=amount[:, 0], ammonium=amount[:, 1], urea=amount[:, 2])


def mineral_by_layer(
    events: pd.DataFrame, profiles: Sequence[Mapping[str, np.ndarray] | None]
) -> pd.DataFrame:
    """Mineral nitrogen of the soil before sowing, kg ha-1 of each given layer.

    Parameters
    ----------
    events : pandas.DataFrame
        ``cell``, ``day``, ``layer_bottom`` (cm), ``nh4`` and ``no3`` (mg kg-1).
    profiles : sequence of mapping or None
        Soil of each cell.
    """
    out = events[["cell", "day", "layer_bottom"]].assign(nh4=np.nan, no3=np.nan)
    for cell, rows in events.groupby("cell"):
        own = rows.sort_values("layer_bottom")
        bottom = own["layer_bottom"].to_numpy(float)
        # mg kg-1 x g cm-3 x cm x 0.1 = kg ha-1
        mass = 0.1 * _density(profiles[int(str(cell))]) * np.diff(np.concatenate([[0.0], bottom]))
        for name in ("nh4", "no3"):
            out.loc[own.index, name] = own[name].to_numpy(float) * mass
    return out


def _density(profile: Mapping[str, np.ndarray] | None) -> float:
    """Mean bulk density of a profile, g cm-3."""
    given = np.array([]) if profile is None else profile.get("bulk_density", np.array([]))
    given = given[np.isfinite(given)]
    return float(given.mean()) if len(given) else BULK_DENSITY


def flag_nitrogen(
    table: pd.DataFrame, crop: str, nitrogen: pd.DataFrame, initial: pd.DataFrame, notes: Notes
) -> None:
    """Nitrogen given, mineral nitrogen at the start, and what is recorded of both.

    ``nitrogen_record`` is ``recorded``; ``legume`` where nothing was given to a legume, which then
    lives on the soil and on fixation; ``assumed`` where an experiment with another crop has no
    fertiliser in any treatment and no mineral nitrogen: it is given `UNRECORDED`. A treatment
    without fertiliser in an experiment that has some is a control and gets none.
    """
    given = nitrogen.groupby("cell")[["nitrate", "ammonium", "urea"]].sum().sum(axis=1)
    table["nitrogen"] = given.reindex(table.index).fillna(0.0)
    mineral = initial.groupby("cell")[["nh4", "no3"]].sum().sum(axis=1)
    table["initial_nitrogen"] = mineral.reindex(table.index).where(lambda n: n > 0.0)
    known = table["nitrogen"].gt(0.0) | table["initial_nitrogen"].notna()
    known = known.groupby([table["source"], table["experiment"]]).transform("any")
    nothing = "legume" if crop in LEGUMES else "assumed"
    table["nitrogen_record"] = np.where(known, "recorded", nothing)
    for source, rows in table[table["nitrogen_record"] == "assumed"].groupby("source"):
        notes.say(f"{source}: {len(rows)} treatments of {crop} without any record of nitrogen: "
                  f"{UNRECORDED:g} kg ha-1 of ammonium nitrate, half at sowing, half "
                  f"{UNRECORDED_DAYS[1]} d later, so that nitrogen does not limit")
    supply = table["nitrogen"] + table["initial_nitrogen"].fillna(0.0)
    table["low_nitrogen"] = (
        (supply < LOW_NITROGEN) & (crop not in LEGUMES) & table["nitrogen_record"].eq("recorded"))


def fertiliser_dates(
    table: pd.DataFrame, nitrogen: pd.DataFrame, residue: pd.DataFrame, lead: int, n_days: int,
    dtype: torch.dtype,
) -> dict[int, Tensor]:
    """Gifts by day of the run, ``[row, cell]``, rows `GIFT_ROWS`, g m-2 of nitrogen.

    What was given before the run begins comes on its first day. Urea counts as ammonium.

    Parameters
    ----------
    table : pandas.DataFrame
        Of the batch, with ``nitrogen_record``.
    nitrogen : pandas.DataFrame
        From `by_form`.
    residue : pandas.DataFrame
        Organic amendments; those of at least `MANURE_NITROGEN` are manure.
    lead, n_days : int
        Days of the run before sowing, and of the run.
    dtype : torch.dtype
        Of the tensors.
    """
    manure = residue[residue["n"] >= MANURE_NITROGEN]
    gifts = [
        (int(r["cell"]), float(r["day"]), (r["nitrate"], r["ammonium"] + r["urea"], 0.0))
        for r in records(nitrogen)]
    gifts += [(int(r["cell"]), float(r["day"]), (0.0, 0.0, 0.01 * r["n"] * r["amount"]))
              for r in records(manure)]
    half = UNRECORDED / len(UNRECORDED_DAYS)
    gifts += [(int(cell), float(lead + after), (0.5 * half, 0.5 * half, 0.0))
              for cell in table.index[table["nitrogen_record"] == "assumed"]
              for after in UNRECORDED_DAYS]
    out: dict[int, Tensor] = {}
    for cell, day, amounts in gifts:
        if np.isfinite(day) and day < n_days and sum(amounts) > 0.0:
            rows = out.setdefault(
                max(int(day), 0), torch.zeros(len(GIFT_ROWS), len(table), dtype=dtype))
            rows[:, cell] += GRAMS * torch.tensor(amounts, dtype=dtype)
    return dict(sorted(out.items()))


def soil_start(
    profiles: Sequence[Mapping[str, np.ndarray] | None], initial: pd.DataFrame,
    residue: pd.DataFrame, dtype: torch.dtype,
) -> SoilStart:
    """Organic carbon, mineral nitrogen and residues of the soil on the model's layers.

    Organic carbon is known to the depth of the profile. Mineral nitrogen is that of the measured
    layers, none below them; zero in all layers counts as not measured.

    Parameters
    ----------
    profiles : sequence of mapping or None
        Soil of each cell.
    initial : pandas.DataFrame
        From `mineral_by_layer`.
    residue : pandas.DataFrame
        Organic amendments; those below `MANURE_NITROGEN` are residues.
    dtype : torch.dtype
        Of the tensors.
    """
    n, layers = len(profiles), len(SOIL_LAYER_BOTTOM)
    carbon, nh4, no3 = (np.full((layers, n), np.nan) for _ in range(3))
    for k, profile in enumerate(profiles):
        if profile is not None:
            carbon[:, k] = _organic_carbon(profile)
    for cell, rows in initial.groupby("cell"):
        own = rows.sort_values("layer_bottom").drop_duplicates("layer_bottom")
        if own[["nh4", "no3"]].sum().sum() > 0.0:
            bottom = own["layer_bottom"].to_numpy(float)
            for name, target in (("nh4", nh4), ("no3", no3)):
                target[:, int(str(cell))] = GRAMS * _shared_out(
                    bottom, own[name].fillna(0.0).to_numpy(float))
    litter = np.zeros((2, n))
    for event in records(residue[residue["n"] < MANURE_NITROGEN]):
        litter[:, int(event["cell"])] += GRAMS * event["amount"] * np.array(
            [CARBON_OF_RESIDUES, 0.01 * event["n"]])
    values = (torch.from_numpy(x).to(dtype) for x in (carbon, no3, nh4, *litter))
    return SoilStart(*values)


def _organic_carbon(profile: Mapping[str, np.ndarray]) -> np.ndarray:
    """Carbon of the model's layers, g m-2; NaN in those that begin below the profile."""
    bottom = profile["layer_bottom"]
    percent = profile.get("organic_carbon", np.full(len(bottom), np.nan))
    if not np.isfinite(percent).any():
        return np.full(len(SOIL_LAYER_BOTTOM), np.nan)
    density = np.full(len(bottom), _density(profile))
    given = profile.get("bulk_density")
    if given is not None:
        density = np.where(np.isfinite(given), given, density)
    thickness = np.array(SOIL_LAYER_THICKNESS)
    mass = layer_means(bottom, 0.01 * percent * 1e6 * density) * thickness
    top = np.array(SOIL_LAYER_BOTTOM) - thickness
    return np.where(100.0 * top < bottom[-1], mass, np.nan)


def _shared_out(bottom: np.ndarray, amount: np.ndarray) -> np.ndarray:
    """Amounts of given layers (cm) on the model's, by depth."""
    low = bottom / 100.0
    top = np.concatenate([[0.0], low[:-1]])
    ours = np.concatenate([[0.0], SOIL_LAYER_BOTTOM])
    shared = np.minimum(low, ours[1:, None]) - np.maximum(top, ours[:-1, None])
    return np.asarray(np.maximum(shared, 0.0) / (low - top) @ amount)
