"""Settings chosen once for groups of folds: from rows that no fold of the group scores."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pandas as pd
import pytest

from neuralcrop.data.folds import Fold, Plan, make_tests
from neuralcrop.evaluation.baselines import Baseline, Lstm, Ridge, Samples, Trees, choice_rows
from neuralcrop.evaluation.comparison import baseline_methods
from tests.evidence_samples import samples

PLAN = Plan(train_years=(1981, 1995), score_years=(1996, 1998), blocks=3, drought_years=(1988,))
LEARNERS: dict[str, Baseline] = {
    "ridge": Ridge(), "trees": Trees(choices=((4, 10), (6, 10)), rounds=30, rate=0.1, members=1),
    "lstm": Lstm(hidden=4, join=2, epochs=6, batch=64, rate=0.02, members=1)}


def some() -> tuple[Samples, dict[str, list[Fold]]]:
    """18 years: three folds of `leave_one_year_out` in each of six groups."""
    s = samples(n_sites=8, years=range(1981, 1999))
    return s, make_tests(s.table, s.warmth, PLAN)


def groups_of(folds: list[Fold], rows: dict[str, np.ndarray]) -> list[list[Fold]]:
    """Folds that share their rows."""
    by_rows: dict[bytes, list[Fold]] = {}
    for fold in folds:
        by_rows.setdefault(rows[fold.name].tobytes(), []).append(fold)
    return list(by_rows.values())


def with_yields(s: Samples, rows: np.ndarray, values: float) -> Samples:
    """Other yields in some rows."""
    observed = s.table["observed"].to_numpy(float).copy()
    observed[rows] = values + np.arange(len(rows))
    return replace(s, table=s.table.assign(observed=observed))


def test_groups_leave_all_their_scored_years_out() -> None:
    s, tests = some()
    folds = tests["leave_one_year_out"]
    rows = choice_rows(s, folds)
    groups = groups_of(folds, rows)
    assert [len(group) for group in groups] == [3] * 6
    year = s.table["year"].to_numpy()
    for group in groups:
        scored = np.concatenate([fold.score for fold in group])
        of_group = rows[group[0].name]
        assert sorted([*scored, *of_group]) == list(range(len(s)))
        assert not set(year[scored]) & set(year[of_group])


def test_groups_have_cool_and_hot_years() -> None:
    s, tests = some()
    folds = tests["leave_one_year_out"]
    warmth = {fold.name: s.warmth[fold.score].mean() for fold in folds}
    thirds = np.quantile(list(warmth.values()), [1 / 3, 2 / 3])
    for group in groups_of(folds, choice_rows(s, folds)):
        assert {int(np.searchsorted(thirds, warmth[fold.name])) for fold in group} == {0, 1, 2}


def test_few_folds_choose_in_their_own_training_rows() -> None:
    s, tests = some()
    for name in ("last_years", "spatial_blocks", "drought", "warm_tail"):
        rows = choice_rows(s, tests[name])
        for fold in tests[name]:
            np.testing.assert_array_equal(rows[fold.name], fold.train)


def test_folds_that_share_too_little_choose_for_themselves() -> None:
    s, _ = some()
    # each learns from five rows of its own
    folds = [Fold("apart", str(k), np.arange(5 * k, 5 * k + 5), np.array([140 + k % 4]))
             for k in range(14)]
    rows = choice_rows(s, folds)
    assert all(np.array_equal(rows[fold.name], fold.train) for fold in folds)


@pytest.mark.parametrize("name", LEARNERS)
def test_scored_yields_of_a_group_take_no_part_in_its_settings(name: str) -> None:
    s, tests = some()
    folds = tests["leave_one_year_out"]
    group = groups_of(folds, choice_rows(s, folds))[2]
    scored = np.concatenate([fold.score for fold in group])
    first = baseline_methods(s, 3, LEARNERS, tests)[name]
    second = baseline_methods(with_yields(s, scored, 50.0), 3, LEARNERS, tests)[name]
    for fold in group:
        assert first.settings(fold) == second.settings(fold)
        assert first.settings(fold) == first.settings(group[0])


@pytest.mark.parametrize("name", LEARNERS)
@pytest.mark.parametrize("test", ["leave_one_year_out", "drought", "spatial_blocks"])
def test_scored_yields_of_a_fold_change_none_of_its_predictions(name: str, test: str) -> None:
    s, tests = some()
    fold = tests[test][-1]
    other = with_yields(s, fold.score, -20.0)
    np.testing.assert_array_equal(baseline_methods(s, 3, LEARNERS, tests)[name](fold),
                                  baseline_methods(other, 3, LEARNERS, tests)[name](fold))


@pytest.mark.parametrize("name", LEARNERS)
def test_scored_yields_of_a_group_act_on_others_by_training_alone(name: str) -> None:
    """With the training yields held, those of the rest of the group change nothing, to the bit."""
    s, tests = some()
    folds = tests["leave_one_year_out"]
    fold, *rest = groups_of(folds, choice_rows(s, folds))[0]
    # learns from none of the group: whatever its yields did, they would do by the settings
    scored = np.concatenate([f.score for f in (fold, *rest)])
    apart = replace(fold, train=np.setdiff1d(fold.train, scored))
    other = with_yields(s, scored, 77.0)
    np.testing.assert_array_equal(baseline_methods(s, 3, LEARNERS, tests)[name](apart),
                                  baseline_methods(other, 3, LEARNERS, tests)[name](apart))


@dataclass(frozen=True)
class Counting:
    """Predicts the seed, and counts its choices."""

    rows: list[np.ndarray] = field(default_factory=list)

    def choose(self, samples: Samples, rows: np.ndarray, seed: int = 0) -> int:
        known = pd.notna(samples.table["observed"]).to_numpy()
        np.testing.assert_array_equal(np.flatnonzero(known), rows)
        self.rows.append(rows)
        return len(self.rows)

    def fit_predict(
        self, samples: Samples, train: np.ndarray, predict: np.ndarray, seed: int = 0,
        settings: Any = None,
    ) -> np.ndarray:
        known = pd.notna(samples.table["observed"]).to_numpy()
        np.testing.assert_array_equal(np.flatnonzero(known), train)
        return np.full(len(predict), float(settings))


def test_a_group_chooses_once_and_sees_its_rows_only() -> None:
    s, tests = some()
    counting = Counting()
    method = baseline_methods(s, 0, {"counting": counting}, tests)["counting"]
    predicted = {fold.name: method(fold)[0] for fold in tests["leave_one_year_out"]}
    assert len(counting.rows) == 6
    assert sorted(predicted.values()) == sorted([1.0, 2.0, 3.0, 4.0, 5.0, 6.0] * 3)
    alone = Counting()
    method = baseline_methods(s, 0, {"alone": alone})["alone"]
    for fold in tests["leave_one_year_out"]:
        method(fold)
    assert len(alone.rows) == len(tests["leave_one_year_out"])


def test_rows_to_choose_in_make_another_run() -> None:
    s, tests = some()
    fold = tests["leave_one_year_out"][0]
    grouped = baseline_methods(s, 0, LEARNERS, tests)["ridge"]
    single = baseline_methods(s, 0, LEARNERS)["ridge"]
    assert grouped.depends(fold) != single.depends(fold)
    assert single.depends(fold) == baseline_methods(s, 0, LEARNERS)["ridge"].depends(fold)
    drought = tests["drought"][0]
    assert grouped.depends(drought) == single.depends(drought)


def test_scored_rows_to_choose_in_are_refused() -> None:
    s, tests = some()
    fold = tests["drought"][0]
    method = replace(baseline_methods(s, 0, LEARNERS)["ridge"],
                     rows={("drought", "all"): np.arange(len(s))})
    with pytest.raises(ValueError, match="scored rows among those to choose in"):
        method(fold)
