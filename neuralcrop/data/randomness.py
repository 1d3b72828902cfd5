"""Counter-based random numbers: a value depends on its keys only, never on order or subset."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_M1 = np.uint64(0xBF58476D1CE4E5B9)
_M2 = np.uint64(0x94D049BB133111EB)


def _mix(z: np.ndarray) -> np.ndarray:
    """Finaliser of SplitMix64 (Steele et al. 2014, doi:10.1145/2714064.2660195)."""
    z = (z ^ (z >> np.uint64(30))) * _M1
    z = (z ^ (z >> np.uint64(27))) * _M2
    return z ^ (z >> np.uint64(31))


def uniform(*keys: ArrayLike) -> np.ndarray:
    """Uniform numbers in (0, 1) for integer keys that broadcast against each other.

    Parameters
    ----------
    *keys : array_like of int
        For example seed, stream, site, day; put the key that varies most last, the work of the
        others is then done once.
    """
    state = np.zeros((), dtype=np.uint64)
    with np.errstate(over="ignore"):
        for key in keys:
            part = np.asarray(key, dtype=np.int64).astype(np.uint64)
            state = _mix(np.asarray(state + _GOLDEN + part * _M2))
    return (np.asarray(state >> np.uint64(11), dtype=np.float64) + 0.5) * 2.0**-53


def normal(*keys: ArrayLike) -> np.ndarray:
    """Standard normal numbers for integer keys (Box-Muller)."""
    radius = np.sqrt(-2.0 * np.log(uniform(1, *keys)))
    return np.asarray(radius * np.cos(2.0 * np.pi * uniform(2, *keys)))


def place_key(lat: ArrayLike, lon: ArrayLike) -> np.ndarray:
    """Integer key of a place, from its position to a thousandth of a degree."""
    lat_key = np.rint((np.asarray(lat, dtype=float) + 90.0) * 1000.0).astype(np.int64)
    lon_key = np.rint((np.asarray(lon, dtype=float) % 360.0) * 1000.0).astype(np.int64) % 360000
    return np.asarray(lat_key * 1_000_000 + lon_key)
