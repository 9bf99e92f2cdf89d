"""The files that candles came for: what waits for them, and whose they are."""

from __future__ import annotations

import pytest

from scanner.store import candle_file
from scanner.store.known_files import KnownFiles
from scanner.store.schedule import BURST_S, REWRITE_S, WRITING_SHARE
from tests.store.making import Seconds, rows

BTC, ETH = "binance_BTCUSDT_5m.parquet", "binance_ETHUSDT_5m.parquet"


@pytest.fixture
def clock():
    return Seconds()


@pytest.fixture
def lost():
    return []


@pytest.fixture
def known(tmp_path, clock, lost):
    return KnownFiles(tmp_path, clock, lambda name, candles: lost.append((name, len(candles))))


def test_what_waits_is_told_by_file_until_it_is_written(known):
    known.take_in([(BTC, rows(0)), (ETH, rows(0)), (BTC, rows(1))])
    assert [(name, len(candles)) for name, candles in known.waiting()] == [(BTC, 2), (ETH, 1)]
    known.file(BTC).write()
    assert [name for name, _ in known.waiting()] == [ETH]
    assert known.count()["waiting"] == 1


def test_a_file_is_due_once_and_again_with_the_next_candles(known, clock):
    known.take_in([(BTC, rows(0)), (BTC, rows(1))])
    assert known.next_due() is known.get(BTC)
    assert known.next_due() is None
    known.get(BTC).write()
    known.take_in([(BTC, rows(2))])
    assert known.next_due() is None
    clock.now = REWRITE_S
    assert known.next_due() is known.get(BTC)


def test_nothing_is_due_once_writing_has_had_its_share_of_the_time(known, clock):
    known.take_in([(BTC, rows(0)), (ETH, rows(0))])
    assert known.next_due() is not None
    known.spend(BURST_S + 1)
    assert known.next_due() is None
    clock.now = 1 / WRITING_SHARE + 1
    assert known.next_due() is not None


def test_where_the_folder_is_not_ours_its_parts_are_looked_for_each_time(known, tmp_path):
    known.take_in([(BTC, rows(0))])
    assert known.get(BTC).periods is known.file(ETH).periods is None
    part = tmp_path / BTC.replace(".parquet", "-2025-01.parquet")
    part.write_bytes(b"")
    known.own()
    assert (known.are_ours, known.heads_with_parts()) == (True, [BTC])
    assert (known.get(BTC).periods, known.file(ETH).periods) == ({"2025-01"}, frozenset())
    known.give_back()
    assert (known.are_ours, known.get(BTC).periods, known.heads_with_parts()) == (False, None, [])


def test_candles_that_had_to_go_are_told_of(known, lost, tmp_path, monkeypatch):
    monkeypatch.setattr(candle_file, "MOST_WAITING", 3)
    (tmp_path / BTC).mkdir()
    known.take_in([(BTC, rows(0, 3))])
    with pytest.raises(OSError, match="is a folder"):
        known.get(BTC).write()
    known.take_in([(BTC, rows(3, 2))])
    assert (lost, known.count()["not_kept"]) == ([(BTC, 2)], 2)
