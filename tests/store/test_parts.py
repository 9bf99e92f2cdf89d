"""A long history: a head of Parquet that is rewritten, sealed parts before it, and the seam between them."""

from __future__ import annotations

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow.dataset as ds
import pytest

from scanner.store import candle_file, files, ohlcv, parts
from scanner.store.reader import StoreReader
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, LENGTH_MS
from tests.store.making import BTC, ETH, MIDNIGHT, Seconds, listing

START = MIDNIGHT - 400 * DAY_MS  # 2024-09-19
STEP = LENGTH_MS["5m"]
HEAD = "binance_BTCUSDT_5m.parquet"


def history(start_ms, end_ms, timeframe="5m"):
    moments = np.arange(start_ms, end_ms, LENGTH_MS[timeframe])
    price = moments / 1e9
    return ohlcv.Rows(moments, np.stack([price] * 5, axis=-1))


@pytest.fixture
def store(tmp_path):
    with TrainingStore(tmp_path, Seconds()) as store:
        yield store


def keep(store, rows, market=BTC, timeframe="5m"):
    store.append_closed([(market, timeframe, rows)])
    store.write_candles(market, timeframe)


def union(store, name="binance_BTCUSDT_5m*.parquet"):
    """Open times by one glob, in the order of the files' names."""
    frames = [pd.read_parquet(path) for path in sorted(store.ohlcv_path.glob(name))]
    return pd.concat(frames)["timestamp"].astype("datetime64[ms, UTC]").astype("int64").to_numpy()


def test_old_months_are_sealed_and_the_head_keeps_at_least_90_days(store):
    keep(store, history(START, MIDNIGHT))
    names = [f"binance_BTCUSDT_5m-2024-{month:02}.parquet" for month in range(9, 13)]
    names += [f"binance_BTCUSDT_5m-2025-{month:02}.parquet" for month in range(1, 7)]
    assert listing(store.ohlcv_path) == [*names, HEAD]
    head = candle_file.read(store.ohlcv_path / HEAD)
    assert head.open_time[0] == pd.Timestamp("2025-07-01", tz="UTC").value // 10**6
    assert head.open_time[0] <= MIDNIGHT - 90 * DAY_MS


def test_head_and_parts_together_are_the_history_without_a_gap_or_a_repetition(store):
    everything = history(START, MIDNIGHT)
    for end in range(0, len(everything), 9_973):  # as it comes in, over several sealings
        keep(store, ohlcv.Rows(everything.open_time[end : end + 9_973], everything.values[end : end + 9_973]))
    np.testing.assert_array_equal(union(store), everything.open_time)
    assert store.candles(BTC, "5m").equals(everything)
    assert TrainingStore(store.base_path).candles(BTC, "5m").equals(everything)
    since = MIDNIGHT - 200 * DAY_MS
    assert store.candles(BTC, "5m", since).equals(everything.since(since))
    assert store.newest_candles(BTC, "5m", since).since(since).equals(everything.since(since))


def test_pandas_duckdb_polars_and_arrow_read_the_union_by_one_call(store):
    everything = history(START, MIDNIGHT)
    keep(store, everything)
    glob = f"{store.ohlcv_path}/binance_BTCUSDT_5m*.parquet"
    query = f"SELECT count(*), count(DISTINCT timestamp), sum(close) FROM '{glob}'"
    assert duckdb.sql(query).fetchall()[0] == pytest.approx((len(everything),) * 2 + (everything.values[:, 3].sum(),))
    paths = sorted(str(path) for path in store.ohlcv_path.glob("binance_BTCUSDT_5m*.parquet"))
    assert ds.dataset(paths).to_table()["timestamp"].to_pylist()[0] == pd.Timestamp(START, unit="ms", tz="UTC")
    assert len(pd.read_parquet(paths)) == len(everything)
    assert pl.read_parquet(glob)["timestamp"].n_unique() == len(everything)
    assert duckdb.sql(f"SELECT count(*) FROM '{store.ohlcv_path / HEAD}'").fetchall()[0][0] >= 90 * 288
    assert pl.read_parquet(store.ohlcv_path / HEAD).schema["timestamp"] == pl.Datetime("ms", "UTC")


def test_sealed_parts_are_not_written_again_by_new_candles(store):
    keep(store, history(START, MIDNIGHT))
    before = {path.name: files.stamp_of(path) for path in store.ohlcv_path.glob("*-20*.parquet")}
    keep(store, history(MIDNIGHT, MIDNIGHT + 5 * DAY_MS))
    assert {path.name: files.stamp_of(path) for path in store.ohlcv_path.glob("*-20*.parquet")} == before


def test_candles_that_come_late_join_their_part(store):
    keep(store, history(START + 100 * DAY_MS, MIDNIGHT))
    keep(store, history(START, START + 110 * DAY_MS))
    np.testing.assert_array_equal(union(store), history(START, MIDNIGHT).open_time)


