"""Run methods over the folds of tests, keep every prediction, and score them all alike.

A method is any function from a fold to the predictions of its scored rows; baselines, physics and
hybrids go through the same door. Every fold is written when it is done, so that an interrupted run
goes on where it was.
"""

from __future__ import annotations

import hashlib
import io
import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from neuralcrop.data.folds import Fold, fold_years
from neuralcrop.evaluation.baselines import (
    BASELINES,
    Baseline,
    GroupedBaseline,
    Samples,
    choice_rows,
)
from neuralcrop.evaluation.extremes import loss_share, worst_years
from neuralcrop.evaluation.intervals import rmse_difference_interval, rmse_interval
from neuralcrop.evaluation.metrics import (
    correlation,
    rmse,
    scores,
    site_centred_r,
    year_centred_rmse,
)
from neuralcrop.evaluation.report import to_json
from neuralcrop.simulation.restart import write_text

log = logging.getLogger("neuralcrop.evaluation")

class Scored(NamedTuple):
    """Predictions of the scored rows of a fold, t ha-1.

    Attributes
    ----------
    yields : numpy.ndarray
        The predictions.
    spread : numpy.ndarray or None
        Standard deviation of an observed yield about them.
    without : numpy.ndarray or None
        The predictions without the statistical remainder, where a model has one.
    """

    yields: np.ndarray
    spread: np.ndarray | None = None
    without: np.ndarray | None = None


Method = Callable[[Fold], np.ndarray | Scored]
"""Predictions of ``fold.score``, t ha-1, learnt from ``fold.train``."""

REFERENCE = "climatology_trend"
"""Method whose line losses and departures are measured from."""

COLUMNS = ("test", "fold", "method", "seed", "site", "year", "observed", "predicted")
MORE = ("spread", "without")
"""Columns that some methods have."""


def baseline_methods(
    samples: Samples, seed: int = 0, baselines: Mapping[str, Baseline] | None = None,
    tests: Mapping[str, Sequence[Fold]] | None = None,
) -> dict[str, GroupedBaseline]:
    """Baselines as methods; each is given the yields of the training rows and no others.

    Parameters
    ----------
    samples : Samples
        All of them.
    seed : int
        Of the baselines.
    baselines : mapping of str to Baseline, optional
        By name; all with their own settings by default.
    tests : mapping, optional
        Folds of each test. Those of a test with many share settings in groups, chosen in rows that
        none of the group scores: see `choice_rows`. Otherwise each chooses in its training rows.
    """
    rows: dict[tuple[str, str], np.ndarray] = {}
    for folds in (tests or {}).values():
        chosen_in = choice_rows(samples, folds)
        rows |= {(fold.test, fold.name): chosen_in[fold.name] for fold in folds}
    return {name: GroupedBaseline(b, samples, seed, rows)
            for name, b in (baselines or BASELINES).items()}


def run_tests(
    table: pd.DataFrame, tests: Mapping[str, Sequence[Fold]], methods: Mapping[str, Method],
    directory: str | Path, *, seed: int = 0, settings: Mapping[str, Any] | None = None,
    finished: bool = False,
) -> pd.DataFrame:
    """Predictions of all methods on all folds of all tests.

    Parameters
    ----------
    table : pandas.DataFrame
        Samples with ``site``, ``year``, ``observed``.
    tests : mapping
        Folds of each test, from `neuralcrop.data.folds.make_tests`.
    methods : mapping of str to callable
        See `Method`.
    directory : path
        Where finished folds are kept; those of the same samples, folds and settings are not run
        again.
    seed : int
        Of the methods, for the record; a second call with another seed adds to the first.
    settings : mapping of str to anything, optional
        By method, what its predictions depend on beyond the samples, or a function of the fold
        that tells.
    finished : bool
        Take finished folds only and run none.

    Returns
    -------
    pandas.DataFrame
        With `COLUMNS`, one row a scored sample.

    Raises
    ------
    ValueError
        If a method returns another number of predictions, or one that is not finite.
    """
    from rich.progress import Progress

    jobs = [(name, fold) for folds in tests.values() for name in methods for fold in folds]
    parts, quiet = [], _quiet()
    with Progress(console=quiet, disable=not quiet.is_terminal) as bar:
        task = bar.add_task("comparison", total=len(jobs))
        for name, fold in jobs:
            bar.update(task, description=f"{fold.test} {fold.name}: {name}")
            own = (settings or {}).get(name, "")
            own = own(fold) if callable(own) else own
            parts.append(_fold(
                table, fold, name, methods[name], Path(directory), seed, own, finished))
            bar.advance(task)
    return pd.concat([p for p in parts if len(p)] or parts[:1], ignore_index=True)


