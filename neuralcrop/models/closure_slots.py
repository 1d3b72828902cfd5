"""Closure slots of a model: what is in them, and the model without it."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any, Self

from torch import nn

from neuralcrop.closures.base import Closure, EquationClosure
from neuralcrop.closures.kinds import make_closure
from neuralcrop.closures.parameter_network import ParameterNetwork
from neuralcrop.processes.base import Process


class Processes(nn.Module):
    """Processes of a set with their closure slots, as attributes."""

    def processes(self) -> dict[str, Process]:
        """Processes by name."""
        return {n: m for n, m in self.named_children() if isinstance(m, Process)}


class ClosureSlots(nn.Module):
    """The neural parts of a model: closures in the slots of its processes, parameter network.

    Attributes
    ----------
    parts : Processes
        Processes with their slots.
    network : ParameterNetwork or None
        Gives parameter offsets from covariates of a place.
    spec : ModelSpec or None
        What the model was built from.
    """

    parts: Any
    network: ParameterNetwork | None
    spec: Any = None

    def closures(self) -> dict[str, Closure]:
        """Occupants of all slots, by ``process.slot``."""
        return {
            f"{name}.{slot}": occupant
            for name, part in self.parts.processes().items()
            for slot, occupant in part.closures().items()
        }

    def place_closure(self, slot: str, occupant: Closure) -> None:
        """Put ``occupant`` into the slot ``process.slot``.

        Raises
        ------
        ValueError
            If there is no such slot; lists the slots.
        """
        part, name = self._slot(slot)
        if name in part.share_slots and not occupant.keeps_sum:
            raise ValueError(
                f"{slot} holds shares and takes only closures that keep their sum "
                "(Closure.keeps_sum)")
        setattr(part, name, occupant)

    def add_closure(self, slot: str, **options: Any) -> Closure:
        """Put a neural closure into a slot and return it.

        Parameters
        ----------
        slot : str
            ``process.slot``.
        **options
            ``kind``, ``hidden``, ``bound``, ``features`` of `make_closure`.

        Raises
        ------
        ValueError
            If there is no such slot, or the kind does not fit it.
        """
        part, name = self._slot(slot)
        closure = make_closure(slot, **options, **part.form(name))
        self.place_closure(slot, closure)
        return closure

    def check_slot(self, slot: str) -> None:
        """Raise a ValueError that lists the slots if there is no such slot."""
        if slot not in self.closures():
            raise ValueError(
                f"no closure slot {slot!r}; slots: {', '.join(sorted(self.closures()))}")

    def _slot(self, slot: str) -> tuple[Process, str]:
        self.check_slot(slot)
        process, name = slot.split(".")
        return getattr(self.parts, process), name

    def neural_parts(self) -> tuple[str, ...]:
        """What `without` can take away: slots with neural closures, ``network``, ``encoder``."""
        network = () if self.network is None else (
            ("network",) if self.network.encoder is None else ("network", "encoder"))
        return (*(slot for slot, c in self.closures().items() if c.neural), *network)

    def without(
        self, closures: Sequence[str] = (), network: bool = False, encoder: bool = False
    ) -> Self:
        """A copy with parts replaced by the physics, to see what they do.

        Parameters
        ----------
        closures : sequence of str
            Slots (``process.slot``) that get the published equation.
        network : bool
            Parameters of the table, with its learned constants, in place of the network's.
        encoder : bool
            The network sees no series: that of a place without observations.

        Raises
        ------
        ValueError
            If the model has no such part.

        Notes
        -----
        The copy is for evaluation; it cannot be saved.
        """
        known = self.neural_parts()
        asked = (*closures, *(n for n, off in (("network", network), ("encoder", encoder)) if off))
        missing = [name for name in asked if name not in known]
        if missing:
            raise ValueError(f"the model has no neural {', '.join(missing)}; it has "
                             f"{', '.join(known) or 'none'}")
        out = copy.deepcopy(self)
        out.spec = None  # does not describe the copy
        for slot in closures:
            out.place_closure(slot, EquationClosure())
        if network:
            out.network = None
        elif encoder:
            assert out.network is not None
            out.network.blind = True
        return out

    @property
    def neural(self) -> bool:
        """Whether any closure looks at features."""
        return any(c.neural for c in self.closures().values())
