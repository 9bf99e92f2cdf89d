"""TrainingStore on a real folder."""

from __future__ import annotations

import json
import math
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from scanner.errors import InvalidInput, NothingStored, StoreFailure
from scanner.markets import Market, parse_symbol
from scanner.records import iso
from scanner.store.dataset import Query
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS, HOUR_MS, LENGTH_MS, MINUTE_MS
from tests.store.making import (
    BTC,
    ETH,
    MIDNIGHT,
    NOON,
    SWAP,
    Seconds,
    candles,
    child,
    cluster,
    line_from,
    listing,
    signal,
)
from tests.waiting import wait_for

BITCOIN = parse_symbol("BTC/USDT")


@pytest.fixture
def store(tmp_path):
    with TrainingStore(tmp_path / "data", clock=Seconds()) as store:
        yield store


def array(store, name, folder="signals"):
    return json.loads((store.base_path / folder / name).read_text())


def test_files_lie_where_people_look_for_them(store):
    store.append_signals({BTC: [signal()]}, NOON)
    store.append_clusters({BTC: [cluster()]}, NOON)
    store.append_candles(BTC, "5m", *candles(MIDNIGHT, 3))
    assert array(store, "binance_BTCUSDT_2025-10-24.json") == [signal()]
    assert array(store, "binance_BTCUSDT_2025-10-24.json", "clustering") == [cluster()]
    frame = pd.read_parquet(store.base_path / "ohlcv" / "binance_BTCUSDT_5m.parquet")
    assert frame["close"].tolist() == [100, 100, 100]


def test_opening_creates_the_folders_and_constructing_does_not(tmp_path):
    store = TrainingStore(tmp_path / "data")
    assert listing(tmp_path) == []
    with store:
        assert listing(tmp_path / "data") == [
            "clustering",
            "gaps",
            "journal",
            "late",
            "ohlcv",
            "scanner.lock",
            "signals",
            "universe",
        ]


def test_a_final_signal_is_kept_once_even_across_a_restart(store):
    final = signal(final=True)
    store.append_signals({BTC: [final, final]}, NOON)
    store.append_signals({BTC: [{**final, "combined_score": 0.0}]}, NOON)
    store.close()
    store.open()
    store.append_signals({BTC: [final, signal(final=True, timeframe="1h")]}, NOON)
    assert array(store, "binance_BTCUSDT_2025-10-24.json") == [final, signal(final=True, timeframe="1h")]


def test_live_signals_are_kept_as_they_come(store):
    store.append_signals({BTC: [signal(), signal()]}, NOON)
    assert len(array(store, "binance_BTCUSDT_2025-10-24.json")) == 2


def test_records_go_to_the_file_of_their_own_utc_day(store, monkeypatch):
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    try:
        store.append_signals({BTC: [signal(MIDNIGHT - 1), signal(MIDNIGHT)]}, NOON + 9 * DAY_MS)
    finally:
        monkeypatch.undo()
        time.tzset()
    days = ["binance_BTCUSDT_2025-10-23.json", "binance_BTCUSDT_2025-10-24.json"]
    assert [name for name in listing(store.signals_path) if name[0] != "."] == days


def test_records_are_not_changed_by_keeping_them(store):
    record = signal(price=math.nan, flag=np.bool_(True))
    before = dict(record)
    store.append_signals({BTC: [record]}, NOON)
    assert list(record.items()) == list(before.items())
    assert array(store, "binance_BTCUSDT_2025-10-24.json")[0] | {"price": 0} == before | {"price": 0, "flag": True}


def test_a_hostile_market_is_refused_before_anything_is_written(store):
    with pytest.raises(InvalidInput):
        store.append_signals({BTC: [signal()], Market("binance", "../../x"): [signal()]}, NOON)
    with pytest.raises(InvalidInput):
        store.append_candles(Market("..", "BTC/USDT"), "5m", *candles(MIDNIGHT, 1))
    assert not store.has_anything()


def test_a_record_that_is_no_json_costs_itself_only(store):
    with pytest.raises(StoreFailure, match=r"signals/binance_BTCUSDT cannot be written"):
        store.append_signals({BTC: [signal(), signal(bad=object())], ETH: [signal()]}, NOON)
    assert len(array(store, "binance_BTCUSDT_2025-10-24.json")) == 1
    assert len(array(store, "binance_ETHUSDT_2025-10-24.json")) == 1
    assert store.health()["not_kept"] == 1


