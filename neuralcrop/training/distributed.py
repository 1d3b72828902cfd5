"""Training by several processes that share each batch and average their gradients."""

from __future__ import annotations

import contextlib
import logging
import multiprocessing
import os
import socket
from collections.abc import Callable, Iterator
from dataclasses import replace
from multiprocessing.context import SpawnProcess
from typing import Any, TypeVar

import lightning.pytorch as pl
import torch
from lightning.pytorch.strategies import DDPStrategy
from torch import Tensor

from neuralcrop.config import TrainConfig
from neuralcrop.data.datamodule import Epoch, YieldsDataModule
from neuralcrop.data.seasons import Block
from neuralcrop.training.guard import TrainingError

PATIENCE = 10.0
"""Seconds that the others have to end after the first process."""

Result = TypeVar("Result")


_RANK = [0]


def rank() -> int:
    """Number of this process among those of `launch`; only 0 writes."""
    return _RANK[0]


def own_device(device: torch.device, processes: int) -> torch.device:
    """Device of this process: of several GPUs, the one of its number."""
    if processes > 1 and device.type == "cuda":
        return torch.device("cuda", rank())
    return device


class CellShares(DDPStrategy):
    """Averages gradients, weighted by what each process has of a batch.

    The loss of a process is a mean over its cells, so that weights make the average that of the
    whole batch.

    Parameters
    ----------
    cuda : bool
        Whether processes have GPUs.
    """

    def __init__(self, cuda: bool = False) -> None:
        super().__init__(process_group_backend="nccl" if cuda else "gloo",
                         find_unused_parameters=True)

    def backward(self, closure_loss: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """Weigh the loss, then as always."""
        block: Block = self.lightning_module._block  # type: ignore[assignment, union-attr]
        own = block.weight.sum()
        total = own.clone()
        torch.distributed.all_reduce(total)
        share = own * torch.distributed.get_world_size() / total
        return super().backward(closure_loss * share, *args, **kwargs)


class Share:
    """Part of a pass over samples: every so manieth of each block.

    Parameters
    ----------
    epoch : Epoch
        The whole.
    number, count : int
        Which part, of how many.
    """

    def __init__(self, epoch: Epoch, number: int, count: int) -> None:
        self.epoch, self.number, self.count = epoch, number, count
        self.size = -(-epoch.size // count)

    def __len__(self) -> int:
        return len(self.epoch)

    def __iter__(self) -> Iterator[Block]:
        for part in self.epoch.parts:
            own = part[self.number :: self.count]
            block = self.epoch.seasons.block(own if len(own) else part[:1], self.size)
            if len(own):
                yield block
            else:  # it takes part in the average, with nothing
                yield replace(block, weight=torch.zeros_like(block.weight))


class Shares(pl.LightningDataModule):
    """What a process sees of the samples.

    Parameters
    ----------
    data : YieldsDataModule
        All of them.
    """

    def __init__(self, data: YieldsDataModule) -> None:
        super().__init__()
        self.data = data

    def train_dataloader(self) -> Share:
        """Its part of the epoch that begins."""
        assert self.trainer is not None
        return self._share(self.data.epoch(self.trainer.current_epoch))

    def val_dataloader(self) -> Share | Epoch:
        """Its part of the validation samples; all, where some block has too few to share."""
        whole = self.data.val_dataloader()
        assert self.trainer is not None
        few = min(len(part) for part in whole.parts) < self.trainer.world_size
        return whole if few else self._share(whole)

    def _share(self, epoch: Epoch) -> Share:
        assert self.trainer is not None
        return Share(epoch, self.trainer.global_rank, self.trainer.world_size)


def launch(config: TrainConfig, work: Callable[[TrainConfig], Result]) -> Result:
    """Do ``work`` in ``config.trainer.devices`` processes; this one is the first.

    Raises
    ------
    TrainingError
        With the message of another process that failed.
    """
    count = config.trainer.devices
    context = multiprocessing.get_context("spawn")
    errors = context.SimpleQueue()
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(_free_port()), "NODE_RANK": "0"}
    others = [context.Process(target=_other, args=(work, config, k, shared, errors), daemon=True)
              for k in range(1, count)]
    for process in others:
        process.start()
    try:
        with _environment({**shared, "LOCAL_RANK": "0"}), _threads(config):
            try:
                out = work(config)
            finally:
                if torch.distributed.is_initialized():
                    torch.distributed.destroy_process_group()
        _end(others)
        return out
    except TrainingError:
        raise
    except RuntimeError as error:
        # what this process saw may only be that another one is gone
        _end(others)
        if not errors.empty():
            raise TrainingError(errors.get()) from error
        raise
    finally:
        for process in others:
            if process.is_alive():
                process.terminate()


def _other(
    work: Callable[[TrainConfig], Any], config: TrainConfig, number: int, shared: dict[str, str],
    errors: Any,
) -> None:
    """What a process other than the first does."""
    _RANK[0] = number
    os.environ.update(shared, LOCAL_RANK=str(number))
    logging.basicConfig(level=logging.ERROR)
    try:
        with _threads(config):
            work(config)
    except KeyboardInterrupt:
        raise SystemExit(130) from None
    except Exception as error:
        errors.put(str(error) or repr(error))
        raise SystemExit(1) from None


def _end(processes: list[SpawnProcess]) -> None:
    for process in processes:
        process.join(PATIENCE)


@contextlib.contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for a while."""
    before = {name: os.environ.get(name) for name in (*values, "WORLD_SIZE")}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name, None)
            if value is not None:
                os.environ[name] = value


@contextlib.contextmanager
def _threads(config: TrainConfig) -> Iterator[None]:
    """Share the cores."""
    before = torch.get_num_threads()
    if config.compute.threads is None:
        torch.set_num_threads(max(1, (os.cpu_count() or 1) // config.trainer.devices))
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
