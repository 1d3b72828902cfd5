"""Balances of a season close, and what is missing is seen."""

from __future__ import annotations

import pytest

from neuralcrop.simulation.events import SEASON
from neuralcrop.training.balance import ledger_residuals
from neuralcrop.training.watch import ledger_metrics
from tests.model_runs import SmallRun

DAYS = 70  # the crop stands


def test_what_is_missing_is_seen() -> None:
    run = SmallRun("maize", n_cells=2, n_days=DAYS)
    end, model = run(), run.model
    metrics = ledger_metrics(ledger_residuals(model, end.x, end.season, run.p))
    assert set(metrics) == {"ledger_water", "ledger_carbon"}
    assert max(metrics.values()) < 1e-9
    x = end.x.clone()
    s = model.state.view(x)
    supplied = (SEASON.get(end.season, "start_water") - s["precipitated_water"]
                - s["irrigated_water"])  # stored at sowing and since
    x[model.state.start["soil_water"], 1] += 0.01 * supplied[1]
    x[model.state.start["leaf_carbon"], 0] -= 0.02 * -s["assimilated_carbon"][0]
    broken = ledger_residuals(model, x, end.season, run.p)
    assert broken["water"].tolist() == pytest.approx([0.0, 0.01], abs=1e-9)
    assert float(broken["carbon"][0]) < -0.01
    assert float(broken["carbon"][1]) == pytest.approx(0.0, abs=1e-9)
    assert ledger_metrics(broken)["ledger_water"] == pytest.approx(0.01)
