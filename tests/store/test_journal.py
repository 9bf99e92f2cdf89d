"""The journal of candles: what is in it survives, what a crash cut short or somebody damaged does no harm."""

from __future__ import annotations

import errno
import os
from contextlib import suppress

import pytest

from scanner.errors import StoreFailure
from scanner.store import batches, candle_files, files, journal, segments
from scanner.store.journal import Journal
from scanner.store.store import TrainingStore
from tests.store.making import BTC, ETH, MIDNIGHT, Seconds, batches_of, listing, rows, same_batches

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


# -- through the store -------------------------------------------------------------------------------------------------


def abandoned(folder):
    """A store whose process is gone: its lock is free, nothing of it was closed."""
    store = TrainingStore(folder, clock=Seconds())
    store.open()
    yield store
    store._owning.end()


def test_candles_that_waited_are_there_after_a_kill_and_for_readers_before(tmp_path):
    for store in abandoned(tmp_path):
        for number in range(3):
            store.append_closed([(market, "5m", rows(number)) for market in (BTC, ETH)])
        assert (store.health()["waiting"], store.health()["unsafe"]) == (4, 0)
    assert len(TrainingStore(tmp_path).candles(ETH, "5m")) == 3
    with TrainingStore(tmp_path) as again:
        assert len(again.candles(BTC, "5m")) == 3
        again.flush()
        assert again.health()["waiting"] == 0
    assert listing(tmp_path / "journal") == []


def test_a_later_value_of_a_candle_wins_after_a_kill_too(tmp_path):
    for store in abandoned(tmp_path):
        store.append_closed([(BTC, "5m", rows(0, price=1))])
        store.append_closed([(BTC, "5m", rows(1, price=1)), (ETH, "5m", rows(1))])
        store.append_closed([(BTC, "5m", rows(1, price=2))])
        store.write_candles(BTC, "5m")
    with TrainingStore(tmp_path) as again:
        assert again.candles(BTC, "5m").values[:, 0].tolist() == [1, 2]


def test_a_journal_that_cannot_be_written_is_shown_and_caught_up_with(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    clock = Seconds()
    with TrainingStore(tmp_path, clock) as store:
        store.append_closed([(BTC, "5m", rows(0))])
        with monkeypatch.context() as broken:
            broken.setattr(Journal, "append", full)
            with pytest.raises(StoreFailure, match="journal"):
                store.append_closed([(BTC, "5m", rows(1))])
            health = store.health()
            assert (health["state"], health["cause"]) == (
                "degraded",
                "journal cannot be written: No space left on device",
            )
            assert health["unsafe"] == 1
        clock.now = 60
        store.append_signals({}, MIDNIGHT)
        assert (store.health()["state"], store.health()["unsafe"], store.health()["waiting"]) == ("ok", 0, 1)
        assert len(TrainingStore(tmp_path).candles(BTC, "5m")) == 2


def test_a_journal_that_was_deleted_is_begun_again_with_all_that_waits(tmp_path):
    with TrainingStore(tmp_path, Seconds()) as store:
        store.append_closed([(BTC, "5m", rows(0))])
        store.append_closed([(BTC, "5m", rows(1))])
        (tmp_path / "journal" / FIRST).unlink()
        store.append_closed([(ETH, "5m", rows(2))])
        assert len(TrainingStore(tmp_path).candles(BTC, "5m")) == 2


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


def test_one_file_that_cannot_be_written_does_not_make_the_journal_grow_for_ever(tmp_path, monkeypatch):
    monkeypatch.setattr(candle_files, "LONG_JOURNAL", 3_000)
    monkeypatch.setattr(journal, "SEGMENT_BYTES", 1_000)
    obstacle = tmp_path / "ohlcv" / "binance_BTCUSDT_5m.parquet"
    obstacle.mkdir(parents=True)
    for store in abandoned(tmp_path):
        with suppress(StoreFailure):
            store.append_closed([(BTC, "5m", rows(0, 3))])
        sizes = []
        for number in range(100):
            store.append_closed([(ETH, "5m", rows(number))])
            store.write_candles(ETH, "5m")
            sizes.append(store.health()["journal_bytes"])
        assert (max(sizes) < 5_000, store.health()["waiting"]) == (True, 3)
    obstacle.rmdir()
    with TrainingStore(tmp_path) as again:
        assert [len(again.candles(market, "5m")) for market in (BTC, ETH)] == [3, 100]


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


def test_a_journal_that_is_begun_anew_while_another_process_reads_it_is_read_again(tmp_path, monkeypatch):
    monkeypatch.setattr(candle_files, "LONG_JOURNAL", 0)
    monkeypatch.setattr(candle_files, "ROW_BYTES", 0)  # so with each batch
    read, lists = segments.waiting_in, []

    def begin_anew_and_read(paths):
        lists.append(list(paths))
        if len(lists) == 1:
            store.append_closed([(BTC, "5m", rows(2))])
        return read(lists[-1])

    monkeypatch.setattr(segments, "waiting_in", begin_anew_and_read)
    with TrainingStore(tmp_path, Seconds()) as store:
        for number in range(2):
            store.append_closed([(BTC, "5m", rows(number))])
        assert store.waiting == 1
        assert TrainingStore(tmp_path).candles(BTC, "5m").open_time.tolist() == rows(0, 3).open_time.tolist()
    assert len(lists) == 2
