"""Check values of the sun and of radiation, each from the source named in its test."""

import math

import pytest
import torch

from neuralcrop.physics import radiation


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def latitude(degrees):
    angle = f64(degrees) * (math.pi / 180.0)
    return torch.sin(angle), torch.cos(angle)


def close(actual, expected, rtol=1e-6, atol=0.0):
    torch.testing.assert_close(
        torch.as_tensor(actual, dtype=torch.float64).reshape(-1),
        f64(*expected) if isinstance(expected, (tuple, list)) else f64(expected),
        rtol=rtol,
        atol=atol,
    )


@pytest.mark.parametrize(
    ("lat", "day", "extraterrestrial", "day_length"),
    [
        (-20.0, 246.0, 32.193996, 11.665592),  # FAO-56, examples 8 and 9
        (50.8, 187.0, 41.088376, 16.104612),  # Uccle, example 18
        (13.7333, 105.0, 38.057686, 12.312575),  # Bangkok, example 17
    ],
)
def test_solar_geometry_of_fao56(lat, day, extraterrestrial, day_length):
    geometry = radiation.solar_geometry(*latitude(lat), f64(day))
    close(geometry.extraterrestrial, extraterrestrial)
    close(geometry.day_length, day_length)


def test_declination_and_distance_of_fao56_example_8():
    close(radiation.declination_fao(f64(246.0)), 0.119655, rtol=1e-5)
    close(radiation.inverse_distance(f64(246.0)), 0.98483, rtol=1e-5)


