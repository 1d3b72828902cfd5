"""Check values and properties of the WOFOST 7.2 kernels.

Numbers without another source are output of PCSE 6.0.13 (its own unit tests and runs).
"""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from neuralcrop.physics.wofost72 import (
    assimilation,
    astro,
    evapotranspiration,
    growth,
    leaves,
    phenology,
    roots,
    water,
)
from neuralcrop.physics.wofost72.tables import interpolate, pad


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def close(actual, *expected, rtol=1e-7, atol=1e-12):
    torch.testing.assert_close(actual.reshape(-1), f64(*expected), rtol=rtol, atol=atol)


def forall(*strategies):
    """Run a test for random inputs; first calls of an operator may be slow, hence no deadline."""
    return lambda test: settings(max_examples=60, deadline=None)(given(*strategies)(test))


def table(*pairs):
    x, y = pad(pairs)
    return x.unsqueeze(-1), y.unsqueeze(-1)


# tables


def test_partitioning_table():
    nodes = (0, 0.5, 0.1, 0.5, 0.2, 0.4, 0.35, 0.22, 0.4, 0.17, 0.5, 0.13, 0.7, 0.07, 0.9, 0.03)
    close(interpolate(*table(*nodes, 1.2, 0, 2.0, 0), f64(0.5, 1.0)), 0.13, 0.02)


def test_unused_pairs_end_a_table():
    x, y = pad([0.0, 1.0, 2.0, 3.0, 0.0, 0.0, 0.0, 0.0], n=4)
    assert x.tolist() == [0.0, 2.0, 2.0, 2.0]
    assert y.tolist() == [1.0, 3.0, 3.0, 3.0]
    for pairs in ([], [1.0, 2.0, 3.0]):
        with pytest.raises(ValueError, match="pairs of x and y"):
            pad(pairs)
    with pytest.raises(ValueError, match="does not fit"):
        pad([0.0, 1.0, 2.0, 3.0], n=1)


number = st.floats(-50.0, 50.0, allow_subnormal=False)


@forall(
    st.lists(st.integers(-99, 99), min_size=1, max_size=10, unique=True),
    st.data(),
    st.integers(0, 3),
)
def test_interpolation_is_that_of_numpy(abscissae, data, padding):
    xs = [0.37 * x for x in sorted(abscissae)]
    ys = data.draw(st.lists(number, min_size=len(xs), max_size=len(xs)))
    at = data.draw(st.lists(number, min_size=1, max_size=20)) + xs
    flat = [value for pair in zip(xs, ys, strict=True) for value in pair]
    x_nodes, y_nodes = (nodes.unsqueeze(-1) for nodes in pad(flat, len(xs) + padding))
    found = interpolate(x_nodes, y_nodes, f64(*at))
    np.testing.assert_allclose(found.numpy(), np.interp(at, xs, ys), rtol=1e-13, atol=1e-12)
    assert found[-len(xs) :].tolist() == ys


def test_tables_of_cells():
    x_nodes, y_nodes = f64(0, 0, 1, 2, 1, 4).reshape(3, 2), f64(1, 5, 3, 6, 3, 9).reshape(3, 2)
    expected = f64(2.0, 5.25, 3.0, 7.5).reshape(2, 2)
    torch.testing.assert_close(
        interpolate(x_nodes, y_nodes, f64(0.5, 0.5, 3, 3).reshape(2, 2)), expected
    )


# sun


def test_astronomy():
    sky = astro.astronomy(f64(173.0), f64(52.0), f64(2e7))
    expected = {
        "dayl": 16.496437, "daylp": 17.698799, "sinld": 0.31357619, "cosld": 0.56481651,
        "difpp": 200.218259, "atmtr": 0.47840357, "dsinbe": 40097.8351, "angot": 41805707.96,
    }  # fmt: skip
    for key, value in expected.items():
        close(getattr(sky, key), value, rtol=5e-8)
    # 21 December with impossible radiation: transmission above 1
    sky = astro.astronomy(f64(356.0), f64(52.0), f64(2e7))
    expected = (7.504236, 8.590707, -0.31354134, 0.56482832, 516.8137, 3.1767386, 4805.7027)
    for value, wanted in zip(sky, (*expected, 6295765.14), strict=True):
        close(value, wanted, rtol=1e-7)
    sky = astro.astronomy(f64(196.0), f64(-30.0), f64(2e7))
    close(torch.cat([sky.dayl, sky.daylp]), 10.251050, 10.923904)
    close(torch.cat([sky.dsinbe, sky.angot]), 17757.2111, 19675064.47)


