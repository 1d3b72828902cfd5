"""Processes of soil heat, organic matter and mineral nitrogen as the day uses them."""

import math

import pytest
import torch

from neuralcrop.closures.base import Closure
from neuralcrop.physics.soil_carbon import OrganicMatter
from neuralcrop.processes.soil_biogeochemistry import Decomposition
from neuralcrop.processes.soil_heat import SoilHeat
from neuralcrop.processes.soil_nitrogen import MineralNitrogen
from tests import soil_cells
from tests.soil_cells import (
    VALUES,
    WAYS,
    advance,
    flat,
    layered,
    parameters,
    profile,
    soil_fluxes,
    soil_state,
    soil_weather,
)


def heat(process, temperature, tas, snow=0.0, litter=0.0, filled=0.6, h=1.0):
    saturation = 460.0 * layered(*soil_cells.THICKNESS)
    return process(parameters(), temperature, flat(tas), filled * saturation, saturation, flat(0.4),
                   flat(snow), flat(litter), None, h)


def total(state, out, element):
    """Amount of an element in the soil and in what left it."""
    kept = ("ammonium", "nitrate") if element == "nitrogen" else ()
    inside = sum(stock.sum() for name, stock in state.items()
                 if name.endswith(element) or name in kept)
    gone = {"carbon": ("air",), "nitrogen": ("plant", "gas", "water")}[element]
    return inside + sum(out.get(name, torch.zeros(1)).sum() for name in gone)


