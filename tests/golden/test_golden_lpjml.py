"""Functions after LPJmL against numbers of its C code, releases 5.10.0 and 6.0.6."""

import csv
import math
import re

import pytest
import torch
from shared import columns, shared_file

from neuralcrop.physics import haxeltine_prentice as hp
from neuralcrop.physics import lpjml_transpiration as surface
from neuralcrop.physics import soil_hydraulics
from neuralcrop.physics.lpjml_versions import LPJML5, LPJML6
from neuralcrop.physics.respiration import lpjml_temperature_response

pytestmark = pytest.mark.golden

# the parameter files of 5.10.0 give this co-limitation and leaf respiration
LPJML510 = LPJML5._replace(curvature=0.95, leaf_respiration_c3=0.031, leaf_respiration_c4=0.031)
CLOSE = {"rtol": 1e-6, "atol": 1e-9}
LIMITS = {"wheat": (0, 12, 17, 40), "maize": (8, 21, 26, 42), "soy": (5, 28, 32, 45),
          "rice": (6, 20, 45, 55)}


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def records(*parts):
    with shared_file(*parts).open(newline="") as file:
        return list(csv.DictReader(file))


def stress_of(crop, t):
    ceiling = hp.CEILING_C4 if crop == "maize" else hp.CEILING_C3
    low, optimum_low, optimum_high, high = (f64(x) for x in LIMITS[crop])
    return hp.temperature_stress(t, low, optimum_low, optimum_high, high, ceiling)


def efficiencies(c4, stress, ratio, co2, t, version):
    if c4:
        return hp.efficiencies_c4(stress, ratio, version.quantum_c4)
    return hp.efficiencies_c3(stress, ratio * co2, hp.kinetics(t), version.quantum_c3)


def day(path, t, stress, ratio, co2, apar, hours, version, capacity=None):
    """Capacity and assimilation; the capacity at the optimal ratio where none is given."""
    c4 = path == "C4"
    b = version.leaf_respiration_c4 if c4 else version.leaf_respiration_c3
    if capacity is None:
        optimal = hp.OPTIMAL_RATIO_C4 if c4 else hp.OPTIMAL_RATIO_C3
        best = efficiencies(c4, stress, torch.full_like(t, optimal), co2, t, version)
        capacity = hp.optimum_capacity(best, apar, hours, b, version.curvature)
    now = efficiencies(c4, stress, ratio, co2, t, version)
    return capacity, hp.assimilation(now, capacity, apar, hours, b, version.curvature)


@pytest.mark.parametrize("path", ["C3", "C4"])
def test_photosynthesis_of_5_10(path):
    rows = records("data", "golden_lpjml510", "photosynthesis.csv")
    assert len(rows) >= 28
    capacity = None
    for row in rows:
        if row["path"] != path:
            continue
        x = {k: f64(float(v)) for k, v in row.items() if k != "path"}
        stress = stress_of("maize" if path == "C4" else "wheat", x["temp"])
        torch.testing.assert_close(stress, x["tstress"], **CLOSE)
        capacity, result = day(
            path, x["temp"], stress, x["lambda"], x["co2Pa"], x["apar"], x["daylen"], LPJML510,
            None if row["comp_vm"] == "1" else capacity)
        torch.testing.assert_close(capacity, x["vm"], **CLOSE)
        torch.testing.assert_close(result.gross, x["agd"], **CLOSE)
        torch.testing.assert_close(result.respiration, x["rd"], **CLOSE)
        volume = hp.carbon_to_volume(result.net, x["temp"])
        torch.testing.assert_close(volume, x["adtmm"], **CLOSE)


# temperature; capacity, gross, respiration, volume; gross at lambda 0.5 (C3) or 0.2 (C4)
PHOTOSYNTHESIS_6 = [
    ("C3", "v6", 10, 47.474704, 12.642293, 1.471716, 23.116944, 11.242502),
    ("C3", "v6", 20, 58.270551, 11.546924, 1.806387, 21.312114, 9.363865),
    ("C3", "v6", 30, 64.452101, 8.280283, 1.998015, 14.943334, 5.782135),
    ("C3", "v5", 10, 115.296291, 16.795789, 1.729444, 30.970161, 15.082516),
    ("C3", "v5", 20, 131.778217, 15.229206, 1.976673, 28.589229, 12.676032),
    ("C4", "v6", 25, 33.647957, 13.898639, 1.043087, 27.453277, 7.077983),
    ("C4", "v5", 25, 49.348569, 13.354029, 1.727200, 25.503942, 7.027797),
]


