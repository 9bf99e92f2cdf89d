"""One exchange: its markets, its prices, its candles, and how it is doing.

Here everything of an exchange is put together, and asked for its prices. Its markets are the business of `lister`, its
candles of `sweeper`, how it is doing of `condition`.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any

from scanner.clock import Clock
from scanner.errors import BadAnswer, ExchangeFailure
from scanner.gateway.answers import CandleAnswer, CandleRequest, CandleSweep, ExchangeState, PriceAnswer
from scanner.gateway.asking import Asker
from scanner.gateway.budget import Budget, OverBudget
from scanner.gateway.condition import Condition
from scanner.gateway.connection import connect, most_at_once, weight_table
from scanner.gateway.contact import Contact
from scanner.gateway.exchange_clock import ExchangeClock
from scanner.gateway.failures import own_errors
from scanner.gateway.flight import OutOfTime, in_time
from scanner.gateway.lister import Lister
from scanner.gateway.listing import Listing
from scanner.gateway.membership import Members, Wish
from scanner.gateway.parts import Deliver
from scanner.gateway.prices import PriceReader, weight_per_window
from scanner.gateway.purse import purse_of
from scanner.gateway.relisting import RELIST_S
from scanner.gateway.snapshots import UniverseSnapshot
from scanner.gateway.specs import ExchangeSpec
from scanner.gateway.sweeper import Sweeper, patience_s
from scanner.markets import Market
from scanner.order import Capacity


class ExchangeClient:
    """Owns one ccxt instance. Build, `work` as tasks, ask `prices` and `candles`, `close`; all on one loop.

    What any thread may read: `state`, `now_ms`, `members` and what of them is `usable` and `skipped`. It is frozen and
    replaced whole.
    """

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
        self.spec, self.clock, self.steady = spec, ExchangeClock(clock), steady
        self.base_timeframe, self.timeout_s, self.price_interval_s = base_timeframe, timeout_s, price_interval_s
        self._on_usable = on_usable
        self.exchange = connect(spec, timeout_s, self._seen)
        weights, at_once = weight_table(self.exchange, spec.pace), most_at_once(self.exchange)
        kept = weight_per_window(weights, wish.expected, price_interval_s)
        self.purse = purse_of(Budget(weights.limit, weights.window_s, weight_share, kept), spec, steady)
        self.condition = Condition(spec.id, self.purse, price_interval_s, steady)
        self.asker = Asker(self.exchange, self.purse, steady)
        self.asker.may_go_on = self.condition.is_welcome
        self.contact = Contact(spec.id, self.exchange, weights, self.asker, self.condition, self.clock, steady)
        self._lister = Lister(
            self.contact,
            wish,
            base_timeframe,
            relist_s=relist_s,
            longest_pause_s=price_interval_s,
            remembered=remembered,
            capacity=capacity,
            on_listed=self._listed,
        )
        self._prices = PriceReader(spec.id, self.exchange, weights, self.asker.prices, at_once)
        self._sweeper = Sweeper(self.contact, base_timeframe, at_once, lambda: self.members, self._held)

    # What other threads may read

    def state(self) -> ExchangeState:
        """How this exchange is doing now."""
        condition, health = self.condition, self.condition.health
        word, cause = condition.state()
        return ExchangeState(
            self.spec.id,
            word,
            cause,
            len(self.usable),
            health.last_data_ms,
            condition.weight,
            self._sweeper.deferred(),
            self.clock.ahead_ms,
            health.is_idle,
            listing_cause=health.listing,
        )

    def now_ms(self) -> int:
        """Market time as this exchange counts it."""
        return self.clock.now_ms()

    @property
    def members(self) -> Members:
        """Who is scanned, who is not, and why."""
        return self._lister.members

    @property
    def usable(self) -> dict[Market, Listing]:
        """The markets that are scanned."""
        return self.members.usable

    @property
    def skipped(self) -> dict[str, str]:
        """Symbol -> why it is not scanned."""
        return self.members.skipped

    @property
    def snapshots(self) -> deque[UniverseSnapshot]:
        """Of the universe, those that nobody has taken yet."""
        return self._lister.snapshots

    # Lifetime

    def work(self) -> list[Coroutine[Any, Any, None]]:
        """What has to run as tasks, from the start to the end."""
        return [self._lister.run()]

    async def close(self) -> None:
        """Give back sockets and sessions, and weight that is reserved."""
        await self.exchange.close()
        await self.purse.leave()

    # Prices and candles

    async def prices(self, deadline_s: float) -> PriceAnswer | None:
        """The usable prices of all markets; None when there are none now, which `state` explains."""
        self.condition.look()
        if not self.usable or not self.condition.admit():
            return None
        try:
            with own_errors(self.spec.id):
                answer = await in_time(self._read_prices(), deadline_s, patience_s(deadline_s), self.steady)
            if not len(answer):
                raise BadAnswer(f"{self.spec.id}: no usable price in the answer")
        except (OverBudget, OutOfTime):
            self.condition.not_asked()
            return None
        except ExchangeFailure as failure:
            await self.condition.failed(failure)
            self.condition.has_no_prices(failure)
            return None
        self.condition.answered()
        self.condition.has_prices(answer.at_ms)
        return answer

    async def _read_prices(self) -> PriceAnswer:
        listings = self.usable.values()
        names = {listing.symbol: listing.market for listing in listings}
        kinds = {listing.symbol: listing.kind for listing in listings}
        return await self._prices.read(self.clock.now_ms(), self.steady(), names, kinds)

    async def candles(
        self, requests: Sequence[CandleRequest], deadline_s: float, deliver: Deliver | None = None
    ) -> CandleSweep:
        """Answers to as many requests as can be had now; what can be told before the rest goes to `deliver`, in parts.

        A market's failure is its own.
        """
        return await self._sweeper.sweep(requests, deadline_s, deliver)

    # What comes of it

    def _held(self, requests: Sequence[CandleRequest]) -> Mapping[CandleRequest, CandleAnswer]:
        """Answers to those of the requests that need not be asked for."""
        return {}

    def _listed(self) -> None:
        """The markets have been chosen from a fresh list."""
        if self.usable:
            self._on_usable()

    def _seen(self, headers: Mapping[str, str]) -> None:
        self.clock.observe(headers)
        self.asker.seen(headers)
