"""The yields schema: opening, checking, and site-years as cells."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import xarray as xr
from io_weather import weather
from test_disaggregation import weekly

from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.data.covariates import CLIMATE_COVARIATES, SOIL_COVARIATES, Standardiser
from neuralcrop.data.errors import InputError
from neuralcrop.data.samples import covariates, training_tensors
from neuralcrop.data.yields import open_yields


def yields_file(sowing: float | None = 120.0) -> xr.Dataset:
    """Two sites, three years, weekly weather, soil, sowing in the same file."""
    out = weekly()
    values = [[3.0, 2.0, np.nan], [1.5, np.nan, 2.5]]
    out["maize_yield"] = (("site", "year"), values, {"units": "t ha-1"})
    if sowing is not None:
        out["maize_sowing_doy50"] = (("site", "year"), np.full((2, 3), sowing))
    out["sand"] = ("site", [40.0, 30.0], {"units": "%"})
    out["clay"] = ("site", [20.0, 25.0], {"units": "%"})
    return out


def test_every_observed_yield_becomes_a_cell() -> None:
    tensors = training_tensors(open_yields(yields_file(), "maize"))
    assert tensors.forcing.values.shape == (365, len(FORCING_NAMES), 4)
    assert tensors.observed.tolist() == [3.0, 2.0, 1.5, 2.5]
    assert tensors.table.site.tolist() == [0, 0, 1, 1]
    assert tensors.table.year.tolist() == [2003, 2004, 2003, 2005]
    assert tensors.table.lat.tolist() == [45.0, 45.0, 10.0, 10.0]
    assert tensors.sowing.tolist() == [120] * 4
    assert tensors.site_index.tolist() == [0, 0, 1, 1]
    assert tensors.harvest_year_start == 0
    assert not torch.isnan(tensors.forcing.values).any()
    assert tensors.forcing.day_of_year.tolist() == list(range(1, 366))
    assert tensors.site.n_cells == 4


def test_samples_are_the_daily_weather_of_their_year() -> None:
    data = open_yields(yields_file(), "maize")
    tensors = training_tensors(data)
    daily = data.daily(slice(0, 2))
    for cell, (site, year) in enumerate(
            zip(tensors.table.site, tensors.table.year, strict=True)):
        own = daily.isel(site=site).sel(time=str(year))
        for row, name in enumerate(FORCING_NAMES):
            np.testing.assert_allclose(tensors.forcing.values[:, row, cell],
                                       own[name].values[:365], rtol=1e-6)


def test_daily_weather_in_another_file_equals_the_same_in_one() -> None:
    daily = weather(1096, start="2003-01-01")
    sites = yields_file()[["maize_yield", "maize_sowing_doy50", "sand", "clay"]]
    apart = training_tensors(open_yields(sites, "maize", weather=daily))
    together = training_tensors(open_yields(sites.assign(daily), "maize"))
    torch.testing.assert_close(apart.forcing.values, together.forcing.values)
    np.testing.assert_allclose(apart.forcing.values[:, 1, 0], daily.tasmax[:365, 0], rtol=1e-6)


def test_gridded_weather_is_read_at_the_nearest_point() -> None:
    daily = weather(1096, start="2003-01-01", lat=(45.0, 43.0, 10.0, 8.0))
    on_grid = xr.Dataset({
        n: (("time", "lat", "lon"), v.values.reshape(-1, 4, 1).repeat(2, axis=2), v.attrs)
        for n, v in daily.data_vars.items()},
        coords={"time": daily.time, "lat": [45.0, 43.0, 10.0, 8.0], "lon": [5.0, 7.0]})
    sites = yields_file()[["maize_yield", "maize_sowing_doy50"]]
    tensors = training_tensors(open_yields(sites, "maize", weather=on_grid))
    np.testing.assert_allclose(tensors.forcing.values[:, 1, 0], daily.tasmax[:365, 0], rtol=1e-6)
    np.testing.assert_allclose(tensors.forcing.values[:, 1, 2], daily.tasmax[:365, 2], rtol=1e-6)


def test_gridded_yields_are_stacked() -> None:
    daily = weather(730, lat=(45.0, 45.0, 43.0, 43.0))
    yields = np.full((2, 2, 2), np.nan)
    yields[0, 1, :] = [4.0, 5.0]
    yields[1, 0, 1] = 6.0
    dataset = xr.Dataset({
        n: (("time", "lat", "lon"), v.values.reshape(-1, 2, 2), v.attrs)
        for n, v in daily.data_vars.items()},
        coords={"time": daily.time, "lat": [45.0, 43.0], "lon": [5.0, 7.0],
                "year": [2001, 2002]})
    dataset["yield"] = (("lat", "lon", "year"), yields, {"units": "kg ha-1"})
    tensors = training_tensors(open_yields(dataset, "maize"))
    assert tensors.table[["lat", "lon", "year"]].values.tolist() == [
        [45.0, 7.0, 2001.0], [45.0, 7.0, 2002.0], [43.0, 5.0, 2002.0]]
    np.testing.assert_allclose(tensors.observed, [0.004, 0.005, 0.006])


def test_winter_crop_begins_the_year_before(caplog) -> None:
    with caplog.at_level("WARNING", logger="neuralcrop.data"):
        tensors = training_tensors(open_yields(yields_file(280.0), "maize"))
    # 2003 has no weather of the year before
    assert tensors.table.year.tolist() == [2004, 2005]
    assert "2 of 4 site-years lack weather" in caplog.text
    assert tensors.forcing.day_of_year[0] == 244  # 1 September: the month before sowing
    assert tensors.forcing.year.tolist()[0] == 0
    assert tensors.harvest_year_start == 122
    assert tensors.forcing.day_of_year[122] == 1
    assert tensors.forcing.year[122] == 1
    explicit = training_tensors(open_yields(yields_file(280.0), "maize"), start_month_offset=-4)
    torch.testing.assert_close(explicit.forcing.values, tensors.forcing.values)


def test_sowings_of_both_halves_of_the_year_share_one_long_run() -> None:
    file = yields_file()
    file["maize_sowing_doy50"] = (("site", "year"), [[120.0] * 3, [300.0] * 3])
    tensors = training_tensors(open_yields(file, "maize"))
    assert tensors.forcing.day_of_year[0] == 244
    assert tensors.forcing.n_days == 365 + 122
    assert sorted(set(tensors.sowing.tolist())) == [120, 300]


def test_part_of_the_year() -> None:
    tensors = training_tensors(open_yields(yields_file(), "maize"), start_doy=91, n_days=240)
    assert tensors.forcing.day_of_year[[0, -1]].tolist() == [91, 330]
    whole = training_tensors(open_yields(yields_file(), "maize"))
    torch.testing.assert_close(tensors.forcing.values, whole.forcing.values[90:330])


def test_sowing_by_rule_where_none_is_given() -> None:
    tensors = training_tensors(open_yields(yields_file(None), "maize"))
    assert 60 < tensors.sowing[0] < 200
    file = yields_file()
    file["maize_sowing_doy50"][0, 0] = np.nan  # the site's median
    assert training_tensors(open_yields(file, "maize")).sowing[0] == 120


def test_choice_of_sites_does_not_change_the_samples() -> None:
    both = training_tensors(open_yields(yields_file(), "maize"))
    one = training_tensors(open_yields(yields_file().isel(site=[1]), "maize"))
    torch.testing.assert_close(both.forcing.values[:, :, 2:], one.forcing.values)
    torch.testing.assert_close(both.covariates.values[:, 1:], one.covariates.values)


def test_subset_of_cells() -> None:
    tensors = training_tensors(open_yields(yields_file(), "maize"))
    part = tensors.cells(torch.tensor([3, 0]))
    assert part.observed.tolist() == [2.5, 3.0]
    assert part.table.year.tolist() == [2005, 2003]
    assert part.site.n_cells == part.forcing.n_cells == 2


def test_covariates() -> None:
    data = open_yields(yields_file(), "maize")
    values = covariates(data)
    assert values.names == (*CLIMATE_COVARIATES, *SOIL_COVARIATES)
    assert values.values.shape == (len(values.names), 2)
    assert not torch.isnan(values.values).any()
    row = dict(zip(values.names, values.values, strict=True))
    torch.testing.assert_close(row["sand"], torch.tensor([0.4, 0.3]))
    assert row["tas_season"][0] > row["tas_annual"][0]
    assert row["available_water"][0] > 100.0
    normals = covariates(data, normal_years=[2003])
    assert not torch.allclose(normals.values[0], values.values[0])
    torch.testing.assert_close(training_tensors(data).covariates.values, values.values)


def test_standardiser_is_fitted_on_training_sites_and_survives_a_checkpoint(tmp_path) -> None:
    values = covariates(open_yields(yields_file(), "maize"))
    scaler = Standardiser.fit(values)
    applied = scaler.apply(values)
    assert applied.abs().max() < 2.0
    torch.testing.assert_close(applied.mean(dim=1), torch.zeros(len(values.names)), atol=1e-2,
                               rtol=0)
    torch.save(scaler.state_dict(), tmp_path / "scaler.pt")
    again = Standardiser.from_state_dict(torch.load(tmp_path / "scaler.pt"))
    torch.testing.assert_close(again.apply(values), applied)
    with pytest.raises(ValueError, match="do not match"):
        scaler.apply(type(values)(values.values[1:], values.names[1:]))


def test_kilograms_and_other_names() -> None:
    file = yields_file().rename(maize_yield="yield", site="county")
    file["yield"] = file["yield"] * 1000.0
    file["yield"].attrs["units"] = "kg ha-1"
    data = open_yields(file, "maize")
    assert data.yields.dims == ("site", "year")
    assert float(data.yields[0, 0]) == 3.0
    wheat = yields_file().rename(maize_yield="wheat_yield")
    assert open_yields(wheat, "winter_wheat").crop == "winter_wheat"


@pytest.mark.parametrize(("change", "words"), [
    (lambda d: d.drop_vars("maize_yield"), "no variable maize_yield or yield"),
    (lambda d: d.assign(maize_yield=d.maize_yield.drop_attrs()), "no units attribute"),
    (lambda d: d.assign(maize_yield=d.maize_yield.assign_attrs(units="bu acre-1")),
     "convert it first"),
    (lambda d: d.assign(maize_yield=d.maize_yield.assign_attrs(units="K")), "units 'K'"),
    (lambda d: d.assign(maize_yield=(d.maize_yield * 100).assign_attrs(units="t ha-1")),
     "values from 150 to 300"),
    (lambda d: d.drop_vars("lat"), "coordinate lat: missing"),
    (lambda d: d.drop_vars("pr"), "variable pr: missing"),
    (lambda d: d.drop_dims("week"), "no weather in the file"),
    (lambda d: d.assign(maize_sowing_doy50=d.maize_sowing_doy50 + 300), "day of year, 1 to 366"),
])
def test_errors(change, words: str) -> None:
    with pytest.raises(InputError, match="problem") as error:
        open_yields(change(yields_file()), "maize")
    assert words in str(error.value)


def test_weather_of_other_years() -> None:
    file = yields_file()
    file = file.assign_coords(year=[2003, 2004, 2005])
    late = weather(365, start="2010-01-01")
    sites = file[["maize_yield", "maize_sowing_doy50"]]
    with pytest.raises(InputError, match="covers none of 4 site-years"):
        training_tensors(open_yields(sites, "maize", weather=late))


def test_check_finds_bad_weather() -> None:
    file = yields_file()
    file["tasmin"] = (file.tasmin + 40.0).assign_attrs(file.tasmin.attrs)
    data = open_yields(file, "maize")
    with pytest.raises(InputError, match="tasmin and tasmax, site 0"):
        data.check()
