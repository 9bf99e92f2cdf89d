"""Day files on a real disk."""

from __future__ import annotations

import json
import os
import threading
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner.store import arrays, daily
from scanner.store.daily import DayFile, DayFiles, Seen
from scanner.store.moments import Key
from tests.store.making import child, line_from, listing
from tests.waiting import wait_for

NAME = "binance_BTCUSDT_2025-10-24.json"
same_folder = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=50
)


def key_of(record):
    return Key("5m", record["key"]) if "key" in record else None


def entries(some):
    return [(key_of(record), arrays.encode(record)) for record in some]


def content(folder, name=NAME):
    return json.loads((folder / name).read_text())


@pytest.fixture
def folder(tmp_path):
    return DayFiles(tmp_path, key_of)


batches = st.lists(st.lists(st.fixed_dictionaries({"a": st.text(max_size=9)}, optional={"key": st.integers(0, 9)})))


@given(batches, st.lists(st.booleans()))
@same_folder
def test_any_split_of_appends_and_any_restart_give_the_file_of_one_append(tmp_path_factory, some, restarts):
    split, at_once = (DayFiles(tmp_path_factory.mktemp("days"), key_of) for _ in range(2))
    for batch, restart in zip(some, restarts + [False] * len(some), strict=False):
        split.append(NAME, entries(batch))
        if restart:
            split = DayFiles(split.folder, key_of)
    at_once.append(NAME, entries(list(chain(*some))))
    assert (split.folder / NAME).exists() == (at_once.folder / NAME).exists() == any(some)
    if any(some):
        assert (split.folder / NAME).read_bytes() == (at_once.folder / NAME).read_bytes()


@given(batches)
@same_folder
def test_a_file_holds_each_key_once_and_all_else_in_order(tmp_path_factory, some):
    folder = DayFiles(tmp_path_factory.mktemp("days"), key_of)
    model, seen = [], set()
    for batch in some:
        new = []
        for record in batch:
            if record.get("key") not in seen:
                new.append(record)
                seen |= {record["key"]} if "key" in record else set()
        assert folder.append(NAME, entries(batch)) == len(new)
        model += new
        if model:
            assert content(folder.folder) == model


@given(st.lists(st.fixed_dictionaries({"a": st.text(max_size=9)}), min_size=1, max_size=5), st.data())
@same_folder
def test_a_file_cut_at_any_byte_opens_with_its_first_records_and_goes_on(tmp_path_factory, some, data):
    path = tmp_path_factory.mktemp("days") / NAME
    text = arrays.whole([arrays.encode(record) for record in some])
    path.write_bytes(text[: data.draw(st.integers(0, len(text)))])
    folder = DayFiles(path.parent, key_of)
    folder.append(NAME, entries([{"new": 1}]))
    *kept, newest = content(path.parent)
    assert kept == some[: len(kept)]
    assert newest == {"new": 1}
    assert folder.set_aside == 0
    folder.close()
    assert listing(path.parent) == [NAME]


def test_a_cut_file_is_counted_as_repaired_and_a_sound_one_is_not(folder):
    (folder.folder / NAME).write_text('[\n{"a":1},\n{"a":')
    folder.append(NAME, entries([{"a": 2}]))
    assert content(folder.folder) == [{"a": 1}, {"a": 2}]
    assert (folder.repaired, folder.set_aside) == (1, 0)
    assert DayFile(folder.folder / NAME, key_of).found is arrays.State.SOUND


def test_foreign_bytes_are_set_aside_whole_and_the_records_before_them_stay(folder):
    (folder.folder / NAME).write_bytes(b'[\n{"a":1},\n{"a":2}\0\0\0')
    folder.append(NAME, entries([{"a": 3}]))
    assert content(folder.folder) == [{"a": 1}, {"a": 2}, {"a": 3}]
    assert (folder.folder / f"{NAME}.corrupt-1").read_bytes() == b'[\n{"a":1},\n{"a":2}\0\0\0'
    assert (folder.repaired, folder.set_aside) == (0, 1)


def test_a_second_foreign_file_does_not_overwrite_the_first(folder):
    for text in ("one", "two"):
        (folder.folder / NAME).write_text(text)
        folder.append(NAME, entries([{"a": 1}]))
    assert (folder.folder / f"{NAME}.corrupt-1").read_text() == "one"
    assert (folder.folder / f"{NAME}.corrupt-2").read_text() == "two"


def test_an_empty_file_is_a_fresh_one(folder):
    (folder.folder / NAME).touch()
    folder.append(NAME, entries([{"a": 1}]))
    assert content(folder.folder) == [{"a": 1}]
    assert (folder.repaired, folder.set_aside) == (0, 0)


@pytest.mark.parametrize("text", ["[]", "[ ]\n\n", '[\n  {\n    "a": 0\n  }\n]' + " " * 5000])
def test_an_array_laid_out_otherwise_is_continued(folder, text):
    (folder.folder / NAME).write_text(text)
    for number in range(1, 4):
        folder.append(NAME, entries([{"a": number}]))
        assert content(folder.folder) == json.loads(text) + [{"a": n} for n in range(1, number + 1)]


