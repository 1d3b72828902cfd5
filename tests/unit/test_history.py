"""The history against a list of all mornings, stacked and gathered: values and gradients."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable, Sequence

import pytest
import torch
from torch import Tensor

from neuralcrop.simulation.history import History
from neuralcrop.simulation.integrate import RunState

ROWS, CELLS, LOOKS = 3, 4, 5


class Naive:
    """All mornings since the first, as a list."""

    def __init__(self, mornings: Sequence[Tensor] = ()) -> None:
        self.mornings = list(mornings)

    def write(self, day: int, rows: Tensor) -> None:
        assert day == len(self.mornings)
        self.mornings.append(rows)

    def look(self, days: Tensor) -> Tensor:
        every = torch.stack(self.mornings)
        return every.gather(0, days.unsqueeze(1).expand(len(days), ROWS, days.shape[1]))

    def cells(self, index: slice | Tensor) -> Naive:
        return Naive([m[:, index] for m in self.mornings])

    def to(self, device: torch.device, dtype: torch.dtype) -> Naive:
        return Naive([m.to(device, dtype) for m in self.mornings])


class Ring(History):
    """The history, asked by day of the run."""

    def look(self, days: Tensor) -> Tensor:
        return self.read(days % self.values.shape[0])


def ring(length: int, like: Tensor) -> Ring:
    return Ring.empty(length, ROWS, CELLS, like)


def days(
    former: Naive | History, x: Tensor, p: Tensor, start: int, stop: int, back: int = 10**6
) -> Tensor:
    """A made-up season that looks at mornings up to ``back`` days ago, this one included."""
    draw = torch.Generator().manual_seed(start)
    for day in range(start, stop):
        former.write(day, x)
        ages = torch.randint(min(back, day + 1), (LOOKS, CELLS), generator=draw)
        wanted = (day - ages)[:, : x.shape[1]]
        seen = (former.look(wanted) if hasattr(former, "look")
                else former.read(wanted % former.values.shape[0]))
        x = torch.sin(x + p) + 0.3 * p * (seen[0] - 2.0 * seen[1:] ** 2).sum(0) / LOOKS
    return x


def parameters() -> Tensor:
    values = torch.rand(ROWS, CELLS, generator=torch.Generator().manual_seed(1),
                        dtype=torch.float64)
    return values.requires_grad_()


Program = Callable[[Naive | History, Tensor], Tensor]


def compare(program: Program, length: int, rounding: float = 1e-14) -> None:
    """Value and gradient of a program, with either history."""
    found = []
    for make in (lambda p: Naive(), lambda p: ring(length, p)):
        p = parameters()
        value = program(make(p), p)
        value.sum().backward()
        assert p.grad is not None
        found.append((value.detach(), p.grad))
    for mine, plain in zip(found[1], found[0], strict=True):
        assert torch.allclose(mine, plain, rtol=rounding, atol=rounding)
    assert bool((found[0][1] != 0.0).all())


@pytest.mark.parametrize("length", [10, 11, 100])
def test_values_and_gradients_are_those_of_a_list(length: int) -> None:
    # a ring of 10 or 11 days is written over again and again in 35
    compare(lambda h, p: days(h, p * p, p, 0, 35, back=10), length)


def test_sums_over_the_days_have_their_gradients() -> None:
    def program(h: Naive | History, p: Tensor) -> Tensor:
        first = days(h, p * p, p, 0, 12, back=8)
        second = days(h, first, p, 12, 30, back=8)
        return first * second + second.detach()

    compare(program, 8)


def test_some_cells_go_on_with_their_former_days() -> None:
    index = torch.tensor([2, 0, 2])

    def program(h: Naive | History, p: Tensor) -> Tensor:
        x = days(h, p * p, p, 0, 12, back=9)
        other = h.cells(index)
        alone = days(other, x[:, index], p[:, index], 12, 25, back=9)
        all_ = days(h, x, p, 12, 25, back=9)  # and so do all
        few = days(h.cells(slice(1, 3)), all_[:, 1:3], p[:, 1:3], 25, 30, back=9)
        return alone.sum() + all_.sum() + few.sum()

    compare(program, 9)


def test_another_precision_goes_on_with_its_former_days() -> None:
    def program(h: Naive | History, p: Tensor) -> Tensor:
        x = days(h, p * p, p, 0, 8)
        device, narrow = torch.device("cpu"), torch.float32
        return days(h.to(device, narrow), x.to(narrow), p.to(narrow), 8, 16)

    compare(program, 20, rounding=1e-5)


def test_a_state_takes_its_history_along() -> None:
    p = parameters()
    h = History.empty(20, ROWS, CELLS, p)
    x = days(h, p * p, p, 0, 5)
    state = RunState(x, torch.zeros(2, CELLS), 5, h)
    for moved in (state.cells(torch.arange(CELLS)), state.to(torch.device("cpu"), x.dtype)):
        assert moved.history is not None
        assert torch.equal(moved.history.values, h.values)
        assert moved.history.values.data_ptr() != h.values.data_ptr()


def test_every_backward_pass_gives_the_same() -> None:
    p = parameters()
    x = days(ring(10, p), p * p, p, 0, 30, back=10)
    first, second = (torch.autograd.grad(x.sum(), p, retain_graph=True)[0] for _ in range(2))
    assert torch.equal(first, second)
    parts = [torch.autograd.grad(x[:, k].sum(), p, retain_graph=True)[0] for k in range(CELLS)]
    assert torch.allclose(sum(parts), first, rtol=1e-14, atol=1e-14)


def test_without_gradient_values_are_the_same() -> None:
    p = parameters()
    with_gradient = days(ring(10, p), p * p, p, 0, 30, back=10)
    with torch.no_grad():
        h = ring(10, p)
        assert torch.equal(days(h, p * p, p, 0, 30, back=10), with_gradient)
        assert h._token is None
        assert h._slopes is None


@pytest.mark.parametrize("no_grad", [True, False])
def test_a_cut_run_has_the_gradient_of_the_days_after_it(no_grad: bool) -> None:
    def cut(h: Naive | History, p: Tensor) -> Tensor:
        with torch.set_grad_enabled(not no_grad):
            x = days(h, p * p, p, 0, 12, back=10)
        if not no_grad:
            x.sum().backward()  # frees the graph; what follows must not need it
            p.grad = None
        if isinstance(h, Naive):
            h.mornings = [m.detach() for m in h.mornings]
        return days(h, x.detach(), p, 12, 30, back=10)

    compare(cut, 10)


def test_copies_go_on_from_the_same_day_by_themselves() -> None:
    p = parameters()
    h = ring(10, p)
    x = days(h, p * p, p, 0, 12, back=10)
    first, second = (
        torch.autograd.grad(days(h.copy(), x, p, 12, 20, back=10).sum(), p, retain_graph=True)[0]
        for _ in range(2))
    assert torch.equal(first, second)


def test_second_derivatives_are_refused() -> None:
    p = parameters()
    x = days(ring(10, p), p * p, p, 0, 5)
    (slope,) = torch.autograd.grad(x.sum(), p, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        slope.sum().backward()


def test_a_run_is_freed_when_nobody_holds_it() -> None:
    def season() -> list[weakref.ref]:
        p = parameters()
        h = ring(10, p)
        days(h, p * p, p, 0, 12, back=10).sum().backward()
        assert h._slopes is not None
        return [weakref.ref(h), weakref.ref(h._slopes)]

    left = season()
    gc.collect()
    assert [r() for r in left] == [None, None]
