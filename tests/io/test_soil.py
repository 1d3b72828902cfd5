"""Soil from what users have to the model's layers, and its errors."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from io_weather import grid, weather

from neuralcrop.core.forcing import SOIL_LAYER_BOTTOM
from neuralcrop.data.errors import InputError
from neuralcrop.data.forcing import prepare_forcing
from neuralcrop.data.soil import prepare_soil, soil_layers
from neuralcrop.data.tensors import CellIndex, cell_index


@pytest.fixture(scope="module")
def sites() -> CellIndex:
    return cell_index(prepare_forcing(weather(20)))


@pytest.fixture(scope="module")
def cells() -> CellIndex:
    return cell_index(prepare_forcing(grid(20)))


def test_default_loam_with_a_warning(sites, caplog) -> None:
    site = prepare_soil(None, sites)
    assert "no soil given: a loam" in caplog.text
    # Saxton & Rawls (2006), table 3: loam, 2.5 % organic matter
    np.testing.assert_allclose(site.wilting_point, 0.137, atol=5e-4)
    np.testing.assert_allclose(site.field_capacity, 0.280, atol=5e-4)
    np.testing.assert_allclose(site.saturation, 0.459, atol=6e-4)
    np.testing.assert_allclose(site.saturated_conductivity, 15.5, atol=0.05)
    assert site.wilting_point.shape == (5, 2)
    np.testing.assert_allclose(site.latitude, [45.0, 10.0])
    np.testing.assert_allclose(site.elevation, 100.0)


def test_pedotransfer_of_lpjml_holds_more_water(sites) -> None:
    soil = {"sand": 0.40, "clay": 0.20, "om": 2.5}
    paper, lpjml = (prepare_soil(soil, sites, pedotransfer=kind) for kind in ("published", "lpjml"))
    np.testing.assert_allclose(paper.field_capacity, 0.280, atol=5e-4)
    np.testing.assert_allclose(lpjml.field_capacity, 0.311, atol=5e-4)
    np.testing.assert_array_equal(paper.wilting_point, lpjml.wilting_point)


def test_percent_and_fraction_and_matter_agree(sites) -> None:
    fraction = soil_layers({"sand": 0.5, "clay": 0.1, "organic_carbon": 1.0}, sites)
    percent = soil_layers({"sand": 50, "clay": 10, "om": 1.724}, sites)
    for name in ("sand", "clay", "organic_carbon"):
        np.testing.assert_allclose(fraction[name], percent[name], rtol=1e-12)
    dataset = xr.Dataset({
        "sand": ("site", [50.0, 50.0], {"units": "%"}),
        "clay": ("site", [100.0, 100.0], {"units": "g kg-1"}),
        "soc": ("site", [10.0, 10.0], {"units": "g/kg"}),
        "root_zone_depth": ("site", [80.0, 120.0], {"units": "cm"})})
    read = soil_layers(dataset, sites)
    for name in ("sand", "clay", "organic_carbon"):
        np.testing.assert_allclose(read[name], fraction[name], rtol=1e-12)
    np.testing.assert_allclose(read["soil_depth"], [0.8, 1.2])


def test_layers_are_averaged_by_thickness(sites) -> None:
    dataset = xr.Dataset({
        "clay": (("layer", "site"), [[10.0, 10.0], [30.0, 30.0], [20.0, 20.0]], {"units": "%"}),
        "sand": ((), 40.0, {"units": "%"}),
        "layer_top": ("layer", [0.0, 10.0, 60.0], {"units": "cm"}),
        "layer_bottom": ("layer", [10.0, 60.0, 100.0], {"units": "cm"})})
    clay = soil_layers(dataset, sites)["clay"][:, 0]
    # layers to 0.2, 0.5, 1, 2, 3 m; the deepest one given reaches down
    np.testing.assert_allclose(clay, [0.20, 0.30, (10 * 0.3 + 40 * 0.2) / 50, 0.20, 0.20])
    assert SOIL_LAYER_BOTTOM[-1] == 3.0


def test_measured_water_contents_win(sites) -> None:
    site = prepare_soil({"theta_wp": 0.1, "theta_fc": 0.3, "theta_sat": 0.45, "ksat": 20.0}, sites)
    np.testing.assert_allclose(site.field_capacity, 0.3)
    np.testing.assert_allclose(site.saturated_conductivity, 20.0)
    only_fc = prepare_soil({"sand": 0.4, "clay": 0.2, "theta_fc": 0.26}, sites)
    np.testing.assert_allclose(only_fc.field_capacity, 0.26)
    np.testing.assert_allclose(only_fc.wilting_point, 0.137, atol=1e-3)


def test_conductivity_units(sites) -> None:
    dataset = xr.Dataset({"ksat": ("site", [792.3, 792.3], {"units": "mm d-1"})})
    site = prepare_soil(dataset, sites)
    np.testing.assert_allclose(site.saturated_conductivity, 33.0125, rtol=1e-5)


def test_map_is_matched_by_coordinates(cells) -> None:
    sand = np.arange(12.0).reshape(3, 4) / 20 + 0.05
    dataset = xr.Dataset({
        "sand": (("lat", "lon"), sand, {"units": "1"}),
        "clay": (("lat", "lon"), np.full((3, 4), 0.1), {"units": "1"})},
        coords={"lat": [50.0, 48.0, 46.0], "lon": [0.0, 2.0, 4.0, 6.0]})
    expected = np.delete(sand.reshape(-1), 6)
    np.testing.assert_allclose(soil_layers(dataset, cells)["sand"][0], expected)
    turned = dataset.isel(lat=slice(None, None, -1)).assign_coords(lon=dataset.lon + 360.0)
    np.testing.assert_allclose(soil_layers(turned.transpose("lon", "lat"), cells)["sand"][0],
                               expected)
    with pytest.raises(InputError, match="does not reach"):
        soil_layers(dataset.isel(lon=slice(0, 2)), cells)


def test_map_is_read_at_sites(sites) -> None:
    dataset = xr.Dataset({"sand": (("lat", "lon"), [[0.1, 0.2], [0.3, 0.4]], {"units": "1"})},
                         coords={"lat": [44.0, 10.0], "lon": [4.0, 7.5]})
    np.testing.assert_allclose(soil_layers(dataset, sites)["sand"][0], [0.1, 0.4])


def test_sites_are_matched_by_label() -> None:
    labelled = weather(20).assign_coords(site=["a", "b"])
    cells = cell_index(prepare_forcing(labelled))
    sand = xr.DataArray([0.7, 0.2, 0.1], dims="site", coords={"site": ["b", "c", "a"]},
                        attrs={"units": "1"})
    np.testing.assert_allclose(soil_layers({"sand": sand}, cells)["sand"][0], [0.1, 0.7])
    with pytest.raises(InputError, match="b and 0 more are not in it"):
        soil_layers({"sand": sand.isel(site=[1, 2])}, cells)


def test_sand_and_clay_above_one(sites) -> None:
    with pytest.raises(InputError, match=r"sand \+ clay up to 1.3, above 1, in 2 cells") as error:
        prepare_soil({"sand": 0.7, "clay": 0.6}, sites)
    assert "site 0 (lat 45 lon 5)" in str(error.value)


def test_all_soil_problems_at_once(sites) -> None:
    dataset = xr.Dataset({
        "sand": ("site", [50.0, 50.0], {"units": "K"}),
        "clay": ("site", [0.1, 0.2]),
        "ph": ("site", [6.0, 70.0], {"units": "1"}),
        "theta_wp": ("site", [0.3, 0.1], {"units": "1"}),
        "theta_fc": ("site", [0.2, 0.3], {"units": "1"}),
        "soil_depth": ("site", [150.0, 150.0], {"units": "m"})})
    with pytest.raises(InputError) as error:
        prepare_soil(dataset, sites)
    text = str(error.value)
    for part in ("soil sand: 'K' cannot be converted", "soil clay: no units attribute",
                 "soil ph, site 1", "theta_wp not below theta_fc", "150 m, out of range"):
        assert part in text
    with pytest.raises(InputError, match="did you mean 'sand'"):
        prepare_soil({"sandd": 0.4}, sites)


def test_missing_values_get_the_loam(sites, caplog) -> None:
    values = soil_layers({"sand": np.array([np.nan, 0.6]), "clay": np.array([0.1, 0.1])}, sites)
    np.testing.assert_allclose(values["sand"][0], [0.4, 0.6])
    assert "soil sand missing in 1 cells, first site 0" in caplog.text


def test_layers_without_depths(sites) -> None:
    dataset = xr.Dataset({"sand": (("layer", "site"), np.full((2, 2), 0.4), {"units": "1"})})
    with pytest.raises(InputError, match="no layer_bottom"):
        prepare_soil(dataset, sites)
