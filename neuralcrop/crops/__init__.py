"""The crop catalogue: one YAML file a crop, every value with unit, bounds and source.

The files beside this module are crops of the `global` set of processes; those of WOFOST 7.2 are in
:mod:`neuralcrop.crops.wofost72`.
"""

from __future__ import annotations

import difflib
from collections.abc import Container
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

import numpy as np
import yaml

from neuralcrop.core.parameters import ParameterError, ParameterValue

if TYPE_CHECKING:
    import pandas as pd


BLOCKS = ("parameters", "lpjml", "nutrients")
"""Groups of parameters in the files of crops."""

ALIASES = {
    "wheat": "winter_wheat", "corn": "maize", "soy": "soybean", "spring_barley": "barley",
    "winter_rye": "rye", "canola": "rapeseed", "sugarbeet": "sugar_beet",
    "sugar_cane": "sugarcane", "peanut": "groundnut", "bean": "dry_bean", "field_pea": "pea",
}
"""Other names of crops of the `global` set."""


class UnknownCropError(KeyError):
    """No crop of that name; says which is nearest."""

    def __str__(self) -> str:
        return str(self.args[0])


def crop_names() -> tuple[str, ...]:
    """Crops of the catalogue, sorted."""
    files = (f.name for f in resources.files(__package__).iterdir())
    return tuple(sorted(f[:-5] for f in files if f.endswith(".yaml") and not f.startswith("_")))


def full_name(name: str, known: Container[str] = ()) -> str:
    """Name in the catalogue of a crop that may go by another (`ALIASES`); others unchanged.

    Parameters
    ----------
    name : str
        Crop.
    known : container of str
        Names that stand for themselves.
    """
    return name if name in known else ALIASES.get(name, name)


def full_names(crop: Any, known: Container[str] = ()) -> Any:
    """`full_name` of a crop, or of each of a sequence, array or DataArray of crops."""
    if isinstance(crop, str):
        return full_name(crop, known)
    if hasattr(crop, "dims"):
        return crop.copy(data=full_names(crop.values, known))
    array = np.asarray(crop, dtype=object)
    return np.array([full_name(str(n), known) for n in array.ravel()],
                    dtype=object).reshape(array.shape)


def load_crop(name: str) -> dict[str, Any]:
    """Whole record of a crop, by its name or another (`ALIASES`), with inherited parameters.

    Raises
    ------
    UnknownCropError
        If the catalogue has no such crop.
    """
    name = full_name(name)
    if name not in crop_names():
        near = difflib.get_close_matches(name, (*crop_names(), *ALIASES), n=1)
        hint = f"; did you mean {near[0]!r}?" if near else "."
        raise UnknownCropError(
            f"unknown crop {name!r}{hint} The catalogue has {', '.join(crop_names())} "
            "(neuralcrop info crops)")
    return _read(name)


@cache
def _read(name: str) -> dict[str, Any]:
    text = resources.files(__package__).joinpath(f"{name}.yaml").read_text(encoding="utf-8")
    record: dict[str, Any] = yaml.safe_load(text)
    blocks: dict[str, dict[str, Any]] = {block: {} for block in BLOCKS}
    for block, merged in blocks.items():
        for parent in record.get("inherits", []):
            merged.update(_read(parent)[block])
        merged.update(record.get(block, {}))
    return {**record, **blocks}


def load_catalogue(
    names: tuple[str, ...] | None = None, blocks: tuple[str, ...] = BLOCKS[:1]
) -> dict[str, dict[str, ParameterValue]]:
    """Parameter values by crop.

    Parameters
    ----------
    names : tuple of str, optional
        Crops; all by default.
    blocks : tuple of str
        Of `BLOCKS`: ``parameters`` has those of the usual processes, ``lpjml`` those of the
        components after LPJmL, ``nutrients`` those of nitrogen and soil organic matter.
    """
    return {
        crop: {key: _value(crop, key, record)
               for block in blocks for key, record in load_crop(crop)[block].items()}
        for crop in names or crop_names()
    }


def _value(crop: str, key: str, record: dict[str, Any]) -> ParameterValue:
    absent = {"value", "units", "bounds", "source"} - record.keys()
    if absent:
        raise ParameterError(f"{crop}.yaml: {key} lacks {', '.join(sorted(absent))}")
    value = record["value"] if isinstance(record["value"], list) else [record["value"]]
    lower, upper = record["bounds"]
    return ParameterValue(
        tuple(float(v) for v in value), (float(lower),) * len(value), (float(upper),) * len(value),
        record["units"], record["source"])


def list_crops() -> pd.DataFrame:
    """One row per crop of either model set: names, pathway, thermal requirements, origin.

    Crops of WOFOST 7.2 are given by their default variety; they have no calendar of their own, and
    moisture of the product only where it is known. What both sets have is described as in `global`.
    """
    import pandas as pd

    from neuralcrop.crops import wofost72  # builds on this module

    rows = {name: _wofost_row(name) for name in wofost72.crop_names()}
    for name in crop_names():
        record = load_crop(name)
        p = record["parameters"]
        both = rows.get(name, {"varieties": (), "reference": None})
        rows[name] = {
            "crop": name, "long_name": record["long_name"],
            "scientific_name": record["scientific_name"],
            "pathway": "C4" if p["c4"]["value"] > 0.5 else "C3",
            "thermal_time_vegetative": p["thermal_time_vegetative"]["value"],
            "thermal_time_reproductive": p["thermal_time_reproductive"]["value"],
            "winter": record["calendar"]["winter"], "moisture": record["moisture"],
            "models": "global, wofost72" if name in rows else "global",
            "varieties": both["varieties"], "reference": both["reference"],
        }
    return pd.DataFrame([rows[name] for name in sorted(rows)]).set_index("crop")


def _wofost_row(name: str) -> dict[str, Any]:
    from neuralcrop.crops import wofost72

    record, p = wofost72.load_crop(name), wofost72.load_variety(name)
    return {
        "crop": name, "long_name": record["long_name"],
        "scientific_name": record["scientific_name"], "pathway": record["pathway"],
        "thermal_time_vegetative": p["TSUM1"].value[0],
        "thermal_time_reproductive": p["TSUM2"].value[0],
        "winter": None, "moisture": record.get("moisture"), "models": "wofost72",
        "varieties": wofost72.variety_names(name), "reference": record["reference"],
    }


def list_varieties(crop: str) -> pd.DataFrame:
    """One row per variety of a WOFOST 7.2 crop: thermal requirements, what differs, origin.

    Raises
    ------
    UnknownCropError
        If WOFOST 7.2 has no such crop.
    """
    import pandas as pd

    from neuralcrop.crops import wofost72

    record, rows = wofost72.load_crop(crop), []
    for name, variety in record["varieties"].items():
        p = wofost72.load_variety(f"{crop}:{name}")
        rows.append({
            "variety": f"{crop}:{name}", "default": name == record["default"],
            "TSUM1": p["TSUM1"].value[0], "TSUM2": p["TSUM2"].value[0],
            "differs_in": tuple(variety["parameters"]), "reference": variety["reference"],
        })
    return pd.DataFrame(rows).set_index("variety")
