"""Write the tables of the documentation: variables, parameters, and what answers to what.

    python scripts/make_tables.py                  # docs/tables/*.md
    python scripts/make_tables.py --no-gradients   # without the runs of seasons

Everything is made from the registry, the crop files and runs on made-up weather, so that the same
code gives the same tables.
"""

from __future__ import annotations

import argparse
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.core.parameters import ParameterTable
from neuralcrop.core.variables import REGISTRY, Variable
from neuralcrop.crops import crop_names, load_catalogue, load_crop
from neuralcrop.models.global_ import EVENT_SPECS
from neuralcrop.models.global_day import GlobalModel
from neuralcrop.models.global_processes import GlobalCropProcesses
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.bench import bench_place, bench_weather
from neuralcrop.simulation.events import SEASON
from neuralcrop.simulation.integrate import Stepper

TARGET = Path(__file__).parent.parent / "docs" / "tables"
MADE = "Made by `python scripts/make_tables.py`; do not edit.\n"

KINDS = {
    "forcing": "Weather of a day", "state": "State: stocks, reservoirs, clocks", "flux": "Fluxes",
    "output": "Outputs", "soil": "Soil", "site": "Site",
}

OUTPUTS = ("yield", "anthday", "matyday", "transp", "lai_max")
"""Outputs of a season whose sensitivity is tabulated."""

SEASONS = {
    "maize": (121, 200), "soybean": (121, 240), "rice": (121, 240), "winter_wheat": (280, 330)}
"""Day of sowing and days of the run of one crop of each family."""

SMALL = 5e-4
"""Effects below this are shown as a dot, % for 1 %."""


def number(value: float) -> str:
    """A number as short as it is exact; empty where unbounded."""
    return "" if value in (float("inf"), float("-inf")) else f"{value:g}"


def row(*cells: object) -> str:
    return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"


def header(*names: str) -> list[str]:
    return [row(*names), "|" + "---|" * len(names)]


# variables


def variable_row(v: Variable) -> str:
    span = f"{number(v.lower)} to {number(v.upper)}" if v.upper < float("inf") else (
        f"at least {number(v.lower)}" if v.lower > float("-inf") else "")
    other = ", ".join(n for n in (v.standard_name, v.isimip_name) if n)
    size = "" if v.size == 1 else str(v.size)
    return row(f"`{v.name}`", v.units, size, span, v.long_name, other)


def variables_page() -> str:
    lines = ["# Variables", "", MADE]
    for kind, title in KINDS.items():
        lines += [f"## {title}", "", *header(
            "name", "units", "elements", "range", "meaning", "CF or ISIMIP name")]
        lines += [variable_row(v) for v in REGISTRY.values() if v.kind == kind]
        lines.append("")
    return "\n".join(lines)


# parameters


def processes_of_parameters() -> dict[str, str]:
    """The process that declares each parameter."""
    parts = build_model(ModelSpec(crops=("maize",), nutrients=True)).parts.processes()
    owners = {s.name: name for name, part in parts.items() for s in part.specs}
    return owners | {s.name: "events" for s in EVENT_SPECS}


def parameters_page() -> str:
    owners = processes_of_parameters()
    catalogue = load_catalogue(blocks=("parameters", "nutrients"))
    specs = GlobalModel.specs(GlobalCropProcesses(nutrients=True))
    meaning = {s.name: s.long_name for s in specs}
    lines = [
        "# Parameters", "", MADE,
        "Bounds are what learning and parameter networks may reach. Tables over development stage "
        "have nodes at 0, 0.2, ..., 2.", "", "## Meaning", "",
        *header("name", "units", "process", "meaning")]
    lines += [row(f"`{s.name}`", s.units, owners[s.name], meaning[s.name])
              for s in specs]
    for crop, values in catalogue.items():
        lines += ["", f"## {load_crop(crop)['long_name']} (`{crop}`)", "",
                  *header("name", "value", "units", "bounds", "source")]
        for spec in specs:
            v = values[spec.name]
            lines.append(row(
                f"`{spec.name}`", ", ".join(number(x) for x in v.value), v.units,
                f"{number(v.lower[0])} to {number(v.upper[0])}", v.source))
    return "\n".join([*lines, ""])


