"""Check values of the transformations of mineral nitrogen, computed from their equations."""

import math

import pytest
import torch

from neuralcrop.core import numerics
from neuralcrop.physics import soil_nitrogen


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def close(actual, *expected, rtol=0.0, atol=6e-7):
    torch.testing.assert_close(actual.reshape(-1), f64(*expected), rtol=rtol, atol=atol)


def test_nitrification_moisture():
    medium = soil_nitrogen.nitrification_moisture(
        f64(0.1, 0.2, 0.3, 0.45, 0.6, 0.8, 0.95), f64(0.3))
    close(medium, 0.085962, 0.393875, 0.753053, 1.0, 0.795018, 0.286314, 0.063505, atol=3e-6)
    coarse = soil_nitrogen.nitrification_moisture(f64(0.3, 0.6), f64(1.0))
    close(coarse, 0.543102, 0.981456, atol=4e-5)
    ends = soil_nitrogen.nitrification_moisture(f64(0.0, 1.0, -0.2, 1.4), f64(0.3))
    assert (ends < 0.04).all()
    assert (ends[[0, 2]] < 1e-9).all()  # dry: only the share of coarse soil is left


@pytest.mark.parametrize(
    ("width", "t", "expected"),
    [(5.26, (10.0, 15.0, 25.0, 35.0), (0.247513, 0.771373, 0.498118, 0.008664)),
     (8.26, (0.0, 10.0, 25.0), (0.075215, 0.567665, 0.753811))],
)
def test_nitrification_temperature(width, t, expected):
    close(soil_nitrogen.nitrification_temperature(f64(*t), 18.79, width), *expected)


def test_nitrification_ph():
    factor = soil_nitrogen.nitrification_ph(f64(4.0, 5.0, 6.0, 7.0, 8.0))
    close(factor, 0.255966, 0.56, 0.864034, 0.951791, 0.986293)


def test_denitrification():
    t = soil_nitrogen.denitrification_temperature(f64(5.0, 10.0, 20.0, 30.0, 38.0, 45.0))
    close(t, 0.082719, 0.190075, 0.522569, 0.906864, 0.953375, 0.207538)
    close(soil_nitrogen.denitrification_temperature(f64(-30.0, 0.0, 46.0, 60.0)),
          0.0326, 0.0326, 0.0, 0.0)
    w = soil_nitrogen.denitrification_moisture(f64(0.8, 0.9, 0.95, 1.0, 2.0))
    close(w, 0.0124527, 0.1009723, 0.2875229, 0.8187335, 0.8187335, atol=6e-8)
    close(10.0 * soil_nitrogen.denitrification_rate(w[1:2], t[2:3], f64(3000.0)), 1.009723)


def test_volatilisation():
    """Printed by the C functions of LPJmL 6.0.6."""
    close(soil_nitrogen.ammonia_fraction(f64(20.0), f64(7.0)), 0.0034515083, atol=6e-11)
    close(soil_nitrogen.ammonia_henry(f64(20.0)), 0.00057601788, atol=6e-12)
    close(soil_nitrogen.ammonia_transfer(f64(2.0), f64(20.0), 100.0), 0.0037153845, atol=6e-11)
    flux = 5.0 * soil_nitrogen.volatilisation_rate(f64(2.0), f64(20.0), f64(6.0, 7.0, 8.0), 100.0)
    close(flux, 0.0016004923, 0.015955206, 0.15474512, rtol=1e-7)


def test_immobilisation():
    """10 g of carbon with 0.2 g of nitrogen need 10 / 15 - 0.2 g; rich litter needs none."""
    demand = soil_nitrogen.immobilisation_demand(f64(10.0), f64(0.2, 1.0), 15.0)
    close(demand, 10.0 / 15.0 - 0.2, 0.0, atol=1e-12)
    limit = soil_nitrogen.immobilisation_limit(f64(0.0, 0.001, 5.0), 0.2, 0.005)
    close(limit, 0.0, 0.5, 5.0 / 5.001, atol=1e-12)
    share = soil_nitrogen.ammonium_share(f64(3.0, 0.0, 0.0), f64(1.0, 2.0, 0.0))
    close(share, 0.75, 0.0, 0.0, atol=1e-12)


def test_leaching():
    """Over a day with nothing else the mobile share leaves: 30 mm through 0.6 x 92 mm."""
    rate = soil_nitrogen.leaching_rate(f64(0.0, 30.0, 1e4), f64(92.0), 0.4)
    left = numerics.donor_limit(f64(4.0), rate, 1.0)
    close(left, 0.0, 4.0 * (1.0 - math.exp(-30.0 / 55.2)), 4.0, atol=1e-12)
