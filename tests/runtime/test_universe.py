"""Markets that come and go while a scan runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.config import StreamConfig
from scanner.markets import Market
from scanner.runtime.freshness_report import FreshnessQuery
from scanner.runtime.memory import available_bytes, capacity, market_bytes
from scanner.runtime.query import SignalQuery
from scanner.runtime.service import ScannerService
from scanner.runtime.universe_report import remembered
from scanner.settings import Settings
from scanner.simulated import faults as ways
from scanner.universe import Universe
from tests.waiting import wait_for

QUICK = StreamConfig(universe_refresh_interval=60, timeframes={"scalp": "5m", "swing": "1h"})  # a second, at speed 60


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ScannerService]:
    service = ScannerService(Settings(simulated=True, speed=60, data_dir=str(tmp_path / "data")))
    yield service
    service.close()


def symbols(service: ScannerService) -> set[str]:
    return {record["symbol"] for record in service.signals(SignalQuery(limit=1000))}


def test_a_delisted_market_leaves_with_a_reason_and_comes_back(service: ScannerService, tmp_path: Path) -> None:
    rule = Universe(include=("BTC/USDT", "ETH/USDT"), quote=("NADA",))
    run = service.start(service.order(None, None, QUICK, rule))
    assert run is not None
    server = run.venue.servers[0]
    wait_for(lambda: symbols(service) == {"BTC/USDT", "ETH/USDT"} and "simulated" in run.state.current().ticks)

    server.faults.set(ways.ALL, ways.Delisted("BTC/USDT"))
    wait_for(lambda: symbols(service) == {"ETH/USDT"})
    reason = service.status()["skipped"]["simulated:BTC/USDT"]
    assert reason.startswith("left at 20")
    assert reason.endswith(": not listed on simulated")
    assert service.status()["exchanges"]["simulated"]["markets"] == 1
    wait_for(lambda: [str(m) for m in run.books.by_exchange["simulated"].markets] == ["simulated:ETH/USDT"])
    wait_for(lambda: [str(m) for m in run.state.current().ticks["simulated"].markets] == ["simulated:ETH/USDT"])
    wait_for(lambda: [str(m) for m in run.state.current().held["simulated"].markets] == ["simulated:ETH/USDT"])
    delisted = service.freshness(FreshnessQuery(state="delisted"))["markets"]
    assert [(row["symbol"], row["timeframe"]) for row in delisted] == [("BTC/USDT", "5m"), ("BTC/USDT", "1h")]
    assert "simulated:BTC/USDT:5m" in run.state.history()
    assert service.kept.training_data("BTC/USDT").candles  # what is kept of it stays readable

    server.faults.clear()
    wait_for(lambda: symbols(service) == {"BTC/USDT", "ETH/USDT"})
    assert service.status()["skipped"] == {}
    service.stop()
    found = snapshots(tmp_path)
    assert [list(each["left"]) for each in found if each["left"]] == [["BTC/USDT"]]
    assert [each["joined"] for each in found if each["joined"]] == [["BTC/USDT"]]
    assert sorted(each["timestamp"] for each in found) == [each["timestamp"] for each in found]


def snapshots(tmp_path: Path) -> Any:
    return [
        each
        for path in sorted((tmp_path / "data" / "universe").glob("simulated_*.json"))
        for each in json.loads(path.read_text())
    ]


def test_a_delisted_market_of_a_list_leaves_too(service: ScannerService, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("scanner.gateway.lister.RELIST_SOON_S", 0.1)
    run = service.start(service.order(["BTC/USDT", "ETH/USDT"], None, QUICK))
    assert run is not None
    wait_for(lambda: symbols(service) == {"BTC/USDT", "ETH/USDT"})
    run.venue.servers[0].faults.set(ways.ALL, ways.Delisted("BTC/USDT"))
    wait_for(lambda: symbols(service) == {"ETH/USDT"})
    assert service.status()["skipped"]["simulated:BTC/USDT"].startswith("left at 20")


def test_while_volumes_cannot_be_had_the_choice_stays(service: ScannerService) -> None:
    run = service.start(service.order(None, None, QUICK, Universe(top=2)))
    assert run is not None
    before = wait_for(lambda: run.gateway.markets()["simulated"])
    server = run.venue.servers[0]
    server.faults.set("/api/v3/ticker/24hr", ways.Nulls())
    asked = server.requests["/api/v3/ticker/24hr"]
    wait_for(lambda: server.requests["/api/v3/ticker/24hr"] > asked + 1)
    assert run.gateway.markets()["simulated"] == before


def test_volumes_of_nothing_change_no_choice(service: ScannerService) -> None:
    """Each of these took every market out of the scan for a whole refresh interval."""
    run = service.start(service.order(None, None, QUICK, Universe(top=2, min_volume_usd=1)))
    assert run is not None
    before = wait_for(lambda: run.gateway.markets()["simulated"])
    server = run.venue.servers[0]
    for fault in (ways.Nulls("0"), ways.Nulls("NaN")):
        server.faults.set("/api/v3/ticker/24hr", fault)
        cause = wait_for(lambda: service.status()["exchanges"]["simulated"]["listing_cause"])
        assert cause.startswith("the list of markets is as it was: simulated: ")
        assert run.gateway.markets()["simulated"] == before
        assert service.status()["skipped"] == {}
        server.faults.clear()
        wait_for(lambda: service.status()["exchanges"]["simulated"]["listing_cause"] is None)


def test_a_market_that_left_for_another_reason_is_not_called_delisted(
    service: ScannerService, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = service.start(service.order(None, None, QUICK, Universe(include=("BTC/USDT", "ETH/USDT"), quote=("NADA",))))
    assert run is not None
    wait_for(lambda: "simulated" in run.state.current().held)
    monkeypatch.setattr(run.gateway, "markets", lambda: {"simulated": ()})
    monkeypatch.setattr(run.gateway, "delisted", lambda name: (Market("simulated", "ETH/USDT"),))
    wait_for(lambda: {row["symbol"] for row in service.freshness(FreshnessQuery())["markets"]} == {"ETH/USDT"})
    assert {row["state"] for row in service.freshness(FreshnessQuery())["markets"]} == {"delisted"}


def test_the_first_choice_of_a_run_says_who_has_come_since_the_last_one(
    service: ScannerService, tmp_path: Path
) -> None:
    rule = Universe(include=("BTC/USDT", "ETH/USDT"), quote=("NADA",))
    run = service.start(service.order(None, None, QUICK, rule))
    assert run is not None
    wait_for(lambda: symbols(service) == {"BTC/USDT", "ETH/USDT"})
    service.stop()
    kept = run.store.newest_universe("simulated")
    assert kept == snapshots(tmp_path)[-1]
    assert remembered(rule, run.store, ["simulated", "binance"]) == {"simulated": frozenset({"BTC/USDT", "ETH/USDT"})}
    assert remembered(Universe(), run.store, ["simulated"]) == {}
    assert remembered(None, run.store, ["simulated"]) == {}


def test_memory_is_the_lesser_of_machine_and_container(tmp_path: Path) -> None:
    assert available_bytes(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable: 4000 kB\n")
    assert available_bytes(tmp_path) == 4_096_000
    group = tmp_path / "sys" / "fs" / "cgroup"
    group.mkdir(parents=True)
    (group / "memory.max").write_text("3000000\n")
    (group / "memory.current").write_text("1000000\n")
    assert available_bytes(tmp_path) == 2_000_000
    (group / "memory.max").write_text("max\n")
    assert available_bytes(tmp_path) == 4_096_000


def test_a_market_takes_what_its_panels_take_and_more() -> None:
    default = market_bytes(StreamConfig())
    assert default > 4 * 600 * 6 * 8
    assert market_bytes(StreamConfig(max_candles_per_timeframe=5000)) > 5 * default
    room = capacity(StreamConfig(), memory_mb=1000)
    assert room is not None
    assert room.markets == 1_000_000_000 // default