def check_photosynthesis_6(path, version, t, vm, agd, rd, adtmm, drawn_down):
    t = f64(t)
    version = LPJML6 if version == "v6" else LPJML5
    stress = stress_of("maize" if path == "C4" else "wheat", t)
    optimal, low = (0.4, 0.2) if path == "C4" else (0.8, 0.5)
    weather = (f64(40.53), f64(5e6), f64(14.0), version)
    capacity, result = day(path, t, stress, f64(optimal), *weather)
    printed = {"rtol": 2e-6, "atol": 1e-6}
    for value, expected in (
        (capacity, vm), (result.gross, agd), (result.respiration, rd),
        (hp.carbon_to_volume(result.net, t), adtmm),
        (day(path, t, stress, f64(low), *weather, capacity)[1].gross, drawn_down),
    ):
        torch.testing.assert_close(value, f64(expected), **printed)
    return capacity, stress, weather


@pytest.mark.parametrize("case", PHOTOSYNTHESIS_6)
def test_photosynthesis_of_both_versions(case):
    check_photosynthesis_6(*case)


NUMBER = r"(-?[\d.e+-]+)"


def test_photosynthesis_file_of_6():
    text = shared_file("data", "science_fixtures", "lpjml606_functions.txt").read_text()
    pattern = re.compile(
        rf"set(\d) (C\d) T {NUMBER} ts [\d.]+ lam \.\d.*? vm {NUMBER} agd {NUMBER} "
        rf"rd {NUMBER} adtmm {NUMBER} \| lam \.\d agd {NUMBER}(?:.*co2x1.5 agd {NUMBER})?")
    found = [m.groups() for m in map(pattern.match, text.splitlines()) if m]
    assert len(found) == 18
    for kind, path, t, *numbers, enriched in found:
        capacity, stress, weather = check_photosynthesis_6(
            path, "v6" if kind == "0" else "v5", float(t), *map(float, numbers))
        if enriched is not None:
            rich = (1.5 * weather[0], *weather[1:])
            gross = day(path, f64(float(t)), stress, f64(0.8), *rich, capacity)[1].gross
            torch.testing.assert_close(gross, f64(float(enriched)), rtol=2e-6, atol=1e-6)


def test_temperature_stress_file():
    text = shared_file("data", "science_fixtures", "lpjml606_functions.txt").read_text()
    lines = text.splitlines()[1:12]
    for line in lines:
        t, *expected = map(float, line.split())
        for crop, value in zip(("wheat", "maize", "soy", "rice"), expected, strict=True):
            torch.testing.assert_close(
                stress_of(crop, f64(t)), f64(value), rtol=1e-6, atol=6e-9)


def test_ratio_at_a_conductance():
    rows = records("data", "golden_lpjml510", "lambda_bisect.csv")
    assert {row["path"] for row in rows} == {"C3", "C4"}
    for row in rows:
        x = {k: f64(float(v)) for k, v in row.items() if k != "path"}
        exchange = x["fac"] / hp.carbon_to_volume(f64(1.0), x["temp"])
        canopy = (exchange, x["vm"], x["apar"], x["daylen"], x["tstress"])
        v = LPJML510
        if row["path"] == "C4":
            ratio = hp.ratio_at_exchange_c4(
                *canopy, v.quantum_c4, v.leaf_respiration_c4, v.curvature)
        else:
            ratio = hp.ratio_at_exchange_c3(
                *canopy, x["co2Pa"], hp.kinetics(x["temp"]), v.quantum_c3,
                v.leaf_respiration_c3, v.curvature)
        _, result = day(row["path"], x["temp"], x["tstress"], ratio, x["co2Pa"], x["apar"],
                        x["daylen"], v, x["vm"])
        volume = hp.carbon_to_volume(result.net, x["temp"])
        # ours is the root; the bisection stops at a residual below 1e-3 mm d-1
        torch.testing.assert_close(volume, x["fac"] * (1.0 - ratio), rtol=1e-10, atol=1e-10)
        torch.testing.assert_close(ratio, x["lambda_bisect"], rtol=0.0, atol=1e-3 / 15.0)
        torch.testing.assert_close(volume, x["adtmm"], rtol=0.0, atol=1.1e-3)
        torch.testing.assert_close(result.respiration, x["rd"], **CLOSE)


