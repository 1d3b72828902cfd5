"""The figures of the WOFOST suite as a table in Markdown, in its place on a page."""

from __future__ import annotations

from pathlib import Path
from typing import Any

BEGIN, END = "<!-- bench suite=wofost: begin -->", "<!-- bench suite=wofost: end -->"
"""Lines between which the table stands on a page."""

COMMAND = "neuralcrop bench suite=wofost page=docs/benchmarks.md"

_NAMES = {"neuralcrop": "neuralcrop", "pcse": "PCSE", "diffwofost": "diffWOFOST"}


def table(result: dict[str, Any]) -> str:
    """Markdown of a result."""
    machine, targets = result["machine"], result["targets_ms"]
    productions = list(result["neuralcrop"])
    lines = [
        f"Made by `{COMMAND}` on {machine['cpu']}, {machine['threads']} threads, torch "
        f"{machine['torch']}: {result['crop']}, {result['days']} days from sowing on "
        f"{result['sowing']}, made-up weather; median of {result['repeats']}.", "",
        "| | " + " | ".join(f"{p.replace('_', '-')} production" for p in productions)
        + " | target |",
        "|---|" + "---|" * (len(productions) + 1),
    ]

    def row(label: str, cells: list[str], target: str = "") -> None:
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {target} |")

    many, few = f"{result['fields']:,}", f"{result['gradient_fields']:,}"
    own = [result["neuralcrop"][p] for p in productions]
    warm = "warm, float64" if result["compiled"] else "not compiled, float64"
    row(f"neuralcrop, one field, {warm}",
        [f"{f['one_field']['milliseconds']:.1f} ms" for f in own],
        f"{targets['one_field']:g} ms")
    row(f"neuralcrop, {many} fields, float32, each", [_each(f["fields"]) for f in own],
        f"{targets['fields']:g} ms")
    row(f"neuralcrop, {many} fields, peak memory of the process",
        [f"{f['fields']['peak_memory_mb']} MB" for f in own], f"{targets['memory_mb']} MB")
    row(f"neuralcrop, {few} fields, forward and backward, float32, each",
        [_each(f["gradient"]) for f in own], f"{targets['gradient']:g} ms")
    row("neuralcrop, compiling: one field, many, backward", [
        ", ".join(f"{f[kind]['compile_seconds']:.0f} s"
                  for kind in ("one_field", "fields", "gradient")) for f in own])
    for name in ("pcse", "diffwofost"):
        _other(row, _NAMES[name], result[name], productions, many, few)
    return "\n".join(lines) + "\n"


def _other(
    row: Any, name: str, found: dict[str, Any], productions: list[str], many: str, few: str
) -> None:
    if "skipped" in found:
        remedy = f": `{found['remedy']}`" if "remedy" in found else ""
        row(name, [f"{found['skipped']}{remedy}"] + [""] * (len(productions) - 1))
        return
    own = [found[p] for p in productions]
    label = f"{name} {found['version']}"
    row(f"{label}, one field, float64",
        [f"{f['one_field']['milliseconds']:.0f} ms" for f in own])
    for kind, what in (("fields", f"{many} fields, float32, each"),
                       ("gradient", f"{few} fields, forward and backward, float32, each")):
        if all(kind in f for f in own):
            row(f"{label}, {what}", [_each(f[kind]) for f in own])
        else:
            row(f"{label}, {what}", ["not offered"] * len(productions))
    row(f"{label}, storage organs at maturity, relative difference to neuralcrop",
        [f"{f['one_field']['relative_difference']:.0e}" for f in own])


def _each(figures: dict[str, Any]) -> str:
    if "failed" in figures:
        return f"failed: {figures['failed']}"
    digits = 4 if figures["milliseconds_per_field"] < 1.0 else 1
    once = " (one run)" if figures.get("repeats") == 1 else ""
    return f"{figures['milliseconds_per_field']:.{digits}f} ms{once}"


def write_section(page: Path, text: str) -> None:
    """Put the table between the marks of a page.

    Raises
    ------
    ValueError
        If the page lacks the marks.
    """
    old = page.read_text(encoding="utf-8")
    before, begin, rest = old.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} lacks the lines {BEGIN} and {END}")
    page.write_text(f"{before}{BEGIN}\n{text}{END}{after}", encoding="utf-8")
