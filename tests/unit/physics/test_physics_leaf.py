"""Check values and limits of leaf photosynthesis and stomata."""

import torch

from neuralcrop.physics import photosynthesis_c3 as c3
from neuralcrop.physics import photosynthesis_c4 as c4
from neuralcrop.physics import stomata


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def close(actual, *expected, rtol=1e-6):
    torch.testing.assert_close(actual.reshape(-1), f64(*expected), rtol=rtol, atol=1e-12)


def test_medlyn_ci_ratio():
    """The closed form g1 / (g1 + sqrt D), g1 4 (plantecophys agrees)."""
    ratio = stomata.medlyn_ci_ratio(4.0, f64(0.5, 1.0, 1.5, 2.0, 3.0, 4.0))
    close(ratio, 0.849779, 0.8, 0.765588, 0.738796, 0.697831, 0.666667)


def test_medlyn_conductance_follows_from_the_ci_ratio():
    net, ca, vpd = f64(12.0341148), f64(400.0), f64(1.5)
    conductance = stomata.medlyn_conductance(net, ca, 4.0, vpd, ratio=1.57)
    close(conductance, 0.201499173)
    ci = ca - net / (conductance / 1.57)
    close(ci / ca, stomata.medlyn_ci_ratio(4.0, vpd).item(), rtol=1e-12)
    close(stomata.medlyn_conductance(-net, ca, 4.0, vpd, 0.01), 0.01)


def test_conductance_and_ci_describe_the_same_leaf():
    """Assimilation at the conductance that a ci implies gives back that assimilation."""
    vcmax, j, rd = f64(60.0, 60.0), f64(90.0, 250.0), f64(0.9, 0.9)
    gamma_star, km, ca = f64(42.75), f64(710.3), f64(400.0)
    at_ci = c3.assimilation_at_ci(vcmax, j, f64(280.0, 280.0), gamma_star, km, rd, 1.0)
    gc = at_ci.net / (ca - 280.0)
    back = c3.assimilation_at_conductance(vcmax, j, ca, gc, gamma_star, km, rd, 1.0)
    torch.testing.assert_close(back.net, at_ci.net, rtol=1e-8, atol=1e-8)
    close(c3.intercellular_co2(ca, back.net, gc), 280.0, 280.0, rtol=1e-8)


def test_dark_leaf_respires():
    rates = c3.assimilation_at_conductance(
        f64(60.0), f64(0.0), f64(400.0), f64(0.1), f64(42.75), f64(710.3), f64(0.9), 0.98
    )
    close(rates.net, -0.9)
    rates = c4.assimilation_at_conductance(
        f64(60.0), f64(0.0), f64(400.0), f64(0.1), f64(0.7), f64(0.9)
    )
    close(rates.net, -0.9)


def test_closed_stomata_stop_assimilation():
    arguments = (f64(400.0), f64(0.0), f64(42.75), f64(710.3), f64(0.9), 0.98)
    assert c3.assimilation_at_conductance(f64(60.0), f64(100.0), *arguments).net < 1e-3


def test_arrhenius_is_one_at_25_degrees():
    close(c3.arrhenius(f64(25.0), 65330.0), 1.0, rtol=1e-15)
    close(c3.peaked_arrhenius(f64(25.0), 58550.0, 629.26), 1.0, rtol=1e-15)
    close(c4.temperature_factor(f64(25.0)), 1.0, rtol=1e-15)
    close(c4.respiration_factor(f64(25.0)), 1.0, rtol=1e-15)


def test_jmax_to_vcmax_ratio():
    close(c3.jmax_to_vcmax_ratio(f64(20.0, 40.0)), 1.89, 1.365)


def test_tpu_rate_is_constant_without_glycolate_export():
    close(c3.tpu_rate(f64(11.0), f64(20.0, 43.0, 600.0), f64(42.75)), 33.0, 33.0, 33.0)
    exported = c3.tpu_rate(f64(11.0), f64(600.0), f64(42.75), 0.5)
    close(exported, 33.0 * (600.0 - 42.75) / (600.0 - 2.5 * 42.75))


def test_c4_limits():
    """Each of the three limits of Collatz et al. (1992) alone, with sharp co-limitation."""
    big = f64(1e4)
    rd, k = f64(1.0), f64(0.7)
    close(c4.assimilation_at_ci(f64(40.0), big, big, k, rd, 1.0, 1.0).net, 39.0)
    close(c4.assimilation_at_ci(big, f64(30.0), big, k, rd, 1.0, 1.0).net, 29.0)
    close(c4.assimilation_at_ci(big, big, f64(20.0), k, rd, 1.0, 1.0).net, 13.0)
    gc = f64(0.1)
    net = c4.assimilation_at_conductance(big, big, f64(400.0), gc, k, rd, 1.0, 1.0).net
    close(net, (0.7 * 400.0 - 1.0) / (1.0 + 0.7 / 0.1))
    close(k * (400.0 - net / gc) - rd, net.item())
