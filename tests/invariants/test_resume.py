"""A run that was interrupted and goes on ends with the weights of one that was not."""

from __future__ import annotations

import signal
from pathlib import Path

import lightning.pytorch as pl
import pandas as pd
import pytest
import torch
from safetensors.torch import load_file

from neuralcrop import cli
from neuralcrop.training import train
from neuralcrop.training.module import YieldModule

pytestmark = pytest.mark.slow

LONGER = ["trainer.max_epochs=3", "callbacks.keep=last", "trainer.batch_cells=5"]


def interrupt_in(monkeypatch: pytest.MonkeyPatch, stage_rate: bool, epoch: int) -> None:
    """Ctrl-C in the middle of an epoch of the stage whose networks learn, or not."""
    original = YieldModule.training_step

    def step(self: YieldModule, block, index: int):  # type: ignore[no-untyped-def]
        networks = self.learning.networks_rate > 0.0
        if networks == stage_rate and self.current_epoch == epoch and index == 1:
            signal.raise_signal(signal.SIGINT)
        return original(self, block, index)

    monkeypatch.setattr(YieldModule, "training_step", step)


@pytest.fixture(scope="module")
def whole(make_config, tmp_path_factory: pytest.TempPathFactory) -> dict[str, torch.Tensor]:
    """Weights of a run without interruption."""
    directory = tmp_path_factory.mktemp("whole")
    train.run(make_config(directory, *LONGER))
    return weights(directory)


def weights(directory: Path) -> dict[str, torch.Tensor]:
    return load_file(directory / "model.safetensors")


@pytest.mark.parametrize(("networks", "epoch"), [(False, 0), (True, 1)])
def test_resumed_is_the_same(
    make_config, tmp_path: Path, whole: dict[str, torch.Tensor],
    monkeypatch: pytest.MonkeyPatch, networks: bool, epoch: int,
) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    with monkeypatch.context() as patch:
        interrupt_in(patch, networks, epoch)
        with pytest.raises(KeyboardInterrupt):
            train.run(make_config(first, *LONGER))
    stage = "hybrid" if networks else "tuned"
    last = first / "checkpoints" / stage / "last.ckpt"
    checkpoint = torch.load(last, weights_only=True)
    assert checkpoint["epoch"] == max(epoch - 1, 0)
    assert not (first / "model.json").exists()
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler
    train.run(make_config(second, *LONGER, f"trainer.resume={last}"))
    resumed = weights(second)
    assert resumed.keys() == whole.keys()
    for name, value in whole.items():
        assert torch.equal(resumed[name], value), name
    metrics = pd.read_csv(second / "metrics.csv")
    assert metrics["stage"].tolist() == ["tuned", "hybrid", "hybrid", "hybrid"]
    assert metrics["epoch"].tolist() == [0, 0, 1, 2]


def test_the_command_exits_with_130(
    make_config, small_world: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    interrupt_in(monkeypatch, False, 0)
    assert cli._guarded(lambda: train.run(make_config(tmp_path, *LONGER))) == 130
    assert "interrupted" in capsys.readouterr().err


def test_seeds_decide(make_config, tmp_path: Path, whole: dict[str, torch.Tensor]) -> None:
    train.run(make_config(tmp_path, *LONGER, "seed=1", "trainer.max_epochs=1",
                          "compare=[hybrid]"))
    assert not torch.equal(weights(tmp_path)["network.network.0.weight"],
                           whole["network.network.0.weight"])
    assert pl.__version__
