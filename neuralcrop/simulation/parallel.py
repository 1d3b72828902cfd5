"""Blocks of cells side by side: one thread each, with one kernel thread inside.

Every block then stays in the cache of its core; threads that share the rows of one block pass
them back and forth after every operation. Compiled days release the interpreter lock on a CPU.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import torch
from torch import Tensor

Item = TypeVar("Item")
Result = TypeVar("Result")


def each(work: Callable[[Item], Result], items: Iterable[Item], threads: int) -> list[Result]:
    """Results of ``work`` for all items, in order; at most ``threads`` run at a time.

    The first error of an item is raised once the items under way have ended; no other starts.
    """
    items = list(items)
    threads = min(threads, len(items))
    if threads <= 1:
        return [work(item) for item in items]
    outside = torch.get_num_threads()
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        return list(pool.map(work, items))
    finally:
        pool.shutdown(cancel_futures=True)
        torch.set_num_threads(outside)  # the setting of new threads is one for all


class _Columns(torch.autograd.Function):
    """Columns of a tensor through ``work`` in parts; see `columns`."""

    @staticmethod
    def forward(
        ctx: Any, work: Callable[[int, Tensor], Tensor], sizes: tuple[int, ...], threads: int,
        p: Tensor, *shared: Tensor,
    ) -> Tensor:
        def part(item: tuple[int, Tensor]) -> Tensor:
            with torch.enable_grad():
                return work(*item)

        leaves = [q.detach().contiguous().requires_grad_() for q in p.split(sizes, dim=1)]
        ends = each(part, list(enumerate(leaves)), threads)
        ctx.parts, ctx.sizes, ctx.threads, ctx.shared = (
            list(zip(leaves, ends, strict=True)), sizes, threads, shared)
        return torch.cat([end.detach() for end in ends], dim=1)

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> Any:
        def part(item: tuple[tuple[Tensor, Tensor], Tensor]) -> tuple[Tensor | None, ...]:
            (leaf, end), slope = item
            return torch.autograd.grad(end, (leaf, *ctx.shared), slope, allow_unused=True)

        slopes = outer[0].split(ctx.sizes, dim=1)
        slots = each(part, list(zip(ctx.parts, slopes, strict=True)), ctx.threads)
        ctx.parts = None  # one backward pass; activations are freed as soon as they are used
        whole = torch.cat([
            torch.zeros_like(slopes[0][:1]) if s[0] is None else s[0] for s in slots], dim=1)
        shared = [_total([s[k] for s in slots]) for k in range(1, len(slots[0]))]
        return None, None, None, whole, *shared


def columns(
    work: Callable[[int, Tensor], Tensor], p: Tensor, sizes: tuple[int, ...],
    shared: tuple[Tensor, ...], threads: int,
) -> Tensor:
    """``work`` of the columns of ``p`` in parts, side by side forwards and backwards.

    Parameters
    ----------
    work : callable
        Takes the index of a part and its columns ``[row, k]``; returns ``[output, k]``.
    p : Tensor
        ``[row, cell]``; gets a gradient.
    sizes : tuple of int
        Cells of each part.
    shared : tuple of Tensor
        Other tensors that ``work`` reads and that get a gradient.
    threads : int
        Parts that run at a time.
    """
    result: Tensor = _Columns.apply(work, sizes, threads, p, *shared)
    return result


def _total(slopes: list[Tensor | None]) -> Tensor | None:
    known = [s for s in slopes if s is not None]
    return torch.stack(known).sum(dim=0) if known else None