def test_polar_night_and_day():
    night = astro.astronomy(f64(355.0), f64(80.0), f64(0.0))
    for name in ("dayl", "daylp", "difpp", "atmtr", "dsinbe", "angot"):
        assert getattr(night, name).item() == 0.0
    assert astro.astronomy(f64(172.0), f64(80.0), f64(2e7)).dayl.item() == 24.0


# development


def test_stages_stop_exactly_at_their_ends():
    dvs = f64(-0.1, -0.001, 0.5, 0.999, 1.9, 1.999, 2.0)
    following = phenology.next_stage(dvs, torch.full_like(dvs, 0.05), f64(2.0))
    close(following, -0.05, 0.0, 0.55, 1.0, 1.95, 2.0, 2.0)
    assert following[1] == 0.0
    assert following[3] == 1.0


def test_development_of_each_stage():
    rate = phenology.development_rate(
        f64(-0.1, 0.2, 1.0, 2.0), f64(12.0), f64(20.0), f64(0.5), f64(100.0), f64(800.0),
        f64(1000.0), f64(2.0), f64(30.0), f64(2.0),
    )  # fmt: skip
    close(rate, 0.01, 0.0125, 0.02, 0.0)


def test_vernalisation_stops_when_met_and_is_off_without_need():
    dvs, vern, idsl = f64(0.1, 0.1, 0.4, 1.2, 0.1), f64(20, 60, 20, 20, 20), f64(2, 2, 2, 2, 1)
    need = (f64(50.0), f64(0.3), idsl)
    close(phenology.vernalisation_rate(f64(0.8), dvs, vern, *need), 0.8, 0.0, 0.0, 0.0, 0.0)
    factor = phenology.vernalisation_factor(dvs, vern, f64(10.0), *need)
    close(factor, 0.25, 1.0, 1.0, 0.0, 1.0)
    dvred = phenology.photoperiod_reduction(f64(12.0), f64(8.0), f64(16.0), f64(0, 1, 2))
    close(dvred, 1.0, 0.5, 0.5)


# growth


def test_gross_assimilation_of_wheat():
    lat, day = f64(37.64), f64(10.0, 50.0, 80.0, 110.0, 120.0)
    irradiation = f64(1.0598e7, 1.7403e7, 2.2034e7, 2.1771e7, 1.2674e7)
    tmin = f64(4.9428568, 8.0857143, 9.8, 12.214, 10.128572)
    daytime = f64(13.125, 19.25, 20.725, 21.4, 17.775002)
    dvs = f64(0.0755583529, 0.48448902, 0.90179, 1.2953, 1.4405867)
    lai = f64(0.25510019, 3.4342484, 6.2283578, 4.593348, 2.8579102)
    amax = interpolate(*table(0, 35.83, 1.3, 35.83, 2, 4.48), dvs)
    amax = amax * interpolate(*table(0, 0.01, 10, 0.6, 15, 1, 25, 1, 35, 0), daytime)
    pgass = assimilation.gross_assimilation(
        astro.astronomy(day, lat, irradiation), irradiation, lai, amax, f64(0.45), f64(0.6),
        interpolate(*table(0, 0, 3, 1), tmin),
    )  # fmt: skip
    close(pgass, 36.51381, 301.07998, 431.77169, 479.97317, 288.33467, rtol=2e-5)


def test_mean_of_the_last_minimum_temperatures():
    recent = torch.arange(7, dtype=torch.float64).unsqueeze(-1).expand(7, 4)
    close(assimilation.recent_minimum(recent, f64(1, 3, 7, 200)), 0.0, 1.0, 3.0, 3.0)


