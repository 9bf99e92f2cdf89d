"""From numbers to words: the seven signal classes, the thirteen states, and the sides they stand for."""

from __future__ import annotations

from scanner.fullscan.settings import Thresholds

SIGNALS = ("Strong Buy", "Buy", "Weak Buy", "Strong Sell", "Sell", "Weak Sell", "Neutral")
BUYS, SELLS = frozenset(SIGNALS[:3]), frozenset(SIGNALS[3:6])
STATES = (
    "Consistent Uptrend",
    "New Spike",
    "Topping Out",
    "Lagging",
    "Moderate Uptrend",
    "Potential Reversal",
    "Consolidation",
    "Weak Uptrend",
    "Overbought",
    "Oversold",
    "MACD Bullish",
    "MACD Bearish",
    "Neutral",
)


def side_of(signal: str) -> str:
    """BUY, SELL or HOLD."""
    return "BUY" if signal in BUYS else "SELL" if signal in SELLS else "HOLD"


def signal_class(ms: float, ml: float, rsi: float, macd: float, ichimoku: bool, at: Thresholds) -> str:
    """The class of a row; the first that applies, in the order of `SIGNALS`. `ms` and `ml` are fractions."""
    t, z = at.momentum, at.macd_min
    rules = (
        ms > 2 * t and ml > t and at.rsi_min < rsi < at.rsi_max and macd > z and ichimoku,
        ms > t and rsi > at.rsi_min and macd > 0,
        ms > 0 and rsi > 45 and macd > 0,
        ms < -2 * t and ml < -t and 20 < rsi < 100 - at.rsi_min and macd < -z and not ichimoku,
        ms < -t and rsi < 100 - at.rsi_min and macd < 0,
        ms < 0 and rsi < 55 and macd < 0,
        True,
    )
    return SIGNALS[rules.index(True)]


def signal_state(x: float, y: float, vr: float, rsi: float, macd: float, bb: float | None) -> str:
    """The state of a row from its momentum over 7 and 30 candles (fractions); the first that applies.

    What counts as a large, middling or small move widens with the volume ratio, between half and double.
    """
    v = min(max(vr, 0.5), 2.0)
    high, mid, low = 0.07 * v, 0.035 * v, 0.015 * v
    bb = 0.5 if bb is None else bb
    rules = (
        x > mid and y > high and x < y / 2,
        x > high and abs(y) < mid,
        x < -mid and y > high and bb > 0.8 and rsi > 65,
        abs(x) < low and abs(y) < mid,
        low < x < high and mid < y < high,
        x > mid and y < -mid and rsi < 45,
        abs(x) < low and abs(y) < low and 40 <= rsi <= 60,  # always lagging already
        x > low and abs(y) < low,
        rsi > 75 and x > mid,
        rsi < 25 and x < -mid,
        macd > 0 and x > mid,
        macd < 0 and x < -mid,
        True,
    )
    return STATES[rules.index(True)]