PETPAR_6 = [  # latitude, day, temperature, longwave, shortwave; day length, equilibrium
    (52, 172, 17, -50, 250, 16.48427182, 3.61818183),
    (52, 355, 3, -40, 30, 7.51551725, 0.16592287),
    (0, 80, 26, -40, 220, 12.0, 3.97155836),
    (-30, 196, 12, -60, 120, 10.24623838, 1.36671718),
    (70, 172, 8, -40, 280, 24.0, 3.22947720),
    (70, 355, -20, -30, 0, 0.0, 0.0),
    (40, 200, 25, -60, 300, 14.48186485, 5.10641182),
]


@pytest.mark.parametrize("case", PETPAR_6)
def test_daily_energy_of_6(case):
    lat, doy, t, longwave, shortwave, hours, equilibrium = map(f64, case)
    energy = surface.daily_energy(lat, doy, t, longwave, shortwave, 0.23)
    torch.testing.assert_close(energy.day_length, hours, rtol=1e-8, atol=1e-8)
    torch.testing.assert_close(energy.equilibrium, equilibrium, rtol=2e-8, atol=1e-8)


def test_daily_energy_of_5_10():
    x = columns("data", "golden_lpjml510", "petpar2.csv")
    energy = surface.daily_energy(
        x["lat"], x["day"], x["temp"], x["lwnet"], x["swdown"], x["albedo"])
    torch.testing.assert_close(energy.day_length, x["daylength"], **CLOSE)
    torch.testing.assert_close(energy.par, x["par"], **CLOSE)
    torch.testing.assert_close(energy.equilibrium, x["eeq"], **CLOSE)


def test_interception_and_soil_evaporation():
    caught = surface.interception(f64(10.0), f64(3.0), f64(4.0), LPJML6.interception)
    torch.testing.assert_close(caught.wet, f64(0.1136364), rtol=1e-6, atol=0.0)
    torch.testing.assert_close(caught.amount, f64(0.6), rtol=1e-12, atol=0.0)
    bare = surface.soil_evaporation(f64(4.0), f64(0.5), f64(0.2, 0.5, 0.8, 1.0))
    torch.testing.assert_close(
        bare, f64(0.125204, 1.32, 2.514796, 2.622331), rtol=4e-6, atol=0.0)


def test_respiration_response():
    x = columns("data", "golden_lpjml510", "temp_functions.csv")
    v = LPJML5
    response = lpjml_temperature_response(
        x["temp"], v.respiration_reference, v.respiration_minimum)
    torch.testing.assert_close(response, x["gtemp(56.02)"], **CLOSE)


def test_pedotransfer():
    x = columns("data", "golden_lpjml510", "pedotransfer.csv")
    thickness = torch.where(x["layer"] == 0.0, 200.0, 300.0).double()
    organic = soil_hydraulics.organic_matter_percent(
        x["soilC_layer_gm2"], x["wsat_prev"], thickness)
    soil = soil_hydraulics.saxton_rawls(x["sand"], x["clay"], organic, "lpjml")
    soil = soil_hydraulics.loosened(soil, x["df_tillage"])
    capacity = soil.field_capacity - soil.wilting_point
    water = 0.6 * 0.15 + 0.1
    close = {"rtol": 1e-6, "atol": 1e-7}
    for value, name in (
        (soil.wilting_point, "wpwp"), (soil.field_capacity, "wfc"), (soil.saturation, "wsat"),
        (capacity, "whc"), (capacity * thickness, "whcs_mm"), (soil.ksat, "Ks_mmh"),
        (-2.655 * math.log(10.0) / torch.log(soil.field_capacity / soil.saturation), "beta"),
        (((water - soil.wilting_point) / capacity).clamp(0.0, 1.0), "w"),
        ((water - soil.field_capacity).clamp(min=0.0) * thickness, "w_fw_mm"),
    ):
        torch.testing.assert_close(value, x[name], msg=lambda m, n=name: f"{n}: {m}", **close)


def test_published_pedotransfer_holds_less_water():
    """The coefficient of the paper is not squared: every row of the file has another capacity."""
    x = columns("data", "golden_lpjml510", "pedotransfer.csv")
    published = soil_hydraulics.saxton_rawls(x["sand"], x["clay"], 1.0)
    squared = soil_hydraulics.saxton_rawls(x["sand"], x["clay"], 1.0, "lpjml")
    gain = squared.field_capacity - published.field_capacity
    first = (published.field_capacity + 0.015)  # t2 + 1.283 t2^2 - 0.374 t2
    t2 = (-0.626 + torch.sqrt(0.626**2 + 4.0 * 1.283 * first)) / (2.0 * 1.283)
    torch.testing.assert_close(gain, (1.283**2 - 1.283) * t2 * t2, rtol=1e-9, atol=1e-12)
