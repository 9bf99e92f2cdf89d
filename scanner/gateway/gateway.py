"""The gateway as streams see it: plain calls from plain threads, one asyncio loop behind them.

Answers come as iterators that yield each exchange's as it lands; an exchange that hangs is cut at the deadline and
delays nobody. An exchange that cannot answer yields nothing, or a sweep with everything deferred; `states` says why.
"""

from __future__ import annotations

import asyncio
import logging
import queue
import threading
import time
import weakref
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Generic, TypeVar

from scanner.clock import Clock
from scanner.errors import InvalidInput, NotRunning
from scanner.gateway.answers import CandleRequest, CandleSweep, ExchangeState, PriceAnswer
from scanner.gateway.client import ExchangeClient
from scanner.gateway.loop import LoopThread
from scanner.gateway.membership import Wish
from scanner.gateway.push import check_transport
from scanner.gateway.push.client import PushedClient
from scanner.gateway.relisting import RELIST_S
from scanner.gateway.snapshots import UniverseSnapshot
from scanner.gateway.specs import ExchangeSpec
from scanner.markets import Market
from scanner.order import Capacity
from scanner.renames import KNOWN, Renames
from scanner.timeframes import length_ms
from scanner.universe import Universe

log = logging.getLogger(__name__)
T = TypeVar("T")

GRACE_S = 0.25  # an exchange's own deadline comes first, so that its partial answer still arrives


