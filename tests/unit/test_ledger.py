"""The sums that stay, and the residual when they do not."""

from __future__ import annotations

import torch

from neuralcrop.core.ledger import Ledger
from neuralcrop.core.state import Layout
from neuralcrop.core.variables import REGISTRY
from neuralcrop.models.global_ import CLOCKS, layouts

ROWS = layouts()
STATE = ROWS.state

LAYOUT = Layout.of((
    "reserve_carbon", "assimilated_carbon", "soil_water", "precipitated_water", "root_depth"))
LEDGER = Ledger(LAYOUT)


def state() -> torch.Tensor:
    x = torch.zeros(LAYOUT.n_rows, 2, dtype=torch.float64)
    LAYOUT.get(x, "soil_water")[:] = 20.0
    LAYOUT.get(x, "root_depth")[:] = 0.4
    return x


def test_elements_and_totals() -> None:
    assert LEDGER.elements == ("carbon", "water")
    assert LEDGER.total(state(), "water").tolist() == [100.0, 100.0]
    assert LEDGER.total(state(), "carbon").tolist() == [0.0, 0.0]


def test_every_row_is_an_element_or_a_clock() -> None:
    counted = {row for rows in Ledger(STATE).rows.values() for row in rows}
    clocks = {STATE.start[name] for name in CLOCKS}
    assert counted | clocks == set(range(STATE.n_rows))
    assert not counted & clocks
    assert REGISTRY["nitrate"].element == "nitrogen"


def test_transfers_keep_the_total_and_losses_show() -> None:
    before, after = state(), state()
    LAYOUT.get(after, "precipitated_water")[:] -= 30.0
    LAYOUT.get(after, "soil_water")[0] += 30.0
    assert LEDGER.residual(after, before, "water").abs().max() == 0.0
    assert LEDGER.turnover(after, "water").tolist() == [160.0, 160.0]
    LAYOUT.get(after, "soil_water")[1, 0] -= 1.0
    residual = LEDGER.residual(after, before, "water")
    # what took part: 30 mm of rain, 30 mm into the first layer, 20 mm in each of the others
    torch.testing.assert_close(residual[0], torch.tensor(-1.0 / 140.0, dtype=torch.float64))
    assert residual[1] == 0.0


def test_empty_ledgers_have_no_residual() -> None:
    x = torch.zeros(LAYOUT.n_rows, 1)
    assert LEDGER.residual(x, x, "carbon").tolist() == [0.0]
