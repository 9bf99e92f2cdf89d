"""One market's row: every column, its type and bounds."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from scanner.fullscan import scores
from scanner.fullscan.classes import SIGNALS, STATES
from scanner.fullscan.native import native_row
from scanner.fullscan.row import COLUMNS, indicators_of, market_row
from scanner.fullscan.settings import plan_for
from tests.fullscan.making import CONFIG, MEDIUM, NOW_MS, frame, walk

WORDS = {
    "signal": SIGNALS,
    "signal_state": STATES,
    "market_regime": ("bull", "bear", "ranging", "unknown"),
    "regime_volatility": ("low", "medium", "high"),
    "fib_direction": ("bull", "bear"),
}


def row_of(table, plan=MEDIUM):
    return market_row(table, plan, symbol="BTC/USDT", exchange="binance", now_ms=NOW_MS, config=CONFIG)


def check(row):
    """Every column has its type and lies within its bounds."""
    assert list(row) == list(COLUMNS)
    for name, kind in COLUMNS.items():
        value = row[name]
        if value is None:
            assert kind.optional, name
            continue
        assert type(value) is kind.type, f"{name}: {type(value)}"
        if kind.type in (float, int):
            assert math.isfinite(value), name
            assert kind.low <= value <= kind.high, f"{name}: {value}"
        if name in WORDS:
            assert value in WORDS[name]
    json.dumps(native_row(row), allow_nan=False)


@pytest.mark.parametrize("rows", [62, 78, 110, 186, 240, 500])
@pytest.mark.parametrize("seed", [1, 2])
def test_every_column_has_its_type_and_bounds(rows, seed):
    row = row_of(walk(rows, seed))
    check(row)
    assert row["timestamp"] == datetime.fromtimestamp(NOW_MS / 1000, UTC)
    assert (row["symbol"], row["exchange"], row["timeframe"]) == ("BTC/USDT", "binance", "medium")


prices = st.sampled_from([1e-8, 3e-5, 0.01, 1.0, 250.0, 9e4, 1e7])


@settings(max_examples=60)
@given(
    prices,
    st.lists(st.floats(-0.4, 0.6), min_size=62, max_size=120),
    st.lists(st.sampled_from([0.0, 0.0, 1.0, 50.0, 1e6, 1e12]), min_size=120, max_size=120),
    st.floats(0, 0.4),
)
def test_whatever_the_candles_the_row_is_sound(price, moves, volumes, spread):
    close = price * np.cumprod(np.clip(1 + np.array(moves), 0.5, 1.5))
    check(row_of(frame(np.clip(close, price * 1e-3, price * 1e3), volumes[: len(close)], spread)))


@pytest.mark.parametrize("volume", [0.0, 5.0])
def test_a_flat_market_is_neutral(volume):
    row = row_of(frame(np.full(100, 5.0), np.full(100, volume), 0.0))
    check(row)
    assert (row["rsi"], row["signal"], row["bb_position"], row["volume_ratio"]) == (50.0, "Neutral", 0.5, 1.0)
    assert row["momentum_short"] == row["momentum_long"] == row["macd"] == 0.0
    assert row["poc_price"] == (5.0 if volume else None)
    assert row["market_regime"] == "ranging"


def test_a_straight_rise_reads_as_one():
    row = row_of(frame(np.linspace(100, 200, 250)))
    assert row["market_regime"] == "bull"
    assert all(row[name] for name in ("ema_5_13_bullish", "ema_9_21_bullish", "ema_50_200_bullish"))
    assert all(row[name] for name in ("ichimoku_bullish", "vwap_bullish"))
    assert row["rsi"] == 100.0
    assert row["fib_direction"] == "bull"


def test_the_columns_hang_together():
    """A row recomputed from its own columns: the formulas joined as written."""
    table = walk(186, seed=5)
    row, last = row_of(table), indicators_of(table, MEDIUM, CONFIG).iloc[-1]
    ms, ml, rsi, macd = (row[name] for name in ("momentum_short", "momentum_long", "rsi", "macd"))
    ts, vr, bb = row["trend_score"], row["volume_ratio"], row["bb_position"]
    close, volume = table["close"].to_numpy(), table["volume"].to_numpy()
    assert (row["price"], rsi, macd) == (close[-1], last["rsi"], last["macd"])
    assert row["volume_usd"] == pytest.approx((close * volume).mean())
    assert vr == pytest.approx(volume[-1] / volume[-21:-1].mean())
    assert row["opportunity_score"] == scores.opportunity_score(
        ms, ml, rsi, macd, bb, ts, vr, row["stoch_k"], row["rsi_bearish_div"]
    )
    assert row["composite_score"] == scores.composite_score(ms, ml, rsi, macd, ts, vr, row["ichimoku_bullish"])
    assert row["signal_strength"] == scores.signal_strength(ms, ml, rsi, macd, vr)
    assert row["confidence_score"] == scores.confidence_score(ms, ml, rsi, macd, ts, vr)
    parts = (
        row[name] for name in ("opportunity_score", "composite_score", "volume_composite_score", "signal_strength")
    )
    weighted = sum(weight * part for weight, part in zip((0.5, 0.25, 0.15, 0.1), parts, strict=True))
    assert row["combined_score"] == pytest.approx(min(weighted, 100))
    assert row["poc_distance"] == pytest.approx((row["price"] - row["poc_price"]) / row["poc_price"])
    assert (row["support_level"], row["resistance_level"]) == (
        pytest.approx(last["bb_lower"], abs=1e-8),
        pytest.approx(last["bb_upper"], abs=1e-8),
    )


@pytest.mark.parametrize("power", [-20, -3, 5, 12])
def test_scores_that_are_relative_do_not_depend_on_the_price_scale(power):
    table = walk(186, seed=6)
    scaled = table.copy()
    scaled[["open", "high", "low", "close"]] *= 2.0**power
    one, other = row_of(table), row_of(scaled)
    for name in (
        "momentum_short",
        "rsi",
        "bb_position",
        "trend_score",
        "stoch_k",
        "market_regime",
        "regime_confidence",
    ):
        assert (
            one[name] == pytest.approx(other[name], rel=1e-9)
            if isinstance(one[name], float)
            else one[name] == other[name]
        )


def test_other_timeframes_use_their_look_backs():
    table = walk(300, seed=7)
    daily = row_of(table, plan_for("daily"))
    close = table["close"]
    assert daily["momentum_short"] == pytest.approx(close.iloc[-1] / close.iloc[-8] - 1)
    assert daily["momentum_long"] == pytest.approx(close.iloc[-1] / close.iloc[-31] - 1)


def test_native_values_are_plain():
    row = native_row(
        {
            "a": np.float64(1.5),
            "b": float("nan"),
            "c": np.bool_(True),
            "d": pd.Timestamp(0, tz="UTC"),
            "e": [np.int64(1)],
        }
    )
    assert row == {"a": 1.5, "b": None, "c": True, "d": "1970-01-01T00:00:00+00:00", "e": [1]}
    assert type(row["c"]) is bool
    assert native_row({"x": pd.NaT, "y": None, "z": float("inf")}) == {"x": None, "y": None, "z": None}
