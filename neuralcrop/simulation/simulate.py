"""`neuralcrop.simulate`: from a forcing dataset to a dataset of seasons or days."""

from __future__ import annotations

import hashlib
import logging
import shutil
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.core.variables import REFERENCE_NAMES
from neuralcrop.models.crop_model import NUTRIENT_RECORD, CropModel
from neuralcrop.models.registry import ModelSpec, build_model, load_model
from neuralcrop.simulation.blocks import BlockRun, DailySink, Sink
from neuralcrop.simulation.integrate import RunState, Solver, Stepper
from neuralcrop.simulation.restart import load_restart, save_restart
from neuralcrop.simulation.season_totals import SeasonTotals, efficiencies
from neuralcrop.simulation.spinup import SpunUp, spin_up

if TYPE_CHECKING:
    from neuralcrop.config import SimulateConfig
    from neuralcrop.data.tensors import CellIndex, Dataset

log = logging.getLogger("neuralcrop.simulation")

Frequency = Literal["season", "monthly", "daily"]

CHUNK_VALUES = 2.5e8
"""Weather values held at a time: a gigabyte in single precision."""

EAGER_DAY, EAGER_CELL_DAY = 1e-2, 6e-6
"""Seconds that a day and a cell-day take uncompiled, roughly; only for the choice."""

COMPILE_PAYS = 120.0
"""Estimated eager seconds above which compiling pays."""

DEFAULT_DAILY = {
    "global": ("development_stage", "lai", "storage_carbon", "root_zone_wetness"),
    "wofost72": ("development_stage", "lai", "storage_weight", "root_zone_wetness"),
}


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


def simulate(
    forcing: Dataset | str | Path | Sequence[str | Path], *, crop: Any = None,
    model: str | Path | ModelSpec | CropModel = "physics", soil: Any = None,
    management: Any = None, co2: Any = None, frequency: Frequency = "season",
    variables: Sequence[str] | None = None,
    device: str | None = None, dtype: str | None = None, solver: Solver | None = None,
    compute: Compute | None = None, restart_from: str | Path | None = None,
    restart_to: str | Path | None = None, spin_up: int = 0,
    progress: Callable[[int], None] | None = None,
) -> Dataset:
    """Simulate one field, points or a grid.

    Parameters
    ----------
    forcing : Dataset or paths
        Daily weather, see `neuralcrop.open_forcing`.
    crop : str, sequence or DataArray
        Crop (of WOFOST also ``crop:variety``), or crop of each cell; by default the model's only
        crop, or else maize.
    model : str, path, ModelSpec or CropModel
        ``"physics"`` (with nitrogen and soil organic matter where ``management`` says anything of
        nitrogen, manure or tillage; else nitrogen never limits), ``"wofost72"``, a training run's
        directory, what to build, or a model.
    soil, management
        See `neuralcrop.data.soil.soil_layers` and
        `neuralcrop.data.management.prepare_management`.
    co2 : number, Series or path
        CO2 in ppm; by default what the forcing holds, or the historical record.
    frequency : {"season", "monthly", "daily"}
        One row for each harvest, month or day.
    variables : sequence of str, optional
        Variables of the registry; by default all of a season, or a few daily ones. Of seasons,
        states are those at harvest and fluxes sums from sowing to harvest.
    device, dtype : str, optional
        Short for ``compute``.
    solver : Solver, optional
        Integration of a day.
    compute : Compute, optional
        Device, precision, compilation, blocks, threads.
    restart_from, restart_to : path, optional
        Restart file to go on from, and to write. The forcing must follow the restart's last day.
    spin_up : int
        Years of the forcing, from its start, that bring the organic matter of the soil into balance
        before the run; 0 to start from the soil as given.
    progress : callable, optional
        Called with the number of cell-days done since the last call.

    Returns
    -------
    xarray.Dataset
        ``season`` (or ``time``) and the dimensions of the forcing.

    Raises
    ------
    InputError, UnknownCropError, ModelError, ValueError
        Naming every problem of the input.
    """
    run = prepare_run(
        forcing, crop=crop, model=model, soil=soil, management=management, co2=co2,
        solver=solver, compute=_with(compute, device, dtype))
    if spin_up:
        run.spin_up(spin_up)
    if frequency == "season":
        return _seasons(run, variables, restart_from, restart_to, progress)
    if frequency not in ("daily", "monthly"):
        raise ValueError(f"frequency is {frequency!r}, expected season, monthly or daily")
    return _days(run, frequency, variables, restart_from, restart_to, progress)


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
        climate_covariates,
        soil_covariates,
        stack_covariates,
    )

    climate = climate_covariates(
        monthly_climate(prepared, cells),
        management.sowing_day.reshape(-1, cells.n_cells)[0].cpu().numpy())
    known = stack_covariates(climate, soil_covariates(layers, site))
    missing = [n for n in model.covariate_names if n not in known.names]
    if missing:
        raise ValueError(
            f"the model's parameter network needs the covariates {', '.join(missing)}, which "
            f"forcing and soil do not give; they give {', '.join(known.names)}")
    return known.values[[known.names.index(n) for n in model.covariate_names]]


