"""Check values of phenology, respiration, allocation, leaf area and damage."""

import math

import pytest
import torch

from neuralcrop.physics import allocation, damage, leaf_area, phenology, respiration


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def close(actual, *expected, rtol=1e-6, atol=1e-12):
    torch.testing.assert_close(actual.reshape(-1), f64(*expected), rtol=rtol, atol=atol)


def digits(actual, *expected, places=6):
    """Agreement with printed decimals."""
    close(actual, *expected, rtol=0.0, atol=0.51 * 10.0**-places)


def test_yin_beta():
    t = f64(10.0, 15.0, 20.0, 25.0, 30.0, 35.0, 40.0)
    expected = (0.155222, 0.495193, 0.759180, 0.934407, 1.0, 0.914659, 0.547370)
    digits(phenology.yin_beta(t, 8.0, 30.0, 42.0), *expected)
    digits(phenology.yin_beta(f64(20.0), 8.0, 30.0, 42.0, 2.0), 0.576354)
    close(phenology.yin_beta(f64(-5.0, 8.0, 42.0, 50.0), 8.0, 30.0, 42.0), 0.0, 0.0, 0.0, 0.0)


def test_wang_engel():
    t = f64(5.0, 10.0, 15.0, 20.0, 24.0, 30.0)
    expected = (0.108929, 0.360342, 0.665566, 0.918987, 1.0, 0.743214)
    digits(phenology.wang_engel(t, 0.0, 24.0, 35.0), *expected)
    maize = phenology.wang_engel(f64(10.0, 20.0, 30.0, 35.0), 8.0, 28.0, 36.0)
    digits(maize, 0.017342, 0.576363, 0.952935, 0.267885)
    vernalisation = phenology.wang_engel(f64(0.0, 2.0, 8.0, 10.0, 12.0), -1.3, 4.9, 15.7)
    digits(vernalisation, 0.566776, 0.876325, 0.896752, 0.739314, 0.524489)
    close(phenology.wang_engel(f64(-5.0, 0.0, 40.0), 0.0, 24.0, 35.0), 0.0, 0.0, 0.0)


def test_linear_responses():
    t = f64(5.0, 20.0, 30.0, 36.0, 45.0)
    close(phenology.linear_response(t, 8.0, 30.0, 42.0), 0.0, 12.0, 22.0, 11.0, 0.0)
    close(phenology.linear_response(t, 8.0, 30.0, 42.0, 36.0), 0.0, 12.0, 22.0, 22.0, 0.0)
    close(phenology.degree_days(t, 8.0, 30.0), 0.0, 12.0, 22.0, 22.0, 22.0)


def test_vernalisation():
    t = f64(-4.0, -1.0, 0.0, 3.0, 10.0, 13.0, 17.0)
    effect = phenology.vernalisation_trapezoid(t)
    digits(effect, 0.0, 0.42857, 0.57143, 1.0, 1.0, 0.57143, 0.0, places=5)
    close(phenology.vernalisation_factor(f64(5.0, 31.0, 60.0), 10.0, 52.0), 0.0, 0.5, 1.0)


def test_photoperiod():
    digits(
        phenology.photoperiod_wang_engel(f64(7.0, 10.0, 12.0, 16.0), 8.0, 16.0),
        0.0, 0.632121, 0.864665, 0.981684,
    )  # fmt: skip
    close(phenology.photoperiod_linear(f64(7.0, 12.0, 20.0), 8.0, 16.0), 0.0, 0.5, 1.0)
    close(phenology.photoperiod_linear(f64(10.0, 14.0, 17.0), 16.0, 12.0), 1.0, 0.5, 0.0)


def test_stage_step_within_a_stage():
    step = phenology.stage_step(f64(-0.1, 0.3, 1.2), f64(0.02), f64(0.05), f64(0.08))
    close(step.change, 0.02, 0.05, 0.08)
    close(step.emergence_fraction, 1.0, 0.0, 0.0)
    close(step.vegetative_fraction, 0.0, 1.0, 0.0)
    close(step.reproductive_fraction, 0.0, 0.0, 1.0)


def test_stage_step_across_stages():
    step = phenology.stage_step(f64(-0.01, 0.99, 1.98), f64(0.04), f64(0.05), f64(0.08))
    close(step.change, 0.01 + 0.75 * 0.05, 0.01 + 0.8 * 0.08, 0.02)
    close(step.emergence_fraction, 0.25, 0.0, 0.0)
    close(step.vegetative_fraction, 0.75, 0.2, 0.0)
    close(step.reproductive_fraction, 0.0, 0.8, 0.25)
    rest = phenology.stage_step(f64(2.0), f64(0.0), f64(0.0), f64(0.0))
    close(torch.stack(rest), 0.0, 0.0, 0.0, 0.0)


