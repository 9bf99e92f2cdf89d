"""What pages read, on real answers: a real scan of the simulated exchange, through ccxt, over a real server."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from scanner.runtime.venue import Venue, open_venue
from scanner.settings import Settings
from scanner.simulated import Recording
from scanner.simulated import faults as ways
from tests.api.conftest import Client, serving
from tests.waiting import wait_for

API = "/api/scanner"
BOTH = ["simulated", "simulatedfutures"]


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A server that has scanned both simulated exchanges."""
    with serving(Settings(simulated=True, data_dir=str(tmp_path_factory.mktemp("data")))) as client:
        answer = client.post(f"{API}/scan", {"timeframe": "medium", "exchange": BOTH, "sync": True, "minStrength": 0})
        assert answer.status == 200, answer.body
        yield client


@pytest.fixture(scope="module")
def signals(scanned: Client) -> list[dict[str, Any]]:
    found = scanned.get(f"{API}/signals").body["signals"]
    assert len(found) > 10
    assert isinstance(found, list)
    return found


Check = Callable[[Any], bool]


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def within(low: float, high: float) -> Check:
    return lambda value: is_number(value) and low <= value <= high


def one_of(*words: str) -> Check:
    return lambda value: value in words


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def is_time(value: Any) -> bool:
    return datetime.fromisoformat(value).utcoffset() == UTC.utcoffset(None)


def or_null(check: Check) -> Check:
    return lambda value: value is None or check(value)


