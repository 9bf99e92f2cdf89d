"""Tables and training data as the bytes of an answer, some at a time: JSON, CSV, Parquet; and what packs them."""

from __future__ import annotations

import io
import zlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
import pyarrow.parquet as pq

from scanner.records import iso
from scanner.store.dataset import Selection, ohlcv

MIME = {"json": "application/json", "csv": "text/csv; charset=utf-8", "parquet": "application/vnd.apache.parquet"}
FORMATS = tuple(MIME)
ROWS_AT_ONCE = 1_000  # of a table, as JSON
CSV_TIME = "%Y-%m-%dT%H:%M:%S+00:00"  # the seconds of milliseconds have three digits behind the point
PACKING = 1  # zlib's level: the next ones cost twice the time for a tenth less
_GZIP = 31  # zlib's word for a gzip header


def dataset_json(head: Mapping[str, Any], selection: Selection) -> Iterator[bytes]:
    """Training data as one JSON object: what is in `head`, ``dataset`` and ``summary``."""
    yield orjson.dumps(head)[:-1] + b',"dataset":{"signals":['
    yield from _with_commas(selection.signals.pieces())
    yield b'],"ohlcv":{'
    for index, (timeframe, candles) in enumerate(selection.candles.items()):
        yield (b"," if index else b"") + orjson.dumps(timeframe) + b":["
        yield from _with_commas(orjson.dumps(rows)[1:-1] for rows in ohlcv(candles))
        yield b"]"
    yield b'},"clustering":['
    yield from _with_commas(selection.clustering.pieces())
    summary = {
        "total_signals": len(selection.signals),
        "timeframes": list(selection.candles),
        "total_clusters": len(selection.clustering),
    }
    yield b']},"summary":' + orjson.dumps(summary) + b"}"


def rows_json(head: Mapping[str, Any], tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """What is in `head`, and ``rows``: one object per row of the tables."""
    yield orjson.dumps(head)[:-1] + b',"rows":['
    slices = (table.slice(start, ROWS_AT_ONCE) for table in tables for start in range(0, len(table), ROWS_AT_ONCE))
    yield from _with_commas(orjson.dumps(_told(part).to_pylist())[1:-1] for part in slices)
    yield b"]}"


def csv(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """A line of column names, then one per row; times as ISO-8601 with milliseconds, nothing for what is missing."""
    for index, table in enumerate(tables):
        sink = io.BytesIO()
        options = pa.csv.WriteOptions(include_header=index == 0, quoting_style="needed", quoting_header="none")
        pa.csv.write_csv(_with_times(table, lambda column: pc.strftime(column, CSV_TIME)), sink, options)
        yield sink.getvalue()


def parquet(tables: Iterable[pa.Table]) -> Iterator[bytes]:
    """A Parquet file, a row group per table."""
    sink, writer = _Outbox(), None
    for table in tables:
        writer = writer or pq.ParquetWriter(sink, table.schema, compression="zstd")
        writer.write_table(table)
        yield sink.taken()
    if writer is not None:
        writer.close()
    yield sink.taken()


def packed(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The pieces as gzip."""
    packer = zlib.compressobj(PACKING, wbits=_GZIP)
    for piece in pieces:
        if packed_piece := packer.compress(piece):
            yield packed_piece
    yield packer.flush()


def _with_commas(pieces: Iterable[bytes]) -> Iterator[bytes]:
    for index, piece in enumerate(pieces):
        if index:
            yield b","
        yield piece


def _told(table: pa.Table) -> pa.Table:
    """The table with its moments as in all other answers."""
    return _with_times(
        table,
        lambda column: pa.array(
            [None if moment is None else iso(moment) for moment in column.cast(pa.int64()).to_pylist()], pa.string()
        ),
    )


def _with_times(table: pa.Table, written: Any) -> pa.Table:
    for index, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type):
            table = table.set_column(index, field.name, written(table.column(index)))
    return table


class _Outbox(io.RawIOBase):
    """What is written and not yet taken."""

    def __init__(self) -> None:
        self._pieces: list[bytes] = []
        self._length = 0

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self._pieces.append(bytes(data))
        self._length += len(data)
        return len(data)

    def tell(self) -> int:
        return self._length

    def taken(self) -> bytes:
        pieces, self._pieces = self._pieces, []
        return b"".join(pieces)
