"""What all processes share: declared parameters and closure slots."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn

from neuralcrop.closures.base import Closure, EquationClosure, Features
from neuralcrop.core.parameters import ParameterSpec

Parameters = Mapping[str, Tensor]
"""Per-cell parameters by name, ``[cell]`` or ``[size, cell]``."""


def through(
    closure: Closure, shares: Sequence[Tensor], features: Features | None
) -> Sequence[Tensor]:
    """Shares, each ``[cell]``, through the closure of their slot."""
    if type(closure) is EquationClosure:
        return shares  # nothing to stack
    stacked: Tensor = closure(torch.stack(tuple(shares)), features)
    return stacked.unbind(0)


class Process(nn.Module):
    """A process of the day.

    Subclasses list the parameters they read in `specs` and their closure slots in `slots`; a slot
    is an attribute of that name, first occupied by the published equation. `share_slots` names
    the slots whose value is shares of a total, ``[share, cell]``, with their number, and `drivers`
    those whose value is proportional to a feature, or is a number from 0 to 1 (``"value"``).
    """

    specs: tuple[ParameterSpec, ...] = ()
    slots: tuple[str, ...] = ()
    share_slots: Mapping[str, int] = MappingProxyType({})
    drivers: Mapping[str, str] = MappingProxyType({})

    def __init__(self) -> None:
        super().__init__()
        for slot in self.slots:
            setattr(self, slot, EquationClosure())

    def closures(self) -> dict[str, Closure]:
        """Occupants of the slots by name."""
        return {slot: getattr(self, slot) for slot in self.slots}

    def form(self, slot: str) -> dict[str, Any]:
        """What `neuralcrop.closures.kinds.make_closure` wants to know of a slot."""
        return {"n_shares": self.share_slots.get(slot), "driver": self.drivers.get(slot)}
