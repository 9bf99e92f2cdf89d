"""Old files go when a limit says so, the oldest first; today's, heads, and what is not ours stay."""

from __future__ import annotations

import shutil
from collections import namedtuple

import pytest

from scanner.store.retention import TRIM_S, Limits, trim
from scanner.store.store import TrainingStore
from scanner.timeframes import DAY_MS
from tests.store.making import BTC, NOON, Seconds, cluster, listing, signal

FOREIGN = [
    *("notes.txt", "binance_BTCUSDT_2020-01-01.json.corrupt-1", "backup_2020-01-01.json.gz", "2020-01-01.json"),
    *("labels_2020-01-01.json", "binance_2020-01-01.json"),  # named like an exchange's, but not by what is in them
]
HEAD, PART = "binance_BTCUSDT_5m.parquet", "binance_BTCUSDT_5m-2025-09.parquet"
OF_EXCHANGE = "binance_2025-10-01.json"
FOLDERS = ("signals", "clustering", "gaps", "universe", "ohlcv")


def day(number):
    """The day file of that many days ago."""
    return f"binance_BTCUSDT_2025-10-{24 - number:02}.json"


@pytest.fixture
def folder(tmp_path):
    """Ten days of 1,000 bytes each, today included, and other people's files."""
    for name in FOLDERS:
        (tmp_path / name).mkdir()
        for foreign in FOREIGN:
            (tmp_path / name / foreign).write_bytes(b"")
    for number in range(10):
        (tmp_path / "signals" / day(number)).write_bytes(b" " * 1000)
    (tmp_path / "gaps" / OF_EXCHANGE).write_text('[\n{"exchange":"binance"}\n]')
    for name in (HEAD, PART):
        (tmp_path / "ohlcv" / name).write_bytes(b"")
    return tmp_path


def kept(folder, name="signals"):
    return [entry for entry in listing(folder / name) if entry not in FOREIGN]


def trimmed(folder, **limits):
    return trim(folder, [folder / name for name in FOLDERS], Limits(**limits), NOON)


def test_without_a_limit_nothing_goes(folder):
    assert trimmed(folder) == 0
    assert not Limits()


def test_a_file_of_ours_in_a_folder_that_is_not_its_own_is_not_ours(folder):
    strays = [folder / "signals" / PART, folder / "ohlcv" / day(9), folder / "signals" / "binance_2025-10-01.json"]
    for stray in strays:
        stray.write_text('[\n{"exchange":"binance"}\n]')
    trimmed(folder, days=3)
    assert all(stray.exists() for stray in strays)


def test_days_before_the_limit_go(folder):
    assert trimmed(folder, days=3) == 6 + 2
    assert kept(folder) == [day(3), day(2), day(1), day(0)]
    assert kept(folder, "gaps") == []
    assert kept(folder, "ohlcv") == [HEAD]


def test_a_clock_that_is_wrong_for_a_while_makes_nothing_old(folder):
    """A file dated a year ahead is one day more, and no reason to remove all others."""
    (folder / "signals" / "binance_BTCUSDT_2026-11-08.json").write_bytes(b"")
    ahead_ms = NOON + 380 * DAY_MS
    assert trim(folder, [folder / "signals"], Limits(days=9), ahead_ms) == 1
    assert {day(0), day(8)} <= set(kept(folder))


def test_the_days_of_one_exchange_are_not_those_of_another(folder):
    """A simulated exchange runs through years in a night; the folder's other data are as old as they are."""
    for year in range(2026, 2046):
        (folder / "signals" / f"simulated_BTCUSDT_{year}-01-01.json").write_bytes(b"")
    trim(folder, [folder / "signals"], Limits(days=10), NOON + 20 * 365 * DAY_MS)
    assert [name for name in kept(folder) if name.startswith("binance")] == [day(each) for each in reversed(range(10))]
    assert len([name for name in kept(folder) if name.startswith("simulated")]) == 11


def test_an_exchanges_newest_day_stays_though_it_is_over(folder):
    trim(folder, [folder / "signals"], Limits(total_bytes=1), NOON + 400 * DAY_MS)
    assert kept(folder) == [day(0)]


def test_after_a_pause_as_many_days_are_there_as_before(folder):
    (folder / "signals" / "binance_BTCUSDT_2025-12-24.json").write_bytes(b"")
    trim(folder, [folder / "signals"], Limits(days=3), NOON + 61 * DAY_MS)
    assert kept(folder) == [day(2), day(1), day(0), "binance_BTCUSDT_2025-12-24.json"]


def test_the_oldest_go_until_the_folder_is_small_enough(folder):
    trimmed(folder, total_bytes=4_500)
    assert kept(folder) == [day(3), day(2), day(1), day(0)]


def test_the_oldest_go_until_enough_of_the_disk_is_free(folder, monkeypatch):
    usage = namedtuple("usage", "free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10_000))
    first, *rest = sorted((folder / "signals").glob("binance_BTCUSDT_2025-10-??.json"))
    first.write_bytes(b"")
    room = rest[0].stat().st_blocks * 512  # a small file takes a whole block
    trimmed(folder, free_bytes=10_000 + (folder / "gaps" / OF_EXCHANGE).stat().st_blocks * 512 + room + 500)
    assert len(kept(folder)) == 7


@pytest.mark.parametrize("limits", [{"days": 1}, {"total_bytes": 1}, {"free_bytes": 10**18}, {"days": 36_500}])
def test_today_heads_and_foreign_files_never_go(folder, limits, caplog):
    trimmed(folder, **limits)
    assert day(0) in kept(folder)
    assert HEAD in kept(folder, "ohlcv")
    for name in FOLDERS:
        assert set(FOREIGN) <= set(listing(folder / name))
    assert ("too much are kept" in caplog.text) == ("days" not in limits)


def test_a_link_stays_and_so_does_what_it_shows(folder, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere") / "precious.json"
    elsewhere.write_text("[]")
    (folder / "signals" / day(20)).symlink_to(elsewhere)
    trimmed(folder, days=15)
    assert elsewhere.exists()
    assert day(20) in listing(folder / "signals")


def test_the_store_trims_as_it_goes_and_can_write_old_days_again(tmp_path):
    clock = Seconds()
    with TrainingStore(tmp_path, clock, Limits(days=2)) as store:
        for number in range(5):
            clock.now += TRIM_S
            store.append_signals({BTC: [signal(NOON + number * DAY_MS)]}, NOON + number * DAY_MS)
            store.append_clusters({BTC: [cluster(NOON + number * DAY_MS)]}, NOON + number * DAY_MS)
        days = [f"binance_BTCUSDT_2025-10-{each}.json" for each in (26, 27, 28)]
        assert [name for name in listing(store.signals_path) if name[0] != "."] == days
        assert store.health()["removed"] == 4
        store.append_signals({BTC: [signal(NOON)]}, NOON + 4 * DAY_MS)
        assert len([name for name in listing(store.signals_path) if name[0] != "."]) == 4


def test_twins_of_days_that_are_over_go(tmp_path):
    clock = Seconds()
    with TrainingStore(tmp_path, clock) as store:
        for number in range(4):
            clock.now += TRIM_S
            at_ms = NOON + number * DAY_MS
            for _ in range(2):
                store.append_signals({BTC: [signal(at_ms)]}, at_ms)
        assert [name for name in listing(store.signals_path) if name[0] == "."] == [
            f".binance_BTCUSDT_2025-10-{each}.json.twin" for each in (26, 27)
        ]