def test_a_file_that_cannot_be_written_does_not_stop_the_others_and_recovers(store):
    obstacle = store.signals_path / "binance_BTCUSDT_2025-10-24.json"
    obstacle.mkdir()
    with pytest.raises(StoreFailure, match="is a folder"):
        store.append_signals({BTC: [signal()], ETH: [signal()]}, NOON)
    health = store.health()
    assert (health["state"], health["not_kept"]) == ("degraded", 1)
    assert health["cause"] == "signals/binance_BTCUSDT cannot be written: binance_BTCUSDT_2025-10-24.json is a folder"
    assert len(array(store, "binance_ETHUSDT_2025-10-24.json")) == 1
    obstacle.rmdir()
    store.append_signals({BTC: [signal()]}, NOON)
    assert (store.health()["state"], store.health()["cause"], store.health()["not_kept"]) == ("ok", None, 1)


def test_candles_that_cannot_be_written_wait_and_stay_readable(store):
    obstacle = store.ohlcv_path / "binance_BTCUSDT_5m.parquet"
    obstacle.mkdir()
    with pytest.raises(StoreFailure, match=r"ohlcv/binance_BTCUSDT_5m\.parquet"):
        store.append_candles(BTC, "5m", *candles(MIDNIGHT, 3))
    store.append_candles(ETH, "5m", *candles(MIDNIGHT, 3))
    assert (store.health()["state"], store.health()["waiting"]) == ("degraded", 3)
    obstacle.rmdir()
    assert len(store.candles(BTC, "5m")) == 3
    store.flush()
    assert (store.health()["state"], store.health()["waiting"]) == ("ok", 0)
    assert len(pd.read_parquet(obstacle)) == 3


def test_a_file_that_fails_is_no_failure_of_a_market_whose_name_begins_alike(store):
    (store.signals_path / "binance_BTCUSDT_2025-10-24.json").mkdir()
    with pytest.raises(StoreFailure):
        store.append_signals({BTC: [signal()]}, NOON)
    store.append_signals({Market("binance", "BTC/USD"): [signal()]}, NOON)
    assert len(array(store, "binance_BTCUSD_2025-10-24.json")) == 1


def test_a_folder_that_cannot_be_made_degrades_and_recovers(tmp_path):
    (tmp_path / "data").write_text("a file where a folder should be")
    with TrainingStore(tmp_path / "data") as store:
        with pytest.raises(StoreFailure, match="cannot be written to"):
            store.append_signals({BTC: [signal()]}, NOON)
        with pytest.raises(StoreFailure):
            store.append_candles(BTC, "5m", *candles(MIDNIGHT, 3))
        assert (store.health()["state"], store.health()["not_kept"]) == ("degraded", 1)
        assert len(store.candles(BTC, "5m")) == 3
        (tmp_path / "data").unlink()
        store.append_signals({BTC: [signal()]}, NOON)
        assert store.health()["state"] == "ok"
    assert len(pd.read_parquet(tmp_path / "data" / "ohlcv" / "binance_BTCUSDT_5m.parquet")) == 3


def test_a_full_disk_loses_what_does_not_fit_and_harms_nothing(tmp_path):
    with child("limited", tmp_path, 4000) as process:
        failed, health, state = (line_from(process) for _ in range(3))
        process.wait(timeout=60)
    number = int(failed.split()[1])
    assert "File too large" in failed
    assert json.loads(health) == {
        "state": "degraded",
        "cause": "signals/binance_BTCUSDT cannot be written: File too large",
        "not_kept": 1,
    }
    assert state == "ok"
    kept = json.loads((tmp_path / "signals" / "binance_BTCUSDT_2025-10-24.json").read_text())
    assert [record["number"] for record in kept] == [*range(number), -1]


