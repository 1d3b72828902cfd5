"""Water balance of a freely draining soil with a root zone and a lower zone."""

from typing import NamedTuple

import torch
from torch import Tensor

from neuralcrop.core.numerics import clip, safe_div
from neuralcrop.physics.wofost72.tables import interpolate

BARE_DEPTH = 10.0
"""Depth of the upper zone before a crop (cm)."""
WET_DAY = 1.0
"""Infiltration of a day after which the soil evaporates freely, and ponding that does (cm)."""
PONDING = 0.1
"""Surface storage from which infiltration is limited by conductivity (cm)."""
STORM_RAIN = (0.0, 0.5, 1.5)
STORM_SHARE = (0.0, 0.0, 1.0)
"""NINFTB: share of NOTINF by the rain of a day (cm), for IFUNRN = 1."""


class Soil(NamedTuple):
    """Properties of soil and site, ``[cell]``.

    Attributes
    ----------
    smw, smfcf, sm0
        Moisture at wilting point, field capacity and saturation (cm3 cm-3).
    depth
        Depth of both zones, `soil_depth` (cm).
    sope, ksub
        Maximum percolation from the root zone and from the subsoil (cm d-1).
    ssmax
        Maximum surface storage (cm).
    """

    smw: Tensor
    smfcf: Tensor
    sm0: Tensor
    depth: Tensor
    sope: Tensor
    ksub: Tensor
    ssmax: Tensor


class Water(NamedTuple):
    """State of the balance, ``[cell]``.

    Attributes
    ----------
    w, wlow
        Water in the root zone and in the lower zone (cm).
    ss
        Surface storage (cm).
    dslr
        Days since the last rain (d).
    rin
        Infiltration of the day before (cm d-1).
    """

    w: Tensor
    wlow: Tensor
    ss: Tensor
    dslr: Tensor
    rin: Tensor


class WaterFluxes(NamedTuple):
    """Fluxes of a day (cm d-1); rain + irrigation - all losses is the change of the stores.

    Attributes
    ----------
    tra, evs, evw
        Transpiration, evaporation of the soil and of surface water.
    rin, perc, loss
        Infiltration, percolation into the lower zone, loss from it.
    dss, runoff
        Change of the surface storage, surface runoff.
    dslr
        Days since the last rain, after this day (d).
    """

    tra: Tensor
    evs: Tensor
    evw: Tensor
    rin: Tensor
    perc: Tensor
    loss: Tensor
    dss: Tensor
    runoff: Tensor
    dslr: Tensor


def soil_depth(rdmsol: Tensor) -> Tensor:
    """Depth of both zones, max(10, RDMSOL) (cm).

    Parameters
    ----------
    rdmsol
        Maximum rooting depth of the soil (cm); the crop does not matter.
    """
    return rdmsol.clamp(min=BARE_DEPTH)


def initial_water(soil: Soil, wav: Tensor, smlim: Tensor, ssi: Tensor, rd: Tensor) -> Water:
    """State at the start: WAV fills the root zone up to SMLIM, and then the lower zone.

    Parameters
    ----------
    soil
        `Soil`.
    wav
        Available water in excess of the wilting point (cm).
    smlim
        Maximum initial moisture of the root zone (cm3 cm-3).
    ssi
        Initial surface storage (cm).
    rd
        Depth of the upper zone (cm).
    """
    sm = clip(soil.smw + wav / rd, soil.smw, clip(smlim, soil.smw, soil.sm0))
    w = sm * rd
    wlow = clip(wav + soil.depth * soil.smw - w, 0.0, soil.sm0 * (soil.depth - rd))
    wet = sm >= soil.smw + 0.5 * (soil.smfcf - soil.smw)
    return Water(w, wlow, ssi, torch.where(wet, 1.0, 5.0).to(w.dtype), torch.zeros_like(w))


