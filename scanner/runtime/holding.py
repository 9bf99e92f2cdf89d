"""Tells readers, after each signal cycle, what is held of an exchange: the facts that freshness is judged by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from scanner.core.candles import Bool
from scanner.gateway.answers import CandleRequest, Purpose
from scanner.runtime.book import Book
from scanner.runtime.freshness import Held, Intervals, Pulse
from scanner.runtime.state import State


class Holdings:
    """Publishes what books hold, and remembers of each exchange when it last brought anything new. One thread's."""

    def __init__(self, state: State, intervals: Intervals) -> None:
        self._state, self._intervals = state, intervals
        self._pulses: dict[str, Pulse] = {}

    def publish(self, book: Book, deferred: Iterable[CandleRequest], now_ms: int) -> None:
        """`deferred` are the requests that were not made in this cycle."""
        pulse = self._pulses.setdefault(book.exchange, Pulse(now_ms))
        newest = book.newest_mark()
        pulse.feel((newest, self._price_mark(book.exchange)), now_ms)
        held = Held(
            markets=book.markets,
            base=book.base,
            as_of_ms=book.as_of_ms.copy(),
            rationed=_rows_of(book, deferred),
            final_ms={timeframe: column.copy() for timeframe, column in book.final_through_ms.items()},
            loaded={timeframe: column.copy() for timeframe, column in book.loaded.items()},
            newest_ms=newest[0],
            moved_ms=pulse.moved_ms,
            patience_ms=pulse.patience_ms(self._intervals.signals_ms),
        )
        self._state.publish_held(book.exchange, held)

    def _price_mark(self, exchange: str) -> float:
        """What the newest prices amount to."""
        table = self._state.current().ticks.get(exchange)
        return float(np.nansum(table.price[:, -1])) if table is not None and table.price.shape[1] else 0.0


def _rows_of(book: Book, deferred: Iterable[CandleRequest]) -> Bool:
    """bool[M]: markets whose refresh was put off."""
    found = np.zeros(len(book.markets), dtype=bool)
    rows = book.rows_of([request.market for request in deferred if request.purpose is Purpose.FORMING])
    found[rows[rows >= 0]] = True
    return found
