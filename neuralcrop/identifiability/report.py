"""What the analysis of identifiability found, as a page, a table and a figure."""

from __future__ import annotations

import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

TOP_DIRECTIONS = 6
"""Directions whose loadings the page names, from both ends of the spectrum."""


def page(record: Mapping[str, Any]) -> str:
    """The analysis as Markdown."""
    lines = [
        f"# What observations tell of parameters: {record['crop']}", "",
        f"{record['seasons']} seasons of {record['sites']} sites, "
        f"{'relative' if record['yields'] == 'relative' else 'absolute'} yields. Errors: "
        + ", ".join(f"{k} {v:.3g}" for k, v in record["errors"].items())
        + f" (signal to noise {record['signal_to_noise']:g} unless given). Prior standard "
        f"deviation {record['prior_sd']:g} of the width of the bounds. Numbers below are "
        "standard deviations after the observations over those before; below 0.5 a parameter "
        "is held.", "",
        "## One value everywhere", "", *_table(record, "common"), "",
        "## One value for a single site", "", *_table(record, "site"), ""]
    for label, found in record["observations"].items():
        lines += [f"## {label}", ""]
        for scope, title in (("common", "One value everywhere"), ("site", "A single site")):
            lines += [f"{title}: {found[scope]['directions_seen']} of "
                      f"{len(record['parameters'])} directions are seen.",
                      "", *_spectrum(found[scope]), ""]
            if found[scope]["alike"]:
                lines += ["Cannot be told apart: " + "; ".join(
                    f"{a} and {b} ({c:+.2f})" for a, b, c in found[scope]["alike"]) + ".", ""]
            lines += ["Can be learnt at once: "
                      + (", ".join(found[scope]["learnable_together"]) or "none") + ".", ""]
    return "\n".join([*lines, *_checked(record), ""])


def _table(record: Mapping[str, Any], scope: str) -> list[str]:
    """Posterior standard deviations, a column for each set of observations."""
    return markdown_table(
        ["parameter", "yield: alone", "yield: profile", *record["observations"]],
        [[name, *_widths(record, scope, name)] for name in record["parameters"]])


def _widths(record: Mapping[str, Any], scope: str, name: str) -> list[str]:
    first = next(iter(record["observations"].values()))[scope]
    return [number(first["alone_sd"][name]), number(first["profile_sd"][name]),
            *(_marked(found[scope], name) for found in record["observations"].values())]


def _marked(found: Mapping[str, Any], name: str) -> str:
    text = number(found["posterior_sd"][name])
    return f"**{text}**" if name in found["held"] else text


def _spectrum(found: Mapping[str, Any]) -> list[str]:
    """Eigenvalues with the parameters behind them."""
    n = len(found["eigenvalues"])
    ends = sorted({*range(min(TOP_DIRECTIONS, n)), *range(max(0, n - TOP_DIRECTIONS), n)})
    rows = [[str(k + 1), f"{found['eigenvalues'][k]:.3g}",
             f"{found['relative_eigenvalues'][k]:.1e}",
             ", ".join(f"{name} {v:+.2f}" for name, v in found["loadings"][k].items())]
            for k in ends]
    return markdown_table(["direction", "eigenvalue", "relative", "largest loadings"], rows)


def _checked(record: Mapping[str, Any]) -> list[str]:
    checks = record["checks"]
    if not checks:
        return []
    words = {"half_step": f"steps of {record['step']:g} and half of it",
             "gradient": "differences of a fiftieth of that step and backpropagation"}
    lines = ["## Checks", "", f"Relative difference of sensitivities that nine of ten of "
             f"{checks['seasons']} seasons keep below:", ""]
    for name, text in words.items():
        yields = checks[name]["yield"]
        worst = max(yields, key=lambda k: yields[k] if yields[k] is not None else math.inf)
        middle = sorted(v if v is not None else math.inf for v in yields.values())
        lines.append(f"- {text}, yields: median {middle[len(middle) // 2]:.1e}, largest "
                     f"{number(yields[worst], '.1e')} ({worst})")
    return lines


def number(value: float | None, form: str = ".2f") -> str:
    """A number as text; none and infinity as a dash and a sign."""
    if value is None or math.isnan(value):
        return "-"
    return "∞" if math.isinf(value) else format(value, form)


def markdown_table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a table whose first column is text."""
    return ["| " + " | ".join(columns) + " |", "|---|" + "---:|" * (len(columns) - 1),
            *("| " + " | ".join(row) + " |" for row in rows)]


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """The same to the terminal."""
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(title=title, title_justify="left", box=box.SIMPLE_HEAD)
    for k, heading in enumerate(columns):
        table.add_column(heading, justify="right" if k else "left", overflow="fold")
    for row in rows:
        table.add_row(*(text.replace("**", "") for text in row))
    Console(width=None if sys.stdout.isatty() else 160).print(table)


def show(record: Mapping[str, Any]) -> None:
    """Print the two tables of standard deviations."""
    columns = ["parameter", "alone", "profile", *record["observations"]]
    for scope, title in (("common", "one value everywhere"), ("site", "a single site")):
        rows = [[name, *_widths(record, scope, name)] for name in record["parameters"]]
        print_table(f"posterior over prior standard deviation: {title}", columns, rows)


def figure(record: Mapping[str, Any], path: Path) -> None:
    """Spectra and standard deviations of a site, as SVG."""
    import matplotlib as mpl
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    names = list(record["parameters"])
    drawing = Figure(figsize=(11.0, 0.25 * len(names) + 2.5), layout="constrained")
    FigureCanvasSVG(drawing)
    left, right = drawing.subplots(1, 2)
    for label, found in record["observations"].items():
        values = [max(v, 1e-12) for v in found["site"]["eigenvalues"]]
        left.semilogy(range(1, len(values) + 1), values, marker="o", markersize=3, label=label)
        right.plot([found["site"]["posterior_sd"][n] for n in names], range(len(names)),
                   marker="o", markersize=4, linestyle="none", label=label)
    left.axhline(1.0, color="0.5", linewidth=0.8)
    left.set(xlabel="direction", ylabel="eigenvalue of the information of a site",
             title="above the line: known better than before")
    right.axvline(0.5, color="0.5", linewidth=0.8)
    right.set(yticks=range(len(names)), yticklabels=names, xlim=(0.0, 1.05),
              xlabel="posterior over prior standard deviation, a single site")
    right.invert_yaxis()
    left.legend(fontsize=7)
    with mpl.rc_context({"svg.hashsalt": "neuralcrop"}):
        drawing.savefig(path, metadata={"Date": None})
