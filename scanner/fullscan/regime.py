"""Which way a whole market leans: bull, bear or ranging."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scanner.core.candles import Float

THRESHOLDS = {"bull": 60, "bear": 75, "ranging": 80, "unknown": 65}
UNDECIDED = 45.0


@dataclass(frozen=True)
class Regime:
    """Verdict on one market; `trend_strength` is the ADX, `suggested_threshold` the least score worth acting on."""

    regime: str
    confidence: float  # 0 .. 100
    trend_strength: float
    volatility: str
    suggested_threshold: int


def market_regime(
    high: Float, low: Float, close: Float, emas: tuple[float, float, float], adx: float | None, atr: float | None
) -> Regime:
    """The regime of one market from its candles float64[n].

    Parameters
    ----------
    emas : (float, float, float)
        Exponential means over 20, 50 and 200 candles; NaN where there are too few candles. Without the 200-candle
        mean the 50-candle one stands in, and what cannot be compared counts for neither side.
    adx, atr : float or None
        None is estimated from the ranges of the last 14 candles.
    """
    price, ranges = float(close[-1]), float((high[-14:] - low[-14:]).mean())
    strength = 100 * ranges / price if adx is None else adx
    width = 100 * (ranges if atr is None else atr) / price
    regime, confidence = _verdict(close, comparisons(price, *emas), strength)
    return Regime(
        regime,
        round(min(max(confidence, 0.0), 100.0), 1),
        round(min(max(strength, 0.0), 100.0), 1),
        "low" if width < 1.5 else "medium" if width < 3.5 else "high",
        THRESHOLDS[regime],
    )


def comparisons(price: float, e20: float, e50: float, e200: float) -> list[bool]:
    """Up or not, for each comparison that can be made: price against three means, the means against each other."""
    slow = e50 if np.isnan(e200) else e200
    pairs = [(price, e20), (price, e50), (price, slow), (e20, e50), (e50, e200)]
    return [a > b for a, b in pairs if not np.isnan(a) and not np.isnan(b)]


def _verdict(close: Float, ups: Sequence[bool], strength: float) -> tuple[str, float]:
    """Regime and its confidence before rounding."""
    recent = close[-20:]
    spread = 100 * float(np.std(recent, ddof=1)) / float(recent.mean()) if len(recent) > 1 else 0.0
    gain = 100 * (float(close[-1]) / float(recent[0]) - 1)
    up, down = sum(ups), len(ups) - sum(ups)
    if not ups:
        return "unknown", 0.0
    if strength < 20 and spread < 3:
        return "ranging", 5 * (20 - strength) + 10 * (3 - spread)
    if down <= 1 and up > down + 2:
        return "bull", 20 * up + max(gain, 0.0)
    if up <= 1 and down > up + 2:
        return "bear", 20 * down + max(-gain, 0.0)
    return ("bull", UNDECIDED) if up > down or (up == down and gain > 0) else ("bear", UNDECIDED)
