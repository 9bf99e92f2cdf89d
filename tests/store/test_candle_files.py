"""When candles reach their Parquet file."""

from __future__ import annotations

import errno
import threading

import pandas as pd
import pyarrow.dataset as ds
import pytest

from scanner.store import candle_file, files, names, schedule
from scanner.store.candle_files import CandleFiles
from tests.store.making import Seconds, rows

NAME = "binance_BTCUSDT_5m.parquet"


@pytest.fixture
def clock():
    return Seconds()


@pytest.fixture
def results():
    return []


@pytest.fixture
def folder(tmp_path, clock, results):
    files = CandleFiles(
        tmp_path,
        tmp_path / "journal",
        clock,
        lambda name, error: name != names.JOURNAL and results.append((name, error)),
    )
    (tmp_path / "journal").mkdir()
    files.open()
    yield files
    files.close()


def stored(folder, name=NAME):
    return len(pd.read_parquet(folder.folder / name))


def test_the_first_candles_are_written_at_once_and_later_ones_in_due_time(folder, clock):
    folder.add(NAME, rows(0, 10))
    folder.write_due()
    assert stored(folder) == 10
    folder.add(NAME, rows(10, 1))
    folder.write_due()
    assert (stored(folder), len(folder.candles(NAME))) == (10, 11)
    clock.now = schedule.REWRITE_S
    folder.write_due()
    assert stored(folder) == 11


def test_a_history_that_comes_after_a_first_candle_is_written_at_once(folder, clock):
    folder.add(NAME, rows(500, 1))
    folder.write_due()
    folder.add(NAME, rows(501, 1))
    folder.add(NAME, rows(0, 500))
    folder.write_due()
    assert stored(folder) == 502
    folder.add(NAME, rows(502, 1))
    clock.now = schedule.REWRITE_S
    folder.write_due()
    assert stored(folder) == 503


def test_a_long_history_is_rewritten_less_often(folder, clock):
    folder.add(NAME, rows(0, 25_000))
    folder.write_due()
    folder.add(NAME, rows(25_000, 1))
    clock.now = schedule.REWRITE_S
    folder.write_due()
    assert stored(folder) == 25_000
    clock.now = 3 * schedule.REWRITE_S
    folder.write_due()
    assert stored(folder) == 25_001


def test_files_fall_due_at_different_times(folder, clock, results):
    names = [f"binance_A{number}USDT_5m.parquet" for number in range(20)]
    for count in (1, 2):
        for name in names:
            folder.add(name, rows(0, count))
        folder.write_due()
    results.clear()
    clock.now = 0.75 * schedule.REWRITE_S
    folder.write_due()
    assert 0 < len(results) < len(names)


def test_writing_takes_its_share_of_the_time_only(folder, clock, results, monkeypatch):
    def slow(self):
        clock.now += 1.0
        self.stored = 1

    monkeypatch.setattr(candle_file.CandleFile, "write", slow)
    for number in range(100):
        folder.add(f"binance_A{number}USDT_5m.parquet", rows(0, 1))
    folder.write_due()
    burst = len(results)
    assert schedule.BURST_S <= burst <= schedule.BURST_S + 1
    clock.now += 50
    folder.write_due()
    assert 1 <= len(results) - burst <= 50 * schedule.WRITING_SHARE + 1


def test_the_newest_value_of_a_candle_wins_in_the_file_and_before_it(folder):
    folder.add(NAME, rows(0, 3, price=1))
    folder.write_due()
    folder.add(NAME, rows(1, 1, price=2))
    assert folder.candles(NAME).values[:, 0].tolist() == [1, 2, 1]
    folder.write_all()
    assert pd.read_parquet(folder.folder / NAME)["open"].tolist() == [1, 2, 1]


def test_candles_known_already_do_not_rewrite_the_file(folder):
    folder.add(NAME, rows(0, 3))
    folder.write_due()
    before = files.stamp_of(folder.folder / NAME)
    folder.add(NAME, rows(0, 3))
    folder.write_all()
    assert files.stamp_of(folder.folder / NAME) == before
    assert folder.count()["waiting"] == 0


