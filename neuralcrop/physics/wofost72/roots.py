"""Rooting depth."""

import torch
from torch import Tensor


def maximum_depth(rdi: Tensor, rdmcr: Tensor, rdmsol: Tensor) -> Tensor:
    """Maximum rooting depth RDM = max(RDI, min(RDMCR, RDMSOL)) (cm).

    Parameters
    ----------
    rdi
        Initial depth, which is also the depth at the start (cm).
    rdmcr, rdmsol
        Maximum depth of the crop and of the soil (cm).
    """
    return torch.maximum(rdi, torch.minimum(rdmcr, rdmsol))


def depth_growth(rd: Tensor, rdm: Tensor, rri: Tensor, fr: Tensor) -> Tensor:
    """Growth of the rooting depth RR = min(RDM - RD, RRI) while roots grow (cm d-1).

    Parameters
    ----------
    rd, rdm
        Rooting depth and its maximum (cm).
    rri
        Maximum daily increase (cm d-1).
    fr
        Share of roots in growth (-); without it the depth stays.

    Returns
    -------
    Tensor
        ``[cell]``. Supit et al. (1994), chapter 5.
    """
    return torch.where(fr > 0.0, torch.minimum(rdm - rd, rri), 0.0)