@pytest.fixture
def small_disk(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", disk]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("mounting needs root")
    yield disk
    subprocess.run(["umount", "--lazy", disk], check=True)


def fill(path):
    with suppress(OSError), path.open("wb", buffering=0) as ballast:
        while True:
            ballast.write(b"x" * 1000)


def test_a_disk_that_is_full_for_a_while_costs_the_records_of_that_while_only(small_disk):
    with TrainingStore(small_disk / "data") as store:
        store.append_signals({BTC: [signal(number=1)]}, NOON)
        fill(small_disk / "ballast")
        for number in (2, 3):
            with pytest.raises(StoreFailure, match="No space left"):
                store.append_signals({BTC: [signal(number=number, filling="x" * 9000)]}, NOON)
        with pytest.raises(StoreFailure, match="No space left"):
            store.append_candles(BTC, "5m", *candles(MIDNIGHT, 5_000)[:5], np.random.default_rng(1).random(5_000))
        assert (store.health()["state"], store.health()["not_kept"]) == ("degraded", 2)
        (small_disk / "ballast").unlink()
        store.append_signals({BTC: [signal(number=4)]}, NOON)
        store.flush()
        assert (store.health()["state"], store.health()["not_kept"]) == ("ok", 2)
        assert [record["number"] for record in array(store, "binance_BTCUSDT_2025-10-24.json")] == [1, 4]
        assert len(pd.read_parquet(store.ohlcv_path / "binance_BTCUSDT_5m.parquet")) == 5_000


def test_a_store_that_is_not_open_does_not_write(tmp_path):
    with pytest.raises(StoreFailure, match="not open"):
        TrainingStore(tmp_path).append_signals({BTC: [signal()]}, NOON)
    assert listing(tmp_path) == []


def test_health_counts_repairs_and_the_size_of_the_folder(store):
    (store.signals_path / "binance_BTCUSDT_2025-10-24.json").write_text('[\n{"a":1},\n{"b')
    (store.clustering_path / "binance_BTCUSDT_2025-10-24.json").write_text("foreign")
    (store.ohlcv_path / "binance_BTCUSDT_5m.parquet").write_text("foreign")
    store.append_signals({BTC: [signal()]}, NOON)
    store.append_clusters({BTC: [cluster()]}, NOON)
    store.append_candles(BTC, "5m", *candles(MIDNIGHT, 3))
    health = store.health()
    assert (health["repaired"], health["set_aside"], health["state"]) == (1, 2, "ok")
    files = [path for path in store.base_path.rglob("*") if path.is_file()]
    assert (health["files"], health["bytes"]) == (len(files), sum(path.stat().st_size for path in files))


def test_foreign_files_are_left_alone(store):
    for folder in (store.base_path, store.signals_path, store.ohlcv_path):
        for name in ("notes.txt", ".hidden.tmp", "x.parquet", "binance_BTCUSDT_5m.csv"):
            (folder / name).write_text(name)
    store.close()
    store.open()
    store.append_signals({BTC: [signal()]}, NOON)
    store.dataset(Query(BITCOIN, 30), LENGTH_MS, NOON)
    store.close()
    for folder in (store.base_path, store.signals_path, store.ohlcv_path):
        for name in ("notes.txt", ".hidden.tmp", "x.parquet", "binance_BTCUSDT_5m.csv"):
            assert (folder / name).read_text() == name


def test_leftovers_of_a_killed_writer_are_cleared_at_the_start(store):
    store.close()
    day = "binance_BTCUSDT_2025-10-24.json"
    left = [store.ohlcv_path / ".binance_BTCUSDT_5m.parquet.tmp", store.signals_path / f".{day}.twin"]
    for path in (*left, store.ohlcv_path / f".{day}.twin", store.signals_path / ".x.json.twin"):
        path.write_text("half")
    store.open()
    assert listing(store.ohlcv_path) == [f".{day}.twin"]  # no name that a file of ours has there
    assert listing(store.signals_path) == [".x.json.twin"]


# -- datasets ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def filled(store):
    for market in (BTC, SWAP, ETH):
        store.append_signals(
            {market: [signal(NOON - day * DAY_MS, exchange=market.exchange) for day in range(3)]}, NOON
        )
        store.append_clusters({market: [cluster(NOON - day * DAY_MS, symbol=str(market)) for day in range(3)]}, NOON)
        store.append_candles(market, "1h", *candles(NOON - 3 * DAY_MS, 72, step_ms=HOUR_MS))
    return store


def test_a_bare_symbol_merges_exchanges_and_a_prefixed_one_selects(filled):
    both = filled.dataset(Query(BITCOIN, 30), LENGTH_MS, NOON)
    assert [record["exchange"] for record in both["signals"]] == ["binance", "kucoinfutures"] * 3
    assert len(both["clustering"]) == 6
    assert both["ohlcv"]["1h"][1] == {
        "timestamp": "2025-10-21T12:00:00+00:00",
        **dict.fromkeys(("open", "high", "low", "close"), 100.0),
        "volume": 1.0,
        "exchange": "kucoinfutures",
        "symbol": "BTC/USDT:USDT",
    }
    one = filled.dataset(Query(parse_symbol("kucoinfutures:BTC/USDT"), 30), LENGTH_MS, NOON)
    assert {record["exchange"] for record in one["signals"]} == {"kucoinfutures"}
    assert set(one["ohlcv"]["1h"][0]) == {"timestamp", "open", "high", "low", "close", "volume"}


def test_days_are_24_hours_back_from_now(filled):
    data = filled.dataset(Query(parse_symbol("binance:BTC/USDT"), 1), ["1h"], NOON)
    assert [record["timestamp"][:10] for record in data["signals"]] == ["2025-10-23", "2025-10-24"]
    assert [record["timestamp"][:10] for record in data["clustering"]] == ["2025-10-23", "2025-10-24"]
    assert len(data["ohlcv"]["1h"]) == 24


def test_a_daily_final_signal_counts_from_its_close(store):
    final = signal(MIDNIGHT + 15_000, timeframe="1d", final=True)
    store.append_signals({BTC: [final]}, NOON)
    assert store.dataset(Query(BITCOIN, 1), [], NOON)["signals"] == [final]


def late(candle_ms, made_ms, **more):
    """A final 1h signal that was made long after its candle."""
    return signal(made_ms, timeframe="1h", final=True) | {"candle_time": iso(candle_ms), **more}


def test_final_signals_made_late_are_of_the_days_of_their_candles(store):
    """However late they were made, and whatever else was: days ask for a time of the market."""
    finals = [late(NOON - number * DAY_MS, NOON) for number in range(1, 8)]
    store.append_signals({BTC: finals}, NOON)
    for days in (1, 3, 7):
        found = store.dataset(Query(BITCOIN, days), [], NOON)["signals"]
        assert sorted(record["candle_time"] for record in found) == [
            record["candle_time"] for record in reversed(finals[:days])
        ]


def test_backfilled_signals_lie_among_the_others_at_their_own_time(store):
    times = [NOON - number * HOUR_MS for number in range(1, 6)]
    live, other = (signal(moment, timeframe="1h", final=True) for moment in times[:2])
    backfilled = [late(moment, NOON + DAY_MS, backfilled=True, as_of=iso(moment + HOUR_MS)) for moment in times[3:]]
    store.append_signals({BTC: [live, other, *backfilled]}, NOON)
    found = store.dataset(Query(BITCOIN, 3), [], NOON + DAY_MS)["signals"]
    assert found == [*reversed(backfilled), other, live]


def test_only_the_timeframes_asked_for_and_kept_are_given(filled):
    assert list(filled.dataset(Query(BITCOIN, 30), ["5m", "1h", "4h"], NOON)["ohlcv"]) == ["1h"]
    assert filled.dataset(Query(BITCOIN, 30), ["5m"], NOON)["ohlcv"] == {}


def test_candles_that_wait_are_in_the_dataset(filled):
    filled.append_candles(BTC, "1h", *candles(NOON, 1, price=7, step_ms=HOUR_MS))
    rows = filled.dataset(Query(parse_symbol("binance:BTC/USDT"), 1), ["1h"], NOON + HOUR_MS)["ohlcv"]["1h"]
    assert rows[-1]["close"] == 7


def test_old_data_are_an_empty_dataset_and_none_at_all_an_error(filled):
    late = filled.dataset(Query(BITCOIN, 1), LENGTH_MS, NOON + 99 * DAY_MS)
    assert late == {"signals": [], "ohlcv": {}, "clustering": []}
    with pytest.raises(NothingStored, match="SOL/USDT"):
        filled.dataset(Query(parse_symbol("SOL/USDT"), 1), LENGTH_MS, NOON)
    with pytest.raises(NothingStored, match="okx:BTC/USDT"):
        filled.dataset(Query(parse_symbol("okx:BTC/USDT"), 1), LENGTH_MS, NOON)


@pytest.mark.parametrize(
    ("kept", "asked", "said"),
    [
        ([], "BTC/USDT", "nothing is stored for BTC/USDT"),
        (["binance:BTC/USDT"], "okx:BTC/USDT", "nothing is stored for okx:BTC/USDT, but for binance:BTC/USDT"),
        (
            ["binance:DOGE/USDT", "binance:BTC/USDT", "kucoin:DOGE/USDT", "okx:DOGE/USDT", "binance:ETH/USDT"],
            "DOGS/USDT",
            "nothing is stored for DOGS/USDT, but for okx:DOGE/USDT, kucoin:DOGE/USDT, binance:DOGE/USDT and 2 more",
        ),
    ],
)
def test_where_nothing_is_stored_the_likeliest_markets_are_named(tmp_path, kept, asked, said):
    with TrainingStore(tmp_path) as store:
        for name in kept:
            store.append_candles(Market.parse(name), "5m", *candles(NOON, 1))
        with pytest.raises(NothingStored) as refused:
            store.markets_of(parse_symbol(asked))
    assert str(refused.value) == said


@pytest.mark.parametrize("days", [0, -1, 10**9, 1.5, True, "3"])
def test_days_that_are_none_are_refused(filled, days):
    with pytest.raises(InvalidInput, match="days"):
        filled.dataset(Query(BITCOIN, days), LENGTH_MS, NOON)


def test_the_newest_signal_of_every_market_and_timeframe_is_given(filled):
    hourly = signal(NOON - DAY_MS, timeframe="1h")
    filled.append_signals({BTC: [hourly]}, NOON)
    newest = filled.newest_signals()
    assert len(newest) == 4
    assert hourly in newest
    assert [record["timestamp"][:10] for record in newest if record["timeframe"] == "5m"] == ["2025-10-24"] * 3


def test_a_store_that_was_never_opened_reads(filled):
    reader = TrainingStore(filled.base_path)
    assert reader.has_anything()
    assert reader.markets() == [BTC, ETH, SWAP]
    assert reader.dataset(Query(BITCOIN, 30), LENGTH_MS, NOON) == filled.dataset(Query(BITCOIN, 30), LENGTH_MS, NOON)


def test_reading_changes_nothing_whatever_is_in_the_folder(filled):
    (filled.signals_path / "binance_BTCUSDT_2025-10-24.json").write_text('[\n{"timestamp":"2025-10-24T12:00:00Z"},\n{"')
    (filled.clustering_path / "binance_BTCUSDT_2025-10-24.json").write_text("foreign")
    (filled.ohlcv_path / "binance_BTCUSDT_1h.parquet").write_text("foreign")
    before = [listing(folder) for folder in (filled.signals_path, filled.clustering_path, filled.ohlcv_path)]
    data = TrainingStore(filled.base_path).dataset(Query(parse_symbol("binance:BTC/USDT"), 30), LENGTH_MS, NOON)
    assert (len(data["signals"]), len(data["clustering"])) == (3, 2)
    assert len(data["ohlcv"]["1h"]) == 72  # from the journal
    assert before == [listing(folder) for folder in (filled.signals_path, filled.clustering_path, filled.ohlcv_path)]


def test_a_folder_that_does_not_exist_holds_nothing(tmp_path):
    store = TrainingStore(tmp_path / "none")
    assert not store.has_anything()
    with pytest.raises(NothingStored):
        store.dataset(Query(BITCOIN, 30), LENGTH_MS, NOON)
    assert listing(tmp_path) == []


def test_nothing_is_left_open(tmp_path):
    before = len(listing(Path("/proc/self/fd")))
    for _ in range(20):
        with TrainingStore(tmp_path) as store:
            store.append_signals({BTC: [signal()], ETH: [signal()]}, NOON)
            store.append_candles(BTC, "5m", *candles(MIDNIGHT, 3))
            store.dataset(Query(BITCOIN, 30), LENGTH_MS, MIDNIGHT + 30 * MINUTE_MS)
    wait_for(lambda: len(listing(Path("/proc/self/fd"))) <= before)


def test_a_close_without_time_gives_the_folder_back_and_leaves_the_rest_in_the_journal(tmp_path: Path) -> None:
    store = TrainingStore(tmp_path)
    store.open()
    price = np.array([1.0])
    for minute in (0, 5):  # a new file is written at once, the next candle waits
        store.append_candles(Market("binance", "BTC/USDT"), "5m", np.array([minute * 60_000]), *[price] * 5)
    store.close(within_s=0.0)
    assert store.health()["waiting"] == 1
    with TrainingStore(tmp_path) as next_one:
        assert len(next_one.candles(Market("binance", "BTC/USDT"), "5m")) == 2
