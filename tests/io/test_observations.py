"""Observations besides dry yields: moisture, errors, areas, regions, dates, leaf area, water."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from test_yields import yields_file

from neuralcrop.data.errors import InputError
from neuralcrop.data.observations import Reading
from neuralcrop.data.seasons import load_seasons
from neuralcrop.data.yields import open_yields

VALUES = [[80.0, 75.0, 70.0], [90.0, np.nan, 85.0]]


def rich_file() -> xr.Dataset:
    """Every kind of observation, each in units of its own."""
    out = yields_file()
    numbers = np.array(VALUES)
    for name, values, units in (
        ("maize_anthday", numbers, "d"),
        ("maturity_day", numbers + 170.0, "day of year"),
        ("lai_max", numbers / 20.0, "m2 m-2"),
        ("evapotranspiration", numbers / 2.0, "cm"),
        ("biomass", numbers * 100.0, "kg ha-1"),
        ("biomass_error", numbers, "kg ha-1"),
        ("maize_yield_error", np.full((2, 3), 200.0), "kg ha-1"),
        ("harvested_area", numbers, "ha"),
    ):
        out[name] = (("site", "year"), values, {"units": units})
    out["state"] = ("site", ["Illinois", "Indiana"])
    return out


def test_every_kind_is_read_into_our_units() -> None:
    data = open_yields(rich_file(), "maize", reading=Reading(region="state"))
    table = load_seasons(data, 100).table
    assert table["observed"].tolist() == [3.0, 2.0, 1.5, 2.5]
    np.testing.assert_allclose(table["anthday"], [80.0, 75.0, 90.0, 85.0])
    # days of the year become days from the sowing on day 120, and the middle of the day
    np.testing.assert_allclose(table["matyday"], [130.5, 125.5, 140.5, 135.5])
    np.testing.assert_allclose(table["lai_max"], [4.0, 3.75, 4.5, 4.25])
    np.testing.assert_allclose(table["aet"], [400.0, 375.0, 450.0, 425.0])
    np.testing.assert_allclose(table["biom"], [8.0, 7.5, 9.0, 8.5])
    np.testing.assert_allclose(table["biom_error"], [0.08, 0.075, 0.09, 0.085])
    np.testing.assert_allclose(table["yield_error"], 0.2)
    np.testing.assert_allclose(table["area"], [80.0, 75.0, 90.0, 85.0])
    assert table["region"].tolist() == ["Illinois", "Illinois", "Indiana", "Indiana"]


def test_a_file_of_yields_alone_has_no_more_columns() -> None:
    table = load_seasons(open_yields(yields_file(), "maize"), 100).table
    assert list(table) == ["site", "label", "year", "lat", "lon", "observed"]


def test_gaps_and_other_dimensions(caplog: pytest.LogCaptureFixture) -> None:
    file = rich_file()
    file["harvested_area"] = ("site", [100.0, np.nan], {"units": "ha"})
    file["lai_max"] = file["lai_max"].isel(year=[2, 0])
    with caplog.at_level("WARNING", logger="neuralcrop.data"):
        table = load_seasons(open_yields(file, "maize"), 100).table
    np.testing.assert_allclose(table["area"], 100.0)
    np.testing.assert_allclose(table["lai_max"], [4.0, np.nan, 4.5, 4.25])
    assert "1 site-years with other observations but no yield are left out" in caplog.text


def test_days_of_the_year_after_new_year() -> None:
    file = rich_file()
    file["maize_sowing_doy50"] = (("site", "year"), np.full((2, 3), 300.0))
    file["maturity_day"] = (("site", "year"), np.full((2, 3), 30.0), {"units": "1"})
    table = load_seasons(open_yields(file, "maize"), 100).table
    np.testing.assert_allclose(table["matyday"], 30.0 + 365.0 - 300.0 + 0.5)


@pytest.mark.parametrize("attribute", [None, 0.15, "15 %", "0.15"])
def test_moisture_is_taken_off(attribute: float | str | None) -> None:
    file = rich_file()
    reading = Reading()
    if attribute is None:
        reading = Reading(moisture=0.15)
    else:
        file["maize_yield"].attrs["moisture"] = attribute
    data = open_yields(file, "maize", reading=reading)
    np.testing.assert_allclose(data.yields[0, 0], 3.0 * 0.85)
    np.testing.assert_allclose(data.others.errors["yield"], 0.2 * 0.85)


def test_dry_matter_stays_as_it_is() -> None:
    file = yields_file()
    file["maize_yield"].attrs["long_name"] = "maize yield, dry matter"
    assert float(open_yields(file, "maize").yields[0, 0]) == 3.0
    lenient = open_yields(file, "maize", reading=Reading(0.15, "state", strict=False))
    assert float(lenient.yields[0, 0]) == 3.0
    assert lenient.others.region is None
    with pytest.raises(InputError, match=r"data\.moisture: 0\.15, but maize_yield is dry matter"):
        open_yields(file, "maize", reading=Reading(0.15))


def with_units(name: str, units: str | None):  # type: ignore[no-untyped-def]
    def change(file: xr.Dataset) -> xr.Dataset:
        file[name].attrs = {} if units is None else {"units": units}
        return file
    return change


@pytest.mark.parametrize(("change", "words"), [
    (with_units("maize_anthday", None), "variable maize_anthday: no units attribute; expected d "
     "(days from sowing) or day of year"),
    (with_units("maize_anthday", "days since 2000-01-01"), "'d' for days from sowing"),
    (with_units("maize_anthday", "kg"), "units 'kg'"),
    (with_units("evapotranspiration", "W m-2"), "expected mm or kg m-2"),
    (with_units("lai_max", "%"), None),
    (with_units("biomass", "t ha-1"), "values from 7000 to 9000 t ha-1; expected 0 to 150"),
    (with_units("maturity_day", "d"), None),
    (lambda d: d.assign(maturity_day=d.maturity_day + 300.0),
     "values from 540 to 560 (day of year)"),
    (lambda d: d.assign(biomass_error=d.biomass_error * 0.0), "biomass_error: values down to 0"),
    (lambda d: d.assign(harvested_area=-d.harvested_area), "areas of at least 0"),
    (lambda d: d.assign(lai_max=d.lai_max.expand_dims(ensemble=2)), None),
    (lambda d: d.assign(maize_yield=d.maize_yield.assign_attrs(moisture="wet")),
     "attribute moisture 'wet'"),
    (lambda d: d.assign(maize_yield=d.maize_yield.assign_attrs(moisture=0.1)),
     "0.2, but maize_yield has the attribute moisture 0.1"),
])
def test_errors_name_what_is_wrong(change, words: str | None) -> None:  # type: ignore[no-untyped-def]
    reading = Reading(moisture=0.2)
    if words is None:  # taken as it is, or not taken for an observation of seasons
        open_yields(change(rich_file()), "maize", reading=reading)
        return
    with pytest.raises(InputError) as error:
        open_yields(change(rich_file()), "maize", reading=reading)
    assert words in str(error.value)


def test_a_region_that_is_not_there() -> None:
    with pytest.raises(InputError, match=r"data\.region: no variable 'county' over the sites"):
        open_yields(rich_file(), "maize", reading=Reading(region="county"))
