"""Conservation of water, carbon and nitrogen: sums over stocks and boundary reservoirs."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralcrop.core.state import Layout
from neuralcrop.core.variables import REGISTRY


class Ledger:
    """Sums of the rows of each element of a state layout.

    Boundary reservoirs are part of the state, negative where matter came in, so the total of an
    element never changes and any change of it is the residual.
    """

    def __init__(self, layout: Layout) -> None:
        self.rows: dict[str, list[int]] = {}
        for name, size in layout.sizes.items():
            element = REGISTRY[name].element
            if element is not None:
                start = layout.start[name]
                self.rows.setdefault(element, []).extend(range(start, start + size))

    @property
    def elements(self) -> tuple[str, ...]:
        """Elements that the layout holds."""
        return tuple(self.rows)

    def total(self, x: Tensor, element: str) -> Tensor:
        """Sum of stocks and reservoirs of one element, ``[cell]``."""
        return _sum([x[row] for row in self.rows[element]])

    def turnover(self, x: Tensor, element: str) -> Tensor:
        """Sum of the absolute stocks and reservoirs: the scale of a relative residual."""
        return _sum([x[row].abs() for row in self.rows[element]])

    def residual(self, x: Tensor, x_start: Tensor, element: str) -> Tensor:
        """Change of the total over all that took part since ``x_start``, dimensionless.

        The scale is the stocks at the start plus everything that moved through a reservoir.
        """
        rows = self.rows[element]
        moved = _sum([torch.maximum(x_start[r].abs(), (x[r] - x_start[r]).abs()) for r in rows])
        change = self.total(x, element) - self.total(x_start, element)
        return change / moved.clamp_min(1e-12)


def _sum(rows: list[Tensor]) -> Tensor:
    total = rows[0]
    for row in rows[1:]:
        total = total + row
    return total
