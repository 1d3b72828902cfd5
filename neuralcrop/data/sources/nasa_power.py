"""Daily weather of points from NASA POWER (https://power.larc.nasa.gov, free to use)."""

from __future__ import annotations

import json
import logging
import os
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import xarray as xr

from neuralcrop.data.errors import InputError, Problem
from neuralcrop.data.files import write_atomically

log = logging.getLogger("neuralcrop.data")

BASE_URL = "https://power.larc.nasa.gov/api/temporal/daily/point"
"""Address of the daily point service."""

PARAMETERS = {
    "T2M_MIN": ("tasmin", "daily minimum air temperature at 2 m"),
    "T2M_MAX": ("tasmax", "daily maximum air temperature at 2 m"),
    "T2M": ("tas", "daily mean air temperature at 2 m"),
    "ALLSKY_SFC_SW_DWN": ("rsds", "surface downwelling shortwave radiation"),
    "ALLSKY_SFC_LW_DWN": ("rlds", "surface downwelling longwave radiation"),
    "PRECTOTCORR": ("pr", "precipitation, bias corrected"),
    "QV2M": ("huss", "specific humidity at 2 m"),
    "WS10M": ("sfcwind", "wind speed at 10 m"),
    "PS": ("ps", "surface air pressure"),
}
"""Parameters asked for: our name and description."""

_UNITS = {"C": "degC", "MJ/m^2/day": "MJ m-2 d-1", "mm/day": "mm d-1", "g/kg": "g kg-1",
          "m/s": "m s-1", "W/m^2": "W m-2", "kW-hr/m^2/day": "kW h m-2 d-1"}

_TRY_AGAIN = (408, 425, 429, 500, 502, 503, 504)


def fetch(
    path: str | Path, *, points: Sequence[tuple[float, float]], start: str, end: str,
    base_url: str = BASE_URL, retries: int = 4, timeout: float = 60.0, pause: float = 1.0,
    cache: str | Path | None = None,
) -> Path:
    """Download daily weather of points into one NetCDF file.

    Parameters
    ----------
    path : str or Path
        Target; written only when every point has arrived.
    points : sequence of (lat, lon)
        Degrees north and east.
    start, end : str
        First and last day, ``YYYY-MM-DD``.
    base_url : str
        Address of the service.
    retries : int
        Further attempts after a failure that may pass, with growing pauses.
    timeout : float
        Seconds to wait for an answer.
    pause : float
        First pause between attempts, s; doubled each time.
    cache : str or Path, optional
        Folder for the answers, so that an interrupted download goes on where it stopped.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    InputError
        If the service does not answer, or not with weather.
    """
    answers = [
        _point(lat, lon, start, end, base_url, retries, timeout, pause, cache)
        for lat, lon in points
    ]
    dataset = xr.concat([_dataset(a, lat, lon) for a, (lat, lon) in
                         zip(answers, points, strict=True)], dim="point", join="exact")
    dataset = dataset.assign_coords(point=np.arange(1, len(points) + 1)).transpose("time", "point")
    dataset.attrs = {
        "Conventions": "CF-1.8", "title": f"NASA POWER daily weather at {len(points)} points",
        "source": f"NASA POWER, {base_url}",
        "license": "free to use and redistribute with attribution to NASA POWER",
    }
    return write_atomically(dataset, path)


def _point(
    lat: float, lon: float, start: str, end: str, base_url: str, retries: int, timeout: float,
    pause: float, cache: str | Path | None,
) -> dict[str, Any]:
    """The service's answer for one point, from the cache when it is there."""
    query = urllib.parse.urlencode({
        "parameters": ",".join(PARAMETERS), "community": "AG", "latitude": f"{lat:g}",
        "longitude": f"{lon:g}", "start": start.replace("-", ""), "end": end.replace("-", ""),
        "format": "JSON", "time-standard": "LST",
    })
    kept = Path(cache) / f"nasa_power_{lat:g}_{lon:g}_{start}_{end}.json" if cache else None
    if kept is not None and kept.exists():
        return dict(json.loads(kept.read_text()))
    text = _download(f"{base_url}?{query}", f"point lat {lat:g} lon {lon:g}", retries, timeout,
                     pause)
    answer = json.loads(text)
    if kept is not None:
        kept.parent.mkdir(parents=True, exist_ok=True)
        part = kept.with_suffix(f".{os.getpid()}.part")
        part.write_text(text)
        os.replace(part, kept)
    return dict(answer)


def _download(url: str, where: str, retries: int, timeout: float, pause: float) -> str:
    """Text of an address, with further attempts."""
    for attempt in range(retries + 1):
        try:
            with urllib.request.urlopen(url, timeout=timeout) as response:
                return str(response.read().decode("utf-8"))
        except urllib.error.HTTPError as error:
            reason, final = f"HTTP {error.code}: {error.read()[:200]!r}", (
                error.code not in _TRY_AGAIN)
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            reason, final = str(error), False
        if final or attempt == retries:
            problem = Problem(f"NASA POWER, {where}", reason, "weather",
                              "check dates, position and connection, or try later")
            raise InputError([problem], "download")
        log.warning("NASA POWER, %s: %s; trying again", where, reason)
        time.sleep(pause * 2.0**attempt)
    raise AssertionError("unreachable")


def _dataset(answer: dict[str, Any], lat: float, lon: float) -> xr.Dataset:
    """Dataset of one point from the service's answer."""
    try:
        series = answer["properties"]["parameter"]
        fill = float(answer.get("header", {}).get("fill_value", -999.0))
        place = answer.get("geometry", {}).get("coordinates", [lon, lat, 0.0])
        days = pd.to_datetime(list(series["T2M_MIN"]), format="%Y%m%d")
    except (KeyError, TypeError) as error:
        messages = answer.get("messages") or answer.get("message") or list(answer)
        problem = Problem(f"NASA POWER, lat {lat:g} lon {lon:g}", f"no weather: {messages}",
                          "properties.parameter", "check the request")
        raise InputError([problem], "download") from error
    out = xr.Dataset(coords={"time": days, "lat": float(lat), "lon": float(lon),
                             "elevation": float(place[2]) if len(place) > 2 else 0.0})
    for theirs, (ours, long_name) in PARAMETERS.items():
        if theirs not in series:
            continue
        values = np.array([float(v) for v in series[theirs].values()], dtype=np.float32)
        units = str(answer.get("parameters", {}).get(theirs, {}).get("units", ""))
        out[ours] = ("time", np.where(values == fill, np.nan, values),
                     {"units": _UNITS.get(units, units), "long_name": long_name,
                      "original_name": theirs})
    out["lat"].attrs = {"units": "degrees_north", "standard_name": "latitude"}
    out["lon"].attrs = {"units": "degrees_east", "standard_name": "longitude"}
    out["elevation"].attrs = {"units": "m", "standard_name": "surface_altitude"}
    return out
