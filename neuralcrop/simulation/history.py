"""Former states of cells: a ring of mornings, read with gradients without keeping copies.

Leaves die at an age, so the rate of a day depends on the state of the day they grew. A dense
gradient of such a look back would be as large as the whole history every day; here it is the few
values that were read.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor


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
    def empty(cls, n_days: int, n_rows: int, n_cells: int, like: Tensor) -> History:
        """Nothing yet, for ``n_rows`` rows of the state."""
        return cls(torch.zeros(
            n_days, n_rows + 1, n_cells, dtype=like.dtype, device=like.device))

    def write(self, day: int, rows: Tensor) -> None:
        """Keep ``rows``, ``[row, cell]``, of the morning of a day."""
        row = day % self.values.shape[0]
        if torch.is_grad_enabled() and rows.requires_grad:
            self._token = _Write.apply(self, row, rows, self._link(rows))
            return
        self.values[row, :-1] = rows.detach()
        self.values[row, -1] = 0.0

    def read(self, days: Tensor) -> Tensor:
        """Values of the rows ``[k, cell]``, as ``[k, row, cell]``."""
        if torch.is_grad_enabled() and self._token is not None:
            values, self._token = _Read.apply(self, days, self._token)
            return values
        return look_up(self.values, days)

    def cells(self, index: slice | Tensor) -> History:
        """History of some cells."""
        return History(self.values[:, :, index].clone())

    def to(self, device: torch.device, dtype: torch.dtype) -> History:
        """History on another device or in another precision."""
        return History(self.values.to(device, dtype))

    def _link(self, like: Tensor) -> Tensor:
        if self._token is None:
            self._token = torch.zeros((), dtype=like.dtype, device=like.device)
            self._slopes = torch.zeros_like(self.values[:, :-1])
        return self._token


def look_up(values: Tensor, days: Tensor) -> Tensor:
    """Rows of the state at the rows ``[k, cell]`` of a history, ``[k, row, cell]``."""
    k, n = days.shape
    rows = values.shape[1] - 1
    return values[:, :-1].gather(0, days.unsqueeze(1).expand(k, rows, n))


class _Write(torch.autograd.Function):
    """Stores a row; the token makes every later look back come before it in the backward pass."""

    @staticmethod
    def forward(ctx: Any, history: History, row: int, rows: Tensor, token: Tensor) -> Tensor:
        history.values[row, :-1] = rows
        history.values[row, -1] = 0.0
        ctx.history, ctx.row = history, row
        return token.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        slopes = ctx.history._slopes[ctx.row]
        found = slopes.clone()
        slopes.zero_()
        return None, None, found, outer[0]


class _Read(torch.autograd.Function):
    """Looks rows up; their slopes wait in the history for the rows' own backward pass."""

    @staticmethod
    def forward(ctx: Any, history: History, days: Tensor, token: Tensor) -> Any:
        ctx.history = history
        ctx.save_for_backward(days)
        return look_up(history.values, days), token.clone()

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        (days,) = ctx.saved_tensors
        k, n = days.shape
        slopes = ctx.history._slopes
        slopes.scatter_add_(0, days.unsqueeze(1).expand(k, slopes.shape[1], n), outer[0])
        return None, None, outer[1]
