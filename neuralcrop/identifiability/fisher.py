r"""Fisher information of observations about parameters, and what it says each can be known to.

With parameters :math:`u` in units of their prior standard deviation, sensitivities
:math:`J = \partial y / \partial u` and independent normal errors :math:`\sigma`,

.. math:: F = J^T \Sigma^{-1} J = V \Lambda V^T, \qquad
   C = \Big(\sum_{\lambda_k \ge 10^{-4} \lambda_1} \lambda_k v_k v_k^T + I\Big)^{-1}

(Kay 1993, Fundamentals of Statistical Signal Processing, section 3.7; the prior adds the unit
matrix). A direction with :math:`\lambda > 1` is known better from the observations than from the
prior. Those with an eigenvalue below 1e-4 of the largest one of yields, :math:`\lambda_*`, count
as unseen: errors of the model would drown them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

FLOOR = 1e-4
"""Eigenvalue, relative to the largest, below which a direction counts as unseen."""

HELD = 0.5
"""Posterior over prior standard deviation below which a parameter counts as held."""

ALIKE = 0.9
"""Posterior correlation from which two parameters count as alike."""


@dataclass(frozen=True)
class Information:
    """What observations tell of parameters; standard deviations in those of the prior.

    Attributes
    ----------
    names : tuple of str
        Parameters.
    matrix : numpy.ndarray
        ``[parameter, parameter]`` Fisher information.
    eigenvalues, vectors : numpy.ndarray
        ``[k]`` from the largest on, and ``[parameter, k]``.
    alone_sd : numpy.ndarray
        ``[parameter]`` of the observations if all others were known.
    profile_sd : numpy.ndarray
        The same with all others unknown, without a prior: the curvature of the profile
        likelihood; infinite where an unseen direction has part in it.
    posterior_sd : numpy.ndarray
        Of observations and prior.
    correlation : numpy.ndarray
        ``[parameter, parameter]`` of the posterior.
    floor : float
        Eigenvalue below which a direction counts as unseen.
    """

    names: tuple[str, ...]
    matrix: np.ndarray
    eigenvalues: np.ndarray
    vectors: np.ndarray
    alone_sd: np.ndarray
    profile_sd: np.ndarray
    posterior_sd: np.ndarray
    correlation: np.ndarray
    floor: float

    @property
    def held(self) -> list[str]:
        """Parameters that the observations hold."""
        return [n for n, sd in zip(self.names, self.posterior_sd, strict=True) if sd < HELD]

    @property
    def not_held(self) -> list[str]:
        """All others."""
        return [n for n in self.names if n not in self.held]

    @property
    def n_seen(self) -> int:
        """Directions that are known better from the observations than from the prior."""
        return int((self.eigenvalues > max(1.0, self.floor)).sum())

    def alike(self) -> list[tuple[str, str, float]]:
        """Pairs of parameters that the observations cannot tell apart, with their correlation."""
        c = self.correlation
        pairs = [(self.names[i], self.names[j], float(c[i, j]))
                 for i in range(len(c)) for j in range(i) if abs(c[i, j]) >= ALIKE]
        return sorted(pairs, key=lambda pair: -abs(pair[2]))

    def loadings(self, k: int, most: int = 4) -> list[tuple[str, float]]:
        """Parameters with the largest part in a direction, whose largest is positive."""
        v = self.vectors[:, k]
        order = np.argsort(-np.abs(v))[:most]
        v = v * (1.0 if v[order[0]] >= 0.0 else -1.0)
        return [(self.names[i], float(v[i])) for i in order]


def fisher_matrix(jacobian: np.ndarray, error: np.ndarray | float) -> np.ndarray:
    """Fisher information of independent observations.

    Parameters
    ----------
    jacobian : numpy.ndarray
        ``[observation, parameter]``.
    error : numpy.ndarray or float
        ``[observation]`` standard deviation.
    """
    scaled = jacobian / np.broadcast_to(np.asarray(error, dtype=float), len(jacobian))[:, None]
    return np.asarray(scaled.T @ scaled)


def analyse(
    matrix: np.ndarray, names: Sequence[str], largest: float | None = None
) -> Information:
    """Spectrum and standard deviations of a Fisher information.

    Parameters
    ----------
    matrix : numpy.ndarray
        ``[parameter, parameter]``, of parameters in units of their prior.
    names : sequence of str
        Parameters.
    largest : float, optional
        Eigenvalue to which others are small; the largest by default.
    """
    values, vectors = np.linalg.eigh(matrix)
    values, vectors = np.maximum(values[::-1], 0.0), vectors[:, ::-1]
    floor = FLOOR * float(values[0] if largest is None else largest)
    seen = (values >= floor) & (values > 0.0)
    information = np.where(seen, values, 0.0)
    covariance = (vectors / (information + 1.0)) @ vectors.T
    posterior = np.sqrt(np.diag(covariance))
    inside = (vectors**2 / np.where(seen, values, 1.0)) @ seen.astype(float)
    hidden = (vectors**2) @ (~seen).astype(float)
    diagonal = np.diag(matrix)
    return Information(
        tuple(names), matrix, values, vectors,
        np.divide(1.0, np.sqrt(diagonal), out=np.full(len(diagonal), np.inf),
                  where=diagonal > 0.0),
        np.where(hidden > 1e-6, np.inf, np.sqrt(inside)), posterior,
        covariance / np.outer(posterior, posterior), floor)


def learnable(
    matrix: np.ndarray, names: Sequence[str], largest: float | None = None, held: float = HELD
) -> list[str]:
    """Largest set, by leaving out the worst one after another, of which all are held at once.

    Parameters that are left out stay as they are; those that stay need no prior.

    Parameters
    ----------
    matrix : numpy.ndarray
        ``[parameter, parameter]`` Fisher information.
    names : sequence of str
        Parameters.
    largest : float, optional
        As for `analyse`; by default that of all of the parameters.
    held : float
        Largest standard deviation, in those of the prior.
    """
    keep = list(range(len(names)))
    largest = float(np.linalg.eigvalsh(matrix)[-1]) if largest is None else largest
    while keep:
        sd = analyse(matrix[np.ix_(keep, keep)], [names[k] for k in keep], largest).profile_sd
        if (sd < held).all():
            break
        # among parameters that cannot be told apart the least seen goes
        alone = np.diag(matrix)[keep]
        worst = min(range(len(keep)), key=lambda k: (-min(float(sd[k]), 1e6), float(alone[k])))
        keep.pop(worst)
    return [names[k] for k in keep]


def relative_sensitivities(
    values: np.ndarray, jacobian: np.ndarray, site: np.ndarray, year: np.ndarray,
    slope: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    r"""Yields relative to the mean of their site, and their sensitivities, about its trend.

    .. math:: r_i = y_i / \bar y_s, \qquad
       \partial r_i = (\partial y_i - r_i\,\partial\bar y_s) / \bar y_s

    Level and slope of a site are fitted to its observations and explain their part of the
    sensitivities, which the model then cannot: they are taken out.

    Parameters
    ----------
    values, jacobian : numpy.ndarray
        ``[season]`` and ``[season, parameter]``.
    site, year : numpy.ndarray
        ``[season]``.
    slope : bool
        Whether every site has a slope, and not only a level.
    """
    relative, out = np.empty_like(values), np.empty_like(jacobian)
    for s in np.unique(site):
        own = np.flatnonzero(site == s)
        mean = max(float(values[own].mean()), 1e-6)
        r = values[own] / mean
        j = (jacobian[own] - r[:, None] * jacobian[own].mean(axis=0)) / mean
        trend = np.ones((len(own), 1))
        if slope:
            trend = np.column_stack((trend, year[own] - year[own].mean()))
        q = np.linalg.qr(trend)[0]
        relative[own], out[own] = r, j - q @ (q.T @ j)
    return relative, out