class Gateway:
    """Watches `symbols`, or what `universe` chooses, on every exchange of `specs`. Started once and stopped once.

    Parameters
    ----------
    clock : Clock
        Market time; deadlines and intervals are real seconds all the same.
    timeframes : sequence of str
        Those that will be asked for; an exchange without the shortest is of no use and says so.
    weight_share : float
        Share of an exchange's request weight that may be used, 0 to 1.
    timeout_s : float
        Longest wait for one HTTP answer.
    price_interval_s : float
        Real seconds between price sweeps; after three without data an exchange is late.
    transport : str
        ``rest``, or ``push``: by websocket while that is well, by REST where and while it is not.
    universe : Universe or None
        Chooses the markets of each exchange, in place of `symbols`.
    renames : Renames
        Coins that are looked for by their other names too.
    relist_s : float
        Real seconds between two looks at an exchange's list of markets.
    capacity : Capacity or None
        How many markets of a universe there is room for on all exchanges together.
    remembered : mapping
        Exchange -> the symbols that the universe had chosen when it was last scanned.

    Raises
    ------
    InvalidInput
        Two exchanges have one id, there is no timeframe, or an exchange does not push what it should.
    """

    def __init__(
        self,
        specs: Sequence[ExchangeSpec],
        symbols: Sequence[str],
        clock: Clock,
        *,
        timeframes: Sequence[str],
        weight_share: float = 0.7,
        timeout_s: float = 10.0,
        price_interval_s: float = 5.0,
        transport: str = "rest",
        universe: Universe | None = None,
        renames: Renames = KNOWN,
        relist_s: float = RELIST_S,
        capacity: Capacity | None = None,
        remembered: Mapping[str, frozenset[str]] = MappingProxyType({}),
    ) -> None:
        if len({spec.id for spec in specs}) != len(specs):
            raise InvalidInput("exchanges", [spec.id for spec in specs], "names one exchange twice")
        if not timeframes:
            raise InvalidInput("timeframes", list(timeframes), "is empty")
        check_transport(specs, transport)
        client = PushedClient if transport == "push" else ExchangeClient
        self._ready, self._capacity = threading.Event(), capacity
        self._clients = {
            spec.id: client(
                spec,
                Wish(tuple(symbols), universe, renames),
                clock,
                min(timeframes, key=length_ms),
                weight_share=weight_share,
                timeout_s=timeout_s,
                price_interval_s=price_interval_s,
                relist_s=relist_s,
                remembered=remembered.get(spec.id, frozenset()),
                capacity=partial(self._room, spec.id),
                on_usable=self._ready.set,
            )
            for spec in specs
        }
        self._loop = LoopThread("gateway")
        self._lock = threading.Lock()
        self._open: weakref.WeakSet[_Mailbox[Any]] = weakref.WeakSet()

    def start(self) -> None:
        """Begin listing markets in the background; returns at once."""
        self._loop.start()
        for client in self._clients.values():
            for work in client.work():
                self._submit(work, _log_fault)

    def stop(self, deadline_s: float = 4.0) -> None:
        """End every task, socket and thread, whatever hangs; iterators in use end at once. May be called again."""
        self._ready.set()
        with self._lock:
            boxes = list(self._open)
        for box in boxes:
            box.end()
        self._loop.stop(deadline_s, self._close_clients)

    def markets(self) -> dict[str, tuple[Market, ...]]:
        """Usable markets of every exchange, as requested; empty until it has listed them."""
        return {name: tuple(client.usable) for name, client in self._clients.items()}

    def skipped(self) -> dict[str, str]:
        """``binance:MATIC/USDT`` -> why it is not scanned there."""
        return {
            f"{name}:{symbol}": reason
            for name, client in self._clients.items()
            for symbol, reason in client.skipped.items()
        }

    def renamed(self) -> dict[str, str]:
        """``binance:MATIC/USDT`` -> the symbol it is scanned as there."""
        return {
            f"{name}:{symbol}": own
            for name, client in self._clients.items()
            for symbol, own in client.members.renamed.items()
        }

    def delisted(self, exchange: str) -> tuple[Market, ...]:
        """Markets that were scanned until the exchange took them off its list."""
        return tuple(Market(exchange, symbol) for symbol in sorted(self._clients[exchange].members.delisted))

    def universes(self) -> dict[str, UniverseSnapshot]:
        """Who is in the scan of every exchange by the universe, once it has listed its markets."""
        snapshots = {name: client.members.snapshot for name, client in self._clients.items()}
        return {name: snapshot for name, snapshot in snapshots.items() if snapshot is not None}

    def new_universes(self) -> list[UniverseSnapshot]:
        """The refreshes since the last call, oldest first on each exchange."""
        taken = []
        for client in self._clients.values():
            while client.snapshots:
                taken.append(client.snapshots.popleft())
        return taken

    def states(self) -> dict[str, ExchangeState]:
        """How every exchange is doing now."""
        return {name: client.state() for name, client in self._clients.items()}

    def now_ms(self, exchange: str) -> int:
        """Market time by this exchange's own clock, which may differ from ours; see `exchange_clock`."""
        return self._clients[exchange].now_ms()

    def wait_ready(self, deadline_s: float) -> bool:
        """Wait until an exchange has usable markets; False when none has at the deadline, or after a stop."""
        return self._ready.wait(deadline_s) and any(self.markets().values())

    def prices(self, deadline_s: float) -> Iterator[PriceAnswer]:
        """Ask every exchange for its prices now; each answer is yielded as it lands.

        Exchanges without an answer are left out. After `stop` there are none.
        """
        box: _Mailbox[PriceAnswer] = _Mailbox(len(self._clients))
        asked = [client.prices(deadline_s) for client in self._clients.values()]
        return self._gather(box, asked, deadline_s)

    def candles(self, requests: Iterable[CandleRequest], deadline_s: float) -> Iterator[CandleSweep]:
        """Ask for candles now; one sweep per exchange, yielded as it completes, and parts of it before.

        Every request is answered, deferred or failed in its exchange's sweep, or answered in a part of it; one market's
        failure is its own.

        Raises
        ------
        InvalidInput
            A request names an exchange that this gateway does not watch.
        """
        batches: dict[str, list[CandleRequest]] = {}
        for request in requests:
            batches.setdefault(request.market.exchange, []).append(request)
        for name in batches:
            if name not in self._clients:
                raise InvalidInput("exchange", name, f"is not one of {', '.join(self._clients)}")
        box: _Mailbox[CandleSweep] = _Mailbox(len(batches))
        asked = [self._clients[name].candles(batch, deadline_s, box.deliver_part) for name, batch in batches.items()]
        return self._gather(box, asked, deadline_s)

    def _gather(
        self, box: _Mailbox[T], work: Sequence[Coroutine[Any, Any, T | None]], deadline_s: float
    ) -> Iterator[T]:
        """Start all of `work`; the iterator yields what is not None, in order of arrival."""
        with self._lock:
            self._open.add(box)
        for each in work:
            self._submit(each, box.deliver)
        return box.arrivals(time.monotonic() + deadline_s + GRACE_S)

    def _submit(self, work: Coroutine[Any, Any, T], done: Callable[[Future[T]], None]) -> None:
        """Start `work` and hand its future to `done` at the end, at once when the loop does not run."""
        try:
            future = self._loop.submit(work)
        except NotRunning:
            future = Future()
            future.cancel()
        future.add_done_callback(done)

    def _room(self, exchange: str) -> Capacity | None:
        """What the other exchanges leave of the capacity."""
        if self._capacity is None:
            return None
        others = sum(len(client.usable) for name, client in self._clients.items() if name != exchange)
        return replace(self._capacity, markets=max(self._capacity.markets - others, 0))

    async def _close_clients(self) -> None:
        closing = (client.close() for client in self._clients.values())
        for outcome in await asyncio.gather(*closing, return_exceptions=True):
            if isinstance(outcome, BaseException):
                log.warning("closing an exchange failed: %r", outcome)


class _Mailbox(Generic[T]):
    """Where `expected` answers and parts of them arrive from the loop, to be read by one waiting thread."""

    def __init__(self, expected: int) -> None:
        self._missing = expected
        self._queue: queue.SimpleQueue[tuple[int, T | None]] = queue.SimpleQueue()  # how many answers are complete now

    def end(self) -> None:
        """No more is to come."""
        self._queue.put((self._missing, None))

    def deliver(self, future: Future[T | None]) -> None:
        """The outcome of a task; nothing when it was cancelled or failed."""
        _log_fault(future)
        failed = future.cancelled() or future.exception() is not None
        self._queue.put((1, None if failed else future.result()))

    def deliver_part(self, part: T) -> None:
        """Of an answer that is to follow."""
        self._queue.put((0, part))

    def arrivals(self, until: float) -> Iterator[T]:
        """Answers that are not None, until all came, `end` was called or it is `until`."""
        while self._missing > 0:
            try:
                complete, answer = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except queue.Empty:
                return
            self._missing -= complete
            if answer is not None:
                yield answer


def _log_fault(future: Future[Any]) -> None:
    """Failures of exchanges never get here as errors: what does is a fault of ours."""
    if not future.cancelled() and (error := future.exception()) is not None:
        log.error("a task of the gateway failed", exc_info=error)
