"""What every set of processes shares: parameters of cells, closure slots, the order of calls."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from neuralcrop.closures.parameter_network import ParameterNetwork
from neuralcrop.core.forcing import DailyForcing, Management, Site
from neuralcrop.core.ledger import Ledger
from neuralcrop.core.numerics import row_sum
from neuralcrop.core.parameters import ParameterTable
from neuralcrop.core.state import Layout, Stoichiometry
from neuralcrop.core.variables import FORCING_NAMES, REGISTRY
from neuralcrop.models.closure_slots import ClosureSlots, Processes
from neuralcrop.models.orders import Irrigation, Residues

WATER_CARBON_RECORD = (
    "yield", "biom", "plantday", "plantyear", "anthday", "matyday", "harvday", "harvyear",
    "harvest_reason", "gpp", "transp", "evap", "pr_season", "pirnreq", "initr", "runoff",
    "drainage", "lai_max", "water_residual", "carbon_residual", "crop",
)
"""Outputs of a season that every set gives, written at harvest."""

NUTRIENT_RECORD = (
    "nuptake", "nfert", "nfix", "ndep", "nleach", "ngas", "n2o", "yield_nitrogen",
    "biom_nitrogen", "nitrogen_residual",
)
"""Outputs of a season of models with nitrogen."""


class CropModel(ClosureSlots, ABC):
    r"""A differentiable crop model: parameters, processes and closures.

    The state of every cell obeys :math:`dx/dt = S\,v(x, u, \theta)`: processes give fluxes v, the
    constant stoichiometry S moves them between stocks and reservoirs. Sets of processes
    (`GlobalModel`, `Wofost72`) say what the state is and how a day goes; integration, events,
    blocks, training and output are the same for all.

    Parameters
    ----------
    table : ParameterTable
        Parameters of the crops, with the specs of the set.
    parts : Processes
        Processes of the set.
    network : ParameterNetwork, optional
        Gives parameter offsets from covariates of a place.
    covariates : sequence of str
        Names of the covariates that the network sees, in order.

    Attributes
    ----------
    set_name : str
        Name of the set.
    state, fluxes, stoichiometry
        What a cell holds, what flows, and where to.
    reservoirs : tuple of str
        What has crossed the boundary since the last sowing.
    fallow_state : Layout
        Rows of the state that change while no cell has a crop; empty if the set makes no
        difference.
    fallow_parameters : Layout
        Parameters that are read then.
    forcing_names : tuple of str
        Rows of the weather of a day.
    history_rows : tuple of str
        Rows of the state of which the set reads former days; none for most.
    n_wanted : int
        Rows of the history that a day reads.
    place_gradient : str
        Field of the place that holds what was calculated of the parameters, for sets with a
        history.
    crop_stocks : tuple of str
        Rows of the state that hold matter only where a crop stands.
    record_names : tuple of str
        Entries of the record of a season, in the order of outputs.
    daily_euler : bool
        Whether the set is defined by one Euler step a day.
    can_fail : bool
        Whether crops without leaves, or that do not emerge, are given up.
    """

    set_name: ClassVar[str]
    state: Layout
    reservoirs: tuple[str, ...]
    fluxes: Layout
    stoichiometry: Stoichiometry
    fallow_state: Layout = Layout({})
    forcing_names: ClassVar[tuple[str, ...]] = FORCING_NAMES
    history_rows: ClassVar[tuple[str, ...]] = ()
    place_gradient: ClassVar[str] = ""
    record_names: tuple[str, ...] = WATER_CARBON_RECORD
    crop_stocks: ClassVar[tuple[str, ...]]
    daily_euler: ClassVar[bool] = False
    n_wanted: ClassVar[int] = 0
    can_fail: ClassVar[bool] = False
    covariate_mean: Tensor
    covariate_scale: Tensor
    parts: Any
    spec: Any = None

    def __init__(
        self, table: ParameterTable, parts: Processes,
        network: ParameterNetwork | None = None, covariates: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.table = table
        self.parts = parts
        self.network = network
        self.covariate_names = tuple(covariates)
        self.ledger = Ledger(self.state)
        self.fallow_parameters = Layout({})
        n = len(self.covariate_names)
        self.register_buffer("covariate_mean", torch.zeros(n))
        self.register_buffer("covariate_scale", torch.ones(n))

    def cell_parameters(
        self, crop: Tensor, dtype: torch.dtype, covariates: Tensor | None = None
    ) -> Tensor:
        """Parameters of every cell: catalogue, learned constants, and the network's offsets.

        Parameters
        ----------
        crop : Tensor
            ``[cell]`` crop index.
        dtype : torch.dtype
            Of the result.
        covariates : Tensor, optional
            ``[covariate, cell]`` in their own units, in the order of `covariate_names`; NaN counts
            as average, in the rows of series as not observed. Needed where the model has a network.

        Returns
        -------
        Tensor
            ``[parameter row, cell]``.

        Raises
        ------
        ValueError
            If the model has a network and no covariates are given.
        """
        network = self.network
        if network is None:
            return self.table(crop, dtype)
        if covariates is None:
            raise ValueError(
                "this model has a parameter network and needs the covariates "
                f"{', '.join(self.covariate_names)} of every cell")
        mean, scale = self.covariate_mean.unsqueeze(-1), self.covariate_scale.unsqueeze(-1)
        n = len(covariates) - network.n_series
        given = covariates.to(mean.dtype)
        known = ((given[:n] - mean[:n]) / scale[:n]).clamp(-4.0, 4.0)
        return self.table(crop, dtype, network(torch.nan_to_num(known), given[n:]))

    @property
    def variant(self) -> str:
        """Switches that change results, for restart files."""
        return ""

    def choose_pathways(self, crop: Tensor) -> None:
        """Leave out alternatives that no cell's crop needs; by default there are none."""

    def settle(self, p: Tensor, site: Site) -> Tensor:
        """Parameters with the site's own values in place of the table's; by default all stay."""
        return p

    @abstractmethod
    def place(self, p: Mapping[str, Tensor], site: Site) -> Any:
        """Precompute what a run needs of a site, once."""

    @abstractmethod
    def start(
        self, forcing: DailyForcing, site: Site, p: Tensor, wetness: float = 0.7
    ) -> dict[str, Tensor]:
        """State of cells without a crop, by name.

        Parameters
        ----------
        forcing : DailyForcing
            Its first month may set slow variables.
        site : Site
            Soil.
        p : Tensor
            Parameters, ``[parameter row, cell]``.
        wetness : float
            Soil water: 0 at wilting point, 1 at field capacity.
        """

    @abstractmethod
    def ripe(self, x: Tensor, p: Tensor) -> Tensor:
        """Whether the crop of a cell is ripe, if it has one, ``[cell]``."""

    @abstractmethod
    def standing_yield(self, x: Tensor, p: Tensor) -> Tensor:
        """Yield that stands in the field, t ha-1 dry matter, ``[cell]``."""

    @abstractmethod
    def diagnostics(self, x: Tensor, p: Tensor, place: Any) -> dict[str, Tensor]:
        """Daily variables that are neither state nor flux: ``lai``, ``root_zone_wetness``."""

    # --- what events do to the state; ``s`` is the state by name and is changed in place

    def refusals(self, management: Management) -> list[str]:
        """What of the management the set has no use for; a run with it is refused."""
        given = {
            "nitrogen or manure": (management.fertiliser_plan, management.fertiliser_dates),
            "residues": (management.residues,), "tillage": (management.tillage,),
            "irrigation systems and limits": (
                management.irrigation_system, management.bund, management.evaporation_factor),
            "adapted cultivars": (management.season_days,),
            "sequences of crops": (management.crop if management.n_slots else None,),
        }
        return [name for name, values in given.items() if any(v is not None for v in values)]

    def bare(self, x: Tensor, p: Tensor) -> Tensor:
        """Whether a crop that should have leaves has none, ``[cell]``; for sets with `can_fail`."""
        raise NotImplementedError  # called only where `can_fail`

    def emergence_limit(self, p: Tensor) -> Tensor:
        """Days after sowing by which a crop has emerged or failed, for sets with `can_fail`."""
        raise NotImplementedError  # called only where `can_fail`

    def stored(self, s: Mapping[str, Tensor], element: str) -> Tensor | None:
        """What the stocks of a cell hold of an element, ``[cell]``; None if there are none."""
        rows = [row_sum(s[name].reshape(-1, s[name].shape[-1])) for name in self.state.names
                if REGISTRY[name].element == element and name not in self.reservoirs]
        return sum(rows[1:], rows[0]) if rows else None

    @abstractmethod
    def record(
        self, s: dict[str, Tensor], x: Tensor, p: Tensor, book: Mapping[str, Tensor],
        residues: Residues,
    ) -> dict[str, Tensor]:
        """Entries of the record of a season that only the set knows.

        ``yield`` and ``biom`` (t ha-1 dry matter), ``gpp`` (g m-2 carbon), ``evap`` and ``initr``
        (mm), ``carbon_residual`` (relative), and those of nitrogen where the set has it.

        Parameters
        ----------
        s, x, p
            State by name and as a tensor; parameters.
        book : mapping of str to Tensor
            Bookkeeping of the season: ``start_carbon``, ``start_nitrogen``.
        residues : Residues
            What the harvest takes.
        """

    @abstractmethod
    def harvest(
        self, s: dict[str, Tensor], harvest: Tensor, residues: Residues, tillage: Tensor | None
    ) -> None:
        """Take the crop off the cells where ``harvest``."""

    @abstractmethod
    def sow(
        self, s: dict[str, Tensor], p: Mapping[str, Tensor], sow: Tensor, tillage: Tensor | None
    ) -> None:
        """Put seed into the cells where ``sow``."""

    def fertilise(
        self, s: dict[str, Tensor], nitrate: Tensor, ammonium: Tensor, manure: Tensor
    ) -> None:
        """Spread nitrate, ammonium and manure, g m-2 of nitrogen, ``[cell]``."""
        raise NotImplementedError  # `refusals` keeps sets without nitrogen from it

    @abstractmethod
    def stored_water(self, s: Mapping[str, Tensor]) -> Tensor:
        """Water that the cell holds, mm, ``[cell]``."""

    @abstractmethod
    def irrigate(
        self, s: dict[str, Tensor], p: Mapping[str, Tensor], place: Any, active: Tensor,
        wetness: Tensor, water: Irrigation,
    ) -> None:
        """Irrigate to a target where root-zone water is below the threshold, and by amounts.

        Parameters
        ----------
        s, p, place
            State and parameters by name; the place.
        active : Tensor
            Whether a cell has a crop.
        wetness : Tensor
            Relative root-zone water this morning, ``[cell]``.
        water : Irrigation
            What is asked for.
        """

    # --- the day

    @abstractmethod
    def rates(
        self, x: Tensor, weather: Tensor, solar_day: Tensor, p: Tensor, place: Any, h: float,
        *past: Tensor,
    ) -> tuple[Tensor, Tensor]:
        """Rates of the state and the fluxes behind them for one day.

        Parameters
        ----------
        x : Tensor
            State, ``[state row, cell]``.
        weather : Tensor
            ``[forcing row, cell]``.
        solar_day : Tensor
            Day of the solar year, scalar tensor.
        p : Tensor
            Parameters, ``[parameter row, cell]``.
        place : NamedTuple
            From `place`.
        h : float
            Step of the integrator for the donor limiters, d; 0 for their continuous limit.
        *past : Tensor
            Former mornings that the day reads and where they were found, for sets with a history.

        Returns
        -------
        tuple of Tensor
            ``dx/dt``, ``[state row, cell]``, and fluxes, ``[flux row, cell]``.
        """

    def fallow_rates(
        self, x: Tensor, weather: Tensor, solar_day: Tensor, p: Tensor, place: Any, h: float
    ) -> tuple[Tensor, Tensor]:
        """`rates` where no cell has a crop, of the rows of `fallow_state` alone."""
        raise NotImplementedError  # called only where `fallow_state` has rows

    # --- sets whose day depends on former days

    def history_length(self, p: Tensor) -> int:
        """Days to look back at most."""
        return 0

    def wanted_days(self, x: Tensor, p: Tensor, history: Tensor, row: Tensor) -> Tensor:
        """Rows of the history that the day reads, integers, the first `n_wanted` of ``[k, cell]``.

        Parameters
        ----------
        x, p : Tensor
            State and parameters.
        history : Tensor
            ``[day, column, cell]``: `history_rows` of former mornings, and a column of sums.
        row : Tensor
            Row of this morning, scalar integer.
        """
        raise NotImplementedError  # called only where `history_rows` names some

    def age(self, history: Tensor, x: Tensor, weather: Tensor, p: Tensor) -> None:
        """Change the column of sums at the end of a day, in place; by default nothing."""
