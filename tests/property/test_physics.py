"""Bounds, monotonicity, closure and inverses of the physics over random inputs."""

import math

import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralcrop.core import numerics
from neuralcrop.physics import (
    allocation,
    canopy,
    irrigation,
    leaf_area,
    phenology,
    radiation,
    respiration,
    snow,
    soil_hydraulics,
    soil_water,
    stomata,
)
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import photosynthesis_c3 as c3
from neuralcrop.physics import photosynthesis_c4 as c4

TINY = 1e-9


def forall(*strategies):
    """Run a test for random inputs; first calls of an operator may be slow, hence no deadline."""
    return lambda test: settings(max_examples=60, deadline=None)(given(*strategies)(test))


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def number(low, high):
    return st.floats(low, high, allow_subnormal=False).map(f64)


def numbers(low, high, size):
    """A leading dimension of independent values."""
    values = st.lists(st.floats(low, high, allow_subnormal=False), min_size=size, max_size=size)
    return values.map(lambda items: f64(*items).unsqueeze(-1))


positive = number(0.0, 1e3)
temperature = number(-45.0, 55.0)
share = number(0.0, 1.0)
latitude = st.floats(-90.0, 90.0).map(math.radians)


@forall(positive, positive, st.floats(0.05, 1.0))
def test_smooth_min_lies_between_zero_and_the_minimum(a, b, theta):
    x = numerics.smooth_min(a, b, theta)
    assert (x >= 0.0).all()
    assert (x <= torch.minimum(a, b) * (1.0 + TINY)).all()
    torch.testing.assert_close(x, numerics.smooth_min(b, a, theta))


@forall(positive, positive, positive, st.floats(0.5, 1.0))
def test_smooth_min_is_monotone(a, b, more, theta):
    # the floor under its root, 1e-12, is the only departure
    x = numerics.smooth_min(a, b, theta)
    assert (numerics.smooth_min(a + more, b, theta) >= x - 2e-6).all()


@forall(positive, numbers(0.0, 1e3, 3), st.sampled_from([0.1, 1.0, 2.0]))
def test_shared_demands_cannot_overdraw_the_donor(stock, demands, h):
    scale = numerics.share_limit(stock, demands, h)
    total = (demands * scale).sum(0) * h
    assert (scale >= 0.0).all()
    assert (scale <= 1.0 + TINY).all()
    assert (total <= stock * (1.0 + TINY)).all()
    limited = numerics.limit_demand(stock, demands.sum(0), h) * h
    torch.testing.assert_close(total, limited, rtol=1e-9, atol=1e-9)


@forall(positive, st.floats(0.0, 20.0), st.floats(0.01, 3.0))
def test_donor_limit_solves_linear_decay(stock, rate, h):
    left = stock - numerics.donor_limit(stock, rate, h) * h
    torch.testing.assert_close(left, stock * math.exp(-rate * h), rtol=1e-9, atol=1e-10)


@forall(number(1e-3, 10.0), number(-10.0, 10.0), number(-10.0, 10.0))
def test_quadratic_roots_invert_the_polynomial(a, low, gap):
    high = low + gap.abs()
    b, c = -a * (low + high), a * low * high
    torch.testing.assert_close(numerics.quadratic_small_root(a, b, c), low, rtol=1e-3, atol=1e-2)
    torch.testing.assert_close(numerics.quadratic_large_root(a, b, c), high, rtol=1e-3, atol=1e-2)


@forall(number(-3.0, 3.0), numbers(-5.0, 5.0, 6))
def test_interpolation_stays_within_its_nodes_and_agrees_with_the_table(x, nodes):
    value = numerics.interp_uniform(x, nodes, 0.0, 0.4)
    assert (value >= nodes.min() - TINY).all()
    assert (value <= nodes.max() + TINY).all()
    table = numerics.interp_table(x, [0.4 * i for i in range(6)], nodes)
    torch.testing.assert_close(value, table, rtol=1e-9, atol=1e-9)
    weights = numerics.uniform_weights(x, 6, 0.0, 0.4)
    torch.testing.assert_close(weights.sum(0), f64(1.0))


