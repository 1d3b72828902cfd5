"""Files of field experiments as tables: treatments, events, observations, weather, soil profiles.

A file holds several tables, each the set of variables of one dimension; `read_tables` joins them
and says all that is wrong at once. `read_site_years` brings a file of one trial a site-year to the
same form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuralcrop.data import units
from neuralcrop.data.errors import Problems

NOT_REAL = "not a real experiment"
"""Words in the notes of experiments that only show how a model reacts."""

NEEDED = {
    "experiment": ("experiment_id", "lat", "lon"),
    "treatment": ("treatment_experiment", "treatment_number", "cultivar_name", "sowing_date",
                  "weather_series", "soil_profile", "yield"),
    "weather_day": ("weather_series_index", "weather_date", "tasmin", "tasmax", "pr", "rsds"),
    "soil": ("soil_layer_bottom",),
}
"""Variables that a file must have, by the dimension of their table."""

EVENTS = {
    "fertilizer": ("treatment", "date", "n", "depth", "code"),
    "irrigation": ("treatment", "date", "amount", "code", "is_water"),
    "residue": ("treatment", "date", "amount", "n", "code"),
    "initial": ("treatment", "date", "layer_bottom", "theta", "nh4", "no3"),
    "observation": ("treatment", "date", "lai", "biomass", "grain_biomass"),
}
"""Tables that a file may have, and their columns after the prefix."""

WEATHER = {"tasmin": "degC", "tasmax": "degC", "pr": "mm d-1", "rsds": "W m-2", "vap": "kPa",
           "hurs": "%", "tdew": "degC", "sfcwind": "m s-1"}
"""Variables of the weather and the units into which they are brought."""

SOIL = ("layer_bottom", "theta_wp", "theta_fc", "theta_sat", "ksat", "clay", "silt",
        "organic_carbon", "bulk_density", "root_growth_factor", "available_water", "ph")

OBSERVED = {"yield": "yield", "obs_biomass_maturity": "biomass", "obs_lai_max": "lai_max"}
"""Observations at the end of a season, by the file's name of each."""

STAGES = ("emergence", "anthesis", "maturity", "heading", "harvest")

UREA, NITRATE_AND_AMMONIUM = (0.0, 0.0, 1.0), (0.5, 0.5, 0.0)
AMMONIUM = (0.0, 1.0, 0.0)

NITROGEN_FORMS: dict[str, tuple[float, float, float]] = {
    "FE001": NITRATE_AND_AMMONIUM, "FE002": AMMONIUM, "FE003": (0.25, 0.75, 0.0),
    "FE004": AMMONIUM, "FE005": UREA, "FE006": AMMONIUM, "FE007": AMMONIUM,
    "FE008": (1.0, 0.0, 0.0), "FE009": AMMONIUM, "FE010": (0.25, 0.25, 0.5),
    "FE011": (0.8, 0.2, 0.0), "FE019": UREA, "Ammonitrate": NITRATE_AND_AMMONIUM,
    "Solution_azotée": (0.25, 0.25, 0.5), "18_46": AMMONIUM,
}
"""Shares of nitrate, ammonium and urea in the nitrogen of a fertiliser, from its composition: urea
ammonium nitrate solution holds half its nitrogen as urea, ammonium phosphates hold ammonium."""


@dataclass
class FieldTables:
    """What one file says, joined.

    Attributes
    ----------
    source : str
        The file.
    crop : str
        Crop as the file is named.
    treatments : pandas.DataFrame
        One row a treatment: ``experiment``, ``place``, ``lat``, ``lon``, ``elevation``,
        ``treatment``, ``name``, ``cultivar``, ``sowing``, dates of stages, observations at the end
        of the season (t ha-1 dry matter), management, ``series`` and ``profile``.
    events : dict of str to pandas.DataFrame
        Tables of `EVENTS`, with the row of the treatment in ``treatment``.
    weather : dict of int to pandas.DataFrame
        Daily weather by series, indexed by date.
    soils : dict of int to dict
        Soil variables ``[layer]`` by profile; depths in cm.
    left_out : list of str
        Treatments left out, and why.
    """

    source: str
    crop: str
    treatments: pd.DataFrame
    events: dict[str, pd.DataFrame]
    weather: dict[int, pd.DataFrame]
    soils: dict[int, dict[str, np.ndarray]]
    left_out: list[str] = field(default_factory=list)


