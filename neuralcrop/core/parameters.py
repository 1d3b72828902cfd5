"""Parameters as data: value, unit, bounds, source; and the map from crops to per-cell tensors."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from neuralcrop.core.state import Layout


@dataclass(frozen=True)
class ParameterSpec:
    """What a process needs to know of one parameter.

    Attributes
    ----------
    name : str
        Unique key, as in the crop files.
    units : str
        Units in which crop files give the value.
    long_name : str
        Description.
    size : int
        Number of elements; tables over development stage have one per node.
    """

    name: str
    units: str
    long_name: str
    size: int = 1


@dataclass(frozen=True)
class ParameterValue:
    """Value of one parameter for one crop.

    Attributes
    ----------
    value, lower, upper : tuple of float
        One entry per element; bounds limit what learning and networks may reach.
    units, source : str
        Units and where the value comes from.
    """

    value: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]
    units: str
    source: str


class ParameterError(ValueError):
    """A parameter is missing, unknown, out of bounds or in other units; lists all problems."""


class ParameterTable(nn.Module):
    r"""Bounded parameters of several crops, gathered to cells.

    An offset :math:`\delta` in unconstrained space moves a parameter inside its bounds,

    .. math:: \theta = \theta_0 + (u - l)\,[\sigma(z_0 + \delta) - \sigma(z_0)],
              \qquad z_0 = \mathrm{logit}\frac{\theta_0 - l}{u - l}

    so that :math:`\delta = 0` gives the catalogue value to the last bit. Learned constants are an
    offset per crop; a parameter network adds an offset per cell.

    Parameters
    ----------
    specs : sequence of ParameterSpec
        What the processes of a model need.
    catalogue : mapping of str to mapping of str to ParameterValue
        Crop -> parameter -> value.
    learn : iterable of str
        Parameters whose crop-wide offset is trained.

    Raises
    ------
    ParameterError
        Listing every missing or unknown parameter, value outside its bounds, and wrong unit.
    """

    values: Tensor
    lower: Tensor
    upper: Tensor

    def __init__(
        self,
        specs: Sequence[ParameterSpec],
        catalogue: Mapping[str, Mapping[str, ParameterValue]],
        learn: Iterable[str] = (),
    ) -> None:
        super().__init__()
        self.specs = {s.name: s for s in specs}
        self.layout = Layout({s.name: s.size for s in specs})
        self.crops = tuple(catalogue)
        self.learned = tuple(learn)
        _check(self.specs, catalogue, self.learned)

        def table(kind: str) -> Tensor:
            columns = [
                [x for name in self.specs for x in getattr(catalogue[crop][name], kind)]
                for crop in self.crops
            ]
            return torch.tensor(columns, dtype=torch.float64).T.contiguous()

        self.register_buffer("values", table("value"))
        self.register_buffer("lower", table("lower"))
        self.register_buffer("upper", table("upper"))
        self.offset = nn.ParameterDict({
            name: nn.Parameter(torch.zeros(self.specs[name].size, len(self.crops)))
            for name in self.learned
        })

    @property
    def crop_index(self) -> dict[str, int]:
        """Column of each crop."""
        return {crop: k for k, crop in enumerate(self.crops)}

    def rows(self, names: Iterable[str]) -> list[int]:
        """Rows of the named parameters, in order.

        Raises
        ------
        ParameterError
            If a name is unknown.
        """
        names = list(names)
        unknown = [n for n in names if n not in self.specs]
        if unknown:
            raise ParameterError(
                f"unknown parameters {', '.join(unknown)}; known: {', '.join(self.specs)}")
        return self.layout.rows(names)

    def forward(
        self, crop: Tensor, dtype: torch.dtype, offset: Mapping[str, Tensor] | None = None
    ) -> Tensor:
        """Per-cell parameters.

        Parameters
        ----------
        crop : Tensor
            ``[cell]`` crop index.
        dtype : torch.dtype
            Precision of the result.
        offset : mapping of str to Tensor, optional
            Unconstrained offsets of a parameter network, ``[size, cell]`` by name.

        Returns
        -------
        Tensor
            ``[parameter row, cell]``.
        """
        offset = offset or {}
        base = self.values.to(dtype)
        gathered = base[:, crop]
        moved = [n for n in self.specs if n in self.offset or n in offset]
        if not moved:
            return gathered
        rows = list(gathered.unbind(0))
        for name in moved:
            span = slice(self.layout.start[name], self.layout.start[name] + self.specs[name].size)
            delta: Tensor = torch.zeros((), dtype=dtype, device=crop.device)
            if name in self.offset:
                delta = delta + self.offset[name].to(dtype)[:, crop]
            if name in offset:
                delta = delta + offset[name].to(dtype)
            value = bounded(
                self.values[span].to(dtype)[:, crop], self.lower[span].to(dtype)[:, crop],
                self.upper[span].to(dtype)[:, crop], delta,
            )
            rows[span] = list(value.unbind(0))
        return torch.stack(rows)

    def describe(self) -> list[dict[str, object]]:
        """One record per parameter and crop with its present (learned) value."""
        crop = torch.arange(len(self.crops), device=self.values.device)
        with torch.no_grad():
            now = self.forward(crop, torch.float64)
        records = []
        for name, spec in self.specs.items():
            span = slice(self.layout.start[name], self.layout.start[name] + spec.size)
            for k, crop_name in enumerate(self.crops):
                records.append({
                    "crop": crop_name, "parameter": name, "units": spec.units,
                    "value": now[span, k].tolist(), "catalogue": self.values[span, k].tolist(),
                    "lower": self.lower[span, k].tolist(), "upper": self.upper[span, k].tolist(),
                    "learned": name in self.offset,
                })
        return records

    def fingerprint(self) -> str:
        """Hash of names and catalogue values, for provenance."""
        payload = json.dumps([list(self.specs), self.crops, self.values.tolist()])
        return hashlib.sha256(payload.encode()).hexdigest()[:16]


def bounded(value: Tensor, lower: Tensor, upper: Tensor, offset: Tensor) -> Tensor:
    """Move ``value`` inside its bounds by an unconstrained offset; zero leaves it untouched.

    Values at a bound are taken as 1 % of the range inside it for the slope, so they can move.
    """
    width = upper - lower
    share = ((value - lower) / width.clamp_min(1e-30)).clamp(0.01, 0.99)
    z = torch.log(share) - torch.log1p(-share)
    moved = value + width * (torch.sigmoid(z + offset) - torch.sigmoid(z))
    return torch.minimum(torch.maximum(moved, lower), upper)


def _check(
    specs: Mapping[str, ParameterSpec],
    catalogue: Mapping[str, Mapping[str, ParameterValue]],
    learned: Sequence[str],
) -> None:
    problems = [f"cannot learn unknown parameter {n}" for n in learned if n not in specs]
    for crop, values in catalogue.items():
        problems += [f"{crop}: {n} is missing" for n in specs if n not in values]
        problems += [f"{crop}: {n} is not a parameter of this model"
                     for n in values if n not in specs]
        for name, v in values.items():
            if name not in specs:
                continue
            spec = specs[name]
            if v.units != spec.units:
                problems.append(f"{crop}: {name} has units {v.units!r}, expected {spec.units!r}")
            if not len(v.value) == len(v.lower) == len(v.upper) == spec.size:
                problems.append(f"{crop}: {name} has {len(v.value)} values, expected {spec.size}")
            elif any(not lo <= x <= hi for x, lo, hi in zip(v.value, v.lower, v.upper,
                                                            strict=True)):
                problems.append(f"{crop}: {name} = {v.value} lies outside [{v.lower}, {v.upper}]")
    if problems:
        raise ParameterError("parameters do not fit the model:\n  " + "\n  ".join(problems))