def test_stage_step_gives_growth_a_gradient_in_the_thermal_requirement():
    """The share of the last day before maturity is (PHU - TT) / dTT, hence its slope."""
    requirement = f64(1000.0).requires_grad_()
    rate = 20.0 / requirement
    dvs = 1.0 + 990.0 / requirement.detach()
    step = phenology.stage_step(dvs, rate, rate, rate)
    close(step.reproductive_fraction.detach(), 0.5)
    (slope,) = torch.autograd.grad(step.reproductive_fraction.sum(), requirement)
    # with the stage itself held: d(gap / rate) / d requirement = gap / 20
    close(slope, 0.01 / 20.0)


def test_temperature_response_of_lpjml():
    """LPJmL 6.0.6, temp_response of the C source."""
    t = f64(-20.0, -15.0, -10.0, -5.0, 0.0, 5.0, 10.0, 20.0, 30.0, 40.0, 45.0)
    expected = (
        0.0, 0.01180658, 0.04696657, 0.13343358, 0.30213599, 0.58286975, 1.0, 2.30319575,
        4.25928364, 6.82751022, 6.82751022,
    )  # fmt: skip
    digits(respiration.lpjml_temperature_response(t), *expected, places=8)


def test_maintenance_of_lpjml():
    for reference, expected in ((46.02, 0.336574), (56.02, 0.270243)):
        factor = respiration.lpjml_temperature_response(f64(20.0), reference)
        digits(respiration.lpjml_maintenance(f64(100.0), 30.0, factor), expected)
    close(respiration.lpjml_growth_respiration(f64(10.0, 1.0), f64(2.0)), 2.0, 0.0)


def test_maintenance_of_wofost():
    """PCSE 6.0.13: roots, leaves, stems, storage in kg ha-1."""
    rates = f64(0.015, 0.03, 0.015, 0.01).unsqueeze(-1)
    stocks = torch.stack(
        [f64(544.23639, 111.35897), f64(1143.2697, 72.383331), f64(4697.2012, 38.975636),
         f64(227.33698, 0.0)]
    )  # fmt: skip
    factor = respiration.q10(f64(22.55, 8.3), 2.0, 25.0)
    close(respiration.maintenance(stocks, rates, factor), 97.201683, 1.3910484, rtol=2e-7)


def test_growth_efficiency():
    """CVF of WOFOST for wheat, FR 0.13, FL and FS 0.5 of the shoot."""
    fractions = f64(0.13, 0.435, 0.435, 0.0)
    efficiencies = f64(0.694, 0.685, 0.662, 0.709)
    close(respiration.growth_efficiency(fractions, efficiencies), 0.6759241, rtol=1e-7)
    assert respiration.carbon_growth_efficiency(0.685, 0.459) == pytest.approx(0.786, abs=5e-4)
    assert respiration.carbon_growth_efficiency(0.709, 0.471) == pytest.approx(0.835, abs=5e-4)


def test_partition_roots_first():
    root = f64(0.5, 0.2, 0.0)
    leaf, stem, storage = f64(0.6, 0.5, 0.0), f64(0.4, 0.5, 0.0), f64(0.0, 0.0, 1.0)
    shares = allocation.partition(f64(0.5, 2.0), root, leaf, stem, storage, 0.0, 1.0)
    close(shares.root, 0.35, 0.0)
    close(shares.leaf, 0.65 * 0.55, 0.0)
    close(shares.stem, 0.65 * 0.45, 0.0)
    close(shares.storage, 0.0, 1.0)


def test_root_share_table_of_pcse():
    from neuralcrop.core.numerics import interp_table

    xs = (0.0, 0.1, 0.2, 0.35, 0.4, 0.5, 0.7, 0.9, 1.2, 2.0)
    ys = (0.5, 0.5, 0.4, 0.22, 0.17, 0.13, 0.07, 0.03, 0.0, 0.0)
    close(interp_table(f64(0.5, 1.0), xs, ys), 0.13, 0.02)


@pytest.mark.parametrize(
    ("early", "late", "senescence", "shape", "harvest", "curve"),
    [
        (
            (0.05, 0.05),
            (0.45, 0.95),
            0.7,
            2.0,
            0.0,
            {
                0.0: 0.0,
                0.1: 0.143093,
                0.2: 0.456665,
                0.3: 0.760351,
                0.6: 0.990209,
                0.69: 0.996267,
                0.7: 1.0,
                0.8: 0.444444,
                0.9: 0.111111,
                1.0: 0.0,
            },
        ),
        (
            (0.1, 0.05),
            (0.5, 0.95),
            0.75,
            2.0,
            0.0,
            {0.2: 0.234795, 0.3: 0.572949, 0.7: 0.995595, 0.8: 0.64},
        ),
        ((0.15, 0.05), (0.5, 0.95), 0.7, 0.5, 0.0, {0.3: 0.439430, 0.8: 0.816497, 0.9: 0.577350}),
    ],
    ids=["wheat", "maize", "soybean"],
)
def test_phenological_lai_of_lpjml(early, late, senescence, shape, harvest, curve):
    fphu = f64(*curve)
    lai = allocation.phenological_lai_lpjml(fphu, early, late, senescence, shape, harvest)
    digits(lai, *curve.values())


