"""What management asks of a field, ready for the jump of a day."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor


class Irrigation(NamedTuple):
    """Water that is asked for, ``[cell]``.

    Threshold and target are relative root-zone water (a threshold of 0 asks for nothing), the
    amount is dated irrigation in mm. ``system`` is None or ``[row, cell]`` with the rows of
    `neuralcrop.core.forcing.IRRIGATION_ROWS`.
    """

    threshold: Tensor
    target: Tensor
    amount: Tensor
    system: Tensor | None = None


class Residues(NamedTuple):
    """Shares of the grain that is harvested, and of the residues taken off and burnt, ``[cell]``.

    None is the default of a harvest: all grain leaves, all residues stay.
    """

    grain: Tensor | None = None
    removed: Tensor | None = None
    burnt: Tensor | None = None
