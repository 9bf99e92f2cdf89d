"""The journal: closed candles are in it as soon as they are known, in their Parquet files when that is worth a rewrite.

A segment is a file that only grows. Each cycle adds one batch, the candles of all its markets, by one write that is on
the medium before it counts. A start reads the segments again; a segment goes once all its candles are in their files,
the oldest first, so that of two values of a candle the later one always wins. Of a batch cut short by a crash nothing
was acknowledged: it is cut off and counted. A segment with damage before its end is set aside as a whole once what can
be read of it has been, the batches behind the damage too.
"""

from __future__ import annotations

import logging
import os
import re
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from enum import Enum
from pathlib import Path
from typing import NamedTuple

import numpy as np

from scanner.store import files, names, regular
from scanner.store.ohlcv import COLUMNS, Rows

logger = logging.getLogger(__name__)

FOLDER = names.JOURNAL
SEGMENT_BYTES = 8_000_000
OPENING = b"candles1"
_BATCH = struct.Struct("<4sII")  # mark, length of the content, its CRC-32
_COUNTS = struct.Struct("<III")  # files, candles, bytes of the names
_MARK = b"\nBAT"
_NAME = re.compile(r"candles-(?P<number>\d{8,18})\.journal", re.ASCII)

Batch = Sequence[tuple[str, Rows]]  # name of the Parquet file, its candles


class State(Enum):
    """How a segment ends."""

    SOUND = "sound"
    TORN = "torn"  # in a batch cut short
    FOREIGN = "foreign"  # in bytes we did not write, or that have changed since


class Content(NamedTuple):
    """What a segment holds: its whole batches, the offset behind the last of them, and what follows."""

    batches: list[Batch]
    end: int
    state: State


def encode(batch: Batch) -> bytes:
    """A batch as it stands in a segment."""
    names = "\n".join(name for name, _ in batch).encode()
    counts = np.array([len(rows) for _, rows in batch], "<u4")
    content = b"".join(
        [
            _COUNTS.pack(len(batch), int(counts.sum()), len(names)),
            names,
            counts.tobytes(),
            np.concatenate([rows.open_time for _, rows in batch]).astype("<i8").tobytes(),
            np.concatenate([rows.values for _, rows in batch]).astype("<f8").tobytes(),
        ]
    )
    return _BATCH.pack(_MARK, len(content), zlib.crc32(content)) + content


def read(data: bytes) -> Content:
    """What a segment holds, the batches behind damage too; never raises."""
    batches: list[Batch] = []
    if not data.startswith(OPENING) and OPENING.startswith(data.rstrip(b"\0")):
        return Content([], 0, State.TORN)
    at = len(OPENING) if data.startswith(OPENING) else 0
    end, is_damaged = at, at == 0
    while at < len(data):
        found = _batch(data, at)
        if found is not None:
            batches.append(found[0])
            at = end = found[1]
        elif (following := _next_batch(data, at)) < 0:
            return Content(batches, end, State.FOREIGN if is_damaged else _torn_or_foreign(data, at))
        else:
            at, is_damaged = following, True
    return Content(batches, end, State.FOREIGN if is_damaged else State.SOUND)


def _batch(data: bytes, start: int) -> tuple[Batch, int] | None:
    """The batch at `start` and where it ends, None if it is not whole."""
    if len(data) < start + _BATCH.size:
        return None
    mark, length, check = _BATCH.unpack_from(data, start)
    content = data[start + _BATCH.size : start + _BATCH.size + length]
    if mark != _MARK or not 0 < length == len(content) or zlib.crc32(content) != check:
        return None
    with suppress(struct.error, ValueError):
        return _decoded(content), start + _BATCH.size + length
    return None


def _next_batch(data: bytes, damage: int) -> int:
    """Where the first whole batch behind some damage begins, -1 if there is none."""
    at = data.find(_MARK, damage + 1)
    while at >= 0 and _batch(data, at) is None:
        at = data.find(_MARK, at + 1)
    return at


def _torn_or_foreign(data: bytes, end: int) -> State:
    """Torn is what a crash leaves at the very end: a batch without its rest, which may read as zeros."""
    rest = data[end:].rstrip(b"\0")
    if len(rest) < _BATCH.size:
        return State.TORN if rest.startswith(_MARK[: len(rest)]) or rest.startswith(_MARK) else State.FOREIGN
    mark, length, _ = _BATCH.unpack_from(rest)
    return State.TORN if mark == _MARK and len(rest) < _BATCH.size + length else State.FOREIGN


def _decoded(content: bytes) -> Batch:
    files_, candles, length = _COUNTS.unpack_from(content)
    at = _COUNTS.size
    names = content[at : at + length].decode().split("\n")
    counts = np.frombuffer(content, "<u4", files_, at + length)
    at += length + counts.nbytes
    moments = np.frombuffer(content, "<i8", candles, at).astype(np.int64)
    values = np.frombuffer(content, "<f8", candles * len(COLUMNS), at + moments.nbytes).astype(np.float64)
    rows = values.reshape(candles, len(COLUMNS))
    ends = np.cumsum(counts).tolist()
    starts = [0, *ends[:-1]]
    parts = zip(names, starts, ends, strict=True)
    return [(name, Rows(moments[start:end], rows[start:end])) for name, start, end in parts]


class Segment:
    """One file of the journal, and which files' candles in it are not in Parquet yet."""

    def __init__(self, path: Path, size: int) -> None:
        self.path, self.size = path, size
        self.waits: dict[str, int] = {}  # file -> number of the last batch with candles of it

    def settle(self, name: str, through: int) -> None:
        if self.waits.get(name, through + 1) <= through:
            del self.waits[name]