@forall(latitude, number(1.0, 366.0))
def test_the_sun_everywhere_and_always(angle, day):
    sin_lat, cos_lat = f64(math.sin(angle)), f64(math.cos(angle)).clamp(min=0.0)
    sun = radiation.solar_geometry(sin_lat, cos_lat, day)
    assert (sun.day_length >= 0.0).all()
    assert (sun.day_length <= 24.0).all()
    assert (sun.extraterrestrial >= 0.0).all()
    assert (sun.extraterrestrial < 50.0).all()
    assert (radiation.photoperiod(sin_lat, cos_lat, day, -4.0) >= 0.0).all()
    opposite = radiation.solar_geometry(-sin_lat, cos_lat, day)
    # day and night exchange across the equator
    torch.testing.assert_close(sun.day_length + opposite.day_length, f64(24.0), rtol=0.0, atol=0.02)
    noon = radiation.sin_elevation(sun, f64(12.0))
    for hour in (3.0, 9.0, 18.0):
        assert (radiation.sin_elevation(sun, f64(hour)) <= noon + TINY).all()


@forall(share, share)
def test_diffuse_fraction_falls_with_clearness(a, b):
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    cloudy, clear = radiation.diffuse_fraction(low), radiation.diffuse_fraction(high)
    assert (clear <= cloudy + 1e-3).all()  # the steps of the source
    assert (clear >= 0.23 - TINY).all()
    assert (cloudy <= 1.0).all()
    fraction = radiation.diffuse_fraction_clear(low, 101.325)
    assert ((fraction >= 0.0) & (fraction <= 1.0)).all()


@forall(number(-30.0, 30.0), number(0.0, 25.0), number(0.0, 24.0), number(0.0, 24.0))
def test_subdaily_temperature_stays_within_the_extremes(tasmin, range_, hour, day_length):
    t = radiation.subdaily_temperature_full(hour, tasmin, tasmin + range_, tasmin, day_length)
    assert (t >= tasmin - TINY).all()
    assert (t <= tasmin + range_ + TINY).all()


@forall(temperature, temperature)
def test_saturation_vapour_pressure_rises(a, b):
    low, high = torch.minimum(a, b), torch.maximum(a, b)
    cold, warm = et.saturation_vapour_pressure(low), et.saturation_vapour_pressure(high)
    assert (cold <= warm).all()
    assert (et.vapour_pressure_slope(low) > 0.0).all()


@forall(
    number(0.1, 20.0), number(0.05, 4.0), number(-5.0, 45.0), number(60.0, 105.0),
    number(5.0, 500.0), number(0.0, 5000.0),
)  # fmt: skip
def test_surface_resistance_inverts_penman_monteith(net, vpd, t, pressure, ra, rs):
    evaporation = et.penman_monteith(net, vpd, t, pressure, ra, rs, 43200.0)
    back = et.surface_resistance(evaporation, net, vpd, t, pressure, ra, 43200.0)
    torch.testing.assert_close(back, rs, rtol=1e-10, atol=1e-8)
    assert (evaporation > 0.0).all()
    assert (et.penman_monteith(net, vpd, t, pressure, ra, rs + 10.0, 43200.0) < evaporation).all()


@forall(number(1e-4, 3.0), temperature, number(50.0, 105.0))
def test_conductance_round_trip(g, t, pressure):
    r = et.molar_conductance_to_resistance(g, t, pressure)
    back = et.resistance_to_molar_conductance(r, t, pressure)
    torch.testing.assert_close(back, g, rtol=1e-12, atol=0.0)


@forall(number(0.1, 8.0), share, share)
def test_supply_limited_conductance_inverts_the_demand(eq, wet, part):
    wet = 0.9 * wet
    supply = (0.01 + 0.98 * part) * (1.0 - wet) * eq * 1.485
    conductance = et.lpjml_supply_limited_conductance(supply, eq, wet)
    torch.testing.assert_close(
        et.lpjml_demand(eq, conductance, wet), supply, rtol=1e-10, atol=1e-10
    )


