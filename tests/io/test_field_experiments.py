"""Field experiments as a dataset, from a made-up file and from the real ones."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
import xarray as xr

from neuralcrop.core.forcing import IRRIGATION_ROWS
from neuralcrop.core.variables import FORCING_NAMES
from neuralcrop.data.errors import InputError
from neuralcrop.data.field_experiments import (
    LEAD,
    FieldBatch,
    find_root,
    is_winter,
    read_field_experiments,
)
from neuralcrop.data.field_weather import REPEATED_DAYS, layer_means
from neuralcrop.physics.evapotranspiration import saturation_vapour_pressure
from tests.field_files import DAYS, tables, write

SEASON = 160


@pytest.fixture
def batch(tmp_path: Path) -> FieldBatch:
    """All treatments of the made-up file."""
    found = read_field_experiments(
        write(tmp_path), ("maize",), season_days=lambda crop: SEASON, dtype=torch.float64)
    return found.batches["maize"]


def row(name: str) -> int:
    return FORCING_NAMES.index(name)


def test_stages_are_days_after_sowing_and_yields_stay(batch: FieldBatch) -> None:
    table = batch.table
    assert table["anthesis"].tolist() == [65.0, 65.0, 63.0]
    assert table["maturity"].tolist() == [116.0, 121.0, 123.0]
    assert np.isnan(table["emergence"][0])
    assert table["emergence"][1] == 9.0
    assert table["yield"].tolist() == [5.0, 7.0, 9.0]
    assert table["trial"].nunique() == 2


def test_every_cell_has_its_own_days(batch: FieldBatch) -> None:
    values, given = batch.forcing.values, tables()
    assert values.shape == (LEAD + SEASON + 1, len(FORCING_NAMES), 3)
    # records begin five days before sowing: day 5 of the record is the day of sowing
    rain = torch.from_numpy(given["pr"][1][5:100])
    for cell in range(3):
        torch.testing.assert_close(
            values[LEAD : LEAD + 95, row("pr"), cell], rain.to(values.dtype))
    may = pd.Timestamp("2001-05-01").day_of_year
    assert float(batch.forcing.solar_day[LEAD, 0]) == pytest.approx(may, abs=1.0)
    assert batch.management.sowing_day.tolist() == [[LEAD + 1] * 3]


def test_beyond_a_record_its_nearest_days_repeat(batch: FieldBatch) -> None:
    rain = batch.forcing.values[:, row("tasmin"), 0]
    end = LEAD - 5 + DAYS
    torch.testing.assert_close(rain[end : end + REPEATED_DAYS], rain[end - REPEATED_DAYS : end])
    start = LEAD - 5
    torch.testing.assert_close(
        rain[start - 5 : start], rain[start + REPEATED_DAYS - 5 : start + REPEATED_DAYS])
    assert batch.table["weather_days"].tolist() == [DAYS - 6] * 3


def test_humidity_is_read_or_taken_from_the_minimum(batch: FieldBatch) -> None:
    values = batch.forcing.values
    torch.testing.assert_close(
        values[LEAD, row("vap"), 0],
        saturation_vapour_pressure(values[LEAD, row("tasmin"), 0]), rtol=1e-5, atol=1e-6)
    given = torch.tensor(1e-3 * tables()["vap"][1][DAYS + 5], dtype=values.dtype)
    torch.testing.assert_close(values[LEAD, row("vap"), 2], given, rtol=1e-5, atol=1e-6)


def test_layers_are_means_weighted_by_depth() -> None:
    found = layer_means(np.array([20.0, 40.0, 100.0]), np.array([1.0, 2.0, 5.0]))
    # 20-50 cm: 20 cm of the second layer, 10 cm of the third; below 1 m the third goes on
    np.testing.assert_allclose(found, [1.0, (20 * 2.0 + 10 * 5.0) / 30, 5.0, 5.0, 5.0])
    gap = layer_means(np.array([20.0, 40.0, 100.0]), np.array([1.0, np.nan, 5.0]))
    np.testing.assert_allclose(gap, [1.0, 5.0, 5.0, 5.0, 5.0])
    assert np.isnan(layer_means(np.array([20.0]), np.array([np.nan]))).all()


def test_soil_reaches_the_model(batch: FieldBatch) -> None:
    site = batch.site
    np.testing.assert_allclose(site.wilting_point[0], [0.10, 0.10, 0.15])
    np.testing.assert_allclose(site.wilting_point[1, 0], (20 * 0.12 + 10 * 0.14) / 30)
    np.testing.assert_allclose(site.soil_depth, [1.0, 1.0, 1.5])
    np.testing.assert_allclose(batch.initial_water[0, 0], 0.15)
    assert bool(torch.isnan(batch.initial_water[:, 1]).all())


def test_irrigation_falls_on_its_day_and_only_there(batch: FieldBatch) -> None:
    dates = batch.management.irrigation_dates
    assert dates is not None
    june = LEAD + (pd.Timestamp("2001-06-01") - pd.Timestamp("2001-05-01")).days
    assert sorted(dates) == [june, june + 19]
    assert dates[june].tolist() == [0.0, 25.0, 0.0]
    threshold = batch.management.irrigation_threshold
    assert threshold[0] == threshold[1] == 0.0
    assert threshold[2] > 0.5  # automatic


def test_nitrogen_is_kept_by_form_and_layer(batch: FieldBatch) -> None:
    nitrogen = batch.nitrogen.set_index(["cell", "code"])
    assert nitrogen.loc[(1, "FE001"), ["nitrate", "ammonium", "urea"]].tolist() == [30.0, 30.0, 0.0]
    assert nitrogen.loc[(2, "FE005"), "urea"] == 100.0
    assert nitrogen.loc[(2, "FE010"), ["nitrate", "ammonium", "urea"]].tolist() == [20.0, 20.0,
                                                                                    40.0]
    assert batch.table["nitrogen"].tolist() == [0.0, 60.0, 180.0]
    # 10 mg kg-1 x 1.5 g cm-3 x 20 cm = 30 kg ha-1
    assert batch.initial_nitrogen["no3"].tolist() == pytest.approx([30.0, 15.0, 18.0])
    assert batch.table["low_nitrogen"].tolist() == [True, True, False]
    assert batch.residue[["cell", "amount", "n"]].to_numpy().tolist() == [[2, 2000.0, 0.8]]
    assert batch.observations["day"].tolist() == [LEAD + 45, LEAD + 75]


def test_nitrogen_reaches_the_management_on_its_day(batch: FieldBatch) -> None:
    gifts = batch.management.fertiliser_dates
    assert gifts is not None
    june = LEAD + 31
    assert sorted(gifts) == [LEAD, june]
    # nitrate, ammonium, manure in g m-2: ammonium nitrate, urea as ammonium, and their solution
    torch.testing.assert_close(gifts[LEAD], torch.tensor(
        [[0.0, 3.0, 0.0], [0.0, 3.0, 10.0], [0.0, 0.0, 0.0]], dtype=torch.float64))
    torch.testing.assert_close(gifts[june][:, 2], torch.tensor([2.0, 6.0, 0.0]).double())


def test_soil_starts_with_what_is_known_of_it(tmp_path: Path) -> None:
    root = write(tmp_path)
    data = xr.load_dataset(root / "maize.nc")
    data["soil_organic_carbon"] = (
        ("soil", "layer"), [[1.0, 1.0, 0.5], [2.0, np.nan, np.nan]], {"units": "%"})
    data["soil_ph"] = (("soil", "layer"), [[5.5, 5.0, 5.0], [8.0, 8.0, np.nan]], {"units": "1"})
    data.to_netcdf(root / "maize.nc")
    batch = read_field_experiments(
        root, ("maize",), season_days=lambda crop: SEASON).batches["maize"]
    assert batch.site.texture is not None
    assert batch.soil_start is not None
    np.testing.assert_allclose(batch.site.texture[2], [1.0, 1.0, 2.0])
    np.testing.assert_allclose(batch.site.texture[3], [5.5, 5.5, 8.0])
    start = batch.soil_start
    # 1 % of 1.5 g cm-3 over 0.2 m; 0.2 m of it and 0.1 m of 0.5 %; 0.5 % to the end of the profile
    np.testing.assert_allclose(start.organic_carbon[:3, 0], [3000.0, 3750.0, 3750.0], rtol=1e-6)
    assert bool(torch.isnan(start.organic_carbon[3:, 0]).all())
    # 30, 15 and 18 kg ha-1 of nitrate to 20, 40 and 100 cm
    np.testing.assert_allclose(start.nitrate[:, 0], [3.0, 1.8, 1.5, 0.0, 0.0], atol=1e-6)
    assert bool(torch.isnan(start.nitrate[:, 1]).all())
    # straw with 0.8 % nitrogen is residue
    np.testing.assert_allclose(start.litter_carbon, [0.0, 0.0, 90.0])
    np.testing.assert_allclose(start.litter_nitrogen, [0.0, 0.0, 1.6])


def test_rich_material_is_manure(tmp_path: Path) -> None:
    root = write(tmp_path, residue_n=[3.0])
    batch = read_field_experiments(
        root, ("maize",), season_days=lambda crop: SEASON).batches["maize"]
    gifts = batch.management.fertiliser_dates
    assert gifts is not None
    assert batch.soil_start is not None
    # 20 days before sowing, before the run: on its first day
    np.testing.assert_allclose(gifts[0][:, 2], [0.0, 0.0, 6.0])
    assert float(batch.soil_start.litter_carbon.sum()) == 0.0


def test_no_record_of_nitrogen_is_no_lack_of_it(tmp_path: Path) -> None:
    root = write(tmp_path, fertilizer_treatment=[1, 1, 1])  # the second experiment has none
    found = read_field_experiments(root, ("maize",), season_days=lambda crop: SEASON)
    batch = found.batches["maize"]
    assert batch.table["nitrogen_record"].tolist() == ["recorded", "recorded", "assumed"]
    gifts = batch.management.fertiliser_dates
    assert gifts is not None
    given = torch.stack(list(gifts.values())).sum(dim=0)
    np.testing.assert_allclose(given[:, 2], [10.0, 10.0, 0.0])
    assert float(given[:, 0].sum()) == 0.0  # a control beside fertilised treatments stays one
    assert any("200 kg ha-1" in text for text in found.notes)
    soybean = read_field_experiments(
        write(tmp_path / "beans", "soybean.nc", fertilizer_treatment=[1, 1, 1]), ("soybean",),
        season_days=lambda crop: SEASON).batches["soybean"]
    assert soybean.table["nitrogen_record"].tolist() == ["recorded", "recorded", "legume"]


def test_flooded_rice_stands_in_water(tmp_path: Path) -> None:
    root = write(tmp_path, "rice.nc", irrigation_is_water=[0, 0])
    batch = read_field_experiments(
        root, ("rice",), season_days=lambda crop: SEASON).batches["rice"]
    system, bund = batch.management.irrigation_system, batch.management.bund
    assert system is not None
    assert bund is not None
    assert system[IRRIGATION_ROWS.index("high")].tolist() == [0.0, 100.0, 0.0]
    assert bund.tolist() == [0.0, 120.0, 0.0]
    assert not batch.management.irrigation_dates
    assert batch.management.irrigation_threshold[1] == 0.0  # the water of the field decides


def test_all_problems_are_told_at_once(tmp_path: Path) -> None:
    sowing, weather = list(tables()["sowing_date"][1]), tables()["tasmax"][1].copy()
    sowing[1] = "May"
    root = write(tmp_path, sowing_date=sowing, weather_series=[0, 0, 7])
    write(tmp_path, "wheat.nc", tasmin=None)
    with pytest.raises(InputError) as caught:
        read_field_experiments(root, ("maize",))
    text = str(caught.value)
    assert "maize.nc, AAAA0101 treatment 2, variable sowing_date" in text
    assert "maize.nc, BBBB0301 treatment 1, variable weather_series" in text
    assert "wheat.nc, variable tasmin: missing" in text
    weather[200] = -60.0
    other = write(tmp_path / "other", tasmax=weather)
    with pytest.raises(InputError, match=r"maize\.nc, BBBB0301 treatment 1.*tasmin"):
        read_field_experiments(other, ("maize",))


def test_a_long_gap_names_the_variable_and_day(tmp_path: Path) -> None:
    rsds = tables()["rsds"][1].copy()
    rsds[20:24] = np.nan  # short: filled
    rsds[DAYS + 20 : DAYS + 40] = np.nan
    with pytest.raises(InputError, match=r"BBBB0301 treatment 1, variable rsds: missing from"):
        read_field_experiments(write(tmp_path, rsds=rsds), ("maize",))


def test_what_cannot_be_run_is_left_out_and_named(tmp_path: Path) -> None:
    root = write(tmp_path, notes=["Note that this is not a real experiment.", ""])
    write(tmp_path, "quinoa.nc")
    found = read_field_experiments(root, ("maize",), season_days=lambda crop: SEASON)
    assert found.batches["maize"].table["experiment"].tolist() == ["BBBB0301"]
    text = "\n".join(found.left_out)
    assert "AAAA0101" in text
    assert "quinoa.nc: 3 treatments" in text


def test_transplanted_crops_are_sown_in_the_nursery(tmp_path: Path) -> None:
    root = write(tmp_path)
    data = xr.load_dataset(root / "maize.nc")
    data["planting_method"] = ("treatment", np.array(["S", "S", "T"], dtype=object))
    data["transplant_age"] = ("treatment", [np.nan, np.nan, 20.0])
    data.to_netcdf(root / "rice.nc")
    found = read_field_experiments(root, ("rice",), season_days=lambda crop: SEASON)
    table = found.batches["rice"].table
    assert table["anthesis"].tolist() == [65.0, 65.0, 83.0]
    assert table["sowing"][2] == pd.Timestamp("2003-04-20")


def test_winter_wheat_is_sown_in_autumn() -> None:
    assert is_winter(pd.Timestamp("2010-10-16"), 48.0)
    assert is_winter(pd.Timestamp("2010-05-16"), -35.0)
    assert not is_winter(pd.Timestamp("2010-04-16"), 48.0)
    assert not is_winter(pd.Timestamp("2010-11-16"), 20.0)


def test_missing_files_say_where_they_were_sought(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NEURALCROP_SHARED", str(tmp_path / "nowhere"))
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=r"nowhere.*NEURALCROP_SHARED"):
        find_root()
    write(tmp_path / "data" / "field_experiments")
    assert find_root() == Path("data") / "field_experiments"
    with pytest.raises(InputError, match="elsewhere"):
        find_root(tmp_path / "elsewhere")


def test_real_experiments_are_read_whole(shared: Path) -> None:
    root = shared / "data" / "field_experiments"
    if not root.is_dir():
        # not ours to redistribute; the tests above read files of the same form that they write
        pytest.skip(f"no field experiments at {root}")
    crops = ("maize", "rice", "soybean", "winter_wheat", "spring_wheat")
    found = read_field_experiments(root, crops, season_days=lambda crop: 350, crops=("rice",))
    rice = found.batches["rice"]
    assert len(rice.table) == 45  # counts of the data's own table
    assert rice.table["yield"].notna().sum() == 45
    assert rice.table["yield"].min() == pytest.approx(2.8, abs=0.06)
    assert rice.table["anthesis"].between(60, 120).all()
    assert bool(torch.isfinite(rice.forcing.values).all())
    assert rice.table["flooded"].any()
    assert any("sorghum.nc" in text for text in found.left_out)
