"""Mean yields of climates by latitude band: a table and a CSV file."""

from __future__ import annotations

import csv
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xarray as xr

from neuralcrop.output.write import atomic_path
from neuralcrop.projection.years import SMALL_YIELD

BANDS = ((60, 90), (30, 60), (0, 30), (-30, 0), (-90, -30))
"""Latitude bands, degrees north; a band holds its southern bound."""


@dataclass(frozen=True)
class Row:
    """One climate and region of the summary.

    Attributes
    ----------
    scenario, region : str
        Names.
    cells : int
        Cells with yields in both climates.
    yield_t_ha : float
        Mean yield over area and years, t ha-1 dry matter.
    change_t_ha, change_percent : float
        Against the baseline; NaN percent where the baseline yields next to nothing.
    """

    scenario: str
    region: str
    cells: int
    yield_t_ha: float
    change_t_ha: float
    change_percent: float


def summarise(members: Mapping[str, xr.Dataset]) -> list[Row]:
    """Rows of all climates, for all cells and by latitude band.

    Grid cells weigh with the cosine of their latitude, points alike.

    Parameters
    ----------
    members : mapping of str to xarray.Dataset
        From `years.add_changes`, by name of the climate.
    """
    return [row for name, dataset in members.items() for row in _rows(name, dataset)]


def _rows(name: str, dataset: xr.Dataset) -> list[Row]:
    value, usual = dataset["yield_mean"], dataset["yield_baseline_mean"]
    known = (value.notnull() & usual.notnull()).values
    lat = dataset["lat"].broadcast_like(value).transpose(*value.dims).values
    weight = np.cos(np.deg2rad(lat)) if {"lat", "lon"} <= set(value.dims) else np.ones(lat.shape)
    regions = {"all": known}
    for south, north in BANDS:
        regions[_band(south, north)] = known & (lat >= south) & (
            (lat < north) | (north == 90))
    rows = []
    for region, chosen in regions.items():
        if chosen.any():
            mean, base = (float(np.average(v.values[chosen], weights=weight[chosen]))
                          for v in (value, usual))
            percent = 100.0 * (mean - base) / base if base >= SMALL_YIELD else float("nan")
            rows.append(Row(name, region, int(chosen.sum()), mean, mean - base, percent))
    return rows


def write_summary(rows: Sequence[Row], path: str | Path) -> Path:
    """Write the rows as CSV, complete or not at all."""
    with atomic_path(path) as part, part.open("w", newline="", encoding="utf-8") as file:
        names = list(Row.__dataclass_fields__)
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        for row in rows:
            writer.writerow({k: f"{v:.4g}" if isinstance(v, float) else v
                             for k, v in asdict(row).items()})
    return Path(path)


def print_summary(rows: Sequence[Row], changes: Mapping[str, str]) -> None:
    """Print a table: climates down, latitude bands across.

    Parameters
    ----------
    rows : sequence of Row
        From `summarise`.
    changes : mapping of str to str
        What each climate changes, in words.
    """
    from rich import box
    from rich.console import Console
    from rich.table import Table

    regions = list(dict.fromkeys(row.region for row in rows if row.region != "all"))
    table = Table("climate", "what changes", box=box.SIMPLE_HEAD,
                  title="Mean yield, and its change by latitude, t/ha dry matter")
    for title in ("yield", "change", "%", *regions):
        table.add_column(title, justify="right", no_wrap=True)
    for name, text in changes.items():
        own = {row.region: row for row in rows if row.scenario == name}
        if not own:
            table.add_row(name, text, "no harvest")
            continue
        whole = own["all"]
        table.add_row(
            name, text, f"{whole.yield_t_ha:.2f}", f"{whole.change_t_ha:+.2f}",
            f"{whole.change_percent:+.1f}",
            *(f"{own[r].change_t_ha:+.2f}" if r in own else "" for r in regions))
    Console(width=None if sys.stdout.isatty() else 110).print(table)


def _band(south: int, north: int) -> str:
    def text(degrees: int) -> str:
        return f"{abs(degrees)}{'N' if degrees > 0 else 'S' if degrees < 0 else ''}"

    return f"{text(south)}-{text(north)}"