capacity = number(5.0, 200.0)
leaf = (capacity, capacity, number(60.0, 1000.0), number(0.0, 2.0), number(5.0, 40.0))


@forall(*leaf, number(0.01, 2.0), number(0.0, 1.0))
def test_c3_assimilation_rises_with_conductance_and_meets_diffusion(vcmax, j, ca, rd, t, gc, more):
    gamma_star, km = c3.kinetics(t, 100.0)
    fixed = (vcmax, j, ca)
    rates = c3.assimilation_at_conductance(*fixed, gc, gamma_star, km, rd, 1.0)
    wider = c3.assimilation_at_conductance(*fixed, gc + more, gamma_star, km, rd, 1.0)
    # below the compensation point respired carbon leaves faster through wider stomata
    gains = ca > 2.0 * gamma_star + rd * (ca + km) / vcmax + 4.0 * rd * (ca + km) / j
    assert ((wider.net >= rates.net - 1e-6) | ~gains).all()
    ci = c3.intercellular_co2(ca, rates.net, gc)
    at_ci = c3.assimilation_at_ci(vcmax, j, ci, gamma_star, km, rd, 1.0)
    # the hard minimum of two solutions is the solution with the hard minimum
    torch.testing.assert_close(at_ci.net, rates.net, rtol=1e-4, atol=1e-4)


@forall(*leaf, number(0.3, 4.0), number(1.0, 8.0))
def test_coupled_leaf_agrees_with_the_ci_ratio(vcmax, j, ca, rd, t, vpd, g1):
    gamma_star, km = c3.kinetics(t, 100.0)
    slope = stomata.medlyn_slope(g1, vpd, ca)
    rd = 0.2 * rd
    result = stomata.coupled_assimilation(vcmax, j, ca, slope, 0.0, gamma_star, km, rd, 0.98)
    ci = stomata.medlyn_ci_ratio(g1, vpd) * ca
    at_ci = c3.assimilation_at_ci(vcmax, j, ci, gamma_star, km, rd, 0.98)
    gains = (at_ci.rubisco > rd) & (at_ci.electron > rd)
    difference = (result.net - at_ci.net).abs()
    assert ((difference <= 1e-6 * (1.0 + at_ci.net.abs())) | ~gains).all()
    assert (result.conductance >= 0.0).all()


@forall(capacity, capacity, number(60.0, 1000.0), number(1e-4, 2.0), number(0.0, 1.0), share)
def test_c4_assimilation_rises_with_conductance(vcmax, light, ca, gc, more, rd):
    k = f64(0.7)
    rates = c4.assimilation_at_conductance(vcmax, light, ca, gc, k, rd)
    wider = c4.assimilation_at_conductance(vcmax, light, ca, gc + more, k, rd)
    assert (wider.net >= rates.net - 1e-6).all()
    assert (rates.gross <= torch.minimum(vcmax, light) + TINY).all()


@forall(temperature, temperature)
def test_temperature_factors_are_positive(t, growth):
    factors = (
        c3.arrhenius(t, 65330.0), *c3.kattge_knorr_factors(growth, t), c4.temperature_factor(t),
        c4.respiration_factor(t), respiration.q10(t, 2.0, 25.0),
    )  # fmt: skip
    assert all((factor > 0.0).all() for factor in factors)
    assert (respiration.lpjml_temperature_response(t) >= 0.0).all()


@forall(number(0.0, 2000.0), number(0.0, 800.0), number(0.0, 12.0), number(-0.2, 1.0))
def test_two_leaf_light_is_shared_and_bounded(beam, diffuse, lai, sine):
    light = canopy.two_leaf_irradiance(beam, diffuse, lai, sine)
    torch.testing.assert_close(light.sunlit + light.shaded, light.total, rtol=1e-12, atol=1e-12)
    assert (light.sunlit >= -TINY).all()
    assert (light.shaded >= -TINY).all()
    assert (light.total <= beam + diffuse + TINY).all()
    assert (light.sunlit_lai <= lai + TINY).all()
    denser = canopy.two_leaf_irradiance(beam, diffuse, lai + 0.5, sine)
    assert (denser.total >= light.total - TINY).all()


