"""Records of day files in order of time, spliced from their bytes."""

from __future__ import annotations

import json
import random
import weakref
from itertools import chain
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import StoreFailure
from scanner.store import arrays, excerpt, regular
from scanner.store.excerpt import Excerpt
from tests.store.making import MIDNIGHT, listing, make_unreadable, signal
from tests.waiting import wait_for


def everything(record: dict[str, Any], moment_ms: int) -> bool:
    return True


def written(path: Path, records: list[dict[str, Any]]) -> Path:
    path.write_bytes(arrays.whole([arrays.encode(record) for record in records]))
    return path


def records_of(found: Excerpt) -> list[dict[str, Any]]:
    return list(chain.from_iterable(found.records()))


@given(
    st.lists(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 3)), max_size=30), max_size=4), st.integers(1, 900)
)
def test_an_excerpt_is_the_chosen_records_sorted(tmp_path_factory, files, piece):
    folder = tmp_path_factory.mktemp("days")
    records = [
        [signal(MIDNIGHT + s * 1000, kind=kind, n=(f, i)) for i, (s, kind) in enumerate(each)]
        for f, each in enumerate(files)
    ]
    paths = [written(folder / f"{f}.json", each) for f, each in enumerate(records)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(excerpt, "PIECE", piece)
        found = Excerpt(paths, lambda record, moment: record["kind"] != 2 and moment >= MIDNIGHT + 9_000)
        wanted = [
            r for r in chain(*records) if r["kind"] != 2 and r["timestamp"] >= signal(MIDNIGHT + 9_000)["timestamp"]
        ]
        expected = json.loads(json.dumps(sorted(wanted, key=lambda record: record["timestamp"])))
        assert records_of(found) == expected
        assert orjson.loads(b"[" + b",".join(found.pieces()) + b"]") == expected
    assert len(found) == len(expected)


@pytest.mark.parametrize(
    "text",
    [
        json.dumps([signal(), signal()], indent=2),
        json.dumps([signal(), signal()]),
        "[\n" + json.dumps(signal()) + ",\n" + json.dumps(signal()) + "]",
        "[\n" + json.dumps(signal()) + ",\n" + json.dumps(signal()) + "\n]",
        "[\n" + json.dumps(signal()) + ",\n" + json.dumps(signal()) + '\n,\n{"timesta',
        "[\n" + json.dumps(signal()) + ",\n" + json.dumps(signal()) + ",\nforeign",
        "[\n" + json.dumps(signal()) + ",\n" + json.dumps(signal()) + "\n]\nmore",
    ],
)
def test_a_file_in_another_layout_or_damaged_gives_what_is_whole(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert records_of(Excerpt([tmp_path / "a.json"], everything)) == [signal(), signal()]


@pytest.mark.parametrize("text", ["", "[", "[]", "[\n]\n", "[\n\n]\n", "foreign", "[1]", "{}", '[\n{"a":1}\n]\n'])
def test_a_file_without_records_gives_none(tmp_path, text):
    (tmp_path / "a.json").write_text(text)
    assert records_of(Excerpt([tmp_path / "a.json", tmp_path / "gone.json"], everything)) == []


def test_records_that_are_added_meanwhile_are_left_out(tmp_path):
    path = written(tmp_path / "a.json", [signal()])
    found = Excerpt([path], everything)
    written(path, [signal(), signal(MIDNIGHT)])
    assert records_of(found) == [signal()]


def test_a_file_that_is_replaced_or_removed_meanwhile_is_an_error(tmp_path):
    path = written(tmp_path / "a.json", [signal(n=number) for number in range(9)])
    found = Excerpt([path], everything)
    path.write_text("foreign")
    with pytest.raises(StoreFailure, match=r"a\.json: was replaced"):
        records_of(found)
    path.unlink()
    with pytest.raises(StoreFailure, match=r"a\.json: cannot be read any more"):
        records_of(found)


def test_a_file_that_cannot_be_read_is_an_error_at_once(tmp_path, monkeypatch):
    (tmp_path / "a.json").touch()
    make_unreadable(monkeypatch)
    with pytest.raises(StoreFailure, match=r"a\.json: cannot be read"):
        Excerpt([tmp_path / "a.json"], everything)


def test_few_files_are_open_at_a_time_and_none_afterwards(tmp_path):
    moments = list(range(60))
    random.Random(1).shuffle(moments)
    paths = [
        written(tmp_path / f"{f:02}.json", [signal(MIDNIGHT + m * 1000) for m in moments[f * 3 : f * 3 + 3]])
        for f in range(20)
    ]
    found, before = Excerpt(paths, everything), len(listing(Path("/proc/self/fd")))
    most = max(len(listing(Path("/proc/self/fd"))) for _ in found.pieces())
    assert before < most <= before + excerpt.MOST_OPEN
    wait_for(lambda: len(listing(Path("/proc/self/fd"))) <= before)


def test_files_that_were_closed_are_not_held_on_to(tmp_path, monkeypatch):
    opened: list[weakref.ref[Any]] = []

    def noted(path: Path) -> Any:
        file = regular.opened(path)
        opened.append(weakref.ref(file))
        return file

    paths = [
        written(tmp_path / f"{f:02}.json", [signal(MIDNIGHT + m * 1000) for m in range(5)])
        for f in range(excerpt.MOST_OPEN + 1)
    ]
    found = Excerpt(paths, everything)
    monkeypatch.setattr(excerpt, "regular", SimpleNamespace(opened=noted))
    monkeypatch.setattr(excerpt, "PIECE", 1)
    held = [sum(file() is not None for file in opened) for _ in found.pieces()]
    assert len(opened) == len(found) == 5 * len(paths)
    assert max(held) == excerpt.MOST_OPEN
