"""The daily table of a run, as PCSE gives it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from neuralcrop.data.errors import InputError, Problem

UNITS = {
    "DVS": "1", "LAI": "m2 m-2", "TAGP": "kg ha-1", "TWSO": "kg ha-1", "TWLV": "kg ha-1",
    "TWST": "kg ha-1", "TWRT": "kg ha-1", "TRA": "cm d-1", "RD": "cm", "SM": "cm3 cm-3",
    "WWLOW": "cm", "EVS": "cm d-1", "W": "cm", "WLOW": "cm", "EVW": "cm d-1", "SS": "cm",
    "WLV": "kg ha-1", "WST": "kg ha-1", "WRT": "kg ha-1", "WSO": "kg ha-1", "TRAMX": "cm d-1",
    "RFTRA": "1", "PGASS": "kg ha-1 d-1", "PMRES": "kg ha-1 d-1", "DMI": "kg ha-1 d-1",
}
"""Columns in PCSE's order, and their units."""

SOIL = frozenset(["SM", "WWLOW", "EVS", "W", "WLOW", "EVW", "SS"])
"""Columns that are there before the crop, too."""


def daily_table(
    dates: Sequence[dt.date],
    columns: Mapping[str, np.ndarray],
    start: dt.date,
    end_type: str,
    end_date: dt.date | None,
    max_duration: int,
    dvsend: float,
) -> pd.DataFrame:
    """Table of a run, cut at the last day of its crop.

    The last day is that on which the crop starts the day ripe (DVS at DVSEND; "maturity" and
    "earliest"), that of harvest ("harvest" and "earliest"), or `max_duration` days after the
    start, whichever is first. It is part of the table.

    Parameters
    ----------
    dates : sequence of date
        Days of the run, at least to the last day of the crop.
    columns : mapping of str to numpy.ndarray
        States at the start of a day and rates of the day under PCSE's names, ``[day]``; with DVS.
    start : date
        First day of the crop; before it columns of the crop become NaN.
    end_type : str
        "maturity", "harvest" or "earliest".
    end_date : date or None
        Day of harvest.
    max_duration : int
        Greatest duration (d).
    dvsend : float
        Development stage at which the crop is ripe.

    Returns
    -------
    pandas.DataFrame
        Index ``day``; columns in PCSE's order, those it does not know after them. ``attrs``:
        ``units`` by column, ``crop_start_date`` and ``crop_end_date`` (ISO), ``crop_end_reason``
        ("maturity", "harvest" or "max_duration").

    Raises
    ------
    InputError
        If the crop does not end in these days.
    """
    values = {name: np.asarray(column, dtype=np.float64) for name, column in columns.items()}
    short = [name for name, column in values.items() if column.shape != (len(dates),)]
    if short:
        raise ValueError(f"columns {', '.join(short)} have not one value for each of the "
                         f"{len(dates)} days")
    last, reason = _end(dates, values["DVS"], start, end_type, end_date, max_duration, dvsend)
    known = [name for name in UNITS if name in values]
    order = known + [name for name in values if name not in UNITS]
    index = pd.DatetimeIndex(pd.to_datetime(list(dates[:last + 1])), name="day")
    table = pd.DataFrame({name: values[name][:last + 1] for name in order}, index=index)
    crop = [name for name in order if name not in SOIL]
    table.loc[index < pd.Timestamp(start), crop] = np.nan
    table.attrs = {
        "units": {name: UNITS[name] for name in known},
        "crop_start_date": start.isoformat(),
        "crop_end_date": dates[last].isoformat(),
        "crop_end_reason": reason,
    }
    return table


def _end(
    dates: Sequence[dt.date], dvs: np.ndarray, start: dt.date, end_type: str,
    end_date: dt.date | None, max_duration: int, dvsend: float,
) -> tuple[int, str]:
    """Position of the last day of the crop, and why it is the last."""
    for position, date in enumerate(dates):
        if date < start:
            continue
        if end_type != "harvest" and dvs[position] >= dvsend:
            return position, "maturity"
        if end_type != "maturity" and end_date is not None and date >= end_date:
            return position, "harvest"
        if (date - start).days >= max_duration:
            return position, "max_duration"
    if not dates or dates[-1] < start:
        reached = f"the days end before the crop starts on {start}"
    else:
        reached = f"DVS is {dvs[-1]:.3g} on {dates[-1]}, the last day"
    latest = start + dt.timedelta(days=max_duration)
    raise InputError([Problem(
        "end of the crop", reached,
        f"DVS {dvsend:g}, or days up to " + " or ".join(
            str(day) for day in (end_date if end_type != "maturity" else None, latest) if day),
        "give weather of more days, let no other campaign follow so early, or end by harvest",
    )], "crop")
