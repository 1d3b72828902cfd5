"""Constants in which versions of LPJmL differ: a result "after LPJmL" always names one."""

from typing import NamedTuple


class LpjmlVersion(NamedTuple):
    """Constants of a version of LPJmL.

    Attributes
    ----------
    curvature
        Co-limitation of light and Rubisco, theta (-).
    quantum_c3, quantum_c4
        CO2 fixed per absorbed photon, alpha (mol mol-1).
    leaf_respiration_c3, leaf_respiration_c4
        Daily leaf respiration over Rubisco capacity, b (-).
    priestley_taylor
        Potential over equilibrium evapotranspiration (-).
    maximum_demand
        Largest demand for transpiration over equilibrium evapotranspiration, alpha_m (-).
    demand_conductance
        Conductance that scales the demand, g_m (mm s-1).
    interception
        Wet share of the day per leaf area and rain over potential evapotranspiration (-).
    evaporation_depth
        Soil that evaporates (mm).
    respiration_reference, respiration_minimum
        Of `physics.respiration.lpjml_temperature_response` (K, degC).
    """

    curvature: float
    quantum_c3: float
    quantum_c4: float
    leaf_respiration_c3: float
    leaf_respiration_c4: float
    priestley_taylor: float
    maximum_demand: float
    demand_conductance: float
    interception: float
    evaporation_depth: float
    respiration_reference: float
    respiration_minimum: float


LPJML5 = LpjmlVersion(
    curvature=0.9, quantum_c3=0.08, quantum_c4=0.053, leaf_respiration_c3=0.015,
    leaf_respiration_c4=0.035, priestley_taylor=1.32, maximum_demand=1.485,
    demand_conductance=2.41, interception=0.01, evaporation_depth=300.0,
    respiration_reference=56.02, respiration_minimum=-40.0)
"""LPJmL 5: Schaphoff et al. (2018) doi:10.5194/gmd-11-1343-2018 and von Bloh et al. (2018)
doi:10.5194/gmd-11-2789-2018, with the parameters of its crop runs."""

LPJML6 = LpjmlVersion(
    curvature=0.99, quantum_c3=0.058, quantum_c4=0.052, leaf_respiration_c3=0.031,
    leaf_respiration_c4=0.031, priestley_taylor=1.32, maximum_demand=1.485,
    demand_conductance=2.2, interception=0.02, evaporation_depth=500.0,
    respiration_reference=46.02, respiration_minimum=-15.0)
"""LPJmL 6: parameter files of release 6.0.6."""

VERSIONS = {"lpjml5": LPJML5, "lpjml6": LPJML6}
"""Versions by name."""


def version_of(name: str) -> LpjmlVersion:
    """Constants of a version by its name.

    Raises
    ------
    ValueError
        If there is no such version; lists those there are.
    """
    if name not in VERSIONS:
        raise ValueError(f"unknown version of LPJmL {name!r}, expected {' or '.join(VERSIONS)}")
    return VERSIONS[name]
