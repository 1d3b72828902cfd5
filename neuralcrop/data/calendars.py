"""When to sow: a rule from the climate of the cell (Waha et al. 2012; Minoli et al. 2019)."""

from __future__ import annotations

import logging
from dataclasses import dataclass

import numpy as np

from neuralcrop.data.climate import MID_MONTH, MONTH_START, daily_from_monthly

log = logging.getLogger("neuralcrop.data")

CV_TEMPERATURE = 0.010
"""Coefficient of variation of monthly temperature in K above which it limits the season."""

CV_PRECIPITATION = 0.4
"""Coefficient of variation of monthly precipitation above which it limits the season."""

WARM_WINTER = 10.0
"""degC of the coldest month above which rain, not warmth, opens a season limited by both."""

_LEAD = 60
"""Days before the coldest (winter crops) or warmest month, where a threshold is never crossed."""

NONE, PRECIPITATION, PRECIPITATION_TEMPERATURE, TEMPERATURE_PRECIPITATION, TEMPERATURE = range(5)


@dataclass(frozen=True)
class CropRule:
    """What a crop needs at sowing.

    Attributes
    ----------
    temp_spring : float
        degC above which a spring crop is sown.
    temp_fall : float or None
        degC below which a winter crop is sown; None for a spring crop.
    winter : bool
        Sown in autumn.
    """

    temp_spring: float
    temp_fall: float | None = None
    winter: bool = False


CROP_RULES: dict[str, CropRule] = {
    "maize": CropRule(14.0), "rice": CropRule(18.0), "sorghum": CropRule(12.0),
    "millet": CropRule(12.0), "soybean": CropRule(13.0), "spring_wheat": CropRule(5.0),
    "winter_wheat": CropRule(5.0, 12.0, winter=True), "wheat": CropRule(5.0),
    "barley": CropRule(5.0), "spring_barley": CropRule(5.0),
    "winter_barley": CropRule(5.0, 12.0, winter=True), "rye": CropRule(5.0, 12.0, winter=True),
    "rapeseed": CropRule(5.0, 17.0, winter=True), "canola": CropRule(5.0, 17.0, winter=True),
    "sunflower": CropRule(13.0), "cassava": CropRule(22.0), "sugarcane": CropRule(14.0),
    "sugar_beet": CropRule(8.0), "sugarbeet": CropRule(8.0), "potato": CropRule(8.0),
    "groundnut": CropRule(15.0), "peanut": CropRule(15.0), "cotton": CropRule(15.0),
    "bean": CropRule(10.0), "dry_bean": CropRule(10.0), "pulses": CropRule(10.0),
    "chickpea": CropRule(10.0), "pea": CropRule(5.0), "field_pea": CropRule(5.0),
}
"""Thresholds of cropCalendars (maize, rice, sorghum, millet, soybean, wheat; Minoli et al. 2019,
doi:10.1016/j.gloplacha.2018.12.013) and of the functional types of LPJmL 6.0.6: barley and rye as
temperate cereals, rapeseed, sunflower, cassava, sugarcane, sugar beet, groundnut, pulses. Priors:
potato as temperate roots, cotton as groundnut, pea as temperate cereals, with which it is sown."""

DEFAULT_RULE = CropRule(10.0)
"""Crops without a rule of their own."""


def crop_rule(crop: str, rules: dict[str, CropRule] | None = None) -> CropRule:
    """Rule of a crop or variety (``crop:variety``); an unknown crop gets 10 degC and a warning."""
    base, _, variety = crop.strip().lower().partition(":")
    table = {**CROP_RULES, **(rules or {})}
    if variety.startswith("winter") and f"winter_{base}" in table:
        base = f"winter_{base}"
    if base not in table:
        log.warning("no sowing rule for %s: sown where spring passes %g degC", crop,
                    DEFAULT_RULE.temp_spring)
    return table.get(base, DEFAULT_RULE)


