"""Signal classes and states: the first rule that applies decides."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.fullscan.classes import BUYS, SELLS, SIGNALS, STATES, side_of, signal_class, signal_state
from scanner.fullscan.settings import Thresholds

MEDIUM = Thresholds(0.05, 50, 65)


@pytest.mark.parametrize(
    ("ms", "ml", "rsi", "macd", "cloud", "expected"),
    [
        (0.11, 0.06, 60, 1, True, "Strong Buy"),
        (0.11, 0.06, 60, 1, False, "Buy"),
        (0.10, 0.06, 60, 1, True, "Buy"),  # not above twice the threshold
        (0.11, 0.06, 65, 1, True, "Buy"),  # not inside the band
        (0.06, -1, 51, 0.1, False, "Buy"),
        (0.06, 0, 50, 0.1, True, "Weak Buy"),
        (0.01, 0, 46, 0.1, True, "Weak Buy"),
        (0.01, 0, 45, 0.1, True, "Neutral"),
        (-0.11, -0.06, 40, -1, False, "Strong Sell"),
        (-0.11, -0.06, 40, -1, True, "Sell"),
        (-0.11, -0.06, 20, -1, False, "Sell"),
        (-0.06, 1, 49, -0.1, True, "Sell"),
        (-0.06, 0, 50, -0.1, True, "Weak Sell"),
        (-0.01, 0, 54, -0.1, True, "Weak Sell"),
        (-0.01, 0, 55, -0.1, True, "Neutral"),
        (0, 0, 50, 0, False, "Neutral"),
        (0.2, 0.2, 60, 0, True, "Neutral"),
    ],
)
def test_signal_class(ms, ml, rsi, macd, cloud, expected):
    assert signal_class(ms, ml, rsi, macd, cloud, MEDIUM) == expected


@pytest.mark.parametrize(
    ("x", "y", "vr", "rsi", "macd", "bb", "expected"),
    [
        (0.05, 0.12, 1, 50, 0, None, "Consistent Uptrend"),
        (0.08, 0.01, 1, 50, 0, None, "New Spike"),
        (-0.05, 0.08, 1, 66, 0, 0.81, "Topping Out"),
        (-0.05, 0.08, 1, 66, 0, None, "Neutral"),  # half-way between the bands unless known
        (0.01, 0.01, 1, 50, 0, None, "Lagging"),
        (0.06, 0.06, 1, 50, 0, None, "Moderate Uptrend"),
        (0.04, -0.04, 1, 44, 0, None, "Potential Reversal"),
        (0.04, 0.01, 1, 50, 0, None, "Weak Uptrend"),
        (0.075, 0.072, 1, 76, 0, None, "Overbought"),
        (-0.04, -0.1, 1, 24, 0, None, "Oversold"),
        (0.075, 0.072, 1, 70, 1, None, "MACD Bullish"),
        (-0.04, -0.1, 1, 50, -1, None, "MACD Bearish"),
        (-0.02, -0.1, 1, 50, 1, None, "Neutral"),
        (0.08, 0.01, 2, 50, 0, None, "Weak Uptrend"),  # twice the volume: what is large grows with it
    ],
)
def test_signal_state(x, y, vr, rsi, macd, bb, expected):
    assert signal_state(x, y, vr, rsi, macd, bb) == expected


def test_sides():
    assert [side_of(signal) for signal in SIGNALS] == ["BUY"] * 3 + ["SELL"] * 3 + ["HOLD"]
    assert not BUYS & SELLS
    assert side_of("whatever") == "HOLD"


@given(*[st.floats(-1, 1)] * 2, st.floats(0, 100), st.floats(-5, 5), st.booleans(), st.floats(0, 9))
def test_there_is_always_one_word(ms, ml, rsi, macd, cloud, vr):
    assert signal_class(ms, ml, rsi, macd, cloud, MEDIUM) in SIGNALS
    assert signal_state(ms, ml, vr, rsi, macd, None) in STATES
