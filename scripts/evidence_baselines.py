"""Baselines on all tests of a yields file, scored and written.

    python scripts/evidence_baselines.py us_soybean_counties.nc soybean runs/baselines
    python scripts/evidence_baselines.py us_maize_counties.nc maize runs/maize \
        --tests drought last_years --train 2012 2014 --score 2015 2016

Predictions go to OUTPUT/predictions.csv, scores to OUTPUT/scores.json, the table to standard output
and OUTPUT/table.md, and between the marks of the crop of a page if --page names one. Finished folds
are kept: after an interruption the same command goes on.
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
    extremes_table,
    run_tests,
    score_tests,
    with_mean,
    write_comparison,
)
from neuralcrop.simulation.restart import write_text

EXTREMES = {"1988": [1988], "2012": [2012], "1988 and 2012": [1988, 2012]}


def renew(page: Path, begin: str, end: str, table: str) -> None:
    text = page.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page} lacks the marks {begin} and {end}")
    write_text(page, f"{before}{begin}\n{table}\n{end}{after}")


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
    parser.add_argument("--page", type=Path, help="page with marks to write the tables between")
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
    learners = [name for name in ("ridge", "trees", "lstm") if name in chosen]
    if len(learners) > 1:
        predictions = with_mean(predictions, learners, f"mean of {len(learners)}")
    result = score_tests(predictions, years=EXTREMES)
    write_comparison(predictions, result, a.output, samples.table, tests)
    table = f"{comparison_table(result)}\n\n{extremes_table(result)}"
    write_text(a.output / "table.md", table + "\n")
    print(table)
    if a.page is not None:
        renew(a.page, f"<!-- baselines {a.crop}: begin -->", f"<!-- baselines {a.crop}: end -->",
              table)


if __name__ == "__main__":
    main()
