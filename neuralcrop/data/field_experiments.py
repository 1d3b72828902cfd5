"""Field experiments as a dataset: every treatment a cell of a run that begins before its sowing."""

from __future__ import annotations

import logging
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neuralcrop.core.forcing import SOIL_LAYER_THICKNESS, Management, Site
from neuralcrop.data.derive import Notes
from neuralcrop.data.errors import InputError, Problem, Problems
from neuralcrop.data.field_management import field_management
from neuralcrop.data.field_nitrogen import (
    SoilStart,
    by_form,
    fertiliser_dates,
    flag_nitrogen,
    mineral_by_layer,
    soil_start,
)
from neuralcrop.data.field_tables import FieldTables, read_site_years, read_tables, records
from neuralcrop.data.field_weather import (
    WIND_HEIGHT,
    cut,
    layer_means,
    prepare_profiles,
    prepare_series,
)
from neuralcrop.data.seasons import AlignedForcing

log = logging.getLogger("neuralcrop.data")

SUBDIRECTORY = Path("data") / "field_experiments"
"""Where the shared data keep the files, and where they are looked for without them."""

SITE_YEAR_FILES = {"g2f_maize.nc": "maize"}
"""Files of site-years beside the directory, and their crops."""

CROP_NAMES: dict[str, tuple[str, ...]] = {
    "peanut": ("groundnut",), "drybean": ("dry_bean",), "canola": ("rapeseed",),
    "chickpea": ("chickpea", "pea"), "barley": ("barley", "spring_barley"),
}
"""Crops of the catalogue that stand for a file's crop, the first one known; others by name."""

WINTER_MONTHS = {True: (9, 10, 11, 12), False: (3, 4, 5, 6)}
"""Months of autumn sowing, north and south."""

WINTER_LATITUDE = 30.0
"""Degrees from the equator beyond which wheat sown in autumn is winter wheat."""

HEADING_TO_ANTHESIS = 7
"""Days taken from heading to anthesis of wheat where only heading was observed."""

LEAD = 15
"""Days of a run before sowing."""


@dataclass
class FieldBatch:
    """Treatments of one crop of the catalogue as cells of one run, sown on the same day of it.

    Attributes
    ----------
    crop : str
        Crop of the catalogue.
    table : pandas.DataFrame
        One row a cell: origin, ``cultivar``, ``trial`` (place and year), ``sowing``, observations
        (``emergence``, ``anthesis``, ``maturity`` in days after sowing; ``lai_max``, ``biomass``,
        ``yield`` in t ha-1), ``nitrogen`` (kg ha-1), ``nitrogen_record``, ``low_nitrogen``,
        ``weather_days``.
    forcing : AlignedForcing
        Weather of the run.
    site : Site
        Soil.
    management : Management
        Sowing, irrigation and fertiliser.
    initial_water : Tensor
        ``[layer, cell]`` m3 m-3 at the start of the run, NaN where unknown.
    nitrogen : pandas.DataFrame
        Fertiliser: ``cell``, ``day`` of the run, ``nitrate``, ``ammonium``, ``urea`` (kg ha-1),
        ``depth`` (cm), ``code``.
    residue : pandas.DataFrame
        Organic amendments: ``cell``, ``day``, ``amount`` (kg ha-1 dry matter), ``n`` (%), ``code``.
    initial_nitrogen : pandas.DataFrame
        ``cell``, ``layer_bottom`` (cm), ``nh4`` and ``no3`` (kg ha-1 of the layer).
    observations : pandas.DataFrame
        Dated samplings: ``cell``, ``day`` of the run, ``lai``, ``biomass``, ``grain_biomass``.
    soil_start : SoilStart or None
        Organic carbon, mineral nitrogen and residues of the soil at the start of the run.
    """

    crop: str
    table: pd.DataFrame
    forcing: AlignedForcing
    site: Site
    management: Management
    initial_water: Tensor
    nitrogen: pd.DataFrame
    residue: pd.DataFrame
    initial_nitrogen: pd.DataFrame
    observations: pd.DataFrame
    soil_start: SoilStart | None = None


@dataclass
class FieldExperiments:
    """Everything that was read.

    Attributes
    ----------
    root : Path
        Directory of the files.
    files : list of Path
        Files read.
    batches : dict of str to FieldBatch
        By crop of the catalogue.
    left_out : list of str
        Crops and treatments left out, and why.
    notes : list of str
        What was assumed.
    """

    root: Path
    files: list[Path]
    batches: dict[str, FieldBatch] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def find_root(path: str | Path | None = None) -> Path:
    """Directory of the files: as given, else below ``$NEURALCROP_SHARED``, else here.

    Raises
    ------
    InputError
        If there are no files; says where it looked.
    """
    if path is not None:
        places = [Path(path)]
    else:
        shared = os.environ.get("NEURALCROP_SHARED")
        places = [Path(shared) / SUBDIRECTORY] if shared else []
        places += [Path("..") / "shared" / SUBDIRECTORY, SUBDIRECTORY]
    for place in places:
        if any(place.glob("*.nc")):
            return place
    looked = ", ".join(str(p) for p in places)
    raise InputError([Problem(
        "field experiments", f"no NetCDF files in {looked}", "one file a crop",
        "set NEURALCROP_SHARED to the directory that holds data/field_experiments, or give "
        "field_experiments.root=DIRECTORY")], "field_experiments")


