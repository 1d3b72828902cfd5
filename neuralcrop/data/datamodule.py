"""Lightning data module: samples of a yields file in blocks."""

from __future__ import annotations

from collections.abc import Iterator

import lightning.pytorch as pl
import numpy as np
import torch

from neuralcrop.data.covariates import Standardiser
from neuralcrop.data.seasons import Block, Seasons, cuts, site_cuts


class Epoch:
    """Blocks of one pass over some samples.

    Parameters
    ----------
    seasons : Seasons
        All samples.
    rows : numpy.ndarray
        Which.
    size : int
        Cells of a block.
    seed : int, optional
        Of a random order.
    whole_sites : bool
        Keep all samples of a site in one block.
    """

    def __init__(
        self, seasons: Seasons, rows: np.ndarray, size: int, seed: int | None = None,
        whole_sites: bool = False,
    ) -> None:
        self.seasons = seasons
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        if whole_sites:
            self.parts = site_cuts(rows, seasons.table["site"].to_numpy()[rows], size, generator)
        else:
            self.parts = cuts(rows, size, generator)
        self.size = size

    def __len__(self) -> int:
        return len(self.parts)

    def __iter__(self) -> Iterator[Block]:
        for part in self.parts:
            yield self.seasons.block(part, self.size)


class YieldsDataModule(pl.LightningDataModule):
    """Blocks of training and validation samples; the order depends on seed and epoch alone.

    Parameters
    ----------
    seasons : Seasons
        All samples, with the covariates that the model wants.
    parts : dict of str to numpy.ndarray
        From `neuralcrop.data.splits.split`.
    batch_cells : int
        Cells of a block.
    seed : int
        Of the order.
    limit_batches : int, optional
        Learn only from so many blocks, always the same.
    whole_sites : bool
        Keep all training samples of a site in one block.
    """

    def __init__(
        self, seasons: Seasons, parts: dict[str, np.ndarray], batch_cells: int, seed: int = 0,
        limit_batches: int | None = None, whole_sites: bool = False,
    ) -> None:
        super().__init__()
        self.seasons, self.parts, self.seed = seasons, parts, seed
        self.whole_sites = whole_sites
        self.batch_cells = min(batch_cells, len(parts["train"]))
        rows = parts["train"]
        if limit_batches is not None:
            first = Epoch(seasons, rows, self.batch_cells, seed, whole_sites).parts[:limit_batches]
            rows = np.sort(np.concatenate(first))
        self.train_rows = rows

    def epoch(self, number: int) -> Epoch:
        """Training blocks of an epoch, in its own order."""
        return Epoch(self.seasons, self.train_rows, self.batch_cells, _mixed(self.seed, number),
                     self.whole_sites)

    def rows(self, rows: np.ndarray) -> Epoch:
        """Blocks of some samples, in order."""
        return Epoch(self.seasons, rows, self.batch_cells)

    def train_dataloader(self) -> Epoch:
        """Blocks of the epoch that begins; Lightning asks anew for each."""
        return self.epoch(self.trainer.current_epoch if self.trainer is not None else 0)

    def val_dataloader(self) -> Epoch:
        """Blocks of the validation samples."""
        return self.rows(self.parts["validate"])

    def standardiser(self) -> Standardiser:
        """Constants of the covariates, from the sites that training sees."""
        sites = np.unique(self.seasons.table["site"].to_numpy()[self.parts["train"]])
        return Standardiser.fit(self.seasons.covariates.take(torch.from_numpy(sites)))


def _mixed(seed: int, epoch: int) -> int:
    """Seed of an epoch."""
    return (seed * 1_000_003 + epoch) % 2**63
