"""Readers in other processes, by path and at any moment, while the files they read are written."""

from __future__ import annotations

from contextlib import ExitStack

import numpy as np

from scanner.store import ohlcv, parts, places
from scanner.store.store import TrainingStore
from tests.store.making import BTC, MIDNIGHT, child, line_from, signal

STEP = 300_000
READERS = ("json", "pandas", "duckdb", "polars", "pyarrow")


def candles(first, count):
    return ohlcv.Rows(MIDNIGHT + STEP * np.arange(first, first + count), np.full((count, 5), 100.0))


def test_no_reader_in_another_process_fails_under_a_writer(tmp_path, monkeypatch):
    """Candles come one by one, files are written anew, a month is sealed: each while every reader is reading."""
    monkeypatch.setattr(parts, "HEAD_DAYS", 3)
    monkeypatch.setattr(parts, "HEAD_ROWS", 800)
    rewritten, sizes, last = [], set(), 9_500  # a few days before a month ends
    monkeypatch.setattr(places, "rewritten", lambda *given, real=places.rewritten: rewritten.append(1) or real(*given))
    with TrainingStore(tmp_path) as store, ExitStack() as running:
        store.append_closed([(BTC, "5m", candles(0, last))])
        store.append_signals({BTC: [signal()]}, MIDNIGHT)
        store.write_candles(BTC, "5m")
        readers = [running.enter_context(child("read_by_path", tmp_path, kind)) for kind in READERS]
        assert [line_from(reader) for reader in readers] == ["ready"] * len(READERS)
        for number in range(100):
            for reader in readers:
                print("again", file=reader.stdin, flush=True)
            count = 1 if number % 10 else 250
            store.append_closed([(BTC, "5m", candles(last, count))])
            store.append_signals({BTC: [signal(MIDNIGHT + number)]}, MIDNIGHT)
            store.write_candles(BTC, "5m")
            last += count
            sizes.add((store.ohlcv_path / "binance_BTCUSDT_5m.parquet").stat().st_size)
            said = dict(zip(READERS, map(line_from, readers), strict=True))
            assert said == dict.fromkeys(READERS, "whole"), number
        assert store.candles(BTC, "5m").equals(candles(0, last))
    assert len(rewritten) > 5
    assert len(sizes) < 10
    assert len(list(tmp_path.glob("ohlcv/*-20*.parquet"))) > 1
