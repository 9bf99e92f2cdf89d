"""How the full analyses of one symbol on several timeframes agree. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from scanner.runtime.base.table import Row, number

BUYS = ("Strong Buy", "Buy", "Weak Buy")
SELLS = ("Strong Sell", "Sell", "Weak Sell")
STRONG_ABOVE = 75.0  # average opportunity


def agreement(symbol: str, asked: Sequence[str], found: Mapping[str, Row], min_opportunity: float) -> dict[str, Any]:
    """The record of one symbol.

    Parameters
    ----------
    asked : sequence of str
        Timeframes that were asked for.
    found : mapping of str to Row
        Analyses by timeframe; those that an exchange has nothing for are missing.
    min_opportunity : float
        0..100; confluence needs every opportunity to be at least this.

    Returns
    -------
    dict
        Confluence where two or more timeframes buy, or sell, and all opportunities suffice. With nothing found there
        are only `symbol`, `confluence`, `message` and the list `timeframes_analyzed` of what was asked.
    """
    if not found:
        message = "Nothing to analyse: the exchange has no candles, or too few, for this symbol."
        return {"symbol": symbol, "confluence": False, "message": message, "timeframes_analyzed": list(asked)}
    classes = [str(row["signal"]) for row in found.values()]
    scores = [number(row, "opportunity_score", 0.0) for row in found.values()]
    bullish, bearish = (sum(name in side for name in classes) for side in (BUYS, SELLS))
    agree = max(bullish, bearish) >= 2 and min(scores) >= min_opportunity
    average = sum(scores) / len(scores)
    return {
        "symbol": symbol,
        "confluence": agree,
        "timeframes_analyzed": len(found),
        "average_opportunity": round(average, 2),
        "bullish_timeframes": bullish,
        "bearish_timeframes": bearish,
        "dominant_regime": Counter(str(row["market_regime"]) for row in found.values()).most_common(1)[0][0],
        "timeframe_results": [_result(timeframe, row) for timeframe, row in found.items()],
        "recommendation": recommendation(agree, average),
    }


def recommendation(agree: bool, average: float) -> str:
    if not agree:
        return "WEAK"
    return "STRONG" if average > STRONG_ABOVE else "MODERATE"


def _result(timeframe: str, row: Row) -> dict[str, Any]:
    return {
        "timeframe": timeframe,
        "signal": row["signal"],
        "opportunity_score": number(row, "opportunity_score", 0.0),
        "market_regime": row["market_regime"],
        "price": number(row, "price", 0.0),
        "rsi": number(row, "rsi", 50.0),
    }
