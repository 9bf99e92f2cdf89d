"""The way a price takes inside one candle.

A candle becomes a line of ten straight pieces from its open over its high and low to its close, with its volume spread
over them. A forming candle is that line up to now, so high, low and volume are reached as time goes on, never before.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from scanner.core.candles import Float, Int
from scanner.simulated.source import Series, on_grid

PIECES = 10
DRAWS = 2 * PIECES + 1  # uniform numbers one candle needs: 2 places, 9 wiggles, 10 volumes


@dataclass(frozen=True)
class Paths:
    """Price and share of the volume done, at the ends of the pieces: float64[N, PIECES + 1]."""

    price: Float
    done: Float


def paths(candles: Series, draws: Float, decimals: int | Int) -> Paths:
    """One path for each candle.

    Parameters
    ----------
    draws : float64[N, DRAWS]
        Uniform in [0, 1); the same draws give the same path.
    decimals : int or int64[N, 1]
        Prices are rounded to these, as the candles are.
    """
    opened, high, low, closed = (column[:, None] for column in (candles.open, candles.high, candles.low, candles.close))
    top = 1 + np.floor(draws[:, :1] * (PIECES - 1))  # [N, 1], the knot that touches the high
    bottom = 1 + (top + np.floor(draws[:, 1:2] * (PIECES - 2))) % (PIECES - 1)  # another one
    first, second = np.minimum(top, bottom), np.maximum(top, bottom)
    at_first, at_second = np.where(top < bottom, high, low), np.where(top < bottom, low, high)
    knot = np.arange(PIECES + 1.0)
    before = opened + (at_first - opened) * knot / first
    between = at_first + (at_second - at_first) * (knot - first) / (second - first)
    after = at_second + (closed - at_second) * (knot - second) / (PIECES - second)
    price = np.where(knot <= first, before, np.where(knot <= second, between, after))  # [N, PIECES + 1]
    fixed = (knot == 0) | (knot == first) | (knot == second) | (knot == PIECES)
    jitter = np.zeros_like(price)
    jitter[:, 1:-1] = (draws[:, 2 : PIECES + 1] - 0.5) * 0.5 * (high - low)
    price = np.where(fixed, price, np.clip(price + jitter, low, high))
    price[:, [0, -1]] = np.hstack([opened, closed])
    weight = 0.5 + draws[:, PIECES + 1 :]
    done = np.cumsum(weight, axis=1) / weight.sum(axis=1, keepdims=True)
    return Paths(np.clip(on_grid(price, decimals), low, high), np.hstack([np.zeros((len(weight), 1)), done]))


def part(candles: Series, way: Paths, begin: float, end: float, decimals: int | Int) -> Series:
    """What happened between two fractions of each candle, 0 <= begin < end <= 1, as candles of their own.

    They keep the open time of their candle.
    """
    here = np.stack([_at(way.price, begin), _at(way.price, end)], axis=1)  # [N, 2]
    here = on_grid(here, decimals)
    knots = np.arange(PIECES + 1) / PIECES
    seen = np.hstack([here, way.price[:, (knots > begin) & (knots < end)]])
    share = np.minimum(_at(way.done, end), 1.0) - _at(way.done, begin)
    return Series(candles.open_time, here[:, 0], seen.max(axis=1), seen.min(axis=1), here[:, 1], candles.volume * share)


def split(candles: Series, way: Paths, parts: int, length_ms: int, decimals: int) -> Series:
    """Each candle of `length_ms` as `parts` equal ones, in order of time."""
    pieces = [part(candles, way, i / parts, (i + 1) / parts, decimals) for i in range(parts)]
    columns = [np.stack(column, axis=1) for column in zip(*(piece.columns() for piece in pieces), strict=True)]
    columns[0] = columns[0] + np.arange(parts) * (length_ms // parts)
    return Series(*(column.reshape(-1) for column in columns))


def _at(knots: Float, fraction: float) -> Float:
    """The line's value at a fraction of the candle, float64[N]."""
    piece = min(int(fraction * PIECES), PIECES - 1)
    share = fraction * PIECES - piece
    return np.asarray(knots[:, piece] * (1 - share) + knots[:, piece + 1] * share)
