"""Reference rates: parts by hand, limits, slopes, tracing."""

import math

import pytest
import torch

from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import radiation
from neuralcrop.physics import reference_evapotranspiration as ref

SUMMER = {"tasmin": 12.0, "tasmax": 26.0, "vap": 1.4, "wind": 2.0, "rsds": 250.0,
          "latitude": 52.0, "elevation": 10.0, "day": 180.0}
POLAR_NIGHT = {"tasmin": -25.0, "tasmax": -12.0, "vap": 0.1, "wind": 3.0, "rsds": 0.0,
               "latitude": 75.0, "elevation": 200.0, "day": 355.0}
DARK = SUMMER | {"rsds": 0.0, "day": 10.0}
SATURATED = SUMMER | {"vap": 3.0}
CASES = {"summer": SUMMER, "night": POLAR_NIGHT, "dark": DARK, "saturated": SATURATED,
         "still": SUMMER | {"wind": 0.0}, "dry": SUMMER | {"vap": 0.0}}


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def close(actual, expected, rtol=1e-6, atol=0.0):
    torch.testing.assert_close(actual, f64(*expected), rtol=rtol, atol=atol)


def rates(case, form=ref.WOFOST, dtype=torch.float64):
    inputs = [torch.tensor([x], dtype=dtype) for x in case.values()]
    return ref.reference_evapotranspiration(*inputs, form=form)


def test_saturation_of_goudriaan():
    t = f64(0.0, 20.0, 30.0)
    close(ref.saturation_vapour_pressure(t), (0.610588, 2.3376, 4.2424), rtol=5e-4)
    # within 0.2 % of Tetens over the range of climates
    torch.testing.assert_close(ref.saturation_vapour_pressure(t), et.saturation_vapour_pressure(t),
                               rtol=2e-3, atol=0.0)


def test_slope_is_the_derivative():
    t = f64(-20.0, 0.0, 15.0, 40.0).requires_grad_()
    (slope,) = torch.autograd.grad(ref.saturation_vapour_pressure(t).sum(), t)
    torch.testing.assert_close(ref.vapour_pressure_slope(t.detach()), slope)


def test_psychrometric_constant_falls_with_height():
    t = f64(15.0, 15.0)
    close(ref.psychrometric_constant(t, f64(0.0, 1000.0)), (0.067, 0.067 * math.exp(-34.0 / 288.0)))


def test_sunshine_inverts_angstrom():
    transmission = 0.18 + 0.55 * f64(-0.5, 0.0, 0.4, 1.0, 1.2)
    close(ref.relative_sunshine(transmission, 0.18, 0.55), (0.0, 0.0, 0.4, 1.0, 1.0), atol=1e-12)
    free = ref.relative_sunshine(transmission, 0.18, 0.55, bounded=False)
    close(free, (-0.5, 0.0, 0.4, 1.0, 1.2), atol=1e-12)


def test_longwave_of_brunt():
    """20 degC, 16 hPa: 4.9e-9 x 293^4 x (0.56 - 0.079 x 4) under clear and covered skies."""
    loss = ref.net_longwave_brunt(f64(20.0, 20.0), f64(1.6, 1.6), f64(1.0, 0.0))
    close(loss, (8.8116, 0.88116), rtol=1e-4)


def test_wind_coefficient_rises_with_the_range_of_temperature():
    found = ref.wind_coefficient(f64(10.0, 10.0, 10.0), f64(18.0, 24.0, 40.0))
    close(found, (0.54, 0.715, 0.89))
    close(ref.wind_coefficient(f64(10.0), f64(40.0), 0.0), (0.54,))


def test_evaporation_by_hand():
    """20 degC, 12 hPa, 2 m s-1, Rs 20 and Rnl 5 MJ m-2 d-1 at the sea, range of 10 K."""
    inputs = [f64(x) for x in (15.0, 25.0, 1.2, 2.0, 20.0, 5.0, 0.0)]
    es = 6.10588 * math.exp(17.32491 * 20.0 / 258.102)
    slope = 238.102 * 17.32491 * es / 258.102**2
    for surface in (ref.OPEN_WATER, ref.BARE_SOIL, ref.CROP):
        net = ((1.0 - surface.albedo) * 20.0 - 5.0) / 2.45
        drying = 0.26 * (es - 12.0) * (surface.wind_constant + 0.54 * 2.0)
        expected = (slope * net + 0.67 * drying) / (slope + 0.67)
        close(ref.penman_evaporation(surface, *inputs), (expected,))


