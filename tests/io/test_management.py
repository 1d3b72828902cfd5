"""Sowing rules and the management door."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from io_weather import grid, weather

from neuralcrop.core.forcing import IRRIGATION_ROWS
from neuralcrop.data import calendars
from neuralcrop.data.calendars import CropRule, crop_rule, seasonality, sowing_days
from neuralcrop.data.climate import MID_MONTH, daily_from_monthly, monthly_climate, monthly_pet
from neuralcrop.data.errors import InputError
from neuralcrop.data.forcing import prepare_forcing
from neuralcrop.data.management import prepare_management
from neuralcrop.data.tensors import cell_index

INDEX = {"maize": 0, "soybean": 1, "winter_wheat": 2}


@pytest.fixture(scope="module")
def prepared() -> xr.Dataset:
    return prepare_forcing(weather(1096, start="2000-01-01"))


def manage(prepared: xr.Dataset, management=None, crop="maize"):
    return prepare_management(management, prepared, cell_index(prepared), crop, INDEX)


# --- the rule ------------------------------------------------------------------------------------


def climate(mean: float, swing: float, rain=2.0, peak: float = 200.0):
    """Monthly temperature, rain and PET of one cell."""
    tas = mean + swing * np.cos(2 * np.pi * (MID_MONTH - peak) / 365.0)
    return tas[:, None], np.broadcast_to(np.asarray(rain, float), 12)[:, None], np.full((12, 1), 3.)


def test_seasonality_types() -> None:
    rainy = np.where(np.arange(12) < 4, 8.0, 0.5)
    cases = {
        calendars.NONE: climate(25, 0.5), calendars.PRECIPITATION: climate(25, 0.5, rainy),
        calendars.PRECIPITATION_TEMPERATURE: climate(22, 8, rainy),
        calendars.TEMPERATURE_PRECIPITATION: climate(10, 15, rainy),
        calendars.TEMPERATURE: climate(10, 15),
    }
    for kind, (tas, rain, _) in cases.items():
        assert seasonality(tas, rain)[0] == kind


def test_spring_crop_is_sown_when_it_gets_warm() -> None:
    tas, rain, pet = climate(10.0, 15.0)
    day = int(sowing_days(tas, rain, pet, CropRule(14.0))[0])
    daily = daily_from_monthly(tas)[:, 0]
    assert daily[day - 2] < 14.0 <= daily[day - 1]
    assert 100 < day < 140
    south, _, _ = climate(10.0, 15.0, peak=200.0 - 182.5)
    assert int(sowing_days(south, rain, pet, CropRule(14.0))[0]) == pytest.approx(day + 182, abs=3)


def test_winter_crop_is_sown_when_it_gets_cool() -> None:
    tas, rain, pet = climate(8.0, 12.0)
    day = int(sowing_days(tas, rain, pet, CropRule(5.0, 12.0, winter=True))[0])
    daily = daily_from_monthly(tas)[:, 0]
    assert daily[day - 2] > 12.0 >= daily[day - 1]
    assert 220 < day < 300


def test_rain_opens_the_season_in_the_tropics() -> None:
    rainy = np.where(np.isin(np.arange(12), [5, 6, 7, 8]), 8.0, 0.2)
    tas, rain, pet = climate(26.0, 0.6, rainy)
    assert int(sowing_days(tas, rain, pet, CropRule(14.0))[0]) == 152


def test_winter_rain_too_cold_for_the_crop_does_not_open_it() -> None:
    wet_winter = np.where(np.isin(np.arange(12), [10, 11, 0, 1]), 4.0, 0.6)
    tas, rain, pet = climate(18.0, 7.0, wet_winter)
    day = int(sowing_days(tas, rain, pet, CropRule(18.0))[0])
    assert tas[np.searchsorted(np.cumsum([31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31]), day),
               0] >= 18.0 - 1e-9


def test_fallbacks_are_days_of_the_year() -> None:
    for mean, swing in ((-20.0, 10.0), (28.0, 2.0), (15.0, 0.0), (40.0, 1.0)):
        tas, rain, pet = climate(mean, swing)
        for rule in (CropRule(14.0), CropRule(5.0, 12.0, winter=True)):
            assert 1 <= int(sowing_days(tas, rain, pet, rule)[0]) <= 365


def test_vectorised_over_cells() -> None:
    cases = [climate(10.0, 15.0), climate(26.0, 0.6, np.where(np.arange(12) < 4, 8.0, 0.5)),
             climate(-20.0, 10.0)]
    together = sowing_days(*(np.concatenate([c[k] for c in cases], axis=1) for k in range(3)),
                           CropRule(14.0))
    assert together.tolist() == [int(sowing_days(*c, CropRule(14.0))[0]) for c in cases]


def test_unknown_crop_and_variety(caplog) -> None:
    assert crop_rule("maize:Grain_maize_201") == crop_rule("maize")
    crop_rule("quinoa")
    assert "no sowing rule for quinoa" in caplog.text
    assert crop_rule("quinoa", {"quinoa": CropRule(7.0)}).temp_spring == 7.0


def test_monthly_climate_and_pet(prepared) -> None:
    cells = cell_index(prepared)
    monthly = monthly_climate(prepared, cells)
    assert monthly.values["tas"].shape == (3, 12, 2)
    july = prepared.tas.sel(time="2001-07").mean("time")
    np.testing.assert_allclose(monthly.values["tas"][1, 6], july, rtol=1e-5)
    pet = monthly_pet(monthly.climatology())
    assert pet.shape == (12, 2)
    assert pet[6, 0] > 3 * pet[0, 0] > 0.0
    assert monthly_climate(prepared, cells, years=[2001]).years.tolist() == [2001]


# --- the door ------------------------------------------------------------------------------------


def test_defaults(prepared) -> None:
    record = manage(prepared)
    assert record.sowing_day.shape == (1, 2)
    assert (record.sowing_day > 60).all()
    assert (record.sowing_day < 200).all()
    assert record.harvest_day.tolist() == [0, 0]
    assert record.irrigation_threshold.tolist() == [0.0, 0.0]
    assert record.crop.tolist() == [0, 0]
    assert record.irrigation_dates is None
    assert record.first_year == 2000


@pytest.mark.parametrize(("sowing", "rows", "first"), [
    (120, [[120, 120]], 2000), ("04-30", [[120, 120]], 2000), ("2001-04-30", [[120, 120]], 2000),
    (["2000-04-29", "2002-05-10"], [[120, 120], [120, 120], [130, 130]], 2000),
    (np.array([100, 140]), [[100, 140]], 2000),
    (xr.DataArray([[100.0, 140.0], [101.0, 141.0]], dims=("year", "site"),
                  coords={"year": [2001, 2002]}), [[100, 140], [101, 141]], 2001),
    (xr.DataArray([110, 112], dims="year", coords={"year": [2001, 2003]}),
     [[110, 110], [110, 110], [112, 112]], 2001),
])
def test_sowing(prepared, sowing, rows, first: int) -> None:
    record = manage(prepared, {"sowing": sowing})
    assert record.sowing_day.tolist() == rows
    assert record.first_year == first


def test_missing_sowing_days_follow_the_rule(prepared) -> None:
    rule = manage(prepared).sowing_day[0]
    record = manage(prepared, {"sowing": np.array([np.nan, 99.0])})
    assert record.sowing_day.tolist() == [[int(rule[0]), 99]]


def test_irrigation(prepared) -> None:
    full = manage(prepared, {"irrigation": "full"})
    np.testing.assert_allclose(full.irrigation_threshold, 0.9)
    np.testing.assert_allclose(full.irrigation_target, 1.0)
    ruled = manage(prepared, {"irrigation": {"threshold": 0.5, "target": np.array([0.7, 0.8])}})
    np.testing.assert_allclose(ruled.irrigation_threshold, 0.5)
    np.testing.assert_allclose(ruled.irrigation_target, [0.7, 0.8])
    cells = xr.DataArray(["none", "full"], dims="site")
    np.testing.assert_allclose(manage(prepared, {"irrigation": cells}).irrigation_threshold,
                               [0.0, 0.9])
    dated = manage(prepared, {"irrigation": {
        "dates": ["2000-01-03", "07-01"], "amounts": [10.0, np.array([20.0, 30.0])]}})
    assert sorted(dated.irrigation_dates) == [2, 182, 547, 912]
    assert dated.irrigation_dates[547].tolist() == [20.0, 30.0]


def test_harvest(prepared) -> None:
    assert manage(prepared, {"harvest": 280}).harvest_day.tolist() == [280, 280]
    assert manage(prepared, {"harvest": "10-07"}).harvest_day.tolist() == [280, 280]


def test_crops_by_cell() -> None:
    prepared = prepare_forcing(grid(400))
    names = np.full((3, 4), "maize", dtype=object)
    names[0, 1] = "soybean"
    crop = xr.DataArray(names, dims=("lat", "lon"), coords={"lat": prepared.lat,
                                                            "lon": prepared.lon})
    record = manage(prepared, None, crop.isel(lat=slice(None, None, -1)))
    assert record.crop.tolist() == [0, 1, *[0] * 9]


def test_dataset_as_management(prepared) -> None:
    record = manage(prepared, xr.Dataset({"sowing": ("site", [90, 95]), "irrigation": "full"}))
    assert record.sowing_day.tolist() == [[90, 95]]
    np.testing.assert_allclose(record.irrigation_threshold, 0.9)


@pytest.mark.parametrize(("management", "words"), [
    ({"sowin": 3}, "did you mean 'sowing'?"),
    ({"nitrogen": -5}, "0 to 1000"), ({"nitrogen": 120000}, "check units?"),
    ({"nitrogen": "lots"}, "is not a number"),
    ({"nitrogen": {"total": 80, "split": [[0, 1]]}}, "did you mean 'splits'?"),
    ({"nitrogen": {"total": 80, "splits": [[0, 0.4], [40, 0.4]]}}, "add up to 1"),
    ({"nitrogen": {"total": 80, "splits": "gcmi"}}, "did you mean 'ggcmi'?"),
    ({"nitrogen": {"total": 80, "dates": ["05-01"], "amounts": 3}}, "a total and dates"),
    ({"nitrogen": {"dates": ["05-01"]}}, "must come together"),
    ({"nitrogen": {"dates": ["05-01"], "amounts": -1}}, "negative amount"),
    ({"nitrogen": {"total": 80, "nitrate_share": 2}}, "share of nitrate"),
    ({"manure": {"total": 80, "nitrate_share": 0.5}}, "unknown key"),
    ({"residues": 1.5}, "shares, 0 to 1"), ({"residues": {"lift": 1}}, "did you mean 'left'?"),
    ({"residues": {"left": 0.5, "removed": 0.2, "burnt": 0.1}}, "do not add up to 1"),
    ({"use": "grian"}, "did you mean 'grain'?"), ({"tillage": "plough"}, "'plough'"),
    ({"tillage": {"harvest": 2}}, "share of the litter"),
    ({"irrigation": {"system": "sprinkle"}}, "did you mean 'sprinkler'?"),
    ({"irrigation": {"conveyance": "pip"}}, "did you mean 'pipe'?"),
    ({"irrigation": {"conveyance": 0.0}}, "0.05 to 1"),
    ({"irrigation": {"daily_limit": -1}}, "at least 0"),
    ({"irrigation": {"system": "flooded", "threshold": 0.5}}, "beside flooding"),
    ({"irrigation": {"system": "flooded", "low": 90, "high": 50}}, "'low' above 'high'"),
    ({"irrigation": {"system": "flooded", "bund": 50}}, "below the upper mark"),
    ({"irrigation": {"system": "drip", "high": 50}}, "without system 'flooded'"),
    ({"sequence": []}, "a list of crops"), ({"sequence": [{"sowing": 3}]}, "with 'crop'"),
    ({"sequence": ["mais"]}, "did you mean 'maize'?"),
    ({"sequence": [{"crop": "maize", "yaer": 2}]}, "did you mean 'year'?"),
    ({"sequence": [{"crop": "maize", "year": 0}]}, "1 to 20"),
    ({"sequence": [{"crop": "maize", "sowing": 120}, {"crop": "soybean", "sowing": 120}]},
     "on the same day"),
    ({"rotation_start": 2000}, "without a sequence"),
    ({"sowing": {"window": 3}}, "its first and last day"),
    ({"sowing": {"window": [100, 150], "rian": 3}}, "did you mean 'rain'?"),
    ({"sowing": {"window": [100, "13-40"]}}, "is not a date"),
    ({"cultivar": "adopted"}, "did you mean 'adapted'?"),
    ({"cultivar": {"season_days": 10}}, "days from 30 to 700"),
    ({"sowing": "rool"}, "did you mean 'rule'?"), ({"sowing": 400}, "day of year from 1 to 366"),
    ({"sowing": "13-40"}, "is not a date"), ({"sowing": np.arange(5)}, "array of shape (5,)"),
    ({"harvest": "mature"}, "did you mean 'maturity'?"),
    ({"irrigation": "ful"}, "did you mean 'full'?"),
    ({"irrigation": {"treshold": 0.5}}, "did you mean 'threshold'?"),
    ({"irrigation": {"threshold": 50}}, "from 0 to 1"),
    ({"irrigation": {"threshold": 0.8, "target": 0.5}}, "target below threshold"),
    ({"irrigation": {"dates": ["07-01"]}}, "must come together"),
    ({"irrigation": {"dates": ["1980-07-01"], "amounts": 3}}, "not a day of the forcing"),
])
def test_errors(prepared, management, words: str) -> None:
    with pytest.raises(InputError) as error:
        manage(prepared, management)
    assert words in str(error.value)


def test_all_errors_at_once(prepared) -> None:
    with pytest.raises(InputError) as error:
        manage(prepared, {"sowing": 400, "harvest": 500, "irrigation": "lots"})
    assert len(error.value.problems) == 3
    with pytest.raises(InputError, match="did you mean 'maize'") as error:
        manage(prepared, {"plough": 1}, "mais")
    assert len(error.value.problems) == 2


def test_rule_needs_a_year() -> None:
    with pytest.raises(InputError, match="at least one full year"):
        manage(prepare_forcing(weather(100)))
    manage(prepare_forcing(weather(100)), {"sowing": 20})


# --- nitrogen, residues, water systems, sequences ------------------------------------------------


def gifts(record) -> list[list[float]]:
    """Gifts of the first cell: day, stage, nitrate, ammonium, manure."""
    plan = record.fertiliser_plan[:, :, 0].T
    return [[round(float(v), 4) for v in gift] for gift in plan if gift[2:].sum() > 0]


@pytest.mark.parametrize(("management", "expected"), [
    ({"nitrogen": 120}, [[0, -9, 3, 3, 0], [40, -9, 3, 3, 0]]),
    ({"nitrogen": {"total": 100, "splits": "lpjml"}}, [[0, -9, 1, 1, 0], [0, 0.5, 4, 4, 0]]),
    ({"nitrogen": {"total": 120, "splits": [[0, 0.25], [30, 0.75]], "nitrate_share": 0.0}},
     [[0, -9, 0, 3, 0], [30, -9, 0, 9, 0]]),
    ({"nitrogen": np.array([60.0, 0.0]), "manure": {"total": 50, "splits": [[0, 1.0]]}},
     [[0, -9, 1.5, 1.5, 5], [40, -9, 1.5, 1.5, 0]]),
    ({"nitrogen": {"total": 10, "splits": [{"stage": 1.0, "share": 1.0}]}},
     [[0, 1, 0.5, 0.5, 0]]),
])
def test_nitrogen_in_a_season(prepared, management, expected) -> None:
    assert gifts(manage(prepared, management)) == expected


def test_nitrogen_by_cell_and_date(prepared) -> None:
    cells = xr.DataArray([120.0, np.nan], dims="site")
    record = manage(prepared, xr.Dataset({"nitrogen": cells}))
    np.testing.assert_allclose(record.fertiliser_plan[2:].sum(dim=(0, 1)), [12.0, 0.0])
    record = manage(prepared, {
        "nitrogen": {"dates": ["2000-05-01", "06-10"], "amounts": [20.0, np.array([30.0, 40.0])],
                     "nitrate_share": 1.0},
        "manure": {"dates": "2000-05-01", "amounts": 10}})
    assert sorted(record.fertiliser_dates) == [121, 161, 526, 891]
    np.testing.assert_allclose(record.fertiliser_dates[121], [[2, 2], [0, 0], [1, 1]])
    np.testing.assert_allclose(record.fertiliser_dates[526], [[3, 4], [0, 0], [0, 0]], rtol=1e-6)
    assert record.fertiliser_plan is None
    assert sorted(record.later(1000).fertiliser_dates) == [1121, 1161, 1526, 1891]
    assert record.cells(slice(1, 2)).fertiliser_dates[526].tolist() == [[4.0], [0.0], [0.0]]


def test_too_many_gifts(prepared) -> None:
    splits = [[10 * k, 0.125] for k in range(8)]
    with pytest.raises(InputError, match="at most 6"):
        manage(prepared, {"nitrogen": {"total": 80, "splits": splits}})


@pytest.mark.parametrize(("management", "shares"), [
    ({"residues": 0.7}, [1, 0.3, 0]), ({"residues": {"burnt": 0.5}}, [1, 0, 0.5]),
    ({"residues": {"left": 0.2, "burnt": 0.5}}, [1, 0.3, 0.5]),
    ({"residues": {"removed": 0.9}}, [1, 0.9, 0]), ({"use": "silage"}, [1, 1, 0]),
    ({"use": "cover"}, [0, 0, 0]),
])
def test_residues(prepared, management, shares) -> None:
    np.testing.assert_allclose(manage(prepared, management).residues[:, 0], shares, atol=1e-6)


def test_tillage(prepared) -> None:
    def shares(value) -> list[float]:
        return manage(prepared, {"tillage": value}).tillage[:, 1].tolist()

    assert manage(prepared).tillage is None
    assert shares("none") == [0.0, 0.0]
    assert shares("harvest") == pytest.approx([0.0, 0.95])
    assert shares({"sowing": 0.25, "harvest": np.array([0.0, 0.5])}) == [0.25, 0.5]


def test_irrigation_systems(prepared) -> None:
    def system(value):
        record = manage(prepared, {"irrigation": value})
        named = dict(zip(IRRIGATION_ROWS, record.irrigation_system[:, 0].tolist(), strict=True))
        return record, named

    record, rows = system("sprinkler")
    assert rows["efficiency"] == pytest.approx(0.95)
    assert rows["canopy"] == 1.0
    np.testing.assert_allclose(record.irrigation_threshold, 0.9)
    record, rows = system({"system": "drip", "conveyance": 0.9, "daily_limit": 5,
                           "seasonal_limit": 200, "threshold": 0.5})
    assert rows["efficiency"] == pytest.approx(0.9)
    assert (rows["daily_limit"], rows["seasonal_limit"]) == (5.0, 200.0)
    np.testing.assert_allclose(record.evaporation_factor, 0.4)
    np.testing.assert_allclose(record.irrigation_threshold, 0.5)
    record, rows = system({"system": "flooded", "conveyance": "canal_clay"})
    assert (rows["low"], rows["high"]) == (50.0, 100.0)
    assert rows["efficiency"] == pytest.approx(0.8)
    np.testing.assert_allclose(record.bund, 120.0)
    np.testing.assert_allclose(record.irrigation_threshold, 0.0)
    assert manage(prepared, {"irrigation": "full"}).irrigation_system is None


def test_sequences(prepared) -> None:
    record = manage(prepared, {"harvest": "maturity", "tillage": "none", "sequence": [
        {"crop": "winter_wheat", "sowing": "10-01", "nitrogen": 100},
        {"crop": "soybean", "sowing": 170, "year": 2, "use": "cover"}]})
    assert record.n_slots == 2
    assert record.crop.tolist() == [[2, 2], [1, 1]]
    assert record.sowing_day[:, :, 0].tolist() == [[274, 0, 274], [0, 170, 0]]
    assert record.fertiliser_plan[0, 2:].sum() > 0
    assert record.fertiliser_plan[1, 2:].sum() == 0
    assert record.residues[:, 0, 0].tolist() == [1.0, 0.0]
    moved = manage(prepared, {"rotation_start": 1999, "sequence": [
        {"crop": "maize", "sowing": 120}, {"crop": "soybean", "sowing": 130, "year": 2}]})
    assert moved.sowing_day[:, :, 0].tolist() == [[0, 120, 0], [130, 0, 130]]


def test_dates_that_crops_share_count_once(prepared) -> None:
    record = manage(prepared, {
        "nitrogen": {"dates": ["2000-05-01"], "amounts": 20.0},
        "irrigation": {"dates": ["2000-05-02"], "amounts": 10.0, "system": "drip"},
        "sequence": [{"crop": "maize", "sowing": 120},
                     {"crop": "soybean", "sowing": 250, "manure": {
                         "dates": ["2000-05-01"], "amounts": 5.0}}]})
    np.testing.assert_allclose(record.fertiliser_dates[121][:, 0], [1.0, 1.0, 0.5])
    assert record.irrigation_dates[122].tolist() == [10.0, 10.0]
    np.testing.assert_allclose(record.irrigation_system[:, 0, 0], 0.95)


def test_cultivars(prepared) -> None:
    def season_days(value) -> list[float]:
        return manage(prepared, {"sowing": 120, "cultivar": value}).season_days.tolist()

    assert manage(prepared, {"cultivar": "fixed"}).season_days is None
    assert season_days("adapted") == [-1.0, -1.0]
    assert season_days({"season_days": np.array([100, 0])}) == [100.0, 0.0]
    assert season_days({"maturity": 250}) == [130.0, 130.0]
    assert season_days({"maturity": 30}) == [275.0, 275.0]


def test_windows(prepared) -> None:
    """Days of every year against a search by hand."""
    record = manage(prepared, {"sowing": {"window": ["03-15", "06-20"], "rain": 12.0}})
    tas, pr = prepared["tas"], prepared["pr"]
    for site in range(2):
        for row, year in enumerate((2000, 2001, 2002)):
            inside = tas.sel(time=slice(f"{year}-03-15", f"{year}-06-20")).time
            expected = int(inside[-1].dt.dayofyear)
            for time in inside:
                span = slice(time - np.timedelta64(9, "D"), time)
                warm = float(tas.isel(site=site).sel(time=span).mean()) >= 14.0
                if warm and float(pr.isel(site=site).sel(time=span).sum()) >= 12.0:
                    expected = int(time.dt.dayofyear)
                    break
            assert int(record.sowing_day[row, site]) == expected
    assert len(np.unique(record.sowing_day[:, 0])) > 1


def test_a_window_across_new_year(prepared) -> None:
    record = manage(prepared, {"sowing": {"window": [350, 20], "rain": 0}}, "winter_wheat")
    days = record.sowing_day[:, 0].tolist()
    assert all(day >= 350 or 0 <= day <= 20 for day in days)
    assert days[1] > 0
