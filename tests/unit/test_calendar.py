"""Days, years and seasons of the calendars of climate data."""

from __future__ import annotations

import pytest

from neuralcrop.core.calendar import days_in_year, season_length, solar_day


@pytest.mark.parametrize(("year", "days"), [(1900, 365), (2000, 366), (2001, 365), (2004, 366)])
def test_leap_years(year: int, days: int) -> None:
    assert days_in_year(year) == days
    assert days_in_year(year, "noleap") == 365
    assert days_in_year(year, "360_day") == 360


def test_days_of_a_short_year_are_stretched_over_the_suns() -> None:
    assert solar_day(200, 2001) == 200.0
    assert solar_day(200, 2001, "noleap") == 200.0
    assert solar_day(360, 2001, "360_day") == 365.0


@pytest.mark.parametrize(("sowing", "end", "days"), [
    (120, 260, 140), (280, 210, 295), (1, 365, 364), (100, 100, 0), (365, 1, 1)])
def test_seasons_run_across_new_year(sowing: int, end: int, days: int) -> None:
    assert season_length(sowing, end) == days
    assert season_length(280, 210, 360) == 290
