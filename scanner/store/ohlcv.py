"""Closed candles as rows, and as the Parquet text of one file. Pure but for `read`, which is given an open file."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import IO, Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import ArrayLike, NDArray

from scanner.store.moments import LATEST_MS

COLUMNS = ("open", "high", "low", "close", "volume")
SMALL_GROUPS = 32  # groups of few candles that a file may have before it is written anew
ROOM = 60_000  # bytes that these groups and their description take
WASTE = 5  # times the bytes that its candles need may a file have
MOST_ROWS = 50_000_000  # in a file that can be one of candles: the minutes of 95 years
_MOST_PARTS, _LONGEST_TEXT = 20_000, 10_000_000  # in its description; ours have some hundred columns of groups
_MAGIC = b"PAR1"
_WRITING: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": False,  # prices hardly repeat
    "write_statistics": ["timestamp"],  # of prices they would double what describes a small group
}
GROUP = 5000  # candles that can be read without the others: a start needs the newest few hundred
_MOMENT = pa.timestamp("ms", tz="UTC")
_SCHEMA = pa.schema(
    [pa.field("timestamp", _MOMENT, nullable=False), *(pa.field(name, pa.float64()) for name in COLUMNS)]
)


class Damaged(Exception):
    """A file that is not Parquet, or not of candles."""


class Rows(NamedTuple):
    """Candles of one market and timeframe, oldest first, each open time once.

    Attributes
    ----------
    open_time : int64[n]
        Epoch ms.
    values : float64[n, 5]
        open, high, low, close, volume.
    """

    open_time: NDArray[np.int64]
    values: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.open_time)

    def since(self, start_ms: int) -> Rows:
        """The candles that opened at `start_ms` or later."""
        first = int(np.searchsorted(self.open_time, start_ms))
        return Rows(self.open_time[first:], self.values[first:])

    def before(self, end_ms: int) -> Rows:
        """The candles that opened before `end_ms`."""
        end = int(np.searchsorted(self.open_time, end_ms))
        return Rows(self.open_time[:end], self.values[:end])

    def equals(self, other: Rows) -> bool:
        """Whether both hold the same candles, NaN volumes included."""
        return np.array_equal(self.open_time, other.open_time) and np.array_equal(
            self.values, other.values, equal_nan=True
        )


NONE = Rows(np.empty(0, np.int64), np.empty((0, len(COLUMNS))))


def _first_group(facts: Any, since_ms: int) -> int:
    """The newest row group that begins at `since_ms` or before, 0 where that is not told."""
    column = next((i for i in range(facts.num_columns) if facts.schema.column(i).path == "timestamp"), None)
    if column is None:
        return 0
    for group in range(facts.num_row_groups - 1, 0, -1):
        told = facts.row_group(group).column(column).statistics
        begins = told.min if told is not None and told.has_min_max else None
        if not isinstance(begins, datetime) or begins.tzinfo is None:
            return 0
        if begins.timestamp() * 1000 <= since_ms:
            return group
    return 0


def rows(open_time: ArrayLike, columns: Sequence[ArrayLike]) -> Rows:
    """Rows from a column of epoch ms and five columns of prices and volume, in any order, repeats allowed (last wins).

    Candles without a price (NaN in open, high, low or close: they never existed) are left out. The arguments are
    copied.

    Raises
    ------
    ValueError
        The columns are not five of one length.
    """
    moments = np.atleast_1d(np.asarray(open_time, np.int64))
    values = np.stack([np.atleast_1d(np.asarray(column, np.float64)) for column in columns], axis=-1)
    if values.shape != (len(moments), len(COLUMNS)):
        raise ValueError(
            f"candles: {len(moments)} open times and values of shape {values.shape}, wanted one row of 5 each"
        )
    exists = np.isfinite(values[:, :4]).all(axis=-1)
    return _once(moments[exists], values[exists])


def merge(older: Rows, newer: Rows) -> Rows:
    """The candles of both; where both have one, the newer's."""
    if not len(older) or not len(newer):
        return newer if not len(older) else older
    return _once(np.concatenate([older.open_time, newer.open_time]), np.concatenate([older.values, newer.values]))


def joined(several: Sequence[Rows]) -> Rows:
    """The candles of all; where several have one, the last of them's."""
    if len(several) < 2:
        return several[0] if several else NONE
    return _once(
        np.concatenate([each.open_time for each in several]), np.concatenate([each.values for each in several])
    )


def _once(moments: NDArray[np.int64], values: NDArray[np.float64]) -> Rows:
    """Sorted by time, the last of equal times kept."""
    order = np.argsort(moments, kind="stable")
    moments = moments[order]
    last = np.append(moments[1:] != moments[:-1], True)[: len(moments)]
    return Rows(moments[last], values[order[last]])


def encode(candles: Rows) -> bytes:
    """The candles as the bytes of a Parquet file: timestamp[ms, UTC] and five doubles, zstd."""
    buffer = io.BytesIO()
    pq.write_table(_table(candles), buffer, row_group_size=GROUP, **_WRITING)
    return buffer.getvalue()


def continued(file: bytes, candles: Rows) -> bytes | None:
    """A Parquet file of ours with later candles added, so that readers of both files at once fare well.

    pandas opens a path twice, DuckDB asks for its size before it opens it: either may meet the next file in between. So
    the new file has the size of the old one, where there is room, and whatever the old one holds is at its place.

    Returns
    -------
    bytes or None
        None where some candles are not later, where there are too many groups of few candles already, and where the
        file is not one of ours.
    """
    try:
        facts = pq.read_metadata(io.BytesIO(file))
        last = facts.row_group(facts.num_row_groups - 1).column(0).statistics
        small = facts.num_row_groups - facts.num_rows // GROUP
        if facts.schema.to_arrow_schema() != _SCHEMA or small >= SMALL_GROUPS or last is None or not last.has_min_max:
            return None
        if last.max.timestamp() * 1000 >= candles.open_time[0]:
            return None
    except (pa.ArrowException, OSError, AttributeError, IndexError):
        return None
    return _beside(file, candles, facts, held=True)


