"""Downloads: public data sources by name.

Files are written complete or not at all; nothing in the package reaches the network on its own.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from neuralcrop.data.errors import nearest

SOURCES = ("nasa_power",)
"""Known sources."""


def fetch(source: str, path: str | Path, **options: Any) -> Path:
    """Download from a public source into a NetCDF file that `open_forcing` reads.

    Parameters
    ----------
    source : str
        One of `SOURCES`.
    path : str or Path
        Target file.
    **options
        Of the source, e.g. `nasa_power.fetch`.

    Raises
    ------
    ValueError
        If the source is not known.
    """
    if source == "nasa_power":
        from neuralcrop.data.sources import nasa_power

        return nasa_power.fetch(path, **options)
    raise ValueError(f"no data source '{source}'; {nearest(source, SOURCES)}")
