"""What a request's filters mean, on plain records."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scanner.config import STYLES
from scanner.errors import InvalidInput
from scanner.runtime.query import SignalQuery, select_records


def record(exchange: str, symbol: str, timeframe: str, score: float, minute: int) -> dict[str, Any]:
    style = next(style for style, name in STYLES.items() if name == timeframe)
    made = datetime(2026, 1, 2, 3, minute, tzinfo=UTC).isoformat()
    return {
        "exchange": exchange,
        "symbol": symbol,
        "timeframe": timeframe,
        "style": style,
        "combined_score": score,
        "timestamp": made,
    }


RECORDS = [
    record("binance", "BTC/USDT", "5m", 50, 1),
    record("binance", "BTC/USDT", "1h", 70, 1),
    record("binance", "WBTC/USDT", "5m", 90, 1),
    record("kucoinfutures", "BTC/USDT", "5m", 50, 9),
]


def test_equal_scores_are_ordered_by_time_newest_first() -> None:
    chosen = select_records(RECORDS, SignalQuery(timeframe="scalp", symbol="BTC/USDT"), STYLES)
    assert [r["exchange"] for r in chosen] == ["kucoinfutures", "binance"]


def test_a_symbol_never_means_another_that_contains_it() -> None:
    assert {r["symbol"] for r in select_records(RECORDS, SignalQuery(symbol="BTC"), STYLES)} == {"BTC/USDT"}


def test_an_unknown_timeframe_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(InvalidInput, match=r"timeframe: 'scalping' is not one of scalp, .*5m"):
        select_records(RECORDS, SignalQuery(timeframe="scalping"), STYLES)
