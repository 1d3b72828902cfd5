"""Layouts over one tensor, and the stoichiometry between their rows."""

from __future__ import annotations

import pytest
import torch

from neuralcrop.core.state import Layout, Stoichiometry, cascade, drain, fill, move
from neuralcrop.core.variables import N_SOIL_LAYERS
from neuralcrop.models.global_ import CLOCKS, layouts

ROWS = layouts()
FLUXES, STATE, STOICHIOMETRY = ROWS.fluxes, ROWS.state, ROWS.stoichiometry

LAYOUT = Layout({"a": 1, "b": 3, "c": 1})


def test_rows_follow_the_order_of_the_variables() -> None:
    assert LAYOUT.n_rows == 5
    assert LAYOUT.names == ("a", "b", "c")
    assert LAYOUT.start == {"a": 0, "b": 1, "c": 4}
    assert LAYOUT.row_names == ("a", "b_1", "b_2", "b_3", "c")


def test_registry_gives_the_sizes() -> None:
    layout = Layout.of(("snow_water", "soil_water"))
    assert layout.sizes == {"snow_water": 1, "soil_water": N_SOIL_LAYERS}


def test_views_are_named_rows_of_the_same_memory() -> None:
    x = torch.arange(10.0).reshape(5, 2)
    assert LAYOUT.get(x, "a").shape == (2,)
    assert LAYOUT.get(x, "b").shape == (3, 2)
    assert torch.equal(LAYOUT.view(x)["c"], x[4])
    assert LAYOUT.get(x, "b").data_ptr() == x[1].data_ptr()


def test_stack_is_the_inverse_of_view() -> None:
    x = torch.randn(STATE.n_rows, 3, generator=torch.Generator().manual_seed(0))
    assert torch.equal(STATE.stack(STATE.view(x)), x)


def test_stack_needs_every_variable() -> None:
    with pytest.raises(KeyError, match="c"):
        LAYOUT.stack({"a": torch.zeros(2), "b": torch.zeros(3, 2)})


def test_rates_are_the_matrix_product() -> None:
    v = torch.rand(FLUXES.n_rows, 4, dtype=torch.float64,
                   generator=torch.Generator().manual_seed(1))
    clocks = {name: torch.full((4,), float(k), dtype=torch.float64)
              for k, name in enumerate(CLOCKS)}
    rates = STOICHIOMETRY.rates(v, clocks)
    matter = [r for r, name in enumerate(STATE.row_names) if name not in CLOCKS]
    torch.testing.assert_close(rates[matter], (STOICHIOMETRY.matrix() @ v)[matter])
    for name, rate in clocks.items():
        assert torch.equal(STATE.get(rates, name), rate)


def test_helpers_say_where_each_element_goes() -> None:
    pairs = [(t.source_index, t.target_index) for t in drain(
        "soil_evaporation", "soil_water", "evaporated_water")]
    assert pairs == [(k, 0) for k in range(N_SOIL_LAYERS)]
    pairs = [(t.source_index, t.target_index) for t in fill(
        "soil_evaporation", "precipitated_water", "soil_water")]
    assert pairs == [(0, k) for k in range(N_SOIL_LAYERS)]
    chain = cascade("percolation", "soil_water", "drained_water")
    assert [(t.target, t.target_index) for t in chain] == [
        *(("soil_water", k + 1) for k in range(N_SOIL_LAYERS - 1)), ("drained_water", 0)]


def test_open_stoichiometry_is_refused_with_all_its_problems() -> None:
    state = Layout.of(("reserve_carbon", "snow_water", "precipitated_water"))
    fluxes = Layout.of(("snowfall", "sublimation", "leaf_growth"))
    with pytest.raises(ValueError, match="not closed") as caught:
        Stoichiometry(state, fluxes, [
            *move("snowfall", "precipitated_water", "snow_water"),
            *move("snowfall", "precipitated_water", "snow_water"),
            *move("leaf_growth", "reserve_carbon", "snow_water"),
        ])
    text = str(caught.value)
    assert "snowfall: 2 transfers" in text
    assert "sublimation: 0 transfers" in text
    assert "reserve_carbon and snow_water hold different elements" in text
