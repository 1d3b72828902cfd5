"""Soil, site and calendar of the `wofost72` set, as parameters: so they have gradients."""

from __future__ import annotations

from neuralcrop.core.parameters import ParameterSpec, ParameterValue

SITE_SPECS = (
    ParameterSpec("SMW", "1", "soil moisture at wilting point, by volume"),
    ParameterSpec("SMFCF", "1", "soil moisture at field capacity, by volume"),
    ParameterSpec("SM0", "1", "soil moisture at saturation, by volume"),
    ParameterSpec("CRAIRC", "1", "air content of the soil that roots need, by volume"),
    ParameterSpec("RDMSOL", "cm", "depth to which roots can grow in the soil"),
    ParameterSpec("SOPE", "cm d-1", "maximum percolation out of the root zone"),
    ParameterSpec("KSUB", "cm d-1", "maximum percolation into the subsoil"),
    ParameterSpec("SMLIM", "1", "largest initial moisture of the root zone, by volume"),
    ParameterSpec("WAV", "cm", "initial water above wilting point"),
    ParameterSpec("SSI", "cm", "initial surface storage"),
    ParameterSpec("SSMAX", "cm", "largest surface storage"),
    ParameterSpec("NOTINF", "1", "share of rain that does not infiltrate"),
    ParameterSpec("IFUNRN", "1", "1 where that share depends on the rain of the day"),
    ParameterSpec("starts_emerged", "1", "1 where the crop starts with its emergence"),
    ParameterSpec("restarts_water", "1", "1 where soil water is set to its start at sowing"),
    ParameterSpec("maximum_season", "d", "latest harvest after sowing"),
)
"""What the set needs to know of a place, beside its crop."""

_LOAM = "medium soil EC3 of the European Soil Database; Supit et al. (1994)"
_WORLD = "neuralcrop"

SITE_VALUES = {
    name: ParameterValue((value,), (lower,), (upper,), units, source)
    for name, value, lower, upper, units, source in (
        ("SMW", 0.104, 0.01, 0.4, "1", _LOAM), ("SMFCF", 0.3, 0.05, 0.6, "1", _LOAM),
        ("SM0", 0.41, 0.2, 0.9, "1", _LOAM), ("CRAIRC", 0.06, 0.0, 0.2, "1", _LOAM),
        ("RDMSOL", 120.0, 10.0, 300.0, "cm", _LOAM), ("SOPE", 10.0, 0.1, 100.0, "cm d-1", _LOAM),
        ("KSUB", 10.0, 0.1, 100.0, "cm d-1", _LOAM), ("SMLIM", 0.3, 0.0, 1.0, "1", _LOAM),
        ("WAV", 10.0, 0.0, 100.0, "cm", _WORLD), ("SSI", 0.0, 0.0, 10.0, "cm", _WORLD),
        ("SSMAX", 0.0, 0.0, 20.0, "cm", _WORLD), ("NOTINF", 0.0, 0.0, 1.0, "1", _WORLD),
        ("IFUNRN", 0.0, 0.0, 1.0, "1", _WORLD), ("starts_emerged", 0.0, 0.0, 1.0, "1", _WORLD),
        ("restarts_water", 0.0, 0.0, 1.0, "1", _WORLD),
        ("maximum_season", 365.0, 30.0, 400.0, "d", _WORLD),
    )
}
"""Values where nothing else is given."""