def _loaded(path: Path, expected: str, problems: Problems) -> xr.Dataset | None:
    """The file in memory; None where it cannot be read."""
    try:
        with xr.open_dataset(path) as opened:
            return opened.load()
    except (OSError, ValueError) as error:
        problems.add(path.name, f"cannot be read ({error})", expected, "")
        return None


def read_tables(path: str | Path, problems: Problems) -> FieldTables | None:
    """Read a file of several tables; None where it cannot be read.

    Parameters
    ----------
    path : path
        NetCDF file.
    problems : Problems
        Receives everything that is wrong.
    """
    path = Path(path)
    data = _loaded(path, "a NetCDF file of experiments", problems)
    if data is None:
        return None
    lacking = [(d, v) for d, names in NEEDED.items() for v in names
               if v not in data or data[v].dims[:1] != (d,)]
    for dim, name in lacking:
        problems.add(f"{path.name}, variable {name}", "missing", f"a variable of {dim}", "")
    if lacking:
        return None
    treatments = _treatments(data)
    tables = FieldTables(
        path.name, path.stem.removesuffix("_france"), treatments, _events(data), _weather(data),
        {k: _profile(data, k) for k in range(data.sizes["soil"])})
    check_tables(tables, problems)
    return tables


def _frame(data: xr.Dataset, dim: str) -> pd.DataFrame:
    return data[[v for v in data.data_vars if data[v].dims == (dim,)]].to_dataframe()


def records(table: pd.DataFrame) -> list[dict[str, Any]]:
    """Rows of a table as mappings."""
    return [{str(k): v for k, v in row.items()} for row in table.to_dict("records")]


def _treatments(data: xr.Dataset) -> pd.DataFrame:
    """Treatments with what their experiments say."""
    raw, experiments = _frame(data, "treatment"), _frame(data, "experiment")
    own = experiments.iloc[raw["treatment_experiment"].to_numpy(int)].reset_index(drop=True)
    n = len(raw)

    def column(table: pd.DataFrame, name: str, default: Any) -> Any:
        return table[name].to_numpy() if name in table else np.full(n, default)

    out = pd.DataFrame({
        "experiment": own["experiment_id"], "place": column(own, "place", ""),
        "notes": column(own, "notes", ""),
        "lat": own["lat"].astype(float), "lon": own["lon"].astype(float),
        "elevation": column(own, "elevation", np.nan).astype(float),
        "treatment": raw["treatment_number"].astype(int),
        "name": column(raw, "treatment_name", ""), "cultivar": raw["cultivar_name"],
        "cultivar_id": column(raw, "cultivar_id", ""),
        "series": raw["weather_series"].astype(int), "profile": raw["soil_profile"].astype(int),
        "irrigation_mode": column(raw, "irrigation_mode", "R"),
        "planting_method": column(raw, "planting_method", "S"),
        "transplant_age": column(raw, "transplant_age", np.nan).astype(float),
        "plant_density": column(raw, "plant_density", np.nan).astype(float),
        "yield_code": column(raw, "yield_code", ""),
        "sowing": pd.to_datetime(raw["sowing_date"].replace("", None), errors="coerce"),
    })
    for stage in STAGES:
        given = column(raw, f"{stage}_date", "")
        out[f"{stage}_date"] = pd.to_datetime(
            pd.Series(given).replace("", None), errors="coerce")
    for name, ours in OBSERVED.items():
        out[ours] = column(raw, name, np.nan).astype(float)
    return out


