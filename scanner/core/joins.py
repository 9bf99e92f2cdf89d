"""Which row of a longer timeframe was known when a row of a shorter one was made: joins that see no future."""

from __future__ import annotations

import numpy as np

from scanner.core.candles import Int


def newest_known(close_ms: Int, known_ms: Int, at_close_ms: Int, at_known_ms: Int, step_ms: int) -> Int:
    """For every row the newest of some others that had closed and was known by then.

    A candle is named for its open time, but nothing of it is final before its close: a 1h candle of 11:00 joins the 5m
    candle of 11:55, which closes at 12:00 as well, and no earlier one. Where the other was made later than the row it
    does not join, though it had closed. One that is not the newest or the one before it is too old to join.

    Parameters
    ----------
    close_ms, known_ms : int64[n]
        When the candles of the others closed, in ascending order, and when the others were made.
    at_close_ms, at_known_ms : int64[m]
        The same of the rows, in any order.
    step_ms : int
        Length of the others' candles.

    Returns
    -------
    int64[m]
        Index into the others; -1 where none joins.
    """
    index = np.searchsorted(close_ms, at_close_ms, side="right") - 1
    for _ in range(2):  # candles a step apart: no more than two are young enough
        if len(close_ms):
            index = index - ((index >= 0) & (known_ms[index] > at_known_ms))
    joins = index >= 0
    if len(close_ms):
        young = close_ms[index] > at_close_ms - 2 * step_ms
        joins &= young & (known_ms[index] <= at_known_ms)
    return np.where(joins, index, -1)
