"""The service as a whole: lifetimes, faults of one exchange beside a healthy one, what is kept."""

from __future__ import annotations

import gc
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from scanner.config import StreamConfig
from scanner.core.candles import Candles, Int
from scanner.errors import FolderInUse, InvalidInput, UnknownExchange
from scanner.runtime.query import SignalQuery
from scanner.runtime.service import ScannerService
from scanner.runtime.venue import Venue, open_venue
from scanner.settings import Settings
from scanner.simulated import Recording
from scanner.simulated import faults as ways
from tests.waiting import wait_for

BOTH = ["simulated", "simulatedfutures"]
SPOT, FUTURES = "/api/v3", "/api/v1"
QUICK = StreamConfig(price_update_interval=1, signal_generation_interval=1, market_state_interval=1, scan_interval=1)

STANDSTILL_S = 4  # that a busy machine may take for itself in what a test times

Opener = Callable[..., ScannerService]


def faulty(prefix: str, *faults: ways.Fault) -> Callable[[Sequence[str], Settings, Recording | None], Venue]:
    """Venues whose exchange suffers from the first moment on."""

    def opened(exchanges: Sequence[str], settings: Settings, recording: Recording | None) -> Venue:
        venue = open_venue(exchanges, settings, recording)
        for server in venue.servers:
            server.faults.set(prefix, *faults)
        return venue

    return opened


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opener]:
    services: list[ScannerService] = []

    def make(**options: Any) -> ScannerService:
        settings = Settings(simulated=True, data_dir=str(tmp_path / "data"), speed=options.pop("speed", 1.0))
        services.append(ScannerService(settings, **options))
        return services[-1]

    yield make
    for service in services:
        service.stop()


def count(service: ScannerService, exchange: str) -> int:
    return sum(record["exchange"] == exchange for record in service.signals(SignalQuery(limit=1000)))


def state(service: ScannerService, exchange: str) -> dict[str, Any]:
    found: dict[str, Any] = service.status()["exchanges"][exchange]
    return found


def test_start_answers_at_once_even_when_the_exchange_hangs(opened: Opener) -> None:
    service = opened(venues=faulty(ways.ALL, ways.Hang()))
    began = time.monotonic()
    service.start(service.order())
    assert time.monotonic() - began < 8  # a hanging request is given 10 s
    assert service.running
    assert state(service, "simulated")["state"] == "connecting"


def test_stop_ends_everything_within_five_seconds_while_an_exchange_hangs(
    opened: Opener, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner.runtime.run._deadline_s", lambda cadence_s: 60.0)
    before = set(threading.enumerate())
    service = opened()
    run = service.start(service.order(["BTC/USDT"], None, QUICK))
    assert run is not None
    wait_for(lambda: count(service, "simulated") == 4)
    run.venue.servers[0].faults.set(ways.ALL, ways.Hang())
    runs = service.status()["streams"]["prices"]["runs"]
    wait_for(
        lambda: service.status()["streams"]["prices"]["missed"] + service.status()["streams"]["prices"]["runs"] > runs
    )
    began = time.monotonic()
    service.stop()
    wait_for(lambda: set(threading.enumerate()) <= before)
    assert time.monotonic() - began < 5 + STANDSTILL_S  # the streams and the request would have waited for longer


def of_one_hour(*held: tuple[Int, Candles]) -> tuple[tuple[Int, Candles], ...]:
    """What is held, where all of it ends at the same candle: each exchange gets to its next one by itself."""
    return held if len({int(open_time[-1]) for open_time, _ in held}) == 1 else ()


def test_contract_and_spot_markets_are_scanned_side_by_side_under_the_requested_symbol(opened: Opener) -> None:
    service = opened()
    service.start(service.order(["BTC/USDT", "MATIC/USDT"], BOTH))
    wait_for(lambda: [count(service, exchange) for exchange in BOTH] == [8, 8])
    records = service.signals(SignalQuery(symbol="BTC/USDT", timeframe="1d"))
    assert {record["exchange"] for record in records} == set(BOTH)
    assert {record["symbol"] for record in records} == {"BTC/USDT"}
    spot, futures = (service.run.books.by_exchange[exchange] for exchange in BOTH)  # type: ignore[union-attr]
    held = wait_for(lambda: of_one_hour(*(book.candles_of(book.markets[0], "1h") for book in (spot, futures))))
    volumes = [candles.volume[-50:-1] for _, candles in held]
    assert volumes[1] == pytest.approx(volumes[0], rel=0.05, abs=0.02)  # whole lots against fractions, both in coins
    assert service.status()["renamed"]["simulatedfutures:MATIC/USDT"] == "POL/USDT, its name since 2024-09"


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        (ways.Status(451), "restricted"),
        (ways.Status(403), "restricted"),
        (ways.Status(418, 60), "banned"),
        (ways.Status(429, 60), "limited"),
        (ways.Status(500), "down"),
        (ways.Html(200), "down"),
        (ways.Reset(), "down"),
    ],
    ids=lambda value: str(value),
)
def test_a_failing_exchange_has_a_state_with_its_cause_and_costs_the_other_nothing(
    opened: Opener, fault: ways.Fault, expected: str
) -> None:
    service = opened(venues=faulty(SPOT, fault))
    service.start(service.order(["BTC/USDT"], BOTH, QUICK))
    wait_for(
        lambda: state(service, "simulated")["state"] == expected, what=f"{expected}, got {state(service, 'simulated')}"
    )
    assert state(service, "simulated")["cause"]
    wait_for(lambda: count(service, "simulatedfutures") == 4)
    wait_for(lambda: state(service, "simulatedfutures")["state"] == "live")
    assert count(service, "simulated") == 0
    assert all(figures["last_error"] is None for figures in service.status()["streams"].values())


