"""A closure slot: the published equation by default, a bounded correction of it if asked."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor, nn


class Features(NamedTuple):
    """What closures may look at: state and weather of the day, scaled to order one.

    Each is ``[cell]``. Position and year are not among them, so that nothing can be memorised.
    """

    temperature: Tensor
    radiation: Tensor
    vapour_pressure_deficit: Tensor
    root_zone_wetness: Tensor
    development_stage: Tensor
    leaf_area_index: Tensor
    co2: Tensor

    def stacked(self) -> Tensor:
        """``[feature, cell]``."""
        return torch.stack(tuple(self))

    def chosen(self, names: Sequence[str]) -> Tensor:
        """Some of them, ``[feature, cell]``."""
        return torch.stack([getattr(self, name) for name in names])


FEATURE_NAMES: tuple[str, ...] = Features._fields


def scale_features(
    tas: Tensor, rsds: Tensor, vpd: Tensor, wetness: Tensor, development_stage: Tensor,
    lai: Tensor, co2: Tensor,
) -> Features:
    """Bring features of a day (registry units) to order one by fixed, stated constants."""
    return Features(
        (tas - 15.0) / 15.0, (rsds - 200.0) / 100.0, vpd - 1.0, 2.0 * wetness - 1.0,
        development_stage - 1.0, lai / 3.0 - 1.0, (co2 - 400.0) / 200.0,
    )


class Closure(nn.Module):
    """Base class of the occupants of a slot.

    ``neural`` says whether the occupant looks at features; equations do not, and then the model
    does not compute them. ``keeps_sum`` says whether shares that sum to a total still do; slots
    that hold shares take no others.
    """

    neural: bool = False
    keeps_sum: bool = False

    def forward(self, value: Tensor, features: Features | None) -> Tensor:
        """Value that the process uses in place of the equation's ``value``."""
        raise NotImplementedError  # abstract: each occupant defines it

    def departure(self, points: Features) -> Tensor:
        """Mean square logarithm of the factor on the equation over some features, a scalar."""
        one = torch.ones_like(points.temperature)
        return torch.log(self(one, points)).square().mean()


class EquationClosure(Closure):
    """The published equation, unchanged."""

    keeps_sum = True

    def forward(self, value: Tensor, features: Features | None) -> Tensor:
        """Return ``value``."""
        return value


class NetworkClosure(Closure):
    r"""Base class of closures whose network gives bounded logarithms of factors.

    Parameters
    ----------
    network : nn.Module
        ``[cell, feature]`` to ``[cell, n]``; starts at zero.
    limit : float
        The logarithms are ``limit * tanh(.)``.
    features : sequence of str
        What it sees.
    """

    neural = True

    def __init__(self, network: nn.Module, limit: float, features: Sequence[str]) -> None:
        super().__init__()
        self.network, self.limit, self.features = network, limit, tuple(features)

    def logarithms(self, features: Features | None) -> Tensor:
        """Bounded logarithms of factors, ``[n, cell]``."""
        assert features is not None
        return self.limit * torch.tanh(self.network(features.chosen(self.features).T)).T

    def departure(self, points: Features) -> Tensor:
        """Mean square of the logarithms over some features."""
        return self.logarithms(points).square().mean()
