"""Tells readers, after each signal cycle, what is held of an exchange: the facts that freshness is judged by."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from scanner.core.candles import Bool
from scanner.gateway.answers import CandleRequest, Purpose
from scanner.runtime.book.book import Book
from scanner.runtime.freshness import Held, Intervals, Pulse
from scanner.runtime.state import State
from scanner.runtime.ticks import TickTable


class Holdings:
    """Publishes what books hold and when anything of an exchange last changed, candles and prices each by itself.

    Candles are told by the thread of the signal stream, prices by that of the price stream.
    """

    def __init__(self, state: State, intervals: Intervals) -> None:
        self._state, self._intervals = state, intervals
        self._candles: dict[str, Pulse] = {}
        self._prices: dict[str, Pulse] = {}

    def publish(self, book: Book, deferred: Iterable[CandleRequest], now_ms: int) -> None:
        """`deferred` are the requests that were not made in this cycle."""
        newest = book.newest_mark()
        pulse = self._candles.setdefault(book.exchange, Pulse(self._intervals.signals_ms, now_ms))
        held = Held(
            markets=book.markets,
            base=book.base,
            as_of_ms=book.coverage.as_of_ms.copy(),
            rationed=_rows_of(book, deferred),
            final_ms={timeframe: marks.final_through_ms.copy() for timeframe, marks in book.marks.items()},
            loaded={timeframe: marks.loaded.copy() for timeframe, marks in book.marks.items()},
            newest_ms=newest[0],
            stir=pulse.feel(newest, now_ms),
        )
        self._state.publish_held(book.exchange, held)

    def feel_prices(self, exchange: str, table: TickTable) -> None:
        """Take note of the newest sweep of prices."""
        at_ms = int(table.time_ms[-1])
        pulse = self._prices.setdefault(exchange, Pulse(self._intervals.prices_ms, at_ms))
        newest = table.price[:, -1]
        self._state.publish_stir(exchange, pulse.feel((np.nansum(newest), np.isnan(newest).sum()), at_ms))


def _rows_of(book: Book, deferred: Iterable[CandleRequest]) -> Bool:
    """bool[M]: markets whose refresh was put off."""
    found = np.zeros(len(book.markets), dtype=bool)
    rows = book.rows_of([request.market for request in deferred if request.purpose is Purpose.FORMING])
    found[rows[rows >= 0]] = True
    return found
