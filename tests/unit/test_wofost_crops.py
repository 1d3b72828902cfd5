"""The catalogue of WOFOST 7.2: complete, inside its bounds, equal to its source."""

from __future__ import annotations

import json
import re
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import yaml

from neuralcrop.core.parameters import ParameterError, ParameterTable, ParameterValue
from neuralcrop.crops import UnknownCropError, list_varieties
from neuralcrop.crops.wofost72 import (
    crop_names,
    definitions,
    from_parameters,
    load_catalogue,
    load_crop,
    load_variety,
    padded,
    specs,
    split_name,
    table_widths,
    variety_names,
)
from tests.golden.shared import shared_file
from tests.script_modules import load_script

CROPS = crop_names()
VARIETIES = [f"{crop}:{variety}" for crop in CROPS for variety in variety_names(crop)]
TABLES = [name for name, d in definitions().items() if d.x_units is not None]
ORGANS = ("FLTB", "FSTB", "FOTB")


def flat(values: dict[str, ParameterValue]) -> dict[str, float | list[float]]:
    """Parameters as PCSE has them."""
    return {
        name: [v for node in zip(values[f"{name}_x"].value, values[name].value, strict=True)
               for v in node] if name in TABLES else values[name].value[0]
        for name in definitions()}


def trimmed(given: list[float]) -> list[float]:
    """A table without the zeros that fill it up."""
    given = list(given)
    while len(given) > 2 and given[-2:] == [0.0, 0.0]:
        given = given[:-2]
    return given


def test_it_has_the_crops_and_varieties_of_wofost() -> None:
    assert len(CROPS) == 23
    assert len(VARIETIES) == 65
    assert list(CROPS) == sorted(CROPS)


@pytest.mark.parametrize("crop", CROPS)
def test_the_file_of_a_crop_is_complete(crop: str) -> None:
    record = load_crop(crop)
    assert record["name"] == crop
    assert record["default"] in record["varieties"]
    assert record["pathway"] in ("C3", "C4")
    assert record["long_name"]
    assert " " in record["scientific_name"]
    for variety in record["varieties"].values():
        assert variety["reference"].startswith("https://")
        assert set(variety["parameters"]) <= set(definitions())
    assert record["varieties"][record["default"]]["parameters"] == {}
    assert set(record["parameters"]) <= set(definitions())


@pytest.mark.parametrize("name", VARIETIES)
def test_every_value_has_unit_bounds_and_source(name: str) -> None:
    values = load_variety(name)
    assert set(values) == {s.name for s in specs()}
    for key, v in values.items():
        assert len(v.source) > 3, key
        assert len(v.value) == len(v.lower) == len(v.upper), key
        assert all(lo <= x <= hi for x, lo, hi in zip(
            v.value, v.lower, v.upper, strict=True)), key
        if key.endswith("_x"):
            assert v.value == v.lower == v.upper, key
            assert list(v.value) == sorted(set(v.value)), key
        elif v.lower != v.upper:
            lower, upper = definitions()[key].limits
            assert lower <= min(v.lower), key
            assert max(v.upper) <= upper, key


@pytest.mark.parametrize("name", VARIETIES)
def test_what_has_no_effect_is_held_fixed(name: str) -> None:
    values = load_variety(name)
    for key, definition in definitions().items():
        fixed = values[key].lower == values[key].upper == values[key].value
        if definition.switch or values["IDSL"].value[0] < definition.from_idsl:
            assert fixed, key
    for key in ("TSUM1", "TSUM2", "SPAN", "AMAXTB", "SLATB"):
        assert values[key].lower[0] < values[key].upper[0], key


@pytest.mark.parametrize("name", VARIETIES)
def test_shoot_shares_sum_to_one(name: str) -> None:
    p = load_variety(name)

    def share(organ: str, stage: float) -> float:
        nodes = list(zip(p[f"{organ}_x"].value, p[organ].value, strict=True))
        if stage <= nodes[0][0]:
            return nodes[0][1]
        for (x0, y0), (x1, y1) in pairwise(nodes):
            if stage <= x1:
                return y0 + (y1 - y0) * (stage - x0) / (x1 - x0)
        return nodes[-1][1]

    for step in range(201):
        assert sum(share(organ, step / 100.0) for organ in ORGANS) == pytest.approx(1.0, abs=2e-3)


