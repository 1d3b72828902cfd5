"""Datasets after CF, files that are whole or not there, maps."""

from __future__ import annotations

import errno
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from neuralcrop.core.variables import HARVEST_REASONS, REGISTRY
from neuralcrop.data.demo import make_demo_forcing, suitable_cells
from neuralcrop.data.forcing import prepare_forcing
from neuralcrop.data.tensors import CellIndex, cell_index
from neuralcrop.output.dataset import daily_dataset, monthly_mean, season_dataset
from neuralcrop.output.maps import draw_map
from neuralcrop.output.provenance import provenance
from neuralcrop.output.write import StreamWriter, atomic_path, check_writable, write_dataset

FORMATS = ["netcdf", "zarr"]


@pytest.fixture(scope="module")
def forcing() -> xr.Dataset:
    return prepare_forcing(make_demo_forcing([2000], suitable_cells(4)))


@pytest.fixture(scope="module")
def cells(forcing: xr.Dataset) -> CellIndex:
    return cell_index(forcing)


@pytest.fixture
def daily(forcing: xr.Dataset, cells: CellIndex) -> xr.Dataset:
    random, n = np.random.default_rng(1), forcing.sizes["time"]
    values = {"soil_water": random.random((n, 5, 4)), "lai": random.random((n, 4)),
              "leaf_loss": random.random((n, 8, 4))}
    return daily_dataset(values, forcing["time"], cells, {"title": "test"})


def read(path: Path, format: str) -> xr.Dataset:
    with xr.open_dataset(path, engine="zarr" if format == "zarr" else "netcdf4") as dataset:
        out = dataset.load()
    return out.set_coords([v for v in out.data_vars if str(v).endswith("_bounds")])


def single(dataset: xr.Dataset) -> xr.Dataset:
    return dataset.astype("float32")


# --- datasets ------------------------------------------------------------------------------------


def test_seasons_carry_attributes_and_flags(cells: CellIndex) -> None:
    records = {"yield": np.array([[1.0, 2, 3, 4], [5, np.nan, 7, 8]]),
               "harvest_reason": np.array([[1.0, 2, 3, 1], [1, np.nan, 1, 1]])}
    out = season_dataset(records, cells, provenance())
    assert out["yield"].dims == ("season", "cell")
    assert out["yield"].attrs == REGISTRY["yield"].attributes()
    reason = out["harvest_reason"]
    assert reason.dtype == np.int8
    assert reason.values[1, 1] == HARVEST_REASONS.index("none")
    assert reason.attrs["flag_meanings"].split() == list(HARVEST_REASONS)
    assert len(reason.attrs["flag_values"]) == len(HARVEST_REASONS)
    assert out["season"].values.tolist() == [1, 2]
    assert out["lat"].attrs["units"] == "degrees_north"


def test_coordinates_of_the_user_are_kept_and_not_changed(cells: CellIndex) -> None:
    before = {k: dict(c.attrs) for k, c in cells.coords.items()}
    out = season_dataset({"yield": np.ones((1, 4))}, cells)
    for name, coordinate in cells.coords.items():
        np.testing.assert_array_equal(out[name], coordinate)
        assert dict(coordinate.attrs) == before[name]


def test_masked_places_are_missing() -> None:
    weather = make_demo_forcing([2001], suitable_cells(4)).assign_coords(cell=[3, 2, 1, 0])
    weather = weather.where(weather["cell"] != 2)
    out = season_dataset({"yield": np.ones((1, 3)), "harvest_reason": np.ones((1, 3))},
                         cell_index(prepare_forcing(weather)))
    np.testing.assert_array_equal(out["yield"][0], [1, np.nan, 1, 1])
    np.testing.assert_array_equal(out["harvest_reason"][0], [1, 0, 1, 1])


def test_daily_vectors_have_named_dimensions(daily: xr.Dataset) -> None:
    assert daily["soil_water"].dims == ("time", "layer", "cell")
    assert daily["leaf_loss"].dims == ("time", "leaf_class", "cell")
    bounds = daily[daily["depth"].attrs["bounds"]]
    np.testing.assert_allclose(bounds[:, 1], [0.2, 0.5, 1.0, 2.0, 3.0])
    np.testing.assert_allclose(bounds.mean("bounds"), daily["depth"])
    assert daily["leaf_loss"].attrs["cell_methods"] == "time: mean"
    assert daily["lai"].attrs["cell_methods"] == "time: point"