def test_history_of_an_earlier_run_is_kept(folder, clock):
    folder.add(NAME, rows(0, 5))
    folder.write_all()
    again = CandleFiles(folder.folder, folder.folder / "journal", clock, lambda *_: None)
    again.add(NAME, rows(4, 3))
    assert len(again.candles(NAME)) == 7
    again.write_due()
    assert stored(folder) == 7


def test_a_damaged_file_is_set_aside_and_begun_anew(folder):
    (folder.folder / NAME).write_text("not Parquet")
    assert len(folder.candles(NAME)) == 0
    folder.add(NAME, rows(0, 2))
    assert len(folder.candles(NAME)) == 2
    folder.write_due()
    assert stored(folder) == 2
    assert (folder.folder / f"{NAME}.corrupt-1").read_text() == "not Parquet"
    assert folder.count()["set_aside"] == 1


def test_a_write_that_fails_is_tried_again_and_loses_nothing(folder, clock, results, monkeypatch):
    def full(*_, **__):
        raise OSError(errno.ENOSPC, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(files, "replace_all", full)
        folder.add(NAME, rows(0, 2))
        folder.write_due()
        folder.write_due()
    assert [name for name, error in results if error] == [NAME]
    assert len(folder.candles(NAME)) == 2
    clock.now = schedule.RETRY_S
    folder.write_due()
    assert results[-1] == (NAME, None)
    assert stored(folder) == 2


def test_what_waits_is_bounded_and_what_goes_is_counted(folder, monkeypatch):
    monkeypatch.setattr(candle_file, "MOST_WAITING", 3)
    (folder.folder / NAME).mkdir()
    folder.add(NAME, rows(0, 4))
    folder.write_due()
    assert folder.count()["not_kept"] == 0  # not before a write has failed
    folder.add(NAME, rows(4, 1))
    (folder.folder / NAME).rmdir()
    assert folder.candles(NAME).open_time.tolist() == rows(2, 3).open_time.tolist()
    assert folder.count()["not_kept"] == 2


def test_candles_that_come_during_a_write_are_not_forgotten(folder, monkeypatch):
    replace_all = files.replace_all

    def replace_slowly(changes):
        folder.add(NAME, rows(1, 2, price=7))
        replace_all(changes)

    with monkeypatch.context() as slow:
        slow.setattr(files, "replace_all", replace_slowly)
        folder.add(NAME, rows(0, 2))
        folder.write_due()
    assert folder.candles(NAME).values[:, 0].tolist() == [100, 7, 7]
    folder.write_all()
    assert pd.read_parquet(folder.folder / NAME)["open"].tolist() == [100, 7, 7]


def test_readers_never_fail_and_never_see_less_than_before(folder):
    folder.add(NAME, rows(0, 1))
    folder.write_all()
    done, seen, failures = threading.Event(), [], []

    def read():
        while not done.is_set():
            try:
                seen.append((len(folder.candles(NAME)), len(candle_file.read(folder.folder / NAME))))
            except Exception as error:  # noqa: BLE001 - any error at all is the failure looked for
                failures.append(error)

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(1, 150):
        folder.add(NAME, rows(number, 1))
        folder.write_all()
    done.set()
    reader.join()
    assert failures == []
    for column in zip(*seen, strict=True):
        assert list(column) == sorted(column)


def test_pandas_reads_the_file_through_one_handle_while_it_is_being_replaced(folder):
    folder.add(NAME, rows(0, 1))
    folder.write_all()
    done = threading.Event()

    def write():
        for number in range(1, 10_000):
            if done.is_set():
                return
            folder.add(NAME, rows(number, 1))
            folder.write_all()

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(100):
            with (folder.folder / NAME).open("rb") as file:
                assert len(pd.read_parquet(file)) >= 1
    finally:
        done.set()
        writer.join()


def test_who_has_read_the_end_of_a_file_finds_the_rest_of_it_in_the_next_one(folder):
    folder.add(NAME, rows(0, 10))
    folder.write_all()
    (opened,) = ds.dataset(folder.folder / NAME).get_fragments()
    opened.ensure_complete_metadata()
    for number in (10, 11):
        folder.add(NAME, rows(number, 1, price=7))
        folder.write_all()
    assert opened.to_table()["open"].to_pylist() == [100] * 10
    assert pd.read_parquet(folder.folder / NAME)["open"].tolist() == [100] * 10 + [7, 7]
