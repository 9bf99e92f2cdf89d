"""Which exchange answers for a symbol, and the record of how its timeframes agree."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from scanner.markets import parse_symbol
from scanner.runtime.confluence import confluence_record, newest_by_style
from tests.runtime.test_query import RECORDS

ORDER = ["binance", "kucoinfutures"]


@pytest.mark.parametrize(
    ("fresh_minute", "expected"),
    [(0, "binance"), (5, "kucoinfutures"), (30, "binance")],
    ids=["both fresh: the first requested", "only the second is fresh", "none is fresh: the first that has any"],
)
def test_confluence_is_answered_from_the_first_exchange_with_fresh_signals(fresh_minute: int, expected: str) -> None:
    mine = [r for r in RECORDS if r["symbol"] == "BTC/USDT"]
    details = newest_by_style(mine, ORDER, datetime(2026, 1, 2, 3, fresh_minute, tzinfo=UTC))
    assert {r["exchange"] for r in details.values()} == {expected}


def test_nothing_found_is_nothing() -> None:
    assert newest_by_style([], ORDER, datetime(2026, 1, 1, tzinfo=UTC)) == {}


def test_a_record_says_whose_signals_agree_and_nothing_found_has_the_same_keys_and_a_message() -> None:
    details = {"scalp": {**RECORDS[0], "signal_type": "neutral"}, "swing": {**RECORDS[1], "signal_type": "neutral"}}
    found = confluence_record(parse_symbol("BTC/USDT"), details, 60.0)
    assert (found["symbol"], found["exchange"], found["timeframes_analyzed"]) == ("BTC/USDT", "binance", 2)
    assert found["average_score"] == 60.0  # (50 + 70) / 2
    assert found["timeframe_details"] == details
    nothing = confluence_record(parse_symbol("binance:ETH/USDT"), {}, 60.0)
    assert nothing.keys() - found.keys() == {"message"}
    assert (nothing["symbol"], nothing["exchange"], nothing["confluence"]) == ("ETH/USDT", "binance", False)
