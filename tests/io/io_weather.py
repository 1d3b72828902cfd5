"""Weather as a user may have it, made up and valid, for the tests of the door."""

from __future__ import annotations

import numpy as np
import xarray as xr


def weather(
    n_days: int = 730, lat: tuple[float, ...] = (45.0, 10.0), start: str = "2001-01-01",
    calendar: str = "standard", dim: str = "site",
) -> xr.Dataset:
    """Daily weather of sites with ISIMIP names in degC, mm d-1, W m-2, %, m s-1."""
    time = xr.date_range(start, periods=n_days, calendar=calendar, use_cftime=None)
    n = len(lat)
    rng = np.random.default_rng(1)
    season = np.cos(2 * np.pi * (np.arange(n_days) - 200) / 365.25)[:, None]
    tasmin = (5.0 + 10.0 * season + rng.normal(0, 2, (n_days, n))).astype("float32")
    wet = rng.random((n_days, n)) < 0.3
    values = {
        "tasmin": (tasmin, "degC"), "tasmax": (tasmin + 9.0, "degC"),
        "rsds": (180.0 + 80.0 * season + 0.0 * tasmin, "W m-2"),
        "pr": (np.where(wet, rng.exponential(7.0, (n_days, n)), 0.0), "mm d-1"),
        "hurs": (np.full((n_days, n), 65.0), "%"),
        "sfcwind": (np.full((n_days, n), 3.0), "m s-1"),
    }
    return xr.Dataset(
        {k: (("time", dim), v.astype("float32"), {"units": u}) for k, (v, u) in values.items()},
        coords={"time": time, "lat": (dim, list(lat)), "lon": (dim, [5.0 + k for k in range(n)]),
                "elevation": (dim, [100.0] * n, {"units": "m"})},
    )


def grid(n_days: int = 40) -> xr.Dataset:
    """The same on a 3 x 4 grid with one cell of sea."""
    flat = weather(n_days, lat=tuple(np.linspace(50, 39, 12)))
    out = xr.Dataset(coords={"time": flat.time, "lat": [50.0, 48.0, 46.0],
                             "lon": [0.0, 2.0, 4.0, 6.0]})
    for name, v in flat.data_vars.items():
        values = v.values.reshape(n_days, 3, 4).copy()
        values[:, 1, 2] = np.nan
        out[name] = (("time", "lat", "lon"), values, v.attrs)
    return out


def with_values(dataset: xr.Dataset, name: str, values: np.ndarray) -> xr.Dataset:
    """A copy with other values of one variable."""
    return dataset.assign({name: dataset[name].copy(data=values.astype("float32"))})
