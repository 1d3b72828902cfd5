"""A response that a network bends but cannot turn round."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from neuralcrop.closures.base import FEATURE_NAMES, Features, NetworkClosure
from neuralcrop.closures.mlp import logarithm_of, multilayer
from neuralcrop.core.numerics import row_sum

SEGMENTS = 8
"""Segments of the response."""

VALUE = "value"
"""Driver of a slot whose value itself is the driver: a number from 0 to 1."""

ORIGIN: dict[str, tuple[float, float]] = {"root_zone_wetness": (1.0, 0.5)}
"""Features that drive a response: what is added to the scaled feature, and a factor, which bring it
to 0 to 1."""

SMALLEST = 1e-6
"""Driver below which the factor is that of the first segment."""


class MonotoneClosure(NetworkClosure):
    r"""Response to one driver, bent within bounds, that stays monotone in it.

    The slot's equation is proportional to a driver :math:`x` from 0 to 1 (root-zone wetness, or
    the value itself). Its slope is multiplied segment by segment,

    .. math::

        y = \frac{y_0}{x} \int_0^x r(x')\,dx', \qquad
        r_k = \exp(s \tanh f_k(\mathrm{other\ features})), \quad s = \ln(\mathrm{bound})

    with :math:`r` constant on each of `SEGMENTS` equal segments. As :math:`r > 0`, :math:`y` rises
    with :math:`x` whatever is learnt; slope and value stay between 1/bound and bound times those
    of the equation; and with the last layer at zero :math:`y = y_0` to the last bit. The integral
    of a positive function of a network is the monotone network of Wehenkel and Louppe (2019,
    arXiv:1908.05164). Positive weights on the driver would make the factor monotone, not the
    response, and leave the equation at the edge of what can be learnt: it could become steeper
    only, and no smooth positive weight that starts at zero has a gradient there.

    Parameters
    ----------
    hidden : sequence of int
        Widths of the hidden layers.
    bound : float
        Largest factor on the slope, above 1.
    features : sequence of str
        What the network sees; the driver is left out.
    driver : str
        Name of the feature that drives the response, or ``"value"``.
    """

    def __init__(
        self, hidden: Sequence[int], bound: float = 2.0, features: Sequence[str] = FEATURE_NAMES,
        driver: str = VALUE,
    ) -> None:
        if driver != VALUE and driver not in ORIGIN:
            raise ValueError(
                f"no response is driven by {driver!r}, expected {' or '.join((VALUE, *ORIGIN))}")
        others = [name for name in features if name != driver]
        limit = logarithm_of(bound)
        super().__init__(multilayer(len(others), hidden, SEGMENTS), limit, others)
        self.driver = driver
        self.register_buffer("start", torch.arange(SEGMENTS).unsqueeze(-1), persistent=False)

    start: Tensor

    def forward(self, value: Tensor, features: Features | None) -> Tensor:
        """Return the bent response in place of ``value``, ``[cell]``."""
        slope = torch.exp(self.logarithms(features))
        x = value if self.driver == VALUE else self._driven(features)
        # beyond 1 the last segment goes on
        passed = SEGMENTS * x.clamp_min(SMALLEST) - self.start
        passed = torch.cat((passed[:-1].clamp(0.0, 1.0), passed[-1:].clamp_min(0.0)))
        return value * (row_sum(slope * passed) / row_sum(passed))

    def _driven(self, features: Features | None) -> Tensor:
        assert features is not None
        shift, factor = ORIGIN[self.driver]
        driver: Tensor = getattr(features, self.driver)
        return factor * (driver + shift)
