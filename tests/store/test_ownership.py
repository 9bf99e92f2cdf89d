"""One process owns a data folder."""

from __future__ import annotations

import json
import os
import shutil
import signal

import pytest

from scanner.errors import FolderInUse
from scanner.store import ohlcv
from scanner.store.gaps import DOWN, Gap
from scanner.store.reader import StoreReader
from scanner.store.store import TrainingStore
from tests.store.making import BTC, MIDNIGHT, candles, child, line_from, listing
from tests.store.making import signal as record


def test_a_second_process_is_refused_and_told_the_owner(tmp_path):
    with child("own", tmp_path) as owner:
        pid = line_from(owner)
        assert pid == str(owner.pid)
        for _ in range(2):
            with pytest.raises(FolderInUse, match=rf"in use by process {pid}; "):
                TrainingStore(tmp_path).open()


def test_a_child_is_refused_while_we_own_the_folder(tmp_path):
    with TrainingStore(tmp_path), child("own", tmp_path) as other:
        assert f"in use by process {os.getpid()}" in line_from(other)


def test_a_second_store_of_the_same_process_is_refused(tmp_path):
    with TrainingStore(tmp_path), pytest.raises(FolderInUse, match="this process"):
        TrainingStore(tmp_path).open()


def test_a_refused_store_can_be_opened_later(tmp_path):
    late = TrainingStore(tmp_path)
    with TrainingStore(tmp_path), pytest.raises(FolderInUse):
        late.open()
    with late:
        late.append_signals({BTC: [record()]}, MIDNIGHT)


def test_the_lock_of_a_killed_process_is_taken_over(tmp_path):
    with child("own", tmp_path) as owner:
        line_from(owner)
        owner.send_signal(signal.SIGKILL)
        owner.wait()
        with TrainingStore(tmp_path):
            assert (tmp_path / "scanner.lock").read_text() == f"{os.getpid()}\n"


def test_a_lock_file_of_an_earlier_run_is_no_obstacle(tmp_path):
    (tmp_path / "scanner.lock").write_text("1\n")
    with TrainingStore(tmp_path):
        pass


def test_opening_and_closing_twice_is_harmless(tmp_path):
    store = TrainingStore(tmp_path)
    store.close()
    store.open()
    store.open()
    store.close()
    store.close()
    with TrainingStore(tmp_path):
        pass


def closed(number):
    moments, *columns = candles(MIDNIGHT + number * 300_000, 1)
    return [(BTC, "5m", ohlcv.rows(moments, columns))]


def test_a_writer_whose_lock_was_deleted_leaves_the_folder_to_the_next_until_that_has_ended(tmp_path):
    with TrainingStore(tmp_path) as first:
        for number in range(2):
            first.append_closed(closed(number))
        (tmp_path / "scanner.lock").unlink()
        with TrainingStore(tmp_path) as second:
            with pytest.raises(FolderInUse):
                first.append_signals({BTC: [record()]}, MIDNIGHT)
            with pytest.raises(FolderInUse):
                first.append_closed(closed(2))
            assert first.health()["not_kept"] == 1
            assert (first.health()["unsafe"], len(second.candles(BTC, "5m"))) == (2, 2)
        assert listing(tmp_path / "signals") == []
        first.append_signals({BTC: [record()]}, MIDNIGHT)
        assert len(StoreReader(tmp_path).candles(BTC, "5m")) == 3
        assert (first.health()["state"], first.health()["unsafe"]) == ("ok", 0)


def test_no_record_is_lost_where_a_lock_was_deleted_that_nobody_else_wants(tmp_path):
    with TrainingStore(tmp_path) as store:
        for number in range(4):
            if number == 2:
                (tmp_path / "scanner.lock").unlink()
            store.append_signals({BTC: [record(MIDNIGHT + number * 1000)]}, MIDNIGHT)
        assert (store.health()["state"], store.health()["not_kept"]) == ("ok", 0)
        (day,) = (tmp_path / "signals").glob("*.json")
        assert len(json.loads(day.read_text())) == 4


@pytest.mark.parametrize("gone", ["", "signals", "ohlcv", "journal", "gaps"])
def test_folders_that_are_deleted_are_made_again(tmp_path, gone):
    with TrainingStore(tmp_path / "data") as store:
        for number in range(2):
            store.append_closed(closed(number))
        shutil.rmtree(tmp_path / "data" / gone)
        store.append_signals({BTC: [record()]}, MIDNIGHT)
        store.append_closed(closed(2))
        assert store.gaps.append([Gap("binance", None, DOWN, MIDNIGHT, MIDNIGHT + 1)])
        assert store.health()["state"] == "ok"
        assert store.health()["not_kept"] == 0
        kept = StoreReader(tmp_path / "data")
        assert len(kept.newest_signals()) == len(kept.gaps.read()) == 1
        assert len(kept.candles(BTC, "5m")) == (3 if gone else 2)  # the first one was in its file alone
        with pytest.raises(FolderInUse):
            TrainingStore(tmp_path / "data").open()