def _fold(
    table: pd.DataFrame, fold: Fold, name: str, method: Method, directory: Path, seed: int,
    settings: Any, finished: bool,
) -> pd.DataFrame:
    """Predictions of one method for one fold, from its file if there is one."""
    known = ("site", "year", "observed")
    digest = hashlib.sha256(repr((name, seed, settings)).encode())
    for values in (*(table[c].to_numpy() for c in known), fold.train, fold.score):
        digest.update(np.ascontiguousarray(values).tobytes())
    mark = f"# {digest.hexdigest()}\n"
    path = directory / "folds" / fold.test / f"{_plain(name)}-{seed}-{_plain(fold.name)}.csv"
    if path.is_file() and (text := path.read_text(encoding="utf-8")).startswith(mark):
        return pd.read_csv(io.StringIO(text), comment="#", dtype={"fold": str, "method": str})
    if finished:
        return pd.DataFrame(columns=list(COLUMNS))
    began = time.perf_counter()
    found = method(fold)
    found = found if isinstance(found, Scored) else Scored(found)
    predicted = np.asarray(found.yields, dtype=float)
    if predicted.shape != fold.score.shape or not np.isfinite(predicted).all():
        raise ValueError(f"{name} on {fold.test} {fold.name}: expected {len(fold.score)} finite "
                         f"predictions, got shape {predicted.shape}, "
                         f"{int((~np.isfinite(predicted)).sum())} of them not finite")
    scored = table.iloc[fold.score]
    out = pd.DataFrame({
        "test": fold.test, "fold": fold.name, "method": name, "seed": seed,
        **{c: scored[c].to_numpy() for c in known}, "predicted": predicted,
        **{c: getattr(found, c) for c in MORE if getattr(found, c) is not None}})
    write_text(path, mark + out.to_csv(index=False, float_format="%.6g"))
    log.info("%s %s: %s took %.1f s", fold.test, fold.name, name, time.perf_counter() - began)
    # as it will be read again, so that a resumed run ends with the same numbers
    return pd.read_csv(path, comment="#", dtype={"fold": str, "method": str})


def _plain(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.+]", "_", name)


def _quiet() -> Any:
    from rich.console import Console

    return Console(stderr=True)


def with_mean(
    predictions: pd.DataFrame, methods: Sequence[str], name: str = "mean_of_methods"
) -> pd.DataFrame:
    """Predictions, and for every scored sample the mean of some methods as one more method.

    Tests that lack one of the methods are left as they are.
    """
    keys = ["test", "fold", "seed", "site", "year", "observed"]
    some = predictions[predictions["method"].isin(list(methods))]
    means = some.groupby(keys, sort=False)["predicted"].agg(["mean", "size"]).reset_index()
    means = means[means["size"] == len(set(methods))].rename(columns={"mean": "predicted"})
    added = means.drop(columns="size").assign(method=name)[list(COLUMNS)]
    return pd.concat([predictions, added], ignore_index=True)


