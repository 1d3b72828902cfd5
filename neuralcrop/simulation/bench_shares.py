"""Share of every process in the time of a day, uncompiled."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from torch import Tensor, nn

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.models.crop_model import CropModel
from neuralcrop.processes.base import Process
from neuralcrop.simulation.integrate import Stepper


def process_shares(
    model: CropModel, weather: DailyForcing, site: Site, management: Management, p: Tensor
) -> dict[str, float]:
    """Share of the processes in the time of the days, largest first.

    A compiled day is one loop over all processes, in which they cannot be told apart; the shares
    are those of the same operations one by one. ``rest`` is the order of the day itself, the
    stoichiometry, rounding, jumps and integration.

    Parameters
    ----------
    model : CropModel
        Whose processes.
    weather, site, management, p
        Days to run.
    """
    stepper = Stepper(model)
    state = stepper.start(weather, site, p)
    with _clocks(model) as spent:
        started = time.perf_counter()
        stepper.run(state, weather, site, management, p)
        total = time.perf_counter() - started
    shares = {name: seconds / total for name, seconds in spent.items()}
    shares["rest"] = 1.0 - sum(shares.values())
    ordered = sorted(shares.items(), key=lambda item: -item[1])
    return {name: round(share, 3) for name, share in ordered}


@contextmanager
def _clocks(model: CropModel) -> Iterator[dict[str, float]]:
    """Seconds spent in the processes, by name, while the context is open."""
    spent: dict[str, float] = {}
    timed: list[Process] = []
    running: list[str] = []

    def clocked(name: str, method: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if running:  # a process that calls itself, or a closure in it
                return method(*args, **kwargs)
            running.append(name)
            started = time.perf_counter()
            try:
                return method(*args, **kwargs)
            finally:
                spent[name] += time.perf_counter() - started
                running.pop()
        return call

    for name, part in model.parts.processes().items():
        spent[name] = 0.0
        timed.append(part)
        for method in _methods(part):
            # beside the class's own, so that taking it off again restores everything
            object.__setattr__(part, method, clocked(name, getattr(part, method)))
    try:
        yield spent
    finally:
        for part in timed:
            for method in _methods(part):
                object.__delattr__(part, method)


def _methods(part: Process) -> list[str]:
    """Public methods that a process has beyond those of any module."""
    common = set(dir(Process)) | set(dir(nn.Module))
    own = [name for name in dir(type(part)) if not name.startswith("_")
           and name not in common and callable(getattr(type(part), name))]
    return [*own, "forward"]
