"""From a series of what a satellite sees of a place to a few numbers that say how it is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class SeriesVariable(NamedTuple):
    """A variable of series.

    Attributes
    ----------
    centre, width : float
        Scale it to order one.
    lower, upper : float
        Values beyond are refused.
    units, long_name : str
        For files.
    """

    centre: float
    width: float
    lower: float
    upper: float
    units: str
    long_name: str


SERIES_VARIABLES: dict[str, SeriesVariable] = {
    "lai": SeriesVariable(2.0, 2.0, 0.0, 15.0, "1", "leaf area index"),
    "ndvi": SeriesVariable(0.5, 0.3, -0.3, 1.0, "1", "normalised difference vegetation index"),
    "sif": SeriesVariable(
        0.5, 0.5, -3.0, 10.0, "mW m-2 nm-1 sr-1", "sun-induced chlorophyll fluorescence"),
}
"""What series can be of."""

KERNEL = 5
"""Steps that a convolution sees; the second one sees every other step."""


def series_names(variables: Sequence[str], steps: int) -> tuple[str, ...]:
    """Names of the rows of series: all variables of the first step, of the second, ..."""
    return tuple(f"{name}_{k:02d}" for k in range(steps) for name in variables)


class SeriesEncoder(nn.Module):
    r"""Series of observations of a place, with gaps -> embedding.

    Each step gives the scaled values (0 where not observed), whether they were observed, and the
    time of the year or season as sine and cosine. Two convolutions over time, the mean over all
    steps (steps without an observation know those around them), and a layer with tanh follow. A
    place without any observation has the embedding zero.

    Parameters
    ----------
    variables : sequence of str
        Names in `SERIES_VARIABLES`.
    steps : int
        Number of steps.
    size : int
        Numbers of the embedding.
    hidden : int
        Channels of the convolutions.
    """

    centre: Tensor
    width: Tensor
    clock: Tensor

    def __init__(
        self, variables: Sequence[str], steps: int, size: int = 8, hidden: int = 16
    ) -> None:
        super().__init__()
        unknown = [name for name in variables if name not in SERIES_VARIABLES]
        if unknown or not variables:
            raise ValueError(f"no series of {', '.join(unknown) or 'nothing'}, expected some of "
                             f"{', '.join(SERIES_VARIABLES)}")
        self.variables, self.steps, self.size = tuple(variables), steps, size
        self.names = series_names(self.variables, steps)
        known = [SERIES_VARIABLES[name] for name in self.variables]
        angle = 2.0 * math.pi * (torch.arange(steps) + 0.5) / steps
        for name, values in (
            ("centre", torch.tensor([v.centre for v in known]).unsqueeze(-1)),
            ("width", torch.tensor([v.width for v in known]).unsqueeze(-1)),
            ("clock", torch.stack((torch.sin(angle), torch.cos(angle)), dim=1).unsqueeze(-1)),
        ):
            self.register_buffer(name, values, persistent=False)
        self.near = nn.Conv1d(2 * len(known) + 2, hidden, KERNEL, padding=KERNEL // 2)
        self.far = nn.Conv1d(hidden, hidden, KERNEL, padding=2 * (KERNEL // 2), dilation=2)
        self.last = nn.Linear(hidden, size)

    def shaped(self, rows: Tensor) -> Tensor:
        """``[step, variable, cell]`` of rows ``[name, cell]`` in the order of `names`."""
        return rows.reshape(self.steps, len(self.variables), -1)

    def forward(self, series: Tensor) -> Tensor:
        """Embedding ``[size, cell]`` of series ``[step, variable, cell]``, NaN where unobserved."""
        seen = torch.isfinite(series)
        values = (torch.where(seen, series, self.centre) - self.centre) / self.width
        observed = seen.to(values.dtype)
        time = self.clock.expand(-1, -1, series.shape[2])
        x = torch.cat((values.clamp(-4.0, 4.0), observed, time), dim=1).permute(2, 1, 0)
        x = torch.tanh(self.far(torch.tanh(self.near(x))))
        known = observed.amax(dim=(0, 1)).unsqueeze(-1)
        return (torch.tanh(self.last(x.mean(dim=2))) * known).T
