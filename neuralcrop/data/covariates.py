"""Static covariates of places: climate normals and soil, and their standardisation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from neuralcrop.core.forcing import SOIL_LAYER_BOTTOM, SOIL_LAYER_THICKNESS, Site
from neuralcrop.data.climate import MONTH_START, MonthlyClimate, _nanmean

SEASON_MONTHS = 5
"""Length of the growing season of the normals, months from the month of sowing on."""

CLIMATE_COVARIATES: dict[str, str] = {
    "tas_annual": "degC, mean temperature of the year",
    "tas_seasonality": "K, standard deviation of the monthly temperatures",
    "dtr_annual": "K, mean diurnal range",
    "pr_annual": "mm d-1, mean precipitation of the year",
    "pr_seasonality": "1, coefficient of variation of the monthly precipitation",
    "rsds_annual": "W m-2, mean short-wave radiation of the year",
    "tas_season": "degC, mean temperature of the growing season",
    "pr_season": "mm d-1, mean precipitation of the growing season",
    "rsds_season": "W m-2, mean short-wave radiation of the growing season",
    "vap_season": "kPa, mean vapour pressure of the growing season",
    "tas_season_sd": "K, standard deviation over years of tas_season",
    "pr_season_cv": "1, coefficient of variation over years of pr_season",
}
"""Climate covariates: unit and meaning."""

SOIL_COVARIATES: dict[str, str] = {
    "sand": "1, mass fraction of sand in the root zone",
    "clay": "1, mass fraction of clay in the root zone",
    "organic_carbon": "%, organic carbon of the top layer",
    "available_water": "mm, plant-available water of the rootable soil",
    "ksat_log": "log10(mm h-1), saturated conductivity of the root zone",
    "soil_depth": "m, rootable depth",
    "ph": "1, pH of the top layer",
}
"""Soil covariates: unit and meaning."""


@dataclass(frozen=True)
class Covariates:
    """Static covariates.

    Attributes
    ----------
    values : Tensor
        ``[covariate, place]``.
    names : tuple of str
        One per row.
    """

    values: Tensor
    names: tuple[str, ...]

    def take(self, index: Tensor) -> Covariates:
        """Covariates of some places, in the order of an index."""
        return Covariates(self.values[:, index], self.names)


@dataclass(frozen=True)
class Standardiser:
    """Zero mean and unit variance, with constants fitted on training places only.

    Attributes
    ----------
    names : tuple of str
        Covariates the constants belong to, in order.
    mean, scale : Tensor
        ``[covariate]``.
    """

    names: tuple[str, ...]
    mean: Tensor
    scale: Tensor

    @classmethod
    def fit(cls, covariates: Covariates) -> Standardiser:
        """Constants from training places; a covariate that does not vary gets scale 1."""
        values = covariates.values.double()
        mean = values.nanmean(dim=1).nan_to_num(0.0)
        spread = ((values - mean[:, None]) ** 2).nanmean(dim=1).sqrt()
        floor = 1e-5 * mean.abs().clamp(min=1e-3)
        return cls(covariates.names, mean, torch.where(spread > floor, spread, 1.0))

    def apply(self, covariates: Covariates) -> Tensor:
        """Standardised ``[covariate, place]``; a missing value becomes the training mean, zero.

        Raises
        ------
        ValueError
            If the covariates are not those the constants were fitted on.
        """
        if covariates.names != self.names:
            raise ValueError(f"covariates {covariates.names} do not match the fitted {self.names}")
        mean = self.mean.to(covariates.values)
        scale = self.scale.to(covariates.values)
        return ((covariates.values - mean[:, None]) / scale[:, None]).nan_to_num(0.0)

    def state_dict(self) -> dict[str, object]:
        """Names and constants, for a checkpoint."""
        return {"names": list(self.names), "mean": self.mean, "scale": self.scale}

    @classmethod
    def from_state_dict(cls, state: Mapping[str, object]) -> Standardiser:
        """Inverse of `state_dict`."""
        return cls(tuple(state["names"]), torch.as_tensor(state["mean"]),  # type: ignore[arg-type]
                   torch.as_tensor(state["scale"]))


def climate_covariates(
    climate: MonthlyClimate, sowing_day: np.ndarray, years: Sequence[int] | None = None
) -> dict[str, np.ndarray]:
    """Climate normals of cells.

    Parameters
    ----------
    climate : MonthlyClimate
        ``[year, month, cell]``.
    sowing_day : numpy.ndarray
        ``[cell]`` day of year; the growing season is this month and the four that follow.
    years : sequence of int, optional
        Years of the normals; default all of ``climate``.
    """
    rows = slice(None) if years is None else np.isin(climate.years, np.asarray(years))
    monthly = {n: v[rows] for n, v in climate.values.items()}
    normal = {n: _nanmean(v) for n, v in monthly.items()}
    month = np.searchsorted(MONTH_START, sowing_day, side="right") - 1
    months = (month[None, :] + np.arange(SEASON_MONTHS)[:, None]) % 12

    def season(name: str) -> np.ndarray:
        index = np.broadcast_to(months, (len(monthly[name]), *months.shape))
        return np.asarray(np.take_along_axis(monthly[name], index, axis=1).mean(axis=1))

    tas, rain = season("tas"), season("pr")
    pr_mean = normal["pr"].mean(axis=0)
    return {
        "tas_annual": normal["tas"].mean(axis=0),
        "tas_seasonality": normal["tas"].std(axis=0),
        "dtr_annual": (normal["tasmax"] - normal["tasmin"]).mean(axis=0),
        "pr_annual": pr_mean,
        "pr_seasonality": normal["pr"].std(axis=0) / np.maximum(pr_mean, 0.05),
        "rsds_annual": normal["rsds"].mean(axis=0),
        "tas_season": _nanmean(tas), "pr_season": _nanmean(rain),
        "rsds_season": _nanmean(season("rsds")), "vap_season": _nanmean(season("vap")),
        "tas_season_sd": _nansd(tas),
        "pr_season_cv": _nansd(rain) / np.maximum(_nanmean(rain), 0.05),
    }


def _nansd(values: np.ndarray) -> np.ndarray:
    mean = _nanmean(values)
    return np.sqrt(np.maximum(_nanmean((values - mean) ** 2), 0.0))


def soil_covariates(layers: Mapping[str, np.ndarray], site: Site) -> dict[str, np.ndarray]:
    """Soil covariates of cells.

    Parameters
    ----------
    layers : mapping of str to numpy.ndarray
        From `data.soil.soil_layers`.
    site : Site
        From `data.soil.prepare_soil`.
    """
    depth = site.soil_depth.double().numpy()
    bottom = np.array(SOIL_LAYER_BOTTOM)[:, None]
    thickness = np.array(SOIL_LAYER_THICKNESS)[:, None]
    rooted = np.clip(depth[None, :] - (bottom - thickness), 0.0, thickness)
    share = rooted / rooted.sum(axis=0)
    available = (site.field_capacity - site.wilting_point).double().numpy()
    ksat = site.saturated_conductivity.double().numpy()
    return {
        "sand": (layers["sand"] * share).sum(axis=0),
        "clay": (layers["clay"] * share).sum(axis=0),
        "organic_carbon": layers["organic_carbon"][0],
        "available_water": (available * rooted).sum(axis=0) * 1000.0,
        "ksat_log": (np.log10(np.maximum(ksat, 1e-4)) * share).sum(axis=0),
        "soil_depth": depth, "ph": layers["ph"][0],
    }


def stack_covariates(
    climate: Mapping[str, np.ndarray], soil: Mapping[str, np.ndarray],
    dtype: torch.dtype = torch.float32,
) -> Covariates:
    """One ``[covariate, place]`` tensor in the order of the tables above."""
    merged = {**climate, **soil}
    names = tuple(n for n in (*CLIMATE_COVARIATES, *SOIL_COVARIATES) if n in merged)
    rows = [torch.as_tensor(np.array(merged[n], dtype=float), dtype=dtype) for n in names]
    return Covariates(torch.stack(rows), names)
