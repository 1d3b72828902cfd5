r"""Levels of places that training has not seen, from those of the places around and like them."""

from __future__ import annotations

import numpy as np

NEAREST = 32
"""Known places that stand in for one that is not known."""

LENGTH = 150.0
"""Distance over which levels change, km."""

OWN, NEAR, ALIKE = 0.15, 0.5, 0.35
"""Shares of the variance of levels: of each place alone, of its surroundings, of its covariates."""


def kriging_weights(
    distance: np.ndarray, among: np.ndarray, like: np.ndarray, like_among: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    r"""Ordinary kriging of places from the nearest known ones.

    .. math:: \begin{pmatrix} C & 1 \\ 1^T & 0 \end{pmatrix}
              \begin{pmatrix} w \\ \mu \end{pmatrix} = \begin{pmatrix} c \\ 1 \end{pmatrix}

    Cressie (1993), doi:10.1002/9781119115151, section 3.2.

    Parameters
    ----------
    distance, like : numpy.ndarray
        ``[new, known]`` distances, km, and likeness of covariates, 0 to 1.
    among, like_among : numpy.ndarray
        ``[known, known]`` the same between known places.

    Returns
    -------
    tuple of numpy.ndarray
        Known places, ``[new, n]``, and their weights, which sum to 1.
    """
    n = min(NEAREST, distance.shape[1])
    index = np.argsort(distance, axis=1, kind="stable")[:, :n]
    weights = np.empty((len(distance), n))
    system = np.ones((n + 1, n + 1))
    system[n, n] = 0.0
    right = np.ones(n + 1)
    for k, at in enumerate(index):
        pairs = np.ix_(at, at)
        system[:n, :n] = NEAR * np.exp(-among[pairs] / LENGTH) + ALIKE * like_among[pairs]
        system[np.arange(n), np.arange(n)] += OWN
        right[:n] = NEAR * np.exp(-distance[k, at] / LENGTH) + ALIKE * like[k, at]
        weights[k] = np.linalg.solve(system, right)[:n]
    return index, weights