def test_a_file_another_hand_changed_is_read_again(folder):
    folder.append(NAME, entries([{"key": 1}]))
    (folder.folder / NAME).write_text('[{"key": 2}]')
    assert folder.append(NAME, entries([{"key": 1}, {"key": 2}])) == 1
    assert content(folder.folder) == [{"key": 2}, {"key": 1}]


def test_a_file_that_vanished_is_started_anew(folder):
    folder.append(NAME, entries([{"key": 1}]))
    (folder.folder / NAME).unlink()
    folder.append(NAME, entries([{"key": 1}]))
    assert content(folder.folder) == [{"key": 1}]


def test_a_record_written_before_a_restart_is_not_written_again(folder):
    folder.append(NAME, entries([{"key": 1}]))
    again = DayFiles(folder.folder, key_of)
    assert again.append(NAME, entries([{"key": 1}])) == 0


def test_a_hard_linked_copy_keeps_its_bytes(folder, tmp_path_factory):
    folder.append(NAME, entries([{"a": 1}]))
    backup = tmp_path_factory.mktemp("backup") / NAME
    os.link(folder.folder / NAME, backup)
    for number in range(4):
        folder.append(NAME, entries([{"a": number}]))
    assert json.loads(backup.read_text()) == [{"a": 1}]


def test_a_reader_slower_than_two_appends_sees_the_array_it_opened(folder):
    folder.append(NAME, entries([{"a": 1}]))
    for number in range(3):
        before = content(folder.folder)
        with (folder.folder / NAME).open() as reader:
            first_byte = reader.read(1)
            for _ in range(3):
                folder.append(NAME, entries([{"a": "x" * 9000, "number": number}]))
            reader.seek(0)
            assert first_byte == "["
            assert json.load(reader) == before


def test_a_failed_append_leaves_file_and_keys_as_they_were(folder, monkeypatch):
    folder.append(NAME, entries([{"key": 1}]))

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as broken:
        broken.setattr(daily.files, "write_all", full)
        with pytest.raises(OSError, match="No space"):
            folder.append(NAME, entries([{"key": 2}]))
    assert content(folder.folder) == [{"key": 1}]
    assert folder.append(NAME, entries([{"key": 1}, {"key": 2}])) == 1
    assert content(folder.folder) == [{"key": 1}, {"key": 2}]


def test_a_file_system_without_hard_links_works_too(folder, monkeypatch):
    def refused(*_):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refused)
    for number in range(4):
        folder.append(NAME, entries([{"a": number}]))
    assert content(folder.folder) == [{"a": number} for number in range(4)]
    (folder.folder / NAME).write_text("foreign")
    folder.append(NAME, entries([{"a": 1}]))
    assert (folder.folder / f"{NAME}.corrupt-1").read_text() == "foreign"


def test_closing_leaves_nothing_but_the_files(folder):
    for number in range(3):
        folder.append(NAME, entries([{"a": number}]))
    assert len(listing(folder.folder)) == 2
    folder.close()
    assert listing(folder.folder) == [NAME]


def test_only_so_many_files_are_remembered_and_none_stays_open(folder, monkeypatch):
    monkeypatch.setattr(daily, "MOST_KNOWN", 2)
    opened = len(listing(Path("/proc/self/fd")))
    for name in ["a.json", "b.json", "c.json"] * 3:
        folder.append(name, entries([{"a": 1}]))
    wait_for(lambda: len(listing(Path("/proc/self/fd"))) <= opened)
    assert listing(folder.folder)[2:] == ["a.json", "b.json", "c.json"]
    assert [len(content(folder.folder, name)) for name in ("a.json", "b.json", "c.json")] == [3, 3, 3]


def test_writers_in_parallel_threads_lose_nothing(folder):
    def write(writer):
        for number in range(25):
            folder.append(NAME, entries([{"writer": writer, "number": number}]))

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = [(record["writer"], record["number"]) for record in content(folder.folder)]
    assert sorted(found) == [(writer, number) for writer in range(4) for number in range(25)]


def test_readers_in_other_processes_never_see_half_an_array(folder):
    folder.append(NAME, entries([{"number": -1}]))
    with child("read_array", folder.folder / NAME) as one, child("read_array", folder.folder / NAME) as other:
        assert line_from(one) == line_from(other) == "ready"
        for number in range(1500):
            folder.append(NAME, entries([{"number": number, "filling": "x" * (number % 7 * 1000)}]))
        for reader in (one, other):
            good, bad = map(int, reader.communicate()[0].split())
            assert bad == 0
            assert good > 0
    assert len(content(folder.folder)) == 1501


@given(st.lists(st.tuples(st.sampled_from(["5m", "1h"]), st.integers(-5, 5))))
def test_seen_is_a_set(keys):
    seen, model = Seen(), set()
    for key in (Key(*pair) for pair in keys):
        assert (key in seen) == (key in model)
        seen.add(key)
        model.add(key)
    assert all(key in seen for key in model)
