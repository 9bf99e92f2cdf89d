"""Candles as rows and as Parquet."""

from __future__ import annotations

import io
from itertools import chain

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.store import ohlcv
from scanner.timeframes import MINUTE_MS
from tests.store.making import MIDNIGHT, candles

chunks = st.lists(st.lists(st.tuples(st.integers(0, 20), st.floats(0.5, 2))), max_size=5)


def rows_of(pairs):
    moments = [moment for moment, _ in pairs]
    price = np.array([price for _, price in pairs])
    return ohlcv.rows(np.array(moments, np.int64), [price] * 5)


def as_dict(rows):
    return dict(zip(rows.open_time.tolist(), rows.values.tolist(), strict=True))


@given(chunks)
def test_merging_is_what_a_plain_dict_does(some):
    merged, model = ohlcv.NONE, {}
    for chunk in some:
        merged = ohlcv.merge(merged, rows_of(chunk))
        model.update({moment: [price] * 5 for moment, price in chunk})
    assert as_dict(merged) == model
    assert merged.open_time.tolist() == sorted(model)


@given(chunks.map(lambda some: list(chain(*some))))
def test_what_is_written_is_read_again(pairs):
    rows = rows_of(pairs)
    assert ohlcv.read(io.BytesIO(ohlcv.encode(rows))).equals(rows)


def test_pandas_reads_the_published_columns():
    frame = pd.read_parquet(io.BytesIO(ohlcv.encode(ohlcv.rows(*split(candles(MIDNIGHT, 3))))))
    assert list(frame.columns) == ["timestamp", "open", "high", "low", "close", "volume"]
    assert isinstance(frame["timestamp"].dtype, pd.DatetimeTZDtype)
    assert frame["timestamp"][1] == pd.Timestamp("2025-10-24T00:05:00Z")
    assert (frame.dtypes.iloc[1:] == np.float64).all()


def split(columns):
    return columns[0], columns[1:]


def test_a_candle_without_a_price_is_left_out_and_the_arguments_stay_untouched():
    moments, *columns = candles(MIDNIGHT, 3)
    columns = [column.copy() for column in columns]
    columns[3][1] = np.nan
    rows = ohlcv.rows(moments, columns)
    assert rows.open_time.tolist() == [moments[0], moments[2]]
    rows.values[:] = 0
    assert columns[0].tolist() == [100, 100, 100]


def test_columns_of_different_lengths_are_refused():
    moments, *columns = candles(MIDNIGHT, 3)
    with pytest.raises(ValueError, match="candles: 2 open times"):
        ohlcv.rows(moments[:2], columns)


@pytest.mark.parametrize(
    "kind", ["datetime64[s]", "datetime64[ms]", "datetime64[us]", "datetime64[ns]", "datetime64[ns, UTC]", "int64"]
)
def test_files_of_other_writers_are_read(kind):
    moments, *columns = candles(MIDNIGHT, 3)
    stamps = moments if kind == "int64" else pd.to_datetime(moments, unit="ms", utc="UTC" in kind).astype(kind)
    frame = pd.DataFrame(dict(zip(["timestamp", *ohlcv.COLUMNS], [stamps, *columns], strict=True)))
    buffer = io.BytesIO()
    frame.assign(extra="x").to_parquet(buffer, compression="gzip", index=False)
    assert ohlcv.read(buffer).open_time.tolist() == moments.tolist()


def test_what_is_not_candles_is_damaged():
    other = io.BytesIO()
    pq.write_table(pa.table({"timestamp": ["a"], "open": ["b"]}), other)
    for data in (b"", b"text", b"PAR1PAR1", other.getvalue(), ohlcv.encode(ohlcv.NONE)[:-9]):
        with pytest.raises(ohlcv.Damaged):
            ohlcv.read(io.BytesIO(data))


def test_a_file_with_a_flipped_byte_is_read_or_damaged_but_never_worse():
    good = bytearray(ohlcv.encode(ohlcv.rows(*split(candles(MIDNIGHT, 50)))))
    for at in range(0, len(good), 11):
        bad = good.copy()
        bad[at] ^= 0xFF
        try:
            ohlcv.read(io.BytesIO(bytes(bad)))
        except ohlcv.Damaged:
            continue


def test_of_a_long_file_only_the_groups_that_are_needed_are_read():
    whole = ohlcv.rows(*split(candles(MIDNIGHT, 12_000)))
    data = ohlcv.encode(whole)
    step = 5 * MINUTE_MS
    for since, first in ((11_000, 10_000), (10_000, 10_000), (9_999, 5_000), (0, 0), (-5, 0), (20_000, 10_000)):
        found = ohlcv.read(io.BytesIO(data), MIDNIGHT + since * step)
        assert int(found.open_time[0]) == MIDNIGHT + first * step
        assert found.equals(whole.since(MIDNIGHT + first * step))
