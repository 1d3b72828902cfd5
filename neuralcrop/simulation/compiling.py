"""Compiling a day: once for every kind of input, callable from several threads."""

from __future__ import annotations

import threading
import types
from collections.abc import Callable
from typing import Any

import torch
import torch._functorch.config as functorch_config
from torch import Tensor

RECOMPUTE = {
    "aggressive_recomputation": True, "ban_recompute_used_far_apart": False,
    "ban_recompute_long_fusible_chains": False, "ban_recompute_materialized_backward": False,
}
"""The backward day calculates what it needs of the forward day again from its inputs: there is
less to store and to load."""


RACED = "found no compiled frames"
"""What torch says, too, when calls of two threads reset the one count of compiled frames."""

ATTEMPTS = 8
"""Calls before that is believed."""


def compile_function(
    function: Callable[..., Any], device: torch.device | None = None
) -> Callable[..., Any]:
    """Compile with fixed shapes, checking only tensors on each call.

    Everything else that the function closes over must stay as it is. The function gets a code
    object of its own because compiled code is found by code object: without it, two models would
    share one. On a CPU, calls release the interpreter lock, so that blocks run side by side; the
    first call of every kind waits for others, so that each is compiled once.
    """
    own = types.FunctionType(
        function.__code__.replace(), function.__globals__, function.__name__,
        function.__defaults__, function.__closure__)
    on_cpu = device is None or device.type == "cpu"
    run = torch.compile(own, fullgraph=True, dynamic=False, options={
        "guard_filter_fn": torch.compiler.keep_tensor_guards_unsafe,
        "assert_indirect_indexing": False,  # rows of former days are inside by construction
        "cpp_wrapper": on_cpu})
    known: set[tuple[Any, ...]] = set()
    lock = threading.Lock()

    def call(x: Tensor, *args: Any) -> Any:
        kind = (x.shape, x.dtype, torch.is_grad_enabled(), x.requires_grad, *(
            a.requires_grad for a in args if isinstance(a, Tensor)))
        if kind in known:
            return _unraced(run, x, *args)
        with lock, functorch_config.patch(RECOMPUTE):
            result = _unraced(run, x, *args)
            known.add(kind)
        return result

    return call


def _unraced(run: Callable[..., Any], *args: Any) -> Any:
    """Call what is known to be compiled; again where torch mistook a race for a graph break."""
    for _ in range(ATTEMPTS):
        try:
            return run(*args)
        except RuntimeError as error:
            if RACED not in str(error):
                raise
    return run(*args)
