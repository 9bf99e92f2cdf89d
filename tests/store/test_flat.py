"""Training data as flat, typed columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from scanner.config import StreamConfig
from scanner.markets import Market
from scanner.runtime import frames
from scanner.store import flat
from tests.store.making import NOON, cluster, signal


def leaves(record):
    inner = [name for value in record.values() if isinstance(value, dict) for name in value]
    return [name for name, value in record.items() if not isinstance(value, dict)] + inner


def test_every_value_of_a_signal_has_a_column_of_its_own():
    frame = pd.DataFrame({name: np.linspace(1, 2, 5) for name in frames.COLUMNS})
    record = frames.signal(frame, Market("binance", "BTC/USDT"), "scalp", "5m", StreamConfig())
    names = leaves(record)
    assert len(names) == len(set(names))
    assert {*names, "backfilled", "as_of"} == set(flat.SIGNAL.names)
    row = flat.signals([record]).to_pylist()[0]
    for name in ("price", "signal_type", "candle_closed", "error"):
        assert row[name] == record[name]
    for part in flat.DETECTORS:
        assert {name: row[name] for name in record[part]} == record[part]


@pytest.mark.parametrize("table_of", [flat.signals, flat.clusters])
def test_whether_a_record_was_backfilled_is_a_column_without_holes(table_of):
    told = [{}, {"backfilled": True}, {"backfilled": "yes"}, {"backfilled": None}]
    column = table_of(told).to_pandas()["backfilled"]
    assert column.dtype == bool
    assert column.tolist() == [False, True, False, False]


def test_every_value_of_a_cluster_record_has_a_column():
    row = flat.clusters([cluster(follow_through=0.5)]).to_pylist()[0]
    assert (row["symbol"], row["total_clusters"], row["follow_through"]) == ("binance:BTC/USDT", 1, 0.5)
    assert row["bullish_clusters"] is None
    assert row["timestamp"] == pd.Timestamp(NOON, unit="ms", tz="UTC")


@pytest.mark.parametrize(
    "record",
    [
        {},
        {"momentum": None, "price": "high", "timestamp": "yesterday", "candle_closed": 1},
        {"momentum": [1], "price": True, "gaps": "some", "timestamp": -1, "symbol": 7},
        {"gaps": 2**70, "price": {}, "timestamp": 1e300},
    ],
)
def test_what_is_of_another_type_is_missing(record):
    table = flat.signals([record, signal(price=2.0)])
    assert table.schema == flat.SIGNAL
    assert [table[name][0].as_py() for name in ("momentum_score", "timestamp", "symbol", "gaps")] == [None] * 4
    assert table["price"][1].as_py() == 2.0


def test_rows_come_in_tables_of_one_size(monkeypatch):
    monkeypatch.setattr(flat, "ROWS", 5)
    schema = pa.schema({"a": pa.int64()})
    pieces = [pa.table({"a": list(range(start, end))}, schema) for start, end in ((0, 3), (3, 3), (3, 14), (14, 16))]
    found = list(flat.regrouped(pieces, schema))
    assert [len(table) for table in found] == [5, 5, 5, 1]
    assert pa.concat_tables(found)["a"].to_pylist() == list(range(16))
    assert [table.num_rows for table in flat.regrouped([], schema)] == [0]
