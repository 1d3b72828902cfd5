"""Mineral nitrogen: what ammonium and nitrate of five layers lose, shared by one limiter."""

from __future__ import annotations

import torch
from torch import Tensor

from neuralcrop.closures.base import Closure, Features
from neuralcrop.core.forcing import SOIL_LAYER_THICKNESS
from neuralcrop.core.numerics import clip01, share_limit
from neuralcrop.core.parameters import ParameterSpec
from neuralcrop.physics import soil_nitrogen
from neuralcrop.processes.base import Parameters, Process
from neuralcrop.processes.soil_biogeochemistry import Fluxes, immobilisation


def limited(stock: Tensor, demands: Fluxes, h: float) -> Fluxes:
    """Demands on one donor scaled so that together they take less than it holds.

    Parameters
    ----------
    stock : Tensor
        g m-2.
    demands : dict of str to Tensor
        g m-2 d-1.
    h : float
        Step, d; 0 leaves the demands as they are.
    """
    if h == 0.0:
        return demands
    # Rounding of a sum must not take more than the last of the stock.
    margin = 1.0 - 16.0 * torch.finfo(stock.dtype).eps
    scale = margin * share_limit(stock, list(demands.values()), h)
    return {name: demand * scale for name, demand in demands.items()}


def in_first_layer(flux: Tensor, like: Tensor) -> Tensor:
    """A flux of the first layer among zeros of the others, ``[layer, cell]``."""
    return torch.cat((flux.unsqueeze(0), torch.zeros_like(like[1:])))