@pytest.mark.parametrize("calendar", ["standard", "noleap", "360_day"])
def test_monthly_means_in_every_calendar(daily: xr.Dataset, calendar: str) -> None:
    time = xr.date_range("2000-01-11", periods=80, calendar=calendar)
    part = daily.isel(time=slice(80)).assign_coords(time=time)
    out = monthly_mean(part)
    expected = part["lai"].groupby("time.month").mean()
    np.testing.assert_allclose(out["lai"], expected)
    assert out["time"].values[0] == time[0]
    days = np.diff(out["time_bounds"].values, axis=1)[:, 0]
    assert days.sum() == 80 * days[0] / days.astype("timedelta64[D]").astype(int)[0]


def test_provenance_is_the_same_for_the_same_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    attrs = provenance({"b": 1, "a": Path("x")}, "abc", model=None, note="n")
    assert attrs == provenance({"a": Path("x"), "b": 1}, "abc", note="n")
    assert attrs["date_created"] == "1970-01-01T00:00:00Z"
    assert json.loads(attrs["configuration"]) == {"a": "x", "b": 1}
    assert attrs["parameter_table"] == "abc"
    assert "model" not in attrs


# --- files ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_written_is_read(daily: xr.Dataset, tmp_path: Path, format: str) -> None:
    daily["lai"].values[5, 2] = np.nan
    path = tmp_path / "new" / "folder" / "a.out"
    for _ in range(2):  # the second replaces the first
        write_dataset(monthly_mean(daily), path, format, "float64")
    xr.testing.assert_allclose(read(path, format), monthly_mean(daily), rtol=1e-12)
    assert [p.name for p in path.parent.iterdir()] == ["a.out"]


def test_file_is_compressed_with_isimip_fill(daily: xr.Dataset, tmp_path: Path) -> None:
    out = read(write_dataset(daily, tmp_path / "a.nc"), "netcdf")
    encoding = out["lai"].encoding
    assert encoding["dtype"] == np.float32
    assert encoding["zlib"]
    assert encoding["_FillValue"] == np.float32(1e20)
    assert "_FillValue" not in out["lat"].encoding
    assert out["time"].encoding["units"] == "days since 2000-01-01"


@pytest.mark.parametrize("format", FORMATS)
def test_stream_equals_whole(daily: xr.Dataset, tmp_path: Path, format: str) -> None:
    path = tmp_path / "stream"
    with StreamWriter(path, format) as writer:
        for start in range(0, daily.sizes["time"], 50):
            writer.append(daily.isel(time=slice(start, start + 50)))
            assert not path.exists()
    xr.testing.assert_allclose(read(path, format), single(daily), rtol=1e-6)
    assert [p.name for p in tmp_path.iterdir()] == ["stream"]


def test_stream_in_another_calendar(daily: xr.Dataset, tmp_path: Path) -> None:
    days = daily.assign_coords(
        time=xr.date_range("2000-01-01", periods=daily.sizes["time"], calendar="noleap"))
    with StreamWriter(tmp_path / "a.nc") as writer:
        writer.append(days.isel(time=slice(200)))
        writer.append(days.isel(time=slice(200, None)))
    np.testing.assert_array_equal(read(tmp_path / "a.nc", "netcdf")["time"], days["time"])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("error", [KeyboardInterrupt, RuntimeError("bug")])
def test_interrupt_leaves_nothing(
    daily: xr.Dataset, tmp_path: Path, format: str, error: BaseException
) -> None:
    def interrupted() -> None:
        with StreamWriter(tmp_path / "a", format) as writer:
            writer.append(daily)
            raise error

    with pytest.raises(type(error) if isinstance(error, Exception) else error):
        interrupted()
    assert not list(tmp_path.iterdir())


