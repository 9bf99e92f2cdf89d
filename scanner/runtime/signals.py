"""The signals a book yields: of its history, of candles that have become final, of those now forming.

Everything here is made from the book's panels by one call of the core per batch; the book remembers which final
candles have been told of. One thread makes the signals of a book: the one that writes it.
"""

from __future__ import annotations

import numpy as np

from scanner.config import WINDOW
from scanner.core.analysis import Analysis, analyse
from scanner.core.candles import Bool, Candles, Float, Int
from scanner.core.panel import Panel
from scanner.core.percentile import percentile_of
from scanner.runtime.batches import Context, SignalBatch
from scanner.runtime.book.book import Book
from scanner.runtime.book.table import HISTORY
from scanner.timeframes import length_ms, open_time_of

FEWEST = 20  # candles a score needs
LATE_AT_ONCE = 5_000  # late signals made in one cycle: what is new must not wait for them
ROWS_AT_ONCE = 64  # markets whose whole history is scored in one go: bounds the memory of a backfill


def score_history(book: Book) -> None:
    """Score the closed candles that are history, not news, and have no score yet; percentiles rank among them."""
    for timeframe, panel in book.panels.items():
        history_ms = np.minimum(book.marks[timeframe].final_through_ms, book.news_from_ms(timeframe) - 1)
        known = ~np.isnan(panel.close) & (panel.open_time[None, :] <= history_ms[:, None])
        bare = known[:, WINDOW - 1 :] & np.isnan(panel.score[:, WINDOW - 1 :])
        bare &= ~np.isnan(panel.close[:, WINDOW - FEWEST : panel.length - FEWEST + 1])  # too young to have one
        rows = np.flatnonzero(bare.any(axis=1))
        for start in range(0, len(rows), ROWS_AT_ONCE):
            _score_rows(book, panel, rows[start : start + ROWS_AT_ONCE], bare)


def _score_rows(book: Book, panel: Panel, rows: Int, bare: Bool) -> None:
    columns = np.flatnonzero(bare[rows].any(axis=0))
    span = slice(columns[0], columns[-1] + WINDOW)
    candles = Candles(*(getattr(panel, name)[rows, span] for name in Panel.COLUMNS[:5]))
    analysis = analyse(candles.windows(WINDOW), book.config)
    score = np.where(analysis.enough, analysis.combined_score, np.nan)
    target = panel.score[rows, span.start + WINDOW - 1 : span.stop]
    wanted = bare[rows, columns[0] : columns[-1] + 1]
    panel.score[rows, span.start + WINDOW - 1 : span.stop] = np.where(wanted, score, target)


def finals(book: Book, now_ms: int, context: Context) -> list[SignalBatch]:
    """The signals of candles that have become final since the last call: once per market, timeframe and candle.

    Candles that closed before the book was opened are history, not news. Those of which the panel does not hold the
    whole window any more, after a long outage, are left out; those of a market whose history is still to come wait.
    """
    batches = []
    for timeframe, panel in book.panels.items():
        marks, first, ready = book.marks[timeframe], book.news_from_ms(timeframe), book.ready(timeframe)
        through, whole_windows = marks.final_through_ms, panel.open_time[WINDOW - 1 :]
        due = ready & (first <= through)
        for open_ms in whole_windows[whole_windows >= first[due].min()] if due.any() else ():
            rows = np.flatnonzero(due & (first <= open_ms) & (open_ms <= through))
            rows = rows[~np.isnan(panel.close[rows, panel.column_of(int(open_ms))])]
            if len(rows):
                batches.append(_final_batch(book, timeframe, int(open_ms), rows, now_ms, context))
        marks.told_through_ms = np.where(ready, np.maximum(marks.told_through_ms, through), marks.told_through_ms)
    return batches