def seasonality(monthly_tas: np.ndarray, monthly_pr: np.ndarray) -> np.ndarray:
    """What limits the growing season: the five types of Waha et al. (2012).

    Parameters
    ----------
    monthly_tas : numpy.ndarray
        ``[month, cell]`` degC.
    monthly_pr : numpy.ndarray
        ``[month, cell]`` mm d-1.

    Returns
    -------
    numpy.ndarray
        ``[cell]`` one of NONE, PRECIPITATION, PRECIPITATION_TEMPERATURE,
        TEMPERATURE_PRECIPITATION, TEMPERATURE.
    """
    kelvin = monthly_tas + 273.15
    cv_t = kelvin.std(axis=0, ddof=1) / kelvin.mean(axis=0)
    mean_p = monthly_pr.mean(axis=0)
    cv_p = monthly_pr.std(axis=0, ddof=1) / np.where(mean_p > 0.0, mean_p, np.inf)
    warm, rainy = cv_t > CV_TEMPERATURE, cv_p > CV_PRECIPITATION
    mild = monthly_tas.min(axis=0) > WARM_WINTER
    both = np.where(mild, PRECIPITATION_TEMPERATURE, TEMPERATURE_PRECIPITATION)
    return np.where(warm, np.where(rainy, both, TEMPERATURE), np.where(rainy, PRECIPITATION, NONE))


def sowing_days(
    monthly_tas: np.ndarray, monthly_pr: np.ndarray, monthly_pet: np.ndarray, rule: CropRule
) -> np.ndarray:
    """Day of year of sowing from the climate.

    Winter crops are sown when temperature falls below ``temp_fall`` after the warmest time of the
    year; where it never does, 60 days before the middle of the coldest month. Spring crops follow
    the type of season: limited by rain (with mild winters), the first day of the four months with
    the largest sum of P/PET, among starts at or above ``temp_spring`` where there are any; limited
    by warmth, the first day after the coldest time that reaches ``temp_spring``; where it is always
    warmer, as for rain; where it never gets so warm, 60 days before the middle of the warmest
    month. Without seasons: 1 January.

    Parameters
    ----------
    monthly_tas, monthly_pr, monthly_pet : numpy.ndarray
        ``[month, cell]`` degC, mm d-1, mm d-1.
    rule : CropRule
        The crop's thresholds.

    Returns
    -------
    numpy.ndarray
        ``[cell]`` integers from 1 to 365.
    """
    daily = daily_from_monthly(monthly_tas)
    if rule.winter and rule.temp_fall is not None:
        fallen = _first_after(daily <= rule.temp_fall, daily.argmax(axis=0))
        coldest = MID_MONTH[monthly_tas.argmin(axis=0)].astype(int)
        early = (coldest - _LEAD - 1) % 365 + 1
        return np.where((daily <= rule.temp_fall).any(axis=0), fallen, early)
    kind = seasonality(monthly_tas, monthly_pr)
    wet = wettest_start(monthly_tas, monthly_pr, monthly_pet, rule.temp_spring)
    above = daily >= rule.temp_spring
    warmed = _first_after(above, daily.argmin(axis=0))
    warmest = MID_MONTH[monthly_tas.argmax(axis=0)].astype(int)
    cool = (warmest - _LEAD - 1) % 365 + 1
    by_warmth = np.where(above.all(axis=0), wet, np.where(above.any(axis=0), warmed, cool))
    by_rain = (kind == PRECIPITATION) | (kind == PRECIPITATION_TEMPERATURE)
    day = np.where(by_rain, wet, np.where(kind == NONE, 1, by_warmth))
    return day.astype(np.int64)


def wettest_start(
    monthly_tas: np.ndarray, monthly_pr: np.ndarray, monthly_pet: np.ndarray, temp_spring: float
) -> np.ndarray:
    """First day of the four months with the largest sum of P/PET, warm enough where possible."""
    ratio = monthly_pr / np.maximum(monthly_pet, 0.1)
    ratio = np.minimum(ratio, 10.0)
    window = sum(np.roll(ratio, -k, axis=0) for k in range(4))
    warm = monthly_tas >= temp_spring
    warm = np.where(warm.any(axis=0), warm, True)
    return np.asarray(MONTH_START[np.where(warm, window, -1.0).argmax(axis=0)])


def _first_after(condition: np.ndarray, origin: np.ndarray) -> np.ndarray:
    """Day of year on which a condition first holds from an index of the year on, around it."""
    n = condition.shape[0]
    order = (np.arange(n)[:, None] + origin[None, :]) % n
    turned = np.take_along_axis(condition, order, axis=0)
    return np.asarray((turned.argmax(axis=0) + origin) % n + 1)
