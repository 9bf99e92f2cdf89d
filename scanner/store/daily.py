"""Day files: JSON arrays that grow, and that a reader never sees half grown.

An append must turn the closing bracket of the array into a comma and put a new bracket further on. Done in place, even
by one write call, that is not one step for a reader: it may read the old bracket and then the new tail, or half a
record; with a writer and two readers at full speed 5 of 1,000 reads were broken that way. So each file has a hidden
twin that is one append behind. An append writes what the twin lacks and the new records over the bracket of the *twin*,
with one write call, then swaps the two names by renaming. The bytes under the public name are never written to; the
cost does not depend on the length; a writer that is killed or meets a full disk leaves at most a bad twin, which is
thrown away.

A reader that took the file before a swap and is still reading at the next append is spared as well: the twin it has
open is left to it and a new one is copied. That question can be asked on Linux only; elsewhere such a reader, slower
than the time between two appends, may see a mixture.
"""

from __future__ import annotations

import logging
import os
import threading
from array import array
from bisect import bisect_left
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from scanner.store import arrays, files, regular
from scanner.store.moments import Key

logger = logging.getLogger(__name__)

KeyOf = Callable[[dict[str, Any]], Key | None]
OnWritten = Callable[[Path], object]
MOST_KNOWN = 10_000  # files whose keys are kept in memory; older ones are read again when they are written again


class Seen:
    """The keys a file holds: sorted int64 per timeframe, 8 bytes each."""

    def __init__(self, keys: Iterable[Key] = ()) -> None:
        self._moments: dict[str, array[int]] = {}
        for key in keys:
            self.add(key)

    def __contains__(self, key: Key) -> bool:
        moments = self._moments.get(key.timeframe, ())
        at = bisect_left(moments, key.moment_ms)
        return at < len(moments) and moments[at] == key.moment_ms

    def add(self, key: Key) -> None:
        moments = self._moments.setdefault(key.timeframe, array("q"))
        at = bisect_left(moments, key.moment_ms)
        if at == len(moments) or moments[at] != key.moment_ms:
            moments.insert(at, key.moment_ms)


