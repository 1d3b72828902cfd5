"""Former states of cells: a ring of mornings, read with gradients without keeping copies.

Leaves die at an age, so the rate of a day depends on the state of the day they grew. A dense
gradient of such a look back would be as large as the whole history every day; here it is the few
values that were read.

Writes and reads are chained by a token, so that the backward pass meets them in reverse. A read
leaves its slopes in the ring, and the write of that row, which comes later, takes them.
"""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable


class History:
    """Some rows of the state of former mornings, and a column for the set's own sums.

    Parameters
    ----------
    values : Tensor
        ``[day, column, cell]``; day k of the run is row ``k % days``.
    """

    def __init__(self, values: Tensor) -> None:
        self.values = values
        self._slopes: Tensor | None = None
        self._token: Tensor | None = None

    @classmethod
    def empty(cls, n_days: int, n_rows: int, n_cells: int, like: Tensor) -> Self:
        """Nothing yet, for ``n_rows`` rows of the state."""
        return cls(torch.zeros(
            n_days, n_rows + 1, n_cells, dtype=like.dtype, device=like.device))

    def write(self, day: int, rows: Tensor) -> None:
        """Keep ``rows``, ``[row, cell]``, of the morning of a day.

        Rows without a gradient, as under ``no_grad`` or of a detached state, cut the days before
        them off from the gradients of later ones.
        """
        row = day % self.values.shape[0]
        self.values[row, :-1] = rows.detach()
        self.values[row, -1] = 0.0
        if not (torch.is_grad_enabled() and rows.requires_grad):
            self._token = None
            return
        token, slopes, begins = self.chain()
        self._token = _Write.apply(rows, token, slopes, row, begins)

    def chain(self) -> tuple[Tensor, Tensor, bool]:
        """Token that orders the days in the backward pass, slopes of the rows, and if it begins."""
        begins = self._token is None
        if self._token is None or self._slopes is None:
            self._token = self.values.new_zeros(())
            self._slopes = torch.zeros_like(self.values[:, :-1])
        return self._token, self._slopes, begins

    def follow(self, token: Tensor) -> None:
        """Go on behind days that were written and read elsewhere."""
        self._token = token

    def read(self, days: Tensor) -> Tensor:
        """Values of the rows ``[k, cell]``, as ``[k, row, cell]``."""
        if torch.is_grad_enabled() and self._token is not None:
            found, self._token = _Read.apply(self.values, days, self._token, self._slopes)
            return found
        return look_up(self.values, days)

    def copy(self) -> History:
        """History that goes on by itself, with the gradients of this one's days."""
        return self.cells(slice(None))

    def cells(self, index: slice | Tensor) -> History:
        """History of some cells."""
        chosen = torch.arange(self.values.shape[2], device=self.values.device)[index]
        return self._branch(self.values[:, :, index].clone(), chosen)

    def to(self, device: torch.device, dtype: torch.dtype) -> History:
        """History on another device or in another precision."""
        every = torch.arange(self.values.shape[2], device=self.values.device)
        return self._branch(self.values.to(device, dtype, copy=True), every)

    def _branch(self, values: Tensor, cells: Tensor) -> History:
        """History that goes on by itself; gradients of its former days go to this one."""
        other = History(values)
        if torch.is_grad_enabled() and self._token is not None and self._slopes is not None:
            other._slopes = torch.zeros_like(values[:, :-1])
            self._token, other._token = _Branch.apply(
                self._token, self._slopes, other._slopes, cells)
        return other


def look_up(values: Tensor, days: Tensor) -> Tensor:
    """Rows of the state at the rows ``[k, cell]`` of a history, ``[k, row, cell]``."""
    k, n = days.shape
    rows = values.shape[1] - 1
    return values[:, :-1].gather(0, days.unsqueeze(1).expand(k, rows, n))


# Contexts hold tensors alone: a context that held the history, which holds the token, would be a
# circle through the graph, which is never freed.


class _Write(torch.autograd.Function):
    """Takes the slopes that all later looks at a row have left."""

    @staticmethod
    def forward(
        ctx: Any, rows: Tensor, token: Tensor, slopes: Tensor, row: int, begins: bool
    ) -> Tensor:
        ctx.slopes, ctx.row, ctx.begins = slopes, row, begins
        return token.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> Any:
        found = ctx.slopes[ctx.row].clone()
        # what is left after the first day belongs to days before it, which have no gradient
        (ctx.slopes if ctx.begins else ctx.slopes[ctx.row]).zero_()
        return found, outer[0], None, None, None


class _Read(torch.autograd.Function):
    """Looks rows up; their slopes wait for the rows' own backward pass."""

    @staticmethod
    def forward(ctx: Any, values: Tensor, days: Tensor, token: Tensor, slopes: Tensor) -> Any:
        ctx.slopes = slopes
        ctx.save_for_backward(days)
        return look_up(values, days), token.clone()

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> Any:
        (days,) = ctx.saved_tensors
        k, n = days.shape
        ctx.slopes.scatter_add_(0, days.unsqueeze(1).expand(k, ctx.slopes.shape[1], n), outer[0])
        return None, None, outer[1], None


class _Branch(torch.autograd.Function):
    """Hands slopes of days before a copy on to the history that it was made of."""

    @staticmethod
    def forward(ctx: Any, token: Tensor, slopes: Tensor, others: Tensor, cells: Tensor) -> Any:
        ctx.slopes, ctx.others, ctx.cells = slopes, others, cells
        return token.clone(), token.to(others.device, others.dtype, copy=True)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *outer: Tensor) -> Any:
        ctx.slopes.index_add_(2, ctx.cells, ctx.others.to(ctx.slopes))
        ctx.others.zero_()
        return outer[0], None, None, None
