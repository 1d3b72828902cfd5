"""The calendar of a crop from the agromanagement of PCSE; what cannot be honoured is an error."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from numbers import Real
from typing import Any, NamedTuple, TypeGuard

import yaml

from neuralcrop.compat.pcse_inputs import Calendar
from neuralcrop.data.errors import Problems, nearest

PARTS = ("CropCalendar", "TimedEvents", "StateEvents")
START_TYPES = ("sowing", "emergence")
END_TYPES = ("maturity", "harvest", "earliest")
CALENDAR_KEYS = ("crop_name", "variety_name", "crop_start_date", "crop_start_type",
                 "crop_end_date", "crop_end_type", "max_duration")
EVENT_KEYS = ("event_signal", "name", "comment", "events_table")
GREATEST_IRRIGATION = 30.0
"""Amount of one irrigation (cm) above which millimetres are more likely."""


class _Campaign(NamedTuple):
    date: dt.date
    parts: Mapping[str, Any]


def parse_agromanagement(agromanagement: Any, production: str) -> Calendar:
    """Calendar of the one crop of an agromanagement.

    Campaigns without a crop may come before it (the soil runs bare from the first) and after it
    (the crop must have ended by then). Irrigation on dates of the crop is honoured in
    water-limited production. Names of crop and variety are not used: the parameters are given.

    Parameters
    ----------
    agromanagement : list, mapping or str
        Campaigns ``{date: {"CropCalendar": ..., "TimedEvents": ..., "StateEvents": ...}}``, a
        mapping that has their list as "AgroManagement", or YAML text of either.
    production : str
        "potential" or "water_limited".

    Raises
    ------
    InputError
        Listing everything that is wrong or cannot be honoured.
    """
    problems = Problems("agromanagement")
    campaigns = _campaigns(agromanagement, problems)
    crops = [i for i, campaign in enumerate(campaigns) if campaign.parts.get("CropCalendar")]
    if not crops and not problems:
        problems.add("campaigns", "none has a CropCalendar", "one campaign with a crop")
    if len(crops) > 1:
        problems.add(
            "campaigns", f"{len(crops)} have a crop, those of "
            + ", ".join(str(campaigns[i].date) for i in crops), "one campaign with a crop",
            "call simulate once for each; every run then starts from its own initial soil water")
    problems.raise_if_any()
    own = crops[0]
    follows = campaigns[own + 1].date if own + 1 < len(campaigns) else None
    calendar = _calendar(campaigns[0].date, campaigns[own], follows, problems)
    irrigation: dict[dt.date, float] = {}
    for campaign in campaigns:
        _events(campaign, calendar, production, irrigation, problems)
    problems.raise_if_any()
    assert calendar is not None
    return replace(calendar, irrigation=dict(sorted(irrigation.items())))


def _campaigns(given: Any, problems: Problems) -> list[_Campaign]:
    """Campaigns with rising dates; an empty one has no parts."""
    expected = "a list of campaigns {date: {CropCalendar: ..., TimedEvents: ..., StateEvents: ...}}"
    if isinstance(given, str):
        try:
            given = yaml.safe_load(given)
        except yaml.YAMLError as error:
            problems.add("YAML text", " ".join(str(error).split()), expected)
            return []
    if isinstance(given, Mapping) and "AgroManagement" in given:
        given = given["AgroManagement"]
    if not isinstance(given, list | tuple):
        problems.add("agromanagement", f"is {_short(given)}", expected,
                     "of a file, give the text or what yaml.safe_load makes of it")
        return []
    found: list[_Campaign] = []
    for number, campaign in enumerate(given, 1):
        where = f"campaign {number}"
        if not isinstance(campaign, Mapping) or len(campaign) != 1:
            problems.add(where, f"is {_short(campaign)}", "one date and its parts")
            continue
        (key, parts), = campaign.items()
        date = _date(key)
        if date is None:
            problems.add(where, f"starts on {_short(key)}", "a date, as 2000-12-31")
            continue
        if parts is not None and not isinstance(parts, Mapping):
            problems.add(f"campaign {date}", f"is {_short(parts)}", f"{', '.join(PARTS)}")
            continue
        if found and date <= found[-1].date:
            problems.add(f"campaign {date}", f"comes after that of {found[-1].date}",
                         "campaigns in the order of their dates")
        _known(f"campaign {date}", parts or {}, PARTS, problems)
        found.append(_Campaign(date, parts or {}))
    return found


def _calendar(
    first: dt.date, campaign: _Campaign, follows: dt.date | None, problems: Problems
) -> Calendar | None:
    """Calendar without irrigation, or None where there is a problem."""
    where, before = f"CropCalendar of campaign {campaign.date}", len(problems.items)
    given = campaign.parts["CropCalendar"]
    if not isinstance(given, Mapping):
        problems.add(where, f"is {_short(given)}", "a mapping")
        return None
    _known(where, given, CALENDAR_KEYS, problems)
    start_type = _choice(where, given, "crop_start_type", START_TYPES, problems)
    end_type = _choice(where, given, "crop_end_type", END_TYPES, problems)
    start = _day(where, given, "crop_start_date", problems)
    end = None
    if end_type != "maturity" or given.get("crop_end_date") is not None:
        end = _day(where, given, "crop_end_date", problems)
    end = None if end_type == "maturity" else end
    if start is not None:
        _fit(where, start, end, campaign.date, follows, problems)
    duration = given.get("max_duration")
    if not _whole(duration) or duration < 1:
        problems.add(where, f"max_duration is {_short(duration)}", "a whole number of days from 1")
        return None
    if len(problems.items) > before or start is None:
        return None
    return Calendar(first, start, start_type, end, end_type, int(duration), next_campaign=follows)


def _fit(
    where: str, start: dt.date, end: dt.date | None, campaign: dt.date, follows: dt.date | None,
    problems: Problems,
) -> None:
    """The crop keeps to its campaign."""
    if start < campaign:
        problems.add(where, f"crop_start_date is {start}",
                     f"a day from the start of the campaign, {campaign}")
    if follows is not None and start >= follows:
        problems.add(where, f"crop_start_date is {start}",
                     f"a day before the next campaign, {follows}")
    if end is not None and end <= start:
        problems.add(where, f"crop_end_date is {end}", f"a day after {start}")
    if end is not None and follows is not None and end > follows:
        problems.add(where, f"crop_end_date is {end}",
                     f"no day after the start of the next campaign, {follows}")


def _events(
    campaign: _Campaign, calendar: Calendar | None, production: str,
    irrigation: dict[dt.date, float], problems: Problems,
) -> None:
    """Add the irrigation of a campaign; any other event is a problem."""
    if campaign.parts.get("StateEvents"):
        problems.add(f"StateEvents of campaign {campaign.date}", "cannot be honoured",
                     "none", "take them out, or give irrigation as TimedEvents")
    timed = campaign.parts.get("TimedEvents") or []
    for number, event in enumerate(timed if isinstance(timed, list | tuple) else [timed], 1):
        where = f"TimedEvents of campaign {campaign.date}, {number}"
        if not isinstance(event, Mapping):
            problems.add(where, f"is {_short(event)}", f"a mapping of {', '.join(EVENT_KEYS)}")
            continue
        _known(where, event, EVENT_KEYS, problems)
        signal, table = event.get("event_signal"), event.get("events_table") or []
        if signal != "irrigate":
            problems.add(where, f"event_signal {signal!r} cannot be honoured", "'irrigate'",
                         "take the event out; WOFOST 7.2 has no nutrients and no mowing")
        elif production == "potential" and table:
            problems.add(where, "irrigation has no effect in potential production", "none",
                         "take it out, or run with production='water_limited'")
        elif not isinstance(table, list | tuple):
            problems.add(where, f"events_table is {_short(table)}",
                         "a list of {date: {amount: ..., efficiency: ...}}")
        else:
            for entry in table:
                _irrigation(where, entry, calendar, irrigation, problems)


def _irrigation(
    where: str, entry: Any, calendar: Calendar | None, irrigation: dict[dt.date, float],
    problems: Problems,
) -> None:
    """Add one irrigation (cm)."""
    if not isinstance(entry, Mapping) or not entry:
        problems.add(where, f"an event is {_short(entry)}",
                     "{date: {amount: ..., efficiency: ...}}")
        return
    for key, given in entry.items():
        date = _date(key)
        if date is None or not isinstance(given, Mapping):
            problems.add(where, f"an event is {_short({key: given})}",
                         "{date: {amount: ..., efficiency: ...}}")
            continue
        _known(f"{where}, {date}", given, ("amount", "efficiency"), problems)
        amount, efficiency = given.get("amount"), given.get("efficiency")
        if not _between(amount, GREATEST_IRRIGATION):
            problems.add(f"{where}, {date}", f"amount is {_short(amount)}",
                         f"0 to {GREATEST_IRRIGATION:g} cm", "divide by 10 if it is in mm")
        if not _between(efficiency, 1.0):
            problems.add(f"{where}, {date}", f"efficiency is {_short(efficiency)}", "0 to 1")
        if calendar is not None and not calendar.crop_start <= date <= calendar.last_day:
            problems.add(
                f"{where}, {date}", "is outside of the crop's period",
                f"{calendar.crop_start} to {calendar.last_day}",
                "take it out; water of the soil before the crop is given by WAV")
        if date in irrigation:
            problems.add(f"{where}, {date}", "is irrigated twice", "one event a day",
                         "add up the amounts")
        if _between(amount, GREATEST_IRRIGATION) and _between(efficiency, 1.0):
            irrigation[date] = float(amount) * float(efficiency)


def _date(given: Any) -> dt.date | None:
    """Date of a date, datetime or ISO string."""
    if isinstance(given, str):
        try:
            given = dt.datetime.fromisoformat(given.strip())
        except ValueError:
            return None
    if isinstance(given, dt.datetime):
        return given.date()
    return given if isinstance(given, dt.date) else None


def _day(where: str, given: Mapping[str, Any], key: str, problems: Problems) -> dt.date | None:
    date = _date(given.get(key))
    if date is None:
        problems.add(where, f"{key} is {_short(given.get(key))}", "a date, as 2000-12-31")
    return date


def _choice(
    where: str, given: Mapping[str, Any], key: str, known: tuple[str, ...], problems: Problems
) -> str:
    value = given.get(key)
    if value not in known:
        problems.add(where, f"{key} is {_short(value)}", " or ".join(known))
    return str(value)


def _known(where: str, given: Iterable[Any], known: tuple[str, ...], problems: Problems) -> None:
    for key in given:
        if key not in known:
            problems.add(where, f"unknown key {key!r}", remedy=nearest(str(key), known))


def _whole(value: Any) -> TypeGuard[float]:
    return _between(value, math.inf) and float(value).is_integer()


def _between(value: Any, upper: float) -> TypeGuard[float]:
    """Whether this is a number from 0 to a limit."""
    return (isinstance(value, Real) and not isinstance(value, bool)
            and math.isfinite(value) and 0.0 <= float(value) <= upper)


def _short(given: Any) -> str:
    text = repr(given)
    return text if len(text) <= 60 else f"{text[:57]}..."
