"""Litter and soil organic matter: decay, humification and mineralisation of carbon and nitrogen."""

from __future__ import annotations

from typing import NamedTuple

from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics import respiration, soil_carbon, soil_nitrogen
from neuralcrop.physics.soil_carbon import DecayRates, OrganicMatter
from neuralcrop.processes.base import Parameters, Process

Fluxes = dict[str, Tensor]
"""Fluxes by name, g m-2 d-1, each from one stock to one stock."""

TEMPERATURE_RESPONSE: dict[str, tuple[float, float]] = {
    "lpjml6": (46.02, -15.0),
    "lpjml5": (56.02, -40.0),
}
"""Reference of the temperature response (K) and temperature of no decay (degC), by version."""


class Spent(NamedTuple):
    """Litter and soil that decays in a day, as carbon and as nitrogen, g m-2 d-1."""

    carbon: soil_carbon.Decay
    nitrogen: soil_carbon.Decay


class Decomposition(Process):
    r"""Three litter pools and, by layer, fast and slow soil organic matter.

    .. math:: L = X (1 - e^{-k\, g(T)\, m(s)\, h}) / h

    A share of decayed litter is respired (its nitrogen mineralised), the rest becomes fast and
    slow organic matter; those are respired and mineralised wholly. Soil fauna works surface litter
    into the soil. Carbon and nitrogen of a pool leave in its own proportion.

    Sources: Schaphoff et al. (2018) doi:10.5194/gmd-11-1343-2018; von Bloh et al. (2018)
    doi:10.5194/gmd-11-2789-2018; Lutz et al. (2019) doi:10.5194/gmd-12-2419-2019 for the fauna.

    Parameters
    ----------
    version : {"lpjml6", "lpjml5"}
        Whose temperature response. The rates that go with it are, with version 5 in brackets:
        litter 0.97, root litter 0.3, fast 0.04 (0.03), slow 0.001 yr-1; respired share of litter
        0.5 (0.6), fast share of the rest 0.98.
    """

    specs = (
        ParameterSpec("litter_decay_rate", "yr-1",
                      "decay of surface and incorporated litter at 10 degC"),
        ParameterSpec("root_litter_decay_rate", "yr-1", "decay of root litter at 10 degC"),
        ParameterSpec("fast_decay_rate", "yr-1", "decay of fast soil organic matter at 10 degC"),
        ParameterSpec("slow_decay_rate", "yr-1", "decay of slow soil organic matter at 10 degC"),
        ParameterSpec("litter_mixing_rate", "yr-1", "surface litter worked into the soil by fauna"),
        ParameterSpec("litter_released_share", "1", "decayed litter respired or mineralised"),
        ParameterSpec("litter_fast_share", "1",
                      "share of humified litter that enters fast organic matter"),
    )
    slots = ("moisture_response", "temperature_response")
    moisture_response: Closure
    temperature_response: Closure

    def __init__(self, version: str = "lpjml6") -> None:
        super().__init__()
        self.reference, self.minimum = TEMPERATURE_RESPONSE[version]

    def response(
        self, soil_temperature: Tensor, soil_water: Tensor, saturation: Tensor,
        features: Features | None,
    ) -> Tensor:
        """Factor of temperature and moisture on decay, ``[layer, cell]``.

        Parameters
        ----------
        soil_temperature : Tensor
            degC, ``[6, cell]``; the deep layer is not used.
        soil_water, saturation : Tensor
            mm, ``[layer, cell]``.
        features : Features or None
            For a neural closure.
        """
        layers = soil_water.shape[0]
        warmth: Tensor = self.temperature_response(
            respiration.lpjml_temperature_response(
                soil_temperature[:layers], self.reference, self.minimum), features)
        moisture: Tensor = self.moisture_response(
            soil_carbon.moisture_response(soil_water / saturation), features)
        return warmth * moisture

    def rates(self, p: Parameters, response: Tensor, profile: Tensor) -> DecayRates:
        """First-order rates, d-1; ``profile`` is the share of root litter by layer."""
        return soil_carbon.decay_rates(
            response, profile, p["litter_decay_rate"], p["root_litter_decay_rate"],
            p["fast_decay_rate"], p["slow_decay_rate"], p["litter_mixing_rate"])

    def forward(
        self, p: Parameters, carbon: OrganicMatter, nitrogen: OrganicMatter, response: Tensor,
        profile: Tensor, h: float,
    ) -> Fluxes:
        """Fluxes of the day, ``[cell]`` and ``[layer, cell]``.

        Parameters
        ----------
        p : mapping
            Parameters.
        carbon, nitrogen : OrganicMatter
            Stocks, g m-2: litter ``[cell]``, soil ``[layer, cell]``.
        response : Tensor
            Of `response`, ``[layer, cell]``.
        profile : Tensor
            Share of root litter by layer, summing to one, ``[layer, cell]``.
        h : float
            Step of the limiter, d.
        """
        rates = self.rates(p, response, profile)
        spent = Spent(soil_carbon.decay(carbon, rates, h), soil_carbon.decay(nitrogen, rates, h))
        return {**self._element(p, spent.carbon, "respiration", ""),
                **self._element(p, spent.nitrogen, "mineralisation", "nitrogen_")}

    def _element(
        self, p: Parameters, lost: soil_carbon.Decay, release: str, element: str
    ) -> Fluxes:
        """Name the ways of one element."""
        fluxes: Fluxes = {
            f"surface_litter_{element}incorporation": lost.mixing,
            f"fast_{release}": lost.fast,
            f"slow_{release}": lost.slow,
        }
        litter = (("surface", lost.surface), ("incorporated", lost.incorporated),
                  ("root", lost.root))
        for pool, decayed in litter:
            released = decayed * p["litter_released_share"]
            kept = decayed - released
            humified = kept * p["litter_fast_share"]
            # Carbon dioxide needs no layer; mineral nitrogen does.
            whole = pool == "root" and release == "respiration"
            fluxes[f"{pool}_litter_{release}"] = released.sum(dim=0) if whole else released
            fluxes[f"{pool}_litter_{element}humification"] = humified
            fluxes[f"{pool}_litter_{element}stabilisation"] = kept - humified
        return fluxes

    def steady_state(
        self, p: Parameters, carbon_inputs: OrganicMatter, nitrogen_inputs: OrganicMatter,
        response: Tensor, profile: Tensor, h: float, sufficiency: Tensor | float = 1.0,
    ) -> tuple[OrganicMatter, OrganicMatter]:
        """Carbon and nitrogen that balance constant inputs, g m-2: a spin-up in closed form.

        Parameters
        ----------
        p : mapping
            Parameters, among them ``soil_cn`` of `MineralNitrogen`.
        carbon_inputs, nitrogen_inputs : OrganicMatter
            Mean inputs from outside, g m-2 d-1: litter ``[cell]``, soil ``[layer, cell]``
            (commonly zero).
        response : Tensor
            Mean over time of `response`, ``[layer, cell]``.
        profile : Tensor
            Share of root litter by layer, ``[layer, cell]``.
        h : float
            Step with which the model will run, d.
        sufficiency : Tensor or float
            Share of the immobilisation demand that is met.
        """
        rates = self.rates(p, response, profile)
        shares = soil_carbon.litter_shares(p["litter_released_share"], p["litter_fast_share"])
        carbon = soil_carbon.steady_state(carbon_inputs, rates, shares, h)
        litter = soil_carbon.steady_state(nitrogen_inputs, rates, shares, h)
        demand = immobilisation(p, self(p, carbon, litter, response, profile, h))
        fast = sufficiency * p["litter_fast_share"] * demand
        fed = nitrogen_inputs._replace(
            fast=nitrogen_inputs.fast + fast,
            slow=nitrogen_inputs.slow + (sufficiency * demand - fast))
        return carbon, soil_carbon.steady_state(fed, rates, shares, h)


def immobilisation(p: Parameters, decomposed: Fluxes) -> Tensor:
    """Mineral nitrogen that humification needs, before it is limited, ``[layer, cell]``.

    Parameters
    ----------
    p : mapping
        Parameters.
    decomposed : dict of str to Tensor
        Of `Decomposition`; each litter pool has a demand of its own.
    """
    demand = {
        pool: soil_nitrogen.immobilisation_demand(
            decomposed[f"{pool}_litter_humification"]
            + decomposed[f"{pool}_litter_stabilisation"],
            decomposed[f"{pool}_litter_nitrogen_humification"]
            + decomposed[f"{pool}_litter_nitrogen_stabilisation"],
            p["soil_cn"])
        for pool in ("surface", "incorporated", "root")
    }
    return soil_carbon.to_first_layer(demand["surface"] + demand["incorporated"], demand["root"])
