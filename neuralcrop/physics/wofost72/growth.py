"""Initial weights, respiration, conversion and growth of organs."""

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.numerics import safe_div


class Organs(NamedTuple):
    """One value for each organ, ``[cell]``: weights (kg ha-1) or rates (kg ha-1 d-1)."""

    roots: Tensor
    leaves: Tensor
    stems: Tensor
    storage: Tensor


class Partitioning(NamedTuple):
    """Shares of growth (-): of roots in all of it, of the others in that of the shoot."""

    fr: Tensor
    fl: Tensor
    fs: Tensor
    fo: Tensor


def initial_weights(tdwi: Tensor, shares: Partitioning) -> Organs:
    """Weights at the start of the crop: TDWI FR, and TDWI (1 - FR) FL, FS and FO.

    Parameters
    ----------
    tdwi
        Dry weight of the seed or plants (kg ha-1).
    shares
        Partitioning at the development stage of the start.
    """
    shoot = (1.0 - shares.fr) * tdwi
    return Organs(tdwi * shares.fr, shoot * shares.fl, shoot * shares.fs, shoot * shares.fo)


def maintenance(
    weights: Organs,
    temperature: Tensor,
    rfse: Tensor,
    rmr: Tensor,
    rml: Tensor,
    rms: Tensor,
    rmo: Tensor,
    q10: Tensor,
) -> Tensor:
    r"""Potential maintenance respiration PMRES (kg CH2O ha-1 d-1).

    :math:`(\sum_o R_o W_o)\,RFSE\,Q_{10}^{(T - 25) / 10}`.

    Parameters
    ----------
    weights
        Living organs (kg ha-1).
    temperature
        Mean temperature of the day (degC).
    rfse
        Reduction by senescence, RFSETB at the development stage (-).
    rmr, rml, rms, rmo
        Respiration at 25 degC of roots, leaves, stems and storage (kg CH2O kg-1 d-1).
    q10
        Increase over 10 K (-, > 0).

    Returns
    -------
    Tensor
        ``[cell]``. Supit et al. (1994), chapter 5.
    """
    at_25 = rmr * weights.roots + rml * weights.leaves + rms * weights.stems + rmo * weights.storage
    return at_25 * rfse * torch.exp(torch.log(q10) * ((temperature - 25.0) / 10.0))


def conversion(shares: Partitioning, cvr: Tensor, cvl: Tensor, cvs: Tensor, cvo: Tensor) -> Tensor:
    """Dry matter grown from assimilates CVF (kg kg-1).

    1 / ((FL / CVL + FS / CVS + FO / CVO) (1 - FR) + FR / CVR).

    Parameters
    ----------
    shares
        Partitioning at the development stage.
    cvr, cvl, cvs, cvo
        Efficiency of conversion into roots, leaves, stems and storage (kg kg-1, > 0).

    Returns
    -------
    Tensor
        ``[cell]``; 0 where nothing is partitioned. Supit et al. (1994), chapter 5.
    """
    shoot = (shares.fl / cvl + shares.fs / cvs + shares.fo / cvo) * (1.0 - shares.fr)
    return safe_div(torch.ones_like(shoot), shoot + shares.fr / cvr)


def dry_matter_growth(pgass: Tensor, rftra: Tensor, pmres: Tensor, cvf: Tensor) -> Tensor:
    """Growth of dry matter DMI = CVF (GASS - MRES) (kg ha-1 d-1).

    Parameters
    ----------
    pgass
        Potential gross assimilation; GASS is RFTRA of it (kg CH2O ha-1 d-1).
    rftra
        Reduction by water and oxygen stress (-).
    pmres
        Potential maintenance; MRES is limited to GASS (kg CH2O ha-1 d-1).
    cvf
        `conversion` (kg kg-1).
    """
    gass = pgass * rftra
    return cvf * (gass - torch.minimum(gass, pmres))


def organ_growth(dmi: Tensor, shares: Partitioning) -> Organs:
    """Growth of the organs (kg ha-1 d-1): FR DMI for roots, (1 - FR) DMI shared in the shoot.

    Parameters
    ----------
    dmi
        Growth of dry matter (kg ha-1 d-1).
    shares
        Partitioning at the development stage.
    """
    admi = (1.0 - shares.fr) * dmi
    return Organs(shares.fr * dmi, admi * shares.fl, admi * shares.fs, admi * shares.fo)


def death(weight: Tensor, relative_rate: Tensor) -> Tensor:
    """Death of roots or stems (kg ha-1 d-1).

    Parameters
    ----------
    weight
        Living weight (kg ha-1).
    relative_rate
        RDRRTB or RDRSTB at the development stage (kg kg-1 d-1).
    """
    return weight * relative_rate
