"""Weather, place and year of samples: what the remainder of yields is explained by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from neuralcrop.data.covariates import CLIMATE_COVARIATES, SOIL_COVARIATES
from neuralcrop.data.season_weather import SeasonWeather
from neuralcrop.data.seasons import Seasons
from neuralcrop.evaluation.baselines.samples import SMALLEST_SPREAD

FEW_YEARS = 8
"""Years of weather that make a normal; with fewer, a new place takes that of the nearest."""

EARTH_DEGREE = 111.2
"""Length of a degree of latitude, km."""


@dataclass(frozen=True)
class SeasonContext:
    """Samples as arrays.

    Attributes
    ----------
    weather : numpy.ndarray
        ``[sample, month x variable]`` monthly means, see `SeasonWeather.monthly`.
    months : tuple of int
        Calendar months of them; none where they are spans.
    covariates : numpy.ndarray
        ``[sample, covariate]`` climate and soil of the place; may have gaps.
    names : tuple of str
        Of the covariates.
    lat, lon, year : numpy.ndarray
        ``[sample]``.
    """

    weather: np.ndarray
    months: tuple[int, ...]
    covariates: np.ndarray
    names: tuple[str, ...]
    lat: np.ndarray
    lon: np.ndarray
    year: np.ndarray

    @classmethod
    def of(cls, seasons: Seasons, months: tuple[int, ...] = ()) -> SeasonContext:
        """Context of the samples of a run; covariates are those of climate and soil.

        Parameters
        ----------
        seasons : Seasons
            Samples.
        months : tuple of int, optional
            Calendar months, those that training has; NaN in runs without a day of them. By default
            the months that all runs cover.
        """
        weather = SeasonWeather.of(seasons)
        if months:
            values = np.stack([weather.mean((m,)) for m in months], axis=1)
        else:
            values, months = weather.monthly()
        known = [k for k, name in enumerate(seasons.covariates.names)
                 if name in CLIMATE_COVARIATES or name in SOIL_COVARIATES]
        table = seasons.table
        site = table["site"].to_numpy()
        covariates = seasons.covariates.values[known].double().numpy().T[site]
        lat, lon = (table[c].astype(float).fillna(0.0).to_numpy() for c in ("lat", "lon"))
        return cls(values.reshape(len(values), -1), months, covariates,
                   tuple(seasons.covariates.names[k] for k in known), lat, lon,
                   table["year"].to_numpy())

    def __len__(self) -> int:
        return len(self.year)

    def places(self) -> tuple[np.ndarray, np.ndarray]:
        """First sample of every place, and the place of every sample."""
        keys = np.round(np.stack([self.lat, self.lon], axis=1), 4)
        _, first, place = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        return first, place.ravel()


def kilometres(
    lat: np.ndarray, lon: np.ndarray, other_lat: np.ndarray, other_lon: np.ndarray
) -> np.ndarray:
    """Distances ``[here, there]`` on the sphere drawn flat about their mean latitude, km."""
    east = (lon[:, None] - other_lon[None, :] + 180.0) % 360.0 - 180.0
    middle = np.deg2rad(0.5 * (lat[:, None] + other_lat[None, :]))
    return np.asarray(EARTH_DEGREE * np.hypot(
        lat[:, None] - other_lat[None, :], east * np.cos(middle)))


@dataclass(frozen=True)
class Normals:
    """What weather and covariates are measured from and scaled by.

    Attributes
    ----------
    lat, lon : numpy.ndarray
        ``[place]`` of training.
    weather : numpy.ndarray
        ``[place, month x variable]`` means over the training years.
    scale : numpy.ndarray
        ``[month x variable]`` spread of anomalies; infinite for what never varies.
    middle, width : numpy.ndarray
        ``[covariate]`` mean and standard deviation over the training places.
    years : tuple of int
        Training years.
    months : tuple of int
        Calendar months.
    names : tuple of str
        Covariates.
    """

    lat: np.ndarray
    lon: np.ndarray
    weather: np.ndarray
    scale: np.ndarray
    middle: np.ndarray
    width: np.ndarray
    years: tuple[int, ...]
    months: tuple[int, ...]
    names: tuple[str, ...]

    @classmethod
    def of(cls, context: SeasonContext, train: np.ndarray) -> Normals:
        """Normals of the training years, also of samples whose yields are not known."""
        years = np.unique(context.year[train])
        inside = np.isin(context.year, years)
        seen = np.unique(np.round(np.stack([context.lat, context.lon], 1)[train], 4), axis=0)
        first, place = context.places()
        keys = np.round(np.stack([context.lat, context.lon], 1)[first], 4)
        kept = [k for k, key in enumerate(keys) if (seen == key).all(axis=1).any()]
        weather = np.stack([context.weather[inside & (place == k)].mean(axis=0) for k in kept])
        number = {k: n for n, k in enumerate(kept)}
        anomaly = context.weather[train] - weather[[number[k] for k in place[train]]]
        scale = anomaly.std(axis=0)
        n = context.weather.shape[1] // max(len(context.months), 1)
        if context.months:
            largest = scale.reshape(-1, n).max(axis=0)
            scale = np.maximum(scale, SMALLEST_SPREAD * np.tile(largest, len(context.months)))
        level = np.abs(context.weather[train].mean(axis=0))
        scale = np.where(scale > 1e-6 * (1.0 + level), scale, np.inf)
        here = context.covariates[first[kept]]
        known = np.isfinite(here).any(axis=0)
        middle = np.where(known, np.nanmean(np.where(known, here, 0.0), axis=0), 0.0)
        width = np.where(known, np.nanstd(np.where(known, here, 0.0), axis=0), 0.0)
        return cls(keys[kept, 0], keys[kept, 1], weather, scale, middle, width,
                   tuple(int(y) for y in years), context.months, context.names)

    def anomalies(self, context: SeasonContext) -> np.ndarray:
        """Standardised weather anomalies, ``[sample, month x variable]``; 0 where unknown.

        Raises
        ------
        ValueError
            If the months are others than those of training.
        """
        if context.weather.shape[1] != self.weather.shape[1] or context.months != self.months:
            raise ValueError(
                f"weather of the months {context.months}, expected those of training, "
                f"{self.months}: sowing days or length of the runs differ")
        first, place = context.places()
        inside = np.isin(context.year, self.years)
        distance = kilometres(context.lat[first], context.lon[first], self.lat, self.lon)
        normal = np.empty((len(first), self.weather.shape[1]))
        for k, row in enumerate(distance):
            own = context.weather[inside & (place == k)]
            own = own[np.isfinite(own).all(axis=1)]
            if row.min() < 0.1:
                normal[k] = self.weather[row.argmin()]
            elif len(own) >= FEW_YEARS:
                normal[k] = own.mean(axis=0)
            else:
                normal[k] = self.weather[np.argsort(row, kind="stable")[:5]].mean(axis=0)
        return np.nan_to_num((context.weather - normal[place]) / self.scale)

    def standard_covariates(self, context: SeasonContext) -> np.ndarray:
        """Standardised covariates, ``[sample, covariate]``; gaps and constants are 0.

        Raises
        ------
        ValueError
            If one of training is missing.
        """
        missing = sorted(set(self.names) - set(context.names))
        if missing:
            raise ValueError(f"covariates {', '.join(missing)} are missing, which training had")
        values = context.covariates[:, [context.names.index(n) for n in self.names]]
        width = np.where(self.width > 1e-9, self.width, np.inf)
        return np.nan_to_num((values - self.middle) / width)

    def describe(self) -> dict[str, Any]:
        """For JSON; inverse: `from_description`."""
        scale = [None if not np.isfinite(v) else v for v in self.scale]
        return {"lat": self.lat.tolist(), "lon": self.lon.tolist(),
                "weather": np.round(self.weather, 6).tolist(), "scale": scale,
                "middle": self.middle.tolist(), "width": self.width.tolist(),
                "years": list(self.years), "months": list(self.months),
                "names": list(self.names)}

    @classmethod
    def from_description(cls, record: Mapping[str, Any]) -> Normals:
        """Normals as described."""
        scale = np.array([np.inf if v is None else v for v in record["scale"]], dtype=float)
        arrays = {k: np.array(record[k], dtype=float)
                  for k in ("lat", "lon", "weather", "middle", "width")}
        return cls(**arrays, scale=scale, years=tuple(record["years"]),
                   months=tuple(record["months"]), names=tuple(record["names"]))