@forall(number(0.0, 12.0), number(0.05, 1.0), number(0.3, 28.0))
def test_canopy_capacity_is_shared(lai, kn, kb):
    sunlit, shaded = canopy.canopy_capacity(f64(100.0), lai, kn, kb)
    assert (sunlit >= 0.0).all()
    assert (shaded >= 0.0).all()
    assert (sunlit + shaded <= 100.0 * lai * (1.0 + TINY)).all()


@forall(temperature, number(-2.0, 12.0), number(5.0, 20.0), number(2.0, 15.0))
def test_temperature_responses_are_fractions(t, base, rise, fall):
    optimum, maximum = base + rise, base + rise + fall
    responses = [phenology.trapezoid(t, base, optimum, optimum, maximum)]
    responses.append(phenology.yin_beta(t, base, optimum, maximum))
    responses.append(phenology.wang_engel(t, base, optimum, base + 1.3 * rise))
    responses.append(phenology.vernalisation_trapezoid(t))
    responses.append(phenology.photoperiod_linear(t, base, maximum))
    responses.append(phenology.photoperiod_wang_engel(t, base, maximum))
    for response in responses:
        assert ((response >= 0.0) & (response <= 1.0 + TINY)).all()
    effective = phenology.linear_response(t, base, optimum, maximum)
    assert ((effective >= 0.0) & (effective <= rise + TINY)).all()


@forall(number(-0.1, 2.0), *([number(0.0, 3.0)] * 3))
def test_a_day_of_development(dvs, emergence, vegetative, reproductive):
    step = phenology.stage_step(dvs, emergence, vegetative, reproductive)
    fractions = torch.stack(step[1:])
    assert (fractions >= 0.0).all()
    assert (fractions.sum(0) <= 1.0 + TINY).all()
    assert (step.change >= 0.0).all()
    assert (dvs + step.change <= 2.0).all()
    rates = torch.stack([emergence, vegetative, reproductive])
    torch.testing.assert_close((rates * fractions).sum(0), step.change, rtol=1e-9, atol=1e-9)


@forall(number(0.0, 2.0), *([numbers(0.0, 1.0, 5)] * 4))
def test_partition_sums_to_one(dvs, root, leaf_share, stem, storage):
    shares = torch.stack(allocation.partition(dvs, root, leaf_share, stem, storage, 0.0, 0.5))
    torch.testing.assert_close(shares.sum(0), f64(1.0), rtol=1e-12, atol=0.0)
    assert (shares >= -TINY).all()


@forall(share, number(0.0, 100.0), share)
def test_harvest_index_lies_between_its_bounds(fphu, water, spread):
    weight = allocation.water_deficit_weight(water)
    assert ((weight >= 0.0) & (weight <= 1.0)).all()
    index = allocation.harvest_index(fphu, 0.2 + 0.4 * spread, 0.2, weight)
    assert ((index >= 0.0) & (index <= 0.2 + 0.4 * spread + TINY)).all()
    assert (allocation.root_fraction_lpjml(fphu, weight) >= 0.1 - TINY).all()
    lai = allocation.phenological_lai_lpjml(fphu, (0.05, 0.05), (0.45, 0.95), 0.7, 2.0)
    assert ((lai >= 0.0) & (lai <= 1.0 + TINY)).all()


@forall(number(0.85, 0.99), number(0.0, 4.0), number(0.0, 1.0))
def test_root_profile_sums_to_one_and_deepens(beta, depth, more):
    bottoms = (0.2, 0.5, 1.0, 2.0, 3.0)
    profile = soil_water.root_profile(beta, bottoms, depth)
    torch.testing.assert_close(profile.sum(0), f64(1.0), rtol=1e-12, atol=0.0)
    assert (profile >= 0.0).all()
    deeper = soil_water.root_profile(beta, bottoms, depth + more)
    assert (deeper[0] <= profile[0] + TINY).all()


