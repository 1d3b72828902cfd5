"""Write the crops of the `global` set that come from WOFOST 7.2 or from a relative.

    python scripts/make_crop_catalogue.py            # neuralcrop/crops/*.yaml
    python scripts/make_crop_catalogue.py --check    # only say which files differ

What WOFOST 7.2 has (`neuralcrop/crops/wofost72`) is converted by rule, as for the crops whose files
are written by hand (maize, soybean, rice, wheat): partition tables at the stages 0, 0.2, ..., 2,
efficiencies from glucose to carbon, weights to carbon. All else is chosen, with its source, in
`scripts/crop_choices.yaml`, which also overrules what is derived.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from neuralcrop import crops
from neuralcrop.core.parameters import ParameterValue
from neuralcrop.crops import wofost72
from neuralcrop.models.global_day import GlobalModel

CHOICES = Path(__file__).parent / "crop_choices.yaml"

TARGET = Path(crops.__file__).parent

REFERENCE = "de Wit et al. 2019, doi:10.1016/j.agsy.2018.06.018"

NODES = np.linspace(0.0, 2.0, 11)

AFTER = 0.011
"""Stage by which node 1 is read later: WOFOST opens the storage organ just after anthesis."""

CARBON = 0.45
"""Carbon in dry matter of leaves and seeds, as `carbon_fraction` of the generic crop."""

GLUCOSE_CARBON = 0.4

ORGAN_CARBON = {"leaf": ("CVL", 0.459), "stem": ("CVS", 0.494), "root": ("CVR", 0.467)}
"""WOFOST's efficiency (dry matter per glucose) and carbon in the dry matter of the organ."""

GRAIN_CARBON = 0.471

BOUNDS: dict[str, tuple[float, float]] = {
    "thermal_time_emergence": (40.0, 250.0), "root_share": (0.0, 1.0), "leaf_share": (0.0, 1.0),
    "stem_share": (0.0, 1.0), "storage_share": (0.0, 1.0), "efficiency_leaf": (0.6, 0.95),
    "efficiency_stem": (0.6, 0.95), "efficiency_root": (0.6, 0.95),
    "efficiency_storage": (0.5, 0.95), "leaf_life_span": (15.0, 70.0),
    "leaf_base_temperature": (-2.0, 12.0), "emergence_base_temperature": (0.0, 12.0),
    "juvenile_growth_rate": (0.004, 0.06), "extinction": (0.4, 0.9),
    "root_growth_rate": (0.005, 0.04), "maintenance_leaf": (0.01, 0.04),
    "maintenance_stem": (0.005, 0.025), "maintenance_root": (0.005, 0.025),
    "maintenance_storage": (0.002, 0.02), "capacity_decline": (0.0, 1.0),
    "specific_leaf_area": (0.03, 0.08),
}
"""Bounds of derived parameters, as in the files by hand; widened where the value is near."""

SHARE_OF_VALUE = {"thermal_time_vegetative": (0.6, 1.6), "thermal_time_reproductive": (0.6, 1.6),
                  "seed_carbon": (0.3, 4.0), "photoperiod_critical": (0.6, 1.2),
                  "photoperiod_optimal": (0.75, 1.2)}
"""Bounds that are shares of the value."""

MARGIN = 1.25
"""A derived value may at least be divided and multiplied by this."""

HEADER = "# Parameters made by scripts/make_crop_catalogue.py from scripts/crop_choices.yaml.\n"

Entry = dict[str, Any]


def table(p: Mapping[str, ParameterValue], name: str, at: np.ndarray) -> np.ndarray:
    """A table of WOFOST at some stages."""
    return np.interp(at, p[f"{name}_x"].value, p[name].value)


def derived(
    variety: str, reference: str, storage_carbon: float, harvested: float
) -> Iterator[tuple[str, Entry]]:
    """Parameters that a variety of WOFOST 7.2 gives, by rule.

    What is not harvested of its storage organ counts as stem.
    """
    p = wofost72.load_variety(variety)

    def scalar(name: str) -> float:
        return p[name].value[0]

    def entry(name: str, value: Any, how: str = "") -> tuple[str, Entry]:
        return name, {"value": value, "bounds": bounds(name, value),
                      "source": reference + (f"; {how}" if how else "")}

    yield entry("thermal_time_emergence", scalar("TSUMEM"))
    yield entry("thermal_time_vegetative", scalar("TSUM1"))
    yield entry("thermal_time_reproductive", scalar("TSUM2"))
    at = np.where(np.isclose(NODES, 1.0), NODES + AFTER, NODES)
    root = table(p, "FRTB", at)
    shoot = np.stack([table(p, name, at) for name in ("FLTB", "FSTB", "FOTB")])
    shoot = shoot / shoot.sum(axis=0)
    shoot[1:] += np.outer((1.0 - harvested, harvested - 1.0), shoot[2])
    part = "" if harvested == 1.0 else f"{harvested:g} of FOTB is harvested, the rest put to stems"
    for name, values in zip(("root", "leaf", "stem", "storage"), (root, *shoot), strict=True):
        yield entry(f"{name}_share", [round(float(v), 4) for v in values],
                    part if name in ("stem", "storage") else "")
    for organ, (name, carbon) in (ORGAN_CARBON | {"storage": ("CVO", storage_carbon)}).items():
        yield entry(f"efficiency_{organ}", round(scalar(name) * carbon / GLUCOSE_CARBON, 3),
                    f"{name} x {carbon:g} / {GLUCOSE_CARBON:g}")
    yield entry("leaf_life_span", scalar("SPAN"))
    yield entry("leaf_base_temperature", scalar("TBASE"))
    yield entry("emergence_base_temperature", scalar("TBASEM"))
    yield entry("juvenile_growth_rate", scalar("RGRLAI"))
    yield entry("seed_carbon", round(0.1 * scalar("TDWI") * CARBON, 3), f"TDWI x {CARBON:g}")
    yield entry("extinction", round(float(table(p, "KDIFTB", NODES).mean()), 2))
    yield entry("root_growth_rate", scalar("RRI") / 100.0)
    for organ, name in (("leaf", "RML"), ("stem", "RMS"), ("root", "RMR"), ("storage", "RMO")):
        yield entry(f"maintenance_{organ}", round(scalar(name) * GLUCOSE_CARBON / CARBON, 4),
                    f"{name} x {GLUCOSE_CARBON:g} / {CARBON:g}")
    weight = (1.0 - root) * shoot[0]
    area = float((table(p, "SLATB", NODES) * weight).sum() / weight.sum())
    yield entry("specific_leaf_area", round(10.0 * area / CARBON, 3),
                f"SLATB weighted by the growth of leaves over {CARBON:g}")
    late = np.linspace(1.0, 2.0, 101)
    left = float(table(p, "AMAXTB", late).mean()) / max(p["AMAXTB"].value)
    yield entry("capacity_decline", round(2.0 * (1.0 - left), 2),
                "twice the mean loss of AMAXTB from anthesis on")
    if scalar("IDSL") >= 1.0:
        yield entry("photoperiod_critical", scalar("DLC"))
        yield entry("photoperiod_optimal", scalar("DLO"))


