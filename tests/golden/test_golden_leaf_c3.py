"""C3 leaf against plantecophys 1.4-6 (Duursma 2015, doi:10.1371/journal.pone.0143346).

Its defaults: Vcmax25 50, Jmax25 100, Rd25 0.92 with Q10 1.92, 100 kPa, VPD 1.5 kPa, CO2 400
umol mol-1, g1 4, conductance ratio 1.57, curvature 0.9999. The tables in this file were printed
by the same runs; the files in ../shared hold more rows.
"""

import math

import pytest
import torch
from shared import columns

from neuralcrop.core.constants import WATER_TO_CO2_DIFFUSIVITY_PLANTECOPHYS as RATIO
from neuralcrop.physics import photosynthesis_c3 as c3
from neuralcrop.physics import stomata

pytestmark = pytest.mark.golden

THETA = 1.0 - 1e-4


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def assert_close(actual, expected, rtol=1e-6, atol=1e-6):
    expected = f64(*expected) if isinstance(expected, tuple) else expected
    torch.testing.assert_close(actual, expected, rtol=rtol, atol=atol)


def leaf(t, par, vcmax=50.0, jmax=100.0):
    """Capacities and kinetics at leaf temperature: vcmax, j, gamma_star, km, rd."""
    vcmax = vcmax * c3.peaked_arrhenius(t, 58550.0, 629.26)
    jmax = jmax * c3.peaked_arrhenius(t, 29680.0, 631.88)
    gamma_star, km = c3.kinetics(t, 100.0)
    rd = 0.92 * torch.exp(math.log(1.92) * (t - 25.0) / 10.0)
    return vcmax, c3.electron_transport(par, jmax), gamma_star, km, rd


def at_ci(t, par, ci):
    vcmax, j, gamma_star, km, rd = leaf(t, par)
    return c3.assimilation_at_ci(vcmax, j, ci, gamma_star, km, rd, THETA)


def at_conductance(t, par, ca, gs):
    vcmax, j, gamma_star, km, rd = leaf(t, par)
    return c3.assimilation_at_conductance(vcmax, j, ca, gs / RATIO, gamma_star, km, rd, THETA)


def coupled(t, par, ca, slope, g0=0.0, vcmax=50.0, jmax=100.0):
    vcmax, j, gamma_star, km, rd = leaf(t, par, vcmax, jmax)
    return stomata.coupled_assimilation(vcmax, j, ca, slope, g0, gamma_star, km, rd, THETA, RATIO)


def medlyn(t, par, ca, vpd, g0=0.0, g1=4.0, **capacities):
    return coupled(t, par, ca, stomata.medlyn_slope(g1, vpd, ca), g0, **capacities)


def test_kinetics_table():
    t = f64(5.0, 15.0, 25.0, 35.0, 45.0)
    gamma_star, km = c3.kinetics(t, 100.0)
    assert_close(gamma_star, (14.2680974, 25.172165, 42.75, 70.1492228, 111.580555), 1e-8)
    assert_close(km, (128.043868, 300.330509, 710.320259, 1682.0128, 3945.11335), 1e-8)
    vcmax, jmax = c3.peaked_arrhenius(t, 58550.0, 629.26), c3.peaked_arrhenius(t, 29680.0, 631.88)
    assert_close(vcmax, (0.184214169, 0.4433525, 1.0, 1.9829894, 2.13847662), 1e-8, 1e-8)
    assert_close(jmax, (0.426671341, 0.665730559, 1.0, 1.32074285, 0.864710389), 1e-8, 1e-8)
    gamma_star, km = c3.kinetics(f64(25.0), 101.325)
    assert_close(gamma_star, (43.3164375,), 1e-9)
    assert_close(km, (714.367077,), 1e-9)


def test_electron_transport_table():
    j = c3.electron_transport(f64(50.0, 250.0, 1000.0, 2000.0), f64(100.0))
    assert_close(j, (11.7647059, 51.6993968, 91.5347711, 96.3687995), 1e-8)


