"""What a day needs from outside the model, as tensors."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import Self

import torch
from torch import Tensor

from neuralcrop.core.variables import FORCING_NAMES, N_SOIL_LAYERS

SOIL_LAYER_BOTTOM: tuple[float, ...] = (0.2, 0.5, 1.0, 2.0, 3.0)
"""Lower bounds of the soil layers, m (LPJmL; Schaphoff et al. 2018)."""

SOIL_LAYER_THICKNESS: tuple[float, ...] = (0.2, 0.3, 0.5, 1.0, 1.0)
"""Thickness of the soil layers, m."""


@dataclass(frozen=True)
class DailyForcing:
    """Daily weather of a span of days.

    Attributes
    ----------
    values : Tensor
        ``[time, variable, cell]``; rows in the order of ``names``, in registry units.
    day_of_year : Tensor
        ``[time]`` calendar day of the year, from 1.
    solar_day : Tensor
        ``[time]`` day of a 365.25-day solar year, for the position of the sun; equals
        ``day_of_year`` in the standard calendar.
    year : Tensor
        ``[time]`` calendar year, integer.
    first_day : int
        Index of the first day since the run's epoch, so that day numbers run on over chunks.
    names : tuple of str
        Variables of the rows, as the model needs them.
    """

    values: Tensor
    day_of_year: Tensor
    solar_day: Tensor
    year: Tensor
    first_day: int = 0
    names: tuple[str, ...] = FORCING_NAMES

    def __post_init__(self) -> None:
        n = self.values.shape[0]
        if self.values.ndim != 3 or self.values.shape[1] != len(self.names):
            raise ValueError(
                f"forcing values have shape {tuple(self.values.shape)}, expected "
                f"[time, {len(self.names)}, cell] with rows {', '.join(self.names)}"
            )
        for name in ("day_of_year", "solar_day", "year"):
            if getattr(self, name).shape != (n,):
                raise ValueError(f"forcing {name} must have one entry for each of {n} days")

    @property
    def n_days(self) -> int:
        """Number of days."""
        return self.values.shape[0]

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return self.values.shape[2]

    def days(self, start: int, stop: int) -> DailyForcing:
        """Days ``start`` to ``stop`` (exclusive, counted within this span)."""
        return DailyForcing(
            self.values[start:stop], self.day_of_year[start:stop], self.solar_day[start:stop],
            self.year[start:stop], self.first_day + start, self.names,
        )

    def cells(self, index: slice | Tensor) -> DailyForcing:
        """The same days for some cells."""
        return replace(self, values=self.values[:, :, index])

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> DailyForcing:
        """Move everything to a device and the floating-point tensors to a precision."""
        def moved(x: Tensor) -> Tensor:
            return x.to(device=device, dtype=dtype if x.is_floating_point() else None)

        return DailyForcing(
            moved(self.values), moved(self.day_of_year), moved(self.solar_day), moved(self.year),
            self.first_day, self.names)


class _CellFields:
    """Cell selection and moves shared by records whose tensors end with the cell dimension."""

    def cells(self, index: slice | Tensor) -> Self:
        """The same record for some cells."""
        return self._with(lambda x: x[..., index])

    def to(
        self, device: torch.device | str | None = None, dtype: torch.dtype | None = None
    ) -> Self:
        """Move everything to a device and the floating-point tensors to a precision."""
        return self._with(lambda x: x.to(
            device=device, dtype=dtype if x.is_floating_point() else None))

    def _with(self, change: Callable[[Tensor], Tensor]) -> Self:
        tensors = {f.name: change(v) for f in fields(self)  # type: ignore[arg-type]
                   if isinstance(v := getattr(self, f.name), Tensor)}
        return replace(self, **tensors)  # type: ignore[type-var]

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return int(getattr(self, fields(self)[0].name).shape[-1])  # type: ignore[arg-type]


@dataclass(frozen=True)
class Site(_CellFields):
    """What stays the same at a place.

    Attributes
    ----------
    latitude, longitude : Tensor
        ``[cell]`` degrees north and east; longitude is carried for reports only.
    elevation : Tensor
        ``[cell]`` m.
    wilting_point, field_capacity, saturation : Tensor
        ``[layer, cell]`` volumetric water content, m3 m-3.
    saturated_conductivity : Tensor
        ``[layer, cell]`` mm h-1.
    soil_depth : Tensor
        ``[cell]`` depth to which roots can grow, m.
    texture : Tensor or None
        ``[4, cell]`` mass fractions of sand and clay, organic carbon (%) and pH of the topsoil, for
        models with nutrients.
    deposition : Tensor or None
        ``[2, cell]`` deposition of nitrate and ammonium nitrogen, g m-2 d-1.
    bund : Tensor or None
        ``[cell]`` height of the bund that keeps water on the field, mm; none by default.
    evaporation_factor : Tensor or None
        ``[cell]`` factor on soil evaporation, below 1 where drip irrigation wets a part of the
        soil.
    """

    latitude: Tensor
    longitude: Tensor
    elevation: Tensor
    wilting_point: Tensor
    field_capacity: Tensor
    saturation: Tensor
    saturated_conductivity: Tensor
    soil_depth: Tensor
    texture: Tensor | None = None
    deposition: Tensor | None = None
    bund: Tensor | None = None
    evaporation_factor: Tensor | None = None

    def __post_init__(self) -> None:
        for name in ("wilting_point", "field_capacity", "saturation", "saturated_conductivity"):
            if getattr(self, name).shape[0] != N_SOIL_LAYERS:
                raise ValueError(
                    f"site {name} has {getattr(self, name).shape[0]} layers, expected "
                    f"{N_SOIL_LAYERS} (bottoms at {SOIL_LAYER_BOTTOM} m)"
                )


IRRIGATION_ROWS = (
    "efficiency", "canopy", "surplus", "daily_limit", "seasonal_limit", "low", "high", "until",
)
"""Rows of `Management.irrigation_system`."""

PLAN_ROWS = ("day", "stage", "nitrate", "ammonium", "manure")
"""Rows of `Management.fertiliser_plan`."""

GIFT_ROWS = PLAN_ROWS[2:]
"""Rows of the entries of `Management.fertiliser_dates`."""

RESIDUE_ROWS = ("grain", "removed", "burnt")
"""Rows of `Management.residues`."""

TILLAGE_ROWS = ("sowing", "harvest")
"""Rows of `Management.tillage`."""

N_GIFTS = 6
"""Gifts of a fertiliser plan at most."""


@dataclass(frozen=True)
class Management(_CellFields):
    """What the farmer decides.

    With a sequence of crops all tensors but those of dates have a leading dimension of slots, the
    crops that a cell may be sown with.

    Attributes
    ----------
    crop : Tensor
        ``[cell]`` integer index into the catalogue's crops.
    sowing_day : Tensor
        ``[year, cell]`` day of year of sowing, 0 for none; one row serves all years.
    first_year : int
        Calendar year of the first row of ``sowing_day``; later rows follow, the last serves on.
    harvest_day : Tensor
        ``[cell]`` day of year of a fixed harvest, 0 to harvest at maturity.
    irrigation_threshold : Tensor
        ``[cell]`` relative root-zone water below which the cell is irrigated; 0 for rainfed.
    irrigation_target : Tensor
        ``[cell]`` relative root-zone water to which irrigation refills.
    irrigation_dates : mapping of int to Tensor
        Day index of the run to ``[cell]`` mm applied that morning.
    irrigation_system : Tensor or None
        ``[row, cell]``, rows `IRRIGATION_ROWS`: share of the water that reaches the field, 1 where
        water wets the canopy, share of the range from capacity to saturation that is filled too,
        most water a day and a season (mm), marks between which water is ponded (mm, 0 for none)
        and the development stage until which it is; by default water comes without losses.
    fertiliser_plan : Tensor or None
        ``[row, gift, cell]``, rows `PLAN_ROWS`: day after sowing and development stage from which
        a gift is due, and its nitrate, ammonium and manure, g m-2 of nitrogen; `N_GIFTS` gifts.
    fertiliser_dates : mapping of int to Tensor
        Day index of the run to ``[row, cell]``, rows `GIFT_ROWS`.
    residues : Tensor or None
        ``[row, cell]``, rows `RESIDUE_ROWS`: share of the grain that is harvested, and of the
        residues that is taken off and that is burnt; the rest stays on the field.
    tillage : Tensor or None
        ``[row, cell]``, rows `TILLAGE_ROWS`: share of the surface litter that is worked into the
        soil at sowing and after harvest.
    bund : Tensor or None
        ``[cell]`` height of the bund, mm; see `Site`.
    evaporation_factor : Tensor or None
        ``[cell]`` factor on soil evaporation; see `Site`.
    season_days : Tensor or None
        ``[cell]`` days from sowing to maturity of a cultivar that fits the climate; 0 for the
        catalogue's, below 0 for the crop's typical season.
    """

    crop: Tensor
    sowing_day: Tensor
    harvest_day: Tensor
    irrigation_threshold: Tensor
    irrigation_target: Tensor
    first_year: int = 0
    irrigation_dates: dict[int, Tensor] | None = None
    irrigation_system: Tensor | None = None
    fertiliser_plan: Tensor | None = None
    fertiliser_dates: dict[int, Tensor] | None = None
    residues: Tensor | None = None
    tillage: Tensor | None = None
    bund: Tensor | None = None
    evaporation_factor: Tensor | None = None
    season_days: Tensor | None = None

    def _with(self, change: Callable[[Tensor], Tensor]) -> Self:
        dated = {
            name: {day: change(amount) for day, amount in dates.items()}
            for name in ("irrigation_dates", "fertiliser_dates")
            if (dates := getattr(self, name)) is not None}
        return replace(super()._with(change), **dated)  # type: ignore[arg-type]

    @property
    def n_slots(self) -> int:
        """Crops of a sequence; 0 without one."""
        return self.crop.shape[0] if self.crop.dim() == 2 else 0

    def sowing_row(self, year: int) -> int:
        """Row of ``sowing_day`` that holds for a calendar year."""
        return min(max(year - self.first_year, 0), self.sowing_day.shape[-2] - 1)

    def later(self, days: int) -> Self:
        """The same orders for a run whose day index is higher by ``days``."""
        moved = {
            name: {day + days: amount for day, amount in dates.items()}
            for name in ("irrigation_dates", "fertiliser_dates")
            if (dates := getattr(self, name)) is not None}
        return replace(self, **moved)  # type: ignore[arg-type]

    def prepared_site(self, site: Site) -> Site:
        """The site with the bunds and pipes of this management."""
        return replace(
            site, bund=site.bund if self.bund is None else self.bund,
            evaporation_factor=(site.evaporation_factor if self.evaporation_factor is None
                                else self.evaporation_factor))
