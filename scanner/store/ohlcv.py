"""Closed candles as rows, and as the Parquet text of one file. Pure but for `read`, which is given an open file."""

from __future__ import annotations

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
MOST_ROWS = 50_000_000  # in a file that can be one of candles: the minutes of 95 years
_MOST_PARTS, _LONGEST_TEXT = 20_000, 10_000_000  # in its description; ours have some hundred columns of groups
_WRITING: dict[str, Any] = {
    "compression": "zstd",
    "use_dictionary": False,  # prices hardly repeat
    "column_encoding": {"timestamp": "DELTA_BINARY_PACKED"},  # a tenth less
    "store_schema": False,  # Parquet's own types say it all
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


def encode(candles: Rows, at: int = 4) -> bytes:
    """The candles as the bytes of a Parquet file: timestamp[ms, UTC] and five doubles, zstd.

    They begin at byte `at`, which is behind the magic number or further on.
    """
    stream = pa.BufferOutputStream()
    with pq.ParquetWriter(stream, _SCHEMA, **_WRITING) as writer:  # writes the magic number
        stream.write(bytes(at - 4))
        writer.write_table(_table(candles), row_group_size=GROUP)
    text: bytes = stream.getvalue().to_pybytes()
    return text


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
