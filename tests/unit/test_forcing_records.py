"""What a day needs from outside: shapes are checked, cells and days selected."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from neuralcrop.core.forcing import (
    SOIL_LAYER_BOTTOM,
    SOIL_LAYER_THICKNESS,
    DailyForcing,
    Management,
    Site,
)
from neuralcrop.core.variables import FORCING_NAMES

N_DAYS, N_CELLS = 6, 3


def forcing() -> DailyForcing:
    values = torch.arange(float(N_DAYS * len(FORCING_NAMES) * N_CELLS))
    day = torch.arange(1.0, N_DAYS + 1)
    return DailyForcing(
        values.reshape(N_DAYS, len(FORCING_NAMES), N_CELLS), day, day,
        torch.full((N_DAYS,), 2001), first_day=10)


def management(**changes: object) -> Management:
    flat = torch.zeros(N_CELLS)
    whole = torch.zeros(N_CELLS, dtype=torch.int64)
    orders = Management(
        torch.tensor([0, 1, 2]), torch.tensor([[100, 110, 120], [101, 111, 121]]), whole, flat,
        flat + 1.0, first_year=2001)
    return replace(orders, **changes)  # type: ignore[arg-type]


def test_layers_are_those_of_lpjml() -> None:
    bottoms = [sum(SOIL_LAYER_THICKNESS[: k + 1]) for k in range(len(SOIL_LAYER_THICKNESS))]
    assert bottoms == pytest.approx(SOIL_LAYER_BOTTOM)


def test_days_carry_their_number_on() -> None:
    part = forcing().days(2, 5)
    assert (part.n_days, part.n_cells, part.first_day) == (3, N_CELLS, 12)
    assert part.days(1, 2).first_day == 13
    assert part.day_of_year.tolist() == [3.0, 4.0, 5.0]


def test_cells_are_the_last_dimension() -> None:
    whole = forcing()
    assert torch.equal(whole.cells(torch.tensor([2, 0])).values, whole.values[..., [2, 0]])
    assert whole.cells(slice(1, 3)).n_cells == 2


def test_precision_moves_floats_only() -> None:
    moved = forcing().to(dtype=torch.float64)
    assert moved.values.dtype == torch.float64
    assert moved.year.dtype == torch.int64
    orders = management().to(dtype=torch.float64)
    assert orders.irrigation_target.dtype == torch.float64
    assert orders.sowing_day.dtype == torch.int64


def test_wrong_shapes_are_refused() -> None:
    whole = forcing()
    with pytest.raises(ValueError, match=r"expected \[time, 10, cell\] with rows tasmin"):
        replace(whole, values=whole.values[:, :4])
    with pytest.raises(ValueError, match="solar_day must have one entry for each of 6 days"):
        replace(whole, solar_day=whole.solar_day[:2])
    flat, layers = torch.zeros(N_CELLS), torch.zeros(4, N_CELLS)
    with pytest.raises(ValueError, match="wilting_point has 4 layers, expected 5"):
        Site(flat, flat, flat, layers, layers, layers, layers, flat)


def test_sowing_days_by_year_and_cell() -> None:
    orders = management()
    assert [orders.sowing_row(year) for year in (1990, 2001, 2002, 2050)] == [0, 0, 1, 1]
    part = orders.cells(torch.tensor([2]))
    assert part.n_cells == 1
    assert part.sowing_day.tolist() == [[120], [121]]


def test_dated_irrigation_follows_the_cells() -> None:
    orders = management(irrigation_dates={7: torch.tensor([0.0, 10.0, 20.0])})
    part = orders.cells(slice(1, 3)).to(dtype=torch.float64)
    assert part.irrigation_dates is not None
    assert part.irrigation_dates[7].tolist() == [10.0, 20.0]
    assert part.irrigation_dates[7].dtype == torch.float64
    assert management().cells(slice(0, 1)).irrigation_dates is None
