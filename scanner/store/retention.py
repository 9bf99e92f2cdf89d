"""How much of the past is kept: whole files go, the oldest first; never those of today, never anybody else's.

What may go are files of a day that is over (signals, clustering, gaps, universe) and sealed parts of histories. Heads
stay, with at least the last 90 days of candles, and so does whatever was set aside or is not ours by its name. Days are
those on which something of an exchange was kept, not those of a clock: one that is wrong for a while, or the fast one
of a simulated exchange in the same folder, makes nobody's files old.
"""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

from scanner.records import utc
from scanner.store import files, names, parts, regular
from scanner.store.daily import DayFiles
from scanner.store.folder_size import size_of
from scanner.store.health import Health

logger = logging.getLogger(__name__)

TRIM_S = 600.0
OLD_FILES = "old files"  # in messages: they cannot be removed
OF_MARKETS, OF_EXCHANGES = (names.SIGNALS, names.CLUSTERING), (names.GAPS, names.UNIVERSE, names.LATE)
_LOOKED_AT = 1000  # bytes at the begin of a file that show whose it is


@dataclass(frozen=True)
class Limits:
    """How much is kept; 0 sets no limit.

    Attributes
    ----------
    days : int
        Of each exchange that many days with data are kept beside its newest.
    total_bytes : int
        As many go as make the data folder no larger.
    free_bytes : int
        As many go as leave this much of the disk free.
    """

    days: int = 0
    total_bytes: int = 0
    free_bytes: int = 0

    def __bool__(self) -> bool:
        return bool(self.days or self.total_bytes or self.free_bytes)


class Trimmer:
    """Every ten minutes gives up what is not needed any more: twins of days that are over, files beyond the limits.

    Attributes
    ----------
    removed : int
        How many files have gone.
    """

    def __init__(
        self,
        base: Path,
        folders: Iterable[Path],
        days: Iterable[DayFiles],
        limits: Limits,
        health: Health,
        clock: Callable[[], float],
    ) -> None:
        self._base, self._folders, self._days, self._limits = base, tuple(folders), tuple(days), limits
        self._health, self._clock = health, clock
        self.removed, self._due_at = 0, 0.0

    def trim_if_due(self, now_ms: int) -> bool:
        """Do it, if ten minutes have passed, and say so; what cannot be removed shows in the store's health."""
        if self._clock() < self._due_at:
            return False
        self._due_at = self._clock() + TRIM_S
        yesterday = (utc(now_ms).date() - timedelta(days=1)).isoformat()
        try:
            for days in self._days:
                days.rest(yesterday)
            if self._limits:
                self.removed += trim(self._base, self._folders, self._limits, now_ms)
        except OSError as error:
            self._health.note(OLD_FILES, error)
        else:
            self._health.note(OLD_FILES, None)
        return True


class Kept(NamedTuple):
    """A file about some days: the last of them, whose it is, its size, and how much of the disk it takes."""

    day: date
    path: Path
    exchange: str
    size: int
    room: int


def trim(base: Path, folders: Iterable[Path], limits: Limits, now_ms: int) -> int:
    """Remove what exceeds the limits; returns how many files that were.

    Parameters
    ----------
    folders : iterable of Path
        Where files may go; only those directly in them.
    now_ms : int
        Market time.

    Raises
    ------
    OSError
        A file cannot be removed, or a folder not be read.
    """
    removed = 0
    too_large, too_full = _excess(base, folders := tuple(folders), limits)
    for old, is_beyond in _that_may_go([found for folder in folders for found in _kept(folder)], limits.days, now_ms):
        if not is_beyond and too_large <= 0 and too_full <= 0:
            continue
        old.path.unlink(missing_ok=True)
        for ending in files.LEFTOVERS:
            with suppress(regular.Foreign):
                regular.remove(files.hidden(old.path, ending))
        too_large, too_full, removed = too_large - old.size, too_full - old.room, removed + 1
    if removed:
        logger.info("removed %d old files", removed)
    if (excess := max(too_large, too_full)) > 0:
        logger.warning("%d MB too much are kept, but all of it is of today or a head", excess // 1_000_000 + 1)
    return removed


def _excess(base: Path, folders: Iterable[Path], limits: Limits) -> tuple[int, int]:
    """By how many bytes the files are too large, but those that links lead to, and by how many the disk is too full."""
    linked = sum(map(regular.bytes_behind_links, (base, *folders))) if limits.total_bytes else 0
    total = size_of(base)["bytes"] - linked - limits.total_bytes if limits.total_bytes else 0
    free = limits.free_bytes - shutil.disk_usage(base).free if limits.free_bytes else 0
    return total, free


def _that_may_go(kept: Sequence[Kept], days: int, now_ms: int) -> Iterator[tuple[Kept, bool]]:
    """The files of days that are over, oldest first, and whether more than so many days have come since."""
    found: dict[str, set[date]] = {}
    for each in kept:
        found.setdefault(each.exchange, set()).add(each.day)
    newest = {exchange: sorted(known)[-(days + 1) :] for exchange, known in found.items()}
    for each in sorted(kept):
        if each.day < min(utc(now_ms).date(), newest[each.exchange][-1]):
            yield each, days > 0 and each.day < newest[each.exchange][0]


def _kept(folder: Path) -> Iterator[Kept]:
    """The files of a folder that are about some days, and end."""
    for name in regular.names_in(folder):
        day = _last_day(folder / name)
        if day is not None:
            with suppress(FileNotFoundError):
                status = (folder / name).lstat()
                room = getattr(status, "st_blocks", 0) * 512 or status.st_size
                yield Kept(day, folder / name, name.partition("_")[0], status.st_size, room)


def _last_day(path: Path) -> date | None:
    """The last day a file is about; None where it is not one of ours in its folder, or has no end."""
    if path.parent.name == names.OHLCV:
        candles = names.try_candle_file(path.name)
        return utc(parts.end_ms(candles.period) - 1).date() if candles is not None and candles.period else None
    if path.parent.name in OF_MARKETS and (of_market := names.try_day_file(path.name)) is not None:
        return of_market.day
    if path.parent.name in OF_EXCHANGES:
        return _day_of_exchange(path)
    return None


def _day_of_exchange(path: Path) -> date | None:
    """The day of an exchange's file. Such a short name may be anybody's, so its first record must name the exchange."""
    found = names.try_exchange_file(path.name)
    if found is None:
        return None
    with suppress(OSError), regular.opened(path) as file:
        begin = file.read(_LOOKED_AT)
        is_ours = re.search(rb'"exchange"\s*:\s*"%s"' % found.exchange.encode(), begin) is not None
        return found.day if is_ours else None
    return None
