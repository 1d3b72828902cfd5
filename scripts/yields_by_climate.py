"""Simulate the crops at the NASA POWER points and write docs/yields_by_climate.md.

    python scripts/yields_by_climate.py path/to/nasa_power_points.nc [--years 1984 2023]

Every check that the table rests on is made before it is written: no NaN, yields between zero and a
ceiling, sowing before anthesis before maturity, closed balances, irrigated at least rainfed.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import xarray as xr

import neuralcrop as nc
from neuralcrop.simulation.prepare import Compute

CROPS = ("maize", "soybean", "rice", "winter_wheat", "spring_wheat")

CEILING = {"maize": 22.0, "soybean": 9.0, "rice": 15.0, "winter_wheat": 16.0, "spring_wheat": 14.0}
"""Yields no field has surpassed, t ha-1 dry matter (record harvests, rounded up)."""

BALANCE = {"float32": 1e-6, "float64": 1e-9}

TOLERANCE = 1e-3
"""Irrigated yields of ripe crops may fall this much below rainfed ones, t ha-1: rounding."""

UNRIPE_TOLERANCE = 0.15
"""The same of crops cut off unripe in autumn, where a larger canopy respires more than it gains."""

PAGE = """# Yields by climate

Catalogue parameters, default loam, sowing by rule, {years}, weather of NASA POWER at {n} points.
Means over all harvests; t ha-1 dry matter, days from sowing, mm. Made by
`python scripts/yields_by_climate.py nasa_power_points.nc` after checking every season: no NaN,
0 <= yield <= ceiling, sowing < anthesis < maturity, balances closed (largest residual of water
{water:.1e}, carbon {carbon:.1e}), irrigated yields of ripe crops not below rainfed ones (largest
shortfall {ripe:.1e} t ha-1). Crops cut off unripe in autumn may lose by irrigation, as a larger
canopy in weak light respires more than it gains: by {unripe:.2f} t ha-1 at most, by more than
{tolerance} t ha-1 in {n_unripe} of {n_seasons} seasons.

One variety of each crop grows everywhere: at warm points its thermal requirement is met early and
the season is short, at cold points it is cut off unripe. Some points are deserts, mountains,
forests or sea; nothing keeps the model from sowing there. Nothing but water, heat, cold, light
and CO2 limits growth, so irrigated yields are potential yields.

{tables}
"""


def group(tas: float, pr: float) -> str:
    """Climate group of a point by annual temperature (degC) and precipitation (mm)."""
    warmth = "cold" if tas < 6 else "cool" if tas < 12 else "warm" if tas < 20 else "hot"
    water = "dry" if pr < 300 else "moderate" if pr < 700 else "wet"
    return f"{warmth}, {water}"


def check(crop: str, rainfed: xr.Dataset, irrigated: xr.Dataset, dtype: str) -> xr.DataArray:
    """Raise AssertionError naming what is wrong; what irrigation lost, t ha-1, as 2 rows.

    Rows: seasons ripe in both runs, the other seasons.
    """
    for name, ds in (("rainfed", rainfed), ("irrigated", irrigated)):
        where = f"{crop}, {name}"
        harvested = ds["harvyear"].notnull()
        assert bool(ds["yield"].notnull().where(harvested, True).all()), f"{where}: NaN yield"
        assert float(ds["yield"].min()) >= 0.0, f"{where}: yield {float(ds['yield'].min())}"
        assert float(ds["yield"].max()) <= CEILING[crop], f"{where}: {float(ds['yield'].max())}"
        ripe = ds["matyday"].notnull()
        ordered = (ds["anthday"] > 0) & (ds["anthday"] < ds["matyday"])
        assert bool(ordered.where(ripe, True).all()), f"{where}: dates out of order"
        for residual in ("water_residual", "carbon_residual"):
            worst = float(abs(ds[residual]).max())
            assert worst <= BALANCE[dtype], f"{where}: {residual} {worst}"
    loss = rainfed["yield"] - irrigated["yield"]
    ripe = rainfed["matyday"].notnull() & irrigated["matyday"].notnull()
    parts = [loss.where(ripe), loss.where(~ripe)]
    for part, limit in zip(parts, (TOLERANCE, UNRIPE_TOLERANCE), strict=True):
        worst = float(part.max())
        assert not worst > limit, f"{crop}: irrigated {worst:.3f} t ha-1 below rainfed"
    return xr.concat(parts, "ripe")


def table(crop: str, rainfed: xr.Dataset, irrigated: xr.Dataset, groups: np.ndarray) -> str:
    """Markdown table of one crop by climate group."""
    rows = [f"## {crop.replace('_', ' ')}", "",
            "| climate | points | yield | irrigated | anthesis | maturity | LAI max | "
            "transpiration | irrigation | unripe % |", "|" + "---|" * 10]
    for name in sorted(set(groups)):
        at = np.flatnonzero(groups == name)
        dry, wet = rainfed.isel(point=at), irrigated.isel(point=at)

        def mean(values: xr.DataArray) -> float:
            return float(values.mean())

        unripe = mean((dry["harvest_reason"] != 1).where(dry["harvyear"].notnull()))
        rows.append(
            f"| {name} | {len(at)} | {mean(dry['yield']):.1f} | {mean(wet['yield']):.1f} | "
            f"{mean(dry['anthday']):.0f} | {mean(dry['matyday']):.0f} | "
            f"{mean(dry['lai_max']):.1f} | {mean(dry['transp']):.0f} | "
            f"{mean(wet['pirnreq']):.0f} | {100 * unripe:.0f} |")
    return "\n".join(rows)


def main() -> None:
    """Run, check, write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weather", type=Path)
    parser.add_argument("--years", type=int, nargs=2, default=(1984, 2023))
    parser.add_argument("--dtype", choices=tuple(BALANCE), default="float32")
    parser.add_argument("--output", type=Path, default=Path("docs/yields_by_climate.md"))
    options = parser.parse_args()
    first, last = options.years
    forcing = nc.open_forcing(options.weather, time=slice(str(first), str(last)))
    annual = forcing[["tas", "pr"]].mean("time")
    groups = np.array([group(float(t), 365 * float(r))
                       for t, r in zip(annual["tas"], annual["pr"], strict=True)])
    compute = Compute(dtype=options.dtype, compile=True)
    tables, losses, water, carbon = [], [], 0.0, 0.0
    for crop in CROPS:
        runs = [nc.simulate(forcing, crop=crop, management={"irrigation": irrigation},
                            compute=compute) for irrigation in ("none", "full")]
        losses.append(check(crop, *runs, options.dtype))
        for run in runs:
            water = max(water, float(abs(run["water_residual"]).max()))
            carbon = max(carbon, float(abs(run["carbon_residual"]).max()))
        tables.append(table(crop, *runs, groups))
        print(tables[-1], flush=True)
    options.output.write_text(PAGE.format(
        years=f"{first}-{last}", n=forcing.sizes["point"], water=water, carbon=carbon,
        tolerance=TOLERANCE, n_seasons=sum(int(k.notnull().sum()) for k in losses),
        ripe=max(0.0, *(float(k[0].max()) for k in losses if k[0].notnull().any())),
        unripe=max(0.0, *(float(k[1].max()) for k in losses if k[1].notnull().any())),
        n_unripe=sum(int((k[1] > TOLERANCE).sum()) for k in losses),
        tables="\n\n".join(tables)), encoding="utf-8")


if __name__ == "__main__":
    main()
