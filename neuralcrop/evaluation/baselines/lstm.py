"""Long short-term memory over the weather of the season, on anomalies from the line of each site.

Hochreiter and Schmidhuber (1997), doi:10.1162/neco.1997.9.8.1735. The output is the mean over the
season of what each step adds: from the last state alone, hot seasons saturate.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from neuralcrop.evaluation.baselines.climatology import county_line
from neuralcrop.evaluation.baselines.samples import (
    Samples,
    inner_folds,
    site_anomalies,
    standardised,
)


@dataclass(frozen=True)
class Lstm:
    """A small recurrent network; the length of its training is chosen within the training rows.

    Parameters
    ----------
    hidden : int
        Size of its state.
    join : int
        Successive spans of weather that make one step.
    epochs : int
        Largest number of passes over the training rows.
    batch : int
        Samples of a step.
    rate, decay : float
        Learning rate and weight decay of AdamW.
    dropout : float
        Share of the states that is dropped in training.
    static : bool
        Whether covariates of the site are inputs, too.
    members : int
        Seeds whose mean is the prediction, in choosing, too.
    blocks : int
        Blocks of years of the inner cross-validation.
    """

    hidden: int = 32
    join: int = 3
    epochs: int = 12
    batch: int = 256
    rate: float = 6e-3
    decay: float = 1e-2
    dropout: float = 0.2
    static: bool = False
    members: int = 5
    blocks: int = 3

    def fit_predict(
        self, samples: Samples, train: np.ndarray, predict: np.ndarray, seed: int = 0,
        settings: int | None = None,
    ) -> np.ndarray:
        """See `Baseline`."""
        epochs = settings or self.choose(samples, train, seed)
        x = self.inputs(samples, train)
        line = county_line(samples, train)
        y = torch.from_numpy(samples.table["observed"].to_numpy(float) - line).float()
        mean = self._mean(x, y, train, predict, epochs, seed)[-1].double().numpy()
        return np.asarray(np.maximum(line[predict] + mean, 0.0))

    def inputs(self, samples: Samples, train: np.ndarray) -> Tensor:
        """``[sample, step, feature]`` weather anomalies; covariates at every step if wanted."""
        spans = samples.spans
        steps = spans.shape[1] // self.join
        weather = spans[:, : steps * self.join].reshape(
            len(spans), steps, self.join, spans.shape[2]).mean(axis=2)
        z = site_anomalies(samples, weather, train)
        if not self.static:
            return torch.from_numpy(z).float()
        static = standardised(samples.static, train)
        fixed = np.broadcast_to(static[:, None], (len(z), steps, static.shape[1]))
        return torch.from_numpy(np.concatenate([z, fixed], axis=2)).float()

    def choose(self, samples: Samples, rows: np.ndarray, seed: int = 0) -> int:
        """Epochs with the lowest error in the inner folds of some rows."""
        x = self.inputs(samples, rows)
        observed = samples.table["observed"].to_numpy(float)
        error = torch.zeros(self.epochs)
        folds = inner_folds(samples, rows, self.blocks)
        for learn, judge in folds:
            y = torch.from_numpy(observed - county_line(samples, learn)).float()
            predicted = self._mean(x, y, learn, judge, self.epochs, seed)
            error += ((predicted - y[judge]) ** 2).sum(dim=1)
        return int(error.argmin()) + 1 if folds else self.epochs

    def _mean(
        self, x: Tensor, y: Tensor, train: np.ndarray, predict: np.ndarray, epochs: int, seed: int
    ) -> Tensor:
        """Mean of all members after every epoch, ``[epoch, row]``."""
        return torch.stack([self._fit(x, y, train, predict, epochs, seed * 1000 + k)
                            for k in range(self.members)]).mean(dim=0)

    def _fit(
        self, x: Tensor, y: Tensor, train: np.ndarray, predict: np.ndarray, epochs: int, seed: int
    ) -> Tensor:
        """Predictions after every epoch, ``[epoch, row]``."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            network = _Network(x.shape[2], self.hidden, self.dropout)
            rows, later = torch.from_numpy(train), torch.from_numpy(predict)
            mean, scale = y[rows].mean(), y[rows].std().clamp_min(1e-6)
            optimiser = torch.optim.AdamW(network.parameters(), self.rate, weight_decay=self.decay)
            out = []
            for _ in range(epochs):
                network.train()
                for part in rows[torch.randperm(len(rows))].split(self.batch):
                    optimiser.zero_grad()
                    loss = ((network(x[part]) - (y[part] - mean) / scale) ** 2).mean()
                    loss.backward()
                    optimiser.step()
                network.eval()
                with torch.no_grad():
                    out.append(network(x[later]) * scale + mean)
        return torch.stack(out)


class _Network(nn.Module):
    """Recurrent network; the mean of one output over all steps."""

    def __init__(self, n_features: int, hidden: int, dropout: float) -> None:
        super().__init__()
        self.recurrent = nn.LSTM(n_features, hidden, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.output = nn.Linear(hidden, 1)

    def forward(self, x: Tensor) -> Tensor:
        """``[sample]`` from ``[sample, step, feature]``."""
        states = self.recurrent(x)[0]
        return self.output(self.dropout(states)).squeeze(-1).mean(dim=1)
