"""Soil functions against numbers of LPJmL 5.10.0 and 6.0.6."""

import pytest
import torch
from shared import columns, shared_file

from neuralcrop.physics import respiration, soil_nitrogen

pytestmark = pytest.mark.golden


def test_volatilisation_file():
    data = columns("data", "golden_lpjml510", "volatilization.csv")
    rate = soil_nitrogen.volatilisation_rate(
        data["wind"], data["temp"], data["pH"], data["length"])
    torch.testing.assert_close(rate * data["NH4"], data["volatilization"], rtol=2e-7, atol=0.0)


def test_decay_temperature_file():
    """The response that decay shares with respiration, version 5."""
    data = columns("data", "golden_lpjml510", "temp_functions.csv")
    factor = respiration.lpjml_temperature_response(data["temp"], 56.02, -40.0)
    torch.testing.assert_close(factor, data["gtemp(56.02)"], rtol=2e-7, atol=0.0)


def test_decay_temperature_version_6():
    lines = shared_file("data", "science_fixtures", "lpjml606_functions.txt").read_text()
    rows = [line.split() for line in lines.splitlines() if line.startswith("tresp ")]
    assert len(rows) > 10
    t, expected = (torch.tensor([float(row[k]) for row in rows]).double() for k in (1, 2))
    factor = respiration.lpjml_temperature_response(t, 46.02, -15.0)
    torch.testing.assert_close(factor, expected, rtol=1e-6, atol=6e-9)
