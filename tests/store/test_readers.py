"""Readers in other processes, by path and at any moment, while the files they read are written."""

from __future__ import annotations

from contextlib import ExitStack
from io import BytesIO

import numpy as np
import pytest

from scanner.store import ohlcv, parts
from scanner.store.store import TrainingStore
from tests.store.making import BTC, MIDNIGHT, child, line_from, signal

STEP = 300_000
READERS = ("json", "pandas", "duckdb", "pyarrow")


def candles(first, count):
    return ohlcv.Rows(MIDNIGHT + STEP * np.arange(first, first + count), np.full((count, 5), 100.0))


def test_no_reader_in_another_process_fails_under_a_writer(tmp_path, monkeypatch):
    """Candles come one by one, files are written anew, a month is sealed: thousands of times as often as by a scan."""
    monkeypatch.setattr(parts, "HEAD_DAYS", 3)
    monkeypatch.setattr(parts, "HEAD_ROWS", 800)
    rewritten, sizes, last = [], set(), 9_500  # a few days before a month ends
    monkeypatch.setattr(ohlcv, "rewritten", lambda *given, real=ohlcv.rewritten: rewritten.append(1) or real(*given))
    with TrainingStore(tmp_path) as store, ExitStack() as running:
        store.append_closed([(BTC, "5m", candles(0, last))])
        store.append_signals({BTC: [signal()]}, MIDNIGHT)
        store.write_candles(BTC, "5m")
        readers = [running.enter_context(child("read_by_path", tmp_path, kind)) for kind in READERS]
        assert [line_from(reader) for reader in readers] == ["ready"] * len(READERS)
        for number in range(250):
            count = 1 if number % 25 else 250
            store.append_closed([(BTC, "5m", candles(last, count))])
            store.append_signals({BTC: [signal(MIDNIGHT + number)]}, MIDNIGHT)
            store.write_candles(BTC, "5m")
            last += count
            sizes.add((store.ohlcv_path / "binance_BTCUSDT_5m.parquet").stat().st_size)
        said = dict(zip(READERS, (reader.communicate()[0].split("\n") for reader in readers), strict=True))
        assert store.candles(BTC, "5m").equals(candles(0, last))
    assert {kind: lines[1:-1] for kind, lines in said.items()} == {kind: [] for kind in READERS}
    assert all(int(lines[0]) > 5 for lines in said.values())
    assert len(rewritten) > 5
    assert len(sizes) < 10
    assert len(list(tmp_path.glob("ohlcv/*-20*.parquet"))) > 1


@pytest.mark.parametrize("count", [300, 12_000])
def test_what_a_file_held_stays_at_its_place_when_it_is_written_anew_and_it_does_not_grow_for_ever(count):
    everything, renewed = candles(0, count), 0
    file, sizes = ohlcv.encode(everything), []
    for number in range(300):
        everything = candles(0, count + number + 1)
        longer = ohlcv.continued(file, candles(count + number, 1))
        renewed += longer is None
        longer = longer or ohlcv.rewritten(file, everything)
        ends = len(file) - 8 - int.from_bytes(file[-8:-4], "little")
        mixed = longer[:ends] + file[ends:]  # the description of the old file, the rest from the new
        assert ohlcv.read(BytesIO(mixed)).equals(candles(0, count + number))
        file = longer
        sizes.append(len(file))
    assert ohlcv.read(BytesIO(file)).equals(everything)
    assert renewed > 5
    assert len(set(sizes[200:])) == 1
    assert len(file) < ohlcv.WASTE * (len(ohlcv.encode(everything)) + ohlcv.ROOM)


def test_what_cannot_be_kept_is_written_alone():
    alone = ohlcv.encode(candles(0, 10))
    long = ohlcv.encode(ohlcv.Rows(candles(0, 50_000).open_time, np.random.default_rng(1).random((50_000, 5))))
    for file in (b"", b"not Parquet", long):
        assert ohlcv.rewritten(file, candles(0, 10)) == alone
    assert ohlcv.read(BytesIO(ohlcv.rewritten(ohlcv.encode(ohlcv.NONE), candles(0, 10)))).equals(candles(0, 10))
    assert not len(ohlcv.read(BytesIO(ohlcv.rewritten(alone, ohlcv.NONE))))
