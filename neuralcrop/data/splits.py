"""Which samples are for learning, for choosing and for the report."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch

from neuralcrop.data.errors import InputError, Problem, nearest

PARTS = {
    "train": "training years and sites",
    "validate": "validation years, training sites",
    "test": "test years, training sites",
    "new_sites": "held-out sites, training years",
    "new_sites_new_years": "held-out sites, validation and test years",
}
"""Parts of the samples and what each holds."""

Years = tuple[int, int]


def split(
    table: pd.DataFrame, train_years: Years, validate_years: Years,
    test_years: Years | None = None, holdout: float | Sequence[int | str] = 0.0, seed: int = 0,
) -> dict[str, np.ndarray]:
    """Rows of each part; parts without rows are left out.

    Parameters
    ----------
    table : pandas.DataFrame
        Samples with ``site``, ``label`` and ``year``.
    train_years, validate_years, test_years : tuple of int
        First and last year, both included.
    holdout : float or sequence
        Share of the sites that is kept apart, drawn by the seed; or their numbers or labels.
    seed : int
        Of the draw.

    Raises
    ------
    InputError
        If years overlap, sites are unknown, or nothing is left to learn from.
    """
    _check_years({"train_years": train_years, "validate_years": validate_years,
                  "test_years": test_years})
    apart = np.isin(table["site"], held_out(table, holdout, seed))
    year = table["year"].to_numpy()

    def within(years: Years | None) -> np.ndarray:
        return np.zeros(len(year), bool) if years is None else (
            (year >= years[0]) & (year <= years[1]))

    masks = {
        "train": within(train_years) & ~apart, "validate": within(validate_years) & ~apart,
        "test": within(test_years) & ~apart, "new_sites": within(train_years) & apart,
        "new_sites_new_years": (within(validate_years) | within(test_years)) & apart,
    }
    for name, years in (("train", train_years), ("validate", validate_years)):
        if not masks[name].any():
            raise InputError([Problem(
                f"data.{name}_years", f"no yields in {years[0]}-{years[1]}",
                f"some of {year.min()}-{year.max()}", "")], "data")
    return {name: np.flatnonzero(mask) for name, mask in masks.items() if mask.any()}


def held_out(table: pd.DataFrame, holdout: float | Sequence[int | str], seed: int) -> np.ndarray:
    """Numbers of the sites kept apart."""
    sites = table.drop_duplicates("site").sort_values("site")
    numbers = sites["site"].to_numpy()
    if isinstance(holdout, (int, float)):
        order = torch.randperm(len(numbers), generator=torch.Generator().manual_seed(seed))
        return np.sort(numbers[order.numpy()[: round(float(holdout) * len(numbers))]])
    by_name = {str(k): int(k) for k in numbers}
    for number, label in zip(numbers, sites["label"], strict=True):
        by_name |= {str(label): int(number), str(label).partition(" (")[0]: int(number)}
    unknown = [str(name) for name in holdout if str(name) not in by_name]
    if unknown:
        raise InputError([Problem("data.holdout_cells", f"no site '{name}'", "",
                                  nearest(name, by_name)) for name in unknown], "data")
    return np.unique([by_name[str(name)] for name in holdout])


def _check_years(spans: dict[str, Years | None]) -> None:
    known = [(name, years) for name, years in spans.items() if years is not None]
    for k, (name, years) in enumerate(known):
        for other, others in known[:k]:
            if years[0] <= others[1] and others[0] <= years[1]:
                raise InputError([Problem(
                    f"data.{name}", f"{years[0]}-{years[1]} overlaps with {other} "
                    f"{others[0]}-{others[1]}", "years apart", "")], "data")
