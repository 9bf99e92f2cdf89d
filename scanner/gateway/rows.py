"""An exchange's candle rows as clean columns, and where the next page of a long answer begins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from scanner.core.candles import Bool, Float, Int

# An answer this long that breaks off before its end looks like a cap on the rows of one call. Shorter ones are
# increments, whose end is simply the newest candle.
CAPPED_FROM = 50


class Columns(NamedTuple):
    """Sound candles, oldest first, each open time once; `dropped` rows were not sound."""

    open_time: Int  # [n] ms
    open: Float  # [n]
    high: Float  # [n]
    low: Float  # [n]
    close: Float  # [n]
    volume: Float  # [n] as the exchange counts it
    dropped: int


def sound_columns(rows: Sequence[Sequence[float | None]], timeframe_ms: int) -> Columns:
    """Rows of (open time, open, high, low, close, volume) as columns.

    A row is unsound when a field is missing or not finite, a price is not above 0, low is above high, volume is
    negative, or the open time is no boundary of the timeframe. Of rows with one open time the last one given wins:
    it is the newest word.

    Raises
    ------
    ValueError, TypeError
        The rows are no table of six numbers each.
    """
    table = np.array(rows, np.float64).reshape(-1, 6)  # [n, 6]; None becomes NaN
    kept = table[_is_sound(table, timeframe_ms)]
    _, newest = np.unique(kept[::-1, 0], return_index=True)
    ordered = kept[len(kept) - 1 - newest].T  # [6, n]
    open_, high, low, close, volume = (np.ascontiguousarray(column) for column in ordered[1:])
    return Columns(ordered[0].astype(np.int64), open_, high, low, close, volume, len(table) - len(kept))


def _is_sound(table: Float, timeframe_ms: int) -> Bool:
    """bool[n] of float64[n, 6]."""
    finite = np.isfinite(table).all(axis=1)
    time, prices, volume = table[:, 0], table[:, 1:5], table[:, 5]
    with np.errstate(invalid="ignore"):
        aligned = (time > 0) & (time < 2**53) & (np.mod(time, timeframe_ms) == 0)
        sound: Bool = finite & aligned & (prices > 0).all(axis=1) & (table[:, 3] <= table[:, 2]) & (volume >= 0)
    return sound


def next_page(open_times: Sequence[float | None], since_ms: int, asked: int, timeframe_ms: int) -> int:
    """Open time from which to ask on after a page of `asked` candles from `since_ms`.

    Normally the end of what was asked: candles may be missing in between because nobody traded. When the page is an
    unbroken run that ends early, the exchange gives fewer rows a call than it says, and the next page begins there.
    """
    times = [time for time in open_times if time is not None]
    if CAPPED_FROM <= len(times) < asked:
        first, last = int(min(times)), int(max(times))
        if first == since_ms and last == first + (len(times) - 1) * timeframe_ms:
            return last + timeframe_ms
    return since_ms + asked * timeframe_ms