def bounds(name: str, value: Any) -> list[float]:
    """Bounds of a derived value."""
    if name in SHARE_OF_VALUE:
        return [round(float(share * value), 4) for share in SHARE_OF_VALUE[name]]
    lower, upper = BOUNDS[name]
    if not isinstance(value, list):
        lower = min(lower, round(value / MARGIN, 4))
        upper = max(upper, round(value * MARGIN, 4))
    if name.startswith("efficiency"):
        upper = min(upper, 0.98)
    return [lower, upper]


def of_relative(name: str) -> Iterator[tuple[str, Entry]]:
    """Parameters of another crop of the catalogue that are its own, saying so."""
    record = yaml.safe_load((TARGET / f"{name}.yaml").read_text(encoding="utf-8"))
    for key, entry in record["parameters"].items():
        yield key, {"value": entry["value"], "bounds": entry["bounds"],
                    "source": f"as {name.replace('_', ' ')}: {entry['source']}"}


def chosen(name: str, choice: Any, sources: Mapping[str, str]) -> Entry:
    """An entry of the file of choices."""
    value, limits, source = choice
    return {"value": value, "bounds": limits, "source": source.format(**sources)}


def parameters(record: Mapping[str, Any], sources: Mapping[str, str]) -> dict[str, Entry]:
    """All parameters of a crop, those chosen after those derived."""
    choices = dict(record["parameters"])
    storage, harvested = choices.pop("storage_carbon", GRAIN_CARBON), choices.pop("harvested", 1.0)
    if "like" in record:
        found = dict(of_relative(record["like"]))
    else:
        variety = record["wofost"]
        default = wofost72.load_crop(variety)["default"]
        reference = f"WOFOST 7.2 {default}; {REFERENCE}"
        if "relative" in record:
            reference = f"{record['relative']}: {reference}"
        found = dict(derived(variety, reference, storage, harvested))
    return found | {name: chosen(name, choice, sources) for name, choice in choices.items()}


def page(name: str, record: Mapping[str, Any], sources: Mapping[str, str]) -> str:
    """The file of a crop."""
    units = {s.name: s.units for s in GlobalModel.specs()}
    winter = str(record.get("winter", False)).lower()
    lines = [
        f"name: {name}", f"long_name: {record['long_name']}",
        f"scientific_name: {record['scientific_name']}",
        f"inherits: [_generic, _{record['pathway']}]",
        f"calendar: {{family: {name}, winter: {winter}}}",
        f"moisture: {record['moisture']:g}   # of the marketed product; prior"]
    if "note" in record:
        lines.append(f"note: {quoted(record['note'])}")
    lines.append("parameters:")
    for key, entry in parameters(record, sources).items():
        lines += [f"  {key}:", f"    value: {entry['value']}", f"    units: {quoted(units[key])}",
                  f"    bounds: {list(entry['bounds'])}", f"    source: {quoted(entry['source'])}"]
    return HEADER + "\n".join(lines) + "\n"


def quoted(text: str) -> str:
    """Text as YAML."""
    return '"' + text.replace('"', "'") + '"'


def pages() -> dict[str, str]:
    """Files by name of crop."""
    choices = yaml.safe_load(CHOICES.read_text(encoding="utf-8"))
    return {name: page(name, record, choices["sources"]) + own_blocks(TARGET / f"{name}.yaml")
            for name, record in choices["crops"].items()}


def own_blocks(path: Path) -> str:
    """Blocks of a file after its ``parameters``, which are written by hand."""
    text = path.read_text(encoding="utf-8") if path.is_file() else ""
    starts = [text.index(f"\n{block}:") + 1 for block in crops.BLOCKS[1:] if f"\n{block}:" in text]
    return text[min(starts):] if starts else ""


def main() -> None:
    """Write, or compare."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--check", action="store_true", help="write nothing, name what differs")
    arguments = parser.parse_args()
    other = {path: text for name, text in pages().items()
             if not (path := TARGET / f"{name}.yaml").is_file()
             or path.read_text(encoding="utf-8") != text}
    for path, text in other.items():
        print(path)
        if not arguments.check:
            path.write_text(text, encoding="utf-8")
    if arguments.check and other:
        sys.exit(1)


if __name__ == "__main__":
    main()
