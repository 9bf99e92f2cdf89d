"""A process that is really killed while it writes."""

from __future__ import annotations

import itertools
import json
import random
import time

import pandas as pd
import pytest

from scanner.store.store import TrainingStore
from tests.store import killing
from tests.store.making import BTC, ETH, MIDNIGHT, SWAP, child, line_from, listing, signal

POINTS = 6


def acknowledged(process, seconds):
    """Kill the process some time after its first word; returns everything it said."""
    said = [line_from(process)]
    time.sleep(seconds)  # the moment of the kill, not a wait for something
    process.kill()
    said += process.communicate()[0].split("\n")
    return [int(line) for line in said if line]


@pytest.mark.parametrize("point", range(POINTS))
def test_no_acknowledged_record_is_lost(tmp_path, point):
    with child("append_records", tmp_path) as process:
        cycles = acknowledged(process, random.uniform(0, 0.3))
    for market in ("BTCUSDT", "ETHUSDT"):
        found = json.loads((tmp_path / "signals" / f"binance_{market}_2025-10-24.json").read_text())
        numbers = [record["number"] for record in found]
        assert numbers == [number // 3 for number in range(len(numbers))]
        assert len(numbers) >= 3 * len(cycles)
    found = json.loads((tmp_path / "clustering" / "kucoinfutures_BTCUSDT.USDT_2025-10-24.json").read_text())
    assert [record["number"] for record in found] == list(range(len(found)))
    assert len(found) >= len(cycles)
    with TrainingStore(tmp_path) as store:
        store.append_signals({BTC: [signal()], ETH: [signal()]}, MIDNIGHT)
        assert (store.health()["repaired"], store.health()["set_aside"]) == (0, 0)
    assert [name for name in listing(tmp_path / "signals") if name.startswith(".")] == []


@pytest.mark.parametrize("point", range(POINTS))
def test_no_acknowledged_candle_is_lost(tmp_path, point):
    with child("append_candles", tmp_path) as process:
        kept = acknowledged(process, random.uniform(0, 0.3))[-1]
    for name in ("binance_BTCUSDT_5m.parquet", "kucoinfutures_BTCUSDT.USDT_5m.parquet"):
        frame = pd.read_parquet(tmp_path / "ohlcv" / name)
        assert len(frame) >= kept
        assert frame["timestamp"].is_unique
        assert frame["timestamp"].is_monotonic_increasing
    with TrainingStore(tmp_path) as store:
        assert len(store.candles(SWAP, "5m")) >= kept
    assert [name for name in listing(tmp_path / "ohlcv") if not name.endswith(".parquet")] == []


def test_what_a_server_had_shown_when_it_was_killed_is_kept_once(tmp_path):
    with killing.serving(tmp_path) as server:
        for number in itertools.count():
            server.life(random.uniform(0, killing.LONGEST_S), scanning=number % 2 == 0)
            assert killing.wrong(tmp_path, server) == []
            if number >= 9 and len(server.signals) > 50 and server.candles:  # on a busy machine a life shows little
                break
