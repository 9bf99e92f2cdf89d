"""What is held of the candles of many markets: a panel of every timeframe, and how far each market's are known.

Says where a market's row is and what begins, goes and moves to another table. What answers change is decided in
`merging` and `settling`, what the store and readers get in `closed` and `windows`. No lock: a `Book` has one.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from scanner.config import WINDOW, StreamConfig
from scanner.core.candles import Bool, Candles, Int
from scanner.core.panel import Panel
from scanner.markets import Market
from scanner.runtime.book.revisions import CandleTally, Revisions
from scanner.runtime.book.watermarks import Coverage, Watermarks
from scanner.timeframes import length_ms, open_time_of

HISTORY = 500  # closed candles a percentile ranks among


class CandleTable:
    """Panels of every configured timeframe for some markets, one row each.

    Attributes
    ----------
    base : str
        The shortest timeframe: the others are assembled from it.
    started_ms : int
        Candles that open later are news, those before are history.
    marks : dict of Watermarks
        Per timeframe, how far each market is known, final, told of and kept.
    coverage : Coverage
        What the base panel covers.
    revisions : Revisions
        Candles to be stored anew.
    tally : CandleTally
        How many final candles have changed later: corrected here and in the store, their signals left alone.
    """

    def __init__(
        self,
        markets: Sequence[Market],
        config: StreamConfig,
        started_ms: int,
        panels: dict[str, Panel] | None = None,
    ) -> None:
        self.markets, self.config, self.started_ms = tuple(markets), config, started_ms
        self.base = config.base_timeframe
        self._row_of = {market: row for row, market in enumerate(self.markets)}
        count = len(self.markets)
        self.panels = panels if panels is not None else new_panels(config, count)
        self.marks = {timeframe: Watermarks.of_new(count) for timeframe in self.panels}
        self.coverage = Coverage.of_new(count)
        self.revisions, self.tally = Revisions(), CandleTally()

    def row_of(self, market: Market) -> int:
        return self._row_of[market]

    def rows_of(self, markets: Sequence[Market]) -> Int:
        """int64[n]: the row of each market, -1 for one that is not held."""
        if markets is self.markets:
            return np.arange(len(markets))
        return np.array([self._row_of.get(market, -1) for market in markets], dtype=np.int64)

    def holds(self, market: Market) -> bool:
        return market in self._row_of

    def ready(self, timeframe: str) -> Bool:
        """bool[M]: markets whose candles are known on a timeframe and on the one it is assembled from."""
        ready: Bool = self.marks[timeframe].loaded & self.marks[self.base].loaded
        return ready

    def news_from_ms(self, timeframe: str) -> Int:
        """int64[M]: open time of the first candle whose final signal has not been made yet."""
        return self.marks[timeframe].news_from_ms(self.started_ms, self.panels[timeframe].timeframe_ms)

    def moved(self, markets: Sequence[Market], now_ms: int) -> CandleTable:
        """A table of just these markets, those new to it from now on; this one is left without candles."""
        to = np.array([row for row, market in enumerate(markets) if self.holds(market)], dtype=np.int64)
        rows = np.array([self.row_of(markets[row]) for row in to], dtype=np.int64)
        panels = {timeframe: panel.moved(rows, to, len(markets)) for timeframe, panel in self.panels.items()}
        other = CandleTable(markets, self.config, self.started_ms, panels)
        for timeframe, panel in panels.items():
            told_ms = open_time_of(now_ms, panel.timeframe_ms) - panel.timeframe_ms
            other.marks[timeframe] = Watermarks.of_new(len(markets), told_ms)
            self.marks[timeframe].carry(rows, other.marks[timeframe], to)
        self.coverage.carry(rows, other.coverage, to)
        self.revisions.carry(rows, other.revisions, to)
        other.tally = self.tally
        return other

    def begin_with(
        self, timeframe: str, rows: Int, counts: Int, open_ms: Int, candles: Candles, unsure: int, now_ms: int
    ) -> None:
        """Take final candles of some markets from disk as their history on one timeframe.

        Parameters
        ----------
        rows, counts : int64[n]
            The markets, and how many candles each has, at least one.
        open_ms, candles : int64[sum of counts], Candles of the same shape
            Their candles one market after the other, oldest first.
        unsure : int
            How many of each market's newest candles are to be asked for again.
        """
        panel = self.panels[timeframe]
        newest_ms = open_ms[np.cumsum(counts) - 1]
        panel.advance_to(open_time_of(now_ms, panel.timeframe_ms))
        panel.put(np.repeat(rows, counts), open_ms, candles)
        sure_ms = newest_ms - unsure * panel.timeframe_ms
        news_ms = self.news_from_ms(timeframe)[rows]
        self.marks[timeframe].begin(rows, sure_ms, newest_ms + panel.timeframe_ms, news_ms)
        self.coverage.changed_ms[rows] = 0
        if timeframe == self.base:
            self.coverage.complete_from_ms[rows] = open_ms[np.cumsum(counts) - counts]
            self.coverage.unproven[rows] = True

    def forget(self, rows: Int) -> None:
        """Know nothing of some markets any more."""
        for timeframe, panel in self.panels.items():
            panel.forget(rows)
            self.marks[timeframe].forget(rows)
        self.coverage.forget(rows)


def new_panels(config: StreamConfig, markets: int) -> dict[str, Panel]:
    """A panel of every timeframe; the shortest one is long enough to assemble the longest."""
    base, base_ms = config.base_timeframe, length_ms(config.base_timeframe)
    keep = max(config.max_candles_per_timeframe, HISTORY) + WINDOW
    longest = max(length_ms(timeframe) for timeframe in config.styles.values()) // base_ms
    lengths = {name: max(keep, 2 * longest + 2) if name == base else keep for name in config.styles.values()}
    return {name: Panel(markets, length_ms(name), length) for name, length in lengths.items()}


def newest_shown_ms(panel: Panel) -> int:
    """Open time of the newest candle any market really has; -1 before any."""
    for column in range(panel.length - 1, -1, -1):
        if (~np.isnan(panel.close[:, column]) & ~panel.filled[:, column]).any():
            return int(panel.open_time[column])
    return -1
