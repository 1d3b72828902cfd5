"""Development from sowing to maturity as in WOFOST 7.2."""

import torch
from torch import Tensor

from neuralcrop.core.numerics import clip, clip01, safe_div

SOWN = -0.1
"""Development stage of a crop that is sown and has not emerged (-)."""


def is_emerging(dvs: Tensor) -> Tensor:
    """Whether a crop is sown and has not emerged: DVS < 0."""
    return dvs < 0.0


def is_vegetative(dvs: Tensor) -> Tensor:
    """Whether a crop is between emergence and anthesis: 0 <= DVS < 1."""
    return (dvs >= 0.0) & (dvs < 1.0)


def vernalisation_rate(
    vernr_table: Tensor,
    dvs: Tensor,
    vern: Tensor,
    vernsat: Tensor,
    verndvs: Tensor,
    idsl: Tensor,
) -> Tensor:
    """Rate of vernalisation VERNR (d d-1): that of the table until the need is met.

    Parameters
    ----------
    vernr_table
        VERNRTB at the mean temperature of the day (d d-1).
    dvs
        Development stage at the start of the day (-).
    vern, vernsat
        Vernalised days so far, and days that saturate (d).
    verndvs
        Stage from which vernalisation counts as complete (-).
    idsl
        0 temperature only, 1 also day length, 2 also vernalisation.

    Returns
    -------
    Tensor
        ``[cell]``; 0 outside the vegetative stage. de Wit et al. (2019).
    """
    needed = (idsl >= 2) & is_vegetative(dvs) & (vern < vernsat) & (dvs < verndvs)
    return torch.where(needed, vernr_table, 0.0)


def vernalisation_factor(
    dvs: Tensor,
    vern: Tensor,
    vernbase: Tensor,
    vernsat: Tensor,
    verndvs: Tensor,
    idsl: Tensor,
) -> Tensor:
    """Reduction of development VERNFAC, (VERN - VERNBASE) / (VERNSAT - VERNBASE) in 0-1.

    Parameters
    ----------
    dvs
        Development stage (-).
    vern, vernbase, vernsat
        Vernalised days: so far, without effect, saturating (d).
    verndvs
        Stage from which vernalisation counts as complete (-).
    idsl
        2 where the crop needs vernalisation.

    Returns
    -------
    Tensor
        ``[cell]``; 1 for crops without need, and 0 outside the vegetative stage, where the
        reference reports it so and nothing uses it.
    """
    done = (vern >= vernsat) | (dvs >= verndvs)
    factor = torch.where(done, 1.0, clip01(safe_div(vern - vernbase, vernsat - vernbase)))
    return torch.where(idsl >= 2, torch.where(is_vegetative(dvs), factor, 0.0), 1.0)


def photoperiod_reduction(daylp: Tensor, dlc: Tensor, dlo: Tensor, idsl: Tensor) -> Tensor:
    """Reduction of development by day length DVRED, (D - DLC) / (DLO - DLC) in 0-1.

    Parameters
    ----------
    daylp
        Photoperiodic day length (h).
    dlc, dlo
        Critical and optimal day length (h); for short-day crops DLO is the smaller.
    idsl
        1 or 2 where the crop responds to day length; 1 is returned for the others.
    """
    return torch.where(idsl >= 1, clip01(safe_div(daylp - dlc, dlo - dlc)), 1.0)


def development_rate(
    dvs: Tensor,
    temperature: Tensor,
    dtsm: Tensor,
    reduction: Tensor,
    tsumem: Tensor,
    tsum1: Tensor,
    tsum2: Tensor,
    tbasem: Tensor,
    teffmx: Tensor,
    dvsend: Tensor,
) -> Tensor:
    """Rate of development DVR (d-1) in the stage at the start of the day.

    0.1 clip(T - TBASEM, 0, TEFFMX - TBASEM) / TSUMEM before emergence; DTSMTB(T) f / TSUM1 to
    anthesis; DTSMTB(T) / TSUM2 to maturity; 0 after.

    Parameters
    ----------
    dvs
        Development stage (-).
    temperature
        Mean temperature of the day (degC).
    dtsm
        Daily increase of the temperature sum, DTSMTB at that temperature (degC d d-1).
    reduction
        VERNFAC times DVRED (0-1).
    tsumem, tsum1, tsum2
        Temperature sums to emergence, to anthesis and to maturity (degC d).
    tbasem, teffmx
        Base and maximum effective temperature of emergence (degC).
    dvsend
        Stage of maturity (-).

    Returns
    -------
    Tensor
        ``[cell]``. Supit et al. (1994), chapter 4; de Wit et al. (2019).
    """
    emerging = 0.1 * clip(temperature - tbasem, 0.0, teffmx - tbasem) / tsumem
    rate = torch.where(is_vegetative(dvs), dtsm * reduction / tsum1, dtsm / tsum2)
    rate = torch.where(is_emerging(dvs), emerging, rate)
    return torch.where(dvs < dvsend, rate, 0.0)


def next_stage(dvs: Tensor, dvr: Tensor, dvsend: Tensor) -> Tensor:
    """Development stage of the next day: DVS + DVR, but exactly 0, 1 or DVSEND on crossing it.

    Parameters
    ----------
    dvs
        Development stage (-).
    dvr
        Rate of development (d-1).
    dvsend
        Stage of maturity (-).

    Returns
    -------
    Tensor
        ``[cell]``. The overshoot is dropped, so a crossing has no gradient: dates of stages are
        whole days in the reference.
    """
    bound = torch.where(is_emerging(dvs), 0.0, torch.where(dvs < 1.0, 1.0, dvsend))
    stepped = dvs + dvr
    return torch.where(stepped >= bound, bound, stepped)
