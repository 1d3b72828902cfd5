"""Gradients of every public function of core.numerics and physics.

`KERNELS` gives each function smooth inputs for gradcheck; `EDGES` gives the places where naive
formulas have NaN or infinite slopes. A test holds the tables complete.
"""

import importlib
import pkgutil

import pytest
import torch

import neuralcrop.physics
from neuralcrop.core import numerics
from neuralcrop.physics import (
    allocation,
    canopy,
    damage,
    irrigation,
    leaf_area,
    nitrogen_demand,
    nitrogen_uptake,
    phenology,
    radiation,
    respiration,
    snow,
    soil_hydraulics,
    soil_water,
    stomata,
)
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics import photosynthesis_c3 as c3
from neuralcrop.physics import photosynthesis_c4 as c4
from tests.kernel_checks import (
    check_edge,
    check_one_graph,
    check_single,
    check_slopes,
    label,
    name,
    public_functions,
    rows,
    v,
)

# Processes with files of their own tests.
ELSEWHERE = {
    "reference_evapotranspiration", "soil_carbon", "soil_heat", "soil_nitrogen", "wofost72",
    "harvest_index", "haxeltine_prentice", "lpjml_transpiration", "lpjml_versions",
}

# Steps whose declared slope is not their derivative.
STRAIGHT_THROUGH = {
    "numerics.floor_to", "numerics.whole", "numerics.whole_amount", "numerics.spread_amount"}

# Numbers, not tensors.
CONSTANT = {"numerics.quantum_of"}


def sun():
    return radiation.SolarGeometry(v(0.25), v(0.6), v(15.0), v(4e4), v(36.0))


LOAM = (v(0.4, 0.25, 0.8), v(0.2, 0.5, 0.06))
RUBISCO = (v(42.0, 43.0), v(710.0, 720.0))
RD = v(0.9, 1.1)
PM = (v(9.0, 4.0), v(1.2, 0.4), v(22.0, 8.0), v(99.0, 90.0), v(45.0, 120.0))
TABLES = (rows(0.5, 0.2, 0.0), rows(0.6, 0.4, 0.1), rows(0.4, 0.6, 0.2), rows(0.0, 0.1, 0.7))

