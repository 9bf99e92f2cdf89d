"""Media that refuse: what cannot be kept is shown and stated, nothing is harmed, and writing resumes by itself."""

from __future__ import annotations

import errno
import os
import resource
from contextlib import contextmanager, suppress

import pandas as pd
import pytest

from scanner.errors import StoreFailure
from scanner.store import files
from scanner.store.gaps import NOT_KEPT
from scanner.store.store import TrainingStore
from scanner.timeframes import MINUTE_MS
from tests.store.making import BTC, ETH, NOON, SWAP, Seconds, candles, cluster, listing, signal
from tests.store.test_store import array, fill, small_disk  # noqa: F401 - a fixture

DAY = "binance_BTCUSDT_2025-10-24.json"


def cycle(store, number):
    """What one cycle keeps: records of two markets, and a candle of each; whether all of it could be."""
    at_ms, done = NOON + number * MINUTE_MS, True
    for write in (
        lambda: store.append_signals({m: [signal(at_ms, number=number)] for m in (BTC, ETH)}, at_ms),
        lambda: store.append_clusters({BTC: [cluster(at_ms)]}, at_ms),
        lambda: store.append_candles(BTC, "1m", *candles(at_ms, 1, step_ms=MINUTE_MS)),
    ):
        try:
            write()
        except StoreFailure:
            done = False
    return done


def numbers(store):
    return [record["number"] for record in array(store, DAY)]


@contextmanager
def refusing(code, monkeypatch, disk):
    """Every file that is opened for writing is refused."""
    real = os.open

    def refuse(path, flags, *rest, **options):
        if flags & (os.O_WRONLY | os.O_RDWR):
            raise OSError(code, os.strerror(code), path)
        return real(path, flags, *rest, **options)

    with monkeypatch.context() as broken:
        broken.setattr(os, "open", refuse)
        yield


@contextmanager
def full(_, monkeypatch, disk):
    fill(disk / "ballast")
    yield
    (disk / "ballast").unlink()


@contextmanager
def without_descriptors(_, monkeypatch, disk):
    """As many files are open as may be."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, before[1]))
    opened = []
    try:
        with suppress(OSError):
            while True:
                opened.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)
        for descriptor in opened:
            os.close(descriptor)


FAULTS = {
    "No space left on device": (full, errno.ENOSPC),
    "Read-only file system": (refusing, errno.EROFS),
    "Permission denied": (refusing, errno.EACCES),
    "Too many open files": (without_descriptors, errno.EMFILE),
    "Input/output error": (refusing, errno.EIO),
}


@pytest.mark.parametrize("cause", FAULTS)
def test_a_medium_that_refuses_for_a_while_costs_the_records_of_that_while_and_no_candle(
    small_disk,  # noqa: F811
    monkeypatch,
    cause,
):
    fault, code = FAULTS[cause]
    clock = Seconds()
    with TrainingStore(small_disk / "data", clock) as store:
        assert cycle(store, 1)
        assert store.health()["state"] == "ok"  # measured once: a folder cannot be walked without descriptors
        with fault(code, monkeypatch, small_disk):
            for number in (2, 3):
                clock.now += 60
                assert not cycle(store, number)
            health = store.health()
            assert health["state"] == "degraded"
            assert cause in health["cause"]
            assert health["not_kept"] == 6
            assert code == errno.EMFILE or len(store.candles(BTC, "1m")) == 3
        clock.now += 60
        assert cycle(store, 4)
        health = store.health()
        assert (health["state"], health["not_kept"], health["unsafe"]) == ("ok", 6, 0)
        assert numbers(store) == [1, 4]
        stated = [(gap.cause, gap.from_ms, gap.to_ms, gap.detail) for gap in store.gaps.read()]
        for kind, count in (("signals", 4), ("clustering", 2)):
            (detail,) = (gap[3] for gap in stated if f" {kind} records" in gap[3])
            assert (NOT_KEPT, NOON + 2 * MINUTE_MS, NOON + 4 * MINUTE_MS, detail) in stated
            assert detail.startswith(f"{count} ")
            assert cause in detail
    frame = pd.read_parquet(small_disk / "data" / "ohlcv" / "binance_BTCUSDT_1m.parquet")
    assert len(frame) == 4
    assert [
        name for folder in small_disk.rglob("*") if folder.is_dir() for name in listing(folder) if name[0] == "."
    ] == []


def test_what_is_lost_of_one_exchange_is_stated_of_that_alone(tmp_path):
    with TrainingStore(tmp_path) as store:
        obstacle = store.signals_path / DAY
        obstacle.mkdir()
        batch = {BTC: [signal()], SWAP: [signal()]}
        with pytest.raises(StoreFailure) as refused:
            store.append_signals(batch, NOON)
        assert refused.value.refused == {BTC: 1}
        obstacle.rmdir()
        store.append_signals(batch, NOON + 1)
        (gap,) = store.gaps.read()
        assert (gap.exchange, gap.symbol, gap.backfilled) == ("binance", None, None)


def test_a_loss_that_cannot_be_stated_yet_is_stated_later(tmp_path):
    with TrainingStore(tmp_path) as store:
        obstacles = [store.signals_path / DAY, tmp_path / "gaps" / "binance_2025-10-24.json"]
        for obstacle in obstacles:
            obstacle.mkdir()
        for at_ms in (NOON, NOON + 1):
            with suppress(StoreFailure):
                store.append_signals({BTC: [signal(at_ms)]}, at_ms)
        obstacles[0].rmdir()
        store.append_signals({BTC: [signal()]}, NOON + 2)
        assert "gaps/" in store.health()["cause"]
        obstacles[1].rmdir()
        store.append_signals({BTC: [signal()]}, NOON + 3)
        (gap,) = store.gaps.read()
        assert (gap.from_ms, gap.to_ms, gap.detail.split()[0]) == (NOON, NOON + 2, "2")


def test_zero_length_and_half_renamed_files_are_mended(tmp_path):
    with TrainingStore(tmp_path) as store:
        cycle(store, 1)
    paths = [tmp_path / "signals" / DAY, tmp_path / "ohlcv" / "binance_BTCUSDT_1m.parquet"]
    for path in paths:
        files.hidden(path, "tmp").write_bytes(path.read_bytes())
        path.write_bytes(b"")
    with TrainingStore(tmp_path) as store:
        cycle(store, 2)
        store.flush()
        assert store.health()["state"] == "ok"
        assert store.health()["set_aside"] == 1  # no Parquet file is empty; an empty array is as good as none
        assert numbers(store) == [2]
        assert len(store.candles(BTC, "1m")) == 1
    assert [name for name in listing(tmp_path / "ohlcv") if name[0] == "."] == []
