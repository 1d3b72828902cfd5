"""Calls of the processes of one day, with what went in and came out."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.utils._pytree import tree_flatten, tree_map

from neuralcrop.models.crop_model import CropModel
from neuralcrop.processes.base import Process


def finite(values: Tensor | None) -> bool:
    """Whether all numbers are; None counts as such."""
    return values is None or bool(torch.isfinite(values).all())


@dataclass
class Call:
    """One call of a method of a process.

    Attributes
    ----------
    process, method : str
        Which.
    inputs, outputs : list of Tensor
        Floating-point tensors that went in and came out.
    """

    process: str
    method: str
    inputs: list[Tensor] = field(default_factory=list)
    outputs: list[Tensor] = field(default_factory=list)

    @property
    def where(self) -> str:
        """In words."""
        return self.process if self.method == "forward" else f"{self.process} ({self.method})"


@contextmanager
def watched(model: CropModel, gradients: bool = False) -> Iterator[list[Call]]:
    """Record all calls of the processes of a model, in order.

    Parameters
    ----------
    model : CropModel
        Put back as it was at the end.
    gradients : bool
        Keep the gradients of inputs and outputs.
    """
    calls: list[Call] = []
    replaced: list[tuple[Process, str]] = []
    try:
        for name, part in model.parts.processes().items():
            for method in _methods(part):
                original = getattr(part, method)
                # in the instance, where it comes before the class
                part.__dict__[method] = _recording(original, name, method, calls, gradients)
                replaced.append((part, method))
        yield calls
    finally:
        for part, method in replaced:
            del part.__dict__[method]


def first_bad(calls: list[Call]) -> Call | None:
    """First call that made something not finite of what was, or else first with such a result."""
    made = [c for c in calls if not _all_finite(c.outputs)]
    return next((c for c in made if _all_finite(c.inputs)), made[0] if made else None)


def first_bad_backwards(calls: list[Call]) -> Call | None:
    """The same of gradients, which go from outputs to inputs, last call first."""
    made = [c for c in reversed(calls) if not _all_finite([t.grad for t in c.inputs])]
    return next((c for c in made if _all_finite([t.grad for t in c.outputs])),
                made[0] if made else None)


def _all_finite(values: list[Tensor] | list[Tensor | None]) -> bool:
    return all(finite(v) for v in values)


def _methods(part: Process) -> list[str]:
    """Public methods of a process of its own, not those of every module."""
    own = [c for c in type(part).__mro__ if issubclass(c, Process) and c is not Process]
    return list(dict.fromkeys(
        name for c in own for name, member in vars(c).items()
        if inspect.isfunction(member) and not name.startswith("_")))


def _recording(
    original: Callable[..., Any], process: str, method: str, calls: list[Call], gradients: bool
) -> Callable[..., Any]:
    def own(value: Any) -> Any:
        """A view, so that the gradient is that of this call alone."""
        if not (gradients and isinstance(value, Tensor) and value.requires_grad):
            return value
        view = value.view_as(value)
        view.retain_grad()
        return view

    def call(*args: Any, **kwargs: Any) -> Any:
        args, kwargs = tree_map(own, (args, kwargs))
        out = original(*args, **kwargs)
        record = Call(process, method, _tensors((args, kwargs)), _tensors(out))
        if gradients:
            for tensor in record.outputs:
                if tensor.requires_grad and not tensor.is_leaf:
                    tensor.retain_grad()
        calls.append(record)
        return out

    return call


def _tensors(tree: Any) -> list[Tensor]:
    return [v for v in tree_flatten(tree)[0]
            if isinstance(v, Tensor) and v.is_floating_point()]