def test_longer_timeframes_are_sealed_by_the_year_and_short_ones_of_them_not_at_all(store):
    start = MIDNIGHT - 3 * 365 * DAY_MS
    keep(store, history(start, MIDNIGHT, "1h"), timeframe="1h")
    keep(store, history(start, MIDNIGHT, "1d"), timeframe="1d")
    assert listing(store.ohlcv_path) == [
        *(f"binance_BTCUSDT_1{name}.parquet" for name in ("d", "h-2022", "h-2023", "h"))
    ]
    assert store.candles(BTC, "1h").equals(history(start, MIDNIGHT, "1h"))
    assert store.markets() == [BTC]


@pytest.mark.parametrize("done", range(12))
def test_a_sealing_killed_anywhere_leaves_every_candle_and_the_next_start_mends_the_seam(tmp_path, monkeypatch, done):
    """Ten parts and a head: killed after `done` renames."""
    everything = history(START, MIDNIGHT)
    renamed, rename = [], files.rename

    class Killed(BaseException):
        pass

    def rename_some(old, new):
        if len(renamed) == done:
            raise Killed
        renamed.append(new)
        rename(old, new)

    store = TrainingStore(tmp_path, Seconds())
    store.open()
    path = tmp_path / "ohlcv" / HEAD
    path.write_bytes(ohlcv.encode(everything))  # one file of all years, as earlier versions left it
    with monkeypatch.context() as killed:
        killed.setattr(files, "rename", rename_some)
        if done < 11:
            with pytest.raises(Killed):
                keep(store, history(MIDNIGHT, MIDNIGHT + STEP))
        else:
            keep(store, history(MIDNIGHT, MIDNIGHT + STEP))
    store._owning.end()
    assert set(union(store)) >= set(everything.open_time)
    wanted = history(START, MIDNIGHT + STEP)
    assert TrainingStore(tmp_path).candles(BTC, "5m").equals(wanted)
    with TrainingStore(tmp_path, Seconds()) as again:
        assert len(union(again)) == len(set(union(again)))
        assert again.candles(BTC, "5m").equals(wanted)
    np.testing.assert_array_equal(union(store), wanted.open_time)


def test_a_damaged_part_is_set_aside_and_harms_no_other(store):
    keep(store, history(START, MIDNIGHT))
    part = store.ohlcv_path / "binance_BTCUSDT_5m-2025-01.parquet"
    part.write_text("not Parquet")
    assert len(store.candles(BTC, "5m")) == len(history(START, MIDNIGHT)) - 31 * 288
    january = pd.Timestamp("2025-01-01", tz="UTC").value // 10**6
    keep(store, history(january, january + STEP))
    assert len(store.candles(BTC, "5m")) == len(history(START, MIDNIGHT)) - 31 * 288 + 1
    assert (store.ohlcv_path / f"{part.name}.corrupt-1").read_text() == "not Parquet"


def test_a_part_that_was_deleted_is_no_obstacle(store):
    keep(store, history(START, MIDNIGHT))
    (store.ohlcv_path / "binance_BTCUSDT_5m-2025-01.parquet").unlink()
    keep(store, history(MIDNIGHT, MIDNIGHT + STEP))
    assert len(store.candles(BTC, "5m")) == len(history(START, MIDNIGHT)) - 31 * 288 + 1


def test_a_market_of_which_only_a_part_is_left_is_still_a_market(store):
    keep(store, history(START, MIDNIGHT), market=ETH)
    (store.ohlcv_path / "binance_ETHUSDT_5m.parquet").unlink()
    assert TrainingStore(store.base_path).markets() == [ETH]


@pytest.mark.parametrize(
    ("period", "day"), [("2025-07", "2025-08-01"), ("2024-12", "2025-01-01"), ("2024", "2025-01-01")]
)
def test_a_period_ends_where_the_next_begins(period, day):
    assert parts.end_ms(period) == pd.Timestamp(day, tz="UTC").value // 10**6


def test_a_month_that_is_sealed_while_another_process_reads_is_not_missed(tmp_path, monkeypatch):
    everything, read = history(MIDNIGHT - 150 * DAY_MS, MIDNIGHT), candle_file._passing_over
    with TrainingStore(tmp_path, Seconds()) as store:
        keep(store, everything.before(MIDNIGHT - 80 * DAY_MS))
    with TrainingStore(tmp_path, Seconds()) as store:  # whose journal is empty

        def seal_and_read(path, *since_ms):
            if not any(tmp_path.glob("ohlcv/*-2025-*.parquet")):  # and so before the first file is read
                keep(store, everything)
            return read(path, *since_ms)

        reader = StoreReader(tmp_path)
        monkeypatch.setattr(candle_file, "_passing_over", seal_and_read)
        assert reader.candles(BTC, "5m").equals(everything)
        assert reader.newest_candles(BTC, "5m", 0).equals(everything)
    assert any(tmp_path.glob("ohlcv/*-2025-*.parquet"))
