"""What waits for its file is safe in the journal; where that refuses it, in memory alone until it is taken again."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from scanner.store import names
from scanner.store.batches import Batch
from scanner.store.journal import Journal
from scanner.store.known_files import KnownFiles
from scanner.store.schedule import RETRY_S

LONG_JOURNAL = 32_000_000  # bytes; a scan of 2,000 markets adds as much in a day
ROW_BYTES = 48  # of a candle there


class SafeKeeping:
    """The journal beside the files that are known. Every method may be called from any thread.

    Its lock protects the journal, whether that is behind, and that both agree: who has it finds in memory whatever the
    journal has. The lock of the files is taken inside it, and never the other way round: they do not know it.

    Parameters
    ----------
    journal : Path
        Folder of the journal.
    clock : callable
        Seconds that only grow.
    on_result : callable
        Called with "journal" and the error of each write, or None when it succeeded; with a segment's name and the
        error where an old one cannot be read.
    """

    def __init__(
        self,
        journal: Path,
        known: KnownFiles,
        clock: Callable[[], float],
        on_result: Callable[[str, OSError | None], object],
    ) -> None:
        self._known, self._clock, self._on_result = known, clock, on_result
        self._journal, self._lock = Journal(journal, known.folder), threading.Lock()
        self._is_behind, self._again_at = False, 0.0  # whether candles wait that the journal has refused

    def open(self) -> None:
        """The folder is ours: take up what an earlier run left, beside what waits already. Raises OSError."""
        with self._lock:
            waited = self._known.count()["waiting"]
            left = self._journal.replay(self._on_result)
            self._known.take_in([entry for batch in left for entry in batch if names.is_head(entry[0])])
            self._known.own()  # not before: who reads meanwhile still finds what was left in the journal itself
            if self._is_behind or waited:
                self._begin_anew()

    def close(self) -> None:
        """The folder is nobody's; what waits stays in the journal."""
        with self._lock:
            if self._is_behind and self._known.are_ours:
                self._begin_anew()
            self._journal.close()
            self._known.give_back()

    def keep(self, batch: Batch) -> None:
        """Have candles in the journal, if it takes them, and in memory."""
        with self._lock:
            if not self._known.are_ours or self._is_behind or not self._journal.is_whole():
                self._known.take_in(batch)
                self._begin_anew()
            else:
                self._append(batch)
                self._known.take_in(batch)
                if self._is_held_up():
                    self._begin_anew()

    def catch_up(self) -> None:
        """Have in the journal what it refused, once that is worth another try."""
        if self._is_behind and self._clock() >= self._again_at:
            with self._lock:
                self._begin_anew()

    def newest_batch(self) -> int:
        """The number of a batch whose candles are in memory by now, as all before them, and so will be in a file."""
        with self._lock:
            return self._journal.number

    def settle(self, name: str, through: int) -> None:
        """A file has all its candles of the batches up to `through`: the journal need not keep them."""
        with self._lock:
            self._journal.settle(name, through)
            if self._is_behind and not self._known.count()["waiting"]:
                self._begin_anew()

    def count(self) -> dict[str, int]:
        """What the files count (see `Totals`), old segments set aside or repaired, candles that a kill would lose."""
        totals = self._known.count()
        return totals | {
            "set_aside": totals["set_aside"] + self._journal.set_aside,
            "repaired": self._journal.repaired,
            "unsafe": totals["waiting"] if self._is_behind else 0,
            "journal_bytes": self._journal.size,
        }

    def _append(self, batch: Batch) -> None:
        with self._noted():
            self._journal.append(batch)

    def _begin_anew(self) -> None:
        """Everything that waits into a new segment, where the journal was refused, has lost its place, or is long."""
        self._is_behind = True
        if self._known.are_ours:
            waiting = self._known.waiting()
            with self._noted():
                self._journal.begin_anew(waiting)

    @contextmanager
    def _noted(self) -> Iterator[None]:
        """Whether the journal has everything after this."""
        try:
            yield
        except OSError as error:
            self._is_behind, self._again_at = True, self._clock() + RETRY_S
            self._on_result(names.JOURNAL, error)
        else:
            if self._is_behind:
                self._known.hurry_refused()
            self._is_behind = False
            self._on_result(names.JOURNAL, None)

    def _is_held_up(self) -> bool:
        """Whether the journal is long for the sake of few candles: those of a file that cannot be written."""
        return self._journal.size > LONG_JOURNAL and self._journal.size > 4 * ROW_BYTES * self._known.count()["waiting"]
