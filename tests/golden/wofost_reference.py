"""Reference runs of WOFOST 7.2, and a season of one crop built of the kernels alone.

The runs (PCSE test data) are kept beside the repository. `season` states the order of a day.
"""

import datetime as dt
import functools
import json
from typing import NamedTuple

import numpy as np
import torch
from shared import shared_file

from neuralcrop.physics.wofost72 import (
    assimilation,
    astro,
    evapotranspiration,
    growth,
    leaves,
    phenology,
    roots,
    water,
)
from neuralcrop.physics.wofost72.tables import interpolate, pad

FOLDER = ("data", "pcse_reference")
ONE, ZERO = torch.ones(1, dtype=torch.float64), torch.zeros(1, dtype=torch.float64)


class Run(NamedTuple):
    """One reference run; columns are ``[day]`` in float64, ``weather["DATE"]`` Python dates."""

    params: dict
    agro: dict
    weather: dict
    result: dict
    external: dict


def _table(names, values):
    return {name: torch.tensor(values[:, i]) for i, name in enumerate(names or ())}


@functools.cache
def _index():
    entries = json.loads(shared_file(*FOLDER, "index.json").read_text())
    return {entry["name"]: entry for entry in entries}


@functools.cache
def _arrays():
    with np.load(shared_file(*FOLDER, "runs.npz"), allow_pickle=False) as arrays:
        return dict(arrays)


def names(family):
    """Runs of a family (skips where there are no reference data)."""
    return [name for name in _index() if name.startswith(f"test_{family}_")]


def run(name):
    """A run; results, weather and external states of the same days."""
    entry, arrays = _index()[name], _arrays()
    weather = _table(entry["weather_cols"], arrays[f"w_{entry['weather']}"])
    dates = arrays[f"wd_{entry['weather']}"]
    result = _table(entry["result_cols"], arrays[f"r_{name}"])
    external = {}
    if entry.get("external_cols"):
        external = _table(entry["external_cols"], arrays[f"x_{name}"])
        assert (arrays[f"xd_{name}"] == arrays[f"rd_{name}"]).all()
    shown = arrays[f"rd_{name}"]
    if not np.isnat(shown).any():
        keep = np.isin(dates, shown)
        weather = {key: value[torch.tensor(keep)] for key, value in weather.items()}
        dates = dates[keep]
        assert (dates == shown).all()
    agro = next(iter(entry["agro"][0].values()))["CropCalendar"] if entry["agro"] else {}
    weather["DATE"] = dates.tolist()
    return Run(parameters(entry["params"]), agro, weather, result, external)


def parameters(params):
    """Numbers as ``[1]`` and tables as nodes ``[n, 1]``, in float64; empty tables are left out."""
    built = {}
    for key, value in (params or {}).items():
        if isinstance(value, list) and value:
            built[key] = tuple(nodes.unsqueeze(-1) for nodes in pad(value))
        elif isinstance(value, int | float):
            built[key] = torch.tensor([value], dtype=torch.float64)
    return built


def day_of_year(dates):
    return torch.tensor([date.timetuple().tm_yday for date in dates], dtype=torch.float64)


def partitioning(p, dvs):
    return growth.Partitioning(
        *(interpolate(*p[f"{key}TB"], dvs) for key in ("FR", "FL", "FS", "FO"))
    )


class Cohorts:
    """Leaves of one cell as cumulative rows, one a day."""

    def __init__(self, days, weight, area):
        self.grown = torch.zeros(days + 2, 1, dtype=torch.float64)
        self.area, self.born, self.ages = (self.grown.clone() for _ in range(3))
        self.grown[0], self.area[0] = weight, area
        self.removed, self.age = ZERO, ZERO
        self.rows = torch.tensor(1)

    def weight(self):
        return self.grown[self.rows - 1] - self.removed

    def living_area(self):
        return leaves.living_area(self.grown, self.area, self.removed, self.rows)

    def death(self, stress, span):
        """Cumulative weight removed after the day, and the death rate."""
        aged = leaves.aged_weight(self.grown, self.born, self.age, span, self.rows)
        exact = leaves.aged_weight_by_age(self.grown, self.ages, span, self.rows)
        after = leaves.next_removed(self.removed, stress, exact)
        # Rounding may part the two forms where an age meets the span; in these runs it does not.
        assert after == leaves.next_removed(self.removed, stress, aged)
        return after, after - self.removed

    def advance(self, removed, ageing, weight, area):
        """Deaths, then ageing, then the cohort of the day."""
        row = self.rows
        self.removed = removed
        self.age = self.age + ageing
        self.ages[:row] += ageing
        self.born[row] = self.age
        self.grown[row] = self.grown[row - 1] + weight
        self.area[row] = self.area[row - 1] + area
        self.rows = row + 1


