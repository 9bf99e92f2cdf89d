"""Market breadth: how many markets rise and how many fall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from scanner.core.candles import Float

BULLISH, BEARISH = 0.6, 0.4  # of the ratio, both exclusive


@dataclass(frozen=True)
class Breadth:
    """Breadth of all markets together."""

    advancing: int
    declining: int
    breadth_ratio: float  # 0 .. 1, advancing share of those that moved; 0.5 when none did
    market_bias: str  # bullish, bearish or neutral


def market_breadth(tables: Sequence[Float]) -> Breadth:
    """Breadth over the ticks kept of every market: its newest usable price against its oldest.

    Parameters
    ----------
    tables : sequence of float64[M, N]
        Prices of the markets of one exchange each, oldest tick first. A price that is NaN, infinite, zero or negative
        is no tick; a market with fewer than 2 is skipped.

    Raises
    ------
    ValueError
        A table is not of shape (markets, ticks).
    """
    moves = [_moves(np.asarray(table, dtype=np.float64)) for table in tables]
    advancing = sum(int(np.count_nonzero(move > 0)) for move in moves)
    declining = sum(int(np.count_nonzero(move < 0)) for move in moves)
    moved = advancing + declining
    ratio = advancing / moved if moved else 0.5
    return Breadth(advancing, declining, ratio, _bias(ratio))


def breadth_ratios(close: Float, back: int) -> Float:
    """Breadth as it was at each candle, by closes alone: each against the one `back` candles before it.

    Parameters
    ----------
    close : float64[M, T]
        Closes of every market, oldest first, NaN where unknown. A market counts where it has both.

    Returns
    -------
    float64[T - back]
        The ratio of `Breadth` at each candle but the first `back`.

    Raises
    ------
    ValueError
        `close` is not of shape (markets, candles), or `back` is not from 1 to the number of candles.
    """
    if close.ndim != 2 or not 1 <= back <= close.shape[1]:
        raise ValueError(f"breadth_ratios: closes of shape {close.shape}, {back} candles back")
    with np.errstate(invalid="ignore"):
        advancing = np.count_nonzero(close[:, back:] > close[:, :-back], axis=0)  # [T - back]
        declining = np.count_nonzero(close[:, back:] < close[:, :-back], axis=0)
    moved = advancing + declining
    return np.where(moved > 0, advancing / np.maximum(moved, 1), 0.5)


def _moves(price: Float) -> Float:
    """Newest less oldest usable price: float64[M, N] to float64[M]; 0 for fewer than 2, which are the same one."""
    if price.ndim != 2:
        raise ValueError(f"market_breadth: prices of shape {price.shape}, need (markets, ticks)")
    if not price.size:
        return np.zeros(len(price))
    usable = (price > 0) & (price < np.inf)
    market = np.arange(len(price))
    oldest = price[market, np.argmax(usable, axis=-1)]
    newest = price[market, price.shape[-1] - 1 - np.argmax(usable[:, ::-1], axis=-1)]
    known = usable.any(axis=-1)
    return np.where(known, newest, 0.0) - np.where(known, oldest, 0.0)


def _bias(ratio: float) -> str:
    if ratio > BULLISH:
        return "bullish"
    return "bearish" if ratio < BEARISH else "neutral"
