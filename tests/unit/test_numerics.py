"""The non-smooth operators: values, limits and finite slopes."""

import math

import pytest
import torch

from neuralcrop.core import numerics


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def close(actual, *expected, rtol=1e-9, atol=1e-12):
    torch.testing.assert_close(actual.reshape(-1), f64(*expected), rtol=rtol, atol=atol)


def slope(function, *values):
    x = f64(*values).requires_grad_()
    (gradient,) = torch.autograd.grad(function(x).sum(), x)
    return gradient


def test_smooth_min_values():
    a, b = f64(10.0), f64(12.0)
    for theta, expected in ((0.9, 8.216054), (0.98, 9.342950), (0.9999, 9.995017), (1.0, 10.0)):
        close(numerics.smooth_min(a, b, theta), expected, rtol=1e-7)


def test_smooth_min_solves_its_quadratic_for_any_sign():
    a = f64(3.0, -3.0, 2.0, -1e-3, 5.0)
    b = f64(4.0, -4.0, -7.0, 5.0, 5.0)
    x = numerics.smooth_min(a, b, 0.9)
    close(0.9 * x * x - (a + b) * x + a * b, *([0.0] * 5), atol=1e-10)
    assert (x <= torch.minimum(a, b) + 1e-9).all()


def test_smooth_min_of_nothing_is_nothing():
    close(numerics.smooth_min(f64(0.0, 0.0, 5.0), f64(0.0, 5.0, 0.0), 0.98), 0.0, 0.0, 0.0)
    gradient = slope(lambda x: numerics.smooth_min(x, 2.0 - x, 0.9), 0.0, 1.0, 2.0)
    assert torch.isfinite(gradient).all()
    gradient = slope(lambda x: numerics.smooth_min(x, x, 1.0), 0.0, 3.0)
    assert torch.isfinite(gradient).all()


def test_smooth_max0_bounds():
    x = torch.linspace(-50.0, 50.0, 1001, dtype=torch.float64)
    y = numerics.smooth_max0(x, 0.5)
    assert (y >= x.clamp(min=0.0)).all()
    assert (y - x.clamp(min=0.0) <= 0.25).all()
    close(numerics.smooth_max0(f64(0.0), 0.5), 0.25)


def test_softplus_and_soft_step():
    close(numerics.softplus(f64(0.0, 40.0), 0.5), 0.5 * math.log(2.0), 40.0)
    close(numerics.soft_step(f64(0.0, 50.0), 0.5), 0.5, 1.0)


def test_safe_operators_have_finite_slopes():
    close(numerics.safe_sqrt(f64(4.0, 0.0, -1.0)), 2.0, 1e-6, 1e-6)
    close(slope(numerics.safe_sqrt, 0.0, -1.0), 0.0, 0.0)
    close(numerics.safe_div(f64(1.0, 1.0, 0.0), f64(4.0, 0.0, 0.0), fill=7.0), 0.25, 7.0, 7.0)
    close(slope(lambda x: numerics.safe_div(f64(1.0), x), 0.0), 0.0)
    close(slope(lambda x: numerics.safe_div(x, x), 0.0, 2.0), 0.0, 0.0)
    close(numerics.safe_pow(f64(4.0, 0.0, -1.0), 0.5), 2.0, 0.0, 0.0)
    close(slope(lambda x: numerics.safe_pow(x, 0.5), 0.0, 4.0), 0.0, 0.25)


def test_clip_takes_numbers_and_tensors():
    x = f64(-1.0, 0.5, 3.0)
    close(numerics.clip01(x), 0.0, 0.5, 1.0)
    close(numerics.clip(x, 0.0, f64(0.2, 0.2, 2.0)), 0.0, 0.2, 2.0)
    close(numerics.clip(x, f64(0.0), 1.0), 0.0, 0.5, 1.0)


def test_log_of_number_and_tensor():
    assert numerics.log(2.0) == math.log(2.0)
    close(numerics.log(f64(2.0)), math.log(2.0))


@pytest.mark.parametrize("rate", [1.5, 2.5])
def test_donor_limit_is_exact_for_linear_decay(rate):
    stock = f64(100.0)
    for _ in range(3):
        stock = stock - numerics.donor_limit(stock, rate, 1.0)
    close(stock, 100.0 * math.exp(-3.0 * rate))
    close(numerics.donor_limit(f64(100.0), f64(rate), 1.0), 100.0 * (1.0 - math.exp(-rate)))
    close(numerics.donor_limit(f64(100.0), f64(rate), 0.0), 100.0 * rate)


def test_limit_demand():
    stock, demand = f64(10.0, 0.0, 10.0), f64(3.0, 3.0, 0.0)
    close(numerics.limit_demand(stock, demand, 1.0), 10.0 * (1.0 - math.exp(-0.3)), 0.0, 0.0)
    close(numerics.limit_demand(stock, demand, 0.0), 3.0, 3.0, 0.0)


