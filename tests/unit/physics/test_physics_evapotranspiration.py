"""Check values of humidity and evaporation, each from the source named in its test."""

import math

import pytest
import torch

from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import radiation


def f64(*values):
    return torch.tensor(values, dtype=torch.float64)


def close(actual, expected, rtol=1e-6, atol=0.0):
    expected = f64(*expected) if isinstance(expected, tuple) else f64(expected)
    torch.testing.assert_close(actual.reshape(-1), expected, rtol=rtol, atol=atol)


def test_vapour_pressure_of_fao56():
    close(et.saturation_vapour_pressure(f64(24.5, 15.0)), (3.075, 1.705), rtol=0.0, atol=5e-4)
    uccle = et.saturation_vapour_pressure(f64(21.5, 12.3))
    close(uccle.mean(), 1.99748556, rtol=1e-8)
    close((uccle * f64(0.63, 0.84)).mean(), 1.40862380, rtol=1e-8)
    example_5 = et.saturation_vapour_pressure(f64(25.0, 18.0)) * f64(0.54, 0.82)
    close(example_5.mean(), 1.70, rtol=0.0, atol=5e-3)


def test_tetens_agrees_with_xclim():
    """Xclim 0.62.0, tetens30 at 20 degC (Pa) uses 17.502 / 240.97: within 0.1 %."""
    close(et.saturation_vapour_pressure(f64(20.0)), 2.336647, rtol=1e-3)


def test_air_of_fao56():
    close(et.air_pressure(f64(1800.0)), 81.8, rtol=0.0, atol=0.05)
    close(et.air_pressure(f64(100.0)), 100.12351, rtol=1e-7)
    close(et.psychrometric_constant(f64(100.12351)), 0.06658213, rtol=1e-6)
    close(et.vapour_pressure_slope(f64(16.9, 30.2)), (0.12211266, 0.24580028), rtol=1e-7)
    close(et.wind_2m_from_10m(f64(10.0 / 3.6)), 2.077642, rtol=1e-6)


def test_vapour_pressure_from_specific_humidity():
    close(et.vapour_pressure_from_specific_humidity(f64(0.008), 100.0), 1.279951, rtol=1e-6)


def test_reference_evapotranspiration_of_fao56():
    """FAO-56, example 18 (Uccle; pyet and refet agree) and 17 (Bangkok)."""
    uccle = et.reference_evapotranspiration_fao56(
        f64(13.2831852), 0.0, f64(16.9), f64(2.077642), f64(1.99748556 - 1.40862380), f64(100.12351)
    )
    close(uccle, 3.8802594, rtol=1e-6)
    bangkok = et.reference_evapotranspiration_fao56(
        f64(14.332664),
        f64(0.14),
        f64(30.2),
        f64(2.0),
        f64(4.4217978 - 2.85),
        et.air_pressure(f64(2.0)),
    )
    close(bangkok, 5.71612, rtol=1e-6)


def test_priestley_taylor_of_pyet():
    """Pyet 1.5.0, Uccle: with the latent heat of the temperature, and with 2.45 MJ kg-1."""
    inputs = (f64(13.2831852), f64(16.9), f64(100.12351))
    close(et.priestley_taylor(*inputs, 1.26), 4.400930, rtol=1e-6)
    close(et.priestley_taylor(*inputs, 1.26, 2.45), 4.42087, rtol=1e-6)


def test_aerodynamic_resistance_of_pyet():
    """Pyet 1.5.0, wind 2.0776 m s-1 at 2 m over crops of 0.12 to 2 m."""
    expected = (99.9510938, 52.9233906, 38.7077045, 9.4064307)
    height = f64(0.12, 0.5, 0.8, 2.0)
    close(et.aerodynamic_resistance(f64(10.0 / 3.6) * et.WIND_10M_TO_2M, 2.0, height), expected)


@pytest.mark.parametrize(
    ("height", "rs", "expected"),
    [
        (0.12, 100.0 / (0.5 * 2.88), 3.8724258),
        (0.5, 100.0 / (0.5 * 3.0), 4.1556077),
        (0.8, 100.0 / (0.5 * 5.0), 5.0742491),
        (2.0, 100.0 / (0.5 * 5.0), 7.0443635),
        (0.12, 70.0 / (0.5 * 24.0 * 0.12), 4.1155166),
    ],
)
def test_penman_monteith_of_pyet(height, rs, expected):
    """Pyet 1.5.0, Uccle; it takes the density of moist air."""
    t, pressure, vap = f64(16.9), f64(100.12351), f64(1.40862380)
    ra = et.aerodynamic_resistance(f64(10.0 / 3.6) * et.WIND_10M_TO_2M, 2.0, f64(height))
    virtual = (273.16 + t) / (1.0 - 0.378 * vap / pressure)
    inputs = (f64(13.2831852), f64(1.99748556) - vap, t, pressure, ra)
    evaporation = et.penman_monteith(*inputs, f64(rs), 86400.0, 3.486 * pressure / virtual)
    close(evaporation, expected, rtol=1e-6)


