"""Progress of long runs in cell-days."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def cell_day_progress(total: int, title: str) -> Iterator[Callable[[int], None]]:
    """Progress bar whose callback takes cell-days done; silent where no one watches.

    Parameters
    ----------
    total : int
        Cell-days of the whole run.
    title : str
        What is being done.
    """
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(),
        TextColumn("{task.fields[rate]}"), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not console.is_terminal) as bar:
        task = bar.add_task(title, total=total, rate="")

        def advance(done: int) -> None:
            bar.advance(task, done)
            speed = bar.tasks[0].speed
            if speed:
                bar.update(task, rate=f"{speed / 1e6:.2f} M cell-days/s")

        yield advance