# what pages format, compare or divide without looking first
READ: dict[str, Check] = {
    "id": is_text,
    "symbol": is_text,
    "exchange": one_of(*BOTH),
    "timeframe": is_text,
    "signal": one_of("BUY", "SELL", "HOLD"),
    "strength": lambda value: isinstance(value, int) and 0 <= value <= 100,
    "price": lambda value: is_number(value) and value > 0,
    "change": is_number,
    "volume": lambda value: is_number(value) and value >= 0,
    "timestamp": is_time,
    "indicators.rsi": within(0, 100),
    "indicators.macd": one_of("bullish", "bearish"),
    "indicators.ema": one_of("above", "below"),
    "indicators.volume": one_of("very_high", "high", "medium"),
    "advanced.opportunity_score": within(0, 100),
    "advanced.composite_score": within(0, 100),
    "advanced.trend_score": within(0, 10),
    "advanced.confidence_score": within(0, 1),
    "advanced.combined_score": within(0, 100),
    "advanced.ichimoku_bullish": is_flag,
    "advanced.vwap_bullish": is_flag,
    "advanced.bb_position": is_number,
    "risk_reward.entry_price": lambda value: is_number(value) and value > 0,
    "risk_reward.stop_loss": lambda value: is_number(value) and value > 0,
    "risk_reward.take_profit": lambda value: is_number(value) and value > 0,
    "risk_reward.risk_amount": lambda value: is_number(value) and value >= 0,
    "risk_reward.reward_amount": lambda value: is_number(value) and value >= 0,
    "risk_reward.risk_reward_ratio": lambda value: is_number(value) and value >= 0,
    "risk_reward.stop_loss_pct": is_number,
    "risk_reward.take_profit_pct": is_number,
    "risk_reward.support_level": or_null(is_number),
    "risk_reward.resistance_level": or_null(is_number),
    "market_regime.regime": one_of("bull", "bear", "ranging", "unknown"),
    "market_regime.confidence": within(0, 100),
    "market_regime.trend_strength": is_number,
    "market_regime.volatility": one_of("low", "medium", "high"),
    "market_regime.suggested_threshold": one_of(60, 65, 75, 80),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("path", READ)
def test_every_field_that_pages_read_is_there_and_well_typed(signals: list[dict[str, Any]], path: str) -> None:
    for signal in signals:
        value: Any = signal
        for name in path.split("."):
            value = value[name]
        assert READ[path](value), (path, value)


def test_signals_have_no_other_fields(signals: list[dict[str, Any]]) -> None:
    """Names such as `clustering` and `confluence` would be read as something else."""
    for signal in signals:
        named = {
            f"{key}.{below}" if isinstance(value, dict) else key
            for key, value in signal.items()
            for below in (value if isinstance(value, dict) else [""])
        }
        assert named == set(READ)


def test_both_exchanges_are_there_each_with_its_own_symbols(signals: list[dict[str, Any]]) -> None:
    assert {signal["exchange"] for signal in signals} == set(BOTH)
    assert all((":" in signal["symbol"]) == (signal["exchange"] == "simulatedfutures") for signal in signals)
    assert len({signal["id"] for signal in signals}) == len(signals)


def test_buys_and_sells_both_pass_a_strength_filter(scanned: Client, signals: list[dict[str, Any]]) -> None:
    strongest = {
        side: max((s["strength"] for s in signals if s["signal"] == side), default=0) for side in ("BUY", "SELL")
    }
    found = scanned.get(f"{API}/signals?minStrength={min(strongest.values())}").body["signals"]
    assert {s["signal"] for s in found} >= {side for side, strength in strongest.items() if strength}


def test_the_scan_of_one_alias_is_found_by_its_interval(scanned: Client, signals: list[dict[str, Any]]) -> None:
    assert scanned.get(f"{API}/signals?timeframe=1h&exchange=all").body["metadata"]["count"] == len(signals)
    assert scanned.get(f"{API}/signals?timeframe=daily").body["signals"] == []


def test_multi_timeframe_reads_the_exchange(scanned: Client) -> None:
    body = scanned.post(f"{API}/multi-timeframe", {"symbol": "simulated:btc-usdt"}).body
    assert (body["symbol"], body["timeframes_analyzed"]) == ("BTC/USDT", 3)
    assert [result["timeframe"] for result in body["timeframe_results"]] == ["short", "medium", "daily"]
    for result in body["timeframe_results"]:
        assert set(result) == {"timeframe", "signal", "opportunity_score", "market_regime", "price", "rsi"}
    assert body["recommendation"] in ("STRONG", "MODERATE", "WEAK")
    assert isinstance(body["confluence"], bool)
    swap = scanned.post(f"{API}/multi-timeframe", {"symbol": "simulatedfutures:BTC/USDT", "timeframes": ["1h"]}).body
    assert (swap["symbol"], swap["timeframes_analyzed"]) == ("BTC/USDT", 1)


def test_multi_timeframe_of_a_symbol_that_nobody_lists_finds_nothing(scanned: Client) -> None:
    answer = scanned.post(f"{API}/multi-timeframe", {"symbol": "simulated:NOPE/USDT", "timeframes": ["1h", "4h"]})
    assert answer.status == 200
    assert (answer.body["confluence"], answer.body["timeframes_analyzed"]) == (False, ["1h", "4h"])


class SilentVenues:
    """Makes venues whose exchanges answer nothing until they are let."""

    def __init__(self) -> None:
        self.made: list[Venue] = []

    def __call__(self, exchanges: Sequence[str], settings: Settings, recording: Recording | None = None) -> Venue:
        venue = open_venue(exchanges, settings, recording)
        venue.servers[0].faults.set("/api", ways.Hang())
        self.made.append(venue)
        return venue

    def let(self) -> None:
        for venue in self.made:
            venue.servers[0].faults.clear()


def test_status_answers_while_a_scan_waits_for_its_exchange(tmp_path: Path) -> None:
    silent = SilentVenues()
    with serving(Settings(simulated=True, data_dir=str(tmp_path / "data")), venues=silent) as client:
        assert client.post(f"{API}/scan", {"timeframe": "short", "exchange": BOTH}).status == 202
        wait_for(lambda: silent.made)
        assert all(client.get(f"{API}/status").body["scanning"] for _ in range(5))
        silent.let()
        body = wait_for(lambda: None if (found := client.get(f"{API}/status").body)["scanning"] else found, 60)
        assert (body["last_error"], body["results_count"] > 10) == (None, True)


def test_a_stop_of_the_process_does_not_wait_for_a_scan(tmp_path: Path) -> None:
    silent = SilentVenues()
    with serving(Settings(simulated=True, data_dir=str(tmp_path / "data")), venues=silent) as client:
        client.post(f"{API}/scan", {"exchange": BOTH})
        wait_for(lambda: silent.made)
    assert client.service.base.status()["scanning"]
    silent.let()
    wait_for(lambda: not client.service.base.status()["scanning"])