def test_co2_factors_scale_leaf_and_transpiration():
    sky, light = astro.astronomy(f64(173.0), f64(52.0), f64(2e7)), f64(2e7)
    leaf = (f64(30.0), f64(0.45), f64(0.6), f64(1.0))
    raised = assimilation.gross_assimilation(sky, light, f64(3.0), *leaf, 1.6, 1.11)
    direct = assimilation.gross_assimilation(
        sky, light, f64(3.0), f64(48.0), f64(0.4995), *leaf[2:]
    )
    close(raised, direct.item())
    demand = evapotranspiration.crop_demand(f64(0.4), f64(1.0))
    rates = evapotranspiration.potential_rates(
        demand, f64(0.3), f64(0.5), f64(0.6), f64(3.0), f64(1.0, 0.9)
    )
    close(rates.tramx[1] / rates.tramx[0], 0.9)
    close(rates.evsmx, 0.3 * np.exp(-1.35))


def test_maintenance():
    rates = (f64(0.015), f64(0.03), f64(0.015), f64(0.01), f64(2.0))
    weights = growth.Organs(
        f64(544.23639, 111.35897), f64(1143.2697, 72.383331), f64(4697.2012, 38.975636),
        f64(227.33698, 0.0),
    )  # fmt: skip
    close(
        growth.maintenance(weights, f64(22.55, 8.3), f64(1.0), *rates), 97.201683, 1.3910484,
        rtol=2e-7,
    )  # fmt: skip


def test_conversion_and_growth():
    shares = growth.Partitioning(f64(0.13), f64(0.5), f64(0.5), f64(0.0))
    cvf = growth.conversion(shares, f64(0.694), f64(0.685), f64(0.662), f64(0.709))
    close(cvf, 0.6759241)
    # maintenance may take all assimilates, and not more
    close(growth.dry_matter_growth(f64(100.0), f64(0.5), f64(20.0, 80.0), f64(0.7)), 21.0, 0.0)
    organs = growth.organ_growth(f64(20.0), shares)
    close(sum(organs), 20.0)
    start = growth.initial_weights(f64(60.0), shares)
    close(torch.cat(start), 7.8, 26.1, 26.1, 0.0)


def test_roots_stop_at_their_depth_and_without_growth():
    rdm = roots.maximum_depth(f64(10.0), f64(125.0), f64(100.0, 200.0, 5.0))
    close(rdm, 100.0, 125.0, 10.0)
    rr = roots.depth_growth(f64(50, 99.5, 50), f64(100.0), f64(1.2), f64(0.1, 0.1, 0.0))
    close(rr, 1.2, 0.5, 0.0)


# water stress


def test_drought_and_oxygen_stress():
    sweaf = evapotranspiration.easily_available_fraction(f64(0.5, 0.5, 0.0), f64(4.5, 2.0, 5.0))
    close(sweaf, 1 / 1.51 - 0.05, 1 / 1.51 - 0.3 - 0.01, 0.95)
    smcr = evapotranspiration.critical_soil_moisture(f64(0.6), f64(0.1), f64(0.3))
    rfws = evapotranspiration.drought_factor(f64(0.05, 0.14, 0.3), smcr, f64(0.1))
    close(rfws, 0.0, 0.5, 1.0)
    sm, dsos = f64(0.38, 0.4, 0.4, 0.4, 0.4), f64(1.0, 2.0, 9.0, 9.0, 9.0)
    rfos = evapotranspiration.oxygen_factor(
        sm, f64(0.4), f64(0.04), dsos, f64(1, 1, 1, 0, 1), f64(0, 0, 0, 0, 1)
    )
    close(rfos, 0.875, 0.5, 0.0, 1.0, 1.0)
    days = evapotranspiration.oxygen_stress_days(f64(3.0), f64(0.37, 0.3), f64(0.4), f64(0.04))
    close(days, 4.0, 0.0)


# leaves


class CohortList:
    """Leaf cohorts one by one, oldest first: [weight, specific area, age]."""

    def __init__(self, weight, sla):
        self.cohorts = [[weight, sla, 0.0]]

    def weight(self):
        return sum(weight for weight, _, _ in self.cohorts)

    def area(self):
        return sum(weight * sla for weight, sla, _ in self.cohorts)

    def aged(self, span):
        return sum(weight for weight, _, age in self.cohorts if age > span)

    def advance(self, death, ageing, weight, sla):
        while death > 0.0 and self.cohorts:
            oldest = self.cohorts[0]
            if death < oldest[0]:
                oldest[0] -= death
                break
            death -= self.cohorts.pop(0)[0]
        for cohort in self.cohorts:
            cohort[2] += ageing
        self.cohorts.append([weight, sla, 0.0])


