"""Two-leaf canopy and thermal acclimation against pyrealm 2.0.0."""

import math

import pytest
import torch
from shared import columns

from neuralcrop.core.constants import GAS_CONSTANT_PYREALM
from neuralcrop.physics import canopy, photosynthesis_c3, radiation

pytestmark = pytest.mark.golden


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def two_leaf(elevation, par, lai):
    sine = torch.sin(elevation * (math.pi / 180.0))
    diffuse = radiation.diffuse_fraction_clear(sine, 101.325)
    result = canopy.two_leaf_irradiance(par * (1.0 - diffuse), par * diffuse, lai, sine)
    return diffuse, canopy.beam_extinction(sine), result


def test_two_leaf_table():
    """PAR 1500 umol m-2 s-1, LAI 3."""
    diffuse, kb, result = two_leaf(f64(10.0, 30.0, 45.0, 60.0, 80.0), f64(1500.0), f64(3.0))
    # fmt: off
    expected = (
        (diffuse, (0.70578487, 0.28354407, 0.20122041, 0.1642375, 0.14432841)),
        (kb, (2.87938524, 1.0, 0.70710678, 0.57735027, 0.50771331)),
        (canopy.canopy_beam_reflectance(kb),
         (0.05849895, 0.03979396, 0.03308072, 0.02928918, 0.026978)),
        (result.total, (1317.87335, 1329.18487, 1251.27815, 1179.64391, 1125.86566)),
        (result.sunlit, (590.508958, 1075.799444, 1084.794706, 1052.117557, 1019.085341)),
        (result.shaded, (727.36439, 253.385428, 166.483445, 127.526348, 106.780317)),
    )
    # fmt: on
    for actual, values in expected:
        torch.testing.assert_close(actual, f64(*values), rtol=1e-7, atol=1e-8)


def test_two_leaf_file():
    data = columns("data", "science_fixtures", "two_leaf_irradiance.csv")
    diffuse, kb, result = two_leaf(data["elev_deg"], data["ppfd"], data["lai"])
    pairs = {
        "fraction_of_diffuse_radiation": diffuse,
        "beam_extinction_coef": kb,
        "scattered_beam_extinction_coef": canopy.scattered_beam_extinction(kb),
        "beam_reflectance": canopy.canopy_beam_reflectance(kb),
        "canopy_irradiance": result.total,
        "sunlit_absorbed_irradiance": result.sunlit,
        "shaded_absorbed_irradiance": result.shaded,
    }
    for name, actual in pairs.items():
        torch.testing.assert_close(actual, data[name], rtol=1e-10, atol=1e-10)


def kattge_knorr(growth, leaf):
    """Pyrealm does not limit the growth temperature to the range of the data."""
    return photosynthesis_c3.kattge_knorr_factors(growth, leaf, GAS_CONSTANT_PYREALM, (0.0, 50.0))


def test_kattge_knorr_table():
    growth = f64(10.0, 10.0, 20.0, 25.0, 30.0, 35.0)
    leaf = f64(20.0, 35.0, 30.0, 35.0, 40.0, 10.0)
    vcmax, jmax = kattge_knorr(growth, leaf)
    expected_v = f64(0.701093, 0.802948, 1.399153, 1.861631, 2.310122, 0.218689)
    expected_j = f64(0.764596, 0.863224, 1.249269, 1.432553, 1.451718, 0.348177)
    torch.testing.assert_close(vcmax, expected_v, rtol=2e-6, atol=0.0)
    torch.testing.assert_close(jmax, expected_j, rtol=2e-6, atol=0.0)


def test_kattge_knorr_file():
    data = columns("data", "science_fixtures", "kattge_knorr.csv")
    vcmax, jmax = kattge_knorr(data["Tgrowth"], data["Tleaf"])
    torch.testing.assert_close(vcmax, data["f_vcmax"], rtol=1e-8, atol=0.0)
    torch.testing.assert_close(jmax, data["f_jmax"], rtol=1e-8, atol=0.0)


def test_kinetics_table():
    """Partial pressures (Pa) at 101.325 kPa."""
    gamma_star, km = photosynthesis_c3.kinetics_pressure(f64(5.0, 15.0, 25.0, 35.0), 101.325)
    expected = f64(1.44592928, 2.55086063, 4.332, 7.10824287)
    torch.testing.assert_close(gamma_star, expected, rtol=1e-8, atol=0.0)
    expected = f64(12.84840925, 30.04426226, 70.84225158, 167.30157351)
    torch.testing.assert_close(km, expected, rtol=1e-8, atol=0.0)