def read_field_experiments(
    root: str | Path | None = None, known_crops: tuple[str, ...] = (), *,
    season_days: Callable[[str], int] = lambda crop: 365, lead: int = LEAD,
    wind_height: float = WIND_HEIGHT, crops: tuple[str, ...] = (),
    dtype: torch.dtype = torch.float32,
) -> FieldExperiments:
    """Read all files of a directory of field experiments, and the site-years beside it.

    Parameters
    ----------
    root : path, optional
        Directory; see `find_root`.
    known_crops : tuple of str
        Crops of the catalogue; treatments of others are left out and named.
    season_days : callable
        Longest season of a crop, d: length of its runs after sowing.
    lead : int
        Days of a run before sowing.
    wind_height : float
        Height of the wind measurements, m.
    crops : tuple of str
        Only these crops of the catalogue; all by default.
    dtype : torch.dtype
        Of the tensors.

    Raises
    ------
    InputError
        With every problem of every file.
    """
    directory = find_root(root)
    problems, notes = Problems("field experiments"), Notes()
    files = sorted(directory.glob("*.nc"))
    tables = [read_tables(path, problems) for path in files]
    for name, crop in SITE_YEAR_FILES.items():
        for path in (directory / name, directory.parent / name):
            if path.is_file() and path not in files:
                files.append(path)
                tables.append(read_site_years(path, crop, problems))
                break
    problems.raise_if_any()
    out = FieldExperiments(directory, files)
    parts: dict[str, list[tuple[FieldTables, np.ndarray]]] = {}
    for one in (t for t in tables if t is not None):
        out.left_out += one.left_out
        for crop, rows in _by_crop(one, known_crops, out.left_out, notes).items():
            if not crops or crop in crops:
                parts.setdefault(crop, []).append((one, rows))
    for crop, part in sorted(parts.items()):
        batch = _batch(crop, part, season_days(crop), lead, wind_height, problems, notes, dtype)
        if batch is not None:
            out.batches[crop] = batch
    problems.raise_if_any()
    out.notes = notes.texts
    return out


def _by_crop(
    tables: FieldTables, known: tuple[str, ...], left_out: list[str], notes: Notes
) -> dict[str, np.ndarray]:
    """Rows of usable treatments by crop of the catalogue."""
    table = tables.treatments
    rows = np.flatnonzero(table["usable"].to_numpy(bool))
    if tables.crop == "wheat":
        winter = np.array([is_winter(r["sowing"], r["lat"]) for r in records(table.iloc[rows])])
        named = np.where(winter, "winter_wheat", "spring_wheat")
    else:
        names = CROP_NAMES.get(tables.crop, (tables.crop,))
        chosen = next((n for n in names if n in known), names[0])
        if chosen == "pea" and tables.crop == "chickpea":
            notes.say("chickpea: not in the catalogue, run as pea", warn=True)
        named = np.full(len(rows), chosen)
    out = {}
    for crop in sorted(set(named.tolist())):
        own = rows[named == crop]
        if crop in known:
            out[crop] = own
        else:
            left_out.append(f"{tables.source}: {len(own)} treatments, the catalogue has no {crop}")
    return out


def is_winter(sowing: pd.Timestamp, lat: float) -> bool:
    """Whether wheat sown on a date is of the winter type: autumn, away from the tropics."""
    return bool(abs(lat) >= WINTER_LATITUDE and sowing.month in WINTER_MONTHS[bool(lat >= 0.0)])


