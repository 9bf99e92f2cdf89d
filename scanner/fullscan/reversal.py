"""Signs that a trend is about to turn, and which way the longer timeframe leans."""

from __future__ import annotations

from typing import Any

import pandas as pd

from scanner.fullscan.indicators import DIVERGENCE

ENOUGH = 2  # signs on one side


def trend_reversal(table: pd.DataFrame, volume_threshold: float = 1.5) -> dict[str, Any]:
    """What the last candles of one market say about a turn.

    Parameters
    ----------
    table : DataFrame
        Candles with the columns of `with_indicators`, at least two rows.

    Returns
    -------
    dict
        reversal (two signs or more on one side, more than on the other), direction (`bullish`, `bearish` or
        `none`), confidence (0..100), reasons (the signs of that side).
    """
    up, down = _signs(table, 1), _signs(table, -1)
    winner, loser, direction = (up, down, "bullish") if len(up) > len(down) else (down, up, "bearish")
    turning = len(winner) >= ENOUGH and len(winner) > len(loser)
    backed = bool(table["volume_ratio"].iloc[-1] >= volume_threshold)
    confidence = min(100.0, 20.0 * (len(winner) - len(loser)) + 20.0 * backed) if turning else 0.0
    return {
        "reversal": turning,
        "direction": direction if turning else "none",
        "confidence": confidence,
        "reasons": winner if turning else [],
        "volume_confirmed": backed,
    }


def _signs(table: pd.DataFrame, side: int) -> list[str]:
    """Signs of a turn upwards (side 1) or downwards (side -1)."""
    now, before = table.iloc[-1], table.iloc[-2]
    past = table.iloc[-1 - DIVERGENCE] if len(table) > DIVERGENCE else now
    extreme = 30 if side > 0 else 70
    signs = {
        "RSI diverges from the price": side * (past["close"] - now["close"]) > 0
        and side * (now["rsi"] - past["rsi"]) > 0,
        "RSI comes back from an extreme": side * (extreme - before["rsi"]) > 0 and side * (now["rsi"] - extreme) >= 0,
        "MACD crosses its signal": side * before["macd"] < 0 <= side * now["macd"] and now["macd"] != 0,
        "the 9 mean crosses the 21 mean": side * (before["ema_9"] - before["ema_21"])
        <= 0
        < side * (now["ema_9"] - now["ema_21"]),
        "the price comes back into the Bollinger bands": side * (0.5 - before["bb_position"]) > 0.5
        and side * (0.5 - now["bb_position"]) <= 0.5,
    }
    return [reason for reason, applies in signs.items() if bool(applies)]


def trend_of(table: pd.DataFrame) -> str:
    """`bullish` when price and 21-candle mean stand above the 50-candle mean, `bearish` when below, else `neutral`."""
    now = table.iloc[-1]
    fast, slow, price = now["ema_21"], now["ema_50"], now["close"]
    if price > slow and fast > slow:
        return "bullish"
    return "bearish" if price < slow and fast < slow else "neutral"
