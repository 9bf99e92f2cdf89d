"""The base routes over a real server, with a scan that gives known rows."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scanner.errors import InvalidInput, Unreachable
from scanner.runtime.base import scans
from scanner.settings import Settings
from tests.api.conftest import Client, serving
from tests.api.rows import MADE, FakeScan, row
from tests.waiting import wait_for

API = "/api/scanner"


@pytest.fixture
def scan() -> FakeScan:
    return FakeScan()


@pytest.fixture
def client(tmp_path: Path, scan: FakeScan) -> Iterator[Client]:
    with serving(Settings(simulated=True, data_dir=str(tmp_path / "data")), base_scan=scan) as client:
        yield client
        scan.gate.set()


def status(client: Client) -> Any:
    return client.get(f"{API}/status").body


def idle(client: Client) -> bool:
    return not status(client)["scanning"]


def scanned(client: Client, **body: Any) -> None:
    """Order a scan and wait for its end."""
    assert client.post(f"{API}/scan", body).status == 202
    wait_for(lambda: idle(client))


def is_utc(text: str) -> bool:
    return datetime.fromisoformat(text).utcoffset() == UTC.utcoffset(None)


# --- a scan ----------------------------------------------------------------------------------------------------------


def test_a_fresh_process_has_found_nothing(client: Client) -> None:
    body = status(client)
    assert is_utc(body.pop("timestamp"))
    assert body == {
        "status": "inactive",
        "scanner_initialized": False,
        "last_scan": None,
        "results_count": 0,
        "scanning": False,
        "waiting": 0,
        "last_error": None,
    }
    found = client.get(f"{API}/signals").body
    assert found["signals"] == []
    assert found["filters"]["signals"] == ["BUY", "SELL", "HOLD"]
    assert found["metadata"]["count"] == 0
    assert found["metadata"]["message"]


def test_a_scan_is_accepted_at_once_and_found_later(client: Client, scan: FakeScan) -> None:
    scan.gate.clear()
    answer = client.post(f"{API}/scan", {"timeframe": "medium"})
    assert answer.status == 202
    assert answer.body["status"] == "accepted"
    assert answer.body["mode"] == "single"
    assert answer.body["exchanges"] == ["simulated"]
    assert answer.body["timeframe"] == "medium"
    assert is_utc(answer.body["timestamp"])
    assert {"message", "note"} <= set(answer.body)
    assert status(client)["scanning"] is True
    assert status(client)["last_scan"] is None
    scan.gate.set()
    wait_for(lambda: idle(client))
    body = status(client)
    assert body["status"] == "active"
    assert body["scanner_initialized"] is True
    assert is_utc(body["last_scan"])
    assert body["results_count"] == 1
    assert client.get(f"{API}/signals").body["metadata"] == {"count": 1, "last_scan": body["last_scan"]}


@pytest.mark.parametrize("body", [None, b"", b"  \n", b"{}"])
@pytest.mark.parametrize("headers", [None, {"Content-Type": "text/plain"}, {"Content-Type": "application/json"}])
def test_a_blank_body_scans_the_default_exchange(client: Client, body: bytes | None, headers: Any) -> None:
    answer = client.post(f"{API}/scan", body, headers)
    assert answer.status == 202
    assert (answer.body["exchanges"], answer.body["timeframe"]) == (["simulated"], "medium")


def test_the_frontends_own_body_is_taken_as_it_is(client: Client, scan: FakeScan) -> None:
    body = {
        "timeframe": "1h",
        "exchange": ["simulated", "simulatedfutures"],
        "signal": "all",
        "minStrength": 0,
        "fullAnalysis": False,
        "parallel": True,
    }
    answer = client.post(f"{API}/scan", body)
    assert answer.status == 202
    assert answer.body["mode"] == "parallel"
    wait_for(lambda: idle(client))
    assert sorted(scan.asked) == [("simulated", "1h", False), ("simulatedfutures", "1h", False)]


def test_a_second_scan_waits_for_the_first_and_the_same_one_is_not_repeated(client: Client, scan: FakeScan) -> None:
    scan.gate.clear()
    first = client.post(f"{API}/scan", {"timeframe": "medium"})
    again = client.post(f"{API}/scan", {"timeframe": "medium"})
    other = client.post(f"{API}/scan", {"timeframe": "daily"})
    assert [a.body["status"] for a in (first, again, other)] == ["accepted", "already_scanning", "accepted"]
    assert status(client)["waiting"] == 1
    assert again.body["exchanges"] == ["simulated"]
    scan.gate.set()
    wait_for(lambda: idle(client))
    assert [asked[1] for asked in scan.asked] == ["medium", "daily"]


def test_scans_do_not_pile_up_without_bound(client: Client, scan: FakeScan) -> None:
    scan.gate.clear()
    intervals = ["1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d"]
    bodies = [{"timeframe": t, "fullAnalysis": full} for t in intervals for full in (True, False)]
    statuses = [client.post(f"{API}/scan", body).status for body in bodies]
    assert statuses == [202] * 17 + [429] * 7
    assert set(client.post(f"{API}/scan", bodies[-1]).body) == {"error", "message"}
    client.post(f"{API}/reset")
    scan.gate.set()


# --- several exchanges -----------------------------------------------------------------------------------------------


def test_a_parallel_scan_keeps_the_rows_of_every_exchange(client: Client, scan: FakeScan) -> None:
    scan.rows = {"simulated": [row("SOL/USDT"), row("ADA/USDT")], "simulatedfutures": [row("SOL/USDT:USDT")]}
    scanned(client, exchange=["simulated", "simulatedfutures"])
    found = client.get(f"{API}/signals").body["signals"]
    assert {(s["exchange"], s["symbol"]) for s in found} == {
        ("simulated", "SOL/USDT"),
        ("simulated", "ADA/USDT"),
        ("simulatedfutures", "SOL/USDT:USDT"),
    }
    assert status(client)["results_count"] == 3


def test_one_failing_exchange_costs_the_others_nothing_and_is_told(client: Client, scan: FakeScan) -> None:
    scan.failing = {"simulatedfutures": Unreachable("simulatedfutures: no answer")}
    answer = client.post(f"{API}/scan", {"exchange": ["simulated", "simulatedfutures"], "sync": True})
    assert answer.status == 200
    details = answer.body["metadata"]["exchange_details"]
    assert details["simulated"]["success"] is True
    assert details["simulated"]["error"] is None
    assert details["simulated"]["signals_found"] == 1
    assert details["simulatedfutures"]["success"] is False
    assert details["simulatedfutures"]["error"] == "simulatedfutures: no answer"
    assert [s["exchange"] for s in answer.body["signals"]] == ["simulated"]
    assert status(client)["last_error"] == "simulatedfutures: no answer"
    assert status(client)["results_count"] == 1
    assert status(client)["last_scan"] is not None


def test_a_fault_of_the_scanner_itself_is_told_without_its_inside(client: Client, scan: FakeScan) -> None:
    scan.failing = {"simulated": ZeroDivisionError("secret inside")}
    scanned(client)
    assert "simulated: a fault of the scanner" in status(client)["last_error"]
    assert "secret" not in status(client)["last_error"]


def test_a_failed_scan_shows_its_error_and_leaves_what_was_found(client: Client, scan: FakeScan) -> None:
    scanned(client)
    before = status(client)
    scan.failing = {"simulated": Unreachable("simulated: down")}
    scanned(client)
    after = status(client)
    assert after["last_error"] == "simulated: down"
    assert (after["last_scan"], after["results_count"]) == (before["last_scan"], 1)
    scan.failing = {}
    scanned(client)
    assert status(client)["last_error"] is None


@pytest.mark.parametrize(
    ("failure", "told"),
    [(OSError("secret"), "a fault of the scanner"), (InvalidInput("seed", 0, "is no seed"), "seed: 0 is no seed")],
)
def test_an_exchange_that_cannot_be_opened_is_told_once(tmp_path: Path, failure: Exception, told: str) -> None:
    def no_venue(*_: object) -> Any:
        raise failure

    with serving(Settings(simulated=True, data_dir=str(tmp_path / "data")), venues=no_venue) as client:
        scanned(client, exchange=["simulated", "simulatedfutures"])
        error = status(client)["last_error"]
        assert error.startswith(f"simulated, simulatedfutures: {told}")
        assert error.count(told) == 1
        assert "secret" not in error
        assert client.post(f"{API}/scan", {"sync": True}).status == 502
        client.post(f"{API}/reset")
        assert client.post(f"{API}/initialize").status == 202
        wait_for(lambda: idle(client))
        assert status(client)["last_error"].startswith(f"simulated: {told}")


def test_scanning_another_exchange_keeps_the_first_ones_rows(client: Client, scan: FakeScan) -> None:
    scanned(client, exchange="simulated")
    scanned(client, exchange="simulatedfutures")
    assert status(client)["results_count"] == 2
    scanned(client, exchange="simulatedfutures", timeframe="daily")
    assert status(client)["results_count"] == 2


def test_an_empty_result_empties_the_table_and_is_a_scan(client: Client, scan: FakeScan) -> None:
    scanned(client)
    scan.rows = {"simulated": []}
    scanned(client)
    assert status(client)["results_count"] == 0
    assert status(client)["last_scan"] is not None
    assert client.get(f"{API}/signals").body["signals"] == []


# --- a scan that is waited for ---------------------------------------------------------------------------------------


def test_a_single_scan_that_is_waited_for_answers_with_signals_and_times(client: Client, scan: FakeScan) -> None:
    scan.rows = {"simulated": [row("SOL/USDT"), row("ADA/USDT", signal_strength=20.0)]}
    answer = client.post(f"{API}/scan", {"sync": True, "timeframe": "1h"})
    assert answer.status == 200
    assert [s["symbol"] for s in answer.body["signals"]] == ["SOL/USDT"]  # the default floor is 50
    meta = answer.body["metadata"]
    assert (meta["count"], meta["total_scanned"]) == (1, 2)
    assert (meta["timeframe"], meta["exchange"]) == ("1h", "simulated")
    assert is_utc(meta["timestamp"])
    assert meta["duration_seconds"] >= 0
    assert meta["filters_applied"] == {"signal": "all", "minStrength": 50.0, "exchange": "simulated"}
    assert set(meta["performance"]) == {
        "initialization_seconds",
        "scan_execution_seconds",
        "filtering_seconds",
        "total_seconds",
    }
    assert status(client)["results_count"] == 2


def test_a_parallel_scan_that_is_waited_for_says_what_was_gained(client: Client) -> None:
    answer = client.post(f"{API}/scan", {"sync": True, "exchange": ["simulated", "simulatedfutures"], "minStrength": 0})
    meta = answer.body["metadata"]
    assert meta["mode"] == "parallel"
    assert meta["exchanges"] == ["simulated", "simulatedfutures"]
    assert meta["count"] == len(answer.body["signals"]) == 2
    assert "total_scanned" not in meta
    assert meta["filters_applied"] == {"signal": "all", "minStrength": 0.0}
    assert meta["performance"]["successful_scans"] == 2
    assert meta["performance"]["failed_scans"] == 0
    assert set(meta["performance"]) == {
        "parallel_duration",
        "sequential_duration_estimated",
        "speedup",
        "time_saved_seconds",
        "filtering_seconds",
        "successful_scans",
        "failed_scans",
    }


def test_a_list_of_one_is_parallel_and_counts_as_initialized(client: Client) -> None:
    answer = client.post(f"{API}/scan", {"sync": True, "exchange": ["simulated"]})
    assert answer.body["metadata"]["mode"] == "parallel"
    assert status(client)["scanner_initialized"] is True


def test_a_scan_that_is_waited_for_and_fails_says_so(client: Client, scan: FakeScan) -> None:
    scan.failing = {"simulated": Unreachable("simulated: down")}
    answer = client.post(f"{API}/scan", {"sync": True})
    assert answer.status == 502
    assert answer.body == {"error": "Exchange failure", "message": "simulated: down"}


@pytest.mark.parametrize("path", ["scan", "multi-timeframe"])
def test_requests_that_wait_are_few_and_the_others_are_told(
    client: Client, scan: FakeScan, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "TURN_S", 60.0)
    scan.gate.clear()
    answers: list[int] = []
    ordered = [threading.Thread(target=lambda: answers.append(waited(client, path))) for _ in range(6)]
    for thread in ordered:
        thread.start()
    wait_for(lambda: answers == [429, 429])
    scan.gate.set()
    for thread in ordered:
        thread.join()
    assert answers == [429, 429, 200, 200, 200, 200]
    assert waited(client, path) == 200


def waited(client: Client, path: str) -> int:
    return client.post(f"{API}/{path}", {"sync": True} if path == "scan" else {}).status


# --- filters ---------------------------------------------------------------------------------------------------------

ROWS = {
    "simulated": [
        row("SOL/USDT", signal="Strong Buy", signal_strength=90.0),
        row("ADA/USDT", signal="Weak Sell", signal_strength=20.0),
        row("DOT/USDT", signal="Neutral", signal_strength=50.0),
    ],
    "simulatedfutures": [row("SOL/USDT:USDT", signal="Buy", signal_strength=60.0)],
}


@pytest.mark.parametrize(
    ("query", "symbols"),
    [
        ("", {"SOL/USDT", "ADA/USDT", "DOT/USDT", "SOL/USDT:USDT"}),
        ("exchange=all&timeframe=all&signal=all&minStrength=0", {"SOL/USDT", "ADA/USDT", "DOT/USDT", "SOL/USDT:USDT"}),
        ("exchange=simulated", {"SOL/USDT", "ADA/USDT", "DOT/USDT"}),
        ("exchange=SimulatedFutures", {"SOL/USDT:USDT"}),
        ("exchange=kucoinfutures", set()),
        ("timeframe=medium", {"SOL/USDT", "ADA/USDT", "DOT/USDT", "SOL/USDT:USDT"}),
        ("timeframe=1h", {"SOL/USDT", "ADA/USDT", "DOT/USDT", "SOL/USDT:USDT"}),
        ("timeframe=daily", set()),
        ("timeframe=4h", set()),
        ("signal=BUY", {"SOL/USDT", "SOL/USDT:USDT"}),
        ("signal=buy", {"SOL/USDT", "SOL/USDT:USDT"}),
        ("signal=Sell", {"ADA/USDT"}),
        ("signal=HOLD", {"DOT/USDT"}),
        ("signal=ALL", {"SOL/USDT", "ADA/USDT", "DOT/USDT", "SOL/USDT:USDT"}),
        ("minStrength=80", {"SOL/USDT", "ADA/USDT"}),  # a sell at 20 is as strong as a buy at 80
        ("minStrength=80.5", {"SOL/USDT"}),
        ("minStrength=100", set()),
        ("exchange=simulated&signal=BUY&timeframe=1h&minStrength=85", {"SOL/USDT"}),
    ],
)
def test_filters_mean_what_they_say(filled: Client, query: str, symbols: set[str]) -> None:
    found = filled.get(f"{API}/signals?{query}").body
    assert {s["symbol"] for s in found["signals"]} == symbols
    assert found["metadata"]["count"] == len(symbols)
    assert filled.get(f"{API}/status").body["results_count"] == 4


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    settings = Settings(simulated=True, data_dir=str(tmp_path_factory.mktemp("data")))
    with serving(settings, base_scan=FakeScan(ROWS)) as client:
        scanned(client, exchange=["simulated", "simulatedfutures"])
        yield client


def test_ids_stay_and_are_unique(filled: Client) -> None:
    ids = [[s["id"] for s in filled.get(f"{API}/signals").body["signals"]] for _ in range(2)]
    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 4
    assert f"SOL/USDT_{int(MADE.timestamp())}" in ids[0]


def test_scanned_exchanges_are_offered_as_filters(filled: Client) -> None:
    assert filled.get(f"{API}/signals").body["filters"] == {
        "exchanges": ["binance", "kucoinfutures", "coinbase", "kraken", "simulated", "simulatedfutures"],
        "timeframes": ["1m", "5m", "15m", "1h", "4h", "1d"],
        "signals": ["BUY", "SELL", "HOLD"],
        "minStrength": 0,
        "maxStrength": 100,
    }


# --- initialize and reset --------------------------------------------------------------------------------------------


def test_initialize_tries_the_exchange_in_the_background(client: Client) -> None:
    answer = client.post(f"{API}/initialize", {"exchange": "simulatedfutures"})
    assert answer.status == 202
    assert answer.body["status"] == "accepted"
    assert answer.body["exchange"] == "simulatedfutures"
    assert {"message", "note", "timestamp"} <= set(answer.body)
    wait_for(lambda: idle(client))
    assert status(client)["scanner_initialized"] is True
    assert status(client)["last_scan"] is None
    again = client.post(f"{API}/initialize", {"exchange": "okx"})
    assert again.status == 200
    assert (again.body["status"], again.body["exchange"]) == ("already_initialized", "okx")
    assert set(again.body) == {"status", "message", "exchange", "timestamp"}


def test_reset_forgets_everything_even_of_a_scan_that_runs(client: Client, scan: FakeScan) -> None:
    scanned(client)
    scan.gate.clear()
    client.post(f"{API}/scan", {"timeframe": "daily"})
    client.post(f"{API}/scan", {"timeframe": "weekly"})
    wait_for(lambda: len(scan.asked) == 2)
    answer = client.post(f"{API}/reset", b"not even read")
    assert (answer.status, answer.body["status"]) == (200, "reset")
    scan.gate.set()
    wait_for(lambda: idle(client))
    body = status(client)
    assert (body["status"], body["last_scan"], body["results_count"]) == ("inactive", None, 0)
    assert len(scan.asked) == 2  # the one that waited never began


def test_what_is_asked_for_after_a_reset_is_found_whatever_runs(client: Client, scan: FakeScan) -> None:
    scan.gate.clear()
    client.post(f"{API}/scan", {"timeframe": "daily"})
    wait_for(lambda: len(scan.asked) == 1)
    client.post(f"{API}/reset")
    again = client.post(f"{API}/scan", {"timeframe": "daily"})
    assert (again.status, again.body["status"]) == (202, "accepted")
    scan.gate.set()
    wait_for(lambda: idle(client))
    assert status(client)["results_count"] == 1
    assert status(client)["last_scan"] is not None


def test_base_scans_and_the_continuous_scanner_leave_each_other_alone(client: Client, scan: FakeScan) -> None:
    assert client.post(f"{API}/continuous/start", {"symbols": ["BTC/USDT"]}).status == 200
    run = client.service.run
    assert run is not None
    places: list[str] = []
    scan.on_ask = lambda spec, options: places.append(spec.urls["public"].rpartition("/api")[0])
    scanned(client, exchange=["simulated"])
    assert places == [run.venue.servers[0].url]  # one market for both, not two servers
    client.post(f"{API}/reset")
    assert client.get(f"{API}/continuous/status").body["running"] is True
    scan.gate.clear()
    client.post(f"{API}/scan", {})
    wait_for(lambda: len(scan.asked) == 2)
    client.post(f"{API}/continuous/stop")
    assert run.venue.servers[0].is_running  # until the scan that borrowed it has ended
    scan.gate.set()
    wait_for(lambda: idle(client))
    wait_for(lambda: not run.venue.servers[0].is_running)  # which ends alone where it takes long


# --- one symbol on several timeframes --------------------------------------------------------------------------------


def test_multi_timeframe_tells_how_timeframes_agree(client: Client, scan: FakeScan) -> None:
    scan.rows = {"simulated": [row("BTC/USDT", opportunity_score=80.0)]}
    answer = client.post(f"{API}/multi-timeframe")
    assert answer.status == 200
    result = {"signal": "Buy", "opportunity_score": 80.0, "market_regime": "bull", "price": 151.2, "rsi": 48.2}
    assert answer.body == {
        "symbol": "BTC/USDT",
        "confluence": True,
        "timeframes_analyzed": 3,
        "average_opportunity": 80.0,
        "bullish_timeframes": 3,
        "bearish_timeframes": 0,
        "dominant_regime": "bull",
        "timeframe_results": [{"timeframe": t, **result} for t in ("short", "medium", "daily")],
        "recommendation": "STRONG",
    }


def test_multi_timeframe_takes_symbols_as_people_write_them(client: Client, scan: FakeScan) -> None:
    asked: list[Any] = []
    scan.on_ask = lambda spec, options: asked.append((spec.id, options["symbols"]))
    body = {"symbol": "simulatedfutures:eth-usdt", "timeframes": ["1h", "4h"], "minOpportunity": 90}
    answer = client.post(f"{API}/multi-timeframe", body)
    assert asked == [("simulatedfutures", ["ETH/USDT"])]
    assert scan.asked == [("simulatedfutures", "1h", "4h", True)]
    assert (answer.body["symbol"], answer.body["timeframes_analyzed"]) == ("ETH/USDT", 2)
    assert (answer.body["confluence"], answer.body["recommendation"]) == (False, "WEAK")


def test_multi_timeframe_that_finds_nothing_names_what_was_asked(client: Client, scan: FakeScan) -> None:
    scan.rows = {"simulated": []}
    answer = client.post(f"{API}/multi-timeframe", {"symbol": "NOPE/USDT", "timeframes": ["1h", "daily"]})
    assert answer.status == 200
    assert answer.body.pop("message")
    assert answer.body == {"symbol": "NOPE/USDT", "confluence": False, "timeframes_analyzed": ["1h", "daily"]}


def test_multi_timeframe_passes_on_that_an_exchange_is_down(client: Client, scan: FakeScan) -> None:
    scan.failing = {"simulated": Unreachable("simulated: down")}
    assert client.post(f"{API}/multi-timeframe").status == 502


def test_the_wait_for_a_turn_is_part_of_the_time_there_is(
    client: Client, scan: FakeScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    left: list[float] = []
    began: list[float] = []  # to wait for a turn, each
    turn = scans.turn

    def noted(*arguments: Any) -> Any:
        began.append(time.monotonic())
        return turn(*arguments)

    monkeypatch.setattr(scans, "turn", noted)
    monkeypatch.setattr(scans, "TURN_S", 60.0)
    scan.on_ask = lambda spec, options: left.append(options["deadline_s"])
    scan.gate.clear()
    threads = [threading.Thread(target=lambda: waited(client, "multi-timeframe")) for _ in range(3)]
    for thread in threads:
        thread.start()
    wait_for(lambda: (len(left), len(began)) == (2, 3))
    wait_for(lambda: time.monotonic() - max(began) > 0.3)
    scan.gate.set()
    for thread in threads:
        thread.join()
    assert left[2] < scans.AGREEMENT_S - 0.3


def test_a_turn_that_does_not_come_is_told_before_the_proxy_gives_up(
    client: Client, scan: FakeScan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scans, "TURN_S", 0.1)
    scan.gate.clear()
    threads = [threading.Thread(target=lambda: waited(client, "multi-timeframe")) for _ in range(2)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(scan.asked) == 2)
    assert waited(client, "multi-timeframe") == 429
    scan.gate.set()
    for thread in threads:
        thread.join()


# --- position sizes --------------------------------------------------------------------------------------------------


def test_a_position_is_sized_by_hand_and_by_the_route_alike(client: Client) -> None:
    body = {"accountBalance": "10000", "riskPerTrade": 2, "entryPrice": 45_000, "stopLoss": "43000"}
    answer = client.post("/api/position/calculate", {**body, "leverage": 1, "feeRate": None})
    assert answer.status == 200
    # 2 % of 10,000 is 200; the stop is 2,000 of 45,000 away, 4.44 %; 200 / 0.0444 is 4,500, a tenth of a coin
    assert answer.body == {
        "risk_amount_usd": 200.0,
        "stop_distance_pct": 4.44,
        "position_value": 4500.0,
        "units": 0.1,
        "margin_required": 4500.0,
        "total_fees": 9.0,  # 0.1 % in and 0.1 % out
        "adjusted_risk_usd": 191.0,
        "stop_distance_usd": 200.0,
        "liquidation_price": None,
        "margin_usage_pct": 45.0,
        "leverage": 1.0,
        "account_balance": 10_000.0,
        "risk_per_trade_pct": 2.0,
        "warnings": [],
        "safe_to_trade": True,
    }


def test_a_position_that_is_liquidated_before_its_stop_is_not_safe(client: Client) -> None:
    body = {"riskPerTrade": 1, "entryPrice": 100, "stopLoss": 140, "leverage": 4}
    answer = client.post("/api/position/calculate", body).body
    assert (answer["position_value"], answer["margin_required"]) == (1000.0, 250.0)
    assert answer["liquidation_price"] == 122.5
    assert len(answer["warnings"]) == 2
    assert answer["safe_to_trade"] is False
