"""Fluxes summed over seasons and stocks at harvest, of any variable of the registry."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.blocks import SeasonTable

SOWN_DROP = 0.05
"""A fall of the development stage by more than this is a sowing."""


WATER_PER_YIELD = 100.0
"""t ha-1 over mm, in kg m-3."""


def efficiencies(records: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Water productivity and, with nutrients, nitrogen-use efficiency of season records.

    Parameters
    ----------
    records : mapping of str to Tensor
        ``[season, cell]`` by name.
    """
    out = {"water_productivity": WATER_PER_YIELD * records["yield"]
           / (records["transp"] + records["evap"]).clamp_min(1e-6)}
    if "yield_nitrogen" in records:
        given = records["nfert"] + records["ndep"] + records["nfix"]
        out["nitrogen_use_efficiency"] = records["yield_nitrogen"] / given.clamp_min(1e-6)
    return out


class SeasonTotals:
    """Collects a value of every variable for each harvest, in the order of the season records.

    Fluxes are summed from sowing to harvest; states are those of the evening before the harvest.

    Parameters
    ----------
    model : CropModel
        Whose states and fluxes.
    variables : tuple of str
        Their names.
    n_cells : int
        Number of cells.

    Raises
    ------
    ValueError
        If the model has no such variables.
    """

    names: tuple[str, ...] = ()

    def __init__(self, model: CropModel, variables: tuple[str, ...], n_cells: int) -> None:
        unknown = [v for v in variables
                   if v not in model.state.sizes and v not in model.fluxes.sizes]
        if unknown:
            raise ValueError(f"the model has no states or fluxes {', '.join(unknown)}")
        self.model, self.variables = model, variables
        self.sizes = {v: model.state.sizes.get(v) or model.fluxes.sizes[v] for v in variables}
        self.table = SeasonTable(n_cells, tuple(
            f"{v} {k}" for v, size in self.sizes.items() for k in range(size)))
        self._values = torch.zeros(sum(self.sizes.values()), n_cells, dtype=torch.float64)
        self._standing = torch.zeros(n_cells, dtype=torch.bool)
        self._stage = torch.full((n_cells,), -1.0, dtype=torch.float64)
        self._stocks = model.state.rows([n for n in model.crop_stocks if n in model.state.sizes])

    def open(self, n_days: int, n_cells: int, dtype: torch.dtype) -> None:
        """A chunk of days begins."""

    def put(
        self, k: int, cells: slice, morning: Tensor, x: Tensor, fluxes: Tensor,
        diagnostics: Mapping[str, Tensor],
    ) -> None:
        """Add a day of some cells."""
        n, model = cells.stop - cells.start, self.model
        standing = (morning[self._stocks, :n] > 0.0).any(dim=0).cpu()
        stage = model.state.get(morning, "development_stage")[:n].double().cpu()
        sown = stage < self._stage[cells] - SOWN_DROP
        done = torch.nonzero(self._standing[cells] & (~standing | sown))[:, 0]
        values = self._values[:, cells]
        if len(done):
            self.table.add(done + cells.start, values[:, done])
        values[:, sown] = 0.0
        row = 0
        for name, size in self.sizes.items():
            rows = values[row:row + size]
            if name in model.state.sizes:
                rows.copy_(model.state.get(x, name).reshape(size, -1)[:, :n])
            else:
                today = model.fluxes.get(fluxes, name).reshape(size, -1)[:, :n].double().cpu()
                rows += torch.where(standing, today, 0.0)
            row += size
        self._standing[cells] = standing
        self._stage[cells] = model.state.get(x, "development_stage")[:n].double().cpu()

    def close(self, first_day: int) -> None:
        """A chunk of days ends."""

    def arrays(self) -> dict[str, Tensor]:
        """``[season, cell]``, or ``[season, element, cell]``, by variable."""
        rows = self.table.arrays()
        return {v: rows[f"{v} 0"] if size == 1 else torch.stack(
            [rows[f"{v} {k}"] for k in range(size)], dim=1) for v, size in self.sizes.items()}