def test_aci_table():
    ci = f64(50.0, 100.0, 200.0, 300.0, 400.0, 600.0, 1000.0, 1500.0)
    expected = (
        -0.443255896, 2.612224732, 7.715387906, 11.805898879, 15.149115360, 18.348444714,
        19.996559450, 20.882495389,
    )  # fmt: skip
    assert_close(at_ci(f64(25.0), f64(1500.0), ci).net, expected, 1e-9)


def test_given_conductance_table():
    gs = f64(0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 1.0)
    leaf_rates = at_conductance(f64(25.0), f64(1500.0), f64(400.0), gs)
    expected = (
        1.97543228, 3.59406034, 6.91493852, 9.74245132, 12.0120765, 13.4623861, 14.4463212,
    )  # fmt: skip
    assert_close(leaf_rates.net, expected, 1e-8)
    ci = c3.intercellular_co2(f64(400.0), leaf_rates.net, gs / RATIO)
    assert_close(ci, (89.857, 117.866, 182.871, 247.044, 305.705, 347.160, 377.319), 5e-6)


# fmt: off
COUPLED = [
    # T, PAR, Ca, VPD, net, conductance
    (25.0, 1500.0, 400.0, 1.5, 12.0341148, 0.201499173),
    (25.0, 1500.0, 400.0, 0.5, 13.2192134, 0.345393629),
    (25.0, 1500.0, 400.0, 4.0, 10.5359371, 0.12406066),
    (25.0, 1500.0, 280.0, 1.5, 8.35762216, 0.199914),
    (25.0, 1500.0, 550.0, 1.5, 15.7722159, 0.192065),
    (25.0, 1500.0, 700.0, 1.5, 17.8736622, 0.171015),
    (25.0, 1500.0, 810.0, 1.5, 18.4773073, 0.152782),
    (10.0, 1500.0, 400.0, 1.5, 7.88931593, None),
    (15.0, 1500.0, 400.0, 1.5, 9.7882661, None),
    (20.0, 1500.0, 400.0, 1.5, 11.2859802, None),
    (30.0, 1500.0, 400.0, 1.5, 11.726869, None),
    (35.0, 1500.0, 400.0, 1.5, 10.0035463, None),
    (40.0, 1500.0, 400.0, 1.5, 6.43794729, None),
    (25.0, 0.0, 400.0, 1.5, -0.92, 0.0),
    (25.0, 25.0, 400.0, 1.5, 0.0794335813, None),
    (25.0, 50.0, 400.0, 1.5, 1.0582301, None),
    (25.0, 100.0, 400.0, 1.5, 2.94269239, None),
    (25.0, 200.0, 400.0, 1.5, 6.32683642, None),
    (25.0, 500.0, 400.0, 1.5, 11.9720781, None),
]
# fmt: on


@pytest.mark.parametrize(("t", "par", "ca", "vpd", "net", "conductance"), COUPLED)
def test_coupled_table(t, par, ca, vpd, net, conductance):
    result = medlyn(f64(t), f64(par), f64(ca), f64(vpd))
    assert_close(result.net, (net,))
    if conductance is not None:
        assert_close(result.conductance, (conductance,), 3e-6)


def test_coupled_crop_table():
    result = medlyn(
        f64(25.0), f64(1500.0), f64(400.0, 550.0, 700.0), f64(1.2), g1=5.79, vcmax=100.0, jmax=180.0
    )
    assert_close(result.net, (26.7953162, 29.8144951, 31.5802242))
    assert_close(result.conductance, (0.661058579, 0.534940919, 0.445203141))


def test_coupled_ci_with_residual_conductance():
    vcmax, _, gamma_star, km, rd = leaf(f64(25.0), f64(1500.0))
    slope = stomata.medlyn_slope(4.0, f64(1.5), 400.0)
    ci = stomata.coupled_ci(vcmax, km, f64(400.0), slope, 0.01 / RATIO, gamma_star, rd)
    assert_close(ci, (310.611449,), 1e-8)


