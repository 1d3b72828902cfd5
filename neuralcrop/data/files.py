"""Opening NetCDF and zarr: one or many paths to one dataset, and writing without half files."""

from __future__ import annotations

import glob
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import xarray as xr

from neuralcrop.data.errors import InputError, Problem, Problems
from neuralcrop.data.names import find_time


def describe(paths: str | Path | Sequence[str | Path]) -> str:
    """Short name of one or many paths for messages."""
    if isinstance(paths, (str, Path)):
        return str(paths)
    paths = list(paths)
    return f"{paths[0]} and {len(paths) - 1} more" if len(paths) > 1 else str(paths[0])


def expand(paths: str | Path | Sequence[str | Path]) -> list[str]:
    """All files and stores behind paths and globs.

    Raises
    ------
    InputError
        Naming every path that matches nothing.
    """
    problems = Problems(describe(paths) if paths else "paths")
    found: list[str] = []
    for path in [paths] if isinstance(paths, (str, Path)) else paths:
        text = os.path.expanduser(str(path))
        if os.path.exists(text):
            matches = [text]
        else:
            matches = sorted(glob.glob(text)) if glob.has_magic(text) else []
        if not matches:
            problems.add(f"path {path}", "not found", "a NetCDF file or zarr store",
                         f"check the path (working directory {os.getcwd()})")
        found += matches
    if not found and not problems:
        problems.add("paths", "none given", "at least one file", "")
    problems.raise_if_any()
    return found


def open_one(path: str, chunks: Mapping[str, int] | str | None = None) -> xr.Dataset:
    """Open one NetCDF file or zarr store.

    Raises
    ------
    InputError
        If it cannot be read or its times cannot be decoded.
    """
    is_zarr = Path(path).is_dir() or path.rstrip("/").endswith((".zarr", ".zarr.zip"))
    try:
        return xr.open_dataset(path, engine="zarr" if is_zarr else None, chunks=chunks)
    except Exception as error:
        problem = Problem(f"file {path}", f"cannot be opened: {error}",
                          "a NetCDF file or zarr store", "try ncdump -h on it")
        raise InputError([problem], path) from error


def open_files(
    paths: str | Path | Sequence[str | Path], chunks: Mapping[str, int] | str | None = None
) -> xr.Dataset:
    """Open one or many files as one dataset.

    Files that hold the same variables are joined along time, in order of their first day; files
    with other variables are laid beside them. Their grids and days must agree exactly.

    Parameters
    ----------
    paths : str, Path or sequence of these
        Files, stores and globs.
    chunks : mapping or "auto", optional
        Open lazily with these chunks.

    Raises
    ------
    InputError
        If files are missing, unreadable or do not fit together.
    """
    found = expand(paths)
    if len(found) == 1:
        return open_one(found[0], chunks)
    datasets = [open_one(path, {} if chunks is None else chunks) for path in found]
    groups: dict[tuple[str, ...], list[xr.Dataset]] = {}
    for dataset in datasets:
        key = tuple(sorted(str(v) for v in dataset.data_vars if dataset[v].ndim))
        groups.setdefault(key, []).append(dataset)
    try:
        parts = [_join_time(group) for group in groups.values()]
        return xr.merge(parts, join="exact", compat="override", combine_attrs="override")
    except (ValueError, xr.AlignmentError) as error:
        problem = Problem(
            "files", f"do not fit together: {str(error).splitlines()[0]}",
            "the same grid, and the same days for every variable",
            "open them one by one to compare lat, lon and time",
        )
        raise InputError([problem], describe(found)) from error


def _join_time(group: list[xr.Dataset]) -> xr.Dataset:
    """Files of the same variables joined along time."""
    if len(group) == 1:
        return group[0]
    axis = find_time(group[0])
    if axis is None:
        raise ValueError("several files of the same variables without a time dimension")
    group = sorted(group, key=lambda d: d[axis].values[0])
    return xr.concat(group, dim=axis, data_vars="minimal", coords="minimal", compat="override",
                     join="exact", combine_attrs="override")


def write_atomically(
    dataset: xr.Dataset, path: str | Path,
    packing: Mapping[str, tuple[float, float]] | None = None,
) -> Path:
    """Write NetCDF under a temporary name and rename it when complete.

    Parameters
    ----------
    dataset : xarray.Dataset
        What to write; floating-point variables are compressed.
    path : str or Path
        Target; its folder is made.
    packing : mapping of str to (step, offset), optional
        Variables written as 16-bit integers.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    encoding = {
        v: {"zlib": True, "complevel": 1, "dtype": "float32", "_FillValue": np.float32(1e20)}
        for v in dataset.data_vars if dataset[v].dtype.kind == "f" and dataset[v].ndim
    }
    for name, (step, offset) in (packing or {}).items():
        encoding[name] = {"zlib": True, "complevel": 1, "dtype": "int16", "scale_factor": step,
                          "add_offset": offset, "_FillValue": np.int16(-32768)}
    try:
        dataset.to_netcdf(temporary, format="NETCDF4", encoding=encoding)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return path
