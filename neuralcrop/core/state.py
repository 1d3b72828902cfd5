"""State and flux layouts over one ``[row, cell]`` tensor, and the stoichiometry between them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralcrop.core.variables import REGISTRY


class Layout:
    """Named rows of a ``[row, cell]`` tensor.

    A scalar variable owns one row and is seen as ``[cell]``; a variable of size n owns n rows and
    is seen as ``[n, cell]``.

    Parameters
    ----------
    sizes : mapping of str to int
        Variables in row order.
    """

    def __init__(self, sizes: Mapping[str, int]) -> None:
        self.sizes = dict(sizes)
        self.start: dict[str, int] = {}
        row = 0
        for name, size in self.sizes.items():
            self.start[name] = row
            row += size
        self.n_rows = row

    @classmethod
    def of(cls, names: Iterable[str]) -> Layout:
        """Layout of registry variables."""
        return cls({name: REGISTRY[name].size for name in names})

    @property
    def names(self) -> tuple[str, ...]:
        """Variables in row order."""
        return tuple(self.sizes)

    @property
    def row_names(self) -> tuple[str, ...]:
        """One label per row; rows of a vector variable are numbered from 1."""
        return tuple(
            name if size == 1 else f"{name}_{k + 1}"
            for name, size in self.sizes.items()
            for k in range(size)
        )

    def rows(self, names: Iterable[str]) -> list[int]:
        """Rows of the named variables, in order."""
        return [self.start[n] + k for n in names for k in range(self.sizes[n])]

    def get(self, x: Tensor, name: str) -> Tensor:
        """Rows of one variable: ``[cell]`` or ``[size, cell]``."""
        start, size = self.start[name], self.sizes[name]
        return x[start] if size == 1 else x[start : start + size]

    def view(self, x: Tensor) -> dict[str, Tensor]:
        """All variables of ``x`` by name."""
        # one split: its gradient is one concatenation, that of a select per variable is a sum of
        # tensors as large as x
        parts = torch.split(x, list(self.sizes.values()))
        return {
            name: part.squeeze(0) if size == 1 else part
            for (name, size), part in zip(self.sizes.items(), parts, strict=True)
        }

    def stack(self, values: Mapping[str, Tensor]) -> Tensor:
        """Inverse of `view`: put variables back into one tensor, in row order.

        Raises
        ------
        KeyError
            If a variable of the layout is missing from ``values``.
        """
        rows: list[Tensor] = []
        for name, size in self.sizes.items():
            value = values[name]
            rows.extend(value.unbind(0) if size > 1 else (value,))
        return torch.stack(rows)


@dataclass(frozen=True)
class Transfer:
    """One flux element leaving one state row and entering another."""

    flux: str
    flux_index: int
    source: str
    source_index: int
    target: str
    target_index: int


def move(flux: str, source: str, target: str, source_index: int = 0, target_index: int = 0) -> (
        list[Transfer]):
    """Scalar flux between two rows."""
    return [Transfer(flux, 0, source, source_index, target, target_index)]


def drain(flux: str, source: str, target: str) -> list[Transfer]:
    """Vector flux: element i leaves ``source[i]``; all enter the scalar ``target``."""
    return [Transfer(flux, k, source, k, target, 0) for k in range(REGISTRY[flux].size)]


def fill(flux: str, source: str, target: str) -> list[Transfer]:
    """Vector flux: element i leaves the scalar ``source`` and enters ``target[i]``."""
    return [Transfer(flux, k, source, 0, target, k) for k in range(REGISTRY[flux].size)]


def cascade(flux: str, stock: str, sink: str) -> list[Transfer]:
    """Vector flux: element i leaves ``stock[i]`` for ``stock[i+1]``, the last for ``sink``."""
    last = REGISTRY[flux].size - 1
    return [
        Transfer(flux, k, stock, k, stock if k < last else sink, k + 1 if k < last else 0)
        for k in range(last + 1)
    ]


class Stoichiometry:
    r"""The constant matrix S of :math:`dx/dt = S\,v`.

    Every flux leaves one row and enters another row of the same element, so each column of S sums
    to zero over each element and any Runge-Kutta method conserves mass to rounding.

    Parameters
    ----------
    state : Layout
        Stocks, reservoirs and clocks.
    fluxes : Layout
        Non-negative fluxes.
    transfers : sequence of Transfer
        Where each flux element comes from and goes to.

    Raises
    ------
    ValueError
        If a transfer would turn one element into another, or a flux element has none or several
        transfers.
    """

    def __init__(self, state: Layout, fluxes: Layout, transfers: Sequence[Transfer]) -> None:
        self.state, self.fluxes, self.transfers = state, fluxes, tuple(transfers)
        problems = []
        count = [0] * fluxes.n_rows
        self.gains: list[list[int]] = [[] for _ in range(state.n_rows)]
        self.losses: list[list[int]] = [[] for _ in range(state.n_rows)]
        for t in self.transfers:
            if REGISTRY[t.source].element != REGISTRY[t.target].element:
                problems.append(f"{t.flux}: {t.source} and {t.target} hold different elements")
            column = fluxes.start[t.flux] + t.flux_index
            count[column] += 1
            self.losses[state.start[t.source] + t.source_index].append(column)
            self.gains[state.start[t.target] + t.target_index].append(column)
        problems += [
            f"{name}: {n} transfers, expected 1"
            for name, n in zip(fluxes.row_names, count, strict=True)
            if n != 1
        ]
        if problems:
            raise ValueError("stoichiometry is not closed: " + "; ".join(problems))

    def rates(self, fluxes: Tensor, clocks: Mapping[str, Tensor]) -> Tensor:
        """``S v`` plus the rates of the clocks, one row per state row.

        Written as sums over the few non-zero entries so that a compiler fuses it with the fluxes.

        Parameters
        ----------
        fluxes : Tensor
            ``[flux row, cell]``.
        clocks : mapping of str to Tensor
            Rates of the rows that hold no element.
        """
        v = fluxes.unbind(0)
        zero = torch.zeros_like(v[0])
        rows: list[Tensor] = []
        for name, size in self.state.sizes.items():
            if name in clocks:
                rows.extend(clocks[name].unbind(0) if size > 1 else (clocks[name],))
                continue
            for k in range(self.state.start[name], self.state.start[name] + size):
                total = zero
                for column in self.gains[k]:
                    total = total + v[column]
                for column in self.losses[k]:
                    total = total - v[column]
                rows.append(total)
        return torch.stack(rows)

    def matrix(self) -> Tensor:
        """S as a dense ``[state row, flux row]`` tensor."""
        s = torch.zeros(self.state.n_rows, self.fluxes.n_rows, dtype=torch.float64)
        for row in range(self.state.n_rows):
            for column in self.gains[row]:
                s[row, column] += 1
            for column in self.losses[row]:
                s[row, column] -= 1
        return s
