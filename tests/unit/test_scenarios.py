"""Change factors, harvests onto years, changes against a baseline, the summary."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
import torch
import xarray as xr

from neuralcrop.config.sections import ScenarioMember
from neuralcrop.core.constants import SECONDS_PER_DAY
from neuralcrop.data.demo import make_demo_forcing, suitable_cells
from neuralcrop.data.errors import InputError
from neuralcrop.data.forcing import prepare_forcing
from neuralcrop.physics.evapotranspiration import saturation_vapour_pressure
from neuralcrop.physics.radiation import net_longwave
from neuralcrop.projection.scenarios import changed_forcing, describe_change
from neuralcrop.projection.summary import summarise, write_summary
from neuralcrop.projection.years import SMALL_YIELD, add_changes, by_year, harvest_lag


@pytest.fixture(scope="module")
def prepared() -> xr.Dataset:
    return prepare_forcing(make_demo_forcing([2001], suitable_cells(5)))


def change(prepared: xr.Dataset, **changes: object) -> xr.Dataset:
    return changed_forcing(prepared, ScenarioMember(name="x", **changes))


def relative_humidity(weather: xr.Dataset) -> np.ndarray:
    saturated = saturation_vapour_pressure(torch.tensor(weather["tas"].values)).numpy()
    return weather["vap"].values / saturated


def net(weather: xr.Dataset) -> np.ndarray:
    sky = torch.tensor(weather["rlds"].values) * SECONDS_PER_DAY * 1e-6
    return net_longwave(torch.tensor(weather["tas"].values), sky).numpy()


def test_no_change_is_the_baseline(prepared: xr.Dataset) -> None:
    xr.testing.assert_identical(change(prepared), prepared)


def test_co2_changes_nothing_but_co2(prepared: xr.Dataset) -> None:
    out = change(prepared, co2=650.0)
    assert (out["co2"] == 650.0).all()
    xr.testing.assert_identical(out.drop_vars("co2"), prepared.drop_vars("co2"))


def test_warming_leaves_co2_and_rain_alone(prepared: xr.Dataset) -> None:
    out = change(prepared, tas=3.0)
    same = ["rsds", "pr", "sfcwind", "ps", "co2"]
    xr.testing.assert_identical(out[same], prepared[same])


def test_warming_adds_to_all_temperatures(prepared: xr.Dataset) -> None:
    out = change(prepared, tas=3.0)
    for name in ("tasmin", "tasmax", "tas"):
        np.testing.assert_allclose(out[name], prepared[name] + 3.0, atol=1e-5)
        assert out[name].attrs == prepared[name].attrs


def test_warming_keeps_relative_humidity(prepared: xr.Dataset) -> None:
    out = change(prepared, tas=4.0)
    assert (out["vap"] > prepared["vap"]).all()
    np.testing.assert_allclose(relative_humidity(out), relative_humidity(prepared), rtol=1e-5)


def test_warming_keeps_net_longwave(prepared: xr.Dataset) -> None:
    out = change(prepared, tas=4.0)
    assert (out["rlds"] > prepared["rlds"]).all()
    np.testing.assert_allclose(net(out), net(prepared), atol=1e-4)


def test_precipitation_factor_keeps_wet_days(prepared: xr.Dataset) -> None:
    out = change(prepared, pr=0.7)
    np.testing.assert_allclose(out["pr"], 0.7 * prepared["pr"], rtol=1e-6)
    xr.testing.assert_identical(out.drop_vars("pr"), prepared.drop_vars("pr"))


def test_changes_are_lazy_and_keep_order_and_marks(prepared: xr.Dataset) -> None:
    out = change(prepared, tas=2.0, pr=1.2, co2=500.0)
    assert out["vap"].chunks is not None
    assert list(out.data_vars) == list(prepared.data_vars)
    assert out.attrs == prepared.attrs
    assert all(out[v].dims == prepared[v].dims for v in out.data_vars)
    assert all(out[v].dtype == prepared[v].dtype for v in out.data_vars)


def test_co2_from_a_file(prepared: xr.Dataset, tmp_path: Path) -> None:
    file = tmp_path / "co2.csv"
    file.write_text("year,ppm\n2001,612\n")
    out = change(prepared, co2=str(file))
    assert (out["co2"] == 612.0).all()


def test_impossible_co2_is_refused(prepared: xr.Dataset) -> None:
    with pytest.raises(InputError, match="ppm"):
        change(prepared, co2=20.0)


def test_describe_change() -> None:
    member = ScenarioMember(name="x", tas=-1.5, pr=0.85, co2=650)
    assert describe_change(member) == "-1.5 K, -15 % precipitation, CO2 650 ppm"
    assert describe_change(ScenarioMember(name="x")) == "no change"


# --- years ---------------------------------------------------------------------------------------


def harvests(plant: list[list[float]], harvest: list[list[float]]) -> dict[str, np.ndarray]:
    plant_year, harvest_year = np.array(plant, float), np.array(harvest, float)
    return {"plantyear": plant_year, "harvyear": harvest_year, "yield": plant_year - 1990.0}


def test_harvest_around_new_year_has_one_year_each() -> None:
    # the second season is mature before New Year, so two seasons end in 2001
    records = harvests([[2000], [2001], [2002]], [[2001], [2001], [2003]])
    lag = harvest_lag(records)
    assert lag.tolist() == [1.0]
    years, out = by_year(records, lag, (2000, 2003))
    assert years.tolist() == [2000, 2001, 2002, 2003]
    np.testing.assert_array_equal(out["yield"][:, 0], [np.nan, 10.0, 11.0, 12.0])


def test_cells_differ_in_seasons() -> None:
    nan = np.nan
    records = harvests([[2000, 2000, nan], [2001, nan, nan]], [[2000, 2001, nan], [2001, nan, nan]])
    lag = harvest_lag(records)
    assert lag.tolist() == [0.0, 1.0, 0.0]
    _, out = by_year(records, lag, (2000, 2001))
    np.testing.assert_array_equal(out["yield"], [[10.0, nan, nan], [11.0, 10.0, nan]])


def test_no_harvest_at_all() -> None:
    records = {name: np.empty((0, 2)) for name in ("plantyear", "harvyear", "yield")}
    lag = harvest_lag(records)
    years, out = by_year(records, lag, (2000, 2001))
    assert years.tolist() == [2000, 2001]
    assert np.isnan(out["yield"]).all()


def yields(values: list[list[float]], first: int = 2000, lat: tuple[float, ...] = (10.0, 60.0)
           ) -> xr.Dataset:
    years = np.arange(first, first + len(values))
    return xr.Dataset(
        {"yield": (("year", "lat", "lon"), np.array(values)[..., None])},
        coords={"year": years, "lat": list(lat), "lon": [5.0]}, attrs={"scenario": "x"})


def test_changes_compare_the_same_years() -> None:
    baseline = yields([[4.0, 2.0], [6.0, np.nan]])
    out = add_changes(yields([[5.0, 1.0], [6.0, 9.0]]), baseline)
    np.testing.assert_array_equal(out["yield_change"].values[..., 0], [[1.0, -1.0], [0.0, np.nan]])
    np.testing.assert_allclose(out["yield_change_relative"].values[0, :, 0], [25.0, -50.0])
    # the year without a harvest in the baseline does not count
    np.testing.assert_allclose(out["yield_mean"].values[:, 0], [5.5, 1.0])
    np.testing.assert_allclose(out["yield_change_mean"].values[:, 0], [0.5, -1.0])
    np.testing.assert_allclose(out["yield_change_relative_mean"].values[:, 0], [10.0, -50.0])
    assert out["yield_change_relative"].attrs["units"] == "%"


def test_other_years_are_compared_by_their_means() -> None:
    out = add_changes(yields([[5.0, 1.0], [7.0, 2.0]], first=2050), yields([[4.0, 2.0]]))
    assert out["yield_change"].isnull().all()
    np.testing.assert_allclose(out["yield_change_mean"].values[:, 0], [2.0, -0.5])


def test_no_relative_change_of_nothing() -> None:
    out = add_changes(yields([[1.0, 1.0]]), yields([[0.5 * SMALL_YIELD, 1.0]]))
    assert out["yield_change_relative"].isnull().values[0, :, 0].tolist() == [True, False]


def test_summary_weighs_by_area_and_bands(tmp_path: Path) -> None:
    out = add_changes(yields([[5.0, 1.0]]), yields([[4.0, 2.0]]))
    rows = summarise({"x": out})
    assert [(r.region, r.cells) for r in rows] == [("all", 2), ("60N-90N", 1), ("0-30N", 1)]
    weight = np.cos(np.deg2rad([10.0, 60.0]))
    assert rows[0].yield_t_ha == pytest.approx(np.average([5.0, 1.0], weights=weight))
    assert rows[2].change_percent == pytest.approx(25.0)
    table = list(csv.DictReader(write_summary(rows, tmp_path / "s.csv").open()))
    assert table[1] == {"scenario": "x", "region": "60N-90N", "cells": "1", "yield_t_ha": "1",
                        "change_t_ha": "-1", "change_percent": "-50"}


def test_points_weigh_alike() -> None:
    dataset = add_changes(yields([[5.0, 1.0]]), yields([[4.0, 2.0]]))
    points = dataset.stack(site=("lat", "lon")).reset_index("site")
    assert summarise({"x": points})[0].yield_t_ha == pytest.approx(3.0)