def _seasons(
    run: PreparedRun, variables: Sequence[str] | None, restart_from: str | Path | None,
    restart_to: str | Path | None, progress: Callable[[int], None] | None,
) -> Dataset:
    from neuralcrop.output.dataset import season_dataset, with_totals

    model = run.model
    derived = ("water_productivity", *(
        ("nitrogen_use_efficiency",) if "yield_nitrogen" in model.record_names else ()))
    known = (*model.record_names, *derived)
    more = tuple(v for v in variables or () if v not in known
                 and (v in model.state.sizes or v in model.fluxes.sizes))
    unknown = [v for v in variables or () if v not in known and v not in more]
    if unknown:
        remedy = "daily ones need frequency='daily'"
        if set(unknown) & set(NUTRIENT_RECORD):
            remedy = "those of nitrogen need a model with nutrients"
        raise ValueError(
            f"no seasonal variables {', '.join(unknown)}; known: {', '.join(known)}, and every "
            f"state and flux of the model ({remedy})")
    totals = SeasonTotals(model, more, run.cells.n_cells) if more else None
    records = run.execute(totals, restart_from, restart_to, progress)
    records |= efficiencies(records)
    usual = [name for name in known if name != "crop" or run.management.n_slots]
    chosen = {name: records[name].numpy() for name in variables or usual if name in known}
    seasons = season_dataset(
        chosen or {"yield": records["yield"].numpy()}, run.cells, _attributes(run),
        model.table.crops)
    if totals is None:
        return seasons
    return with_totals(
        seasons, {name: value.numpy() for name, value in totals.arrays().items()}, run.cells)


def _days(
    run: PreparedRun, frequency: str, variables: Sequence[str] | None,
    restart_from: str | Path | None, restart_to: str | Path | None,
    progress: Callable[[int], None] | None,
) -> Dataset:
    from neuralcrop.output.dataset import concat_time, monthly_mean

    parts: list[Dataset] = []
    _each_chunk(run, variables, parts.append, restart_from, restart_to, progress)
    dataset = concat_time(parts)
    return monthly_mean(dataset) if frequency == "monthly" else dataset


def _each_chunk(
    run: PreparedRun, variables: Sequence[str] | None, take: Callable[[Dataset], None],
    restart_from: str | Path | None = None, restart_to: str | Path | None = None,
    progress: Callable[[int], None] | None = None,
) -> None:
    """Run all days and hand on each chunk of days as a dataset."""
    from neuralcrop.output.dataset import daily_dataset

    time, attributes = run.forcing["time"], _attributes(run)
    done = 0

    def write(first_day: int, values: Mapping[str, Tensor]) -> None:
        nonlocal done
        arrays = {name: value.numpy().copy() for name, value in values.items()}
        n = len(next(iter(arrays.values())))
        take(daily_dataset(arrays, time[done : done + n], run.cells, attributes))
        done += n

    sink = DailySink(run.model, tuple(variables or DEFAULT_DAILY[run.model.set_name]), write)
    run.execute(sink, restart_from, restart_to, progress)


def _attributes(run: PreparedRun) -> dict[str, str]:
    from neuralcrop.output.provenance import provenance

    crops = [run.model.table.crops[k] for k in run.management.crop.unique().tolist()]
    return provenance(
        table_fingerprint=run.model.table.fingerprint(),
        config={"crop": crops, "solver": run.stepper.solver.__dict__,
                "dtype": run.compute.dtype, "model": _spec_of(run.model)})


def _spec_of(model: CropModel) -> str:
    spec = model.spec
    return "physics" if spec is None or spec == ModelSpec() else str(spec)


def _with(compute: Compute | None, device: str | None, dtype: Any) -> Compute:
    compute = compute or Compute()
    if device is not None:
        compute = replace(compute, device=str(device))
    if dtype is not None:
        compute = replace(compute, dtype=str(dtype).removeprefix("torch."))
    return compute


def run(config: SimulateConfig) -> Path:
    """``neuralcrop simulate``: simulate as configured and write the result; returns its path."""
    from neuralcrop.output.progress import cell_day_progress
    from neuralcrop.output.write import StreamWriter, write_dataset

    started = time.perf_counter()
    inputs = configured_inputs(config)
    prepared = prepare_run(**inputs)
    if config.spin_up:
        prepared.spin_up(config.spin_up)
    n_days = prepared.forcing.sizes["time"]
    total = n_days * prepared.cells.n_cells
    out = config.output
    path = Path(out.path) if out.path else config.run_dir / (
        "simulate.nc" if out.format == "netcdf" else "simulate.zarr")
    with cell_day_progress(total, "simulating") as progress:
        if out.frequency == "daily":
            with StreamWriter(path, out.format, out.dtype) as file:
                _each_chunk(prepared, out.variables, file.append, progress=progress)
        elif out.frequency == "monthly":
            dataset = _days(prepared, "monthly", out.variables, None, None, progress)
            write_dataset(dataset, path, format=out.format, dtype=out.dtype)
        else:
            dataset = _seasons(prepared, out.variables, None, None, progress)
            write_dataset(dataset, path, format=out.format, dtype=out.dtype)
    seconds = time.perf_counter() - started
    log.info("wrote %s: %d cells, %d days, %.1f s", path, prepared.cells.n_cells, n_days, seconds)
    return path


def configured_inputs(config: Any) -> dict[str, Any]:
    """Arguments of `prepare_run` from a simulation or projection configuration."""
    from neuralcrop.data.selection import forcing_of, management_of, soil_of

    management = management_of(config.management)
    chosen = ModelSpec(
        values=dict(config.crop.parameters), set=config.model.set,
        production=config.model.production,
        nutrients=config.model.with_nutrients(management), **config.model.components)
    model: str | ModelSpec = config.run or chosen
    compute = config.compute
    return {
        "forcing": forcing_of(config.forcing, config.domain),
        "crop": config.crop.name, "model": model, "soil": soil_of(config.soil),
        "management": management,
        "solver": Solver(config.solver.method, config.solver.step_size, config.solver.rtol,
                         config.solver.atol),
        "compute": Compute(compute.device, compute.dtype, compute.compile, compute.block_cells,
                           compute.threads),
    }