def soil_evaporation(state: Water, evsmx: Tensor, evwmx: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Evaporation of soil and surface water (cm d-1), and the next days since rain (d).

    Surface water above 1 cm evaporates at EVWMX. Else, after an infiltration of 1 cm or more, the
    soil at EVSMX; in dry spells at EVSMX (sqrt(D + 1) - sqrt(D)) plus the infiltration of the
    day before, at most EVSMX.

    Parameters
    ----------
    state
        `Water` at the start of the day.
    evsmx, evwmx
        Potential evaporation of wet soil and of water under the crop (cm d-1).

    Returns
    -------
    tuple of Tensor
        EVS, EVW and DSLR. Supit et al. (1994), chapter 6.
    """
    ponded = state.ss > WET_DAY
    wet = state.rin >= WET_DAY
    # sqrt(D + 1) - sqrt(D) without its cancellation.
    decline = 1.0 / (torch.sqrt(state.dslr + 1.0) + torch.sqrt(state.dslr.clamp(min=1.0)))
    evs = torch.where(wet, evsmx, torch.minimum(evsmx, evsmx * decline + state.rin))
    dslr = torch.where(wet, torch.ones_like(state.dslr), state.dslr + 1.0)
    return (
        torch.where(ponded, 0.0, evs),
        torch.where(ponded, evwmx, 0.0),
        torch.where(ponded, state.dslr, dslr),
    )


def not_infiltrating(rain: Tensor, notinf: Tensor, ifunrn: Tensor) -> Tensor:
    """Share of the rain that does not infiltrate: NOTINF, with IFUNRN times NINFTB(rain) (-).

    Parameters
    ----------
    rain
        Rain (cm d-1).
    notinf
        Maximum share (-).
    ifunrn
        1 where the share depends on the rain of the day.
    """
    nodes = torch.tensor([STORM_RAIN, STORM_SHARE], dtype=rain.dtype, device=rain.device)
    storm = interpolate(nodes[0].unsqueeze(-1), nodes[1].unsqueeze(-1), rain.unsqueeze(-1))
    return torch.where(ifunrn == 1, notinf * storm.squeeze(-1), notinf)


def water_fluxes(
    soil: Soil,
    state: Water,
    rd: Tensor,
    rain: Tensor,
    irrigation: Tensor,
    runoff_share: Tensor,
    tra: Tensor,
    evsmx: Tensor,
    evwmx: Tensor,
) -> WaterFluxes:
    """Fluxes of a day from the state at its start.

    Percolation is what exceeds field capacity, infiltration what finds room; SOPE, KSUB and
    saturation of the lower zone limit them, and soil evaporation cannot overdraw the root zone.

    Parameters
    ----------
    soil, state
        `Soil` and `Water`.
    rd
        Depth of the root zone (cm).
    rain
        Rain (cm d-1).
    irrigation
        Effective irrigation (cm d-1); all of it may infiltrate.
    runoff_share
        `not_infiltrating` (-).
    tra
        Transpiration (cm d-1).
    evsmx, evwmx
        Potential evaporation of soil and water (cm d-1).

    Returns
    -------
    WaterFluxes
        Supit et al. (1994), chapter 6; de Wit et al. (2019).
    """
    evs, evw, dslr = soil_evaporation(state, evsmx, evwmx)
    supply = (1.0 - runoff_share) * rain + irrigation + state.ss
    supply = torch.where(state.ss > PONDING, torch.minimum(soil.sope, supply - evw), supply)

    lower = soil.depth - rd
    excess = clip(state.w - soil.smfcf * rd - tra - evs, 0.0, soil.sope)
    loss = clip(state.wlow - soil.smfcf * lower + excess, 0.0, soil.ksub)
    perc = torch.minimum(excess, lower * soil.sm0 - state.wlow + loss)
    rin = torch.minimum(supply, soil.sm0 * rd - state.w + tra + evs + perc)
    overdraft = (state.w + rin - tra - evs - perc).clamp(max=0.0)
    evs = evs + overdraft

    surface = rain + irrigation - evw - rin
    dss = torch.minimum(surface, soil.ssmax - state.ss)
    return WaterFluxes(tra, evs, evw, rin, perc, loss, dss, surface - dss, dslr)


def root_zone_transfer(
    soil: Soil, state: Water, fluxes: WaterFluxes, rd: Tensor, rd_next: Tensor
) -> Tensor:
    """Water that passes to the root zone as its depth changes, WDR (cm d-1).

    WLOW (RD' - RD) / (depth - RD) of the water after the fluxes of the day, if the depth grows by
    more than 0.001 cm; a zone that shrinks leaves its share W (RD' - RD) / RD below (negative).

    Parameters
    ----------
    soil, state, fluxes
        `Soil`, `Water` at the start of the day and `WaterFluxes` of it.
    rd, rd_next
        Depth of the root zone at the start of the day and of the next (cm).
    """
    wlow = state.wlow + fluxes.perc - fluxes.loss
    w = state.w + fluxes.rin - fluxes.tra - fluxes.evs - fluxes.perc
    grown = rd_next - rd
    reached = wlow * torch.where(grown > 0.001, safe_div(grown, soil.depth - rd), 0.0)
    return torch.where(grown < -0.001, w * safe_div(grown, rd), reached)


def next_water(state: Water, fluxes: WaterFluxes, wdr: Tensor) -> Water:
    """State of the next day; its soil moisture is W over the new depth of the root zone.

    Parameters
    ----------
    state, fluxes
        `Water` at the start of the day and `WaterFluxes` of it.
    wdr
        `root_zone_transfer` (cm d-1).
    """
    return Water(
        state.w + fluxes.rin - fluxes.tra - fluxes.evs - fluxes.perc + wdr,
        state.wlow + fluxes.perc - fluxes.loss - wdr,
        state.ss + fluxes.dss,
        fluxes.dslr,
        fluxes.rin,
    )