# fmt: off
KERNELS = [
    (numerics.row_sum, rows(0.3, 2.0, 0.5)),
    (numerics.log, v(0.5, 2.0)),
    (numerics.clip01, v(0.2, 1.5)),
    (numerics.clip, v(0.2, 1.5), v(0.1, 0.1), v(1.0, 1.0)),
    (numerics.safe_sqrt, v(0.2, 3.0)),
    (numerics.safe_div, v(1.0, 2.0), v(0.3, -4.0)),
    (numerics.safe_pow, v(0.5, 2.0), v(1.3, 0.4)),
    (numerics.smooth_min, v(1.0, 3.0, -2.0), v(2.0, 1.0, 4.0), v(0.9, 0.98, 0.7)),
    (numerics.smooth_max0, v(-1.0, 0.0, 2.0), 0.5),
    (numerics.softplus, v(-1.0, 0.0, 2.0), 0.5),
    (numerics.soft_step, v(-1.0, 0.0, 2.0), 0.5),
    (numerics.donor_limit, v(3.0, 40.0), v(0.4, 2.0), 1.0),
    (numerics.donor_limit, v(3.0, 40.0), v(0.4, 2.0), 0.0),
    (numerics.limit_demand, v(3.0, 40.0), v(2.0, 60.0), 1.0),
    (numerics.share_limit, v(3.0, 40.0), (v(2.0, 1.0), v(0.5, 9.0)), 1.0),
    (numerics.quadratic_small_root, v(1.0, 0.5), v(-5.0, 3.0), v(2.0, 1.0)),
    (numerics.quadratic_large_root, v(1.0, 0.5), v(-5.0, 3.0), v(2.0, 1.0)),
    (numerics.uniform_weights, v(0.3, 1.7), 3, 0.0, 1.0),
    (numerics.interp_uniform, v(0.3, 1.7), rows(1.0, 4.0, 2.0), 0.0, 1.0),
    (numerics.interp_table, v(0.3, 1.7), (0.0, 1.0, 2.0), (1.0, 4.0, 2.0)),
    (numerics.interp_table, v(0.3, 1.7), v(0.0, 1.0, 2.0), v(1.0, 4.0, 2.0)),

    (radiation.declination_fao, v(10.0, 180.0)),
    (radiation.declination_lpjml, v(10.0, 180.0)),
    (radiation.sine_declination_wofost, v(10.0, 180.0)),
    (radiation.inverse_distance, v(10.0, 180.0)),
    (radiation.sunset_hour_angle, v(0.2, -0.3), v(0.6, 0.5), -4.0),
    (radiation.daily_sine_integral, v(0.2, -0.3), v(0.6, 0.5)),
    (radiation.effective_sine_integral, v(0.2, -0.3), v(0.6, 0.5)),
    (radiation.solar_geometry, v(0.5, -0.7), v(0.866, 0.714), v(40.0, 200.0)),
    (radiation.photoperiod, v(0.5, -0.7), v(0.866, 0.714), v(40.0, 200.0), -4.0),
    (radiation.sin_elevation, sun(), v(9.0)),
    (radiation.gauss_hours, v(8.0, 14.0), 5),
    (radiation.instantaneous_radiation, v(20.0), v(0.6), v(4e4)),
    (radiation.net_shortwave, v(20.0), v(0.23)),
    (radiation.clear_sky_radiation, v(36.0), v(300.0)),
    (radiation.net_longwave_fao56, v(12.0), v(22.0), v(1.4), v(18.0), v(30.0)),
    (radiation.surface_emission, v(-5.0, 25.0)),
    (radiation.downwelling_longwave, v(-5.0, 25.0), v(3.0, 4.0)),
    (radiation.net_longwave, v(-5.0, 25.0), v(20.0, 30.0)),
    (radiation.diffuse_fraction, v(0.05, 0.2, 0.5, 0.8)),
    (radiation.diffuse_fraction_clear, v(0.1, 0.8), v(90.0, 101.0)),
    (radiation.subdaily_temperature, v(9.0, 15.0), v(8.0), v(22.0), v(14.0)),
    (radiation.subdaily_temperature_full, v(3.0, 9.0, 21.0), v(8.0), v(22.0), v(9.0), v(14.0)),

    (et.saturation_vapour_pressure, v(-10.0, 30.0)),
    (et.vapour_pressure_slope, v(-10.0, 30.0)),
    (et.psychrometric_constant, v(90.0)),
    (et.air_pressure, v(100.0, 3000.0)),
    (et.vapour_pressure_from_specific_humidity, v(0.008), v(95.0)),
    (et.wind_2m_from_10m, v(3.0)),
    (et.latent_heat, v(20.0)),
    (et.air_density, v(20.0), v(95.0)),
    (et.reference_evapotranspiration_fao56, v(13.0), v(0.2), v(17.0), v(2.0), v(0.6), v(100.0)),
    (et.priestley_taylor, v(13.0), v(17.0), v(100.0), v(1.26)),
    (et.aerodynamic_resistance, v(3.0, 1.0), 10.0, v(0.5, 2.0)),
    (et.penman_monteith, *PM, v(60.0, 300.0), 43200.0),
    (et.surface_resistance, v(2.0, 0.5), *PM, 43200.0),
    (et.molar_conductance_to_resistance, v(0.3, 0.01), v(20.0, 5.0), v(95.0, 80.0)),
    (et.resistance_to_molar_conductance, v(100.0), v(20.0), v(95.0)),
    (et.soil_evaporation_factor, v(0.1, 0.9)),
    (et.interception_wet_fraction, v(4.0), v(3.0), v(5.0), v(0.02)),
    (et.lpjml_equilibrium_evapotranspiration, v(10.0), v(20.0)),
    (et.lpjml_demand, v(4.0), v(8.0), v(0.1)),
    (et.lpjml_supply, v(8.0), v(0.5), v(50.0)),
    (et.lpjml_supply_limited_conductance, v(3.0), v(4.0), v(0.1)),

    (c3.arrhenius, v(5.0, 35.0), v(65e3)),
    (c3.peaked_arrhenius, v(5.0, 40.0), v(58550.0), v(629.26)),
    (c3.kattge_knorr_factors, v(15.0, 25.0), v(10.0, 35.0)),
    (c3.jmax_to_vcmax_ratio, v(20.0)),
    (c3.kinetics, v(5.0, 35.0), v(95.0)),
    (c3.kinetics_pressure, v(5.0, 35.0), v(95.0)),
    (c3.electron_transport, v(50.0, 1500.0), v(100.0), v(0.24), v(0.85)),
    (c3.rubisco_rate, v(60.0), v(270.0), v(42.0), v(700.0)),
    (c3.electron_rate, v(90.0), v(270.0), v(42.0)),
    (c3.tpu_rate, v(9.0), v(270.0, 900.0), v(42.0), v(0.2)),
    (c3.assimilation_at_ci, v(50.0, 90.0), v(90.0, 60.0), v(250.0, 42.5), *RUBISCO, RD, 0.98),
    (c3.assimilation_at_ci, v(50.0, 90.0), v(90.0, 60.0), v(250.0, 700.0), *RUBISCO, RD, 0.98,
     v(4.0, 9.0)),
    (c3.diffusion_limited_net, v(50.0), v(700.0), v(400.0), v(0.1), v(42.0), v(0.9)),
    (c3.assimilation_at_conductance, v(50.0, 90.0), v(90.0, 60.0), v(400.0, 600.0), v(0.1, 0.01),
     *RUBISCO, RD, 0.98),
    (c3.intercellular_co2, v(400.0), v(10.0), v(0.1)),

    (c4.temperature_factor, v(5.0, 25.0, 42.0)),
    (c4.respiration_factor, v(5.0, 25.0, 42.0)),
    (c4.assimilation_at_ci, v(50.0), v(40.0), v(120.0), v(0.7), v(1.0), v(0.83), v(0.93)),
    (c4.assimilation_at_conductance, v(50.0), v(40.0), v(400.0), v(0.06), v(0.7), v(1.0)),
    (c4.von_caemmerer_assimilation, v(60.0, 200.0), v(400.0, 1500.0), v(20.0, 33.0)),

    (stomata.medlyn_ci_ratio, v(4.0), v(1.2)),
    (stomata.medlyn_slope, v(4.0), v(1.2), v(400.0)),
    (stomata.ball_berry_slope, v(9.0), v(0.6), v(400.0)),
    (stomata.leuning_slope, v(9.0), v(1.2), v(1.5), v(400.0), v(42.0)),
    (stomata.medlyn_conductance, v(10.0), v(400.0), v(4.0), v(1.2), v(0.01)),
    (stomata.coupled_ci, v(50.0), v(700.0), v(400.0), v(0.01), v(0.006), v(42.0), v(0.9)),
    (stomata.coupled_assimilation, v(50.0), v(90.0), v(400.0), v(0.01), v(0.01), v(42.0),
     v(700.0), v(0.9), 0.98),

    (canopy.fraction_absorbed, v(0.1, 3.0), v(0.5)),
    (canopy.fraction_absorbed_lpjml_maize, v(0.5, 3.0)),
    (canopy.beam_extinction, v(0.1, 0.8)),
    (canopy.scattered_beam_extinction, v(0.6)),
    (canopy.canopy_beam_reflectance, v(0.6, 3.0)),
    (canopy.sunlit_area, v(0.1, 3.0), v(0.6)),
    (canopy.two_leaf_irradiance, v(1e3, 50.0), v(300.0, 80.0), v(3.0, 0.2), v(0.8, 0.2)),
    (canopy.canopy_capacity, v(90.0), v(3.0), v(0.4), v(0.7)),

    (phenology.degree_days, v(5.0, 20.0, 40.0), 8.0, 35.0),
    (phenology.yin_beta, v(10.0, 38.0), v(8.0), v(30.0), v(42.0), v(1.2)),
    (phenology.wang_engel, v(10.0, 33.0), v(8.0), v(28.0), v(36.0)),
    (phenology.trapezoid, v(10.0, 38.0), v(8.0), v(30.0), v(33.0), v(42.0)),
    (phenology.linear_response, v(10.0, 38.0), v(8.0), v(30.0), v(42.0)),
    (phenology.linear_response, v(10.0, 38.0), v(8.0), v(30.0), v(42.0), v(32.0)),
    (phenology.vernalisation_trapezoid, v(0.0, 12.0)),
    (phenology.vernalisation_factor, v(20.0), v(10.0), v(50.0)),
    (phenology.photoperiod_linear, v(12.0), v(8.0), v(16.0)),
    (phenology.photoperiod_wang_engel, v(12.0), v(8.0), v(16.0)),
    (phenology.stage_step, v(-0.05, -0.01, 0.4, 0.99, 1.5, 1.99), v(0.02), v(0.04), v(0.05)),

    (respiration.q10, v(5.0, 30.0), v(2.0), v(25.0)),
    (respiration.lpjml_temperature_response, v(-10.0, 30.0)),
    (respiration.maintenance, rows(10.0, 20.0), rows(0.01, 0.02), v(1.2)),
    (respiration.lpjml_maintenance, v(100.0), v(30.0), v(2.0), v(0.8)),
    (respiration.limited_maintenance, v(2.0), v(3.0)),
    (respiration.lpjml_growth_respiration, v(10.0), v(2.0), v(0.25)),
    (respiration.growth_efficiency, rows(0.3, 0.7), rows(0.7, 0.65)),
    (respiration.carbon_growth_efficiency, v(0.7), v(0.46)),

    (allocation.partition, v(0.3, 1.4), *TABLES, 0.0, 1.0),
    (allocation.water_deficit_weight, v(30.0, 90.0)),
    (allocation.root_fraction_lpjml, v(0.4), v(0.9)),
    (allocation.harvest_index, v(0.4, 0.9), v(0.5, 2.0), v(0.2, 1.1), v(0.9)),
    (allocation.storage_share_lpjml, v(0.4, 1.7)),
    (allocation.phenological_lai_lpjml, v(0.2, 0.8), (0.05, 0.05), (0.45, 0.95), 0.7, 0.5),
    (allocation.phenological_lai_lpjml, v(0.2, 0.8), (v(0.05), v(0.06)), (v(0.45), v(0.95)), v(0.7),
     v(0.5), v(0.1)),
    (allocation.root_distribution, v(0.94), v(20.0), v(50.0)),
    (nitrogen_demand.maximum_concentration, v(0.3, 1.7), rows(0.06, 0.02, 0.014), v(0.5), v(0.4),
     v(0.0176), 0.0, 1.0),
    (nitrogen_demand.organ_demand, v(2.0), v(60.0, 60.0), v(2.0, 9.0), v(0.07), v(2.0)),
    (nitrogen_demand.nutrition_index, v(60.0, 60.0), v(2.0, 9.0), v(0.06), v(0.01)),
    (nitrogen_demand.capacity_factor, v(60.0, 60.0), v(2.0, 9.0), v(0.06), v(1.0)),
    (nitrogen_demand.leaf_growth_factor, v(0.3), v(1.2)),
    (nitrogen_demand.leaf_death_rate, v(0.3), v(0.03)),
    (nitrogen_demand.storage_growth_factor, v(100.0, 1.0), v(2.2, 0.1), v(0.1, 0.5), v(0.02)),
    (nitrogen_demand.leaf_nitrogen_from_capacity, v(60.0), v(20.0), v(60.0), v(0.017)),
    (nitrogen_demand.capacity_from_leaf_nitrogen, v(3.1, 0.5), v(20.0), v(60.0), v(0.017)),
    (nitrogen_demand.allocate_by_ratio, v(6.0), rows(60.0, 40.0, 80.0), rows(1.0, 1.16, 0.99)),
    (nitrogen_demand.translocation, rows(1.0, 0.5, 0.1), v(0.1, 0.9), v(10.0), v(0.7), 1.0),
    (nitrogen_demand.share_supply, v(0.5, 2.0), v(0.2, 0.8), rows(0.3, 0.2, 0.1)),
    (nitrogen_uptake.temperature_response, v(-10.0, 30.0, 60.0)),
    (nitrogen_uptake.uptake_capacity, rows(2.0, 0.4), rows(35.0, 10.0), v(0.092), v(1.5), v(0.7),
     v(0.05), v(0.9)),
    (nitrogen_uptake.moisture_response, v(0.2, 0.9), v(0.1)),
    (nitrogen_uptake.limited_uptake, rows(0.3, 0.2, 0.05), v(0.2, 0.9), v(0.7)),
    (nitrogen_uptake.fixation_activity, v(12.0, 39.0), v(0.3, 0.9)),
    (nitrogen_uptake.fixation, v(0.5, 0.1), v(0.8), v(0.9), v(4.0, 0.2), v(6.0), 1.0),

    (leaf_area.ageing_rate, v(20.0), v(8.0), v(33.0)),
    (leaf_area.ageing_chain, rows(3.0, 2.0, 1.0), v(0.05), 1.0),
    (leaf_area.self_shading_loss, v(7.0), v(0.6)),
    (leaf_area.drought_loss, v(0.4), v(0.03)),
    (leaf_area.specific_leaf_area_lpjml, v(0.5)),
    (leaf_area.juvenile_growth, v(0.5), v(0.03), v(20.0), v(8.0)),

    (soil_hydraulics.saxton_rawls, *LOAM, v(2.5)),
    (soil_hydraulics.organic_matter_percent, v(3000.0), v(0.45), v(200.0)),
    (soil_hydraulics.loosened, soil_hydraulics.saxton_rawls(*LOAM, 2.5), v(0.8)),
    (soil_hydraulics.unsaturated_conductivity, v(0.2, 0.4, 0.3),
     soil_hydraulics.saxton_rawls(*LOAM, 2.5)),

    (soil_water.infiltration_share, v(20.0, 90.0, 1.0), v(20.0), v(64.0), v(2.4)),
    (soil_water.infiltration, v(20.0), v(0.4), v(2.4)),
    (soil_water.infiltration, v(20.0), v(0.4), v(2.4), v(64.0)),
    (soil_water.percolation, v(10.0, 1.0), v(15.0), v(0.8, 0.6), v(0.6), v(0.5, 0.9), 1.0),
    (soil_water.percolation, v(10.0, 1.0), v(15.0), v(0.8, 0.6), v(0.6), v(0.5, 0.9), 0.0),
    (soil_water.saturation_brake, v(0.1, 0.9)),
    (soil_water.layer_overlap, (0.2, 0.5, 1.0), v(0.3)),
    (soil_water.evaporation_shares, rows(20.0, 10.0), rows(1.0, 0.3)),
    (soil_water.root_profile, v(0.94), (0.2, 0.5, 1.0), v(0.7)),
    (soil_water.root_water_uptake, v(5.0), rows(20.0, 2.0), rows(0.4, 0.6), 1.0),

    (snow.snow_fraction, v(-1.0, 2.0), v(0.5), v(1.0)),
    (snow.melt_demand, v(-1.0, 2.0), v(3.0)),
    (snow.snow_losses, v(20.0, 1.0), v(3.0), v(0.1), 1.0),
    (irrigation.irrigation_amount, v(50.0), v(90.0), v(0.68), v(0.7)),
    (irrigation.gross_irrigation, v(50.0), v(0.7)),
    (damage.frost_damage_rate, v(-5.0), v(-6.0), v(1.0), v(0.4)),
    (damage.heat_sterility, v(34.0), v(36.0), v(1.0)),
]

