"""Baselines, physics and hybrids on all tests of a yields file, scored alike and written.

    python scripts/evidence.py runs/evidence experiment=us_soybean data.path=us_soybean_counties.nc
    python scripts/evidence.py runs/maize experiment=us_maize data.path=us_maize_counties.nc \
        --tests drought last_years --train 2012 2014 --score 2015 2016
    python scripts/evidence.py runs/baselines experiment=us_soybean --variants

The words after the output directory are those of `neuralcrop train`. Predictions go to
OUTPUT/predictions.csv, scores to OUTPUT/scores.json, the tables to standard output and
OUTPUT/table.md, and between the marks of the crop of a page if --page names one. Finished folds are
kept: after an interruption the same command goes on.
"""

from __future__ import annotations

import argparse
import logging
from pathlib import Path

import pandas as pd
import torch
from threadpoolctl import threadpool_limits

from neuralcrop.config import TrainConfig, compose
from neuralcrop.data.folds import TESTS, Fold, Plan, make_tests
from neuralcrop.evaluation.baselines import BASELINES, Samples
from neuralcrop.evaluation.comparison import (
    baseline_methods,
    comparison_table,
    extremes_table,
    reliability_table,
    run_tests,
    score_tests,
    whole,
    with_mean,
    without_remainder,
    write_comparison,
)
from neuralcrop.evaluation.nulls import NULLS
from neuralcrop.simulation.restart import write_text
from neuralcrop.training.folds import FoldLearner
from neuralcrop.training.setup import crop_of, load_samples

EXTREMES = {"1988": [1988], "2012": [2012], "1988 and 2012": [1988, 2012]}
VARIANTS = ("physics", "tuned", "hybrid")
Tests = dict[str, list[Fold]]


def renew(page: Path, begin: str, end: str, table: str) -> None:
    text = page.read_text(encoding="utf-8")
    before, found, rest = text.partition(begin)
    _, closed, after = rest.partition(end)
    if not found or not closed:
        raise SystemExit(f"{page} lacks the marks {begin} and {end}")
    write_text(page, f"{before}{begin}\n{table}\n{end}{after}")


def of_model(
    learner: FoldLearner, tests: Tests, output: Path, variants: list[str], seeds: list[int],
    nulls: list[str], settings: str, finished: bool,
) -> pd.DataFrame:
    """Predictions of physics, tuned physics and hybrids; seeds of the latter are averaged."""
    table = learner.session.seasons.table.reset_index(drop=True)
    parts = []
    for name in ("physics", "tuned"):
        if name in variants:
            parts.append(run_tests(table, tests, {name: learner.methods()[name]}, output,
                                   settings={name: settings}, finished=finished))
    named = {f"null: {kind}": kind for kind in nulls}
    wanted = [*(["hybrid"] if "hybrid" in variants else []), *named]
    for seed in seeds:
        methods = learner.methods(seed, named)
        # one null of the first seed tells enough
        chosen = {n: methods[n] for n in wanted if seed == seeds[0] or n == "hybrid"}
        parts.append(run_tests(table, tests, chosen, output, seed=seed,
                               settings=dict.fromkeys(chosen, settings), finished=finished))
    if "hybrid" in variants and len(seeds) > 1:
        single = parts[-len(seeds)]
        parts.append(single[single["method"] == "hybrid"].assign(method="hybrid, one seed"))
    return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("output", type=Path)
    parser.add_argument("overrides", nargs="*", help="configuration of the training")
    parser.add_argument("--tests", nargs="+", default=list(TESTS), choices=list(TESTS))
    parser.add_argument("--baselines", nargs="*", default=list(BASELINES), choices=list(BASELINES))
    parser.add_argument("--variants", nargs="*", default=list(VARIANTS), choices=VARIANTS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--nulls", nargs="*", default=[], choices=list(NULLS))
    parser.add_argument("--train", nargs=2, type=int, default=Plan.train_years)
    parser.add_argument("--score", nargs=2, type=int, default=Plan.score_years)
    parser.add_argument("--finished", action="store_true",
                        help="tables of the folds that are finished; run nothing")
    parser.add_argument("--page", type=Path, help="page with marks to write the tables between")
    a = parser.parse_intermixed_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s")
    config = compose("train", a.overrides, run_dir=a.output)
    assert isinstance(config, TrainConfig)
    learner = FoldLearner(config, a.output) if a.variants or a.nulls else None
    seasons = learner.session.seasons if learner else load_samples(config)[0]
    plan = Plan(train_years=tuple(a.train), score_years=tuple(a.score))
    samples = Samples.of(seasons, plan.season_months)
    tests = make_tests(samples.table, samples.warmth, plan, a.tests)
    chosen = {name: BASELINES[name] for name in a.baselines}
    parts = []
    if chosen:
        methods = baseline_methods(samples, config.seed, chosen, tests)
        threads = torch.get_num_threads()
        torch.set_num_threads(1)
        # small problems: threads would only wait for one another, the longer the busier the cores
        with threadpool_limits(1):
            parts.append(run_tests(
                samples.table, tests, methods, a.output, seed=config.seed,
                settings={name: m.depends for name, m in methods.items()},
                finished=a.finished))
        torch.set_num_threads(threads)
    if learner is not None:
        parts.append(of_model(learner, tests, a.output, a.variants, a.seeds, a.nulls,
                              config.model_dump_json(exclude={"run_dir"}), a.finished))
    predictions = pd.concat(parts, ignore_index=True)
    if a.finished:
        predictions = whole(predictions, tests)
    learners = [name for name in ("ridge", "trees", "lstm") if name in chosen]
    if len(learners) > 1:
        predictions = with_mean(predictions, learners, f"mean of {len(learners)}")
    predictions = without_remainder(predictions)
    result = score_tests(predictions, years=EXTREMES)
    write_comparison(predictions, result, a.output, samples.table, tests)
    table = "\n\n".join(part for part in (
        comparison_table(result), extremes_table(result), reliability_table(result)) if part)
    write_text(a.output / "table.md", table + "\n")
    print(table)
    if a.page is not None:
        crop = crop_of(config)
        renew(a.page, f"<!-- evidence {crop}: begin -->", f"<!-- evidence {crop}: end -->", table)


if __name__ == "__main__":
    main()
