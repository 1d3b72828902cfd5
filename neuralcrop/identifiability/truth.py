r"""Hidden parameters of a twin experiment: smooth, bounded functions of two covariates.

.. math:: \theta_k = c_k + a\,(u_k - l_k)\,
   \Big(0.7\,\frac{p_k}{\sqrt{1 + p_k^2}} + 0.3\,\sin(q_k + \alpha_k)\Big), \qquad
   \begin{pmatrix} p_k \\ q_k \end{pmatrix} = 1.5
   \begin{pmatrix} \cos\alpha_k & \sin\alpha_k \\ -\sin\alpha_k & \cos\alpha_k \end{pmatrix} z

with the standardised covariates z, the bounds l and u, the amplitude a, and angles
:math:`\alpha_k = 2.39996\,k` (the golden angle) that give every parameter a pattern of its own.
The centre c is the catalogue's value, moved inwards where the bounds are nearer than the
amplitude. It is neither a network nor a function in the unconstrained space in which networks act.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from neuralcrop.core.parameters import ParameterTable
from neuralcrop.data.covariates import Standardiser
from neuralcrop.data.seasons import Seasons

GOLDEN_ANGLE = 2.39996
"""rad."""

STRETCH = 1.5
"""Of the standardised covariates."""


def patterns(z: Tensor, n: int) -> Tensor:
    """Patterns between -1 and 1, ``[n, place]``, of two standardised covariates ``[2, place]``."""
    out = []
    for k in range(n):
        angle = torch.tensor(GOLDEN_ANGLE * k, dtype=z.dtype)
        c, s = torch.cos(angle), torch.sin(angle)
        p, q = STRETCH * (c * z[0] + s * z[1]), STRETCH * (c * z[1] - s * z[0])
        out.append(0.7 * p / torch.sqrt(1.0 + p * p) + 0.3 * torch.sin(q + angle))
    return torch.stack(out)


def hidden_parameters(
    table: ParameterTable, names: Sequence[str], z: Tensor, amplitude: float
) -> Tensor:
    """Hidden values of some parameters, ``[element, place]``, float64.

    Parameters
    ----------
    table : ParameterTable
        Of one crop, with bounds.
    names : sequence of str
        Which; elements of a table share its pattern.
    z : Tensor
        ``[2, place]`` standardised covariates.
    amplitude : float
        Share of the width of the bounds to either side, below one half.
    """
    maps = patterns(z.double(), len(names))
    which = [k for k, name in enumerate(names) for _ in range(table.specs[name].size)]
    rows = table.rows(names)
    lower, upper = table.lower[rows, 0], table.upper[rows, 0]
    reach = amplitude * (upper - lower)
    centre = torch.maximum(torch.minimum(table.values[rows, 0], upper - reach), lower + reach)
    return centre[:, None] + reach[:, None] * maps[which]


def standardised(seasons: Seasons, names: Sequence[str]) -> Tensor:
    """Two covariates of all sites, ``[2, site]``, within three standard deviations.

    Raises
    ------
    ValueError
        If there are no such covariates.
    """
    known = seasons.covariates
    missing = [n for n in names if n not in known.names]
    if missing:
        raise ValueError(f"twin.covariates has {', '.join(missing)}; there are "
                         f"{', '.join(known.names)}")
    used = torch.tensor(np.unique(seasons.table["site"].to_numpy()))
    z = Standardiser.fit(known.take(used)).apply(known)
    return z[[known.names.index(n) for n in names]].clamp(-3.0, 3.0)


def observed_with_noise(
    truth: Mapping[str, np.ndarray], rows: np.ndarray, signal_to_noise: float, seed: int
) -> tuple[dict[str, np.ndarray], dict[str, float]]:
    """True outcomes with normal noise, and its standard deviation by kind.

    Parameters
    ----------
    truth : mapping of str to numpy.ndarray
        ``[sample]`` by kind, NaN where not simulated.
    rows : numpy.ndarray
        Training samples, whose standard deviation is the signal.
    signal_to_noise : float
        Standard deviation of the kind over that of the noise.
    seed : int
        Of the noise.
    """
    draw = np.random.default_rng(seed)
    errors = {k: float(np.nanstd(v[rows])) / signal_to_noise for k, v in truth.items()}
    return {k: v + errors[k] * draw.standard_normal(len(v)) for k, v in truth.items()}, errors
