"""Photosynthesis of a sunlit and a shaded canopy over the daylight hours, and its conductance."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core import constants as const
from neuralcrop.core.numerics import clip01
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics import canopy, photosynthesis_c3, photosynthesis_c4, radiation, stomata
from neuralcrop.physics import evapotranspiration as et
from neuralcrop.physics.respiration import q10
from neuralcrop.processes.base import Parameters, Process

LEAF_RESPIRATION_ACTIVATION = 46390.0
"""Activation energy of day respiration, J mol-1 (Bernacchi et al. 2001)."""

REFERENCE_CO2 = 400.0
"""CO2 at which leaves have the capacity of the catalogue, umol mol-1."""

ELECTRON_SHARE = 0.4
"""Response of electron transport to growth CO2 over that of carboxylation: -5 against -13 %
(Ainsworth and Long 2005)."""

ELECTRON_CURVATURE = 0.85
"""Curvature of the light response of electron transport (Duursma 2015)."""

SMOOTHING = 0.98
"""Curvature of the co-limitation of the rates (Collatz et al. 1991 use 0.98)."""

MINIMUM_VPD = 0.05
"""Lowest vapour pressure deficit at the leaf, kPa."""


class Light(NamedTuple):
    """Light and air at the quadrature points of a day.

    Absorbed light and leaf area have shape ``[quadrature, leaf class, cell]``, the others
    ``[quadrature, cell]``; ``seconds`` are the seconds each point stands for.
    """

    absorbed: Tensor
    beam_extinction: Tensor
    temperature: Tensor
    vapour_pressure_deficit: Tensor
    seconds: Tensor


class Leaves(NamedTuple):
    """Capacities and potential conductance, ``[quadrature, leaf class, cell]``."""

    vcmax: Tensor
    light_rate: Tensor
    respiration: Tensor
    gamma_star: Tensor
    km: Tensor
    conductance: Tensor


class TwoLeafLight(Process):
    """Daily light shared over sun hours, sunlit and shaded leaves.

    De Pury and Farquhar (1997) doi:10.1111/j.1365-3040.1997.00094.x; diurnal course and diffuse
    share after Spitters et al. (1986) doi:10.1016/0168-1923(86)90060-2; three Gauss points.
    """

    def forward(
        self, geometry: radiation.SolarGeometry, rsds: Tensor, tasmin: Tensor, tasmax: Tensor,
        vap: Tensor, lai: Tensor,
    ) -> Light:
        """Light and air at the Gauss points.

        Parameters
        ----------
        geometry : SolarGeometry
            Of the day.
        rsds : Tensor
            Shortwave radiation, MJ m-2 d-1, ``[cell]``.
        tasmin, tasmax, vap, lai : Tensor
            Temperature extremes (degC), vapour pressure (kPa), leaf area index, ``[cell]``.
        """
        hours, weights = radiation.gauss_hours(geometry.day_length, 3)
        sin_elevation = radiation.sin_elevation(geometry, hours).clamp_min(1e-3)
        photons = 1e6 * const.PAR_FRACTION * const.PAR_PER_JOULE * rsds
        par = radiation.instantaneous_radiation(photons, sin_elevation, geometry.sine_integral)
        transmissivity = rsds / geometry.extraterrestrial.clamp_min(1e-3)
        diffuse = par * radiation.diffuse_fraction(transmissivity)
        leaves = canopy.two_leaf_irradiance(par - diffuse, diffuse, lai, sin_elevation)
        temperature = radiation.subdaily_temperature(hours, tasmin, tasmax, geometry.day_length)
        vpd = (et.saturation_vapour_pressure(temperature) - vap).clamp_min(MINIMUM_VPD)
        return Light(
            torch.stack((leaves.sunlit, leaves.shaded), dim=-2),
            canopy.beam_extinction(sin_elevation), temperature, vpd,
            weights * geometry.day_length * 3600.0,
        )


class Photosynthesis(Process):
    """Farquhar (C3) and Collatz (C4) photosynthesis with Medlyn stomata.

    `potential` gives the conductance leaves would open to with enough water, by the closed form
    ci/ca = g1 / (g1 + sqrt(D)); `assimilate` gives the assimilation at the conductance that water
    allows, again in closed form, so drought lowers photosynthesis and has a gradient.

    Sources: Farquhar et al. (1980) doi:10.1007/BF00386231; Bernacchi et al. (2001)
    doi:10.1111/j.1365-3040.2001.00668.x; Kattge and Knorr (2007)
    doi:10.1111/j.1365-3040.2007.01690.x; Collatz et al. (1992) doi:10.1071/PP9920519; Medlyn et
    al. (2011) doi:10.1111/j.1365-2486.2010.02375.x. Capacity of C3 leaves falls as they grow in
    more CO2, that of electron transport less: Ainsworth and Long (2005)
    doi:10.1111/j.1469-8137.2004.01224.x.
    """

    specs = (
        ParameterSpec("c4", "1", "1 for the C4 pathway, 0 for C3"),
        ParameterSpec("vcmax25", "umol m-2 s-1", "carboxylation capacity of top leaves, 25 degC"),
        ParameterSpec("jmax_ratio", "1", "electron transport over carboxylation capacity, 25 degC"),
        ParameterSpec("quantum_yield", "1", "light use: electrons (C3) or CO2 (C4) per photon"),
        ParameterSpec("leaf_respiration_ratio", "1", "day respiration over vcmax25"),
        ParameterSpec("g1", "kPa0.5", "slope of stomatal conductance"),
        ParameterSpec("nitrogen_extinction", "1", "decline of capacity down the canopy"),
        ParameterSpec("capacity_decline", "1", "share of capacity lost from anthesis to maturity"),
        ParameterSpec("capacity_co2_response", "1", "elasticity of capacity to growth CO2 (C3)"),
        ParameterSpec("c4_slope", "mol m-2 s-1", "initial slope of the C4 CO2 response"),
    )
    slots = ("vcmax",)
    vcmax: Closure

    def __init__(self, pathways: tuple[str, ...] = ("c3", "c4")) -> None:
        super().__init__()
        self.pathways = pathways

    def potential(
        self, p: Parameters, light: Light, lai: Tensor, growth_temperature: Tensor,
        development_stage: Tensor, ps: Tensor, co2: Tensor, features: Features | None,
        nitrogen: Tensor | float = 1.0,
    ) -> Leaves:
        """Capacities of both leaf classes and the CO2 conductance of unstressed leaves.

        Parameters
        ----------
        p : mapping
            Parameters, ``[cell]``.
        light : Light
            Of the day.
        lai, growth_temperature, development_stage, ps, co2 : Tensor
            ``[cell]``; pressure in kPa, CO2 in umol mol-1.
        features : Features or None
            For a neural closure.
        nitrogen : Tensor or float
            Share of the capacity that leaf nitrogen leaves, ``[cell]``.
        """
        held = 1.0 - p["capacity_decline"] * clip01(development_stage - 1.0)
        top = p["vcmax25"] * nitrogen * held
        top = self.vcmax(top, features)
        sunlit, shaded = canopy.canopy_capacity(
            top, lai, p["nitrogen_extinction"], light.beam_extinction)
        vcmax25 = torch.stack((sunlit, shaded), dim=-2)
        t = light.temperature
        c3 = c4 = None
        if "c3" in self.pathways:
            c3 = self._c3(p, light, vcmax25, t, growth_temperature, ps, co2)
        if "c4" in self.pathways:
            c4 = self._c4(p, light, vcmax25, t)
        leaves = _blend(p["c4"], c3, c4)
        ratio = stomata.medlyn_ci_ratio(p["g1"], light.vapour_pressure_deficit).unsqueeze(-2)
        ci = ratio * co2
        net = self._at_ci(p, leaves, ci).clamp_min(0.0)
        return leaves._replace(conductance=net / (co2 * (1.0 - ratio)))

    def assimilate(
        self, p: Parameters, leaves: Leaves, light: Light, opening: Tensor, co2: Tensor
    ) -> Tensor:
        """Gross primary production, g m-2 d-1 of carbon, ``[cell]``.

        Parameters
        ----------
        p, leaves, light
            As given to and by `potential`.
        opening : Tensor
            Actual over potential conductance, 0 to 1, ``[cell]``.
        co2 : Tensor
            umol mol-1, ``[cell]``.
        """
        gc = leaves.conductance * opening
        net = self._choose(
            p,
            lambda: photosynthesis_c3.assimilation_at_conductance(
                leaves.vcmax, leaves.light_rate, co2, gc, leaves.gamma_star, leaves.km,
                leaves.respiration, SMOOTHING).net,
            lambda: photosynthesis_c4.assimilation_at_conductance(
                leaves.vcmax, leaves.light_rate, co2, gc, p["c4_slope"], leaves.respiration).net,
        )
        gross = (net + leaves.respiration).clamp_min(0.0).sum(dim=-2)
        return 1e-6 * const.CARBON_MOLAR_MASS * (gross * light.seconds).sum(dim=0)

    def canopy_conductance(self, leaves: Leaves, light: Light) -> Tensor:
        """Daylight mean conductance of the canopy for water vapour, mol m-2 s-1, ``[cell]``."""
        total = (leaves.conductance.sum(dim=-2) * light.seconds).sum(dim=0)
        return const.WATER_TO_CO2_DIFFUSIVITY * total / light.seconds.sum(dim=0).clamp_min(1.0)

    def _c3(
        self, p: Parameters, light: Light, vcmax25: Tensor, t: Tensor, growth_temperature: Tensor,
        ps: Tensor, co2: Tensor,
    ) -> Leaves:
        f_v, f_j = photosynthesis_c3.kattge_knorr_factors(growth_temperature, t)
        gamma_star, km = photosynthesis_c3.kinetics(t, ps)
        richer = p["capacity_co2_response"] * torch.log(co2 / REFERENCE_CO2)
        vcmax = vcmax25 * torch.exp(richer) * f_v.unsqueeze(-2)
        jmax = (vcmax25 * torch.exp(ELECTRON_SHARE * richer) * p["jmax_ratio"]
                * f_j.unsqueeze(-2))
        electrons = photosynthesis_c3.electron_transport(
            light.absorbed, jmax, p["quantum_yield"], ELECTRON_CURVATURE)
        f_r = photosynthesis_c3.arrhenius(t, LEAF_RESPIRATION_ACTIVATION).unsqueeze(-2)
        respiration = vcmax25 * p["leaf_respiration_ratio"] * f_r
        shape = respiration
        return Leaves(
            vcmax, electrons, respiration, gamma_star.unsqueeze(-2).expand_as(shape),
            km.unsqueeze(-2).expand_as(shape), shape,
        )

    def _c4(self, p: Parameters, light: Light, vcmax25: Tensor, t: Tensor) -> Leaves:
        factor = photosynthesis_c4.temperature_factor(t).unsqueeze(-2)
        respiration = (vcmax25 * p["leaf_respiration_ratio"]
                       * q10(t, 2.0, 25.0).unsqueeze(-2))
        none = torch.zeros_like(respiration)
        light_rate = p["quantum_yield"] * light.absorbed
        return Leaves(vcmax25 * factor, light_rate, respiration, none, none, none)

    def _at_ci(self, p: Parameters, leaves: Leaves, ci: Tensor) -> Tensor:
        return self._choose(
            p,
            lambda: photosynthesis_c3.assimilation_at_ci(
                leaves.vcmax, leaves.light_rate, ci, leaves.gamma_star, leaves.km,
                leaves.respiration, SMOOTHING).net,
            lambda: photosynthesis_c4.assimilation_at_ci(
                leaves.vcmax, leaves.light_rate, ci, p["c4_slope"], leaves.respiration).net,
        )

    def _choose(
        self, p: Parameters, c3: Callable[[], Tensor], c4: Callable[[], Tensor]
    ) -> Tensor:
        return choose_pathway(self.pathways, p["c4"], c3, c4)


def choose_pathway(
    pathways: tuple[str, ...], is_c4: Tensor, c3: Callable[[], Tensor], c4: Callable[[], Tensor]
) -> Tensor:
    """Evaluate the pathways that the batch holds; choose per cell where it holds both."""
    if "c4" not in pathways:
        return c3()
    if "c3" not in pathways:
        return c4()
    return torch.where(is_c4 > 0.5, c4(), c3())


def _blend(c4: Tensor, a: Leaves | None, b: Leaves | None) -> Leaves:
    if a is None:
        assert b is not None
        return b
    if b is None:
        return a
    return Leaves(*(torch.where(c4 > 0.5, y, x) for x, y in zip(a, b, strict=True)))