EDGES = [
    ("empty stock", numerics.limit_demand, v(0.0, 1e-30, 1.0), v(3.0, 3.0, 0.0), 1.0),
    ("empty stock", numerics.share_limit, v(0.0, 1e-30, 1.0), (v(3.0, 3.0, 0.0),), 1.0),
    ("polar night", radiation.solar_geometry, v(1.0, 0.93, 0.9175), v(0.0, 0.37, 0.3977), v(355.0)),
    ("polar day", radiation.solar_geometry, v(1.0, 0.93, 0.9175), v(0.0, 0.37, 0.3977), v(172.0)),
    ("polar photoperiod", radiation.photoperiod, v(1.0, -1.0), v(0.0, 0.0), v(172.0), -4.0),
    ("no sun", radiation.instantaneous_radiation, v(0.0), v(-0.3, 0.0), v(60.0)),
    ("no sky", radiation.net_longwave_fao56, v(-20.0), v(-20.0), v(0.0), v(0.0), v(0.0)),
    ("horizon", radiation.diffuse_fraction_clear, v(0.0, -0.2), v(100.0)),
    ("joints", radiation.diffuse_fraction, v(0.0, 0.07, 0.35, 0.75, 3.0)),
    ("24 h of daylight", radiation.subdaily_temperature_full, v(1.0, 23.0), v(1.0), v(9.0), v(2.0),
     v(24.0)),
    ("no daylight", radiation.subdaily_temperature_full, v(1.0, 23.0), v(1.0), v(9.0), v(2.0),
     v(0.0)),
    ("no conductance", et.molar_conductance_to_resistance, v(0.0), v(20.0), v(95.0)),
    ("no evaporation", et.surface_resistance, v(0.0), v(5.0), v(1.0), v(20.0), v(95.0), v(50.0),
     43200.0),
    ("calm and bare", et.aerodynamic_resistance, v(0.0), 10.0, v(0.0)),
    ("crop above the anemometer", et.aerodynamic_resistance, v(2.0), 2.0, v(4.0)),
    ("no demand", et.interception_wet_fraction, v(0.0), v(0.0), v(0.0)),
    ("no conductance", et.lpjml_demand, v(4.0), v(0.0), v(0.0)),
    ("supply above demand", et.lpjml_supply_limited_conductance, v(9.0), v(4.0), v(0.0)),
    ("dark", c3.electron_transport, v(0.0), v(0.0, 100.0)),
    ("dark", c3.assimilation_at_ci, v(50.0, 0.0), v(0.0), v(270.0), v(42.0), v(700.0), v(0.9),
     0.98),
    ("compensation point", c3.assimilation_at_ci, v(50.0), v(90.0), v(42.0), v(42.0), v(700.0),
     v(0.9), 0.98),
    ("below compensation", c3.assimilation_at_ci, v(50.0), v(90.0), v(10.0), v(42.0), v(700.0),
     v(0.9), 0.9999, v(8.0)),
    ("no leaf", c3.assimilation_at_conductance, v(0.0), v(0.0), v(400.0), v(0.0), v(42.0),
     v(700.0), v(0.0), 0.98),
    ("dark", c3.assimilation_at_conductance, v(50.0), v(0.0), v(400.0), v(0.0, 0.1), v(42.0),
     v(700.0), v(0.9), 0.98),
    ("pole", c3.tpu_rate, v(9.0), v(0.0, 42.0), v(42.0), v(0.0)),
    ("no leaf", c4.assimilation_at_conductance, v(0.0), v(0.0), v(400.0), v(0.0), v(0.7), v(0.0)),
    ("dark", c4.assimilation_at_ci, v(50.0), v(0.0), v(0.0, 100.0), v(0.7), v(1.0)),
    ("dry and moist air", stomata.medlyn_ci_ratio, v(4.0), v(0.0, -1.0, 9.0)),
    ("dark", stomata.coupled_assimilation, v(50.0, 0.0), v(0.0), v(400.0), v(0.01), v(0.0),
     v(42.0), v(700.0), v(0.9), 0.98),
    ("no leaf", canopy.two_leaf_irradiance, v(900.0), v(300.0), v(0.0), v(0.7)),
    ("no sun", canopy.two_leaf_irradiance, v(0.0), v(0.0), v(3.0), v(0.0, -0.5)),
    ("no leaf", canopy.canopy_capacity, v(90.0), v(0.0), v(0.4), v(0.7)),
    ("cardinal points", phenology.yin_beta, v(8.0, 30.0, 42.0, -5.0, 60.0), v(8.0), v(30.0),
     v(42.0)),
    ("cardinal points", phenology.wang_engel, v(8.0, 28.0, 36.0, -5.0, 60.0), v(8.0), v(28.0),
     v(36.0)),
    ("no development", phenology.stage_step, v(-0.1, 0.0, 1.0, 2.0), v(0.0), v(0.0), v(0.0)),
    ("fast development", phenology.stage_step, v(-0.1, 0.0, 1.0, 2.0), v(9.0), v(9.0), v(9.0)),
    ("deep cold", respiration.lpjml_temperature_response, v(-60.0, -46.02, -15.0, 60.0)),
    ("nothing", respiration.limited_maintenance, v(0.0, 1.0), v(0.0, 0.0)),
    ("season ends", allocation.phenological_lai_lpjml, v(0.0, 0.7, 1.0), (0.05, 0.05),
     (0.45, 0.95), 0.7, 0.5),
    ("empty shares", allocation.partition, v(1.0), *(rows(0.0, 0.0) for _ in range(4)), 0.0, 1.0),
    ("empty", leaf_area.ageing_chain, rows(0.0, 0.0), v(0.0), 1.0),
    ("corners of the triangle", soil_hydraulics.saxton_rawls, v(1.0, 0.0, 0.0), v(0.0, 1.0, 0.0),
     v(0.0, 60.0, 20.0)),
    ("saturated", soil_water.infiltration_share, v(0.0, 500.0), v(64.0), v(64.0), v(2.0)),
    ("dry", soil_water.infiltration_share, v(0.0, 64.0, 1e-9), v(0.0), v(64.0), v(2.0)),
    ("saturated", soil_water.infiltration, v(5.0), v(0.0, 1.0), v(2.0)),
    ("no excess", soil_water.percolation, v(0.0), v(15.0), v(0.0, 1.0), v(0.6), v(0.0, 1.0), 1.0),
    ("no excess", soil_water.percolation, v(0.0), v(15.0), v(0.0, 1.0), v(0.6), v(0.0, 1.0), 0.0),
    ("dry soil", soil_water.evaporation_shares, rows(0.0, 0.0), rows(1.0, 0.3)),
    ("no roots", soil_water.root_profile, v(0.94), (0.2, 0.5, 1.0), v(0.0, 9.0)),
    ("dry soil", soil_water.root_water_uptake, v(5.0, 0.0), rows(0.0, 0.0), rows(0.0, 0.0), 1.0),
    ("no leaves", nitrogen_demand.nutrition_index, v(0.0, 1.0, 1.0), v(0.0, 0.0, 9.0), v(0.06),
     v(0.06)),
    ("no leaves", nitrogen_demand.capacity_factor, v(0.0, 1.0, 1.0), v(0.0, 0.0, 9.0), v(0.06),
     v(1.0)),
    ("no storage", nitrogen_demand.storage_growth_factor, v(0.0), v(0.0), v(0.0, 5.0), v(0.02)),
    ("no carbon", nitrogen_demand.allocate_by_ratio, v(6.0), rows(0.0, 0.0), rows(1.0, 1.16)),
    ("nothing moves", nitrogen_demand.translocation, rows(0.0, 0.0, 0.0), v(0.0, 0.9), v(10.0),
     v(0.0, 1.0), 1.0),
    ("no supply", nitrogen_demand.share_supply, v(0.0, 0.0, 1.0), v(0.0, 0.8, 0.0),
     rows(0.0, 0.0, 0.0)),
    ("no nitrogen", nitrogen_uptake.uptake_capacity, rows(0.0, 0.4), rows(35.0, 0.0), v(0.0, 0.1),
     v(1.5), v(0.7), v(0.05), v(0.0, 1.0)),
    ("no soil", nitrogen_uptake.limited_uptake, rows(0.0, 0.0), v(0.0, 0.9), v(0.7)),
    ("dry soil", nitrogen_uptake.moisture_response, v(0.0), v(0.1)),
    ("no carbon", nitrogen_uptake.fixation, v(0.5, 0.0), v(0.8, 0.0), v(0.0, 1.0), v(0.0), v(6.0),
     1.0),
    ("bare ground", snow.snow_losses, v(0.0), v(0.0, 3.0), v(0.0), 1.0),
]
# fmt: on


