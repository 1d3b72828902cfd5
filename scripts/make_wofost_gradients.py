"""Write docs/tables/wofost72_gradients.md: what answers to what in WOFOST 7.2.

    python scripts/make_wofost_gradients.py

A season on made-up weather, differentiated as a whole: the published model and the smooth one,
potential and water-limited. Central differences check every number.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from neuralcrop.compat.pcse_engine import (
    Field,
    build,
    orders_of,
    parameters_of,
    site_of,
)
from neuralcrop.core.forcing import DailyForcing
from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.crops.wofost72 import definitions, load_variety
from neuralcrop.models.wofost72 import FORCING, Wofost72
from neuralcrop.models.wofost72_field import Production
from neuralcrop.models.wofost72_site import SITE_SPECS
from neuralcrop.physics.reference_evapotranspiration import reference_evapotranspiration
from neuralcrop.simulation.bench import bench_weather
from neuralcrop.simulation.integrate import Stepper

TARGET = Path(__file__).parent.parent / "docs" / "tables" / "wofost72_gradients.md"
MADE = "Made by `python scripts/make_wofost_gradients.py`; do not edit.\n"

VARIETY = "wheat:Winter_wheat_103"
SOWING = dt.date(2001, 10, 20)
N_DAYS = 274
"""From the day before sowing to the evening on which the crop is ripe."""

LATITUDE = 42.5

SOIL = {"SMW": 0.11, "SMFCF": 0.28, "SM0": 0.42, "SMLIM": 0.28, "RDMSOL": 100.0, "WAV": 8.0,
        "SOPE": 1.5, "KSUB": 0.8, "SSI": 0.2, "SSMAX": 0.5, "NOTINF": 0.1}

OUTPUTS = {"storage_weight": "storage", "biomass": "biomass", "peak_leaf_area": "max LAI",
           "transpired_water": "transpiration"}

SMALL = 5e-4
"""Effects below this are shown as a dot."""

SWITCHES = {
    **dict.fromkeys(("IDSL", "IAIRDU", "IOX", "IFUNRN", "starts_emerged", "restarts_water"),
                    "a switch"),
    "maximum_season": "a number of days, of calendars that harvest by it",
    "LAIEM": "the model does not use it",
}
"""What has no derivative in either model."""

STEPS = {
    "SPAN": "leaves die as whole cohorts, on whole days",
    "TBASE": "its part in the age of leaves: they die as whole cohorts",
    "TSUMEM": "emergence falls on a whole day",
    "TBASEM": "emergence falls on a whole day",
    "TEFFMX": "emergence falls on a whole day",
    "TSUM1": "anthesis falls on a whole day; what is left is development within the stage",
    "TSUM2": "maturity falls on a whole day; what is left is development within the stage",
    "DTSMTB": "as TSUM1 and TSUM2",
    "VERNBASE": "as TSUM1", "VERNSAT": "as TSUM1", "VERNRTB": "as TSUM1", "DLO": "as TSUM1",
    "DLC": "as TSUM1",
    "DVSEND": "the last day is a whole day",
}
"""What moves a date or the death of a cohort: a step of the published model."""

SILENT = {
    "DVSI": "the stage of crops that start emerged; this one is sown",
    "VERNDVS": "a threshold: its effect is that of the one day on which it is passed",
    "SSATB": "the variety gives its stems no green area, and its effect has no scale",
    "TEFFMX": "no day before emergence is as warm",
    "PERDL": "no leaf dies of drought before it dies of age or shade",
    "TMNFTB": "at its nodes alone",
    "RDMCR": "the soil ends the roots sooner",
    "SMLIM": "winter fills the soil, whatever it starts with",
    "WAV": "winter fills the soil, whatever it starts with",
    "SSI": "winter fills the soil, whatever it starts with",
    "SM0": "the soil is never saturated",
    "RDI": "roots are at the bottom of the soil before water is short",
    "RRI": "roots are at the bottom of the soil before water is short",
    "RDRRTB": "dead roots save maintenance, too little to be seen here",
    "TSUMEM": "after emergence, development waits for cold (VERNBASE), and growth begins with a "
              "whole day in both models",
    "DVSEND": "growth ends with a whole day in both models",
    "CRAIRC": "counts where oxygen stress is switched on (IOX)",
    "SSMAX": "no water stands on the soil",
    "SOPE": "percolation stays below it", "KSUB": "drainage stays below it",
}
"""Why a parameter has no effect in the season of the table, in both models."""


@dataclass
class Season:
    """One field on its weather."""

    model: Wofost72
    forcing: DailyForcing
    p: Tensor
    field: Field

    def __call__(self, p: Tensor) -> Tensor:
        """Outputs at the end, ``[output, cell]``."""
        copies = torch.zeros(p.shape[1], dtype=torch.int64)
        site = site_of(torch.full((p.shape[1],), LATITUDE, dtype=p.dtype))
        orders, forcing = orders_of([self.field]).cells(copies), self.forcing.cells(copies)
        stepper = Stepper(self.model)
        end = stepper.run(
            stepper.start(forcing, site, p), forcing, site, orders, p, standing=True)
        s = self.model.state.view(end.x)
        s["biomass"] = (s["leaf_grown_weight"] + s["stem_weight"] + s["dead_stem_weight"]
                        + s["storage_weight"])
        return torch.stack([s[name] for name in OUTPUTS])


def weather() -> DailyForcing:
    """Made-up weather of a place with cold winters and dry summers, from the day before sowing."""
    two = bench_weather(3, 730, torch.float64).cells(torch.tensor([1]))
    named = dict(zip(FORCING_NAMES, two.values.unbind(1), strict=True))
    flat = torch.zeros_like(named["tas"])
    rates = reference_evapotranspiration(
        named["tasmin"], named["tasmax"], named["vap"], flat + 2.0, named["rsds"],
        flat + LATITUDE, flat, two.day_of_year.unsqueeze(-1))
    named |= {"e0": rates.e0, "es0": rates.es0, "et0": rates.et0, "co2": flat + 400.0,
              "pr": 0.75 * named["pr"]}
    first = SOWING.timetuple().tm_yday - 2
    year = two.year - int(two.year[0]) + SOWING.year
    return DailyForcing(
        torch.stack([named[name] for name in FORCING], dim=1), two.day_of_year, two.solar_day,
        year, -first, FORCING).days(first, first + N_DAYS)


def season(production: Production, smooth: bool) -> Season:
    field = Field(load_variety(VARIETY), SOIL, SOWING)
    model = build([field], production, smooth=smooth)
    return Season(model, weather(), parameters_of(model, [field]), field)


def by_share(units: str, values: Tensor) -> bool:
    """Whether the effect is given for a share of the value, not for one unit of it."""
    return units != "degC" and bool((values >= 0.0).all()) and bool(values.sum() > 0.0)


@dataclass
class Effects:
    """Relative effect of each parameter on each output, and where differences disagree."""

    values: dict[str, list[float]]
    outputs: Tensor
    wrong: list[str]
    wide: dict[str, float]


WIDE = ("TSUM1", "TSUM2", "SPAN", "TSUMEM")
"""Parameters whose effect on storage is also given over a wide range, 3 % to each side."""


def over_a_range(run: Season, share: float = 0.03) -> dict[str, float]:
    """Relative effect on storage of a wide move, which steps of a day are small in."""
    p = run.p.repeat(1, 2 * len(WIDE))
    for k, name in enumerate(WIDE):
        p[run.model.table.rows([name]), 2 * k] *= 1.0 + share
        p[run.model.table.rows([name]), 2 * k + 1] *= 1.0 - share
    with torch.no_grad():
        ends = run(p)[0].log().view(len(WIDE), 2)
    return dict(zip(WIDE, ((ends[:, 0] - ends[:, 1]) / (2.0 * share)).tolist(), strict=True))


def effects(production: Production, smooth: bool) -> Effects:
    run = season(production, smooth)
    table, n = run.model.table, len(OUTPUTS)
    names = [name for name in table.specs if not name.endswith("_x")]
    directions = torch.zeros(len(names), *run.p.shape, dtype=run.p.dtype)
    for k, name in enumerate(names):
        rows = table.rows([name])
        directions[k, rows] = (
            run.p[rows] if by_share(table.specs[name].units, run.p[rows]) else 1.0)
    # copies of the field, of which each gives one output: one backward pass for all of them
    p = run.p.repeat(1, n).requires_grad_()
    outputs = run(p).diagonal()
    if not bool((outputs > 0.0).all()):
        raise RuntimeError("the season of the table has no yield")
    (gradient,) = torch.autograd.grad(outputs.log().sum(), p)
    found = torch.einsum("kr,rn->kn", directions[:, :, 0], gradient)
    return Effects(
        {name: found[k].tolist() for k, name in enumerate(names)}, outputs.detach(),
        check(run, names, directions, found), over_a_range(run))


def check(run: Season, names: list[str], directions: Tensor, found: Tensor) -> list[str]:
    """Parameters whose central differences are not the gradient, to 1 % of it, at any step."""
    steps = (1e-5, 1e-6, 1e-7)
    moves = torch.cat([
        sign * step * directions[:, :, 0].T for step in steps for sign in (1.0, -1.0)], dim=1)
    with torch.no_grad():
        ends = run(run.p + moves).log().view(len(OUTPUTS), len(steps), 2, len(names))
    central = (ends[:, :, 0] - ends[:, :, 1]) / (
        2.0 * torch.tensor(steps, dtype=ends.dtype).view(1, -1, 1))
    off = (central - found.T.unsqueeze(1)).abs().amin(dim=1)
    allowed = (0.01 * found.T.abs()).clamp(min=SMALL)
    return [name for name, bad in zip(names, (off > allowed).any(dim=0).tolist(), strict=True)
            if bad and name not in SWITCHES]


def row(*cells: object) -> str:
    return "| " + " | ".join(str(c).replace("|", "\\|") for c in cells) + " |"


def shown(value: float) -> str:
    return "." if abs(value) < SMALL else f"{value:+.3f}"


def page() -> str:
    meaning = {n: d.long_name for n, d in definitions().items()} | {
        s.name: s.long_name for s in SITE_SPECS}
    lines = [
        "# What answers to what in WOFOST 7.2", "", MADE,
        f"One season of `{VARIETY}`, sown on {SOWING.day} October at {LATITUDE} degrees north, on "
        "made-up weather, until it is ripe: the gradient of the whole simulation, by automatic "
        "differentiation. "
        "Numbers are $\\mathrm{d} \\ln y / \\mathrm{d} \\ln p$, % of the output for 1 % of the "
        "parameter; or, with a unit behind the name, $\\mathrm{d} \\ln y / \\mathrm{d} p$ "
        "(temperatures, and values of zero or below). Tables are moved as a whole. A dot is an "
        f"effect below {SMALL:g}. Other places and years have other numbers.", "",
        "**Exact** is the published model. It has steps: dates of stages are whole days, leaves "
        "die as whole cohorts. The derivative of a step is zero, and *0* marks it: zero by design, "
        "for the reasons at the end. **Smooth** is the model with `smooth=True`: development "
        "carries fractions of a day over from stage to stage, and cohorts die by parts. Growth "
        "begins and ends with whole days in both, so that a move of emergence (TSUMEM) is a step "
        "in either. Partitioning that changes within less than a day of development, as most "
        "tables do at anthesis, is sampled once a day: slopes to TSUM1 are right at the value but "
        "rough, and over a range of some days the effect may differ.", ""]
    for production, title in (("potential", "Potential production"),
                              ("water_limited", "Water-limited production")):
        exact, smooth = (effects(production, s) for s in (False, True))  # type: ignore[arg-type]
        run = season(production, False)  # type: ignore[arg-type]
        table = run.model.table
        lines += [f"## {title}", "", "| |" + "".join(
            f" {name} | |" for name in OUTPUTS.values()), "|---|" + "---|---|" * len(OUTPUTS),
            row("parameter", *("exact", "smooth") * len(OUTPUTS))]
        silent = []
        for name in exact.values:
            both = list(zip(exact.values[name], smooth.values[name], strict=True))
            if name in SWITCHES or all(abs(v) < SMALL for pair in both for v in pair):
                silent.append(name)
                continue
            values = run.p[table.rows([name])]
            units = table.specs[name].units
            unit = "" if by_share(units, values) else f" ({'K' if units == 'degC' else units})"
            cells = []
            for e, s in both:
                step = name in STEPS and e == 0.0 and abs(s) >= SMALL
                cells += ["*0*" if step else shown(e), shown(s)]
            lines.append(row(f"`{name}`{unit}", *cells))
        values = ", ".join(
            f"{label} {float(e):.5g} (smooth {float(s):.5g})"
            for label, e, s in zip(OUTPUTS.values(), exact.outputs, smooth.outputs, strict=True))
        lines += ["", "The same for storage, as slope at the value and over 3 % to each side:", "",
                  "| parameter | exact, slope | exact, range | smooth, slope | smooth, range |",
                  "|---|---|---|---|---|"]
        lines += [row(f"`{name}`", *(shown(v) for e in (exact, smooth)
                                     for v in (e.values[name][0], e.wide[name])))
                  for name in WIDE]
        lines += ["", f"The outputs themselves, kg ha-1 and mm: {values}.", "",
                  "Without effect here, in both models:", ""]
        for name in silent:
            why = SWITCHES.get(name) or reason(name, run, production)
            lines.append(f"- `{name}` ({meaning[name]}): {why}")
        lines += ["", *checked(exact, "exact"), *checked(smooth, "smooth")]
    lines += ["## Zero by design in the exact model", "",
              "| parameter | why |", "|---|---|"]
    lines += [row(f"`{name}`", why) for name, why in STEPS.items()]
    return "\n".join([*lines, ""])


def checked(result: Effects, name: str) -> list[str]:
    exceptions = f", except for {', '.join(f'`{n}`' for n in result.wrong)}: the value lies on a " \
        "kink, where only one side has this slope" if result.wrong else ""
    return [f"Central differences of the {name} model agree to 1 %{exceptions}.", ""]


def reason(name: str, run: Season, production: Production) -> str:
    """Why a parameter has no effect on the season of the table."""
    values = run.p[run.model.table.rows([name])]
    site = {s.name for s in SITE_SPECS}
    if production == "potential" and (name in site or name in LIMITED):
        return "counts where water limits"
    if name in SILENT:
        return SILENT[name]
    if not bool(values.any()):
        return "zero for this variety"
    return "below the resolution of the table in this season"


LIMITED = {"DEPNR", "PERDL", "RDI", "RRI", "RDMCR", "CFET", "CO2TRATB"}
"""Crop parameters of water."""


def main() -> None:
    torch.set_num_threads(1)
    TARGET.write_text(page(), encoding="utf-8")
    print(TARGET)


if __name__ == "__main__":
    main()
