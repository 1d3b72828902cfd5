"""Results do not depend on how the work is cut: blocks, chunks, order of cells, restarts."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from neuralcrop.core.forcing import DailyForcing
from neuralcrop.models.registry import ModelSpec, build_model
from neuralcrop.simulation.bench import bench_place, bench_weather
from neuralcrop.simulation.blocks import BlockRun
from neuralcrop.simulation.integrate import Solver, Stepper
from neuralcrop.simulation.restart import RestartError, load_restart, save_restart
from tests.model_runs import SmallRun

N = 6


@pytest.fixture(scope="module")
def two_years() -> DailyForcing:
    return bench_weather(N, 500)


def blocks(cells: torch.Tensor | None = None, size: int = N) -> BlockRun:
    model = build_model(ModelSpec(crops=("maize",)))
    site, management, p = bench_place(model, "maize", N)
    if cells is not None:
        site, management, p = site.cells(cells), management.cells(cells), p[:, cells]
    return BlockRun(Stepper(model), site, management, p, size)


def pieces(forcing: DailyForcing, length: int) -> list[DailyForcing]:
    return [forcing.days(k, min(k + length, forcing.n_days))
            for k in range(0, forcing.n_days, length)]


@pytest.fixture(scope="module")
def whole(two_years: DailyForcing) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    run = blocks()
    end = run.run([two_years])
    seasons = run.seasons.arrays()
    assert seasons["yield"].shape == (2, N) or seasons["yield"].shape == (1, N)
    return end.x, seasons


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(a[k].nan_to_num(-9), b[k].nan_to_num(-9)) for k in a)


def test_block_size_changes_no_bit(two_years: DailyForcing, whole: tuple) -> None:
    run = blocks(size=4)  # the second block is padded
    end = run.run([two_years])
    assert torch.equal(end.x, whole[0])
    assert same(run.seasons.arrays(), whole[1])


def test_restart_changes_no_bit(two_years: DailyForcing, whole: tuple, tmp_path: Path) -> None:
    first, second = blocks(), blocks()
    chunks = pieces(two_years, 211)
    save_restart(tmp_path / "restart.pt", first.run(chunks[:1]), "here", first.stepper.model)
    end = second.run(chunks[1:], load_restart(
        tmp_path / "restart.pt", "here", first.stepper.model))
    assert torch.equal(end.x, whole[0])
    with pytest.raises(RestartError, match="another run"):
        load_restart(tmp_path / "restart.pt", "elsewhere", first.stepper.model)


def test_order_of_cells_changes_no_bit(two_years: DailyForcing, whole: tuple) -> None:
    order = torch.tensor([3, 0, 5, 1, 4, 2])
    run = blocks(order)
    end = run.run([two_years.cells(order)])
    assert torch.equal(end.x, whole[0][:, order])


def test_untrained_closures_and_network_change_no_bit() -> None:
    physics = SmallRun(n_days=120, n_cells=3)
    plain = physics().x
    hybrid = build_model(ModelSpec(
        learn=("vcmax25",), closures=("photosynthesis.vcmax", "transpiration.water_supply"),
        network=("g1",), covariates=("tas_annual", "clay")))
    run = SmallRun(n_days=120, n_cells=3, model=hybrid.double())
    run.p = hybrid.cell_parameters(
        run.management.crop, torch.float64, torch.randn(2, 3, dtype=torch.float64)).detach()
    assert torch.equal(run().x, plain)


@pytest.mark.slow
def test_every_slot_takes_a_closure_that_acts() -> None:
    slots = build_model().closures()
    plain = {wet: SmallRun(n_days=130, n_cells=2, dry=wet)().x for wet in (0.3, 3.0)}
    for slot in slots:
        wet = 3.0 if slot == "soil.percolation" else 0.3
        model = build_model().double()
        bias = model.add_closure(slot, hidden=[4], bound=1.5).double().network[-1].bias
        torch.nn.init.constant_(bias, -1.0)
        torch.nn.init.constant_(bias[:1], 1.0 if len(bias) > 1 else -1.0)  # shares differ
        run = SmallRun(n_days=130, n_cells=2, model=model, dry=wet)
        assert not torch.equal(run().x, plain[wet]), f"{slot} has no effect"


@pytest.mark.slow
@pytest.mark.parametrize("crop", ["maize", "soybean"])
def test_compiled_agrees_with_eager(crop: str) -> None:
    run = SmallRun(crop, n_cells=16, n_days=170, dtype=torch.float32)
    eager = run()
    run.stepper = Stepper(run.model, compiled=True)
    compiled = run()
    scale = eager.x.abs().clamp_min(1.0)
    assert ((compiled.x - eager.x).abs() / scale).max() < 5e-3

    wide = SmallRun(crop, n_cells=40, n_days=170, dtype=torch.float32)
    outside = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        blocks = [BlockRun(stepper, wide.site, wide.management, wide.p, 16)
                  for stepper in (Stepper(wide.model), run.stepper)]
        one, side_by_side = (b.run([wide.forcing.days(0, 90), wide.forcing.days(90, 170)])
                             for b in blocks)
    finally:
        torch.set_num_threads(outside)
    assert [b.threads for b in blocks] == [1, 2]
    scale = one.x.abs().clamp_min(1.0)
    assert ((side_by_side.x - one.x).abs() / scale).max() < 5e-3


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_daily_sum_is_an_euler_step_of_torchdiffeq_to_the_bit(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = SmallRun("maize", n_cells=3, n_days=150, dtype=dtype)
    summed = run()
    monkeypatch.setattr(Solver, "daily_sum", False)
    integrated = run()
    assert torch.equal(summed.x, integrated.x)
    assert torch.equal(summed.season.nan_to_num(-9.0), integrated.season.nan_to_num(-9.0))
