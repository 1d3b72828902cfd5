"""From the inputs of a simulation to a run that is ready to start."""

from __future__ import annotations

import hashlib
import logging
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.core.variables import REFERENCE_NAMES
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.registry import ModelSpec, build_model, load_model
from neuralcrop.simulation.blocks import BlockRun, Sink
from neuralcrop.simulation.integrate import RunState, Solver, Stepper
from neuralcrop.simulation.restart import load_restart, save_restart
from neuralcrop.simulation.spinup import SpunUp, spin_up

if TYPE_CHECKING:
    from neuralcrop.data.tensors import CellIndex, Dataset

log = logging.getLogger("neuralcrop.simulation")

CHUNK_VALUES = 2.5e8
"""Weather values held at a time: a gigabyte in single precision."""

EAGER_DAY, EAGER_CELL_DAY = 1e-2, 6e-6
"""Seconds that a day and a cell-day take uncompiled, roughly; only for the choice."""

COMPILE_PAYS = 120.0
"""Estimated eager seconds above which compiling pays."""


@dataclass(frozen=True)
class Compute:
    """Where and how to calculate.

    Attributes
    ----------
    device, dtype : str
        Torch device (``auto`` takes a GPU if there is one) and precision of the physics.
    compile : bool or "auto"
        Compile the day when the work pays for it.
    block_cells : int
        Cells calculated at a time.
    threads : int or None
        CPU threads; None for torch's choice.
    """

    device: str = "auto"
    dtype: str = "float32"
    compile: bool | Literal["auto"] = "auto"
    block_cells: int = 4096
    threads: int | None = None

    def torch_device(self) -> torch.device:
        """The device."""
        if self.device != "auto":
            return torch.device(self.device)
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")

    def torch_dtype(self) -> torch.dtype:
        """The precision.

        Raises
        ------
        ValueError
            If it is neither float32 nor float64.
        """
        kinds = {"float32": torch.float32, "float64": torch.float64}
        if self.dtype not in kinds:
            raise ValueError(f"dtype is {self.dtype!r}, expected float32 or float64")
        return kinds[self.dtype]

    def compiles(self, n_cells: int, n_days: int) -> bool:
        """Whether to compile for this much work."""
        if self.compile != "auto":
            return bool(self.compile)
        blocks = -(-n_cells // self.block_cells)
        eager = n_days * (EAGER_DAY * blocks + EAGER_CELL_DAY * n_cells)
        if eager < COMPILE_PAYS:
            return False
        if not any(shutil.which(c) for c in ("c++", "g++", "clang++")):
            log.warning("no C++ compiler found: running uncompiled, which is slower")
            return False
        log.info("compiling the day (a minute or two the first time)")
        return True


@dataclass
class PreparedRun:
    """A simulation ready to start.

    Attributes
    ----------
    model : CropModel
        On the device.
    forcing : xarray.Dataset
        Canonical weather.
    cells : CellIndex
        Its land cells.
    site, management, parameters
        Tensors of all cells.
    stepper : Stepper
        Model and solver.
    compute : Compute
        How to calculate.
    begun : RunState or None
        Where to start; None for a soil as given and no crop.
    """

    model: CropModel
    forcing: Dataset
    cells: CellIndex
    site: Site
    management: Management
    parameters: Tensor
    stepper: Stepper
    compute: Compute
    begun: RunState | None = None

    @property
    def fingerprint(self) -> str:
        """Identifies model, parameters and cells in restart files."""
        kind = f"{self.model.set_name} {self.model.variant}"
        digest = hashlib.sha256((self.model.table.fingerprint() + kind).encode())
        digest.update(self.parameters.detach().cpu().double().numpy().tobytes())
        digest.update(self.site.latitude.cpu().double().numpy().tobytes())
        return digest.hexdigest()[:16]

    def execute(
        self, sink: Sink | None = None, restart_from: str | Path | None = None,
        restart_to: str | Path | None = None, progress: Callable[[int], None] | None = None,
    ) -> dict[str, Tensor]:
        """Run all days; ``[season, cell]`` records by name."""
        compute = self.compute
        state, management = self.begun, self.management
        if restart_from is not None:
            state = load_restart(restart_from, self.fingerprint, self.model).to(
                compute.torch_device(), compute.torch_dtype())
        offset = state.day if state is not None else 0
        if offset:
            management = management.later(offset)
        chunks = (replace(chunk, first_day=chunk.first_day + offset)
                  for chunk in self._chunks(self.forcing))
        blocks = BlockRun(
            self.stepper, self.site, management, self.parameters, compute.block_cells)
        end = blocks.run(chunks, state, sink, progress)
        if restart_to is not None:
            save_restart(restart_to, end, self.fingerprint, self.model)
        return blocks.seasons.arrays()

    def _chunks(self, forcing: Dataset) -> Iterator[DailyForcing]:
        """Weather as tensors, a chunk of days at a time."""
        from neuralcrop.data.tensors import iter_forcing

        days = int(min(366, max(31, CHUNK_VALUES / (10 * self.cells.n_cells))))
        return iter_forcing(
            forcing, self.cells, days, dtype=self.compute.torch_dtype(),
            device=self.compute.torch_device(), names=self.model.forcing_names)

    def spin_up(self, years: int, cycles: int = 10, tolerance: float = 0.01) -> SpunUp:
        """Start from soil organic matter in balance with the first years; see `spinup.spin_up`.

        Raises
        ------
        ValueError
            If the forcing has no such years, or the model no organic matter.
        """
        time_of = self.forcing["time"].dt.year
        first = int(time_of[0])
        chosen = self.forcing.isel(time=(time_of < first + years).values)
        n_days = chosen.sizes["time"]
        if years < 1 or n_days < 360 * years:
            raise ValueError(
                f"spin-up over {years} years, but the forcing has {n_days} days of them; "
                "give it whole years or take fewer")
        blocks = BlockRun(self.stepper, self.site, self.management, self.parameters,
                          self.compute.block_cells)
        spun = spin_up(
            blocks, lambda: self._chunks(chosen), cycles=cycles, tolerance=tolerance)
        for k, cycle in enumerate(spun.cycles, start=1):
            log.info("spin-up cycle %d: %.0f g m-2 carbon, %.1f g m-2 nitrogen, change %.1f %%",
                     k, cycle["carbon"], cycle["nitrogen"], 100.0 * cycle["change"])
        if not spun.converged:
            log.warning("spin-up has not settled after %d cycles: the last changed the soil's "
                        "carbon by %.1f %%", cycles, 100.0 * spun.cycles[-1]["change"])
        self.begun = spun.state
        return spun


def prepare_run(
    forcing: Any, *, crop: Any = None, model: str | Path | ModelSpec | CropModel = "physics",
    soil: Any = None, management: Any = None, co2: Any = None, solver: Solver | None = None,
    compute: Compute | None = None,
) -> PreparedRun:
    """Check and convert all inputs of a simulation; see `simulate` for the arguments."""
    from neuralcrop.crops import full_names as other_names
    from neuralcrop.crops.wofost72 import full_names
    from neuralcrop.data.errors import InputError, Problem
    from neuralcrop.data.forcing import open_forcing, prepare_forcing
    from neuralcrop.data.management import asks_for_nutrients, prepare_management
    from neuralcrop.data.reference_evapotranspiration import reference_evapotranspiration
    from neuralcrop.data.soil import pedotransfer_of, site_record, soil_layers
    from neuralcrop.data.tensors import cell_index

    compute = compute or Compute()
    if compute.threads:
        torch.set_num_threads(compute.threads)
    if model == "wofost72":
        model = ModelSpec(set="wofost72")
    elif model == "physics":
        model = ModelSpec(nutrients=asks_for_nutrients(management))
    if isinstance(model, ModelSpec):
        if model.set == "wofost72":  # tables no wider than these crops need
            crop, names = full_names("maize" if crop is None else crop)
            model = replace(model, crops=names)
        built = build_model(model).eval()
    else:
        built = model if isinstance(model, CropModel) else load_model(model)
    if crop is None:
        crop = built.table.crops[0] if len(built.table.crops) == 1 else "maize"
    if built.set_name == "global":
        crop = other_names(crop, built.table.crops)
    if isinstance(crop, str) and crop not in built.table.crops:
        _explain_crop(crop, built)
    device, dtype = compute.torch_device(), compute.torch_dtype()
    is_dataset = hasattr(forcing, "data_vars")
    prepared = (prepare_forcing if is_dataset else open_forcing)(forcing, co2=co2)
    if set(REFERENCE_NAMES) & set(built.forcing_names):
        prepared = prepared.assign(reference_evapotranspiration(prepared))
        # WOFOST's mean temperature is that of the extremes
        prepared["tas"] = prepared["tas"].copy(
            data=(0.5 * (prepared["tasmin"] + prepared["tasmax"])).transpose(
                *prepared["tas"].dims).data)
    cells = cell_index(prepared)
    orders = prepare_management(
        management, prepared, cells, crop, built.table.crop_index, dtype=dtype)
    layers = soil_layers(soil, cells)
    site = orders.prepared_site(site_record(
        layers, cells, dtype=dtype, pedotransfer=pedotransfer_of(soil)))
    covariates = None
    if built.network is not None:
        covariates = _covariates(built, prepared, cells, orders, layers, site)
        covariates = covariates.to(device, dtype)
    built = built.to(device)
    built.choose_pathways(orders.crop)
    refused = built.refusals(orders)
    if refused:
        raise InputError([Problem(
            f"management: {name}", f"the model ({built.set_name}) has no use for it", "",
            "leave it out, or take the global set with nutrients") for name in refused],
            "management")
    with torch.no_grad():
        slots = [
            built.settle(built.cell_parameters(crop.to(device), dtype, covariates),
                         site.to(device))
            for crop in (orders.crop if orders.n_slots else (orders.crop,))]
        if orders.season_days is not None:
            slots = _adapted(built, slots, prepared, cells, orders.to(device), site.to(device))
        parameters = torch.stack(slots) if orders.n_slots else slots[0]
    stepper = Stepper(
        built, solver, compute.compiles(cells.n_cells, prepared.sizes["time"]))
    return PreparedRun(
        built, prepared, cells, site.to(device), orders.to(device), parameters, stepper, compute)


def _adapted(
    model: CropModel, slots: list[Tensor], prepared: Dataset, cells: CellIndex,
    orders: Management, site: Site,
) -> list[Tensor]:
    """Parameters of cultivars that fit the mean temperature of the forcing."""
    from neuralcrop.data.climate import daily_from_monthly, monthly_climate
    from neuralcrop.data.management_dates import CLIMATE_YEARS
    from neuralcrop.simulation.cultivars import adapted

    assert orders.season_days is not None
    normal = monthly_climate(prepared, cells, max_years=CLIMATE_YEARS).climatology()["tas"]
    if not bool((normal == normal).all()):
        raise ValueError("management['cultivar']: adapted cultivars need every month of the year; "
                         "the forcing does not cover it")
    tas = torch.from_numpy(daily_from_monthly(normal)).to(slots[0].device)
    n = cells.n_cells
    sowing = orders.sowing_day.reshape(len(slots), -1, n).amax(dim=1)
    days = orders.season_days.reshape(len(slots), n)
    return [adapted(model, p, tas, site.latitude, sowing[k].clamp_min(1), days[k])
            for k, p in enumerate(slots)]


def _explain_crop(crop: str, model: CropModel) -> None:
    """Raise what is wrong with the name of a crop that a model has not."""
    from neuralcrop.crops import UnknownCropError, load_crop
    from neuralcrop.crops.wofost72 import split_name

    if model.set_name == "wofost72":
        split_name(crop)  # raises with the nearest name
        raise UnknownCropError(
            f"this model has no crop {crop!r}, only {', '.join(model.table.crops)}; "
            "model='wofost72' builds one with the crops that are asked for")
    load_crop(crop)  # raises with the nearest name


def _covariates(
    model: CropModel, prepared: Dataset, cells: CellIndex, management: Management,
    layers: Mapping[str, Any], site: Site,
) -> Tensor:
    from neuralcrop.data.climate import monthly_climate
    from neuralcrop.data.covariates import (
        Covariates,
        climate_covariates,
        soil_covariates,
        stack_covariates,
    )

    climate = climate_covariates(
        monthly_climate(prepared, cells),
        management.sowing_day.reshape(-1, cells.n_cells)[0].cpu().numpy())
    known = stack_covariates(climate, soil_covariates(layers, site))
    # forcing holds no series: the network sees a place without observations
    network = model.network
    series = () if network is None or network.encoder is None else network.encoder.names
    known = Covariates(
        torch.cat((known.values, torch.full((len(series), cells.n_cells), float("nan")))),
        (*known.names, *series))
    missing = [n for n in model.covariate_names if n not in known.names]
    if missing:
        raise ValueError(
            f"the model's parameter network needs the covariates {', '.join(missing)}, which "
            f"forcing and soil do not give; they give {', '.join(known.names)}")
    return known.values[[known.names.index(n) for n in model.covariate_names]]
