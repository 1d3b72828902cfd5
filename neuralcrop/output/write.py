"""Writing files: complete under their name, or not there at all."""

from __future__ import annotations

import errno
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import netCDF4
import numpy as np
import xarray as xr

Format = Literal["netcdf", "zarr"]

FILL = 1e20
"""Missing value of floating-point variables, as ISIMIP has it."""

_CHUNK_VALUES = 2**18
"""Values in a chunk of a file that grows along time: 1 MiB in single precision."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_FULL_BELOW = 2**20
"""Free bytes below which a refused write is put down to the full disk."""

_LIBRARY_FAILURES = ("NetCDF:", "HDF error")
"""What netCDF4 says, in a RuntimeError, when the system refuses a write."""


def write_dataset(
    dataset: xr.Dataset, path: str | Path, format: Format = "netcdf", dtype: str = "float32"
) -> Path:
    """Write a dataset, complete or not at all.

    Parameters
    ----------
    dataset : xarray.Dataset
        What to write.
    path : str or Path
        File, or directory of a zarr store; its parents are made. What is there is replaced.
    format : {"netcdf", "zarr"}
        NetCDF-4, or zarr.
    dtype : {"float32", "float64"}
        Precision of floating-point variables; coordinates keep theirs.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    ValueError
        If the format or the precision is unknown.
    OSError
        If it cannot be written; nothing is left behind.
    """
    dataset = _for_file(dataset)
    encoding = _encoding(dataset, dtype)
    with atomic_path(path, lambda: f"up to {_bytes(_size(dataset, dtype))}") as part:
        _write(dataset, part, format, encoding)
    return Path(path)


class StreamWriter:
    """File that grows along time, so that memory does not depend on the length of the run.

    A context manager: the file gets its name when the block ends well, and vanishes otherwise.

    Parameters
    ----------
    path : str or Path
        File, or directory of a zarr store.
    format : {"netcdf", "zarr"}
        NetCDF-4 with unlimited time, or zarr.
    dtype : {"float32", "float64"}
        Precision of floating-point variables.

    Raises
    ------
    OSError
        If it cannot be written; nothing is left behind.
    """

    def __init__(
        self, path: str | Path, format: Format = "netcdf", dtype: str = "float32"
    ) -> None:
        self.path, self.format, self.dtype = Path(path), format, dtype
        self._n_days = 0
        self._size = 0
        self._encoding: dict[str, dict[str, Any]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> StreamWriter:
        """Start under a temporary name."""
        self._part = self._stack.enter_context(
            atomic_path(self.path, lambda: f"up to {_bytes(self._size)} so far"))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None,
        trace: TracebackType | None,
    ) -> bool | None:
        """Give the file its name, or remove what there is."""
        return self._stack.__exit__(kind, error, trace)

    def append(self, dataset: xr.Dataset) -> None:
        """Add days that follow those written.

        Parameters
        ----------
        dataset : xarray.Dataset
            With ``time``; the same variables and places in every call.
        """
        dataset = _for_file(dataset)
        self._size += _size(dataset, self.dtype)
        if self._n_days == 0:
            self._encoding = _encoding(dataset, self.dtype, growing=True)
            _write(dataset, self._part, self.format, self._encoding, growing=True)
        elif self.format == "zarr":
            dataset.drop_vars(
                [v for v in dataset.variables if "time" not in dataset[v].dims]
            ).to_zarr(self._part, append_dim="time", zarr_format=2, consolidated=True)
        else:
            self._append_netcdf(dataset)
        self._n_days += dataset.sizes["time"]

    def _append_netcdf(self, dataset: xr.Dataset) -> None:
        with netCDF4.Dataset(self._part, "a") as file:
            file.set_auto_maskandscale(False)
            for name, variable in dataset.variables.items():
                if "time" not in variable.dims:
                    continue
                variable = variable.copy(deep=False)
                variable.encoding = dict(self._encoding.get(str(name), {}))
                encoded = xr.conventions.encode_cf_variable(variable, name=name)
                at = tuple(slice(self._n_days, None) if d == "time" else slice(None)
                           for d in encoded.dims)
                file[str(name)][at] = encoded.values


@contextmanager
def atomic_path(path: str | Path, needed: Callable[[], str] | None = None) -> Iterator[Path]:
    """Temporary path beside a target, which takes the target's name when the block ends well.

    Parameters
    ----------
    path : str or Path
        Target; its directory is made.
    needed : callable, optional
        Says how much room the target takes, for the message when there is none.

    Yields
    ------
    Path
        Where to write, a file or a directory.

    Raises
    ------
    OSError
        If it cannot be written, saying why and what to do. Whatever ends the block, an interrupt
        too, nothing is left under either name.
    """
    path = Path(path)
    if path.is_dir() and not _is_store(path):
        raise OSError(f"{path}: is a directory; expected the name of a file or a zarr store")
    part = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield part
        _sync(part)
        _rename(part, path)
    except (OSError, RuntimeError) as error:
        explained = _explain(error, path, needed)
        if explained is None:
            raise
        raise explained from None
    finally:
        _remove(part)


def check_writable(directory: str | Path) -> None:
    """Try to write in a directory, before a long run rather than after it.

    Raises
    ------
    OSError
        If that fails.
    """
    with atomic_path(Path(directory) / "writable") as part:
        part.write_bytes(b"1")
    (Path(directory) / "writable").unlink()


def _write(
    dataset: xr.Dataset, part: Path, format: Format, encoding: dict[str, dict[str, Any]],
    growing: bool = False,
) -> None:
    if format == "zarr":
        known = ("dtype", "_FillValue", "units", "calendar", "chunks")
        encoding = {n: {k: v for k, v in e.items() if k in known} for n, e in encoding.items()}
        dataset.to_zarr(part, mode="w", encoding=encoding, zarr_format=2, consolidated=True)
    elif format == "netcdf":
        encoding = {n: {k: v for k, v in e.items() if k != "chunks"} for n, e in encoding.items()}
        dataset.to_netcdf(part, format="NETCDF4", engine="netcdf4", encoding=encoding,
                          unlimited_dims=["time"] if growing else None)
    else:
        raise ValueError(f"format is {format!r}, expected netcdf or zarr")


def _for_file(dataset: xr.Dataset) -> xr.Dataset:
    """Bounds as plain variables, as CF has them, and no encoding from the input's files."""
    bounds = [v for v in dataset.coords if str(v).endswith("_bounds")]
    return dataset.reset_coords(bounds).drop_encoding()


