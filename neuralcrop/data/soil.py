"""Soil: texture, organic matter and depth, or measured water contents, onto the model's layers."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, cast, get_args

import numpy as np
import torch
import xarray as xr

from neuralcrop.core.forcing import SOIL_LAYER_BOTTOM, Site
from neuralcrop.data import units
from neuralcrop.data.align import to_cells
from neuralcrop.data.errors import Problems, nearest
from neuralcrop.data.tensors import CellIndex
from neuralcrop.physics.soil_hydraulics import Pedotransfer, saxton_rawls

log = logging.getLogger("neuralcrop.data")

DEFAULT_SOIL: dict[str, float] = {
    "sand": 0.40, "clay": 0.20, "organic_carbon": 1.45, "ph": 6.5, "soil_depth": 1.5,
}
"""The stated loam: Saxton & Rawls (2006), table 3, class loam with 2.5 % organic matter."""

OM_PER_OC = 1.724
"""Organic matter over organic carbon (van Bemmelen factor)."""

_WANTED = {
    "sand": "1", "clay": "1", "organic_carbon": "%", "organic_matter": "%", "ph": "1",
    "soil_depth": "m", "theta_wp": "1", "theta_fc": "1", "theta_sat": "1", "ksat": "mm h-1",
    "layer_top": "m", "layer_bottom": "m", "nitrogen_deposition": "kg ha-1 yr-1",
}

_ALIASES = {
    "sand": ("sand", "sand_fraction", "t_sand", "sndppt"),
    "clay": ("clay", "clay_fraction", "t_clay", "clyppt"),
    "organic_carbon": ("organic_carbon", "oc", "soc", "t_oc", "orgc"),
    "organic_matter": ("organic_matter", "om", "som"),
    "ph": ("ph", "ph_h2o", "t_ph_h2o", "phh2o"),
    "soil_depth": ("soil_depth", "depth", "root_zone_depth", "rooting_depth", "rzd"),
    "theta_wp": ("theta_wp", "wilting_point", "lll", "wp"),
    "theta_fc": ("theta_fc", "field_capacity", "dul", "fc"),
    "theta_sat": ("theta_sat", "saturation", "sat", "porosity"),
    "ksat": ("ksat", "saturated_conductivity", "k_sat"),
    "nitrogen_deposition": ("nitrogen_deposition", "ndep", "deposition"),
    "layer_top": ("layer_top", "layer_upper"),
    "layer_bottom": ("layer_bottom", "layer_lower"),
}

_BY_CELL = ("soil_depth", "nitrogen_deposition")
"""Variables that have no layers."""

DEPOSITION_UNIT = 0.1 / 365.0
"""kg ha-1 yr-1 in g m-2 d-1."""

_LAYER_DIMS = ("layer", "soil_layer", "depth")
_MAX_OM = 8.0
"""% organic matter above which Saxton & Rawls is not fitted; peat is taken at this value."""

_DEPTH_RANGE = (0.05, 10.0)

SoilInput = xr.Dataset | Mapping[str, Any] | None


def soil_variables(soil: xr.Dataset | Mapping[str, Any]) -> dict[str, str]:
    """The input's name of each soil variable it holds."""
    keys = {str(k).lower(): str(k) for k in (soil.variables if isinstance(soil, xr.Dataset)
                                            else soil)}
    found = {}
    for ours, aliases in _ALIASES.items():
        for alias in aliases:
            if alias in keys and ours not in found:
                found[ours] = keys[alias]
    return found


