"""What the stream of the full scan does in one run: it ranks what is held, asking for nothing."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import Any, Protocol

from scanner.clock import Clock
from scanner.core.candles import Candles, Int
from scanner.fullscan.panel import HeldCandles
from scanner.records import iso
from scanner.runtime.book.book import Book
from scanner.runtime.book.books import Books
from scanner.runtime.cycles.signals import FIRST_WAIT_S
from scanner.runtime.state import State
from scanner.runtime.ticks import TickTable
from scanner.timeframes import HOUR_MS, length_ms


class FullScan(Protocol):
    """What the 90 s stream does: rank what is held, asking for nothing; JSON-ready rows, best first."""

    def __call__(self, held: Iterable[HeldCandles], now_ms: int, deadline_s: float) -> list[dict[str, Any]]: ...


class HeldByBook:
    """One book's candles on the timeframe of the full scan; see `fullscan.panel.HeldCandles`."""

    def __init__(self, book: Book, timeframe: str, ticks: TickTable, now_ms: int) -> None:
        self.exchange, self.timeframe, self.markets = book.exchange, timeframe, book.markets
        self.simulated = book.simulated
        self._book, self._now_ms = book, now_ms
        self._price, self._price_ms = ticks.newest(book.markets)

    def window(self, rows: Int | None, length: int) -> tuple[Int, Candles]:
        return self._book.newest(self.timeframe, rows, length, self._now_ms, self._price, self._price_ms)


def full_scan_timeframe(timeframes: Iterable[str]) -> str:
    """The timeframe a full scan looks at: the longest up to an hour, else the shortest there is."""
    lengths = {timeframe: length_ms(timeframe) for timeframe in timeframes}
    short = [timeframe for timeframe, length in lengths.items() if length <= HOUR_MS]
    return max(short, key=lengths.__getitem__) if short else min(lengths, key=lengths.__getitem__)


class FullScanCycle:
    """Every 90 s: the comprehensive ranking; the first one waits for the first candles."""

    TOP = 10

    def __init__(self, books: Books, state: State, clock: Clock, scan: FullScan, deadline_s: float) -> None:
        self._books, self._state, self._clock, self._scan = books, state, clock, scan
        self._deadline_s = deadline_s

    def __call__(self) -> None:
        self._books.filled.wait(FIRST_WAIT_S)
        now_ms = self._clock.now_ms()
        rows = self._scan(self._held(now_ms), now_ms, self._deadline_s)
        result = {
            "timestamp": iso(now_ms),
            "total_signals": len(rows),
            "top_opportunities": rows[: self.TOP],
        }
        self._state.publish(full_scan=MappingProxyType(result))

    def _held(self, now_ms: int) -> list[HeldByBook]:
        ticks = self._state.current().ticks
        return [
            HeldByBook(
                book, full_scan_timeframe(book.timeframes), ticks.get(name, TickTable.empty(book.markets)), now_ms
            )
            for name, book in self._books.by_exchange.items()
        ]
