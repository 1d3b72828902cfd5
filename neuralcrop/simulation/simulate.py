"""`neuralcrop.simulate`: from a forcing dataset to a dataset of seasons or days."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from torch import Tensor

from neuralcrop.models.crop_model import NUTRIENT_RECORD, CropModel
from neuralcrop.models.registry import ModelSpec
from neuralcrop.simulation.blocks import DailySink
from neuralcrop.simulation.integrate import Solver
from neuralcrop.simulation.prepare import Compute, PreparedRun, prepare_run
from neuralcrop.simulation.season_totals import SeasonTotals, efficiencies

if TYPE_CHECKING:
    from neuralcrop.config import SimulateConfig
    from neuralcrop.data.tensors import Dataset

log = logging.getLogger("neuralcrop.simulation")

Frequency = Literal["season", "monthly", "daily"]

DEFAULT_DAILY = {
    "global": ("development_stage", "lai", "storage_carbon", "root_zone_wetness"),
    "wofost72": ("development_stage", "lai", "storage_weight", "root_zone_wetness"),
}


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

