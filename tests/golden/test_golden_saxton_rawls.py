"""Pedotransfer functions against table 3 of Saxton & Rawls (2006), 2.5 % organic matter."""

import pytest
import torch
from shared import columns

from neuralcrop.physics.soil_hydraulics import saxton_rawls

pytestmark = pytest.mark.golden

# sand, clay (%); wilting point, field capacity, saturation (%), Ks (mm h-1), density (g cm-3)
PRINTED = {
    "sand": (88, 5, 5, 10, 46, 108.1, 1.43),
    "loam": (40, 20, 14, 28, 46, 15.5, 1.43),
    "clay": (25, 50, 30, 42, 50, 1.1, 1.33),
}


@pytest.mark.parametrize("name", PRINTED)
def test_printed_digits(name):
    sand, clay, wilting, capacity, saturation, ksat, density = PRINTED[name]
    inputs = torch.tensor([sand, clay], dtype=torch.float64) / 100.0
    soil = saxton_rawls(inputs[0], inputs[1], 2.5)
    assert round(100.0 * soil.wilting_point.item()) == wilting
    assert round(100.0 * soil.field_capacity.item()) == capacity
    assert round(100.0 * soil.saturation.item()) == saturation
    assert round(soil.ksat.item(), 1) == ksat
    assert round(soil.density.item(), 2) == density


def test_calculated_digits():
    """The equations of the paper, computed once with more digits."""
    sand = torch.tensor([0.88, 0.40, 0.20], dtype=torch.float64)
    clay = torch.tensor([0.05, 0.20, 0.15], dtype=torch.float64)
    soil = saxton_rawls(sand, clay, 2.5)
    close = {"rtol": 0.0, "atol": 6e-6}
    expected = torch.tensor([0.05022, 0.13702, 0.10986], dtype=torch.float64)
    torch.testing.assert_close(soil.wilting_point, expected, **close)
    expected = torch.tensor([0.10283, 0.27961, 0.30518], dtype=torch.float64)
    torch.testing.assert_close(soil.field_capacity, expected, **close)
    expected = torch.tensor([0.46172, 0.45948, 0.47872], dtype=torch.float64)
    torch.testing.assert_close(soil.saturation, expected, **close)


def test_lpjml_variant():
    """LPJmL squares the coefficient too: field capacity of loam 31.1, clay 47.5 % (not 28, 42)."""
    inputs = torch.tensor([[0.40, 0.25], [0.20, 0.50]], dtype=torch.float64)
    capacity = saxton_rawls(inputs[0], inputs[1], 2.5, variant="lpjml").field_capacity
    expected = torch.tensor([0.311, 0.475], dtype=torch.float64)
    torch.testing.assert_close(capacity, expected, rtol=0.0, atol=5e-4)


def test_table_file():
    data = columns("data", "science_fixtures", "saxton_rawls_table3.csv")
    soil = saxton_rawls(data["sand_pct"] / 100.0, data["clay_pct"] / 100.0, data["om_pct"])
    close = {"rtol": 1e-6, "atol": 1e-6}
    torch.testing.assert_close(100.0 * soil.wilting_point, data["calc_wp"], **close)
    torch.testing.assert_close(100.0 * soil.field_capacity, data["calc_fc"], **close)
    torch.testing.assert_close(100.0 * soil.saturation, data["calc_sat"], **close)
    torch.testing.assert_close(soil.ksat, data["calc_ks"], **close)
    torch.testing.assert_close(soil.density, data["calc_density"], **close)
    torch.testing.assert_close(100.0 * soil.wilting_point, data["pub_wp"], rtol=0.0, atol=0.501)
    torch.testing.assert_close(soil.ksat, data["pub_ks_mmh"], rtol=0.0, atol=0.0501)