def ends(agro, start, date, mature):
    """Whether a day is the last of the crop; its rates are still computed."""
    kind = agro["crop_end_type"]
    end = agro["crop_end_date"]
    harvest = end is not None and date >= dt.date.fromisoformat(str(end))
    late = (date - start).days >= agro["max_duration"]
    return late or (kind != "maturity" and harvest) or (kind != "harvest" and mature)


def season(params, weather, agro, production, irrigation=None):
    """Rows of a season, in the order of operations of the reference.

    Parameters
    ----------
    params
        `parameters` of crop, soil and site.
    weather
        Columns ``[day]`` from the start of the crop on, and the days as ``DATE``.
    agro
        Crop calendar: start and its type (sowing or emergence), end and its type (maturity,
        harvest, earliest), maximum duration.
    production
        "potential" (soil moisture stays at field capacity) or "waterlimited".
    irrigation
        Effective irrigation of the days (cm), none without it.

    Returns
    -------
    dict
        Columns ``[day]``: states at the start of a day and its rates, from the start of the crop
        to its last day.
    """
    p, limited = params, production == "waterlimited"
    dates = weather["DATE"]
    start = dates[0]
    assert str(start) == str(agro["crop_start_date"])

    # Start of the crop: organs from the seed, at the stage of the start.
    dvs = p["DVSI"] if agro["crop_start_type"] == "emergence" else phenology.SOWN * ONE
    organs = growth.initial_weights(p["TDWI"], partitioning(p, dvs))
    cohorts = Cohorts(len(dates), organs.leaves, organs.leaves * interpolate(*p["SLATB"], dvs))
    wrt, wst, wso = organs.roots, organs.stems, organs.storage
    dead_roots, dead_stems, dead_leaves = ZERO, ZERO, ZERO
    laiexp = cohorts.living_area()
    rd, vern, dsos, emerged_days = p["RDI"], ZERO, ZERO, 0
    recent = torch.zeros(7, 1, dtype=torch.float64)
    rdm = roots.maximum_depth(p["RDI"], p["RDMCR"], p["RDMSOL"])

    # Start of the soil, under an upper zone of 10 cm.
    depth = water.soil_depth(p["RDMSOL"])
    soil = water.Soil(p["SMW"], p["SMFCF"], p["SM0"], depth, p["SOPE"], p["KSUB"], p["SSMAX"])
    zone = water.BARE_DEPTH * ONE
    store = water.initial_water(soil, p["WAV"], p["SMLIM"], p["SSI"], zone)
    # A crop that starts deeper takes its share of the lower zone at once.
    # (No reference run does: RDI is 10 cm in all.)

    rows = []
    for today, date in enumerate(dates):
        day = {key: value[today : today + 1] for key, value in weather.items()}
        rain = day["RAIN"]
        irrigated = ZERO if irrigation is None else irrigation[today : today + 1]
        temperature = 0.5 * (day["TMIN"] + day["TMAX"])
        daytime = 0.5 * (day["TMAX"] + day["TEMP"])
        sky = astro.astronomy(day_of_year([date]), day["LAT"], day["IRRAD"])
        sm = store.w / zone if limited else p["SMFCF"]

        # 1. Development, which alone goes on before emergence.
        needs = (vern, p["VERNSAT"], p["VERNDVS"]) if "VERNSAT" in p else (vern, ONE, ZERO)
        base = p.get("VERNBASE", ZERO)
        cold = interpolate(*p["VERNRTB"], temperature) if "VERNRTB" in p else ZERO
        vernr = phenology.vernalisation_rate(cold, dvs, *needs, p["IDSL"])
        vernfac = phenology.vernalisation_factor(dvs, vern, base, *needs[1:], p["IDSL"])
        dvred = phenology.photoperiod_reduction(
            sky.daylp, p.get("DLC", ZERO), p.get("DLO", ONE), p["IDSL"]
        )
        dvr = phenology.development_rate(
            dvs, temperature, interpolate(*p["DTSMTB"], temperature), vernfac * dvred,
            p["TSUMEM"], p["TSUM1"], p["TSUM2"], p["TBASEM"], p["TEFFMX"], p["DVSEND"],
        )  # fmt: skip

        # States of the start of the day.
        wlv = cohorts.weight()
        green = leaves.shoot_area(wst, interpolate(*p["SSATB"], dvs), wso, p["SPA"])
        lai = cohorts.living_area() + green
        active = bool(dvs >= 0.0)

        # 2. Potential transpiration and evaporation; bare soil before emergence.
        if active:
            emerged_days += 1
            recent = torch.cat([day["TMIN"].unsqueeze(0), recent[:-1]])
            kdif = interpolate(*p["KDIFTB"], dvs)
            demand = evapotranspiration.crop_demand(day["ET0"], p["CFET"])
            potential = evapotranspiration.potential_rates(demand, day["ES0"], day["E0"], kdif, lai)
            sweaf = evapotranspiration.easily_available_fraction(demand, p["DEPNR"])
            smcr = evapotranspiration.critical_soil_moisture(sweaf, p["SMW"], p["SMFCF"])
            rfws = evapotranspiration.drought_factor(sm, smcr, p["SMW"])
            rfos = evapotranspiration.oxygen_factor(
                sm, p["SM0"], p["CRAIRC"], dsos, p["IOX"], p["IAIRDU"]
            )
            tra = evapotranspiration.transpiration(potential.tramx, rfws, rfos)
            evsmx, evwmx = potential.evsmx, potential.evwmx
        else:
            tra, evsmx, evwmx = ZERO, day["ES0"], day["E0"]

        # 3. Assimilation, respiration, partitioning, growth and death from the same states.
        if active:
            rftra = rfws * rfos
            amax = interpolate(*p["AMAXTB"], dvs) * interpolate(*p["TMPFTB"], daytime)
            tmin = assimilation.recent_minimum(recent, emerged_days * ONE)
            pgass = assimilation.gross_assimilation(
                sky, day["IRRAD"], lai, amax, interpolate(*p["EFFTB"], daytime), kdif,
                interpolate(*p["TMNFTB"], tmin),
            )  # fmt: skip
            pmres = growth.maintenance(
                growth.Organs(wrt, wlv, wst, wso), temperature, interpolate(*p["RFSETB"], dvs),
                p["RMR"], p["RML"], p["RMS"], p["RMO"], p["Q10"],
            )  # fmt: skip
            shares = partitioning(p, dvs)
            cvf = growth.conversion(shares, p["CVR"], p["CVL"], p["CVS"], p["CVO"])
            dmi = growth.dry_matter_growth(pgass, rftra, pmres, cvf)
            grow = growth.organ_growth(dmi, shares)
            root_death = growth.death(wrt, interpolate(*p["RDRRTB"], dvs))
            stem_death = growth.death(wst, interpolate(*p["RDRSTB"], dvs))
            stress = torch.maximum(
                leaves.drought_death(wlv, rftra, p["PERDL"]),
                leaves.shading_death(wlv, lai, kdif),
            )
            removed, leaf_death = cohorts.death(stress, p["SPAN"])
            ageing = leaves.ageing(temperature, p["TBASE"])
            increase = leaves.exponential_increase(laiexp, temperature, p["RGRLAI"], p["TBASE"])
            area = leaves.area_growth(grow.leaves, interpolate(*p["SLATB"], dvs), laiexp, increase)
            rr = roots.depth_growth(rd, rdm, p["RRI"], shares.fr)

        # 4. Water, from the transpiration of the crop and the states of the start of the day.
        if limited:
            lost = water.not_infiltrating(rain, p["NOTINF"], p["IFUNRN"])
            fluxes = water.water_fluxes(soil, store, zone, rain, irrigated, lost, tra, evsmx, evwmx)

        twlv, twst, twrt = wlv + dead_leaves, wst + dead_stems, wrt + dead_roots
        row = {
            "DVS": dvs, "LAI": lai, "RD": rd, "TAGP": twlv + twst + wso, "TRA": tra,
            "TWLV": twlv, "TWRT": twrt, "TWSO": wso, "TWST": twst, "SM": sm,
        }  # fmt: skip
        if limited:
            row |= {"EVS": fluxes.evs, "W": store.w, "WLOW": store.wlow}
            row["WWLOW"] = store.w + store.wlow
        rows.append(row)
        if ends(agro, start, date, bool(dvs >= p["DVSEND"])):
            break

        # 5. States of the next day: rates are added, roots first give the soil its new depth.
        if active:
            wrt, dead_roots = wrt + grow.roots - root_death, dead_roots + root_death
            wst, dead_stems = wst + grow.stems - stem_death, dead_stems + stem_death
            wso = wso + grow.storage
            dead_leaves = dead_leaves + leaf_death
            cohorts.advance(removed, ageing, grow.leaves, area)
            laiexp = laiexp + increase
            rd = rd + rr
        dvs = phenology.next_stage(dvs, dvr, p["DVSEND"])
        vern = vern + vernr
        if limited:
            wdr = water.root_zone_transfer(soil, store, fluxes, zone, rd)
            store = water.next_water(store, fluxes, wdr)
            zone = rd
            dsos = evapotranspiration.oxygen_stress_days(
                dsos, store.w / zone, p["SM0"], p["CRAIRC"]
            )
    return {key: torch.cat([row[key] for row in rows]) for key in rows[0]}
