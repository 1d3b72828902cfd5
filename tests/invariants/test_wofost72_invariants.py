"""What holds for WOFOST 7.2 as for every set: balances, closures, single precision."""

from __future__ import annotations

import pytest
import torch

from neuralcrop.closures.mlp import ScaleClosure
from neuralcrop.core.ledger import Ledger
from neuralcrop.models.wofost72_field import Production
from neuralcrop.models.wofost72_state import FLUXES, STATE, STOCKS, STOICHIOMETRY
from neuralcrop.simulation.integrate import Solver, Stepper
from tests.wofost_fields import FieldRun

CROPS = ["barley", "potato", "maize", "sugarbeet"]


def test_columns_of_the_stoichiometry_sum_to_zero() -> None:
    matrix, ledger = STOICHIOMETRY.matrix(), Ledger(STATE)
    assert set(ledger.elements) == {"weight", "water"}
    for element in ledger.elements:
        assert bool((matrix[ledger.rows[element]].sum(dim=0) == 0).all())
    assert matrix.shape == (STATE.n_rows, FLUXES.n_rows)


@pytest.mark.parametrize("production", ["potential", "water_limited"])
@pytest.mark.parametrize("wet", [0.0, 1.0, 8.0])
def test_water_and_dry_matter_close(production: Production, wet: float) -> None:
    run = FieldRun(CROPS, production, n_days=140, wet=wet)
    with torch.no_grad():
        start = Stepper(run.model).start(run.forcing, run.site, run.p)
        end = run()
    ledger = Ledger(STATE)
    for element in ("water", "weight"):
        change = ledger.total(end.x, element) - ledger.total(start.x, element)
        assert float(change.abs().max()) <= 1e-12 * float(
            ledger.turnover(end.x, element).max()), element
    for name in STOCKS:
        if name != "leaf_shed_weight":
            assert float(STATE.get(end.x, name).min()) >= -1e-9, name


def test_single_precision_is_close() -> None:
    with torch.no_grad():
        double = FieldRun(CROPS, n_days=130)()
        single = FieldRun(CROPS, n_days=130, dtype=torch.float32)()
    for name in ("storage_weight", "leaf_grown_weight", "root_zone_water"):
        torch.testing.assert_close(
            STATE.get(single.x, name).double(), STATE.get(double.x, name), rtol=2e-4, atol=1e-2)


def test_untrained_closures_change_no_bit_and_trained_ones_act() -> None:
    plain = FieldRun(["barley", "potato"], n_days=60)
    with torch.no_grad():
        expected = plain().x
    for slot in plain.model.closures():
        run = FieldRun(["barley", "potato"], n_days=60)
        closure = ScaleClosure([4], 2.0).double()
        run.model.place_closure(slot, closure)
        with torch.no_grad():
            assert torch.equal(run().x, expected), slot
            for weight in closure.parameters():
                weight.add_(0.3)
            assert not torch.equal(run().x, expected), slot


def test_gradients_reach_a_closure() -> None:
    run = FieldRun(["barley"], n_days=60)
    closure = ScaleClosure([4], 2.0).double()
    run.model.place_closure("assimilation.amax", closure)
    STATE.get(run().x, "leaf_grown_weight").sum().backward()
    assert any(float(w.grad.abs().max()) > 0.0 for w in closure.parameters() if w.grad is not None)


def test_other_solvers_are_refused() -> None:
    run = FieldRun(["barley"], n_days=5)
    with pytest.raises(ValueError, match="one Euler step a day"):
        Stepper(run.model, Solver("rk4"))
