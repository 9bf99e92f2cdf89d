"""Which candles a book has to ask for: whole histories, and what has come since the newest final candle."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from scanner.core.candles import Float
from scanner.gateway.answers import CandleRequest, Purpose
from scanner.runtime.book.book import Book
from scanner.timeframes import DAY_MS, open_time_of

AGAIN = 1  # final candles asked for once more, at no cost: exchanges revise them now and then
MOVE = 0.005  # of the price: worth as much again as the volume that is lacking


def wanted(book: Book, now_ms: int, value: Float | None = None) -> list[CandleRequest]:
    """What must be asked for now: whole histories first, then the candles from the newest final one on.

    `value` (float64[M], see `refresh_value`) says what refreshing each market's forming candle is worth.
    """
    return [
        *_backfills(book, now_ms),
        *_increments(book, now_ms, np.zeros(len(book.markets)) if value is None else value),
    ]


def refresh_value(book: Book, now_ms: int, price: Float, quote_volume: Float) -> Float:
    """What asking for each market's forming candle is worth: quote currency that its volume is likely to lack.

    That is the volume of 24 hours spread evenly over the time since the last answer, once more for every 0.5 % that the
    price has moved since. A market that nobody trades is worth nothing; one of unknown volume counts as the median.

    Parameters
    ----------
    price, quote_volume : float64[M]
        Newest price and volume of 24 hours; NaN where unknown.
    """
    known = quote_volume[~np.isnan(quote_volume)]
    volume = np.where(np.isnan(quote_volume), np.median(known) if len(known) else 1.0, quote_volume)
    unseen = np.clip(volume, 0, None) / DAY_MS * np.clip(now_ms - book.coverage.as_of_ms, 0, DAY_MS)
    seen = book.panels[book.base].close[:, -1]
    moved = np.abs(price / np.where(seen > 0, seen, np.nan) - 1)
    return np.asarray(unseen * (1 + np.nan_to_num(moved, posinf=0.0) / MOVE))


def _backfills(book: Book, now_ms: int) -> Iterator[CandleRequest]:
    for timeframe, panel in book.panels.items():
        since = open_time_of(now_ms, panel.timeframe_ms) - (panel.length - 1) * panel.timeframe_ms
        for row in np.flatnonzero(~book.marks[timeframe].loaded):
            yield CandleRequest(book.markets[row], timeframe, max(since, 0), panel.length, Purpose.BACKFILL)


def _increments(book: Book, now_ms: int, value: Float) -> Iterator[CandleRequest]:
    panel, marks = book.panels[book.base], book.marks[book.base]
    step, newest = panel.timeframe_ms, marks.final_through_ms
    oldest = open_time_of(now_ms, step) - (panel.length - 1) * step  # what is older cannot be held
    for row in np.flatnonzero(marks.loaded):
        since = max(int(newest[row]) + step, oldest)
        closed = (now_ms - since) // step  # candles that have closed and are not final yet
        purpose = (Purpose.FORMING, Purpose.CLOSE, Purpose.GAP)[min(closed, 2)]
        again = AGAIN if since > oldest else 0
        since, count = since - again * step, closed + 2 + again
        yield CandleRequest(book.markets[row], book.base, since, count, purpose, float(value[row]), again)
