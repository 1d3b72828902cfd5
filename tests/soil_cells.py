"""Parameters, stocks and weather of a few soil cells for the tests of soil processes."""

import torch

from neuralcrop.physics.soil_carbon import OrganicMatter

THICKNESS = (0.2, 0.3, 0.5, 1.0, 1.0)

VALUES = {
    "litter_conductivity": 0.1, "snow_extinction": 25.0,
    "litter_decay_rate": 0.97, "root_litter_decay_rate": 0.3, "fast_decay_rate": 0.04,
    "slow_decay_rate": 0.001, "litter_mixing_rate": 0.693, "litter_released_share": 0.5,
    "litter_fast_share": 0.98, "soil_cn": 15.0, "immobilisation_half_saturation": 0.005,
    "nitrification_rate": 0.1, "nitrification_optimum": 18.79, "nitrification_width": 8.26,
    "nitrification_n2o_share": 0.01, "denitrification_carbon": 1.2,
    "denitrification_n2o_share": 0.11, "ammonia_length": 100.0, "anion_exclusion": 0.4,
    "runoff_nitrate_share": 0.4,
}  # fmt: skip


def parameters(cells=1, dtype=torch.float64, **changed):
    return {name: torch.full((cells,), changed.get(name, value), dtype=dtype)
            for name, value in VALUES.items()}


def layered(*values, cells=1, dtype=torch.float64):
    """One value a layer, ``[layer, cell]``."""
    return torch.tensor(values, dtype=dtype).unsqueeze(-1).repeat(1, cells)


def flat(value, cells=1, dtype=torch.float64):
    """The same value in every cell."""
    return torch.full((cells,), value, dtype=dtype)


def profile(cells=1, dtype=torch.float64):
    return layered(0.7, 0.2, 0.06, 0.03, 0.01, cells=cells, dtype=dtype)


def organic(scale=1.0, cells=1, dtype=torch.float64):
    """Carbon of a cropland, g m-2; nitrogen with a scale of 1/20 or so."""
    fast = layered(900.0, 600.0, 400.0, 200.0, 50.0, cells=cells, dtype=dtype)
    return OrganicMatter(
        *(flat(x * scale, cells, dtype) for x in (120.0, 60.0, 90.0)), fast * scale, 4.0 * fast
        * scale)
