"""Series that the model itself makes, and networks fitted to parameters that are known."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.data.series import binned
from neuralcrop.models.crop_model import CropModel
from neuralcrop.simulation.integrate import Solver, Stepper
from neuralcrop.simulation.schedule import Ground


@torch.no_grad()
def made_series(
    model: CropModel, p: Tensor, forcing: DailyForcing, site: Site, management: Management,
    steps: int, cadence: float = 10.0, first_day: int = 0,
) -> Tensor:
    """Leaf area index that the model makes with some parameters, ``[step, cell]``.

    Parameters
    ----------
    model : CropModel
        The model.
    p : Tensor
        ``[parameter row, cell]``.
    forcing, site, management
        Of the run.
    steps : int
        Steps of the series; beyond the run it is NaN.
    cadence : float
        Length of a step, d; the days of a step are averaged.
    first_day : int
        Day of the run with which the series begins, from 0.
    """
    stepper = Stepper(model, Solver())
    place = model.place(model.table.layout.view(p), site)
    lai: list[np.ndarray] = []

    def observe(
        day: int, before: Tensor, after: Tensor, fluxes: Tensor, ground: Ground
    ) -> None:
        lai.append(model.diagnostics(after, p, place)["lai"].cpu().numpy())

    stepper.run(stepper.start(forcing, site, p), forcing, site, management, p, observe=observe)
    daily = np.stack(lai)
    day, cell = np.indices(daily.shape)
    found = binned(day.ravel() - first_day, daily.ravel(), cell.ravel(), daily.shape[1], steps,
                   cadence)
    return torch.from_numpy(found).to(p)


def fit_to_parameters(
    model: CropModel, crop: Tensor, covariates: Tensor, truth: Tensor, *, epochs: int = 300,
    learning_rate: float = 0.01, seed: int = 0,
) -> list[float]:
    """Fit the parameter network and its encoder to known parameters of cells.

    With series that the model made from these parameters, this is the inverse of the model, learnt
    once for all places; training on yields can go on from there.

    Parameters
    ----------
    model : CropModel
        With a parameter network; only the network changes.
    crop : Tensor
        ``[cell]`` crop index.
    covariates : Tensor
        As for `CropModel.cell_parameters`.
    truth : Tensor
        ``[parameter row, cell]``.
    epochs : int
        Steps of Adam over all cells.
    learning_rate : float
        Of Adam.
    seed : int
        Of dropout.

    Returns
    -------
    list of float
        Mean square error of every epoch, in shares of the width of the parameters' bounds.

    Raises
    ------
    ValueError
        If the model has no network.
    """
    network = model.network
    if network is None:
        raise ValueError("the model has no parameter network to fit")
    rows = model.table.rows(network.sizes)
    width = (model.table.upper - model.table.lower).to(truth.dtype)[rows][:, crop]
    optimizer = torch.optim.Adam(network.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, epochs)
    training, losses = model.training, []
    model.train()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for _ in range(epochs):
            optimizer.zero_grad()
            found = model.cell_parameters(crop, truth.dtype, covariates)[rows]
            loss = ((found - truth[rows]) / width.clamp_min(1e-12)).square().mean()
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            schedule.step()
            losses.append(float(loss.detach()))
    model.train(training)
    return losses
