"""Holds assembled candles to the exchange's own, a few at a time, in turn.

Longer candles are made of the shortest ones, so a part that was missed, or changed unseen, is wrong in them for good.
Whoever differs gives way to what the exchange says; final signals stay as they were.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from scanner.core.candles import Candles
from scanner.core.panel import Panel
from scanner.gateway.answers import CandleAnswer, CandleRequest, Purpose
from scanner.runtime.book.book import Book
from scanner.runtime.book.revisions import differs
from scanner.runtime.book.settling import RECENT

AT_ONCE = 2  # requests of a cycle: 500 markets on three timeframes take six hours
MOST = 99  # candles of a request: exchanges count this many as one call of the cheapest kind
PRICE, VOLUME = 1e-6, 1e-3  # relative differences up to which candles are the same


class Checks:
    """Whose turn it is on one exchange."""

    def __init__(self) -> None:
        self._turn = 0

    def wanted(self, book: Book) -> list[CandleRequest]:
        """The next few requests."""
        longer = [timeframe for timeframe in book.timeframes if timeframe != book.base]
        found: list[CandleRequest] = []
        for _ in range(len(longer) * len(book.markets)):
            if len(found) == AT_ONCE:
                break
            row, which = divmod(self._turn % (len(longer) * len(book.markets)), len(longer))
            self._turn += 1
            found.extend(_request(book, row, longer[which]))
        return found


def _request(book: Book, row: int, timeframe: str) -> Iterator[CandleRequest]:
    """For the assembled candles of a market that closed a while ago: by then nothing makes them anew."""
    if not book.ready(timeframe)[row] or book.coverage.unproven[row]:
        return
    panel, base = book.panels[timeframe], book.panels[book.base]
    settled_ms = int(book.marks[book.base].final_through_ms[row]) - RECENT * base.timeframe_ms
    first = max(int(book.coverage.complete_from_ms[row]), int(panel.open_time[0]))
    opens = panel.open_time[(panel.open_time >= first) & (panel.open_time + panel.timeframe_ms <= settled_ms)][-MOST:]
    if len(opens):
        yield CandleRequest(book.markets[row], timeframe, int(opens[0]), len(opens), Purpose.CHECK)


def compare(book: Book, answers: Sequence[CandleAnswer]) -> None:
    """Count what differs beyond the tolerance, and put the exchange's own candles in its place."""
    for answer in answers:
        panel, row = book.panels[answer.request.timeframe], book.row_of(answer.request.market)
        columns = panel.column_of(answer.open_time)
        known = np.flatnonzero((columns >= 0) & (columns < panel.length))
        candles = Candles(*(getattr(answer, name)[known] for name in Panel.COLUMNS[:5]))
        rows = np.full(len(known), row, dtype=np.int64)
        other = differs(panel, rows, columns[known], candles, PRICE, VOLUME)
        book.tally.checked += len(known)
        book.tally.mismatched += len(other)
        if len(other):
            book.correct(answer.request.timeframe, rows[other], answer.open_time[known[other]], candles.rows(other))