# gradients


class Run(NamedTuple):
    """A season of one crop, ready to run."""

    model: GlobalModel
    forcing: DailyForcing
    site: Site
    management: Management
    p: Tensor

    def __call__(self, p: Tensor) -> dict[str, Tensor]:
        """Records of the season, ``[cell]``."""
        copies = torch.zeros(p.shape[1], dtype=torch.int64)
        forcing, site = self.forcing.cells(copies), self.site.cells(copies)
        stepper = Stepper(self.model)
        end = stepper.run(
            stepper.start(forcing, site, p), forcing, site, self.management.cells(copies), p)
        view = SEASON.view(end.season)
        return {name: view[f"last_{name}"] for name in OUTPUTS}


def season(crop: str) -> Run:
    """One place at 35 degrees north in dry, changeable weather, with hot days and a late frost."""
    sowing, days = SEASONS[crop]
    model = build_model(ModelSpec(crops=(crop,)))
    weather = bench_weather(1, 730, torch.float64)
    values = weather.values.clone()
    values[:, 5] *= 0.6
    values[sowing + 18 : sowing + 20, :3] -= 18.0
    values[sowing + 48 : sowing + 52, :3] += 8.0
    forcing = DailyForcing(
        values, weather.day_of_year, weather.solar_day, weather.year).days(
            sowing - 10, sowing - 10 + days)
    site, management, p = bench_place(model, crop, 1, torch.float64)
    management = replace(management, sowing_day=torch.full((1, 1), sowing))
    return Run(model, forcing, site, management, p)


def relative(table: ParameterTable, name: str, p: Tensor) -> bool:
    """Whether the effect is given for 1 % of the value, not for one unit."""
    return table.specs[name].units != "degC" and bool((p >= 0.0).all()) and bool(p.sum() > 0.0)


def effects(crop: str) -> tuple[dict[str, dict[str, float]], list[str]]:
    """Effect of each parameter on each output in %, and where finite differences disagree."""
    run = season(crop)
    table = run.model.table
    p = run.p.clone().requires_grad_()
    outputs = run(p)
    if any(not torch.isfinite(v).all() for v in outputs.values()):
        raise RuntimeError(f"{crop} does not ripen in the run of its table")
    found: dict[str, dict[str, float]] = {name: {} for name in table.specs}
    directions = {}
    for name in table.specs:
        rows = table.rows([name])
        unit = torch.zeros_like(run.p)
        unit[rows] = run.p[rows] if relative(table, name, run.p[rows]) else 1.0
        directions[name] = unit
    for output, value in outputs.items():
        (gradient,) = torch.autograd.grad(value.sum(), p, retain_graph=True)
        for name, unit in directions.items():
            found[name][output] = 100.0 * float((gradient * unit).sum() / value.detach().sum())
    for name in table.specs:  # to % for 1 %
        if relative(table, name, run.p[table.rows([name])]):
            found[name] = {k: v / 100.0 for k, v in found[name].items()}
    return found, check(run, directions, found)


def check(
    run: Run, directions: dict[str, Tensor], found: dict[str, dict[str, float]]
) -> list[str]:
    """Parameters whose central differences are not the gradient, to 1 % of it."""
    step, names = 1e-6, list(directions)
    moves = [sign * step * directions[n] for n in names for sign in (1.0, -1.0)]
    with torch.no_grad():
        outputs = run(run.p + torch.cat(moves, dim=1))
    wrong = set()
    for output, value in outputs.items():
        pairs = value.reshape(-1, 2)
        slope = (pairs[:, 0] - pairs[:, 1]) / (2.0 * step) / pairs.mean()
        for name, expected in zip(names, slope.tolist(), strict=True):
            scale = 1.0 if relative(
                run.model.table, name, run.p[run.model.table.rows([name])]) else 100.0
            if abs(found[name][output] - expected * scale) > max(
                    SMALL, 0.01 * abs(expected * scale)):
                wrong.add(name)
    return [name for name in names if name in wrong]


