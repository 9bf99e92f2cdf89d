"""One exchange: its markets, its prices, its candles, and how it is doing.

Everything here runs on the gateway's loop; what other threads read (`health`, `usable`, `skipped`) is frozen and
replaced whole.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from typing import Any

from scanner.clock import Clock
from scanner.errors import BadAnswer, ExchangeFailure, RateLimited, RefusedRegion, UnknownSymbol, Unsupported
from scanner.gateway.answers import CandleRequest, CandleSweep, ExchangeState, PriceAnswer
from scanner.gateway.asking import Asker
from scanner.gateway.backlog import Backlog
from scanner.gateway.breaker import Breaker, pause_s
from scanner.gateway.budget import Budget, OverBudget
from scanner.gateway.candles import CandleReader
from scanner.gateway.connection import connect, most_at_once, weight_table
from scanner.gateway.docket import Docket
from scanner.gateway.exchange_clock import ExchangeClock
from scanner.gateway.failures import own_errors
from scanner.gateway.fitness import shortcoming
from scanner.gateway.flight import OutOfTime, in_time
from scanner.gateway.health import Health
from scanner.gateway.listing import Listing
from scanner.gateway.membership import Members, Wish, members_of
from scanner.gateway.parts import Deliver, Parts
from scanner.gateway.prices import PriceReader, weight_per_window
from scanner.gateway.purse import purse_of
from scanner.gateway.relisting import RELIST_S, RELIST_SOON_S, Relisting
from scanner.gateway.snapshots import UniverseSnapshot
from scanner.gateway.specs import ExchangeSpec
from scanner.gateway.symbols import Listed
from scanner.gateway.turnover import read_volumes
from scanner.markets import Market
from scanner.order import Capacity

log = logging.getLogger(__name__)

PATIENCE_S = 2.0  # nothing is begun with less time left; an exchange that was given less is not to blame
MOST_SNAPSHOTS = 100  # a universe's, kept for whoever comes to take them


class ExchangeClient:
    """Owns one ccxt instance. Build, `run` as a task, ask `prices` and `candles`, `close`; all on one loop."""

    def __init__(
        self,
        spec: ExchangeSpec,
        wish: Wish,
        clock: Clock,
        base_timeframe: str,
        *,
        weight_share: float,
        timeout_s: float,
        price_interval_s: float,
        relist_s: float = RELIST_S,
        remembered: frozenset[str] = frozenset(),
        capacity: Callable[[], Capacity | None] = lambda: None,
        on_usable: Callable[[], None] = lambda: None,
        steady: Callable[[], float] = time.monotonic,
    ) -> None:
        self.spec, self.wish, self.clock, self.capacity = spec, wish, ExchangeClock(clock), capacity
        self.relist_s = relist_s
        self.base_timeframe, self.timeout_s, self.price_interval_s = base_timeframe, timeout_s, price_interval_s
        self.on_usable, self.steady = on_usable, steady
        self.exchange = connect(spec, timeout_s, self._seen)
        self.weights = weight_table(self.exchange, spec.pace)
        kept = weight_per_window(self.weights, wish.expected, price_interval_s)
        self.budget = Budget(self.weights.limit, self.weights.window_s, weight_share, kept)
        self.purse = purse_of(self.budget, spec, steady)
        self.breaker = Breaker(longest_pause_s=price_interval_s)
        self.health = Health()
        self.members = Members(remembered=remembered)
        self.snapshots: deque[UniverseSnapshot] = deque(maxlen=MOST_SNAPSHOTS)  # that nobody has taken yet
        self._at_once = most_at_once(self.exchange)
        self._asker = Asker(self.exchange, self.purse, steady)
        self._asker.may_go_on = self._is_welcome
        self._prices = PriceReader(spec.id, self.exchange, self.weights, self._asker.prices, self._at_once)
        self._candles = CandleReader(self.clock, self.weights.candles, self._asker.candles)
        self._docket = Docket(self.budget, self.clock, base_timeframe, self.weights.candles)
        self._backlog = Backlog()
        self._weight = self.purse.state()
        self._relist, self._relisting = asyncio.Event(), Relisting()
        self._doubted = False  # whether the newest choice waits for a second look
        self._state = "connecting"

    # What other threads may read

    def state(self) -> ExchangeState:
        """How this exchange is doing now."""
        health = self.health
        word, cause = health.state(self.steady(), self.price_interval_s)
        idle = isinstance(health.failure, Unsupported) or (health.failure is None and health.unusable is not None)
        deferred = self._backlog.figures(self.steady())
        return ExchangeState(
            self.spec.id,
            word,
            cause,
            len(self.usable),
            health.last_data_ms,
            self._weight,
            deferred,
            self.clock.ahead_ms,
            idle,
            listing_cause=health.listing,
        )

    def now_ms(self) -> int:
        """Market time as this exchange counts it."""
        return self.clock.now_ms()

    @property
    def usable(self) -> dict[Market, Listing]:
        """The markets that are scanned."""
        return self.members.usable

    @property
    def skipped(self) -> dict[str, str]:
        """Symbol -> why it is not scanned."""
        return self.members.skipped

    # Lifetime

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run as tasks, from the start to the end."""
        return [self.run()]

    async def run(self) -> None:
        """List the markets, again until it works, then every `relist_s`; sooner where a list is to be doubted."""
        if not self._offers_candles():
            return
        failed = 0
        await self.purse.sync()
        self._is_welcome()
        while True:
            await asyncio.sleep(self.breaker.wait_s(self.steady()))
            if await self._list_markets():
                failed = 0
                self._relist.clear()
                soon_s = min(RELIST_SOON_S, self.relist_s)
                pause = self._relisting.pause_s(self.members.delisted, self.relist_s, soon_s)
                await asyncio.sleep(soon_s)
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._relist.wait(), 0.0 if self._doubted else pause - soon_s)
            else:
                longest_s = RELIST_SOON_S if self.usable else self.price_interval_s
                await asyncio.sleep(pause_s(failed, longest_s, random.random()))
                failed += 1

    async def close(self) -> None:
        """Give back sockets and sessions, and weight that is reserved."""
        await self.exchange.close()
        await self.purse.leave()

    def _offers_candles(self) -> bool:
        """Whether this exchange can be scanned at all; says so where not."""
        missing = shortcoming(self.exchange, self.base_timeframe, self.wish.universe)
        if missing is not None:
            failure = Unsupported(f"{self.spec.id} {missing}")
            self.members = Members(refused={symbol: str(failure) for symbol in self.wish.symbols})
            self._tell(failure=failure)
        return missing is None

    async def _list_markets(self) -> bool:
        """Choose the markets from a fresh list; False when there is none to be had now."""
        if not self._admit():
            return False
        try:
            with own_errors(self.spec.id):
                listed = await self._asker.lists(self.weights.markets, "load_markets", True)
            if not listed:
                raise BadAnswer(f"{self.spec.id}: lists no markets")
            volumes = await read_volumes(self.spec.id, self.exchange, self.wish.universe, listed, self._ask_all_tickers)
        except OverBudget:
            self.breaker = self.breaker.released()
            return False
        except ExchangeFailure as failure:
            await self._not_listed(failure)
            return False
        self.breaker = self.breaker.succeeded(self.steady())
        self._take_list(listed, volumes)
        return True

    async def _not_listed(self, failure: ExchangeFailure) -> None:
        """A list that does not come while markets are scanned is told beside the state: their data may well come."""
        if self.usable and not isinstance(failure, (RateLimited, RefusedRegion)):
            self.breaker = self.breaker.released()
            self._tell(listing=f"the list of markets is as it was: {failure}")
        else:
            await self._failed(failure)

    async def _ask_all_tickers(self, kind: str) -> Any:
        return await self._asker.lists(self.weights.all_tickers, "fetch_tickers", None, {"type": kind})

    def _take_list(self, listed: Listed, volumes: Mapping[str, float]) -> None:
        chosen = members_of(
            self.spec.id,
            self.exchange,
            self.wish,
            listed,
            volumes,
            self.members,
            self.clock.now_ms(),
            self.capacity(),
        )
        self._doubted = not self._doubted and self.members.loses_many(chosen)
        if self._doubted:
            stay = f"{len(self.usable)} markets, of which the newest list leaves {len(chosen.usable)}"
            self._tell(listing=f"{self.spec.id}: a second look is to confirm the end of most of {stay}")
            return
        self.members = chosen
        heard_at = self.health.heard_at if self.health.listed else self.steady()
        self._tell(listed=True, listing=None, failure=None, unusable=self.members.unusable, heard_at=heard_at)
        log.info("%s lists %d markets, %d are scanned", self.spec.id, len(listed), len(self.usable))
        if self.members.snapshot is not None and self.members.unusable is None:
            self.snapshots.append(self.members.snapshot)
        if self.usable:
            self.on_usable()

    # Prices

    async def prices(self, deadline_s: float) -> PriceAnswer | None:
        """The usable prices of all markets; None when there are none now, which `state` explains."""
        self._tell()
        if not self.usable or not self._admit():
            return None
        try:
            with own_errors(self.spec.id):
                answer = await in_time(self._read_prices(), deadline_s, min(PATIENCE_S, deadline_s / 2), self.steady)
            if not len(answer):
                raise BadAnswer(f"{self.spec.id}: no usable price in the answer")
        except (OverBudget, OutOfTime):
            self.breaker = self.breaker.released()
            return None
        except ExchangeFailure as failure:
            await self._failed(failure)
            if _concerns_exchange(failure):
                self._tell(no_prices=failure)
            return None
        self._succeeded(answer.at_ms)
        return answer

    async def _read_prices(self) -> PriceAnswer:
        listings = self.usable.values()
        names = {listing.symbol: listing.market for listing in listings}
        kinds = {listing.symbol: listing.kind for listing in listings}
        return await self._prices.read(self.clock.now_ms(), self.steady(), names, kinds)

    # Candles

    async def candles(
        self, requests: Sequence[CandleRequest], deadline_s: float, deliver: Deliver | None = None
    ) -> CandleSweep:
        """Answers to as many requests as budget, deadline and the exchange's health allow; failures stay their own.

        What can be told before the rest is given to `deliver` instead, in parts.
        """
        sweep = CandleSweep(self.spec.id, [], [], [])
        parts = Parts(sweep, deliver or (lambda part: sweep.answers.extend(part.answers)), self.steady)
        if not self.usable:
            sweep.deferred.extend(requests)
            return sweep
        until, patience_s = self.steady() + deadline_s, min(PATIENCE_S, deadline_s / 2)
        usable = self.usable
        chosen = self._plan(requests, sweep, until - patience_s)
        waiting = deque((request, usable[request.market]) for request in chosen)
        self._asker.until, self._asker.ahead = until - patience_s, lambda: len(waiting) * self.weights.candles
        async with asyncio.TaskGroup() as group:
            for _ in range(min(self._at_once, len(waiting))):
                group.create_task(self._work_off(waiting, sweep, parts, until, patience_s))
        sweep.deferred.extend(request for request, _ in waiting)
        parts.end()
        self._judge(sweep, parts.newest_ms)
        self._backlog.replace(sweep.deferred, self.steady())
        return sweep

    def _plan(self, requests: Sequence[CandleRequest], sweep: CandleSweep, until: float) -> list[CandleRequest]:
        """What to ask, in order; what cannot be asked is put where it belongs in `sweep`."""
        wanted = []
        for request in requests:
            refusal = self._refusal(request)
            if refusal is None:
                wanted.append((request, self._candles.weight_of(request, self.usable[request.market])))
            else:
                sweep.failures.append((request, refusal))
        plan = self._docket.plan(wanted, self.usable.keys(), self.steady(), until)
        sweep.deferred.extend(want.request for want in plan.deferred)
        return [want.request for want in plan.chosen]

    def _refusal(self, request: CandleRequest) -> ExchangeFailure | None:
        if request.market not in self.usable:
            return UnknownSymbol(f"{request.market}: {self.skipped.get(request.market.symbol, 'is not watched')}")
        if request.timeframe not in self.exchange.timeframes:
            return Unsupported(f"{self.spec.id} has no {request.timeframe} candles")
        return None

    async def _work_off(
        self,
        waiting: deque[tuple[CandleRequest, Listing]],
        sweep: CandleSweep,
        parts: Parts,
        until: float,
        patience_s: float,
    ) -> None:
        """Take requests until none is left, less than `patience_s` is, or the breaker opens."""
        while waiting and until - self.steady() > patience_s and self._admit():
            request, listing = waiting.popleft()
            believed_ms = self.clock.ahead_ms
            try:
                with own_errors(self.spec.id):
                    reading = self._candles.read(request, listing)
                    answer = await in_time(reading, until - self.steady(), patience_s, self.steady)
            except (OverBudget, OutOfTime):
                sweep.deferred.append(request)
                self.breaker = self.breaker.released()
            except ExchangeFailure as failure:
                sweep.failures.append((request, failure))
                self._docket.note(request, self.steady(), answered=False)
                await self._record(failure)
            else:
                self.breaker = self.breaker.succeeded(self.steady())
                if self.clock.in_doubt or self.clock.ahead_ms != believed_ms:
                    sweep.deferred.append(request)  # what is closed and what is not cannot be told now
                    continue
                self._docket.note(request, self.steady(), answered=True)
                parts.add(answer)

    def _judge(self, sweep: CandleSweep, told_ms: int | None) -> None:
        """What the sweep and its parts say about the exchange: one answer with candles is enough to call it well."""
        began = [answer.began_ms for answer in sweep.answers if len(answer)]
        began += [] if told_ms is None else [told_ms]
        if began and not self.breaker.is_open(self.steady()):
            self._tell(failure=None, no_candles=None, heard_at=self.steady(), last_data_ms=max(began))
            return
        general = [failure for _, failure in sweep.failures if _concerns_exchange(failure)]
        if general:
            self._tell(failure=general[-1], no_candles=general[-1])

    # What comes of it

    def _is_welcome(self) -> bool:
        """Whether the exchange may be asked, also after what other processes have been told."""
        failure = self.purse.shut_out(self.spec.id)
        if failure is not None and (failure.retry_after_s or 0) > self.breaker.wait_s(self.steady()) + 1:
            self.breaker = self.breaker.failed(failure, self.steady(), 0.0)
            self._tell(failure=failure)
        return not self.breaker.is_open(self.steady())

    def _seen(self, headers: Mapping[str, str]) -> None:
        self.clock.observe(headers)
        self._asker.seen(headers)

    def _admit(self) -> bool:
        self.breaker, admitted = self.breaker.admit(self.steady())
        return admitted

    async def _record(self, failure: ExchangeFailure) -> None:
        if isinstance(failure, UnknownSymbol):
            self._relist.set()
        now = self.steady()
        if _concerns_exchange(failure):
            self.breaker = self.breaker.failed(failure, now, random.random())
        else:
            self.breaker = self.breaker.succeeded(now)  # it answered
        if isinstance(failure, RateLimited):
            await self.purse.tell(failure, self.breaker.wait_s(now))

    async def _failed(self, failure: ExchangeFailure) -> None:
        await self._record(failure)
        self._tell(failure=failure)

    def _succeeded(self, at_ms: int) -> None:
        self.breaker = self.breaker.succeeded(self.steady())
        self._heard(at_ms)

    def _heard(self, at_ms: int) -> None:
        """Good prices of this market time are here, asked for or not."""
        if not self.breaker.is_open(self.steady()):
            self._tell(failure=None, no_prices=None, heard_at=self.steady(), last_data_ms=at_ms)

    def _tell(self, **changes: Any) -> None:
        """Publish what is known now; a change of state is logged once."""
        self._weight = self.purse.state()
        self.health = replace(self.health, **changes)
        word, cause = self.health.state(self.steady(), self.price_interval_s)
        if word != self._state:
            log.log(
                logging.INFO if word == "live" else logging.WARNING, "%s is %s: %s", self.spec.id, word, cause or "ok"
            )
            self._state = word


def _concerns_exchange(failure: ExchangeFailure) -> bool:
    """Whether a failure says something about the whole exchange, not about one market or call."""
    return not isinstance(failure, (UnknownSymbol, Unsupported))