def test_harvest_index_of_lpjml():
    """Wheat: optimal 0.5, minimal 0.2; water sufficiency 100 and 30 percent."""
    full, dry = allocation.water_deficit_weight(f64(100.0, 30.0))
    late = f64(0.8, 1.0)
    digits(allocation.harvest_index(late, 0.5, 0.2, full), 0.39124, 0.48522, places=4)
    digits(allocation.harvest_index(late, 0.5, 0.2, dry), 0.2693, 0.33398, places=4)
    digits(allocation.root_fraction_lpjml(late, full), 0.16016, 0.1002, places=4)
    digits(allocation.root_fraction_lpjml(late, dry), 0.28479, 0.25598, places=5)
    fhi = allocation.harvest_index(f64(0.8), 1.0, 0.0, 1.0)
    digits(fhi, 0.782795)


def test_harvest_index_of_tubers():
    """An index above 1 grows from 1, so that the share 1 - 1 / HI grows from 0."""
    index = allocation.harvest_index(f64(1e-6, 1.0), 2.0, 1.1, 1.0)
    share = allocation.storage_share_lpjml(index)
    assert share[0] < 1e-6
    assert 0.49 < share[1] < 0.5
    close(allocation.harvest_index(f64(0.7), f64(2.0), f64(1.1), 0.6),
          allocation.harvest_index(f64(0.7), 2.0, 1.1, 0.6).item())  # fmt: skip
    close(allocation.storage_share_lpjml(f64(0.4)), 0.4)


def test_root_distribution_of_lpjml():
    top = f64(0.0, 20.0, 50.0, 100.0, 200.0)
    bottom = f64(20.0, 50.0, 100.0, 200.0, 300.0)
    for beta, expected in {
        0.94: (0.709894, 0.244776, 0.043276, 0.002051, 0.000004),
        0.969: (0.467346, 0.325613, 0.164225, 0.041056, 0.001761),
        0.91: (0.848355, 0.142690, 0.008875, 0.00008, 0.0),
    }.items():
        digits(allocation.root_distribution(f64(beta), top, bottom), *expected)


def test_specific_leaf_area_of_lpjml():
    sla = leaf_area.specific_leaf_area_lpjml(f64(0.5, 0.33, 0.41, 0.66))
    digits(sla, 0.0364661, 0.0430597, 0.0394787, 0.0326332, places=7)


def test_leaf_losses_of_wofost():
    """LAIcr 3.2 / K is 16/3 for K 0.6."""
    close(leaf_area.self_shading_loss(f64(2.0, 8.0, 20.0), 0.6), 0.0, 0.015, 0.03)
    close(leaf_area.drought_loss(f64(0.4)), 0.018)
    close(leaf_area.ageing_rate(f64(5.0, 22.5, 35.0), 10.0, 33.0), 0.0, 0.5 / 33.0, 1.0 / 33.0)
    close(leaf_area.juvenile_growth(f64(0.5), 0.03, f64(5.0, 20.0), 10.0), 0.0, 0.15)


def test_ageing_chain_conserves_and_has_the_stated_life_span():
    """A pulse leaves n boxes with mean 1 / rate and variance 1 / (n rate^2), up to the step."""
    boxes = torch.zeros(8, 1, dtype=torch.float64)
    boxes[0] = 1.0
    h, rate = 0.05, f64(1.0 / 30.0)
    mean = square = lost = 0.0
    for step in range(4000):
        out = leaf_area.ageing_chain(boxes, rate, h) * h
        boxes = boxes - out + torch.cat([torch.zeros_like(out[:1]), out[:-1]])
        time = (step + 0.5) * h
        lost += out[-1].item()
        mean += time * out[-1].item()
        square += time * time * out[-1].item()
    assert lost == pytest.approx(1.0, abs=1e-9)
    assert mean == pytest.approx(30.0, rel=0.01)
    assert math.sqrt(square - mean * mean) == pytest.approx(30.0 / math.sqrt(8.0), rel=0.01)


def test_damage():
    close(damage.frost_damage_rate(f64(-8.0, 20.0), -8.0, 0.5, 0.4), 0.2, 0.0)
    close(damage.heat_sterility(f64(36.0, 0.0), 36.0, 1.0), 0.5, 0.0, atol=1e-12)


def test_limited_maintenance():
    paid = respiration.limited_maintenance(f64(1.0, 5.0, 1.0), f64(100.0, 1.0, 0.0))
    close(paid, 1.0, 1.0, 0.0, rtol=3e-2)
