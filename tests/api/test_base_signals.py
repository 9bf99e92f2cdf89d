"""One row of a full scan as a signal: what each field is made of, and what stands where a row knows nothing."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.api.base_parsing import SignalFilter
from scanner.api.base_signals import select, side_of, signal_of_row, signals_of, strength_of
from tests.api.rows import row

NAN = math.nan


def signal(**columns: Any) -> dict[str, Any]:
    return signal_of_row({**row(), "exchange": "binance", **columns})


def test_every_field_comes_from_its_column():
    assert signal() == {
        "id": "SOL/USDT_1793697271",
        "symbol": "SOL/USDT",
        "exchange": "binance",
        "timeframe": "medium",
        "signal": "BUY",
        "strength": 71,
        "price": 151.2,
        "change": pytest.approx(1.84),
        "volume": 2_450_000.0,
        "timestamp": "2026-11-03T09:14:31.250000+00:00",
        "indicators": {"rsi": 48.2, "macd": "bullish", "ema": "above", "volume": "high"},
        "advanced": {
            "opportunity_score": 82.5,
            "composite_score": 64.1,
            "trend_score": 6.3,
            "confidence_score": 0.58,
            "combined_score": 69.9,
            "ichimoku_bullish": True,
            "vwap_bullish": True,
            "bb_position": 0.44,
        },
        "risk_reward": {
            "entry_price": 151.2,
            "stop_loss": 148.1,
            "take_profit": 158.95,
            "risk_amount": 3.1,
            "reward_amount": 7.75,
            "risk_reward_ratio": 2.5,
            "stop_loss_pct": -2.05,
            "take_profit_pct": 5.13,
            "support_level": 148.8,
            "resistance_level": 163.0,
        },
        "market_regime": {
            "regime": "bull",
            "confidence": 81.5,
            "trend_strength": 31.2,
            "volatility": "medium",
            "suggested_threshold": 60,
        },
    }


@pytest.mark.parametrize(
    ("label", "side"),
    [
        ("Strong Buy", "BUY"), ("Buy", "BUY"), ("Weak Buy", "BUY"), ("Neutral", "HOLD"), ("Weak Sell", "SELL"),
        ("Sell", "SELL"), ("Strong Sell", "SELL"), ("something new", "HOLD"), (None, "HOLD"), (NAN, "HOLD"),
    ],
)  # fmt: skip
def test_seven_classes_become_three_signals(label, side):
    assert side_of({"signal": label}) == side


@pytest.mark.parametrize(
    ("label", "value", "strength"),
    [
        ("Buy", 71.4, 71), ("Buy", 0.0, 0), ("Buy", 100.0, 100), ("Neutral", 50.0, 50), ("Neutral", 0.4, 0),
        ("Strong Sell", 0.0, 100), ("Sell", 28.6, 71), ("Weak Sell", 50.0, 50), ("Sell", NAN, 50), ("Buy", None, 50),
        ("Buy", 140.0, 100), ("Sell", -40.0, 100),
    ],
)  # fmt: skip
def test_strength_counts_in_the_direction_of_the_signal(label, value, strength):
    assert strength_of({"signal": label, "signal_strength": value}) == strength


@given(st.floats(0, 100))
def test_a_buy_and_its_mirror_image_are_equally_strong(value):
    buy = strength_of({"signal": "Buy", "signal_strength": value})
    sell = strength_of({"signal": "Sell", "signal_strength": 100 - value})
    assert abs(buy - sell) <= 1  # halves round to even on one side and to odd on the other
    assert 0 <= buy <= 100


@pytest.mark.parametrize(
    ("ratio", "word"),
    [(2.01, "very_high"), (2.0, "high"), (1.51, "high"), (1.5, "medium"), (0.1, "medium"), (NAN, "medium")],
)
def test_volume_in_words(ratio, word):
    assert signal(volume_ratio=ratio)["indicators"]["volume"] == word


def test_an_infinite_number_is_no_number():
    told = signal(price=math.inf, rsi=-math.inf, support_level=math.inf)
    assert (told["price"], told["indicators"]["rsi"], told["risk_reward"]["support_level"]) == (0.0, 50.0, None)


KNOWN = ("symbol", "exchange", "timeframe", "timestamp")


@pytest.mark.parametrize("unknown", [None, NAN, "missing"])
def test_what_a_row_does_not_know_is_a_neutral_value_of_the_right_type(unknown):
    whole = {**row(), "exchange": "binance"}
    bare = {name: value if name in KNOWN else unknown for name, value in whole.items()}
    if unknown == "missing":
        bare = {name: whole[name] for name in KNOWN}
    told = signal_of_row(bare)
    json.dumps(told, allow_nan=False)
    assert (told["signal"], told["strength"], told["price"], told["change"]) == ("HOLD", 50, 0.0, 0.0)
    assert told["indicators"] == {"rsi": 50.0, "macd": "bearish", "ema": "below", "volume": "medium"}
    assert told["advanced"]["bb_position"] == 0.5
    assert told["risk_reward"]["stop_loss"] == 0.0
    assert told["risk_reward"]["support_level"] is None
    assert told["market_regime"] == {
        "regime": "unknown",
        "confidence": 0.0,
        "trend_strength": 0.0,
        "volatility": "medium",
        "suggested_threshold": 65,
    }


@pytest.mark.parametrize(
    "moment",
    [
        datetime(2026, 11, 3, 9, 14, 31),
        datetime(2026, 11, 3, 10, 14, 31, tzinfo=timezone(timedelta(hours=1))),
    ],
)
def test_times_are_utc_with_offset(moment):
    assert signal(timestamp=moment)["timestamp"] == "2026-11-03T09:14:31+00:00"
    assert signal(timestamp=moment)["id"] == "SOL/USDT_1793697271"


def test_one_symbol_on_two_exchanges_has_two_ids():
    rows = [{**row(), "exchange": exchange} for exchange in ("binance", "okx")]
    ids = [told["id"] for told in signals_of(rows)]
    assert ids == ["SOL/USDT_1793697271", "SOL/USDT_1793697271_okx"]
    assert ids == [told["id"] for told in signals_of(rows)]


def test_an_alias_and_its_interval_are_one_timeframe():
    intervals = {"medium": "1h", "1h": "1h", "daily": "1d"}
    signals = [signal(timeframe=timeframe) for timeframe in intervals]
    found = select(signals, SignalFilter(interval="1h"), intervals.__getitem__)
    assert [told["timeframe"] for told in found] == ["medium", "1h"]
