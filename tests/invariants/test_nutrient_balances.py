"""Water, carbon and nitrogen close in every mode of farming, and no stock falls below zero."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from neuralcrop.core.ledger import Ledger
from neuralcrop.core.variables import HARVEST_REASONS, REGISTRY
from neuralcrop.models.global_ import layouts
from neuralcrop.simulation.blocks import BlockRun
from tests.farm import AT, MODES, Farm, N

ROWS = layouts(True)
STATE = ROWS.state
ELEMENTS = ("water", "carbon", "nitrogen")


class Books:
    """Keeps the books of all cells over a run: what was there, what came and went, what is left.

    The model counts what crosses the boundary since the last sowing. Where it starts to count
    anew, what it had counted until the evening before is added up here.
    """

    names: tuple[str, ...] = ()

    def __init__(self, n_cells: int) -> None:
        self.start: Tensor | None = None
        self.former: Tensor | None = None
        self.lowest, self.lowest_flux, self.finite = 0.0, 0.0, True
        reservoirs = torch.tensor(STATE.rows(ROWS.reservoirs))
        self.rows = {e: torch.tensor(Ledger(STATE).rows[e]) for e in ELEMENTS}
        self.outside = {e: rows[torch.isin(rows, reservoirs)] for e, rows in self.rows.items()}
        self.inside = {e: rows[~torch.isin(rows, reservoirs)] for e, rows in self.rows.items()}
        self.stocks = torch.tensor(STATE.rows(ROWS.stocks))
        self.counted = {e: torch.zeros(len(r), n_cells).double() for e, r in self.outside.items()}
        self.clock = STATE.start["deposited_nitrogen"]

    def open(self, n_days: int, n_cells: int, dtype: torch.dtype) -> None:
        """Days follow."""

    def put(
        self, k: int, cells: slice, morning: Tensor, x: Tensor, fluxes: Tensor,
        diagnostics: dict[str, Tensor],
    ) -> None:
        """A day."""
        if self.start is None:
            self.start = morning.double()
        elif self.former is not None:
            # no jump deposits nitrogen: where its count changed overnight, counting began anew
            anew = morning[self.clock] != self.former[self.clock]
            for e, rows in self.outside.items():
                self.counted[e] += torch.where(anew, self.former[rows].double(), 0.0)
        self.former = x
        self.lowest = min(self.lowest, float(x[self.stocks].min()))
        self.lowest_flux = min(self.lowest_flux, float(fluxes.min()))
        self.finite &= bool(torch.isfinite(x).all()) and bool(torch.isfinite(fluxes).all())

    def close(self, first_day: int) -> None:
        """Days end."""

    def residual(self, element: str) -> Tensor:
        """What is missing or too much, relative to what was there and what moved, ``[cell]``."""
        assert self.start is not None
        assert self.former is not None
        end = self.former.double()
        inside, outside = self.inside[element], self.outside[element]
        crossed = self.counted[element] + end[outside] - self.start[outside]
        change = (end[inside] - self.start[inside]).sum(dim=0) + crossed.sum(dim=0)
        return change / (self.start[inside].sum(dim=0) + crossed.abs().sum(dim=0))

    def crossed(self, name: str) -> Tensor:
        """What went through a reservoir over all days, ``[cell]``."""
        assert self.start is not None
        assert self.former is not None
        row = STATE.start[name]
        element = str(REGISTRY[name].element)
        at = self.outside[element].tolist().index(row)
        return self.counted[element][at] + self.former[row].double() - self.start[row]


def keep_books(
    n_days: int, dtype: torch.dtype, size: int = N
) -> tuple[Books, dict[str, Tensor], Farm]:
    farm = Farm(n_days, dtype)
    books = Books(N)
    blocks = BlockRun(farm.stepper, farm.site, farm.management, farm.p, size)
    blocks.run([farm.forcing.days(k, min(k + 365, n_days)) for k in range(0, n_days, 365)],
               farm.start(), books)
    return books, blocks.seasons.arrays(), farm


def check(books: Books, seasons: dict[str, Tensor], limits: dict[str, float]) -> None:
    """Balances, signs, and that every mode was what it says."""
    assert books.finite
    assert books.lowest >= 0.0
    assert books.lowest_flux >= 0.0
    worst = {e: float(books.residual(e).abs().max()) for e in ELEMENTS}
    assert all(worst[e] <= limits[e] for e in ELEMENTS), worst
    for e in ELEMENTS:
        residual = seasons[f"{e}_residual"].nan_to_num(0.0).abs()
        assert float(residual.max()) <= limits[e], f"{e} of a season: {float(residual.max())}"

    def of(name: str) -> dict[str, float]:
        return dict(zip(MODES, books.crossed(name).tolist(), strict=True))

    irrigated = of("irrigated_water")
    for mode in ("surface", "sprinkler", "drip", "flooded", "silage"):
        assert irrigated[mode] < -20.0, mode
    assert irrigated["rainfed"] == 0.0
    assert of("fertilised_nitrogen")["fertilised"] < -16.0
    assert of("manured_nitrogen")["manured"] < -18.0
    assert of("manured_carbon")["manured"] < -200.0
    for element in ("carbon", "nitrogen"):
        assert of(f"removed_{element}")["residues removed"] > 0.5
        assert of(f"removed_{element}")["silage"] > 0.5
        assert of(f"burnt_{element}")["residues burnt"] > 0.05
        assert of(f"burnt_{element}")["rainfed"] == 0.0
    assert of("fixed_nitrogen")["drip"] < -1.0
    assert of("fixed_nitrogen")["rainfed"] == 0.0
    assert of("leached_nitrogen")["monsoon"] > 10.0 * of("leached_nitrogen")["desert"]
    assert of("dinitrogen_nitrogen")["flooded"] > of("dinitrogen_nitrogen")["rainfed"]
    harvests = {mode: int(seasons["yield"][:, k].isfinite().sum()) for mode, k in AT.items()}
    assert harvests["fallow"] == 0
    assert all(n >= 1 for mode, n in harvests.items() if mode not in ("fallow", "permafrost"))
    assert len(seasons["crop"][:, AT["double-cropped"]].unique()) >= 2
    failed = HARVEST_REASONS.index("failed")
    assert bool((seasons["harvest_reason"][:, AT["failed"]] == failed).any())
    assert float(seasons["yield"][:, AT["fertilised"]].nan_to_num(0.0).max()) > 3.0


def test_columns_of_the_stoichiometry_sum_to_zero() -> None:
    for state, fluxes, stoichiometry in (
        (STATE, ROWS.fluxes, ROWS.stoichiometry),
        (ROWS.fallow_state, ROWS.fallow_fluxes, ROWS.fallow_stoichiometry),
    ):
        matrix = stoichiometry.matrix()
        for element in ELEMENTS:
            rows = Ledger(state).rows[element]
            assert torch.equal(matrix[rows].sum(dim=0), torch.zeros(fluxes.n_rows).double())
        assert torch.equal(matrix.abs().sum(dim=0), torch.full((fluxes.n_rows,), 2.0).double())


def test_every_flux_of_an_element_stays_within_it() -> None:
    for t in ROWS.stoichiometry.transfers:
        assert REGISTRY[t.source].element == REGISTRY[t.target].element, t.flux


DOUBLE = dict.fromkeys(ELEMENTS, 1e-12)
SINGLE = dict.fromkeys(ELEMENTS, 1e-6)


def test_two_years_of_every_mode_close() -> None:
    books, seasons, _ = keep_books(2 * 365, torch.float64)
    check(books, seasons, DOUBLE)


@pytest.mark.slow
def test_thirty_years_of_every_mode_close() -> None:
    books, seasons, farm = keep_books(30 * 365, torch.float64)
    check(books, seasons, DOUBLE)
    x = books.former
    assert x is not None
    # still soils: organic matter neither vanishes nor piles up
    for pool in ("fast", "slow"):
        carbon = STATE.get(x, f"{pool}_carbon").sum(dim=0)
        assert 100.0 < float(carbon.min()) <= float(carbon.max()) < 4e4
    frozen = farm.model.state.get(x, "soil_temperature")[4, AT["permafrost"]]
    assert float(frozen) < 0.0


@pytest.mark.slow
def test_single_precision_closes() -> None:
    books, seasons, _ = keep_books(6 * 365, torch.float32)
    check(books, seasons, SINGLE)
