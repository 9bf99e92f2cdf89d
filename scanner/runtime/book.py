"""The book of one exchange: what answers become in its panels, which candles are final, longer ones assembled.

What to ask for is decided in `asking`, what signals come of it in `signals`. One thread writes a book (the signal
stream); its lock is held only while candles are moved about, so that other threads may copy some out. It does not know
the network. Time is an argument.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scanner.config import WINDOW, StreamConfig
from scanner.core.candles import Bool, Candles, Float, Int
from scanner.core.panel import Panel, assemble, forming
from scanner.gateway.answers import CandleAnswer
from scanner.markets import Market
from scanner.runtime.revisions import CandleTally, Revisions, differs
from scanner.timeframes import MINUTE_MS, length_ms, open_time_of

UNBOUNDED = 2**62
NEWS = 3  # candles of one market that count as news; more are a history
HISTORY = 500  # closed candles a percentile ranks among
# per market and timeframe, carried into a book of other markets
CARRIED = (
    "loaded",
    "final_through_ms",
    "told_through_ms",
    "stored_through_ms",
    "noted_through_ms",
    "late_from_ms",
    "late_until_ms",
)
ANSWERS_AT_ONCE = 256  # answers merged in one go: bounds the memory of a backfill
RECENT = 12  # columns of the base panel: markets with older news are settled apart
CAPS = 100  # exchanges cut their answers at multiples of this
SPOILT_MS = 30 * MINUTE_MS  # a candle that has come without its numbers for this long holds nothing up any more
NEVER_MS = np.iinfo(np.int64).max


@dataclass(frozen=True)
class ClosedCandles:
    """Candles of one market that have become final, for the store."""

    market: Market
    timeframe: str
    open_time: Int
    values: Float  # [n, 5] open, high, low, close, volume


class Book:
    """Panels of every configured timeframe for the markets of one exchange.

    Attributes
    ----------
    final_through_ms : dict of int64[M]
        Per timeframe, open time of each market's newest final candle; -1 before any.
    told_through_ms : dict of int64[M]
        Per timeframe, open time of each market's newest candle whose final signal has been made; -1 before any.
    stored_through_ms : dict of int64[M]
        Per timeframe, open time of each market's newest candle handed to the store; -1 before any.
    noted_through_ms : dict of int64[M]
        Per timeframe, open time up to which the gap ledger knows which candles nobody traded; -1 before any.
    complete_from_ms : int64[M]
        From when on the base panel holds everything the exchange has.
    as_of_ms : int64[M]
        Market time of the newest good candle answer.
    loaded : dict of bool[M]
        Per timeframe, whether the market's history is there: asked for and answered, or read from disk.
    late_from_ms, late_until_ms : dict of int64[M]
        Per timeframe, open time of the first candle from before the market was watched whose final signal is still to
        be made, and of the first that is news.
    tally : CandleTally
        How many final candles have changed later: corrected here and in the store, their signals left alone.
    ends_ms : int
        Where a recording ends, and the candles with it.
    unproven : bool[M]
        Whether the market's candles are from disk and no answer has been compared with them yet.
    """

    def __init__(
        self,
        exchange: str,
        markets: Sequence[Market],
        config: StreamConfig,
        started_ms: int,
        *,
        simulated: bool,
        panels: dict[str, Panel] | None = None,
    ) -> None:
        self.exchange, self.markets, self.config, self.simulated = exchange, tuple(markets), config, simulated
        self.started_ms, self.ends_ms = started_ms, NEVER_MS
        self._lock = threading.Lock()
        self._successor: Book | None = None  # has taken the candles over
        self.base = config.base_timeframe
        self.style_of = {timeframe: style for style, timeframe in config.styles.items()}
        self._row_of = {market: row for row, market in enumerate(self.markets)}
        count = len(self.markets)
        self.panels = panels if panels is not None else new_panels(config, count)
        self.loaded = {timeframe: np.zeros(count, dtype=bool) for timeframe in self.style_of}
        self.final_through_ms = {timeframe: np.full(count, -1, dtype=np.int64) for timeframe in self.style_of}
        self.told_through_ms = {timeframe: np.full(count, -1, dtype=np.int64) for timeframe in self.style_of}
        self.stored_through_ms = {timeframe: np.full(count, -1, dtype=np.int64) for timeframe in self.style_of}
        self.noted_through_ms = {timeframe: np.full(count, -1, dtype=np.int64) for timeframe in self.style_of}
        self._claimed_ms = np.full(count, -1, dtype=np.int64)  # final by the rule, whether or not anybody trades
        self._changed_ms = np.full(count, NEVER_MS, dtype=np.int64)  # from when on the base panel is to be settled
        self._revisions = Revisions()  # to be stored anew
        self.tally = CandleTally()
        self.complete_from_ms = np.full(count, NEVER_MS, dtype=np.int64)
        self.as_of_ms = np.zeros(count, dtype=np.int64)
        self.late_from_ms = {timeframe: np.full(count, NEVER_MS, dtype=np.int64) for timeframe in self.style_of}
        self.late_until_ms = {timeframe: np.zeros(count, dtype=np.int64) for timeframe in self.style_of}
        self.unproven = np.zeros(count, dtype=bool)

    def grown(self, listed: Sequence[Market], now_ms: int) -> Book:
        """A book that also holds markets listed since; see `with_markets`."""
        return self.with_markets((*self.markets, *listed), now_ms)

    def with_markets(self, markets: Sequence[Market], now_ms: int) -> Book:
        """A book of just these markets: what is known of them is carried over, the new ones begin now, others leave.

        The candles move, they are not copied: whoever still reads this book is answered by the new one.
        """
        rows = np.array([row for row, market in enumerate(markets) if market in self._row_of], dtype=np.int64)
        known = np.array([self._row_of[markets[row]] for row in rows], dtype=np.int64)
        with self._lock:
            panels = {name: panel.moved(known, rows, len(markets)) for name, panel in self.panels.items()}
            book = Book(self.exchange, markets, self.config, self.started_ms, simulated=self.simulated, panels=panels)
            self._carry(book, rows, known, now_ms)
            self._successor = book
        return book

    def _carry(self, book: Book, rows: Int, known: Int, now_ms: int) -> None:
        """What is known of the rows `known` beside candles becomes that of `rows` of a new book."""
        book.ends_ms = self.ends_ms
        for timeframe, panel in self.panels.items():
            book.told_through_ms[timeframe][:] = open_time_of(now_ms, panel.timeframe_ms) - panel.timeframe_ms
            for name in CARRIED:
                getattr(book, name)[timeframe][rows] = getattr(self, name)[timeframe][known]
        book.complete_from_ms[rows] = self.complete_from_ms[known]
        book.as_of_ms[rows] = self.as_of_ms[known]
        book.unproven[rows] = self.unproven[known]
        book._claimed_ms[rows], book._changed_ms[rows] = self._claimed_ms[known], self._changed_ms[known]
        book.tally = self.tally

    def row_of(self, market: Market) -> int:
        return self._row_of[market]

    @property
    def timeframes(self) -> tuple[str, ...]:
        return tuple(self.style_of)

    def holds(self, market: Market) -> bool:
        return market in self._row_of

    def rows_of(self, markets: Sequence[Market]) -> Int:
        """int64[n]: the row of each market, -1 for one the book does not hold."""
        if markets is self.markets:
            return np.arange(len(markets))
        return np.array([self._row_of.get(market, -1) for market in markets], dtype=np.int64)

    # --- what came in ----------------------------------------------------------------------------------------------

    def take(self, answers: Sequence[CandleAnswer], now_ms: int) -> None:
        """Merge answers into the panels, decide what is final, fill what nobody traded, assemble longer timeframes.

        Answers may come in any order, more than once, and in as many calls as one likes: the newest fetch has the last
        word on a candle, an older one that comes late only adds what is not known. One asked for in the future was
        asked for by a clock that has been put right since: it is dropped, and will be asked for again.
        """
        with self._lock:
            answers = [answer for answer in answers if answer.began_ms <= now_ms]
            self._doubt_the_future(now_ms)
            for timeframe, panel in self.panels.items():
                mine = sorted((a for a in answers if a.request.timeframe == timeframe), key=lambda a: a.began_ms)
                for start in range(0, len(mine), ANSWERS_AT_ONCE):
                    self._merge(panel, timeframe, mine[start : start + ANSWERS_AT_ONCE], now_ms)
            self._settle(now_ms)
            self._forget_lost_rows(now_ms)

    def _doubt_the_future(self, now_ms: int) -> None:
        """What was known only later than now, by a clock put right since, is known as of the candle before at most.

        So nothing counts as older than it, and no candle that was held in part becomes final without a newer look.
        """
        before_ms = open_time_of(now_ms, length_ms(self.base)) - 1
        self.as_of_ms[self.as_of_ms > now_ms] = before_ms

    def _merge(self, panel: Panel, timeframe: str, answers: Sequence[CandleAnswer], now_ms: int) -> None:
        rows = np.array([self._row_of[answer.request.market] for answer in answers], dtype=np.int64)
        counts = [len(answer) for answer in answers]
        row, open_ms = np.repeat(rows, counts), np.concatenate([answer.open_time for answer in answers])
        columns = (np.concatenate([getattr(answer, name) for answer in answers]) for name in Panel.COLUMNS[:5])
        flat = Candles(*columns)
        panel.advance_to(open_time_of(now_ms, panel.timeframe_ms))
        proven = self._proven_ms(panel, answers)
        stale = np.array([answer.began_ms for answer in answers]) < self.as_of_ms[rows]
        use = (open_ms <= now_ms) & ~(np.repeat(stale, counts) & panel.holds(row, open_ms))
        self._note_revisions(timeframe, row[use], open_ms[use], flat.rows(use))
        panel.put(row[use], open_ms[use], flat.rows(use))
        self._forget_spoilt(timeframe, answers)
        fresh = ~self.loaded[timeframe][rows]
        self.loaded[timeframe][rows] = True
        final = np.array(
            [
                min(self._final_through(answer, panel.timeframe_ms, through_ms), self._told_through(answer, timeframe))
                for answer, through_ms in zip(answers, proven.tolist(), strict=True)
            ],
            dtype=np.int64,
        )
        np.minimum.at(self._changed_ms, row[use], open_ms[use])
        if timeframe == self.base:
            complete = np.array([_complete_from(answer) for answer in answers], dtype=np.int64)
            self.complete_from_ms[rows[fresh]] = complete[fresh]
            np.maximum.at(self.as_of_ms, rows, [answer.began_ms for answer in answers])
            np.maximum.at(self._claimed_ms, rows, final)
            np.minimum.at(self._changed_ms, rows, self.final_through_ms[timeframe][rows] + panel.timeframe_ms)
        elif fresh.any():
            np.maximum.at(self.final_through_ms[timeframe], rows[fresh], final[fresh])
            np.minimum.at(self._changed_ms, rows[fresh], 0)

    def _note_revisions(self, timeframe: str, row: Int, open_ms: Int, candles: Candles) -> None:
        """Remember final candles that the exchange has changed since: their signals stay, what is stored does not."""
        panel = self.panels[timeframe]
        final = (open_ms <= self.final_through_ms[timeframe][row]) & (panel.column_of(open_ms) >= 0)
        if timeframe != self.base or not final.any():
            return
        row, open_ms = row[final], open_ms[final]
        changed = differs(panel, row, panel.column_of(open_ms), candles.rows(final))
        cells = np.unique(np.stack([row[changed], open_ms[changed]], axis=-1), axis=0)
        self._revisions.note_all(self.panels, self.base, cells[:, 0], cells[:, 1])
        self.tally.revised += len(cells)

    def correct(self, timeframe: str, row: Int, open_ms: Int, candles: Candles) -> None:
        """Put the exchange's own candles in the place of some assembled ones; flat arrays of equal length."""
        with self._lock:
            self._revisions.note(self.panels, timeframe, row, open_ms)
            self.panels[timeframe].put(row, open_ms, candles)

    def _forget_spoilt(self, timeframe: str, answers: Sequence[CandleAnswer]) -> None:
        """What is held of candles whose rows have lost their numbers is from before they were whole."""
        panel = self.panels[timeframe]
        for answer in answers:
            row = self._row_of[answer.request.market]
            if answer.dropped and answer.began_ms >= self.as_of_ms[row]:
                lacking = self._lacking(answer, timeframe)
                unknown = np.full(len(lacking), np.nan)
                panel.put(np.full(len(lacking), row), lacking, Candles(*[unknown] * 5))

    def _lacking(self, answer: CandleAnswer, timeframe: str) -> Int:
        """Open times of candles asked for that have begun, are not final, and are not in the answer: int64[n]."""
        step, row = self.panels[timeframe].timeframe_ms, self._row_of[answer.request.market]
        since_ms = max(answer.request.since_ms, int(self.final_through_ms[timeframe][row]) + step)
        return np.setdiff1d(np.arange(since_ms, answer.began_ms, step, dtype=np.int64), answer.open_time)

    def _proven_ms(self, panel: Panel, answers: Sequence[CandleAnswer]) -> Int:
        """Open time of the newest candle that each answer can be believed to show whole without a newer one: int64[n].

        An exchange that stands still shows its newest candle half-made, for ever. That it goes on is proved by a newer
        candle of any market, in an answer asked for before.
        """
        newest = [self._newest_candle_ms(panel), *(int(a.open_time[-1]) if len(a) else -1 for a in answers)]
        known_ms = np.maximum.accumulate(np.array(newest, dtype=np.int64))
        if known_ms[-1] + panel.timeframe_ms >= self.ends_ms:
            return np.full(len(answers), known_ms[-1])
        return np.asarray(known_ms[:-1] - panel.timeframe_ms)

    def _final_through(self, answer: CandleAnswer, step: int, proven_ms: int) -> int:
        """Open time of the newest candle this answer makes final, -1 for none.

        A candle is final when a newer one exists, or when the fetch began at least the grace after its close and the
        exchange is known to go on (`_proven_ms`). A full
        page says nothing about what lies beyond it, and neither does what was pushed.
        """
        newer = int(answer.open_time[-1]) - step if len(answer) else -1
        whole_page = len(answer) + answer.dropped >= answer.request.limit
        if whole_page or answer.provisional or _is_capped(answer):
            return newer
        settled = open_time_of(answer.began_ms - int(self.config.finality_grace_s * 1000), step) - step
        return max(newer, min(settled, proven_ms))

    def _told_through(self, answer: CandleAnswer, timeframe: str) -> int:
        """Open time up to which an answer tells everything: where rows were spoilt, what it lacks may be one of them.

        After `SPOILT_MS` such a candle counts as not traded.
        """
        if not answer.dropped:
            return int(NEVER_MS)
        step, lacking = self.panels[timeframe].timeframe_ms, self._lacking(answer, timeframe)
        recent = lacking[lacking >= open_time_of(answer.began_ms - SPOILT_MS, step)]
        return int(recent[0]) - step if len(recent) else int(NEVER_MS)

    def _settle(self, now_ms: int) -> None:
        """Fill untraded candles up to where the exchange has shown life, then bring the longer timeframes along.

        Only markets of which something is new are looked at, from where it is new: all but a few need no more than the
        newest candles of each panel.
        """
        base = self.panels[self.base]
        if not base.end_ms:
            return
        before = self.final_through_ms[self.base]
        through = np.maximum(before, np.minimum(self._claimed_ms, self._newest_candle_ms(base)))
        news = np.where(through > before, before + base.timeframe_ms, NEVER_MS)
        changed = np.minimum(self._changed_ms, news)
        self.final_through_ms[self.base] = through
        old = changed < base.end_ms - RECENT * base.timeframe_ms
        for rows in (np.flatnonzero(old), np.flatnonzero(~old & (changed < NEVER_MS))):
            if len(rows):
                self._settle_rows(rows, max(int(changed[rows].min()), 0), now_ms)
        self._changed_ms[:] = NEVER_MS

    def _settle_rows(self, rows: Int, since_ms: int, now_ms: int) -> None:
        base, through = self.panels[self.base], self.final_through_ms[self.base][rows]
        every = slice(None) if len(rows) == len(self.markets) else rows
        base.fill(through, base.columns_since(since_ms) + 1, every)
        complete_ms = self.complete_from_ms[rows]
        for timeframe, panel in self.panels.items():
            if timeframe == self.base:
                continue
            mine = self.final_through_ms[timeframe][rows]
            assemble(base, panel, complete_ms, through, mine, since_ms, every)
            whole = (through + base.timeframe_ms) // panel.timeframe_ms * panel.timeframe_ms - panel.timeframe_ms
            self.final_through_ms[timeframe][rows] = np.where(whole >= complete_ms, np.maximum(mine, whole), mine)
            panel.advance_to(open_time_of(now_ms, panel.timeframe_ms))
            panel.fill(self.final_through_ms[timeframe][rows], panel.columns_since(since_ms) + 2, every)

    @staticmethod
    def _newest_candle_ms(panel: Panel) -> int:
        """Open time of the newest candle any market really has."""
        for column in range(panel.length - 1, -1, -1):
            if (~np.isnan(panel.close[:, column]) & ~panel.filled[:, column]).any():
                return int(panel.open_time[column])
        return -1

    def _forget_lost_rows(self, now_ms: int) -> None:
        """A market that fell behind by more than its base panel holds is loaded afresh."""
        base = self.panels[self.base]
        oldest = open_time_of(now_ms, base.timeframe_ms) - (base.length - 2) * base.timeframe_ms
        lost = self.loaded[self.base] & (self.final_through_ms[self.base] < oldest)
        lost &= self.final_through_ms[self.base] >= 0
        for timeframe in self.timeframes:
            self.loaded[timeframe] &= ~lost
        self.complete_from_ms[lost] = NEVER_MS

    # --- from disk -------------------------------------------------------------------------------------------------

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
        with self._lock:
            panel.advance_to(open_time_of(now_ms, panel.timeframe_ms))
            panel.put(np.repeat(rows, counts), open_ms, candles)
            self.loaded[timeframe][rows] = True
            sure_ms = newest_ms - unsure * panel.timeframe_ms
            self.final_through_ms[timeframe][rows] = self.stored_through_ms[timeframe][rows] = sure_ms
            self.noted_through_ms[timeframe][rows] = sure_ms
            self.late_from_ms[timeframe][rows] = newest_ms + panel.timeframe_ms
            self.late_until_ms[timeframe][rows] = self.news_from_ms(timeframe)[rows]
            self._changed_ms[rows] = 0
            if timeframe == self.base:
                self.complete_from_ms[rows] = open_ms[np.cumsum(counts) - counts]
                self.unproven[rows] = True

    def forget(self, rows: Int) -> None:
        """Know nothing of some markets any more; their histories are asked for again."""
        with self._lock:
            for timeframe, panel in self.panels.items():
                panel.forget(rows)
                self.loaded[timeframe][rows] = False
                self.final_through_ms[timeframe][rows] = self.stored_through_ms[timeframe][rows] = -1
                self.noted_through_ms[timeframe][rows] = -1
                self.late_from_ms[timeframe][rows] = NEVER_MS
            self.complete_from_ms[rows] = NEVER_MS
            self._claimed_ms[rows] = -1
            self.unproven[rows] = False

    # --- for signals ------------------------------------------------------------------------------------------------

    def ready(self, timeframe: str) -> Bool:
        """bool[M]: markets whose candles are known on a timeframe and on the one it is assembled from."""
        ready: Bool = self.loaded[timeframe] & self.loaded[self.base]
        return ready

    def news_from_ms(self, timeframe: str) -> Int:
        """int64[M]: open time of the first candle whose final signal has not been made yet."""
        step = self.panels[timeframe].timeframe_ms
        return np.maximum(self.told_through_ms[timeframe] + step, open_time_of(self.started_ms, step))

    def advance_to(self, timeframe: str, open_ms: int) -> None:
        """Make `open_ms` the last column of a panel."""
        with self._lock:
            self.panels[timeframe].advance_to(open_ms)

    def window_now(self, panel: Panel, rows: Int, open_ms: int, length: int, price: Float, price_ms: Int) -> Candles:
        """The newest `length` candles of some rows, the last one as it forms at `open_ms`; see `live`."""
        closed = panel.window(rows, open_ms - panel.timeframe_ms, length - 1)
        observed = panel.window(rows, open_ms, 1).rows((slice(None), 0))
        newer = np.where((price_ms >= np.maximum(self.as_of_ms, open_ms))[rows], price[rows], np.nan)
        elapsed = np.clip((self.as_of_ms[rows] - open_ms) / panel.timeframe_ms, 0.0, 1.0)
        now_forming = forming(closed, observed, newer, elapsed)
        return Candles(
            *(
                np.concatenate([old, new[:, None]], axis=1)
                for old, new in zip(closed.columns(), now_forming.columns(), strict=True)
            )
        )

    # --- for the store and for readers -----------------------------------------------------------------------------

    def newly_closed(self, room: int = UNBOUNDED) -> list[ClosedCandles]:
        """Final candles not handed out before, without those nobody traded.

        News always come; histories, of more than `NEWS` candles, only until `room` candles are reached. The others
        follow when asked again: the panel holds them.
        """
        found = list(self._corrections())
        for timeframe in self.timeframes:
            found += self._newly_closed(timeframe, room - sum(len(part.open_time) for part in found))
        return found

    def _corrections(self) -> Iterator[ClosedCandles]:
        """Candles that were handed out and have been revised since."""
        for (timeframe, row, open_ms), before in self._revisions.take():
            panel = self.panels[timeframe]
            column = int(panel.column_of(open_ms))
            if column < 0 or open_ms > self.stored_through_ms[timeframe][row]:
                continue
            now = panel.values(row, column)
            if not np.isnan(now).any() and not np.array_equal(now, before):
                yield ClosedCandles(self.markets[row], timeframe, np.array([open_ms]), now[None])

    def _newly_closed(self, timeframe: str, room: int) -> Iterator[ClosedCandles]:
        panel, stored = self.panels[timeframe], self.stored_through_ms[timeframe]
        through = self.final_through_ms[timeframe]
        behind = (through - np.maximum(stored, panel.open_time[0] - panel.timeframe_ms)) // panel.timeframe_ms
        waits = behind > NEWS
        waits &= np.cumsum(np.where(waits, behind, 0)) > room
        rows = np.flatnonzero((behind > 0) & ~waits)
        if not len(rows):
            return
        columns = slice(max(int(panel.column_of(stored[rows].min() + panel.timeframe_ms)), 0), None)
        times = panel.open_time[columns]
        fresh = (times > stored[rows, None]) & (times <= through[rows, None])
        fresh &= ~np.isnan(panel.close[rows, columns]) & ~panel.filled[rows, columns]
        which, offset = np.nonzero(fresh)
        values = np.stack([getattr(panel, name)[rows, columns][which, offset] for name in Panel.COLUMNS[:5]], axis=-1)
        ends = np.cumsum(fresh.sum(axis=1)).tolist()
        moments, start = times[offset], 0
        for row, end in zip(rows.tolist(), ends, strict=True):
            if end > start:
                yield ClosedCandles(self.markets[row], timeframe, moments[start:end], values[start:end])
            start = end
        stored[rows] = through[rows]

    def newest_mark(self) -> tuple[int, float, float]:
        """What the newest candles amount to: their open time, sum of volumes and of closes; -1 before any."""
        base = self.panels[self.base]
        open_ms = self._newest_candle_ms(base)
        if open_ms < 0:
            return open_ms, 0.0, 0.0
        column = int(base.column_of(open_ms))
        return open_ms, float(np.nansum(base.volume[:, column])), float(np.nansum(base.close[:, column]))

    def closed_base(self) -> Float:
        """Closes of the base timeframe's closed candles: float64[M, T], NaN where unknown."""
        with self._lock:
            if self._successor is None:
                return self.panels[self.base].close[:, :-1].copy()
        return self._successor.closed_base()

    def newest(
        self, timeframe: str, rows: Int | None, length: int, now_ms: int, price: Float, price_ms: Int
    ) -> tuple[Int, Candles]:
        """The newest `length` candles of some or all markets, the last one with the newest price and whole volume.

        Parameters
        ----------
        price, price_ms : float64[M], int64[M]
            Newest tick of each market and its time.

        Returns
        -------
        int64[length], Candles of float64[rows, length]
            Open times, and copies; all NaN for a market without a history or without recent data.
        """
        panel, rows = self.panels[timeframe], np.arange(len(self.markets)) if rows is None else rows
        with self._lock:
            if self._successor is not None:
                return self._newest_of(self._successor, timeframe, rows, length, now_ms, price, price_ms)
            open_ms = panel.end_ms
            window = self.window_now(panel, rows, open_ms, length, price, price_ms)
            recent = now_ms - self.as_of_ms <= 3 * length_ms(self.base)
            unusable = ~(self.ready(timeframe) & recent)[rows]
        for column in window.columns():
            column[unusable] = np.nan
        return open_ms - panel.timeframe_ms * np.arange(length - 1, -1, -1, dtype=np.int64), window

    def _newest_of(
        self, book: Book, timeframe: str, rows: Int, length: int, now_ms: int, price: Float, price_ms: Int
    ) -> tuple[Int, Candles]:
        """The same from the book that has taken these markets over; all NaN for those it does not hold."""
        mine = self.rows_of(book.markets)
        own_price, own_price_ms = np.where(mine >= 0, price[mine], np.nan), np.where(mine >= 0, price_ms[mine], 0)
        theirs = book.rows_of([self.markets[row] for row in rows])
        open_ms, window = book.newest(timeframe, theirs, length, now_ms, own_price, own_price_ms)
        for column in window.columns():
            column[theirs < 0] = np.nan
        return open_ms, window

    def candles_of(self, market: Market, timeframe: str) -> tuple[Int, Candles]:
        """The newest candles of one market, at most `max_candles_per_timeframe`, the forming one included.

        None of a market that has just left.
        """
        if not self.holds(market):
            return np.empty(0, dtype=np.int64), Candles(*(np.empty(0) for _ in Panel.COLUMNS[:5]))
        panel, row = self.panels[timeframe], self._row_of[market]
        with self._lock:
            if self._successor is not None:
                return self._successor.candles_of(market, timeframe)
            columns = np.flatnonzero(~np.isnan(panel.close[row]))[-self.config.max_candles_per_timeframe :]
            kept = Candles(*(getattr(panel, name)[row, columns] for name in Panel.COLUMNS[:5]))
            return panel.open_time[columns], kept


def new_panels(config: StreamConfig, markets: int) -> dict[str, Panel]:
    """A panel of every timeframe; the shortest one is long enough to assemble the longest."""
    base, base_ms = config.base_timeframe, length_ms(config.base_timeframe)
    keep = max(config.max_candles_per_timeframe, HISTORY) + WINDOW
    longest = max(length_ms(timeframe) for timeframe in config.styles.values()) // base_ms
    lengths = {name: max(keep, 2 * longest + 2) if name == base else keep for name in config.styles.values()}
    return {name: Panel(markets, length_ms(name), length) for name, length in lengths.items()}


def _is_capped(answer: CandleAnswer) -> bool:
    """Whether an exchange may have cut an answer short without a word: a round number of candles, but fewer than asked.

    Where it was no cut the next request, which goes on from there, says so.
    """
    return 0 < len(answer) < answer.request.limit and len(answer) % CAPS == 0


def _complete_from(answer: CandleAnswer) -> int:
    """From when on an answer holds everything the exchange has."""
    return int(answer.open_time[0]) if _is_capped(answer) else answer.request.since_ms