@pytest.mark.parametrize(
    ("lat", "day", "hours"),
    [
        (52.0, 172.0, 16.48427182),
        (52.0, 355.0, 7.51551725),
        (-30.0, 196.0, 10.24623838),
        (40.0, 200.0, 14.48186485),
        (70.0, 172.0, 24.0),
        (70.0, 355.0, 0.0),
        (0.0, 80.0, 12.0),
    ],
)
def test_day_length_of_lpjml(lat, day, hours):
    sin_lat, cos_lat = latitude(lat)
    declination = radiation.declination_lpjml(f64(day))
    angle = radiation.sunset_hour_angle(
        sin_lat * torch.sin(declination), cos_lat * torch.cos(declination)
    )
    close(24.0 / math.pi * angle, hours, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize(
    ("lat", "day", "radiation_sum", "expected"),
    [
        (
            52.0,
            173.0,
            2e7,
            {
                "DAYL": 16.496437,
                "DAYLP": 17.698799,
                "SINLD": 0.31357619,
                "COSLD": 0.56481651,
                "DIFPP": 200.218259,
                "ATMTR": 0.47840357,
                "DSINBE": 40097.8351,
                "ANGOT": 41805707.96,
            },
        ),
        (
            52.0,
            356.0,
            2e7,
            {
                "DAYL": 7.504236,
                "DAYLP": 8.590707,
                "SINLD": -0.31354134,
                "COSLD": 0.56482832,
                "DIFPP": 516.8137,
                "ATMTR": 3.1767386,
                "DSINBE": 4805.7027,
                "ANGOT": 6295765.14,
            },
        ),
        (
            -30.0,
            196.0,
            2e7,
            {
                "DAYL": 10.251050,
                "DAYLP": 10.923904,
                "DSINBE": 17757.2111,
                "ANGOT": 19675064.47,
            },
        ),
    ],
)
def test_astronomy_of_wofost(lat, day, radiation_sum, expected):
    """PCSE 6.0.13, from the functions of radiation.py with the declination of WOFOST."""
    sin_lat, cos_lat = latitude(lat)
    sin_declination = radiation.sine_declination_wofost(f64(day))
    sin_product = sin_lat * sin_declination
    cos_product = cos_lat * torch.sqrt(1.0 - sin_declination**2)
    solar_constant = 1370.0 * radiation.inverse_distance(f64(day))
    extraterrestrial = solar_constant * radiation.daily_sine_integral(sin_product, cos_product)
    transmissivity = radiation_sum / extraterrestrial
    diffuse = radiation.diffuse_fraction(transmissivity)
    actual = {
        "DAYL": 24.0 / math.pi * radiation.sunset_hour_angle(sin_product, cos_product),
        "DAYLP": radiation.photoperiod(sin_lat, cos_lat, f64(day), -4.0),
        "SINLD": sin_product,
        "COSLD": cos_product,
        "DIFPP": diffuse * transmissivity * 0.5 * solar_constant,
        "ATMTR": transmissivity,
        "DSINBE": radiation.effective_sine_integral(sin_product, cos_product),
        "ANGOT": extraterrestrial,
    }
    for name, value in expected.items():
        close(actual[name], value, rtol=2e-7)


def test_poles_are_finite():
    geometry = radiation.solar_geometry(*latitude(90.0), f64(1.0, 172.0))
    close(geometry.day_length, (0.0, 24.0))
    assert geometry.extraterrestrial[0] == 0.0
    assert geometry.extraterrestrial[1] > 40.0
    assert (geometry.sine_integral >= 60.0).all()


@pytest.mark.parametrize("n", [3, 5])
def test_gauss_hours_integrate_the_course_of_radiation(n):
    geometry = radiation.solar_geometry(*latitude(45.0), f64(100.0))
    hours, weights = radiation.gauss_hours(geometry.day_length, n)
    sine = radiation.sin_elevation(geometry, hours)
    rate = radiation.instantaneous_radiation(f64(20.0), sine, geometry.sine_integral)
    assert hours.shape == (n, 1)
    close((weights * rate).sum(0) * geometry.day_length * 3600.0, 20.0, rtol={3: 7e-3, 5: 3e-4}[n])
    close(weights.sum(0), 1.0, rtol=1e-6)


def test_net_radiation_of_fao56_example_17_and_18():
    """FAO-56, examples 17 (Bangkok) and 18 (Uccle), recomputed with more digits."""
    shortwave = f64(22.651005, 22.0720516)
    clear_sky = f64(28.544787, 30.8984584)
    close(radiation.net_shortwave(shortwave, 0.23), (17.441274, 16.9954797))
    longwave = radiation.net_longwave_fao56(
        f64(25.6, 12.3), f64(34.8, 21.5), f64(2.85, 1.40862380), shortwave, clear_sky
    )
    close(longwave, (3.108609, 3.7122946), rtol=1e-6)


def test_clear_sky_radiation_of_fao56():
    close(radiation.clear_sky_radiation(f64(41.088376), 100.0), 30.8984584, rtol=1e-7)
    close(radiation.clear_sky_radiation(f64(38.057686), 2.0), 28.544787, rtol=1e-7)


def test_longwave_round_trip():
    tas, net = f64(-30.0, 0.0, 25.0), f64(2.0, 4.0, 6.0)
    close(radiation.net_longwave(tas, radiation.downwelling_longwave(tas, net)), (2.0, 4.0, 6.0))


def test_diffuse_fraction_at_its_joints():
    values = radiation.diffuse_fraction(f64(0.0, 0.07, 0.2, 0.5, 0.9))
    close(values, (1.0, 1.0, 1.0 - 2.3 * 0.13**2, 1.33 - 0.73, 0.23))


def test_clear_sky_diffuse_fraction_of_pyrealm():
    """Pyrealm 2.0.0, elevations 10 to 80 degrees at 101.325 kPa."""
    sine = torch.sin(f64(10.0, 30.0, 45.0, 60.0, 80.0) * (math.pi / 180.0))
    expected = (0.70578487, 0.28354407, 0.20122041, 0.1642375, 0.14432841)
    close(radiation.diffuse_fraction_clear(sine, 101.325), expected, rtol=4e-8)


def test_subdaily_temperature():
    """Parton & Logan (1981), computed from the equation: Tx 25, Tn 10, next Tn 11, Y 14."""
    hour = f64(6.0, 8.0, 10.0, 12.0, 14.0, 16.0, 18.0, 20.0, 22.0, 4.0)
    expected = (
        13.0892, 17.9933, 21.9030, 24.3317, 24.9774, 23.7596, 20.8298, 17.2835, 15.0468, 11.2191,
    )  # fmt: skip
    day = (f64(10.0), f64(25.0))
    full = radiation.subdaily_temperature_full(hour, *day, f64(11.0), f64(14.0))
    close(full, expected, rtol=0.0, atol=5e-5)
    daylight = radiation.subdaily_temperature(hour[:7], *day, f64(14.0))
    close(daylight, expected[:7], rtol=0.0, atol=5e-5)
