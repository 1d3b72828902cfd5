"""Cultivars that fit a climate ripen when they should, in the model itself."""

from __future__ import annotations

import torch

from neuralcrop.simulation.cultivars import ADAPTED, FACTORS, adapted
from neuralcrop.simulation.events import SEASON
from tests.model_runs import SmallRun


def test_an_adapted_crop_ripens_on_its_day_and_others_stay() -> None:
    run = SmallRun(n_cells=4, n_days=200)
    values = run.forcing.values.clone()
    values[:, :3] += torch.tensor([8.0, 9.0, 10.0, 9.0])  # warm enough everywhere
    forcing = type(run.forcing)(
        values, run.forcing.day_of_year, run.forcing.solar_day, run.forcing.year,
        run.forcing.first_day)
    tas = torch.full((365, 4), 5.0, dtype=torch.float64)
    tas[100:300] = values[:, 2]
    target = torch.tensor([90.0, 110.0, 100.0, 0.0], dtype=torch.float64)
    sowing = torch.full((4,), 121)
    p = adapted(run.model, run.p, tas, run.site.latitude, sowing, target)
    rows = run.model.table.layout.rows(ADAPTED)
    factor = p[rows] / run.p[rows]
    assert torch.equal(p[:, 3], run.p[:, 3])
    assert ((factor[:, :3] > FACTORS[0]) & (factor[:, :3] < FACTORS[1])).all()
    assert torch.allclose(factor[0], factor[1])
    others = [k for k in range(len(p)) if k not in rows]
    assert torch.equal(p[others], run.p[others])
    with torch.no_grad():
        start = run.stepper.start(forcing, run.site, p)
        end = run.stepper.run(start, forcing, run.site, run.management, p)
    ripe = SEASON.get(end.season, "last_matyday")[:3]
    assert (ripe - target[:3]).abs().max() <= 0.1
