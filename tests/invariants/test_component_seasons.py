"""Seasons with every combination of components: balances, yields, gradients."""

from __future__ import annotations

import itertools

import pytest
import torch

from neuralcrop.models.global_ import layouts
from neuralcrop.models.global_components import ALTERNATIVES
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.events import SEASON
from tests.model_runs import SmallRun

STATE = layouts().state

COMBINATIONS = [
    dict(zip(ALTERNATIVES, names, strict=True))
    for names in itertools.product(*ALTERNATIVES.values())]
LPJML = {"photosynthesis": "hp96", "transpiration": "lpjml", "allocation": "harvest_index"}


def season(
    chosen: dict[str, str], n_days: int, crop: str = "maize", version: str = "lpjml6",
    n_cells: int = 1, dtype: torch.dtype = torch.float64,
) -> SmallRun:
    model = build_model(ModelSpec(crops=(crop,), version=version, **chosen))
    return SmallRun(crop, n_cells=n_cells, n_days=n_days, model=model, dry=3.0, dtype=dtype)


@pytest.mark.parametrize("chosen", COMBINATIONS, ids=lambda c: "-".join(c.values()))
def test_season_balances_close_and_yields(chosen: dict[str, str]) -> None:
    record = SEASON.view(season(chosen, 200)().season)
    assert (record["harvests"] == 1).all()
    assert record["last_water_residual"].abs().max() <= 1e-12
    assert record["last_carbon_residual"].abs().max() <= 1e-12
    assert (record["last_yield"] > 2.0).all()
    assert (record["last_yield"] < 0.75 * record["last_biom"]).all()


@pytest.mark.parametrize("version", ["lpjml5", "lpjml6"])
@pytest.mark.parametrize("crop", ["maize", "soybean", "spring_wheat"])
def test_versions_and_crops_close_in_single_precision(version: str, crop: str) -> None:
    record = SEASON.view(season(LPJML, 200, crop, version, dtype=torch.float32)().season)
    assert (record["harvests"] == 1).all()
    assert record["last_water_residual"].abs().max() <= 1e-7
    assert record["last_carbon_residual"].abs().max() <= 1e-7
    assert (record["last_yield"] > 0.5).all()


def test_versions_differ() -> None:
    yields = [SEASON.view(season(LPJML, 200, version=v)().season)["last_yield"].item()
              for v in ("lpjml5", "lpjml6")]
    assert abs(yields[0] - yields[1]) > 0.01


@pytest.mark.parametrize("chosen", COMBINATIONS, ids=lambda c: "-".join(c.values()))
def test_gradients_of_a_season_are_finite(chosen: dict[str, str]) -> None:
    run = season(chosen, 90)
    p = run.p.clone().requires_grad_()
    STATE.get(run(p).x, "storage_carbon").sum().backward()
    assert p.grad is not None
    assert torch.isfinite(p.grad).all()
    specs = run.model.table.layout.start
    assert p.grad[specs["thermal_time_vegetative"]].abs().sum() > 0.0


def test_gradients_match_finite_differences() -> None:
    names = ("minimum_conductance", "maximum_transpiration", "assimilation_optimum_low",
             "assimilation_lowest", "anthesis_fraction", "leaf_curve_early", "leaf_curve_late",
             "harvest_index_optimal", "harvest_index_minimal", "efficiency_storage",
             "reserve_turnover", "maximum_leaf_area", "specific_leaf_area", "extinction")
    one = season(LPJML, 95)
    start = one.model.table.layout.start
    p = one.p.clone().requires_grad_()
    (STATE.get(one(p).x, "storage_carbon") + 0.1 * STATE.get(one(p).x, "leaf_carbon").sum(0)
     ).sum().backward()
    assert p.grad is not None
    many = season(LPJML, 95, n_cells=1)
    copies = torch.zeros(2 * len(names), dtype=torch.int64)
    many.forcing = many.forcing.cells(copies)
    many.site, many.management = many.site.cells(copies), many.management.cells(copies)
    many.p = many.p[:, copies].clone()
    steps = []
    for k, name in enumerate(names):
        steps.append(1e-5 * max(abs(one.p[start[name], 0].item()), 0.05))
        many.p[start[name], 2 * k] += steps[-1]
        many.p[start[name], 2 * k + 1] -= steps[-1]
    with torch.no_grad():
        x = many().x
    outcome = STATE.get(x, "storage_carbon") + 0.1 * STATE.get(x, "leaf_carbon").sum(0)
    failures = []
    for k, name in enumerate(names):
        expected = float(outcome[2 * k] - outcome[2 * k + 1]) / (2.0 * steps[k])
        found = float(p.grad[start[name], 0])
        if expected == 0.0 or abs(found - expected) > 2e-3 * max(
                abs(expected), 1e-9 * float(outcome[0]) / steps[k]):
            failures.append(f"{name}: autograd {found:.6g}, finite difference {expected:.6g}")
    assert not failures, "\n".join(failures)


@pytest.mark.slow
def test_a_day_is_one_graph() -> None:
    """Values and gradients of the traced day are those of the day itself."""
    run = season(LPJML, 50, n_cells=2)
    x, model = run().x, run.model
    place = model.place(model.table.layout.view(run.p), run.site)

    def day(p: torch.Tensor) -> torch.Tensor:
        return model.rates(
            x, run.forcing.values[49], run.forcing.solar_day[49], p, place, 1.0)[0]

    results = []
    for function in (day, torch.compile(day, backend="aot_eager", fullgraph=True)):
        p = run.p.clone().requires_grad_()
        rates = function(p)
        rates.sum().backward()
        assert p.grad is not None
        results.append((rates.detach(), p.grad))
    for plain, traced in zip(*results, strict=True):
        torch.testing.assert_close(traced, plain, rtol=1e-12, atol=1e-12)
