"""Water and carbon close and no stock goes below zero, in ordinary and in wild weather."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neuralcrop.core.ledger import Ledger
from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.models.global_ import layouts
from neuralcrop.simulation.events import SEASON
from neuralcrop.simulation.integrate import Solver
from neuralcrop.simulation.schedule import Ground
from tests.model_runs import SmallRun

ROWS = layouts()
FLUXES, STATE, STOCKS, STOICHIOMETRY = ROWS.fluxes, ROWS.state, ROWS.stocks, ROWS.stoichiometry


def test_stoichiometry_columns_sum_to_zero_for_every_element() -> None:
    matrix = STOICHIOMETRY.matrix()
    assert matrix.shape == (STATE.n_rows, FLUXES.n_rows)
    for element in ("carbon", "water"):
        rows = Ledger(STATE).rows[element]
        assert torch.equal(matrix[rows].sum(dim=0), torch.zeros(FLUXES.n_rows).double())
    assert torch.equal(matrix.abs().sum(dim=0), torch.full((FLUXES.n_rows,), 2.0).double())


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-12), (torch.float32, 1e-7)])
@pytest.mark.parametrize("irrigated", [False, True])
@pytest.mark.parametrize("crop", ["maize", "soybean"])
def test_season_balances_close(
    crop: str, irrigated: bool, dtype: torch.dtype, limit: float
) -> None:
    run = SmallRun(crop, dtype=dtype, n_days=230)
    management = run.management
    if irrigated:
        management = replace(
            management, irrigation_threshold=management.irrigation_threshold + 0.9)
    season = SEASON.view(run(management=management).season)
    assert (season["harvests"] == 1).all()
    assert season["last_yield"].min() > 0.3
    assert season["last_water_residual"].abs().max() <= limit
    assert season["last_carbon_residual"].abs().max() <= limit
    assert (season["last_pirnreq"] > 1.0).all() == irrigated


@pytest.mark.parametrize(
    "method", ["midpoint", "rk4", pytest.param("dopri5", marks=pytest.mark.slow)])
def test_other_solvers_conserve(method: str) -> None:
    run = SmallRun(n_cells=2, n_days=90, solver=Solver(method, rtol=1e-5, atol=1e-6))
    end = run()
    ledger = Ledger(STATE)
    stored = SEASON.get(end.season, "start_water")  # the balance began at sowing
    assert (ledger.total(end.x, "water") - stored).abs().max() < 1e-9 * stored.max()
    assert ledger.total(end.x, "carbon").abs().max() < 1e-9
    for name in STOCKS:
        assert STATE.get(end.x, name).min() > -1e-3, name


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_wild_weather_leaves_no_negative_stock(dtype: torch.dtype) -> None:
    run = SmallRun("soybean", n_cells=8, n_days=150, dtype=dtype)
    g = torch.Generator().manual_seed(5)
    values = run.forcing.values.clone()

    def some(share: float) -> torch.Tensor:
        return torch.rand(values.shape[0], values.shape[2], generator=g) < share

    row = {name: k for k, name in enumerate(FORCING_NAMES)}
    values[:, row["pr"]] = torch.where(some(0.1), 200.0, values[:, row["pr"]])
    for name, shift in (("tasmin", -45.0), ("tas", -40.0), ("tasmax", -35.0)):
        cold = some(0.05) if name == "tasmin" else cold  # noqa: F821
        values[:, row[name]] = torch.where(cold, shift, values[:, row[name]])
    hot = some(0.1) & ~cold
    for name, t in (("tasmin", 38.0), ("tas", 43.0), ("tasmax", 49.0)):
        values[:, row[name]] = torch.where(hot, t, values[:, row[name]])
    values[:, row["rsds"]] = torch.where(some(0.1), 0.0, values[:, row["rsds"]])
    run.forcing = replace(run.forcing, values=values)
    lowest = []
    start = run.stepper.start(run.forcing, run.site, run.p)

    def observe(day: int, morning: Tensor, x: Tensor, v: Tensor, ground: Ground) -> None:
        lowest.append((min(STATE.get(x, n).min().item() for n in STOCKS), v.min().item(),
                       bool(torch.isfinite(x).all())))

    run.stepper.run(start, run.forcing, run.site, run.management, run.p, observe)
    assert min(stock for stock, _, _ in lowest) >= 0.0
    assert min(flux for _, flux, _ in lowest) >= 0.0
    assert all(finite for _, _, finite in lowest)


def test_gradients_stay_finite_in_wild_weather() -> None:
    run = SmallRun("maize", n_cells=4, n_days=120, dry=0.0)
    values = run.forcing.values.clone()
    values[::7, FORCING_NAMES.index("rsds")] = 0.0
    run.forcing = replace(run.forcing, values=values)
    p = run.p.clone().requires_grad_()
    end = run(p)
    STATE.get(end.x, "storage_carbon").sum().backward()
    assert p.grad is not None
    assert torch.isfinite(p.grad).all()