class MineralNitrogen(Process):
    r"""Uptake, immobilisation, nitrification, denitrification, ammonia loss and leaching.

    All losses of a stock X are demands D that share it,
    :math:`X (1 - e^{-\sum D h / X}) / h`: first-order losses are exact, and nothing is overdrawn.

    Sources: von Bloh et al. (2018) doi:10.5194/gmd-11-2789-2018; Parton et al. (1996)
    doi:10.1029/96GB01455 and (2001) doi:10.1029/2001JD900101 for nitrification; Montes et al.
    (2009) doi:10.13031/2013.29133 for ammonia. Values of LPJmL 6, with version 5 in brackets:
    nitrification 0.1 d-1 with optimum 18.79 degC and width 8.26 (5.26) K, of which 0.01 becomes
    nitrous oxide, of denitrification 0.11; soil C:N 15.
    """

    specs = (
        ParameterSpec("soil_cn", "1", "carbon to nitrogen of new soil organic matter"),
        ParameterSpec("immobilisation_half_saturation", "g m-3",
                      "mineral nitrogen at which half of the immobilisation demand is met"),
        ParameterSpec("nitrification_rate", "d-1", "nitrification in the best conditions"),
        ParameterSpec("nitrification_optimum", "degC", "temperature of fastest nitrification"),
        ParameterSpec("nitrification_width", "K", "width of its temperature response"),
        ParameterSpec("nitrification_n2o_share", "1", "nitrous oxide from nitrification"),
        ParameterSpec("denitrification_carbon", "m2 g-1",
                      "response of denitrification to soil carbon"),
        ParameterSpec("denitrification_n2o_share", "1", "nitrous oxide from denitrification"),
        ParameterSpec("ammonia_length", "m", "length of the surface that emits ammonia"),
        ParameterSpec("anion_exclusion", "1", "share of pores that exclude nitrate"),
        ParameterSpec("runoff_nitrate_share", "1",
                      "nitrate of surface runoff over that of percolating water"),
    )
    slots = ("nitrification_response", "denitrification_response")
    nitrification_response: Closure
    denitrification_response: Closure

    def forward(
        self, p: Parameters, ammonium: Tensor, nitrate: Tensor, decomposed: Fluxes,
        organic_carbon: Tensor, soil_temperature: Tensor, soil_water: Tensor, saturation: Tensor,
        percolation: Tensor, runoff: Tensor, sand: Tensor, ph: Tensor, wind: Tensor,
        uptake_ammonium: Tensor, uptake_nitrate: Tensor, features: Features | None, h: float,
    ) -> Fluxes:
        """Losses of mineral nitrogen, g m-2 d-1; ``[cell]`` for volatilisation and nitrate_runoff.

        Parameters
        ----------
        p : mapping
            Parameters.
        ammonium, nitrate : Tensor
            g m-2, ``[layer, cell]``.
        decomposed : dict of str to Tensor
            Of `Decomposition`.
        organic_carbon : Tensor
            Fast and slow soil carbon, g m-2, ``[layer, cell]``.
        soil_temperature : Tensor
            degC, ``[6, cell]``; the deep layer is not used.
        soil_water, saturation, percolation : Tensor
            mm and mm d-1 (out of the layer, downwards), ``[layer, cell]``.
        runoff, sand, ph, wind : Tensor
            Surface runoff (mm d-1), mass fraction, -, m s-1, ``[cell]``.
        uptake_ammonium, uptake_nitrate : Tensor
            Demands of the roots, g m-2 d-1, ``[layer, cell]``.
        features : Features or None
            For a neural closure.
        h : float
            Step of the limiters, d.
        """
        t = soil_temperature[: ammonium.shape[0]]
        wfps = clip01(soil_water / saturation)
        wanted = self.immobilised(p, ammonium, nitrate, decomposed)
        ammonium_part = soil_nitrogen.ammonium_share(ammonium, nitrate)
        nitrified = ammonium * self.nitrification(p, t, wfps, sand, ph, features)
        denitrified = nitrate * self.denitrification(p, t, wfps, organic_carbon, features)
        ammonia = ammonium[0] * soil_nitrogen.volatilisation_rate(
            wind, t[0], ph, p["ammonia_length"])
        leached = nitrate * soil_nitrogen.leaching_rate(
            percolation, saturation, p["anion_exclusion"])
        washed = nitrate[0] * soil_nitrogen.leaching_rate(
            p["runoff_nitrate_share"] * runoff, saturation[0], p["anion_exclusion"])
        first, second = p["nitrification_n2o_share"], p["denitrification_n2o_share"]
        fast = p["litter_fast_share"]  # nitrogen follows the carbon that needs it
        from_ammonium = limited(ammonium, {
            "ammonium_uptake": uptake_ammonium,
            "ammonium_immobilisation": wanted * ammonium_part * fast,
            "ammonium_stabilisation": wanted * ammonium_part * (1.0 - fast),
            "nitrification": nitrified * (1.0 - first),
            "nitrification_nitrous_oxide": nitrified * first,
            "volatilisation": in_first_layer(ammonia, ammonium),
        }, h)
        from_nitrate = limited(nitrate, {
            "nitrate_uptake": uptake_nitrate,
            "nitrate_immobilisation": wanted * (1.0 - ammonium_part) * fast,
            "nitrate_stabilisation": wanted * (1.0 - ammonium_part) * (1.0 - fast),
            "denitrification": denitrified * (1.0 - second),
            "denitrification_nitrous_oxide": denitrified * second,
            "nitrate_leaching": leached,
            "nitrate_runoff": in_first_layer(washed, nitrate),
        }, h)
        fluxes = {**from_ammonium, **from_nitrate}
        for name in ("volatilisation", "nitrate_runoff"):
            fluxes[name] = fluxes[name][0]
        return fluxes

    def immobilised(
        self, p: Parameters, ammonium: Tensor, nitrate: Tensor, decomposed: Fluxes
    ) -> Tensor:
        """Demand of immobilisation that mineral nitrogen allows, g m-2 d-1, ``[layer, cell]``."""
        thickness = ammonium.new_tensor(SOIL_LAYER_THICKNESS).unsqueeze(-1)
        return immobilisation(p, decomposed) * soil_nitrogen.immobilisation_limit(
            ammonium + nitrate, thickness, p["immobilisation_half_saturation"])

    def nitrification(
        self, p: Parameters, t: Tensor, wfps: Tensor, sand: Tensor, ph: Tensor,
        features: Features | None,
    ) -> Tensor:
        """Rate of nitrification, d-1, ``[layer, cell]``."""
        response: Tensor = self.nitrification_response(
            soil_nitrogen.nitrification_temperature(
                t, p["nitrification_optimum"], p["nitrification_width"])
            * soil_nitrogen.nitrification_moisture(wfps, sand)
            * soil_nitrogen.nitrification_ph(ph), features)
        return p["nitrification_rate"] * response

    def denitrification(
        self, p: Parameters, t: Tensor, wfps: Tensor, organic_carbon: Tensor,
        features: Features | None,
    ) -> Tensor:
        """Rate of denitrification, d-1, ``[layer, cell]``."""
        rate: Tensor = self.denitrification_response(
            soil_nitrogen.denitrification_rate(
                soil_nitrogen.denitrification_moisture(wfps),
                soil_nitrogen.denitrification_temperature(t), organic_carbon,
                p["denitrification_carbon"]), features)
        return rate
