"""Parameter tables: bounds, offsets, gathering to cells, and errors that name everything."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralcrop.core.parameters import (
    ParameterError,
    ParameterSpec,
    ParameterTable,
    ParameterValue,
    bounded,
)

SPECS = (
    ParameterSpec("height", "m", "height"),
    ParameterSpec("rate", "d-1", "rate"),
    ParameterSpec("share", "1", "share over development", 3),
)


def value(*x: float, units: str, low: float = 0.0, high: float = 10.0) -> ParameterValue:
    return ParameterValue(x, (low,) * len(x), (high,) * len(x), units, "made up")


def crop(scale: float = 1.0) -> dict[str, ParameterValue]:
    return {
        "height": value(2.0 * scale, units="m"),
        "rate": value(0.1 * scale, units="d-1", high=1.0),
        "share": value(0.0, 0.3, 1.0, units="1", high=1.0),
    }


CATALOGUE: Mapping[str, Mapping[str, ParameterValue]] = {"one": crop(), "two": crop(1.5)}


def test_cells_get_the_values_of_their_crops() -> None:
    table = ParameterTable(SPECS, CATALOGUE)
    p = table.layout.view(table(torch.tensor([1, 0, 1]), torch.float64))
    assert p["height"].tolist() == [3.0, 2.0, 3.0]
    assert p["share"].shape == (3, 3)
    assert table.crop_index == {"one": 0, "two": 1}
    assert table.rows(["share", "height"]) == [2, 3, 4, 0]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_zero_offset_changes_no_bit(dtype: torch.dtype) -> None:
    plain, learned = ParameterTable(SPECS, CATALOGUE), ParameterTable(
        SPECS, CATALOGUE, learn=[s.name for s in SPECS])
    index = torch.tensor([0, 1])
    offset = {"share": torch.zeros(3, 2), "height": torch.zeros(1, 2)}
    assert torch.equal(learned(index, dtype), plain(index, dtype))
    assert torch.equal(plain(index, dtype, offset), plain(index, dtype))


@given(
    share=st.floats(0.0, 1.0), low=st.floats(-100.0, 100.0), width=st.floats(1e-3, 1e3),
    offset=st.floats(-1e6, 1e6), double=st.booleans())
@settings(max_examples=300, deadline=None)
def test_any_offset_stays_within_bounds(
    share: float, low: float, width: float, offset: float, double: bool
) -> None:
    dtype = torch.float64 if double else torch.float32
    lower, upper = torch.tensor(low, dtype=dtype), torch.tensor(low + width, dtype=dtype)
    start = torch.minimum(torch.maximum(lower + share * (upper - lower), lower), upper)
    moved = bounded(start, lower, upper, torch.tensor(offset, dtype=dtype))
    assert lower <= moved <= upper
    assert torch.equal(bounded(start, lower, upper, torch.zeros((), dtype=dtype)), start)


def test_offsets_move_upwards_and_do_not_leak_to_other_crops() -> None:
    table = ParameterTable(SPECS, CATALOGUE, learn=["height"])
    with torch.no_grad():
        table.offset["height"][0, 0] = 1.0
    p = table.layout.view(table(torch.tensor([0, 1]), torch.float64))
    assert 2.0 < p["height"][0] < 10.0
    assert p["height"][1] == 3.0
    now = {(r["crop"], r["parameter"]): r for r in table.describe()}
    assert now["one", "height"]["learned"]
    assert now["one", "height"]["value"] != now["one", "height"]["catalogue"]
    assert now["two", "rate"]["value"] == now["two", "rate"]["catalogue"]


def test_gradients_reach_offsets_even_of_values_at_a_bound() -> None:
    table = ParameterTable(SPECS, CATALOGUE, learn=["share"])
    given_offset = torch.zeros(3, 2, requires_grad=True)
    index = torch.tensor([0, 1])
    table(index, torch.float64, {"share": given_offset}).sum().backward()
    for gradient in (table.offset["share"].grad, given_offset.grad):
        assert gradient is not None
        assert (gradient > 0.0).all()


def test_fingerprint_tells_tables_apart() -> None:
    a, b = ParameterTable(SPECS, CATALOGUE), ParameterTable(SPECS, {"one": crop()})
    assert a.fingerprint() == ParameterTable(SPECS, CATALOGUE).fingerprint()
    assert a.fingerprint() != b.fingerprint()


def test_unknown_rows_are_all_named() -> None:
    with pytest.raises(ParameterError, match="unknown parameters depth, width; known: height"):
        ParameterTable(SPECS, CATALOGUE).rows(["depth", "height", "width"])


def test_every_problem_of_a_catalogue_is_listed() -> None:
    broken: dict[str, Any] = {
        "height": value(20.0, units="m"),
        "share": value(0.1, 0.2, units="1"),
        "colour": value(1.0, units="1"),
    }
    wrong_units = {**crop(), "rate": value(0.1, units="h-1")}
    with pytest.raises(ParameterError) as caught:
        ParameterTable(SPECS, {"one": broken, "two": wrong_units}, learn=["depth"])
    text = str(caught.value)
    for problem in (
        "cannot learn unknown parameter depth", "one: rate is missing",
        "one: colour is not a parameter of this model", "one: height = (20.0,) lies outside",
        "one: share has 2 values, expected 3", "two: rate has units 'h-1', expected 'd-1'",
    ):
        assert problem in text
