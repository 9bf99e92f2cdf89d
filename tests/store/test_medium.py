"""What was written is on the medium soon after, by itself; what is not yet can be told."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from scanner.markets import Market
from scanner.store import files, medium
from scanner.store.medium import Medium, flush_files
from scanner.store.store import TrainingStore
from tests.store.making import NOON, signal
from tests.waiting import wait_for

BTC = Market("binance", "BTC/USDT")


class Disk:
    """Stands in for the medium: notes what it is asked to flush, may hold a flush up or refuse it."""

    def __init__(self) -> None:
        self.asked: list[set[Path]] = []
        self.goes_on = threading.Event()
        self.goes_on.set()
        self.refuses = False

    def flush(self, paths: set[Path]) -> None:
        self.asked.append(set(paths))
        assert self.goes_on.wait(30)
        if self.refuses:
            raise OSError(5, "Input/output error")


@pytest.fixture
def disk(monkeypatch):
    stand_in = Disk()
    monkeypatch.setattr(medium, "flush_files", stand_in.flush)
    monkeypatch.setattr(medium, "GATHER_S", 0.0)
    monkeypatch.setattr(medium, "RETRY_S", 0.01)
    yield stand_in
    stand_in.goes_on.set()


def test_records_are_flushed_by_themselves(tmp_path, disk):
    with TrainingStore(tmp_path) as store:
        store.append_signals({BTC: [signal()]}, NOON)
        wait_for(lambda: store.health()["unflushed"] == 0, what="the signals are not flushed")
    assert disk.asked == [{store.signals_path / "binance_BTCUSDT_2025-10-24.json"}]


def test_what_is_written_during_a_flush_is_flushed_after_it(tmp_path, disk):
    flusher = Medium(lambda error: None)
    disk.goes_on.clear()
    flusher.wrote(tmp_path / "first")
    wait_for(lambda: disk.asked, what="no flush")
    flusher.wrote(tmp_path / "second")
    assert flusher.unflushed == 2
    disk.goes_on.set()
    wait_for(lambda: flusher.unflushed == 0, what="the second file is not flushed")
    assert disk.asked == [{tmp_path / "first"}, {tmp_path / "second"}]
    flusher.finish(10)


def test_a_medium_that_fails_shows_in_the_health_until_a_flush_succeeds(tmp_path, disk):
    disk.refuses = True
    with TrainingStore(tmp_path) as store:
        store.append_signals({BTC: [signal()]}, NOON)
        wait_for(lambda: store.health()["state"] == "degraded", what="the failure does not show")
        health = store.health()
        assert (health["cause"], health["unflushed"]) == ("medium cannot be written: Input/output error", 1)
        disk.refuses = False
        wait_for(lambda: store.health()["state"] == "ok", what="the failure does not end")
        assert store.health()["unflushed"] == 0


def test_a_close_does_not_wait_for_a_medium_that_hangs(tmp_path, disk, caplog):
    store = TrainingStore(tmp_path)
    store.open()
    disk.goes_on.clear()
    store.append_signals({BTC: [signal()]}, NOON)
    wait_for(lambda: disk.asked, what="no flush")
    store.append_signals({Market("binance", "ETH/USDT"): [signal()]}, NOON)
    store.close(within_s=0.01)
    assert "no time to flush 2 files to the medium" in caplog.text
    with TrainingStore(tmp_path):  # the folder was given back
        pass


def test_a_close_does_not_wait_for_more_to_be_written(tmp_path, disk, monkeypatch):
    monkeypatch.setattr(medium, "GATHER_S", 3600.0)
    with TrainingStore(tmp_path) as store:
        store.append_signals({BTC: [signal()]}, NOON)
    assert store.health()["unflushed"] == 0


@pytest.mark.parametrize("whole", [True, False])
def test_files_and_their_names_are_flushed_at_once_or_one_by_one(tmp_path, monkeypatch, whole):
    path, gone = tmp_path / "a" / "file", tmp_path / "b" / "gone"
    path.parent.mkdir()
    path.write_text("[]")
    flushed: list[Path] = []
    monkeypatch.setattr(files, "sync", flushed.append)
    if not whole:
        monkeypatch.setattr(medium, "_flush_file_system", lambda folder: False)
    flush_files({path, gone})
    one_by_one = {path, path.parent, gone, gone.parent}
    assert set(flushed) == (set() if whole and medium.flushes_file_systems() else one_by_one)


def test_a_folder_that_is_gone_needs_no_flush(tmp_path):
    flush_files({tmp_path / "gone" / "file"})