def score_tests(
    predictions: pd.DataFrame, *, years: Mapping[str, Sequence[int]] | None = None,
    draws: int = 2000, level: float = 0.9,
) -> dict[str, dict[str, dict[str, Any]]]:
    """Scores by test and method; predictions of several seeds are averaged first.

    Beside `neuralcrop.evaluation.metrics.scores`:

    - ``r_line``: correlation of departures from the line of `REFERENCE`;
    - ``rmse_year_centred``, ``r_site_centred``;
    - ``rmse_interval``, and ``rmse_less_reference``, ``rmse_less_reference_interval``: RMSE less
      that of `REFERENCE`; intervals by resampling years;
    - ``worst_years``, ``rmse_worst_years``, ``loss_share_worst_years``: the worst tenth of years;
    - ``coverage_80``, ``coverage_50``, ``crps``: of methods that tell their spread;
    - ``extremes``: RMSE and share of the mean loss of the given years.

    Parameters
    ----------
    predictions : pandas.DataFrame
        From `run_tests`.
    years : mapping of str to sequence of int, optional
        By name, years to score apart, where a test scores them all.
    draws : int
        Resamplings of years.
    level : float
        Of the intervals.
    """
    keys = ["test", "fold", "method", "site", "year", "observed"]
    mean = together(predictions, keys)
    out: dict[str, dict[str, dict[str, Any]]] = {}
    for test, part in mean.groupby("test", sort=False):
        wide = part.pivot(index=["fold", "site", "year", "observed"], columns="method",
                          values="predicted").reset_index()
        out[str(test)] = {
            str(m): _score(wide, str(m), years or {}, draws, level) | reliability_of(own)
            for m, own in part.groupby("method", sort=False)}
    return out


def whole(predictions: pd.DataFrame, tests: Mapping[str, Sequence[Fold]]) -> pd.DataFrame:
    """Predictions without those of methods and seeds that lack a fold of the test."""
    folds = predictions.groupby(["test", "method", "seed"])["fold"].transform("nunique")
    wanted = predictions["test"].map({test: len(of) for test, of in tests.items()})
    return predictions[folds.to_numpy() == wanted.to_numpy()].reset_index(drop=True)


def together(predictions: pd.DataFrame, keys: Sequence[str]) -> pd.DataFrame:
    """Mean of the seeds of every scored sample; its ``spread`` has their variance, too."""
    groups = predictions.groupby(list(keys), sort=False)["predicted"]
    out = groups.mean().reset_index()
    if "spread" in predictions:
        squares = predictions.assign(square=predictions["spread"] ** 2)
        noise = squares.groupby(list(keys), sort=False)["square"].mean().to_numpy()
        between = groups.var(ddof=1).fillna(0.0).to_numpy()
        out["spread"] = np.sqrt(noise + between)
    return out


def reliability_of(table: pd.DataFrame) -> dict[str, float]:
    """Coverage of central intervals of normal distributions, and their CRPS.

    Gneiting and Raftery (2007), doi:10.1198/016214506000001437; empty without ``spread``.
    """
    from scipy.stats import norm  # slow to import

    if "spread" not in table or table["spread"].isna().any():
        return {}
    sd = table["spread"].to_numpy()
    z = (table["observed"] - table["predicted"]).to_numpy() / sd
    score = sd * (z * (2.0 * norm.cdf(z) - 1.0) + 2.0 * norm.pdf(z) - 1.0 / np.sqrt(np.pi))
    inside = {f"coverage_{share}": float(np.mean(np.abs(z) <= norm.ppf(0.5 + 0.005 * share)))
              for share in (50, 80)}
    return {**inside, "crps": float(score.mean())}


def without_remainder(predictions: pd.DataFrame) -> pd.DataFrame:
    """Predictions, and those without the remainder as methods of their own."""
    if "without" not in predictions:
        return predictions
    some = predictions[predictions["without"].notna()]
    bare = some.assign(predicted=some["without"], method=some["method"] + ", no remainder")
    bare = bare.drop(columns=[c for c in MORE if c in bare])
    return pd.concat([predictions, bare], ignore_index=True)


def _score(
    wide: pd.DataFrame, method: str, years: Mapping[str, Sequence[int]], draws: int, level: float
) -> dict[str, Any]:
    """Scores of one method of one test."""
    table = wide.assign(predicted=wide[method])
    record: dict[str, Any] = {
        **scores(table), "rmse_year_centred": year_centred_rmse(table),
        "r_site_centred": site_centred_r(table), "years": int(table["year"].nunique()),
        "rmse_interval": rmse_interval(table, level, draws)}
    if REFERENCE not in wide:
        return record
    table["line"] = wide[REFERENCE]
    record["r_line"] = correlation(table["observed"] - table["line"],
                                   table["predicted"] - table["line"])
    record["rmse_less_reference"] = record["rmse"] - rmse(table["observed"], table["line"])
    record["rmse_less_reference_interval"] = rmse_difference_interval(
        table, "predicted", "line", level, draws)
    worst = worst_years(table)
    at = table[table["year"].isin(worst)]
    record |= {"worst_years": worst, "rmse_worst_years": rmse(at["observed"], at["predicted"]),
               "loss_share_worst_years": loss_share(table, worst), "extremes": {}}
    for name, wanted in years.items():
        if set(wanted) <= set(table["year"]):
            at = table[table["year"].isin(wanted)]
            record["extremes"][name] = {
                "years": list(wanted), "rmse": rmse(at["observed"], at["predicted"]),
                "loss_share": loss_share(table, wanted)}
    return record


