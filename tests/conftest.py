"""Fixtures of all tests."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
import torch

# tests run side by side: more threads than one each would only wait for one another
torch.set_num_threads(1)

REPOSITORY = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="session")
def repository() -> Path:
    """Root of the checkout."""
    return REPOSITORY


@pytest.fixture(scope="session")
def shared() -> Path:
    """Directory of real data beside the checkout, or $NEURALCROP_SHARED; not part of it."""
    path = Path(os.environ.get("NEURALCROP_SHARED", REPOSITORY.parent / "shared"))
    if not (path / "data").is_dir():
        # the data are not ours to redistribute, so a plain clone does not have them
        pytest.skip(f"no real data at {path}; set NEURALCROP_SHARED to the directory holding data/")
    return path