REASONS = {
    "c4": "chooses the pathway: a switch",
    "maximum_season": "a date: harvest moves by whole days",
    "stem_loss_rate": "stems are no part of these outputs",
    "sterility_rate": "no heat around anthesis in this run",
    "sterility_temperature": "no heat around anthesis in this run",
    "frost_temperature": "no killing frost in this run",
    "frost_leaf_loss": "no killing frost in this run",
    "melt_rate": "no snow in this run",
    "snow_temperature": "no snow in this run",
    "conductivity_scale": "the soil stays below field capacity in this run",
    "ceiling_temperature": "no mean temperature above it in this run",
    "maximum_temperature": "no mean temperature above the ceiling in this run",
    "optimum_temperature": "no mean temperature above it in this run",
    "leaf_base_temperature": "no day near it in this run",
    "juvenile_area": "leaves are not limited by their sink in this run",
}


def reason(crop: str, name: str, value: float, c4: bool) -> str:
    """Why a parameter has no effect."""
    if name == "jmax_ratio" and c4:
        return "C4 does not use it"
    if name == "c4_slope" and not c4:
        return "C3 does not use it"
    if name.startswith("vernalisation") and value <= 0.0:
        return "the crop needs no cold"
    if name.startswith("photoperiod") and value <= 0.0:
        return "the crop does not respond to day length"
    if name.startswith("vernalisation"):
        return "enough cold in this run"
    if name.startswith("photoperiod"):
        return "days are long enough in this run"
    return REASONS.get(name, "below the resolution of the table in this run")


def gradients_page() -> str:
    lines = [
        "# What answers to what", "", MADE,
        "Effect of each parameter on outputs of one season, by automatic differentiation of the "
        "whole simulation: % of the output for 1 % of the parameter, or, marked K, d or h, % for "
        "one unit of it (temperatures, and values of zero or below). Tables over development stage "
        "are scaled as a whole. A dot is an effect below 0.0005. Made-up dry weather at 35 degrees "
        "north with a late frost and a few hot days, loam, catalogue values; other places and "
        "years have other numbers, and signs may change with them.", ""]
    for crop in SEASONS:
        table = build_model(ModelSpec(crops=(crop,))).table
        found, wrong = effects(crop)
        c4 = bool(table.values[table.layout.start["c4"], 0] > 0.5)
        lines += [f"## {load_crop(crop)['long_name']} (`{crop}`)", "",
                  *header("parameter", *(f"`{o}`" for o in OUTPUTS))]
        silent = []
        for name, spec in table.specs.items():
            values = table.values[table.rows([name]), 0]
            if all(abs(v) < SMALL for v in found[name].values()):
                silent.append((name, reason(crop, name, float(values[0]), c4)))
                continue
            unit = "" if relative(table, name, values) else (
                " (K)" if spec.units == "degC" else f" ({spec.units})")
            lines.append(row(f"`{name}`{unit}", *(
                "." if abs(v) < SMALL else f"{v:+.3f}" for v in found[name].values())))
        lines += ["", "Without effect:", ""]
        lines += [f"- `{name}`: {why}" for name, why in silent]
        exceptions = f", except for {', '.join(f'`{n}`' for n in wrong)}: the value lies on a " \
            "kink, where only one side has this slope" if wrong else ""
        lines += ["", f"Central differences agree to 1 %{exceptions}.", ""]
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--no-gradients", action="store_true", help="leave gradients.md as it is")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    TARGET.mkdir(parents=True, exist_ok=True)
    pages = {"variables.md": variables_page(), "parameters.md": parameters_page()}
    if not arguments.no_gradients:
        pages["gradients.md"] = gradients_page()
    for name, text in pages.items():
        (TARGET / name).write_text(text, encoding="utf-8")
        print(TARGET / name)
    print(f"crops: {', '.join(crop_names())}")


if __name__ == "__main__":
    main()
