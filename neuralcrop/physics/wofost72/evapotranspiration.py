"""Potential rates, and transpiration under water or oxygen stress."""

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.numerics import clip, clip01, safe_div

MAX_ANAEROBIC_DAYS = 4.0
"""Days without air in the roots after which transpiration is least (d)."""


class PotentialRates(NamedTuple):
    """Potential rates below and through a canopy (cm d-1).

    Attributes
    ----------
    tramx, evsmx, evwmx
        Transpiration, evaporation of a wet soil, evaporation of a water surface.
    """

    tramx: Tensor
    evsmx: Tensor
    evwmx: Tensor


def crop_demand(et0: Tensor, cfet: Tensor) -> Tensor:
    """Evapotranspiration of a closed dry canopy, max(0, CFET ET0) (cm d-1).

    Parameters
    ----------
    et0
        Reference crop evapotranspiration (cm d-1).
    cfet
        Correction factor of the crop (-).
    """
    return (cfet * et0).clamp(min=0.0)


def potential_rates(
    demand: Tensor,
    es0: Tensor,
    e0: Tensor,
    kdif: Tensor,
    lai: Tensor,
    co2_transpiration: Tensor | float = 1.0,
) -> PotentialRates:
    """Potential transpiration and evaporation, shared by exp(-0.75 K LAI).

    Parameters
    ----------
    demand
        `crop_demand` (cm d-1).
    es0, e0
        Potential evaporation of bare soil and open water (cm d-1).
    kdif
        Extinction coefficient of diffuse light at the development stage (-).
    lai
        Leaf area index (-); 0 leaves all to soil or water.
    co2_transpiration
        CO2TRATB at the concentration of CO2; factor on the transpiration only (-).

    Returns
    -------
    PotentialRates
        ``[cell]`` each. Supit et al. (1994), chapter 6; de Wit et al. (2019).
    """
    open_share = torch.exp(-0.75 * kdif * lai)
    return PotentialRates(
        demand * co2_transpiration * (1.0 - open_share), es0 * open_share, e0 * open_share
    )


def easily_available_fraction(demand: Tensor, depnr: Tensor) -> Tensor:
    """Share of available soil water that is easily taken up, SWEAF (0.1-0.95).

    1 / (0.76 + 1.5 E) - 0.1 (5 - DEPNR), and more by (E - 0.6) / (DEPNR (DEPNR + 3)) for the
    sensitive crops with DEPNR < 3.

    Parameters
    ----------
    demand
        `crop_demand` E (cm d-1).
    depnr
        Number of the crop group by drought tolerance (1-5).

    Returns
    -------
    Tensor
        ``[cell]``. Doorenbos et al. (1978) as fitted in Supit et al. (1994), chapter 6.
    """
    fraction = 1.0 / (0.76 + 1.5 * demand) - 0.1 * (5.0 - depnr)
    correction = safe_div(demand - 0.6, depnr * (depnr + 3.0))
    return clip(torch.where(depnr < 3.0, fraction + correction, fraction), 0.1, 0.95)


def critical_soil_moisture(sweaf: Tensor, smw: Tensor, smfcf: Tensor) -> Tensor:
    """Soil moisture SMCR below which transpiration declines (cm3 cm-3).

    (1 - SWEAF) (SMFCF - SMW) + SMW.

    Parameters
    ----------
    sweaf
        `easily_available_fraction` (-).
    smw, smfcf
        Soil moisture at wilting point and field capacity (cm3 cm-3).
    """
    return (1.0 - sweaf) * (smfcf - smw) + smw


def drought_factor(sm: Tensor, smcr: Tensor, smw: Tensor) -> Tensor:
    """Reduction of transpiration by drought RFWS, (SM - SMW) / (SMCR - SMW) in 0-1.

    Parameters
    ----------
    sm, smcr, smw
        Soil moisture of the root zone, its critical value and wilting point (cm3 cm-3).
    """
    return clip01(safe_div(sm - smw, smcr - smw))


def oxygen_factor(
    sm: Tensor, sm0: Tensor, crairc: Tensor, dsos: Tensor, iox: Tensor, iairdu: Tensor
) -> Tensor:
    """Reduction of transpiration by want of air RFOS (0-1).

    RFOSMX + (1 - min(DSOS, 4) / 4) (1 - RFOSMX) with RFOSMX = (SM0 - SM) / CRAIRC in 0-1.

    Parameters
    ----------
    sm, sm0
        Soil moisture of the root zone and at saturation (cm3 cm-3).
    crairc
        Critical air content (cm3 cm-3).
    dsos
        Days without sufficient air so far (d).
    iox
        1 where oxygen stress is simulated.
    iairdu
        1 for crops with air ducts in their roots, which do not suffer.

    Returns
    -------
    Tensor
        ``[cell]``. Supit et al. (1994), chapter 6.
    """
    least = clip01(safe_div(sm0 - sm, crairc))
    spent = dsos.clamp(max=MAX_ANAEROBIC_DAYS) / MAX_ANAEROBIC_DAYS
    return torch.where((iox == 1) & (iairdu == 0), least + (1.0 - spent) * (1.0 - least), 1.0)


def oxygen_stress_days(dsos: Tensor, sm: Tensor, sm0: Tensor, crairc: Tensor) -> Tensor:
    """Consecutive days with less air than the critical content, DSOS of the next day (d).

    Parameters
    ----------
    dsos
        Days so far (d).
    sm, sm0
        Soil moisture of the root zone and at saturation (cm3 cm-3).
    crairc
        Critical air content (cm3 cm-3).
    """
    return torch.where(sm >= sm0 - crairc, dsos + 1.0, 0.0)


def transpiration(tramx: Tensor, rfws: Tensor, rfos: Tensor) -> Tensor:
    """Actual transpiration TRA = TRAMX RFWS RFOS (cm d-1).

    Parameters
    ----------
    tramx
        Potential transpiration (cm d-1).
    rfws, rfos
        `drought_factor` and `oxygen_factor`; their product RFTRA also reduces assimilation (-).
    """
    return tramx * rfws * rfos
