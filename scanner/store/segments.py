"""Segments, the files of the journal: their names, their mending, and adding to one.

A segment only grows, each time by one write that is on the medium before it counts. One that ends in half a batch is
cut back to the whole ones; one with damage before its end is set aside and written anew with what can be read of it.
"""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from scanner.store import batches, files, regular
from scanner.store.batches import OPENING, Batch, Content, State

logger = logging.getLogger(__name__)

_NAME = re.compile(r"candles-(?P<number>\d{8,18})\.journal", re.ASCII)


class Segment:
    """One file of the journal. Not for several threads at once.

    Parameters
    ----------
    size : int
        Bytes of it that hold batches; the next one goes behind them.
    descriptor : int, optional
        Where it is open for more; it is closed by `close`.

    Attributes
    ----------
    waits : dict[str, int]
        Which files' candles in it are not in Parquet yet: the number of the last batch with some of them.
    """

    def __init__(self, path: Path, size: int, descriptor: int | None = None) -> None:
        self.path, self.size = path, size
        self.waits: dict[str, int] = {}
        self._descriptor = descriptor

    @property
    def is_open(self) -> bool:
        return self._descriptor is not None

    def append(self, text: bytes) -> None:
        """Have a batch on the medium; raises OSError, and then holds what it held as far as can be helped."""
        assert self._descriptor is not None
        try:
            files.write_all(self._descriptor, text, self.size)
            _sync(self._descriptor)
        except OSError:
            with suppress(OSError):
                os.ftruncate(self._descriptor, self.size)
            raise
        self.size += len(text)

    def has_its_name(self) -> bool:
        """Whether nobody has deleted it while it is open."""
        return self._descriptor is None or os.fstat(self._descriptor).st_nlink > 0

    def note(self, batch: Batch, number: int) -> None:
        """The candles of a batch wait in it."""
        self.waits.update((name, number) for name, _ in batch)

    def settle(self, name: str, through: int) -> None:
        """The candles of one file up to those of batch `through` wait no more."""
        if self.waits.get(name, through + 1) <= through:
            del self.waits[name]

    def close(self) -> None:
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None


def begun(folder: Path, older: Iterable[Segment]) -> Segment:
    """A new segment, open, with a number above all others; raises OSError, and there is none."""
    there = [*folder.iterdir(), *(segment.path for segment in older)]  # folders too, and deleted ones
    path = folder / f"candles-{max(map(number_of, there), default=0) + 1:08}.journal"
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644)
    try:
        files.write_all(descriptor, OPENING, 0)
        files.sync(folder)  # its name, too, is to outlive a power cut
    except OSError:
        os.close(descriptor)
        with suppress(OSError):
            path.unlink()
        raise
    return Segment(path, len(OPENING), descriptor)


def mended(path: Path) -> Content:
    """What a segment of an earlier run holds and how it ended; now it is sound. Raises OSError."""
    content = batches.read(regular.content(path))
    if content.state is State.FOREIGN:
        logger.warning("%s is damaged, %d of its batches are whole", path.name, len(content.batches))
        text = batches.segment_of(content.batches)
        files.replace(path, text, keep_old=True)
        content = content._replace(end=len(text))
    elif content.state is State.TORN:
        logger.warning("%s ends in half a batch, %d are whole", path.name, len(content.batches))
        os.truncate(path, content.end)
    return content


def waiting_in(paths: Iterable[Path]) -> list[Batch]:
    """The batches in some segments, for a reader that does not own them: nothing is mended.

    Raises
    ------
    OSError
        A segment cannot be read.
    """
    found: list[Batch] = []
    for path in paths:
        with suppress(*regular.NOTHING):  # its candles are in their files since
            found += batches.read(regular.content(path)).batches
    return found


def listed(folder: Path) -> list[Path]:
    """The segments in a folder, oldest first; raises OSError."""
    return sorted((folder / name for name in regular.names_in(folder) if is_segment(name)), key=number_of)


def is_segment(name: str) -> bool:
    """Whether a file name is that of a segment."""
    return _NAME.fullmatch(name) is not None


def number_of(path: Path) -> int:
    """The number in a segment's name; 0 in any other."""
    found = _NAME.fullmatch(path.name)
    return int(found["number"]) if found else 0


def _sync(descriptor: int) -> None:
    getattr(os, "fdatasync", os.fsync)(descriptor)
