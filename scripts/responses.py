"""Respond to nitrogen, CO2, warmth and water on real weather; write docs/responses.md.

    python scripts/responses.py path/to/nasa_power_points.nc [--years 2008 2012] [--dry-run]

Every place, crop and scenario is a cell of one run for each level of CO2. What is out of its band
is said in the page; it fails only where something is not finite, a balance is open or a sign wrong.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import NamedTuple

import numpy as np
import xarray as xr

import neuralcrop as nc
from neuralcrop.config.sections import ScenarioMember
from neuralcrop.projection.scenarios import changed_forcing
from neuralcrop.simulation.simulate import Compute

PAGE = Path(__file__).resolve().parents[1] / "docs" / "responses.md"

LOW, RHONE, DAKOTA = (51.5, 5.5), (45.0, 5.0), (44.0, -99.0)
SICHUAN, CHIHUAHUA, SAHEL = (32.0, 106.0), (32.0, -106.0), (13.0, 4.0)

PLACES: dict[str, tuple[tuple[float, float], ...]] = {
    "maize": (DAKOTA, RHONE), "sorghum": (DAKOTA, CHIHUAHUA), "winter_wheat": (LOW, RHONE),
    "spring_wheat": (LOW, DAKOTA), "barley": (LOW, RHONE), "rice": (SICHUAN,),
    "potato": (LOW,), "rapeseed": (LOW, RHONE), "soybean": (DAKOTA, SICHUAN),
    "groundnut": (SICHUAN, SAHEL), "pea": (LOW, RHONE), "dry_bean": (DAKOTA,),
}
"""Crops and the points, by latitude and longitude, at which they are grown."""

C4 = ("maize", "sorghum")
LEGUMES = ("soybean", "groundnut", "pea", "dry_bean")

SPLITS = "lpjml"
"""A fifth at sowing, the rest a quarter into the season: for winter crops that is in spring."""

BALANCE = 2e-6
"""Residuals in single precision."""


class Case(NamedTuple):
    """Nitrogen (kg ha-1), water, CO2 (ppm), warming (K), factor of precipitation."""

    nitrogen: float = 200.0
    irrigated: bool = False
    co2: float = 360.0
    tas: float = 0.0
    pr: float = 1.0


BASE = Case()
WET = Case(irrigated=True)
CASES = {
    "N10": Case(10.0), "N60": Case(60.0), "N200": BASE, "wet": WET,
    "wet N10": WET._replace(nitrogen=10.0), "wet N60": WET._replace(nitrogen=60.0),
    "C550": BASE._replace(co2=550.0), "wet C550": WET._replace(co2=550.0),
    "wet N10 C550": Case(10.0, True, 550.0),
    "ample": Case(400.0, True), "ample C550": Case(400.0, True, 550.0),
    "T+6": BASE._replace(tas=6.0), "W-50": BASE._replace(pr=0.5), "W+30": BASE._replace(pr=1.3),
    "W-50 C550": BASE._replace(pr=0.5, co2=550.0),
    "corner": Case(10.0, False, 810.0, 6.0, 0.5),
    "rich corner": Case(200.0, False, 810.0, 6.0, 1.3),
}
"""Of the CTWN of GGCMI phase 2 (Franke et al. 2020, doi:10.5194/gmd-13-2315-2020)."""

VARIABLES = (
    "yield", "biom", "transp", "nuptake", "nfert", "nfix", "ndep", "nleach", "ngas",
    "yield_nitrogen", "lai_max", "harvyear", "matyday", "water_residual", "carbon_residual",
    "nitrogen_residual")


def weather_of(forcing: xr.Dataset, cells: list[tuple[tuple[float, float], Case]]) -> xr.Dataset:
    """Weather of cells, each a place and a scenario."""
    changes: dict[tuple[float, float], list[int]] = {}
    for k, (_, case) in enumerate(cells):
        changes.setdefault((case.tas, case.pr), []).append(k)
    parts = []
    for (tas, pr), members in changes.items():
        changed = changed_forcing(forcing, ScenarioMember(name="case", tas=tas, pr=pr))
        at = [int(np.flatnonzero((forcing["lat"] == lat) & (forcing["lon"] == lon))[0])
              for lat, lon in (cells[k][0] for k in members)]
        parts.append(changed.isel(point=at).assign_coords(point=members))
    joined = xr.concat(
        parts, "point", data_vars="minimal", coords="minimal", compat="override", join="override")
    return joined.sortby("point").compute()


def responses(
    forcing: xr.Dataset, places: dict[str, tuple[tuple[float, float], ...]],
    cases: dict[str, Case] = CASES, dtype: str = "float32", spin_up: int = 0,
) -> xr.Dataset:
    """Seasons of all crops, places and cases, ``[case, field, season]``, without the first year."""
    fields = [(crop, place) for crop, at in places.items() for place in at]
    found: dict[str, xr.Dataset] = {}
    for co2 in sorted({case.co2 for case in cases.values()}):
        chosen = {name: case for name, case in cases.items() if case.co2 == co2}
        cells = [(place, case) for case in chosen.values() for _, place in fields]
        seasons = nc.simulate(
            weather_of(forcing, cells), crop=[crop for _ in chosen for crop, _ in fields],
            co2=co2, management={
                "nitrogen": {"total": np.array([case.nitrogen for _, case in cells]),
                             "splits": SPLITS},
                "irrigation": np.array(
                    ["full" if case.irrigated else "none" for _, case in cells])},
            variables=VARIABLES, spin_up=spin_up, compute=Compute(dtype=dtype, compile=False))
        for k, name in enumerate(chosen):
            part = seasons.isel(point=slice(k * len(fields), (k + 1) * len(fields)))
            found[name] = part.assign_coords(point=np.arange(len(fields)))
    out = xr.concat(found.values(), "case", join="outer", coords="minimal", compat="override")
    first = int(forcing["time"].dt.year[0])
    out = out.where(out["harvyear"] > first)
    return out.assign_coords(
        case=list(found), crop=("point", [crop for crop, _ in fields]),
        place=("point", [f"{lat:g} {lon:g}" for _, (lat, lon) in fields]))


def checked(seasons: xr.Dataset) -> list[str]:
    """What may never be: not finite, negative, open balances, wrong signs."""
    wrong = []
    held = seasons["harvyear"].notnull()
    for name in ("yield", "biom", "transp", "nuptake", "nleach", "ngas"):
        if not bool(np.isfinite(seasons[name]).where(held, True).all()):
            wrong.append(f"{name} is not finite")
        if float(seasons[name].min()) < 0.0:
            wrong.append(f"{name} is negative")
    for element in ("water", "carbon", "nitrogen"):
        worst = float(abs(seasons[f"{element}_residual"]).max())
        if not worst <= BALANCE:
            wrong.append(f"balance of {element}: {worst:.1e}")
    mean = means(seasons)
    for crop in np.unique(mean["crop"]):
        of = mean["yield"].sel(crop=crop)
        for low, middle, high in (("N10", "N60", "N200"), ("wet N10", "wet N60", "wet")):
            a, b, c = (float(of.sel(case=name)) for name in (low, middle, high))
            if not a <= b * 1.01 or not b <= c * 1.01:
                wrong.append(f"{crop}: yield falls with nitrogen: {a:.2f}, {b:.2f}, {c:.2f}")
            if crop not in LEGUMES and not (b - a) / 50.0 >= (c - b) / 140.0 - 0.002:
                wrong.append(f"{crop}: nitrogen does not saturate: {a:.2f}, {b:.2f}, {c:.2f}")
        if not float(of.sel(case="wet")) >= float(of.sel(case="N200")) - 0.15:
            wrong.append(f"{crop}: irrigated below rainfed")
    return wrong


def means(seasons: xr.Dataset) -> xr.Dataset:
    """Over seasons and places, ``[case, crop]``."""
    numbers = seasons[[name for name in VARIABLES if name != "matyday"]]
    return numbers.mean("season").groupby("crop").mean()


def percent(a: xr.DataArray, b: xr.DataArray) -> float:
    """Change from a to b."""
    return 100.0 * (float(b) / max(float(a), 0.05) - 1.0)


def table(rows: list[list[str]]) -> str:
    """Markdown."""
    return "\n".join(["| " + " | ".join(rows[0]) + " |", "|" + "---|" * len(rows[0]),
                      *("| " + " | ".join(row) + " |" for row in rows[1:])])


def of_nitrogen(mean: xr.Dataset) -> str:
    """Yields and nitrogen of irrigated crops by what they are given."""
    names = ("wet N10", "wet N60", "wet")
    rows = [["crop", "yield N10", "N60", "N200", "uptake", "fixed", "in yield", "leached", "gas"]]
    for crop in mean["crop"].values:
        of = mean.sel(crop=crop)

        def by(name: str, of: xr.Dataset = of) -> str:
            return " ".join(f"{float(of[name].sel(case=case)):.0f}" for case in names)

        rows.append([str(crop).replace("_", " "),
                     *(f"{float(of['yield'].sel(case=case)):.1f}" for case in names),
                     by("nuptake"), by("nfix"), by("yield_nitrogen"), by("nleach"), by("ngas")])
    return table(rows)


def of_climate(mean: xr.Dataset) -> str:
    """Changes of yield, per cent."""
    rows = [["crop", "C550 wet N400", "C550 wet", "C550 wet N10", "C550 rainfed", "C550 W-50",
             "transpiration C550", "T+6", "W-50", "W+30", "W inf", "corner", "rich corner"]]
    pairs = (("ample", "ample C550"), ("wet", "wet C550"), ("wet N10", "wet N10 C550"),
             ("N200", "C550"), ("W-50", "W-50 C550"))
    others = ("T+6", "W-50", "W+30", "wet", "corner", "rich corner")
    for crop in mean["crop"].values:
        y, water = mean["yield"].sel(crop=crop), mean["transp"].sel(crop=crop)
        rows.append([str(crop).replace("_", " "),
                     *(f"{percent(y.sel(case=a), y.sel(case=b)):+.0f}" for a, b in pairs),
                     f"{percent(water.sel(case='wet'), water.sel(case='wet C550')):+.0f}",
                     *(f"{percent(y.sel(case='N200'), y.sel(case=b)):+.0f}" for b in others)])
    return table(rows)


def remarks(mean: xr.Dataset) -> list[str]:
    """What lies outside the bands of experiments."""
    found = []
    for crop in mean["crop"].values:
        y = mean["yield"].sel(crop=crop)
        gain = percent(y.sel(case="ample"), y.sel(case="ample C550"))
        low, high = (-1.0, 5.0) if crop in C4 else (8.0, 22.0)
        if not low <= gain <= high:
            found.append(f"CO2, well watered: {crop} {gain:+.1f} %, expected {low:g} to {high:g}")
        drought = percent(y.sel(case="W-50"), y.sel(case="W-50 C550"))
        if crop in C4 and drought <= 0.0:
            found.append(f"CO2 in drought: {crop} {drought:+.1f} %, expected a gain")
        water = mean["transp"].sel(crop=crop)
        if not float(water.sel(case="wet C550")) < float(water.sel(case="wet")):
            found.append(f"transpiration: {crop} does not fall with CO2, as its canopy grows")
        fed = percent(y.sel(case="wet N10"), y.sel(case="wet"))
        if crop in LEGUMES and fed > 12.0:
            found.append(f"nitrogen: {crop} {fed:+.0f} % from 10 to 200 kg ha-1, expected little")
        if crop not in LEGUMES and fed < 15.0:
            found.append(f"nitrogen: {crop} {fed:+.0f} % from 10 to 200 kg ha-1, expected more")
    return found


TEXT = """# Responses

