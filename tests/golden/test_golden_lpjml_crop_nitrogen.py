"""Crop nitrogen against LPJmL 6.0.6: its C functions, run once by a harness."""

import pytest
import torch
from shared import shared_file

from neuralcrop.physics import nitrogen_demand, nitrogen_uptake

pytestmark = pytest.mark.golden


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def test_response_of_uptake_to_temperature():
    lines = shared_file("data", "science_fixtures", "lpjml606_functions.txt").read_text()
    rows = [line.split() for line in lines.splitlines() if line.startswith("tresp ")]
    assert len(rows) == 14
    temperature = f64(*(float(row[1]) for row in rows))
    expected = f64(*(float(row[4]) for row in rows))
    actual = nitrogen_uptake.temperature_response(temperature)
    torch.testing.assert_close(actual, expected, rtol=0.0, atol=5e-9)


def test_printed_responses_to_temperature():
    actual = nitrogen_uptake.temperature_response(f64(-20.0, 0.0, 10.0, 15.0, 25.0, 35.0))
    expected = f64(0.234375, 0.859375, 0.984375, 1.0, 0.9375, 0.75)
    torch.testing.assert_close(actual, expected, rtol=1e-14, atol=0.0)


def test_allocation_over_organs():
    """Leaves, roots, storage and the mobile pool; C code of LPJmL."""
    actual = nitrogen_demand.allocate_by_ratio(
        f64(6.0), f64(60.0, 40.0, 80.0, 30.0).unsqueeze(-1),
        f64(1.0, 1.16, 0.99, 3.0).unsqueeze(-1))
    expected = f64(1.9428915164, 1.1166043198, 2.6166889110, 0.3238152527).unsqueeze(-1)
    torch.testing.assert_close(actual, expected, rtol=1e-9, atol=0.0)


def test_uptake_of_nitrate():
    """By hand: 2 g m-2 in 200 mm of porosity 0.46 at 10 degC, 70 % of 50 g m-2 root carbon."""
    response = nitrogen_uptake.temperature_response(f64(10.0))
    actual = nitrogen_uptake.uptake_capacity(
        f64(2.0), f64(35.0), f64(0.46 * 0.2), 1.5, 0.70, 0.05, response)
    torch.testing.assert_close(actual, f64(0.0526515), rtol=0.0, atol=5e-8)


def test_leaf_nitrogen_of_a_capacity():
    """By hand: capacity 60 g C m-2 d-1 at 20 degC, 60 g m-2 leaf carbon of C:N at most 58.8."""
    actual = nitrogen_demand.leaf_nitrogen_from_capacity(
        f64(60.0), f64(20.0), f64(60.0), f64(1.0 / 58.8))
    torch.testing.assert_close(actual, f64(3.066284), rtol=0.0, atol=5e-7)
