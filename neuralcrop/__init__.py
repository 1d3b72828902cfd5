"""neuralcrop: a differentiable, gridded crop model of process equations and neural networks."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

__version__ = "0.1.0"

if TYPE_CHECKING:
    from neuralcrop.crops import list_crops
    from neuralcrop.data.forcing import open_forcing
    from neuralcrop.models.crop_model import CropModel
    from neuralcrop.models.registry import load_model
    from neuralcrop.simulation.simulate import simulate

__all__ = ["CropModel", "__version__", "list_crops", "load_model", "open_forcing", "simulate"]

_HOME = {
    "CropModel": "neuralcrop.models.crop_model",
    "list_crops": "neuralcrop.crops",
    "load_model": "neuralcrop.models.registry",
    "open_forcing": "neuralcrop.data.forcing",
    "simulate": "neuralcrop.simulation.simulate",
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that importing neuralcrop is quick."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    """Public names."""
    return sorted(__all__)
