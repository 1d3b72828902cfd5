"""Variants learnt anew for every fold: nothing of the scored rows, nothing of other folds."""

from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from neuralcrop.data.folds import Fold
from neuralcrop.training.folds import FoldLearner
from tests.script_modules import load_script
from tests.training_runs import MakeConfig

RELATIVE = ["loss.yields=relative", "loss.remainder=weather", "data.holdout_cells=0.0",
            "trainer.learning_rate=0.01"]


def folds_of(learner: FoldLearner) -> list[Fold]:
    year = learner.session.seasons.table["year"].to_numpy()
    return [Fold("years", str(y), np.flatnonzero(year != y), np.flatnonzero(year == y))
            for y in (2003, 2004)]


def test_scored_yields_are_not_seen(make_config: MakeConfig, tmp_path: Path) -> None:
    learner = FoldLearner(make_config(tmp_path, *RELATIVE), tmp_path)
    fold, other = folds_of(learner)
    first = {name: method(fold) for name, method in learner.methods(1).items()}
    assert all(np.isfinite(p.yields).all() and p.yields.shape == fold.score.shape
               for p in first.values())
    assert not np.array_equal(first["tuned"].yields, first["hybrid"].yields)
    # the physics has no remainder, and says nothing of its spread
    assert first["tuned"].spread is None
    assert first["hybrid"].spread is not None
    assert first["hybrid"].without is not None
    assert not np.array_equal(first["hybrid"].without, first["hybrid"].yields)
    learner.tuned(other)  # leaves no trace
    # the same learner again, with other yields in the scored rows
    seasons = learner.session.seasons
    learner._tuned.clear()
    changed = seasons.table["observed"].to_numpy().copy()
    changed[fold.score] *= 3.0
    seasons.table["observed"] = changed
    seasons._observed[fold.score] *= 3.0
    for name, method in learner.methods(1).items():
        again = method(fold)
        for one, other_one in zip(again, first[name], strict=True):
            np.testing.assert_array_equal(one, other_one, err_msg=name)


def test_nulls_and_seeds_differ_and_leave_the_covariates(
    make_config: MakeConfig, tmp_path: Path
) -> None:
    learner = FoldLearner(make_config(tmp_path, *RELATIVE), tmp_path)
    fold, _ = folds_of(learner)
    before = learner.session.seasons.covariates
    whole = learner.methods(0, {"null: shuffled": "shuffled", "null: place": "lat_lon"})
    found = {name: whole[name](fold).yields for name in ("hybrid", "null: shuffled", "null: place")}
    found["other seed"] = learner.methods(2)["hybrid"](fold).yields
    assert learner.session.seasons.covariates is before
    values = list(found.values())
    for k, one in enumerate(values):
        assert np.isfinite(one).all()
        assert not any(np.array_equal(one, two) for two in values[:k])
    np.testing.assert_array_equal(learner.methods(0)["hybrid"](fold).yields, found["hybrid"])


@pytest.fixture(scope="module")
def script(repository: Path) -> ModuleType:
    return load_script(repository, "evidence")


@pytest.mark.slow
def test_the_script_writes_its_tables(
    script: ModuleType, make_config: MakeConfig, tmp_path: Path, small_world: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.training_runs import QUICK

    page = tmp_path / "page.md"
    page.write_text("<!-- evidence maize: begin -->\n<!-- evidence maize: end -->\n")
    out = tmp_path / "out"
    monkeypatch.setattr("sys.argv", [
        "evidence.py", str(out), f"data.path={small_world / 'yields.nc'}",
        f"data.weather={small_world / 'weather.nc'}", *QUICK, *RELATIVE,
        "--tests", "last_years", "--train", "2001", "2003", "--score", "2004", "2004",
        "--baselines", "climatology_trend", "--seeds", "0", "1", "--nulls", "shuffled",
        "--page", str(page)])
    script.main()
    text = page.read_text()
    for name in ("climatology_trend", "physics", "tuned", "hybrid", "hybrid, one seed",
                 "null: shuffled"):
        assert f"| {name} |" in text, name
    assert "| hybrid, no remainder |" in text
    assert "| in the 80 % interval |" in text
    assert (out / "scores.json").is_file()
    kept = sorted((out / "folds").rglob("*.csv"))
    times = [f.stat().st_mtime_ns for f in kept]
    script.main()  # goes on from what is there
    assert [f.stat().st_mtime_ns for f in kept] == times
    # tables of what is finished: of the ensemble one member alone is left
    next(f for f in kept if f.name.startswith("hybrid-1-")).unlink()
    monkeypatch.setattr("sys.argv", [*sys.argv, "--finished"])
    script.main()
    assert len(list((out / "folds").rglob("*.csv"))) == len(kept) - 1
    assert "| hybrid |" in page.read_text()