def soil_layers(
    soil: SoilInput, cells: CellIndex, problems: Problems | None = None
) -> dict[str, np.ndarray]:
    """Soil variables on the model's layers in registry units, checked, with gaps filled.

    Parameters
    ----------
    soil : Dataset, mapping or None
        ``sand`` and ``clay`` (fraction or %), ``organic_carbon`` or ``organic_matter`` (%), ``ph``,
        ``soil_depth`` or ``root_zone_depth``, ``nitrogen_deposition``, or ``theta_wp``,
        ``theta_fc``, ``theta_sat``, ``ksat``, and ``pedotransfer`` (``"published"`` or
        ``"lpjml"``); optionally over ``layer`` with ``layer_top`` and
        ``layer_bottom``. None for the default loam.
    cells : CellIndex
        Cells of the run.
    problems : Problems, optional
        Receives the problems; by default they are raised here.

    Returns
    -------
    dict of str to numpy.ndarray
        ``[layer, cell]`` of sand, clay, organic_carbon, ph and what was given of theta_wp,
        theta_fc, theta_sat, ksat; ``soil_depth`` and, where given, ``nitrogen_deposition``
        (kg ha-1 yr-1) ``[cell]``.

    Raises
    ------
    InputError
        With every problem, unless ``problems`` is given.
    """
    own = problems if problems is not None else Problems("soil")
    values = {} if soil is None else _read(soil, cells, own)
    if "organic_matter" in values and "organic_carbon" not in values:
        values["organic_carbon"] = values["organic_matter"] / OM_PER_OC
    values.pop("organic_matter", None)
    _check(values, cells, own)
    if problems is None:
        own.raise_if_any()
    n_layers = len(SOIL_LAYER_BOTTOM)
    absent = [n for n in DEFAULT_SOIL if n not in values]
    hydraulic = {"theta_wp", "theta_fc", "theta_sat", "ksat"} <= set(values)
    told = [n for n in absent if not (hydraulic and n in ("sand", "clay", "organic_carbon"))
            and n != "ph"]
    if soil is None:
        log.warning("no soil given: a loam everywhere (%s)", _default_text())
    elif told:
        log.warning("soil lacks %s: the default loam's values (%s)", ", ".join(told),
                    _default_text())
    for name in absent:
        shape = (cells.n_cells,) if name == "soil_depth" else (n_layers, cells.n_cells)
        values[name] = np.full(shape, DEFAULT_SOIL[name])
    for name, default in DEFAULT_SOIL.items():
        missing = np.isnan(values[name])
        if missing.any():
            count = int(missing.reshape(-1, cells.n_cells).any(axis=0).sum())
            cell = int(np.flatnonzero(missing.reshape(-1, cells.n_cells).any(axis=0))[0])
            log.warning("soil %s missing in %d cells, first %s: default loam (%g)", name, count,
                        cells.name(cell), default)
            values[name] = np.where(missing, default, values[name])
    return values


def pedotransfer_of(soil: SoilInput) -> Pedotransfer:
    """Pedotransfer functions that a soil asks for: its key, or attribute, ``pedotransfer``.

    Raises
    ------
    ValueError
        If there are no such functions.
    """
    given = {} if soil is None else soil.attrs if isinstance(soil, xr.Dataset) else soil
    name: Any = given.get("pedotransfer", "published")
    if name not in get_args(Pedotransfer):
        raise ValueError(
            f"soil['pedotransfer'] is {name!r}, expected {' or '.join(get_args(Pedotransfer))}")
    return cast(Pedotransfer, name)


def prepare_soil(
    soil: SoilInput, cells: CellIndex, *, dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None, pedotransfer: Pedotransfer = "published",
) -> Site:
    """The site record of a run.

    Water contents that are not given follow from texture and organic matter by Saxton & Rawls
    (2006); layers are averaged by thickness onto the model's five, the deepest one reaching down.

    Parameters
    ----------
    soil : Dataset, mapping or None
        See `soil_layers`.
    cells : CellIndex
        Cells of the run.
    dtype, device
        Of the tensors.
    pedotransfer : str
        Functions of texture: as published, or with the squared coefficient of LPJmL for parity.

    Raises
    ------
    InputError
        With every problem found.
    """
    return site_record(
        soil_layers(soil, cells), cells, dtype=dtype, device=device, pedotransfer=pedotransfer)