Seasons of {years} with weather of NASA POWER, default loam, sowing by rule, a fifth of the
fertiliser at sowing and the rest at a quarter of the development, the first year left out; means
over places and years. Made by
`python scripts/responses.py nasa_power_points.nc`, which checks that all is finite and positive,
balances close (water {water:.0e}, carbon {carbon:.0e}, nitrogen {nitrogen:.0e}), yields do not fall
with nitrogen and gain less from more of it, and irrigation does not lower yields by more than
0.15 t ha-1.

Scenarios are those of GGCMI phase 2 (Franke et al. 2020, doi:10.5194/gmd-13-2315-2020): N kg ha-1,
C ppm of CO2 (360 if not said), T K, W % of precipitation; *wet* is irrigated (W inf). The corner is
C810 T+6 W-50 N10, the rich one C810 T+6 W+30 N200.

## Nitrogen

Irrigated; t ha-1 dry matter, and kg ha-1 of nitrogen in a season at N10, N60, N200.

{of_nitrogen}

## Climate

Changes of yield in % (transpiration: irrigated), rainfed and with 200 kg ha-1 if not said.

{of_climate}

## Against experiments

Bands: CO2 from 360 to 550 ppm, well watered and fertilised (N400), C3 +8 to +22 % (field
experiments: about +12 to +19 %; Long et al. 2006, doi:10.1126/science.1114722; Ainsworth and Long
2021, doi:10.1111/gcb.15375), C4 less than 5 %, but a gain in drought; legumes gain less than 12 %
from 10 to 200 kg ha-1, others more than 15 %; transpiration of irrigated crops falls. Outside:

