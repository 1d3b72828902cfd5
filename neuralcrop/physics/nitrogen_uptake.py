"""Uptake of mineral nitrogen by roots, and fixation by legumes."""

from torch import Tensor

from neuralcrop.core.numerics import clip01, limit_demand, row_sum, safe_div, smooth_min

LOWEST_TEMPERATURE, BEST_TEMPERATURE = -25.0, 15.0
"""No uptake and full uptake, degC (LPJmL)."""

THETA = 0.98
"""Curvature of the minimum of capacity and demand."""


def temperature_response(
    temperature: Tensor, lowest: float = LOWEST_TEMPERATURE, best: float = BEST_TEMPERATURE
) -> Tensor:
    r"""Uptake relative to its best temperature, a parabola clipped at zero (-).

    :math:`(T - T_0)(2 T_m - T_0 - T) / ((T_m - T_0)(T_m - T_0))` with the reference at the best.

    Parameters
    ----------
    temperature
        Soil temperature (degC).
    lowest, best
        T_0 and T_m (degC). Thornley (1991); LPJmL, von Bloh et al. (2018),
        doi:10.5194/gmd-11-2789-2018.
    """
    width = best - lowest
    return ((temperature - lowest) * (2.0 * best - lowest - temperature)
            / (width * width)).clamp(min=0.0)


def uptake_capacity(
    stock: Tensor, root: Tensor, water: Tensor, rate: Tensor | float,
    half_saturation: Tensor | float, floor: Tensor | float, response: Tensor,
) -> Tensor:
    r"""Nitrogen that roots of a layer can take up, a Michaelis-Menten response (g m-2 d-1).

    :math:`U = 10^{-3} v (k_{min} + N / (N + K_m \theta d)) f C_r`.

    Parameters
    ----------
    stock
        Nitrate or ammonium of the layer N (g m-2).
    root
        Root carbon of the layer C_r (g m-2).
    water
        Water of the saturated layer, theta d (m).
    rate
        Highest uptake per root carbon v (g kg-1 d-1).
    half_saturation
        Concentration of half the uptake K_m (g m-3).
    floor
        Uptake that does not saturate k_min (-).
    response
        Response to temperature and moisture f (0-1).

    Returns
    -------
    Tensor
        LPJmL, von Bloh et al. (2018), doi:10.5194/gmd-11-2789-2018. Not limited by the stock.
    """
    half = half_saturation * water
    saturation = safe_div(stock, stock + half)
    return 1e-3 * rate * (floor + saturation) * response * root


def moisture_response(moisture: Tensor, half: Tensor | float) -> Tensor:
    """Uptake relative to wet soil, w (1 + k) / (w + k) (-).

    Parameters
    ----------
    moisture
        Plant-available water of the layer relative to capacity w; clipped to 0-1.
    half
        Moisture of half the limit k (-).
    """
    w = clip01(moisture)
    return w * (1.0 + half) / (w + half)


def limited_uptake(
    capacity: Tensor, demand: Tensor, largest: Tensor | float
) -> Tensor:
    """Uptake by source, scaled alike so that the sum does not exceed the demand (g m-2 d-1).

    Parameters
    ----------
    capacity
        Capacities, leading dimension(s) the sources, last the cells (g m-2 d-1).
    demand
        Demand of the crop (g m-2 d-1).
    largest
        Largest uptake of a crop (g m-2 d-1), RNUPTAKEMAX of WOFOST 8.1.
    """
    total = row_sum(capacity.flatten(0, -2))
    possible = smooth_min(total, demand.new_zeros(()) + largest, THETA)
    return capacity * safe_div(smooth_min(possible, demand, THETA), total)


def fixation_activity(
    temperature: Tensor, moisture: Tensor, cold: Tensor | float = 5.0,
    warm: Tensor | float = 20.0, hot: float = 35.0, limit: float = 44.0, wet: float = 0.5,
) -> Tensor:
    """Activity of nodules, a trapezium of temperature times a ramp of moisture (-).

    Parameters
    ----------
    temperature
        Soil temperature (degC).
    moisture
        Relative plant-available water of the root zone (-).
    cold, warm, hot, limit
        Temperatures between which activity rises, stays and falls (degC).
    wet
        Moisture of full activity (-). Defaults are the temperatures of soybean and the moisture
        of pulses in LPJmL, Wirth et al. (2024), doi:10.5194/gmd-17-7889-2024, after Ma et al.
        (2022), doi:10.5194/gmd-15-815-2022.
    """
    rising = clip01((temperature - cold) / (warm - cold))
    falling = clip01((limit - temperature) / (limit - hot))
    return rising * falling * clip01(moisture / wet)


def fixation(
    missing: Tensor, share: Tensor, activity: Tensor, carbon: Tensor, cost: Tensor | float,
    h: float,
) -> tuple[Tensor, Tensor]:
    """Nitrogen fixed and the carbon respired for it (g m-2 d-1).

    Parameters
    ----------
    missing
        Demand that uptake from the soil leaves (g m-2 d-1).
    share
        Share of it that fixation can cover (0-1), NFIX_FR of WOFOST 8.1; 0 without nodules.
    activity
        `fixation_activity` (0-1).
    carbon
        Carbon that may be spent (g m-2); the cost is limited to it.
    cost
        Carbon per nitrogen (g g-1), 6 in LPJmL; Wirth et al. (2024).
    h
        Step (d); 0 for instantaneous fluxes.
    """
    spent = limit_demand(carbon, cost * share * activity * missing.clamp(min=0.0), h)
    return spent / cost, spent
