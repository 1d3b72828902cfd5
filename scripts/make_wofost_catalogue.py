"""Write neuralcrop/crops/wofost72 from the parameter sets of WOFOST 7.2.

    python scripts/make_wofost_catalogue.py DIRECTORY

DIRECTORY holds the YAML files of the branch ``wofost72`` of
https://github.com/ajwdewit/WOFOST_crop_parameters. Only values, and the reports that they come
from, are taken over; units, meaning, limits and bounds are those of neuralcrop. The same input
gives the same files.
"""

from __future__ import annotations

import argparse
import math
import re
import textwrap
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import yaml

from neuralcrop.crops.wofost72 import catalogue
from neuralcrop.crops.wofost72.catalogue import Definition, definitions, pairs, widened

TARGET = Path(catalogue.__file__).parent


class Crop(NamedTuple):
    """What a file says of its crop; the default is a variety."""

    long_name: str
    scientific_name: str
    default: str
    pathway: str = "C3"
    moisture: float | None = None


CROPS = {
    "barley": Crop("Barley", "Hordeum vulgare", "Spring_barley_301"),
    "cassava": Crop("Cassava", "Manihot esculenta", "Cassava_VanHeemst_1988"),
    "chickpea": Crop("Chickpea", "Cicer arietinum", "Chickpea_VanHeemst_1988"),
    "cotton": Crop("Cotton", "Gossypium hirsutum", "Cotton_VanHeemst_1988"),
    "cowpea": Crop("Cowpea", "Vigna unguiculata", "Cowpea_VanHeemst_1988"),
    "fababean": Crop("Faba bean", "Vicia faba", "Faba_bean_801"),
    "groundnut": Crop("Groundnut", "Arachis hypogaea", "Groundnut_VanHeemst_1988"),
    "maize": Crop("Maize", "Zea mays", "Grain_maize_201", "C4", 0.12),
    "millet": Crop("Pearl millet", "Pennisetum glaucum", "Millet_VanHeemst_1988", "C4"),
    "mungbean": Crop("Mung bean", "Vigna radiata", "Mungbean_VanHeemst_1988"),
    "pigeonpea": Crop("Pigeon pea", "Cajanus cajan", "Pigeonpea_VanHeemst_1988"),
    "potato": Crop("Potato", "Solanum tuberosum", "Potato_701"),
    "rapeseed": Crop("Oilseed rape", "Brassica napus", "Oilseed_rape_1001"),
    "rice": Crop("Rice", "Oryza sativa", "Rice_501", moisture=0.13),
    "seed_onion": Crop("Onion, sown", "Allium cepa", "onion_agriadapt"),
    "sorghum": Crop("Sorghum", "Sorghum bicolor", "Sorghum_VanHeemst_1988", "C4"),
    "soybean": Crop("Soybean", "Glycine max", "Soybean_901", moisture=0.09),
    "sugarbeet": Crop("Sugar beet", "Beta vulgaris", "Sugarbeet_601"),
    "sugarcane": Crop("Sugar cane", "Saccharum officinarum", "Sugarcane_VanHeemst_1988", "C4"),
    "sunflower": Crop("Sunflower", "Helianthus annuus", "Sunflower_1101"),
    "sweetpotato": Crop("Sweet potato", "Ipomoea batatas", "Sweetpotato_VanHeemst_1988"),
    "tobacco": Crop("Tobacco", "Nicotiana tabacum", "Tobacco_VanHeemst_1988"),
    "wheat": Crop("Wheat", "Triticum aestivum", "Winter_wheat_103", moisture=0.12),
}

LAIEM = {
    "barley": 0.274, "fababean": 0.035, "maize": 0.04836, "potato": 0.0589, "sugarbeet": 0.0007,
    "sunflower": 0.0053, "wheat": 0.1365,
}
"""Leaf area at emergence, which the repository does not give."""

LAIEM_SOURCE = "parameters of the WOFOST 7.2 tests of PCSE; not used by the model"

MIDDLE = (0.1, 0.9)
"""Quantiles over crops that bound what the varieties of one crop agree on."""

HEADER = """\
# Made by scripts/make_wofost_catalogue.py; do not edit.
# Values: https://github.com/ajwdewit/WOFOST_crop_parameters, branch wofost72 (EUPL).
"""

Value = float | list[list[float]]


class Variety(NamedTuple):
    """Values of a variety and the reports that they come from."""

    values: dict[str, Value]
    reference: str


# reading


def read(directory: Path) -> dict[str, dict[str, Variety]]:
    """Varieties by crop."""
    found: dict[str, dict[str, Variety]] = {}
    for crop in CROPS:
        record = yaml.safe_load((directory / f"{crop}.yaml").read_text(encoding="utf-8"))
        general = record["Metadata"].get("Source")
        found[crop] = {
            name: Variety(values(crop, entry),
                          reference(entry.get("Metadata", {}).get("Source") or general))
            for name, entry in record["CropParameters"]["Varieties"].items()}
    return found


def values(crop: str, entry: dict[str, Any]) -> dict[str, Value]:
    """Values of a variety by parameter; without those that are not given."""
    found: dict[str, Value] = {}
    for name, definition in definitions().items():
        given = entry[name][0] if name in entry else None
        if given is None and name == "LAIEM":
            given = LAIEM.get(crop)
        if given is not None:
            found[name] = float(given) if definition.x_units is None else pairs(given)
    return found


def reference(source: str | list[str] | None) -> str:
    """The first report of a source."""
    found = re.search(r"https?://[^\s,]+", str(source).replace("'", ""))
    if found is None:
        raise ValueError(f"no report in {source!r}")
    return found[0].rstrip("]")