def cumulative(days):
    """Rows of leaves of 1 cell with one cohort of 10 kg ha-1 and 0.02 ha ha-1."""
    grown = torch.full((days + 1, 1), float("nan"), dtype=torch.float64)
    area, born, ages = grown.clone(), grown.clone(), grown.clone()
    grown[0], area[0], born[0], ages[0] = 10.0, 0.02, 0.0, 0.0
    return grown, area, born, ages


@forall(
    st.lists(
        st.tuples(
            st.floats(0.0, 0.9),
            st.one_of(st.just(0.0), st.floats(0.01, 3.0)),
            st.one_of(st.just(0.0), st.floats(0.01, 300.0)),
            st.floats(5e-4, 5e-3),
        ),
        min_size=1,
        max_size=40,
    ),
    st.floats(0.5, 20.0),
)
def test_cumulative_leaves_equal_a_list_of_cohorts(days, span):
    loop = CohortList(10.0, 0.002)
    grown, area, born, ages = cumulative(len(days))
    removed, age, rows, span_ = f64(0.0), f64(0.0), torch.tensor(1), f64(span)
    for share, ageing, weight, sla in days:
        wlv = grown[rows - 1] - removed
        close(wlv, loop.weight(), rtol=1e-10, atol=1e-9)
        living = leaves.living_area(grown, area, removed, rows)
        close(living, loop.area(), rtol=1e-9, atol=1e-9)
        # ages that meet the span but for rounding are a matter of chance
        if all(abs(cohort[2] - span) > 1e-9 for cohort in loop.cohorts):
            aged = leaves.aged_weight(grown, born, age, span_, rows)
            close((aged - removed).clamp(min=0.0), loop.aged(span), rtol=1e-10, atol=1e-9)
            by_age = leaves.aged_weight_by_age(grown, ages, span_, rows)
            assert torch.equal(by_age, aged)
            early = leaves.aged_weight(grown, born, age, span_, rows, smooth=True)
            assert (early >= aged).all()
            assert (early <= grown[rows - 1]).all()
        else:
            aged = removed + loop.aged(span)
        stress = wlv * share
        after = leaves.next_removed(removed, stress, aged)
        loop.advance((after - removed).item(), ageing, weight, sla)
        removed, age = after, age + ageing
        ages[:rows] += ageing
        grown[rows] = grown[rows - 1] + weight
        area[rows], born[rows], ages[rows] = area[rows - 1] + weight * sla, age, 0.0
        rows = rows + 1


def test_smooth_ageing_interpolates_in_the_age_at_birth():
    grown, born = f64(10.0, 14.0, 20.0).unsqueeze(-1), f64(0.0, 1.0, 2.0).unsqueeze(-1)
    rows, span = torch.tensor(3), f64(30.0)
    for age, exact, smooth in ((29.0, 0, 0), (30.0, 0, 0), (30.5, 10, 12), (31.5, 14, 17),
                               (32.5, 20, 20)):  # fmt: skip
        close(leaves.aged_weight(grown, born, f64(age), span, rows), exact)
        close(leaves.aged_weight(grown, born, f64(age), span, rows, smooth=True), smooth)


def test_an_age_equal_to_the_span_but_for_rounding_is_not_older():
    grown, born, rows = f64(10.0).unsqueeze(-1), f64(0.0).unsqueeze(-1), torch.tensor(1)
    for age in (23.0, 23.0 + 1.1e-14, 23.0 - 1.1e-14):
        close(leaves.aged_weight(grown, born, f64(age), f64(23.0), rows), 0.0)
    close(leaves.aged_weight(grown, born, f64(23.001), f64(23.0), rows), 10.0)


def test_leaf_rates():
    close(leaves.shading_death(f64(1e3), f64(4.0, 8.0, 16.0), f64(0.6)), 0.0, 15.0, 30.0)
    close(leaves.drought_death(f64(1e3), f64(0.5), f64(0.03)), 15.0)
    close(leaves.ageing(f64(5.0, 22.5, 45.0), f64(10.0)), 0.0, 0.5, 1.4)
    increase = leaves.exponential_increase(f64(1.0, 6.0), f64(20.0), f64(0.01), f64(10.0))
    close(increase, 0.1, 0.0)
    area = leaves.area_growth(f64(100.0, 20.0, 100.0), f64(0.002), f64(1, 1, 6), f64(0.1, 0.1, 0))
    close(area, 0.1, 0.04, 0.2)
    close(leaves.shoot_area(f64(100.0), f64(1e-3), f64(50.0), f64(1e-2)), 0.6)