def site_record(
    values: Mapping[str, np.ndarray], cells: CellIndex, *, dtype: torch.dtype = torch.float32,
    device: torch.device | str | None = None, pedotransfer: Pedotransfer = "published",
) -> Site:
    """The site record from soil on the model's layers.

    Parameters
    ----------
    values : mapping of str to numpy.ndarray
        From `soil_layers`.
    cells : CellIndex
        Cells of the run.
    dtype, device
        Of the tensors.
    pedotransfer : str
        Functions of texture: as published, or with the squared coefficient of LPJmL for parity.
    """
    texture = [torch.from_numpy(np.array(values[n], dtype="float64")) for n in ("sand", "clay")]
    matter = torch.from_numpy(
        np.clip(values["organic_carbon"] * OM_PER_OC, 0.0, _MAX_OM).astype("float64"))
    ptf = saxton_rawls(texture[0], texture[1], matter, pedotransfer)
    water = {
        name: _filled(values.get(name), estimate.numpy()) for name, estimate in zip(
            ("theta_wp", "theta_fc", "theta_sat", "ksat"),
            (ptf.wilting_point, ptf.field_capacity, ptf.saturation, ptf.ksat), strict=True)
    }
    water["theta_fc"] = np.maximum(water["theta_fc"], water["theta_wp"] + 0.01)
    water["theta_sat"] = np.maximum(water["theta_sat"], water["theta_fc"] + 0.01)

    def tensor(array: np.ndarray) -> torch.Tensor:
        return torch.tensor(np.array(array), dtype=dtype, device=device)

    return Site(
        latitude=tensor(cells.lat), longitude=tensor(np.nan_to_num(cells.lon)),
        elevation=tensor(np.nan_to_num(cells.elevation)),
        wilting_point=tensor(water["theta_wp"]), field_capacity=tensor(water["theta_fc"]),
        saturation=tensor(water["theta_sat"]), saturated_conductivity=tensor(water["ksat"]),
        soil_depth=tensor(values["soil_depth"]),
        texture=torch.stack([
            tensor(np.broadcast_to(values.get(n, DEFAULT_SOIL[n]), values["sand"].shape)[0])
            for n in ("sand", "clay", "organic_carbon", "ph")]),
        deposition=_deposition(values, dtype, device),
    )


def _deposition(
    values: Mapping[str, np.ndarray], dtype: torch.dtype, device: torch.device | str | None
) -> torch.Tensor | None:
    """Nitrate and ammonium, g m-2 d-1, half of the deposition each; None where none is given."""
    if "nitrogen_deposition" not in values:
        return None
    total = torch.tensor(values["nitrogen_deposition"] * DEPOSITION_UNIT, dtype=dtype,
                         device=device)
    return torch.stack((0.5 * total, 0.5 * total))


def _filled(given: np.ndarray | None, estimate: np.ndarray) -> np.ndarray:
    return estimate if given is None else np.where(np.isnan(given), estimate, given)


def _default_text() -> str:
    d = DEFAULT_SOIL
    return (f"sand {d['sand']:.0%}, clay {d['clay']:.0%}, organic carbon "
            f"{d['organic_carbon']:g} %, depth {d['soil_depth']:g} m")


def _read(
    soil: xr.Dataset | Mapping[str, Any], cells: CellIndex, problems: Problems
) -> dict[str, np.ndarray]:
    """Variables on cells and model layers in registry units."""
    found = soil_variables(soil)
    if not isinstance(soil, xr.Dataset):
        known = [a for aliases in _ALIASES.values() for a in aliases]
        for key in soil:
            if str(key) not in found.values() and key != "pedotransfer":
                problems.add(f"soil['{key}']", "unknown key", "", nearest(str(key), known))
    elif not found:
        problems.add("soil", f"no soil variable among {sorted(map(str, soil.data_vars))}",
                     f"any of {', '.join(_WANTED)}", "rename them")
    bounds = {n: _layer_bound(soil, found, n, problems) for n in ("layer_top", "layer_bottom")}
    out: dict[str, np.ndarray] = {}
    for name, label in found.items():
        if name in bounds:
            continue
        value = soil[label]
        scaled = _in_units(name, label, value, problems)
        if scaled is None:
            continue
        dims = scaled.dims if isinstance(scaled, xr.DataArray) else ()
        layer = next((d for d in _LAYER_DIMS if d in dims), None)
        array = to_cells(scaled, cells, f"soil {label}", problems, (layer,) if layer else ())
        if array is None:
            continue
        array = np.asarray(array, dtype=float)
        if layer is None:
            array = array if name in _BY_CELL else np.tile(array, (len(SOIL_LAYER_BOTTOM), 1))
        elif name in _BY_CELL:
            problems.add(f"soil {label}", "given by layer", "one value a cell", "")
            continue
        else:
            array = _onto_layers(array, bounds, label, problems)
        if array is not None:
            out[name] = array
    return out


def _in_units(
    name: str, label: str, value: Any, problems: Problems
) -> xr.DataArray | np.ndarray | None:
    """Values in registry units; plain numbers are taken in them (texture above 1 as %)."""
    if isinstance(value, xr.DataArray):
        given = value.attrs.get("units")
        if given is None and name != "ph":
            problems.add(f"soil {label}", "no units attribute", f"units like '{_WANTED[name]}'",
                         f"soil['{label}'].attrs['units'] = ...")
            return None
        if name == "ph":
            return value
        try:
            factor, _ = units.scale(str(given).strip() or "1", _WANTED[name])
        except ValueError as error:
            problems.add(f"soil {label}", str(error), f"units like '{_WANTED[name]}'", "")
            return None
        return value * factor
    array = np.asarray(value, dtype=float)
    if name in ("sand", "clay") and np.nanmax(array) > 1.0:
        log.info("soil %s above 1: taken as %%", label)
        return array / 100.0
    if name == "soil_depth" and label == "root_zone_depth":
        return array / 100.0
    return array


