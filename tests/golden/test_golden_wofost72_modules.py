"""Kernels of WOFOST 7.2 against the module tests of PCSE, driven by their external states."""

import functools

import pytest
import torch
import wofost_reference as reference
from wofost_reference import ONE, ZERO, Cohorts, day_of_year, partitioning

from neuralcrop.physics.wofost72 import (
    assimilation,
    astro,
    evapotranspiration,
    growth,
    leaves,
    phenology,
    roots,
)
from neuralcrop.physics.wofost72.tables import interpolate

pytestmark = pytest.mark.golden

FAMILIES = {}


def family(function):
    FAMILIES[function.__name__] = function
    return function


def temperature(weather):
    return 0.5 * (weather["TMIN"] + weather["TMAX"])


def daytime(weather):
    return 0.5 * (weather["TMAX"] + weather["TEMP"])


def sky(run):
    weather = run.weather
    return astro.astronomy(day_of_year(weather["DATE"]), weather["LAT"], weather["IRRAD"])


def in_season(values, dvs):
    """The modules do nothing before emergence."""
    return torch.where(dvs >= 0.0, values, 0.0)


@family
def astro_family(run):
    return {key.upper(): value for key, value in sky(run)._asdict().items()}


@family
def phenology_family(run):
    p, t = run.params, temperature(run.weather)
    daylp, dtsm = sky(run).daylp, interpolate(*run.params["DTSMTB"], t)
    base, saturated, complete = (
        p.get(key, default)
        for key, default in (("VERNBASE", ZERO), ("VERNSAT", ONE), ("VERNDVS", ONE))
    )
    table = interpolate(*p["VERNRTB"], t) if "VERNRTB" in p else torch.zeros_like(t)
    dvred = phenology.photoperiod_reduction(daylp, p.get("DLC", ZERO), p.get("DLO", ONE), p["IDSL"])
    sown = run.agro["crop_start_type"] == "sowing"
    dvs, vern = phenology.SOWN * ONE if sown else p["DVSI"], ZERO
    rows = []
    for i in range(len(t)):
        day = slice(i, i + 1)
        factor = phenology.vernalisation_factor(dvs, vern, base, saturated, complete, p["IDSL"])
        rate = phenology.vernalisation_rate(table[day], dvs, vern, saturated, complete, p["IDSL"])
        dvr = phenology.development_rate(
            dvs, t[day], dtsm[day], factor * dvred[day], p["TSUMEM"], p["TSUM1"], p["TSUM2"],
            p["TBASEM"], p["TEFFMX"], p["DVSEND"],
        )  # fmt: skip
        rows.append((dvr, dvs, vern, factor, rate))
        dvs, vern = phenology.next_stage(dvs, dvr, p["DVSEND"]), vern + rate
    columns = zip(("DVR", "DVS", "VERN", "VERNFAC", "VERNR"), zip(*rows, strict=True), strict=True)
    return {key: torch.cat(values) for key, values in columns}


@family
def assimilation_family(run):
    p, dvs, weather = run.params, run.external["DVS"], run.weather
    since = (dvs >= 0.0).cumsum(0).to(dvs.dtype)
    recent = torch.stack([weather["TMIN"].roll(k) for k in range(7)])
    tmin = assimilation.recent_minimum(recent, since)
    day = daytime(weather)
    pgass = assimilation.gross_assimilation(
        sky(run),
        weather["IRRAD"],
        run.external["LAI"],
        interpolate(*p["AMAXTB"], dvs) * interpolate(*p["TMPFTB"], day),
        interpolate(*p["EFFTB"], day),
        interpolate(*p["KDIFTB"], dvs),
        interpolate(*p["TMNFTB"], tmin),
    )
    return {"PGASS": in_season(pgass, dvs)}


@family
def respiration_family(run):
    p, x = run.params, run.external
    pmres = growth.maintenance(
        growth.Organs(x["WRT"], x["WLV"], x["WST"], x["WSO"]),
        temperature(run.weather),
        interpolate(*p["RFSETB"], x["DVS"]),
        *(p[key] for key in ("RMR", "RML", "RMS", "RMO", "Q10")),
    )
    return {"PMRES": in_season(pmres, x["DVS"])}


@family
def partitioning_family(run):
    shares = partitioning(run.params, run.external["DVS"])
    return {key.upper(): value for key, value in shares._asdict().items()}


