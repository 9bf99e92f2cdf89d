"""How one exchange is doing and whether it may be asked now: what its answers and failures come to.

The decisions are values (`Breaker`, `Health`); here they are held, kept in step with what other processes of the host
were told, and their changes logged.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Iterable

from scanner.errors import ExchangeFailure, RateLimited, UnknownSymbol
from scanner.gateway.breaker import Breaker
from scanner.gateway.health import Health, concerns_exchange
from scanner.gateway.purse import Purse

log = logging.getLogger(__name__)


class Condition:
    """Told of all that comes from one exchange; everything but the attributes is for the loop.

    Attributes
    ----------
    health : Health
    weight : WeightState
        As of the last thing told. Both are frozen and replaced whole, so that any thread may read them.
    breaker : Breaker
        Whether it may be asked.
    denied : asyncio.Event
        Set when the exchange denies a symbol that it had listed.
    """

    def __init__(self, exchange_id: str, purse: Purse, price_interval_s: float, steady: Callable[[], float]) -> None:
        self._id, self._purse, self._price_interval_s, self._steady = exchange_id, purse, price_interval_s, steady
        self.health, self.weight = Health(), purse.state()
        self.breaker = Breaker(longest_pause_s=price_interval_s)
        self.denied = asyncio.Event()
        self._word = "connecting"

    def state(self) -> tuple[str, str | None]:
        """State and cause, in the words of `Health.state`."""
        return self.health.state(self._steady(), self._price_interval_s)

    # Whether it may be asked

    def admit(self) -> bool:
        """Whether a request may be made now; who is admitted tells how it ended: `answered`, `failed`, `not_asked`."""
        self.breaker, admitted = self.breaker.admit(self._steady())
        return admitted

    def is_welcome(self) -> bool:
        """Whether the exchange has not asked us to wait, nor other processes of this host."""
        failure = self._purse.shut_out(self._id)
        if failure is not None and (failure.retry_after_s or 0) > self.wait_s() + 1:
            self.breaker = self.breaker.failed(failure, self._steady(), 0.0)
            self._publish(self.health.failing(failure))
        return not self.breaker.is_open(self._steady())

    async def hear(self) -> None:
        """Take over what other processes have been told."""
        await self._purse.sync()
        self.is_welcome()

    def wait_s(self) -> float:
        """Seconds until it may be asked again; 0 when it may."""
        return self.breaker.wait_s(self._steady())

    # How a request ended

    def not_asked(self) -> None:
        """There was no weight or no time for it: that says nothing about the exchange."""
        self.breaker = self.breaker.released()

    def answered(self) -> None:
        self.breaker = self.breaker.succeeded(self._steady())

    async def failed(self, failure: ExchangeFailure) -> None:
        """It ended in `failure`, of which the other processes hear where it concerns them."""
        if isinstance(failure, UnknownSymbol):
            self.denied.set()
        if not concerns_exchange(failure):
            self.answered()  # about one market
            return
        now = self._steady()
        self.breaker = self.breaker.failed(failure, now, random.random())
        if isinstance(failure, RateLimited):
            await self._purse.tell(failure, self.breaker.wait_s(now))

    # What is known now

    def listed(self, unusable: str | None) -> None:
        """The markets have been chosen from a fresh list; `unusable` says why none can be scanned."""
        self._publish(self.health.listed_anew(self._steady(), unusable))

    def listed_as_before(self, why: str) -> None:
        """There is no fresh list, which matters little while markets are scanned."""
        self._publish(self.health.listed_as_before(why))

    def failing(self, failure: ExchangeFailure) -> None:
        """It cannot be listed."""
        self._publish(self.health.failing(failure))

    def has_prices(self, at_ms: int) -> None:
        """Good prices of this market time are here, asked for or not."""
        if not self.breaker.is_open(self._steady()):
            self._publish(self.health.with_prices(self._steady(), at_ms))

    def has_no_prices(self, failure: ExchangeFailure) -> None:
        self._publish(self.health.without_prices(failure))

    def swept(self, newest_ms: int | None, failures: Iterable[ExchangeFailure]) -> None:
        """A sweep for candles is over: one answer with candles is enough to call the exchange well.

        `newest_ms` is the market time at which the newest such answer was asked for, None when there was none.
        """
        if newest_ms is not None and not self.breaker.is_open(self._steady()):
            self._publish(self.health.with_candles(self._steady(), newest_ms))
        else:
            self._publish(self.health.without_candles(failures))

    def look(self) -> None:
        """Nothing was heard; time has passed all the same."""
        self._publish(self.health)

    def _publish(self, health: Health) -> None:
        """A change of state is logged once."""
        self.health, self.weight = health, self._purse.state()
        word, cause = self.state()
        if word != self._word:
            log.log(logging.INFO if word == "live" else logging.WARNING, "%s is %s: %s", self._id, word, cause or "ok")
            self._word = word
