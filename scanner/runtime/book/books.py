"""The books by exchange: one is opened when its exchange has come up, and changed with the markets it lists."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from types import MappingProxyType

from scanner.config import StreamConfig
from scanner.core.finality import NEVER_MS
from scanner.gateway.gateway import Gateway
from scanner.markets import Market
from scanner.runtime.book.book import Book
from scanner.runtime.book.revisions import CandleTally
from scanner.runtime.warm import warm
from scanner.store.store import TrainingStore

log = logging.getLogger(__name__)

MOST_NOTES = 50


class Books:
    """The books by exchange; one thread adds and changes them, any thread may read the mapping.

    `ends_ms` is where a recording ends, None when there is none.
    """

    def __init__(
        self,
        config: StreamConfig,
        started_ms: int,
        simulated: Mapping[str, bool],
        store: TrainingStore,
        ends_ms: int | None = None,
    ) -> None:
        self._ends_ms = NEVER_MS if ends_ms is None else ends_ms
        self._config, self._started_ms, self._simulated, self._store = config, started_ms, simulated, store
        self.notes: tuple[str, ...] = ()  # what of the stored candles could not be used, and why
        self.by_exchange: Mapping[str, Book] = MappingProxyType({})
        self.filled = threading.Event()  # set once a book has candles, and when nobody need wait any more

    def open(self, gateway: Gateway) -> frozenset[Market]:
        """Open a book for every exchange that has come up, and give each the markets that are listed now; who left."""
        left: set[Market] = set()
        for exchange, markets in gateway.markets().items():
            book = self.by_exchange.get(exchange)
            held = set(book.markets) if book is not None else set()
            gone, joined = held - set(markets), [market for market in markets if market not in held]
            if joined or (markets and gone):
                fresh = (
                    self._new(exchange, markets)
                    if book is None
                    else book.with_markets(_in_place(book.markets, markets), gateway.now_ms(exchange))
                )
                self.note(warm(fresh, self._store, joined, gateway.now_ms(exchange)))
                self.by_exchange = MappingProxyType({**self.by_exchange, exchange: fresh})
            left |= gone
        return frozenset(left)

    def _new(self, exchange: str, markets: Sequence[Market]) -> Book:
        simulated = self._simulated.get(exchange, False)
        return Book(exchange, markets, self._config, self._started_ms, simulated=simulated, ends_ms=self._ends_ms)

    def tally(self, exchange: str) -> CandleTally:
        """What became of the final candles of an exchange."""
        book = self.by_exchange.get(exchange)
        return book.tally if book is not None else CandleTally()

    def note(self, told: Iterable[str]) -> None:
        """Have something shown in `status`, as long as there is not too much of it."""
        for text in told:
            log.warning("%s", text)
            if len(self.notes) < MOST_NOTES:
                self.notes = (*self.notes, text)


def _in_place(old: Sequence[Market], new: Sequence[Market]) -> tuple[Market, ...]:
    """The new markets, those known before in their old order."""
    wanted = set(new)
    return tuple(dict.fromkeys([*(market for market in old if market in wanted), *new]))
