"""Processes of WOFOST 7.2 as modules: parameters by WOFOST's names, closure slots, kernels.

Units are WOFOST's own (kg ha-1, cm, J m-2 d-1). Sources of all: Supit et al. (1994); de Wit et
al. (2019) doi:10.1016/j.agsy.2018.06.018.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics.wofost72 import (
    assimilation,
    evapotranspiration,
    growth,
    leaves,
    phenology,
    roots,
)
from neuralcrop.physics.wofost72.astro import Astronomy
from neuralcrop.physics.wofost72.growth import Organs, Partitioning
from neuralcrop.physics.wofost72.tables import interpolate
from neuralcrop.processes.base import Parameters, Process


def table(p: Parameters, name: str, x: Tensor) -> Tensor:
    """Value of the table ``name`` at ``x``, ``[cell]``."""
    nodes, values = p[f"{name}_x"], p[name]
    if nodes.dim() == 1:  # a table of one node
        return values + torch.zeros_like(x)
    return interpolate(nodes, values, x, p.get(f"{name}_slopes"))


class WofostProcess(Process):
    """A process whose tables are as wide as the crops of the model need.

    Parameters
    ----------
    known : mapping of str to ParameterSpec
        All parameters of the set.
    """

    reads: tuple[str, ...] = ()

    def __init__(self, known: Mapping[str, ParameterSpec]) -> None:
        super().__init__()
        self.specs = tuple(known[k] for name in self.reads for k in (f"{name}_x", name)
                           if k in known)


class Development(NamedTuple):
    """Next development stage and vernalisation of the day, ``[cell]``."""

    stage: Tensor
    vernalisation: Tensor


class Phenology(WofostProcess):
    """Development by temperature sums, day length and vernalisation.

    Parameters
    ----------
    known : mapping
        See `WofostProcess`.
    smooth : bool
        Carry what is left of a day over into the next stage, which gives dates of stages a
        gradient; WOFOST drops it.
    """

    reads = ("TBASEM", "TEFFMX", "TSUMEM", "IDSL", "DLO", "DLC", "TSUM1", "TSUM2", "DTSMTB",
             "DVSI", "DVSEND", "VERNBASE", "VERNSAT", "VERNDVS", "VERNRTB")
    slots = ("development_rate",)
    development_rate: Closure

    def __init__(self, known: Mapping[str, ParameterSpec], smooth: bool = False) -> None:
        super().__init__(known)
        self.smooth = smooth

    def forward(
        self, p: Parameters, stage: Tensor, vernalised: Tensor, temperature: Tensor,
        daylength: Tensor, features: Features | None,
    ) -> Development:
        """Stage of tomorrow; ``daylength`` is that of the photoperiod, h."""
        need = (p["VERNSAT"], p["VERNDVS"], p["IDSL"])
        cold = phenology.vernalisation_rate(
            table(p, "VERNRTB", temperature), stage, vernalised, *need)
        slowed = (phenology.vernalisation_factor(stage, vernalised, p["VERNBASE"], *need)
                  * phenology.photoperiod_reduction(daylength, p["DLC"], p["DLO"], p["IDSL"]))
        sums = table(p, "DTSMTB", temperature)

        def rate(at: Tensor) -> Tensor:
            # transplanted crops have no sum to emergence: they emerge at once
            needed = torch.where(p["TSUMEM"] > 0.0, p["TSUMEM"], 1.0)
            full = phenology.development_rate(
                at, temperature, sums, slowed, needed, p["TSUM1"], p["TSUM2"], p["TBASEM"],
                p["TEFFMX"], p["DVSEND"])
            at_once = phenology.is_emerging(at) & (p["TSUMEM"] <= 0.0)
            value: Tensor = self.development_rate(torch.where(at_once, 1.0, full), features)
            return value

        today = rate(stage)
        after = phenology.next_stage(stage, today, p["DVSEND"])
        if self.smooth:
            left = (stage + today - after).clamp(min=0.0) / today.clamp(min=1e-6)
            after = torch.minimum(after + left * rate(after), p["DVSEND"])
        return Development(after, cold)


class Assimilation(WofostProcess):
    """Gross assimilation of the canopy by Gauss integration over depth and day."""

    reads = ("KDIFTB", "EFFTB", "AMAXTB", "TMPFTB", "TMNFTB", "CO2AMAXTB", "CO2EFFTB")
    slots = ("amax",)
    amax: Closure

    def forward(
        self, p: Parameters, stage: Tensor, lai: Tensor, sky: Astronomy, irradiation: Tensor,
        daytime: Tensor, minimum: Tensor, co2: Tensor, extinction: Tensor,
        features: Features | None,
    ) -> Tensor:
        """PGASS, kg CH2O ha-1 d-1, ``[cell]``.

        Parameters
        ----------
        p : mapping
            Parameters.
        stage, lai : Tensor
            Development stage and leaf area index.
        sky, irradiation
            Of the day; J m-2 d-1.
        daytime, minimum : Tensor
            Daytime temperature and mean minimum temperature of the last days, degC.
        co2 : Tensor
            ppm.
        extinction : Tensor
            KDIFTB of the day.
        features : Features or None
            For a neural closure.
        """
        amax = self.amax(table(p, "AMAXTB", stage) * table(p, "TMPFTB", daytime), features)
        return assimilation.gross_assimilation(
            sky, irradiation, lai, amax, table(p, "EFFTB", daytime), extinction,
            table(p, "TMNFTB", minimum), table(p, "CO2AMAXTB", co2), table(p, "CO2EFFTB", co2))


class WaterDemand(NamedTuple):
    """Transpiration, water stress and potential evaporation, cm d-1 and -, ``[cell]``."""

    transpiration: Tensor
    stress: Tensor
    soil: Tensor
    surface: Tensor


class Evapotranspiration(WofostProcess):
    """Transpiration reduced by drought and lack of air; evaporation below the canopy."""

    reads = ("CFET", "DEPNR", "IAIRDU", "IOX", "CO2TRATB", "SMW", "SMFCF", "SM0", "CRAIRC")
    slots = ("water_stress",)
    drivers = MappingProxyType({"water_stress": "value"})
    water_stress: Closure

    def forward(
        self, p: Parameters, moisture: Tensor, lai: Tensor, extinction: Tensor, et0: Tensor,
        es0: Tensor, e0: Tensor, waterlogged: Tensor, co2: Tensor, features: Features | None,
    ) -> WaterDemand:
        """Demand of the day; potential rates ``et0``, ``es0``, ``e0`` in cm d-1."""
        demand = evapotranspiration.crop_demand(et0, p["CFET"])
        potential = evapotranspiration.potential_rates(
            demand, es0, e0, extinction, lai, table(p, "CO2TRATB", co2))
        easily = evapotranspiration.easily_available_fraction(demand, p["DEPNR"])
        critical = evapotranspiration.critical_soil_moisture(easily, p["SMW"], p["SMFCF"])
        drought = evapotranspiration.drought_factor(moisture, critical, p["SMW"])
        drought = self.water_stress(drought, features).clamp(0.0, 1.0)
        air = evapotranspiration.oxygen_factor(
            moisture, p["SM0"], p["CRAIRC"], waterlogged, p["IOX"], p["IAIRDU"])
        return WaterDemand(
            evapotranspiration.transpiration(potential.tramx, drought, air), drought * air,
            potential.evsmx, potential.evwmx)


class Growth(NamedTuple):
    """Growth of organs and what it costs, kg ha-1 d-1, ``[cell]``."""

    organs: Organs
    maintenance: Tensor
    conversion: Tensor
    root_share: Tensor


class Allocation(WofostProcess):
    """Maintenance first, then growth of organs by tables over the development stage."""

    reads = ("CVL", "CVO", "CVR", "CVS", "Q10", "RML", "RMO", "RMR", "RMS", "RFSETB", "TDWI",
             "FRTB", "FLTB", "FSTB", "FOTB")
    slots = ("root_share",)
    root_share: Closure

    def shares(self, p: Parameters, stage: Tensor) -> Partitioning:
        """Shares of growth at a stage, from the tables."""
        return Partitioning(*(table(p, f"{organ}TB", stage) for organ in ("FR", "FL", "FS", "FO")))

    def seedling(self, p: Parameters, stage: Tensor) -> Organs:
        """Weights at the start of the crop, kg ha-1."""
        return growth.initial_weights(p["TDWI"], self.shares(p, stage))

    def forward(
        self, p: Parameters, weights: Organs, stage: Tensor, temperature: Tensor,
        assimilated: Tensor, stress: Tensor, features: Features | None,
    ) -> Growth:
        """Growth from potential assimilation (kg CH2O ha-1 d-1) and water stress."""
        shares = self.shares(p, stage)
        shares = shares._replace(fr=self.root_share(shares.fr, features).clamp(0.0, 1.0))
        demand = growth.maintenance(
            weights, temperature, table(p, "RFSETB", stage), p["RMR"], p["RML"], p["RMS"],
            p["RMO"], p["Q10"])
        efficiency = growth.conversion(shares, p["CVR"], p["CVL"], p["CVS"], p["CVO"])
        grown = growth.dry_matter_growth(assimilated, stress, demand, efficiency)
        organs = growth.organ_growth(grown, shares)
        gross = assimilated * stress
        paid = torch.minimum(gross, demand)
        return Growth(organs, paid, gross - paid - sum(organs[1:], organs[0]), shares.fr)


class LeafGrowth(NamedTuple):
    """Rates of leaves, ``[cell]``: area index, ages (d d-1), sum of what died (kg ha-1)."""

    area: Tensor
    exponential: Tensor
    ageing: Tensor
    removed: Tensor


class Leaves(WofostProcess):
    """Leaf area of every day's leaves, their ageing and death."""

    reads = ("RGRLAI", "SLATB", "SPA", "SSATB", "SPAN", "TBASE", "PERDL")
    slots = ("senescence",)
    senescence: Closure

    def other_area(self, p: Parameters, stage: Tensor, stem: Tensor, storage: Tensor) -> Tensor:
        """Green area of stems and storage organs, ha ha-1."""
        return leaves.shoot_area(stem, table(p, "SSATB", stage), storage, p["SPA"])

    def ageing(self, p: Parameters, temperature: Tensor) -> Tensor:
        """Physiological ageing of the equation, d d-1."""
        return leaves.ageing(temperature, p["TBASE"])

    def forward(
        self, p: Parameters, stage: Tensor, weight: Tensor, lai: Tensor, exponential: Tensor,
        removed: Tensor, aged: Tensor, grown: Tensor, temperature: Tensor, stress: Tensor,
        extinction: Tensor, features: Features | None,
    ) -> LeafGrowth:
        """Rates of the day.

        Parameters
        ----------
        p : mapping
            Parameters.
        stage, weight, lai, exponential : Tensor
            Stage, living leaves (kg ha-1), leaf area index, that of growth without limits.
        removed, aged : Tensor
            Cumulative weight of leaves that died, and of those older than their span (kg ha-1).
        grown : Tensor
            Growth of leaves, kg ha-1 d-1.
        temperature, stress, extinction : Tensor
            Mean temperature (degC), water stress, KDIFTB of the day.
        features : Features or None
            For a neural closure.
        """
        death = torch.maximum(
            leaves.drought_death(weight, stress, p["PERDL"]),
            leaves.shading_death(weight, lai, extinction))
        increase = leaves.exponential_increase(exponential, temperature, p["RGRLAI"], p["TBASE"])
        area = leaves.area_growth(grown, table(p, "SLATB", stage), exponential, increase)
        # a mass cannot die twice: stress takes no more than what lives
        after = leaves.next_removed(removed, torch.minimum(death, weight), aged)
        return LeafGrowth(
            area, increase, self.senescence(self.ageing(p, temperature), features), after)


class OrganDeath(WofostProcess):
    """Death of roots and stems by tables over the development stage."""

    reads = ("RDRRTB", "RDRSTB")

    def forward(
        self, p: Parameters, stage: Tensor, roots_weight: Tensor, stems: Tensor
    ) -> tuple[Tensor, Tensor]:
        """Death of roots and of stems, kg ha-1 d-1."""
        return (growth.death(roots_weight, table(p, "RDRRTB", stage)),
                growth.death(stems, table(p, "RDRSTB", stage)))


class RootDepth(WofostProcess):
    """Rooting depth grows at a constant rate while roots grow."""

    reads = ("RDI", "RRI", "RDMCR", "RDMSOL")

    def forward(self, p: Parameters, depth: Tensor, root_share: Tensor) -> Tensor:
        """Deepening, cm d-1."""
        deepest = roots.maximum_depth(p["RDI"], p["RDMCR"], p["RDMSOL"])
        return roots.depth_growth(depth, deepest, p["RRI"], root_share)


class FreeDrainage(WofostProcess):
    """Water balance of a freely draining soil; the equations are in `physics.wofost72.water`."""

    reads = ("SOPE", "KSUB", "SMLIM", "WAV", "SSI", "SSMAX", "NOTINF", "IFUNRN")