@pytest.mark.parametrize("case", KERNELS, ids=label)
def test_gradcheck(case):
    check_slopes(case)


@pytest.mark.parametrize("case", EDGES, ids=label)
@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
def test_values_and_slopes_are_finite_at_the_edges(case, dtype):
    assert all(result.dtype == dtype for result in check_edge(case, dtype))


@pytest.mark.parametrize("case", KERNELS, ids=label)
def test_single_precision_agrees(case):
    check_single(case)


def test_every_public_function_is_checked():
    modules = [numerics] + [
        importlib.import_module(f"neuralcrop.physics.{module.name}")
        for module in pkgutil.iter_modules(neuralcrop.physics.__path__)
        if module.name not in ELSEWHERE
    ]
    public = public_functions(modules)
    assert public - {name(case[0]) for case in KERNELS} == STRAIGHT_THROUGH | CONSTANT


def test_spread_rounding_has_the_mean_of_the_flux_and_its_slope():
    flux = torch.full((4,), 0.3, dtype=torch.float64, requires_grad=True)
    days = torch.arange(1000, dtype=torch.float64)
    spread = torch.stack([
        numerics.spread_amount(flux, 1.0, torch.frac(day * 0.6180339887498949)) for day in days])
    assert set(spread.detach().unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(spread.mean(dim=0), flux, atol=2e-3, rtol=0.0)
    (slope,) = torch.autograd.grad(spread.sum(), flux)
    torch.testing.assert_close(slope, torch.full_like(slope, 1000.0))
    assert numerics.quantum_of("nitrogen", torch.float32) == 2.0**-15


def test_floor_passes_gradients_straight_through():
    x = v(0.3, 1.7, 5.0)
    floored = numerics.floor_to(x, 0.25)
    torch.testing.assert_close(floored.detach(), v(0.25, 1.5, 5.0).detach(), rtol=0.0, atol=0.0)
    (slope,) = torch.autograd.grad(floored.sum(), x)
    assert (slope == 1.0).all()


@pytest.mark.slow
def test_every_kernel_traces_into_one_graph():
    check_one_graph(KERNELS)