def write_comparison(
    predictions: pd.DataFrame, result: Mapping[str, Any], directory: str | Path,
    table: pd.DataFrame | None = None, tests: Mapping[str, Sequence[Fold]] | None = None,
) -> None:
    """``predictions.csv`` and ``scores.json``, whole or not at all; years of folds if given."""
    directory = Path(directory)
    columns = [*COLUMNS, *(c for c in MORE if c in predictions)]
    write_text(directory / "predictions.csv",
               predictions[columns].to_csv(index=False, float_format="%.6g"))
    record: dict[str, Any] = {"units": "t ha-1 dry matter", "tests": result}
    if table is not None and tests is not None:
        record["folds"] = {test: {f.name: fold_years(table, f) for f in folds}
                           for test, folds in tests.items()}
    write_text(directory / "scores.json", to_json(record))


def comparison_table(result: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """RMSE with its interval, and r of departures from the line in brackets, as Markdown."""
    methods = list(dict.fromkeys(m for by_method in result.values() for m in by_method))
    lines = ["| method | " + " | ".join(
        f"{test}, n {next(iter(by.values()))['n']}" for test, by in result.items()) + " |",
        "|---|" + "---|" * len(result)]
    for name in methods:
        cells = []
        for by_method in result.values():
            record = by_method.get(name)
            if record is None:
                cells.append("-")
                continue
            r = record.get("r_line", np.nan)
            cells.append(f"{record['rmse']:.3f}" + _interval(record["rmse_interval"], " [{}, {}]")
                         + (f" ({r:.2f})" if np.isfinite(r) else ""))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def reliability_table(result: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Coverage of the 80 % and 50 % intervals and CRPS of methods that tell their spread."""
    lines = ["| test | method | in the 80 % interval | in the 50 % interval | CRPS |",
             "|---|---|---|---|---|"]
    for test, by_method in result.items():
        lines += [f"| {test} | {name} | {r['coverage_80']:.0%} | {r['coverage_50']:.0%} | "
                  f"{r['crps']:.3f} |" for name, r in by_method.items() if "crps" in r]
    return "\n".join(lines) if len(lines) > 2 else ""


def extremes_table(result: Mapping[str, Mapping[str, Mapping[str, Any]]]) -> str:
    """Year-centred RMSE, r within sites, worst years and named years of each test, as Markdown."""
    lines = ["| test | method | year-centred RMSE | r within sites | less than the line, by "
             "resampling years | worst years: RMSE, share of the loss | named years |",
             "|---|---|---|---|---|---|---|"]
    for test, by_method in result.items():
        for name, record in by_method.items():
            if "r_line" not in record:
                continue
            named = "; ".join(f"{key}: {_number(v['rmse'])}, {_number(v['loss_share'], 2)}"
                              for key, v in record["extremes"].items())
            lines.append(
                f"| {test} | {name} | {_number(record['rmse_year_centred'])} | "
                f"{_number(record['r_site_centred'], 2)} | "
                f"{_interval(record['rmse_less_reference_interval'], '[{}, {}]', '+') or '-'} | "
                f"{', '.join(map(str, record['worst_years']))}: "
                f"{_number(record['rmse_worst_years'])}, "
                f"{_number(record['loss_share_worst_years'], 2)} | {named or '-'} |")
    return "\n".join(lines)


def _interval(bounds: Sequence[float], form: str, sign: str = "") -> str:
    """Both bounds, or nothing where there are none."""
    if not np.isfinite(bounds).all():
        return ""
    return form.format(*(f"{value:{sign}.2f}" for value in bounds))


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"
