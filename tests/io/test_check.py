"""``neuralcrop data check``: all problems of a file, told by what the file holds."""

from __future__ import annotations

import numpy as np
import xarray as xr
from io_weather import weather
from test_yields import yields_file

from neuralcrop.data.check import check_file, check_files, kind_of
from neuralcrop.data.demo import make_demo_soil, suitable_cells


def test_kinds() -> None:
    assert kind_of(weather(20)) == "forcing"
    assert kind_of(yields_file()) == "yields"
    assert kind_of(make_demo_soil(suitable_cells(3))) == "soil"


def test_good_files(tmp_path) -> None:
    weather(400).to_netcdf(tmp_path / "weather.nc")
    weather(400, start="2080-01-01").to_netcdf(tmp_path / "scenario.nc")
    yields_file().to_netcdf(tmp_path / "yields.nc")
    make_demo_soil().to_netcdf(tmp_path / "soil.nc")
    assert check_files(sorted(tmp_path.glob("*.nc"))) == []


def test_bad_weather(tmp_path) -> None:
    dataset = weather(400).drop_vars("lat")
    dataset["tasmin"].attrs["units"] = "K"
    dataset["pr"] = dataset.pr.drop_attrs()
    dataset.to_netcdf(tmp_path / "weather.nc")
    text = "\n".join(map(str, check_file(tmp_path / "weather.nc")))
    assert "coordinate lat" in text
    assert "variable pr: no units" in text


def test_bad_yields(tmp_path) -> None:
    file = yields_file()
    file["sand"] = ("site", [90.0, 30.0], {"units": "%"})
    file["tasmin"] = (file.tasmin + 40.0).assign_attrs(file.tasmin.attrs)
    file.to_netcdf(tmp_path / "yields.nc")
    text = "\n".join(map(str, check_file(tmp_path / "yields.nc")))
    assert "sand + clay" in text
    assert "tasmin and tasmax" in text


def test_bad_soil(tmp_path) -> None:
    soil = xr.Dataset({"sand": (("lat", "lon"), np.full((2, 2), 80.0), {"units": "%"}),
                       "clay": (("lat", "lon"), np.full((2, 2), 40.0), {"units": "%"})},
                      coords={"lat": [1.0, 2.0], "lon": [3.0, 4.0]})
    soil.to_netcdf(tmp_path / "soil.nc")
    (problem,) = check_file(tmp_path / "soil.nc")
    assert "sand + clay" in str(problem)


def test_no_file(tmp_path) -> None:
    (problem,) = check_file(tmp_path / "none.nc")
    assert "cannot be opened" in str(problem)
