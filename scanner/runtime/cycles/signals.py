"""What the stream of signals does in one run: candles in, signals out."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from scanner.clock import Clock
from scanner.core.candles import Bool
from scanner.core.finality import NEVER_MS
from scanner.gateway.answers import CandleRequest, CandleSweep, Purpose
from scanner.gateway.gateway import Gateway
from scanner.runtime import signals
from scanner.runtime.allocator import give_back
from scanner.runtime.asking import refresh_value, wanted
from scanner.runtime.batches import SignalBatch
from scanner.runtime.book.book import Book
from scanner.runtime.book.books import Books
from scanner.runtime.checking import Checks, compare
from scanner.runtime.holding import Holdings
from scanner.runtime.recorder import Recorder
from scanner.runtime.state import Key, Snapshot, State
from scanner.runtime.ticks import TickTable
from scanner.runtime.warm import proven
from scanner.runtime.watch import GapWatch
from scanner.timeframes import length_ms

FIRST_WAIT_S = 20.0  # how long a first cycle waits for an exchange to come up
LATE_COMERS_S = 3.0  # and, once one has, for the others


class SignalCycle:
    """Every 30 s: candles in, signals out; each exchange as soon as its candles are there."""

    def __init__(
        self,
        gateway: Gateway,
        books: Books,
        state: State,
        recorder: Recorder,
        watch: GapWatch,
        clock: Clock,
        deadline_s: float,
        evaluate: Callable[[], None],
        holdings: Holdings,
    ) -> None:
        self._gateway, self._books, self._state, self._holdings = gateway, books, state, holdings
        self._recorder, self._watch, self._clock, self._deadline_s = recorder, watch, clock, deadline_s
        self._evaluate = evaluate  # the market state: a first cycle has it made anew as soon as there are candles
        self._checks: dict[str, Checks] = {}
        self._first = True
        self._looked_ms: dict[str, int] = {}  # up to when candles had closed in what each exchange answered first
        self._over = threading.Event()
        self.settled_ms = 0  # market time at which the last cycle began in which nothing stayed open

    def __call__(self) -> None:
        began_ms, whole = self._clock.now_ms(), True
        self._watch.beat(self._gateway.states(), self._gateway.now_ms)
        if self._first:
            self._gateway.wait_ready(FIRST_WAIT_S)
        done: set[str] = set()
        while fresh := self._comers(done):
            whole &= self._sweep(fresh)
            done |= fresh
        self._first = False
        give_back()
        if done and whole:
            self.settled_ms = began_ms

    def end(self) -> None:
        """Wait for nobody any more."""
        self._over.set()
        self._books.filled.set()

    def _comers(self, done: set[str]) -> set[str]:
        """Exchanges with a book that this cycle has not been through; a first cycle waits a little for late ones."""
        ends = time.monotonic() + LATE_COMERS_S
        while True:
            self._state.forget(self._books.open(self._gateway))
            self._recorder.keep_universes(self._gateway.new_universes())
            fresh = set(self._books.by_exchange) - done
            connecting = any(state.state == "connecting" for state in self._gateway.states().values())
            if fresh or not (self._first and done and connecting) or time.monotonic() > ends or self._over.wait(0.05):
                return fresh

    def _sweep(self, exchanges: set[str]) -> bool:
        """Bring some exchanges up to now; whether every request was answered."""
        books = [self._books.by_exchange[name] for name in sorted(exchanges)]
        requests = [request for book in books for request in self._wanted(book)]
        unanswered = sum(request.purpose is not Purpose.CHECK for request in requests)
        told: dict[str, list[SignalBatch]] = {}  # final signals made of parts, before the rest was there
        for sweep in self._gateway.candles(requests, self._deadline_s):
            book, before = self._books.by_exchange[sweep.exchange], told.setdefault(sweep.exchange, [])
            if sweep.is_last:
                self._advance(book, sweep, before)
            else:
                before += self._take_part(book, sweep)
            unanswered -= sum(answer.request.purpose is not Purpose.CHECK for answer in sweep.answers)
        return unanswered == 0

    def _wanted(self, book: Book) -> list[CandleRequest]:
        now_ms = self._gateway.now_ms(book.exchange)
        table = self._state.current().ticks.get(book.exchange, TickTable.empty(book.markets))
        price, _ = table.newest(book.markets)
        value = refresh_value(book, now_ms, price, table.newest_volume(book.markets))
        checks = self._checks.setdefault(book.exchange, Checks())
        return [*wanted(book, now_ms, value), *checks.wanted(book)]

    def _take(self, book: Book, sweep: CandleSweep, now_ms: int) -> None:
        answers, strange = proven(book, sweep.answers)
        self._books.note(strange)
        book.take([answer for answer in answers if answer.request.purpose is not Purpose.CHECK], now_ms)
        compare(book, [answer for answer in answers if answer.request.purpose is Purpose.CHECK])

    def _take_part(self, book: Book, part: CandleSweep) -> list[SignalBatch]:
        """Make the final signals that closes allow before the rest is there; of histories only the scores."""
        now_ms = self._gateway.now_ms(book.exchange)
        self._take(book, part, now_ms)
        if all(answer.request.purpose is Purpose.BACKFILL for answer in part.answers):
            signals.score_history(book)
            return []
        finals = self._finals(book, now_ms)
        self._publish(book, finals, [], now_ms)
        return finals

    def _advance(self, book: Book, sweep: CandleSweep, told: list[SignalBatch]) -> None:
        """Bring one exchange up to now: merge, score, keep, publish; `told` are finals that this cycle has made."""
        now_ms = self._gateway.now_ms(book.exchange)
        self._take(book, sweep, now_ms)
        signals.score_history(book)
        self._books.filled.set()
        if self._first:
            self._evaluate()
        finals, context = self._finals(book, now_ms), self._state.current().context
        just_final = _just_final([*told, *finals], len(book.markets))
        lives = signals.live(book, now_ms, *self._newest_prices(book), context, just_final)
        self._publish(book, finals, lives, now_ms)
        self._watch.advanced(book, now_ms)
        self._recorder.keep_candles(book.newly_closed(self._recorder.room), now_ms)
        late = self._recorder.unknown(signals.late_finals(book, now_ms))
        self._state.publish_signals({}, self._recorder.keep(late, book.markets, now_ms), self._buffers())
        self._holdings.publish(book, sweep.deferred, now_ms)
        if book.exchange not in self._looked_ms and book.coverage.as_of_ms.any():
            self._looked_ms[book.exchange] = max(now_ms, book.newest_mark()[0])

    def _finals(self, book: Book, now_ms: int) -> list[SignalBatch]:
        """The final signals that are news: not those an earlier run has told, when our clock was behind that one's.

        That one can have told only of what had closed when we first looked: the disk is not asked about the rest. What
        is simulated or replayed is told again, as every run may live through the same time.
        """
        made = signals.finals(book, now_ms, self._state.current().context)
        if book.simulated:
            return made
        looked_ms = self._looked_ms.get(book.exchange, NEVER_MS)
        old = [batch for batch in made if _closed_ms(batch) <= looked_ms]
        fresh = [batch for batch in made if _closed_ms(batch) > looked_ms]
        return [*self._recorder.unknown(old), *fresh]

    def _publish(self, book: Book, finals: list[SignalBatch], lives: list[SignalBatch], now_ms: int) -> None:
        kept = self._recorder.keep([*finals, *lives], book.markets, now_ms)
        self._state.publish_signals(newest_of(self._state.current(), book, finals, lives), kept, self._buffers())

    def _buffers(self) -> int:
        """How many candle buffers there are: one per market and timeframe whose history is known."""
        return sum(
            int(marks.loaded.sum()) for book in self._books.by_exchange.values() for marks in book.marks.values()
        )

    def _newest_prices(self, book: Book) -> tuple[Any, Any]:
        table = self._state.current().ticks.get(book.exchange, TickTable.empty(book.markets))
        return table.newest(book.markets)


def _closed_ms(batch: SignalBatch) -> int:
    return int(batch.candle_time[0]) + length_ms(batch.timeframe)


def _just_final(finals: list[SignalBatch], markets: int) -> dict[str, Bool]:
    """Per timeframe, which markets got a final signal in this cycle."""
    found: dict[str, Bool] = {}
    for batch in finals:
        found.setdefault(batch.timeframe, np.zeros(markets, dtype=bool))[batch.rows] = True
    return found


def newest_of(
    snapshot: Snapshot, book: Book, finals: list[SignalBatch], lives: list[SignalBatch]
) -> dict[Key, tuple[SignalBatch, ...]]:
    """The newest signal of every market of a book; one that got none in this cycle keeps what it had."""
    newest: dict[Key, tuple[SignalBatch, ...]] = {}
    for timeframe in book.timeframes:
        key = (book.exchange, timeframe)
        made = [batch for batch in (*lives, *finals) if batch.timeframe == timeframe]
        if made:
            newest[key] = _topmost([*snapshot.newest.get(key, ()), *made], book)
    return newest


def _topmost(batches: list[SignalBatch], book: Book) -> tuple[SignalBatch, ...]:
    """Of each batch the markets that none after it holds, and that the book still has."""
    covered = np.zeros(len(book.markets), dtype=bool)
    chosen = []
    for batch in reversed(batches):
        rows = book.rows_of(batch.markets)
        shown = (rows >= 0) & ~covered[rows]
        covered[rows[shown]] = True
        if shown.any():
            chosen.append(batch if shown.all() else batch.take(np.flatnonzero(shown)))
    return tuple(reversed(chosen))
