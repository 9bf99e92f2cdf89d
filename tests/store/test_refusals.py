"""Whatever kind of record the disk refuses, it is counted, shown while it lasts, and stated once it is over."""

from __future__ import annotations

import errno
from contextlib import suppress
from dataclasses import replace

import pytest

from scanner.errors import StoreFailure
from scanner.store import candle_file, files, folders
from scanner.store import losses as losses_file
from scanner.store.gaps import NOT_KEPT, OUTAGE, Gap
from scanner.store.losses import Losses
from scanner.store.ohlcv import rows
from scanner.store.store import TrainingStore
from scanner.store.writer import LOOK_AGAIN_S
from scanner.timeframes import DAY_MS, MINUTE_MS
from tests.store.making import BTC, ETH, NOON, Seconds, candles, cluster, signal
from tests.store.test_store import array

ENTRY = Gap("binance", None, OUTAGE, NOON - MINUTE_MS, NOON, "no answer")
STEP = 5 * MINUTE_MS
DAY_FILE = {"signals": "binance_BTCUSDT_2025-10-24.json", "clustering": "binance_BTCUSDT_2025-10-24.json"}


def late_candles(store, at_ms):
    moments, *columns = candles(NOON - DAY_MS, 3)
    store.append_closed([(BTC, "5m", rows(moments, columns))], at_ms)


KEEP = {
    "signals": lambda store, at_ms: store.append_signals({BTC: [signal(at_ms)]}, at_ms),
    "clustering": lambda store, at_ms: store.append_clusters({BTC: [cluster(at_ms)]}, at_ms),
    "universe": lambda store, at_ms: store.append_universe("binance", {"exchange": "binance", "at": at_ms}, at_ms),
    "late": late_candles,
}


def keep(store, kind, at_ms):
    with suppress(StoreFailure):
        KEEP[kind](store, at_ms)


@pytest.mark.parametrize("kind", KEEP)
def test_what_is_refused_is_counted_shown_and_stated_when_it_is_over(kind, tmp_path):
    with TrainingStore(tmp_path) as store:
        obstacle = tmp_path / kind / DAY_FILE.get(kind, "binance_2025-10-24.json")
        obstacle.mkdir()
        keep(store, kind, NOON)
        assert store.health()["not_kept"] == 1
        assert store.health()["cause"].startswith(f"{kind}/binance_")
        (lasting,) = store.losses()
        assert (lasting.cause, lasting.from_ms, lasting.to_ms) == (NOT_KEPT, NOON, None)
        assert lasting.detail.startswith(f"1 {kind} records: {kind}/binance_")
        obstacle.rmdir()
        for other in ("clustering", "signals"):
            keep(store, other, NOON + MINUTE_MS)
        assert store.losses() == []
        (gap,) = store.gaps.read()
        assert (gap.from_ms, gap.to_ms, gap.detail) == (NOON, NOON + MINUTE_MS, lasting.detail)


