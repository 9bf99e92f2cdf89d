"""How far the candles of each market are known, final, told of and kept: what a book knows beside the candles.

Plain values: arrays with one entry per market, [M], that can move to the rows of another book. Moments are open times
in int64 ms.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from scanner.core.candles import Bool, Int
from scanner.core.finality import NEVER_MS
from scanner.timeframes import open_time_of


@dataclass(eq=False)
class PerMarket:
    """Arrays with one entry per market."""

    def carry(self, rows: Int, other: Self, to: Int) -> None:
        """Let all that is known of `rows` be known of the rows `to` of another one."""
        for column in fields(self):
            getattr(other, column.name)[to] = getattr(self, column.name)[rows]


@dataclass(eq=False)
class Watermarks(PerMarket):
    """Of one timeframe.

    Attributes
    ----------
    loaded : bool[M]
        Whether the market's history is there: asked for and answered, or read from disk.
    final_through_ms : int64[M]
        Its newest final candle; -1 before any.
    told_through_ms : int64[M]
        The newest candle whose final signal has been made; -1 before any.
    stored_through_ms : int64[M]
        The newest candle handed to the store; -1 before any.
    noted_through_ms : int64[M]
        Up to where the gap ledger knows which candles nobody traded; -1 before any.
    late_from_ms, late_until_ms : int64[M]
        The first candle from before the market was watched whose final signal is still to be made, and the first that
        is news.
    """

    loaded: Bool
    final_through_ms: Int
    told_through_ms: Int
    stored_through_ms: Int
    noted_through_ms: Int
    late_from_ms: Int
    late_until_ms: Int

    @classmethod
    def of_new(cls, markets: int, told_ms: int = -1) -> Watermarks:
        """Of markets of which nothing is known; signals of candles up to `told_ms` are not to be made."""
        return cls(
            loaded=np.zeros(markets, dtype=bool),
            final_through_ms=_all(markets, -1),
            told_through_ms=_all(markets, told_ms),
            stored_through_ms=_all(markets, -1),
            noted_through_ms=_all(markets, -1),
            late_from_ms=_all(markets, NEVER_MS),
            late_until_ms=_all(markets, 0),
        )

    def forget(self, rows: Int) -> None:
        """Know nothing of some markets any more, but which final signals have been made."""
        self.loaded[rows] = False
        for through in (self.final_through_ms, self.stored_through_ms, self.noted_through_ms):
            through[rows] = -1
        self.late_from_ms[rows] = NEVER_MS

    def begin(self, rows: Int, sure_ms: Int, late_ms: Int, news_ms: Int) -> None:
        """Some markets begin with stored candles, final up to `sure_ms`; final signals are late from `late_ms` on."""
        self.loaded[rows] = True
        for through in (self.final_through_ms, self.stored_through_ms, self.noted_through_ms):
            through[rows] = sure_ms
        self.late_from_ms[rows] = late_ms
        self.late_until_ms[rows] = news_ms

    def news_from_ms(self, started_ms: int, timeframe_ms: int) -> Int:
        """int64[M]: the first candle whose final signal has not been made yet; those before a start are history."""
        return np.maximum(self.told_through_ms + timeframe_ms, open_time_of(started_ms, timeframe_ms))


@dataclass(eq=False)
class Coverage(PerMarket):
    """Of the shortest timeframe, from which the others are assembled.

    Attributes
    ----------
    complete_from_ms : int64[M]
        From when on the panel holds everything the exchange has; never before a history.
    as_of_ms : int64[M]
        Market time at which the newest good answer was asked for; 0 before one.
    claimed_ms : int64[M]
        The newest candle that is final by the rule, whether or not anybody trades; -1 before any.
    changed_ms : int64[M]
        From when on the panel is to be settled; never where nothing is new.
    unproven : bool[M]
        Whether the market's candles are from disk and no answer has been compared with them yet.
    """

    complete_from_ms: Int
    as_of_ms: Int
    claimed_ms: Int
    changed_ms: Int
    unproven: Bool

    @classmethod
    def of_new(cls, markets: int) -> Coverage:
        """Of markets of which nothing is known."""
        return cls(
            complete_from_ms=_all(markets, NEVER_MS),
            as_of_ms=_all(markets, 0),
            claimed_ms=_all(markets, -1),
            changed_ms=_all(markets, NEVER_MS),
            unproven=np.zeros(markets, dtype=bool),
        )

    def forget(self, rows: Int) -> None:
        """Know nothing of some markets any more, but when they were last seen."""
        self.complete_from_ms[rows] = NEVER_MS
        self.claimed_ms[rows] = -1
        self.unproven[rows] = False


def _all(markets: int, moment_ms: int) -> Int:
    return np.full(markets, moment_ms, dtype=np.int64)
