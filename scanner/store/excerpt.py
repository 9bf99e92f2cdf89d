"""Chosen records of many day files in order of time, without holding them: where each lies, and its bytes on demand.

The bytes of a day file never change, it only grows: where a record lies stays true while others are appended. A chosen
record costs some 30 bytes of memory. Those of a file that was not written line by line are held whole.
"""

from __future__ import annotations

import logging
from array import array
from collections.abc import Callable, Iterable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
import orjson
from numpy.typing import NDArray

from scanner.errors import StoreFailure
from scanner.store import arrays, regular
from scanner.store.moments import timestamp_ms

logger = logging.getLogger(__name__)

Record = dict[str, Any]
Int = NDArray[np.int64]
MomentOf = Callable[[Record], int | None]
PIECE = 256 * 1024  # bytes read at once, unless one record is longer
MOST_OPEN = 32  # files of one excerpt at a time
_BETWEEN = len(b",\n")


class Chosen(NamedTuple):
    """The chosen records of one file: the moment of each, and where it begins and ends, in the file or in `loose`."""

    path: Path
    moment_ms: array[int]
    begins: array[int]
    ends: array[int]
    loose: bytes | None


class Excerpt:
    """Records of day files, oldest first; those of one moment in the order of the files.

    Parameters
    ----------
    paths : iterable of Path
        Day files; one that is gone counts as empty.
    choose : callable
        Says of a record and its moment (epoch ms) whether it is wanted.
    moment_of : callable
        The moment of a record, by which they are in order; by default its timestamp. A record without is left out.

    Raises
    ------
    StoreFailure
        A file cannot be read. Half a record at the end of one, as after a power cut, is passed over; so is everything
        behind foreign bytes.
    """

    def __init__(
        self, paths: Iterable[Path], choose: Callable[[Record, int], bool], moment_of: MomentOf = timestamp_ms
    ) -> None:
        def moment_if_chosen(record: Record) -> int | None:
            moment = moment_of(record)
            return moment if moment is not None and choose(record, moment) else None

        files = [chosen for path in paths if len((chosen := _chosen(path, moment_if_chosen)).begins)]
        counts = [len(chosen.begins) for chosen in files]
        moments = _joined(chosen.moment_ms for chosen in files)
        order = np.argsort(moments, kind="stable")
        self._sources = [(chosen.path, chosen.loose) for chosen in files]
        self._file = np.repeat(np.arange(len(files), dtype=np.int32), counts)[order]
        self._begins = _joined(chosen.begins for chosen in files)[order]
        self._ends = _joined(chosen.ends for chosen in files)[order]

    def __len__(self) -> int:
        return len(self._file)

    def pieces(self) -> Iterator[bytes]:
        """The records as they stand in the files, some at a time, with commas between those of a piece.

        Raises
        ------
        StoreFailure
            A file cannot be read any more.
        """
        opened: dict[int, IO[bytes]] = {}
        held, size = [], 0
        try:
            for file, begin, end in self._runs():
                held.append(self._read(opened, file, begin, end))
                size += end - begin
                if size >= PIECE:
                    yield b",".join(held)
                    held, size = [], 0
            if held:
                yield b",".join(held)
        finally:
            for each in opened.values():
                each.close()

    def records(self) -> Iterator[list[Record]]:
        """The same as records, some at a time."""
        for piece in self.pieces():
            yield orjson.loads(b"[" + piece + b"]")

    def _runs(self) -> Iterator[tuple[int, int, int]]:
        """File, begin and end of stretches without a gap, none much longer than a piece."""
        follows = (self._file[1:] == self._file[:-1]) & (self._begins[1:] == self._ends[:-1] + _BETWEEN)
        edges = [0, *(np.flatnonzero(~follows) + 1).tolist(), len(self)]
        for first, last in pairwise(edges):
            start = first
            while start < last:
                most = self._begins[start] + PIECE
                stop = max(start + 1, start + int(np.searchsorted(self._ends[start:last], most, side="right")))
                yield int(self._file[start]), int(self._begins[start]), int(self._ends[stop - 1])
                start = stop

    def _read(self, opened: dict[int, IO[bytes]], file: int, begin: int, end: int) -> bytes:
        path, loose = self._sources[file]
        if loose is not None:
            return loose[begin:end]
        try:
            if file not in opened:
                if len(opened) >= MOST_OPEN:
                    opened.pop(next(iter(opened))).close()
                opened[file] = regular.opened(path)
            opened[file].seek(begin)
            piece = opened[file].read(end - begin)
        except OSError as error:
            raise StoreFailure(f"{path.name}: cannot be read any more: {error.strerror}") from error
        if len(piece) != end - begin or piece[:1] != b"{" or piece[-1:] != b"}":
            raise StoreFailure(f"{path.name}: was replaced while it was being read")
        return piece


def _chosen(path: Path, moment_if_chosen: MomentOf) -> Chosen:
    try:
        with regular.opened(path) as file:
            found = _from_lines(path, file, moment_if_chosen)
        return found if found is not None else _from_content(path, moment_if_chosen)
    except regular.NOTHING:  # gone since the folder was listed
        return Chosen(path, array("q"), array("q"), array("q"), None)
    except OSError as error:
        raise StoreFailure(f"{path.name}: cannot be read: {error.strerror}") from error


def _from_lines(path: Path, file: IO[bytes], moment_if_chosen: MomentOf) -> Chosen | None:
    """The chosen records of a file as we write it, one a line; None for any other."""
    opening = arrays.OPENING + b"\n"
    if file.readline(len(opening)) != opening:
        return None
    found = Chosen(path, array("q"), array("q"), array("q"), None)
    at, another = len(opening), True
    for line in file:
        if line == b"]\n":
            return None if another or file.read(1) else found
        text = line.removesuffix(b"\n").removesuffix(b",")
        record = _try_record(text) if another else None
        if record is None:
            return None
        moment = moment_if_chosen(record)
        if moment is not None:
            _add(found, moment, at, at + len(text))
        at, another = at + len(line), line.endswith(b",\n")
    return None


def _try_record(text: bytes) -> Record | None:
    if not text.startswith(b"{"):
        return None
    try:
        record: Record = orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
    return record


def _from_content(path: Path, moment_if_chosen: MomentOf) -> Chosen:
    """The chosen records of a file in another layout, or a damaged one."""
    with regular.opened(path) as file:
        content = arrays.load(file)
    if content.state is not arrays.State.SOUND:
        logger.warning("%s is %s, %d records are whole", path.name, content.state.value, len(content.records))
    loose = bytearray()
    found = Chosen(path, array("q"), array("q"), array("q"), None)
    for record in content.records:
        moment = moment_if_chosen(record)
        if moment is not None:
            text = arrays.encode(record)
            _add(found, moment, len(loose), len(loose) + len(text))
            loose += text + b",\n"
    return found._replace(loose=bytes(loose))


def _add(found: Chosen, moment: int, begin: int, end: int) -> None:
    found.moment_ms.append(moment)
    found.begins.append(begin)
    found.ends.append(end)


def _joined(columns: Iterable[array[int]]) -> Int:
    return np.concatenate([np.empty(0, np.int64), *(np.frombuffer(column, np.int64) for column in columns)])
