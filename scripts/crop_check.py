"""Simulate every crop of the `global` set where it might grow; write the table in docs/crops.md.

    python scripts/crop_check.py path/to/nasa_power_points.nc [--years 2011 2016] [--dry-run]

The places are points of the file by latitude and longitude; each crop is grown rainfed and
irrigated, all in one run each. The table stands between two marks in the page. It fails where a
season is unfinished, a balance is open or an irrigated yield is outside the plausible range.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

import neuralcrop as nc
from neuralcrop.crops import load_crop
from neuralcrop.simulation.prepare import Compute

PAGE = Path(__file__).resolve().parents[1] / "docs" / "crops.md"

BEGIN, END = "<!-- begin crop check -->", "<!-- end crop check -->"

BALANCE = 1e-6

HEADER = ("| crop | place | anthesis | season | expected | LAI max | rainfed | irrigated | "
          "plausible |\n|" + "---|" * 9)


class Expected(NamedTuple):
    """Where a crop is looked at, and what well-managed fields give there.

    Season from sowing to harvest in days; dry matter in t ha-1 from the national means of leading
    producers to record or potential yields.
    """

    places: tuple[tuple[float, float], ...]
    season: tuple[float, float]
    dry_matter: tuple[float, float]


LOW, RHONE, DAKOTA = (51.5, 5.5), (45.0, 5.0), (44.0, -99.0)
COLUMBIA, CHIHUAHUA, SAHEL, SICHUAN = (46.0, -120.0), (32.0, -106.0), (13.0, 4.0), (32.0, 106.0)

NAMES = {LOW: "51.5 N 5.5 E", RHONE: "45 N 5 E", DAKOTA: "44 N 99 W", COLUMBIA: "46 N 120 W",
         CHIHUAHUA: "32 N 106 W", SAHEL: "13 N 4 E", SICHUAN: "32 N 106 E"}

CROPS = {
    "maize": Expected((DAKOTA, RHONE), (95, 180), (7, 17)),
    "soybean": Expected((DAKOTA, SICHUAN), (85, 160), (2.5, 6.5)),
    "rice": Expected((SICHUAN, SAHEL), (90, 180), (4, 11)),
    "winter_wheat": Expected((LOW, RHONE), (180, 335), (6, 14)),
    "spring_wheat": Expected((LOW, DAKOTA), (90, 180), (4, 11)),
    "barley": Expected((LOW, RHONE), (90, 160), (5, 11)),
    "rye": Expected((LOW, RHONE), (180, 335), (5, 13)),
    "rapeseed": Expected((LOW, RHONE), (240, 345), (2.5, 7)),
    "sunflower": Expected((RHONE, DAKOTA), (95, 160), (2, 6)),
    "sorghum": Expected((CHIHUAHUA, DAKOTA), (95, 160), (4, 13)),
    "millet": Expected((SAHEL, CHIHUAHUA), (70, 140), (1.5, 7)),
    "cassava": Expected((SAHEL,), (210, 365), (8, 30)),
    "potato": Expected((LOW, COLUMBIA), (105, 170), (8, 20)),
    "sugar_beet": Expected((LOW, COLUMBIA), (150, 255), (11, 28)),
    "sugarcane": Expected((SAHEL,), (270, 365), (25, 60)),
    "groundnut": Expected((SAHEL, SICHUAN), (90, 170), (2, 7)),
    "cotton": Expected((CHIHUAHUA, SICHUAN), (140, 225), (3, 8)),
    "dry_bean": Expected((COLUMBIA, DAKOTA), (85, 130), (2, 5)),
    "pea": Expected((LOW, COLUMBIA), (90, 150), (3, 8)),
}


def weather_of(path: Path, years: tuple[int, int]) -> tuple[xr.Dataset, list[tuple[str, str]]]:
    """Weather of every crop and place, one point each, and which they are."""
    forcing = nc.open_forcing(path, time=slice(str(years[0]), str(years[1])))
    cells = [(crop, place) for crop, e in CROPS.items() for place in e.places]
    index = [int(np.flatnonzero((forcing["lat"] == lat) & (forcing["lon"] == lon))[0])
             for _, (lat, lon) in cells]
    chosen = forcing.isel(point=index).assign_coords(point=np.arange(len(index)))
    return chosen, [(crop, NAMES[place]) for crop, place in cells]


def rows_of(
    cells: list[tuple[str, str]], dry: xr.Dataset, wet: xr.Dataset
) -> tuple[list[str], list[str]]:
    """Rows of the table, and what is wrong."""
    rows, wrong = [], []
    for k, (crop, place) in enumerate(cells):
        expected, d, w = CROPS[crop], dry.isel(point=k), wet.isel(point=k)
        moisture = load_crop(crop)["moisture"]
        season, irrigated = float(w["harvday"].mean()), float(w["yield"].mean())
        low, high = expected.dry_matter
        for run in (d, w):
            for residual in ("water_residual", "carbon_residual"):
                if not float(abs(run[residual]).max()) <= BALANCE:
                    wrong.append(f"{crop}, {place}: {residual}")
        if not low <= irrigated <= high:
            wrong.append(f"{crop}, {place}: {irrigated:.1f} t ha-1, expected {low:g} to {high:g}")
        if not expected.season[0] <= season <= expected.season[1]:
            wrong.append(f"{crop}, {place}: {season:.0f} d, expected {expected.season}")
        anthesis = float(w["anthday"].mean())
        unripe = float((w["harvest_reason"] != 1).where(w["harvyear"].notnull()).mean())
        rows.append(
            f"| {crop} | {place} | {anthesis:.0f} | {season:.0f}{' *' if unripe > 0.3 else ''} | "
            f"{expected.season[0]} to {expected.season[1]} | {float(w['lai_max'].mean()):.1f} | "
            f"{float(d['yield'].mean()):.1f} | {irrigated:.1f} ({irrigated / (1 - moisture):.0f}) "
            f"| {low:g} to {high:g} |")
    return rows, wrong


def main() -> None:
    """Run, check, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weather", type=Path)
    parser.add_argument("--years", type=int, nargs=2, default=(2011, 2016))
    parser.add_argument("--dry-run", action="store_true", help="print the table only")
    options = parser.parse_args()
    weather, cells = weather_of(options.weather, tuple(options.years))
    crops = [crop for crop, _ in cells]
    dry, wet = (
        nc.simulate(weather, crop=crops, management={"irrigation": irrigation},
                    compute=Compute(compile=False)) for irrigation in ("none", "full"))
    rows, wrong = rows_of(cells, dry, wet)
    table = "\n".join((HEADER, *rows))
    print(table, *wrong, sep="\n")
    if options.dry_run:
        return
    if wrong:
        raise SystemExit("not written")
    text = PAGE.read_text(encoding="utf-8")
    head, tail = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(f"{head}{BEGIN}\n{table}\n{END}{tail}", encoding="utf-8")


if __name__ == "__main__":
    main()
