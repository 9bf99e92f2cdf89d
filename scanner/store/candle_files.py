"""OHLCV files: new candles go to the journal at once, and into their Parquet file when that is worth a rewrite.

A Parquet file cannot grow in place; a new candle means writing another one. So a file is rewritten once in a while, the
longer it is and the more files there are the rarer, and what is old is sealed away (`parts`): the cost of a candle
depends neither on years nor on markets. A new file has the content of the old one at its old place, which spares
readers that open a path twice (`places`). The moments are spread by name so that not all files fall due together, and
writing takes a bounded share of the time. The first candles of a market are written at once. Who reads through a store
sees waiting candles too, of this process or another; a killed one leaves them in the journal.
"""

from __future__ import annotations

import heapq
import math
import threading
import time
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from scanner.store import files, names, ohlcv, segments
from scanner.store.batches import Batch
from scanner.store.candle_file import CandleFile, Totals
from scanner.store.journal import Journal
from scanner.store.ohlcv import NONE, Rows

REWRITE_S = 300.0  # between two rewrites of one file, up to ROWS_AT_THAT_PACE candles
ROWS_AT_THAT_PACE = 10_000
FILES_AT_THAT_PACE = 1_000  # a rewrite costs 1 ms of processor: with 8,000 files still no more than 4 a second
HISTORY = 100  # candles that come together and are more than a file has: nobody should wait to see them
RETRY_S = 30.0  # after a write that failed
WRITING_SHARE = 0.1  # of the time, on average
BURST_S = 0.5  # of writing at once: signals wait meanwhile
MOST_NAMES = 50_000  # that are remembered to be those of OHLCV files: each batch of a journal has thousands
LONG_JOURNAL = 32_000_000  # bytes; a scan of 2,000 markets adds as much in a day
ROW_BYTES = 48  # of a candle there
JOURNAL = "journal"  # what the journal is called in results

Stamps = tuple[tuple[Path, files.Stamp], ...]


