"""WOFOST 7.2 for users of PCSE: the same inputs, the same names and units of the results."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from neuralcrop.compat.pcse_agromanagement import parse_agromanagement
from neuralcrop.compat.pcse_inputs import PRODUCTIONS, parse_parameters
from neuralcrop.compat.pcse_table import daily_table
from neuralcrop.compat.pcse_weather import parse_weather
from neuralcrop.data.errors import nearest
from neuralcrop.models.wofost72_field import Production

__all__ = ["daily_table", "simulate"]


def simulate(
    parameters: Mapping[str, Any],
    weather: pd.DataFrame,
    agromanagement: Any,
    *,
    production: Production = "potential",
    compile: bool = False,
) -> pd.DataFrame:
    """Run one crop at one place with the inputs of PCSE.

    Parameters
    ----------
    parameters : mapping
        Parameters of crop, soil and site in one flat mapping, under PCSE's names and in its units.
    weather : pandas.DataFrame
        Daily weather in PCSE's units, with a DatetimeIndex or a column DAY: IRRAD (J m-2 d-1),
        TMIN and TMAX (degC), VAP (hPa), WIND (m s-1), RAIN, E0, ES0 and ET0 (cm d-1), LAT and ELEV
        (columns or ``attrs``); TEMP (degC) where it is not the mean of TMIN and TMAX.
    agromanagement : list, mapping or str
        PCSE's list of campaigns, a mapping that has it as "AgroManagement", or its YAML text. One
        campaign has a crop. Before the crop the soil runs bare from the date of the campaign.
    production : str
        "potential" or "water_limited" (freely draining soil).
    compile : bool
        Compile the day, for many calls: minutes for the first on a machine, seconds for the first
        of a process, then a fraction of a second each. For many fields at a time build a batch of
        them with `neuralcrop.compat.pcse_engine`.

    Returns
    -------
    pandas.DataFrame
        One row a day from the start of the campaign to the last day of the crop: states at the
        start of the day and rates of the day; see :func:`daily_table`.

    Raises
    ------
    ParameterError
        Listing every parameter that is missing, unknown or malformed.
    InputError
        Listing everything that is wrong with the weather or the agromanagement, and everything
        that is asked for but cannot be honoured.
    ValueError
        If `production` is another.
    """
    if production not in PRODUCTIONS:
        raise ValueError(f"unknown production {production!r}; {nearest(production, PRODUCTIONS)}")
    crop = parse_parameters(parameters, production)
    calendar = parse_agromanagement(agromanagement, production)
    record = parse_weather(weather, calendar)
    from neuralcrop.compat.pcse_engine import run  # only for inputs that pass

    columns = run(crop, calendar, record, production, len(record.dates), compile)
    table = daily_table(
        record.dates, columns, calendar.crop_start, calendar.end_type, calendar.end_date,
        calendar.max_duration, crop.parameters["DVSEND"].value[0])
    table.attrs["production"] = production
    return table
