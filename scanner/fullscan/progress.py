"""A progress bar on terminals, and nothing anywhere else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

Tell = Callable[[int, int], None]  # (markets done, markets in all)


def silent(done: int, total: int) -> None:
    """Tell nobody."""


@contextmanager
def terminal_progress(title: str, console: Console | None = None) -> Iterator[Tell]:
    """A function to tell how far a scan is; draws a bar while standard error is a terminal."""
    console = console or Console(stderr=True)
    if not console.is_terminal:
        yield silent
        return
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task(title, total=None)

        def tell(done: int, total: int) -> None:
            bar.update(task, completed=done, total=total)

        yield tell