def _events(data: xr.Dataset) -> dict[str, pd.DataFrame]:
    out = {}
    for kind, columns in EVENTS.items():
        raw = _frame(data, kind) if kind in data.dims else pd.DataFrame()
        table = pd.DataFrame({
            c: raw[f"{kind}_{c}"].to_numpy() if f"{kind}_{c}" in raw
            else np.full(len(raw), np.nan) for c in columns})
        table["date"] = pd.to_datetime(table["date"].replace("", None), errors="coerce")
        out[kind] = table
    return out


def _weather(data: xr.Dataset) -> dict[int, pd.DataFrame]:
    raw = _frame(data, "weather_day")
    names = [n for n in WEATHER if n in raw]
    raw = raw.assign(**{n: _in_units(data[n], n) for n in names})
    out = {}
    for series, rows in raw.groupby("weather_series_index"):
        table = rows.set_index("weather_date")[names].sort_index().astype(float)
        out[int(str(series))] = table[~table.index.duplicated()]
    return out


def _in_units(variable: xr.DataArray, name: str) -> np.ndarray:
    """Values in the units of `WEATHER`, by the variable's own attribute."""
    factor, offset = units.scale(str(variable.attrs.get("units", WEATHER[name])), WEATHER[name])
    return np.asarray(variable.values.astype(float) * factor + offset)


def _profile(data: xr.Dataset, index: int) -> dict[str, np.ndarray]:
    """Soil variables of one profile, without layers that are not there."""
    one = data.isel(soil=index)
    values = {n: one[f"soil_{n}"].values.astype(float) for n in SOIL if f"soil_{n}" in data}
    known = values["layer_bottom"] > 0.0  # a layer that ends at the surface is none
    return {n: v[known] for n, v in values.items()}


def check_tables(tables: FieldTables, problems: Problems) -> None:
    """Note what makes treatments unusable; leave out those that are not experiments."""
    table, source = tables.treatments, tables.source
    unreal = table["notes"].str.contains(NOT_REAL, case=False, na=False)
    for experiment in table.loc[unreal, "experiment"].unique():
        tables.left_out.append(f"{experiment}: its notes call it {NOT_REAL}")
    tables.treatments = table = table.assign(usable=~unreal)
    for row in records(table[table["usable"]]):
        where = f"{source}, {row['experiment']} treatment {row['treatment']}"
        if pd.isna(row["sowing"]):
            problems.add(f"{where}, variable sowing_date", "missing or not a date",
                         "a date YYYY-MM-DD", "")
        if row["series"] not in tables.weather:
            problems.add(f"{where}, variable weather_series", f"no series {row['series']}",
                         f"one of {len(tables.weather)} series", "")
        if not np.isfinite(row["lat"]):
            problems.add(f"{where}, variable lat", "missing", "degrees north", "")
        if row["profile"] >= 0 and row["profile"] not in tables.soils:
            problems.add(f"{where}, variable soil_profile", f"no profile {row['profile']}",
                         f"-1 or one of {len(tables.soils)} profiles", "")
        observed = row["yield"]
        if np.isfinite(observed) and not 0.0 <= observed <= 40.0:
            problems.add(f"{where}, variable yield", f"{observed:g} t ha-1", "0 to 40 t ha-1",
                         "check units")
    for kind, events in tables.events.items():
        lost = ~events["treatment"].isin(np.arange(len(table)))
        if lost.any():
            problems.add(f"{source}, variable {kind}_treatment",
                         f"{int(lost.sum())} rows of treatments that are not there",
                         f"0 to {len(table) - 1}", "")
        undated = events["date"].isna() & ~lost
        if kind in ("fertilizer", "irrigation") and undated.any():
            first = table.iloc[int(events.loc[undated, "treatment"].iloc[0])]
            problems.add(f"{source}, {first['experiment']} treatment {first['treatment']}, "
                         f"variable {kind}_date", f"missing in {int(undated.sum())} rows",
                         "a date YYYY-MM-DD", "")


