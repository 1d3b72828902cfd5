"""Fields of PCSE's parameters, weather and calendar on the engine of the `wofost72` set."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from torch import Tensor

from neuralcrop.compat.pcse_inputs import Calendar, Crop
from neuralcrop.compat.pcse_weather import Weather
from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.core.parameters import ParameterTable, ParameterValue
from neuralcrop.core.variables import N_SOIL_LAYERS
from neuralcrop.crops import wofost72 as catalogue
from neuralcrop.models.wofost72 import FORCING, Wofost72
from neuralcrop.models.wofost72_field import Production
from neuralcrop.models.wofost72_site import SITE_SPECS, SITE_VALUES
from neuralcrop.simulation.integrate import Stepper
from neuralcrop.simulation.schedule import Ground

SEGMENT = 30
"""Days after which it is looked whether the crop has ended."""

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
    restarts : bool
        Whether the soil water of the site is that of the start of the crop, not of the run.
    longest : int
        Days that the crop may stand; its table is cut sooner where the crop ends sooner.
    """

    crop: Mapping[str, ParameterValue]
    site: Mapping[str, float]
    start: dt.date
    emerged: bool = False
    restarts: bool = False
    longest: int = 365


def build(
    fields: Sequence[Field], production: Production, *, smooth: bool = False,
    summed_ages: bool = False, widths: Mapping[str, int] | None = None,
) -> Wofost72:
    """Model with the crops of the fields; tables as wide as they need by default."""
    widths = catalogue.table_widths([f.crop for f in fields]) if widths is None else widths
    crops = list({id(f.crop): f.crop for f in fields}.values())
    entries = {str(k): catalogue.padded(crop, widths) | SITE_VALUES
               for k, crop in enumerate(crops)}
    table = ParameterTable((*catalogue.specs(widths), *SITE_SPECS), entries)
    return Wofost72(table, production, smooth, summed_ages).eval()


def parameters_of(
    model: Wofost72, fields: Sequence[Field], dtype: torch.dtype = torch.float64
) -> Tensor:
    """Parameters of every field, ``[parameter row, cell]``: its crop, its soil and site."""
    p = model.cell_parameters(crops_of(fields), dtype).clone()
    rows, layout = {s.name: s for s in SITE_SPECS}, model.table.layout
    for name in rows:
        values = torch.tensor([_given(f, name) for f in fields], dtype=torch.float64)
        p[layout.start[name]] = values.to(dtype)
    return p


def crops_of(fields: Sequence[Field]) -> Tensor:
    """Column of the table of `build` for every field."""
    columns: dict[int, int] = {}
    return torch.tensor([columns.setdefault(id(f.crop), len(columns)) for f in fields])


def _given(field: Field, name: str) -> float:
    own = {"starts_emerged": field.emerged, "restarts_water": field.restarts,
           "maximum_season": field.longest, **field.site}
    return float(own.get(name, SITE_VALUES[name].value[0]))


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
    # the first and the last row stand for all years before and after: no sowing in them
    sowing = torch.zeros(last - first + 3, n, dtype=torch.int64)
    for k, f in enumerate(fields):
        sowing[1 + f.start.year - first, k] = f.start.timetuple().tm_yday
    flat = torch.zeros(n, dtype=dtype)
    return Management(
        crops_of(fields), sowing, torch.full((n,), NEVER), flat, flat + 1.0, first - 1,
        dict(irrigation) if irrigation else None)


def site_of(latitude: Tensor) -> Site:
    """Latitude; the soil is in the parameters."""
    flat = torch.zeros_like(latitude)
    layers = flat.expand(N_SOIL_LAYERS, -1)
    return Site(latitude, flat, flat, layers, layers, layers, layers, flat)


def run(
    crop: Crop, calendar: Calendar, weather: Weather, production: Production, n_days: int,
    compiled: bool = False,
) -> dict[str, np.ndarray]:
    """Daily columns of one field, ``[day]``, until some days after its crop has ended.

    Parameters
    ----------
    crop, calendar, weather
        Inputs as parsed.
    production : {"potential", "water_limited"}
        Whether water limits.
    n_days : int
        Days of weather to run at most.
    compiled : bool
        Compile the day: minutes once on a machine, seconds once in a process, then fast.
    """
    field = Field(crop.parameters, crop.site, calendar.crop_start,
                  calendar.start_type == "emergence", longest=_rounded(n_days))
    widths = catalogue.table_widths([crop.parameters])
    if compiled:  # one graph for all crops
        widths = {n: max(w, widths[n]) for n, w in catalogue.table_widths().items()}
    model = build([field], production, summed_ages=True, widths=widths)
    stepper = _stepper(production, tuple(sorted(widths.items()))) if compiled else Stepper(model)
    forcing = forcing_of(weather.dates[:n_days], weather.columns, crop.co2)
    gifts = {weather.dates.index(day): torch.tensor([10.0 * amount], dtype=torch.float64)
             for day, amount in calendar.irrigation.items() if day in weather.dates}
    site, orders = site_of(torch.tensor([weather.latitude], dtype=torch.float64)), orders_of(
        [field], gifts)
    p = parameters_of(model, [field])
    days, ends = DailyTable(model), calendar.end_type != "harvest"
    with torch.no_grad():
        state = stepper.start(forcing, site, p)
        for start in range(0, n_days, SEGMENT):
            part = forcing.days(start, min(start + SEGMENT, n_days))
            state = stepper.run(state, part, site, orders, p, observe=days, standing=True)
            if ends and len(days.rows) > 1 and bool(model.ripe(days.rows[-1]["morning"], p)):
                break
    columns = {name: values[:, 0] for name, values in days.columns(p).items()}
    short = n_days - len(columns["DVS"])
    return {name: np.pad(values, (0, short), mode="edge") for name, values in columns.items()}


def _rounded(n_days: int) -> int:
    """Days that a field may stand: few values, so that one compiled day serves many seasons."""
    return max(365, -(-n_days // 365) * 365)


@cache
def _stepper(production: Production, widths: tuple[tuple[str, int], ...]) -> Stepper:
    """Compiled day for tables of these widths: one for all crops, as parameters are its input."""
    any_crop = catalogue.load_variety(catalogue.crop_names()[0])
    field = Field(any_crop, {}, dt.date(2000, 1, 1))
    return Stepper(
        build([field], production, summed_ages=True, widths=dict(widths)), compiled=True)


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

    def __call__(
        self, day: int, morning: Tensor, evening: Tensor, fluxes: Tensor, ground: Ground
    ) -> None:
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