def test_share_limit():
    stock, first, second = f64(10.0, 0.0, 10.0), f64(3.0, 3.0, 0.0), f64(4.0, 4.0, 0.0)
    scale = numerics.share_limit(stock, [first, second], 1.0)
    close(scale, 10.0 * (1.0 - math.exp(-0.7)) / 7.0, 0.0, 1.0)
    close(numerics.share_limit(stock, torch.stack([first, second]), 1.0), *scale.tolist())
    close(numerics.share_limit(stock, [first, second], 0.0), 1.0, 1.0, 1.0)


def test_share_limit_is_continuous_across_its_series():
    demand = f64(10.0) * f64(0.999e-4, 1.001e-4)
    scale = numerics.share_limit(f64(10.0), [demand], 1.0)
    exact = -torch.expm1(-demand / 10.0) / (demand / 10.0)
    torch.testing.assert_close(scale, exact, rtol=1e-12, atol=0.0)


def test_share_limit_slopes():
    for value in (0.0, 1e-9, 5.0):
        gradient = slope(lambda x: numerics.share_limit(x, [f64(2.0)], 1.0), value)
        assert torch.isfinite(gradient).all()
        gradient = slope(lambda x: numerics.share_limit(f64(1.0), [x], 1.0), value)
        assert torch.isfinite(gradient).all()
    gradient = slope(lambda x: numerics.share_limit(f64(0.0), [x], 1.0), 0.0)
    assert torch.isfinite(gradient).all()


def test_quadratic_roots():
    for a, b, c in ((1.0, -5.0, 6.0), (1.0, 5.0, 6.0), (2.0, -1.0, -3.0), (2.0, 1.0, -3.0)):
        small = numerics.quadratic_small_root(f64(a), f64(b), f64(c))
        large = numerics.quadratic_large_root(f64(a), f64(b), f64(c))
        for root in (small, large):
            close(a * root * root + b * root + c, 0.0, atol=1e-9)
        assert small < large


def test_quadratic_roots_tolerate_a_vanishing_square():
    tiny = f64(0.0, 1e-300, 1e-18)
    close(numerics.quadratic_small_root(tiny, f64(-2.0), f64(6.0)), 3.0, 3.0, 3.0)
    close(numerics.quadratic_large_root(tiny, f64(2.0), f64(-6.0)), 3.0, 3.0, 3.0)
    gradient = slope(lambda a: numerics.quadratic_small_root(a, f64(-2.0), f64(6.0)), 0.0)
    close(gradient, 9.0 / 2.0)


def test_quadratic_root_keeps_digits_in_single_precision():
    b, c = torch.tensor(-1e4), torch.tensor(1.0)
    root = numerics.quadratic_small_root(torch.tensor(1.0), b, c)
    assert root.item() == pytest.approx(1e-4, rel=1e-6)


def test_interp_uniform():
    nodes = f64(0.0, 10.0, 0.0)
    x = f64(-5.0, 0.0, 0.25, 1.0, 1.5, 9.0)
    close(numerics.interp_uniform(x, nodes, 0.0, 1.0), 0.0, 0.0, 2.5, 10.0, 5.0, 0.0)


def test_interp_uniform_per_cell_and_over_extra_dimensions():
    nodes = torch.rand(11, 4, dtype=torch.float64)
    x = 2.0 * torch.rand(3, 4, dtype=torch.float64)
    value = numerics.interp_uniform(x, nodes, 0.0, 0.2)
    assert value.shape == (3, 4)
    one = numerics.interp_uniform(x[1], nodes, 0.0, 0.2)
    torch.testing.assert_close(value[1], one)
    assert numerics.interp_uniform(x[0, 0], nodes, 0.0, 0.2).shape == (4,)


def test_interp_uniform_slopes():
    nodes = f64(0.0, 10.0, 0.0)
    close(slope(lambda x: numerics.interp_uniform(x, nodes, 0.0, 1.0), 0.4, 1.4), 10.0, -10.0)
    gradient = slope(lambda y: numerics.interp_uniform(f64(0.25), y, 0.0, 1.0), 0.0, 10.0, 0.0)
    close(gradient, 0.75, 0.25, 0.0)


def test_interp_table():
    xs, ys = (0.0, 1.0, 1.0, 3.0), (0.0, 2.0, 5.0, 1.0)
    x = f64(-1.0, 0.5, 1.5, 4.0)
    close(numerics.interp_table(x, xs, ys), 0.0, 1.0, 4.0, 1.0)
    close(numerics.interp_table(x, f64(*xs), f64(*ys)), 0.0, 1.0, 4.0, 1.0)
    close(slope(lambda x: numerics.interp_table(x, xs, ys), 0.5, 1.5, 3.0), 2.0, -2.0, -2.0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_operators_keep_the_dtype(dtype):
    x = torch.tensor([0.3, 2.0], dtype=dtype)
    results = (
        numerics.smooth_min(x, x, 0.9),
        numerics.smooth_max0(x, 0.1),
        numerics.safe_div(x, x),
        numerics.donor_limit(x, 0.3, 1.0),
        numerics.share_limit(x, [x, x], 1.0),
        numerics.quadratic_small_root(1.0, -x, 0.1 * x),
        numerics.interp_uniform(x, x, 0.0, 1.0),
        numerics.interp_table(x, (0.0, 1.0), (2.0, 3.0)),
    )
    assert all(value.dtype == dtype for value in results)
