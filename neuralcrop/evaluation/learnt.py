"""What parameter networks have learnt: values at sites, and how they follow covariates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neuralcrop.data.covariates import CLIMATE_COVARIATES, SOIL_COVARIATES, Covariates
from neuralcrop.models.crop_model import CropModel

POINTS = 15
"""Values of a covariate at which its effect is looked at."""

MOST_SITES = 200
"""Sites over which effects are averaged at most."""

RANGE = (0.02, 0.98)
"""Quantiles of the sites between which a covariate moves."""

SPREAD = (0.1, 0.9)
"""Quantiles over sites of the response."""


@dataclass(frozen=True)
class Dependence:
    """A parameter along one covariate, with the others at the values of the sites.

    Attributes
    ----------
    covariate, units : str
        What moves.
    at : numpy.ndarray
        ``[point]`` its values.
    mean, low, high : numpy.ndarray
        ``[point]`` mean of the parameter over sites, and the quantiles `SPREAD`.
    """

    covariate: str
    units: str
    at: np.ndarray
    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @property
    def effect(self) -> float:
        """Range of the mean."""
        return float(np.ptp(self.mean))


@dataclass(frozen=True)
class LearntParameter:
    """A parameter that a network gives.

    Attributes
    ----------
    name, units : str
        With the number of its element where it has several.
    constant : float
        Value without the network.
    lower, upper : float
        Bounds.
    row : int
        Of the parameters of cells.
    """

    name: str
    units: str
    constant: float
    lower: float
    upper: float
    row: int


def network_parameters(model: CropModel) -> list[LearntParameter]:
    """Parameters that the network of a model gives; none without one."""
    sizes = {} if model.network is None else model.network.sizes
    out = []
    for record in model.table.describe():
        name = str(record["parameter"])
        if name not in sizes:
            continue
        values, lower, upper = (np.asarray(record[k], float) for k in ("value", "lower", "upper"))
        out += [LearntParameter(
            f"{name}[{k}]" if len(values) > 1 else name, str(record["units"]), float(values[k]),
            float(lower[k]), float(upper[k]), model.table.layout.start[name] + k)
            for k in range(len(values))]
    return out


def site_values(
    models: Sequence[CropModel], covariates: Covariates, table: pd.DataFrame
) -> pd.DataFrame:
    """Values of the network's parameters at every site of a table, mean of the models.

    Parameters
    ----------
    models : sequence of CropModel
        Of one kind: the members of an ensemble, or one.
    covariates : Covariates
        Of all sites, as the models want them.
    table : pandas.DataFrame
        Samples with ``site`` (place of the covariates), ``label``, ``lat``, ``lon``.

    Returns
    -------
    pandas.DataFrame
        ``site``, ``label``, ``lat``, ``lon`` and a column for each parameter.
    """
    sites = table.drop_duplicates("site")[["site", "label", "lat", "lon"]].reset_index(drop=True)
    known = network_parameters(models[0])
    if not known:
        return sites
    values = _parameters(models, covariates.values[:, torch.tensor(sites["site"].tolist())])
    return sites.assign(**{p.name: values[p.row].numpy() for p in known})


def partial_dependence(
    models: Sequence[CropModel], covariates: Covariates, sites: np.ndarray
) -> dict[str, list[Dependence]]:
    """Partial dependence of the network's parameters on the climate of places.

    Each climate covariate runs through the range of the sites while the others stay as they are at
    each of them (Friedman 2001, doi:10.1214/aos/1013203451); mean and spread are over sites.

    Parameters
    ----------
    models : sequence of CropModel
        Of one kind; their mean counts.
    covariates : Covariates
        Of all places, as the models want them.
    sites : numpy.ndarray
        Places to average over; of more than `MOST_SITES`, so many at even distances.

    Returns
    -------
    dict
        Curves by parameter, those with the largest effect first.
    """
    known = network_parameters(models[0])
    chosen = np.unique(sites)
    if len(chosen) > MOST_SITES:
        chosen = chosen[np.linspace(0, len(chosen) - 1, MOST_SITES).round().astype(int)]
    values = covariates.values[:, torch.tensor(chosen.tolist())]
    out: dict[str, list[Dependence]] = {p.name: [] for p in known}
    for row, covariate in enumerate(covariates.names):
        own = values[row].double()
        own = own[torch.isfinite(own)]
        if not known or covariate not in CLIMATE_COVARIATES or not len(own):
            continue
        low, high = np.quantile(own.numpy(), RANGE)
        if high <= low:
            continue
        at = np.linspace(low, high, POINTS)
        moved = values.repeat(1, POINTS)
        moved[row] = torch.from_numpy(np.repeat(at, len(chosen))).to(moved.dtype)
        found = _parameters(models, moved).reshape(-1, POINTS, len(chosen)).numpy()
        for p in known:
            below, above = np.quantile(found[p.row], SPREAD, axis=1)
            out[p.name].append(Dependence(
                covariate, unit_of(covariate), at, found[p.row].mean(axis=1), below, above))
    return {name: sorted(curves, key=lambda c: -c.effect) for name, curves in out.items()}


def unit_of(covariate: str) -> str:
    """Unit of a covariate, empty where it is not known."""
    text = {**CLIMATE_COVARIATES, **SOIL_COVARIATES}.get(covariate, "")
    return text.partition(", ")[0]


def _parameters(models: Sequence[CropModel], covariates: Tensor) -> Tensor:
    """Mean over models of the parameters of cells, ``[parameter row, cell]``."""
    crop = torch.zeros(covariates.shape[1], dtype=torch.long)
    with torch.no_grad():
        found = [m.cell_parameters(crop, torch.float64, covariates) for m in models]
    return torch.stack(found).mean(dim=0)