{remarks}

Why (a judgement, not tested): at 30 degC a C3 leaf gains most from CO2, as less is lost to
photorespiration; in crops that do not close their canopy the gain compounds over leaf area, as
groundnut's of the Sahel does. With 200 kg ha-1 potato, with its high potential, is short of
nitrogen, so CO2 helps it less.
"""


def main() -> None:
    """Run, check, write."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weather", type=Path)
    parser.add_argument("--years", type=int, nargs=2, default=(2008, 2012))
    parser.add_argument("--dry-run", action="store_true", help="print the page only")
    options = parser.parse_args()
    first, last = options.years
    forcing = nc.open_forcing(options.weather, time=slice(str(first), str(last)))
    seasons = responses(forcing, PLACES)
    wrong, mean = checked(seasons), means(seasons)
    page = TEXT.format(
        years=f"{first}-{last}", of_nitrogen=of_nitrogen(mean), of_climate=of_climate(mean),
        remarks="\n".join(f"- {text}." for text in remarks(mean)) or "Nothing.",
        **{e: float(abs(seasons[f"{e}_residual"]).max())
           for e in ("water", "carbon", "nitrogen")})
    print(page, *wrong, sep="\n")
    if options.dry_run:
        return
    if wrong:
        raise SystemExit("not written")
    PAGE.write_text(page, encoding="utf-8")


if __name__ == "__main__":
    main()
