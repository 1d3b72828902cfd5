r"""Thermal requirements of field experiments, calibrated by gradient on half of the trials.

Development needs only temperature and day length, so the model's own process is run alone, with
gradients through all days. Each calibrated value of a cell is

.. math:: \theta = \mathrm{bounded}(\theta_0,\; a + s\,x + d_{cultivar})

inside the catalogue's bounds (`neuralcrop.core.parameters.bounded`), with :math:`x` what is known
of a cultivar without having grown it: its maturity group (soybean), else the latitude of the field.
Normal priors on :math:`a`, :math:`s` and :math:`d` shrink what few trials cannot tell; a cultivar
that was not seen in calibration has :math:`d = 0`, the value of the crop.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from neuralcrop.core.parameters import bounded
from neuralcrop.data.field_experiments import FieldBatch
from neuralcrop.models.crop_model import CropModel
from neuralcrop.models.global_ import MATURE, SOWN
from neuralcrop.models.global_day import TWILIGHT
from neuralcrop.physics import radiation

PRIORS = {"crop": 2.0, "slope": 0.5, "cultivar": 0.5}
"""Standard deviations of the offsets, in the unconstrained space of `bounded`."""

CROP_PRIORS = {"winter_wheat": {"slope": 0.05, "cultivar": 0.2}}
"""Narrower ones: day length and cold say of a cultivar of winter wheat what latitude would. Chosen
by leaving out one calibrating trial at a time."""

TOLERANCE = {"emergence": 3.0, "anthesis": 6.0, "maturity": 9.0}
"""Errors that count as one, d."""

ENOUGH_EMERGENCE = 3
"""Trials with observed emergence from which its thermal time is calibrated."""

ENOUGH_TRIALS = 4
"""Trials from which the response to day length is calibrated."""

SHORT_DAY_CROPS = ("soybean", "sorghum", "maize", "rice")
"""Crops whose catalogue has no response to day length, though their cultivars may have one."""

PHOTOPERIOD: dict[str, tuple[float, float, float]] = {
    "photoperiod_optimal": (13.0, 10.5, 17.0), "photoperiod_span": (8.0, 1.5, 16.0),
}
"""Start, lower and upper bound, h: day length (with twilight) above which short-day crops are
delayed, and the span from there to the one that stops them. A weak response, as a wide prior."""

SOYBEAN_REQUIREMENTS: dict[str, tuple[float, float, float]] = {
    "thermal_time_vegetative": (430.0, 300.0, 900.0),
    "photoperiod_after_anthesis": (0.7, 0.0, 1.0), "reproductive_base_shift": (-8.0, -22.0, 0.0),
}
"""Soybean goes on to respond to day length after anthesis, and its pods ripen in the cool: about 19
photothermal days to anthesis in maturity group III and a base of -15 degC late in the season in
CROPGRO (SBGRO048 of DSSAT 4.8; Piper et al. 1996,
doi:10.2135/cropsci1996.0011183X003600060033x)."""

CIVIL_TWILIGHT = 1.0
"""h by which day length with twilight exceeds that from sunrise to sunset."""

SOYBEAN_GROUPS = {
    "MAJ": -2.0, "LABR": -1.0, "ALTONA": -1.0, "MAPLE ARROW": -1.0, "MCCALL": -1.0, "CHAND": 0.0,
    "EVANS": 0.0, "ELGIN": 2.0, "KRUGER 2828": 2.8, "WILLIAMS": 3.0, "WAYNE": 3.0,
    "STINE 3660": 3.6, "FORREST": 5.0, "CENTENNIAL": 6.0, "LEFLORE": 6.0, "BRS 399": 6.0,
    "RANSOM": 7.0, "BRAGG": 7.0, "COBB": 8.0,
}
"""Maturity groups of soybean cultivars as in the cultivar file of CROPGRO (SBGRO048 of DSSAT 4.8),
of BRS 399, Kruger 2828 and Stine 3660 after their names; 00 is -1, 000 is -2."""

Limits = tuple[float | np.ndarray, float, float]
"""Start (by cell where it is known to differ), lower and upper bound."""


@dataclass(frozen=True)
class Stages:
    """Simulated stages, days after sowing, ``[cell]``; not reached: beyond the run."""

    emergence: Tensor
    anthesis: Tensor
    maturity: Tensor


class Phenology:
    """Development of all cells of a batch, alone.

    Parameters
    ----------
    model : CropModel
        Its process of development is run.
    batch : FieldBatch
        Cells.
    lead : int
        Days of the run before sowing.
    """

    def __init__(self, model: CropModel, batch: FieldBatch, lead: int) -> None:
        self.model, self.lead = model, lead
        names = list(batch.forcing.names)
        self.tas = batch.forcing.values[lead:, names.index("tas")]
        latitude = torch.deg2rad(batch.site.latitude)
        self.photoperiod = torch.stack([
            radiation.photoperiod(torch.sin(latitude), torch.cos(latitude), day, TWILIGHT)
            for day in batch.forcing.solar_day[lead:]])

    def __call__(self, p: Mapping[str, Tensor]) -> Stages:
        """Stages with parameters ``[cell]`` by name; differentiable in them."""
        process = self.model.parts.phenology
        zero = torch.zeros_like(self.tas[0])
        stage, cold, emergence, vegetative, reproductive = zero + SOWN, zero, zero, zero, zero
        for tas, light in zip(self.tas, self.photoperiod, strict=True):
            day = process(p, stage, cold, tas, light, None, 1.0)
            stage = stage + day.development_stage
            cold = cold + day.vernalisation_days
            emergence = emergence + (day.vegetative_days - day.vegetative)
            vegetative = vegetative + day.vegetative_days
            reproductive = reproductive + day.reproductive_days
        n = float(len(self.tas))
        # what was not reached lies beyond the run, in proportion to what is missing
        late = n * (1.0 - stage).clamp_min(0.0)
        later = n * (MATURE - torch.maximum(stage, torch.ones_like(stage))).clamp_min(0.0)
        return Stages(emergence, vegetative + late, vegetative + late + reproductive + later)


def split_trials(table: pd.DataFrame, seed: int) -> tuple[np.ndarray, str]:
    """Which cells calibrate, by whole trials (one place and year), and how they were chosen.

    Trials are put in the order of a hash of seed and name, those with observed stages first, and
    every other one calibrates; where fewer than two have stages, those with yields first. Where a
    crop has one trial only, its cultivars alternate, or its treatments where there is one cultivar.

    Parameters
    ----------
    table : pandas.DataFrame
        Of a `FieldBatch`.
    seed : int
        Of the order.
    """
    known = table[["anthesis", "maturity"]].notna().any(axis=1)
    unit, how = table["trial"].astype(str), "whole trials"
    if unit[known].nunique() < 2:
        known = known | table["yield"].notna()
    if unit[known].nunique() < 2:
        unit, how = table["cultivar"].astype(str), "cultivars of one trial"
        if unit[known].nunique() < 2:
            unit = table["experiment"].astype(str) + " " + table["treatment"].astype(str)
            how = "treatments of one trial"

    def order(name: str) -> str:
        return hashlib.sha256(f"{seed} {name}".encode()).hexdigest()

    with_stages = sorted(unit[known].unique(), key=order)
    without = sorted(set(unit.unique()) - set(with_stages), key=order)
    chosen = set(with_stages[::2]) | set(without[::2])
    return unit.isin(list(chosen)).to_numpy(bool), how


def covariate(batch: FieldBatch) -> np.ndarray:
    """What is known of cultivars never grown: maturity group of soybean, else latitude."""
    if batch.crop == "soybean":
        names = batch.table["cultivar"].astype(str).str.upper()
        groups = [next((g for n, g in SOYBEAN_GROUPS.items() if c.startswith(n)), np.nan)
                  for c in names]
        return (np.nan_to_num(np.array(groups), nan=3.0) - 3.0) / 3.0
    return (batch.table["lat"].abs().to_numpy(float) - 35.0) / 15.0


class Requirements(torch.nn.Module):
    """Calibrated values of a batch.

    Parameters
    ----------
    base : mapping of str to tuple
        Start, lower and upper bound of each value.
    x : numpy.ndarray
        ``[cell]`` covariate.
    cultivar : sequence of str
        ``[cell]``.
    seen : numpy.ndarray
        ``[cell]`` which cells calibrate.
    priors : mapping of str to float
        Standard deviations of the parts.
    """

    def __init__(
        self, base: Mapping[str, Limits], x: np.ndarray, cultivar: Sequence[str],
        seen: np.ndarray, priors: Mapping[str, float] = PRIORS,
    ) -> None:
        super().__init__()
        self.base, self.priors = dict(base), dict(priors)
        own = np.asarray(cultivar, dtype=str)
        self.cultivars = sorted(set(own[seen].tolist()))
        index = [self.cultivars.index(c) if c in self.cultivars else len(self.cultivars)
                 for c in own]
        self.x, self.index = torch.tensor(x, dtype=torch.float32), torch.tensor(index)
        n = len(self.base)
        self.crop = torch.nn.Parameter(torch.zeros(n))
        self.slope = torch.nn.Parameter(torch.zeros(n))
        self.cultivar = torch.nn.Parameter(torch.zeros(n, len(self.cultivars)))

    def forward(self) -> dict[str, Tensor]:
        """Value of every cell, ``[cell]`` by name."""
        unseen = torch.cat([self.cultivar, torch.zeros(len(self.base), 1)], dim=1)
        offset = self.crop[:, None] + self.slope[:, None] * self.x + unseen[:, self.index]
        out = {}
        for k, (name, limits) in enumerate(self.base.items()):
            start, lower, upper = (
                torch.as_tensor(v, dtype=self.x.dtype) + 0.0 * self.x for v in limits)
            out[name] = bounded(start, lower, upper, offset[k])
        return out

    def penalty(self) -> Tensor:
        """Minus the logarithm of the priors."""
        offsets = {"crop": self.crop, "slope": self.slope, "cultivar": self.cultivar}
        return 0.5 * torch.stack([
            ((offset / self.priors[name]) ** 2).sum() for name, offset in offsets.items()]).sum()


@dataclass
class Calibration:
    """Outcome of `calibrate`.

    Attributes
    ----------
    values : dict of str to Tensor
        ``[cell]`` by parameter of the model.
    loss : list of float
        By iteration.
    how : str
        How trials were split.
    calibrated : numpy.ndarray
        ``[cell]`` which calibrated.
    """

    values: dict[str, Tensor]
    loss: list[float]
    how: str
    calibrated: np.ndarray


def calibrate(
    model: CropModel, batch: FieldBatch, p: Tensor, *, lead: int, seed: int = 0,
    iterations: int = 80, learning_rate: float = 0.1,
) -> Calibration | None:
    """Fit thermal requirements to observed stages of half of the trials by Adam.

    Parameters
    ----------
    model : CropModel
        The model.
    batch : FieldBatch
        All treatments; the observations of those that are scored are never read.
    p : Tensor
        ``[parameter row, cell]`` of the catalogue.
    lead : int
        Days of the run before sowing.
    seed : int
        Of the split.
    iterations, learning_rate
        Of Adam.

    Returns
    -------
    Calibration or None
        None where no trial has observed stages.
    """
    seen, how = split_trials(batch.table, seed)
    observed = {s: _hidden(batch.table[s], seen) for s in TOLERANCE}
    if not any(bool(torch.isfinite(observed[s]).any()) for s in ("anthesis", "maturity")):
        return None
    layout = model.table.layout
    fixed = dict(layout.view(p))
    needs = Requirements(
        _base(model, batch, seen), covariate(batch), batch.table["cultivar"].tolist(), seen,
        PRIORS | CROP_PRIORS.get(batch.crop, {}))
    phenology = Phenology(model, batch, lead)
    trials = batch.table["trial"]
    weight = torch.tensor((1.0 / trials.map(trials[seen].value_counts())).fillna(0.0).to_numpy(),
                          dtype=torch.float32)
    optimiser = torch.optim.Adam(needs.parameters(), lr=learning_rate)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations, learning_rate / 20)
    losses = []
    for _ in range(iterations):
        optimiser.zero_grad()
        stages = phenology({**fixed, **_of_model(needs())})
        loss = needs.penalty()
        for name, tolerance in TOLERANCE.items():
            if name == "emergence" and "thermal_time_emergence" not in needs.base:
                continue
            known = torch.isfinite(observed[name])
            gap = (getattr(stages, name) - torch.where(known, observed[name], 0.0)) / tolerance
            loss = loss + (weight * known * torch.nn.functional.huber_loss(
                gap, torch.zeros_like(gap), reduction="none", delta=2.0)).sum()
        loss.backward()
        optimiser.step()
        schedule.step()
        losses.append(float(loss.detach()))
    with torch.no_grad():
        return Calibration(_of_model(needs()), losses, how, seen)


def _hidden(observed: pd.Series, seen: np.ndarray) -> Tensor:
    """Observations of the cells that calibrate, NaN elsewhere."""
    return torch.tensor(observed.where(seen).to_numpy(float), dtype=torch.float32)


def _base(
    model: CropModel, batch: FieldBatch, seen: np.ndarray
) -> dict[str, Limits]:
    """What is calibrated, with start and bounds."""
    table, known = model.table, batch.table[seen]
    column = table.crop_index[batch.crop]
    names = [f"thermal_time_{part}" for part, stage in (
        ("vegetative", "anthesis"), ("reproductive", "maturity")) if known[stage].notna().any()]
    if known.loc[known["emergence"].notna(), "trial"].nunique() >= ENOUGH_EMERGENCE:
        names.insert(0, "thermal_time_emergence")
    trials = known.loc[known["anthesis"].notna(), "trial"].nunique()
    if table.values[table.layout.start["photoperiod_critical"], column] > 0.0:
        names += ["photoperiod_critical", "photoperiod_optimal"] if trials >= ENOUGH_TRIALS else []
    base: dict[str, Limits] = {}
    for name in names:
        row = table.layout.start[name]
        base[name] = (float(table.values[row, column]), float(table.lower[row, column]),
                      float(table.upper[row, column]))
    if batch.crop in SHORT_DAY_CROPS and trials >= ENOUGH_TRIALS:
        base |= soybean_requirements(batch) if batch.crop == "soybean" else PHOTOPERIOD
    return base


def soybean_requirements(batch: FieldBatch) -> dict[str, Limits]:
    """Start of what soybean needs, its day lengths by maturity group.

    Critical day length (sunrise to sunset) falls from 14.6 h in group 000 to 12.1 h in group VIII,
    the relative slope beyond it rises from 0.13 to 0.33 h-1 (generic cultivars of
    CROPGRO, SBGRO048 of DSSAT 4.8).
    """
    beyond = 3.0 * covariate(batch)
    slope = np.clip(0.29 + 0.03 * beyond, 0.125, 0.34)
    return {
        **SOYBEAN_REQUIREMENTS,
        "photoperiod_optimal": (13.4 - 0.27 * beyond + CIVIL_TWILIGHT, 10.5, 18.0),
        "photoperiod_span": (1.0 / slope, 1.5, 16.0)}


def _of_model(values: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Values as the model's parameters."""
    out = dict(values)
    if (span := out.pop("photoperiod_span", None)) is not None:
        out["photoperiod_critical"] = out["photoperiod_optimal"] + span
    return out
