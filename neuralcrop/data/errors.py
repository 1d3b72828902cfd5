"""One error for everything that is wrong with an input."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with an input.

    Attributes
    ----------
    where : str
        Variable, file, cell or site, date: whatever locates the problem.
    what : str
        What was found.
    expected : str
        What would be right.
    remedy : str
        What to do about it.
    """

    where: str
    what: str
    expected: str = ""
    remedy: str = ""

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}"
        if self.expected:
            text += f"; expected {self.expected}"
        if self.remedy:
            text += f". Remedy: {self.remedy}"
        return text


class InputError(ValueError):
    """An input cannot be used; the text lists every problem found.

    Parameters
    ----------
    problems : iterable of Problem
        All problems of the input.
    source : str
        Name of the input, for the first line.
    """

    def __init__(self, problems: Iterable[Problem], source: str = "input") -> None:
        self.problems = tuple(problems)
        self.source = source
        n = len(self.problems)
        head = f"{source}: {n} problem{'s' if n != 1 else ''}"
        super().__init__("\n".join([head, *(f"  - {p}" for p in self.problems)]))


class Problems:
    """Collector of problems, so that all of an input are reported at once.

    Parameters
    ----------
    source : str
        Name of the input.
    """

    def __init__(self, source: str = "input") -> None:
        self.source = source
        self.items: list[Problem] = []

    def __bool__(self) -> bool:
        return bool(self.items)

    def add(self, where: str, what: str, expected: str = "", remedy: str = "") -> None:
        """Note one problem."""
        problem = Problem(where, what, expected, remedy)
        if problem not in self.items:
            self.items.append(problem)

    def raise_if_any(self) -> None:
        """Raise one `InputError` with everything collected.

        Raises
        ------
        InputError
            If any problem was added.
        """
        if self.items:
            raise InputError(self.items, self.source)


def nearest(name: str, known: Iterable[str]) -> str:
    """Hint naming the known word most like a wrong one, or all known words."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean '{close[0]}'?" if close else f"use one of: {', '.join(known)}"