def _encoding(
    dataset: xr.Dataset, dtype: str, growing: bool = False
) -> dict[str, dict[str, Any]]:
    if dtype not in ("float32", "float64"):
        raise ValueError(f"dtype is {dtype!r}, expected float32 or float64")
    out: dict[str, dict[str, Any]] = {}
    for key, variable in dataset.variables.items():
        name, kind = str(key), variable.dtype.kind
        code: dict[str, Any] = {}
        if kind == "f":
            place = key in dataset.coords or name.endswith("_bounds")
            own = str(variable.dtype) if place else dtype
            fills = not place or bool(np.isnan(variable.values).any())
            code = {"dtype": own, "_FillValue": np.dtype(own).type(FILL) if fills else None}
        if kind in "fiu" and variable.ndim and name not in dataset.dims:
            code |= {"zlib": True, "complevel": 4}
        if growing and "time" in variable.dims:
            chunks = _chunks(dict(zip(variable.dims, variable.shape, strict=True)))
            code |= {"chunksizes": chunks, "chunks": chunks}
        out[name] = code
    if "time" in dataset.coords and _is_date(dataset["time"]):
        first = str(dataset["time"].dt.strftime("%Y-%m-%d").values[0])
        clock = {"units": f"days since {first}", "calendar": dataset["time"].dt.calendar,
                 "dtype": "int32"}
        for name in ("time", "time_bounds"):
            if name in out:
                out[name] |= clock
    return out


def _is_date(time: xr.DataArray) -> bool:
    return time.size > 0 and (time.dtype.kind == "M" or hasattr(time.values.flat[0], "calendar"))


def _chunks(sizes: dict[Any, int]) -> tuple[int, ...]:
    """All places of as many days as fit."""
    others = int(np.prod([n for d, n in sizes.items() if d != "time"], dtype=int))
    days = int(np.clip(_CHUNK_VALUES // max(others, 1), 1, 366))
    return tuple(days if d == "time" else n for d, n in sizes.items())


def _size(dataset: xr.Dataset, dtype: str) -> int:
    """Bytes without compression."""
    width = np.dtype(dtype).itemsize
    return sum(v.size * (width if v.dtype.kind == "f" else v.dtype.itemsize)
               for v in dataset.variables.values())


# --- the disk ------------------------------------------------------------------------------------


def _is_store(path: Path) -> bool:
    return any((path / name).exists() for name in ("zarr.json", ".zgroup"))


def _sync(part: Path) -> None:
    """Have the system put it on the disk: a rename must not overtake the data."""
    for file in [part, *part.rglob("*")] if part.is_dir() else [part]:
        if file.is_file():
            with file.open("rb") as handle:
                os.fsync(handle.fileno())


def _rename(part: Path, path: Path) -> None:
    if not path.is_dir():
        os.replace(part, path)
        return
    # a directory cannot be replaced in one step
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    os.replace(path, old)
    try:
        os.replace(part, path)
    except BaseException:
        os.replace(old, path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _remove(part: Path) -> None:
    # a failure here must not hide why it is removed
    if part.is_dir():
        shutil.rmtree(part, ignore_errors=True)
    else:
        with suppress(OSError):
            part.unlink()


def _explain(
    error: OSError | RuntimeError, path: Path, needed: Callable[[], str] | None
) -> OSError | None:
    """The error for the user, or None where it is not about writing."""
    code = getattr(error, "errno", None)
    by_library = any(text in str(error) for text in _LIBRARY_FAILURES)
    if code is None and not by_library:
        return None
    place = next((p for p in path.parents if p.is_dir()), Path("."))
    free = shutil.disk_usage(place).free
    elsewhere = "or write elsewhere (output.path=PATH or hydra.run.dir=DIR)"
    if code in _FULL or free < _FULL_BELOW:
        needs = f"it needs {needed()}, " if needed else ""
        return OSError(f"{path}: cannot be written, the disk is full: {needs}{_bytes(free)} are "
                       f"free; free some space, {elsewhere}")
    reason = getattr(error, "strerror", None) or str(error)
    return OSError(f"{path}: cannot be written ({reason}; {_bytes(free)} are free); check that "
                   f"{place} may be written, {elsewhere}")


def _bytes(n: int) -> str:
    size, unit = next(((s, u) for s, u in ((1e9, "GB"), (1e6, "MB")) if n >= s), (1e3, "kB"))
    return f"{n / size:.1f} {unit}"