def test_only_radiation_drives_saturated_air():
    inputs = [f64(x) for x in (15.0, 25.0, 9.0, 7.0, 20.0, 5.0, 0.0)]
    slope, gamma = ref.vapour_pressure_slope(f64(20.0)), 0.067
    expected = slope / (slope + gamma) * (0.95 * 20.0 - 5.0) / 2.45
    close(ref.penman_evaporation(ref.OPEN_WATER, *inputs), tuple(expected.tolist()))


def test_water_and_soil_differ_by_their_albedo():
    e0, es0, _ = rates(SUMMER)
    t = f64(19.0)
    slope = ref.vapour_pressure_slope(t)
    share = slope / (slope + ref.psychrometric_constant(t, f64(10.0)))
    torch.testing.assert_close(e0 - es0, share * 0.10 * 250.0 * 0.0864 / 2.45)


def test_grass_is_that_of_fao56():
    """Allen et al. (1998), example 18: Brussels, 6 July, 3.9 mm d-1."""
    case = {"tasmin": 12.3, "tasmax": 21.5, "vap": 1.409, "wind": 2.078, "rsds": 22.07 / 0.0864,
            "latitude": 50.8, "elevation": 100.0, "day": 187.0}
    close(rates(case).et0, (3.88,), rtol=0.0, atol=0.01)


def test_longwave_uses_the_sun_of_wofost():
    args = [f64(x) for x in (12.0, 26.0, 1.4)]
    # radiation of A Ra is a covered sky, of (A + B) Ra a clear one
    top = radiation.solar_geometry(f64(math.sin(0.9)), f64(math.cos(0.9)), f64(180.0))
    for share, sunshine in ((0.18, 0.0), (0.76, 1.0)):
        found = ref.penman_longwave(
            *args, share * top.extraterrestrial, f64(math.degrees(0.9)), f64(180.0))
        expected = ref.net_longwave_brunt(f64(19.0), f64(1.4), f64(sunshine))
        torch.testing.assert_close(found, expected, rtol=0.05, atol=0.0)


@pytest.mark.parametrize("form", [ref.WOFOST, ref.STATIONS])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_rates_are_finite_and_positive(case, form):
    for rate in rates(case, form):
        assert torch.isfinite(rate).all()
        assert (rate >= 0.0).all()
        assert (rate < 15.0).all()


@pytest.mark.parametrize("form", [ref.WOFOST, ref.STATIONS])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_gradients_are_finite(case, form):
    inputs = [f64(x).requires_grad_() for x in case.values()]
    total = sum(r.sum() for r in ref.reference_evapotranspiration(*inputs, form=form))
    for slope in torch.autograd.grad(total, inputs):
        assert torch.isfinite(slope).all()


@pytest.mark.parametrize("form", [ref.WOFOST, ref.STATIONS])
def test_gradcheck(form):
    def total(*inputs):
        return torch.stack(ref.reference_evapotranspiration(*inputs, form=form))

    inputs = [f64(x, x + 0.3).requires_grad_() for x in (SUMMER | {"tasmax": 25.5}).values()]
    a, b = f64(0.18).requires_grad_(), f64(0.55).requires_grad_()
    assert torch.autograd.gradcheck(total, (*inputs, a, b))


def test_single_precision_keeps_its_type():
    single, double = rates(SUMMER, dtype=torch.float32), rates(SUMMER)
    for low, high in zip(single, double, strict=True):
        assert low.dtype == torch.float32
        torch.testing.assert_close(low.double(), high, rtol=1e-5, atol=0.0)


def test_shapes_broadcast():
    weather = [torch.full((4, 3), x) for x in (12.0, 26.0, 1.4, 2.0, 250.0)]
    place = [torch.linspace(30.0, 60.0, 3), torch.zeros(3)]
    found = ref.reference_evapotranspiration(*weather, *place, 100.0 + torch.arange(4.0)[:, None])
    assert all(rate.shape == (4, 3) for rate in found)


def test_traces_without_breaks():
    inputs = [f64(x, x) for x in SUMMER.values()]
    traced = torch.compile(ref.reference_evapotranspiration, backend="eager", fullgraph=True)
    for one, other in zip(traced(*inputs), ref.reference_evapotranspiration(*inputs), strict=True):
        torch.testing.assert_close(one, other)
