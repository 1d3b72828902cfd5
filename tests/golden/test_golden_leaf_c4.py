"""C4 leaf against plantecophys 1.4-6 (AciC4 with its defaults)."""

import pytest
import torch
from shared import columns

from neuralcrop.physics import photosynthesis_c4 as c4

pytestmark = pytest.mark.golden


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


@pytest.mark.parametrize(
    ("ci", "par", "t", "expected"),
    [
        (
            f64(10.0, 20.0, 50.0, 100.0, 150.0, 200.0, 400.0),
            1500.0,
            25.0,
            f64(11.2240543, 21.0779537, 39.1732455, 49.4167957, 52.1294569, 52.2804532, 52.3747505),
        ),
        (
            f64(150.0),
            1500.0,
            f64(10.0, 20.0, 30.0, 40.0),
            f64(14.4770081, 37.0937684, 58.3059817, 41.4784119),
        ),
        (
            f64(150.0),
            f64(100.0, 300.0, 600.0, 1000.0),
            25.0,
            f64(6.21703221, 20.7886271, 37.4912498, 50.3071431),
        ),
    ],
)
def test_von_caemmerer_table(ci, par, t, expected):
    par = par if isinstance(par, torch.Tensor) else f64(par)
    t = t if isinstance(t, torch.Tensor) else f64(t)
    net = c4.von_caemmerer_assimilation(ci, par, t).net
    torch.testing.assert_close(net, expected, rtol=1e-8, atol=1e-8)


def test_von_caemmerer_file():
    data = columns("data", "science_fixtures", "leaf_c4_aci.csv")
    result = c4.von_caemmerer_assimilation(data["Ci"], data["PPFD"], data["Tleaf"])
    close = {"rtol": 1e-10, "atol": 1e-9}
    torch.testing.assert_close(result.net, data["ALEAF"], **close)
    torch.testing.assert_close(result.carboxylation, data["Ac"] + data["Rd"], **close)
    torch.testing.assert_close(result.capacity, data["Aj"] + data["Rd"], **close)
