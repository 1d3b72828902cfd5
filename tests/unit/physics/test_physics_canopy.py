"""Identities and check values of the canopy."""

import torch

from neuralcrop.physics import canopy


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def close(actual, *expected, rtol=1e-6, atol=1e-12):
    torch.testing.assert_close(actual.reshape(-1), f64(*expected), rtol=rtol, atol=atol)


def test_fraction_absorbed():
    """Beer's law with k 0.5, and the linear special case of LPJmL for maize."""
    lai = f64(1.0, 3.0, 5.0)
    close(canopy.fraction_absorbed(lai, 0.5), 0.393469, 0.776870, 0.917915)
    close(canopy.fraction_absorbed_lpjml_maize(lai), 0.2534, 0.7650, 1.0)
    close(canopy.fraction_absorbed(f64(1e-12), 0.5) / 1e-12, 0.5)


def test_thin_canopy_absorbs_in_proportion_to_its_leaves():
    lai = f64(1e-8, 1e-7)
    result = canopy.two_leaf_irradiance(f64(1000.0), f64(300.0), lai, f64(0.7))
    per_leaf = result.total / lai
    torch.testing.assert_close(per_leaf[0], per_leaf[1], rtol=1e-6, atol=0.0)
    torch.testing.assert_close(result.sunlit_lai, lai, rtol=1e-6, atol=0.0)
    bare = canopy.two_leaf_irradiance(f64(1000.0), f64(300.0), f64(0.0), f64(0.7))
    assert all((value == 0.0).all() for value in bare)


def test_dense_canopy_absorbs_all_but_its_reflectance():
    sine = f64(0.7)
    result = canopy.two_leaf_irradiance(f64(1000.0), f64(300.0), f64(60.0), sine)
    reflectance = canopy.canopy_beam_reflectance(canopy.beam_extinction(sine))
    close(result.total, ((1.0 - reflectance) * 1000.0 + (1.0 - 0.036) * 300.0).item())
    close(result.sunlit_lai, 1.4)
    close(canopy.sunlit_area(f64(60.0), canopy.beam_extinction(sine)), 1.4)


def test_capacity_is_shared_between_the_leaf_classes():
    kb = canopy.beam_extinction(f64(0.5))
    sunlit, shaded = canopy.canopy_capacity(f64(100.0), f64(3.0), 0.4, kb)
    close(sunlit + shaded, 100.0 * (1.0 - torch.exp(f64(-1.2))).item() / 0.4)
    close(sunlit, 100.0 * (1.0 - torch.exp(f64(-4.2))).item() / 1.4)


def test_quadrature_over_the_day_has_converged():
    """Three and five Gauss points agree within 1 % on absorbed light and a saturating response."""
    from neuralcrop.physics import radiation

    sun = radiation.solar_geometry(f64(0.6), f64(0.8), f64(150.0))
    totals = []
    for n in (3, 5):
        hours, weights = radiation.gauss_hours(sun.day_length, n)
        sine = radiation.sin_elevation(sun, hours)
        par = radiation.instantaneous_radiation(f64(40e6), sine, sun.sine_integral)
        leaves = canopy.two_leaf_irradiance(0.6 * par, 0.4 * par, f64(4.0), sine)
        response = leaves.sunlit / (leaves.sunlit + 500.0) + leaves.shaded / (leaves.shaded + 500.0)
        totals.append((weights * response).sum())
    torch.testing.assert_close(totals[0], totals[1], rtol=1e-2, atol=0.0)
