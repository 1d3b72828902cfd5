"""What every table of kernels is checked for: gradients, edges, precision, one graph.

A case is a function and its arguments, tensors with a gradient among them, which may be nested in
tuples; an edge has a label before them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import ModuleType
from typing import Any

import torch
from torch import Tensor

Case = tuple[Any, ...]


def v(*values: float) -> Tensor:
    """A tensor whose gradient is checked."""
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def rows(*values: float) -> Tensor:
    """The same with a leading dimension."""
    return torch.tensor(values, dtype=torch.float64).unsqueeze(-1).requires_grad_()


def name(function: Callable[..., Any]) -> str:
    """Module and name of a function."""
    return f"{function.__module__.rsplit('.', 1)[-1]}.{function.__name__}"


def label(case: Case) -> str:
    """Name of a case, or of an edge with its label."""
    return f"{name(case[1])}: {case[0]}" if isinstance(case[0], str) else name(case[0])


def leaves(arguments: Iterable[Any]) -> Iterator[Tensor]:
    """All tensors with a gradient among nested arguments."""
    for argument in arguments:
        if isinstance(argument, Tensor):
            if argument.requires_grad:
                yield argument
        elif isinstance(argument, tuple):
            yield from leaves(argument)


def rebuild(arguments: Iterable[Any], tensors: Iterator[Tensor]) -> list[Any]:
    """The arguments with their leaves replaced, in order, by the given tensors."""
    built: list[Any] = []
    for argument in arguments:
        if isinstance(argument, Tensor):
            built.append(next(tensors) if argument.requires_grad else argument)
        elif isinstance(argument, tuple):
            inner = rebuild(argument, tensors)
            built.append(type(argument)(*inner) if hasattr(argument, "_fields") else tuple(inner))
        else:
            built.append(argument)
    return built


def fresh(arguments: Iterable[Any], dtype: torch.dtype = torch.float64) -> list[Tensor]:
    """Detached copies of the leaves: inputs of other cases' functions must not link the graphs."""
    return [t.detach().to(dtype, copy=True).requires_grad_() for t in leaves(arguments)]


def outputs(
    function: Callable[..., Any], arguments: Iterable[Any], tensors: Iterable[Tensor]
) -> tuple[Tensor, ...]:
    """Results of a function as a tuple."""
    result = function(*rebuild(arguments, iter(tensors)))
    return (result,) if isinstance(result, Tensor) else tuple(result)


def check_slopes(case: Case) -> None:
    """Derivatives are those of finite differences.

    Taken to factors on the inputs: a derivative to 2e7 J m-2 d-1 needs another step than one to a
    share. Inputs of zero are moved by themselves.
    """
    function, *arguments = case
    inputs = fresh(arguments)
    scales = [torch.where(x.detach() == 0.0, 1.0, x.detach()) for x in inputs]
    offsets = [x.detach() - scale for x, scale in zip(inputs, scales, strict=True)]

    def scaled(*factors: Tensor) -> list[Tensor]:
        moved = [offset + scale * factor for offset, scale, factor in zip(
            offsets, scales, factors, strict=True)]
        return [value for value in outputs(function, arguments, moved) if value.requires_grad]

    assert torch.autograd.gradcheck(
        scaled, [torch.ones_like(x).requires_grad_() for x in inputs], eps=1e-6, rtol=1e-4,
        atol=1e-6)


def check_edge(case: Case, dtype: torch.dtype) -> tuple[Tensor, ...]:
    """Values and slopes are finite; returns the values."""
    _, function, *arguments = case
    inputs = fresh(arguments, dtype)
    results = outputs(function, arguments, inputs)
    assert all(torch.isfinite(result).all() for result in results)
    total = torch.stack([r.sum() for r in results if r.requires_grad]).sum()
    for gradient in torch.autograd.grad(total, inputs, allow_unused=True):
        assert gradient is None or torch.isfinite(gradient).all()
    return results


def check_single(case: Case) -> None:
    """Single precision stays single and agrees with double."""
    function, *arguments = case
    expected = outputs(function, arguments, fresh(arguments))
    for actual, wanted in zip(
            outputs(function, arguments, fresh(arguments, torch.float32)), expected, strict=True):
        torch.testing.assert_close(actual.double(), wanted.double(), rtol=5e-5, atol=5e-6)


def public_functions(modules: Iterable[ModuleType]) -> set[str]:
    """Names of the public functions that the modules define."""
    return {
        name(function)
        for module in modules
        for own, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and not own.startswith("_")
    }


def check_one_graph(kernels: Sequence[Case]) -> None:
    """All kernels trace into one torch.compile(fullgraph=True) graph, as the day does."""
    inputs = [t.detach() for case in kernels for t in leaves(case[1:])]

    def everything(*tensors: Tensor) -> Tensor:
        supply = iter(tensors)
        results: list[Tensor] = []
        for function, *arguments in kernels:
            result = function(*rebuild(arguments, supply))
            results += [result] if isinstance(result, Tensor) else [*result]
        return torch.stack([result.sum() for result in results])

    torch._dynamo.reset()
    compiled = torch.compile(everything, fullgraph=True, dynamic=False, backend="eager")
    torch.testing.assert_close(compiled(*inputs), everything(*inputs), rtol=1e-12, atol=1e-12)