@forall(numbers(0.0, 100.0, 5), number(0.0, 1.0), st.sampled_from([0.25, 1.0]))
def test_ageing_chain_conserves_carbon(boxes, rate, h):
    out = leaf_area.ageing_chain(boxes, rate, h) * h
    assert (out >= 0.0).all()
    assert (out <= boxes).all()
    after = boxes - out + torch.cat([torch.zeros_like(out[:1]), out[:-1]])
    torch.testing.assert_close(after.sum(0) + out[-1], boxes.sum(0), rtol=1e-12, atol=1e-12)


@forall(number(0.0, 12.0), number(0.3, 1.0))
def test_leaf_losses_are_rates(lai, k):
    loss = leaf_area.self_shading_loss(lai, k)
    assert ((loss >= 0.0) & (loss <= 0.03)).all()


@forall(share, share, st.floats(0.0, 8.0))
def test_hydraulics_are_ordered_everywhere_in_the_triangle(sand, rest, organic):
    clay = (1.0 - sand) * rest
    for variant in ("published", "lpjml"):
        soil = soil_hydraulics.saxton_rawls(sand, clay, organic, variant)
        assert (soil.wilting_point > 0.0).all()
        assert (soil.field_capacity > soil.wilting_point).all()
        assert (soil.saturation > soil.field_capacity).all()
        assert (soil.saturation < 1.0).all()
        assert (soil.ksat > 0.0).all()


@forall(number(0.0, 400.0), share, number(5.0, 120.0), st.floats(1.5, 6.0))
def test_infiltration_is_bounded_by_water_and_room(water, fill, room, exponent):
    share_in = soil_water.infiltration_share(water, fill * room, room, exponent)
    assert ((share_in >= 0.0) & (share_in <= 1.0)).all()
    assert (water * share_in <= (1.0 - fill + 1e-3) * room).all()
    more = soil_water.infiltration_share(water + 10.0, fill * room, room, exponent)
    assert (more <= share_in + 1e-6).all()


@forall(number(0.0, 150.0), number(0.01, 120.0), share, number(0.3, 0.95), share, number(0.0, 50.0))
def test_percolation_is_bounded_and_rises_with_conductivity(excess, ksat, wet, fc, room, more):
    flux = soil_water.percolation(excess, ksat, wet, fc, room, 1.0)
    assert ((flux >= 0.0) & (flux <= excess * (1.0 + TINY))).all()
    faster = soil_water.percolation(excess, ksat + more, wet, fc, room, 1.0)
    assert (faster >= flux - TINY).all()


@forall(number(0.0, 20.0), numbers(0.0, 100.0, 5), numbers(0.0, 1.0, 5))
def test_root_uptake_is_bounded_by_demand_and_water(demand, available, weights):
    uptake = soil_water.root_water_uptake(demand, available, weights, 1.0)
    assert (uptake >= 0.0).all()
    assert (uptake <= available * (1.0 + TINY)).all()
    assert (uptake.sum(0) <= demand * (1.0 + TINY)).all()


@forall(numbers(0.0, 100.0, 3), number(0.0, 1.5))
def test_evaporation_shares_sum_to_one(available, depth):
    overlap = soil_water.layer_overlap((0.2, 0.5, 1.0), depth)
    assert ((overlap >= 0.0) & (overlap <= 1.0)).all()
    total = soil_water.evaporation_shares(available, overlap).sum(0)
    assert (((total - 1.0).abs() < TINY) | (total == 0.0)).all()


@forall(number(0.0, 500.0), temperature, number(0.0, 1.0))
def test_snow_cannot_go_below_zero(pack, t, sublimation):
    melt, sublimed = snow.snow_losses(pack, snow.melt_demand(t), sublimation, 1.0)
    assert (melt >= 0.0).all()
    assert (melt + sublimed <= pack * (1.0 + TINY)).all()
    fraction = snow.snow_fraction(t)
    assert ((fraction >= 0.0) & (fraction <= 1.0)).all()


@forall(number(0.0, 300.0), number(0.0, 300.0), share)
def test_irrigation_is_never_negative(water, target, wetness):
    assert (irrigation.irrigation_amount(water, target, wetness, 0.8) >= 0.0).all()