class Fixed(Closure):
    """A slot that says a constant."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, value, features):
        return torch.full_like(value, self.value)


def test_declared_parameters_are_those_used():
    declared = {spec.name for process in (SoilHeat, Decomposition, MineralNitrogen)
                for spec in process.specs}
    assert declared == set(VALUES)


def test_soil_relaxes_to_the_air_from_the_top():
    temperature = torch.full((6, 1), 5.0, dtype=torch.float64)
    for _ in range(60):
        temperature = temperature + heat(SoilHeat(), temperature, 20.0)
    assert (temperature.diff(dim=0) < 0.0).all()
    assert 18.0 < temperature[0].item() < 20.0
    assert 5.0 <= temperature[-1].item() < 7.0


def test_snow_litter_and_dryness_slow_the_soil_and_water_freezes():
    start = torch.full((6, 1), 5.0, dtype=torch.float64)
    cooling = -heat(SoilHeat(), start, -10.0)[0]
    assert -heat(SoilHeat(), start, -10.0, snow=50.0)[0] < 0.3 * cooling
    assert -heat(SoilHeat(), start, -10.0, litter=300.0)[0] < cooling
    assert -heat(SoilHeat(), start, -10.0, filled=0.02)[1] < -heat(SoilHeat(), start, -10.0)[1]
    assert -heat(SoilHeat(freezing=True), start, -10.0)[0] < 0.8 * cooling


def test_every_flux_has_its_name_and_shape():
    fluxes = soil_fluxes(Decomposition(), MineralNitrogen(), parameters(3), soil_state(3),
                         soil_weather(3), 1.0)
    assert set(fluxes) == set(WAYS)
    of_cell = {name for name, flux in fluxes.items() if flux.shape == (3,)}
    assert all(flux.shape == (5, 3) for name, flux in fluxes.items() if name not in of_cell)
    assert of_cell == {
        *(f"{pool}_litter_{way}" for pool in ("surface", "incorporated")
          for way in ("respiration", "humification", "stabilisation", "mineralisation",
                      "nitrogen_humification", "nitrogen_stabilisation")),
        "root_litter_respiration", "surface_litter_incorporation",
        "surface_litter_nitrogen_incorporation", "volatilisation", "nitrate_runoff",
    }  # fmt: skip


@pytest.mark.parametrize("h", [0.25, 1.0])
def test_carbon_and_nitrogen_close(h):
    state, p = soil_state(2), parameters(2, fast_decay_rate=2.0, litter_decay_rate=30.0)
    after, out = advance(
        state,
        soil_fluxes(Decomposition(), MineralNitrogen(), p, state, soil_weather(2), h), h)
    for element in ("carbon", "nitrogen"):
        before = total(state, {}, element).item()
        assert math.isclose(total(after, out, element).item(), before, rel_tol=1e-13)
        assert all((after[name] != state[name]).any() for name in state)


def test_litter_leaves_as_carbon_dioxide_and_transfers():
    state, p = soil_state(), parameters()
    fluxes = soil_fluxes(Decomposition(), MineralNitrogen(), p, state, soil_weather(), 1.0)
    warmth = math.exp(308.56 * (1.0 / 56.02 - 1.0 / 61.02))
    moisture = 0.927442
    rate = warmth * moisture / 365.0
    both = 0.97 * rate + 0.693 / 365.0
    lost = state["surface_litter_carbon"] * -math.expm1(-both) * 0.97 * rate / both
    parts = [fluxes[f"surface_litter_{way}"] for way in
             ("respiration", "humification", "stabilisation")]
    torch.testing.assert_close(sum(parts), lost, rtol=1e-6, atol=0.0)
    torch.testing.assert_close(torch.stack(parts) / lost, layered(0.5, 0.49, 0.01), rtol=1e-5,
                               atol=0.0)
    # nitrogen of the pool leaves in its proportion to carbon, 0.03
    torch.testing.assert_close(fluxes["fast_mineralisation"], 0.03 * fluxes["fast_respiration"],
                               rtol=1e-12, atol=0.0)


def test_versions_and_slots():
    weather = soil_weather(t=-20.0)
    where = (weather["soil_temperature"], weather["soil_water"], weather["saturation"], None)
    assert (Decomposition("lpjml6").response(*where) == 0.0).all()
    assert (Decomposition("lpjml5").response(*where) > 0.0).all()
    learned = Decomposition()
    learned.moisture_response, learned.temperature_response = Fixed(0.5), Fixed(3.0)
    assert (learned.response(*where) == 1.5).all()


def steady(p, given, h=1.0):
    decomposition = Decomposition()
    weather = soil_weather()
    response = decomposition.response(
        weather["soil_temperature"], weather["soil_water"], weather["saturation"], None)
    none = torch.zeros(5, 1, dtype=torch.float64)
    carbon = OrganicMatter(*(flat(x) for x in given), none, none)
    nitrogen = OrganicMatter(*(flat(x / 60.0) for x in given), none, none)
    return decomposition, carbon, nitrogen, decomposition.steady_state(
        p, carbon, nitrogen, response, profile(), h), response


def test_steady_state_of_carbon_and_nitrogen_stands_still():
    """Straw of C:N 60: humus takes the mineral nitrogen that brings what is kept to C:N 15."""
    # other losses would share the day with immobilisation
    p = parameters(nitrification_rate=0.0, denitrification_carbon=0.0)
    weather = soil_weather(uptake=0.0, percolation=0.0, runoff=0.0)
    weather["wind"] = flat(0.0)
    decomposition, carbon_in, nitrogen_in, (carbon, nitrogen), response = steady(
        p, (0.6, 0.1, 0.4))
    state = soil_state(mineral=1e6)
    for element, stocks in (("carbon", carbon), ("nitrogen", nitrogen)):
        state |= {f"{name}_{element}": stock
                  for name, stock in zip(soil_cells.ORGANIC, stocks, strict=True)}
    fluxes = soil_fluxes(decomposition, MineralNitrogen(), p, state, weather, 1.0)
    after, _ = advance(state, fluxes, 1.0)
    for element, given in (("carbon", carbon_in), ("nitrogen", nitrogen_in)):
        for name, gained in zip(soil_cells.ORGANIC, given, strict=True):
            key = f"{name}_{element}"
            # the mineral pool is large, not infinite: its half saturation leaves 1e-9 unmet
            torch.testing.assert_close(after[key] + gained, state[key], rtol=1e-11, atol=1e-8)
    released = fluxes["fast_mineralisation"] + fluxes["slow_mineralisation"]
    respired = fluxes["fast_respiration"] + fluxes["slow_respiration"]
    torch.testing.assert_close(released, respired / 15.0, rtol=1e-12, atol=0.0)
    assert (response > 0.0).all()


def test_immobilisation_takes_ammonium_and_nitrate_in_proportion():
    state, p = soil_state(nitrogen=0.005), parameters()
    fluxes = soil_fluxes(Decomposition(), MineralNitrogen(), p, state,
                         soil_weather(uptake=0.0, percolation=0.0, runoff=0.0, t=2.0), 1.0)
    taken = fluxes["ammonium_immobilisation"] / fluxes["nitrate_immobilisation"]
    torch.testing.assert_close(taken, state["ammonium"] / state["nitrate"], rtol=0.03, atol=0.0)
    demand = 0.0
    for pool in ("surface", "incorporated"):
        kept = fluxes[f"{pool}_litter_humification"] + fluxes[f"{pool}_litter_stabilisation"]
        demand += kept * (1.0 / 15.0 - 0.005)
    root = fluxes["root_litter_humification"] + fluxes["root_litter_stabilisation"]
    demand += root[0] * (1.0 / 15.0 - 0.005)
    both = sum(fluxes[f"{mineral}_{way}"] for mineral in ("ammonium", "nitrate")
               for way in ("immobilisation", "stabilisation"))
    torch.testing.assert_close(both[0], demand, rtol=0.03, atol=0.0)
    rich = soil_fluxes(Decomposition(), MineralNitrogen(), p, soil_state(nitrogen=0.1),
                       soil_weather(), 1.0)
    assert (rich["nitrate_immobilisation"] == 0.0).all()


def test_leaching_alone_is_the_mobile_share():
    """With no other loss the limiter gives 1 - exp(-w / ((1 - a) W_s)) of the nitrate."""
    state = soil_state(carbon=0.0)
    weather = soil_weather(uptake=0.0, percolation=20.0, runoff=5.0, filled=0.2, t=-30.0)
    fluxes = soil_fluxes(Decomposition(), MineralNitrogen(), parameters(), state, weather, 1.0)
    water = layered(22.0, 20.0, 20.0, 20.0, 20.0)  # 0.4 of the runoff counts
    left = state["nitrate"] * -torch.expm1(-water / (0.6 * weather["saturation"]))
    lost = fluxes["nitrate_leaching"] + torch.cat(
        (fluxes["nitrate_runoff"].unsqueeze(0), torch.zeros(4, 1, dtype=torch.float64)))
    torch.testing.assert_close(lost, left, rtol=1e-12, atol=0.0)
    torch.testing.assert_close(fluxes["nitrate_runoff"] / fluxes["nitrate_leaching"][0],
                               flat(0.1), rtol=1e-12, atol=0.0)


def test_limits_of_the_step_agree():
    state, p, weather = soil_state(), parameters(), soil_weather()
    processes = Decomposition(), MineralNitrogen()
    limit = soil_fluxes(*processes, p, state, weather, 0.0)
    tiny = soil_fluxes(*processes, p, state, weather, 1e-5)
    for name in limit:
        torch.testing.assert_close(tiny[name], limit[name], rtol=1e-4, atol=1e-9)


def test_a_year_of_fallow_turns_ammonium_into_nitrate_and_loses_it_to_water():
    state, p, weather = soil_state(), parameters(), soil_weather(uptake=0.0, percolation=1.0)
    processes = Decomposition(), MineralNitrogen()
    gone = 0.0
    for _ in range(365):
        state, out = advance(state, soil_fluxes(*processes, p, state, weather, 1.0), 1.0)
        gone += out["water"].item()
        assert all((stock > 0.0).all() for stock in state.values())
    assert (state["ammonium"] < state["nitrate"]).all()
    assert 1.0 < gone < 60.0
