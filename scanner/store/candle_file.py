"""One market and timeframe on disk: a Parquet head, sealed parts beside it, and the candles that wait for them."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from scanner.store import files, names, ohlcv, parts, places, regular
from scanner.store.ohlcv import NONE, Rows
from scanner.timeframes import DAY_MS

logger = logging.getLogger(__name__)

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
    """One history and the candles that wait for it; what happens to them is added to `totals`.

    Parameters
    ----------
    path : Path
        The head; parts lie beside it.
    periods : iterable of str, optional
        Which parts there are; by default those there are whenever somebody reads.

    Attributes
    ----------
    stored : int
        Candles in the head when it was last written.
    periods : frozenset of str or None
        The parts; None where another process may make more of them.
    """

    def __init__(self, path: Path, totals: Totals, periods: Iterable[str] | None = None) -> None:
        self.path, self._totals = path, totals
        self.stored = 0
        self._timeframe = names.timeframe_of(path.name)
        self.periods = None if periods is None else frozenset(periods)
        self._lock = threading.Lock()
        self._writing = threading.Lock()
        self._refused = False  # whether the last write failed
        self._day: int | None = None  # of the newest candle when all were looked at
        self._waiting = NONE
        self._added: list[Rows] = []

    def add(self, candles: Rows) -> Rows:
        """Have candles wait; those that had to go for them, because their file cannot be written."""
        lost = NONE
        with self._lock:
            self._added.append(candles)
            self._totals.add(waiting=len(candles))
            surplus = self._refused and max(0, self._count() - MOST_WAITING) and len(self._merged()) - MOST_WAITING
            if surplus > 0:
                lost = Rows(self._waiting.open_time[:surplus], self._waiting.values[:surplus])
                self._wait_for(Rows(self._waiting.open_time[surplus:], self._waiting.values[surplus:]))
        if surplus > 0:
            self._totals.add(not_kept=surplus)
        return lost

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

    def candles(self, since_ms: int = 0) -> Rows:
        """What is stored and what waits since a moment; a damaged file counts as empty. Raises OSError."""
        waiting = self.waiting  # taken before the files are read: a rewrite in between must not hide it
        head = _forgiving(self.path)  # and the head before the parts, which candles move to
        first_ms = int(head.open_time[0]) if len(head) else None
        older = self._periods_after(since_ms) if first_ms is None or first_ms > since_ms else []
        history = ohlcv.joined([_forgiving(self._part(period)) for period in older])
        return ohlcv.merge(ohlcv.merge(history, head), waiting).since(since_ms)

    def newest(self, since_ms: int) -> Rows:
        """The stored candles since a moment, and maybe older ones; raises Damaged or OSError."""
        head = _passing_over(self.path, since_ms)
        if len(head) and head.open_time[0] <= since_ms:
            return head
        older = [_passing_over(self._part(each)) for each in self._periods_after(since_ms)]
        return ohlcv.merge(ohlcv.joined(older), head)

    def write(self, *, even_if_nothing_waits: bool = False) -> None:
        """Merge what waits into the head, and what has become old or came late into sealed parts.

        What a killed process had put into a part and not yet taken from the head leaves the head as well.

        Raises
        ------
        OSError
            It could not be written; every file is as it was and the candles still wait.
        """
        with self._writing:
            waiting = self.waiting
            if not len(waiting) and not even_if_nothing_waits:
                return
            self._refused = True  # until it is done
            today = int(waiting.open_time[-1]) // DAY_MS if len(waiting) else None
            if self.stored and today == self._day and (longer := places.continued(_content(self.path), waiting)):
                files.replace(self.path, longer)
                self.stored += len(waiting)
                self._done(waiting)
                return
            stored, damaged = self._stored(self.path)
            merged = ohlcv.merge(stored, waiting)
            seam_ms = self._seam_ms(merged)
            cut_ms = max(seam_ms, parts.cut_ms(merged, self._timeframe))
            head, changes = merged.since(cut_ms), [*self._changed_parts(merged.before(cut_ms))]
            if damaged or not head.equals(stored):
                text = places.rewritten(b"" if damaged else _content(self.path), stored, head)
                changes.append(files.Change(self.path, text, keep_old=damaged))
            self._replace(changes)
            self.stored, self._day = len(head), today
            self._done(waiting)

    def _periods_now(self) -> frozenset[str]:
        """The parts; where another process makes them the head must be read first, or one may be missed."""
        return names.periods_of(self.path) if self.periods is None else self.periods

    def _periods_after(self, since_ms: int) -> list[str]:
        return sorted(period for period in self._periods_now() if parts.end_ms(period) > since_ms)

    def _seam_ms(self, candles: Rows) -> int:
        """Where the newest part ends; one of a time after all candles is none of ours."""
        newest_ms = int(candles.open_time[-1]) if len(candles) else 0
        return max((end for end in map(parts.end_ms, self._periods_now()) if end <= newest_ms), default=0)

    def _done(self, written: Rows) -> None:
        self._refused = False
        with self._lock:
            self._wait_for(_without(self._merged(), written))

    def _changed_parts(self, old: Rows) -> Iterable[files.Change]:
        for period, candles in parts.by_period(old, self._timeframe):
            path = self._part(period)
            stored, damaged = self._stored(path)
            merged = ohlcv.merge(stored, candles)
            if damaged or not merged.equals(stored):
                yield files.Change(path, ohlcv.encode(merged), keep_old=damaged)
            self.periods = self._periods_now() | {period}

    def _replace(self, changes: list[files.Change]) -> None:
        if changes:
            files.replace_all(changes)
            self._totals.add(set_aside=sum(change.keep_old for change in changes))

    def _part(self, period: str) -> Path:
        return self.path.with_name(parts.part_of(self.path.name, period))

    def _wait_for(self, candles: Rows) -> None:
        self._totals.add(waiting=len(candles) - len(self._waiting))
        self._waiting = candles

    def _stored(self, path: Path) -> tuple[Rows, bool]:
        """The candles in a file, and whether it is damaged."""
        try:
            return read(path), False
        except ohlcv.Damaged as error:
            logger.warning("%s is damaged: %s", path.name, error)
            return NONE, True


def read(path: Path, since_ms: int | None = None) -> Rows:
    """The candles of a file (see `ohlcv.read`), none if there is no file; raises Damaged or OSError.

    Read through one open handle: a path is opened twice by pandas and pyarrow, and may be replaced in between.
    """
    try:
        with regular.opened(path) as file:
            return ohlcv.read(file, since_ms)
    except (FileNotFoundError, NotADirectoryError):
        return NONE


def _content(path: Path) -> bytes:
    """The bytes of a file, none if there is no file."""
    with suppress(FileNotFoundError, NotADirectoryError):
        return regular.content(path)
    return b""


def _passing_over(path: Path, since_ms: int | None = None) -> Rows:
    """The candles of a file, none where something else has its name; raises Damaged or OSError."""
    try:
        return read(path, since_ms)
    except regular.Foreign as error:
        logger.warning("passed over: %s", error.strerror)
        return NONE


def _forgiving(path: Path) -> Rows:
    try:
        return _passing_over(path)
    except ohlcv.Damaged:
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
