"""The 90 s stream: the full scan on the candles that are held."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from scanner.fullscan.panel import PanelScanner
from scanner.fullscan.row import COLUMNS
from scanner.runtime.cycles.full_scan import full_scan_timeframe
from scanner.runtime.facade import ContinuousMultiTimeframeScanner
from scanner.runtime.service import ScannerService
from scanner.settings import Settings
from tests.runtime.test_service import QUICK
from tests.waiting import wait_for

BOTH = ["simulated", "simulatedfutures"]


@pytest.fixture(autouse=True)
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """A full scan every second may take longer than its share of it: on a busy machine rows would be left out."""
    monkeypatch.setattr("scanner.runtime.run._full_scan_deadline_s", lambda cadence_s: 60.0)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[ScannerService]:
    service = ScannerService(Settings(simulated=True, data_dir=str(tmp_path / "data")))
    yield service
    service.stop()


def scanned(service: ScannerService, is_done: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
    def look() -> dict[str, Any] | None:
        result = service.full_scan_results()
        return result if result is not None and is_done(result) else None

    return wait_for(look)  # type: ignore[return-value]


def test_rows_come_from_every_exchange_and_are_json(service: ScannerService) -> None:
    service.start(service.order(["BTC/USDT", "ETH/USDT"], BOTH, QUICK))
    result = scanned(service, lambda result: result["total_signals"] == 4)
    rows = result["top_opportunities"]
    assert {(row["exchange"], row["symbol"]) for row in rows} == {
        (e, s) for e in BOTH for s in ("BTC/USDT", "ETH/USDT")
    }
    assert all(list(row) == list(COLUMNS) for row in rows)
    assert {row["timeframe"] for row in rows} == {"medium"}
    assert json.loads(json.dumps(result, allow_nan=False)) == result
    scores = [row["combined_score"] for row in rows]
    assert scores == sorted(scores, reverse=True)


def test_no_request_is_made_for_it(service: ScannerService) -> None:
    run = service.start(service.order(["BTC/USDT"], ["simulated"], QUICK))
    assert run is not None
    scanned(service, lambda result: result["total_signals"] == 1)
    assert run.streams.stop(30.0) == []
    before = dict(run.venue.servers[0].requests)
    (book,) = run.books.by_exchange.values()
    cycle = run.streams._jobs["full_scan"][1]
    cycle()
    assert dict(run.venue.servers[0].requests) == before
    assert len(book.markets) == 1


def test_the_facade_gives_results_and_reports(service: ScannerService, tmp_path: Path) -> None:
    scanner = ContinuousMultiTimeframeScanner(settings=Settings(simulated=True, data_dir=str(tmp_path / "other")))
    assert isinstance(scanner.scanner, PanelScanner)
    assert scanner.scanner.generate_report().startswith("No results")
    scanner.service.start(scanner.service.order(["BTC/USDT"], ["simulated"], QUICK))
    try:
        scanned(scanner.service, lambda result: result["total_signals"] == 1)
        assert "BTC/USDT" in scanner.scanner.generate_report()
        assert "These are simulated data" in scanner.scanner.generate_report()
        assert set(scanner.scanner.market_data) == {"BTC/USDT"}
    finally:
        scanner.service.stop()


def test_the_newest_price_and_a_whole_volume_stand_in_the_forming_candle(service: ScannerService) -> None:
    run = service.start(service.order(["BTC/USDT"], ["simulated"], QUICK))
    assert run is not None
    scanned(service, lambda result: result["total_signals"] == 1)
    (book,) = run.books.by_exchange.values()
    now_ms = run.venue.clock.now_ms()
    price, price_ms = np.array([123.0]), np.array([now_ms + 60_000])
    open_time, candles = book.newest("1h", None, 200, now_ms, price, price_ms)
    assert candles.shape == (1, 200)
    assert open_time[-1] <= now_ms < open_time[-1] + 2 * 3_600_000
    assert candles.close[0, -1] == 123.0
    assert candles.volume[0, -1] > 0
    late_ms = now_ms + 3_600_000
    _, stale = book.newest("1h", None, 200, late_ms, price, price_ms)
    assert np.isnan(stale.close).all()


@pytest.mark.parametrize(
    ("timeframes", "expected"),
    [
        (["5m", "4h", "1h", "1d"], "1h"),
        (["5m", "15m", "4h"], "15m"),
        (["4h", "1d"], "4h"),
        (["1m"], "1m"),
    ],
)
def test_the_timeframe_is_the_longest_up_to_an_hour_else_the_shortest(timeframes: list[str], expected: str) -> None:
    assert full_scan_timeframe(timeframes) == expected


def test_one_row_comes_out_however_late_it_is(service: ScannerService) -> None:
    run = service.start(service.order(None, ["simulated"], QUICK))
    assert run is not None
    scanned(service, lambda result: result["total_signals"] > 1)
    assert run.streams.stop(30.0) == []  # none is at it that would tell of its own scan later
    cycle: Any = run.streams._jobs["full_scan"][1]
    cycle._deadline_s = -math.inf
    cycle()
    assert service.full_scan_results()["total_signals"] == 1  # type: ignore[index]
