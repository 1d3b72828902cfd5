"""Check values of soil water, snow and irrigation."""

import pytest
import torch

from neuralcrop.physics import irrigation, snow, soil_water
from neuralcrop.physics.soil_hydraulics import saxton_rawls, unsaturated_conductivity


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def close(actual, *expected, rtol=1e-6, atol=1e-12):
    torch.testing.assert_close(actual.reshape(-1), f64(*expected), rtol=rtol, atol=atol)


def test_hydraulics_are_ordered_and_guarded_at_the_corners():
    sand, clay = f64(1.0, 0.0, 0.0, 0.4, 0.9), f64(0.0, 1.0, 0.0, 0.6, 0.05)
    for organic in (0.0, 2.5, 20.0, 60.0):
        soil = saxton_rawls(sand, clay, organic)
        assert (soil.wilting_point >= 0.005).all()
        assert (soil.field_capacity >= soil.wilting_point + 0.01 - 1e-12).all()
        assert (soil.saturation >= soil.field_capacity + 0.05 - 1e-12).all()
        assert (soil.saturation <= 0.95).all()
        assert all(torch.isfinite(value).all() for value in soil)


def test_unsaturated_conductivity():
    soil = saxton_rawls(f64(0.4), f64(0.2), 2.5)
    close(unsaturated_conductivity(soil.saturation, soil), soil.ksat.item())
    exponent = 3.0 + 2.0 / soil.pore_index.item()
    close(unsaturated_conductivity(0.5 * soil.saturation, soil), soil.ksat.item() * 0.5**exponent)


def test_percolation_of_loam():
    """200 mm of loam above field capacity, mm d-1; the inputs of the check were rounded."""
    wilting, capacity, saturation, ksat = 0.13702, 0.279611, 0.45948, f64(15.476)
    w = f64(1.05, 1.2, 1.4, 1.8, 2.2)
    theta = wilting + w * (capacity - wilting)
    excess = 200.0 * (theta - capacity)
    close(excess, 1.4259, 5.7036, 11.4073, 22.8146, 34.2218, rtol=0.0, atol=6e-5)
    flux = soil_water.percolation(
        excess, ksat, theta / saturation, f64(capacity / saturation), 1.0, 1.0
    )
    close(flux, 0.77611, 2.16113, 5.78716, 20.80534, 34.21531, rtol=1e-5)


def test_percolation_limits():
    half = f64(0.5)
    args = (f64(10.0), f64(50.0), f64(0.9), half)
    close(soil_water.percolation(*args, f64(0.0), 1.0), 0.0)
    close(soil_water.percolation(f64(0.0), *args[1:], f64(1.0), 1.0), 0.0)
    full = soil_water.percolation(*args, f64(1.0), 1.0)
    close(full, soil_water.percolation(*args, 1.0, 1.0).item())
    instantaneous = soil_water.percolation(*args, 1.0, 0.0)
    assert instantaneous > full
    close(soil_water.percolation(*args, 1.0, 1e-7), instantaneous.item(), rtol=1e-4)


def test_infiltration_of_lpjml():
    """Exponent 2 and constant saturation: the square root of the dryness."""
    share = soil_water.infiltration(f64(1.0), f64(0.5, 0.8), 2.0)
    close(share, 0.70711, 0.44721, rtol=1e-5)
    close(soil_water.infiltration(f64(50.0), f64(1.0), 2.0), 0.0, atol=0.6)


@pytest.mark.parametrize("exponent", [2.0, 3.2])
def test_infiltration_over_the_day_is_the_limit_of_small_slugs(exponent):
    water, stored, capacity = f64(60.0), f64(20.0), f64(64.0)
    entered = 0.0
    level = stored.item()
    slugs = 20000
    for _ in range(slugs):
        slug = 60.0 / slugs
        part = slug * max(0.0, 1.0 - level / 64.0) ** (1.0 / exponent)
        entered += part
        level += part
    share = soil_water.infiltration_share(water, stored, capacity, exponent)
    close(60.0 * share, entered, rtol=1e-4)
    close(
        soil_water.infiltration(water, stored / capacity, exponent, capacity),
        (60.0 * share).item(),
        rtol=1e-12,
    )


def test_infiltration_never_exceeds_the_room():
    stored = f64(0.0, 30.0, 63.9, 64.0)
    share = soil_water.infiltration_share(f64(300.0), stored, f64(64.0))
    assert (300.0 * share <= 64.0 - stored + 0.05).all()
    dry = soil_water.infiltration_share(f64(0.0), stored[:2], f64(64.0))
    close(dry, 1.0, (1.0 - 30.0 / 64.0) ** 0.5, rtol=1e-5)


def test_layer_overlap_and_evaporation_shares():
    overlap = soil_water.layer_overlap((0.2, 0.5, 1.0), f64(0.3))
    close(overlap, 1.0, 1.0 / 3.0, 0.0)
    shares = soil_water.evaporation_shares(f64(20.0, 60.0, 10.0).unsqueeze(-1), overlap)
    close(shares, 0.5, 0.5, 0.0)
    close(soil_water.evaporation_shares(f64(0.0, 0.0, 0.0).unsqueeze(-1), overlap), 0.0, 0.0, 0.0)


def test_root_profile():
    bottoms = (0.2, 0.5, 1.0, 2.0, 3.0)
    full = soil_water.root_profile(f64(0.94), bottoms, f64(3.0))
    close(full, 0.709894, 0.244776, 0.043276, 0.002051, 0.000004, rtol=0.0, atol=6e-7)
    young = soil_water.root_profile(f64(0.94), bottoms, f64(0.1))
    close(young, 1.0, 0.0, 0.0, 0.0, 0.0)


def test_root_water_uptake():
    available = f64(0.0, 1.0, 100.0).unsqueeze(-1)
    weights = f64(0.5, 0.3, 0.2).unsqueeze(-1)
    uptake = soil_water.root_water_uptake(f64(6.0), available, weights, 1.0)
    wanted = 6.0 * weights.squeeze(-1)
    close(uptake[0], 0.0)
    close(uptake[1], (1.0 - torch.exp(-wanted[1])).item())
    close(uptake[2], (100.0 * (1.0 - torch.exp(-wanted[2] / 100.0))).item())
    none = soil_water.root_water_uptake(f64(6.0), available, torch.zeros_like(weights), 1.0)
    assert (none == 0.0).all()


def test_snow():
    close(snow.snow_fraction(f64(0.5, -20.0)), 0.5, 1.0, rtol=1e-6)
    close(snow.melt_demand(f64(10.0, -20.0)), 30.0, 0.0, rtol=1e-6, atol=1e-12)
    melt, sublimation = snow.snow_losses(f64(5.0), f64(30.0), f64(0.1), 1.0)
    close(melt + sublimation, 5.0 * (1.0 - torch.exp(f64(-30.1 / 5.0))).item())
    close(melt / sublimation, 300.0)
    bare = snow.snow_losses(f64(0.0), f64(3.0), f64(0.1), 1.0)
    assert all((flux == 0.0).all() for flux in bare)


def test_irrigation():
    water, target = f64(50.0, 50.0), f64(100.0)
    amount = irrigation.irrigation_amount(water, target, f64(0.4, 1.0), 0.7)
    close(amount, 50.0, 0.0, rtol=1e-6, atol=2e-5)
    close(irrigation.gross_irrigation(f64(35.0), 0.7), 50.0)
