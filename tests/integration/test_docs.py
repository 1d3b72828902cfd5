"""The Python of the documentation runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import xarray as xr

import neuralcrop as nc
from neuralcrop.data.demo import make_demo_forcing, suitable_cells

BLOCK = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(path: Path) -> list[str]:
    """Python of a page, each block on the lines it has in the file so that errors point there."""
    text = path.read_text(encoding="utf-8")
    return ["\n" * text[: m.start(1)].count("\n") + m.group(1) for m in BLOCK.finditer(text)]


def execute(path: Path, sources: list[str], names: dict[str, Any]) -> dict[str, Any]:
    for source in sources:
        exec(compile(source, str(path), "exec"), names)
    return names


@pytest.mark.slow
def test_extending_runs(repository: Path) -> None:
    path = repository / "docs" / "extending.md"
    sources = blocks(path)
    assert len(sources) >= 6
    names = execute(path, sources, {})
    assert names["seasons"].sizes["season"] >= 1


@pytest.fixture
def in_a_directory_with_weather(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    make_demo_forcing([2001], suitable_cells(1, min_lat=35.0)).to_netcdf("weather_2001.nc")


@pytest.mark.slow
@pytest.mark.usefixtures("in_a_directory_with_weather")
def test_the_api_of_the_readme_runs(repository: Path) -> None:
    path = repository / "README.md"
    (source,) = blocks(path)
    # the lines about a trained run need one
    lines = [line for line in source.split("\n") if "runs/demo" not in line]
    names = execute(path, ["\n".join(lines)], {})
    assert isinstance(names["seasons"], xr.Dataset)
    assert {"lai", "soil_water"} <= set(names["daily"].data_vars)
    assert isinstance(nc.list_crops(), pd.DataFrame)


@pytest.mark.slow
def test_the_page_of_wofost_runs(repository: Path) -> None:
    path = repository / "docs" / "wofost72.md"
    weather = make_demo_forcing([2001], suitable_cells(1, min_lat=35.0))
    names = execute(path, blocks(path), {"weather": weather})
    assert float(names["daily"]["storage_weight"].max()) > 0.0


@pytest.mark.slow
def test_the_calibration_of_wofost_finds_the_truth(repository: Path) -> None:
    path = repository / "docs" / "tutorials" / "wofost_calibration.md"
    names = execute(path, blocks(path), {})
    recovered, truth, uncertain = names["recovered"], names["truth"], names["uncertain"]
    for name, value in truth.items():
        assert recovered[name] == pytest.approx(value, rel=0.05), name
        assert abs(recovered[name] - value) < 4.0 * uncertain[name], name
        assert abs(float(names["first"][name]) - value) > 0.1 * value, name  # there was a way to go


def test_links_between_pages_lead_somewhere(repository: Path) -> None:
    pages = [repository / "README.md", *(repository / "docs").rglob("*.md")]
    broken = [
        f"{page.name}: {target}"
        for page in pages if "_build" not in page.parts
        for target in re.findall(r"\]\(([^)#:]+\.(?:md|cff|py))(?:#[^)]*)?\)",
                                 page.read_text(encoding="utf-8"))
        if not (page.parent / target).exists()]
    assert not broken