def rewritten(file: bytes, candles: Rows) -> bytes:
    """A Parquet file of these candles only, in which whatever the old file holds is still at its place, unused.

    The next file but one uses that place again: a file is twice as long as its candles need. One far longer than that,
    and one that is not Parquet, is not kept.
    """
    try:
        facts = pq.read_metadata(io.BytesIO(file))
    except (pa.ArrowException, OSError):
        return encode(candles)
    text = encode(candles)
    return text if len(file) > WASTE * (len(text) + ROOM) else _beside(file, candles, facts, held=False)


def _beside(file: bytes, candles: Rows, facts: Any, *, held: bool) -> bytes:
    """The file with new groups where it has none; only they count, or with `held` its own too."""
    taken = sorted(map(_span, map(facts.row_group, range(facts.num_row_groups))))
    newest = _span(facts.row_group(facts.num_row_groups - 1))[1] if held else len(_MAGIC)
    alone = encode(candles)
    most = _end_of_groups(alone)
    described = len(alone) - most + (len(file) - _end_of_groups(file) if held else 0)
    at, size = _place(taken, newest, most, len(file) - described), len(file)
    if at is None:
        at, size = len(file), len(file) + most + described + ROOM + (len(file) * 9 // 8 if held else 0)
    added = list[Any]()
    stream = pa.BufferOutputStream()
    with pq.ParquetWriter(stream, _SCHEMA, metadata_collector=added, **_WRITING) as writer:  # writes the magic number
        stream.write(bytes(at - len(_MAGIC)))
        writer.write_table(_table(candles), row_group_size=GROUP)
    groups = stream.getvalue().to_pybytes()
    groups = groups[at : _end_of_groups(groups)]
    if held:
        facts.append_row_groups(added[0])
    end = io.BytesIO()
    (facts if held else added[0]).write_metadata_file(end)
    description = end.getvalue()[len(_MAGIC) :]
    text = bytearray(file.ljust(size, b"\0"))
    text[at : at + len(groups)] = groups
    text[size - len(description) :] = description
    return bytes(text)


def _place(taken: list[tuple[int, int]], first: int, length: int, limit: int) -> int | None:
    """Where there are `length` bytes between what is taken and the limit, at `first` or else as far ahead as can be."""
    if any(end > limit for _, end in taken):
        return None
    for at in (first, len(_MAGIC), *(end for _, end in taken)):
        if at + length <= limit and all(at + length <= start or end <= at for start, end in taken):
            return at
    return None


def _span(group: Any) -> tuple[int, int]:
    """From where to where the bytes of a row group go."""
    columns = [group.column(number) for number in range(group.num_columns)]
    starts = [each.dictionary_page_offset or each.data_page_offset for each in columns]
    ends = [start + each.total_compressed_size for start, each in zip(starts, columns, strict=True)]
    return min(starts), max(ends)


def _end_of_groups(file: bytes) -> int:
    """Where the description of all row groups begins, which ends a Parquet file."""
    return len(file) - len(_MAGIC) - 4 - int.from_bytes(file[-8:-4], "little")


def _table(candles: Rows) -> pa.Table:
    columns = [pa.array(candles.open_time).cast(_MOMENT), *(pa.array(column) for column in candles.values.T.copy())]
    return pa.Table.from_arrays(columns, schema=_SCHEMA)


def read(file: IO[bytes], since_ms: int | None = None) -> Rows:
    """The candles of an open Parquet file: one written here, or another with these columns.

    Timestamps may be of any unit, and are UTC if they name no zone; whole numbers are epoch ms.

    Parameters
    ----------
    since_ms : int, optional
        Read no more than is needed for the candles since then: there may be older ones in the answer, and its first
        is later only if the file has none before.

    Raises
    ------
    Damaged
        It is not Parquet, or lacks a column, or a column holds something else.
    OSError
        The medium failed.
    """
    try:
        parquet = pq.ParquetFile(file, thrift_string_size_limit=_LONGEST_TEXT, thrift_container_size_limit=_MOST_PARTS)
        if parquet.metadata.num_rows > MOST_ROWS:
            raise ValueError(f"{parquet.metadata.num_rows} rows are more than there are minutes")
        groups = range(0 if since_ms is None else _first_group(parquet.metadata, since_ms), parquet.num_row_groups)
        table = parquet.read_row_groups(groups, columns=["timestamp", *COLUMNS], use_threads=since_ms is None)
        column = table.column("timestamp").cast(_MOMENT, safe=False).cast(pa.int64())
        moments = pc.fill_null(column, -1).to_numpy()
        if len(moments) and not 0 <= moments.min() <= moments.max() <= LATEST_MS:
            raise ValueError("a timestamp is missing, or before 1970 or after 9999")
        values = [table.column(name).cast(pa.float64()).to_numpy() for name in COLUMNS]
        return rows(moments, values)
    except (pa.ArrowException, KeyError, ValueError, TypeError) as error:
        raise Damaged(str(error)) from error
    except OSError as error:
        if error.errno is None:  # pyarrow's word for a page that does not decode
            raise Damaged(str(error)) from error
        raise
