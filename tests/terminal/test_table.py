"""The live table from plain values: what it shows, and that it fits its terminal."""

from __future__ import annotations

from typing import Any

import pytest
from rich.console import Console

from scanner.terminal.table import screen


def record(symbol: str = "BTC/USDT", **values: Any) -> dict[str, Any]:
    plain = {
        "exchange": "kucoinfutures",
        "symbol": symbol,
        "timeframe": "15m",
        "signal_type": "REVERSION_BEARISH",
        "combined_score": 61.26,
        "percentile": 99.8,
        "price": 0.00001234,
        "reversion": {"rsi": 76.4},
        "candle_closed": False,
        "candle_progress": 0.4,
    }
    return plain | values


def status(**values: Any) -> dict[str, Any]:
    stream = {"last_run": "2026-11-22T15:31:55+00:00", "last_duration_s": 0.25, "lag_s": 0.01, "runs": 7, "missed": 2}
    exchange = {"state": "down", "markets": 3, "last_data": "2026-11-22T15:31:50+00:00", "cause": "no connection"}
    plain = {
        "market_state": {
            "breadth": {"advancing": 5, "declining": 3, "breadth_ratio": 0.625, "market_bias": "bullish"},
            "volatility_regime": "medium",
            "active_signals": 4,
        },
        "streams": {name: stream | {"last_error": None} for name in ("prices", "signals", "market_state", "full_scan")},
        "exchanges": {"kucoinfutures": exchange},
        "skipped": {},
        "store": {"cause": None},
        "simulated": False,
    }
    return plain | values


def shown(facts: dict[str, Any], signals: list[dict[str, Any]], size: tuple[int, int] = (40, 120)) -> str:
    height, width = size
    console = Console(width=width, height=height, force_terminal=False)
    with console.capture() as capture:
        console.print(screen(facts, signals, "2026-11-22T15:31:56", height))
    return "\n".join(line.rstrip() for line in capture.get().splitlines())


def test_it_shows_signals_market_state_streams_and_exchanges() -> None:
    text = shown(status(), [record()])
    assert "breadth 0.62 (bullish, 5 up, 3 down)  volatility medium  active signals 4" in text
    assert "kucoinfutures:BTC/USDT  15m  REVERSION_BEARISH   61.3     100  1.234e-05   76     40%" in text
    for name in ("prices", "signals", "market_state", "full_scan"):
        assert f"\n{name} " in text
    assert "15:31:55    0.25   0.01     7       2" in text
    assert "kucoinfutures  down         3  2026-11-22T15:31:50\nkucoinfutures: no connection" in text


def test_generated_data_are_called_so() -> None:
    assert "SIMULATED DATA" in shown(status(simulated=True), [])
    assert "SIMULATED" not in shown(status(), [])


def test_before_the_first_run_nothing_is_missing() -> None:
    stream = {"last_run": None, "last_duration_s": None, "lag_s": None, "runs": 0, "missed": 0, "last_error": None}
    exchange = {"state": "connecting", "markets": 0, "last_data": None, "cause": None}
    text = shown(status(market_state={}, streams={"prices": stream}, exchanges={"binance": exchange}), [])
    assert "breadth 0.50 (neutral, 0 up, 0 down)  volatility unknown  active signals 0" in text
    assert "none yet" in text
    assert "connecting" in text


def test_what_is_not_known_is_a_dash_and_a_closed_candle_is_called_closed() -> None:
    unknown = record(combined_score=None, percentile=None, price=None, reversion={"rsi": None}, candle_closed=True)
    assert shown(status(), [unknown]).count(" -") == 4
    assert "closed" in shown(status(), [unknown])


@pytest.mark.parametrize("size", [(24, 80), (40, 120), (60, 200)])
def test_it_fits_the_terminal_with_as_many_signals_as_there_is_room_for(size: tuple[int, int]) -> None:
    exchange = {"state": "live", "markets": 9000, "last_data": "2026-11-22T15:31:50+00:00", "cause": "x" * 300}
    skipped = {f"binance:COIN{i}/USDT": "not listed on binance" for i in range(100)}
    facts = status(exchanges={"binance": exchange, "kucoinfutures": exchange}, skipped=skipped)
    lines = shown(facts, [record(f"COIN{i}/USDT") for i in range(100)], size).splitlines()
    assert len(lines) <= size[0]
    assert max(map(len, lines)) <= size[1]
    assert sum("REVERSION_BEARISH" in line for line in lines) >= 3
    assert "skipped 98 more" in lines


def test_what_is_wrong_stands_at_the_end_the_gravest_last() -> None:
    facts = status(store={"cause": "training_data: disk full"}, skipped={"binance:MATIC/USDT": "not listed"})
    facts["streams"]["signals"]["last_error"] = "ValueError: boom"
    assert shown(facts, []).splitlines()[-4:] == [
        "skipped binance:MATIC/USDT: not listed",
        "kucoinfutures: no connection",
        "signals: ValueError: boom",
        "not being kept: training_data: disk full",
    ]
