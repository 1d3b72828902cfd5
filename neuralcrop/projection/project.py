"""``neuralcrop project``: yields of all climates of a scenario, as files, maps and a summary."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import xarray as xr

from neuralcrop.config import ProjectConfig
from neuralcrop.config.sections import ScenarioMember
from neuralcrop.data.errors import InputError, Problem
from neuralcrop.data.files import describe, expand
from neuralcrop.data.selection import forcing_of
from neuralcrop.output.dataset import record_dataset
from neuralcrop.output.progress import cell_day_progress
from neuralcrop.output.provenance import provenance
from neuralcrop.output.write import check_writable, write_dataset
from neuralcrop.projection.figures import draw_maps
from neuralcrop.projection.scenarios import changed_forcing, describe_change
from neuralcrop.projection.summary import print_summary, summarise, write_summary
from neuralcrop.projection.years import add_changes, by_year, harvest_lag
from neuralcrop.simulation.integrate import Stepper
from neuralcrop.simulation.prepare import PreparedRun, prepare_run
from neuralcrop.simulation.simulate import configured_inputs

log = logging.getLogger("neuralcrop.projection")

SUMMARY = "summary.csv"


def run(config: ProjectConfig) -> Path:
    """Project the climates of a scenario.

    The same crop grows in all climates: its parameters, which a trained model may draw from the
    climate, and, unless ``scenario.sowing`` says otherwise, its sowing days are those of the
    baseline.

    Parameters
    ----------
    config : ProjectConfig
        The configuration.

    Returns
    -------
    Path
        Directory with ``<climate>.nc`` (or ``.zarr``), ``<climate>.png`` and ``summary.csv``.

    Raises
    ------
    InputError, ModelError, ValueError
        If inputs are wrong; the climates are checked before the first one runs.
    OSError
        If the directory cannot be written; files that are there are complete.
    """
    directory = Path(config.output.path) if config.output.path else config.run_dir
    check_writable(directory)
    started = time.perf_counter()
    projection = Projection(config)
    members = _baseline_first(config)
    means: dict[str, xr.Dataset] = {}
    with cell_day_progress(projection.cell_days * len(members), "projecting") as progress:
        for member in members:
            dataset = projection.simulate(member, progress)
            suffix = "nc" if config.output.format == "netcdf" else "zarr"
            write_dataset(dataset, directory / f"{member.name}.{suffix}",
                          config.output.format, config.output.dtype)
            means[member.name] = dataset[[v for v in dataset if str(v).endswith("_mean")]]
    rows = summarise(means)
    write_summary(rows, directory / SUMMARY)
    if config.output.maps:
        draw_maps(means, directory)
    print_summary(rows, {m.name: describe_change(m) for m in members})
    log.info("wrote %d climates to %s in %.1f s", len(members), directory,
             time.perf_counter() - started)
    return directory


class Projection:
    """Baseline and the runs of the other climates.

    Parameters
    ----------
    config : ProjectConfig
        The configuration.

    Raises
    ------
    InputError, ModelError, ValueError
        If inputs are wrong, of any climate.
    """

    def __init__(self, config: ProjectConfig) -> None:
        self.config = config
        self._inputs = configured_inputs(config)
        self._weather: xr.Dataset = self._inputs["forcing"]
        for member in config.scenario.members:
            # nothing is calculated yet; wrong changes and paths are found
            if member.path is None:
                changed_forcing(self._weather, member)
            else:
                expand(member.path)
        first = _baseline_first(config)[0]
        base = self._prepare(self._forcing(first))
        # compiling pays sooner for all climates together
        compiled = base.compute.compiles(
            base.cells.n_cells, base.forcing.sizes["time"] * len(config.scenario.members))
        self._base = replace(base, stepper=Stepper(base.model, base.stepper.solver, compiled))
        if config.spin_up:  # all climates start from the same soil
            self._base.spin_up(config.spin_up)
        self._inputs["model"] = base.model
        self._lag: np.ndarray | None = None
        self._baseline: xr.Dataset | None = None

    @property
    def cell_days(self) -> int:
        """Cell-days of the baseline."""
        return int(self._base.forcing.sizes["time"]) * self._base.cells.n_cells

    def simulate(
        self, member: ScenarioMember, progress: Callable[[int], None] | None = None
    ) -> xr.Dataset:
        """Yields of a climate and their change; the baseline must come first.

        Parameters
        ----------
        member : ScenarioMember
            The climate.
        progress : callable, optional
            Called with the number of cell-days done since the last call.

        Returns
        -------
        xarray.Dataset
            Over ``year`` and the dimensions of the forcing; see `years.add_changes`.
        """
        prepared = self._run_of(member)
        records = {name: values.numpy().astype(self.config.output.dtype)
                   for name, values in prepared.execute(progress=progress).items()}
        if self._lag is None:
            self._lag = harvest_lag(records)
        calendar_year = prepared.forcing["time"].dt.year.values
        years, yearly = by_year(
            records, self._lag, (int(calendar_year[0]), int(calendar_year[-1])))
        year = xr.DataArray(years, dims="year", attrs={
            "units": "1", "long_name": "calendar year of harvest, as usual in the baseline"})
        dataset = record_dataset(yearly, year, prepared.cells, self._attributes(member, prepared))
        if self._baseline is None:
            self._baseline = dataset[["yield"]]
        return add_changes(dataset, self._baseline)

    def _run_of(self, member: ScenarioMember) -> PreparedRun:
        base, scenario = self._base, self.config.scenario
        if member.name == scenario.baseline:
            return base
        forcing = self._forcing(member)
        if member.path is None and scenario.sowing == "baseline":
            return replace(base, forcing=forcing)
        other = self._prepare(forcing)
        _check_places(member, base, other)
        management = other.management
        if scenario.sowing == "baseline":
            management = replace(management, sowing_day=base.management.sowing_day,
                                 first_year=base.management.first_year)
        # the same plants: parameters that a network drew from the climate stay, too
        return replace(other, management=management, parameters=base.parameters,
                       stepper=base.stepper, begun=base.begun)

    def _prepare(self, forcing: xr.Dataset) -> PreparedRun:
        return prepare_run(**{**self._inputs, "forcing": forcing})

    def _forcing(self, member: ScenarioMember) -> xr.Dataset:
        if member.path is None:
            return changed_forcing(self._weather, member)
        section = self.config.forcing
        section = section.model_copy(update={
            "path": member.path, "years": member.years or section.years,
            "co2": section.co2 if member.co2 is None else member.co2})
        return changed_forcing(forcing_of(section, self.config.domain), member)

    def _attributes(self, member: ScenarioMember, prepared: PreparedRun) -> dict[str, str]:
        config, weather = self.config, prepared.forcing.attrs
        crops = ", ".join(prepared.model.table.crops[k]
                          for k in prepared.management.crop.unique().tolist())
        return provenance(
            config, prepared.model.table.fingerprint(), model=config.run or "physics",
            title=f"Yields of {crops} in the climate {member.name}", crop=crops,
            scenario=member.name, scenario_change=describe_change(member),
            scenario_baseline=config.scenario.baseline,
            sowing=f"days of sowing: {config.scenario.sowing}",
            forcing=describe(member.path or config.forcing.path or "none"),
            **{f"forcing_{key}": weather.get(key) for key in ("title", "source", "comment")})


def _baseline_first(config: ProjectConfig) -> list[ScenarioMember]:
    scenario = config.scenario
    return sorted(scenario.members, key=lambda member: member.name != scenario.baseline)


def _check_places(member: ScenarioMember, base: PreparedRun, other: PreparedRun) -> None:
    """Changes compare place by place."""
    same = base.cells.n_cells == other.cells.n_cells and all(
        np.allclose(getattr(base.cells, n), getattr(other.cells, n), atol=1e-3, equal_nan=True)
        for n in ("lat", "lon"))
    if not same:
        raise InputError([Problem(
            f"scenario member {member.name}", f"its forcing has other places: "
            f"{other.cells.n_cells} cells with data, the baseline {base.cells.n_cells}",
            "the same places, in the same order",
            "regrid one of them, or choose cells with domain.lat and domain.lon")],
            describe(member.path or "scenario"))