@family
def transpiration_family(run):
    p, x, weather = run.params, run.external, run.weather
    demand = evapotranspiration.crop_demand(weather["ET0"], p["CFET"])
    kdif = interpolate(*p["KDIFTB"], x["DVS"])
    rates = evapotranspiration.potential_rates(
        demand, weather["ES0"], weather["E0"], kdif, x["LAI"]
    )
    sweaf = evapotranspiration.easily_available_fraction(demand, p["DEPNR"])
    smcr = evapotranspiration.critical_soil_moisture(sweaf, p["SMW"], p["SMFCF"])
    rfws = evapotranspiration.drought_factor(x["SM"], smcr, p["SMW"])
    rfos = evapotranspiration.oxygen_factor(
        x["SM"], p["SM0"], p["CRAIRC"], ZERO, p["IOX"], p["IAIRDU"]
    )
    tra = evapotranspiration.transpiration(rates.tramx, rfws, rfos)
    columns = {"TRA": tra, "TRAMX": rates.tramx, "EVSMX": rates.evsmx, "EVWMX": rates.evwmx}
    return {key: in_season(value, x["DVS"]) for key, value in columns.items()}


@family
def leafdynamics_family(run):
    p, x, t = run.params, run.external, temperature(run.weather)
    dvs = x["DVS"]
    kdif, sla = interpolate(*p["KDIFTB"], dvs), interpolate(*p["SLATB"], dvs)
    weight = p["TDWI"] * (1.0 - x["FR"][:1]) * x["FL"][:1]
    cohorts = Cohorts(len(t), weight, weight * sla[:1])
    laiexp, dead = cohorts.living_area(), ZERO
    ageing = leaves.ageing(t, p["TBASE"])
    rows = []
    for i in range(len(t)):
        day = slice(i, i + 1)
        wlv = cohorts.weight()
        lai = cohorts.living_area() + x["SAI"][day] + x["PAI"][day]
        rows.append((lai, wlv + dead))
        if dvs[i] < 0.0:
            continue
        stress = torch.maximum(
            leaves.drought_death(wlv, x["RFTRA"][day], p["PERDL"]),
            leaves.shading_death(wlv, lai, kdif[day]),
        )
        removed, death = cohorts.death(stress, p["SPAN"])
        grown = x["ADMI"][day] * x["FL"][day]
        increase = leaves.exponential_increase(laiexp, t[day], p["RGRLAI"], p["TBASE"])
        area = leaves.area_growth(grown, sla[day], laiexp, increase)
        cohorts.advance(removed, ageing[day], grown, area)
        laiexp, dead = laiexp + increase, dead + death
    lai, twlv = zip(*rows, strict=True)
    return {"LAI": torch.cat(lai), "TWLV": torch.cat(twlv)}


@family
def rootdynamics_family(run):
    p, x = run.params, run.external
    rdm = roots.maximum_depth(p["RDI"], p["RDMCR"], p["RDMSOL"])
    rd, wrt, dead = p["RDI"], p["TDWI"] * x["FR"][:1], ZERO
    relative = interpolate(*p["RDRRTB"], x["DVS"])
    rows = []
    for i in range(len(relative)):
        day = slice(i, i + 1)
        rows.append((rd, wrt + dead))
        if x["DVS"][i] >= 0.0:
            death = growth.death(wrt, relative[day])
            wrt, dead = wrt + x["FR"][day] * x["DMI"][day] - death, dead + death
            rd = rd + roots.depth_growth(rd, rdm, p["RRI"], x["FR"][day])
    rd, twrt = zip(*rows, strict=True)
    return {"RD": torch.cat(rd), "TWRT": torch.cat(twrt)}


def check(actual, expected):
    """Every reference column that is there, over the whole run."""
    for key, wanted in expected.items():
        value = actual[key]
        # States that the reference does not have are NaN in it (no vernalisation).
        known = ~wanted.isnan()
        assert value.shape == wanted.shape, key
        torch.testing.assert_close(
            value[known], wanted[known], rtol=1e-8, atol=1e-10, msg=lambda text, key=key: key + text
        )


@functools.cache
def runs(name):
    return [(label, reference.run(label)) for label in reference.names(name)]


def family_case(name):
    name = name.removesuffix("_family")
    return pytest.param(name, marks=pytest.mark.slow if name == "leafdynamics" else ())


@pytest.mark.parametrize("name", [family_case(name) for name in FAMILIES])
def test_module(name):
    cases = runs(name)
    assert len(cases) >= 10
    for _, run in cases:
        check(FAMILIES[f"{name}_family"](run), run.result)
