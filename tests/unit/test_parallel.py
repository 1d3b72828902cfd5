"""Parts side by side give what one after the other gives."""

from __future__ import annotations

import threading
import time

import pytest
import torch

from neuralcrop.simulation import compiling
from neuralcrop.simulation.parallel import columns, each


@pytest.fixture
def two_threads():
    outside = torch.get_num_threads()
    torch.set_num_threads(2)
    yield
    torch.set_num_threads(outside)


def test_results_keep_their_order(two_threads: None) -> None:
    def slow_first(k: int) -> int:
        time.sleep(0.05 if k == 0 else 0.0)
        return k

    assert each(slow_first, range(6), 2) == list(range(6))


def test_every_thread_has_one_kernel_thread_and_the_outside_keeps_its_own(
    two_threads: None,
) -> None:
    inside = each(lambda _: torch.get_num_threads(), range(4), 2)
    assert inside == [1] * 4
    assert torch.get_num_threads() == 2
    assert each(lambda _: torch.get_num_threads(), [0], 2) == [2], "alone: no thread is made"


def test_an_error_stops_what_has_not_begun(two_threads: None) -> None:
    begun = []

    def work(k: int) -> None:
        begun.append(k)
        if k == 0:
            raise ValueError("cell 7")
        time.sleep(0.02)

    with pytest.raises(ValueError, match="cell 7"):
        each(work, range(50), 2)
    assert len(begun) < 50
    assert torch.get_num_threads() == 2


@pytest.mark.parametrize("threads", [1, 3])
def test_columns_have_the_gradients_of_the_whole(threads: int) -> None:
    generator = torch.Generator().manual_seed(1)
    p = torch.rand(4, 9, dtype=torch.float64, generator=generator)
    weight = torch.rand(4, dtype=torch.float64, generator=generator).requires_grad_()
    unread = torch.ones(2, dtype=torch.float64, requires_grad=True)
    used: set[int] = set()

    def work(k: int, q: torch.Tensor) -> torch.Tensor:
        used.add(threading.get_ident())
        return torch.stack((torch.tanh(weight @ q), (q * q).sum(dim=0)))

    def slopes(result: torch.Tensor, leaf: torch.Tensor) -> tuple[torch.Tensor, ...]:
        outer = torch.linspace(-1.0, 2.0, result.numel(), dtype=p.dtype).reshape(result.shape)
        return torch.autograd.grad(result, (leaf, weight), outer)

    one, parts = p.clone().requires_grad_(), p.clone().requires_grad_()
    expected = work(0, one)
    got = columns(work, parts, (3, 3, 3), (weight, unread), threads)
    torch.testing.assert_close(got, expected, rtol=0.0, atol=1e-15)
    here = threading.get_ident()
    assert (used - {here} == set()) == (threads == 1), "whether other threads did the work"
    for a, b in zip(slopes(got, parts), slopes(expected, one), strict=True):
        torch.testing.assert_close(a, b, rtol=1e-14, atol=1e-15)


def test_a_race_of_torch_is_called_again_and_other_errors_are_not(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # the race itself comes once in many thousand days: no test could wait for it
    calls = []

    def raced(x: torch.Tensor) -> torch.Tensor:
        calls.append(1)
        if len(calls) < 4:
            raise RuntimeError("torch.compile with fullgraph=True found no compiled frames.")
        return x + 1.0

    def wrong(x: torch.Tensor) -> torch.Tensor:
        raise RuntimeError("shape mismatch")

    monkeypatch.setattr(torch, "compile", lambda function, **_: function)
    monkeypatch.setattr(compiling.types, "FunctionType", lambda *_: raced)
    assert float(compiling.compile_function(raced)(torch.zeros(()))) == 1.0
    assert len(calls) == 4
    monkeypatch.setattr(compiling.types, "FunctionType", lambda *_: wrong)
    with pytest.raises(RuntimeError, match="shape mismatch"):
        compiling.compile_function(wrong)(torch.zeros(()))
