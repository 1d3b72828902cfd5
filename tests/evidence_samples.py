"""Made-up samples whose yields are a line of each site plus a known response to weather."""

from __future__ import annotations

import numpy as np
import pandas as pd

from neuralcrop.data.season_weather import VARIABLES
from neuralcrop.evaluation.baselines import Samples

RAIN, DEFICIT = list(VARIABLES).index("pr"), list(VARIABLES).index("vpd")


def samples(n_sites: int = 12, years: range = range(1981, 2011), noise: float = 0.05) -> Samples:
    """Yields of a line, more with rain and less with deficit in the second month."""
    random = np.random.default_rng(3)
    site, year = (a.ravel() for a in np.meshgrid(np.arange(n_sites), np.array(years),
                                                 indexing="ij"))
    n, n_years = len(site), len(years)
    of_year = random.standard_normal((n_years, 3, len(VARIABLES)))
    of_year[:, :, DEFICIT] -= 0.5 * of_year[:, :, RAIN]
    weather = 0.5 * of_year[year - years[0]] + random.standard_normal((n, 3, len(VARIABLES)))
    place = random.standard_normal((n_sites, 1, len(VARIABLES)))
    monthly = 10.0 + weather + place[site]
    table = pd.DataFrame({"site": site, "year": year, "lat": 38.0 + site % 4,
                          "lon": -90.0 + site // 4 * 1.5})
    line = 3.0 + 0.05 * site + 0.02 * (year - years[0])
    effect = 0.3 * weather[:, 1, RAIN] - 0.2 * weather[:, 1, DEFICIT]
    table["observed"] = line + effect + noise * random.standard_normal(n)
    # six spans of a half month each
    spans = np.repeat(monthly, 2, axis=1)
    static = random.standard_normal((n_sites, 2))[site]
    return Samples(table, monthly, spans, static, monthly[:, :, DEFICIT].mean(axis=1))
