"""Sound windows: what every detector may rely on, settled once.

Decides how many candles of a window can be used, and puts something harmless where one cannot, so that no detector has
a special case. Leaves every judgement about the market to the detectors.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from scanner.config import WINDOW
from scanner.core.candles import Bool, Candles, Float, Int

LARGEST = 1e50  # of a price or volume; its inverse is the smallest price. Squares of their ratios still fit a float64.
MOVES = 20  # candles of a window that must have moved before a volatility means anything
_CLOSE, _VOLUME = 3, 4  # among the five columns
_LEAST = np.array([1 / LARGEST] * _VOLUME + [0.0]).reshape(5, 1, 1)
GAUSS = math.sqrt(math.pi / 2)  # standard deviation of a normal distribution over its mean absolute deviation


@dataclass(frozen=True)
class SoundCandles(Candles):
    """The newest `WINDOW` candles of every market, with nothing in them that arithmetic trips over.

    Candles that do not exist hold the first existing close and no volume. A market with one unusable value anywhere in
    its window is a flat, silent one with a count of 0. All columns are contiguous.
    """

    count: Int  # int64[...], candles that exist: 0 .. WINDOW

    @cached_property
    def steps(self) -> Float:
        """Change of price from candle to candle: float64[..., WINDOW - 1]."""
        return self.close[..., 1:] - self.close[..., :-1]

    @cached_property
    def volatility(self) -> Float:
        """Volatility of the one-candle returns of the window: float64[...], a fraction.

        The mean absolute return times sqrt(pi / 2), which is the standard deviation where returns are normal. One wild
        candle counts by its size and not by its square, and a thin market whose typical candle stands still has a
        volatility all the same. 0 where fewer than `MOVES` candles moved: then there is nothing to measure by.
        """
        steps = self.steps
        returns = np.abs(steps) / self.close[..., :-1]
        average = total(returns) / np.maximum(self.count - 1, 1)
        moved = np.count_nonzero(steps, axis=-1)
        return np.asarray(np.where(moved >= MOVES, GAUSS * average, 0.0))


def sound(candles: Candles) -> SoundCandles:
    """Sound windows of any candles.

    Parameters
    ----------
    candles : Candles of float64[..., W]
        Only the newest `WINDOW` matter; fewer are taken as candles before which there was no market.

    Returns
    -------
    SoundCandles of float64[..., WINDOW]

    Raises
    ------
    ValueError
        The five columns differ in shape, or have no axis.
    """
    if isinstance(candles, SoundCandles):
        return candles
    columns = [_of_window_length(column) for column in alike(candles).columns()]
    doubtful = ~_usable_throughout(columns)
    count = np.full(doubtful.shape, WINDOW, dtype=np.int64)
    if doubtful.any():
        repaired, count[doubtful] = _repaired(np.stack([column[doubtful] for column in columns]))
        columns = [_replaced(column, doubtful, rows) for column, rows in zip(columns, repaired, strict=True)]
    open_, high, low, close, volume = columns
    return SoundCandles(open_, high, low, close, volume, count)


def alike(candles: Candles) -> Candles:
    """`candles` as float64, or ValueError when the columns differ in shape or have no axis."""
    columns = [np.asarray(column, dtype=np.float64) for column in candles.columns()]
    shapes = {column.shape for column in columns}
    if len(shapes) > 1 or () in shapes:
        raise ValueError(f"candles: columns of shape {', '.join(map(str, sorted(shapes)))}; need one, (..., candles)")
    return Candles(*columns)


def newest(column: Float, count: int) -> Float:
    """The newest `count` values of every row, contiguous.

    numpy adds up a contiguous row in one order, whatever stands around it; a strided one may be added up in another,
    and a market would then score differently alone than in a batch.
    """
    return np.ascontiguousarray(column[..., -count:])


def total(rows: Float) -> Float:
    """Sum of every row of a contiguous array: float64[..., N] to float64[...]."""
    return np.asarray(np.add.reduce(rows, axis=-1))


def _of_window_length(column: Float) -> Float:
    """The newest `WINDOW` values, contiguous, with NaN in front of a shorter column."""
    missing = WINDOW - column.shape[-1]
    if missing <= 0:
        return newest(column, WINDOW)
    return newest(np.concatenate([np.full((*column.shape[:-1], missing), np.nan), column], axis=-1), WINDOW)


def _usable_throughout(columns: list[Float]) -> Bool:
    """Whether every value of a window can be used: bool[...]."""
    within = [_all_within(column, least) for column, least in zip(columns, _LEAST.flat, strict=True)]
    return np.asarray(np.logical_and.reduce(within))


def _all_within(column: Float, least: float) -> Bool:
    """Whether a row lies between `least` and `LARGEST`: bool[...]. NaN fails every comparison.

    A batch is mostly sound, and one look at all of it costs a third of a look at each row.
    """
    if column.size and column.min() >= least and column.max() <= LARGEST:
        return np.ones(column.shape[:-1], dtype=np.bool_)
    return np.asarray((column.min(axis=-1) >= least) & (column.max(axis=-1) <= LARGEST))


def _repaired(columns: Float) -> tuple[Float, Int]:
    """Doubtful windows float64[5, D, WINDOW] made sound, and their counts int64[D]."""
    missing = np.logical_and.reduce(np.isnan(columns))  # [D, WINDOW]
    usable = np.logical_and.reduce((columns >= _LEAST) & (columns <= LARGEST))
    torn = np.logical_or.reduce(usable[:, :-1] & missing[:, 1:], axis=-1)  # a hole is not a late listing
    whole = np.logical_and.reduce(usable | missing, axis=-1) & ~torn  # [D]
    count = np.where(whole, np.count_nonzero(usable, axis=-1), 0)
    exists = np.arange(WINDOW) >= (WINDOW - count)[:, None]
    first = columns[_CLOSE, np.arange(len(count)), np.minimum(WINDOW - count, WINDOW - 1)]
    harmless = np.zeros_like(columns)
    harmless[:_VOLUME] = np.where(whole & (count > 0), first, 1.0)[:, None]
    return np.where(exists, columns, harmless), count


def _replaced(column: Float, chosen: Bool, rows: Float) -> Float:
    column = column.copy()
    column[chosen] = rows
    return column
