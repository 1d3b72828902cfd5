"""Fields in one batch are the fields one by one, whatever crops, soils and dates they mix."""

from __future__ import annotations

import datetime as dt

import pytest
import torch
from torch import Tensor

from neuralcrop.compat.bench_season import LATITUDE, weather
from neuralcrop.compat.pcse_engine import Field, build, orders_of, parameters_of, site_of
from neuralcrop.core.forcing import DailyForcing
from neuralcrop.crops import wofost72 as catalogue
from neuralcrop.models.wofost72 import FORCING, Wofost72
from neuralcrop.models.wofost72_field import Production
from neuralcrop.models.wofost72_state import STATE
from neuralcrop.simulation.integrate import Stepper

CROPS = (
    "wheat:Winter_wheat_103", "maize", "potato", "sugarbeet", "barley", "rapeseed", "soybean",
)

N_DAYS = 300

STARTS = (0, 5, 130, 160, 185, 200)
"""Days after the first of the weather on which crops start."""


def sites(number: int) -> list[dict[str, float]]:
    """Soils from sand to clay, shallow to deep, dry to wet."""
    random = torch.Generator().manual_seed(number)
    found = []
    for _ in range(number):
        dry, more, wide, depth, water, wet = torch.rand(6, generator=random).tolist()
        wilting = 0.04 + 0.2 * dry
        capacity = wilting + 0.08 + 0.15 * more
        found.append({
            "SMW": wilting, "SMFCF": capacity, "SM0": capacity + 0.05 + 0.15 * wide,
            "CRAIRC": 0.02 + 0.06 * wide, "RDMSOL": 40.0 + 120.0 * depth,
            "SOPE": 0.5 + 10.0 * wide, "KSUB": 0.5 + 10.0 * more, "SMLIM": capacity,
            "WAV": 25.0 * water, "SSMAX": 2.0 * wet, "NOTINF": 0.2 * wet,
            "IFUNRN": float(wet > 0.5)})
    return found


def fields(n: int, crops: tuple[str, ...], n_sites: int) -> list[Field]:
    """``n`` fields that go through crops, sites and dates at different paces."""
    loaded = [catalogue.load_variety(name) for name in crops]
    soils, first = sites(n_sites), weather(N_DAYS).dates[0]
    return [
        Field(loaded[k % len(loaded)], soils[(7 * k) % n_sites],
              first + dt.timedelta(days=STARTS[(k // len(loaded)) % len(STARTS)]),
              emerged=k % 5 == 0, restarts=k % 2 == 0)
        for k in range(n)]


def forcing(n: int, dtype: torch.dtype = torch.float64) -> DailyForcing:
    """The weather of the benchmark; every field has its own temperature and rain."""
    days = weather(N_DAYS)
    rows = {
        "tasmin": days.tasmin, "tasmax": days.tasmax, "tas": 0.5 * (days.tasmin + days.tasmax),
        "rsds": days.rsds, "pr": days.pr, "vap": days.vap, "e0": days.e0, "es0": days.es0,
        "et0": days.et0}
    share = torch.arange(n, dtype=torch.float64) * 0.6180339887 % 1.0
    values = torch.full((N_DAYS, len(FORCING), n), 360.0, dtype=dtype)
    for k, name in enumerate(FORCING[:-1]):
        row = torch.from_numpy(rows[name]).unsqueeze(-1)
        more = 6.0 * share - 2.0 if name.startswith("tas") else 0.0
        values[:, k] = (row + more) * (0.3 + share if name == "pr" else 1.0)
    day = torch.tensor([d.timetuple().tm_yday for d in days.dates], dtype=dtype)
    return DailyForcing(
        values, day, day, torch.tensor([d.year for d in days.dates]), 0, FORCING)


def season(
    model: Wofost72, some: list[Field], p: Tensor, days: DailyForcing, grad: bool = False
) -> Tensor:
    """State of the fields at the end, ``[state row, cell]``."""
    stepper, orders = Stepper(model), orders_of(some, dtype=p.dtype)
    site = site_of(torch.full((len(some),), LATITUDE, dtype=p.dtype))
    with torch.set_grad_enabled(grad):
        start = stepper.start(days, site, p)
        return stepper.run(start, days, site, orders, p, standing=True).x


def check(production: Production, n: int, some: list[int], crops: tuple[str, ...], n_sites: int
          ) -> None:
    mixed = fields(n, crops, n_sites)
    widths = catalogue.table_widths([f.crop for f in mixed[:len(crops)]])
    model, days = build(mixed, production, widths=widths), forcing(n)
    p = parameters_of(model, mixed)
    together = season(model, mixed, p, days)
    assert torch.isfinite(together).all()
    weight = STATE.get(together, "storage_weight")
    assert len(set(weight.tolist())) > n // 2  # they do differ
    for k in some:
        alone_p = p[:, k:k + 1].contiguous()
        alone = season(model, [mixed[k]], alone_p, days.cells(slice(k, k + 1)))
        # vectors and single numbers round functions such as exp differently
        torch.testing.assert_close(alone[:, 0], together[:, k], rtol=1e-9, atol=1e-9)


def test_a_batch_is_its_fields() -> None:
    check("water_limited", 24, [5, 14], CROPS[:4], 6)


@pytest.mark.slow
@pytest.mark.parametrize("production", ["potential", "water_limited"])
def test_a_batch_is_each_of_its_fields(production: Production) -> None:
    check(production, 24, list(range(24)), CROPS[:4], 6)


@pytest.mark.slow
def test_ten_thousand_mixed_fields_are_their_fields() -> None:
    check("water_limited", 10_000, list(range(0, 10_000, 509)), CROPS, 30)


def test_the_day_in_one_call_is_the_day_in_parts() -> None:
    mixed = fields(4, CROPS[:4], 2)
    model, days = build(mixed, "water_limited"), forcing(4).days(0, 60)
    p = parameters_of(model, mixed)
    one_call = season(model, mixed, p, days)
    parts = season(model, mixed, p.clone().requires_grad_(), days, grad=True)
    assert STATE.get(one_call, "leaf_grown_weight").max() > 0.0
    assert torch.equal(one_call, parts.detach())
