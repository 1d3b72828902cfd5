"""Gradients of a season to the parameters of nitrogen and to fertiliser, by finite differences."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neuralcrop.core.forcing import N_GIFTS, PLAN_ROWS, Management
from neuralcrop.models.global_ import layouts
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.integrate import RunState
from tests.model_runs import SmallRun

STATE = layouts(True).state
N_DAYS = 100
STEP = 1e-5

SENSITIVE = {
    "maize": (
        "leaf_nitrogen_maximum", "stem_nitrogen_ratio", "root_nitrogen_ratio",
        "storage_nitrogen_maximum", "leaf_nitrogen_residual", "seed_nitrogen",
        "nitrogen_critical", "nitrogen_capacity_half", "nitrogen_leaf_sensitivity",
        "nitrogen_leaf_loss", "storage_nitrogen_minimum", "nitrogen_refill_time",
        "nitrogen_buffer", "translocation_time", "translocation_stage", "nitrogen_resorption",
        "nitrogen_uptake_stage", "largest_nitrogen_uptake", "nitrate_uptake_rate",
        "ammonium_uptake_rate", "nitrate_half_saturation", "ammonium_half_saturation",
        "uptake_floor", "uptake_moisture_half", "litter_decay_rate", "root_litter_decay_rate",
        "fast_decay_rate", "slow_decay_rate", "litter_released_share", "soil_cn",
        "immobilisation_half_saturation", "nitrification_rate", "nitrification_width",
        "ammonia_length", "anion_exclusion", "vcmax25",
        "specific_leaf_area",
    ),
    "soybean": ("fixation_share", "fixation_cost", "fixation_cold", "fixation_warm",
                "leaf_nitrogen_maximum", "storage_nitrogen_minimum"),
}


def carbon(state: RunState) -> Tensor:
    """Storage and leaf carbon at the end, ``[cell]``."""
    return STATE.get(state.x, "storage_carbon") + 0.1 * STATE.get(state.x, "leaf_carbon").sum(0)


def plan(amount: Tensor) -> Tensor:
    """Nitrate and ammonium at sowing, and as much again at stage 0.4."""
    empty = torch.zeros(N_GIFTS, amount.shape[-1], dtype=amount.dtype)
    gifts = torch.cat((amount.expand(2, -1), empty[2:]))
    stage = empty.clone()
    stage[0], stage[1] = -1.0, 0.4
    rows = {"day": empty, "stage": stage, "nitrate": gifts, "ammonium": gifts, "manure": empty}
    return torch.stack([rows[name] for name in PLAN_ROWS])


def season(crop: str, n_cells: int, amount: float = 0.1) -> SmallRun:
    """A wet season of one place, as often as asked for."""
    model = build_model(ModelSpec(crops=(crop,), nutrients=True)).double()
    run = SmallRun(crop, n_cells=1, n_days=N_DAYS, model=model, dry=2.0)
    copies = torch.zeros(n_cells, dtype=torch.int64)
    run.forcing = run.forcing.cells(copies)
    run.site, run.management = run.site.cells(copies), run.management.cells(copies)
    run.p = run.p[:, copies].clone()
    run.management = fed(run, torch.full((n_cells,), amount, dtype=torch.float64))
    return run


def fed(run: SmallRun, amount: Tensor) -> Management:
    return replace(run.management, fertiliser_plan=plan(amount))


def row_of(run: SmallRun, name: str) -> int:
    """Row of a parameter; of a table the node at stage 0.8, which acts."""
    layout = run.model.table.layout
    return layout.start[name] + (4 if layout.sizes[name] > 1 else 0)


@pytest.mark.parametrize("crop", list(SENSITIVE))
def test_parameter_gradients_match_finite_differences(crop: str) -> None:
    names = SENSITIVE[crop]
    run = season(crop, 2 * len(names) + 1)
    steps = []
    for k, name in enumerate(names):
        row = row_of(run, name)
        steps.append(STEP * max(abs(run.p[row, 0].item()), 0.02))
        run.p[row, 2 * k + 1] += steps[-1]
        run.p[row, 2 * k + 2] -= steps[-1]
    with torch.no_grad():
        outcome = carbon(run())
    assert float(outcome[0]) > 50.0
    single = season(crop, 1)
    p = single.p.requires_grad_()
    carbon(single(p)).sum().backward()
    assert p.grad is not None
    failures = []
    for k, name in enumerate(names):
        difference = (outcome[2 * k + 1] - outcome[2 * k + 2]) / (2 * steps[k])
        gradient = p.grad[row_of(run, name), 0]
        scale = max(abs(float(difference)), 1e-9 * float(outcome[0]) / steps[k])
        if difference == 0.0 or abs(float(gradient - difference)) > 3e-3 * scale:
            failures.append(f"{name}: autograd {float(gradient):.6g}, "
                            f"finite difference {float(difference):.6g}")
    assert not failures, "\n".join(failures)


def test_gradient_to_fertiliser() -> None:
    """Of yield and of uptake to the amount: positive, and that of finite differences."""
    for amount in (0.5,):
        run = season("maize", 1)
        given = torch.tensor([amount], dtype=torch.float64, requires_grad=True)
        end = run(management=fed(run, given))
        taken = STATE.get(end.x, "nitrogen_taken_up")
        found = [torch.autograd.grad(y.sum(), given, retain_graph=True)[0].item()
                 for y in (carbon(end), taken)]
        moved = season("maize", 2)
        step = 1e-4
        with torch.no_grad():
            ends = moved(management=fed(moved, torch.tensor(
                [amount + step, amount - step], dtype=torch.float64)))
        for value, y in zip(found, (carbon(ends), STATE.get(ends.x, "nitrogen_taken_up")),
                            strict=True):
            expected = float(y[0] - y[1]) / (2 * step)
            assert expected > 0.0
            assert value == pytest.approx(expected, rel=5e-3)