class DayFile:
    """One array file that only this process writes.

    Attributes
    ----------
    found : State
        In what state the file was when it was opened; by then it has been repaired or set aside.
    seen : Seen
        Keys of the records in it.
    """

    def __init__(self, path: Path, key_of: KeyOf) -> None:
        self.path = path
        self._twin, self._spare = files.hidden(path, "twin"), files.hidden(path, "spare")
        self._twin_stamp: files.Stamp | None = None  # of the twin as we left it; None: there is none
        self._twin_end = 0
        self._discard_twin()
        content = self._read()
        self.found = content.state
        if content.state is not arrays.State.SOUND:
            content = self._restored(content)
        self.seen = Seen(key for record in content.records if (key := key_of(record)) is not None)
        self._empty, self._end = not content.records, content.end
        self._stamp = files.stamp_of(self.path)

    def is_unchanged(self) -> bool:
        """Whether the file is as we left it."""
        return files.stamp_of(self.path) == self._stamp

    def append(self, lines: Sequence[bytes]) -> None:
        """Add encoded records, all at once.

        Raises
        ------
        OSError
            None of them was added; the file is as it was.
        """
        added = arrays.addition(lines, after_another=not self._empty)
        try:
            stamp = self._write_twin(added)
            kept = self._swap()
        except OSError:
            with suppress(regular.Foreign):
                self._discard_twin()
            raise
        self._twin_stamp, self._twin_end = (self._stamp, self._end) if kept else (None, 0)
        self._stamp, self._end, self._empty = stamp, self._end + len(added), False

    def close(self) -> None:
        """Leave the public file alone in its folder, or what is there in place of our twin; raises OSError."""
        with suppress(regular.Foreign):
            self._discard_twin()

    def _read(self) -> arrays.Content:
        try:
            with regular.opened(self.path) as file:
                return arrays.load(file)
        except FileNotFoundError:
            return arrays.read(b"")

    def _restored(self, content: arrays.Content) -> arrays.Content:
        """Put a sound file of the readable records in the place of a damaged one; foreign bytes are kept aside."""
        logger.warning("%s is %s, %d records are whole", self.path.name, content.state.value, len(content.records))
        text = arrays.whole([arrays.encode(record) for record in content.records])
        files.replace(self.path, text, keep_old=content.state is arrays.State.FOREIGN)
        return arrays.read(text)

    def _write_twin(self, added: bytes) -> files.Stamp:
        """Bring the twin up to date and `added` into it; returns its stamp."""
        descriptor = self._reusable_twin()
        start = self._twin_end if descriptor is not None else 0
        known = self._content(start) if self._stamp else arrays.OPENING
        if descriptor is None:
            regular.refuse_foreign(self._twin)
            descriptor = os.open(self._twin, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            files.write_all(descriptor, known + added + arrays.CLOSING, start)
            return files.as_stamp(os.fstat(descriptor))
        finally:
            os.close(descriptor)

    def _reusable_twin(self) -> int | None:
        """The twin's descriptor; None if there is no twin, or a reader still has it open."""
        if self._twin_stamp is None:
            return None
        try:
            descriptor = os.open(self._twin, os.O_RDWR | getattr(os, "O_NOFOLLOW", 0))
        except FileNotFoundError:  # cleared away: by a cleaner of hidden files, or as the folder was taken again
            self._discard_twin()
            return None
        status = os.fstat(descriptor)
        ours = files.as_stamp(status) == self._twin_stamp and status.st_nlink == 1  # nobody's hard-linked backup
        if ours and not files.is_being_read(descriptor):
            return descriptor
        os.close(descriptor)
        self._discard_twin()
        return None

    def _content(self, start: int) -> bytes:
        """The file's bytes from `start` to the end of its last record."""
        with self.path.open("rb", buffering=0) as current:
            current.seek(start)
            data = current.read(self._end - start)
        return data or arrays.OPENING[start:]  # an empty file has not even its opening bracket

    def _swap(self) -> bool:
        """Give the public name to the twin; whether the old file could be kept as the next twin."""
        try:
            os.link(self.path, self._spare)
        except OSError:  # no old file yet, or a file system without hard links: the next append copies
            files.rename(self._twin, self.path)
            with suppress(OSError):
                regular.remove(self._spare)  # one that could not be renamed would be in the way for ever
            return False
        files.rename(self._twin, self.path)
        with suppress(OSError):
            files.rename(self._spare, self._twin)
            return True
        return False

    def _discard_twin(self) -> None:
        self._twin_stamp, self._twin_end = None, 0
        for path in (self._twin, self._spare):
            regular.remove(path)


class DayFiles:
    """The day files of one folder. Every method may be called from any thread.

    No file stays open between two calls. `repaired` and `set_aside` count what was found damaged.

    Parameters
    ----------
    key_of : callable
        What a record is kept once by.
    on_written : callable
        Is told of every file that has new content.
    """

    def __init__(self, folder: Path, key_of: KeyOf, on_written: OnWritten = lambda path: None) -> None:
        self.folder, self._on_written = folder, on_written
        self.repaired = self.set_aside = 0
        self._key_of = key_of
        self._lock = threading.Lock()
        self._known: OrderedDict[str, DayFile] = OrderedDict()

    def append(self, name: str, entries: Sequence[tuple[Key | None, bytes]]) -> int:
        """Add encoded records to the file `name`, those with a key only if the file does not hold it yet.

        Returns
        -------
        int
            How many were added; the rest was there already.

        Raises
        ------
        OSError
            The file could not be written; it holds none of them and is otherwise as it was.
        """
        with self._lock:
            day = self._day(name)
            keys, lines = _new_ones(entries, day.seen)
            if lines:
                day.append(lines)
                self._on_written(day.path)
            for key in keys:
                day.seen.add(key)
            return len(lines)

    def has(self, name: str, key: Key) -> bool:
        """Whether the file `name` holds a record with that key; raises OSError."""
        with self._lock:
            return key in self._day(name).seen

    def rest(self, before: str) -> None:
        """Remove the twins of files of days before ``2025-10-24``: hardly anything is added to them any more."""
        with self._lock:
            for name in [name for name in self._known if name[-len("2025-10-24.json") : -len(".json")] < before]:
                self._known.pop(name).close()

    def close(self) -> None:
        """Remove the twins."""
        with self._lock:
            while self._known:
                self._known.popitem()[1].close()

    def _day(self, name: str) -> DayFile:
        day = self._known.get(name)
        if day is None or not day.is_unchanged():
            day = self._known[name] = DayFile(self.folder / name, self._key_of)
            self.repaired += day.found is arrays.State.TORN
            self.set_aside += day.found is arrays.State.FOREIGN
        self._known.move_to_end(name)
        if len(self._known) > MOST_KNOWN:
            self._known.popitem(last=False)[1].close()
        return day


def _new_ones(entries: Sequence[tuple[Key | None, bytes]], seen: Seen) -> tuple[list[Key], list[bytes]]:
    """Keys and lines of the entries that are not in `seen`, the first of those with one key."""
    fresh: dict[Key, None] = {}
    lines = []
    for key, line in entries:
        if key is None:
            lines.append(line)
        elif key not in seen and key not in fresh:
            fresh[key] = None
            lines.append(line)
    return list(fresh), lines
