"""Confluence: do the timeframes of one market agree."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scanner.core.candles import Float
from scanner.records import SIGNAL_TYPES

AGREEING = 2  # timeframes on one side
STRONG = 75  # mean score above this
BULLISH_TYPES = frozenset(name for name in SIGNAL_TYPES if "BUY" in name or name == "REVERSION_BULLISH")
BEARISH_TYPES = frozenset(name for name in SIGNAL_TYPES if "SELL" in name or name == "REVERSION_BEARISH")


@dataclass(frozen=True)
class Confluence:
    """How far the timeframes of one market agree."""

    confluence: bool
    timeframes_analyzed: int
    average_score: float  # 0 .. 100
    bullish_timeframes: int
    bearish_timeframes: int
    dominant_bias: str  # bullish, bearish or neutral
    recommendation: str  # STRONG, MODERATE or WEAK


def confluence(scores: Sequence[float] | Float, signal_types: Sequence[str], min_score: float) -> Confluence:
    """Agreement of the newest signal of each timeframe of one market.

    There is confluence when two timeframes are on one side and no timeframe at all scores below `min_score`. Buys and
    bullish reversions are one side, sells and bearish reversions the other.

    Parameters
    ----------
    scores : sequence or array of float
        Combined scores, 0 .. 100, one per timeframe that has a signal.
    signal_types : sequence of str
        Their types, names from `records.SIGNAL_TYPES`.

    Raises
    ------
    ValueError
        There are not as many types as scores.
    """
    values = [float(score) for score in scores]
    if len(values) != len(signal_types):
        raise ValueError(f"confluence: {len(values)} scores and {len(signal_types)} signal types")
    bullish = sum(name in BULLISH_TYPES for name in signal_types)
    bearish = sum(name in BEARISH_TYPES for name in signal_types)
    agreed = max(bullish, bearish) >= AGREEING and min(values) >= min_score
    average = sum(values) / len(values) if values else 0.0
    return Confluence(
        confluence=agreed,
        timeframes_analyzed=len(values),
        average_score=average,
        bullish_timeframes=bullish,
        bearish_timeframes=bearish,
        dominant_bias=_bias(bullish, bearish),
        recommendation=_recommendation(agreed, average),
    )


def _bias(bullish: int, bearish: int) -> str:
    if bullish == bearish:
        return "neutral"
    return "bullish" if bullish > bearish else "bearish"


def _recommendation(agreed: bool, average: float) -> str:
    if not agreed:
        return "WEAK"
    return "STRONG" if average > STRONG else "MODERATE"
