"""The benchmark of WOFOST 7.2: a tiny run of all of it, its table, and its place on a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from neuralcrop.compat import bench
from neuralcrop.compat.bench import Plan, blocks, measure
from neuralcrop.compat.bench_others import OTHERS, Other
from neuralcrop.compat.bench_table import BEGIN, END, table, write_section


@pytest.fixture
def nothing_installed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Other, "installed", lambda self: False)


@pytest.fixture
def tiny(nothing_installed: None) -> dict[str, Any]:
    return measure(Plan(
        fields=5, gradient_fields=2, repeats=1, days=12, compiled=False,
        productions=("water_limited",)))


def test_a_tiny_run_has_all_figures(tiny: dict[str, Any]) -> None:
    assert json.loads(json.dumps(tiny)) == tiny
    own = tiny["neuralcrop"]["water_limited"]
    assert own["one_field"]["milliseconds"] > 0.0
    assert own["fields"]["fields"] == 5
    assert own["fields"]["peak_memory_mb"] > 50
    assert own["gradient"]["milliseconds_per_field"] > 0.0
    assert own["one_field"]["storage_weight"] == own["storage_weight"]
    text = table(tiny)
    for part in ("| 60 ms |", "| 0.05 ms |", "| 1000 MB |", "| 0.3 ms |",
                 "not installed: `pip install 'neuralcrop[bench]'`"):
        assert part in text


def test_the_table_takes_its_place_on_a_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    write_section(page, "| new |\n")
    assert page.read_text() == f"before\n{BEGIN}\n| new |\n{END}\nafter\n"
    page.write_text("no marks")
    with pytest.raises(ValueError, match="lacks the lines"):
        write_section(page, "| new |\n")


def test_the_page_of_the_documentation_has_the_marks(repository: Path) -> None:
    text = (repository / "docs/benchmarks.md").read_text()
    assert text.index(BEGIN) < text.index(END)


@pytest.mark.parametrize(("n", "largest", "threads"), [
    (10_000, 1_280, 2), (1_000, 512, 2), (5, 1_280, 2), (1, 8, 4), (4_097, 4_096, 1)])
def test_blocks_cover_all_fields_evenly(n: int, largest: int, threads: int) -> None:
    parts = blocks(n, largest, threads)
    assert len({stop - start for start, stop in parts}) == 1
    assert parts[0][1] <= largest
    assert [start for start, _ in parts[1:]] == [stop for _, stop in parts[:-1]]
    assert parts[-1][0] < n <= parts[-1][1]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["pcse", "diffwofost"])
def test_other_implementations_agree(name: str) -> None:
    pytest.importorskip(name)
    other = next(o for o in OTHERS if o.name == name)
    plan = Plan(fields=2, gradient_fields=2, repeats=1)
    for production in plan.productions:
        own = bench.eager_season(plan, production)
        for figures in other.measure(plan, production).values():
            expected = 1e-6 if figures.get("dtype", "float64") == "float64" else 1e-3
            assert figures["storage_weight"] == pytest.approx(own, rel=expected)
