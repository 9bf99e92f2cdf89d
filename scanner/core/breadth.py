"""Market breadth: how many markets rise and how many fall."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanner.core.candles import Bool, Float, Int

BULLISH, BEARISH = 0.6, 0.4  # of the ratio, both exclusive


@dataclass(frozen=True)
class Breadth:
    """Breadth of all markets together."""

    advancing: int
    declining: int
    breadth_ratio: float  # 0 .. 1, advancing share of those that moved; 0.5 when none did
    market_bias: str  # bullish, bearish or neutral


def market_breadth(first: Float, last: Float, ticks: Int) -> Breadth:
    """Breadth over the ticks kept of every market.

    Parameters
    ----------
    first, last : float64[M]
        Oldest and newest usable price kept of every market. NaN, infinite, zero and negative prices are skipped.
    ticks : int64[M]
        Usable ticks kept; a market with fewer than 2 is skipped.

    Raises
    ------
    ValueError
        The arrays differ in shape.
    """
    first, last, ticks = np.asarray(first, np.float64), np.asarray(last, np.float64), np.asarray(ticks)
    if not first.shape == last.shape == ticks.shape:
        raise ValueError(f"market_breadth: shapes {first.shape}, {last.shape} and {ticks.shape} differ")
    counted = _is_price(first) & _is_price(last) & (ticks >= 2)
    advancing = int(np.count_nonzero(counted & (last > first)))
    declining = int(np.count_nonzero(counted & (last < first)))
    moved = advancing + declining
    ratio = advancing / moved if moved else 0.5
    return Breadth(advancing, declining, ratio, _bias(ratio))


def _is_price(price: Float) -> Bool:
    return np.asarray((price > 0) & (price < np.inf))


def _bias(ratio: float) -> str:
    if ratio > BULLISH:
        return "bullish"
    return "bearish" if ratio < BEARISH else "neutral"