@pytest.mark.parametrize("crop", CROPS)
def test_tables_of_carbon_dioxide_are_those_of_the_pathway(crop: str) -> None:
    amax = load_variety(crop)["CO2AMAXTB"]
    assert (max(amax.value) > 1.0) == (load_crop(crop)["pathway"] == "C3")


def test_a_table_of_parameters_holds_all_varieties() -> None:
    table = ParameterTable(specs(), load_catalogue(VARIETIES, table_widths()))
    assert table.crops == tuple(VARIETIES)
    assert {**table.layout.sizes} == {s.name: s.size for s in specs()}


def test_tables_are_only_as_wide_as_the_crops_need() -> None:
    names = ("wheat", "barley:Spring_barley_301")
    widths = table_widths(names)
    assert widths["FRTB"] == 10
    assert widths["FRTB"] < table_widths()["FRTB"]
    catalogue = load_catalogue(names)
    table = ParameterTable(specs(widths), catalogue)
    assert table.crops == names
    barley = catalogue["barley:Spring_barley_301"]
    assert barley["FRTB_x"].value[-3:] == (2.0, 2.0, 2.0)
    assert len(set(barley["FRTB"].value[-3:])) == 1


def test_a_crop_alone_means_its_default_variety() -> None:
    assert split_name("wheat") == ("wheat", "Winter_wheat_103")
    assert load_variety("wheat") == load_variety("wheat:Winter_wheat_103")
    assert list(load_catalogue()) == list(CROPS)


def test_what_the_source_does_not_give_has_no_effect() -> None:
    onion = load_variety("seed_onion")
    assert onion["VERNSAT"].value == (-5.0,)
    assert onion["VERNSAT"].source.startswith("not given")


def test_a_variety_names_its_own_source() -> None:
    values = load_variety("wheat:apache")
    assert "10.1101/708578" in values["TSUM1"].source
    assert "308997" in values["SPAN"].source


# values as in de Wit et al. 2019, doi:10.1016/j.agsy.2018.06.018, and van Heemst 1988
@pytest.mark.parametrize(("name", "expected"), [
    ("wheat:Winter_wheat_101", {"TSUM1": 543, "TSUM2": 1194, "DLC": 8, "DLO": 16.8,
                                "VERNBASE": 10, "VERNSAT": 49, "SPAN": 31.3, "RGRLAI": 0.0082}),
    ("wheat:Winter_wheat_103", {"TSUM1": 958, "TSUM2": 852, "TSUMEM": 120, "DLO": 16.3,
                                "VERNSAT": 52, "RDMCR": 125, "CVL": 0.685, "CVO": 0.709}),
    ("maize", {"TBASEM": 4, "TSUMEM": 110, "TSUM1": 695, "TSUM2": 800, "SPAN": 33, "TBASE": 10,
               "RDMCR": 100, "CVO": 0.671, "DTSMTB": [0, 0, 6, 0, 30, 24, 35, 24],
               "TMPFTB": [0, 0.01, 9, 0.05, 16, 0.8, 18, 0.94, 20, 1, 30, 1, 36, 0.95, 42, 0.56]}),
    ("barley", {"TSUM1": 800, "TSUM2": 750, "SPAN": 25, "RGRLAI": 0.0075, "RMR": 0.01,
                "KDIFTB": [0, 0.44, 2, 0.44], "EFFTB": [0, 0.4, 40, 0.4]}),
    ("potato", {"TSUM1": 150, "TSUM2": 1550, "TEFFMX": 18, "SPAN": 37, "CVO": 0.85, "DEPNR": 3}),
    ("sugarcane", {"TSUM1": 5681, "TSUM2": 642, "SPAN": 75, "RDMCR": 200, "RMS": 0.007}),
    ("cassava", {"DTSMTB": [0, 1, 35, 1, 45, 1], "TSUM1": 50, "RMS": 0.004}),
    ("rapeseed", {"DLC": 10, "DLO": 16, "IDSL": 1, "SPAN": 17, "RGRLAI": 0.5}),
    ("millet", {"TBASEM": 12, "TSUM1": 772, "TSUM2": 483, "RDMCR": 220, "RMR": 0.007}),
])
def test_published_values(name: str, expected: dict[str, Any]) -> None:
    values = flat(load_variety(name))
    assert {key: values[key] for key in expected} == expected


