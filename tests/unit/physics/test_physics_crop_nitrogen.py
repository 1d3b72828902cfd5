"""Analytic checks of nitrogen demand, status, uptake and fixation."""

import torch

from neuralcrop.physics import nitrogen_demand as nd
from neuralcrop.physics import nitrogen_uptake as nu


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def column(*values):
    return f64(*values).unsqueeze(-1)


def test_concentrations_follow_the_table():
    """Wheat of WOFOST 8.1: 0.06, 0.04, 0.03, 0.02 and 0.014 at stages 0, 0.4, 0.7, 1 and 2."""
    nodes = column(0.06, 0.05, 0.04, 0.1 / 3.0, 0.08 / 3.0, 0.02, 0.0188, 0.0176, 0.0164, 0.0152,
                   0.014)
    dvs = f64(-0.1, 0.0, 0.4, 0.7, 1.0, 1.5, 2.0, 2.5)
    organs = nd.maximum_concentration(dvs, nodes, f64(0.5), f64(0.4), f64(0.0176))
    leaf = f64(0.06, 0.06, 0.04, 0.03, 0.02, 0.017, 0.014, 0.014)
    torch.testing.assert_close(organs[0], leaf)
    torch.testing.assert_close(organs[1], 0.5 * leaf)
    torch.testing.assert_close(organs[2], 0.4 * leaf)
    torch.testing.assert_close(organs[3], torch.full_like(leaf, 0.0176))


def test_demand_is_growth_and_deficit():
    demand = nd.organ_demand(f64(2.0, 2.0), f64(50.0, 50.0), f64(2.0, 9.0), f64(0.1), 2.0)
    torch.testing.assert_close(demand, f64(0.2 + 1.5, 0.2))


def test_status_runs_from_residual_to_critical():
    carbon = f64(10.0, 10.0, 10.0, 10.0, 0.0)
    status = nd.nutrition_index(carbon, f64(0.05, 0.1, 0.35, 0.9, 0.0), f64(0.06), f64(0.01))
    torch.testing.assert_close(status, f64(0.0, 0.0, 0.5, 1.0, 1.0))


def test_factors_are_one_at_full_and_positive_at_no_nitrogen():
    ends, carbon, critical = f64(0.0, 1.0), f64(50.0), f64(0.06)
    capacity = nd.capacity_factor(carbon, 3.0 * ends, critical, 1.0)
    for factor in (capacity, nd.leaf_growth_factor(ends, 1.0)):
        assert factor[0] > 0.0
        assert factor[1] == 1.0
    torch.testing.assert_close(nd.leaf_death_rate(ends, 0.03), f64(0.03, 0.0))
    assert nd.capacity_factor(f64(0.0), f64(0.0), critical, 1.0) == 1.0


def test_capacity_of_half_the_nitrogen():
    """Two thirds for a constant of one; in proportion for a large one; nothing above critical."""
    carbon, nitrogen, critical = f64(50.0), f64(1.5), f64(0.06)
    for half, expected in ((1.0, 2.0 / 3.0), (1e9, 0.5)):
        actual = nd.capacity_factor(carbon, nitrogen, critical, half)
        torch.testing.assert_close(actual, 0.02 + 0.98 * f64(expected), rtol=1e-6, atol=0.0)
    torch.testing.assert_close(nd.capacity_factor(carbon, 9.0 * nitrogen, critical, 1.0), f64(1.0))


def test_storage_waits_for_nitrogen_at_its_lowest_concentration():
    factor = nd.storage_growth_factor(
        f64(100.0, 100.0, 100.0), f64(2.0, 2.0, 2.0), f64(0.0, 0.2, 50.0), f64(0.02))
    torch.testing.assert_close(factor, 1.0 - 0.9 * torch.exp(f64(0.0, -1.0, -250.0)))


def test_capacity_and_leaf_nitrogen_are_inverse():
    capacity, temperature, carbon = f64(0.0, 20.0, 60.0), f64(5.0, 25.0, 38.0), f64(60.0, 1.0, 9.0)
    lowest = f64(0.017)
    for k in (0.02, 0.0693):
        nitrogen = nd.leaf_nitrogen_from_capacity(capacity, temperature, carbon, lowest, k)
        back = nd.capacity_from_leaf_nitrogen(nitrogen, temperature, carbon, lowest, k)
        torch.testing.assert_close(back, capacity)
    assert nd.capacity_from_leaf_nitrogen(0.5 * lowest * 60.0, f64(20.0), f64(60.0), lowest) == 0.0


def test_translocation_takes_the_smaller_of_offer_and_demand():
    mobile, gate = column(1.0, 0.5, 0.1).expand(3, 3), f64(1.0, 1.0, 0.0)
    flux = nd.translocation(mobile, f64(1e-3, 1e3, 1e3), 10.0, gate, 0.0)
    torch.testing.assert_close(flux.sum(dim=0), f64(1e-3, 0.16, 0.0), rtol=1e-3, atol=1e-9)
    # in the pattern of what can move
    torch.testing.assert_close(flux[:, 0] / flux[0, 0], f64(1.0, 0.5, 0.1))


def test_storage_is_served_first_and_the_others_alike():
    organs = nd.share_supply(f64(0.5, 100.0), f64(0.4, 0.4), column(0.6, 0.3, 0.3).expand(3, 2))
    torch.testing.assert_close(organs.sum(dim=0), f64(0.5, 1.6), rtol=0.02, atol=0.0)
    torch.testing.assert_close(organs[3], f64(0.4, 0.4), rtol=0.1, atol=0.0)
    torch.testing.assert_close(organs[1], 0.5 * organs[0])


def test_uptake_is_the_smallest_of_capacity_demand_and_the_largest():
    capacity = column(0.3, 0.2, 0.1).expand(3, 3)
    taken = nu.limited_uptake(capacity, f64(0.01, 50.0, 50.0), f64(9.0, 9.0, 0.05))
    torch.testing.assert_close(taken.sum(dim=0), f64(0.01, 0.6, 0.05), rtol=5e-3, atol=0.0)
    torch.testing.assert_close(taken[0] / taken[2], f64(3.0, 3.0, 3.0))


def test_uptake_saturates_with_the_stock():
    stock = f64(0.0, 0.0644, 1e9)
    rate = nu.uptake_capacity(stock, f64(1000.0), f64(0.092), 1.5, 0.7, 0.05, f64(1.0))
    torch.testing.assert_close(rate, 1.5 * f64(0.05, 0.55, 1.05))


def test_nodules_work_in_warm_moist_soil():
    activity = nu.fixation_activity(f64(0.0, 12.5, 25.0, 50.0, 25.0, 25.0),
                                    f64(1.0, 1.0, 1.0, 1.0, 0.25, 0.0))
    torch.testing.assert_close(activity, f64(0.0, 0.5, 1.0, 0.0, 0.5, 0.0))


def test_fixation_costs_carbon_and_is_limited_by_it():
    missing, carbon = f64(0.5, 0.5, -0.1), f64(1e6, 0.1, 5.0)
    fixed, spent = nu.fixation(missing, f64(0.8), f64(1.0), carbon, 6.0, 1.0)
    torch.testing.assert_close(spent, 6.0 * fixed)
    torch.testing.assert_close(fixed[0], f64(0.4)[0], rtol=1e-5, atol=0.0)
    assert 0.0 < spent[1] <= 0.1
    assert fixed[2] == 0.0
