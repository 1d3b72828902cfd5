"""A made-up directory of field experiments: two places, three treatments, weather by a sine."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

SOWING = ("2001-05-01", "2001-05-01", "2003-05-10")
DAYS = 150
"""Days of each weather record, from five days before sowing."""

LAYERS = (20.0, 40.0, 100.0)


def tables() -> dict[str, tuple[Any, ...]]:
    """Variables of the file: dimensions, values, units."""
    days = np.arange(DAYS)
    wave = np.sin(2 * np.pi * (days + 35) / 365.0)
    starts = [pd.Timestamp("2001-04-26"), pd.Timestamp("2003-05-05")]
    dates = np.concatenate([pd.date_range(s, periods=DAYS).to_numpy() for s in starts])

    def twice(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values, values])

    one = ("treatment",)
    return {
        "experiment_id": (("experiment",), ["AAAA0101", "BBBB0301"], "1"),
        "lat": (("experiment",), [42.0, 45.0], "degrees_north"),
        "lon": (("experiment",), [-90.0, 5.0], "degrees_east"),
        "elevation": (("experiment",), [300.0, 20.0], "m"),
        "notes": (("experiment",), ["", ""], "1"),
        "treatment_experiment": (one, [0, 0, 1], "1"),
        "treatment_number": (one, [1, 2, 1], "1"),
        "treatment_name": (one, ["dry", "wet", "fed"], "1"),
        "cultivar_name": (one, ["A", "A", "B"], "1"),
        "sowing_date": (one, list(SOWING), "1"),
        "emergence_date": (one, ["", "2001-05-10", ""], "1"),
        "anthesis_date": (one, ["2001-07-05", "2001-07-05", "2003-07-12"], "1"),
        "maturity_date": (one, ["2001-08-25", "2001-08-30", "2003-09-10"], "1"),
        "weather_series": (one, [0, 0, 1], "1"),
        "soil_profile": (one, [0, 0, 1], "1"),
        "irrigation_mode": (one, ["N", "R", "A"], "1"),
        "yield": (one, [5.0, 7.0, 9.0], "t ha-1"),
        "obs_biomass_maturity": (one, [11.0, 14.0, 18.0], "t ha-1"),
        "obs_lai_max": (one, [3.0, 4.0, np.nan], "m2 m-2"),
        "fertilizer_treatment": (("fertilizer",), [1, 2, 2], "1"),
        "fertilizer_date": (("fertilizer",), ["2001-05-01", "2003-05-10", "2003-06-10"], "1"),
        "fertilizer_n": (("fertilizer",), [60.0, 100.0, 80.0], "kg ha-1"),
        "fertilizer_depth": (("fertilizer",), [5.0, 5.0, 0.0], "cm"),
        "fertilizer_code": (("fertilizer",), ["FE001", "FE005", "FE010"], "1"),
        "irrigation_treatment": (("irrigation",), [1, 1], "1"),
        "irrigation_date": (("irrigation",), ["2001-06-01", "2001-06-20"], "1"),
        "irrigation_amount": (("irrigation",), [25.0, 30.0], "mm"),
        "irrigation_code": (("irrigation",), ["IR001", "IR001"], "1"),
        "irrigation_is_water": (("irrigation",), [1, 1], "1"),
        "residue_treatment": (("residue",), [2], "1"),
        "residue_date": (("residue",), ["2003-04-20"], "1"),
        "residue_amount": (("residue",), [2000.0], "kg ha-1"),
        "residue_n": (("residue",), [0.8], "%"),
        "residue_code": (("residue",), ["RE001"], "1"),
        "initial_treatment": (("initial",), [0, 0, 0], "1"),
        "initial_date": (("initial",), ["2001-04-28"] * 3, "1"),
        "initial_layer_bottom": (("initial",), list(LAYERS), "cm"),
        "initial_theta": (("initial",), [0.15, 0.20, 0.25], "m3 m-3"),
        "initial_nh4": (("initial",), [2.0, 1.0, 1.0], "mg kg-1"),
        "initial_no3": (("initial",), [10.0, 5.0, 2.0], "mg kg-1"),
        "observation_treatment": (("observation",), [0, 0], "1"),
        "observation_date": (("observation",), ["2001-06-15", "2001-07-15"], "1"),
        "observation_lai": (("observation",), [1.5, 3.0], "m2 m-2"),
        "observation_biomass": (("observation",), [np.nan, 6.0], "t ha-1"),
        "weather_series_index": (("weather_day",), np.repeat([0, 1], DAYS), "1"),
        "weather_date": (("weather_day",), dates, None),
        "tasmin": (("weather_day",), twice(4.0 + 10.0 * wave), "degC"),
        "tasmax": (("weather_day",), twice(16.0 + 12.0 * wave), "degC"),
        "pr": (("weather_day",), twice(np.where(days % 6 == 0, 14.0, 0.0)), "mm d-1"),
        "rsds": (("weather_day",), twice(180.0 + 60.0 * wave), "W m-2"),
        "vap": (("weather_day",), np.concatenate(
            [np.full(DAYS, np.nan), 600.0 + 800.0 * wave]), "Pa"),
        "soil_layer_bottom": (("soil", "layer"), [LAYERS, (30.0, 150.0, np.nan)], "cm"),
        "soil_theta_wp": (("soil", "layer"), [(0.10, 0.12, 0.14), (0.15, 0.15, np.nan)], "m3 m-3"),
        "soil_theta_fc": (("soil", "layer"), [(0.25, 0.27, 0.29), (0.32, 0.30, np.nan)], "m3 m-3"),
        "soil_theta_sat": (("soil", "layer"), [(0.40, 0.40, 0.40), (0.45, 0.45, np.nan)],
                           "m3 m-3"),
        "soil_bulk_density": (("soil", "layer"), [(1.5,) * 3, (1.4, 1.4, np.nan)], "g cm-3"),
    }


def write(directory: Path, name: str = "maize.nc", **changes: Any) -> Path:
    """Write the file with some variables' values changed, or left out (None); the directory."""
    directory.mkdir(parents=True, exist_ok=True)
    out = {}
    for variable, (dims, values, unit) in tables().items():
        if variable in changes:
            values = changes[variable]
        if values is None:
            continue
        array = np.asarray(values)
        if array.dtype.kind == "U":
            array = array.astype(object)
        out[variable] = (dims, array, {} if unit is None else {"units": unit})
    xr.Dataset(out).to_netcdf(directory / name)
    return directory
