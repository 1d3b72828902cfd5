"""Baselines on all tests of a yields file, scored and written.

    python scripts/evidence_baselines.py us_soybean_counties.nc soybean runs/baselines
    python scripts/evidence_baselines.py us_maize_counties.nc maize runs/maize \
        --tests drought last_years --train 2012 2014 --score 2015 2016

Predictions go to OUTPUT/predictions.csv, scores to OUTPUT/scores.json, the table to standard output
and OUTPUT/table.md. Finished folds are kept: after an interruption the same command goes on.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import torch

from neuralcrop.data.folds import TESTS, Plan, make_tests
from neuralcrop.data.seasons import load_seasons
from neuralcrop.data.yields import open_yields
from neuralcrop.evaluation.baselines import BASELINES, Samples
from neuralcrop.evaluation.comparison import (
    baseline_methods,
    comparison_table,
    run_tests,
    score_tests,
    write_comparison,
)
from neuralcrop.simulation.restart import write_text

EXTREMES = {"1988": [1988], "2012": [2012], "1988 and 2012": [1988, 2012]}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dataset")
    parser.add_argument("crop")
    parser.add_argument("output", type=Path)
    parser.add_argument("--lead-days", type=int, default=45)
    parser.add_argument("--days", type=int, default=215, help="length of the runs")
    parser.add_argument("--tests", nargs="+", default=list(TESTS), choices=list(TESTS))
    parser.add_argument("--methods", nargs="+", default=list(BASELINES), choices=list(BASELINES))
    parser.add_argument("--train", nargs=2, type=int, default=Plan.train_years)
    parser.add_argument("--score", nargs=2, type=int, default=Plan.score_years)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=1)
    a = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    torch.set_num_threads(a.threads)
    seasons = load_seasons(open_yields(a.dataset, a.crop, None), a.days, a.lead_days)
    plan = Plan(train_years=tuple(a.train), score_years=tuple(a.score))
    samples = Samples.of(seasons, plan.season_months)
    tests = make_tests(samples.table, samples.warmth, plan, a.tests)
    chosen = {name: BASELINES[name] for name in a.methods}
    predictions = run_tests(
        samples.table, tests, baseline_methods(samples, a.seed, chosen), a.output, seed=a.seed,
        settings={name: repr(b) for name, b in chosen.items()})
    result = score_tests(predictions, years=EXTREMES)
    write_comparison(predictions, result, a.output, samples.table, tests)
    table = comparison_table(result)
    write_text(a.output / "table.md", table + "\n")
    print(table)


if __name__ == "__main__":
    main()