def late_finals(book: Book, now_ms: int, most: int = LATE_AT_ONCE) -> list[SignalBatch]:
    """The signals of candles that closed while nothing was scanning, oldest first, about `most` at once.

    They say by their timestamp that they were made now; nobody knows any more what the whole market looked like. Those
    of which the panel does not hold the whole window any more are left out.
    """
    batches: list[SignalBatch] = []
    left = most
    for timeframe, panel in book.panels.items():
        step, marks = panel.timeframe_ms, book.marks[timeframe]
        late_ms, through = marks.late_from_ms, np.minimum(marks.final_through_ms, marks.late_until_ms - step)
        waiting = (late_ms <= through) & book.ready(timeframe) & ~book.coverage.unproven
        whole_windows = panel.open_time[WINDOW - 1 :]
        for open_ms in whole_windows[whole_windows >= late_ms[waiting].min()] if waiting.any() else ():
            due = waiting & (late_ms <= open_ms) & (open_ms <= through)
            rows = np.flatnonzero(due & ~np.isnan(panel.close[:, panel.column_of(int(open_ms))]))
            if left <= 0 or not due.any():
                break
            if len(rows):
                batches.append(_final_batch(book, timeframe, int(open_ms), rows, now_ms, Context()))
            late_ms[due] = open_ms + step
            left -= len(rows)
    return batches


def _final_batch(book: Book, timeframe: str, open_ms: int, rows: Int, now_ms: int, context: Context) -> SignalBatch:
    panel = book.panels[timeframe]
    analysis = analyse(panel.window(rows, open_ms, WINDOW), book.config)
    panel.score[rows, int(panel.column_of(open_ms))] = np.where(analysis.enough, analysis.combined_score, np.nan)
    history = panel.span("score", rows, open_ms, HISTORY)
    return _batch(book, timeframe, True, open_ms, rows, np.ones(len(rows)), analysis, history, now_ms, context)


def live(
    book: Book, now_ms: int, price: Float, price_ms: Int, context: Context, skip: dict[str, Bool]
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
    as_of_ms = book.coverage.as_of_ms
    seen = as_of_ms >= open_time_of(now_ms, length_ms(book.base))  # the candle before the forming one: whole
    for timeframe in book.timeframes:
        usable = book.ready(timeframe) & seen
        rows = np.flatnonzero(usable & ~skip.get(timeframe, np.zeros_like(usable)))
        if len(rows):
            batches.append(_live_batch(book, timeframe, rows, now_ms, price, price_ms, context))
    return batches


def _live_batch(
    book: Book, timeframe: str, rows: Int, now_ms: int, price: Float, price_ms: Int, context: Context
) -> SignalBatch:
    panel = book.panels[timeframe]
    open_ms = open_time_of(now_ms, panel.timeframe_ms)
    book.advance_to(timeframe, open_ms)
    window = book.window_now(timeframe, rows, open_ms, WINDOW, price, price_ms)
    analysis = analyse(window, book.config)
    history = panel.span("score", rows, open_ms - panel.timeframe_ms, HISTORY)
    progress = np.full(len(rows), (now_ms - open_ms) / panel.timeframe_ms)
    return _batch(book, timeframe, False, open_ms, rows, progress, analysis, history, now_ms, context)


def _batch(
    book: Book,
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
    panel = book.panels[timeframe]
    end = int(panel.column_of(open_ms)) + (1 if closed else 0)
    seen = slice(max(end - WINDOW, 0), end)
    gaps = (panel.filled[rows, seen] | np.isnan(panel.close[rows, seen])).sum(axis=1)
    return SignalBatch(
        exchange=book.exchange,
        style=book.style_of[timeframe],
        timeframe=timeframe,
        at_ms=now_ms,
        closed=closed,
        markets=book.markets if len(rows) == len(book.markets) else tuple(book.markets[row] for row in rows),
        rows=rows,
        candle_time=np.full(len(rows), open_ms, dtype=np.int64),
        progress=progress,
        analysis=analysis,
        percentile=percentile_of(np.where(analysis.enough, analysis.combined_score, np.nan), history),
        data_age_s=(now_ms - book.coverage.as_of_ms[rows]) / 1000.0,
        gaps=gaps.astype(np.int64),
        params_id=book.config.params_id,
        scoring=book.config.scoring,
        simulated=book.simulated,
        context=context,
    )