def test_an_exchange_that_comes_back_is_scanned_again(opened: Opener) -> None:
    service = opened(venues=faulty(SPOT, ways.Status(500)))
    run = service.start(service.order(["BTC/USDT"], None, QUICK))
    assert run is not None
    wait_for(lambda: state(service, "simulated")["state"] == "down")
    run.venue.servers[0].faults.clear()
    wait_for(lambda: count(service, "simulated") == 4)
    wait_for(lambda: state(service, "simulated")["state"] == "live")


def test_no_usable_symbol_is_a_clear_state(opened: Opener) -> None:
    service = opened()
    service.start(service.order(["NOPE/USDT", "NADA/USDT"]))
    wait_for(lambda: state(service, "simulated")["cause"])
    facts = state(service, "simulated")
    assert facts["state"] in ("down", "live", "restricted")
    assert facts["markets"] == 0
    assert set(service.status()["skipped"]) == {"simulated:NOPE/USDT", "simulated:NADA/USDT"}


def test_a_real_exchange_that_cannot_be_reached_is_down_and_says_why(opened: Opener, tmp_path: Path) -> None:
    service = opened(venues=lambda exchanges, settings, recording: _unreachable())
    service.start(service.order(["BTC/USDT"], ["binance"]))
    wait_for(lambda: state(service, "binance")["state"] == "down")
    assert state(service, "binance")["cause"]


def _unreachable() -> Venue:
    from scanner.clock import WallClock
    from scanner.gateway.specs import ExchangeSpec
    from scanner.simulated import binance_urls

    return Venue((ExchangeSpec("binance", "binance", binance_urls("http://127.0.0.1:9")),), WallClock())


@pytest.mark.parametrize("exchange", ["nosuch", "binanse"])
def test_an_unknown_exchange_starts_nothing(opened: Opener, exchange: str) -> None:
    service = opened()
    with pytest.raises((InvalidInput, UnknownExchange), match=exchange):
        service.start(service.order(["BTC/USDT"], [exchange]))
    assert not service.running
    assert service.run is None


def test_the_status_tells_how_pushed_data_are_doing(opened: Opener) -> None:
    service = opened()
    patient = StreamConfig(transport="push", price_update_interval=20)  # no standstill passes for a silent socket
    service.start(service.order(["BTC/USDT"], ["simulated"], patient))
    wait_for(lambda: state(service, "simulated")["transport"] == "push" and count(service, "simulated"))
    expected = {
        "healing": 0,
        "connections": 1,
        "reconnects": 0,
        "resubscriptions": 0,
        "causes": {},
        "last_cause": None,
    }
    wait_for(lambda: state(service, "simulated")["push"] == expected)


def test_push_is_refused_before_anything_is_started(opened: Opener) -> None:
    service = opened()
    with pytest.raises(InvalidInput, match="simulatedfutures has no websocket"):
        service.start(service.order(exchanges=["simulatedfutures"], config=StreamConfig(transport="push")))
    assert not service.running


def test_two_scanners_of_one_process_do_not_share_a_folder(opened: Opener) -> None:
    first, second = opened(), opened()
    first.start(first.order(["BTC/USDT"]))
    with pytest.raises(FolderInUse, match=str(os.getpid())):
        second.start(second.order(["BTC/USDT"]))
    first.stop()
    assert second.start(second.order(["BTC/USDT"])) is not None


def test_the_full_scan_is_a_seam(opened: Opener) -> None:
    service = opened(full_scan=lambda held, now_ms, deadline_s: [{"symbol": "X/Y"}] * 12)
    service.start(service.order(["BTC/USDT"]))
    result = wait_for(service.full_scan_results)
    assert result["total_signals"] == 12
    assert len(result["top_opportunities"]) == 10


def test_every_signal_type_can_be_seen_on_the_simulated_exchange_and_is_kept(
    opened: Opener, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("scanner.runtime.run.STOP_S", 60.0)  # what a cycle has made is counted first, then kept
    service = opened(speed=3600)
    service.start(service.order(config=QUICK))
    run = service.run
    assert run is not None
    finals = run.recorder.tally.finals
    seen = wait_for(lambda: found if len(found := {kind for _, kind in tuple(finals)}) == 9 else None)
    service.stop()
    kept = [
        record for path in (tmp_path / "data" / "signals").glob("*.json") for record in json.loads(path.read_text())
    ]
    assert {record["signal_type"] for record in kept} == seen
    closed = [(r["symbol"], r["timeframe"], r["candle_time"]) for r in kept if r["candle_closed"]]
    assert len(closed) == len(set(closed)) == sum(finals.values())
    assert all(record["simulated"] for record in kept)


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.timeout(400)
def test_two_hundred_starts_and_stops_leave_nothing_behind(opened: Opener) -> None:
    service = opened()
    order = service.order(["BTC/USDT"])
    for cycle in range(200):
        assert service.start(order) is not None
        if cycle % 20 == 0:
            wait_for(lambda: count(service, "simulated") == 4)
        service.stop()
        if cycle == 9:
            gc.collect()
            threads, files = threading.active_count(), open_files()
    gc.collect()
    wait_for(lambda: threading.active_count() <= threads)
    wait_for(lambda: open_files() <= files)
