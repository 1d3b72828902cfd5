"""Spin-up of litter and soil organic matter: the linear steady state, then a few years of model.

Slow organic matter needs thousands of years to settle, but its losses are linear in the stocks. A
cycle runs the weather once, measures what enters the pools and at which mean rates they decay, and
sets them to the state in which inputs and losses balance. Crops answer to the new soil, so the
cycle is repeated until the pools stay.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from neuralcrop.core.forcing import DailyForcing
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.global_ import CROP_NITROGEN, CROP_STOCKS, LITTERS, MATURE
from neuralcrop.models.global_nutrients import whole_stock
from neuralcrop.physics.soil_carbon import DecayRates, LitterShares, OrganicMatter, steady_state
from neuralcrop.simulation.blocks import BlockRun
from neuralcrop.simulation.integrate import RunState

POOLS = (*(f"{name}_litter" for name in LITTERS), "fast", "slow")
"""Stems of the names of the pools, in the order of `OrganicMatter`."""

LIMIT = {"carbon": 1e5, "nitrogen": 1e4}
"""No pool is set above this, g m-2: frozen soil would gather matter without end."""


class FluxSums:
    """Sums over days of the stocks in the morning and of all fluxes, ``[row, cell]``.

    Parameters
    ----------
    model : CropModel
        Whose days they are.
    n_cells : int
        Number of cells.

    Attributes
    ----------
    start, end : Tensor
        State on the first morning and on the last evening.
    """

    names: tuple[str, ...] = ()

    def __init__(self, model: CropModel, n_cells: int) -> None:
        def zeros(rows: int) -> Tensor:
            return torch.zeros(rows, n_cells, dtype=torch.float64)

        self.model, self.days = model, 0
        self.stocks, self.fluxes = zeros(model.state.n_rows), zeros(model.fluxes.n_rows)
        self.start, self.end = zeros(model.state.n_rows), zeros(model.state.n_rows)

    def open(self, n_days: int, n_cells: int, dtype: torch.dtype) -> None:
        """A chunk of days begins."""
        self.first, self.days = self.days, self.days + n_days

    def put(
        self, k: int, cells: slice, morning: Tensor, x: Tensor, fluxes: Tensor,
        diagnostics: Mapping[str, Tensor],
    ) -> None:
        """Add a day of some cells."""
        n = cells.stop - cells.start
        self.stocks[:, cells] += morning[:, :n].cpu()
        self.fluxes[:, cells] += fluxes[:, :n].cpu()
        if self.first + k == 0:
            self.start[:, cells] = morning[:, :n].double().cpu()
        self.end[:, cells] = x[:, :n].double().cpu()

    def close(self, first_day: int) -> None:
        """A chunk of days ends."""

    def stock(self, name: str) -> Tensor:
        """Mean stock in the morning."""
        return self.model.state.get(self.stocks, name) / self.days

    def gain(self, name: str) -> Tensor:
        """Mean change of a stock, d-1."""
        of = self.model.state.get
        return (of(self.end, name) - of(self.start, name)) / self.days

    def flux(self, name: str) -> Tensor:
        """Mean flux, d-1."""
        return self.model.fluxes.get(self.fluxes, name) / self.days


@dataclass(frozen=True)
class SpunUp:
    """A spun-up soil.

    Attributes
    ----------
    state : RunState
        State to start from, at day 0.
    cycles : list of dict
        For each cycle, the mean carbon and nitrogen of the soil (g m-2) and ``change``, the mean
        change of the carbon pools since the cycle before relative to their sum.
    converged : bool
        Whether the last change was within the tolerance.
    """

    state: RunState
    cycles: list[dict[str, float]]
    converged: bool


def spin_up(
    blocks: BlockRun, chunks: Callable[[], Iterable[DailyForcing]], *, cycles: int = 6,
    tolerance: float = 0.01, progress: Callable[[int], None] | None = None,
) -> SpunUp:
    """Soil in balance with weather and management.

    Parameters
    ----------
    blocks : BlockRun
        Cells to run, without any state yet; a fresh one is needed for the run itself.
    chunks : callable
        Gives the days of a cycle, from day 0; whole years.
    cycles : int
        Most cycles. Each runs the days once more.
    tolerance : float
        Mean relative change of the organic matter between cycles that counts as settled.
    progress : callable, optional
        Called with the number of cell-days done.

    Raises
    ------
    ValueError
        If the model has no soil organic matter.
    """
    model = blocks.stepper.model
    if "slow_carbon" not in model.state.sizes:
        raise ValueError(
            "only models with nutrients have organic matter to spin up: nutrients=True")
    state: RunState | None = None
    settled: dict[str, Tensor] = {}
    report: list[dict[str, float]] = []
    for _ in range(cycles):
        sums = FluxSums(model, blocks.n_cells)
        end = blocks.run(chunks(), state, sums, progress)
        former, settled = settled, settle(model, sums)
        reference = former or {name: model.state.get(sums.end, name) for name in settled}
        if former:  # crops answer to the soil: half steps keep both from swinging
            settled = {name: 0.5 * (value + former[name]) for name, value in settled.items()}
        report.append(_change(reference, settled))
        state = fallow_again(model, end, settled)
        if report[-1]["change"] <= tolerance:
            break
    assert state is not None
    return SpunUp(state, report, report[-1]["change"] <= tolerance)


def settle(model: CropModel, sums: FluxSums) -> dict[str, Tensor]:
    """Organic matter in balance with the mean inputs and rates of the days summed up.

    Parameters
    ----------
    model : CropModel
        Whose days they are.
    sums : FluxSums
        Of all days.
    """
    found: dict[str, Tensor] = {}
    ratio = torch.ones(())
    for element, release in (("carbon", "respiration"), ("nitrogen", "mineralisation")):
        n = "" if element == "carbon" else "nitrogen_"
        decays = {k: _decay(sums, k, n, release) for k in LITTERS}
        rates = _rates(sums, decays, element, n, release)
        inputs = _inputs(sums, decays, element, n)
        released = sums.flux(f"incorporated_litter_{release}")
        whole = decays["incorporated"]
        fast = sums.flux(f"incorporated_litter_{n}humification")
        share = _over(released, whole, 0.5), _over(fast, whole, 0.49)
        shares = LitterShares(share[0], share[1], 1.0 - share[0] - share[1])
        if element == "nitrogen":  # what microbes bind follows the carbon they feed on
            bound = [sums.flux(f"ammonium_{way}") + sums.flux(f"nitrate_{way}")
                     for way in ("immobilisation", "stabilisation")]
            inputs = inputs._replace(fast=ratio * bound[0], slow=ratio * bound[1])
        pools = steady_state(inputs, rates, shares, 0.0)
        if element == "carbon":
            lost = sum(((rates.surface * pools.surface), (rates.incorporated * pools.incorporated)),
                       rates.root.sum(dim=0) * pools.root)
            ratio = _over(lost, sum((d.sum(dim=0) if d.dim() > 1 else d
                                     for d in decays.values()), torch.zeros_like(lost)), 1.0)
        for stem, value in zip(POOLS, pools, strict=True):
            limited = value.clamp(0.0, LIMIT[element])
            found[f"{stem}_{element}"] = limited
    return found


def _decay(sums: FluxSums, litter: str, n: str, release: str) -> Tensor:
    """Mean decay of a litter pool, by layer for roots."""
    name = f"{litter}_litter"
    kept = sums.flux(f"{name}_{n}humification") + sums.flux(f"{name}_{n}stabilisation")
    released = sums.flux(f"{name}_{release}")
    if kept.dim() == 1 or released.dim() > 1:
        return kept + released
    return kept * (1.0 + _over(released, kept.sum(dim=0), 1.0))


def _rates(
    sums: FluxSums, decays: Mapping[str, Tensor], element: str, n: str, release: str
) -> DecayRates:
    """Mean rates: losses over stocks."""
    stock = {k: sums.stock(f"{k}_litter_{element}") for k in LITTERS}
    mixed = sums.flux(f"surface_litter_{n}incorporation")
    return DecayRates(
        _over(decays["surface"], stock["surface"], 0.0),
        _over(decays["incorporated"], stock["incorporated"], 0.0),
        _over(mixed, stock["surface"], 0.0), _over(decays["root"], stock["root"], 0.0),
        _over(sums.flux(f"fast_{release}"), sums.stock(f"fast_{element}"), 0.0),
        _over(sums.flux(f"slow_{release}"), sums.stock(f"slow_{element}"), 0.0))


def _inputs(
    sums: FluxSums, decays: Mapping[str, Tensor], element: str, n: str
) -> OrganicMatter:
    """Mean inputs from crops and management: what litter gained and lost."""
    mixed = sums.flux(f"surface_litter_{n}incorporation")
    gained = {k: sums.gain(f"{k}_litter_{element}") for k in LITTERS}
    layers = torch.zeros_like(sums.stock(f"fast_{element}"))
    return OrganicMatter(
        (gained["surface"] + decays["surface"] + mixed).clamp_min(0.0),
        (gained["incorporated"] + decays["incorporated"] - mixed).clamp_min(0.0),
        (gained["root"] + decays["root"].sum(dim=0)).clamp_min(0.0), layers, layers)


def _over(a: Tensor, b: Tensor, fill: float) -> Tensor:
    return torch.where(b > 1e-12, a / b.clamp_min(1e-12), torch.full_like(b, fill))


def _change(
    before: Mapping[str, Tensor], settled: Mapping[str, Tensor]
) -> dict[str, float]:
    """Soil of a cycle and how far it moved from that of the cycle before."""
    moved = torch.zeros_like(settled["surface_litter_carbon"])
    total = {"carbon": torch.zeros_like(moved), "nitrogen": torch.zeros_like(moved)}
    for name, value in settled.items():
        element = name.rsplit("_", 1)[-1]
        difference, sum_of = (value - before[name]).abs(), value
        if value.dim() > 1:
            difference, sum_of = difference.sum(dim=0), value.sum(dim=0)
        total[element] += sum_of
        if element == "carbon":
            moved += difference
    return {"carbon": float(total["carbon"].mean()), "nitrogen": float(total["nitrogen"].mean()),
            "change": float((moved / total["carbon"].clamp_min(1.0)).mean())}


def fallow_again(
    model: CropModel, end: RunState, settled: Mapping[str, Tensor]
) -> RunState:
    """The soil set, with no crop on it and new bookkeeping, for day 0; water and heat go on."""
    x = end.x.clone()
    for name in model.state.names:
        rows = slice(model.state.start[name], model.state.start[name] + model.state.sizes[name])
        if name in settled:
            element = name.rsplit("_", 1)[-1]
            x[rows] = whole_stock(settled[name].reshape(-1, x.shape[1]).to(x), element)
        elif name in (*CROP_STOCKS, *CROP_NITROGEN, *model.reservoirs):
            x[rows] = 0.0
        elif name == "development_stage":
            x[rows] = MATURE
    return RunState(x, torch.zeros_like(end.season), 0, end.history)