class Journal:
    """The segments of one data folder. Not for several threads at once.

    Parameters
    ----------
    of : Path
        The folder of the files that the candles go on to.

    Attributes
    ----------
    repaired, set_aside : int
        Segments that ended in half a batch; segments damaged otherwise.
    number : int
        How many batches there were.
    """

    def __init__(self, folder: Path, of: Path) -> None:
        self.folder, self._of = folder, of
        self.repaired = self.set_aside = self.number = 0
        self._segments: list[Segment] = []
        self._descriptor: int | None = None

    @property
    def size(self) -> int:
        """Bytes of all segments."""
        return sum(segment.size for segment in self._segments)

    def replay(self, on_failure: Callable[[str, OSError], object]) -> list[Batch]:
        """Every batch that an earlier run left, oldest first; a segment that cannot be read is left as it is.

        Raises
        ------
        OSError
            The folder cannot be read.
        """
        self.close()
        found: list[Batch] = []
        self._segments = []
        for path in segments(self.folder):
            try:
                content = self._sound(path)
            except OSError as error:
                on_failure(f"old {FOLDER}/{path.name}", error)
                continue
            segment = Segment(path, content.end)
            for batch in content.batches:
                self._count(segment, batch)
            self._segments.append(segment)
            found += content.batches
        return found

    def append(self, batch: Batch) -> None:
        """Have a batch on the medium.

        Raises
        ------
        OSError
            It is not; the journal is as it was.
        """
        text = encode(batch)
        descriptor = self._writable()
        segment = self._segments[-1]
        try:
            files.write_all(descriptor, text, segment.size)
            _sync(descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(descriptor, segment.size)
            self.close()  # whatever state the file is in, the next batch begins a new one
            raise
        segment.size += len(text)
        self._count(segment, batch)

    def begin_anew(self, batch: Batch) -> None:
        """Have a batch on the medium in place of all there were: it holds every candle that is not in its file.

        Raises
        ------
        OSError
            It is not; the journal is as it was.
        """
        self.close()
        older = len(self._segments)
        if batch:
            self.append(batch)
        for segment in self._segments[:older]:
            segment.waits.clear()
        while self._segments and not self._segments[0].waits:
            self._drop(self._segments.pop(0))

    def is_whole(self) -> bool:
        """Whether the segments are still where they were put."""
        return self._descriptor is None or os.fstat(self._descriptor).st_nlink > 0

    def settle(self, name: str, through: int) -> None:
        """The candles of one file are in it, up to those of batch `through`."""
        for segment in self._segments:
            segment.settle(name, through)
        while self._segments and not self._segments[0].waits and self._may_go(self._segments[0]):
            self._drop(self._segments.pop(0))

    def close(self) -> None:
        """Begin a new segment with the next batch; segments whose candles are all in their files go."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        while self._segments and not self._segments[0].waits:
            self._drop(self._segments.pop(0))

    def _may_go(self, segment: Segment) -> bool:
        return segment is not self._segments[-1] or self._descriptor is None or segment.size > SEGMENT_BYTES

    def _drop(self, segment: Segment) -> None:
        if not self._segments and self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
        with suppress(OSError):  # a start reads it again, which does no harm
            files.sync(self._of)  # the names of the files that its candles are in now
            segment.path.unlink(missing_ok=True)

    def _writable(self) -> int:
        """The descriptor of the newest segment, a new one if there is none with room."""
        if self._descriptor is not None and self._segments[-1].size < SEGMENT_BYTES:
            return self._descriptor
        self.close()
        there = [*self.folder.iterdir(), *(segment.path for segment in self._segments)]  # folders too, and deleted ones
        taken = [number_of(path) for path in there]
        path = self.folder / f"candles-{max(taken, default=0) + 1:08}.journal"
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
        try:
            files.write_all(descriptor, OPENING, 0)
            files.sync(self.folder)  # its name, too, is to outlive a power cut
        except OSError:
            os.close(descriptor)
            with suppress(OSError):
                path.unlink()
            raise
        self._descriptor = descriptor
        self._segments.append(Segment(path, len(OPENING)))
        return descriptor

    def _count(self, segment: Segment, batch: Batch) -> None:
        self.number += 1
        segment.waits.update((name, self.number) for name, _ in batch)

    def _sound(self, path: Path) -> Content:
        """What a segment holds; it is mended if need be."""
        content = read(regular.content(path))
        if content.state is State.FOREIGN:
            self._set_aside(path, content)
        elif content.state is State.TORN:
            self._repair(path, content)
        return content

    def _set_aside(self, path: Path, content: Content) -> None:
        logger.warning("%s is damaged, %d of its batches are whole", path.name, len(content.batches))
        text = OPENING + b"".join(map(encode, content.batches))
        files.replace(path, text, keep_old=True)
        self.set_aside += 1

    def _repair(self, path: Path, content: Content) -> None:
        logger.warning("%s ends in half a batch, %d are whole", path.name, len(content.batches))
        os.truncate(path, content.end)
        self.repaired += 1


def segments(folder: Path) -> list[Path]:
    """The segments in a folder, oldest first; raises OSError."""
    return sorted((folder / name for name in regular.names_in(folder) if is_segment(name)), key=number_of)


def is_segment(name: str) -> bool:
    """Whether a file name is that of a segment."""
    return _NAME.fullmatch(name) is not None


def number_of(path: Path) -> int:
    found = _NAME.fullmatch(path.name)
    return int(found["number"]) if found else 0


def waiting_in(paths: Iterable[Path]) -> list[Batch]:
    """The batches in some segments, for a reader that does not own them: nothing is repaired.

    Raises
    ------
    OSError
        A segment cannot be read.
    """
    found: list[Batch] = []
    for path in paths:
        with suppress(*regular.NOTHING):  # its candles are in their files since
            found += read(regular.content(path)).batches
    return found


def _sync(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)
