"""A stall of the data is seen by the data's own time, whatever the connection looks like, and heals by itself."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from scanner.config import StreamConfig
from scanner.gateway import lister
from scanner.runtime import freshness, run
from scanner.runtime.freshness_report import FreshnessQuery
from scanner.runtime.service import ScannerService
from scanner.settings import Settings
from scanner.simulated import SimulatedExchange
from scanner.simulated import faults as ways
from tests.waiting import wait_for

CONFIG = StreamConfig(
    price_update_interval=1, signal_generation_interval=1, timeframes={"scalp": "5m", "swing": "1h"}, scan_interval=600
)
SYMBOLS = ["BTC/USDT", "ETH/USDT"]
KLINES, SPOT = "/api/v3/klines", "/api/v3"


@pytest.fixture
def scanning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ScannerService]:
    """Two markets, two timeframes, all of them live, and stale after half the time that is usual."""
    monkeypatch.setattr(freshness, "STALE_AFTER", freshness.STALE_AFTER / 2)
    monkeypatch.setattr(run, "JUDGED_EVERY_S", 0.1)
    monkeypatch.setattr(lister, "RELIST_SOON_S", 0.1)
    service = ScannerService(Settings(simulated=True, data_dir=str(tmp_path)))
    try:
        service.start(service.order(SYMBOLS, ["simulated"], CONFIG))
        wait_for(lambda: states(service)["live"] == 4 and not service.unready())
        yield service
    finally:
        service.close()


def states(service: ScannerService) -> dict[str, int]:
    counts: dict[str, int] = service.status()["freshness"]["all"]["states"]
    return counts


def exchange(service: ScannerService) -> SimulatedExchange:
    assert service.run is not None
    return service.run.venue.servers[0]


def oldest(service: ScannerService) -> dict[str, Any]:
    found: dict[str, Any] = service.freshness(FreshnessQuery(limit=1))["markets"][0]
    return found


@pytest.mark.parametrize("fault", [ways.Hang(), ways.Status(500), ways.Empty(), ways.Nulls()])
def test_candles_that_do_not_come_make_all_stale_and_heal(scanning: ScannerService, fault: ways.Fault) -> None:
    exchange(scanning).faults.set(KLINES, fault)
    wait_for(lambda: states(scanning)["stale"] == 4)
    wait_for(lambda: len(scanning.unready()) == 1 and oldest(scanning)["cause"])
    exchange(scanning).faults.clear()
    wait_for(lambda: states(scanning)["live"] == 4 and not scanning.unready())


def test_an_exchange_that_says_the_same_for_ever_is_stale(scanning: ScannerService) -> None:
    """Every request is answered at once, with good candles and prices: those of a moment ago."""
    server = exchange(scanning)
    server.faults.set(SPOT, ways.Frozen(server.clock.now_ms()))
    wait_for(lambda: states(scanning)["stale"] == 4 and "over and over" in str(oldest(scanning)["cause"]))
    server.faults.clear()
    wait_for(lambda: states(scanning)["live"] == 4)


@pytest.mark.parametrize(("path", "what"), [(KLINES, "of its candles"), ("/api/v3/ticker", "prices")])
def test_candles_or_prices_alone_that_stand_still_are_told(scanning: ScannerService, path: str, what: str) -> None:
    server = exchange(scanning)
    server.faults.set(path, ways.Frozen(server.clock.now_ms()))
    wait_for(lambda: states(scanning)["live"] == 0 and what in str(oldest(scanning)["cause"]))
    server.faults.clear()
    wait_for(lambda: states(scanning)["live"] == 4)


def test_prices_that_do_not_come_make_all_stale_though_candles_do(scanning: ScannerService) -> None:
    exchange(scanning).faults.set("/api/v3/ticker", ways.Status(500))
    wait_for(lambda: states(scanning)["stale"] == 4 and scanning.unready())
    causes = lambda: (scanning.status()["exchanges"]["simulated"]["cause"], oldest(scanning)["cause"])  # noqa: E731
    wait_for(lambda: "no prices" in str(causes()[0]) or "500" in str(causes()[1]))
    exchange(scanning).faults.clear()
    wait_for(lambda: states(scanning)["live"] == 4)


def test_a_market_that_is_delisted_is_told_and_the_other_lives(scanning: ScannerService) -> None:
    exchange(scanning).faults.set(SPOT, ways.Delisted("ETH/USDT"))
    wait_for(lambda: states(scanning)["delisted"] == 2)
    told = scanning.freshness(FreshnessQuery(state="delisted"))["markets"]
    assert {row["symbol"] for row in told} == {"ETH/USDT"}
    wait_for(lambda: states(scanning)["live"] == 2 and not scanning.unready())
