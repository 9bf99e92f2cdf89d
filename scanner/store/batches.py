"""Batches of candles as the bytes of a segment of the journal, and what of them can be read after damage. Pure.

A segment is an opening, then one batch after the other, each with its length and a checksum before it. What a crash
cuts short stands at the very end, and nothing of it was acknowledged: that is `State.TORN`. Any other damage is
`State.FOREIGN`, and the batches behind it count all the same.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence
from contextlib import suppress
from enum import Enum
from typing import NamedTuple

import numpy as np

from scanner.store.ohlcv import COLUMNS, Rows

OPENING = b"candles1"
_BATCH = struct.Struct("<4sII")  # mark, length of the content, its CRC-32
_COUNTS = struct.Struct("<III")  # files, candles, bytes of the names
_MARK = b"\nBAT"

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


def segment_of(batches: Sequence[Batch]) -> bytes:
    """A whole segment that holds just these."""
    return OPENING + b"".join(map(encode, batches))


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
    files, candles, length = _COUNTS.unpack_from(content)
    at = _COUNTS.size
    names = content[at : at + length].decode().split("\n")
    counts = np.frombuffer(content, "<u4", files, at + length)
    at += length + counts.nbytes
    moments = np.frombuffer(content, "<i8", candles, at).astype(np.int64)
    values = np.frombuffer(content, "<f8", candles * len(COLUMNS), at + moments.nbytes).astype(np.float64)
    rows = values.reshape(candles, len(COLUMNS))
    ends = np.cumsum(counts).tolist()
    starts = [0, *ends[:-1]]
    parts = zip(names, starts, ends, strict=True)
    return [(name, Rows(moments[start:end], rows[start:end])) for name, start, end in parts]