def test_coupled_transpiration():
    result = medlyn(f64(25.0), f64(1500.0), f64(400.0), f64(1.5))
    assert_close(1000.0 * result.conductance * 1.5 / 100.0, (3.0224876,))
    assert_close(result.ci, (306.235049,), 1e-8)


def test_ball_berry_and_leuning():
    t, par, ca, vpd = f64(25.0), f64(1500.0), f64(400.0), f64(1.5)
    # plantecophys has its own saturation vapour pressure (Pa, 100 kPa)
    humidity = 1.0 - vpd / 3.180319
    slope = stomata.ball_berry_slope(9.0, humidity, ca, RATIO)
    result = coupled(t, par, ca, slope, 0.01)
    assert_close(result.net, (10.9522781,))
    assert_close(result.ci, (277.349167,))
    assert_close(result.conductance, (0.140199114,))
    # plantecophys leaves the compensation point out of the equation of Leuning
    slope = stomata.leuning_slope(9.0, vpd, 1.5, ca, 0.0, RATIO)
    result = coupled(t, par, ca, slope, 0.01)
    assert_close(result.net, (10.7111473,))
    assert_close(result.ci, (271.134764,))
    assert_close(result.conductance, (0.130500407,))


def test_kinetics_file():
    data = columns("data", "science_fixtures", "leaf_c3_kinetics.csv")
    gamma_star, km = c3.kinetics(data["T"], 100.0)
    assert_close(gamma_star, data["Gstar"], 1e-10)
    assert_close(km, data["Km"], 1e-10)
    assert_close(c3.peaked_arrhenius(data["T"], 58550.0, 629.26), data["fV"], 1e-10)
    assert_close(c3.peaked_arrhenius(data["T"], 29680.0, 631.88), data["fJ"], 1e-10)


def test_aci_file():
    data = columns("data", "science_fixtures", "leaf_c3_aci.csv")
    result = at_ci(data["Tleaf"], data["PPFD"], data["Ci"])
    assert_close(result.net, data["ALEAF"])
    assert_close(result.rubisco, data["Ac"])
    assert_close(result.electron, data["Aj"])


def test_given_conductance_file():
    data = columns("data", "science_fixtures", "leaf_c3_given_gs.csv")
    result = at_conductance(data["Tleaf"], data["PPFD"], data["Ca"], data["GS"])
    assert_close(result.net, data["ALEAF"])
    ci = c3.intercellular_co2(data["Ca"], result.net, data["GS"] / RATIO)
    assert_close(ci, data["Ci"], 1e-5)


def test_coupled_file():
    data = columns("data", "science_fixtures", "leaf_c3_coupled_medlyn.csv")
    result = medlyn(data["Tleaf"], data["PPFD"], data["Ca"], data["VPD"], data["g0"])
    assert_close(result.net, data["ALEAF"])
    assert_close(result.conductance, data["GS"], 1e-6, 1e-6)


def test_photogea():
    """PhotoGEA, Rubisco- then light- then TPU-limited, its hard minimum."""
    c = f64(50.0, 100.0, 150.0, 200.0, 300.0, 400.0, 600.0)
    vcmax, j = f64(90.0 * 1.00129422), f64(160.0 * 1.00101964)
    km = f64(259.9 * (1.0 + 210.0 / 179.0))
    rd, tpu = f64(1.00106953), f64(11.0 * 1.00093275)
    result = c3.assimilation_at_ci(vcmax, j, c, f64(38.6), km, rd, 1.0, tpu)
    expected = (
        0.669896853, 7.321829851, 13.043176081, 18.016448719, 26.237781832, 29.323196995,
        32.029711089,
    )  # fmt: skip
    assert_close(result.net, expected, 1e-7)