# with data beside the repository


@pytest.mark.golden
@pytest.mark.parametrize("crop", CROPS)
def test_values_are_those_of_the_source(crop: str) -> None:
    path = shared_file("data", "wofost_crop_parameters", "wofost72", f"{crop}.yaml")
    source = yaml.load(path.read_text(), getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    varieties = source["CropParameters"]["Varieties"]
    assert variety_names(crop) == tuple(varieties)
    for variety, given in varieties.items():
        values = flat(load_variety(f"{crop}:{variety}"))
        for name in definitions():
            if name in given and given[name][0] is not None:
                value = given[name][0]
                expected = trimmed(value) if isinstance(value, list) else value
                assert values[name] == expected, f"{variety} {name}"
            else:
                assert name == "LAIEM" or crop == "seed_onion", f"{variety} lacks {name}"


@pytest.mark.golden
@pytest.mark.parametrize(
    "name", ["wheat:Winter_wheat_103", "barley:Spring_barley_301", "maize:Grain_maize_201"])
def test_values_are_those_of_the_reference_seasons(name: str) -> None:
    path = shared_file("data", "science_fixtures", f"params_{name.replace(':', '_')}.json")
    given = json.loads(path.read_text())
    values = flat(load_variety(name))
    for key in definitions():
        assert key == "LAIEM" or values[key] == given[key], key
    own = from_parameters(given)
    assert set(own.other) == {"REFCO2L"}
    assert {k: v.value for k, v in own.crop.items() if k != "LAIEM"} == {
        k: v.value for k, v in load_variety(name).items() if k != "LAIEM"}


@pytest.mark.golden
def test_complete_sets_of_pcse_can_be_read() -> None:
    path = shared_file("data", "pcse_reference", "index.json")
    runs = [run for run in json.loads(path.read_text())
            if re.search("_(potential|waterlimited)production_", run["name"])]
    assert len(runs) > 20
    crops: dict[str, dict[str, ParameterValue]] = {}
    for run in runs:
        own = from_parameters(run["params"])
        values = flat(own.crop)
        for name in definitions().keys() & run["params"].keys():
            given = run["params"][name]
            if given != []:
                assert values[name] == (trimmed(given) if name in TABLES else given), name
        assert set(own.other) >= {"SMW", "SMFCF", "SM0", "RDMSOL", "WAV", "CRPNAM"}
        crops[run["name"]] = own.crop
    widths = table_widths(crops.values())
    ParameterTable(specs(widths), {name: padded(crop, widths) for name, crop in crops.items()})


# a user's own set


@pytest.fixture
def own() -> dict[str, Any]:
    return {**flat(load_variety("wheat")), "SMW": 0.1, "SMFCF": 0.3, "WAV": 10, "CRPNAM": "mine"}


def test_an_own_set_is_like_a_variety(own: dict[str, Any]) -> None:
    crop, other = from_parameters(own, source="a trial")
    assert other == {"SMW": 0.1, "SMFCF": 0.3, "WAV": 10, "CRPNAM": "mine"}
    variety = load_variety("wheat")
    assert crop.keys() == variety.keys()
    assert all(crop[k].value == variety[k].value for k in variety)
    assert crop["TSUM1"].source == "a trial"
    assert crop["TSUM1"].lower == pytest.approx((0.8 * 958.0,))
    assert crop["TSUM1"].upper == pytest.approx((1.2 * 958.0,))
    widths = table_widths(["barley", crop])
    both = load_catalogue(["barley"], widths) | {"mine": padded(crop, widths)}
    assert ParameterTable(specs(widths), both).crops == ("barley", "mine")


def test_what_fills_up_a_table_is_dropped(own: dict[str, Any]) -> None:
    own["TMNFTB"] = [0.0, 0.0, 3.0, 1.0, 0.0, 0.0, 0.0, 0.0]
    own["TMPFTB"] = [-5.0, 0.5, 0.0, 0.0]
    crop = from_parameters(own).crop
    assert crop["TMNFTB_x"].value == (0.0, 3.0)
    assert crop["TMPFTB_x"].value == (-5.0, 0.0)


def test_an_own_set_need_not_say_what_it_does_not_use(own: dict[str, Any]) -> None:
    own |= {"IDSL": 0, "DLO": -99.0, "DLC": -99.0, "VERNRTB": []}
    for name in ("VERNBASE", "VERNSAT", "VERNDVS", "CO2AMAXTB", "LAIEM"):
        del own[name]
    crop = from_parameters(own).crop
    assert crop["DLO"].lower == crop["DLO"].upper == (-99.0,)
    assert set(crop["CO2AMAXTB"].value) == {1.0}
    assert crop["VERNSAT"].value > crop["VERNBASE"].value


def test_all_problems_of_an_own_set_are_named_at_once(own: dict[str, Any]) -> None:
    own |= {"TSUM3": 1.0, "Q10": "2", "SPAN": -3.0, "AMAXTB": [0.0, 30.0, 2.0], "IDSL": 2.0,
            "FRTB": [0.0, 0.5, 0.0, 0.4], "IOX": 0.5, "CVL": float("nan"), "SLATB": 0.002}
    del own["TSUM2"], own["VERNSAT"]
    with pytest.raises(ParameterError) as caught:
        from_parameters(own)
    text = str(caught.value)
    for line in (
        "TSUM3 is unknown, expected perhaps TSUM", "Q10 is '2', expected a number",
        "SPAN is -3.0, expected values from 1 to 400 (d)", "AMAXTB is [0.0, 30.0, 2.0], expected a",
        "FRTB is [0.0, 0.5, 0.0, 0.4], expected a list x1, y1, x2, y2, ... with rising x",
        "IOX is 0.5, expected a whole number", "CVL is nan, expected a number",
        "SLATB is 0.002, expected a list", "TSUM2 is missing, expected a number (degC d)",
        "VERNSAT is missing", "needed where IDSL is 2 or more",
    ):
        assert line in text, text
    assert text.count("\n") == 10


# names


@pytest.mark.parametrize(("name", "message"), [
    ("weat", "unknown WOFOST 7.2 crop 'weat'; did you mean 'wheat'"),
    ("wheat:Winter_wheat_13", "unknown variety of wheat .* did you mean 'Winter_wheat_103'"),
    ("maize:", None),
])
def test_unknown_names_are_answered_with_the_nearest(name: str, message: str | None) -> None:
    if message is None:
        assert split_name(name) == ("maize", "Grain_maize_201")
        return
    with pytest.raises(UnknownCropError, match=message):
        load_variety(name)


def test_tables_that_are_too_wide_are_named() -> None:
    with pytest.raises(ParameterError, match="FRTB has 10 nodes, expected at most 2"):
        padded(load_variety("wheat"), {"FRTB": 2})


def test_varieties_are_listed_with_what_differs() -> None:
    table = list_varieties("wheat")
    assert len(table) == 9
    assert list(table.index[table["default"]]) == ["wheat:Winter_wheat_103"]
    assert table.loc["wheat:Winter_wheat_101", "differs_in"] == ("DLO", "TSUM1", "TSUM2", "VERNSAT")


@pytest.mark.golden
def test_the_maker_gives_the_files_as_they_are(repository: Path) -> None:
    directory = shared_file("data", "wofost_crop_parameters", "wofost72")
    maker = load_script(repository, "make_wofost_catalogue")
    crops = maker.read(directory)
    for crop in CROPS:
        file = repository / "neuralcrop" / "crops" / "wofost72" / f"{crop}.yaml"
        assert maker.page(crop, crops) == file.read_text(encoding="utf-8")


def test_the_python_of_the_page_runs(repository: Path) -> None:
    page = (repository / "docs" / "crops.md").read_text(encoding="utf-8")
    names: dict[str, Any] = {}
    for source in re.findall(r"^```python\n(.*?)^```$", page, re.MULTILINE | re.DOTALL):
        exec(source, names)
    assert "mine" in names