def test_a_loss_of_all_is_over_when_one_file_alone_stays_refused(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def both(at_ms):
        with suppress(StoreFailure):
            store.append_signals({market: [signal(at_ms)] for market in (BTC, ETH)}, at_ms)

    with TrainingStore(tmp_path) as store:
        with monkeypatch.context() as broken:
            broken.setattr(files, "write_all", full)
            both(NOON)
        (tmp_path / "signals" / "binance_ETHUSDT_2025-10-24.json").mkdir()
        both(NOON + MINUTE_MS)
        both(NOON + 2 * MINUTE_MS)
        (stated,) = store.gaps.read()
        assert (stated.span, stated.detail[:18]) == ((NOON, NOON + MINUTE_MS), "2 signals records:")
        assert "No space" in stated.detail
        (lasting,) = store.losses()
        assert (lasting.from_ms, lasting.detail[:18]) == (NOON + MINUTE_MS, "2 signals records:")
        assert "ETHUSDT" in lasting.detail


def test_a_clock_set_back_ends_no_loss_before_its_last_record(tmp_path):
    with TrainingStore(tmp_path) as store:
        obstacle = tmp_path / "signals" / DAY_FILE["signals"]
        obstacle.mkdir()
        for at_ms in (NOON, NOON + 5 * MINUTE_MS):
            keep(store, "signals", at_ms)
        obstacle.rmdir()
        keep(store, "signals", NOON + MINUTE_MS)
        (gap,) = store.gaps.read()
        assert gap.span == (NOON, NOON + 5 * MINUTE_MS + 1)


def test_a_file_that_stays_refused_keeps_no_rarer_loss_of_its_exchange_open(tmp_path):
    with TrainingStore(tmp_path) as store:
        (tmp_path / "signals" / "binance_ETHUSDT_2025-10-24.json").mkdir()
        obstacle = tmp_path / "universe" / "binance_2025-10-24.json"
        obstacle.mkdir()
        keep(store, "universe", NOON)
        obstacle.rmdir()
        with pytest.raises(StoreFailure):
            store.append_signals({ETH: [signal(NOON)]}, NOON + 1)
        assert len(store.losses()) == 2
        with pytest.raises(StoreFailure):
            store.append_signals({BTC: [signal(NOON)], ETH: [signal(NOON)]}, NOON + MINUTE_MS)
        (lasting,) = store.losses()
        assert lasting.detail.startswith("1 signals records")  # that of all there was ended with the first of BTC
        stated = {(gap.from_ms, gap.to_ms, gap.detail.split(":")[0]) for gap in store.gaps.read()}
        assert (NOON, NOON + MINUTE_MS, "1 universe records") in stated


@pytest.mark.parametrize("kind", KEEP)
def test_all_is_lost_while_the_folder_cannot_be_owned(kind, tmp_path):
    (tmp_path / "data").write_text("a file where a folder should be")
    with TrainingStore(tmp_path / "data") as store:
        keep(store, kind, NOON)
        assert store.health()["not_kept"] == 1
        assert [(loss.from_ms, loss.to_ms) for loss in store.losses()] == [(NOON, None)]


def test_an_entry_that_the_ledger_refuses_waits_and_is_noted_as_soon_as_it_can_be(tmp_path):
    obstacle = tmp_path / "gaps" / "binance_2025-10-24.json"
    with TrainingStore(tmp_path) as store:
        obstacle.mkdir()
        assert not store.gaps.append([ENTRY], NOON + 5)
        assert store.losses() == [ENTRY]
        keep(store, "signals", NOON)
        assert store.losses() == [ENTRY]
        obstacle.rmdir()
        keep(store, "signals", NOON)
        assert store.losses() == []
        (record,) = array(store, obstacle.name, "gaps")
        assert record["known_at"] == "2025-10-24T12:00:00.005000+00:00"


def test_what_one_store_could_not_state_is_stated_by_the_next(tmp_path):
    obstacle, losses = tmp_path / "gaps" / "binance_2025-10-24.json", Losses()
    with TrainingStore(tmp_path, losses=losses) as store:
        obstacle.mkdir()
        store.gaps.append([ENTRY])
    obstacle.rmdir()
    with TrainingStore(tmp_path, losses=losses) as store:
        assert store.gaps.read() == []
    assert store.gaps.read() == [replace(ENTRY, backfilled=False)]


def test_entries_wait_in_bounded_memory(tmp_path, monkeypatch):
    monkeypatch.setattr(losses_file, "MOST_UNSTATED", 2)
    with TrainingStore(tmp_path) as store:
        (tmp_path / "gaps" / "binance_2025-10-24.json").mkdir()
        entries = [Gap("binance", None, OUTAGE, NOON + at, NOON + at + 1, "no answer") for at in range(3)]
        store.gaps.append(entries)
        assert store.losses() == entries[1:]
        assert store.health()["not_kept"] == 1


def test_candles_that_had_to_go_are_stated_of_their_market(tmp_path, monkeypatch):
    monkeypatch.setattr(candle_file, "MOST_WAITING", 3)
    obstacle = tmp_path / "ohlcv" / "binance_BTCUSDT_5m.parquet"
    with TrainingStore(tmp_path) as store:
        store.append_candles(BTC, "5m", *candles(NOON - 5 * STEP, 1))
        store.flush()
        obstacle.rename(tmp_path / "aside")
        obstacle.mkdir()
        for number in range(5):
            with suppress(StoreFailure):
                store.append_candles(BTC, "5m", *candles(NOON + number * STEP, 1))
            with suppress(StoreFailure):
                store.write_candles(BTC, "5m")
        assert store.health()["not_kept"] == 2
        (lasting,) = store.losses()
        assert (lasting.symbol, lasting.cause, lasting.from_ms, lasting.to_ms) == (BTC.symbol, NOT_KEPT, NOON, None)
        assert lasting.detail == f"2 5m candles: ohlcv/{obstacle.name}: {obstacle.name} is a folder"
        obstacle.rmdir()
        (tmp_path / "aside").rename(obstacle)
        store.flush()
        keep(store, "signals", NOON + 5 * STEP)
        assert store.losses() == []
        (gap,) = store.gaps.read()
        assert (gap.symbol, gap.from_ms, gap.to_ms, gap.detail) == (BTC.symbol, NOON, NOON + 2 * STEP, lasting.detail)
        unexplained, lost = store.holes(BTC, "5m")
        assert (unexplained.to_ms, lost.cause, lost.from_ms, lost.to_ms) == (NOON, NOT_KEPT, NOON, NOON + 2 * STEP)


def test_torn_files_of_every_kind_are_counted(tmp_path):
    with TrainingStore(tmp_path) as store:
        for kind in (*KEEP, "gaps"):
            (tmp_path / kind / DAY_FILE.get(kind, "binance_2025-10-24.json")).write_text('[\n{"a":1},\n{"b')
        for kind in KEEP:
            keep(store, kind, NOON)
        store.gaps.append([ENTRY])
        assert store.health()["repaired"] == 5


@pytest.mark.parametrize("obstacle", ["signals/binance_BTCUSDT_2025-10-24.json", "universe/binance_2025-10-24.json"])
def test_a_file_is_well_again_when_it_could_be_written_though_its_next_record_is_far_off(tmp_path, obstacle):
    clock = Seconds()
    with TrainingStore(tmp_path, clock) as store:
        (tmp_path / obstacle).mkdir()
        for kind in ("signals", "universe"):
            keep(store, kind, NOON)
        clock.now += LOOK_AGAIN_S
        store.append_signals({}, NOON)
        assert "is a folder" in store.health()["cause"]
        (tmp_path / obstacle).rmdir()
        clock.now += LOOK_AGAIN_S
        store.append_signals({}, NOON)
        assert store.health()["state"] == "ok"


def test_a_file_that_a_full_disk_refused_is_well_again_when_its_folder_takes_a_byte(tmp_path, monkeypatch):
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    clock = Seconds()
    with TrainingStore(tmp_path, clock) as store:
        with monkeypatch.context() as broken:
            broken.setattr(files, "write_all", full)
            broken.setattr(folders, "require_writable", full)
            with pytest.raises(StoreFailure):
                store.append_universe("binance", {"exchange": "binance"}, NOON)
            clock.now += LOOK_AGAIN_S
            store.append_signals({}, NOON)
            assert store.health()["state"] == "degraded"
        clock.now += LOOK_AGAIN_S
        store.append_signals({}, NOON)
        assert store.health()["state"] == "ok"
