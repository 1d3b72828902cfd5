"""Gradients of a season's yield against finite differences, for every process and the soil."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from neuralcrop.models.global_ import layouts
from neuralcrop.simulation.integrate import RunState, Solver
from tests.model_runs import SmallRun

ROWS = layouts()
STATE = ROWS.state

N_DAYS = 95
STEP = 1e-5

SENSITIVE = {
    "maize": (
        "base_temperature", "thermal_time_emergence",
        "thermal_time_vegetative", "thermal_time_reproductive", "vcmax25", "quantum_yield", "g1",
        "leaf_respiration_ratio", "nitrogen_extinction", "capacity_decline", "c4_slope",
        "extinction", "maximum_transpiration", "canopy_height", "interception",
        "maintenance_leaf", "maintenance_stem", "respiration_q10", "efficiency_leaf",
        "efficiency_storage", "reserve_turnover", "specific_leaf_area", "leaf_life_span",
        "juvenile_growth_rate", "juvenile_area", "drought_leaf_loss", "frost_leaf_loss",
        "root_growth_rate", "maximum_root_depth", "sterility_rate", "sterility_temperature",
        "root_distribution", "storage_scale", "seed_carbon",
    ),
    "wet maize": ("conductivity_scale", "melt_rate"),
    "soybean": ("vcmax25", "jmax_ratio", "g1", "thermal_time_vegetative", "quantum_yield"),
    "winter_wheat": ("vernalisation_saturation", "photoperiod_optimal"),
}


def carbon(state: RunState) -> Tensor:
    """Storage and leaf carbon at the end, ``[cell]``."""
    return STATE.get(state.x, "storage_carbon") + 0.1 * STATE.get(state.x, "leaf_carbon").sum(0)


def season(case: str, n_cells: int, days: int = N_DAYS) -> SmallRun:
    """The same place as often as asked for: dry with a late frost, or wet; cold for wheat."""
    crop = case.removeprefix("wet ")
    run = SmallRun(crop, n_cells=1, n_days=days, dry=4.0 if case != crop else 0.5)
    copies = torch.zeros(n_cells, dtype=torch.int64)
    values = run.forcing.values.clone()
    values[:15, :3] -= 12.0  # snow before sowing
    values[40:43, :3] -= 14.0
    if crop == "winter_wheat":
        values[:, :3] -= 7.0
    run.forcing = replace(run.forcing, values=values).cells(copies)
    run.site, run.management = run.site.cells(copies), run.management.cells(copies)
    run.p = run.p[:, copies].clone()
    return run


@pytest.mark.parametrize("crop", list(SENSITIVE))
def test_parameter_gradients_match_finite_differences(crop: str) -> None:
    names = SENSITIVE[crop]
    run = season(crop, 2 * len(names) + 1)
    start = run.model.table.layout.start
    steps = []
    for k, name in enumerate(names):
        row = start[name]
        steps.append(STEP * max(abs(run.p[row, 0].item()), 0.05))
        run.p[row, 2 * k + 1] += steps[-1]
        run.p[row, 2 * k + 2] -= steps[-1]
    with torch.no_grad():
        outcome = carbon(run())
    single = season(crop, 1)
    p = single.p.requires_grad_()
    carbon(single(p)).sum().backward()
    assert p.grad is not None
    failures = []
    for k, name in enumerate(names):
        difference = (outcome[2 * k + 1] - outcome[2 * k + 2]) / (2 * steps[k])
        gradient = p.grad[start[name], 0]
        scale = max(abs(float(difference)), 1e-4 * float(outcome[0]) / steps[k] * STEP)
        if difference == 0.0 or abs(float(gradient - difference)) > 2e-3 * scale:
            failures.append(f"{name}: autograd {float(gradient):.6g}, "
                            f"finite difference {float(difference):.6g}")
    assert not failures, "\n".join(failures)


@pytest.mark.parametrize("name", ["wilting_point", "field_capacity", "saturation",
                                  "saturated_conductivity"])
def test_soil_gradients_match_finite_differences(name: str) -> None:
    run = season("wet maize" if name == "saturated_conductivity" else "maize", 1)
    soil = getattr(run.site, name).clone().requires_grad_()
    carbon(run(site=replace(run.site, **{name: soil}))).sum().backward()
    assert soil.grad is not None
    step = 1e-5 * soil[0, 0].item()
    outcome = []
    for sign in (1.0, -1.0):
        moved = soil.detach() + sign * step
        with torch.no_grad():
            outcome.append(carbon(run(site=replace(run.site, **{name: moved}))).sum())
    difference = float(outcome[0] - outcome[1]) / (2 * step)
    assert difference != 0.0
    assert float(soil.grad.sum()) == pytest.approx(difference, rel=5e-3)


@pytest.mark.slow
def test_checkpointed_gradients_are_the_same() -> None:
    run = season("maize", 1, days=60)
    gradients = []
    for segment in (0, 8):
        p = run.p.clone().requires_grad_()
        carbon(run(p, segment=segment)).sum().backward()
        assert p.grad is not None
        gradients.append(p.grad)
    assert torch.allclose(*gradients, rtol=1e-10, atol=1e-12)


@pytest.mark.slow
def test_continuous_adjoint_is_near_and_less_exact() -> None:
    gradients = []
    for adjoint in (False, True):
        run = season("maize", 1, days=40)
        run.stepper.solver = Solver("rk4", adjoint=adjoint)
        p = run.p.clone().requires_grad_()
        carbon(run(p)).sum().backward()
        assert p.grad is not None
        gradients.append(p.grad[run.model.table.layout.start["vcmax25"], 0])
    assert float(gradients[1]) == pytest.approx(float(gradients[0]), rel=0.1)
