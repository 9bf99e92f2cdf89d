"""What each of the four streams does in one run."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Protocol

import numpy as np

from scanner.clock import Clock
from scanner.config import StreamConfig
from scanner.core.breadth import market_breadth
from scanner.core.candles import Bool, Candles, Int
from scanner.core.finality import NEVER_MS
from scanner.core.volatility import volatility_regime
from scanner.fullscan.panel import HeldCandles
from scanner.gateway.answers import CandleRequest, CandleSweep, Purpose
from scanner.gateway.gateway import Gateway
from scanner.markets import Market
from scanner.records import iso
from scanner.runtime import signals
from scanner.runtime.allocator import give_back
from scanner.runtime.asking import refresh_value, wanted
from scanner.runtime.batches import Context, SignalBatch
from scanner.runtime.book.book import Book
from scanner.runtime.book.revisions import CandleTally
from scanner.runtime.checking import Checks, compare
from scanner.runtime.holding import Holdings
from scanner.runtime.recorder import Recorder
from scanner.runtime.state import Key, Snapshot, State
from scanner.runtime.ticks import TickTable
from scanner.runtime.warm import proven, warm
from scanner.runtime.watch import GapWatch
from scanner.store.store import TrainingStore
from scanner.timeframes import HOUR_MS, length_ms

log = logging.getLogger(__name__)

ACTIVE_SCORE = 60.0  # a newest signal above this counts as active
FIRST_WAIT_S = 20.0  # how long a first cycle waits for an exchange to come up
MOST_NOTES = 50
LATE_COMERS_S = 3.0  # and, once one has, for the others


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


class PriceCycle:
    """Every 5 s: the newest price of every market, in bulk."""

    def __init__(
        self, gateway: Gateway, state: State, holdings: Holdings, config: StreamConfig, deadline_s: float
    ) -> None:
        self._gateway, self._state, self._keep = gateway, state, config.max_ticks_buffer
        self._holdings = holdings
        self._deadline_s = deadline_s

    def __call__(self) -> None:
        markets = self._gateway.markets()
        for answer in self._gateway.prices(self._deadline_s):
            table = self._state.current().ticks.get(answer.exchange, TickTable.empty(()))
            table = table.of(tuple(dict.fromkeys([*markets.get(answer.exchange, ()), *answer.markets])))
            columns = (answer.price, answer.quote_volume, answer.bid, answer.ask)
            table = table.with_sweep(answer.at_ms, answer.markets, columns, self._keep)
            self._state.publish_ticks(answer.exchange, table)
            self._holdings.feel_prices(answer.exchange, table)


class MarketStateCycle:
    """Every 60 s: breadth over the ticks, volatility regime over the candles, how many signals are active."""

    def __init__(self, books: Books, state: State, config: StreamConfig, clock: Clock) -> None:
        self._books, self._state, self._clock = books, state, clock
        self._candles_per_hour = max(HOUR_MS // length_ms(config.base_timeframe), 6)

    def __call__(self) -> None:
        snapshot = self._state.current()
        breadth = market_breadth([table.price for table in snapshot.ticks.values()])
        regime = self._regime()
        state = {
            "timestamp": iso(self._clock.now_ms()),
            "breadth": {
                "advancing": breadth.advancing,
                "declining": breadth.declining,
                "breadth_ratio": breadth.breadth_ratio,
                "market_bias": breadth.market_bias,
            },
            "volatility_regime": regime,
            "active_signals": active_signals(snapshot),
        }
        self._state.publish(market_state=MappingProxyType(state), context=Context(breadth.breadth_ratio, regime))

    def _regime(self) -> str:
        closes = [book.closed_base() for book in self._books.by_exchange.values()]
        if not closes:
            return "unknown"
        shortest = min(close.shape[1] for close in closes)
        together = np.concatenate([close[:, -shortest:] for close in closes])
        return volatility_regime(together, self._candles_per_hour).regime


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
        finals = signals.finals(book, now_ms, self._state.current().context)
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
        context = self._state.current().context
        finals = signals.finals(book, now_ms, context)
        just_final = _just_final([*told, *finals], len(book.markets))
        lives = signals.live(book, now_ms, *self._newest_prices(book), context, just_final)
        self._publish(book, finals, lives, now_ms)
        self._watch.advanced(book, now_ms)
        self._recorder.keep_candles(book.newly_closed(self._recorder.room), now_ms)
        late = self._recorder.unknown(signals.late_finals(book, now_ms))
        self._state.publish_signals({}, self._recorder.keep(late, book.markets, now_ms), self._buffers())
        self._holdings.publish(book, sweep.deferred, now_ms)

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


def active_signals(snapshot: Snapshot) -> int:
    """How many newest signals score above 60."""
    return sum(int((batch.score > ACTIVE_SCORE).sum()) for batches in snapshot.newest.values() for batch in batches)


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
