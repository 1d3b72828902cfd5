"""From a block of samples to predicted yields, with gradients where they are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from neuralcrop.data.seasons import Block, Seasons
from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.events import SEASON
from neuralcrop.simulation.integrate import RunState, Solver, Stepper, default_segment
from neuralcrop.simulation.parallel import columns
from neuralcrop.training.balance import ledger_residuals
from neuralcrop.training.outcomes import needs_harvest, outcomes

KEPT_CELL_DAYS = 400_000
"""Cell-days whose activations are kept for the backward pass, about 2 GB; more are recomputed."""

SMALLEST_PART = 64
"""Fewer cells would not pay for a thread of their own."""


class Season(NamedTuple):
    """Outcome of a run, ``[cell]``.

    Attributes
    ----------
    yields : Tensor
        t ha-1 dry matter: of the harvest, or what stands in the field at the end of the run.
    ripe : Tensor
        Whether the crop got ripe within the run.
    parameters : Tensor
        ``[parameter row, cell]``.
    others : Tensor or None
        ``[kind, cell]`` of the kinds of observation that the rollout was asked for.
    """

    yields: Tensor
    ripe: Tensor
    parameters: Tensor
    others: Tensor | None = None


class Rollout:
    """Runs the season of a block.

    Parameters
    ----------
    model : CropModel
        The model.
    solver : Solver, optional
        Integration of a day.
    compiled : bool
        Compile the day.
    one_graph : bool
        Run with gradients also where none are needed, so that only one graph is compiled.
    kinds : sequence of str
        Other observations to give counterparts of (`neuralcrop.training.outcomes`).
    """

    def __init__(
        self, model: CropModel, solver: Solver | None = None, compiled: bool = False,
        one_graph: bool = False, kinds: Sequence[str] = (),
    ) -> None:
        if model.history_rows:
            raise ValueError(
                f"training takes the global set of processes, the model has {model.set_name}; "
                "see the page of WOFOST 7.2 for gradients of its seasons")
        self.model, self.kinds = model, tuple(kinds)
        self.one_graph = one_graph and compiled
        self._compiled: set[tuple[int, ...]] = set()
        self.stepper = Stepper(model, solver, compiled=compiled)

    def __call__(self, block: Block, parameters: Tensor | None = None) -> Season:
        """Run a block; its cells start fallow, at 0.7 of the plant-available water.

        Parameters
        ----------
        block : Block
            Samples.
        parameters : Tensor, optional
            ``[parameter row, cell]``, in place of those of the model.
        """
        dtype = block.forcing.values.dtype
        p = parameters if parameters is not None else self.model.cell_parameters(
            block.management.crop, dtype, block.covariates)
        if self.one_graph and not p.requires_grad:
            p = p.detach().requires_grad_()
        sizes = self._sizes(p)
        if len(sizes) > 1:
            parts = _split(block, sizes)
            if sizes not in self._compiled:
                self._compile(parts[0], p[:, :sizes[0]])
                self._compiled.add(sizes)
            end = columns(
                lambda k, q: self._run(parts[k], q), p, sizes, self._shared(), len(sizes))
        else:
            end = self._run(block, p)
        return Season(end[0], end[1] > 0.5, p, end[2:] if self.kinds else None)

    def _run(self, block: Block, p: Tensor) -> Tensor:
        """Yield, whether the crop got ripe, and other kinds, ``[2 + kind, cell]``."""
        state = self.stepper.start(block.forcing, block.site, p)
        if torch.is_grad_enabled():
            # the same kind of input on the first day as on all others: one graph
            state = RunState(_tracked(state.x), _tracked(state.season), state.day)
        n_days = block.forcing.n_days
        segment = default_segment(n_days) if n_days * p.shape[1] > KEPT_CELL_DAYS else 0
        end = self.stepper.run(
            state, block.forcing, block.site, block.management, p, segment=segment,
            standing=not needs_harvest(self.kinds))
        harvested = SEASON.get(end.season, "harvests") > 0.5
        yields = torch.where(
            harvested, SEASON.get(end.season, "last_yield"), self.model.standing_yield(end.x, p))
        ripe = harvested | self.model.ripe(end.x, p)
        return torch.stack((yields, ripe.to(yields.dtype), *outcomes(
            self.model, end.x, end.season, p, self.kinds)))

    def _compile(self, part: Block, p: Tensor) -> None:
        """Compile forwards and backwards by a first day, alone: threads would do it once each."""
        day = replace(part, forcing=part.forcing.days(0, 1))
        leaf = p.detach().contiguous().requires_grad_()
        with torch.enable_grad():
            torch.autograd.grad(self._run(day, leaf)[0].sum(), leaf)

    def _sizes(self, p: Tensor) -> tuple[int, ...]:
        """Cells of the parts that run side by side: equal, or one graph would not serve all."""
        n, threads = p.shape[1], torch.get_num_threads()
        compiled = self.stepper.compiled and p.device.type == "cpu" and p.requires_grad
        if not compiled or n % threads or n // threads < SMALLEST_PART:
            return (n,)
        return (n // threads,) * threads

    def _shared(self) -> tuple[Tensor, ...]:
        """Weights that the days themselves read."""
        return tuple(q for c in self.model.closures().values() for q in c.parameters()
                     if q.requires_grad)

    def residuals(self, block: Block) -> dict[str, Tensor]:
        """Relative residuals of the balances of a block, or of its first part; ``[cell]``."""
        dtype = block.forcing.values.dtype
        with torch.set_grad_enabled(self.one_graph):
            p = self.model.cell_parameters(block.management.crop, dtype, block.covariates)
            p = p.detach().requires_grad_(self.one_graph)
            sizes = self._sizes(p)
            if len(sizes) > 1:  # the size that is compiled
                block, p = _split(block, sizes)[0], p.detach()[:, :sizes[0]].contiguous()
                p.requires_grad_()
            start = self.stepper.start(block.forcing, block.site, p)
            if torch.is_grad_enabled():
                start = RunState(_tracked(start.x), _tracked(start.season), start.day)
            end = self.stepper.run(
                start, block.forcing, block.site, block.management, p, standing=True)
        return ledger_residuals(self.model, end.x, end.season, p)

    def predict(self, block: Block) -> Season:
        """Run a block without gradients of its result."""
        with torch.set_grad_enabled(self.one_graph):
            season = self(block)
        others = None if season.others is None else season.others.detach()
        return Season(season.yields.detach(), season.ripe, season.parameters.detach(), others)


def simulate(
    rollout: Rollout, seasons: Seasons, rows: np.ndarray, size: int,
    device: torch.device | str = "cpu",
) -> tuple[np.ndarray, int]:
    """Simulated yields of some samples, and how many crops were not ripe at the end of the run.

    Parameters
    ----------
    rollout : Rollout
        Runs the seasons; its model should be in evaluation mode.
    seasons : Seasons
        Samples.
    rows : numpy.ndarray
        Which.
    size : int
        Cells of a block.
    device : torch.device
        Where the model is.

    Returns
    -------
    tuple
        ``[row]`` t ha-1 without a trend, NaN for samples not asked for; and the count.
    """
    out, unripe = np.full(len(seasons), np.nan), 0
    for block in seasons.blocks(rows, size):
        block = block.to(device)
        season = rollout.predict(block)
        counts = block.weight > 0.0
        out[block.row[counts].cpu().numpy()] = season.yields[counts].double().cpu().numpy()
        unripe += int((counts & ~season.ripe).sum())
    return out, unripe


def _split(block: Block, sizes: tuple[int, ...]) -> list[Block]:
    """Parts of a block, in memory of their own."""
    parts = []
    for cells in torch.arange(sum(sizes)).split(sizes):
        parts.append(replace(
            block, forcing=block.forcing.cells(cells), site=block.site.cells(cells),
            management=block.management.cells(cells)))
    return parts


def _tracked(x: Tensor) -> Tensor:
    return x if x.requires_grad else x.detach().requires_grad_()
