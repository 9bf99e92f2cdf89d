"""Which candles a book has to ask for: whole histories, and what has come since the newest final candle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scanner.gateway.answers import CandleRequest, Purpose
from scanner.runtime.book import Book
from scanner.timeframes import open_time_of


def wanted(book: Book, now_ms: int) -> list[CandleRequest]:
    """What must be asked for now: whole histories first, then the candles since the newest final one."""
    return [*_backfills(book, now_ms), *_increments(book, now_ms)]


def _backfills(book: Book, now_ms: int) -> Iterator[CandleRequest]:
    for timeframe, panel in book.panels.items():
        since = open_time_of(now_ms, panel.timeframe_ms) - (panel.length - 1) * panel.timeframe_ms
        for row in np.flatnonzero(~book.loaded[timeframe]):
            yield CandleRequest(book.markets[row], timeframe, max(since, 0), panel.length, Purpose.BACKFILL)


def _increments(book: Book, now_ms: int) -> Iterator[CandleRequest]:
    step = book.panels[book.base].timeframe_ms
    newest = book.final_through_ms[book.base]
    for row in np.flatnonzero(book.loaded[book.base]):
        since = int(newest[row]) + step
        closed = (now_ms - since) // step  # candles that have closed and are not final yet
        purpose = (Purpose.FORMING, Purpose.CLOSE, Purpose.GAP)[min(closed, 2)]
        yield CandleRequest(book.markets[row], book.base, since, closed + 2, purpose)
