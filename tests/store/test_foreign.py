"""What is not ours in a data folder: passed over, never touched, and in nobody's way but its own."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from collections.abc import Callable, Iterable
from contextlib import suppress
from datetime import UTC, datetime, time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.errors import StoreFailure
from scanner.markets import parse_symbol
from scanner.records import utc
from scanner.store import batches, files, names, ohlcv, parts, regular
from scanner.store.dataset import Query
from scanner.store.gap_files import Alive
from scanner.store.gaps import DOWN, Gap
from scanner.store.health import Health
from scanner.store.past import features_of
from scanner.store.reader import StoreReader
from scanner.store.retention import Limits
from scanner.store.store import TrainingStore
from scanner.store.wish import Wish, WishFile
from scanner.timeframes import DAY_MS, MINUTE_MS
from tests.store import zoo
from tests.store.making import BTC, ETH, MIDNIGHT, NOON, Seconds, candles, cluster, listing, signal

DAY, EXCHANGE_DAY = "binance_BTCUSDT_2025-10-24.json", "binance_2025-10-24.json"
HEAD, PART = "binance_BTCUSDT_5m.parquet", "binance_BTCUSDT_5m-2025-01.parquet"
PLACES = (  # where a file of ours would be
    *(f"{folder}/{DAY}" for folder in ("signals", "clustering")),
    *(f"ohlcv/{name}" for name in (HEAD, PART)),
    *(f"{folder}/{EXCHANGE_DAY}" for folder in ("universe", "gaps", "late")),
    *("journal/candles-00000001.journal", "alive.json", "wish.json"),
)
HIDDEN = (f"signals/.{DAY}.twin", f"clustering/.{DAY}.spare", f"ohlcv/.{HEAD}.tmp", ".wish.json.tmp", ".alive.json.tmp")


def keep(store: TrainingStore, at_ms: int = NOON) -> int:
    """Have one of everything kept of two markets; how often that was refused."""
    refused = 0
    record = {"exchange": "binance", "markets": [], "rule": {}}
    late_ms, closed = at_ms + DAY_MS // 4, [(each, "5m", ohlcv.rows(*split(at_ms))) for each in (BTC, ETH)]
    for attempt in (
        lambda: store.append_signals({BTC: [signal(at_ms)], ETH: [signal(at_ms, symbol="ETH/USDT")]}, at_ms),
        lambda: store.append_clusters({BTC: [cluster(at_ms)], ETH: [cluster(at_ms)]}, at_ms),
        lambda: store.append_closed(closed, late_ms),
        lambda: store.append_universe("binance", record, at_ms),
        store.flush,
    ):
        try:
            attempt()
        except StoreFailure:
            refused += 1
    store.gaps.append([Gap("binance", None, DOWN, at_ms - 1, at_ms)])
    store.gaps.keep_alive({"binance": Alive(at_ms)})
    store.wish.keep(Wish({"symbols": ["BTC/USDT"]}, utc(at_ms)))
    return refused


def split(at_ms: int) -> tuple[object, list[object]]:
    moments, *columns = candles(at_ms, 1)
    return moments, columns


def look(folder: Path) -> dict[str, int]:
    """Read all there is by every door; how much was found of each market."""
    reader, found = StoreReader(folder), {}
    for market in reader.markets():
        query = Query(parse_symbol(str(market)), 30)
        features_of(reader, query, NOON + DAY_MS)
        reader.holes(market, "5m")
        with suppress(StoreFailure):  # a damaged file is told
            reader.newest_candles(market, "5m", MIDNIGHT)
        reader.late.read(market, 0)
        data = reader.dataset(query, ["5m"], NOON + DAY_MS)
        found[market.symbol] = sum(map(len, (data["signals"], data["clustering"], data["ohlcv"].get("5m", []))))
    reader.gaps.read()
    reader.gaps.alive()
    reader.newest_universe("binance")
    reader.newest_signals()
    with suppress(StoreFailure):
        WishFile(folder, Health(folder)).read()
    return found


def inhabited(base: Path, places: tuple[str, ...], make: Callable[[Path], object]) -> list[Path]:
    for place in places:
        (base / place).parent.mkdir(parents=True, exist_ok=True)
        make(base / place)
    return [base / place for place in places]


def removed(paths: Iterable[Path]) -> None:
    for path in paths:
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


@pytest.mark.parametrize("kind", zoo.STRANGERS)
def test_what_cannot_be_ours_costs_what_would_be_there_alone_and_for_as_long_as_it_is_there(tmp_path, kind):
    base, clock = tmp_path / "data", Seconds()
    things = inhabited(base, PLACES, zoo.STRANGERS[kind])
    before = zoo.print_of([*things, *tmp_path.glob("outside/*")])
    tracemalloc.start()
    assert look(base) == {} if "larger" not in kind else {"BTC/USDT": 0}
    with TrainingStore(base, clock) as store:
        assert keep(store) == 5
        health = store.health()
        assert (health["state"], health["not_kept"], health["unsafe"]) == ("degraded", 5, 0)
        assert kind.removesuffix(" outside").split(" to ")[0] in health["cause"]
        told = [text for text in health["foreign"] if text.startswith(PLACES)]
        assert len(told) == (0 if "larger" in kind else len(PLACES))
        assert look(base) == {"BTC/USDT": 1, "ETH/USDT": 3}
    assert tracemalloc.get_traced_memory()[1] < 50_000_000
    tracemalloc.stop()
    assert zoo.print_of([*things, *tmp_path.glob("outside/*")]) == before
    removed(things)
    with TrainingStore(base, clock) as store:
        assert keep(store, NOON + 5 * MINUTE_MS) == 0
        assert (store.health()["state"], store.health()["foreign"]) == ("ok", [])
        assert look(base) == {"BTC/USDT": 4, "ETH/USDT": 6}


def test_writing_resumes_in_the_same_life_when_the_obstacle_is_gone(tmp_path):
    clock = Seconds()
    with TrainingStore(tmp_path, clock) as store:
        things = inhabited(tmp_path, PLACES, zoo.folder)
        assert keep(store) == 5
        removed(things)
        clock.now += 700
        assert keep(store, NOON + 5 * MINUTE_MS) == 0
        assert (store.health()["state"], store.health()["foreign"]) == ("ok", [])
    assert len(StoreReader(tmp_path).candles(BTC, "5m")) == 2


@pytest.mark.parametrize("kind", zoo.STRANGERS)
def test_what_lies_in_the_place_of_a_hidden_file_stays(tmp_path, kind):
    things = inhabited(tmp_path / "data", HIDDEN, zoo.STRANGERS[kind])
    before = zoo.print_of([*things, *tmp_path.glob("outside/*")])
    with TrainingStore(tmp_path / "data", Seconds()) as store:
        refused = keep(store)
    outside = zoo.print_of(tmp_path.glob("outside/*"))
    if "larger" in kind:  # a regular file by such a name can be ours, and was half written
        assert (refused, [path for path in things if path.exists()]) == (0, [])
    else:
        assert refused == 4
        assert zoo.print_of(things) | outside == before
    assert look(tmp_path / "data")["ETH/USDT"] == 3


@pytest.mark.parametrize("content", zoo.CONTENTS)
def test_foreign_bytes_under_our_names_are_set_aside_whole(tmp_path, content):
    data = zoo.CONTENTS[content]
    things = inhabited(tmp_path, PLACES, lambda path: path.write_bytes(data))
    look(tmp_path)
    assert all(path.read_bytes() == data for path in things)
    with TrainingStore(tmp_path, Seconds()) as store:
        assert keep(store) == 0
        assert store.health()["state"] == "ok"
        assert look(tmp_path)["ETH/USDT"] == 3
    for path in things:
        kept = [each.read_bytes() for each in path.parent.glob(f"{path.name}*")]
        assert data in kept or not data.strip(b"\0") or _is_in(path, data), path  # zeros are what a power cut leaves


def _is_in(path: Path, data: bytes) -> bool:
    """Whether a file holds all records of an array, in another layout maybe."""
    return all(record in json.loads(path.read_bytes()) for record in json.loads(data))


def test_other_names_are_nobodys(tmp_path):
    with TrainingStore(tmp_path, Seconds()) as store:
        keep(store)
    before = zoo.print_of(zoo.settle(tmp_path, zoo.OTHER_NAMES))
    with TrainingStore(tmp_path, Seconds(), Limits(days=1, total_bytes=1)) as store:
        assert keep(store, NOON + 40 * DAY_MS) == 0
        assert look(tmp_path).keys() == {"BTC/USDT", "ETH/USDT"}
        assert (store.health()["state"], store.health()["foreign"]) == ("ok", [])
        assert store.health()["removed"] > 0
    assert zoo.print_of(before) == before


@pytest.mark.parametrize("name", names.FOLDERS)
@pytest.mark.parametrize("kind", ["a file", "is a pipe", "is a link to nowhere", "is a link to itself"])
def test_a_folder_whose_name_is_taken_costs_its_own_kind_alone(tmp_path, name, kind):
    obstacle = tmp_path / name
    Path.touch(obstacle) if kind == "a file" else zoo.STRANGERS[kind](obstacle)
    clock = Seconds()
    with TrainingStore(tmp_path, clock) as store:
        keep(store)
        health = store.health()
        assert (health["state"], health["foreign"]) == ("degraded", [f"{name} is no folder"])
        assert look(tmp_path) or name in ("signals", "ohlcv")
        obstacle.unlink()
        clock.now += 700
        keep(store, NOON + 5 * MINUTE_MS)
        assert keep(store, NOON + 10 * MINUTE_MS) == 0
        assert store.health()["state"] == "ok"
        assert look(tmp_path)["BTC/USDT"] >= 5


def test_folders_may_be_links_to_another_disk(tmp_path):
    for name in ("", *names.FOLDERS):
        (tmp_path / "disk" / f"_{name}").mkdir(parents=True)
    (tmp_path / "data").symlink_to(tmp_path / "disk" / "_")
    for name in names.FOLDERS:
        (tmp_path / "data" / name).symlink_to(tmp_path / "disk" / f"_{name}")
    (tmp_path / "data" / "round").symlink_to(".")
    with TrainingStore(tmp_path / "data", Seconds()) as store:
        assert keep(store) == 0
        health = store.health()
        assert (health["state"], health["foreign"]) == ("ok", [])
        assert health["files"] == len([path for path in tmp_path.rglob("*") if path.is_file()])
    assert look(tmp_path / "data") == {"BTC/USDT": 3, "ETH/USDT": 3}


def test_the_second_name_of_a_file_keeps_its_bytes(tmp_path):
    with TrainingStore(tmp_path / "data", Seconds()) as store:
        keep(store)
        kept = [path for path in (tmp_path / "data").rglob("binance_*") if path.is_file()]
        backups = {path: tmp_path / f"backup{number}" for number, path in enumerate(kept)}
        for path, backup in backups.items():
            backup.hardlink_to(path)
        before = zoo.print_of(backups.values())
        assert keep(store, NOON + 5 * MINUTE_MS) == keep(store, NOON + 10 * MINUTE_MS) == 0
    assert zoo.print_of(backups.values()) == before


@pytest.mark.parametrize("content", [b"a lock of another program", b'{"pid": 5}', b"\xff" * 200])
def test_a_lock_of_somebody_else_is_not_written_to(tmp_path, content):
    (tmp_path / names.LOCK).write_bytes(content)
    with TrainingStore(tmp_path, Seconds()) as store:
        assert keep(store) > 0
        assert "scanner.lock is not a lock file of the scanner's" in store.health()["cause"]
    assert (tmp_path / names.LOCK).read_bytes() == content


@pytest.mark.parametrize("kind", [kind for kind in zoo.STRANGERS if "larger" not in kind])
def test_what_is_no_lock_file_locks_nothing(tmp_path, kind):
    things = inhabited(tmp_path / "data", (names.LOCK,), zoo.STRANGERS[kind])
    before = zoo.print_of(things)
    with TrainingStore(tmp_path / "data", Seconds()) as store:
        assert keep(store) > 0
        assert "scanner.lock" in store.health()["cause"]
    assert zoo.print_of(things) == before


def test_a_journal_leads_nowhere_else(tmp_path):
    """One with sound check sums, by somebody who means ill."""
    rows = ohlcv.rows(*split(NOON))
    batch = [(name, rows) for name in ("../../out_5m.parquet", "/tmp/out_5m.parquet", "x", HEAD, PART)]
    (tmp_path / "data" / "journal").mkdir(parents=True)
    (tmp_path / "data" / "journal" / "candles-00000007.journal").write_bytes(batches.segment_of([batch]))
    assert look(tmp_path / "data") == {"BTC/USDT": 1}
    with TrainingStore(tmp_path / "data", Seconds()) as store:
        store.flush()
    assert listing(tmp_path) == ["data"]
    assert listing(tmp_path / "data" / "ohlcv") == [HEAD]


def test_a_name_of_the_journal_that_is_taken_is_no_end_of_it(tmp_path):
    (tmp_path / "journal" / "candles-99999999.journal").mkdir(parents=True)
    with TrainingStore(tmp_path, Seconds()) as store:
        store.append_closed([(BTC, "5m", ohlcv.rows(*split(NOON)))])
        assert len(StoreReader(tmp_path).candles(BTC, "5m")) == 1


def test_what_vanishes_between_listing_and_reading_is_not_there(tmp_path, monkeypatch):
    with TrainingStore(tmp_path, Seconds()) as store:
        keep(store)
    listed = regular.names_in

    def listed_and_gone(folder: Path) -> list[str]:
        found = listed(folder)
        for name in found:
            (folder / name).unlink()
        return found

    reader = StoreReader(tmp_path)
    monkeypatch.setattr(reader, "markets", lambda: [BTC])
    monkeypatch.setattr(regular, "names_in", listed_and_gone)
    query = Query(parse_symbol("BTC/USDT"), 30)
    listed_and_gone(tmp_path / "ohlcv")  # a head is read by its name, before anybody lists
    assert reader.dataset(query, ["5m"], NOON + DAY_MS) == {"signals": [], "ohlcv": {}, "clustering": []}
    assert len(features_of(reader, query, NOON + DAY_MS)) == 0
    assert (reader.newest_signals(), reader.gaps.read(), reader.newest_universe("binance")) == ([], [], None)


OF_OUR_SHAPE = r"[a-z]{1,9}_([A-Z.-]{1,12}_)?\d{4}(-\d\d){0,2}(\.json|\.parquet)?"


@given(st.text(max_size=40) | st.from_regex(OF_OUR_SHAPE, fullmatch=True))
def test_a_name_that_is_taken_for_ours_is_one_we_would_give(text):
    if (day := names.try_day_file(text)) is not None:
        moment_ms = int(datetime.combine(day.day, time(), UTC).timestamp()) * 1000
        assert names.day_file(day.market, moment_ms) == text
    if (candle := names.try_candle_file(text)) is not None:
        head = names.candle_file(candle.market, candle.timeframe)
        assert text == (parts.part_of(head, candle.period) if candle.period else head)
        assert candle.period is None or parts.end_ms(candle.period)
    if (of_exchange := names.try_exchange_file(text)) is not None:
        assert text == f"{of_exchange.exchange}_{of_exchange.day.isoformat()}.json"
    if (written := files.hidden_from(text)) is not None:
        assert text in [f".{written}.{ending}" for ending in files.LEFTOVERS]
