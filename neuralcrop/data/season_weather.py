"""Weather of seasons as arrays: what a statistical model sees in place of the simulation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neuralcrop.data.climate import MONTH_DAYS, MONTH_START
from neuralcrop.data.seasons import Seasons
from neuralcrop.physics.evapotranspiration import saturation_vapour_pressure

VARIABLES = {
    "tasmax": "degC, highest temperature",
    "tasmin": "degC, lowest temperature",
    "pr": "mm d-1, precipitation",
    "rsds": "W m-2, short-wave radiation",
    "vpd": "kPa, vapour pressure deficit at the mean of both temperatures' saturation (FAO-56)",
    "heat": "K, highest temperature above 30 degC",
}
"""Daily variables: unit and meaning."""

HOT = 30.0
"""Temperature above which heat counts, degC."""

SMALLEST_SHARE = 0.65
"""Share of its days that a month must have in every run to be one of the months."""

FEWEST_MONTHS = 3
"""Calendar months that all runs must cover to be used."""

MONTH = 30
"""Days of a month that is none of the calendar, d."""


@dataclass(frozen=True)
class SeasonWeather:
    """Daily weather of the runs of all samples.

    Attributes
    ----------
    daily : numpy.ndarray
        ``[sample, day, variable]`` of `VARIABLES`.
    day_of_year : numpy.ndarray
        ``[sample, day]``.
    """

    daily: np.ndarray
    day_of_year: np.ndarray

    @classmethod
    def of(cls, seasons: Seasons) -> SeasonWeather:
        """Weather of all samples."""
        values, names = seasons.forcing.values, seasons.forcing.names
        day = {name: values[:, names.index(name)] for name in
               ("tasmax", "tasmin", "pr", "rsds", "vap")}
        high, low = day["tasmax"], day["tasmin"]
        saturation = 0.5 * (saturation_vapour_pressure(high) + saturation_vapour_pressure(low))
        day["vpd"] = (saturation - day["vap"]).clamp_min(0.0)
        day["heat"] = (high - HOT).clamp_min(0.0)
        daily = np.stack([day[name].double().numpy().T for name in VARIABLES], axis=-1)
        return cls(daily, seasons.forcing.solar_day.double().numpy().T)

    def months(self) -> np.ndarray:
        """Calendar month of every day, ``[sample, day]`` from 1."""
        return np.asarray(np.searchsorted(MONTH_START, self.day_of_year, side="right")).clip(1, 12)

    def monthly(self) -> tuple[np.ndarray, tuple[int, ...]]:
        """Means of the calendar months that all runs cover, in the order of the season.

        Runs of different climates may have fewer than `FEWEST_MONTHS` in common; months are then
        successive spans of `MONTH` days of the run, aligned at sowing.

        Returns
        -------
        tuple
            ``[sample, month, variable]`` and the calendar months, none where they are spans.
        """
        month = self.months()
        count = np.stack([(month == m).sum(axis=1) for m in range(1, 13)], axis=1)
        whole = np.flatnonzero((count >= SMALLEST_SHARE * MONTH_DAYS).all(axis=0)) + 1
        if len(whole) < FEWEST_MONTHS:
            return self.spans(MONTH), ()
        # a season may run over the end of the year
        when = {int(m): float(np.median(np.argmax(month == m, axis=1))) for m in whole}
        order = tuple(sorted(when, key=lambda m: when[m]))
        return np.stack([self.mean((m,)) for m in order], axis=1), order

    def mean(self, months: Sequence[int]) -> np.ndarray:
        """Mean over the days of some calendar months, ``[sample, variable]``; NaN without any."""
        inside = np.isin(self.months(), months)[..., None]
        days = inside.sum(axis=1)
        total = np.where(inside, self.daily, 0.0).sum(axis=1)
        return np.asarray(np.where(days > 0, total / np.maximum(days, 1), np.nan))

    def spans(self, length: int) -> np.ndarray:
        """Means over successive spans of so many days of the run, ``[sample, span, variable]``."""
        n = self.daily.shape[1] // length
        if n < 1:
            raise ValueError(f"runs of {self.daily.shape[1]} days have no span of {length}")
        return np.asarray(self.daily[:, : n * length].reshape(
            len(self.daily), n, length, len(VARIABLES)).mean(axis=2))

    def warmth(self, months: Sequence[int]) -> np.ndarray:
        """Mean vapour pressure deficit of some calendar months, ``[sample]`` kPa.

        Of a run without any of them, the mean of all its days.
        """
        deficit = list(VARIABLES).index("vpd")
        mean = self.mean(months)[:, deficit]
        return np.asarray(np.where(np.isnan(mean), self.daily[..., deficit].mean(axis=1), mean))