def _batch(
    crop: str, parts: list[tuple[FieldTables, np.ndarray]], season_days: int, lead: int,
    wind_height: float, problems: Problems, notes: Notes, dtype: torch.dtype,
) -> FieldBatch | None:
    """Cells of one crop."""
    table = pd.concat([
        t.treatments.iloc[rows].assign(source=t.source, file_row=rows) for t, rows in parts],
        ignore_index=True)
    by_source = {t.source: t for t, _ in parts}
    _observed_days(table, notes)
    # one cultivar is spelt in several ways, its code is not
    table["cultivar_name"] = table["cultivar"]
    code = table["cultivar_id"].astype(str).where(table["cultivar_id"].ne(""))
    table["cultivar"] = table["cultivar"].groupby(code.fillna(table["cultivar"])).transform("first")
    n, n_days = len(table), lead + season_days + 1
    values = np.zeros((n_days, 10, n), dtype=np.float32)
    solar = np.zeros((n_days, n))
    known_days = np.zeros(n, dtype=int)
    series: dict[tuple[str, int], tuple[pd.DatetimeIndex, np.ndarray, np.ndarray] | None] = {}
    for k, row in enumerate(records(table)):
        key = (row["source"], int(row["series"]))
        where = f"{row['source']}, {row['experiment']} treatment {row['treatment']}"
        if key not in series:
            series[key] = prepare_series(
                by_source[key[0]].weather[key[1]], row["lat"], row["lon"], row["elevation"],
                where, problems, notes, wind_height)
        ready = series[key]
        if ready is None:
            continue
        first = row["sowing"] - pd.Timedelta(days=lead)
        values[:, :, k], solar[:, k] = cut(*ready, first, n_days)
        known_days[k] = (ready[0][-1] - row["sowing"]).days
    table["weather_days"] = known_days
    profiles = [by_source[r["source"]].soils.get(int(r["profile"])) for r in records(table)]
    names = [f"{r['source']}, {r['experiment']}" for r in records(table)]
    site = prepare_profiles(
        profiles, table["lat"].to_numpy(float), table["lon"].to_numpy(float),
        table["elevation"].to_numpy(float), names, problems, notes)
    if problems:
        return None
    events = {kind: _joined(table, by_source, kind, lead) for kind in (
        "fertilizer", "irrigation", "residue", "initial", "observation")}
    nitrogen = by_form(events["fertilizer"], notes)
    initial = mineral_by_layer(events["initial"], profiles)
    flag_nitrogen(table, crop, nitrogen, initial, notes)
    gifts = fertiliser_dates(table, nitrogen, events["residue"], lead, n_days, dtype)
    count = torch.arange(1, n_days + 1)
    forcing = AlignedForcing(
        torch.from_numpy(values).to(dtype), count, torch.from_numpy(solar).to(dtype),
        torch.ones_like(count))
    return FieldBatch(
        crop, table, forcing, site.to(dtype=dtype),
        field_management(
            crop, table, events["irrigation"], gifts, lead, n_days, dtype, notes),
        _initial_water(events["initial"], n, dtype), nitrogen, events["residue"], initial,
        events["observation"], soil_start(profiles, initial, events["residue"], dtype))


def _observed_days(table: pd.DataFrame, notes: Notes) -> None:
    """Sowing as the model takes it, and observed stages in days after it.

    Transplanted crops are sown in the nursery, the age of the transplants before their date.
    """
    age = table["transplant_age"].fillna(0.0).where(table["planting_method"] == "T", 0.0)
    if (age > 0).any():
        notes.say("transplanted crops: sown in the nursery, the age of the transplants before "
                  "transplanting; the shock of transplanting is not simulated", warn=True)
    table["transplanting"] = table["sowing"]
    table["sowing"] = table["sowing"] - pd.to_timedelta(age, unit="D")
    for stage in ("emergence", "anthesis", "maturity", "heading"):
        table[stage] = (table[f"{stage}_date"] - table["sowing"]).dt.days.astype(float)
    headed = table["anthesis"].isna() & table["heading"].notna()
    if headed.any():
        notes.say(f"anthesis of {int(headed.sum())} treatments: {HEADING_TO_ANTHESIS} d after "
                  "heading, which is what was observed", warn=True)
        table.loc[headed, "anthesis"] = table.loc[headed, "heading"] + HEADING_TO_ANTHESIS
    table["trial"] = [f"{round(lat, 1):g}/{round(lon, 1):g}/{sown.year}" for lat, lon, sown in zip(
        table["lat"], table["lon"].fillna(0.0), table["transplanting"], strict=True)]


def _joined(
    table: pd.DataFrame, by_source: Mapping[str, FieldTables], kind: str, lead: int
) -> pd.DataFrame:
    """Events of all cells, with the cell and the day of the run (0 is its first)."""
    parts = []
    for source, rows in table.groupby("source"):
        events = by_source[str(source)].events[kind]
        cells = dict(zip(rows["file_row"], rows.index, strict=True))
        own = events[events["treatment"].isin(list(cells))].copy()
        own["cell"] = own["treatment"].map(cells).astype(int)
        own["day"] = (own["date"] - table["sowing"].to_numpy()[own["cell"]]).dt.days + lead
        parts.append(own)
    return pd.concat(parts, ignore_index=True)


def _initial_water(events: pd.DataFrame, n: int, dtype: torch.dtype) -> Tensor:
    """Soil water at the start on the model's layers, NaN where nobody measured."""
    water = np.full((len(SOIL_LAYER_THICKNESS), n), np.nan)
    for cell, rows in events.groupby("cell"):
        own = rows.sort_values("layer_bottom").drop_duplicates("layer_bottom")
        water[:, int(str(cell))] = layer_means(
            own["layer_bottom"].to_numpy(float), own["theta"].to_numpy(float))
    return torch.from_numpy(water).to(dtype)
