"""DataPersistenceManager and get_training_dataset."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pandas as pd
import pytest

from scanner.clock import ManualClock
from scanner.errors import FolderInUse, InvalidInput, NothingStored, StoreFailure
from scanner.records import CandleCluster, utc
from scanner.store.ohlcv import COLUMNS
from scanner.store.persistence import DataPersistenceManager, get_training_dataset
from scanner.store.store import TrainingStore
from tests.store.making import MIDNIGHT, NOON, candles, listing, signal

MARKET = "binance:BTC/USDT"


@pytest.fixture
def manager(tmp_path):
    manager = DataPersistenceManager(tmp_path, clock=ManualClock(NOON))
    yield manager
    manager.close()


def frame_of(columns, stamps=None):
    stamps = pd.to_datetime(columns[0], unit="ms", utc=True) if stamps is None else stamps
    return pd.DataFrame(dict(zip(["timestamp", *COLUMNS], [stamps, *columns[1:]], strict=True)))


def found_cluster(**more):
    facts = {"total_clusters": 1, "bullish_clusters": 1, "bearish_clusters": 0, "directional_ratio": 1.0}
    more = {"follow_through": 2 / 3, "trend_formation_signal": True, "cluster_strength": 2 / 3} | more
    return CandleCluster(MARKET, "5m", utc(NOON), **facts, **more)


def test_constructing_creates_the_folders(tmp_path):
    manager = DataPersistenceManager(tmp_path / "data")
    assert listing(tmp_path / "data") == ["clustering", "ohlcv", "signals"]
    assert manager.base_path == tmp_path / "data"
    assert [manager.signals_path.name, manager.ohlcv_path.name, manager.clustering_path.name] == [
        "signals",
        "ohlcv",
        "clustering",
    ]


def test_a_folder_that_cannot_be_made_is_said_at_the_first_write(tmp_path):
    (tmp_path / "data").touch()
    manager = DataPersistenceManager(tmp_path / "data")
    with pytest.raises(StoreFailure, match="Not a directory"):
        asyncio.run(manager.persist_signals(MARKET, signal(), utc(NOON)))
    manager.close()


async def keep_one_of_each(manager):
    await manager.persist_signals(MARKET, signal(), utc(NOON))
    await manager.persist_ohlcv(MARKET, "5m", frame_of(candles(MIDNIGHT, 3)))
    await manager.persist_clustering(found_cluster())


def test_what_was_persisted_is_in_the_dataset(manager):
    asyncio.run(keep_one_of_each(manager))
    data = asyncio.run(manager.get_training_dataset("BTC/USDT", days=30))
    assert data["signals"] == [signal()]
    assert [row["timestamp"] for row in data["ohlcv"]["5m"]][1] == "2025-10-24T00:05:00+00:00"
    assert data["clustering"][0]["symbol"] == MARKET
    assert data["clustering"][0]["timestamp"] == "2025-10-24T12:00:00+00:00"


def test_the_module_function_reads_the_folder_of_the_environment(manager, monkeypatch):
    asyncio.run(keep_one_of_each(manager))
    monkeypatch.setenv("SCANNER_DATA_DIR", str(manager.base_path))
    data = asyncio.run(get_training_dataset("BTC/USDT", days=30, now_ms=NOON))
    assert list(data) == ["signals", "ohlcv", "clustering"]
    assert len(data["signals"]) == 1
    assert data == asyncio.run(get_training_dataset(MARKET, 30, manager.base_path, now_ms=NOON))


def test_the_module_function_without_data_says_so(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("SCANNER_DATA_DIR", raising=False)
    with pytest.raises(NothingStored):
        asyncio.run(get_training_dataset("BTC/USDT"))
    assert listing(tmp_path) == []


def test_the_given_timestamp_counts_and_the_record_stays_as_it_was(manager):
    record = signal()
    moment = datetime(2025, 10, 25, 1, tzinfo=timezone(timedelta(hours=2)))
    asyncio.run(manager.persist_signals(MARKET, record, moment))
    assert record == signal()
    found = json.loads((manager.signals_path / "binance_BTCUSDT_2025-10-24.json").read_text())
    assert found == [signal() | {"timestamp": "2025-10-24T23:00:00+00:00"}]


@pytest.mark.parametrize("kind", ["datetime64[ms]", "datetime64[us]", "datetime64[ns]", "datetime64[s, UTC]", "int64"])
def test_frames_of_any_time_unit_are_taken_and_left_unchanged(manager, kind):
    columns = candles(MIDNIGHT, 3)
    stamps = columns[0] if kind == "int64" else pd.to_datetime(columns[0], unit="ms", utc="UTC" in kind).astype(kind)
    frame = frame_of(columns, stamps)
    before = frame.copy()
    asyncio.run(manager.persist_ohlcv(MARKET, "5m", frame))
    pd.testing.assert_frame_equal(frame, before)
    stored = pd.read_parquet(manager.ohlcv_path / "binance_BTCUSDT_5m.parquet")
    assert stored["timestamp"].tolist() == [pd.Timestamp(moment, unit="ms", tz=UTC) for moment in columns[0]]


def test_a_frame_indexed_by_time_is_taken(manager):
    frame = frame_of(candles(MIDNIGHT, 3)).set_index("timestamp").rename_axis(None)
    asyncio.run(manager.persist_ohlcv(MARKET, "5m", frame))
    assert len(pd.read_parquet(manager.ohlcv_path / "binance_BTCUSDT_5m.parquet")) == 3


def test_the_history_of_a_frame_is_merged_not_replaced(manager):
    for start, count in ((0, 100), (90, 100)):
        frame = frame_of(candles(MIDNIGHT + start * 300_000, count))
        asyncio.run(manager.persist_ohlcv(MARKET, "5m", frame))
    assert len(pd.read_parquet(manager.ohlcv_path / "binance_BTCUSDT_5m.parquet")) == 190


def test_parallel_writers_lose_nothing(manager):
    async def rounds(timeframe):
        for number in range(5):
            await manager.persist_signals(MARKET, {"timeframe": timeframe, "number": number}, utc(NOON))

    async def all_of_them():
        await asyncio.gather(*(rounds(timeframe) for timeframe in ("5m", "1h", "4h", "1d")))

    asyncio.run(all_of_them())
    found = json.loads((manager.signals_path / "binance_BTCUSDT_2025-10-24.json").read_text())
    assert len({(record["timeframe"], record["number"]) for record in found}) == len(found) == 20


def test_numpy_values_of_a_record_become_plain(manager):
    asyncio.run(manager.persist_signals(MARKET, {"flag": np.bool_(True), "x": np.float32(0.5)}, utc(NOON)))
    cluster = found_cluster(trend_formation_signal=np.bool_(False))
    asyncio.run(manager.persist_clustering(cluster))
    found = json.loads((manager.clustering_path / "binance_BTCUSDT_2025-10-24.json").read_text())
    assert found[0]["trend_formation_signal"] is False


def test_a_store_that_is_owned_already_is_shared_and_left_open(tmp_path):
    with TrainingStore(tmp_path) as store:
        alone = DataPersistenceManager(tmp_path)
        with pytest.raises(FolderInUse):
            asyncio.run(alone.persist_signals(MARKET, signal(), utc(NOON)))
        shared = DataPersistenceManager(store=store)
        asyncio.run(keep_one_of_each(shared))
        shared.close()
        asyncio.run(keep_one_of_each(shared))
        assert shared.base_path == tmp_path


@pytest.mark.parametrize("symbol", ["BTC/USDT", "../../etc/passwd", "binance:../x", "", None, "binance:BTC/USDT\0"])
def test_what_is_no_market_is_refused(manager, symbol):
    with pytest.raises(InvalidInput):
        asyncio.run(manager.persist_signals(symbol, signal(), utc(NOON)))
    assert listing(manager.signals_path) == []


def test_a_frame_that_is_none_is_refused(manager):
    with pytest.raises(InvalidInput, match="ohlcv_df"):
        asyncio.run(manager.persist_ohlcv(MARKET, "5m", pd.DataFrame({"timestamp": [1], "open": [1.0]})))
    with pytest.raises(InvalidInput, match="timeframe"):
        asyncio.run(manager.persist_ohlcv(MARKET, "../5m", frame_of(candles(MIDNIGHT, 3))))
