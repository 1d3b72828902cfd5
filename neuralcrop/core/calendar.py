"""Days and years of the calendars of climate data, without dates in the daily step."""

from __future__ import annotations

from typing import Literal

CalendarName = Literal["standard", "noleap", "360_day"]

SOLAR_YEAR = 365.25
"""Mean length of the year on which the sun's position is computed, d."""


def days_in_year(year: int, calendar: CalendarName = "standard") -> int:
    """Number of days of a calendar year."""
    if calendar == "360_day":
        return 360
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    return 366 if leap and calendar == "standard" else 365


def solar_day(day_of_year: float, year: int, calendar: CalendarName = "standard") -> float:
    """Day of the solar year on which the sun stands as on this calendar day.

    Standard and 365-day calendars keep their day number; days of a 360-day year are stretched.
    """
    return day_of_year * 365.0 / 360.0 if calendar == "360_day" else float(day_of_year)


def season_length(sowing_day: int, end_day: int, year_length: int = 365) -> int:
    """Days from a sowing day of year to an end day of year, across New Year if need be."""
    return (end_day - sowing_day) % year_length
