"""Kernels of WOFOST 7.2 in its own units, with the exact limits of the reference model.

Units are those of WOFOST: kg ha-1, cm, J m-2 d-1, degC. A day takes its rates from the states
at its start and then adds them (Euler). Supit, Hooijer & van Diepen (1994), System description
of the WOFOST 6.0 crop simulation model; de Wit et al. (2019), doi:10.1016/j.agsy.2018.06.018.
"""