class CandleFiles:
    """The OHLCV files of one folder, and when each is to be written. Every method may be called from any thread.

    Parameters
    ----------
    journal : Path
        Folder of the journal.
    clock : callable
        Seconds that only grow (`time.monotonic`).
    on_result : callable
        Called with a file's name and the error of a write, or None when it succeeded; the journal is one of them.
    on_lost : callable
        Called with a file's name and the candles that had to go, as too many wait for it.
    """

    def __init__(
        self,
        folder: Path,
        journal: Path,
        clock: Callable[[], float] = time.monotonic,
        on_result: Callable[[str, OSError | None], object] = lambda name, error: None,
        on_lost: Callable[[str, Rows], object] = lambda name, candles: None,
    ) -> None:
        self.folder = folder
        self._clock, self._on_result, self._on_lost = clock, on_result, on_lost
        self._lock = threading.Lock()
        self._files: dict[str, CandleFile] = {}
        self._periods: dict[str, list[str]] | None = None  # of every head; None where we do not own the folder
        self._totals = Totals()
        self._due: list[tuple[float, str]] = []
        self._scheduled: dict[str, float] = {}
        self._refused: set[str] = set()  # files that could not be written
        self._allowance_s, self._allowed_at = BURST_S, clock()
        self._journal, self._journalling = Journal(journal, folder), threading.Lock()
        self._behind, self._again_at = False, 0.0  # whether candles wait that the journal has refused
        self._left: tuple[Stamps, dict[str, Rows]] = ((), {})

    def open(self) -> None:
        """Take up what an earlier run left in the journal; the folder is ours from here on. Raises OSError."""
        with self._journalling:
            self._periods = names.periods_in(self.folder)
            with self._lock:
                for name, file in self._files.items():
                    file.periods = frozenset(self._periods.get(name, ()))
            waited = self._totals.now()["waiting"]
            left = self._journal.replay(self._on_result)
            self._take_in([entry for batch in left for entry in batch if is_head(entry[0])])
            if self._behind or waited:
                self._keep_all()
        for name in self._periods:
            if files.hidden(self.folder / name, "tmp").is_file():
                try:
                    self._file(name).write(even_if_nothing_waits=True)
                except OSError as error:
                    self._on_result(name, error)

    def close(self) -> None:
        """Close the journal; candles that still wait stay in it, and the folder is nobody's."""
        with self._journalling:
            if self._behind and self._periods is not None:
                self._keep_all()
            self._journal.close()
            self._periods = None
            with self._lock:
                for file in self._files.values():
                    file.periods = None

    def add(self, name: str, candles: Rows) -> None:
        self.add_all([(name, candles)])

    def add_all(self, batch: Batch) -> None:
        """Have candles kept: they are in the journal and readable at once, and written in due time."""
        batch = [(name, candles) for name, candles in batch if len(candles)]
        if not batch:
            return
        with self._journalling:
            if self._periods is None or self._behind or not self._journal.is_whole():
                self._take_in(batch)
                self._keep_all()
            else:
                self._keep(batch)
                self._take_in(batch)
                if self._is_held_up():
                    self._keep_all()

    def candles(self, name: str, since_ms: int = 0) -> Rows:
        """All candles of a file since a moment, the waiting ones too; raises OSError."""
        left = self._left_by_another().get(name, NONE)
        found = self._file(name).candles(since_ms)
        return ohlcv.merge(found, left.since(since_ms))

    def newest(self, name: str, since_ms: int) -> Rows:
        """See `CandleFile.newest`; raises Damaged or OSError."""
        return self._file(name).newest(since_ms)

    def names(self) -> list[str]:
        """Names of the files that have candles waiting, or had."""
        left = self._left_by_another()
        with self._lock:
            return [*self._files, *left]

    def write_due(self) -> None:
        """Write the files that are due, as long as the share of time for writing lasts."""
        if self._behind and self._clock() >= self._again_at:
            with self._journalling:
                self._keep_all()
        while (file := self._next_due()) is not None:
            started = self._clock()
            self._write(file)
            with self._lock:
                self._allowance_s -= self._clock() - started

    def write_all(self, within_s: float = math.inf) -> None:
        """Write every candle that waits, file by file, as long as `within_s` lasts."""
        until = self._clock() + within_s
        with self._lock:
            everything = list(self._files.values())
        for file in everything:
            if self._clock() >= until:
                return
            self._write(file)

    def write(self, name: str) -> None:
        """Write what waits for one file, now."""
        with self._lock:
            file = self._files.get(name)
        if file is not None:
            self._write(file)

    def count(self) -> dict[str, int]:
        """How many files were set aside or repaired, candles not kept, and candles that wait, in the journal or not."""
        totals = self._totals.now()
        totals["set_aside"] += self._journal.set_aside
        return totals | {
            "repaired": self._journal.repaired,
            "unsafe": totals["waiting"] if self._behind else 0,
            "journal_bytes": self._journal.size,
        }

    # -- the journal -----------------------------------------------------------------------------------------------

    def _take_in(self, batch: Batch) -> None:
        with self._lock:
            for name, candles in batch:
                file = self._files.get(name) or self._new(name)
                if len(lost := file.add(candles)):
                    self._on_lost(name, lost)
                at_once = not file.stored or len(candles) > max(file.stored, HISTORY)
                self._schedule(name, 0.0 if at_once else _pace(name, file.stored, len(self._files)))

    def _keep(self, batch: Batch) -> None:
        with self._journal_noted():
            self._journal.append(batch)

    def _keep_all(self) -> None:
        """Everything that waits into a new segment, where the journal was refused or has lost its place."""
        self._behind = True
        if self._periods is None:
            return
        with self._lock:
            everything = [(name, file.waiting) for name, file in self._files.items()]
        with self._journal_noted():
            self._journal.begin_anew([(name, candles) for name, candles in everything if len(candles)])

    @contextmanager
    def _journal_noted(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            self._behind, self._again_at = True, self._clock() + RETRY_S
            self._on_result(JOURNAL, error)
        else:
            if self._behind:
                self._try_refused_again()
            self._behind = False
            self._on_result(JOURNAL, None)

    def _is_held_up(self) -> bool:
        """Whether the journal is long for the sake of few candles: those of a file that cannot be written."""
        return self._journal.size > LONG_JOURNAL and self._journal.size > 4 * ROW_BYTES * self._totals.now()["waiting"]

    def _left_by_another(self) -> dict[str, Rows]:
        """What waits in the journal of a folder that we do not own."""
        while self._periods is None and (stamps := self._stamps()) != self._left[0]:
            found: dict[str, list[Rows]] = {}
            for batch in segments.waiting_in(path for path, _ in stamps):
                for name, candles in batch:
                    if is_head(name):
                        found.setdefault(name, []).append(candles)
            if all(path.exists() for path, _ in stamps):  # what has gone may have gone on to a newer segment
                self._left = stamps, {name: ohlcv.joined(each) for name, each in found.items()}
                break
        return self._left[1] if self._periods is None else {}

    def _stamps(self) -> Stamps:
        return tuple((path, stamp) for path in segments.listed(self._journal.folder) if (stamp := files.stamp_of(path)))

    # -- writing ---------------------------------------------------------------------------------------------------

    def _file(self, name: str) -> CandleFile:
        with self._lock:
            file = self._files.get(name)
        return file or CandleFile(self.folder / name, Totals(), self._periods_of(name))

    def _new(self, name: str) -> CandleFile:
        file = self._files[name] = CandleFile(self.folder / name, self._totals, self._periods_of(name))
        return file

    def _periods_of(self, name: str) -> list[str] | None:
        owned = self._periods
        return None if owned is None else owned.get(name, [])

    def _schedule(self, name: str, delay_s: float) -> None:
        """Have a file written after `delay_s`, or sooner where that was said before."""
        due = self._clock() + delay_s
        if due < self._scheduled.get(name, math.inf):
            self._scheduled[name] = due
            heapq.heappush(self._due, (due, name))

    def _try_refused_again(self) -> None:
        """The medium takes the journal again, and so it may take the files: now, rather than after `RETRY_S`."""
        with self._lock:
            for name in self._refused:
                self._schedule(name, 0.0)

    def _next_due(self) -> CandleFile | None:
        with self._lock:
            now = self._clock()
            earned_s = (now - self._allowed_at) * WRITING_SHARE
            self._allowance_s, self._allowed_at = min(BURST_S, self._allowance_s + earned_s), now
            while self._allowance_s > 0 and self._due and self._due[0][0] <= now:
                due, name = heapq.heappop(self._due)
                if self._scheduled.get(name) == due:  # not one that was put forward
                    del self._scheduled[name]
                    return self._files[name]
            return None

    def _write(self, file: CandleFile) -> None:
        name = file.path.name
        with self._journalling:  # what the journal has by now is in memory too, and so will be in the file
            through = self._journal.number
        try:
            file.write()
        except OSError as error:
            with self._lock:
                self._refused.add(name)
                self._schedule(name, RETRY_S)
            self._on_result(name, error)
        else:
            with self._lock:
                self._refused.discard(name)
            with self._journalling:
                self._journal.settle(name, through)
                if self._behind and not self._totals.now()["waiting"]:
                    self._keep_all()
            self._on_result(name, None)


@lru_cache(maxsize=MOST_NAMES)
def is_head(name: str) -> bool:
    """Whether a name in a journal is that of an OHLCV file, and leads nowhere else."""
    found = names.try_candle_file(name)
    return found is not None and found.period is None


def _pace(name: str, stored: int, count: int) -> float:
    """Seconds until a file of `stored` candles, one of `count`, is worth a rewrite; half of it differs by name."""
    spread = 0.5 + zlib.crc32(name.encode()) / 2**33
    return REWRITE_S * max(1.0, stored / ROWS_AT_THAT_PACE) * max(1.0, count / FILES_AT_THAT_PACE) * spread
