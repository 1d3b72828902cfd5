"""Crops of WOFOST 7.2: one YAML file a crop with its varieties, under WOFOST's own names.

A crop or variety is called ``"wheat"`` (its default variety) or ``"wheat:Winter_wheat_103"``.
Tables are two parameters, ``AMAXTB_x`` (nodes, fixed) and ``AMAXTB`` (values with bounds).
"""

from neuralcrop.crops.wofost72.catalogue import (
    crop_names,
    definitions,
    full_names,
    load_catalogue,
    load_crop,
    load_variety,
    padded,
    specs,
    split_name,
    table_widths,
    variety_names,
)
from neuralcrop.crops.wofost72.given import GivenSet, from_parameters

__all__ = [
    "GivenSet", "crop_names", "definitions", "from_parameters", "full_names", "load_catalogue",
    "load_crop", "load_variety", "padded", "specs", "split_name", "table_widths", "variety_names",
]
