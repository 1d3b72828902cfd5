"""Covariates that carry nothing, or only the place: what a parameter network has to beat."""

from __future__ import annotations

import numpy as np
import torch

from neuralcrop.data.covariates import Covariates

NULLS = {
    "shuffled": "covariates of another site, all of one site together",
    "random": "standard normal numbers",
    "lat_lon": "sine of latitude, sine and cosine of longitude",
    "constant": "the same for all sites",
}
"""Kinds and what the network then sees."""


def null_covariates(
    kind: str, covariates: Covariates, seed: int = 0, *, lat: np.ndarray | None = None,
    lon: np.ndarray | None = None,
) -> Covariates:
    """Covariates of a null model, one column a site as before.

    Parameters
    ----------
    kind : str
        Of `NULLS`.
    covariates : Covariates
        ``[covariate, site]``.
    seed : int
        Of the permutation or the numbers.
    lat, lon : numpy.ndarray, optional
        ``[site]`` degrees, for ``lat_lon``.

    Returns
    -------
    Covariates
        With the same names, but ``lat_lon``: ``sin_lat``, ``sin_lon``, ``cos_lon``.

    Raises
    ------
    ValueError
        If the kind is unknown or positions are missing.
    """
    values = covariates.values
    generator = torch.Generator().manual_seed(seed)
    if kind == "shuffled":
        order = derangement(values.shape[1], generator)
        return Covariates(values[:, order], covariates.names)
    if kind == "random":
        numbers = torch.randn(values.shape, generator=generator, dtype=torch.float64)
        return Covariates(numbers.to(values), covariates.names)
    if kind == "constant":
        middle = values.nanmean(dim=1, keepdim=True)
        return Covariates(middle.expand_as(values).clone(), covariates.names)
    if kind == "lat_lon":
        if lat is None or lon is None or len(lat) != values.shape[1] or len(lon) != len(lat):
            raise ValueError(f"lat_lon needs latitude and longitude of {values.shape[1]} sites")
        phi, theta = np.deg2rad(np.asarray(lat, float)), np.deg2rad(np.asarray(lon, float))
        rows = np.stack([np.sin(phi), np.sin(theta), np.cos(theta)])
        return Covariates(torch.from_numpy(rows).to(values), ("sin_lat", "sin_lon", "cos_lon"))
    raise ValueError(f"no null '{kind}'; there are {', '.join(NULLS)}")


def derangement(n: int, generator: torch.Generator) -> torch.Tensor:
    """Permutation that leaves nothing in its place, by rotating along a random order.

    With a single place there is none; it is then left where it is.
    """
    order = torch.randperm(n, generator=generator)
    out = torch.empty_like(order)
    out[order] = order.roll(1)
    return out
