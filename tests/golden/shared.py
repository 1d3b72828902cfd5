"""Find the numbers of reference software that are kept beside the repository."""

import csv
import os
from pathlib import Path

import pytest
import torch

_BESIDE = Path(__file__).resolve().parents[3] / "shared"


def shared_file(*parts: str) -> Path:
    """Path under the shared folder (NEURALCROP_SHARED, or ../shared); skips where it is absent."""
    path = Path(os.environ.get("NEURALCROP_SHARED", _BESIDE)).joinpath(*parts)
    if not path.exists():
        # the data are not ours to redistribute; the analytic tests of the kernels need none
        pytest.skip(f"golden data not found: {path} (set NEURALCROP_SHARED)")
    return path


def columns(*parts: str) -> dict[str, torch.Tensor]:
    """Numeric columns of a CSV of the shared folder, in float64."""
    with shared_file(*parts).open(newline="") as file:
        rows = list(csv.DictReader(file))
    numeric = {}
    for name in rows[0]:
        try:
            values = [float(row[name]) for row in rows]
        except ValueError:
            continue
        numeric[name] = torch.tensor(values, dtype=torch.float64)
    return numeric
