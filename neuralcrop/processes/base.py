"""What all processes share: declared parameters and closure slots."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

from neuralcrop.closures.base import Closure, EquationClosure
from neuralcrop.core.parameters import ParameterSpec

Parameters = Mapping[str, Tensor]
"""Per-cell parameters by name, ``[cell]`` or ``[size, cell]``."""


class Process(nn.Module):
    """A process of the day.

    Subclasses list the parameters they read in `specs` and their closure slots in `slots`; a slot
    is an attribute of that name, first occupied by the published equation.
    """

    specs: tuple[ParameterSpec, ...] = ()
    slots: tuple[str, ...] = ()

    def __init__(self) -> None:
        super().__init__()
        for slot in self.slots:
            setattr(self, slot, EquationClosure())

    def closures(self) -> dict[str, Closure]:
        """Occupants of the slots by name."""
        return {slot: getattr(self, slot) for slot in self.slots}
