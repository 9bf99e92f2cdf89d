"""What a scanning process tells of itself, for `bench_api`: one line of JSON for each signal cycle."""

from __future__ import annotations

import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.bench_cycle import Stages
from scanner.runtime.book.book import Book
from scanner.runtime.cycles.signals import SignalCycle


def note_cycles(path: Path) -> None:
    """From now on append to a file what each cycle cost its thread, by stage, and which thread is which."""
    stages, cycle = Stages(time.thread_time), SignalCycle.__call__

    def noted(self: SignalCycle) -> None:
        stages.spent, began, began_s = Counter(), time.time(), time.thread_time()
        cycle(self)
        note = {
            "began": began,
            "cpu_s": time.thread_time() - began_s,
            "stages": dict(stages.spent),
            "panels_mb": sum(map(_bytes, self._books.by_exchange.values())) / 2**20,
            "threads": {str(thread.native_id): thread.name for thread in threading.enumerate()},
        }
        with path.open("a") as file:
            file.write(json.dumps(note) + "\n")

    owner: Any = SignalCycle
    called: Callable[[SignalCycle], None] = noted
    owner.__call__ = called


def _bytes(book: Book) -> int:
    arrays = (value for panel in book.panels.values() for value in vars(panel).values())
    return sum(value.nbytes for value in arrays if isinstance(value, np.ndarray))