# --- one trial a site-year ------------------------------------------------------------------------

SITE_YEAR = ("site_year", "lat", "lon", "sowing_date", "yield", "tasmin", "tasmax", "pr", "rsds",
             "day", "layer_bottom")


def read_site_years(path: str | Path, crop: str, problems: Problems) -> FieldTables | None:
    """Read a file with one trial a site-year and weather by days after sowing.

    Parameters
    ----------
    path : path
        NetCDF file.
    crop : str
        Its crop.
    problems : Problems
        Receives everything that is wrong.
    """
    path = Path(path)
    data = _loaded(path, "a NetCDF file of site-years", problems)
    if data is None:
        return None
    lacking = [n for n in SITE_YEAR if n not in data]
    for name in lacking:
        problems.add(f"{path.name}, variable {name}", "missing", "a file of site-years", "")
    if lacking:
        return None
    n = data.sizes["site_year_index"]
    sowing = pd.to_datetime(pd.Series(data["sowing_date"].values))
    nothing = np.full(n, np.nan)
    notes = data["note"].values if "note" in data else np.full(n, "")
    table = pd.DataFrame({
        "experiment": data["site_year"].values, "place": data["site_year"].values,
        "notes": notes, "lat": data["lat"].values.astype(float),
        "lon": data["lon"].values.astype(float), "elevation": nothing, "treatment": 1,
        "name": "mean of the hybrids", "cultivar": "mean of the hybrids", "cultivar_id": "",
        "series": np.arange(n), "profile": np.arange(n), "irrigation_mode": "N",
        "planting_method": "S", "transplant_age": np.nan,
        "plant_density": data["plant_density"].values if "plant_density" in data else nothing,
        "yield_code": "", "sowing": sowing, "yield": data["yield"].values.astype(float),
        "biomass": nothing, "lai_max": nothing,
    })
    for stage in STAGES:
        known = f"{stage}_date" in data
        table[f"{stage}_date"] = pd.to_datetime(
            pd.Series(data[f"{stage}_date"].values if known else [None] * n))
    if "irrigated" in data:
        table["irrigation_mode"] = np.where(data["irrigated"].values == 1, "A", "N")
    weather, soils = {}, {}
    for k in range(n):
        one = data.isel(site_year_index=k)
        days = pd.DataFrame({v: _in_units(one[v], v) for v in WEATHER if v in data})
        days.index = sowing[k] + pd.to_timedelta(one["day"].values, unit="D")
        weather[k] = days
        soils[k] = _site_profile(one)
    tables = FieldTables(
        path.name, crop, table,
        {kind: pd.DataFrame({c: [] for c in columns}).assign(date=pd.to_datetime([]))
         for kind, columns in EVENTS.items()}, weather, soils)
    wrong = table["notes"].str.contains("wrong place", na=False)
    check_tables(tables, problems)
    tables.treatments["usable"] &= ~wrong
    tables.left_out += [f"{e}: its weather and soil were drawn at the wrong place"
                        for e in table.loc[wrong, "experiment"]]
    return tables


def _site_profile(one: xr.Dataset) -> dict[str, np.ndarray]:
    """Soil of a site-year under the names of profiles; ksat from mm d-1 to cm h-1."""
    bottom = one["layer_bottom"].values.astype(float)
    known = np.isfinite(bottom)
    names = [n for n in SOIL if n in one and n != "layer_bottom"]
    out = {n: one[n].values.astype(float)[known] for n in names} | {"layer_bottom": bottom[known]}
    if "ksat" in out:
        out["ksat"] = out["ksat"] / 240.0
    if "organic_matter" in one:
        out["organic_carbon"] = one["organic_matter"].values.astype(float)[known] / 1.724
    return out
