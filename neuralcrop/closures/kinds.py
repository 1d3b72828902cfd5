"""Closures by the name of their kind."""

from __future__ import annotations

from collections.abc import Sequence

from neuralcrop.closures.base import FEATURE_NAMES, Closure
from neuralcrop.closures.mlp import ScaleClosure
from neuralcrop.closures.monotone import MonotoneClosure
from neuralcrop.closures.repartition import RepartitionClosure

SCALE, MONOTONE, REPARTITION = KINDS = ("scale", "monotone", "repartition")
"""Kinds of neural closures."""


def kinds_of(n_shares: int | None = None, driver: str | None = None) -> tuple[str, ...]:
    """Kinds that fit a slot, the usual one first.

    Parameters
    ----------
    n_shares : int, optional
        Number of shares of a slot that holds shares.
    driver : str, optional
        What the slot's value is proportional to.
    """
    if n_shares is not None:
        return (REPARTITION,)
    return (SCALE,) if driver is None else (SCALE, MONOTONE)


def make_closure(
    slot: str, kind: str | None = None, hidden: Sequence[int] = (16, 16), bound: float = 2.0,
    features: Sequence[str] = (), *, n_shares: int | None = None, driver: str | None = None,
) -> Closure:
    """Neural closure for a slot.

    Parameters
    ----------
    slot : str
        Name, for errors.
    kind : str, optional
        One of `KINDS`; by default the usual one of the slot.
    hidden : sequence of int
        Widths of the hidden layers.
    bound : float
        Largest factor.
    features : sequence of str
        What it sees; all by default.
    n_shares, driver
        See `kinds_of`.

    Raises
    ------
    ValueError
        If the kind does not fit the slot, or a feature is unknown.
    """
    fitting = kinds_of(n_shares, driver)
    kind = kind or fitting[0]
    if kind not in fitting:
        raise ValueError(f"the slot {slot} takes no {kind!r} closure, only {', '.join(fitting)}")
    unknown = [name for name in features if name not in FEATURE_NAMES]
    if unknown:
        raise ValueError(f"closures see no {', '.join(unknown)}; features: "
                         + ", ".join(FEATURE_NAMES))
    seen = tuple(features) or FEATURE_NAMES
    if kind == REPARTITION:
        assert n_shares is not None
        return RepartitionClosure(hidden, bound, seen, n_shares)
    if kind == MONOTONE:
        assert driver is not None
        return MonotoneClosure(hidden, bound, seen, driver)
    return ScaleClosure(hidden, bound, seen)
