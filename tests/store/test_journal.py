"""The journal of candles: what is in it survives, what a crash cut short or somebody damaged does no harm."""

from __future__ import annotations

import errno
import os

import pytest

from scanner.store import batches, files, journal
from scanner.store.journal import Journal
from scanner.store.store import TrainingStore
from tests.store.making import BTC, Seconds, batches_of, listing, rows, same_batches

FIRST = "candles-00000001.journal"


def kill(journal):
    """What is left of it when its process is killed."""
    for segment in journal._segments:
        segment.close()


def unread(name, error):
    pytest.fail(f"{name}: {error}")


@pytest.fixture
def kept(tmp_path):
    """A journal of three batches whose process was killed."""
    opened = Journal(tmp_path, tmp_path)
    for batch in batches_of(3):
        opened.append(batch)
    kill(opened)
    return tmp_path


def test_what_was_appended_is_read_again(kept):
    again = Journal(kept, kept)
    same_batches(again.replay(unread), batches_of(3))
    assert (again.repaired, again.set_aside) == (0, 0)


def test_half_a_batch_is_cut_off_and_counted(kept):
    whole = (kept / FIRST).stat().st_size
    with (kept / FIRST).open("ab") as segment:
        segment.write(batches.encode(batches_of(1)[0])[:-7])
    again = Journal(kept, kept)
    same_batches(again.replay(unread), batches_of(3))
    assert (again.repaired, (kept / FIRST).stat().st_size) == (1, whole)


def test_damage_before_the_end_sets_the_segment_aside(kept):
    text = bytearray((kept / FIRST).read_bytes())
    text[len(text) // 2] ^= 1
    (kept / FIRST).write_bytes(text)
    again = Journal(kept, kept)
    same_batches(again.replay(unread), [batches_of(3)[0], batches_of(3)[2]])
    assert (again.repaired, again.set_aside) == (0, 1)
    assert again.size == (kept / FIRST).stat().st_size
    same_batches(Journal(kept, kept).replay(unread), [batches_of(3)[0], batches_of(3)[2]])
    assert (kept / f"{FIRST}.corrupt-1").read_bytes() == bytes(text)


@pytest.mark.parametrize("content", [b"", b"cand", bytes(100)])
def test_a_segment_that_never_held_anything_is_no_obstacle(tmp_path, content):
    (tmp_path / FIRST).write_bytes(content)
    again = Journal(tmp_path, tmp_path)
    assert again.replay(unread) == []
    again.append(batches_of(1)[0])
    again.close()
    same_batches(Journal(tmp_path, tmp_path).replay(unread), batches_of(1))


def test_a_segment_goes_when_all_its_candles_are_in_their_files_and_never_before_an_older_one(tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 1)
    opened = Journal(tmp_path, tmp_path)
    for batch in batches_of(3):
        opened.append(batch)
    assert len(listing(tmp_path)) == 3
    opened.settle("a.parquet", 3)
    opened.settle("b.parquet", 1)
    assert len(listing(tmp_path)) == 2
    opened.settle("b.parquet", 3)
    assert listing(tmp_path) == []
    opened.append(batches_of(1)[0])
    opened.close()
    assert len(listing(tmp_path)) == 1


def test_a_batch_that_does_not_fit_leaves_the_others(kept, monkeypatch):
    def full(descriptor, data, offset):
        os.pwrite(descriptor, data[:20], offset)
        raise OSError(errno.ENOSPC, "No space left on device")

    opened = Journal(kept, kept)
    opened.replay(unread)
    opened.append(batches_of(4)[3])
    with monkeypatch.context() as broken:
        broken.setattr(files, "write_all", full)
        with pytest.raises(OSError, match="No space"):
            opened.append(batches_of(1)[0])
    opened.append(batches_of(5)[4])
    opened.close()
    again = Journal(kept, kept)
    same_batches(again.replay(unread), batches_of(5))
    assert again.repaired == 0


def test_a_folder_with_the_name_of_a_segment_is_shown_and_stays(tmp_path):
    (tmp_path / "journal" / FIRST).mkdir(parents=True)
    with TrainingStore(tmp_path, Seconds()) as store:
        assert store.health()["foreign"] == [f"journal/{FIRST} is a folder"]
        store.append_closed([(BTC, "5m", rows(0)), (BTC, "5m", rows(1))])
        assert len(store.candles(BTC, "5m")) == 2
    assert (tmp_path / "journal" / FIRST).is_dir()


def test_many_candles_are_one_write(tmp_path, monkeypatch):
    writes = []
    monkeypatch.setattr(files, "write_all", lambda *call: writes.append(call))
    opened = Journal(tmp_path, tmp_path)
    opened.append([(f"{number}.parquet", rows(0)) for number in range(500)])
    assert len(writes) == 2  # what opens the segment, and the batch
    same_batches([batches.read(batches.OPENING + writes[1][1]).batches[0][:1]], [[("0.parquet", rows(0))]])
    kill(opened)


def test_a_journal_begun_anew_holds_just_what_waits(tmp_path):
    opened = Journal(tmp_path, tmp_path)
    for batch in batches_of(3):
        opened.append(batch)
    waiting = [("a.parquet", rows(1))]
    opened.begin_anew(waiting)
    kill(opened)
    same_batches(Journal(tmp_path, tmp_path).replay(unread), [waiting])
    assert len(listing(tmp_path)) == 1


def test_a_journal_that_cannot_be_begun_anew_is_as_it_was(kept, monkeypatch):
    again = Journal(kept, kept)
    again.replay(unread)
    with monkeypatch.context() as broken:
        broken.setattr(files, "write_all", lambda *_: (_ for _ in ()).throw(OSError(errno.ENOSPC, "full")))
        with pytest.raises(OSError, match="full"):
            again.begin_anew([("a.parquet", rows(9))])
    same_batches(Journal(kept, kept).replay(unread), batches_of(3))
