"""Volatility regime: is the last hour wild or quiet, measured by what these markets usually do."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from scanner.core.candles import Float
from scanner.core.percentile import percentile_of

HIGH, LOW = 75, 25  # of the percentile, both inclusive
ROWS_AT_ONCE = 128  # markets worked on in one go: bounds the memory it takes beside the closes
REGIMES = ("unknown", "low", "medium", "high")


@dataclass(frozen=True)
class Volatility:
    """Regime of all markets together."""

    regime: str  # one of REGIMES
    percentile: float  # 0 .. 100, median over the markets; NaN when unknown


def volatility_regime(close: Float, candles_per_hour: int) -> Volatility:
    """Realised volatility of the last hour within its own trailing distribution.

    An hour's volatility is the root mean square of its one-candle returns. Each market ranks its last hour among all
    its earlier hours (one ending at every candle); the median rank decides.

    Parameters
    ----------
    close : float64[M, T]
        Closes of the shortest timeframe, oldest first, gaps filled. Hours with a missing or unusable price are left
        out. A market that never moved says nothing.
    candles_per_hour : int
        Candles in an hour; 6 where a candle is longer than 10 minutes.

    Returns
    -------
    Volatility
        `unknown` when no market has 100 earlier hours.

    Raises
    ------
    ValueError
        `close` is not of shape (markets, candles), or an hour has no candle.
    """
    close = _checked(close, candles_per_hour)
    parts = (close[start : start + ROWS_AT_ONCE] for start in range(0, len(close), ROWS_AT_ONCE))
    ranks = [_ranks(_hourly_volatility(part, candles_per_hour)) for part in parts]
    return _of_ranks(np.concatenate(ranks) if ranks else np.empty(0))


def volatility_regimes(close: Float, candles_per_hour: int, length: int) -> list[str]:
    """The regime as it was at each of the newest candles, each time by the `length` closes up to that candle.

    Returns
    -------
    list of str
        Regimes [T - length + 1], oldest first; what `volatility_regime` says of each stretch, to the last bit.

    Raises
    ------
    ValueError
        As `volatility_regime`, or there are fewer than `length` closes.
    """
    close = _checked(close, candles_per_hour)
    if close.shape[1] < length:
        raise ValueError(f"volatility_regimes: {close.shape[1]} closes, needs {length}")
    hours = _hourly_volatility(close, candles_per_hour)
    seen = max(length - candles_per_hour, 0)  # hours in a stretch of `length` closes
    return [
        _of_ranks(_ranks(hours[:, end - seen : end])).regime for end in range(seen, close.shape[1] - length + seen + 1)
    ]


def _checked(close: Float, candles_per_hour: int) -> Float:
    close = np.asarray(close, dtype=np.float64)
    if close.ndim != 2 or candles_per_hour < 1:
        raise ValueError(f"volatility_regime: closes of shape {close.shape}, {candles_per_hour} candles per hour")
    return close


def _ranks(hours: Float) -> Float:
    """Rank of the last hour of each market that has one: float64[M, hours] to float64[n]."""
    if not hours.size:
        return np.empty(0)
    moved = (hours > 0).any(axis=-1)
    ranks = percentile_of(hours[moved, -1], hours[moved, :-1])
    return ranks[~np.isnan(ranks)]


def _of_ranks(ranks: Float) -> Volatility:
    return _judged(float(np.median(ranks))) if len(ranks) else Volatility("unknown", math.nan)


def _hourly_volatility(close: Float, length: int) -> Float:
    """Root mean square return of every run of `length` candles: float64[M, T] to float64[M, T - length]."""
    usable = (close > 0) & (close < np.inf)
    price = np.where(usable, close, np.nan)
    with np.errstate(over="ignore", invalid="ignore"):
        squares = ((price[:, 1:] - price[:, :-1]) / price[:, :-1]) ** 2  # [M, T - 1]
    hours = max(squares.shape[-1] - length + 1, 0)
    total = np.zeros((len(close), hours))
    for offset in range(length if hours else 0):
        total += squares[:, offset : offset + hours]
    return np.sqrt(total / length)


def _judged(percentile: float) -> Volatility:
    if percentile >= HIGH:
        return Volatility("high", percentile)
    return Volatility("low" if percentile <= LOW else "medium", percentile)
