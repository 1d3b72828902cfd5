"""Downloads, against a server of this machine."""

from __future__ import annotations

import json
import threading
import urllib.parse
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import numpy as np
import pandas as pd
import pytest

from neuralcrop.data.errors import InputError
from neuralcrop.data.forcing import open_forcing
from neuralcrop.data.sources import fetch

UNITS = {"T2M_MIN": "C", "T2M_MAX": "C", "T2M": "C", "ALLSKY_SFC_SW_DWN": "MJ/m^2/day",
         "ALLSKY_SFC_LW_DWN": "W/m^2", "PRECTOTCORR": "mm/day", "QV2M": "g/kg", "WS10M": "m/s",
         "PS": "kPa"}
VALUES = {"T2M_MIN": 5.0, "T2M_MAX": 15.0, "T2M": 10.0, "ALLSKY_SFC_SW_DWN": 15.0,
          "ALLSKY_SFC_LW_DWN": 300.0, "PRECTOTCORR": 2.0, "QV2M": 6.0, "WS10M": 3.0, "PS": 98.0}


class Power(BaseHTTPRequestHandler):
    """Answers as NASA POWER does; fails as often as the server is told."""

    def do_GET(self) -> None:
        server = self.server
        server.requests += 1
        query = dict(urllib.parse.parse_qsl(urllib.parse.urlparse(self.path).query))
        if server.failures > 0:
            server.failures -= 1
            self.send_error(server.status)
            return
        days = pd.date_range(query["start"], query["end"]).strftime("%Y%m%d")
        parameter = {p: dict.fromkeys(days, VALUES[p]) for p in query["parameters"].split(",")}
        parameter["T2M"][days[1]] = -999.0
        answer = {
            "geometry": {"coordinates": [
                float(query["longitude"]), float(query["latitude"]), 88.0]},
            "properties": {"parameter": parameter}, "header": {"fill_value": -999.0},
            "parameters": {p: {"units": u, "longname": p} for p, u in UNITS.items()},
        }
        body = json.dumps(answer if not server.empty else {"messages": ["no data"]}).encode()
        self.send_response(200)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Keep the test quiet."""


@pytest.fixture
def power() -> Iterator[HTTPServer]:
    server = HTTPServer(("127.0.0.1", 0), Power)
    server.failures, server.requests, server.status, server.empty = 0, 0, 503, False
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


def get(power: HTTPServer, path, **options):
    return fetch("nasa_power", path, **{
        "points": [(52.0, 5.5), (40.0, -90.0)], "start": "2020-01-01", "end": "2020-03-31",
        "base_url": f"http://127.0.0.1:{power.server_port}/daily", "pause": 0.01, **options})


def test_download_is_read_by_the_door(power, tmp_path) -> None:
    path = get(power, tmp_path / "power.nc")
    prepared = open_forcing(path)
    assert prepared.sizes == {"time": 91, "point": 2}
    np.testing.assert_allclose(prepared.rsds, 15.0 / 0.0864, rtol=1e-6)
    np.testing.assert_allclose(prepared.lat, [52.0, 40.0])
    np.testing.assert_allclose(prepared.elevation, 88.0)
    np.testing.assert_allclose(prepared.tas, 10.0, rtol=1e-6)  # the fill value was filled
    assert "tas: 2 missing values filled" in prepared.attrs["neuralcrop_notes"]


def test_passing_failures_are_tried_again(power, tmp_path) -> None:
    power.failures = 2
    get(power, tmp_path / "power.nc")
    assert power.requests == 4


def test_lasting_failures_end_with_a_message_and_no_file(power, tmp_path) -> None:
    power.failures = 99
    with pytest.raises(InputError, match=r"NASA POWER, point lat 52 lon 5.5: HTTP 503"):
        get(power, tmp_path / "power.nc", retries=1)
    power.status = 422
    power.requests = 0
    with pytest.raises(InputError, match="HTTP 422"):
        get(power, tmp_path / "power.nc")
    assert power.requests == 1  # asking again would not help
    assert list(tmp_path.iterdir()) == []


def test_answers_are_kept(power, tmp_path) -> None:
    get(power, tmp_path / "a.nc", cache=tmp_path / "cache")
    get(power, tmp_path / "b.nc", cache=tmp_path / "cache")
    assert power.requests == 2


def test_answer_without_weather(power, tmp_path) -> None:
    power.empty = True
    with pytest.raises(InputError, match="no weather"):
        get(power, tmp_path / "power.nc")


def test_no_connection(tmp_path) -> None:
    with pytest.raises(InputError, match="check dates, position and connection"):
        fetch("nasa_power", tmp_path / "x.nc", points=[(1.0, 2.0)], start="2020-01-01",
              end="2020-01-02", base_url="http://127.0.0.1:9/none", retries=1, pause=0.0)


def test_unknown_source(tmp_path) -> None:
    with pytest.raises(ValueError, match="did you mean 'nasa_power'"):
        fetch("nasa_powr", tmp_path / "x.nc")
