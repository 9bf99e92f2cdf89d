"""Candles that wait are safe in the journal: they outlive the process, and a journal that cannot be written."""

from __future__ import annotations

import errno
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress

import pytest

from scanner.errors import StoreFailure
from scanner.store import files, journal, safekeeping
from scanner.store.candle_files import CandleFiles
from scanner.store.candle_reader import CandleReader
from scanner.store.journal import Journal
from scanner.store.store import TrainingStore
from tests.store.making import BTC, ETH, MIDNIGHT, Seconds, listing, rows


def abandoned(folder):
    """A store whose process is gone: its lock is free, nothing of it was closed."""
    store = TrainingStore(folder, clock=Seconds())
    store.open()
    yield store
    store._owning.end()


def test_candles_that_waited_are_there_after_a_kill_and_for_readers_before(tmp_path):
    for store in abandoned(tmp_path):
        for number in range(3):
            store.append_closed([(market, "5m", rows(number)) for market in (BTC, ETH)])
        assert (store.health()["waiting"], store.health()["unsafe"]) == (4, 0)
    assert len(TrainingStore(tmp_path).candles(ETH, "5m")) == 3
    with TrainingStore(tmp_path) as again:
        assert len(again.candles(BTC, "5m")) == 3
        again.flush()
        assert again.health()["waiting"] == 0
    assert listing(tmp_path / "journal") == []


def test_a_reader_misses_nothing_while_what_an_earlier_run_left_is_taken_up(tmp_path, monkeypatch):
    for store in abandoned(tmp_path):
        store.append_closed([(BTC, "5m", rows(0, 2))])
        store.append_closed([(BTC, "5m", rows(2))])
    again, replay, seen = TrainingStore(tmp_path), Journal.replay, []

    def looked_at(journal, on_failure):
        seen.append(len(again.candles(BTC, "5m")))
        left = replay(journal, on_failure)
        seen.append(len(again.candles(BTC, "5m")))
        return left

    monkeypatch.setattr(Journal, "replay", looked_at)
    with again:
        seen.append(len(again.candles(BTC, "5m")))
    assert seen == [3, 3, 3]


def test_candles_that_come_during_a_write_stay_in_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 1)  # a segment for each batch
    replace_all = files.replace_all

    def replace_slowly(changes):
        store.append_closed([(BTC, "5m", rows(1, price=2))])
        replace_all(changes)

    for store in abandoned(tmp_path):
        store.append_closed([(BTC, "5m", rows(0, 2, price=1))])
        store.append_closed([(BTC, "5m", rows(2, price=1))])
        with monkeypatch.context() as slow:
            slow.setattr(files, "replace_all", replace_slowly)
            store.write_candles(BTC, "5m")
    assert len(listing(tmp_path / "journal")) == 1
    assert TrainingStore(tmp_path).candles(BTC, "5m").values[:, 0].tolist() == [1, 2, 1]


def test_what_several_threads_add_while_others_write_is_in_the_files_or_in_the_journal(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 500)  # so that segments come and go
    (tmp_path / "journal").mkdir()
    kept = CandleFiles(tmp_path, tmp_path / "journal", Seconds())
    kept.open()
    names = ["binance_BTCUSDT_5m.parquet", "binance_ETHUSDT_5m.parquet"]

    def add(first):
        for number in range(first, first + 50):
            kept.add_all([(name, rows(number)) for name in names])

    def write():
        for _ in range(20):
            kept.write_all()

    with ThreadPoolExecutor() as threads:
        for job in [threads.submit(add, 0), threads.submit(add, 50), threads.submit(write), threads.submit(write)]:
            job.result()
    assert kept.count()["unsafe"] == 0
    reader = CandleReader(tmp_path, tmp_path / "journal")
    for name in names:
        assert reader.candles(name).equals(rows(0, 100))
    kept.close()


def test_a_later_value_of_a_candle_wins_after_a_kill_too(tmp_path):
    for store in abandoned(tmp_path):
        store.append_closed([(BTC, "5m", rows(0, price=1))])
        store.append_closed([(BTC, "5m", rows(1, price=1)), (ETH, "5m", rows(1))])
        store.append_closed([(BTC, "5m", rows(1, price=2))])
        store.write_candles(BTC, "5m")
    with TrainingStore(tmp_path) as again:
        assert again.candles(BTC, "5m").values[:, 0].tolist() == [1, 2]


def test_a_journal_that_cannot_be_written_is_shown_and_caught_up_with(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    clock = Seconds()
    with TrainingStore(tmp_path, clock) as store:
        store.append_closed([(BTC, "5m", rows(0))])
        with monkeypatch.context() as broken:
            broken.setattr(Journal, "append", full)
            with pytest.raises(StoreFailure, match="journal"):
                store.append_closed([(BTC, "5m", rows(1))])
            health = store.health()
            assert (health["state"], health["cause"]) == (
                "degraded",
                "journal cannot be written: No space left on device",
            )
            assert health["unsafe"] == 1
        clock.now = 60
        store.append_signals({}, MIDNIGHT)
        assert (store.health()["state"], store.health()["unsafe"], store.health()["waiting"]) == ("ok", 0, 1)
        assert len(TrainingStore(tmp_path).candles(BTC, "5m")) == 2


def test_a_journal_that_was_deleted_is_begun_again_with_all_that_waits(tmp_path):
    with TrainingStore(tmp_path, Seconds()) as store:
        store.append_closed([(BTC, "5m", rows(0))])
        store.append_closed([(BTC, "5m", rows(1))])
        (tmp_path / "journal" / "candles-00000001.journal").unlink()
        store.append_closed([(ETH, "5m", rows(2))])
        assert len(TrainingStore(tmp_path).candles(BTC, "5m")) == 2


def test_one_file_that_cannot_be_written_does_not_make_the_journal_grow_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(safekeeping, "LONG_JOURNAL", 3_000)
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 1_000)
    obstacle = tmp_path / "ohlcv" / "binance_BTCUSDT_5m.parquet"
    obstacle.mkdir(parents=True)
    for store in abandoned(tmp_path):
        with suppress(StoreFailure):
            store.append_closed([(BTC, "5m", rows(0, 3))])
        sizes = []
        for number in range(100):
            store.append_closed([(ETH, "5m", rows(number))])
            store.write_candles(ETH, "5m")
            sizes.append(store.health()["journal_bytes"])
        assert (max(sizes) < 5_000, store.health()["waiting"]) == (True, 3)
    obstacle.rmdir()
    with TrainingStore(tmp_path) as again:
        assert [len(again.candles(market, "5m")) for market in (BTC, ETH)] == [3, 100]
