"""Many cells over many years: blocks of cells, chunks of days, records of seasons.

Memory holds one chunk of weather, the state of all cells and what was asked for; it does not grow
with the number of years. Blocks have a fixed size, so one compiled day serves any grid.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Protocol

import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.core.variables import REGISTRY
from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.events import SEASON, SHORTEST_SEASON
from neuralcrop.simulation.integrate import RunState, Stepper, joined
from neuralcrop.simulation.parallel import each
from neuralcrop.simulation.schedule import Ground, Observer

SEGMENT_DAYS = int(SHORTEST_SEASON)
"""Records are collected this often; no cell has two harvests in as many days."""

SMALLEST_BLOCK = 16
"""Fewer cells are padded to this when compiled."""

DIAGNOSTICS = ("lai", "root_zone_wetness")
"""Daily variables that are neither state nor flux."""


class SeasonTable:
    """Records of harvests in the order they happen."""

    def __init__(self, n_cells: int, names: tuple[str, ...]) -> None:
        self.n_cells, self.names = n_cells, names
        self._records: list[tuple[Tensor, Tensor]] = []

    def add(self, cells: Tensor, values: Tensor) -> None:
        """Add ``[record, k]`` values of ``[k]`` cells."""
        self._records.append((cells.cpu(), values.detach().cpu().double()))

    def arrays(self) -> dict[str, Tensor]:
        """``[season, cell]`` by record name; NaN where a cell has fewer seasons."""
        if not self._records:
            return {name: torch.empty(0, self.n_cells, dtype=torch.float64)
                    for name in self.names}
        cells = torch.cat([c for c, _ in self._records])
        values = torch.cat([v for _, v in self._records], dim=1)
        order = torch.argsort(cells, stable=True)
        cells, values = cells[order], values[:, order]
        counts = torch.bincount(cells, minlength=self.n_cells)
        first = torch.cumsum(counts, 0) - counts
        season = torch.arange(len(cells)) - first[cells]
        out = torch.full((len(self.names), int(counts.max()), self.n_cells), float("nan"),
                         dtype=torch.float64)
        out[:, season, cells] = values
        return dict(zip(self.names, out.unbind(0), strict=True))


class Sink(Protocol):
    """Receives days of blocks, a chunk after the other.

    Attributes
    ----------
    names : tuple of str
        Variables it asks for; diagnostics are calculated only where they are among them.
    """

    names: tuple[str, ...]

    def open(self, n_days: int, n_cells: int, dtype: torch.dtype) -> None:
        """A chunk begins."""

    def put(
        self, k: int, cells: slice, morning: Tensor, x: Tensor, fluxes: Tensor,
        diagnostics: Mapping[str, Tensor],
    ) -> None:
        """Day ``k`` of the chunk, of some cells."""

    def close(self, first_day: int) -> None:
        """The chunk ends."""


@dataclass
class DailySink:
    """Collects daily variables of a chunk and hands them on.

    Attributes
    ----------
    model : CropModel
        Whose state and fluxes they are.
    names : tuple of str
        State variables, fluxes or diagnostics.
    write : callable
        Called after each chunk with the index of its first day and the values,
        ``[day, cell]`` or ``[day, size, cell]`` by name.
    """

    model: CropModel
    names: tuple[str, ...]
    write: Callable[[int, Mapping[str, Tensor]], None]
    _chunk: dict[str, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        known = (*self.model.state.names, *self.model.fluxes.names, *DIAGNOSTICS)
        unknown = [n for n in self.names if n not in known]
        if unknown:
            raise ValueError(
                f"no daily variables {', '.join(unknown)}; known: {', '.join(known)}")

    def open(self, n_days: int, n_cells: int, dtype: torch.dtype) -> None:
        """Make room for a chunk."""
        for name in self.names:
            size = REGISTRY[name].size
            shape = (n_days, n_cells) if size == 1 else (n_days, size, n_cells)
            self._chunk[name] = torch.empty(shape, dtype=dtype)

    def put(
        self, k: int, cells: slice, morning: Tensor, x: Tensor, fluxes: Tensor,
        diagnostics: Mapping[str, Tensor],
    ) -> None:
        """Store day ``k`` of a block: its state at the end of the day, and fluxes."""
        n = cells.stop - cells.start
        for name in self.names:
            if name in self.model.state.sizes:
                value = self.model.state.get(x, name)
            elif name in self.model.fluxes.sizes:
                value = self.model.fluxes.get(fluxes, name)
            else:
                value = diagnostics[name]
            self._chunk[name][k, ..., cells] = value[..., :n].detach().cpu()

    def close(self, first_day: int) -> None:
        """Hand the chunk on."""
        self.write(first_day, self._chunk)


class BlockRun:
    """Runs all cells of a domain through chunks of days.

    Parameters
    ----------
    stepper : Stepper
        Model and solver.
    site, management : Site, Management
        Of all cells.
    p : Tensor
        Parameters, ``[parameter row, cell]``; of sequences ``[slot, parameter row, cell]``.
    block_cells : int
        Cells calculated at a time.
    """

    def __init__(
        self, stepper: Stepper, site: Site, management: Management, p: Tensor,
        block_cells: int = 4096,
    ) -> None:
        self.stepper = stepper
        self.n_cells = p.shape[-1]
        size = min(block_cells, self.n_cells)
        if stepper.compiled:
            size = min(block_cells, max(SMALLEST_BLOCK, 1 << (self.n_cells - 1).bit_length()))
        self.blocks = []
        for start in range(0, self.n_cells, size):
            cells = slice(start, min(start + size, self.n_cells))
            index = torch.arange(start, start + size).clamp_max(self.n_cells - 1).to(p.device)
            self.blocks.append(_Block(
                cells, index, site.cells(index), management.cells(index),
                p[..., index].contiguous()))
        self.history_length = max(
            stepper.model.history_length(slot) for slot in (p if p.dim() == 3 else (p,)))
        self.seasons = SeasonTable(self.n_cells, stepper.model.record_names)
        side_by_side = stepper.compiled and p.device.type == "cpu"
        self.threads = torch.get_num_threads() if side_by_side else 1

    def run(
        self, chunks: Iterable[DailyForcing], state: RunState | None = None,
        sink: Sink | None = None, progress: Callable[[int], None] | None = None,
    ) -> RunState:
        """Run the chunks in turn, without gradients.

        Parameters
        ----------
        chunks : iterable of DailyForcing
            Consecutive days of all cells.
        state : RunState, optional
            Where to start; fallow by default.
        sink : Sink, optional
            Receives daily values.
        progress : callable, optional
            Called with the number of cell-days done since the last call.

        Returns
        -------
        RunState
            State of all cells after the last day.
        """
        if state is not None:
            for block in self.blocks:
                block.state = state.cells(block.index)
        for chunk in chunks:
            if sink is not None:
                sink.open(chunk.n_days, self.n_cells, chunk.values.dtype)
            each(partial(self._run_block, chunk=chunk, sink=sink, progress=progress),
                 self.blocks, self.threads)
            if sink is not None:
                sink.close(chunk.first_day)
        return joined([
            b.state.cells(slice(0, b.cells.stop - b.cells.start))
            for b in self.blocks if b.state is not None])

    @torch.no_grad()
    def _run_block(
        self, block: _Block, chunk: DailyForcing, sink: Sink | None,
        progress: Callable[[int], None] | None,
    ) -> None:
        full = block.cells.stop - block.cells.start == len(block.index)
        forcing = chunk.cells(block.cells if full else block.index)
        forcing = replace(forcing, values=forcing.values.contiguous())
        if block.state is None:
            block.state = self.stepper.start(
                forcing, block.site, block.p, history_length=self.history_length)
        n = block.cells.stop - block.cells.start
        observe = None
        if sink is not None:
            observe = self._observer(block, chunk.first_day, sink)
        for start in range(0, chunk.n_days, SEGMENT_DAYS):
            days = forcing.days(start, min(start + SEGMENT_DAYS, chunk.n_days))
            before = SEASON.get(block.state.season, "harvests").clone()
            block.state = self.stepper.run(
                block.state, days, block.site, block.management, block.p, observe,
                in_place=True)
            season = block.state.season
            new = torch.nonzero(SEASON.get(season, "harvests")[:n] > before[:n])[:, 0]
            if len(new):
                record = SEASON.view(season)
                self.seasons.add(
                    new + block.cells.start,
                    torch.stack([record[f"last_{name}"][new] for name in self.seasons.names]))
            if progress is not None:
                progress(days.n_days * n)

    def _observer(
        self, block: _Block, first_day: int, sink: Sink
    ) -> Observer:
        model: CropModel = self.stepper.model
        diagnosed = any(name in DIAGNOSTICS for name in sink.names)

        def observe(day: int, morning: Tensor, x: Tensor, fluxes: Tensor, ground: Ground) -> None:
            diagnostics = model.diagnostics(x, ground.p, ground.place) if diagnosed else {}
            sink.put(day - first_day, block.cells, morning, x, fluxes, diagnostics)

        return observe


@dataclass
class _Block:
    """Cells of a block (padded by repeating the last) and their state."""

    cells: slice
    index: Tensor
    site: Site
    management: Management
    p: Tensor
    state: RunState | None = None