def test_failure_keeps_the_old_file(
    daily: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_dataset(daily, tmp_path / "a.nc")
    before = path.read_bytes()

    def full(self: xr.Dataset, part: Path, **_: object) -> None:
        part.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(xr.Dataset, "to_netcdf", full)
    with pytest.raises(OSError, match=r"a\.nc: cannot be written, the disk is full: it needs up "
                                      r"to 8\d\.\d kB, .* free; free some space, or write else"):
        write_dataset(daily, path)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.nc"]


_TOO_LARGE = """
import resource, sys
import numpy as np, xarray as xr
from neuralcrop.output.write import write_dataset
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
values = np.random.default_rng(1).random((200, 1000))
try:
    write_dataset(xr.Dataset({"lai": (("time", "cell"), values)}), sys.argv[1], sys.argv[2])
except OSError as error:
    print(error)
"""


@pytest.mark.parametrize("format", FORMATS)
def test_refused_write_is_one_clear_error(tmp_path: Path, format: str) -> None:
    """The system itself refuses, in the middle of the file."""
    run = subprocess.run(
        [sys.executable, "-c", _TOO_LARGE, str(tmp_path / "a"), format],
        capture_output=True, text=True, check=True)
    assert f"{tmp_path / 'a'}: cannot be written" in run.stdout
    assert "or write elsewhere" in run.stdout
    assert not list(tmp_path.iterdir())


def test_place_that_cannot_be_written(daily: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="cannot be written"):
        write_dataset(daily, tmp_path / "file" / "a.nc")
    with pytest.raises(OSError, match="cannot be written"):
        check_writable(tmp_path / "file")
    check_writable(tmp_path / "new")
    assert not list((tmp_path / "new").iterdir())


def test_directory_is_not_overwritten(daily: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "precious").write_text("")
    with pytest.raises(OSError, match="is a directory"):
        write_dataset(daily, tmp_path)
    assert (tmp_path / "precious").exists()


def test_other_errors_stay_what_they_are(tmp_path: Path) -> None:
    with pytest.raises(RuntimeError, match="a bug"), atomic_path(tmp_path / "a"):
        raise RuntimeError("a bug")


@pytest.mark.parametrize(("key", "value"), [("format", "hdf4"), ("dtype", "int8")])
def test_unknown_choices(daily: xr.Dataset, tmp_path: Path, key: str, value: str) -> None:
    with pytest.raises(ValueError, match=f"{key} is '{value}', expected"):
        write_dataset(daily, tmp_path / "a", **{key: value})
    assert not list(tmp_path.iterdir())


# --- maps ----------------------------------------------------------------------------------------


@pytest.fixture
def grid() -> xr.DataArray:
    lat, lon = np.arange(59.0, -60.0, -2.0), np.arange(-179.0, 180.0, 2.0)
    values = np.add.outer(np.sin(lat / 20.0), np.cos(lon / 30.0))
    out = xr.DataArray(values, coords={"lat": lat, "lon": lon}, dims=("lat", "lon"))
    return out.where(out > -0.5)


@pytest.mark.parametrize("diverging", [False, True])
def test_map_does_not_depend_on_the_order_of_the_grid(
    grid: xr.DataArray, tmp_path: Path, diverging: bool
) -> None:
    other = grid.assign_coords(lon=grid["lon"] % 360.0).sortby(["lat", "lon"]).T
    draw_map(grid, tmp_path / "a.png", "title", "t ha-1", diverging)
    draw_map(other, tmp_path / "b.png", "title", "t ha-1", diverging)
    image = (tmp_path / "a.png").read_bytes()
    assert image.startswith(b"\x89PNG")
    assert image == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("n", [1, 4])
def test_map_of_points(cells: CellIndex, tmp_path: Path, n: int) -> None:
    values = season_dataset({"yield": np.array([[1.0, 2.0, np.nan, 4.0]])}, cells)["yield"][0, :n]
    draw_map(values, tmp_path / "a.png", "two\nlines", "t ha-1", limits=(0.0, 3.0))
    assert [p.name for p in tmp_path.iterdir()] == ["a.png"]


def test_map_without_places_or_values(grid: xr.DataArray, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="needs the coordinate lon"):
        draw_map(grid.drop_vars("lon"), tmp_path / "a.png", "t", "1")
    with pytest.raises(ValueError, match="no value"):
        draw_map(grid.where(False), tmp_path / "a.png", "t", "1")
    assert not list(tmp_path.iterdir())
