"""Closures in whole seasons: the physics at the start, balances and bounds whatever they learn."""

from __future__ import annotations

import pytest
import torch

from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.events import SEASON
from tests.model_runs import SmallRun

ROLES: dict[str, dict[str, object]] = {
    "photosynthesis.vcmax": {}, "transpiration.water_supply": {"kind": "monotone"},
    "leaves.senescence": {}, "leaves.drought_loss": {"kind": "monotone"},
    "allocation.shares": {}, "phenology.development_rate": {"bound": 1.25},
    "transpiration.demand": {},
}
CROPS = ("maize", "soybean")
DAYS = 160


def model_with(slots: tuple[str, ...], **components: str) -> CropModel:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(1)
        return build_model(ModelSpec(
            crops=CROPS, closures=slots, closure_hidden=(4,),
            closure_options={slot: ROLES[slot] for slot in slots}, **components))  # type: ignore[arg-type]


def season(model: CropModel, dtype: torch.dtype = torch.float32, dry: float = 0.5, days: int = DAYS
           ) -> tuple[torch.Tensor, torch.Tensor]:
    run = SmallRun("soybean", 2, days, dtype, model.to(dtype), dry=dry)
    with torch.no_grad():
        end = run()
    return end.x, end.season


@pytest.fixture(scope="module")
def physics() -> tuple[torch.Tensor, torch.Tensor]:
    return season(model_with(()))


def test_all_untrained_closures_change_no_bit(physics: tuple[torch.Tensor, ...]) -> None:
    assert float(SEASON.get(physics[1], "harvests").max()) == 1.0  # a whole season
    x, book = season(model_with(tuple(ROLES)))
    assert torch.equal(x, physics[0])
    assert torch.equal(book.nan_to_num(-9.0), physics[1].nan_to_num(-9.0))


@pytest.mark.slow
@pytest.mark.parametrize("slot", ROLES)
def test_an_untrained_closure_changes_no_bit_and_a_trained_one_acts(
    slot: str, physics: tuple[torch.Tensor, ...]
) -> None:
    model = model_with((slot,))
    x, book = season(model)
    assert torch.equal(x, physics[0])
    assert torch.equal(book.nan_to_num(-9.0), physics[1].nan_to_num(-9.0))
    spoil(model)
    assert not torch.equal(season(model, days=90)[0], season(model_with(()), days=90)[0])


@pytest.mark.slow
@pytest.mark.parametrize("components", [
    {"transpiration": "lpjml", "allocation": "harvest_index", "photosynthesis": "hp96"}])
def test_components_after_lpjml_start_at_the_equations(components: dict[str, str]) -> None:
    plain = season(model_with((), **components), days=130)
    assert torch.equal(season(model_with(tuple(ROLES), **components), days=130)[0], plain[0])


def spoil(model: CropModel) -> None:
    """Weights as no training should leave them."""
    g = torch.Generator().manual_seed(7)
    with torch.no_grad():
        for weight in model.parameters():
            weight.copy_(3.0 * torch.randn(weight.shape, generator=g))


def test_balances_close_whatever_closures_say(physics: tuple[torch.Tensor, ...]) -> None:
    model = model_with(tuple(ROLES))
    spoil(model)
    x, book = season(model, torch.float64)
    assert torch.isfinite(x).all()
    named = model.state.view(x)
    assert all((named[name] >= 0.0).all() for name in model.crop_stocks)
    for kind in ("water", "carbon"):
        worst = SEASON.get(book, f"last_{kind}_residual").abs().max()
        assert float(worst) < 1e-9, kind
    assert not torch.allclose(x.float(), physics[0])


@pytest.mark.slow
def test_a_day_with_every_kind_is_one_graph() -> None:
    model = model_with(tuple(ROLES))
    run = SmallRun("soybean", 2, 60, torch.float32, model)
    state = run().x.detach()
    spoil(model)
    place = model.place(model.table.layout.view(run.p), run.site)

    def day(x: torch.Tensor) -> torch.Tensor:
        f = run.forcing
        return model.rates(x, f.values[50], f.solar_day[50], run.p, place, 1.0)[0]

    torch._dynamo.reset()
    traced = torch.compile(day, backend="eager", fullgraph=True)
    x, y = (state.clone().requires_grad_() for _ in range(2))
    torch.testing.assert_close(traced(x), day(y))
    traced(x).square().sum().backward()
    day(y).square().sum().backward()
    torch.testing.assert_close(x.grad, y.grad, rtol=1e-4, atol=1e-4)
