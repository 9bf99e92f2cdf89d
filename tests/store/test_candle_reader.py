"""Candles of a folder that another process writes: what waits in its journal is seen, too."""

from __future__ import annotations

from scanner.store import safekeeping, segments
from scanner.store.candle_reader import CandleReader
from scanner.store.store import TrainingStore
from tests.store.making import BTC, ETH, Seconds, rows

NAME = "binance_BTCUSDT_5m.parquet"


def test_a_journal_that_is_begun_anew_while_another_process_reads_it_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(safekeeping, "LONG_JOURNAL", 0)
    monkeypatch.setattr(safekeeping, "ROW_BYTES", 0)  # so with each batch
    read, lists = segments.waiting_in, []

    def begin_anew_and_read(paths):
        lists.append(list(paths))
        if len(lists) == 1:
            store.append_closed([(BTC, "5m", rows(2))])
        return read(lists[-1])

    monkeypatch.setattr(segments, "waiting_in", begin_anew_and_read)
    with TrainingStore(tmp_path, Seconds()) as store:
        for number in range(2):
            store.append_closed([(BTC, "5m", rows(number))])
        assert store.waiting == 1
        assert TrainingStore(tmp_path).candles(BTC, "5m").open_time.tolist() == rows(0, 3).open_time.tolist()
    assert len(lists) == 2


def test_a_journal_that_has_not_changed_is_read_once(tmp_path, monkeypatch):
    read, times = segments.waiting_in, []
    monkeypatch.setattr(segments, "waiting_in", lambda paths: times.append(1) or read(paths))
    with TrainingStore(tmp_path, Seconds()) as store:
        store.append_closed([(BTC, "5m", rows(0)), (BTC, "5m", rows(1))])
        reader = CandleReader(store.ohlcv_path, store.journal_path)
        for _ in range(3):
            assert len(reader.candles(NAME)) == 2
        assert len(times) == 1
        store.append_closed([(ETH, "5m", rows(0))])
        assert (reader.names(), len(times)) == ([NAME, NAME.replace("BTC", "ETH")], 2)


def test_a_candle_that_waits_wins_over_the_one_in_the_file(tmp_path):
    with TrainingStore(tmp_path, Seconds()) as store:
        store.append_closed([(BTC, "5m", rows(0, 2, price=1))])
        store.flush()
        store.append_closed([(BTC, "5m", rows(1, 2, price=2))])
        reader = CandleReader(store.ohlcv_path, store.journal_path)
        assert reader.candles(NAME).values[:, 0].tolist() == [1, 2, 2]
        assert reader.candles(NAME, int(rows(2).open_time[0])).equals(rows(2, price=2))
        assert len(reader.newest(NAME, 0)) == 2


def test_nothing_there_holds_nothing(tmp_path):
    reader = CandleReader(tmp_path / "ohlcv", tmp_path / "journal")
    assert (reader.names(), len(reader.candles(NAME)), len(reader.newest(NAME, 0))) == ([], 0, 0)
