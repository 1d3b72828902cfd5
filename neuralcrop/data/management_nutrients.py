"""Fertiliser, manure, residues and tillage, from what a user writes to rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from neuralcrop.core.forcing import N_GIFTS, PLAN_ROWS, RESIDUE_ROWS, TILLAGE_ROWS
from neuralcrop.data.align import to_cells
from neuralcrop.data.errors import Problems, nearest
from neuralcrop.data.management_dates import dated_amounts
from neuralcrop.data.tensors import CellIndex
from neuralcrop.data.timeaxis import Days

GRAM = 0.1
"""kg ha-1 to g m-2."""

MOST = 1000.0
"""Largest nitrogen of a season or gift that is believed, kg ha-1."""

NITRATE_SHARE = 0.5
"""Nitrate in mineral fertiliser (LPJmL; von Bloh et al. 2018, doi:10.5194/gmd-11-2789-2018)."""

ANY_STAGE = -9.0
"""Stage of gifts that wait for their day alone."""

SPLITS: dict[str, list[tuple[float, float, float]]] = {
    "ggcmi": [(0.0, ANY_STAGE, 0.5), (40.0, ANY_STAGE, 0.5)],
    "lpjml": [(0.0, ANY_STAGE, 0.2), (0.0, 0.5, 0.8)],
}
"""Named splits as day after sowing, development stage, share: half at sowing and half 40 days
later, a convention of GGCMI simulations, or a fifth at sowing and the rest at a quarter of the
development (LPJmL), here stage 0.5."""

TILLED = 0.95
"""Share of the surface litter that tillage works into the soil."""

USES = ("grain", "silage", "cover")
"""What is harvested: grain; all above the ground; nothing."""

_FORMS = {"nitrogen": ("total", "splits", "nitrate_share", "dates", "amounts"),
          "manure": ("total", "splits", "dates", "amounts")}


class Gifts(NamedTuple):
    """Gifts of a plan by day and stage, and by day of the run; values ``[row, cell]``."""

    plan: dict[tuple[float, float], np.ndarray]
    dates: dict[int, np.ndarray]


def fertiliser(
    given: Mapping[str, Any], cells: CellIndex, days: Days, problems: Problems
) -> tuple[np.ndarray | None, dict[int, np.ndarray]]:
    """Plan ``[row, gift, cell]`` and dated gifts ``[row, cell]``, g m-2, of all kinds together."""
    plan: dict[tuple[float, float], np.ndarray] = {}
    dates: dict[int, np.ndarray] = {}
    for kind in _FORMS:
        value = given.get(kind)
        if value is None or value is False or (isinstance(value, str) and value == "none"):
            continue
        gifts = _gifts(kind, value, cells, days, problems)
        for when, amount in gifts.plan.items():
            plan[when] = plan.get(when, 0.0) + amount
        for day, amount in gifts.dates.items():
            dates[day] = dates.get(day, 0.0) + amount
    if len(plan) > N_GIFTS:
        problems.add("management", f"{len(plan)} gifts of nitrogen and manure in a season",
                     f"at most {N_GIFTS}", "give dates and amounts")
    if not plan:
        return None, dates
    rows = np.zeros((len(PLAN_ROWS), N_GIFTS, cells.n_cells))
    for k, (when, amount) in enumerate(sorted(plan.items())[:N_GIFTS]):
        rows[:2, k] = np.array(when)[:, None]
        rows[2:, k] = amount
    return rows, dates


def _gifts(kind: str, value: Any, cells: CellIndex, days: Days, problems: Problems) -> Gifts:
    where = f"management['{kind}']"
    nothing = Gifts({}, {})
    form = {"total": value} if not isinstance(value, Mapping) else {
        key: v for key, v in value.items() if v is not None}
    unknown = [key for key in form if key not in _FORMS[kind]]
    for key in unknown:
        problems.add(f"{where}['{key}']", "unknown key", "", nearest(str(key), _FORMS[kind]))
    if unknown:
        return nothing
    dated = "dates" in form or "amounts" in form
    if dated and ("total" in form or "splits" in form):
        problems.add(where, "a total and dates", "one of them",
                     "{'total', 'splits'} or {'dates', 'amounts'}")
        return nothing
    shares = _kinds(kind, form, cells, problems)
    if dated:
        amounts = dated_amounts(form.get("dates"), form.get("amounts"), cells, days, where,
                                problems, MOST, "kg ha-1")
        return Gifts({}, {day: GRAM * shares * a for day, a in amounts.items()})
    total = _values(form.get("total"), cells, f"{where}['total']" if "total" in form else where,
                    problems, MOST, f"kg ha-1 of nitrogen in a season, 0 to {MOST:g}")
    splits = _splits(form.get("splits", "ggcmi"), where, problems)
    return Gifts({(day, stage): GRAM * share * shares * total for day, stage, share in splits}, {})


def _kinds(
    kind: str, form: Mapping[str, Any], cells: CellIndex, problems: Problems
) -> np.ndarray:
    """Shares of nitrate, ammonium and manure, ``[row, cell]``."""
    n = cells.n_cells
    if kind == "manure":
        return np.stack([np.zeros(n), np.zeros(n), np.ones(n)])
    nitrate = _values(form.get("nitrate_share", NITRATE_SHARE), cells,
                      "management['nitrogen']['nitrate_share']", problems, 1.0,
                      "share of nitrate, 0 (urea) to 1")
    return np.stack([nitrate, 1.0 - nitrate, np.zeros(n)])


def _values(
    value: Any, cells: CellIndex, where: str, problems: Problems, most: float, expected: str
) -> np.ndarray:
    """Numbers by cell within 0 and ``most``; NaN counts as 0."""
    nothing = np.zeros(cells.n_cells)
    if value is None:
        problems.add(where, "no amount", expected, "")
        return nothing
    array = to_cells(value, cells, where, problems)
    if array is None:
        return nothing
    try:
        array = np.nan_to_num(np.array(array, dtype=float), posinf=np.inf, neginf=-np.inf)
    except (TypeError, ValueError):
        problems.add(where, f"{value!r} is not a number", expected, "")
        return nothing
    if ((array < 0.0) | (array > most)).any():
        problems.add(where, f"values from {array.min():g} to {array.max():g}", expected,
                     "check units?" if (array > most).any() else "")
        return nothing
    return array


def _splits(value: Any, where: str, problems: Problems) -> list[tuple[float, float, float]]:
    """Gifts as day after sowing, development stage, share of the total."""
    where = f"{where}['splits']"
    if isinstance(value, str):
        if value not in SPLITS:
            problems.add(where, f"'{value}'", "", nearest(value, SPLITS))
        return SPLITS.get(value, [])
    out = []
    entries = value if isinstance(value, Sequence) else []
    for entry in entries:
        try:
            if isinstance(entry, Mapping):
                extra = set(entry) - {"day", "stage", "share"}
                out.append((float(entry.get("day", 0.0)), float(entry.get("stage", ANY_STAGE)),
                            float("nan") if extra else float(entry["share"])))
            else:
                day, share = entry
                out.append((float(day), ANY_STAGE, float(share)))
        except (TypeError, ValueError, KeyError):
            out.append((0.0, ANY_STAGE, float("nan")))
    shares = [share for _, _, share in out]
    wrong = (not out or not all(0.0 <= share <= 1.0 for share in shares)
             or not all(0.0 <= day <= 366.0 for day, _, _ in out)
             or abs(sum(shares) - 1.0) > 1e-3)
    if wrong:
        problems.add(where, f"{value!r}", "pairs of days after sowing (0 to 366) and shares that "
                     "add up to 1, or {'stage': .., 'share': ..}",
                     "[[0, 0.5], [40, 0.5]], 'ggcmi' or 'lpjml'")
        return []
    return out


def residues(given: Mapping[str, Any], cells: CellIndex, problems: Problems) -> np.ndarray | None:
    """Shares ``[row, cell]``, rows `RESIDUE_ROWS`; None where neither is given."""
    value, use = given.get("residues"), given.get("use")
    if value is None and use is None:
        return None
    where, n = "management['residues']", cells.n_cells
    use = "grain" if use is None else use
    if use not in USES:
        problems.add("management['use']", f"{use!r}", "", nearest(str(use), USES))
    form = value if isinstance(value, Mapping) else {"left": 1.0 if value is None else value}
    form = {key: v for key, v in form.items() if v is not None}
    names = ("left", "removed", "burnt")
    for key in form:
        if key not in names:
            problems.add(f"{where}['{key}']", "unknown key", "", nearest(str(key), names))
    shares = {key: _values(form[key], cells, f"{where}['{key}']", problems, 1.0, "shares, 0 to 1")
              for key in names if key in form}
    burnt = shares.get("burnt", np.zeros(n))
    removed = shares.get("removed")
    if removed is None:
        # what is not left is taken off; without a share left, all stays that is not burnt
        removed = np.maximum(1.0 - shares["left"] - burnt, 0.0) if "left" in shares else (
            np.zeros(n))
    left = shares.get("left", 1.0 - removed - burnt)
    if (np.abs(left + removed + burnt - 1.0) > 1e-3).any() or (left < -1e-3).any():
        problems.add(where, "the shares left, removed and burnt do not add up to 1", "1 in all", "")
    if use == "silage":
        if value is not None:
            problems.add(where, "residues of silage", "nothing: all leaves the field", "")
        removed = np.ones(n)
    rows = {"grain": np.full(n, 0.0 if use == "cover" else 1.0), "removed": removed,
            "burnt": burnt}
    return np.stack([rows[row] for row in RESIDUE_ROWS])


def tillage(value: Any, cells: CellIndex, problems: Problems) -> np.ndarray | None:
    """Shares ``[row, cell]``, rows `TILLAGE_ROWS`; None for the model's default."""
    where, expected = "management['tillage']", "a share of the litter, 0 to 1"
    if value is None:
        return None
    if value is False or (isinstance(value, str) and value == "none"):
        value = {}
    elif isinstance(value, str) and value in TILLAGE_ROWS:
        value = {value: TILLED}
    elif value is True:
        value = {"sowing": TILLED}
    if not isinstance(value, Mapping):
        problems.add(where, f"{value!r}", "'none', 'sowing', 'harvest' or shares of the litter "
                     "{'sowing': 0.95, 'harvest': 0}", "")
        return None
    for key in value:
        if key not in TILLAGE_ROWS:
            problems.add(f"{where}['{key}']", "unknown key", "", nearest(str(key), TILLAGE_ROWS))
    return np.stack([
        _values(value.get(row, 0.0), cells, f"{where}['{row}']", problems, 1.0, expected)
        for row in TILLAGE_ROWS])


def no_gift(n_cells: int) -> np.ndarray:
    """A plan without gifts, for the crops of a sequence that get none."""
    return np.zeros((len(PLAN_ROWS), N_GIFTS, n_cells))