# bounds


def numbers(value: Value) -> list[float]:
    """All values of a parameter, without the nodes."""
    return [y for _, y in value] if isinstance(value, list) else [value]


def effective(definition: Definition, varieties: Iterable[Variety]) -> list[list[float]]:
    """Values of those varieties for which the parameter has an effect."""
    return [numbers(v.values[definition.name]) for v in varieties
            if definition.name in v.values and v.values["IDSL"] >= definition.from_idsl]


def bounds(
    definition: Definition, crop: str, crops: dict[str, dict[str, Variety]]
) -> tuple[float, float] | None:
    """Spread over varieties, or over crops where they agree, widened; None if never to move."""
    own = effective(definition, crops[crop].values())
    if definition.switch or definition.name == "LAIEM" or not own:
        return None
    lowest, highest = min(map(min, own)), max(map(max, own))
    if any(v != own[0] for v in own):
        spread, mean = (lowest, highest), np.mean([np.mean(v) for v in own])
    else:
        others = effective(definition, (v[CROPS[c].default] for c, v in crops.items()))
        low = float(np.quantile([min(v) for v in others], MIDDLE[0]))
        high = float(np.quantile([max(v) for v in others], MIDDLE[1]))
        spread = (min(low, lowest), max(high, highest))
        mean = np.mean([np.mean(v) for v in others])
    found = widened(spread, float(mean), definition.limits)
    return None if found is None else (outward(found[0], math.floor), outward(found[1], math.ceil))


def outward(value: float, way: Any) -> float:
    """Three digits, away from the spread."""
    if value == 0.0:
        return 0.0
    digits = 2 - math.floor(math.log10(abs(value)))
    if abs(value * 10.0**digits - round(value * 10.0**digits)) < 1e-9:
        return round(value, digits)  # has no more already
    return round(way(value * 10.0**digits) / 10.0**digits, digits)


# writing


def number(value: float) -> str:
    return repr(float(value))


def shown(value: Value, indent: int, first: int) -> str:
    """A value in YAML, tables broken into lines."""
    if not isinstance(value, list):
        return number(value)
    nodes = [f"[{number(x)}, {number(y)}]" for x, y in value]
    text = f"[{', '.join(nodes)}]"
    if first + len(text) <= 98:
        return text
    # a node stays on one line
    lines = textwrap.wrap(
        ", ".join(n.replace(" ", "_") for n in nodes), 96 - indent, break_long_words=False)
    return "[\n" + "\n".join(" " * indent + line.replace("_", " ") for line in lines) + "]"


def parameter_lines(definition: Definition, value: Value, limits: tuple[float, float] | None,
                    source: str) -> list[str]:
    """Lines of one parameter of a crop."""
    d = definition
    span = "fixed" if limits is None else f"[{number(limits[0])}, {number(limits[1])}]"
    quote = {"1": '"1"'}
    units = quote.get(d.units, d.units)
    if d.x_units is None:
        return [f"  {d.name}: {{value: {number(float(numbers(value)[0]))}, units: {units}, "
                f"bounds: {span}, source: {source}}}"]
    return [f"  {d.name}:", f"    value: {shown(value, 6, 11)}",
            f"    units: [{quote.get(d.x_units, d.x_units)}, {units}]",
            f"    bounds: {span}", f"    source: {source}"]


def variety_lines(name: str, variety: Variety, default: Variety) -> list[str]:
    """Lines of one variety: what differs from the default."""
    source = f"WOFOST 7.2 {name} (WOFOST_crop_parameters); {variety.reference}"
    lines = [f"  {name}:", f"    reference: {variety.reference}", f'    source: "{source}"']
    differing = {k: v for k, v in variety.values.items() if v != default.values[k]}
    if not differing:
        return [*lines, "    parameters: {}"]
    lines.append("    parameters:")
    return lines + [f"      {k}: {shown(v, 8, 8 + len(k))}" for k, v in differing.items()]


def page(crop: str, crops: dict[str, dict[str, Variety]]) -> str:
    """File of one crop."""
    about, varieties = CROPS[crop], crops[crop]
    default = varieties[about.default]
    lines = [
        f"{HEADER}name: {crop}", f'long_name: "{about.long_name}"',
        f"scientific_name: {about.scientific_name}", f"pathway: {about.pathway}",
        f"default: {about.default}", f"reference: {default.reference}"]
    if about.moisture is not None:
        lines.append(f"moisture: {about.moisture}   # of the marketed product "
                     "(Wirsenius 2000; GGCMI)")
    lines += ["sources:", f'  set: &set "WOFOST 7.2 {about.default} (WOFOST_crop_parameters); '
              f'{default.reference}"']
    if crop in LAIEM:
        lines.append(f'  emergence: &emergence "{LAIEM_SOURCE}"')
    lines.append("parameters:   # of the default variety")
    for name, definition in definitions().items():
        if name in default.values:
            source = "*emergence" if name == "LAIEM" else "*set"
            lines += parameter_lines(
                definition, default.values[name], bounds(definition, crop, crops), source)
    lines.append("varieties:   # what differs from the default")
    for name, variety in varieties.items():
        lines += variety_lines(name, variety, default)
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("directory", type=Path, help="with barley.yaml ... wheat.yaml")
    crops = read(parser.parse_args().directory)
    for crop in CROPS:
        (TARGET / f"{crop}.yaml").write_text(page(crop, crops), encoding="utf-8")
    print(f"{TARGET}: {len(crops)} crops, {sum(map(len, crops.values()))} varieties")


if __name__ == "__main__":
    main()