def test_molar_conductance_round_trip():
    g = f64(1e-4, 0.1, 2.0)
    r = et.molar_conductance_to_resistance(g, f64(20.0), 95.0)
    close(r[1:2], 95e3 / (0.1 * 8.314 * 293.15), rtol=1e-12)
    torch.testing.assert_close(et.resistance_to_molar_conductance(r, f64(20.0), 95.0), g)


def test_soil_evaporation_of_lpjml():
    """LPJmL 6: 1.32 Eq (1 - cover) times the factor, with Eq 4 and cover 0.5."""
    factor = et.soil_evaporation_factor(f64(0.2, 0.5, 0.8, 1.0))
    close(1.32 * 4.0 * 0.5 * factor, (0.125204, 1.32, 2.514796, 2.622331), rtol=4e-6)


def test_interception_of_lpjml():
    wet = et.interception_wet_fraction(f64(10.0), f64(3.0), f64(1.32 * 4.0))
    close(wet, 0.1136364, rtol=1e-6)
    close(1.32 * 4.0 * wet, 0.6)
    close(et.interception_wet_fraction(f64(100.0), f64(5.0), f64(0.0)), 0.9999)


@pytest.mark.parametrize(
    ("t", "longwave", "shortwave", "hours", "expected"),
    [
        (17.0, -50.0, 250.0, 16.48427182, 3.61818183),
        (26.0, -40.0, 220.0, 12.0, 3.97155836),
        (25.0, -60.0, 300.0, 14.48186485, 5.10641182),
        (12.0, -60.0, 120.0, 10.24623838, 1.36671718),
        (8.0, -40.0, 280.0, 24.0, 3.22947720),
        (3.0, -40.0, 30.0, 7.51551725, 0.16592287),
        # from 380 W m-2 of long-wave radiation by the sky
        (25.0, 380.0 - 5.6704e-8 * 298.15**4, 300.0, 14.48186485, 4.97864527),
    ],
)
def test_equilibrium_evapotranspiration_of_lpjml(t, longwave, shortwave, hours, expected):
    """LPJmL 6.0.6, petpar of the C source (W m-2, albedo 0.23)."""
    net = 0.0864 * ((1.0 - 0.23) * f64(shortwave) + longwave * hours / 24.0)
    close(et.lpjml_equilibrium_evapotranspiration(net, f64(t)), expected, rtol=1e-8)


def test_demand_and_supply_of_lpjml():
    eq, gc = f64(4.0), f64(8.0)
    close(et.lpjml_demand(eq, gc, 0.0), 4.21763, rtol=2e-6)
    close(et.lpjml_demand(eq, gc, 0.0, gm=2.41), 4.10403, rtol=2e-6)
    supply = et.lpjml_supply(8.0, f64(0.5), f64(50.0))
    close(supply, 3.458659, rtol=2e-7)
    conductance = et.lpjml_supply_limited_conductance(supply, eq, 0.0)
    close(et.lpjml_demand(eq, conductance, 0.0), supply.item(), rtol=1e-12)


def test_surface_resistance_inverts_penman_monteith():
    t = f64(5.0, 15.0, 25.0, 40.0)
    fixed = (f64(12.0), f64(1.5), t, f64(95.0), f64(40.0))
    rs = f64(1.0, 60.0, 300.0, 5000.0)
    evaporation = et.penman_monteith(*fixed, rs, 43200.0)
    back = et.surface_resistance(evaporation, *fixed, 43200.0)
    torch.testing.assert_close(back, rs, rtol=1e-10, atol=1e-9)


def test_uccle_from_the_sun_to_the_reference_evapotranspiration():
    """FAO-56, example 18, end to end: from latitude and weather to 3.88 mm d-1."""
    angle = f64(50.8 * math.pi / 180.0)
    sun = radiation.solar_geometry(torch.sin(angle), torch.cos(angle), f64(187.0))
    shortwave = (0.25 + 0.5 * 9.25 / sun.day_length) * sun.extraterrestrial
    close(shortwave, 22.0720516, rtol=1e-7)
    vap = (et.saturation_vapour_pressure(f64(21.5, 12.3)) * f64(0.63, 0.84)).mean()
    longwave = radiation.net_longwave_fao56(
        f64(12.3),
        f64(21.5),
        vap,
        shortwave,
        radiation.clear_sky_radiation(sun.extraterrestrial, 100.0),
    )
    net = radiation.net_shortwave(shortwave, 0.23) - longwave
    vpd = et.saturation_vapour_pressure(f64(21.5, 12.3)).mean() - vap
    wind = et.wind_2m_from_10m(f64(10.0 / 3.6))
    pressure = et.air_pressure(f64(100.0))
    amount = et.reference_evapotranspiration_fao56(net, 0.0, f64(16.9), wind, vpd, pressure)
    close(amount, 3.8802594, rtol=1e-6)
