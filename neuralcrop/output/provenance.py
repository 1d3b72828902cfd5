"""Where a result comes from: global attributes of every dataset that is written."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import neuralcrop

CONVENTIONS = "CF-1.11"
"""Version of the CF Conventions that datasets follow."""

_PACKAGES = ("torch", "torchdiffeq", "numpy", "xarray")


def provenance(
    config: Any = None, table_fingerprint: str | None = None, *, model: str | None = None,
    title: str | None = None, **extra: str | None,
) -> dict[str, str]:
    """Global attributes: all that is needed to make the result again.

    Everything but ``date_created`` depends on the inputs alone; the environment variable
    ``SOURCE_DATE_EPOCH`` fixes that, too.

    Parameters
    ----------
    config : mapping or pydantic model, optional
        Configuration of the run, kept as JSON.
    table_fingerprint : str, optional
        Hash of the parameter table (`ParameterTable.fingerprint`).
    model : str, optional
        "physics", or the run directory of a trained model.
    title : str, optional
        What the dataset holds.
    **extra : str or None
        Further attributes; None leaves one out.

    Returns
    -------
    dict of str to str
        Attributes, in a fixed order.
    """
    attrs: dict[str, str | None] = {
        "Conventions": CONVENTIONS,
        "title": title,
        "source": f"neuralcrop {neuralcrop.__version__}",
        "software": ", ".join(f"{p} {_version(p)}" for p in _PACKAGES),
        "date_created": _now().strftime("%Y-%m-%dT%H:%M:%SZ"),
        "model": model,
        "parameter_table": table_fingerprint,
        "configuration": None if config is None else _json(config),
        **extra,
    }
    return {key: value for key, value in attrs.items() if value is not None}


def _now() -> datetime:
    epoch = os.environ.get("SOURCE_DATE_EPOCH")
    return datetime.now(UTC) if epoch is None else datetime.fromtimestamp(int(epoch), UTC)


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "unknown"


def _json(config: Any) -> str:
    values: Any = config.model_dump(mode="json") if hasattr(config, "model_dump") else config
    if isinstance(values, Mapping):
        values = dict(values)
    return json.dumps(values, sort_keys=True, default=str)
