"""Segments as files: their names, their order, and adding to one."""

from __future__ import annotations

import errno
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.store import batches, files, segments
from scanner.store.batches import State
from tests.store.making import batches_of, listing, same_batches


@pytest.fixture
def segment(tmp_path):
    begun = segments.begun(tmp_path, [])
    yield begun
    begun.close()


@given(st.integers(1, 10**18 - 1))
def test_the_number_of_a_segment_is_read_from_its_name(tmp_path_factory, number):
    path = tmp_path_factory.getbasetemp() / f"candles-{number:08}.journal"
    assert (segments.is_segment(path.name), segments.number_of(path)) == (True, number)


@pytest.mark.parametrize(
    "name", ["candles-1.journal", "candles-00000001.journal.corrupt-1", "candles-٠٠٠٠٠٠٠١.journal"]
)
def test_no_other_name_is_that_of_a_segment(tmp_path, name):
    (tmp_path / name).write_bytes(b"")
    assert (segments.is_segment(name), segments.listed(tmp_path)) == (False, [])


def test_segments_are_listed_in_the_order_they_were_begun(tmp_path):
    numbers = [99_999_999, 100_000_000, 7]
    for number in numbers:
        (tmp_path / f"candles-{number:08}.journal").write_bytes(b"")
    assert [segments.number_of(path) for path in segments.listed(tmp_path)] == sorted(numbers)
    begun = segments.begun(tmp_path, [])
    begun.close()
    assert segments.number_of(begun.path) == 100_000_001


def test_a_number_is_not_used_again_while_its_segment_is_known(tmp_path, segment):
    segment.path.unlink()
    assert not segment.has_its_name()
    another = segments.begun(tmp_path, [segment])
    another.close()
    assert segments.number_of(another.path) == segments.number_of(segment.path) + 1


def test_what_was_added_is_read_by_who_does_not_own_it_too(segment):
    for batch in batches_of(2):
        segment.append(batches.encode(batch))
    same_batches(segments.waiting_in([segment.path, segment.path.with_name("gone")]), batches_of(2))
    assert segments.mended(segment.path).state is State.SOUND


def test_what_could_not_be_added_is_taken_back(segment, monkeypatch):
    def full(descriptor, data, offset):
        os.pwrite(descriptor, data[:20], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    before = segment.path.read_bytes()
    with monkeypatch.context() as broken:
        broken.setattr(files, "write_all", full)
        with pytest.raises(OSError, match="No space"):
            segment.append(batches.encode(batches_of(1)[0]))
    assert (segment.path.read_bytes(), segment.size) == (before, len(before))


def test_a_segment_that_cannot_be_begun_leaves_nothing(tmp_path, monkeypatch):
    with monkeypatch.context() as broken:
        broken.setattr(files, "write_all", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(OSError, match="full"):
            segments.begun(tmp_path, [])
    assert listing(tmp_path) == []


def test_a_file_waits_until_its_last_batch_is_settled(segment):
    for number, batch in enumerate(batches_of(2), 1):
        segment.note(batch, number)
    segment.settle("a.parquet", 1)
    assert segment.waits == {"a.parquet": 2, "b.parquet": 2}
    segment.settle("a.parquet", 2)
    assert segment.waits == {"b.parquet": 2}
