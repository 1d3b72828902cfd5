"""Ctrl-C while simulating and writing: one line, exit status 130, nothing half-written."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from neuralcrop.data.demo import make_demo_forcing, suitable_cells


@pytest.mark.slow
def test_interrupted_simulation_leaves_nothing(tmp_path: Path) -> None:
    weather = tmp_path / "weather.nc"
    make_demo_forcing(range(2001, 2011), suitable_cells(2)).to_netcdf(weather)
    out = tmp_path / "out"
    out.mkdir()
    process = subprocess.Popen(
        [sys.executable, "-m", "neuralcrop", "simulate", "forcing=file", f"forcing.path={weather}",
         "crop=maize", "output.frequency=daily", f"output.path={out / 'daily.nc'}",
         f"hydra.run.dir={tmp_path / 'run'}", "compute.compile=false"],
        stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 120.0
    while not any(out.iterdir()) and time.monotonic() < deadline and process.poll() is None:
        time.sleep(0.1)
    assert process.poll() is None, process.communicate()[1]
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Traceback" not in errors
    assert "interrupted" in errors.lower()
    assert not list(out.iterdir())
