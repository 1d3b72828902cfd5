"""Numbers that are none are traced to day, process, variable, place and parameter values."""

from __future__ import annotations

import datetime
from dataclasses import replace

import pytest
import torch

from neuralcrop.core.forcing import FORCING_NAMES
from neuralcrop.data.seasons import Block
from neuralcrop.models.global_day import MJ_PER_WATT_DAY
from neuralcrop.processes.photosynthesis import TwoLeafLight
from neuralcrop.training.guard import TrainingError
from neuralcrop.training.module import Learning
from neuralcrop.training.train import Session
from tests.training_runs import MakeConfig

pytestmark = pytest.mark.slow

CELL, DAY = 2, 30


@pytest.fixture(scope="module")
def session(make_config: MakeConfig, tmp_path_factory: pytest.TempPathFactory) -> Session:
    directory = tmp_path_factory.mktemp("guard")
    return Session(make_config(directory), directory)


def sample(session: Session, block: Block) -> str:
    """Name of the cell as messages have it."""
    record = session.seasons.table.iloc[int(block.row[CELL])]
    return f"{record['label']}, year {record['year']}"


def marked(block: Block, rsds: torch.Tensor) -> torch.Tensor:
    """Cells that have the light of the day and cell that is broken."""
    value = block.forcing.values[DAY, FORCING_NAMES.index("rsds"), CELL]
    return torch.isclose(rsds, value * MJ_PER_WATT_DAY, rtol=1e-6)


@pytest.fixture
def block(session: Session) -> Block:
    return session.seasons.block(session.parts["train"], 8)


def stopped(session: Session, block: Block) -> str:
    """Message of a training step on a block, traced as a stage does it."""
    module = session._module(Learning(0.05, 0.01))
    module.log = module.log_dict = lambda *a, **k: None  # type: ignore[method-assign]

    def step() -> None:
        module.training_step(block, 0).backward()
        module.on_before_optimizer_step(torch.optim.SGD(module.parameters()))

    with pytest.raises(TrainingError) as caught:
        step()
    session.rollout.model.zero_grad()
    return str(caught.value.traced(session.rollout))


@pytest.mark.parametrize(("value", "text"), [(float("nan"), "nan"), (float("inf"), "inf")])
def test_weather_that_is_no_number(
    session: Session, block: Block, value: float, text: str
) -> None:
    values = block.forcing.values.clone()
    values[DAY, FORCING_NAMES.index("tas"), CELL] = value
    message = stopped(session, replace(block, forcing=replace(block.forcing, values=values)))
    assert sample(session, block) in message
    assert f"day {DAY + 1} of the run" in message
    assert f"weather tas {text}" in message
    assert " in energy: flux " in message
    assert "parameters there: vcmax25 " in message  # values of what is learnt
    date = datetime.date.fromisoformat(message.split("First on ")[1][:10])
    assert date.timetuple().tm_yday == int(block.forcing.solar_day[DAY, CELL])
    assert date.year == int(block.year[CELL])
    assert f"lat {float(block.site.latitude[CELL]):g})" in message


def test_a_process_that_makes_no_number(
    session: Session, block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = TwoLeafLight.forward

    def broken(self, sun, rsds, *rest):  # type: ignore[no-untyped-def]
        out = original(self, sun, rsds, *rest)
        return type(out)(torch.where(marked(block, rsds), float("nan"), out[0]), *out[1:])

    monkeypatch.setattr(TwoLeafLight, "forward", broken)
    message = stopped(session, block)
    assert sample(session, block) in message
    assert f"day {DAY + 1} of the run" in message
    assert " in light: flux " in message
    assert "all its parameters are finite" in message


def test_a_gradient_that_is_none(
    session: Session, block: Block, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = TwoLeafLight.forward

    class Bad(torch.autograd.Function):
        """The identity, whose slope is no number in one cell."""

        @staticmethod
        def forward(ctx, x, mask):  # type: ignore[no-untyped-def]
            ctx.save_for_backward(mask)
            return x.clone()

        @staticmethod
        def backward(ctx, slope):  # type: ignore[no-untyped-def]
            return torch.where(ctx.saved_tensors[0], float("nan"), slope), None

    def broken(self, sun, rsds, tasmin, tasmax, vap, lai):  # type: ignore[no-untyped-def]
        return original(
            self, sun, rsds, tasmin, tasmax, vap, Bad.apply(lai, marked(block, rsds)))

    monkeypatch.setattr(TwoLeafLight, "forward", broken)
    message = stopped(session, block)
    assert sample(session, block) in message
    assert f"day {DAY + 1} of the run" in message
    assert "First, backwards" in message
    assert " in light: gradient of state leaf_carbon" in message


def test_a_parameter_that_is_none(session: Session, block: Block) -> None:
    offset = session.rollout.model.table.offset["vcmax25"]
    with torch.no_grad():
        offset.fill_(float("nan"))
    try:
        message = stopped(session, block)
    finally:
        with torch.no_grad():
            offset.zero_()
    assert "parameters vcmax25 are not finite" in message
    assert "vcmax25 nan" in message
