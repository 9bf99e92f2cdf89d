"""The book of one exchange: who may write and read its candles, and which book takes over when markets come and go.

What answers become is decided in `merging` and `settling`, what the store gets in `closed`; what to ask for in
`asking`, what signals come of it in `signals`. One thread writes a book (the signal stream); its lock is held only
while candles are moved about, so that other threads may copy some out. It does not know the network. Time is an
argument.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np

from scanner.config import StreamConfig
from scanner.core.candles import Bool, Candles, Float, Int
from scanner.core.finality import NEVER_MS, doubted
from scanner.core.panel import Panel
from scanner.gateway.answers import CandleAnswer
from scanner.markets import Market
from scanner.runtime.book import closed, merging, settling, windows
from scanner.runtime.book.table import CandleTable, newest_shown_ms
from scanner.timeframes import length_ms


class Book:
    """Panels of every configured timeframe for the markets of one exchange.

    Attributes
    ----------
    panels : dict of Panel
        Per timeframe, the candles.
    marks : dict of Watermarks
        Per timeframe, how far each market is known, final, told of and kept.
    coverage : Coverage
        What the panel of the shortest timeframe, `base`, covers.
    tally : CandleTally
        How many final candles have changed later: corrected here and in the store, their signals left alone.
    ends_ms : int
        Where a recording ends, and the candles with it.
    """

    def __init__(
        self,
        exchange: str,
        markets: Sequence[Market],
        config: StreamConfig,
        started_ms: int,
        *,
        simulated: bool,
        ends_ms: int = NEVER_MS,
        table: CandleTable | None = None,
    ) -> None:
        self.exchange, self.config, self.simulated = exchange, config, simulated
        self.started_ms, self.ends_ms = started_ms, ends_ms
        self.style_of = {timeframe: style for style, timeframe in config.styles.items()}
        self.timeframes = tuple(self.style_of)
        self._lock = threading.Lock()
        self._successor: Book | None = None  # has taken the candles over
        self._table = table = table if table is not None else CandleTable(markets, config, started_ms)
        self.markets, self.base = table.markets, table.base
        self.panels, self.marks, self.coverage, self.tally = table.panels, table.marks, table.coverage, table.tally

    def with_markets(self, markets: Sequence[Market], now_ms: int) -> Book:
        """A book of just these markets: what is known of them is carried over, the new ones begin now, others leave.

        The candles move, they are not copied: whoever still reads this book is answered by the new one.
        """
        with self._lock:
            self._successor = Book(
                self.exchange,
                markets,
                self.config,
                self.started_ms,
                simulated=self.simulated,
                ends_ms=self.ends_ms,
                table=self._table.moved(markets, now_ms),
            )
        return self._successor

    def row_of(self, market: Market) -> int:
        return self._table.row_of(market)

    def rows_of(self, markets: Sequence[Market]) -> Int:
        """int64[n]: the row of each market, -1 for one the book does not hold."""
        return self._table.rows_of(markets)

    def holds(self, market: Market) -> bool:
        return self._table.holds(market)

    # --- what comes in ---------------------------------------------------------------------------------------------

    def take(self, answers: Sequence[CandleAnswer], now_ms: int) -> None:
        """Merge answers into the panels, decide what is final, fill what nobody traded, assemble longer timeframes.

        Answers may come in any order, more than once, and in as many calls as one likes: the newest fetch has the last
        word on a candle, an older one that comes late only adds what is not known. One asked for in the future was
        asked for by a clock that has been put right since: it is dropped, and will be asked for again.
        """
        with self._lock:
            coverage = self.coverage
            coverage.as_of_ms = doubted(coverage.as_of_ms, now_ms, length_ms(self.base))
            settling.forget_lost(self._table, now_ms)  # as after days of sleep: what comes now begins anew
            past = [answer for answer in answers if answer.began_ms <= now_ms]
            merging.merge(self._table, past, now_ms, self.ends_ms)
            settling.settle(self._table, now_ms)
            settling.forget_lost(self._table, now_ms)

    def correct(self, timeframe: str, row: Int, open_ms: Int, candles: Candles) -> None:
        """Put the exchange's own candles in the place of some assembled ones; flat arrays of equal length."""
        with self._lock:
            merging.correct(self._table, timeframe, row, open_ms, candles)

    def begin_with(
        self, timeframe: str, rows: Int, counts: Int, open_ms: Int, candles: Candles, unsure: int, now_ms: int
    ) -> None:
        """Take final candles of some markets from disk as their history; see `CandleTable.begin_with`."""
        with self._lock:
            self._table.begin_with(timeframe, rows, counts, open_ms, candles, unsure, now_ms)

    def forget(self, rows: Int) -> None:
        """Know nothing of some markets any more; their histories are asked for again."""
        with self._lock:
            self._table.forget(rows)

    def advance_to(self, timeframe: str, open_ms: int) -> None:
        """Make `open_ms` the last column of a panel."""
        with self._lock:
            self.panels[timeframe].advance_to(open_ms)

    # --- for the thread that writes it -----------------------------------------------------------------------------

    def ready(self, timeframe: str) -> Bool:
        """bool[M]: markets whose candles are known on a timeframe and on the one it is assembled from."""
        return self._table.ready(timeframe)

    def news_from_ms(self, timeframe: str) -> Int:
        """int64[M]: open time of the first candle whose final signal has not been made yet."""
        return self._table.news_from_ms(timeframe)

    def window_now(self, timeframe: str, rows: Int, open_ms: int, length: int, price: Float, price_ms: Int) -> Candles:
        """The newest `length` candles of some rows, the last one as it forms at `open_ms`; see `signals.live`."""
        return windows.window_now(self._table, timeframe, rows, open_ms, length, price, price_ms)

    def newly_closed(self, room: int = closed.UNBOUNDED) -> list[closed.ClosedCandles]:
        """Final candles for the store, not handed out before, as far as there is room; see `closed.newly_closed`."""
        return closed.newly_closed(self._table, room)

    def newest_mark(self) -> tuple[int, float, float]:
        """What the newest candles amount to: their open time, sum of volumes and of closes; -1 before any."""
        base = self.panels[self.base]
        open_ms = newest_shown_ms(base)
        if open_ms < 0:
            return open_ms, 0.0, 0.0
        column = int(base.column_of(open_ms))
        return open_ms, float(np.nansum(base.volume[:, column])), float(np.nansum(base.close[:, column]))

    # --- for any thread; where another book has taken the candles over, that one answers ---------------------------

    def closed_base(self) -> Float:
        """Closes of the base timeframe's closed candles: float64[M, T], NaN where unknown."""
        with self._lock:
            if self._successor is None:
                return self.panels[self.base].close[:, :-1].copy()
        return self._successor.closed_base()

    def newest(
        self, timeframe: str, rows: Int | None, length: int, now_ms: int, price: Float, price_ms: Int
    ) -> tuple[Int, Candles]:
        """Open times and the newest `length` candles of some or all markets; see `windows.newest`."""
        rows = np.arange(len(self.markets)) if rows is None else rows
        with self._lock:
            if self._successor is None:
                return windows.newest(self._table, timeframe, rows, length, now_ms, price, price_ms)
        return self._newest_of(self._successor, timeframe, rows, length, now_ms, price, price_ms)

    def _newest_of(
        self, book: Book, timeframe: str, rows: Int, length: int, now_ms: int, price: Float, price_ms: Int
    ) -> tuple[Int, Candles]:
        """The same from the book that has taken these markets over; all NaN for those it does not hold."""
        mine = self.rows_of(book.markets)
        own_price, own_price_ms = np.where(mine >= 0, price[mine], np.nan), np.where(mine >= 0, price_ms[mine], 0)
        theirs = book.rows_of([self.markets[row] for row in rows])
        open_ms, window = book.newest(timeframe, theirs, length, now_ms, own_price, own_price_ms)
        windows.blank(window, theirs < 0)
        return open_ms, window

    def candles_of(self, market: Market, timeframe: str) -> tuple[Int, Candles]:
        """The newest candles of one market, at most `max_candles_per_timeframe`, the forming one included.

        None of a market that has just left.
        """
        if not self.holds(market):
            return np.empty(0, dtype=np.int64), Candles(*(np.empty(0) for _ in Panel.COLUMNS[:5]))
        with self._lock:
            if self._successor is None:
                most = self.config.max_candles_per_timeframe
                return windows.known_candles(self.panels[timeframe], self.row_of(market), most)
        return self._successor.candles_of(market, timeframe)
