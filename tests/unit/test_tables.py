"""The generated tables of the documentation are those of the code as it is."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import pytest

from neuralcrop.core.variables import REGISTRY
from neuralcrop.crops import crop_names
from neuralcrop.crops.wofost72 import definitions
from neuralcrop.models.wofost72_site import SITE_SPECS
from tests.script_modules import load_script


@pytest.fixture(scope="module")
def maker(repository: Path) -> ModuleType:
    return load_script(repository, "make_tables")


@pytest.mark.parametrize("name", ["variables", "parameters"])
def test_the_page_is_up_to_date(maker: ModuleType, repository: Path, name: str) -> None:
    page = (repository / "docs" / "tables" / f"{name}.md").read_text(encoding="utf-8")
    made = getattr(maker, f"{name}_page")()
    assert page == made, "run python scripts/make_tables.py and commit docs/tables"


def test_the_page_of_wofost_names_every_parameter(repository: Path) -> None:
    page = (repository / "docs" / "tables" / "wofost72_gradients.md").read_text(encoding="utf-8")
    names = {*definitions(), *(s.name for s in SITE_SPECS)}
    for part in page.split("## ")[1:3]:  # potential, water-limited
        assert all(f"`{name}`" in part for name in names)


def test_pages_name_every_variable_and_crop(maker: ModuleType) -> None:
    page = maker.variables_page()
    assert all(f"| `{name}` |" in page for name in REGISTRY)
    assert all(f"(`{crop}`)" in maker.parameters_page() for crop in crop_names())
