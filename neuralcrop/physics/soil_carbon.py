"""Decay of litter and soil organic matter, for carbon and nitrogen alike, and its steady state."""

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.numerics import clip01, donor_limit

DAYS_PER_YEAR = 365.0
"""Days in the year of the decay rates (LPJmL)."""

SMALLEST_RATE = 1e-8
"""Floor of a decay rate in the steady state (d-1): 3e5 years, for soil that never thaws."""


class OrganicMatter(NamedTuple):
    """Carbon or nitrogen of litter ``[...]`` and soil organic matter ``[layer, ...]`` (g m-2)."""

    surface: Tensor
    incorporated: Tensor
    root: Tensor
    fast: Tensor
    slow: Tensor


class DecayRates(NamedTuple):
    """First-order rates in the conditions of the day, and the shares of what decays.

    Attributes
    ----------
    surface, incorporated
        Decay of the two litter pools in the soil's first layer, ``[...]`` (d-1).
    mixing
        Surface litter worked into the soil by its fauna, ``[...]`` (d-1).
    root
        Decay of root litter within every layer as a share of the whole pool, ``[layer, ...]``
        (d-1); the pool decays at their sum.
    fast, slow
        Decay of soil organic matter, ``[layer, ...]`` (d-1).
    """

    surface: Tensor
    incorporated: Tensor
    mixing: Tensor
    root: Tensor
    fast: Tensor
    slow: Tensor


class LitterShares(NamedTuple):
    """Shares of decayed litter that are released, enter fast and enter slow organic matter (-)."""

    released: Tensor
    fast: Tensor
    slow: Tensor


def moisture_response(saturation: Tensor) -> Tensor:
    r"""Factor of soil moisture on decay (-).

    :math:`m = 0.0402 + 0.7189 s + 4.2694 s^2 - 5.0051 s^3`, a peak of 0.94 near s = 0.64;
    Schaphoff et al. (2018), doi:10.5194/gmd-11-1343-2018.

    Parameters
    ----------
    saturation
        Soil water over pore volume s (-); limited to 0..1.
    """
    s = clip01(saturation)
    return clip01(0.04021601 + s * (0.71890122 + s * (4.26937932 - s * 5.00505434)))


def decay_rates(
    response: Tensor,
    profile: Tensor,
    litter: Tensor,
    root: Tensor,
    fast: Tensor,
    slow: Tensor,
    mixing: Tensor,
) -> DecayRates:
    """First-order rates of a day from the yearly rates at 10 degC and optimal moisture.

    Parameters
    ----------
    response
        Temperature x moisture factor of every layer ``[layer, ...]`` (-). Surface and incorporated
        litter follow the first layer.
    profile
        Share of root litter in every layer ``[layer, ...]`` (-).
    litter, root, fast, slow
        Rates of surface and incorporated litter, root litter, and soil organic matter (yr-1).
    mixing
        Rate at which surface litter enters the soil (yr-1), not modified.
    """
    daily = response / DAYS_PER_YEAR
    top = daily[0]
    return DecayRates(
        litter * top, litter * top, mixing / DAYS_PER_YEAR + torch.zeros_like(top),
        root * profile * daily, fast * daily, slow * daily,
    )


def litter_shares(released: Tensor, fast: Tensor) -> LitterShares:
    """Shares of decayed litter.

    Parameters
    ----------
    released
        Share respired (carbon) or mineralised (nitrogen) (-).
    fast
        Share of the rest that enters fast organic matter (-); what is left enters the slow.
    """
    return LitterShares(released, (1.0 - released) * fast, (1.0 - released) * (1.0 - fast))


class Decay(NamedTuple):
    """Losses of the pools (g m-2 d-1), as `DecayRates`."""

    surface: Tensor
    incorporated: Tensor
    mixing: Tensor
    root: Tensor
    fast: Tensor
    slow: Tensor


def decay(pools: OrganicMatter, rates: DecayRates, h: float) -> Decay:
    r"""Losses of every pool over a step, :math:`X (1 - e^{-k h}) / h` (g m-2 d-1).

    A pool with more than one loss shares it by their rates, so that no pool is overdrawn; carbon
    and nitrogen of a pool leave in its own proportion.

    Parameters
    ----------
    pools
        Carbon or nitrogen (g m-2).
    rates
        Of `decay_rates`.
    h
        Step (d).
    """
    rate = effective_rates(rates, h)
    return Decay(
        rate.surface * pools.surface, rate.incorporated * pools.incorporated,
        rate.mixing * pools.surface, rate.root * pools.root,
        rate.fast * pools.fast, rate.slow * pools.slow,
    )


def effective_rates(rates: DecayRates, h: float) -> DecayRates:
    """Rates that, times the pools at the start of a step, give the mean losses over it (d-1).

    Parameters
    ----------
    rates
        Of `decay_rates`.
    h
        Step (d); 0 leaves the rates as they are.
    """
    if h == 0.0:
        return rates
    left = _step_share(rates.surface + rates.mixing, h)
    deep = _step_share(rates.root.sum(dim=0), h)
    return DecayRates(
        rates.surface * left, rates.incorporated * _step_share(rates.incorporated, h),
        rates.mixing * left, rates.root * deep,
        rates.fast * _step_share(rates.fast, h), rates.slow * _step_share(rates.slow, h),
    )


def _step_share(rate: Tensor, h: float) -> Tensor:
    """Mean over a step of what is left of a decaying pool, (1 - e^{-k h}) / (k h) (-)."""
    small = rate * h < 1e-3
    x = torch.where(small, 1.0, rate) * h
    series = 1.0 - rate * h * (0.5 - rate * h / 6.0)
    return torch.where(small, series, donor_limit(torch.ones_like(x), x, 1.0) / x)


def steady_state(
    inputs: OrganicMatter,
    rates: DecayRates,
    shares: LitterShares,
    h: float,
) -> OrganicMatter:
    r"""Pools at which inputs and losses balance, :math:`X^* = I / k` along the chain (g m-2).

    Surface litter feeds the incorporated; litter feeds fast and slow organic matter in the first
    layer, root litter in its own layers. Exact for constant inputs and rates; with a season in
    them it is the state for their means.

    Parameters
    ----------
    inputs
        Carbon or nitrogen that enters the pools from outside (g m-2 d-1); nitrogen that microbes
        immobilise is an input of the fast pool.
    rates
        Mean rates, of `decay_rates`.
    shares
        Of `litter_shares`.
    h
        Step with which the model will run (d), so that its own steady state is met.
    """
    rate = DecayRates(*(r.clamp(min=SMALLEST_RATE) for r in effective_rates(rates, h)))
    surface = inputs.surface / (rate.surface + rate.mixing)
    incorporated = (inputs.incorporated + rate.mixing * surface) / rate.incorporated
    root = inputs.root / rate.root.sum(dim=0)
    decayed = to_first_layer(
        rate.surface * surface + rate.incorporated * incorporated, rate.root * root)
    fast = (inputs.fast + shares.fast * decayed) / rate.fast
    slow = (inputs.slow + shares.slow * decayed) / rate.slow
    return OrganicMatter(surface, incorporated, root, fast, slow)


def to_first_layer(surface: Tensor, layers: Tensor) -> Tensor:
    """Add a flux into the first layer to those of all layers, ``[layer, ...]``.

    Parameters
    ----------
    surface
        ``[...]`` (g m-2 d-1).
    layers
        ``[layer, ...]`` (g m-2 d-1).
    """
    return torch.cat((layers[:1] + surface, layers[1:]))
