"""Wild weather and wild soils: stocks stay positive, gradients finite."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.models.global_ import layouts
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.integrate import RunState
from neuralcrop.simulation.schedule import Ground
from tests.model_runs import SmallRun

ROWS = layouts(True)
STATE = ROWS.state
ROW = {name: k for k, name in enumerate(FORCING_NAMES)}
N = 8


def wild(run: SmallRun, seed: int) -> None:
    """Days of 200 mm, 45 degC, -40 degC, without radiation or wind, thrown in at random."""
    g = torch.Generator().manual_seed(seed)
    values = run.forcing.values.clone()

    def some(share: float) -> Tensor:
        return torch.rand(values.shape[0], values.shape[2], generator=g) < share

    cold, hot = some(0.05), some(0.1)
    for name, low, high in (("tasmin", -45.0, 40.0), ("tas", -40.0, 45.0), ("tasmax", -35.0, 50.0)):
        row = values[:, ROW[name]]
        values[:, ROW[name]] = torch.where(cold, low, torch.where(hot, high, row))
    for name, share, value in (("pr", 0.1, 200.0), ("rsds", 0.1, 0.0), ("sfcwind", 0.1, 0.0),
                               ("sfcwind", 0.1, 25.0), ("vap", 0.1, 0.0)):
        values[:, ROW[name]] = torch.where(some(share), value, values[:, ROW[name]])
    run.forcing = replace(run.forcing, values=values)


def start(run: SmallRun, p: Tensor | None = None) -> RunState:
    """Soils without mineral nitrogen, without organic matter, saturated, dry, full of nitrate."""
    state = run.stepper.start(run.forcing, run.site, run.p if p is None else p)
    x = state.x.detach().clone()
    organic = [n for n in ROWS.stocks if "litter" in n or n.startswith(("fast", "slow"))]
    for name in ("nitrate", "ammonium"):
        STATE.get(x, name)[:, 0:2] = 0.0
        STATE.get(x, name)[:, 4] = 128.0
    for name in organic:
        STATE.get(x, name)[..., 1] = 0.0
        STATE.get(x, name)[..., 5] *= 4.0
    named = run.model.table.layout.view(run.p)
    column = run.model.parts.soil.column(named, run.site)
    quantum = 2.0**-12
    STATE.get(x, "soil_water")[:, 2] = torch.floor(column.saturation[:, 2] / quantum) * quantum
    STATE.get(x, "soil_water")[:, 3] = 0.0
    STATE.get(x, "soil_temperature")[:, 6] = -30.0
    return replace(state, x=x)


def wild_run(crop: str, n_days: int, dtype: torch.dtype, seed: int) -> SmallRun:
    model = build_model(ModelSpec(crops=(crop,), nutrients=True)).to(dtype)
    run = SmallRun(crop, n_cells=N, n_days=n_days, dtype=dtype, model=model)
    wild(run, seed)
    plan = torch.zeros(5, 6, N, dtype=dtype)
    plan[2:4, 0, 4:] = 10.0  # 200 kg ha-1 at sowing
    run.management = replace(run.management, fertiliser_plan=plan)
    run.site = replace(run.site, deposition=torch.tensor(
        [[0.0], [0.0]], dtype=dtype).expand(2, N))
    return run


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize(("crop", "seed"), [
    ("soybean", 5),
    *(pytest.param(crop, seed, marks=pytest.mark.slow)
      for crop, seed in (("maize", 1), ("winter_wheat", 2), ("potato", 3), ("rice", 4)))])
def test_no_negative_stock(crop: str, seed: int, dtype: torch.dtype) -> None:
    run = wild_run(crop, 120, dtype, seed)
    lowest: list[tuple[float, float, bool]] = []

    def observe(day: int, morning: Tensor, x: Tensor, v: Tensor, ground: Ground) -> None:
        lowest.append((min(STATE.get(x, n).min().item() for n in ROWS.stocks), v.min().item(),
                       bool(torch.isfinite(x).all())))

    with torch.no_grad():
        end = run.stepper.run(
            start(run), run.forcing, run.site, run.management, run.p, observe)
    assert min(stock for stock, _, _ in lowest) >= 0.0
    assert min(flux for _, flux, _ in lowest) >= 0.0
    assert all(finite for _, _, finite in lowest)
    assert float(-STATE.get(end.x, "fertilised_nitrogen").max()) == 0.0
    assert float(-STATE.get(end.x, "fertilised_nitrogen").min()) == 20.0


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("crop", ["soybean", pytest.param("maize", marks=pytest.mark.slow)])
def test_gradients_are_finite(crop: str, dtype: torch.dtype) -> None:
    run = wild_run(crop, 55, dtype, 7)
    p = run.p.clone().requires_grad_()
    begun = start(run)
    x = begun.x.requires_grad_()
    end = run.stepper.run(
        replace(begun, x=x), run.forcing, run.site, run.management, p)
    STATE.get(end.x, "leaf_carbon").sum().backward()
    for gradient in (p.grad, x.grad):
        assert gradient is not None
        assert bool(torch.isfinite(gradient).all())
        assert float(gradient.abs().max()) > 0.0
