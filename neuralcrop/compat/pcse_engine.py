"""Fields of PCSE's parameters, weather and calendar on the engine of the `wofost72` set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.core.parameters import ParameterTable, ParameterValue
from neuralcrop.core.variables import N_SOIL_LAYERS
from neuralcrop.crops import wofost72 as catalogue
from neuralcrop.models.wofost72 import FORCING, SITE_SPECS, SITE_VALUES, Production, Wofost72


NEVER = 400
"""Day of year of a harvest that does not come: the table is cut at the end of the crop."""


@dataclass(frozen=True)
class Field:
    """One field.

    Attributes
    ----------
    crop : mapping of str to ParameterValue
        Parameters of the crop, as `neuralcrop.crops.wofost72.from_parameters` gives them.
    site : mapping of str to float
        Soil and site by WOFOST's names.
    start : date
        Sowing or emergence.
    emerged : bool
        Whether the crop starts with its emergence.
    """

    crop: Mapping[str, ParameterValue]
    site: Mapping[str, float]
    start: dt.date
    emerged: bool = False


def build(
    fields: Sequence[Field], production: Production, *, smooth: bool = False,
    summed_ages: bool = False,
) -> Wofost72:
    """Model with one entry of its table for each field."""
    widths = catalogue.table_widths([f.crop for f in fields])
    entries = {
        str(k): catalogue.padded(f.crop, widths) | _site(f) for k, f in enumerate(fields)}
    specs = (*catalogue.specs(widths), *SITE_SPECS)
    known = {s.name for s in specs if s.name in {x.name for x in SITE_SPECS}}
    table = ParameterTable(
        specs, {k: {n: v for n, v in e.items() if n in known or n not in SITE_VALUES}
                for k, e in entries.items()})
    return Wofost72(table, production, smooth, summed_ages).eval()


def _site(field: Field) -> dict[str, ParameterValue]:
    values = dict(SITE_VALUES)
    for name, value in {**field.site, "starts_emerged": float(field.emerged),
                        "maximum_season": 365.0}.items():
        if name in values:
            old, x = values[name], float(value)
            values[name] = ParameterValue(
                (x,), (min(x, *old.lower),), (max(x, *old.upper),), old.units,
                "given by the user")
    return values


def forcing_of(
    dates: Sequence[dt.date], columns: Mapping[str, np.ndarray], co2: np.ndarray | float,
    dtype: torch.dtype = torch.float64,
) -> DailyForcing:
    """Weather in PCSE units, ``[day]`` or ``[day, cell]``, as the set's forcing."""
    def col(name: str, scale: float = 1.0) -> np.ndarray:
        values = np.asarray(columns[name], dtype=np.float64) * scale
        return values[:, None] if values.ndim == 1 else values

    rows = {
        "tasmin": col("TMIN"), "tasmax": col("TMAX"), "tas": col("TEMP"),
        "rsds": col("IRRAD", 1.0 / 86400.0), "pr": col("RAIN", 10.0), "vap": col("VAP", 0.1),
        "e0": col("E0", 10.0), "es0": col("ES0", 10.0), "et0": col("ET0", 10.0),
        "co2": np.broadcast_to(np.asarray(co2, dtype=np.float64), col("TMIN").shape),
    }
    values = torch.from_numpy(np.stack([rows[n] for n in FORCING], axis=1)).to(dtype)
    day = torch.tensor([d.timetuple().tm_yday for d in dates], dtype=dtype)
    year = torch.tensor([d.year for d in dates])
    return DailyForcing(values.contiguous(), day, day, year, 0, FORCING)


def orders_of(
    fields: Sequence[Field], irrigation: Mapping[int, Tensor] | None = None,
    dtype: torch.dtype = torch.float64,
) -> Management:
    """Sowing of every field on its date, once; no harvest but at the end of the run."""
    n = len(fields)
    first = min(f.start.year for f in fields)
    last = max(f.start.year for f in fields)
    sowing = torch.zeros(last - first + 2, n, dtype=torch.int64)  # the last row: no more sowing
    for k, f in enumerate(fields):
        sowing[f.start.year - first, k] = f.start.timetuple().tm_yday
    flat = torch.zeros(n, dtype=dtype)
    return Management(
        torch.arange(n), sowing, torch.full((n,), NEVER), flat, flat + 1.0, first,
        dict(irrigation) if irrigation else None)


def site_of(latitude: Tensor) -> Site:
    """Latitude; the soil is in the parameters."""
    flat = torch.zeros_like(latitude)
    layers = flat.expand(N_SOIL_LAYERS, -1)
    return Site(latitude, flat, flat, layers, layers, layers, layers, flat)


class DailyTable:
    """Collects PCSE's daily variables: states of the morning, rates of the day.

    Parameters
    ----------
    model : Wofost72
        Whose days they are.
    """

    def __init__(self, model: Wofost72) -> None:
        self.model = model
        self.rows: list[dict[str, Tensor]] = []

    def __call__(self, day: int, morning: Tensor, evening: Tensor, fluxes: Tensor) -> None:
        """Keep a day."""
        model = self.model
        f = model.fluxes.view(fluxes)
        self.rows.append({
            "morning": morning.clone(),
            # of the morning, but known in the evening: it needs the leaves of former days
            "LAI": model.state.get(evening, "green_leaf_area").clone(),
            "TRA": 0.1 * f["root_zone_transpiration"], "EVS": 0.1 * f["bare_soil_evaporation"]})

    def columns(self, p: Tensor) -> dict[str, np.ndarray]:
        """``[day, cell]`` by PCSE's names."""
        model = self.model
        rows = {name: torch.stack([row[name] for row in self.rows]) for name in self.rows[0]}
        s = {n: rows["morning"][:, model.state.start[n]] for n in model.state.names}
        leaf = s["leaf_grown_weight"]
        stems = s["stem_weight"] + s["dead_stem_weight"]
        stored = {"W": 0.1 * s["root_zone_water"], "WLOW": 0.1 * s["lower_zone_water"]}
        moisture = (stored["W"] / (100.0 * s["root_zone_depth"]) if model.limited
                    else model.table.layout.get(p, "SMFCF").expand_as(leaf))
        out = {
            "DVS": s["development_stage"], "LAI": rows["LAI"],
            "TAGP": leaf + stems + s["storage_weight"], "TWSO": s["storage_weight"],
            "TWLV": leaf, "TWST": stems, "TWRT": s["root_weight"] + s["dead_root_weight"],
            "TRA": rows["TRA"], "RD": 100.0 * s["root_depth"], "SM": moisture,
            "WWLOW": stored["W"] + stored["WLOW"], "EVS": rows["EVS"], **stored,
        }
        return {name: value.detach().double().numpy() for name, value in out.items()}
