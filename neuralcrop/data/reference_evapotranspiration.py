"""Daily E0, ES0 and ET0 of a forcing dataset, for crop models that take them as weather."""

from __future__ import annotations

import numpy as np
import torch
import xarray as xr

from neuralcrop.core.variables import REFERENCE_NAMES, REGISTRY
from neuralcrop.data.derive import Notes
from neuralcrop.data.errors import Problems
from neuralcrop.data.names import find_time
from neuralcrop.data.standardise import spatial_dims
from neuralcrop.data.timeaxis import Days, whole_days
from neuralcrop.data.units import convert
from neuralcrop.physics import reference_evapotranspiration as ref
from neuralcrop.physics.evapotranspiration import wind_2m_from_10m

_WEATHER = ("tasmin", "tasmax", "vap", "sfcwind", "rsds")

_METHODS = {
    "e0": "Penman, open water (Supit et al. 1994)",
    "es0": "Penman, wet bare soil (Supit et al. 1994)",
    "et0": "Penman-Monteith, short grass (FAO-56)",
}


def reference_evapotranspiration(
    forcing: xr.Dataset, own: xr.Dataset | None = None, *,
    angstrom: tuple[float | xr.DataArray, float | xr.DataArray] = ref.ANGSTROM_TEMPERATE,
    form: ref.PenmanForm = ref.WOFOST,
) -> xr.Dataset:
    """Compute the reference rates of every day and place, lazily where the weather is lazy.

    Parameters
    ----------
    forcing : xarray.Dataset
        Canonical weather as `prepare_forcing` gives it: one field, points or a grid.
    own : xarray.Dataset, optional
        The user's dataset, where it holds ``e0``, ``es0`` or ``et0`` (in any case): these are kept,
        in our units, and only their missing days and places are computed. Such variables in
        ``forcing`` are kept alike.
    angstrom : tuple of float or DataArray
        Angstrom coefficients A and B (-), numbers or one per place; they set the cloudiness in
        ``e0`` and ``es0``.
    form : PenmanForm
        `WOFOST` or `STATIONS` of `physics.reference_evapotranspiration`.

    Returns
    -------
    xarray.Dataset
        ``e0``, ``es0``, ``et0`` (mm d-1) with the dimensions and coordinates of ``tasmin``; NaN
        where the weather is. The attribute ``source`` of each tells where it is from.

    Raises
    ------
    InputError
        If variables of the user have no or other units, dimensions or days.
    """
    notes, problems = Notes(), Problems("reference evapotranspiration")
    given = {**_given(forcing, forcing, problems), **_given(own, forcing, problems)}
    problems.raise_if_any()
    like = forcing["tasmin"]
    computed = _computed(forcing, angstrom, form)
    out = {}
    for name in REFERENCE_NAMES:
        rate, source = computed[name].transpose(*like.dims), _METHODS[name]
        if name in given:
            notes.say(f"{name}: the dataset's own; computed where it has none")
            rate, source = given[name].astype(rate.dtype).fillna(rate), "given"
        out[name] = rate.assign_attrs(**REGISTRY[name].attributes(), source=source)
    return xr.Dataset(out, attrs={"neuralcrop_notes": "; ".join(notes.texts)})


def _computed(
    forcing: xr.Dataset, angstrom: tuple[float | xr.DataArray, float | xr.DataArray],
    form: ref.PenmanForm,
) -> dict[str, xr.DataArray]:
    """The three rates from the weather."""
    like = forcing["tasmin"]
    dtype = like.dtype

    def rates(*arrays: np.ndarray) -> tuple[np.ndarray, ...]:
        low, high, vap, wind, rsds, latitude, elevation, day, a, b = (
            torch.from_numpy(np.array(x, order="C")) for x in arrays)
        out = ref.reference_evapotranspiration(
            low, high, vap, wind_2m_from_10m(wind), rsds, latitude, elevation, day, a, b, form)
        return tuple(rate.numpy() for rate in out)

    day = xr.DataArray(Days.of(forcing["time"]).solar_day, dims="time")
    places = [forcing["lat"], forcing["elevation"], day, *map(xr.DataArray, angstrom)]
    inputs = [forcing[name] for name in _WEATHER] + [place.astype(dtype) for place in places]
    found = xr.apply_ufunc(
        rates, *[x.reset_coords(drop=True) for x in inputs], output_core_dims=[[], [], []],
        dask="parallelized", output_dtypes=[dtype] * 3, keep_attrs=False)
    return {name: rate.assign_coords(like.coords)
            for name, rate in zip(ref.ReferenceEvaporation._fields, found, strict=True)}


def _given(
    source: xr.Dataset | None, forcing: xr.Dataset, problems: Problems
) -> dict[str, xr.DataArray]:
    """The rates a dataset holds, in our units, on the days and places of the forcing."""
    if source is None:
        return {}
    names = {str(v).lower(): str(v) for v in source.data_vars}
    labels = {name: names[name] for name in REFERENCE_NAMES if name in names}
    if not labels:
        return {}
    dataset = source[list(labels.values())]
    axis = find_time(dataset)
    if axis is None or axis not in dataset.coords:
        problems.add(", ".join(labels.values()), "without dates", "a daily time coordinate", "")
        return {}
    dataset, _ = whole_days(dataset.rename({axis: "time"}) if axis != "time" else dataset)
    dataset, _ = spatial_dims(dataset, ("time",))
    like, out = forcing["tasmin"], {}
    for name, label in labels.items():
        rate = convert(name, dataset[label], problems, label=label)
        if rate is None:
            continue
        if set(rate.dims) != set(like.dims):
            problems.add(f"variable {label}", f"dimensions {rate.dims}", f"{like.dims}",
                         "use the dataset from which the forcing was made")
            continue
        rate = rate.reset_coords(drop=True)
        indexed = {d: like[d] for d in like.dims if d in like.indexes and d in rate.indexes}
        apart = [d for d in indexed if not rate.indexes[d].intersection(like.indexes[d]).size]
        if apart:
            problems.add(f"variable {label}", f"{', '.join(map(str, apart))}: nothing in common",
                         "days and places of the forcing", "")
            continue
        rate = rate.reindex(indexed)
        if rate.sizes != like.sizes:
            problems.add(f"variable {label}", f"sizes {dict(rate.sizes)}", f"{dict(like.sizes)}",
                         "use the dataset from which the forcing was made")
            continue
        out[name] = rate.transpose(*like.dims).assign_coords(like.coords)
    return out