# soil water


def soil(**changes):
    values = {"smw": 0.1, "smfcf": 0.3, "sm0": 0.4, "depth": 100.0, "sope": 10.0, "ksub": 10.0}
    values |= {"ssmax": 0.0, **changes}
    return water.Soil(**{key: f64(value) for key, value in values.items()})


def test_initial_water():
    close(water.soil_depth(f64(5.0, 120.0)), 10.0, 120.0)
    earth = soil(smw=0.1513, smfcf=0.3153, sm0=0.4061)
    start = water.initial_water(earth, f64(16.4, 0.1), f64(0.3153), f64(0.0), f64(10.0))
    close(start.w, 3.153, 1.613)
    close(start.wlow, 28.377, 13.617)
    close(start.dslr, 1.0, 5.0)


def test_share_of_rain_that_runs_off():
    rain = f64(0.2, 1.0, 2.0)
    close(water.not_infiltrating(rain, f64(0.6), f64(1.0)), 0.0, 0.3, 0.6)
    close(water.not_infiltrating(rain, f64(0.6), f64(0.0)), 0.6, 0.6, 0.6)


def test_soil_dries_with_the_root_of_time():
    state = water.Water(*(f64(x, x, x) for x in (3.0, 20.0)), f64(0, 0, 2), f64(3, 3, 3),
                        f64(0.05, 1.0, 0.0))  # fmt: skip
    evs, evw, dslr = water.soil_evaporation(state, f64(0.3), f64(0.4))
    close(evs, 0.3 * (2.0 - 3.0**0.5) + 0.05, 0.3, 0.0)
    close(evw, 0.0, 0.0, 0.4)
    close(dslr, 4.0, 1.0, 3.0)


depths = st.floats(10.0, 100.0)


@forall(
    st.lists(
        st.tuples(st.one_of(st.just(0.0), st.floats(0.0, 12.0)), st.floats(0.0, 4.0),
                  st.floats(0.0, 0.8), st.floats(0.0, 0.9), st.floats(0.0, 3.0)),
        min_size=1, max_size=30,
    ),
    st.floats(0.0, 3.0), st.floats(0.1, 10.0), st.floats(0.0, 40.0), st.floats(0.0, 1.0),
)  # fmt: skip
def test_water_closes_and_stays_within_its_bounds(days, ssmax, conductivity, wav, notinf):
    earth = soil(ssmax=ssmax, sope=conductivity, ksub=0.7 * conductivity)
    rd = f64(10.0)
    state = water.initial_water(earth, f64(wav), f64(0.4), f64(0.5 * ssmax), rd)
    for rain, irrigation, tra, evsmx, growing in days:
        after_roots = torch.minimum(rd + growing, earth.depth)
        share = water.not_infiltrating(f64(rain), f64(notinf), f64(1.0))
        demand = f64(tra) * (state.w / rd > earth.smw)
        demand = torch.minimum(demand, (state.w - earth.smw * rd).clamp(min=0.0))
        rates = water.water_fluxes(
            earth, state, rd, f64(rain), f64(irrigation), share, demand, f64(evsmx), f64(evsmx)
        )
        moved = water.root_zone_transfer(earth, state, rates, rd, after_roots)
        after = water.next_water(state, rates, moved)
        stored = after.w + after.wlow + after.ss - state.w - state.wlow - state.ss
        lost = rates.tra + rates.evs + rates.evw + rates.loss + rates.runoff
        close(rain + irrigation - lost, stored.item(), atol=1e-12)
        assert (rates.evs >= -1e-12).all()
        assert (moved >= 0.0).all()
        for value in (after.w, after.wlow, rates.loss):
            assert (value >= -1e-12).all()
        assert (after.ss <= earth.ssmax + 1e-12).all()
        assert (after.w <= earth.sm0 * after_roots + 1e-9).all()
        assert (after.wlow <= earth.sm0 * (earth.depth - after_roots) + 1e-9).all()
        state, rd = after, after_roots
