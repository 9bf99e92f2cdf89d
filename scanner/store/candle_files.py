"""OHLCV files: new candles wait in memory and are merged into their Parquet file when that is worth a rewrite.

A Parquet file cannot grow; a new candle means writing the whole file again. So a file is rewritten once in a while, the
longer its history and the more files the rarer, which keeps the cost independent of years and markets; the moments are
spread by name so that not all files fall due together, and writing takes a bounded share of the time. The first
candles of a market are written at once. Who reads through the store sees waiting candles too; what waits when the
process is killed is fetched from the exchange again.
"""

from __future__ import annotations

import heapq
import logging
import math
import threading
import zlib
from collections.abc import Callable
from pathlib import Path

from scanner.store import files, ohlcv
from scanner.store.ohlcv import NONE, Rows

logger = logging.getLogger(__name__)

REWRITE_S = 300.0  # between two rewrites of one file, up to ROWS_AT_THAT_PACE candles
ROWS_AT_THAT_PACE = 10_000
FILES_AT_THAT_PACE = 1_000  # a rewrite costs 1 ms of processor: with 8,000 files still no more than 4 a second
RETRY_S = 30.0  # after a write that failed
WRITING_SHARE = 0.1  # of the time, on average
BURST_S = 0.5  # of writing at once: signals wait meanwhile
MOST_WAITING = 100_000  # candles per file that cannot be written; then the oldest go


