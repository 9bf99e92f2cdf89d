"""Folders that earlier versions left still open: ``samples/version-1``, as a killed process left it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from scanner.store.gaps import DOWN
from scanner.store.store import TrainingStore
from tests.store.making import BTC, ETH, MIDNIGHT, NOON, signal
from tests.store.test_store import array

SAMPLES = Path(__file__).parent / "samples"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(SAMPLES / "version-1", tmp_path / "data")
    return tmp_path / "data"


def test_a_reader_finds_everything_in_it(folder):
    store = TrainingStore(folder)
    assert store.markets() == [BTC, ETH]
    assert len(store.candles(BTC, "5m")) == 2 + 3 + 1  # a sealed part, the head, the journal
    assert store.candles(ETH, "5m").open_time.tolist() == [MIDNIGHT, MIDNIGHT + 300_000]
    assert [record["number"] for record in array(store, "binance_BTCUSDT_2025-10-24.json")] == [1, 2]
    assert [gap.cause for gap in store.gaps.read()] == [DOWN]


def test_a_writer_goes_on_with_it(folder):
    with TrainingStore(folder) as store:
        assert (store.health()["state"], store.health()["repaired"], store.health()["set_aside"]) == ("ok", 0, 0)
        store.append_signals({BTC: [signal(final=True, number=9), signal(number=3)]}, NOON)
        assert [record["number"] for record in array(store, "binance_BTCUSDT_2025-10-24.json")] == [1, 2, 3]
        assert len(store.candles(BTC, "5m")) == 6
        store.flush()
    assert len(TrainingStore(folder).candles(BTC, "5m")) == 6
