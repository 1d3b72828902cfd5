"""Whole seasons of canopy, respiration and organs against the C code of LPJmL 5.10.0.

Assimilation is prescribed and light is absorbed as the file says; the order of the day is that
of LPJmL, every relation is ours.
"""

import csv
import math

import pytest
import torch
from shared import shared_file

from neuralcrop.physics import allocation, canopy, harvest_index, leaf_area, phenology, respiration
from neuralcrop.physics.lpjml_versions import LPJML5

pytestmark = pytest.mark.golden

# the temperature of a day, as the file states it
TEMPERATURE = {
    "6+14*sin(pi*d/160)": lambda d: 6.0 + 14.0 * math.sin(math.pi * d / 160.0),
    "8-10*cos(2*pi*(280+d-15)/365)":
        lambda d: 8.0 - 10.0 * math.cos(2.0 * math.pi * (280.0 + d - 15.0) / 365.0),
}


def scalar(x):
    return torch.tensor(float(x), dtype=torch.float64)


def records(name):
    with shared_file("data", "golden_lpjml510", name).open(newline="") as file:
        return list(csv.DictReader(file))


class Season:
    """State of a crop and its steps."""

    def __init__(self, setup):
        self.temperature = TEMPERATURE[setup["temperature_of_day_d"]]
        self.maize = setup["crop"] == "maize"
        s = {k: scalar(v) for k, v in setup.items()
             if k not in ("season", "crop", "temperature_of_day_d")}
        self.s = s
        self.sla = leaf_area.specific_leaf_area_lpjml(s["longevity"])
        self.weight = allocation.water_deficit_weight(s["wdf"])
        self.lai = self.potential = 0.000083 * s["laimax"]
        self.at_senescence = self.deficit = scalar(0.0)
        self.husum = self.vdsum = scalar(0.0)
        leaf = self.lai / self.sla
        self.organs = harvest_index.Organs(leaf, 12.0 - leaf, scalar(8.0), scalar(0.0))
        self.biomass = scalar(20.0)

    @property
    def fphu(self):
        return (self.husum / self.s["phu"]).clamp(max=1.0)

    def develop(self, t):
        s, factor = self.s, scalar(1.0)
        units = phenology.degree_days(t, s["tbase"], 1e3)
        if s["vreq"] > 0.0 and self.vdsum < s["vreq"] and self.husum < 0.2 * s["phu"]:
            self.vdsum = self.vdsum + phenology.vernalisation_trapezoid(t)
            factor = phenology.vernalisation_factor(self.vdsum, 0.2 * s["vreq"], s["vreq"])
        self.husum = self.husum + units * factor

    def curve(self):
        s = self.s
        return allocation.phenological_lai_lpjml(
            self.fphu, (s["fphuc"], s["flaimaxc"]), (s["fphuk"], scalar(0.95)), s["fphusen"],
            s["shape"], s["flaiharvest"])

    def leaves(self):
        if self.fphu <= self.s["fphusen"]:
            potential = self.s["laimax"] * self.curve()
            stress = torch.minimum(self.s["wscal"], self.s["vscal"])
            self.lai = self.lai + (potential - self.potential) * stress
            self.potential, self.at_senescence = potential, self.lai
        else:
            self.lai = self.at_senescence * self.curve()

    def grow(self, t):
        shown = (self.lai - self.deficit).clamp(min=0.0)
        absorbed = (canopy.fraction_absorbed_lpjml_maize(shown.clamp(min=0.01)) if self.maize
                    else canopy.fraction_absorbed(shown, 0.5))
        assimilated = 12.0 * absorbed
        factor = respiration.lpjml_temperature_response(
            t, LPJML5.respiration_reference, LPJML5.respiration_minimum)
        o = self.organs
        maintenance = sum(
            respiration.lpjml_maintenance(carbon, ratio, factor, 1.0)
            for carbon, ratio in ((o.root, 30.0), (o.storage, 100.0), (o.stem, 100.0)))
        self.biomass = (self.biomass + assimilated - maintenance
                        - respiration.lpjml_growth_respiration(assimilated, maintenance))

    def allocate(self):
        s = self.s
        index = allocation.harvest_index(self.fphu, s["hiopt"], s["himin"], self.weight)
        roots = allocation.root_fraction_lpjml(self.fphu, self.weight)
        growing = self.fphu <= s["fphusen"]
        # leaves keep their carbon in senescence
        area = self.lai if growing else self.organs.leaf * self.sla
        self.organs = harvest_index.organs_of(self.biomass, area, self.sla, roots, index)
        if growing:
            self.deficit = self.lai - self.organs.leaf * self.sla

    def row(self):
        o = self.organs
        return {"husum": self.husum, "vdsum": self.vdsum, "fphu": self.fphu, "lai": self.lai,
                "actual_lai": (self.lai - self.deficit).clamp(min=0.0), "rootc": o.root,
                "leafc": o.leaf, "soc": o.storage, "poolc": o.stem, "biomass": self.biomass}


def simulate(setup):
    """Rows of every day and of the harvest."""
    season, rows = Season(setup), {}
    for d in range(400):
        if season.husum >= season.s["phu"]:
            season.leaves()
            # nothing grows on the day of harvest
            rows[d + 1, "harvest"] = season.row()
            return rows
        t = scalar(season.temperature(d))
        season.develop(t)
        season.leaves()
        season.grow(t)
        season.allocate()
        rows[d + 1, "day"] = season.row()
    raise AssertionError("the crop never ripens")


@pytest.mark.parametrize("name", ["A", "C", "D"])
def test_season(name):
    setup = next(s for s in records("crop_season_setup.csv") if s["season"] == name)
    expected = [r for r in records("crop_season.csv") if r["season"] == name]
    assert len(expected) >= 8
    rows = simulate(setup)
    for record in expected:
        key = int(record["day"]), record["kind"]
        for column, value in rows[key].items():
            torch.testing.assert_close(
                value, scalar(record[column]), rtol=1e-6, atol=2e-6,
                msg=lambda m, k=key, c=column: f"{k} {c}: {m}")