class Totals:
    """What is counted over all files of a folder as it happens: asking costs the same for one file and for thousands.

    ``waiting``: candles not in their file yet; ``set_aside``: damaged files renamed; ``not_kept``: waiting candles
    dropped because their file could not be written for too long.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = {"set_aside": 0, "not_kept": 0, "waiting": 0}

    def add(self, **changes: int) -> None:
        with self._lock:
            for name, change in changes.items():
                self._counts[name] += change

    def now(self) -> dict[str, int]:
        with self._lock:
            return dict(self._counts)


class CandleFile:
    """One Parquet file and the candles that wait for it; what happens to them is added to `totals`.

    Attributes
    ----------
    stored : int
        Candles in the file when it was last read or written.
    """

    def __init__(self, path: Path, totals: Totals) -> None:
        self.path, self._totals = path, totals
        self.stored = 0
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._waiting = NONE
        self._added: list[Rows] = []

    def add(self, candles: Rows) -> None:
        with self._lock:
            self._added.append(candles)
            self._totals.add(waiting=len(candles))
            surplus = max(0, self._count() - MOST_WAITING) and max(0, len(self._merged()) - MOST_WAITING)
            if surplus:
                self._wait_for(Rows(self._waiting.open_time[surplus:], self._waiting.values[surplus:]))
        if surplus:
            self._totals.add(not_kept=surplus)

    @property
    def waiting(self) -> Rows:
        with self._lock:
            return self._merged()

    def _count(self) -> int:
        return len(self._waiting) + sum(map(len, self._added))

    def _merged(self) -> Rows:
        """What waits, put in order: not before somebody looks, for most candles come one by one."""
        while self._added:
            candles = self._added.pop(0)
            self._totals.add(waiting=-len(candles))
            self._wait_for(ohlcv.merge(self._waiting, candles))
        return self._waiting

    def candles(self) -> Rows:
        """What is stored and what waits; a damaged file counts as empty."""
        waiting = self.waiting  # taken before the file is read: a rewrite in between must not hide it
        try:
            return ohlcv.merge(read(self.path), waiting)
        except ohlcv.Damaged:
            return waiting

    def write(self) -> None:
        """Merge what waits into the file.

        Raises
        ------
        OSError
            It could not be written; the file is as it was and the candles still wait.
        """
        with self._writing:
            waiting = self.waiting
            if not len(waiting):
                return
            stored, damaged = self._stored()
            merged = ohlcv.merge(stored, waiting)
            if damaged or not merged.equals(stored):
                files.replace(self.path, ohlcv.encode(merged), keep_old=damaged)
                self._totals.add(set_aside=int(damaged))
            self.stored = len(merged)
            with self._lock:
                self._wait_for(_without(self._merged(), waiting))

    def _wait_for(self, candles: Rows) -> None:
        self._totals.add(waiting=len(candles) - len(self._waiting))
        self._waiting = candles

    def _stored(self) -> tuple[Rows, bool]:
        """The candles in the file, and whether it is damaged."""
        try:
            return read(self.path), False
        except ohlcv.Damaged as error:
            logger.warning("%s is damaged: %s", self.path.name, error)
            return NONE, True


def read(path: Path, since_ms: int | None = None) -> Rows:
    """The candles of a file (see `ohlcv.read`), none if there is no file; raises Damaged or OSError.

    Read through one open handle: a path is opened twice by pandas and pyarrow, and may be replaced in between.
    """
    try:
        with path.open("rb") as file:
            return ohlcv.read(file, since_ms)
    except (FileNotFoundError, NotADirectoryError):
        return NONE


def _without(waiting: Rows, written: Rows) -> Rows:
    """What still waits once `written` is in the file: candles that came, or changed, during the write."""
    if waiting is written:
        return NONE
    known = dict(zip(written.open_time.tolist(), written.values.tolist(), strict=True))
    news = [known.get(moment) != value for moment, value in zip(*_listed(waiting), strict=True)]
    return Rows(waiting.open_time[news], waiting.values[news])


def _listed(candles: Rows) -> tuple[list[int], list[list[float]]]:
    return candles.open_time.tolist(), candles.values.tolist()


class CandleFiles:
    """The OHLCV files of one folder, and when each is to be written. Every method may be called from any thread.

    Parameters
    ----------
    clock : callable
        Seconds that only grow (`time.monotonic`).
    on_result : callable
        Called with a file's name and the error of a write, or None when it succeeded.
    """

    def __init__(
        self, folder: Path, clock: Callable[[], float], on_result: Callable[[str, OSError | None], None]
    ) -> None:
        self.folder = folder
        self._clock, self._on_result = clock, on_result
        self._lock = threading.Lock()
        self._files: dict[str, CandleFile] = {}
        self._totals = Totals()
        self._due: list[tuple[float, str]] = []
        self._scheduled: set[str] = set()
        self._allowance_s, self._allowed_at = BURST_S, clock()

    def add(self, name: str, candles: Rows) -> None:
        """Have candles kept: they are readable at once and written in due time."""
        if not len(candles):
            return
        with self._lock:
            file = self._files.get(name) or self._new(name)
            file.add(candles)
            self._schedule(name, 0.0 if not file.stored else _pace(name, file.stored, len(self._files)))

    def candles(self, name: str) -> Rows:
        """All candles of a file, the waiting ones too; raises OSError."""
        with self._lock:
            file = self._files.get(name) or CandleFile(self.folder / name, Totals())
        return file.candles()

    def names(self) -> list[str]:
        """Names of the files that have candles waiting, or had."""
        with self._lock:
            return list(self._files)

    def write_due(self) -> None:
        """Write the files that are due, as long as the share of time for writing lasts."""
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
        """How many files were set aside, candles not kept, and candles that wait."""
        return self._totals.now()

    def _new(self, name: str) -> CandleFile:
        file = self._files[name] = CandleFile(self.folder / name, self._totals)
        return file

    def _schedule(self, name: str, delay_s: float) -> None:
        if name not in self._scheduled:
            self._scheduled.add(name)
            heapq.heappush(self._due, (self._clock() + delay_s, name))

    def _next_due(self) -> CandleFile | None:
        with self._lock:
            now = self._clock()
            earned_s = (now - self._allowed_at) * WRITING_SHARE
            self._allowance_s, self._allowed_at = min(BURST_S, self._allowance_s + earned_s), now
            if self._allowance_s <= 0 or not self._due or self._due[0][0] > now:
                return None
            name = heapq.heappop(self._due)[1]
            self._scheduled.discard(name)
            return self._files[name]

    def _write(self, file: CandleFile) -> None:
        name = file.path.name
        try:
            file.write()
        except OSError as error:
            with self._lock:
                self._schedule(name, RETRY_S)
            self._on_result(name, error)
        else:
            self._on_result(name, None)


def _pace(name: str, stored: int, files: int) -> float:
    """Seconds until a file of `stored` candles, one of `files`, is worth a rewrite; half of it differs by name."""
    spread = 0.5 + zlib.crc32(name.encode()) / 2**33
    return REWRITE_S * max(1.0, stored / ROWS_AT_THAT_PACE) * max(1.0, files / FILES_AT_THAT_PACE) * spread