def _layer_bound(
    soil: xr.Dataset | Mapping[str, Any], found: Mapping[str, str], name: str, problems: Problems
) -> np.ndarray | None:
    """Tops or bottoms of the input's layers, m."""
    if name not in found:
        return None
    value = soil[found[name]]
    if not isinstance(value, xr.DataArray):
        return np.asarray(value, dtype=float) / 100.0
    scaled = _in_units(name, found[name], value, problems)
    return None if scaled is None else np.asarray(scaled, dtype=float)


def _onto_layers(
    array: np.ndarray, bounds: Mapping[str, np.ndarray | None], label: str, problems: Problems
) -> np.ndarray | None:
    """Average the input's layers by thickness onto the model's; the last one reaches down."""
    top, bottom = bounds["layer_top"], bounds["layer_bottom"]
    if bottom is None:
        problems.add(f"soil {label}", "has layers but no layer_bottom",
                     "layer_top and layer_bottom (with units)", "add them as variables of layer")
        return None
    top = np.concatenate([[0.0], bottom[:-1]]) if top is None else top
    if np.any(bottom <= top) or len(bottom) != len(array):
        problems.add("soil layers", f"tops {top.tolist()}, bottoms {bottom.tolist()} m",
                     "each bottom below its top", "")
        return None
    bottom = bottom.copy()
    bottom[-1] = max(bottom[-1], SOIL_LAYER_BOTTOM[-1])
    ours = np.concatenate([[0.0], SOIL_LAYER_BOTTOM])
    lowest = np.minimum(bottom[None, :], ours[1:, None])
    weight = np.maximum(lowest - np.maximum(top[None, :], ours[:-1, None]), 0.0)
    valid = ~np.isnan(array)
    total = weight @ valid.astype(float)
    mean = weight @ np.where(valid, array, 0.0) / np.where(total > 0.0, total, np.nan)
    for k in range(1, len(mean)):
        mean[k] = np.where(np.isnan(mean[k]), mean[k - 1], mean[k])
    return np.asarray(mean)


def _check(values: Mapping[str, np.ndarray], cells: CellIndex, problems: Problems) -> None:
    """Refuse impossible soils, naming the first cell."""
    def refuse(bad: np.ndarray, where: str, what: str, expected: str, remedy: str) -> None:
        wrong = np.flatnonzero(bad.reshape(-1, cells.n_cells).any(axis=0))
        if wrong.size:
            problems.add(f"soil {where}, {cells.name(int(wrong[0]))}",
                         f"{what} in {wrong.size} cells", expected, remedy)

    ranges = {"sand": (0, 1), "clay": (0, 1), "organic_carbon": (0, 60), "ph": (2, 11),
              "soil_depth": _DEPTH_RANGE, "nitrogen_deposition": (0, 200),
              "theta_wp": (0.001, 0.9), "theta_fc": (0.005, 0.95),
              "theta_sat": (0.05, 0.99), "ksat": (1e-4, 1e4)}
    for name, (low, high) in ranges.items():
        if name in values:
            array = values[name]
            bad = (array < low) | (array > high + 1e-9)
            found = array[bad][0] if bad.any() else 0.0
            refuse(bad, name, f"{found:.4g} {_WANTED[name]}, out of range",
                   f"{low} to {high} {_WANTED[name]}", "check units")
    if "sand" in values and "clay" in values:
        total = values["sand"] + values["clay"]
        refuse(total > 1.0 + 1e-6, "sand and clay",
               f"sand + clay up to {np.nanmax(total, initial=0.0):.3g}, above 1,", "at most 1",
               "is one of them in % and the other a fraction, or is one of them silt?")
    for drier, wetter in (("theta_wp", "theta_fc"), ("theta_fc", "theta_sat")):
        if drier in values and wetter in values:
            refuse(values[drier] >= values[wetter], f"{drier} and {wetter}",
                   f"{drier} not below {wetter}", "theta_wp < theta_fc < theta_sat", "swapped?")
