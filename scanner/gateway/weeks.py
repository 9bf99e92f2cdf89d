"""Weekly candles from daily ones, for exchanges that have none of their own."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from scanner.gateway.answers import CandleAnswer
from scanner.timeframes import MONDAY_MS, WEEK_MS


def weekly(days: CandleAnswer) -> CandleAnswer:
    """The weeks, Monday to Sunday in UTC, that `days` fall into; the last may still be forming."""
    if not len(days):
        return days
    week = (days.open_time - MONDAY_MS) // WEEK_MS  # [n]
    first = np.flatnonzero(np.diff(week, prepend=week[0] - 1))
    last = np.append(first[1:], len(week)) - 1
    return replace(
        days,
        open_time=week[first] * WEEK_MS + MONDAY_MS,
        open=days.open[first],
        high=np.maximum.reduceat(days.high, first),
        low=np.minimum.reduceat(days.low, first),
        close=days.close[last],
        volume=np.add.reduceat(days.volume, first),
    )
