"""One process owns a data folder."""

from __future__ import annotations

import os
import signal

import pytest

from scanner.errors import FolderInUse
from scanner.store.store import TrainingStore
from tests.store.making import BTC, MIDNIGHT, child, line_from
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
