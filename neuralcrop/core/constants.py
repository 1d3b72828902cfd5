"""Physical constants, each with its unit and source."""

import math

ZERO_CELSIUS = 273.15
"""0 degC in K (definition)."""

GAS_CONSTANT = 8.314
"""Universal gas constant (J mol-1 K-1), with the digits used by plantecophys and LPJmL."""

GAS_CONSTANT_PYREALM = 8.3145
"""Universal gas constant (J mol-1 K-1), as used by pyrealm; only for parity with it."""

STANDARD_PRESSURE = 101.325
"""Standard atmosphere (kPa; definition)."""

STEFAN_BOLTZMANN = 4.903e-9
"""Stefan-Boltzmann constant (MJ K-4 m-2 d-1; Allen et al. 1998, FAO-56, eq. 39)."""

SOLAR_CONSTANT = 0.0820
"""Solar constant (MJ m-2 min-1; Allen et al. 1998, FAO-56, eq. 21)."""

SECONDS_PER_DAY = 86400.0
"""Seconds in a day (s)."""

SPECIFIC_HEAT_AIR = 1.013e-3
"""Specific heat of moist air at constant pressure (MJ kg-1 K-1; Allen et al. 1998, eq. 8)."""

DRY_AIR_GAS_CONSTANT = 0.287
"""Specific gas constant of dry air (kJ kg-1 K-1; Allen et al. 1998, eq. 3.5 of annex 3)."""

VON_KARMAN = 0.41
"""von Karman constant (-; Allen et al. 1998, FAO-56, eq. 4)."""

SURFACE_EMISSIVITY = 0.98
"""Long-wave emissivity of a crop canopy (-; Jones 2014, Plants and Microclimate, table 2.4)."""

REFERENCE_ALBEDO = 0.23
"""Albedo of the grass reference crop (-; Allen et al. 1998, FAO-56, eq. 38)."""

PAR_FRACTION = 0.5
"""Photosynthetically active share of short-wave energy (-; Monteith 1972)."""

PAR_PER_JOULE = 4.57
"""PAR photons per energy (umol J-1; McCree 1972)."""

WATER_TO_CO2_DIFFUSIVITY = 1.6
"""Ratio of stomatal conductances to water vapour and CO2 (-; Medlyn et al. 2011)."""

WATER_TO_CO2_DIFFUSIVITY_PLANTECOPHYS = 1.57
"""The same ratio in plantecophys (Duursma 2015); only for parity with it."""

LEAF_RESPIRATION_ACTIVATION = 46390.0
"""Activation energy of day respiration (J mol-1; Bernacchi et al. 2001, table 1)."""

CARBON_MOLAR_MASS = 12.011
"""Molar mass of carbon (g mol-1; IUPAC)."""

CARBON_FRACTION = 0.45
"""Carbon in dry matter (g g-1; LPJmL, Schaphoff et al. 2018)."""

WATER_VAPOUR_RATIO = 0.622
"""Molar mass of water vapour over that of dry air (-; Allen et al. 1998, eq. 8)."""

OXYGEN = 210.0
"""Atmospheric oxygen (mmol mol-1; Bernacchi et al. 2001)."""

DEGREE = math.pi / 180.0
"""One degree of arc (rad)."""
