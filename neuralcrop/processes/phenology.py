"""Thermal-time phenology with vernalisation and photoperiod."""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics import phenology
from neuralcrop.processes.base import Parameters, Process

EMERGENCE_SPAN = 0.1
"""Development from sowing (-0.1) to emergence (0)."""


class Development(NamedTuple):
    """Outcome of a day of phenology: rates of the clocks and shares of the day, ``[cell]``."""

    development_stage: Tensor
    vernalisation_days: Tensor
    vegetative_days: Tensor
    reproductive_days: Tensor
    growing: Tensor
    vegetative: Tensor


class ThermalTimePhenology(Process):
    r"""Development by effective temperature, vernalisation and day length.

    .. math:: \dot D = \frac{f_T(T)\,f_V\,f_P}{\mathrm{TSUM}}

    with the temperature response a trapezoid between base, optimum, ceiling and maximum
    (degC d per day).
    Vernalisation and photoperiod act before anthesis. After it, a share of the photoperiod
    response may go on, and the base temperature may be another one, at the same rate in the
    optimum: pods and seeds of soybean develop down to temperatures that stop its leaves (Piper
    et al. 1996, doi:10.2135/cropsci1996.0011183X003600060033x). Stage changes fall on fractions of
    a day, so dates have gradients with respect to thermal requirements (science of the stage step
    in `neuralcrop.physics.phenology.stage_step`); the rest of the day of anthesis keeps the
    response of the phase before.

    Sources: Supit et al. (1994) WOFOST 6.0; Wang and Engel (1998)
    doi:10.1016/S0308-521X(98)00028-6.
    """

    specs = (
        ParameterSpec("base_temperature", "degC", "no development below"),
        ParameterSpec("optimum_temperature", "degC", "fastest development from here"),
        ParameterSpec("ceiling_temperature", "degC", "fastest development to here"),
        ParameterSpec("maximum_temperature", "degC", "no development above"),
        ParameterSpec("emergence_base_temperature", "degC", "no emergence below"),
        ParameterSpec("thermal_time_emergence", "degC d", "sowing to emergence"),
        ParameterSpec("thermal_time_vegetative", "degC d", "emergence to anthesis"),
        ParameterSpec("thermal_time_reproductive", "degC d", "anthesis to maturity"),
        ParameterSpec("vernalisation_base", "d", "vernalisation days without effect"),
        ParameterSpec("vernalisation_saturation", "d", "vernalisation days for full development"),
        ParameterSpec("photoperiod_critical", "h", "day length that stops development"),
        ParameterSpec("photoperiod_optimal", "h", "day length for full development"),
        ParameterSpec(
            "photoperiod_after_anthesis", "1", "share of the day length response after anthesis"),
        ParameterSpec(
            "reproductive_base_shift", "K", "base temperature after anthesis less that before"),
    )
    slots = ("development_rate",)
    development_rate: Closure

    def forward(
        self, p: Parameters, development_stage: Tensor, vernalisation_days: Tensor, tas: Tensor,
        photoperiod: Tensor, features: Features | None, h: float,
    ) -> Development:
        """Rates of development and the shares of the day spent in each stage.

        Parameters
        ----------
        p : mapping
            Parameters, ``[cell]``.
        development_stage, vernalisation_days : Tensor
            State, ``[cell]``.
        tas, photoperiod : Tensor
            Daily mean temperature (degC) and day length with civil twilight (h), ``[cell]``.
        features : Features or None
            For a neural closure.
        h : float
            Step over which stages are passed through, d.
        """
        base, optimum = p["base_temperature"], p["optimum_temperature"]
        lowest = base + torch.where(development_stage < 1.0, 0.0, p["reproductive_base_shift"])
        effective = (optimum - base) * phenology.trapezoid(
            tas, lowest, optimum, p["ceiling_temperature"], p["maximum_temperature"])
        effective = self.development_rate(effective, features)
        emergence = torch.clamp(
            tas - p["emergence_base_temperature"],
            torch.zeros_like(tas), p["optimum_temperature"] - p["emergence_base_temperature"])
        f_v = phenology.vernalisation_factor(
            vernalisation_days, p["vernalisation_base"], p["vernalisation_saturation"])
        f_p = phenology.photoperiod_linear(
            photoperiod, p["photoperiod_critical"], p["photoperiod_optimal"])
        step = phenology.stage_step(
            development_stage,
            h * EMERGENCE_SPAN * emergence / p["thermal_time_emergence"],
            h * effective * f_v * f_p / p["thermal_time_vegetative"],
            h * effective * (1.0 - p["photoperiod_after_anthesis"] * (1.0 - f_p))
            / p["thermal_time_reproductive"],
        )
        growing = step.vegetative_fraction + step.reproductive_fraction
        return Development(
            step.change / h,
            phenology.vernalisation_trapezoid(tas) * step.vegetative_fraction,
            step.emergence_fraction + step.vegetative_fraction,
            step.reproductive_fraction,
            growing,
            step.vegetative_fraction,
        )
