"""The OHLCV files that candles came for: what waits for each, and which of them is due."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from scanner.store import names
from scanner.store.batches import Batch
from scanner.store.candle_file import CandleFile, Totals
from scanner.store.ohlcv import Rows
from scanner.store.schedule import Allowance, Schedule, delay_s


class KnownFiles:
    """The files of one folder that this process has had candles for. Every method may be called from any thread.

    Its lock protects the table of files, their schedule and the allowance of time, and is held for no file's writing.

    Parameters
    ----------
    clock : callable
        Seconds that only grow.
    on_lost : callable
        Called with a file's name and the candles that had to go, as too many wait for it.
    """

    def __init__(self, folder: Path, clock: Callable[[], float], on_lost: Callable[[str, Rows], object]) -> None:
        self.folder = folder
        self._clock, self._on_lost = clock, on_lost
        self._lock = threading.Lock()
        self._files: dict[str, CandleFile] = {}
        self._schedule, self._allowance = Schedule(), Allowance(clock())
        self._totals = Totals()
        self._periods: dict[str, list[str]] | None = None  # of the parts; None where the folder is not ours

    @property
    def are_ours(self) -> bool:
        """Whether no other process writes them."""
        return self._periods is not None

    def own(self) -> None:
        """They are ours from here on; raises OSError, and they are not."""
        periods = self._periods = names.periods_in(self.folder)
        with self._lock:
            for name, file in self._files.items():
                file.periods = frozenset(periods.get(name, ()))

    def give_back(self) -> None:
        """They are nobody's, and another process may seal parts of them."""
        self._periods = None
        with self._lock:
            for file in self._files.values():
                file.periods = None

    def take_in(self, batch: Batch) -> None:
        """Have candles wait for their files."""
        with self._lock:
            now = self._clock()
            for name, candles in batch:
                file = self._files.get(name) or self._add(name)
                if len(lost := file.add(candles)):
                    self._on_lost(name, lost)
                self._schedule.put(name, now + delay_s(name, len(candles), file.stored, len(self._files)))

    def waiting(self) -> Batch:
        """Everything that waits."""
        with self._lock:
            everything = [(name, file.waiting) for name, file in self._files.items()]
        return [(name, candles) for name, candles in everything if len(candles)]

    def count(self) -> dict[str, int]:
        """See `Totals`."""
        return self._totals.now()

    def get(self, name: str) -> CandleFile | None:
        with self._lock:
            return self._files.get(name)

    def file(self, name: str) -> CandleFile:
        """A file, known or not."""
        return self.get(name) or CandleFile(self.folder / name, Totals(), self._periods_of(name))

    def heads_with_parts(self) -> list[str]:
        """Names of the files of which something was sealed away, known or not; none where they are not ours."""
        return [*(self._periods or ())]

    def all(self) -> list[CandleFile]:
        with self._lock:
            return list(self._files.values())

    def next_due(self) -> CandleFile | None:
        """The file to write now, None if none is due or there is no time left for writing."""
        with self._lock:
            now = self._clock()
            name = self._schedule.next_due(now) if self._allowance.is_left(now) else None
            return None if name is None else self._files[name]

    def spend(self, seconds: float) -> None:
        """Writing has taken so long."""
        with self._lock:
            self._allowance.spend(seconds)

    def note_written(self, name: str) -> None:
        with self._lock:
            self._schedule.note_written(name)

    def note_refused(self, name: str) -> None:
        with self._lock:
            self._schedule.note_refused(name, self._clock())

    def hurry_refused(self) -> None:
        """The medium takes something again, and so it may take the files that it refused: they are due."""
        with self._lock:
            self._schedule.hurry_refused(self._clock())

    def _add(self, name: str) -> CandleFile:
        file = self._files[name] = CandleFile(self.folder / name, self._totals, self._periods_of(name))
        return file

    def _periods_of(self, name: str) -> list[str] | None:
        owned = self._periods
        return None if owned is None else owned.get(name, [])
