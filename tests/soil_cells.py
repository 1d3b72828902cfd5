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


def _litter_ways():
    """Donor and receiver of the fluxes of litter and organic matter."""
    ways = {}
    for element, prefix, release, sink in (("carbon", "", "respiration", "air"),
                                           ("nitrogen", "nitrogen_", "mineralisation", "ammonium")):
        for pool in ("surface", "incorporated", "root"):
            donor = f"{pool}_litter_{element}"
            ways[f"{pool}_litter_{release}"] = (donor, sink)
            ways[f"{pool}_litter_{prefix}humification"] = (donor, f"fast_{element}")
            ways[f"{pool}_litter_{prefix}stabilisation"] = (donor, f"slow_{element}")
        ways[f"surface_litter_{prefix}incorporation"] = (
            f"surface_litter_{element}", f"incorporated_litter_{element}")
        for pool in ("fast", "slow"):
            ways[f"{pool}_{release}"] = (f"{pool}_{element}", sink)
    return ways


WAYS = {
    **_litter_ways(),
    "ammonium_uptake": ("ammonium", "plant"),
    "nitrate_uptake": ("nitrate", "plant"),
    "ammonium_immobilisation": ("ammonium", "fast_nitrogen"),
    "nitrate_immobilisation": ("nitrate", "fast_nitrogen"),
    "ammonium_stabilisation": ("ammonium", "slow_nitrogen"),
    "nitrate_stabilisation": ("nitrate", "slow_nitrogen"),
    "nitrification": ("ammonium", "nitrate"),
    "nitrification_nitrous_oxide": ("ammonium", "gas"),
    "denitrification": ("nitrate", "gas"),
    "denitrification_nitrous_oxide": ("nitrate", "gas"),
    "volatilisation": ("ammonium", "gas"),
    "nitrate_leaching": ("nitrate", "water"),
    "nitrate_runoff": ("nitrate", "water"),
}
"""Donor and receiver of every flux."""


def losses(state, fluxes):
    """What each stock loses in a day, in its own shape."""
    lost = {name: torch.zeros_like(stock) for name, stock in state.items()}
    for name, flux in fluxes.items():
        donor = WAYS[name][0]
        lost[donor] = lost[donor] + like(state[donor], flux)
    return lost


def like(stock, flux):
    """A flux in the shape of a stock: by layer summed for one pool, or into the first layer."""
    if flux.dim() > stock.dim():
        return flux.sum(0)
    if flux.dim() < stock.dim():
        return torch.cat((flux.unsqueeze(0), torch.zeros_like(stock[1:])))
    return flux


def advance(state, fluxes, h):
    """State a step later, and what left the soil."""
    after = {name: stock - h * lost for (name, stock), lost in
             zip(state.items(), losses(state, fluxes).values(), strict=True)}
    out = {}
    for name, flux in fluxes.items():
        receiver = WAYS[name][1]
        if name == "nitrate_leaching":
            after["nitrate"] = after["nitrate"] + h * torch.cat((0.0 * flux[:1], flux[:-1]))
            flux = flux[-1]
        if receiver in after:
            after[receiver] = after[receiver] + h * like(after[receiver], flux)
        else:
            out[receiver] = out.get(receiver, 0.0) + h * (flux.sum(0) if flux.dim() > 1 else flux)
    return after, out


ORGANIC = ("surface_litter", "incorporated_litter", "root_litter", "fast", "slow")


def soil_state(cells=1, dtype=torch.float64, carbon=1.0, nitrogen=0.03, mineral=1.0):
    """All stocks by the names of the state."""
    size = {"cells": cells, "dtype": dtype}
    state = dict(zip((f"{name}_carbon" for name in ORGANIC), organic(carbon, **size), strict=True))
    state |= zip((f"{name}_nitrogen" for name in ORGANIC), organic(carbon * nitrogen, **size),
                 strict=True)
    state["ammonium"] = mineral * layered(0.8, 0.5, 0.2, 0.1, 0.1, **size)
    state["nitrate"] = mineral * layered(2.5, 2.0, 1.5, 1.0, 0.6, **size)
    return state


def pools(state, element):
    return OrganicMatter(*(state[f"{name}_{element}"] for name in ORGANIC))


def soil_weather(cells=1, dtype=torch.float64, t=15.0, filled=0.6, percolation=4.0, runoff=1.0,
                 uptake=0.05):
    """Surroundings of `MineralNitrogen`, with a soil of 46 % pores."""
    size = {"cells": cells, "dtype": dtype}
    saturation = 460.0 * layered(*THICKNESS, **size)
    return {
        "soil_temperature": flat(t, **size).repeat(6, 1), "soil_water": filled * saturation,
        "saturation": saturation, "percolation": layered(*[percolation] * 5, **size),
        "runoff": flat(runoff, **size), "sand": flat(0.4, **size), "ph": flat(6.8, **size),
        "wind": flat(3.0, **size), "uptake_ammonium": layered(*[uptake] * 5, **size),
        "uptake_nitrate": layered(*[uptake] * 5, **size),
    }  # fmt: skip


def soil_fluxes(decomposition, mineral, p, state, weather, h):
    """All fluxes of a day."""
    carbon = pools(state, "carbon")
    response = decomposition.response(
        weather["soil_temperature"], weather["soil_water"], weather["saturation"], None)
    cells = response.shape[1]
    decomposed = decomposition(p, carbon, pools(state, "nitrogen"), response,
                               profile(cells, response.dtype), h)
    return {**decomposed, **mineral(
        p, state["ammonium"], state["nitrate"], decomposed, carbon.fast + carbon.slow, **weather,
        features=None, h=h)}
