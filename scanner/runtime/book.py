"""The book of one exchange: its panels, what they still need, and the signals they yield.

One thread writes a book (the signal stream); its lock is held only while candles are moved about, so that other
threads may copy some out. It does not know the network. Time is an argument.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from scanner.config import WINDOW, StreamConfig
from scanner.core.analysis import Analysis, analyse
from scanner.core.candles import Bool, Candles, Float, Int
from scanner.core.panel import Panel, assemble, forming
from scanner.core.percentile import percentile_of
from scanner.gateway.answers import CandleAnswer, CandleRequest, Purpose
from scanner.markets import Market
from scanner.runtime.batches import Context, SignalBatch
from scanner.timeframes import length_ms, open_time_of

HISTORY = 500  # closed candles a percentile ranks among
FEWEST = 20  # candles a score needs
ROWS_AT_ONCE = 64  # markets whose whole history is scored in one go: bounds the memory of a backfill


@dataclass(frozen=True)
class ClosedCandles:
    """Candles of one market that have become final, for the store."""

    market: Market
    timeframe: str
    open_time: Int
    candles: Candles


class Book:
    """Panels of every configured timeframe for the markets of one exchange.

    Attributes
    ----------
    final_through_ms : dict of int64[M]
        Per timeframe, open time of each market's newest final candle; -1 before any.
    as_of_ms : int64[M]
        Market time of the newest good candle answer.
    """

    def __init__(
        self, exchange: str, markets: Sequence[Market], config: StreamConfig, started_ms: int, *, simulated: bool
    ) -> None:
        self.exchange, self.markets, self.config, self.simulated = exchange, tuple(markets), config, simulated
        self.started_ms = started_ms
        self._lock = threading.Lock()
        self.base = config.base_timeframe
        self._style_of = {timeframe: style for style, timeframe in config.styles.items()}
        self._row_of = {market: row for row, market in enumerate(self.markets)}
        keep = max(config.max_candles_per_timeframe, HISTORY) + WINDOW
        longest = max(length_ms(timeframe) for timeframe in self._style_of) // length_ms(self.base)
        count = len(self.markets)
        self.panels = {
            timeframe: Panel(
                count, length_ms(timeframe), max(keep, 2 * longest + 2) if timeframe == self.base else keep
            )
            for timeframe in self._style_of
        }
        self.loaded = {timeframe: np.zeros(count, dtype=bool) for timeframe in self._style_of}
        self.final_through_ms = {timeframe: np.full(count, -1, dtype=np.int64) for timeframe in self._style_of}
        self._told_through_ms = {timeframe: np.full(count, -1, dtype=np.int64) for timeframe in self._style_of}
        self._stored_through_ms = {timeframe: np.full(count, -1, dtype=np.int64) for timeframe in self._style_of}
        self.complete_from_ms = np.full(count, np.iinfo(np.int64).max, dtype=np.int64)
        self.as_of_ms = np.zeros(count, dtype=np.int64)

    def grown(self, listed: Sequence[Market], now_ms: int) -> Book:
        """A book that also holds markets listed since: what is known is carried over, the new ones begin now."""
        grown = Book(self.exchange, (*self.markets, *listed), self.config, self.started_ms, simulated=self.simulated)
        known = slice(0, len(self.markets))
        for timeframe, panel in self.panels.items():
            grown.panels[timeframe].begin_with(panel)
            grown.loaded[timeframe][known] = self.loaded[timeframe]
            grown.final_through_ms[timeframe][known] = self.final_through_ms[timeframe]
            grown._stored_through_ms[timeframe][known] = self._stored_through_ms[timeframe]
            grown._told_through_ms[timeframe][:] = open_time_of(now_ms, panel.timeframe_ms) - panel.timeframe_ms
            grown._told_through_ms[timeframe][known] = self._told_through_ms[timeframe]
        grown.complete_from_ms[known] = self.complete_from_ms
        grown.as_of_ms[known] = self.as_of_ms
        return grown

    @property
    def timeframes(self) -> tuple[str, ...]:
        return tuple(self._style_of)

    # --- what is missing -------------------------------------------------------------------------------------------

    def wanted(self, now_ms: int) -> list[CandleRequest]:
        """What must be asked for now: whole histories first, then the candles since the newest final one."""
        return [*self._backfills(now_ms), *self._increments(now_ms)]

    def _backfills(self, now_ms: int) -> Iterator[CandleRequest]:
        for timeframe, panel in self.panels.items():
            since = open_time_of(now_ms, panel.timeframe_ms) - (panel.length - 1) * panel.timeframe_ms
            for row in np.flatnonzero(~self.loaded[timeframe]):
                yield CandleRequest(self.markets[row], timeframe, max(since, 0), panel.length, Purpose.BACKFILL)

    def _increments(self, now_ms: int) -> Iterator[CandleRequest]:
        step = self.panels[self.base].timeframe_ms
        newest = self.final_through_ms[self.base]
        for row in np.flatnonzero(self.loaded[self.base]):
            since = int(newest[row]) + step
            closed = (now_ms - since) // step  # candles that have closed and are not final yet
            purpose = (Purpose.FORMING, Purpose.CLOSE, Purpose.GAP)[min(closed, 2)]
            yield CandleRequest(self.markets[row], self.base, since, closed + 2, purpose)

    # --- what came in ----------------------------------------------------------------------------------------------

    def take(self, answers: Sequence[CandleAnswer], now_ms: int) -> None:
        """Merge answers into the panels, decide what is final, fill what nobody traded, assemble longer timeframes."""
        with self._lock:
            for timeframe, panel in self.panels.items():
                mine = [answer for answer in answers if answer.request.timeframe == timeframe]
                if mine:
                    self._merge(panel, timeframe, mine, now_ms)
            self._settle(now_ms)
            self._forget_lost_rows(now_ms)

    def _merge(self, panel: Panel, timeframe: str, answers: Sequence[CandleAnswer], now_ms: int) -> None:
        rows = np.array([self._row_of[answer.request.market] for answer in answers], dtype=np.int64)
        counts = [len(answer.open_time) for answer in answers]
        row, open_ms = np.repeat(rows, counts), np.concatenate([answer.open_time for answer in answers])
        flat = Candles(
            *(
                np.concatenate([getattr(answer, name) for answer in answers])
                for name in ("open", "high", "low", "close", "volume")
            )
        )
        sane = open_ms <= now_ms
        panel.advance_to(open_time_of(now_ms, panel.timeframe_ms))
        panel.put(row[sane], open_ms[sane], flat.rows(sane))
        fresh = ~self.loaded[timeframe][rows]
        self.loaded[timeframe][rows] = True
        final = np.array([self._final_through(answer, panel.timeframe_ms) for answer in answers], dtype=np.int64)
        if timeframe == self.base:
            since = np.array([answer.request.since_ms for answer in answers], dtype=np.int64)
            self.complete_from_ms[rows[fresh]] = since[fresh]
            self.as_of_ms[rows] = [answer.began_ms for answer in answers]
        if timeframe == self.base or fresh.any():
            self.final_through_ms[timeframe][rows] = np.maximum(self.final_through_ms[timeframe][rows], final)

    def _final_through(self, answer: CandleAnswer, step: int) -> int:
        """Open time of the newest candle this answer makes final, -1 for none.

        A candle is final when a newer one exists, or when the fetch began at least the grace after its close. A full
        page says nothing about what lies beyond it.
        """
        newer = int(answer.open_time[-1]) - step if len(answer.open_time) else -1
        if len(answer.open_time) >= answer.request.limit:
            return newer
        settled = answer.began_ms - int(self.config.finality_grace_s * 1000)
        return max(newer, open_time_of(settled, step) - step)

    def _settle(self, now_ms: int) -> None:
        """Fill untraded candles up to where the exchange has shown life, then bring the longer timeframes along."""
        base = self.panels[self.base]
        if not base.end_ms:
            return
        alive_ms = self._newest_candle_ms(base)
        through = np.minimum(self.final_through_ms[self.base], alive_ms)
        base.fill(through, base.length)
        self.final_through_ms[self.base] = through
        for timeframe, panel in self.panels.items():
            if timeframe == self.base:
                continue
            assemble(base, panel, self.complete_from_ms, through, self.final_through_ms[timeframe])
            whole = (through + base.timeframe_ms) // panel.timeframe_ms * panel.timeframe_ms - panel.timeframe_ms
            assembled = whole >= self.complete_from_ms
            mine = self.final_through_ms[timeframe]
            self.final_through_ms[timeframe] = np.where(assembled, np.maximum(mine, whole), mine)
            panel.advance_to(open_time_of(now_ms, panel.timeframe_ms))
            panel.fill(self.final_through_ms[timeframe], panel.length)

    @staticmethod
    def _newest_candle_ms(panel: Panel) -> int:
        """Open time of the newest candle any market really has."""
        real = (~np.isnan(panel.close) & ~panel.filled).any(axis=0)
        return int(panel.open_time[np.flatnonzero(real)[-1]]) if real.any() else -1

    def _forget_lost_rows(self, now_ms: int) -> None:
        """A market that fell behind by more than its base panel holds is loaded afresh."""
        base = self.panels[self.base]
        oldest = open_time_of(now_ms, base.timeframe_ms) - (base.length - 2) * base.timeframe_ms
        lost = self.loaded[self.base] & (self.final_through_ms[self.base] < oldest)
        lost &= self.final_through_ms[self.base] >= 0
        for timeframe in self.timeframes:
            self.loaded[timeframe] &= ~lost
        self.complete_from_ms[lost] = np.iinfo(np.int64).max

    # --- signals ---------------------------------------------------------------------------------------------------

    def score_history(self) -> None:
        """Score the closed candles that are history, not news, and have no score yet; percentiles rank among them."""
        for timeframe, panel in self.panels.items():
            history_ms = np.minimum(self.final_through_ms[timeframe], self._news_from_ms(timeframe) - 1)
            known = ~np.isnan(panel.close) & (panel.open_time[None, :] <= history_ms[:, None])
            bare = known[:, WINDOW - 1 :] & np.isnan(panel.score[:, WINDOW - 1 :])
            bare &= ~np.isnan(panel.close[:, WINDOW - FEWEST : panel.length - FEWEST + 1])  # too young to have one
            rows = np.flatnonzero(bare.any(axis=1))
            for start in range(0, len(rows), ROWS_AT_ONCE):
                self._score_rows(panel, rows[start : start + ROWS_AT_ONCE], bare)

    def _score_rows(self, panel: Panel, rows: Int, bare: Bool) -> None:
        columns = np.flatnonzero(bare[rows].any(axis=0))
        span = slice(columns[0], columns[-1] + WINDOW)
        candles = Candles(*(getattr(panel, name)[rows, span] for name in Panel.COLUMNS[:5]))
        analysis = analyse(candles.windows(WINDOW), self.config)
        score = np.where(analysis.enough, analysis.combined_score, np.nan)
        target = panel.score[rows, span.start + WINDOW - 1 : span.stop]
        wanted = bare[rows, columns[0] : columns[-1] + 1]
        panel.score[rows, span.start + WINDOW - 1 : span.stop] = np.where(wanted, score, target)

    def finals(self, now_ms: int, context: Context) -> list[SignalBatch]:
        """The signals of candles that have become final since the last call: once per market, timeframe and candle.

        Candles that closed before the book was opened are history, not news.
        """
        batches = []
        for timeframe, panel in self.panels.items():
            through, told = self.final_through_ms[timeframe], self._told_through_ms[timeframe]
            first = self._news_from_ms(timeframe)
            for open_ms in panel.open_time[panel.open_time >= (first.min() if len(first) else 0)]:
                rows = np.flatnonzero((first <= open_ms) & (open_ms <= through) & self._ready(timeframe))
                rows = rows[~np.isnan(panel.close[rows, panel.column_of(int(open_ms))])]
                if len(rows):
                    batches.append(self._final_batch(timeframe, int(open_ms), rows, now_ms, context))
            self._told_through_ms[timeframe] = np.maximum(told, through)
        return batches

    def _news_from_ms(self, timeframe: str) -> Int:
        """int64[M]: open time of the first candle whose final signal has not been made yet."""
        step = self.panels[timeframe].timeframe_ms
        return np.maximum(self._told_through_ms[timeframe] + step, open_time_of(self.started_ms, step))

    def _ready(self, timeframe: str) -> Bool:
        ready: Bool = self.loaded[timeframe] & self.loaded[self.base]
        return ready

    def _final_batch(self, timeframe: str, open_ms: int, rows: Int, now_ms: int, context: Context) -> SignalBatch:
        panel = self.panels[timeframe]
        analysis = analyse(panel.window(rows, open_ms, WINDOW), self.config)
        panel.score[rows, int(panel.column_of(open_ms))] = np.where(analysis.enough, analysis.combined_score, np.nan)
        history = panel.span("score", rows, open_ms, HISTORY)
        return self._batch(timeframe, True, open_ms, rows, np.ones(len(rows)), analysis, history, now_ms, context)

    def live(
        self, now_ms: int, price: Float, price_ms: Int, context: Context, skip: dict[str, Bool]
    ) -> list[SignalBatch]:
        """The signals of the forming candles, of every market whose candles are known up to the one now forming.

        Parameters
        ----------
        price, price_ms : float64[M], int64[M]
            Newest tick of each market and its time.
        skip : dict of bool[M]
            Per timeframe, markets that got a final signal in this very cycle: that one is the news.
        """
        batches = []
        seen = self.as_of_ms >= open_time_of(now_ms, length_ms(self.base))  # the candle before the forming one: whole
        for timeframe in self.timeframes:
            usable = self._ready(timeframe) & seen
            rows = np.flatnonzero(usable & ~skip.get(timeframe, np.zeros_like(usable)))
            if len(rows):
                batches.append(self._live_batch(timeframe, rows, now_ms, price, price_ms, context))
        return batches

    def _live_batch(
        self, timeframe: str, rows: Int, now_ms: int, price: Float, price_ms: Int, context: Context
    ) -> SignalBatch:
        panel = self.panels[timeframe]
        open_ms = open_time_of(now_ms, panel.timeframe_ms)
        with self._lock:
            panel.advance_to(open_ms)
        window = self._window_now(panel, rows, open_ms, WINDOW, price, price_ms)
        analysis = analyse(window, self.config)
        history = panel.span("score", rows, open_ms - panel.timeframe_ms, HISTORY)
        progress = np.full(len(rows), (now_ms - open_ms) / panel.timeframe_ms)
        return self._batch(timeframe, False, open_ms, rows, progress, analysis, history, now_ms, context)

    def _window_now(self, panel: Panel, rows: Int, open_ms: int, length: int, price: Float, price_ms: Int) -> Candles:
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

    def _batch(
        self,
        timeframe: str,
        closed: bool,
        open_ms: int,
        rows: Int,
        progress: Float,
        analysis: Analysis,
        history: Float,
        now_ms: int,
        context: Context,
    ) -> SignalBatch:
        panel = self.panels[timeframe]
        end = int(panel.column_of(open_ms)) + (1 if closed else 0)
        seen = slice(max(end - WINDOW, 0), end)
        gaps = (panel.filled[rows, seen] | np.isnan(panel.close[rows, seen])).sum(axis=1)
        return SignalBatch(
            exchange=self.exchange,
            style=self._style_of[timeframe],
            timeframe=timeframe,
            at_ms=now_ms,
            closed=closed,
            markets=tuple(self.markets[row] for row in rows),
            rows=rows,
            candle_time=np.full(len(rows), open_ms, dtype=np.int64),
            progress=progress,
            analysis=analysis,
            percentile=percentile_of(np.where(analysis.enough, analysis.combined_score, np.nan), history),
            data_age_s=(now_ms - self.as_of_ms[rows]) / 1000.0,
            gaps=gaps.astype(np.int64),
            params_id=self.config.params_id,
            scoring=self.config.scoring,
            simulated=self.simulated,
            context=context,
        )

    # --- for the store and for readers -----------------------------------------------------------------------------

    def newly_closed(self) -> list[ClosedCandles]:
        """Final candles not handed out before, without those nobody traded."""
        found = []
        for timeframe, panel in self.panels.items():
            through, stored = self.final_through_ms[timeframe], self._stored_through_ms[timeframe]
            fresh = (panel.open_time[None, :] > stored[:, None]) & (panel.open_time[None, :] <= through[:, None])
            fresh &= ~np.isnan(panel.close) & ~panel.filled
            for row in np.flatnonzero(fresh.any(axis=1)):
                columns = np.flatnonzero(fresh[row])
                candles = Candles(*(getattr(panel, name)[row, columns] for name in Panel.COLUMNS[:5]))
                found.append(ClosedCandles(self.markets[row], timeframe, panel.open_time[columns], candles))
            self._stored_through_ms[timeframe] = np.maximum(stored, through)
        return found

    def closed_base(self) -> Float:
        """Closes of the base timeframe's closed candles: float64[M, T], NaN where unknown."""
        with self._lock:
            return self.panels[self.base].close[:, :-1].copy()

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
            open_ms = panel.end_ms
            window = self._window_now(panel, rows, open_ms, length, price, price_ms)
            recent = now_ms - self.as_of_ms <= 3 * length_ms(self.base)
            unusable = ~(self._ready(timeframe) & recent)[rows]
        for column in window.columns():
            column[unusable] = np.nan
        return open_ms - panel.timeframe_ms * np.arange(length - 1, -1, -1, dtype=np.int64), window

    def candles_of(self, market: Market, timeframe: str) -> tuple[Int, Candles]:
        """The newest candles of one market, at most `max_candles_per_timeframe`, the forming one included."""
        panel, row = self.panels[timeframe], self._row_of[market]
        with self._lock:
            columns = np.flatnonzero(~np.isnan(panel.close[row]))[-self.config.max_candles_per_timeframe :]
            kept = Candles(*(getattr(panel, name)[row, columns] for name in Panel.COLUMNS[:5]))
            return panel.open_time[columns], kept
